//! The table of applications. The key of an application is that of its policy target.

use crate::list;
use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "applications")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub name: String,
    #[sea_orm(unique)]
    pub slug: String,
    /// `group` on the wire: a heading to list it under.
    pub group_name: String,
    pub open_in_new_tab: bool,
    /// May hold `%(field)s` for fields of whoever opens it.
    pub meta_launch_url: String,
    /// A URL, or a path on this server.
    pub meta_icon: Option<String>,
    pub meta_description: String,
    pub meta_publisher: String,
    /// What `search` looks through; see [`Model::searchable`].
    pub search: String,
}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// The text that `search` looks through (contract: authentik-core §4.2).
    #[must_use]
    pub fn searchable(&self) -> String {
        list::folded(&[
            &self.name,
            &self.slug,
            &self.meta_launch_url,
            &self.meta_description,
            &self.meta_publisher,
            &self.group_name,
        ])
    }
}
