//! An account as others see it: with its groups, in one statement and without its password.
//!
//! The database writes the account and its groups as one JSON text. That is one statement instead of
//! one per level, and one column instead of a dozen: most of what a small read costs is the handing
//! over of columns. Whatever belongs to an account (a token) puts the same text into its own.

use super::entity::Kind;
use sea_orm::{
    DatabaseBackend, DbErr, EntityTrait, FromQueryResult, QueryResult, QuerySelect as _, Select, prelude::DateTimeUtc,
    sea_query::Expr,
};
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::{Map, Value};
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
    pub attributes: Map<String, Value>,
}

/// An account as others see it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct UserView {
    pub id: i32,
    pub uuid: Uuid,
    pub username: String,
    pub name: String,
    pub email: String,
    #[serde(deserialize_with = "truth")]
    pub is_active: bool,
    pub last_login: Option<DateTimeUtc>,
    pub path: String,
    pub kind: Kind,
    pub attributes: Map<String, Value>,
    /// Ordered by name.
    #[serde(deserialize_with = "by_name")]
    pub groups: Vec<GroupRef>,
}

/// SQLite has 0 and 1 where PostgreSQL has `false` and `true`.
///
/// # Errors
/// When it is neither.
pub fn truth<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
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

fn by_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<GroupRef>, D::Error> {
    let mut groups = Vec::<GroupRef>::deserialize(deserializer)?;
    groups.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(groups)
}

/// The column that holds a view.
pub const COLUMN: &str = "view";

const SQLITE: &str = "json_object(\
    'id', users.id, 'uuid', lower(hex(users.uuid)), 'username', users.username, 'name', users.name, \
    'email', users.email, 'is_active', users.is_active, 'last_login', users.last_login, 'path', users.path, \
    'kind', users.type, 'attributes', json(users.attributes), 'groups', json((SELECT json_group_array(json_object(\
    'id', lower(hex(g.id)), 'name', g.name, 'is_superuser', g.is_superuser, \
    'parent_id', CASE WHEN g.parent_id IS NULL THEN NULL ELSE lower(hex(g.parent_id)) END, \
    'parent_name', p.name, 'attributes', json(g.attributes))) \
    FROM user_groups m JOIN groups g ON g.id = m.group_id LEFT JOIN groups p ON p.id = g.parent_id \
    WHERE m.user_id = users.id)))";

const POSTGRES: &str = "json_build_object(\
    'id', users.id, 'uuid', users.uuid, 'username', users.username, 'name', users.name, \
    'email', users.email, 'is_active', users.is_active, 'last_login', users.last_login, 'path', users.path, \
    'kind', users.type, 'attributes', users.attributes, 'groups', (SELECT coalesce(json_agg(json_build_object(\
    'id', g.id, 'name', g.name, 'is_superuser', g.is_superuser, 'parent_id', g.parent_id, \
    'parent_name', p.name, 'attributes', g.attributes)), '[]') \
    FROM user_groups m JOIN groups g ON g.id = m.group_id LEFT JOIN groups p ON p.id = g.parent_id \
    WHERE m.user_id = users.id))";

/// The SQL that makes the JSON of an account; the table of accounts must be in the query.
#[must_use]
pub const fn sql(backend: DatabaseBackend) -> &'static str {
    match backend {
        DatabaseBackend::Postgres => POSTGRES,
        _ => SQLITE,
    }
}

/// Selects the view alone.
pub fn only<E: EntityTrait>(select: Select<E>, backend: DatabaseBackend) -> Select<E> {
    let text = format!("CAST({} AS text)", sql(backend));
    select.select_only().expr_as(Expr::cust(text), COLUMN)
}

/// Reads a view from the column that holds it.
///
/// # Errors
/// When the text is not what [`sql`] makes.
pub fn read<T: DeserializeOwned>(row: &QueryResult) -> Result<T, DbErr> {
    let text: String = row.try_get("", COLUMN)?;
    serde_json::from_str(&text).map_err(|e| DbErr::Type(format!("a view: {e}")))
}

impl FromQueryResult for UserView {
    fn from_query_result(row: &QueryResult, _: &str) -> Result<Self, DbErr> {
        read(row)
    }
}
