//! The workers, from the server's side: kept warm, given one expression at a time, ended when they
//! overrun, replaced when they are gone.

use super::{
    check::Refused,
    process::Process,
    protocol::{Done, End, Order, Raised, Report, RunOrder},
    syntax,
};
use chrono::{DateTime, Utc};
use monty_types::OOM_EXIT_CODE;
use serde_json::Value;
use std::{
    collections::VecDeque,
    io,
    path::PathBuf,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::{Instant, timeout_at},
};

/// How deep expressions may call each other's policies. Each depth has workers of its own: a run waits
/// only for deeper ones, so none waits in a circle.
pub const DEEPEST: usize = 8;

/// Runs after which a worker is replaced, so that what one leaves behind does not pile up.
const WORN: u32 = 10_000;

/// Most questions of one run.
const QUESTIONS: u32 = 1000;

/// What a worker gets beyond its own limit before it is killed: it ends most runs itself, and lives on.
const GRACE: Duration = Duration::from_millis(250);

/// How expressions are run.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The executable that becomes a worker; our own when there is none.
    pub program: Option<PathBuf>,
    /// Expressions that run at once, at each depth.
    pub workers: usize,
    /// Most memory of an expression, in bytes.
    pub memory: usize,
    /// Longest time of an expression, its questions to the server included.
    pub time: Duration,
}

/// What answers an expression's questions.
pub trait Host: Send {
    /// Answers one; an error is an exception in the expression.
    fn answer<'a>(
        &'a mut self,
        name: &'a str,
        payload: Value,
    ) -> Pin<Box<dyn Future<Output = Result<Value, Raised>> + Send + 'a>>;
}

/// One expression to run. Its input may hold passwords: no `Debug`.
pub struct Run<'r> {
    pub source: &'r str,
    /// What the prelude finds as its input.
    pub input: Value,
    /// What its clock says.
    pub now: DateTime<Utc>,
    /// Whether the value itself is wanted.
    pub wants_value: bool,
    /// Longest time; that of the settings holds too.
    pub limit: Duration,
    /// How many runs wait for this one; see [`DEEPEST`].
    pub depth: usize,
}

/// Why a run has no end of its own.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    #[error("Expression timed out after {0} seconds.")]
    TooLong(u64),
    #[error("Expression used more than {0} MiB of memory.")]
    TooMuch(usize),
    #[error("Policies call each other too deeply.")]
    TooDeep,
    #[error("Expression asked the server too often.")]
    TooOften,
    #[error("Expression returned too much.")]
    TooLarge,
    #[error("Expression ended its interpreter.")]
    Crashed,
    /// Not the expression's fault.
    #[error("Expressions cannot be run at the moment.")]
    Unavailable,
}

/// Why a text was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unchecked {
    Refused(Refused),
    /// Not the text's fault.
    Unavailable,
}

/// The workers.
#[derive(Debug, Clone)]
pub struct Pool(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    settings: Settings,
    /// One for each depth, and one for checking what is about to be stored: slow expressions must not keep
    /// anybody from mending them.
    depths: [Semaphore; DEEPEST + 1],
    /// The one that has waited longest comes next: it has had time to get ready.
    idle: Mutex<VecDeque<Process>>,
}

/// A worker in use, and the right to it.
struct Lease<'p> {
    process: Process,
    /// Whether it has waited, and so may have been ended by somebody else.
    waited: bool,
    _permit: SemaphorePermit<'p>,
}

impl Pool {
    /// A pool that has no worker yet: they start when they are needed, or with [`Pool::warm`].
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let depths = std::array::from_fn(|_| Semaphore::new(settings.workers.max(1)));
        Self(Arc::new(Inner { settings, depths, idle: Mutex::default() }))
    }

    /// Starts the workers that are missing, in the background.
    pub fn warm(&self) {
        let inner = Arc::clone(&self.0);
        tokio::spawn(async move {
            while inner.idle().len() < inner.settings.workers {
                match inner.start().await {
                    Ok(process) => inner.keep(process),
                    Err(error) => {
                        tracing::error!(%error, "a worker for expressions does not start");
                        break;
                    }
                }
            }
        });
    }

    /// Process numbers of the workers that wait.
    #[must_use]
    pub fn idle_workers(&self) -> Vec<u32> {
        self.0.idle().iter().filter_map(Process::id).collect()
    }

    /// Whether a text is a program that can run here.
    ///
    /// # Errors
    /// Why it is not; or that there is no telling.
    pub async fn check(&self, source: &str) -> Result<(), Unchecked> {
        let end = Instant::now() + self.0.settings.time;
        let order = Order::Check { source: source.to_owned() };
        for fresh in [false, true] {
            let mut lease = self.0.lease(DEEPEST, end, fresh).await.map_err(|_| Unchecked::Unavailable)?;
            let talk = async {
                lease.process.send(&order).await?;
                lease.process.receive::<Report>().await
            };
            let answer = timeout_at(end + GRACE, talk).await;
            if let Ok(Ok(Report::Checked(refused))) = answer {
                self.0.give_back(lease.process);
                return refused.map_or(Ok(()), |refused| Err(Unchecked::Refused(refused)));
            }
            self.0.lost(lease.process);
            if answer.is_err() {
                // Nobody's fault but the machine's: parsing takes milliseconds.
                return Err(Unchecked::Unavailable);
            }
        }
        // A text that ends the parser is not one that should be stored.
        Err(Unchecked::Refused(Refused { text: syntax::TOO_DEEP.to_owned(), line: 2 }))
    }

    /// Runs an expression.
    ///
    /// # Errors
    /// [`Failure`] when it has no end of its own.
    pub async fn run(&self, run: Run<'_>, host: &mut dyn Host) -> Result<Done, Failure> {
        let inner = &self.0;
        if run.depth >= DEEPEST {
            return Err(Failure::TooDeep);
        }
        let limit = run.limit.min(inner.settings.time);
        let order = Order::Run(Box::new(RunOrder {
            source: run.source.to_owned(),
            input: run.input,
            now: run.now.timestamp_micros(),
            wants_value: run.wants_value,
            time: u64::try_from(limit.as_millis()).unwrap_or(u64::MAX),
            memory: inner.settings.memory,
        }));
        let mut fresh = false;
        loop {
            let mut lease = inner.lease(run.depth, Instant::now() + limit, fresh).await?;
            let mut questions = 0;
            let begun = Instant::now();
            let end = begun + limit + GRACE;
            let talk = timeout_at(end, converse(&mut lease.process, &order, host, &mut questions)).await;
            let failure = match talk {
                Ok(Ok(Done { end: End::TooLong, .. })) | Err(_) => Failure::TooLong(limit.as_secs()),
                Ok(Ok(Done { end: End::TooMuch, .. })) => inner.too_much(),
                Ok(Ok(done)) => {
                    inner.give_back(lease.process);
                    return Ok(done);
                }
                Ok(Err(error)) => inner.why(&mut lease.process, &error).await,
            };
            // Whatever the worker is in now, no other expression shall be.
            inner.lost(lease.process);
            // One that was ended while it waited had nothing to do with this expression.
            let before = lease.waited && questions == 0 && begun.elapsed() < GRACE;
            if failure != Failure::Crashed || !before {
                return Err(failure);
            }
            fresh = true;
        }
    }
}

/// Sends an order and answers questions until the run is done.
async fn converse(process: &mut Process, order: &Order, host: &mut dyn Host, questions: &mut u32) -> io::Result<Done> {
    process.send(order).await?;
    loop {
        match process.receive::<Report>().await? {
            Report::Done(done) => return Ok(*done),
            Report::Call { .. } if *questions >= QUESTIONS => return Err(io::ErrorKind::QuotaExceeded.into()),
            Report::Call { name, payload } => {
                *questions += 1;
                let answer = host.answer(&name, payload).await;
                process.send(&Order::Answer(answer)).await?;
            }
            Report::Checked(_) => return Err(io::ErrorKind::InvalidData.into()),
        }
    }
}

impl Inner {
    fn idle(&self) -> std::sync::MutexGuard<'_, VecDeque<Process>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A worker, one that waits if there is one. Waits until `end` for the right to it.
    /// `fresh`: no worker that has waited.
    async fn lease(&self, depth: usize, end: Instant, fresh: bool) -> Result<Lease<'_>, Failure> {
        let permit = match timeout_at(end, self.depths[depth].acquire()).await {
            Ok(Ok(permit)) => permit,
            _ => return Err(Failure::Unavailable),
        };
        loop {
            let waiting = if fresh { None } else { self.idle().pop_front() };
            match waiting {
                Some(mut process) => {
                    if process.lives() {
                        return Ok(Lease { process, waited: true, _permit: permit });
                    }
                }
                None => {
                    let process = self.start().await.map_err(|error| {
                        tracing::error!(%error, "a worker for expressions does not start");
                        Failure::Unavailable
                    })?;
                    return Ok(Lease { process, waited: false, _permit: permit });
                }
            }
        }
    }

    /// Starts a worker, away from the threads that serve.
    async fn start(&self) -> io::Result<Process> {
        let program = match &self.settings.program {
            Some(program) => program.clone(),
            None => own_program()?,
        };
        tokio::task::spawn_blocking(move || Process::start(&program)).await.map_err(io::Error::other)?
    }

    /// Lets a worker wait for its next run; surplus ones end.
    fn keep(&self, process: Process) {
        let mut idle = self.idle();
        if idle.len() < self.settings.workers {
            idle.push_back(process);
        }
    }

    /// Why a worker no longer answers.
    async fn why(&self, process: &mut Process, error: &io::Error) -> Failure {
        match error.kind() {
            io::ErrorKind::FileTooLarge => return Failure::TooLarge,
            io::ErrorKind::QuotaExceeded => return Failure::TooOften,
            _ => {}
        }
        match timeout_at(Instant::now() + GRACE, process.ended()).await {
            Ok(Some(OOM_EXIT_CODE)) => self.too_much(),
            _ => Failure::Crashed,
        }
    }

    fn too_much(&self) -> Failure {
        Failure::TooMuch(self.settings.memory >> 20)
    }
}

/// Our own executable, the one that runs: the file of that name may be another one by now.
#[cfg(target_os = "linux")]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere it can fail")]
fn own_program() -> io::Result<PathBuf> {
    Ok(PathBuf::from("/proc/self/exe"))
}

#[cfg(not(target_os = "linux"))]
fn own_program() -> io::Result<PathBuf> {
    std::env::current_exe()
}

/// What happens to a worker after its run.
trait Afterwards {
    fn give_back(&self, process: Process);
    fn lost(&self, process: Process);
}

impl Afterwards for Arc<Inner> {
    fn give_back(&self, mut process: Process) {
        process.uses += 1;
        if process.uses < WORN {
            self.keep(process);
        } else {
            self.lost(process);
        }
    }

    /// Ends a worker and starts another in its place.
    fn lost(&self, process: Process) {
        drop(process);
        let inner = Self::clone(self);
        tokio::spawn(async move {
            match inner.start().await {
                Ok(process) => inner.keep(process),
                Err(error) => tracing::error!(%error, "a worker for expressions does not start"),
            }
        });
    }
}
