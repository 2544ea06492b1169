//! The table of stages. What all kinds have is in columns; what one kind has is the JSON of its settings,
//! whose fields are those of the wire, and what of it is secret is sealed beside it.

use super::settings::Settings;
use crate::{
    audit::Subject,
    error::{Error, Result},
    secret::Sealed,
};
use sea_orm::entity::prelude::*;

/// The kinds of stages that we serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum Kind {
    Identification,
    Password,
    Prompt,
    UserWrite,
    UserLogin,
    UserLogout,
    Consent,
    Deny,
    Dummy,
    Email,
    /// Only the one that the shipped login flow names: nobody has such a device here, so it asks for nothing.
    AuthenticatorValidate,
}

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "stages")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    #[sea_orm(unique)]
    pub name: String,
    pub kind: Kind,
    pub settings: Json,
    /// The password of an e-mail stage's server; sealed for this row's `id`.
    pub secret: Option<Sealed>,
    /// What `search` looks through: the name, folded.
    pub search: String,
}

impl ActiveModelBehavior for ActiveModel {}

impl Kind {
    /// The model's name in permissions and events, with its label: `("authentik_stages_deny", "denystage")`.
    #[must_use]
    pub const fn model(self) -> (&'static str, &'static str) {
        match self {
            Self::Identification => ("authentik_stages_identification", "identificationstage"),
            Self::Password => ("authentik_stages_password", "passwordstage"),
            Self::Prompt => ("authentik_stages_prompt", "promptstage"),
            Self::UserWrite => ("authentik_stages_user_write", "userwritestage"),
            Self::UserLogin => ("authentik_stages_user_login", "userloginstage"),
            Self::UserLogout => ("authentik_stages_user_logout", "userlogoutstage"),
            Self::Consent => ("authentik_stages_consent", "consentstage"),
            Self::Deny => ("authentik_stages_deny", "denystage"),
            Self::Dummy => ("authentik_stages_dummy", "dummystage"),
            Self::Email => ("authentik_stages_email", "emailstage"),
            Self::AuthenticatorValidate => ("authentik_stages_authenticator_validate", "authenticatorvalidatestage"),
        }
    }
}

impl Model {
    /// The settings, typed.
    ///
    /// # Errors
    /// When the row holds something else.
    pub fn typed(&self) -> Result<Settings> {
        Settings::read(self.kind, self.settings.clone()).map_err(Error::internal)
    }

    /// The stage as events name it.
    #[must_use]
    pub fn subject(&self) -> Subject {
        let (app, model) = self.kind.model();
        Subject::new(app, model, self.id.simple(), self.name.clone())
    }
}
