//! Rules for flows (contract: authentik-core §6.1).

use super::{
    entity::{ActiveModel, Authentication, BACKGROUND, DeniedAction, Designation, Layout, Model},
    export,
    store::{self, FlowFilter, FlowView},
};
use crate::{
    access::code,
    audit::{self, Event},
    ctx::Ctx,
    error::{Error, Result},
    flow::executor,
    list::{ListRequest, Page},
    resource::{
        applications,
        bindings::{self, service::Of, target::Mode},
        brands,
        grants::store as grants,
        stage_bindings::{self, gone},
        stages,
    },
};
use sea_orm::{ActiveModelTrait as _, IntoActiveModel as _};
use serde_json::json;

/// What a write says about a flow; what is absent stays, or is the default.
#[derive(Debug, Clone, Default)]
pub struct Draft {
    pub name: Option<String>,
    pub slug: Option<String>,
    pub title: Option<String>,
    pub designation: Option<Designation>,
    pub mode: Option<Mode>,
    pub compatibility_mode: Option<bool>,
    pub layout: Option<Layout>,
    pub denied_action: Option<DeniedAction>,
    pub authentication: Option<Authentication>,
}

/// # Errors
/// [`Error::InvalidPage`]; otherwise when the database is away.
pub async fn list(ctx: &Ctx, request: &ListRequest, filter: FlowFilter) -> Result<Page<FlowView>> {
    store::list(ctx.app.db.read(), &ctx.principal, request, filter).await
}

/// # Errors
/// [`Error::NotFound`].
pub async fn view(ctx: &Ctx, slug: &str) -> Result<FlowView> {
    store::view(ctx.app.db.read(), &ctx.principal, slug).await
}

/// Whether there is such a flow for the caller.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn require(ctx: &Ctx, slug: &str) -> Result<()> {
    view(ctx, slug).await.map(drop)
}

/// The key under which permissions on a flow are held, whoever asks.
///
/// # Errors
/// When the database is away.
pub async fn key_of(ctx: &Ctx, slug: &str) -> Result<Option<String>> {
    Ok(store::id_of(ctx.app.db.read(), slug).await?.map(|id| id.to_string()))
}

/// What a flow is called where it is named.
#[must_use]
pub fn name(flow: &Model) -> String {
    format!("Flow {} ({})", flow.name, flow.slug)
}

/// All of a row, with its search text.
fn write(mut flow: Model) -> ActiveModel {
    flow.search = Model::searchable(&flow.name, &flow.slug, &flow.title, flow.designation, flow.denied_action);
    flow.into_active_model().reset_all()
}

/// Makes a flow that has no stages yet.
///
/// # Errors
/// [`Error::Invalid`] for a taken slug.
pub async fn create(ctx: &Ctx, draft: Draft) -> Result<FlowView> {
    let tx = ctx.begin().await?;
    let slug = draft.slug.unwrap_or_default();
    if store::id_of(tx.conn(), &slug).await?.is_some() {
        return Err(store::slug_taken());
    }
    let mode = draft.mode.unwrap_or(Mode::Any);
    let designation = draft.designation.ok_or_else(|| Error::internal("a flow without a designation came through"))?;
    let flow = Model {
        id: ctx.uuid(),
        target_id: ctx.uuid(),
        name: draft.name.unwrap_or_default(),
        slug,
        title: draft.title.unwrap_or_default(),
        designation,
        background: BACKGROUND.to_owned(),
        compatibility_mode: draft.compatibility_mode.unwrap_or(false),
        layout: draft.layout.unwrap_or(Layout::Stacked),
        denied_action: draft.denied_action.unwrap_or(DeniedAction::MessageContinue),
        authentication: draft.authentication.unwrap_or(Authentication::None),
        search: String::new(),
    };
    let flow = store::insert(tx.conn(), write(flow), mode).await?;
    let fields = json!({
        "name": flow.name, "slug": flow.slug, "title": flow.title, "designation": flow.designation,
        "compatibility_mode": flow.compatibility_mode, "layout": flow.layout,
        "denied_action": flow.denied_action, "authentication": flow.authentication,
    });
    audit::record(&tx, ctx, Event::created(&flow.subject(), &fields));
    tx.commit().await?;
    Ok(FlowView { flow, mode, stages: Vec::new(), policies: Vec::new() })
}

/// Changes a flow.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Invalid`] for a taken slug.
pub async fn update(ctx: &Ctx, slug: &str, draft: Draft) -> Result<FlowView> {
    let mut tx = ctx.begin().await?;
    let mut flow = store::find_for_update(tx.conn(), &ctx.principal, slug).await?;
    if let Some(slug) = &draft.slug
        && store::id_of(tx.conn(), slug).await?.is_some_and(|other| other != flow.id)
    {
        return Err(store::slug_taken());
    }
    flow.name = draft.name.unwrap_or(flow.name);
    flow.slug = draft.slug.unwrap_or(flow.slug);
    flow.title = draft.title.unwrap_or(flow.title);
    flow.designation = draft.designation.unwrap_or(flow.designation);
    flow.compatibility_mode = draft.compatibility_mode.unwrap_or(flow.compatibility_mode);
    flow.layout = draft.layout.unwrap_or(flow.layout);
    flow.denied_action = draft.denied_action.unwrap_or(flow.denied_action);
    flow.authentication = draft.authentication.unwrap_or(flow.authentication);
    let flow = store::update(tx.conn(), write(flow)).await?;
    if let Some(mode) = draft.mode {
        store::set_mode(tx.conn(), flow.target_id, mode).await?;
    }
    audit::record(&tx, ctx, Event::updated(&flow.subject()));
    let view = store::view(tx.conn(), &ctx.principal, &flow.slug).await?;
    tx.touch();
    tx.commit().await?;
    Ok(view)
}

/// Removes a flow with its bindings; its stages stay, and what names it forgets it.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn delete(ctx: &Ctx, slug: &str) -> Result<()> {
    let mut tx = ctx.begin().await?;
    let flow = store::find_for_update(tx.conn(), &ctx.principal, slug).await?;
    gone::forget(ctx, &mut tx, gone::Of::Flow(flow.id)).await?;
    bindings::service::forget(ctx, &mut tx, Of::Target(flow.target_id)).await?;
    stages::service::forget_flow(ctx, &mut tx, flow.id).await?;
    store::delete(tx.conn(), &flow).await?;
    grants::forget_object(tx.conn(), "authentik_flows", "flow", &flow.id.to_string()).await?;
    grants::forget_object(tx.conn(), "authentik_policies", "policybindingmodel", &flow.target_id.to_string()).await?;
    audit::record(&tx, ctx, Event::deleted(&flow.subject()));
    tx.touch();
    tx.commit().await
}

/// Gives a flow a background by its address; an empty one brings the usual one back.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Unexplained`] for an address that is none, or one that would run code.
pub async fn set_background_url(ctx: &Ctx, slug: &str, url: Option<&str>) -> Result<()> {
    let tx = ctx.begin().await?;
    let mut flow = store::find_for_update(tx.conn(), &ctx.principal, slug).await?;
    let url = applications::service::picture(url)?;
    flow.background = if url.is_empty() { BACKGROUND.to_owned() } else { url.to_owned() };
    let flow = store::update(tx.conn(), write(flow)).await?;
    audit::record(&tx, ctx, Event::updated(&flow.subject()));
    tx.commit().await
}

/// Plans a flow for the caller's session, and gives the address of its page.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Refused`] when the flow is not for the caller.
pub async fn execute(ctx: &Ctx, slug: &str) -> Result<String> {
    require(ctx, slug).await?;
    match executor::prepare(ctx, slug).await? {
        true => Ok(format!("{}/if/flow/{slug}/", ctx.base_url())),
        false => Err(Error::Refused("Flow does not apply to current user.".to_owned())),
    }
}

/// A flow with all that belongs to it, as a blueprint in YAML.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn export(ctx: &Ctx, slug: &str) -> Result<String> {
    let view = view(ctx, slug).await?;
    export::blueprint(ctx.app.db.read(), &view).await
}

/// How many plans are remembered: none ever, because each is made anew, which costs little here and cannot be out
/// of date.
///
/// # Errors
/// [`Error::Forbidden`] for whoever may only look at single flows.
pub fn remembered(ctx: &Ctx) -> Result<i32> {
    if ctx.principal.holds(code::VIEW_FLOW_CACHE) { Ok(0) } else { Err(Error::Forbidden) }
}

/// What uses a flow, as far as the caller may see it.
#[derive(Debug, Clone, Default)]
pub struct UsedBy {
    pub bindings: Vec<stage_bindings::Model>,
    pub brands: Vec<brands::Model>,
    pub stages: Vec<stages::Model>,
}

/// # Errors
/// [`Error::NotFound`].
pub async fn used_by(ctx: &Ctx, slug: &str) -> Result<UsedBy> {
    let db = ctx.app.db.read();
    let id = view(ctx, slug).await?.flow.id;
    let mut used = UsedBy {
        bindings: gone::bindings(db, gone::Of::Flow(id)).await?,
        brands: store::brands_with(db, id).await?,
        stages: stages::store::naming(
            db,
            stages::Kind::Identification,
            &["enrollment_flow", "recovery_flow", "passwordless_flow"],
            id,
            false,
        )
        .await?,
    };
    used.stages.extend(stages::store::naming(db, stages::Kind::Password, &["configure_flow"], id, false).await?);
    let sees = |code: &str, key: uuid::Uuid| ctx.principal.holds_on(code, &key.to_string());
    used.bindings.retain(|binding| sees(code::VIEW_STAGE_BINDING, binding.id));
    used.brands.retain(|brand| sees(code::VIEW_BRAND, brand.id));
    used.stages.retain(|stage| sees(&stage.kind.code("view"), stage.id));
    Ok(used)
}
