//! What decisions do beside deciding: letting somebody in or not may end a password, asking never does.

use super::{change, expired, guarded, let_in, listed, told_of};
use crate::{
    bindings::{application, bind, path, policy},
    harness::{Person, Server, tests},
};
use chrono::TimeDelta;
use serde_json::{Map, json};
use tessera::{
    audit::Subject,
    policy::{
        Outcome, Request,
        engine::{Purpose, Target, decide},
    },
    resource::{bindings::target::Mode, users},
};

tests![
    enforcing_ends_an_expired_password_once,
    asking_ends_nothing,
    a_young_password_stays,
    denying_only_ends_nothing,
    several_expired_policies_end_it_once,
    at_once_it_ends_once,
    a_password_set_meanwhile_stays,
    nobody_and_others,
    other_policies_have_no_effects,
    what_is_in_the_way_does_not_count,
];

/// Somebody with a password.
async fn somebody(server: &Server, name: &str) -> Person {
    let person = server.person(name).await;
    let path = format!("/core/users/{}/set_password/", person.pk);
    server.admin().post(&path, &json!({"password": "correct horse"})).await.expect_empty(204);
    person
}

async fn usable(server: &Server, user: i64) -> bool {
    server.number(&format!("SELECT count(*) FROM users WHERE id = {user} AND password NOT LIKE '!%'")).await == 1
}

/// When somebody's password was changed, as text.
async fn changed(server: &Server, user: i64) -> String {
    let id = i32::try_from(user).expect("small");
    let user = users::store::by_id(server.app.db.read(), id).await.expect("answered").expect("there");
    user.password_change_date.to_rfc3339()
}

async fn decided(server: &Server, target: &str, user: Option<i64>, purpose: Purpose) -> Outcome {
    let ctx = server.system();
    let subject = Subject::new("authentik_core", "application", target.replace('-', ""), "app");
    let target = Target { id: target.parse().expect("a key"), mode: Mode::Any, subject };
    let user = match user {
        Some(id) => {
            let id = i32::try_from(id).expect("small");
            users::store::by_id(ctx.app.db.read(), id).await.expect("answered")
        }
        None => None,
    };
    let mut request = Request { user, context: Map::new(), debug: false, testing: false, log: Vec::new() };
    decide(&ctx, &target, &mut request, purpose).await.expect("decided")
}

async fn ending(server: &Server, name: &str, days: i64) -> String {
    policy(server, "password_expiry", name, json!({"days": days})).await
}

async fn enforcing_ends_an_expired_password_once(server: &Server) {
    let ann = somebody(server, "ann").await;
    let (target, _) = guarded(server, "app", json!({"policy": ending(server, "old", 30).await})).await;
    server.advance(TimeDelta::days(32));
    let date = changed(server, ann.pk).await;
    let mark = server.mark().await;
    let outcome = decided(server, &target, Some(ann.pk), Purpose::Enforce).await;
    let text = "Password expired 2 days ago. Please update your password.";
    assert_eq!((outcome.passing, outcome.messages), (false, vec![text.to_owned()]));
    assert!(!usable(server, ann.pk).await);
    let events = server.events_since(&mark).await;
    assert_eq!(server.gists_since(&mark).await, ["model_updated user ann"]);
    assert_eq!(events[0].context["model"]["pk"], json!(ann.pk.to_string()));
    // The date stays, so it goes on failing; there is nothing left to end.
    assert_eq!(changed(server, ann.pk).await, date);
    for _ in 0..3 {
        assert!(!decided(server, &target, Some(ann.pk), Purpose::Enforce).await.passing);
    }
    assert_eq!(server.gists_since(&mark).await, ["model_updated user ann"]);
    // Until it is replaced. The token was never about the password.
    ann.client.get("/core/users/me/").await.expect(200);
    let path = format!("/core/users/{}/set_password/", ann.pk);
    server.admin().post(&path, &json!({"password": "battery staple"})).await.expect_empty(204);
    assert!(decided(server, &target, Some(ann.pk), Purpose::Enforce).await.passing);
    assert!(usable(server, ann.pk).await);
}

async fn asking_ends_nothing(server: &Server) {
    let ann = somebody(server, "ann").await;
    let policy = ending(server, "old", 0).await;
    let (target, _) = guarded(server, "app", json!({"policy": policy})).await;
    let mark = server.mark().await;
    let text = "Password expired 0 days ago. Please update your password.".to_owned();
    assert_eq!(told_of(server, "app", ann.pk).await, (false, vec![text.clone()]));
    assert!(!let_in(&ann.client, "app").await);
    assert_eq!(listed(&ann.client).await, Vec::<String>::new());
    server.admin().get(&format!("/core/applications/?for_user={}", ann.pk)).await.expect(200);
    let tested = server.admin().post(&format!("/policies/all/{policy}/test/"), &json!({"user": ann.pk})).await;
    assert_eq!(tested.expect(200)["messages"], json!([text]));
    assert!(!decided(server, &target, Some(ann.pk), Purpose::Ask).await.passing);
    assert!(usable(server, ann.pk).await);
    assert_eq!(server.gists_since(&mark).await, Vec::<String>::new());
    // Having asked before makes no difference.
    assert!(!decided(server, &target, Some(ann.pk), Purpose::Enforce).await.passing);
    assert!(!usable(server, ann.pk).await);
}

/// The day begins when it is over: a password of exactly so many days is expired.
async fn a_young_password_stays(server: &Server) {
    let ann = somebody(server, "ann").await;
    let (target, _) = guarded(server, "app", json!({"policy": ending(server, "old", 30).await})).await;
    let mark = server.mark().await;
    server.advance(TimeDelta::days(30) - TimeDelta::microseconds(1));
    let outcome = decided(server, &target, Some(ann.pk), Purpose::Enforce).await;
    assert_eq!((outcome.passing, outcome.messages), (true, vec![]));
    assert!(usable(server, ann.pk).await);
    assert_eq!(server.gists_since(&mark).await, Vec::<String>::new());
    server.advance(TimeDelta::microseconds(1));
    assert!(!decided(server, &target, Some(ann.pk), Purpose::Enforce).await.passing);
    assert!(!usable(server, ann.pk).await);
}

async fn denying_only_ends_nothing(server: &Server) {
    let ann = somebody(server, "ann").await;
    let policy = expired(server, "old").await;
    let (target, _) = guarded(server, "app", json!({"policy": policy})).await;
    let mark = server.mark().await;
    let outcome = decided(server, &target, Some(ann.pk), Purpose::Enforce).await;
    assert_eq!((outcome.passing, outcome.messages), (false, vec!["Password has expired.".to_owned()]));
    assert!(usable(server, ann.pk).await);
    assert_eq!(server.gists_since(&mark).await, Vec::<String>::new());
    change(server, "password_expiry", &policy, json!({"deny_only": false})).await;
    assert!(!decided(server, &target, Some(ann.pk), Purpose::Enforce).await.passing);
    assert!(!usable(server, ann.pk).await);
}

async fn several_expired_policies_end_it_once(server: &Server) {
    let ann = somebody(server, "ann").await;
    let target = application(server, "app", json!({})).await;
    for order in 0..3 {
        let policy = ending(server, &format!("old{order}"), order).await;
        bind(server, &target, order, json!({"policy": policy})).await;
    }
    bind(server, &target, 3, json!({"user": ann.pk})).await;
    server.advance(TimeDelta::days(2));
    let mark = server.mark().await;
    // In `any`, somebody else may let her in all the same.
    let outcome = decided(server, &target, Some(ann.pk), Purpose::Enforce).await;
    let text = |days: i64| format!("Password expired {days} days ago. Please update your password.");
    assert_eq!((outcome.passing, outcome.messages), (true, vec![text(2), text(1), text(0)]));
    assert!(!usable(server, ann.pk).await);
    assert_eq!(server.gists_since(&mark).await, ["model_updated user ann"]);
}

async fn at_once_it_ends_once(server: &Server) {
    let ann = somebody(server, "ann").await;
    let (target, _) = guarded(server, "app", json!({"policy": ending(server, "old", 0).await})).await;
    let mark = server.mark().await;
    let all = (0..16).map(|_| decided(server, &target, Some(ann.pk), Purpose::Enforce));
    for outcome in futures_util::future::join_all(all).await {
        assert!(!outcome.passing);
    }
    assert!(!usable(server, ann.pk).await);
    assert_eq!(server.gists_since(&mark).await, ["model_updated user ann"]);
}

/// It is the password that was judged that ends, and no later one.
async fn a_password_set_meanwhile_stays(server: &Server) {
    let ann = somebody(server, "ann").await;
    let (target, _) = guarded(server, "app", json!({"policy": ending(server, "old", 0).await})).await;
    bind(server, &target, 1, json!({"policy": super::slow(server, "slow", 2).await})).await;
    let replaced = async {
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        server.advance(TimeDelta::seconds(1));
        let path = format!("/core/users/{}/set_password/", ann.pk);
        server.admin().post(&path, &json!({"password": "battery staple"})).await.expect_empty(204);
    };
    let (outcome, ()) = tokio::join!(decided(server, &target, Some(ann.pk), Purpose::Enforce), replaced);
    assert_eq!(outcome.messages.len(), 2, "{:?}", outcome.messages);
    assert!(usable(server, ann.pk).await);
    assert!(decided(server, &target, Some(ann.pk), Purpose::Enforce).await.passing, "by the second policy");
    assert!(!usable(server, ann.pk).await, "but the new one has no days either");
}

/// Somebody unknown has no password that could be old, and nobody else pays for it.
async fn nobody_and_others(server: &Server) {
    let (ann, bob) = (somebody(server, "ann").await, somebody(server, "bob").await);
    let (target, _) = guarded(server, "app", json!({"policy": ending(server, "old", 0).await})).await;
    let mark = server.mark().await;
    let outcome = decided(server, &target, None, Purpose::Enforce).await;
    assert!(!outcome.passing);
    assert_eq!(outcome.messages.len(), 1, "{:?}", outcome.messages);
    assert_eq!(server.gists_since(&mark).await, Vec::<String>::new());
    assert!(!decided(server, &target, Some(bob.pk), Purpose::Enforce).await.passing);
    assert_eq!((usable(server, ann.pk).await, usable(server, bob.pk).await), (true, false));
}

async fn other_policies_have_no_effects(server: &Server) {
    let ann = somebody(server, "ann").await;
    let target = application(server, "app", json!({})).await;
    let no = crate::bindings::dummy(server, "no", false).await;
    let unset = super::unset(server, "unset").await;
    let reputation =
        policy(server, "reputation", "reputation", json!({"check_ip": true, "check_username": true})).await;
    for (order, policy) in (0..).zip([no, unset, reputation]) {
        bind(server, &target, order, json!({"policy": policy})).await;
    }
    let mark = server.mark().await;
    assert!(!decided(server, &target, Some(ann.pk), Purpose::Enforce).await.passing);
    assert!(usable(server, ann.pk).await);
    assert_eq!(server.gists_since(&mark).await, Vec::<String>::new());
}

/// Disabled bindings are not asked, so they end nothing.
async fn what_is_in_the_way_does_not_count(server: &Server) {
    let ann = somebody(server, "ann").await;
    let policy = ending(server, "old", 0).await;
    let (target, binding) = guarded(server, "app", json!({"policy": policy, "enabled": false})).await;
    assert!(decided(server, &target, Some(ann.pk), Purpose::Enforce).await.passing);
    assert!(usable(server, ann.pk).await);
    server.admin().patch(&path(&binding), &json!({"policy": policy, "enabled": true})).await.expect(200);
    assert!(!decided(server, &target, Some(ann.pk), Purpose::Enforce).await.passing);
    assert!(!usable(server, ann.pk).await);
}
