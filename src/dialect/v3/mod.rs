//! authentik's wire format (contract: authentik-core §1): errors as `{"detail": …}` or texts by field,
//! pages with their numbers, authentication failures as 403.

mod fields;
pub mod python;
mod query;
mod url;

pub use fields::is_email;

use super::{Asked, Failure};
use crate::{
    error::{Error, FieldErrors, Problem},
    list::{Page, Point},
};
use http::{HeaderValue, header};
use serde_json::{Map, Value, json};
use tessera_api::v3::models::{self, UsedByActionEnum};
use tessera_api_runtime::{
    Decoder, Errors, Field, JsonFault, MalformedJson, Operation, Rejection, Response, empty, json, raw,
};

/// Reads values the way authentik does.
#[derive(Debug)]
pub struct V3;

impl Decoder for V3 {
    fn property(&self, field: &'static Field, value: Option<Value>) -> Result<Option<Value>, Value> {
        fields::property(field, value)
    }

    fn parameter(&self, field: &'static Field, values: &[std::borrow::Cow<'_, str>]) -> Result<Option<Value>, Value> {
        query::parameter(field, values)
    }
}

/// What deleting the target does to the object that refers to it.
pub const CASCADE_MANY: UsedByActionEnum = UsedByActionEnum::CascadeMany;
pub const CASCADE: UsedByActionEnum = UsedByActionEnum::Cascade;
pub const SET_NULL: UsedByActionEnum = UsedByActionEnum::SetNull;

/// One line of a `used_by` answer.
pub fn used_by(
    app: &str,
    model: &str,
    pk: impl ToString,
    name: impl Into<String>,
    action: UsedByActionEnum,
) -> models::UsedBy {
    models::UsedBy { app: app.into(), model_name: model.into(), pk: pk.to_string(), name: name.into(), action }
}

/// A page and its numbers; 0 where there is no next or previous page.
#[must_use]
pub fn page<T>(page: Page<T>) -> (models::Pagination, Vec<T>) {
    let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let (start, end) = page.span();
    let pagination = models::Pagination {
        next: if page.number < page.pages { number(page.number + 1) } else { 0 },
        previous: number(page.number.saturating_sub(1)),
        count: number(page.count),
        current: number(page.number),
        total_pages: number(page.pages),
        start_index: number(start),
        end_index: number(end),
    };
    (pagination, page.items)
}

/// Points of a curve.
#[must_use]
pub fn curve(points: Vec<Point>) -> Vec<models::Coordinate> {
    points.into_iter().map(|p| models::Coordinate { x_cord: p.at, y_cord: p.count }).collect()
}

/// A value as Python's `str` has it: `5`, `None`, `['a']`.
#[must_use]
pub fn python_text(value: &Value) -> String {
    python::text(value)
}

fn detail(status: u16, text: impl Into<String>) -> Response {
    json(status, &json!({"detail": text.into()}))
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
        Error::NotAuthenticated => detail(403, "Authentication credentials were not provided."),
        Error::InvalidCredentials | Error::CredentialsEnded => detail(403, "Token invalid/expired"),
        Error::UnsupportedScheme => detail(403, "Unsupported authentication type"),
        Error::Csrf(why) => detail(403, format!("CSRF Failed: {why}")),
        Error::Forbidden => detail(403, "You do not have permission to perform this action."),
        Error::ImpersonationRefused => empty(401),
        Error::NotFound => detail(404, "Not found."),
        Error::InvalidPage => detail(404, "Invalid page."),
        Error::Invalid(errors) => json(400, &field_texts(errors)),
        Error::Refused(text) => json(400, &json!({"non_field_errors": [text]})),
        Error::RefusedList(text) => json(400, &json!([text])),
        Error::RefusedField(field, text) => json(400, &Map::from_iter([((*field).to_owned(), json!(text))])),
        // Of the token endpoint, which speaks another dialect.
        Error::Unexplained | Error::Grant(_) => empty(400),
        Error::Throttled { seconds } => {
            let unit = if *seconds == 1 { "second" } else { "seconds" };
            let mut response = detail(429, format!("Request was throttled. Expected available in {seconds} {unit}."));
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(*seconds));
            response
        }
        Error::Unavailable(_) => {
            let text = format!("The server cannot answer this right now; try again. Request {}.", asked.request_id);
            let mut response = detail(503, text);
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(1));
            response
        }
        Error::Internal(_) => detail(500, format!("Something went wrong. The log has it under {}.", asked.request_id)),
    }
}

fn field_texts(errors: &FieldErrors) -> Value {
    let texts = |problems: &[Problem]| {
        let by_place: Map<String, Value> = problems
            .iter()
            .filter_map(|p| match p {
                Problem::UnknownItem(place, _) => Some((place.to_string(), json!([problem(p)]))),
                _ => None,
            })
            .collect();
        if by_place.is_empty() { problems.iter().map(problem).collect() } else { Value::Object(by_place) }
    };
    Value::Object(errors.iter().map(|(field, problems)| (field.to_owned(), texts(problems))).collect())
}

fn problem(problem: &Problem) -> String {
    match problem {
        Problem::Taken(None) => "This field must be unique.".to_owned(),
        Problem::Taken(Some((model, field))) => format!("{model} with this {field} already exists."),
        Problem::UnknownKey(value) => format!("Invalid pk \"{value}\" - object does not exist."),
        Problem::UnknownChoice(value) => format!("Select a valid choice. {value} is not one of the available choices."),
        Problem::NoSuchChoice => "Select a valid choice. That choice is not one of the available choices.".to_owned(),
        Problem::Rule(text) | Problem::Missing(text) | Problem::Limit(text) => text.clone(),
        Problem::UnknownItem(_, value) => format!("\"{value}\" is not a valid choice."),
    }
}

fn of_rejection(asked: Asked<'_>, rejection: Rejection) -> Response {
    match rejection {
        Rejection::UnknownPath => raw(404, "text/html; charset=utf-8", crate::web::NOT_FOUND),
        Rejection::MethodNotAllowed { .. } => detail(405, format!("Method \"{}\" not allowed.", asked.method)),
        Rejection::NotAcceptable => detail(406, "Could not satisfy the request Accept header."),
        Rejection::UnsupportedMediaType(mime) => detail(415, format!("Unsupported media type \"{mime}\" in request.")),
        Rejection::MalformedJson(fault) => detail(400, malformed(fault)),
        Rejection::PayloadTooLarge => detail(413, "The request body is too large."),
        Rejection::BodyTimeout => detail(408, "The request body did not arrive in time."),
        Rejection::BrokenBody => detail(400, "The request body is incomplete."),
        Rejection::MalformedForm => detail(400, "The form cannot be read."),
        Rejection::RepeatedField(name) => detail(400, format!("The form has the field {name} more than once.")),
        Rejection::PathParameter(_) => detail(404, "Not found."),
        Rejection::Query(errors) | Rejection::Body(errors) => json(400, &errors),
        Rejection::NotAnObject(value) => json(400, &not_an_object(&value)),
        // An error of the server's own by the time it comes here (see `Failure`).
        Rejection::Undecodable(_) => empty(500),
    }
}

fn malformed(MalformedJson { fault, line, column, offset }: MalformedJson) -> String {
    let what = match fault {
        JsonFault::UnexpectedEnd => "unexpected end of data",
        JsonFault::TrailingComma => "trailing comma is not allowed",
        JsonFault::NotUtf8 => "invalid UTF-8",
        JsonFault::UnexpectedCharacter => "unexpected character",
        JsonFault::TooDeep => "recursion limit exceeded",
    };
    format!("JSON parse error - {what}: line {line} column {column} (char {offset})")
}

fn not_an_object(value: &Value) -> Errors {
    let text = match value {
        Value::Null => "No data provided".to_owned(),
        other => format!("Invalid data. Expected a dictionary, but got {}.", python::type_name(other)),
    };
    Map::from_iter([("non_field_errors".to_owned(), json!([text]))])
}

/// The answer to `OPTIONS`: what the path is called and what it speaks. Collections and objects are
/// named after their kind, everything else after the last part of its path.
#[must_use]
pub fn options(op: Option<&Operation>) -> Response {
    let (name, description) = op.map(title).unwrap_or_default();
    json(
        200,
        &json!({
            "name": name, "description": description, "renders": ["application/json"], "parses": ["application/json"],
        }),
    )
}

fn title(op: &Operation) -> (String, String) {
    let mut parts = op.path.rsplit('/').filter(|part| !part.is_empty());
    let last = parts.next().unwrap_or_default();
    let (kind, place) = match last {
        parameter if parameter.starts_with('{') => (parts.next().unwrap_or_default(), "Instance"),
        collection if collection == op.resource => (collection, "List"),
        other => return (capitalised(&other.replace('_', " ")), String::new()),
    };
    let kind = match kind.strip_suffix("ies") {
        Some(stem) => format!("{stem}y"),
        None => kind.strip_suffix('s').unwrap_or(kind).to_owned(),
    };
    let kind = kind.split('_').map(capitalised).collect::<Vec<_>>().join(" ");
    (format!("{kind} {place}"), format!("{kind} viewset"))
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
