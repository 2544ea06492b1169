//! Pages: signing in and out, changing and recovering a password, one's own tokens, the API browser, and what stands
//! where nothing is. Written on the server, with forms instead of scripts; everything a page needs comes from
//! here, and its policy header says so to the browser.
//!
//! A flow's page knows nothing of the flow: [`flow`] asks the executor that headless clients use,
//! [`challenge`] and [`prompt`] turn its challenge into a [`step`] that a template can draw, and [`form`]
//! turns what comes back into the answer that a headless client would send. [`fault`] is what goes wrong.

mod assets;
mod browser;
mod challenge;
mod fault;
mod flow;
mod form;
mod home;
mod page;
mod prompt;
mod step;
mod tokens;

use self::{assets::Asset, fault::Fault};
use crate::{
    ctx::{Ctx, RequestInfo},
    dialect::Dialect,
    error::Error,
};
use http::{HeaderMap, Method, header, request::Parts};
use std::sync::Arc;
use tessera_api_runtime::{Body, Response};

pub use self::browser::BROWSER;

/// What programs get for an address of the API that does not exist; people get [`not_found`].
pub const NOT_FOUND: &str = "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
    <title>Not Found - Tessera</title></head><body><h1>Not Found</h1>\
    <p>There is nothing at this address.</p></body></html>\n";

/// What a page is about, read from its path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place<'p> {
    /// Who is signed in.
    Home,
    /// One's own tokens.
    Tokens,
    /// A flow, by its slug.
    Flow(&'p str),
    /// An address that leads to a flow.
    Shortcut(&'p str),
    /// The slash at the end is missing.
    Unslashed,
}

impl<'p> Place<'p> {
    fn at(path: &'p str) -> Option<Self> {
        if let Some(rest) = path.strip_prefix("/if/flow/") {
            return match rest.split_once('/') {
                Some((slug, "")) if is_slug(slug) => Some(Self::Flow(slug)),
                None if is_slug(rest) => Some(Self::Unslashed),
                _ => None,
            };
        }
        if let Some(rest) = path.strip_prefix("/flows/-/") {
            return Some(Self::Shortcut(rest));
        }
        match path {
            "/" | "/if/user/" | "/if/admin/" => Some(Self::Home),
            tokens::TOKENS => Some(Self::Tokens),
            "/if/user" | "/if/admin" | "/if/user/tokens" => Some(Self::Unslashed),
            _ => None,
        }
    }
}

fn is_slug(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// A file that is the same for everybody: of the pages, or of the API browser.
#[must_use]
pub fn file(parts: &Parts) -> Option<Response> {
    let path = parts.uri.path();
    let asset = Asset::at(path);
    let file = browser::file(path).filter(|_| asset.is_none());
    if asset.is_none() && file.is_none() {
        return None;
    }
    if !matches!(parts.method, Method::GET | Method::HEAD) {
        return Some(Fault::Method("GET, HEAD").page(None, None));
    }
    let asset = asset.map(|asset| asset.answer(parts.uri.query(), &parts.headers));
    asset.or_else(|| file.map(browser::answer))
}

/// Whether a page is at this address, rather than an API.
#[must_use]
pub fn is_page(path: &str) -> bool {
    Place::at(path).is_some()
}

/// The page at this address. What goes wrong on the way is a page, too.
pub async fn answer(ctx: &Arc<Ctx>, parts: &Parts, body: Body) -> Response {
    let outcome = match Place::at(parts.uri.path()) {
        Some(Place::Home) => home::answer(ctx, parts, &body).await,
        Some(Place::Tokens) => tokens::answer(ctx, parts, &body).await,
        Some(Place::Flow(slug)) => flow::answer(ctx, slug, parts, &body).await,
        Some(Place::Shortcut(rest)) => home::shortcut(ctx, rest, parts).await,
        Some(Place::Unslashed) => home::with_slash(parts),
        None => Err(Error::NotFound.into()),
    };
    outcome.unwrap_or_else(|fault| {
        fault.log();
        let again = parts.uri.path_and_query().map(http::uri::PathAndQuery::as_str).and_then(page::local);
        fault.page(ctx.request.as_ref(), again)
    })
}

/// The page about a failure before there was a page, such as while the session was looked up.
#[must_use]
pub fn failure(request: &RequestInfo, error: &Error) -> Response {
    fault::of_error(error, Some(request), None)
}

/// Whether whoever asks would rather see a page than data: a browser, outside of the APIs.
#[must_use]
pub fn wants_page(path: &str, headers: &HeaderMap) -> bool {
    let api = ["/api/", "/application/", "/-/"].iter().any(|prefix| path.starts_with(prefix));
    let api = api || Dialect::at(path) != Dialect::V3;
    let accepts = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    !api && accepts.contains("text/html")
}

/// The page for an address that does not exist.
#[must_use]
pub fn not_found() -> Response {
    fault::of_error(&Error::NotFound, None, None)
}

#[cfg(test)]
mod tests {
    use super::{Place, wants_page};
    use http::{HeaderMap, HeaderValue, header};

    #[test]
    fn places() {
        assert!(matches!(Place::at("/if/flow/a-b_1/"), Some(Place::Flow("a-b_1"))));
        assert!(matches!(Place::at("/if/flow/a"), Some(Place::Unslashed)));
        assert!(matches!(Place::at("/flows/-/cancel/"), Some(Place::Shortcut("cancel/"))));
        assert!(matches!(Place::at("/if/admin/"), Some(Place::Home)));
        for path in
            ["/if/flow/", "/if/flow/a/b/", "/if/flow/a%2F/", "/api/v3/", "/api/v3/core/users/", "/static/x", "/if/"]
        {
            assert!(Place::at(path).is_none(), "{path}");
        }
    }

    #[test]
    fn browsers_get_pages() {
        let mut headers = HeaderMap::new();
        assert!(!wants_page("/x", &headers));
        headers.insert(header::ACCEPT, HeaderValue::from_static("text/html,*/*;q=0.8"));
        assert!(wants_page("/x", &headers));
        assert!(!wants_page("/api/v3/x/", &headers));
    }
}
