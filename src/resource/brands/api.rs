//! `core/brands` of api/v3.yaml: convert in, call the service, convert out.

use super::{
    entity::{Column, Model},
    service::{self, Current, Draft},
    store::BrandFilter,
};
use crate::{
    app::App,
    ctx::Ctx,
    dialect::{Failure, v3},
    list::ListRequest,
};
use serde_json::Value;
use tessera_api::v3::{
    apis::brands::*,
    models::{self, UiThemeEnum},
};

fn to_model(brand: Model) -> models::Brand {
    models::Brand {
        brand_uuid: brand.id,
        domain: brand.domain,
        default: brand.is_default,
        branding_title: brand.branding_title,
        branding_logo: brand.branding_logo,
        branding_favicon: brand.branding_favicon,
        flow_authentication: brand.flow_authentication_id,
        flow_invalidation: brand.flow_invalidation_id,
        flow_recovery: brand.flow_recovery_id,
        flow_unenrollment: brand.flow_unenrollment_id,
        flow_user_settings: brand.flow_user_settings_id,
        flow_device_code: brand.flow_device_code_id,
        default_application: brand.default_application_id,
        web_certificate: None,
        attributes: match brand.attributes {
            Value::Object(attributes) => attributes,
            _ => serde_json::Map::new(),
        },
    }
}

fn whole(body: models::BrandRequest) -> Draft {
    Draft {
        domain: Some(body.domain),
        is_default: body.default,
        branding_title: body.branding_title,
        branding_logo: body.branding_logo,
        branding_favicon: body.branding_favicon,
        default_application: body.default_application,
        web_certificate: body.web_certificate.flatten(),
        attributes: body.attributes,
        flow_authentication: body.flow_authentication,
        flow_invalidation: body.flow_invalidation,
        flow_recovery: body.flow_recovery,
        flow_unenrollment: body.flow_unenrollment,
        flow_user_settings: body.flow_user_settings,
        flow_device_code: body.flow_device_code,
    }
}

fn part(body: models::PatchedBrandRequest) -> Draft {
    Draft {
        domain: body.domain,
        is_default: body.default,
        branding_title: body.branding_title,
        branding_logo: body.branding_logo,
        branding_favicon: body.branding_favicon,
        default_application: body.default_application,
        web_certificate: body.web_certificate.flatten(),
        attributes: body.attributes,
        flow_authentication: body.flow_authentication,
        flow_invalidation: body.flow_invalidation,
        flow_recovery: body.flow_recovery,
        flow_unenrollment: body.flow_unenrollment,
        flow_user_settings: body.flow_user_settings,
        flow_device_code: body.flow_device_code,
    }
}

/// A link at the foot of pages, as the settings have it.
fn link(value: &Value) -> Option<models::FooterLink> {
    let text = |key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    Some(models::FooterLink { href: text("href"), name: text("name")? })
}

fn current_to_model(current: Current) -> models::CurrentBrand {
    let [
        flow_authentication,
        flow_invalidation,
        flow_recovery,
        flow_unenrollment,
        flow_user_settings,
        flow_device_code,
    ] = current.flows;
    models::CurrentBrand {
        matched_domain: current.domain,
        branding_title: current.title,
        branding_logo: current.logo,
        branding_favicon: current.favicon,
        ui_footer_links: current.footer_links.as_array().into_iter().flatten().filter_map(link).collect(),
        ui_theme: current.theme.parse().unwrap_or(UiThemeEnum::Automatic),
        flow_authentication,
        flow_invalidation,
        flow_recovery,
        flow_unenrollment,
        flow_user_settings,
        flow_device_code,
        default_locale: current.locale,
    }
}

impl Brands for App {
    async fn core_brands_list(&self, ctx: &Ctx, q: CoreBrandsListQuery) -> Result<CoreBrandsListResponse, Failure> {
        let request =
            ListRequest::new(q.page.as_deref(), q.page_size.as_deref(), q.ordering.as_deref(), q.search.as_deref())?;
        let flows = [
            ("flow_authentication", Column::FlowAuthenticationId, q.flow_authentication),
            ("flow_invalidation", Column::FlowInvalidationId, q.flow_invalidation),
            ("flow_recovery", Column::FlowRecoveryId, q.flow_recovery),
            ("flow_unenrollment", Column::FlowUnenrollmentId, q.flow_unenrollment),
            ("flow_user_settings", Column::FlowUserSettingsId, q.flow_user_settings),
            ("flow_device_code", Column::FlowDeviceCodeId, q.flow_device_code),
        ];
        let filter = BrandFilter {
            id: q.brand_uuid,
            domain: q.domain,
            is_default: q.default,
            branding_title: q.branding_title,
            branding_logo: q.branding_logo,
            branding_favicon: q.branding_favicon,
            flows: flows.iter().filter_map(|(_, column, flow)| Some((*column, (*flow)?))).collect(),
        };
        let named = flows.iter().filter_map(|(field, _, flow)| Some((*field, (*flow)?)));
        let named: Vec<_> = named.chain(q.web_certificate.map(|id| ("web_certificate", id))).collect();
        let page = service::list(ctx, &request, filter, &named).await?;
        let (pagination, results) = v3::page(page.map(to_model));
        Ok(CoreBrandsListResponse::Status200(models::PaginatedBrandList { pagination, results }))
    }

    async fn core_brands_create(
        &self,
        ctx: &Ctx,
        body: models::BrandRequest,
    ) -> Result<CoreBrandsCreateResponse, Failure> {
        Ok(CoreBrandsCreateResponse::Status201(to_model(service::create(ctx, whole(body)).await?)))
    }

    async fn core_brands_retrieve(
        &self,
        ctx: &Ctx,
        path: CoreBrandsRetrievePath,
    ) -> Result<CoreBrandsRetrieveResponse, Failure> {
        Ok(CoreBrandsRetrieveResponse::Status200(to_model(service::view(ctx, path.brand_uuid).await?)))
    }

    async fn core_brands_update(
        &self,
        ctx: &Ctx,
        path: CoreBrandsUpdatePath,
        body: models::BrandRequest,
    ) -> Result<CoreBrandsUpdateResponse, Failure> {
        let brand = service::update(ctx, path.brand_uuid, whole(body)).await?;
        Ok(CoreBrandsUpdateResponse::Status200(to_model(brand)))
    }

    async fn core_brands_partial_update(
        &self,
        ctx: &Ctx,
        path: CoreBrandsPartialUpdatePath,
        body: models::PatchedBrandRequest,
    ) -> Result<CoreBrandsPartialUpdateResponse, Failure> {
        let brand = service::update(ctx, path.brand_uuid, part(body)).await?;
        Ok(CoreBrandsPartialUpdateResponse::Status200(to_model(brand)))
    }

    async fn core_brands_destroy(
        &self,
        ctx: &Ctx,
        path: CoreBrandsDestroyPath,
    ) -> Result<CoreBrandsDestroyResponse, Failure> {
        service::delete(ctx, path.brand_uuid).await?;
        Ok(CoreBrandsDestroyResponse::Status204)
    }

    async fn core_brands_used_by_list(
        &self,
        ctx: &Ctx,
        path: CoreBrandsUsedByListPath,
    ) -> Result<CoreBrandsUsedByListResponse, Failure> {
        service::require(ctx, path.brand_uuid).await?;
        // Nothing names a brand.
        Ok(CoreBrandsUsedByListResponse::Status200(Vec::new()))
    }

    async fn core_brands_current_retrieve(&self, ctx: &Ctx) -> Result<CoreBrandsCurrentRetrieveResponse, Failure> {
        Ok(CoreBrandsCurrentRetrieveResponse::Status200(current_to_model(service::current(ctx).await?)))
    }
}
