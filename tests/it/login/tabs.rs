//! Two tabs, and two hands: requests on one plan that know nothing of each other.

use super::{
    CHANGE, LOGIN, LOGOUT, OTHER, PASSWORD, WRONG, account, asks, attempt, build, denies, fault, faults, gets_in,
    happened, leads, named, places::asks_for_another, signed_in, stage,
};
use crate::harness::{Answer, Flow, SESSION, Server, Visitor, tests};
use serde_json::{Value, json};

tests![
    a_stage_that_was_answered_already,
    a_login_that_is_over_already,
    two_names_in_two_tabs,
    another_flow_discards_the_plan,
    racing_names,
    racing_passwords,
    racing_changes_of_a_password,
    racing_renewals,
    racing_recoveries,
    racing_new_accounts,
    racing_first_visits,
];

/// The other tab still shows the first question.
async fn a_stage_that_was_answered_already(server: &Server) {
    for name in ["ann", "bob"] {
        account(server, name).await;
    }
    let browser = server.visitor();
    let (here, there) = (browser.flow(LOGIN), browser.flow(LOGIN));
    asks(there.shown().await, "ak-stage-identification");
    named(&here, "ann").await;
    let late = json!({"component": "ak-stage-identification", "uid_field": "bob"});
    let answer = there.post(&late).await;
    let shown = if answer.status == 302 { there.settled(answer).await } else { answer.expect(200) };
    assert_eq!((&shown["component"], &shown["pending_user"]), (&json!("ak-stage-password"), &json!("ann")), "{shown}");
    assert_eq!(here.shown().await["pending_user"], "ann");
    leads(&here.answered(json!({"password": PASSWORD})).await, "/");
    assert_eq!(browser.who().await.as_deref(), Some("ann"));
}

async fn a_login_that_is_over_already(server: &Server) {
    account(server, "ann").await;
    let browser = server.visitor();
    let (here, there) = (browser.flow(LOGIN), browser.flow(LOGIN));
    named(&there, "ann").await;
    let mark = server.mark().await;
    leads(&here.answered(json!({"password": PASSWORD})).await, "/");
    // The tab that waited: its answer is to a plan that is done.
    let late = there.answered(json!({"component": "ak-stage-password", "password": PASSWORD})).await;
    asks(late, "ak-stage-identification");
    assert_eq!(browser.who().await.as_deref(), Some("ann"));
    assert_eq!(happened(server, &mark, "login").await, 1);
    // With the cookie from before it is nothing either.
    let old = server.visitor();
    named(&old.flow(LOGIN), "ann").await;
    let copy = old.copied();
    leads(&old.flow(LOGIN).answered(json!({"password": PASSWORD})).await, "/");
    asks(copy.flow(LOGIN).answered(json!({"password": PASSWORD})).await, "ak-stage-identification");
    assert_eq!(copy.who().await, None);
}

async fn two_names_in_two_tabs(server: &Server) {
    for name in ["ann", "bob"] {
        account(server, name).await;
    }
    let (one, two) = (server.visitor(), server.visitor());
    named(&one.flow(LOGIN), "ann").await;
    named(&two.flow(LOGIN), "bob").await;
    leads(&two.flow(LOGIN).answered(json!({"password": PASSWORD})).await, "/");
    leads(&one.flow(LOGIN).answered(json!({"password": PASSWORD})).await, "/");
    assert_eq!((one.who().await.as_deref(), two.who().await.as_deref()), (Some("ann"), Some("bob")));
}

async fn another_flow_discards_the_plan(server: &Server) {
    account(server, "ann").await;
    for (other, component) in [(LOGOUT, "xak-flow-redirect"), (CHANGE, "ak-stage-access-denied")] {
        let browser = server.visitor();
        let flow = browser.flow(LOGIN);
        named(&flow, "ann").await;
        asks(browser.flow(other).shown().await, component);
        let late = asks(flow.answered(json!({"password": PASSWORD})).await, "ak-stage-identification");
        faults(&late, fault("uid_field", "This field is required.", "required"));
        assert_eq!(browser.who().await, None, "{other}");
    }
}

/// Sends the same answer many times at once, from as many tabs.
async fn at_once(flow: &Flow, body: &Value, count: usize) -> Vec<Answer> {
    // With cookies of their own, so that none sees what another one was given.
    let tabs: Vec<Flow> =
        (0..count).map(|_| Flow { browser: flow.browser.copied(), target: flow.target.clone() }).collect();
    let posts = tabs.iter().map(|tab| tab.post(body));
    futures_util::future::join_all(posts).await
}

async fn racing_names(server: &Server) {
    for name in ["ann", "bob"] {
        account(server, name).await;
    }
    let browser = server.visitor();
    let flow = browser.flow(LOGIN);
    flow.shown().await;
    let (one, two) = (json!({"uid_field": "ann"}), json!({"uid_field": "bob"}));
    let (first, second) = tokio::join!(at_once(&flow, &one, 3), at_once(&flow, &two, 3));
    for answer in first.iter().chain(&second) {
        assert!(answer.status == 302 || answer.status == 200, "{} {}", answer.status, answer.text());
    }
    let name = asks(flow.shown().await, "ak-stage-password")["pending_user"].as_str().expect("a name").to_owned();
    leads(&flow.answered(json!({"password": PASSWORD})).await, "/");
    assert_eq!(browser.who().await, Some(name), "who is shown is who gets in");
}

/// One gets the session; there are not more of them than logins.
async fn racing_passwords(server: &Server) {
    account(server, "ann").await;
    let flow = server.visitor().flow(LOGIN);
    named(&flow, "ann").await;
    let mark = server.mark().await;
    let tabs: Vec<Visitor> = (0..5).map(|_| flow.browser.copied()).collect();
    let body = json!({"password": PASSWORD});
    let ends = futures_util::future::join_all(tabs.iter().map(|tab| {
        let flow = tab.flow(LOGIN);
        let body = body.clone();
        async move { flow.answered(body).await }
    }));
    ends.await;
    let mut inside = 0;
    for tab in &tabs {
        inside += usize::from(tab.who().await.is_some());
    }
    assert_eq!(inside, 1, "tabs that are in");
    assert_eq!(happened(server, &mark, "login").await, 1);
    let sessions = server.admin().get("/core/authenticated_sessions/").await.expect(200);
    assert_eq!(sessions["pagination"]["count"], 1, "{sessions}");
}

/// How many passwords were set, and which one of these counts.
async fn one_counts(server: &Server, mark: &std::collections::BTreeSet<uuid::Uuid>, name: &str, chosen: &[String]) {
    assert_eq!(happened(server, mark, "password_set").await, 1);
    let mut good = 0;
    for password in chosen {
        good += usize::from(gets_in(server, name, password).await);
    }
    assert_eq!(good, 1);
    assert!(!gets_in(server, name, PASSWORD).await);
}

/// Answers the same question with another password each, at once.
async fn choose_at_once(flow: &Flow, count: usize) -> Vec<String> {
    let chosen: Vec<String> = (0..count).map(|i| format!("Chosen-Horse-Battery-{i}")).collect();
    let tabs: Vec<Flow> =
        (0..count).map(|_| Flow { browser: flow.browser.copied(), target: flow.target.clone() }).collect();
    let posts = tabs.iter().zip(&chosen).map(|(tab, password)| {
        let body = json!({"password": password, "password_repeat": password});
        async move { tab.post(&body).await }
    });
    for answer in futures_util::future::join_all(posts).await {
        assert!(answer.status == 302 || answer.status == 200, "{} {}", answer.status, answer.text());
    }
    chosen
}

async fn racing_changes_of_a_password(server: &Server) {
    account(server, "ann").await;
    let browser = signed_in(server, "ann", PASSWORD).await;
    let flow = browser.flow(CHANGE);
    flow.shown().await;
    let mark = server.mark().await;
    let chosen = choose_at_once(&flow, 4).await;
    // The last stage, which writes, is reached by a request of its own.
    let tabs: Vec<Visitor> = (0..4).map(|_| browser.copied()).collect();
    futures_util::future::join_all(tabs.iter().map(|tab| async move { tab.flow(CHANGE).get().await })).await;
    one_counts(server, &mark, "ann", &chosen).await;
    assert_eq!(browser.who().await.as_deref(), Some("ann"));
}

async fn racing_renewals(server: &Server) {
    account(server, "ann").await;
    let place = super::places::Place::Password;
    super::places::expiring(server, "old", place, false, json!({})).await;
    server.advance(chrono::TimeDelta::days(44));
    let flow = server.visitor().flow("old");
    asks_for_another(&attempt(&flow, "ann", PASSWORD).await, &super::places::ago(14));
    let mark = server.mark().await;
    let chosen = choose_at_once(&flow, 4).await;
    one_counts(server, &mark, "ann", &chosen).await;
}

async fn racing_recoveries(server: &Server) {
    let ann = account(server, "ann").await;
    let (slug, key) = super::recovery::link(server, ann).await;
    let mark = server.mark().await;
    // One key in many browsers: one of them gets the plan.
    let browsers: Vec<Visitor> = (0..5).map(|_| server.visitor()).collect();
    let query = format!("flow_token={key}");
    let shown = futures_util::future::join_all(browsers.iter().map(|browser| {
        let flow = browser.flow_with(&slug, &query);
        async move { flow.shown().await }
    }));
    let shown = shown.await;
    let good: Vec<usize> = (0..5).filter(|i| shown[*i]["component"] == "ak-stage-prompt").collect();
    assert_eq!(good.len(), 1, "{shown:?}");
    let flow = browsers[good[0]].flow_with(&slug, &query);
    let chosen = choose_at_once(&flow, 3).await;
    flow.shown().await;
    one_counts(server, &mark, "ann", &chosen).await;
}

async fn racing_new_accounts(server: &Server) {
    let body = json!({"name": "u", "field_key": "username", "label": "u", "type": "username"});
    let prompt = crate::bindings::pk(&server.admin().post("/stages/prompt/prompts/", &body).await.expect(201));
    let ask = stage(server, "prompt/stages", "ask", json!({"fields": [prompt]})).await;
    let write = stage(server, "user_write", "write", json!({"user_creation_mode": "always_create"})).await;
    build(server, "join", "enrollment", &[&ask, &write]).await;
    let browsers: Vec<Visitor> = (0..4).map(|_| server.visitor()).collect();
    let ends = futures_util::future::join_all(browsers.iter().map(|browser| {
        let flow = browser.flow("join");
        async move { flow.answered(json!({"username": "new"})).await }
    }));
    let ends = ends.await;
    assert_eq!(ends.iter().filter(|end| end["component"] == "xak-flow-redirect").count(), 1, "{ends:?}");
    assert_eq!(server.admin().get("/core/users/?username=new").await.expect_list("pk").len(), 1);
    for end in ends.iter().filter(|end| end["component"] == "ak-stage-access-denied") {
        denies(end, "Failed to update user. Please try again later.");
    }
}

async fn racing_first_visits(server: &Server) {
    let browser = server.visitor();
    browser.flow(LOGIN).shown().await;
    let shown = futures_util::future::join_all((0..8).map(|_| {
        let flow = browser.flow(LOGIN);
        async move { flow.shown().await }
    }));
    for challenge in shown.await {
        asks(challenge, "ak-stage-identification");
    }
    account(server, "ann").await;
    let cookie = browser.cookie(SESSION);
    faults(&attempt(&browser.flow(LOGIN), "ann", WRONG).await, super::wrong_password());
    assert_eq!(browser.cookie(SESSION), cookie);
    let _ = OTHER;
}
