//! From settings to an [`App`]: the master key, the database, its schema, and on the very first start
//! the first account, groups and token (contract: authentik-core §1.10).

mod files;

use crate::{
    access::Principal,
    app::App,
    audit,
    config::Config,
    ctx::{Clock, Ctx, Entropy},
    db::{Database, Tx},
    error::Error,
    flow, installation, mail, migration,
    policy::password::hibp::Hibp,
    resource::{
        grants::{self, catalogue, store::Holder},
        groups::service::{self as groups, NewGroup},
        keypairs,
        settings::{self, Settings},
        tokens::{
            Intent,
            service::{self as tokens, Decided},
        },
        users::{
            self,
            service::{self as user_service, NewUser},
        },
    },
    secret::{Keyring, PlainSecret, key, keyring::hex},
};
use sea_orm::{ActiveModelTrait as _, ActiveValue::Set, IntoActiveModel as _, TransactionTrait as _};
use std::{io::ErrorKind, path::PathBuf, sync::Arc, time::Duration};

pub use files::database_file;

/// Why the server cannot start; every text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("the database file {0} or its folder cannot be made: {1}")]
    DatabaseFile(PathBuf, std::io::Error),
    #[error("{0}")]
    Database(#[from] crate::db::OpenError),
    #[error("{0}")]
    Store(String),
    #[error(
        "the master key would lie in the folder of the database ({0}); whoever copies the data must not get the key with it: \
         set TESSERA_SECRET_KEY_FILE to a place elsewhere"
    )]
    KeyBesideData(PathBuf),
    #[error("the master key is empty: bring the right one back, or remove the empty file before the first start")]
    EmptyKey,
    #[error("the master key file {0} cannot be read or made: {1}")]
    KeyFile(PathBuf, std::io::Error),
    #[error(
        "the database is sealed under a master key, and {0} is missing: bring that file back, or set TESSERA_SECRET_KEY"
    )]
    KeyMissing(PathBuf),
    #[error(
        "the database is sealed under another master key: set TESSERA_SECRET_KEY or TESSERA_SECRET_KEY_FILE to its own"
    )]
    OtherKey,
    #[error("TESSERA_HIBP_URL cannot be used: {0}")]
    BadHibpUrl(#[from] crate::outbound::BadEndpoint),
    #[error("{0}")]
    BadMail(#[from] mail::BadSettings),
    #[error(
        "TESSERA_BOOTSTRAP_TOKEN looks like a generated key with a wrong checksum: copy it again, or take another text"
    )]
    BadBootstrapToken,
}

impl From<Error> for StartError {
    fn from(error: Error) -> Self {
        let mut text = match &error {
            Error::Refused(text) => text.clone(),
            other => other.to_string(),
        };
        let mut next = std::error::Error::source(&error);
        while let Some(source) = next {
            text = format!("{text}: {source}");
            next = source.source();
        }
        Self::Store(text)
    }
}

/// What was made on the first start; shown once.
#[derive(Debug)]
pub struct FirstStart {
    pub username: &'static str,
    /// `None` when the operator chose it.
    pub password: Option<PlainSecret>,
    /// `None` when the operator chose it.
    pub token: Option<PlainSecret>,
}

/// The name of the first account.
pub const ADMIN: &str = "akadmin";

/// Opens everything; migrates; makes the first objects if there are none.
///
/// # Errors
/// [`StartError`].
pub async fn open(
    config: Config,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
) -> Result<(Arc<App>, Option<FirstStart>), StartError> {
    let db = database(&config).await?;
    let opened = assemble(config, db.clone(), clock, entropy).await;
    if opened.is_err() {
        // SQLite removes its log when the last connection closes, by name: left to itself that could hit the
        // log of whoever opens the file next.
        db.close().await;
    }
    opened
}

async fn assemble(
    config: Config,
    db: Database,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
) -> Result<(Arc<App>, Option<FirstStart>), StartError> {
    migration::migrate(db.write()).await?;
    let installed = installation::find(db.read()).await?;
    let keyring = keyring(&config, &*entropy, installed.is_some())?;
    if let Some(installed) = &installed
        && installed.key_fingerprint != keyring.fingerprint()
    {
        return Err(StartError::OtherKey);
    }
    let first = installed.is_none();
    let install_id = match installed {
        Some(installed) => installed.install_id,
        None => {
            let mut bytes = [0; 16];
            entropy.fill(&mut bytes);
            hex(&bytes)
        }
    };
    let mut app = App::new(config, db, clock, entropy, keyring, install_id);
    app.breaches = breaches(&app.config)?;
    app.mail = mail::Mailer::new(&app.config)?;
    let app = Arc::new(app);
    let tx = app.db.write().begin().await.map_err(Error::from)?;
    audit::chain::begin(&tx, &app.keyring, !first).await?;
    tx.commit().await.map_err(Error::from)?;
    let made = if first { Some(install(&app).await?) } else { None };
    if !first {
        // A database of an older version has none of these yet.
        let ctx = Ctx::new(Arc::clone(&app), Arc::new(Principal::System), None);
        let mut tx = ctx.begin().await?;
        keypairs::service::install(&ctx, &mut tx).await?;
        flow::defaults::install(&ctx, &mut tx).await?;
        tx.commit().await?;
    }
    Ok((app, made))
}

/// The server with the lists of known passwords, if one is named.
fn breaches(config: &Config) -> Result<Option<Hibp>, StartError> {
    let Some(address) = &config.hibp_url else { return Ok(None) };
    Ok(Some(Hibp::new(address, Duration::from_secs(config.hibp_timeout), config.hibp_on_failure)?))
}

/// Opens what is there, for looking at it: nothing is made, migrated or begun.
///
/// # Errors
/// [`StartError`]; also when there is no installation, or it is not of this version.
pub async fn existing(
    config: Config,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
) -> Result<Arc<App>, StartError> {
    if let Some(file) = database_file(&config).filter(|file| !file.exists()) {
        return Err(StartError::Store(format!("there is no database at {}", file.display())));
    }
    let db = Database::open(&config.database_url(), config.database_readers).await?;
    if migration::state(db.read()).await? != migration::State::Current {
        return Err(StartError::Store("the database is not of this version: see `tessera doctor`".into()));
    }
    let installed = installation::find(db.read()).await?;
    let installed = installed.ok_or_else(|| StartError::Store("nothing is installed in this database".into()))?;
    let keyring = keyring(&config, &*entropy, true)?;
    if installed.key_fingerprint != keyring.fingerprint() {
        return Err(StartError::OtherKey);
    }
    Ok(Arc::new(App::new(config, db, clock, entropy, keyring, installed.install_id)))
}

/// Opens the database alone, without migrating it.
///
/// # Errors
/// [`StartError`] when the file or its folder cannot be made or nothing answers.
pub async fn database(config: &Config) -> Result<Database, StartError> {
    if let Some(file) = database_file(config) {
        files::make_private(&file).map_err(|e| StartError::DatabaseFile(file, e))?;
    }
    Ok(Database::open(&config.database_url(), config.database_readers).await?)
}

/// The keys derived from the master key; it is made only where no database depends on it yet.
///
/// # Errors
/// [`StartError`] when it is missing, unreadable or in the wrong place.
pub fn keyring(config: &Config, entropy: &dyn Entropy, installed: bool) -> Result<Keyring, StartError> {
    if let Some(key) = &config.secret_key {
        return given_key(key);
    }
    check_key_place(config)?;
    let file = &config.secret_key_file;
    let trouble = |error| StartError::KeyFile(file.clone(), error);
    match std::fs::read_to_string(file) {
        Ok(text) => return given_key(text.trim()),
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(trouble(error)),
        Err(_) if installed => return Err(StartError::KeyMissing(file.clone())),
        Err(_) => {}
    }
    let mut bytes = [0; 32];
    entropy.fill(&mut bytes);
    let key = PlainSecret::new(hex(&bytes));
    match files::write_private(file, key.reveal()) {
        Ok(()) => Ok(Keyring::new(&key)),
        // Somebody else who starts at this moment was faster: theirs is the key.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            given_key(std::fs::read_to_string(file).map_err(trouble)?.trim())
        }
        Err(error) => Err(trouble(error)),
    }
}

/// Whoever copies the data must not get the key with it.
///
/// # Errors
/// [`StartError::KeyBesideData`].
pub fn check_key_place(config: &Config) -> Result<(), StartError> {
    let file = &config.secret_key_file;
    let database = database_file(config);
    let beside = database.as_deref().map(files::folder_of).is_some_and(|folder| files::lies_in(file, folder));
    if config.secret_key.is_none() && (beside || files::lies_in(file, &config.data_dir)) {
        return Err(StartError::KeyBesideData(file.clone()));
    }
    Ok(())
}

/// A key from outside; an empty one would seal nothing.
fn given_key(text: &str) -> Result<Keyring, StartError> {
    if text.trim().is_empty() {
        return Err(StartError::EmptyKey);
    }
    Ok(Keyring::new(&PlainSecret::new(text.to_owned())))
}

async fn install(app: &Arc<App>) -> Result<FirstStart, StartError> {
    let ctx = Ctx::new(Arc::clone(app), Arc::new(Principal::System), None);
    let given = |value: &Option<String>| value.clone().map(PlainSecret::new);
    let (password, token) = (given(&app.config.bootstrap_password), given(&app.config.bootstrap_token));
    if let Some(token) = &token {
        crate::resource::tokens::keys::check_key(token).map_err(|_| StartError::BadBootstrapToken)?;
    }
    let chosen = (password.is_some(), token.is_some());
    let password = password.unwrap_or_else(|| {
        let mut text = String::new();
        key::push_random(&mut text, &*app.entropy, 24);
        PlainSecret::new(text)
    });
    let hash = user_service::hash_password(&ctx, Some(password.clone())).await?;
    // There are no settings to read yet; and all of it is written, or nothing.
    let fresh = settings::defaults();
    let mut tx = Tx::begin_with(Arc::clone(app), Arc::new(Settings::new(&fresh)?)).await?;
    installation::ActiveModel {
        id: Set(1),
        install_id: Set(app.install_id.clone()),
        key_fingerprint: Set(app.keyring.fingerprint().to_owned()),
        created: Set(ctx.now),
        defaults: Set(0),
    }
    .insert(tx.conn())
    .await
    .map_err(Error::from)?;
    fresh.into_active_model().reset_all().insert(tx.conn()).await.map_err(Error::from)?;
    let key = people(&ctx, &mut tx, hash, token).await?;
    flow::defaults::install(&ctx, &mut tx).await?;
    keypairs::service::install(&ctx, &mut tx).await?;
    tx.touch();
    tx.commit().await?;
    Ok(FirstStart {
        username: ADMIN,
        password: Some(password).filter(|_| !chosen.0),
        token: Some(key).filter(|_| !chosen.1),
    })
}

/// The first account in its group, the group that may read everything, and the first token; gives
/// that token's key.
async fn people(
    ctx: &Ctx,
    tx: &mut Tx,
    hash: crate::secret::password::PasswordHash,
    key: Option<PlainSecret>,
) -> Result<PlainSecret, StartError> {
    let admins = NewGroup { name: "authentik Admins".into(), is_superuser: Some(true), ..NewGroup::default() };
    let admins = groups::insert(ctx, tx, admins).await?;
    let role = grants::service::role_named(tx, ctx, "authentik Read-only").await?;
    for view in catalogue::views() {
        grants::service::grant(tx, Holder::Role(role), &view, None).await?;
    }
    let readers = NewGroup { name: "authentik Read-only".into(), roles: vec![role], ..NewGroup::default() };
    groups::insert(ctx, tx, readers).await?;
    let admin = NewUser {
        username: ADMIN.into(),
        name: "authentik Default Admin".into(),
        email: Some(ctx.app.config.bootstrap_email.clone()),
        groups: vec![admins.id],
        ..NewUser::default()
    };
    let admin = user_service::insert(ctx, tx, admin).await?;
    let admin = users::store::set_password(tx.conn(), admin, hash).await?;
    let token = Decided {
        identifier: "authentik-bootstrap-token".into(),
        intent: Intent::Api,
        description: String::new(),
        expires: None,
        expiring: false,
        managed: None,
        key,
    };
    Ok(tokens::write(ctx, tx, &admin, token).await?.1)
}
