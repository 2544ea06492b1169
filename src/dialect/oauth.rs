//! The wire format of OAuth 2.0 (RFC 6749 §5.2): errors as `{"error": …, "error_description": …}`.

use super::{Asked, Failure, beta};
use crate::error::{Error, GrantFault};
use http::{HeaderValue, header};
use serde_json::{Value, json};
use std::borrow::Cow;
use tessera_api_runtime::{Decoder, Field, Rejection, Response, json as answer};

/// Reads parameters: text as it is.
#[derive(Debug)]
pub struct OAuth;

impl Decoder for OAuth {
    fn property(&self, _: &'static Field, value: Option<Value>) -> Result<Option<Value>, Value> {
        match value {
            None => Ok(None),
            Some(value @ Value::String(_)) => Ok(Some(value)),
            Some(_) => Err(json!("Text is wanted.")),
        }
    }

    fn parameter(&self, _: &'static Field, values: &[Cow<'_, str>]) -> Result<Option<Value>, Value> {
        match values {
            [] => Ok(None),
            [one] => Ok(Some(Value::from(one.as_ref()))),
            // RFC 6749 §3.2.
            _ => Err(json!("This parameter was given more than once.")),
        }
    }
}

fn fault(status: u16, error: &str, description: &str) -> Response {
    answer(status, &json!({"error": error, "error_description": description}))
}

fn invalid_request(status: u16, description: &str) -> Response {
    fault(status, "invalid_request", description)
}

/// The answer to a failure. What went wrong inside is not told, only the id under which the log has it.
#[must_use]
pub fn failure(asked: Asked<'_>, failure: Failure) -> Response {
    match failure {
        Failure::Error(error) => of_error(asked, &error),
        Failure::Rejection(rejection) => of_rejection(asked, rejection),
    }
}

fn of_error(asked: Asked<'_>, error: &Error) -> Response {
    match error {
        Error::Grant(GrantFault::InvalidRequest(text)) => invalid_request(400, text),
        Error::Grant(GrantFault::UnsupportedGrantType) => {
            fault(400, "unsupported_grant_type", "This server has no such grant.")
        }
        Error::Grant(GrantFault::InvalidClient { basic }) => {
            let mut response = fault(401, "invalid_client", "Bad client credentials");
            if *basic {
                let challenge = HeaderValue::from_static("Basic realm=\"tessera\"");
                response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
            }
            response
        }
        Error::Throttled { seconds } => beta::too_many(*seconds),
        Error::Unavailable(_) => {
            let mut response = fault(503, "temporarily_unavailable", "The server cannot answer right now; try again.");
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(1));
            response
        }
        Error::NotFound => invalid_request(404, "There is nothing at this address."),
        Error::Internal(_) => {
            let text = format!("Something went wrong. The log has it under {}.", asked.request_id);
            fault(500, "server_error", &text)
        }
        other => invalid_request(400, &other.to_string()),
    }
}

fn of_rejection(asked: Asked<'_>, rejection: Rejection) -> Response {
    match rejection {
        Rejection::UnknownPath | Rejection::PathParameter(_) => {
            invalid_request(404, "There is nothing at this address.")
        }
        Rejection::MethodNotAllowed { .. } => {
            invalid_request(405, &format!("This address does not answer {}.", asked.method))
        }
        Rejection::NotAcceptable => invalid_request(406, "Answers are application/json."),
        Rejection::UnsupportedMediaType(_) => {
            invalid_request(400, "Parameters are sent as application/x-www-form-urlencoded or multipart/form-data.")
        }
        Rejection::RepeatedField(name) => invalid_request(400, &format!("{name} was given more than once.")),
        Rejection::Query(errors) | Rejection::Body(errors) => {
            let text: Vec<String> =
                errors.iter().map(|(name, text)| format!("{name}: {}", text.as_str().unwrap_or_default())).collect();
            invalid_request(400, &text.join(" "))
        }
        Rejection::PayloadTooLarge => invalid_request(413, "The request body is too large."),
        Rejection::BodyTimeout => invalid_request(408, "The request body did not arrive in time."),
        Rejection::MalformedJson(_) | Rejection::MalformedForm | Rejection::NotAnObject(_) | Rejection::BrokenBody => {
            invalid_request(400, "The request body cannot be read.")
        }
        // An error of the server's own by the time it comes here (see `Failure`).
        Rejection::Undecodable(_) => fault(500, "server_error", "Something went wrong."),
    }
}
