//! Queries on stages. Every query of a caller starts at [`visible`].

use super::{
    entity::{ActiveModel, Column, Entity, Kind, Model},
    kinds,
};
use crate::{
    access::{Principal, Visible},
    db::MANY,
    error::{Error, Problem, Result, unique_violation},
    list::{ListRequest, OrderColumn, Page, setting, setting_is},
    resource::{
        bindings::target,
        flows,
        prompts::{
            self,
            entity::{field, validation},
        },
        stage_bindings,
    },
};
use sea_orm::{
    ActiveModelTrait as _,
    ActiveValue::Set,
    ColumnTrait as _, Condition, ConnectionTrait, DbErr, EntityTrait as _, FromQueryResult, JoinType, QueryFilter as _,
    QueryOrder as _, QuerySelect as _, Select,
    sea_query::{Expr, ExprTrait as _, LockType, Query},
};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use uuid::Uuid;

const TABLE: &str = "stages";

/// Which stages are meant: those of one kind, or all; each has permissions of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    All,
    Of(Kind),
}

impl Scope {
    /// The code of a permission in this scope.
    #[must_use]
    pub fn code(self, verb: &str) -> String {
        match self {
            Self::All => format!("{}.{verb}_stage", kinds::BASE_LABEL),
            Self::Of(kind) => kind.code(verb),
        }
    }
}

/// A flow, as its stages show it.
#[derive(Debug, Clone, FromQueryResult)]
pub struct FlowOfStage {
    pub stage_id: Uuid,
    #[sea_orm(nested)]
    pub flow: flows::Model,
    pub engine_mode: target::Mode,
}

/// A stage with the flows that it is bound to, and, of prompt stages, what it asks and by which policies
/// that is judged.
#[derive(Debug, Clone)]
pub struct StageView {
    pub stage: Model,
    pub flows: Vec<FlowOfStage>,
    pub prompts: Vec<Uuid>,
    pub policies: Vec<Uuid>,
}

impl StageView {
    /// The fields of its kind, as on the wire.
    #[must_use]
    pub fn fields(&self) -> Map<String, Value> {
        let mut fields = self.stage.settings.as_object().cloned().unwrap_or_default();
        match self.stage.kind {
            Kind::Prompt => {
                fields.insert("fields".to_owned(), json!(self.prompts));
                fields.insert("validation_policies".to_owned(), json!(self.policies));
            }
            // There are no sources.
            Kind::Identification => drop(fields.insert("sources".to_owned(), json!([]))),
            _ => {}
        }
        fields
    }
}

/// What a listing may be narrowed by (contract: authentik-core §6.1).
#[derive(Debug, Clone, Default)]
pub struct StageFilter {
    pub name: Option<String>,
    pub id: Option<Uuid>,
    /// Asks for any of these; all when empty.
    pub prompts: Vec<Uuid>,
    /// Is judged by any of these; all when empty.
    pub policies: Vec<Uuid>,
    /// Fields of the kind's settings, by value.
    pub settings: Vec<(&'static str, Value)>,
}

/// Stages that exist for this caller.
pub fn visible(principal: &Principal, scope: Scope) -> Select<Entity> {
    let all = match scope {
        Scope::All => Entity::find(),
        Scope::Of(kind) => Entity::find().filter(Column::Kind.eq(kind)),
    };
    match principal.visible(&scope.code("view")) {
        Visible::All => all,
        Visible::Some(keys) => all.filter(Column::Id.is_in(keys.iter().filter_map(|key| key.parse::<Uuid>().ok()))),
        Visible::None => all.filter(Expr::val(false)),
    }
}

/// One page of the stages that the caller may see.
///
/// # Errors
/// [`Error::InvalidPage`]; otherwise when the database is away.
pub async fn list(
    db: &impl ConnectionTrait,
    principal: &Principal,
    scope: Scope,
    request: &ListRequest,
    filter: StageFilter,
) -> Result<Page<StageView>> {
    let backend = db.get_database_backend();
    let mut select = visible(principal, scope);
    let asking = Query::select()
        .column(field::Column::StageId)
        .from(field::Entity)
        .and_where(field::Column::PromptId.is_in(filter.prompts.clone()))
        .to_owned();
    let judged = Query::select()
        .column(validation::Column::StageId)
        .from(validation::Entity)
        .and_where(validation::Column::PolicyId.is_in(filter.policies.clone()))
        .to_owned();
    let own = [
        filter.name.map(|v| Column::Name.eq(v)),
        filter.id.map(|v| Column::Id.eq(v)),
        Some(Column::Id.in_subquery(asking)).filter(|_| !filter.prompts.is_empty()),
        Some(Column::Id.in_subquery(judged)).filter(|_| !filter.policies.is_empty()),
    ];
    let settings = filter.settings.into_iter().map(|(field, value)| setting_is(backend, TABLE, field, value));
    for condition in own.into_iter().flatten().chain(settings) {
        select = select.filter(condition);
    }
    let select = select.filter(request.search_condition(&[Expr::col(Column::Search.as_column_ref())]));
    let fields = match scope {
        Scope::All => Map::new(),
        Scope::Of(kind) => kind.fields()?,
    };
    let column = |name: &str| {
        Some(match name {
            "pk" | "stage_uuid" => OrderColumn::of(Column::Id),
            "name" => OrderColumn::of(Column::Name),
            own if fields.contains_key(own) => OrderColumn::computed(setting(backend, TABLE, own)),
            _ => return None,
        })
    };
    let ordered = request.order(select.clone(), column, &["name"], Column::Id);
    let Page { items, count, number, pages, size } = request.fetch(db, select, ordered).await?;
    Ok(Page { items: completed(db, items).await?, count, number, pages, size })
}

/// One stage that the caller may see.
///
/// # Errors
/// [`Error::NotFound`]; otherwise when the database is away.
pub async fn find(db: &impl ConnectionTrait, principal: &Principal, scope: Scope, id: Uuid) -> Result<Model> {
    visible(principal, scope).filter(Column::Id.eq(id)).one(db).await?.ok_or(Error::NotFound)
}

/// One stage that the caller may see, and nobody else changes it until the transaction ends.
///
/// # Errors
/// As [`find`].
pub async fn find_for_update(
    db: &impl ConnectionTrait,
    principal: &Principal,
    scope: Scope,
    id: Uuid,
) -> Result<Model> {
    let select = visible(principal, scope).filter(Column::Id.eq(id)).lock(LockType::NoKeyUpdate);
    select.one(db).await?.ok_or(Error::NotFound)
}

/// A stage, whoever asks.
///
/// # Errors
/// When the database is away.
pub async fn by_id(db: &impl ConnectionTrait, id: Uuid) -> Result<Option<Model>> {
    Ok(Entity::find_by_id(id).one(db).await?)
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

/// Adds the flows that stages are bound to: one query for all of them.
///
/// # Errors
/// When the database is away.
pub async fn with_flows(db: &impl ConnectionTrait, stages: Vec<Model>) -> Result<Vec<StageView>> {
    use stage_bindings::Column as B;
    let ids: Vec<Uuid> = stages.iter().map(|stage| stage.id).collect();
    let mut flows: BTreeMap<Uuid, Vec<FlowOfStage>> = BTreeMap::new();
    for some in ids.chunks(MANY) {
        let bindings = flows::Entity::belongs_to(stage_bindings::Entity).from(flows::Column::Id).to(B::FlowId);
        let targets = flows::Entity::belongs_to(target::Entity).from(flows::Column::TargetId).to(target::Column::Id);
        let found = flows::Entity::find()
            .column_as(B::StageId, "stage_id")
            .column_as(target::Column::EngineMode, "engine_mode")
            .join(JoinType::InnerJoin, bindings.into())
            .join(JoinType::InnerJoin, targets.into())
            .filter(B::StageId.is_in(some.iter().copied()))
            .distinct()
            .order_by_asc(flows::Column::Slug)
            .into_model::<FlowOfStage>()
            .all(db)
            .await?;
        for flow in found {
            flows.entry(flow.stage_id).or_default().push(flow);
        }
    }
    Ok(stages
        .into_iter()
        .map(|stage| StageView {
            flows: flows.remove(&stage.id).unwrap_or_default(),
            prompts: Vec::new(),
            policies: Vec::new(),
            stage,
        })
        .collect())
}

/// Adds everything that stages show.
///
/// # Errors
/// When the database is away.
pub async fn completed(db: &impl ConnectionTrait, stages: Vec<Model>) -> Result<Vec<StageView>> {
    let asking: Vec<Uuid> = stages.iter().filter(|s| s.kind == Kind::Prompt).map(|s| s.id).collect();
    let mut prompts = prompts::store::ids_of_stages(db, &asking).await?;
    let mut policies = prompts::store::policy_ids_of_stages(db, &asking).await?;
    let mut views = with_flows(db, stages).await?;
    for view in &mut views {
        view.prompts = prompts.remove(&view.stage.id).unwrap_or_default();
        view.policies = policies.remove(&view.stage.id).unwrap_or_default();
    }
    Ok(views)
}

/// Stages of a kind that name an object in one of these fields, locked until the transaction ends.
///
/// # Errors
/// When the database is away.
pub async fn naming(
    db: &impl ConnectionTrait,
    kind: Kind,
    fields: &[&'static str],
    object: Uuid,
    lock: bool,
) -> Result<Vec<Model>> {
    let backend = db.get_database_backend();
    let any = fields.iter().fold(Condition::any(), |any, field| {
        any.add(setting_is(backend, TABLE, field, Value::String(object.to_string())))
    });
    let select = Entity::find().filter(Column::Kind.eq(kind)).filter(any).order_by_asc(Column::Id);
    let select = if lock { select.lock(LockType::NoKeyUpdate) } else { select };
    Ok(select.all(db).await?)
}

/// Password stages that people can change their password with, by name.
///
/// # Errors
/// When the database is away.
pub async fn configurable(db: &impl ConnectionTrait) -> Result<Vec<Model>> {
    let named = setting(db.get_database_backend(), TABLE, "configure_flow").is_not_null();
    let select = Entity::find().filter(Column::Kind.eq(Kind::Password)).filter(named);
    Ok(select.order_by_asc(Column::Name).all(db).await?)
}

/// Prompt stages whose answers a policy judges.
///
/// # Errors
/// When the database is away.
pub async fn validating(db: &impl ConnectionTrait, policy: Uuid) -> Result<Vec<Model>> {
    let judged = Query::select()
        .column(validation::Column::StageId)
        .from(validation::Entity)
        .and_where(validation::Column::PolicyId.eq(policy))
        .to_owned();
    Ok(Entity::find().filter(Column::Id.in_subquery(judged)).order_by_asc(Column::Name).all(db).await?)
}

/// # Errors
/// A taken name; otherwise when the database is away.
pub async fn insert(db: &impl ConnectionTrait, stage: ActiveModel, kind: Kind) -> Result<Model> {
    stage.insert(db).await.map_err(|error| taken(error, kind))
}

/// # Errors
/// As [`insert`].
pub async fn update(db: &impl ConnectionTrait, stage: ActiveModel, kind: Kind) -> Result<Model> {
    stage.update(db).await.map_err(|error| taken(error, kind))
}

/// # Errors
/// When the database is away.
pub async fn set_settings(db: &impl ConnectionTrait, id: Uuid, settings: Value) -> Result<Model> {
    Ok(ActiveModel { id: Set(id), settings: Set(settings), ..Default::default() }.update(db).await?)
}

/// # Errors
/// [`Error::NotFound`] when somebody else was faster.
pub async fn delete(db: &impl ConnectionTrait, id: Uuid) -> Result<()> {
    let gone = Entity::delete_by_id(id).exec(db).await?;
    if gone.rows_affected == 0 { Err(Error::NotFound) } else { Ok(()) }
}

/// What the contract says about a name that is taken (authentik-core §1.3, §6.1).
#[must_use]
pub const fn name_taken(kind: Kind) -> Problem {
    match kind {
        Kind::Prompt => Problem::Taken(None),
        _ => Problem::Taken(Some(("stage", "name"))),
    }
}

fn taken(error: DbErr, kind: Kind) -> Error {
    match unique_violation(&error) {
        Some(_) => Error::field("name", name_taken(kind)),
        None => error.into(),
    }
}
