//! The one row that says which installation a database belongs to, and to which master key.

use crate::error::Result;
use sea_orm::{ConnectionTrait, QueryFilter as _, entity::prelude::*, sea_query::Expr};

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "installation")]
pub struct Model {
    /// Always 1.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i32,
    /// 32 hex digits; `uid` of accounts depends on it.
    pub install_id: String,
    pub key_fingerprint: String,
    pub created: DateTimeUtc,
    /// Which version of the objects an installation begins with was made; see [`crate::flow::defaults`].
    pub defaults: i32,
}

impl ActiveModelBehavior for ActiveModel {}

/// The row; `None` before the first start.
///
/// # Errors
/// When the database is away.
pub async fn find(db: &impl ConnectionTrait) -> Result<Option<Model>> {
    Ok(Entity::find_by_id(1).one(db).await?)
}

/// Notes that version `version` of the objects an installation begins with is made now; `false` when it was
/// before, by this process or another one.
///
/// # Errors
/// When the database is away.
pub async fn claim_defaults(db: &impl ConnectionTrait, version: i32) -> Result<bool> {
    let claimed = Entity::update_many()
        .col_expr(Column::Defaults, Expr::value(version))
        .filter(Column::Id.eq(1))
        .filter(Column::Defaults.lt(version))
        .exec(db)
        .await?;
    Ok(claimed.rows_affected == 1)
}
