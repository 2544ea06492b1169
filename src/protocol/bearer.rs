//! Bearer tokens: JWTs with the claims of the contract (sailpoint-pat §7), signed by the installation's own key.
//!
//! A signature tells that we issued a token; whether it still counts, the database tells: the personal access token it
//! was issued to must be there and must not have ended, and its owner must be active. Both are asked anew whenever
//! something of that kind changed.

use super::{Client, POD, tenant};
use crate::{
    access::{Account, Bearer},
    app::App,
    ctx::Ctx,
    error::{Error, Result},
    resource::pats::{self, service::id_of},
    secret::{PlainSecret, jwt::Purpose},
};
use chrono::{DateTime, TimeDelta};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What a bearer token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    pub tenant_id: Uuid,
    pub pod: String,
    pub org: String,
    /// 32 hexadecimal digits, like `client_id`.
    pub identity_id: String,
    pub user_name: String,
    pub strong_auth: bool,
    pub strong_auth_supported: bool,
    pub enabled: bool,
    pub internal: bool,
    pub authorities: Vec<String>,
    pub client_id: String,
    pub scope: Vec<String>,
    /// Seconds since 1970 (RFC 7519 §4.1.4).
    pub exp: i64,
    pub jti: Uuid,
}

/// A bearer token that was issued.
#[derive(Debug)]
pub struct Issued {
    pub token: PlainSecret,
    pub claims: Claims,
    /// Whole seconds.
    pub expires_in: i64,
}

/// The authority of those to whom nothing is forbidden.
const ADMINISTRATOR: &str = "ORG_ADMIN";

/// Issues a bearer token to a client. It lives as long as the client says, but not beyond the client's own end.
///
/// # Errors
/// When the database is away, or the key does not sign.
pub async fn issue(ctx: &Ctx, client: &Client) -> Result<Issued> {
    let wanted = ctx.now + TimeDelta::seconds(client.validity.into());
    let end = client.expires.map_or(wanted, |end| Ord::min(end, wanted));
    let claims = Claims {
        tenant_id: tenant(&ctx.app)?,
        pod: POD.to_owned(),
        org: ctx.app.config.tenant_name.clone(),
        identity_id: client.owner.simple().to_string(),
        user_name: client.username.clone(),
        strong_auth: false,
        strong_auth_supported: false,
        enabled: true,
        internal: client.managed,
        authorities: if client.superuser { vec![ADMINISTRATOR.to_owned()] } else { Vec::new() },
        client_id: client.id.simple().to_string(),
        scope: client.scopes.clone(),
        exp: end.timestamp(),
        jti: ctx.uuid(),
    };
    let keys = ctx.app.keys().await?;
    let key = keys.signing(ctx.now).map_err(Error::internal)?;
    let token = key.sign(Purpose::PersonalAccess, &claims).map_err(Error::internal)?;
    let expires_in = claims.exp - ctx.now.timestamp() - i64::from(ctx.now.timestamp_subsec_nanos() > 0);
    Ok(Issued { token, claims, expires_in: expires_in.max(0) })
}

/// Reads a bearer token that somebody has shown.
///
/// # Errors
/// [`Error::InvalidCredentials`] when we did not issue it, [`Error::CredentialsEnded`] when its time is over.
pub async fn read(app: &App, token: &str) -> Result<Bearer> {
    let claims: Claims = app.keys().await?.check(Purpose::PersonalAccess, token).ok_or(Error::InvalidCredentials)?;
    let client = id_of(&claims.client_id).ok_or(Error::InvalidCredentials)?;
    let expires = DateTime::from_timestamp(claims.exp, 0).ok_or(Error::InvalidCredentials)?;
    if claims.tenant_id != tenant(app)? {
        return Err(Error::InvalidCredentials);
    }
    let bearer = Bearer { client, scopes: claims.scope, expires };
    if bearer.has_ended(app.clock.now()) { Err(Error::CredentialsEnded) } else { Ok(bearer) }
}

/// The account that a bearer token speaks for, as the database has it now.
///
/// # Errors
/// As [`pats::caller::account`].
pub async fn account(app: &App, bearer: &Bearer) -> Result<Account> {
    pats::caller::account(app.db.read(), bearer, app.clock.now()).await
}
