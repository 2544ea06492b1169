//! The token endpoint (RFC 6749 §3.2; contract: sailpoint-pat §7): reads the parameters wherever they are, and hands
//! them to the grant that is asked for.

mod client_credentials;

use super::bearer::Issued;
use crate::{
    ctx::{Credential, Ctx},
    error::{Error, GrantFault, Result},
    secret::PlainSecret,
};

/// What was asked, in the query and in the body.
#[derive(Debug, Default)]
pub struct Asked {
    pub grant_type: [Option<String>; 2],
    pub client_id: [Option<String>; 2],
    pub client_secret: [Option<PlainSecret>; 2],
}

/// Who says to be the client.
struct Claimed {
    id: String,
    secret: PlainSecret,
    /// Whether it came in the `Authorization` header.
    basic: bool,
}

fn invalid(text: impl Into<String>) -> Error {
    Error::Grant(GrantFault::InvalidRequest(text.into()))
}

/// The one value of a parameter; an empty one counts as none (RFC 6749 §3.2).
fn one<T: PartialEq>(name: &str, given: [Option<T>; 2], is_empty: impl Fn(&T) -> bool) -> Result<Option<T>> {
    match given.map(|value| value.filter(|value| !is_empty(value))) {
        [Some(query), Some(body)] if query != body => {
            Err(invalid(format!("{name} has one value in the query and another one in the body.")))
        }
        [query, body] => Ok(body.or(query)),
    }
}

/// Trades what was shown for a bearer token.
///
/// # Errors
/// [`Error::Grant`], [`Error::Throttled`]; otherwise when the database is away.
pub async fn issue(ctx: &Ctx, asked: Asked) -> Result<Issued> {
    let grant = one("grant_type", asked.grant_type, String::is_empty)?;
    let id = one("client_id", asked.client_id, String::is_empty)?;
    let secret = one("client_secret", asked.client_secret, |secret| secret.reveal().is_empty())?;
    let grant = grant.ok_or_else(|| invalid("grant_type is missing."))?;
    // The contract's own documentation writes it in capitals.
    if !grant.eq_ignore_ascii_case("client_credentials") {
        return Err(Error::Grant(GrantFault::UnsupportedGrantType));
    }
    client_credentials::issue(ctx, claimed(ctx, id, secret)?).await
}

/// Who says to be the client, in one way only (RFC 6749 §2.3).
fn claimed(ctx: &Ctx, id: Option<String>, secret: Option<PlainSecret>) -> Result<Claimed> {
    if let Some(Credential::Client(own, password)) = &ctx.credential {
        if secret.is_some() || id.is_some_and(|id| id != *own) {
            return Err(invalid("The client's credentials were given in two ways."));
        }
        return Ok(Claimed { id: own.clone(), secret: password.clone(), basic: true });
    }
    let id = id.ok_or_else(|| invalid("client_id is missing."))?;
    let secret = secret.ok_or_else(|| invalid("client_secret is missing."))?;
    Ok(Claimed { id, secret, basic: false })
}
