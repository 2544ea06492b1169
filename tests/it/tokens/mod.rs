//! `core/tokens` (contract: authentik-core §2).

mod crud;
mod expiry;
mod input;
mod keys;
mod listing;
mod owners;

use crate::harness::Test;

pub fn all() -> Vec<Test> {
    [crud::all(), expiry::all(), input::all(), keys::all(), listing::all(), owners::all()].concat()
}

/// When a token made at the beginning ends by default: 30 minutes later.
pub const USUAL_END: &str = "2026-01-02T03:34:05.678901Z";
