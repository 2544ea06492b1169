//! `core/users` (contract: authentik-core §3).

mod actions;
mod crud;
mod input;
mod listing;
mod service_accounts;

use crate::harness::Test;

pub fn all() -> Vec<Test> {
    [actions::all(), crud::all(), input::all(), listing::all(), service_accounts::all()].concat()
}
