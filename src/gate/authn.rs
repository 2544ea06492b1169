//! Authentication: from the `Authorization` header to a principal (contract: authentik-core §1.1).
//!
//! A principal is remembered by the digest of its key, for the generation it was read in
//! ([`crate::db`]), so that a busy client costs no query; whether it has ended is checked every time.
//! Nothing is written, and an expired token is not deleted by being presented.

use super::text;
use crate::{
    access::{Account, Original, Principal},
    app::App,
    error::{Error, Result},
    resource::{sessions, tokens, users},
    secret::{Digest, PlainSecret, key},
};
use chrono::{DateTime, Utc};
use http::{HeaderMap, header};
use std::sync::Arc;

/// The credential in these headers, as the database knows it; `None` when there is none.
///
/// # Errors
/// [`Error::UnsupportedScheme`], [`Error::InvalidCredentials`].
pub fn credential(app: &App, headers: &HeaderMap) -> Result<Option<Digest>> {
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

/// Who has this credential.
///
/// # Errors
/// [`Error::InvalidCredentials`]; otherwise when the database is away.
pub async fn recognise(app: &App, digest: &Digest) -> Result<Arc<Principal>> {
    let now = app.clock.now();
    let generation = app.generation.current();
    if let Some((then, principal)) = app.principals.get(digest)
        && then == generation
        && has_not_ended(&principal, now)
    {
        app.metrics.recognised(true);
        return Ok(principal);
    }
    // Also when the remembered one has ended: its token may have been given more time since.
    let principal = Arc::new(Principal::Account(look_up(app, digest).await?));
    if !has_not_ended(&principal, now) {
        return Err(Error::InvalidCredentials);
    }
    app.metrics.recognised(false);
    app.principals.insert(digest.clone(), (generation, Arc::clone(&principal)));
    Ok(principal)
}

/// Who has signed in in this session; nobody, when it has ended or is only a visit.
///
/// # Errors
/// When the database is away.
pub async fn recognise_session(app: &App, digest: &Digest) -> Result<Arc<Principal>> {
    let now = app.clock.now();
    let generation = app.generation.current();
    if let Some((then, principal)) = app.principals.get(digest)
        && then == generation
        && has_not_ended(&principal, now)
    {
        app.metrics.recognised(true);
        return Ok(principal);
    }
    let Some(account) = signed_in(app, digest, now).await? else { return Ok(Arc::new(Principal::Anonymous)) };
    let principal = Arc::new(Principal::Account(account));
    app.metrics.recognised(false);
    app.principals.insert(digest.clone(), (generation, Arc::clone(&principal)));
    Ok(principal)
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

fn has_not_ended(principal: &Principal, now: DateTime<Utc>) -> bool {
    principal.account().is_some_and(|account| account.expires.is_none_or(|end| now <= end))
}

async fn look_up(app: &App, digest: &Digest) -> Result<Account> {
    let db = app.db.read();
    let (token, user) = tokens::store::by_digest(db, digest).await?.ok_or(Error::InvalidCredentials)?;
    if token.intent != tokens::Intent::Api || !user.can_authenticate() {
        return Err(Error::InvalidCredentials);
    }
    users::profile::account(db, user, Some(token.id), token.key_end(digest)).await
}
