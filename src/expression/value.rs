//! Values on the way between JSON and the interpreter.

use chrono::{DateTime, Datelike as _, TimeDelta, Timelike as _, Utc};
use monty_types::{MontyDateTime, MontyObject, MontyTimeZone};
use serde_json::{Map, Number, Value};

/// Deepest nesting that is rendered; what is deeper is cut off. Below what JSON parsers take.
const DEEPEST: usize = 100;

/// JSON as the interpreter has it.
pub fn to_python(value: Value) -> MontyObject {
    match value {
        Value::Null => MontyObject::None,
        Value::Bool(b) => MontyObject::Bool(b),
        Value::Number(n) => {
            n.as_i64().map_or_else(|| MontyObject::Float(n.as_f64().unwrap_or(f64::NAN)), MontyObject::Int)
        }
        Value::String(s) => MontyObject::String(s),
        Value::Array(items) => MontyObject::List(items.into_iter().map(to_python).collect()),
        Value::Object(map) => {
            let pairs: Vec<_> = map.into_iter().map(|(k, v)| (MontyObject::String(k), to_python(v))).collect();
            MontyObject::dict(pairs)
        }
    }
}

/// What the interpreter has as JSON; what JSON cannot express is text.
pub fn to_json(value: &MontyObject) -> Value {
    rendered(value, 0)
}

/// A dictionary as JSON; anything else is an empty one.
pub fn to_map(value: &MontyObject) -> Map<String, Value> {
    match to_json(value) {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn rendered(value: &MontyObject, depth: usize) -> Value {
    if depth > DEEPEST {
        return Value::String("...".to_owned());
    }
    match value {
        MontyObject::None => Value::Null,
        MontyObject::Bool(b) => Value::Bool(*b),
        MontyObject::Int(n) => Value::from(*n),
        MontyObject::Float(n) => Number::from_f64(*n).map_or_else(|| Value::String(value.to_string()), Value::Number),
        MontyObject::BigInt(n) => {
            // Exact as text; a number only as far as others can read it.
            n.to_string().parse::<u64>().map_or_else(|_| Value::String(n.to_string()), Value::from)
        }
        MontyObject::String(s) => Value::String(s.clone()),
        MontyObject::List(items)
        | MontyObject::Tuple(items)
        | MontyObject::Set(items)
        | MontyObject::FrozenSet(items)
        | MontyObject::NamedTuple { values: items, .. } => {
            Value::Array(items.iter().map(|item| rendered(item, depth + 1)).collect())
        }
        MontyObject::Dict(pairs) => Value::Object(
            pairs
                .iter()
                .map(|(key, value)| {
                    let key = match key {
                        MontyObject::String(s) => s.clone(),
                        other => other.to_string(),
                    };
                    (key, rendered(value, depth + 1))
                })
                .collect(),
        ),
        // What the interpreter itself could only describe.
        MontyObject::Repr(text) => Value::String(text.clone()),
        other => Value::String(other.to_string()),
    }
}

/// An instant as the interpreter has it, in UTC.
pub fn datetime(at: DateTime<Utc>) -> MontyObject {
    datetime_in(at, Some(MontyTimeZone { offset_seconds: 0, name: None }))
}

/// An instant in a zone; without one, in UTC and without saying so, which is the server's local time.
pub fn datetime_in(at: DateTime<Utc>, zone: Option<MontyTimeZone>) -> MontyObject {
    let (offset_seconds, timezone_name) = zone.map_or((None, None), |zone| (Some(zone.offset_seconds), zone.name));
    let at = at.naive_utc() + TimeDelta::seconds(offset_seconds.unwrap_or_default().into());
    let small = |n: u32| u8::try_from(n).unwrap_or_default();
    MontyObject::DateTime(MontyDateTime {
        year: at.year(),
        month: small(at.month()),
        day: small(at.day()),
        hour: small(at.hour()),
        minute: small(at.minute()),
        second: small(at.second()),
        microsecond: at.and_utc().timestamp_subsec_micros() % 1_000_000,
        offset_seconds,
        timezone_name,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn json_comes_back() {
        let value = json!({"a": [1, "x", null, true, 1.5], "b": {"c": {}}, "big": u64::MAX});
        let mut expected = value.clone();
        expected["big"] = json!(u64::MAX as f64);
        assert_eq!(to_json(&to_python(value)), expected);
    }

    #[test]
    fn what_nests_without_end_is_cut_off() {
        let mut value = MontyObject::None;
        for _ in 0..500 {
            value = MontyObject::List(vec![value]);
        }
        let text = to_json(&value).to_string();
        assert!(serde_json::from_str::<Value>(&text).is_ok());
    }
}
