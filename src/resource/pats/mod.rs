//! Personal access tokens (contract: sailpoint-pat): what people make for their scripts, which trade them for bearer
//! tokens (`protocol::token`).
//!
//! `api` implements the generated trait of `api/beta.yaml`; `scopes` says what a caller may, and `caller` who he is; `service` holds the
//! rules, with `fields` for single values and `patch` for JSON Patch; `filter` turns conditions into SQL; `usage` and
//! `expiry` write, off the path of requests, when a token was used and that it ended.

mod api;
pub mod caller;
mod entity;
pub mod expiry;
mod fields;
mod filter;
mod patch;
pub mod scopes;
pub mod service;
pub mod store;
pub mod usage;

pub use entity::{ActiveModel, Column, Entity, Model};
pub use fields::Rule;
