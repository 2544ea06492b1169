//! Rules for personal access tokens (contract: sailpoint-pat §4 to §6).
//!
//! What ends a token, or takes scopes away from it, reaches the bearer tokens it was traded for at once: each such
//! change starts a new generation ([`crate::db`]).

use super::{
    caller::Turn,
    entity::{ActiveModel, Model, Scopes},
    expiry,
    fields::{self, MOST_TOKENS, Rule, USUAL_VALIDITY, VALIDITY},
    filter,
    patch::{Change, Patch, Reach},
    scopes::{self, Right},
    store::{self, PatView},
};
use crate::{
    access::Principal,
    audit::{self, Event},
    ctx::Ctx,
    db::Tx,
    error::{Error, FieldErrors, Problem, Result},
    list::Filter,
    resource::{groups, users},
    secret::{PlainSecret, keyring::hex},
};
use chrono::{DateTime, SubsecRound as _, Utc};
use sea_orm::{ActiveModelTrait as _, ActiveValue::Set, IntoActiveModel as _, sea_query::LockType};
use serde_json::{Value, json};
use uuid::Uuid;

/// A token to be made.
#[derive(Debug, Default)]
pub struct NewPat {
    pub name: String,
    /// Everything the owner may do, unless said otherwise.
    pub scope: Option<Vec<String>>,
    /// Life of the bearer tokens, in seconds.
    pub validity: Option<i32>,
    pub expires: Option<DateTime<Utc>>,
    /// That the token never ends is acknowledged.
    pub never_expires: bool,
}

/// Whose tokens are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    Everybodys,
    Mine,
    /// An identity's; `None` when there can be none of this name.
    Of(Option<Uuid>),
}

/// Most tokens in one bulk update.
const MOST_AT_ONCE: usize = 25;
/// Length of a secret, in bytes; twice as many hexadecimal digits.
const SECRET: usize = 32;

/// The key of a token as it is written in paths and as a `client_id`.
#[must_use]
pub fn id_of(text: &str) -> Option<Uuid> {
    let plain = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    if plain { Uuid::parse_str(text).ok() } else { None }
}

/// The event of the contract's name, as part of one of ours.
pub(super) fn named(event: Event, name: &str) -> Event {
    event.with("event", Value::from(format!("PERSONAL_ACCESS_TOKEN_{name}")))
}

/// Tokens, the oldest first.
///
/// # Errors
/// [`Error::Forbidden`] for other people's without the right to see everybody's; [`Error::Invalid`] for a condition
/// that cannot be answered.
pub async fn list(ctx: &Ctx, whose: Whose, condition: Option<&Filter>) -> Result<Vec<PatView>> {
    let own = ctx.principal.account().map(|account| account.uuid);
    let owner = match whose {
        Whose::Mine => Some(own),
        Whose::Of(Some(id)) if Some(id) == own => Some(own),
        Whose::Of(id) => Some(id),
        Whose::Everybodys => None,
    };
    let right =
        if owner.is_some_and(|owner| owner.is_some() && owner == own) { Right::ReadOwn } else { Right::ReadAll };
    if !scopes::may(&ctx.principal, right) {
        return Err(Error::Forbidden);
    }
    let condition =
        condition.map(filter::to_sql).transpose().map_err(|fault| Error::rule("filters", fault.to_string()))?;
    match owner {
        Some(None) => Ok(Vec::new()),
        owner => {
            // The server's own concern those who administer all.
            let managed = scopes::may(&ctx.principal, Right::DeleteAll);
            store::list(ctx.app.db.read(), owner.flatten(), managed, condition).await
        }
    }
}

/// Makes a token for the caller; gives it with its secret, which nobody can show again.
///
/// # Errors
/// [`Error::Invalid`] for values that a rule forbids, a taken name, and an eleventh token; [`Error::Forbidden`].
pub async fn create(ctx: &Ctx, rule: Rule, new: NewPat) -> Result<(PatView, PlainSecret)> {
    let account = ctx.principal.require_account()?;
    // What somebody makes while he acts as somebody else would last.
    if account.original.is_some() || !scopes::may(&ctx.principal, Right::ManageOwn) {
        return Err(Error::Forbidden);
    }
    create_for(ctx, account.id, rule, new).await
}

/// As [`create`], for whoever is named; whether the caller may is not asked.
///
/// # Errors
/// As [`create`].
pub async fn create_for(ctx: &Ctx, owner: i32, rule: Rule, new: NewPat) -> Result<(PatView, PlainSecret)> {
    let mut errors = FieldErrors::default();
    let name = fields::name(&new.name, &mut errors);
    let scope = fields::scopes(new.scope.unwrap_or_else(|| vec![scopes::ALL.to_owned()]), &mut errors);
    let validity = new.validity.unwrap_or(USUAL_VALIDITY);
    if !VALIDITY.contains(&validity) {
        let text = format!("A number from {} to {} is wanted.", VALIDITY.start(), VALIDITY.end());
        errors.add("accessTokenValiditySeconds", Problem::Rule(text));
    }
    let expires = fields::end(rule, new.expires, new.never_expires, ctx.now, &mut errors);
    errors.finish()?;
    let Turn { tx, principal, .. } = Turn::begin(ctx, LockType::NoKeyUpdate, &[]).await?;
    if !scopes::may(&principal, Right::ManageOwn) {
        return Err(Error::Forbidden);
    }
    // Locked, so that nobody counts the owner's tokens at the same time.
    let owner = users::store::locked(tx.conn(), owner).await?.ok_or(Error::InvalidCredentials)?;
    if store::is_named(tx.conn(), owner.id, &name, None).await? {
        return Err(Error::field(fields::NAME, Problem::Taken(None)));
    }
    if store::count_of(tx.conn(), owner.id).await? >= MOST_TOKENS {
        let text = format!("An owner has at most {MOST_TOKENS} tokens; delete one first.");
        return Err(Error::field("personalAccessTokens", Problem::Limit(text)));
    }
    let mut bytes = zeroize::Zeroizing::new([0; SECRET]);
    ctx.app.entropy.fill(&mut *bytes);
    let secret = PlainSecret::new(hex(&*bytes));
    let row = ActiveModel {
        id: Set(ctx.uuid()),
        owner_id: Set(owner.id),
        name: Set(name),
        scope: Set(scope),
        ceiling: Set(scopes::ceiling(&principal).map(Scopes)),
        secret_digest: Set(ctx.app.keyring.digest(&secret)),
        validity: Set(validity),
        created: Set(ctx.now.trunc_subsecs(3)),
        expires: Set(expires),
        never_expires: Set(rule == Rule::Explicit && new.never_expires),
        last_used: Set(None),
        managed: Set(false),
        end_recorded: Set(false),
    };
    let token = store::insert(tx.conn(), row).await?;
    let fields = json!({
        "name": token.name, "scope": token.scope.0, "owner": token.owner_id, "validity": token.validity,
        "expires": token.expires, "never_expires": token.never_expires,
    });
    audit::record(&tx, ctx, named(Event::created(&token.subject(), &fields), "CREATED"));
    tx.commit().await?;
    Ok((PatView::of(token, &owner), secret))
}

/// Applies a patch to a token of the caller's.
///
/// # Errors
/// [`Error::NotFound`], or [`Error::Forbidden`] for another's that the caller may see; [`Error::Invalid`].
pub async fn patch(ctx: &Ctx, rule: Rule, id: &str, patch: &Value) -> Result<PatView> {
    let patch = Patch::read(patch, Reach::Family(rule))?;
    let id = id_of(id).ok_or(Error::NotFound)?;
    let Turn { mut tx, principal, mut tokens } = Turn::begin(ctx, LockType::Share, &[id]).await?;
    let token = tokens.pop().ok_or(Error::NotFound)?;
    check_own(&principal, &token, None)?;
    let change = patch.apply(&token, ctx.now)?;
    let token = write(ctx, &mut tx, &principal, token, change).await?;
    let owner = users::store::by_id(tx.conn(), token.owner_id).await?.ok_or(Error::NotFound)?;
    tx.commit().await?;
    Ok(PatView::of(token, &owner))
}

/// Applies one patch about their ends to several tokens, whoever owns them, or to none of them.
///
/// # Errors
/// [`Error::Forbidden`]; [`Error::Invalid`] when one of them is unknown, named twice or refuses the patch.
pub async fn bulk_update(ctx: &Ctx, ids: &[String], patch: Vec<Value>) -> Result<Vec<PatView>> {
    if !scopes::may(&ctx.principal, Right::UpdateAll) {
        return Err(Error::Forbidden);
    }
    let fault = |text: &str| Error::rule("ids", text);
    if ids.is_empty() || ids.len() > MOST_AT_ONCE {
        let text = format!("From 1 to {MOST_AT_ONCE} tokens are wanted.");
        return Err(Error::field("ids", Problem::Limit(text)));
    }
    if patch.is_empty() {
        return Err(Error::field("patch", Problem::Missing("A patch has at least one step.".into())));
    }
    let patch = Patch::read(&Value::Array(patch), Reach::Ends)?;
    let wanted: Option<Vec<Uuid>> = ids.iter().map(|id| id_of(id)).collect();
    let wanted = wanted.ok_or_else(|| fault("One of them is no token."))?;
    let mut different = wanted.clone();
    different.sort_unstable();
    different.dedup();
    if different.len() != wanted.len() {
        return Err(fault("One of them is there twice."));
    }
    let Turn { mut tx, principal, tokens } = Turn::begin(ctx, LockType::Share, &wanted).await?;
    if !scopes::may(&principal, Right::UpdateAll) {
        return Err(Error::Forbidden);
    }
    if tokens.len() != wanted.len() {
        return Err(fault("One of them is no token."));
    }
    for token in tokens {
        check_level(&principal, &tx, &token).await?;
        let change = patch.apply(&token, ctx.now)?;
        write(ctx, &mut tx, &principal, token, change).await?;
    }
    let mut changed = store::by_ids(tx.conn(), &wanted).await?;
    tx.commit().await?;
    changed.sort_by_key(|(token, _)| wanted.iter().position(|id| *id == token.id));
    Ok(changed.into_iter().map(|(token, owner)| PatView::of(token, &owner)).collect())
}

/// Writes what a patch changes, and the event; nothing, when it changes nothing.
async fn write(ctx: &Ctx, tx: &mut Tx, caller: &Principal, token: Model, change: Change) -> Result<Model> {
    let Change { name, scope, expires, never_expires } = change;
    if let Some(name) = &name
        && *name != token.name
        && store::is_named(tx.conn(), token.owner_id, name, Some(token.id)).await?
    {
        return Err(Error::field(fields::NAME, Problem::Taken(None)));
    }
    let before = token.clone();
    let mut after = token;
    after.name = name.unwrap_or(after.name);
    if let Some(scope) = scope {
        after.scope = scope;
        after.ceiling = scopes::ceiling(caller).map(Scopes);
    }
    after.expires = expires.unwrap_or(after.expires);
    after.never_expires = never_expires.unwrap_or(after.never_expires);
    // Its next end is another one.
    after.end_recorded &= after.is_expired(ctx.now);
    if after == before {
        return Ok(before);
    }
    if before.is_expired(ctx.now) && !before.end_recorded && !after.is_expired(ctx.now) {
        // Nobody would find it any more.
        let owner = users::store::by_id(tx.conn(), before.owner_id).await?.ok_or(Error::NotFound)?;
        expiry::record(ctx, tx, &before, &owner);
    }
    let token = store::update(tx.conn(), after.into_active_model().reset_all()).await?;
    let mut diff = serde_json::Map::new();
    for (field, then, now) in [
        ("name", json!(before.name), json!(token.name)),
        ("scope", json!(before.scope.0), json!(token.scope.0)),
        ("expires", json!(before.expires), json!(token.expires)),
        ("never_expires", json!(before.never_expires), json!(token.never_expires)),
    ] {
        if then != now {
            diff.insert(field.to_owned(), json!({"previous_value": then, "new_value": now}));
        }
    }
    let event = Event::updated(&token.subject()).with("diff", Value::Object(diff));
    audit::record(tx, ctx, named(event, "UPDATED"));
    if before.reach() != token.reach() || before.expires != token.expires {
        tx.touch();
    }
    Ok(token)
}

/// Deletes a token.
///
/// # Errors
/// [`Error::NotFound`], or [`Error::Forbidden`] for another's that the caller may see and not delete.
pub async fn delete(ctx: &Ctx, id: &str) -> Result<()> {
    let id = id_of(id).ok_or(Error::NotFound)?;
    let Turn { mut tx, principal, mut tokens } = Turn::begin(ctx, LockType::Share, &[id]).await?;
    let token = tokens.pop().ok_or(Error::NotFound)?;
    check_own(&principal, &token, Some(Right::DeleteAll))?;
    check_level(&principal, &tx, &token).await?;
    store::delete(tx.conn(), id).await?;
    audit::record(&tx, ctx, named(Event::deleted(&token.subject()), "DELETED"));
    tx.touch();
    tx.commit().await
}

/// Whether the token is the caller's and he may manage his own, or he has `instead`.
fn check_own(caller: &Principal, token: &Model, instead: Option<Right>) -> Result<()> {
    let may = |right| scopes::may(caller, right);
    // The server's own are nobody's to manage but of those who manage all.
    let own = caller.account().is_some_and(|account| account.id == token.owner_id) && !token.managed;
    match (own && may(Right::ManageOwn)) || instead.is_some_and(may) {
        true => Ok(()),
        // Who may not see it does not learn that it is there.
        false if own || may(Right::ReadAll) => Err(Error::Forbidden),
        false => Err(Error::NotFound),
    }
}

/// Superusers' tokens are out of reach for whoever is none: giving one more time, he could become one.
async fn check_level(caller: &Principal, tx: &Tx, token: &Model) -> Result<()> {
    let own = caller.account().is_some_and(|account| account.id == token.owner_id);
    if own || caller.is_superuser() || !groups::hierarchy::is_superuser(tx.conn(), token.owner_id).await? {
        return Ok(());
    }
    Err(Error::Forbidden)
}

/// Deletes everything of an owner who goes.
///
/// # Errors
/// When the database is away.
pub async fn delete_of(ctx: &Ctx, tx: &Tx, owner: i32) -> Result<()> {
    // By id, as everybody locks them.
    let ids = store::ids_of(tx.conn(), owner).await?;
    for token in store::locked(tx.conn(), &ids).await? {
        store::delete(tx.conn(), token.id).await?;
        audit::record(tx, ctx, named(Event::deleted(&token.subject()), "DELETED"));
    }
    Ok(())
}

/// Whether there is such a token and the caller may see it; asked before a body is read.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`].
pub async fn require(ctx: &Ctx, id: &str) -> Result<()> {
    let id = id_of(id).ok_or(Error::NotFound)?;
    let (token, _) = store::by_id(ctx.app.db.read(), id).await?.ok_or(Error::NotFound)?;
    check_own(&ctx.principal, &token, None)
}
