//! Fields of a table's `settings`, which are JSON: as values that can be compared and sorted.

use sea_orm::{
    DatabaseBackend,
    sea_query::{Expr, ExprTrait as _, SimpleExpr},
};
use serde_json::Value;

/// A field of the settings of `table`. Both names are ours.
#[must_use]
pub fn setting(backend: DatabaseBackend, table: &'static str, field: &str) -> SimpleExpr {
    Expr::cust(match backend {
        // A null inside of JSON is no null to PostgreSQL, and comes first.
        DatabaseBackend::Postgres => format!("NULLIF({table}.settings -> '{field}', CAST('null' AS jsonb))"),
        _ => format!("({table}.settings ->> '$.{field}')"),
    })
}

/// Whether a field has this value.
#[must_use]
pub fn setting_is(backend: DatabaseBackend, table: &'static str, field: &str, value: Value) -> SimpleExpr {
    if backend == DatabaseBackend::Postgres {
        let template = format!("({table}.settings -> '{field}') = CAST($1 AS jsonb)");
        return Expr::cust_with_values(template, [value.to_string()]);
    }
    let field = setting(backend, table, field);
    match value {
        Value::Bool(truth) => field.eq(i32::from(truth)),
        Value::Number(number) => field.eq(number.as_i64().unwrap_or_default()),
        Value::String(text) => field.eq(text),
        other => field.eq(other.to_string()),
    }
}
