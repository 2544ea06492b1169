//! Roles: named sets of permissions that groups carry (contract: authentik-rbac §2, §6). Their table and
//! that of their permissions are in [`super::grants`].

mod api;
pub mod service;
pub mod store;
