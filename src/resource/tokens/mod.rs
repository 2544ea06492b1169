//! Tokens (contract: authentik-core §2).
//!
//! `api` implements the generated trait and converts; `service` holds the rules; `store` the queries,
//! every one of which starts at what the caller may see.

mod api;
mod entity;
pub mod service;
pub mod store;

pub use entity::{ActiveModel, Column, Entity, Intent, Model};
