//! How many requests a client may make (contract: sailpoint-pat §9).
//!
//! Whoever asks knows one [`Rate`]; whether its counters are of this process or shared between several is its own
//! affair. So far they are of this process: several servers allow as many times as much.

use crate::{
    config::Config,
    ctx::Clock,
    error::{Error, Result},
};
use futures_util::future::{BoxFuture, FutureExt as _, ready};
use governor::{Quota, RateLimiter, middleware::NoOpMiddleware, state::keyed::DashMapStateStore};
use std::{
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use uuid::Uuid;

/// Counts requests against what is allowed.
pub trait Rate: Send + Sync {
    /// Counts one request of a client to one version of an API, each of which is counted by itself.
    ///
    /// # Errors
    /// [`Error::Throttled`] when it is one too many; it is not counted then. Another one when the counters cannot be
    /// reached.
    fn count<'r>(&'r self, client: Uuid, version: &'static str) -> BoxFuture<'r, Result<()>>;
}

/// The counters that a configuration asks for.
#[must_use]
pub fn of(config: &Config, clock: Arc<dyn Clock>) -> Arc<dyn Rate> {
    let period = Duration::from_secs(config.api_rate_seconds.max(1).into());
    match NonZeroU32::new(config.api_rate) {
        Some(requests) => Arc::new(Local::new(requests, period, clock)),
        None => Arc::new(Unlimited),
    }
}

struct Unlimited;

impl Rate for Unlimited {
    fn count<'r>(&'r self, _: Uuid, _: &'static str) -> BoxFuture<'r, Result<()>> {
        ready(Ok(())).boxed()
    }
}

type Key = (Uuid, &'static str);

/// Counters of this process: as many requests at once as a period allows, and one more for every part of the period
/// that passes (the generic cell rate algorithm).
struct Local {
    limiter: RateLimiter<Key, DashMapStateStore<Key>, Steady, NoOpMiddleware<Duration>>,
    clock: Steady,
    period: Duration,
    /// When those that have been quiet were forgotten last, in milliseconds of the clock.
    cleaned: AtomicU64,
}

impl Local {
    fn new(requests: NonZeroU32, period: Duration, clock: Arc<dyn Clock>) -> Self {
        let clock = Steady(clock);
        let quota = Quota::with_period(period / requests.get()).unwrap_or(Quota::per_second(requests));
        let limiter = RateLimiter::dashmap_with_clock(quota.allow_burst(requests), clock.clone());
        Self { limiter, clock, period, cleaned: AtomicU64::new(0) }
    }

    /// Forgets whoever was quiet for a period, once a period.
    fn clean(&self) {
        let now = u64::try_from(self.clock.0.steady().as_millis()).unwrap_or(u64::MAX);
        let last = self.cleaned.load(Ordering::Relaxed);
        let due = u128::from(now.saturating_sub(last)) >= self.period.as_millis();
        if due && self.cleaned.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            self.limiter.retain_recent();
        }
    }
}

impl Rate for Local {
    fn count<'r>(&'r self, client: Uuid, version: &'static str) -> BoxFuture<'r, Result<()>> {
        self.clean();
        let counted = self.limiter.check_key(&(client, version)).map_err(|refused| {
            let wait = refused.wait_time_from(governor::clock::Clock::now(&self.clock));
            // Rounded up: who comes back that late is let in.
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            Error::Throttled { seconds: u32::try_from(seconds.max(1)).unwrap_or(u32::MAX) }
        });
        ready(counted).boxed()
    }
}

/// Our clock as governor wants it: never going back.
#[derive(Clone)]
struct Steady(Arc<dyn Clock>);

impl governor::clock::Clock for Steady {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.steady()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ctx::ManualClock;
    use chrono::{DateTime, TimeDelta};

    fn asked(rate: &dyn Rate, client: u128, version: &'static str) -> Option<u32> {
        match rate.count(Uuid::from_u128(client), version).now_or_never().expect("no waiting") {
            Ok(()) => None,
            Err(Error::Throttled { seconds }) => Some(seconds),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn each_client_and_version_has_a_bucket_that_fills_again() {
        let clock = Arc::new(ManualClock::new(DateTime::UNIX_EPOCH + TimeDelta::days(20_000)));
        let config = Config { api_rate: 100, api_rate_seconds: 10, ..Config::default() };
        let rate = of(&config, Arc::clone(&clock) as Arc<dyn Clock>);
        for request in 0..100 {
            assert_eq!(asked(&*rate, 1, "/beta"), None, "{request}");
        }
        assert_eq!(asked(&*rate, 1, "/beta"), Some(1));
        assert_eq!((asked(&*rate, 1, "/v3"), asked(&*rate, 2, "/beta")), (None, None));
        clock.advance(TimeDelta::milliseconds(100));
        assert_eq!((asked(&*rate, 1, "/beta"), asked(&*rate, 1, "/beta")), (None, Some(1)));
        clock.advance(TimeDelta::seconds(10));
        assert!((0..100).all(|_| asked(&*rate, 1, "/beta").is_none()));
        assert_eq!(asked(&*rate, 1, "/beta"), Some(1));
    }

    #[test]
    fn long_waits_are_told_in_whole_seconds() {
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(DateTime::UNIX_EPOCH));
        let rate = of(&Config { api_rate: 2, api_rate_seconds: 9, ..Config::default() }, Arc::clone(&clock));
        assert_eq!([asked(&*rate, 1, ""), asked(&*rate, 1, ""), asked(&*rate, 1, "")], [None, None, Some(5)]);
        let none = of(&Config { api_rate: 0, ..Config::default() }, clock);
        assert!((0..1000).all(|_| asked(&*none, 1, "").is_none()));
    }
}
