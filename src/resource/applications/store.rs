//! Queries on applications. Who may *see* one as an administrator starts at [`visible`]; who may *use* one
//! is for policies to say.

use super::entity::{ActiveModel, Column, Entity, Model};
use crate::{
    access::{Principal, Visible, code},
    error::{Error, Problem, Result, unique_violation},
    list::{ListRequest, OrderColumn},
    resource::bindings::target,
};
use sea_orm::{
    ActiveModelTrait as _,
    ActiveValue::Set,
    ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, FromQueryResult, JoinType, QueryFilter as _,
    QuerySelect as _, Select,
    sea_query::{Expr, LockType},
};
use uuid::Uuid;

/// What a listing may be narrowed by (contract: authentik-core §4.2).
#[derive(Debug, Clone, Default)]
pub struct ApplicationFilter {
    pub name: Option<String>,
    pub slug: Option<String>,
    pub meta_launch_url: Option<String>,
    pub meta_description: Option<String>,
    pub meta_publisher: Option<String>,
    pub group: Option<String>,
}

/// An application with how its policies are put together.
#[derive(Debug, Clone, FromQueryResult)]
pub struct ApplicationRow {
    #[sea_orm(nested)]
    pub application: Model,
    pub engine_mode: target::Mode,
}

/// Applications that an administrator may see.
pub fn visible(principal: &Principal) -> Select<Entity> {
    match principal.visible(code::VIEW_APPLICATION) {
        Visible::All => Entity::find(),
        Visible::Some(keys) => {
            Entity::find().filter(Column::Id.is_in(keys.iter().filter_map(|key| key.parse::<Uuid>().ok())))
        }
        Visible::None => Entity::find().filter(Expr::val(false)),
    }
}

fn with_mode(select: Select<Entity>) -> Select<Entity> {
    select
        .join(JoinType::InnerJoin, Entity::belongs_to(target::Entity).from(Column::Id).to(target::Column::Id).into())
        .column(target::Column::EngineMode)
}

fn order_column(name: &str) -> Option<OrderColumn> {
    Some(match name {
        "pk" => OrderColumn::of(Column::Id),
        "name" => OrderColumn::of(Column::Name),
        "slug" => OrderColumn::of(Column::Slug),
        "open_in_new_tab" => OrderColumn::of(Column::OpenInNewTab),
        "meta_launch_url" => OrderColumn::of(Column::MetaLaunchUrl),
        "meta_description" => OrderColumn::of(Column::MetaDescription),
        "meta_publisher" => OrderColumn::of(Column::MetaPublisher),
        "group" => OrderColumn::of(Column::GroupName),
        "policy_engine_mode" => OrderColumn::of(target::Column::EngineMode),
        _ => return None,
    })
}

/// All applications that the filter and the search let through, in the order asked for.
///
/// # Errors
/// When the database is away.
pub async fn all(
    db: &impl ConnectionTrait,
    request: &ListRequest,
    filter: ApplicationFilter,
) -> Result<Vec<ApplicationRow>> {
    let mut select = Entity::find();
    let own = [
        (Column::Name, filter.name),
        (Column::Slug, filter.slug),
        (Column::MetaLaunchUrl, filter.meta_launch_url),
        (Column::MetaDescription, filter.meta_description),
        (Column::MetaPublisher, filter.meta_publisher),
        (Column::GroupName, filter.group),
    ];
    for (column, value) in own {
        if let Some(value) = value {
            select = select.filter(column.eq(value));
        }
    }
    let select = select.filter(request.search_condition(&[Expr::col(Column::Search.as_column_ref())]));
    let ordered = request.order(with_mode(select), order_column, &["name"], Column::Id);
    Ok(ordered.into_model().all(db).await?)
}

/// One application, whoever asks.
///
/// # Errors
/// [`Error::NotFound`]; otherwise when the database is away.
pub async fn by_slug(db: &impl ConnectionTrait, slug: &str) -> Result<ApplicationRow> {
    with_mode(Entity::find().filter(Column::Slug.eq(slug))).into_model().one(db).await?.ok_or(Error::NotFound)
}

/// One application that the caller may see.
///
/// # Errors
/// [`Error::NotFound`]; otherwise when the database is away.
pub async fn view(db: &impl ConnectionTrait, principal: &Principal, slug: &str) -> Result<ApplicationRow> {
    let select = visible(principal).filter(Column::Slug.eq(slug));
    with_mode(select).into_model().one(db).await?.ok_or(Error::NotFound)
}

/// One application that the caller may see, and nobody else changes it until the transaction ends.
///
/// # Errors
/// As [`view`].
pub async fn find_for_update(db: &impl ConnectionTrait, principal: &Principal, slug: &str) -> Result<Model> {
    visible(principal).filter(Column::Slug.eq(slug)).lock(LockType::NoKeyUpdate).one(db).await?.ok_or(Error::NotFound)
}

/// The key of the application with this slug.
///
/// # Errors
/// When the database is away.
pub async fn id_of(db: &impl ConnectionTrait, slug: &str) -> Result<Option<Uuid>> {
    Ok(Entity::find().select_only().column(Column::Id).filter(Column::Slug.eq(slug)).into_tuple().one(db).await?)
}

/// # Errors
/// A taken slug; otherwise when the database is away.
pub async fn insert(db: &impl ConnectionTrait, application: ActiveModel, mode: target::Mode) -> Result<Model> {
    let target = target::ActiveModel { id: application.id.clone(), engine_mode: Set(mode) };
    target.insert(db).await?;
    application.insert(db).await.map_err(taken)
}

/// # Errors
/// As [`insert`].
pub async fn update(db: &impl ConnectionTrait, application: ActiveModel) -> Result<Model> {
    application.update(db).await.map_err(taken)
}

/// # Errors
/// When the database is away.
pub async fn set_mode(db: &impl ConnectionTrait, id: Uuid, mode: target::Mode) -> Result<()> {
    target::ActiveModel { id: Set(id), engine_mode: Set(mode) }.update(db).await?;
    Ok(())
}

/// Removes an application with its policy target.
///
/// # Errors
/// [`Error::NotFound`] when somebody else was faster.
pub async fn delete(db: &impl ConnectionTrait, id: Uuid) -> Result<()> {
    let gone = target::Entity::delete_by_id(id).exec(db).await?;
    if gone.rows_affected == 0 { Err(Error::NotFound) } else { Ok(()) }
}

/// What the contract says about a slug that is taken.
#[must_use]
pub fn slug_taken() -> Error {
    Error::field("slug", Problem::Taken(Some(("Application", "slug"))))
}

fn taken(error: DbErr) -> Error {
    match unique_violation(&error) {
        Some(_) => slug_taken(),
        None => error.into(),
    }
}
