//! Values of bodies and queries: strict types, as the original's clients send them. A missing value and a null are
//! the same where null is allowed; numbers are not made from text, nor text from numbers.

use super::{Code, Fault};
use crate::time;
use serde_json::{Value, json};
use std::borrow::Cow;
use tessera_api_runtime::{Field, Kind, Millis};

const NULL_CHARACTERS: &str = "Null characters are not allowed.";

pub(super) fn property(field: &'static Field, value: Option<Value>) -> Result<Option<Value>, Fault> {
    match value {
        None | Some(Value::Null) if field.required => Err(Fault::new(Code::Missing, "This field is required.")),
        None => Ok(None),
        Some(Value::Null) if field.nullable => Ok(Some(Value::Null)),
        Some(Value::Null) => Err(Fault::illegal("This field may not be null.")),
        Some(value) => of_kind(field, field.kind, value).map(Some),
    }
}

pub(super) fn parameter(values: &[Cow<'_, str>]) -> Result<Option<Value>, Fault> {
    let mut values = values.iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.any(|other| other != value) {
        return Err(Fault::illegal("This parameter was given twice."));
    }
    text(value).map(Some)
}

fn of_kind(field: &Field, kind: Kind, value: Value) -> Result<Value, Fault> {
    match (kind, value) {
        (Kind::Boolean, value @ Value::Bool(_)) | (Kind::Dict, value @ Value::Object(_)) => Ok(value),
        (Kind::Boolean, _) => Err(Fault::illegal("A boolean is wanted.")),
        (Kind::Dict, _) => Err(Fault::illegal("An object is wanted.")),
        // Whether it is too small or too large, its rule says, together with what other rules say.
        (Kind::Integer, value @ Value::Number(_)) if value.as_i64().is_some_and(|n| i32::try_from(n).is_ok()) => {
            Ok(value)
        }
        (Kind::Integer, Value::Number(n)) if n.is_i64() || n.is_u64() => {
            Err(Fault::illegal("The number is out of bounds."))
        }
        (Kind::Integer, _) => Err(Fault::illegal("A whole number is wanted.")),
        (Kind::Datetime, Value::String(text)) => match time::instant(&text) {
            Some(instant) => Ok(json!(Millis(instant))),
            None => Err(Fault::illegal("A time as in ISO 8601 is wanted.")),
        },
        (Kind::Datetime, _) => Err(Fault::illegal("A time as in ISO 8601 is wanted.")),
        (Kind::List, Value::Array(items)) => {
            let item = field.item.unwrap_or(Kind::Text);
            items.into_iter().map(|value| of_kind(field, item, value)).collect::<Result<Vec<_>, _>>().map(Value::Array)
        }
        (Kind::List, _) => Err(Fault::illegal("An array is wanted.")),
        (Kind::Text | Kind::Char, Value::String(given)) => text(&given),
        (Kind::Text | Kind::Char, _) => Err(Fault::illegal("Text is wanted.")),
        // The documents of this dialect have no others (a test looks at them).
        (other, _) => Err(Fault::illegal(format!("Values of the kind {other:?} cannot be read."))),
    }
}

fn text(given: &str) -> Result<Value, Fault> {
    if given.contains('\0') {
        // PostgreSQL cannot even be asked for it.
        return Err(Fault::illegal(NULL_CHARACTERS));
    }
    Ok(Value::from(given))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_the_documents_can_be_read() {
        use tessera_api_runtime::Model as _;
        let models = [
            tessera_api::beta::models::CreatePersonalAccessTokenRequest::FIELDS,
            tessera_api::beta::models::BulkUpdatePersonalAccessTokensRequest::FIELDS,
        ];
        for field in models.into_iter().flatten() {
            for kind in [Some(field.kind), field.item].into_iter().flatten() {
                assert!(
                    matches!(
                        kind,
                        Kind::Boolean
                            | Kind::Dict
                            | Kind::Integer
                            | Kind::Datetime
                            | Kind::List
                            | Kind::Text
                            | Kind::Char
                    ),
                    "{}: {kind:?}",
                    field.name
                );
            }
        }
    }
}
