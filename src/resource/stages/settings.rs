//! What only one kind of stage has, typed, with what holds when nothing is said (contract: authentik-core
//! §6.1). The fields are those of the wire, except the lists of a prompt stage, which are tables.

use super::Kind;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use uuid::Uuid;

/// What identifies an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UserField {
    Email,
    Username,
    /// The attribute of that name.
    Upn,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Identification {
    pub user_fields: Vec<UserField>,
    /// A password stage, whose question is asked in one with this one's.
    pub password_stage: Option<Uuid>,
    pub case_insensitive_matching: bool,
    pub show_matched_user: bool,
    /// Go on for names that nobody has, so that nobody learns who has an account.
    pub pretend_user_exists: bool,
    pub enrollment_flow: Option<Uuid>,
    pub recovery_flow: Option<Uuid>,
    pub passwordless_flow: Option<Uuid>,
    pub show_source_labels: bool,
}

impl Default for Identification {
    fn default() -> Self {
        Self {
            user_fields: Vec::new(),
            password_stage: None,
            case_insensitive_matching: true,
            show_matched_user: true,
            pretend_user_exists: true,
            enrollment_flow: None,
            recovery_flow: None,
            passwordless_flow: None,
            show_source_labels: false,
        }
    }
}

/// Where a password is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Backend {
    /// The account's own password.
    #[serde(rename = "authentik.core.auth.InbuiltBackend")]
    Inbuilt,
    /// App passwords.
    #[serde(rename = "authentik.core.auth.TokenBackend")]
    Token,
    /// We have no LDAP sources, so nobody is found there.
    #[serde(rename = "authentik.sources.ldap.auth.LDAPBackend")]
    Ldap,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Password {
    pub backends: Vec<Backend>,
    /// The flow in which somebody changes his password.
    pub configure_flow: Option<Uuid>,
    pub failed_attempts_before_cancel: i32,
    pub allow_show_password: bool,
}

impl Default for Password {
    fn default() -> Self {
        Self {
            backends: Vec::new(),
            configure_flow: None,
            failed_attempts_before_cancel: 5,
            allow_show_password: false,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct UserLogin {
    /// A duration (contract §1.9); `seconds=0` is until the browser closes.
    pub session_duration: String,
    pub terminate_other_sessions: bool,
    /// A duration that is added when somebody wants to be remembered; `seconds=0` asks nobody.
    pub remember_me_offset: String,
    pub network_binding: NetworkBinding,
    pub geoip_binding: GeoipBinding,
}

/// What of the address must stay the same while a session lasts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NetworkBinding {
    #[default]
    NoBinding,
    BindAsn,
    BindAsnNetwork,
    BindAsnNetworkIp,
}

/// What of the place must stay the same while a session lasts. We have no such data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GeoipBinding {
    #[default]
    NoBinding,
    BindContinent,
    BindContinentCountry,
    BindContinentCountryCity,
}

impl Default for UserLogin {
    fn default() -> Self {
        Self {
            session_duration: "seconds=0".into(),
            terminate_other_sessions: false,
            remember_me_offset: "seconds=0".into(),
            network_binding: NetworkBinding::NoBinding,
            geoip_binding: GeoipBinding::NoBinding,
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConsentMode {
    AlwaysRequire,
    Permanent,
    #[default]
    Expiring,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Consent {
    pub mode: ConsentMode,
    /// A duration (contract §1.9).
    pub consent_expire_in: String,
}

impl Default for Consent {
    fn default() -> Self {
        Self { mode: ConsentMode::Expiring, consent_expire_in: "weeks=4".into() }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CreationMode {
    NeverCreate,
    #[default]
    CreateWhenRequired,
    AlwaysCreate,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct UserWrite {
    pub user_creation_mode: CreationMode,
    pub create_users_as_inactive: bool,
    pub create_users_group: Option<Uuid>,
    /// A kind of account, as on the wire.
    pub user_type: String,
    pub user_path_template: String,
}

impl Default for UserWrite {
    fn default() -> Self {
        Self {
            user_creation_mode: CreationMode::CreateWhenRequired,
            create_users_as_inactive: false,
            create_users_group: None,
            user_type: "external".into(),
            user_path_template: String::new(),
        }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Deny {
    pub deny_message: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Dummy {
    pub throw_error: bool,
}

/// Where an e-mail stage sends from; its password is sealed in a column of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Email {
    pub use_global_settings: bool,
    pub host: String,
    pub port: i32,
    pub username: String,
    pub use_tls: bool,
    pub use_ssl: bool,
    /// Seconds.
    pub timeout: i32,
    pub from_address: String,
    /// Minutes.
    pub token_expiry: i32,
    pub subject: String,
    pub template: String,
    pub activate_user_on_success: bool,
}

impl Default for Email {
    fn default() -> Self {
        Self {
            use_global_settings: false,
            host: "localhost".into(),
            port: 25,
            username: String::new(),
            use_tls: false,
            use_ssl: false,
            timeout: 10,
            from_address: "system@authentik.local".into(),
            token_expiry: 30,
            subject: "authentik".into(),
            template: "email/password_reset.html".into(),
            activate_user_on_success: false,
        }
    }
}

/// What only one kind has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Settings {
    Identification(Identification),
    Password(Password),
    Prompt {},
    UserWrite(UserWrite),
    UserLogin(UserLogin),
    UserLogout {},
    Consent(Consent),
    Deny(Deny),
    Dummy(Dummy),
    Email(Email),
    AuthenticatorValidate {},
}

fn typed<T: DeserializeOwned>(value: Value) -> serde_json::Result<T> {
    serde_json::from_value(value)
}

impl Settings {
    /// # Errors
    /// When `value` does not hold settings of this kind.
    pub fn read(kind: Kind, value: Value) -> serde_json::Result<Self> {
        Ok(match kind {
            Kind::Identification => Self::Identification(typed(value)?),
            Kind::Password => Self::Password(typed(value)?),
            Kind::Prompt => Self::Prompt {},
            Kind::UserWrite => Self::UserWrite(typed(value)?),
            Kind::UserLogin => Self::UserLogin(typed(value)?),
            Kind::UserLogout => Self::UserLogout {},
            Kind::Consent => Self::Consent(typed(value)?),
            Kind::Deny => Self::Deny(typed(value)?),
            Kind::Dummy => Self::Dummy(typed(value)?),
            Kind::Email => Self::Email(typed(value)?),
            Kind::AuthenticatorValidate => Self::AuthenticatorValidate {},
        })
    }

    /// What a stage of this kind has when nothing is said.
    ///
    /// # Errors
    /// Never: every field of every kind has a default.
    pub fn defaults(kind: Kind) -> serde_json::Result<Self> {
        Self::read(kind, Value::Object(Map::new()))
    }
}
