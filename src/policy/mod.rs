//! Deciding: policies are asked about a [`Request`] and give an [`Outcome`] (contract: authentik-core §5).
//!
//! What policies and bindings *are* is in [`crate::resource`]; this is how they decide, the same way
//! wherever they are bound.

#[cfg(test)]
mod corpus;
pub mod dummy;
pub mod engine;
pub mod event_matcher;
pub mod expiry;
pub mod expression;
pub mod memory;
pub mod password;
pub mod reputation;
mod run;

pub use run::{Settings, run, test};

use crate::resource::users;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

/// What policies are asked about.
#[derive(Clone)]
pub struct Request {
    /// Who it is about; `None` for somebody unknown.
    pub user: Option<users::Model>,
    /// What the place that asks knows beside that; an expression may change it for the policies after it.
    /// May hold passwords, so it is in no `Debug`.
    pub context: Map<String, Value>,
    /// Whether the asker is shown why.
    pub debug: bool,
    /// An answer is all that is wanted: nothing is changed, recorded or remembered.
    pub testing: bool,
    /// What was logged on the way to a [`Fault`], which has no room for it.
    pub log: Vec<LogLine>,
}

impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Request")
            .field("user", &self.user.as_ref().map(|user| user.id))
            .field("debug", &self.debug)
            .field("testing", &self.testing)
            .finish_non_exhaustive()
    }
}

/// A line that evaluation logged, as `test` shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct LogLine {
    pub timestamp: DateTime<Utc>,
    /// `debug`, `info`, `warning`, `error` or `critical`.
    pub level: &'static str,
    pub logger: String,
    pub event: String,
    pub attributes: Map<String, Value>,
}

/// What came out.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outcome {
    pub passing: bool,
    pub messages: Vec<String>,
    pub log: Vec<LogLine>,
}

impl Outcome {
    #[must_use]
    pub fn passed() -> Self {
        Self { passing: true, ..Self::default() }
    }

    #[must_use]
    pub fn failed(message: impl Into<String>) -> Self {
        Self { passing: false, messages: vec![message.into()], log: Vec::new() }
    }
}

/// Why a policy has no answer; the text is shown to whoever asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The policy itself says so; the binding's `failure_result` counts.
    #[error("{0}")]
    Policy(String),
    /// Something else went wrong; the policy fails.
    #[error("{0}")]
    Other(String),
}
