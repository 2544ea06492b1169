//! `core/applications` of api/v3.yaml: convert in, call the service, convert out.

use super::{
    service::{self, ApplicationView, Draft, Listing},
    store::ApplicationFilter,
};
use crate::{
    app::App,
    ctx::Ctx,
    dialect::{Failure, v3},
    error::Error,
    list::ListRequest,
    resource::{bindings::target::Mode, policies},
};
use tessera_api::v3::{
    apis::applications::*,
    models::{self, PolicyEngineMode},
};

impl From<PolicyEngineMode> for Mode {
    fn from(mode: PolicyEngineMode) -> Self {
        match mode {
            PolicyEngineMode::All => Self::All,
            PolicyEngineMode::Any => Self::Any,
        }
    }
}

impl From<Mode> for PolicyEngineMode {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::All => Self::All,
            Mode::Any => Self::Any,
        }
    }
}

fn to_model(view: ApplicationView) -> models::Application {
    let ApplicationView { application, mode, launch_url } = view;
    models::Application {
        pk: application.id,
        name: application.name,
        slug: application.slug,
        provider: None,
        provider_obj: None,
        backchannel_providers: Vec::new(),
        backchannel_providers_obj: Vec::new(),
        launch_url,
        open_in_new_tab: application.open_in_new_tab,
        meta_launch_url: application.meta_launch_url,
        meta_icon: application.meta_icon,
        meta_description: application.meta_description,
        meta_publisher: application.meta_publisher,
        policy_engine_mode: mode.into(),
        group: application.group_name,
    }
}

fn whole(body: models::ApplicationRequest) -> Draft {
    Draft {
        name: Some(body.name),
        slug: Some(body.slug),
        provider: body.provider.flatten(),
        backchannel_providers: body.backchannel_providers.unwrap_or_default(),
        open_in_new_tab: body.open_in_new_tab,
        meta_launch_url: body.meta_launch_url,
        meta_description: body.meta_description,
        meta_publisher: body.meta_publisher,
        group: body.group,
        mode: body.policy_engine_mode.map(Into::into),
    }
}

/// `for_user` of the listing; the original refuses in two ways.
fn for_user(text: Option<&str>) -> Result<Option<i32>, Error> {
    let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else { return Ok(None) };
    let number: i64 = text.parse().map_err(|_| Error::RefusedList("Invalid input.".into()))?;
    i32::try_from(number).map(Some).map_err(|_| service::no_such_user())
}

impl Applications for App {
    async fn core_applications_list(
        &self,
        ctx: &Ctx,
        q: CoreApplicationsListQuery,
    ) -> Result<CoreApplicationsListResponse, Failure> {
        let request =
            ListRequest::new(q.page.as_deref(), q.page_size.as_deref(), q.ordering.as_deref(), q.search.as_deref())?;
        let filter = ApplicationFilter {
            name: q.name,
            slug: q.slug,
            meta_launch_url: q.meta_launch_url,
            meta_description: q.meta_description,
            meta_publisher: q.meta_publisher,
            group: q.group,
        };
        let listing = Listing {
            superuser_full_list: q.superuser_full_list.unwrap_or(false),
            for_user: for_user(q.for_user.as_deref())?,
            only_with_launch_url: q.only_with_launch_url.unwrap_or(false),
        };
        let page = service::list(ctx, &request, filter, listing).await?;
        let (pagination, results) = v3::page(page.map(to_model));
        Ok(CoreApplicationsListResponse::Status200(models::PaginatedApplicationList { pagination, results }))
    }

    async fn core_applications_create(
        &self,
        ctx: &Ctx,
        body: models::ApplicationRequest,
    ) -> Result<CoreApplicationsCreateResponse, Failure> {
        Ok(CoreApplicationsCreateResponse::Status201(to_model(service::create(ctx, whole(body)).await?)))
    }

    async fn core_applications_retrieve(
        &self,
        ctx: &Ctx,
        path: CoreApplicationsRetrievePath,
    ) -> Result<CoreApplicationsRetrieveResponse, Failure> {
        Ok(CoreApplicationsRetrieveResponse::Status200(to_model(service::view(ctx, &path.slug).await?)))
    }

    async fn core_applications_update(
        &self,
        ctx: &Ctx,
        path: CoreApplicationsUpdatePath,
        body: models::ApplicationRequest,
    ) -> Result<CoreApplicationsUpdateResponse, Failure> {
        let view = service::update(ctx, &path.slug, whole(body)).await?;
        Ok(CoreApplicationsUpdateResponse::Status200(to_model(view)))
    }

    async fn core_applications_partial_update(
        &self,
        ctx: &Ctx,
        path: CoreApplicationsPartialUpdatePath,
        body: models::PatchedApplicationRequest,
    ) -> Result<CoreApplicationsPartialUpdateResponse, Failure> {
        let draft = Draft {
            name: body.name,
            slug: body.slug,
            provider: body.provider.flatten(),
            backchannel_providers: body.backchannel_providers.unwrap_or_default(),
            open_in_new_tab: body.open_in_new_tab,
            meta_launch_url: body.meta_launch_url,
            meta_description: body.meta_description,
            meta_publisher: body.meta_publisher,
            group: body.group,
            mode: body.policy_engine_mode.map(Into::into),
        };
        let view = service::update(ctx, &path.slug, draft).await?;
        Ok(CoreApplicationsPartialUpdateResponse::Status200(to_model(view)))
    }

    async fn core_applications_destroy(
        &self,
        ctx: &Ctx,
        path: CoreApplicationsDestroyPath,
    ) -> Result<CoreApplicationsDestroyResponse, Failure> {
        service::delete(ctx, &path.slug).await?;
        Ok(CoreApplicationsDestroyResponse::Status204)
    }

    async fn core_applications_used_by_list(
        &self,
        ctx: &Ctx,
        path: CoreApplicationsUsedByListPath,
    ) -> Result<CoreApplicationsUsedByListResponse, Failure> {
        service::require(ctx, &path.slug).await?;
        // Bindings do not show here (contract: authentik-core §1.9).
        Ok(CoreApplicationsUsedByListResponse::Status200(Vec::new()))
    }

    async fn core_applications_check_access_retrieve(
        &self,
        ctx: &Ctx,
        path: CoreApplicationsCheckAccessRetrievePath,
        q: CoreApplicationsCheckAccessRetrieveQuery,
    ) -> Result<CoreApplicationsCheckAccessRetrieveResponse, Failure> {
        let outcome = service::check_access(ctx, &path.slug, q.for_user.as_deref()).await?;
        Ok(CoreApplicationsCheckAccessRetrieveResponse::Status200(policies::outcome_to_model(outcome)))
    }

    async fn core_applications_metrics_list(
        &self,
        ctx: &Ctx,
        path: CoreApplicationsMetricsListPath,
    ) -> Result<CoreApplicationsMetricsListResponse, Failure> {
        Ok(CoreApplicationsMetricsListResponse::Status200(v3::curve(service::metrics(ctx, &path.slug).await?)))
    }

    async fn core_applications_set_icon_url_create(
        &self,
        ctx: &Ctx,
        path: CoreApplicationsSetIconUrlCreatePath,
        body: models::FilePathRequest,
    ) -> Result<CoreApplicationsSetIconUrlCreateResponse, Failure> {
        let url = body.url.flatten();
        service::set_icon_url(ctx, &path.slug, url.as_deref()).await?;
        Ok(CoreApplicationsSetIconUrlCreateResponse::Status200(serde_json::Map::new()))
    }
}
