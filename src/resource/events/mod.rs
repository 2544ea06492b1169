//! The audit trail as its readers see it (contract: authentik-core §7). Events are written by
//! [`crate::audit`]; this folder lists and counts them, and lets those who may add, change and remove
//! some by hand. Every such change is linked into the chain like any other.

mod api;
pub mod retention;
pub mod service;
pub mod statistics;
pub mod store;
