//! Rules for events that people write, change and remove (contract: authentik-core §7.4).

use super::store::{self, EventFilter};
use crate::{
    audit::{self, Event, Model, Subject, chain::Change},
    ctx::Ctx,
    error::Result,
    list::{ListRequest, Page},
};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

/// An event as somebody writes it; for a change, `None` stays as it is.
#[derive(Debug, Default)]
pub struct EventChange {
    pub user: Option<Value>,
    pub action: Option<String>,
    pub app: Option<String>,
    pub context: Option<Value>,
    pub client_ip: Option<Option<String>>,
    pub expires: Option<DateTime<Utc>>,
    pub brand: Option<Value>,
}

impl EventChange {
    fn apply(self, event: &mut Model) {
        let Self { user, action, app, context, client_ip, expires, brand } = self;
        let json = [(&mut event.user, user), (&mut event.context, context), (&mut event.brand, brand)];
        for (old, new) in json {
            *old = new.unwrap_or_else(|| old.take());
        }
        for (old, new) in [(&mut event.action, action), (&mut event.app, app)] {
            *old = new.unwrap_or_else(|| std::mem::take(old));
        }
        event.client_ip = client_ip.unwrap_or_else(|| event.client_ip.take());
        event.expires = expires.unwrap_or(event.expires);
    }
}

/// # Errors
/// [`Error::InvalidPage`](crate::error::Error::InvalidPage); otherwise when the database is away.
pub async fn list(ctx: &Ctx, request: &ListRequest, filter: EventFilter) -> Result<Page<Model>> {
    store::list(ctx.app.db.read(), &ctx.principal, request, filter).await
}

/// # Errors
/// [`Error::NotFound`](crate::error::Error::NotFound).
pub async fn view(ctx: &Ctx, id: Uuid) -> Result<Model> {
    store::find(ctx.app.db.read(), &ctx.principal, id).await
}

/// Adds an event as it is given: nothing is masked, because the writer chose what to say.
///
/// # Errors
/// When the database is away.
pub async fn create(ctx: &Ctx, new: EventChange) -> Result<Model> {
    let tx = ctx.begin().await?;
    let mut event = Model {
        id: ctx.uuid(),
        user: json!({}),
        action: String::new(),
        app: String::new(),
        context: json!({}),
        client_ip: None,
        created: ctx.now,
        expires: tx.settings().event_retention.after(ctx.now),
        brand: audit::brand(),
        sequence: None,
        search: String::new(),
    };
    new.apply(&mut event);
    tx.change_events(Change::Recorded(Box::new(event.clone())));
    tx.commit().await?;
    // What the event says is its writer's word. Another event beside it would be one too many for clients that
    // count; the log is enough to know whose word it was.
    tracing::info!(event = %event.id, writer = ctx.principal.account().map(|a| a.id), "an event was written by hand");
    Ok(event)
}

fn subject(event: &Model) -> Subject {
    // Not what it says: whoever searches for that wants the event and not what became of it.
    Subject::new("authentik_events", "event", event.id.simple(), "event")
}

/// Changes an event. Unlike the original, that is an event too.
///
/// # Errors
/// [`Error::NotFound`](crate::error::Error::NotFound).
pub async fn update(ctx: &Ctx, id: Uuid, change: EventChange) -> Result<Model> {
    let tx = ctx.begin().await?;
    let was = store::find_for_update(tx.conn(), &ctx.principal, id).await?;
    let about = subject(&was);
    let mut event = was.clone();
    change.apply(&mut event);
    tx.change_events(Change::Revised(Box::new((was, event.clone()))));
    audit::record(&tx, ctx, Event::updated(&about));
    tx.commit().await?;
    Ok(event)
}

/// Removes an event. Unlike in the original, that is an event too.
///
/// # Errors
/// [`Error::NotFound`](crate::error::Error::NotFound).
pub async fn delete(ctx: &Ctx, id: Uuid) -> Result<()> {
    let mut tx = ctx.begin().await?;
    let event = store::find_for_update(tx.conn(), &ctx.principal, id).await?;
    tx.change_events(Change::Removed(vec![event.clone()]));
    let object = id.to_string();
    crate::resource::grants::store::forget_object(tx.conn(), "authentik_events", "event", &object).await?;
    audit::record(&tx, ctx, Event::deleted(&subject(&event)));
    tx.touch();
    tx.commit().await
}
