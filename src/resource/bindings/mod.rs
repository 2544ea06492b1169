//! Policy bindings: which policy, group or user decides about which target, in which order
//! (contract: authentik-core §5.1, §5.4).

mod api;
pub mod entity;
pub mod service;
pub mod store;

pub use entity::{Column, Entity, Model, target};
