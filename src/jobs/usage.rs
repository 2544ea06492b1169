//! Writes how tokens and sessions were used, a few seconds after they were.

use crate::{
    app::App,
    resource::{pats, sessions, tokens::usage},
};
use std::{sync::Arc, time::Duration};
use tokio::time::{MissedTickBehavior, interval};
use tracing::warn;

/// How often it is written.
const INTERVAL: Duration = Duration::from_secs(5);

/// Runs until it is dropped.
pub async fn run(app: Arc<App>) {
    let mut ticks = interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        last(&app).await;
    }
}

/// Writes what has been noted so far; also the last thing a server does.
pub async fn last(app: &Arc<App>) {
    if let Err(error) = usage::write(app).await {
        warn!(error = error.with_causes(), "the use of tokens could not be written yet");
    }
    if let Err(error) = pats::usage::write(app).await {
        warn!(error = error.with_causes(), "the use of personal access tokens could not be written yet");
    }
    if let Err(error) = sessions::usage::write(app).await {
        warn!(error = error.with_causes(), "the use of sessions could not be written yet");
    }
}
