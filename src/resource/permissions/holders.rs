//! Who holds permissions on a model or on one of its objects (authentik-rbac §4.1).

use crate::{
    access::Principal,
    ctx::Ctx,
    db::MANY,
    error::{FieldErrors, Problem, Result},
    list::{ListRequest, Page},
    resource::{
        grants::{
            self, Holder,
            catalogue::{self, Model},
            roles::role,
        },
        groups::{self, membership},
        roles, users,
    },
};
use sea_orm::{
    ColumnTrait as _, Condition, ConnectionTrait, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    sea_query::{Expr, ExprTrait as _, Query, SelectStatement},
};
use std::collections::BTreeMap;
use uuid::Uuid;

/// What is asked: holders of any permission on a model, or on one of its objects.
#[derive(Debug)]
pub struct Asked {
    /// `None`: a model of the original that is not served.
    pub model: Option<&'static Model>,
    pub object_pk: Option<String>,
}

impl Asked {
    /// Reads a name that the document enumerates.
    #[must_use]
    pub fn new(model: &str, object_pk: Option<String>) -> Self {
        let model = catalogue::model_by_name(model);
        let canonical = |key: String| match model.map(|m| grants::objects::canonical(m, &key)) {
            Some(Ok(canonical)) => canonical,
            _ => key,
        };
        Self { model, object_pk: object_pk.map(canonical) }
    }

    /// Grants that make their holder one of those asked for.
    fn condition(&self) -> Condition {
        let codes = self.model.map(Model::codes).unwrap_or_default();
        let on_model = Condition::all().add(grants::Column::Permission.is_in(codes));
        match &self.object_pk {
            Some(key) => on_model.add(grants::Column::ObjectPk.eq(key.as_str())),
            None => on_model,
        }
    }
}

/// A grant on an object, with its holder aside.
pub type ObjectGrants<K> = BTreeMap<K, Vec<grants::Model>>;

/// One page of the roles that hold something, as far as the caller may see them, each with all of its
/// grants on objects.
///
/// # Errors
/// [`Error::InvalidPage`](crate::error::Error::InvalidPage).
pub async fn of_roles(
    db: &impl ConnectionTrait,
    principal: &Principal,
    request: &ListRequest,
    asked: &Asked,
) -> Result<(Page<role::Model>, ObjectGrants<Uuid>)> {
    let holding = select(grants::Column::RoleId, asked);
    let select = roles::store::visible(principal).filter(role::Column::Id.in_subquery(holding));
    let ordered = select.clone().order_by_asc(role::Column::Name).order_by_asc(role::Column::Id);
    let page: Page<role::Model> = request.fetch(db, select, ordered).await?;
    let ids: Vec<Uuid> = page.items.iter().map(|role| role.id).collect();
    let mut held = ObjectGrants::new();
    for some in ids.chunks(MANY) {
        let these = grants::Column::RoleId.is_in(some.iter().copied());
        for grant in on_objects(db, Condition::all().add(these)).await? {
            if let Some(role) = grant.role_id {
                held.entry(role).or_default().push(grant);
            }
        }
    }
    Ok((page, held))
}

/// As [`of_roles`], for accounts. Members of superuser groups hold everything and are always listed.
///
/// # Errors
/// As [`of_roles`].
pub async fn of_users(
    db: &impl ConnectionTrait,
    principal: &Principal,
    request: &ListRequest,
    asked: &Asked,
) -> Result<(Page<users::Model>, ObjectGrants<i32>)> {
    let on = Expr::col((groups::Entity, groups::Column::Id)).equals((membership::Entity, membership::Column::GroupId));
    let superusers = Query::select()
        .column((membership::Entity, membership::Column::UserId))
        .from(membership::Entity)
        .inner_join(groups::Entity, on)
        .and_where(Expr::col((groups::Entity, groups::Column::IsSuperuser)).eq(true))
        .to_owned();
    let listed = Condition::any()
        .add(users::Column::Id.in_subquery(select(grants::Column::UserId, asked)))
        .add(users::Column::Id.in_subquery(superusers));
    let select = users::store::visible(principal).filter(listed);
    let ordered = select.clone().order_by_asc(users::Column::Username).order_by_asc(users::Column::Id);
    let page: Page<users::Model> = request.fetch(db, select, ordered).await?;
    let ids: Vec<i32> = page.items.iter().map(|user| user.id).collect();
    let mut held = ObjectGrants::new();
    for some in ids.chunks(MANY) {
        let these = grants::Column::UserId.is_in(some.iter().copied());
        for grant in on_objects(db, Condition::all().add(these)).await? {
            if let Some(user) = grant.user_id {
                held.entry(user).or_default().push(grant);
            }
        }
    }
    Ok((page, held))
}

fn select(holder: grants::Column, asked: &Asked) -> SelectStatement {
    Query::select()
        .column((grants::Entity, holder))
        .from(grants::Entity)
        .cond_where(asked.condition())
        .and_where(holder.is_not_null())
        .to_owned()
}

async fn on_objects(db: &impl ConnectionTrait, whose: Condition) -> Result<Vec<grants::Model>> {
    let on_objects = whose.add(grants::Column::ObjectPk.is_not_null());
    Ok(grants::Entity::find().filter(on_objects).order_by_asc(grants::Column::Id).all(db).await?)
}

/// Which permissions a role and an account hold themselves, globally, where the caller asks.
///
/// # Errors
/// [`Error::Invalid`](crate::error::Error::Invalid) for a role or an account that does not exist.
pub async fn held(ctx: &Ctx, role: Option<&str>, user: Option<i32>) -> Result<Vec<Vec<String>>> {
    let db = ctx.app.db.read();
    let (mut held, mut errors) = (Vec::new(), FieldErrors::default());
    if let Some(role) = role {
        match role.parse::<Uuid>() {
            Ok(id) if !grants::store::roles(db, &[id]).await?.is_empty() => {
                held.push(grants::store::global_of(db, Holder::Role(id)).await?);
            }
            _ => errors.add("role", Problem::NoSuchChoice),
        }
    }
    if let Some(id) = user {
        match users::store::by_id(db, id).await? {
            Some(user) => held.push(grants::store::global_of(db, Holder::User(user.id)).await?),
            None => errors.add("user", Problem::NoSuchChoice),
        }
    }
    errors.finish()?;
    Ok(held)
}
