//! The tables of what policies can be bound to, and of the bindings.

use sea_orm::entity::prelude::*;

/// Something that policies can be bound to: how their results are put together.
pub mod target {
    use sea_orm::entity::prelude::*;

    /// How many bindings must let somebody in.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
    #[sea_orm(rs_type = "String", db_type = "Text")]
    pub enum Mode {
        /// At least one.
        #[sea_orm(string_value = "any")]
        Any,
        #[sea_orm(string_value = "all")]
        All,
    }

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "policy_targets")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub engine_mode: Mode,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "policy_bindings")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub target_id: Uuid,
    /// `order` on the wire.
    pub position: i32,
    /// One of these three.
    pub policy_id: Option<Uuid>,
    pub group_id: Option<Uuid>,
    pub user_id: Option<i32>,
    pub negate: bool,
    pub enabled: bool,
    /// What counts when the policy itself gives up.
    pub failure_result: bool,
    /// Seconds that the policy gets; 0 is the server's own limit.
    pub timeout: i32,
}

impl ActiveModelBehavior for ActiveModel {}
