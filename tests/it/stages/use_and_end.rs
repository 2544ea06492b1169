//! What stages are bound to, what names them, and what goes with them.

use super::{bind, flow, kinds::kind, make, text};
use crate::harness::{Server, tests};
use serde_json::json;

tests![flows_of_a_stage, bindings_go_with_the_stage, what_is_named_is_forgotten, settings_of_people];

async fn flows_of_a_stage(server: &Server) {
    let admin = server.admin();
    let (one, other) = (flow(server, "one").await, flow(server, "other").await);
    let stage = make(server, kind("denystage"), "deny", json!({})).await;
    let (first, _) = bind(server, &one, &stage, 0).await;
    bind(server, &one, &stage, 1).await;
    bind(server, &other, &stage, 0).await;
    for path in ["deny", "all"] {
        let shown = admin.get(&format!("/stages/{path}/{stage}/")).await.expect(200);
        let flows = shown["flow_set"].as_array().expect("a list");
        assert_eq!(flows.iter().map(|flow| text(&flow["slug"])).collect::<Vec<_>>(), ["one", "other"]);
        let target = flows[0]["policybindingmodel_ptr_id"].clone();
        let expected = json!({
            "pk": one, "policybindingmodel_ptr_id": target, "name": "Flow", "slug": "one", "title": "Title",
            "designation": "stage_configuration", "background": "/bg.jpg", "policy_engine_mode": "any",
            "compatibility_mode": false, "export_url": "/api/v3/flows/instances/one/export/", "layout": "stacked",
            "denied_action": "message_continue",
        });
        assert_eq!(flows[0], expected);
        let used = admin.get(&format!("/stages/{path}/{stage}/used_by/")).await.expect(200);
        assert_eq!(used.as_array().map(Vec::len), Some(5));
        assert_eq!(
            used[0],
            json!({
                "app": "authentik_flows", "model_name": "flow", "pk": one, "name": "Flow Flow (one)",
                "action": "cascade_many",
            })
        );
        let binding = used.as_array().expect("a list").iter().find(|line| line["pk"] == json!(first));
        assert_eq!(
            binding.expect("there"),
            &json!({
                "app": "authentik_flows", "model_name": "flowstagebinding", "pk": first,
                "name": format!("Flow-stage binding #0 to {one}"), "action": "cascade",
            })
        );
    }
    let ann = server.holder_of("ann", &["authentik_stages_deny.view_denystage"]).await;
    ann.client.get(&format!("/stages/deny/{stage}/used_by/")).await.expect_body(200, &json!([]));
}

async fn bindings_go_with_the_stage(server: &Server) {
    let admin = server.admin();
    let one = flow(server, "one").await;
    let stage = make(server, kind("denystage"), "deny", json!({})).await;
    let (_, target) = bind(server, &one, &stage, 0).await;
    bind(server, &one, &stage, 1).await;
    let body = json!({"target": target, "user": 1, "order": 0});
    admin.post("/policies/bindings/", &body).await.expect(201);
    let mark = server.mark().await;
    admin.delete(&format!("/stages/all/{stage}/")).await.expect_empty(204);
    let gists = server.gists_since(&mark).await;
    let happened: Vec<String> = gists.iter().map(|g| g.split(' ').take(2).collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(
        happened,
        [
            "model_deleted denystage",
            "model_deleted flowstagebinding",
            "model_deleted flowstagebinding",
            "model_deleted policybinding",
        ]
    );
    for (table, left) in [("stage_bindings", 0), ("policy_bindings", 0), ("policy_targets", 1), ("flows", 1)] {
        assert_eq!(server.number(&format!("SELECT count(*) FROM {table}")).await, left, "{table}");
    }
}

async fn what_is_named_is_forgotten(server: &Server) {
    let admin = server.admin();
    let (one, group) = (flow(server, "one").await, server.group("g", json!({})).await);
    let password = make(server, kind("passwordstage"), "password", json!({"configure_flow": one})).await;
    let fields = json!({"password_stage": password, "recovery_flow": one, "enrollment_flow": one});
    let who = make(server, kind("identificationstage"), "who", fields).await;
    let write = make(server, kind("userwritestage"), "write", json!({"create_users_group": group})).await;
    let shown = |path: String| async move { server.admin().get(&path).await.expect(200) };
    let used = admin.get(&format!("/stages/password/{password}/used_by/")).await.expect(200);
    assert_eq!((&used[0]["pk"], &used[0]["action"]), (&json!(who), &json!("set_null")));
    let mark = server.mark().await;
    admin.delete(&format!("/core/groups/{group}/")).await.expect_empty(204);
    assert_eq!(shown(format!("/stages/user_write/{write}/")).await["create_users_group"], json!(null));
    assert_eq!(server.events_since(&mark).await.len(), 2);
    let ctx = server.system();
    let mut tx = ctx.begin().await.expect("a transaction");
    let id = one.parse().expect("a key");
    tessera::resource::stages::service::forget_flow(&ctx, &mut tx, id).await.expect("forgotten");
    tx.commit().await.expect("committed");
    let stage = shown(format!("/stages/identification/{who}/")).await;
    assert_eq!((&stage["recovery_flow"], &stage["enrollment_flow"]), (&json!(null), &json!(null)));
    assert_eq!(stage["password_stage"], json!(password));
    assert_eq!(shown(format!("/stages/password/{password}/")).await["configure_flow"], json!(null));
    admin.delete(&format!("/stages/password/{password}/")).await.expect_empty(204);
    assert_eq!(shown(format!("/stages/identification/{who}/")).await["password_stage"], json!(null));
}

async fn settings_of_people(server: &Server) {
    let ann = server.person("ann").await.client;
    let path = "/stages/all/user_settings/";
    ann.get(path).await.expect_body(200, &json!([]));
    let one = flow(server, "one").await;
    make(server, kind("passwordstage"), "fixed", json!({})).await;
    let stage = make(server, kind("passwordstage"), "own", json!({"configure_flow": one})).await;
    let expected = json!([{
        "object_uid": stage, "component": "ak-user-settings-password", "title": "own",
        "configure_url": format!("/flows/-/configure/{stage}/"),
    }]);
    ann.get(path).await.expect_body(200, &expected);
}
