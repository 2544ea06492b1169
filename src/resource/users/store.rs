//! Queries on accounts. Every query of a caller starts at [`visible`].

use super::{
    entity::{ActiveModel, Column, Entity, Kind, Model},
    view::{self, UserView},
};
use crate::{
    access::{Principal, Visible, code},
    db::MANY,
    error::{Error, Problem, Result, unique_violation},
    list::{self, ListRequest, OrderColumn, Page},
    resource::groups::{self, membership},
    secret::password::PasswordHash,
};
use sea_orm::{
    ActiveModelTrait as _,
    ActiveValue::Set,
    ColumnTrait as _, Condition, ConnectionTrait, DbErr, EntityTrait as _, IntoActiveModel as _, QueryFilter as _,
    QueryOrder as _, QuerySelect as _, Select,
    sea_query::{Expr, ExprTrait as _, LockType, Query, SelectStatement},
};
use std::collections::HashSet;
use uuid::Uuid;

/// What a listing of accounts may be narrowed by (contract: authentik-core §3.2).
#[derive(Debug, Clone, Default)]
pub struct UserFilter {
    pub username: Option<String>,
    pub email: Option<String>,
    pub name: Option<String>,
    pub is_active: Option<bool>,
    /// Whether a group that the account is a direct member of has this flag.
    pub is_superuser: Option<bool>,
    pub uuid: Option<Uuid>,
    pub path: Option<String>,
    pub path_startswith: Option<String>,
    /// Any of these; all when empty.
    pub kinds: Vec<Kind>,
    pub groups_by_name: Vec<String>,
    pub groups_by_pk: Vec<Uuid>,
    pub attributes: Option<list::AttributeFilter>,
}

/// Accounts that exist for this caller.
pub fn visible(principal: &Principal) -> Select<Entity> {
    match principal.visible(code::VIEW_USER) {
        Visible::All => Entity::find(),
        Visible::Some(keys) => {
            let ids = keys.iter().filter_map(|key| key.parse::<i32>().ok());
            Entity::find().filter(Column::Id.is_in(ids))
        }
        Visible::None => Entity::find().filter(Expr::val(false)),
    }
}

fn order_column(name: &str) -> Option<OrderColumn> {
    Some(match name {
        "pk" => OrderColumn::of(Column::Id),
        "username" => OrderColumn::of(Column::Username),
        "name" => OrderColumn::of(Column::Name),
        "is_active" => OrderColumn::of(Column::IsActive),
        "last_login" => OrderColumn::nullable(Column::LastLogin),
        "email" => OrderColumn::of(Column::Email),
        "attributes" => OrderColumn::of(Column::Attributes),
        "path" => OrderColumn::of(Column::Path),
        "type" => OrderColumn::of(Column::Kind),
        "uuid" => OrderColumn::of(Column::Uuid),
        _ => return None,
    })
}

/// Ids of the direct members of the groups that `condition` selects.
fn members_of(condition: Condition) -> SelectStatement {
    Query::select()
        .column((membership::Entity, membership::Column::UserId))
        .from(membership::Entity)
        .inner_join(
            groups::Entity,
            Expr::col((groups::Entity, groups::Column::Id)).equals((membership::Entity, membership::Column::GroupId)),
        )
        .cond_where(condition)
        .to_owned()
}

fn in_groups(condition: Condition) -> sea_orm::sea_query::SimpleExpr {
    Column::Id.in_subquery(members_of(condition))
}

/// One page of the accounts that the caller may see.
///
/// # Errors
/// [`Error::InvalidPage`]; otherwise when the database is away.
pub async fn list(
    db: &impl ConnectionTrait,
    principal: &Principal,
    request: &ListRequest,
    filter: UserFilter,
) -> Result<Page<UserView>> {
    let select = filtered(visible(principal), request, filter, db.get_database_backend());
    let viewed = view::only(select.clone(), db.get_database_backend());
    let ordered = request.order(viewed, order_column, &["username"], Column::Id);
    request.fetch(db, select, ordered).await
}

fn filtered(
    mut select: Select<Entity>,
    request: &ListRequest,
    filter: UserFilter,
    backend: sea_orm::DatabaseBackend,
) -> Select<Entity> {
    let UserFilter { username, email, name, is_active, is_superuser, uuid, path, path_startswith, .. } = filter;
    let own = [
        username.map(|v| Column::Username.eq(v)),
        email.map(|v| Column::Email.eq(v)),
        name.map(|v| Column::Name.eq(v)),
        is_active.map(|v| Column::IsActive.eq(v)),
        uuid.map(|v| Column::Uuid.eq(v)),
        path.map(|v| Column::Path.eq(v)),
        path_startswith.map(|v| list::starts_with(Expr::col(Column::Path.as_column_ref()), &v)),
        is_superuser.map(|v| in_groups(Condition::all().add(groups::Column::IsSuperuser.eq(v)))),
        filter.attributes.map(|a| a.condition(backend, "users")),
    ];
    for condition in own.into_iter().flatten() {
        select = select.filter(condition);
    }
    if !filter.kinds.is_empty() {
        select = select.filter(Column::Kind.is_in(filter.kinds));
    }
    if !filter.groups_by_name.is_empty() {
        select = select.filter(in_groups(Condition::all().add(groups::Column::Name.is_in(filter.groups_by_name))));
    }
    if !filter.groups_by_pk.is_empty() {
        select = select.filter(in_groups(Condition::all().add(groups::Column::Id.is_in(filter.groups_by_pk))));
    }
    select.filter(request.search_condition(&[Expr::col(Column::Search.as_column_ref())]))
}

/// The paths of the accounts that the caller may see and that `request` finds, each once, sorted.
///
/// # Errors
/// When the database is away.
pub async fn paths(db: &impl ConnectionTrait, principal: &Principal, request: &ListRequest) -> Result<Vec<String>> {
    Ok(filtered(visible(principal), request, UserFilter::default(), db.get_database_backend())
        .select_only()
        .column(Column::Path)
        .distinct()
        .order_by_asc(Column::Path)
        .into_tuple()
        .all(db)
        .await?)
}

/// Those of `ids` that exist, with their groups, whoever asks.
///
/// # Errors
/// When the database is away.
pub async fn views(db: &impl ConnectionTrait, ids: &[i32]) -> Result<Vec<UserView>> {
    let mut found = Vec::new();
    for some in ids.chunks(MANY) {
        let select = view::only(Entity::find(), db.get_database_backend());
        found.extend(select.filter(Column::Id.is_in(some.iter().copied())).into_model::<UserView>().all(db).await?);
    }
    Ok(found)
}

/// One account that the caller may see, with its groups.
///
/// # Errors
/// [`Error::NotFound`]; otherwise when the database is away.
pub async fn view(db: &impl ConnectionTrait, principal: &Principal, id: i32) -> Result<UserView> {
    view::only(visible(principal), db.get_database_backend())
        .filter(Column::Id.eq(id))
        .into_model()
        .one(db)
        .await?
        .ok_or(Error::NotFound)
}

/// One account that the caller may see.
///
/// # Errors
/// [`Error::NotFound`]; otherwise when the database is away.
pub async fn find(db: &impl ConnectionTrait, principal: &Principal, id: i32) -> Result<Model> {
    visible(principal).filter(Column::Id.eq(id)).one(db).await?.ok_or(Error::NotFound)
}

/// As [`find`], and nobody else changes the row until the transaction ends.
///
/// # Errors
/// As [`find`].
pub async fn find_for_update(db: &impl ConnectionTrait, principal: &Principal, id: i32) -> Result<Model> {
    visible(principal).filter(Column::Id.eq(id)).lock(LockType::NoKeyUpdate).one(db).await?.ok_or(Error::NotFound)
}

/// An account, whoever asks: references are checked against all there are.
///
/// # Errors
/// When the database is away.
pub async fn by_id(db: &impl ConnectionTrait, id: i32) -> Result<Option<Model>> {
    Ok(Entity::find_by_id(id).one(db).await?)
}

/// As [`by_id`], and nobody else changes the row until the transaction ends.
///
/// # Errors
/// When the database is away.
pub async fn locked(db: &impl ConnectionTrait, id: i32) -> Result<Option<Model>> {
    Ok(Entity::find_by_id(id).lock(LockType::NoKeyUpdate).one(db).await?)
}

/// As [`by_id`], held by a lock of this kind until the transaction ends.
///
/// # Errors
/// When the database is away.
pub async fn held(db: &impl ConnectionTrait, id: i32, lock: LockType) -> Result<Option<Model>> {
    Ok(Entity::find_by_id(id).lock(lock).one(db).await?)
}

/// # Errors
/// When the database is away.
pub async fn by_username(db: &impl ConnectionTrait, username: &str) -> Result<Option<Model>> {
    Ok(Entity::find().filter(Column::Username.eq(username)).one(db).await?)
}

/// Those of `ids` that exist.
///
/// # Errors
/// When the database is away.
pub async fn existing(db: &impl ConnectionTrait, ids: &[i32]) -> Result<HashSet<i32>> {
    let mut found = HashSet::new();
    for some in ids.chunks(MANY) {
        let select = Entity::find().select_only().column(Column::Id).filter(Column::Id.is_in(some.iter().copied()));
        found.extend(select.into_tuple::<i32>().all(db).await?);
    }
    Ok(found)
}

/// Those of `names` that are usernames.
///
/// # Errors
/// When the database is away.
pub async fn existing_usernames(db: &impl ConnectionTrait, names: &[String]) -> Result<Vec<String>> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let found = Entity::find().select_only().column(Column::Username).filter(Column::Username.is_in(names));
    Ok(found.into_tuple().all(db).await?)
}

/// # Errors
/// A taken username; otherwise when the database is away.
pub async fn insert(db: &impl ConnectionTrait, user: ActiveModel) -> Result<Model> {
    user.insert(db).await.map_err(taken)
}

/// # Errors
/// As [`insert`].
pub async fn update(db: &impl ConnectionTrait, user: ActiveModel) -> Result<Model> {
    user.update(db).await.map_err(taken)
}

/// Replaces the hash alone.
///
/// # Errors
/// When the database is away.
pub async fn set_password(db: &impl ConnectionTrait, user: Model, hash: PasswordHash) -> Result<Model> {
    let mut row = user.into_active_model();
    row.password = Set(hash);
    update(db, row).await
}

/// # Errors
/// [`Error::NotFound`] when somebody else was faster.
pub async fn delete(db: &impl ConnectionTrait, id: i32) -> Result<()> {
    let gone = Entity::delete_by_id(id).exec(db).await?;
    if gone.rows_affected == 0 { Err(Error::NotFound) } else { Ok(()) }
}

fn taken(error: DbErr) -> Error {
    match unique_violation(&error) {
        Some(text) if text.contains("username") => Error::field("username", Problem::Taken(None)),
        _ => error.into(),
    }
}

/// Replaces the groups of an account.
///
/// # Errors
/// When the database is away.
pub async fn set_groups(db: &impl ConnectionTrait, user: i32, groups: &[Uuid]) -> Result<()> {
    membership::Entity::delete_many().filter(membership::Column::UserId.eq(user)).exec(db).await?;
    for some in groups.chunks(MANY) {
        let rows = some.iter().map(|id| membership::ActiveModel { user_id: Set(user), group_id: Set(*id) });
        membership::Entity::insert_many(rows).on_conflict(groups::store::once()).exec_without_returning(db).await?;
    }
    Ok(())
}
