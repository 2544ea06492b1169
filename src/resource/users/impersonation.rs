//! Acting as somebody else, in the session of whoever does it (contract: authentik-core §3.3).

use super::store;
use crate::{
    access::Account,
    audit::{self, Action, Event},
    ctx::Ctx,
    error::{Error, Result},
    resource::{groups, sessions},
};

/// The part of the original that starts and ends it; the value of `app` in its events.
const VIEWS: &str = "authentik.core.api.users";

/// Acts as another account from now on. Who calls by a token has no session that could change, and who acts as
/// somebody already must stop first; both are refused as the setting is.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::ImpersonationRefused`]; [`Error::Forbidden`] for a superuser's account unless the
/// caller is one.
pub async fn begin(ctx: &Ctx, id: i32) -> Result<()> {
    let user = store::find(ctx.app.db.read(), &ctx.principal, id).await?;
    let mut tx = ctx.begin().await?;
    let own = ctx.principal.require_account()?;
    let Account { session: Some(session), original: None, .. } = own else { return Err(Error::ImpersonationRefused) };
    if !tx.settings().impersonation || id == own.id {
        return Err(Error::ImpersonationRefused);
    }
    if !own.superuser && groups::hierarchy::superusers(tx.conn()).await?.contains(&id) {
        return Err(Error::Forbidden);
    }
    // Another request on the session may have begun it, too.
    let row = sessions::store::locked(tx.conn(), *session).await?.ok_or(Error::NotAuthenticated)?;
    if row.impersonated_id.is_some() {
        return Err(Error::ImpersonationRefused);
    }
    sessions::store::set_impersonated(tx.conn(), *session, Some(id)).await?;
    let event = Event::plain(Action::ImpersonationStarted, VIEWS);
    audit::record(&tx, ctx, event.on_behalf_of(own, (user.id, &user.username, &user.email)));
    tx.touch();
    tx.commit().await?;
    sessions::service::forget(ctx);
    Ok(())
}

/// Is oneself again; nothing happens to whoever is.
///
/// # Errors
/// When the database is away.
pub async fn end(ctx: &Ctx) -> Result<()> {
    let own = ctx.principal.require_account()?;
    let Account { session: Some(session), original: Some(_), .. } = own else { return Ok(()) };
    let mut tx = ctx.begin().await?;
    sessions::store::set_impersonated(tx.conn(), *session, None).await?;
    // The caller is still the one with the other beside him.
    audit::record(&tx, ctx, Event::plain(Action::ImpersonationEnded, VIEWS));
    tx.touch();
    tx.commit().await?;
    sessions::service::forget(ctx);
    Ok(())
}
