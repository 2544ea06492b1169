//! Flows, their stages and prompts, brands, sessions, and the plans that links carry.

use super::columns::{Columns, cascade, flag, integer, json, time, uuid};
use sea_orm_migration::prelude::*;

pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261128_000004_flows"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let c = Columns(manager.get_database_backend());
        flows(manager, c).await?;
        stages(manager, c).await?;
        stage_bindings(manager, c).await?;
        prompts(manager, c).await?;
        brands(manager, c).await?;
        sessions(manager, c).await?;
        links(manager).await?;
        names(manager).await?;
        defaults(manager).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn down(&self, _: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Custom("this step cannot be undone: restore a copy instead".into()))
    }
}

async fn index(manager: &SchemaManager<'_>, table: &'static str, column: &'static str) -> Result<(), DbErr> {
    let name = format!("{table}_{column}");
    manager.create_index(Index::create().name(name).table(table).col(column).to_owned()).await
}

async fn flows(manager: &SchemaManager<'_>, c: Columns) -> Result<(), DbErr> {
    let table = Table::create()
        .table("flows")
        .col(uuid("id").primary_key())
        .col(uuid("target_id").unique_key())
        .col(c.required("name"))
        .col(c.required("slug").unique_key())
        .col(c.required("title"))
        .col(c.required("designation"))
        .col(c.required("background"))
        .col(flag("compatibility_mode"))
        .col(c.required("layout"))
        .col(c.required("denied_action"))
        .col(c.required("authentication"))
        .col(c.required("search"))
        .foreign_key(&mut cascade(("flows", "target_id"), "policy_targets"))
        .to_owned();
    manager.create_table(table).await?;
    index(manager, "flows", "designation").await
}

async fn stages(manager: &SchemaManager<'_>, c: Columns) -> Result<(), DbErr> {
    let table = Table::create()
        .table("stages")
        .col(uuid("id").primary_key())
        .col(c.required("name").unique_key())
        .col(c.required("kind"))
        // What only this kind has; its fields are those of the wire.
        .col(json("settings"))
        // What of it is secret: sealed for this row's id.
        .col(ColumnDef::new("secret").blob())
        .col(c.required("search"))
        .to_owned();
    manager.create_table(table).await?;
    index(manager, "stages", "kind").await
}

async fn stage_bindings(manager: &SchemaManager<'_>, c: Columns) -> Result<(), DbErr> {
    let table = Table::create()
        .table("stage_bindings")
        .col(uuid("id").primary_key())
        .col(uuid("target_id").unique_key())
        .col(uuid("flow_id"))
        .col(uuid("stage_id"))
        .col(integer("position"))
        .col(flag("evaluate_on_plan"))
        .col(flag("re_evaluate_policies"))
        .col(c.required("invalid_response_action"))
        .foreign_key(&mut cascade(("stage_bindings", "target_id"), "policy_targets"))
        .foreign_key(&mut cascade(("stage_bindings", "flow_id"), "flows"))
        .foreign_key(&mut cascade(("stage_bindings", "stage_id"), "stages"))
        .to_owned();
    manager.create_table(table).await?;
    let unique = Index::create()
        .name("stage_bindings_unique")
        .table("stage_bindings")
        .col("flow_id")
        .col("stage_id")
        .col("position")
        .unique()
        .to_owned();
    manager.create_index(unique).await?;
    index(manager, "stage_bindings", "stage_id").await
}

async fn prompts(manager: &SchemaManager<'_>, c: Columns) -> Result<(), DbErr> {
    let table = Table::create()
        .table("prompts")
        .col(uuid("id").primary_key())
        .col(c.required("name").unique_key())
        .col(c.required("field_key"))
        .col(c.required("label"))
        .col(c.required("kind"))
        .col(flag("required"))
        .col(c.required("placeholder"))
        .col(c.required("initial_value"))
        .col(integer("position"))
        .col(c.required("sub_text"))
        .col(flag("placeholder_expression"))
        .col(flag("initial_value_expression"))
        .col(c.required("search"))
        .to_owned();
    manager.create_table(table).await?;
    for (table, other, to) in
        [("prompt_stage_fields", "prompt_id", "prompts"), ("prompt_stage_policies", "policy_id", "policies")]
    {
        let pair = Table::create()
            .table(table)
            .col(uuid("stage_id"))
            .col(uuid(other))
            .primary_key(Index::create().col("stage_id").col(other))
            .foreign_key(&mut cascade((table, "stage_id"), "stages"))
            .foreign_key(&mut cascade((table, other), to))
            .to_owned();
        manager.create_table(pair).await?;
        index(manager, table, other).await?;
    }
    Ok(())
}

async fn brands(manager: &SchemaManager<'_>, c: Columns) -> Result<(), DbErr> {
    let mut table = Table::create()
        .table("brands")
        .col(uuid("id").primary_key())
        .col(c.required("domain").unique_key())
        .col(flag("is_default"))
        .col(c.required("branding_title"))
        .col(c.required("branding_logo"))
        .col(c.required("branding_favicon"))
        .col(ColumnDef::new("default_application_id").uuid())
        .col(json("attributes"))
        .col(c.required("search"))
        .to_owned();
    let forgets = |column: &'static str, to: &'static str| {
        ForeignKey::create().from("brands", column).to(to, "id").on_delete(ForeignKeyAction::SetNull).to_owned()
    };
    for flow in [
        "flow_authentication_id",
        "flow_invalidation_id",
        "flow_recovery_id",
        "flow_unenrollment_id",
        "flow_user_settings_id",
        "flow_device_code_id",
    ] {
        table.col(ColumnDef::new(flow).uuid()).foreign_key(&mut forgets(flow, "flows"));
    }
    table.foreign_key(&mut forgets("default_application_id", "applications"));
    manager.create_table(table).await
}

async fn sessions(manager: &SchemaManager<'_>, c: Columns) -> Result<(), DbErr> {
    let table = Table::create()
        .table("sessions")
        .col(uuid("id").primary_key())
        .col(c.required("digest").unique_key())
        // Nobody has signed in while it is null; the session then only holds a plan.
        .col(ColumnDef::new("user_id").integer())
        // Whom the one who signed in acts as.
        .col(ColumnDef::new("impersonated_id").integer())
        // The plan of a flow, sealed for this row's id: it may hold a password on its way into the table.
        .col(ColumnDef::new("plan").blob())
        // Raised by every write of the plan, so that of two requests at once one is told.
        .col(ColumnDef::new("plan_serial").big_integer().not_null())
        .col(c.required("last_ip"))
        .col(c.required("last_user_agent"))
        .col(time("created").not_null())
        .col(time("last_used").not_null())
        .col(time("expires").not_null())
        .col(c.required("search"))
        .foreign_key(&mut cascade(("sessions", "user_id"), "users"))
        .foreign_key(
            &mut ForeignKey::create()
                .from("sessions", "impersonated_id")
                .to("users", "id")
                .on_delete(ForeignKeyAction::SetNull)
                .to_owned(),
        )
        .to_owned();
    manager.create_table(table).await?;
    for column in ["user_id", "impersonated_id", "expires"] {
        index(manager, "sessions", column).await?;
    }
    Ok(())
}

/// Tokens that bring a plan with them: recovery links and those of e-mail stages.
async fn links(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("flow_tokens")
        .col(uuid("token_id").primary_key())
        .col(uuid("flow_id"))
        // Sealed for the token's id.
        .col(ColumnDef::new("plan").blob().not_null())
        .foreign_key(&mut cascade(("flow_tokens", "token_id"), "tokens"))
        .foreign_key(&mut cascade(("flow_tokens", "flow_id"), "flows"))
        .to_owned();
    manager.create_table(table).await?;
    index(manager, "flow_tokens", "flow_id").await
}

/// What people identify themselves by, whatever the capitals.
async fn names(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let upn = match manager.get_database_backend() {
        sea_orm_migration::sea_orm::DatabaseBackend::Postgres => "(attributes ->> 'upn')",
        _ => "json_extract(attributes, '$.upn')",
    };
    for statement in [
        "CREATE INDEX users_username_folded ON users (username_folded)".to_owned(),
        "CREATE INDEX users_email_lower ON users (lower(email))".to_owned(),
        format!("CREATE INDEX users_upn ON users ({upn})"),
        format!("CREATE INDEX users_upn_lower ON users (lower({upn}))"),
    ] {
        manager.get_connection().execute_unprepared(&statement).await?;
    }
    Ok(())
}

/// Whether the objects an installation begins with were made; an older installation has none of them yet.
async fn defaults(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::alter()
        .table("installation")
        .add_column(ColumnDef::new("defaults").integer().not_null().default(0))
        .to_owned();
    manager.alter_table(table).await
}
