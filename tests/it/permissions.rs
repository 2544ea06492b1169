//! How permissions reach accounts, and end (contract: authentik-rbac §6). What they open is in
//! `rbac/matrix.rs`.

use crate::harness::{Server, tests};
use serde_json::json;

tests![
    roles_add_up_and_end,
    roles_are_not_inherited,
    superusers_are_inherited,
    revocation_is_effective_at_once,
    grants_die_with_their_object,
    inactive_superusers_have_nothing,
    own_account_and_paths,
];

async fn roles_add_up_and_end(server: &Server) {
    let admin = server.admin();
    let viewers = server.role("viewers", &["authentik_core.view_user"]).await;
    let makers = server.role("makers", &["authentik_core.add_user"]).await;
    let one = server.group("one", json!({"roles": [viewers.to_string()]})).await;
    let two = server.group("two", json!({"roles": [makers.to_string()]})).await;
    let ann = server.person_with("ann", json!({"groups": [one, two]})).await;
    let new = json!({"username": "x", "name": ""});
    ann.client.get("/core/users/").await.expect(200);
    ann.client.post("/core/users/", &new).await.expect(201);
    admin.patch(&format!("/core/groups/{one}/"), &json!({"roles": []})).await.expect(200);
    ann.client.get("/core/users/").await.expect_forbidden();
    admin.patch(&format!("/core/groups/{one}/"), &json!({"roles": [viewers.to_string()]})).await.expect(200);
    ann.client.get("/core/users/").await.expect(200);
    admin.delete(&format!("/core/groups/{one}/")).await.expect_empty(204);
    ann.client.get("/core/users/").await.expect_forbidden();
    admin.patch(&format!("/core/users/{}/", ann.pk), &json!({"groups": []})).await.expect(200);
    ann.client.post("/core/users/", &json!({"username": "y", "name": ""})).await.expect_forbidden();
}

async fn roles_are_not_inherited(server: &Server) {
    let role = server.role("viewers", &["authentik_core.view_user"]).await;
    let top = server.group("top", json!({"roles": [role.to_string()]})).await;
    let low = server.group("low", json!({"parent": top})).await;
    let below = server.person_with("below", json!({"groups": [low]})).await;
    let above = server.person_with("above", json!({"groups": [top]})).await;
    below.client.get("/core/users/").await.expect_forbidden();
    above.client.get("/core/users/").await.expect(200);
    // Nor do they reach the members of the parent (rbac §8.11).
    let other = server.role("makers", &["authentik_core.add_group"]).await;
    server.admin().patch(&format!("/core/groups/{low}/"), &json!({"roles": [other.to_string()]})).await.expect(200);
    above.client.post("/core/groups/", &json!({"name": "x"})).await.expect_forbidden();
    below.client.post("/core/groups/", &json!({"name": "x"})).await.expect(201);
}

async fn superusers_are_inherited(server: &Server) {
    let admin = server.admin();
    let top = server.group("top", json!({})).await;
    let middle = server.group("middle", json!({"parent": top})).await;
    let low = server.group("low", json!({"parent": middle})).await;
    let ann = server.person_with("ann", json!({"groups": [low]})).await;
    let bob = server.person_with("bob", json!({"groups": [top]})).await;
    ann.client.get("/core/users/").await.expect_forbidden();
    let flag = |value: bool| json!({"is_superuser": value});
    admin.patch(&format!("/core/groups/{top}/"), &flag(true)).await.expect(200);
    ann.client.get("/core/users/").await.expect(200);
    bob.client.delete(&format!("/core/groups/{}/", server.group("x", json!({})).await)).await.expect_empty(204);
    admin.patch(&format!("/core/groups/{middle}/"), &json!({"parent": null})).await.expect(200);
    ann.client.get("/core/users/").await.expect_forbidden();
    bob.client.get("/core/users/").await.expect(200);
    // Not the other way: members of a parent have nothing of a child's flag.
    admin.patch(&format!("/core/groups/{top}/"), &flag(false)).await.expect(200);
    let chief = json!({"parent": top, "is_superuser": true});
    admin.patch(&format!("/core/groups/{middle}/"), &chief).await.expect(200);
    bob.client.get("/core/users/").await.expect_forbidden();
    ann.client.get("/core/users/").await.expect(200);
}

async fn revocation_is_effective_at_once(server: &Server) {
    let ann = server.person("ann").await;
    for _ in 0..5 {
        server.grant(ann.holder(), "authentik_core.view_group", None).await;
        ann.client.get("/core/groups/").await.expect(200);
        server.revoke(ann.holder(), "authentik_core.view_group", None).await;
        ann.client.get("/core/groups/").await.expect_forbidden();
    }
}

async fn grants_die_with_their_object(server: &Server) {
    let ann = server.person("ann").await;
    let one = server.group("one", json!({})).await;
    server.grant(ann.holder(), "authentik_core.view_group", Some(&one)).await;
    ann.client.get("/core/groups/").await.expect(200);
    server.admin().delete(&format!("/core/groups/{one}/")).await.expect_empty(204);
    ann.client.get("/core/groups/").await.expect_forbidden();
    use sea_orm::EntityTrait as _;
    let left = tessera::resource::grants::Entity::find().all(server.app.db.read()).await.expect("read");
    assert!(left.iter().all(|grant| grant.object_pk.as_deref() != Some(one.as_str())), "{left:?}");
}

async fn inactive_superusers_have_nothing(server: &Server) {
    let top = server.group("top", json!({"is_superuser": true})).await;
    let ann = server.person_with("ann", json!({"groups": [top]})).await;
    ann.client.get("/core/users/").await.expect(200);
    server.admin().patch(&format!("/core/users/{}/", ann.pk), &json!({"is_active": false})).await.expect(200);
    ann.client.get("/core/users/").await.expect_detail(403, "Token invalid/expired");
}

async fn own_account_and_paths(server: &Server) {
    let ann = server.person("ann").await;
    ann.client.get(&format!("/core/users/{}/", ann.pk)).await.expect_forbidden();
    ann.client.get("/core/users/paths/").await.expect_forbidden();
    ann.client.get("/core/users/me/").await.expect(200);
    ann.client.get("/admin/version/").await.expect(200);
    server.grant(ann.holder(), "authentik_core.view_user", Some(&ann.pk.to_string())).await;
    ann.client.get(&format!("/core/users/{}/", ann.pk)).await.expect(200);
    server.person_with("bob", json!({"path": "elsewhere"})).await;
    ann.client.get("/core/users/paths/").await.expect_body(200, &json!({"paths": ["users"]}));
    assert_eq!(ann.client.get("/core/users/").await.expect_list("username"), ["ann"]);
}
