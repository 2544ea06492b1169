//! Bodies that are no JSON, no object, too large, too slow, or of another type.

use super::everything;
use crate::harness::{BOOTSTRAP_TOKEN, Server, raw, tests};
use http::Method;
use serde_json::{Value, json};
use std::time::Duration;

tests![
    malformed_json,
    not_an_object,
    empty_bodies,
    duplicate_keys,
    deep_nesting,
    media_types,
    declared_too_large,
    chunked_too_large,
    at_the_limit,
    never_ending,
    cut_off,
    nul_bytes_everywhere,
    what_a_database_cannot_hold,
    odd_text_is_kept,
    faults_write_nothing,
];

async fn malformed_json(server: &Server) {
    let before = everything(server).await;
    let cases: &[(&[u8], Option<&str>)] = &[
        (b"{\"a\": 1,}", Some("trailing comma is not allowed")),
        (b"{\"name\":", Some("unexpected end of data")),
        (b"{", Some("unexpected end of data")),
        (b"{\"identifier\": NaN}", Some("unexpected character")),
        (b"\xef\xbb\xbf{}", Some("unexpected character")),
        (b"nonsense", Some("unexpected character")),
        (b"{'a': 1}", None),
        (b"{\"a\" 1}", None),
        (b"{\"a\": 01}", None),
        (b"{\"a\": +1}", None),
        (b"{\"a\": \"\x01\"}", None),
        (b"{\"a\": \"\\x\"}", None),
        (b"{\"a\": \"\\ud800\"}", None),
        (b"{} {}", None),
        (b"{}x", None),
        (b"{\"identifier\": \"\xff\xfe\"}", None),
        (b"\xff", None),
        (b"{\"a\": Infinity}", None),
        (b"// x\n{}", None),
        (b"[1,", None),
        (b"\"abc", None),
        (b" ", None),
    ];
    for (body, text) in cases {
        for path in ["/core/tokens/", "/core/groups/", "/core/users/service_account/"] {
            let draft = server.admin().request(Method::POST, path).header("content-type", "application/json");
            let answer = draft.body(*body).send().await;
            let detail = answer.expect(400)["detail"].as_str().unwrap_or_default().to_owned();
            assert!(detail.starts_with("JSON parse error - "), "{}: {detail}", answer.request);
            if let Some(text) = text {
                assert!(
                    detail.starts_with(&format!("JSON parse error - {text}: line 1 column ")),
                    "{}: {detail}",
                    answer.request
                );
            }
        }
    }
    let cut = server.admin().request(Method::POST, "/core/tokens/").header("content-type", "application/json");
    let answer = cut.body(&b"{\"a\":\"bc\""[..]).send().await;
    answer.expect_detail(400, "JSON parse error - unexpected end of data: line 1 column 10 (char 9)");
    assert_eq!(everything(server).await, before);
}

async fn not_an_object(server: &Server) {
    let admin = server.admin();
    let group = server.group("g", json!({})).await;
    let cases = [
        (json!([]), "list"),
        (json!([{"name": "x"}]), "list"),
        (json!("x"), "str"),
        (json!(5), "int"),
        (json!(true), "bool"),
    ];
    let paths = ["/core/tokens/", "/core/users/", "/core/groups/"];
    for (body, kind) in cases {
        let text = json!({"non_field_errors": [format!("Invalid data. Expected a dictionary, but got {kind}.")]});
        for path in paths {
            admin.post(path, &body).await.expect_faults(text.clone());
        }
        admin.put(&format!("/core/groups/{group}/"), &body).await.expect_faults(text.clone());
        admin.patch(&format!("/core/groups/{group}/"), &body).await.expect_faults(text.clone());
    }
    for path in paths {
        admin.post(path, &Value::Null).await.expect_faults(json!({"non_field_errors": ["No data provided"]}));
    }
}

async fn empty_bodies(server: &Server) {
    let admin = server.admin();
    let required = json!({"identifier": ["This field is required."]});
    admin.request(Method::POST, "/core/tokens/").send().await.expect_faults(required.clone());
    let typed = admin.request(Method::POST, "/core/tokens/").header("content-type", "application/json");
    typed.send().await.expect_faults(required);
    admin.post("/core/tokens/", &json!({"identifier": "t"})).await.expect(201);
    admin.request(Method::PATCH, "/core/tokens/t/").send().await.expect(200);
    // A body where none belongs is nobody's business.
    admin.request(Method::GET, "/core/tokens/t/").json(&json!({"a": 1})).send().await.expect(200);
    admin.request(Method::DELETE, "/core/tokens/t/").json(&json!({"a": 1})).send().await.expect_empty(204);
}

async fn duplicate_keys(server: &Server) {
    let draft = server.admin().request(Method::POST, "/core/tokens/").header("content-type", "application/json");
    let body = r#"{"identifier":"first","identifier":"last"}"#;
    assert_eq!(draft.body(body).send().await.expect(201)["identifier"], "last");
}

async fn deep_nesting(server: &Server) {
    // A value of so many levels, inside of `attributes`, which is one.
    let create = |depth: usize| {
        let body =
            format!("{{\"name\":\"n{depth}\",\"attributes\":{{\"a\":{}{}}}}}", "[".repeat(depth), "]".repeat(depth));
        let draft = server.admin().request(Method::POST, "/core/groups/").header("content-type", "application/json");
        draft.body(body).send()
    };
    create(63).await.expect(201);
    let told = json!({"attributes": ["Values may be nested 64 levels deep."]});
    assert_eq!(create(64).await.expect(400), told);
    for depth in [1000, 100_000] {
        let column = format!("{{\"name\":\"n{depth}\",\"attributes\":{{\"a\":").len() + 126;
        let place = format!("line 1 column {column} (char {})", column - 1);
        create(depth).await.expect_detail(400, &format!("JSON parse error - recursion limit exceeded: {place}"));
    }
    // What was taken comes back in everything that holds it: members, their tokens, the event.
    let group = &server.admin().get("/core/groups/?name=n63").await.expect(200)["results"][0]["pk"];
    server.admin().post(&format!("/core/groups/{}/add_user/", group.as_str().expect("text")), &json!({"pk": 1})).await;
    for path in ["/core/groups/", "/core/users/", "/core/tokens/", "/core/users/me/", "/events/events/"] {
        server.admin().get(path).await.expect(200);
    }
}

async fn media_types(server: &Server) {
    let admin = server.admin();
    let before = everything(server).await;
    let post = |media: Option<&str>, body: &'static str| {
        let draft = admin.request(Method::POST, "/core/tokens/").body(body);
        match media {
            Some(media) => draft.header("content-type", media),
            None => draft,
        }
    };
    let body = r#"{"identifier":"t"}"#;
    for media in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/xml",
        "application/jsonx",
        "json",
        "text/plain; charset=utf-8",
    ] {
        let text = format!("Unsupported media type \"{media}\" in request.");
        post(Some(media), body).send().await.expect_detail(415, &text);
        post(Some(media), "\"\"").send().await.expect_detail(415, &text);
    }
    let boundary = "multipart/form-data; boundary=x";
    post(Some(boundary), "--x--").send().await.expect(415);
    post(None, body).send().await.expect_detail(415, "Unsupported media type \"\" in request.");
    assert_eq!(everything(server).await, before);
    for (index, media) in
        ["application/json", "application/json; charset=utf-8", "Application/JSON", "application/json;charset=UTF-8"]
            .into_iter()
            .enumerate()
    {
        let body = json!({"identifier": format!("t{index}")}).to_string();
        let draft = admin.request(Method::POST, "/core/tokens/").header("content-type", media).body(body);
        draft.send().await.expect(201);
    }
}

fn head(method: &str, path: &str, key: &str, more: &str) -> String {
    format!(
        "{method} /api/v3{path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\n{more}\r\n"
    )
}

async fn declared_too_large(server: &Server) {
    let before = everything(server).await;
    let body = format!("{{\"identifier\":\"t\",\"description\":\"{}\"}}", "x".repeat(1 << 20));
    let draft = server.admin().request(Method::POST, "/core/tokens/").header("content-type", "application/json");
    let answer = draft.body(body).send().await;
    assert!(answer.expect(413)["detail"].is_string());
    // Announced, and not even sent.
    let request = head("POST", "/core/tokens/", BOOTSTRAP_TOKEN, "content-length: 99999999999\r\n");
    let answer = raw(server.address(), request.as_bytes(), Duration::from_secs(3)).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    assert_eq!(everything(server).await, before);
}

async fn chunked_too_large(server: &Server) {
    let before = everything(server).await;
    let mut request = head("POST", "/core/tokens/", BOOTSTRAP_TOKEN, "transfer-encoding: chunked\r\n").into_bytes();
    request.extend_from_slice(b"21\r\n{\"identifier\":\"t\",\"description\":\"\r\n");
    let piece = "x".repeat(0x10000);
    for _ in 0..17 {
        request.extend_from_slice(format!("10000\r\n{piece}\r\n").as_bytes());
    }
    request.extend_from_slice(b"2\r\n\"}\r\n0\r\n\r\n");
    let answer = raw(server.address(), &request, Duration::from_secs(3)).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    assert_eq!(everything(server).await, before);
}

async fn at_the_limit(server: &Server) {
    let small = server.another(|config| config.max_body_bytes = 100).await;
    let body = |length: usize| {
        let frame = r#"{"identifier":"t","description":""}"#.len();
        format!(r#"{{"identifier":"t","description":"{}"}}"#, "x".repeat(length - frame))
    };
    let post = |length: usize| {
        let draft = small.admin().request(Method::POST, "/core/tokens/").header("content-type", "application/json");
        draft.body(body(length)).send()
    };
    post(101).await.expect(413);
    post(100).await.expect(201);
    let mut request =
        head("PATCH", "/core/tokens/t/", BOOTSTRAP_TOKEN, "transfer-encoding: chunked\r\nconnection: close\r\n");
    request.push_str("15\r\n{\"description\":\"chunk\r\n3\r\ned\"\r\n1\r\n}\r\n0\r\n\r\n");
    let answer = raw(small.address(), request.as_bytes(), Duration::from_secs(3)).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("\"description\":\"chunked\""), "{answer}");
    small.end().await;
}

async fn never_ending(server: &Server) {
    let hasty = server.another(|config| config.request_timeout = 1).await;
    let before = everything(&hasty).await;
    for more in ["content-length: 500\r\n", "transfer-encoding: chunked\r\n"] {
        let mut request = head("POST", "/core/tokens/", BOOTSTRAP_TOKEN, more);
        if more.starts_with("content") {
            request.push_str("{\"identifier\":");
        } else {
            request.push_str("5\r\n{\"ide\r\n");
        }
        let answer = raw(hasty.address(), request.as_bytes(), Duration::from_secs(10)).await;
        assert!(answer.starts_with("HTTP/1.1 408"), "`{answer}`");
    }
    // A head that never ends, and no request at all: the connection is closed.
    let started = std::time::Instant::now();
    for start in ["POST /api/v3/core/tokens/ HTTP/1.1\r\nhost: x\r\nx-a: ", ""] {
        let answer = raw(hasty.address(), start.as_bytes(), Duration::from_secs(15)).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408"), "{answer}");
    }
    assert!(started.elapsed() < Duration::from_secs(15), "idle connections are closed");
    assert_eq!(everything(&hasty).await, before);
    hasty.end().await;
}

async fn cut_off(server: &Server) {
    let before = everything(server).await;
    let mut request = head("POST", "/core/tokens/", BOOTSTRAP_TOKEN, "content-length: 100\r\n");
    request.push_str(r#"{"identifier":"t"}"#);
    {
        use tokio::io::AsyncWriteExt as _;
        let mut stream = tokio::net::TcpStream::connect(server.address()).await.expect("connects");
        stream.write_all(request.as_bytes()).await.expect("written");
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(everything(server).await, before);
}

async fn nul_bytes_everywhere(server: &Server) {
    let admin = server.admin();
    let before = everything(server).await;
    let nul = "Null characters are not allowed.";
    for (path, field) in [
        ("/core/tokens/", "description"),
        ("/core/tokens/", "managed"),
        ("/core/users/", "username"),
        ("/core/users/", "name"),
        ("/core/users/", "path"),
        ("/core/groups/", "name"),
        ("/core/users/service_account/", "name"),
    ] {
        let mut body = json!({"identifier": "t", "username": "t", "name": "t"});
        body[field] = json!("a\u{0}b");
        admin.post(path, &body).await.expect_faults(json!({field: [nul]}));
    }
    // Inside free data, where PostgreSQL cannot keep it.
    for attributes in [json!({"a": "x\u{0}"}), json!({"a\u{0}": 1}), json!({"a": [{"b": "\u{0}"}]})] {
        let body = json!({"username": "t", "name": "t", "attributes": attributes});
        admin.post("/core/users/", &body).await.expect(400);
        admin.post("/core/groups/", &json!({"name": "t", "attributes": attributes})).await.expect(400);
    }
    for query in ["identifier=%00", "search=%00", "description=a%00", "user__username=%00", "managed=%00"] {
        let answer = admin.get(&format!("/core/tokens/?{query}")).await;
        assert!(matches!(answer.status, 200 | 400), "{}", answer.request);
    }
    for path in [
        "/core/users/?username=%00",
        "/core/users/?attributes=%7B%22a%22:%22%5Cu0000%22%7D",
        "/core/groups/?name=%00",
        "/core/users/?path_startswith=%00",
    ] {
        let answer = admin.get(path).await;
        assert!(matches!(answer.status, 200 | 400), "{}", answer.request);
    }
    for path in ["/core/tokens/a%00b/", "/core/users/1%00/", "/core/groups/%00/"] {
        admin.get(path).await.expect(404);
    }
    assert_eq!(everything(server).await, before);
}

async fn odd_text_is_kept(server: &Server) {
    let admin = server.admin();
    for text in
        ["ü", "日本語", "😀", "a'b\"c\\d", "%_%", "<script>", "\u{7f}\u{1}x", "e\u{301}", "\u{202e}x", "a\nb\tc"]
    {
        let body = json!({"identifier": "t", "description": text});
        assert_eq!(admin.post("/core/tokens/", &body).await.expect(201)["description"], text);
        admin.delete("/core/tokens/t/").await.expect_empty(204);
    }
}

async fn faults_write_nothing(server: &Server) {
    let admin = server.admin();
    let ann = server.person("ann").await;
    let group = server.group("g", json!({})).await;
    let before = everything(server).await;
    let unknown = "00000000-0000-4000-8000-000000000000";
    let user = format!("/core/users/{}/", ann.pk);
    let group = format!("/core/groups/{group}/");
    for (method, path, body) in [
        (Method::POST, "/core/users/", json!({"username": "x", "name": "", "groups": [unknown]})),
        (Method::PATCH, &user, json!({"name": "changed", "groups": [unknown]})),
        (Method::PATCH, &user, json!({"name": "changed", "path": "/x"})),
        (Method::PUT, &user, json!({"username": "akadmin", "name": "changed"})),
        (Method::POST, "/core/groups/", json!({"name": "x", "users": [ann.pk, 999_999]})),
        (Method::PATCH, &group, json!({"name": "changed", "users": [ann.pk, 999_999]})),
        (Method::PATCH, &group, json!({"users": [ann.pk], "parent": unknown})),
        (Method::POST, "/core/tokens/", json!({"identifier": "x", "managed": "", "user": ann.pk})),
        (Method::PATCH, "/core/tokens/ann-login/", json!({"description": "changed", "intent": "recovery"})),
    ] {
        admin.request(method, path).json(&body).send().await.expect(400);
        assert_eq!(everything(server).await, before, "{path} {body}");
    }
}

/// PostgreSQL has no NUL in JSON and no long values in a unique index; nobody hashes megabytes.
async fn what_a_database_cannot_hold(server: &Server) {
    let admin = server.admin();
    admin.post("/core/tokens/?x=%00&%00=y", &json!({"identifier": "t"})).await.expect(201);
    let noise: String =
        (0_u64..1500).map(|n| format!("{:016x}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29))).collect();
    let answer = admin.post("/core/groups/", &json!({"name": noise})).await;
    assert!(matches!(answer.status, 201 | 400), "{}", answer.request);
    let answer = admin.post("/core/tokens/", &json!({"identifier": "u", "managed": noise})).await;
    assert!(matches!(answer.status, 201 | 400), "{}", answer.request);
    let ann = server.person("ann").await;
    let path = format!("/core/users/{}/set_password/", ann.pk);
    let body = admin.post(&path, &json!({"password": "p".repeat(4097)})).await.expect(400);
    assert_eq!(body["password"][0], "Ensure this field has no more than 4096 characters.");
}
