//! Two servers on one database: what one changes ends what the other remembers, within a second.

use super::{change, expression, guarded, listed, until};
use crate::{
    bindings::{dummy, path},
    harness::{BOOTSTRAP_TOKEN, Client, Person, Server, tests},
};
use serde_json::json;
use std::sync::Arc;
use tessera::{ctx::SeededEntropy, server::Running};

tests![
    a_change_of_a_policy,
    a_change_of_a_binding,
    a_change_of_a_membership,
    a_change_of_an_account,
    changes_of_applications,
    forgetting,
    changes_on_both,
];

/// A further server at the same place, and somebody who uses both.
struct Second {
    running: Running,
    admin: Client,
    ann: Person,
    /// Ann at the second server.
    there: Client,
}

impl Second {
    async fn start(server: &Server) -> Self {
        let ann = server.person("ann").await;
        let entropy = Arc::new(SeededEntropy::new(99));
        let clock = Arc::clone(&server.clock) as _;
        let running = tessera::server::start(server.place.config(), clock, entropy).await.expect("a further server");
        let client = |key: &str| Client::new(running.api, Some(key.to_owned()));
        let (admin, there) = (client(BOOTSTRAP_TOKEN), client(&ann.key));
        Self { running, admin, ann, there }
    }

    /// Waits until the second server lists these.
    async fn sees(&self, expected: &[&str]) {
        until(&format!("the list {expected:?}"), async || listed(&self.there).await == expected).await;
        // And it stays so.
        for _ in 0..3 {
            assert_eq!(listed(&self.there).await, expected);
        }
    }
}

async fn a_change_of_a_policy(server: &Server) {
    let second = Second::start(server).await;
    let yes = dummy(server, "yes", true).await;
    guarded(server, "app", json!({"policy": yes})).await;
    second.sees(&["app"]).await;
    for _ in 0..2 {
        change(server, "dummy", &yes, json!({"result": false})).await;
        assert_eq!(listed(&second.ann.client).await, Vec::<String>::new());
        second.sees(&[]).await;
        change(server, "dummy", &yes, json!({"result": true})).await;
        second.sees(&["app"]).await;
    }
    change(server, "dummy", &yes, json!({"result": false})).await;
    second.sees(&[]).await;
    server.admin().delete(&format!("/policies/dummy/{yes}/")).await.expect_empty(204);
    second.sees(&["app"]).await;
    second.running.stop().await;
}

async fn a_change_of_a_binding(server: &Server) {
    let second = Second::start(server).await;
    let yes = dummy(server, "yes", true).await;
    let (_, one) = guarded(server, "app", json!({"policy": yes})).await;
    second.sees(&["app"]).await;
    server.admin().patch(&path(&one), &json!({"policy": yes, "negate": true})).await.expect(200);
    second.sees(&[]).await;
    server.admin().patch(&path(&one), &json!({"policy": yes, "enabled": false})).await.expect(200);
    second.sees(&["app"]).await;
    server.admin().patch(&path(&one), &json!({"policy": yes, "enabled": true})).await.expect(200);
    second.sees(&[]).await;
    server.admin().delete(&path(&one)).await.expect_empty(204);
    second.sees(&["app"]).await;
    second.running.stop().await;
}

async fn a_change_of_a_membership(server: &Server) {
    let second = Second::start(server).await;
    let top = server.group("top", json!({})).await;
    let low = server.group("low", json!({"users": [second.ann.pk]})).await;
    guarded(server, "app", json!({"group": top})).await;
    let (top, group) = (json!({"parent": top}), format!("/core/groups/{low}/"));
    let body = json!({"pk": second.ann.pk});
    second.sees(&[]).await;
    server.admin().patch(&group, &top).await.expect(200);
    second.sees(&["app"]).await;
    server.admin().post(&format!("{group}remove_user/"), &body).await.expect_empty(204);
    second.sees(&[]).await;
    server.admin().post(&format!("{group}add_user/"), &body).await.expect_empty(204);
    second.sees(&["app"]).await;
    server.admin().patch(&group, &json!({"parent": null})).await.expect(200);
    second.sees(&[]).await;
    second.running.stop().await;
}

async fn a_change_of_an_account(server: &Server) {
    let second = Second::start(server).await;
    let policy = expression(server, "name", "return request.user.name == 'in'").await;
    guarded(server, "app", json!({"policy": policy})).await;
    let user = format!("/core/users/{}/", second.ann.pk);
    second.sees(&[]).await;
    server.admin().patch(&user, &json!({"name": "in"})).await.expect(200);
    second.sees(&["app"]).await;
    server.admin().patch(&user, &json!({"name": "out"})).await.expect(200);
    second.sees(&[]).await;
    second.running.stop().await;
}

async fn changes_of_applications(server: &Server) {
    let second = Second::start(server).await;
    let (target, _) = guarded(server, "app", json!({"policy": dummy(server, "yes", true).await})).await;
    crate::bindings::bind(server, &target, 1, json!({"policy": dummy(server, "no", false).await})).await;
    second.sees(&["app"]).await;
    server.admin().patch("/core/applications/app/", &json!({"policy_engine_mode": "all"})).await.expect(200);
    second.sees(&[]).await;
    server
        .admin()
        .patch("/core/applications/app/", &json!({"policy_engine_mode": "any", "slug": "new"}))
        .await
        .expect(200);
    second.sees(&["new"]).await;
    server.admin().delete("/core/applications/new/").await.expect_empty(204);
    second.sees(&[]).await;
    second.running.stop().await;
}

/// `cache_clear` reaches the other one, too.
async fn forgetting(server: &Server) {
    let second = Second::start(server).await;
    guarded(server, "app", json!({"policy": dummy(server, "yes", true).await})).await;
    second.sees(&["app"]).await;
    let turned =
        "UPDATE policies SET settings = '{\"result\": false, \"wait_min\": 0, \"wait_max\": 1}' WHERE name = 'yes'";
    assert_eq!(server.sql(turned).await, 1);
    assert_eq!(listed(&second.there).await, ["app"], "remembered");
    server.admin().post("/policies/all/cache_clear/", &json!({})).await.expect_empty(204);
    second.sees(&[]).await;
    second.running.stop().await;
}

/// Whoever changes something sees it at once, wherever he does.
async fn changes_on_both(server: &Server) {
    let second = Second::start(server).await;
    let yes = dummy(server, "yes", true).await;
    guarded(server, "app", json!({"policy": yes})).await;
    second.sees(&["app"]).await;
    let path = format!("/policies/dummy/{yes}/");
    for _ in 0..3 {
        second.admin.patch(&path, &json!({"result": false})).await.expect(200);
        assert_eq!(listed(&second.there).await, Vec::<String>::new());
        until("the change", async || listed(&second.ann.client).await.is_empty()).await;
        server.admin().patch(&path, &json!({"result": true})).await.expect(200);
        assert_eq!(listed(&second.ann.client).await, ["app"]);
        second.sees(&["app"]).await;
    }
    second.running.stop().await;
}
