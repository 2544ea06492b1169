//! Query parameters: forms rather than serializers, so the texts differ from those for bodies
//! (contract: authentik-core §1.6). Empty values count as absent; of a repeated key the last counts.

use super::{
    fields::{ADDRESS, NULL_CHARACTERS},
    python,
};
use serde_json::{Value, json};
use std::{borrow::Cow, net::IpAddr};
use tessera_api_runtime::{Field, Kind, Micros};
use uuid::Uuid;

pub fn parameter(field: &'static Field, values: &[Cow<'_, str>]) -> Result<Option<Value>, Value> {
    let outcome = match field.kind {
        Kind::PkMany | Kind::Multichoice => several(field, values).map(Some),
        // As it is: an empty page is no page.
        Kind::Text => Ok(values.last().map(|v| json!(v))),
        Kind::Natural => values.last().map(|v| natural(v)).transpose(),
        _ => match values.last().filter(|v| !v.is_empty()) {
            None if field.required => Err("This field is required.".to_owned()),
            None => Ok(None),
            Some(value) => single(field, value),
        },
    };
    outcome.map_err(|text| json!([text]))
}

fn single(field: &Field, value: &str) -> Result<Option<Value>, String> {
    Ok(Some(match field.kind {
        Kind::Boolean => match value.to_lowercase().as_str() {
            "true" | "1" => json!(true),
            "false" | "0" => json!(false),
            _ => return Ok(None),
        },
        // Django's three-state widget, with the numbers of its older versions.
        Kind::BooleanWord => match value {
            "true" | "True" | "2" => json!(true),
            "false" | "False" | "3" => json!(false),
            _ => return Ok(None),
        },
        Kind::LiteralTrue => json!(value.eq_ignore_ascii_case("true")),
        Kind::Choice if field.choices.contains(&value) => json!(value),
        Kind::Choice => return Err(not_a_choice(value)),
        Kind::Datetime => json!(Micros(python::datetime(value.trim()).ok_or("Enter a valid date/time.")?)),
        Kind::Uuid => json!(value.trim().parse::<Uuid>().map_err(|_| "Enter a valid UUID.")?),
        Kind::PkUuid => match value.trim().parse::<Uuid>() {
            Ok(id) => json!(id),
            Err(_) => return Err(format!("“{value}” is not a valid UUID.")),
        },
        Kind::Ip => match value.trim().parse::<IpAddr>() {
            Ok(address) => json!(address.to_string()),
            Err(_) => return Err(ADDRESS.to_owned()),
        },
        Kind::Pk => match python::int(value).and_then(|n| i32::try_from(n).ok()) {
            Some(n) => json!(n),
            None => return Err(not_a_choice("That choice")),
        },
        Kind::Integer => match python::int(value).and_then(|n| i32::try_from(n).ok()) {
            Some(n) => json!(n),
            None => return Err("Enter a number.".to_owned()),
        },
        Kind::List if value.contains('\0') => return Err(NULL_CHARACTERS.to_owned()),
        // Items are text; one with nothing in it is an item, as in the original.
        Kind::List => json!(value.split(',').map(str::trim).collect::<Vec<_>>()),
        _ if value.contains('\0') && !field.lenient => return Err(NULL_CHARACTERS.to_owned()),
        // A search loses them, as in the original; ignoring all of it would find everything.
        _ if value.contains('\0') => match value.replace('\0', "").trim() {
            "" => return Ok(None),
            text => json!(text),
        },
        _ => match value.trim() {
            "" => return Ok(None),
            text => json!(text),
        },
    }))
}

fn natural(value: &str) -> Result<Value, String> {
    match python::int(value).and_then(|n| i32::try_from(n).ok()).filter(|n| *n >= 0) {
        Some(n) => Ok(json!(n)),
        None => Err("A valid integer is required.".to_owned()),
    }
}

fn not_a_choice(value: &str) -> String {
    format!("Select a valid choice. {value} is not one of the available choices.")
}

fn several(field: &Field, values: &[Cow<'_, str>]) -> Result<Value, String> {
    let values = values.iter().filter(|v| !v.is_empty());
    let read = values.map(|value| match (field.kind, field.item) {
        (Kind::Multichoice, _) if field.choices.contains(&&**value) => Ok(json!(value)),
        (Kind::Multichoice, _) => Err(not_a_choice(value)),
        (_, Some(Kind::PkUuid)) => {
            value.parse::<Uuid>().map(|id| json!(id)).map_err(|_| format!("“{value}” is not a valid UUID."))
        }
        (_, Some(Kind::Pk)) => match python::int(value) {
            None => Err(format!("“{value}” is not a valid value.")),
            Some(n) => i32::try_from(n).map(|n| json!(n)).map_err(|_| not_a_choice(value)),
        },
        _ if value.contains('\0') => Err(NULL_CHARACTERS.to_owned()),
        _ => Ok(json!(value)),
    });
    read.collect::<Result<Vec<_>, _>>().map(Value::Array)
}
