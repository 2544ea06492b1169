//! Creating, reading, changing and deleting accounts.

use crate::harness::{Server, tests};
use serde_json::json;

tests![
    create_minimal,
    create_with_everything,
    patch_changes_what_it_names,
    put_resets_groups_only,
    deactivation_ends_access,
    delete_takes_tokens_along,
    ids,
    groups_are_shown,
    attributes_are_replaced,
    numbers_are_not_used_again,
    direct_grants_survive_changes,
];

async fn create_minimal(server: &Server) {
    let admin = server.admin();
    let user = admin.post("/core/users/", &json!({"username": "ann", "name": "Ann"})).await.expect(201);
    let expected = json!({
        "pk": user["pk"], "username": "ann", "name": "Ann", "is_active": true, "last_login": null, "is_superuser": false,
        "groups": [], "groups_obj": [], "email": "", "avatar": user["avatar"], "attributes": {}, "uid": user["uid"],
        "path": "users", "type": "internal", "uuid": user["uuid"],
    });
    assert_eq!(user, expected);
    let uid = user["uid"].as_str().expect("text");
    assert!(uid.len() == 64 && uid.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')), "{uid}");
    assert!(user["avatar"].as_str().is_some_and(|a| a.starts_with("data:image/svg+xml;base64,")), "{}", user["avatar"]);
    admin.get(&format!("/core/users/{}/", user["pk"])).await.expect_body(200, &expected);
    let other = admin.post("/core/users/", &json!({"username": "bob", "name": ""})).await.expect(201);
    assert!(other["pk"].as_i64() > user["pk"].as_i64());
    assert_ne!((&other["uid"], &other["uuid"]), (&user["uid"], &user["uuid"]));
}

async fn create_with_everything(server: &Server) {
    let group = server.group("team", json!({})).await;
    let body = json!({
        "username": "Ann Smith/ü@x", "name": " Ann ", "is_active": false, "last_login": "2025-01-01T10:00:00+01:00",
        "groups": [group], "email": "ann@example.org", "attributes": {"a": {"b": [1, null, "x"]}}, "path": "a/b",
        "type": "external",
    });
    let user = server.admin().post("/core/users/", &body).await.expect(201);
    for field in ["username", "is_active", "groups", "email", "attributes", "path", "type"] {
        assert_eq!(user[field], body[field], "{field}");
    }
    assert_eq!(user["name"], "Ann");
    assert_eq!(user["last_login"], "2025-01-01T09:00:00Z");
    assert_eq!(user["groups_obj"][0]["name"], "team");
    server.admin().get(&format!("/core/users/{}/", user["pk"])).await.expect_body(200, &user);
}

async fn patch_changes_what_it_names(server: &Server) {
    let admin = server.admin();
    let group = server.group("team", json!({})).await;
    let body =
        json!({"username": "ann", "name": "Ann", "groups": [group], "email": "a@example.org", "attributes": {"a": 1}});
    let mut expected = admin.post("/core/users/", &body).await.expect(201);
    let path = format!("/core/users/{}/", expected["pk"]);
    for (field, value) in [
        ("name", json!("")),
        ("username", json!("anna")),
        ("email", json!("")),
        ("is_active", json!(false)),
        ("last_login", json!("2025-01-01T09:00:00Z")),
        ("last_login", json!(null)),
        ("path", json!("x/y")),
        ("type", json!("service_account")),
        ("attributes", json!({"b": 2})),
    ] {
        expected[field] = value.clone();
        let mut patched = admin.patch(&path, &json!({field: value})).await.expect(200);
        // Drawn from the name.
        patched["avatar"] = expected["avatar"].clone();
        assert_eq!(patched, expected, "{field}");
    }
    assert_eq!(admin.patch(&path, &json!({"groups": []})).await.expect(200)["groups"], json!([]));
    assert_eq!(admin.patch(&path, &json!({"groups": [group, group]})).await.expect(200)["groups"], json!([group]));
}

async fn put_resets_groups_only(server: &Server) {
    let admin = server.admin();
    let group = server.group("team", json!({})).await;
    let body = json!({
        "username": "ann", "name": "Ann", "groups": [group], "email": "a@example.org", "attributes": {"a": 1}, "path": "x",
        "is_active": false, "type": "external", "last_login": "2025-01-01T09:00:00Z",
    });
    let mut expected = admin.post("/core/users/", &body).await.expect(201);
    let path = format!("/core/users/{}/", expected["pk"]);
    expected["groups"] = json!([]);
    expected["groups_obj"] = json!([]);
    admin.put(&path, &json!({"username": "ann", "name": "Ann"})).await.expect_body(200, &expected);
    let required = "This field is required.";
    admin.put(&path, &json!({})).await.expect_faults(json!({"username": [required], "name": [required]}));
    admin.get(&path).await.expect_body(200, &expected);
    let group = admin.get(&format!("/core/groups/{group}/")).await.expect(200);
    assert_eq!(group["users"], json!([]));
}

async fn deactivation_ends_access(server: &Server) {
    let ann = server.person("ann").await;
    let path = format!("/core/users/{}/", ann.pk);
    server.admin().patch(&path, &json!({"is_active": false})).await.expect(200);
    ann.client.get("/core/users/me/").await.expect_detail(403, "Token invalid/expired");
    ann.client.get("/root/config/").await.expect_detail(403, "Token invalid/expired");
    server.admin().patch(&path, &json!({"is_active": true})).await.expect(200);
    ann.client.get("/core/users/me/").await.expect(200);
}

async fn delete_takes_tokens_along(server: &Server) {
    let admin = server.admin();
    let group = server.group("team", json!({})).await;
    let ann = server.person_with("ann", json!({"groups": [group]})).await;
    ann.client.post("/core/tokens/", &json!({"identifier": "own"})).await.expect(201);
    admin.delete(&format!("/core/users/{}/", ann.pk)).await.expect_empty(204);
    ann.client.get("/core/users/me/").await.expect_detail(403, "Token invalid/expired");
    admin.get("/core/tokens/own/").await.expect_missing();
    admin.get(&format!("/core/users/{}/", ann.pk)).await.expect_missing();
    admin.delete(&format!("/core/users/{}/", ann.pk)).await.expect_missing();
    assert_eq!(admin.get("/core/tokens/").await.expect_list("identifier"), ["authentik-bootstrap-token"]);
    assert_eq!(admin.get(&format!("/core/groups/{group}/")).await.expect(200)["users"], json!([]));
    // The names are free again.
    server.person("ann").await;
}

async fn ids(server: &Server) {
    let admin = server.admin();
    for bad in ["0", "-1", "999999", "abc", "99999999999999999999", "1.5", "%20", "0x1", "1e0", "%00"] {
        let path = format!("/core/users/{bad}/");
        admin.get(&path).await.expect(404);
        admin.patch(&path, &json!({})).await.expect(404);
        admin.put(&path, &json!({})).await.expect(404);
        admin.get(&format!("{path}used_by/")).await.expect(404);
        admin.delete(&path).await.expect(404);
        admin.post(&format!("{path}set_password/"), &json!({"password": "x"})).await.expect(404);
    }
    admin.get("/core/users/999999/").await.expect_missing();
    admin.get("/core/users/abc/").await.expect_missing();
}

async fn groups_are_shown(server: &Server) {
    let admin = server.admin();
    let top = server.group("top", json!({"is_superuser": true})).await;
    let low = server.group("low", json!({"parent": top, "attributes": {"a": 1}})).await;
    let user = admin.post("/core/users/", &json!({"username": "ann", "name": "A", "groups": [low]})).await.expect(201);
    let group = admin.get(&format!("/core/groups/{low}/")).await.expect(200);
    let shown = json!([{
        "pk": low, "num_pk": group["num_pk"], "name": "low", "is_superuser": false, "parent": top, "parent_name": "top",
        "attributes": {"a": 1},
    }]);
    assert_eq!(user["groups_obj"], shown);
    assert_eq!(user["is_superuser"], true, "inherited");
    admin.patch(&format!("/core/groups/{top}/"), &json!({"is_superuser": false})).await.expect(200);
    let path = format!("/core/users/{}/", user["pk"]);
    assert_eq!(admin.get(&path).await.expect(200)["is_superuser"], false);
}

async fn attributes_are_replaced(server: &Server) {
    let admin = server.admin();
    let body = json!({"username": "ann", "name": "A", "attributes": {"a": 1, "b": {"c": 2}}});
    let user = admin.post("/core/users/", &body).await.expect(201);
    let path = format!("/core/users/{}/", user["pk"]);
    let odd =
        json!({"ключ": "ü\n\"", "n": -1.5, "big": 9_007_199_254_740_993_i64, "e": [], "o": {}, "t": true, "x": null});
    let patched = admin.patch(&path, &json!({"attributes": odd})).await.expect(200);
    assert_eq!(patched["attributes"], odd);
    assert_eq!(admin.get(&path).await.expect(200)["attributes"], odd);
}

async fn numbers_are_not_used_again(server: &Server) {
    let admin = server.admin();
    let first = admin.post("/core/users/", &json!({"username": "ann", "name": ""})).await.expect(201);
    admin.delete(&format!("/core/users/{}/", first["pk"])).await.expect_empty(204);
    let second = admin.post("/core/users/", &json!({"username": "ann", "name": ""})).await.expect(201);
    assert_ne!(first["pk"], second["pk"]);
    assert_ne!(first["uid"], second["uid"]);
}

/// The original clears them (contract §3.1 ⚠, rbac §8.8 FIX).
async fn direct_grants_survive_changes(server: &Server) {
    let ann = server.holder_of("ann", &["authentik_core.view_user"]).await;
    let path = format!("/core/users/{}/", ann.pk);
    server.admin().patch(&path, &json!({"name": "x"})).await.expect(200);
    ann.client.get("/core/users/").await.expect(200);
    server.admin().put(&path, &json!({"username": "ann", "name": "y"})).await.expect(200);
    ann.client.get("/core/users/").await.expect(200);
    // They die with the account.
    server.admin().delete(&path).await.expect_empty(204);
    let again = server.person("ann").await;
    again.client.get("/core/users/").await.expect_forbidden();
    assert_ne!(again.pk, ann.pk);
    again.client.get("/core/users/me/").await.expect(200);
}
