//! The conditions that a listing of tokens can answer (contract: sailpoint-pat §5), as SQL: `lastUsed le <time>` and
//! `lastUsed isnull`. A token that was never used has no time, and comparing it is neither true nor false, as in SQL.

use super::entity::Column;
use crate::{
    list::{Comparison, Filter, FilterFault as Fault},
    time,
};
use sea_orm::{ColumnTrait as _, Condition as Sql};

/// # Errors
/// For a field, an operator or a value that cannot be compared here, with its place.
pub fn to_sql(condition: &Filter) -> Result<Sql, Fault> {
    let together =
        |parts: &[Filter], all: Sql| parts.iter().try_fold(all, |all, part| Ok::<_, Fault>(all.add(to_sql(part)?)));
    match condition {
        Filter::All(parts) => together(parts, Sql::all()),
        Filter::Any(parts) => together(parts, Sql::any()),
        Filter::Not(inner) => Ok(to_sql(inner)?.not()),
        Filter::Is(comparison) => comparison_to_sql(comparison),
    }
}

fn comparison_to_sql(Comparison { field, operator, values }: &Comparison) -> Result<Sql, Fault> {
    if field.text != "lastUsed" {
        return Err(Fault::new(field.at, "Tokens can be filtered by `lastUsed` alone."));
    }
    match (operator.text.as_str(), values.as_slice()) {
        ("isnull", []) => Ok(Sql::all().add(Column::LastUsed.is_null())),
        ("isnull", [first, ..]) => Err(Fault::new(first.at, "`isnull` takes no value.")),
        ("le", [value]) => match time::instant(&value.text).or_else(|| time::day(&value.text)) {
            Some(instant) => Ok(Sql::all().add(Column::LastUsed.lte(instant))),
            None => Err(Fault::new(value.at, "Here a time as in ISO 8601 is wanted.")),
        },
        ("le", _) => Err(Fault::new(operator.at, "`le` takes one time.")),
        _ => Err(Fault::new(operator.at, "`lastUsed` has the operators `le` and `isnull`.")),
    }
}
