//! Queries on bindings and their targets. Every query of a caller starts at [`visible`].

use super::entity::{ActiveModel, Column, Entity, Model, target};
use crate::{
    access::{Principal, Visible, code},
    db::MANY,
    error::{Error, Result, unique_violation},
    list::{ListRequest, OrderColumn, Page},
    resource::{flows, policies, stage_bindings},
};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, Condition, ConnectionTrait, DbErr, EntityTrait as _, FromQueryResult,
    JoinType, QueryFilter as _, QueryOrder as _, QuerySelect as _, Select,
    sea_query::{Expr, LockType},
};
use std::collections::BTreeMap;
use uuid::Uuid;

/// What a listing may be narrowed by (contract: authentik-core §5.4).
#[derive(Debug, Clone, Default)]
pub struct BindingFilter {
    pub policy: Option<Uuid>,
    pub no_policy: Option<bool>,
    pub target: Option<Uuid>,
    /// Any of these; all when empty.
    pub targets: Vec<Uuid>,
    pub enabled: Option<bool>,
    pub position: Option<i32>,
    pub timeout: Option<i32>,
}

/// Bindings that exist for this caller.
pub fn visible(principal: &Principal) -> Select<Entity> {
    match principal.visible(code::VIEW_BINDING) {
        Visible::All => Entity::find(),
        Visible::Some(keys) => {
            Entity::find().filter(Column::Id.is_in(keys.iter().filter_map(|key| key.parse::<Uuid>().ok())))
        }
        Visible::None => Entity::find().filter(Expr::val(false)),
    }
}

fn order_column(name: &str) -> Option<OrderColumn> {
    Some(match name {
        "pk" | "policy_binding_uuid" => OrderColumn::of(Column::Id),
        "policy" => OrderColumn::nullable(Column::PolicyId),
        "group" => OrderColumn::nullable(Column::GroupId),
        "user" => OrderColumn::nullable(Column::UserId),
        "target" => OrderColumn::of(Column::TargetId),
        "negate" => OrderColumn::of(Column::Negate),
        "enabled" => OrderColumn::of(Column::Enabled),
        "order" => OrderColumn::of(Column::Position),
        "timeout" => OrderColumn::of(Column::Timeout),
        "failure_result" => OrderColumn::of(Column::FailureResult),
        _ => return None,
    })
}

/// One page of the bindings that the caller may see.
///
/// # Errors
/// [`Error::InvalidPage`]; otherwise when the database is away.
pub async fn list(
    db: &impl ConnectionTrait,
    principal: &Principal,
    request: &ListRequest,
    filter: BindingFilter,
) -> Result<Page<Model>> {
    let mut select = visible(principal);
    let own = [
        filter.policy.map(|v| Column::PolicyId.eq(v)),
        filter.no_policy.map(|none| if none { Column::PolicyId.is_null() } else { Column::PolicyId.is_not_null() }),
        filter.target.map(|v| Column::TargetId.eq(v)),
        Some(Column::TargetId.is_in(filter.targets.clone())).filter(|_| !filter.targets.is_empty()),
        filter.enabled.map(|v| Column::Enabled.eq(v)),
        filter.position.map(|v| Column::Position.eq(v)),
        filter.timeout.map(|v| Column::Timeout.eq(v)),
    ];
    for condition in own.into_iter().flatten() {
        select = select.filter(condition);
    }
    if request.searches() {
        // Only the name: reputation policies are searched by their threshold, too, which is the last line.
        let name = Expr::cust(
            "(SELECT CASE WHEN policies.kind = 'reputation' THEN rtrim(policies.search, '-0123456789') \
             ELSE policies.search END FROM policies WHERE policies.id = policy_bindings.policy_id)",
        );
        select = select.filter(request.search_condition(&[name]));
    }
    let ordered = request.order(select.clone(), order_column, &["target", "order"], Column::Id);
    request.fetch(db, select, ordered).await
}

/// One binding that the caller may see.
///
/// # Errors
/// [`Error::NotFound`]; otherwise when the database is away.
pub async fn find(db: &impl ConnectionTrait, principal: &Principal, id: Uuid) -> Result<Model> {
    visible(principal).filter(Column::Id.eq(id)).one(db).await?.ok_or(Error::NotFound)
}

/// As [`find`], and nobody else changes the row until the transaction ends.
///
/// # Errors
/// As [`find`].
pub async fn find_for_update(db: &impl ConnectionTrait, principal: &Principal, id: Uuid) -> Result<Model> {
    visible(principal).filter(Column::Id.eq(id)).lock(LockType::NoKeyUpdate).one(db).await?.ok_or(Error::NotFound)
}

/// Which of these can have bindings.
///
/// # Errors
/// When the database is away.
pub async fn existing_targets(db: &impl ConnectionTrait, ids: &[Uuid]) -> Result<Vec<Uuid>> {
    let mut found = Vec::new();
    for some in ids.chunks(MANY) {
        let select = target::Entity::find().filter(target::Column::Id.is_in(some.iter().copied()));
        found.extend(select.all(db).await?.into_iter().map(|target| target.id));
    }
    Ok(found)
}

/// What can have bindings, by what names it: its own key, or that of its bindings.
///
/// # Errors
/// When the database is away.
pub async fn targets_of(db: &impl ConnectionTrait, ids: &[Uuid]) -> Result<BTreeMap<Uuid, Uuid>> {
    let mut found: BTreeMap<Uuid, Uuid> = existing_targets(db, ids).await?.into_iter().map(|id| (id, id)).collect();
    found.extend(flows::store::by_ids(db, ids).await?.into_iter().map(|flow| (flow.id, flow.target_id)));
    let bound = stage_bindings::store::by_ids(db, ids).await?;
    found.extend(bound.into_iter().map(|binding| (binding.id, binding.target_id)));
    Ok(found)
}

/// The own keys of what has bindings, where they are others.
///
/// # Errors
/// When the database is away.
pub async fn own_keys(db: &impl ConnectionTrait, targets: &[Uuid]) -> Result<BTreeMap<Uuid, Uuid>> {
    use flows::Column as F;
    let mut found = stage_bindings::store::by_targets(db, targets).await?;
    for some in targets.chunks(MANY) {
        let select = flows::Entity::find().select_only().column(F::TargetId).column(F::Id);
        let select = select.filter(F::TargetId.is_in(some.iter().copied()));
        found.extend(select.into_tuple::<(Uuid, Uuid)>().all(db).await?);
    }
    Ok(found)
}

/// Whether the same policy is bound to the same target in the same place already, by another binding.
///
/// # Errors
/// When the database is away.
pub async fn twin(db: &impl ConnectionTrait, own: Uuid, policy: Uuid, target: Uuid, position: i32) -> Result<bool> {
    let same = Condition::all()
        .add(Column::PolicyId.eq(policy))
        .add(Column::TargetId.eq(target))
        .add(Column::Position.eq(position))
        .add(Column::Id.ne(own));
    Ok(Entity::find().filter(same).one(db).await?.is_some())
}

/// Bindings that `condition` selects, locked until the transaction ends.
///
/// # Errors
/// When the database is away.
pub async fn locked(db: &impl ConnectionTrait, condition: sea_orm::sea_query::SimpleExpr) -> Result<Vec<Model>> {
    let select = Entity::find().filter(condition).order_by_asc(Column::Id).lock(LockType::Update);
    Ok(select.all(db).await?)
}

/// An enabled binding with the policy it names.
#[derive(Debug, Clone, FromQueryResult)]
pub struct Bound {
    #[sea_orm(nested)]
    pub binding: Model,
    #[sea_orm(nested)]
    pub policy: Option<Policy>,
}

/// A policy, under names of its own beside a binding.
#[derive(Debug, Clone, FromQueryResult)]
pub struct Policy {
    #[sea_orm(from_alias = "p_id")]
    pub id: Uuid,
    #[sea_orm(from_alias = "p_name")]
    pub name: String,
    #[sea_orm(from_alias = "p_kind")]
    pub kind: policies::Kind,
    #[sea_orm(from_alias = "p_execution_logging")]
    pub execution_logging: bool,
    #[sea_orm(from_alias = "p_settings")]
    pub settings: sea_orm::prelude::Json,
}

/// The enabled bindings of targets, in their order.
///
/// # Errors
/// When the database is away.
pub async fn enabled(db: &impl ConnectionTrait, targets: &[Uuid]) -> Result<Vec<Bound>> {
    use policies::Column as P;
    let mut found = Vec::new();
    for some in targets.chunks(MANY) {
        let select = Entity::find()
            .join(JoinType::LeftJoin, Entity::belongs_to(policies::Entity).from(Column::PolicyId).to(P::Id).into())
            .column_as(P::Id, "p_id")
            .column_as(P::Name, "p_name")
            .column_as(P::Kind, "p_kind")
            .column_as(P::ExecutionLogging, "p_execution_logging")
            .column_as(P::Settings, "p_settings")
            .filter(Column::TargetId.is_in(some.iter().copied()))
            .filter(Column::Enabled.eq(true))
            .order_by_asc(Column::Position)
            .order_by_asc(Column::Id);
        found.extend(select.into_model::<Bound>().all(db).await?);
    }
    Ok(found)
}

/// # Errors
/// [`Error::Refused`] for a twin; otherwise when the database is away.
pub async fn insert(db: &impl ConnectionTrait, binding: ActiveModel) -> Result<Model> {
    binding.insert(db).await.map_err(taken)
}

/// # Errors
/// As [`insert`].
pub async fn update(db: &impl ConnectionTrait, binding: ActiveModel) -> Result<Model> {
    binding.update(db).await.map_err(taken)
}

/// # Errors
/// [`Error::NotFound`] when somebody else was faster.
pub async fn delete(db: &impl ConnectionTrait, id: Uuid) -> Result<()> {
    let gone = Entity::delete_by_id(id).exec(db).await?;
    if gone.rows_affected == 0 { Err(Error::NotFound) } else { Ok(()) }
}

/// # Errors
/// When the database is away.
pub async fn delete_all(db: &impl ConnectionTrait, ids: &[Uuid]) -> Result<()> {
    for some in ids.chunks(MANY) {
        Entity::delete_many().filter(Column::Id.is_in(some.iter().copied())).exec(db).await?;
    }
    Ok(())
}

/// What the contract says about a twin (authentik-core §1.3).
#[must_use]
pub fn not_unique() -> Error {
    Error::Refused("The fields policy, target, order must make a unique set.".to_owned())
}

fn taken(error: DbErr) -> Error {
    match unique_violation(&error) {
        Some(_) => not_unique(),
        None => error.into(),
    }
}
