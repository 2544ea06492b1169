//! SailPoint's wire format (contract: sailpoint-pat §3, §5, §8): errors in an envelope with a code in words, but
//! for 401 and 429, which are bare; conditions as text in the query.

mod fields;
pub mod filter;

use super::{Asked, Failure};
use crate::error::{Error, FieldErrors, Problem};
use http::{HeaderValue, header};
use serde_json::{Value, json};
use std::borrow::Cow;
use tessera_api_runtime::{Decoder, Errors, Field, Rejection, Response, json as answer};

/// Reads values the way the original's clients write them.
#[derive(Debug)]
pub struct Beta;

impl Decoder for Beta {
    fn absent_body(&self) -> Option<Value> {
        None
    }

    fn property(&self, field: &'static Field, value: Option<Value>) -> Result<Option<Value>, Value> {
        fields::property(field, value).map_err(Fault::into_value)
    }

    fn parameter(&self, _: &'static Field, values: &[Cow<'_, str>]) -> Result<Option<Value>, Value> {
        fields::parameter(values).map_err(Fault::into_value)
    }
}

/// The codes of refused requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Code {
    Syntax,
    Content,
    Missing,
    Illegal,
    Limit,
    Conflict,
}

impl Code {
    const ALL: [Self; 6] = [Self::Syntax, Self::Content, Self::Missing, Self::Illegal, Self::Limit, Self::Conflict];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Syntax => "400.0 Bad request syntax",
            Self::Content => "400.1 Bad Request Content",
            Self::Missing => "400.1.0 Required Data Missing Or Empty",
            Self::Illegal => "400.1.3 Illegal value",
            Self::Limit => "400.1.4 Limit violation",
            Self::Conflict => "400.1.409 Reference conflict",
        }
    }
}

/// What is wrong with one value.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Fault {
    code: Code,
    text: String,
}

impl Fault {
    fn new(code: Code, text: impl Into<String>) -> Self {
        Self { code, text: text.into() }
    }

    fn illegal(text: impl Into<String>) -> Self {
        Self::new(Code::Illegal, text)
    }

    /// For the way through the runtime, which knows no codes.
    fn into_value(self) -> Value {
        json!([self.code.as_str(), self.text])
    }

    fn of_value(value: &Value) -> Self {
        let code = value.get(0).and_then(Value::as_str).unwrap_or_default();
        let code = Code::ALL.into_iter().find(|known| known.as_str() == code).unwrap_or(Code::Content);
        Self::new(code, value.get(1).and_then(Value::as_str).unwrap_or_default())
    }
}

const CONTENT: &str = "The request was syntactically correct but its content is semantically invalid.";
const FORBIDDEN: &str = "The server understood the request but refuses to authorize it.";
const NOT_FOUND: &str = "The server did not find a current representation for the target resource.";

/// The answer to a failure. What went wrong inside is not told, only the id under which the log has it.
#[must_use]
pub fn failure(asked: Asked<'_>, failure: Failure) -> Response {
    match failure {
        Failure::Error(error) => of_error(asked, &error),
        Failure::Rejection(rejection) => of_rejection(asked, rejection),
    }
}

fn envelope(asked: Asked<'_>, status: u16, code: &str, text: &str) -> Response {
    // As the original: once in its own language, once in whatever was asked for, and both say the same.
    let message = |locale: &str, origin: &str| json!({"locale": locale, "localeOrigin": origin, "text": text});
    answer(
        status,
        &json!({
            "detailCode": code,
            "trackingId": asked.request_id,
            "messages": [message("en-US", "DEFAULT"), message("und", "REQUEST")],
            "causes": [],
        }),
    )
}

fn refused(asked: Asked<'_>, code: Code, text: &str) -> Response {
    envelope(asked, 400, code.as_str(), text)
}

/// An answer to bad credentials, which is no envelope.
fn unauthorized(text: &str) -> Response {
    answer(401, &json!({"error": text}))
}

fn of_error(asked: Asked<'_>, error: &Error) -> Response {
    match error {
        Error::NotAuthenticated => unauthorized("JWT is required"),
        Error::CredentialsEnded => unauthorized("JWT validation failed: JWT is expired"),
        Error::InvalidCredentials | Error::UnsupportedScheme | Error::ImpersonationRefused => {
            unauthorized("JWT validation failed: JWT is invalid")
        }
        Error::Csrf(_) | Error::Forbidden => envelope(asked, 403, "403 Forbidden", FORBIDDEN),
        Error::NotFound | Error::InvalidPage => envelope(asked, 404, "404 Not found", NOT_FOUND),
        Error::Invalid(errors) => several(asked, &by_field(errors)),
        Error::Refused(text) | Error::RefusedList(text) => refused(asked, Code::Content, text),
        Error::RefusedField(field, text) => refused(asked, Code::Illegal, &format!("{field}: {text}")),
        Error::Unexplained | Error::Grant(_) => refused(asked, Code::Content, CONTENT),
        Error::Throttled { seconds } => too_many(*seconds),
        Error::Unavailable(_) => {
            let text = "The server cannot answer right now; try again.";
            let mut response = envelope(asked, 503, "503 Service Unavailable", text);
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(1));
            response
        }
        Error::Internal(_) => envelope(asked, 500, "500.0 Internal Fault", "An internal fault occurred."),
    }
}

/// The answer to too many requests, which is no envelope either.
pub(super) fn too_many(seconds: u32) -> Response {
    let mut response = answer(429, &json!({"message": " Rate Limit Exceeded "}));
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    response
}

fn by_field(errors: &FieldErrors) -> Vec<(String, Fault)> {
    let fault = |problem: &Problem| match problem {
        Problem::Taken(_) => Fault::new(Code::Conflict, "Another one has this value already."),
        Problem::UnknownKey(_) | Problem::UnknownChoice(_) | Problem::NoSuchChoice | Problem::UnknownItem(..) => {
            Fault::illegal("There is no such object.")
        }
        Problem::Rule(text) => Fault::illegal(text),
        Problem::Missing(text) => Fault::new(Code::Missing, text),
        Problem::Limit(text) => Fault::new(Code::Limit, text),
    };
    errors.iter().flat_map(|(field, all)| all.iter().map(move |p| (field.to_owned(), fault(p)))).collect()
}

/// All faults in one answer, whose code is theirs when they agree.
fn several(asked: Asked<'_>, faults: &[(String, Fault)]) -> Response {
    let mut codes = faults.iter().map(|(_, fault)| fault.code);
    let first = codes.next().unwrap_or(Code::Content);
    let code = if codes.all(|code| code == first) { first } else { Code::Content };
    let text: Vec<String> = faults.iter().map(|(field, fault)| format!("{field}: {}", fault.text)).collect();
    refused(asked, code, &text.join(" "))
}

fn of_errors(asked: Asked<'_>, errors: &Errors) -> Response {
    let faults: Vec<_> = errors.iter().map(|(field, fault)| (field.clone(), Fault::of_value(fault))).collect();
    several(asked, &faults)
}

fn of_rejection(asked: Asked<'_>, rejection: Rejection) -> Response {
    match rejection {
        Rejection::UnknownPath | Rejection::PathParameter(_) => envelope(asked, 404, "404 Not found", NOT_FOUND),
        Rejection::MethodNotAllowed { .. } => {
            let text = format!("The target resource does not support {}.", asked.method);
            envelope(asked, 405, "405 Method not allowed", &text)
        }
        Rejection::NotAcceptable => envelope(asked, 406, "406 Not acceptable", "Answers are application/json."),
        Rejection::UnsupportedMediaType(mime) => {
            let text = format!("The media type \"{mime}\" is not supported here.");
            envelope(asked, 415, "415 Unsupported media type", &text)
        }
        Rejection::MalformedJson(_) | Rejection::MalformedForm | Rejection::RepeatedField(_) => {
            refused(asked, Code::Syntax, "The request could not be parsed.")
        }
        Rejection::BrokenBody => refused(asked, Code::Syntax, "The request body is incomplete."),
        Rejection::PayloadTooLarge => envelope(asked, 413, "413 Content too large", "The request body is too large."),
        Rejection::BodyTimeout => {
            envelope(asked, 408, "408 Request timeout", "The request body did not arrive in time.")
        }
        Rejection::Query(errors) | Rejection::Body(errors) => of_errors(asked, &errors),
        Rejection::NotAnObject(_) => refused(asked, Code::Content, CONTENT),
        // An error of the server's own by the time it comes here (see `Failure`).
        Rejection::Undecodable(_) => envelope(asked, 500, "500.0 Internal Fault", "An internal fault occurred."),
    }
}
