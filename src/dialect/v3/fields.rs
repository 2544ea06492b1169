//! Properties of request bodies: what each kind of field takes, and how it refuses
//! (contract: authentik-core §1.3, the table by field kind).

use super::{python, url};
use crate::{
    dialect::v3::python::{int, repr, text, type_name},
    time::Duration,
};
use serde_json::{Map, Value, json};
use std::net::IpAddr;
use tessera_api_runtime::{Field, Kind, Micros};
use uuid::Uuid;
use validator::{ValidateEmail as _, ValidateLength as _};

pub const NULL_CHARACTERS: &str = "Null characters are not allowed.";
const BLANK: &str = "This field may not be blank.";
const NULL: &str = "This field may not be null.";

type Texts = Vec<String>;

fn one(text: impl Into<String>) -> Texts {
    vec![text.into()]
}

pub fn property(field: &'static Field, value: Option<Value>) -> Result<Option<Value>, Value> {
    if let (Kind::List, Some(value)) = (field.kind, value.as_ref().filter(|v| !v.is_null())) {
        return list(field, value).map(Some);
    }
    let outcome = match value {
        None if field.required => Err(one("This field is required.")),
        None => Ok(None),
        Some(Value::Null) if field.nullable => Ok(Some(Value::Null)),
        Some(Value::Null) => Err(one(NULL)),
        Some(value) => of_kind(field, value).map(Some),
    };
    outcome.map_err(|texts| json!(texts))
}

fn of_kind(field: &Field, value: Value) -> Result<Value, Texts> {
    match field.kind {
        Kind::Boolean | Kind::BooleanWord | Kind::LiteralTrue => boolean(&value),
        Kind::Char | Kind::Expression | Kind::PkName | Kind::PkUsername => char(field, value),
        Kind::Text => as_is(field, value),
        Kind::Slug => slug(field, value),
        Kind::Email => email(field, value),
        Kind::Choice | Kind::Multichoice => choice(field, value),
        Kind::Datetime => moment(&value),
        Kind::Dict => match value {
            Value::Object(_) if has_null(&value) => Err(one(NULL_CHARACTERS)),
            Value::Object(_) if is_deeper(&value, DEEPEST) => Err(one(TOO_DEEP)),
            Value::Object(_) => Ok(value),
            _ => Err(one("Value must be a dictionary, and not have any duplicate keys.")),
        },
        Kind::DurationText => duration(field, value),
        Kind::Integer | Kind::Natural => integer(field, &value),
        Kind::Ip => address(&value),
        Kind::Json if has_null(&value) => Err(one(NULL_CHARACTERS)),
        Kind::Json if is_deeper(&value, DEEPEST) => Err(one(TOO_DEEP)),
        Kind::Json => Ok(value),
        // Taken before; a list inside a list is in no document.
        Kind::List => Err(one("Expected a list of items.")),
        Kind::Pk => pk(&value, field.nullable),
        Kind::PkUuid if value == "" => empty_key(field.nullable),
        Kind::PkUuid => pk_uuid(&value),
        Kind::PkMany => many(field, value),
        Kind::Url => launch_url(field, &value),
        Kind::Uuid => match value.as_str().and_then(|s| s.parse::<Uuid>().ok()) {
            Some(id) => Ok(json!(id)),
            None => Err(one("Must be a valid UUID.")),
        },
    }
}

/// PostgreSQL cannot store the character in JSON; the original crashes.
fn has_null(value: &Value) -> bool {
    match value {
        Value::String(s) => s.contains('\0'),
        Value::Array(items) => items.iter().any(has_null),
        Value::Object(map) => map.iter().any(|(k, v)| k.contains('\0') || has_null(v)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Most levels of free-form JSON. It comes back inside of other JSON, and parsers stop at 128.
const DEEPEST: usize = 64;
const TOO_DEEP: &str = "Values may be nested 64 levels deep.";

fn is_deeper(value: &Value, levels: usize) -> bool {
    match value {
        Value::Array(items) => levels == 0 || items.iter().any(|item| is_deeper(item, levels - 1)),
        Value::Object(map) => levels == 0 || map.values().any(|item| is_deeper(item, levels - 1)),
        _ => false,
    }
}

fn boolean(value: &Value) -> Result<Value, Texts> {
    const TRUE: [&str; 12] = ["t", "T", "y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On"];
    const FALSE: [&str; 12] = ["f", "F", "n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off"];
    let read = match value {
        Value::Bool(b) => Some(*b),
        Value::Number(n) if n.as_f64() == Some(1.0) => Some(true),
        Value::Number(n) if n.as_f64() == Some(0.0) => Some(false),
        Value::String(s) if TRUE.contains(&s.as_str()) || s == "ON" || s == "1" => Some(true),
        Value::String(s) if FALSE.contains(&s.as_str()) || s == "OFF" || s == "0" => Some(false),
        _ => None,
    };
    read.map(Value::Bool).ok_or_else(|| one("Must be a valid boolean."))
}

/// Text from text and numbers; `None` for everything else.
fn coerced(value: &Value) -> Option<String> {
    match value {
        Value::String(s) => Some(s.clone()),
        Value::Number(_) => Some(repr(value)),
        _ => None,
    }
}

/// Text as Python's `str.strip` leaves it.
fn trimmed(text: &str) -> &str {
    text.trim_matches(python::is_space)
}

fn too_long(field: &Field, text: &str) -> Option<String> {
    let longest = field.max_length?;
    let fits = text.validate_length(None, Some(u64::try_from(longest).unwrap_or(u64::MAX)), None);
    (!fits).then(|| format!("Ensure this field has no more than {longest} characters."))
}

fn faults(checks: impl IntoIterator<Item = Option<String>>, good: &str) -> Result<Value, Texts> {
    let faults: Texts = checks.into_iter().flatten().collect();
    if faults.is_empty() { Ok(json!(good)) } else { Err(faults) }
}

fn null_characters(text: &str) -> Option<String> {
    text.contains('\0').then(|| NULL_CHARACTERS.to_owned())
}

fn char(field: &Field, value: Value) -> Result<Value, Texts> {
    let Some(text) = coerced(&value) else { return Err(one("Not a valid string.")) };
    let text = trimmed(&text);
    if text.is_empty() {
        return if field.min_length.is_some() { Err(one(BLANK)) } else { Ok(json!("")) };
    }
    faults([too_long(field, text), null_characters(text)], text)
}

fn as_is(field: &Field, value: Value) -> Result<Value, Texts> {
    match value {
        // Whether nothing at all is a fault is for the operation to say.
        Value::String(text) if text.is_empty() && field.nullable => Ok(json!("")),
        Value::String(text) if text.is_empty() => Err(one(BLANK)),
        Value::String(text) => faults([too_long(field, &text), null_characters(&text)], &text),
        _ => Err(one("Not a valid string.")),
    }
}

fn duration(field: &Field, value: Value) -> Result<Value, Texts> {
    let Some(text) = coerced(&value) else { return Err(one("Not a valid string.")) };
    let text = trimmed(&text);
    if text.is_empty() {
        return Err(one(BLANK));
    }
    let unreadable = text.parse::<Duration>().is_err();
    let fault = unreadable.then(|| format!("{text} is not in the correct format of 'hours=3;minutes=1'."));
    faults([too_long(field, text), fault, null_characters(text)], text)
}

pub const ADDRESS: &str = "Enter a valid IPv4 or IPv6 address.";

fn address(value: &Value) -> Result<Value, Texts> {
    match value.as_str().map(trimmed) {
        Some("") => Err(one(BLANK)),
        Some(text) => text.parse::<IpAddr>().map(|ip| json!(ip.to_string())).map_err(|_| one(ADDRESS)),
        None => Err(one(ADDRESS)),
    }
}

/// Faults of a list are told by the place of the item.
fn list(field: &'static Field, value: &Value) -> Result<Value, Value> {
    let Value::Array(items) = value else { return Err(json!(not_a_list(value))) };
    let (mut good, mut faults) = (Vec::new(), Map::new());
    for (place, item) in items.iter().enumerate() {
        let read = match (item, field.item) {
            (Value::Null, _) => Err(one(NULL)),
            (item, Some(Kind::Choice)) => choice(field, item.clone()),
            (item, _) => entry(item),
        };
        match read {
            Ok(item) => good.push(item),
            Err(texts) => drop(faults.insert(place.to_string(), json!(texts))),
        }
    }
    debug_assert!(matches!(field.item, Some(Kind::Char | Kind::Choice)), "no other list is in the documents yet");
    if faults.is_empty() { Ok(Value::Array(good)) } else { Err(Value::Object(faults)) }
}

/// A text in a list; it holds something.
fn entry(item: &Value) -> Result<Value, Texts> {
    match coerced(item) {
        None => Err(one("Not a valid string.")),
        Some(text) if trimmed(&text).is_empty() => Err(one(BLANK)),
        Some(text) if text.contains('\0') => Err(one(NULL_CHARACTERS)),
        Some(text) => Ok(json!(trimmed(&text))),
    }
}

fn not_a_list(value: &Value) -> Texts {
    one(format!("Expected a list of items but got type \"{}\".", type_name(value)))
}

const SLUG: &str = "Enter a valid \"slug\" consisting of letters, numbers, underscores or hyphens.";

fn slug(field: &Field, value: Value) -> Result<Value, Texts> {
    let Some(text) = coerced(&value) else { return Err(one(SLUG)) };
    let text = trimmed(&text);
    if text.is_empty() {
        return Err(one(BLANK));
    }
    let well_formed = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    faults([too_long(field, text), null_characters(text), (!well_formed).then(|| SLUG.to_owned())], text)
}

/// Whether a text is an e-mail address.
#[must_use]
pub fn is_email(text: &str) -> bool {
    // Stricter than HTML's rule, which the library follows: a host has a dot, unless it is this one.
    let has_host = text.rsplit_once('@').is_some_and(|(_, host)| host.contains('.') || host == "localhost");
    has_host && text.validate_email()
}

fn email(field: &Field, value: Value) -> Result<Value, Texts> {
    const FAULT: &str = "Enter a valid email address.";
    let Value::String(text) = value else { return Err(one(FAULT)) };
    let text = trimmed(&text);
    if text.is_empty() && field.min_length.is_none() {
        return Ok(json!(""));
    }
    let well_formed = is_email(text);
    faults([too_long(field, text), null_characters(text), (!well_formed).then(|| FAULT.to_owned())], text)
}

fn launch_url(field: &Field, value: &Value) -> Result<Value, Texts> {
    let Some(text) = coerced(value) else { return Err(one("Not a valid string.")) };
    let text = trimmed(&text);
    if text.is_empty() {
        return if field.min_length.is_some() { Err(one(BLANK)) } else { Ok(json!("")) };
    }
    let fault = (!url::is_launch_url(text)).then(|| "Enter a valid URL.".to_owned());
    faults([too_long(field, text), fault, null_characters(text)], text)
}

fn choice(field: &Field, value: Value) -> Result<Value, Texts> {
    match value.as_str() {
        Some(text) if field.choices.contains(&text) => Ok(value),
        _ => Err(one(format!("\"{}\" is not a valid choice.", text(&value)))),
    }
}

fn moment(value: &Value) -> Result<Value, Texts> {
    const FAULT: &str =
        "Datetime has wrong format. Use one of these formats instead: YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z].";
    let read = value.as_str().and_then(python::datetime);
    read.map(|t| json!(Micros(t))).ok_or_else(|| one(FAULT))
}

/// Longest text that is read as a number.
const LONGEST_NUMBER: usize = 1000;

fn integer(field: &Field, value: &Value) -> Result<Value, Texts> {
    let text = match value {
        Value::String(s) if s.len() > LONGEST_NUMBER => return Err(one("String value too large.")),
        Value::String(s) => s.clone(),
        Value::Number(_) => repr(value),
        _ => String::new(),
    };
    // `2.0` counts as 2, as text and as a number.
    let whole = text.split_once('.').filter(|(_, d)| d.bytes().all(|b| b == b'0')).map_or(&*text, |(whole, _)| whole);
    let Some(number) = int(whole) else { return Err(one("A valid integer is required.")) };
    let least = i128::from(field.minimum.unwrap_or(i64::from(i32::MIN)));
    let most = i128::from(field.maximum.unwrap_or(i64::from(i32::MAX)));
    if number < least {
        return Err(one(format!("Ensure this value is greater than or equal to {least}.")));
    }
    match i64::try_from(number) {
        Ok(small) if number <= most => Ok(json!(small)),
        _ => Err(one(format!("Ensure this value is less than or equal to {most}."))),
    }
}

fn wrong_type(value: &Value) -> Texts {
    one(format!("Incorrect type. Expected pk value, received {}.", type_name(value)))
}

fn no_row(value: &Value) -> Texts {
    one(format!("Invalid pk \"{}\" - object does not exist.", text(value)))
}

fn empty_key(nullable: bool) -> Result<Value, Texts> {
    if nullable { Ok(Value::Null) } else { Err(one(NULL)) }
}

fn pk(value: &Value, nullable: bool) -> Result<Value, Texts> {
    match value {
        Value::String(s) if s.is_empty() => empty_key(nullable),
        Value::String(s) => match int(s) {
            None => Err(wrong_type(value)),
            Some(n) => i32::try_from(n).map(|n| json!(n)).map_err(|_| no_row(value)),
        },
        Value::Number(n) => match n.as_i64().and_then(|n| i32::try_from(n).ok()) {
            Some(n) => Ok(json!(n)),
            None => Err(no_row(value)),
        },
        _ => Err(wrong_type(value)),
    }
}

fn pk_uuid(value: &Value) -> Result<Value, Texts> {
    match value {
        Value::String(s) if s.parse::<Uuid>().is_ok() => Ok(json!(s.parse::<Uuid>().unwrap_or_default())),
        Value::Number(n) if n.is_u64() => Err(no_row(value)),
        Value::Bool(_) => Err(wrong_type(value)),
        other => Err(one(format!("“{}” is not a valid UUID.", text(other)))),
    }
}

/// A list of keys; only the first bad one is told, without its place.
fn many(field: &Field, value: Value) -> Result<Value, Texts> {
    let Value::Array(items) = value else { return Err(not_a_list(&value)) };
    let read = items.iter().map(|item| match (item, field.item) {
        (Value::Null, _) => Err(one(NULL)),
        (item, Some(Kind::PkUuid)) => pk_uuid(item),
        // An empty text is no key here, and not null either.
        (Value::String(text), _) if text.is_empty() => Err(wrong_type(item)),
        (item, _) => pk(item, false),
    });
    read.collect::<Result<Vec<_>, _>>().map(Value::Array)
}
