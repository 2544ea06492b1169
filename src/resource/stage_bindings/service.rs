//! Rules for bindings of stages (contract: authentik-core §6.1).

use super::{
    entity::{ActiveModel, InvalidResponse, Model},
    gone,
    store::{self, BindingFilter, BindingRow},
};
use crate::{
    audit::{self, Event},
    ctx::Ctx,
    db::Tx,
    error::{Error, FieldErrors, Problem, Result},
    list::{ListRequest, Page},
    resource::{
        bindings::{self, service::Of, target::Mode},
        flows,
        grants::store as grants,
        policies,
        stages::{self, StageView},
    },
};
use sea_orm::{ActiveModelTrait as _, ConnectionTrait, IntoActiveModel as _};
use serde_json::json;
use std::collections::BTreeMap;
use uuid::Uuid;

/// What a write says about a binding; what is absent stays, or is the default.
#[derive(Debug, Clone, Default)]
pub struct Draft {
    /// The flow.
    pub target: Option<Uuid>,
    pub stage: Option<Uuid>,
    pub evaluate_on_plan: Option<bool>,
    pub re_evaluate_policies: Option<bool>,
    pub order: Option<i32>,
    pub mode: Option<Mode>,
    pub invalid_response_action: Option<InvalidResponse>,
}

/// A binding with its stage.
#[derive(Debug, Clone)]
pub struct BindingView {
    pub binding: Model,
    pub mode: Mode,
    pub stage: StageView,
}

/// Adds the stages: one query for all of them, and one for their flows.
async fn completed(db: &impl ConnectionTrait, rows: Vec<BindingRow>) -> Result<Vec<BindingView>> {
    let mut ids: Vec<Uuid> = rows.iter().map(|row| row.binding.stage_id).collect();
    ids.sort_unstable();
    ids.dedup();
    let stages = stages::store::with_flows(db, stages::store::by_ids(db, &ids).await?).await?;
    let stages: BTreeMap<Uuid, StageView> = stages.into_iter().map(|view| (view.stage.id, view)).collect();
    let view = |BindingRow { binding, engine_mode }| {
        // A stage that goes takes its bindings along: what is missing went a moment ago.
        let stage = stages.get(&binding.stage_id)?.clone();
        Some(BindingView { binding, mode: engine_mode, stage })
    };
    Ok(rows.into_iter().filter_map(view).collect())
}

/// # Errors
/// [`Error::InvalidPage`]; [`Error::Invalid`] for a filter by something that is not there.
pub async fn list(ctx: &Ctx, request: &ListRequest, filter: BindingFilter) -> Result<Page<BindingView>> {
    let db = ctx.app.db.read();
    let mut errors = FieldErrors::default();
    if let Some(id) = filter.flow
        && flows::store::by_ids(db, &[id]).await?.is_empty()
    {
        errors.add("target", Problem::NoSuchChoice);
    }
    if let Some(id) = filter.stage
        && stages::store::by_id(db, id).await?.is_none()
    {
        errors.add("stage", Problem::NoSuchChoice);
    }
    let known = policies::store::views(db, &filter.policies).await?;
    if let Some(id) = filter.policies.iter().find(|id| !known.iter().any(|view| view.policy.id == **id)) {
        errors.add("policies", Problem::UnknownChoice(id.to_string()));
    }
    errors.finish()?;
    let Page { items, count, number, pages, size } = store::list(db, &ctx.principal, request, filter).await?;
    Ok(Page { items: completed(db, items).await?, count, number, pages, size })
}

/// # Errors
/// [`Error::NotFound`].
pub async fn view(ctx: &Ctx, id: Uuid) -> Result<BindingView> {
    shown(ctx, ctx.app.db.read(), id).await
}

async fn shown(ctx: &Ctx, db: &impl ConnectionTrait, id: Uuid) -> Result<BindingView> {
    let row = store::view(db, &ctx.principal, id).await?;
    completed(db, vec![row]).await?.pop().ok_or(Error::NotFound)
}

/// Whether there is such a binding for the caller.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn require(ctx: &Ctx, id: Uuid) -> Result<()> {
    store::view(ctx.app.db.read(), &ctx.principal, id).await.map(drop)
}

/// Every reference must lead somewhere.
async fn check_references(tx: &Tx, draft: &Draft) -> Result<()> {
    let mut errors = FieldErrors::default();
    if let Some(id) = draft.target
        && flows::store::by_ids(tx.conn(), &[id]).await?.is_empty()
    {
        errors.add("target", Problem::UnknownKey(id.to_string()));
    }
    if let Some(id) = draft.stage
        && stages::store::by_id(tx.conn(), id).await?.is_none()
    {
        errors.add("stage", Problem::UnknownKey(id.to_string()));
    }
    errors.finish()
}

fn never_evaluated() -> Error {
    Error::Refused("Either evaluation on plan or evaluation on run must be enabled".to_owned())
}

/// Judged on what is sent, and its defaults: so has the original it.
fn check_evaluation(draft: &Draft) -> Result<()> {
    let evaluated = draft.evaluate_on_plan.unwrap_or(false) || draft.re_evaluate_policies.unwrap_or(true);
    if evaluated { Ok(()) } else { Err(never_evaluated()) }
}

/// Binds a stage to a flow.
///
/// # Errors
/// [`Error::Invalid`], [`Error::Refused`].
pub async fn create(ctx: &Ctx, draft: Draft) -> Result<BindingView> {
    let mut tx = ctx.begin().await?;
    check_references(&tx, &draft).await?;
    check_evaluation(&draft)?;
    let (Some(flow_id), Some(stage_id), Some(position)) = (draft.target, draft.stage, draft.order) else {
        return Err(Error::internal("a binding without flow, stage or order came through"));
    };
    let binding = Model {
        id: ctx.uuid(),
        target_id: ctx.uuid(),
        flow_id,
        stage_id,
        position,
        evaluate_on_plan: draft.evaluate_on_plan.unwrap_or(false),
        re_evaluate_policies: draft.re_evaluate_policies.unwrap_or(true),
        invalid_response_action: draft.invalid_response_action.unwrap_or(InvalidResponse::Retry),
    };
    if store::twin(tx.conn(), &binding).await? {
        return Err(store::not_unique());
    }
    let binding = store::insert(tx.conn(), write(binding), draft.mode.unwrap_or(Mode::Any)).await?;
    let fields = json!({
        "target": binding.flow_id.simple().to_string(), "stage": binding.stage_id.simple().to_string(),
        "order": binding.position, "evaluate_on_plan": binding.evaluate_on_plan,
        "re_evaluate_policies": binding.re_evaluate_policies,
        "invalid_response_action": binding.invalid_response_action,
    });
    audit::record(&tx, ctx, Event::created(&gone::subject(&binding), &fields));
    let row = BindingRow { engine_mode: draft.mode.unwrap_or(Mode::Any), binding };
    let view = completed(tx.conn(), vec![row]).await?.pop().ok_or(Error::NotFound)?;
    tx.touch();
    tx.commit().await?;
    Ok(view)
}

fn write(binding: Model) -> ActiveModel {
    binding.into_active_model().reset_all()
}

/// Changes a binding.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Invalid`], [`Error::Refused`].
pub async fn update(ctx: &Ctx, id: Uuid, draft: Draft) -> Result<BindingView> {
    let mut tx = ctx.begin().await?;
    let mut binding = store::find_for_update(tx.conn(), &ctx.principal, id).await?;
    check_references(&tx, &draft).await?;
    check_evaluation(&draft)?;
    binding.flow_id = draft.target.unwrap_or(binding.flow_id);
    binding.stage_id = draft.stage.unwrap_or(binding.stage_id);
    binding.position = draft.order.unwrap_or(binding.position);
    binding.evaluate_on_plan = draft.evaluate_on_plan.unwrap_or(binding.evaluate_on_plan);
    binding.re_evaluate_policies = draft.re_evaluate_policies.unwrap_or(binding.re_evaluate_policies);
    binding.invalid_response_action = draft.invalid_response_action.unwrap_or(binding.invalid_response_action);
    if !binding.evaluate_on_plan && !binding.re_evaluate_policies {
        // Its policies would never be asked, and the stage be open to everybody.
        return Err(never_evaluated());
    }
    if store::twin(tx.conn(), &binding).await? {
        return Err(store::not_unique());
    }
    let binding = store::update(tx.conn(), write(binding)).await?;
    if let Some(mode) = draft.mode {
        flows::store::set_mode(tx.conn(), binding.target_id, mode).await?;
    }
    audit::record(&tx, ctx, Event::updated(&gone::subject(&binding)));
    let view = shown(ctx, tx.conn(), id).await?;
    tx.touch();
    tx.commit().await?;
    Ok(view)
}

/// Removes a binding with what is bound to it.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn delete(ctx: &Ctx, id: Uuid) -> Result<()> {
    let mut tx = ctx.begin().await?;
    let binding = store::find_for_update(tx.conn(), &ctx.principal, id).await?;
    bindings::service::forget(ctx, &mut tx, Of::Target(binding.target_id)).await?;
    store::delete(tx.conn(), &binding).await?;
    grants::forget_object(tx.conn(), "authentik_flows", "flowstagebinding", &id.to_string()).await?;
    let target = binding.target_id.to_string();
    grants::forget_object(tx.conn(), "authentik_policies", "policybindingmodel", &target).await?;
    audit::record(&tx, ctx, Event::deleted(&gone::subject(&binding)));
    tx.touch();
    tx.commit().await
}
