//! Forgetting people: with the setting `gdpr_compliance`, what a deleted account did goes from the
//! events too, a little later (contract: authentik-core §3.5; `jobs::sweep`).

use crate::{audit::store as events, ctx::Ctx, db::Tx, error::Result};
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

/// Removes at most `most` events of one deleted account; `None` when there is nothing left to do.
///
/// # Errors
/// When the database is away.
pub async fn erase(ctx: &Ctx, most: u64) -> Result<Option<u64>> {
    let Some(asked) = Entity::find().one(ctx.app.db.write()).await? else { return Ok(None) };
    let erased = events::erase(ctx, asked.user_id, most).await?;
    if erased < most {
        Entity::delete_by_id(asked.user_id).exec(ctx.app.db.write()).await?;
    }
    Ok(Some(erased))
}
