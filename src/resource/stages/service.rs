//! Rules for stages (contract: authentik-core §6.1). What stages do is in [`crate::flow`].

use super::{
    entity::{ActiveModel, Kind, Model},
    kinds::{BASE_LABEL, TEMPLATES},
    references,
    settings::Settings,
    store::{self, Scope, StageFilter, StageView},
};
use crate::{
    audit::{self, Event},
    ctx::Ctx,
    db::Tx,
    error::{Error, FieldErrors, Problem, Result},
    list::{self, ListRequest, Page},
    resource::{
        flows,
        grants::store as grants,
        prompts,
        stage_bindings::{self, gone},
    },
    secret::{PlainSecret, Sealed},
};
use sea_orm::{ActiveValue::Set, ConnectionTrait, IntoActiveModel as _};
use serde_json::{Map, Value};
use uuid::Uuid;

pub use references::{forget_flow, forget_group};

/// What a write says about a stage; what is absent stays, or is the kind's default.
#[derive(Debug, Clone, Default)]
pub struct Draft {
    pub name: Option<String>,
    /// Fields of the kind, as on the wire, except those below.
    pub settings: Map<String, Value>,
    /// The password of an e-mail stage's server.
    pub secret: Option<PlainSecret>,
    /// Sources of an identification stage.
    pub sources: Vec<Uuid>,
    /// What a prompt stage asks for.
    pub prompts: Option<Vec<Uuid>>,
    /// What judges the answers to a prompt stage.
    pub policies: Option<Vec<Uuid>>,
}

/// # Errors
/// [`Error::InvalidPage`]; [`Error::Invalid`] for a filter by something that is not there.
pub async fn list(ctx: &Ctx, scope: Scope, request: &ListRequest, filter: StageFilter) -> Result<Page<StageView>> {
    let db = ctx.app.db.read();
    references::check_filter(db, &filter).await?;
    store::list(db, &ctx.principal, scope, request, filter).await
}

/// # Errors
/// [`Error::NotFound`].
pub async fn view(ctx: &Ctx, scope: Scope, id: Uuid) -> Result<StageView> {
    let db = ctx.app.db.read();
    one(db, store::find(db, &ctx.principal, scope, id).await?).await
}

/// Whether there is such a stage for the caller.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn require(ctx: &Ctx, scope: Scope, id: Uuid) -> Result<()> {
    store::find(ctx.app.db.read(), &ctx.principal, scope, id).await.map(drop)
}

async fn one(db: &impl ConnectionTrait, stage: Model) -> Result<StageView> {
    store::completed(db, vec![stage]).await?.pop().ok_or(Error::NotFound)
}

/// What a stage is called where it is named.
#[must_use]
pub fn name(stage: &Model) -> String {
    format!("Stage {}", stage.name)
}

/// The password that an e-mail stage signs in to its server with.
///
/// # Errors
/// When it was sealed under another master key.
pub fn password_of(ctx: &Ctx, stage: &Model) -> Result<Option<PlainSecret>> {
    let open = |sealed: &Sealed| ctx.app.keyring.open(sealed, stage.id.as_bytes()).map_err(Error::internal);
    stage.secret.as_ref().map(open).transpose()
}

/// Nothing is sealed for an empty password: it is none.
fn sealed(ctx: &Ctx, id: Uuid, secret: &PlainSecret) -> Option<Sealed> {
    let some = !secret.reveal().is_empty();
    some.then(|| ctx.app.keyring.seal(&*ctx.app.entropy, secret, id.as_bytes()))
}

/// Rules that a form cannot hold. What is named stays until the transaction ends.
async fn check(tx: &Tx, kind: Kind, own: Option<Uuid>, draft: &Draft) -> Result<()> {
    let mut errors = FieldErrors::default();
    if let Some(name) = &draft.name
        && store::by_name(tx.conn(), name).await?.is_some_and(|other| Some(other.id) != own)
    {
        errors.add("name", store::name_taken(kind));
    }
    let is_empty = |field: &str| draft.settings.get(field).and_then(Value::as_array).is_some_and(Vec::is_empty);
    if is_empty("backends") {
        errors.add("backends", empty());
    }
    if draft.prompts.as_ref().is_some_and(Vec::is_empty) {
        errors.add("fields", empty());
    }
    if let Some(template) = draft.settings.get("template").and_then(Value::as_str)
        && !TEMPLATES.iter().any(|(known, _)| *known == template)
    {
        errors.add("template", Problem::Rule(format!("Invalid template '{template}' specified.")));
    }
    references::check(tx, draft, &mut errors).await?;
    errors.finish()?;
    // In what is sent, not in what there is: so has the original it.
    let selected = draft.settings.get("user_fields").and_then(Value::as_array).is_some_and(|list| !list.is_empty());
    if kind == Kind::Identification && !selected && draft.sources.is_empty() {
        let text = "When no user fields are selected, at least one source must be selected";
        return Err(Error::Refused(text.to_owned()));
    }
    Ok(())
}

fn empty() -> Problem {
    Problem::Rule("This list may not be empty.".to_owned())
}

async fn set_lists(tx: &Tx, id: Uuid, prompts: Option<Vec<Uuid>>, policies: Option<Vec<Uuid>>) -> Result<()> {
    if let Some(prompts) = prompts {
        prompts::store::set_fields(tx.conn(), id, &prompts).await?;
    }
    if let Some(policies) = policies {
        prompts::store::set_policies(tx.conn(), id, &policies).await?;
    }
    Ok(())
}

/// Makes a stage.
///
/// # Errors
/// [`Error::Invalid`], [`Error::Refused`].
pub async fn create(ctx: &Ctx, kind: Kind, draft: Draft) -> Result<StageView> {
    let mut tx = ctx.begin().await?;
    check(&tx, kind, None, &draft).await?;
    let Draft { name, settings, secret, prompts, policies, .. } = draft;
    let name = name.unwrap_or_default();
    let mut fields = kind.fields()?;
    fields.extend(settings);
    let settings = Settings::read(kind, Value::Object(fields)).map_err(Error::internal)?.to_map()?;
    let id = ctx.uuid();
    let row = ActiveModel {
        id: Set(id),
        search: Set(list::folded(&[&name])),
        name: Set(name),
        kind: Set(kind),
        settings: Set(Value::Object(settings)),
        secret: Set(secret.and_then(|secret| sealed(ctx, id, &secret))),
    };
    let stage = store::insert(tx.conn(), row, kind).await?;
    set_lists(&tx, id, prompts, policies).await?;
    let view = one(tx.conn(), stage).await?;
    let mut shown = view.fields();
    shown.insert("name".to_owned(), Value::String(view.stage.name.clone()));
    audit::record(&tx, ctx, Event::created(&view.stage.subject(), &Value::Object(shown)));
    tx.touch();
    tx.commit().await?;
    Ok(view)
}

/// Changes a stage.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Invalid`], [`Error::Refused`].
pub async fn update(ctx: &Ctx, kind: Kind, id: Uuid, draft: Draft) -> Result<StageView> {
    let mut tx = ctx.begin().await?;
    // What it names is locked before the stage is: whoever deletes that goes the same way.
    check(&tx, kind, Some(id), &draft).await?;
    let stage = store::find_for_update(tx.conn(), &ctx.principal, Scope::Of(kind), id).await?;
    let Draft { name, settings, secret, prompts, policies, .. } = draft;
    let mut fields = stage.settings.as_object().cloned().unwrap_or_default();
    fields.extend(settings);
    let fields = Settings::read(kind, Value::Object(fields)).map_err(Error::internal)?.to_map()?;
    let name = name.unwrap_or_else(|| stage.name.clone());
    let mut row = stage.into_active_model();
    row.search = Set(list::folded(&[&name]));
    row.name = Set(name);
    row.settings = Set(Value::Object(fields));
    if let Some(secret) = secret {
        row.secret = Set(sealed(ctx, id, &secret));
    }
    let stage = store::update(tx.conn(), row, kind).await?;
    set_lists(&tx, id, prompts, policies).await?;
    audit::record(&tx, ctx, Event::updated(&stage.subject()));
    let view = one(tx.conn(), stage).await?;
    tx.touch();
    tx.commit().await?;
    Ok(view)
}

/// Removes a stage with its bindings to flows and what is bound to those.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn delete(ctx: &Ctx, scope: Scope, id: Uuid) -> Result<()> {
    let mut tx = ctx.begin().await?;
    let stage = store::find_for_update(tx.conn(), &ctx.principal, scope, id).await?;
    gone::forget(ctx, &mut tx, gone::Of::Stage(id)).await?;
    references::forget_stage(ctx, &mut tx, id).await?;
    store::delete(tx.conn(), id).await?;
    for (label, model) in [stage.kind.model(), (BASE_LABEL, "stage")] {
        grants::forget_object(tx.conn(), label, model, &id.to_string()).await?;
    }
    audit::record(&tx, ctx, Event::deleted(&stage.subject()));
    tx.touch();
    tx.commit().await
}

/// What has to do with a stage, as far as the caller may see it.
#[derive(Debug)]
pub struct UsedBy {
    pub flows: Vec<flows::Model>,
    pub bindings: Vec<stage_bindings::Model>,
    pub prompts: Vec<prompts::Model>,
    /// Identification stages that ask for the password in one.
    pub stages: Vec<Model>,
}

/// # Errors
/// [`Error::NotFound`].
pub async fn used_by(ctx: &Ctx, scope: Scope, id: Uuid) -> Result<UsedBy> {
    let db = ctx.app.db.read();
    let stage = store::find(db, &ctx.principal, scope, id).await?;
    let sees = |code: &str, id: Uuid| ctx.principal.holds_on(code, &id.to_string());
    let flows = store::with_flows(db, vec![stage]).await?.into_iter().flat_map(|view| view.flows);
    let bindings = gone::bindings(db, gone::Of::Stage(id)).await?;
    let prompts = prompts::store::of_stage(db, id).await?;
    let stages = store::naming(db, Kind::Identification, &["password_stage"], id, false).await?;
    Ok(UsedBy {
        flows: flows.map(|of| of.flow).filter(|flow| sees("authentik_flows.view_flow", flow.id)).collect(),
        bindings: bindings.into_iter().filter(|b| sees("authentik_flows.view_flowstagebinding", b.id)).collect(),
        prompts: prompts.into_iter().filter(|p| sees(prompts::store::VIEW, p.id)).collect(),
        stages: stages.into_iter().filter(|s| sees(&Kind::Identification.code("view"), s.id)).collect(),
    })
}

/// Prompt stages whose answers a policy judges, as far as the caller may see them.
///
/// # Errors
/// When the database is away.
pub async fn validating(ctx: &Ctx, policy: Uuid) -> Result<Vec<Model>> {
    let code = Kind::Prompt.code("view");
    let mut stages = store::validating(ctx.app.db.read(), policy).await?;
    stages.retain(|stage| ctx.principal.holds_on(&code, &stage.id.to_string()));
    Ok(stages)
}

/// Stages with which people set something up for themselves.
///
/// # Errors
/// When the database is away.
pub async fn user_settings(ctx: &Ctx) -> Result<Vec<Model>> {
    store::configurable(ctx.app.db.read()).await
}
