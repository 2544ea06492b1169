//! Listing events: filters, search, order and pages.

use super::{PATH, one, write};
use crate::harness::{Client, Server, tests};
use chrono::TimeDelta;
use serde_json::{Value, json};

tests![
    newest_first,
    filters,
    faulty_filters,
    the_servers_own_events_are_found,
    search,
    search_in_any_alphabet,
    ordering,
    pages,
    counts_follow_what_happens,
];

/// Leaves only events of our own: five, a minute apart.
async fn fill(server: &Server) -> Client {
    server.sql("DELETE FROM events").await;
    let brand = |name: &str| json!({"app": "authentik_brands", "model_name": "brand", "pk": "0", "name": name});
    let model =
        |app: &str, name: &str, pk: Value| json!({"model": {"app": app, "model_name": name, "pk": pk, "name": "n"}});
    let events = [
        json!({"app": "k0", "action": "login", "user": {"pk": 7, "username": "ann"}, "client_ip": "192.0.2.1"}),
        json!({"app": "k1", "action": "login_failed", "client_ip": "2001:db8::1", "brand": brand("Ours")}),
        json!({"app": "k2", "action": "model_created", "context": model("authentik_core", "user", json!(7))}),
        json!({
            "app": "k3", "action": "model_updated", "user": {"pk": 8, "username": "Bob"},
            "context": model("authentik_core", "token", json!("9b0f6f0e4c1d4b7e8a553d2c1e90f7a4")),
        }),
        json!({
            "app": "k4", "action": "authorize_application", "user": {"pk": 7, "username": "ann"},
            "context": {"authorized_application": {"pk": "70d3a5c8", "name": "Wiki 100%_x"}, "note": "ein Ärger"},
        }),
    ];
    for event in events {
        write(server, event).await;
        server.advance(TimeDelta::minutes(1));
    }
    server.admin()
}

async fn listed(client: &Client, query: &str) -> Vec<String> {
    client.get(&format!("{PATH}?{query}")).await.expect_list("app")
}

async fn newest_first(server: &Server) {
    let admin = fill(server).await;
    assert_eq!(listed(&admin, "").await, ["k4", "k3", "k2", "k1", "k0"]);
    // Within one moment too.
    for name in ["m0", "m1", "m2", "m3"] {
        write(server, json!({"app": name})).await;
    }
    assert_eq!(listed(&admin, "search=tests,m9").await, Vec::<String>::new());
    assert_eq!(listed(&admin, "").await[..4], ["m3", "m2", "m1", "m0"]);
    let page = admin.get(PATH).await.expect(200);
    let event = &page["results"][8];
    admin.get(&one(event)).await.expect_body(200, event);
}

async fn filters(server: &Server) {
    let admin = fill(server).await;
    let all: &[&str] = &["k4", "k3", "k2", "k1", "k0"];
    let cases: &[(&str, &[&str])] = &[
        ("action=login", &["k1", "k0"]),
        ("action=LOGIN_F", &["k1"]),
        ("action=_", &["k4", "k3", "k2", "k1"]),
        ("action=%25", &[]),
        ("action=nothing", &[]),
        ("action=", all),
        ("client_ip=192.0.2.1", &["k0"]),
        ("client_ip=2001:db8::1", &["k1"]),
        ("client_ip=2001:0DB8:0::1", &["k1"]),
        ("client_ip=192.0.2.2", &[]),
        ("client_ip=", all),
        ("username=ann", &["k4", "k0"]),
        ("username=Ann", &[]),
        ("username=bob", &[]),
        ("username=Bob", &["k3"]),
        ("username=", all),
        ("context_model_pk=7", &["k2"]),
        ("context_model_pk=07", &[]),
        ("context_model_pk=9b0f6f0e4c1d4b7e8a553d2c1e90f7a4", &["k3"]),
        ("context_model_pk=9b0f6f0e-4c1d-4b7e-8a55-3d2c1e90f7a4", &["k3"]),
        ("context_model_name=user", &["k2"]),
        ("context_model_name=use", &[]),
        ("context_model_app=authentik_core", &["k3", "k2"]),
        ("context_authorized_app=70d3a5c8", &["k4"]),
        ("context_authorized_app=70d3", &[]),
        ("brand_name=Ours", &["k1"]),
        ("brand_name=Brand+fallback", &["k4", "k3", "k2", "k0"]),
        ("brand_name=%27%20OR%201=1", &[]),
        ("username=ann&action=login", &["k0"]),
        ("username=ann&username=Bob", &["k3"]),
        ("unknown=1", all),
    ];
    for (query, expected) in cases {
        assert_eq!(listed(&admin, query).await, *expected, "{query}");
    }
}

async fn faulty_filters(server: &Server) {
    let admin = server.admin();
    let text = json!({"client_ip": ["Enter a valid IPv4 or IPv6 address."]});
    for bad in ["x", "1.2.3", "1.2.3.4/8", "::g", "localhost"] {
        admin.get(&format!("{PATH}?client_ip={bad}")).await.expect_faults(text.clone());
        admin.get(&format!("{PATH}volume/?client_ip={bad}")).await.expect_faults(text.clone());
    }
    for name in ["action", "username", "context_model_pk", "context_model_name", "brand_name", "context_authorized_app"]
    {
        let answer = admin.get(&format!("{PATH}?{name}=a%00b")).await;
        assert_eq!(answer.expect(400)[name], json!(["Null characters are not allowed."]));
    }
}

async fn the_servers_own_events_are_found(server: &Server) {
    let ann = server.person("ann").await;
    let admin = server.admin();
    let token = admin.get("/core/tokens/ann-login/").await.expect(200);
    let pk = token["pk"].as_str().expect("text");
    let query = format!("context_model_pk={pk}&context_model_name=token&context_model_app=authentik_core");
    let found = admin.get(&format!("{PATH}?{query}&username=akadmin&client_ip=127.0.0.1")).await;
    assert_eq!(found.expect_list("action"), ["model_created"]);
    let found = admin.get(&format!("{PATH}?context_model_pk={}&context_model_name=user", ann.pk)).await;
    assert_eq!(found.expect_list("action"), ["model_created"]);
    let found = admin.get(&format!("{PATH}?action=secret_view")).await;
    assert_eq!(found.expect_list("app"), ["authentik.core.api.tokens"]);
}

async fn search(server: &Server) {
    let admin = fill(server).await;
    let pk = admin.get(&format!("{PATH}?action=model_created")).await.expect_list("pk")[0].clone();
    let part = &pk[5..20];
    let cases: &[(&str, &[&str])] = &[
        ("ann", &["k4", "k0"]),
        ("BOB", &["k3"]),
        ("k3", &["k3"]),
        ("model_", &["k3", "k2"]),
        ("192.0.2", &["k0"]),
        ("wiki", &["k4"]),
        ("ann%20wiki", &["k4"]),
        ("ann,wiki", &["k4"]),
        ("ann+bob", &[]),
        ("100%25_X", &["k4"]),
        ("100%25%25", &[]),
        ("9B0F6F0E", &["k3"]),
        (part, &["k2"]),
        ("%27", &[]),
        ("%5C", &[]),
        ("", &["k4", "k3", "k2", "k1", "k0"]),
    ];
    for (words, expected) in cases {
        assert_eq!(listed(&admin, &format!("search={words}")).await, *expected, "{words}");
    }
    assert_eq!(listed(&admin, "search=ann&action=login").await, ["k0"]);
    // The brand is not searched, as in the original.
    assert_eq!(listed(&admin, "search=ours").await, Vec::<String>::new());
}

async fn search_in_any_alphabet(server: &Server) {
    let admin = fill(server).await;
    // The event says `Ärger`.
    for word in ["%C3%84rger", "%C3%A4rger", "%C3%84RGER"] {
        assert_eq!(listed(&admin, &format!("search={word}")).await, ["k4"], "{word}");
    }
}

async fn ordering(server: &Server) {
    let admin = fill(server).await;
    let cases: &[(&str, &[&str])] = &[
        ("created", &["k0", "k1", "k2", "k3", "k4"]),
        ("-created", &["k4", "k3", "k2", "k1", "k0"]),
        ("app", &["k0", "k1", "k2", "k3", "k4"]),
        ("-app", &["k4", "k3", "k2", "k1", "k0"]),
        ("expires", &["k0", "k1", "k2", "k3", "k4"]),
        ("action,-app", &["k4", "k0", "k1", "k2", "k3"]),
        ("client_ip,app", &["k0", "k1", "k2", "k3", "k4"]),
        ("nonsense", &["k4", "k3", "k2", "k1", "k0"]),
        ("nonsense,app", &["k0", "k1", "k2", "k3", "k4"]),
        ("", &["k4", "k3", "k2", "k1", "k0"]),
    ];
    for (order, expected) in cases {
        assert_eq!(listed(&admin, &format!("ordering={order}")).await, *expected, "{order}");
    }
    for name in ["pk", "user", "context", "brand", "-pk", "-user", "-context", "-brand", "-client_ip", "event_uuid"] {
        let mut all = listed(&admin, &format!("ordering={name}")).await;
        all.sort_unstable();
        assert_eq!(all, ["k0", "k1", "k2", "k3", "k4"], "{name}");
    }
}

async fn pages(server: &Server) {
    let admin = fill(server).await;
    let page = admin.get(&format!("{PATH}?page_size=2&page=2")).await.expect(200);
    let expected = json!({
        "next": 3, "previous": 1, "count": 5, "current": 2, "total_pages": 3, "start_index": 3, "end_index": 4,
    });
    assert_eq!(page["pagination"], expected);
    assert_eq!(listed(&admin, "page_size=2&page=2").await, ["k2", "k1"]);
    assert_eq!(listed(&admin, "page_size=2&page=last").await, ["k0"]);
    assert_eq!(listed(&admin, "page_size=2&page=2&ordering=created").await, ["k2", "k3"]);
    assert_eq!(listed(&admin, "page_size=1&page=2&username=ann").await, ["k0"]);
    for bad in ["page=0", "page=-1", "page=x", "page=6&page_size=1", "page=2&action=login"] {
        admin.get(&format!("{PATH}?{bad}")).await.expect_detail(404, "Invalid page.");
    }
    for odd in ["page_size=x", "page_size=0", "page_size=-1"] {
        assert_eq!(listed(&admin, odd).await.len(), 5, "{odd}");
    }
}

/// A page's `count` is not counted but kept; it is right after every kind of change.
async fn counts_follow_what_happens(server: &Server) {
    let admin = fill(server).await;
    let count = async || {
        let page = admin.get(&format!("{PATH}?page_size=1")).await.expect(200);
        page["pagination"]["count"].as_i64().expect("a number")
    };
    assert_eq!(count().await, 5);
    let event = write(server, json!({"expires": "2020-01-01T00:00:00Z"})).await;
    assert_eq!(count().await, 6);
    admin.patch(&one(&event), &json!({"app": "x"})).await.expect(200);
    assert_eq!(count().await, 7);
    tessera::jobs::sweep::once(&server.app).await.expect("swept");
    assert_eq!(count().await, server.number("SELECT count(*) FROM events").await);
    for _ in 0..2 {
        let all = admin.get(PATH).await.expect(200);
        admin.delete(&one(&all["results"][0])).await.expect_empty(204);
        assert_eq!(count().await, server.number("SELECT count(*) FROM events").await);
    }
}
