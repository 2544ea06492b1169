//! What all pages have in common: how they are written, and what their headers tell the browser.

use super::fault::Fault;
use askama::Template;
use http::{HeaderMap, HeaderValue, header};
use tessera_api_runtime::{Response, empty, raw};

const HTML: &str = "text/html; charset=utf-8";

/// Nothing from outside, no script, no style but our sheet, no frame, and forms that stay here.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; \
     frame-ancestors 'none'";

/// Somewhere to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) to: String,
    pub(super) text: String,
}

impl Link {
    pub(super) fn new(to: impl Into<String>, text: impl Into<String>) -> Self {
        Self { to: to.into(), text: text.into() }
    }
}

/// A page for one person at one moment: nobody keeps it.
pub(super) fn page(status: u16, template: &impl Template) -> Result<Response, Fault> {
    let text = template.render().map_err(crate::error::Error::internal)?;
    let mut response = raw(status, HTML, text);
    private(response.headers_mut());
    Ok(response)
}

/// Sends the browser elsewhere on this server: 302 for what was asked for, 303 after a form.
pub(super) fn redirect(status: u16, to: &str) -> Result<Response, Fault> {
    let to = HeaderValue::try_from(to).map_err(crate::error::Error::internal)?;
    let mut response = empty(status);
    let headers = response.headers_mut();
    headers.insert(header::LOCATION, to);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(HTML));
    private(headers);
    Ok(response)
}

/// An address with its query, where there is one.
pub(super) fn with_query(path: &str, query: &str) -> String {
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}

/// What every page tells the browser.
pub(super) fn private(headers: &mut HeaderMap) {
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
}

/// The path and query of an address on this server, `None` for one that leads elsewhere. Browsers read a
/// backslash as a slash and skip line breaks and tabs, so neither may hide another host.
pub(super) fn local(to: &str) -> Option<&str> {
    let rest = to.strip_prefix('/')?;
    let elsewhere = rest.starts_with(['/', '\\']) || to.chars().any(char::is_control);
    (!elsewhere).then_some(to)
}

/// As [`local`]; of an address with a host, what comes after the host.
pub(super) fn without_host(address: &str) -> Option<&str> {
    let Some((scheme, rest)) = address.split_once("://") else { return local(address) };
    if !matches!(scheme, "http" | "https") {
        return None;
    }
    local(rest.get(rest.find('/')?..)?)
}

#[cfg(test)]
mod tests {
    use super::{local, without_host};

    #[test]
    fn addresses_stay_here() {
        for to in ["/", "/if/flow/a/?next=%2F", "/a//b", "/?next=https://b"] {
            assert_eq!(local(to), Some(to));
        }
        for to in ["", "//host", "/\\host", "\\/host", "https://host/", "a", "/\t/host", "javascript:x", "/a\r\nb"] {
            assert_eq!(local(to), None, "{to}");
        }
    }

    #[test]
    fn hosts_are_dropped() {
        assert_eq!(without_host("https://a.example/if/flow/r/?x=1"), Some("/if/flow/r/?x=1"));
        assert_eq!(without_host("/if/flow/r/"), Some("/if/flow/r/"));
        for address in ["https://a.example", "https://a.example//b", "ftp://a/b", "//a/b", "javascript://a/b"] {
            assert_eq!(without_host(address), None, "{address}");
        }
    }
}
