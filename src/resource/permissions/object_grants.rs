//! Grants on objects as rows of their own (authentik-rbac §4.2); for superusers.

use crate::{
    audit::{self, Event, Subject},
    ctx::Ctx,
    db::Tx,
    error::{Error, Result},
    list::{ListRequest, OrderColumn, Page},
    resource::{
        grants::{
            self,
            catalogue::{self, Model, Permission},
            objects,
            roles::role,
            service::role_subject,
            store::Holder,
        },
        users,
    },
};
use sea_orm::{
    ActiveModelTrait as _, ActiveValue::Set, ColumnTrait as _, ConnectionTrait, EntityTrait as _, IntoActiveModel as _,
    JoinType, QueryFilter as _, QueryOrder as _, QuerySelect as _, Related, RelationDef, Select, sea_query::LockType,
};
use serde_json::json;
use std::collections::BTreeMap;

/// Which kind of holder the rows are of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    Roles,
    Users,
}

/// A grant with what it is about.
#[derive(Debug)]
pub struct ObjectGrant {
    pub grant: grants::Model,
    pub permission: &'static Permission,
    /// What the object is called.
    pub description: Option<String>,
}

fn rows(of: Of) -> Select<grants::Entity> {
    let holder = match of {
        Of::Roles => grants::Column::RoleId,
        Of::Users => grants::Column::UserId,
    };
    grants::Entity::find().filter(holder.is_not_null()).filter(grants::Column::ObjectPk.is_not_null())
}

fn to_holder(of: Of) -> RelationDef {
    match of {
        Of::Roles => <grants::Entity as Related<role::Entity>>::to(),
        Of::Users => <grants::Entity as Related<users::Entity>>::to(),
    }
}

/// One page of them, by the holder's name; `holder` narrows to one.
///
/// # Errors
/// [`Error::InvalidPage`]; otherwise when the database is away.
pub async fn list(ctx: &Ctx, of: Of, request: &ListRequest, holder: Option<Holder>) -> Result<Page<ObjectGrant>> {
    let db = ctx.app.db.read();
    let mut select = rows(of);
    match holder {
        Some(Holder::Role(id)) => select = select.filter(grants::Column::RoleId.eq(id)),
        Some(Holder::User(id)) => select = select.filter(grants::Column::UserId.eq(id)),
        None => {}
    }
    let named = select.clone().join(JoinType::InnerJoin, to_holder(of));
    let named = match of {
        Of::Roles => named.order_by_asc(role::Column::Name),
        Of::Users => named.order_by_asc(users::Column::Username),
    };
    let id = |name: &str| (name == "id").then(|| OrderColumn::of(grants::Column::Id));
    let ordered = request.order(named, id, &[], grants::Column::Id);
    let Page { items, count, number, pages, size } = request.fetch::<_, grants::Model>(db, select, ordered).await?;
    Ok(Page { items: described(db, items).await?, count, number, pages, size })
}

/// Grants with what they are about, one query for each model; those of a permission that no longer exists
/// say nothing.
async fn described(db: &impl ConnectionTrait, grants: Vec<grants::Model>) -> Result<Vec<ObjectGrant>> {
    let known = grants.into_iter().filter_map(|grant| Some((catalogue::by_code(&grant.permission)?, grant)));
    let known: Vec<_> = known.collect();
    let mut keys: BTreeMap<&str, (&'static Model, Vec<String>)> = BTreeMap::new();
    for (permission, grant) in &known {
        let of_model = keys.entry(permission.model.name).or_insert_with(|| (permission.model, Vec::new()));
        of_model.1.extend(grant.object_pk.clone());
    }
    let mut names = BTreeMap::new();
    for (name, (model, keys)) in keys {
        names.insert(name, objects::names(db, model, &keys, false).await?);
    }
    let named = |permission: &Permission, grant: &grants::Model| {
        names.get(permission.model.name)?.get(grant.object_pk.as_deref()?).cloned()
    };
    let shown = known.into_iter().map(|(permission, grant)| {
        let description = named(permission, &grant);
        ObjectGrant { grant, permission, description }
    });
    Ok(shown.collect())
}

async fn describe(db: &impl ConnectionTrait, grant: grants::Model) -> Result<ObjectGrant> {
    described(db, vec![grant]).await?.pop().ok_or(Error::NotFound)
}

/// # Errors
/// [`Error::NotFound`].
pub async fn view(ctx: &Ctx, of: Of, id: i32) -> Result<ObjectGrant> {
    let db = ctx.app.db.read();
    let grant = rows(of).filter(grants::Column::Id.eq(id)).one(db).await?.ok_or(Error::NotFound)?;
    describe(db, grant).await
}

async fn find_for_update(tx: &Tx, of: Of, id: i32) -> Result<(grants::Model, Subject)> {
    let select = rows(of).filter(grants::Column::Id.eq(id)).lock(LockType::NoKeyUpdate);
    let grant = select.one(tx.conn()).await?.ok_or(Error::NotFound)?;
    let about = match (grant.role_id, grant.user_id) {
        (Some(id), _) => role::Entity::find_by_id(id).one(tx.conn()).await?.map(|r| role_subject(r.id, &r.name)),
        (_, Some(id)) => users::store::by_id(tx.conn(), id).await?.map(|user| users::service::subject(&user)),
        (None, None) => None,
    };
    Ok((grant, about.ok_or(Error::NotFound)?))
}

/// Moves a grant to another object of the same model.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Invalid`] for an object that does not exist or has the grant already.
pub async fn update(ctx: &Ctx, of: Of, id: i32, object_pk: Option<String>) -> Result<ObjectGrant> {
    let mut tx = ctx.begin().await?;
    tx.exclusive().await?;
    let (grant, about) = find_for_update(&tx, of, id).await?;
    let shown = describe(tx.conn(), grant).await?;
    let Some(key) = object_pk else { return Ok(shown) };
    let key = objects::existing(tx.conn(), shown.permission.model, &key).await?;
    let same = rows(of)
        .filter(grants::Column::Id.ne(id))
        .filter(grants::Column::Permission.eq(&*shown.grant.permission))
        .filter(grants::Column::ObjectPk.eq(&*key));
    let same = match (shown.grant.role_id, shown.grant.user_id) {
        (Some(role), _) => same.filter(grants::Column::RoleId.eq(role)),
        (_, user) => same.filter(grants::Column::UserId.eq(user)),
    };
    if same.one(tx.conn()).await?.is_some() {
        return Err(Error::rule("object_pk", "This permission is held on that object already."));
    }
    let details = json!({"permissions": [&shown.grant.permission], "object_pk": &key});
    let mut row = shown.grant.into_active_model();
    row.object_pk = Set(Some(key));
    let moved = describe(tx.conn(), row.update(tx.conn()).await?).await?;
    audit::record(&tx, ctx, Event::updated(&about).with("assigned", details));
    tx.touch();
    tx.commit().await?;
    Ok(moved)
}

/// Takes the grant away.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn delete(ctx: &Ctx, of: Of, id: i32) -> Result<()> {
    let mut tx = ctx.begin().await?;
    let (grant, about) = find_for_update(&tx, of, id).await?;
    grants::Entity::delete_by_id(id).exec(tx.conn()).await?;
    let details = json!({"permissions": [grant.permission], "object_pk": grant.object_pk});
    audit::record(&tx, ctx, Event::updated(&about).with("unassigned", details));
    tx.touch();
    tx.commit().await
}
