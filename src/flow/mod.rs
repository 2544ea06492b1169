//! Flows at work: what leads a visitor through stages to a session, a new password or a refusal (contract:
//! authentik-core §6).
//!
//! [`executor`] answers one request of a visit; [`planner`] decides which stages are ahead, and whether
//! policies leave one out; [`plan`] is what is kept between requests; [`stages`] ask and judge; [`challenge`]
//! writes what is asked. Headless clients and the pages of [`crate::web`] both come in through the executor.
//!
//! Nobody is signed in whom nothing has proven: whatever policies leave out, the login stage asks the plan for
//! its [`plan::Proof`].

mod age;
mod answer;
mod api;
pub mod challenge;
pub mod defaults;
pub mod executor;
mod inspector;
mod letter;
pub mod links;
pub mod plan;
mod planner;
pub mod recovery;
mod run;
mod stages;
mod store;
mod throttle;

pub use throttle::Attempts;

use crate::{
    ctx::Ctx,
    error::Result,
    resource::{
        brands,
        flows::{self, Designation},
        settings::Settings,
        stages::settings::Settings as StageSettings,
        users,
    },
};
use plan::Plan;
use uuid::Uuid;

/// What there is to see of a visit when a challenge is written.
#[derive(Clone, Copy)]
pub struct Visit<'a> {
    pub flow: &'a flows::Model,
    pub plan: Option<&'a Plan>,
    /// Whom the visit is about.
    pub pending: Option<&'a users::Model>,
    /// Who has signed in in this session.
    pub signed_in: Option<&'a users::Model>,
    pub settings: &'a Settings,
}

/// The slug of the flow that a visitor takes for something: the brand's own, or else the first by slug.
///
/// # Errors
/// When the database is away.
pub async fn default_flow(ctx: &Ctx, designation: &str) -> Result<Option<String>> {
    let db = ctx.app.db.read();
    let brand = brands::service::of_host(ctx).await?;
    let (designation, own) = match designation {
        "authentication" => (Designation::Authentication, brand.and_then(|brand| brand.flow_authentication_id)),
        "invalidation" => (Designation::Invalidation, brand.and_then(|brand| brand.flow_invalidation_id)),
        _ => return Ok(None),
    };
    if let Some(own) = own
        && let Some(flow) = store::by_id(db, own).await?
    {
        return Ok(Some(flow.slug));
    }
    for flow in store::designated(db, designation).await? {
        if executor::applies(ctx, &flow).await? {
            return Ok(Some(flow.slug));
        }
    }
    Ok(None)
}

/// The slug of the flow in which somebody sets up what a stage asks for.
///
/// # Errors
/// When the database is away.
pub async fn configure_flow(ctx: &Ctx, stage: Uuid) -> Result<Option<String>> {
    let db = ctx.app.db.read();
    let Some(stage) = store::stage(db, stage).await? else { return Ok(None) };
    let StageSettings::Password(password) = stage.typed()? else { return Ok(None) };
    match password.configure_flow {
        Some(flow) => Ok(store::by_id(db, flow).await?.map(|flow| flow.slug)),
        None => Ok(None),
    }
}
