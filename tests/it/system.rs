//! What is about the server itself: configuration, version, document, health, API browser.

use crate::harness::{Server, tests};
use http::Method;
use serde_json::{Value, json};

tests![
    root_config,
    version,
    schema,
    schema_formats,
    health,
    management,
    browser,
    headers_of_every_answer,
    what_the_server_is,
    headers_without_credentials,
    who_may_ask_what_it_is,
];

async fn root_config(server: &Server) {
    let body = server.anonymous().get("/root/config/").await.expect(200);
    assert_eq!(
        body["error_reporting"],
        json!({
            "enabled": false, "sentry_dsn": "", "environment": "customer", "send_pii": false, "traces_sample_rate": 0.0,
        })
    );
    let numbers = ["cache_timeout", "cache_timeout_flows", "cache_timeout_policies", "cache_timeout_reputation"];
    assert_eq!(numbers.map(|name| body[name].as_i64()), [Some(300), Some(300), Some(300), Some(0)]);
    let capabilities: Vec<&str> =
        body["capabilities"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    assert!(capabilities.contains(&"is_enterprise") && !capabilities.contains(&"can_debug"), "{capabilities:?}");
    server.admin().get("/root/config/").await.expect_body(200, &body);
    server.with_key("wrong").get("/root/config/").await.expect_detail(403, "Token invalid/expired");
}

async fn version(server: &Server) {
    let expected = json!({
        "version_current": "2024.8.2", "version_latest": "0.0.0", "version_latest_valid": false, "build_hash": "",
        "outdated": false, "outpost_outdated": false,
    });
    let ann = server.person("ann").await;
    ann.client.get("/admin/version/").await.expect_body(200, &expected);
    server.admin().get("/admin/version/?x=1").await.expect_body(200, &expected);
    server.anonymous().get("/admin/version/").await.expect_detail(403, "Authentication credentials were not provided.");
}

async fn schema(server: &Server) {
    let yaml = server.anonymous().get("/schema/").await;
    yaml.expect_status(200);
    assert!(yaml.header("content-type").is_some_and(|t| t.starts_with("application/vnd.oai.openapi")));
    assert_eq!(yaml.text(), tessera_api::openapi::V3_YAML);
    let document = server.anonymous().get("/schema/?format=json").await.expect(200);
    assert_eq!(document, serde_json::from_str::<Value>(tessera_api::openapi::V3_JSON).expect("JSON"));
    server.with_key("wrong").get("/schema/").await.expect_detail(403, "Token invalid/expired");
}

async fn schema_formats(server: &Server) {
    let get = async |query: &str, accept: Option<&str>| {
        let draft = server.anonymous().request(Method::GET, &format!("/schema/{query}"));
        match accept {
            Some(accept) => draft.header("accept", accept).send().await,
            None => draft.send().await,
        }
    };
    let kind = |answer: &crate::harness::Answer| {
        answer.expect_status(200);
        let media = answer.header("content-type").unwrap_or_default();
        if media.starts_with("application/json") { "json" } else { "yaml" }
    };
    assert_eq!(kind(&get("?format=yaml", None).await), "yaml");
    assert_eq!(kind(&get("", Some("*/*")).await), "yaml");
    assert_eq!(kind(&get("", Some("application/json")).await), "json");
    assert_eq!(kind(&get("", Some("application/vnd.oai.openapi")).await), "yaml");
    // As a list with weights; where both weigh the same, it is YAML.
    assert_eq!(kind(&get("", Some("text/html, application/json;q=0.9, */*;q=0.1")).await), "json");
    assert_eq!(kind(&get("", Some("application/json;q=0.5, application/vnd.oai.openapi")).await), "yaml");
    assert_eq!(kind(&get("", Some("application/json, application/*")).await), "yaml");
    assert_eq!(kind(&get("", Some("*/*, application/json;q=0")).await), "yaml");
    assert_eq!(kind(&get("?format=yaml", Some("application/json")).await), "yaml");
    assert_eq!(kind(&get("?lang=de", None).await), "yaml");
    get("?format=xml", None).await.expect(404);
    get("", Some("text/html")).await.expect(406);
    get("", Some("application/json;q=0, application/vnd.oai.openapi;q=0")).await.expect(406);
}

async fn health(server: &Server) {
    for path in ["/-/health/live/", "/-/health/ready/"] {
        let answer = server.anonymous().outside(Method::GET, path).send().await;
        answer.expect_empty(200);
        server.with_key("wrong").outside(Method::GET, path).send().await.expect_empty(200);
        server.anonymous().outside(Method::HEAD, path).send().await.expect_empty(200);
    }
}

async fn management(server: &Server) {
    let health = server.management().outside(Method::GET, "/health").send().await.expect(200);
    assert_eq!(health["status"], "ok");
    let document = server.management().outside(Method::GET, "/openapi.json").send().await.expect(200);
    assert!(document["paths"]["/health"].is_object());
    for path in ["/", "/api/v3/core/tokens/", "/nothing"] {
        assert_eq!(server.management().outside(Method::GET, path).send().await.status, 404, "{path}");
    }
    assert_eq!(server.management().outside(Method::POST, "/health").send().await.status, 405);
}

/// Addresses in a text, but for names of XML vocabularies, which nobody fetches.
fn addresses(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for start in ["https://", "http://", "\"//", "'//"] {
        for (at, _) in text.match_indices(start) {
            let rest: String = text[at..].chars().take(80).collect();
            if !rest.contains("www.w3.org/") {
                found.push(rest);
            }
        }
    }
    found
}

async fn browser(server: &Server) {
    let page = server.anonymous().outside(Method::GET, "/api/v3/").send().await;
    page.expect_status(200);
    assert!(page.header("content-type").is_some_and(|t| t.starts_with("text/html")));
    let policy = page.header("content-security-policy").unwrap_or_default();
    assert!(policy.contains("default-src 'none'") && !policy.contains("http"), "{policy}");
    let html = page.text();
    assert_eq!(addresses(&html), Vec::<String>::new());
    let mut files = 0;
    for part in html.split(['"', '\'']).filter(|p| p.ends_with(".js") || p.ends_with(".css") || p.ends_with(".png")) {
        let name = part.trim_start_matches("./");
        let file = server.anonymous().outside(Method::GET, &format!("/api/v3/{name}")).send().await;
        file.expect_status(200);
        assert!(!file.body.is_empty(), "{name}");
        files += 1;
    }
    assert!(files >= 3, "{html}");
    let start = server.anonymous().outside(Method::GET, "/api/v3/swagger-initializer.js").send().await;
    start.expect_status(200);
    assert!(start.text().contains("/api/v3/schema/"), "{}", start.text());
    assert_eq!(addresses(&start.text()), Vec::<String>::new());
}

async fn headers_of_every_answer(server: &Server) {
    let admin = server.admin();
    let mut ids = std::collections::BTreeSet::new();
    for answer in [
        admin.get("/core/tokens/").await,
        admin.get("/core/tokens/none/").await,
        server.anonymous().get("/core/tokens/").await,
        admin.post("/core/tokens/", &json!({})).await,
        admin.delete("/core/tokens/").await,
    ] {
        let id = answer.header("x-authentik-id").unwrap_or_default().to_owned();
        assert!(id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()), "{}: `{id}`", answer.request);
        assert!(ids.insert(id), "ids differ");
        assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"), "{}", answer.request);
        assert!(answer.header("allow").is_some(), "{}", answer.request);
        assert!(answer.header("www-authenticate").is_none());
        assert!(answer.header("access-control-allow-origin").is_none());
        assert!(answer.header("server").is_none());
        assert!(answer.header("set-cookie").is_none());
    }
    let list = admin.get("/core/tokens/").await;
    assert!(!list.text().contains("\": ") && !list.text().contains('\n'), "compact JSON");
}

async fn what_the_server_is(server: &Server) {
    let admin = server.admin();
    for method in [Method::GET, Method::POST] {
        let draft = admin.request(method, "/admin/system/").header("user-agent", "the tests/1");
        let body = draft.send().await.expect(200);
        assert_eq!(body["http_headers"]["HTTP_USER_AGENT"], "the tests/1");
        assert_eq!(body["http_host"], server.address().to_string());
        assert_eq!((&body["http_is_secure"], &body["brand"]), (&json!(false), &json!("Brand fallback")));
        assert_eq!(body["server_time"], "2026-01-02T03:04:05.678901Z");
        assert_eq!((&body["embedded_outpost_disabled"], &body["embedded_outpost_host"]), (&json!(true), &json!("")));
        let runtime = &body["runtime"];
        assert_eq!(runtime["authentik_version"], "2024.8.2");
        for name in ["python_version", "environment", "architecture", "platform", "uname", "openssl_version"] {
            assert!(runtime[name].as_str().is_some_and(|text| !text.is_empty()), "{name}: {runtime}");
        }
    }
}

/// A server that shows its callers' headers shows no credential, theirs or a proxy's.
async fn headers_without_credentials(server: &Server) {
    let mut draft = server.admin().request(Method::GET, "/admin/system/").header("x-plain", "shown");
    for name in [
        "cookie",
        "proxy-authorization",
        "x-auth-token",
        "x-forwarded-access-token",
        "x-api-key",
        "x-client-secret",
        "x-forwarded-password",
        "x-amz-signature",
        "x-original-authorization",
    ] {
        draft = draft.header(name, "hunter2");
    }
    let answer = draft.send().await;
    assert_eq!(answer.expect(200)["http_headers"]["HTTP_X_PLAIN"], "shown");
    let text = answer.text();
    assert!(!text.contains("hunter2"), "{text}");
    assert!(!text.contains(crate::harness::BOOTSTRAP_TOKEN) && !text.contains("Bearer"), "{text}");
}

async fn who_may_ask_what_it_is(server: &Server) {
    let ann = server.person("ann").await;
    for method in [Method::GET, Method::POST] {
        let draft = |client: &crate::harness::Client| client.request(method.clone(), "/admin/system/").send();
        draft(&ann.client).await.expect_forbidden();
        draft(&server.anonymous()).await.expect_detail(403, "Authentication credentials were not provided.");
    }
    server.grant(ann.holder(), "authentik_rbac.view_system_info", None).await;
    ann.client.get("/admin/system/").await.expect(200);
}
