//! Plans: how long they wait, what begins anew, and answers that are none (contract: authentik-core §6.2, §6.3).

use super::{
    CHANGE, LOGIN, OTHER, PASSWORD, account, asks, attempt, build, build_with, denies, fault, faults, gets_in,
    identification, leads, login_flow, named, second, signed_in, stage,
};
use crate::{
    bindings::{bind, dummy},
    engine::expression,
    harness::{CSRF_HEADER, SESSION, Server, tests},
};
use chrono::TimeDelta;
use http::Method;
use serde_json::{Value, json};

tests![
    an_expired_plan_begins_anew,
    an_expired_plan_of_who_has_signed_in,
    a_plan_that_is_used_goes_on,
    a_changed_cookie_begins_anew,
    a_plan_of_somebody_else,
    cancelling,
    bodies_that_are_no_answers,
    unknown_flows,
    who_a_flow_is_for,
    what_policies_are_told,
    stages_without_questions,
    a_plan_at_the_other_server,
    the_key_of_the_caller_makes_no_difference,
];

async fn an_expired_plan_begins_anew(server: &Server) {
    account(server, "ann").await;
    let browser = server.visitor();
    let flow = browser.flow(LOGIN);
    named(&flow, "ann").await;
    server.advance(TimeDelta::minutes(61));
    let late = asks(flow.answered(json!({"password": PASSWORD})).await, "ak-stage-identification");
    faults(&late, fault("uid_field", "This field is required.", "required"));
    assert_eq!(browser.who().await, None);
    leads(&attempt(&flow, "ann", PASSWORD).await, "/");
}

/// Two questions one after the other.
async fn two_questions(server: &Server, slug: &str) {
    let (one, two) = (stage(server, "dummy", "one", json!({})).await, stage(server, "dummy", "two", json!({})).await);
    build(server, slug, "stage_configuration", &[&one, &two]).await;
}

async fn an_expired_plan_of_who_has_signed_in(server: &Server) {
    account(server, "ann").await;
    two_questions(server, "two").await;
    let browser = signed_in(server, "ann", PASSWORD).await;
    let flow = browser.flow("two");
    assert_eq!(flow.answered(json!({})).await["name"], "two");
    server.advance(TimeDelta::minutes(59));
    assert_eq!(flow.shown().await["name"], "two");
    server.advance(TimeDelta::minutes(61));
    assert_eq!(flow.shown().await["name"], "one");
    assert_eq!(browser.who().await.as_deref(), Some("ann"), "the session is no plan");
}

async fn a_plan_that_is_used_goes_on(server: &Server) {
    account(server, "ann").await;
    login_flow(server, "slow", json!({"failed_attempts_before_cancel": 9}), json!({})).await;
    let browser = server.visitor();
    let flow = browser.flow("slow");
    flow.shown().await;
    server.advance(TimeDelta::minutes(50));
    named(&flow, "ann").await;
    server.advance(TimeDelta::minutes(50));
    leads(&flow.answered(json!({"password": PASSWORD})).await, "/");
}

async fn a_changed_cookie_begins_anew(server: &Server) {
    account(server, "ann").await;
    let browser = server.visitor();
    named(&browser.flow(LOGIN), "ann").await;
    let good = browser.cookie(SESSION).expect("a cookie");
    let thief = browser.copied();
    thief.put_cookie(SESSION, &format!("{}A", &good[..good.len() - 1]).replace("AA", "BA"));
    if thief.cookie(SESSION) == Some(good.clone()) {
        thief.put_cookie(SESSION, &format!("{}z", &good[..good.len() - 1]));
    }
    asks(thief.flow(LOGIN).answered(json!({"password": PASSWORD})).await, "ak-stage-identification");
    assert_eq!(thief.who().await, None);
    // The right one goes on where it was.
    leads(&browser.flow(LOGIN).answered(json!({"password": PASSWORD})).await, "/");
}

/// A flow is planned for who is there; who comes after him gets his own.
async fn a_plan_of_somebody_else(server: &Server) {
    account(server, "ann").await;
    account(server, "bob").await;
    let browser = signed_in(server, "ann", PASSWORD).await;
    let change = browser.flow(CHANGE);
    asks(change.shown().await, "ak-stage-prompt");
    leads(&attempt(&browser.flow(LOGIN), "bob", PASSWORD).await, "/");
    // Ann's question was in this browser; the answer is Bob's now, or nobody's.
    change.answered(json!({"password": OTHER, "password_repeat": OTHER})).await;
    assert!(gets_in(server, "ann", PASSWORD).await);
    assert!(!gets_in(server, "ann", OTHER).await);
}

async fn cancelling(server: &Server) {
    account(server, "ann").await;
    let browser = server.visitor();
    let flow = browser.flow(LOGIN);
    named(&flow, "ann").await;
    let answer = browser.send(browser.outside(Method::GET, "/flows/-/cancel/")).await;
    answer.expect_status(302);
    asks(flow.shown().await, "ak-stage-identification");
    leads(&attempt(&flow, "ann", PASSWORD).await, "/");
}

async fn bodies_that_are_no_answers(server: &Server) {
    account(server, "ann").await;
    let browser = server.visitor();
    let flow = browser.flow(LOGIN);
    named(&flow, "ann").await;
    let send = async |media: &str, body: &str| {
        let draft = browser.outside(Method::POST, &flow.target).header("content-type", media).body(body);
        browser.send(draft).await
    };
    for body in ["{", "{\"password\": }", "\u{feff}", "{\"password\": \"x\"} x"] {
        send("application/json", body).await.expect(400);
    }
    for body in ["[]", "\"text\"", "5", "true"] {
        let refused = send("application/json", body).await.expect(400);
        assert!(refused["non_field_errors"].is_array(), "{body}: {refused}");
    }
    for media in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"] {
        send(media, "password=x").await.expect(415);
    }
    for method in [Method::PUT, Method::PATCH, Method::DELETE] {
        let answer = browser.outside(method, &flow.target).header(CSRF_HEADER, "x").json(&json!({})).send().await;
        assert!([403, 405].contains(&answer.status), "{}", answer.status);
    }
    // Nothing of that was an answer; unknown keys, and the name of the stage, are not looked at.
    let answer = json!({"component": "ak-stage-nonsense", "password": PASSWORD, "uid_field": "bob", "x": [1]});
    leads(&flow.answered(answer).await, "/");
    assert_eq!(browser.who().await.as_deref(), Some("ann"));
}

async fn unknown_flows(server: &Server) {
    let browser = server.visitor();
    for slug in ["nothing-like-it", "DEFAULT-AUTHENTICATION-FLOW", "..", "%00", "default-authentication-flow%2F"] {
        let path = format!("/flows/executor/{slug}/?query=");
        for method in [Method::GET, Method::POST] {
            let draft = browser.bare(method, &path).json(&json!({}));
            assert_eq!(draft.send().await.status, 404, "{slug}");
        }
    }
}

async fn who_a_flow_is_for(server: &Server) {
    account(server, "ann").await;
    let one = stage(server, "dummy", "one", json!({})).await;
    let ann = signed_in(server, "ann", PASSWORD).await;
    let root = server.visitor();
    leads(&attempt(&root.flow(LOGIN), "akadmin", crate::harness::BOOTSTRAP_PASSWORD).await, "/");
    for (authentication, anonymous, plain, superuser) in [
        ("none", true, true, true),
        ("require_authenticated", false, true, true),
        ("require_unauthenticated", true, false, false),
        ("require_superuser", false, false, true),
        ("require_outpost", false, false, false),
    ] {
        let slug = authentication.replace('_', "-");
        let fields = json!({"designation": "stage_configuration", "authentication": authentication});
        build_with(server, &slug, fields, json!({}), &[&one]).await;
        for (who, browser, open) in
            [("nobody", &server.visitor(), anonymous), ("ann", &ann, plain), ("akadmin", &root, superuser)]
        {
            let shown = browser.flow(&slug).shown().await;
            if open {
                assert_eq!(shown["component"], "ak-stage-dummy", "{authentication} {who}: {shown}");
            } else {
                denies(&shown, "Flow does not apply to current user.");
            }
        }
    }
}

/// A policy at the flow, and one at a stage that knows who it is about.
async fn what_policies_are_told(server: &Server) {
    for name in ["ann", "bob"] {
        account(server, name).await;
    }
    let who = identification(server, "who").await;
    let only = stage(server, "dummy", "only for ann", json!({})).await;
    let last = stage(server, "dummy", "last", json!({})).await;
    let built = build(server, "told", "stage_configuration", &[&who, &only, &last]).await;
    let is_ann = "return request.context['pending_user'].username == 'ann' and request.user.username == 'ann'";
    let policy = expression(server, "is ann", is_ann).await;
    bind(server, &built.bindings[1], 0, json!({"policy": policy})).await;
    for (name, stage) in [("ann", "only for ann"), ("bob", "last"), ("nobody", "last")] {
        let shown = server.visitor().flow("told").answered(json!({"uid_field": name})).await;
        assert_eq!(shown["name"], stage, "{name}: {shown}");
    }
    let no = dummy(server, "no", false).await;
    bind(server, &built.pk, 0, json!({"policy": no})).await;
    denies(&server.visitor().flow("told").shown().await, "dummy");
}

async fn stages_without_questions(server: &Server) {
    build(server, "empty", "stage_configuration", &[]).await;
    leads(&server.visitor().flow("empty").shown().await, "/");
    leads(&server.visitor().flow_with("empty", "next=%2Fa").answered(json!({})).await, "/a");
    let deny = stage(server, "deny", "deny", json!({"deny_message": "Not you."})).await;
    build(server, "deny", "stage_configuration", &[&deny]).await;
    let browser = server.visitor();
    denies(&browser.flow("deny").shown().await, "Not you.");
    denies(&browser.flow("deny").answered(json!({})).await, "Not you.");
    let bare = stage(server, "deny", "bare", json!({})).await;
    build(server, "bare", "stage_configuration", &[&bare]).await;
    denies(&browser.flow("bare").shown().await, "Unknown error");
}

/// Every request of a visit may reach another server.
async fn a_plan_at_the_other_server(server: &Server) {
    account(server, "ann").await;
    let there = second(server).await;
    let here = server.visitor();
    named(&here.flow(LOGIN), "ann").await;
    let away = here.moved(there.api);
    let answer = away.flow(LOGIN).post(&json!({"password": PASSWORD})).await;
    answer.expect_status(302);
    let back = away.moved(server.address());
    leads(&back.flow(LOGIN).shown().await, "/");
    assert_eq!(back.who().await.as_deref(), Some("ann"));
    assert_eq!(back.moved(there.api).who().await.as_deref(), Some("ann"));
    there.stop().await;
}

/// The account of a flow is that of the session.
async fn the_key_of_the_caller_makes_no_difference(server: &Server) {
    let bob = server.person("bob").await;
    let path = format!("/flows/executor/{CHANGE}/?query=");
    let shown: Value = bob.client.get(&path).await.expect(200);
    denies(&shown, "Flow does not apply to current user.");
    let answer = server.with_key("nonsense").get(&format!("/flows/executor/{LOGIN}/?query=")).await;
    answer.expect_detail(403, "Token invalid/expired");
}
