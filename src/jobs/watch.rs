//! Notices what other processes change: the command line, other replicas.
//!
//! The epoch is one row, read twice a second on either database. That is simpler than
//! `PRAGMA data_version` here and `LISTEN` there, survives reconnects by itself, and is as fast as the
//! promise ("within a second"). While the database is away nothing remembered is trusted.

use crate::{app::App, db::WATCH_INTERVAL};
use std::sync::Arc;
use tokio::time::{MissedTickBehavior, interval};

/// Runs until it is dropped.
pub async fn run(app: Arc<App>) {
    let mut known = app.db.epoch().await.ok();
    // Requests may have been answered before this first look.
    app.generation.advance();
    let mut ticks = interval(WATCH_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let epoch = app.db.epoch().await.ok();
        if epoch != known || epoch.is_none() {
            app.generation.advance();
            known = epoch;
        }
    }
}
