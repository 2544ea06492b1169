//! Queries on grants, roles and the groups that carry them.

use super::{
    entity,
    roles::{group_role, role},
};
use crate::{access::Grants, db::MANY, error::Result, resource::groups::membership};
use sea_orm::{
    ActiveModelTrait as _,
    ActiveValue::Set,
    ColumnTrait as _, Condition, ConnectionTrait, EntityTrait as _, QueryFilter as _,
    sea_query::{Expr, ExprTrait as _, Query},
};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Who holds a grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    User(i32),
    Role(Uuid),
}

fn held_by(holder: Holder) -> Condition {
    match holder {
        Holder::User(id) => Condition::all().add(entity::Column::UserId.eq(id)),
        Holder::Role(id) => Condition::all().add(entity::Column::RoleId.eq(id)),
    }
}

fn collect(rows: Vec<entity::Model>) -> Grants {
    let mut grants = Grants::default();
    for row in rows {
        grants.add(row.permission, row.object_pk);
    }
    grants
}

/// Everything a user holds: directly, and through the roles of the groups it is a member of
/// (not of their parents: authentik-rbac §6).
pub async fn of_user(db: &impl ConnectionTrait, user: i32) -> Result<Grants> {
    let roles = Query::select()
        .column((group_role::Entity, group_role::Column::RoleId))
        .from(group_role::Entity)
        .inner_join(
            membership::Entity,
            Expr::col((membership::Entity, membership::Column::GroupId))
                .equals((group_role::Entity, group_role::Column::GroupId)),
        )
        .and_where(membership::Column::UserId.eq(user))
        .to_owned();
    let held = Condition::any().add(entity::Column::UserId.eq(user)).add(entity::Column::RoleId.in_subquery(roles));
    Ok(collect(entity::Entity::find().filter(held).all(db).await?))
}

/// What a set of roles holds together.
pub async fn of_roles(db: &impl ConnectionTrait, roles: &[Uuid]) -> Result<Grants> {
    if roles.is_empty() {
        return Ok(Grants::default());
    }
    Ok(collect(entity::Entity::find().filter(entity::Column::RoleId.is_in(roles.iter().copied())).all(db).await?))
}

/// Adds a grant unless it is there; tells whether it was new.
pub async fn add(db: &impl ConnectionTrait, holder: Holder, permission: &str, object: Option<&str>) -> Result<bool> {
    Ok(!ensure(db, holder, permission, object).await?.1)
}

/// As [`add`]; gives the grant's id, and whether it was there.
pub async fn ensure(
    db: &impl ConnectionTrait,
    holder: Holder,
    permission: &str,
    object: Option<&str>,
) -> Result<(i32, bool)> {
    let object_pk = object.map(str::to_owned);
    let same = held_by(holder).add(entity::Column::Permission.eq(permission)).add(match object {
        Some(object) => entity::Column::ObjectPk.eq(object),
        None => entity::Column::ObjectPk.is_null(),
    });
    if let Some(grant) = entity::Entity::find().filter(same).one(db).await? {
        return Ok((grant.id, true));
    }
    let (user_id, role_id) = match holder {
        Holder::User(id) => (Some(id), None),
        Holder::Role(id) => (None, Some(id)),
    };
    let grant = entity::ActiveModel {
        user_id: Set(user_id),
        role_id: Set(role_id),
        permission: Set(permission.to_owned()),
        object_pk: Set(object_pk),
        ..Default::default()
    };
    Ok((grant.insert(db).await?.id, false))
}

/// What a holder holds itself, globally.
pub async fn global_of(db: &impl ConnectionTrait, holder: Holder) -> Result<Vec<String>> {
    let held = held_by(holder).add(entity::Column::ObjectPk.is_null());
    Ok(entity::Entity::find().filter(held).all(db).await?.into_iter().map(|grant| grant.permission).collect())
}

/// Removes a grant; tells whether it was there.
pub async fn remove(db: &impl ConnectionTrait, holder: Holder, permission: &str, object: Option<&str>) -> Result<bool> {
    let same = held_by(holder).add(entity::Column::Permission.eq(permission)).add(match object {
        Some(object) => entity::Column::ObjectPk.eq(object),
        None => entity::Column::ObjectPk.is_null(),
    });
    Ok(entity::Entity::delete_many().filter(same).exec(db).await?.rows_affected > 0)
}

/// Removes every grant on some objects of a model, so that none outlives them (authentik-rbac §8, 9);
/// tells how many.
pub async fn forget_objects(
    db: &impl ConnectionTrait,
    app_label: &str,
    model: &str,
    objects: &[String],
) -> Result<u64> {
    let mut forgotten = 0;
    for some in objects.chunks(MANY) {
        let gone = entity::Entity::delete_many()
            .filter(entity::Column::ObjectPk.is_in(some))
            .filter(entity::Column::Permission.is_in(super::catalogue::of_model(app_label, model)))
            .exec(db)
            .await?;
        forgotten += gone.rows_affected;
    }
    Ok(forgotten)
}

/// As [`forget_objects`], for one.
pub async fn forget_object(db: &impl ConnectionTrait, app_label: &str, model: &str, object: &str) -> Result<u64> {
    forget_objects(db, app_label, model, &[object.to_owned()]).await
}

/// Roles by id; ids without a role are missing from the answer.
pub async fn roles(db: &impl ConnectionTrait, ids: &[Uuid]) -> Result<Vec<role::Model>> {
    let mut found = Vec::new();
    for some in ids.chunks(MANY) {
        found.extend(role::Entity::find().filter(role::Column::Id.is_in(some.iter().copied())).all(db).await?);
    }
    Ok(found)
}

pub async fn role_by_name(db: &impl ConnectionTrait, name: &str) -> Result<Option<role::Model>> {
    Ok(role::Entity::find().filter(role::Column::Name.eq(name)).one(db).await?)
}

pub async fn insert_role(db: &impl ConnectionTrait, id: Uuid, name: &str) -> Result<role::Model> {
    Ok(role::ActiveModel { id: Set(id), name: Set(name.to_owned()) }.insert(db).await?)
}

/// The group that carries each of these roles, where one does.
pub async fn carriers(db: &impl ConnectionTrait, roles: &[Uuid]) -> Result<BTreeMap<Uuid, Uuid>> {
    if roles.is_empty() {
        return Ok(BTreeMap::new());
    }
    let rows =
        group_role::Entity::find().filter(group_role::Column::RoleId.is_in(roles.iter().copied())).all(db).await?;
    Ok(rows.into_iter().map(|row| (row.role_id, row.group_id)).collect())
}

/// Replaces the roles of a group.
pub async fn set_roles_of_group(db: &impl ConnectionTrait, group: Uuid, roles: &[Uuid]) -> Result<()> {
    group_role::Entity::delete_many().filter(group_role::Column::GroupId.eq(group)).exec(db).await?;
    for role_id in roles {
        group_role::ActiveModel { role_id: Set(*role_id), group_id: Set(group) }.insert(db).await?;
    }
    Ok(())
}
