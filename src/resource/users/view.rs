//! An account as others see it: with its groups, in one statement and without its password.
//!
//! Listings and single reads of accounts, and of whatever belongs to one (a token), select these
//! columns beside their own; the groups are aggregated by the database, so that no read needs a
//! second statement.

use super::entity::{Column, Kind};
use sea_orm::{
    DatabaseBackend, DbErr, EntityTrait, FromQueryResult, QueryResult, QuerySelect as _, Select,
    prelude::{DateTimeUtc, Json},
    sea_query::Expr,
};
use serde::{Deserialize, Deserializer};
use uuid::Uuid;

/// A group that an account is a direct member of.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct GroupRef {
    pub id: Uuid,
    pub name: String,
    #[serde(deserialize_with = "truth")]
    pub is_superuser: bool,
    pub parent_id: Option<Uuid>,
    pub parent_name: Option<String>,
    pub attributes: serde_json::Map<String, serde_json::Value>,
}

/// SQLite has 0 and 1 where PostgreSQL has `false` and `true`.
fn truth<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Truth {
        Boolean(bool),
        Number(u8),
    }
    Ok(match Truth::deserialize(deserializer)? {
        Truth::Boolean(b) => b,
        Truth::Number(n) => n != 0,
    })
}

/// An account as others see it.
#[derive(Debug, Clone, PartialEq)]
pub struct UserView {
    pub id: i32,
    pub uuid: Uuid,
    pub username: String,
    pub name: String,
    pub email: String,
    pub is_active: bool,
    pub last_login: Option<DateTimeUtc>,
    pub path: String,
    pub kind: Kind,
    pub attributes: Json,
    /// Ordered by name.
    pub groups: Vec<GroupRef>,
}

/// How the columns of [`UserView`] are called in a result.
pub const PREFIX: &str = "u_";

const GROUPS_SQLITE: &str = "(SELECT json_group_array(json_object(\
    'id', lower(hex(g.id)), 'name', g.name, 'is_superuser', g.is_superuser, \
    'parent_id', CASE WHEN g.parent_id IS NULL THEN NULL ELSE lower(hex(g.parent_id)) END, \
    'parent_name', p.name, 'attributes', json(g.attributes))) \
    FROM user_groups m JOIN groups g ON g.id = m.group_id LEFT JOIN groups p ON p.id = g.parent_id \
    WHERE m.user_id = users.id)";

const GROUPS_POSTGRES: &str = "(SELECT coalesce(json_agg(json_build_object(\
    'id', g.id, 'name', g.name, 'is_superuser', g.is_superuser, 'parent_id', g.parent_id, \
    'parent_name', p.name, 'attributes', g.attributes)), '[]')::text \
    FROM user_groups m JOIN groups g ON g.id = m.group_id LEFT JOIN groups p ON p.id = g.parent_id \
    WHERE m.user_id = users.id)";

/// Adds the columns of [`UserView`] to a query that has the table of accounts in it.
pub fn with_columns<E: EntityTrait>(select: Select<E>, backend: DatabaseBackend) -> Select<E> {
    let groups = if backend == DatabaseBackend::Postgres { GROUPS_POSTGRES } else { GROUPS_SQLITE };
    select
        .column_as(Column::Id, "u_id")
        .column_as(Column::Uuid, "u_uuid")
        .column_as(Column::Username, "u_username")
        .column_as(Column::Name, "u_name")
        .column_as(Column::Email, "u_email")
        .column_as(Column::IsActive, "u_is_active")
        .column_as(Column::LastLogin, "u_last_login")
        .column_as(Column::Path, "u_path")
        .column_as(Column::Kind, "u_kind")
        .column_as(Column::Attributes, "u_attributes")
        .expr_as(Expr::cust(groups), "u_groups")
}

impl FromQueryResult for UserView {
    fn from_query_result(row: &QueryResult, _: &str) -> Result<Self, DbErr> {
        let groups: String = row.try_get(PREFIX, "groups")?;
        let mut groups: Vec<GroupRef> =
            serde_json::from_str(&groups).map_err(|e| DbErr::Type(format!("groups of an account: {e}")))?;
        groups.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Self {
            id: row.try_get(PREFIX, "id")?,
            uuid: row.try_get(PREFIX, "uuid")?,
            username: row.try_get(PREFIX, "username")?,
            name: row.try_get(PREFIX, "name")?,
            email: row.try_get(PREFIX, "email")?,
            is_active: row.try_get(PREFIX, "is_active")?,
            last_login: row.try_get(PREFIX, "last_login")?,
            path: row.try_get(PREFIX, "path")?,
            kind: row.try_get(PREFIX, "kind")?,
            attributes: row.try_get(PREFIX, "attributes")?,
            groups,
        })
    }
}
