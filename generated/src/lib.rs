// @generated from api/ by `just generate`. Do not edit.
//! The contract as Rust: types and traits of every document in `api/`, and the bundled documents.
#![allow(non_snake_case, reason = "names are the documents' own")]

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
}
