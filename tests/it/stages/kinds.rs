//! The kinds of stages, as the contract has them.

use serde_json::{Value, json};

pub struct Kind {
    pub path: &'static str,
    pub component: &'static str,
    pub verbose_name: &'static str,
    pub app_label: &'static str,
    pub model: &'static str,
    /// What a creation needs, beside a name and, for prompt stages, prompts.
    pub required: fn() -> Value,
    /// All own fields of one that was made with no more than that.
    pub defaults: fn() -> Value,
    /// Other values of them, except of references.
    pub others: fn() -> Value,
}

const BARE: Kind = Kind {
    path: "/stages/user_logout/",
    component: "ak-stage-user-logout-form",
    verbose_name: "User Logout Stage",
    app_label: "authentik_stages_user_logout",
    model: "userlogoutstage",
    required: || json!({}),
    defaults: || json!({}),
    others: || json!({}),
};

/// Every kind that can be made.
pub const KINDS: [Kind; 10] = [
    Kind {
        path: "/stages/identification/",
        component: "ak-stage-identification-form",
        verbose_name: "Identification Stage",
        app_label: "authentik_stages_identification",
        model: "identificationstage",
        required: || json!({"user_fields": ["username"]}),
        defaults: || {
            json!({
                "user_fields": ["username"], "password_stage": null, "case_insensitive_matching": true,
                "show_matched_user": true, "pretend_user_exists": true, "enrollment_flow": null,
                "recovery_flow": null, "passwordless_flow": null, "sources": [], "show_source_labels": false,
            })
        },
        others: || {
            json!({
                "user_fields": ["email", "upn", "email"], "case_insensitive_matching": false,
                "show_matched_user": false, "pretend_user_exists": false, "show_source_labels": true,
            })
        },
    },
    Kind {
        path: "/stages/password/",
        component: "ak-stage-password-form",
        verbose_name: "Password Stage",
        app_label: "authentik_stages_password",
        model: "passwordstage",
        required: || json!({"backends": ["authentik.core.auth.InbuiltBackend"]}),
        defaults: || {
            json!({
                "backends": ["authentik.core.auth.InbuiltBackend"], "configure_flow": null,
                "failed_attempts_before_cancel": 5, "allow_show_password": false,
            })
        },
        others: || {
            json!({
                "backends": ["authentik.sources.ldap.auth.LDAPBackend", "authentik.core.auth.TokenBackend"],
                "failed_attempts_before_cancel": -3, "allow_show_password": true,
            })
        },
    },
    Kind {
        path: "/stages/prompt/stages/",
        component: "ak-stage-prompt-form",
        verbose_name: "Prompt Stage",
        app_label: "authentik_stages_prompt",
        model: "promptstage",
        required: || json!({}),
        defaults: || json!({"validation_policies": []}),
        others: || json!({}),
    },
    Kind {
        path: "/stages/user_write/",
        component: "ak-stage-user-write-form",
        verbose_name: "User Write Stage",
        app_label: "authentik_stages_user_write",
        model: "userwritestage",
        required: || json!({}),
        defaults: || {
            json!({
                "user_creation_mode": "create_when_required", "create_users_as_inactive": false,
                "create_users_group": null, "user_type": "external", "user_path_template": "",
            })
        },
        others: || {
            json!({
                "user_creation_mode": "never_create", "create_users_as_inactive": true, "user_type": "internal",
                "user_path_template": "some/where",
            })
        },
    },
    Kind {
        path: "/stages/user_login/",
        component: "ak-stage-user-login-form",
        verbose_name: "User Login Stage",
        app_label: "authentik_stages_user_login",
        model: "userloginstage",
        required: || json!({}),
        defaults: || {
            json!({
                "session_duration": "seconds=0", "terminate_other_sessions": false, "remember_me_offset": "seconds=0",
                "network_binding": "no_binding", "geoip_binding": "no_binding",
            })
        },
        others: || {
            json!({
                "session_duration": "hours=-2", "terminate_other_sessions": true, "remember_me_offset": "days=1",
                "network_binding": "bind_asn_network_ip", "geoip_binding": "bind_continent_country_city",
            })
        },
    },
    BARE,
    Kind {
        path: "/stages/consent/",
        component: "ak-stage-consent-form",
        verbose_name: "Consent Stage",
        app_label: "authentik_stages_consent",
        model: "consentstage",
        defaults: || json!({"mode": "expiring", "consent_expire_in": "weeks=4"}),
        others: || json!({"mode": "permanent", "consent_expire_in": "days=1"}),
        ..BARE
    },
    Kind {
        path: "/stages/deny/",
        component: "ak-stage-deny-form",
        verbose_name: "Deny Stage",
        app_label: "authentik_stages_deny",
        model: "denystage",
        defaults: || json!({"deny_message": ""}),
        others: || json!({"deny_message": "No."}),
        ..BARE
    },
    Kind {
        path: "/stages/dummy/",
        component: "ak-stage-dummy-form",
        verbose_name: "Dummy Stage",
        app_label: "authentik_stages_dummy",
        model: "dummystage",
        defaults: || json!({"throw_error": false}),
        others: || json!({"throw_error": true}),
        ..BARE
    },
    Kind {
        path: "/stages/email/",
        component: "ak-stage-email-form",
        verbose_name: "Email Stage",
        app_label: "authentik_stages_email",
        model: "emailstage",
        required: || json!({}),
        defaults: || {
            json!({
                "use_global_settings": false, "host": "localhost", "port": 25, "username": "", "use_tls": false,
                "use_ssl": false, "timeout": 10, "from_address": "system@authentik.local", "token_expiry": 30,
                "subject": "authentik", "template": "email/password_reset.html", "activate_user_on_success": false,
            })
        },
        others: || {
            json!({
                "use_global_settings": true, "host": "mail.example.org", "port": -1, "username": "tessera",
                "use_tls": true, "use_ssl": true, "timeout": 0, "from_address": "a@example.org", "token_expiry": 1,
                "subject": "Hello", "template": "email/account_confirmation.html", "activate_user_on_success": true,
            })
        },
    },
];

/// The kind with this model.
pub fn kind(model: &str) -> &'static Kind {
    static ALL: [Kind; 10] = KINDS;
    ALL.iter().find(|kind| kind.model == model).expect("a kind")
}

impl Kind {
    /// The path of one stage.
    pub fn one(&self, pk: &str) -> String {
        format!("{}{pk}/", self.path)
    }

    /// The code of a permission on stages of this kind.
    pub fn code(&self, verb: &str) -> String {
        format!("{}.{verb}_{}", self.app_label, self.model)
    }

    /// A stage that is bound to nothing, with what all kinds show.
    pub fn base(&self, pk: &str, name: &str) -> Value {
        json!({
            "pk": pk, "name": name, "component": self.component, "verbose_name": self.verbose_name,
            "verbose_name_plural": format!("{}s", self.verbose_name),
            "meta_model_name": format!("{}.{}", self.app_label, self.model), "flow_set": [],
        })
    }
}
