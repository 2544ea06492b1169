//! One folder per resource: entity, store (queries), service (rules), api (the generated trait).

pub mod events;
pub mod grants;
pub mod groups;
pub mod permissions;
pub mod roles;
pub mod settings;
pub mod system;
pub mod tokens;
pub mod users;
