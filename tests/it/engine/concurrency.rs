//! Many decisions at once, and changes in the middle of them: nothing fails, nothing stale is kept.

use super::{expression, guarded, let_in, listed, slow, told};
use crate::{
    bindings::{application, bind, dummy, path},
    harness::{Server, tests},
};
use serde_json::json;
use std::time::Duration;

tests![
    fifty_at_once,
    fifty_slow_ones_at_once,
    the_policy_goes_while_it_runs,
    the_binding_goes_while_it_runs,
    the_application_goes_while_it_runs,
    whoever_is_asked_about_goes,
    nothing_waits_for_a_slow_policy,
    a_change_is_seen_by_whatever_begins_after_it,
    changes_of_bindings_and_decisions,
];

async fn fifty_at_once(server: &Server) {
    let target = application(server, "app", json!({"policy_engine_mode": "all"})).await;
    let ann = server.person("ann").await;
    let team = server.group("team", json!({"users": [ann.pk]})).await;
    bind(server, &target, 0, json!({"policy": dummy(server, "yes", true).await})).await;
    bind(server, &target, 1, json!({"policy": expression(server, "true", "return True").await})).await;
    bind(server, &target, 2, json!({"group": team})).await;
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..50 {
        let client = if number % 2 == 0 { ann.client.clone() } else { server.admin() };
        tasks.spawn(async move {
            let body = client.get("/core/applications/app/check_access/").await.expect(200);
            (number % 2 == 0, body["passing"] == true)
        });
    }
    for (member, passing) in tasks.join_all().await {
        assert_eq!(passing, member);
    }
}

/// They wait beside each other, not one after the other.
async fn fifty_slow_ones_at_once(server: &Server) {
    guarded(server, "app", json!({"policy": slow(server, "slow", 2).await})).await;
    let began = std::time::Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let client = server.admin();
        tasks.spawn(async move { let_in(&client, "app").await });
    }
    assert_eq!(tasks.join_all().await, vec![true; 50]);
    assert!(began.elapsed() < Duration::from_secs(50), "one after the other: {:?}", began.elapsed());
}

/// Asks about an application with a slow policy, and does something in the middle of it.
async fn meanwhile(server: &Server, query: &str, done: impl AsyncFnOnce()) -> (u16, String) {
    let (client, path) = (server.admin(), format!("/core/applications/app/check_access/{query}"));
    let asked = tokio::spawn(async move { client.get(&path).await });
    tokio::time::sleep(Duration::from_millis(500)).await;
    done().await;
    let answer = asked.await.expect("answered");
    (answer.status, answer.text())
}

const PASSES: &str = r#"{"passing":true,"messages":["dummy"],"log_messages":[]}"#;

async fn the_policy_goes_while_it_runs(server: &Server) {
    let policy = slow(server, "slow", 2).await;
    super::change(server, "dummy", &policy, json!({"execution_logging": true})).await;
    guarded(server, "app", json!({"policy": policy})).await;
    let gone = async || {
        server.admin().delete(&format!("/policies/dummy/{policy}/")).await.expect_empty(204);
    };
    assert_eq!(meanwhile(server, "", gone).await, (200, PASSES.to_owned()));
    assert_eq!(told(server, "app").await, (true, vec![]), "nothing is bound any more");
    assert_eq!(crate::events::findings(server).await, []);
}

async fn the_binding_goes_while_it_runs(server: &Server) {
    let (_, binding) = guarded(server, "app", json!({"policy": slow(server, "slow", 2).await})).await;
    let gone = async || server.admin().delete(&path(&binding)).await.expect_empty(204);
    assert_eq!(meanwhile(server, "", gone).await, (200, PASSES.to_owned()));
    assert_eq!(told(server, "app").await, (true, vec![]));
}

async fn the_application_goes_while_it_runs(server: &Server) {
    guarded(server, "app", json!({"policy": slow(server, "slow", 2).await})).await;
    let gone = async || server.admin().delete("/core/applications/app/").await.expect_empty(204);
    let (status, text) = meanwhile(server, "", gone).await;
    assert!(matches!(status, 200 | 404), "{status} {text}");
    server.admin().get("/core/applications/app/check_access/").await.expect_missing();
}

async fn whoever_is_asked_about_goes(server: &Server) {
    let policy = slow(server, "slow", 2).await;
    super::change(server, "dummy", &policy, json!({"execution_logging": true})).await;
    guarded(server, "app", json!({"policy": policy})).await;
    let ann = server.person("ann").await.pk;
    let gone = async || server.admin().delete(&format!("/core/users/{ann}/")).await.expect_empty(204);
    let (status, text) = meanwhile(server, &format!("?for_user={ann}"), gone).await;
    assert!(matches!(status, 200 | 400), "{status} {text}");
    assert_eq!(crate::events::findings(server).await, []);
}

/// Neither reads nor writes, also of the same policy, and not even a change of it.
async fn nothing_waits_for_a_slow_policy(server: &Server) {
    let policy = slow(server, "slow", 20).await;
    let (_, binding) = guarded(server, "app", json!({"policy": policy, "timeout": 25})).await;
    let client = server.admin();
    let asked = tokio::spawn(async move { let_in(&client, "app").await });
    tokio::time::sleep(Duration::from_millis(300)).await;
    let admin = server.admin();
    admin.get("/core/applications/?superuser_full_list=true").await.expect(200);
    admin.post("/core/groups/", &json!({"name": "g"})).await.expect(201);
    admin.patch(&format!("/policies/dummy/{policy}/"), &json!({"wait_min": 0, "wait_max": 1})).await.expect(200);
    admin.patch(&path(&binding), &json!({"policy": policy, "order": 5})).await.expect(200);
    assert_eq!(told(server, "app").await, (true, vec!["dummy".to_owned()]));
    assert!(!asked.is_finished(), "all of that was faster than the slow one");
    asked.abort();
}

/// A list that was being made while something changed is not remembered for afterwards.
async fn a_change_is_seen_by_whatever_begins_after_it(server: &Server) {
    let ann = server.person("ann").await;
    let yes = dummy(server, "yes", true).await;
    guarded(server, "app", json!({"policy": yes})).await;
    let path = format!("/policies/dummy/{yes}/");
    for round in 0..40 {
        let result = round % 2 == 1;
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..4 {
            let client = ann.client.clone();
            tasks.spawn(async move { listed(&client).await });
        }
        server.admin().patch(&path, &json!({"result": result})).await.expect(200);
        let now = listed(&ann.client).await;
        assert_eq!(now.len(), usize::from(result), "round {round}");
        tasks.join_all().await;
        assert_eq!(listed(&ann.client).await.len(), usize::from(result), "round {round}");
    }
}

/// Whatever is asked in between is answered by one of the states, never by none of them.
async fn changes_of_bindings_and_decisions(server: &Server) {
    let ann = server.person("ann").await;
    let no = dummy(server, "no", false).await;
    let (_, one) = guarded(server, "app", json!({"policy": no})).await;
    // From a policy to a group and back: ann is let in by neither, at no time.
    let team = server.group("team", json!({})).await;
    let (over, mut tasks) =
        (std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false)), tokio::task::JoinSet::new());
    for _ in 0..4 {
        let (client, over) = (ann.client.clone(), std::sync::Arc::clone(&over));
        tasks.spawn(async move {
            while !over.load(std::sync::atomic::Ordering::SeqCst) {
                assert!(!let_in(&client, "app").await);
                assert_eq!(listed(&client).await, Vec::<String>::new());
            }
        });
    }
    for _ in 0..15 {
        server.admin().patch(&path(&one), &json!({"group": team})).await.expect(200);
        server.admin().patch(&path(&one), &json!({"policy": no})).await.expect(200);
    }
    over.store(true, std::sync::atomic::Ordering::SeqCst);
    while let Some(task) = tasks.join_next().await {
        task.expect("never let in");
    }
}
