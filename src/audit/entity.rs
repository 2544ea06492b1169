//! The table of events.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "events")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub user: Json,
    pub action: String,
    pub app: String,
    pub context: Json,
    pub client_ip: Option<String>,
    pub created: DateTimeUtc,
    pub expires: DateTimeUtc,
    pub brand: Json,
}

impl ActiveModelBehavior for ActiveModel {}
