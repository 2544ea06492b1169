//! The database: how it is opened, and transactions that leave no stale knowledge behind.
//!
//! SQLite: write-ahead log, every commit on disk before it is acknowledged (`synchronous=FULL`), one
//! connection that writes and several that read. PostgreSQL: one pool for both.
//!
//! What the process remembers of the database (principals, settings, superuser groups) is good for
//! one *generation*. A transaction that changes such facts calls [`Tx::touch`]: it raises the epoch
//! in the database, and after the commit starts a new generation here, before the caller gets its
//! answer. Other processes see the epoch within [`WATCH_INTERVAL`] (`jobs::watch`).

use crate::{
    app::App,
    audit::chain::{self, Change},
    error::{Error, Result},
    resource::settings::Settings,
};
use sea_orm::{
    ConnectOptions, ConnectionTrait, DatabaseBackend, DatabaseConnection, DatabaseTransaction, DbErr,
    SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait as _,
    sqlx::{
        self, Connection as _, SqliteConnection,
        sqlite::{SqliteJournalMode, SqliteSynchronous},
    },
};
use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// How often a process asks whether another one has changed what it remembers.
pub const WATCH_INTERVAL: Duration = Duration::from_millis(500);

/// Longest wait for a connection, and for a lock that another process holds.
const PATIENCE: Duration = Duration::from_secs(5);

/// A database address that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("the database address must begin with `sqlite:` or `postgres:`")]
    UnknownScheme,
    #[error("the database cannot be opened: {0}")]
    Connect(#[from] DbErr),
}

/// Connections to one database.
#[derive(Debug, Clone)]
pub struct Database {
    reader: DatabaseConnection,
    writer: DatabaseConnection,
}

impl Database {
    /// Opens a database; an SQLite file is made when it is missing.
    ///
    /// # Errors
    /// [`OpenError`] when the address is of no known kind or nothing answers there.
    pub async fn open(url: &str, readers: u32) -> Result<Self, OpenError> {
        if url.starts_with("sqlite:") {
            let writer = sea_orm::Database::connect(sqlite_options(url, 1)).await?;
            let reader = sea_orm::Database::connect(sqlite_options(url, readers)).await?;
            Ok(Self { reader, writer })
        } else if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            let mut options = common_options(url, readers.max(2) * 2);
            options.test_before_acquire_if_idle_for(Duration::from_secs(10)).set_application_name("tessera");
            let pool = sea_orm::Database::connect(options).await?;
            Ok(Self { reader: pool.clone(), writer: pool })
        } else {
            Err(OpenError::UnknownScheme)
        }
    }

    /// For reading.
    #[must_use]
    pub fn read(&self) -> &DatabaseConnection {
        &self.reader
    }

    /// For migrations and maintenance; everything else writes through [`Tx`].
    #[must_use]
    pub fn write(&self) -> &DatabaseConnection {
        &self.writer
    }

    #[must_use]
    pub fn backend(&self) -> DatabaseBackend {
        self.reader.get_database_backend()
    }

    /// The epoch: a number that grows whenever a transaction called [`Tx::touch`].
    ///
    /// # Errors
    /// When the database is away.
    pub async fn epoch(&self) -> Result<i64> {
        let statement = Statement::from_string(self.backend(), "SELECT value FROM epoch");
        let row = self.reader.query_one_raw(statement).await?;
        row.ok_or_else(|| Error::internal("the table `epoch` is empty"))?.try_get("", "value").map_err(Error::from)
    }

    /// Closes every connection; on SQLite the log is folded into the file.
    pub async fn close(self) {
        let _ = self.reader.close().await;
        let _ = self.writer.close().await;
    }
}

fn common_options(url: &str, connections: u32) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(connections)
        .min_connections(1)
        .connect_timeout(PATIENCE)
        .acquire_timeout(PATIENCE)
        .idle_timeout(None::<Duration>)
        .max_lifetime(None::<Duration>)
        .test_before_acquire(false)
        .sqlx_logging(false);
    options
}

fn sqlite_options(url: &str, connections: u32) -> ConnectOptions {
    let mut options = common_options(url, connections);
    options.map_sqlx_sqlite_opts(|sqlite| {
        sqlite
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(PATIENCE)
            .statement_cache_capacity(256)
    });
    options.map_sqlx_sqlite_before_acquire(|connection, _| Box::pin(is_clean(connection)));
    options
}

/// Whether a connection is between transactions; the pool replaces one that is not.
///
/// When SQLite ends a transaction by itself (disk full, I/O error), the rollback that follows fails and
/// the driver goes on counting a transaction that is not there. The next one would become a savepoint
/// inside nothing, or inside one that never commits: it would be acknowledged and lost.
async fn is_clean(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    if !connection.is_in_transaction() {
        return Ok(true);
    }
    // A rollback may still be in the connection's queue; the ping comes after it.
    connection.ping().await?;
    Ok(!connection.is_in_transaction())
}

/// Most values in one `IN (…)` or one `INSERT`; SQLite takes 32,766 in a statement.
pub const MANY: usize = 1000;

/// The `sqlite:` address of a file.
#[must_use]
pub fn sqlite_url(file: &Path) -> String {
    format!("sqlite:{}", file.display())
}

/// Takes the lock of [`Tx::exclusive`].
///
/// # Errors
/// When the database is away.
pub async fn exclusive(tx: &DatabaseTransaction) -> Result<()> {
    // SQLite has one writer at a time anyway. The lock belongs to no row; its number is arbitrary.
    if tx.get_database_backend() == DatabaseBackend::Postgres {
        tx.execute_unprepared("SELECT pg_advisory_xact_lock(8377337)").await?;
    }
    Ok(())
}

/// A transaction for writing. Dropped without [`Tx::commit`] it rolls back.
pub struct Tx {
    app: Arc<App>,
    inner: DatabaseTransaction,
    settings: Arc<Settings>,
    touched: bool,
    events: Mutex<Vec<Change>>,
}

impl Tx {
    /// # Errors
    /// When the database is away or stays busy.
    pub async fn begin(app: Arc<App>) -> Result<Self> {
        // Before the transaction: who holds one connection and waits for another may wait for himself.
        let settings = app.settings().await?;
        Self::begin_with(app, settings).await
    }

    /// As [`Tx::begin`], with settings that are not in the database yet.
    ///
    /// # Errors
    /// As [`Tx::begin`].
    pub async fn begin_with(app: Arc<App>, settings: Arc<Settings>) -> Result<Self> {
        let options = TransactionOptions {
            // Taking the lock first means no statement can fail half-way because somebody else wrote.
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        let inner = app.db.write().begin_with_options(options).await?;
        Ok(Self { app, inner, settings, touched: false, events: Mutex::default() })
    }

    /// The settings as they were when the transaction began.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The connection to run statements on.
    #[must_use]
    pub fn conn(&self) -> &DatabaseTransaction {
        &self.inner
    }

    /// Waits until no other transaction that asked the same is open. Ask before taking locks on rows:
    /// two that hold what the other one waits for never end.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn exclusive(&self) -> Result<()> {
        exclusive(&self.inner).await
    }

    /// Says that what processes remember (keys, accounts, groups, roles, grants, settings) changes.
    pub fn touch(&mut self) {
        self.touched = true;
    }

    /// Adds a change of the table of events; see [`crate::audit`].
    pub fn change_events(&self, change: Change) {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).push(change);
    }

    /// # Errors
    /// When the database is away or full; nothing is written then.
    pub async fn commit(self) -> Result<()> {
        // Everybody waits for these two rows, so they come last, and always in this order.
        if self.touched {
            self.inner.execute_unprepared("UPDATE epoch SET value = value + 1").await?;
        }
        let events = self.events.into_inner().unwrap_or_else(PoisonError::into_inner);
        chain::append(&self.inner, &self.app.keyring, events).await?;
        let committed = self.inner.commit().await;
        if self.touched {
            // Also after a failure: whether it was written is then unknown.
            self.app.generation.advance();
        }
        Ok(committed?)
    }
}
