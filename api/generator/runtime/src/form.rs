//! Bodies that are forms, as one JSON object of texts: the same model whatever a client writes it in.

use crate::{Object, Rejection};
use bytes::Bytes;
use futures_util::{future::ready, stream};
use serde_json::{Value, map::Entry};
use std::convert::Infallible;

/// Most fields of a form.
const FIELDS: usize = 100;

/// How a form is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    UrlEncoded,
    /// RFC 7578.
    Multipart,
}

impl Kind {
    /// `None` when the media type is no form's.
    pub fn of(content_type: &str) -> Option<Self> {
        let mime = content_type.split(';').next().unwrap_or_default().trim();
        [("application/x-www-form-urlencoded", Self::UrlEncoded), ("multipart/form-data", Self::Multipart)]
            .into_iter()
            .find_map(|(name, kind)| mime.eq_ignore_ascii_case(name).then_some(kind))
    }
}

/// # Errors
/// [`Rejection::MalformedForm`], [`Rejection::RepeatedField`].
pub async fn read(kind: Kind, content_type: &str, body: Bytes) -> Result<Object, Rejection> {
    let mut fields = Object::new();
    match kind {
        Kind::UrlEncoded => {
            for (name, value) in form_urlencoded::parse(&body) {
                add(&mut fields, name.into_owned(), value.into_owned())?;
            }
        }
        Kind::Multipart => {
            let boundary = multer::parse_boundary(content_type).map_err(|_| Rejection::MalformedForm)?;
            let whole = stream::once(ready(Ok::<_, Infallible>(body)));
            let mut form = multer::Multipart::new(whole, boundary);
            while let Some(field) = form.next_field().await.map_err(|_| Rejection::MalformedForm)? {
                let Some(name) = field.name().map(str::to_owned) else { return Err(Rejection::MalformedForm) };
                let value = field.bytes().await.map_err(|_| Rejection::MalformedForm)?;
                let value = String::from_utf8(value.to_vec()).map_err(|_| Rejection::MalformedForm)?;
                add(&mut fields, name, value)?;
            }
        }
    }
    Ok(fields)
}

fn add(fields: &mut Object, name: String, value: String) -> Result<(), Rejection> {
    if fields.len() == FIELDS {
        return Err(Rejection::MalformedForm);
    }
    match fields.entry(name) {
        Entry::Occupied(there) => Err(Rejection::RepeatedField(there.key().clone())),
        Entry::Vacant(place) => {
            place.insert(Value::String(value));
            Ok(())
        }
    }
}
