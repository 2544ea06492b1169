//! The table of events.

use crate::list;
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
    /// What `search` looks through; see [`Model::searchable`]. Made from the rest whenever that is linked.
    pub search: String,
}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// The text that `search` looks through (contract: authentik-core §7.4).
    #[must_use]
    pub fn searchable(&self) -> String {
        list::folded(&[
            &self.id.to_string(),
            &self.user.to_string(),
            &self.action,
            &self.app,
            &self.context.to_string(),
            self.client_ip.as_deref().unwrap_or_default(),
        ])
    }
}
