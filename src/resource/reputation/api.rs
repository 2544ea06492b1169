//! `policies/reputation/scores` of api/v3.yaml: convert in, call the service, convert out.

use super::{entity::Model, service, store::ScoreFilter};
use crate::{
    app::App,
    ctx::Ctx,
    dialect::{Failure, v3},
    list::ListRequest,
};
use tessera_api::v3::{apis::reputation_scores::*, models};

fn to_model(score: Model) -> models::Reputation {
    models::Reputation {
        pk: score.id,
        identifier: score.identifier,
        ip: score.ip,
        ip_geo_data: score.ip_geo_data.unwrap_or_default(),
        ip_asn_data: score.ip_asn_data.unwrap_or_default(),
        score: score.score,
        updated: score.updated.into(),
    }
}

impl ReputationScores for App {
    async fn policies_reputation_scores_list(
        &self,
        ctx: &Ctx,
        q: PoliciesReputationScoresListQuery,
    ) -> Result<PoliciesReputationScoresListResponse, Failure> {
        let request =
            ListRequest::new(q.page.as_deref(), q.page_size.as_deref(), q.ordering.as_deref(), q.search.as_deref())?;
        let filter = ScoreFilter {
            identifier: q.identifier,
            identifiers: q.identifier_in,
            ip: q.ip,
            score: q.score.map(i64::from),
        };
        let (pagination, results) = v3::page(service::list(ctx, &request, filter).await?.map(to_model));
        Ok(PoliciesReputationScoresListResponse::Status200(models::PaginatedReputationList { pagination, results }))
    }

    async fn policies_reputation_scores_retrieve(
        &self,
        ctx: &Ctx,
        path: PoliciesReputationScoresRetrievePath,
    ) -> Result<PoliciesReputationScoresRetrieveResponse, Failure> {
        let score = service::view(ctx, path.reputation_uuid).await?;
        Ok(PoliciesReputationScoresRetrieveResponse::Status200(to_model(score)))
    }

    async fn policies_reputation_scores_destroy(
        &self,
        ctx: &Ctx,
        path: PoliciesReputationScoresDestroyPath,
    ) -> Result<PoliciesReputationScoresDestroyResponse, Failure> {
        service::delete(ctx, path.reputation_uuid).await?;
        Ok(PoliciesReputationScoresDestroyResponse::Status204)
    }

    async fn policies_reputation_scores_used_by_list(
        &self,
        ctx: &Ctx,
        path: PoliciesReputationScoresUsedByListPath,
    ) -> Result<PoliciesReputationScoresUsedByListResponse, Failure> {
        service::view(ctx, path.reputation_uuid).await?;
        Ok(PoliciesReputationScoresUsedByListResponse::Status200(Vec::new()))
    }
}
