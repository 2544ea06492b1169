//! The icon of an application, by its address; nothing is fetched, and nothing that would run is taken.

use super::path;
use crate::{
    bindings::application,
    harness::{Server, tests},
};
use serde_json::{Value, json};

tests![taken, taken_away, refused, permissions, unknown_applications];

fn set(slug: &str) -> String {
    format!("{}set_icon_url/", path(slug))
}

async fn icon(server: &Server) -> Value {
    server.admin().get(&path("app")).await.expect(200)["meta_icon"].clone()
}

async fn taken(server: &Server) {
    application(server, "app", json!({})).await;
    for url in ["https://example.org/icon.svg?x=1", "http://example.org/icon.png", "/static/icon.png", "fa://fa-circle"]
    {
        server.admin().post(&set("app"), &json!({"url": url})).await.expect_body(200, &json!({}));
        assert_eq!(icon(server).await, json!(url));
    }
    // Nothing else has changed, and lists show it.
    let listed = server.admin().get(super::PATH).await.expect(200);
    assert_eq!(listed["results"][0]["meta_icon"], "fa://fa-circle");
}

async fn taken_away(server: &Server) {
    application(server, "app", json!({})).await;
    for nothing in ["", "  "] {
        server.admin().post(&set("app"), &json!({"url": "/icon.png"})).await.expect(200);
        server.admin().post(&set("app"), &json!({"url": nothing})).await.expect_body(200, &json!({}));
        assert_eq!(icon(server).await, json!(null));
    }
    server.admin().post(&set("app"), &json!({"url": ""})).await.expect_body(200, &json!({}));
}

/// An empty 400, and the icon stays.
async fn refused(server: &Server) {
    application(server, "app", json!({})).await;
    server.admin().post(&set("app"), &json!({"url": "/icon.png"})).await.expect(200);
    for body in [
        json!({}),
        json!({"url": null}),
        json!({"file": "x"}),
        json!({"url": "javascript:alert(1)"}),
        json!({"url": "JavaScript:alert(1)"}),
        json!({"url": " javascript:alert(1)"}),
        json!({"url": "data:image/svg+xml,x"}),
        json!({"url": "vbscript:x"}),
        json!({"url": "//elsewhere.example.org/x.png"}),
        json!({"url": "/\\elsewhere.example.org/x.png"}),
        json!({"url": "/\t/elsewhere.example.org/x.png"}),
        json!({"url": "https://example.org/\u{0}"}),
        json!({"url": format!("https://example.org/{}", "x".repeat(500))}),
    ] {
        let answer = server.admin().post(&set("app"), &body).await;
        assert_eq!(answer.status, 400, "{body}");
        assert_eq!(icon(server).await, json!("/icon.png"), "{body}");
    }
    for body in [json!({}), json!({"url": null}), json!({"url": "javascript:alert(1)"})] {
        server.admin().post(&set("app"), &body).await.expect_empty(400);
    }
}

async fn permissions(server: &Server) {
    let key = application(server, "app", json!({})).await;
    let code = |verb: &str| format!("authentik_core.{verb}_application");
    for (name, verbs, status) in [
        ("none", &[][..], 403),
        ("change", &["view", "change"], 403),
        ("add", &["view", "add"], 403),
        ("blind", &["change", "add"], 403),
        ("all", &["view", "change", "add"], 200),
    ] {
        let codes: Vec<String> = verbs.iter().map(|verb| code(verb)).collect();
        let codes: Vec<&str> = codes.iter().map(String::as_str).collect();
        let person = server.holder_of(name, &codes).await;
        let answer = person.client.post(&set("app"), &json!({"url": "/x"})).await;
        assert_eq!(answer.status, status, "{name}: {}", answer.text());
        // Before the body is looked at.
        let answer = person.client.post(&set("app"), &json!({})).await;
        assert_eq!(answer.status, if status == 200 { 400 } else { status }, "{name}: {}", answer.text());
    }
    let ann = server.holder_of("ann", &[&code("add")]).await;
    server.grant(ann.holder(), &code("view"), Some(&key)).await;
    ann.client.post(&set("app"), &json!({"url": "/y"})).await.expect_forbidden();
    server.grant(ann.holder(), &code("change"), Some(&key)).await;
    ann.client.post(&set("app"), &json!({"url": "/y"})).await.expect_body(200, &json!({}));
    assert_eq!(icon(server).await, json!("/y"));
}

async fn unknown_applications(server: &Server) {
    for body in [json!({"url": "/x"}), json!({})] {
        server.admin().post(&set("nothing"), &body).await.expect_missing();
    }
    // Uploads are not there yet (listed).
    application(server, "app", json!({})).await;
    let answer = server.admin().post(&format!("{}set_icon/", path("app")), &json!({})).await;
    assert_eq!(answer.status, 404, "{}", answer.text());
}
