//! What is remembered of decisions, for a generation (see [`crate::db`]): whatever changes a policy, a
//! binding, a group or an account ends it, here at once and in other processes within half a second.

use super::{engine::Said, run::Settings};
use crate::resource::bindings;
use chrono::{DateTime, TimeDelta, Utc};
use quick_cache::{Weighter, sync::Cache};
use std::{collections::HashSet, net::IpAddr, sync::Arc};
use uuid::Uuid;

/// How long a result counts, in seconds: the original's `cache_timeout_policies`.
pub const RESULT_SECONDS: i64 = 300;

/// How much of each is remembered at most, in bytes, roughly.
const CAPACITY: u64 = 8 << 20;
/// What one entry of anything takes beside its texts, in bytes, roughly.
const ENTRY: usize = 256;

/// What a result is about: one binding, and one account at one place, with one token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key {
    pub binding: Uuid,
    pub user: i32,
    pub address: Option<IpAddr>,
    pub token: Option<Uuid>,
}

/// An enabled binding, with its policy read.
#[derive(Debug, Clone)]
pub struct Bound {
    pub binding: bindings::Model,
    pub policy: Option<Policy>,
}

/// A policy that is bound.
#[derive(Debug, Clone)]
pub struct Policy {
    pub id: Uuid,
    pub name: String,
    pub execution_logging: bool,
    pub settings: Settings,
    /// Length of its settings as JSON, in bytes.
    pub size: usize,
}

#[derive(Debug, Clone)]
struct Known {
    generation: u64,
    until: DateTime<Utc>,
    said: Arc<Said>,
}

#[derive(Debug, Clone)]
struct Weights;

impl Weighter<Key, Known> for Weights {
    fn weight(&self, _: &Key, known: &Known) -> u64 {
        (ENTRY + known.said.messages.iter().map(|text| text.len() + size_of::<String>()).sum::<usize>()) as u64
    }
}

impl Weighter<Uuid, (u64, Arc<Vec<Bound>>)> for Weights {
    fn weight(&self, _: &Uuid, known: &(u64, Arc<Vec<Bound>>)) -> u64 {
        let of = |bound: &Bound| ENTRY + bound.policy.as_ref().map_or(0, |policy| policy.size);
        (ENTRY + known.1.iter().map(of).sum::<usize>()) as u64
    }
}

impl Weighter<i32, (u64, Arc<HashSet<Uuid>>)> for Weights {
    fn weight(&self, _: &i32, known: &(u64, Arc<HashSet<Uuid>>)) -> u64 {
        (ENTRY + known.1.len() * 2 * size_of::<Uuid>()) as u64
    }
}

/// See the module.
#[derive(Debug)]
pub struct Memory {
    results: Cache<Key, Known, Weights>,
    bindings: Cache<Uuid, (u64, Arc<Vec<Bound>>), Weights>,
    groups: Cache<i32, (u64, Arc<HashSet<Uuid>>), Weights>,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            results: Cache::with_weighter(1000, CAPACITY, Weights),
            bindings: Cache::with_weighter(1000, CAPACITY, Weights),
            groups: Cache::with_weighter(1000, CAPACITY, Weights),
        }
    }
}

impl Memory {
    #[must_use]
    pub fn result(&self, generation: u64, now: DateTime<Utc>, key: Key) -> Option<Arc<Said>> {
        let known = self.results.get(&key)?;
        (known.generation == generation && now < known.until).then_some(known.said)
    }

    pub fn keep_result(&self, generation: u64, now: DateTime<Utc>, key: Key, said: Arc<Said>) {
        let until = now + TimeDelta::seconds(RESULT_SECONDS);
        self.results.insert(key, Known { generation, until, said });
    }

    #[must_use]
    pub fn bindings(&self, generation: u64, target: Uuid) -> Option<Arc<Vec<Bound>>> {
        self.bindings.get(&target).filter(|known| known.0 == generation).map(|known| known.1)
    }

    pub fn keep_bindings(&self, generation: u64, target: Uuid, bindings: Vec<Bound>) -> Arc<Vec<Bound>> {
        let bindings = Arc::new(bindings);
        self.bindings.insert(target, (generation, Arc::clone(&bindings)));
        bindings
    }

    #[must_use]
    pub fn groups(&self, generation: u64, user: i32) -> Option<Arc<HashSet<Uuid>>> {
        self.groups.get(&user).filter(|known| known.0 == generation).map(|known| known.1)
    }

    pub fn keep_groups(&self, generation: u64, user: i32, groups: HashSet<Uuid>) -> Arc<HashSet<Uuid>> {
        let groups = Arc::new(groups);
        self.groups.insert(user, (generation, Arc::clone(&groups)));
        groups
    }

    /// How many results would count if they were asked for now.
    #[must_use]
    pub fn count(&self, generation: u64, now: DateTime<Utc>) -> usize {
        self.results.iter().filter(|(_, known)| known.generation == generation && now < known.until).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_end_with_time_and_with_the_generation() {
        let memory = Memory::default();
        let key = Key { binding: Uuid::nil(), user: 1, address: None, token: None };
        let now = DateTime::UNIX_EPOCH;
        memory.keep_result(7, now, key, Arc::default());
        assert!(memory.result(7, now, key).is_some());
        assert_eq!(memory.count(7, now), 1);
        assert!(memory.result(8, now, key).is_none(), "something changed");
        let later = now + TimeDelta::seconds(RESULT_SECONDS);
        assert!(memory.result(7, later, key).is_none(), "it is too old");
        assert_eq!((memory.count(8, now), memory.count(7, later)), (0, 0));
        assert!(memory.result(7, now, Key { user: 2, ..key }).is_none(), "somebody else");
        assert!(memory.result(7, now, Key { token: Some(Uuid::nil()), ..key }).is_none(), "another token");
    }
}
