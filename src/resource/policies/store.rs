//! Queries on policies. Every query of a caller starts at [`visible`].

use super::{
    entity::{ActiveModel, Column, Entity, Kind, Model},
    kinds,
};
use crate::{
    access::{Principal, Visible},
    error::{Error, Problem, Result, unique_violation},
    list::{ListRequest, OrderColumn, Page, setting, setting_is},
    resource::{bindings, prompts::entity::validation},
};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, FromQueryResult,
    QueryFilter as _, QuerySelect as _, Select,
    prelude::DateTimeUtc,
    sea_query::{Expr, ExprTrait as _, LockType},
};
use serde_json::Value;
use uuid::Uuid;

const TABLE: &str = "policies";

/// Which policies are meant: those of one kind, or all; each has permissions of its own.
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
            Self::All => format!("{}.{verb}_policy", kinds::BASE_LABEL),
            Self::Of(kind) => kind.code(verb),
        }
    }
}

/// A policy with what it is used for.
#[derive(Debug, Clone, FromQueryResult)]
pub struct PolicyView {
    #[sea_orm(nested)]
    pub policy: Model,
    /// How many bindings and prompt stages use it.
    pub bound_to: i64,
}

/// What a listing may be narrowed by (contract: authentik-core §5.2, §5.3).
#[derive(Debug, Clone, Default)]
pub struct PolicyFilter {
    pub name: Option<String>,
    pub execution_logging: Option<bool>,
    pub id: Option<Uuid>,
    pub created: Option<DateTimeUtc>,
    pub last_updated: Option<DateTimeUtc>,
    /// Whether nothing is bound to it.
    pub unbound: Option<bool>,
    /// Whether no prompt stage asks it.
    pub in_no_prompt_stage: Option<bool>,
    /// Fields of the kind's settings, by value.
    pub settings: Vec<(&'static str, Value)>,
}

/// Policies that exist for this caller.
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

/// Adds the count of what uses it.
pub fn viewed(select: Select<Entity>) -> Select<Entity> {
    select.expr_as(
        Expr::cust(
            "(SELECT count(*) FROM policy_bindings WHERE policy_bindings.policy_id = policies.id) \
             + (SELECT count(*) FROM prompt_stage_policies WHERE prompt_stage_policies.policy_id = policies.id)",
        ),
        "bound_to",
    )
}

/// One page of the policies that the caller may see.
///
/// # Errors
/// [`Error::InvalidPage`]; otherwise when the database is away.
pub async fn list(
    db: &impl ConnectionTrait,
    principal: &Principal,
    scope: Scope,
    request: &ListRequest,
    filter: PolicyFilter,
) -> Result<Page<PolicyView>> {
    let backend = db.get_database_backend();
    let mut select = visible(principal, scope);
    let bound = || {
        let of = Expr::col((bindings::Entity, bindings::Column::PolicyId)).equals((Entity, Column::Id));
        let query = sea_orm::sea_query::Query::select().expr(Expr::val(1)).from(bindings::Entity).and_where(of).take();
        Expr::exists(query)
    };
    let asked = || {
        let of = Expr::col((validation::Entity, validation::Column::PolicyId)).equals((Entity, Column::Id));
        let query =
            sea_orm::sea_query::Query::select().expr(Expr::val(1)).from(validation::Entity).and_where(of).take();
        Expr::exists(query)
    };
    let own = [
        filter.name.map(|v| Column::Name.eq(v)),
        filter.execution_logging.map(|v| Column::ExecutionLogging.eq(v)),
        filter.id.map(|v| Column::Id.eq(v)),
        filter.created.map(|v| Column::Created.eq(v)),
        filter.last_updated.map(|v| Column::LastUpdated.eq(v)),
        filter.in_no_prompt_stage.map(|none| if none { asked().not() } else { asked() }),
        filter.unbound.map(|unbound| if unbound { bound().not() } else { bound() }),
    ];
    let settings = filter.settings.into_iter().map(|(field, value)| setting_is(backend, TABLE, field, value));
    for condition in own.into_iter().flatten().chain(settings) {
        select = select.filter(condition);
    }
    let select = select.filter(request.search_condition(&[Expr::col(Column::Search.as_column_ref())]));
    let fields = match scope {
        Scope::All => serde_json::Map::new(),
        Scope::Of(kind) => kind.fields()?,
    };
    let column = |name: &str| {
        Some(match name {
            "pk" | "policy_uuid" => OrderColumn::of(Column::Id),
            "name" => OrderColumn::of(Column::Name),
            "execution_logging" => OrderColumn::of(Column::ExecutionLogging),
            own if fields.contains_key(own) => OrderColumn::computed(setting(backend, TABLE, own)),
            _ => return None,
        })
    };
    let ordered = request.order(viewed(select.clone()), column, &["name"], Column::Id);
    request.fetch(db, select, ordered).await
}

/// One policy that the caller may see.
///
/// # Errors
/// [`Error::NotFound`]; otherwise when the database is away.
pub async fn view(db: &impl ConnectionTrait, principal: &Principal, scope: Scope, id: Uuid) -> Result<PolicyView> {
    viewed(visible(principal, scope)).filter(Column::Id.eq(id)).into_model().one(db).await?.ok_or(Error::NotFound)
}

/// One policy that the caller may see, and nobody else changes it until the transaction ends.
///
/// # Errors
/// As [`view`].
pub async fn find_for_update(
    db: &impl ConnectionTrait,
    principal: &Principal,
    scope: Scope,
    id: Uuid,
) -> Result<Model> {
    visible(principal, scope)
        .filter(Column::Id.eq(id))
        .lock(LockType::NoKeyUpdate)
        .one(db)
        .await?
        .ok_or(Error::NotFound)
}

/// A policy, whoever asks.
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

/// Those of `ids` that exist, with what they are used for.
///
/// # Errors
/// When the database is away.
pub async fn views(db: &impl ConnectionTrait, ids: &[Uuid]) -> Result<Vec<PolicyView>> {
    let mut found = Vec::new();
    for some in ids.chunks(crate::db::MANY) {
        let select = Entity::find().filter(Column::Id.is_in(some.iter().copied()));
        found.extend(viewed(select).into_model::<PolicyView>().all(db).await?);
    }
    Ok(found)
}

/// # Errors
/// A taken name; otherwise when the database is away.
pub async fn insert(db: &impl ConnectionTrait, policy: ActiveModel) -> Result<Model> {
    policy.insert(db).await.map_err(taken)
}

/// # Errors
/// As [`insert`].
pub async fn update(db: &impl ConnectionTrait, policy: ActiveModel) -> Result<Model> {
    policy.update(db).await.map_err(taken)
}

/// # Errors
/// [`Error::NotFound`] when somebody else was faster.
pub async fn delete(db: &impl ConnectionTrait, id: Uuid) -> Result<()> {
    let gone = Entity::delete_by_id(id).exec(db).await?;
    if gone.rows_affected == 0 { Err(Error::NotFound) } else { Ok(()) }
}

fn taken(error: DbErr) -> Error {
    match unique_violation(&error) {
        Some(_) => Error::field("name", Problem::Taken(Some(("Policy", "name")))),
        None => error.into(),
    }
}
