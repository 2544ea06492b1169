//! Deciding has no effect beside the answer: whatever policies find, no password is another afterwards. And what a
//! flow may leave out of a decision.

use super::{expired, guarded, let_in, listed, told_of};
use crate::{
    bindings::{path, policy},
    harness::{Person, Server, tests},
};
use chrono::TimeDelta;
use serde_json::{Map, json};
use tessera::{
    audit::Subject,
    policy::{
        Request,
        engine::{Age, Entry, Target, enter},
    },
    resource::{bindings::target::Mode, users},
};

tests![
    asking_ends_nothing,
    a_password_grows_old_at_its_hour,
    denying_only_wants_no_new_password,
    age_may_wait_for_its_owner,
    nobody_has_no_age,
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

async fn entered(server: &Server, target: &str, user: Option<i64>, age: Age) -> Entry {
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
    enter(&ctx, &target, &mut request, age).await.expect("decided")
}

async fn ending(server: &Server, name: &str, days: i64) -> String {
    policy(server, "password_expiry", name, json!({"days": days})).await
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
    let entry = entered(server, &target, Some(ann.pk), Age::Counts).await;
    assert!(!entry.outcome.passing && entry.aged);
    assert_eq!(entry.overdue, Some(text));
    assert!(usable(server, ann.pk).await);
    assert_eq!(server.gists_since(&mark).await, Vec::<String>::new());
}

/// The day begins when it is over: a password of exactly so many days is expired.
async fn a_password_grows_old_at_its_hour(server: &Server) {
    let ann = somebody(server, "ann").await;
    let (target, _) = guarded(server, "app", json!({"policy": ending(server, "old", 30).await})).await;
    server.advance(TimeDelta::days(30) - TimeDelta::microseconds(1));
    let entry = entered(server, &target, Some(ann.pk), Age::Counts).await;
    assert!(entry.outcome.passing && !entry.aged && entry.overdue.is_none());
    server.advance(TimeDelta::microseconds(1));
    let entry = entered(server, &target, Some(ann.pk), Age::Counts).await;
    assert!(!entry.outcome.passing && entry.aged && entry.overdue.is_some());
}

async fn denying_only_wants_no_new_password(server: &Server) {
    let ann = somebody(server, "ann").await;
    let (target, _) = guarded(server, "app", json!({"policy": expired(server, "old").await})).await;
    for age in [Age::Counts, Age::Mended] {
        let entry = entered(server, &target, Some(ann.pk), age).await;
        assert_eq!((entry.outcome.passing, entry.outcome.messages), (false, vec!["Password has expired.".to_owned()]));
        assert!(entry.aged && entry.overdue.is_none() && !entry.postponed);
    }
}

async fn age_may_wait_for_its_owner(server: &Server) {
    let ann = somebody(server, "ann").await;
    let policy = ending(server, "old", 0).await;
    let (target, binding) = guarded(server, "app", json!({"policy": policy})).await;
    let entry = entered(server, &target, Some(ann.pk), Age::Later).await;
    assert!(entry.outcome.passing && entry.postponed && !entry.aged);
    let entry = entered(server, &target, Some(ann.pk), Age::Mended).await;
    assert!(entry.outcome.passing && !entry.postponed && !entry.aged);
    let entry = entered(server, &target, Some(ann.pk), Age::Alone).await;
    assert!(!entry.outcome.passing && entry.aged && entry.mended);
    // What is left out is not turned round either.
    server.admin().patch(&path(&binding), &json!({"policy": policy, "negate": true})).await.expect(200);
    let entry = entered(server, &target, Some(ann.pk), Age::Later).await;
    assert!(entry.outcome.passing && entry.postponed);
}

async fn nobody_has_no_age(server: &Server) {
    let (target, _) = guarded(server, "app", json!({"policy": ending(server, "old", 0).await})).await;
    let entry = entered(server, &target, None, Age::Counts).await;
    assert!(!entry.outcome.passing && entry.faulty && !entry.aged);
    assert!(entered(server, &target, None, Age::Later).await.outcome.passing);
}

/// Disabled bindings are not asked.
async fn what_is_in_the_way_does_not_count(server: &Server) {
    let ann = somebody(server, "ann").await;
    let policy = ending(server, "old", 0).await;
    let (target, binding) = guarded(server, "app", json!({"policy": policy, "enabled": false})).await;
    assert!(entered(server, &target, Some(ann.pk), Age::Counts).await.outcome.passing);
    server.admin().patch(&path(&binding), &json!({"policy": policy, "enabled": true})).await.expect(200);
    assert!(!entered(server, &target, Some(ann.pk), Age::Counts).await.outcome.passing);
}
