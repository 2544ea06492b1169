//! Personal access tokens, and the key pairs that sign what they are traded for.

use super::columns::{Columns, cascade, flag, integer, json, time, uuid};
use sea_orm_migration::prelude::*;

pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261128_000005_access_tokens"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let c = Columns(manager.get_database_backend());
        keypairs(manager, c).await?;
        tokens(manager, c).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn down(&self, _: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Custom("this step cannot be undone: restore a copy instead".into()))
    }
}

async fn keypairs(manager: &SchemaManager<'_>, c: Columns) -> Result<(), DbErr> {
    let table = Table::create()
        .table("keypairs")
        .col(uuid("id").primary_key())
        .col(c.required("name"))
        .col(c.required("algorithm"))
        .col(c.required("kid").unique_key())
        .col(ColumnDef::new("key_sealed").blob().not_null())
        .col(time("created").not_null())
        .col(time("retired"))
        .to_owned();
    manager.create_table(table).await
}

async fn tokens(manager: &SchemaManager<'_>, c: Columns) -> Result<(), DbErr> {
    let table = Table::create()
        .table("personal_access_tokens")
        .col(uuid("id").primary_key())
        .col(integer("owner_id"))
        .col(c.required("name"))
        .col(json("scope"))
        // The scopes of the bearer token that asked for these; null when nothing bounds them.
        .col(ColumnDef::new("ceiling").json_binary())
        .col(c.required("secret_digest"))
        // Of the bearer tokens, in seconds.
        .col(integer("validity"))
        .col(time("created").not_null())
        // Null: it never ends.
        .col(time("expires"))
        .col(flag("never_expires"))
        .col(time("last_used"))
        .col(flag("managed"))
        // Whether there is an event about its end.
        .col(flag("end_recorded"))
        .foreign_key(&mut cascade(("personal_access_tokens", "owner_id"), "users"))
        .to_owned();
    manager.create_table(table).await?;
    let name = Index::create()
        .name("personal_access_tokens_owner_name")
        .table("personal_access_tokens")
        .col("owner_id")
        .col("name")
        .unique()
        .to_owned();
    manager.create_index(name).await?;
    let created = Index::create()
        .name("personal_access_tokens_created")
        .table("personal_access_tokens")
        .col("created")
        .to_owned();
    manager.create_index(created).await?;
    // For the sweep, which wants those that have ended and are not recorded.
    let ended = Index::create()
        .name("personal_access_tokens_ended")
        .table("personal_access_tokens")
        .col("end_recorded")
        .col("expires")
        .to_owned();
    manager.create_index(ended).await
}
