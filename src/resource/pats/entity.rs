//! The table of personal access tokens.

use super::scopes;
use crate::{audit::Subject, secret::Digest};
use sea_orm::entity::prelude::*;

/// Scopes as the owner wrote them.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, FromJsonQueryResult)]
pub struct Scopes(pub Vec<String>);

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "personal_access_tokens")]
pub struct Model {
    /// Without hyphens it is the `client_id`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub owner_id: i32,
    /// Unique among the owner's.
    pub name: String,
    #[sea_orm(column_type = "JsonBinary")]
    pub scope: Scopes,
    /// The scopes of the bearer token that asked for these: they reach no further. `None` when nothing bounds them.
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub ceiling: Option<Scopes>,
    pub secret_digest: Digest,
    /// Life of the bearer tokens, in seconds.
    pub validity: i32,
    /// In whole milliseconds, as the wire format has it.
    pub created: DateTimeUtc,
    /// In whole milliseconds; `None` when it never ends.
    pub expires: Option<DateTimeUtc>,
    /// Whether somebody acknowledged that it never ends.
    pub never_expires: bool,
    /// The first use of the last day it was used on.
    pub last_used: Option<DateTimeUtc>,
    /// Whether the server made it for itself.
    pub managed: bool,
    /// Whether there is an event about its end.
    pub end_recorded: bool,
    #[sea_orm(belongs_to, from = "owner_id", to = "id")]
    pub owner: BelongsTo<crate::resource::users::entity::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// The scopes that bearer tokens get.
    #[must_use]
    pub fn reach(&self) -> Vec<String> {
        scopes::below(&self.scope.0, self.ceiling.as_ref().map(|ceiling| ceiling.0.as_slice()))
    }

    /// Whether it has ended.
    #[must_use]
    pub fn is_expired(&self, now: DateTimeUtc) -> bool {
        self.expires.is_some_and(|end| end <= now)
    }

    /// The token as events name it.
    #[must_use]
    pub fn subject(&self) -> Subject {
        Subject::new("tessera_pats", "personalaccesstoken", self.id.simple(), self.name.clone())
    }
}
