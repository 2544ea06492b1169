//! `core/groups` (contract: authentik-core §4.1).

mod crud;
mod listing;
mod members;

use crate::harness::Test;

pub fn all() -> Vec<Test> {
    [crud::all(), listing::all(), members::all()].concat()
}

/// A key that no group has.
pub const UNKNOWN: &str = "00000000-0000-4000-8000-000000000000";
