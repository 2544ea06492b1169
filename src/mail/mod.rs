//! Outgoing e-mail: a bounded queue in the process, and a task that hands what is in it to an SMTP server.
//!
//! [`Mailer::send`] only puts a message into the queue, so neither an answer nor the time it takes says
//! whether there is somebody to write to. The task tries up to [`TRIES`] times, then writes one line to the
//! log: the cause, and the `Message-ID` by which the mail server's own log can be searched. It never says
//! what was in the message, to whom it went, or in which words the server refused it, since servers quote
//! the links they dislike, and a link that resets a password is a credential.
//!
//! What is queued lives in memory: it is sent before the server stops if that is possible within
//! `drain_timeout`, and lost when the process is killed. Whoever asked for a mail can ask again.

mod message;
pub mod templates;
#[cfg(test)]
mod tests;
mod transport;

pub use message::Message;
pub use transport::{BadSettings, SmtpSettings};

use crate::{
    config::Config,
    ctx::Ctx,
    error::{Error, Result},
};
use message::{Stamp, compose};
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{mpsc, watch},
    task::{JoinHandle, JoinSet},
    time::{sleep, timeout},
};
use tracing::{debug, warn};
use transport::{Failure, Trust};

/// Most messages that wait to be sent.
const QUEUE: usize = 1_000;
/// Most messages that are being sent at once; one server that does not answer must not stop the others.
const AT_ONCE: usize = 8;
/// How often a message is tried in all.
const TRIES: u32 = 3;
/// The pause after the first try; each one after it is four times as long.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
/// What is said when there is no server to send with.
pub const NOT_CONFIGURED: &str = "E-mail is not configured: set TESSERA_SMTP_HOST and TESSERA_SMTP_FROM.";

/// A message in the queue.
#[derive(Debug)]
struct Queued {
    stamp: Stamp,
    message: Message,
}

/// What the task needs beside the queue.
#[derive(Debug)]
struct Shared {
    smtp: Option<SmtpSettings>,
    /// Our name in a greeting and in a `Message-ID`; without one, that of the sender's address.
    host: Option<String>,
    trust: Trust,
    first_pause: Duration,
    /// Messages that were accepted and are neither sent nor given up.
    open: AtomicUsize,
}

/// Takes messages for sending.
#[derive(Debug)]
pub struct Mailer {
    shared: Arc<Shared>,
    queue: mpsc::Sender<Queued>,
    /// The other end, until the task takes it.
    waiting: Mutex<Option<mpsc::Receiver<Queued>>>,
}

impl Default for Mailer {
    /// Without a server of its own; messages that bring one can be sent.
    fn default() -> Self {
        Self::assembled(None, None, Trust::default(), FIRST_PAUSE)
    }
}

impl Mailer {
    /// Reads the settings whose names begin with `smtp_`, and the file with certificates.
    ///
    /// # Errors
    /// See [`BadSettings`].
    pub fn new(config: &Config) -> Result<Self, BadSettings> {
        let smtp = SmtpSettings::of(config)?;
        let trust = Trust::new(config.smtp_ca_file.as_deref())?;
        let host = config.external_url().map(message::host_of);
        Ok(Self::assembled(smtp, host, trust, FIRST_PAUSE))
    }

    fn assembled(smtp: Option<SmtpSettings>, host: Option<String>, trust: Trust, first_pause: Duration) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE);
        let shared = Arc::new(Shared { smtp, host, trust, first_pause, open: AtomicUsize::new(0) });
        Self { shared, queue, waiting: Mutex::new(Some(waiting)) }
    }

    /// Whether messages can be sent that do not bring settings of their own.
    #[must_use]
    pub fn is_configured(&self) -> bool {
        self.shared.smtp.is_some()
    }

    /// Takes a message for sending, and returns at once: whether it arrives is known only to the log.
    ///
    /// # Errors
    /// [`Error::Refused`] when there is no server to send it with, [`Error::Unavailable`] when too many
    /// messages wait already.
    pub fn send(&self, ctx: &Ctx, message: Message) -> Result<()> {
        self.put(Stamp { id: ctx.uuid(), date: ctx.now }, message)
    }

    fn put(&self, stamp: Stamp, message: Message) -> Result<()> {
        if message.via.is_none() && !self.is_configured() {
            return Err(Error::Refused(NOT_CONFIGURED.to_owned()));
        }
        // Before it is in the queue: the task may have sent it before this function goes on.
        self.shared.open.fetch_add(1, Ordering::Relaxed);
        self.queue.try_send(Queued { stamp, message }).map_err(|error| {
            self.shared.open.fetch_sub(1, Ordering::Relaxed);
            Error::Unavailable(match error {
                mpsc::error::TrySendError::Full(_) => "too many e-mails wait to be sent".into(),
                mpsc::error::TrySendError::Closed(_) => "the server stops, and sends no more e-mails".into(),
            })
        })
    }

    /// Starts the task that sends; a second one would have nothing to do.
    pub fn start(&self) -> Worker {
        let (stop, stopped) = watch::channel(false);
        let queue = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).take();
        let shared = Arc::clone(&self.shared);
        let task = tokio::spawn(async move {
            if let Some(queue) = queue {
                work(shared, queue, stopped).await;
            }
        });
        Worker { task, stop, shared: Arc::clone(&self.shared) }
    }
}

/// The task that sends.
#[derive(Debug)]
pub struct Worker {
    task: JoinHandle<()>,
    stop: watch::Sender<bool>,
    shared: Arc<Shared>,
}

impl Worker {
    /// Takes no more messages, and gives those that were taken this long; what is left then is lost, and
    /// the log says how many that were.
    pub async fn finish(mut self, within: Duration) {
        let _ = self.stop.send(true);
        if timeout(within, &mut self.task).await.is_err() {
            self.task.abort();
            let _ = self.task.await;
            warn!(messages = self.shared.open.load(Ordering::Relaxed), "some e-mails were not sent in time");
        }
    }
}

/// Sends what is in the queue, until it is empty after the stop.
async fn work(shared: Arc<Shared>, mut queue: mpsc::Receiver<Queued>, mut stopped: watch::Receiver<bool>) {
    // Ends with this function, also when it is given up.
    let mut sending = JoinSet::new();
    loop {
        if sending.len() >= AT_ONCE {
            let _ = sending.join_next().await;
        }
        let queued = tokio::select! {
            queued = queue.recv() => queued,
            Ok(_) = stopped.wait_for(|stopped| *stopped), if !queue.is_closed() => {
                queue.close();
                continue;
            }
        };
        let Some(queued) = queued else { break };
        let shared = Arc::clone(&shared);
        sending.spawn(async move {
            let id = queued.stamp.id;
            match deliver(&shared, queued).await {
                Ok(()) => debug!(%id, "an e-mail was sent"),
                Err(error) => warn!(%id, %error, "an e-mail could not be sent"),
            }
            shared.open.fetch_sub(1, Ordering::Relaxed);
        });
        while sending.try_join_next().is_some() {}
    }
    while sending.join_next().await.is_some() {}
}

async fn deliver(shared: &Shared, queued: Queued) -> Result<(), Failure> {
    let smtp = queued.message.via.as_ref().or(shared.smtp.as_ref());
    // It was looked at when the message was taken.
    let smtp = smtp.ok_or_else(|| Failure::lasting("not sent", NOT_CONFIGURED))?;
    let sender = smtp.check().map_err(|error| Failure::lasting("not sent", error))?;
    let host = shared.host.clone().unwrap_or_else(|| sender.email.domain().to_owned());
    let letter =
        compose(sender, &host, &queued.stamp, &queued.message).map_err(|error| Failure::lasting("not sent", error))?;
    let mut pause = shared.first_pause;
    for _ in 1..TRIES {
        match transport::deliver(smtp, &shared.trust, &host, &letter).await {
            Err(failure) if !failure.lasting => {
                debug!(id = %queued.stamp.id, error = %failure, "an e-mail is tried again");
                sleep(pause).await;
                pause *= 4;
            }
            done => return done,
        }
    }
    transport::deliver(smtp, &shared.trust, &host, &letter).await
}
