//! What an administrator sees of a visit: which stages are ahead, and what the plan knows, without its passwords.

use super::{
    plan::{Plan, Step},
    store,
};
use crate::{
    audit::redact,
    ctx::Ctx,
    error::{Error, Result},
    resource::{sessions::service as sessions, stage_bindings},
};
use serde_json::Value;
use tessera_api::v3::models::{FlowInspection, FlowInspectorPlan, FlowStageBinding};

/// The visit of the caller's own session to a flow.
///
/// # Errors
/// [`Error::NotFound`] for an unknown flow; [`Error::Unexplained`] where the session has no plan for it.
pub async fn inspect(ctx: &Ctx, slug: &str) -> Result<FlowInspection> {
    let flow = store::by_slug(ctx.app.db.read(), slug).await?.ok_or(Error::NotFound)?;
    let session = sessions::current(ctx).await?.ok_or(Error::Unexplained)?;
    let plan = Plan::of(ctx, &session)?.filter(|plan| plan.flow == flow.id).ok_or(Error::Unexplained)?;
    let mut context = Value::Object(plan.context.clone());
    redact::mask_under(&mut context, "prompt_data");
    let plan_context = match redact::clean(context) {
        Value::Object(context) => context,
        _ => serde_json::Map::new(),
    };
    let session_id = session.id.simple().to_string();
    let current_stage = shown(ctx, plan.steps.front()).await?;
    let next_planned_stage = shown(ctx, plan.steps.get(1)).await?;
    let shown = FlowInspectorPlan { current_stage, next_planned_stage, plan_context, session_id };
    Ok(FlowInspection { plans: vec![shown.clone()], current_plan: Some(shown), is_completed: false })
}

/// The binding that a step stands for; `None` for one that is not the flow's own, or has gone since.
async fn shown(ctx: &Ctx, step: Option<&Step>) -> Result<Option<FlowStageBinding>> {
    let Some(Step::Bound { binding }) = step else { return Ok(None) };
    match stage_bindings::service::view(ctx, *binding).await {
        Ok(view) => Ok(Some(stage_bindings::api::to_model(view))),
        Err(Error::NotFound) => Ok(None),
        Err(error) => Err(error),
    }
}
