//! Requests that another site's page makes a browser send (contract: authentik-core §1.1): whoever is known by
//! a cookie alone must show that the page is ours before he changes anything.

use super::{cookies, text};
use crate::{
    ctx::Ctx,
    error::{Error, Result},
    resource::sessions,
};
use http::{HeaderMap, HeaderName, Method, Uri, header};

/// The header that carries the token.
const TOKEN: HeaderName = HeaderName::from_static("x-authentik-csrf");

/// Checks an unsafe request of a session in which somebody has signed in.
///
/// # Errors
/// [`Error::Csrf`].
pub fn check(ctx: &Ctx, method: &Method, headers: &HeaderMap, tls: bool) -> Result<()> {
    if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE) {
        return Ok(());
    }
    origin(headers, tls)?;
    if cookies::value(headers, cookies::CSRF).is_none_or(str::is_empty) {
        return Err(Error::Csrf("CSRF cookie not set.".to_owned()));
    }
    let given = text(headers, &TOKEN).ok_or_else(|| Error::Csrf("CSRF token missing.".to_owned()))?;
    if sessions::csrf_matches(ctx, given) {
        return Ok(());
    }
    Err(Error::Csrf("CSRF token from the 'X-Authentik-Csrf' HTTP header incorrect.".to_owned()))
}

/// The page that sends a request, where the browser says which; over TLS it must.
///
/// # Errors
/// [`Error::Csrf`].
pub fn origin(headers: &HeaderMap, tls: bool) -> Result<()> {
    let host = text(headers, &header::HOST).unwrap_or_default();
    if let Some(origin) = text(headers, &header::ORIGIN) {
        if authority(origin).is_some_and(|from| from == host) {
            return Ok(());
        }
        let text = format!("Origin checking failed - {origin} does not match any trusted origins.");
        return Err(Error::Csrf(text));
    }
    if !tls {
        return Ok(());
    }
    let failed = |why: &str| Err(Error::Csrf(format!("Referer checking failed - {why}")));
    match text(headers, &header::REFERER) {
        None => failed("no Referer."),
        Some(referer) if !referer.starts_with("https://") => failed("Referer is insecure while host is secure."),
        Some(referer) if authority(referer).is_some_and(|from| from == host) => Ok(()),
        Some(referer) => failed(&format!("{referer} does not match any trusted origins.")),
    }
}

/// The host with its port.
fn authority(address: &str) -> Option<String> {
    address.parse::<Uri>().ok()?.authority().map(|authority| authority.as_str().to_owned())
}
