//! Expressions: administrators' Python, run by the sandboxed interpreter `monty` in worker processes.
//!
//! The server never interprets an expression itself. Its own executable, started as
//! `tessera expression-worker`, does ([`worker`]); the server ([`pool`]) sends it the text and the facts,
//! answers what it asks ([`Host`]), and ends it when it takes too long. What a worker says is input like
//! any other: framed, bounded, and parsed with a limit on its depth ([`protocol`]).
//!
//! This folder knows neither the database nor HTTP; what policies offer to their expressions is in
//! [`crate::policy::expression`].

mod check;
mod confine;
mod interpret;
mod native;
mod network;
mod pool;
mod prelude;
mod process;
mod program;
mod protocol;
mod rewrite;
pub mod syntax;
mod value;
pub mod worker;

pub use check::Refused;
pub use pool::{DEEPEST, Failure, Host, Pool, Run, Settings, Unchecked};
pub use protocol::{Done, End, Raised, Written};
