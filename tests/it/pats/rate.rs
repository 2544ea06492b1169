//! How many requests a client may make (contract: sailpoint-pat §9; decisions: rate limit).

use super::{ALL, BETA, BULK, V1, get};
use crate::harness::{Answer, Client, Pat, Server, tests};
use chrono::TimeDelta;
use http::Method;
use serde_json::json;

tests![
    a_hundred_and_no_more,
    each_mount_by_itself,
    each_client_by_itself,
    whatever_the_answer,
    a_steady_trickle,
    trades_are_not_counted,
    guesses_are_counted_by_address,
    wrong_secrets_take_nothing_from_the_owner,
    without_a_bound,
    another_bound,
];

#[track_caller]
fn too_many(answer: &Answer) {
    answer.expect_body(429, &json!({"message": " Rate Limit Exceeded "}));
    assert_eq!(answer.header("retry-after"), Some("1"), "{}", answer.request);
}

async fn list(client: &Client, at: &str) -> Answer {
    get(client, &format!("{at}?owner-id=me")).await
}

async fn drain(client: &Client, at: &str, count: usize) {
    for _ in 0..count {
        list(client, at).await.expect(200);
    }
}

async fn a_hundred_and_no_more(server: &Server) {
    let api = server.api(1, &[ALL]).await;
    drain(&api, BETA, 100).await;
    let mark = server.mark().await;
    for _ in 0..3 {
        too_many(&list(&api, BETA).await);
        too_many(&super::create(&api, BETA, json!({"name": "t"})).await);
        too_many(&super::delete(&api, BETA, "x").await);
    }
    assert_eq!(server.gists_since(&mark).await, Vec::<String>::new());
    server.advance(TimeDelta::milliseconds(99));
    too_many(&list(&api, BETA).await);
    server.advance(TimeDelta::milliseconds(1));
    list(&api, BETA).await.expect(200);
    too_many(&list(&api, BETA).await);
    server.advance(TimeDelta::seconds(10));
    drain(&api, BETA, 100).await;
    too_many(&list(&api, BETA).await);
}

async fn each_mount_by_itself(server: &Server) {
    let api = server.api(1, &[ALL]).await;
    drain(&api, BETA, 100).await;
    too_many(&list(&api, BETA).await);
    for (at, _) in super::collections().filter(|(at, _)| *at != BETA) {
        list(&api, at).await.expect(200);
    }
    drain(&api, V1, 99).await;
    too_many(&list(&api, V1).await);
    too_many(&api.outside(Method::PATCH, BULK).json(&json!({})).send().await);
}

async fn each_client_by_itself(server: &Server) {
    let pat = server.pat(1, &[ALL]).await;
    let (one, same) = (server.bearer(&pat).await, server.bearer(&pat).await);
    let other = server.api(1, &["x", ALL]).await;
    drain(&one, BETA, 60).await;
    // Two bearer tokens of one client share.
    drain(&same, BETA, 40).await;
    too_many(&list(&one, BETA).await);
    too_many(&list(&same, BETA).await);
    too_many(&list(&server.bearer(&pat).await, BETA).await);
    drain(&other, BETA, 100).await;
}

async fn whatever_the_answer(server: &Server) {
    let poor = server.api(1, &["sp:scopes:default"]).await;
    for _ in 0..50 {
        list(&poor, BETA).await.expect(403);
        super::create(&poor, BETA, json!([])).await.expect(403);
    }
    too_many(&list(&poor, BETA).await);
    // Without a bearer token nobody is counted.
    for _ in 0..150 {
        list(&server.anonymous(), BETA).await.expect(401);
    }
}

async fn a_steady_trickle(server: &Server) {
    let api = server.api(1, &[ALL]).await;
    drain(&api, BETA, 100).await;
    for _ in 0..50 {
        server.advance(TimeDelta::milliseconds(100));
        list(&api, BETA).await.expect(200);
    }
    too_many(&list(&api, BETA).await);
    server.advance(TimeDelta::seconds(1));
    drain(&api, BETA, 10).await;
    too_many(&list(&api, BETA).await);
}

/// The limit is of a client and a version of the API; where bearer tokens come from is none.
async fn trades_are_not_counted(server: &Server) {
    let pat = server.pat(1, &[ALL]).await;
    let api = server.bearer(&pat).await;
    drain(&api, BETA, 100).await;
    too_many(&list(&api, BETA).await);
    for _ in 0..150 {
        server.trade(&pat).await.expect(200);
    }
    drain(&api, V1, 100).await;
}

/// Wrong secrets and bearer tokens that are none, but not who has a right one.
async fn guesses_are_counted_by_address(server: &Server) {
    let other = server.another(|config| config.anonymous_rate = 5).await;
    let pat = other.pat(1, &[ALL]).await;
    let wrong = Pat { secret: "0".repeat(64), ..pat.clone() };
    let mut refused = 0;
    for _ in 0..60 {
        let answer = other.trade(&wrong).await;
        match answer.status {
            401 => {}
            429 => {
                answer.expect_body(429, &json!({"message": " Rate Limit Exceeded "}));
                refused += 1;
            }
            status => panic!("{status} {}", answer.text()),
        }
        other.trade(&pat).await.expect(200);
    }
    assert!(refused > 0, "somebody guesses as fast as he likes");
    let answers = futures_util::future::join_all((0..60).map(async |n| {
        let guess = other.with_key(&format!("x.y.{n}"));
        list(&guess, BETA).await.status
    }));
    let answers = answers.await;
    assert!(answers.contains(&429) && answers.iter().all(|status| matches!(status, 401 | 429)), "{answers:?}");
    list(&other.bearer(&pat).await, BETA).await.expect(200);
    other.end().await;
}

async fn wrong_secrets_take_nothing_from_the_owner(server: &Server) {
    let pat = server.pat(1, &[ALL]).await;
    let wrong = Pat { secret: "0".repeat(64), ..pat.clone() };
    for _ in 0..250 {
        let answer = server.trade(&wrong).await;
        assert!(matches!(answer.status, 401 | 429), "{}", answer.text());
    }
    let api = server.bearer(&pat).await;
    drain(&api, BETA, 100).await;
}

async fn without_a_bound(server: &Server) {
    let other = server.another(|config| config.api_rate = 0).await;
    let pat = other.pat(1, &[ALL]).await;
    let api = other.bearer(&pat).await;
    drain(&api, BETA, 250).await;
    for _ in 0..150 {
        other.trade(&pat).await.expect(200);
    }
    other.end().await;
}

async fn another_bound(server: &Server) {
    let other = server
        .another(|config| {
            config.api_rate = 2;
            config.api_rate_seconds = 9;
        })
        .await;
    let api = other.api(1, &[ALL]).await;
    drain(&api, BETA, 2).await;
    let answer = list(&api, BETA).await;
    answer.expect_body(429, &json!({"message": " Rate Limit Exceeded "}));
    // Whole seconds, rounded so that who waits gets in.
    assert_eq!(answer.header("retry-after"), Some("5"));
    other.advance(TimeDelta::seconds(5));
    list(&api, BETA).await.expect(200);
    other.end().await;
}
