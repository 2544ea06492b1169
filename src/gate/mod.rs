//! What is common to all operations, in order: a name for the request, the operation, what the client
//! accepts, who calls, how often, whether they may, and, around the handler, a guard against panics.
//! It denies by default: an operation without a rule does not exist.

mod accept;
mod authn;
mod authz;
pub mod cookies;
pub mod csrf;
mod limits;

use crate::{
    access::Principal,
    app::App,
    ctx::{Credential, Ctx, RequestInfo},
    dialect::{Asked, Dialect, Failure, v3},
    error::{Error, GrantFault},
    resource::{
        sessions::{self, Slot},
        tokens::usage,
    },
    secret::{Digest, keyring::hex},
    web,
};
use futures_util::FutureExt as _;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header, request::Parts};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::{Body as _, Incoming};
use std::{
    net::SocketAddr,
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};
use tessera_api_runtime::{Body, Operation, Rejection, Response, Router, RouterBuilder, empty};
use tracing::{Instrument as _, debug, error, info_span};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-authentik-id");

/// An answer, with what the gate adds to it and counts about it.
struct Answer {
    response: Response,
    /// The methods of the path, where the path is an API's.
    allow: Option<String>,
    operation: Option<&'static str>,
}

/// Who calls, and what he has shown.
struct Caller {
    principal: Arc<Principal>,
    credential: Option<Credential>,
    session: Option<Digest>,
}

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
        tessera_api::v3::apis::mount(&mut router);
        tessera_api::beta::apis::mount(&mut router);
        tessera_api::oauth::apis::mount(&mut router);
        let router = router.build().map_err(|e| Error::internal(e.to_string()))?;
        let limits = limits::Limits::new(app.config.anonymous_rate);
        Ok(Self { app, router, limits })
    }

    /// Answers one request.
    pub async fn handle(&self, request: Request<Incoming>, peer: SocketAddr) -> Response {
        let started = Instant::now();
        let _in_flight = self.app.metrics.begin();
        let mut id = [0_u8; 16];
        self.app.entropy.fill(&mut id);
        let info = RequestInfo {
            id: hex(&id),
            method: request.method().as_str().to_owned(),
            path: request.uri().path().to_owned(),
            query: request.uri().query().unwrap_or_default().to_owned(),
            user_agent: text(request.headers(), &header::USER_AGENT).unwrap_or_default().to_owned(),
            host: text(request.headers(), &header::HOST).unwrap_or_default().to_owned(),
            tls: cookies::over_tls(&self.app, request.headers()),
            accepts_json: false,
            client_ip: Some(peer.ip().to_canonical()),
            shown_headers: Vec::new(),
        };
        let (id, method) = (info.id.clone(), request.method().clone());
        let expects = request.headers().contains_key(header::EXPECT);
        let span = info_span!("request", id = %id, method = %method, path = %info.path);
        let (parts, incoming) = request.into_parts();
        let body = Body::new(incoming);
        let answer = self.answer(parts, body.clone(), info).instrument(span.clone());
        let Answer { mut response, allow, operation } = answer.await;
        let unread = !drained(&body, expects, response.status()).await;
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
        let (status, took) = (response.status().as_u16(), started.elapsed());
        self.app.metrics.answered(operation, status, took);
        let _entered = span.entered();
        debug!(status, micros = took.as_micros(), "answered");
        response
    }

    async fn answer(&self, parts: Parts, body: Body, info: RequestInfo) -> Answer {
        if let Some(response) = self.health(&parts).await.or_else(|| web::file(&parts)) {
            return Answer { response, allow: None, operation: None };
        }
        if web::is_page(parts.uri.path()) {
            return Answer { response: self.page(&parts, body, info).await, allow: None, operation: None };
        }
        let path = single_slash(parts.uri.path());
        let dialect = Dialect::at(path);
        let found = self.router.find(&parts.method, path);
        let (allow, op) = match &found {
            Ok(found) => (found.allow.to_owned(), Some(found.op)),
            Err((Rejection::MethodNotAllowed { allow }, op)) => (allow.clone(), *op),
            Err(_) => (String::new(), None),
        };
        let operation = found.as_ref().ok().map(|found| found.op.id);
        let (id, method, address) = (info.id.clone(), info.method.clone(), info.client_ip);
        let asked = Asked { method: &method, request_id: &id };
        let run = AssertUnwindSafe(async {
            let found = match found {
                Err((Rejection::UnknownPath, _)) if web::wants_page(parts.uri.path(), &parts.headers) => {
                    return Ok(web::not_found());
                }
                Err((Rejection::UnknownPath, _)) => return Err(Rejection::UnknownPath.into()),
                found => found,
            };
            // Clients of the others say what they accept, and take JSON all the same.
            if dialect == Dialect::V3 {
                accept::check(op, &parts.headers, &parts.uri)?;
            }
            let Caller { principal, credential, session } = self.caller(dialect, op, &parts.headers, &info).await?;
            let found = match (found, op) {
                (Ok(found), _) => found,
                (Err((rejection, _)), op) => {
                    return self.without_operation(dialect, &method, &principal, rejection, op);
                }
            };
            if let Some(bearer) = principal.account().and_then(|account| account.bearer.as_ref()) {
                self.app.rate.count(bearer.client, found.base).await?;
            }
            let mut info = info;
            // Asked only where there is a choice.
            info.accepts_json = op.is_some_and(|op| op.produces.len() > 1) && accept::prefers_json(&parts.headers);
            if op.is_some_and(|op| SHOWS_HEADERS.contains(&op.id)) {
                info.shown_headers = without_credentials(&parts.headers);
            }
            let mut ctx = Ctx::new(Arc::clone(&self.app), principal, Some(info));
            ctx.credential = credential;
            ctx.session = Slot::of(session);
            ctx.base = found.base;
            let tls = cookies::over_tls(&self.app, &parts.headers);
            if ctx.principal.account().is_some_and(|account| account.session.is_some()) {
                csrf::check(&ctx, &parts.method, &parts.headers, tls)?;
            }
            // The context itself is given away: who has read a body looks at the caller again.
            let session = ctx.session.clone();
            let answer = found.dispatch(Arc::clone(&self.app), Arc::new(ctx), parts, body).await;
            let mut response = answer.unwrap_or_else(|mut failure| {
                if matches!(failure, Failure::Error(Error::Grant(GrantFault::InvalidClient { .. }))) {
                    self.app.metrics.refused();
                    if let Some(throttled) = address.and_then(|from| self.limits.check_anonymous(from).err()) {
                        failure = throttled.into();
                    }
                }
                log(&failure);
                dialect.failure(asked, failure)
            });
            // Also of an answer that refuses: the session may have begun, or ended.
            cookies::write(&session, tls, response.headers_mut());
            Ok(response)
        });
        let outcome = run.catch_unwind().await.unwrap_or_else(|panic| Err(panicked(&panic).into()));
        let mut response = outcome.unwrap_or_else(|failure| {
            log(&failure);
            dialect.failure(asked, failure)
        });
        if dialect != Dialect::V3 {
            // There are credentials in some of these (RFC 6749 §5.1).
            response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
        Answer { response, allow: Some(allow).filter(|a| !a.is_empty()), operation }
    }

    /// A page. Whoever opens one is known by his cookie alone.
    async fn page(&self, parts: &Parts, body: Body, info: RequestInfo) -> Response {
        let session = cookies::session(&self.app, &parts.headers);
        let tls = cookies::over_tls(&self.app, &parts.headers);
        let run = AssertUnwindSafe(async {
            let principal = match &session {
                Some(digest) => authn::recognise_session(&self.app, digest).await?,
                None => Arc::new(Principal::Anonymous),
            };
            sessions::usage::note(&self.app, &principal, &info);
            if let (Principal::Anonymous, Some(address)) = (&*principal, info.client_ip) {
                self.limits.check_anonymous(address)?;
            }
            let mut ctx = Ctx::new(Arc::clone(&self.app), principal, Some(info.clone()));
            ctx.session = Slot::of(session);
            let ctx = Arc::new(ctx);
            let mut response = web::answer(&ctx, parts, body).await;
            cookies::write(&ctx.session, tls, response.headers_mut());
            Ok(response)
        });
        run.catch_unwind().await.unwrap_or_else(|panic| Err(panicked(&panic))).unwrap_or_else(|error| {
            let response = web::failure(&info, &error);
            log(&error.into());
            response
        })
    }

    /// A path without this method: who may not see the path does not learn its methods.
    fn without_operation(
        &self,
        dialect: Dialect,
        method: &str,
        principal: &Principal,
        rejection: Rejection,
        op: Option<&'static Operation>,
    ) -> Result<Response, Failure> {
        if matches!(principal, Principal::Anonymous) && op.is_none_or(|op| !op.anonymous) {
            return Err(Error::NotAuthenticated.into());
        }
        if dialect != Dialect::V3 {
            let asks = method == Method::OPTIONS.as_str();
            return if asks { Ok(empty(204)) } else { Err(rejection.into()) };
        }
        if method == Method::OPTIONS.as_str() {
            return Ok(v3::options(op));
        }
        // Permissions come before the method (contract: authentik-core §1.2); rows are looked at later.
        if let Some(op) = op.filter(|op| !op.is_detail()) {
            authz::permitted(principal, op, None)?;
        }
        Err(rejection.into())
    }

    /// Who calls, by whatever the dialect takes for it.
    async fn caller(
        &self,
        dialect: Dialect,
        op: Option<&'static Operation>,
        headers: &HeaderMap,
        info: &RequestInfo,
    ) -> Result<Caller, Failure> {
        let who = async {
            match dialect {
                Dialect::V3 => self.caller_of_v3(headers).await,
                Dialect::Beta if op.is_none_or(|op| !op.anonymous) => {
                    let (principal, credential) = authn::bearer(&self.app, headers).await?;
                    Ok(Caller { principal, credential: Some(credential), session: None })
                }
                Dialect::Beta | Dialect::OAuth => Ok(Caller {
                    principal: Arc::new(Principal::Anonymous),
                    credential: authn::client(headers)?,
                    session: None,
                }),
            }
        };
        let caller = match who.await {
            Ok(caller) => caller,
            Err(error @ (Error::InvalidCredentials | Error::CredentialsEnded | Error::UnsupportedScheme)) => {
                self.app.metrics.refused();
                if let (true, Some(address)) = (dialect != Dialect::V3, info.client_ip) {
                    // Each costs a signature.
                    self.limits.check_anonymous(address)?;
                }
                return Err(error.into());
            }
            Err(other) => return Err(other.into()),
        };
        usage::note(&self.app, &caller.principal, info.client_ip);
        sessions::usage::note(&self.app, &caller.principal, info);
        // Who has a secret of his own to show does so in the body; whoever does not is counted when that is known.
        let shows = op.is_some_and(|op| op.security.iter().any(|alternative| alternative.scheme == CLIENT));
        if let (Principal::Anonymous, Some(address), false) = (&*caller.principal, info.client_ip, shows) {
            self.limits.check_anonymous(address)?;
        }
        Ok(caller)
    }

    /// A token's key, or a session's cookie.
    async fn caller_of_v3(&self, headers: &HeaderMap) -> crate::error::Result<Caller> {
        let session = cookies::session(&self.app, headers);
        let key = authn::key(&self.app, headers)?;
        let principal = match (&key, &session) {
            (Some(digest), _) => authn::recognise(&self.app, digest).await?,
            (None, Some(digest)) => authn::recognise_session(&self.app, digest).await?,
            (None, None) => Arc::new(Principal::Anonymous),
        };
        Ok(Caller { principal, credential: key.map(Credential::Key), session })
    }

    /// `/-/health/…`: no credentials, no body (contract: authentik-core §1.9).
    async fn health(&self, request: &Parts) -> Option<Response> {
        let ready = match request.uri.path() {
            "/-/health/live/" => true,
            "/-/health/ready/" => self.app.db.epoch().await.is_ok(),
            _ => return None,
        };
        if !matches!(request.method, Method::GET | Method::HEAD) {
            return Some(empty(405));
        }
        let mut response = empty(if ready { 200 } else { 503 });
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        Some(response)
    }
}

/// The scheme of clients that authenticate themselves at the token endpoint.
const CLIENT: &str = "client";

/// A path of SailPoint's or OAuth's with one slash at its beginning: clients whose base address ends in one write two
/// (contract: sailpoint-pat §1).
fn single_slash(path: &str) -> &str {
    if !path.starts_with("//") {
        return path;
    }
    let rest = path.trim_start_matches('/');
    let single = path.get(path.len() - rest.len() - 1..).unwrap_or(path);
    if Dialect::at(single) == Dialect::V3 { path } else { single }
}

/// A header's value, if it is text.
fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Operations that show the caller his own headers, or ask policies, whose expressions may look at them.
const SHOWS_HEADERS: [&str; 5] = [
    "admin_system_retrieve",
    "admin_system_create",
    "policies_all_test_create",
    "core_applications_list",
    "core_applications_check_access_retrieve",
];

/// Headers as text, without those that let somebody in.
fn without_credentials(headers: &HeaderMap) -> Vec<(String, String)> {
    // Proxies in front of us add some under names of their own.
    let secret = ["auth", "cookie", "token", "key", "secret", "pass", "jwt", "session", "credential", "signature"];
    let shown = headers.iter().filter(|(name, _)| !secret.iter().any(|word| name.as_str().contains(word)));
    shown.filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned()))).collect()
}

/// Longest rest of a body that is read and thrown away, so that the connection can go on, in bytes.
const SHORT_REST: usize = 64 * 1024;
/// Longest time that is waited for it.
const REST_TIME: Duration = Duration::from_secs(1);

/// Reads what an early answer left of the body; tells whether that was all of it. A client that waits
/// for our word before it sends the body (`expects`) is not made to send it for nothing.
async fn drained(body: &Body, expects: bool, status: StatusCode) -> bool {
    let Some(rest) = body.take() else {
        // Its reader saw the end, unless that is what he complains of.
        return !matches!(status, StatusCode::PAYLOAD_TOO_LARGE | StatusCode::REQUEST_TIMEOUT);
    };
    if rest.is_end_stream() {
        return true;
    }
    if expects || rest.size_hint().lower() > SHORT_REST as u64 {
        return false;
    }
    let read = Limited::new(rest, SHORT_REST).collect();
    matches!(tokio::time::timeout(REST_TIME, read).await, Ok(Ok(_)))
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
    error!("{}", cause.with_causes());
}
