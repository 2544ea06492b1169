//! Tokens (contract: authentik-core §2).
//!
//! `api` implements the generated trait and converts; `service`, `keys`, `expiry` and `usage` hold the
//! rules; `store` the queries, every one of which starts at what the caller may see.

mod api;
mod entity;
pub mod expiry;
pub mod keys;
pub mod service;
pub mod store;
pub mod usage;

pub use entity::{ActiveModel, Column, Entity, Intent, Model};
