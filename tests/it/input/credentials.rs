//! No, wrong, odd and ended credentials (contract §1.1, §1.2): always 403, never a challenge.

use crate::harness::{Answer, BOOTSTRAP_PASSWORD, BOOTSTRAP_TOKEN, SECRET_KEY, Server, tests};
use http::Method;
use serde_json::json;

tests![
    none_at_all,
    details_without_credentials,
    counted_as_none,
    other_schemes,
    refused,
    accepted,
    refused_on_public_operations_too,
    not_from_cookies_or_queries,
    changing_calls_are_refused,
    throttled,
];

async fn with_header(server: &Server, path: &str, value: impl AsRef<[u8]>) -> Answer {
    server.anonymous().request(Method::GET, path).header("authorization", value).send().await
}

const NONE: &str = "Authentication credentials were not provided.";
const INVALID: &str = "Token invalid/expired";
const SCHEME: &str = "Unsupported authentication type";

async fn none_at_all(server: &Server) {
    for path in [
        "/core/tokens/",
        "/core/tokens/authentik-bootstrap-token/",
        "/core/tokens/none/",
        "/core/tokens/none/view_key/",
        "/core/users/",
        "/core/users/me/",
        "/core/users/paths/",
        "/core/groups/",
        "/admin/version/",
    ] {
        let answer = server.anonymous().get(path).await;
        answer.expect_detail(403, NONE);
        assert!(answer.header("www-authenticate").is_none());
    }
    server.anonymous().get("/root/config/").await.expect(200);
}

async fn details_without_credentials(server: &Server) {
    let group = server.group("g", json!({})).await;
    for path in ["/core/users/1/", "/core/users/999999/", "/core/users/1/used_by/"] {
        server.anonymous().get(path).await.expect_forbidden();
    }
    for pk in [group.as_str(), "00000000-0000-4000-8000-000000000000"] {
        server.anonymous().get(&format!("/core/groups/{pk}/")).await.expect_forbidden();
        server.anonymous().delete(&format!("/core/groups/{pk}/")).await.expect_forbidden();
    }
}

async fn counted_as_none(server: &Server) {
    for value in ["", "Bearer", "Bearer ", " Bearer", "bearer", BOOTSTRAP_TOKEN, "Basic"] {
        with_header(server, "/core/tokens/", value).await.expect_detail(403, NONE);
        with_header(server, "/root/config/", value).await.expect(200);
    }
}

async fn other_schemes(server: &Server) {
    let basic = "Basic YWthZG1pbjpwYXNzd29yZC1vZi10aGUtdGVzdHM=";
    for value in [
        basic.to_owned(),
        format!("Token {BOOTSTRAP_TOKEN}"),
        "Digest x".into(),
        "Negotiate abc".into(),
        format!("Bearer: {BOOTSTRAP_TOKEN}"),
    ] {
        with_header(server, "/core/tokens/", &value).await.expect_detail(403, SCHEME);
        with_header(server, "/root/config/", &value).await.expect_detail(403, SCHEME);
    }
}

async fn refused(server: &Server) {
    let unknown = format!("Bearer {}", "x".repeat(60));
    for value in [
        unknown,
        "Bearer x".into(),
        format!("Bearer  {BOOTSTRAP_TOKEN}"),
        format!("Bearer {BOOTSTRAP_TOKEN} more"),
        format!("Bearer {BOOTSTRAP_PASSWORD}"),
        format!("Bearer {SECRET_KEY}"),
        format!("Bearer {}", BOOTSTRAP_TOKEN.to_uppercase()),
        format!("Bearer {}", &BOOTSTRAP_TOKEN[1..]),
        format!("Bearer {BOOTSTRAP_TOKEN}\u{a0}"),
        format!("Bearer {}", "y".repeat(8000)),
        "Bearer ' OR 1=1 --".into(),
        "Bearer %00".into(),
    ] {
        with_header(server, "/core/tokens/", &value).await.expect_detail(403, INVALID);
    }
    with_header(server, "/core/tokens/", b"Bearer \xff\xfe").await.expect_detail(403, INVALID);
}

async fn accepted(server: &Server) {
    for value in [
        format!("Bearer {BOOTSTRAP_TOKEN}"),
        format!("bearer {BOOTSTRAP_TOKEN}"),
        format!("BEARER {BOOTSTRAP_TOKEN}"),
        format!("  Bearer {BOOTSTRAP_TOKEN}  "),
    ] {
        with_header(server, "/core/tokens/", &value).await.expect(200);
    }
}

async fn refused_on_public_operations_too(server: &Server) {
    for path in ["/root/config/", "/schema/"] {
        with_header(server, path, "Bearer wrong").await.expect_detail(403, INVALID);
        with_header(server, path, "Basic eDp5").await.expect_detail(403, SCHEME);
    }
}

async fn not_from_cookies_or_queries(server: &Server) {
    let query = format!("/core/tokens/?token={BOOTSTRAP_TOKEN}&access_token={BOOTSTRAP_TOKEN}&key={BOOTSTRAP_TOKEN}");
    server.anonymous().get(&query).await.expect_detail(403, NONE);
    let cookie = format!("authentik_session={BOOTSTRAP_TOKEN}; Authorization=Bearer {BOOTSTRAP_TOKEN}");
    let draft = server.anonymous().request(Method::GET, "/core/tokens/").header("cookie", cookie);
    draft.send().await.expect_detail(403, NONE);
    let draft = server.anonymous().request(Method::GET, "/core/tokens/").header("x-forwarded-user", "akadmin");
    draft.send().await.expect_detail(403, NONE);
}

async fn changing_calls_are_refused(server: &Server) {
    let admin = server.admin();
    let mark = server.mark().await;
    let before = admin.get("/core/tokens/").await.expect(200);
    for client in [server.anonymous(), server.with_key("wrong")] {
        client.post("/core/tokens/", &json!({"identifier": "t"})).await.expect(403);
        client.post("/core/tokens/", &json!({})).await.expect(403);
        client.patch("/core/tokens/authentik-bootstrap-token/", &json!({"description": "x"})).await.expect(403);
        client.delete("/core/tokens/authentik-bootstrap-token/").await.expect(403);
        client.post("/core/tokens/authentik-bootstrap-token/set_key/", &json!({"key": "x"})).await.expect(403);
        client.post("/core/users/", &json!({"username": "x", "name": ""})).await.expect(403);
        client.post("/core/users/1/set_password/", &json!({"password": "x"})).await.expect(403);
        client.post("/core/users/service_account/", &json!({"name": "x"})).await.expect(403);
        client.post("/core/groups/", &json!({"name": "x"})).await.expect(403);
    }
    admin.get("/core/tokens/").await.expect_body(200, &before);
    assert_eq!(server.gists_since(&mark).await, Vec::<String>::new());
}

async fn throttled(server: &Server) {
    let slow = server.another(|config| config.anonymous_rate = 3).await;
    let mut refused = None;
    for _ in 0..20 {
        let answer = slow.anonymous().get("/root/config/").await;
        if answer.status == 429 {
            refused = Some(answer);
        }
    }
    let refused = refused.expect("twenty calls at once are too many");
    refused.expect_detail(429, "Request was throttled. Expected available in 1 second.");
    assert_eq!(refused.header("retry-after"), Some("1"));
    // Who shows credentials is not throttled by others.
    for _ in 0..20 {
        slow.admin().get("/core/users/me/").await.expect(200);
    }
    slow.end().await;
}
