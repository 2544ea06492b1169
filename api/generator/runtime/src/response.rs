//! Responses: every body is in memory before its first byte is sent.

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use http_body_util::Full;
use serde::Serialize;

pub type Response = http::Response<Full<Bytes>>;

/// The media type of every JSON answer.
pub const JSON: &str = "application/json; charset=utf-8";

/// What a generated response enum can do.
pub trait IntoResponse {
    fn into_response(self) -> Response;
}

/// A body that is not one JSON type, or of one of several media types: the handler names it.
#[derive(Debug, Clone)]
pub struct Raw {
    pub mime: &'static str,
    pub bytes: Bytes,
}

/// A file to save (`x-attachment`).
#[derive(Debug, Clone)]
pub struct Attachment {
    pub mime: &'static str,
    /// What the client may call it.
    pub name: String,
    pub bytes: Bytes,
}

/// A response with a body of the given media type. A status outside 100..=999 (no document can
/// declare one) counts as 500, here and below.
pub fn raw(status: u16, mime: &'static str, body: impl Into<Bytes>) -> Response {
    let mut response = http::Response::new(Full::new(body.into()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(mime));
    response
}

/// A JSON response. A body that cannot be written as JSON (a map with keys that are no text; the
/// generated models have none) becomes an empty 500.
pub fn json(status: u16, body: &impl Serialize) -> Response {
    match serde_json::to_vec(body) {
        Ok(bytes) => raw(status, JSON, bytes),
        Err(_) => empty(500),
    }
}

/// A response without a body.
#[must_use]
pub fn empty(status: u16) -> Response {
    let mut response = Response::default();
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response
}

/// A file to save. A name that no header can hold is left out.
#[must_use]
pub fn attachment(status: u16, file: Attachment) -> Response {
    let mut response = raw(status, file.mime, file.bytes);
    let name = file.name.replace(['"', '\\'], "_");
    let disposition = HeaderValue::try_from(format!("attachment; filename=\"{name}\""))
        .unwrap_or(HeaderValue::from_static("attachment"));
    response.headers_mut().insert(header::CONTENT_DISPOSITION, disposition);
    response
}

/// Sends the client elsewhere, with a page of nothing. An address that no header can hold becomes an empty 500.
#[must_use]
pub fn redirect(status: u16, location: &str) -> Response {
    let Ok(location) = HeaderValue::try_from(location) else { return empty(500) };
    let mut response = empty(status);
    response.headers_mut().insert(header::LOCATION, location);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    response
}
