//! When tokens are traded for bearer tokens, and when that fails: noted in memory, written in portions
//! (`jobs::usage`), so that no request waits for it. A token's `last_used` moves once a day (contract: sailpoint-pat
//! §4), and so does its event; failures are counted and written as one event for each portion.

use super::{service, store};
use crate::{
    access::Principal,
    app::App,
    audit::{self, Action, Event},
    ctx::{Ctx, RequestInfo},
    db::Tx,
    error::Result,
};
use chrono::{DateTime, NaiveDate, NaiveTime, SubsecRound as _, Utc};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};
use uuid::Uuid;

/// Most tokens in one transaction.
const PORTION: usize = 200;
/// Most tokens whose failures are remembered until they are written.
const MOST_FAILURES: usize = 10_000;

/// Why a token was not traded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    WrongSecret,
    Ended,
    InactiveOwner,
}

impl Why {
    const fn as_str(self) -> &'static str {
        match self {
            Self::WrongSecret => "The secret was wrong.",
            Self::Ended => "The token has ended.",
            Self::InactiveOwner => "The owner's account is not active.",
        }
    }
}

#[derive(Debug, Clone)]
struct Seen {
    when: DateTime<Utc>,
    request: Option<RequestInfo>,
    /// How often it failed, and why the last time; `None` when it was traded.
    failed: Option<(u64, Why)>,
}

#[derive(Debug, Default)]
struct State {
    /// The day a token was last noted on, so that it is noted once.
    days: HashMap<Uuid, NaiveDate>,
    used: HashMap<Uuid, Seen>,
    failed: HashMap<Uuid, Seen>,
}

/// Use that is not written yet.
#[derive(Debug, Default)]
pub struct Noted(Mutex<State>);

impl Noted {
    fn with<T>(&self, run: impl FnOnce(&mut State) -> T) -> T {
        run(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn restore(&self, used: HashMap<Uuid, Seen>, failed: HashMap<Uuid, Seen>) {
        self.with(|state| {
            for (id, earlier) in used {
                // What was noted meanwhile is of a later day.
                state.used.entry(id).or_insert(earlier);
            }
            for (id, earlier) in failed {
                let seen = match state.failed.remove(&id) {
                    None => earlier,
                    Some(later) => {
                        let count = |seen: &Seen| seen.failed.map_or(0, |(count, _)| count);
                        let total = count(&earlier) + count(&later);
                        Seen { failed: later.failed.map(|(_, why)| (total, why)), ..later }
                    }
                };
                state.failed.insert(id, seen);
            }
        });
    }
}

/// Longest name of a client that is kept, in characters.
const LONGEST_NAME: usize = 200;

/// What the event shows of a request; not its query, which may hold the secret.
fn request(ctx: &Ctx) -> Option<RequestInfo> {
    let request = ctx.request.as_ref()?;
    Some(RequestInfo {
        id: request.id.clone(),
        method: request.method.clone(),
        path: request.path.clone(),
        user_agent: request.user_agent.chars().take(LONGEST_NAME).collect(),
        client_ip: request.client_ip,
        ..RequestInfo::default()
    })
}

/// Notes that a token was traded.
pub fn note_use(ctx: &Ctx, id: Uuid) {
    // In whole milliseconds, so that what a list shows is what a filter compares.
    let (when, today) = (ctx.now.trunc_subsecs(3), ctx.now.date_naive());
    ctx.app.trades.with(|state| {
        if state.days.insert(id, today) != Some(today) {
            state.used.insert(id, Seen { when, request: request(ctx), failed: None });
        }
    });
}

/// Notes that somebody tried to trade a token in vain.
pub fn note_failure(ctx: &Ctx, id: Uuid, why: Why) {
    ctx.app.trades.with(|state| {
        if state.failed.len() >= MOST_FAILURES && !state.failed.contains_key(&id) {
            return;
        }
        let before = state.failed.get(&id).and_then(|seen| seen.failed).map_or(0, |(count, _)| count);
        let failed = Some((before + 1, why));
        state.failed.insert(id, Seen { when: ctx.now, request: request(ctx), failed });
    });
}

/// Writes what has been noted; what cannot be written is kept for the next time.
///
/// # Errors
/// When the database is away.
pub async fn write(app: &Arc<App>) -> Result<()> {
    let (used, failed) = app.trades.with(|state| {
        // Days that are over are of no more use.
        let today = app.clock.now().date_naive();
        state.days.retain(|_, day| *day >= today);
        (std::mem::take(&mut state.used), std::mem::take(&mut state.failed))
    });
    let mut all: Vec<(Uuid, Seen)> = used.into_iter().chain(failed).collect();
    // In one order, so that two processes wait for each other instead of both for ever.
    all.sort_unstable_by_key(|(id, _)| *id);
    let mut portions = all.chunks(PORTION);
    while let Some(portion) = portions.next() {
        if let Err(error) = write_portion(app, portion).await {
            let unwritten = portion.iter().chain(portions.flatten()).cloned();
            let (failed, used) = unwritten.partition(|(_, seen): &(Uuid, Seen)| seen.failed.is_some());
            app.trades.restore(used, failed);
            return Err(error);
        }
    }
    Ok(())
}

async fn write_portion(app: &Arc<App>, portion: &[(Uuid, Seen)]) -> Result<()> {
    let tx = Tx::begin(Arc::clone(app)).await?;
    let ids: Vec<Uuid> = portion.iter().map(|(id, _)| *id).collect();
    let there = store::by_ids(tx.conn(), &ids).await?;
    for (id, seen) in portion {
        // Tokens may have gone meanwhile.
        let Some((token, owner)) = there.iter().find(|(token, _)| token.id == *id) else { continue };
        let (action, name) = match seen.failed {
            None => (Action::AuthorizeApplication, "USED"),
            Some(_) => (Action::LoginFailed, "USE_FAILED"),
        };
        let day = seen.when.date_naive().and_time(NaiveTime::MIN).and_utc();
        if seen.failed.is_none() && !store::note_use(tx.conn(), *id, seen.when, day).await? {
            continue;
        }
        let mut event = Event::about(action, "tessera.protocol.token", "model", &token.subject());
        event = service::named(event, name).by_user(owner.id, &owner.username, &owner.email);
        if let Some((count, why)) = seen.failed {
            event = event.saying(why.as_str()).with("attempts", count.into());
        }
        // As if it were written when it happened.
        let mut ctx = Ctx::new(Arc::clone(app), Arc::new(Principal::System), seen.request.clone());
        ctx.now = seen.when;
        audit::record(&tx, &ctx, event);
    }
    tx.commit().await
}
