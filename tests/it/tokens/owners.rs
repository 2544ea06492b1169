//! Whose tokens they are: who sees them, who may give them away.

use crate::harness::{Server, tests};
use serde_json::json;

tests![
    everybody_sees_their_own,
    grants_do_not_open_others_tokens,
    plain_callers_make_tokens_for_themselves,
    plain_callers_do_not_choose_whether_it_ends,
    plain_callers_may_change_whether_it_ends,
    owners_do_not_change,
    an_administrators_patch_keeps_the_owner,
    owners_change_and_delete_their_own,
    an_inherited_superuser_sees_all,
];

async fn everybody_sees_their_own(server: &Server) {
    let ann = server.person("ann").await;
    let bob = server.person("bob").await;
    assert_eq!(ann.client.get("/core/tokens/").await.expect_list("identifier"), ["ann-login"]);
    assert_eq!(bob.client.get("/core/tokens/").await.expect_list("identifier"), ["bob-login"]);
    let all = server.admin().get("/core/tokens/").await.expect_list("identifier");
    assert_eq!(all, ["ann-login", "authentik-bootstrap-token", "bob-login"]);
    let others = "/core/tokens/bob-login/";
    ann.client.get(others).await.expect_missing();
    ann.client.patch(others, &json!({"description": "x"})).await.expect_missing();
    ann.client.put(others, &json!({"identifier": "bob-login"})).await.expect_missing();
    ann.client.delete(others).await.expect_missing();
    ann.client.get(&format!("{others}view_key/")).await.expect_missing();
    ann.client.post(&format!("{others}set_key/"), &json!({"key": "x"})).await.expect_missing();
    bob.client.get("/core/users/me/").await.expect(200);
}

async fn grants_do_not_open_others_tokens(server: &Server) {
    let codes = ["view_token", "change_token", "delete_token", "add_token", "view_token_key"]
        .map(|c| format!("authentik_core.{c}"));
    let codes: Vec<&str> = codes.iter().map(String::as_str).collect();
    let ann = server.holder_of("ann", &codes).await;
    server.person("bob").await;
    assert_eq!(ann.client.get("/core/tokens/").await.expect_list("identifier"), ["ann-login"]);
    ann.client.get("/core/tokens/bob-login/").await.expect_missing();
    ann.client.get("/core/tokens/bob-login/view_key/").await.expect_missing();
    ann.client.delete("/core/tokens/bob-login/").await.expect_missing();
}

async fn plain_callers_make_tokens_for_themselves(server: &Server) {
    let ann = server.person("ann").await;
    let bob = server.person("bob").await;
    let token = ann.client.post("/core/tokens/", &json!({"identifier": "a"})).await.expect(201);
    assert_eq!((&token["user"], &token["intent"]), (&json!(ann.pk), &json!("api")));
    let token = ann.client.post("/core/tokens/", &json!({"identifier": "b", "user": bob.pk})).await.expect(201);
    assert_eq!((&token["user"], &token["user_obj"]["username"]), (&json!(ann.pk), &json!("ann")));
    assert_eq!(bob.client.get("/core/tokens/").await.expect_list("identifier"), ["bob-login"]);
}

async fn plain_callers_do_not_choose_whether_it_ends(server: &Server) {
    let ends = json!({"goauthentik.io/user/token-expires": true});
    let lasts = json!({"goauthentik.io/user/token-expires": false});
    // Only the account's own attributes count.
    let group = server.group("lasting", json!({"attributes": lasts})).await;
    for (name, fields, expected) in [
        ("plain", json!({}), true),
        ("ending", json!({"attributes": ends}), true),
        ("lasting", json!({"attributes": lasts}), false),
        ("grouped", json!({"groups": [group]}), true),
    ] {
        let person = server.person_with(name, fields).await;
        for (index, asked) in [json!(true), json!(false)].into_iter().enumerate() {
            let body = json!({"identifier": format!("{name}-{index}"), "expiring": asked});
            assert_eq!(person.client.post("/core/tokens/", &body).await.expect(201)["expiring"], expected, "{body}");
        }
    }
    let lasting = server.person_with("second", json!({"attributes": lasts})).await;
    let body = json!({"identifier": "app", "intent": "app_password"});
    let token = lasting.client.post("/core/tokens/", &body).await.expect(201);
    assert_eq!((&token["expires"], &token["expiring"]), (&json!(null), &json!(false)));
}

async fn plain_callers_may_change_whether_it_ends(server: &Server) {
    let ann = server.person("ann").await;
    ann.client.post("/core/tokens/", &json!({"identifier": "t"})).await.expect(201);
    let token = ann.client.patch("/core/tokens/t/", &json!({"expiring": false})).await.expect(200);
    assert_eq!(token["expiring"], false);
}

async fn owners_do_not_change(server: &Server) {
    let admin = server.admin();
    let ann = server.person("ann").await;
    let bob = server.person("bob").await;
    let refused = json!({"user": ["User cannot be changed"]});
    admin.patch("/core/tokens/ann-login/", &json!({"user": bob.pk})).await.expect_faults(refused.clone());
    admin
        .put("/core/tokens/ann-login/", &json!({"identifier": "x", "user": bob.pk}))
        .await
        .expect_faults(refused.clone());
    ann.client.patch("/core/tokens/ann-login/", &json!({"user": bob.pk})).await.expect_faults(refused);
    admin.patch("/core/tokens/ann-login/", &json!({"user": ann.pk, "description": "d"})).await.expect(200);
    let token = admin.get("/core/tokens/ann-login/").await.expect(200);
    assert_eq!((&token["user"], &token["description"]), (&json!(ann.pk), &json!("d")));
}

/// The original hands the token to whoever edits it (contract §2.3 ⚠, FIX).
async fn an_administrators_patch_keeps_the_owner(server: &Server) {
    let admin = server.admin();
    let ann = server.person("ann").await;
    assert_eq!(admin.patch("/core/tokens/ann-login/", &json!({"description": "x"})).await.expect(200)["user"], ann.pk);
    assert_eq!(
        admin.put("/core/tokens/ann-login/", &json!({"identifier": "ann-login"})).await.expect(200)["user"],
        ann.pk
    );
    ann.client.get("/core/tokens/ann-login/").await.expect(200);
    let me = ann.client.get("/core/users/me/").await.expect(200);
    assert_eq!(me["user"]["username"], "ann");
}

async fn owners_change_and_delete_their_own(server: &Server) {
    let ann = server.person("ann").await;
    ann.client.post("/core/tokens/", &json!({"identifier": "t"})).await.expect(201);
    let body = json!({"identifier": "u", "description": "mine"});
    assert_eq!(ann.client.put("/core/tokens/t/", &body).await.expect(200)["description"], "mine");
    ann.client.delete("/core/tokens/u/").await.expect_empty(204);
    assert_eq!(ann.client.get("/core/tokens/").await.expect_list("identifier"), ["ann-login"]);
}

async fn an_inherited_superuser_sees_all(server: &Server) {
    let top = server.group("top", json!({"is_superuser": true})).await;
    let middle = server.group("middle", json!({"parent": top})).await;
    let below = server.group("below", json!({"parent": middle})).await;
    let ann = server.person_with("ann", json!({"groups": [below]})).await;
    let all = ann.client.get("/core/tokens/").await.expect_list("identifier");
    assert_eq!(all, ["ann-login", "authentik-bootstrap-token"]);
    ann.client.get("/core/tokens/authentik-bootstrap-token/view_key/").await.expect(200);
}
