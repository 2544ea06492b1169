//! The table of tokens.

use crate::{
    audit::Subject,
    list,
    secret::{Digest, Sealed},
    time,
};
use sea_orm::entity::prelude::*;

/// What a token is for (contract: authentik-core §2.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum Intent {
    #[sea_orm(string_value = "verification")]
    Verification,
    #[sea_orm(string_value = "api")]
    Api,
    #[sea_orm(string_value = "recovery")]
    Recovery,
    #[sea_orm(string_value = "app_password")]
    AppPassword,
}

impl Intent {
    /// The value on the wire and in the table.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Verification => "verification",
            Self::Api => "api",
            Self::Recovery => "recovery",
            Self::AppPassword => "app_password",
        }
    }
}

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "tokens")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    #[sea_orm(unique)]
    pub identifier: String,
    pub intent: Intent,
    pub user_id: i32,
    pub description: String,
    pub expires: Option<DateTimeUtc>,
    pub expiring: bool,
    #[sea_orm(unique)]
    pub managed: Option<String>,
    #[sea_orm(unique)]
    pub key_digest: Digest,
    /// The key, so that `view_key` can show it again; sealed for this row's `id`.
    pub key_sealed: Sealed,
    /// The key before the last rotation, while it goes on working.
    #[sea_orm(unique)]
    pub previous_digest: Option<Digest>,
    pub previous_until: Option<DateTimeUtc>,
    /// What `search` looks through, but for the owner's name; see [`Model::searchable`].
    pub search: String,
    #[sea_orm(belongs_to, from = "user_id", to = "id")]
    pub user: BelongsTo<crate::resource::users::entity::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// The text that `search` looks through (contract: authentik-core §2.2).
    #[must_use]
    pub fn searchable(identifier: &str, intent: Intent, description: &str) -> String {
        list::folded(&[identifier, intent.as_str(), description])
    }

    /// When the token ends; `None` when it never does.
    #[must_use]
    pub fn end(&self) -> Option<DateTimeUtc> {
        self.expires.filter(|_| self.expiring)
    }

    /// Whether the token has ended. Being presented does not change that, nor the row.
    #[must_use]
    pub fn is_expired(&self, now: DateTimeUtc) -> bool {
        self.end().is_some_and(|end| now > end)
    }

    /// When one of the token's keys ends; `None` when it never does. The former key ends by itself, and
    /// with the token at the latest.
    #[must_use]
    pub fn key_end(&self, key: &Digest) -> Option<DateTimeUtc> {
        if *key == self.key_digest {
            return self.end();
        }
        let former = self.previous_until.unwrap_or(DateTimeUtc::MIN_UTC);
        Some(self.end().map_or(former, |end| Ord::min(end, former)))
    }

    /// The token as events name it.
    #[must_use]
    pub fn subject(&self) -> Subject {
        let end = self.end().map(|end| format!(" (expires={})", time::spelled(end))).unwrap_or_default();
        Subject::new("authentik_core", "token", self.id.simple(), format!("{}{end}", self.identifier))
    }
}
