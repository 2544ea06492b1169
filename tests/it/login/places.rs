//! Passwords that are too old, wherever the policy is bound: nothing is said before the password is right; then
//! its owner is refused, or has to choose another one, and nobody is locked out (contract: authentik-core §5.5,
//! §6.6; the issue, "Password expiry, enforced at login").

use super::{
    Built, LOGIN, OTHER, PASSWORD, WRONG, account, asks, attempt, denies, fault, faults, gets_in, leads, login_flow,
    named, shipped_binding, wrong_password,
};
use crate::{
    bindings::{bind, pk, policy},
    harness::{Server, Visitor, tests},
};
use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::EntityTrait as _;
use serde_json::{Value, json};
use tessera::{resource::users, secret::password::PasswordHash};

tests![
    changed_at_the_flow,
    changed_at_the_password_stage,
    changed_at_the_login_stage,
    refused_at_the_flow,
    refused_at_the_password_stage,
    refused_at_the_login_stage,
    changed_in_the_shipped_flow,
    refused_in_the_shipped_flow,
    where_stages_are_judged_beforehand,
    at_all_places_at_once,
    where_there_are_other_policies,
];

pub const EXPIRED: &str = "Password has expired.";

pub fn ago(days: i64) -> String {
    format!("Password expired {days} days ago. Please update your password.")
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Place {
    Flow,
    Password,
    Login,
}

pub const PLACES: [Place; 3] = [Place::Flow, Place::Password, Place::Login];

impl Place {
    pub fn target(self, built: &Built) -> &str {
        match self {
            Self::Flow => &built.pk,
            Self::Password => &built.bindings[1],
            Self::Login => &built.bindings[2],
        }
    }
}

pub async fn expiry(server: &Server, name: &str, deny_only: bool) -> String {
    policy(server, "password_expiry", name, json!({"days": 30, "deny_only": deny_only})).await
}

/// A flow with an expiry policy of 30 days somewhere.
pub async fn expiring(server: &Server, slug: &str, place: Place, deny_only: bool, bound: Value) -> Built {
    let built = login_flow(server, slug, json!({}), bound).await;
    let policy = expiry(server, &format!("{slug} expiry"), deny_only).await;
    bind(server, place.target(&built), 0, json!({"policy": policy})).await;
    built
}

/// What the database holds of an account's password.
#[derive(Debug, PartialEq)]
pub struct Stored {
    hash: PasswordHash,
    pub usable: bool,
    changed: DateTime<Utc>,
}

pub async fn stored(server: &Server, user: i64) -> Stored {
    let id = i32::try_from(user).expect("a small number");
    let row = users::Entity::find_by_id(id).one(server.app.db.read()).await.expect("read").expect("an account");
    Stored { usable: row.password.is_usable(), hash: row.password, changed: row.password_change_date }
}

/// The challenge asks for a new password, and says why.
#[track_caller]
pub fn asks_for_another(challenge: &Value, message: &str) {
    assert_eq!(challenge["component"], "ak-stage-prompt", "{challenge}");
    let fields = challenge["fields"].as_array().expect("a list");
    let of = |key: &str| fields.iter().find(|field| field["field_key"] == key).unwrap_or_else(|| panic!("{challenge}"));
    let why = of("password_expired");
    assert_eq!((&why["type"], &why["initial_value"]), (&json!("static"), &json!(message)), "{challenge}");
    for key in ["password", "password_repeat"] {
        assert_eq!(of(key)["type"], "password", "{challenge}");
        assert_eq!(of(key)["initial_value"], "", "{challenge}");
    }
    assert!(!challenge.to_string().contains(PASSWORD));
}

/// Until the right password nothing is said about its age.
async fn says_nothing_before(server: &Server, slug: &str) {
    let browser = server.visitor();
    let flow = browser.flow(slug);
    let mut all = flow.shown().await.to_string();
    all += &named(&flow, "ann").await.to_string();
    for password in [WRONG, "", OTHER] {
        let again = asks(flow.answered(json!({"password": password})).await, "ak-stage-password");
        all += &again.to_string();
        if !password.is_empty() {
            faults(&again, wrong_password());
        }
    }
    all += &asks(attempt(&server.visitor().flow(slug), "nobody", PASSWORD).await, "ak-stage-password").to_string();
    assert!(!all.contains("expired"), "{all}");
    assert_eq!(browser.who().await, None);
}

/// The way of somebody whose password is a fortnight too old, to a new one, and in.
pub async fn is_led_to_another(server: &Server, user: i64, slug: &str) {
    let old = stored(server, user).await;
    says_nothing_before(server, slug).await;
    let browser = server.visitor();
    let flow = browser.flow(slug);
    let change = attempt(&flow, "ann", PASSWORD).await;
    asks_for_another(&change, &ago(14));
    assert_eq!(browser.who().await, None, "not before the change");
    assert_eq!(stored(server, user).await, old, "looking changes nothing");
    assert_eq!(flow.shown().await, change);
    for (body, expected) in [
        (json!({"password": OTHER, "password_repeat": WRONG}), "Passwords don't match."),
        (json!({"password": PASSWORD, "password_repeat": PASSWORD}), "The new password must not be the old one."),
    ] {
        let again = flow.answered(body).await;
        asks_for_another(&again, &ago(14));
        faults(&again, fault("non_field_errors", expected, "invalid"));
    }
    for body in [json!({}), json!({"password": OTHER}), json!({"password": "", "password_repeat": ""})] {
        let again = flow.answered(body.clone()).await;
        asks_for_another(&again, &ago(14));
        assert!(again["response_errors"].as_object().is_some_and(|faults| !faults.is_empty()), "{body}: {again}");
        assert_eq!(browser.who().await, None, "{body}");
    }
    assert_eq!(stored(server, user).await, old);
    leads(&flow.answered(json!({"password": OTHER, "password_repeat": OTHER})).await, "/");
    assert_eq!(browser.who().await.as_deref(), Some("ann"));
    let new = stored(server, user).await;
    assert!(new.hash != old.hash && new.changed > old.changed && new.usable, "the date has moved: {old:?} {new:?}");
    assert!(!gets_in(server, "ann", PASSWORD).await);
    // The next time there is nothing to be asked.
    let next = server.visitor();
    leads(&attempt(&next.flow(slug), "ann", OTHER).await, "/");
    assert_eq!(next.who().await.as_deref(), Some("ann"));
}

/// The way of somebody whose password is too old, to the message.
pub async fn is_refused(server: &Server, user: i64, slug: &str) {
    let old = stored(server, user).await;
    says_nothing_before(server, slug).await;
    let browser = server.visitor();
    for _ in 0..2 {
        let flow = browser.flow(slug);
        denies(&attempt(&flow, "ann", PASSWORD).await, EXPIRED);
        assert_eq!(browser.who().await, None);
    }
    assert_eq!(stored(server, user).await, old, "nothing is destroyed");
    assert_eq!(server.admin().get("/core/authenticated_sessions/").await.expect(200)["pagination"]["count"], 0);
    // A new password mends it.
    super::set_password(server, user, OTHER).await;
    leads(&attempt(&browser.flow(slug), "ann", OTHER).await, "/");
}

async fn young_ones_get_in(server: &Server, slug: &str) -> Visitor {
    let browser = server.visitor();
    leads(&attempt(&browser.flow(slug), "ann", PASSWORD).await, "/");
    assert_eq!(browser.who().await.as_deref(), Some("ann"));
    server.admin().get("/core/authenticated_sessions/").await.expect(200);
    browser
}

async fn changed(server: &Server, place: Place, bound: Value) {
    let ann = account(server, "ann").await;
    expiring(server, "old", place, false, bound).await;
    let inside = young_ones_get_in(server, "old").await;
    // Sessions end after a fortnight, passwords here after thirty days.
    server.advance(TimeDelta::days(44));
    assert_eq!(inside.who().await, None);
    is_led_to_another(server, ann, "old").await;
}

async fn refused(server: &Server, place: Place, bound: Value) {
    let ann = account(server, "ann").await;
    expiring(server, "old", place, true, bound).await;
    young_ones_get_in(server, "old").await;
    server.advance(TimeDelta::days(44));
    is_refused(server, ann, "old").await;
}

async fn changed_at_the_flow(server: &Server) {
    changed(server, Place::Flow, json!({})).await;
}

async fn changed_at_the_password_stage(server: &Server) {
    changed(server, Place::Password, json!({})).await;
}

async fn changed_at_the_login_stage(server: &Server) {
    changed(server, Place::Login, json!({})).await;
}

async fn refused_at_the_flow(server: &Server) {
    refused(server, Place::Flow, json!({})).await;
}

async fn refused_at_the_password_stage(server: &Server) {
    refused(server, Place::Password, json!({})).await;
}

async fn refused_at_the_login_stage(server: &Server) {
    refused(server, Place::Login, json!({})).await;
}

/// The targets of the shipped flow: itself, and the bindings of two of its stages.
async fn shipped(server: &Server) -> Vec<String> {
    vec![
        pk(&server.admin().get(&format!("/flows/instances/{LOGIN}/")).await.expect(200)),
        shipped_binding(server, LOGIN, "authentik_stages_password.passwordstage").await,
        shipped_binding(server, LOGIN, "authentik_stages_user_login.userloginstage").await,
    ]
}

/// In two calls, one for the policy and one to bind it.
async fn changed_in_the_shipped_flow(server: &Server) {
    let ann = account(server, "ann").await;
    let policy = expiry(server, "thirty", false).await;
    for target in shipped(server).await {
        super::set_password(server, ann, PASSWORD).await;
        let bound = bind(server, &target, 50, json!({"policy": policy})).await;
        server.advance(TimeDelta::days(44));
        let browser = server.visitor();
        let flow = browser.flow(LOGIN);
        asks_for_another(&attempt(&flow, "ann", PASSWORD).await, &ago(14));
        assert_eq!(browser.who().await, None);
        leads(&flow.answered(json!({"password": OTHER, "password_repeat": OTHER})).await, "/");
        assert_eq!(browser.who().await.as_deref(), Some("ann"));
        server.admin().delete(&crate::bindings::path(&bound)).await.expect_empty(204);
    }
}

async fn refused_in_the_shipped_flow(server: &Server) {
    account(server, "ann").await;
    let policy = expiry(server, "thirty", true).await;
    server.advance(TimeDelta::days(44));
    for target in shipped(server).await {
        let bound = bind(server, &target, 50, json!({"policy": policy})).await;
        let browser = server.visitor();
        denies(&attempt(&browser.flow(LOGIN), "ann", PASSWORD).await, EXPIRED);
        assert_eq!(browser.who().await, None);
        server.admin().delete(&crate::bindings::path(&bound)).await.expect_empty(204);
    }
    assert!(gets_in(server, "ann", PASSWORD).await);
}

/// Bindings that are asked when the flow is planned, when nobody knows yet who it is.
async fn where_stages_are_judged_beforehand(server: &Server) {
    let ann = account(server, "ann").await;
    for (place, again) in
        [(Place::Password, true), (Place::Password, false), (Place::Login, true), (Place::Login, false)]
    {
        super::set_password(server, ann, PASSWORD).await;
        let slug = format!("{place:?}-{again}").to_lowercase();
        let bound = json!({"evaluate_on_plan": true, "re_evaluate_policies": again});
        expiring(server, &format!("{slug}-change"), place, false, bound.clone()).await;
        expiring(server, &format!("{slug}-deny"), place, true, bound).await;
        server.advance(TimeDelta::days(44));
        denies(&attempt(&server.visitor().flow(&format!("{slug}-deny")), "ann", PASSWORD).await, EXPIRED);
        let browser = server.visitor();
        let flow = browser.flow(&format!("{slug}-change"));
        asks_for_another(&attempt(&flow, "ann", PASSWORD).await, &ago(14));
        leads(&flow.answered(json!({"password": OTHER, "password_repeat": OTHER})).await, "/");
        assert_eq!(browser.who().await.as_deref(), Some("ann"), "{slug}");
    }
}

/// It is asked for once, and one that only refuses wins.
async fn at_all_places_at_once(server: &Server) {
    let ann = account(server, "ann").await;
    let built = login_flow(server, "old", json!({}), json!({})).await;
    let policy = expiry(server, "thirty", false).await;
    for place in PLACES {
        bind(server, place.target(&built), 0, json!({"policy": policy})).await;
    }
    server.advance(TimeDelta::days(44));
    is_led_to_another(server, ann, "old").await;
    let denies_only = expiry(server, "thirty more", true).await;
    // At the login stage it is asked after the change, and the password is young by then.
    for place in [Place::Flow, Place::Password] {
        super::set_password(server, ann, PASSWORD).await;
        let target = place.target(&built);
        // All must pass, so that one that refuses is enough.
        let path = if place == Place::Flow {
            "/flows/instances/old/".to_owned()
        } else {
            format!("/flows/bindings/{target}/")
        };
        server.admin().patch(&path, &json!({"policy_engine_mode": "all"})).await.expect(200);
        let bound = bind(server, target, 1, json!({"policy": denies_only})).await;
        server.advance(TimeDelta::days(44));
        let browser = server.visitor();
        let end = asks(attempt(&browser.flow("old"), "ann", PASSWORD).await, "ak-stage-access-denied");
        let message = end["error_message"].as_str().expect("a text");
        assert!(message.contains(EXPIRED), "{place:?}: {message}");
        assert_eq!(browser.who().await, None);
        server.admin().delete(&crate::bindings::path(&bound)).await.expect_empty(204);
    }
}

/// Another policy that refuses is not outdone by a new password.
async fn where_there_are_other_policies(server: &Server) {
    account(server, "ann").await;
    let no = crate::bindings::dummy(server, "no", false).await;
    server.advance(TimeDelta::days(44));
    for place in PLACES {
        let slug = format!("{place:?}").to_lowercase();
        let built = expiring(server, &slug, place, false, json!({"policy_engine_mode": "all"})).await;
        let all = json!({"policy_engine_mode": "all"});
        server.admin().patch(&format!("/flows/instances/{slug}/"), &all).await.expect(200);
        bind(server, place.target(&built), 5, json!({"policy": no})).await;
        let browser = server.visitor();
        let flow = browser.flow(&slug);
        let mut challenge = flow.shown().await;
        for body in [json!({"uid_field": "ann"}), json!({"password": PASSWORD})] {
            if challenge["component"] != "ak-stage-access-denied" {
                challenge = flow.answered(body).await;
            }
        }
        assert_eq!(challenge["component"], "ak-stage-access-denied", "{place:?} {challenge}");
        assert_eq!(browser.who().await, None, "{place:?}");
    }
}
