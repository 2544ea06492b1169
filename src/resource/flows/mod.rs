//! Flows: the way through stages that a visit takes (contract: authentik-core §6.1). What they do is in
//! [`crate::flow`].

mod api;
pub mod entity;
mod export;
pub mod service;
pub mod store;
mod yaml;

pub use entity::{Authentication, Column, DeniedAction, Designation, Entity, Layout, Model};
