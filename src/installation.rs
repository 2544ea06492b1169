//! The one row that says which installation a database belongs to, and to which master key.

use crate::error::Result;
use sea_orm::{ConnectionTrait, entity::prelude::*};

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
}

impl ActiveModelBehavior for ActiveModel {}

/// The row; `None` before the first start.
///
/// # Errors
/// When the database is away.
pub async fn find(db: &impl ConnectionTrait) -> Result<Option<Model>> {
    Ok(Entity::find_by_id(1).one(db).await?)
}
