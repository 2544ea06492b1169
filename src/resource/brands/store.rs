//! Queries on brands. Every query of a caller starts at [`visible`].

use super::entity::{ActiveModel, Column, Entity, Model};
use crate::{
    access::{Principal, Visible, code},
    error::{Error, Problem, Result, unique_violation},
    list::{ListRequest, OrderColumn, Page},
    resource::flows,
};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _,
    QueryOrder as _, QuerySelect as _, Select,
    sea_query::{Expr, LockType},
};
use std::collections::BTreeMap;
use uuid::Uuid;

/// What a listing may be narrowed by.
#[derive(Debug, Clone, Default)]
pub struct BrandFilter {
    pub id: Option<Uuid>,
    pub domain: Option<String>,
    pub is_default: Option<bool>,
    pub branding_title: Option<String>,
    pub branding_logo: Option<String>,
    pub branding_favicon: Option<String>,
    /// Flows, each by the column that names it.
    pub flows: Vec<(Column, Uuid)>,
}

/// Brands that exist for this caller.
pub fn visible(principal: &Principal) -> Select<Entity> {
    match principal.visible(code::VIEW_BRAND) {
        Visible::All => Entity::find(),
        Visible::Some(keys) => {
            Entity::find().filter(Column::Id.is_in(keys.iter().filter_map(|key| key.parse::<Uuid>().ok())))
        }
        Visible::None => Entity::find().filter(Expr::val(false)),
    }
}

fn order_column(name: &str) -> Option<OrderColumn> {
    Some(match name {
        "pk" | "brand_uuid" => OrderColumn::of(Column::Id),
        "domain" => OrderColumn::of(Column::Domain),
        "default" => OrderColumn::of(Column::IsDefault),
        "branding_title" => OrderColumn::of(Column::BrandingTitle),
        "branding_logo" => OrderColumn::of(Column::BrandingLogo),
        "branding_favicon" => OrderColumn::of(Column::BrandingFavicon),
        "default_application" => OrderColumn::nullable(Column::DefaultApplicationId),
        "flow_authentication" => OrderColumn::nullable(Column::FlowAuthenticationId),
        "flow_invalidation" => OrderColumn::nullable(Column::FlowInvalidationId),
        "flow_recovery" => OrderColumn::nullable(Column::FlowRecoveryId),
        "flow_unenrollment" => OrderColumn::nullable(Column::FlowUnenrollmentId),
        "flow_user_settings" => OrderColumn::nullable(Column::FlowUserSettingsId),
        "flow_device_code" => OrderColumn::nullable(Column::FlowDeviceCodeId),
        _ => return None,
    })
}

/// One page of the brands that the caller may see.
///
/// # Errors
/// [`Error::InvalidPage`]; otherwise when the database is away.
pub async fn list(
    db: &impl ConnectionTrait,
    principal: &Principal,
    request: &ListRequest,
    filter: BrandFilter,
) -> Result<Page<Model>> {
    let own = [
        filter.id.map(|v| Column::Id.eq(v)),
        filter.domain.map(|v| Column::Domain.eq(v)),
        filter.is_default.map(|v| Column::IsDefault.eq(v)),
        filter.branding_title.map(|v| Column::BrandingTitle.eq(v)),
        filter.branding_logo.map(|v| Column::BrandingLogo.eq(v)),
        filter.branding_favicon.map(|v| Column::BrandingFavicon.eq(v)),
    ];
    let flows = filter.flows.into_iter().map(|(column, flow)| column.eq(flow));
    let select = own.into_iter().flatten().chain(flows).fold(visible(principal), sea_orm::QueryFilter::filter);
    let select = select.filter(request.search_condition(&[Expr::col(Column::Search.as_column_ref())]));
    let ordered = request.order(select.clone(), order_column, &["domain"], Column::Id);
    request.fetch(db, select, ordered).await
}

/// One brand that the caller may see.
///
/// # Errors
/// [`Error::NotFound`]; otherwise when the database is away.
pub async fn find(db: &impl ConnectionTrait, principal: &Principal, id: Uuid) -> Result<Model> {
    visible(principal).filter(Column::Id.eq(id)).one(db).await?.ok_or(Error::NotFound)
}

/// As [`find`], and nobody else changes the row until the transaction ends.
///
/// # Errors
/// As [`find`].
pub async fn find_for_update(db: &impl ConnectionTrait, principal: &Principal, id: Uuid) -> Result<Model> {
    visible(principal).filter(Column::Id.eq(id)).lock(LockType::NoKeyUpdate).one(db).await?.ok_or(Error::NotFound)
}

/// All brands, the longest domain first; there are few.
///
/// # Errors
/// When the database is away.
pub async fn all(db: &impl ConnectionTrait) -> Result<Vec<Model>> {
    let mut brands = Entity::find().order_by_asc(Column::Domain).all(db).await?;
    brands.sort_by_key(|brand| std::cmp::Reverse(brand.domain.len()));
    Ok(brands)
}

/// Whether another brand has this domain.
///
/// # Errors
/// When the database is away.
pub async fn is_taken(db: &impl ConnectionTrait, domain: &str, own: Uuid) -> Result<bool> {
    Ok(Entity::find().filter(Column::Domain.eq(domain)).filter(Column::Id.ne(own)).one(db).await?.is_some())
}

/// Whether another brand is the default one.
///
/// # Errors
/// When the database is away.
pub async fn has_other_default(db: &impl ConnectionTrait, own: Uuid) -> Result<bool> {
    Ok(Entity::find().filter(Column::IsDefault.eq(true)).filter(Column::Id.ne(own)).one(db).await?.is_some())
}

/// The slugs of the flows of a brand.
///
/// # Errors
/// When the database is away.
pub async fn slugs(db: &impl ConnectionTrait, ids: &[Uuid]) -> Result<BTreeMap<Uuid, String>> {
    let flows = flows::store::by_ids(db, ids).await?;
    Ok(flows.into_iter().map(|flow| (flow.id, flow.slug)).collect())
}

/// # Errors
/// A taken domain; otherwise when the database is away.
pub async fn insert(db: &impl ConnectionTrait, brand: ActiveModel) -> Result<Model> {
    brand.insert(db).await.map_err(taken)
}

/// # Errors
/// As [`insert`].
pub async fn update(db: &impl ConnectionTrait, brand: ActiveModel) -> Result<Model> {
    brand.update(db).await.map_err(taken)
}

/// # Errors
/// [`Error::NotFound`] when somebody else was faster.
pub async fn delete(db: &impl ConnectionTrait, id: Uuid) -> Result<()> {
    let gone = Entity::delete_by_id(id).exec(db).await?;
    if gone.rows_affected == 0 { Err(Error::NotFound) } else { Ok(()) }
}

/// What is said about a domain that is taken.
#[must_use]
pub fn domain_taken() -> Problem {
    Problem::Taken(Some(("Brand", "domain")))
}

fn taken(error: DbErr) -> Error {
    match unique_violation(&error) {
        Some(_) => Error::field("domain", domain_taken()),
        None => error.into(),
    }
}
