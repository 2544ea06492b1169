//! OAuth 2.0: where credentials are traded for bearer tokens, and what a presented bearer token is worth.
//!
//! `api` implements the generated trait of `api/oauth.yaml`; [`token`] is the token endpoint, with one module for each
//! grant; [`client`] finds out who wants a token, [`bearer`] writes and reads the tokens, `info` names the endpoints.
//! The gate asks [`bearer`] who has shown one. Keys are in `resource::keypairs`.

mod api;
pub mod bearer;
mod client;
mod info;
mod token;

pub use client::Client;

use crate::{
    app::App,
    error::{Error, Result},
};
use uuid::Uuid;

/// Where the installation runs, as bearer tokens and `/oauth/info` have it: there is one place.
const POD: &str = "local";

/// The installation as a tenant of itself.
///
/// # Errors
/// When the database holds something else than 32 hexadecimal digits.
fn tenant(app: &App) -> Result<Uuid> {
    Uuid::parse_str(&app.install_id).map_err(Error::internal)
}
