//! How each API looks on the wire: values in, errors and pages out. One module per dialect; nothing
//! outside them knows a status or an error text.

pub mod beta;
pub mod oauth;
pub mod v3;

use crate::error::Error;
use tessera_api_runtime::{Decoder, Operation, Rejection, Response};

/// Why an operation did not answer: it was not reached, or a rule refused.
#[derive(Debug)]
pub enum Failure {
    Rejection(Rejection),
    Error(Error),
}

impl From<Rejection> for Failure {
    fn from(rejection: Rejection) -> Self {
        match rejection {
            Rejection::Undecodable(op) => {
                Self::Error(Error::internal(format!("a checked value does not fit its type in {op}")))
            }
            other => Self::Rejection(other),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

/// What an answer about a failure needs to know of its request.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    pub method: &'a str,
    pub request_id: &'a str,
}

/// One of the wire formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// authentik's.
    V3,
    /// SailPoint's.
    Beta,
    /// That of OAuth 2.0.
    OAuth,
}

impl Dialect {
    /// The dialect of an operation's document.
    #[must_use]
    pub fn of(op: &Operation) -> Self {
        match op.document {
            "beta" => Self::Beta,
            "oauth" => Self::OAuth,
            _ => Self::V3,
        }
    }

    /// The dialect that a path is spoken to in, whether there is an operation or not.
    #[must_use]
    pub fn at(path: &str) -> Self {
        let below = |base: &str| path.strip_prefix(base).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        if tessera_api::beta::BASES.iter().any(|base| below(base)) || below("/personal-access-tokens") {
            Self::Beta
        } else if below("/oauth") {
            Self::OAuth
        } else {
            Self::V3
        }
    }

    /// How values are read.
    #[must_use]
    pub fn decoder(self) -> &'static dyn Decoder {
        match self {
            Self::V3 => &v3::V3,
            Self::Beta => &beta::Beta,
            Self::OAuth => &oauth::OAuth,
        }
    }

    /// The answer to a failure. What went wrong inside is not told, only the id under which the log has it.
    #[must_use]
    pub fn failure(self, asked: Asked<'_>, failure: Failure) -> Response {
        match self {
            Self::V3 => v3::failure(asked, failure),
            Self::Beta => beta::failure(asked, failure),
            Self::OAuth => oauth::failure(asked, failure),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Dialect;

    #[test]
    fn paths_have_dialects() {
        for path in ["/beta", "/beta/personal-access-tokens", "/v3/x", "/v2026/", "/personal-access-tokens/v1"] {
            assert_eq!(Dialect::at(path), Dialect::Beta, "{path}");
        }
        assert_eq!(Dialect::at("/oauth/token"), Dialect::OAuth);
        for path in ["/", "/api/v3/core/users/", "/betamax", "/v30", "/oauthx"] {
            assert_eq!(Dialect::at(path), Dialect::V3, "{path}");
        }
    }
}
