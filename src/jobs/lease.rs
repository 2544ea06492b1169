//! Which of several processes does a job: whoever holds its lease, a row with an end.

use crate::{app::App, error::Result};
use chrono::TimeDelta;
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, Condition, EntityTrait as _, QueryFilter as _,
    entity::prelude::*,
    sea_query::{Expr, OnConflict},
};

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "leases")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    /// The process, by a number it drew.
    pub holder: String,
    pub until: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}

/// How long a lease lasts; held longer by taking it again.
const TERM: TimeDelta = TimeDelta::seconds(60);

/// Takes or keeps a lease; tells whether `holder` has it now.
///
/// # Errors
/// When the database is away.
pub async fn hold(app: &App, name: &str, holder: &str) -> Result<bool> {
    let now = app.clock.now();
    let free = Condition::any()
        .add(Column::Holder.eq(holder))
        .add(Column::Until.lt(now))
        // From a clock that went wrong.
        .add(Column::Until.gt(now + TERM + TERM));
    let taken = Entity::update_many()
        .col_expr(Column::Holder, Expr::val(holder))
        .col_expr(Column::Until, Expr::val(now + TERM))
        .filter(Column::Name.eq(name))
        .filter(free)
        .exec(app.db.write())
        .await?;
    if taken.rows_affected > 0 {
        return Ok(true);
    }
    let first = ActiveModel { name: Set(name.to_owned()), holder: Set(holder.to_owned()), until: Set(now + TERM) };
    let once = OnConflict::column(Column::Name).do_nothing().to_owned();
    let made = Entity::insert(first).on_conflict(once).exec_without_returning(app.db.write()).await?;
    Ok(made > 0)
}

/// Gives a lease back.
///
/// # Errors
/// When the database is away.
pub async fn release(app: &App, name: &str, holder: &str) -> Result<()> {
    let mine = Condition::all().add(Column::Name.eq(name)).add(Column::Holder.eq(holder));
    Entity::delete_many().filter(mine).exec(app.db.write()).await?;
    Ok(())
}
