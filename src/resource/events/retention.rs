//! Events that go: at their end, and with the account they are of (contract: authentik-core §3.5, §7.1).
//! `jobs::sweep` calls it, a portion at a time.

use crate::{
    audit::{
        chain::Change,
        entity::{Column, Entity, Model},
        store::json_text,
    },
    ctx::Ctx,
    db::Tx,
    error::Result,
    resource::grants::store as grants,
};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
    sea_query::{Expr, ExprTrait as _, LockBehavior, LockType},
};
use uuid::Uuid;

/// Removes at most `most` events past their end; tells how many.
///
/// # Errors
/// When the database is away.
pub async fn prune(ctx: &Ctx, most: u64) -> Result<u64> {
    let tx = ctx.begin().await?;
    let ended = Entity::find()
        .filter(Column::Expires.lt(ctx.now))
        .order_by_asc(Column::Expires)
        .limit(most)
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
        .all(tx.conn())
        .await?;
    remove(tx, ended).await
}

async fn remove(mut tx: Tx, events: Vec<Model>) -> Result<u64> {
    let count = events.len() as u64;
    if count > 0 {
        let objects: Vec<String> = events.iter().map(|event| event.id.to_string()).collect();
        if grants::forget_objects(tx.conn(), "authentik_events", "event", &objects).await? {
            tx.touch();
        }
        tx.change_events(Change::Removed(events));
        tx.commit().await?;
    }
    Ok(count)
}

/// Events of an account among the next `window` links after `after`, and where that window ends; `None`
/// when there are no more. Looked for a window at a time, and without a transaction: the column has no index.
///
/// # Errors
/// When the database is away.
pub async fn of_user(
    db: &impl ConnectionTrait,
    user: i32,
    after: i64,
    window: i64,
) -> Result<Option<(Vec<Uuid>, i64)>> {
    let first: Option<Option<i64>> = Entity::find()
        .select_only()
        .column_as(Expr::col(Column::Sequence.as_column_ref()).min(), "first")
        .filter(Column::Sequence.gt(after))
        .into_tuple()
        .one(db)
        .await?;
    let Some(first) = first.flatten() else { return Ok(None) };
    let end = first.saturating_add(window);
    let its = Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::Sequence.between(first, end))
        .filter(json_text(db.get_database_backend(), "\"user\"", &["pk"]).eq(user.to_string()))
        .into_tuple()
        .all(db)
        .await?;
    Ok(Some((its, end)))
}

/// Removes these events, as far as they are still there; tells how many.
///
/// # Errors
/// When the database is away.
pub async fn erase(ctx: &Ctx, ids: &[Uuid]) -> Result<u64> {
    let tx = ctx.begin().await?;
    let its = Entity::find()
        .filter(Column::Id.is_in(ids.iter().copied()))
        .order_by_asc(Column::Id)
        .lock(LockType::Update)
        .all(tx.conn())
        .await?;
    remove(tx, its).await
}
