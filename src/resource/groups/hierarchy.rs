//! Who is what through groups above and below: questions that recurse, in the database's own words.
//! Loops of parents do no harm: `UNION` drops what it has seen.

use super::{Entity, Model, membership};
use crate::{db::MANY, error::Result, resource::grants::roles::group_role};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, Statement,
    sea_query::{Expr, ExprTrait as _, Query},
};
use std::collections::HashSet;
use uuid::Uuid;

/// Groups with the superuser flag, and all below them.
const SUPERUSER_GROUPS: &str = "WITH RECURSIVE below (id) AS (\
    SELECT id FROM groups WHERE is_superuser UNION \
    SELECT g.id FROM groups g JOIN below b ON g.parent_id = b.id) ";

/// Groups that an account is a member of, and all above them.
const ABOVE_USER: &str = "WITH RECURSIVE above (id) AS (\
    SELECT group_id FROM user_groups WHERE user_id = $1 UNION \
    SELECT g.parent_id FROM groups g JOIN above a ON g.id = a.id WHERE g.parent_id IS NOT NULL)";

/// Groups whose members are superusers.
///
/// # Errors
/// When the database is away.
pub async fn superuser_groups(db: &impl ConnectionTrait) -> Result<HashSet<Uuid>> {
    let sql = format!("{SUPERUSER_GROUPS} SELECT id FROM below");
    let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await?;
    Ok(rows.iter().map(|row| row.try_get("", "id")).collect::<Result<_, _>>()?)
}

/// Accounts that are superusers.
///
/// # Errors
/// When the database is away.
pub async fn superusers(db: &impl ConnectionTrait) -> Result<HashSet<i32>> {
    let sql =
        format!("{SUPERUSER_GROUPS} SELECT DISTINCT m.user_id FROM user_groups m JOIN below b ON m.group_id = b.id");
    let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await?;
    Ok(rows.iter().map(|row| row.try_get("", "user_id")).collect::<Result<_, _>>()?)
}

/// Whether this account is a superuser.
///
/// # Errors
/// When the database is away.
pub async fn is_superuser(db: &impl ConnectionTrait, user: i32) -> Result<bool> {
    let sql = format!(
        "{SUPERUSER_GROUPS} SELECT 1 AS found FROM user_groups m JOIN below b ON m.group_id = b.id \
         WHERE m.user_id = $1 LIMIT 1"
    );
    let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, [user.into()]);
    Ok(db.query_one_raw(statement).await?.is_some())
}

/// Whether any account that can sign in is a superuser.
///
/// # Errors
/// When the database is away.
pub async fn has_active_superuser(db: &impl ConnectionTrait) -> Result<bool> {
    let sql = format!(
        "{SUPERUSER_GROUPS} SELECT 1 AS found FROM user_groups m JOIN below b ON m.group_id = b.id \
         JOIN users u ON u.id = m.user_id WHERE u.is_active LIMIT 1"
    );
    Ok(db.query_one_raw(Statement::from_string(db.get_database_backend(), sql)).await?.is_some())
}

/// Groups that an account is a member of, and all above them.
///
/// # Errors
/// When the database is away.
pub async fn with_ancestors(db: &impl ConnectionTrait, user: i32) -> Result<Vec<Model>> {
    let sql = format!("{ABOVE_USER} SELECT groups.* FROM groups JOIN above ON groups.id = above.id");
    let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, [user.into()]);
    Ok(Entity::find().from_raw_sql(statement).all(db).await?)
}

/// Ids of the groups that an account is a member of, and of all above them.
///
/// # Errors
/// When the database is away.
pub async fn ids_with_ancestors(db: &impl ConnectionTrait, user: i32) -> Result<HashSet<Uuid>> {
    let sql = format!("{ABOVE_USER} SELECT id FROM above");
    let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, [user.into()]);
    let rows = db.query_all_raw(statement).await?;
    Ok(rows.iter().map(|row| row.try_get("", "id")).collect::<Result<_, _>>()?)
}

/// Ids of a group and of everything above it.
///
/// # Errors
/// When the database is away.
pub async fn ancestry(db: &impl ConnectionTrait, id: Uuid) -> Result<HashSet<Uuid>> {
    let sql = "WITH RECURSIVE above (id) AS (SELECT id FROM groups WHERE id = $1 UNION \
        SELECT g.parent_id FROM groups g JOIN above a ON g.id = a.id WHERE g.parent_id IS NOT NULL) \
        SELECT id FROM above";
    let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, [id.into()]);
    let rows = db.query_all_raw(statement).await?;
    Ok(rows.iter().map(|row| row.try_get("", "id")).collect::<Result<_, _>>()?)
}

/// Which group carries which role.
///
/// # Errors
/// When the database is away.
pub async fn roles_carried(db: &impl ConnectionTrait) -> Result<HashSet<(Uuid, Uuid)>> {
    let rows = group_role::Entity::find().all(db).await?;
    Ok(rows.into_iter().map(|row| (row.group_id, row.role_id)).collect())
}

/// Which roles reach these accounts.
///
/// # Errors
/// When the database is away.
pub async fn roles_reaching(db: &impl ConnectionTrait, users: &[i32]) -> Result<HashSet<(i32, Uuid)>> {
    let mut reaching = HashSet::new();
    for some in users.chunks(MANY) {
        let on = Expr::col((membership::Entity, membership::Column::GroupId))
            .equals((group_role::Entity, group_role::Column::GroupId));
        let query = Query::select()
            .column((membership::Entity, membership::Column::UserId))
            .column((group_role::Entity, group_role::Column::RoleId))
            .from(membership::Entity)
            .inner_join(group_role::Entity, on)
            .and_where(membership::Column::UserId.is_in(some.iter().copied()))
            .to_owned();
        for row in db.query_all(&query).await? {
            reaching.insert((row.try_get("", "user_id")?, row.try_get("", "role_id")?));
        }
    }
    Ok(reaching)
}
