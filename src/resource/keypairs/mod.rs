//! Key pairs that sign bearer tokens: one signs, and those before it vouch for what they signed until it has ended.
//!
//! `protocol` signs and checks with [`crate::secret::jwt::KeyRing`], which [`service::ring`] makes of the table; an
//! OAuth provider's keys belong here, too.

mod entity;
pub mod service;
mod store;

pub use entity::{ActiveModel, Column, Entity, Model};
