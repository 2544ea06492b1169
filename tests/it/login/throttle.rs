//! Guessing is slow: whoever fails often waits before his next password is looked at (the issue, "Brute force").
//! Only least times are asserted; a machine may be slower.

use super::{LOGIN, PASSWORD, WRONG, account, asks, attempt, faults, leads, login_flow, named, second, wrong_password};
use crate::harness::{Flow, Server, tests};
use chrono::TimeDelta;
use serde_json::json;
use std::time::{Duration, Instant};
use tessera::resource::reputation::service;

tests![
    waits_grow,
    the_longest_wait_lets_its_owner_in,
    waits_outlive_a_restart,
    waits_count_at_every_server,
    unknown_names_wait_as_long,
    waits_are_by_name,
    waits_pass,
    spellings_of_a_name_count_together,
    another_session_is_no_way_round,
    many_at_once,
    name_and_password_in_one_stage_wait_too,
];

const PATIENT: &str = "patient";

/// A flow that takes a hundred wrong passwords on one visit.
async fn patient(server: &Server) {
    login_flow(server, PATIENT, json!({"failed_attempts_before_cancel": 100}), json!({})).await;
}

/// Gives a name so many failures, as if it had failed a moment ago.
async fn failures(server: &Server, name: &str, count: i64) {
    let ctx = server.system();
    let mut tx = ctx.begin().await.expect("a transaction");
    service::add(&ctx, &mut tx, name, "127.0.0.1", -count).await.expect("added");
    tx.commit().await.expect("committed");
}

/// How long the answer to a wrong password takes.
async fn takes(flow: &Flow) -> Duration {
    let began = Instant::now();
    faults(&flow.answered(json!({"password": WRONG})).await, wrong_password());
    began.elapsed()
}

fn at_least(took: Duration, milliseconds: u64) {
    // Clocks of timers and of tests are not the same to the millisecond.
    assert!(took + Duration::from_millis(5) >= Duration::from_millis(milliseconds), "{took:?} < {milliseconds} ms");
}

async fn waits_grow(server: &Server) {
    account(server, "ann").await;
    patient(server).await;
    let browser = server.visitor();
    let flow = browser.flow(PATIENT);
    named(&flow, "ann").await;
    for _ in 0..5 {
        takes(&flow).await;
    }
    for least in [200, 400, 800] {
        at_least(takes(&flow).await, least);
    }
    let began = Instant::now();
    leads(&flow.answered(json!({"password": PASSWORD})).await, "/");
    at_least(began.elapsed(), 1600);
    assert_eq!(browser.who().await.as_deref(), Some("ann"));
}

async fn the_longest_wait_lets_its_owner_in(server: &Server) {
    account(server, "ann").await;
    failures(server, "ann", 1_000_000).await;
    let browser = server.visitor();
    let flow = browser.flow(LOGIN);
    named(&flow, "ann").await;
    let began = Instant::now();
    leads(&flow.answered(json!({"password": PASSWORD})).await, "/");
    at_least(began.elapsed(), 8000);
    assert!(began.elapsed() < Duration::from_secs(40), "{:?}", began.elapsed());
    assert_eq!(browser.who().await.as_deref(), Some("ann"));
}

async fn waits_outlive_a_restart(server: &Server) {
    let own = server.another(|_| ()).await;
    account(&own, "ann").await;
    patient(&own).await;
    let flow = own.visitor().flow(PATIENT);
    named(&flow, "ann").await;
    for _ in 0..6 {
        takes(&flow).await;
    }
    let again = own.stop().await.start_with(|_| ()).await.expect("it starts");
    let flow = again.visitor().flow(PATIENT);
    named(&flow, "ann").await;
    at_least(takes(&flow).await, 400);
    leads(&flow.answered(json!({"password": PASSWORD})).await, "/");
    again.end().await;
}

async fn waits_count_at_every_server(server: &Server) {
    account(server, "ann").await;
    patient(server).await;
    let there = second(server).await;
    let here = server.visitor().flow(PATIENT);
    let away = crate::harness::Visitor::at(there.api).flow(PATIENT);
    named(&here, "ann").await;
    named(&away, "ann").await;
    for _ in 0..3 {
        takes(&here).await;
        takes(&away).await;
    }
    at_least(takes(&away).await, 400);
    at_least(takes(&here).await, 800);
    leads(&away.answered(json!({"password": PASSWORD})).await, "/");
    there.stop().await;
}

async fn unknown_names_wait_as_long(server: &Server) {
    patient(server).await;
    let flow = server.visitor().flow(PATIENT);
    named(&flow, "nobody").await;
    for _ in 0..5 {
        takes(&flow).await;
    }
    for least in [200, 400, 800] {
        at_least(takes(&flow).await, least);
    }
}

/// Who guesses one name does not lock the others out at the same address.
async fn waits_are_by_name(server: &Server) {
    account(server, "ann").await;
    account(server, "bob").await;
    failures(server, "ann", 30).await;
    let browser = server.visitor();
    let began = Instant::now();
    leads(&attempt(&browser.flow(LOGIN), "bob", PASSWORD).await, "/");
    assert!(began.elapsed() < Duration::from_secs(7), "{:?}", began.elapsed());
}

async fn waits_pass(server: &Server) {
    account(server, "ann").await;
    failures(server, "ann", 30).await;
    server.advance(TimeDelta::minutes(31));
    let browser = server.visitor();
    let flow = browser.flow(LOGIN);
    named(&flow, "ann").await;
    let began = Instant::now();
    leads(&flow.answered(json!({"password": PASSWORD})).await, "/");
    assert!(began.elapsed() < Duration::from_secs(7), "{:?}", began.elapsed());
}

async fn spellings_of_a_name_count_together(server: &Server) {
    super::account_with(server, "ann", json!({"email": "ann@example.org"})).await;
    failures(server, "ann", 8).await;
    for name in ["ann", "ANN", " ann ", "ann@example.org", "ANN@example.ORG"] {
        let flow = server.visitor().flow(LOGIN);
        named(&flow, name).await;
        at_least(takes(&flow).await, 1600);
    }
}

async fn another_session_is_no_way_round(server: &Server) {
    account(server, "ann").await;
    for tries in 0..7 {
        let flow = server.visitor().flow(LOGIN);
        named(&flow, "ann").await;
        let took = takes(&flow).await;
        if tries >= 5 {
            at_least(took, 200 << (tries - 5));
        }
    }
}

/// Guesses side by side wait one by one, or are refused unread; then its owner gets in.
async fn many_at_once(server: &Server) {
    account(server, "ann").await;
    failures(server, "ann", 6).await;
    let flows: Vec<Flow> = (0..12).map(|_| server.visitor().flow(LOGIN)).collect();
    for flow in &flows {
        named(flow, "ann").await;
    }
    let began = Instant::now();
    let answers =
        futures_util::future::join_all(flows.iter().map(|flow| flow.answered(json!({"password": WRONG})))).await;
    at_least(began.elapsed(), 400);
    for answer in answers {
        let answer = asks(answer, "ak-stage-password");
        let code = &answer["response_errors"]["password"][0]["code"];
        assert!(*code == "invalid" || *code == "throttled", "{answer}");
    }
    let browser = server.visitor();
    leads(&attempt(&browser.flow(LOGIN), "ann", PASSWORD).await, "/");
    assert_eq!(browser.who().await.as_deref(), Some("ann"));
}

async fn name_and_password_in_one_stage_wait_too(server: &Server) {
    account(server, "ann").await;
    let password = super::password_stage(server, "password", json!({})).await;
    let fields = json!({"user_fields": ["username"], "password_stage": password});
    let who = super::stage(server, "identification", "both", fields).await;
    let login = super::stage(server, "user_login", "login", json!({})).await;
    super::build(server, "both", "authentication", &[&who, &login]).await;
    failures(server, "ann", 7).await;
    let browser = server.visitor();
    let flow = browser.flow("both");
    for (name, least) in [("ann", 800), ("ANN", 1600)] {
        let began = Instant::now();
        asks(flow.answered(json!({"uid_field": name, "password": WRONG})).await, "ak-stage-identification");
        at_least(began.elapsed(), least);
    }
    leads(&flow.answered(json!({"uid_field": "ann", "password": PASSWORD})).await, "/");
    assert_eq!(browser.who().await.as_deref(), Some("ann"));
}
