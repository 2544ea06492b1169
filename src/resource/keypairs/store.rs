//! Queries for key pairs.

use super::entity::{ActiveModel, Column, Entity, Model};
use crate::error::Result;
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    prelude::DateTimeUtc,
    sea_query::{Expr, NullOrdering},
};
use uuid::Uuid;

/// All of them: the one that signs first, then the most recently retired.
///
/// # Errors
/// When the database is away.
pub async fn all(db: &impl ConnectionTrait) -> Result<Vec<Model>> {
    let newest = Entity::find().order_by_with_nulls(Column::Retired, sea_orm::Order::Desc, NullOrdering::First);
    Ok(newest.order_by_desc(Column::Created).order_by_asc(Column::Id).all(db).await?)
}

/// # Errors
/// When the database is away.
pub async fn insert(db: &impl ConnectionTrait, pair: ActiveModel) -> Result<Model> {
    Ok(pair.insert(db).await?)
}

/// Whatever signs now does so no longer.
///
/// # Errors
/// When the database is away.
pub async fn retire(db: &impl ConnectionTrait, now: DateTimeUtc) -> Result<()> {
    let signing = Entity::update_many().filter(Column::Retired.is_null());
    signing.col_expr(Column::Retired, Expr::value(now)).exec(db).await?;
    Ok(())
}

/// Removes one; `false` when somebody else was faster.
///
/// # Errors
/// When the database is away.
pub async fn delete(db: &impl ConnectionTrait, id: Uuid) -> Result<bool> {
    Ok(Entity::delete_by_id(id).exec(db).await?.rows_affected == 1)
}

/// # Errors
/// When the database is away.
pub async fn delete_all(db: &impl ConnectionTrait) -> Result<()> {
    Entity::delete_many().exec(db).await?;
    Ok(())
}
