//! Requests that another site's page makes a browser send (contract: authentik-core §1.1).

use super::{CHANGE, LOGIN, OTHER, PASSWORD, account, asks, attempt, gets_in, leads, named, signed_in};
use crate::harness::{Answer, CSRF, CSRF_HEADER, Server, Visitor, tests};
use http::Method;
use serde_json::{Value, json};

tests![
    a_change_needs_the_token,
    what_is_no_token,
    reading_needs_none,
    the_executor_needs_it_too,
    a_visitor_needs_none,
    a_token_of_the_api_needs_none,
    other_origins,
    pages_over_tls,
];

const TOKENS: &str = "/core/tokens/";
const MISSING: &str = "CSRF Failed: CSRF token missing.";
const INCORRECT: &str = "CSRF Failed: CSRF token from the 'X-Authentik-Csrf' HTTP header incorrect.";

fn body() -> Value {
    json!({"identifier": "made"})
}

/// How many tokens were made, that is, whether anything came of it.
async fn made(server: &Server) -> usize {
    server.admin().get(&format!("{TOKENS}?identifier=made")).await.expect_list("identifier").len()
}

async fn ann(server: &Server) -> Visitor {
    account(server, "ann").await;
    signed_in(server, "ann", PASSWORD).await
}

async fn a_change_needs_the_token(server: &Server) {
    let browser = ann(server).await;
    for (method, path) in [
        (Method::POST, TOKENS),
        (Method::PUT, "/core/tokens/none/"),
        (Method::PATCH, "/core/tokens/none/"),
        (Method::DELETE, "/core/tokens/none/"),
    ] {
        let answer = browser.bare(method.clone(), path).json(&body()).send().await;
        answer.expect_detail(403, MISSING);
        let answer = browser.bare(method, path).header(CSRF_HEADER, "").json(&body()).send().await;
        assert_eq!(answer.status, 403, "{}", answer.text());
    }
    assert_eq!(made(server).await, 0);
    browser.post(TOKENS, &body()).await.expect(201);
    assert_eq!(made(server).await, 1);
}

async fn what_is_no_token(server: &Server) {
    let browser = ann(server).await;
    let own = browser.cookie(CSRF).expect("a token");
    account(server, "bob").await;
    let other = signed_in(server, "bob", PASSWORD).await.cookie(CSRF).expect("a token");
    let with = |token: &str| browser.bare(Method::POST, TOKENS).header(CSRF_HEADER, token).json(&body());
    for token in [&other, &format!("{own}x"), &own[1..], "undefined", "null", "x"] {
        with(token).send().await.expect_detail(403, INCORRECT);
    }
    // Nor does a pair that somebody has made up, or that another session was given.
    for invented in ["0123456789abcdef0123456789abcdef", &other] {
        let planted = browser.copied();
        planted.put_cookie(CSRF, invented);
        let draft = planted.bare(Method::POST, TOKENS).header(CSRF_HEADER, invented).json(&body());
        assert_eq!(draft.send().await.status, 403, "{invented}");
    }
    let without = browser.copied();
    without.lose_cookie(CSRF);
    let draft = without.bare(Method::POST, TOKENS).header(CSRF_HEADER, &own).json(&body());
    draft.send().await.expect_detail(403, "CSRF Failed: CSRF cookie not set.");
    // That of the visit before the login.
    let visit = server.visitor();
    visit.flow(LOGIN).shown().await;
    let early = visit.cookie(CSRF).expect("a token");
    leads(&attempt(&visit.flow(LOGIN), "ann", PASSWORD).await, "/");
    let draft = visit.bare(Method::POST, TOKENS).header(CSRF_HEADER, early).json(&body());
    draft.send().await.expect_detail(403, INCORRECT);
    assert_eq!(made(server).await, 0);
    with(&own).send().await.expect(201);
}

async fn reading_needs_none(server: &Server) {
    let browser = ann(server).await;
    for method in [Method::GET, Method::HEAD, Method::OPTIONS] {
        let answer = browser.bare(method, TOKENS).header("origin", "https://evil.example").send().await;
        answer.expect_status(200);
    }
}

/// Otherwise another page could choose a password for who has signed in.
async fn the_executor_needs_it_too(server: &Server) {
    let browser = ann(server).await;
    let path = format!("/flows/executor/{CHANGE}/?query=");
    asks(browser.flow(CHANGE).shown().await, "ak-stage-prompt");
    let chosen = json!({"password": OTHER, "password_repeat": OTHER});
    let bare = || browser.bare(Method::POST, &path).json(&chosen);
    bare().send().await.expect_detail(403, MISSING);
    bare().header(CSRF_HEADER, "wrong").send().await.expect_detail(403, INCORRECT);
    assert!(gets_in(server, "ann", PASSWORD).await);
    leads(&browser.flow(CHANGE).answered(chosen).await, "/");
    assert!(gets_in(server, "ann", OTHER).await);
}

async fn a_visitor_needs_none(server: &Server) {
    account(server, "ann").await;
    let browser = server.visitor();
    let path = format!("/flows/executor/{LOGIN}/?query=");
    let answer = browser.send(browser.bare(Method::POST, &path).json(&json!({"uid_field": "ann"}))).await;
    answer.expect_status(302);
    let answer = browser.send(browser.bare(Method::POST, &path).json(&json!({"password": PASSWORD}))).await;
    answer.expect_status(302);
    leads(&browser.flow(LOGIN).shown().await, "/");
}

async fn a_token_of_the_api_needs_none(server: &Server) {
    let bob = server.person("bob").await;
    let browser = ann(server).await;
    let key = format!("Bearer {}", bob.key);
    // With the cookies of somebody else beside it.
    let draft = browser.bare(Method::POST, TOKENS).header("authorization", key).json(&body());
    let made = draft.send().await.expect(201);
    assert_eq!(made["user"], bob.pk);
}

fn refused(answer: &Answer, begins: &str) {
    let detail = answer.expect(403)["detail"].as_str().expect("a text").to_owned();
    assert!(detail.starts_with(begins), "{detail}");
}

async fn other_origins(server: &Server) {
    let browser = ann(server).await;
    let token = browser.cookie(CSRF).expect("a token");
    let from = |origin: &str| {
        browser.bare(Method::POST, TOKENS).header(CSRF_HEADER, &token).header("origin", origin).json(&body())
    };
    for origin in ["https://evil.example", "null", "http://127.0.0.1:1", "http://127.0.0.1.evil.example", ""] {
        refused(&from(origin).send().await, "CSRF Failed: Origin checking failed - ");
    }
    assert_eq!(made(server).await, 0);
    from(&format!("http://{}", server.address())).send().await.expect(201);
}

async fn pages_over_tls(server: &Server) {
    let browser = ann(server).await;
    let token = browser.cookie(CSRF).expect("a token");
    let draft = || {
        let draft = browser.bare(Method::POST, TOKENS).header(CSRF_HEADER, &token);
        draft.header("x-forwarded-proto", "https").json(&body())
    };
    draft().send().await.expect_detail(403, "CSRF Failed: Referer checking failed - no Referer.");
    let insecure = draft().header("referer", format!("http://{}/", server.address()));
    refused(&insecure.send().await, "CSRF Failed: Referer checking failed - Referer is insecure");
    let evil = draft().header("referer", "https://evil.example/");
    refused(&evil.send().await, "CSRF Failed: Referer checking failed - https://evil.example/");
    assert_eq!(made(server).await, 0);
    draft().header("referer", format!("https://{}/if/user/", server.address())).send().await.expect(201);
    named(&server.visitor().flow(LOGIN), "ann").await;
}
