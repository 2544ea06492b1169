//! Signs somebody in whom the visit has proven (contract: authentik-core §6.4, user_login).

use super::Answer;
use crate::{
    audit::{self, Action, Event},
    error::{Error, Result},
    flow::{
        answer,
        challenge::{self, Faults},
        run::{Run, Turn},
        throttle,
    },
    resource::{sessions::service as sessions, stages::settings::UserLogin, users},
    time::Duration,
};
use chrono::TimeDelta;
use sea_orm::{ActiveValue::Set, IntoActiveModel as _};
use serde_json::{Value, json};

/// # Errors
/// When the database is away.
pub async fn turn(run: &mut Run<'_>, settings: &UserLogin, answer: Answer<'_>) -> Result<Turn> {
    let Some(user) = run.pending.clone() else { return Ok(refused(run)) };
    // Whatever policies have left out: nobody is signed in whom nothing has proven.
    if run.plan.proof.is_none() && !run.is_own() {
        return Ok(refused(run));
    }
    if !user.can_authenticate() {
        return Ok(Turn::Denied("This account is not active.".to_owned()));
    }
    let offset = length(&settings.remember_me_offset)?;
    let mut lasts = length(&settings.session_duration)?;
    if !offset.is_zero() {
        let mut faults = Faults::default();
        let remember = answer.map(|answer| answer::truth(answer, "remember_me", true, &mut faults));
        match remember {
            Some(Some(true)) => lasts = lasts.checked_add(&offset).unwrap_or(TimeDelta::MAX),
            Some(Some(false)) => {}
            other => {
                let asked = challenge::of(&run.visit(), "ak-stage-user-login", challenge::whom(&run.visit()));
                return Ok(if other.is_none() { Turn::Ask(asked) } else { Turn::Wrong(asked, faults) });
            }
        }
    }
    sign_in(run, settings, user, lasts).await
}

fn refused(run: &Run<'_>) -> Turn {
    Turn::Denied(run.plan.left_out.join("\n"))
}

/// A length of time; a negative one is none.
fn length(text: &str) -> Result<TimeDelta> {
    let length: Duration = text.parse().map_err(Error::internal)?;
    Ok(length.delta().max(TimeDelta::zero()))
}

async fn sign_in(run: &mut Run<'_>, settings: &UserLogin, user: users::Model, lasts: TimeDelta) -> Result<Turn> {
    let (ctx, old, plan) = (run.ctx, run.session.clone(), run.plan.clone());
    let current = |user: &users::Model| plan.is_current(user);
    let method = run.plan.context.get("auth_method").cloned();
    let args = run.plan.context.get("auth_method_args").cloned().unwrap_or_else(|| json!({}));
    let tx = run.tx().await?;
    let Some(user) = users::store::locked(tx.conn(), user.id).await?.filter(users::Model::can_authenticate) else {
        return Ok(Turn::Denied("This account is not active.".to_owned()));
    };
    if !current(&user) {
        return Ok(Turn::Denied("The password was changed meanwhile. Please start again.".to_owned()));
    }
    let lasts = Some(lasts).filter(|lasts| !lasts.is_zero());
    let Some(started) = sessions::sign_in(ctx, tx, Some(&old), &user, lasts).await? else { return Ok(Turn::Outrun) };
    if settings.terminate_other_sessions {
        sessions::end_of_user(tx, user.id, Some(started.session().id)).await?;
    }
    let mut row = user.into_active_model();
    row.last_login = Set(Some(ctx.now));
    let user = users::store::update(tx.conn(), row).await?;
    let event = Event::plain(Action::Login, "authentik.events.signals")
        .with("auth_method", method.unwrap_or(Value::Null))
        .with("auth_method_args", args);
    audit::record(tx, ctx, event.by_user(user.id, &user.username, &user.email));
    throttle::succeeded(ctx, tx, &user.username).await?;
    run.signed_in = Some(user.clone());
    run.pending = Some(user);
    run.started = Some(started);
    run.plan.entered = true;
    Ok(Turn::Done)
}
