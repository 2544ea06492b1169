//! Guessing passwords is slow (contract: authentik-core §5.7, reputation). Every failure takes a point from the
//! name at its address; who has lost many waits before the next password is looked at, a little longer every time,
//! and never longer than [`LONGEST`], so that nobody can lock somebody else out. A lost point comes back every
//! minute. Points are rows, so that they are the same in every process and after a restart.

use crate::{
    ctx::Ctx,
    db::Tx,
    error::Result,
    resource::reputation::{self, service as scores},
};
use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// Longest wait for one password.
pub const LONGEST: Duration = Duration::from_secs(8);
/// Most passwords at once of one name from one address, of one name, and from one network; more are refused unread.
const AT_ONCE: [usize; 3] = [8, 32, 64];
/// Longest name that is counted, in characters.
const LONGEST_NAME: usize = 150;

/// How many failures are free, what the first wait is, after how many more it doubles, and where it ends.
struct Steps {
    free: i64,
    first: Duration,
    doubles_after: i64,
    longest: Duration,
}

/// One name from one address.
const PAIR: Steps = Steps { free: 5, first: Duration::from_millis(200), doubles_after: 1, longest: LONGEST };
/// One name from other addresses than those it has signed in from.
const NAME: Steps =
    Steps { free: 20, first: Duration::from_millis(200), doubles_after: 4, longest: Duration::from_secs(2) };
/// One address, whatever the name.
const ADDRESS: Steps =
    Steps { free: 40, first: Duration::from_millis(200), doubles_after: 8, longest: Duration::from_secs(4) };

impl Steps {
    fn wait(&self, failures: i64) -> Duration {
        let over = failures - self.free;
        if over < 0 {
            return Duration::ZERO;
        }
        let doublings = u32::try_from(over / self.doubles_after).unwrap_or(u32::MAX).min(16);
        self.first.saturating_mul(1 << doublings).min(self.longest)
    }
}

/// Passwords that wait or are looked at, by name and address, by name, and by network.
#[derive(Debug, Clone, Default)]
pub struct Attempts(Arc<Mutex<HashMap<String, usize>>>);

/// One password that waits or is looked at.
pub struct Attempt {
    attempts: Attempts,
    keys: [String; 3],
    /// How many others of the same name and address there are.
    others: i64,
}

impl Attempts {
    fn begin(&self, name: &str, address: &str) -> Option<Attempt> {
        let keys = [format!("{name}\n{address}"), format!("name {name}"), format!("net {}", network(address))];
        let mut under_way = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = |key: &String| under_way.get(key).copied().unwrap_or_default();
        if keys.iter().zip(AT_ONCE).any(|(key, most)| count(key) >= most) {
            return None;
        }
        let others = i64::try_from(count(&keys[0])).unwrap_or(i64::MAX);
        for key in &keys {
            *under_way.entry(key.clone()).or_default() += 1;
        }
        Some(Attempt { attempts: self.clone(), keys, others })
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        let mut under_way = self.attempts.0.lock().unwrap_or_else(PoisonError::into_inner);
        for key in &self.keys {
            if let Some(count) = under_way.get_mut(key) {
                *count -= 1;
                if *count == 0 {
                    under_way.remove(key);
                }
            }
        }
    }
}

/// The network of an address, as far as one visitor may have all of it.
fn network(address: &str) -> String {
    match address.parse::<IpAddr>() {
        Ok(IpAddr::V6(address)) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
        _ => address.to_owned(),
    }
}

fn address(ctx: &Ctx) -> String {
    let ip = ctx.request.as_ref().and_then(|request| request.client_ip);
    ip.map_or_else(|| "255.255.255.255".to_owned(), |ip| ip.to_string())
}

/// A name as it is counted.
fn counted(name: &str) -> String {
    name.trim().chars().take(LONGEST_NAME).collect()
}

/// Waits as long as the failures so far demand, those that are still under way among them; `None` when too many are
/// under way already.
///
/// # Errors
/// When the database is away.
pub async fn wait(ctx: &Ctx, name: &str) -> Result<Option<Attempt>> {
    let (name, address) = (counted(name), address(ctx));
    let Some(attempt) = ctx.app.attempts.begin(&name, &address) else { return Ok(None) };
    let rows = reputation::store::about(ctx, &name, &address).await?;
    let (mut pair, mut all_of_name, mut all_of_address, mut known) = (attempt.others, 0, 0, false);
    for row in &rows {
        let minutes = (ctx.now - row.updated).num_minutes().max(0);
        let failures = (-row.score - minutes).max(0);
        let (same_name, same_address) = (row.identifier == name, row.ip == address);
        if same_name && same_address {
            pair += failures;
            known = row.score > 0;
        }
        all_of_name += if same_name && !same_address { failures } else { 0 };
        all_of_address += if same_address { failures } else { 0 };
    }
    let of_name = if known { Duration::ZERO } else { NAME.wait(all_of_name) };
    let wait = PAIR.wait(pair).max(of_name).max(ADDRESS.wait(all_of_address));
    tokio::time::sleep(wait).await;
    Ok(Some(attempt))
}

/// Counts a password that was wrong.
///
/// # Errors
/// When the database is away.
pub async fn failed(ctx: &Ctx, tx: &mut Tx, name: &str) -> Result<()> {
    scores::add(ctx, tx, &counted(name), &address(ctx), -1).await
}

/// Counts a sign-in.
///
/// # Errors
/// When the database is away.
pub async fn succeeded(ctx: &Ctx, tx: &mut Tx, name: &str) -> Result<()> {
    scores::add(ctx, tx, &counted(name), &address(ctx), 1).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn waits_grow_and_end(failures in 0..10_000_i64) {
            for steps in [PAIR, NAME, ADDRESS] {
                prop_assert!(steps.wait(failures) <= steps.wait(failures + 1));
                prop_assert!(steps.wait(failures) <= steps.longest && steps.longest <= LONGEST);
                prop_assert_eq!(steps.wait(failures).is_zero(), failures < steps.free);
            }
        }
    }

    #[test]
    fn only_so_many_are_under_way_at_once() {
        let attempts = Attempts::default();
        let mut under_way: Vec<_> = (0..9).filter_map(|_| attempts.begin("ann", "192.0.2.1")).collect();
        assert_eq!(under_way.len(), AT_ONCE[0]);
        assert_eq!(under_way.iter().map(|attempt| attempt.others).max(), Some(7));
        assert!(attempts.begin("ann", "192.0.2.1").is_none());
        assert!(attempts.begin("ann", "192.0.2.2").is_some(), "another address");
        assert!(attempts.begin("bob", "192.0.2.1").is_some(), "another name");
        under_way.pop();
        assert!(attempts.begin("ann", "192.0.2.1").is_some());
        drop(under_way);
        assert!(attempts.0.lock().expect("not poisoned").is_empty());
        let many: Vec<_> =
            (0..100).filter_map(|i| attempts.begin(&format!("n{i}"), &format!("2001:db8::{i:x}"))).collect();
        assert_eq!(many.len(), AT_ONCE[2], "one network");
    }
}
