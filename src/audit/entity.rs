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
    /// The link of the chain that says how the event is now; empty only in what the chain has not
    /// begun with yet.
    #[sea_orm(unique)]
    pub sequence: Option<i64>,
}

impl ActiveModelBehavior for ActiveModel {}
