//! Acting as somebody else.

use crate::harness::{Server, tests};
use serde_json::json;

tests![acts_and_ends, refused, ended_with_whom_it_is];

fn path(pk: i64) -> String {
    format!("/core/users/{pk}/impersonate/")
}

const END: &str = "/core/users/impersonate_end/";

async fn acts_and_ends(server: &Server) {
    let ann = server.person("ann").await;
    let browser = server.browser(1).await;
    let mark = server.mark().await;
    browser.post(&path(ann.pk), &json!({})).await.expect_empty(201);
    let me = browser.get("/core/users/me/").await.expect(200);
    assert_eq!((&me["user"]["username"], &me["original"]["username"]), (&json!("ann"), &json!("akadmin")));
    assert_eq!((&me["user"]["is_superuser"], &me["original"]["is_superuser"]), (&json!(false), &json!(true)));
    browser.post("/core/groups/", &json!({"name": "g"})).await.expect_forbidden();
    // What is done meanwhile names both.
    browser.post("/core/tokens/", &json!({"identifier": "t"})).await.expect(201);
    browser.get(END).await.expect_empty(204);
    let me = browser.get("/core/users/me/").await.expect(200);
    assert_eq!(me["user"]["username"], "akadmin");
    assert!(me.get("original").is_none(), "{me}");
    browser.get(END).await.expect_empty(204);
    let events = server.events_since(&mark).await;
    let mut told: Vec<_> = events
        .iter()
        .map(|event| (event.action.as_str(), &event.user["username"], &event.user["on_behalf_of"]["username"]))
        .collect();
    told.sort_by_key(|(action, ..)| *action);
    let (own, other) = (json!("akadmin"), json!("ann"));
    assert_eq!(
        told,
        [
            ("impersonation_ended", &own, &other),
            ("impersonation_started", &own, &other),
            ("model_created", &own, &other),
        ]
    );
}

async fn refused(server: &Server) {
    let admin = server.admin();
    let (ann, bob) = (server.person("ann").await, server.person("bob").await);
    // A key has no session that could change.
    admin.post(&path(ann.pk), &json!({})).await.expect_empty(401);
    let browser = server.browser(1).await;
    browser.post(&path(1), &json!({})).await.expect_empty(401);
    browser.post(&path(99999), &json!({})).await.expect_missing();
    browser.post(&path(ann.pk), &json!({})).await.expect_empty(201);
    browser.post(&path(bob.pk), &json!({})).await.expect_forbidden();
    browser.get(END).await.expect_empty(204);
    let plain = server.browser(bob.pk).await;
    plain.post(&path(ann.pk), &json!({})).await.expect_forbidden();
    for code in ["authentik_core.view_user", "authentik_core.impersonate"] {
        server.grant(bob.holder(), code, None).await;
        server.grant(ann.holder(), code, None).await;
    }
    // Nobody becomes a superuser that way.
    plain.post(&path(1), &json!({})).await.expect_forbidden();
    plain.post(&path(ann.pk), &json!({})).await.expect_empty(201);
    plain.post(&path(bob.pk), &json!({})).await.expect_empty(401);
    plain.get(END).await.expect_empty(204);
    admin.patch("/admin/settings/", &json!({"impersonation": false})).await.expect(200);
    plain.post(&path(ann.pk), &json!({})).await.expect_empty(401);
}

async fn ended_with_whom_it_is(server: &Server) {
    let ann = server.person("ann").await;
    let browser = server.browser(1).await;
    browser.post(&path(ann.pk), &json!({})).await.expect_empty(201);
    server.admin().delete(&format!("/core/users/{}/", ann.pk)).await.expect_empty(204);
    assert_eq!(browser.whose().await, None);
}
