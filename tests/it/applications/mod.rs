//! `core/applications` (contract: authentik-core §4.2).

mod access;
mod crud;
mod icon;
mod input;
mod list;
mod metrics;

use crate::harness::Test;

pub fn all() -> Vec<Test> {
    [access::all(), crud::all(), icon::all(), input::all(), list::all(), metrics::all()].concat()
}

pub const PATH: &str = "/core/applications/";

/// The path of an application.
pub fn path(slug: &str) -> String {
    format!("{PATH}{slug}/")
}
