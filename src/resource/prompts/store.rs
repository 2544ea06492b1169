//! Queries on prompts, and on which stages ask for them. Every query of a caller starts at [`visible`].

use super::entity::{ActiveModel, Column, Entity, Kind, Model, field, validation};
use crate::{
    access::{Principal, Visible},
    db::MANY,
    error::{Error, Problem, Result, unique_violation},
    list::{ListRequest, OrderColumn, Page},
    resource::{
        policies,
        stages::{self, StageView},
    },
};
use sea_orm::{
    ActiveModelTrait as _,
    ActiveValue::Set,
    ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, JoinType, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, Select,
    sea_query::{Expr, LockType},
};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// The permission to see prompts.
pub const VIEW: &str = "authentik_stages_prompt.view_prompt";

/// A prompt with the stages that ask for it.
#[derive(Debug, Clone)]
pub struct PromptView {
    pub prompt: Model,
    pub stages: Vec<StageView>,
}

/// What a listing may be narrowed by (contract: authentik-core §6.1).
#[derive(Debug, Clone, Default)]
pub struct PromptFilter {
    pub name: Option<String>,
    pub field_key: Option<String>,
    pub label: Option<String>,
    pub kind: Option<Kind>,
    pub placeholder: Option<String>,
}

/// Prompts that exist for this caller.
pub fn visible(principal: &Principal) -> Select<Entity> {
    match principal.visible(VIEW) {
        Visible::All => Entity::find(),
        Visible::Some(keys) => {
            Entity::find().filter(Column::Id.is_in(keys.iter().filter_map(|key| key.parse::<Uuid>().ok())))
        }
        Visible::None => Entity::find().filter(Expr::val(false)),
    }
}

fn order_column(name: &str) -> Option<OrderColumn> {
    Some(OrderColumn::of(match name {
        "pk" | "prompt_uuid" => Column::Id,
        "name" => Column::Name,
        "field_key" => Column::FieldKey,
        "label" => Column::Label,
        "type" => Column::Kind,
        "required" => Column::Required,
        "placeholder" => Column::Placeholder,
        "initial_value" => Column::InitialValue,
        "order" => Column::Position,
        "sub_text" => Column::SubText,
        "placeholder_expression" => Column::PlaceholderExpression,
        "initial_value_expression" => Column::InitialValueExpression,
        _ => return None,
    }))
}

/// One page of the prompts that the caller may see.
///
/// # Errors
/// [`Error::InvalidPage`]; otherwise when the database is away.
pub async fn list(
    db: &impl ConnectionTrait,
    principal: &Principal,
    request: &ListRequest,
    filter: PromptFilter,
) -> Result<Page<PromptView>> {
    let mut select = visible(principal);
    let own = [
        filter.name.map(|v| Column::Name.eq(v)),
        filter.field_key.map(|v| Column::FieldKey.eq(v)),
        filter.label.map(|v| Column::Label.eq(v)),
        filter.kind.map(|v| Column::Kind.eq(v)),
        filter.placeholder.map(|v| Column::Placeholder.eq(v)),
    ];
    for condition in own.into_iter().flatten() {
        select = select.filter(condition);
    }
    let select = select.filter(request.search_condition(&[Expr::col(Column::Search.as_column_ref())]));
    let ordered = request.order(select.clone(), order_column, &["field_key"], Column::Id);
    let Page { items, count, number, pages, size } = request.fetch(db, select, ordered).await?;
    Ok(Page { items: completed(db, items).await?, count, number, pages, size })
}

/// One prompt that the caller may see.
///
/// # Errors
/// [`Error::NotFound`]; otherwise when the database is away.
pub async fn find(db: &impl ConnectionTrait, principal: &Principal, id: Uuid) -> Result<Model> {
    visible(principal).filter(Column::Id.eq(id)).one(db).await?.ok_or(Error::NotFound)
}

/// One prompt that the caller may see, and nobody else changes it until the transaction ends.
///
/// # Errors
/// As [`find`].
pub async fn find_for_update(db: &impl ConnectionTrait, principal: &Principal, id: Uuid) -> Result<Model> {
    visible(principal).filter(Column::Id.eq(id)).lock(LockType::NoKeyUpdate).one(db).await?.ok_or(Error::NotFound)
}

/// # Errors
/// When the database is away.
pub async fn by_name(db: &impl ConnectionTrait, name: &str) -> Result<Option<Model>> {
    Ok(Entity::find().filter(Column::Name.eq(name)).one(db).await?)
}

/// Those of `ids` that exist, whoever asks.
///
/// # Errors
/// When the database is away.
pub async fn by_ids(db: &impl ConnectionTrait, ids: &[Uuid]) -> Result<Vec<Model>> {
    let mut found = Vec::new();
    for some in ids.chunks(MANY) {
        found.extend(Entity::find().filter(Column::Id.is_in(some.iter().copied())).all(db).await?);
    }
    Ok(found)
}

/// Adds the stages that ask for prompts: three queries for all of them.
///
/// # Errors
/// When the database is away.
pub async fn completed(db: &impl ConnectionTrait, prompts: Vec<Model>) -> Result<Vec<PromptView>> {
    let ids: Vec<Uuid> = prompts.iter().map(|prompt| prompt.id).collect();
    let mut asking: BTreeMap<Uuid, BTreeSet<Uuid>> = BTreeMap::new();
    for some in ids.chunks(MANY) {
        let select = field::Entity::find().filter(field::Column::PromptId.is_in(some.iter().copied()));
        for pair in select.all(db).await? {
            asking.entry(pair.prompt_id).or_default().insert(pair.stage_id);
        }
    }
    let stages: BTreeSet<Uuid> = asking.values().flatten().copied().collect();
    let stages = stages::store::by_ids(db, &stages.into_iter().collect::<Vec<_>>()).await?;
    let stages = stages::store::with_flows(db, stages).await?;
    let stages: BTreeMap<Uuid, StageView> = stages.into_iter().map(|view| (view.stage.id, view)).collect();
    let views = prompts.into_iter().map(|prompt| {
        let of = asking.get(&prompt.id).into_iter().flatten();
        let mut stages: Vec<StageView> = of.filter_map(|id| stages.get(id).cloned()).collect();
        stages.sort_by(|a, b| a.stage.name.cmp(&b.stage.name));
        PromptView { prompt, stages }
    });
    Ok(views.collect())
}

/// What a stage asks for, in its order.
///
/// # Errors
/// When the database is away.
pub async fn of_stage(db: &impl ConnectionTrait, stage: Uuid) -> Result<Vec<Model>> {
    let asked = Entity::belongs_to(field::Entity).from(Column::Id).to(field::Column::PromptId);
    let select = Entity::find()
        .join(JoinType::InnerJoin, asked.into())
        .filter(field::Column::StageId.eq(stage))
        .order_by_asc(Column::Position)
        .order_by_asc(Column::FieldKey)
        .order_by_asc(Column::Id);
    Ok(select.all(db).await?)
}

/// The policies that judge the answers to a stage, by name.
///
/// # Errors
/// When the database is away.
pub async fn policies_of(db: &impl ConnectionTrait, stage: Uuid) -> Result<Vec<policies::Model>> {
    let judging =
        policies::Entity::belongs_to(validation::Entity).from(policies::Column::Id).to(validation::Column::PolicyId);
    let select = policies::Entity::find()
        .join(JoinType::InnerJoin, judging.into())
        .filter(validation::Column::StageId.eq(stage))
        .order_by_asc(policies::Column::Name);
    Ok(select.all(db).await?)
}

/// The keys of what stages ask for, in the order of each.
///
/// # Errors
/// When the database is away.
pub async fn ids_of_stages(db: &impl ConnectionTrait, stages: &[Uuid]) -> Result<BTreeMap<Uuid, Vec<Uuid>>> {
    let mut all: BTreeMap<Uuid, Vec<Uuid>> = BTreeMap::new();
    for some in stages.chunks(MANY) {
        let asked = field::Entity::belongs_to(Entity).from(field::Column::PromptId).to(Column::Id);
        let select = field::Entity::find()
            .join(JoinType::InnerJoin, asked.into())
            .filter(field::Column::StageId.is_in(some.iter().copied()))
            .order_by_asc(Column::Position)
            .order_by_asc(Column::FieldKey)
            .order_by_asc(Column::Id);
        for pair in select.all(db).await? {
            all.entry(pair.stage_id).or_default().push(pair.prompt_id);
        }
    }
    Ok(all)
}

/// The keys of the policies that judge the answers to stages, by their names.
///
/// # Errors
/// When the database is away.
pub async fn policy_ids_of_stages(db: &impl ConnectionTrait, stages: &[Uuid]) -> Result<BTreeMap<Uuid, Vec<Uuid>>> {
    let mut all: BTreeMap<Uuid, Vec<Uuid>> = BTreeMap::new();
    for some in stages.chunks(MANY) {
        let judging = validation::Entity::belongs_to(policies::Entity)
            .from(validation::Column::PolicyId)
            .to(policies::Column::Id);
        let select = validation::Entity::find()
            .join(JoinType::InnerJoin, judging.into())
            .filter(validation::Column::StageId.is_in(some.iter().copied()))
            .order_by_asc(policies::Column::Name);
        for pair in select.all(db).await? {
            all.entry(pair.stage_id).or_default().push(pair.policy_id);
        }
    }
    Ok(all)
}

/// Makes a stage ask for these and nothing else.
///
/// # Errors
/// When the database is away.
pub async fn set_fields(db: &impl ConnectionTrait, stage: Uuid, prompts: &[Uuid]) -> Result<()> {
    field::Entity::delete_many().filter(field::Column::StageId.eq(stage)).exec(db).await?;
    let wanted: BTreeSet<Uuid> = prompts.iter().copied().collect();
    let rows: Vec<_> =
        wanted.into_iter().map(|id| field::ActiveModel { stage_id: Set(stage), prompt_id: Set(id) }).collect();
    for some in rows.chunks(MANY) {
        field::Entity::insert_many(some.to_vec()).exec_without_returning(db).await?;
    }
    Ok(())
}

/// Makes these and no other policies judge the answers to a stage.
///
/// # Errors
/// When the database is away.
pub async fn set_policies(db: &impl ConnectionTrait, stage: Uuid, policies: &[Uuid]) -> Result<()> {
    validation::Entity::delete_many().filter(validation::Column::StageId.eq(stage)).exec(db).await?;
    let wanted: BTreeSet<Uuid> = policies.iter().copied().collect();
    let rows: Vec<_> =
        wanted.into_iter().map(|id| validation::ActiveModel { stage_id: Set(stage), policy_id: Set(id) }).collect();
    for some in rows.chunks(MANY) {
        validation::Entity::insert_many(some.to_vec()).exec_without_returning(db).await?;
    }
    Ok(())
}

/// # Errors
/// A taken name; otherwise when the database is away.
pub async fn insert(db: &impl ConnectionTrait, prompt: ActiveModel) -> Result<Model> {
    prompt.insert(db).await.map_err(taken)
}

/// # Errors
/// As [`insert`].
pub async fn update(db: &impl ConnectionTrait, prompt: ActiveModel) -> Result<Model> {
    prompt.update(db).await.map_err(taken)
}

/// # Errors
/// [`Error::NotFound`] when somebody else was faster.
pub async fn delete(db: &impl ConnectionTrait, id: Uuid) -> Result<()> {
    let gone = Entity::delete_by_id(id).exec(db).await?;
    if gone.rows_affected == 0 { Err(Error::NotFound) } else { Ok(()) }
}

/// What the contract says about a name that is taken.
#[must_use]
pub fn name_taken() -> Error {
    Error::field("name", Problem::Taken(Some(("Prompt", "name"))))
}

fn taken(error: DbErr) -> Error {
    match unique_violation(&error) {
        Some(_) => name_taken(),
        None => error.into(),
    }
}
