//! Queries on flows, as administrators see them. Every query of a caller starts at [`visible`]; what a visit
//! needs is in [`crate::flow`].

use super::entity::{ActiveModel, Column, DeniedAction, Designation, Entity, Model};
use crate::{
    access::{Principal, Visible, code},
    db::MANY,
    error::{Error, Problem, Result, unique_violation},
    list::{ListRequest, OrderColumn, Page},
    resource::{bindings, bindings::target, brands, stage_bindings},
};
use sea_orm::{
    ActiveModelTrait as _,
    ActiveValue::Set,
    ColumnTrait as _, Condition, ConnectionTrait, DbErr, EntityTrait as _, FromQueryResult, JoinType, QueryFilter as _,
    QueryOrder as _, QuerySelect as _, Select,
    sea_query::{Expr, LockType},
};
use std::collections::BTreeMap;
use uuid::Uuid;

/// What a listing may be narrowed by (contract: authentik-core §6.1).
#[derive(Debug, Clone, Default)]
pub struct FlowFilter {
    pub id: Option<Uuid>,
    pub name: Option<String>,
    pub slug: Option<String>,
    pub designation: Option<Designation>,
    pub denied_action: Option<DeniedAction>,
}

/// A flow with how its policies are put together.
#[derive(Debug, Clone, FromQueryResult)]
pub struct FlowRow {
    #[sea_orm(nested)]
    pub flow: Model,
    pub engine_mode: target::Mode,
}

/// A flow with what it has.
#[derive(Debug, Clone)]
pub struct FlowView {
    pub flow: Model,
    pub mode: target::Mode,
    /// In their order.
    pub stages: Vec<Uuid>,
    /// What is bound to it, in order.
    pub policies: Vec<Uuid>,
}

/// Flows that exist for this caller.
pub fn visible(principal: &Principal) -> Select<Entity> {
    match principal.visible(code::VIEW_FLOW) {
        Visible::All => Entity::find(),
        Visible::Some(keys) => {
            Entity::find().filter(Column::Id.is_in(keys.iter().filter_map(|key| key.parse::<Uuid>().ok())))
        }
        Visible::None => Entity::find().filter(Expr::val(false)),
    }
}

fn with_mode(select: Select<Entity>) -> Select<Entity> {
    let target = Entity::belongs_to(target::Entity).from(Column::TargetId).to(target::Column::Id);
    select.join(JoinType::InnerJoin, target.into()).column(target::Column::EngineMode)
}

fn order_column(name: &str) -> Option<OrderColumn> {
    Some(match name {
        "pk" | "flow_uuid" => OrderColumn::of(Column::Id),
        "policybindingmodel_ptr_id" => OrderColumn::of(Column::TargetId),
        "name" => OrderColumn::of(Column::Name),
        "slug" => OrderColumn::of(Column::Slug),
        "title" => OrderColumn::of(Column::Title),
        "designation" => OrderColumn::of(Column::Designation),
        "background" => OrderColumn::of(Column::Background),
        "policy_engine_mode" => OrderColumn::of(target::Column::EngineMode),
        "compatibility_mode" => OrderColumn::of(Column::CompatibilityMode),
        "layout" => OrderColumn::of(Column::Layout),
        "denied_action" => OrderColumn::of(Column::DeniedAction),
        "authentication" => OrderColumn::of(Column::Authentication),
        _ => return None,
    })
}

/// One page of the flows that the caller may see.
///
/// # Errors
/// [`Error::InvalidPage`]; otherwise when the database is away.
pub async fn list(
    db: &impl ConnectionTrait,
    principal: &Principal,
    request: &ListRequest,
    filter: FlowFilter,
) -> Result<Page<FlowView>> {
    let own = [
        filter.id.map(|v| Column::Id.eq(v)),
        filter.name.map(|v| Column::Name.eq(v)),
        filter.slug.map(|v| Column::Slug.eq(v)),
        filter.designation.map(|v| Column::Designation.eq(v)),
        filter.denied_action.map(|v| Column::DeniedAction.eq(v)),
    ];
    let select = own.into_iter().flatten().fold(visible(principal), sea_orm::QueryFilter::filter);
    let select = select.filter(request.search_condition(&[Expr::col(Column::Search.as_column_ref())]));
    let ordered = request.order(with_mode(select.clone()), order_column, &["slug", "name"], Column::Id);
    let Page { items, count, number, pages, size } = request.fetch(db, select, ordered).await?;
    Ok(Page { items: completed(db, items).await?, count, number, pages, size })
}

/// Adds what flows have: one query for the stages of all of them, one for the policies.
async fn completed(db: &impl ConnectionTrait, rows: Vec<FlowRow>) -> Result<Vec<FlowView>> {
    use bindings::Column as P;
    use stage_bindings::Column as S;
    let (mut stages, mut policies) = (BTreeMap::<Uuid, Vec<Uuid>>::new(), BTreeMap::<Uuid, Vec<Uuid>>::new());
    for some in rows.chunks(MANY) {
        let select = stage_bindings::Entity::find().select_only().column(S::FlowId).column(S::StageId);
        let select = select.filter(S::FlowId.is_in(some.iter().map(|row| row.flow.id)));
        let ordered = select.order_by_asc(S::Position).order_by_asc(S::Id);
        for (flow, stage) in ordered.into_tuple::<(Uuid, Uuid)>().all(db).await? {
            stages.entry(flow).or_default().push(stage);
        }
        let select = bindings::Entity::find().select_only().column(P::TargetId).column(P::PolicyId);
        let targets = some.iter().map(|row| row.flow.target_id);
        let select = select.filter(P::TargetId.is_in(targets)).filter(P::PolicyId.is_not_null());
        let ordered = select.order_by_asc(P::Position).order_by_asc(P::Id);
        for (target, policy) in ordered.into_tuple::<(Uuid, Uuid)>().all(db).await? {
            policies.entry(target).or_default().push(policy);
        }
    }
    let view = |FlowRow { flow, engine_mode }| FlowView {
        stages: stages.remove(&flow.id).unwrap_or_default(),
        policies: policies.remove(&flow.target_id).unwrap_or_default(),
        mode: engine_mode,
        flow,
    };
    Ok(rows.into_iter().map(view).collect())
}

/// One flow that the caller may see.
///
/// # Errors
/// [`Error::NotFound`]; otherwise when the database is away.
pub async fn view(db: &impl ConnectionTrait, principal: &Principal, slug: &str) -> Result<FlowView> {
    let select = visible(principal).filter(Column::Slug.eq(slug));
    let row = with_mode(select).into_model().one(db).await?.ok_or(Error::NotFound)?;
    completed(db, vec![row]).await?.pop().ok_or(Error::NotFound)
}

/// One flow that the caller may see, and nobody else changes it until the transaction ends.
///
/// # Errors
/// As [`view`].
pub async fn find_for_update(db: &impl ConnectionTrait, principal: &Principal, slug: &str) -> Result<Model> {
    visible(principal).filter(Column::Slug.eq(slug)).lock(LockType::NoKeyUpdate).one(db).await?.ok_or(Error::NotFound)
}

/// The key of the flow with this slug.
///
/// # Errors
/// When the database is away.
pub async fn id_of(db: &impl ConnectionTrait, slug: &str) -> Result<Option<Uuid>> {
    Ok(Entity::find().select_only().column(Column::Id).filter(Column::Slug.eq(slug)).into_tuple().one(db).await?)
}

/// Which of these are flows.
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

/// The brands that use a flow, by domain.
///
/// # Errors
/// When the database is away.
pub async fn brands_with(db: &impl ConnectionTrait, flow: Uuid) -> Result<Vec<brands::Model>> {
    use brands::Column as B;
    let columns = [
        B::FlowAuthenticationId,
        B::FlowInvalidationId,
        B::FlowRecoveryId,
        B::FlowUnenrollmentId,
        B::FlowUserSettingsId,
        B::FlowDeviceCodeId,
    ];
    let any = columns.into_iter().fold(Condition::any(), |any, column| any.add(column.eq(flow)));
    Ok(brands::Entity::find().filter(any).order_by_asc(B::Domain).all(db).await?)
}

/// # Errors
/// A taken slug; otherwise when the database is away.
pub async fn insert(db: &impl ConnectionTrait, flow: ActiveModel, mode: target::Mode) -> Result<Model> {
    target::ActiveModel { id: flow.target_id.clone(), engine_mode: Set(mode) }.insert(db).await?;
    flow.insert(db).await.map_err(taken)
}

/// # Errors
/// As [`insert`].
pub async fn update(db: &impl ConnectionTrait, flow: ActiveModel) -> Result<Model> {
    flow.update(db).await.map_err(taken)
}

/// How the results of a target's policies are put together from now on.
///
/// # Errors
/// When the database is away.
pub async fn set_mode(db: &impl ConnectionTrait, target: Uuid, mode: target::Mode) -> Result<()> {
    target::ActiveModel { id: Set(target), engine_mode: Set(mode) }.update(db).await?;
    Ok(())
}

/// Removes a flow with its policy target.
///
/// # Errors
/// [`Error::NotFound`] when somebody else was faster.
pub async fn delete(db: &impl ConnectionTrait, flow: &Model) -> Result<()> {
    let gone = target::Entity::delete_by_id(flow.target_id).exec(db).await?;
    if gone.rows_affected == 0 { Err(Error::NotFound) } else { Ok(()) }
}

/// What the contract says about a slug that is taken.
#[must_use]
pub fn slug_taken() -> Error {
    Error::field("slug", Problem::Taken(Some(("Flow", "slug"))))
}

fn taken(error: DbErr) -> Error {
    match unique_violation(&error) {
        Some(_) => slug_taken(),
        None => error.into(),
    }
}
