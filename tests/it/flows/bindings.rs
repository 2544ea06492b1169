//! Which stages a flow has.

use super::{BINDINGS, FLOWS, UNKNOWN, bound, flow, stage, text};
use crate::{
    bindings::{bind, dummy, shown},
    harness::{Server, tests},
};
use serde_json::json;

tests![created_and_shown, changed, refused, listed, policies_are_bound, rows_by_grant];

const NEVER: &str = "Either evaluation on plan or evaluation on run must be enabled";

async fn created_and_shown(server: &Server) {
    let way = flow(server, "way").await;
    let (first, second) = (stage(server, "first").await, stage(server, "second").await);
    let late = bound(server, &way, &second, 20).await;
    let early = bound(server, &way, &first, 10).await;
    assert_eq!(early["stage_obj"]["name"], "first");
    assert_eq!(early["stage_obj"]["flow_set"][0]["slug"], "way");
    let expected = json!({
        "pk": late["pk"], "policybindingmodel_ptr_id": late["policybindingmodel_ptr_id"], "target": way["pk"],
        "stage": second, "stage_obj": late["stage_obj"], "evaluate_on_plan": false, "re_evaluate_policies": true,
        "order": 20, "policy_engine_mode": "any", "invalid_response_action": "retry",
    });
    assert_eq!(late, expected);
    let admin = server.admin();
    admin.get(&format!("{BINDINGS}{}/", text(&late["pk"]))).await.expect_body(200, &expected);
    assert_eq!(admin.get(&format!("{FLOWS}way/")).await.expect(200)["stages"], json!([first, second]));
    admin.get(&format!("{BINDINGS}{}/used_by/", text(&late["pk"]))).await.expect_body(200, &json!([]));
}

async fn changed(server: &Server) {
    let admin = server.admin();
    let way = flow(server, "way").await;
    let step = stage(server, "step").await;
    let mut expected = bound(server, &way, &step, 0).await;
    let path = format!("{BINDINGS}{}/", text(&expected["pk"]));
    for (field, value) in [
        ("order", json!(7)),
        ("policy_engine_mode", json!("all")),
        ("invalid_response_action", json!("restart_with_context")),
        ("evaluate_on_plan", json!(true)),
    ] {
        expected[field] = value.clone();
        admin.patch(&path, &json!({field: value})).await.expect_body(200, &expected);
    }
    let put = json!({"target": way["pk"], "stage": step, "order": 7});
    admin.put(&path, &put).await.expect_body(200, &expected);
    admin.delete(&path).await.expect_empty(204);
    admin.delete(&path).await.expect_missing();
}

async fn refused(server: &Server) {
    let admin = server.admin();
    let way = flow(server, "way").await;
    let step = stage(server, "step").await;
    let made = bound(server, &way, &step, 0).await;
    let path = format!("{BINDINGS}{}/", text(&made["pk"]));
    let whole = |text: &str| json!({"non_field_errors": [text]});
    let twin = json!({"target": way["pk"], "stage": step, "order": 0});
    let unique = whole("The fields target, stage, order must make a unique set.");
    admin.post(BINDINGS, &twin).await.expect_faults(unique.clone());
    let other = bound(server, &way, &step, 1).await;
    admin.patch(&format!("{BINDINGS}{}/", text(&other["pk"])), &json!({"order": 0})).await.expect_faults(unique);
    let never = json!({"target": way["pk"], "stage": step, "order": 2, "re_evaluate_policies": false});
    admin.post(BINDINGS, &never).await.expect_faults(whole(NEVER));
    admin.patch(&path, &json!({"re_evaluate_policies": false})).await.expect_faults(whole(NEVER));
    admin.patch(&path, &json!({"evaluate_on_plan": true, "re_evaluate_policies": false})).await.expect(200);
    // What is sent is fine by itself; what would become of it is not.
    admin.patch(&path, &json!({"evaluate_on_plan": false})).await.expect_faults(whole(NEVER));
    let unknown = json!([format!("Invalid pk \"{UNKNOWN}\" - object does not exist.")]);
    let nowhere = json!({"target": UNKNOWN, "stage": UNKNOWN, "order": 0});
    admin.post(BINDINGS, &nowhere).await.expect_faults(json!({"target": unknown, "stage": unknown}));
    let required = json!(["This field is required."]);
    let all = json!({"target": required, "stage": required, "order": required});
    admin.put(&path, &json!({})).await.expect_faults(all);
    let path = format!("{BINDINGS}{UNKNOWN}/");
    admin.get(&path).await.expect_missing();
    admin.get(&format!("{path}used_by/")).await.expect_missing();
    admin.put(&path, &json!({})).await.expect_missing();
    admin.patch(&path, &json!({})).await.expect_missing();
}

async fn listed(server: &Server) {
    let admin = server.admin();
    let way = flow(server, "way").await;
    let (a, b) = (stage(server, "a-step").await, stage(server, "b-step").await);
    bound(server, &way, &a, 2).await;
    let second = bound(server, &way, &b, 1).await;
    let policy = dummy(server, "judge", true).await;
    bind(server, &text(&second["pk"]), 0, json!({"policy": policy})).await;
    let way = text(&way["pk"]);
    let list = async |query: &str| admin.get(&format!("{BINDINGS}?target={way}&{query}")).await.expect_list("order");
    assert_eq!(list("").await, ["1", "2"]);
    assert_eq!(list("ordering=stage__name").await, ["2", "1"]);
    assert_eq!(list("ordering=-order").await, ["2", "1"]);
    assert_eq!(list("search=b-st").await, ["1"]);
    assert_eq!(list(&format!("stage={a}")).await, ["2"]);
    assert_eq!(list(&format!("policies={policy}")).await, ["1"]);
    assert_eq!(list(&format!("pbm_uuid={}", text(&second["policybindingmodel_ptr_id"]))).await, ["1"]);
    assert_eq!(list("order=2&evaluate_on_plan=false&policy_engine_mode=any").await, ["2"]);
    assert_eq!(list("re_evaluate_policies=false").await, Vec::<String>::new());
    let fault = json!({"stage": ["Select a valid choice. That choice is not one of the available choices."]});
    admin.get(&format!("{BINDINGS}?stage={UNKNOWN}")).await.expect_faults(fault);
}

async fn policies_are_bound(server: &Server) {
    let way = flow(server, "way").await;
    let binding = bound(server, &way, &stage(server, "step").await, 0).await;
    let policy = dummy(server, "judge", true).await;
    let made = bind(server, &text(&binding["pk"]), 0, json!({"policy": policy})).await;
    let admin = server.admin();
    assert_eq!(shown(&admin, &made).await["target"], binding["pk"]);
    admin.delete(&format!("{BINDINGS}{}/", text(&binding["pk"]))).await.expect_empty(204);
    admin.get(&format!("/policies/bindings/{made}/")).await.expect_missing();
}

async fn rows_by_grant(server: &Server) {
    let way = flow(server, "way").await;
    let step = stage(server, "step").await;
    let (mine, other) = (bound(server, &way, &step, 0).await, bound(server, &way, &step, 1).await);
    let person = server.person("ann").await;
    let path = |binding: &serde_json::Value| format!("{BINDINGS}{}/", text(&binding["pk"]));
    let nobody = &person.client;
    nobody.get(BINDINGS).await.expect_forbidden();
    nobody.get(&path(&mine)).await.expect_forbidden();
    nobody.get(&format!("{}used_by/", path(&mine))).await.expect_forbidden();
    nobody.post(BINDINGS, &json!({})).await.expect_forbidden();
    nobody.put(&path(&mine), &json!({})).await.expect_forbidden();
    server.grant(person.holder(), "authentik_flows.view_flowstagebinding", Some(&text(&mine["pk"]))).await;
    assert_eq!(person.client.get(BINDINGS).await.expect_list("pk"), [text(&mine["pk"])]);
    person.client.get(&path(&other)).await.expect_missing();
    person.client.patch(&path(&mine), &json!({})).await.expect_forbidden();
    person.client.delete(&path(&mine)).await.expect_forbidden();
}
