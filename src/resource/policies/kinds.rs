//! The kinds of policies: what each is called, and what it may be searched, filtered and ordered by
//! (contract: authentik-core §5.2).

use super::entity::{Kind, Model};
use crate::{
    audit::Subject,
    error::{Error, Result},
    list,
    policy::Settings,
};
use serde_json::{Map, Value};

/// Words for one kind.
#[derive(Debug, Clone, Copy)]
pub struct Words {
    pub component: &'static str,
    pub verbose_name: &'static str,
    pub verbose_name_plural: &'static str,
    pub app_label: &'static str,
    pub model: &'static str,
    /// For `types/`.
    pub description: &'static str,
}

/// The label of the permissions that open `policies/all/`.
pub const BASE_LABEL: &str = "authentik_policies";

/// Every kind, in the order of their names.
pub const ALL: [Kind; 6] =
    [Kind::Dummy, Kind::EventMatcher, Kind::Expression, Kind::Expiry, Kind::Password, Kind::Reputation];

impl Kind {
    #[must_use]
    pub const fn words(self) -> Words {
        match self {
            Self::Dummy => Words {
                component: "ak-policy-dummy-form",
                verbose_name: "Dummy Policy",
                verbose_name_plural: "Dummy Policies",
                app_label: "authentik_policies_dummy",
                model: "dummypolicy",
                description: "Waits a while and then gives a fixed result; for trying things out.",
            },
            Self::EventMatcher => Words {
                component: "ak-policy-event-matcher-form",
                verbose_name: "Event Matcher Policy",
                verbose_name_plural: "Event Matcher Policies",
                app_label: "authentik_policies_event_matcher",
                model: "eventmatcherpolicy",
                description: "Passes for events that match one of its criteria.",
            },
            Self::Expiry => Words {
                component: "ak-policy-password-expiry-form",
                verbose_name: "Password Expiry Policy",
                verbose_name_plural: "Password Expiry Policies",
                app_label: "authentik_policies_expiry",
                model: "passwordexpirypolicy",
                description: "Passes as long as the password is younger than so many days.",
            },
            Self::Expression => Words {
                component: "ak-policy-expression-form",
                verbose_name: "Expression Policy",
                verbose_name_plural: "Expression Policies",
                app_label: "authentik_policies_expression",
                model: "expressionpolicy",
                description: "Passes when a Python expression says so; it runs in a sandbox.",
            },
            Self::Password => Words {
                component: "ak-policy-password-form",
                verbose_name: "Password Policy",
                verbose_name_plural: "Password Policies",
                app_label: "authentik_policies_password",
                model: "passwordpolicy",
                description: "Passes for new passwords that are long, varied and unknown enough.",
            },
            Self::Reputation => Words {
                component: "ak-policy-reputation-form",
                verbose_name: "Reputation Policy",
                verbose_name_plural: "Reputation Policies",
                app_label: "authentik_policies_reputation",
                model: "reputationpolicy",
                description: "Passes for clients or names whose reputation has fallen to a threshold.",
            },
        }
    }

    /// The code of a permission on policies of this kind.
    #[must_use]
    pub fn code(self, verb: &str) -> String {
        let words = self.words();
        format!("{}.{verb}_{}", words.app_label, words.model)
    }

    /// Fields of the settings that listings can be ordered by: all of them.
    ///
    /// # Errors
    /// When the defaults cannot be written down.
    pub fn fields(self) -> Result<Map<String, Value>> {
        Settings::defaults(self).to_map()
    }

    /// What `search` looks through.
    #[must_use]
    pub fn searchable(self, name: &str, settings: &Map<String, Value>) -> String {
        match (self, settings.get("threshold")) {
            (Self::Reputation, Some(threshold)) => list::folded(&[name, &threshold.to_string()]),
            _ => list::folded(&[name]),
        }
    }
}

impl Model {
    /// The policy as events name it.
    #[must_use]
    pub fn subject(&self) -> Subject {
        let words = self.kind.words();
        Subject::new(words.app_label, words.model, self.id.simple(), self.name.clone())
    }

    /// Its settings, typed.
    ///
    /// # Errors
    /// [`Error::Internal`] when the row holds something else.
    pub fn typed(&self) -> Result<Settings> {
        Settings::read(self.kind, self.settings.clone()).map_err(Error::internal)
    }

    /// Its settings, as on the wire.
    #[must_use]
    pub fn fields(&self) -> Map<String, Value> {
        self.settings.as_object().cloned().unwrap_or_default()
    }
}
