//! The table of groups.

use crate::list;
use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "groups")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    #[sea_orm(unique)]
    pub name: String,
    pub is_superuser: bool,
    pub parent_id: Option<Uuid>,
    pub attributes: Json,
    /// What `search` looks through; see [`Model::searchable`].
    pub search: String,
}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// The text that `search` looks through (contract: authentik-core §4.1).
    #[must_use]
    pub fn searchable(name: &str, is_superuser: bool) -> String {
        list::folded(&[name, if is_superuser { "true" } else { "false" }])
    }
}
