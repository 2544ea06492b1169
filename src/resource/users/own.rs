//! What somebody does to his own account on his way through a flow ([`crate::flow`]): shows its password, chooses
//! another one, answers questions about himself. The flow has made sure that it is his.

use super::{
    entity::Model,
    service::{check_username, hash_password, subject},
    store,
};
use crate::{
    audit::{self, Action, Event},
    ctx::Ctx,
    db::Tx,
    error::{Error, FieldErrors, Result},
    resource::{groups, sessions},
    secret::{
        PlainSecret,
        password::{self, PasswordHash},
    },
};
use sea_orm::{ActiveValue::Set, IntoActiveModel as _};
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// What an answer may change, apart from attributes.
#[derive(Debug, Default)]
pub struct Written {
    pub username: Option<String>,
    pub name: Option<String>,
    pub email: Option<String>,
    pub is_active: Option<bool>,
    pub attributes: Map<String, Value>,
    pub password: Option<PlainSecret>,
}

/// The account that a recovery link would be for.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Forbidden`] for a superuser's account unless the caller is one.
pub async fn recoverable(ctx: &Ctx, id: i32) -> Result<Model> {
    let db = ctx.app.db.read();
    let user = store::find(db, &ctx.principal, id).await?;
    if !ctx.principal.is_superuser() && groups::hierarchy::superusers(db).await?.contains(&id) {
        return Err(Error::Forbidden);
    }
    Ok(user)
}

/// Gives an account the password that its owner has chosen, and ends its sessions but one. `None` when the
/// account is gone, or its password is another than that of `seen` by now.
///
/// # Errors
/// When the database is away.
pub async fn change_password(
    ctx: &Ctx,
    tx: &mut Tx,
    seen: &Model,
    hash: PasswordHash,
    except: Option<Uuid>,
) -> Result<Option<Model>> {
    let same = |user: &Model| user.password == seen.password;
    let Some(user) = store::locked(tx.conn(), seen.id).await?.filter(same) else { return Ok(None) };
    let mut row = user.into_active_model();
    row.password = Set(hash);
    row.password_change_date = Set(ctx.now);
    let user = store::update(tx.conn(), row).await?;
    let about = subject(&user);
    audit::record(tx, ctx, Event::updated(&about));
    let event = Event::about(Action::PasswordSet, "authentik.core.signals", "model", &about);
    audit::record(tx, ctx, event.of_user(user.id, &user.username, &user.email));
    sessions::service::end_of_user(tx, user.id, except).await?;
    tx.touch();
    Ok(Some(user))
}

/// Stores a password anew that was stored the old way. It is the same password, so nothing else changes.
///
/// # Errors
/// When the database is away.
pub async fn upgrade_password(ctx: &Ctx, seen: &Model, password: PlainSecret) -> Result<()> {
    let hash = hash_password(ctx, Some(password)).await?;
    let mut tx = ctx.begin().await?;
    let same = |user: &Model| user.password == seen.password;
    if let Some(user) = store::locked(tx.conn(), seen.id).await?.filter(same) {
        store::set_password(tx.conn(), user, hash).await?;
        tx.touch();
    }
    tx.commit().await
}

/// Writes what somebody has answered about his own account.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Invalid`] for a username that somebody else has.
pub async fn write_own(ctx: &Ctx, tx: &mut Tx, id: i32, written: &Written) -> Result<Model> {
    let old = store::locked(tx.conn(), id).await?.ok_or(Error::NotFound)?;
    let mut errors = FieldErrors::default();
    if let Some(username) = &written.username {
        check_username(tx, username, Some(id), &mut errors).await?;
    }
    errors.finish()?;
    let username = written.username.clone().filter(|name| !name.is_empty()).unwrap_or_else(|| old.username.clone());
    let name = written.name.clone().unwrap_or_else(|| old.name.clone());
    let email = written.email.clone().unwrap_or_else(|| old.email.clone());
    let is_active = written.is_active.unwrap_or(old.is_active);
    let attributes = match &old.attributes {
        Value::Object(attributes) => attributes.clone(),
        _ => Map::new(),
    };
    let uuid = old.uuid;
    let mut row = old.into_active_model();
    row.search = Set(Model::searchable(&username, &name, is_active, &email, uuid));
    row.username_folded = Set(username.to_lowercase());
    row.username = Set(username);
    row.name = Set(name);
    row.email = Set(email);
    row.is_active = Set(is_active);
    row.attributes = Set(Value::Object(nested(attributes, &written.attributes)));
    let user = store::update(tx.conn(), row).await?;
    audit::record(tx, ctx, Event::updated(&subject(&user)));
    if !user.is_active {
        sessions::service::end_of_user(tx, user.id, None).await?;
    }
    tx.touch();
    Ok(user)
}

/// Judges a password off the threads that serve requests. Without an account, or with one that has no password, it
/// takes as long and is wrong.
///
/// # Errors
/// When the server stops.
pub async fn verify_password(ctx: &Ctx, user: Option<&Model>, password: PlainSecret) -> Result<password::Verdict> {
    let hash = user.map(|user| user.password.clone()).filter(PasswordHash::is_usable);
    let known = hash.is_some();
    let hash = hash.unwrap_or_else(PasswordHash::of_nobody);
    if password.reveal().chars().count() > password::MAX_LENGTH {
        return Ok(password::Verdict::Wrong);
    }
    let verdict = ctx.app.hashing.run(move || hash.verify(&password)).await?;
    Ok(if known { verdict } else { password::Verdict::Wrong })
}

/// Attributes with values at paths such as `settings.locale`.
#[must_use]
pub fn nested(mut attributes: Map<String, Value>, paths: &Map<String, Value>) -> Map<String, Value> {
    for (path, value) in paths {
        let mut at = &mut attributes;
        let mut names: Vec<&str> = path.split('.').collect();
        let Some(last) = names.pop() else { continue };
        for name in names {
            let inner = at.entry(name.to_owned()).or_insert_with(|| json!({}));
            if !inner.is_object() {
                *inner = json!({});
            }
            let Value::Object(next) = inner else { return attributes };
            at = next;
        }
        at.insert(last.to_owned(), value.clone());
    }
    attributes
}
