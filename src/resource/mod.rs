//! One folder per resource: entity, store (queries), service (rules), api (the generated trait).

pub mod applications;
pub mod bindings;
pub mod events;
pub mod grants;
pub mod groups;
pub mod permissions;
pub mod policies;
pub mod reputation;
pub mod roles;
pub mod settings;
pub mod system;
pub mod tokens;
pub mod users;
