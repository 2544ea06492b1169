//! The sweep of what has ended (contract: authentik-core §2.4): API tokens get a new key, other tokens
//! go, and so do events past their retention, and those of people who were deleted.
//!
//! Whichever process holds the lease does it, in portions: the writer is held for one portion at a
//! time, and between two of them everybody else has it for as long as the portion took.

use super::lease;
use crate::{
    access::Principal,
    app::App,
    audit::{self, Action, Event, store as events},
    ctx::Ctx,
    error::Result,
    resource::{
        events::retention,
        keypairs, pats, reputation, sessions,
        tokens::expiry,
        users::{self, erasure},
    },
    secret::keyring::hex,
};
use chrono::{DateTime, TimeDelta, Utc};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tracing::{info, warn};

const LEASE: &str = "sweep";
/// Most tokens in one transaction.
const TOKENS: usize = 200;
/// Most events in one transaction.
const PORTION: u64 = 200;
/// How many events are looked through at once for those of one account.
const WINDOW: i64 = 20_000;
/// Longest wait before the clock is read again: it may have been put.
const GLANCE: Duration = Duration::from_secs(20);
/// Sweeps begin so many seconds after a multiple of their interval: at minutes 2, 7, 12 … by default.
const OFFSET: i64 = 120;

/// What a sweep did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    pub rotated: u64,
    pub deleted: u64,
    /// Events past their end.
    pub pruned: u64,
    /// Events of deleted accounts.
    pub erased: u64,
}

/// Runs until it is dropped.
pub async fn run(app: Arc<App>) {
    let interval = i64::from(app.config.sweep_interval);
    if interval == 0 {
        return;
    }
    let mut bytes = [0; 16];
    app.entropy.fill(&mut bytes);
    let holder = hex(&bytes);
    let mut due = next(app.clock.now(), interval);
    loop {
        let now = app.clock.now();
        // A clock that was put back must not put the sweep off for as long.
        due = Ord::min(due, next(now, interval));
        let wait = (due - now).to_std().unwrap_or_default();
        if !wait.is_zero() {
            tokio::select! {
                () = tokio::time::sleep(Ord::min(wait, GLANCE)) => continue,
                () = app.sweep.notified() => {}
            }
        }
        if let Err(error) = as_holder(&app, &holder).await {
            warn!(error = error.with_causes(), "the sweep did not finish; it is tried again next time");
        }
        due = next(app.clock.now(), interval);
    }
}

/// The first moment after `now` that a sweep begins at.
fn next(now: DateTime<Utc>, interval: i64) -> DateTime<Utc> {
    let since = (now.timestamp() - OFFSET).rem_euclid(interval);
    DateTime::from_timestamp(now.timestamp() + interval - since, 0).unwrap_or(now + TimeDelta::seconds(interval))
}

async fn as_holder(app: &Arc<App>, holder: &str) -> Result<()> {
    if lease::hold(app, LEASE, holder).await? {
        let swept = sweep(app, Some(holder)).await;
        lease::release(app, LEASE, holder).await?;
        swept?;
    }
    Ok(())
}

/// One whole sweep, whoever holds the lease: what `tessera sweep` does.
///
/// # Errors
/// When the database is away; what was finished before stays done.
pub async fn once(app: &Arc<App>) -> Result<Swept> {
    sweep(app, None).await
}

async fn sweep(app: &Arc<App>, holder: Option<&str>) -> Result<Swept> {
    let mut swept = Swept::default();
    let mut began = Instant::now();
    let done = portions(app, holder, &mut began, &mut swept).await;
    if swept != Swept::default() {
        for (kind, amount) in
            [("rotated", swept.rotated), ("deleted", swept.deleted), ("pruned", swept.pruned), ("erased", swept.erased)]
        {
            app.metrics.swept(kind, amount);
        }
        info!(swept.rotated, swept.deleted, swept.pruned, swept.erased, "swept");
        record(app, swept).await?;
    }
    if let Some((link, hash)) = audit::chain::last(app.db.read()).await? {
        // A head that is kept where the database is not: `tessera audit verify --head` compares.
        info!(head = format!("{link}:{}", hex(&hash)), "the audit chain");
    }
    done.map(|()| swept)
}

async fn portions(app: &Arc<App>, holder: Option<&str>, began: &mut Instant, swept: &mut Swept) -> Result<()> {
    for some in expiry::ended(&ctx(app)).await?.chunks(TOKENS) {
        let portion = expiry::sweep(&ctx(app), some).await?;
        swept.rotated += portion.rotated;
        swept.deleted += portion.deleted;
        if some.len() == TOKENS && !pause(app, holder, began).await? {
            return Ok(());
        }
    }
    loop {
        let pruned = retention::prune(&ctx(app), PORTION).await?;
        swept.pruned += pruned;
        if pruned < PORTION {
            break;
        }
        if !pause(app, holder, began).await? {
            return Ok(());
        }
    }
    while let Some(user) = erasure::next(&ctx(app)).await? {
        // Only the wish of an account that has gone: the row alone proves nothing.
        if users::store::by_id(app.db.read(), user).await?.is_some() {
            erasure::done(&ctx(app), user).await?;
            continue;
        }
        let mut place = 0;
        while let Some((its, end)) = retention::of_user(app.db.read(), user, place, WINDOW).await? {
            place = end;
            // Looking takes time too, and the lease ends.
            if its.is_empty() && !pause(app, holder, began).await? {
                return Ok(());
            }
            for some in its.chunks(PORTION as usize) {
                swept.erased += retention::erase(&ctx(app), some).await?;
                if !pause(app, holder, began).await? {
                    return Ok(());
                }
            }
        }
        erasure::done(&ctx(app), user).await?;
    }
    // Not a line in the record: every visit leaves a session behind that ends by itself.
    loop {
        let ended = sessions::store::delete_ended(app.db.write(), app.clock.now()).await?;
        app.metrics.swept("sessions", ended);
        if ended == 0 || !pause(app, holder, began).await? {
            break;
        }
    }
    loop {
        let ended = pats::expiry::sweep(&ctx(app)).await?;
        app.metrics.swept("ended_access_tokens", ended);
        if ended == 0 || !pause(app, holder, began).await? {
            break;
        }
    }
    keypairs::service::sweep(&ctx(app)).await?;
    while reputation::service::sweep(&ctx(app)).await? > 0 && pause(app, holder, began).await? {}
    while events::compact(&ctx(app)).await? && pause(app, holder, began).await? {}
    Ok(())
}

fn ctx(app: &Arc<App>) -> Ctx {
    Ctx::new(Arc::clone(app), Arc::new(Principal::System), None)
}

/// Leaves the writer to others for as long as the portion took; tells whether the lease still holds.
async fn pause(app: &App, holder: Option<&str>, began: &mut Instant) -> Result<bool> {
    tokio::time::sleep(began.elapsed()).await;
    *began = Instant::now();
    match holder {
        Some(holder) => lease::hold(app, LEASE, holder).await,
        None => Ok(true),
    }
}

async fn record(app: &Arc<App>, swept: Swept) -> Result<()> {
    let ctx = ctx(app);
    let tx = ctx.begin().await?;
    let Swept { rotated, deleted, pruned, erased } = swept;
    let message = format!(
        "{rotated} tokens got a new key, {deleted} went; {pruned} events had ended, {erased} were of deleted accounts."
    );
    let event = Event::plain(Action::SystemTaskExecution, "authentik.events.tasks");
    audit::record(&tx, &ctx, event.saying(message));
    tx.commit().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sweeps_begin_at_minutes_2_7_and_so_on() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().expect("a time");
        for (now, then) in [
            ("2026-11-25T10:00:00Z", "2026-11-25T10:02:00Z"),
            ("2026-11-25T10:02:00Z", "2026-11-25T10:07:00Z"),
            ("2026-11-25T10:06:59.5Z", "2026-11-25T10:07:00Z"),
            ("2026-11-25T10:58:00Z", "2026-11-25T11:02:00Z"),
        ] {
            assert_eq!(next(at(now), 300), at(then), "{now}");
        }
    }
}
