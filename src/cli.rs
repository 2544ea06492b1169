//! The command line: `serve` and what an operator does beside it. Commands act on the database
//! directly, as the system itself; a running server notices within a second.

mod arguments;
mod manage;
mod pat;

use crate::{
    access::Principal,
    audit::{self, Action, Event, chain},
    bootstrap::{self, FirstStart, StartError},
    config::{Config, FILE},
    ctx::{Ctx, SystemClock, SystemEntropy},
    mail,
    migration::{self, State},
    resource::keypairs::{self, service::Former},
    secret::keyring::hex,
    server, telemetry,
};
use clap::{Parser, Subcommand};
use std::{io::Write as _, process::ExitCode, sync::Arc};
use tessera_api::openapi;

/// Issues, checks, rotates, expires, revokes and audits credentials.
#[derive(Debug, Parser)]
#[command(name = "tessera", version, about, propagate_version = true)]
#[command(
    after_help = "Settings: tessera.toml in the working directory, then TESSERA_* in the environment; see the README."
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server (what happens without a command)
    Serve,
    /// Bring the database up to date and exit
    Migrate,
    /// Make, list and revoke tokens
    #[command(subcommand)]
    Token(manage::Token),
    /// Make, list and revoke personal access tokens
    #[command(subcommand)]
    Pat(pat::Pat),
    /// Sign bearer tokens with a new key from now on; those that the old one signed go on until they end
    RotateKey {
        /// Those that the old one signed end at once, too: somebody may have had the key
        #[arg(long)]
        drop_former: bool,
    },
    /// Make accounts and set their passwords
    #[command(subcommand)]
    User(manage::User),
    /// Grant a permission to an account or a role, or take it away
    Grant(manage::Grant),
    /// Check the audit trail
    #[command(subcommand)]
    Audit(Audit),
    /// Rotate and remove now what has ended, instead of waiting for the server to do it
    Sweep,
    /// Print the bundled OpenAPI document
    Openapi {
        /// Which document
        #[arg(value_parser = clap::builder::PossibleValuesParser::new(openapi::NAMES), default_value = "v3")]
        document: String,
        /// As JSON instead of YAML
        #[arg(long)]
        json: bool,
    },
    /// Ask a running server whether it is ready; exits 1 if it is not
    Healthcheck,
    /// Check configuration and database, and say what is wrong
    Doctor,
    /// Run expressions for a server, which starts this itself
    #[command(hide = true)]
    ExpressionWorker,
}

#[derive(Debug, Subcommand)]
enum Audit {
    /// Compare every event with the chain; exits 1 when one was changed, removed or added from outside
    Verify {
        /// A head that an earlier run printed: the chain must still lead through it
        #[arg(long, value_name = "NUMBER:HASH")]
        head: Option<String>,
    },
    /// Take the trail as it is now for the truth, after looking at what `verify` found; that is an event
    Accept,
}

/// Why a command failed; shown as one sentence.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("the configuration is wrong: {0}")]
    Config(#[from] config::ConfigError),
    #[error("the log filter is wrong: {0}")]
    Log(#[from] tracing_subscriber::filter::ParseError),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error("{0}")]
    Said(String),
    #[error("{0}")]
    Io(#[from] std::io::Error),
}

impl From<crate::error::Error> for Failure {
    fn from(error: crate::error::Error) -> Self {
        Self::Said(manage::explain(&error))
    }
}

/// Runs the command that the arguments name.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    // Before anything that a worker must not have: settings, a log, threads.
    if let Some(Command::ExpressionWorker) = cli.command {
        return crate::expression::worker::main();
    }
    let outcome = tokio::runtime::Runtime::new()
        .map_err(Failure::from)
        .and_then(|runtime| runtime.block_on(run(cli.command.unwrap_or(Command::Serve))));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let _ = writeln!(std::io::stderr(), "tessera: {failure}");
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> Result<(), Failure> {
    if let Command::Openapi { document, json } = command {
        let text = openapi::document(&document, json).unwrap_or_default();
        return Ok(std::io::stdout().write_all(text.as_bytes())?);
    }
    let config = Config::load()?;
    telemetry::init(&config)?;
    match command {
        Command::Serve => serve(config).await,
        Command::Migrate => migrate(&config).await,
        Command::Token(command) => manage::token(config, command).await,
        Command::Pat(command) => pat::pat(config, command).await,
        Command::RotateKey { drop_former } => rotate_key(config, drop_former).await,
        Command::User(command) => manage::user(config, command).await,
        Command::Grant(command) => manage::grant(config, command).await,
        Command::Audit(Audit::Verify { head }) => verify(config, head.as_deref()).await,
        Command::Audit(Audit::Accept) => accept(config).await,
        Command::Sweep => sweep(config).await,
        Command::Healthcheck => healthcheck(&config).await,
        Command::Doctor => doctor(&config).await,
        Command::Openapi { .. } | Command::ExpressionWorker => Ok(()),
    }
}

fn say(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout();
    writeln!(out, "{text}")?;
    Ok(out.flush()?)
}

async fn serve(config: Config) -> Result<(), Failure> {
    // Before anything listens, so that no signal is lost.
    let stopped = signals()?;
    let running = server::start(config, Arc::new(SystemClock), Arc::new(SystemEntropy)).await?;
    // In the background: the first expression shall not wait for its worker.
    running.app.expressions.warm();
    say(&format!("address   http://{}", running.api))?;
    introduce(running.first.as_ref())?;
    if running.first.is_some() {
        say(&format!("browser   http://{}{}", running.api, crate::web::BROWSER))?;
    }
    stopped.await;
    tracing::info!("stopping: requests in flight may finish");
    running.stop().await;
    Ok(())
}

/// Shows what the first start made; its secrets are shown this once.
fn introduce(first: Option<&FirstStart>) -> Result<(), Failure> {
    let Some(first) = first else { return Ok(()) };
    let shown = |secret: &Option<crate::secret::PlainSecret>, variable: &str| match secret {
        Some(secret) => secret.reveal().to_owned(),
        None => format!("(as set by {variable})"),
    };
    say(&format!("user      {}", first.username))?;
    say(&format!("password  {}", shown(&first.password, "TESSERA_BOOTSTRAP_PASSWORD")))?;
    say(&format!("token     {}", shown(&first.token, "TESSERA_BOOTSTRAP_TOKEN")))?;
    say("Password and token are shown this once.")
}

/// Resolves at Ctrl-C or SIGTERM.
fn signals() -> std::io::Result<impl Future<Output = ()>> {
    #[cfg(unix)]
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    #[cfg(unix)]
    let mut interrupt = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt())?;
    Ok(async move {
        #[cfg(unix)]
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        #[cfg(not(unix))]
        let _ = tokio::signal::ctrl_c().await;
    })
}

async fn migrate(config: &Config) -> Result<(), Failure> {
    let db = bootstrap::database(config).await?;
    migration::migrate(db.write()).await?;
    db.close().await;
    say("the database is up to date")
}

async fn verify(config: Config, expected: Option<&str>) -> Result<(), Failure> {
    let app = bootstrap::existing(config, Arc::new(SystemClock), Arc::new(SystemEntropy)).await?;
    let (db, keyring) = (app.db.read(), &app.keyring);
    let report = chain::verify::verify(db, keyring).await?;
    let (number, hash) = &report.head;
    say(&format!("events    {}", report.events))?;
    say(&format!("head      {number}:{}", hex(hash)))?;
    for finding in &report.findings {
        say(&format!("finding   {finding}"))?;
    }
    if let Some(expected) = expected {
        match chain::verify::passes(db, expected).await? {
            Some(true) => say("earlier   the chain leads through that head")?,
            Some(false) => return Err(Failure::Said("the chain does not lead through the earlier head".into())),
            None => say("earlier   the links around that head were dropped with the events they were of")?,
        }
    }
    app.db.clone().close().await;
    match report.findings.len() {
        0 => say("the audit trail is as the server wrote it"),
        chain::verify::MOST_FINDINGS.. => {
            Err(Failure::Said("the audit trail was changed from outside, in many places".into()))
        }
        some => Err(Failure::Said(format!("the audit trail was changed from outside: {some} finding(s)"))),
    }
}

async fn accept(config: Config) -> Result<(), Failure> {
    let app = bootstrap::existing(config, Arc::new(SystemClock), Arc::new(SystemEntropy)).await?;
    let ctx = Ctx::new(app, Arc::new(Principal::System), None);
    let findings = chain::verify::verify(ctx.app.db.read(), &ctx.app.keyring).await?.findings;
    let tx = ctx.begin().await?;
    chain::accept(tx.conn(), &ctx.app.keyring).await?;
    let said: Vec<String> = findings.iter().map(ToString::to_string).collect();
    let event = Event::plain(Action::SystemTaskExecution, "authentik.events.tasks");
    let event = event.saying("The audit trail was accepted as it is.").with("findings", said.into());
    audit::record(&tx, &ctx, event);
    tx.commit().await?;
    say(&format!("accepted, with {} finding(s)", findings.len()))
}

async fn rotate_key(config: Config, drop_former: bool) -> Result<(), Failure> {
    let ctx = manage::context(config).await?;
    let former = if drop_former { Former::Dropped } else { Former::Kept };
    let kid = keypairs::service::rotate(&ctx, former).await?;
    say(&format!("new key   {kid}"))?;
    say(if drop_former {
        "former    dropped, and what they signed has ended"
    } else {
        "former    what it signed goes on until it ends"
    })
}

async fn sweep(config: Config) -> Result<(), Failure> {
    let ctx = manage::context(config).await?;
    let swept = crate::jobs::sweep::once(&ctx.app).await?;
    say(&format!("rotated   {}", swept.rotated))?;
    say(&format!("deleted   {}", swept.deleted))?;
    say(&format!("events    {} had ended, {} were of deleted accounts", swept.pruned, swept.erased))
}

/// Asks over HTTP, as a load balancer would, without an HTTP client in the program.
async fn healthcheck(config: &Config) -> Result<(), Failure> {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let ask = async {
        let mut stream = tokio::net::TcpStream::connect(config.listen).await?;
        stream.write_all(b"GET /-/health/ready/ HTTP/1.0\r\nHost: localhost\r\n\r\n").await?;
        let mut head = [0; 12];
        stream.read_exact(&mut head).await?;
        Ok::<_, std::io::Error>(head.ends_with(b"200"))
    };
    match tokio::time::timeout(std::time::Duration::from_secs(5), ask).await {
        Ok(Ok(true)) => say("ready"),
        Ok(Ok(false)) => Err(Failure::Said("not ready".into())),
        Ok(Err(error)) => Err(Failure::Said(format!("no server at {}: {error}", config.listen))),
        Err(_) => Err(Failure::Said(format!("the server at {} does not answer", config.listen))),
    }
}

async fn doctor(config: &Config) -> Result<(), Failure> {
    let configured = mail::Mailer::new(config).map_err(StartError::from)?.is_configured();
    say(&format!("configuration  fine ({FILE} and TESSERA_*)"))?;
    bootstrap::check_key_place(config)?;
    say(if configured { "e-mail         configured" } else { "e-mail         not configured" })?;
    // Opening the database would make it, and whoever only asks wants nothing made.
    if let Some(file) = bootstrap::database_file(config).filter(|file| !file.exists()) {
        return say(&format!("database       {} is missing; the first start makes it", file.display()));
    }
    let db = bootstrap::database(config).await?;
    say("database       answers")?;
    match migration::state(db.read()).await? {
        State::Current => say("schema         current")?,
        State::Behind(steps) => {
            say(&format!("schema         {steps} step(s) behind; `tessera migrate` or the next start applies them"))?;
        }
        State::Newer => return Err(Failure::Said("the schema is from a newer version of Tessera".into())),
    }
    let installed = match migration::has_installation(db.read()).await? {
        true => crate::installation::find(db.read()).await?,
        false => None,
    };
    match installed {
        None => say("master key     not needed yet; the first start makes it")?,
        Some(installed) => {
            let keyring = bootstrap::keyring(config, &SystemEntropy, true)?;
            if keyring.fingerprint() != installed.key_fingerprint {
                return Err(StartError::OtherKey.into());
            }
            say("master key     belongs to this database")?;
        }
    }
    db.close().await;
    Ok(())
}
