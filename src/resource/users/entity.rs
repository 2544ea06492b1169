//! The table of accounts.

use crate::{list, secret::password::PasswordHash};
use sea_orm::entity::prelude::*;

/// What an account is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum Kind {
    #[sea_orm(string_value = "internal")]
    Internal,
    #[sea_orm(string_value = "external")]
    External,
    #[sea_orm(string_value = "service_account")]
    ServiceAccount,
    #[sea_orm(string_value = "internal_service_account")]
    InternalServiceAccount,
}

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "users")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i32,
    #[sea_orm(unique)]
    pub uuid: Uuid,
    #[sea_orm(unique)]
    pub username: String,
    /// In lower case, for searching.
    pub username_folded: String,
    pub name: String,
    pub email: String,
    pub is_active: bool,
    pub last_login: Option<DateTimeUtc>,
    pub path: String,
    #[sea_orm(column_name = "type")]
    pub kind: Kind,
    pub attributes: Json,
    pub password: PasswordHash,
    pub password_change_date: DateTimeUtc,
    pub date_joined: DateTimeUtc,
    /// What `search` looks through; see [`Model::searchable`].
    pub search: String,
}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// The text that `search` looks through (contract: authentik-core §3.2).
    #[must_use]
    pub fn searchable(username: &str, name: &str, is_active: bool, email: &str, uuid: Uuid) -> String {
        list::folded(&[username, name, if is_active { "true" } else { "false" }, email, &uuid.to_string()])
    }

    /// Whether credentials of this account are good for anything.
    #[must_use]
    pub fn can_authenticate(&self) -> bool {
        self.is_active
    }
}
