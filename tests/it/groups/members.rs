//! Joining and leaving groups.

use crate::harness::{Server, tests};
use serde_json::{Value, json};

tests![add_and_remove, bad_bodies, permissions, membership_is_effective_at_once];

async fn members(server: &Server, group: &str) -> Value {
    server.admin().get(&format!("/core/groups/{group}/")).await.expect(200)["users"].clone()
}

async fn add_and_remove(server: &Server) {
    let admin = server.admin();
    let group = server.group("team", json!({})).await;
    let ann = server.person("ann").await;
    let (add, remove) = (format!("/core/groups/{group}/add_user/"), format!("/core/groups/{group}/remove_user/"));
    for _ in 0..2 {
        admin.post(&add, &json!({"pk": ann.pk})).await.expect_empty(204);
        assert_eq!(members(server, &group).await, json!([ann.pk]));
    }
    for _ in 0..2 {
        admin.post(&remove, &json!({"pk": ann.pk})).await.expect_empty(204);
        assert_eq!(members(server, &group).await, json!([]));
    }
    admin.post(&add, &json!({"pk": ann.pk.to_string()})).await.expect_empty(204);
    assert_eq!(members(server, &group).await, json!([ann.pk]));
    admin.post(&add, &json!({"pk": 999_999})).await.expect_missing();
    admin.post(&remove, &json!({"pk": 999_999})).await.expect_missing();
    admin.get(&add).await.expect_detail(405, "Method \"GET\" not allowed.");
}

async fn bad_bodies(server: &Server) {
    let admin = server.admin();
    let group = server.group("team", json!({})).await;
    for action in ["add_user", "remove_user"] {
        let path = format!("/core/groups/{group}/{action}/");
        for body in [
            json!({}),
            json!({"pk": null}),
            json!({"pk": "x"}),
            json!({"pk": []}),
            json!({"pk": {}}),
            json!({"pk": ""}),
        ] {
            let faults = admin.post(&path, &body).await.expect(400);
            assert!(faults["pk"].is_array(), "{body}: {faults}");
        }
        for body in [json!([]), json!("x"), json!(5), Value::Null] {
            let faults = admin.post(&path, &body).await.expect(400);
            assert!(faults["non_field_errors"].is_array(), "{body}: {faults}");
        }
    }
    assert_eq!(members(server, &group).await, json!([]));
}

/// `add_group` and `change_group` are neither needed nor enough; `view_user` is (rbac §7.2).
async fn permissions(server: &Server) {
    let group = server.group("team", json!({})).await;
    let bob = server.person("bob").await;
    let code = |name: &str| format!("authentik_core.{name}");
    let path = format!("/core/groups/{group}/");
    for (name, codes, add, remove) in [
        ("none", vec![], 403, 403),
        ("verb", vec!["add_user_to_group", "view_user"], 403, 403),
        ("view", vec!["view_group", "view_user"], 403, 403),
        ("change", vec!["view_group", "view_user", "change_group", "add_group"], 403, 403),
        ("blind", vec!["view_group", "add_user_to_group", "remove_user_from_group"], 404, 404),
        ("adder", vec!["view_group", "add_user_to_group", "view_user"], 204, 403),
        ("remover", vec!["view_group", "remove_user_from_group", "view_user"], 403, 204),
    ] {
        let codes: Vec<String> = codes.into_iter().map(code).collect();
        let codes: Vec<&str> = codes.iter().map(String::as_str).collect();
        let person = server.holder_of(name, &codes).await;
        let answer = person.client.post(&format!("{path}add_user/"), &json!({"pk": bob.pk})).await;
        assert_eq!(answer.status, add, "{name} adds: {}", answer.text());
        let answer = person.client.post(&format!("{path}remove_user/"), &json!({"pk": bob.pk})).await;
        assert_eq!(answer.status, remove, "{name} removes: {}", answer.text());
    }
    // Held on the object.
    let eve = server.person("eve").await;
    for name in ["view_group", "add_user_to_group"] {
        server.grant(eve.holder(), &code(name), Some(&group)).await;
    }
    server.grant(eve.holder(), &code("view_user"), Some(&bob.pk.to_string())).await;
    eve.client.post(&format!("{path}add_user/"), &json!({"pk": bob.pk})).await.expect_empty(204);
    eve.client.post(&format!("{path}add_user/"), &json!({"pk": eve.pk})).await.expect_missing();
    let other = server.group("other", json!({})).await;
    eve.client.post(&format!("/core/groups/{other}/add_user/"), &json!({"pk": bob.pk})).await.expect_missing();
}

async fn membership_is_effective_at_once(server: &Server) {
    let admin = server.admin();
    let top = server.group("top", json!({"is_superuser": true})).await;
    let low = server.group("low", json!({"parent": top})).await;
    let ann = server.person("ann").await;
    for _ in 0..3 {
        ann.client.get("/core/users/").await.expect_forbidden();
        admin.post(&format!("/core/groups/{low}/add_user/"), &json!({"pk": ann.pk})).await.expect_empty(204);
        ann.client.get("/core/users/").await.expect(200);
        admin.post(&format!("/core/groups/{low}/remove_user/"), &json!({"pk": ann.pk})).await.expect_empty(204);
    }
    ann.client.get("/core/users/").await.expect_forbidden();
}
