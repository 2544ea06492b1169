//! What the chain hashes, byte by byte: every part with its length, so that no two events read alike.

use super::{Model, head};
use crate::secret::Keyring;
use chrono::{DateTime, Utc};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

fn part(into: &mut Vec<u8>, bytes: &[u8]) {
    into.extend((bytes.len() as u64).to_be_bytes());
    into.extend(bytes);
}

/// Nothing reads unlike any something.
fn optional(into: &mut Vec<u8>, bytes: Option<&[u8]>) {
    into.push(u8::from(bytes.is_some()));
    part(into, bytes.unwrap_or_default());
}

/// SHA-256 of an event. JSON counts by value, because PostgreSQL keeps neither the order of keys nor
/// the spelling of numbers.
pub fn event(event: &Model) -> Vec<u8> {
    let mut all = Vec::with_capacity(512);
    part(&mut all, event.id.as_bytes());
    part(&mut all, event.action.as_bytes());
    part(&mut all, event.app.as_bytes());
    for value in [&event.user, &event.context, &event.brand] {
        let mut text = Vec::new();
        canonical(&mut text, value);
        part(&mut all, &text);
    }
    match &event.client_ip {
        Some(address) => part(&mut all, address.as_bytes()),
        None => all.push(0xff),
    }
    for time in [event.created, event.expires] {
        part(&mut all, &micros(time).to_be_bytes());
    }
    Sha256::digest(&all).to_vec()
}

fn micros(time: DateTime<Utc>) -> i64 {
    time.timestamp_micros()
}

fn canonical(into: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Null => into.push(b'n'),
        Value::Bool(b) => into.push(if *b { b't' } else { b'f' }),
        Value::Number(number) => {
            into.push(b'#');
            part(into, spelled(number).as_bytes());
        }
        Value::String(text) => {
            into.push(b's');
            part(into, text.as_bytes());
        }
        Value::Array(items) => {
            into.push(b'[');
            items.iter().for_each(|item| canonical(into, item));
            into.push(b']');
        }
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_unstable_by_key(|(key, _)| *key);
            into.push(b'{');
            for (key, value) in entries {
                part(into, key.as_bytes());
                canonical(into, value);
            }
            into.push(b'}');
        }
    }
}

/// `1`, `1.0` and `1e0` are one number.
fn spelled(number: &serde_json::Number) -> String {
    match number.as_f64() {
        _ if number.is_i64() || number.is_u64() => number.to_string(),
        Some(float) => format!("{}", float + 0.0),
        None => number.to_string(),
    }
}

/// The hash of a link over the one before it.
pub fn link(keyring: &Keyring, before: &[u8], sequence: i64, event: Uuid, digest: Option<&[u8]>) -> Vec<u8> {
    let mut all = b"link".to_vec();
    part(&mut all, before);
    part(&mut all, &sequence.to_be_bytes());
    part(&mut all, event.as_bytes());
    optional(&mut all, digest);
    keyring.authenticate_audit(&all).to_vec()
}

/// What authenticates the head.
pub fn head(keyring: &Keyring, head: &head::Model) -> Vec<u8> {
    let mut all = b"head".to_vec();
    for number in [head.sequence, head.anchor_sequence] {
        part(&mut all, &number.to_be_bytes());
    }
    optional(&mut all, head.broken_at.map(i64::to_be_bytes).as_ref().map(<[u8; 8]>::as_slice));
    part(&mut all, &head.hash);
    part(&mut all, &head.anchor_hash);
    keyring.authenticate_audit(&all).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn text(value: &Value) -> Vec<u8> {
        let mut text = Vec::new();
        canonical(&mut text, value);
        text
    }

    #[test]
    fn equal_values_read_alike_and_others_do_not() {
        let read = |text: &str| serde_json::from_str::<Value>(text).expect("JSON");
        assert_eq!(text(&read(r#"{"a":1,"b":[1.0,-0.0]}"#)), text(&read(r#"{"b":[1,0],"a":1e0}"#)));
        // The way PostgreSQL writes a large number.
        let long = format!("1{}", "0".repeat(300));
        assert_eq!(text(&read("1e300")), text(&read(&long)));
        for (one, other) in [
            (json!(["a", "b"]), json!(["ab"])),
            (json!({"a": "b"}), json!({"a": ["b"]})),
            (json!("1"), json!(1)),
            (json!([[1], 2]), json!([[1, 2]])),
            (json!(null), json!(false)),
        ] {
            assert_ne!(text(&one), text(&other));
        }
    }

    proptest! {
        #[test]
        fn numbers_survive_being_written(number: f64) {
            prop_assume!(number.is_finite());
            let value = json!(number);
            let again: Value = serde_json::from_str(&value.to_string()).expect("JSON");
            prop_assert_eq!(text(&value), text(&again));
        }
    }
}
