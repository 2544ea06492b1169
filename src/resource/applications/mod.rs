//! Applications: what people are let into, as far as policies decide about it (contract: authentik-core
//! §4.2). How they log in there comes with providers.

mod api;
pub mod entity;
mod launch;
pub mod service;
pub mod store;

pub use entity::{Column, Entity, Model};
