//! Policies, what they are bound to, applications, reputation.

use super::columns::{Columns, cascade, flag, integer, json, time, uuid};
use sea_orm_migration::prelude::*;

pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261128_000003_policies"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let c = Columns(manager.get_database_backend());
        policies(manager, c).await?;
        targets(manager, c).await?;
        bindings(manager).await?;
        reputation(manager, c).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn down(&self, _: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Custom("this step cannot be undone: restore a copy instead".into()))
    }
}

async fn policies(manager: &SchemaManager<'_>, c: Columns) -> Result<(), DbErr> {
    manager
        .create_table(
            Table::create()
                .table("policies")
                .col(uuid("id").primary_key())
                .col(c.required("name").unique_key())
                .col(c.required("kind"))
                .col(flag("execution_logging"))
                // What only this kind has; its fields are those of the wire.
                .col(json("settings"))
                .col(time("created").not_null())
                .col(time("last_updated").not_null())
                .col(c.required("search"))
                .to_owned(),
        )
        .await?;
    manager
        .create_index(Index::create().name("policies_kind").table("policies").col("kind").col("name").to_owned())
        .await
}

async fn targets(manager: &SchemaManager<'_>, c: Columns) -> Result<(), DbErr> {
    manager
        .create_table(
            Table::create()
                .table("policy_targets")
                .col(uuid("id").primary_key())
                .col(c.required("engine_mode"))
                .to_owned(),
        )
        .await?;
    manager
        .create_table(
            Table::create()
                .table("applications")
                .col(uuid("id").primary_key())
                .col(c.required("name"))
                .col(c.required("slug").unique_key())
                .col(c.required("group_name"))
                .col(flag("open_in_new_tab"))
                .col(c.required("meta_launch_url"))
                .col(c.text("meta_icon"))
                .col(c.required("meta_description"))
                .col(c.required("meta_publisher"))
                .col(c.required("search"))
                .foreign_key(&mut cascade(("applications", "id"), "policy_targets"))
                .to_owned(),
        )
        .await?;
    manager.create_index(Index::create().name("applications_name").table("applications").col("name").to_owned()).await
}

async fn bindings(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    manager
        .create_table(
            Table::create()
                .table("policy_bindings")
                .col(uuid("id").primary_key())
                .col(uuid("target_id"))
                .col(integer("position"))
                .col(ColumnDef::new("policy_id").uuid())
                .col(ColumnDef::new("group_id").uuid())
                .col(ColumnDef::new("user_id").integer())
                .col(flag("negate"))
                .col(flag("enabled"))
                .col(flag("failure_result"))
                .col(integer("timeout"))
                .foreign_key(&mut cascade(("policy_bindings", "target_id"), "policy_targets"))
                .foreign_key(&mut cascade(("policy_bindings", "policy_id"), "policies"))
                .foreign_key(&mut cascade(("policy_bindings", "group_id"), "groups"))
                .foreign_key(&mut cascade(("policy_bindings", "user_id"), "users"))
                .to_owned(),
        )
        .await?;
    // Bindings of groups and users have no policy, and nulls differ from each other on both databases.
    manager
        .create_index(
            Index::create()
                .name("policy_bindings_unique")
                .table("policy_bindings")
                .col("target_id")
                .col("position")
                .col("policy_id")
                .unique()
                .to_owned(),
        )
        .await?;
    for column in ["policy_id", "group_id", "user_id"] {
        let name = format!("policy_bindings_{column}");
        manager.create_index(Index::create().name(name).table("policy_bindings").col(column).to_owned()).await?;
    }
    Ok(())
}

async fn reputation(manager: &SchemaManager<'_>, c: Columns) -> Result<(), DbErr> {
    manager
        .create_table(
            Table::create()
                .table("reputation_scores")
                .col(uuid("id").primary_key())
                .col(c.required("identifier"))
                .col(c.required("ip"))
                .col(ColumnDef::new("ip_geo_data").json_binary())
                .col(ColumnDef::new("ip_asn_data").json_binary())
                .col(ColumnDef::new("score").big_integer().not_null())
                .col(time("updated").not_null())
                .col(time("expires").not_null())
                .col(c.required("search"))
                .to_owned(),
        )
        .await?;
    manager
        .create_index(
            Index::create()
                .name("reputation_scores_unique")
                .table("reputation_scores")
                .col("identifier")
                .col("ip")
                .unique()
                .to_owned(),
        )
        .await?;
    for column in ["ip", "expires"] {
        let name = format!("reputation_scores_{column}");
        manager.create_index(Index::create().name(name).table("reputation_scores").col(column).to_owned()).await?;
    }
    Ok(())
}
