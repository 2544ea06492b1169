//! When sessions were used last, and from where: noted in memory by the gate, written in portions
//! (`jobs::usage`), so that no request waits for it.

use super::{service::LONGEST_AGENT, store};
use crate::{
    access::Principal,
    app::App,
    ctx::RequestInfo,
    db::{MANY, Tx},
    error::Result,
};
use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};
use uuid::Uuid;

/// How long a use from the same place is not worth another write.
const QUIET: TimeDelta = TimeDelta::seconds(60);
/// Of how many sessions it is remembered when they were written last.
const REMEMBERED: usize = 10_000;

/// The last use of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Use {
    when: DateTime<Utc>,
    ip: String,
    user_agent: String,
}

impl Use {
    /// Whether this is worth a write after `earlier`.
    fn is_news(&self, earlier: &Self) -> bool {
        self.ip != earlier.ip || self.user_agent != earlier.user_agent || self.when - earlier.when >= QUIET
    }
}

/// Use that is not written yet, by session.
pub struct Noted {
    waiting: Mutex<HashMap<Uuid, Use>>,
    /// What was noted last.
    last: quick_cache::sync::Cache<Uuid, Use>,
}

impl std::fmt::Debug for Noted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Noted").finish_non_exhaustive()
    }
}

impl Default for Noted {
    fn default() -> Self {
        Self { waiting: Mutex::default(), last: quick_cache::sync::Cache::new(REMEMBERED) }
    }
}

impl Noted {
    fn note(&self, session: Uuid, used: Use) {
        if self.last.get(&session).is_some_and(|earlier| !used.is_news(&earlier)) {
            return;
        }
        self.last.insert(session, used.clone());
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(session, used);
    }

    fn take(&self) -> HashMap<Uuid, Use> {
        std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts back what could not be written, unless something came later.
    fn restore(&self, unwritten: impl Iterator<Item = (Uuid, Use)>) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        for (session, used) in unwritten {
            waiting.entry(session).or_insert(used);
        }
    }
}

/// Notes the use of the session that a caller has shown, if it was one.
pub fn note(app: &App, principal: &Principal, info: &RequestInfo) {
    let Some(session) = principal.account().and_then(|account| account.session) else { return };
    let used = Use {
        when: app.clock.now().trunc_subsecs(6),
        ip: info.client_ip.map(|ip| ip.to_string()).unwrap_or_default(),
        user_agent: info.user_agent.chars().take(LONGEST_AGENT).collect(),
    };
    app.session_usage.note(session, used);
}

/// Writes what has been noted; what cannot be written is kept for the next time.
///
/// # Errors
/// When the database is away.
pub async fn write(app: &Arc<App>) -> Result<()> {
    let mut noted: Vec<(Uuid, Use)> = app.session_usage.take().into_iter().collect();
    // In one order, so that two processes wait for each other instead of both for ever.
    noted.sort_unstable_by_key(|(session, _)| *session);
    let mut portions = noted.chunks(MANY / 4);
    while let Some(portion) = portions.next() {
        if let Err(error) = write_portion(app, portion).await {
            app.session_usage.restore(portion.iter().chain(portions.flatten()).cloned());
            return Err(error);
        }
    }
    Ok(())
}

async fn write_portion(app: &Arc<App>, portion: &[(Uuid, Use)]) -> Result<()> {
    let tx = Tx::begin(Arc::clone(app)).await?;
    for (session, used) in portion {
        store::used(tx.conn(), *session, used.when, &used.ip, &used.user_agent).await?;
    }
    tx.commit().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_written_once_a_minute_and_when_it_moves() {
        let (noted, session) = (Noted::default(), Uuid::from_u128(1));
        let at = |seconds, ip: &str| Use {
            when: DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds),
            ip: ip.to_owned(),
            user_agent: "curl/8".to_owned(),
        };
        for (used, written) in
            [(at(0, "a"), true), (at(59, "a"), false), (at(60, "a"), true), (at(61, "b"), true), (at(62, "b"), false)]
        {
            noted.note(session, used.clone());
            let expected = if written { vec![(session, used)] } else { Vec::new() };
            assert_eq!(noted.take().into_iter().collect::<Vec<_>>(), expected);
        }
        noted.restore([(session, at(61, "b"))].into_iter());
        noted.note(session, at(200, "c"));
        assert_eq!(noted.take()[&session], at(200, "c"));
    }
}
