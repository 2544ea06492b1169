//! Choosing a new password because the old one is too old: what is asked, and what will not do.

use super::{
    LOGIN, OTHER, PASSWORD, account, asks, attempt, build, choose_password, fault, faults, gets_in, leads,
    places::{Place, ago, asks_for_another, expiring, stored},
};
use crate::{
    bindings::{bind, pk, policy, with},
    engine::expression,
    harness::{Flow, Server, tests},
};
use chrono::TimeDelta;
use serde_json::{Value, json};

tests![
    the_policies_of_the_stage_that_is_configured,
    every_policy_has_to_pass,
    a_policy_that_cannot_answer,
    without_a_flow_that_is_configured,
    a_flow_that_asks_no_password,
    other_names_of_the_fields,
    passwords_that_will_not_do,
    an_abandoned_change_begins_anew,
    somebody_who_asks_beside_the_password,
    a_new_password_is_not_kept_in_the_plan,
];

/// A login flow whose password stage names a flow for new passwords, with an expiry policy; at the change.
async fn at_the_change(server: &Server, slug: &str, policies: &[&str]) -> (i64, Flow) {
    let ann = account(server, &format!("{slug}-ann")).await;
    let choose = choose_password(server, &format!("{slug} choose"), policies).await;
    let configure = build(server, &format!("{slug}-change"), "stage_configuration", &[&choose]).await;
    at_the_change_of(server, slug, ann, json!({"configure_flow": configure.pk})).await
}

async fn at_the_change_of(server: &Server, slug: &str, user: i64, password: Value) -> (i64, Flow) {
    let built = super::login_flow(server, slug, password, json!({})).await;
    let expiry = policy(server, "password_expiry", &format!("{slug} 30"), json!({"days": 30})).await;
    bind(server, &built.bindings[1], 0, json!({"policy": expiry})).await;
    server.advance(TimeDelta::days(44));
    let flow = server.visitor().flow(slug);
    asks(attempt(&flow, &format!("{slug}-ann"), PASSWORD).await, "ak-stage-prompt");
    (user, flow)
}

fn both(password: &str) -> Value {
    json!({"password": password, "password_repeat": password})
}

async fn the_policies_of_the_stage_that_is_configured(server: &Server) {
    let body = json!({"length_min": 12, "amount_digits": 2, "error_message": "Longer, and with two digits."});
    let strict = policy(server, "password", "strict", body).await;
    let (ann, flow) = at_the_change(server, "old", &[&strict]).await;
    let before = stored(server, ann).await;
    for weak in ["short1", "long-enough-without", "x"] {
        let again = flow.answered(both(weak)).await;
        asks_for_another(&again, &ago(14));
        faults(&again, fault("non_field_errors", "Longer, and with two digits.", "invalid"));
        assert!(!again.to_string().contains(weak) || weak == "x", "{again}");
    }
    assert_eq!(stored(server, ann).await, before);
    assert_eq!(flow.browser.who().await, None);
    leads(&flow.answered(both("long-enough-with-12")).await, "/");
    assert!(gets_in(server, "old-ann", "long-enough-with-12").await);
}

async fn every_policy_has_to_pass(server: &Server) {
    let long = policy(server, "password", "long", json!({"length_min": 9, "error_message": "Longer."})).await;
    let named = "return request.context['prompt_data']['password'] != 'Not-This-One-1'";
    let own = expression(server, "own", &format!("ak_message('Another.')\n{named}")).await;
    let (_, flow) = at_the_change(server, "old", &[&long, &own]).await;
    let again = flow.answered(both("Not-This-One-1")).await;
    assert!(again["response_errors"]["non_field_errors"].to_string().contains("Another."), "{again}");
    let again = flow.answered(both("Short-1")).await;
    assert!(again["response_errors"]["non_field_errors"].to_string().contains("Longer."), "{again}");
    leads(&flow.answered(both("That-One-Will-Do-1")).await, "/");
}

async fn a_policy_that_cannot_answer(server: &Server) {
    let broken = expression(server, "broken", "return 1 / 0").await;
    let (ann, flow) = at_the_change(server, "old", &[&broken]).await;
    let before = stored(server, ann).await;
    let again = asks(flow.answered(both(OTHER)).await, "ak-stage-prompt");
    assert!(again["response_errors"]["non_field_errors"].is_array(), "{again}");
    assert_eq!(stored(server, ann).await, before);
    assert_eq!(flow.browser.who().await, None);
}

/// Then it is the shipped one, which names what it asks.
async fn without_a_flow_that_is_configured(server: &Server) {
    let ann = account(server, "old-ann").await;
    let (_, flow) = at_the_change_of(server, "old", ann, json!({"configure_flow": null})).await;
    asks_for_another(&flow.shown().await, &ago(14));
    leads(&flow.answered(both(OTHER)).await, "/");
    assert!(gets_in(server, "old-ann", OTHER).await);
}

/// What is configured may be anything; a new password is asked for all the same.
async fn a_flow_that_asks_no_password(server: &Server) {
    let ann = account(server, "old-ann").await;
    let dummy = super::stage(server, "dummy", "dummy", json!({})).await;
    let other = build(server, "other", "stage_configuration", &[&dummy]).await;
    let (_, flow) = at_the_change_of(server, "old", ann, json!({"configure_flow": other.pk})).await;
    asks_for_another(&flow.shown().await, &ago(14));
    let again = flow.answered(both(PASSWORD)).await;
    assert!(again["response_errors"]["non_field_errors"].is_array(), "{again}");
    leads(&flow.answered(both(OTHER)).await, "/");
    assert!(gets_in(server, "old-ann", OTHER).await);
}

/// Prompts are the administrator's: they may be called what he likes, and there may be one.
async fn other_names_of_the_fields(server: &Server) {
    let ann = account(server, "old-ann").await;
    let body = json!({"name": "secret", "field_key": "new_secret", "label": "New", "type": "password"});
    let prompt = pk(&server.admin().post("/stages/prompt/prompts/", &body).await.expect(201));
    let choose = super::stage(server, "prompt/stages", "choose", json!({"fields": [prompt]})).await;
    let configure = build(server, "change", "stage_configuration", &[&choose]).await;
    let (_, flow) = at_the_change_of(server, "old", ann, json!({"configure_flow": configure.pk})).await;
    let keys: Vec<Value> =
        flow.shown().await["fields"].as_array().expect("a list").iter().map(|f| f["field_key"].clone()).collect();
    assert_eq!(keys, [json!("password_expired"), json!("new_secret")]);
    let again = flow.answered(json!({"new_secret": PASSWORD})).await;
    faults(&again, fault("non_field_errors", "The new password must not be the old one.", "invalid"));
    leads(&flow.answered(json!({"new_secret": OTHER})).await, "/");
    assert!(gets_in(server, "old-ann", OTHER).await);
    assert!(!server.events_text().await.contains(OTHER));
}

async fn passwords_that_will_not_do(server: &Server) {
    let (ann, flow) = at_the_change(server, "old", &[]).await;
    let before = stored(server, ann).await;
    for body in [
        json!({"password": null, "password_repeat": null}),
        json!({"password": ["x"], "password_repeat": ["x"]}),
        json!({"password": {}, "password_repeat": {}}),
        json!({"password": true, "password_repeat": true}),
        json!({"password": "   ", "password_repeat": "   "}),
        json!({"password": "\u{0}x", "password_repeat": "\u{0}x"}),
        json!({"password_expired": OTHER}),
        with(both(&format!("  {PASSWORD}  ")), &json!({})),
        both(&"x".repeat(100_000)),
    ] {
        let again = flow.answered(body.clone()).await;
        asks_for_another(&again, &ago(14));
        assert!(again["response_errors"].is_object(), "{again}");
    }
    assert_eq!(stored(server, ann).await, before);
    assert_eq!(flow.browser.who().await, None);
    // Other keys write nothing.
    let more = json!({"username": "root", "is_active": false, "is_superuser": true, "attributes.x": 1, "name": "x"});
    leads(&flow.answered(with(both(OTHER), &more)).await, "/");
    let user = server.admin().get(&format!("/core/users/{ann}/")).await.expect(200);
    assert_eq!((&user["username"], &user["is_superuser"]), (&json!("old-ann"), &json!(false)));
    assert_eq!((&user["attributes"], &user["name"]), (&json!({}), &json!("old-ann")));
}

async fn an_abandoned_change_begins_anew(server: &Server) {
    let (ann, flow) = at_the_change(server, "old", &[]).await;
    server.advance(TimeDelta::minutes(61));
    let late = asks(flow.answered(both(OTHER)).await, "ak-stage-identification");
    assert!(late["response_errors"]["uid_field"].is_array(), "{late}");
    assert!(stored(server, ann).await.usable);
    assert!(gets_in(server, "old-ann", PASSWORD).await);
    assert!(!gets_in(server, "old-ann", OTHER).await);
}

/// Name and password in one stage, whose password stage names the flow.
async fn somebody_who_asks_beside_the_password(server: &Server) {
    account(server, "ann").await;
    let strict = policy(server, "password", "strict", json!({"length_min": 30, "error_message": "Longer."})).await;
    let choose = choose_password(server, "choose", &[&strict]).await;
    let configure = build(server, "change", "stage_configuration", &[&choose]).await;
    let password = super::password_stage(server, "password", json!({"configure_flow": configure.pk})).await;
    let fields = json!({"user_fields": ["username"], "password_stage": password});
    let who = super::stage(server, "identification", "both", fields).await;
    let login = super::stage(server, "user_login", "login", json!({})).await;
    let expiry = policy(server, "password_expiry", "30", json!({"days": 30})).await;
    server.advance(TimeDelta::days(44));
    for (slug, at) in [("flow", 0), ("first", 1), ("last", 2)] {
        let built = build(server, slug, "authentication", &[&who, &login]).await;
        let target = [&built.pk, &built.bindings[0], &built.bindings[1]][at];
        bind(server, target, 0, json!({"policy": expiry})).await;
        let browser = server.visitor();
        let flow = browser.flow(slug);
        asks_for_another(&flow.answered(json!({"uid_field": "ann", "password": PASSWORD})).await, &ago(14));
        let again = flow.answered(both(OTHER)).await;
        faults(&again, fault("non_field_errors", "Longer.", "invalid"));
        assert_eq!(browser.who().await, None, "{slug}");
    }
    assert!(gets_in(server, "ann", PASSWORD).await);
}

async fn a_new_password_is_not_kept_in_the_plan(server: &Server) {
    let ann = account(server, "ann").await;
    expiring(server, "old", Place::Login, false, json!({})).await;
    server.advance(TimeDelta::days(44));
    let flow = server.visitor().flow("old");
    attempt(&flow, "ann", PASSWORD).await;
    flow.answered(json!({"password": OTHER, "password_repeat": "another"})).await;
    if server.place.backend() == crate::harness::Backend::Sqlite {
        let bytes = server.place.bytes();
        for secret in [PASSWORD, OTHER] {
            assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "{secret}");
        }
        let cookie = flow.browser.cookie(crate::harness::SESSION).expect("a cookie");
        assert!(!bytes.windows(cookie.len()).any(|window| window == cookie.as_bytes()), "the cookie");
    }
    leads(&flow.answered(both(OTHER)).await, "/");
    assert!(stored(server, ann).await.usable);
    assert!(gets_in(server, "ann", OTHER).await, "{LOGIN}");
}
