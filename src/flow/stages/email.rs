//! Sends a link and waits for it (contract: authentik-core §6.4, email). The visit that comes in by the link goes on;
//! the one that waits is never told whether there was anybody to send it to.

use super::Answer;
use crate::{
    error::{Error, Result},
    flow::{
        challenge::{self, Faults, WHOLE},
        letter::{self, Letter},
        links::{self, NewLink},
        plan::Proof,
        recovery,
        run::{Run, Turn},
    },
    resource::{
        stages::{Model, settings::Email},
        users::own::{self, Written},
    },
};
use serde_json::{Value, json};

/// How the links of e-mail stages are called.
const PREFIX: &str = "ak-email-stage-";
/// Most links of an account that are good at once: nobody's mailbox is filled by others.
const MOST_OPEN: u64 = 5;
/// What is noted once the first mail is on its way.
pub const SENT: &str = "email_sent";

/// # Errors
/// When the database is away.
pub async fn turn(run: &mut Run<'_>, stage: &Model, settings: &Email, answer: Answer<'_>) -> Result<Turn> {
    if let Some(whom) = run.plan.context.get("restored_for").and_then(Value::as_i64) {
        return restored(run, settings, whom).await;
    }
    if let Err(Error::Refused(message)) = letter::check(run.ctx, settings) {
        return Ok(Turn::Denied(message));
    }
    let asked = challenge::of(&run.visit(), "ak-stage-email", json!({}));
    if answer.is_some() {
        send(run, stage, settings).await?;
        return Ok(Turn::Wrong(asked, Faults::one(WHOLE, "email-sent", "email-sent")));
    }
    if !run.plan.context.contains_key(SENT) {
        send(run, stage, settings).await?;
    }
    Ok(Turn::Ask(asked))
}

/// Somebody who came in by a link that was sent.
async fn restored(run: &mut Run<'_>, settings: &Email, whom: i64) -> Result<Turn> {
    let Some(user) = run.pending.clone().filter(|user| i64::from(user.id) == whom) else {
        return Ok(Turn::Denied(String::new()));
    };
    run.plan.prove(run.plan.proof.unwrap_or(Proof::Link), &user);
    if settings.activate_user_on_success && !user.is_active {
        let ctx = run.ctx;
        let written = Written { is_active: Some(true), ..Written::default() };
        run.pending = Some(own::write_own(ctx, run.tx().await?, user.id, &written).await?);
    }
    Ok(Turn::Done)
}

/// Sends a new link to whom the visit is about, if he is somebody who has an address.
async fn send(run: &mut Run<'_>, stage: &Model, settings: &Email) -> Result<()> {
    run.plan.context.insert(SENT.to_owned(), true.into());
    let Some(user) = run.pending.clone().filter(|user| !user.email.is_empty()) else { return Ok(()) };
    if !user.can_authenticate() && !settings.activate_user_on_success {
        return Ok(());
    }
    let (ctx, flow) = (run.ctx, run.flow.clone());
    if links::open_ones(ctx, user.id, PREFIX).await? >= MOST_OPEN {
        return Ok(());
    }
    let expires = ctx.now + recovery::lifetime(settings);
    let identifier = format!("{PREFIX}{}", ctx.uuid().simple());
    let mut plan = run.plan.clone();
    plan.proof = None;
    let tx = run.tx().await?;
    let new = NewLink { identifier, user: &user, flow: &flow, plan: &plan, expires };
    let key = links::make(ctx, tx, new).await?;
    let letter = Letter { stage, settings, user: &user, flow: &flow, key: &key, expires };
    let message = letter.write(ctx, tx)?;
    run.letters.push(message);
    Ok(())
}
