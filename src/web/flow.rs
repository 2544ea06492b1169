//! A flow as pages: each challenge is a form, each form an answer. The executor behind it is the one that
//! headless clients use.

use super::{
    challenge,
    fault::Fault,
    form::Form,
    page::{local, page, redirect, with_query},
    step::{Control, Step},
};
use crate::{
    access::Principal,
    ctx::Ctx,
    error::Error,
    flow::executor::{self, Next},
    resource::sessions,
};
use askama::Template;
use http::{Method, request::Parts};
use serde_json::{Map, Value};
use tessera_api_runtime::{Body, Response, empty};

/// Most stages without a question that are passed at once.
const STAGES: usize = 20;
const REDIRECT: &str = "xak-flow-redirect";

#[derive(Template)]
#[template(path = "web/flow.html")]
struct Page<'p> {
    title: &'p str,
    step: &'p Step,
    action: &'p str,
    csrf: &'p str,
}

/// Where a flow is.
pub(super) fn address(slug: &str, query: &str) -> String {
    with_query(&format!("/if/flow/{slug}/"), query)
}

/// Shows the challenge that the flow is at, or takes the answer to it.
pub(super) async fn answer(ctx: &Ctx, slug: &str, parts: &Parts, body: &Body) -> Result<Response, Fault> {
    let query = parts.uri.query().unwrap_or_default();
    match parts.method {
        Method::GET => show(ctx, slug, query).await,
        // Who only looks whether the page is there (mail filters do) does not use up the link.
        Method::HEAD => Ok(empty(200)),
        Method::POST => solve(ctx, slug, query, parts, body).await,
        _ => Err(Fault::Method("GET, HEAD, POST")),
    }
}

async fn show(ctx: &Ctx, slug: &str, query: &str) -> Result<Response, Fault> {
    for _ in 0..STAGES {
        if let Next::Challenge(challenge) = executor::show(ctx, slug, query).await? {
            return draw(ctx, slug, query, &challenge, None).await;
        }
    }
    Err(Error::internal(format!("a flow passes more than {STAGES} stages without a question")).into())
}

async fn solve(ctx: &Ctx, slug: &str, query: &str, parts: &Parts, body: &Body) -> Result<Response, Fault> {
    let mut form = Form::read(&parts.headers, body).await?;
    genuine(ctx, &mut form).await?;
    let component = form.take("component").unwrap_or_default();
    let answer = form.answer(&component);
    match executor::answer(ctx, slug, query, answer.clone()).await? {
        Next::Again => redirect(303, &address(slug, query)),
        // An answer that was not accepted, or the last word of a flow: asked again, it would be lost.
        Next::Challenge(challenge) => draw(ctx, slug, query, &challenge, Some(&answer)).await,
    }
}

/// Takes a form only from the session that it was made for.
pub(super) async fn genuine(ctx: &Ctx, form: &mut Form) -> Result<(), Fault> {
    let given = form.take("csrf").unwrap_or_default();
    let Some(session) = sessions::service::current(ctx).await? else { return Err(Fault::NoCookie) };
    // Somebody may have signed out, or stopped acting as somebody else, while the form was on its way.
    let his = |id| session.user_id == Some(id) || session.impersonated_id == Some(id);
    if ctx.principal.account().is_some_and(|account| !his(account.id)) {
        return Err(Fault::Forged);
    }
    if sessions::csrf_matches(ctx, &given) { Ok(()) } else { Err(Fault::Forged) }
}

async fn draw(
    ctx: &Ctx,
    slug: &str,
    query: &str,
    challenge: &Map<String, Value>,
    given: Option<&Map<String, Value>>,
) -> Result<Response, Fault> {
    if challenge.get("component").and_then(Value::as_str) == Some(REDIRECT) {
        let to = challenge.get("to").and_then(Value::as_str).unwrap_or("/");
        return redirect(303, local(to).ok_or(Fault::Elsewhere)?);
    }
    let account = match &*ctx.principal {
        Principal::Account(account) => Some(account.username.as_str()),
        _ => None,
    };
    let step = challenge::step(challenge, given, account)?;
    let title = if step.failed() && !step.buttons.is_empty() {
        format!("Error: {}", step.heading)
    } else {
        step.heading.clone()
    };
    // Saving the plan forgets the row that the token is made from.
    sessions::service::current(ctx).await?;
    let csrf = sessions::csrf_token(ctx).unwrap_or_default();
    // A wrong answer is a page like another: browsers and password managers behave best with 200.
    page(200, &Page { title: &title, step: &step, action: &address(slug, query), csrf: &csrf })
}
