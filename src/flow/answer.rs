//! Reading one field of an answer, in the words and with the codes of the original (contract: authentik-core
//! §1.3, §6.4).

use super::challenge::Faults;
use serde_json::{Map, Value};

/// Longest text of an answer, in characters; longer ones are refused unread.
const LONGEST: usize = 65_536;

/// How a text is read.
#[derive(Debug, Clone, Copy, Default)]
pub struct Reading {
    pub required: bool,
    /// Whether spaces at its ends are dropped, and spaces alone are nothing.
    pub trimmed: bool,
    pub blank: bool,
}

/// A text; `None` when there is none, or a fault.
pub fn text(answer: &Map<String, Value>, field: &str, how: Reading, faults: &mut Faults) -> Option<String> {
    let Some(value) = answer.get(field) else {
        if how.required {
            faults.add(field, "This field is required.", "required");
        }
        return None;
    };
    of_value(value, field, how, faults)
}

/// As [`text`], from the value itself.
pub fn of_value(value: &Value, field: &str, how: Reading, faults: &mut Faults) -> Option<String> {
    let text = match value {
        Value::Null => {
            faults.add(field, "This field may not be null.", "null");
            return None;
        }
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
            faults.add(field, "Not a valid string.", "invalid");
            return None;
        }
    };
    let text = if how.trimmed { text.trim().to_owned() } else { text };
    if text.is_empty() && !how.blank {
        faults.add(field, "This field may not be blank.", "blank");
    } else if text.contains('\0') {
        faults.add(field, "Null characters are not allowed.", "null_characters_not_allowed");
    } else if text.chars().count() > LONGEST {
        let sentence = format!("Ensure this field has no more than {LONGEST} characters.");
        faults.add(field, sentence, "max_length");
    } else {
        return Some(text);
    }
    None
}

/// A truth, in one of the spellings that count; absent ones are `None`.
pub fn truth(answer: &Map<String, Value>, field: &str, required: bool, faults: &mut Faults) -> Option<bool> {
    let value = match answer.get(field) {
        None if required => {
            faults.add(field, "This field is required.", "required");
            return None;
        }
        None => return None,
        Some(value) => value,
    };
    let known = match value {
        Value::Null => {
            faults.add(field, "This field may not be null.", "null");
            return None;
        }
        Value::Bool(truth) => Some(*truth),
        Value::Number(number) => match number.as_f64() {
            Some(1.0) => Some(true),
            Some(0.0) => Some(false),
            _ => None,
        },
        Value::String(text) => match text.as_str() {
            "t" | "T" | "y" | "Y" | "yes" | "YES" | "Yes" | "true" | "True" | "TRUE" | "on" | "On" | "ON" | "1" => {
                Some(true)
            }
            "f" | "F" | "n" | "N" | "no" | "NO" | "No" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" | "0" => {
                Some(false)
            }
            _ => None,
        },
        Value::Array(_) | Value::Object(_) => None,
    };
    if known.is_none() {
        faults.add(field, "Must be a valid boolean.", "invalid");
    }
    known
}
