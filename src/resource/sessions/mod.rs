//! Sessions: what a browser's cookie stands for (contract: authentik-core §1.1, §4.3). A session holds who
//! signed in, and the plan of the flow that is under way ([`crate::flow`]).

mod api;
pub mod entity;
pub mod own;
pub mod service;
pub mod store;
pub mod usage;
mod user_agent;

pub use entity::{Column, Entity, Model};
pub use service::{Slot, csrf_matches, csrf_token};
