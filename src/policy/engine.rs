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
        groups, users,
    },
};
use chrono::{DateTime, Utc};
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

/// Why it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Somebody wants to know.
    Ask,
    /// Somebody is let in or not; policies may act on it.
    Enforce,
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
pub async fn decide(ctx: &Ctx, target: &Target, request: &mut Request, purpose: Purpose) -> Result<Outcome> {
    let generation = ctx.app.generation.current();
    let bindings = bindings_of(ctx, generation, &[target.id]).await?.pop().unwrap_or_default();
    let mut effects = Effects::default();
    let deadline = Instant::now() + LIMIT;
    let decision = Decision { ctx, target, purpose, deadline, generation, remembering: None };
    let outcome = decision.ask(&bindings, request, &mut effects).await?;
    effects.happen(ctx).await?;
    Ok(outcome)
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
        let decision = Decision { ctx, target, purpose: Purpose::Ask, deadline, generation, remembering };
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
    /// Accounts whose passwords have run out, with the date of the password that was judged.
    expired: Vec<(i32, DateTime<Utc>)>,
}

impl Effects {
    async fn happen(self, ctx: &Ctx) -> Result<()> {
        if self.events.is_empty() && self.expired.is_empty() {
            return Ok(());
        }
        let mut tx = ctx.begin().await?;
        for event in self.events {
            audit::record(&tx, ctx, event);
        }
        for (user, of) in self.expired {
            users::service::end_password(ctx, &mut tx, user, of).await?;
        }
        tx.commit().await
    }
}

/// One decision under way.
struct Decision<'a> {
    ctx: &'a Ctx,
    target: &'a Target,
    purpose: Purpose,
    deadline: Instant,
    generation: u64,
    /// Whose results are remembered, if they are.
    remembering: Option<Key>,
}

impl Decision<'_> {
    async fn ask(&self, bindings: &[Bound], request: &mut Request, effects: &mut Effects) -> Result<Outcome> {
        let mut outcome = Outcome::default();
        let mut said = Vec::with_capacity(bindings.len());
        for bound in bindings {
            let one = self.remembered(bound, request, effects).await?;
            said.push(one.passing);
            let (messages, lines) = (MOST_SAID - outcome.messages.len(), MOST_SAID - outcome.log.len());
            outcome.messages.extend(one.messages.iter().take(messages).cloned());
            outcome.log.extend(one.log.iter().take(lines).cloned());
        }
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
        if let (Ok(Outcome { passing: false, .. }), Settings::Expiry(settings), Some(user)) =
            (&answer, &policy.settings, &request.user)
            && self.purpose == Purpose::Enforce
            && !settings.deny_only
        {
            effects.expired.push((user.id, user.password_change_date));
        }
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
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn answer() -> impl Strategy<Value = std::result::Result<Outcome, Fault>> {
        let messages = proptest::collection::vec("[a-z]{0,5}", 0..3);
        prop_oneof![
            (any::<bool>(), messages).prop_map(|(passing, messages)| Ok(Outcome {
                passing,
                messages,
                log: Vec::new()
            })),
            "[a-z]{1,5}".prop_map(|text| Err(Fault::Policy(text))),
            "[a-z]{1,5}".prop_map(|text| Err(Fault::Other(text))),
        ]
    }

    proptest! {
        #[test]
        fn any_and_all(said in proptest::collection::vec(any::<bool>(), 0..12)) {
            let none = said.is_empty();
            prop_assert_eq!(combined(Mode::Any, &said), none || said.iter().any(|s| *s));
            prop_assert_eq!(combined(Mode::All, &said), said.iter().all(|s| *s));
        }

        /// The order of bindings decides nothing but the order of messages.
        #[test]
        fn order_does_not_decide(mut said in proptest::collection::vec(any::<bool>(), 0..12)) {
            let before = (combined(Mode::Any, &said), combined(Mode::All, &said));
            said.reverse();
            prop_assert_eq!(before, (combined(Mode::Any, &said), combined(Mode::All, &said)));
        }

        /// Turning every answer round turns `any` into `all`.
        #[test]
        fn the_modes_mirror_each_other(said in proptest::collection::vec(any::<bool>(), 1..12)) {
            let turned: Vec<bool> = said.iter().map(|s| !s).collect();
            prop_assert_eq!(combined(Mode::Any, &said), !combined(Mode::All, &turned));
        }

        #[test]
        fn negation_turns_answers_and_nothing_else(answer in answer(), failure_result in any::<bool>()) {
            let (plain, turned) =
                (concluded(false, failure_result, answer.clone()), concluded(true, failure_result, answer.clone()));
            prop_assert_eq!(&plain.messages, &turned.messages);
            match answer {
                Ok(_) => prop_assert_ne!(plain.passing, turned.passing),
                Err(Fault::Policy(text)) => {
                    prop_assert_eq!((plain.passing, turned.passing), (failure_result, failure_result));
                    prop_assert_eq!(plain.messages, [text]);
                }
                Err(Fault::Other(text)) => {
                    prop_assert_eq!((plain.passing, turned.passing), (false, false));
                    prop_assert_eq!(plain.messages, [text]);
                }
            }
        }
    }
}
