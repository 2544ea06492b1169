//! The objects that grants are on: whether they exist, and what they are called.

use super::catalogue::{Key, Model};
use crate::{
    audit,
    error::{Error, Problem, Result},
    resource::{grants::roles::role, groups, tokens, users},
};
use sea_orm::{ConnectionTrait, EntityTrait as _};
use uuid::Uuid;

/// An object's primary key the way grants hold it.
///
/// # Errors
/// [`Error::Invalid`] when no object of the model can have this key (authentik-rbac §5).
pub fn canonical(model: &Model, key: &str) -> Result<String> {
    match model.key {
        Key::Integer => match key.trim().parse::<i64>() {
            Ok(number) => Ok(number.to_string()),
            Err(_) => Err(Error::rule("non_field_errors", format!("“{key}” value must be an integer."))),
        },
        Key::Uuid | Key::None => match key.parse::<Uuid>() {
            Ok(id) => Ok(id.to_string()),
            Err(_) => Err(Error::rule("non_field_errors", format!("“{key}” is not a valid UUID."))),
        },
    }
}

/// What an object is called; `None` when there is no such object.
///
/// # Errors
/// When the database is away.
pub async fn description(db: &impl ConnectionTrait, model: &Model, key: &str) -> Result<Option<String>> {
    let (number, id) = (key.parse::<i32>().ok(), key.parse::<Uuid>().ok());
    Ok(match (model.name, number, id) {
        ("user", Some(number), _) => users::Entity::find_by_id(number).one(db).await?.map(|user| user.username),
        ("group", _, Some(id)) => {
            groups::Entity::find_by_id(id).one(db).await?.map(|group| format!("Group {}", group.name))
        }
        ("token", _, Some(id)) => tokens::Entity::find_by_id(id).one(db).await?.map(|token| token.identifier),
        ("role", _, Some(id)) => role::Entity::find_by_id(id).one(db).await?.map(|role| format!("Role {}", role.name)),
        ("event", _, Some(id)) => {
            audit::Entity::find_by_id(id).one(db).await?.map(|event| format!("Event {}", event.action))
        }
        _ => None,
    })
}

/// The key of an object that exists.
///
/// # Errors
/// [`Error::Invalid`] otherwise.
pub async fn existing(db: &impl ConnectionTrait, model: &Model, key: &str) -> Result<String> {
    let object = canonical(model, key)?;
    match description(db, model, &object).await? {
        Some(_) => Ok(object),
        None => Err(Error::field("object_pk", Problem::UnknownKey(key.to_owned()))),
    }
}
