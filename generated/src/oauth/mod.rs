// @generated from api/ by `just generate`. Do not edit.
//! `api/oauth.yaml`.
pub mod apis;
pub mod models;

/// Where the document is mounted (its `servers`).
pub const BASES: &[&str] = &[""];
