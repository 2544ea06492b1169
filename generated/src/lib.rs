// @generated from api/ by `just generate`. Do not edit.
//! The contract as Rust: types and traits of every document in `api/`, and the bundled documents.
#![allow(non_snake_case, reason = "names are the documents' own")]

pub mod beta;
pub mod oauth;
pub mod v3;

/// Where the generator expects free-form objects.
pub mod types {
    pub use tessera_api_runtime::Object;
}

/// The documents as they are served.
pub mod openapi {
    /// `api/v3.yaml`, bundled, as YAML.
    pub const V3_YAML: &str = include_str!("../openapi/v3.yaml");
    /// `api/v3.yaml`, bundled, as JSON.
    pub const V3_JSON: &str = include_str!("../openapi/v3.json");
    /// `api/beta.yaml`, bundled, as YAML.
    pub const BETA_YAML: &str = include_str!("../openapi/beta.yaml");
    /// `api/beta.yaml`, bundled, as JSON.
    pub const BETA_JSON: &str = include_str!("../openapi/beta.json");
    /// `api/oauth.yaml`, bundled, as YAML.
    pub const OAUTH_YAML: &str = include_str!("../openapi/oauth.yaml");
    /// `api/oauth.yaml`, bundled, as JSON.
    pub const OAUTH_JSON: &str = include_str!("../openapi/oauth.json");

    /// Their names.
    pub const NAMES: &[&str] = &["v3", "beta", "oauth"];

    /// A document by its name, as JSON or else as YAML.
    #[must_use]
    pub fn document(name: &str, json: bool) -> Option<&'static str> {
        match (name, json) {
            ("v3", false) => Some(V3_YAML),
            ("v3", true) => Some(V3_JSON),
            ("beta", false) => Some(BETA_YAML),
            ("beta", true) => Some(BETA_JSON),
            ("oauth", false) => Some(OAUTH_YAML),
            ("oauth", true) => Some(OAUTH_JSON),
            _ => None,
        }
    }
}
