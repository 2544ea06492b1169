//! `root/config`, `admin/version` and `schema` of api/v3.yaml (contract: authentik-core §1.9).

use crate::{app::App, ctx::Ctx, dialect::Failure};
use bytes::Bytes;
use tessera_api::{
    openapi,
    v3::{
        apis::system::*,
        models::{self, CapabilitiesEnum, SchemaRetrieveFormatParameter},
    },
};
use tessera_api_runtime::Raw;

/// The API that is served; clients do not compare it, people do.
const SERVED: &str = "2024.8.2";
/// Seconds; only what original clients expect to see.
const CACHE_TIMEOUT: i32 = 300;

impl System for App {
    async fn root_config_retrieve(&self, _: &Ctx) -> Result<RootConfigRetrieveResponse, Failure> {
        let mut capabilities = Vec::new();
        if self.settings().await?.impersonation {
            capabilities.push(CapabilitiesEnum::CanImpersonate);
        }
        capabilities.push(CapabilitiesEnum::IsEnterprise);
        Ok(RootConfigRetrieveResponse::Status200(models::Config {
            // Never on: a client would send its errors to somebody else.
            error_reporting: models::ErrorReportingConfig {
                enabled: false,
                sentry_dsn: String::new(),
                environment: "customer".into(),
                send_pii: false,
                traces_sample_rate: 0.0,
            },
            capabilities,
            cache_timeout: CACHE_TIMEOUT,
            cache_timeout_flows: CACHE_TIMEOUT,
            cache_timeout_policies: CACHE_TIMEOUT,
            cache_timeout_reputation: 0,
        }))
    }

    async fn admin_version_retrieve(&self, _: &Ctx) -> Result<AdminVersionRetrieveResponse, Failure> {
        Ok(AdminVersionRetrieveResponse::Status200(models::Version {
            version_current: SERVED.into(),
            // Nobody is asked for updates.
            version_latest: "0.0.0".into(),
            version_latest_valid: false,
            build_hash: String::new(),
            outdated: false,
            outpost_outdated: false,
        }))
    }

    async fn schema_retrieve(&self, ctx: &Ctx, query: SchemaRetrieveQuery) -> Result<SchemaRetrieveResponse, Failure> {
        let as_json = match query.format {
            Some(SchemaRetrieveFormatParameter::Json) => true,
            Some(SchemaRetrieveFormatParameter::Yaml) => false,
            None => ctx.request.as_ref().is_some_and(|r| r.accepts_json),
        };
        let (mime, text) = if as_json {
            ("application/json; charset=utf-8", openapi::V3_JSON)
        } else {
            ("application/vnd.oai.openapi; charset=utf-8", openapi::V3_YAML)
        };
        Ok(SchemaRetrieveResponse::Status200(Raw { mime, bytes: Bytes::from_static(text.as_bytes()) }))
    }
}
