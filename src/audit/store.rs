//! Queries on the table of events.

use super::{
    chain::{self, Change},
    entity::{Column, Entity},
};
use crate::{ctx::Ctx, error::Result, resource::grants::store as grants};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, DatabaseBackend, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _,
    sea_query::{Expr, LockBehavior, LockType, SimpleExpr},
};
use uuid::Uuid;

/// Removes at most `most` events past their end; tells how many.
///
/// # Errors
/// When the database is away.
pub async fn prune(ctx: &Ctx, most: u64) -> Result<u64> {
    let tx = ctx.begin().await?;
    let ended: Vec<Uuid> = Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::Expires.lt(ctx.now))
        .order_by_asc(Column::Expires)
        .limit(most)
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
        .into_tuple()
        .all(tx.conn())
        .await?;
    remove(tx, ended).await
}

/// Removes events that are locked, with the grants on them.
async fn remove(mut tx: crate::db::Tx, ids: Vec<Uuid>) -> Result<u64> {
    let count = ids.len() as u64;
    if count > 0 {
        let objects: Vec<String> = ids.iter().map(ToString::to_string).collect();
        if grants::forget_objects(tx.conn(), "authentik_events", "event", &objects).await? > 0 {
            tx.touch();
        }
        tx.change_events(Change::Removed(ids));
        tx.commit().await?;
    }
    Ok(count)
}

/// A part of a JSON column as text.
#[must_use]
pub fn json_text(backend: DatabaseBackend, column: &str, path: &[&str]) -> SimpleExpr {
    match backend {
        DatabaseBackend::Postgres => Expr::cust(format!("events.{column} #>> '{{{}}}'", path.join(","))),
        _ => Expr::cust(format!("CAST(json_extract(events.{column}, '$.{}') AS text)", path.join("."))),
    }
}

/// Removes at most `most` events that an account caused; tells how many.
///
/// # Errors
/// When the database is away.
pub async fn erase(ctx: &Ctx, user: i32, most: u64) -> Result<u64> {
    let tx = ctx.begin().await?;
    let backend = tx.conn().get_database_backend();
    let its: Vec<Uuid> = Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(sea_orm::sea_query::ExprTrait::eq(json_text(backend, "\"user\"", &["pk"]), user.to_string()))
        .limit(most)
        .lock(LockType::Update)
        .into_tuple()
        .all(tx.conn())
        .await?;
    remove(tx, its).await
}

/// Drops links of the chain that nobody needs any more; tells whether there may be more.
///
/// # Errors
/// When the database is away.
pub async fn compact(ctx: &Ctx) -> Result<bool> {
    let tx = ctx.begin().await?;
    let more = chain::compact(tx.conn(), &ctx.app.keyring).await?;
    tx.commit().await?;
    Ok(more)
}
