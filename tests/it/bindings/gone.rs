//! Bindings go with what they join, and each leaves an event: a target without bindings lets everybody in.

use super::{PATH, application, bind, dummy, path};
use crate::harness::{Server, tests};
use serde_json::json;

tests![
    events_of_a_binding,
    with_the_policy,
    with_the_policy_from_the_list_of_all,
    with_the_group,
    with_the_user,
    with_the_application,
    refusals_write_nothing,
];

/// The events about bindings and about what is named, as `model_deleted policybinding` and so on.
async fn happened(server: &Server, mark: &std::collections::BTreeSet<uuid::Uuid>) -> Vec<String> {
    let gists = server.gists_since(mark).await;
    gists.iter().map(|gist| gist.split(' ').take(2).collect::<Vec<_>>().join(" ")).collect()
}

async fn events_of_a_binding(server: &Server) {
    let target = application(server, "app", json!({})).await;
    let (yes, no) = (dummy(server, "yes", true).await, dummy(server, "no", false).await);
    let mark = server.mark().await;
    let one = bind(server, &target, 0, json!({"policy": yes})).await;
    let made = server.events_since(&mark).await;
    assert_eq!(made.len(), 1);
    assert_eq!((made[0].action.as_str(), made[0].app.as_str()), ("model_created", "authentik.events.middleware"));
    let model = &made[0].context["model"];
    let key = one.replace('-', "");
    assert_eq!((&model["app"], &model["model_name"]), (&json!("authentik_policies"), &json!("policybinding")));
    assert_eq!(model["pk"], json!(key));
    for body in [json!({"policy": yes, "order": 1}), json!({"policy": no}), json!({"policy": no, "enabled": false})] {
        let mark = server.mark().await;
        server.admin().patch(&path(&one), &body).await.expect(200);
        let changed = server.events_since(&mark).await;
        assert_eq!(changed.len(), 1);
        assert_eq!((changed[0].action.as_str(), &changed[0].context["model"]["pk"]), ("model_updated", &json!(key)));
    }
    let mark = server.mark().await;
    server.admin().delete(&path(&one)).await.expect_empty(204);
    let gone = server.events_since(&mark).await;
    assert_eq!(gone.len(), 1);
    assert_eq!((gone[0].action.as_str(), &gone[0].context["model"]["pk"]), ("model_deleted", &json!(key)));
}

/// What is left of the bindings to two targets, by their place.
async fn left(server: &Server) -> Vec<String> {
    server.admin().get(&format!("{PATH}?ordering=order")).await.expect_list("order")
}

async fn with_the_policy(server: &Server) {
    let (a, b) = (application(server, "a", json!({})).await, application(server, "b", json!({})).await);
    let (yes, no) = (dummy(server, "yes", true).await, dummy(server, "no", false).await);
    bind(server, &a, 1, json!({"policy": yes})).await;
    bind(server, &b, 2, json!({"policy": yes, "enabled": false})).await;
    bind(server, &b, 3, json!({"policy": no})).await;
    let mark = server.mark().await;
    server.admin().delete(&format!("/policies/dummy/{yes}/")).await.expect_empty(204);
    assert_eq!(left(server).await, ["3"]);
    let expected = ["model_deleted dummypolicy", "model_deleted policybinding", "model_deleted policybinding"];
    assert_eq!(happened(server, &mark).await, expected);
}

async fn with_the_policy_from_the_list_of_all(server: &Server) {
    let a = application(server, "a", json!({})).await;
    let yes = dummy(server, "yes", true).await;
    bind(server, &a, 1, json!({"policy": yes})).await;
    bind(server, &a, 2, json!({"policy": yes})).await;
    let mark = server.mark().await;
    server.admin().delete(&format!("/policies/all/{yes}/")).await.expect_empty(204);
    assert_eq!(left(server).await, Vec::<String>::new());
    let expected = ["model_deleted dummypolicy", "model_deleted policybinding", "model_deleted policybinding"];
    assert_eq!(happened(server, &mark).await, expected);
}

async fn with_the_group(server: &Server) {
    let a = application(server, "a", json!({})).await;
    let (top, low) = (server.group("top", json!({})).await, server.group("other", json!({})).await);
    bind(server, &a, 1, json!({"group": top})).await;
    bind(server, &a, 2, json!({"group": low})).await;
    let mark = server.mark().await;
    server.admin().delete(&format!("/core/groups/{top}/")).await.expect_empty(204);
    assert_eq!(left(server).await, ["2"]);
    assert_eq!(happened(server, &mark).await, ["model_deleted group", "model_deleted policybinding"]);
}

async fn with_the_user(server: &Server) {
    let a = application(server, "a", json!({})).await;
    let bob = server.person("bob").await;
    let mut body = json!({"username": "ann", "name": ""});
    let ann = server.admin().post("/core/users/", &body).await.expect(201)["pk"].as_i64().expect("a number");
    bind(server, &a, 1, json!({"user": ann})).await;
    bind(server, &a, 2, json!({"user": bob.pk})).await;
    let mark = server.mark().await;
    server.admin().delete(&format!("/core/users/{ann}/")).await.expect_empty(204);
    assert_eq!(left(server).await, ["2"]);
    assert_eq!(happened(server, &mark).await, ["model_deleted policybinding", "model_deleted user"]);
    // Whoever takes the name later is not let in.
    body["name"] = json!("another");
    server.admin().post("/core/users/", &body).await.expect(201);
    assert_eq!(left(server).await, ["2"]);
}

async fn with_the_application(server: &Server) {
    let (a, b) = (application(server, "a", json!({})).await, application(server, "b", json!({})).await);
    let (yes, ann) = (dummy(server, "yes", true).await, server.person("ann").await.pk);
    let team = server.group("team", json!({})).await;
    for (order, fields) in (1..).zip([json!({"policy": yes}), json!({"group": team}), json!({"user": ann})]) {
        bind(server, &a, order, fields).await;
    }
    bind(server, &b, 4, json!({"policy": yes})).await;
    let mark = server.mark().await;
    server.admin().delete("/core/applications/a/").await.expect_empty(204);
    assert_eq!(left(server).await, ["4"]);
    let expected = [&["model_deleted application"][..], &["model_deleted policybinding"; 3]].concat();
    assert_eq!(happened(server, &mark).await, expected);
    server.admin().get(&format!("/policies/dummy/{yes}/")).await.expect(200);
    server.admin().get(&format!("/core/groups/{team}/")).await.expect(200);
}

async fn refusals_write_nothing(server: &Server) {
    let target = application(server, "app", json!({})).await;
    let one = bind(server, &target, 0, json!({"policy": dummy(server, "yes", true).await})).await;
    let ann = server.person("ann").await;
    let mark = server.mark().await;
    server.admin().patch(&path(&one), &json!({})).await.expect(400);
    server.admin().post(PATH, &json!({})).await.expect(400);
    ann.client.delete(&path(&one)).await.expect_forbidden();
    ann.client.post(PATH, &json!({})).await.expect_forbidden();
    ann.client.patch(&path(&one), &json!({})).await.expect_forbidden();
    ann.client.get(PATH).await.expect_forbidden();
    server.admin().get(PATH).await.expect(200);
    assert_eq!(server.gists_since(&mark).await, Vec::<String>::new());
}
