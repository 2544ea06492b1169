//! # Tessera: how the house is built
//!
//! The OpenAPI documents in `api/` decide everything the outside can see. One [`gate`] applies what is
//! common to all operations. Each resource is one small folder in [`resource`]. [`policy`] decides who is
//! let in, by what administrators have bound to things. A [`dialect`] knows how an answer looks on the wire.
//!
//! ```text
//! main → cli → { server, jobs } → { gate, web, */api.rs } → service → store → entity
//! ```
//!
//! Leaves that any layer may use: [`app`], [`ctx`], [`db`], [`error`], [`access`], [`audit`],
//! [`expression`], [`secret`], [`list`], [`mail`], [`metrics`], [`rate`], [`time`]. Only [`server`], [`gate`],
//! [`dialect`], [`web`], [`protocol`], the `api` modules of resources and the command line name HTTP or the generated
//! crate; a test reads the `use` lines.
//!
//! ## The walk of `POST /api/v3/core/tokens/`
//!
//! 1. [`server`] accepts the connection; hyper parses it, with limits and timeouts.
//! 2. [`gate`] names the request, finds the operation in the generated table, checks what the client
//!    accepts, authenticates, throttles, and asks [`access`] whether the caller may.
//! 3. Generated code decodes the body, every bad field at once, in the words of the dialect.
//! 4. `resource/tokens/api.rs` builds plain values and calls the service.
//! 5. The service applies the rules in a transaction ([`db::Tx`]) and records the event ([`audit`]).
//! 6. The store inserts; a taken identifier becomes an error about its field.
//! 7. Back out: the generated response, or an error that the dialect turns into body and status.

pub mod access;
pub mod app;
pub mod audit;
pub mod bootstrap;
pub mod cli;
pub mod config;
pub mod ctx;
pub mod db;
pub mod dialect;
pub mod error;
pub mod expression;
pub mod flow;
pub mod gate;
pub mod installation;
pub mod jobs;
pub mod list;
pub mod mail;
pub mod metrics;
pub mod migration;
pub mod outbound;
pub mod policy;
pub mod protocol;
pub mod rate;
pub mod resource;
pub mod secret;
pub mod server;
pub mod telemetry;
pub mod time;
pub mod web;
