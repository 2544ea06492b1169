//! The kinds of policies, as the contract has them (authentik-core §5.2 and §5.5 to §5.7).

use serde_json::{Value, json};

/// One kind of policies.
pub struct Kind {
    pub path: &'static str,
    pub component: &'static str,
    pub verbose_name: &'static str,
    pub verbose_name_plural: &'static str,
    pub app_label: &'static str,
    pub model: &'static str,
    /// What a write needs beside the name.
    pub required: fn() -> Value,
    /// The kind's own fields after nothing else was said.
    pub defaults: fn() -> Value,
    /// Other values of them all.
    pub others: fn() -> Value,
}

/// The characters that are symbols unless others are named.
pub const SYMBOLS: &str = "!\\\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~ ";

pub const DUMMY: Kind = Kind {
    path: "/policies/dummy/",
    component: "ak-policy-dummy-form",
    verbose_name: "Dummy Policy",
    verbose_name_plural: "Dummy Policies",
    app_label: "authentik_policies_dummy",
    model: "dummypolicy",
    required: || json!({}),
    defaults: || json!({"result": false, "wait_min": 5, "wait_max": 30}),
    others: || json!({"result": true, "wait_min": 10, "wait_max": 200}),
};
pub const EVENT_MATCHER: Kind = Kind {
    path: "/policies/event_matcher/",
    component: "ak-policy-event-matcher-form",
    verbose_name: "Event Matcher Policy",
    verbose_name_plural: "Event Matcher Policies",
    app_label: "authentik_policies_event_matcher",
    model: "eventmatcherpolicy",
    required: || json!({}),
    defaults: || json!({"action": null, "client_ip": null, "app": null, "model": null}),
    others: || json!({"action": "login", "client_ip": "192.0.2.1", "app": "authentik.core", "model": "authentik_core.user"}),
};
pub const EXPIRY: Kind = Kind {
    path: "/policies/password_expiry/",
    component: "ak-policy-password-expiry-form",
    verbose_name: "Password Expiry Policy",
    verbose_name_plural: "Password Expiry Policies",
    app_label: "authentik_policies_expiry",
    model: "passwordexpirypolicy",
    required: || json!({"days": 9}),
    defaults: || json!({"days": 9, "deny_only": false}),
    others: || json!({"days": 30, "deny_only": true}),
};
pub const EXPRESSION: Kind = Kind {
    path: "/policies/expression/",
    component: "ak-policy-expression-form",
    verbose_name: "Expression Policy",
    verbose_name_plural: "Expression Policies",
    app_label: "authentik_policies_expression",
    model: "expressionpolicy",
    required: || json!({"expression": "return True"}),
    defaults: || json!({"expression": "return True"}),
    others: || json!({"expression": "x = 1\nreturn x == 2"}),
};
pub const PASSWORD: Kind = Kind {
    path: "/policies/password/",
    component: "ak-policy-password-form",
    verbose_name: "Password Policy",
    verbose_name_plural: "Password Policies",
    app_label: "authentik_policies_password",
    model: "passwordpolicy",
    required: || json!({}),
    defaults: || {
        json!({
            "password_field": "password", "amount_digits": 0, "amount_uppercase": 0, "amount_lowercase": 0,
            "amount_symbols": 0, "length_min": 0, "symbol_charset": SYMBOLS, "error_message": "",
            "check_static_rules": true, "check_have_i_been_pwned": false, "check_zxcvbn": false,
            "hibp_allowed_count": 0, "zxcvbn_score_threshold": 2,
        })
    },
    others: || {
        json!({
            "password_field": "new password", "amount_digits": 10, "amount_uppercase": 11, "amount_lowercase": 12,
            "amount_symbols": 13, "length_min": 14, "symbol_charset": "€§!!", "error_message": "too weak",
            "check_static_rules": false, "check_have_i_been_pwned": true, "check_zxcvbn": true,
            "hibp_allowed_count": 15, "zxcvbn_score_threshold": 10,
        })
    },
};
/// One of the two checks has to be asked for, whatever there is already.
pub const REPUTATION: Kind = Kind {
    path: "/policies/reputation/",
    component: "ak-policy-reputation-form",
    verbose_name: "Reputation Policy",
    verbose_name_plural: "Reputation Policies",
    app_label: "authentik_policies_reputation",
    model: "reputationpolicy",
    required: || json!({"check_username": true}),
    defaults: || json!({"check_ip": true, "check_username": true, "threshold": -5}),
    others: || json!({"check_ip": false, "check_username": true, "threshold": 7}),
};

/// Every kind, in the order of their names.
pub const KINDS: [&Kind; 6] = [&DUMMY, &EVENT_MATCHER, &EXPRESSION, &EXPIRY, &PASSWORD, &REPUTATION];

impl Kind {
    /// The path of one policy.
    pub fn one(&self, pk: &str) -> String {
        format!("{}{pk}/", self.path)
    }

    /// The code of a permission on policies of this kind.
    pub fn code(&self, verb: &str) -> String {
        format!("{}.{verb}_{}", self.app_label, self.model)
    }

    /// A policy that nothing is bound to, as it is shown.
    pub fn shown(&self, pk: &str, name: &str, execution_logging: bool, own: &Value) -> Value {
        let mut whole = json!({
            "pk": pk, "name": name, "execution_logging": execution_logging, "component": self.component,
            "verbose_name": self.verbose_name, "verbose_name_plural": self.verbose_name_plural,
            "meta_model_name": format!("{}.{}", self.app_label, self.model), "bound_to": 0,
        });
        whole.as_object_mut().expect("an object").extend(own.as_object().expect("an object").clone());
        whole
    }

    /// The fields of this kind with two values of each.
    pub fn fields(&self) -> Vec<(String, Value, Value)> {
        let (defaults, others) = ((self.defaults)(), (self.others)());
        let fields = defaults.as_object().expect("an object").iter();
        fields.map(|(name, value)| (name.clone(), value.clone(), others[name].clone())).collect()
    }
}
