//! Grants: which permission a user or a role holds, on everything or on one object
//! (contract: authentik-rbac §1). They reach a caller through [`store::of_user`], once per remembered
//! principal; [`crate::access`] decides with them.

pub mod catalogue;
mod entity;
pub mod objects;
pub mod roles;
pub mod service;
pub mod store;

pub use entity::{ActiveModel, Column, Entity, Model};
pub use store::Holder;
