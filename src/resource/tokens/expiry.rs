//! What becomes of tokens that have ended: API tokens get a new key, all others go
//! (contract: authentik-core §2.4). `jobs::sweep` calls it, a portion at a time.

use super::{entity::Intent, keys, store};
use crate::{
    audit::{self, Event},
    ctx::Ctx,
    error::Result,
    resource::grants::store as grants,
};
use uuid::Uuid;

/// How many tokens a portion touched.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    pub rotated: u64,
    pub deleted: u64,
}

/// The tokens that have ended by now. A sweep handles these, each once: with a default duration below
/// nothing, what got a new key has ended again.
///
/// # Errors
/// When the database is away.
pub async fn ended(ctx: &Ctx) -> Result<Vec<Uuid>> {
    store::ended_ids(ctx.app.db.read(), ctx.now).await
}

/// Handles those of these tokens that have ended, in one transaction.
///
/// # Errors
/// When the database is away.
pub async fn sweep(ctx: &Ctx, some: &[Uuid]) -> Result<Swept> {
    let mut tx = ctx.begin().await?;
    let ended = store::ended(tx.conn(), ctx.now, some).await?;
    if ended.is_empty() {
        return Ok(Swept::default());
    }
    let mut swept = Swept::default();
    let mut gone = Vec::new();
    for token in ended {
        if token.intent == Intent::Api {
            keys::renew(ctx, &tx, token, None).await?;
            swept.rotated += 1;
        } else {
            audit::record(&tx, ctx, Event::deleted(&token.subject()));
            gone.push(token.id);
            swept.deleted += 1;
        }
    }
    store::delete_all(tx.conn(), &gone).await?;
    let objects: Vec<String> = gone.iter().map(ToString::to_string).collect();
    grants::forget_objects(tx.conn(), "authentik_core", "token", &objects).await?;
    // An ended key is refused by its date; but a clock may be put back.
    tx.touch();
    tx.commit().await?;
    Ok(swept)
}
