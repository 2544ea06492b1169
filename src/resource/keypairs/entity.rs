//! The table of key pairs.

use crate::{audit::Subject, secret::Sealed};
use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "keypairs")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub name: String,
    /// As in RFC 7518 §3.1.
    pub algorithm: String,
    /// The thumbprint of the public half (RFC 7638).
    #[sea_orm(unique)]
    pub kid: String,
    /// The private half, sealed for this row's `id`.
    pub key_sealed: Sealed,
    pub created: DateTimeUtc,
    /// Since when it signs nothing any more; `None` for the one that signs.
    pub retired: Option<DateTimeUtc>,
}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// The key pair as events name it.
    #[must_use]
    pub fn subject(&self) -> Subject {
        Subject::new("authentik_crypto", "certificatekeypair", self.id.simple(), self.name.clone())
    }
}
