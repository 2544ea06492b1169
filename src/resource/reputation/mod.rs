//! Reputation: scores of names and addresses, which fall with failed logins and rise with good ones
//! (contract: authentik-core §5.7).

mod api;
pub mod entity;
pub mod service;
pub mod store;

pub use entity::{Column, Entity, Model};
