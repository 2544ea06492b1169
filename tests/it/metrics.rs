//! `/metrics` of the management listener, and what stands beside it.

use crate::harness::{Server, tests};
use chrono::TimeDelta;
use http::Method;
use serde_json::json;
use std::collections::BTreeSet;

tests![
    text_format,
    counters_move,
    sweeps_are_counted,
    labels_are_bounded,
    nothing_of_callers,
    described,
    methods,
    health_without_a_database,
    not_on_the_other_listener,
];

async fn text(server: &Server) -> String {
    let answer = server.management().outside(Method::GET, "/metrics").send().await;
    answer.expect_status(200);
    answer.text()
}

/// The value of a line, 0 where there is none.
fn value(text: &str, name: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.map_or(0.0, |value| value.parse().expect("a number"))
}

async fn text_format(server: &Server) {
    server.admin().get("/core/users/me/").await.expect(200);
    let answer = server.management().outside(Method::GET, "/metrics").send().await;
    let media = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!(answer.header("content-type"), Some(media));
    let text = answer.text();
    assert!(text.ends_with("# EOF\n"), "{text}");
    let mut declared = BTreeSet::new();
    for line in text.lines() {
        if let Some(comment) = line.strip_prefix("# ") {
            let mut words = comment.split(' ');
            if words.next() == Some("TYPE") {
                let name = words.next().expect("a name").to_owned();
                assert!(declared.insert(name.clone()), "{name} is declared twice");
                assert!(name.starts_with("tessera_"), "{name}");
            }
            continue;
        }
        let (name, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no value: {line}"));
        assert!(value.parse::<f64>().is_ok(), "{line}");
        let name = name.split('{').next().expect("a name");
        assert!(declared.iter().any(|declared| name.starts_with(declared)), "{line}");
    }
    for name in
        ["tessera_requests", "tessera_request_duration_seconds", "tessera_requests_in_flight", "tessera_principals"]
    {
        assert!(declared.contains(name), "{name} is missing");
    }
    let version = format!("tessera_build_info{{version=\"{}\"}} 1", env!("CARGO_PKG_VERSION"));
    assert!(text.lines().any(|line| line == version), "{text}");
}

async fn counters_move(server: &Server) {
    let ann = server.person("ann").await;
    let before = text(server).await;
    for _ in 0..3 {
        ann.client.get("/core/users/me/").await.expect(200);
    }
    ann.client.get("/core/tokens/none/").await.expect(404);
    server.with_key("wrong").get("/core/users/me/").await.expect(403);
    server.with_key("wrong").get("/core/users/me/").await.expect(403);
    server.anonymous().outside(Method::GET, "/nothing/").send().await.expect_status(404);
    let after = text(server).await;
    for (name, moved) in [
        ("tessera_requests_total{operation=\"core_users_me_retrieve\",status=\"200\"}", 3.0),
        ("tessera_requests_total{operation=\"core_users_me_retrieve\",status=\"403\"}", 2.0),
        ("tessera_requests_total{operation=\"core_tokens_retrieve\",status=\"404\"}", 1.0),
        ("tessera_requests_total{operation=\"none\",status=\"404\"}", 1.0),
        ("tessera_request_duration_seconds_count{operation=\"core_users_me_retrieve\"}", 5.0),
        ("tessera_authentications_refused_total", 2.0),
        ("tessera_requests_in_flight", 0.0),
    ] {
        let difference = value(&after, name) - value(&before, name);
        assert!((difference - moved).abs() < 0.5, "{name} moved by {difference}\n{after}");
    }
    // Four requests of ann's, the first of them looked up.
    let known = |text: &str| {
        let kind = |kind: &str| value(text, &format!("tessera_principals_total{{kind=\"{kind}\"}}"));
        (kind("remembered") + kind("looked_up"), kind("looked_up"))
    };
    let ((all, looked), (all_before, looked_before)) = (known(&after), known(&before));
    assert!((all - all_before - 4.0).abs() < 0.5 && looked > looked_before, "{after}");
}

async fn sweeps_are_counted(server: &Server) {
    let admin = server.admin();
    admin.post("/core/tokens/", &json!({"identifier": "api"})).await.expect(201);
    admin.post("/core/tokens/", &json!({"identifier": "app", "intent": "app_password"})).await.expect(201);
    let ended = json!({"action": "login", "app": "x", "expires": "2020-01-01T00:00:00Z"});
    admin.post("/events/events/", &ended).await.expect(201);
    server.advance(TimeDelta::minutes(31));
    tessera::jobs::sweep::once(&server.app).await.expect("swept");
    let text = text(server).await;
    for (kind, amount) in [("rotated", 1), ("deleted", 1), ("pruned", 1), ("erased", 0)] {
        let line = format!("tessera_swept_total{{kind=\"{kind}\"}} {amount}");
        assert!(text.lines().any(|l| l == line), "{line}\n{text}");
    }
}

/// Whatever callers make up, the labels stay those of the documents.
async fn labels_are_bounded(server: &Server) {
    for number in 0..30 {
        let admin = server.admin();
        admin.get(&format!("/core/tokens/unknown-{number}/")).await.expect(404);
        admin.get(&format!("/made/up/{number}/")).await.expect_status(404);
        let method = Method::from_bytes(format!("M{number}").as_bytes()).expect("a method");
        admin.request(method, "/core/tokens/").send().await.expect_status(405);
        server.anonymous().outside(Method::GET, &format!("/x{number}")).send().await.expect_status(404);
    }
    let text = text(server).await;
    for line in text.lines().filter(|line| line.contains("operation=\"")) {
        let operation = line.split("operation=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a label");
        let known = operation == "none" || tessera_api::openapi::V3_JSON.contains(&format!("\"{operation}\""));
        assert!(known, "{line}");
    }
    assert!(!text.contains("unknown-") && !text.contains("made") && !text.contains("M29"), "{text}");
    assert!(text.lines().count() < 400, "{} lines", text.lines().count());
}

async fn nothing_of_callers(server: &Server) {
    let ann = server.person("ann-the-caller").await;
    ann.client.get("/core/tokens/?search=something-searched").await.expect(200);
    let text = text(server).await;
    for word in ["ann-the-caller", "something-searched", "127.0.0.1", ann.key.as_str()] {
        assert!(!text.contains(word), "{word}");
    }
}

async fn described(server: &Server) {
    let document = server.management().outside(Method::GET, "/openapi.json").send().await.expect(200);
    let metrics = &document["paths"]["/metrics"]["get"]["responses"]["200"];
    assert!(metrics["content"]["application/openmetrics-text"].is_object(), "{document}");
    for path in ["/health", "/metrics", "/openapi.json"] {
        assert!(document["paths"][path]["get"].is_object(), "{path}");
        server.management().outside(Method::GET, path).send().await.expect_status(200);
    }
    assert_eq!(document["paths"].as_object().expect("paths").len(), 3);
}

async fn methods(server: &Server) {
    for path in ["/health", "/metrics", "/openapi.json"] {
        let get = server.management().outside(Method::GET, path).send().await;
        let head = server.management().outside(Method::HEAD, path).send().await;
        assert!(head.status == 200 && head.body.is_empty(), "{path}");
        assert_eq!(head.header("content-type"), get.header("content-type"));
        for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS] {
            assert_eq!(server.management().outside(method, path).send().await.status, 405, "{path}");
        }
    }
    for path in ["/metrics/", "/Metrics", "/metrics/x", "//metrics"] {
        assert_eq!(server.management().outside(Method::GET, path).send().await.status, 404, "{path}");
    }
}

async fn health_without_a_database(server: &Server) {
    let health = server.management().outside(Method::GET, "/health").send().await;
    health.expect_body(200, &json!({"status": "ok", "version": env!("CARGO_PKG_VERSION")}));
    server.sql("ALTER TABLE epoch RENAME TO hidden").await;
    let health = server.management().outside(Method::GET, "/health").send().await;
    health.expect_body(503, &json!({"status": "unavailable", "version": env!("CARGO_PKG_VERSION")}));
    // What was counted can still be read.
    assert!(text(server).await.ends_with("# EOF\n"));
    server.sql("ALTER TABLE hidden RENAME TO epoch").await;
    server.management().outside(Method::GET, "/health").send().await.expect(200);
}

async fn not_on_the_other_listener(server: &Server) {
    for path in ["/metrics", "/health", "/openapi.json", "/api/v3/metrics/", "/-/metrics/"] {
        server.admin().outside(Method::GET, path).send().await.expect_status(404);
    }
}
