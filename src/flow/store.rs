//! Queries on flows, as a visit needs them: whoever asks may read all of it.

use crate::{
    error::Result,
    resource::{
        bindings::target,
        flows::{self, Designation},
        stage_bindings, stages, users,
    },
};
use sea_orm::{
    ColumnTrait as _, Condition, ConnectionTrait, DatabaseBackend, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    sea_query::{Expr, ExprTrait as _},
};
use uuid::Uuid;

pub use crate::resource::stages::store::by_id as stage;

/// # Errors
/// When the database is away.
pub async fn by_slug(db: &impl ConnectionTrait, slug: &str) -> Result<Option<flows::Model>> {
    Ok(flows::Entity::find().filter(flows::Column::Slug.eq(slug)).one(db).await?)
}

/// # Errors
/// When the database is away.
pub async fn by_id(db: &impl ConnectionTrait, id: Uuid) -> Result<Option<flows::Model>> {
    Ok(flows::Entity::find_by_id(id).one(db).await?)
}

/// Flows that are for something, by slug.
///
/// # Errors
/// When the database is away.
pub async fn designated(db: &impl ConnectionTrait, designation: Designation) -> Result<Vec<flows::Model>> {
    let select = flows::Entity::find().filter(flows::Column::Designation.eq(designation));
    Ok(select.order_by_asc(flows::Column::Slug).all(db).await?)
}

/// How the results of a target's policies are put together; `None` when it has gone.
///
/// # Errors
/// When the database is away.
pub async fn mode(db: &impl ConnectionTrait, target: Uuid) -> Result<Option<target::Mode>> {
    Ok(target::Entity::find_by_id(target).one(db).await?.map(|target| target.engine_mode))
}

/// The bindings of a flow, in order.
///
/// # Errors
/// When the database is away.
pub async fn bindings(db: &impl ConnectionTrait, flow: Uuid) -> Result<Vec<stage_bindings::Model>> {
    let select = stage_bindings::Entity::find().filter(stage_bindings::Column::FlowId.eq(flow));
    let ordered = select.order_by_asc(stage_bindings::Column::Position).order_by_asc(stage_bindings::Column::Id);
    Ok(ordered.all(db).await?)
}

/// A binding with its stage; `None` when one of them has gone.
///
/// # Errors
/// When the database is away.
pub async fn bound(db: &impl ConnectionTrait, binding: Uuid) -> Result<Option<(stage_bindings::Model, stages::Model)>> {
    let Some(binding) = stage_bindings::Entity::find_by_id(binding).one(db).await? else { return Ok(None) };
    let stage = stages::Entity::find_by_id(binding.stage_id).one(db).await?;
    Ok(stage.map(|stage| (binding, stage)))
}

/// Which account somebody means.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sought<'a> {
    pub username: Option<&'a str>,
    pub email: Option<&'a str>,
    pub upn: Option<&'a str>,
    /// Whether capitals make a difference.
    pub exactly: bool,
}

/// The account that somebody means. Names come before addresses, which several may share; then the oldest.
///
/// # Errors
/// When the database is away.
pub async fn account(db: &impl ConnectionTrait, sought: Sought<'_>) -> Result<Option<users::Model>> {
    use users::Column as C;
    let upn = match db.get_database_backend() {
        DatabaseBackend::Postgres => "users.attributes ->> 'upn'",
        _ => "json_extract(users.attributes, '$.upn')",
    };
    // ASCII only, as the databases do it: what they have indexed.
    let lower = |text: &str| text.to_ascii_lowercase();
    let conditions = if sought.exactly {
        [
            sought.username.map(|v| C::Username.eq(v)),
            sought.email.map(|v| C::Email.eq(v)),
            sought.upn.map(|v| Expr::cust(upn).eq(v)),
        ]
    } else {
        [
            sought.username.map(|v| C::UsernameFolded.eq(v.to_lowercase())),
            sought.email.map(|v| Expr::cust("lower(users.email)").eq(lower(v))),
            sought.upn.map(|v| Expr::cust(format!("lower({upn})")).eq(lower(v))),
        ]
    };
    let mut found = None;
    for condition in conditions.into_iter().flatten() {
        // An exact name first, where capitals make none.
        let select = users::Entity::find().filter(Condition::all().add(condition)).order_by_asc(C::Id);
        let several = select.all(db).await?;
        let exact = several.iter().position(|user| Some(user.username.as_str()) == sought.username);
        found = several.into_iter().nth(exact.unwrap_or(0));
        if found.is_some() {
            break;
        }
    }
    Ok(found.filter(|user| user.kind != users::Kind::InternalServiceAccount))
}
