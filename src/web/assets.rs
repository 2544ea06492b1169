//! The style sheet and the icon of the pages: part of the program, kept by browsers.

use http::{HeaderMap, HeaderValue, header};
use sha2::{Digest as _, Sha256};
use std::sync::LazyLock;
use tessera_api_runtime::{Response, empty, raw};

const STYLE: &str = include_str!("assets/tessera.css");
const ICON: &str = include_str!("assets/icon.svg");
/// For files whose address changes with their content.
const FOR_EVER: &str = "public, max-age=31536000, immutable";
const FOR_AN_HOUR: &str = "public, max-age=3600";

static STYLE_SUM: LazyLock<String> = LazyLock::new(|| sum(STYLE));
static STYLE_ADDRESS: LazyLock<String> = LazyLock::new(|| format!("/static/tessera.css?v={}", *STYLE_SUM));
static ICON_SUM: LazyLock<String> = LazyLock::new(|| sum(ICON));

/// The start of the hash of a file: enough to tell its versions apart.
fn sum(text: &str) -> String {
    Sha256::digest(text).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// Where pages find the style sheet; another one has another address.
pub(super) fn style_address() -> &'static str {
    &STYLE_ADDRESS
}

/// One file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asset {
    Style,
    Icon,
}

impl Asset {
    /// The file at this path, if there is one.
    pub(super) fn at(path: &str) -> Option<Self> {
        match path {
            "/static/tessera.css" => Some(Self::Style),
            "/static/icon.svg" | "/favicon.ico" => Some(Self::Icon),
            _ => None,
        }
    }

    /// The answer with the file, or with word that the browser has it already.
    pub(super) fn answer(self, query: Option<&str>, headers: &HeaderMap) -> Response {
        let (text, sum, mime) = match self {
            Self::Style => (STYLE, &*STYLE_SUM, "text/css; charset=utf-8"),
            Self::Icon => (ICON, &*ICON_SUM, "image/svg+xml"),
        };
        let tag = format!("\"{sum}\"");
        let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
        let mut response = match known {
            Some(tags) if tags.contains(&tag) => empty(304),
            _ => raw(200, mime, text),
        };
        let pinned = query.and_then(|query| query.strip_prefix("v=")).is_some_and(|version| version == sum);
        let headers = response.headers_mut();
        let keep = if pinned { FOR_EVER } else { FOR_AN_HOUR };
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(keep));
        if let Ok(tag) = HeaderValue::try_from(tag) {
            headers.insert(header::ETAG, tag);
        }
        response
    }
}
