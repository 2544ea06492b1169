//! What goes wrong, as a page: in plain words, with a way on, and without what only the log may know.

use super::page::{Link, page};
use crate::{ctx::RequestInfo, error::Error};
use askama::Template;
use http::{HeaderValue, header};
use tessera_api_runtime::{Response, empty};
use tracing::error;

/// Why there is no page, or another one than was asked for.
#[derive(Debug)]
pub(super) enum Fault {
    Error(Error),
    /// The form is of another session, or of none any more.
    Forged,
    /// The browser did not bring the session's cookie.
    NoCookie,
    /// The form is larger than forms are.
    TooLarge,
    /// The form did not come in time, or not whole.
    Incomplete,
    /// The page answers to other methods, named here.
    Method(&'static str),
    /// A flow wants to send the browser to another server.
    Elsewhere,
    /// A step of a flow that these pages cannot show, by its component.
    Unknown(String),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

#[derive(Template)]
#[template(path = "web/problem.html")]
struct Problem<'p> {
    title: &'p str,
    texts: Vec<&'p str>,
    request_id: Option<&'p str>,
    link: Link,
}

/// What a page says: status, title, and words.
type Said<'f> = (u16, &'static str, Vec<&'f str>);

const AGAIN: &str = "Going back, loading the page again and repeating the step helps.";

impl Fault {
    fn say(&self) -> Said<'_> {
        match self {
            Self::Error(error) => say(error),
            Self::Forged => (
                403,
                "This form is out of date",
                vec![
                    "It belongs to a session that has ended or changed since.",
                    "Load the page again and repeat the step.",
                ],
            ),
            Self::NoCookie => (
                403,
                "Your browser sent no cookie",
                vec![
                    "These forms need a cookie, and none that is valid came with this one.",
                    "Allow cookies for this site, then load the page again.",
                ],
            ),
            Self::TooLarge => (413, "That is too much", vec!["The form holds more than this page takes."]),
            Self::Incomplete => (400, "The form did not arrive", vec![AGAIN]),
            Self::Method(_) => (405, "That does not work", vec!["This page cannot be used in that way."]),
            Self::Elsewhere => {
                (400, "This leads elsewhere", vec!["The page after this one is on another server, so we stop here."])
            }
            Self::Unknown(component) => {
                (501, "This step has no page", vec!["It needs something that these pages do not offer.", component])
            }
        }
    }

    /// Writes what the visitor is not told into the log.
    pub(super) fn log(&self) {
        if let Self::Error(cause @ (Error::Internal(_) | Error::Unavailable(_))) = self {
            error!("{}", cause.with_causes());
        }
    }

    /// The page. `again` is the address to try again, where that may help.
    pub(super) fn page(&self, request: Option<&RequestInfo>, again: Option<&str>) -> Response {
        let again = match self {
            Self::Error(error) => return of_error(error, request, again),
            Self::Elsewhere | Self::Unknown(_) => None,
            _ => again,
        };
        let mut response = draw(self.say(), None, again);
        if let Self::Method(allow) = self {
            response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allow));
        }
        response
    }
}

/// The page about an error.
pub(super) fn of_error(error: &Error, request: Option<&RequestInfo>, again: Option<&str>) -> Response {
    let lost = matches!(error, Error::NotFound | Error::InvalidPage | Error::Forbidden);
    let internal = matches!(error, Error::Internal(_));
    let id = request.filter(|_| internal).map(|request| request.id.as_str());
    let mut response = draw(say(error), id, again.filter(|_| !lost));
    if let Error::Throttled { seconds } = error {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(*seconds));
    }
    response
}

fn say(error: &Error) -> Said<'_> {
    match error {
        Error::NotFound | Error::InvalidPage => {
            (404, "There is nothing here", vec!["The address may be mistyped, or the page is gone."])
        }
        Error::NotAuthenticated
        | Error::InvalidCredentials
        | Error::CredentialsEnded
        | Error::UnsupportedScheme
        | Error::ImpersonationRefused
        | Error::Forbidden
        | Error::Csrf(_) => {
            (403, "You may not do this", vec!["Your account lacks the permission, or you are not signed in."])
        }
        Error::Throttled { .. } => (429, "Too many requests", vec!["Please wait a little, then load the page again."]),
        Error::Unavailable(_) => {
            (503, "Not available right now", vec!["The server is busy or being worked on. Please try again soon."])
        }
        Error::Internal(_) => (500, "Something went wrong", vec!["It is not your fault."]),
        Error::Refused(text) | Error::RefusedList(text) | Error::RefusedField(_, text) => {
            (400, "That does not work", vec![text])
        }
        Error::Invalid(_) | Error::Unexplained | Error::Grant(_) => (400, "That does not work", vec![AGAIN]),
    }
}

fn draw((status, title, texts): Said<'_>, request_id: Option<&str>, again: Option<&str>) -> Response {
    let link = match again {
        Some(again) => Link::new(again, "Load the page again"),
        None => Link::new("/", "Go to the start"),
    };
    let problem = Problem { title, texts, request_id, link };
    page(status, &problem).unwrap_or_else(|_| empty(status))
}
