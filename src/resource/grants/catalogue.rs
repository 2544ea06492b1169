//! The permissions there are: four verbs for each model that we serve, and further codes
//! (contract: authentik-rbac §1.1). Models join the list with their family.

/// A model and the codes beyond `view_`, `add_`, `change_`, `delete_`.
struct Model {
    app_label: &'static str,
    name: &'static str,
    further: &'static [&'static str],
}

const fn model(app_label: &'static str, name: &'static str, further: &'static [&'static str]) -> Model {
    Model { app_label, name, further }
}

const CORE: &str = "authentik_core";
const RBAC: &str = "authentik_rbac";
const VERBS: [&str; 4] = ["view", "add", "change", "delete"];

static MODELS: &[Model] = &[
    model(
        CORE,
        "user",
        &[
            "reset_user_password",
            "impersonate",
            "assign_user_permissions",
            "unassign_user_permissions",
            "preview_user",
            "view_user_applications",
        ],
    ),
    model(CORE, "group", &["add_user_to_group", "remove_user_from_group"]),
    model(CORE, "token", &["view_token_key"]),
    model(RBAC, "role", &["assign_role_permissions", "unassign_role_permissions"]),
    model("authentik_events", "event", &[]),
];

/// Codes of the model `systempermission`, which has no rows and none of the four verbs.
const SYSTEM: [&str; 4] =
    ["view_system_info", "access_admin_interface", "view_system_settings", "edit_system_settings"];

/// Whether `app_label.codename` is a permission.
#[must_use]
pub fn is_known(permission: &str) -> bool {
    let Some((label, codename)) = permission.split_once('.') else { return false };
    let of_model = |m: &Model| {
        m.app_label == label
            && (m.further.contains(&codename)
                || codename.split_once('_').is_some_and(|(verb, name)| name == m.name && VERBS.contains(&verb)))
    };
    MODELS.iter().any(of_model) || (label == RBAC && SYSTEM.contains(&codename))
}

/// Every permission on rows of one model.
#[must_use]
pub fn of_model(app_label: &str, name: &str) -> Vec<String> {
    let mine = |m: &&Model| m.app_label == app_label && m.name == name;
    let codes = |m: &Model| {
        let verbs = VERBS.iter().map(|verb| format!("{app_label}.{verb}_{name}"));
        verbs.chain(m.further.iter().map(|code| format!("{app_label}.{code}"))).collect::<Vec<_>>()
    };
    MODELS.iter().find(mine).map(codes).unwrap_or_default()
}

/// Every `view_` permission: what the shipped role `authentik Read-only` holds.
#[must_use]
pub fn views() -> Vec<String> {
    MODELS.iter().map(|m| format!("{}.view_{}", m.app_label, m.name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_and_unknown_permissions() {
        for known in
            ["authentik_core.view_user", "authentik_core.view_token_key", "authentik_rbac.edit_system_settings"]
        {
            assert!(is_known(known), "{known}");
        }
        for unknown in
            ["authentik_core.set_token_key", "view_user", "authentik_core.fly_user", "x.view_user", "a.b.c", ""]
        {
            assert!(!is_known(unknown), "{unknown}");
        }
    }
}
