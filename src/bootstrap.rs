//! From settings to an [`App`]: the master key, the database, its schema, and on the very first start
//! the first account, groups and token (contract: authentik-core §1.10).

use crate::{
    access::Principal,
    app::App,
    audit,
    config::Config,
    ctx::{Clock, Ctx, Entropy},
    db::{Database, Tx},
    error::Error,
    installation, migration,
    resource::{
        grants::{self, catalogue, store::Holder},
        groups::service::{self as groups, NewGroup},
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
use std::{
    io::Write as _,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Why the server cannot start; every text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("the folder {0} cannot be made: {1}")]
    DataDir(PathBuf, std::io::Error),
    #[error("{0}")]
    Database(#[from] crate::db::OpenError),
    #[error("{0}")]
    Store(String),
    #[error(
        "the master key would lie in the data folder ({0}); whoever copies the data must not get the key with it: \
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
    let app = Arc::new(App::new(config, db, clock, entropy, keyring, install_id));
    let tx = app.db.write().begin().await.map_err(Error::from)?;
    audit::chain::begin(&tx, &app.keyring).await?;
    tx.commit().await.map_err(Error::from)?;
    let made = if first { Some(install(&app).await?) } else { None };
    Ok((app, made))
}

/// Opens the database alone, without migrating it.
///
/// # Errors
/// [`StartError`] when the folder cannot be made or nothing answers.
pub async fn database(config: &Config) -> Result<Database, StartError> {
    if config.database_url.is_none() {
        make_private(&config.data_dir).map_err(|e| StartError::DataDir(config.data_dir.clone(), e))?;
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
    let file = &config.secret_key_file;
    if lies_in(file, &config.data_dir) {
        return Err(StartError::KeyBesideData(file.clone()));
    }
    match std::fs::read_to_string(file) {
        Ok(text) => given_key(text.trim()),
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(StartError::KeyFile(file.clone(), error)),
        Err(_) if installed => Err(StartError::KeyMissing(file.clone())),
        Err(_) => {
            let mut bytes = [0; 32];
            entropy.fill(&mut bytes);
            let key = PlainSecret::new(hex(&bytes));
            write_private(file, key.reveal()).map_err(|e| StartError::KeyFile(file.clone(), e))?;
            Ok(Keyring::new(&key))
        }
    }
}

/// A key from outside; an empty one would seal nothing.
fn given_key(text: &str) -> Result<Keyring, StartError> {
    if text.trim().is_empty() {
        return Err(StartError::EmptyKey);
    }
    Ok(Keyring::new(&PlainSecret::new(text.to_owned())))
}

fn lies_in(file: &Path, folder: &Path) -> bool {
    let folder = std::path::absolute(folder).and_then(|f| f.canonicalize().or(Ok(f)));
    let parent = std::path::absolute(file).map(|f| f.parent().map(Path::to_owned).unwrap_or_default());
    match (parent.map(|p| p.canonicalize().unwrap_or(p)), folder) {
        (Ok(parent), Ok(folder)) => parent.starts_with(folder),
        _ => false,
    }
}

/// Makes the data folder, and in it the database's file, which SQLite's other files take their
/// permissions from: for their owner only.
fn make_private(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)?;
    match private().open(folder.join(crate::config::DATABASE_FILE)) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// How to make a file that only its owner reads.
fn private() -> std::fs::OpenOptions {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// A new file that only its owner reads.
fn write_private(file: &Path, text: &str) -> std::io::Result<()> {
    let mut file = private().open(file)?;
    writeln!(file, "{text}")?;
    file.sync_all()
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
    }
    .insert(tx.conn())
    .await
    .map_err(Error::from)?;
    fresh.into_active_model().reset_all().insert(tx.conn()).await.map_err(Error::from)?;
    let key = people(&ctx, &mut tx, hash, token).await?;
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
