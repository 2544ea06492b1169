//! `stages/all` of api/v3.yaml: convert in, call the service, convert out. The kinds are beside it.

mod flow_set;
mod kinds;

use super::{
    entity::{Kind, Model},
    kinds::TYPES,
    service::{self, UsedBy},
    store::{Scope, StageFilter, StageView},
};
use crate::{
    app::App,
    ctx::Ctx,
    dialect::{Failure, v3},
    error::Error,
    list::ListRequest,
    resource::{prompts, stage_bindings},
};
use tessera_api::v3::{apis::stages::*, models};
use uuid::Uuid;

/// `app_label.model`
fn model_name(kind: Kind) -> String {
    let (label, model) = kind.model();
    format!("{label}.{model}")
}

/// A stage of any kind, with what all kinds have.
#[must_use]
pub fn to_stage(view: StageView) -> models::Stage {
    let words = view.stage.kind.words();
    models::Stage {
        pk: view.stage.id,
        name: view.stage.name,
        component: words.component.into(),
        verbose_name: words.verbose_name.into(),
        verbose_name_plural: words.verbose_name_plural.into(),
        meta_model_name: model_name(view.stage.kind),
        flow_set: view.flows.into_iter().map(flow_set::to_model).collect(),
    }
}

/// A stage, where it uses something through a list.
#[must_use]
pub fn used_by_stage(stage: &Model) -> models::UsedBy {
    let (label, model) = stage.kind.model();
    v3::used_by(label, model, stage.id, service::name(stage), v3::CASCADE_MANY)
}

/// What a stage is used by (contract: authentik-core §6.1).
async fn used_by(ctx: &Ctx, scope: Scope, id: Uuid) -> Result<Vec<models::UsedBy>, Error> {
    let UsedBy { flows, bindings, prompts, stages } = service::used_by(ctx, scope, id).await?;
    let flows = flows.into_iter().map(|flow| {
        let name = format!("Flow {} ({})", flow.name, flow.slug);
        v3::used_by("authentik_flows", "flow", flow.id, name, v3::CASCADE_MANY)
    });
    let bindings = bindings.iter().map(|binding| {
        let name = stage_bindings::gone::name(binding);
        v3::used_by("authentik_flows", "flowstagebinding", binding.id, name, v3::CASCADE)
    });
    let prompts = prompts.iter().map(|prompt| {
        let name = prompts::service::name(prompt);
        v3::used_by("authentik_stages_prompt", "prompt", prompt.id, name, v3::CASCADE_MANY)
    });
    let stages = stages.iter().map(|stage| {
        let (label, model) = stage.kind.model();
        v3::used_by(label, model, stage.id, service::name(stage), v3::SET_NULL)
    });
    Ok(flows.chain(bindings).chain(prompts).chain(stages).collect())
}

impl Stages for App {
    async fn stages_all_list(&self, ctx: &Ctx, q: StagesAllListQuery) -> Result<StagesAllListResponse, Failure> {
        let request =
            ListRequest::new(q.page.as_deref(), q.page_size.as_deref(), q.ordering.as_deref(), q.search.as_deref())?;
        let filter = StageFilter { name: q.name, ..StageFilter::default() };
        let page = service::list(ctx, Scope::All, &request, filter).await?;
        let (pagination, results) = v3::page(page.map(to_stage));
        Ok(StagesAllListResponse::Status200(models::PaginatedStageList { pagination, results }))
    }

    async fn stages_all_retrieve(
        &self,
        ctx: &Ctx,
        path: StagesAllRetrievePath,
    ) -> Result<StagesAllRetrieveResponse, Failure> {
        let view = service::view(ctx, Scope::All, path.stage_uuid).await?;
        Ok(StagesAllRetrieveResponse::Status200(to_stage(view)))
    }

    async fn stages_all_destroy(
        &self,
        ctx: &Ctx,
        path: StagesAllDestroyPath,
    ) -> Result<StagesAllDestroyResponse, Failure> {
        service::delete(ctx, Scope::All, path.stage_uuid).await?;
        Ok(StagesAllDestroyResponse::Status204)
    }

    async fn stages_all_used_by_list(
        &self,
        ctx: &Ctx,
        path: StagesAllUsedByListPath,
    ) -> Result<StagesAllUsedByListResponse, Failure> {
        Ok(StagesAllUsedByListResponse::Status200(used_by(ctx, Scope::All, path.stage_uuid).await?))
    }

    async fn stages_all_types_list(&self, _: &Ctx) -> Result<StagesAllTypesListResponse, Failure> {
        let types = TYPES.into_iter().map(|kind| {
            let words = kind.words();
            models::TypeCreate {
                name: words.verbose_name.into(),
                description: words.description.into(),
                component: words.component.into(),
                model_name: kind.model().1.into(),
                icon_url: Some(None),
                requires_enterprise: false,
            }
        });
        Ok(StagesAllTypesListResponse::Status200(types.collect()))
    }

    async fn stages_all_user_settings_list(&self, ctx: &Ctx) -> Result<StagesAllUserSettingsListResponse, Failure> {
        let stages = service::user_settings(ctx).await?;
        let settings = stages.into_iter().map(|stage| models::UserSetting {
            object_uid: stage.id.to_string(),
            component: "ak-user-settings-password".to_owned(),
            configure_url: format!("/flows/-/configure/{}/", stage.id),
            title: stage.name,
            icon_url: None,
        });
        Ok(StagesAllUserSettingsListResponse::Status200(settings.collect()))
    }
}
