//! Passwords that are too old (contract: authentik-core §5.5, §6.6): wherever the policy is bound, it is asked
//! once somebody has shown the right password, and then he is refused or changes it before he goes on.
//!
//! The original makes the password unusable, and its owner is locked out without a word; here looking at a
//! password does nothing to it.

use super::{
    plan::{Plan, Proof, Step},
    planner, store,
};
use crate::{
    ctx::Ctx,
    error::Result,
    policy::engine::Age,
    resource::{
        flows,
        prompts::{self, Kind as PromptKind},
        stages::{Kind, settings::Settings},
        users,
    },
};
use uuid::Uuid;

/// The flow whose questions are asked where a flow names none.
const PASSWORD_CHANGE: &str = "default-password-change";

/// What has to happen because of a password's age.
pub enum Settled {
    Nothing,
    Change(Step),
    Denied(String),
}

/// Asks the policies that were left for later.
///
/// # Errors
/// When the database is away.
pub async fn settle(ctx: &Ctx, flow: &flows::Model, plan: &mut Plan, user: &users::Model) -> Result<Settled> {
    let mut overdue = None;
    for target in std::mem::take(&mut plan.postponed) {
        // What has gone meanwhile asks for nothing. The other policies of the target have been asked in their time.
        if plan.renewed {
            continue;
        }
        let Some(entry) = planner::ask(ctx, flow, plan, Some(user), target, Age::Alone).await? else { continue };
        if entry.outcome.passing {
            continue;
        }
        match entry.overdue {
            Some(message) if entry.mended && may_change(plan) => overdue = overdue.or(Some(message)),
            _ => return Ok(Settled::Denied(entry.outcome.messages.join("\n"))),
        }
    }
    Ok(match overdue {
        Some(message) => Settled::Change(change(ctx, flow, &message).await?),
        None => Settled::Nothing,
    })
}

/// Whether the visitor may change the password on his way: an app password shows too little for that, and it is
/// changed once, however young the policy wants it.
#[must_use]
pub fn may_change(plan: &Plan) -> bool {
    plan.proof != Some(Proof::AppPassword) && !plan.renewed
}

/// The step in which a password is changed.
///
/// # Errors
/// When the database is away.
pub async fn change(ctx: &Ctx, flow: &flows::Model, message: &str) -> Result<Step> {
    Ok(Step::ChangePassword { message: message.to_owned(), prompts: questions(ctx, flow).await? })
}

/// The prompt stage in which people choose passwords: of the flow that the password stage names, or of the
/// shipped one. Its validation policies are those that a new password has to pass.
async fn questions(ctx: &Ctx, flow: &flows::Model) -> Result<Option<Uuid>> {
    let db = ctx.app.db.read();
    let mut named = None;
    for binding in store::bindings(db, flow.id).await? {
        let Some(stage) = store::stage(db, binding.stage_id).await? else { continue };
        let password = match stage.typed()? {
            Settings::Password(password) => Some(password),
            Settings::Identification(identification) => match identification.password_stage {
                Some(id) => match store::stage(db, id).await?.map(|stage| stage.typed()).transpose()? {
                    Some(Settings::Password(password)) => Some(password),
                    _ => None,
                },
                None => None,
            },
            _ => None,
        };
        named = named.or(password.and_then(|password| password.configure_flow));
    }
    let flow = match named {
        Some(id) => store::by_id(db, id).await?,
        None => None,
    };
    let flow = match flow {
        Some(flow) => Some(flow),
        None => store::by_slug(db, PASSWORD_CHANGE).await?,
    };
    let Some(flow) = flow else { return Ok(None) };
    for binding in store::bindings(db, flow.id).await? {
        let Some(stage) = store::stage(db, binding.stage_id).await?.filter(|stage| stage.kind == Kind::Prompt) else {
            continue;
        };
        let asked = prompts::store::of_stage(db, stage.id).await?;
        if asked.iter().any(|prompt| prompt.kind == PromptKind::Password) {
            return Ok(Some(stage.id));
        }
    }
    Ok(None)
}
