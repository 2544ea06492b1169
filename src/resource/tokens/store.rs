//! Queries on tokens. Every query of a caller starts at [`visible`].

use super::entity::{ActiveModel, Column, Entity, Intent, Model};
use crate::{
    access::Principal,
    error::{Error, Problem, Result, unique_violation},
    list::{Jump, ListRequest, OrderColumn, Page},
    resource::users::{self, view, view::UserView},
    secret::Digest,
};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, Condition, ConnectionTrait, DatabaseBackend, DbErr, EntityTrait as _,
    FromQueryResult, JoinType, Order, QueryFilter as _, QueryOrder as _, QueryResult, QuerySelect as _, Related,
    Select, Statement,
    prelude::DateTimeUtc,
    sea_query::{Expr, ExprTrait as _, LockBehavior, LockType, SimpleExpr},
};
use serde::Deserialize;
use std::sync::LazyLock;
use uuid::Uuid;

/// A token with its owner, without its key.
#[derive(Debug, Clone, Deserialize)]
pub struct TokenView {
    pub id: Uuid,
    pub identifier: String,
    pub intent: Intent,
    pub description: String,
    pub expires: Option<DateTimeUtc>,
    #[serde(deserialize_with = "view::truth")]
    pub expiring: bool,
    pub managed: Option<String>,
    pub user: UserView,
}

impl TokenView {
    /// When the token ends; `None` when it never does.
    #[must_use]
    pub fn end(&self) -> Option<DateTimeUtc> {
        self.expires.filter(|_| self.expiring)
    }
}

impl FromQueryResult for TokenView {
    fn from_query_result(row: &QueryResult, _: &str) -> Result<Self, DbErr> {
        view::read(row)
    }
}

/// The SQL that makes the JSON of a token with its owner.
fn view_sql(backend: DatabaseBackend) -> String {
    let user = view::sql(backend);
    let fields = "'identifier', tokens.identifier, 'intent', tokens.intent, 'description', tokens.description, \
        'expires', tokens.expires, 'expiring', tokens.expiring, 'managed', tokens.managed";
    match backend {
        DatabaseBackend::Postgres => {
            format!("CAST(json_build_object('id', tokens.id, {fields}, 'user', {user}) AS text)")
        }
        _ => format!("json_object('id', lower(hex(tokens.id)), {fields}, 'user', {user})"),
    }
}

/// The one statement of the busiest read, written once instead of at every request.
fn one_sql(backend: DatabaseBackend) -> &'static str {
    static SQLITE: LazyLock<String> = LazyLock::new(|| text(DatabaseBackend::Sqlite));
    static POSTGRES: LazyLock<String> = LazyLock::new(|| text(DatabaseBackend::Postgres));
    fn text(backend: DatabaseBackend) -> String {
        format!(
            "SELECT {} AS view FROM tokens JOIN users ON users.id = tokens.user_id \
             WHERE tokens.identifier = $1 AND ($2 OR tokens.user_id = $3)",
            view_sql(backend)
        )
    }
    if backend == DatabaseBackend::Postgres { &POSTGRES } else { &SQLITE }
}

/// What a listing of tokens may be narrowed by; all exact.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TokenFilter {
    pub identifier: Option<String>,
    pub intent: Option<Intent>,
    pub username: Option<String>,
    pub description: Option<String>,
    pub expires: Option<DateTimeUtc>,
    pub expiring: Option<bool>,
    pub managed: Option<String>,
}

/// Whose tokens exist for a caller.
#[derive(Clone, Copy)]
enum Whose {
    Everybodys,
    Only(i32),
    Nobodys,
}

/// Their own, for superusers all. No grant opens others'.
fn whose(principal: &Principal) -> Whose {
    match principal {
        _ if principal.is_superuser() => Whose::Everybodys,
        Principal::Account(account) => Whose::Only(account.id),
        Principal::Anonymous | Principal::System => Whose::Nobodys,
    }
}

/// Tokens that exist for this caller.
fn visible(principal: &Principal) -> Select<Entity> {
    match whose(principal) {
        Whose::Everybodys => Entity::find(),
        Whose::Only(owner) => Entity::find().filter(Column::UserId.eq(owner)),
        Whose::Nobodys => Entity::find().filter(Expr::val(false)),
    }
}

fn with_owner(select: Select<Entity>) -> Select<Entity> {
    select.join(JoinType::InnerJoin, <Entity as Related<users::Entity>>::to())
}

fn viewed(select: Select<Entity>, backend: DatabaseBackend) -> Select<Entity> {
    with_owner(select).select_only().expr_as(Expr::cust(view_sql(backend)), view::COLUMN)
}

fn order_column(name: &str) -> Option<OrderColumn> {
    Some(match name {
        "pk" => OrderColumn::of(Column::Id),
        "managed" => OrderColumn::nullable(Column::Managed),
        "identifier" => OrderColumn::of(Column::Identifier),
        "intent" => OrderColumn::of(Column::Intent),
        "user" => OrderColumn::of(Column::UserId),
        "description" => OrderColumn::of(Column::Description),
        "expires" => OrderColumn::nullable(Column::Expires),
        "expiring" => OrderColumn::of(Column::Expiring),
        _ => return None,
    })
}

/// Drops the first `before` tokens by identifier: the marks say which thousands come before, so that
/// only the rest is walked over, in the index.
fn jump(before: u64) -> SimpleExpr {
    let before = i64::try_from(before).unwrap_or(i64::MAX);
    Expr::cust_with_values(
        "tokens.identifier >= (WITH mark AS MATERIALIZED (SELECT start, before FROM \
         (SELECT start, sum(count) OVER (ORDER BY start) - count AS before FROM token_marks) \
         WHERE before <= ? ORDER BY start DESC LIMIT 1) \
         SELECT t.identifier FROM tokens t WHERE t.identifier >= (SELECT start FROM mark) \
         ORDER BY t.identifier LIMIT 1 OFFSET ? - (SELECT before FROM mark))",
        [before, before],
    )
}

/// One page of the tokens that the caller may see.
///
/// # Errors
/// [`Error::InvalidPage`]; otherwise when the database is away.
pub async fn list(
    db: &impl ConnectionTrait,
    principal: &Principal,
    request: &ListRequest,
    filter: TokenFilter,
) -> Result<Page<TokenView>> {
    let mut select = visible(principal);
    let everything = principal.is_superuser() && filter == TokenFilter::default() && !request.searches();
    let TokenFilter { identifier, intent, username, description, expires, expiring, managed } = filter;
    for condition in [
        identifier.map(|v| Column::Identifier.eq(v)),
        intent.map(|v| Column::Intent.eq(v)),
        username.map(|v| users::Column::Username.eq(v)),
        description.map(|v| Column::Description.eq(v)),
        expires.map(|v| Column::Expires.eq(v)),
        expiring.map(|v| Column::Expiring.eq(v)),
        managed.map(|v| Column::Managed.eq(v)),
    ]
    .into_iter()
    .flatten()
    {
        select = select.filter(condition);
    }
    let searched =
        [Expr::col(Column::Search.as_column_ref()), Expr::col(users::Column::UsernameFolded.as_column_ref())];
    let select = select.filter(request.search_condition(&searched));
    let counted = with_owner(select.clone());
    let ordered =
        request.order(viewed(select, db.get_database_backend()), order_column, &["identifier", "expires"], Column::Id);
    if everything {
        let by_identifier =
            request.sorted_by(|name| order_column(name).is_some(), "identifier") == ("identifier", Order::Asc);
        let marked = db.get_database_backend() == DatabaseBackend::Sqlite;
        request.fetch_counted(db, "tokens", ordered, (by_identifier && marked).then_some(jump as Jump)).await
    } else {
        request.fetch(db, counted, ordered).await
    }
}

/// One token that the caller may see, with its owner.
///
/// # Errors
/// [`Error::NotFound`]; otherwise when the database is away.
pub async fn view(db: &impl ConnectionTrait, principal: &Principal, identifier: &str) -> Result<TokenView> {
    // What `visible` adds to a query, as values of the prepared text; no account has the id 0.
    let (all, own) = match whose(principal) {
        Whose::Everybodys => (true, 0),
        Whose::Only(owner) => (false, owner),
        Whose::Nobodys => return Err(Error::NotFound),
    };
    let backend = db.get_database_backend();
    let values = [identifier.into(), all.into(), own.into()];
    let statement = Statement::from_sql_and_values(backend, one_sql(backend), values);
    TokenView::find_by_statement(statement).one(db).await?.ok_or(Error::NotFound)
}

/// One token that the caller may see.
///
/// # Errors
/// [`Error::NotFound`]; otherwise when the database is away.
pub async fn find(db: &impl ConnectionTrait, principal: &Principal, identifier: &str) -> Result<Model> {
    visible(principal).filter(Column::Identifier.eq(identifier)).one(db).await?.ok_or(Error::NotFound)
}

/// As [`find`], and nobody else changes the row until the transaction ends.
///
/// # Errors
/// As [`find`].
pub async fn find_for_update(db: &impl ConnectionTrait, principal: &Principal, identifier: &str) -> Result<Model> {
    let select = visible(principal).filter(Column::Identifier.eq(identifier)).lock(LockType::NoKeyUpdate);
    select.one(db).await?.ok_or(Error::NotFound)
}

/// Tokens with this identifier or this mark, whoever's.
///
/// # Errors
/// When the database is away.
pub async fn named(db: &impl ConnectionTrait, identifier: Option<&str>, managed: Option<&str>) -> Result<Vec<Model>> {
    let same = [identifier.map(|v| Column::Identifier.eq(v)), managed.map(|v| Column::Managed.eq(v))];
    let same: Vec<_> = same.into_iter().flatten().collect();
    if same.is_empty() {
        return Ok(Vec::new());
    }
    let any = same.into_iter().fold(Condition::any(), Condition::add);
    Ok(Entity::find().filter(any).all(db).await?)
}

/// The token with this key, or with this former key, and its owner.
///
/// # Errors
/// When the database is away.
pub async fn by_digest(db: &impl ConnectionTrait, digest: &Digest) -> Result<Option<(Model, users::Model)>> {
    let either = Column::KeyDigest.eq(digest.clone()).or(Column::PreviousDigest.eq(digest.clone()));
    let found = Entity::find().filter(either).find_also_related(users::Entity).all(db).await?;
    // A key that one token has and another one had is the first one's.
    let found = found.into_iter().max_by_key(|(token, _)| token.key_digest == *digest);
    Ok(found.and_then(|(token, user)| Some((token, user?))))
}

/// Forgets a former key that has stopped working, so that another token can have it.
///
/// # Errors
/// When the database is away.
pub async fn forget_former(db: &impl ConnectionTrait, digest: &Digest, now: DateTimeUtc) -> Result<()> {
    Entity::update_many()
        .col_expr(Column::PreviousDigest, Expr::val(None::<String>))
        .col_expr(Column::PreviousUntil, Expr::val(None::<DateTimeUtc>))
        .filter(Column::PreviousDigest.eq(digest.clone()))
        .filter(Column::PreviousUntil.lt(now))
        .exec(db)
        .await?;
    Ok(())
}

/// The token whose former key this is, while that still works.
///
/// # Errors
/// When the database is away.
pub async fn by_former_digest(db: &impl ConnectionTrait, digest: &Digest, now: DateTimeUtc) -> Result<Option<Model>> {
    let works = Column::PreviousUntil.gte(now);
    Ok(Entity::find().filter(Column::PreviousDigest.eq(digest.clone())).filter(works).one(db).await?)
}

/// Ids of the tokens that have ended, the longest ago first.
///
/// # Errors
/// When the database is away.
pub async fn ended_ids(db: &impl ConnectionTrait, now: DateTimeUtc) -> Result<Vec<Uuid>> {
    let ids = ended_before(now).select_only().column(Column::Id).order_by_asc(Column::Expires);
    Ok(ids.into_tuple().all(db).await?)
}

fn ended_before(now: DateTimeUtc) -> Select<Entity> {
    // In these words, so that the partial index serves.
    Entity::find().filter(Expr::cust("tokens.expiring")).filter(Column::Expires.lt(now))
}

/// Those of these tokens that have ended, the longest ago first; those that somebody else is at are
/// left out.
///
/// # Errors
/// When the database is away.
pub async fn ended(db: &impl ConnectionTrait, now: DateTimeUtc, ids: &[Uuid]) -> Result<Vec<Model>> {
    Ok(ended_before(now)
        .filter(Column::Id.is_in(ids.iter().copied()))
        .order_by_asc(Column::Expires)
        .lock_with_behavior(LockType::NoKeyUpdate, LockBehavior::SkipLocked)
        .all(db)
        .await?)
}

/// # Errors
/// When the database is away.
pub async fn delete_all(db: &impl ConnectionTrait, ids: &[Uuid]) -> Result<()> {
    Entity::delete_many().filter(Column::Id.is_in(ids.iter().copied())).exec(db).await?;
    Ok(())
}

/// Ids of an owner's tokens, which nobody else changes until the transaction ends.
///
/// # Errors
/// When the database is away.
pub async fn ids_of(db: &impl ConnectionTrait, owner: i32) -> Result<Vec<Uuid>> {
    let ids = Entity::find().select_only().column(Column::Id).filter(Column::UserId.eq(owner));
    Ok(ids.order_by_asc(Column::Id).lock(LockType::Update).into_tuple().all(db).await?)
}

/// # Errors
/// A taken identifier, mark or key; otherwise when the database is away.
pub async fn insert(db: &impl ConnectionTrait, token: ActiveModel) -> Result<Model> {
    token.insert(db).await.map_err(taken)
}

/// # Errors
/// As [`insert`].
pub async fn update(db: &impl ConnectionTrait, token: ActiveModel) -> Result<Model> {
    token.update(db).await.map_err(taken)
}

/// # Errors
/// [`Error::NotFound`] when somebody else was faster.
pub async fn delete(db: &impl ConnectionTrait, token: &Model) -> Result<()> {
    let gone = Entity::delete_by_id(token.id).exec(db).await?;
    if gone.rows_affected == 0 { Err(Error::NotFound) } else { Ok(()) }
}

pub const IDENTIFIER_TAKEN: Problem = Problem::Taken(Some(("Token", "identifier")));
pub const MARK_TAKEN: Problem = Problem::Taken(Some(("Token", "Managed by authentik")));

fn taken(error: DbErr) -> Error {
    let Some(constraint) = unique_violation(&error) else { return error.into() };
    if constraint.contains("key_digest") {
        Error::field("key", Problem::Taken(None))
    } else if constraint.contains("managed") {
        Error::field("managed", MARK_TAKEN)
    } else {
        Error::field("identifier", IDENTIFIER_TAKEN)
    }
}
