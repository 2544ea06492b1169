//! What is deleted under a running plan: stages, bindings, flows, policies, accounts.

use super::{
    Built, LOGIN, OTHER, PASSWORD, account, asks, attempt, build, choose_password, denies, gets_in, identification,
    leads, login_flow, named, password_stage, places::ago, places::asks_for_another, set_password, signed_in, stage,
};
use crate::{
    bindings::{bind, dummy, path, policy},
    harness::{Server, tests},
};
use serde_json::json;

tests![
    a_binding_that_is_deleted,
    a_stage_that_is_deleted,
    a_later_stage_that_is_deleted,
    a_flow_that_is_deleted,
    a_policy_that_is_deleted,
    a_policy_that_let_nobody_in,
    a_stage_that_is_added,
    an_account_that_is_deleted,
    an_account_that_is_deactivated,
    a_password_that_changes_meanwhile,
    the_stage_of_a_renewal,
    a_session_that_is_deleted,
    a_prompt_that_is_deleted,
];

const GONE: &str = "This step is no longer there. Please start again.";

async fn plan(server: &Server) -> Built {
    account(server, "ann").await;
    login_flow(server, "old", json!({}), json!({})).await
}

async fn a_binding_that_is_deleted(server: &Server) {
    let built = plan(server).await;
    let browser = server.visitor();
    let flow = browser.flow("old");
    named(&flow, "ann").await;
    server.admin().delete(&format!("/flows/bindings/{}/", built.bindings[1])).await.expect_empty(204);
    denies(&flow.answered(json!({"password": PASSWORD})).await, GONE);
    assert_eq!(browser.who().await, None);
    // A new visit takes the flow as it is now, which asks for no password, and lets nobody in.
    asks(flow.shown().await, "ak-stage-identification");
    asks(flow.answered(json!({"uid_field": "ann"})).await, "ak-stage-access-denied");
    assert_eq!(browser.who().await, None);
}

async fn a_stage_that_is_deleted(server: &Server) {
    let built = plan(server).await;
    let browser = server.visitor();
    let flow = browser.flow("old");
    named(&flow, "ann").await;
    let binding = server.admin().get(&format!("/flows/bindings/{}/", built.bindings[1])).await.expect(200);
    let path = format!("/stages/all/{}/", binding["stage"].as_str().expect("a key"));
    server.admin().delete(&path).await.expect_empty(204);
    denies(&flow.shown().await, GONE);
    asks(flow.shown().await, "ak-stage-identification");
    assert_eq!(browser.who().await, None);
}

async fn a_later_stage_that_is_deleted(server: &Server) {
    let built = plan(server).await;
    let browser = server.visitor();
    let flow = browser.flow("old");
    named(&flow, "ann").await;
    server.admin().delete(&format!("/flows/bindings/{}/", built.bindings[2])).await.expect_empty(204);
    denies(&flow.answered(json!({"password": PASSWORD})).await, GONE);
    assert_eq!(browser.who().await, None);
}

async fn a_flow_that_is_deleted(server: &Server) {
    plan(server).await;
    let browser = server.visitor();
    let flow = browser.flow("old");
    named(&flow, "ann").await;
    server.admin().delete("/flows/instances/old/").await.expect_empty(204);
    flow.post(&json!({"password": PASSWORD})).await.expect_status(404);
    flow.get().await.expect_status(404);
    leads(&attempt(&browser.flow(LOGIN), "ann", PASSWORD).await, "/");
}

async fn a_policy_that_is_deleted(server: &Server) {
    let built = plan(server).await;
    for target in [&built.pk, &built.bindings[1], &built.bindings[2]] {
        let yes = dummy(server, "yes", true).await;
        bind(server, target, 0, json!({"policy": yes})).await;
        let browser = server.visitor();
        let flow = browser.flow("old");
        named(&flow, "ann").await;
        server.admin().delete(&format!("/policies/dummy/{yes}/")).await.expect_empty(204);
        leads(&flow.answered(json!({"password": PASSWORD})).await, "/");
        assert_eq!(browser.who().await.as_deref(), Some("ann"));
    }
}

async fn a_policy_that_let_nobody_in(server: &Server) {
    let built = plan(server).await;
    let no = dummy(server, "no", false).await;
    let bound = bind(server, &built.bindings[2], 0, json!({"policy": no})).await;
    let browser = server.visitor();
    let flow = browser.flow("old");
    named(&flow, "ann").await;
    server.admin().delete(&path(&bound)).await.expect_empty(204);
    leads(&flow.answered(json!({"password": PASSWORD})).await, "/");
    // And the other way round: one that appears on the way counts.
    let browser = server.visitor();
    let flow = browser.flow("old");
    named(&flow, "ann").await;
    bind(server, &built.bindings[2], 0, json!({"policy": no})).await;
    denies(&flow.answered(json!({"password": PASSWORD})).await, "dummy");
    assert_eq!(browser.who().await, None);
}

/// A running plan is what it was; the next one is what the flow is now.
async fn a_stage_that_is_added(server: &Server) {
    let built = plan(server).await;
    let browser = server.visitor();
    let flow = browser.flow("old");
    named(&flow, "ann").await;
    let deny = stage(server, "deny", "deny", json!({"deny_message": "Closed."})).await;
    let body = json!({"target": built.pk, "stage": deny, "order": 15});
    server.admin().post("/flows/bindings/", &body).await.expect(201);
    leads(&flow.answered(json!({"password": PASSWORD})).await, "/");
    denies(&attempt(&server.visitor().flow("old"), "ann", PASSWORD).await, "Closed.");
}

async fn an_account_that_is_deleted(server: &Server) {
    for after in [false, true] {
        let name = format!("ann-{after}");
        let user = account(server, &name).await;
        let browser = server.visitor();
        let flow = browser.flow(LOGIN);
        named(&flow, &name).await;
        if after {
            // The password is right, and the session is a request away.
            flow.post(&json!({"password": PASSWORD})).await.expect_status(302);
        }
        server.admin().delete(&format!("/core/users/{user}/")).await.expect_empty(204);
        let end = if after { flow.shown().await } else { flow.answered(json!({"password": PASSWORD})).await };
        let component = if after { "ak-stage-access-denied" } else { "ak-stage-password" };
        asks(end, component);
        assert_eq!(browser.who().await, None);
        // A new account of the same name does not inherit the visit.
        account(server, &name).await;
        flow.shown().await;
        assert_eq!(browser.who().await, None, "{name}");
    }
}

async fn an_account_that_is_deactivated(server: &Server) {
    for after in [false, true] {
        let name = format!("ann-{after}");
        let user = account(server, &name).await;
        let browser = server.visitor();
        let flow = browser.flow(LOGIN);
        named(&flow, &name).await;
        if after {
            flow.post(&json!({"password": PASSWORD})).await.expect_status(302);
        }
        let asleep = json!({"is_active": false});
        server.admin().patch(&format!("/core/users/{user}/"), &asleep).await.expect(200);
        let end = if after { flow.shown().await } else { flow.answered(json!({"password": PASSWORD})).await };
        if after {
            asks(end, "ak-stage-access-denied");
        } else {
            super::faults(&end, super::wrong_password());
        }
        assert_eq!(browser.who().await, None, "{name}");
    }
}

/// An administrator's new password also ends visits that the old one has brought half way.
async fn a_password_that_changes_meanwhile(server: &Server) {
    let user = account(server, "ann").await;
    let browser = server.visitor();
    let flow = browser.flow(LOGIN);
    named(&flow, "ann").await;
    flow.post(&json!({"password": PASSWORD})).await.expect_status(302);
    set_password(server, user, OTHER).await;
    flow.shown().await;
    assert_eq!(browser.who().await, None, "the password that was shown is no longer good");
    assert!(gets_in(server, "ann", OTHER).await);
}

async fn the_stage_of_a_renewal(server: &Server) {
    account(server, "ann").await;
    let choose = choose_password(server, "choose", &[]).await;
    let configure = build(server, "change", "stage_configuration", &[&choose]).await;
    let who = identification(server, "who").await;
    let password = password_stage(server, "password", json!({"configure_flow": configure.pk})).await;
    let login = stage(server, "user_login", "login", json!({})).await;
    let built = build(server, "old", "authentication", &[&who, &password, &login]).await;
    let expiry = policy(server, "password_expiry", "30", json!({"days": 30})).await;
    bind(server, &built.bindings[1], 0, json!({"policy": expiry})).await;
    server.advance(chrono::TimeDelta::days(44));
    let browser = server.visitor();
    let flow = browser.flow("old");
    asks_for_another(&attempt(&flow, "ann", PASSWORD).await, &ago(14));
    server.admin().delete(&format!("/stages/prompt/stages/{choose}/")).await.expect_empty(204);
    // Either way out is good: it asks on, or it begins anew; but nobody is in without a new password.
    let shown = flow.shown().await;
    assert_eq!(browser.who().await, None, "{shown}");
    let end = flow.answered(json!({"password": OTHER, "password_repeat": OTHER})).await;
    let inside = browser.who().await.is_some();
    assert_eq!(inside, end["component"] == "xak-flow-redirect", "{end}");
    assert_eq!(gets_in(server, "ann", OTHER).await, inside);
    assert_eq!(gets_in(server, "ann", PASSWORD).await, !inside);
}

async fn a_session_that_is_deleted(server: &Server) {
    account(server, "ann").await;
    let browser = signed_in(server, "ann", PASSWORD).await;
    let flow = browser.flow(super::CHANGE);
    asks(flow.shown().await, "ak-stage-prompt");
    let all = browser.get("/core/authenticated_sessions/").await.expect_list("uuid");
    server.admin().delete(&format!("/core/authenticated_sessions/{}/", all[0])).await.expect_empty(204);
    let end = flow.answered(json!({"password": OTHER, "password_repeat": OTHER})).await;
    denies(&end, "Flow does not apply to current user.");
    assert!(gets_in(server, "ann", PASSWORD).await);
}

async fn a_prompt_that_is_deleted(server: &Server) {
    let mut prompts = Vec::new();
    for key in ["one", "two"] {
        let body = json!({"name": key, "field_key": key, "label": key, "type": "text"});
        prompts.push(crate::bindings::pk(&server.admin().post("/stages/prompt/prompts/", &body).await.expect(201)));
    }
    let ask = stage(server, "prompt/stages", "ask", json!({"fields": prompts})).await;
    build(server, "ask", "stage_configuration", &[&ask]).await;
    let flow = server.visitor().flow("ask");
    assert_eq!(flow.shown().await["fields"].as_array().map(Vec::len), Some(2));
    server.admin().delete(&format!("/stages/prompt/prompts/{}/", prompts[1])).await.expect_empty(204);
    assert_eq!(flow.shown().await["fields"].as_array().map(Vec::len), Some(1));
    leads(&flow.answered(json!({"one": "x", "two": "y"})).await, "/");
}
