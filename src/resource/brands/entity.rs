//! The table of brands.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "brands")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The host name, or the end of it.
    #[sea_orm(unique)]
    pub domain: String,
    /// `default` on the wire: for hosts that no brand names.
    pub is_default: bool,
    pub branding_title: String,
    pub branding_logo: String,
    pub branding_favicon: String,
    pub default_application_id: Option<Uuid>,
    pub attributes: Json,
    /// What `search` looks through.
    pub search: String,
    pub flow_authentication_id: Option<Uuid>,
    pub flow_invalidation_id: Option<Uuid>,
    pub flow_recovery_id: Option<Uuid>,
    pub flow_unenrollment_id: Option<Uuid>,
    pub flow_user_settings_id: Option<Uuid>,
    pub flow_device_code_id: Option<Uuid>,
}

impl ActiveModelBehavior for ActiveModel {}
