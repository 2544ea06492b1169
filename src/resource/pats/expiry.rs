//! Tokens that have ended: each end is recorded once. The token stays, so that its owner sees what has ended and can
//! give it more time. `jobs::sweep` calls this.

use super::{entity::Model, service, store};
use crate::{
    audit::{self, Event},
    ctx::Ctx,
    db::Tx,
    error::Result,
    resource::users,
};

/// Most tokens in one transaction.
const PORTION: u64 = 200;

/// Records the ends that nobody has recorded yet, some of them; gives how many.
///
/// # Errors
/// When the database is away.
pub async fn sweep(ctx: &Ctx) -> Result<u64> {
    let tx = ctx.begin().await?;
    let ended = store::ended(tx.conn(), ctx.now, PORTION).await?;
    if ended.is_empty() {
        return Ok(0);
    }
    let ids: Vec<_> = ended.iter().map(|token| token.id).collect();
    store::mark_ended(tx.conn(), &ids).await?;
    for (token, owner) in store::by_ids(tx.conn(), &ids).await? {
        record(ctx, &tx, &token, &owner);
    }
    tx.commit().await?;
    Ok(u64::try_from(ended.len()).unwrap_or(u64::MAX))
}

/// Writes the event about a token's end.
pub fn record(ctx: &Ctx, tx: &Tx, token: &Model, owner: &users::Model) {
    let event = service::named(Event::updated(&token.subject()), "EXPIRED");
    let event = event.saying(format!("The personal access token {} has ended.", token.name));
    audit::record(tx, ctx, event.of_user(owner.id, &owner.username, &owner.email));
}
