//! Putting together what the bindings of a target say.

use super::{change, expired, told, told_of, unset};
use crate::{
    bindings::{application, bind, dummy, path},
    harness::{Server, tests},
};
use serde_json::json;

tests![
    nothing_bound_lets_everybody_in,
    messages_in_their_order,
    nothing_is_skipped,
    any_and_all,
    another_mode,
    disabled_ones_say_nothing,
    negated_policies,
    negated_groups_and_accounts,
    groups_and_accounts_say_nothing,
    kinds_together,
];

async fn nothing_bound_lets_everybody_in(server: &Server) {
    for mode in ["any", "all"] {
        let target = application(server, mode, json!({"policy_engine_mode": mode})).await;
        assert_eq!(told(server, mode).await, (true, vec![]));
        let no = dummy(server, &format!("no {mode}"), false).await;
        let one = bind(server, &target, 0, json!({"policy": no})).await;
        assert_eq!(told(server, mode).await, (false, vec!["dummy".into()]));
        server.admin().patch(&path(&one), &json!({"policy": no, "enabled": false})).await.expect(200);
        assert_eq!(told(server, mode).await, (true, vec![]), "only disabled ones are none");
    }
}

/// By `order`, whatever order they were made in.
async fn messages_in_their_order(server: &Server) {
    let target = application(server, "app", json!({})).await;
    let (yes, old, unset) =
        (dummy(server, "yes", true).await, expired(server, "old").await, unset(server, "unset").await);
    let (first, second, third) = ("Password has expired.", "dummy", "Password not set in context");
    bind(server, &target, 100, json!({"policy": unset})).await;
    bind(server, &target, -5, json!({"policy": old})).await;
    let middle = bind(server, &target, 0, json!({"policy": yes})).await;
    assert_eq!(told(server, "app").await, (true, vec![first.into(), second.into(), third.into()]));
    server.admin().patch(&path(&middle), &json!({"policy": yes, "order": 2_147_483_647})).await.expect(200);
    assert_eq!(told(server, "app").await, (true, vec![first.into(), third.into(), second.into()]));
    server.admin().patch(&path(&middle), &json!({"policy": yes, "order": -2_147_483_648_i64})).await.expect(200);
    assert_eq!(told(server, "app").await, (true, vec![second.into(), first.into(), third.into()]));
}

/// Also when an earlier one has decided already.
async fn nothing_is_skipped(server: &Server) {
    let (yes, old) = (dummy(server, "yes", true).await, expired(server, "old").await);
    for (mode, order, passing) in [("any", [0, 1], true), ("all", [1, 0], false)] {
        let target = application(server, mode, json!({"policy_engine_mode": mode})).await;
        bind(server, &target, order[0], json!({"policy": yes})).await;
        bind(server, &target, order[1], json!({"policy": old})).await;
        let (said, messages) = told(server, mode).await;
        assert_eq!((said, messages.len()), (passing, 2), "{messages:?}");
    }
}

async fn any_and_all(server: &Server) {
    let any = application(server, "any", json!({})).await;
    let all = application(server, "all", json!({"policy_engine_mode": "all"})).await;
    let mut policies = Vec::new();
    for index in 0..3 {
        let policy = dummy(server, &format!("p{index}"), false).await;
        bind(server, &any, index, json!({"policy": policy})).await;
        bind(server, &all, index, json!({"policy": policy})).await;
        policies.push(policy);
    }
    for (results, at_least_one, each) in [
        ([false, false, false], false, false),
        ([true, false, false], true, false),
        ([false, true, false], true, false),
        ([false, false, true], true, false),
        ([true, true, false], true, false),
        ([true, false, true], true, false),
        ([false, true, true], true, false),
        ([true, true, true], true, true),
    ] {
        for (policy, result) in policies.iter().zip(results) {
            change(server, "dummy", policy, json!({"result": result})).await;
        }
        assert_eq!(told(server, "any").await.0, at_least_one, "any of {results:?}");
        assert_eq!(told(server, "all").await.0, each, "all of {results:?}");
    }
}

async fn another_mode(server: &Server) {
    let target = application(server, "app", json!({})).await;
    bind(server, &target, 0, json!({"policy": dummy(server, "yes", true).await})).await;
    bind(server, &target, 1, json!({"policy": dummy(server, "no", false).await})).await;
    for (mode, passing) in [("all", false), ("any", true), ("all", false)] {
        server.admin().patch("/core/applications/app/", &json!({"policy_engine_mode": mode})).await.expect(200);
        assert_eq!(told(server, "app").await.0, passing, "{mode}");
    }
}

async fn disabled_ones_say_nothing(server: &Server) {
    let target = application(server, "app", json!({"policy_engine_mode": "all"})).await;
    let (yes, old) = (dummy(server, "yes", true).await, expired(server, "old").await);
    bind(server, &target, 0, json!({"policy": yes})).await;
    let one = bind(server, &target, 1, json!({"policy": old, "enabled": false})).await;
    let group =
        bind(server, &target, 2, json!({"group": server.group("team", json!({})).await, "enabled": false})).await;
    assert_eq!(told(server, "app").await, (true, vec!["dummy".into()]));
    server.admin().patch(&path(&one), &json!({"policy": old, "enabled": true})).await.expect(200);
    assert_eq!(told(server, "app").await, (false, vec!["dummy".into(), "Password has expired.".into()]));
    server.admin().delete(&path(&one)).await.expect_empty(204);
    server.admin().delete(&path(&group)).await.expect_empty(204);
    assert_eq!(told(server, "app").await, (true, vec!["dummy".into()]));
}

/// The outcome is turned round, the messages stay.
async fn negated_policies(server: &Server) {
    let target = application(server, "app", json!({})).await;
    let (yes, old) = (dummy(server, "yes", true).await, expired(server, "old").await);
    for (policy, negate, passing, message) in [
        (&yes, false, true, "dummy"),
        (&yes, true, false, "dummy"),
        (&old, false, false, "Password has expired."),
        (&old, true, true, "Password has expired."),
    ] {
        let one = bind(server, &target, 0, json!({"policy": policy, "negate": negate})).await;
        assert_eq!(told(server, "app").await, (passing, vec![message.into()]), "negate {negate}");
        server.admin().delete(&path(&one)).await.expect_empty(204);
    }
    // The other way round in `all`: it lets in whom none of them does.
    server.admin().patch("/core/applications/app/", &json!({"policy_engine_mode": "all"})).await.expect(200);
    bind(server, &target, 0, json!({"policy": old, "negate": true})).await;
    bind(server, &target, 1, json!({"policy": yes})).await;
    assert!(told(server, "app").await.0);
}

async fn negated_groups_and_accounts(server: &Server) {
    let (ann, bob) = (server.person("ann").await.pk, server.person("bob").await.pk);
    let team = server.group("team", json!({"users": [ann]})).await;
    for (slug, fields) in [("group", json!({"group": team})), ("user", json!({"user": ann}))] {
        let target = application(server, slug, json!({})).await;
        let one = bind(server, &target, 0, fields.clone()).await;
        assert_eq!(told_of(server, slug, ann).await, (true, vec![]));
        assert_eq!(told_of(server, slug, bob).await, (false, vec![]));
        server.admin().patch(&path(&one), &crate::bindings::with(fields, &json!({"negate": true}))).await.expect(200);
        assert_eq!(told_of(server, slug, ann).await, (false, vec![]), "all but the {slug}");
        assert_eq!(told_of(server, slug, bob).await, (true, vec![]), "all but the {slug}");
    }
}

async fn groups_and_accounts_say_nothing(server: &Server) {
    let ann = server.person("ann").await.pk;
    let target = application(server, "app", json!({})).await;
    bind(server, &target, 0, json!({"user": ann})).await;
    bind(server, &target, 1, json!({"group": server.group("team", json!({})).await})).await;
    bind(server, &target, 2, json!({"policy": dummy(server, "no", false).await})).await;
    assert_eq!(told_of(server, "app", ann).await, (true, vec!["dummy".into()]));
    assert_eq!(told(server, "app").await, (false, vec!["dummy".into()]));
    // `failure_result` is about policies that give up, and nothing else.
    let other = application(server, "other", json!({})).await;
    bind(server, &other, 0, json!({"user": ann, "failure_result": true})).await;
    assert_eq!(told(server, "other").await, (false, vec![]));
    let third = application(server, "third", json!({})).await;
    bind(server, &third, 0, json!({"policy": dummy(server, "never", false).await, "failure_result": true})).await;
    assert_eq!(told(server, "third").await, (false, vec!["dummy".into()]));
}

/// In `all`, only the one account that is in the group, and only while the policy agrees.
async fn kinds_together(server: &Server) {
    let (ann, bob) = (server.person("ann").await.pk, server.person("bob").await.pk);
    let team = server.group("team", json!({"users": [ann, bob]})).await;
    let target = application(server, "app", json!({"policy_engine_mode": "all"})).await;
    let policy = dummy(server, "yes", true).await;
    bind(server, &target, 0, json!({"policy": policy})).await;
    bind(server, &target, 0, json!({"group": team})).await;
    bind(server, &target, 0, json!({"user": ann})).await;
    assert_eq!(told_of(server, "app", ann).await, (true, vec!["dummy".into()]));
    assert_eq!(told_of(server, "app", bob).await, (false, vec!["dummy".into()]));
    change(server, "dummy", &policy, json!({"result": false})).await;
    assert_eq!(told_of(server, "app", ann).await, (false, vec!["dummy".into()]));
    server.admin().patch("/core/applications/app/", &json!({"policy_engine_mode": "any"})).await.expect(200);
    assert_eq!(told_of(server, "app", bob).await, (true, vec!["dummy".into()]));
}
