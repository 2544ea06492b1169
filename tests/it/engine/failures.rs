//! Policies that give up, that break, and that take too long.

use super::{expression, guarded, listed, slow, told, told_of};
use crate::{
    bindings::{application, bind, dummy, policy},
    harness::{Server, tests},
};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

tests![
    a_policy_that_gives_up,
    the_others_are_asked_all_the_same,
    a_policy_that_breaks,
    a_policy_that_takes_too_long,
    several_that_take_too_long,
    the_list_does_not_wait_either,
    an_expression_without_end,
    no_limit_of_its_own,
    a_limit_that_is_kept,
];

const TOO_LONG: &str = "Policy timed out after 1 seconds.";

/// Long enough for a slow machine, and too short for having waited to the end.
fn interrupted(began: Instant) {
    assert!(began.elapsed() < Duration::from_secs(18), "nothing was interrupted in {:?}", began.elapsed());
}

/// What counts then is what the binding says, not turned round.
async fn a_policy_that_gives_up(server: &Server) {
    for (index, body) in ["raise ValueError('custom text')", "return nothing_of_the_kind"].into_iter().enumerate() {
        let text = ["custom text", "name 'nothing_of_the_kind' is not defined"][index];
        let broken = expression(server, &format!("broken{index}"), body).await;
        for (failure_result, negate) in [(false, false), (false, true), (true, false), (true, true)] {
            let slug = format!("app{index}-{failure_result}-{negate}");
            let fields = json!({"policy": broken, "failure_result": failure_result, "negate": negate});
            guarded(server, &slug, fields).await;
            assert_eq!(told(server, &slug).await, (failure_result, vec![text.to_owned()]), "{slug}");
        }
    }
}

async fn the_others_are_asked_all_the_same(server: &Server) {
    let broken = expression(server, "broken", "ak_message('before')\nraise ValueError('after')").await;
    let yes = dummy(server, "yes", true).await;
    for (mode, failure_result, passing) in
        [("any", false, true), ("all", false, false), ("any", true, true), ("all", true, true)]
    {
        let slug = format!("{mode}-{failure_result}");
        let target = application(server, &slug, json!({"policy_engine_mode": mode})).await;
        bind(server, &target, 0, json!({"policy": yes})).await;
        bind(server, &target, 1, json!({"policy": broken, "failure_result": failure_result})).await;
        bind(server, &target, 2, json!({"policy": yes})).await;
        let (said, messages) = told(server, &slug).await;
        assert_eq!(said, passing, "{slug}");
        assert_eq!((&messages[0], &messages[messages.len() - 1]), (&"dummy".to_owned(), &"dummy".to_owned()));
        assert!(messages.contains(&"after".to_owned()), "{messages:?}");
    }
}

/// An error that is no policy exception: it fails, whatever the binding says of failures.
async fn a_policy_that_breaks(server: &Server) {
    let unfit = policy(server, "dummy", "unfit", json!({"result": true, "wait_min": 5, "wait_max": 5})).await;
    for (failure_result, negate) in [(false, false), (true, false), (true, true), (false, true)] {
        let slug = format!("app-{failure_result}-{negate}");
        let fields = json!({"policy": unfit, "failure_result": failure_result, "negate": negate});
        let (target, _) = guarded(server, &slug, fields).await;
        let (passing, messages) = told(server, &slug).await;
        assert!(!passing, "{slug}");
        assert_eq!(messages.len(), 1, "{slug}: {messages:?}");
        assert!(!messages[0].is_empty(), "{slug}");
        // Others may still let somebody in.
        let ann = server.person(&slug).await.pk;
        bind(server, &target, 1, json!({"user": ann})).await;
        assert!(!told(server, &slug).await.0);
        assert_eq!(told_of(server, &slug, ann).await, (true, messages));
    }
    // Not a policy exception, so there is no event about one.
    assert_eq!(server.number("SELECT count(*) FROM events WHERE action = 'policy_exception'").await, 0);
}

async fn a_policy_that_takes_too_long(server: &Server) {
    let policy = slow(server, "slow", 20).await;
    for (failure_result, negate) in [(false, false), (true, true)] {
        let slug = format!("app-{failure_result}");
        let fields = json!({"policy": policy, "timeout": 1, "failure_result": failure_result, "negate": negate});
        guarded(server, &slug, fields).await;
        let began = Instant::now();
        assert_eq!(told(server, &slug).await, (failure_result, vec![TOO_LONG.to_owned()]));
        interrupted(began);
    }
}

async fn several_that_take_too_long(server: &Server) {
    let policy = slow(server, "slow", 20).await;
    let target = application(server, "app", json!({"policy_engine_mode": "all"})).await;
    for order in 0..3 {
        let fields = json!({"policy": policy, "timeout": 1, "failure_result": true});
        bind(server, &target, order, fields).await;
    }
    bind(server, &target, 3, json!({"policy": dummy(server, "yes", true).await})).await;
    let began = Instant::now();
    let expected: Vec<String> = [TOO_LONG, TOO_LONG, TOO_LONG, "dummy"].map(str::to_owned).to_vec();
    assert_eq!(told(server, "app").await, (true, expected));
    interrupted(began);
}

async fn the_list_does_not_wait_either(server: &Server) {
    let policy = slow(server, "slow", 20).await;
    guarded(server, "shut", json!({"policy": policy, "timeout": 1})).await;
    guarded(server, "open", json!({"policy": policy, "timeout": 1, "failure_result": true})).await;
    let ann = server.person("ann").await;
    let began = Instant::now();
    assert_eq!(listed(&ann.client).await, ["open"]);
    interrupted(began);
}

/// It ends one way or another, and what counts is what the binding says.
async fn an_expression_without_end(server: &Server) {
    let policy = expression(server, "endless", "while True:\n    pass\nreturn True").await;
    for failure_result in [false, true] {
        let slug = format!("app-{failure_result}");
        let fields = json!({"policy": policy, "timeout": 1, "failure_result": failure_result});
        guarded(server, &slug, fields).await;
        let began = Instant::now();
        let (passing, messages) = told(server, &slug).await;
        assert_eq!((passing, messages.len()), (failure_result, 1), "{messages:?}");
        interrupted(began);
    }
    // The server goes on serving.
    assert_eq!(server.admin().get("/core/users/me/").await.status, 200);
}

/// 0 is the server's own limit, not none of the time.
async fn no_limit_of_its_own(server: &Server) {
    let policy = slow(server, "slow", 1).await;
    guarded(server, "app", json!({"policy": policy, "timeout": 0})).await;
    assert_eq!(told(server, "app").await, (true, vec!["dummy".to_owned()]));
    let at_once = dummy(server, "yes", true).await;
    guarded(server, "other", json!({"policy": at_once, "timeout": 0})).await;
    assert_eq!(told(server, "other").await, (true, vec!["dummy".to_owned()]));
}

/// Whoever is in time is not interrupted, also with the largest limit.
async fn a_limit_that_is_kept(server: &Server) {
    let policy = slow(server, "slow", 1).await;
    for (slug, timeout) in [("a", json!(20)), ("b", json!(2_147_483_647)), ("c", Value::from(30))] {
        guarded(server, slug, json!({"policy": policy, "timeout": timeout})).await;
    }
    let ann = server.person("ann").await.pk;
    let all = tokio::join!(told_of(server, "a", ann), told_of(server, "b", ann), told_of(server, "c", ann));
    let expected = (true, vec!["dummy".to_owned()]);
    assert_eq!(all, (expected.clone(), expected.clone(), expected));
}
