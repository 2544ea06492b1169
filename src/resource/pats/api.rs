//! `api/beta.yaml`: convert in, call the service, convert out. Which family of paths was asked decides how long tokens
//! live, and whether the answer tells that one never ends (contract: sailpoint-pat §3, §4).

use super::{
    fields::Rule,
    service::{self, NewPat, Whose, id_of},
    store::PatView,
};
use crate::{
    app::App,
    ctx::Ctx,
    dialect::{Failure, beta::filter},
    error::Error,
};
use chrono::{DateTime, Utc};
use tessera_api::beta::{
    apis::pats::*,
    models::{self, PatOwnerType},
};
use tessera_api_runtime::Value;

/// How long tokens live that are made below a base.
fn rule(ctx: &Ctx) -> Rule {
    let known = RULES.iter().find(|(base, _)| *base == ctx.base);
    // Without a rule of its own: the stricter one.
    known.map_or(Rule::SixMonths, |(_, rule)| *rule)
}

const RULES: [(&str, Rule); 6] = [
    ("/beta", Rule::SixMonths),
    ("/v3", Rule::SixMonths),
    ("/v2024", Rule::SixMonths),
    ("/v2025", Rule::Explicit),
    ("/v2026", Rule::Explicit),
    // `/personal-access-tokens/v1`, which is all path.
    ("", Rule::Explicit),
];

/// What stands for "never" where a client takes no null: the last millisecond of the year 9999.
fn never() -> DateTime<Utc> {
    DateTime::from_timestamp_millis(253_402_300_799_999).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

fn owner(token: &PatView) -> models::PatOwner {
    models::PatOwner {
        r_type: PatOwnerType::Identity,
        id: token.owner_uuid.simple().to_string(),
        name: token.owner_title().to_owned(),
    }
}

fn shown(ctx: &Ctx, token: PatView) -> models::GetPersonalAccessTokenResponse {
    models::GetPersonalAccessTokenResponse {
        id: token.id.simple().to_string(),
        owner: owner(&token),
        name: token.name,
        scope: token.scope.0,
        created: token.created.into(),
        last_used: token.last_used.map(Into::into),
        managed: token.managed,
        access_token_validity_seconds: token.validity,
        expiration_date: token.expires.map(Into::into),
        user_aware_token_never_expires: (rule(ctx) == Rule::Explicit).then_some(token.never_expires),
    }
}

async fn list(
    ctx: &Ctx,
    owner_id: Option<String>,
    filters: Option<String>,
) -> Result<Vec<models::GetPersonalAccessTokenResponse>, Failure> {
    let whose = match owner_id.as_deref() {
        None => Whose::Everybodys,
        Some("me") => Whose::Mine,
        Some(id) => Whose::Of(id_of(id)),
    };
    let condition = filters
        .map(|text| filter::parse(&text))
        .transpose()
        .map_err(|fault| Error::rule("filters", fault.to_string()))?;
    let tokens = service::list(ctx, whose, condition.as_ref()).await?;
    Ok(tokens.into_iter().map(|token| shown(ctx, token)).collect())
}

async fn create(
    ctx: &Ctx,
    body: models::CreatePersonalAccessTokenRequest,
) -> Result<models::CreatePersonalAccessTokenResponse, Failure> {
    let models::CreatePersonalAccessTokenRequest {
        name,
        scope,
        access_token_validity_seconds,
        expiration_date,
        user_aware_token_never_expires,
    } = body;
    let new = NewPat {
        name,
        scope: scope.flatten(),
        validity: access_token_validity_seconds.flatten(),
        expires: expiration_date.flatten().map(|t| t.0),
        never_expires: user_aware_token_never_expires.flatten().unwrap_or(false),
    };
    let (token, secret) = service::create(ctx, rule(ctx), new).await?;
    Ok(models::CreatePersonalAccessTokenResponse {
        id: token.id.simple().to_string(),
        secret: secret.reveal().to_owned(),
        owner: owner(&token),
        name: token.name,
        scope: token.scope.0,
        created: token.created.into(),
        access_token_validity_seconds: token.validity,
        expiration_date: token.expires.unwrap_or_else(never).into(),
        user_aware_token_never_expires: (rule(ctx) == Rule::Explicit).then_some(token.never_expires),
    })
}

async fn patch(ctx: &Ctx, id: &str, body: &Value) -> Result<models::GetPersonalAccessTokenResponse, Failure> {
    Ok(shown(ctx, service::patch(ctx, rule(ctx), id, body).await?))
}

async fn bulk(
    ctx: &Ctx,
    body: models::BulkUpdatePersonalAccessTokensRequest,
) -> Result<Vec<models::GetPersonalAccessTokenResponse>, Failure> {
    let patch = body.patch.into_iter().map(Value::Object).collect();
    let tokens = service::bulk_update(ctx, &body.ids, patch).await?;
    Ok(tokens.into_iter().map(|token| shown(ctx, token)).collect())
}

impl Pats for App {
    async fn list_personal_access_tokens(
        &self,
        ctx: &Ctx,
        q: ListPersonalAccessTokensQuery,
    ) -> Result<ListPersonalAccessTokensResponse, Failure> {
        Ok(ListPersonalAccessTokensResponse::Status200(list(ctx, q.owner_id, q.filters).await?))
    }

    async fn list_personal_access_tokens_v1(
        &self,
        ctx: &Ctx,
        q: ListPersonalAccessTokensV1Query,
    ) -> Result<ListPersonalAccessTokensV1Response, Failure> {
        Ok(ListPersonalAccessTokensV1Response::Status200(list(ctx, q.owner_id, q.filters).await?))
    }

    async fn create_personal_access_token(
        &self,
        ctx: &Ctx,
        body: models::CreatePersonalAccessTokenRequest,
    ) -> Result<CreatePersonalAccessTokenResponse, Failure> {
        Ok(CreatePersonalAccessTokenResponse::Status200(create(ctx, body).await?))
    }

    async fn create_personal_access_token_v1(
        &self,
        ctx: &Ctx,
        body: models::CreatePersonalAccessTokenRequest,
    ) -> Result<CreatePersonalAccessTokenV1Response, Failure> {
        Ok(CreatePersonalAccessTokenV1Response::Status200(create(ctx, body).await?))
    }

    async fn patch_personal_access_token(
        &self,
        ctx: &Ctx,
        path: PatchPersonalAccessTokenPath,
        body: Value,
    ) -> Result<PatchPersonalAccessTokenResponse, Failure> {
        Ok(PatchPersonalAccessTokenResponse::Status200(patch(ctx, &path.id, &body).await?))
    }

    async fn patch_personal_access_token_v1(
        &self,
        ctx: &Ctx,
        path: PatchPersonalAccessTokenV1Path,
        body: Value,
    ) -> Result<PatchPersonalAccessTokenV1Response, Failure> {
        Ok(PatchPersonalAccessTokenV1Response::Status200(patch(ctx, &path.id, &body).await?))
    }

    async fn delete_personal_access_token(
        &self,
        ctx: &Ctx,
        path: DeletePersonalAccessTokenPath,
    ) -> Result<DeletePersonalAccessTokenResponse, Failure> {
        service::delete(ctx, &path.id).await?;
        Ok(DeletePersonalAccessTokenResponse::Status204)
    }

    async fn delete_personal_access_token_v1(
        &self,
        ctx: &Ctx,
        path: DeletePersonalAccessTokenV1Path,
    ) -> Result<DeletePersonalAccessTokenV1Response, Failure> {
        service::delete(ctx, &path.id).await?;
        Ok(DeletePersonalAccessTokenV1Response::Status204)
    }

    async fn bulk_update_personal_access_tokens_v1(
        &self,
        ctx: &Ctx,
        body: models::BulkUpdatePersonalAccessTokensRequest,
    ) -> Result<BulkUpdatePersonalAccessTokensV1Response, Failure> {
        Ok(BulkUpdatePersonalAccessTokensV1Response::Status200(bulk(ctx, body).await?))
    }

    async fn bulk_update_personal_access_tokens_by_post_v1(
        &self,
        ctx: &Ctx,
        body: models::BulkUpdatePersonalAccessTokensRequest,
    ) -> Result<BulkUpdatePersonalAccessTokensByPostV1Response, Failure> {
        Ok(BulkUpdatePersonalAccessTokensByPostV1Response::Status200(bulk(ctx, body).await?))
    }
}

#[cfg(test)]
mod tests {
    use super::{OPERATIONS, RULES};

    #[test]
    fn every_base_has_a_rule() {
        for base in OPERATIONS.iter().flat_map(|operation| operation.bases) {
            assert!(RULES.iter().any(|(known, _)| known == base), "{base}");
        }
    }
}
