//! The objects that grants are on: whether they exist, and what they are called.

use super::catalogue::{Key, Model};
use crate::{
    audit,
    error::{Error, Problem, Result},
    resource::{grants::roles::role, groups, tokens, users},
};
use sea_orm::{ConnectionTrait, EntityTrait as _, QuerySelect as _, QueryTrait as _, Select, sea_query::LockType};
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
    named(db, model, key, None).await
}

async fn named(db: &impl ConnectionTrait, model: &Model, key: &str, lock: Option<LockType>) -> Result<Option<String>> {
    let (number, id) = (key.parse::<i32>().ok(), key.parse::<Uuid>().ok());
    Ok(match (model.name, number, id) {
        ("user", Some(number), _) => {
            let select = users::Entity::find_by_id(number).apply_if(lock, Select::lock);
            select.one(db).await?.map(|user| user.username)
        }
        ("group", _, Some(id)) => {
            let select = groups::Entity::find_by_id(id).apply_if(lock, Select::lock);
            select.one(db).await?.map(|group| format!("Group {}", group.name))
        }
        ("token", _, Some(id)) => {
            let select = tokens::Entity::find_by_id(id).apply_if(lock, Select::lock);
            select.one(db).await?.map(|token| token.identifier)
        }
        ("role", _, Some(id)) => {
            let select = role::Entity::find_by_id(id).apply_if(lock, Select::lock);
            select.one(db).await?.map(|role| format!("Role {}", role.name))
        }
        ("event", _, Some(id)) => {
            let select = audit::Entity::find_by_id(id).apply_if(lock, Select::lock);
            select.one(db).await?.map(|event| format!("Event {}", event.action))
        }
        _ => None,
    })
}

/// The key of an object that exists, and does so until the transaction ends: who deletes it waits, and
/// takes along what is granted meanwhile.
///
/// # Errors
/// [`Error::Invalid`] otherwise.
pub async fn existing(db: &impl ConnectionTrait, model: &Model, key: &str) -> Result<String> {
    let object = canonical(model, key)?;
    match named(db, model, &object, Some(LockType::KeyShare)).await? {
        Some(_) => Ok(object),
        None => Err(Error::field("object_pk", Problem::UnknownKey(key.to_owned()))),
    }
}
