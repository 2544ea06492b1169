//! Flows as administrators see them.

use super::{FLOWS, UNKNOWN, body, bound, flow, stage, text};
use crate::{
    bindings::{bind, dummy, shown},
    harness::{Server, tests},
};
use serde_json::json;

tests![
    created_and_shown,
    changed,
    refused,
    listed,
    policies_are_bound,
    gone_with_its_bindings,
    exported,
    backgrounds,
    rows_by_grant,
    executed,
    cache,
];

async fn created_and_shown(server: &Server) {
    let made = flow(server, "way").await;
    let expected = json!({
        "pk": made["pk"], "policybindingmodel_ptr_id": made["policybindingmodel_ptr_id"], "name": "way",
        "slug": "way", "title": "way", "designation": "authentication",
        "background": "/static/dist/assets/images/flow_background.jpg", "stages": [], "policies": [],
        "cache_count": 0, "policy_engine_mode": "any", "compatibility_mode": false,
        "export_url": "/api/v3/flows/instances/way/export/", "layout": "stacked",
        "denied_action": "message_continue", "authentication": "none",
    });
    assert_eq!(made, expected);
    assert_ne!(made["pk"], made["policybindingmodel_ptr_id"]);
    server.admin().get(&format!("{FLOWS}way/")).await.expect_body(200, &expected);
}

async fn changed(server: &Server) {
    let admin = server.admin();
    let mut expected = flow(server, "way").await;
    let path = format!("{FLOWS}way/");
    for (field, value) in [
        ("title", json!("Welcome, %(user)s")),
        ("policy_engine_mode", json!("all")),
        ("layout", json!("sidebar_left")),
        ("denied_action", json!("continue")),
        ("authentication", json!("require_superuser")),
        ("designation", json!("recovery")),
        ("compatibility_mode", json!(true)),
    ] {
        expected[field] = value.clone();
        admin.patch(&path, &json!({field: value})).await.expect_body(200, &expected);
    }
    let put = json!({"name": "n", "slug": "other", "title": "t", "designation": "enrollment"});
    let answer = admin.put(&path, &put).await.expect(200);
    assert_eq!(answer["layout"], "sidebar_left", "what is not said stays");
    assert_eq!(answer["export_url"], "/api/v3/flows/instances/other/export/");
    admin.get(&path).await.expect_missing();
}

async fn refused(server: &Server) {
    let admin = server.admin();
    flow(server, "way").await;
    flow(server, "other").await;
    let taken = json!({"slug": ["Flow with this slug already exists."]});
    admin.post(FLOWS, &body("way")).await.expect_faults(taken.clone());
    admin.patch(&format!("{FLOWS}other/"), &json!({"slug": "way"})).await.expect_faults(taken);
    let required = json!(["This field is required."]);
    let all = json!({"name": required, "slug": required, "title": required, "designation": required});
    admin.post(FLOWS, &json!({})).await.expect_faults(all.clone());
    admin.put(&format!("{FLOWS}other/"), &json!({})).await.expect_faults(all);
    let choice = json!({"designation": ["\"x\" is not a valid choice."]});
    admin.patch(&format!("{FLOWS}other/"), &json!({"designation": "x"})).await.expect_faults(choice);
    admin.post(&format!("{FLOWS}other/set_background_url/"), &json!({"url": "javascript:x"})).await.expect_empty(400);
    for action in ["", "used_by/", "export/", "execute/"] {
        admin.get(&format!("{FLOWS}nothing/{action}")).await.expect_missing();
    }
    admin.put(&format!("{FLOWS}nothing/"), &json!({})).await.expect_missing();
    admin.patch(&format!("{FLOWS}nothing/"), &json!({})).await.expect_missing();
    admin.delete(&format!("{FLOWS}nothing/")).await.expect_missing();
    admin.post(&format!("{FLOWS}nothing/set_background_url/"), &json!({})).await.expect_missing();
}

async fn listed(server: &Server) {
    let admin = server.admin();
    for slug in ["c", "a", "b"] {
        flow(server, &format!("zz-{slug}")).await;
    }
    let list = async |query: &str| admin.get(&format!("{FLOWS}?search=zz-&{query}")).await.expect_list("slug");
    assert_eq!(list("").await, ["zz-a", "zz-b", "zz-c"]);
    assert_eq!(list("ordering=-name").await, ["zz-c", "zz-b", "zz-a"]);
    assert_eq!(list("slug=zz-b").await, ["zz-b"]);
    assert_eq!(list("designation=recovery").await, Vec::<String>::new());
    assert_eq!(list("denied_action=message_continue&name=zz-a").await, ["zz-a"]);
    let fault = json!({"designation": ["Select a valid choice. x is not one of the available choices."]});
    admin.get(&format!("{FLOWS}?designation=x")).await.expect_faults(fault);
    let plain = server.person("ann").await.client;
    plain.get(FLOWS).await.expect_forbidden();
}

async fn policies_are_bound(server: &Server) {
    let made = flow(server, "way").await;
    let policy = dummy(server, "judge", true).await;
    // By its own key, and by that of its bindings.
    for (order, key) in [(0, &made["pk"]), (1, &made["policybindingmodel_ptr_id"])] {
        let binding = bind(server, &text(key), order, json!({"policy": policy})).await;
        assert_eq!(shown(&server.admin(), &binding).await["target"], made["pk"]);
    }
    let admin = server.admin();
    assert_eq!(admin.get(&format!("{FLOWS}way/")).await.expect(200)["policies"], json!([policy, policy]));
    let target = text(&made["policybindingmodel_ptr_id"]);
    let listed = admin.get(&format!("/policies/bindings/?target={target}")).await.expect_list("target");
    assert_eq!(listed, [text(&made["pk"]), text(&made["pk"])]);
    let fault = "Select a valid choice. That choice is not one of the available choices.";
    let own = admin.get(&format!("/policies/bindings/?target={}", text(&made["pk"]))).await;
    own.expect_faults(json!({"target": [fault]}));
}

async fn gone_with_its_bindings(server: &Server) {
    let admin = server.admin();
    let made = flow(server, "way").await;
    let (stage, policy) = (stage(server, "step").await, dummy(server, "judge", true).await);
    let binding = bound(server, &made, &stage, 0).await;
    for (order, target) in [(0, &made["pk"]), (1, &binding["pk"])] {
        bind(server, &text(target), order, json!({"policy": policy})).await;
    }
    let password = json!({
        "name": "pw", "backends": ["authentik.core.auth.InbuiltBackend"], "configure_flow": made["pk"],
    });
    let password = text(&admin.post("/stages/password/", &password).await.expect(201)["pk"]);
    let used = admin.get(&format!("{FLOWS}way/used_by/")).await.expect(200);
    let kinds: Vec<_> = used.as_array().expect("a list").iter().map(|used| text(&used["model_name"])).collect();
    assert_eq!(kinds, ["flowstagebinding", "passwordstage"]);
    admin.delete(&format!("{FLOWS}way/")).await.expect_empty(204);
    admin.get(&format!("{FLOWS}way/")).await.expect_missing();
    admin.get(&format!("/flows/bindings/{}/", text(&binding["pk"]))).await.expect_missing();
    admin.get(&format!("/stages/all/{stage}/")).await.expect(200);
    assert_eq!(admin.get(&format!("/policies/bindings/?policy={policy}")).await.expect_list("pk").len(), 0);
    let password = admin.get(&format!("/stages/password/{password}/")).await.expect(200);
    assert_eq!(password["configure_flow"], json!(null));
}

async fn exported(server: &Server) {
    let answer = server.admin().get(&format!("{FLOWS}default-user-settings-flow/export/")).await;
    answer.expect_status(200);
    assert_eq!(answer.header("content-type"), Some("application/yaml"));
    let disposition = answer.header("content-disposition").unwrap_or_default().to_owned();
    assert!(disposition.contains("default-user-settings-flow.yaml"), "{disposition}");
    let text = answer.text();
    assert!(text.starts_with("version: 1\n"), "{text}");
    for part in [
        "authentik_flows.flow\n",
        "authentik_flows.flowstagebinding",
        "authentik_stages_prompt.promptstage",
        "authentik_stages_user_write.userwritestage",
        "authentik_stages_prompt.prompt\n",
        "authentik_policies_expression.expressionpolicy",
        "Not allowed to change name.",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

async fn backgrounds(server: &Server) {
    let admin = server.admin();
    flow(server, "way").await;
    let set = |url: &str| json!({"url": url});
    let path = format!("{FLOWS}way/set_background_url/");
    for (url, shown) in [
        ("https://example.org/x.png", "https://example.org/x.png"),
        ("", "/static/dist/assets/images/flow_background.jpg"),
    ] {
        admin.post(&path, &set(url)).await.expect_body(200, &json!({}));
        assert_eq!(admin.get(&format!("{FLOWS}way/")).await.expect(200)["background"], shown);
    }
    admin.post(&path, &json!({})).await.expect_empty(400);
    let person = server.holder_of("ann", &["authentik_flows.view_flow", "authentik_flows.add_flow"]).await;
    person.client.post(&path, &set("/x")).await.expect_forbidden();
}

async fn rows_by_grant(server: &Server) {
    let (mine, _) = (flow(server, "mine").await, flow(server, "other").await);
    let person = server.person("ann").await;
    let key = text(&mine["pk"]);
    server.grant(person.holder(), "authentik_flows.view_flow", Some(&key)).await;
    server.grant(person.holder(), "authentik_flows.change_flow", Some(&key)).await;
    assert_eq!(person.client.get(FLOWS).await.expect_list("slug"), ["mine"]);
    person.client.patch(&format!("{FLOWS}mine/"), &json!({"name": "x"})).await.expect(200);
    person.client.patch(&format!("{FLOWS}other/"), &json!({"name": "x"})).await.expect_missing();
    person.client.delete(&format!("{FLOWS}mine/")).await.expect_forbidden();
    person.client.put(&format!("{FLOWS}mine/"), &body("mine")).await.expect(200);
    person.client.post(FLOWS, &body("new")).await.expect_forbidden();
    person.client.get(&format!("{FLOWS}mine/used_by/")).await.expect(200);
    person.client.get(&format!("{FLOWS}mine/export/")).await.expect_forbidden();
    let nobody = server.person("bob").await.client;
    for action in ["", "used_by/", "execute/"] {
        nobody.get(&format!("{FLOWS}mine/{action}")).await.expect_forbidden();
    }
    for method in [http::Method::PUT, http::Method::PATCH] {
        nobody.request(method, &format!("{FLOWS}mine/")).json(&json!({})).send().await.expect_forbidden();
    }
    let unknown = admin_role(server, &key).await;
    assert_ne!(unknown, UNKNOWN);
}

/// A permission on a flow is given over the API under its key.
async fn admin_role(server: &Server, key: &str) -> String {
    let role = server.role("readers", &[]).await;
    let body = json!({"permissions": ["export_flow"], "model": "authentik_flows.flow", "object_pk": key});
    let path = format!("/rbac/permissions/assigned_by_roles/{role}/assign/");
    text(&server.admin().post(&path, &body).await.expect(200)[0]["id"])
}

async fn executed(server: &Server) {
    let browser = server.browser(1).await;
    let path = format!("{FLOWS}default-invalidation-flow/execute/");
    let link = text(&browser.get(&path).await.expect(200)["link"]);
    assert_eq!(link, format!("http://{}/if/flow/default-invalidation-flow/", server.address()));
    // Nobody may enter this one who has signed in.
    let refused = browser.get(&format!("{FLOWS}default-source-authentication/execute/")).await;
    refused.expect_faults(json!({"non_field_errors": ["Flow does not apply to current user."]}));
    server.admin().get(&path).await.expect(200);
}

async fn cache(server: &Server) {
    let admin = server.admin();
    admin.get(&format!("{FLOWS}cache_info/")).await.expect_body(200, &json!({"count": 0}));
    admin.post(&format!("{FLOWS}cache_clear/"), &json!({})).await.expect_empty(204);
    let person = server.person("ann").await.client;
    person.get(&format!("{FLOWS}cache_info/")).await.expect_forbidden();
    person.post(&format!("{FLOWS}cache_clear/"), &json!({})).await.expect_forbidden();
}
