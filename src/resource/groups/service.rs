//! Rules for groups (contract: authentik-core §4.1, authentik-rbac §6, §8).

use super::{
    entity::{ActiveModel, Model},
    escalation::Watch,
    hierarchy,
    store::{self, GroupFilter, GroupView},
};
use crate::{
    access::{Principal, code},
    audit::{self, Event, Subject},
    ctx::Ctx,
    db::Tx,
    error::{Error, FieldErrors, Problem, Result},
    list::{ListRequest, Page},
    resource::{
        bindings::{self, service::Of},
        grants::store as grants,
        stages, users,
    },
};
use sea_orm::{ActiveValue::Set, IntoActiveModel as _};
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// A group to be made.
#[derive(Debug, Default)]
pub struct NewGroup {
    pub name: String,
    pub is_superuser: Option<bool>,
    pub parent: Option<Uuid>,
    pub users: Vec<i32>,
    pub attributes: Option<Map<String, Value>>,
    pub roles: Vec<Uuid>,
}

/// A change; what is `None` stays as it is.
#[derive(Debug, Default)]
pub struct GroupChange {
    pub name: Option<String>,
    pub is_superuser: Option<bool>,
    pub parent: Option<Option<Uuid>>,
    pub users: Option<Vec<i32>>,
    pub attributes: Option<Map<String, Value>>,
    pub roles: Option<Vec<Uuid>>,
}

/// The group as events name it.
#[must_use]
pub fn subject(group: &Model) -> Subject {
    Subject::new("authentik_core", "group", group.id.simple(), &group.name)
}

/// # Errors
/// [`Error::InvalidPage`]; an unknown member in a filter.
pub async fn list(ctx: &Ctx, request: &ListRequest, filter: GroupFilter) -> Result<Page<GroupView>> {
    let db = ctx.app.db.read();
    let mut errors = FieldErrors::default();
    let known = users::store::existing(db, &filter.members_by_pk).await?;
    // Nor may a filter tell which accounts there are.
    let hidden = |id: &i32| !ctx.principal.holds_on(code::VIEW_USER, &id.to_string());
    if let Some(id) = filter.members_by_pk.iter().find(|id| !known.contains(id) || hidden(id)) {
        errors.add("members_by_pk", Problem::UnknownChoice(id.to_string()));
    }
    let known = users::store::existing_usernames(db, &filter.members_by_username).await?;
    if let Some(name) = filter.members_by_username.iter().find(|name| !known.contains(name)) {
        errors.add("members_by_username", Problem::UnknownChoice(name.clone()));
    }
    errors.finish()?;
    store::list(db, &ctx.principal, request, filter).await
}

/// # Errors
/// [`Error::NotFound`].
pub async fn view(ctx: &Ctx, id: Uuid) -> Result<GroupView> {
    store::view(ctx.app.db.read(), &ctx.principal, id).await
}

/// Whether the caller may see the group; asked before a body is read.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn require(ctx: &Ctx, id: Uuid) -> Result<()> {
    store::find(ctx.app.db.read(), &ctx.principal, id).await.map(drop)
}

struct References<'a> {
    parent: Option<Uuid>,
    users: &'a [i32],
    roles: &'a [Uuid],
}

async fn check_references(tx: &Tx, own: Option<Uuid>, wanted: References<'_>, errors: &mut FieldErrors) -> Result<()> {
    if let Some(parent) = wanted.parent {
        let above = hierarchy::ancestry(tx.conn(), parent).await?;
        if above.is_empty() {
            errors.add("parent", Problem::UnknownKey(parent.to_string()));
        } else if own.is_some_and(|own| above.contains(&own)) {
            // The original checks the group itself only; a longer loop has no meaning either.
            errors.add("parent", Problem::Rule("Cannot set group as parent of itself.".into()));
        }
    }
    let known = users::store::existing(tx.conn(), wanted.users).await?;
    if let Some(id) = wanted.users.iter().find(|id| !known.contains(id)) {
        errors.add("users", Problem::UnknownKey(id.to_string()));
    }
    let known = grants::roles(tx.conn(), wanted.roles).await?;
    if let Some(id) = wanted.roles.iter().find(|id| !known.iter().any(|role| role.id == **id)) {
        errors.add("roles", Problem::UnknownKey(id.to_string()));
    }
    Ok(())
}

/// A group shows its members, so only who may see an account may make it one. An account out of sight is
/// answered like one that does not exist, but not before it is known that the edit would not be refused
/// whoever the members were.
fn unseen(ctx: &Ctx, wanted: &[i32], present: &[i32]) -> Option<Problem> {
    let present: std::collections::HashSet<_> = present.iter().collect();
    let unseen = |id: &&i32| !present.contains(id) && !ctx.principal.holds_on(code::VIEW_USER, &id.to_string());
    wanted.iter().find(unseen).map(|id| Problem::UnknownKey(id.to_string()))
}

/// Adds what is wrong with members out of sight to other faults.
fn with_unseen(mut errors: FieldErrors, unseen: Option<&Problem>) -> Result<()> {
    if let Some(problem) = unseen.filter(|_| !errors.is_empty() && !errors.has("users")) {
        errors.add("users", problem.clone());
    }
    errors.finish()
}

fn refuse_unseen(unseen: Option<Problem>) -> Result<()> {
    unseen.map_or(Ok(()), |problem| Err(Error::field("users", problem)))
}

/// A role belongs to one group at most.
async fn check_carriers(tx: &Tx, own: Option<Uuid>, roles: &[Uuid]) -> Result<()> {
    let carriers = grants::carriers(tx.conn(), roles).await?;
    if carriers.values().any(|group| Some(*group) != own) {
        return Err(Error::RefusedList("Roles can only be used with a single group.".into()));
    }
    Ok(())
}

async fn check_name(tx: &Tx, name: &str, own: Option<Uuid>, errors: &mut FieldErrors) -> Result<()> {
    let others = store::by_names(tx.conn(), &[name.to_owned()]).await?;
    if others.iter().any(|group| Some(group.id) != own) {
        errors.add("name", Problem::Taken(None));
    }
    Ok(())
}

fn distinct<T: Ord>(mut ids: Vec<T>) -> Vec<T> {
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// Makes a group.
///
/// # Errors
/// [`Error::Invalid`]; [`Error::Forbidden`] when its members would get more than the caller holds.
pub async fn create(ctx: &Ctx, new: NewGroup) -> Result<GroupView> {
    let unseen = unseen(ctx, &new.users, &[]);
    let mut tx = Watch::begin(ctx).await?;
    let group = make(ctx, &mut tx, new, unseen).await?;
    let made = store::view(tx.conn(), &Principal::System, group.id).await?;
    tx.commit().await?;
    Ok(made)
}

/// As [`create`], inside the caller's transaction.
///
/// # Errors
/// As [`create`].
pub async fn insert(ctx: &Ctx, tx: &mut Tx, new: NewGroup) -> Result<Model> {
    make(ctx, tx, new, None).await
}

async fn make(ctx: &Ctx, tx: &mut Tx, new: NewGroup, unseen: Option<Problem>) -> Result<Model> {
    let mut errors = FieldErrors::default();
    let (members, roles) = (distinct(new.users), distinct(new.roles));
    check_name(tx, &new.name, None, &mut errors).await?;
    let wanted = References { parent: new.parent, users: &members, roles: &roles };
    check_references(tx, None, wanted, &mut errors).await?;
    with_unseen(errors, unseen.as_ref())?;
    check_carriers(tx, None, &roles).await?;
    let watch = Watch::before(ctx, tx, &members).await?;
    let is_superuser = new.is_superuser.unwrap_or(false);
    let group = store::insert(
        tx.conn(),
        ActiveModel {
            id: Set(ctx.uuid()),
            search: Set(Model::searchable(&new.name, is_superuser)),
            name: Set(new.name),
            is_superuser: Set(is_superuser),
            parent_id: Set(new.parent),
            attributes: Set(Value::Object(new.attributes.unwrap_or_default())),
        },
    )
    .await?;
    store::set_members(tx.conn(), group.id, &members).await?;
    grants::set_roles_of_group(tx.conn(), group.id, &roles).await?;
    watch.after(ctx, tx, &members).await?;
    refuse_unseen(unseen)?;
    let fields = json!({
        "name": group.name, "is_superuser": group.is_superuser, "parent": group.parent_id.map(|id| id.simple().to_string()), "attributes": group.attributes,
    });
    audit::record(tx, ctx, Event::created(&subject(&group), &fields));
    tx.touch();
    Ok(group)
}

/// Changes a group.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Invalid`]; [`Error::Forbidden`] when anybody would get more than the
/// caller holds.
pub async fn update(ctx: &Ctx, id: Uuid, change: GroupChange) -> Result<GroupView> {
    let mut tx = Watch::begin(ctx).await?;
    let old = store::find_for_update(tx.conn(), &ctx.principal, id).await?;
    let (members, roles) = (change.users.map(distinct), change.roles.map(distinct));
    let mut errors = FieldErrors::default();
    if let Some(name) = &change.name {
        check_name(&tx, name, Some(id), &mut errors).await?;
    }
    let wanted = References {
        parent: change.parent.flatten(),
        users: members.as_deref().unwrap_or_default(),
        roles: roles.as_deref().unwrap_or_default(),
    };
    check_references(&tx, Some(id), wanted, &mut errors).await?;
    let mut affected = store::member_ids(tx.conn(), id).await?;
    let unseen = unseen(ctx, members.as_deref().unwrap_or_default(), &affected);
    with_unseen(errors, unseen.as_ref())?;
    check_carriers(&tx, Some(id), roles.as_deref().unwrap_or_default()).await?;
    affected.extend(members.iter().flatten());
    let watch = Watch::before(ctx, &tx, &affected).await?;
    let name = change.name.unwrap_or_else(|| old.name.clone());
    let is_superuser = change.is_superuser.unwrap_or(old.is_superuser);
    let mut row = old.into_active_model();
    row.search = Set(Model::searchable(&name, is_superuser));
    row.name = Set(name);
    row.is_superuser = Set(is_superuser);
    if let Some(parent) = change.parent {
        row.parent_id = Set(parent);
    }
    if let Some(attributes) = change.attributes {
        row.attributes = Set(Value::Object(attributes));
    }
    let group = store::update(tx.conn(), row).await?;
    if let Some(members) = members {
        store::set_members(tx.conn(), id, &members).await?;
    }
    if let Some(roles) = roles {
        grants::set_roles_of_group(tx.conn(), id, &roles).await?;
    }
    watch.after(ctx, &tx, &affected).await?;
    refuse_unseen(unseen)?;
    audit::record(&tx, ctx, Event::updated(&subject(&group)));
    let changed = store::view(tx.conn(), &ctx.principal, id).await?;
    tx.touch();
    tx.commit().await?;
    Ok(changed)
}

/// Removes a group; groups below it lose their parent.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn delete(ctx: &Ctx, id: Uuid) -> Result<()> {
    let mut tx = Watch::begin(ctx).await?;
    let group = store::find_for_update(tx.conn(), &ctx.principal, id).await?;
    let watch = Watch::before(ctx, &tx, &[]).await?;
    bindings::service::forget(ctx, &mut tx, Of::Group(id)).await?;
    stages::service::forget_group(ctx, &mut tx, id).await?;
    store::delete(tx.conn(), id).await?;
    watch.after(ctx, &tx, &[]).await?;
    grants::forget_object(tx.conn(), "authentik_core", "group", &id.to_string()).await?;
    audit::record(&tx, ctx, Event::deleted(&subject(&group)));
    tx.touch();
    tx.commit().await
}

/// Whether a membership begins or ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Membership {
    Begins,
    Ends,
}

/// Begins or ends a membership; doing it twice is no fault.
///
/// # Errors
/// [`Error::NotFound`] when either is out of the caller's sight; [`Error::Forbidden`] when the account
/// would get more than the caller holds.
pub async fn set_membership(ctx: &Ctx, id: Uuid, user: i32, membership: Membership) -> Result<()> {
    let mut tx = Watch::begin(ctx).await?;
    let group = store::find_for_update(tx.conn(), &ctx.principal, id).await?;
    let user = users::store::find(tx.conn(), &ctx.principal, user).await?;
    let watch = Watch::before(ctx, &tx, &[user.id]).await?;
    match membership {
        Membership::Begins => store::add_member(tx.conn(), id, user.id).await?,
        Membership::Ends => store::remove_member(tx.conn(), id, user.id).await?,
    }
    watch.after(ctx, &tx, &[user.id]).await?;
    audit::record(&tx, ctx, Event::updated(&subject(&group)));
    tx.touch();
    tx.commit().await
}

/// What refers to a group, as far as the caller may see it.
#[derive(Debug)]
pub struct UsedBy {
    pub children: Vec<Model>,
    pub roles: Vec<store::RoleRef>,
    pub members: Vec<store::Member>,
}

/// # Errors
/// [`Error::NotFound`].
pub async fn used_by(ctx: &Ctx, id: Uuid) -> Result<UsedBy> {
    let db = ctx.app.db.read();
    let view = store::view(db, &ctx.principal, id).await?;
    let sees = |code: &str, pk: String| ctx.principal.holds_on(code, &pk);
    Ok(UsedBy {
        children: store::children(db, &ctx.principal, id).await?,
        roles: view.roles.into_iter().filter(|r| sees(code::VIEW_ROLE, r.id.to_string())).collect(),
        members: view.members.into_iter().filter(|m| sees(code::VIEW_USER, m.id.to_string())).collect(),
    })
}

/// Groups of an account, as far as the caller may see them.
///
/// # Errors
/// [`Error::NotFound`] when the account is out of sight.
pub async fn of_user(ctx: &Ctx, user: i32) -> Result<Vec<Model>> {
    users::service::require(ctx, user).await?;
    store::of_user(ctx.app.db.read(), &ctx.principal, user).await
}
