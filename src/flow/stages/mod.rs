//! What each kind of stage asks, and how it judges an answer (contract: authentik-core §6.4). A stage changes
//! the plan of its [`Run`], and writes in its transaction.

pub mod change_password;
mod consent;
mod email;
mod identification;
mod password;
mod prompt;
mod user_login;
mod user_write;

pub use email::SENT;

use super::{
    challenge,
    run::{Run, Turn},
};
use crate::{
    error::Result,
    resource::{
        sessions::service as sessions,
        stages::{Model, settings::Settings},
    },
};
use serde_json::{Map, Value, json};

/// An answer, or none where the stage is only to ask.
pub type Answer<'a> = Option<&'a Map<String, Value>>;

/// Lets a stage ask or judge.
///
/// # Errors
/// When the database is away.
pub async fn turn(run: &mut Run<'_>, stage: &Model, answer: Answer<'_>) -> Result<Turn> {
    match stage.typed()? {
        Settings::Identification(settings) => identification::turn(run, &settings, answer).await,
        Settings::Password(settings) => password::turn(run, stage, &settings, answer).await,
        Settings::Prompt {} => prompt::turn(run, stage, answer).await,
        Settings::UserWrite(settings) => user_write::turn(run, &settings).await,
        Settings::UserLogin(settings) => user_login::turn(run, &settings, answer).await,
        Settings::UserLogout {} => log_out(run).await,
        Settings::Consent(_) => consent::turn(run, answer),
        Settings::Deny(settings) => Ok(Turn::Denied(settings.deny_message)),
        Settings::Dummy(settings) => Ok(dummy(run, stage, settings.throw_error, answer)),
        Settings::Email(settings) => email::turn(run, stage, &settings, answer).await,
        // Nobody has a second device here, so nobody is asked for one.
        Settings::AuthenticatorValidate {} => Ok(Turn::Done),
    }
}

fn dummy(run: &Run<'_>, stage: &Model, throws: bool, answer: Answer<'_>) -> Turn {
    if throws {
        return Turn::Denied("The dummy stage was told to fail.".to_owned());
    }
    match answer {
        Some(_) => Turn::Done,
        None => Turn::Ask(challenge::of(&run.visit(), "ak-stage-dummy", json!({"name": stage.name}))),
    }
}

async fn log_out(run: &mut Run<'_>) -> Result<Turn> {
    sessions::sign_out(run.ctx).await?;
    run.signed_in = None;
    run.turn_to(None, false);
    if run.plan.steps.len() > 1 {
        run.session = sessions::ensure(run.ctx).await?;
    } else {
        run.left = true;
    }
    Ok(Turn::Done)
}
