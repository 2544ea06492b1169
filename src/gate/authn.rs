//! Authentication: from the `Authorization` header to a principal (contract: authentik-core §1.1).
//!
//! A principal is remembered by the digest of its key, for the generation it was read in
//! ([`crate::db`]), so that a busy client costs no query; whether it has ended is checked every time.
//! Nothing is written, and an expired token is not deleted by being presented.

use super::text;
use crate::{
    access::{Account, Principal},
    app::App,
    error::{Error, Result},
    resource::{tokens, users},
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

fn has_not_ended(principal: &Principal, now: DateTime<Utc>) -> bool {
    principal.account().is_some_and(|account| account.expires.is_none_or(|end| now <= end))
}

async fn look_up(app: &App, digest: &Digest) -> Result<Account> {
    let db = app.db.read();
    let (token, user) = tokens::store::by_digest(db, digest).await?.ok_or(Error::InvalidCredentials)?;
    if token.intent != tokens::Intent::Api || !user.can_authenticate() {
        return Err(Error::InvalidCredentials);
    }
    users::profile::account(db, user, token.id, token.key_end(digest)).await
}
