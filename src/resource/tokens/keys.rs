//! Keys of tokens: showing, setting and rotating them (contract: authentik-core §2.2, §2.4).

use super::{
    entity::{ActiveModel, Intent, Model},
    store,
};
use crate::{
    access::code,
    audit::{self, Action, Event},
    ctx::Ctx,
    db::Tx,
    error::{Error, Problem, Result},
    secret::{PlainSecret, key},
    time::Duration,
};
use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ActiveValue::Set, IntoActiveModel as _};
use uuid::Uuid;

/// Reveals the key of a token, and records that it was.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Forbidden`] without `view_token_key` on the token.
pub async fn view_key(ctx: &Ctx, identifier: &str) -> Result<PlainSecret> {
    let token = store::find(ctx.app.db.read(), &ctx.principal, identifier).await?;
    check_may_view(ctx, &token)?;
    let key = ctx.app.keyring.open(&token.key_sealed, token.id.as_bytes()).map_err(Error::internal)?;
    let tx = ctx.begin().await?;
    let event = Event::about(Action::SecretView, "authentik.core.api.tokens", "secret", &token.subject());
    audit::record(&tx, ctx, event);
    tx.commit().await?;
    Ok(key)
}

/// Whether the caller may set keys: nobody holds the permission but superusers.
///
/// # Errors
/// [`Error::NotFound`] for a token out of sight, [`Error::Forbidden`] otherwise.
pub async fn require_set_key(ctx: &Ctx, identifier: &str) -> Result<()> {
    let token = store::find(ctx.app.db.read(), &ctx.principal, identifier).await?;
    if ctx.principal.holds_on(code::SET_TOKEN_KEY, &token.id.to_string()) { Ok(()) } else { Err(Error::Forbidden) }
}

/// Replaces the key of a token; the old one is refused from the next request on.
///
/// # Errors
/// As [`require_set_key`]; [`Error::Invalid`] when another token has this key, or it is a damaged one
/// of ours.
pub async fn set_key(ctx: &Ctx, identifier: &str, new: PlainSecret) -> Result<()> {
    require_set_key(ctx, identifier).await?;
    check_key(&new)?;
    let mut tx = ctx.begin().await?;
    let token = store::find_for_update(tx.conn(), &ctx.principal, identifier).await?;
    check_not_former(ctx, &tx, Some(token.id), &new).await?;
    let subject = token.subject();
    store::update(tx.conn(), with_key(ctx, token, &new, None)).await?;
    audit::record(&tx, ctx, Event::updated(&subject));
    tx.touch();
    tx.commit().await
}

/// A key that somebody chose may be any text but a damaged key of ours.
///
/// # Errors
/// [`Error::Invalid`].
pub fn check_key(key: &PlainSecret) -> Result<()> {
    if key.reveal().contains('\0') {
        return Err(Error::rule("key", "Null characters are not allowed."));
    }
    match key::form(key.reveal()) {
        key::Form::Damaged => Err(Error::rule("key", "This looks like a generated key, but its checksum is wrong.")),
        key::Form::Generated | key::Form::Foreign => Ok(()),
    }
}

/// A former key that still works cannot become the key of another token.
///
/// # Errors
/// [`Error::Invalid`].
pub async fn check_not_former(ctx: &Ctx, tx: &Tx, own: Option<Uuid>, key: &PlainSecret) -> Result<()> {
    let digest = ctx.app.keyring.digest(key);
    store::forget_former(tx.conn(), &digest, ctx.now).await?;
    let other = store::by_former_digest(tx.conn(), &digest, ctx.now).await?;
    match other {
        Some(token) if Some(token.id) != own => Err(Error::field("key", Problem::Taken(None))),
        _ => Ok(()),
    }
}

fn check_may_view(ctx: &Ctx, token: &Model) -> Result<()> {
    let may = ctx.principal.holds_on(code::VIEW_TOKEN_KEY, &token.id.to_string());
    if may { Ok(()) } else { Err(Error::Forbidden) }
}

/// The row with another key; the one it has goes on working until `former_until`.
fn with_key(ctx: &Ctx, token: Model, key: &PlainSecret, former_until: Option<DateTime<Utc>>) -> ActiveModel {
    let former = former_until.map(|_| token.key_digest.clone());
    let sealed = ctx.app.keyring.seal(&*ctx.app.entropy, key, token.id.as_bytes());
    let mut row = token.into_active_model();
    row.key_digest = Set(ctx.app.keyring.digest(key));
    row.key_sealed = Set(sealed);
    row.previous_digest = Set(former);
    row.previous_until = Set(former_until);
    row
}

/// The result of a rotation.
#[derive(Debug)]
pub struct Rotated {
    pub key: PlainSecret,
    /// When the token ends; `None` when it never does.
    pub end: Option<DateTime<Utc>>,
    /// Until when the former key works; `None` when it has stopped.
    pub former_until: Option<DateTime<Utc>>,
}

/// Longest time that a former key may go on working.
const LONGEST_OVERLAP: TimeDelta = TimeDelta::days(7);

/// Whether the caller may rotate the key, which shows the new one; asked before a body is read.
///
/// # Errors
/// [`Error::NotFound`] for a token out of sight, [`Error::Forbidden`] without `view_token_key` on it.
pub async fn require_rotate(ctx: &Ctx, identifier: &str) -> Result<()> {
    check_may_view(ctx, &store::find(ctx.app.db.read(), &ctx.principal, identifier).await?)
}

/// Gives a token a new key. The former one goes on working for `overlap`, but not beyond its own end.
/// An API token gets the usual life from now, as it does at every edit.
///
/// # Errors
/// As [`require_rotate`]; [`Error::Invalid`] for an overlap that is negative or too long, and for an app
/// password that has ended.
pub async fn rotate(ctx: &Ctx, identifier: &str, overlap: Option<Duration>) -> Result<Rotated> {
    if overlap.is_some_and(|overlap| !(TimeDelta::zero()..=LONGEST_OVERLAP).contains(&overlap.delta())) {
        return Err(Error::rule("overlap", "The overlap must be between nothing and 7 days."));
    }
    let mut tx = ctx.begin().await?;
    let token = store::find_for_update(tx.conn(), &ctx.principal, identifier).await?;
    check_may_view(ctx, &token)?;
    if token.is_expired(ctx.now) && token.intent != Intent::Api {
        return Err(Error::rule("non_field_errors", "The token has ended."));
    }
    let former_until = overlap
        .filter(|overlap| overlap.delta() > TimeDelta::zero())
        .map(|overlap| overlap.after(ctx.now))
        .map(|until| token.end().map_or(until, |end| Ord::min(end, until)))
        .filter(|until| *until > ctx.now);
    let (token, key) = renew(ctx, &tx, token, former_until).await?;
    tx.touch();
    tx.commit().await?;
    Ok(Rotated { key, end: token.end(), former_until })
}

/// Writes a new key and the event; gives the row and the key.
///
/// # Errors
/// When the database is away.
pub async fn renew(
    ctx: &Ctx,
    tx: &Tx,
    token: Model,
    former_until: Option<DateTime<Utc>>,
) -> Result<(Model, PlainSecret)> {
    let key = ctx.secret(tx.settings().default_token_length);
    let api = token.intent == Intent::Api;
    let mut row = with_key(ctx, token, &key, former_until);
    if api {
        row.expires = Set(Some(tx.settings().default_token_duration.after(ctx.now)));
    }
    let token = store::update(tx.conn(), row).await?;
    let message = format!("Token {}'s secret was rotated.", token.identifier);
    let event = Event::about(Action::SecretRotate, "authentik.core.tasks", "token", &token.subject());
    audit::record(tx, ctx, event.saying(message));
    Ok((token, key))
}
