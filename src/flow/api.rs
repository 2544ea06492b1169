//! The executor and the inspector of api/v3.yaml.

use super::executor::{self, Next};
use crate::{
    app::App,
    ctx::Ctx,
    dialect::{Failure, v3::python},
    error::{Error, FieldErrors, Problem, Result},
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};
use tessera_api::v3::apis::flow_executor::*;

/// What Python's form encoding leaves as it is, apart from letters and digits; a space becomes a plus.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'_').remove(b'.').remove(b'-').remove(b'~').remove(b' ');

/// The same address with its query written anew: the last value of each key counts (contract §6.3).
fn own_address(path: &str, query: &str) -> String {
    let mut values: Vec<(String, String)> = Vec::new();
    for (key, value) in form_urlencoded::parse(query.as_bytes()) {
        match values.iter_mut().find(|(known, _)| *known == key) {
            Some((_, old)) => *old = value.into_owned(),
            None => values.push((key.into_owned(), value.into_owned())),
        }
    }
    let encoded = |text: &str| utf8_percent_encode(text, KEPT).to_string().replace(' ', "+");
    let pairs: Vec<String> = values.iter().map(|(key, value)| format!("{}={}", encoded(key), encoded(value))).collect();
    if pairs.is_empty() { path.to_owned() } else { format!("{path}?{}", pairs.join("&")) }
}

/// What a client is told to do, after a stage with others behind it.
enum Again {
    /// Follow to the address it has asked.
    Same(String),
    /// The address is another when it is written anew, so a redirect could go round in a circle.
    Other(Map<String, Value>),
}

fn again(ctx: &Ctx) -> Again {
    let (path, query) = ctx.request.as_ref().map_or(("", ""), |request| (&*request.path, &*request.query));
    let to = own_address(path, query);
    let asked = if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") };
    if to == asked { Again::Same(to) } else { Again::Other(super::challenge::redirect(&to)) }
}

/// An answer of a client: an object, and whatever else it is, nothing.
fn answer_of(body: Value) -> Result<Map<String, Value>> {
    match body {
        Value::Object(answer) => Ok(answer),
        other => {
            let kind = python::type_name(&other);
            let text = format!("Invalid data. Expected a dictionary, but got {kind}.");
            let mut errors = FieldErrors::default();
            errors.add("non_field_errors", Problem::Rule(text));
            Err(Error::Invalid(errors))
        }
    }
}

impl FlowExecutor for App {
    async fn flows_executor_get(
        &self,
        ctx: &Ctx,
        path: FlowsExecutorGetPath,
        q: FlowsExecutorGetQuery,
    ) -> Result<FlowsExecutorGetResponse, Failure> {
        let next = executor::show(ctx, &path.flow_slug, q.query.as_deref().unwrap_or_default()).await?;
        Ok(match next {
            Next::Challenge(challenge) => FlowsExecutorGetResponse::Status200(challenge),
            Next::Again => match again(ctx) {
                Again::Same(to) => FlowsExecutorGetResponse::Status302(to),
                Again::Other(challenge) => FlowsExecutorGetResponse::Status200(challenge),
            },
        })
    }

    async fn flows_executor_solve(
        &self,
        ctx: &Ctx,
        path: FlowsExecutorSolvePath,
        q: FlowsExecutorSolveQuery,
        body: Value,
    ) -> Result<FlowsExecutorSolveResponse, Failure> {
        let answer = answer_of(body)?;
        let next = executor::answer(ctx, &path.flow_slug, q.query.as_deref().unwrap_or_default(), answer).await?;
        Ok(match next {
            Next::Challenge(challenge) => FlowsExecutorSolveResponse::Status200(challenge),
            Next::Again => match again(ctx) {
                Again::Same(to) => FlowsExecutorSolveResponse::Status302(to),
                Again::Other(challenge) => FlowsExecutorSolveResponse::Status200(challenge),
            },
        })
    }

    async fn flows_inspector_get(
        &self,
        ctx: &Ctx,
        path: FlowsInspectorGetPath,
    ) -> Result<FlowsInspectorGetResponse, Failure> {
        if !ctx.principal.is_superuser() {
            return Err(Error::Forbidden.into());
        }
        Ok(FlowsInspectorGetResponse::Status200(super::inspector::inspect(ctx, &path.flow_slug).await?))
    }
}
