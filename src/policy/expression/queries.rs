//! Lookups as Django writes them (`name__iexact='x'`), as conditions. Every value is bound; a field that is
//! not in the tables below does not exist.

use crate::{
    expression::Raised,
    list::{self, AttributeFilter},
    resource::{
        groups::{self, membership},
        users,
    },
};
use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use sea_orm::{
    Condition, DatabaseBackend, IdenStatic as _,
    sea_query::{Expr, ExprTrait as _, Func, Query, SelectStatement, SimpleExpr},
};
use serde_json::{Map, Value};
use uuid::Uuid;

/// Most values of one `in`.
const MOST_VALUES: usize = 500;
/// Most steps from one object to the next in one lookup.
const MOST_STEPS: usize = 4;

/// What is looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Model {
    User,
    Group,
}

#[derive(Clone, Copy)]
enum Kind {
    Integer,
    Uuid,
    Text,
    Boolean,
    Instant,
}

/// What a name stands for.
enum Field {
    Column(SimpleExpr, Kind),
    /// A text, and the column that has it in lower case.
    Folded(SimpleExpr, SimpleExpr),
    Attributes,
    /// Other objects; the condition is on their keys.
    Related(Model, Relation),
}

#[derive(Clone, Copy)]
enum Relation {
    Groups,
    Members,
    Parent,
    Children,
}

const USER_FIELDS: &str = "ak_groups, attributes, date_joined, email, groups, id, is_active, last_login, name, \
    password_change_date, path, pk, type, username, uuid";
const GROUP_FIELDS: &str = "attributes, children, group_uuid, is_superuser, name, parent, parent_id, pk, users";

fn column(column: impl sea_orm::ColumnTrait) -> SimpleExpr {
    Expr::col(column.as_column_ref())
}

fn field(model: Model, name: &str) -> Option<Field> {
    use groups::Column as G;
    use users::Column as U;
    Some(match (model, name) {
        (Model::User, "pk" | "id") => Field::Column(column(U::Id), Kind::Integer),
        (Model::User, "uuid") => Field::Column(column(U::Uuid), Kind::Uuid),
        (Model::User, "username") => Field::Folded(column(U::Username), column(U::UsernameFolded)),
        (Model::User, "name") => Field::Column(column(U::Name), Kind::Text),
        (Model::User, "email") => Field::Column(column(U::Email), Kind::Text),
        (Model::User, "path") => Field::Column(column(U::Path), Kind::Text),
        (Model::User, "type") => Field::Column(column(U::Kind), Kind::Text),
        (Model::User, "is_active") => Field::Column(column(U::IsActive), Kind::Boolean),
        (Model::User, "last_login") => Field::Column(column(U::LastLogin), Kind::Instant),
        (Model::User, "date_joined") => Field::Column(column(U::DateJoined), Kind::Instant),
        (Model::User, "password_change_date") => Field::Column(column(U::PasswordChangeDate), Kind::Instant),
        (Model::User, "ak_groups" | "groups") => Field::Related(Model::Group, Relation::Groups),
        (Model::Group, "pk" | "group_uuid") => Field::Column(column(G::Id), Kind::Uuid),
        (Model::Group, "name") => Field::Column(column(G::Name), Kind::Text),
        (Model::Group, "is_superuser") => Field::Column(column(G::IsSuperuser), Kind::Boolean),
        (Model::Group, "parent_id") => Field::Column(column(G::ParentId), Kind::Uuid),
        (Model::Group, "parent") => Field::Related(Model::Group, Relation::Parent),
        (Model::Group, "children") => Field::Related(Model::Group, Relation::Children),
        (Model::Group, "users") => Field::Related(Model::User, Relation::Members),
        (_, "attributes") => Field::Attributes,
        _ => return None,
    })
}

/// The column that a result is ordered by.
///
/// # Errors
/// When there is no such field.
pub fn order_column(model: Model, name: &str) -> Result<SimpleExpr, Raised> {
    match field(model, name) {
        Some(Field::Column(column, _) | Field::Folded(column, _)) => Ok(column),
        _ => Err(unknown(model, name)),
    }
}

fn unknown(model: Model, name: &str) -> Raised {
    let choices = match model {
        Model::User => USER_FIELDS,
        Model::Group => GROUP_FIELDS,
    };
    Raised::value(format!("Cannot resolve keyword '{name}' into field. Choices are: {choices}"))
}

/// The condition that all of some lookups hold.
///
/// # Errors
/// In Django's words, as an exception of the expression.
pub fn condition(backend: DatabaseBackend, model: Model, lookups: &Map<String, Value>) -> Result<Condition, Raised> {
    let mut all = Condition::all();
    for (path, value) in lookups {
        if path.contains('\0') {
            return Err(Raised::value("A string literal cannot contain NUL (0x00) characters."));
        }
        let steps: Vec<&str> = path.split("__").collect();
        all = all.add(one(backend, model, &steps, value, MOST_STEPS)?);
    }
    Ok(all)
}

fn one(
    backend: DatabaseBackend,
    model: Model,
    steps: &[&str],
    value: &Value,
    left: usize,
) -> Result<SimpleExpr, Raised> {
    if contains_nul(value) {
        return Err(Raised::value("A string literal cannot contain NUL (0x00) characters."));
    }
    let [name, rest @ ..] = steps else { return Err(unknown(model, "")) };
    match field(model, name).ok_or_else(|| unknown(model, name))? {
        Field::Column(column, kind) => scalar(&column, None, kind, operator(name, rest)?, name, value),
        Field::Folded(column, folded) => scalar(&column, Some(&folded), Kind::Text, operator(name, rest)?, name, value),
        Field::Attributes => attributes(backend, model, rest, value),
        Field::Related(_, _) if left == 0 => Err(Raised::value("A lookup goes through too many objects.")),
        Field::Related(other, relation) => {
            if let (["isnull"], Value::Bool(null)) = (rest, value) {
                let any = related(relation, Condition::all());
                return Ok(if *null { any.not() } else { any });
            }
            if rest.is_empty() && value.is_null() {
                return Ok(related(relation, Condition::all()).not());
            }
            let nested: &[&str] = match rest {
                [] | ["exact"] => &["pk"],
                ["in"] => &["pk", "in"],
                rest => rest,
            };
            let inner = one(backend, other, nested, value, left - 1)?;
            Ok(related(relation, Condition::all().add(inner)))
        }
    }
}

/// Objects that are related to one for which `condition` holds.
fn related(relation: Relation, condition: Condition) -> SimpleExpr {
    use groups::Column as G;
    use membership::Column as M;
    let members = |key: M, select: SelectStatement| {
        let via = if matches!(key, M::UserId) { M::GroupId } else { M::UserId };
        Query::select()
            .column((membership::Entity, key))
            .from(membership::Entity)
            .and_where(Expr::col((membership::Entity, via)).in_subquery(select))
            .to_owned()
    };
    // Subqueries name their tables again, which hides the outer ones: that is meant.
    let group_keys = |key: G, condition: Condition| {
        Query::select().column((groups::Entity, key)).from(groups::Entity).cond_where(condition).to_owned()
    };
    match relation {
        Relation::Groups => column(users::Column::Id).in_subquery(members(M::UserId, group_keys(G::Id, condition))),
        Relation::Members => {
            let users = Query::select()
                .column((users::Entity, users::Column::Id))
                .from(users::Entity)
                .cond_where(condition)
                .to_owned();
            column(G::Id).in_subquery(members(M::GroupId, users))
        }
        Relation::Parent => column(G::ParentId).in_subquery(group_keys(G::Id, condition)),
        Relation::Children => {
            let named = condition.add(column(G::ParentId).is_not_null());
            column(G::Id).in_subquery(group_keys(G::ParentId, named))
        }
    }
}

/// The one operator after a field; `exact` when there is none.
fn operator<'s>(name: &str, rest: &[&'s str]) -> Result<&'s str, Raised> {
    match rest {
        [] => Ok("exact"),
        [operator] => Ok(operator),
        [first, ..] => Err(unsupported(first, name)),
    }
}

fn unsupported(lookup: &str, name: &str) -> Raised {
    Raised::value(format!("Unsupported lookup '{lookup}' for field '{name}' or join on the field not permitted."))
}

fn scalar(
    column: &SimpleExpr,
    folded: Option<&SimpleExpr>,
    kind: Kind,
    operator: &str,
    name: &str,
    value: &Value,
) -> Result<SimpleExpr, Raised> {
    let column = || column.clone();
    match (operator, value) {
        ("exact" | "iexact", Value::Null) | ("isnull", Value::Bool(true)) => return Ok(column().is_null()),
        ("isnull", Value::Bool(false)) => return Ok(column().is_not_null()),
        ("in", Value::Array(items)) => {
            let values = some(items)?.iter().filter(|item| !item.is_null()).map(|item| bound(kind, name, item));
            return Ok(column().is_in(values.collect::<Result<Vec<_>, _>>()?));
        }
        ("in", _) => return Err(Raised::value(format!("Field '{name}' expected a list of values."))),
        _ => {}
    }
    if matches!(kind, Kind::Text) && !matches!(operator, "exact" | "gt" | "gte" | "lt" | "lte") {
        let lower = folded.cloned().unwrap_or_else(|| Func::lower(column()).into());
        return textual(&column(), &lower, operator, &text(value)).ok_or_else(|| unsupported(operator, name));
    }
    let value = bound(kind, name, value)?;
    Ok(match operator {
        "exact" => column().eq(value),
        "iexact" if !matches!(kind, Kind::Text) => column().eq(value),
        "gt" => column().gt(value),
        "gte" => column().gte(value),
        "lt" => column().lt(value),
        "lte" => column().lte(value),
        _ => return Err(unsupported(operator, name)),
    })
}

/// Operators on texts. `lower` is the column in lower case.
fn textual(column: &SimpleExpr, lower: &SimpleExpr, operator: &str, value: &str) -> Option<SimpleExpr> {
    let (column, value, operator) = match operator.strip_prefix('i') {
        Some(rest @ ("exact" | "contains" | "startswith" | "endswith")) => (lower.clone(), value.to_lowercase(), rest),
        _ => (column.clone(), value.to_owned(), operator),
    };
    Some(match operator {
        "exact" => column.eq(value),
        "startswith" => list::starts_with(column, &value),
        "endswith" => list::ends_with(column, &value),
        "contains" => list::holds(column, &value),
        _ => return None,
    })
}

/// Lookups within `attributes`: the rest of the path, up to an operator.
fn attributes(backend: DatabaseBackend, model: Model, rest: &[&str], value: &Value) -> Result<SimpleExpr, Raised> {
    let table = match model {
        Model::User => users::Entity.as_str(),
        Model::Group => groups::Entity.as_str(),
    };
    let (keys, operator) = match rest {
        [keys @ .., last] if !keys.is_empty() && OPERATORS.contains(last) => (keys, *last),
        keys => (keys, "exact"),
    };
    if keys.is_empty() {
        return Err(unsupported(rest.first().unwrap_or(&"exact"), "attributes"));
    }
    let path: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
    let equal = |value: &Value| AttributeFilter::at(path.clone(), value.clone()).condition(backend, table);
    Ok(match (operator, value) {
        ("exact", value) => equal(value),
        ("in", Value::Array(items)) => some(items)?.iter().fold(Expr::val(false), |any, item| any.or(equal(item))),
        ("isnull", Value::Bool(null)) => {
            let there = list::text_at(backend, table, &path);
            if *null { there.is_null() } else { there.is_not_null() }
        }
        ("gt" | "gte" | "lt" | "lte", Value::Number(number)) => {
            let (held, number) = (list::number_at(backend, table, &path), number.as_f64().unwrap_or_default());
            match operator {
                "gt" => held.gt(number),
                "gte" => held.gte(number),
                "lt" => held.lt(number),
                _ => held.lte(number),
            }
        }
        (operator, value) => {
            let held = list::text_at(backend, table, &path);
            let lower = Func::lower(held.clone()).into();
            textual(&held, &lower, operator, &text(value)).ok_or_else(|| unsupported(operator, keys[keys.len() - 1]))?
        }
    })
}

/// What ends a path into `attributes`.
const OPERATORS: [&str; 14] = [
    "exact",
    "iexact",
    "contains",
    "icontains",
    "startswith",
    "istartswith",
    "endswith",
    "iendswith",
    "in",
    "isnull",
    "gt",
    "gte",
    "lt",
    "lte",
];

fn some(items: &[Value]) -> Result<&[Value], Raised> {
    if items.len() > MOST_VALUES {
        return Err(Raised::value(format!("A lookup has more than {MOST_VALUES} values.")));
    }
    Ok(items)
}

/// A value for a column of this kind.
fn bound(kind: Kind, name: &str, value: &Value) -> Result<SimpleExpr, Raised> {
    let name = if name == "pk" { "id" } else { name };
    let shown = || match value {
        Value::String(text) => format!("'{text}'"),
        other => other.to_string(),
    };
    Ok(match kind {
        Kind::Integer => {
            let number = match value {
                Value::Number(number) => number.as_i64(),
                Value::String(text) => text.trim().parse().ok(),
                _ => None,
            };
            Expr::val(
                number
                    .ok_or_else(|| Raised::value(format!("Field '{name}' expected a number but got {}.", shown())))?,
            )
        }
        Kind::Uuid => {
            let id = value.as_str().and_then(|text| text.parse::<Uuid>().ok());
            Expr::val(id.ok_or_else(|| Raised::value(format!("['“{}” is not a valid UUID.']", text(value))))?)
        }
        Kind::Boolean => match value {
            Value::Bool(truth) => Expr::val(*truth),
            _ => return Err(Raised::value(format!("['“{}” value must be either True or False.']", text(value)))),
        },
        Kind::Text => Expr::val(text(value)),
        Kind::Instant => {
            let at = value.as_str().and_then(instant);
            let said = || {
                format!(
                    "['“{}” value has an invalid format. It must be in YYYY-MM-DD HH:MM[:ss[.uuuuuu]][TZ] format.']",
                    text(value)
                )
            };
            Expr::val(at.ok_or_else(|| Raised::value(said()))?)
        }
    })
}

/// A time as Python writes it; without an offset it is in UTC.
fn instant(text: &str) -> Option<DateTime<Utc>> {
    let naive = || {
        let formats = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"];
        formats
            .iter()
            .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
            .or_else(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0))
            .map(|naive| naive.and_utc())
    };
    DateTime::parse_from_rfc3339(text).map(|at| at.to_utc()).ok().or_else(naive)
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        other => other.to_string(),
    }
}

fn contains_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(contains_nul),
        Value::Object(map) => map.iter().any(|(key, value)| key.contains('\0') || contains_nul(value)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sea_orm::sea_query::SqliteQueryBuilder;
    use serde_json::json;

    fn sql(model: Model, lookups: Value) -> String {
        let lookups = lookups.as_object().expect("an object").clone();
        match condition(DatabaseBackend::Sqlite, model, &lookups) {
            Ok(condition) => {
                let select = Query::select().expr(Expr::val(1)).cond_where(condition).to_owned();
                select.build(SqliteQueryBuilder).0
            }
            Err(raised) => raised.text,
        }
    }

    #[test]
    fn values_are_bound() {
        let nasty = "'; DROP TABLE users; --";
        for lookup in ["name", "name__iexact", "username__icontains", "attributes__a__b", "attributes__a__startswith"] {
            assert!(!sql(Model::User, json!({lookup: nasty})).contains("DROP"), "{lookup}");
        }
        assert!(!sql(Model::User, json!({"attributes__a\"b'c": 1})).contains("b'c"));
    }

    #[test]
    fn what_does_not_exist_is_told() {
        let said = sql(Model::Group, json!({"nope": "x"}));
        assert!(said.starts_with("Cannot resolve keyword 'nope' into field. Choices are: attributes,"), "{said}");
        assert!(sql(Model::User, json!({"password": "x"})).starts_with("Cannot resolve keyword 'password'"));
        assert_eq!(sql(Model::User, json!({"pk": "abc"})), "Field 'id' expected a number but got 'abc'.");
        let said = "Unsupported lookup 'regex' for field 'name' or join on the field not permitted.";
        assert_eq!(sql(Model::User, json!({"name__regex": "x"})), said);
    }

    #[test]
    fn a_path_through_objects_ends() {
        let path = format!("users__{}name", "groups__users__".repeat(10));
        assert_eq!(sql(Model::Group, json!({path: "x"})), "A lookup goes through too many objects.");
    }
}
