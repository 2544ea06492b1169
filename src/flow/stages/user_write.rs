//! Writes what was answered into an account (contract: authentik-core §6.4, user_write). It writes into one that
//! is there only for somebody who has shown that it is his.

use crate::{
    audit::{self, Action, Event},
    error::{Error, Result},
    flow::{
        plan::{Pending, Proof},
        run::{Run, Turn},
    },
    resource::{
        groups,
        stages::settings::{CreationMode, UserWrite},
        users::{
            self, Kind,
            own::{self, Written, nested},
            service::NewUser,
        },
    },
    secret::PlainSecret,
};
use serde_json::{Map, Value, json};

/// What is said when the account cannot be written.
const FAILED: &str = "Failed to update user. Please try again later.";
/// What is said when there is no account, and none may be made.
const NOBODY: &str = "No user found and can't create new user.";
/// What stands in an event where a password was.
const MASKED: &str = "********************";
/// The path of accounts where the stage names none.
const PATH: &str = "users";

/// # Errors
/// When the database is away.
pub async fn turn(run: &mut Run<'_>, settings: &UserWrite) -> Result<Turn> {
    let data = run.plan.prompt_data();
    if data.is_empty() {
        return Ok(Turn::Denied("No Pending data.".to_owned()));
    }
    let user = run.user().cloned();
    let creates = match settings.user_creation_mode {
        CreationMode::AlwaysCreate => true,
        CreationMode::CreateWhenRequired => user.is_none() && run.plan.pending == Pending::Nobody,
        CreationMode::NeverCreate => false,
    };
    let written = match sorted(&data) {
        Ok(written) => written,
        Err(message) => return Ok(Turn::Denied(message)),
    };
    let hash = match &written.password {
        Some(password) => Some(users::service::hash_password(run.ctx, Some(password.clone())).await?),
        None => None,
    };
    let turn = if creates { create(run, settings, &written).await? } else { update(run, user, &written).await? };
    let (user, is_new) = match turn {
        Ok(done) => done,
        Err(message) => return Ok(Turn::Denied(message)),
    };
    let (ctx, here) = (run.ctx, run.session.id);
    let secrets = run.plan.secrets.clone();
    let tx = run.tx().await?;
    let user = match hash {
        Some(hash) => match own::change_password(ctx, tx, &user, hash, Some(here)).await? {
            Some(user) => user,
            None => return Ok(Turn::Outrun),
        },
        None => user,
    };
    let mut event = Event::plain(Action::UserWrite, "authentik.events.signals").with("created", is_new.into());
    for (key, value) in &data {
        // Whatever a password is called.
        let value = if secrets.contains(key) { MASKED.into() } else { value.clone() };
        event = event.with(key, value);
    }
    audit::record(tx, ctx, event.by_user(user.id, &user.username, &user.email));
    if is_new {
        run.plan.turn_to(Pending::Account(user.id));
        run.plan.prove(Proof::Created, &user);
        run.pending = Some(user);
        run.plan.shown_as = None;
    } else if run.pending.is_some() {
        if let Some(proof) = run.plan.proof {
            run.plan.prove(proof, &user);
        }
        run.pending = Some(user);
    }
    // A password is not kept longer than it is needed.
    run.plan.context.insert("prompt_data".to_owned(), json!({}));
    Ok(Turn::Done)
}

type Done = std::result::Result<(users::Model, bool), String>;

async fn create(run: &mut Run<'_>, settings: &UserWrite, written: &Written) -> Result<Done> {
    let Some(username) = written.username.clone().filter(|name| !name.is_empty()) else {
        return Ok(Err(FAILED.to_owned()));
    };
    let group = match settings.create_users_group {
        Some(group) => groups::store::existing(run.ctx.app.db.read(), &[group]).await?.into_iter().next(),
        None => None,
    };
    let path = Some(settings.user_path_template.trim_matches('/')).filter(|path| !path.is_empty()).unwrap_or(PATH);
    let new = NewUser {
        name: written.name.clone().unwrap_or_default(),
        email: written.email.clone(),
        attributes: Some(nested(Map::new(), &written.attributes)),
        is_active: Some(!settings.create_users_as_inactive),
        groups: group.into_iter().collect(),
        path: Some(path.to_owned()),
        kind: serde_json::from_value(settings.user_type.clone().into()).ok(),
        username,
        ..NewUser::default()
    };
    let system = run.ctx.as_system();
    let tx = run.tx().await?;
    match users::service::insert(&system, tx, new).await {
        Ok(user) => {
            tx.touch();
            Ok(Ok((user, true)))
        }
        Err(Error::Invalid(_) | Error::Refused(_)) => {
            run.tx = None;
            Ok(Err(FAILED.to_owned()))
        }
        Err(error) => Err(error),
    }
}

async fn update(run: &mut Run<'_>, user: Option<users::Model>, written: &Written) -> Result<Done> {
    let Some(user) = user else { return Ok(Err(NOBODY.to_owned())) };
    if run.plan.proof.is_none() && !run.is_own() {
        return Ok(Err("This needs a link that was sent to you, or that you sign in first.".to_owned()));
    }
    if run.plan.proof == Some(Proof::AppPassword) {
        return Ok(Err("An app password is not enough for this.".to_owned()));
    }
    if !run.plan.is_current(&user) {
        return Ok(Err("The password was changed meanwhile. Please start again.".to_owned()));
    }
    if user.kind == Kind::InternalServiceAccount {
        return Ok(Err(FAILED.to_owned()));
    }
    let ctx = run.ctx;
    let tx = run.tx().await?;
    match own::write_own(ctx, tx, user.id, written).await {
        Ok(user) => Ok(Ok((user, false))),
        Err(Error::Invalid(_) | Error::Refused(_) | Error::NotFound) => {
            run.tx = None;
            Ok(Err(FAILED.to_owned()))
        }
        Err(error) => Err(error),
    }
}

/// What was answered, by what it is; keys that are nothing of an account's, and groups, are passed over.
fn sorted(data: &Map<String, Value>) -> std::result::Result<Written, String> {
    let mut written = Written::default();
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    for (key, value) in data {
        match key.as_str() {
            "username" => written.username = text(value),
            "name" => written.name = text(value),
            "email" => written.email = text(value),
            "is_active" => written.is_active = value.as_bool(),
            "password" => {
                let password = text(value).filter(|text| !text.is_empty());
                if password.as_ref().is_some_and(|p| p.chars().count() > crate::secret::password::MAX_LENGTH) {
                    return Err(FAILED.to_owned());
                }
                written.password = password.map(PlainSecret::new);
            }
            key => {
                if let Some(path) = key.strip_prefix("attributes.").filter(|path| !path.is_empty()) {
                    written.attributes.insert(path.to_owned(), value.clone());
                }
            }
        }
    }
    Ok(written)
}
