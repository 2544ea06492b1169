//! What others need to know of the table of events and its chain.

use super::chain;
use crate::{ctx::Ctx, error::Result};
use sea_orm::{
    DatabaseBackend,
    sea_query::{Expr, SimpleExpr},
};

/// A part of a JSON column as text.
#[must_use]
pub fn json_text(backend: DatabaseBackend, column: &str, path: &[&str]) -> SimpleExpr {
    match backend {
        DatabaseBackend::Postgres => Expr::cust(format!("events.{column} #>> '{{{}}}'", path.join(","))),
        _ => Expr::cust(format!("CAST(json_extract(events.{column}, '$.{}') AS text)", path.join("."))),
    }
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
