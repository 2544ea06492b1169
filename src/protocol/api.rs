//! `api/oauth.yaml`: convert in, call, convert out.

use super::{POD, info, token};
use crate::{app::App, ctx::Ctx, dialect::Failure, secret::PlainSecret};
use tessera_api::oauth::{
    apis::protocol::*,
    models::{self, TokenResponseTokenType},
};

impl Protocol for App {
    async fn create_token(
        &self,
        ctx: &Ctx,
        query: CreateTokenQuery,
        body: models::TokenRequest,
    ) -> Result<CreateTokenResponse, Failure> {
        let asked = token::Asked {
            grant_type: [query.grant_type, body.grant_type],
            client_id: [query.client_id, body.client_id],
            client_secret: [query.client_secret, body.client_secret].map(|secret| secret.map(PlainSecret::new)),
        };
        let issued = token::issue(ctx, asked).await?;
        let claims = issued.claims;
        Ok(CreateTokenResponse::Status200(models::TokenResponse {
            access_token: issued.token.reveal().to_owned(),
            token_type: TokenResponseTokenType::Bearer,
            expires_in: issued.expires_in,
            scope: claims.scope.join(" "),
            tenant_id: claims.tenant_id,
            org: claims.org,
            pod: claims.pod,
            identity_id: claims.identity_id,
            user_name: claims.user_name,
            strong_auth: claims.strong_auth,
            strong_auth_supported: claims.strong_auth_supported,
            enabled: claims.enabled,
            internal: claims.internal,
            jti: claims.jti,
        }))
    }

    async fn get_info(&self, ctx: &Ctx) -> Result<GetInfoResponse, Failure> {
        let info::Info { tenant, name, base } = info::info(ctx)?;
        Ok(GetInfoResponse::Status200(models::Info {
            tenant_id: tenant,
            tenant_name: name,
            authorize_endpoint: format!("{base}/oauth/authorize"),
            token_endpoint: format!("{base}/oauth/token"),
            logout_url: format!("{base}/flows/-/default/invalidation/"),
            cloud_domain_url: base,
            pod: POD.to_owned(),
        }))
    }
}
