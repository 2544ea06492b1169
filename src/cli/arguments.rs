//! What commands are given: values with the rules that the API has for them, and objects that must exist.

use super::Failure;
use crate::{
    error::{Error, Result},
    resource::grants::{
        catalogue::{self, Key},
        objects,
    },
};
use sea_orm::ConnectionTrait;

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

/// Refuses a grant on an object that is not there: the next one of that key would inherit it.
pub async fn require_object(db: &impl ConnectionTrait, permission: &str, key: &str) -> Result<(), Failure> {
    let Some(permission) = catalogue::by_code(permission) else {
        return Err(Failure::Said(format!("there is no permission `{permission}`")));
    };
    if permission.model.key == Key::None {
        return Err(Failure::Said(format!("`{}` is held at large, not on objects", permission.code())));
    }
    match objects::existing(db, permission.model, key).await {
        Err(Error::Invalid(_)) => {
            Err(Failure::Said(format!("there is no {} with the primary key `{key}`", permission.model.name)))
        }
        other => Ok(other.map(drop)?),
    }
}
