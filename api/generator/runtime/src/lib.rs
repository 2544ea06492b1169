//! What the generated code calls: the operation table, routing, decoding and responses.
//!
//! Generated code (crate `tessera-api`) holds only facts of the documents: one trait per resource,
//! one struct per schema, one [`Operation`] per operation and one [`Field`] per writable property or
//! parameter. Everything that happens is here or, where the wire format decides, behind [`Decoder`]
//! and [`Application`], which the server implements. This crate knows no dialect and no resource.

mod body;
mod decode;
mod field;
mod form;
mod operation;
mod response;
mod route;
mod time;

pub use body::{Body, JsonFault, Limits, MalformedJson, decode_model, read_model, read_value};
pub use decode::{Decoder, path_parameter, query};
pub use field::{Field, Kind, Model};
pub use operation::{Access, Operation, Security};
pub use response::{Attachment, IntoResponse, JSON, Raw, Response, attachment, empty, json, raw, redirect};
pub use route::{Application, BoxFuture, Found, Request, Router, RouterBuilder};
pub use time::{Micros, Millis};

/// A free-form JSON object (`additionalProperties: {}`).
pub type Object = serde_json::Map<String, serde_json::Value>;
/// Any JSON value.
pub type Value = serde_json::Value;
/// Error texts by field name; the dialect decides the texts and how deep they nest.
pub type Errors = serde_json::Map<String, serde_json::Value>;

/// Why a request did not reach its handler. The dialect turns it into a body and a status.
#[derive(Debug)]
pub enum Rejection {
    /// No operation at this path.
    UnknownPath,
    /// The path exists, the method does not; `allow` is the value of the `Allow` header.
    MethodNotAllowed { allow: String },
    /// The client accepts none of what the operation produces.
    NotAcceptable,
    /// The body's media type is none of what the operation consumes.
    UnsupportedMediaType(String),
    /// The body is not JSON.
    MalformedJson(MalformedJson),
    /// The body is longer than [`Limits::body_bytes`].
    PayloadTooLarge,
    /// The body did not arrive within [`Limits::body_time`].
    BodyTimeout,
    /// The connection broke while the body was read.
    BrokenBody,
    /// The body is no form of the media type that it says it is.
    MalformedForm,
    /// A form has a field with two values (RFC 6749 §3.2).
    RepeatedField(String),
    /// A path parameter is not of its type, so no object can have this address.
    PathParameter(&'static str),
    /// Query parameters that the dialect refuses.
    Query(Errors),
    /// Properties of the body that the dialect refuses, all of them together.
    Body(Errors),
    /// The body is JSON, but not an object.
    NotAnObject(Value),
    /// The dialect let a value through that the generated type of this operation refuses: our fault,
    /// not the caller's.
    Undecodable(&'static str),
}

/// Stands in a `Debug` output where a credential would be.
pub struct Redacted;

impl std::fmt::Debug for Redacted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

/// Reads an optional property that may be null: absent is `None`, null is `Some(None)`.
///
/// # Errors
/// Whatever the value's own deserialisation reports.
pub fn double_option<'de, D, T>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: serde::Deserialize<'de>,
{
    serde::Deserialize::deserialize(deserializer).map(Some)
}
