//! `flows/bindings` of api/v3.yaml: convert in, call the service, convert out.

use super::{
    entity::InvalidResponse,
    service::{self, BindingView, Draft},
    store::BindingFilter,
};
use crate::{
    app::App,
    ctx::Ctx,
    dialect::{Failure, v3},
    list::ListRequest,
    resource::{bindings::target::Mode, stages},
};
use tessera_api::v3::{apis::stage_bindings::*, models};

impl From<models::InvalidResponseActionEnum> for InvalidResponse {
    fn from(value: models::InvalidResponseActionEnum) -> Self {
        match value {
            models::InvalidResponseActionEnum::Retry => Self::Retry,
            models::InvalidResponseActionEnum::Restart => Self::Restart,
            models::InvalidResponseActionEnum::RestartWithContext => Self::RestartWithContext,
        }
    }
}

impl From<InvalidResponse> for models::InvalidResponseActionEnum {
    fn from(value: InvalidResponse) -> Self {
        match value {
            InvalidResponse::Retry => Self::Retry,
            InvalidResponse::Restart => Self::Restart,
            InvalidResponse::RestartWithContext => Self::RestartWithContext,
        }
    }
}

/// A binding as the contract shows it.
#[must_use]
pub fn to_model(view: BindingView) -> models::FlowStageBinding {
    let BindingView { binding, mode, stage } = view;
    models::FlowStageBinding {
        pk: binding.id,
        policybindingmodel_ptr_id: binding.target_id,
        target: binding.flow_id,
        stage: binding.stage_id,
        stage_obj: stages::to_stage(stage),
        evaluate_on_plan: binding.evaluate_on_plan,
        re_evaluate_policies: binding.re_evaluate_policies,
        order: binding.position,
        policy_engine_mode: mode.into(),
        invalid_response_action: binding.invalid_response_action.into(),
    }
}

fn whole(body: models::FlowStageBindingRequest) -> Draft {
    Draft {
        target: Some(body.target),
        stage: Some(body.stage),
        evaluate_on_plan: body.evaluate_on_plan,
        re_evaluate_policies: body.re_evaluate_policies,
        order: Some(body.order),
        mode: body.policy_engine_mode.map(Into::into),
        invalid_response_action: body.invalid_response_action.map(Into::into),
    }
}

fn part(body: models::PatchedFlowStageBindingRequest) -> Draft {
    Draft {
        target: body.target,
        stage: body.stage,
        evaluate_on_plan: body.evaluate_on_plan,
        re_evaluate_policies: body.re_evaluate_policies,
        order: body.order,
        mode: body.policy_engine_mode.map(Into::into),
        invalid_response_action: body.invalid_response_action.map(Into::into),
    }
}

impl StageBindings for App {
    async fn flows_bindings_list(
        &self,
        ctx: &Ctx,
        q: FlowsBindingsListQuery,
    ) -> Result<FlowsBindingsListResponse, Failure> {
        let request =
            ListRequest::new(q.page.as_deref(), q.page_size.as_deref(), q.ordering.as_deref(), q.search.as_deref())?;
        let action =
            q.invalid_response_action.and_then(|a| a.as_str().parse::<models::InvalidResponseActionEnum>().ok());
        let mode = q.policy_engine_mode.and_then(|m| m.as_str().parse::<models::PolicyEngineMode>().ok());
        let filter = BindingFilter {
            id: q.fsb_uuid,
            target: q.pbm_uuid,
            flow: q.target,
            stage: q.stage,
            position: q.order,
            evaluate_on_plan: q.evaluate_on_plan,
            re_evaluate_policies: q.re_evaluate_policies,
            invalid_response_action: action.map(Into::into),
            mode: mode.map(Mode::from),
            policies: q.policies,
        };
        let page = service::list(ctx, &request, filter).await?;
        let (pagination, results) = v3::page(page.map(to_model));
        Ok(FlowsBindingsListResponse::Status200(models::PaginatedFlowStageBindingList { pagination, results }))
    }

    async fn flows_bindings_create(
        &self,
        ctx: &Ctx,
        body: models::FlowStageBindingRequest,
    ) -> Result<FlowsBindingsCreateResponse, Failure> {
        Ok(FlowsBindingsCreateResponse::Status201(to_model(service::create(ctx, whole(body)).await?)))
    }

    async fn flows_bindings_retrieve(
        &self,
        ctx: &Ctx,
        path: FlowsBindingsRetrievePath,
    ) -> Result<FlowsBindingsRetrieveResponse, Failure> {
        Ok(FlowsBindingsRetrieveResponse::Status200(to_model(service::view(ctx, path.fsb_uuid).await?)))
    }

    async fn flows_bindings_update(
        &self,
        ctx: &Ctx,
        path: FlowsBindingsUpdatePath,
        body: models::FlowStageBindingRequest,
    ) -> Result<FlowsBindingsUpdateResponse, Failure> {
        let view = service::update(ctx, path.fsb_uuid, whole(body)).await?;
        Ok(FlowsBindingsUpdateResponse::Status200(to_model(view)))
    }

    async fn flows_bindings_partial_update(
        &self,
        ctx: &Ctx,
        path: FlowsBindingsPartialUpdatePath,
        body: models::PatchedFlowStageBindingRequest,
    ) -> Result<FlowsBindingsPartialUpdateResponse, Failure> {
        let view = service::update(ctx, path.fsb_uuid, part(body)).await?;
        Ok(FlowsBindingsPartialUpdateResponse::Status200(to_model(view)))
    }

    async fn flows_bindings_destroy(
        &self,
        ctx: &Ctx,
        path: FlowsBindingsDestroyPath,
    ) -> Result<FlowsBindingsDestroyResponse, Failure> {
        service::delete(ctx, path.fsb_uuid).await?;
        Ok(FlowsBindingsDestroyResponse::Status204)
    }

    async fn flows_bindings_used_by_list(
        &self,
        ctx: &Ctx,
        path: FlowsBindingsUsedByListPath,
    ) -> Result<FlowsBindingsUsedByListResponse, Failure> {
        service::require(ctx, path.fsb_uuid).await?;
        // Policies that are bound to it do not show here (contract: authentik-core §1.9).
        Ok(FlowsBindingsUsedByListResponse::Status200(Vec::new()))
    }
}
