//! Authentication: from the `Authorization` header to a principal (contracts: authentik-core §1.1, sailpoint-pat §8).
//!
//! A principal is remembered by the digest of its key, for the generation it was read in
//! ([`crate::db`]), so that a busy client costs no query; whether it has ended is checked every time.
//! Nothing is written, and an expired token is not deleted by being presented.

use super::text;
use crate::{
    access::{Account, Bearer, Original, Principal},
    app::App,
    ctx::Credential,
    error::{Error, GrantFault, Result},
    protocol,
    resource::{sessions, tokens, users},
    secret::{Digest, PlainSecret, key},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use chrono::{DateTime, Utc};
use http::{HeaderMap, header};
use std::sync::Arc;

/// The key of a token in these headers, as the database knows it; `None` when there is none.
///
/// # Errors
/// [`Error::UnsupportedScheme`], [`Error::InvalidCredentials`].
pub fn key(app: &App, headers: &HeaderMap) -> Result<Option<Digest>> {
    if !headers.contains_key(header::AUTHORIZATION) {
        return Ok(None);
    }
    let value = text(headers, &header::AUTHORIZATION).ok_or(Error::InvalidCredentials)?;
    // A scheme with nothing after it counts as no credentials.
    let Some((scheme, key)) = value.trim().split_once(' ') else { return Ok(None) };
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Error::UnsupportedScheme);
    }
    if key::form(key) == key::Form::Damaged {
        return Err(Error::InvalidCredentials);
    }
    Ok(Some(app.keyring.digest(&PlainSecret::new(key.to_owned()))))
}

/// What is remembered of a credential of this kind, if it is still so.
///
/// The kind matters: a digest is that of a text, and the same text may be shown as something that it is not.
fn remembered(app: &App, digest: &Digest, is_kind: fn(&Account) -> bool) -> Option<Arc<Principal>> {
    let (then, principal) = app.principals.get(digest)?;
    (then == app.generation.current() && principal.account().is_some_and(is_kind)).then_some(principal)
}

fn remember(app: &App, digest: &Digest, generation: u64, account: Account) -> Arc<Principal> {
    let principal = Arc::new(Principal::Account(account));
    app.metrics.recognised(false);
    app.principals.insert(digest.clone(), (generation, Arc::clone(&principal)));
    principal
}

/// Who has this key.
///
/// # Errors
/// [`Error::InvalidCredentials`]; otherwise when the database is away.
pub async fn recognise(app: &App, digest: &Digest) -> Result<Arc<Principal>> {
    let now = app.clock.now();
    let generation = app.generation.current();
    if let Some(principal) = remembered(app, digest, |account| account.token.is_some())
        && has_not_ended(&principal, now)
    {
        app.metrics.recognised(true);
        return Ok(principal);
    }
    // Also when the remembered one has ended: its token may have been given more time since.
    let account = look_up(app, digest).await?;
    if account.expires.is_some_and(|end| now > end) {
        return Err(Error::InvalidCredentials);
    }
    Ok(remember(app, digest, generation, account))
}

/// Who has signed in in this session; nobody, when it has ended or is only a visit.
///
/// # Errors
/// When the database is away.
pub async fn recognise_session(app: &App, digest: &Digest) -> Result<Arc<Principal>> {
    let now = app.clock.now();
    let generation = app.generation.current();
    if let Some(principal) = remembered(app, digest, |account| account.session.is_some())
        && has_not_ended(&principal, now)
    {
        app.metrics.recognised(true);
        return Ok(principal);
    }
    let Some(account) = signed_in(app, digest, now).await? else { return Ok(Arc::new(Principal::Anonymous)) };
    Ok(remember(app, digest, generation, account))
}

async fn signed_in(app: &App, digest: &Digest, now: DateTime<Utc>) -> Result<Option<Account>> {
    let db = app.db.read();
    let Some(session) = sessions::store::by_digest(db, digest, now).await? else { return Ok(None) };
    let Some(own) = session.user_id else { return Ok(None) };
    let active = |user: Option<users::Model>| user.filter(users::Model::can_authenticate);
    let Some(own) = active(users::store::by_id(db, own).await?) else { return Ok(None) };
    let (user, original) = match session.impersonated_id {
        None => (own, None),
        Some(other) => match users::store::by_id(db, other).await? {
            Some(other) => (other, Some(Original { id: own.id, username: own.username, email: own.email })),
            None => (own, None),
        },
    };
    let mut account = users::profile::account(db, user, None, Some(session.expires)).await?;
    account.session = Some(session.id);
    account.original = original;
    Ok(Some(account))
}

/// Who has shown a bearer token in these headers.
///
/// # Errors
/// [`Error::NotAuthenticated`] without one; [`Error::InvalidCredentials`], [`Error::CredentialsEnded`].
pub async fn bearer(app: &App, headers: &HeaderMap) -> Result<(Arc<Principal>, Credential)> {
    let Some(value) = headers.get(header::AUTHORIZATION) else { return Err(Error::NotAuthenticated) };
    let value = value.to_str().map_err(|_| Error::InvalidCredentials)?.trim();
    let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Error::UnsupportedScheme);
    }
    let token = token.trim();
    if token.is_empty() {
        // A client whose trade has failed sends the scheme alone.
        return Err(Error::NotAuthenticated);
    }
    let digest = app.keyring.digest(&PlainSecret::new(token.to_owned()));
    let principal = match remembered_bearer(app, &digest)? {
        Some(principal) => principal,
        None => load_bearer(app, &digest, &protocol::bearer::read(app, token).await?).await?,
    };
    let shown = principal.account().and_then(|account| account.bearer.clone()).ok_or(Error::InvalidCredentials)?;
    Ok((principal, Credential::Bearer(digest, shown)))
}

/// As [`bearer`], for one that was found to be ours before.
///
/// # Errors
/// As [`bearer`].
pub async fn bearer_again(app: &App, digest: &Digest, bearer: &Bearer) -> Result<Arc<Principal>> {
    match remembered_bearer(app, digest)? {
        Some(principal) => Ok(principal),
        None => load_bearer(app, digest, bearer).await,
    }
}

fn remembered_bearer(app: &App, digest: &Digest) -> Result<Option<Arc<Principal>>> {
    let Some(principal) = remembered(app, digest, |account| account.bearer.is_some()) else { return Ok(None) };
    if !has_not_ended(&principal, app.clock.now()) {
        return Err(Error::CredentialsEnded);
    }
    app.metrics.recognised(true);
    Ok(Some(principal))
}

async fn load_bearer(app: &App, digest: &Digest, bearer: &Bearer) -> Result<Arc<Principal>> {
    let generation = app.generation.current();
    let account = protocol::bearer::account(app, bearer).await?;
    Ok(remember(app, digest, generation, account))
}

/// A client's id and secret, where the headers hold them (HTTP Basic; RFC 6749 §2.3.1).
///
/// # Errors
/// [`GrantFault::InvalidClient`] when they cannot be read.
pub fn client(headers: &HeaderMap) -> Result<Option<Credential>> {
    let Some(value) = text(headers, &header::AUTHORIZATION) else { return Ok(None) };
    let Some((scheme, coded)) = value.trim().split_once(' ') else { return Ok(None) };
    if !scheme.eq_ignore_ascii_case("basic") {
        // Some clients send their old bearer token along.
        return Ok(None);
    }
    let read = || {
        let clear = String::from_utf8(BASE64_STANDARD.decode(coded.trim()).ok()?).ok()?;
        let (id, secret) = clear.split_once(':')?;
        // Both are written as a form writes them.
        let plain = |part: &str| {
            let part = part.replace('+', " ");
            percent_encoding::percent_decode_str(&part).decode_utf8().ok().map(std::borrow::Cow::into_owned)
        };
        Some(Credential::Client(plain(id)?, PlainSecret::new(plain(secret)?)))
    };
    read().map(Some).ok_or(Error::Grant(GrantFault::InvalidClient { basic: true }))
}

fn has_not_ended(principal: &Principal, now: DateTime<Utc>) -> bool {
    // A bearer token is not taken at the moment of its end any more (RFC 7519 §4.1.4), a key still is.
    principal.account().is_some_and(|account| match &account.bearer {
        Some(bearer) => !bearer.has_ended(now),
        None => account.expires.is_none_or(|end| now <= end),
    })
}

async fn look_up(app: &App, digest: &Digest) -> Result<Account> {
    let db = app.db.read();
    let (token, user) = tokens::store::by_digest(db, digest).await?.ok_or(Error::InvalidCredentials)?;
    if token.intent != tokens::Intent::Api || !user.can_authenticate() {
        return Err(Error::InvalidCredentials);
    }
    users::profile::account(db, user, Some(token.id), token.key_end(digest)).await
}
