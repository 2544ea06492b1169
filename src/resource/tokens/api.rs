//! `core/tokens` of api/v3.yaml: convert in, call the service, convert out.
//!
//! What the answer to a change needs beyond what the service gives is asked for before the change: after
//! it, nothing may fail any more.

use super::{
    entity::Intent,
    keys,
    service::{self, NewToken, TokenChange},
    store::{TokenFilter, TokenView},
    usage,
};
use crate::{
    app::{App, Shown},
    ctx::Ctx,
    dialect::{Failure, v3},
    error::Error,
    list::ListRequest,
    resource::users,
    secret::PlainSecret,
};
use tessera_api::v3::{
    apis::tokens::*,
    models::{self, IntentEnum},
};

impl From<IntentEnum> for Intent {
    fn from(intent: IntentEnum) -> Self {
        match intent {
            IntentEnum::Verification => Self::Verification,
            IntentEnum::Api => Self::Api,
            IntentEnum::Recovery => Self::Recovery,
            IntentEnum::AppPassword => Self::AppPassword,
        }
    }
}

impl From<Intent> for IntentEnum {
    fn from(intent: Intent) -> Self {
        match intent {
            Intent::Verification => Self::Verification,
            Intent::Api => Self::Api,
            Intent::Recovery => Self::Recovery,
            Intent::AppPassword => Self::AppPassword,
        }
    }
}

fn to_model(app: &App, shown: &Shown, with_groups: bool, row: TokenView) -> models::Token {
    models::Token {
        pk: row.id,
        managed: row.managed,
        identifier: row.identifier,
        intent: row.intent.into(),
        user: row.user.id,
        user_obj: users::to_model(app, shown, with_groups, row.user),
        description: row.description,
        expires: row.expires.map(Into::into),
        expiring: row.expiring,
    }
}

impl Tokens for App {
    async fn core_tokens_list(&self, ctx: &Ctx, q: CoreTokensListQuery) -> Result<CoreTokensListResponse, Failure> {
        let request =
            ListRequest::new(q.page.as_deref(), q.page_size.as_deref(), q.ordering.as_deref(), q.search.as_deref())?;
        let filter = TokenFilter {
            identifier: q.identifier,
            intent: q.intent.and_then(|i| i.as_str().parse::<IntentEnum>().ok()).map(Into::into),
            username: q.user__username,
            description: q.description,
            expires: q.expires.map(|t| t.0),
            expiring: q.expiring,
            managed: q.managed,
        };
        let page = service::list(ctx, &request, filter).await?;
        let shown = self.shown().await?;
        let with_groups = q.include_groups.unwrap_or(true);
        let (pagination, results) = v3::page(page.map(|row| to_model(self, &shown, with_groups, row)));
        Ok(CoreTokensListResponse::Status200(models::PaginatedTokenList { pagination, results }))
    }

    async fn core_tokens_create(
        &self,
        ctx: &Ctx,
        body: models::TokenRequest,
    ) -> Result<CoreTokensCreateResponse, Failure> {
        let models::TokenRequest { managed, identifier, intent, user, description, expires, expiring } = body;
        let new = NewToken {
            identifier,
            intent: intent.map(Into::into),
            user,
            description,
            expires: expires.map(|e| e.map(|t| t.0)),
            expiring,
            managed,
            key: None,
        };
        let shown = self.shown().await?;
        let row = service::create(ctx, new).await?;
        Ok(CoreTokensCreateResponse::Status201(to_model(self, &shown, true, row)))
    }

    async fn core_tokens_retrieve(
        &self,
        ctx: &Ctx,
        path: CoreTokensRetrievePath,
        query: CoreTokensRetrieveQuery,
    ) -> Result<CoreTokensRetrieveResponse, Failure> {
        let row = service::view(ctx, &path.identifier).await?;
        let shown = self.shown().await?;
        let token = to_model(self, &shown, query.include_groups.unwrap_or(true), row);
        Ok(CoreTokensRetrieveResponse::Status200(token))
    }

    async fn core_tokens_update(
        &self,
        ctx: &Ctx,
        path: CoreTokensUpdatePath,
        body: models::TokenRequest,
    ) -> Result<CoreTokensUpdateResponse, Failure> {
        let models::TokenRequest { managed, identifier, intent, user, description, expires, expiring } = body;
        let change = TokenChange {
            identifier: Some(identifier),
            intent: intent.map(Into::into),
            user,
            description,
            expires: expires.map(|e| e.map(|t| t.0)),
            expiring,
            managed,
        };
        let shown = self.shown().await?;
        let row = service::update(ctx, &path.identifier, change).await?;
        Ok(CoreTokensUpdateResponse::Status200(to_model(self, &shown, true, row)))
    }

    async fn core_tokens_partial_update(
        &self,
        ctx: &Ctx,
        path: CoreTokensPartialUpdatePath,
        body: models::PatchedTokenRequest,
    ) -> Result<CoreTokensPartialUpdateResponse, Failure> {
        let models::PatchedTokenRequest { managed, identifier, intent, user, description, expires, expiring } = body;
        let change = TokenChange {
            identifier,
            intent: intent.map(Into::into),
            user,
            description,
            expires: expires.map(|e| e.map(|t| t.0)),
            expiring,
            managed,
        };
        let shown = self.shown().await?;
        let row = service::update(ctx, &path.identifier, change).await?;
        Ok(CoreTokensPartialUpdateResponse::Status200(to_model(self, &shown, true, row)))
    }

    async fn core_tokens_destroy(
        &self,
        ctx: &Ctx,
        path: CoreTokensDestroyPath,
    ) -> Result<CoreTokensDestroyResponse, Failure> {
        service::delete(ctx, &path.identifier).await?;
        Ok(CoreTokensDestroyResponse::Status204)
    }

    async fn core_tokens_view_key_retrieve(
        &self,
        ctx: &Ctx,
        path: CoreTokensViewKeyRetrievePath,
    ) -> Result<CoreTokensViewKeyRetrieveResponse, Failure> {
        let key = keys::view_key(ctx, &path.identifier).await?.reveal().to_owned();
        Ok(CoreTokensViewKeyRetrieveResponse::Status200(models::TokenView { key }))
    }

    async fn core_tokens_set_key_create(
        &self,
        ctx: &Ctx,
        path: CoreTokensSetKeyCreatePath,
        body: models::TokenSetKeyRequest,
    ) -> Result<CoreTokensSetKeyCreateResponse, Failure> {
        let key = body.key.flatten().filter(|key| !key.is_empty()).ok_or(Error::Unexplained)?;
        keys::set_key(ctx, &path.identifier, PlainSecret::new(key)).await?;
        Ok(CoreTokensSetKeyCreateResponse::Status204)
    }

    async fn core_tokens_used_by_list(
        &self,
        ctx: &Ctx,
        path: CoreTokensUsedByListPath,
    ) -> Result<CoreTokensUsedByListResponse, Failure> {
        service::used_by(ctx, &path.identifier).await?;
        Ok(CoreTokensUsedByListResponse::Status200(Vec::new()))
    }

    async fn core_tokens_rotate_create(
        &self,
        ctx: &Ctx,
        path: CoreTokensRotateCreatePath,
        body: models::TokenRotateRequest,
    ) -> Result<CoreTokensRotateCreateResponse, Failure> {
        let overlap = body.overlap.map(|text| text.parse().map_err(Error::internal)).transpose()?;
        let rotated = keys::rotate(ctx, &path.identifier, overlap).await?;
        Ok(CoreTokensRotateCreateResponse::Status200(models::TokenRotated {
            key: rotated.key.reveal().to_owned(),
            expires: rotated.end.map(Into::into),
            previous_key_expires: rotated.former_until.map(Into::into),
        }))
    }

    async fn core_tokens_usage_retrieve(
        &self,
        ctx: &Ctx,
        path: CoreTokensUsageRetrievePath,
    ) -> Result<CoreTokensUsageRetrieveResponse, Failure> {
        let used = usage::view(ctx, &path.identifier).await?;
        Ok(CoreTokensUsageRetrieveResponse::Status200(models::TokenUsage {
            use_count: used.as_ref().map_or(0, |u| u.use_count),
            first_used: used.as_ref().map(|u| u.first_used.into()),
            last_used: used.as_ref().map(|u| u.last_used.into()),
            first_address: used.as_ref().and_then(|u| u.first_address.clone()),
            last_address: used.and_then(|u| u.last_address),
        }))
    }
}
