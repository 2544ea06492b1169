//! The objects that grants are on: whether they exist, and what they are called.

use super::catalogue::{Key, Model};
use crate::{
    audit,
    db::MANY,
    error::{Error, Problem, Result},
    resource::{
        applications, bindings, brands, flows, grants::roles::role, groups, policies, prompts, reputation, sessions,
        stage_bindings, stages, tokens, users,
    },
};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, EntityTrait, Iterable as _, QueryFilter as _, QuerySelect as _, Select,
    sea_query::LockType,
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
            "flow" => {
                let rows = with(flows::Entity::find().filter(flows::Column::Id.is_in(ids)), locked).all(db).await?;
                names.extend(rows.into_iter().map(|flow| (flow.id.to_string(), flows::service::name(&flow))));
            }
            "flowstagebinding" => {
                let wanted = stage_bindings::Column::Id.is_in(ids);
                let rows = with(stage_bindings::Entity::find().filter(wanted), locked).all(db).await?;
                names.extend(rows.into_iter().map(|b| (b.id.to_string(), stage_bindings::gone::name(&b))));
            }
            "brand" => {
                let rows = with(brands::Entity::find().filter(brands::Column::Id.is_in(ids)), locked).all(db).await?;
                names.extend(rows.into_iter().map(|brand| (brand.id.to_string(), brands::service::name(&brand))));
            }
            "authenticatedsession" => {
                let wanted = sessions::Column::Id.is_in(ids);
                let signed_in = sessions::Column::UserId.is_not_null();
                let select = with(sessions::Entity::find().filter(wanted).filter(signed_in), locked);
                let rows = select.all(db).await?;
                names.extend(rows.into_iter().map(|s| (s.id.to_string(), format!("Authenticated Session {}", s.id))));
            }
            "reputation" => {
                let wanted = reputation::Column::Id.is_in(ids);
                let rows = with(reputation::Entity::find().filter(wanted), locked).all(db).await?;
                names.extend(rows.into_iter().map(|score| (score.id.to_string(), reputation::service::name(&score))));
            }
            "prompt" => {
                let rows = with(prompts::Entity::find().filter(prompts::Column::Id.is_in(ids)), locked).all(db).await?;
                names.extend(rows.into_iter().map(|prompt| (prompt.id.to_string(), prompts::service::name(&prompt))));
            }
            stage if stage.ends_with("stage") => {
                let kind = stages::Kind::iter().find(|kind| kind.model().1 == stage);
                let mut select = stages::Entity::find().filter(stages::Column::Id.is_in(ids));
                match kind {
                    Some(kind) => select = select.filter(stages::Column::Kind.eq(kind)),
                    None if stage == "stage" => {}
                    None => continue,
                }
                let rows = with(select, locked).all(db).await?;
                names.extend(rows.into_iter().map(|stage| (stage.id.to_string(), stages::service::name(&stage))));
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
