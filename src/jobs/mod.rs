//! What runs beside the requests.

pub mod lease;
pub mod sweep;
pub mod usage;
pub mod watch;

use crate::app::App;
use std::sync::Arc;
use tokio::task::JoinHandle;

/// Starts all of them; each runs until it is aborted, and can be aborted at any moment.
#[must_use]
pub fn start(app: &Arc<App>) -> Vec<JoinHandle<()>> {
    vec![
        tokio::spawn(watch::run(Arc::clone(app))),
        tokio::spawn(usage::run(Arc::clone(app))),
        tokio::spawn(sweep::run(Arc::clone(app))),
    ]
}
