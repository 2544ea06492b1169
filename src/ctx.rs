//! What one request carries through the house: who calls, when, and the only sources of time and
//! randomness. Handlers get a [`Ctx`]; rules get `&Ctx`; nothing else reads a clock.

use crate::{
    access::{Bearer, Principal},
    app::App,
    db::Tx,
    error::Result,
    resource::sessions::Slot,
    secret::{Digest, PlainSecret},
};
use chrono::{DateTime, SubsecRound as _, Utc};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use std::{
    sync::{Arc, LazyLock, Mutex, PoisonError},
    time::{Duration, Instant},
};
use uuid::Uuid;

/// The source of time.
pub trait Clock: Send + Sync {
    fn now(&self) -> DateTime<Utc>;

    /// Time since some moment that stays the same; it never goes back, also when somebody puts the clock.
    fn steady(&self) -> Duration;
}

/// The source of randomness; fit for keys.
pub trait Entropy: Send + Sync {
    fn fill(&self, bytes: &mut [u8]);
}

/// The machine's clock.
#[derive(Debug)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }

    fn steady(&self) -> Duration {
        static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);
        BEGAN.elapsed()
    }
}

/// The operating system's randomness, through a generator that it seeds and reseeds.
#[derive(Debug)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    #[expect(clippy::disallowed_methods, reason = "the one place that draws random bytes")]
    fn fill(&self, bytes: &mut [u8]) {
        rand::rng().fill_bytes(bytes);
    }
}

/// Randomness that repeats, for tests.
#[derive(Debug)]
pub struct SeededEntropy(Mutex<StdRng>);

impl SeededEntropy {
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(StdRng::seed_from_u64(seed)))
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).fill_bytes(bytes);
    }
}

/// A clock that stands still until it is moved, for tests.
#[derive(Debug)]
pub struct ManualClock(Mutex<DateTime<Utc>>);

impl ManualClock {
    #[must_use]
    pub fn new(now: DateTime<Utc>) -> Self {
        Self(Mutex::new(now))
    }

    pub fn advance(&self, by: chrono::TimeDelta) {
        let mut now = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *now += by;
    }
}

impl Clock for ManualClock {
    fn now(&self) -> DateTime<Utc> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn steady(&self) -> Duration {
        (self.now() - DateTime::UNIX_EPOCH).to_std().unwrap_or_default()
    }
}

/// The request as the audit trail shows it.
#[derive(Debug, Clone, Default)]
pub struct RequestInfo {
    /// 32 lower-case hex digits, also sent to the client.
    pub id: String,
    pub method: String,
    pub path: String,
    /// The raw query; secrets in it are masked before it is stored.
    pub query: String,
    pub user_agent: String,
    /// The host the client asked, with its port; empty when it named none.
    pub host: String,
    /// Whether the client came over TLS, as far as we know.
    pub tls: bool,
    /// Whether the client asks for JSON rather than for whatever there is.
    pub accepts_json: bool,
    pub client_ip: Option<std::net::IpAddr>,
    /// Headers, for the operations that show them; credentials are not among them.
    pub shown_headers: Vec<(String, String)>,
}

/// What a caller has shown.
#[derive(Debug, Clone)]
pub enum Credential {
    /// The key of a token.
    Key(Digest),
    /// A bearer token that was found to be ours.
    Bearer(Digest, Arc<Bearer>),
    /// A client's id and secret (HTTP Basic), which nobody has looked at yet.
    Client(String, PlainSecret),
}

/// The context of one request, or of one command.
pub struct Ctx {
    pub app: Arc<App>,
    pub principal: Arc<Principal>,
    /// What the caller has shown, so that he can be looked at again.
    pub credential: Option<Credential>,
    /// The session that the request's cookie names, and the cookie of the answer.
    pub session: Slot,
    /// Read once, in whole microseconds (PostgreSQL keeps no more).
    pub now: DateTime<Utc>,
    /// `None` for commands and jobs.
    pub request: Option<RequestInfo>,
    /// Which of its document's bases the operation was asked for at; empty for commands, jobs and pages.
    pub base: &'static str,
}

impl Ctx {
    #[must_use]
    pub fn new(app: Arc<App>, principal: Arc<Principal>, request: Option<RequestInfo>) -> Self {
        let now = app.clock.now().trunc_subsecs(6);
        Self { app, principal, credential: None, session: Slot::default(), now, request, base: "" }
    }

    /// Starts a transaction for writing. Dropped without [`Tx::commit`] it rolls back.
    ///
    /// # Errors
    /// When the database is away or stays busy.
    pub async fn begin(&self) -> Result<Tx> {
        Tx::begin(Arc::clone(&self.app)).await
    }

    /// Where this server is for whoever asks, without a slash at the end: for addresses that leave it.
    #[must_use]
    pub fn base_url(&self) -> String {
        if let Some(url) = self.app.config.external_url() {
            return url.to_owned();
        }
        let (host, tls) = self.request.as_ref().map_or(("", false), |request| (&*request.host, request.tls));
        let host = if host.is_empty() { "localhost" } else { host };
        format!("{}://{host}", if tls { "https" } else { "http" })
    }

    /// The same request in the server's own name, for what the caller has no permission for by himself and a flow
    /// does for him.
    #[must_use]
    pub fn as_system(&self) -> Self {
        let mut own = Self::new(Arc::clone(&self.app), Arc::new(Principal::System), self.request.clone());
        own.now = self.now;
        own
    }

    /// A random (version 4) UUID.
    #[must_use]
    pub fn uuid(&self) -> Uuid {
        let mut bytes = [0; 16];
        self.app.entropy.fill(&mut bytes);
        uuid::Builder::from_random_bytes(bytes).into_uuid()
    }

    /// A new key of `length` characters in our format.
    #[must_use]
    pub fn secret(&self, length: usize) -> PlainSecret {
        crate::secret::key::generate(&*self.app.entropy, length)
    }
}
