//! Queries on groups and memberships. Every query of a caller starts at [`visible`].

use super::{
    entity::{ActiveModel, Column, Entity, Model},
    membership,
};
use crate::{
    access::{Principal, Visible, code},
    db::MANY,
    error::{Error, Problem, Result, unique_violation},
    list::{AttributeFilter, ListRequest, OrderColumn, Page},
    resource::{
        grants::roles::{group_role, role},
        users,
    },
};
use sea_orm::{
    ActiveModelTrait as _,
    ActiveValue::Set,
    ColumnTrait as _, Condition, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, Select,
    prelude::{DateTimeUtc, Json},
    sea_query::{Expr, ExprTrait as _, LockType, OnConflict, Query},
};
use std::collections::{BTreeMap, HashSet};
use uuid::Uuid;

/// What a listing of groups may be narrowed by (contract: authentik-core §4.1).
#[derive(Debug, Clone, Default)]
pub struct GroupFilter {
    pub name: Option<String>,
    pub is_superuser: Option<bool>,
    /// Groups with any of these members.
    pub members_by_pk: Vec<i32>,
    pub members_by_username: Vec<String>,
    pub attributes: Option<AttributeFilter>,
}

/// A direct member, as a group shows it.
#[derive(Debug, Clone, PartialEq, sea_orm::FromQueryResult)]
pub struct Member {
    pub group_id: Uuid,
    pub id: i32,
    pub username: String,
    pub name: String,
    pub is_active: bool,
    pub last_login: Option<DateTimeUtc>,
    pub email: String,
    pub attributes: Json,
}

/// A role, as a group shows it.
#[derive(Debug, Clone, PartialEq, Eq, sea_orm::FromQueryResult)]
pub struct RoleRef {
    pub group_id: Uuid,
    pub id: Uuid,
    pub name: String,
}

/// A group with what belongs to it.
#[derive(Debug, Clone)]
pub struct GroupView {
    pub group: Model,
    pub parent_name: Option<String>,
    pub members: Vec<Member>,
    pub roles: Vec<RoleRef>,
}

/// Groups that exist for this caller.
fn visible(principal: &Principal) -> Select<Entity> {
    match principal.visible(code::VIEW_GROUP) {
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
        "attributes" => OrderColumn::of(Column::Attributes),
        "is_superuser" => OrderColumn::of(Column::IsSuperuser),
        "parent" => OrderColumn::nullable(Column::ParentId),
        "parent__name" => OrderColumn::computed(Expr::cust(
            "(SELECT parents.name FROM groups AS parents WHERE parents.id = groups.parent_id)",
        )),
        _ => return None,
    })
}

/// One page of the groups that the caller may see.
///
/// # Errors
/// [`Error::InvalidPage`]; otherwise when the database is away.
pub async fn list(
    db: &impl ConnectionTrait,
    principal: &Principal,
    request: &ListRequest,
    filter: GroupFilter,
) -> Result<Page<GroupView>> {
    let GroupFilter { name, is_superuser, members_by_pk, members_by_username, attributes } = filter;
    let mut select = visible(principal);
    let own = [
        name.map(|v| Column::Name.eq(v)),
        is_superuser.map(|v| Column::IsSuperuser.eq(v)),
        attributes.map(|a| a.condition(db.get_database_backend(), "groups")),
        Some(Column::Id.in_subquery(with_members(users::Column::Id.is_in(members_by_pk.clone()))))
            .filter(|_| !members_by_pk.is_empty()),
        Some(Column::Id.in_subquery(with_members(users::Column::Username.is_in(members_by_username.clone()))))
            .filter(|_| !members_by_username.is_empty()),
    ];
    for condition in own.into_iter().flatten() {
        select = select.filter(condition);
    }
    let select = select.filter(request.search_condition(&[Expr::col(Column::Search.as_column_ref())]));
    let ordered = request.order(select.clone(), order_column, &["name"], Column::Id);
    let page: Page<Model> = request.fetch(db, select, ordered).await?;
    let Page { items, count, number, pages, size } = page;
    Ok(Page { items: completed(db, items).await?, count, number, pages, size })
}

/// Groups with a direct member that `condition` (on accounts) selects.
fn with_members(condition: sea_orm::sea_query::SimpleExpr) -> sea_orm::sea_query::SelectStatement {
    Query::select()
        .column((membership::Entity, membership::Column::GroupId))
        .from(membership::Entity)
        .inner_join(
            users::Entity,
            Expr::col((users::Entity, users::Column::Id)).equals((membership::Entity, membership::Column::UserId)),
        )
        .and_where(condition)
        .to_owned()
}

/// Adds to groups what belongs to them: one query each for parents, members and roles.
async fn completed(db: &impl ConnectionTrait, groups: Vec<Model>) -> Result<Vec<GroupView>> {
    let ids: Vec<Uuid> = groups.iter().map(|g| g.id).collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let above: Vec<Uuid> = groups.iter().filter_map(|g| g.parent_id).collect();
    let mut parents: BTreeMap<Uuid, String> = BTreeMap::new();
    for some in above.chunks(MANY) {
        let found = Entity::find().filter(Column::Id.is_in(some.iter().copied())).all(db).await?;
        parents.extend(found.into_iter().map(|g| (g.id, g.name)));
    }
    let mut members: BTreeMap<Uuid, Vec<Member>> = BTreeMap::new();
    for some in ids.chunks(MANY) {
        for member in members_of(db, some).await? {
            members.entry(member.group_id).or_default().push(member);
        }
    }
    let mut roles: BTreeMap<Uuid, Vec<RoleRef>> = BTreeMap::new();
    for some in ids.chunks(MANY) {
        for role in roles_of(db, some).await? {
            roles.entry(role.group_id).or_default().push(role);
        }
    }
    Ok(groups
        .into_iter()
        .map(|group| GroupView {
            parent_name: group.parent_id.and_then(|id| parents.get(&id).cloned()),
            members: members.remove(&group.id).unwrap_or_default(),
            roles: roles.remove(&group.id).unwrap_or_default(),
            group,
        })
        .collect())
}

async fn members_of(db: &impl ConnectionTrait, groups: &[Uuid]) -> Result<Vec<Member>> {
    let on = Expr::col((users::Entity, users::Column::Id)).equals((membership::Entity, membership::Column::UserId));
    let mut query = Query::select();
    query
        .column((membership::Entity, membership::Column::GroupId))
        .from(membership::Entity)
        .inner_join(users::Entity, on);
    for column in [
        users::Column::Id,
        users::Column::Username,
        users::Column::Name,
        users::Column::IsActive,
        users::Column::LastLogin,
        users::Column::Email,
        users::Column::Attributes,
    ] {
        query.column((users::Entity, column));
    }
    query
        .and_where(membership::Column::GroupId.is_in(groups.iter().copied()))
        .order_by((users::Entity, users::Column::Id), sea_orm::Order::Asc);
    Ok(sea_orm::FromQueryResult::find_by_statement(db.get_database_backend().build(&query)).all(db).await?)
}

async fn roles_of(db: &impl ConnectionTrait, groups: &[Uuid]) -> Result<Vec<RoleRef>> {
    let on = Expr::col((role::Entity, role::Column::Id)).equals((group_role::Entity, group_role::Column::RoleId));
    let query = Query::select()
        .column((group_role::Entity, group_role::Column::GroupId))
        .column((role::Entity, role::Column::Id))
        .column((role::Entity, role::Column::Name))
        .from(group_role::Entity)
        .inner_join(role::Entity, on)
        .and_where(group_role::Column::GroupId.is_in(groups.iter().copied()))
        .order_by((role::Entity, role::Column::Name), sea_orm::Order::Asc)
        .to_owned();
    Ok(sea_orm::FromQueryResult::find_by_statement(db.get_database_backend().build(&query)).all(db).await?)
}

/// Those of `ids` that exist, with what belongs to them, whoever asks.
///
/// # Errors
/// When the database is away.
pub async fn views(db: &impl ConnectionTrait, ids: &[Uuid]) -> Result<Vec<GroupView>> {
    let mut found = Vec::new();
    for some in ids.chunks(MANY) {
        found.extend(Entity::find().filter(Column::Id.is_in(some.iter().copied())).all(db).await?);
    }
    completed(db, found).await
}

/// One group that the caller may see, with what belongs to it.
///
/// # Errors
/// [`Error::NotFound`]; otherwise when the database is away.
pub async fn view(db: &impl ConnectionTrait, principal: &Principal, id: Uuid) -> Result<GroupView> {
    let group = find(db, principal, id).await?;
    completed(db, vec![group]).await?.pop().ok_or(Error::NotFound)
}

/// One group that the caller may see.
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

/// Groups by name; names without a group are missing from the answer.
///
/// # Errors
/// When the database is away.
pub async fn by_names(db: &impl ConnectionTrait, names: &[String]) -> Result<Vec<Model>> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    Ok(Entity::find().filter(Column::Name.is_in(names)).all(db).await?)
}

/// Those of `ids` that exist.
///
/// # Errors
/// When the database is away.
pub async fn existing(db: &impl ConnectionTrait, ids: &[Uuid]) -> Result<HashSet<Uuid>> {
    let mut found = HashSet::new();
    for some in ids.chunks(MANY) {
        let select = Entity::find().select_only().column(Column::Id).filter(Column::Id.is_in(some.iter().copied()));
        found.extend(select.into_tuple::<Uuid>().all(db).await?);
    }
    Ok(found)
}

/// Groups whose parent this one is, as far as the caller may see them.
///
/// # Errors
/// When the database is away.
pub async fn children(db: &impl ConnectionTrait, principal: &Principal, id: Uuid) -> Result<Vec<Model>> {
    Ok(visible(principal).filter(Column::ParentId.eq(id)).order_by_asc(Column::Name).all(db).await?)
}

/// Groups of an account that the caller may see.
///
/// # Errors
/// When the database is away.
pub async fn of_user(db: &impl ConnectionTrait, principal: &Principal, user: i32) -> Result<Vec<Model>> {
    let direct = Query::select()
        .column(membership::Column::GroupId)
        .from(membership::Entity)
        .and_where(membership::Column::UserId.eq(user))
        .to_owned();
    Ok(visible(principal).filter(Column::Id.in_subquery(direct)).order_by_asc(Column::Name).all(db).await?)
}

/// # Errors
/// A taken name; otherwise when the database is away.
pub async fn insert(db: &impl ConnectionTrait, group: ActiveModel) -> Result<Model> {
    group.insert(db).await.map_err(taken)
}

/// # Errors
/// As [`insert`].
pub async fn update(db: &impl ConnectionTrait, group: ActiveModel) -> Result<Model> {
    group.update(db).await.map_err(taken)
}

/// # Errors
/// [`Error::NotFound`] when somebody else was faster.
pub async fn delete(db: &impl ConnectionTrait, id: Uuid) -> Result<()> {
    let gone = Entity::delete_by_id(id).exec(db).await?;
    if gone.rows_affected == 0 { Err(Error::NotFound) } else { Ok(()) }
}

fn taken(error: DbErr) -> Error {
    match unique_violation(&error) {
        Some(text) if text.contains("name") => Error::field("name", Problem::Taken(None)),
        _ => error.into(),
    }
}

/// A membership that somebody else made at the same moment is the same membership.
#[must_use]
pub fn once() -> OnConflict {
    OnConflict::columns([membership::Column::UserId, membership::Column::GroupId]).do_nothing().to_owned()
}

/// Replaces the members of a group.
///
/// # Errors
/// When the database is away.
pub async fn set_members(db: &impl ConnectionTrait, group: Uuid, users: &[i32]) -> Result<()> {
    membership::Entity::delete_many().filter(membership::Column::GroupId.eq(group)).exec(db).await?;
    for some in users.chunks(MANY) {
        let rows = some.iter().map(|id| membership::ActiveModel { user_id: Set(*id), group_id: Set(group) });
        membership::Entity::insert_many(rows).on_conflict(once()).exec_without_returning(db).await?;
    }
    Ok(())
}

/// Makes an account a member; being one already is no fault.
///
/// # Errors
/// When the database is away.
pub async fn add_member(db: &impl ConnectionTrait, group: Uuid, user: i32) -> Result<()> {
    let row = membership::ActiveModel { user_id: Set(user), group_id: Set(group) };
    membership::Entity::insert(row).on_conflict(once()).exec_without_returning(db).await?;
    Ok(())
}

/// Ends a membership, if there is one.
///
/// # Errors
/// When the database is away.
pub async fn remove_member(db: &impl ConnectionTrait, group: Uuid, user: i32) -> Result<()> {
    membership::Entity::delete_by_id((user, group)).exec(db).await?;
    Ok(())
}

/// Direct members of a group.
///
/// # Errors
/// When the database is away.
pub async fn member_ids(db: &impl ConnectionTrait, group: Uuid) -> Result<Vec<i32>> {
    let direct = Condition::all().add(membership::Column::GroupId.eq(group));
    Ok(membership::Entity::find()
        .select_only()
        .column(membership::Column::UserId)
        .filter(direct)
        .into_tuple()
        .all(db)
        .await?)
}
