//! One folder per resource: entity, store (queries), service (rules), api (the generated trait).

pub mod applications;
pub mod bindings;
pub mod brands;
pub mod events;
pub mod flows;
pub mod grants;
pub mod groups;
pub mod keypairs;
pub mod pats;
pub mod permissions;
pub mod policies;
pub mod prompts;
pub mod reputation;
pub mod roles;
pub mod sessions;
pub mod settings;
pub mod stage_bindings;
pub mod stages;
pub mod system;
pub mod tokens;
pub mod users;
