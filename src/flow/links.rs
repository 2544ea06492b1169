//! Links that bring a plan with them: tokens of the intent `verification` whose key is part of an address
//! (contract: authentik-core §6.7). A link is good once, for one flow, and until its time is over.

use super::plan::{Plan, Proof, stamp};
use crate::{
    ctx::Ctx,
    db::Tx,
    error::{Error, Result},
    resource::{
        flows,
        tokens::{self, Intent},
        users,
    },
    secret::PlainSecret,
};
use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveModelTrait as _, ActiveValue::Set, ColumnTrait as _, ConnectionTrait, EntityTrait as _, PaginatorTrait as _,
    QueryFilter as _,
};
use uuid::Uuid;

pub mod row {
    //! The table of plans that links carry.
    use crate::secret::Sealed;
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "flow_tokens")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub token_id: Uuid,
        pub flow_id: Uuid,
        /// Sealed for the token's id.
        pub plan: Sealed,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// What a link is made from.
pub struct NewLink<'a> {
    pub identifier: String,
    pub user: &'a users::Model,
    pub flow: &'a flows::Model,
    pub plan: &'a Plan,
    pub expires: DateTime<Utc>,
}

/// Makes a link; gives its key. One of this name that is still good is given again, as it is. It is no event: the
/// link is worth as much as a password (contract §7.2).
///
/// # Errors
/// When the database is away.
pub async fn make(ctx: &Ctx, tx: &mut Tx, new: NewLink<'_>) -> Result<PlainSecret> {
    if let Some(old) = named(tx.conn(), &new.identifier).await? {
        let same = row::Entity::find_by_id(old.id).one(tx.conn()).await?.is_some_and(|row| row.flow_id == new.flow.id);
        if same && !old.is_expired(ctx.now) {
            return ctx.app.keyring.open(&old.key_sealed, old.id.as_bytes()).map_err(Error::internal);
        }
        tokens::Entity::delete_by_id(old.id).exec(tx.conn()).await?;
    }
    let key = ctx.secret(tx.settings().default_token_length);
    let id = ctx.uuid();
    let (keyring, entropy) = (&ctx.app.keyring, &*ctx.app.entropy);
    tokens::ActiveModel {
        id: Set(id),
        search: Set(tokens::Model::searchable(&new.identifier, Intent::Verification, "")),
        identifier: Set(new.identifier),
        intent: Set(Intent::Verification),
        user_id: Set(new.user.id),
        description: Set(String::new()),
        expires: Set(Some(new.expires)),
        expiring: Set(true),
        managed: Set(None),
        key_digest: Set(keyring.digest(&key)),
        key_sealed: Set(keyring.seal(entropy, &key, id.as_bytes())),
        previous_digest: Set(None),
        previous_until: Set(None),
    }
    .insert(tx.conn())
    .await?;
    // A link is for the password of the moment: whoever has chosen another one needs it no more.
    let mut plan = new.plan.clone();
    plan.proven_with = Some(stamp(new.user));
    let plan = keyring.seal(entropy, &PlainSecret::new(plan.to_text()?), id.as_bytes());
    row::ActiveModel { token_id: Set(id), flow_id: Set(new.flow.id), plan: Set(plan) }.insert(tx.conn()).await?;
    Ok(key)
}

async fn named(db: &impl ConnectionTrait, identifier: &str) -> Result<Option<tokens::Model>> {
    Ok(tokens::Entity::find().filter(tokens::Column::Identifier.eq(identifier)).one(db).await?)
}

/// The plan that a link brings, and the link; it is used up by [`consume`]. `None` for what is no link of this flow,
/// or was made for a password that is another one by now: the flow begins as for everybody.
///
/// # Errors
/// When the database is away.
pub async fn open(ctx: &Ctx, flow: &flows::Model, key: &str) -> Result<Option<(Uuid, Plan)>> {
    let digest = ctx.app.keyring.digest(&PlainSecret::new(key.to_owned()));
    let found = tokens::store::by_digest(ctx.app.db.read(), &digest).await?;
    let Some((token, user)) =
        found.filter(|(token, _)| token.intent == Intent::Verification && !token.is_expired(ctx.now))
    else {
        return Ok(None);
    };
    let Some(link) = row::Entity::find_by_id(token.id).one(ctx.app.db.read()).await? else { return Ok(None) };
    if link.flow_id != flow.id {
        return Ok(None);
    }
    let text = ctx.app.keyring.open(&link.plan, token.id.as_bytes()).map_err(Error::internal)?;
    let Some(mut plan) = Plan::from_text(text.reveal()) else { return Ok(None) };
    // Only a mail may bring back an account that is not active, where its stage says so.
    let mailed = plan.context.contains_key(super::stages::SENT);
    if plan.proven_with.take() != Some(stamp(&user)) || !(user.can_authenticate() || mailed) {
        return Ok(None);
    }
    plan.touched = ctx.now;
    plan.context.insert("is_restored".to_owned(), true.into());
    plan.context.insert("restored_for".to_owned(), user.id.into());
    if plan.account() == Some(user.id) {
        plan.prove(Proof::Link, &user);
    }
    Ok(Some((token.id, plan)))
}

/// Uses a link up; `false` when somebody else was faster.
///
/// # Errors
/// When the database is away.
pub async fn consume(tx: &Tx, link: Uuid) -> Result<bool> {
    Ok(tokens::Entity::delete_by_id(link).exec(tx.conn()).await?.rows_affected == 1)
}

/// How many links of a kind an account has that are still good.
///
/// # Errors
/// When the database is away.
pub async fn open_ones(ctx: &Ctx, user: i32, prefix: &str) -> Result<u64> {
    let its = tokens::Entity::find()
        .filter(tokens::Column::UserId.eq(user))
        .filter(tokens::Column::Intent.eq(Intent::Verification))
        .filter(tokens::Column::Identifier.starts_with(prefix))
        .filter(tokens::Column::Expires.gt(ctx.now));
    Ok(its.count(ctx.app.db.read()).await?)
}
