//! Creating, reading, changing, renaming and deleting tokens.

use super::USUAL_END;
use crate::harness::{Server, tests};
use serde_json::json;

tests![
    create_minimal,
    create_with_everything,
    retrieve,
    patch_changes_what_it_names,
    put_keeps_optional_fields,
    rename_moves_the_path,
    identifiers_are_unique,
    marks_are_unique,
    delete,
    delete_takes_the_key_along,
    used_by,
    unknown_identifiers,
    read_only_and_unknown_keys_are_ignored,
];

async fn create_minimal(server: &Server) {
    let admin = server.admin();
    let me = admin.get("/core/users/me/").await.expect(200)["user"].clone();
    let token = admin.post("/core/tokens/", &json!({"identifier": "minimal"})).await.expect(201);
    let user = admin.get(&format!("/core/users/{}/", me["pk"])).await.expect(200);
    let expected = json!({
        "pk": token["pk"], "managed": null, "identifier": "minimal", "intent": "api", "user": me["pk"], "user_obj": user,
        "description": "", "expires": USUAL_END, "expiring": true,
    });
    assert_eq!(token, expected);
    assert_eq!(user["username"], "akadmin");
    admin.get("/core/tokens/minimal/").await.expect_body(200, &expected);
}

async fn create_with_everything(server: &Server) {
    let admin = server.admin();
    let ann = server.person("ann").await;
    let end = "2026-01-02T03:10:00Z";
    let body = json!({
        "managed": "by/terraform", "identifier": "All_of-it9", "intent": "app_password", "user": ann.pk,
        "description": "for the nightly job", "expires": end, "expiring": true,
    });
    let token = admin.post("/core/tokens/", &body).await.expect(201);
    for (field, value) in body.as_object().expect("an object") {
        assert_eq!(token[field], *value, "{field}");
    }
    assert_eq!(token["user_obj"]["username"], "ann");
    assert_eq!(token["user_obj"]["groups_obj"], json!([]));
    admin.get("/core/tokens/All_of-it9/").await.expect_body(200, &token);
}

async fn retrieve(server: &Server) {
    let admin = server.admin();
    let group = server.group("readers", json!({})).await;
    let ann = server.person_with("ann", json!({"groups": [group]})).await;
    let token = admin.get("/core/tokens/ann-login/").await.expect(200);
    assert_eq!(token["user"], ann.pk);
    assert_eq!(token["user_obj"]["groups"], json!([group]));
    assert_eq!(token["user_obj"]["groups_obj"][0]["name"], "readers");
    let without = admin.get("/core/tokens/ann-login/?include_groups=false").await.expect(200);
    assert_eq!(without["user_obj"]["groups_obj"], json!(null));
    assert_eq!(without["user_obj"]["groups"], json!([group]));
    ann.client.get("/core/tokens/ann-login/").await.expect_body(200, &token);
}

async fn patch_changes_what_it_names(server: &Server) {
    let admin = server.admin();
    let before = admin.post("/core/tokens/", &json!({"identifier": "t", "description": "old"})).await.expect(201);
    let patched = admin.patch("/core/tokens/t/", &json!({"description": "new"})).await.expect(200);
    let mut expected = before.clone();
    expected["description"] = json!("new");
    assert_eq!(patched, expected);
    let patched = admin.patch("/core/tokens/t/", &json!({"expiring": false, "managed": "m"})).await.expect(200);
    expected["expiring"] = json!(false);
    expected["managed"] = json!("m");
    assert_eq!(patched, expected);
    let patched = admin.patch("/core/tokens/t/", &json!({"managed": null, "description": ""})).await.expect(200);
    expected["managed"] = json!(null);
    expected["description"] = json!("");
    assert_eq!(patched, expected);
    admin.patch("/core/tokens/t/", &json!({})).await.expect_body(200, &expected);
    admin.get("/core/tokens/t/").await.expect_body(200, &expected);
}

async fn put_keeps_optional_fields(server: &Server) {
    let admin = server.admin();
    let body = json!({"identifier": "t", "description": "old", "expiring": false, "managed": "m"});
    let before = admin.post("/core/tokens/", &body).await.expect(201);
    admin.put("/core/tokens/t/", &json!({"identifier": "t"})).await.expect_body(200, &before);
    admin.put("/core/tokens/t/", &json!({})).await.expect_faults(json!({"identifier": ["This field is required."]}));
    admin.get("/core/tokens/t/").await.expect_body(200, &before);
}

async fn rename_moves_the_path(server: &Server) {
    let admin = server.admin();
    let before = admin.post("/core/tokens/", &json!({"identifier": "old"})).await.expect(201);
    let key = server.key_of("old").await;
    let after = admin.patch("/core/tokens/old/", &json!({"identifier": "new"})).await.expect(200);
    assert_eq!(after["pk"], before["pk"]);
    assert_eq!(after["identifier"], "new");
    admin.get("/core/tokens/old/").await.expect_missing();
    admin.get("/core/tokens/new/").await.expect_body(200, &after);
    assert_eq!(server.key_of("new").await, key);
    server.with_key(&key).get("/core/users/me/").await.expect(200);
    admin.put("/core/tokens/new/", &json!({"identifier": "newer"})).await.expect(200);
    admin.get("/core/tokens/newer/").await.expect(200);
    admin.get("/core/tokens/new/").await.expect_missing();
}

async fn identifiers_are_unique(server: &Server) {
    let admin = server.admin();
    let taken = json!({"identifier": ["Token with this identifier already exists."]});
    admin.post("/core/tokens/", &json!({"identifier": "one"})).await.expect(201);
    admin.post("/core/tokens/", &json!({"identifier": "two"})).await.expect(201);
    admin.post("/core/tokens/", &json!({"identifier": "one"})).await.expect_faults(taken.clone());
    admin.post("/core/tokens/", &json!({"identifier": " one "})).await.expect_faults(taken.clone());
    admin.patch("/core/tokens/two/", &json!({"identifier": "one"})).await.expect_faults(taken.clone());
    admin.put("/core/tokens/two/", &json!({"identifier": "one"})).await.expect_faults(taken.clone());
    // Also where the other token is out of the caller's sight.
    let ann = server.person("ann").await;
    ann.client.post("/core/tokens/", &json!({"identifier": "one"})).await.expect_faults(taken);
    admin.post("/core/tokens/", &json!({"identifier": "ONE"})).await.expect(201);
    admin.patch("/core/tokens/one/", &json!({"identifier": "one"})).await.expect(200);
    let names = admin.get("/core/tokens/").await.expect_list("identifier");
    assert_eq!(names, ["ONE", "ann-login", "authentik-bootstrap-token", "one", "two"]);
}

async fn marks_are_unique(server: &Server) {
    let admin = server.admin();
    let taken = json!({"managed": ["Token with this Managed by authentik already exists."]});
    admin.post("/core/tokens/", &json!({"identifier": "a", "managed": "m"})).await.expect(201);
    admin.post("/core/tokens/", &json!({"identifier": "b", "managed": "m"})).await.expect_faults(taken.clone());
    admin.post("/core/tokens/", &json!({"identifier": "b", "managed": null})).await.expect(201);
    admin.post("/core/tokens/", &json!({"identifier": "c", "managed": null})).await.expect(201);
    admin.patch("/core/tokens/b/", &json!({"managed": "m"})).await.expect_faults(taken);
    let blank = json!({"managed": ["This field may not be blank."]});
    admin.patch("/core/tokens/b/", &json!({"managed": ""})).await.expect_faults(blank);
}

async fn delete(server: &Server) {
    let admin = server.admin();
    admin.post("/core/tokens/", &json!({"identifier": "gone"})).await.expect(201);
    admin.delete("/core/tokens/gone/").await.expect_empty(204);
    admin.get("/core/tokens/gone/").await.expect_missing();
    admin.delete("/core/tokens/gone/").await.expect_missing();
    admin.post("/core/tokens/", &json!({"identifier": "gone"})).await.expect(201);
}

async fn delete_takes_the_key_along(server: &Server) {
    let ann = server.person("ann").await;
    ann.client.get("/core/users/me/").await.expect(200);
    server.admin().delete("/core/tokens/ann-login/").await.expect_empty(204);
    ann.client.get("/core/users/me/").await.expect_detail(403, "Token invalid/expired");
}

async fn used_by(server: &Server) {
    let ann = server.person("ann").await;
    server.admin().get("/core/tokens/ann-login/used_by/").await.expect_body(200, &json!([]));
    ann.client.get("/core/tokens/ann-login/used_by/").await.expect_forbidden();
    server.grant(ann.holder(), "authentik_core.view_token", None).await;
    ann.client.get("/core/tokens/ann-login/used_by/").await.expect_body(200, &json!([]));
    ann.client.get("/core/tokens/authentik-bootstrap-token/used_by/").await.expect_missing();
}

async fn unknown_identifiers(server: &Server) {
    let admin = server.admin();
    admin.get("/core/tokens/none/").await.expect_missing();
    admin.put("/core/tokens/none/", &json!({"identifier": "x"})).await.expect_missing();
    // What exists is asked before the body is read.
    admin.put("/core/tokens/none/", &json!({})).await.expect_missing();
    admin.patch("/core/tokens/none/", &json!({})).await.expect_missing();
    admin.delete("/core/tokens/none/").await.expect_missing();
    admin.get("/core/tokens/none/view_key/").await.expect_missing();
    admin.get("/core/tokens/none/used_by/").await.expect_missing();
    admin.post("/core/tokens/none/set_key/", &json!({"key": "x"})).await.expect_missing();
    admin.get("/core/tokens/n%20%C3%BC%00/").await.expect(404);
}

async fn read_only_and_unknown_keys_are_ignored(server: &Server) {
    let body = json!({
        "identifier": "t", "pk": "00000000-0000-0000-0000-000000000001", "user_obj": 5, "key": "chosen", "nonsense": [1],
    });
    let token = server.admin().post("/core/tokens/", &body).await.expect(201);
    assert_ne!(token["pk"], body["pk"]);
    assert_ne!(server.key_of("t").await, "chosen");
    let patched = server.admin().patch("/core/tokens/t/", &json!({"pk": 5, "user_obj": null})).await.expect(200);
    assert_eq!(patched, token);
}
