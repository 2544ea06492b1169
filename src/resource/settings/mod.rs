//! Settings that administrators change at run time: one row, remembered until it changes
//! (contract: authentik-core §1.9, `admin/settings`). [`service`] reads and changes it; the operations are
//! in `resource/system`.

pub mod service;

use crate::{
    error::{Error, Result},
    time::Duration,
};
use sea_orm::{ConnectionTrait, EntityTrait as _, entity::prelude::*};

/// The row; column names are the wire's (contract: authentik-core §1.9).
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "settings")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i32,
    pub avatars: String,
    pub default_user_change_name: bool,
    pub default_user_change_email: bool,
    pub default_user_change_username: bool,
    pub event_retention: String,
    pub footer_links: Json,
    pub gdpr_compliance: bool,
    pub impersonation: bool,
    pub default_token_duration: String,
    pub default_token_length: i32,
}

impl ActiveModelBehavior for ActiveModel {}

/// The settings, with durations read.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How long a token lives unless something else is said.
    pub default_token_duration: Duration,
    /// Length of generated keys, in characters; fewer than 40 count as 40.
    pub default_token_length: usize,
    /// How long events are kept.
    pub event_retention: Duration,
    pub impersonation: bool,
    /// Whether what a deleted account did is forgotten.
    pub gdpr_compliance: bool,
    /// Where pictures of accounts come from, in order.
    pub avatars: String,
}

/// The settings of a fresh installation.
#[must_use]
pub fn defaults() -> Model {
    Model {
        id: 1,
        avatars: "gravatar,initials".into(),
        default_user_change_name: true,
        default_user_change_email: false,
        default_user_change_username: false,
        event_retention: "days=365".into(),
        footer_links: serde_json::json!([]),
        gdpr_compliance: true,
        impersonation: true,
        default_token_duration: "minutes=30".into(),
        default_token_length: 60,
    }
}

impl Settings {
    /// Reads the durations of a row.
    ///
    /// # Errors
    /// When the row holds a duration that nobody can read.
    pub fn new(row: &Model) -> Result<Self> {
        let duration = |text: &str| text.parse::<Duration>().map_err(Error::internal);
        Ok(Self {
            default_token_duration: duration(&row.default_token_duration)?,
            default_token_length: usize::try_from(row.default_token_length).unwrap_or_default(),
            event_retention: duration(&row.event_retention)?,
            impersonation: row.impersonation,
            gdpr_compliance: row.gdpr_compliance,
            avatars: row.avatars.clone(),
        })
    }
}

/// Reads the settings.
///
/// # Errors
/// When the database is away.
pub async fn load(db: &impl ConnectionTrait) -> Result<Settings> {
    let row = Entity::find_by_id(1).one(db).await?.ok_or_else(|| Error::internal("the settings are missing"))?;
    Settings::new(&row)
}
