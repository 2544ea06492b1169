//! The tables of prompts, and of which stages ask for them.

use crate::list;
use sea_orm::entity::prelude::*;

/// What a prompt asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum Kind {
    Text,
    TextArea,
    TextReadOnly,
    TextAreaReadOnly,
    Username,
    Email,
    Password,
    Number,
    Checkbox,
    #[serde(rename = "radio-button-group")]
    #[sea_orm(string_value = "radio-button-group")]
    RadioButtonGroup,
    Dropdown,
    Date,
    #[serde(rename = "date-time")]
    #[sea_orm(string_value = "date-time")]
    DateTime,
    File,
    Separator,
    Hidden,
    Static,
    #[serde(rename = "ak-locale")]
    #[sea_orm(string_value = "ak-locale")]
    Locale,
}

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "prompts")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    #[sea_orm(unique)]
    pub name: String,
    /// The key of the answer.
    pub field_key: String,
    pub label: String,
    /// `type` on the wire.
    pub kind: Kind,
    pub required: bool,
    pub placeholder: String,
    pub initial_value: String,
    /// `order` on the wire.
    pub position: i32,
    pub sub_text: String,
    /// Whether the placeholder is an expression.
    pub placeholder_expression: bool,
    /// Whether the initial value is an expression.
    pub initial_value_expression: bool,
    /// What `search` looks through; see [`Model::searchable`].
    pub search: String,
}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// The text that `search` looks through (contract: authentik-core §6.1).
    #[must_use]
    pub fn searchable(name: &str, field_key: &str, label: &str, kind: Kind, placeholder: &str) -> String {
        list::folded(&[field_key, name, label, &kind.to_value(), placeholder])
    }
}

/// Which prompts a stage asks for.
pub mod field {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "prompt_stage_fields")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub stage_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub prompt_id: Uuid,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// Which policies judge the answers to a stage.
pub mod validation {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "prompt_stage_policies")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub stage_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub policy_id: Uuid,
    }

    impl ActiveModelBehavior for ActiveModel {}
}
