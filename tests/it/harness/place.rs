//! Where a server keeps its data: a folder with an SQLite file, or a PostgreSQL database.
//!
//! The first start on empty data costs a password hash and the migrations, so it happens once; each
//! test gets a copy.

use super::{Backend, Server, server};
use sea_orm::ConnectionTrait as _;
use std::{
    path::Path,
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
};
use tempfile::TempDir;
use tessera::config::Config;

/// The PostgreSQL server that `TESSERA_TEST_POSTGRES` names.
#[expect(clippy::disallowed_methods, reason = "a setting of the tests, not of the server")]
pub fn postgres_url() -> Option<&'static str> {
    static URL: OnceLock<Option<String>> = OnceLock::new();
    URL.get_or_init(|| std::env::var("TESSERA_TEST_POSTGRES").ok().filter(|url| !url.is_empty())).as_deref()
}

/// The address of a database on the server of the tests.
fn database_url(name: &str) -> String {
    let url = postgres_url().expect("TESSERA_TEST_POSTGRES is set");
    let (address, query) = url.split_once('?').map_or((url, String::new()), |(a, q)| (a, format!("?{q}")));
    let (scheme, rest) = address.split_once("://").expect("TESSERA_TEST_POSTGRES is postgres://…");
    let host = rest.split_once('/').map_or(rest, |(host, _)| host);
    format!("{scheme}://{host}/{name}{query}")
}

/// How databases of this run begin.
fn database_prefix() -> String {
    format!("tessera_it_{}_", std::process::id())
}

/// Runs statements on the server of the tests, outside its databases.
async fn administer(statements: &[String]) {
    let db = sea_orm::Database::connect(postgres_url().expect("a server")).await.expect("PostgreSQL answers");
    for statement in statements {
        db.execute_unprepared(statement).await.unwrap_or_else(|e| panic!("{statement}: {e}"));
    }
    db.close().await.expect("closes");
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("the folder is made");
    for entry in std::fs::read_dir(from).expect("the template can be read") {
        let entry = entry.expect("an entry");
        std::fs::copy(entry.path(), to.join(entry.file_name())).expect("the file is copied");
    }
}

static SQLITE: Mutex<Option<TempDir>> = Mutex::new(None);
static POSTGRES: Mutex<Option<String>> = Mutex::new(None);

/// Starts and stops a server on empty data, on a thread that may wait.
fn bootstrap(place: Place) -> Place {
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        // Other random values than the tests draw, so that nothing is drawn twice.
        runtime.block_on(async { place.start_seeded(7).await.expect("the first start").stop().await })
    })
    .join()
    .expect("the template is made")
}

fn sqlite_template(into: &Path) {
    let mut template = SQLITE.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = template.get_or_insert_with(|| bootstrap(Place::folder(Backend::Sqlite)).folder);
    copy_folder(&folder.path().join("data"), into);
}

fn postgres_template() -> String {
    let mut template = POSTGRES.lock().unwrap_or_else(PoisonError::into_inner);
    let make = || {
        let mut place = Place::folder(Backend::Postgres);
        place.database = Some(format!("{}template", database_prefix()));
        bootstrap(place).database.expect("a database")
    };
    if template.is_none() {
        let name = format!("{}template", database_prefix());
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(administer(&[format!("CREATE DATABASE {name}")]));
        })
        .join()
        .expect("the database is made");
    }
    template.get_or_insert_with(make).clone()
}

/// Where a server keeps its data.
pub struct Place {
    backend: Backend,
    folder: TempDir,
    /// Name of the PostgreSQL database.
    database: Option<String>,
}

impl Place {
    fn folder(backend: Backend) -> Self {
        Self { backend, folder: TempDir::new().expect("a temporary folder"), database: None }
    }

    /// A place that a first start has been at.
    pub async fn prepared(backend: Backend) -> Self {
        let mut place = Self::folder(backend);
        match backend {
            Backend::Sqlite => sqlite_template(&place.folder.path().join("data")),
            Backend::Postgres => {
                let template = tokio::task::spawn_blocking(postgres_template).await.expect("a template");
                place.create_database(&format!(" TEMPLATE {template}")).await;
            }
        }
        place
    }

    /// A place that no server has been at.
    pub async fn empty(backend: Backend) -> Self {
        let mut place = Self::folder(backend);
        if backend == Backend::Postgres {
            place.create_database("").await;
        }
        place
    }

    async fn create_database(&mut self, from: &str) {
        static COUNTER: AtomicU32 = AtomicU32::new(0);
        let name = format!("{}{}", database_prefix(), COUNTER.fetch_add(1, Ordering::Relaxed));
        administer(&[format!("CREATE DATABASE {name}{from}")]).await;
        self.database = Some(name);
    }

    /// The settings of a server at this place.
    pub fn config(&self) -> Config {
        Config {
            // The tests are another executable, which is no worker.
            expression_program: Some(env!("CARGO_BIN_EXE_tessera").into()),
            listen: ([127, 0, 0, 1], 0).into(),
            management_listen: ([127, 0, 0, 1], 0).into(),
            data_dir: self.folder.path().join("data"),
            database_url: self.database.as_deref().map(database_url),
            secret_key: Some(server::SECRET_KEY.to_owned()),
            secret_key_file: self.folder.path().join("tessera.key"),
            bootstrap_password: Some(server::BOOTSTRAP_PASSWORD.to_owned()),
            bootstrap_token: Some(server::BOOTSTRAP_TOKEN.to_owned()),
            // Tests call faster than people.
            anonymous_rate: 1_000_000,
            // Tests move the clock; those of the sweep call it.
            sweep_interval: 0,
            ..Config::default()
        }
    }

    pub fn backend(&self) -> Backend {
        self.backend
    }

    /// Starts a server here.
    pub async fn start(self) -> Server {
        self.start_seeded(42).await.expect("the server starts")
    }

    async fn start_seeded(self, seed: u64) -> Result<Server, String> {
        let config = self.config();
        Server::start(self, config, seed).await
    }

    /// Starts a server here with other settings.
    pub async fn start_with(self, change: impl FnOnce(&mut Config)) -> Result<Server, String> {
        let mut config = self.config();
        change(&mut config);
        // Not the values of an earlier start at the same place.
        Server::start(self, config, 43).await
    }

    /// Opens the database from outside, for reading or damaging it.
    pub async fn open(&self) -> sea_orm::DatabaseConnection {
        let url = self.config().database_url();
        sea_orm::Database::connect(url).await.expect("the database opens")
    }

    /// Every byte that an SQLite place has on disk.
    pub fn bytes(&self) -> Vec<u8> {
        let mut all = Vec::new();
        for entry in std::fs::read_dir(self.folder.path().join("data")).expect("the folder") {
            all.extend(std::fs::read(entry.expect("an entry").path()).expect("the file"));
        }
        all
    }

    pub async fn remove(self) {
        if let Some(name) = &self.database {
            administer(&[format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")]).await;
        }
    }
}

/// Removes what the run has left behind, also of tests that failed.
pub fn clean_up() {
    drop(SQLITE.lock().unwrap_or_else(PoisonError::into_inner).take());
    if POSTGRES.lock().unwrap_or_else(PoisonError::into_inner).take().is_none() {
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let db = sea_orm::Database::connect(postgres_url().expect("a server")).await.expect("PostgreSQL answers");
        let query = format!("SELECT datname FROM pg_database WHERE datname LIKE '{}%'", database_prefix());
        let rows = db.query_all_raw(sea_orm::Statement::from_string(sea_orm::DbBackend::Postgres, query)).await;
        for row in rows.expect("databases are listed") {
            let name: String = row.try_get("", "datname").expect("a name");
            db.execute_unprepared(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await.expect("dropped");
        }
    });
}
