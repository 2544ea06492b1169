//! Rules for brands.

use super::{
    entity::{ActiveModel, Model},
    store::{self, BrandFilter},
};
use crate::{
    audit::{self, Event, Subject},
    ctx::Ctx,
    db::Tx,
    error::{Error, FieldErrors, Problem, Result},
    list::{self, ListRequest, Page},
    resource::{applications, flows, grants::store as grants, settings},
};
use sea_orm::{ActiveModelTrait as _, EntityTrait as _, IntoActiveModel as _};
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// What a page is called unless a brand says otherwise.
pub const TITLE: &str = "authentik";
/// The logo and the icon unless a brand says otherwise.
pub const LOGO: &str = "/static/dist/assets/icons/icon_left_brand.svg";
pub const FAVICON: &str = "/static/dist/assets/icons/icon.png";
/// What the brand is called of a host that has none.
const FALLBACK: &str = "fallback";
/// What the original says about a second default brand.
const ONLY_ONE: &str = "Only a single brand can be set as default.";

/// What a write says about a brand; what is absent stays, or is the default.
#[derive(Debug, Clone, Default)]
pub struct Draft {
    pub domain: Option<String>,
    pub is_default: Option<bool>,
    pub branding_title: Option<String>,
    pub branding_logo: Option<String>,
    pub branding_favicon: Option<String>,
    pub default_application: Option<Option<Uuid>>,
    pub web_certificate: Option<Uuid>,
    pub attributes: Option<Map<String, Value>>,
    pub flow_authentication: Option<Option<Uuid>>,
    pub flow_invalidation: Option<Option<Uuid>>,
    pub flow_recovery: Option<Option<Uuid>>,
    pub flow_unenrollment: Option<Option<Uuid>>,
    pub flow_user_settings: Option<Option<Uuid>>,
    pub flow_device_code: Option<Option<Uuid>>,
}

impl Draft {
    /// The flows it names, by field.
    fn flows(&self) -> [(&'static str, Option<Uuid>); 6] {
        [
            ("flow_authentication", self.flow_authentication.flatten()),
            ("flow_invalidation", self.flow_invalidation.flatten()),
            ("flow_recovery", self.flow_recovery.flatten()),
            ("flow_unenrollment", self.flow_unenrollment.flatten()),
            ("flow_user_settings", self.flow_user_settings.flatten()),
            ("flow_device_code", self.flow_device_code.flatten()),
        ]
    }
}

/// What a client needs to know of the brand of its host.
#[derive(Debug, Clone)]
pub struct Current {
    pub domain: String,
    pub title: String,
    pub logo: String,
    pub favicon: String,
    /// As the settings have them.
    pub footer_links: Value,
    /// `automatic`, `light` or `dark`, as the brand's attributes say.
    pub theme: String,
    pub locale: String,
    /// Slugs, in the order of [`flow_ids`].
    pub flows: [Option<String>; 6],
}

/// What a brand is called where it is named.
#[must_use]
pub fn name(brand: &Model) -> String {
    if brand.is_default { "Default brand".to_owned() } else { format!("Brand {}", brand.domain) }
}

/// The brand as events name it.
#[must_use]
pub fn subject(brand: &Model) -> Subject {
    Subject::new("authentik_brands", "brand", brand.id.simple(), name(brand))
}

/// # Errors
/// [`Error::InvalidPage`]; [`Error::Invalid`] for a filter by a flow that is not there.
pub async fn list(
    ctx: &Ctx,
    request: &ListRequest,
    filter: BrandFilter,
    named: &[(&'static str, Uuid)],
) -> Result<Page<Model>> {
    let db = ctx.app.db.read();
    let mut errors = FieldErrors::default();
    for (field, flow) in named {
        // There are no certificates.
        if *field == "web_certificate" || flows::store::by_ids(db, &[*flow]).await?.is_empty() {
            errors.add(field, Problem::NoSuchChoice);
        }
    }
    errors.finish()?;
    store::list(db, &ctx.principal, request, filter).await
}

/// # Errors
/// [`Error::NotFound`].
pub async fn view(ctx: &Ctx, id: Uuid) -> Result<Model> {
    store::find(ctx.app.db.read(), &ctx.principal, id).await
}

/// Whether there is such a brand for the caller.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn require(ctx: &Ctx, id: Uuid) -> Result<()> {
    view(ctx, id).await.map(drop)
}

/// The brand of the host that the caller asked: the one whose domain is that host, or the longest that it ends
/// with, or else the default one.
///
/// # Errors
/// When the database is away.
pub async fn of_host(ctx: &Ctx) -> Result<Option<Model>> {
    let brands = store::all(ctx.app.db.read()).await?;
    let host = ctx.request.as_ref().map(|request| request.host.to_ascii_lowercase()).unwrap_or_default();
    Ok(chosen(brands, &host))
}

/// Of brands with the longest domain first.
fn chosen(brands: Vec<Model>, host: &str) -> Option<Model> {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    let fits = |brand: &Model| {
        let domain = brand.domain.to_ascii_lowercase();
        !domain.is_empty() && (name.ends_with(&domain) || host.ends_with(&domain))
    };
    let place = brands.iter().position(fits).or_else(|| brands.iter().position(|brand| brand.is_default));
    place.and_then(|place| brands.into_iter().nth(place))
}

/// What a client needs to know of the brand of its host.
///
/// # Errors
/// When the database is away.
pub async fn current(ctx: &Ctx) -> Result<Current> {
    let db = ctx.app.db.read();
    let brand = of_host(ctx).await?;
    let settings = settings::Entity::find_by_id(1).one(db).await?.unwrap_or_else(settings::defaults);
    let ids = brand.as_ref().map(flow_ids).unwrap_or_default();
    let wanted: Vec<Uuid> = ids.iter().flatten().copied().collect();
    let slugs = store::slugs(db, &wanted).await?;
    let flows = ids.map(|id| id.and_then(|id| slugs.get(&id).cloned()));
    let attribute = |path: &str| {
        let value = brand.as_ref().and_then(|brand| brand.attributes.pointer(path)).and_then(Value::as_str);
        value.map(str::to_owned)
    };
    let (theme, locale) = (attribute("/settings/theme/base"), attribute("/settings/locale"));
    let text = |own: fn(&Model) -> &String, usual: &str| brand.as_ref().map_or(usual.to_owned(), |b| own(b).clone());
    Ok(Current {
        domain: text(|b| &b.domain, FALLBACK),
        title: text(|b| &b.branding_title, TITLE),
        logo: text(|b| &b.branding_logo, LOGO),
        favicon: text(|b| &b.branding_favicon, FAVICON),
        footer_links: settings.footer_links,
        theme: theme.unwrap_or_else(|| "automatic".to_owned()),
        locale: locale.unwrap_or_default(),
        flows,
    })
}

/// Its flows: authentication, invalidation, recovery, unenrollment, user settings, device code.
fn flow_ids(brand: &Model) -> [Option<Uuid>; 6] {
    [
        brand.flow_authentication_id,
        brand.flow_invalidation_id,
        brand.flow_recovery_id,
        brand.flow_unenrollment_id,
        brand.flow_user_settings_id,
        brand.flow_device_code_id,
    ]
}

/// All of a row, with its search text.
fn write(mut brand: Model) -> ActiveModel {
    brand.search = list::folded(&[&brand.domain, &brand.branding_title]);
    brand.into_active_model().reset_all()
}

async fn check(tx: &Tx, draft: &Draft, own: Uuid) -> Result<()> {
    let mut errors = FieldErrors::default();
    if let Some(domain) = &draft.domain
        && store::is_taken(tx.conn(), domain, own).await?
    {
        errors.add("domain", store::domain_taken());
    }
    for (field, flow) in draft.flows() {
        if let Some(flow) = flow
            && flows::store::by_ids(tx.conn(), &[flow]).await?.is_empty()
        {
            errors.add(field, Problem::UnknownKey(flow.to_string()));
        }
    }
    if let Some(id) = draft.default_application.flatten()
        && applications::Entity::find_by_id(id).one(tx.conn()).await?.is_none()
    {
        errors.add("default_application", Problem::UnknownKey(id.to_string()));
    }
    if let Some(id) = draft.web_certificate {
        // There are none.
        errors.add("web_certificate", Problem::UnknownKey(id.to_string()));
    }
    errors.finish()?;
    if draft.is_default == Some(true) && store::has_other_default(tx.conn(), own).await? {
        return Err(Error::rule("default", ONLY_ONE));
    }
    Ok(())
}

/// Makes a brand.
///
/// # Errors
/// [`Error::Invalid`] for a taken domain, a second default, or a flow or application that does not exist.
pub async fn create(ctx: &Ctx, draft: Draft) -> Result<Model> {
    let tx = ctx.begin().await?;
    // Two at once would both find no default.
    tx.exclusive().await?;
    let id = ctx.uuid();
    check(&tx, &draft, id).await?;
    let brand = Model {
        id,
        domain: draft.domain.unwrap_or_default(),
        is_default: draft.is_default.unwrap_or(false),
        branding_title: draft.branding_title.unwrap_or_else(|| TITLE.to_owned()),
        branding_logo: draft.branding_logo.unwrap_or_else(|| LOGO.to_owned()),
        branding_favicon: draft.branding_favicon.unwrap_or_else(|| FAVICON.to_owned()),
        default_application_id: draft.default_application.flatten(),
        attributes: Value::Object(draft.attributes.unwrap_or_default()),
        search: String::new(),
        flow_authentication_id: draft.flow_authentication.flatten(),
        flow_invalidation_id: draft.flow_invalidation.flatten(),
        flow_recovery_id: draft.flow_recovery.flatten(),
        flow_unenrollment_id: draft.flow_unenrollment.flatten(),
        flow_user_settings_id: draft.flow_user_settings.flatten(),
        flow_device_code_id: draft.flow_device_code.flatten(),
    };
    let brand = store::insert(tx.conn(), write(brand)).await?;
    let flow = |id: Option<Uuid>| id.map(|id| id.simple().to_string());
    let fields = json!({
        "domain": brand.domain, "default": brand.is_default, "branding_title": brand.branding_title,
        "branding_logo": brand.branding_logo, "branding_favicon": brand.branding_favicon,
        "attributes": brand.attributes, "flow_authentication": flow(brand.flow_authentication_id),
        "flow_invalidation": flow(brand.flow_invalidation_id), "flow_recovery": flow(brand.flow_recovery_id),
        "flow_unenrollment": flow(brand.flow_unenrollment_id),
        "flow_user_settings": flow(brand.flow_user_settings_id), "flow_device_code": flow(brand.flow_device_code_id),
    });
    audit::record(&tx, ctx, Event::created(&subject(&brand), &fields));
    tx.commit().await?;
    Ok(brand)
}

/// Changes a brand.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Invalid`] as in [`create`].
pub async fn update(ctx: &Ctx, id: Uuid, draft: Draft) -> Result<Model> {
    let tx = ctx.begin().await?;
    tx.exclusive().await?;
    let mut brand = store::find_for_update(tx.conn(), &ctx.principal, id).await?;
    check(&tx, &draft, id).await?;
    brand.domain = draft.domain.unwrap_or(brand.domain);
    brand.is_default = draft.is_default.unwrap_or(brand.is_default);
    brand.branding_title = draft.branding_title.unwrap_or(brand.branding_title);
    brand.branding_logo = draft.branding_logo.unwrap_or(brand.branding_logo);
    brand.branding_favicon = draft.branding_favicon.unwrap_or(brand.branding_favicon);
    brand.default_application_id = draft.default_application.unwrap_or(brand.default_application_id);
    brand.attributes = draft.attributes.map_or(brand.attributes, Value::Object);
    brand.flow_authentication_id = draft.flow_authentication.unwrap_or(brand.flow_authentication_id);
    brand.flow_invalidation_id = draft.flow_invalidation.unwrap_or(brand.flow_invalidation_id);
    brand.flow_recovery_id = draft.flow_recovery.unwrap_or(brand.flow_recovery_id);
    brand.flow_unenrollment_id = draft.flow_unenrollment.unwrap_or(brand.flow_unenrollment_id);
    brand.flow_user_settings_id = draft.flow_user_settings.unwrap_or(brand.flow_user_settings_id);
    brand.flow_device_code_id = draft.flow_device_code.unwrap_or(brand.flow_device_code_id);
    let brand = store::update(tx.conn(), write(brand)).await?;
    audit::record(&tx, ctx, Event::updated(&subject(&brand)));
    tx.commit().await?;
    Ok(brand)
}

/// Removes a brand.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn delete(ctx: &Ctx, id: Uuid) -> Result<()> {
    let mut tx = ctx.begin().await?;
    let brand = store::find_for_update(tx.conn(), &ctx.principal, id).await?;
    store::delete(tx.conn(), id).await?;
    grants::forget_object(tx.conn(), "authentik_brands", "brand", &id.to_string()).await?;
    audit::record(&tx, ctx, Event::deleted(&subject(&brand)));
    tx.touch();
    tx.commit().await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn brand(domain: &str, is_default: bool) -> Model {
        Model {
            id: Uuid::nil(),
            domain: domain.to_owned(),
            is_default,
            branding_title: String::new(),
            branding_logo: String::new(),
            branding_favicon: String::new(),
            default_application_id: None,
            attributes: json!({}),
            search: String::new(),
            flow_authentication_id: None,
            flow_invalidation_id: None,
            flow_recovery_id: None,
            flow_unenrollment_id: None,
            flow_user_settings_id: None,
            flow_device_code_id: None,
        }
    }

    #[test]
    fn the_longest_domain_that_fits_is_chosen() {
        let brands = vec![brand("auth.Example.org", false), brand("example.org", false), brand("x", true)];
        let domain = |host: &str| chosen(brands.clone(), host).map(|brand| brand.domain);
        assert_eq!(domain("auth.example.org:9443").as_deref(), Some("auth.Example.org"));
        assert_eq!(domain("id.example.org").as_deref(), Some("example.org"));
        assert_eq!(domain("elsewhere").as_deref(), Some("x"));
        assert_eq!(domain("").as_deref(), Some("x"));
        assert_eq!(chosen(vec![brand("example.org", false)], "elsewhere"), None);
    }
}
