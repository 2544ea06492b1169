//! The objects that grants are on: whether they exist, and what they are called.

use super::catalogue::{Key, Model};
use crate::{
    audit,
    db::MANY,
    error::{Error, Problem, Result},
    resource::{applications, bindings, grants::roles::role, groups, policies, reputation, tokens, users},
};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, EntityTrait, QueryFilter as _, QuerySelect as _, Select, sea_query::LockType,
};
use std::collections::BTreeMap;
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

/// What objects of a model are called, by key; those that do not exist are missing. Locked, they stay until
/// the transaction ends.
///
/// # Errors
/// When the database is away.
pub async fn names(
    db: &impl ConnectionTrait,
    model: &Model,
    keys: &[String],
    lock: bool,
) -> Result<BTreeMap<String, String>> {
    let mut names = BTreeMap::new();
    for some in keys.chunks(MANY) {
        let numbers: Vec<i32> = some.iter().filter_map(|key| key.parse().ok()).collect();
        let ids: Vec<Uuid> = some.iter().filter_map(|key| key.parse().ok()).collect();
        // The weakest lock that a deletion has to wait for.
        let locked = lock.then_some(LockType::KeyShare);
        match model.name {
            "user" => {
                let rows = with(users::Entity::find().filter(users::Column::Id.is_in(numbers)), locked).all(db).await?;
                names.extend(rows.into_iter().map(|user| (user.id.to_string(), user.username)));
            }
            "group" => {
                let rows = with(groups::Entity::find().filter(groups::Column::Id.is_in(ids)), locked).all(db).await?;
                names.extend(rows.into_iter().map(|group| (group.id.to_string(), format!("Group {}", group.name))));
            }
            "token" => {
                let rows = with(tokens::Entity::find().filter(tokens::Column::Id.is_in(ids)), locked).all(db).await?;
                names.extend(rows.into_iter().map(|token| (token.id.to_string(), token.identifier)));
            }
            "role" => {
                let rows = with(role::Entity::find().filter(role::Column::Id.is_in(ids)), locked).all(db).await?;
                names.extend(rows.into_iter().map(|role| (role.id.to_string(), format!("Role {}", role.name))));
            }
            "event" => {
                let wanted = audit::entity::Column::Id.is_in(ids);
                let rows = with(audit::Entity::find().filter(wanted), locked).all(db).await?;
                names.extend(rows.into_iter().map(|event| (event.id.to_string(), format!("Event {}", event.action))));
            }
            "application" => {
                let wanted = applications::Column::Id.is_in(ids);
                let rows = with(applications::Entity::find().filter(wanted), locked).all(db).await?;
                names.extend(rows.into_iter().map(|application| (application.id.to_string(), application.name)));
            }
            "policybinding" => {
                let wanted = bindings::Column::Id.is_in(ids);
                let rows = with(bindings::Entity::find().filter(wanted), locked).all(db).await?;
                names.extend(rows.into_iter().map(|b| (b.id.to_string(), bindings::service::name(&b))));
            }
            "policybindingmodel" => {
                let wanted = bindings::target::Column::Id.is_in(ids);
                let rows = with(bindings::target::Entity::find().filter(wanted), locked).all(db).await?;
                names.extend(rows.into_iter().map(|t| (t.id.to_string(), format!("PolicyBindingModel {}", t.id))));
            }
            "reputation" => {
                let wanted = reputation::Column::Id.is_in(ids);
                let rows = with(reputation::Entity::find().filter(wanted), locked).all(db).await?;
                names.extend(rows.into_iter().map(|score| (score.id.to_string(), reputation::service::name(&score))));
            }
            other => {
                let kind = policies::kinds::ALL.into_iter().find(|kind| kind.words().model == other);
                let mut select = policies::Entity::find().filter(policies::Column::Id.is_in(ids));
                match kind {
                    Some(kind) => select = select.filter(policies::Column::Kind.eq(kind)),
                    None if other == "policy" => {}
                    None => continue,
                }
                let rows = with(select, locked).all(db).await?;
                names.extend(rows.into_iter().map(|policy| (policy.id.to_string(), policy.name)));
            }
        }
    }
    Ok(names)
}

fn with<E: EntityTrait>(select: Select<E>, lock: Option<LockType>) -> Select<E> {
    match lock {
        Some(lock) => select.lock(lock),
        None => select,
    }
}

/// The key of an object that exists, and goes on doing so until the transaction ends.
///
/// # Errors
/// [`Error::Invalid`] otherwise.
pub async fn existing(db: &impl ConnectionTrait, model: &Model, key: &str) -> Result<String> {
    let object = canonical(model, key)?;
    match names(db, model, std::slice::from_ref(&object), true).await?.is_empty() {
        false => Ok(object),
        true => Err(Error::field("object_pk", Problem::UnknownKey(key.to_owned()))),
    }
}
