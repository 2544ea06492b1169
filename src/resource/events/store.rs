//! Queries on events. Every query of a caller starts at [`visible`].

use crate::{
    access::{Principal, Visible, code},
    audit::{
        entity::{Column, Entity, Model},
        store::json_text,
    },
    error::{Error, Result},
    list::{ListRequest, OrderColumn, Page},
};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, DatabaseBackend, EntityTrait as _, QueryFilter as _, Select,
    sea_query::{Expr, ExprTrait as _, LockType},
};
use uuid::Uuid;

/// What events may be narrowed by (contract: authentik-core §7.4).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// Occurs in the action, in any case.
    pub action: Option<String>,
    pub client_ip: Option<String>,
    pub username: Option<String>,
    pub context_model_pk: Option<String>,
    pub context_model_name: Option<String>,
    pub context_model_app: Option<String>,
    pub context_authorized_app: Option<String>,
    pub brand_name: Option<String>,
}

/// Events that exist for this caller.
pub fn visible(principal: &Principal) -> Select<Entity> {
    match principal.visible(code::VIEW_EVENT) {
        Visible::All => Entity::find(),
        Visible::Some(keys) => {
            let ids = keys.iter().filter_map(|key| key.parse::<Uuid>().ok());
            Entity::find().filter(Column::Id.is_in(ids))
        }
        Visible::None => Entity::find().filter(Expr::val(false)),
    }
}

/// Events that a caller may see and that a filter and a search let through.
pub fn selected(
    backend: DatabaseBackend,
    principal: &Principal,
    filter: EventFilter,
    request: &ListRequest,
) -> Select<Entity> {
    let text = |column: &str, path: &[&str]| json_text(backend, column, path);
    let mut select = visible(principal);
    if let Some(action) = filter.action {
        select = select.filter(crate::list::contains_folded(Expr::col(Column::Action.as_column_ref()), &action));
    }
    if let Some(key) = filter.context_model_pk {
        // As the trail has it: UUIDs without hyphens, numbers as numbers.
        select = select.filter(text("context", &["model", "pk"]).eq(key.replace('-', "")));
    }
    let exact = [
        (filter.client_ip, Expr::col(Column::ClientIp.as_column_ref())),
        (filter.username, text("\"user\"", &["username"])),
        (filter.context_model_name, text("context", &["model", "model_name"])),
        (filter.context_model_app, text("context", &["model", "app"])),
        (filter.context_authorized_app, text("context", &["authorized_application", "pk"])),
        (filter.brand_name, text("brand", &["name"])),
    ];
    for (wanted, column) in exact {
        if let Some(wanted) = wanted {
            select = select.filter(column.eq(wanted));
        }
    }
    select.filter(request.search_condition(&[Expr::col(Column::Search.as_column_ref())]))
}

fn order_column(name: &str) -> Option<OrderColumn> {
    Some(match name {
        "pk" => OrderColumn::of(Column::Id),
        "user" => OrderColumn::of(Column::User),
        "action" => OrderColumn::of(Column::Action),
        "app" => OrderColumn::of(Column::App),
        "context" => OrderColumn::of(Column::Context),
        "client_ip" => OrderColumn::nullable(Column::ClientIp),
        "created" => OrderColumn::of(Column::Created),
        "expires" => OrderColumn::of(Column::Expires),
        "brand" => OrderColumn::of(Column::Brand),
        // For the default order: what happened in the same microsecond.
        "sequence" => OrderColumn::of(Column::Sequence),
        _ => return None,
    })
}

/// One page of the events that the caller may see.
///
/// # Errors
/// [`Error::InvalidPage`]; otherwise when the database is away.
pub async fn list(
    db: &impl ConnectionTrait,
    principal: &Principal,
    request: &ListRequest,
    filter: EventFilter,
) -> Result<Page<Model>> {
    let everything =
        principal.visible(code::VIEW_EVENT) == Visible::All && filter == EventFilter::default() && !request.searches();
    let select = selected(db.get_database_backend(), principal, filter, request);
    let ordered = request.order(select.clone(), order_column, &["-created", "-sequence"], Column::Id);
    if everything {
        request.fetch_counted(db, "events", ordered, None).await
    } else {
        request.fetch(db, select, ordered).await
    }
}

/// One event that the caller may see.
///
/// # Errors
/// [`Error::NotFound`]; otherwise when the database is away.
pub async fn find(db: &impl ConnectionTrait, principal: &Principal, id: Uuid) -> Result<Model> {
    visible(principal).filter(Column::Id.eq(id)).one(db).await?.ok_or(Error::NotFound)
}

/// As [`find`], and nobody else changes the row until the transaction ends.
///
/// # Errors
/// As [`find`].
pub async fn find_for_update(db: &impl ConnectionTrait, principal: &Principal, id: Uuid) -> Result<Model> {
    use sea_orm::QuerySelect as _;
    // Events go when the transaction ends, after the grants on them, so nobody may add one meanwhile.
    visible(principal).filter(Column::Id.eq(id)).lock(LockType::Update).one(db).await?.ok_or(Error::NotFound)
}
