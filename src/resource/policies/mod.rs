//! Policies: rules that an administrator writes once and binds anywhere (contract: authentik-core §5).

mod api;
pub mod entity;
pub mod kinds;
pub mod service;
pub mod store;

pub use api::{outcome_to_model, to_model};
pub use entity::{Column, Entity, Kind, Model};
