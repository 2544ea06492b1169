//! How each API looks on the wire: values in, errors and pages out. One module per dialect; nothing
//! outside them knows a status or an error text.

pub mod v3;

use crate::error::Error;
use tessera_api_runtime::Rejection;

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
