//! How sessions begin, and their cookies.

use super::{
    LOGIN, LOGOUT, PASSWORD, account, asks, attempt, build, gets_in, identification, leads, named, password_stage,
    signed_in, stage,
};
use crate::harness::{Answer, CSRF, SESSION, Server, Visitor, tests};
use chrono::TimeDelta;
use http::Method;
use serde_json::{Value, json};

tests![
    an_anonymous_visit_gets_cookies,
    cookies_are_for_tls_where_there_is_tls,
    a_headless_login,
    signing_in_gives_another_session,
    a_visit_that_is_over_begins_anew,
    a_cookie_that_was_changed,
    sessions_are_listed,
    sessions_of_others,
    a_browser_session_ends_after_a_fortnight,
    a_duration_is_kept,
    being_remembered_or_not,
    a_token_goes_before_the_cookie,
    a_cookie_is_no_key,
    an_outage_ends_no_session,
];

const PATH: &str = "/core/authenticated_sessions/";

/// The line that sets a cookie.
fn set_cookie(answer: &Answer, name: &str) -> String {
    let lines = answer.headers.get_all("set-cookie").iter().map(|line| line.to_str().expect("text").to_owned());
    let found: Vec<String> = lines.filter(|line| line.starts_with(&format!("{name}="))).collect();
    assert_eq!(found.len(), 1, "{}: {name} is set {found:?}", answer.request);
    found[0].clone()
}

/// The attributes of a cookie, in lower case.
fn attributes(line: &str) -> Vec<String> {
    line.split(';').skip(1).map(|part| part.trim().to_lowercase()).collect()
}

async fn an_anonymous_visit_gets_cookies(server: &Server) {
    let browser = server.visitor();
    let answer = browser.flow(LOGIN).get().await;
    asks(answer.expect(200), "ak-stage-identification");
    let session = attributes(&set_cookie(&answer, SESSION));
    for part in ["httponly", "samesite=lax", "path=/"] {
        assert!(session.iter().any(|found| found == part), "{part}: {session:?}");
    }
    assert!(!session.iter().any(|part| part == "secure" || part.starts_with("domain")), "{session:?}");
    let csrf = attributes(&set_cookie(&answer, CSRF));
    assert!(csrf.iter().any(|part| part == "samesite=lax") && !csrf.iter().any(|part| part == "httponly"), "{csrf:?}");
    // The value has enough in it, and says nothing.
    let value = browser.cookie(SESSION).expect("a cookie");
    assert!(value.len() >= 32 && value != server.browser_value().await, "{value}");
    assert_eq!(browser.who().await, None);
    // It is kept while it is good.
    assert_eq!(browser.flow(LOGIN).get().await.headers.get_all("set-cookie").iter().count(), 0);
}

trait Visited {
    async fn browser_value(&self) -> String;
}

impl Visited for Server {
    async fn browser_value(&self) -> String {
        let browser = self.visitor();
        browser.flow(LOGIN).shown().await;
        browser.cookie(SESSION).expect("a cookie")
    }
}

async fn cookies_are_for_tls_where_there_is_tls(server: &Server) {
    let browser = server.visitor();
    let draft = browser.bare(Method::GET, &format!("/flows/executor/{LOGIN}/?query="));
    let answer = browser.send(draft.header("x-forwarded-proto", "https")).await;
    for name in [SESSION, CSRF] {
        let parts = attributes(&set_cookie(&answer, name));
        assert!(parts.iter().any(|part| part == "secure"), "{name}: {parts:?}");
    }
    let draft = server.visitor().bare(Method::GET, &format!("/flows/executor/{LOGIN}/?query="));
    let plain = draft.header("x-forwarded-proto", "http").send().await;
    assert!(!attributes(&set_cookie(&plain, SESSION)).iter().any(|part| part == "secure"));
}

/// The chain of the contract (§6.5).
async fn a_headless_login(server: &Server) {
    account(server, "ann").await;
    let browser = server.visitor();
    let flow = browser.flow(LOGIN);
    let mut chain = Vec::new();
    let mut answer = flow.post(&json!({"uid_field": "ann"})).await;
    chain.push(answer.status);
    assert_eq!(answer.header("location"), Some(&*flow.target));
    answer = flow.post(&json!({"password": PASSWORD})).await;
    while answer.status == 302 {
        assert_eq!(answer.header("location"), Some(&*flow.target));
        assert!(answer.body.is_empty() || answer.header("content-type").is_some());
        chain.push(answer.status);
        answer = flow.get().await;
    }
    leads(&answer.expect(200), "/");
    assert_eq!(chain, [302, 302, 302], "name, password, second factors");
    assert_eq!(browser.who().await.as_deref(), Some("ann"));
    // The session is one for the whole API.
    browser.get("/core/tokens/").await.expect(200);
    browser.get("/core/users/").await.expect_forbidden();
}

async fn signing_in_gives_another_session(server: &Server) {
    account(server, "ann").await;
    let browser = server.visitor();
    let flow = browser.flow(LOGIN);
    named(&flow, "ann").await;
    let before = browser.copied();
    leads(&flow.answered(json!({"password": PASSWORD})).await, "/");
    assert_ne!(browser.cookie(SESSION), before.cookie(SESSION));
    assert_ne!(browser.cookie(CSRF), before.cookie(CSRF));
    // Whoever planted the cookie before has nothing now.
    assert_eq!(before.who().await, None);
    let old = before.cookie(SESSION);
    asks(before.flow(LOGIN).shown().await, "ak-stage-identification");
    assert_ne!(before.cookie(SESSION), old, "it is not taken up again");
    assert_eq!(browser.who().await.as_deref(), Some("ann"));
    // Signing in again in the same browser does it again.
    let first = browser.copied();
    leads(&attempt(&browser.flow(LOGIN), "ann", PASSWORD).await, "/");
    assert_ne!(browser.cookie(SESSION), first.cookie(SESSION));
    assert_eq!(first.who().await, None);
    assert_eq!(browser.who().await.as_deref(), Some("ann"));
}

async fn a_visit_that_is_over_begins_anew(server: &Server) {
    account(server, "ann").await;
    let browser = server.visitor();
    named(&browser.flow(LOGIN), "ann").await;
    let old = browser.cookie(SESSION);
    server.advance(TimeDelta::hours(2));
    asks(browser.flow(LOGIN).shown().await, "ak-stage-identification");
    assert_ne!(browser.cookie(SESSION), old);
    leads(&attempt(&browser.flow(LOGIN), "ann", PASSWORD).await, "/");
}

async fn a_cookie_that_was_changed(server: &Server) {
    account(server, "ann").await;
    let browser = signed_in(server, "ann", PASSWORD).await;
    let good = browser.cookie(SESSION).expect("a cookie");
    let mut other: Vec<char> = good.chars().collect();
    other[10] = if other[10] == 'a' { 'b' } else { 'a' };
    let other: String = other.into_iter().collect();
    let upper = if good == good.to_uppercase() { good.to_lowercase() } else { good.to_uppercase() };
    let none = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJha2FkbWluIiwiYXV0aGVudGljYXRlZCI6dHJ1ZX0.";
    let long = "x".repeat(5000);
    for value in [&other, &upper, &good[1..], &format!("{good}x"), "", "null", "%00", none, "' OR 1=1 --", &long] {
        let thief = browser.copied();
        thief.put_cookie(SESSION, value);
        assert_eq!(thief.who().await, None, "{value}");
        asks(thief.flow(LOGIN).shown().await, "ak-stage-identification");
        assert_ne!(thief.cookie(SESSION).as_deref(), Some(value), "a visitor chose his own session");
    }
    assert_eq!(browser.who().await.as_deref(), Some("ann"));
}

async fn list(browser: &Visitor) -> Vec<Value> {
    browser.get(PATH).await.expect(200)["results"].as_array().expect("a list").clone()
}

async fn sessions_are_listed(server: &Server) {
    let ann = account(server, "ann").await;
    let first = signed_in(server, "ann", PASSWORD).await;
    let second = server.visitor();
    second.flow(LOGIN).shown().await;
    let draft = second.bare(Method::POST, &format!("/flows/executor/{LOGIN}/?query="));
    second.send(draft.header("user-agent", "Firefox of Ann").json(&json!({"uid_field": "ann"}))).await;
    leads(&second.flow(LOGIN).answered(json!({"password": PASSWORD})).await, "/");
    for browser in [&first, &second] {
        let all = list(browser).await;
        assert_eq!(all.len(), 2, "{all:?}");
        assert_eq!(all.iter().filter(|session| session["current"] == true).count(), 1, "{all:?}");
        for session in &all {
            assert_eq!(session["user"], ann);
            assert_eq!(session["last_ip"], "127.0.0.1");
            assert!(session["geo_ip"].is_null() && session["asn"].is_null(), "{session}");
            let one = browser.get(&format!("{PATH}{}/", session["uuid"].as_str().expect("a key"))).await.expect(200);
            assert_eq!(one, *session);
        }
    }
    let current = |all: &[Value]| all.iter().find(|s| s["current"] == true).map(|s| s["uuid"].clone());
    assert_ne!(current(&list(&first).await), current(&list(&second).await));
    // Visits in which nobody has signed in are nobody's.
    server.visitor().flow(LOGIN).shown().await;
    let admin = server.admin().get(PATH).await.expect(200);
    assert_eq!(admin["pagination"]["count"], 2, "{admin}");
    assert!(admin["results"].as_array().expect("a list").iter().all(|session| session["current"] == false), "{admin}");
    let text = admin.to_string();
    for browser in [&first, &second] {
        assert!(!text.contains(&browser.cookie(SESSION).expect("a cookie")));
    }
    for (query, count) in [
        ("user__username=ann", 2),
        ("user__username=bob", 0),
        ("last_ip=127.0.0.1", 2),
        ("last_ip=127.0.0.2", 0),
        ("search=127.0.0", 2),
        ("search=nothing-like-it", 0),
    ] {
        let found = server.admin().get(&format!("{PATH}?{query}")).await.expect_list("uuid");
        assert_eq!(found.len(), count, "{query}");
    }
}

async fn sessions_of_others(server: &Server) {
    account(server, "ann").await;
    account(server, "bob").await;
    let (ann, bob) = (signed_in(server, "ann", PASSWORD).await, signed_in(server, "bob", PASSWORD).await);
    let own = list(&ann).await;
    let path = format!("{PATH}{}/", own[0]["uuid"].as_str().expect("a key"));
    assert_eq!(list(&bob).await.len(), 1);
    bob.get(&path).await.expect_missing();
    bob.delete(&path).await.expect_missing();
    assert_eq!(ann.who().await.as_deref(), Some("ann"));
    let nobody = server.anonymous();
    for path in [PATH, &path] {
        nobody.get(path).await.expect_detail(403, "Authentication credentials were not provided.");
    }
    nobody.delete(&path).await.expect_detail(403, "Authentication credentials were not provided.");
    server.admin().get(&path).await.expect(200);
    server.admin().get(&format!("{path}used_by/")).await.expect(200);
}

async fn a_browser_session_ends_after_a_fortnight(server: &Server) {
    account(server, "ann").await;
    let browser = server.visitor();
    let flow = browser.flow(LOGIN);
    named(&flow, "ann").await;
    let mut answer = flow.post(&json!({"password": PASSWORD})).await;
    while !answer.headers.contains_key("set-cookie") {
        answer = flow.get().await;
    }
    let parts = attributes(&set_cookie(&answer, SESSION));
    assert!(!parts.iter().any(|part| part.starts_with("max-age") || part.starts_with("expires")), "{parts:?}");
    flow.shown().await;
    server.advance(TimeDelta::days(14) - TimeDelta::seconds(5));
    assert_eq!(browser.who().await.as_deref(), Some("ann"));
    server.advance(TimeDelta::seconds(6));
    assert_eq!(browser.who().await, None);
    assert_eq!(server.admin().get(PATH).await.expect(200)["pagination"]["count"], 0);
}

/// A flow whose login stage has these fields.
async fn lasting(server: &Server, slug: &str, fields: Value) {
    let who = identification(server, &format!("{slug} who")).await;
    let password = password_stage(server, &format!("{slug} password"), json!({})).await;
    let login = stage(server, "user_login", &format!("{slug} login"), fields).await;
    build(server, slug, "authentication", &[&who, &password, &login]).await;
}

async fn a_duration_is_kept(server: &Server) {
    account(server, "ann").await;
    lasting(server, "short", json!({"session_duration": "minutes=10"})).await;
    let browser = server.visitor();
    leads(&attempt(&browser.flow("short"), "ann", PASSWORD).await, "/");
    server.advance(TimeDelta::minutes(9));
    assert_eq!(browser.who().await.as_deref(), Some("ann"));
    server.advance(TimeDelta::seconds(61));
    assert_eq!(browser.who().await, None);
    assert!(gets_in(server, "ann", PASSWORD).await);
}

async fn being_remembered_or_not(server: &Server) {
    account(server, "ann").await;
    lasting(server, "ask", json!({"session_duration": "hours=1", "remember_me_offset": "days=30"})).await;
    for (remember, lasts) in [(json!(true), true), (json!("true"), true), (json!(false), false)] {
        let browser = server.visitor();
        let flow = browser.flow("ask");
        asks(attempt(&flow, "ann", PASSWORD).await, "ak-stage-user-login");
        assert_eq!(browser.who().await, None, "not before the answer");
        for (wrong, text, code) in [
            (json!({}), "This field is required.", "required"),
            (json!({"remember_me": null}), "This field may not be null.", "null"),
            (json!({"remember_me": "x"}), "Must be a valid boolean.", "invalid"),
        ] {
            let asked = asks(flow.answered(wrong).await, "ak-stage-user-login");
            super::faults(&asked, super::fault("remember_me", text, code));
        }
        leads(&flow.answered(json!({"remember_me": remember})).await, "/");
        assert_eq!(browser.who().await.as_deref(), Some("ann"));
        server.advance(TimeDelta::hours(2));
        assert_eq!(browser.who().await.is_some(), lasts, "{remember}");
    }
}

async fn a_token_goes_before_the_cookie(server: &Server) {
    account(server, "ann").await;
    let bob = server.person("bob").await;
    let browser = signed_in(server, "ann", PASSWORD).await;
    let with_key =
        |key: &str| browser.bare(Method::GET, "/core/users/me/").header("authorization", format!("Bearer {key}"));
    assert_eq!(with_key(&bob.key).send().await.expect(200)["user"]["username"], "bob");
    with_key("nonsense").send().await.expect_detail(403, "Token invalid/expired");
    let scheme = browser.bare(Method::GET, "/core/users/me/").header("authorization", "Basic YW5uOmFubg==");
    scheme.send().await.expect_detail(403, "Unsupported authentication type");
    // A scheme with nothing after it is no credential.
    let empty = browser.bare(Method::GET, "/core/users/me/").header("authorization", "Bearer");
    assert_eq!(empty.send().await.expect(200)["user"]["username"], "ann");
}

/// Sessions are rows: a restart ends none.
async fn an_outage_ends_no_session(server: &Server) {
    let own = server.another(|_| ()).await;
    account(&own, "ann").await;
    let browser = signed_in(&own, "ann", PASSWORD).await;
    let half = own.visitor();
    named(&half.flow(LOGIN), "ann").await;
    let place = own.stop().await;
    let again = place.start_with(|_| ()).await.expect("it starts");
    let browser = browser.moved(again.address());
    assert_eq!(browser.who().await.as_deref(), Some("ann"));
    // A visit goes on, too.
    let half = half.moved(again.address());
    leads(&half.flow(LOGIN).answered(json!({"password": PASSWORD})).await, "/");
    // And what is over stays over.
    let old = browser.copied();
    leads(&browser.flow(LOGOUT).shown().await, "/");
    assert_eq!(old.who().await, None);
    again.end().await;
}

/// Neither when nobody has been seen with it, nor when its session is remembered.
async fn a_cookie_is_no_key(server: &Server) {
    let browser = server.browser(1).await;
    for _ in 0..2 {
        let answer = server.with_key(&browser.session).get("/core/users/me/").await;
        answer.expect_detail(403, "Token invalid/expired");
        assert_eq!(browser.whose().await.as_deref(), Some("akadmin"));
    }
    let cookie = format!("authentik_session={}", crate::harness::BOOTSTRAP_TOKEN);
    server.admin().get("/core/users/me/").await.expect_status(200);
    let answer = server.anonymous().request(Method::GET, "/core/users/me/").header("cookie", cookie).send().await;
    answer.expect_status(403);
}
