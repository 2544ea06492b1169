//! What stages name: other stages, flows, groups, prompts and policies. Their keys are in the settings,
//! where no foreign key watches over them, so this does.

use super::{
    entity::{Column, Entity, Kind},
    service::Draft,
    store::{self, StageFilter},
};
use crate::{
    audit::{self, Event},
    ctx::Ctx,
    db::Tx,
    error::{FieldErrors, Problem, Result},
    resource::{flows, groups, policies, prompts},
};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, EntityTrait, QueryFilter as _, QuerySelect as _, Select, sea_query::LockType,
};
use serde_json::Value;
use uuid::Uuid;

/// What a field names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Named {
    PasswordStage,
    Flow,
    Group,
}

/// Every field of any kind that names something.
const FIELDS: [(&str, Named); 6] = [
    ("password_stage", Named::PasswordStage),
    ("enrollment_flow", Named::Flow),
    ("recovery_flow", Named::Flow),
    ("passwordless_flow", Named::Flow),
    ("configure_flow", Named::Flow),
    ("create_users_group", Named::Group),
];

async fn exists(db: &impl ConnectionTrait, named: Named, id: Uuid, lock: bool) -> Result<bool> {
    match named {
        Named::PasswordStage => {
            let select = Entity::find_by_id(id).filter(Column::Kind.eq(Kind::Password));
            found(db, select, Column::Id, lock).await
        }
        Named::Flow => found(db, flows::Entity::find_by_id(id), flows::Column::Id, lock).await,
        Named::Group => found(db, groups::Entity::find_by_id(id), groups::Column::Id, lock).await,
    }
}

/// Locked, a row stays as long as the transaction does: whoever deletes it waits, and then finds who
/// names it.
async fn found<E: EntityTrait>(
    db: &impl ConnectionTrait,
    select: Select<E>,
    key: E::Column,
    lock: bool,
) -> Result<bool> {
    let select = if lock { select.lock(LockType::Share) } else { select };
    Ok(select.select_only().column(key).into_tuple::<Uuid>().one(db).await?.is_some())
}

/// Adds what is wrong with what a stage is to name; of a list, only the first.
///
/// # Errors
/// When the database is away.
pub async fn check(tx: &Tx, draft: &Draft, errors: &mut FieldErrors) -> Result<()> {
    let db = tx.conn();
    for (field, named) in FIELDS {
        if let Some(id) = draft.settings.get(field).and_then(key)
            && !exists(db, named, id, true).await?
        {
            errors.add(field, Problem::UnknownKey(id.to_string()));
        }
    }
    // There are no sources.
    if let Some(source) = draft.sources.first() {
        errors.add("sources", Problem::UnknownKey(source.to_string()));
    }
    let wanted = draft.prompts.as_deref().unwrap_or_default();
    let known: Vec<Uuid> = prompts::store::by_ids(db, wanted).await?.iter().map(|prompt| prompt.id).collect();
    if let Some(missing) = wanted.iter().find(|id| !known.contains(id)) {
        errors.add("fields", Problem::UnknownKey(missing.to_string()));
    }
    let wanted = draft.policies.as_deref().unwrap_or_default();
    let known: Vec<Uuid> = policies::store::views(db, wanted).await?.iter().map(|view| view.policy.id).collect();
    if let Some(missing) = wanted.iter().find(|id| !known.contains(id)) {
        errors.add("validation_policies", Problem::UnknownKey(missing.to_string()));
    }
    Ok(())
}

fn key(value: &Value) -> Option<Uuid> {
    value.as_str().and_then(|text| text.parse().ok())
}

/// A filter names what is there, or says so (contract: authentik-core §1.6).
///
/// # Errors
/// [`crate::error::Error::Invalid`]; otherwise when the database is away.
pub async fn check_filter(db: &impl ConnectionTrait, filter: &StageFilter) -> Result<()> {
    let mut errors = FieldErrors::default();
    for (field, value) in &filter.settings {
        let named = FIELDS.iter().find(|(name, _)| name == field);
        if let (Some((_, named)), Some(id)) = (named, key(value))
            && !exists(db, *named, id, false).await?
        {
            errors.add(field, Problem::NoSuchChoice);
        }
    }
    let known: Vec<Uuid> = prompts::store::by_ids(db, &filter.prompts).await?.iter().map(|prompt| prompt.id).collect();
    if let Some(missing) = filter.prompts.iter().find(|id| !known.contains(id)) {
        errors.add("fields", Problem::UnknownChoice(missing.to_string()));
    }
    let known = policies::store::views(db, &filter.policies).await?;
    if let Some(missing) = filter.policies.iter().find(|id| known.iter().all(|view| view.policy.id != **id)) {
        errors.add("validation_policies", Problem::UnknownChoice(missing.to_string()));
    }
    errors.finish()
}

/// Where stages name a flow.
const OF_FLOWS: [(Kind, &[&str]); 2] = [
    (Kind::Identification, &["enrollment_flow", "recovery_flow", "passwordless_flow"]),
    (Kind::Password, &["configure_flow"]),
];

/// Takes a flow that is about to be deleted out of the stages that name it.
///
/// # Errors
/// When the database is away.
pub async fn forget_flow(ctx: &Ctx, tx: &mut Tx, flow: Uuid) -> Result<()> {
    for (kind, fields) in OF_FLOWS {
        forget(ctx, tx, kind, fields, flow).await?;
    }
    Ok(())
}

/// As [`forget_flow`], for a group.
///
/// # Errors
/// When the database is away.
pub async fn forget_group(ctx: &Ctx, tx: &mut Tx, group: Uuid) -> Result<()> {
    forget(ctx, tx, Kind::UserWrite, &["create_users_group"], group).await
}

/// As [`forget_flow`], for a password stage.
///
/// # Errors
/// When the database is away.
pub async fn forget_stage(ctx: &Ctx, tx: &mut Tx, stage: Uuid) -> Result<()> {
    forget(ctx, tx, Kind::Identification, &["password_stage"], stage).await
}

async fn forget(ctx: &Ctx, tx: &mut Tx, kind: Kind, fields: &[&'static str], object: Uuid) -> Result<()> {
    for mut stage in store::naming(tx.conn(), kind, fields, object, true).await? {
        for field in fields {
            if stage.settings.get(field).and_then(key) == Some(object) {
                stage.settings[field] = Value::Null;
            }
        }
        let stage = store::set_settings(tx.conn(), stage.id, stage.settings).await?;
        audit::record(tx, ctx, Event::updated(&stage.subject()));
        tx.touch();
    }
    Ok(())
}
