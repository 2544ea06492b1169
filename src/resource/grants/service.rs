//! Rules for grants, as far as the command line and other resources need them.

use super::{catalogue, store, store::Holder};
use crate::{
    audit::{self, Event, Subject},
    ctx::Ctx,
    db::Tx,
    error::{Error, Result},
};
use uuid::Uuid;

/// A primary key the way grants hold it: numbers without zeros in front, UUIDs in lower case with hyphens.
#[must_use]
pub fn canonical(key: &str) -> String {
    match (key.parse::<i64>(), key.parse::<Uuid>()) {
        (Ok(number), _) => number.to_string(),
        (_, Ok(id)) => id.to_string(),
        _ => key.to_owned(),
    }
}

/// Grants a permission; granting it twice changes nothing.
///
/// # Errors
/// [`Error::Refused`] when there is no such permission.
pub async fn grant(tx: &mut Tx, holder: Holder, permission: &str, object: Option<&str>) -> Result<bool> {
    let object = object.map(canonical);
    let object = object.as_deref();
    if catalogue::by_code(permission).is_none() {
        return Err(Error::Refused(format!("there is no permission `{permission}`")));
    }
    let new = store::add(tx.conn(), holder, permission, object).await?;
    if new {
        tx.touch();
    }
    Ok(new)
}

/// Takes a permission away; tells whether it was there.
///
/// # Errors
/// When the database is away.
pub async fn revoke(tx: &mut Tx, holder: Holder, permission: &str, object: Option<&str>) -> Result<bool> {
    let object = object.map(canonical);
    let object = object.as_deref();
    let was = store::remove(tx.conn(), holder, permission, object).await?;
    if was {
        tx.touch();
    }
    Ok(was)
}

/// A role as events name it.
#[must_use]
pub fn role_subject(id: Uuid, name: &str) -> Subject {
    Subject::new("authentik_rbac", "role", id.simple(), name)
}

/// The role of this name, made when it is missing.
///
/// # Errors
/// When the database is away.
pub async fn role_named(tx: &mut Tx, ctx: &Ctx, name: &str) -> Result<Uuid> {
    if let Some(role) = store::role_by_name(tx.conn(), name).await? {
        return Ok(role.id);
    }
    let role = store::insert_role(tx.conn(), ctx.uuid(), name).await?;
    audit::record(tx, ctx, Event::created(&role_subject(role.id, &role.name), &serde_json::json!({"name": role.name})));
    Ok(role.id)
}
