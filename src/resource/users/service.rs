//! Rules for accounts (contract: authentik-core §3).

use super::{
    entity::{ActiveModel, Kind, Model},
    erasure,
    store::{self, UserFilter},
    view::UserView,
};
use crate::{
    access::Principal,
    audit::{self, Action, Event, Subject},
    ctx::Ctx,
    db::Tx,
    error::{Error, FieldErrors, Problem, Result},
    list::{ListRequest, Page},
    resource::{
        bindings::{self, service::Of},
        events::statistics::{self, UserMetrics},
        grants::store as grants,
        groups::{self, escalation::Watch},
        pats, sessions, tokens,
    },
    secret::{
        PlainSecret,
        password::{self, PasswordHash},
    },
};
use chrono::{DateTime, Utc};
use sea_orm::{ActiveValue::Set, IntoActiveModel as _};
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// An account to be made.
#[derive(Debug, Default)]
pub struct NewUser {
    pub username: String,
    pub name: String,
    pub is_active: Option<bool>,
    pub last_login: Option<DateTime<Utc>>,
    pub groups: Vec<Uuid>,
    pub email: Option<String>,
    pub attributes: Option<Map<String, Value>>,
    pub path: Option<String>,
    pub kind: Option<Kind>,
}

/// A change; what is `None` stays as it is.
#[derive(Debug, Default)]
pub struct UserChange {
    pub username: Option<String>,
    pub name: Option<String>,
    pub is_active: Option<bool>,
    pub last_login: Option<Option<DateTime<Utc>>>,
    pub groups: Option<Vec<Uuid>>,
    pub email: Option<String>,
    pub attributes: Option<Map<String, Value>>,
    pub path: Option<String>,
    pub kind: Option<Kind>,
}

/// The account as events name it.
#[must_use]
pub fn subject(user: &Model) -> Subject {
    Subject::new("authentik_core", "user", user.id, &user.username)
}

/// # Errors
/// [`Error::InvalidPage`]; an unknown group in a filter.
pub async fn list(ctx: &Ctx, request: &ListRequest, filter: UserFilter) -> Result<Page<UserView>> {
    let db = ctx.app.db.read();
    let mut errors = FieldErrors::default();
    let known = groups::store::by_names(db, &filter.groups_by_name).await?;
    for name in &filter.groups_by_name {
        if !known.iter().any(|g| g.name == *name) {
            errors.add("groups_by_name", Problem::UnknownChoice(name.clone()));
            break;
        }
    }
    let known = groups::store::existing(db, &filter.groups_by_pk).await?;
    if let Some(id) = filter.groups_by_pk.iter().find(|id| !known.contains(id)) {
        errors.add("groups_by_pk", Problem::UnknownChoice(id.to_string()));
    }
    errors.finish()?;
    store::list(db, &ctx.principal, request, filter).await
}

/// # Errors
/// [`Error::NotFound`].
pub async fn view(ctx: &Ctx, id: i32) -> Result<UserView> {
    store::view(ctx.app.db.read(), &ctx.principal, id).await
}

/// Whether the caller may see the account; asked before a body is read.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn require(ctx: &Ctx, id: i32) -> Result<()> {
    store::find(ctx.app.db.read(), &ctx.principal, id).await.map(drop)
}

/// # Errors
/// When the database is away.
pub async fn paths(ctx: &Ctx, request: &ListRequest) -> Result<Vec<String>> {
    store::paths(ctx.app.db.read(), &ctx.principal, request).await
}

fn check_path(path: &str, errors: &mut FieldErrors) {
    if path.starts_with('/') || path.ends_with('/') {
        errors.add("path", Problem::Rule("No leading or trailing slashes allowed.".into()));
    } else if path.split('/').any(str::is_empty) {
        errors.add("path", Problem::Rule("No empty segments in user path allowed.".into()));
    }
}

async fn check_groups(tx: &Tx, wanted: &[Uuid], errors: &mut FieldErrors) -> Result<()> {
    let known = groups::store::existing(tx.conn(), wanted).await?;
    if let Some(id) = wanted.iter().find(|id| !known.contains(id)) {
        errors.add("groups", Problem::UnknownKey(id.to_string()));
    }
    Ok(())
}

pub(super) async fn check_username(tx: &Tx, username: &str, own: Option<i32>, errors: &mut FieldErrors) -> Result<()> {
    let other = store::by_username(tx.conn(), username).await?;
    if other.is_some_and(|user| Some(user.id) != own) {
        errors.add("username", Problem::Taken(None));
    }
    Ok(())
}

/// Makes an account that has no password yet.
///
/// # Errors
/// [`Error::Invalid`]; [`Error::Forbidden`] when its groups would give it more than the caller holds.
pub async fn create(ctx: &Ctx, new: NewUser) -> Result<UserView> {
    let mut tx = Watch::begin(ctx).await?;
    let user = insert(ctx, &mut tx, new).await?;
    let made = store::view(tx.conn(), &Principal::System, user.id).await?;
    tx.commit().await?;
    Ok(made)
}

/// As [`create`], inside the caller's transaction.
///
/// # Errors
/// As [`create`].
pub async fn insert(ctx: &Ctx, tx: &mut Tx, new: NewUser) -> Result<Model> {
    let mut errors = FieldErrors::default();
    let path = new.path.unwrap_or_else(|| "users".to_owned());
    check_path(&path, &mut errors);
    let kind = new.kind.unwrap_or(Kind::Internal);
    if kind == Kind::InternalServiceAccount && !matches!(*ctx.principal, Principal::System) {
        errors.add("type", Problem::Rule(NOT_INTERNAL.into()));
    }
    check_username(tx, &new.username, None, &mut errors).await?;
    check_groups(tx, &new.groups, &mut errors).await?;
    errors.finish()?;
    let watch = Watch::before(ctx, tx, &[]).await?;
    let (uuid, is_active) = (ctx.uuid(), new.is_active.unwrap_or(true));
    let email = new.email.unwrap_or_default();
    let user = store::insert(
        tx.conn(),
        ActiveModel {
            uuid: Set(uuid),
            search: Set(Model::searchable(&new.username, &new.name, is_active, &email, uuid)),
            username_folded: Set(new.username.to_lowercase()),
            username: Set(new.username),
            name: Set(new.name),
            email: Set(email),
            is_active: Set(is_active),
            last_login: Set(new.last_login),
            path: Set(path),
            kind: Set(kind),
            attributes: Set(Value::Object(new.attributes.unwrap_or_default())),
            password: Set(PasswordHash::unusable(&*ctx.app.entropy)),
            password_change_date: Set(ctx.now),
            date_joined: Set(ctx.now),
            ..Default::default()
        },
    )
    .await?;
    let wanted = distinct(new.groups);
    store::set_groups(tx.conn(), user.id, &wanted).await?;
    watch.after(ctx, tx, &[user.id]).await?;
    let fields = json!({
        "username": user.username, "name": user.name, "email": user.email, "is_active": user.is_active,
        "path": user.path, "attributes": user.attributes,
    });
    audit::record(tx, ctx, Event::created(&subject(&user), &fields));
    Ok(user)
}

const NOT_INTERNAL: &str = "Setting a user to internal service account is not allowed.";

fn distinct(mut ids: Vec<Uuid>) -> Vec<Uuid> {
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// Changes an account.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Invalid`]; [`Error::Forbidden`] for a superuser's account unless the
/// caller is one, and when the account would get more than the caller holds.
pub async fn update(ctx: &Ctx, id: i32, change: UserChange) -> Result<UserView> {
    let mut tx = Watch::begin(ctx).await?;
    let old = store::find_for_update(tx.conn(), &ctx.principal, id).await?;
    protect_superusers(ctx, &tx, id).await?;
    if old.kind == Kind::InternalServiceAccount {
        return Err(Error::rule("non_field_errors", "Can't modify internal service account users"));
    }
    let mut errors = FieldErrors::default();
    if let Some(path) = &change.path {
        check_path(path, &mut errors);
    }
    if change.kind == Some(Kind::InternalServiceAccount) {
        errors.add("type", Problem::Rule(NOT_INTERNAL.into()));
    }
    if let Some(username) = &change.username {
        check_username(&tx, username, Some(id), &mut errors).await?;
    }
    if let Some(groups) = &change.groups {
        check_groups(&tx, groups, &mut errors).await?;
    }
    errors.finish()?;
    let watch = Watch::before(ctx, &tx, &[id]).await?;
    let uuid = old.uuid;
    let username = change.username.unwrap_or_else(|| old.username.clone());
    let name = change.name.unwrap_or_else(|| old.name.clone());
    let email = change.email.unwrap_or_else(|| old.email.clone());
    let is_active = change.is_active.unwrap_or(old.is_active);
    let mut row = old.into_active_model();
    row.search = Set(Model::searchable(&username, &name, is_active, &email, uuid));
    row.username_folded = Set(username.to_lowercase());
    row.username = Set(username);
    row.name = Set(name);
    row.email = Set(email);
    row.is_active = Set(is_active);
    if let Some(last_login) = change.last_login {
        row.last_login = Set(last_login);
    }
    if let Some(attributes) = change.attributes {
        row.attributes = Set(Value::Object(attributes));
    }
    if let Some(path) = change.path {
        row.path = Set(path);
    }
    if let Some(kind) = change.kind {
        row.kind = Set(kind);
    }
    let user = store::update(tx.conn(), row).await?;
    if let Some(wanted) = change.groups {
        store::set_groups(tx.conn(), id, &distinct(wanted)).await?;
    }
    watch.after(ctx, &tx, &[id]).await?;
    if !user.is_active {
        sessions::service::end_of_user(&mut tx, id, None).await?;
    }
    audit::record(&tx, ctx, Event::updated(&subject(&user)));
    let changed = store::view(tx.conn(), &ctx.principal, id).await?;
    tx.touch();
    tx.commit().await?;
    Ok(changed)
}

/// Accounts of superusers are changed by superusers only (authentik-rbac §8, 3).
async fn protect_superusers(ctx: &Ctx, tx: &Tx, id: i32) -> Result<()> {
    if ctx.principal.is_superuser() || !groups::hierarchy::superusers(tx.conn()).await?.contains(&id) {
        return Ok(());
    }
    Err(Error::Forbidden)
}

/// Removes an account and what belongs to it: tokens, memberships, grants.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn delete(ctx: &Ctx, id: i32) -> Result<()> {
    let mut tx = Watch::begin(ctx).await?;
    let user = store::find_for_update(tx.conn(), &ctx.principal, id).await?;
    protect_superusers(ctx, &tx, id).await?;
    // Its tokens go with it, and so must what others hold on them. Locked first, as everybody does who ends
    // a token.
    let its: Vec<String> = tokens::store::ids_of(tx.conn(), id).await?.iter().map(ToString::to_string).collect();
    grants::forget_objects(tx.conn(), "authentik_core", "token", &its).await?;
    pats::service::delete_of(ctx, &tx, id).await?;
    let watch = Watch::before(ctx, &tx, &[]).await?;
    bindings::service::forget(ctx, &mut tx, Of::User(id)).await?;
    sessions::service::end_of_user(&mut tx, id, None).await?;
    store::delete(tx.conn(), id).await?;
    watch.after(ctx, &tx, &[]).await?;
    grants::forget_object(tx.conn(), "authentik_core", "user", &id.to_string()).await?;
    // Somebody who deletes himself is forgotten too; that the account went is not.
    let own = ctx.principal.account().is_some_and(|caller| caller.id == id);
    let gone = Event::deleted(&subject(&user));
    audit::record(&tx, ctx, if own { gone.of_nobody() } else { gone });
    let forget = erasure::ask(&tx, id).await?;
    tx.touch();
    tx.commit().await?;
    if forget {
        ctx.app.sweep.notify_one();
    }
    Ok(())
}

/// Sets a password; `None` makes it unusable.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Forbidden`] for a superuser's account unless the caller is one.
pub async fn set_password(ctx: &Ctx, id: i32, password: Option<PlainSecret>) -> Result<()> {
    if password.as_ref().is_some_and(|p| p.reveal().is_empty()) {
        return Err(Error::rule("password", "This field may not be blank."));
    }
    if password.as_ref().is_some_and(|p| p.reveal().chars().count() > password::MAX_LENGTH) {
        let text = format!("Ensure this field has no more than {} characters.", password::MAX_LENGTH);
        return Err(Error::rule("password", text));
    }
    // Hashing takes long: before the transaction, and off the threads that serve requests.
    let hash = hash_password(ctx, password).await?;
    let mut tx = ctx.begin().await?;
    let user = store::find_for_update(tx.conn(), &ctx.principal, id).await?;
    protect_superusers(ctx, &tx, id).await?;
    let usable = hash.is_usable();
    let mut row = user.into_active_model();
    row.password = Set(hash);
    if usable {
        row.password_change_date = Set(ctx.now);
    }
    let user = store::update(tx.conn(), row).await?;
    let about = subject(&user);
    audit::record(&tx, ctx, Event::updated(&about));
    if usable {
        let event = Event::about(Action::PasswordSet, "authentik.core.signals", "model", &about);
        audit::record(&tx, ctx, event.of_user(user.id, &user.username, &user.email));
    }
    // Whoever changes his own password goes on here, and nowhere else.
    let here = ctx.principal.account().filter(|account| account.id == id).and_then(|account| account.session);
    sessions::service::end_of_user(&mut tx, id, here).await?;
    tx.touch();
    tx.commit().await
}

/// Hashes a password off the threads that serve requests; `None` becomes an unusable one.
///
/// # Errors
/// When memory is out.
pub async fn hash_password(ctx: &Ctx, password: Option<PlainSecret>) -> Result<PasswordHash> {
    let entropy = std::sync::Arc::clone(&ctx.app.entropy);
    let Some(password) = password else { return Ok(PasswordHash::unusable(&*entropy)) };
    ctx.app.hashing.run(move || PasswordHash::new(&*entropy, &password)).await?.map_err(Error::internal)
}

/// How the account was used.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn metrics(ctx: &Ctx, id: i32) -> Result<UserMetrics> {
    let user = store::find(ctx.app.db.read(), &ctx.principal, id).await?;
    statistics::of_user(ctx, user.id, &user.username).await
}
