//! `flows/instances` of api/v3.yaml: convert in, call the service, convert out.

use super::{
    entity::{Authentication, DeniedAction, Designation, Layout},
    service::{self, Draft, UsedBy},
    store::{FlowFilter, FlowView},
};
use crate::{
    app::App,
    ctx::Ctx,
    dialect::{Failure, v3},
    list::ListRequest,
    resource::{brands, policies, stage_bindings, stages},
};
use tessera_api::v3::{apis::flows::*, models};
use tessera_api_runtime::Attachment;

impl From<models::FlowDesignationEnum> for Designation {
    fn from(value: models::FlowDesignationEnum) -> Self {
        match value {
            models::FlowDesignationEnum::Authentication => Self::Authentication,
            models::FlowDesignationEnum::Authorization => Self::Authorization,
            models::FlowDesignationEnum::Invalidation => Self::Invalidation,
            models::FlowDesignationEnum::Enrollment => Self::Enrollment,
            models::FlowDesignationEnum::Unenrollment => Self::Unenrollment,
            models::FlowDesignationEnum::Recovery => Self::Recovery,
            models::FlowDesignationEnum::StageConfiguration => Self::StageConfiguration,
        }
    }
}

impl From<Designation> for models::FlowDesignationEnum {
    fn from(value: Designation) -> Self {
        match value {
            Designation::Authentication => Self::Authentication,
            Designation::Authorization => Self::Authorization,
            Designation::Invalidation => Self::Invalidation,
            Designation::Enrollment => Self::Enrollment,
            Designation::Unenrollment => Self::Unenrollment,
            Designation::Recovery => Self::Recovery,
            Designation::StageConfiguration => Self::StageConfiguration,
        }
    }
}

impl From<models::FlowLayoutEnum> for Layout {
    fn from(value: models::FlowLayoutEnum) -> Self {
        match value {
            models::FlowLayoutEnum::Stacked => Self::Stacked,
            models::FlowLayoutEnum::ContentLeft => Self::ContentLeft,
            models::FlowLayoutEnum::ContentRight => Self::ContentRight,
            models::FlowLayoutEnum::SidebarLeft => Self::SidebarLeft,
            models::FlowLayoutEnum::SidebarRight => Self::SidebarRight,
        }
    }
}

impl From<Layout> for models::FlowLayoutEnum {
    fn from(value: Layout) -> Self {
        match value {
            Layout::Stacked => Self::Stacked,
            Layout::ContentLeft => Self::ContentLeft,
            Layout::ContentRight => Self::ContentRight,
            Layout::SidebarLeft => Self::SidebarLeft,
            Layout::SidebarRight => Self::SidebarRight,
        }
    }
}

impl From<models::DeniedActionEnum> for DeniedAction {
    fn from(value: models::DeniedActionEnum) -> Self {
        match value {
            models::DeniedActionEnum::MessageContinue => Self::MessageContinue,
            models::DeniedActionEnum::Message => Self::Message,
            models::DeniedActionEnum::Continue => Self::Continue,
        }
    }
}

impl From<DeniedAction> for models::DeniedActionEnum {
    fn from(value: DeniedAction) -> Self {
        match value {
            DeniedAction::MessageContinue => Self::MessageContinue,
            DeniedAction::Message => Self::Message,
            DeniedAction::Continue => Self::Continue,
        }
    }
}

impl From<models::AuthenticationEnum> for Authentication {
    fn from(value: models::AuthenticationEnum) -> Self {
        match value {
            models::AuthenticationEnum::None => Self::None,
            models::AuthenticationEnum::RequireAuthenticated => Self::RequireAuthenticated,
            models::AuthenticationEnum::RequireUnauthenticated => Self::RequireUnauthenticated,
            models::AuthenticationEnum::RequireSuperuser => Self::RequireSuperuser,
            models::AuthenticationEnum::RequireOutpost => Self::RequireOutpost,
        }
    }
}

impl From<Authentication> for models::AuthenticationEnum {
    fn from(value: Authentication) -> Self {
        match value {
            Authentication::None => Self::None,
            Authentication::RequireAuthenticated => Self::RequireAuthenticated,
            Authentication::RequireUnauthenticated => Self::RequireUnauthenticated,
            Authentication::RequireSuperuser => Self::RequireSuperuser,
            Authentication::RequireOutpost => Self::RequireOutpost,
        }
    }
}

fn to_model(view: FlowView) -> models::Flow {
    let FlowView { flow, mode, stages, policies } = view;
    models::Flow {
        pk: flow.id,
        policybindingmodel_ptr_id: flow.target_id,
        export_url: format!("/api/v3/flows/instances/{}/export/", flow.slug),
        name: flow.name,
        slug: flow.slug,
        title: flow.title,
        designation: flow.designation.into(),
        background: flow.background,
        stages,
        policies,
        // No plan is kept for later (`service::remembered`).
        cache_count: 0,
        policy_engine_mode: mode.into(),
        compatibility_mode: flow.compatibility_mode,
        layout: flow.layout.into(),
        denied_action: flow.denied_action.into(),
        authentication: flow.authentication.into(),
    }
}

fn whole(body: models::FlowRequest) -> Draft {
    Draft {
        name: Some(body.name),
        slug: Some(body.slug),
        title: Some(body.title),
        designation: Some(body.designation.into()),
        mode: body.policy_engine_mode.map(Into::into),
        compatibility_mode: body.compatibility_mode,
        layout: body.layout.map(Into::into),
        denied_action: body.denied_action.map(Into::into),
        authentication: body.authentication.map(Into::into),
    }
}

fn part(body: models::PatchedFlowRequest) -> Draft {
    Draft {
        name: body.name,
        slug: body.slug,
        title: body.title,
        designation: body.designation.map(Into::into),
        mode: body.policy_engine_mode.map(Into::into),
        compatibility_mode: body.compatibility_mode,
        layout: body.layout.map(Into::into),
        denied_action: body.denied_action.map(Into::into),
        authentication: body.authentication.map(Into::into),
    }
}

impl Flows for App {
    async fn flows_instances_list(
        &self,
        ctx: &Ctx,
        q: FlowsInstancesListQuery,
    ) -> Result<FlowsInstancesListResponse, Failure> {
        let request =
            ListRequest::new(q.page.as_deref(), q.page_size.as_deref(), q.ordering.as_deref(), q.search.as_deref())?;
        let designation = q.designation.and_then(|d| d.as_str().parse::<models::FlowDesignationEnum>().ok());
        let denied_action = q.denied_action.and_then(|d| d.as_str().parse::<models::DeniedActionEnum>().ok());
        let filter = FlowFilter {
            id: q.flow_uuid,
            name: q.name,
            slug: q.slug,
            designation: designation.map(Into::into),
            denied_action: denied_action.map(Into::into),
        };
        let page = service::list(ctx, &request, filter).await?;
        let (pagination, results) = v3::page(page.map(to_model));
        Ok(FlowsInstancesListResponse::Status200(models::PaginatedFlowList { pagination, results }))
    }

    async fn flows_instances_create(
        &self,
        ctx: &Ctx,
        body: models::FlowRequest,
    ) -> Result<FlowsInstancesCreateResponse, Failure> {
        Ok(FlowsInstancesCreateResponse::Status201(to_model(service::create(ctx, whole(body)).await?)))
    }

    async fn flows_instances_retrieve(
        &self,
        ctx: &Ctx,
        path: FlowsInstancesRetrievePath,
    ) -> Result<FlowsInstancesRetrieveResponse, Failure> {
        Ok(FlowsInstancesRetrieveResponse::Status200(to_model(service::view(ctx, &path.slug).await?)))
    }

    async fn flows_instances_update(
        &self,
        ctx: &Ctx,
        path: FlowsInstancesUpdatePath,
        body: models::FlowRequest,
    ) -> Result<FlowsInstancesUpdateResponse, Failure> {
        let view = service::update(ctx, &path.slug, whole(body)).await?;
        Ok(FlowsInstancesUpdateResponse::Status200(to_model(view)))
    }

    async fn flows_instances_partial_update(
        &self,
        ctx: &Ctx,
        path: FlowsInstancesPartialUpdatePath,
        body: models::PatchedFlowRequest,
    ) -> Result<FlowsInstancesPartialUpdateResponse, Failure> {
        let view = service::update(ctx, &path.slug, part(body)).await?;
        Ok(FlowsInstancesPartialUpdateResponse::Status200(to_model(view)))
    }

    async fn flows_instances_destroy(
        &self,
        ctx: &Ctx,
        path: FlowsInstancesDestroyPath,
    ) -> Result<FlowsInstancesDestroyResponse, Failure> {
        service::delete(ctx, &path.slug).await?;
        Ok(FlowsInstancesDestroyResponse::Status204)
    }

    async fn flows_instances_used_by_list(
        &self,
        ctx: &Ctx,
        path: FlowsInstancesUsedByListPath,
    ) -> Result<FlowsInstancesUsedByListResponse, Failure> {
        let UsedBy { bindings, brands, stages } = service::used_by(ctx, &path.slug).await?;
        let bindings = bindings.iter().map(|binding| {
            let name = stage_bindings::gone::name(binding);
            v3::used_by("authentik_flows", "flowstagebinding", binding.id, name, v3::CASCADE)
        });
        let brands = brands.iter().map(|brand| {
            v3::used_by("authentik_brands", "brand", brand.id, brands::service::name(brand), v3::SET_NULL)
        });
        let stages = stages.iter().map(|stage| {
            let (label, model) = stage.kind.model();
            v3::used_by(label, model, stage.id, stages::service::name(stage), v3::SET_NULL)
        });
        let used = bindings.chain(brands).chain(stages).collect();
        Ok(FlowsInstancesUsedByListResponse::Status200(used))
    }

    async fn flows_instances_cache_info_retrieve(
        &self,
        ctx: &Ctx,
    ) -> Result<FlowsInstancesCacheInfoRetrieveResponse, Failure> {
        let count = service::remembered(ctx)?;
        Ok(FlowsInstancesCacheInfoRetrieveResponse::Status200(models::Cache { count }))
    }

    async fn flows_instances_cache_clear_create(
        &self,
        ctx: &Ctx,
    ) -> Result<FlowsInstancesCacheClearCreateResponse, Failure> {
        // What policies have said is what plans depend on.
        policies::service::forget_results(ctx).await?;
        Ok(FlowsInstancesCacheClearCreateResponse::Status204)
    }

    async fn flows_instances_execute_retrieve(
        &self,
        ctx: &Ctx,
        path: FlowsInstancesExecuteRetrievePath,
    ) -> Result<FlowsInstancesExecuteRetrieveResponse, Failure> {
        let link = service::execute(ctx, &path.slug).await?;
        Ok(FlowsInstancesExecuteRetrieveResponse::Status200(models::Link { link }))
    }

    async fn flows_instances_export_retrieve(
        &self,
        ctx: &Ctx,
        path: FlowsInstancesExportRetrievePath,
    ) -> Result<FlowsInstancesExportRetrieveResponse, Failure> {
        let bytes = service::export(ctx, &path.slug).await?.into();
        let file = Attachment { mime: "application/yaml", name: format!("{}.yaml", path.slug), bytes };
        Ok(FlowsInstancesExportRetrieveResponse::Status200(file))
    }

    async fn flows_instances_set_background_url_create(
        &self,
        ctx: &Ctx,
        path: FlowsInstancesSetBackgroundUrlCreatePath,
        body: models::FilePathRequest,
    ) -> Result<FlowsInstancesSetBackgroundUrlCreateResponse, Failure> {
        let url = body.url.flatten();
        service::set_background_url(ctx, &path.slug, url.as_deref()).await?;
        Ok(FlowsInstancesSetBackgroundUrlCreateResponse::Status200(serde_json::Map::new()))
    }
}
