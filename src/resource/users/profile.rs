//! What reaches an account from its groups: attributes, superuser status, permissions.

use super::{Model, store};
use crate::{
    access::{Account, Principal, code},
    ctx::Ctx,
    error::{Error, Result},
    resource::{grants::store as grants, groups},
};
use chrono::{DateTime, Utc};
use sea_orm::ConnectionTrait;
use serde_json::{Map, Value};
use uuid::Uuid;

/// Attributes of an account over those of its groups and everything above them, by name of the group
/// (contract §2.3).
///
/// # Errors
/// When the database is away.
pub async fn merged_attributes(db: &impl ConnectionTrait, user: &Model) -> Result<Map<String, Value>> {
    Ok(merged(&reaching(db, user.id).await?, user))
}

/// The groups of an account and their ancestors, by name.
async fn reaching(db: &impl ConnectionTrait, user: i32) -> Result<Vec<groups::Model>> {
    let mut groups = groups::hierarchy::with_ancestors(db, user).await?;
    // Here, because databases differ in how they order text.
    groups.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    Ok(groups)
}

fn merged(groups: &[groups::Model], user: &Model) -> Map<String, Value> {
    let mut all = Map::new();
    for attributes in groups.iter().map(|group| &group.attributes).chain([&user.attributes]) {
        merge(&mut all, attributes.clone());
    }
    all
}

/// Later values win; objects are merged key by key.
fn merge(into: &mut Map<String, Value>, from: Value) {
    let Value::Object(from) = from else { return };
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(Value::Object(old)), Value::Object(new)) => merge(old, Value::Object(new)),
            (_, value) => {
                into.insert(key, value);
            }
        }
    }
}

/// The caller's own account, with everything that reaches it.
#[derive(Debug)]
pub struct Myself {
    pub user: Model,
    pub superuser: bool,
    /// With the ancestors, by name.
    pub groups: Vec<(Uuid, String)>,
    /// The merged attribute `settings`.
    pub settings: Map<String, Value>,
    /// Codes of the label `authentik_rbac`, without it.
    pub system_permissions: Vec<String>,
}

/// # Errors
/// [`Error::NotAuthenticated`] without an account.
pub async fn myself(ctx: &Ctx) -> Result<Myself> {
    let account = ctx.principal.require_account()?;
    // Deleted a moment ago, by another process perhaps.
    let gone = if account.session.is_some() { Error::NotAuthenticated } else { Error::InvalidCredentials };
    let user = store::by_id(ctx.app.db.read(), account.id).await?.ok_or(gone)?;
    described(ctx.app.db.read(), user, &ctx.principal).await
}

/// Who really calls, while he acts as somebody else.
///
/// # Errors
/// When the database is away.
pub async fn original(ctx: &Ctx) -> Result<Option<Myself>> {
    let Some(original) = ctx.principal.account().and_then(|account| account.original.as_ref()) else { return Ok(None) };
    let db = ctx.app.db.read();
    let Some(user) = store::by_id(db, original.id).await? else { return Ok(None) };
    let principal = Principal::Account(account(db, user.clone(), None, None).await?);
    described(db, user, &principal).await.map(Some)
}

/// An account with everything that reaches it; `principal` is that account.
async fn described(db: &impl ConnectionTrait, user: Model, principal: &Principal) -> Result<Myself> {
    let account = principal.require_account()?;
    let groups = reaching(db, account.id).await?;
    let settings = match merged(&groups, &user).remove("settings") {
        Some(Value::Object(settings)) => settings,
        _ => Map::new(),
    };
    let held = |name: &&str| account.superuser || principal.holds(&format!("{}{name}", code::SYSTEM_LABEL));
    let system_permissions = code::SYSTEM.iter().filter(|name| held(name)).map(|name| (*name).to_owned()).collect();
    Ok(Myself {
        superuser: account.superuser,
        groups: groups.into_iter().map(|group| (group.id, group.name)).collect(),
        user,
        settings,
        system_permissions,
    })
}

/// An account as a principal, with everything it holds; `token` is the one whose key was shown.
///
/// # Errors
/// When the database is away.
pub async fn account(
    db: &impl ConnectionTrait,
    user: Model,
    token: Option<Uuid>,
    expires: Option<DateTime<Utc>>,
) -> Result<Account> {
    Ok(Account {
        superuser: groups::hierarchy::is_superuser(db, user.id).await?,
        grants: grants::of_user(db, user.id).await?,
        id: user.id,
        uuid: user.uuid,
        username: user.username,
        email: user.email,
        token,
        session: None,
        original: None,
        bearer: None,
        expires,
    })
}
