//! Rules for sessions: how they begin, are recognised, and end.
//!
//! The gate puts what the cookie said into the [`Slot`] of a request's [`Ctx`], and sends the cookie that is
//! in it afterwards. A request that only asks who calls never reads the row; flows read it with its plan.

use super::{
    entity::{ActiveModel, Model},
    store::{self, SessionFilter},
};
use crate::{
    audit::{self, Action, Event},
    ctx::Ctx,
    db::Tx,
    error::{Error, Result},
    list::{ListRequest, Page},
    resource::users,
    secret::{Digest, PlainSecret, Sealed, key},
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::TimeDelta;
use sea_orm::ActiveValue::Set;
use std::sync::{Arc, Mutex, PoisonError};
use subtle::ConstantTimeEq as _;
use uuid::Uuid;

/// How long a session lasts in which nobody has signed in, after its last use, in seconds.
pub const ANONYMOUS_SECONDS: i64 = 3600;
/// How long a session lasts that a browser forgets when it closes, in seconds (contract §6.4).
pub const BROWSER_SECONDS: i64 = 14 * 86_400;
/// Longest session, in days.
const LONGEST_DAYS: i64 = 36_500;
/// Characters of a cookie's value.
const KEY_LENGTH: usize = 60;
/// Most of a user agent that is kept, in characters.
pub(super) const LONGEST_AGENT: usize = 512;

/// What the answer tells the browser.
#[derive(Debug, Clone)]
pub enum Cookie {
    Set {
        value: PlainSecret,
        csrf: String,
        /// Seconds; `None` until the browser closes.
        max_age: Option<i64>,
    },
    Clear,
}

#[derive(Default)]
struct State {
    /// What the request's cookie said.
    digest: Option<Digest>,
    /// The row of it, once read.
    row: Option<Option<Model>>,
    cookie: Option<Cookie>,
}

/// The session of one request; clones are the same slot.
#[derive(Default, Clone)]
pub struct Slot(Arc<Mutex<State>>);

impl Slot {
    /// The session that a cookie names.
    #[must_use]
    pub fn of(digest: Option<Digest>) -> Self {
        Self(Arc::new(Mutex::new(State { digest, ..State::default() })))
    }

    fn with<T>(&self, f: impl FnOnce(&mut State) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What the request's cookie said.
    #[must_use]
    pub fn digest(&self) -> Option<Digest> {
        self.with(|state| state.digest.clone())
    }

    /// What the answer must tell the browser, if anything.
    #[must_use]
    pub fn cookie(&self) -> Option<Cookie> {
        self.with(|state| state.cookie.clone())
    }
}

/// The session of this request; `None` without one, or when it has ended.
///
/// # Errors
/// When the database is away.
pub async fn current(ctx: &Ctx) -> Result<Option<Model>> {
    let (digest, known) = ctx.session.with(|state| (state.digest.clone(), state.row.clone()));
    if let Some(known) = known {
        return Ok(known);
    }
    let row = match digest {
        Some(digest) => store::by_digest(ctx.app.db.read(), &digest, ctx.now).await?,
        None => None,
    };
    ctx.session.with(|state| state.row = Some(row.clone()));
    Ok(row)
}

/// Reads the session again at its next use: somebody else has changed it.
pub fn forget(ctx: &Ctx) {
    ctx.session.with(|state| state.row = None);
}

/// The session of this request, or a new one in which nobody has signed in.
///
/// # Errors
/// When the database is away.
pub async fn ensure(ctx: &Ctx) -> Result<Model> {
    if let Some(session) = current(ctx).await? {
        return Ok(session);
    }
    let tx = ctx.begin().await?;
    let (session, value) = begin(ctx, &tx, None, TimeDelta::seconds(ANONYMOUS_SECONDS)).await?;
    tx.commit().await?;
    hand_over(ctx, session.clone(), value, None);
    Ok(session)
}

async fn begin(ctx: &Ctx, tx: &Tx, user: Option<i32>, lasts: TimeDelta) -> Result<(Model, PlainSecret)> {
    let value = key::generate(&*ctx.app.entropy, KEY_LENGTH);
    let request = ctx.request.as_ref();
    let ip = request.and_then(|r| r.client_ip).map(|ip| ip.to_string()).unwrap_or_default();
    let agent: String = request.map(|r| r.user_agent.chars().take(LONGEST_AGENT).collect()).unwrap_or_default();
    let row = ActiveModel {
        id: Set(ctx.uuid()),
        digest: Set(ctx.app.keyring.digest(&value)),
        user_id: Set(user),
        impersonated_id: Set(None),
        plan: Set(None),
        plan_serial: Set(0),
        search: Set(Model::searchable(&ip, &agent)),
        last_ip: Set(ip),
        last_user_agent: Set(agent),
        created: Set(ctx.now),
        last_used: Set(ctx.now),
        expires: Set(ctx.now + lasts.min(TimeDelta::days(LONGEST_DAYS))),
    };
    Ok((store::insert(tx.conn(), row).await?, value))
}

/// Makes this the request's session, and its cookie the answer's.
fn hand_over(ctx: &Ctx, session: Model, value: PlainSecret, max_age: Option<i64>) {
    let csrf = csrf_of(ctx, session.id);
    ctx.session.with(|state| {
        state.digest = Some(session.digest.clone());
        state.row = Some(Some(session));
        state.cookie = Some(Cookie::Set { value, csrf, max_age });
    });
}

/// A session that has begun, but is the request's only after the commit: see [`Started::hand_over`].
#[must_use]
pub struct Started {
    session: Model,
    value: PlainSecret,
    max_age: Option<i64>,
}

impl Started {
    /// The session that begins.
    #[must_use]
    pub fn session(&self) -> &Model {
        &self.session
    }

    /// Gives the session to the browser; after the commit, so that no cookie is for a session that is not there.
    pub fn hand_over(self, ctx: &Ctx) -> Model {
        hand_over(ctx, self.session.clone(), self.value, self.max_age);
        self.session
    }
}

/// Signs somebody in: a new session with a new cookie, in place of the visit's `old` one, so that a cookie from
/// before is worth nothing. `lasts` of `None` is until the browser closes. There is no session when another
/// request was faster to change the old one.
///
/// # Errors
/// When the database is away.
pub async fn sign_in(
    ctx: &Ctx,
    tx: &mut Tx,
    old: Option<&Model>,
    user: &users::Model,
    lasts: Option<TimeDelta>,
) -> Result<Option<Started>> {
    if let Some(old) = old
        && !store::delete_at(tx.conn(), old.id, old.plan_serial).await?
    {
        return Ok(None);
    }
    let (session, value) = begin(ctx, tx, Some(user.id), lasts.unwrap_or(TimeDelta::seconds(BROWSER_SECONDS))).await?;
    if old.is_some_and(|old| old.user_id.is_some()) {
        // Processes remember whom its cookie stood for.
        tx.touch();
    }
    Ok(Some(Started { session, value, max_age: lasts.map(|lasts| lasts.num_seconds()) }))
}

/// # Errors
/// [`Error::InvalidPage`]; otherwise when the database is away.
pub async fn list(ctx: &Ctx, request: &ListRequest, filter: SessionFilter) -> Result<Page<Model>> {
    store::list(ctx.app.db.read(), &ctx.principal, ctx.now, request, filter).await
}

/// # Errors
/// [`Error::NotFound`] also for somebody else's, unless the caller is a superuser.
pub async fn view(ctx: &Ctx, id: Uuid) -> Result<Model> {
    store::find(ctx.app.db.read(), &ctx.principal, ctx.now, id).await
}

/// Whether this is the session of the request.
#[must_use]
pub fn is_current(ctx: &Ctx, session: &Model) -> bool {
    ctx.principal.account().and_then(|account| account.session) == Some(session.id)
}

/// Ends a session that the caller may see, at once; records whose.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn end(ctx: &Ctx, id: Uuid) -> Result<()> {
    let mut tx = ctx.begin().await?;
    let session = store::find_for_update(tx.conn(), &ctx.principal, ctx.now, id).await?;
    store::delete(tx.conn(), id).await?;
    if let Some(user) = session.user_id {
        record_end(ctx, &tx, user, 1).await?;
    }
    tx.touch();
    tx.commit().await?;
    if is_current(ctx, &session) {
        forget_cookie(ctx);
    }
    Ok(())
}

/// Somebody was signed out of so many sessions.
pub(super) async fn record_end(ctx: &Ctx, tx: &Tx, user: i32, sessions: usize) -> Result<()> {
    let Some(user) = users::store::by_id(tx.conn(), user).await? else { return Ok(()) };
    let event = Event::plain(Action::Logout, "authentik.core.signals").with("sessions", sessions.into());
    audit::record(tx, ctx, event.of_user(user.id, &user.username, &user.email));
    Ok(())
}

/// The request's session is none any more, and the browser is to forget its cookie.
fn forget_cookie(ctx: &Ctx) {
    ctx.session.with(|state| {
        state.row = Some(None);
        state.digest = None;
        state.cookie = Some(Cookie::Clear);
    });
}

/// Ends the session of this request, if there is one; records who went.
///
/// # Errors
/// When the database is away.
pub async fn sign_out(ctx: &Ctx) -> Result<()> {
    let Some(session) = current(ctx).await? else { return Ok(()) };
    let mut tx = ctx.begin().await?;
    let user = match session.user_id {
        Some(id) => users::store::by_id(tx.conn(), id).await?,
        None => None,
    };
    if store::delete(tx.conn(), session.id).await?
        && let Some(user) = user
    {
        let event = Event::plain(Action::Logout, "authentik.core.signals");
        audit::record(&tx, ctx, event.of_user(user.id, &user.username, &user.email));
    }
    tx.touch();
    tx.commit().await?;
    forget_cookie(ctx);
    Ok(())
}

/// Ends the sessions of an account, except one: it was deactivated, or its password is another.
///
/// # Errors
/// When the database is away.
pub async fn end_of_user(tx: &mut Tx, user: i32, except: Option<Uuid>) -> Result<usize> {
    let ended: Vec<Uuid> = store::of_user(tx.conn(), user, except).await?.iter().map(|session| session.id).collect();
    store::delete_all(tx.conn(), &ended).await?;
    if !ended.is_empty() {
        tx.touch();
    }
    Ok(ended.len())
}

/// Puts a plan into the session, or takes it out; `false` when another request on
/// the same session was faster, whose plan counts.
///
/// # Errors
/// When the database is away.
pub async fn save_plan(ctx: &Ctx, tx: &Tx, session: &Model, plan: Option<&str>) -> Result<bool> {
    let sealed: Option<Sealed> = plan
        .map(|plan| ctx.app.keyring.seal(&*ctx.app.entropy, &PlainSecret::new(plan.to_owned()), session.id.as_bytes()));
    let expires = match session.user_id {
        Some(_) => session.expires,
        None => ctx.now + TimeDelta::seconds(ANONYMOUS_SECONDS),
    };
    forget(ctx);
    store::save_plan(tx.conn(), session.id, session.plan_serial, sealed, (ctx.now, expires)).await
}

/// The plan in a session, as text.
///
/// # Errors
/// When it was sealed under another master key or for another session.
pub fn plan_of(ctx: &Ctx, session: &Model) -> Result<Option<PlainSecret>> {
    let open = |plan| ctx.app.keyring.open(plan, session.id.as_bytes()).map_err(Error::internal);
    session.plan.as_ref().map(open).transpose()
}

/// What proves that a request comes from the session's own pages (contract §1.1): derived from the session, so
/// that it is another one after every sign-in, and nothing has to be kept.
fn csrf_of(ctx: &Ctx, session: Uuid) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(ctx.app.keyring.csrf(session.as_bytes()))
}

/// The CSRF token of the session of this request, once it was read; `None` without a session.
#[must_use]
pub fn csrf_token(ctx: &Ctx) -> Option<String> {
    let id = ctx.session.with(|state| state.row.as_ref().and_then(|row| row.as_ref()).map(|row| row.id));
    let id = id.or_else(|| ctx.principal.account().and_then(|account| account.session));
    id.map(|id| csrf_of(ctx, id))
}

/// Whether `given` is the CSRF token of the session of this request.
#[must_use]
pub fn csrf_matches(ctx: &Ctx, given: &str) -> bool {
    csrf_token(ctx).is_some_and(|token| token.as_bytes().ct_eq(given.as_bytes()).into())
}
