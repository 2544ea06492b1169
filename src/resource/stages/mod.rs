//! Stages: the steps of flows (contract: authentik-core §6.1). What they do is in [`crate::flow`].

mod api;
pub mod entity;
pub mod kinds;
mod references;
pub mod service;
pub mod settings;
pub mod store;

pub use api::{to_stage, used_by_stage};
pub use entity::{Column, Entity, Kind, Model};
pub use store::{Scope, StageView};
