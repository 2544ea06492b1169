//! `core/authenticated_sessions` of api/v3.yaml: convert in, call the service, convert out.

use super::{entity::Model, service, store::SessionFilter, user_agent};
use crate::{
    app::App,
    ctx::Ctx,
    dialect::{Failure, v3},
    list::ListRequest,
};
use tessera_api::v3::{apis::sessions::*, models};

fn agent_to_model(text: &str) -> models::AuthenticatedSessionUserAgent {
    let agent = user_agent::read(text);
    let [major, minor, patch, patch_minor] = agent.system.version;
    let [browser_major, browser_minor, browser_patch, _] = agent.browser.version;
    let device = agent.device;
    let other = || "Other".to_owned();
    models::AuthenticatedSessionUserAgent {
        device: models::AuthenticatedSessionUserAgentDevice {
            brand: if device == "Other" { other() } else { "Apple".to_owned() },
            family: device.to_owned(),
            model: device.to_owned(),
        },
        os: models::AuthenticatedSessionUserAgentOs { family: agent.system.family, major, minor, patch, patch_minor },
        user_agent: models::AuthenticatedSessionUserAgentUserAgent {
            family: agent.browser.family,
            major: browser_major,
            minor: browser_minor,
            patch: browser_patch,
        },
        string: text.to_owned(),
    }
}

fn to_model(ctx: &Ctx, session: Model) -> models::AuthenticatedSession {
    models::AuthenticatedSession {
        uuid: session.id,
        current: service::is_current(ctx, &session),
        user_agent: agent_to_model(&session.last_user_agent),
        // We have no data about places and networks.
        geo_ip: None,
        asn: None,
        // Only sessions with one are shown.
        user: session.user_id.unwrap_or_default(),
        last_ip: session.last_ip,
        last_user_agent: session.last_user_agent,
        last_used: session.last_used.into(),
        expires: Some(session.expires.into()),
    }
}

impl Sessions for App {
    async fn core_authenticated_sessions_list(
        &self,
        ctx: &Ctx,
        q: CoreAuthenticatedSessionsListQuery,
    ) -> Result<CoreAuthenticatedSessionsListResponse, Failure> {
        let request =
            ListRequest::new(q.page.as_deref(), q.page_size.as_deref(), q.ordering.as_deref(), q.search.as_deref())?;
        let filter = SessionFilter { username: q.user__username, ip: q.last_ip, user_agent: q.last_user_agent };
        let page = service::list(ctx, &request, filter).await?;
        let (pagination, results) = v3::page(page.map(|session| to_model(ctx, session)));
        let body = models::PaginatedAuthenticatedSessionList { pagination, results };
        Ok(CoreAuthenticatedSessionsListResponse::Status200(body))
    }

    async fn core_authenticated_sessions_retrieve(
        &self,
        ctx: &Ctx,
        path: CoreAuthenticatedSessionsRetrievePath,
    ) -> Result<CoreAuthenticatedSessionsRetrieveResponse, Failure> {
        let session = service::view(ctx, path.uuid).await?;
        Ok(CoreAuthenticatedSessionsRetrieveResponse::Status200(to_model(ctx, session)))
    }

    async fn core_authenticated_sessions_destroy(
        &self,
        ctx: &Ctx,
        path: CoreAuthenticatedSessionsDestroyPath,
    ) -> Result<CoreAuthenticatedSessionsDestroyResponse, Failure> {
        service::end(ctx, path.uuid).await?;
        Ok(CoreAuthenticatedSessionsDestroyResponse::Status204)
    }

    async fn core_authenticated_sessions_used_by_list(
        &self,
        ctx: &Ctx,
        path: CoreAuthenticatedSessionsUsedByListPath,
    ) -> Result<CoreAuthenticatedSessionsUsedByListResponse, Failure> {
        service::view(ctx, path.uuid).await?;
        Ok(CoreAuthenticatedSessionsUsedByListResponse::Status200(Vec::new()))
    }
}
