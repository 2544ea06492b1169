//! One request of a visit: the plan is read from the session, the present stage asks or judges, and the plan
//! is written back (contract: authentik-core §6.3).
//!
//! What a stage writes, and the plan without that stage, are one transaction; of two requests that answer the
//! same stage at once, the second one changes nothing and is shown where the visit stands.

use super::{
    Visit, age,
    age::Settled,
    challenge::{self, Challenge},
    links,
    plan::{Pending, Plan, Proof, Step},
    planner::{self, DOES_NOT_APPLY, NotApplicable, Reached, Whom},
    run::{Run, Turn},
    stages, store,
};
use crate::{
    ctx::Ctx,
    error::{Error, Result},
    resource::{
        flows::{self, DeniedAction, Designation},
        sessions::{self, service as session_service},
        stage_bindings::InvalidResponse,
        stages::Kind as StageKind,
        users,
    },
};
use serde_json::{Map, Value};

/// Most stages that one request passes without asking anything.
const MOST_STAGES: usize = 100;

/// What a visitor gets.
pub enum Next {
    /// A challenge, as the JSON object of the wire.
    Challenge(Challenge),
    /// The stage is done and there are more: ask again at the same address.
    Again,
}

/// Shows where a visit stands.
///
/// # Errors
/// [`Error::NotFound`] for an unknown flow; otherwise when the database is away.
pub async fn show(ctx: &Ctx, slug: &str, query: &str) -> Result<Next> {
    visit(ctx, slug, query, None).await
}

/// Judges an answer to the present stage; a visit that has not begun begins with it.
///
/// # Errors
/// As [`show`].
pub async fn answer(ctx: &Ctx, slug: &str, query: &str, answer: Map<String, Value>) -> Result<Next> {
    visit(ctx, slug, query, Some(answer)).await
}

/// Whether there is such a flow; asked before a body is read.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn require(ctx: &Ctx, slug: &str) -> Result<()> {
    store::by_slug(ctx.app.db.read(), slug).await?.map(drop).ok_or(Error::NotFound)
}

/// Drops the plan of the session.
///
/// # Errors
/// When the database is away.
pub async fn cancel(ctx: &Ctx) -> Result<()> {
    let Some(session) = session_service::current(ctx).await?.filter(|session| session.plan.is_some()) else {
        return Ok(());
    };
    let tx = ctx.begin().await?;
    session_service::save_plan(ctx, &tx, &session, None).await?;
    tx.commit().await
}

/// Whether a flow is for the visitor as he is.
///
/// # Errors
/// When the database is away.
pub async fn applies(ctx: &Ctx, flow: &flows::Model) -> Result<bool> {
    let session = session_service::current(ctx).await?;
    let signed_in = match &session {
        Some(session) => signed_in(ctx, session).await?,
        None => None,
    };
    Ok(begin(ctx, flow, signed_in.as_ref()).await?.is_ok())
}

/// Plans a flow for the visitor and keeps the plan; `false` when the flow is not for him.
///
/// # Errors
/// [`Error::NotFound`] for an unknown flow; otherwise when the database is away.
pub async fn prepare(ctx: &Ctx, slug: &str) -> Result<bool> {
    let flow = store::by_slug(ctx.app.db.read(), slug).await?.ok_or(Error::NotFound)?;
    let session = session_service::ensure(ctx).await?;
    let signed_in = signed_in(ctx, &session).await?;
    let Ok(plan) = begin(ctx, &flow, signed_in.as_ref()).await? else { return Ok(false) };
    let tx = ctx.begin().await?;
    session_service::save_plan(ctx, &tx, &session, Some(&plan.to_text()?)).await?;
    tx.commit().await?;
    Ok(true)
}

/// Who has signed in in a session: the one he acts as, if he does.
async fn signed_in(ctx: &Ctx, session: &sessions::Model) -> Result<Option<users::Model>> {
    let active = async |id| {
        let user = users::store::by_id(ctx.app.db.read(), id).await?;
        Ok::<_, Error>(user.filter(users::Model::can_authenticate))
    };
    let Some(id) = session.user_id else { return Ok(None) };
    let own = active(id).await?;
    match session.impersonated_id {
        Some(other) if own.is_some() => active(other).await,
        _ => Ok(own),
    }
}

async fn begin(
    ctx: &Ctx,
    flow: &flows::Model,
    signed_in: Option<&users::Model>,
) -> Result<std::result::Result<Plan, NotApplicable>> {
    if !planner::admits(ctx, flow, signed_in).await? {
        return Ok(Err(NotApplicable(DOES_NOT_APPLY.to_owned())));
    }
    let whom = Whom { user: signed_in, signed_in: signed_in.is_some() };
    planner::plan(ctx, flow, whom, Pending::Nobody).await
}

async fn visit(ctx: &Ctx, slug: &str, query: &str, mut answer: Option<Map<String, Value>>) -> Result<Next> {
    let flow = store::by_slug(ctx.app.db.read(), slug).await?.ok_or(Error::NotFound)?;
    let settings = ctx.app.settings().await?;
    let session = session_service::ensure(ctx).await?;
    let signed_in = signed_in(ctx, &session).await?;
    let (stored, mut link) = (Plan::of(ctx, &session)?, None);
    let mut plan = stored.clone().filter(|plan| plan.flow == flow.id);
    if let Some(key) = last(query, "flow_token").filter(|key| !key.is_empty())
        && let Some((token, restored)) = links::open(ctx, &flow, &key).await?
    {
        (link, plan) = (Some(token), Some(restored));
    }
    let plan = match plan {
        Some(plan) => plan,
        None => match begin(ctx, &flow, signed_in.as_ref()).await? {
            Ok(plan) => plan,
            Err(NotApplicable(message)) => {
                cancel(ctx).await?;
                let visit = Visit {
                    flow: &flow,
                    plan: None,
                    pending: None,
                    signed_in: signed_in.as_ref(),
                    settings: &settings,
                };
                return Ok(Next::Challenge(not_applicable(ctx, &visit, &message)));
            }
        },
    };
    let pending = match plan.account() {
        Some(id) => users::store::by_id(ctx.app.db.read(), id).await?,
        None => None,
    };
    let (tx, started, letters, left) = (None, None, Vec::new(), false);
    let mut run = Run { ctx, flow, session, plan, pending, signed_in, settings, tx, started, letters, link, left };
    if run.pending.is_none() && run.plan.account().is_some() {
        // The account has gone since.
        run.turn_to(None, true);
    }
    for _ in 0..MOST_STAGES {
        if let Some(next) = round(&mut run, query, &mut answer, stored.as_ref()).await? {
            return Ok(next);
        }
    }
    Err(Error::internal("a flow passes more stages than one request may"))
}

/// One stage; `None` where a policy leaves it out.
async fn round(
    run: &mut Run<'_>,
    query: &str,
    answer: &mut Option<Map<String, Value>>,
    stored: Option<&Plan>,
) -> Result<Option<Next>> {
    // Who came by a link chooses a new password anyway; he is asked before he is signed in.
    if matches!(run.plan.proof, Some(Proof::Password | Proof::AppPassword))
        && let Some(next) = settle_age(run, answer).await?
    {
        return Ok(Some(next));
    }
    let Some(step) = run.plan.steps.front().cloned() else { return finish(run, query).await.map(Some) };
    let (turn, on_wrong) = match step {
        Step::ChangePassword { message, prompts } => {
            let answer = answer.take();
            (stages::change_password::turn(run, &message, prompts, answer.as_ref()).await?, InvalidResponse::Retry)
        }
        Step::Bound { binding } => {
            let user = run.user().cloned().or_else(|| run.plan.stranger(run.ctx.now));
            let own = run.is_own();
            match planner::reached(run.ctx, &run.flow, &mut run.plan, (user.as_ref(), own), binding).await? {
                Reached::Go(stage, binding) => {
                    if stage.kind == StageKind::UserLogin && !run.plan.postponed.is_empty() {
                        let steps = run.plan.steps.len();
                        let next = settle_age(run, answer).await?;
                        if next.is_some() || run.plan.steps.len() != steps {
                            return Ok(next);
                        }
                    }
                    let answer = answer.take();
                    (stages::turn(run, &stage, answer.as_ref()).await?, binding.invalid_response_action)
                }
                Reached::Change(step) => {
                    run.plan.steps.push_front(step);
                    // The answer was to another question.
                    *answer = None;
                    return Ok(None);
                }
                Reached::Denied(message) => return deny(run, &message).await.map(Some),
                Reached::Skip => {
                    run.plan.steps.pop_front();
                    return Ok(None);
                }
            }
        }
    };
    match turn {
        Turn::Ask(challenge) => keep(run, stored, Next::Challenge(challenge)).await.map(Some),
        Turn::Wrong(challenge, faults) => {
            if on_wrong == InvalidResponse::Retry {
                let next = Next::Challenge(challenge::with_faults(challenge, &faults));
                return keep(run, stored, next).await.map(Some);
            }
            restart(run, on_wrong == InvalidResponse::RestartWithContext).await.map(Some)
        }
        Turn::Denied(message) => deny(run, &message).await.map(Some),
        Turn::Outrun => {
            run.tx = None;
            session_service::forget(run.ctx);
            Ok(Some(Next::Again))
        }
        Turn::Done => {
            run.plan.steps.pop_front();
            run.plan.touched = run.ctx.now;
            if run.plan.steps.is_empty() {
                // What the last stage proved may make a policy ask for more.
                if let Some(next) = settle_age(run, &mut None).await? {
                    return Ok(Some(next));
                }
                if run.plan.steps.is_empty() {
                    return finish(run, query).await.map(Some);
                }
            }
            save(run, true, Next::Again).await.map(Some)
        }
    }
}

/// Asks the policies about the age of a password that waited for its owner.
async fn settle_age(run: &mut Run<'_>, answer: &mut Option<Map<String, Value>>) -> Result<Option<Next>> {
    let at_the_end = run.plan.steps.is_empty();
    if run.plan.postponed.is_empty() || run.plan.entered || (run.plan.proof.is_none() && !at_the_end) {
        return Ok(None);
    }
    // Policies may have events of their own to write, and there is one writer.
    if !flush(run).await? {
        return Ok(Some(Next::Again));
    }
    // At the end nobody has shown a password: then it is about who has signed in already.
    let whom =
        if run.plan.proof.is_some() { run.pending.clone() } else { run.signed_in.clone().filter(|_| run.is_own()) };
    let Some(user) = whom else { return Ok(None) };
    match age::settle(run.ctx, &run.flow, &mut run.plan, &user).await? {
        Settled::Nothing => Ok(None),
        Settled::Change(step) => {
            run.plan.steps.push_front(step);
            *answer = None;
            Ok(None)
        }
        Settled::Denied(message) => deny(run, &message).await.map(Some),
    }
}

/// Writes the plan if it is another than before.
async fn keep(run: &mut Run<'_>, stored: Option<&Plan>, next: Next) -> Result<Next> {
    if run.tx.is_none() && run.link.is_none() && stored.is_some_and(|stored| *stored == run.plan) {
        return Ok(next);
    }
    save(run, true, next).await
}

/// Commits what was written, with the plan or without one.
async fn save(run: &mut Run<'_>, with_plan: bool, next: Next) -> Result<Next> {
    let text = if with_plan { Some(run.plan.to_text()?) } else { None };
    run.tx().await?;
    let Some(tx) = run.tx.take() else { return Ok(next) };
    let session = match &run.started {
        Some(started) => started.session().clone(),
        None => run.session.clone(),
    };
    let nothing = run.left && text.is_none();
    let used = match run.link.take() {
        Some(link) => !links::consume(&tx, link).await?,
        None => false,
    };
    if used || !nothing && !session_service::save_plan(run.ctx, &tx, &session, text.as_deref()).await? {
        // Another request was faster; what this one would have written is dropped with its transaction.
        drop(tx);
        session_service::forget(run.ctx);
        return Ok(Next::Again);
    }
    tx.commit().await?;
    if let Some(started) = run.started.take() {
        run.session = started.hand_over(run.ctx);
    }
    run.session.plan_serial += 1;
    for letter in run.letters.drain(..) {
        // Told to nobody: only for somebody who exists could it have failed.
        if let Err(error) = run.ctx.app.mail.send(run.ctx, letter) {
            tracing::error!("a mail with a link was not taken: {}", error.with_causes());
        }
    }
    Ok(next)
}

/// Commits what was written so far, with the plan; `false` when another request was faster.
async fn flush(run: &mut Run<'_>) -> Result<bool> {
    if run.tx.is_none() {
        return Ok(true);
    }
    let before = run.session.plan_serial;
    let started = run.started.is_some();
    save(run, true, Next::Again).await?;
    Ok(started || run.session.plan_serial != before)
}

async fn deny(run: &mut Run<'_>, message: &str) -> Result<Next> {
    let next = Next::Challenge(run.denied(message));
    save(run, false, next).await
}

/// The flow from its beginning.
async fn restart(run: &mut Run<'_>, with_context: bool) -> Result<Next> {
    if !flush(run).await? {
        return Ok(Next::Again);
    }
    let plan = match begin(run.ctx, &run.flow, run.signed_in.as_ref()).await? {
        Ok(plan) => plan,
        Err(NotApplicable(message)) => return deny(run, &message).await,
    };
    let old = std::mem::replace(&mut run.plan, plan);
    if with_context {
        // What was answered, but nothing that was proven.
        run.plan.context = old.context;
        run.plan.secrets = old.secrets;
        for key in ["auth_method", "auth_method_args", "is_restored", "restored_for", "email_sent"] {
            run.plan.context.remove(key);
        }
    }
    save(run, true, Next::Again).await
}

/// The end of a flow.
async fn finish(run: &mut Run<'_>, query: &str) -> Result<Next> {
    let lacking = run.flow.designation == Designation::Authentication && run.plan.any_left_out;
    if !run.plan.entered && (run.plan.login_left_out || lacking) {
        let message = run.plan.left_out.join("\n");
        return deny(run, &message).await;
    }
    if run.left {
        // With the session went what the visitor had asked for.
        return save(run, false, Next::Challenge(challenge::redirect("/"))).await;
    }
    let to = match last(query, "next") {
        None => Some("/".to_owned()),
        Some(next) => relative(&next),
    };
    let next = match to {
        Some(to) => challenge::redirect(&to),
        None => run.denied("Invalid next URL"),
    };
    save(run, false, Next::Challenge(next)).await
}

/// The answer to somebody whom a flow is not for (contract §6.2); a `next` beside the flow's own query counts.
fn not_applicable(ctx: &Ctx, visit: &Visit<'_>, message: &str) -> Challenge {
    let outer = ctx.request.as_ref().and_then(|request| last(&request.query, "next"));
    let next = outer.and_then(|next| relative(&next));
    match (visit.flow.denied_action, next) {
        (DeniedAction::Continue, next) => challenge::redirect(next.as_deref().unwrap_or("/")),
        (DeniedAction::MessageContinue, Some(next)) => challenge::redirect(&next),
        _ => challenge::denied(visit, message),
    }
}

/// The last value of a key in a query.
fn last(query: &str, key: &str) -> Option<String> {
    form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name == key).last().map(|(_, value)| value.into_owned())
}

/// An address on this server, as a browser takes it; `None` for everything else. Browsers read a backslash as a
/// slash, and leave out tabs and line breaks, so that neither may decide where an address leads.
#[must_use]
pub fn relative(next: &str) -> Option<String> {
    let leads_elsewhere = next.starts_with("//") || next.chars().any(char::is_control);
    (next.starts_with('/') && !leads_elsewhere).then(|| next.replace('\\', "%5C"))
}
