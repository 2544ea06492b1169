//! The table of policies. What all kinds have is in columns; what one kind has is the JSON of its
//! settings, whose fields are those of the wire.

use sea_orm::entity::prelude::*;

/// The kinds of policies that we serve (contract: authentik-core §5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum Kind {
    #[sea_orm(string_value = "dummy")]
    Dummy,
    #[sea_orm(string_value = "event_matcher")]
    EventMatcher,
    #[sea_orm(string_value = "password_expiry")]
    Expiry,
    #[sea_orm(string_value = "expression")]
    Expression,
    #[sea_orm(string_value = "password")]
    Password,
    #[sea_orm(string_value = "reputation")]
    Reputation,
}

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "policies")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    #[sea_orm(unique)]
    pub name: String,
    pub kind: Kind,
    pub execution_logging: bool,
    pub settings: Json,
    pub created: DateTimeUtc,
    pub last_updated: DateTimeUtc,
    /// What `search` looks through.
    pub search: String,
}

impl ActiveModelBehavior for ActiveModel {}
