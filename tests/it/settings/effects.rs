//! What changes counts at once, here and elsewhere.

use super::{PATH, defaults};
use crate::harness::{BOOTSTRAP_TOKEN, Client, Server, tests};
use chrono::TimeDelta;
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};

tests![
    a_fresh_installation,
    nothing_said_nothing_changed,
    each_field_by_itself,
    put_keeps_what_is_not_said,
    the_duration_of_tokens,
    the_length_of_keys,
    the_retention_of_events,
    impersonation_shows,
    events_of_the_deleted_go,
    events_of_the_deleted_stay,
    whoever_comes_next_is_somebody_else,
    who_may,
    far_beyond_the_calendar,
    changes_are_events,
    another_process_notices,
];

async fn set(server: &Server, name: &str, value: Value) {
    let answer = server.admin().patch(PATH, &json!({ name: value })).await.expect(200);
    assert_eq!(answer[name], value, "{name}");
}

async fn a_fresh_installation(server: &Server) {
    server.admin().get(PATH).await.expect_body(200, &defaults());
}

async fn nothing_said_nothing_changed(server: &Server) {
    let admin = server.admin();
    let mark = server.mark().await;
    admin.put(PATH, &json!({})).await.expect_body(200, &defaults());
    admin.patch(PATH, &json!({})).await.expect_body(200, &defaults());
    admin.put(PATH, &defaults()).await.expect_body(200, &defaults());
    admin.patch(PATH, &json!({"unknown": 1})).await.expect_body(200, &defaults());
    assert_eq!(server.gists_since(&mark).await, Vec::<String>::new());
}

async fn each_field_by_itself(server: &Server) {
    let admin = server.admin();
    let mut expected = defaults();
    let links = json!([
        {"name": "Help", "href": "https://help.example.org/?a=b#c"}, {"name": "Write", "href": "mailto:a@example.org"},
        {"name": "Call", "href": "tel:+491234"}, {"name": "Here", "href": "/help"}, {"name": "None", "href": null},
        {"name": "None either"}, {"name": "ü", "href": "HTTPS://EXAMPLE.ORG"},
    ]);
    for (name, value) in [
        ("avatars", json!("none")),
        ("default_user_change_name", json!(false)),
        ("default_user_change_email", json!(true)),
        ("default_user_change_username", json!(true)),
        ("event_retention", json!("days=1;hours=1.5")),
        ("footer_links", links),
        ("gdpr_compliance", json!(false)),
        ("impersonation", json!(false)),
        ("default_token_duration", json!("DAYS=1;fortnights=7")),
        ("default_token_length", json!(80)),
    ] {
        expected[name] = value.clone();
        admin.patch(PATH, &json!({ name: value })).await.expect_body(200, &expected);
        admin.get(PATH).await.expect_body(200, &expected);
    }
    admin.put(PATH, &defaults()).await.expect_body(200, &defaults());
    // Texts are trimmed, and other spellings of values read.
    let odd = json!({"avatars": "  none ", "impersonation": "off", "gdpr_compliance": 0, "default_token_length": "99"});
    let answer = admin.put(PATH, &odd).await.expect(200);
    assert_eq!((&answer["avatars"], &answer["impersonation"]), (&json!("none"), &json!(false)));
    assert_eq!((&answer["gdpr_compliance"], &answer["default_token_length"]), (&json!(false), &json!(99)));
}

async fn put_keeps_what_is_not_said(server: &Server) {
    set(server, "avatars", json!("none")).await;
    let answer = server.admin().put(PATH, &json!({"impersonation": false})).await.expect(200);
    assert_eq!((&answer["avatars"], &answer["impersonation"]), (&json!("none"), &json!(false)));
    // Two at once, of different fields: both stay.
    for round in 0..10 {
        let (one, two) = (json!({"default_token_length": 50 + round}), json!({"avatars": format!("a{round}")}));
        let admin = server.admin();
        let (a, b) = tokio::join!(admin.patch(PATH, &one), admin.patch(PATH, &two));
        a.expect(200);
        b.expect(200);
        let now = admin.get(PATH).await.expect(200);
        assert_eq!((&now["default_token_length"], &now["avatars"]), (&one["default_token_length"], &two["avatars"]));
    }
}

async fn the_duration_of_tokens(server: &Server) {
    let admin = server.admin();
    admin.post("/core/tokens/", &json!({"identifier": "before"})).await.expect(201);
    for (number, (duration, expires)) in [
        ("hours=2", "2026-01-02T05:04:05.678901Z"),
        ("days=1;microseconds=1", "2026-01-03T03:04:05.678902Z"),
        ("seconds=0.5", "2026-01-02T03:04:06.178901Z"),
        ("weeks=500000", "9999-12-31T23:59:59Z"),
    ]
    .into_iter()
    .enumerate()
    {
        set(server, "default_token_duration", json!(duration)).await;
        for intent in ["api", "app_password"] {
            let body = json!({"identifier": format!("{intent}-{number}"), "intent": intent});
            assert_eq!(admin.post("/core/tokens/", &body).await.expect(201)["expires"], expires, "{duration}");
        }
    }
    // What exists keeps its end, until somebody edits it.
    let before = admin.get("/core/tokens/before/").await.expect(200);
    assert_eq!(before["expires"], "2026-01-02T03:34:05.678901Z");
    set(server, "default_token_duration", json!("hours=2")).await;
    let edited = admin.patch("/core/tokens/before/", &json!({})).await.expect(200);
    assert_eq!(edited["expires"], "2026-01-02T05:04:05.678901Z");
    // The usual duration is also the longest life of an app password.
    let app = json!({"identifier": "app", "intent": "app_password", "expires": "2026-01-02T05:04:05.678902Z"});
    admin.post("/core/tokens/", &app).await.expect(400);
}

async fn the_length_of_keys(server: &Server) {
    let admin = server.admin();
    for (number, (length, real)) in
        [(1, 40), (39, 40), (40, 40), (41, 41), (128, 128), (4096, 4096), (4097, 4096), (2_147_483_647, 4096)]
            .into_iter()
            .enumerate()
    {
        set(server, "default_token_length", json!(length)).await;
        let identifier = format!("t{number}");
        admin.post("/core/tokens/", &json!({"identifier": identifier})).await.expect(201);
        let key = server.key_of(&identifier).await;
        assert_eq!(key.len(), real, "{length}");
        server.with_key(&key).get("/core/users/me/").await.expect(200);
        let rotated = admin.post(&format!("/core/tokens/{identifier}/rotate/"), &json!({})).await.expect(200);
        assert_eq!(rotated["key"].as_str().expect("a key").len(), real);
    }
    let body = json!({"name": "svc"});
    let service = admin.post("/core/users/service_account/", &body).await.expect(200);
    assert_eq!(service["token"].as_str().expect("a key").len(), 4096);
}

async fn the_retention_of_events(server: &Server) {
    for (retention, expires) in [
        ("days=1", "2026-01-03T03:04:05.678901Z"),
        ("hours=-1", "2026-01-02T02:04:05.678901Z"),
        ("weeks=500000", "9999-12-31T23:59:59Z"),
    ] {
        set(server, "event_retention", json!(retention)).await;
        server.admin().post("/core/groups/", &json!({"name": retention})).await.expect(201);
        let events = server.admin().get("/events/events/?page_size=1").await.expect(200);
        assert_eq!(events["results"][0]["expires"], expires, "{retention}");
        let event = server.admin().post("/events/events/", &json!({"action": "login", "app": "x"})).await.expect(201);
        assert_eq!(event["expires"], expires, "{retention}");
    }
}

async fn impersonation_shows(server: &Server) {
    let capabilities = async || {
        let body = server.anonymous().get("/root/config/").await.expect(200);
        body["capabilities"].as_array().expect("a list").contains(&json!("can_impersonate"))
    };
    assert!(capabilities().await);
    for on in [false, true, false] {
        set(server, "impersonation", json!(on)).await;
        assert_eq!(capabilities().await, on);
    }
}

/// Makes an account that did something, and removes it; gives how many events are about what it did.
async fn come_and_go(server: &Server) -> (i64, i64) {
    let ann = server.person("ann").await;
    ann.client.post("/core/tokens/", &json!({"identifier": "own"})).await.expect(201);
    ann.client.get("/core/tokens/own/view_key/").await.expect(200);
    let own = json!({"action": "login", "app": "x", "user": {"pk": ann.pk, "username": "ann"}});
    server.admin().post("/events/events/", &own).await.expect(201);
    assert_eq!(done_by(server, "ann").await, 3);
    server.admin().delete(&format!("/core/users/{}/", ann.pk)).await.expect_empty(204);
    (ann.pk, done_by(server, "ann").await)
}

async fn done_by(server: &Server, username: &str) -> i64 {
    let page = server.admin().get(&format!("/events/events/?username={username}")).await.expect(200);
    page["pagination"]["count"].as_i64().expect("a number")
}

async fn events_of_the_deleted_go(server: &Server) {
    let (pk, before) = come_and_go(server).await;
    assert_eq!(before, 3, "not at once");
    let swept = tessera::jobs::sweep::once(&server.app).await.expect("swept");
    assert_eq!(swept.erased, 3);
    assert_eq!(done_by(server, "ann").await, 0);
    // What others did with the account stays.
    let about = format!("/events/events/?context_model_name=user&context_model_pk={pk}");
    assert_eq!(server.admin().get(&about).await.expect_list("action"), ["model_deleted", "model_created"]);
    assert_eq!(tessera::jobs::sweep::once(&server.app).await.expect("swept").erased, 0);
    assert_eq!(crate::events::findings(server).await, []);
}

async fn events_of_the_deleted_stay(server: &Server) {
    set(server, "gdpr_compliance", json!(false)).await;
    assert_eq!(come_and_go(server).await.1, 3);
    assert_eq!(tessera::jobs::sweep::once(&server.app).await.expect("swept").erased, 0);
    assert_eq!(done_by(server, "ann").await, 3);
    // Nor are they forgotten later: what counts is how it was when the account went.
    set(server, "gdpr_compliance", json!(true)).await;
    tessera::jobs::sweep::once(&server.app).await.expect("swept");
    assert_eq!(done_by(server, "ann").await, 3);
}

async fn whoever_comes_next_is_somebody_else(server: &Server) {
    let (pk, _) = come_and_go(server).await;
    let bob = server.person("bob").await;
    assert_ne!(bob.pk, pk, "a number is not given twice");
    bob.client.post("/core/tokens/", &json!({"identifier": "bobs"})).await.expect(201);
    tessera::jobs::sweep::once(&server.app).await.expect("swept");
    assert_eq!((done_by(server, "ann").await, done_by(server, "bob").await), (0, 1));
}

async fn who_may(server: &Server) {
    let ann = server.person("ann").await.client;
    ann.get(PATH).await.expect_forbidden();
    ann.patch(PATH, &json!({"avatars": ""})).await.expect_forbidden();
    ann.put(PATH, &json!({})).await.expect_forbidden();
    let viewer = server.holder_of("viewer", &["authentik_rbac.view_system_settings"]).await.client;
    viewer.get(PATH).await.expect_body(200, &defaults());
    viewer.patch(PATH, &json!({"impersonation": false})).await.expect_forbidden();
    let editor = server.holder_of("editor", &["authentik_rbac.edit_system_settings"]).await.client;
    assert_eq!(editor.patch(PATH, &json!({"avatars": "none"})).await.expect(200)["avatars"], "none");
    editor.get(PATH).await.expect_forbidden();
    let credentials = "Authentication credentials were not provided.";
    server.anonymous().get(PATH).await.expect_detail(403, credentials);
    server.anonymous().patch(PATH, &json!({})).await.expect_detail(403, credentials);
    server.admin().delete(PATH).await.expect_detail(405, "Method \"DELETE\" not allowed.");
}

/// Durations may be negative, and reach beyond what any calendar says: nothing breaks by that.
async fn far_beyond_the_calendar(server: &Server) {
    let admin = server.admin();
    for (number, duration) in ["days=-3650000", "days=-800000", "weeks=-1", "days=3650000"].into_iter().enumerate() {
        set(server, "event_retention", json!(duration)).await;
        set(server, "default_token_duration", json!(duration)).await;
        let identifier = format!("t{number}");
        admin.post("/core/tokens/", &json!({"identifier": identifier})).await.expect(201);
        admin.get("/core/tokens/").await.expect(200);
        server.key_of(&identifier).await;
        admin.post(&format!("/core/tokens/{identifier}/rotate/"), &json!({"overlap": "days=1"})).await.expect(200);
        admin.get("/events/events/").await.expect(200);
        assert_eq!(crate::events::findings(server).await, [], "{duration}");
    }
    admin.put(PATH, &defaults()).await.expect_body(200, &defaults());
}

async fn changes_are_events(server: &Server) {
    let mark = server.mark().await;
    set(server, "avatars", json!("none")).await;
    let events = server.events_since(&mark).await;
    let [event] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!((event.action.as_str(), &event.user["username"]), ("model_updated", &json!("akadmin")));
}

/// A second process on the same data counts by the new settings within about a second.
async fn another_process_notices(server: &Server) {
    let clock = Arc::clone(&server.clock);
    let entropy = Arc::new(tessera::ctx::SeededEntropy::new(99));
    let second = tessera::server::start(server.place.config(), clock, entropy).await.expect("a second server");
    let there = Client::new(second.api, Some(BOOTSTRAP_TOKEN.to_owned()));
    let made = async |identifier: &str| {
        let token = there.post("/core/tokens/", &json!({"identifier": identifier})).await.expect(201);
        token["expires"].as_str().expect("a moment").to_owned()
    };
    assert_eq!(made("before").await, "2026-01-02T03:34:05.678901Z");
    set(server, "default_token_duration", json!("days=1")).await;
    set(server, "impersonation", json!(false)).await;
    let began = std::time::Instant::now();
    let mut tries = 0;
    while made(&format!("t{tries}")).await != "2026-01-03T03:04:05.678901Z" {
        assert!(began.elapsed() < Duration::from_secs(5), "not noticed");
        tokio::time::sleep(Duration::from_millis(50)).await;
        tries += 1;
    }
    let config = there.get("/root/config/").await.expect(200);
    assert!(!config["capabilities"].as_array().expect("a list").contains(&json!("can_impersonate")));
    // And the other way round.
    there.patch(PATH, &json!({"impersonation": true})).await.expect(200);
    let began = std::time::Instant::now();
    loop {
        let config = server.anonymous().get("/root/config/").await.expect(200);
        if config["capabilities"].as_array().expect("a list").contains(&json!("can_impersonate")) {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(5), "not noticed");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    server.advance(TimeDelta::seconds(1));
    second.stop().await;
}
