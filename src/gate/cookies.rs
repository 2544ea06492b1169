//! Cookies: the session's on the way in, and what the answer tells the browser (contract: authentik-core §1.1).

use super::text;
use crate::{
    app::App,
    resource::sessions::service::{Cookie, Slot},
    secret::{Digest, PlainSecret},
};
use http::{HeaderMap, HeaderValue, header};

/// The name of the session's cookie.
pub const SESSION: &str = "authentik_session";
/// The name of the cookie that scripts read, to send it back as a header.
pub const CSRF: &str = "authentik_csrf";
/// How long a browser keeps the CSRF cookie, in seconds: a year, as the original.
const CSRF_SECONDS: i64 = 31_449_600;
/// Longest value that is looked at, in bytes.
const LONGEST: usize = 512;

/// The value of one cookie; the first one counts, which browsers send for the closest path.
pub fn value<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let pairs = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok()).flat_map(|l| l.split(';'));
    let mut named = pairs.filter_map(|pair| pair.trim().split_once('='));
    named.find(|(key, _)| *key == name).map(|(_, value)| value.trim_matches('"'))
}

/// The session that the request's cookie names, as the database knows it.
pub fn session(app: &App, headers: &HeaderMap) -> Option<Digest> {
    let value = value(headers, SESSION).filter(|value| !value.is_empty() && value.len() <= LONGEST)?;
    Some(app.keyring.digest(&PlainSecret::new(value.to_owned())))
}

/// Whether the client came over TLS. A proxy in front says so; who claims it without one only gets a cookie
/// that his browser keeps for TLS.
pub fn over_tls(app: &App, headers: &HeaderMap) -> bool {
    app.config.is_tls() || text(headers, &header::HeaderName::from_static("x-forwarded-proto")) == Some("https")
}

/// Writes the cookies of an answer.
pub fn write(slot: &Slot, tls: bool, headers: &mut HeaderMap) {
    let Some(cookie) = slot.cookie() else { return };
    let secure = if tls { "; Secure" } else { "" };
    let lines = match &cookie {
        Cookie::Set { value, csrf, max_age } => {
            let age = max_age.map(|age| format!("; Max-Age={age}")).unwrap_or_default();
            [
                format!("{SESSION}={}; HttpOnly; Path=/; SameSite=Lax{age}{secure}", value.reveal()),
                format!("{CSRF}={csrf}; Max-Age={CSRF_SECONDS}; Path=/; SameSite=Lax{secure}"),
            ]
        }
        Cookie::Clear => [SESSION, CSRF].map(|name| format!("{name}=; Max-Age=0; Path=/; SameSite=Lax{secure}")),
    };
    for line in lines {
        if let Ok(value) = HeaderValue::try_from(line) {
            headers.append(header::SET_COOKIE, value);
        }
    }
}
