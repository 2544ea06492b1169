//! Content negotiation: what the client accepts against what the operation produces
//! (contract: authentik-core §1.2; RFC 9110 §12.5.1).

use crate::{dialect::Failure, error::Error};
use http::{HeaderMap, Uri, header};
use tessera_api_runtime::{Operation, Rejection};

/// # Errors
/// Not acceptable; or no such format, when `?format=` asks for one that the operation has not.
pub fn check(op: Option<&Operation>, headers: &HeaderMap, uri: &Uri) -> Result<(), Failure> {
    let Some(op) = op else { return Ok(()) };
    let wanted = uri.query().unwrap_or_default();
    if let Some((_, format)) = form_urlencoded::parse(wanted.as_bytes()).filter(|(k, _)| k == "format").last() {
        let known = format == "json" || (format == "yaml" && op.query.iter().any(|f| f.name == "format"));
        // Naming a format settles the question; the header is not asked any more.
        return if known || format.is_empty() { Ok(()) } else { Err(Error::NotFound.into()) };
    }
    let produces = if op.produces.is_empty() { &["application/json"] } else { op.produces };
    if produces.iter().any(|mime| weight(headers, mime) > 0) { Ok(()) } else { Err(Rejection::NotAcceptable.into()) }
}

/// Whether the client likes JSON better than the document's other format, which is the usual one.
#[must_use]
pub fn prefers_json(headers: &HeaderMap) -> bool {
    weight(headers, "application/json") > weight(headers, "application/vnd.oai.openapi")
}

/// How much the client wants a media type, in thousandths: what the range says that fits it most closely.
fn weight(headers: &HeaderMap, mime: &str) -> u16 {
    let accepts: Vec<&str> = headers.get_all(header::ACCEPT).iter().filter_map(|v| v.to_str().ok()).collect();
    if accepts.is_empty() {
        return WHOLE;
    }
    let read = |range: &str| {
        let mut parts = range.split(';').map(str::trim);
        let range = parts.next().unwrap_or_default();
        let closeness = match range {
            "" | "*/*" => 0,
            _ if range.ends_with("/*") => 1,
            _ => 2,
        };
        covers(range, mime).then(|| (closeness, parts.find_map(quality).unwrap_or(WHOLE)))
    };
    accepts.iter().flat_map(|v| v.split(',')).filter_map(read).max().map_or(0, |(_, weight)| weight)
}

/// The weight of a range that says nothing about it.
const WHOLE: u16 = 1000;

/// `q=0.5`; a weight that cannot be read is as good as none said.
fn quality(parameter: &str) -> Option<u16> {
    let value = parameter.strip_prefix(['q', 'Q'])?.trim_start().strip_prefix('=')?.trim();
    let value = value.parse::<f32>().ok().filter(|q| (0.0..=1.0).contains(q))?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 1000")]
    Some((value * f32::from(WHOLE)).round() as u16)
}

/// Whether a media range (`*/*`, `application/*`, `application/json`) includes a media type.
#[must_use]
pub fn covers(range: &str, mime: &str) -> bool {
    range == "*/*"
        || range.is_empty()
        || range.eq_ignore_ascii_case(mime)
        || range
            .strip_suffix("/*")
            .is_some_and(|kind| mime.split('/').next().is_some_and(|k| k.eq_ignore_ascii_case(kind)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn headers(accept: &[&'static str]) -> HeaderMap {
        accept.iter().map(|value| (header::ACCEPT, HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn weights() {
        let json = |accept: &[&'static str]| weight(&headers(accept), "application/json");
        assert_eq!(json(&[]), 1000);
        assert_eq!(json(&["application/json"]), 1000);
        assert_eq!(json(&["text/html, application/json;charset=utf-8;q=0.9"]), 900);
        assert_eq!(json(&["text/html", "*/*; q = 0.1"]), 100);
        // The closest range decides, not the best.
        assert_eq!(json(&["*/*, application/*;q=0.5, application/json;q=0.2"]), 200);
        assert_eq!(json(&["*/*, application/json;q=0"]), 0);
        assert_eq!(json(&["application/json;q=much"]), 1000);
        assert_eq!(json(&["text/html"]), 0);
    }

    #[test]
    fn json_is_preferred_where_it_weighs_more() {
        for yes in ["application/json", "text/html, application/json", "*/*;q=0.5, application/json"] {
            assert!(prefers_json(&headers(&[yes])), "{yes}");
        }
        for no in ["*/*", "application/*", "application/json, application/vnd.oai.openapi", "*/*, application/json;q=0"]
        {
            assert!(!prefers_json(&headers(&[no])), "{no}");
        }
    }

    #[test]
    fn ranges() {
        for range in ["*/*", "application/*", "Application/JSON", ""] {
            assert!(covers(range, "application/json"), "{range}");
        }
        for range in ["text/html", "text/*", "application/xml"] {
            assert!(!covers(range, "application/json"), "{range}");
        }
    }
}
