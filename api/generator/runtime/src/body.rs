//! Reading and decoding request bodies.

use crate::{Application, Decoder, Errors, Model, Operation, Rejection, Request, form};
use bytes::Bytes;
use http::header;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::Incoming;
use serde_json::{Map, Value, error::Category};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// A request body that can be taken once: by the operation that reads it, or else, after an answer that
/// did not need it, by the server, which must know whether the connection can go on.
#[derive(Debug, Clone)]
pub struct Body(Arc<Mutex<Option<Incoming>>>);

impl Body {
    #[must_use]
    pub fn new(body: Incoming) -> Self {
        Self(Arc::new(Mutex::new(Some(body))))
    }

    /// The body; `None` when it was taken before.
    #[must_use]
    pub fn take(&self) -> Option<Incoming> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Bounds on a request body.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub body_bytes: usize,
    /// From the end of the headers to the last byte of the body.
    pub body_time: Duration,
}

/// Where and why JSON text could not be read. Never holds the text itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MalformedJson {
    pub fault: JsonFault,
    /// 1-based.
    pub line: usize,
    /// 1-based, in characters.
    pub column: usize,
    /// 0-based, in characters from the start of the body.
    pub offset: usize,
}

/// The kinds of fault that dialects tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonFault {
    UnexpectedEnd,
    TrailingComma,
    NotUtf8,
    UnexpectedCharacter,
    /// More levels than the parser goes down.
    TooDeep,
}

impl MalformedJson {
    fn new(error: &serde_json::Error, body: &[u8]) -> Self {
        let fault = match error.classify() {
            Category::Eof => JsonFault::UnexpectedEnd,
            _ if error.to_string().starts_with("trailing comma") => JsonFault::TrailingComma,
            _ if error.to_string().starts_with("recursion limit") => JsonFault::TooDeep,
            _ => JsonFault::UnexpectedCharacter,
        };
        let line_start: usize =
            body.split_inclusive(|b| *b == b'\n').take(error.line().saturating_sub(1)).map(<[u8]>::len).sum();
        // serde_json counts bytes up to and including the offending one.
        let at = match fault {
            JsonFault::UnexpectedEnd => body.len(),
            // serde_json complains of what follows the comma.
            JsonFault::TrailingComma => {
                let found = (line_start + error.column()).saturating_sub(1).min(body.len());
                body.iter().take(found).rposition(|b| *b == b',').unwrap_or(found)
            }
            _ => (line_start + error.column()).saturating_sub(1).min(body.len()),
        };
        let characters = |bytes: &[u8]| String::from_utf8_lossy(bytes).chars().count();
        let line_start = line_start.min(at);
        Self {
            fault,
            line: error.line().max(1),
            column: characters(body.get(line_start..at).unwrap_or_default()) + 1,
            offset: characters(body.get(..at).unwrap_or_default()),
        }
    }

    fn not_utf8(error: std::str::Utf8Error, body: &[u8]) -> Self {
        let valid = body.get(..error.valid_up_to()).unwrap_or_default();
        let text = String::from_utf8_lossy(valid);
        let last = text.rsplit('\n').next().unwrap_or_default();
        Self {
            fault: JsonFault::NotUtf8,
            line: text.matches('\n').count() + 1,
            column: last.chars().count() + 1,
            offset: text.chars().count(),
        }
    }
}

/// Reads the body into `T`. What an absent body counts as, the dialect says.
///
/// # Errors
/// The [`Rejection`] of the first step that fails: media type, size and time, JSON, fields.
pub async fn read_model<A: Application, T: Model>(
    app: &A,
    op: &'static Operation,
    request: Request,
) -> Result<T, Rejection> {
    let value = read_value(app, op, request).await?;
    decode_model(app.decoder(op), op, value)
}

/// Reads the body as it is, whatever JSON it holds (`x-opaque`); a form becomes an object. What an absent body counts
/// as, the dialect says.
///
/// # Errors
/// The [`Rejection`] of the first step that fails: media type, size and time, JSON or form.
pub async fn read_value<A: Application>(app: &A, op: &'static Operation, request: Request) -> Result<Value, Rejection> {
    let header = request.parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let content_type = header.unwrap_or_default().to_owned();
    let body = read_bytes(app.limits(), op, request).await?;
    if body.is_empty() {
        let nothing = MalformedJson { fault: JsonFault::UnexpectedEnd, line: 1, column: 1, offset: 0 };
        return app.decoder(op).absent_body().ok_or(Rejection::MalformedJson(nothing));
    }
    match form::Kind::of(&content_type) {
        Some(kind) => form::read(kind, &content_type, body).await.map(Value::Object),
        None => parse(&body),
    }
}

/// Makes a `T` of a body that was read as it is.
///
/// # Errors
/// [`Rejection::NotAnObject`], or [`Rejection::Body`] with the texts of every bad field.
pub fn decode_model<T: Model>(decoder: &dyn Decoder, op: &'static Operation, value: Value) -> Result<T, Rejection> {
    let Value::Object(map) = value else { return Err(Rejection::NotAnObject(value)) };
    let map = check(decoder, T::FIELDS, map).map_err(Rejection::Body)?;
    // Not the error itself: it may quote the value, which may be a credential.
    serde_json::from_value(Value::Object(map)).map_err(|_| Rejection::Undecodable(op.id))
}

fn parse(body: &[u8]) -> Result<Value, Rejection> {
    if let Err(error) = std::str::from_utf8(body) {
        return Err(Rejection::MalformedJson(MalformedJson::not_utf8(error, body)));
    }
    serde_json::from_slice(body).map_err(|error| Rejection::MalformedJson(MalformedJson::new(&error, body)))
}

/// Checks every field, so that all faults come in one answer. Unknown names are ignored.
fn check(
    decoder: &dyn Decoder,
    fields: &'static [crate::Field],
    mut map: crate::Object,
) -> Result<crate::Object, Errors> {
    let (mut good, mut errors) = (Map::new(), Errors::new());
    for field in fields {
        match decoder.property(field, map.remove(field.name)) {
            Ok(Some(value)) => {
                good.insert(field.name.to_owned(), value);
            }
            Ok(None) => {}
            Err(texts) => {
                errors.insert(field.name.to_owned(), texts);
            }
        }
    }
    if errors.is_empty() { Ok(good) } else { Err(errors) }
}

async fn read_bytes(limits: Limits, op: &Operation, request: Request) -> Result<Bytes, Rejection> {
    let header_text = |name| request.parts.headers.get(name).and_then(|v| v.to_str().ok());
    let declared = header_text(header::CONTENT_LENGTH).and_then(|v| v.parse::<u64>().ok());
    // Without a body there is nothing whose type could be wrong.
    let has_body = declared.is_some_and(|n| n > 0) || request.parts.headers.contains_key(header::TRANSFER_ENCODING);
    let content_type = header_text(header::CONTENT_TYPE).unwrap_or_default();
    let mime = content_type.split(';').next().unwrap_or_default().trim();
    if has_body && !op.consumes.iter().any(|known| known.eq_ignore_ascii_case(mime)) {
        return Err(Rejection::UnsupportedMediaType(content_type.to_owned()));
    }
    if declared.is_some_and(|n| n > limits.body_bytes as u64) {
        return Err(Rejection::PayloadTooLarge);
    }
    let Some(body) = request.body.take() else { return Err(Rejection::BrokenBody) };
    let collected = Limited::new(body, limits.body_bytes).collect();
    match tokio::time::timeout(limits.body_time, collected).await {
        Err(_) => Err(Rejection::BodyTimeout),
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Rejection::PayloadTooLarge),
        Ok(Err(_)) => Err(Rejection::BrokenBody),
    }
}
