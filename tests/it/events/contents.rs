//! What events hold: never a secret, and never more than they can.

use super::{PATH, assert_clean, one, report, write};
use crate::harness::{Server, tests};
use http::Method;
use serde_json::{Value, json};

tests![
    a_body_that_is_too_large,
    a_context_that_is_large,
    large_attributes_make_small_events,
    many_large_parts,
    scalars_under_suspicious_keys_are_masked,
    new_operations_leak_nothing,
];

const MASK: &str = "********************";

async fn a_body_that_is_too_large(server: &Server) {
    let before = server.number("SELECT count(*) FROM events").await;
    let body = json!({"action": "login", "app": "x", "context": "x".repeat(1 << 20)});
    assert!(server.admin().post(PATH, &body).await.expect(413)["detail"].is_string());
    let event_before = server.number("SELECT count(*) FROM events").await;
    assert_eq!(event_before, before);
}

async fn a_context_that_is_large(server: &Server) {
    let context = json!({"text": "ü☃x".repeat(150_000), "list": vec![7; 1000]});
    let event = write(server, json!({"context": context})).await;
    assert_eq!(event["context"], context, "what somebody sends is stored as sent");
    let read = server.admin().get(&one(&event)).await.expect(200);
    assert_eq!(read["context"], context);
    let wide: serde_json::Map<String, Value> = (0..40_000).map(|n| (format!("k{n}"), json!(n))).collect();
    server.admin().patch(&one(&event), &json!({"context": wide})).await.expect(200);
    server.admin().get(&format!("{PATH}?search=k39999")).await.expect(200);
    assert_clean(&report(server).await);
}

async fn large_attributes_make_small_events(server: &Server) {
    let admin = server.admin();
    let attributes = json!({"large": "x".repeat(1_000_000)});
    for (path, body) in [
        ("/core/users/", json!({"username": "ann", "name": "Ann", "attributes": attributes})),
        ("/core/groups/", json!({"name": "g", "attributes": attributes})),
        ("/core/groups/", json!({"name": "h", "attributes": {"many": vec!["0123456789"; 70_000]}})),
    ] {
        let mark = server.mark().await;
        let made = admin.post(path, &body).await.expect(201);
        let events = server.events_since(&mark).await;
        let [event] = events.as_slice() else { panic!("{}", events.len()) };
        assert_eq!(event.action, "model_created");
        let text = event.context.to_string();
        assert!(text.len() < 64 * 1024, "{} bytes", text.len());
        let pk = made["pk"].as_str().map_or_else(|| made["pk"].to_string(), |pk| pk.replace('-', ""));
        assert_eq!(event.context["model"]["pk"], pk, "what it is about is still there");
        assert!(event.context["http_request"]["request_id"].is_string());
        let mark = server.mark().await;
        let pk = made["pk"].as_str().map_or_else(|| made["pk"].to_string(), str::to_owned);
        admin.patch(&format!("{path}{pk}/"), &json!({"attributes": {"a": "y".repeat(900_000)}})).await.expect(200);
        assert!(server.events_since(&mark).await[0].context.to_string().len() < 64 * 1024);
    }
    assert_clean(&report(server).await);
    // The list of all of them is no burden.
    assert!(admin.get(PATH).await.body.len() < 256 * 1024);
}

async fn many_large_parts(server: &Server) {
    let admin = server.admin();
    let body = json!({"identifier": "t", "description": "d".repeat(400_000)});
    let args = format!("?long={}", "q".repeat(50_000));
    let mark = server.mark().await;
    let draft = admin.request(Method::POST, &format!("/core/tokens/{args}")).json(&body);
    draft.header("user-agent", "u".repeat(5000)).send().await.expect(201);
    let events = server.events_since(&mark).await;
    assert!(events[0].context.to_string().len() < 128 * 1024, "{} bytes", events[0].context.to_string().len());
    assert_eq!(events[0].context["model"]["model_name"], "token");
    assert_clean(&report(server).await);
}

async fn scalars_under_suspicious_keys_are_masked(server: &Server) {
    let attributes = json!({
        "password": "hunter2", "API": 5, "x_Token_y": true, "key": 1.5, "secret_list": ["hunter2", {"plain": "kept"}],
        "signature": "hunter2", "HTTP_COOKIE": "hunter2", "passing": "kept", "password_change_date": "kept",
        "nested": {"client_secret": "hunter2", "deep": [{"passphrase": "hunter2"}]}, "keys": {"inner": "kept"},
        "nothing_token": null,
    });
    let mark = server.mark().await;
    server.group("g", json!({"attributes": attributes})).await;
    let events = server.events_since(&mark).await;
    let diff = &events[0].context["diff"]["attributes"]["new_value"];
    for path in ["/password", "/API", "/x_Token_y", "/key", "/signature", "/HTTP_COOKIE", "/secret_list/0"] {
        assert_eq!(diff.pointer(path), Some(&json!(MASK)), "{path}: {diff}");
    }
    for path in ["/nested/client_secret", "/nested/deep/0/passphrase"] {
        assert_eq!(diff.pointer(path), Some(&json!(MASK)), "{path}: {diff}");
    }
    for path in ["/passing", "/password_change_date", "/keys/inner", "/secret_list/1/plain"] {
        assert_eq!(diff.pointer(path), Some(&json!("kept")), "{path}: {diff}");
    }
    assert!(!server.events_text().await.contains("hunter2"));
}

async fn new_operations_leak_nothing(server: &Server) {
    let admin = server.admin();
    let ann = server.person("ann").await;
    let mut secrets = vec![ann.key.clone()];
    for body in [json!({}), json!({"overlap": "minutes=5"}), json!({"overlap": "minutes=5"})] {
        let rotated = admin.post("/core/tokens/ann-login/rotate/?token=hunter2", &body).await.expect(200);
        secrets.push(rotated["key"].as_str().expect("a key").to_owned());
    }
    for key in &secrets {
        server.with_key(key).get("/core/tokens/ann-login/usage/").await;
    }
    admin.post("/core/tokens/", &json!({"identifier": "short"})).await.expect(201);
    secrets.push(server.key_of("short").await);
    server.advance(chrono::TimeDelta::hours(1));
    tessera::jobs::sweep::once(&server.app).await.expect("swept");
    secrets.push(server.key_of("short").await);
    admin.patch("/admin/settings/?secret=hunter2", &json!({"avatars": "none"})).await.expect(200);
    let events = server.events_text().await;
    assert!(events.contains("secret_rotate"));
    for secret in secrets.iter().map(String::as_str).chain(["hunter2", "tsra"]) {
        assert!(!events.contains(secret), "{secret} is in the events");
    }
    // Nor in the lists that show events or tokens.
    for path in [PATH, "/core/tokens/", "/core/tokens/short/usage/"] {
        let text = admin.get(path).await.text();
        assert!(!secrets.iter().any(|secret| text.contains(secret)), "{path}");
    }
}
