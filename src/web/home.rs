//! The page of who is signed in, and the short addresses that lead to flows.

use super::{
    challenge::AUTHENTICATION,
    fault::Fault,
    flow::{address, genuine},
    form::Form,
    page::{page, redirect, with_query},
};
use crate::{access::Principal, ctx::Ctx, error::Error, flow, resource::sessions};
use askama::Template;
use http::{Method, request::Parts};
use tessera_api_runtime::{Body, Response};
use uuid::Uuid;

const INVALIDATION: &str = "/flows/-/default/invalidation/";

/// One of the own sessions.
struct Place {
    device: String,
    detail: String,
    current: bool,
}

#[derive(Template)]
#[template(path = "web/home.html")]
struct Home<'p> {
    title: &'p str,
    username: &'p str,
    said: Option<&'p str>,
    csrf: &'p str,
    sessions: Vec<Place>,
}

/// The page of who is signed in; everybody else goes to the sign-in page.
pub(super) async fn answer(ctx: &Ctx, parts: &Parts, body: &Body) -> Result<Response, Fault> {
    match parts.method {
        Method::GET | Method::HEAD => show(ctx, None).await,
        Method::POST => end(ctx, parts, body).await,
        _ => Err(Fault::Method("GET, HEAD, POST")),
    }
}

async fn show(ctx: &Ctx, said: Option<&str>) -> Result<Response, Fault> {
    let Principal::Account(account) = &*ctx.principal else { return redirect(302, AUTHENTICATION) };
    let csrf = sessions::csrf_token(ctx).unwrap_or_default();
    let places = sessions::own::list_own(ctx).await?.into_iter().map(|(current, session)| Place {
        device: device(&session.last_user_agent),
        detail: detail(&session.last_ip, &session.last_used.format("%-d %B %Y, %H:%M UTC").to_string()),
        current,
    });
    let home =
        Home { title: "You are signed in", username: &account.username, said, csrf: &csrf, sessions: places.collect() };
    page(200, &home)
}

/// "Sign out everywhere else".
async fn end(ctx: &Ctx, parts: &Parts, body: &Body) -> Result<Response, Fault> {
    let mut form = Form::read(&parts.headers, body).await?;
    genuine(ctx, &mut form).await?;
    if !matches!(&*ctx.principal, Principal::Account(_)) {
        return redirect(303, AUTHENTICATION);
    }
    if form.take("end").as_deref() == Some("others") {
        sessions::own::end_others(ctx).await?;
        return show(ctx, Some("All other sessions have ended.")).await;
    }
    redirect(303, "/if/user/")
}

/// A browser and its system, as far as its name tells.
fn device(user_agent: &str) -> String {
    // More telling names first: browsers also carry the names of those before them.
    let browsers =
        [("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari")];
    let systems = [
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Windows", "Windows"),
        ("Mac OS", "macOS"),
        ("Linux", "Linux"),
    ];
    let named = |names: &[(&str, &'static str)]| names.iter().find(|(mark, _)| user_agent.contains(mark)).map(|n| n.1);
    match (named(&browsers), named(&systems)) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(one), None) | (None, Some(one)) => one.to_owned(),
        (None, None) if user_agent.is_empty() => "Unknown device".to_owned(),
        (None, None) => user_agent.chars().take(60).collect(),
    }
}

fn detail(address: &str, used: &str) -> String {
    if address.is_empty() { format!("Last used {used}") } else { format!("Last used {used} from {address}") }
}

/// `/flows/-/…`: where a short address leads.
pub(super) async fn shortcut(ctx: &Ctx, rest: &str, parts: &Parts) -> Result<Response, Fault> {
    if !matches!(parts.method, Method::GET | Method::HEAD) {
        return Err(Fault::Method("GET, HEAD"));
    }
    let query = parts.uri.query().unwrap_or_default();
    let slug = match rest.split('/').collect::<Vec<_>>()[..] {
        ["cancel", ""] => {
            flow::executor::cancel(ctx).await?;
            return redirect(302, INVALIDATION);
        }
        ["default", designation, ""] => flow::default_flow(ctx, designation).await?,
        ["configure", stage, ""] => match stage.parse::<Uuid>() {
            Ok(stage) => flow::configure_flow(ctx, stage).await?,
            Err(_) => None,
        },
        _ => None,
    };
    let slug = slug.ok_or(Error::NotFound)?;
    redirect(302, &address(&slug, query))
}

/// An address without the slash at its end leads to the one with it.
pub(super) fn with_slash(parts: &Parts) -> Result<Response, Fault> {
    let query = parts.uri.query().unwrap_or_default();
    redirect(302, &with_query(&format!("{}/", parts.uri.path()), query))
}

#[cfg(test)]
mod tests {
    use super::device;

    #[test]
    fn devices_have_names() {
        let chrome =
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36";
        let safari = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Mobile Safari/604.1";
        assert_eq!(device(chrome), "Chrome on Linux");
        assert_eq!(device(safari), "Safari on iPhone");
        assert_eq!(device("script/1.0"), "script/1.0");
        assert_eq!(device(""), "Unknown device");
    }
}
