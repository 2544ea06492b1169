//! The server's parts, assembled once. The generated traits are implemented on [`App`] by
//! `resource/*/api.rs`; this module only holds what they share.

use crate::{
    access::Principal,
    config::Config,
    ctx::{Clock, Entropy},
    db::Database,
    error::Result,
    expression,
    flow::Attempts,
    mail::Mailer,
    metrics::Metrics,
    policy::{memory::Memory, password::hibp::Hibp},
    protocol::Client,
    rate::{self, Rate},
    resource::{pats, sessions, settings::Settings, tokens::usage::Noted},
    secret::{Digest, Keyring, hashing::Hashing, jwt::KeyRing},
};
use std::{
    collections::HashSet,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};
use uuid::Uuid;

/// Most principals, and most clients, that are remembered at once.
const PRINCIPALS: usize = 10_000;

/// How often what is remembered was thrown away; see [`crate::db`].
#[derive(Debug, Default)]
pub struct Generation(AtomicU64);

impl Generation {
    /// Read this *before* reading the database: what was read then is good for this generation only.
    #[must_use]
    pub fn current(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    /// Everything remembered so far is void.
    pub fn advance(&self) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }
}

/// One fact about the whole database, remembered for a generation.
#[derive(Debug)]
pub struct Remembered<T>(RwLock<Option<(u64, Arc<T>)>>);

impl<T> Default for Remembered<T> {
    fn default() -> Self {
        Self(RwLock::new(None))
    }
}

impl<T> Remembered<T> {
    /// The fact, from memory or from `load`.
    ///
    /// # Errors
    /// Those of `load`.
    pub async fn get(&self, generation: &Generation, load: impl Future<Output = Result<T>>) -> Result<Arc<T>> {
        let now = generation.current();
        if let Some((then, fact)) = &*self.0.read().unwrap_or_else(PoisonError::into_inner)
            && *then == now
        {
            return Ok(Arc::clone(fact));
        }
        let fact = Arc::new(load.await?);
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some((now, Arc::clone(&fact)));
        Ok(fact)
    }
}

/// What an account on the wire depends on beside its row. Asked for before a write: afterwards a failure
/// could no longer be answered truly.
#[derive(Debug, Clone)]
pub struct Shown {
    /// Groups whose members are superusers.
    pub superuser_groups: Arc<HashSet<Uuid>>,
    pub settings: Arc<Settings>,
}

/// The assembled server.
pub struct App {
    pub config: Config,
    pub db: Database,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    pub keyring: Keyring,
    /// Constant of the installation; `uid` of accounts depends on it.
    pub install_id: String,
    pub generation: Generation,
    /// Principals by the digest of their key, each with the generation it was read in.
    pub principals: quick_cache::sync::Cache<Digest, (u64, Arc<Principal>)>,
    /// Clients by the digest of their secret, each with the generation it was read in.
    pub clients: quick_cache::sync::Cache<Digest, (u64, Arc<Client>)>,
    pub metrics: Metrics,
    /// Use of tokens that is not written yet.
    pub usage: Noted,
    /// Use of sessions that is not written yet.
    pub session_usage: sessions::usage::Noted,
    /// Use of personal access tokens that is not written yet.
    pub trades: pats::usage::Noted,
    /// How many requests a client may make.
    pub rate: Arc<dyn Rate>,
    /// Asks the sweep to run before its time.
    pub sweep: tokio::sync::Notify,
    /// What policies have said lately.
    pub decisions: Memory,
    /// Who knows which passwords are known; `None` when nobody is to be asked.
    pub breaches: Option<Hibp>,
    /// Passwords that wait to be looked at.
    pub attempts: Attempts,
    /// Hashes passwords.
    pub hashing: Hashing,
    /// Sends e-mail.
    pub mail: Mailer,
    /// Runs expressions.
    pub expressions: expression::Pool,
    settings: Remembered<Settings>,
    keys: Remembered<KeyRing>,
    superuser_groups: Remembered<HashSet<Uuid>>,
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App").field("config", &self.config).finish_non_exhaustive()
    }
}

impl App {
    #[must_use]
    pub fn new(
        config: Config,
        db: Database,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        keyring: Keyring,
        install_id: String,
    ) -> Self {
        let expressions = expression::Pool::new(expression::Settings {
            program: config.expression_program.clone(),
            workers: config.expression_workers,
            memory: config.expression_memory << 20,
            time: std::time::Duration::from_secs(config.expression_timeout),
        });
        let rate = rate::of(&config, Arc::clone(&clock));
        Self {
            config,
            db,
            clock,
            rate,
            entropy,
            keyring,
            install_id,
            generation: Generation::default(),
            principals: quick_cache::sync::Cache::new(PRINCIPALS),
            clients: quick_cache::sync::Cache::new(PRINCIPALS),
            metrics: Metrics::default(),
            usage: Noted::default(),
            session_usage: sessions::usage::Noted::default(),
            trades: pats::usage::Noted::default(),
            sweep: tokio::sync::Notify::new(),
            decisions: Memory::default(),
            breaches: None,
            attempts: Attempts::default(),
            hashing: Hashing::default(),
            mail: Mailer::default(),
            expressions,
            settings: Remembered::default(),
            keys: Remembered::default(),
            superuser_groups: Remembered::default(),
        }
    }

    /// The settings that administrators change at run time.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn settings(&self) -> Result<Arc<Settings>> {
        self.settings.get(&self.generation, crate::resource::settings::load(self.db.read())).await
    }

    /// The keys that sign bearer tokens.
    ///
    /// # Errors
    /// When the database is away, or a key was sealed under another master key.
    pub async fn keys(&self) -> Result<Arc<KeyRing>> {
        let load = crate::resource::keypairs::service::ring(self.db.read(), &self.keyring);
        self.keys.get(&self.generation, load).await
    }

    /// What is needed to show accounts.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn shown(&self) -> Result<Shown> {
        Ok(Shown { superuser_groups: self.superuser_groups().await?, settings: self.settings().await? })
    }

    /// Groups whose members are superusers: those with the flag, and all below them.
    ///
    /// # Errors
    /// When the database is away.
    async fn superuser_groups(&self) -> Result<Arc<HashSet<Uuid>>> {
        self.superuser_groups
            .get(&self.generation, crate::resource::groups::hierarchy::superuser_groups(self.db.read()))
            .await
    }
}
