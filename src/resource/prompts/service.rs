//! Rules for prompts (contract: authentik-core §6.1, "Prompts").

use super::{
    entity::{ActiveModel, Kind, Model},
    render::{self, Failing, Field, Situation},
    store::{self, PromptFilter, PromptView},
};
use crate::{
    audit::{self, Event, Subject},
    ctx::Ctx,
    error::{Error, Result},
    list::{ListRequest, Page},
    resource::{grants::store as grants, stages, users},
};
use sea_orm::{ActiveEnum as _, ActiveModelTrait as _, ConnectionTrait, IntoActiveModel as _};
use serde_json::{Map, json};
use uuid::Uuid;

/// What a write says about a prompt; what is absent stays, or is the default.
#[derive(Debug, Clone, Default)]
pub struct Draft {
    pub name: Option<String>,
    pub field_key: Option<String>,
    pub label: Option<String>,
    pub kind: Option<Kind>,
    pub required: Option<bool>,
    pub placeholder: Option<String>,
    pub initial_value: Option<String>,
    pub order: Option<i32>,
    pub sub_text: Option<String>,
    pub placeholder_expression: Option<bool>,
    pub initial_value_expression: Option<bool>,
}

impl Draft {
    /// Writes what is said over what there is.
    fn over(self, old: Model) -> Model {
        let mut new = Model {
            id: old.id,
            name: self.name.unwrap_or(old.name),
            field_key: self.field_key.unwrap_or(old.field_key),
            label: self.label.unwrap_or(old.label),
            kind: self.kind.unwrap_or(old.kind),
            required: self.required.unwrap_or(old.required),
            placeholder: self.placeholder.unwrap_or(old.placeholder),
            initial_value: self.initial_value.unwrap_or(old.initial_value),
            position: self.order.unwrap_or(old.position),
            sub_text: self.sub_text.unwrap_or(old.sub_text),
            placeholder_expression: self.placeholder_expression.unwrap_or(old.placeholder_expression),
            initial_value_expression: self.initial_value_expression.unwrap_or(old.initial_value_expression),
            search: String::new(),
        };
        new.search = Model::searchable(&new.name, &new.field_key, &new.label, new.kind, &new.placeholder);
        new
    }
}

/// A prompt of which nothing is said yet.
fn blank(id: Uuid) -> Model {
    Model {
        id,
        name: String::new(),
        field_key: String::new(),
        label: String::new(),
        kind: Kind::Text,
        required: true,
        placeholder: String::new(),
        initial_value: String::new(),
        position: 0,
        sub_text: String::new(),
        placeholder_expression: false,
        initial_value_expression: false,
        search: String::new(),
    }
}

fn row(prompt: Model) -> ActiveModel {
    prompt.into_active_model().reset_all()
}

/// # Errors
/// [`Error::InvalidPage`]; otherwise when the database is away.
pub async fn list(ctx: &Ctx, request: &ListRequest, filter: PromptFilter) -> Result<Page<PromptView>> {
    store::list(ctx.app.db.read(), &ctx.principal, request, filter).await
}

/// # Errors
/// [`Error::NotFound`].
pub async fn view(ctx: &Ctx, id: Uuid) -> Result<PromptView> {
    let db = ctx.app.db.read();
    one(db, store::find(db, &ctx.principal, id).await?).await
}

/// Whether there is such a prompt for the caller.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn require(ctx: &Ctx, id: Uuid) -> Result<()> {
    store::find(ctx.app.db.read(), &ctx.principal, id).await.map(drop)
}

async fn one(db: &impl ConnectionTrait, prompt: Model) -> Result<PromptView> {
    store::completed(db, vec![prompt]).await?.pop().ok_or(Error::NotFound)
}

/// What a prompt is called where it is named.
#[must_use]
pub fn name(prompt: &Model) -> String {
    format!("Prompt field '{}' type {}", prompt.field_key, prompt.kind.to_value())
}

/// The prompt as events name it.
#[must_use]
pub fn subject(prompt: &Model) -> Subject {
    Subject::new("authentik_stages_prompt", "prompt", prompt.id.simple(), prompt.name.clone())
}

/// Makes a prompt. Its expressions are not looked at: they may be about things that come later.
///
/// # Errors
/// [`Error::Invalid`] for a taken name.
pub async fn create(ctx: &Ctx, draft: Draft) -> Result<PromptView> {
    let mut tx = ctx.begin().await?;
    let prompt = draft.over(blank(ctx.uuid()));
    if store::by_name(tx.conn(), &prompt.name).await?.is_some() {
        return Err(store::name_taken());
    }
    let prompt = store::insert(tx.conn(), row(prompt)).await?;
    let fields = json!({
        "name": prompt.name, "field_key": prompt.field_key, "label": prompt.label, "type": prompt.kind.to_value(),
        "required": prompt.required, "placeholder": prompt.placeholder, "initial_value": prompt.initial_value,
        "order": prompt.position, "sub_text": prompt.sub_text,
        "placeholder_expression": prompt.placeholder_expression,
        "initial_value_expression": prompt.initial_value_expression,
    });
    audit::record(&tx, ctx, Event::created(&subject(&prompt), &fields));
    tx.touch();
    tx.commit().await?;
    Ok(PromptView { prompt, stages: Vec::new() })
}

/// Changes a prompt.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Invalid`] for a taken name.
pub async fn update(ctx: &Ctx, id: Uuid, draft: Draft) -> Result<PromptView> {
    let mut tx = ctx.begin().await?;
    let prompt = draft.over(store::find_for_update(tx.conn(), &ctx.principal, id).await?);
    if store::by_name(tx.conn(), &prompt.name).await?.is_some_and(|other| other.id != id) {
        return Err(store::name_taken());
    }
    let prompt = store::update(tx.conn(), row(prompt)).await?;
    audit::record(&tx, ctx, Event::updated(&subject(&prompt)));
    let view = one(tx.conn(), prompt).await?;
    tx.touch();
    tx.commit().await?;
    Ok(view)
}

/// Removes a prompt, from the stages that ask for it too.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn delete(ctx: &Ctx, id: Uuid) -> Result<()> {
    let mut tx = ctx.begin().await?;
    let prompt = store::find_for_update(tx.conn(), &ctx.principal, id).await?;
    store::delete(tx.conn(), id).await?;
    grants::forget_object(tx.conn(), "authentik_stages_prompt", "prompt", &id.to_string()).await?;
    audit::record(&tx, ctx, Event::deleted(&subject(&prompt)));
    tx.touch();
    tx.commit().await
}

/// The stages that ask for a prompt, as far as the caller may see them.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn used_by(ctx: &Ctx, id: Uuid) -> Result<Vec<stages::Model>> {
    let code = stages::Kind::Prompt.code("view");
    let view = view(ctx, id).await?;
    let stages = view.stages.into_iter().map(|view| view.stage);
    Ok(stages.filter(|stage| ctx.principal.holds_on(&code, &stage.id.to_string())).collect())
}

/// The form of one prompt that is stored nowhere, made for the caller.
///
/// # Errors
/// [`Error::Refused`] for an expression that fails.
pub async fn preview(ctx: &Ctx, draft: Draft) -> Result<Vec<Field>> {
    let prompt = draft.over(blank(Uuid::nil()));
    let user = match ctx.principal.account() {
        Some(account) => users::store::by_id(ctx.app.db.read(), account.id).await?,
        None => None,
    };
    let situation = Situation { data: &Map::new(), user: user.as_ref(), failing: Failing::IsTold };
    render::fields(ctx, &[prompt], situation).await?.map_err(Error::Refused)
}
