//! Rules for bindings (contract: authentik-core §5.4).
//!
//! A target without an enabled binding lets everybody in, so whatever takes bindings away records each
//! of them ([`forget`]).

use super::{
    entity::{ActiveModel, Column, Model},
    store::{self, BindingFilter},
};
use crate::{
    access::{Principal, code},
    audit::{self, Event, Subject},
    ctx::Ctx,
    db::Tx,
    error::{Error, FieldErrors, Problem, Result},
    list::{ListRequest, Page},
    resource::{
        grants::store as grants,
        groups::{self, store::GroupView},
        policies::{self, store::PolicyView},
        users::{self, view::UserView},
    },
};
use sea_orm::{ActiveValue::Set, ColumnTrait as _, ConnectionTrait, IntoActiveModel as _};
use serde_json::json;
use std::collections::BTreeMap;
use uuid::Uuid;

/// Longest time, in seconds, that a binding can give a policy unless it says otherwise.
const DEFAULT_TIMEOUT: i32 = 30;

/// What a write says about a binding; `None` is not said at all.
#[derive(Debug, Clone, Default)]
pub struct Draft {
    pub policy: Option<Option<Uuid>>,
    pub group: Option<Option<Uuid>>,
    pub user: Option<Option<i32>>,
    /// What it is bound to, by its own key or by that of its bindings.
    pub target: Option<Uuid>,
    pub negate: Option<bool>,
    pub enabled: Option<bool>,
    pub order: Option<i32>,
    pub timeout: Option<i32>,
    pub failure_result: Option<bool>,
}

/// A binding with what it names, as far as the caller may see that.
#[derive(Debug, Clone)]
pub struct BindingView {
    pub binding: Model,
    /// The key of what it is bound to, which for flows and stages is not that of their bindings.
    pub target: Uuid,
    pub policy: Option<PolicyView>,
    pub group: Option<GroupView>,
    pub user: Option<UserView>,
}

/// # Errors
/// [`Error::InvalidPage`]; [`Error::Invalid`] for a filter by something that is not there.
pub async fn list(ctx: &Ctx, request: &ListRequest, filter: BindingFilter) -> Result<Page<BindingView>> {
    let db = ctx.app.db.read();
    check_filter(db, &filter).await?;
    let Page { items, count, number, pages, size } = store::list(db, &ctx.principal, request, filter).await?;
    Ok(Page { items: completed(db, &ctx.principal, items).await?, count, number, pages, size })
}

/// A filter names what is there, or says so (contract: authentik-core §1.6).
async fn check_filter(db: &impl ConnectionTrait, filter: &BindingFilter) -> Result<()> {
    let mut errors = FieldErrors::default();
    if let Some(id) = filter.policy
        && policies::store::by_id(db, id).await?.is_none()
    {
        errors.add("policy", Problem::NoSuchChoice);
    }
    if let Some(id) = filter.target
        && store::existing_targets(db, &[id]).await?.is_empty()
    {
        errors.add("target", Problem::NoSuchChoice);
    }
    let known = store::existing_targets(db, &filter.targets).await?;
    if let Some(id) = filter.targets.iter().find(|id| !known.contains(id)) {
        errors.add("target_in", Problem::UnknownChoice(id.to_string()));
    }
    errors.finish()
}

/// # Errors
/// [`Error::NotFound`].
pub async fn view(ctx: &Ctx, id: Uuid) -> Result<BindingView> {
    let db = ctx.app.db.read();
    let binding = store::find(db, &ctx.principal, id).await?;
    one(db, &ctx.principal, binding).await
}

/// Whether there is such a binding for the caller.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn require(ctx: &Ctx, id: Uuid) -> Result<()> {
    store::find(ctx.app.db.read(), &ctx.principal, id).await.map(drop)
}

async fn one(db: &impl ConnectionTrait, principal: &Principal, binding: Model) -> Result<BindingView> {
    completed(db, principal, vec![binding]).await?.pop().ok_or(Error::NotFound)
}

/// Adds what bindings name: one query each for policies, groups and accounts. What the caller may not see
/// itself is not shown through a binding either.
async fn completed(db: &impl ConnectionTrait, principal: &Principal, bindings: Vec<Model>) -> Result<Vec<BindingView>> {
    let policies: Vec<Uuid> = bindings.iter().filter_map(|b| b.policy_id).collect();
    let groups: Vec<Uuid> = bindings.iter().filter_map(|b| b.group_id).collect();
    let users: Vec<i32> = bindings.iter().filter_map(|b| b.user_id).collect();
    let sees = |code: &str, key: String| principal.holds_on(code, &key);
    let base = policies::store::Scope::All.code("view");
    let policies: BTreeMap<Uuid, PolicyView> = policies::store::views(db, &policies)
        .await?
        .into_iter()
        .filter(|view| {
            let key = view.policy.id.to_string();
            sees(&base, key.clone()) || sees(&view.policy.kind.code("view"), key)
        })
        .map(|view| (view.policy.id, view))
        .collect();
    let groups: BTreeMap<Uuid, GroupView> = groups::store::views(db, &groups)
        .await?
        .into_iter()
        .filter(|view| sees(code::VIEW_GROUP, view.group.id.to_string()))
        .map(|view| (view.group.id, view))
        .collect();
    let users: BTreeMap<i32, UserView> = users::store::views(db, &users)
        .await?
        .into_iter()
        .filter(|view| sees(code::VIEW_USER, view.id.to_string()))
        .map(|view| (view.id, view))
        .collect();
    let mut targets: Vec<Uuid> = bindings.iter().map(|b| b.target_id).collect();
    targets.sort_unstable();
    targets.dedup();
    let own = store::own_keys(db, &targets).await?;
    Ok(bindings
        .into_iter()
        .map(|binding| BindingView {
            target: own.get(&binding.target_id).copied().unwrap_or(binding.target_id),
            policy: binding.policy_id.and_then(|id| policies.get(&id).cloned()),
            group: binding.group_id.and_then(|id| groups.get(&id).cloned()),
            user: binding.user_id.and_then(|id| users.get(&id).cloned()),
            binding,
        })
        .collect())
}

/// What a binding is called where it is named.
#[must_use]
pub fn name(binding: &Model) -> String {
    format!("Policy Binding #{} {}", binding.position, binding.id)
}

/// The binding as events name it.
#[must_use]
pub fn subject(binding: &Model) -> Subject {
    Subject::new("authentik_policies", "policybinding", binding.id.simple(), name(binding))
}

/// What a binding is about, once it is known to be exactly one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Named {
    Policy(Uuid),
    Group(Uuid),
    User(i32),
}

/// Exactly one of the three must be named, in what is sent (contract: authentik-core §5.4).
fn named(draft: &Draft) -> Result<Named> {
    let all = [
        draft.policy.flatten().map(Named::Policy),
        draft.group.flatten().map(Named::Group),
        draft.user.flatten().map(Named::User),
    ];
    let mut given = all.into_iter().flatten();
    let first = given.next();
    if given.next().is_some() {
        return Err(Error::Refused("Only one of 'policy', 'group' or 'user' can be set.".to_owned()));
    }
    first.ok_or_else(|| Error::Refused("One of 'policy', 'group' or 'user' must be set.".to_owned()))
}

/// Every reference must lead somewhere; the target is then named by the key of its bindings.
async fn check_references(tx: &Tx, draft: &mut Draft) -> Result<()> {
    let mut errors = FieldErrors::default();
    let db = tx.conn();
    if let Some(id) = draft.policy.flatten()
        && policies::store::by_id(db, id).await?.is_none()
    {
        errors.add("policy", Problem::UnknownKey(id.to_string()));
    }
    if let Some(id) = draft.group.flatten()
        && groups::store::existing(db, &[id]).await?.is_empty()
    {
        errors.add("group", Problem::UnknownKey(id.to_string()));
    }
    if let Some(id) = draft.user.flatten()
        && users::store::by_id(db, id).await?.is_none()
    {
        errors.add("user", Problem::UnknownKey(id.to_string()));
    }
    if let Some(id) = draft.target {
        draft.target = store::targets_of(db, &[id]).await?.remove(&id);
        if draft.target.is_none() {
            errors.add("target", Problem::UnknownKey(id.to_string()));
        }
    }
    errors.finish()
}

async fn check_twin(tx: &Tx, id: Uuid, named: Named, target: Uuid, position: i32) -> Result<()> {
    let Named::Policy(policy) = named else { return Ok(()) };
    if store::twin(tx.conn(), id, policy, target, position).await? { Err(store::not_unique()) } else { Ok(()) }
}

fn set_named(row: &mut ActiveModel, named: Named) {
    let (policy, group, user) = match named {
        Named::Policy(id) => (Some(id), None, None),
        Named::Group(id) => (None, Some(id), None),
        Named::User(id) => (None, None, Some(id)),
    };
    (row.policy_id, row.group_id, row.user_id) = (Set(policy), Set(group), Set(user));
}

/// Binds a policy, group or user to a target.
///
/// # Errors
/// [`Error::Invalid`], [`Error::Refused`].
pub async fn create(ctx: &Ctx, mut draft: Draft) -> Result<BindingView> {
    let mut tx = ctx.begin().await?;
    check_references(&tx, &mut draft).await?;
    let named = named(&draft)?;
    let (Some(target), Some(order)) = (draft.target, draft.order) else {
        return Err(Error::internal("a binding without target or order came through"));
    };
    let id = ctx.uuid();
    check_twin(&tx, id, named, target, order).await?;
    let mut row = ActiveModel {
        id: Set(id),
        target_id: Set(target),
        position: Set(order),
        negate: Set(draft.negate.unwrap_or(false)),
        enabled: Set(draft.enabled.unwrap_or(true)),
        failure_result: Set(draft.failure_result.unwrap_or(false)),
        timeout: Set(draft.timeout.unwrap_or(DEFAULT_TIMEOUT)),
        ..ActiveModel::default()
    };
    set_named(&mut row, named);
    let binding = store::insert(tx.conn(), row).await?;
    let fields = json!({
        "target": binding.target_id.simple().to_string(),
        "policy": binding.policy_id.map(|id| id.simple().to_string()),
        "group": binding.group_id.map(|id| id.simple().to_string()),
        "user": binding.user_id,
        "order": binding.position,
        "negate": binding.negate,
        "enabled": binding.enabled,
    });
    audit::record(&tx, ctx, Event::created(&subject(&binding), &fields));
    let view = one(tx.conn(), &ctx.principal, binding).await?;
    tx.touch();
    tx.commit().await?;
    Ok(view)
}

/// Changes a binding. What is sent must name what it binds; what was bound before goes.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Invalid`], [`Error::Refused`].
pub async fn update(ctx: &Ctx, id: Uuid, mut draft: Draft) -> Result<BindingView> {
    let mut tx = ctx.begin().await?;
    let old = store::find_for_update(tx.conn(), &ctx.principal, id).await?;
    check_references(&tx, &mut draft).await?;
    let named = named(&draft)?;
    let (target, position) = (draft.target.unwrap_or(old.target_id), draft.order.unwrap_or(old.position));
    check_twin(&tx, id, named, target, position).await?;
    let (negate, enabled) = (draft.negate.unwrap_or(old.negate), draft.enabled.unwrap_or(old.enabled));
    let failure_result = draft.failure_result.unwrap_or(old.failure_result);
    let timeout = draft.timeout.unwrap_or(old.timeout);
    let mut row = old.into_active_model();
    set_named(&mut row, named);
    (row.target_id, row.position) = (Set(target), Set(position));
    (row.negate, row.enabled) = (Set(negate), Set(enabled));
    (row.failure_result, row.timeout) = (Set(failure_result), Set(timeout));
    let binding = store::update(tx.conn(), row).await?;
    audit::record(&tx, ctx, Event::updated(&subject(&binding)));
    let view = one(tx.conn(), &ctx.principal, binding).await?;
    tx.touch();
    tx.commit().await?;
    Ok(view)
}

/// # Errors
/// [`Error::NotFound`].
pub async fn delete(ctx: &Ctx, id: Uuid) -> Result<()> {
    let mut tx = ctx.begin().await?;
    let binding = store::find_for_update(tx.conn(), &ctx.principal, id).await?;
    store::delete(tx.conn(), id).await?;
    gone(ctx, &mut tx, &[binding]).await?;
    tx.commit().await
}

async fn gone(ctx: &Ctx, tx: &mut Tx, bindings: &[Model]) -> Result<()> {
    let keys: Vec<String> = bindings.iter().map(|binding| binding.id.to_string()).collect();
    grants::forget_objects(tx.conn(), "authentik_policies", "policybinding", &keys).await?;
    for binding in bindings {
        audit::record(tx, ctx, Event::deleted(&subject(binding)));
    }
    tx.touch();
    Ok(())
}

/// Whose bindings go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    Policy(Uuid),
    Group(Uuid),
    User(i32),
    Target(Uuid),
}

/// Removes the bindings of something that is about to be removed itself.
///
/// # Errors
/// When the database is away.
pub async fn forget(ctx: &Ctx, tx: &mut Tx, of: Of) -> Result<()> {
    let condition = match of {
        Of::Policy(id) => Column::PolicyId.eq(id),
        Of::Group(id) => Column::GroupId.eq(id),
        Of::User(id) => Column::UserId.eq(id),
        Of::Target(id) => Column::TargetId.eq(id),
    };
    let bindings = store::locked(tx.conn(), condition).await?;
    if bindings.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = bindings.iter().map(|binding| binding.id).collect();
    store::delete_all(tx.conn(), &ids).await?;
    gone(ctx, tx, &bindings).await
}
