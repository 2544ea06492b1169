//! Decoding of path and query parameters, and the seam behind which a dialect decides values.

use crate::{Errors, Field, Object, Operation, Rejection};
use http::Uri;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::{borrow::Cow, str::FromStr};

/// How a wire format reads values: it trims, coerces and refuses, in its own words.
///
/// `property` and `parameter` give a value that deserialises into the generated type, `None` for "absent", or the
/// texts that belong under the field's name in the answer.
pub trait Decoder: Send + Sync {
    /// What a body that was not sent counts as; `None` when it is a fault. An empty object lets the answer name what
    /// is missing.
    fn absent_body(&self) -> Option<Value> {
        Some(Value::Object(Object::new()))
    }

    /// A property of a JSON body; `None` when the key is absent.
    ///
    /// # Errors
    /// The texts for this field.
    fn property(&self, field: &'static Field, value: Option<Value>) -> Result<Option<Value>, Value>;

    /// A query parameter, with every value given under its name, in order.
    ///
    /// # Errors
    /// The texts for this field.
    fn parameter(&self, field: &'static Field, values: &[Cow<'_, str>]) -> Result<Option<Value>, Value>;
}

/// Decodes a whole query. Names the operation does not know are ignored.
///
/// # Errors
/// [`Rejection::Query`] with the texts of every bad parameter.
pub fn query<T: DeserializeOwned>(decoder: &dyn Decoder, op: &'static Operation, uri: &Uri) -> Result<T, Rejection> {
    let pairs: Vec<(Cow<str>, Cow<str>)> =
        uri.query().map(|q| form_urlencoded::parse(q.as_bytes()).collect()).unwrap_or_default();
    let (mut good, mut errors) = (Object::new(), Errors::new());
    for field in op.query {
        let values: Vec<_> = pairs.iter().filter(|(name, _)| name == field.name).map(|(_, v)| v.clone()).collect();
        match decoder.parameter(field, &values) {
            Ok(Some(value)) => {
                good.insert(field.name.to_owned(), value);
            }
            Ok(None) => {}
            Err(_) if field.lenient => {}
            Err(texts) => {
                errors.insert(field.name.to_owned(), texts);
            }
        }
    }
    if !errors.is_empty() {
        return Err(Rejection::Query(errors));
    }
    serde_json::from_value(Value::Object(good)).map_err(|_| Rejection::Undecodable(op.id))
}

/// Decodes one path parameter.
///
/// # Errors
/// [`Rejection::PathParameter`] when no object can have such an address.
pub fn path_parameter<T: FromStr>(params: &[(String, String)], name: &'static str) -> Result<T, Rejection> {
    params
        .iter()
        .find(|(key, _)| key == name)
        .and_then(|(_, value)| value.parse().ok())
        .ok_or(Rejection::PathParameter(name))
}
