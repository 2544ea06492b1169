//! Accounts, groups, roles, grants, tokens, settings, events.

use super::columns::{Columns, cascade, flag, integer, json, time, uuid};
use sea_orm_migration::prelude::*;

pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261125_000001_identity"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let c = Columns(manager.get_database_backend());
        singletons(manager, c).await?;
        people(manager, c).await?;
        credentials(manager, c).await?;
        events(manager, c).await
    }

    // By default only on PostgreSQL; half a schema could never be continued.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn down(&self, _: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Custom("the first step cannot be undone: delete the database instead".into()))
    }
}

async fn singletons(manager: &SchemaManager<'_>, c: Columns) -> Result<(), DbErr> {
    let mut key = ColumnDef::new("id");
    key.integer().not_null().primary_key();
    manager
        .create_table(
            Table::create()
                .table("installation")
                .col(key.clone())
                .col(c.required("install_id"))
                .col(c.required("key_fingerprint"))
                .col(time("created").not_null())
                .to_owned(),
        )
        .await?;
    manager
        .create_table(Table::create().table("epoch").col(ColumnDef::new("value").big_integer().not_null()).to_owned())
        .await?;
    manager
        .create_table(
            Table::create()
                .table("settings")
                .col(key)
                .col(c.required("avatars"))
                .col(flag("default_user_change_name"))
                .col(flag("default_user_change_email"))
                .col(flag("default_user_change_username"))
                .col(c.required("event_retention"))
                .col(json("footer_links"))
                .col(flag("gdpr_compliance"))
                .col(flag("impersonation"))
                .col(c.required("default_token_duration"))
                .col(integer("default_token_length"))
                .to_owned(),
        )
        .await?;
    manager.get_connection().execute_unprepared("INSERT INTO epoch (value) VALUES (1)").await?;
    Ok(())
}

async fn people(manager: &SchemaManager<'_>, c: Columns) -> Result<(), DbErr> {
    manager
        .create_table(
            Table::create()
                .table("users")
                .col(ColumnDef::new("id").integer().not_null().auto_increment().primary_key())
                .col(uuid("uuid").unique_key())
                .col(c.required("username").unique_key())
                .col(c.required("username_folded"))
                .col(c.required("name"))
                .col(c.required("email"))
                .col(flag("is_active"))
                .col(time("last_login"))
                .col(c.required("path"))
                .col(c.required("type"))
                .col(json("attributes"))
                .col(c.required("password"))
                .col(time("password_change_date").not_null())
                .col(time("date_joined").not_null())
                .col(c.required("search"))
                .to_owned(),
        )
        .await?;
    manager
        .create_table(
            Table::create()
                .table("groups")
                .col(uuid("id").primary_key())
                .col(c.required("name").unique_key())
                .col(flag("is_superuser"))
                .col(ColumnDef::new("parent_id").uuid())
                .col(json("attributes"))
                .col(c.required("search"))
                .foreign_key(
                    ForeignKey::create()
                        .from("groups", "parent_id")
                        .to("groups", "id")
                        .on_delete(ForeignKeyAction::SetNull),
                )
                .to_owned(),
        )
        .await?;
    manager.create_index(Index::create().name("groups_parent").table("groups").col("parent_id").to_owned()).await?;
    manager
        .create_table(
            Table::create()
                .table("user_groups")
                .col(integer("user_id"))
                .col(uuid("group_id"))
                .primary_key(Index::create().col("user_id").col("group_id"))
                .foreign_key(&mut cascade(("user_groups", "user_id"), "users"))
                .foreign_key(&mut cascade(("user_groups", "group_id"), "groups"))
                .to_owned(),
        )
        .await?;
    manager
        .create_index(Index::create().name("user_groups_group").table("user_groups").col("group_id").to_owned())
        .await?;
    manager
        .create_table(
            Table::create()
                .table("roles")
                .col(uuid("id").primary_key())
                .col(c.required("name").unique_key())
                .to_owned(),
        )
        .await?;
    // A role belongs to one group at most (contract: authentik-rbac §6).
    manager
        .create_table(
            Table::create()
                .table("group_roles")
                .col(uuid("role_id").primary_key())
                .col(uuid("group_id"))
                .foreign_key(&mut cascade(("group_roles", "role_id"), "roles"))
                .foreign_key(&mut cascade(("group_roles", "group_id"), "groups"))
                .to_owned(),
        )
        .await?;
    manager
        .create_index(Index::create().name("group_roles_group").table("group_roles").col("group_id").to_owned())
        .await
}

async fn credentials(manager: &SchemaManager<'_>, c: Columns) -> Result<(), DbErr> {
    manager
        .create_table(
            Table::create()
                .table("tokens")
                .col(uuid("id").primary_key())
                .col(c.required("identifier").unique_key())
                .col(c.required("intent"))
                .col(integer("user_id"))
                .col(c.required("description"))
                .col(time("expires"))
                .col(flag("expiring"))
                .col(c.text("managed").unique_key())
                .col(c.required("key_digest").unique_key())
                .col(ColumnDef::new("key_sealed").binary().not_null())
                .col(c.required("search"))
                .foreign_key(&mut cascade(("tokens", "user_id"), "users"))
                .to_owned(),
        )
        .await?;
    manager.create_index(Index::create().name("tokens_user").table("tokens").col("user_id").to_owned()).await?;
    manager.create_index(Index::create().name("tokens_expires").table("tokens").col("expires").to_owned()).await?;
    // Held by a user or by a role; on one object, or (no `object_pk`) on all.
    manager
        .create_table(
            Table::create()
                .table("grants")
                .col(ColumnDef::new("id").integer().not_null().auto_increment().primary_key())
                .col(ColumnDef::new("user_id").integer())
                .col(ColumnDef::new("role_id").uuid())
                .col(c.required("permission"))
                .col(c.text("object_pk"))
                .foreign_key(&mut cascade(("grants", "user_id"), "users"))
                .foreign_key(&mut cascade(("grants", "role_id"), "roles"))
                .to_owned(),
        )
        .await?;
    manager.create_index(Index::create().name("grants_user").table("grants").col("user_id").to_owned()).await?;
    manager.create_index(Index::create().name("grants_role").table("grants").col("role_id").to_owned()).await?;
    manager
        .create_index(
            Index::create().name("grants_object").table("grants").col("object_pk").col("permission").to_owned(),
        )
        .await
}

async fn events(manager: &SchemaManager<'_>, c: Columns) -> Result<(), DbErr> {
    manager
        .create_table(
            Table::create()
                .table("events")
                .col(uuid("id").primary_key())
                .col(json("user"))
                .col(c.required("action"))
                .col(c.required("app"))
                .col(json("context"))
                .col(c.text("client_ip"))
                .col(time("created").not_null())
                .col(time("expires").not_null())
                .col(json("brand"))
                .to_owned(),
        )
        .await?;
    manager.create_index(Index::create().name("events_created").table("events").col("created").to_owned()).await?;
    manager.create_index(Index::create().name("events_expires").table("events").col("expires").to_owned()).await
}
