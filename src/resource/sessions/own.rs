//! The sessions of who asks, as his own page lists them.

use super::{Model, service, store};
use crate::{ctx::Ctx, error::Result};
use uuid::Uuid;

/// The sessions of who has signed in in this one, this one first, then the last used; each with
/// whether it is this one.
///
/// # Errors
/// When the database is away.
pub async fn list_own(ctx: &Ctx) -> Result<Vec<(bool, Model)>> {
    let Some(session) = service::current(ctx).await? else { return Ok(Vec::new()) };
    let Some(user) = session.user_id else { return Ok(Vec::new()) };
    let mut all = store::lasting_of(ctx.app.db.read(), user, ctx.now).await?;
    all.sort_by_key(|other| std::cmp::Reverse((other.id == session.id, other.last_used)));
    Ok(all.into_iter().map(|other| (other.id == session.id, other)).collect())
}

/// Ends all of them but this one; tells how many those were.
///
/// # Errors
/// When the database is away.
pub async fn end_others(ctx: &Ctx) -> Result<usize> {
    let Some(session) = service::current(ctx).await? else { return Ok(0) };
    let Some(user) = session.user_id else { return Ok(0) };
    end(ctx, user, Some(session.id)).await
}

async fn end(ctx: &Ctx, user: i32, except: Option<Uuid>) -> Result<usize> {
    let mut tx = ctx.begin().await?;
    let ended = service::end_of_user(&mut tx, user, except).await?;
    if ended > 0 {
        service::record_end(ctx, &tx, user, ended).await?;
    }
    tx.commit().await?;
    Ok(ended)
}
