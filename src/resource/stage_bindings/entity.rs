//! The table of bindings of stages to flows.

use sea_orm::entity::prelude::*;

/// What an answer leads to that a stage does not take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum InvalidResponse {
    /// The stage again, with what was wrong.
    Retry,
    /// The flow from its beginning.
    Restart,
    /// The same, and the flow goes on knowing what it knew.
    RestartWithContext,
}

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "stage_bindings")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// What policies are bound to; how their results are put together is in that row.
    #[sea_orm(unique)]
    pub target_id: Uuid,
    pub flow_id: Uuid,
    pub stage_id: Uuid,
    /// `order` on the wire.
    pub position: i32,
    /// Ask the policies when the flow is entered.
    pub evaluate_on_plan: bool,
    /// Ask the policies when the stage is reached.
    pub re_evaluate_policies: bool,
    pub invalid_response_action: InvalidResponse,
}

impl ActiveModelBehavior for ActiveModel {}
