//! Pages: the API browser at `/api/v3/`, and what stands where nothing is.
//!
//! Everything a page needs comes from this server; the policy header says so to the browser.

use bytes::Bytes;
use http::{HeaderValue, Method, Uri, header};
use std::sync::{Arc, LazyLock};
use tessera_api_runtime::{Response, empty, raw};
use utoipa_swagger_ui::Config;

/// Where the API browser is.
pub const BROWSER: &str = "/api/v3/";
const DOCUMENT: &str = "/api/v3/schema/?format=json";

/// The page for an address that does not exist.
pub const NOT_FOUND: &str = "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
    <title>Not Found - Tessera</title></head><body><h1>Not Found</h1>\
    <p>There is nothing at this address.</p></body></html>\n";

// Swagger UI writes style attributes and draws its icons from data URLs.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

static CONFIG: LazyLock<Arc<Config<'static>>> = LazyLock::new(|| {
    Arc::new(
        Config::new([DOCUMENT])
            // Otherwise a badge asks an outside service what it thinks of the document.
            .validator_url("none")
            .persist_authorization(false)
            .filter(true)
            .doc_expansion("none"),
    )
});

/// The page at this address, if there is one.
#[must_use]
pub fn page(method: &Method, uri: &Uri) -> Option<Response> {
    let path = uri.path();
    if path == "/" {
        let mut response = raw(302, "text/html; charset=utf-8", Bytes::new());
        response.headers_mut().insert(header::LOCATION, HeaderValue::from_static(BROWSER));
        return Some(response);
    }
    let name = path.strip_prefix(BROWSER).filter(|name| !name.contains('/'))?;
    let file = utoipa_swagger_ui::serve(name, Arc::clone(&CONFIG)).ok().flatten()?;
    if !matches!(*method, Method::GET | Method::HEAD) {
        return Some(empty(405));
    }
    let mut response = raw(200, "text/html; charset=utf-8", file.bytes.into_owned());
    let headers = response.headers_mut();
    if let Ok(mime) = HeaderValue::try_from(file.content_type) {
        headers.insert(header::CONTENT_TYPE, mime);
    }
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    Some(response)
}
