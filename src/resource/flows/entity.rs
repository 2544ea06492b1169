//! The table of flows.

use crate::{audit::Subject, list};
use sea_orm::entity::prelude::*;

/// What a flow is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum Designation {
    Authentication,
    Authorization,
    Invalidation,
    Enrollment,
    Unenrollment,
    Recovery,
    StageConfiguration,
}

/// How the stages of a flow are laid out on a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum Layout {
    Stacked,
    ContentLeft,
    ContentRight,
    SidebarLeft,
    SidebarRight,
}

/// What somebody sees whom the flow does not apply to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum DeniedAction {
    /// Where `next` leads, or else a message.
    MessageContinue,
    Message,
    /// Where `next` leads, or else the start.
    Continue,
}

/// Who may enter a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum Authentication {
    None,
    RequireAuthenticated,
    RequireUnauthenticated,
    RequireSuperuser,
    RequireOutpost,
}

/// Where the background of a flow is unless somebody sets another one.
pub const BACKGROUND: &str = "/static/dist/assets/images/flow_background.jpg";

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "flows")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// What policies are bound to; how their results are put together is in that row.
    #[sea_orm(unique)]
    pub target_id: Uuid,
    pub name: String,
    #[sea_orm(unique)]
    pub slug: String,
    /// May hold `%(user)s` and `%(app)s`.
    pub title: String,
    pub designation: Designation,
    /// A URL, or a path on this server.
    pub background: String,
    pub compatibility_mode: bool,
    pub layout: Layout,
    pub denied_action: DeniedAction,
    pub authentication: Authentication,
    /// What `search` looks through; see [`Model::searchable`].
    pub search: String,
}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// The text that `search` looks through (contract: authentik-core §6.1).
    #[must_use]
    pub fn searchable(name: &str, slug: &str, title: &str, designation: Designation, denied: DeniedAction) -> String {
        list::folded(&[name, slug, title, &designation.to_value(), &denied.to_value()])
    }

    /// The flow as events name it.
    #[must_use]
    pub fn subject(&self) -> Subject {
        Subject::new("authentik_flows", "flow", self.id.simple(), self.name.clone())
    }
}
