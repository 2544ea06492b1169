//! Names that nobody has, and accounts that may not get in: they behave and sound like those that may.

use super::{LOGIN, PASSWORD, WRONG, account, account_with, denies, happened, login_flow, named};
use crate::harness::{Answer, Flow, Server, tests};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

tests![
    unknown_names_sound_like_known_ones,
    accounts_that_are_not_active,
    accounts_without_a_password,
    names_of_the_system,
    unknown_names_take_as_long,
    a_path_of_recovery_tells_nothing,
];

/// What can be seen of an answer, with the name taken out.
fn seen(answer: &Answer, name: &str) -> (u16, Vec<String>, String) {
    let mut names: Vec<String> = answer.headers.keys().map(|name| name.as_str().to_owned()).collect();
    names.sort();
    let mut body = if answer.body.is_empty() { Value::Null } else { answer.json() };
    if let Some(picture) = body.get("pending_user_avatar").and_then(Value::as_str) {
        // The picture has the name's initials in it.
        body["pending_user_avatar"] = picture.split(',').next().expect("a part").into();
    }
    (answer.status, names, body.to_string().replace(name, "NAME"))
}

/// Everything that a visitor sees who tries six wrong passwords.
async fn visit(flow: &Flow, name: &str) -> Vec<(u16, Vec<String>, String)> {
    let mut all = vec![seen(&flow.get().await, name)];
    all.push(seen(&flow.post(&json!({"uid_field": name})).await, name));
    all.push(seen(&flow.get().await, name));
    for body in [json!({}), json!({"password": ""}), json!({"password": WRONG}), json!({"password": PASSWORD})] {
        all.push(seen(&flow.post(&body).await, name));
        all.push(seen(&flow.get().await, name));
    }
    for _ in 0..4 {
        all.push(seen(&flow.post(&json!({"password": WRONG})).await, name));
    }
    all
}

async fn unknown_names_sound_like_known_ones(server: &Server) {
    let known = account(server, "known1").await;
    super::set_password(server, known, "Some-Other-Password-4").await;
    let expected = visit(&server.visitor().flow(LOGIN), "known1").await;
    let mark = server.mark().await;
    let got = visit(&server.visitor().flow(LOGIN), "nobody").await;
    for (got, expected) in got.iter().zip(&expected) {
        assert_eq!(got, expected);
    }
    assert!(happened(server, &mark, "login_failed").await >= 3, "they are recorded, too");
    // Nothing comes of it.
    assert_eq!(server.admin().get("/core/users/?username=nobody").await.expect_list("pk").len(), 0);
}

async fn accounts_that_are_not_active(server: &Server) {
    let known = account(server, "known1").await;
    super::set_password(server, known, "Some-Other-Password-4").await;
    account_with(server, "asleep", json!({"is_active": false})).await;
    let expected = visit(&server.visitor().flow(LOGIN), "known1").await;
    // Also with its own password, which is among the tried ones.
    assert_eq!(visit(&server.visitor().flow(LOGIN), "asleep").await, expected);
}

async fn accounts_without_a_password(server: &Server) {
    let known = account(server, "known1").await;
    super::set_password(server, known, "Some-Other-Password-4").await;
    server.person("bare").await;
    let expected = visit(&server.visitor().flow(LOGIN), "known1").await;
    assert_eq!(visit(&server.visitor().flow(LOGIN), "bare").await, expected);
}

/// Service accounts have no password; what stands in its column lets nobody in.
async fn names_of_the_system(server: &Server) {
    let made = server.admin().post("/core/users/service_account/", &json!({"name": "svc"})).await.expect(200);
    for name in ["svc", "AnonymousUser"] {
        let browser = server.visitor();
        let flow = browser.flow(LOGIN);
        named(&flow, name).await;
        for password in ["!", "", "None", "null", WRONG] {
            flow.answered(json!({"password": password})).await;
            assert_eq!(browser.who().await, None, "{name} {password}");
        }
    }
    assert!(made["token"].is_string());
}

/// A hash is computed for everybody. Only a gross difference fails: another one is the machine's.
async fn unknown_names_take_as_long(server: &Server) {
    account(server, "ann").await;
    account_with(server, "asleep", json!({"is_active": false})).await;
    login_flow(server, "patient", json!({"failed_attempts_before_cancel": 100}), json!({})).await;
    let mut shortest = Vec::new();
    for name in ["ann", "asleep", "nobody"] {
        let flow = server.visitor().flow("patient");
        named(&flow, name).await;
        let mut best = Duration::MAX;
        for _ in 0..4 {
            let began = Instant::now();
            flow.answered(json!({"password": WRONG})).await;
            best = best.min(began.elapsed());
        }
        shortest.push(best);
    }
    let (least, most) = (shortest.iter().min().expect("some"), shortest.iter().max().expect("some"));
    assert!(*most < *least * 3, "{shortest:?}");
}

async fn a_path_of_recovery_tells_nothing(server: &Server) {
    account(server, "ann").await;
    let who = super::identification(server, "who").await;
    let deny = super::stage(server, "deny", "deny", json!({"deny_message": "No."})).await;
    super::build(server, "lost", "recovery", &[&who, &deny]).await;
    let mut ends = Vec::new();
    for name in ["ann", "nobody"] {
        let end = server.visitor().flow("lost").answered(json!({"uid_field": name})).await;
        denies(&end, "No.");
        ends.push((
            end["pending_user"].clone(),
            end.as_object().expect("an object").keys().cloned().collect::<Vec<_>>(),
        ));
    }
    assert_eq!(ends[0].1, ends[1].1);
    assert_eq!((&ends[0].0, &ends[1].0), (&json!("ann"), &json!("nobody")));
}
