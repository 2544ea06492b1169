//! The table of reputation scores: how often names and addresses have failed or succeeded.

use crate::list;
use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "reputation_scores")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The name that was given; not necessarily that of an account.
    pub identifier: String,
    pub ip: String,
    pub ip_geo_data: Option<Json>,
    pub ip_asn_data: Option<Json>,
    /// Below zero is bad.
    pub score: i64,
    pub updated: DateTimeUtc,
    pub expires: DateTimeUtc,
    /// What `search` looks through.
    pub search: String,
}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// The text that `search` looks through (contract: authentik-core §5.7).
    #[must_use]
    pub fn searchable(identifier: &str, ip: &str, score: i64) -> String {
        list::folded(&[identifier, ip, &score.to_string()])
    }
}
