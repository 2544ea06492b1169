//! The permissions there are (contract: authentik-rbac §1.1, §3).

use super::{Target, UNKNOWN, globally, on};
use crate::harness::{Server, tests};
use http::Method;
use serde_json::{Value, json};

tests![
    every_permission_is_listed,
    order_is_by_code_point,
    filters,
    search,
    of_a_role,
    of_an_account,
    retrieve,
    superusers_only,
    nothing_is_written,
];

const PATH: &str = "/rbac/permissions/";

/// Label, model, code and name of what a server of these families lists, in the order of names.
const EXPECTED: [(&str, &str, &str, &str); 149] = [
    ("authentik_core", "group", "add_user_to_group", "Add user to group"),
    ("authentik_rbac", "systempermission", "access_admin_interface", "Can access admin interface"),
    ("authentik_core", "application", "add_application", "Can add Application"),
    ("authentik_core", "authenticatedsession", "add_authenticatedsession", "Can add Authenticated Session"),
    ("authentik_brands", "brand", "add_brand", "Can add Brand"),
    ("authentik_stages_consent", "consentstage", "add_consentstage", "Can add Consent Stage"),
    ("authentik_stages_deny", "denystage", "add_denystage", "Can add Deny Stage"),
    ("authentik_policies_dummy", "dummypolicy", "add_dummypolicy", "Can add Dummy Policy"),
    ("authentik_stages_dummy", "dummystage", "add_dummystage", "Can add Dummy Stage"),
    ("authentik_stages_email", "emailstage", "add_emailstage", "Can add Email Stage"),
    ("authentik_events", "event", "add_event", "Can add Event"),
    (
        "authentik_policies_event_matcher",
        "eventmatcherpolicy",
        "add_eventmatcherpolicy",
        "Can add Event Matcher Policy",
    ),
    ("authentik_policies_expression", "expressionpolicy", "add_expressionpolicy", "Can add Expression Policy"),
    ("authentik_flows", "flow", "add_flow", "Can add Flow"),
    ("authentik_flows", "flowstagebinding", "add_flowstagebinding", "Can add Flow Stage Binding"),
    ("authentik_core", "group", "add_group", "Can add Group"),
    (
        "authentik_stages_identification",
        "identificationstage",
        "add_identificationstage",
        "Can add Identification Stage",
    ),
    ("authentik_policies_expiry", "passwordexpirypolicy", "add_passwordexpirypolicy", "Can add Password Expiry Policy"),
    ("authentik_policies_password", "passwordpolicy", "add_passwordpolicy", "Can add Password Policy"),
    ("authentik_stages_password", "passwordstage", "add_passwordstage", "Can add Password Stage"),
    ("authentik_policies", "policy", "add_policy", "Can add Policy"),
    ("authentik_policies", "policybinding", "add_policybinding", "Can add Policy Binding"),
    ("authentik_policies", "policybindingmodel", "add_policybindingmodel", "Can add Policy Binding Model"),
    ("authentik_stages_prompt", "prompt", "add_prompt", "Can add Prompt"),
    ("authentik_stages_prompt", "promptstage", "add_promptstage", "Can add Prompt Stage"),
    ("authentik_policies_reputation", "reputationpolicy", "add_reputationpolicy", "Can add Reputation Policy"),
    ("authentik_policies_reputation", "reputation", "add_reputation", "Can add Reputation Score"),
    ("authentik_rbac", "role", "add_role", "Can add Role"),
    ("authentik_core", "token", "add_token", "Can add Token"),
    ("authentik_core", "user", "add_user", "Can add User"),
    ("authentik_stages_user_login", "userloginstage", "add_userloginstage", "Can add User Login Stage"),
    ("authentik_stages_user_logout", "userlogoutstage", "add_userlogoutstage", "Can add User Logout Stage"),
    ("authentik_stages_user_write", "userwritestage", "add_userwritestage", "Can add User Write Stage"),
    ("authentik_flows", "stage", "add_stage", "Can add stage"),
    ("authentik_core", "user", "assign_user_permissions", "Can assign permissions to users"),
    ("authentik_rbac", "role", "assign_role_permissions", "Can assign permissions to users"),
    ("authentik_core", "application", "change_application", "Can change Application"),
    ("authentik_core", "authenticatedsession", "change_authenticatedsession", "Can change Authenticated Session"),
    ("authentik_brands", "brand", "change_brand", "Can change Brand"),
    ("authentik_stages_consent", "consentstage", "change_consentstage", "Can change Consent Stage"),
    ("authentik_stages_deny", "denystage", "change_denystage", "Can change Deny Stage"),
    ("authentik_policies_dummy", "dummypolicy", "change_dummypolicy", "Can change Dummy Policy"),
    ("authentik_stages_dummy", "dummystage", "change_dummystage", "Can change Dummy Stage"),
    ("authentik_stages_email", "emailstage", "change_emailstage", "Can change Email Stage"),
    ("authentik_events", "event", "change_event", "Can change Event"),
    (
        "authentik_policies_event_matcher",
        "eventmatcherpolicy",
        "change_eventmatcherpolicy",
        "Can change Event Matcher Policy",
    ),
    ("authentik_policies_expression", "expressionpolicy", "change_expressionpolicy", "Can change Expression Policy"),
    ("authentik_flows", "flow", "change_flow", "Can change Flow"),
    ("authentik_flows", "flowstagebinding", "change_flowstagebinding", "Can change Flow Stage Binding"),
    ("authentik_core", "group", "change_group", "Can change Group"),
    (
        "authentik_stages_identification",
        "identificationstage",
        "change_identificationstage",
        "Can change Identification Stage",
    ),
    (
        "authentik_policies_expiry",
        "passwordexpirypolicy",
        "change_passwordexpirypolicy",
        "Can change Password Expiry Policy",
    ),
    ("authentik_policies_password", "passwordpolicy", "change_passwordpolicy", "Can change Password Policy"),
    ("authentik_stages_password", "passwordstage", "change_passwordstage", "Can change Password Stage"),
    ("authentik_policies", "policy", "change_policy", "Can change Policy"),
    ("authentik_policies", "policybinding", "change_policybinding", "Can change Policy Binding"),
    ("authentik_policies", "policybindingmodel", "change_policybindingmodel", "Can change Policy Binding Model"),
    ("authentik_stages_prompt", "prompt", "change_prompt", "Can change Prompt"),
    ("authentik_stages_prompt", "promptstage", "change_promptstage", "Can change Prompt Stage"),
    ("authentik_policies_reputation", "reputationpolicy", "change_reputationpolicy", "Can change Reputation Policy"),
    ("authentik_policies_reputation", "reputation", "change_reputation", "Can change Reputation Score"),
    ("authentik_rbac", "role", "change_role", "Can change Role"),
    ("authentik_core", "token", "change_token", "Can change Token"),
    ("authentik_core", "user", "change_user", "Can change User"),
    ("authentik_stages_user_login", "userloginstage", "change_userloginstage", "Can change User Login Stage"),
    ("authentik_stages_user_logout", "userlogoutstage", "change_userlogoutstage", "Can change User Logout Stage"),
    ("authentik_stages_user_write", "userwritestage", "change_userwritestage", "Can change User Write Stage"),
    ("authentik_flows", "stage", "change_stage", "Can change stage"),
    ("authentik_core", "application", "delete_application", "Can delete Application"),
    ("authentik_core", "authenticatedsession", "delete_authenticatedsession", "Can delete Authenticated Session"),
    ("authentik_brands", "brand", "delete_brand", "Can delete Brand"),
    ("authentik_stages_consent", "consentstage", "delete_consentstage", "Can delete Consent Stage"),
    ("authentik_stages_deny", "denystage", "delete_denystage", "Can delete Deny Stage"),
    ("authentik_policies_dummy", "dummypolicy", "delete_dummypolicy", "Can delete Dummy Policy"),
    ("authentik_stages_dummy", "dummystage", "delete_dummystage", "Can delete Dummy Stage"),
    ("authentik_stages_email", "emailstage", "delete_emailstage", "Can delete Email Stage"),
    ("authentik_events", "event", "delete_event", "Can delete Event"),
    (
        "authentik_policies_event_matcher",
        "eventmatcherpolicy",
        "delete_eventmatcherpolicy",
        "Can delete Event Matcher Policy",
    ),
    ("authentik_policies_expression", "expressionpolicy", "delete_expressionpolicy", "Can delete Expression Policy"),
    ("authentik_flows", "flow", "delete_flow", "Can delete Flow"),
    ("authentik_flows", "flowstagebinding", "delete_flowstagebinding", "Can delete Flow Stage Binding"),
    ("authentik_core", "group", "delete_group", "Can delete Group"),
    (
        "authentik_stages_identification",
        "identificationstage",
        "delete_identificationstage",
        "Can delete Identification Stage",
    ),
    (
        "authentik_policies_expiry",
        "passwordexpirypolicy",
        "delete_passwordexpirypolicy",
        "Can delete Password Expiry Policy",
    ),
    ("authentik_policies_password", "passwordpolicy", "delete_passwordpolicy", "Can delete Password Policy"),
    ("authentik_stages_password", "passwordstage", "delete_passwordstage", "Can delete Password Stage"),
    ("authentik_policies", "policy", "delete_policy", "Can delete Policy"),
    ("authentik_policies", "policybinding", "delete_policybinding", "Can delete Policy Binding"),
    ("authentik_policies", "policybindingmodel", "delete_policybindingmodel", "Can delete Policy Binding Model"),
    ("authentik_stages_prompt", "prompt", "delete_prompt", "Can delete Prompt"),
    ("authentik_stages_prompt", "promptstage", "delete_promptstage", "Can delete Prompt Stage"),
    ("authentik_policies_reputation", "reputationpolicy", "delete_reputationpolicy", "Can delete Reputation Policy"),
    ("authentik_policies_reputation", "reputation", "delete_reputation", "Can delete Reputation Score"),
    ("authentik_rbac", "role", "delete_role", "Can delete Role"),
    ("authentik_core", "token", "delete_token", "Can delete Token"),
    ("authentik_core", "user", "delete_user", "Can delete User"),
    ("authentik_stages_user_login", "userloginstage", "delete_userloginstage", "Can delete User Login Stage"),
    ("authentik_stages_user_logout", "userlogoutstage", "delete_userlogoutstage", "Can delete User Logout Stage"),
    ("authentik_stages_user_write", "userwritestage", "delete_userwritestage", "Can delete User Write Stage"),
    ("authentik_flows", "stage", "delete_stage", "Can delete stage"),
    ("authentik_rbac", "systempermission", "edit_system_settings", "Can edit system settings"),
    ("authentik_flows", "flow", "export_flow", "Can export a Flow"),
    ("authentik_core", "user", "impersonate", "Can impersonate other users"),
    ("authentik_flows", "flow", "inspect_flow", "Can inspect a Flow's execution"),
    ("authentik_core", "user", "preview_user", "Can preview user data sent to providers"),
    ("authentik_core", "user", "unassign_user_permissions", "Can unassign permissions from users"),
    ("authentik_rbac", "role", "unassign_role_permissions", "Can unassign permissions from users"),
    ("authentik_core", "application", "view_application", "Can view Application"),
    ("authentik_core", "authenticatedsession", "view_authenticatedsession", "Can view Authenticated Session"),
    ("authentik_brands", "brand", "view_brand", "Can view Brand"),
    ("authentik_stages_consent", "consentstage", "view_consentstage", "Can view Consent Stage"),
    ("authentik_stages_deny", "denystage", "view_denystage", "Can view Deny Stage"),
    ("authentik_policies_dummy", "dummypolicy", "view_dummypolicy", "Can view Dummy Policy"),
    ("authentik_stages_dummy", "dummystage", "view_dummystage", "Can view Dummy Stage"),
    ("authentik_stages_email", "emailstage", "view_emailstage", "Can view Email Stage"),
    ("authentik_events", "event", "view_event", "Can view Event"),
    (
        "authentik_policies_event_matcher",
        "eventmatcherpolicy",
        "view_eventmatcherpolicy",
        "Can view Event Matcher Policy",
    ),
    ("authentik_policies_expression", "expressionpolicy", "view_expressionpolicy", "Can view Expression Policy"),
    ("authentik_flows", "flow", "view_flow", "Can view Flow"),
    ("authentik_flows", "flowstagebinding", "view_flowstagebinding", "Can view Flow Stage Binding"),
    ("authentik_core", "group", "view_group", "Can view Group"),
    (
        "authentik_stages_identification",
        "identificationstage",
        "view_identificationstage",
        "Can view Identification Stage",
    ),
    (
        "authentik_policies_expiry",
        "passwordexpirypolicy",
        "view_passwordexpirypolicy",
        "Can view Password Expiry Policy",
    ),
    ("authentik_policies_password", "passwordpolicy", "view_passwordpolicy", "Can view Password Policy"),
    ("authentik_stages_password", "passwordstage", "view_passwordstage", "Can view Password Stage"),
    ("authentik_policies", "policy", "view_policy", "Can view Policy"),
    ("authentik_policies", "policybinding", "view_policybinding", "Can view Policy Binding"),
    ("authentik_policies", "policybindingmodel", "view_policybindingmodel", "Can view Policy Binding Model"),
    ("authentik_stages_prompt", "prompt", "view_prompt", "Can view Prompt"),
    ("authentik_stages_prompt", "promptstage", "view_promptstage", "Can view Prompt Stage"),
    ("authentik_policies_reputation", "reputationpolicy", "view_reputationpolicy", "Can view Reputation Policy"),
    ("authentik_policies_reputation", "reputation", "view_reputation", "Can view Reputation Score"),
    ("authentik_rbac", "role", "view_role", "Can view Role"),
    ("authentik_core", "token", "view_token", "Can view Token"),
    ("authentik_core", "user", "view_user", "Can view User"),
    ("authentik_stages_user_login", "userloginstage", "view_userloginstage", "Can view User Login Stage"),
    ("authentik_stages_user_logout", "userlogoutstage", "view_userlogoutstage", "Can view User Logout Stage"),
    ("authentik_stages_user_write", "userwritestage", "view_userwritestage", "Can view User Write Stage"),
    ("authentik_flows", "stage", "view_stage", "Can view stage"),
    ("authentik_rbac", "systempermission", "view_system_info", "Can view system info"),
    ("authentik_rbac", "systempermission", "view_system_settings", "Can view system settings"),
    ("authentik_flows", "flow", "clear_flow_cache", "Clear Flow's cache metrics"),
    ("authentik_policies", "policy", "clear_policy_cache", "Clear Policy's cache metrics"),
    ("authentik_core", "group", "remove_user_from_group", "Remove user from group"),
    ("authentik_core", "user", "reset_user_password", "Reset Password"),
    ("authentik_flows", "flow", "view_flow_cache", "View Flow's cache metrics"),
    ("authentik_policies", "policy", "view_policy_cache", "View Policy's cache metrics"),
    ("authentik_core", "user", "view_user_applications", "View applications the user has access to"),
    ("authentik_core", "token", "view_token_key", "View token's key"),
];

/// The path of a listing, all of it on one page unless the query says otherwise.
fn path(query: &str) -> String {
    if query.contains("page") {
        return format!("{PATH}{query}");
    }
    let sign = if query.is_empty() { '?' } else { '&' };
    format!("{PATH}{query}{sign}page_size=1000")
}

async fn listed(server: &Server, query: &str) -> Vec<String> {
    server.admin().get(&path(query)).await.expect_list("codename")
}

async fn every_permission_is_listed(server: &Server) {
    let page = server.admin().get(&path("")).await.expect(200);
    let items = page["results"].as_array().expect("a list");
    assert_eq!(page["pagination"]["count"], EXPECTED.len());
    let key = |item: &Value| ["app_label", "model", "codename", "name"].map(|field| super::text(&item[field]));
    let mut got: Vec<_> = items.iter().map(key).collect();
    let mut expected: Vec<_> =
        EXPECTED.iter().map(|(a, m, c, n)| [a, m, c, n].map(|text| (*text).to_owned())).collect();
    got.sort_unstable();
    expected.sort_unstable();
    assert_eq!(got, expected);
    let verbose = |code: &str| {
        let item = items.iter().find(|item| item["codename"] == code).expect("listed");
        (super::text(&item["app_label_verbose"]), super::text(&item["model_verbose"]))
    };
    assert_eq!(verbose("view_user"), ("authentik Core".into(), "User".into()));
    assert_eq!(verbose("view_system_info"), ("authentik RBAC".into(), "System permission".into()));
    assert_eq!(verbose("view_event"), ("authentik Events".into(), "Event".into()));
    for (code, app, model) in [
        ("view_application", "authentik Core", "Application"),
        ("clear_policy_cache", "authentik Policies", "Policy"),
        ("view_policybinding", "authentik Policies", "Policy Binding"),
        ("view_policybindingmodel", "authentik Policies", "Policy Binding Model"),
        ("view_dummypolicy", "authentik Policies.Dummy", "Dummy Policy"),
        ("view_eventmatcherpolicy", "authentik Policies.Event Matcher", "Event Matcher Policy"),
        ("view_passwordexpirypolicy", "authentik Policies.Expiry", "Password Expiry Policy"),
        ("view_expressionpolicy", "authentik Policies.Expression", "Expression Policy"),
        ("view_passwordpolicy", "authentik Policies.Password", "Password Policy"),
        ("view_reputationpolicy", "authentik Policies.Reputation", "Reputation Policy"),
        ("view_reputation", "authentik Policies.Reputation", "Reputation Score"),
    ] {
        assert_eq!(verbose(code), (app.into(), model.into()));
    }
    assert!(!listed(server, "").await.iter().any(|code| code == "set_token_key"), "there is no such permission");
}

async fn order_is_by_code_point(server: &Server) {
    let names = async |query: &str| server.admin().get(&path(query)).await.expect_list("name");
    let expected: Vec<&str> = EXPECTED.iter().map(|(.., name)| *name).collect();
    assert_eq!(names("").await, expected);
    assert_eq!(names("?ordering=nonsense,model").await, expected);
    let reversed: Vec<&str> = expected.iter().rev().copied().collect();
    assert_eq!(names("?ordering=-name").await, reversed);
    let codes = listed(server, "?ordering=codename").await;
    assert!(codes.is_sorted() && codes.len() == EXPECTED.len(), "{codes:?}");
    let numbers = async |query: &str| {
        let texts = server.admin().get(&path(query)).await.expect_list("id");
        texts.iter().map(|text| text.parse().expect("a number")).collect::<Vec<i64>>()
    };
    let up = numbers("?ordering=id").await;
    assert!(up.is_sorted() && up.len() == EXPECTED.len(), "{up:?}");
    let down: Vec<i64> = up.into_iter().rev().collect();
    assert_eq!(numbers("?ordering=-id").await, down);
}

async fn filters(server: &Server) {
    assert_eq!(listed(server, "?codename=view_user").await, ["view_user"]);
    for nothing in
        ["?codename=VIEW_USER", "?codename=view", "?content_type__model=User", "?content_type__app_label=core"]
    {
        assert_eq!(listed(server, nothing).await, Vec::<String>::new(), "{nothing}");
    }
    let of_events = ["add_event", "change_event", "delete_event", "view_event"];
    assert_eq!(listed(server, "?content_type__app_label=authentik_events").await, of_events);
    assert_eq!(listed(server, "?content_type__model=event").await, of_events);
    assert_eq!(listed(server, "?content_type__model=event&content_type__app_label=authentik_core").await.len(), 0);
    assert_eq!(listed(server, "?codename=view_user&content_type__model=user").await, ["view_user"]);
    let of_scores = ["add_reputation", "change_reputation", "delete_reputation", "view_reputation"];
    assert_eq!(listed(server, "?content_type__model=reputation").await, of_scores);
    assert_eq!(listed(server, "?content_type__app_label=authentik_policies_reputation").await.len(), 8);
    assert_eq!(listed(server, "?content_type__app_label=authentik_policies").await.len(), 14);
    assert_eq!(listed(server, "?codename=&content_type__model=&role=&user=&search=").await.len(), EXPECTED.len());
    assert_eq!(
        listed(server, "?page_size=2&page=2&ordering=codename").await,
        ["add_authenticatedsession", "add_brand"]
    );
    server.admin().get(&format!("{PATH}?page=99")).await.expect_detail(404, "Invalid page.");
}

async fn search(server: &Server) {
    assert_eq!(listed(server, "?search=EVENTS").await.len(), 4);
    assert_eq!(listed(server, "?search=authentik_rbac,systempermission").await.len(), 4);
    assert_eq!(listed(server, "?search=token%20view").await, ["view_token", "view_token_key"]);
    assert_eq!(listed(server, "?search=matcher").await.len(), 4);
    let of_caches = ["clear_flow_cache", "clear_policy_cache", "view_flow_cache", "view_policy_cache"];
    assert_eq!(listed(server, "?search=cache").await, of_caches);
    // Names are for people, not for the search.
    assert_eq!(listed(server, "?search=reset").await, ["reset_user_password"]);
    assert_eq!(listed(server, "?search=metrics").await, Vec::<String>::new());
    assert_eq!(listed(server, "?search=Can").await, Vec::<String>::new());
}

async fn of_a_role(server: &Server) {
    let admin = server.admin();
    let group = server.group("g", json!({})).await;
    let role = server.role("role", &["authentik_core.view_user", "authentik_events.add_event"]).await.to_string();
    let target = Target::Role(role.clone());
    admin.post(&target.assign(), &on("authentik_core.group", &group, &["view_group"])).await.expect(200);
    // What it holds on one object is not what it holds.
    assert_eq!(listed(server, &format!("?role={role}")).await, ["add_event", "view_user"]);
    assert_eq!(listed(server, &format!("?role={role}&content_type__model=user")).await, ["view_user"]);
    assert_eq!(listed(server, &format!("?role={}", role.replace('-', "").to_uppercase())).await.len(), 2);
    let choice = json!({"role": ["Select a valid choice. That choice is not one of the available choices."]});
    admin.get(&format!("{PATH}?role={UNKNOWN}")).await.expect_faults(choice);
    admin.get(&format!("{PATH}?role=bad")).await.expect_faults(json!({"role": ["“bad” is not a valid UUID."]}));
}

async fn of_an_account(server: &Server) {
    let admin = server.admin();
    let carried = server.role("role", &["authentik_core.view_token"]).await.to_string();
    let group = server.group("g", json!({"roles": [carried]})).await;
    let ann = server.person_with("ann", json!({"groups": [group]})).await;
    let target = Target::User(ann.pk);
    admin.post(&target.assign(), &on("authentik_core.group", &group, &["view_group"])).await.expect(200);
    admin.post(&target.assign(), &globally(&["authentik_core.add_user"])).await.expect(200);
    // Only its own, only global ones.
    assert_eq!(listed(server, &format!("?user={}", ann.pk)).await, ["add_user"]);
    assert_eq!(listed(server, &format!("?user={}&role={carried}", ann.pk)).await, Vec::<String>::new());
    let choice = json!({"user": ["Select a valid choice. That choice is not one of the available choices."]});
    for bad in ["999999", "bad", "-1", "1.5", "99999999999"] {
        admin.get(&format!("{PATH}?user={bad}")).await.expect_faults(choice.clone());
    }
}

async fn retrieve(server: &Server) {
    let admin = server.admin();
    let found = admin.get(&format!("{PATH}?codename=view_user")).await.expect(200)["results"][0].clone();
    let expected = json!({
        "id": found["id"], "name": "Can view User", "codename": "view_user", "model": "user",
        "app_label": "authentik_core", "app_label_verbose": "authentik Core", "model_verbose": "User",
    });
    assert_eq!(found, expected);
    admin.get(&format!("{PATH}{}/", found["id"])).await.expect_body(200, &expected);
    for unknown in ["999999", "bad", "-1", "99999999999"] {
        admin.get(&format!("{PATH}{unknown}/")).await.expect_missing();
    }
}

async fn superusers_only(server: &Server) {
    let codes = EXPECTED.map(|(label, _, code, _)| format!("{label}.{code}"));
    let ann = server.holder_of("ann", &codes.iter().map(String::as_str).collect::<Vec<_>>()).await;
    for path in [PATH.to_owned(), format!("{PATH}1/"), format!("{PATH}999999/"), format!("{PATH}?role=bad")] {
        ann.client.get(&path).await.expect_forbidden();
    }
    let admins = server.group("admins", json!({"is_superuser": true})).await;
    let below = server.group("below", json!({"parent": admins})).await;
    let chief = server.person_with("chief", json!({"groups": [below]})).await;
    chief.client.get(PATH).await.expect(200);
    chief.client.get(&format!("{PATH}1/")).await.expect(200);
}

async fn nothing_is_written(server: &Server) {
    let admin = server.admin();
    for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
        let text = format!("Method \"{method}\" not allowed.");
        for path in [PATH.to_owned(), format!("{PATH}1/")] {
            admin.request(method.clone(), &path).json(&json!({})).send().await.expect_detail(405, &text);
        }
    }
}
