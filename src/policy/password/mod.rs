//! The policy that says which passwords are good enough (contract: authentik-core §5.6).
//!
//! The stages run in this order, and the first that refuses speaks: rules about characters, the lists of
//! known passwords, and an estimate of how hard it is to guess.

pub mod hibp;
mod static_rules;
mod strength;

use super::{Fault, LogLine, Outcome, Request};
use chrono::{DateTime, Utc};
use hibp::{Hibp, OnFailure};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::borrow::Cow;

/// The backslash is there twice, and so counts twice.
const SYMBOLS: &str = "!\\\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~ ";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PasswordSettings {
    /// Where the password is: in `prompt_data`, or else in the context itself.
    pub password_field: String,
    pub check_static_rules: bool,
    pub check_have_i_been_pwned: bool,
    pub check_zxcvbn: bool,
    pub amount_digits: i32,
    pub amount_uppercase: i32,
    pub amount_lowercase: i32,
    pub amount_symbols: i32,
    /// In code points.
    pub length_min: i32,
    /// Each character counts as often as it is here.
    pub symbol_charset: String,
    /// What the static rules say, even when it is empty.
    pub error_message: String,
    /// How often a password may be in the lists.
    pub hibp_allowed_count: i32,
    /// The score, 0 to 4, must be greater.
    pub zxcvbn_score_threshold: i32,
}

impl Default for PasswordSettings {
    fn default() -> Self {
        Self {
            password_field: "password".to_owned(),
            check_static_rules: true,
            check_have_i_been_pwned: false,
            check_zxcvbn: false,
            amount_digits: 0,
            amount_uppercase: 0,
            amount_lowercase: 0,
            amount_symbols: 0,
            length_min: 0,
            symbol_charset: SYMBOLS.to_owned(),
            error_message: String::new(),
            hibp_allowed_count: 0,
            zxcvbn_score_threshold: 2,
        }
    }
}

/// What the policy needs beside the request.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'a> {
    /// For the log that `test` shows.
    pub now: DateTime<Utc>,
    /// A password must not be made of it.
    pub brand_title: &'a str,
    /// `None` passes that stage: there is nobody to ask.
    pub breaches: Option<&'a Hibp>,
}

/// Checks the password in the request.
///
/// # Errors
/// [`Fault::Other`] when `prompt_data` is no object, and when the strength cannot be estimated.
pub async fn evaluate(
    settings: &PasswordSettings,
    request: &Request,
    around: Surroundings<'_>,
) -> Result<Outcome, Fault> {
    let Some(password) = password_of(settings, request)? else {
        return Ok(not_set(settings, request, around.now));
    };
    if settings.check_static_rules && !static_rules::hold(settings, &password) {
        return Ok(Outcome::failed(settings.error_message.clone()));
    }
    let mut log = Vec::new();
    if settings.check_have_i_been_pwned {
        match around.breaches {
            None => log.push(nobody_to_ask(around.now)),
            Some(hibp) => {
                if let Some(refusal) = breached(settings, &password, hibp).await {
                    return Ok(refusal);
                }
            }
        }
    }
    let mut outcome = if settings.check_zxcvbn {
        guessable(settings, &password, request, around.brand_title).await?
    } else {
        Outcome::passed()
    };
    outcome.log.splice(..0, log);
    Ok(outcome)
}

/// The password as text; `None` when there is none, or what Python calls false.
fn password_of<'a>(settings: &PasswordSettings, request: &'a Request) -> Result<Option<Cow<'a, str>>, Fault> {
    let prompted = match request.context.get("prompt_data") {
        None => None,
        Some(Value::Object(data)) => data.get(&settings.password_field),
        Some(other) => return Err(Fault::Other(format!("'{}' object has no attribute 'get'", python_type(other)))),
    };
    Ok(prompted.or_else(|| request.context.get(&settings.password_field)).and_then(|value| match value {
        Value::String(text) => (!text.is_empty()).then_some(Cow::Borrowed(text.as_str())),
        Value::Bool(true) => Some(Cow::Borrowed("True")),
        Value::Number(number) => (number.as_f64() != Some(0.0)).then(|| number.to_string().into()),
        Value::Array(items) => (!items.is_empty()).then(|| value.to_string().into()),
        Value::Object(members) => (!members.is_empty()).then(|| value.to_string().into()),
        Value::Null | Value::Bool(false) => None,
    }))
}

fn python_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "NoneType",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float",
        Value::Number(_) => "int",
        Value::String(_) => "str",
        Value::Array(_) => "list",
        Value::Object(_) => "dict",
    }
}

fn not_set(settings: &PasswordSettings, request: &Request, now: DateTime<Utc>) -> Outcome {
    let names: Vec<String> = request.context.keys().map(|name| format!("'{name}'")).collect();
    let attributes = Map::from_iter([
        ("field".to_owned(), Value::from(settings.password_field.as_str())),
        ("fields".to_owned(), Value::from(format!("dict_keys([{}])", names.join(", ")))),
    ]);
    let mut outcome = Outcome::failed("Password not set in context");
    outcome.log.push(warning(now, "Password field not set in Policy Request", attributes));
    outcome
}

/// What is told, here and to whoever tests the policy, when breach lists are wanted and nobody is asked.
fn nobody_to_ask(now: DateTime<Utc>) -> LogLine {
    let text = "passwords should be looked up in breach lists, but `hibp_url` is not set";
    tracing::warn!("{text}");
    warning(now, text, Map::new())
}

fn warning(now: DateTime<Utc>, event: &str, attributes: Map<String, Value>) -> LogLine {
    LogLine {
        timestamp: now,
        level: "warning",
        logger: "authentik.policies.password.models".to_owned(),
        event: event.to_owned(),
        attributes,
    }
}

/// The refusal of a password that is in the lists too often, or that could not be looked up.
async fn breached(settings: &PasswordSettings, password: &str, hibp: &Hibp) -> Option<Outcome> {
    match hibp.count(password).await {
        Ok(count) if i128::from(count) > i128::from(settings.hibp_allowed_count) => {
            Some(Outcome::failed(format!("Password exists on {count} online lists.")))
        }
        Ok(_) => None,
        Err(error) => {
            tracing::warn!(%error, on_failure = ?hibp.on_failure, "a password could not be looked up in breach lists");
            (hibp.on_failure == OnFailure::Fail)
                .then(|| Outcome::failed("Password could not be checked against online lists."))
        }
    }
}

async fn guessable(
    settings: &PasswordSettings,
    password: &str,
    request: &Request,
    brand_title: &str,
) -> Result<Outcome, Fault> {
    // In this order: the rank of what is guessed is part of the estimate.
    let mut known = Vec::new();
    if let Some(user) = &request.user {
        known.extend([user.username.clone(), user.name.clone(), user.email.clone()]);
    }
    known.push(brand_title.to_owned());
    let strength = strength::estimate(password, known)
        .await
        .map_err(|_| Fault::Other("the strength of the password cannot be estimated".to_owned()))?;
    if i32::from(strength.score) > settings.zxcvbn_score_threshold {
        return Ok(Outcome::passed());
    }
    let mut outcome = Outcome::failed("Password is too weak.");
    outcome.messages.extend(strength.advice.into_iter().map(str::to_owned));
    Ok(outcome)
}

#[cfg(test)]
mod tests;
