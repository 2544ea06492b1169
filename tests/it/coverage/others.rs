//! The operations of the other documents: none is open without a bearer token, each wants a scope that its document
//! lists, and each change is audited.

use crate::harness::{Server, tests};
use http::Method;
use serde_json::{Value, json};
use tessera_api_runtime::Operation;

tests![every_operation_wants_a_bearer_token, every_operation_wants_a_scope_of_its_own, every_change_is_recorded];

/// What needs no bearer token: it is where they come from.
const PUBLIC: [&str; 2] = ["createToken", "getInfo"];

pub fn operations() -> impl Iterator<Item = &'static Operation> {
    let all = [tessera_api::beta::apis::OPERATIONS, tessera_api::oauth::apis::OPERATIONS];
    all.into_iter().flatten().flat_map(|of_resource| of_resource.iter().copied())
}

fn guarded() -> impl Iterator<Item = (&'static Operation, String)> {
    let at = |operation: &'static Operation| {
        let filled = operation.path.replace("{id}", "00000000000040008000000000000000");
        operation.bases.iter().map(move |base| (operation, format!("{base}{filled}")))
    };
    operations().filter(|operation| !PUBLIC.contains(&operation.id)).flat_map(at)
}

async fn every_operation_wants_a_bearer_token(server: &Server) {
    let public: Vec<&str> =
        operations().filter(|operation| operation.anonymous).map(|operation| operation.id).collect();
    assert_eq!(public, PUBLIC);
    let mark = server.mark().await;
    for (operation, path) in guarded() {
        let call = |client: crate::harness::Client| client.outside(operation.method.clone(), &path).send();
        let answer = call(server.anonymous()).await;
        answer.expect_body(401, &json!({"error": "JWT is required"}));
        // Neither of these is taken here, whatever they are good for elsewhere.
        for key in [crate::harness::BOOTSTRAP_TOKEN, "x.y.z"] {
            let answer = call(server.with_key(key)).await;
            answer.expect_body(401, &json!({"error": "JWT validation failed: JWT is invalid"}));
        }
    }
    assert_eq!(server.gists_since(&mark).await, Vec::<String>::new());
}

async fn every_operation_wants_a_scope_of_its_own(server: &Server) {
    let poor = server.api(1, &["sp:scopes:default", "sp:my-personal-access-tokens:write", "all"]).await;
    for (operation, path) in guarded() {
        let answer = poor.outside(operation.method.clone(), &path).send().await;
        assert_eq!(answer.expect(403)["detailCode"], "403 Forbidden", "{}", operation.id);
        for alternative in operation.security {
            assert!(!alternative.scopes.is_empty(), "{} has an alternative without a scope", operation.id);
        }
    }
}

async fn every_change_is_recorded(server: &Server) {
    let api = server.api(1, &["sp:scopes:all"]).await;
    let new = |name: &str| json!({"name": name, "expirationDate": "2026-06-01T00:00:00Z"});
    let named = json!([{"op": "replace", "path": "/name", "value": "renamed"}]);
    let end = |day: u32| {
        let value = format!("2026-05-{day:02}T00:00:00Z");
        json!([{"op": "replace", "path": "/expirationDate", "value": value}])
    };
    for (collection, prefix) in [("/beta/personal-access-tokens", ""), ("/personal-access-tokens/v1", "v1 ")] {
        let send = |method: Method, path: String, mime: &'static str, body: Value| {
            let draft = api.outside(method, &path);
            let draft = if body.is_null() { draft } else { draft.header("content-type", mime).body(body.to_string()) };
            async move {
                let mark = server.mark().await;
                let answer = draft.send().await;
                assert!(answer.status < 300, "{} {}", answer.request, answer.text());
                let events = server.events_since(&mark).await;
                assert_eq!(events.len(), 1, "{}: {events:?}", answer.request);
                let id = &events[0].context["http_request"]["request_id"];
                assert_eq!(id.as_str(), answer.header("x-authentik-id"));
                (answer.json(), events[0].context["event"].as_str().expect("a name").to_owned())
            }
        };
        let json_type = "application/json";
        let (made, event) = send(Method::POST, collection.into(), json_type, new(&format!("{prefix}new"))).await;
        assert_eq!(event, "PERSONAL_ACCESS_TOKEN_CREATED");
        let id = made["id"].as_str().expect("an id");
        let item = format!("{collection}/{id}");
        let (_, event) = send(Method::PATCH, item.clone(), "application/json-patch+json", named.clone()).await;
        assert_eq!(event, "PERSONAL_ACCESS_TOKEN_UPDATED");
        for (day, method) in [(1, Method::PATCH), (2, Method::POST)] {
            let body = json!({"ids": [id], "patch": end(day)});
            let bulk = "/personal-access-tokens/v1/bulk-update".to_owned();
            let (_, event) = send(method, bulk, json_type, body).await;
            assert_eq!(event, "PERSONAL_ACCESS_TOKEN_UPDATED");
        }
        let (_, event) = send(Method::DELETE, item, json_type, Value::Null).await;
        assert_eq!(event, "PERSONAL_ACCESS_TOKEN_DELETED");
    }
}
