//! `root/config`, `schema` and `admin/…` of api/v3.yaml (contract: authentik-core §1.9).

use crate::{
    app::App,
    ctx::Ctx,
    dialect::Failure,
    resource::settings::{
        Model,
        service::{self as settings, SettingsChange},
    },
};
use bytes::Bytes;
use std::collections::BTreeMap;
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

    async fn admin_settings_retrieve(&self, ctx: &Ctx) -> Result<AdminSettingsRetrieveResponse, Failure> {
        Ok(AdminSettingsRetrieveResponse::Status200(to_settings(settings::view(ctx).await?)))
    }

    async fn admin_settings_update(
        &self,
        ctx: &Ctx,
        body: models::SettingsRequest,
    ) -> Result<AdminSettingsUpdateResponse, Failure> {
        let models::SettingsRequest {
            avatars,
            default_user_change_name,
            default_user_change_email,
            default_user_change_username,
            event_retention,
            footer_links,
            gdpr_compliance,
            impersonation,
            default_token_duration,
            default_token_length,
        } = body;
        let body = models::PatchedSettingsRequest {
            avatars,
            default_user_change_name,
            default_user_change_email,
            default_user_change_username,
            event_retention,
            footer_links,
            gdpr_compliance,
            impersonation,
            default_token_duration,
            default_token_length,
        };
        let change = to_change(body);
        Ok(AdminSettingsUpdateResponse::Status200(to_settings(settings::update(ctx, change).await?)))
    }

    async fn admin_settings_partial_update(
        &self,
        ctx: &Ctx,
        body: models::PatchedSettingsRequest,
    ) -> Result<AdminSettingsPartialUpdateResponse, Failure> {
        let change = to_change(body);
        Ok(AdminSettingsPartialUpdateResponse::Status200(to_settings(settings::update(ctx, change).await?)))
    }

    async fn admin_system_retrieve(&self, ctx: &Ctx) -> Result<AdminSystemRetrieveResponse, Failure> {
        Ok(AdminSystemRetrieveResponse::Status200(system(ctx)))
    }

    async fn admin_system_create(&self, ctx: &Ctx) -> Result<AdminSystemCreateResponse, Failure> {
        Ok(AdminSystemCreateResponse::Status200(system(ctx)))
    }
}

fn to_change(body: models::PatchedSettingsRequest) -> SettingsChange {
    SettingsChange {
        avatars: body.avatars,
        default_user_change_name: body.default_user_change_name,
        default_user_change_email: body.default_user_change_email,
        default_user_change_username: body.default_user_change_username,
        event_retention: body.event_retention,
        footer_links: body.footer_links,
        gdpr_compliance: body.gdpr_compliance,
        impersonation: body.impersonation,
        default_token_duration: body.default_token_duration,
        default_token_length: body.default_token_length,
    }
}

fn to_settings(row: Model) -> models::Settings {
    models::Settings {
        avatars: row.avatars,
        default_user_change_name: row.default_user_change_name,
        default_user_change_email: row.default_user_change_email,
        default_user_change_username: row.default_user_change_username,
        event_retention: row.event_retention,
        footer_links: row.footer_links,
        gdpr_compliance: row.gdpr_compliance,
        impersonation: row.impersonation,
        default_token_duration: row.default_token_duration,
        default_token_length: row.default_token_length,
    }
}

/// What the server is and how it was asked; headers without credentials.
fn system(ctx: &Ctx) -> models::SystemInfo {
    let headers = ctx.request.iter().flat_map(|r| &r.shown_headers);
    // As a Python server would name them.
    let http_headers: BTreeMap<String, String> = headers
        .map(|(name, value)| (format!("HTTP_{}", name.to_uppercase().replace('-', "_")), value.clone()))
        .collect();
    models::SystemInfo {
        http_host: http_headers.get("HTTP_HOST").cloned().unwrap_or_default(),
        http_headers,
        http_is_secure: false,
        runtime: models::SystemInfoRuntime {
            python_version: format!("none: Tessera {}", env!("CARGO_PKG_VERSION")),
            environment: "custom".into(),
            architecture: std::env::consts::ARCH.into(),
            platform: std::env::consts::OS.into(),
            uname: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            openssl_version: "none".into(),
            openssl_fips_enabled: None,
            authentik_version: SERVED.into(),
        },
        brand: "Brand fallback".into(),
        server_time: ctx.now.into(),
        embedded_outpost_disabled: true,
        embedded_outpost_host: String::new(),
    }
}
