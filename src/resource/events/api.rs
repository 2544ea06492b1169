//! `events/events` of api/v3.yaml: convert in, call the service, convert out.

use super::{
    service::{self, EventChange},
    statistics,
    store::EventFilter,
};
use crate::{
    app::App,
    audit::Model,
    ctx::Ctx,
    dialect::{Failure, v3},
    error::Error,
    list::ListRequest,
};
use serde_json::Value;
use tessera_api::v3::{
    apis::events::*,
    models::{self, EventActions},
};

fn to_model(event: Model) -> models::Event {
    models::Event {
        pk: event.id,
        user: event.user,
        action: event.action,
        app: event.app,
        context: event.context,
        client_ip: event.client_ip,
        created: event.created.into(),
        expires: event.expires.into(),
        brand: event.brand,
    }
}

/// How an action is called: its words in title case, with three exceptions.
fn title(action: EventActions) -> String {
    match action {
        EventActions::InvitationUsed => return "Invite Used".to_owned(),
        EventActions::Custom => return "Custom Prefix".to_owned(),
        _ => {}
    }
    let words = action.as_str().split('_').map(|word| {
        let mut letters = word.chars();
        letters.next().map(|first| first.to_uppercase().chain(letters).collect::<String>()).unwrap_or_default()
    });
    words.collect::<Vec<_>>().join(" ")
}

const ACTIONS: [EventActions; 27] = [
    EventActions::Login,
    EventActions::LoginFailed,
    EventActions::Logout,
    EventActions::UserWrite,
    EventActions::SuspiciousRequest,
    EventActions::PasswordSet,
    EventActions::SecretView,
    EventActions::SecretRotate,
    EventActions::InvitationUsed,
    EventActions::AuthorizeApplication,
    EventActions::SourceLinked,
    EventActions::ImpersonationStarted,
    EventActions::ImpersonationEnded,
    EventActions::FlowExecution,
    EventActions::PolicyExecution,
    EventActions::PolicyException,
    EventActions::PropertyMappingException,
    EventActions::SystemTaskExecution,
    EventActions::SystemTaskException,
    EventActions::SystemException,
    EventActions::ConfigurationError,
    EventActions::ModelCreated,
    EventActions::ModelUpdated,
    EventActions::ModelDeleted,
    EventActions::EmailSent,
    EventActions::UpdateAvailable,
    EventActions::Custom,
];

/// Reads `query` of `per_month`: a JSON object of the list's filters, by name.
fn queried(text: &str) -> Option<EventFilter> {
    let Ok(Value::Object(given)) = serde_json::from_str(text) else { return None };
    let mut filter = EventFilter::default();
    for (name, value) in given {
        let value = match value {
            Value::String(text) if text.contains('\0') => return None,
            Value::String(text) => text,
            Value::Number(number) => number.to_string(),
            _ => return None,
        };
        let value = match (name.as_str(), value.parse::<std::net::IpAddr>()) {
            ("client_ip", Ok(address)) => address.to_string(),
            ("client_ip", Err(_)) => return None,
            _ => value,
        };
        let place = match name.as_str() {
            "action" => &mut filter.action,
            "client_ip" => &mut filter.client_ip,
            "username" => &mut filter.username,
            "context_model_pk" => &mut filter.context_model_pk,
            "context_model_name" => &mut filter.context_model_name,
            "context_model_app" => &mut filter.context_model_app,
            "context_authorized_app" => &mut filter.context_authorized_app,
            "brand_name" => &mut filter.brand_name,
            _ => return None,
        };
        *place = Some(value);
    }
    Some(filter)
}

fn change(body: models::PatchedEventRequest) -> EventChange {
    let models::PatchedEventRequest { user, action, app, context, client_ip, expires, brand } = body;
    EventChange {
        user,
        action: action.map(|a| a.as_str().to_owned()),
        app,
        context,
        client_ip,
        expires: expires.map(|t| t.0),
        brand,
    }
}

fn whole(body: models::EventRequest) -> EventChange {
    let models::EventRequest { user, action, app, context, client_ip, expires, brand } = body;
    change(models::PatchedEventRequest {
        user,
        action: Some(action),
        app: Some(app),
        context,
        client_ip,
        expires,
        brand,
    })
}

impl Events for App {
    async fn events_events_list(
        &self,
        ctx: &Ctx,
        q: EventsEventsListQuery,
    ) -> Result<EventsEventsListResponse, Failure> {
        let request =
            ListRequest::new(q.page.as_deref(), q.page_size.as_deref(), q.ordering.as_deref(), q.search.as_deref())?;
        let filter = EventFilter {
            action: q.action,
            client_ip: q.client_ip,
            username: q.username,
            context_model_pk: q.context_model_pk,
            context_model_name: q.context_model_name,
            context_model_app: q.context_model_app,
            context_authorized_app: q.context_authorized_app,
            brand_name: q.brand_name,
        };
        let (pagination, results) = v3::page(service::list(ctx, &request, filter).await?.map(to_model));
        Ok(EventsEventsListResponse::Status200(models::PaginatedEventList { pagination, results }))
    }

    async fn events_events_create(
        &self,
        ctx: &Ctx,
        body: models::EventRequest,
    ) -> Result<EventsEventsCreateResponse, Failure> {
        Ok(EventsEventsCreateResponse::Status201(to_model(service::create(ctx, whole(body)).await?)))
    }

    async fn events_events_retrieve(
        &self,
        ctx: &Ctx,
        path: EventsEventsRetrievePath,
    ) -> Result<EventsEventsRetrieveResponse, Failure> {
        Ok(EventsEventsRetrieveResponse::Status200(to_model(service::view(ctx, path.event_uuid).await?)))
    }

    async fn events_events_update(
        &self,
        ctx: &Ctx,
        path: EventsEventsUpdatePath,
        body: models::EventRequest,
    ) -> Result<EventsEventsUpdateResponse, Failure> {
        let event = service::update(ctx, path.event_uuid, whole(body)).await?;
        Ok(EventsEventsUpdateResponse::Status200(to_model(event)))
    }

    async fn events_events_partial_update(
        &self,
        ctx: &Ctx,
        path: EventsEventsPartialUpdatePath,
        body: models::PatchedEventRequest,
    ) -> Result<EventsEventsPartialUpdateResponse, Failure> {
        let event = service::update(ctx, path.event_uuid, change(body)).await?;
        Ok(EventsEventsPartialUpdateResponse::Status200(to_model(event)))
    }

    async fn events_events_destroy(
        &self,
        ctx: &Ctx,
        path: EventsEventsDestroyPath,
    ) -> Result<EventsEventsDestroyResponse, Failure> {
        service::delete(ctx, path.event_uuid).await?;
        Ok(EventsEventsDestroyResponse::Status204)
    }

    async fn events_events_actions_list(&self, _: &Ctx) -> Result<EventsEventsActionsListResponse, Failure> {
        let kinds = ACTIONS.into_iter().map(|action| models::TypeCreate {
            name: title(action),
            description: String::new(),
            component: action.as_str().to_owned(),
            model_name: String::new(),
            icon_url: None,
            requires_enterprise: false,
        });
        Ok(EventsEventsActionsListResponse::Status200(kinds.collect()))
    }

    async fn events_events_per_month_list(
        &self,
        ctx: &Ctx,
        q: EventsEventsPerMonthListQuery,
    ) -> Result<EventsEventsPerMonthListResponse, Failure> {
        let filter = match q.query {
            Some(text) => queried(&text).ok_or(Error::Unexplained)?,
            None => EventFilter::default(),
        };
        let action = q.action.filter(|a| !a.is_empty() && !a.contains('\0'));
        let points = statistics::per_month(ctx, action.as_deref().unwrap_or("login"), filter).await?;
        Ok(EventsEventsPerMonthListResponse::Status200(v3::curve(points)))
    }

    async fn events_events_top_per_user_list(
        &self,
        ctx: &Ctx,
        q: EventsEventsTopPerUserListQuery,
    ) -> Result<EventsEventsTopPerUserListResponse, Failure> {
        let action = q.action.unwrap_or_else(|| "login".to_owned()).replace('\0', "");
        let most = u64::try_from(q.top_n.unwrap_or(15)).unwrap_or_default();
        let used = statistics::top_per_user(ctx, &action, most).await?;
        let used = used.into_iter().map(|u| models::EventTopPerUser {
            application: u.application,
            counted_events: u.events,
            unique_users: u.users,
        });
        Ok(EventsEventsTopPerUserListResponse::Status200(used.collect()))
    }

    async fn events_events_volume_list(
        &self,
        ctx: &Ctx,
        q: EventsEventsVolumeListQuery,
    ) -> Result<EventsEventsVolumeListResponse, Failure> {
        let request = ListRequest::new(None, None, None, q.search.as_deref())?;
        let filter = EventFilter {
            action: q.action,
            client_ip: q.client_ip,
            username: q.username,
            context_model_pk: q.context_model_pk,
            context_model_name: q.context_model_name,
            context_model_app: q.context_model_app,
            context_authorized_app: q.context_authorized_app,
            brand_name: q.brand_name,
        };
        let points = statistics::volume(ctx, &request, filter).await?;
        Ok(EventsEventsVolumeListResponse::Status200(v3::curve(points)))
    }
}
