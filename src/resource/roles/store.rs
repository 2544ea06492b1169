//! Queries on roles. Every query of a caller starts at [`visible`].

use crate::{
    access::{Principal, Visible, code},
    error::{Error, Problem, Result, unique_violation},
    list::{ListRequest, OrderColumn, Page},
    resource::{
        grants::roles::{
            group_role,
            role::{ActiveModel, Column, Entity, Model},
        },
        groups,
    },
};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _,
    QuerySelect as _, Select,
    sea_query::{Expr, Func, LockType},
};
use uuid::Uuid;

/// Roles that exist for this caller.
pub fn visible(principal: &Principal) -> Select<Entity> {
    match principal.visible(code::VIEW_ROLE) {
        Visible::All => Entity::find(),
        Visible::Some(keys) => {
            let ids = keys.iter().filter_map(|key| key.parse::<Uuid>().ok());
            Entity::find().filter(Column::Id.is_in(ids))
        }
        Visible::None => Entity::find().filter(Expr::val(false)),
    }
}

fn order_column(name: &str) -> Option<OrderColumn> {
    Some(match name {
        "pk" => OrderColumn::of(Column::Id),
        "name" => OrderColumn::of(Column::Name),
        _ => return None,
    })
}

/// One page of the roles that the caller may see; `name` is exact.
///
/// # Errors
/// [`Error::InvalidPage`]; otherwise when the database is away.
pub async fn list(
    db: &impl ConnectionTrait,
    principal: &Principal,
    request: &ListRequest,
    name: Option<String>,
) -> Result<Page<Model>> {
    let mut select = visible(principal);
    if let Some(name) = name {
        select = select.filter(Column::Name.eq(name));
    }
    let folded = Func::lower(Expr::col(Column::Name.as_column_ref()));
    let select = select.filter(request.search_condition(&[folded.into()]));
    let ordered = request.order(select.clone(), order_column, &["name"], Column::Id);
    request.fetch(db, select, ordered).await
}

/// One role that the caller may see.
///
/// # Errors
/// [`Error::NotFound`]; otherwise when the database is away.
pub async fn find(db: &impl ConnectionTrait, principal: &Principal, id: Uuid) -> Result<Model> {
    visible(principal).filter(Column::Id.eq(id)).one(db).await?.ok_or(Error::NotFound)
}

/// As [`find`], and nobody else changes the row until the transaction ends.
///
/// # Errors
/// As [`find`].
pub async fn find_for_update(db: &impl ConnectionTrait, principal: &Principal, id: Uuid) -> Result<Model> {
    visible(principal).filter(Column::Id.eq(id)).lock(LockType::NoKeyUpdate).one(db).await?.ok_or(Error::NotFound)
}

/// The group that carries a role, if one does.
///
/// # Errors
/// When the database is away.
pub async fn carrier(db: &impl ConnectionTrait, role: Uuid) -> Result<Option<groups::Model>> {
    let Some(carried) = group_role::Entity::find_by_id(role).one(db).await? else { return Ok(None) };
    Ok(groups::Entity::find_by_id(carried.group_id).one(db).await?)
}

/// # Errors
/// A taken name; otherwise when the database is away.
pub async fn insert(db: &impl ConnectionTrait, role: ActiveModel) -> Result<Model> {
    role.insert(db).await.map_err(taken)
}

/// # Errors
/// As [`insert`].
pub async fn update(db: &impl ConnectionTrait, role: ActiveModel) -> Result<Model> {
    role.update(db).await.map_err(taken)
}

/// # Errors
/// [`Error::NotFound`] when somebody else was faster.
pub async fn delete(db: &impl ConnectionTrait, id: Uuid) -> Result<()> {
    let gone = Entity::delete_by_id(id).exec(db).await?;
    if gone.rows_affected == 0 { Err(Error::NotFound) } else { Ok(()) }
}

fn taken(error: DbErr) -> Error {
    match unique_violation(&error) {
        Some(_) => Error::field("name", Problem::Taken(Some(("Role", "name")))),
        None => error.into(),
    }
}
