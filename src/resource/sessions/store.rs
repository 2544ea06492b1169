//! Queries on sessions.

use super::entity::{ActiveModel, Column, Entity, Model};
use crate::{
    access::Principal,
    db::MANY,
    error::{Error, Result},
    list::{ListRequest, OrderColumn, Page},
    secret::{Digest, Sealed},
};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, Condition, ConnectionTrait, EntityTrait as _, QueryFilter as _,
    QueryOrder as _, QuerySelect as _, Select,
    prelude::DateTimeUtc,
    sea_query::{Expr, ExprTrait as _, LockType, SimpleExpr},
};
use uuid::Uuid;

/// What a listing may be narrowed by (contract: authentik-core §4.3).
#[derive(Debug, Clone, Default)]
pub struct SessionFilter {
    pub username: Option<String>,
    pub ip: Option<String>,
    pub user_agent: Option<String>,
}

/// Sessions that exist for this caller: those in which he has signed in, or for superusers everybody.
pub fn visible(principal: &Principal, now: DateTimeUtc) -> Select<Entity> {
    let lasting = Entity::find().filter(Column::UserId.is_not_null()).filter(Column::Expires.gt(now));
    match principal.account() {
        _ if principal.is_superuser() => lasting,
        Some(account) => lasting.filter(Column::UserId.eq(account.id)),
        None => lasting.filter(Expr::val(false)),
    }
}

/// A column of who has signed in.
fn of_account(column: &str) -> SimpleExpr {
    Expr::cust(format!("(SELECT users.{column} FROM users WHERE users.id = sessions.user_id)"))
}

fn order_column(name: &str) -> Option<OrderColumn> {
    Some(match name {
        "uuid" => OrderColumn::of(Column::Id),
        "user__username" => OrderColumn::computed(of_account("username")),
        "user" => OrderColumn::nullable(Column::UserId),
        "last_ip" => OrderColumn::of(Column::LastIp),
        "last_user_agent" => OrderColumn::of(Column::LastUserAgent),
        "last_used" => OrderColumn::of(Column::LastUsed),
        "expires" => OrderColumn::of(Column::Expires),
        _ => return None,
    })
}

/// One page of the sessions that the caller may see.
///
/// # Errors
/// [`Error::InvalidPage`]; otherwise when the database is away.
pub async fn list(
    db: &impl ConnectionTrait,
    principal: &Principal,
    now: DateTimeUtc,
    request: &ListRequest,
    filter: SessionFilter,
) -> Result<Page<Model>> {
    let own = [
        filter.username.map(|v| of_account("username").eq(v)),
        filter.ip.map(|v| Column::LastIp.eq(v)),
        filter.user_agent.map(|v| Column::LastUserAgent.eq(v)),
    ];
    let select = own.into_iter().flatten().fold(visible(principal, now), sea_orm::QueryFilter::filter);
    let searched = [Expr::col(Column::Search.as_column_ref()), of_account("username_folded")];
    let select = select.filter(request.search_condition(&searched));
    let ordered = request.order(select.clone(), order_column, &["user__username"], Column::Id);
    request.fetch(db, select, ordered).await
}

/// One session that the caller may see.
///
/// # Errors
/// [`Error::NotFound`]; otherwise when the database is away.
pub async fn find(db: &impl ConnectionTrait, principal: &Principal, now: DateTimeUtc, id: Uuid) -> Result<Model> {
    visible(principal, now).filter(Column::Id.eq(id)).one(db).await?.ok_or(Error::NotFound)
}

/// As [`find`], and nobody else changes the row until the transaction ends.
///
/// # Errors
/// As [`find`].
pub async fn find_for_update(
    db: &impl ConnectionTrait,
    principal: &Principal,
    now: DateTimeUtc,
    id: Uuid,
) -> Result<Model> {
    let select = visible(principal, now).filter(Column::Id.eq(id)).lock(LockType::Update);
    select.one(db).await?.ok_or(Error::NotFound)
}

/// The sessions in which an account has signed in, the last used first.
///
/// # Errors
/// When the database is away.
pub async fn lasting_of(db: &impl ConnectionTrait, user: i32, now: DateTimeUtc) -> Result<Vec<Model>> {
    let select = Entity::find().filter(Column::UserId.eq(user)).filter(Column::Expires.gt(now));
    Ok(select.order_by_desc(Column::LastUsed).order_by_asc(Column::Id).all(db).await?)
}

/// A session by its row, locked.
///
/// # Errors
/// When the database is away.
pub async fn locked(db: &impl ConnectionTrait, id: Uuid) -> Result<Option<Model>> {
    Ok(Entity::find_by_id(id).lock(LockType::Update).one(db).await?)
}

/// Notes a use that came after the last one that is written.
///
/// # Errors
/// When the database is away.
pub async fn used(db: &impl ConnectionTrait, id: Uuid, when: DateTimeUtc, ip: &str, user_agent: &str) -> Result<()> {
    let set = Entity::update_many()
        .col_expr(Column::LastUsed, Expr::value(when))
        .col_expr(Column::LastIp, Expr::value(ip))
        .col_expr(Column::LastUserAgent, Expr::value(user_agent))
        .col_expr(Column::Search, Expr::value(Model::searchable(ip, user_agent)));
    set.filter(Column::Id.eq(id)).filter(Column::LastUsed.lt(when)).exec(db).await?;
    Ok(())
}

/// The session of a cookie, unless it has ended.
///
/// # Errors
/// When the database is away.
pub async fn by_digest(db: &impl ConnectionTrait, digest: &Digest, now: DateTimeUtc) -> Result<Option<Model>> {
    Ok(Entity::find().filter(Column::Digest.eq(digest.clone())).filter(Column::Expires.gt(now)).one(db).await?)
}

/// # Errors
/// When the database is away.
pub async fn insert(db: &impl ConnectionTrait, session: ActiveModel) -> Result<Model> {
    Ok(session.insert(db).await?)
}

/// Replaces the plan, unless somebody else has done so since the session was read; tells whether it did.
///
/// # Errors
/// When the database is away.
pub async fn save_plan(
    db: &impl ConnectionTrait,
    id: Uuid,
    serial: i64,
    plan: Option<Sealed>,
    (last_used, expires): (DateTimeUtc, DateTimeUtc),
) -> Result<bool> {
    let saved = Entity::update_many()
        .col_expr(Column::Plan, Expr::value(plan))
        .col_expr(Column::PlanSerial, Expr::value(serial + 1))
        .col_expr(Column::LastUsed, Expr::value(last_used))
        .col_expr(Column::Expires, Expr::value(expires))
        .filter(Column::Id.eq(id))
        .filter(Column::PlanSerial.eq(serial))
        .exec(db)
        .await?;
    Ok(saved.rows_affected == 1)
}

/// Removes a session; tells whether it was there.
///
/// # Errors
/// When the database is away.
pub async fn delete(db: &impl ConnectionTrait, id: Uuid) -> Result<bool> {
    Ok(Entity::delete_by_id(id).exec(db).await?.rows_affected == 1)
}

/// Removes a session, unless its plan was written since; tells whether it did.
///
/// # Errors
/// When the database is away.
pub async fn delete_at(db: &impl ConnectionTrait, id: Uuid, serial: i64) -> Result<bool> {
    let same = Entity::delete_many().filter(Column::Id.eq(id)).filter(Column::PlanSerial.eq(serial));
    Ok(same.exec(db).await?.rows_affected == 1)
}

/// Sessions in which an account signed in or is acted as, except one; locked.
///
/// # Errors
/// When the database is away.
pub async fn of_user(db: &impl ConnectionTrait, user: i32, except: Option<Uuid>) -> Result<Vec<Model>> {
    let mut select = Entity::find()
        .filter(Condition::any().add(Column::UserId.eq(user)).add(Column::ImpersonatedId.eq(user)))
        .lock_exclusive();
    if let Some(except) = except {
        select = select.filter(Column::Id.ne(except));
    }
    Ok(select.all(db).await?)
}

/// Removes sessions.
///
/// # Errors
/// When the database is away.
pub async fn delete_all(db: &impl ConnectionTrait, ids: &[Uuid]) -> Result<()> {
    for some in ids.chunks(MANY) {
        Entity::delete_many().filter(Column::Id.is_in(some.iter().copied())).exec(db).await?;
    }
    Ok(())
}

/// Sets whom a session acts as.
///
/// # Errors
/// When the database is away.
pub async fn set_impersonated(db: &impl ConnectionTrait, id: Uuid, user: Option<i32>) -> Result<()> {
    let set = Entity::update_many().col_expr(Column::ImpersonatedId, Expr::value(user));
    set.filter(Column::Id.eq(id)).exec(db).await?;
    Ok(())
}

/// Removes sessions that have ended, so many at a time; gives how many went.
///
/// # Errors
/// When the database is away.
pub async fn delete_ended(db: &impl ConnectionTrait, now: DateTimeUtc) -> Result<u64> {
    let ended: Vec<Uuid> = Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::Expires.lte(now))
        .limit(MANY as u64)
        .into_tuple()
        .all(db)
        .await?;
    if ended.is_empty() {
        return Ok(0);
    }
    let gone = Entity::delete_many().filter(Column::Id.is_in(ended)).filter(Expr::col(Column::Expires).lte(now));
    Ok(gone.exec(db).await?.rows_affected)
}
