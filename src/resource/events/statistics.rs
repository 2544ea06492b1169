//! How many events there were, and when (contract: authentik-core §7.4). The original counts by the
//! hour of the day; these are real intervals.

use super::store::{self, EventFilter};
use crate::{
    audit::{
        entity::{Column, Entity},
        store::json_text,
    },
    ctx::Ctx,
    error::Result,
    list::{ListRequest, Point},
};
use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, DatabaseBackend, QueryFilter as _, QueryOrder as _, QuerySelect as _, Select,
    sea_query::{Expr, ExprTrait as _, Func, Order},
};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// A curve: so many points, so far apart, the newest first. The first lies one step ahead and is 0.
#[derive(Debug, Clone, Copy)]
pub struct Curve {
    /// Seconds from one point to the next.
    step: i64,
    /// Points from now back.
    points: i64,
}

/// Seven days by eight hours.
pub const WEEK: Curve = Curve { step: 8 * 3600, points: 21 };
/// Twenty-eight days by 22.4 hours.
pub const MONTH: Curve = Curve { step: 80_640, points: 30 };

/// Counts what `select` selects along a curve that ends now.
///
/// # Errors
/// When the database is away.
pub async fn along(
    db: &impl ConnectionTrait,
    now: DateTime<Utc>,
    curve: Curve,
    select: Select<Entity>,
) -> Result<Vec<Point>> {
    let Curve { step, points } = curve;
    let end = now.timestamp();
    let created = match db.get_database_backend() {
        DatabaseBackend::Postgres => "CAST(floor(extract(epoch FROM events.created)) AS bigint)",
        _ => "unixepoch(events.created)",
    };
    // Numbers of ours; nothing of the caller's is in the text.
    let bucket = || Expr::cust(format!("({end} - {created}) / {step}"));
    let from = now - TimeDelta::seconds(step * points);
    let rows: Vec<(i64, i64)> = select
        .filter(Column::Created.gt(from))
        .filter(Column::Created.lte(now))
        .select_only()
        .expr_as(bucket(), "bucket")
        .expr_as(Func::count(Expr::col(Column::Id.as_column_ref())), "amount")
        .group_by(bucket())
        .into_tuple()
        .all(db)
        .await?;
    let counts: BTreeMap<i64, i64> = rows.into_iter().collect();
    let count = |n: i64| i32::try_from(counts.get(&n).copied().unwrap_or_default()).unwrap_or(i32::MAX);
    Ok((-1..points).map(|n| Point { at: (end - n * step) * 1000, count: if n < 0 { 0 } else { count(n) } }).collect())
}

/// Events of the last seven days that the caller may see and the filter lets through.
///
/// # Errors
/// When the database is away.
pub async fn volume(ctx: &Ctx, request: &ListRequest, filter: EventFilter) -> Result<Vec<Point>> {
    let db = ctx.app.db.read();
    let select = store::selected(db.get_database_backend(), &ctx.principal, filter, request);
    along(db, ctx.now, WEEK, select).await
}

/// Events of one action in the last twenty-eight days, as far as the caller may see them.
///
/// # Errors
/// When the database is away.
pub async fn per_month(ctx: &Ctx, action: &str, filter: EventFilter) -> Result<Vec<Point>> {
    let db = ctx.app.db.read();
    let select = store::selected(db.get_database_backend(), &ctx.principal, filter, &ListRequest::default());
    along(db, ctx.now, MONTH, select.filter(Column::Action.eq(action))).await
}

/// How an account was used.
#[derive(Debug)]
pub struct UserMetrics {
    pub logins: Vec<Point>,
    pub logins_failed: Vec<Point>,
    pub authorizations: Vec<Point>,
}

/// Logins of an account, failed ones (these only know the name that was typed), and authorisations.
///
/// # Errors
/// When the database is away.
pub async fn of_user(ctx: &Ctx, id: i32, username: &str) -> Result<UserMetrics> {
    let db = ctx.app.db.read();
    let backend = db.get_database_backend();
    let by = |action: &str| store::visible(&ctx.principal).filter(Column::Action.eq(action));
    let own = |action: &str| by(action).filter(json_text(backend, "\"user\"", &["pk"]).eq(id.to_string()));
    let failed = by("login_failed").filter(json_text(backend, "context", &["username"]).eq(username));
    Ok(UserMetrics {
        logins: along(db, ctx.now, WEEK, own("login")).await?,
        logins_failed: along(db, ctx.now, WEEK, failed).await?,
        authorizations: along(db, ctx.now, WEEK, own("authorize_application")).await?,
    })
}

/// An application with how often it was used, and by how many.
#[derive(Debug)]
pub struct Used {
    pub application: Map<String, Value>,
    pub events: i32,
    pub users: i32,
}

/// The applications most used, by events of one action that name one.
///
/// # Errors
/// When the database is away.
pub async fn top_per_user(ctx: &Ctx, action: &str, most: u64) -> Result<Vec<Used>> {
    let db = ctx.app.db.read();
    let backend = db.get_database_backend();
    let application = || match backend {
        DatabaseBackend::Postgres => Expr::cust("CAST(context -> 'authorized_application' AS text)"),
        _ => Expr::cust("context -> '$.authorized_application'"),
    };
    let rows: Vec<(String, i64, i64)> = store::visible(&ctx.principal)
        .filter(Column::Action.eq(action))
        .filter(application().like("{%"))
        .select_only()
        .expr_as(application(), "application")
        .expr_as(Func::count(Expr::col(Column::Id.as_column_ref())), "amount")
        .expr_as(Func::count_distinct(json_text(backend, "\"user\"", &["pk"])), "users")
        .group_by(application())
        .order_by(Expr::cust("amount"), Order::Desc)
        .order_by(Expr::cust("application"), Order::Asc)
        .limit(most)
        .into_tuple()
        .all(db)
        .await?;
    let small = |n: i64| i32::try_from(n).unwrap_or(i32::MAX);
    Ok(rows
        .into_iter()
        .filter_map(|(text, events, users)| match serde_json::from_str(&text) {
            Ok(Value::Object(application)) => Some(Used { application, events: small(events), users: small(users) }),
            _ => None,
        })
        .collect())
}
