//! Putting together what the bindings of a target say (contract: authentik-core §5.1).
//!
//! Every enabled binding is asked, in ascending order, and none is skipped because another one has decided
//! already: each may have something to say. A target without an enabled binding lets everybody in.

use super::{
    Fault, LogLine, Outcome, Request,
    memory::{Bound, Key, Policy},
    run::{self, Settings},
};
use crate::{
    audit::{self, Action, Event, Subject, redact},
    ctx::Ctx,
    error::{Error, Result},
    resource::{
        bindings::{self, target::Mode},
        groups, policies, users,
    },
};
use serde_json::{Map, Value, json};
use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
    time::Duration,
};
use tokio::time::Instant;
use uuid::Uuid;

/// Longest time that a policy gets, whatever its binding allows, and longest time for one question: all
/// bindings of a target together, and all targets of a listing.
pub const LIMIT: Duration = Duration::from_secs(60);

/// Longest messages of a result that is remembered, in bytes together.
const MOST_REMEMBERED: usize = 4096;
/// Longest time of a policy that is bound to nothing, in seconds.
const VALIDATION_SECONDS: i32 = 30;
/// Most messages of an answer, and most lines of its log: an expression may say a great deal.
const MOST_SAID: usize = 1000;

/// The part of the original that evaluates bindings; the value of `app` in events about it.
const PROCESS: &str = "authentik.policies.process";

/// What is decided about.
#[derive(Debug, Clone)]
pub struct Target {
    pub id: Uuid,
    pub mode: Mode,
    /// As events name it.
    pub subject: Subject,
}

/// What the age of a password is to a decision. It is an answer like any other where somebody only asks; a flow
/// has to know who it is first, and can have the password changed ([`crate::flow`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Age {
    Counts,
    /// Policies about it are left out: whoever it is has not shown the password yet.
    Later,
    /// Policies that want a new password are taken as passing, because there is one; those that only refuse are asked.
    Mended,
    /// Only policies about it are asked: the others have been.
    Alone,
}

/// What a flow learns from a decision beside its outcome.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Entry {
    pub outcome: Outcome,
    /// Whether the outcome depends on policies about the age of a password, which were left out.
    pub postponed: bool,
    /// What the outcome would be with a new password.
    pub mended: bool,
    /// What a policy said that wants a new password.
    pub overdue: Option<String>,
    /// Whether a policy found a password too old.
    pub aged: bool,
    /// Whether a policy had no answer, which is no reason to leave out what it guards.
    pub faulty: bool,
}

/// What one binding says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Said {
    pub passing: bool,
    pub messages: Vec<String>,
    pub log: Vec<LogLine>,
    /// Whether it would say the same in a while: not what was too late or out of order.
    pub lasting: bool,
}

impl Said {
    /// Whether it is worth remembering.
    fn is_small(&self) -> bool {
        self.log.is_empty()
            && self.messages.len() <= 32
            && self.messages.iter().map(String::len).sum::<usize>() <= MOST_REMEMBERED
    }
}

/// Whether all that was said lets somebody in; nothing said lets everybody in.
#[must_use]
pub fn combined(mode: Mode, said: &[bool]) -> bool {
    match mode {
        _ if said.is_empty() => true,
        Mode::Any => said.contains(&true),
        Mode::All => !said.contains(&false),
    }
}

/// What a binding makes of its policy's answer. Messages are never turned round, and neither is the result
/// that the binding itself names for a policy that gave up.
#[must_use]
pub fn concluded(negate: bool, failure_result: bool, answer: std::result::Result<Outcome, Fault>) -> Said {
    let gave_up = |passing, text| Said { passing, messages: vec![text], ..Said::default() };
    match answer {
        Ok(Outcome { passing, messages, log }) => Said { passing: passing != negate, messages, log, lasting: true },
        Err(Fault::Policy(text)) => gave_up(failure_result, text),
        Err(Fault::Other(text)) => gave_up(false, text),
    }
}

/// Decides about one target, anew.
///
/// # Errors
/// When the database is away.
pub async fn decide(ctx: &Ctx, target: &Target, request: &mut Request) -> Result<Outcome> {
    Ok(enter(ctx, target, request, Age::Counts).await?.outcome)
}

/// As [`decide`], for somebody on his way through a flow.
///
/// # Errors
/// When the database is away.
pub async fn enter(ctx: &Ctx, target: &Target, request: &mut Request, age: Age) -> Result<Entry> {
    let generation = ctx.app.generation.current();
    let bindings = bindings_of(ctx, generation, &[target.id]).await?.pop().unwrap_or_default();
    let mut effects = Effects::default();
    let deadline = Instant::now() + LIMIT;
    let decision = Decision { ctx, target, age, deadline, generation, remembering: None };
    let outcome = decision.ask(&bindings, request, &mut effects).await?;
    let (postponed, mended) = (effects.postponed, effects.mended);
    let (aged, faulty) = (effects.aged, effects.faulty);
    let entry = Entry { outcome, postponed, mended, aged, faulty, overdue: effects.overdue.take() };
    effects.happen(ctx).await?;
    Ok(entry)
}

/// Asks policies that are bound to nothing, all of which must pass: those of a stage that judges answers.
///
/// # Errors
/// When the database is away.
pub async fn validate(
    ctx: &Ctx,
    policies: Vec<policies::Model>,
    request: &mut Request,
    subject: Subject,
) -> Result<Outcome> {
    let target = Target { id: Uuid::nil(), mode: Mode::All, subject };
    let mut bounds = Vec::with_capacity(policies.len());
    for (position, policy) in (0..).zip(policies) {
        let binding = bindings::Model {
            id: policy.id,
            target_id: target.id,
            position,
            policy_id: Some(policy.id),
            group_id: None,
            user_id: None,
            negate: false,
            enabled: true,
            failure_result: false,
            timeout: VALIDATION_SECONDS,
        };
        bounds.push(Bound { policy: Some(typed(policy)?), binding });
    }
    let mut effects = Effects::default();
    let (generation, deadline) = (ctx.app.generation.current(), Instant::now() + LIMIT);
    // The answer is a new password, perhaps: the old one's age is no matter.
    let decision = Decision { ctx, target: &target, age: Age::Later, deadline, generation, remembering: None };
    let outcome = decision.ask(&bounds, request, &mut effects).await?;
    effects.happen(ctx).await?;
    Ok(outcome)
}

fn typed(policy: policies::Model) -> Result<Policy> {
    let size = policy.settings.to_string().len();
    let settings = policy.typed()?;
    Ok(Policy { id: policy.id, name: policy.name, execution_logging: policy.execution_logging, settings, size })
}

/// Which of these targets let an account in. Where the account asks about itself, what was found out lately
/// counts again; `generation` is from before the account was read.
///
/// # Errors
/// When the database is away.
pub async fn open_to(ctx: &Ctx, generation: u64, targets: &[Target], user: &users::Model) -> Result<Vec<bool>> {
    let ids: Vec<Uuid> = targets.iter().map(|target| target.id).collect();
    let (mut open, mut effects) = (Vec::with_capacity(ids.len()), Effects::default());
    let caller = ctx.principal.account().filter(|account| account.id == user.id);
    let remembering = caller.map(|account| Key {
        binding: Uuid::nil(),
        user: account.id,
        address: ctx.request.as_ref().and_then(|request| request.client_ip),
        token: account.token,
    });
    let deadline = Instant::now() + LIMIT;
    for (target, bindings) in targets.iter().zip(bindings_of(ctx, generation, &ids).await?) {
        let mut request =
            Request { user: Some(user.clone()), context: Map::new(), debug: false, testing: false, log: Vec::new() };
        let decision = Decision { ctx, target, age: Age::Counts, deadline, generation, remembering };
        open.push(decision.ask(&bindings, &mut request, &mut effects).await?.passing);
    }
    effects.happen(ctx).await?;
    Ok(open)
}

/// The enabled bindings of each target, from memory or from the database.
async fn bindings_of(ctx: &Ctx, generation: u64, targets: &[Uuid]) -> Result<Vec<Arc<Vec<Bound>>>> {
    let memory = &ctx.app.decisions;
    let known: Vec<_> = targets.iter().map(|target| memory.bindings(generation, *target)).collect();
    let missing: Vec<Uuid> =
        targets.iter().zip(&known).filter(|(_, known)| known.is_none()).map(|(target, _)| *target).collect();
    let mut read: BTreeMap<Uuid, Vec<Bound>> = missing.iter().map(|target| (*target, Vec::new())).collect();
    for row in bindings::store::enabled(ctx.app.db.read(), &missing).await? {
        let policy = row.policy.map(|policy| {
            let size = policy.settings.to_string().len();
            let settings = Settings::read(policy.kind, policy.settings).map_err(Error::internal)?;
            let (id, name, execution_logging) = (policy.id, policy.name, policy.execution_logging);
            Ok::<_, Error>(Policy { id, name, execution_logging, settings, size })
        });
        let bound = Bound { policy: policy.transpose()?, binding: row.binding };
        read.entry(bound.binding.target_id).or_default().push(bound);
    }
    Ok(targets
        .iter()
        .zip(known)
        .map(|(target, known)| {
            known.unwrap_or_else(|| memory.keep_bindings(generation, *target, read.remove(target).unwrap_or_default()))
        })
        .collect())
}

/// What evaluation leads to beside its outcome; done once, after everything was asked.
#[derive(Default)]
struct Effects {
    events: Vec<Event>,
    postponed: bool,
    mended: bool,
    overdue: Option<String>,
    aged: bool,
    faulty: bool,
}

impl Effects {
    async fn happen(self, ctx: &Ctx) -> Result<()> {
        if self.events.is_empty() {
            return Ok(());
        }
        let tx = ctx.begin().await?;
        for event in self.events {
            audit::record(&tx, ctx, event);
        }
        tx.commit().await
    }
}

/// One decision under way.
struct Decision<'a> {
    ctx: &'a Ctx,
    target: &'a Target,
    age: Age,
    deadline: Instant,
    generation: u64,
    /// Whose results are remembered, if they are.
    remembering: Option<Key>,
}

impl Decision<'_> {
    async fn ask(&self, bindings: &[Bound], request: &mut Request, effects: &mut Effects) -> Result<Outcome> {
        let mut outcome = Outcome::default();
        // What is said; what would be said at the worst by those that are left out; and with a new password.
        let (mut said, mut worst, mut mended) = (Vec::with_capacity(bindings.len()), Vec::new(), Vec::new());
        for bound in bindings {
            let age = match bound.policy.as_ref().map(|policy| &policy.settings) {
                Some(Settings::Expiry(expiry)) => Some(expiry.deny_only),
                _ => None,
            };
            let young = !bound.binding.negate;
            match (self.age, age) {
                (Age::Alone, None) => continue,
                (Age::Later, Some(_)) => {
                    said.push(true);
                    worst.push(false);
                    mended.push(true);
                    continue;
                }
                (Age::Mended, Some(false)) => {
                    said.push(young);
                    worst.push(young);
                    mended.push(young);
                    continue;
                }
                _ => {}
            }
            let one = self.remembered(bound, request, effects).await?;
            said.push(one.passing);
            worst.push(one.passing);
            mended.push(if age == Some(false) { young } else { one.passing });
            let (messages, lines) = (MOST_SAID - outcome.messages.len(), MOST_SAID - outcome.log.len());
            outcome.messages.extend(one.messages.iter().take(messages).cloned());
            outcome.log.extend(one.log.iter().take(lines).cloned());
        }
        effects.postponed = combined(self.target.mode, &said) && !combined(self.target.mode, &worst);
        effects.mended = combined(self.target.mode, &mended);
        outcome.passing = combined(self.target.mode, &said);
        Ok(outcome)
    }

    async fn remembered(&self, bound: &Bound, request: &mut Request, effects: &mut Effects) -> Result<Arc<Said>> {
        let (memory, now) = (&self.ctx.app.decisions, self.ctx.now);
        let key = self.remembering.map(|key| Key { binding: bound.binding.id, ..key });
        if let Some(known) = key.and_then(|key| memory.result(self.generation, now, key)) {
            return Ok(known);
        }
        let one = Arc::new(self.one(bound, request, effects).await?);
        // Scores change without anybody being told.
        let fleeting = bound.policy.as_ref().is_some_and(|p| matches!(p.settings, Settings::Reputation(_)));
        if let Some(key) = key.filter(|_| one.lasting && one.is_small() && !fleeting && request.context.is_empty()) {
            memory.keep_result(self.generation, now, key, Arc::clone(&one));
        }
        Ok(one)
    }

    async fn one(&self, bound: &Bound, request: &mut Request, effects: &mut Effects) -> Result<Said> {
        let binding = &bound.binding;
        let fact = |truth: bool| Said { passing: truth != binding.negate, lasting: true, ..Said::default() };
        if let Some(group) = binding.group_id {
            return Ok(fact(self.groups(request).await?.contains(&group)));
        }
        if let Some(user) = binding.user_id {
            return Ok(fact(request.user.as_ref().is_some_and(|asked| asked.id == user)));
        }
        let Some(policy) = &bound.policy else { return Ok(fact(false)) };
        let answer = self.answer(binding, policy, request).await?;
        if let (Ok(Outcome { passing: false, messages, .. }), Settings::Expiry(settings)) = (&answer, &policy.settings)
        {
            effects.aged = true;
            if !settings.deny_only {
                effects.overdue = messages.first().cloned();
            }
        }
        effects.faulty |= answer.is_err();
        if let Err(Fault::Policy(text)) = &answer {
            effects.events.push(self.event(Action::PolicyException, bound, request).saying(text.clone()));
        }
        let mut said = concluded(binding.negate, binding.failure_result, answer);
        said.log.append(&mut request.log);
        if policy.execution_logging {
            let result = json!({"passing": said.passing, "messages": said.messages});
            let event = self.event(Action::PolicyExecution, bound, request).saying("Policy Execution");
            let event = event.with("policy_uuid", Value::String(policy.id.simple().to_string()));
            effects.events.push(event.with("result", result));
        }
        Ok(said)
    }

    /// What the policy says in its time. Time that it did not have for itself is not held against it: then
    /// there is no answer, and nobody is let in for that.
    async fn answer(
        &self,
        binding: &bindings::Model,
        policy: &Policy,
        request: &mut Request,
    ) -> Result<std::result::Result<Outcome, Fault>> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        let late = || Err(Fault::Other(format!("Policies took longer than {} seconds together.", LIMIT.as_secs())));
        if left.is_zero() {
            return Ok(late());
        }
        let own = u64::try_from(binding.timeout).ok().filter(|seconds| *seconds > 0).map_or(LIMIT, Duration::from_secs);
        // A worker is waited for first, and measures the time of an expression itself.
        let queued = matches!(policy.settings, Settings::Expression(_));
        let limit = if queued { left } else { own.min(left) };
        let question = run::Question { name: &policy.name, settings: &policy.settings };
        match tokio::time::timeout(limit, run::run(self.ctx, question, request, own)).await {
            Ok(answer) => answer,
            Err(_) if limit < left => Ok(Err(Fault::Policy(timed_out(own)))),
            Err(_) => Ok(late()),
        }
    }

    /// The groups of whoever it is about, with those above them.
    async fn groups(&self, request: &Request) -> Result<Arc<HashSet<Uuid>>> {
        let Some(user) = &request.user else { return Ok(Arc::default()) };
        let app = &self.ctx.app;
        if let Some(known) = app.decisions.groups(self.generation, user.id) {
            return Ok(known);
        }
        let found = groups::hierarchy::ids_with_ancestors(app.db.read(), user.id).await?;
        Ok(app.decisions.keep_groups(self.generation, user.id, found))
    }

    fn event(&self, action: Action, bound: &Bound, request: &Request) -> Event {
        let user = request.user.as_ref();
        let user = user.map(|user| json!({"pk": user.id, "username": user.username, "email": user.email}));
        let mut context = Value::Object(request.context.clone());
        // Whatever the field is called that holds the password.
        if let Some(Settings::Password(settings)) = bound.policy.as_ref().map(|policy| &policy.settings) {
            redact::mask_under(&mut context, &settings.password_field);
        }
        Event::about(action, PROCESS, "binding", &bindings::service::subject(&bound.binding)).with(
            "request",
            json!({
                "user": user.unwrap_or(Value::Null),
                "obj": self.target.subject.to_value(),
                "context": context,
                "debug": request.debug,
            }),
        )
    }
}

/// What is said about a policy that overran its time.
#[must_use]
pub fn timed_out(limit: Duration) -> String {
    format!("Policy timed out after {} seconds.", limit.as_secs())
}

#[cfg(test)]
mod tests;
