//! What an old password does not do: it is not destroyed by looking, it locks nobody out, and it opens nothing.

use super::{
    CHANGE, LOGIN, OTHER, PASSWORD, account, asks, attempt, denies, gets_in, leads, named,
    places::{EXPIRED, PLACES, Place, ago, asks_for_another, expiring, expiry, stored},
    signed_in,
};
use crate::{
    bindings::bind,
    harness::{Server, tests},
};
use chrono::TimeDelta;
use serde_json::json;

tests![
    looking_destroys_nothing,
    who_gives_up_is_not_in,
    an_app_password_is_not_enough,
    the_last_moment_before,
    a_policy_that_appears_on_the_way,
    a_policy_that_goes_away_on_the_way,
    days_that_never_pass,
    the_other_sessions_end,
    somebody_else_is_not_asked,
    an_old_session_goes_on,
    a_disabled_binding_asks_nothing,
];

async fn looking_destroys_nothing(server: &Server) {
    let ann = account(server, "ann").await;
    expiring(server, "old", Place::Flow, false, json!({})).await;
    let policy = expiry(server, "thirty", false).await;
    let app = crate::bindings::application(server, "app", json!({})).await;
    bind(server, &app, 0, json!({"policy": policy})).await;
    server.advance(TimeDelta::days(44));
    let (before, mark) = (stored(server, ann).await, server.mark().await);
    for _ in 0..3 {
        let path = format!("/core/applications/app/check_access/?for_user={ann}");
        let told = server.admin().get(&path).await.expect(200);
        assert_eq!((&told["passing"], &told["messages"]), (&json!(false), &json!([ago(14)])));
        let asked = json!({"user": ann});
        server.admin().post(&format!("/policies/all/{policy}/test/"), &asked).await.expect(200);
        asks_for_another(&attempt(&server.visitor().flow("old"), "ann", PASSWORD).await, &ago(14));
    }
    assert_eq!(stored(server, ann).await, before);
    let events = server.events_since(&mark).await;
    assert!(
        !events.iter().any(|e| e.action == "password_set" || e.gist().contains("model_updated user")),
        "{events:?}"
    );
    // Where no policy asks, the old password is as good as ever.
    assert!(gets_in(server, "ann", PASSWORD).await);
    leads(&attempt(&server.visitor().flow(LOGIN), "ann", PASSWORD).await, "/");
}

async fn who_gives_up_is_not_in(server: &Server) {
    let ann = account(server, "ann").await;
    server.advance(TimeDelta::days(44));
    for place in PLACES {
        let slug = format!("{place:?}").to_lowercase();
        expiring(server, &slug, place, false, json!({})).await;
        let browser = server.visitor();
        let flow = browser.flow(&slug);
        asks_for_another(&attempt(&flow, "ann", PASSWORD).await, &ago(14));
        // Answers that are not about it lead nowhere.
        for body in
            [json!({}), json!({"uid_field": "ann"}), json!({"password": PASSWORD}), json!({"remember_me": true})]
        {
            asks_for_another(&flow.answered(body).await, &ago(14));
            assert_eq!(browser.who().await, None);
        }
        // Nor does the way by another flow, or back.
        asks(browser.flow(CHANGE).shown().await, "ak-stage-access-denied");
        assert_eq!(browser.who().await, None);
        asks(flow.shown().await, "ak-stage-identification");
        assert_eq!(browser.who().await, None);
        asks_for_another(&attempt(&flow, "ann", PASSWORD).await, &ago(14));
    }
    assert!(stored(server, ann).await.usable);
}

async fn an_app_password_is_not_enough(server: &Server) {
    let ann = account(server, "ann").await;
    let body = json!({"identifier": "app", "intent": "app_password", "user": ann, "expiring": false});
    server.admin().post("/core/tokens/", &body).await.expect(201);
    let key = server.key_of("app").await;
    for (index, place) in PLACES.into_iter().enumerate() {
        for deny_only in [true, false] {
            let slug = format!("p{index}{deny_only}");
            expiring(server, &slug, place, deny_only, json!({})).await;
            let browser = server.visitor();
            leads(&attempt(&browser.flow(&slug), "ann", &key).await, "/");
        }
    }
    server.advance(TimeDelta::days(44));
    let before = stored(server, ann).await;
    for index in 0..PLACES.len() {
        for (deny_only, message) in [(true, EXPIRED.to_owned()), (false, ago(14))] {
            let browser = server.visitor();
            let flow = browser.flow(&format!("p{index}{deny_only}"));
            denies(&attempt(&flow, "ann", &key).await, &message);
            assert_eq!(browser.who().await, None);
        }
    }
    assert_eq!(stored(server, ann).await, before);
    assert!(gets_in(server, "ann", &key).await, "where no policy asks");
}

async fn the_last_moment_before(server: &Server) {
    account(server, "ann").await;
    for (deny_only, slug) in [(true, "deny"), (false, "change")] {
        expiring(server, slug, Place::Password, deny_only, json!({})).await;
    }
    server.advance(TimeDelta::days(30) - TimeDelta::microseconds(1));
    for slug in ["deny", "change"] {
        leads(&attempt(&server.visitor().flow(slug), "ann", PASSWORD).await, "/");
    }
    server.advance(TimeDelta::microseconds(1));
    denies(&attempt(&server.visitor().flow("deny"), "ann", PASSWORD).await, EXPIRED);
    asks_for_another(&attempt(&server.visitor().flow("change"), "ann", PASSWORD).await, &ago(0));
}

/// It is bound while somebody is between his name and his password.
async fn a_policy_that_appears_on_the_way(server: &Server) {
    account(server, "ann").await;
    server.advance(TimeDelta::days(44));
    let policy = expiry(server, "thirty", true).await;
    for place in [Place::Password, Place::Login] {
        let slug = format!("{place:?}").to_lowercase();
        let built = super::login_flow(server, &slug, json!({}), json!({})).await;
        let browser = server.visitor();
        let flow = browser.flow(&slug);
        named(&flow, "ann").await;
        bind(server, place.target(&built), 0, json!({"policy": policy})).await;
        denies(&flow.answered(json!({"password": PASSWORD})).await, EXPIRED);
        assert_eq!(browser.who().await, None, "{place:?}");
    }
}

async fn a_policy_that_goes_away_on_the_way(server: &Server) {
    account(server, "ann").await;
    server.advance(TimeDelta::days(44));
    for place in PLACES {
        let slug = format!("{place:?}").to_lowercase();
        let built = super::login_flow(server, &slug, json!({}), json!({})).await;
        let policy = expiry(server, &slug, true).await;
        bind(server, place.target(&built), 0, json!({"policy": policy})).await;
        let browser = server.visitor();
        let flow = browser.flow(&slug);
        named(&flow, "ann").await;
        server.admin().delete(&format!("/policies/password_expiry/{policy}/")).await.expect_empty(204);
        leads(&flow.answered(json!({"password": PASSWORD})).await, "/");
        assert_eq!(browser.who().await.as_deref(), Some("ann"), "{place:?}");
    }
}

/// A policy that finds every password too old lets nobody in, but asks for one once and not for ever.
async fn days_that_never_pass(server: &Server) {
    account(server, "ann").await;
    let built = super::login_flow(server, "never", json!({}), json!({})).await;
    let body = json!({"days": 0, "deny_only": false});
    let policy = crate::bindings::policy(server, "password_expiry", "never", body).await;
    bind(server, &built.bindings[2], 0, json!({"policy": policy})).await;
    let browser = server.visitor();
    let flow = browser.flow("never");
    asks_for_another(&attempt(&flow, "ann", PASSWORD).await, &ago(0));
    let end = flow.answered(json!({"password": OTHER, "password_repeat": OTHER})).await;
    // It has been changed; whether that is enough is the policy's business, but there is an end.
    assert!(
        ["xak-flow-redirect", "ak-stage-access-denied"].contains(&end["component"].as_str().expect("text")),
        "{end}"
    );
    assert_eq!(browser.who().await.is_some(), end["component"] == "xak-flow-redirect");
    assert!(gets_in(server, "ann", OTHER).await, "by another flow");
}

async fn the_other_sessions_end(server: &Server) {
    account(server, "ann").await;
    let bob = account(server, "bob").await;
    let built = super::login_flow(server, "old", json!({}), json!({})).await;
    let body = json!({"days": 3, "deny_only": false});
    let policy = crate::bindings::policy(server, "password_expiry", "three", body).await;
    bind(server, &built.bindings[1], 0, json!({"policy": policy})).await;
    let (other, of_bob) = (signed_in(server, "ann", PASSWORD).await, signed_in(server, "bob", PASSWORD).await);
    server.advance(TimeDelta::days(5));
    assert_eq!(other.who().await.as_deref(), Some("ann"));
    let (browser, mark) = (server.visitor(), server.mark().await);
    let flow = browser.flow("old");
    asks_for_another(&attempt(&flow, "ann", PASSWORD).await, &ago(2));
    assert_eq!(other.who().await.as_deref(), Some("ann"), "until then");
    leads(&flow.answered(json!({"password": OTHER, "password_repeat": OTHER})).await, "/");
    assert_eq!(browser.who().await.as_deref(), Some("ann"));
    assert_eq!(other.who().await, None);
    assert_eq!(of_bob.who().await.as_deref(), Some("bob"));
    let events = server.events_since(&mark).await;
    let set: Vec<_> = events.iter().filter(|event| event.action == "password_set").collect();
    assert_eq!(set.len(), 1, "{events:?}");
    assert_eq!(set[0].user["username"], "ann");
    assert_eq!(events.iter().filter(|event| event.action == "login").count(), 1, "{events:?}");
    let text = format!("{events:?}");
    assert!(!text.contains(PASSWORD) && !text.contains(OTHER), "{text}");
    assert!(bob > 0);
}

async fn somebody_else_is_not_asked(server: &Server) {
    account(server, "ann").await;
    server.advance(TimeDelta::days(44));
    account(server, "bob").await;
    for place in PLACES {
        let slug = format!("{place:?}").to_lowercase();
        expiring(server, &slug, place, false, json!({})).await;
        let browser = server.visitor();
        // First Ann as far as the change, and then Bob in the same browser.
        asks_for_another(&attempt(&browser.flow(&slug), "ann", PASSWORD).await, &ago(14));
        browser.get("/flows/executor/default-invalidation-flow/?query=").await;
        leads(&attempt(&browser.flow(&slug), "bob", PASSWORD).await, "/");
        assert_eq!(browser.who().await.as_deref(), Some("bob"), "{place:?}");
    }
    assert!(gets_in(server, "ann", PASSWORD).await);
}

/// Expiry is judged when somebody signs in; it throws nobody out.
async fn an_old_session_goes_on(server: &Server) {
    account(server, "ann").await;
    let built = super::login_flow(server, "old", json!({}), json!({})).await;
    let body = json!({"days": 3, "deny_only": true});
    let policy = crate::bindings::policy(server, "password_expiry", "three", body).await;
    bind(server, &built.pk, 0, json!({"policy": policy})).await;
    let browser = server.visitor();
    leads(&attempt(&browser.flow("old"), "ann", PASSWORD).await, "/");
    server.advance(TimeDelta::days(5));
    assert_eq!(browser.who().await.as_deref(), Some("ann"));
    // It is no proof either, when he signs in again.
    denies(&attempt(&browser.flow("old"), "ann", PASSWORD).await, EXPIRED);
    // He can still change it himself.
    let flow = browser.flow(CHANGE);
    asks(flow.shown().await, "ak-stage-prompt");
    leads(&flow.answered(json!({"password": OTHER, "password_repeat": OTHER})).await, "/");
    leads(&attempt(&browser.flow("old"), "ann", OTHER).await, "/");
}

async fn a_disabled_binding_asks_nothing(server: &Server) {
    account(server, "ann").await;
    let built = super::login_flow(server, "old", json!({}), json!({})).await;
    let policy = expiry(server, "thirty", true).await;
    for place in PLACES {
        bind(server, place.target(&built), 0, json!({"policy": policy, "enabled": false})).await;
    }
    server.advance(TimeDelta::days(44));
    leads(&attempt(&server.visitor().flow("old"), "ann", PASSWORD).await, "/");
}
