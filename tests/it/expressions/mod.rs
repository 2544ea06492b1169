//! Expressions, asked as the engine asks them: workers of the real executable, a real database.

mod corpus;
mod hostile;
mod language;
mod objects;
mod speed;
mod writes;

use crate::harness::{Server, Test};
use serde_json::{Map, Value};
use std::{sync::Arc, time::Duration};
use tessera::{
    ctx::{Ctx, RequestInfo},
    policy::{
        Fault, Outcome, Request,
        expression::{self, CallPolicy, Called},
    },
    resource::users,
};

pub fn all() -> Vec<Test> {
    [corpus::all(), hostile::all(), language::all(), objects::all(), speed::all(), writes::all()].concat()
}

/// Policies by name: what `ak_call_policy` finds.
#[derive(Clone, Default)]
pub struct Policies(pub Vec<(String, String)>);

impl CallPolicy for Policies {
    fn call<'a>(&'a self, ctx: &'a Ctx, name: &'a str, request: &'a mut Request) -> Called<'a> {
        Box::pin(async move {
            let Some((_, source)) = self.0.iter().find(|(own, _)| own == name) else { return Ok(None) };
            expression::evaluate(ctx, self, name, source, request, LIMIT).await.map(Some)
        })
    }
}

/// Longer than the configuration's.
pub const LIMIT: Duration = Duration::from_secs(60);

/// A context as the one of a request to test a policy.
pub fn over_http(server: &Server) -> Ctx {
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let info = RequestInfo {
        id: "0123456789abcdef0123456789abcdef".into(),
        method: "POST".into(),
        path: "/api/v3/policies/all/9c8b7a6f-0000-4000-8000-000000000000/test/".into(),
        query: "a=1&token=hush".into(),
        client_ip: Some([127, 0, 0, 1].into()),
        shown_headers: vec![header("host", "127.0.0.1:9000"), header("user-agent", "python-requests/2.32")],
        ..RequestInfo::default()
    };
    Ctx::new(Arc::clone(&server.app), server.system().principal, Some(info))
}

/// A request about an account, or about nobody.
pub async fn about(server: &Server, user: Option<i64>, context: Value) -> Request {
    let user = match user {
        Some(pk) => users::store::by_id(server.app.db.read(), i32::try_from(pk).expect("small")).await.expect("read"),
        None => None,
    };
    let context = match context {
        Value::Object(map) => map,
        _ => Map::new(),
    };
    Request { user, context, debug: true, testing: true, log: Vec::new() }
}

/// Asks an expression about nobody.
pub async fn asked(server: &Server, source: &str) -> Result<Outcome, Fault> {
    let ctx = over_http(server);
    let mut request = about(server, None, Value::Null).await;
    expression::evaluate(&ctx, &Policies::default(), "a policy", source, &mut request, LIMIT).await
}

/// The text of the fault that an expression ends in.
pub async fn fault(server: &Server, source: &str) -> String {
    match asked(server, source).await {
        Ok(outcome) => format!("no fault: {outcome:?}"),
        Err(Fault::Policy(text)) => text,
        Err(Fault::Other(text)) => format!("other: {text}"),
    }
}

/// The first message of an expression.
pub async fn message(server: &Server, source: &str) -> String {
    match asked(server, source).await {
        Ok(outcome) => outcome.messages.into_iter().next().unwrap_or_default(),
        Err(fault) => format!("fault: {fault}"),
    }
}

/// Whether an expression is taken on saving; the sentence if not.
pub async fn saved(server: &Server, source: &str) -> String {
    match expression::check(&server.app, "temp-policy", source).await {
        Ok(()) => "taken".to_owned(),
        Err(tessera::error::Error::Invalid(errors)) => format!("{:?}", errors.iter().collect::<Vec<_>>()),
        Err(error) => format!("other: {error}"),
    }
}
