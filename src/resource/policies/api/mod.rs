//! `policies/all` of api/v3.yaml: convert in, call the service, convert out. The kinds are beside it.

mod kinds;

use super::{
    kinds::{ALL, Words},
    service,
    store::{PolicyFilter, PolicyView, Scope},
};
use crate::{
    app::App,
    ctx::Ctx,
    dialect::{Failure, v3},
    error::Error,
    list::ListRequest,
    policy::{LogLine, Outcome},
    resource::stages,
};
use tessera_api::v3::{
    apis::policies::*,
    models::{self, LogLevelEnum},
};
use uuid::Uuid;

fn small(count: i64) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

/// `app_label.model`
fn model_name(words: Words) -> String {
    format!("{}.{}", words.app_label, words.model)
}

/// A policy on the wire with the fields of its kind, where its kind is not known beforehand.
#[must_use]
pub fn to_model(view: PolicyView) -> models::Policy {
    let words = view.policy.kind.words();
    models::Policy {
        pk: view.policy.id,
        execution_logging: view.policy.execution_logging,
        component: words.component.into(),
        verbose_name: words.verbose_name.into(),
        verbose_name_plural: words.verbose_name_plural.into(),
        meta_model_name: model_name(words),
        bound_to: small(view.bound_to),
        extra: view.policy.fields(),
        name: view.policy.name,
    }
}

fn level(level: &str) -> LogLevelEnum {
    match level {
        "debug" => LogLevelEnum::Debug,
        "warning" => LogLevelEnum::Warning,
        "error" => LogLevelEnum::Error,
        "critical" => LogLevelEnum::Critical,
        _ => LogLevelEnum::Info,
    }
}

fn line_to_model(line: LogLine) -> models::LogEvent {
    models::LogEvent {
        timestamp: line.timestamp.into(),
        log_level: level(line.level),
        logger: line.logger,
        event: line.event,
        attributes: line.attributes,
    }
}

/// What came out of a question to policies, on the wire.
#[must_use]
pub fn outcome_to_model(outcome: Outcome) -> models::PolicyTestResult {
    models::PolicyTestResult {
        passing: outcome.passing,
        messages: outcome.messages,
        log_messages: outcome.log.into_iter().map(line_to_model).collect(),
    }
}

/// What uses a policy: prompt stages. Bindings do not show here (contract: authentik-core §1.9).
async fn used_by(ctx: &Ctx, scope: Scope, id: Uuid) -> Result<Vec<models::UsedBy>, Error> {
    let stages = service::used_by(ctx, scope, id).await?;
    Ok(stages.iter().map(stages::used_by_stage).collect())
}

impl Policies for App {
    async fn policies_all_list(&self, ctx: &Ctx, q: PoliciesAllListQuery) -> Result<PoliciesAllListResponse, Failure> {
        let request =
            ListRequest::new(q.page.as_deref(), q.page_size.as_deref(), q.ordering.as_deref(), q.search.as_deref())?;
        let filter = PolicyFilter {
            unbound: q.bindings__isnull,
            in_no_prompt_stage: q.promptstage__isnull,
            ..PolicyFilter::default()
        };
        let page = service::list(ctx, Scope::All, &request, filter).await?;
        let (pagination, results) = v3::page(page.map(to_model));
        Ok(PoliciesAllListResponse::Status200(models::PaginatedPolicyList { pagination, results }))
    }

    async fn policies_all_retrieve(
        &self,
        ctx: &Ctx,
        path: PoliciesAllRetrievePath,
    ) -> Result<PoliciesAllRetrieveResponse, Failure> {
        let view = service::view(ctx, Scope::All, path.policy_uuid).await?;
        Ok(PoliciesAllRetrieveResponse::Status200(to_model(view)))
    }

    async fn policies_all_destroy(
        &self,
        ctx: &Ctx,
        path: PoliciesAllDestroyPath,
    ) -> Result<PoliciesAllDestroyResponse, Failure> {
        service::delete(ctx, Scope::All, path.policy_uuid).await?;
        Ok(PoliciesAllDestroyResponse::Status204)
    }

    async fn policies_all_used_by_list(
        &self,
        ctx: &Ctx,
        path: PoliciesAllUsedByListPath,
    ) -> Result<PoliciesAllUsedByListResponse, Failure> {
        Ok(PoliciesAllUsedByListResponse::Status200(used_by(ctx, Scope::All, path.policy_uuid).await?))
    }

    async fn policies_all_types_list(&self, _: &Ctx) -> Result<PoliciesAllTypesListResponse, Failure> {
        let types = ALL.into_iter().map(|kind| {
            let words = kind.words();
            models::TypeCreate {
                name: words.verbose_name.into(),
                description: words.description.into(),
                component: words.component.into(),
                model_name: words.model.into(),
                icon_url: Some(None),
                requires_enterprise: false,
            }
        });
        Ok(PoliciesAllTypesListResponse::Status200(types.collect()))
    }

    async fn policies_all_test_create(
        &self,
        ctx: &Ctx,
        path: PoliciesAllTestCreatePath,
        body: models::PolicyTestRequest,
    ) -> Result<PoliciesAllTestCreateResponse, Failure> {
        let outcome = service::test(ctx, path.policy_uuid, body.user, body.context).await?;
        Ok(PoliciesAllTestCreateResponse::Status200(outcome_to_model(outcome)))
    }

    async fn policies_all_cache_info_retrieve(
        &self,
        ctx: &Ctx,
    ) -> Result<PoliciesAllCacheInfoRetrieveResponse, Failure> {
        let count = service::remembered(ctx)?;
        Ok(PoliciesAllCacheInfoRetrieveResponse::Status200(models::Cache { count }))
    }

    async fn policies_all_cache_clear_create(&self, ctx: &Ctx) -> Result<PoliciesAllCacheClearCreateResponse, Failure> {
        service::forget_results(ctx).await?;
        Ok(PoliciesAllCacheClearCreateResponse::Status204)
    }
}
