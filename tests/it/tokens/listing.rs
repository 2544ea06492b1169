//! Filters, search, ordering and pages; what holds for one listing holds for all.

use crate::harness::{Client, Server, tests};
use sea_orm::{ConnectionTrait as _, DatabaseBackend, Statement};
use serde_json::{Value, json};

tests![
    filters,
    bad_filters,
    search,
    ordering,
    pages,
    far_pages,
    bad_pages,
    page_sizes,
    an_empty_page,
    foreign_parameters
];

/// Four tokens beside the one of the bootstrap and ann's login.
async fn fill(server: &Server) -> Client {
    let admin = server.admin();
    let ann = server.person("ann").await;
    for body in [
        json!({"identifier": "alpha", "description": "Nightly Backup", "managed": "m/1"}),
        json!({"identifier": "beta", "intent": "app_password", "expires": "2026-01-02T03:10:00Z", "user": ann.pk}),
        json!({"identifier": "gamma", "expiring": false, "description": "nightly report, 100%"}),
        json!({"identifier": "delta", "description": "a_b", "user": ann.pk}),
    ] {
        admin.post("/core/tokens/", &body).await.expect(201);
    }
    admin
}

async fn listed(client: &Client, query: &str) -> Vec<String> {
    client.get(&format!("/core/tokens/?{query}")).await.expect_list("identifier")
}

async fn filters(server: &Server) {
    let admin = fill(server).await;
    let all = ["alpha", "ann-login", "authentik-bootstrap-token", "beta", "delta", "gamma"];
    let cases: &[(&str, &[&str])] = &[
        ("", &all),
        ("identifier=beta", &["beta"]),
        ("identifier=BETA", &[]),
        ("identifier=", &all),
        ("intent=app_password", &["beta"]),
        ("intent=recovery", &[]),
        ("intent=", &all),
        ("user__username=ann", &["ann-login", "beta", "delta"]),
        ("user__username=Ann", &[]),
        ("description=Nightly%20Backup", &["alpha"]),
        ("description=Nightly+Backup", &["alpha"]),
        ("description=Nightly", &[]),
        ("managed=m/1", &["alpha"]),
        ("managed=m%2F1", &["alpha"]),
        ("expires=2026-01-02T03:10:00Z", &["beta"]),
        ("expires=2026-01-02T04:10:00%2B01:00", &["beta"]),
        ("expires=2026-01-02T03:10:01Z", &[]),
        ("expiring=false", &["ann-login", "authentik-bootstrap-token", "gamma"]),
        ("expiring=FALSE", &["ann-login", "authentik-bootstrap-token", "gamma"]),
        ("expiring=0", &["ann-login", "authentik-bootstrap-token", "gamma"]),
        ("expiring=true", &["alpha", "beta", "delta"]),
        ("expiring=1", &["alpha", "beta", "delta"]),
        ("expiring=perhaps", &all),
        ("expiring=true&user__username=ann", &["beta", "delta"]),
        ("identifier=alpha&identifier=beta", &["beta"]),
    ];
    for (query, expected) in cases {
        assert_eq!(listed(&admin, query).await, *expected, "{query}");
    }
}

async fn bad_filters(server: &Server) {
    let admin = server.admin();
    let choice = |value: &str| format!("Select a valid choice. {value} is not one of the available choices.");
    for (query, faults) in [
        ("intent=foo", json!({"intent": [choice("foo")]})),
        ("intent=API", json!({"intent": [choice("API")]})),
        ("expires=tomorrow", json!({"expires": ["Enter a valid date/time."]})),
        ("intent=foo&expires=x", json!({"intent": [choice("foo")], "expires": ["Enter a valid date/time."]})),
    ] {
        admin.get(&format!("/core/tokens/?{query}")).await.expect_faults(faults);
    }
}

async fn search(server: &Server) {
    let admin = fill(server).await;
    let cases: &[(&str, &[&str])] = &[
        ("nightly", &["alpha", "gamma"]),
        ("NIGHTLY", &["alpha", "gamma"]),
        ("nightly%20backup", &["alpha"]),
        ("backup,nightly", &["alpha"]),
        ("alpha,,%20", &["alpha"]),
        ("app_", &["beta"]),
        ("ann", &["ann-login", "beta", "delta"]),
        ("ann%20delta", &["delta"]),
        ("100%25", &["gamma"]),
        ("%25", &["gamma"]),
        ("a_b", &["delta"]),
        ("gamma%20alpha", &[]),
        ("m/1", &[]),
        ("'", &[]),
        ("%5C", &[]),
    ];
    for (words, expected) in cases {
        assert_eq!(listed(&admin, &format!("search={words}")).await, *expected, "{words}");
    }
}

async fn ordering(server: &Server) {
    let admin = fill(server).await;
    let usual = ["alpha", "ann-login", "authentik-bootstrap-token", "beta", "delta", "gamma"];
    let reverse: Vec<&str> = usual.iter().rev().copied().collect();
    assert_eq!(listed(&admin, "ordering=identifier").await, usual);
    assert_eq!(listed(&admin, "ordering=-identifier").await, reverse);
    for unknown in ["nonsense", "key", "user_obj", "-key_digest", "", "user__username", "identifier;drop"] {
        assert_eq!(listed(&admin, &format!("ordering={unknown}")).await, usual, "{unknown}");
    }
    assert_eq!(listed(&admin, "ordering=nonsense,-identifier").await, reverse);
    let by_intent = listed(&admin, "ordering=-intent,-identifier").await;
    assert_eq!(by_intent, ["beta", "gamma", "delta", "authentik-bootstrap-token", "ann-login", "alpha"]);
    assert_eq!(listed(&admin, "ordering=description,identifier").await.last().map(String::as_str), Some("gamma"));
    // What has no value comes last, and first the other way round.
    assert_eq!(listed(&admin, "ordering=managed").await[0], "alpha");
    assert_eq!(listed(&admin, "ordering=-managed").await[5], "alpha");
    assert_eq!(listed(&admin, "ordering=expires").await[0], "beta");
    let owners = admin.get("/core/tokens/?ordering=-user,identifier").await.expect_list("identifier");
    assert_eq!(owners[..3], ["ann-login", "beta", "delta"]);
    for name in ["pk", "expiring", "-expiring", "-pk"] {
        assert_eq!(listed(&admin, &format!("ordering={name}")).await.len(), 6);
    }
}

fn envelope(next: u64, previous: u64, count: u64, current: u64, total: u64, start: u64, end: u64) -> Value {
    json!({
        "next": next, "previous": previous, "count": count, "current": current, "total_pages": total, "start_index": start,
        "end_index": end,
    })
}

async fn pages(server: &Server) {
    let admin = fill(server).await;
    let cases = [
        ("", envelope(0, 0, 6, 1, 1, 1, 6), 6),
        ("page=1", envelope(0, 0, 6, 1, 1, 1, 6), 6),
        ("page_size=4", envelope(2, 0, 6, 1, 2, 1, 4), 4),
        ("page_size=4&page=2", envelope(0, 1, 6, 2, 2, 5, 6), 2),
        ("page_size=4&page=last", envelope(0, 1, 6, 2, 2, 5, 6), 2),
        ("page_size=2&page=2", envelope(3, 1, 6, 2, 3, 3, 4), 2),
        ("page_size=6&page=last", envelope(0, 0, 6, 1, 1, 1, 6), 6),
        ("page_size=1&page=6", envelope(0, 5, 6, 6, 6, 6, 6), 1),
        ("page_size=2&page=2&user__username=ann", envelope(0, 1, 3, 2, 2, 3, 3), 1),
    ];
    for (query, pagination, count) in cases {
        let body = admin.get(&format!("/core/tokens/?{query}")).await.expect(200);
        assert_eq!(body["pagination"], pagination, "{query}");
        assert_eq!(body["results"].as_array().map(Vec::len), Some(count), "{query}");
    }
    let mut walked = Vec::new();
    for page in 1..=3 {
        walked.extend(listed(&admin, &format!("page_size=2&page={page}")).await);
    }
    assert_eq!(walked, listed(&admin, "").await);
}

/// Pages of many tokens, wherever they are and whatever happened to the tokens before them.
async fn far_pages(server: &Server) {
    let (admin, db) = (server.admin(), server.app.db.write());
    let id = match server.app.db.backend() {
        DatabaseBackend::Postgres => "gen_random_uuid()",
        _ => "randomblob(16)",
    };
    let digit = "(VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9))";
    // In no order, as they come; and the last ones by one statement that takes and one that renames.
    let fill = format!(
        "WITH d (n) AS {digit}, seq (n) AS (SELECT a.n + 10 * b.n + 100 * c.n + 1000 * e.n + 10000 * f.n \
         FROM d a, d b, d c, d e, d f WHERE f.n < 3) \
         INSERT INTO tokens (id, identifier, intent, user_id, description, expiring, key_digest, key_sealed, search) \
         SELECT {id}, CAST(100000 + n * 7919 % 30000 AS text), 'api', user_id, '', expiring, CAST(n AS text), \
         key_sealed, '' FROM seq, tokens WHERE identifier = 'authentik-bootstrap-token' ORDER BY seq.n"
    );
    for statement in [
        &*fill,
        "DELETE FROM tokens WHERE identifier > '110000' AND identifier < '112000' OR identifier LIKE '1____7'",
        "UPDATE tokens SET identifier = '9' || identifier WHERE identifier LIKE '12___1'",
        "UPDATE tokens SET identifier = '0' || identifier WHERE identifier LIKE '12___2'",
    ] {
        db.execute_unprepared(statement).await.expect("runs");
    }
    admin.delete("/core/tokens/105000/").await.expect_empty(204);
    admin.patch("/core/tokens/105001/", &json!({"identifier": "115000-again"})).await.expect(200);
    admin.post("/core/tokens/", &json!({"identifier": "112000-new"})).await.expect(201);
    let all = Statement::from_string(db.get_database_backend(), "SELECT identifier FROM tokens ORDER BY identifier");
    let all: Vec<String> = db
        .query_all_raw(all)
        .await
        .expect("answers")
        .iter()
        .map(|row| row.try_get_by_index(0).expect("text"))
        .collect();
    for (number, expected) in all.chunks(7).enumerate().step_by(61) {
        let query = format!("page_size=7&page={}", number + 1);
        assert_eq!(listed(&admin, &query).await, expected, "{query}");
    }
    let last = all.chunks(7).next_back().expect("pages");
    assert_eq!(listed(&admin, "page_size=7&page=last").await, last);
    let backwards = listed(&admin, "page_size=7&page=2000&ordering=-identifier").await;
    assert_eq!(backwards[0], all[all.len() - 1 - 1999 * 7]);
    admin.get("/core/tokens/?page_size=7&page=100000").await.expect_detail(404, "Invalid page.");
}

async fn bad_pages(server: &Server) {
    let admin = server.admin();
    for page in ["0", "-1", "abc", "2", "1.5", "99999999999999999999999999", "LAST", "first"] {
        admin.get(&format!("/core/tokens/?page={page}")).await.expect_detail(404, "Invalid page.");
    }
}

async fn page_sizes(server: &Server) {
    let admin = server.admin();
    let ann = server.person("ann").await;
    for index in 0..105 {
        let body = json!({"identifier": format!("t{index:03}"), "user": ann.pk});
        admin.post("/core/tokens/", &body).await.expect(201);
    }
    let count = async |query: &str| listed(&ann.client, query).await.len();
    assert_eq!(count("").await, 100);
    for fallback in ["0", "-5", "abc", "1.5", ""] {
        assert_eq!(count(&format!("page_size={fallback}")).await, 100, "{fallback}");
    }
    assert_eq!(count("page_size=1000").await, 106);
    assert_eq!(count("page_size=9223372036854775807").await, 106);
    assert_eq!(count("page=2").await, 6);
}

async fn an_empty_page(server: &Server) {
    let admin = server.admin();
    let empty = json!({"pagination": envelope(0, 0, 0, 1, 1, 0, 0), "results": []});
    admin.get("/core/tokens/?identifier=none").await.expect_body(200, &empty);
    admin.get("/core/tokens/?identifier=none&page=last").await.expect_body(200, &empty);
    admin.get("/core/tokens/?identifier=none&page=2").await.expect_detail(404, "Invalid page.");
}

async fn foreign_parameters(server: &Server) {
    let admin = server.admin();
    for query in [
        "nonsense=1",
        "identifier__contains=x",
        "=",
        "&&&",
        "a=b=c",
        "%00=1",
        "user__password=x",
        "page_size=2&nonsense",
    ] {
        assert_eq!(listed(&admin, query).await, ["authentik-bootstrap-token"], "{query}");
    }
}
