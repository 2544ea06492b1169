//! Paths and methods that do not exist, `HEAD`, `OPTIONS`, `Accept`, and requests that are none.

use super::everything;
use crate::harness::{BOOTSTRAP_TOKEN, Server, raw, tests};
use http::Method;
use serde_json::json;
use std::time::Duration;

tests![
    unknown_paths,
    wrong_methods,
    invented_methods,
    head,
    options,
    accept,
    formats,
    broken_requests,
    large_heads,
    early_answers_close_the_connection,
    keep_alive_and_pipelining,
];

async fn unknown_paths(server: &Server) {
    let before = everything(server).await;
    for path in [
        "/nothing/",
        "/core/",
        "/core/tokens",
        "/core/users/me",
        "/core/tokens//",
        "/core/tokens/a/b/c/",
        "/core/groups/x/nothing/",
        "//core/tokens/",
        "/core/%74okens%2F",
        "/Core/Tokens/",
        "/core/tokens/../users/",
    ] {
        for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            for client in [server.admin(), server.anonymous()] {
                let answer = client.request(method.clone(), path).json(&json!({"identifier": "x"})).send().await;
                assert_eq!(answer.status, 404, "{}: {}", answer.request, answer.text());
                assert!(answer.header("location").is_none());
            }
        }
    }
    for path in ["/nothing", "/api", "/api/v3", "/api/v4/core/tokens/", "/api/v3/core/tokens/%2e%2e/", "/.env"] {
        let answer = server.admin().outside(Method::GET, path).send().await;
        assert!(matches!(answer.status, 404 | 302), "{path}: {}", answer.status);
    }
    assert_eq!(everything(server).await, before);
}

async fn wrong_methods(server: &Server) {
    let admin = server.admin();
    let group = server.group("g", json!({})).await;
    let one = "GET, PUT, PATCH, DELETE, HEAD, OPTIONS";
    let cases: Vec<(String, Vec<Method>, &str)> = vec![
        ("/core/tokens/".into(), vec![Method::PUT, Method::PATCH, Method::DELETE], "GET, POST, HEAD, OPTIONS"),
        ("/core/tokens/authentik-bootstrap-token/".into(), vec![Method::POST], one),
        (
            "/core/tokens/authentik-bootstrap-token/view_key/".into(),
            vec![Method::POST, Method::DELETE],
            "GET, HEAD, OPTIONS",
        ),
        ("/core/tokens/authentik-bootstrap-token/set_key/".into(), vec![Method::GET, Method::PUT], "POST, OPTIONS"),
        ("/core/users/".into(), vec![Method::PUT, Method::DELETE], "GET, POST, HEAD, OPTIONS"),
        ("/core/users/me/".into(), vec![Method::POST, Method::PATCH], "GET, HEAD, OPTIONS"),
        (format!("/core/groups/{group}/"), vec![Method::POST], one),
        (format!("/core/groups/{group}/add_user/"), vec![Method::GET, Method::DELETE], "POST, OPTIONS"),
        ("/admin/version/".into(), vec![Method::POST], "GET, HEAD, OPTIONS"),
        ("/root/config/".into(), vec![Method::POST], "GET, HEAD, OPTIONS"),
    ];
    let sorted = |text: &str| {
        let mut names: Vec<String> = text.split(", ").map(str::to_owned).collect();
        names.sort();
        names
    };
    for (path, methods, allow) in cases {
        for method in methods {
            let answer = admin.request(method.clone(), &path).json(&json!({})).send().await;
            answer.expect_detail(405, &format!("Method \"{method}\" not allowed."));
            assert_eq!(sorted(answer.header("allow").unwrap_or_default()), sorted(allow), "{}", answer.request);
            let answer = server.anonymous().request(method, &path).json(&json!({})).send().await;
            if path != "/root/config/" {
                assert_eq!(answer.status, 403, "{}", answer.request);
            }
        }
    }
    admin.get("/core/tokens/authentik-bootstrap-token/").await.expect(200);
}

async fn invented_methods(server: &Server) {
    for method in ["TRACE", "FOO", "PROPFIND", "get"] {
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let answer = server.admin().request(method.clone(), "/core/tokens/").send().await;
        assert_eq!(answer.status, 405, "{}: {}", answer.request, answer.text());
        assert!(answer.header("allow").is_some_and(|a| a.contains("POST")), "{}", answer.request);
        assert_eq!(server.admin().request(method, "/nothing/").send().await.status, 404);
    }
}

async fn head(server: &Server) {
    let admin = server.admin();
    for path in [
        "/core/tokens/",
        "/core/tokens/authentik-bootstrap-token/",
        "/core/users/me/",
        "/core/tokens/none/",
        "/schema/",
    ] {
        let get = admin.get(path).await;
        let answer = admin.request(Method::HEAD, path).send().await;
        assert_eq!(answer.status, get.status, "{path}");
        assert!(answer.body.is_empty(), "{path}");
        for name in ["content-type", "content-length", "allow"] {
            assert_eq!(answer.header(name), get.header(name), "{path} {name}");
        }
    }
    let answer = admin.request(Method::HEAD, "/core/tokens/authentik-bootstrap-token/set_key/").send().await;
    assert_eq!(answer.status, 405);
    assert_eq!(server.anonymous().request(Method::HEAD, "/core/tokens/").send().await.status, 403);
    assert_eq!(admin.request(Method::HEAD, "/nothing/").send().await.status, 404);
}

async fn options(server: &Server) {
    let admin = server.admin();
    for (path, allow, name, description) in [
        ("/core/tokens/", "GET POST", "Token List", "Token viewset"),
        ("/core/tokens/authentik-bootstrap-token/", "GET PUT", "Token Instance", "Token viewset"),
        ("/core/users/", "GET POST", "User List", "User viewset"),
        ("/core/groups/00000000-0000-4000-8000-000000000000/", "GET", "Group Instance", "Group viewset"),
        ("/core/users/me/", "GET", "Me", ""),
        ("/core/tokens/authentik-bootstrap-token/set_key/", "POST", "Set key", ""),
        ("/admin/version/", "GET", "Version", ""),
    ] {
        let answer = admin.request(Method::OPTIONS, path).send().await;
        let body = answer.expect(200);
        let keys: Vec<&String> = body.as_object().expect("an object").keys().collect();
        assert_eq!(keys, ["name", "description", "renders", "parses"]);
        assert_eq!((&body["name"], &body["description"]), (&json!(name), &json!(description)), "{path}");
        let got = answer.header("allow").unwrap_or_default();
        assert!(got.contains("OPTIONS"), "{path}: {got}");
        for method in allow.split(' ') {
            assert!(got.contains(method), "{path}: {got}");
        }
        assert!(answer.header("access-control-allow-origin").is_none());
        let anonymous = server.anonymous().request(Method::OPTIONS, path).send().await;
        anonymous.expect_detail(403, "Authentication credentials were not provided.");
    }
    let preflight =
        server.anonymous().request(Method::OPTIONS, "/core/tokens/").header("origin", "https://evil.example");
    preflight.header("access-control-request-method", "POST").send().await.expect(403);
    assert_eq!(admin.request(Method::OPTIONS, "/nothing/").send().await.status, 404);
}

async fn accept(server: &Server) {
    let get =
        async |value: &str| server.admin().request(Method::GET, "/core/users/me/").header("accept", value).send().await;
    for good in
        ["*/*", "application/json", "application/*", "text/html, application/json;q=0.9", "text/html,*/*;q=0.1", ""]
    {
        get(good).await.expect(200);
    }
    for bad in ["text/html", "application/xml", "text/*", "image/png, text/plain"] {
        get(bad).await.expect_detail(406, "Could not satisfy the request Accept header.");
    }
    let draft = server.admin().request(Method::POST, "/core/tokens/").header("accept", "text/html");
    draft.json(&json!({"identifier": "t"})).send().await.expect(406);
    server.admin().get("/core/tokens/t/").await.expect_missing();
}

async fn formats(server: &Server) {
    let admin = server.admin();
    admin.get("/core/tokens/?format=json").await.expect(200);
    for format in ["xml", "html", "api", "yaml"] {
        admin.get(&format!("/core/tokens/?format={format}")).await.expect(404);
    }
}

async fn broken_requests(server: &Server) {
    let patience = Duration::from_secs(2);
    for request in [
        "nonsense\r\n\r\n",
        "GET /api/v3/core/tokens/ HTTP/9.9\r\n\r\n",
        "GET /api/v3/core/tokens/ HTTP/1.1\r\nbad header\r\n\r\n",
        "GET /api/v3/core/tokens/ HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
        "POST /api/v3/core/tokens/ HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
        "GET /api v3 HTTP/1.1\r\n\r\n",
        "\u{0}\u{1}\u{2}\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ] {
        let answer = raw(server.address(), request.as_bytes(), patience).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{request:?}: {answer}");
    }
    // Two lengths that contradict each other must not smuggle a second request in.
    let smuggled = format!(
        "POST /api/v3/core/tokens/ HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {BOOTSTRAP_TOKEN}\r\n\
         content-type: application/json\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n\
         DELETE /api/v3/core/tokens/authentik-bootstrap-token/ HTTP/1.1\r\nhost: x\r\n\r\n"
    );
    let answer = raw(server.address(), smuggled.as_bytes(), patience).await;
    assert!(!answer.contains("HTTP/1.1 204"), "{answer}");
    server.admin().get("/core/users/me/").await.expect(200);
}

async fn large_heads(server: &Server) {
    let admin = server.admin();
    let long = "x".repeat(200_000);
    let request = format!("GET /api/v3/core/tokens/?search={long} HTTP/1.1\r\nhost: x\r\n\r\n");
    let answer = raw(server.address(), request.as_bytes(), Duration::from_secs(3)).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    let request = format!("GET /api/v3/core/tokens/ HTTP/1.1\r\nhost: x\r\nx-long: {long}\r\n\r\n");
    let answer = raw(server.address(), request.as_bytes(), Duration::from_secs(3)).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    let words = "a,".repeat(10_000);
    let answer = admin.get(&format!("/core/tokens/?search={words}")).await;
    assert!(matches!(answer.status, 200 | 400 | 414), "{}", answer.status);
    let filters = "type=internal&".repeat(2000);
    admin.get(&format!("/core/users/?{filters}")).await.expect(200);
}

/// Whoever is answered before the body has arrived is told that the connection ends.
async fn early_answers_close_the_connection(server: &Server) {
    let ask = async |path: &str, key: &str, length: usize, body: &str| {
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\n\r\n{body}"
        );
        raw(server.address(), request.as_bytes(), Duration::from_secs(1)).await.to_lowercase()
    };
    for (path, key, status) in [
        ("/api/v3/core/tokens/", "wrong", 403),
        ("/api/v3/nothing/", BOOTSTRAP_TOKEN, 404),
        ("/api/v3/core/tokens/none/set_key/", BOOTSTRAP_TOKEN, 404),
        ("/api/v3/core/users/me/", BOOTSTRAP_TOKEN, 405),
        ("/api/v3/core/tokens/", BOOTSTRAP_TOKEN, 413),
    ] {
        let answer = ask(path, key, 2_000_000, "{").await;
        assert!(answer.starts_with(&format!("http/1.1 {status} ")), "{path}: {answer}");
        assert!(answer.contains("connection: close\r\n"), "{path}: {answer}");
    }
    // A short body, or one that has been read, costs no connection.
    let answer = ask("/api/v3/core/tokens/", "wrong", 2, "{}").await;
    assert!(answer.starts_with("http/1.1 403 ") && !answer.contains("connection: close"), "{answer}");
    let long = format!("{{{}}}", " ".repeat(20_000));
    let answer = ask("/api/v3/core/tokens/", BOOTSTRAP_TOKEN, long.len(), &long).await;
    assert!(answer.starts_with("http/1.1 400 ") && !answer.contains("connection: close"), "{answer}");
}

async fn keep_alive_and_pipelining(server: &Server) {
    let one =
        format!("GET /api/v3/core/users/me/ HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {BOOTSTRAP_TOKEN}\r\n\r\n");
    let last = "GET /api/v3/core/users/me/ HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let answer = raw(server.address(), format!("{one}{one}{last}").as_bytes(), Duration::from_secs(5)).await;
    assert_eq!(answer.matches("HTTP/1.1 200").count(), 2, "{answer}");
    // Credentials belong to one request, not to the connection.
    assert_eq!(answer.matches("HTTP/1.1 403").count(), 1, "{answer}");
}
