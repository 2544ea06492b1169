//! Bindings of stages to flows: which stages a flow has, in which order (contract: authentik-core §6.1).

pub mod api;
pub mod entity;
pub mod gone;
pub mod service;
pub mod store;

pub use entity::{Column, Entity, InvalidResponse, Model};
