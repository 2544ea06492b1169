//! Forgetting people: with the setting `gdpr_compliance`, what a deleted account did goes from the
//! events too, a little later (contract: authentik-core §3.5; `jobs::sweep`).

use crate::{ctx::Ctx, db::Tx, error::Result};
use sea_orm::{ActiveValue::Set, EntityTrait as _, entity::prelude::*, sea_query::OnConflict};

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "erasures")]
pub struct Model {
    /// Of an account that is no more.
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: i32,
}

impl ActiveModelBehavior for ActiveModel {}

/// Asks for it, if the settings say so.
///
/// # Errors
/// When the database is away.
pub async fn ask(tx: &Tx, user: i32) -> Result<bool> {
    if !tx.settings().gdpr_compliance {
        return Ok(false);
    }
    let once = OnConflict::column(Column::UserId).do_nothing().to_owned();
    let row = ActiveModel { user_id: Set(user) };
    Entity::insert(row).on_conflict(once).exec_without_returning(tx.conn()).await?;
    Ok(true)
}

/// The next account that is to be forgotten.
///
/// # Errors
/// When the database is away.
pub async fn next(ctx: &Ctx) -> Result<Option<i32>> {
    Ok(Entity::find().one(ctx.app.db.read()).await?.map(|asked| asked.user_id))
}

/// Nothing of the account is left.
///
/// # Errors
/// When the database is away.
pub async fn done(ctx: &Ctx, user: i32) -> Result<()> {
    Entity::delete_by_id(user).exec(ctx.app.db.write()).await?;
    Ok(())
}
