//! Filters on free-form attributes.

use super::MOST_WORDS;
use crate::error::{Error, Result};
use sea_orm::{
    DatabaseBackend,
    sea_query::{Expr, ExprTrait as _, SimpleExpr},
};
use serde_json::Value;

/// Values that a free-form `attributes` column must hold, by path (contract: authentik-core §3.2).
#[derive(Debug, Clone, PartialEq)]
pub struct AttributeFilter(Vec<(Vec<String>, Value)>);

impl AttributeFilter {
    /// Reads a JSON object; `a__b` is the path from `a` to `b`.
    ///
    /// # Errors
    /// [`Error::RefusedList`] in the contract's words.
    pub fn new(text: &str) -> Result<Self> {
        let refused = |words: &str| Error::RefusedList(format!("filter: {words}"));
        let value: Value = serde_json::from_str(text).map_err(|_| refused("failed to parse JSON"))?;
        // As escapes in the JSON: PostgreSQL cannot hold the character.
        if text.contains("\\u0000") || text.contains('\0') {
            return Err(refused("null characters are not allowed"));
        }
        if value.as_object().is_some_and(|map| map.len() > MOST_WORDS) {
            return Err(refused("too many keys"));
        }
        let Value::Object(map) = value else { return Err(refused("value must be key:value mapping")) };
        Ok(Self(map.into_iter().map(|(path, v)| (path.split("__").map(str::to_owned).collect(), v)).collect()))
    }

    /// One value, at the end of a path.
    #[must_use]
    pub fn at(path: Vec<String>, value: Value) -> Self {
        Self(vec![(path, value)])
    }

    /// The condition on `table.attributes`. Everything a caller wrote is bound, never spliced.
    #[must_use]
    pub fn condition(self, backend: DatabaseBackend, table: &'static str) -> SimpleExpr {
        self.0.into_iter().fold(Expr::val(true), |all, (path, value)| {
            let one = if backend == DatabaseBackend::Postgres {
                let template = format!("{table}.attributes #> CAST($1 AS text[]) = CAST($2 AS jsonb)");
                Expr::cust_with_values(template, [postgres_path(&path), value.to_string()])
            } else {
                let template = format!("({table}.attributes -> ?) = json(?)");
                Expr::cust_with_values(template, [sqlite_path(&path), value.to_string()])
            };
            all.and(one)
        })
    }
}

/// What is at the end of a path in `table.attributes`: as text, or NULL where there is nothing.
#[must_use]
pub fn text_at(backend: DatabaseBackend, table: &'static str, path: &[String]) -> SimpleExpr {
    if backend == DatabaseBackend::Postgres {
        Expr::cust_with_values(format!("({table}.attributes #>> CAST($1 AS text[]))"), [postgres_path(path)])
    } else {
        let template = format!("CAST(json_extract({table}.attributes, ?) AS text)");
        Expr::cust_with_values(template, [sqlite_path(path)])
    }
}

/// What is at the end of a path in `table.attributes`: as a number, or NULL where there is none.
#[must_use]
pub fn number_at(backend: DatabaseBackend, table: &'static str, path: &[String]) -> SimpleExpr {
    if backend == DatabaseBackend::Postgres {
        let template = format!(
            "(CASE jsonb_typeof({table}.attributes #> CAST($1 AS text[])) WHEN 'number' \
             THEN CAST({table}.attributes #>> CAST($2 AS text[]) AS double precision) END)"
        );
        Expr::cust_with_values(template, [postgres_path(path), postgres_path(path)])
    } else {
        let template = format!(
            "(CASE WHEN json_type({table}.attributes, ?) IN ('integer', 'real') \
             THEN json_extract({table}.attributes, ?) END)"
        );
        Expr::cust_with_values(template, [sqlite_path(path), sqlite_path(path)])
    }
}

/// `$."a"."b"`
fn sqlite_path(path: &[String]) -> String {
    path.iter().fold(String::from("$"), |text, key| format!("{text}.\"{}\"", key.replace(['"', '\\'], "")))
}

/// `{"a","b"}`
fn postgres_path(path: &[String]) -> String {
    let keys: Vec<String> =
        path.iter().map(|key| format!("\"{}\"", key.replace('\\', "\\\\").replace('"', "\\\""))).collect();
    format!("{{{}}}", keys.join(","))
}
