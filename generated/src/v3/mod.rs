// @generated from api/ by `just generate`. Do not edit.
//! `api/v3.yaml`.
pub mod apis;
pub mod models;

/// Where the document is mounted (its `servers`).
pub const BASES: &[&str] = &["/api/v3"];
