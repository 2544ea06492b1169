//! Recovery links: an administrator hands one out, or has it sent, and its owner chooses a new password
//! (contract: authentik-core §3.3, §6.7).

use super::{
    executor,
    letter::Letter,
    links::{self, NewLink},
    plan::{Pending, Plan},
    planner::{self, Whom},
    store,
};
use crate::{
    ctx::Ctx,
    error::{Error, Result},
    resource::{
        brands,
        flows::{self, Designation},
        stages::{self, settings::Settings},
        users,
    },
    secret::PlainSecret,
};
use chrono::TimeDelta;
use uuid::Uuid;

/// The field of all faults of these two operations.
const WHOLE: &str = "non_field_errors";

/// The page in which a visitor recovers his account by himself: that of the first flow for it which is for him.
///
/// # Errors
/// When the database is away.
pub async fn page(ctx: &Ctx) -> Result<Option<String>> {
    for flow in store::designated(ctx.app.db.read(), Designation::Recovery).await? {
        // One that only a link enters is no use to somebody without one.
        if executor::applies(ctx, &flow).await? {
            return Ok(Some(format!("{}/if/flow/{}/", ctx.base_url(), flow.slug)));
        }
    }
    Ok(None)
}

/// The flow of the brand, planned for an account.
async fn planned(ctx: &Ctx, user: &users::Model) -> Result<(flows::Model, Plan)> {
    let db = ctx.app.db.read();
    let brand = brands::service::of_host(ctx).await?;
    let flow = match brand.and_then(|brand| brand.flow_recovery_id) {
        Some(flow) => store::by_id(db, flow).await?,
        None => None,
    };
    let flow = flow.ok_or_else(|| Error::RefusedField(WHOLE, "No recovery flow set.".to_owned()))?;
    let whom = Whom { user: Some(user), signed_in: false };
    match planner::plan(ctx, &flow, whom, Pending::Account(user.id)).await? {
        Ok(plan) => Ok((flow, plan)),
        Err(_) => Err(Error::RefusedField(WHOLE, "Recovery flow not applicable to user".to_owned())),
    }
}

/// A recovery link for an account.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Forbidden`] for a superuser's account unless the caller is one;
/// [`Error::RefusedField`] without a recovery flow that is for this account.
pub async fn link(ctx: &Ctx, id: i32) -> Result<PlainSecret> {
    let user = users::own::recoverable(ctx, id).await?;
    let (flow, plan) = planned(ctx, &user).await?;
    let mut tx = ctx.begin().await?;
    let identifier = format!("{}-password-reset", users::uid(&ctx.app, user.id));
    let expires = tx.settings().default_token_duration.after(ctx.now);
    let key = links::make(ctx, &mut tx, NewLink { identifier, user: &user, flow: &flow, plan: &plan, expires }).await?;
    tx.commit().await?;
    Ok(PlainSecret::new(address(ctx, &flow, &key)))
}

/// Where a link leads.
#[must_use]
pub fn address(ctx: &Ctx, flow: &flows::Model, key: &PlainSecret) -> String {
    format!("{}/if/flow/{}/?flow_token={}", ctx.base_url(), flow.slug, key.reveal())
}

/// Sends a recovery link to the account's address, the way an e-mail stage says.
///
/// # Errors
/// As [`link`]; [`Error::RefusedField`] without an address or a stage; when no mail can be sent.
pub async fn send(ctx: &Ctx, id: i32, stage: Option<&str>) -> Result<()> {
    let user = users::own::recoverable(ctx, id).await?;
    let refused = |text: &str| Error::RefusedField(WHOLE, text.to_owned());
    if user.email.is_empty() {
        return Err(refused("User does not have an email address set."));
    }
    let (flow, plan) = planned(ctx, &user).await?;
    let unknown = || refused("Email stage does not exist.");
    let stage = stage.and_then(|text| text.parse::<Uuid>().ok()).ok_or_else(unknown)?;
    let stage = store::stage(ctx.app.db.read(), stage).await?.ok_or_else(unknown)?;
    let Settings::Email(settings) = stage.typed()? else { return Err(unknown()) };
    let mut tx = ctx.begin().await?;
    let identifier = format!("{}-password-reset", users::uid(&ctx.app, user.id));
    let expires = tx.settings().default_token_duration.after(ctx.now);
    let key = links::make(ctx, &mut tx, NewLink { identifier, user: &user, flow: &flow, plan: &plan, expires }).await?;
    let letter = Letter { stage: &stage, settings: &settings, user: &user, flow: &flow, key: &key, expires };
    let message = letter.write(ctx, &tx)?;
    tx.commit().await?;
    ctx.app.mail.send(ctx, message)
}

/// How long the link of an e-mail stage is good for.
#[must_use]
pub fn lifetime(settings: &stages::settings::Email) -> TimeDelta {
    TimeDelta::minutes(i64::from(settings.token_expiry) + 1)
}
