//! Accounts (contract: authentik-core §3).
//!
//! `api` implements the generated trait and converts; `service` holds the rules; `store` the queries;
//! `view` is an account as others see it, with its groups, read in one statement.

mod api;
pub mod avatar;
pub mod entity;
pub mod erasure;
pub mod impersonation;
pub mod own;
pub mod profile;
pub mod service;
pub mod service_account;
pub mod store;
pub mod view;

pub use api::{object, to_model, uid};
pub use entity::{ActiveModel, Column, Entity, Kind, Model};
