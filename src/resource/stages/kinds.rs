//! The kinds of stages: what each is called, and which fields it has (contract: authentik-core §6.1).

use super::{entity::Kind, settings::Settings};
use crate::error::{Error, Result};
use serde_json::{Map, Value};

/// Words for one kind.
#[derive(Debug, Clone, Copy)]
pub struct Words {
    pub component: &'static str,
    pub verbose_name: &'static str,
    pub verbose_name_plural: &'static str,
    /// For `types/`.
    pub description: &'static str,
}

/// The label of the permissions that open `stages/all/`.
pub const BASE_LABEL: &str = "authentik_flows";

/// What `types/` lists, in the order of their names: the kinds that people make, beside the one for
/// trying things out.
pub const TYPES: [Kind; 9] = [
    Kind::Consent,
    Kind::Deny,
    Kind::Email,
    Kind::Identification,
    Kind::Password,
    Kind::Prompt,
    Kind::UserLogin,
    Kind::UserLogout,
    Kind::UserWrite,
];

/// The messages that e-mail stages send, with what they are called.
pub const TEMPLATES: [(&str, &str); 2] =
    [("email/password_reset.html", "Password Reset"), ("email/account_confirmation.html", "Account Confirmation")];

impl Kind {
    #[must_use]
    pub const fn words(self) -> Words {
        let (component, verbose_name, verbose_name_plural, description) = match self {
            Self::Identification => (
                "ak-stage-identification-form",
                "Identification Stage",
                "Identification Stages",
                "Asks somebody who they are: by name, e-mail address or another attribute.",
            ),
            Self::Password => (
                "ak-stage-password-form",
                "Password Stage",
                "Password Stages",
                "Asks for the password of whoever has been identified.",
            ),
            Self::Prompt => (
                "ak-stage-prompt-form",
                "Prompt Stage",
                "Prompt Stages",
                "Shows a form made of prompts, and lets policies judge what is entered.",
            ),
            Self::UserWrite => (
                "ak-stage-user-write-form",
                "User Write Stage",
                "User Write Stages",
                "Writes what a form has collected to an account, or makes one of it.",
            ),
            Self::UserLogin => (
                "ak-stage-user-login-form",
                "User Login Stage",
                "User Login Stages",
                "Begins a session for whoever has been identified.",
            ),
            Self::UserLogout => (
                "ak-stage-user-logout-form",
                "User Logout Stage",
                "User Logout Stages",
                "Ends the session in which the flow runs.",
            ),
            Self::Consent => (
                "ak-stage-consent-form",
                "Consent Stage",
                "Consent Stages",
                "Asks somebody to agree to what an application is told about them.",
            ),
            Self::Deny => (
                "ak-stage-deny-form",
                "Deny Stage",
                "Deny Stages",
                "Lets nobody further; policies decide who comes here.",
            ),
            Self::Dummy => (
                "ak-stage-dummy-form",
                "Dummy Stage",
                "Dummy Stages",
                "Asks for nothing but a click; for trying things out.",
            ),
            Self::Email => (
                "ak-stage-email-form",
                "Email Stage",
                "Email Stages",
                "Sends a message with a link, and waits until somebody follows it.",
            ),
            Self::AuthenticatorValidate => (
                "ak-stage-authenticator-validate-form",
                "Authenticator Validation Stage",
                "Authenticator Validation Stages",
                "Asks for a second factor where somebody has one.",
            ),
        };
        Words { component, verbose_name, verbose_name_plural, description }
    }

    /// The code of a permission on stages of this kind.
    #[must_use]
    pub fn code(self, verb: &str) -> String {
        let (label, model) = self.model();
        format!("{label}.{verb}_{model}")
    }

    /// Fields of the settings with what holds when nothing is said; listings can be ordered by them.
    ///
    /// # Errors
    /// When the defaults cannot be written down.
    pub fn fields(self) -> Result<Map<String, Value>> {
        Settings::defaults(self).map_err(Error::internal)?.to_map()
    }
}

impl Settings {
    /// As the JSON of the wire and of the table.
    ///
    /// # Errors
    /// When it cannot be written down.
    pub fn to_map(&self) -> Result<Map<String, Value>> {
        match serde_json::to_value(self) {
            Ok(Value::Object(map)) => Ok(map),
            Ok(_) => Err(Error::internal("settings are no object")),
            Err(error) => Err(Error::internal(error)),
        }
    }
}
