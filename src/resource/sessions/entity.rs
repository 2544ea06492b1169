//! The table of sessions.

use crate::{
    audit::Subject,
    list,
    secret::{Digest, Sealed},
};
use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sessions")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Of the cookie's value.
    #[sea_orm(unique)]
    pub digest: Digest,
    /// Who signed in.
    pub user_id: Option<i32>,
    /// Whom that one acts as.
    pub impersonated_id: Option<i32>,
    /// The plan of the flow that is under way; sealed for this row's `id`.
    pub plan: Option<Sealed>,
    /// Raised by every write of the plan.
    pub plan_serial: i64,
    pub last_ip: String,
    pub last_user_agent: String,
    pub created: DateTimeUtc,
    pub last_used: DateTimeUtc,
    pub expires: DateTimeUtc,
    /// What `search` looks through, but for the user's name; see [`Model::searchable`].
    pub search: String,
}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// The text that `search` looks through (contract: authentik-core §4.3).
    #[must_use]
    pub fn searchable(ip: &str, user_agent: &str) -> String {
        list::folded(&[ip, user_agent])
    }

    /// The session as events name it.
    #[must_use]
    pub fn subject(&self, username: &str) -> Subject {
        Subject::new("authentik_core", "authenticatedsession", self.id.simple(), username)
    }
}
