//! Brands: which flows a host name uses, and what its pages are called.

mod api;
pub mod entity;
pub mod service;
pub mod store;

pub use entity::{Column, Entity, Model};
