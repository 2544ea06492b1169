//! The name and the password: what is right, what is not, and what is written down about it (contract:
//! authentik-core §6.4, §7.2).

use super::{
    LOGIN, PASSWORD, WRONG, account, account_with, asks, attempt, build, denies, fault, faults, gets_in, happened,
    identification, leads, login_flow, named, signed_in, stage, wrong_password,
};
use crate::harness::{Server, tests};
use chrono::TimeDelta;
use serde_json::{Value, json};

tests![
    the_first_challenges,
    a_wrong_password,
    a_right_password,
    the_last_try,
    tries_begin_anew,
    names_in_every_spelling,
    names_that_are_none,
    passwords_that_are_none,
    passwords_are_taken_as_they_are,
    app_passwords,
    tokens_that_are_no_passwords,
    name_and_password_at_once,
    somebody_else_in_the_same_browser,
    a_wrong_answer_that_begins_anew,
];

const SCORES: &str = "/policies/reputation/scores/";

/// The score of a name.
async fn score(server: &Server, name: &str) -> Vec<i64> {
    let all = server.admin().get(&format!("{SCORES}?identifier={name}")).await.expect(200);
    all["results"].as_array().expect("a list").iter().map(|row| row["score"].as_i64().expect("a number")).collect()
}

async fn the_first_challenges(server: &Server) {
    account(server, "ann").await;
    let flow = server.visitor().flow(LOGIN);
    let first = asks(flow.shown().await, "ak-stage-identification");
    assert_eq!(first["user_fields"], json!(["email", "username"]));
    assert_eq!((&first["password_fields"], &first["primary_action"]), (&json!(false), &json!("Log in")));
    assert_eq!((&first["flow_designation"], &first["sources"]), (&json!("authentication"), &json!([])));
    assert_eq!(first["flow_info"]["cancel_url"], "/flows/-/cancel/");
    let second = named(&flow, "ann").await;
    assert_eq!(second["pending_user"], "ann");
    assert!(second["pending_user_avatar"].is_string() && second.get("response_errors").is_none(), "{second}");
    // Looking again changes nothing.
    assert_eq!(flow.shown().await, second);
}

async fn a_wrong_password(server: &Server) {
    let ann = account(server, "ann").await;
    let (browser, mark) = (server.visitor(), server.mark().await);
    let flow = browser.flow(LOGIN);
    let again = asks(attempt(&flow, "ann", WRONG).await, "ak-stage-password");
    faults(&again, wrong_password());
    assert_eq!(again["pending_user"], "ann");
    assert_eq!(browser.who().await, None);
    let events = server.events_since(&mark).await;
    assert_eq!(events.len(), 1, "{events:?}");
    let event = &events[0];
    assert_eq!((&*event.action, event.client_ip.as_deref()), ("login_failed", Some("127.0.0.1")));
    assert_eq!(
        (&event.context["username"], &event.context["password"]),
        (&json!("ann"), &json!("********************"))
    );
    assert_eq!(event.context["stage"]["model_name"], "passwordstage", "{event:?}");
    assert!(!format!("{event:?}").contains(WRONG));
    assert_eq!(score(server, "ann").await, [-1]);
    let user = server.admin().get(&format!("/core/users/{ann}/")).await.expect(200);
    assert!(user["last_login"].is_null());
    // And the right one gets in on the same visit.
    leads(&flow.answered(json!({"password": PASSWORD})).await, "/");
}

async fn a_right_password(server: &Server) {
    let ann = account(server, "ann").await;
    server.advance(TimeDelta::hours(1));
    let mark = server.mark().await;
    signed_in(server, "ann", PASSWORD).await;
    let events = server.events_since(&mark).await;
    let logins: Vec<_> = events.iter().filter(|event| event.action == "login").collect();
    assert_eq!(logins.len(), 1, "{events:?}");
    assert_eq!((&logins[0].user["username"], &logins[0].user["pk"]), (&json!("ann"), &json!(ann)));
    assert_eq!(logins[0].context["auth_method"], "password");
    assert_eq!(logins[0].context["auth_method_args"], json!({}));
    assert!(!events.iter().any(|event| event.action == "login_failed" || event.action == "password_set"), "{events:?}");
    assert_eq!(score(server, "ann").await, [1]);
    let user = server.admin().get(&format!("/core/users/{ann}/")).await.expect(200);
    let last = user["last_login"].as_str().expect("a date").to_owned();
    assert!(last.starts_with("2026-01-02T04:04:05"), "{last}");
}

async fn the_last_try(server: &Server) {
    account(server, "ann").await;
    for (tries, name) in [(1, "one"), (3, "three")] {
        login_flow(server, name, json!({"failed_attempts_before_cancel": tries}), json!({})).await;
        let (browser, mark) = (server.visitor(), server.mark().await);
        let flow = browser.flow(name);
        named(&flow, "ann").await;
        for _ in 1..tries {
            faults(&flow.answered(json!({"password": WRONG})).await, wrong_password());
        }
        let end = flow.answered(json!({"password": WRONG})).await;
        denies(&end, "Unknown error");
        assert_eq!(end["pending_user"], "ann");
        assert_eq!(happened(server, &mark, "login_failed").await, tries);
        // The plan is gone: the right password comes too late, a new visit does not.
        let late = asks(flow.answered(json!({"password": PASSWORD})).await, "ak-stage-identification");
        faults(&late, fault("uid_field", "This field is required.", "required"));
        assert_eq!(browser.who().await, None);
        leads(&attempt(&flow, "ann", PASSWORD).await, "/");
    }
}

async fn tries_begin_anew(server: &Server) {
    account(server, "ann").await;
    login_flow(server, "two", json!({"failed_attempts_before_cancel": 2}), json!({})).await;
    for _ in 0..3 {
        let flow = server.visitor().flow("two");
        faults(&attempt(&flow, "ann", WRONG).await, wrong_password());
        leads(&flow.answered(json!({"password": PASSWORD})).await, "/");
    }
}

async fn names_in_every_spelling(server: &Server) {
    account_with(server, "Ann", json!({"email": "Ann@Example.org"})).await;
    for name in ["Ann", "ann", "ANN", "  Ann  ", "ann@example.org", "ANN@EXAMPLE.ORG"] {
        let browser = server.visitor();
        let flow = browser.flow(LOGIN);
        assert_eq!(named(&flow, name).await["pending_user"], "Ann", "{name}");
        leads(&flow.answered(json!({"password": PASSWORD})).await, "/");
        assert_eq!(browser.who().await.as_deref(), Some("Ann"));
    }
    let exact = json!({"user_fields": ["username"], "case_insensitive_matching": false, "pretend_user_exists": false});
    let who = stage(server, "identification", "exact", exact).await;
    build(server, "exact", "authentication", &[&who]).await;
    let refused = server.visitor().flow("exact").answered(json!({"uid_field": "ann"})).await;
    faults(&refused, fault("non_field_errors", "Failed to authenticate.", "invalid"));
}

async fn names_that_are_none(server: &Server) {
    let flow = server.visitor().flow(LOGIN);
    for (body, text, code) in [
        (json!({}), "This field is required.", "required"),
        (json!({"uid_field": null}), "This field may not be null.", "null"),
        (json!({"uid_field": ""}), "This field may not be blank.", "blank"),
        (json!({"uid_field": "   "}), "This field may not be blank.", "blank"),
        (json!({"uid_field": ["ann"]}), "Not a valid string.", "invalid"),
        (json!({"uid_field": true}), "Not a valid string.", "invalid"),
        (json!({"uid_field": "a\u{0}b"}), "Null characters are not allowed.", "null_characters_not_allowed"),
    ] {
        let again = asks(flow.answered(body).await, "ak-stage-identification");
        faults(&again, fault("uid_field", text, code));
    }
    // What was wrong is not shown again.
    assert!(flow.shown().await.get("response_errors").is_none());
}

async fn passwords_that_are_none(server: &Server) {
    account(server, "ann").await;
    let (browser, mark) = (server.visitor(), server.mark().await);
    let flow = browser.flow(LOGIN);
    named(&flow, "ann").await;
    for (body, text, code) in [
        (json!({}), "This field is required.", "required"),
        (json!({"password": null}), "This field may not be null.", "null"),
        (json!({"password": ""}), "This field may not be blank.", "blank"),
        (json!({"password": {"a": 1}}), "Not a valid string.", "invalid"),
        (json!({"password": "\u{0}"}), "Null characters are not allowed.", "null_characters_not_allowed"),
    ] {
        let again = asks(flow.answered(body).await, "ak-stage-password");
        faults(&again, fault("password", text, code));
    }
    assert_eq!(happened(server, &mark, "login").await, 0);
    // One that is far too long is wrong, like any other.
    faults(&flow.answered(json!({"password": "x".repeat(20_000)})).await, wrong_password());
    leads(&flow.answered(json!({"password": PASSWORD})).await, "/");
}

async fn passwords_are_taken_as_they_are(server: &Server) {
    let ann = account(server, "ann").await;
    let odd = "  \u{e9}\u{1f600} \"'\\ with spaces  ";
    super::set_password(server, ann, odd).await;
    for near in [odd.trim(), "  e\u{301}\u{1f600} \"'\\ with spaces ", &odd.to_uppercase()] {
        assert!(!gets_in(server, "ann", near).await, "{near:?}");
    }
    assert!(gets_in(server, "ann", odd).await);
}

/// A token of an account; gives its key.
async fn token(server: &Server, user: i64, intent: &str, fields: Value) -> String {
    let identifier = format!("{user}-{intent}-{}", fields.to_string().len());
    let body = json!({"identifier": identifier, "intent": intent, "user": user, "expiring": false});
    server.admin().post("/core/tokens/", &crate::bindings::with(body, &fields)).await.expect(201);
    server.key_of(&identifier).await
}

async fn app_passwords(server: &Server) {
    let ann = account(server, "ann").await;
    let key = token(server, ann, "app_password", json!({})).await;
    let mark = server.mark().await;
    signed_in(server, "ann", &key).await;
    let events = server.events_since(&mark).await;
    let login = events.iter().find(|event| event.action == "login").expect("a login");
    assert_eq!(login.context["auth_method"], "token");
    assert_eq!(login.context["auth_method_args"]["token"]["model_name"], "token", "{login:?}");
    assert!(!format!("{events:?}").contains(&key));
    // The own password is as good as before.
    assert!(gets_in(server, "ann", PASSWORD).await);
    server.admin().delete(&format!("/core/tokens/{ann}-app_password-2/")).await.expect_empty(204);
    assert!(!gets_in(server, "ann", &key).await);
}

async fn tokens_that_are_no_passwords(server: &Server) {
    let (ann, bob) = (account(server, "ann").await, account(server, "bob").await);
    let own = token(server, ann, "api", json!({})).await;
    let of_bob = token(server, bob, "app_password", json!({})).await;
    let ends = json!({"expiring": true, "expires": "2026-01-02T03:20:00Z"});
    let over = token(server, ann, "app_password", ends).await;
    assert!(gets_in(server, "ann", &over).await, "not over yet");
    server.advance(TimeDelta::hours(1));
    for key in [&own, &of_bob, &over] {
        assert!(!gets_in(server, "ann", key).await, "{key}");
    }
    server.admin().patch(&format!("/core/users/{bob}/"), &json!({"is_active": false})).await.expect(200);
    assert!(!gets_in(server, "bob", &of_bob).await, "the account is not active");
    // A stage that takes none.
    let inbuilt = json!({"backends": ["authentik.core.auth.InbuiltBackend"]});
    login_flow(server, "inbuilt", inbuilt, json!({})).await;
    let good = token(server, ann, "app_password", json!({"description": "x"})).await;
    faults(&attempt(&server.visitor().flow("inbuilt"), "ann", &good).await, wrong_password());
    assert!(gets_in(server, "ann", &good).await);
}

/// An identification stage with a password stage of its own.
async fn name_and_password_at_once(server: &Server) {
    account(server, "ann").await;
    let password = super::password_stage(server, "password", json!({})).await;
    let fields = json!({"user_fields": ["username"], "password_stage": password});
    let who = stage(server, "identification", "both", fields).await;
    let login = stage(server, "user_login", "login", json!({})).await;
    build(server, "both", "authentication", &[&who, &login]).await;
    let (browser, mark) = (server.visitor(), server.mark().await);
    let flow = browser.flow("both");
    assert_eq!(flow.shown().await["password_fields"], true);
    for body in [
        json!({"uid_field": "ann", "password": WRONG}),
        json!({"uid_field": "nobody", "password": PASSWORD}),
        json!({"uid_field": "ann", "password": ""}),
        json!({"uid_field": "ann"}),
    ] {
        let again = asks(flow.answered(body.clone()).await, "ak-stage-identification");
        faults(&again, fault("non_field_errors", "Failed to authenticate.", "invalid"));
        assert_eq!(browser.who().await, None, "{body}");
    }
    assert!(happened(server, &mark, "login_failed").await >= 2);
    leads(&flow.answered(json!({"uid_field": "ann", "password": PASSWORD})).await, "/");
    assert_eq!(browser.who().await.as_deref(), Some("ann"));
    let _ = identification(server, "unused").await;
}

async fn somebody_else_in_the_same_browser(server: &Server) {
    for name in ["ann", "bob"] {
        account(server, name).await;
    }
    let browser = signed_in(server, "ann", PASSWORD).await;
    let stolen = browser.copied();
    let flow = browser.flow(LOGIN);
    faults(&attempt(&flow, "bob", WRONG).await, wrong_password());
    assert_eq!(browser.who().await.as_deref(), Some("ann"), "still");
    leads(&flow.answered(json!({"password": PASSWORD})).await, "/");
    assert_eq!(browser.who().await.as_deref(), Some("bob"));
    assert_eq!(stolen.who().await, None);
}

async fn a_wrong_answer_that_begins_anew(server: &Server) {
    account(server, "ann").await;
    let bound = json!({"invalid_response_action": "restart"});
    login_flow(server, "anew", json!({}), bound).await;
    let browser = server.visitor();
    let flow = browser.flow("anew");
    asks(attempt(&flow, "ann", WRONG).await, "ak-stage-identification");
    let late = asks(flow.answered(json!({"password": PASSWORD})).await, "ak-stage-identification");
    assert!(late.get("response_errors").is_none_or(|faults| faults.get("uid_field").is_some()), "{late}");
    assert_eq!(browser.who().await, None);
    leads(&attempt(&flow, "ann", PASSWORD).await, "/");
}
