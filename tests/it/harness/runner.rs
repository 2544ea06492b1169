//! Runs every test on every database; what cannot run says why.

use super::{Backend, Place, Server, clean_up, place, tap};
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::Pin,
    process::ExitCode,
    sync::{Arc, Condvar, Mutex, PoisonError},
    time::Duration,
};

/// Longest time one test may take.
const PATIENCE: Duration = Duration::from_secs(180);

/// Modules whose tests want the flows that an installation begins with; the others begin with nothing.
const SHIPPED: [&str; 3] = ["it::flows", "it::login", "it::pats::cookies"];

type Run = for<'a> fn(&'a Server) -> Pin<Box<dyn Future<Output = ()> + 'a>>;

/// One test; it runs once for each [`Backend`].
#[derive(Clone, Copy)]
pub struct Test {
    /// `it::<module>`
    pub module: &'static str,
    pub name: &'static str,
    pub run: Run,
}

impl Test {
    fn full_name(&self, backend: Backend) -> String {
        let module = self.module.strip_prefix("it::").unwrap_or(self.module);
        let prefix = match backend {
            Backend::Sqlite => "sqlite",
            Backend::Postgres => "postgres",
        };
        format!("{prefix}::{module}::{}", self.name)
    }

    fn execute(&self, backend: Backend) -> Result<Completion, Failed> {
        if backend == Backend::Postgres && place::postgres_url().is_none() {
            return Ok(Completion::ignored_with("TESSERA_TEST_POSTGRES names no server"));
        }
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let server = runtime.block_on(async {
            let server = Place::prepared(backend).await.start().await;
            if !SHIPPED.iter().any(|module| self.module.starts_with(module)) {
                server.forget_shipped().await;
            }
            server
        });
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            runtime.block_on(async { tokio::time::timeout(PATIENCE, (self.run)(&server)).await })
        }));
        runtime.block_on(server.end());
        runtime.shutdown_timeout(Duration::from_secs(5));
        match outcome {
            Ok(Ok(())) => Ok(Completion::Completed),
            Ok(Err(_)) => Err(format!("the test took longer than {PATIENCE:?}").into()),
            Err(panic) => resume_unwind(panic),
        }
    }
}

/// A test that needs no server: its name and what it runs.
pub type Plain = (&'static str, fn());
/// A look back at what the whole run called.
pub type Afterwards = (&'static str, fn(&tap::Calls));

/// Counts the tests that are not done yet, so that the last ones can look back at them.
#[derive(Default)]
struct Outstanding(Mutex<usize>, Condvar);

impl Outstanding {
    fn add(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) += 1;
    }

    fn done(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        self.1.notify_all();
    }

    fn wait(&self) {
        let guard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.1.wait_while(guard, |count| *count > 0));
    }
}

struct DoneOnDrop(Arc<Outstanding>);

impl Drop for DoneOnDrop {
    fn drop(&mut self) {
        self.0.done();
    }
}

/// Runs `tests`, then `afterwards` (which look at what the whole run called), and cleans up.
pub fn main(tests: Vec<Test>, plain: Vec<Plain>, afterwards: Vec<Afterwards>) -> ExitCode {
    let args = Arguments::from_args();
    let whole = args.filter.is_none() && args.skip.is_empty() && !args.ignored;
    let outstanding = Arc::new(Outstanding::default());
    let mut trials = Vec::new();
    for (name, run) in plain {
        trials.push(Trial::test(name, move || {
            run();
            Ok(())
        }));
    }
    for backend in [Backend::Sqlite, Backend::Postgres] {
        for test in &tests {
            let (test, name) = (*test, test.full_name(backend));
            let outstanding = Arc::clone(&outstanding);
            if whole {
                outstanding.add();
            }
            trials.push(Trial::ignorable_test(name, move || {
                let _done = whole.then(|| DoneOnDrop(outstanding));
                test.execute(backend)
            }));
        }
    }
    for (name, look) in afterwards {
        let outstanding = Arc::clone(&outstanding);
        trials.push(Trial::ignorable_test(name, move || {
            if !whole {
                return Ok(Completion::ignored_with("looks at a whole run, and this one is filtered"));
            }
            outstanding.wait();
            look(&tap::calls());
            Ok(Completion::Completed)
        }));
    }
    let conclusion = libtest_mimic::run(&args, trials);
    clean_up();
    conclusion.exit_code()
}
