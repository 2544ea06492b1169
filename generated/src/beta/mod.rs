// @generated from api/ by `just generate`. Do not edit.
//! `api/beta.yaml`.
pub mod apis;
pub mod models;

/// Where the document is mounted (its `servers`).
pub const BASES: &[&str] = &["/beta", "/v3", "/v2024", "/v2025", "/v2026"];
