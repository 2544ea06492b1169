//! Rules for roles (contract: authentik-rbac §2).

use super::store;
use crate::{
    access::code,
    audit::{self, Event},
    ctx::Ctx,
    db::Tx,
    error::{Error, Problem, Result},
    list::{ListRequest, Page},
    resource::{
        grants::{
            roles::role::{ActiveModel, Model},
            service::role_subject,
            store as grants,
        },
        groups,
    },
};
use sea_orm::{ActiveModelTrait as _, ActiveValue::Set, IntoActiveModel as _};
use serde_json::json;
use uuid::Uuid;

/// # Errors
/// [`Error::InvalidPage`]; otherwise when the database is away.
pub async fn list(ctx: &Ctx, request: &ListRequest, name: Option<String>) -> Result<Page<Model>> {
    store::list(ctx.app.db.read(), &ctx.principal, request, name).await
}

/// # Errors
/// [`Error::NotFound`].
pub async fn view(ctx: &Ctx, id: Uuid) -> Result<Model> {
    store::find(ctx.app.db.read(), &ctx.principal, id).await
}

async fn check_name(tx: &Tx, name: &str, own: Option<Uuid>) -> Result<()> {
    match grants::role_by_name(tx.conn(), name).await? {
        Some(other) if Some(other.id) != own => Err(Error::field("name", Problem::Taken(Some(("Role", "name"))))),
        _ => Ok(()),
    }
}

/// Makes a role without permissions.
///
/// # Errors
/// [`Error::Invalid`] for a taken name.
pub async fn create(ctx: &Ctx, name: String) -> Result<Model> {
    let tx = ctx.begin().await?;
    check_name(&tx, &name, None).await?;
    let role = store::insert(tx.conn(), ActiveModel { id: Set(ctx.uuid()), name: Set(name) }).await?;
    audit::record(&tx, ctx, Event::created(&role_subject(role.id, &role.name), &json!({"name": role.name})));
    tx.commit().await?;
    Ok(role)
}

/// Renames a role; it keeps its permissions.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Invalid`] for a taken name.
pub async fn update(ctx: &Ctx, id: Uuid, name: Option<String>) -> Result<Model> {
    let tx = ctx.begin().await?;
    let role = store::find_for_update(tx.conn(), &ctx.principal, id).await?;
    let name = name.unwrap_or_else(|| role.name.clone());
    check_name(&tx, &name, Some(id)).await?;
    let mut row = role.into_active_model();
    row.name = Set(name);
    // Also when it is the same name: a PATCH of nothing is answered and recorded like any other.
    let role = store::update(tx.conn(), row.reset_all()).await?;
    audit::record(&tx, ctx, Event::updated(&role_subject(role.id, &role.name)));
    tx.commit().await?;
    Ok(role)
}

/// Removes a role with its permissions; members of the group that carries it lose them at once.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn delete(ctx: &Ctx, id: Uuid) -> Result<()> {
    let mut tx = ctx.begin().await?;
    let role = store::find_for_update(tx.conn(), &ctx.principal, id).await?;
    store::delete(tx.conn(), id).await?;
    grants::forget_object(tx.conn(), "authentik_rbac", "role", &id.to_string()).await?;
    audit::record(&tx, ctx, Event::deleted(&role_subject(id, &role.name)));
    tx.touch();
    tx.commit().await
}

/// The group that carries a role, if the caller may see it.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn used_by(ctx: &Ctx, id: Uuid) -> Result<Option<groups::Model>> {
    let db = ctx.app.db.read();
    store::find(db, &ctx.principal, id).await?;
    let carrier = store::carrier(db, id).await?;
    Ok(carrier.filter(|group| ctx.principal.holds_on(code::VIEW_GROUP, &group.id.to_string())))
}
