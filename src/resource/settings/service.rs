//! Rules for changing the settings. What changes counts from the next request on here, and within a
//! second in other processes.

use super::{ActiveModel, Entity, Model};
use crate::{
    audit::{self, Event, Subject},
    ctx::Ctx,
    error::{Error, Result},
};
use sea_orm::{
    ActiveModelTrait as _, ConnectionTrait, EntityTrait as _, IntoActiveModel as _, QuerySelect as _,
    sea_query::LockType,
};
use serde_json::{Value, json};

/// A change; what is `None` stays as it is.
#[derive(Debug, Default)]
pub struct SettingsChange {
    pub avatars: Option<String>,
    pub default_user_change_name: Option<bool>,
    pub default_user_change_email: Option<bool>,
    pub default_user_change_username: Option<bool>,
    pub event_retention: Option<String>,
    pub footer_links: Option<Value>,
    pub gdpr_compliance: Option<bool>,
    pub impersonation: Option<bool>,
    pub default_token_duration: Option<String>,
    pub default_token_length: Option<i32>,
}

async fn row(db: &impl ConnectionTrait) -> Result<Model> {
    let row = Entity::find_by_id(1).lock(LockType::NoKeyUpdate).one(db).await?;
    row.ok_or_else(|| Error::internal("the settings are missing"))
}

/// # Errors
/// When the database is away.
pub async fn view(ctx: &Ctx) -> Result<Model> {
    let row = Entity::find_by_id(1).one(ctx.app.db.read()).await?;
    row.ok_or_else(|| Error::internal("the settings are missing"))
}

/// Changes some of the settings. Unlike in the original, that is an event.
///
/// # Errors
/// [`Error::Invalid`] for footer links that are no links.
pub async fn update(ctx: &Ctx, change: SettingsChange) -> Result<Model> {
    check(&change)?;
    let mut tx = ctx.begin().await?;
    let old = row(tx.conn()).await?;
    let new = Model {
        id: old.id,
        avatars: change.avatars.unwrap_or_else(|| old.avatars.clone()),
        default_user_change_name: change.default_user_change_name.unwrap_or(old.default_user_change_name),
        default_user_change_email: change.default_user_change_email.unwrap_or(old.default_user_change_email),
        default_user_change_username: change.default_user_change_username.unwrap_or(old.default_user_change_username),
        event_retention: change.event_retention.unwrap_or_else(|| old.event_retention.clone()),
        footer_links: change.footer_links.unwrap_or_else(|| old.footer_links.clone()),
        gdpr_compliance: change.gdpr_compliance.unwrap_or(old.gdpr_compliance),
        impersonation: change.impersonation.unwrap_or(old.impersonation),
        default_token_duration: change.default_token_duration.unwrap_or_else(|| old.default_token_duration.clone()),
        default_token_length: change.default_token_length.unwrap_or(old.default_token_length),
    };
    if new == old {
        return Ok(old);
    }
    let diff = diff(&old, &new);
    let changed: ActiveModel = new.into_active_model().reset_all();
    let new = changed.update(tx.conn()).await?;
    let about = Subject::new("authentik_tenants", "tenant", new.id, "Default");
    audit::record(&tx, ctx, Event::updated(&about).with("diff", diff));
    tx.touch();
    tx.commit().await?;
    Ok(new)
}

/// What changes, from what to what.
fn diff(old: &Model, new: &Model) -> Value {
    let fields = |row: &Model| {
        json!({
            "avatars": row.avatars, "default_user_change_name": row.default_user_change_name,
            "default_user_change_email": row.default_user_change_email,
            "default_user_change_username": row.default_user_change_username,
            "event_retention": row.event_retention, "footer_links": row.footer_links,
            "gdpr_compliance": row.gdpr_compliance, "impersonation": row.impersonation,
            // Not under their own names: what sounds like a credential is masked.
            "default_duration": row.default_token_duration, "default_length": row.default_token_length,
        })
    };
    let (old, new) = (fields(old), fields(new));
    let changed = new.as_object().into_iter().flatten().filter(|(name, value)| old.get(name.as_str()) != Some(value));
    let shown = changed
        .map(|(name, value)| (name.clone(), json!({"previous_value": old.get(name.as_str()), "new_value": value})));
    Value::Object(shown.collect())
}

/// Longest list of sources of pictures, in bytes: it is gone through for every account shown.
const LONGEST_AVATARS: usize = 1000;

/// Values that the wire format takes and that would undo what the server is for.
fn check(change: &SettingsChange) -> Result<()> {
    if change.avatars.as_ref().is_some_and(|avatars| avatars.len() > LONGEST_AVATARS) {
        return Err(Error::rule(
            "avatars",
            format!("Ensure this field has no more than {LONGEST_AVATARS} characters."),
        ));
    }
    change.footer_links.as_ref().map_or(Ok(()), check_links)
}

/// Links at the foot of every page: a list of `{"name", "href"}`. Pages show them, so they must not be
/// able to run anything.
fn check_links(links: &Value) -> Result<()> {
    let fault = |text: &str| Err(Error::rule("footer_links", text));
    let Value::Array(links) = links else { return fault("A list of links is required.") };
    for link in links {
        let Value::Object(link) = link else { return fault("A link has the parts `name` and `href`.") };
        let href = match (link.get("name"), link.get("href")) {
            (Some(Value::String(_)), Some(Value::String(href))) => href.as_str(),
            (Some(Value::String(_)), Some(Value::Null) | None) => continue,
            _ => return fault("A link has the parts `name` and `href`."),
        };
        let lower = href.to_ascii_lowercase();
        // A path, but not the name of another host.
        let path =
            (lower.starts_with('/') && !lower.starts_with("//") && !lower.starts_with("/\\")) || lower.starts_with('#');
        let fine = path || ["https://", "http://", "mailto:", "tel:"].iter().any(|start| lower.starts_with(start));
        if !fine && !href.is_empty() {
            return fault("A link leads to a web page, an address or a telephone.");
        }
    }
    Ok(())
}
