//! Asks for the password (contract: authentik-core §6.4, password). Names that nobody has, accounts that are not
//! active and those without a password take as long as the others, and hear the same.

use super::Answer;
use crate::{
    audit::{self, Action, Event},
    error::Result,
    flow::{
        answer::{self, Reading},
        challenge::{self, Challenge, Faults},
        plan::{Pending, Proof},
        recovery,
        run::{Run, Turn},
        throttle,
    },
    resource::{
        stages::{
            Model,
            settings::{Backend, Password},
        },
        tokens::{self, Intent},
        users,
    },
    secret::{PlainSecret, key, password},
};
use serde_json::{Value, json};

/// What became of a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checked {
    Right,
    Wrong,
    /// Too many at once from one place; it was not looked at.
    TooMany,
}

/// # Errors
/// When the database is away.
pub async fn turn(run: &mut Run<'_>, stage: &Model, settings: &Password, answer: Answer<'_>) -> Result<Turn> {
    if run.plan.pending == Pending::Nobody {
        return Ok(Turn::Denied(String::new()));
    }
    let Some(answer) = answer else { return Ok(Turn::Ask(asked(run, settings).await?)) };
    let mut faults = Faults::default();
    let given = answer::text(answer, "password", Reading { required: true, ..Reading::default() }, &mut faults);
    let Some(given) = given else {
        let blank = answer.get("password").is_some_and(|value| value.as_str() == Some(""));
        return if blank { tried(run, settings, faults).await } else { wrong(run, settings, faults).await };
    };
    let name = match (&run.pending, &run.plan.shown_as) {
        (Some(user), _) => user.username.clone(),
        (None, shown) => shown.as_deref().unwrap_or_default().to_lowercase(),
    };
    match check(run, stage, settings, &name, given).await? {
        Checked::Right => {
            run.plan.tries = 0;
            Ok(Turn::Done)
        }
        Checked::Wrong => tried(run, settings, Faults::one("password", "Invalid password", "invalid")).await,
        Checked::TooMany => {
            let text = "Too many attempts at once. Wait a few seconds and try again.";
            wrong(run, settings, Faults::one("password", text, "throttled")).await
        }
    }
}

/// A try that counts towards the last one.
async fn tried(run: &mut Run<'_>, settings: &Password, faults: Faults) -> Result<Turn> {
    run.plan.tries = run.plan.tries.saturating_add(1);
    if run.plan.tries >= settings.failed_attempts_before_cancel {
        return Ok(Turn::Denied(String::new()));
    }
    wrong(run, settings, faults).await
}

async fn wrong(run: &Run<'_>, settings: &Password, faults: Faults) -> Result<Turn> {
    Ok(Turn::Wrong(asked(run, settings).await?, faults))
}

async fn asked(run: &Run<'_>, settings: &Password) -> Result<Challenge> {
    let mut own = challenge::whom(&run.visit());
    if let Some(url) = recovery::page(run.ctx).await? {
        own["recovery_url"] = url.into();
    }
    own["allow_show_password"] = settings.allow_show_password.into();
    Ok(challenge::of(&run.visit(), "ak-stage-password", own))
}

/// Judges a password by the stage's backends, notes the proof in the plan, and counts and records a failure.
///
/// # Errors
/// When the database is away.
pub async fn check(
    run: &mut Run<'_>,
    stage: &Model,
    settings: &Password,
    name: &str,
    given: String,
) -> Result<Checked> {
    let Some(_turn) = throttle::wait(run.ctx, name).await? else { return Ok(Checked::TooMany) };
    let given = PlainSecret::new(given);
    let active = run.pending.clone().filter(users::Model::can_authenticate);
    let mut proof = None;
    for backend in &settings.backends {
        proof = match (backend, &active) {
            (Backend::Inbuilt, _) => inbuilt(run, active.as_ref(), &given).await?,
            (Backend::Token, Some(user)) => app_password(run, user, &given).await?,
            (Backend::Token, None) | (Backend::Ldap, _) => None,
        };
        if proof.is_some() {
            break;
        }
    }
    if !settings.backends.contains(&Backend::Inbuilt) {
        // As slow as the others.
        users::own::verify_password(run.ctx, None, given).await?;
    }
    let Some((proof, args)) = proof else {
        failed(run, stage, name).await?;
        return Ok(Checked::Wrong);
    };
    if let Some(user) = &active {
        run.plan.prove(proof, user);
    }
    let method = if proof == Proof::Password { "password" } else { "token" };
    run.plan.context.insert("auth_method".to_owned(), method.into());
    run.plan.context.insert("auth_method_args".to_owned(), args);
    Ok(Checked::Right)
}

/// The account's own password.
async fn inbuilt(run: &Run<'_>, user: Option<&users::Model>, given: &PlainSecret) -> Result<Option<(Proof, Value)>> {
    let verdict = users::own::verify_password(run.ctx, user, given.clone()).await?;
    if let (password::Verdict::RightButOld, Some(user)) = (verdict, user) {
        users::own::upgrade_password(run.ctx, user, given.clone()).await?;
    }
    Ok((verdict != password::Verdict::Wrong).then(|| (Proof::Password, json!({}))))
}

/// One of the account's app passwords.
async fn app_password(run: &Run<'_>, user: &users::Model, given: &PlainSecret) -> Result<Option<(Proof, Value)>> {
    if key::form(given.reveal()) == key::Form::Damaged {
        return Ok(None);
    }
    let ctx = run.ctx;
    let digest = ctx.app.keyring.digest(given);
    let Some((token, owner)) = tokens::store::by_digest(ctx.app.db.read(), &digest).await? else { return Ok(None) };
    let over = token.key_end(&digest).is_some_and(|end| ctx.now > end);
    let good = token.intent == Intent::AppPassword && owner.id == user.id && !over;
    Ok(good.then(|| (Proof::AppPassword, json!({"token": token.subject().to_value()}))))
}

/// Counts and records that somebody was not let in; by itself, whatever becomes of the request.
async fn failed(run: &Run<'_>, stage: &Model, name: &str) -> Result<()> {
    let mut tx = run.ctx.begin().await?;
    let event = Event::about(Action::LoginFailed, "authentik.events.signals", "stage", &stage.subject())
        .with("username", name.into())
        .with("password", Value::from("********************"));
    audit::record(&tx, run.ctx, event);
    throttle::failed(run.ctx, &mut tx, name).await?;
    tx.commit().await
}
