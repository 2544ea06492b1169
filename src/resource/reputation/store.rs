//! Queries on scores. Every query of a caller starts at [`visible`].

use super::entity::{ActiveModel, Column, Entity, Model};
use crate::{
    access::{Visible, code},
    ctx::Ctx,
    db::MANY,
    error::{Error, Result},
    list::{ListRequest, OrderColumn, Page},
};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, Condition, ConnectionTrait, EntityTrait as _, QueryFilter as _,
    QueryOrder as _, QuerySelect as _, Select,
    sea_query::{Expr, LockType, OnConflict},
};
use std::net::IpAddr;
use uuid::Uuid;

/// What a listing may be narrowed by (contract: authentik-core §5.7).
#[derive(Debug, Clone, Default)]
pub struct ScoreFilter {
    pub identifier: Option<String>,
    /// Any of these; all when empty.
    pub identifiers: Vec<String>,
    pub ip: Option<String>,
    pub score: Option<i64>,
}

/// Scores that exist for this caller; those that have ended do for nobody.
pub fn visible(ctx: &Ctx) -> Select<Entity> {
    let select = Entity::find().filter(Column::Expires.gt(ctx.now));
    match ctx.principal.visible(code::VIEW_REPUTATION) {
        Visible::All => select,
        Visible::Some(keys) => select.filter(Column::Id.is_in(keys.iter().filter_map(|key| key.parse::<Uuid>().ok()))),
        Visible::None => select.filter(Expr::val(false)),
    }
}

fn order_column(name: &str) -> Option<OrderColumn> {
    Some(match name {
        "pk" => OrderColumn::of(Column::Id),
        "identifier" => OrderColumn::of(Column::Identifier),
        "ip" => OrderColumn::of(Column::Ip),
        "score" => OrderColumn::of(Column::Score),
        "updated" => OrderColumn::of(Column::Updated),
        _ => return None,
    })
}

/// One page of the scores that the caller may see.
///
/// # Errors
/// [`Error::InvalidPage`]; otherwise when the database is away.
pub async fn list(
    db: &impl ConnectionTrait,
    ctx: &Ctx,
    request: &ListRequest,
    filter: ScoreFilter,
) -> Result<Page<Model>> {
    let mut select = visible(ctx);
    let own = [
        filter.identifier.map(|v| Column::Identifier.eq(v)),
        Some(Column::Identifier.is_in(filter.identifiers.clone())).filter(|_| !filter.identifiers.is_empty()),
        filter.ip.map(|v| Column::Ip.eq(v)),
        filter.score.map(|v| Column::Score.eq(v)),
    ];
    for condition in own.into_iter().flatten() {
        select = select.filter(condition);
    }
    let select = select.filter(request.search_condition(&[Expr::col(Column::Search.as_column_ref())]));
    let ordered = request.order(select.clone(), order_column, &["ip"], Column::Id);
    request.fetch(db, select, ordered).await
}

/// One score that the caller may see.
///
/// # Errors
/// [`Error::NotFound`]; otherwise when the database is away.
pub async fn find(db: &impl ConnectionTrait, ctx: &Ctx, id: Uuid) -> Result<Model> {
    visible(ctx).filter(Column::Id.eq(id)).one(db).await?.ok_or(Error::NotFound)
}

/// The sum of the scores of an address or a name.
///
/// # Errors
/// When the database is away.
pub async fn sum(ctx: &Ctx, address: Option<IpAddr>, name: Option<String>) -> Result<i64> {
    let any = Condition::any()
        .add_option(address.map(|ip| Column::Ip.eq(ip.to_string())))
        .add_option(name.map(|name| Column::Identifier.eq(name)));
    if any.is_empty() {
        return Ok(0);
    }
    let sum: Option<i64> = Entity::find()
        .select_only()
        .expr_as(Expr::cust("CAST(coalesce(sum(score), 0) AS bigint)"), "sum")
        .filter(Column::Expires.gt(ctx.now))
        .filter(any)
        .into_tuple()
        .one(ctx.app.db.read())
        .await?;
    Ok(sum.unwrap_or_default())
}

/// Most rows that are looked at for one name or address.
const MOST: u64 = 1000;

/// The scores of a name and those of an address that have not ended, the worst first.
///
/// # Errors
/// When the database is away.
pub async fn about(ctx: &Ctx, identifier: &str, ip: &str) -> Result<Vec<Model>> {
    let any = Condition::any().add(Column::Identifier.eq(identifier)).add(Column::Ip.eq(ip));
    let select = Entity::find().filter(any).filter(Column::Expires.gt(ctx.now));
    Ok(select.order_by_asc(Column::Score).limit(MOST).all(ctx.app.db.read()).await?)
}

/// Makes room for the score of one name at one address, without points, unless it is there.
///
/// # Errors
/// When the database is away.
pub async fn make_room(db: &impl ConnectionTrait, score: ActiveModel) -> Result<()> {
    let there = OnConflict::columns([Column::Identifier, Column::Ip]).do_nothing().to_owned();
    Entity::insert(score).on_conflict(there).exec_without_returning(db).await?;
    Ok(())
}

/// The score of one name at one address, and nobody else changes it until the transaction ends.
///
/// # Errors
/// When the database is away.
pub async fn of(db: &impl ConnectionTrait, identifier: &str, ip: &str) -> Result<Option<Model>> {
    let same = Condition::all().add(Column::Identifier.eq(identifier)).add(Column::Ip.eq(ip));
    Ok(Entity::find().filter(same).lock(LockType::NoKeyUpdate).one(db).await?)
}

/// # Errors
/// When the database is away.
pub async fn update(db: &impl ConnectionTrait, score: ActiveModel) -> Result<Model> {
    Ok(score.update(db).await?)
}

/// Gives how many of them were there.
///
/// # Errors
/// When the database is away.
pub async fn delete(db: &impl ConnectionTrait, ids: &[Uuid]) -> Result<u64> {
    Ok(Entity::delete_many().filter(Column::Id.is_in(ids.iter().copied())).exec(db).await?.rows_affected)
}

/// Scores that have ended, no more than can be named in one statement.
///
/// # Errors
/// When the database is away.
pub async fn ended(ctx: &Ctx) -> Result<Vec<Uuid>> {
    let ended = Entity::find().select_only().column(Column::Id).filter(Column::Expires.lte(ctx.now));
    Ok(ended.limit(MANY as u64).into_tuple().all(ctx.app.db.read()).await?)
}
