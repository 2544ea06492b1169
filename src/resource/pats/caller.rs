//! Who calls, looked at again inside the transaction: between the gate and the writer's turn a token can be revoked,
//! and what somebody makes in that time would outlive it.

use super::{entity::Model, scopes, store};
use crate::{
    access::{Account, Bearer, Principal},
    ctx::Ctx,
    db::Tx,
    error::{Error, Result},
    resource::users,
};
use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, sea_query::LockType};
use std::sync::Arc;
use uuid::Uuid;

/// The account that a bearer token speaks for, as the database has it now.
///
/// # Errors
/// [`Error::InvalidCredentials`] when the personal access token or its owner is not there any more, or the owner is
/// not active; [`Error::CredentialsEnded`] when it has ended.
pub async fn account(db: &impl ConnectionTrait, bearer: &Bearer, now: DateTime<Utc>) -> Result<Account> {
    let (token, owner) = store::by_id(db, bearer.client).await?.ok_or(Error::InvalidCredentials)?;
    if !owner.can_authenticate() {
        return Err(Error::InvalidCredentials);
    }
    if token.is_expired(now) {
        return Err(Error::CredentialsEnded);
    }
    let end = token.expires.map_or(bearer.expires, |end| Ord::min(end, bearer.expires));
    let scopes = scopes::remaining(&bearer.scopes, &token.reach());
    let mut account = users::profile::account(db, owner, None, Some(end)).await?;
    account.bearer = Some(Arc::new(Bearer { client: bearer.client, scopes, expires: end }));
    Ok(account)
}

/// A transaction in which the caller, and the tokens it is about, stay as they are.
pub struct Turn {
    pub tx: Tx,
    /// The caller as he is now.
    pub principal: Arc<Principal>,
    /// Those of the wanted tokens that there are, by id.
    pub tokens: Vec<Model>,
}

impl Turn {
    /// Begins it. `owner` says how the caller's account is held: a deletion or a deactivation of it waits for this one,
    /// or this one finds it. Locks are taken in one order, the account and then tokens by id, as by whoever deletes an
    /// account.
    ///
    /// # Errors
    /// As [`account`], when the caller has lost what he showed at the gate.
    pub async fn begin(ctx: &Ctx, owner: LockType, wanted: &[Uuid]) -> Result<Self> {
        let tx = ctx.begin().await?;
        let Some(caller) = ctx.principal.account() else {
            let tokens = store::locked(tx.conn(), wanted).await?;
            return Ok(Self { tx, principal: Arc::clone(&ctx.principal), tokens });
        };
        let own = users::store::held(tx.conn(), caller.id, owner).await?;
        if !own.is_some_and(|own| own.can_authenticate()) {
            return Err(Error::InvalidCredentials);
        }
        let Some(bearer) = caller.bearer.as_deref() else {
            let tokens = store::locked(tx.conn(), wanted).await?;
            return Ok(Self { tx, principal: Arc::clone(&ctx.principal), tokens });
        };
        let mut all = wanted.to_vec();
        all.push(bearer.client);
        let mut tokens = store::locked(tx.conn(), &all).await?;
        tokens.retain(|token| wanted.contains(&token.id));
        let principal = Arc::new(Principal::Account(account(tx.conn(), bearer, ctx.now).await?));
        Ok(Self { tx, principal, tokens })
    }
}
