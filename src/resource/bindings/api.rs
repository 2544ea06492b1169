//! `policies/bindings` of api/v3.yaml: convert in, call the service, convert out.

use super::{
    service::{self, BindingView, Draft},
    store::BindingFilter,
};
use crate::{
    app::{App, Shown},
    ctx::Ctx,
    dialect::{Failure, v3},
    list::ListRequest,
    resource::{groups, policies, users},
};
use tessera_api::v3::{apis::policy_bindings::*, models};

fn to_model(app: &App, shown: &Shown, view: BindingView) -> models::PolicyBinding {
    let BindingView { binding, target, policy, group, user } = view;
    models::PolicyBinding {
        pk: binding.id,
        policy: binding.policy_id,
        group: binding.group_id,
        user: binding.user_id,
        policy_obj: policy.map(policies::to_model),
        group_obj: group.map(|group| groups::to_model(app, false, group)),
        user_obj: user.map(|user| users::to_model(app, shown, true, user)),
        target,
        negate: binding.negate,
        enabled: binding.enabled,
        order: binding.position,
        timeout: binding.timeout,
        failure_result: binding.failure_result,
    }
}

fn whole(body: models::PolicyBindingRequest) -> Draft {
    Draft {
        policy: body.policy,
        group: body.group,
        user: body.user,
        target: Some(body.target),
        negate: body.negate,
        enabled: body.enabled,
        order: Some(body.order),
        timeout: body.timeout,
        failure_result: body.failure_result,
    }
}

impl PolicyBindings for App {
    async fn policies_bindings_list(
        &self,
        ctx: &Ctx,
        q: PoliciesBindingsListQuery,
    ) -> Result<PoliciesBindingsListResponse, Failure> {
        let request =
            ListRequest::new(q.page.as_deref(), q.page_size.as_deref(), q.ordering.as_deref(), q.search.as_deref())?;
        let filter = BindingFilter {
            policy: q.policy,
            no_policy: q.policy__isnull,
            target: q.target,
            targets: q.target_in,
            enabled: q.enabled,
            position: q.order,
            timeout: q.timeout,
        };
        let page = service::list(ctx, &request, filter).await?;
        let shown = self.shown().await?;
        let (pagination, results) = v3::page(page.map(|view| to_model(self, &shown, view)));
        Ok(PoliciesBindingsListResponse::Status200(models::PaginatedPolicyBindingList { pagination, results }))
    }

    async fn policies_bindings_create(
        &self,
        ctx: &Ctx,
        body: models::PolicyBindingRequest,
    ) -> Result<PoliciesBindingsCreateResponse, Failure> {
        let shown = self.shown().await?;
        let view = service::create(ctx, whole(body)).await?;
        Ok(PoliciesBindingsCreateResponse::Status201(to_model(self, &shown, view)))
    }

    async fn policies_bindings_retrieve(
        &self,
        ctx: &Ctx,
        path: PoliciesBindingsRetrievePath,
    ) -> Result<PoliciesBindingsRetrieveResponse, Failure> {
        let view = service::view(ctx, path.policy_binding_uuid).await?;
        Ok(PoliciesBindingsRetrieveResponse::Status200(to_model(self, &self.shown().await?, view)))
    }

    async fn policies_bindings_update(
        &self,
        ctx: &Ctx,
        path: PoliciesBindingsUpdatePath,
        body: models::PolicyBindingRequest,
    ) -> Result<PoliciesBindingsUpdateResponse, Failure> {
        let shown = self.shown().await?;
        let view = service::update(ctx, path.policy_binding_uuid, whole(body)).await?;
        Ok(PoliciesBindingsUpdateResponse::Status200(to_model(self, &shown, view)))
    }

    async fn policies_bindings_partial_update(
        &self,
        ctx: &Ctx,
        path: PoliciesBindingsPartialUpdatePath,
        body: models::PatchedPolicyBindingRequest,
    ) -> Result<PoliciesBindingsPartialUpdateResponse, Failure> {
        let shown = self.shown().await?;
        let draft = Draft {
            policy: body.policy,
            group: body.group,
            user: body.user,
            target: body.target,
            negate: body.negate,
            enabled: body.enabled,
            order: body.order,
            timeout: body.timeout,
            failure_result: body.failure_result,
        };
        let view = service::update(ctx, path.policy_binding_uuid, draft).await?;
        Ok(PoliciesBindingsPartialUpdateResponse::Status200(to_model(self, &shown, view)))
    }

    async fn policies_bindings_destroy(
        &self,
        ctx: &Ctx,
        path: PoliciesBindingsDestroyPath,
    ) -> Result<PoliciesBindingsDestroyResponse, Failure> {
        service::delete(ctx, path.policy_binding_uuid).await?;
        Ok(PoliciesBindingsDestroyResponse::Status204)
    }

    async fn policies_bindings_used_by_list(
        &self,
        ctx: &Ctx,
        path: PoliciesBindingsUsedByListPath,
    ) -> Result<PoliciesBindingsUsedByListResponse, Failure> {
        service::view(ctx, path.policy_binding_uuid).await?;
        Ok(PoliciesBindingsUsedByListResponse::Status200(Vec::new()))
    }
}
