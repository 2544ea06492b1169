//! Masking: a scalar whose key sounds like a credential is not stored (contract: authentik-core §7.3).

use crate::secret::key;
use serde_json::Value;

/// What stands in an event where a credential would be.
pub const MASK: &str = "********************";

const SUSPICIOUS: [&str; 7] = ["api", "token", "key", "secret", "pass", "signature", "http_cookie"];
const HARMLESS: [&str; 2] = ["passing", "password_change_date"];

fn is_suspicious(key: &str) -> bool {
    let key = key.to_lowercase();
    SUSPICIOUS.iter().any(|word| key.contains(word)) && !HARMLESS.iter().any(|word| key.contains(word))
}

/// Whether a text looks like a credential, whatever it is called: a key of ours, a JWT, or 64 hexadecimal digits.
#[must_use]
pub fn is_credential(text: &str) -> bool {
    let is_jwt = text.starts_with("eyJ") && text.matches('.').count() == 2;
    let is_secret = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_jwt || is_secret || key::form(text) != key::Form::Foreign
}

/// Masks scalars under suspicious keys, at any depth; items of a list go by the list's key.
#[must_use]
pub fn clean(mut value: Value) -> Value {
    for form in FORMS {
        mask_under(&mut value, form);
    }
    clean_under("", value)
}

fn clean_under(key: &str, value: Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(
            map.into_iter()
                .map(|(key, value)| {
                    let value = clean_under(&key, value);
                    (key.replace('\0', "\u{fffd}"), value)
                })
                .collect(),
        ),
        Value::Array(items) => {
            Value::Array(items.into_iter().filter(says_something).map(|item| clean_under(key, item)).collect())
        }
        _ if is_suspicious(key) => Value::String(MASK.to_owned()),
        // PostgreSQL cannot hold the character in JSON, and an event must be written.
        Value::String(text) if text.contains('\0') => Value::String(text.replace('\0', "\u{fffd}")),
        scalar => scalar,
    }
}

/// Everything people typed into a form, as policies and as prompts know it: some field of it may be a
/// password, whatever it is called.
const FORMS: [&str; 2] = ["prompt_data", "prompt_context"];

/// Masks every scalar below a member of this name, at any depth.
pub fn mask_under(value: &mut Value, name: &str) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                if key == name { mask_all(value) } else { mask_under(value, name) }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| mask_under(item, name)),
        _ => {}
    }
}

fn mask_all(value: &mut Value) {
    match value {
        Value::Object(map) => map.values_mut().for_each(mask_all),
        Value::Array(items) => items.iter_mut().for_each(mask_all),
        scalar => *scalar = Value::String(MASK.to_owned()),
    }
}

/// Lists lose what Python calls false, as in the original.
fn says_something(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(b) => *b,
        Value::Number(n) => n.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(map) => !map.is_empty(),
    }
}

/// Largest context that is kept whole, in bytes of JSON.
pub const LARGEST: usize = 64 * 1024;

/// Replaces the large parts of a context that is too large by how large they were: an event must be
/// written whatever somebody put into an object's attributes.
pub fn shorten(context: &mut Value) {
    let size = |value: &Value| value.to_string().len();
    if size(context) <= LARGEST {
        return;
    }
    for part in context.as_object_mut().into_iter().flat_map(|map| map.values_mut()) {
        let bytes = size(part);
        if bytes > LARGEST / 8 {
            *part = serde_json::json!({"left_out_bytes": bytes});
        }
    }
    // Many small parts: what it is about is all that is left.
    let bytes = size(context);
    if bytes > LARGEST {
        let kept = ["model", "binding", "message"].into_iter().filter_map(|key| {
            Some((key.to_owned(), context.get(key)?.clone())).filter(|(_, part)| size(part) <= LARGEST / 8)
        });
        let mut short: serde_json::Map<String, Value> = kept.collect();
        short.insert("left_out_bytes".to_owned(), bytes.into());
        *context = Value::Object(short);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn credentials_are_masked_at_any_depth() {
        let given = json!({
            "password": "hunter2", "Api-Key": "k", "nested": {"client_secret": 5, "name": "n"},
            "tokens": ["a", {"id": 1}, null, "", 0], "passing": true, "password_change_date": "d", "token": {"pk": "x"}, "keys": null, "name": null,
        });
        let expected = json!({
            "password": MASK, "Api-Key": MASK, "nested": {"client_secret": MASK, "name": "n"},
            "tokens": [MASK, {"id": 1}], "passing": true, "password_change_date": "d", "token": {"pk": "x"}, "keys": MASK, "name": null,
        });
        assert_eq!(clean(given), expected);
    }

    #[test]
    fn forms_are_masked_whole() {
        let given = json!({"a": {"prompt_data": {"pin": 1234, "names": ["x", {"y": true}]}, "pin": 1}});
        let masked = json!({"a": {"prompt_data": {"pin": MASK, "names": [MASK, {"y": MASK}]}, "pin": 1}});
        assert_eq!(clean(given), masked);
    }

    #[test]
    fn contexts_have_a_bound() {
        let many: serde_json::Map<String, Value> = (0..20_000).map(|n| (format!("k{n}"), json!("value"))).collect();
        let mut context = Value::Object(many);
        context["model"] = json!({"pk": "1"});
        shorten(&mut context);
        assert_eq!(context["model"], json!({"pk": "1"}));
        assert!(context["left_out_bytes"].as_u64() > Some(LARGEST as u64));
        assert_eq!(context.as_object().map(serde_json::Map::len), Some(2));
    }
}
