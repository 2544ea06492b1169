//! The table of grants.

use sea_orm::entity::prelude::*;

/// One permission of one holder: `user_id` or `role_id`, never both.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "grants")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i32,
    pub user_id: Option<i32>,
    pub role_id: Option<Uuid>,
    /// `app_label.codename`
    pub permission: String,
    /// Primary key as text; `None` is every object.
    pub object_pk: Option<String>,
    #[sea_orm(belongs_to, from = "user_id", to = "id")]
    pub user: BelongsTo<Option<crate::resource::users::entity::Entity>>,
    #[sea_orm(belongs_to, from = "role_id", to = "id")]
    pub role: BelongsTo<Option<super::roles::role::Entity>>,
}

impl ActiveModelBehavior for ActiveModel {}
