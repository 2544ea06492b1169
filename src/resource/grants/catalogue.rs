//! The permissions there are: four verbs for each model that we serve, and further codes
//! (contract: authentik-rbac §1.1). Models join the list with their family.

use std::sync::LazyLock;

/// What the primary keys of a model are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    Integer,
    Uuid,
    /// The model has no rows.
    None,
}

/// A model that permissions are about.
#[derive(Debug)]
pub struct Model {
    pub app_label: &'static str,
    pub app_label_verbose: &'static str,
    pub name: &'static str,
    pub verbose: &'static str,
    pub key: Key,
    /// Number of its first permission; the others follow. Clients may keep numbers, so they never change.
    first: i32,
    verbs: &'static [&'static str],
    /// Codes beyond the verbs, with their names.
    further: &'static [(&'static str, &'static str)],
}

/// One permission.
#[derive(Debug)]
pub struct Permission {
    pub id: i32,
    pub codename: String,
    /// For people.
    pub name: String,
    pub model: &'static Model,
}

impl Permission {
    /// `app_label.codename`
    #[must_use]
    pub fn code(&self) -> String {
        format!("{}.{}", self.model.app_label, self.codename)
    }
}

const VERBS: &[&str] = &["view", "add", "change", "delete"];
const CORE: (&str, &str) = ("authentik_core", "authentik Core");
const RBAC: (&str, &str) = ("authentik_rbac", "authentik RBAC");
const EVENTS: (&str, &str) = ("authentik_events", "authentik Events");
const POLICIES: (&str, &str) = ("authentik_policies", "authentik Policies");
const FLOWS: (&str, &str) = ("authentik_flows", "authentik Flows");
const STAGES_PROMPT: (&str, &str) = ("authentik_stages_prompt", "authentik Stages.Prompt");
const REPUTATION: (&str, &str) = ("authentik_policies_reputation", "authentik Policies.Reputation");

const fn model(
    (app_label, app_label_verbose): (&'static str, &'static str),
    (name, verbose): (&'static str, &'static str),
    key: Key,
    first: i32,
    further: &'static [(&'static str, &'static str)],
) -> Model {
    let verbs = if matches!(key, Key::None) { &[] } else { VERBS };
    Model { app_label, app_label_verbose, name, verbose, key, first, verbs, further }
}

static MODELS: [Model; 33] = [
    model(
        CORE,
        ("user", "User"),
        Key::Integer,
        1,
        &[
            ("reset_user_password", "Reset Password"),
            ("impersonate", "Can impersonate other users"),
            ("assign_user_permissions", "Can assign permissions to users"),
            ("unassign_user_permissions", "Can unassign permissions from users"),
            ("preview_user", "Can preview user data sent to providers"),
            ("view_user_applications", "View applications the user has access to"),
        ],
    ),
    model(
        CORE,
        ("group", "Group"),
        Key::Uuid,
        21,
        &[("add_user_to_group", "Add user to group"), ("remove_user_from_group", "Remove user from group")],
    ),
    model(CORE, ("token", "Token"), Key::Uuid, 41, &[("view_token_key", "View token's key")]),
    model(
        RBAC,
        ("role", "Role"),
        Key::Uuid,
        61,
        &[
            ("assign_role_permissions", "Can assign permissions to users"),
            ("unassign_role_permissions", "Can unassign permissions from users"),
        ],
    ),
    model(
        RBAC,
        ("systempermission", "System permission"),
        Key::None,
        81,
        &[
            ("view_system_info", "Can view system info"),
            ("access_admin_interface", "Can access admin interface"),
            ("view_system_settings", "Can view system settings"),
            ("edit_system_settings", "Can edit system settings"),
        ],
    ),
    model(EVENTS, ("event", "Event"), Key::Uuid, 101, &[]),
    model(CORE, ("application", "Application"), Key::Uuid, 121, &[]),
    model(
        POLICIES,
        ("policy", "Policy"),
        Key::Uuid,
        141,
        &[("view_policy_cache", "View Policy's cache metrics"), ("clear_policy_cache", "Clear Policy's cache metrics")],
    ),
    model(POLICIES, ("policybinding", "Policy Binding"), Key::Uuid, 161, &[]),
    model(POLICIES, ("policybindingmodel", "Policy Binding Model"), Key::Uuid, 181, &[]),
    model(
        ("authentik_policies_dummy", "authentik Policies.Dummy"),
        ("dummypolicy", "Dummy Policy"),
        Key::Uuid,
        201,
        &[],
    ),
    model(
        ("authentik_policies_event_matcher", "authentik Policies.Event Matcher"),
        ("eventmatcherpolicy", "Event Matcher Policy"),
        Key::Uuid,
        221,
        &[],
    ),
    model(
        ("authentik_policies_expiry", "authentik Policies.Expiry"),
        ("passwordexpirypolicy", "Password Expiry Policy"),
        Key::Uuid,
        241,
        &[],
    ),
    model(
        ("authentik_policies_expression", "authentik Policies.Expression"),
        ("expressionpolicy", "Expression Policy"),
        Key::Uuid,
        261,
        &[],
    ),
    model(
        ("authentik_policies_password", "authentik Policies.Password"),
        ("passwordpolicy", "Password Policy"),
        Key::Uuid,
        281,
        &[],
    ),
    model(REPUTATION, ("reputationpolicy", "Reputation Policy"), Key::Uuid, 301, &[]),
    model(REPUTATION, ("reputation", "Reputation Score"), Key::Uuid, 321, &[]),
    model(FLOWS, ("stage", "stage"), Key::Uuid, 341, &[]),
    model(
        ("authentik_stages_identification", "authentik Stages.Identification"),
        ("identificationstage", "Identification Stage"),
        Key::Uuid,
        349,
        &[],
    ),
    model(
        ("authentik_stages_password", "authentik Stages.Password"),
        ("passwordstage", "Password Stage"),
        Key::Uuid,
        357,
        &[],
    ),
    model(STAGES_PROMPT, ("promptstage", "Prompt Stage"), Key::Uuid, 365, &[]),
    model(STAGES_PROMPT, ("prompt", "Prompt"), Key::Uuid, 373, &[]),
    model(
        ("authentik_stages_user_write", "authentik Stages.User Write"),
        ("userwritestage", "User Write Stage"),
        Key::Uuid,
        381,
        &[],
    ),
    model(
        ("authentik_stages_user_login", "authentik Stages.User Login"),
        ("userloginstage", "User Login Stage"),
        Key::Uuid,
        389,
        &[],
    ),
    model(
        ("authentik_stages_user_logout", "authentik Stages.User Logout"),
        ("userlogoutstage", "User Logout Stage"),
        Key::Uuid,
        397,
        &[],
    ),
    model(
        ("authentik_stages_consent", "authentik Stages.Consent"),
        ("consentstage", "Consent Stage"),
        Key::Uuid,
        405,
        &[],
    ),
    model(("authentik_stages_deny", "authentik Stages.Deny"), ("denystage", "Deny Stage"), Key::Uuid, 413, &[]),
    model(("authentik_stages_dummy", "authentik Stages.Dummy"), ("dummystage", "Dummy Stage"), Key::Uuid, 421, &[]),
    model(("authentik_stages_email", "authentik Stages.Email"), ("emailstage", "Email Stage"), Key::Uuid, 429, &[]),
    model(
        FLOWS,
        ("flow", "Flow"),
        Key::Uuid,
        441,
        &[
            ("export_flow", "Can export a Flow"),
            ("inspect_flow", "Can inspect a Flow's execution"),
            ("view_flow_cache", "View Flow's cache metrics"),
            ("clear_flow_cache", "Clear Flow's cache metrics"),
        ],
    ),
    model(FLOWS, ("flowstagebinding", "Flow Stage Binding"), Key::Uuid, 461, &[]),
    model(("authentik_brands", "authentik Brands"), ("brand", "Brand"), Key::Uuid, 481, &[]),
    model(CORE, ("authenticatedsession", "Authenticated Session"), Key::Uuid, 501, &[]),
];

static PERMISSIONS: LazyLock<Vec<Permission>> = LazyLock::new(|| MODELS.iter().flat_map(permissions_of).collect());

fn permissions_of(model: &'static Model) -> impl Iterator<Item = Permission> {
    let verbs =
        model.verbs.iter().map(|verb| (format!("{verb}_{}", model.name), format!("Can {verb} {}", model.verbose)));
    let further = model.further.iter().map(|(code, name)| ((*code).to_owned(), (*name).to_owned()));
    (model.first..).zip(verbs.chain(further)).map(move |(id, (codename, name))| Permission {
        id,
        codename,
        name,
        model,
    })
}

/// Every permission.
#[must_use]
pub fn all() -> &'static [Permission] {
    &PERMISSIONS
}

#[must_use]
pub fn by_id(id: i32) -> Option<&'static Permission> {
    PERMISSIONS.iter().find(|p| p.id == id)
}

/// The permission `app_label.codename`.
#[must_use]
pub fn by_code(code: &str) -> Option<&'static Permission> {
    let (label, codename) = code.split_once('.')?;
    PERMISSIONS.iter().find(|p| p.model.app_label == label && p.codename == codename)
}

/// The model `app_label.name`, if permissions can be on its rows.
#[must_use]
pub fn model_by_name(name: &str) -> Option<&'static Model> {
    let (label, name) = name.split_once('.')?;
    MODELS.iter().find(|m| m.app_label == label && m.name == name && m.key != Key::None)
}

impl Model {
    pub fn permissions(&'static self) -> impl Iterator<Item = &'static Permission> {
        PERMISSIONS.iter().filter(move |p| std::ptr::eq(p.model, self))
    }

    /// Every permission on rows of this model, as codes.
    #[must_use]
    pub fn codes(&'static self) -> Vec<String> {
        self.permissions().map(Permission::code).collect()
    }
}

/// Every permission on rows of one model.
#[must_use]
pub fn of_model(app_label: &str, name: &str) -> Vec<String> {
    MODELS.iter().find(|m| m.app_label == app_label && m.name == name).map(Model::codes).unwrap_or_default()
}

/// Every `view_` permission: what the shipped role `authentik Read-only` holds.
#[must_use]
pub fn views() -> Vec<String> {
    let views = MODELS.iter().filter(|m| m.verbs.contains(&"view"));
    views.map(|m| format!("{}.view_{}", m.app_label, m.name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn known_and_unknown_permissions() {
        for known in
            ["authentik_core.view_user", "authentik_core.view_token_key", "authentik_rbac.edit_system_settings"]
        {
            assert!(by_code(known).is_some(), "{known}");
        }
        for unknown in
            ["authentik_core.set_token_key", "view_user", "authentik_core.fly_user", "x.view_user", "a.b.c", ""]
        {
            assert!(by_code(unknown).is_none(), "{unknown}");
        }
    }

    #[test]
    fn numbers_belong_to_one_permission_and_stay() {
        let numbers: BTreeSet<i32> = all().iter().map(|p| p.id).collect();
        assert_eq!(numbers.len(), all().len());
        for (code, id) in [
            ("authentik_core.view_user", 1),
            ("authentik_core.view_token_key", 45),
            ("authentik_events.delete_event", 104),
        ] {
            assert_eq!(by_code(code).map(|p| p.id), Some(id), "{code}");
        }
    }
}
