//! What is common to all operations, in order: a name for the request, the operation, what the client
//! accepts, who calls, how often, whether they may, and, around the handler, a guard against panics.
//! It denies by default: an operation without a rule does not exist.

mod accept;
mod authn;
mod authz;
mod limits;

use crate::{
    access::Principal,
    app::App,
    ctx::{Ctx, RequestInfo},
    dialect::{
        Failure,
        v3::{self, Asked},
    },
    error::Error,
    secret::keyring::hex,
    web,
};
use futures_util::FutureExt as _;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header};
use hyper::body::Incoming;
use std::{error::Error as _, fmt::Write as _, net::SocketAddr, panic::AssertUnwindSafe, sync::Arc, time::Instant};
use tessera_api_runtime::{Operation, Rejection, Response, Router, RouterBuilder, empty};
use tracing::{Instrument as _, debug, error, info_span};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-authentik-id");

/// The gate: the routing table and what stands before it.
pub struct Gate {
    app: Arc<App>,
    router: Router<App>,
    limits: limits::Limits,
}

impl Gate {
    /// Builds the routing table.
    ///
    /// # Errors
    /// When two paths of the documents cannot be told apart.
    pub fn new(app: Arc<App>) -> crate::error::Result<Self> {
        let mut router = RouterBuilder::default();
        tessera_api::v3::apis::mount(&mut router, tessera_api::v3::apis::BASE);
        let router = router.build().map_err(|e| Error::internal(e.to_string()))?;
        let limits = limits::Limits::new(app.config.anonymous_rate);
        Ok(Self { app, router, limits })
    }

    /// Answers one request.
    pub async fn handle(&self, request: Request<Incoming>, peer: SocketAddr) -> Response {
        let started = Instant::now();
        let mut id = [0_u8; 16];
        self.app.entropy.fill(&mut id);
        let info = RequestInfo {
            id: hex(&id),
            method: request.method().as_str().to_owned(),
            path: request.uri().path().to_owned(),
            query: request.uri().query().unwrap_or_default().to_owned(),
            user_agent: text(request.headers(), &header::USER_AGENT).unwrap_or_default().to_owned(),
            accepts_json: accept::prefers_json(request.headers()),
            client_ip: Some(peer.ip().to_canonical()),
        };
        let (id, method) = (info.id.clone(), request.method().clone());
        let long_body = has_long_body(request.headers());
        let span = info_span!("request", id = %id, method = %method, path = %info.path);
        let (mut response, allow) = self.answer(request, info).instrument(span.clone()).await;
        // An answer that does not wait for a long body ends the connection, and says so. Who was told
        // that the body is wrong (400) has been read to the end.
        let unread = long_body && !response.status().is_success() && response.status() != StatusCode::BAD_REQUEST;
        let headers = response.headers_mut();
        harden(headers);
        if unread {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        if let Ok(value) = HeaderValue::try_from(&id) {
            headers.insert(REQUEST_ID, value);
        }
        if let Some(value) = allow.and_then(|allow| HeaderValue::try_from(allow).ok()) {
            headers.insert(header::ALLOW, value);
        }
        let _entered = span.entered();
        debug!(status = response.status().as_u16(), micros = started.elapsed().as_micros(), "answered");
        response
    }

    /// The answer, and the methods of its path where the path is an API's.
    async fn answer(&self, request: Request<Incoming>, info: RequestInfo) -> (Response, Option<String>) {
        if let Some(response) = self.health(&request).await.or_else(|| web::page(request.method(), request.uri())) {
            return (response, None);
        }
        let found = self.router.find(request.method(), request.uri().path());
        let (allow, op) = match &found {
            Ok(found) => (found.allow.to_owned(), Some(found.op)),
            Err((Rejection::MethodNotAllowed { allow }, op)) => (allow.clone(), *op),
            Err(_) => (String::new(), None),
        };
        let (id, method) = (info.id.clone(), info.method.clone());
        let asked = Asked { method: &method, request_id: &id };
        let run = AssertUnwindSafe(async {
            let found = match found {
                Err((Rejection::UnknownPath, _)) => return Err(Rejection::UnknownPath.into()),
                found => found,
            };
            accept::check(op, request.headers(), request.uri())?;
            let principal = self.principal(request.headers(), &info).await?;
            let found = match (found, op) {
                (Ok(found), _) => found,
                (Err((rejection, _)), op) => return self.without_operation(&method, &principal, rejection, op),
            };
            let ctx = Arc::new(Ctx::new(Arc::clone(&self.app), principal, Some(info)));
            let (parts, body) = request.into_parts();
            found.dispatch(Arc::clone(&self.app), ctx, parts, body).await
        });
        let outcome = run.catch_unwind().await.unwrap_or_else(|panic| Err(panicked(&panic).into()));
        let response = outcome.unwrap_or_else(|failure| {
            log(&failure);
            v3::failure(asked, failure)
        });
        (response, Some(allow).filter(|a| !a.is_empty()))
    }

    /// A path without this method: who may not see the path does not learn its methods.
    fn without_operation(
        &self,
        method: &str,
        principal: &Principal,
        rejection: Rejection,
        op: Option<&'static Operation>,
    ) -> Result<Response, Failure> {
        if matches!(principal, Principal::Anonymous) && op.is_none_or(|op| !op.anonymous) {
            return Err(Error::NotAuthenticated.into());
        }
        if method == Method::OPTIONS.as_str() {
            return Ok(v3::options(op));
        }
        Err(rejection.into())
    }

    async fn principal(&self, headers: &HeaderMap, info: &RequestInfo) -> Result<Arc<Principal>, Failure> {
        let principal = authn::authenticate(&self.app, headers).await?;
        if let (Principal::Anonymous, Some(address)) = (&*principal, info.client_ip) {
            self.limits.check_anonymous(address)?;
        }
        Ok(principal)
    }

    /// `/-/health/…`: no credentials, no body (contract: authentik-core §1.9).
    async fn health(&self, request: &Request<Incoming>) -> Option<Response> {
        let ready = match request.uri().path() {
            "/-/health/live/" => true,
            "/-/health/ready/" => self.app.db.epoch().await.is_ok(),
            _ => return None,
        };
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return Some(empty(405));
        }
        let mut response = empty(if ready { 200 } else { 503 });
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        Some(response)
    }
}

/// A header's value, if it is text.
fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Longest body that comes along with the head, for all we know; what is left of it costs no connection.
const SHORT_BODY: u64 = 8 * 1024;

/// Whether a body follows that is long, or of unknown length.
fn has_long_body(headers: &HeaderMap) -> bool {
    let declared = text(headers, &header::CONTENT_LENGTH).and_then(|length| length.parse::<u64>().ok());
    headers.contains_key(header::TRANSFER_ENCODING) || declared.is_some_and(|length| length > SHORT_BODY)
}

/// What every answer tells browsers.
fn harden(headers: &mut HeaderMap) {
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "same-origin"),
        (header::VARY, "Cookie"),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> Error {
    let text = panic
        .downcast_ref::<&str>()
        .map(|s| (*s).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned());
    Error::internal(format!("a handler panicked: {text}"))
}

/// Logs what the caller is not told, once, with its causes.
fn log(failure: &Failure) {
    let Failure::Error(cause @ (Error::Internal(_) | Error::Unavailable(_))) = failure else { return };
    let mut chain = String::new();
    let mut next = cause.source();
    while let Some(source) = next {
        let _ = write!(chain, ": {source}");
        next = source.source();
    }
    error!("{cause}{chain}");
}
