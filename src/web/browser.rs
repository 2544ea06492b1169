//! The API browser at `/api/v3/`: Swagger UI on the documents that this server serves; and the documents at
//! `/openapi/`.

use http::{HeaderValue, header};
use std::sync::{Arc, LazyLock};
use tessera_api::openapi;
use tessera_api_runtime::{Response, raw};
use utoipa_swagger_ui::{Config, Url};

/// Where the API browser is.
pub const BROWSER: &str = "/api/v3/";
/// The documents, by the names that people know their APIs by.
const DOCUMENTS: [(&str, &str); 3] = [
    ("authentik API v3", "/api/v3/schema/?format=json"),
    ("Personal access tokens", "/openapi/beta.json"),
    ("OAuth", "/openapi/oauth.json"),
];

// Swagger UI writes style attributes and draws its icons from data URLs.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

static CONFIG: LazyLock<Arc<Config<'static>>> = LazyLock::new(|| {
    Arc::new(
        Config::new(DOCUMENTS.map(|(name, address)| Url::new(name, address)))
            // Otherwise a badge asks an outside service what it thinks of the document.
            .validator_url("none")
            .persist_authorization(false)
            .filter(true)
            .doc_expansion("none"),
    )
});

/// A file of the browser.
pub(super) struct File {
    bytes: Vec<u8>,
    mime: String,
}

/// The file at this path, if the browser has it.
pub(super) fn file(path: &str) -> Option<File> {
    if let Some((name, ending)) = path.strip_prefix("/openapi/").and_then(|file| file.rsplit_once('.')) {
        let mime = match ending {
            "json" => "application/json",
            "yaml" => "application/yaml",
            _ => return None,
        };
        let text = openapi::document(name, ending == "json")?;
        return Some(File { bytes: text.into(), mime: mime.to_owned() });
    }
    let name = path.strip_prefix(BROWSER).filter(|name| !name.contains('/'))?;
    let file = utoipa_swagger_ui::serve(name, Arc::clone(&CONFIG)).ok().flatten()?;
    Some(File { bytes: file.bytes.into_owned(), mime: file.content_type })
}

/// The answer with a file of the browser.
pub(super) fn answer(file: File) -> Response {
    let mut response = raw(200, "text/html; charset=utf-8", file.bytes);
    let headers = response.headers_mut();
    if let Ok(mime) = HeaderValue::try_from(file.mime) {
        headers.insert(header::CONTENT_TYPE, mime);
    }
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    response
}
