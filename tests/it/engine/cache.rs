//! What is remembered of decisions: the list of applications reads it, `check_access` never does, and
//! whatever changes ends it at once.

use super::{change, expired, expression, guarded, let_in, listed, told, told_of};
use crate::{
    bindings::{application, bind, dummy, path, policy},
    harness::{Server, tests},
};
use chrono::TimeDelta;
use serde_json::json;
use tessera::resource::reputation::service as scores;

tests![
    results_are_counted,
    asking_about_access_asks_anew_and_is_not_remembered,
    a_test_is_not_remembered,
    clearing,
    rows_changed_behind_its_back,
    results_end_after_five_minutes,
    each_account_for_itself,
    each_token_for_itself,
    scores_count_at_once,
    what_policies_hand_on,
    ended_by_a_change_of_the_policy,
    ended_by_a_change_of_the_binding,
    ended_by_a_change_of_the_account,
    ended_by_a_change_of_the_application,
    refused_changes_end_nothing_wrong,
];

/// How many results would count now.
async fn remembered(server: &Server) -> i64 {
    let info = server.admin().get("/policies/all/cache_info/").await.expect(200);
    info["count"].as_i64().expect("a number")
}

async fn results_are_counted(server: &Server) {
    let (ann, bob) = (server.person("ann").await, server.person("bob").await);
    let team = server.group("team", json!({})).await;
    let one = application(server, "one", json!({})).await;
    bind(server, &one, 0, json!({"policy": dummy(server, "yes", true).await})).await;
    bind(server, &one, 1, json!({"group": team})).await;
    guarded(server, "two", json!({"policy": dummy(server, "no", false).await})).await;
    bind(server, &one, 2, json!({"user": bob.pk, "enabled": false})).await;
    application(server, "three", json!({})).await;
    assert_eq!(remembered(server).await, 0);
    listed(&ann.client).await;
    assert_eq!(remembered(server).await, 3);
    listed(&ann.client).await;
    ann.client.get("/core/applications/?search=o&page_size=1").await.expect(200);
    assert_eq!(remembered(server).await, 3);
    listed(&bob.client).await;
    assert_eq!(remembered(server).await, 6);
    server.admin().get("/core/applications/?superuser_full_list=true").await.expect(200);
    assert_eq!(remembered(server).await, 6, "nothing was asked");
    server.admin().get(&format!("/core/applications/?for_user={}", ann.pk)).await.expect(200);
    assert_eq!(remembered(server).await, 6, "of somebody else nothing is kept");
}

async fn asking_about_access_asks_anew_and_is_not_remembered(server: &Server) {
    let ann = server.person("ann").await;
    // Passes for two days, and the clock does not end what is remembered.
    let policy = policy(server, "password_expiry", "old", json!({"days": 2, "deny_only": true})).await;
    guarded(server, "app", json!({"policy": policy})).await;
    server.advance(TimeDelta::days(2) - TimeDelta::seconds(10));
    assert_eq!(listed(&ann.client).await, ["app"]);
    assert_eq!(remembered(server).await, 1);
    server.advance(TimeDelta::seconds(20));
    assert_eq!(listed(&ann.client).await, ["app"], "remembered");
    assert_eq!(told_of(server, "app", ann.pk).await, (false, vec!["Password has expired.".to_owned()]));
    assert!(!let_in(&ann.client, "app").await);
    told(server, "app").await;
    assert_eq!(remembered(server).await, 1);
    // An administrator who asks about somebody, from elsewhere, decides nothing for them.
    assert_eq!(listed(&ann.client).await, ["app"]);
    server.advance(TimeDelta::seconds(300));
    assert_eq!(listed(&ann.client).await, Vec::<String>::new());
}

async fn a_test_is_not_remembered(server: &Server) {
    let ann = server.person("ann").await;
    let policy = dummy(server, "yes", true).await;
    guarded(server, "app", json!({"policy": policy})).await;
    server.admin().post(&format!("/policies/all/{policy}/test/"), &json!({"user": ann.pk})).await.expect(200);
    assert_eq!(remembered(server).await, 0);
}

async fn clearing(server: &Server) {
    let ann = server.person("ann").await;
    guarded(server, "app", json!({"policy": dummy(server, "yes", true).await})).await;
    listed(&ann.client).await;
    assert_eq!(remembered(server).await, 1);
    ann.client.post("/policies/all/cache_clear/", &json!({})).await.expect_forbidden();
    ann.client.get("/policies/all/cache_info/").await.expect_forbidden();
    assert_eq!(remembered(server).await, 1);
    server.admin().post("/policies/all/cache_clear/", &json!({})).await.expect_empty(204);
    assert_eq!(remembered(server).await, 0);
    assert_eq!(listed(&ann.client).await, ["app"]);
    let bob = server.holder_of("bob", &["authentik_policies.view_policy_cache"]).await;
    bob.client.get("/policies/all/cache_info/").await.expect(200);
    bob.client.post("/policies/all/cache_clear/", &json!({})).await.expect_forbidden();
    for code in ["authentik_policies.clear_policy_cache", "authentik_policies.add_policy"] {
        server.grant(bob.holder(), code, None).await;
    }
    bob.client.post("/policies/all/cache_clear/", &json!({})).await.expect_empty(204);
}

/// The list goes by what it knows, until it is told to forget.
async fn rows_changed_behind_its_back(server: &Server) {
    let ann = server.person("ann").await;
    let old = expired(server, "old").await;
    change(server, "password_expiry", &old, json!({"days": 1})).await;
    guarded(server, "policy", json!({"policy": dummy(server, "yes", true).await})).await;
    guarded(server, "account", json!({"policy": old})).await;
    assert_eq!(listed(&ann.client).await, ["account", "policy"]);
    let turned =
        "UPDATE policies SET settings = '{\"result\": false, \"wait_min\": 0, \"wait_max\": 1}' WHERE name = 'yes'";
    assert_eq!(server.sql(turned).await, 1);
    let aged = format!(
        "UPDATE users SET password_change_date = (SELECT password_change_date FROM users WHERE username = 'akadmin') \
         WHERE id = {}",
        ann.pk
    );
    assert_eq!(server.sql(&aged).await, 1);
    server.advance(TimeDelta::seconds(299));
    assert_eq!(listed(&ann.client).await, ["account", "policy"]);
    server.admin().post("/policies/all/cache_clear/", &json!({})).await.expect_empty(204);
    let now = listed(&ann.client).await;
    assert!(!now.contains(&"policy".to_owned()), "{now:?}");
    assert!(!let_in(&ann.client, "policy").await);
}

async fn results_end_after_five_minutes(server: &Server) {
    let ann = server.person("ann").await;
    let policy = policy(server, "password_expiry", "old", json!({"days": 2, "deny_only": true})).await;
    guarded(server, "app", json!({"policy": policy})).await;
    server.advance(TimeDelta::days(2) - TimeDelta::seconds(1));
    assert_eq!(listed(&ann.client).await, ["app"]);
    server.advance(TimeDelta::seconds(299));
    assert_eq!(listed(&ann.client).await, ["app"]);
    assert_eq!(remembered(server).await, 1);
    server.advance(TimeDelta::seconds(1));
    assert_eq!(remembered(server).await, 0);
    assert_eq!(listed(&ann.client).await, Vec::<String>::new());
    assert_eq!(remembered(server).await, 1);
}

async fn each_account_for_itself(server: &Server) {
    let (ann, bob) = (server.person("ann").await, server.person("bob").await);
    let policy = expression(server, "who", "return request.user.username == 'ann'").await;
    guarded(server, "app", json!({"policy": policy})).await;
    for _ in 0..2 {
        assert_eq!(listed(&ann.client).await, ["app"]);
        assert_eq!(listed(&bob.client).await, Vec::<String>::new());
        let over = |pk: i64| format!("/core/applications/?for_user={pk}");
        assert_eq!(server.admin().get(&over(ann.pk)).await.expect_list("slug"), ["app"]);
        assert_eq!(server.admin().get(&over(bob.pk)).await.expect_list("slug"), Vec::<String>::new());
    }
}

/// A token stands for what the original knows as a session.
async fn each_token_for_itself(server: &Server) {
    let ann = server.person("ann").await;
    guarded(server, "app", json!({"policy": dummy(server, "yes", true).await})).await;
    let token = json!({"identifier": "other", "intent": "api", "user": ann.pk, "expiring": false});
    server.admin().post("/core/tokens/", &token).await.expect(201);
    let other = server.with_key(&server.key_of("other").await);
    for (client, count) in [(&ann.client, 1), (&other, 2), (&ann.client, 2), (&other, 2)] {
        assert_eq!(listed(client).await, ["app"]);
        assert_eq!(remembered(server).await, count);
    }
}

/// Scores change without anybody being told, so nothing is kept of them.
async fn scores_count_at_once(server: &Server) {
    let ann = server.person("ann").await;
    let fields = json!({"check_ip": false, "check_username": true, "threshold": -5});
    guarded(server, "app", json!({"policy": policy(server, "reputation", "bad", fields).await})).await;
    let score = async |points: i64| {
        let ctx = server.system();
        let mut tx = ctx.begin().await.expect("a transaction");
        scores::add(&ctx, &mut tx, "ann", "192.0.2.1", points).await.expect("added");
        tx.commit().await.expect("committed");
    };
    assert_eq!(listed(&ann.client).await, Vec::<String>::new());
    score(-5).await;
    assert_eq!(listed(&ann.client).await, ["app"], "whose reputation is bad");
    score(1).await;
    assert_eq!(listed(&ann.client).await, Vec::<String>::new());
}

/// What one policy leaves in the context is there for the next, also when the list was made before; and it
/// ends with the application.
async fn what_policies_hand_on(server: &Server) {
    let ann = server.person("ann").await;
    let gives = expression(server, "gives", "context['given'] = 7\nreturn True").await;
    let takes = expression(server, "takes", "return context.get('given') == 7").await;
    for (slug, orders) in [("a", [0, 1]), ("b", [1, 0])] {
        let target = application(server, slug, json!({"policy_engine_mode": "all"})).await;
        bind(server, &target, orders[0], json!({"policy": gives})).await;
        bind(server, &target, orders[1], json!({"policy": takes})).await;
    }
    guarded(server, "c", json!({"policy": takes})).await;
    for _ in 0..3 {
        assert_eq!(listed(&ann.client).await, ["a"]);
        assert!(let_in(&ann.client, "a").await);
        assert!(!let_in(&ann.client, "b").await);
    }
}

async fn ended_by_a_change_of_the_policy(server: &Server) {
    let ann = server.person("ann").await;
    let yes = dummy(server, "yes", true).await;
    guarded(server, "app", json!({"policy": yes})).await;
    for _ in 0..5 {
        assert_eq!(listed(&ann.client).await, ["app"]);
        change(server, "dummy", &yes, json!({"result": false})).await;
        assert_eq!(listed(&ann.client).await, Vec::<String>::new());
        let body = json!({"name": "yes", "result": true});
        server.admin().put(&format!("/policies/dummy/{yes}/"), &body).await.expect(200);
    }
    change(server, "dummy", &yes, json!({"result": false})).await;
    assert_eq!(listed(&ann.client).await, Vec::<String>::new());
    server.admin().delete(&format!("/policies/all/{yes}/")).await.expect_empty(204);
    assert_eq!(listed(&ann.client).await, ["app"], "nothing is bound any more");
}

async fn ended_by_a_change_of_the_binding(server: &Server) {
    let ann = server.person("ann").await;
    let yes = dummy(server, "yes", true).await;
    let (target, one) = guarded(server, "app", json!({"policy": yes})).await;
    let closed = Vec::<String>::new();
    assert_eq!(listed(&ann.client).await, ["app"]);
    server.admin().patch(&path(&one), &json!({"policy": yes, "negate": true})).await.expect(200);
    assert_eq!(listed(&ann.client).await, closed);
    server.admin().patch(&path(&one), &json!({"policy": yes, "enabled": false})).await.expect(200);
    assert_eq!(listed(&ann.client).await, ["app"]);
    server.admin().patch(&path(&one), &json!({"policy": yes, "enabled": true})).await.expect(200);
    assert_eq!(listed(&ann.client).await, closed);
    server.admin().patch(&path(&one), &json!({"user": ann.pk, "negate": false})).await.expect(200);
    assert_eq!(listed(&ann.client).await, ["app"]);
    server.admin().patch(&path(&one), &json!({"group": server.group("team", json!({})).await})).await.expect(200);
    assert_eq!(listed(&ann.client).await, closed);
    let other = bind(server, &target, 1, json!({"policy": yes})).await;
    assert_eq!(listed(&ann.client).await, ["app"]);
    server.admin().delete(&path(&other)).await.expect_empty(204);
    assert_eq!(listed(&ann.client).await, closed);
    server.admin().delete(&path(&one)).await.expect_empty(204);
    assert_eq!(listed(&ann.client).await, ["app"]);
}

async fn ended_by_a_change_of_the_account(server: &Server) {
    let ann = server.person("ann").await;
    let policy = expression(server, "name", "return request.user.name == 'in'").await;
    guarded(server, "app", json!({"policy": policy})).await;
    let user = format!("/core/users/{}/", ann.pk);
    for _ in 0..3 {
        assert_eq!(listed(&ann.client).await, Vec::<String>::new());
        server.admin().patch(&user, &json!({"name": "in"})).await.expect(200);
        assert_eq!(listed(&ann.client).await, ["app"]);
        server.admin().patch(&user, &json!({"name": "out"})).await.expect(200);
    }
    // A new password is young.
    let old = policy_of_two_days(server).await;
    guarded(server, "other", json!({"policy": old})).await;
    server.advance(TimeDelta::days(3));
    assert_eq!(listed(&ann.client).await, Vec::<String>::new());
    server.admin().post(&format!("{user}set_password/"), &json!({"password": "correct horse"})).await.expect_empty(204);
    assert_eq!(listed(&ann.client).await, ["other"]);
}

async fn policy_of_two_days(server: &Server) -> String {
    policy(server, "password_expiry", "old", json!({"days": 2, "deny_only": true})).await
}

async fn ended_by_a_change_of_the_application(server: &Server) {
    let ann = server.person("ann").await;
    let target = application(server, "app", json!({})).await;
    bind(server, &target, 0, json!({"policy": dummy(server, "yes", true).await})).await;
    bind(server, &target, 1, json!({"policy": dummy(server, "no", false).await})).await;
    assert_eq!(listed(&ann.client).await, ["app"]);
    server.admin().patch("/core/applications/app/", &json!({"policy_engine_mode": "all"})).await.expect(200);
    assert_eq!(listed(&ann.client).await, Vec::<String>::new());
    server
        .admin()
        .patch("/core/applications/app/", &json!({"policy_engine_mode": "any", "slug": "new"}))
        .await
        .expect(200);
    assert_eq!(listed(&ann.client).await, ["new"]);
    application(server, "further", json!({})).await;
    assert_eq!(listed(&ann.client).await, ["new", "further"], "by name");
    server.admin().delete("/core/applications/new/").await.expect_empty(204);
    assert_eq!(listed(&ann.client).await, ["further"]);
}

async fn refused_changes_end_nothing_wrong(server: &Server) {
    let ann = server.person("ann").await;
    let yes = dummy(server, "yes", true).await;
    let (_, one) = guarded(server, "app", json!({"policy": yes})).await;
    assert_eq!(listed(&ann.client).await, ["app"]);
    server.admin().patch(&format!("/policies/dummy/{yes}/"), &json!({"name": "", "result": false})).await.expect(400);
    server.admin().patch(&path(&one), &json!({"negate": true})).await.expect(400);
    assert_eq!(listed(&ann.client).await, ["app"]);
    assert_eq!(told(server, "app").await, (true, vec!["dummy".to_owned()]));
}
