//! Listening: the API, and beside it the management listener; both drain when the server stops.

mod management;

use crate::{
    app::App,
    bootstrap::{self, FirstStart, StartError},
    config::Config,
    ctx::{Clock, Entropy},
    gate::Gate,
    jobs, mail,
};
use http::Request;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};
use tessera_api_runtime::Response;
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};
use tokio_io_timeout::TimeoutStream;
use tracing::{debug, info, warn};

/// Longest request line and headers together, in bytes.
const MAX_HEAD: usize = 64 * 1024;

/// A server that listens.
pub struct Running {
    /// The bound address of the API.
    pub api: SocketAddr,
    /// The bound address of the management listener.
    pub management: SocketAddr,
    pub app: Arc<App>,
    /// What the first start made; empty on later starts.
    pub first: Option<FirstStart>,
    stop: watch::Sender<bool>,
    listeners: Vec<JoinHandle<()>>,
    jobs: Vec<JoinHandle<()>>,
    mail: mail::Worker,
}

/// Opens everything and starts to listen.
///
/// # Errors
/// [`StartError`], or an address that cannot be listened at.
pub async fn start(config: Config, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Result<Running, StartError> {
    let listen = |address| async move {
        TcpListener::bind(address)
            .await
            .and_then(|l| Ok((l.local_addr()?, l)))
            .map_err(|e| StartError::Store(format!("cannot listen at {address}: {e}")))
    };
    // Before the database: a second server at the same address must not touch it.
    let (api, api_listener) = listen(config.listen).await?;
    let (management, management_listener) = listen(config.management_listen).await?;
    let (app, first) = bootstrap::open(config, clock, entropy).await?;
    let gate = Arc::new(Gate::new(Arc::clone(&app))?);
    let (stop, stopped) = watch::channel(false);
    let limits = Limits {
        head: Duration::from_secs(app.config.request_timeout),
        drain: Duration::from_secs(app.config.drain_timeout),
    };
    let serve_api = move |request, peer| {
        let gate = Arc::clone(&gate);
        async move { gate.handle(request, peer).await }
    };
    let managed = Arc::clone(&app);
    let serve_management = move |request, _| {
        let app = Arc::clone(&managed);
        async move { management::answer(&app, &request).await }
    };
    let listeners = vec![
        tokio::spawn(listen_until(api_listener, limits, stopped.clone(), serve_api)),
        tokio::spawn(listen_until(management_listener, limits, stopped, serve_management)),
    ];
    let jobs = jobs::start(&app);
    let mail = app.mail.start();
    info!(api = %api, management = %management, "listening");
    Ok(Running { api, management, app, first, stop, listeners, jobs, mail })
}

impl Running {
    /// Accepts no more, lets requests in flight finish, sends the e-mails they asked for, and closes the
    /// database.
    pub async fn stop(self) {
        let drain = Duration::from_secs(self.app.config.drain_timeout);
        let began = Instant::now();
        let _ = self.stop.send(true);
        for listener in self.listeners {
            let _ = listener.await;
        }
        for job in self.jobs {
            job.abort();
            let _ = job.await;
        }
        jobs::usage::last(&self.app).await;
        self.mail.finish(drain.saturating_sub(began.elapsed())).await;
        self.app.db.clone().close().await;
        info!("stopped");
    }
}

#[derive(Clone, Copy)]
struct Limits {
    head: Duration,
    drain: Duration,
}

async fn listen_until<S, F>(listener: TcpListener, limits: Limits, mut stopped: watch::Receiver<bool>, serve: S)
where
    S: Fn(Request<Incoming>, SocketAddr) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response> + Send + 'static,
{
    let mut builder = http1::Builder::new();
    // The timeout of the head counts only with a timer (and panics without one).
    builder.timer(TokioTimer::new()).header_read_timeout(limits.head).max_buf_size(MAX_HEAD);
    let graceful = GracefulShutdown::new();
    loop {
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of file descriptors, most likely: others must end before we go on.
                    warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
            _ = stopped.changed() => break,
        };
        let _ = stream.set_nodelay(true);
        let serve = serve.clone();
        let service = service_fn(move |request| {
            let answer = serve(request, peer);
            async move { Ok::<_, Infallible>(answer.await) }
        });
        let mut stream = Box::pin(TimeoutStream::new(stream));
        // Who asks for much and does not read it must not make us keep it for ever.
        stream.as_mut().set_write_timeout_pinned(Some(limits.head));
        let connection = graceful.watch(builder.serve_connection(TokioIo::new(stream), service));
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                debug!(%error, %peer, "a connection ended");
            }
        });
    }
    drop(listener);
    if tokio::time::timeout(limits.drain, graceful.shutdown()).await.is_err() {
        warn!("some requests did not finish in time");
    }
}
