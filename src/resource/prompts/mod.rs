//! Prompts: the fields that prompt stages ask for (contract: authentik-core §6.1, "Prompts").

mod api;
pub mod entity;
pub mod render;
pub mod service;
pub mod store;

pub use api::to_stage_prompt;
pub use entity::{Column, Entity, Kind, Model};
