//! What can go wrong, without a word about HTTP: a dialect decides how it looks on the wire.
//!
//! The public part of an error never holds a secret or a cause; causes are kept for the log, which
//! gets them once, at the gate.

use sea_orm::{DbErr, RuntimeErr, SqlErr, sqlx};
use std::collections::BTreeMap;

pub type Result<T, E = Error> = std::result::Result<T, E>;
type Source = Box<dyn std::error::Error + Send + Sync>;

/// The reason an operation did not happen.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("no credentials were given")]
    NotAuthenticated,
    #[error("the credentials are not valid")]
    InvalidCredentials,
    /// They were valid once.
    #[error("the credentials have ended")]
    CredentialsEnded,
    #[error("the authentication scheme is not supported")]
    UnsupportedScheme,
    /// A request of a session that does not show that it comes from our own pages.
    #[error("CSRF Failed: {0}")]
    Csrf(String),
    #[error("the caller lacks a permission")]
    Forbidden,
    /// A refusal that the contract answers with 401 and nothing else.
    #[error("the caller may not act as this account")]
    ImpersonationRefused,
    #[error("there is no such object, or the caller may not see it")]
    NotFound,
    #[error("there is no such page")]
    InvalidPage,
    /// Faults by field, all of them together.
    #[error("some fields are not acceptable")]
    Invalid(FieldErrors),
    /// A fault of the request as a whole, in words.
    #[error("the request is not acceptable: {0}")]
    Refused(String),
    /// As [`Error::Refused`], where the contract answers with a bare list.
    #[error("the request is not acceptable: {0}")]
    RefusedList(String),
    /// A fault of one parameter, where the contract answers with its name and a bare text.
    #[error("{0} is not acceptable: {1}")]
    RefusedField(&'static str, String),
    /// A fault that the contract answers without saying which.
    #[error("the request is not acceptable")]
    Unexplained,
    /// A credential that is not traded for a bearer token.
    #[error("no token is granted: {0}")]
    Grant(GrantFault),
    /// Too many requests.
    #[error("too many requests; try again in {seconds} seconds")]
    Throttled { seconds: u32 },
    /// The database, or something else that is needed, is away, full or too busy; trying again may help.
    #[error("something that is needed is not available")]
    Unavailable(#[source] Source),
    #[error("something unexpected happened")]
    Internal(#[source] Source),
}

/// Why there is no bearer token (RFC 6749 §5.2).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GrantFault {
    #[error("{0}")]
    InvalidRequest(String),
    /// `basic`: the credentials came in the `Authorization` header, whose scheme the answer must name.
    #[error("the client's credentials are not valid")]
    InvalidClient { basic: bool },
    #[error("there is no such grant")]
    UnsupportedGrantType,
}

/// What is wrong with one field. Dialects have their own words for each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// Another object of this kind (`None`: the contract does not name it) has this value.
    Taken(Option<(&'static str, &'static str)>),
    /// A reference to an object that does not exist.
    UnknownKey(String),
    /// A filter names an object that does not exist.
    UnknownChoice(String),
    /// A filter names an object that does not exist, and the contract does not repeat which.
    NoSuchChoice,
    /// A rule of the resource, in its own words.
    Rule(String),
    /// There is no value, and there must be one; in the resource's own words.
    Missing(String),
    /// There is too much of it, in the resource's own words.
    Limit(String),
    /// A value of a list, by its place, that is none of those there are.
    UnknownItem(usize, String),
}

/// Problems by field name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FieldErrors(BTreeMap<&'static str, Vec<Problem>>);

impl FieldErrors {
    pub fn add(&mut self, field: &'static str, problem: Problem) {
        self.0.entry(field).or_default().push(problem);
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether there is a problem with this field.
    #[must_use]
    pub fn has(&self, field: &str) -> bool {
        self.0.contains_key(field)
    }

    /// # Errors
    /// [`Error::Invalid`] unless it is empty.
    pub fn finish(self) -> Result<()> {
        if self.0.is_empty() { Ok(()) } else { Err(Error::Invalid(self)) }
    }

    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &[Problem])> {
        self.0.iter().map(|(field, problems)| (*field, problems.as_slice()))
    }
}

impl Error {
    /// One problem with one field.
    #[must_use]
    pub fn field(field: &'static str, problem: Problem) -> Self {
        let mut errors = FieldErrors::default();
        errors.add(field, problem);
        Self::Invalid(errors)
    }

    /// A rule that one field breaks, in words.
    #[must_use]
    pub fn rule(field: &'static str, text: impl Into<String>) -> Self {
        Self::field(field, Problem::Rule(text.into()))
    }

    /// The error with its causes, for the log and the command line.
    #[must_use]
    pub fn with_causes(&self) -> String {
        let mut text = self.to_string();
        let mut next = std::error::Error::source(self);
        while let Some(source) = next {
            text = format!("{text}: {source}");
            next = source.source();
        }
        text
    }

    pub fn internal(source: impl Into<Source>) -> Self {
        Self::Internal(source.into())
    }
}

impl From<DbErr> for Error {
    fn from(error: DbErr) -> Self {
        if is_unavailable(&error) {
            Self::Unavailable(error.into())
        } else if matches!(
            error.sql_err(),
            Some(SqlErr::UniqueConstraintViolation(_) | SqlErr::ForeignKeyConstraintViolation(_))
        ) {
            // What was checked a moment ago has changed since; those that stores expect name the field.
            Self::Refused("Another request changed what this one refers to.".to_owned())
        } else if code(&error).as_deref() == Some(TOO_LONG_FOR_AN_INDEX) {
            Self::Refused("A value is too long.".to_owned())
        } else {
            Self::Internal(error.into())
        }
    }
}

/// The text of a violated unique constraint: it names the constraint or the columns.
#[must_use]
pub fn unique_violation(error: &DbErr) -> Option<String> {
    match error.sql_err() {
        Some(SqlErr::UniqueConstraintViolation(text)) => Some(text),
        _ => None,
    }
}

/// PostgreSQL's code for a unique value of more than about 2,700 bytes.
const TOO_LONG_FOR_AN_INDEX: &str = "54000";

/// The database's own code for an error.
fn code(error: &DbErr) -> Option<String> {
    let (DbErr::Exec(RuntimeErr::SqlxError(cause)) | DbErr::Query(RuntimeErr::SqlxError(cause))) = error else {
        return None;
    };
    match &**cause {
        sqlx::Error::Database(cause) => cause.code().map(std::borrow::Cow::into_owned),
        _ => None,
    }
}

/// Whether the same request might succeed later.
fn is_unavailable(error: &DbErr) -> bool {
    let (DbErr::Conn(RuntimeErr::SqlxError(cause))
    | DbErr::Exec(RuntimeErr::SqlxError(cause))
    | DbErr::Query(RuntimeErr::SqlxError(cause))) = error
    else {
        return matches!(error, DbErr::ConnectionAcquire(_) | DbErr::Conn(_));
    };
    match &**cause {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Database(cause) => cause.code().is_some_and(|code| temporary(&code)),
        _ => false,
    }
}

/// SQLite: busy, locked, read-only, I/O, full, cannot open (with their extended codes).
/// PostgreSQL: connection exceptions, no resources, operator intervention, serialisation and deadlock.
fn temporary(code: &str) -> bool {
    if code.len() == 5 {
        return ["08", "53", "57", "58", "40", "25006"].iter().any(|class| code.starts_with(class));
    }
    code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, 5 | 6 | 8 | 10 | 13 | 14))
}
