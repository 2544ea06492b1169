//! Assigning and unassigning permissions (authentik-rbac §5): all of a request, or nothing.

use crate::{
    access::Grants,
    audit::{self, Event, Subject},
    ctx::Ctx,
    db::Tx,
    error::{Error, FieldErrors, Problem, Result},
    resource::{
        grants::{
            catalogue::{self, Permission},
            objects, service,
            store::{self, Holder},
        },
        roles,
        users::{self, Kind},
    },
};
use serde_json::json;
use std::collections::BTreeMap;
use uuid::Uuid;

/// What a request names.
#[derive(Debug)]
pub struct Wanted {
    pub permissions: Vec<String>,
    /// `app_label.model`
    pub model: Option<String>,
    pub object_pk: Option<String>,
}

/// Whether the request gives or takes; taking what is not held is no fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deed {
    Assign,
    Unassign,
}

/// Who gets or loses permissions.
#[derive(Debug, Clone, Copy)]
pub enum Target {
    User(i32),
    Role(Uuid),
}

/// Gives permissions; answers with their ids, or those of the grants when they are on one object.
///
/// # Errors
/// [`Error::NotFound`] for a target out of sight; [`Error::Forbidden`] for permissions the caller lacks;
/// [`Error::Invalid`] for unknown permissions and objects.
pub async fn assign(ctx: &Ctx, target: Target, wanted: Wanted) -> Result<Vec<i32>> {
    apply(ctx, target, wanted, Deed::Assign).await
}

/// Takes permissions away.
///
/// # Errors
/// As [`assign`], but nobody needs to hold what he takes away.
pub async fn unassign(ctx: &Ctx, target: Target, wanted: Wanted) -> Result<()> {
    apply(ctx, target, wanted, Deed::Unassign).await.map(drop)
}

async fn apply(ctx: &Ctx, target: Target, wanted: Wanted, deed: Deed) -> Result<Vec<i32>> {
    let mut tx = ctx.begin().await?;
    // Two that give the same at once would give it twice.
    tx.exclusive().await?;
    let (holder, about) = find(ctx, &tx, target, deed).await?;
    let (permissions, object) = read(&tx, wanted, deed).await?;
    if deed == Deed::Assign {
        let mut given = Grants::default();
        for permission in &permissions {
            given.add(permission.code(), object.clone());
        }
        if !ctx.principal.covers(&given) {
            return Err(Error::Forbidden);
        }
    }
    // Each once, however often it is named.
    let (mut ids, mut changed) = (BTreeMap::new(), Vec::new());
    for permission in &permissions {
        if ids.contains_key(&permission.id) {
            continue;
        }
        let code = permission.code();
        let (id, was) = match deed {
            Deed::Assign => store::ensure(tx.conn(), holder, &code, object.as_deref()).await?,
            Deed::Unassign => (0, !store::remove(tx.conn(), holder, &code, object.as_deref()).await?),
        };
        ids.insert(permission.id, if object.is_some() { id } else { permission.id });
        if !was {
            changed.push(code);
        }
    }
    let ids = permissions.iter().filter_map(|permission| ids.get(&permission.id).copied()).collect();
    if !changed.is_empty() {
        let verb = if deed == Deed::Assign { "assigned" } else { "unassigned" };
        let details = json!({"permissions": changed, "object_pk": object});
        audit::record(&tx, ctx, Event::updated(&about).with(verb, details));
        tx.touch();
    }
    tx.commit().await?;
    Ok(ids)
}

async fn find(ctx: &Ctx, tx: &Tx, target: Target, deed: Deed) -> Result<(Holder, Subject)> {
    match target {
        Target::Role(id) => {
            let role = roles::store::find(tx.conn(), &ctx.principal, id).await?;
            Ok((Holder::Role(id), service::role_subject(id, &role.name)))
        }
        Target::User(id) => {
            let user = users::store::find(tx.conn(), &ctx.principal, id).await?;
            if user.kind == Kind::InternalServiceAccount {
                let way = if deed == Deed::Assign { "assigned to" } else { "unassigned from" };
                return Err(Error::RefusedList(format!("Permissions cannot be {way} an internal service account.")));
            }
            Ok((Holder::User(id), users::service::subject(&user)))
        }
    }
}

async fn read(tx: &Tx, wanted: Wanted, deed: Deed) -> Result<(Vec<&'static Permission>, Option<String>)> {
    let (model, key) = match (wanted.model, wanted.object_pk) {
        (None, None) => return Ok((global(&wanted.permissions)?, None)),
        (Some(model), Some(key)) => (model, key),
        _ => return Err(Error::rule("non_field_errors", "The fields model, object_pk must be used together.")),
    };
    let model = catalogue::model_by_name(&model);
    let (mut found, mut errors) = (Vec::new(), FieldErrors::default());
    for (place, given) in wanted.permissions.iter().enumerate() {
        let bare = model.and_then(|m| catalogue::by_code(&format!("{}.{given}", m.app_label)));
        let permission = if given.contains('.') { catalogue::by_code(given) } else { bare };
        match (permission, model) {
            (Some(permission), Some(model)) if std::ptr::eq(permission.model, model) => found.push(permission),
            // Of another model, so nobody holds it on this object.
            (Some(_), _) if deed == Deed::Unassign => {}
            _ => errors.add("permissions", Problem::UnknownItem(place, given.clone())),
        }
    }
    errors.finish()?;
    match model {
        Some(model) => Ok((found, Some(objects::existing(tx.conn(), model, &key).await?))),
        // A model of the original that is not served has no objects.
        None => Err(Error::field("object_pk", Problem::UnknownKey(key))),
    }
}

fn global(permissions: &[String]) -> Result<Vec<&'static Permission>> {
    if permissions.iter().any(|p| !p.contains('.')) {
        let text = "When assigning global permissions, codename must be given as app_label.codename";
        return Err(Error::rule("permissions", text));
    }
    let (mut found, mut errors) = (Vec::new(), FieldErrors::default());
    for (place, given) in permissions.iter().enumerate() {
        match catalogue::by_code(given) {
            Some(permission) => found.push(permission),
            None => errors.add("permissions", Problem::UnknownItem(place, given.clone())),
        }
    }
    errors.finish()?;
    Ok(found)
}

/// Whether the caller may see a target; asked before a body is read.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn require(ctx: &Ctx, target: Target) -> Result<()> {
    match target {
        Target::User(id) => users::service::require(ctx, id).await,
        Target::Role(id) => roles::store::find(ctx.app.db.read(), &ctx.principal, id).await.map(drop),
    }
}
