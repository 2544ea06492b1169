//! Content negotiation: what the client accepts against what the operation produces
//! (contract: authentik-core §1.2; RFC 9110 §12.5.1, without weights: there is one format each).

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
    let accepts: Vec<&str> = headers.get_all(header::ACCEPT).iter().filter_map(|v| v.to_str().ok()).collect();
    let produces = if op.produces.is_empty() { &["application/json"] } else { op.produces };
    let mut ranges =
        accepts.iter().flat_map(|v| v.split(',')).filter_map(|r| r.split(';').next()).map(str::trim).peekable();
    if ranges.peek().is_none() || ranges.any(|range| produces.iter().any(|mime| covers(range, mime))) {
        Ok(())
    } else {
        Err(Rejection::NotAcceptable.into())
    }
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
    use super::covers;

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
