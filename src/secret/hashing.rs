//! Where passwords are hashed: as many threads as the machine has cores, which give way to those that serve
//! requests. A hash takes tens of milliseconds of a core, a request a part of one.

use crate::error::{Error, Result};
use std::sync::{Arc, LazyLock, Mutex, PoisonError, mpsc};
use tokio::sync::oneshot;

/// How much these threads give way, as `nice` counts it.
#[cfg(target_os = "linux")]
const NICE: i32 = 10;

type Job = Box<dyn FnOnce() + Send>;

/// The threads of this process: what they take is the machine's, however many servers a test starts.
static THREADS: LazyLock<mpsc::Sender<Job>> = LazyLock::new(|| {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let (sender, jobs) = mpsc::channel::<Job>();
    let jobs = Arc::new(Mutex::new(jobs));
    for _ in 0..cores {
        let jobs = Arc::clone(&jobs);
        // One that cannot be started leaves the work to the others; without any, work is an error.
        let _ = std::thread::Builder::new().name("hashing".into()).spawn(move || serve(&jobs));
    }
    sender
});

/// Hashes passwords, so many at a time.
#[derive(Debug, Clone)]
pub struct Hashing(mpsc::Sender<Job>);

impl Default for Hashing {
    fn default() -> Self {
        Self(THREADS.clone())
    }
}

/// Works until nobody can send any more.
fn serve(jobs: &Mutex<mpsc::Receiver<Job>>) {
    // Of this thread only: Linux counts niceness by thread. Where that fails they are as eager as the others.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICE);
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        // A panic is the panic of whoever waits for the result, which does not come.
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(job));
    }
}

impl Hashing {
    /// Runs `work` there, and waits for it.
    ///
    /// # Errors
    /// When the work panicked, or no thread could be started.
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let (done, result) = oneshot::channel();
        let job: Job = Box::new(move || {
            // Whoever has gone away meanwhile gets nothing done.
            if !done.is_closed() {
                let _ = done.send(work());
            }
        });
        self.0.send(job).map_err(|_| Error::internal("no thread hashes passwords"))?;
        result.await.map_err(Error::internal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_is_done_and_a_panic_harms_nobody() {
        let hashing = Hashing::default();
        for _ in 0..8 {
            assert!(hashing.run(|| -> u8 { panic!("on purpose") }).await.is_err());
        }
        assert_eq!(hashing.run(|| 7).await.expect("work"), 7);
    }
}
