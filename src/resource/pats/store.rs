//! Queries for personal access tokens.

use super::entity::{ActiveModel, Column, Entity, Model, Scopes};
use crate::{
    error::{Error, Problem, Result, unique_violation},
    resource::users,
};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, Condition, ConnectionTrait, DbErr, EntityTrait as _, FromQueryResult,
    Iterable as _, JoinType, PaginatorTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _, Select,
    prelude::DateTimeUtc,
    sea_query::{Expr, LockBehavior, LockType},
};
use uuid::Uuid;

/// A token with what is shown of its owner.
#[derive(Debug, Clone, PartialEq, FromQueryResult)]
pub struct PatView {
    pub id: Uuid,
    pub owner_id: i32,
    pub name: String,
    pub scope: Scopes,
    pub validity: i32,
    pub created: DateTimeUtc,
    pub expires: Option<DateTimeUtc>,
    pub never_expires: bool,
    pub last_used: Option<DateTimeUtc>,
    pub managed: bool,
    pub owner_uuid: Uuid,
    pub owner_username: String,
    pub owner_name: String,
}

impl PatView {
    #[must_use]
    pub fn of(token: Model, owner: &users::Model) -> Self {
        Self {
            id: token.id,
            owner_id: token.owner_id,
            name: token.name,
            scope: token.scope,
            validity: token.validity,
            created: token.created,
            expires: token.expires,
            never_expires: token.never_expires,
            last_used: token.last_used,
            managed: token.managed,
            owner_uuid: owner.uuid,
            owner_username: owner.username.clone(),
            owner_name: owner.name.clone(),
        }
    }

    /// What the owner is called.
    #[must_use]
    pub fn owner_title(&self) -> &str {
        if self.owner_name.is_empty() { &self.owner_username } else { &self.owner_name }
    }
}

fn viewed() -> Select<Entity> {
    let shown = Column::iter().filter(|c| !matches!(c, Column::SecretDigest | Column::EndRecorded | Column::Ceiling));
    Entity::find()
        .select_only()
        .columns(shown)
        .column_as(users::Column::Uuid, "owner_uuid")
        .column_as(users::Column::Username, "owner_username")
        .column_as(users::Column::Name, "owner_name")
        .join(JoinType::InnerJoin, Entity::belongs_to(users::Entity).from(Column::OwnerId).to(users::Column::Id).into())
}

/// Tokens, the oldest first: one identity's, or everybody's; the server's own only for `managed`.
///
/// # Errors
/// When the database is away.
pub async fn list(
    db: &impl ConnectionTrait,
    owner: Option<Uuid>,
    managed: bool,
    condition: Option<Condition>,
) -> Result<Vec<PatView>> {
    let mut select = viewed().order_by_asc(Column::Created).order_by_asc(Column::Id);
    if let Some(owner) = owner {
        select = select.filter(users::Column::Uuid.eq(owner));
    }
    if !managed {
        select = select.filter(Column::Managed.eq(false));
    }
    if let Some(condition) = condition {
        select = select.filter(condition);
    }
    Ok(select.into_model().all(db).await?)
}

/// # Errors
/// When the database is away.
pub async fn by_id(db: &impl ConnectionTrait, id: Uuid) -> Result<Option<(Model, users::Model)>> {
    let found = Entity::find_by_id(id).find_also_related(users::Entity).one(db).await?;
    Ok(found.and_then(|(token, owner)| Some((token, owner?))))
}

/// As [`by_id`], for several, in no order.
///
/// # Errors
/// When the database is away.
pub async fn by_ids(db: &impl ConnectionTrait, ids: &[Uuid]) -> Result<Vec<(Model, users::Model)>> {
    let found = Entity::find().filter(Column::Id.is_in(ids.iter().copied())).find_also_related(users::Entity);
    Ok(found.all(db).await?.into_iter().filter_map(|(token, owner)| Some((token, owner?))).collect())
}

/// These tokens, by id, and nobody else changes them until the transaction ends.
///
/// # Errors
/// When the database is away.
pub async fn locked(db: &impl ConnectionTrait, ids: &[Uuid]) -> Result<Vec<Model>> {
    let select = Entity::find().filter(Column::Id.is_in(ids.iter().copied())).order_by_asc(Column::Id);
    Ok(select.lock(LockType::NoKeyUpdate).all(db).await?)
}

/// Ids of an owner's tokens, in order.
///
/// # Errors
/// When the database is away.
pub async fn ids_of(db: &impl ConnectionTrait, owner: i32) -> Result<Vec<Uuid>> {
    let ids = Entity::find().select_only().column(Column::Id).filter(Column::OwnerId.eq(owner));
    Ok(ids.order_by_asc(Column::Id).into_tuple().all(db).await?)
}

/// How many tokens count against what an owner may have.
///
/// # Errors
/// When the database is away.
pub async fn count_of(db: &impl ConnectionTrait, owner: i32) -> Result<u64> {
    let own = Entity::find().filter(Column::OwnerId.eq(owner)).filter(Column::Managed.eq(false));
    Ok(own.count(db).await?)
}

/// Whether another token than `own` of this owner has this name. Two that come at the same moment both pass here;
/// then the constraint of the table decides.
///
/// # Errors
/// When the database is away.
pub async fn is_named(db: &impl ConnectionTrait, owner: i32, name: &str, own: Option<Uuid>) -> Result<bool> {
    let mut others = Entity::find().filter(Column::OwnerId.eq(owner)).filter(Column::Name.eq(name));
    if let Some(own) = own {
        others = others.filter(Column::Id.ne(own));
    }
    Ok(others.count(db).await? > 0)
}

/// # Errors
/// A taken name; otherwise when the database is away.
pub async fn insert(db: &impl ConnectionTrait, token: ActiveModel) -> Result<Model> {
    token.insert(db).await.map_err(taken)
}

/// # Errors
/// As [`insert`].
pub async fn update(db: &impl ConnectionTrait, token: ActiveModel) -> Result<Model> {
    token.update(db).await.map_err(taken)
}

/// # Errors
/// [`Error::NotFound`] when somebody else was faster.
pub async fn delete(db: &impl ConnectionTrait, id: Uuid) -> Result<()> {
    let gone = Entity::delete_by_id(id).exec(db).await?;
    if gone.rows_affected == 0 { Err(Error::NotFound) } else { Ok(()) }
}

/// Notes the first use on a day; `false` when one of that day is noted already, or the token is gone.
///
/// # Errors
/// When the database is away.
pub async fn note_use(db: &impl ConnectionTrait, id: Uuid, when: DateTimeUtc, day: DateTimeUtc) -> Result<bool> {
    let earlier = Condition::any().add(Column::LastUsed.is_null()).add(Column::LastUsed.lt(day));
    let noted = Entity::update_many()
        .col_expr(Column::LastUsed, Expr::value(when))
        .filter(Column::Id.eq(id))
        .filter(earlier)
        .exec(db)
        .await?;
    Ok(noted.rows_affected == 1)
}

/// Tokens that have ended without an event about it, the longest ago first; those that somebody else is at are left
/// out.
///
/// # Errors
/// When the database is away.
pub async fn ended(db: &impl ConnectionTrait, now: DateTimeUtc, most: u64) -> Result<Vec<Model>> {
    let ended = Entity::find().filter(Column::EndRecorded.eq(false)).filter(Column::Expires.lte(now));
    let select = ended.order_by_asc(Column::Expires).limit(most);
    Ok(select.lock_with_behavior(LockType::NoKeyUpdate, LockBehavior::SkipLocked).all(db).await?)
}

/// # Errors
/// When the database is away.
pub async fn mark_ended(db: &impl ConnectionTrait, ids: &[Uuid]) -> Result<()> {
    let these = Entity::update_many().filter(Column::Id.is_in(ids.iter().copied()));
    these.col_expr(Column::EndRecorded, Expr::value(true)).exec(db).await?;
    Ok(())
}

fn taken(error: DbErr) -> Error {
    match unique_violation(&error) {
        Some(_) => Error::field(super::fields::NAME, Problem::Taken(None)),
        None => error.into(),
    }
}
