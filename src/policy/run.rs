//! One policy, whichever kind it is of.

use super::{
    Fault, Outcome, Request, dummy, event_matcher, expiry,
    expression::{self, CallPolicy, Called},
    password::{self, Surroundings},
    reputation,
};
use crate::{
    ctx::Ctx,
    error::{Error, Result},
    resource::{
        policies::{self, Kind, Model},
        reputation::store as scores,
    },
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use std::time::Duration;

/// What the brand is called that every request has.
const BRAND_TITLE: &str = "authentik";

/// Longest time that a policy gets that is asked alone.
const ALONE: Duration = Duration::from_secs(30);

/// What only one kind has, typed; the fields are those of the wire.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Settings {
    Dummy(dummy::DummySettings),
    EventMatcher(event_matcher::EventMatcherSettings),
    Expiry(expiry::ExpirySettings),
    Expression(ExpressionSettings),
    Password(password::PasswordSettings),
    Reputation(reputation::ReputationSettings),
}

/// Settings of an expression policy.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ExpressionSettings {
    /// The body of a Python function.
    pub expression: String,
}

fn typed<T: DeserializeOwned>(value: Value) -> serde_json::Result<T> {
    serde_json::from_value(value)
}

impl Settings {
    /// # Errors
    /// When `value` does not hold settings of this kind.
    pub fn read(kind: Kind, value: Value) -> serde_json::Result<Self> {
        Ok(match kind {
            Kind::Dummy => Self::Dummy(typed(value)?),
            Kind::EventMatcher => Self::EventMatcher(typed(value)?),
            Kind::Expiry => Self::Expiry(typed(value)?),
            Kind::Expression => Self::Expression(typed(value)?),
            Kind::Password => Self::Password(typed(value)?),
            Kind::Reputation => Self::Reputation(typed(value)?),
        })
    }

    /// What a policy of this kind has when nothing is said.
    #[must_use]
    pub fn defaults(kind: Kind) -> Self {
        match kind {
            Kind::Dummy => Self::Dummy(dummy::DummySettings::default()),
            Kind::EventMatcher => Self::EventMatcher(event_matcher::EventMatcherSettings::default()),
            Kind::Expiry => Self::Expiry(expiry::ExpirySettings::default()),
            Kind::Expression => Self::Expression(ExpressionSettings::default()),
            Kind::Password => Self::Password(password::PasswordSettings::default()),
            Kind::Reputation => Self::Reputation(reputation::ReputationSettings::default()),
        }
    }

    /// As the JSON of the wire and of the table.
    ///
    /// # Errors
    /// When it cannot be written down.
    pub fn to_map(&self) -> Result<Map<String, Value>> {
        match serde_json::to_value(self) {
            Ok(Value::Object(map)) => Ok(map),
            Ok(_) => Err(Error::internal("settings are no object")),
            Err(error) => Err(Error::internal(error)),
        }
    }
}

/// A policy to be asked.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    pub name: &'a str,
    pub settings: &'a Settings,
}

/// Asks one policy. It has no effect beyond its outcome, except what an expression says it wants.
///
/// # Errors
/// When the database is away.
pub async fn run(
    ctx: &Ctx,
    question: Question<'_>,
    request: &mut Request,
    limit: Duration,
) -> Result<std::result::Result<Outcome, Fault>> {
    Ok(match question.settings {
        Settings::Dummy(settings) => dummy::evaluate(settings, &*ctx.app.entropy).await,
        Settings::EventMatcher(settings) => Ok(event_matcher::evaluate(settings, request)),
        Settings::Expiry(settings) => match &request.user {
            Some(user) => Ok(expiry::decide(settings, user.password_change_date, ctx.now).outcome(settings)),
            None => Err(Fault::Other("'AnonymousUser' object has no attribute 'password_change_date'".to_owned())),
        },
        Settings::Expression(settings) => {
            expression::evaluate(ctx, &Others, question.name, &settings.expression, request, limit).await
        }
        Settings::Password(settings) => {
            let breaches = ctx.app.breaches.as_ref();
            password::evaluate(settings, request, Surroundings { now: ctx.now, brand_title: BRAND_TITLE, breaches })
                .await
        }
        Settings::Reputation(settings) => {
            let address = ctx.request.as_ref().and_then(|request| request.client_ip).filter(|_| settings.check_ip);
            let name = request.user.as_ref().map(|user| user.username.clone()).filter(|_| settings.check_username);
            Ok(reputation::evaluate(settings, scores::sum(ctx, address, name).await?))
        }
    })
}

/// What expressions ask when they ask another policy, by its name.
pub(super) struct Others;

impl CallPolicy for Others {
    fn call<'a>(&'a self, ctx: &'a Ctx, name: &'a str, request: &'a mut Request) -> Called<'a> {
        Box::pin(async move {
            let asked = async {
                let Some(policy) = policies::store::by_name(ctx.app.db.read(), name).await? else { return Ok(None) };
                let settings = policy.typed()?;
                let question = Question { name: &policy.name, settings: &settings };
                run(ctx, question, request, ALONE).await.map(Some)
            };
            match asked.await {
                Ok(answer) => answer.transpose(),
                Err(error) => {
                    tracing::error!("a policy could not be asked: {}", error.with_causes());
                    Err(Fault::Other(error.to_string()))
                }
            }
        })
    }
}

/// Asks a policy alone: no binding turns its answer round, nothing is remembered or recorded.
///
/// # Errors
/// When the database is away.
pub async fn test(ctx: &Ctx, policy: &Model, request: &mut Request) -> Result<Outcome> {
    let settings = policy.typed()?;
    let question = Question { name: &policy.name, settings: &settings };
    let asked = tokio::time::timeout(ALONE, run(ctx, question, request, ALONE)).await;
    Ok(match asked {
        Ok(answer) => answer?.unwrap_or_else(|fault| Outcome {
            log: std::mem::take(&mut request.log),
            ..Outcome::failed(fault.to_string())
        }),
        Err(_) => Outcome::failed(super::engine::timed_out(ALONE)),
    })
}
