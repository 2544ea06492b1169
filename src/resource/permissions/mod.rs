//! Permissions: which there are, who holds which, and handing them out
//! (contract: authentik-rbac §3–5). The table of grants and its rules are in [`super::grants`].

mod api;
pub mod assign;
pub mod holders;
pub mod object_grants;
