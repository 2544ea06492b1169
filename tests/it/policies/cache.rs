//! What is remembered of results (contract: authentik-core §5.1, §5.3): who may count and clear it, what
//! adds to it, and what ends it.

use super::{ADD, application, bind, kinds::DUMMY, make, text};
use crate::harness::{Person, Server, tests};
use chrono::TimeDelta;
use serde_json::json;
use std::time::Duration;

tests![
    who_may_count,
    who_may_clear,
    a_listing_adds_to_it,
    each_account_has_its_own,
    nothing_bound_nothing_remembered,
    clearing,
    changes_of_the_policy_count_at_once,
    changes_of_the_binding_count_at_once,
    changes_of_groups_count_at_once,
    changes_of_accounts_count_at_once,
    deleting_what_is_bound_counts_at_once,
    it_ends_with_time,
    a_look_at_one_application_is_never_old,
];

const INFO: &str = "/policies/all/cache_info/";
const CLEAR: &str = "/policies/all/cache_clear/";

async fn count(server: &Server) -> i64 {
    let info = server.admin().get(INFO).await.expect(200);
    assert_eq!(info.as_object().expect("an object").len(), 1, "{info}");
    info["count"].as_i64().expect("a number")
}

/// The applications that somebody is let into.
async fn applications(person: &Person) -> Vec<String> {
    person.client.get("/core/applications/").await.expect_list("slug")
}

/// Waits until the server has noticed in the database, too, what it has changed itself: it forgets once more then.
async fn settle(server: &Server) {
    let generation = server.app.generation.current();
    for _ in 0..100 {
        tokio::time::sleep(Duration::from_millis(10)).await;
        if server.app.generation.current() != generation {
            return;
        }
    }
}

/// Looks at the applications until that is remembered.
async fn look(server: &Server, person: &Person) {
    for _ in 0..20 {
        applications(person).await;
        if count(server).await > 0 {
            return;
        }
    }
    panic!("nothing is remembered");
}

/// An application with a dummy policy, and somebody to look at it.
struct Scene {
    policy: String,
    binding: String,
    bob: Person,
}

async fn scene(server: &Server) -> Scene {
    let fields = json!({"result": true, "wait_min": 0, "wait_max": 1});
    let policy = make(server, &DUMMY, "policy", fields).await;
    let binding = bind(server, &policy, &application(server, "wiki").await, 0).await;
    let bob = server.person("bob").await;
    settle(server).await;
    Scene { policy, binding, bob }
}

async fn who_may_count(server: &Server) {
    for (name, codes, status) in [
        ("nothing", &[][..], 403),
        ("policies", &["authentik_policies.view_policy", ADD], 403),
        ("clears", &["authentik_policies.clear_policy_cache", ADD], 403),
        ("counts", &["authentik_policies.view_policy_cache"], 200),
    ] {
        let answer = server.holder_of(name, codes).await.client.get(INFO).await;
        if status == 403 { answer.expect_forbidden() } else { answer.expect_body(200, &json!({"count": 0})) }
    }
    // On one policy it is no permission to count.
    let policy = make(server, &DUMMY, "policy", json!({})).await;
    let one = server.person("one").await;
    server.grant(one.holder(), "authentik_policies.view_policy_cache", Some(&policy)).await;
    one.client.get(INFO).await.expect_forbidden();
}

async fn who_may_clear(server: &Server) {
    for (name, codes, status) in [
        ("nothing", &[][..], 403),
        ("adds", &[ADD], 403),
        ("counts", &["authentik_policies.view_policy_cache", ADD], 403),
        ("clears", &["authentik_policies.clear_policy_cache"], 403),
        ("both", &["authentik_policies.clear_policy_cache", ADD], 204),
    ] {
        let answer = server.holder_of(name, codes).await.client.post(CLEAR, &json!({})).await;
        if status == 403 { answer.expect_forbidden() } else { answer.expect_empty(204) }
    }
    let anonymous = server.anonymous();
    anonymous.post(CLEAR, &json!({})).await.expect_detail(403, "Authentication credentials were not provided.");
    anonymous.get(INFO).await.expect_detail(403, "Authentication credentials were not provided.");
}

async fn a_listing_adds_to_it(server: &Server) {
    let scene = scene(server).await;
    assert_eq!(count(server).await, 0);
    assert_eq!(applications(&scene.bob).await, ["wiki"]);
    let after = count(server).await;
    assert!(after > 0);
    assert_eq!(applications(&scene.bob).await, ["wiki"]);
    assert_eq!(count(server).await, after, "it is the same result");
}

async fn each_account_has_its_own(server: &Server) {
    let scene = scene(server).await;
    let ann = server.person("ann").await;
    settle(server).await;
    applications(&scene.bob).await;
    let one = count(server).await;
    applications(&ann).await;
    assert_eq!(count(server).await, 2 * one);
}

async fn nothing_bound_nothing_remembered(server: &Server) {
    application(server, "open").await;
    let bob = server.person("bob").await;
    assert_eq!(applications(&bob).await, ["open"]);
    assert_eq!(count(server).await, 0);
}

async fn clearing(server: &Server) {
    let scene = scene(server).await;
    look(server, &scene.bob).await;
    let mark = server.mark().await;
    server.admin().post(CLEAR, &json!({})).await.expect_empty(204);
    assert_eq!(count(server).await, 0);
    assert_eq!(server.gists_since(&mark).await, Vec::<String>::new());
    assert_eq!(applications(&scene.bob).await, ["wiki"]);
    look(server, &scene.bob).await;
}

/// The original goes on saying for minutes what it has said.
async fn changes_of_the_policy_count_at_once(server: &Server) {
    let Scene { policy, bob, .. } = scene(server).await;
    for result in [false, true] {
        look(server, &bob).await;
        server.admin().patch(&DUMMY.one(&policy), &json!({"result": result})).await.expect(200);
        assert_eq!(count(server).await, 0);
        assert_eq!(applications(&bob).await.is_empty(), !result);
    }
    // Even if nothing that matters has changed.
    server.admin().patch(&DUMMY.one(&policy), &json!({})).await.expect(200);
    assert_eq!(count(server).await, 0);
}

async fn changes_of_the_binding_count_at_once(server: &Server) {
    let Scene { policy, binding, bob } = scene(server).await;
    let path = format!("/policies/bindings/{binding}/");
    for (change, visible) in [
        (json!({"negate": true}), false),
        (json!({"enabled": false}), true),
        (json!({"enabled": true}), false),
        (json!({"negate": false}), true),
    ] {
        // With nothing switched on there is nothing to remember.
        applications(&bob).await;
        let body = super::with(&json!({"policy": policy}), &change);
        server.admin().patch(&path, &body).await.expect(200);
        assert_eq!(count(server).await, 0, "{change}");
        assert_eq!(!applications(&bob).await.is_empty(), visible, "{change}");
    }
    // A new one counts, too: both pass, or one of them.
    let target = text(&server.admin().get(&path).await.expect(200)["target"]);
    server.admin().patch("/core/applications/wiki/", &json!({"policy_engine_mode": "all"})).await.expect(200);
    assert_eq!(applications(&bob).await, ["wiki"]);
    let no = make(server, &DUMMY, "no", json!({"wait_min": 0, "wait_max": 1})).await;
    bind(server, &no, &target, 1).await;
    assert_eq!(count(server).await, 0);
    assert_eq!(applications(&bob).await, Vec::<String>::new());
    server.admin().patch("/core/applications/wiki/", &json!({"policy_engine_mode": "any"})).await.expect(200);
    assert_eq!(applications(&bob).await, ["wiki"]);
}

async fn changes_of_groups_count_at_once(server: &Server) {
    let admin = server.admin();
    let target = application(server, "wiki").await;
    let top = server.group("top", json!({})).await;
    let team = server.group("team", json!({})).await;
    let bob = server.person("bob").await;
    admin.post("/policies/bindings/", &json!({"group": top, "target": target, "order": 0})).await.expect(201);
    let team_path = format!("/core/groups/{team}/");
    let parent = [(json!({"parent": top}), true), (json!({"parent": null}), false)];
    for (change, visible) in [
        (json!({"users": [bob.pk]}), false),
        parent[0].clone(),
        (json!({"users": []}), false),
        (json!({"users": [bob.pk]}), true),
        parent[1].clone(),
    ] {
        look(server, &bob).await;
        admin.patch(&team_path, &change).await.expect(200);
        assert_eq!(count(server).await, 0, "{change}");
        assert_eq!(!applications(&bob).await.is_empty(), visible, "{change}");
    }
    admin.patch(&team_path, &json!({"parent": top})).await.expect(200);
    for (action, visible) in [("remove_user", false), ("add_user", true)] {
        look(server, &bob).await;
        admin.post(&format!("{team_path}{action}/"), &json!({"pk": bob.pk})).await.expect_empty(204);
        assert_eq!(!applications(&bob).await.is_empty(), visible, "{action}");
    }
    admin.delete(&team_path).await.expect_empty(204);
    assert_eq!(count(server).await, 0);
    assert_eq!(applications(&bob).await, Vec::<String>::new());
}

async fn changes_of_accounts_count_at_once(server: &Server) {
    let scene = scene(server).await;
    let path = format!("/core/users/{}/", scene.bob.pk);
    look(server, &scene.bob).await;
    server.admin().patch(&path, &json!({"attributes": {"a": 1}})).await.expect(200);
    assert_eq!(count(server).await, 0);
    look(server, &scene.bob).await;
    server.admin().delete(&path).await.expect_empty(204);
    assert_eq!(count(server).await, 0);
}

async fn deleting_what_is_bound_counts_at_once(server: &Server) {
    let admin = server.admin();
    let no = make(server, &DUMMY, "no", json!({"wait_min": 0, "wait_max": 1})).await;
    let target = application(server, "wiki").await;
    let bob = server.person("bob").await;
    bind(server, &no, &target, 0).await;
    assert_eq!(applications(&bob).await, Vec::<String>::new());
    // Nothing is bound any more, and everybody is let in.
    admin.delete(&DUMMY.one(&no)).await.expect_empty(204);
    assert_eq!(applications(&bob).await, ["wiki"]);
    let no = make(server, &DUMMY, "no", json!({"wait_min": 0, "wait_max": 1})).await;
    let binding = bind(server, &no, &target, 0).await;
    assert_eq!(applications(&bob).await, Vec::<String>::new());
    admin.delete(&format!("/policies/bindings/{binding}/")).await.expect_empty(204);
    assert_eq!(applications(&bob).await, ["wiki"]);
    bind(server, &no, &target, 0).await;
    admin.delete("/core/applications/wiki/").await.expect_empty(204);
    assert_eq!(applications(&bob).await, Vec::<String>::new());
    assert_eq!(count(server).await, 0);
}

async fn it_ends_with_time(server: &Server) {
    let scene = scene(server).await;
    applications(&scene.bob).await;
    server.advance(TimeDelta::seconds(299));
    assert!(count(server).await > 0);
    server.advance(TimeDelta::seconds(1));
    assert_eq!(count(server).await, 0);
}

/// Whoever asks about one application gets what is true now: here an age that nothing but time changes.
async fn a_look_at_one_application_is_never_old(server: &Server) {
    let ages = make(server, &super::kinds::EXPIRY, "ages", json!({"days": 1, "deny_only": true})).await;
    let target = application(server, "wiki").await;
    bind(server, &ages, &target, 0).await;
    let bob = server.person("bob").await;
    let passing = async || {
        bob.client.get("/core/applications/wiki/check_access/").await.expect(200)["passing"]
            .as_bool()
            .expect("a boolean")
    };
    server.advance(TimeDelta::days(1) - TimeDelta::seconds(10));
    assert_eq!(applications(&bob).await, ["wiki"]);
    assert!(passing().await);
    server.advance(TimeDelta::seconds(20));
    assert!(!passing().await);
}
