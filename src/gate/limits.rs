//! Throttling of callers without credentials, by address (contract: authentik-core §1.2).

use crate::error::{Error, Result};
use governor::{
    Quota, RateLimiter,
    clock::{Clock as _, DefaultClock},
    state::keyed::DashMapStateStore,
};
use std::{net::IpAddr, num::NonZeroU32};

/// Addresses to remember before those that have been quiet are forgotten.
const REMEMBERED: usize = 10_000;

/// Counters by address, in this process.
pub struct Limits {
    anonymous: RateLimiter<IpAddr, DashMapStateStore<IpAddr>, DefaultClock>,
    clock: DefaultClock,
}

impl Limits {
    /// Permits `rate` requests a second; 0 counts as 1.
    #[must_use]
    pub fn new(rate: u32) -> Self {
        let quota = Quota::per_second(NonZeroU32::new(rate).unwrap_or(NonZeroU32::MIN));
        Self { anonymous: RateLimiter::dashmap(quota), clock: DefaultClock::default() }
    }

    /// # Errors
    /// [`Error::Throttled`].
    pub fn check_anonymous(&self, address: IpAddr) -> Result<()> {
        if self.anonymous.len() > REMEMBERED {
            self.anonymous.retain_recent();
        }
        self.anonymous.check_key(&address).map_err(|refused| {
            let wait = refused.wait_time_from(self.clock.now());
            Error::Throttled { seconds: u32::try_from(wait.as_secs()).unwrap_or(u32::MAX).saturating_add(1) }
        })
    }
}
