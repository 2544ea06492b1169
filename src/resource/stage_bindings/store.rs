//! Queries on bindings of stages. Every query of a caller starts at [`visible`].

use super::entity::{ActiveModel, Column, Entity, InvalidResponse, Model};
use crate::{
    access::{Principal, Visible, code},
    db::MANY,
    error::{Error, Result, unique_violation},
    list::{ListRequest, OrderColumn, Page},
    resource::{bindings, bindings::target},
};
use sea_orm::{
    ActiveModelTrait as _,
    ActiveValue::Set,
    ColumnTrait as _, Condition, ConnectionTrait, DbErr, EntityTrait as _, FromQueryResult, JoinType, QueryFilter as _,
    QuerySelect as _, Select,
    sea_query::{Expr, LockType, Query},
};
use std::collections::BTreeMap;
use uuid::Uuid;

/// What a listing may be narrowed by (contract: authentik-core §6.1).
#[derive(Debug, Clone, Default)]
pub struct BindingFilter {
    pub id: Option<Uuid>,
    /// What policies are bound to.
    pub target: Option<Uuid>,
    pub flow: Option<Uuid>,
    pub stage: Option<Uuid>,
    pub position: Option<i32>,
    pub evaluate_on_plan: Option<bool>,
    pub re_evaluate_policies: Option<bool>,
    pub invalid_response_action: Option<InvalidResponse>,
    pub mode: Option<target::Mode>,
    /// Any of these is bound to it; all when empty.
    pub policies: Vec<Uuid>,
}

/// A binding with how its policies are put together.
#[derive(Debug, Clone, FromQueryResult)]
pub struct BindingRow {
    #[sea_orm(nested)]
    pub binding: Model,
    pub engine_mode: target::Mode,
}

/// Bindings that exist for this caller.
pub fn visible(principal: &Principal) -> Select<Entity> {
    match principal.visible(code::VIEW_STAGE_BINDING) {
        Visible::All => Entity::find(),
        Visible::Some(keys) => {
            Entity::find().filter(Column::Id.is_in(keys.iter().filter_map(|key| key.parse::<Uuid>().ok())))
        }
        Visible::None => Entity::find().filter(Expr::val(false)),
    }
}

fn with_target(select: Select<Entity>) -> Select<Entity> {
    let target = Entity::belongs_to(target::Entity).from(Column::TargetId).to(target::Column::Id);
    select.join(JoinType::InnerJoin, target.into())
}

fn with_mode(select: Select<Entity>) -> Select<Entity> {
    with_target(select).column(target::Column::EngineMode)
}

/// A column of the stage that is bound.
fn of_stage(column: &str) -> sea_orm::sea_query::SimpleExpr {
    Expr::cust(format!("(SELECT stages.{column} FROM stages WHERE stages.id = stage_bindings.stage_id)"))
}

fn order_column(name: &str) -> Option<OrderColumn> {
    Some(match name {
        "order" => OrderColumn::of(Column::Position),
        "stage__name" => OrderColumn::computed(of_stage("name")),
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
) -> Result<Page<BindingRow>> {
    let bound = |policies: Vec<Uuid>| {
        let targets = Query::select()
            .column((bindings::Entity, bindings::Column::TargetId))
            .from(bindings::Entity)
            .and_where(bindings::Column::PolicyId.is_in(policies))
            .take();
        Column::TargetId.in_subquery(targets)
    };
    let own = [
        filter.id.map(|v| Column::Id.eq(v)),
        filter.target.map(|v| Column::TargetId.eq(v)),
        filter.flow.map(|v| Column::FlowId.eq(v)),
        filter.stage.map(|v| Column::StageId.eq(v)),
        filter.position.map(|v| Column::Position.eq(v)),
        filter.evaluate_on_plan.map(|v| Column::EvaluateOnPlan.eq(v)),
        filter.re_evaluate_policies.map(|v| Column::ReEvaluatePolicies.eq(v)),
        filter.invalid_response_action.map(|v| Column::InvalidResponseAction.eq(v)),
        filter.mode.map(|v| target::Column::EngineMode.eq(v)),
        Some(filter.policies).filter(|policies| !policies.is_empty()).map(bound),
    ];
    let select = own.into_iter().flatten().fold(with_target(visible(principal)), sea_orm::QueryFilter::filter);
    let select = select.filter(request.search_condition(&[of_stage("search")]));
    let shown = select.clone().column(target::Column::EngineMode);
    let ordered = request.order(shown, order_column, &["order"], Column::Id);
    request.fetch(db, select, ordered).await
}

/// One binding that the caller may see.
///
/// # Errors
/// [`Error::NotFound`]; otherwise when the database is away.
pub async fn view(db: &impl ConnectionTrait, principal: &Principal, id: Uuid) -> Result<BindingRow> {
    let select = visible(principal).filter(Column::Id.eq(id));
    with_mode(select).into_model().one(db).await?.ok_or(Error::NotFound)
}

/// One binding that the caller may see, and nobody else changes it until the transaction ends.
///
/// # Errors
/// As [`view`].
pub async fn find_for_update(db: &impl ConnectionTrait, principal: &Principal, id: Uuid) -> Result<Model> {
    visible(principal).filter(Column::Id.eq(id)).lock(LockType::NoKeyUpdate).one(db).await?.ok_or(Error::NotFound)
}

/// Those of `ids` that are bindings.
///
/// # Errors
/// When the database is away.
pub async fn by_ids(db: &impl ConnectionTrait, ids: &[Uuid]) -> Result<Vec<Model>> {
    let mut found = Vec::new();
    for some in ids.chunks(MANY) {
        found.extend(Entity::find().filter(Column::Id.is_in(some.iter().copied())).all(db).await?);
    }
    Ok(found)
}

/// The bindings that policies are bound to through these, by that.
///
/// # Errors
/// When the database is away.
pub async fn by_targets(db: &impl ConnectionTrait, targets: &[Uuid]) -> Result<BTreeMap<Uuid, Uuid>> {
    let mut found = BTreeMap::new();
    for some in targets.chunks(MANY) {
        let select = Entity::find().select_only().column(Column::TargetId).column(Column::Id);
        let select = select.filter(Column::TargetId.is_in(some.iter().copied()));
        found.extend(select.into_tuple::<(Uuid, Uuid)>().all(db).await?);
    }
    Ok(found)
}

/// Whether the same stage is bound to the same flow in the same place already, by another binding.
///
/// # Errors
/// When the database is away.
pub async fn twin(db: &impl ConnectionTrait, binding: &Model) -> Result<bool> {
    let same = Condition::all()
        .add(Column::FlowId.eq(binding.flow_id))
        .add(Column::StageId.eq(binding.stage_id))
        .add(Column::Position.eq(binding.position))
        .add(Column::Id.ne(binding.id));
    Ok(Entity::find().filter(same).one(db).await?.is_some())
}

/// # Errors
/// [`Error::Refused`] for a twin; otherwise when the database is away.
pub async fn insert(db: &impl ConnectionTrait, binding: ActiveModel, mode: target::Mode) -> Result<Model> {
    target::ActiveModel { id: binding.target_id.clone(), engine_mode: Set(mode) }.insert(db).await?;
    binding.insert(db).await.map_err(taken)
}

/// # Errors
/// As [`insert`].
pub async fn update(db: &impl ConnectionTrait, binding: ActiveModel) -> Result<Model> {
    binding.update(db).await.map_err(taken)
}

/// Removes a binding with its policy target.
///
/// # Errors
/// [`Error::NotFound`] when somebody else was faster.
pub async fn delete(db: &impl ConnectionTrait, binding: &Model) -> Result<()> {
    let gone = target::Entity::delete_by_id(binding.target_id).exec(db).await?;
    if gone.rows_affected == 0 { Err(Error::NotFound) } else { Ok(()) }
}

/// What the contract says about a twin (authentik-core §6.1).
#[must_use]
pub fn not_unique() -> Error {
    Error::Refused("The fields target, stage, order must make a unique set.".to_owned())
}

fn taken(error: DbErr) -> Error {
    match unique_violation(&error) {
        Some(_) => not_unique(),
        None => error.into(),
    }
}
