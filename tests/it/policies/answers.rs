//! What dummy, event matcher and reputation policies answer (contract: authentik-core §5.7).

use super::{
    fails, fails_somehow,
    kinds::{DUMMY, EVENT_MATCHER, REPUTATION},
    make, outcome,
};
use crate::harness::{Server, tests};
use chrono::TimeDelta;
use serde_json::{Value, json};
use tessera::resource::reputation::service as scores;

tests![
    a_dummy_gives_its_result,
    a_dummy_that_cannot_wait,
    no_event_no_match,
    nothing_to_look_for,
    one_criterion,
    any_criterion,
    events_that_are_none,
    a_reputation_that_is_bad,
    scores_of_the_address,
    scores_of_the_name,
    address_and_name,
    scores_that_have_ended,
];

async fn a_dummy_gives_its_result(server: &Server) {
    let ann = server.person("ann").await;
    for result in [true, false] {
        let fields = json!({"result": result, "wait_min": 0, "wait_max": 1});
        let policy = make(server, &DUMMY, &result.to_string(), fields).await;
        for context in [json!({}), json!({"result": !result})] {
            assert_eq!(outcome(server, &policy, &ann, context).await, (result, vec!["dummy".to_owned()]));
        }
    }
}

/// An error of its own making is no crash here, and lets nobody in.
async fn a_dummy_that_cannot_wait(server: &Server) {
    let ann = server.person("ann").await;
    for (number, (least, most)) in [(5, 5), (6, 5), (0, 0), (0, -1), (i32::MAX, i32::MIN)].into_iter().enumerate() {
        let fields = json!({"result": true, "wait_min": least, "wait_max": most});
        let policy = make(server, &DUMMY, &format!("dummy {number}"), fields).await;
        fails_somehow(&outcome(server, &policy, &ann, json!({})).await);
    }
}

/// An event as the API shows them.
fn event() -> Value {
    json!({
        "action": "model_created", "app": "authentik.core", "client_ip": "192.0.2.1", "user": {"pk": 1},
        "context": {"model": {"app": "authentik_core", "model_name": "group", "pk": "1", "name": "g"}},
    })
}

async fn no_event_no_match(server: &Server) {
    let ann = server.person("ann").await;
    let all = json!({
        "action": "model_created", "app": "authentik.core", "client_ip": "192.0.2.1", "model": "authentik_core.group",
    });
    for (name, fields) in [("all", all), ("none", json!({}))] {
        let policy = make(server, &EVENT_MATCHER, name, fields).await;
        for context in [json!({}), json!({"other": event()})] {
            assert!(!outcome(server, &policy, &ann, context).await.0);
        }
    }
}

async fn nothing_to_look_for(server: &Server) {
    let ann = server.person("ann").await;
    let policy = make(server, &EVENT_MATCHER, "none", json!({})).await;
    assert!(!outcome(server, &policy, &ann, json!({"event": event()})).await.0);
}

async fn one_criterion(server: &Server) {
    let ann = server.person("ann").await;
    for (field, same, other, message) in [
        ("action", "model_created", "model_deleted", "Action matched."),
        ("client_ip", "192.0.2.1", "192.0.2.10", "Client IP matched."),
        ("app", "authentik.core", "authentik.events", "App matched."),
        ("model", "authentik_core.group", "authentik_core.user", "Model matched."),
    ] {
        for (wanted, passing) in [(same, true), (other, false)] {
            let policy = make(server, &EVENT_MATCHER, wanted, json!({field: wanted})).await;
            // Each says its text, whether it matched or not.
            let expected = (passing, vec![message.to_owned()]);
            assert_eq!(outcome(server, &policy, &ann, json!({"event": event()})).await, expected, "{field} {wanted}");
        }
    }
}

async fn any_criterion(server: &Server) {
    let ann = server.person("ann").await;
    let all = &["Action matched.", "Client IP matched.", "App matched.", "Model matched."];
    for (number, (fields, passing, messages)) in [
        (json!({"action": "login", "client_ip": "192.0.2.2", "app": "authentik.api", "model": "authentik_core.token"}), false, &all[..]),
        (json!({"action": "login", "client_ip": "192.0.2.2", "app": "authentik.api", "model": "authentik_core.group"}), true, &all[..]),
        (json!({"action": "model_created", "client_ip": "192.0.2.2"}), true, &all[..2]),
        (json!({"client_ip": "192.0.2.2", "app": "authentik.core"}), true, &all[1..3]),
        (json!({"client_ip": "192.0.2.2", "app": "authentik.api"}), false, &all[1..3]),
    ]
    .into_iter()
    .enumerate()
    {
        let policy = make(server, &EVENT_MATCHER, &format!("policy {number}"), fields).await;
        let (got, mut told) = outcome(server, &policy, &ann, json!({"event": event()})).await;
        let mut expected: Vec<&str> = messages.to_vec();
        told.sort_unstable();
        expected.sort_unstable();
        assert_eq!((got, told), (passing, expected.into_iter().map(str::to_owned).collect()), "{number}");
    }
}

/// Whatever stands there: an answer, and nobody is let in by mistake.
async fn events_that_are_none(server: &Server) {
    let ann = server.person("ann").await;
    let all =
        json!({"action": "login", "client_ip": "192.0.2.2", "app": "authentik.api", "model": "authentik_core.token"});
    let policy = make(server, &EVENT_MATCHER, "policy", all).await;
    for odd in [
        json!(null),
        json!("login"),
        json!(5),
        json!([]),
        json!({}),
        json!({"action": null, "app": 5, "client_ip": [], "context": "x"}),
        json!({"context": {"model": null}}),
        json!({"context": {"model": {"app": "authentik_core"}}}),
    ] {
        assert!(!outcome(server, &policy, &ann, json!({"event": odd})).await.0, "{odd}");
    }
}

/// As a judge of logins writes them.
async fn score(server: &Server, identifier: &str, ip: &str, points: i64) {
    let ctx = server.system();
    let mut tx = ctx.begin().await.expect("a transaction");
    scores::add(&ctx, &mut tx, identifier, ip, points).await.expect("added");
    tx.commit().await.expect("committed");
}

/// Whoever is tested has the address of the tests.
const HERE: &str = "127.0.0.1";
const ELSEWHERE: &str = "192.0.2.1";

async fn a_reputation_that_is_bad(server: &Server) {
    let ann = server.person("ann").await;
    let policy = make(server, &REPUTATION, "policy", json!({})).await;
    let answer = async || outcome(server, &policy, &ann, json!({})).await.0;
    assert!(!answer().await, "nothing is known, and 0 is above -5");
    score(server, "ann", ELSEWHERE, -4).await;
    assert!(!answer().await);
    score(server, "ann", ELSEWHERE, -1).await;
    assert!(answer().await, "-5 is bad enough");
    score(server, "ann", ELSEWHERE, -1).await;
    assert!(answer().await);
    score(server, "ann", ELSEWHERE, 2).await;
    assert!(!answer().await);
}

async fn scores_of_the_address(server: &Server) {
    let ann = server.person("ann").await;
    let policy = make(server, &REPUTATION, "policy", json!({"check_ip": true, "check_username": false})).await;
    score(server, "ann", ELSEWHERE, -100).await;
    assert_eq!(outcome(server, &policy, &ann, json!({})).await, fails(&[]));
    // Of anybody there.
    score(server, "bob", HERE, -2).await;
    score(server, "cid", HERE, -3).await;
    assert!(outcome(server, &policy, &ann, json!({})).await.0);
}

async fn scores_of_the_name(server: &Server) {
    let ann = server.person("ann").await;
    let policy = make(server, &REPUTATION, "policy", json!({"check_ip": false, "check_username": true})).await;
    score(server, "bob", HERE, -100).await;
    score(server, "Ann", HERE, -100).await;
    assert_eq!(outcome(server, &policy, &ann, json!({})).await, fails(&[]));
    // From anywhere.
    score(server, "ann", HERE, -2).await;
    score(server, "ann", ELSEWHERE, -3).await;
    assert!(outcome(server, &policy, &ann, json!({})).await.0);
}

async fn address_and_name(server: &Server) {
    let ann = server.person("ann").await;
    score(server, "ann", HERE, -2).await;
    score(server, "ann", ELSEWHERE, -3).await;
    score(server, "bob", HERE, -4).await;
    score(server, "bob", ELSEWHERE, -100).await;
    // -9 in all: a row that is of both counts once.
    for (threshold, passing) in [(-10, false), (-9, true), (-8, true), (0, true), (i32::MAX, true), (i32::MIN, false)] {
        let name = threshold.to_string();
        let policy = make(server, &REPUTATION, &name, json!({"check_ip": true, "threshold": threshold})).await;
        assert_eq!(outcome(server, &policy, &ann, json!({})).await.0, passing, "{threshold}");
    }
}

async fn scores_that_have_ended(server: &Server) {
    let ann = server.person("ann").await;
    let policy = make(server, &REPUTATION, "policy", json!({})).await;
    score(server, "ann", ELSEWHERE, -10).await;
    server.advance(TimeDelta::seconds(86_399));
    assert!(outcome(server, &policy, &ann, json!({})).await.0);
    server.advance(TimeDelta::seconds(1));
    assert!(!outcome(server, &policy, &ann, json!({})).await.0, "a day is over");
    // What comes after begins anew.
    score(server, "ann", ELSEWHERE, -4).await;
    assert!(!outcome(server, &policy, &ann, json!({})).await.0);
}
