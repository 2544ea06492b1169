//! What commands are given: values with the rules that the API has for them, and objects that must exist.

use super::Failure;
use crate::{
    error::Result,
    resource::{
        grants::{self, catalogue},
        groups, tokens, users,
    },
};
use sea_orm::ConnectionTrait;
use uuid::Uuid;

/// Longest username, in characters.
const LONGEST_USERNAME: usize = 150;
/// Longest identifier of a token, in characters.
const LONGEST_IDENTIFIER: usize = 255;

/// # Errors
/// A sentence for whoever typed it.
pub fn username(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("a username may not be blank".into()),
        name if name.chars().count() > LONGEST_USERNAME => {
            Err(format!("a username has no more than {LONGEST_USERNAME} characters"))
        }
        name => Ok(name.to_owned()),
    }
}

/// # Errors
/// A sentence for whoever typed it.
pub fn identifier(text: &str) -> Result<String, String> {
    let is_slug = !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    if !is_slug {
        return Err("an identifier consists of letters, digits, underscores and hyphens".into());
    }
    if text.len() > LONGEST_IDENTIFIER {
        return Err(format!("an identifier has no more than {LONGEST_IDENTIFIER} characters"));
    }
    Ok(text.to_owned())
}

/// Models that permissions are held on, by label and name.
const MODELS: [(&str, &str); 5] = [
    ("authentik_core", "user"),
    ("authentik_core", "group"),
    ("authentik_core", "token"),
    ("authentik_rbac", "role"),
    ("authentik_events", "event"),
];

/// Refuses a grant on an object that is not there: the next one of that key would inherit it.
pub async fn require_object(db: &impl ConnectionTrait, permission: &str, key: &str) -> Result<(), Failure> {
    if catalogue::by_code(permission).is_none() {
        return Err(Failure::Said(format!("there is no permission `{permission}`")));
    }
    let of_model = |(label, name): &&(&str, &str)| catalogue::of_model(label, name).iter().any(|p| p == permission);
    let Some((_, model)) = MODELS.iter().find(of_model) else {
        return Err(Failure::Said(format!("`{permission}` is held at large, not on objects")));
    };
    let id = key.parse::<Uuid>().ok();
    let there = match (*model, id) {
        ("user", _) => match key.parse() {
            Ok(id) => users::store::by_id(db, id).await?.is_some(),
            Err(_) => false,
        },
        ("group", Some(id)) => !groups::store::existing(db, &[id]).await?.is_empty(),
        ("token", Some(id)) => tokens::store::by_id(db, id).await?.is_some(),
        ("role", Some(id)) => !grants::store::roles(db, &[id]).await?.is_empty(),
        // Events are only ever added, and go in their own time.
        ("event", Some(_)) => true,
        _ => false,
    };
    if there { Ok(()) } else { Err(Failure::Said(format!("there is no {model} with the primary key `{key}`"))) }
}
