//! Planning: whether a flow is for somebody, and which of its stages are ahead (contract: authentik-core §6.2).

use super::{
    plan::{Pending, Plan, Proof, Step},
    store,
};
use crate::{
    ctx::Ctx,
    error::Result,
    policy::{
        Request,
        engine::{self, Age, Entry, Target},
    },
    resource::{
        flows::{self, Authentication, Designation},
        groups, stage_bindings,
        stages::{self, Kind},
        users,
    },
};
use std::collections::VecDeque;
use uuid::Uuid;

/// What is said where no policy said anything.
pub const DOES_NOT_APPLY: &str = "Flow does not apply to current user.";

/// Whom policies are asked about.
#[derive(Clone, Copy)]
pub struct Whom<'a> {
    pub user: Option<&'a users::Model>,
    /// Whether that is who has signed in.
    pub signed_in: bool,
}

/// A flow that is not for this visitor, and what policies said about it.
#[derive(Debug)]
pub struct NotApplicable(pub String);

impl NotApplicable {
    fn because(messages: &[String]) -> Self {
        let text = messages.join("\n");
        Self(if text.is_empty() { DOES_NOT_APPLY.to_owned() } else { text })
    }
}

/// Whether the age of a password counts yet. It does for somebody who has shown who he is; in a flow that
/// signs people in, a session is not enough for that.
#[must_use]
pub fn age(flow: &flows::Model, proof: Option<Proof>, signed_in: bool) -> Age {
    match proof {
        Some(_) => Age::Counts,
        None if signed_in && flow.designation != Designation::Authentication => Age::Counts,
        None => Age::Later,
    }
}

/// Asks the policies of a target; `None` when the target has gone.
///
/// # Errors
/// When the database is away.
pub async fn ask(
    ctx: &Ctx,
    flow: &flows::Model,
    plan: &Plan,
    whom: Option<&users::Model>,
    target: Uuid,
    age: Age,
) -> Result<Option<Entry>> {
    let Some(mode) = store::mode(ctx.app.db.read(), target).await? else { return Ok(None) };
    let target = Target { id: target, mode, subject: flow.subject() };
    let context = plan.told(flow, whom);
    let mut request = Request { user: whom.cloned(), context, debug: false, testing: false, log: Vec::new() };
    engine::enter(ctx, &target, &mut request, age).await.map(Some)
}

/// Whether the flow is open to somebody in this state.
///
/// # Errors
/// When the database is away.
pub async fn admits(ctx: &Ctx, flow: &flows::Model, signed_in: Option<&users::Model>) -> Result<bool> {
    Ok(match flow.authentication {
        Authentication::None => true,
        Authentication::RequireAuthenticated => signed_in.is_some(),
        Authentication::RequireUnauthenticated => signed_in.is_none(),
        Authentication::RequireSuperuser => match signed_in {
            Some(user) => groups::hierarchy::superusers(ctx.app.db.read()).await?.contains(&user.id),
            None => false,
        },
        // We have no outposts.
        Authentication::RequireOutpost => false,
    })
}

/// Plans a flow for a visitor, or for somebody whom a link is for; `about` is the one the plan begins with.
///
/// # Errors
/// When the database is away.
pub async fn plan(
    ctx: &Ctx,
    flow: &flows::Model,
    whom: Whom<'_>,
    about: Pending,
) -> Result<Result<Plan, NotApplicable>> {
    let mut plan = Plan::new(flow.id, VecDeque::new(), ctx.now);
    plan.pending = about;
    let age = age(flow, None, whom.signed_in);
    let Some(entry) = ask(ctx, flow, &plan, whom.user, flow.target_id, age).await? else {
        return Ok(Err(NotApplicable(DOES_NOT_APPLY.to_owned())));
    };
    if let Err(refused) = judge(ctx, flow, &mut plan, &entry).await? {
        return Ok(Err(refused));
    }
    for binding in store::bindings(ctx.app.db.read(), flow.id).await? {
        if binding.evaluate_on_plan
            && let Some(entry) = ask(ctx, flow, &plan, whom.user, binding.target_id, age).await?
        {
            if entry.postponed {
                plan.postponed.push(binding.target_id);
            }
            if !entry.outcome.passing {
                if entry.aged || entry.faulty {
                    return Ok(Err(NotApplicable::because(&entry.outcome.messages)));
                }
                leave_out(ctx, &mut plan, &binding, &entry).await?;
                continue;
            }
        }
        plan.steps.push_back(Step::Bound { binding: binding.id });
    }
    Ok(Ok(plan))
}

/// What the policies of the flow itself say.
async fn judge(ctx: &Ctx, flow: &flows::Model, plan: &mut Plan, entry: &Entry) -> Result<Result<(), NotApplicable>> {
    if entry.postponed {
        plan.postponed.push(flow.target_id);
    }
    if entry.outcome.passing {
        return Ok(Ok(()));
    }
    if let Some(message) = &entry.overdue
        && entry.mended
    {
        plan.steps.push_back(super::age::change(ctx, flow, message).await?);
        return Ok(Ok(()));
    }
    Ok(Err(NotApplicable::because(&entry.outcome.messages)))
}

/// Notes that policies leave a stage out.
async fn leave_out(ctx: &Ctx, plan: &mut Plan, binding: &stage_bindings::Model, entry: &Entry) -> Result<()> {
    plan.left_out.extend(entry.outcome.messages.iter().cloned());
    plan.any_left_out = true;
    let stage = store::stage(ctx.app.db.read(), binding.stage_id).await?;
    plan.login_left_out |= stage.is_some_and(|stage| stage.kind == Kind::UserLogin);
    Ok(())
}

/// Whether a stage that has been reached is executed.
pub enum Reached {
    Go(Box<stages::Model>, stage_bindings::Model),
    /// Policies leave it out.
    Skip,
    /// First the password must be changed.
    Change(Step),
    Denied(String),
}

/// Looks at the stage that has been reached (contract §6.2): policies that are asked again may leave it out,
/// but no login goes on without its login stage, and what could not be asked leaves nothing out.
///
/// # Errors
/// When the database is away.
pub async fn reached(
    ctx: &Ctx,
    flow: &flows::Model,
    plan: &mut Plan,
    (user, signed_in): (Option<&users::Model>, bool),
    binding: Uuid,
) -> Result<Reached> {
    let Some((binding, stage)) = store::bound(ctx.app.db.read(), binding).await? else {
        return Ok(Reached::Denied("This step is no longer there. Please start again.".to_owned()));
    };
    if !binding.re_evaluate_policies {
        return Ok(Reached::Go(Box::new(stage), binding));
    }
    // Whoever has chosen a new password on this visit is not asked for another, however little age may be.
    let age = if plan.renewed { Age::Mended } else { age(flow, plan.proof, signed_in) };
    let Some(entry) = ask(ctx, flow, plan, user, binding.target_id, age).await? else {
        return Ok(Reached::Denied(DOES_NOT_APPLY.to_owned()));
    };
    if entry.postponed && !plan.postponed.contains(&binding.target_id) {
        plan.postponed.push(binding.target_id);
    }
    if entry.outcome.passing {
        return Ok(Reached::Go(Box::new(stage), binding));
    }
    // A password that is too old is seen to, whatever else would leave the stage out; but nobody chooses a new one to
    // be refused with it.
    if entry.aged
        && (entry.mended || stage.kind != Kind::UserLogin)
        && let Some(alone) = ask(ctx, flow, plan, user, binding.target_id, Age::Alone).await?
        && !alone.outcome.passing
    {
        return Ok(match alone.overdue {
            Some(message) if alone.mended && super::age::may_change(plan) => {
                Reached::Change(super::age::change(ctx, flow, &message).await?)
            }
            _ => Reached::Denied(alone.outcome.messages.join("\n")),
        });
    }
    if entry.faulty || stage.kind == Kind::UserLogin {
        return Ok(Reached::Denied(entry.outcome.messages.join("\n")));
    }
    plan.left_out.extend(entry.outcome.messages);
    plan.any_left_out = true;
    Ok(Reached::Skip)
}
