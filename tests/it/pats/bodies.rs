//! Bodies that are none, and everything that is wrong with one in one answer.

use super::{ALL, BETA, CONTENT, EXPLICIT, SYNTAX, V1, create, make, mine, names, refill};
use crate::harness::{Answer, Client, Server, tests};
use http::Method;
use serde_json::json;

tests![
    no_json,
    an_empty_body,
    json_of_another_kind,
    other_media_types,
    media_types_with_parameters,
    too_large,
    unknown_fields,
    faults_of_types_together,
    faults_of_rules_together,
    faults_of_all_kinds_together,
];

const JSON: &str = "application/json";
const PATCH: &str = "application/json-patch+json";

async fn send(client: &Client, method: Method, target: &str, mime: &str, body: impl Into<Vec<u8>>) -> Answer {
    let draft = client.outside(method, target);
    let draft = if mime.is_empty() { draft } else { draft.header("content-type", mime) };
    // Statuses that the documents do not list come before any operation.
    draft.body(body).untapped().send().await
}

/// Where a body is read, and what kind it has.
async fn places(server: &Server) -> (Client, Vec<(Method, String, &'static str)>) {
    let api = server.api(1, &[ALL]).await;
    let id = make(&api, "t").await;
    let mut places = vec![(Method::PATCH, super::BULK.to_owned(), JSON), (Method::POST, super::BULK.to_owned(), JSON)];
    for (at, _) in super::collections() {
        places.push((Method::POST, at.to_owned(), JSON));
        places.push((Method::PATCH, format!("{at}/{id}"), PATCH));
    }
    (api, places)
}

async fn no_json(server: &Server) {
    let (api, places) = places(server).await;
    for (method, target, mime) in places {
        for body in [&b"{"[..], b"name=x", b"{\"name\": \"x\"} {}", b"{'name': 'x'}", b"{\"name\": \"\xff\"}", b"[1,]"]
        {
            let text = send(&api, method.clone(), &target, mime, body).await.expect_code(400, SYNTAX);
            assert_eq!(text, "The request could not be parsed.");
        }
        refill(server);
    }
}

/// Nothing at all is refused, too; as what, nobody has said.
async fn an_empty_body(server: &Server) {
    let (api, places) = places(server).await;
    for (method, target, mime) in places {
        for body in ["", " \n"] {
            send(&api, method.clone(), &target, mime, body).await.expect_code(400, SYNTAX);
        }
    }
}

async fn json_of_another_kind(server: &Server) {
    let (api, places) = places(server).await;
    for (method, target, mime) in places {
        let other = if mime == PATCH { "{}" } else { "[]" };
        for body in [other, "\"x\"", "5", "null", "true"] {
            let text = send(&api, method.clone(), &target, mime, body).await.expect_code(400, CONTENT);
            assert!(!text.is_empty());
        }
        refill(server);
    }
}

async fn other_media_types(server: &Server) {
    let (api, places) = places(server).await;
    for (method, target, mime) in places {
        let other = if mime == PATCH { "application/merge-patch+json" } else { PATCH };
        for wrong in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", other, ""] {
            let answer = send(&api, method.clone(), &target, wrong, "[]").await;
            let body = answer.expect(415);
            assert_eq!(body["trackingId"].as_str(), answer.header("x-authentik-id"), "{body}");
        }
        refill(server);
    }
}

async fn media_types_with_parameters(server: &Server) {
    let api = server.api(1, &[ALL]).await;
    for (name, mime) in [("a", "application/json; charset=utf-8"), ("b", "Application/JSON;charset=UTF-8")] {
        let answer = send(&api, Method::POST, BETA, mime, json!({"name": name}).to_string()).await;
        let id = answer.expect(200)["id"].as_str().expect("an id").to_owned();
        let steps = json!([super::replace("name", format!("new {name}"))]).to_string();
        let mime = format!("{PATCH}; charset=utf-8");
        send(&api, Method::PATCH, &format!("{BETA}/{id}"), &mime, steps).await.expect(200);
    }
}

async fn too_large(server: &Server) {
    let (api, places) = places(server).await;
    let body = format!("{{\"name\": \"{}\"}}", "x".repeat(1 << 20));
    for (method, target, mime) in places {
        let answer = send(&api, method, &target, mime, body.clone()).await;
        let told = answer.expect(413);
        assert_eq!(told["trackingId"].as_str(), answer.header("x-authentik-id"), "{told}");
    }
    assert_eq!(names(&mine(&api, BETA).await).len(), 2);
}

async fn unknown_fields(server: &Server) {
    let api = server.api(1, &[ALL]).await;
    let body = json!({
        "name": "t", "id": "0".repeat(32), "secret": "s", "managed": true, "created": "2020-01-01T00:00:00Z",
        "lastUsed": "2020-01-01T00:00:00Z", "whatever": {"a": [1]}, "userAwareTokenNeverExpires": true,
    });
    for at in [BETA, V1, EXPLICIT[0]] {
        let mut body = body.clone();
        body["name"] = json!(at);
        let made = create(&api, at, body).await.expect(200);
        assert!(made["id"] != "0".repeat(32) && made["secret"] != "s", "{made}");
        assert_eq!(made["created"], super::BEGINNING);
        let listed = super::shown(&api, made["id"].as_str().expect("an id")).await;
        assert_eq!((&listed["managed"], &listed["lastUsed"]), (&json!(false), &json!(null)));
    }
}

/// 400, and its text names each of these.
#[track_caller]
fn names_all(answer: &Answer, fields: &[&str]) {
    let body = answer.expect(400);
    let text = body["messages"][0]["text"].as_str().expect("text");
    for field in fields {
        assert!(text.contains(field), "{field} is missing in `{text}`");
    }
}

async fn faults_of_types_together(server: &Server) {
    let api = server.api(1, &[ALL]).await;
    let body = json!({
        "name": 5, "scope": "x", "accessTokenValiditySeconds": "43200", "expirationDate": "never",
        "userAwareTokenNeverExpires": "true",
    });
    let fields = ["name", "scope", "accessTokenValiditySeconds", "expirationDate", "userAwareTokenNeverExpires"];
    for at in [BETA, V1] {
        names_all(&create(&api, at, body.clone()).await, &fields);
    }
}

async fn faults_of_rules_together(server: &Server) {
    let api = server.api(1, &[ALL]).await;
    let body = json!({"name": "a\u{7}", "scope": ["a b"], "expirationDate": "2020-01-01T00:00:00Z"});
    for at in [BETA, V1] {
        names_all(&create(&api, at, body.clone()).await, &["name", "scope", "expirationDate"]);
    }
}

async fn faults_of_all_kinds_together(server: &Server) {
    let api = server.api(1, &[ALL]).await;
    let body = json!({
        "name": " ", "scope": ["a b"], "accessTokenValiditySeconds": 14, "expirationDate": "2020-01-01T00:00:00Z",
    });
    for at in [BETA, V1] {
        let fields = ["name", "scope", "accessTokenValiditySeconds", "expirationDate"];
        names_all(&create(&api, at, body.clone()).await, &fields);
    }
}
