//! Accounts and groups as an expression sees them. Never a password's hash.

use crate::{
    ctx::Ctx,
    error::Result,
    resource::{
        groups::{self, membership},
        users::{self, Kind, avatar},
    },
};
use chrono::SecondsFormat;
use sea_orm::{
    ColumnTrait as _, EntityTrait as _, QueryFilter as _, QuerySelect as _,
    prelude::{DateTimeUtc, Uuid},
};
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};

/// How far up the groups above one are given.
const HIGHEST: usize = 16;

/// What costs something to find out, and is found out only for an expression that names it.
#[derive(Debug, Clone, Copy)]
pub struct Wants {
    pub superuser: bool,
    pub avatar: bool,
    pub parent: bool,
    pub http: bool,
    pub tenant: bool,
}

impl Wants {
    /// Python reaches an attribute by its name in the text, or by `getattr` and a name that may be made
    /// up of pieces.
    pub fn of(source: &str) -> Self {
        let any = ["getattr", "values(", "values_list"].iter().any(|word| source.contains(word));
        let named = |word: &str| any || source.contains(word);
        Self {
            superuser: named("is_superuser") || source.contains("is_staff"),
            avatar: named("avatar"),
            parent: named("parent"),
            http: named("http"),
            tenant: named("tenant"),
        }
    }
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Internal => "internal",
        Kind::External => "external",
        Kind::ServiceAccount => "service_account",
        Kind::InternalServiceAccount => "internal_service_account",
    }
}

fn instant(at: DateTimeUtc) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// One account.
///
/// # Errors
/// When the database is away.
pub async fn user(ctx: &Ctx, user: &users::Model, wants: &Wants) -> Result<Value> {
    Ok(users(ctx, std::slice::from_ref(user), wants).await?.pop().unwrap_or_default())
}

/// Accounts, in their order.
///
/// # Errors
/// When the database is away.
pub async fn users(ctx: &Ctx, users: &[users::Model], wants: &Wants) -> Result<Vec<Value>> {
    let superusers = if wants.superuser { superusers(ctx, users).await? } else { HashSet::new() };
    let settings = if wants.avatar { Some(ctx.app.settings().await?) } else { None };
    let row = |user: &users::Model| {
        let mut row = json!({
            "pk": user.id,
            "uuid": user.uuid,
            "uid": users::uid(&ctx.app, user.id),
            "username": user.username,
            "name": user.name,
            "email": user.email,
            "is_active": user.is_active,
            "type": kind(user.kind),
            "path": user.path,
            "attributes": user.attributes,
            "usable": user.password.is_usable(),
            "date_joined": instant(user.date_joined),
            "password_change_date": instant(user.password_change_date),
            "last_login": user.last_login.map(instant),
        });
        if wants.superuser {
            row["is_superuser"] = superusers.contains(&user.id).into();
        }
        if let Some(settings) = &settings {
            row["avatar"] = avatar::url(&settings.avatars, &avatar::Whose::from(user)).into();
        }
        row
    };
    Ok(users.iter().map(row).collect())
}

/// Those of some accounts that are superusers.
async fn superusers(ctx: &Ctx, users: &[users::Model]) -> Result<HashSet<i32>> {
    let shown = ctx.app.shown().await?;
    let mut found = HashSet::new();
    for some in users.chunks(crate::db::MANY) {
        let rows: Vec<(i32, Uuid)> = membership::Entity::find()
            .select_only()
            .columns([membership::Column::UserId, membership::Column::GroupId])
            .filter(membership::Column::UserId.is_in(some.iter().map(|user| user.id)))
            .into_tuple()
            .all(ctx.app.db.read())
            .await?;
        found
            .extend(rows.into_iter().filter(|(_, group)| shown.superuser_groups.contains(group)).map(|(user, _)| user));
    }
    Ok(found)
}

/// Groups, in their order, with those above them where the expression names them.
///
/// # Errors
/// When the database is away.
pub async fn groups(ctx: &Ctx, groups: &[groups::Model], wants: &Wants) -> Result<Vec<Value>> {
    let mut above: HashMap<Uuid, groups::Model> = HashMap::new();
    if wants.parent {
        let mut next: Vec<Uuid> = groups.iter().filter_map(|group| group.parent_id).collect();
        for _ in 0..HIGHEST {
            next.retain(|id| !above.contains_key(id));
            if next.is_empty() {
                break;
            }
            let mut found = Vec::new();
            for some in next.chunks(crate::db::MANY) {
                let select = groups::Entity::find().filter(groups::Column::Id.is_in(some.iter().copied()));
                found.extend(select.all(ctx.app.db.read()).await?);
            }
            next = found.iter().filter_map(|group| group.parent_id).collect();
            above.extend(found.into_iter().map(|group| (group.id, group)));
        }
    }
    Ok(groups.iter().map(|group| with_parents(group, &above, wants, HIGHEST)).collect())
}

fn with_parents(group: &groups::Model, above: &HashMap<Uuid, groups::Model>, wants: &Wants, left: usize) -> Value {
    let mut row = json!({
        "pk": group.id,
        "name": group.name,
        "is_superuser": group.is_superuser,
        "attributes": group.attributes,
        "parent_id": group.parent_id,
    });
    if wants.parent {
        let parent = group.parent_id.and_then(|id| above.get(&id)).filter(|_| left > 0);
        row["parent"] = parent.map_or(Value::Null, |parent| with_parents(parent, above, wants, left - 1));
    }
    row
}
