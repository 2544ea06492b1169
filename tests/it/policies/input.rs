//! Requests about policies that are not well formed, or come from nobody in particular.

use super::{
    UNKNOWN, any,
    kinds::{EXPIRY, KINDS},
    make, with,
};
use crate::harness::{Answer, Server, tests};
use http::Method;
use serde_json::{Value, json};

tests![
    bodies_that_are_no_objects,
    bodies_that_are_not_json,
    empty_bodies,
    last_of_two_keys,
    media_types,
    callers_without_credentials,
    callers_without_permissions,
    paths_have_a_slash_at_their_end,
];

/// Where bodies go: each kind, one of its policies, and the question to one.
async fn targets(server: &Server) -> Vec<(Method, String)> {
    let mut all = Vec::new();
    for kind in KINDS {
        let pk = make(server, kind, kind.path, json!({})).await;
        all.push((Method::POST, kind.path.to_owned()));
        all.push((Method::PUT, kind.one(&pk)));
        all.push((Method::PATCH, kind.one(&pk)));
        all.push((Method::POST, format!("{}test/", any(&pk))));
    }
    all
}

async fn everything(server: &Server) -> Value {
    server.admin().get("/policies/all/").await.expect(200)
}

async fn bodies_that_are_no_objects(server: &Server) {
    let admin = server.admin();
    let targets = targets(server).await;
    let before = everything(server).await;
    for (method, path) in targets {
        for (body, kind) in
            [(json!([]), "list"), (json!([{}]), "list"), (json!("x"), "str"), (json!(1), "int"), (json!(true), "bool")]
        {
            let fault = format!("Invalid data. Expected a dictionary, but got {kind}.");
            let answer = admin.request(method.clone(), &path).json(&body).send().await;
            answer.expect_faults(json!({"non_field_errors": [fault]}));
        }
        let answer = admin.request(method.clone(), &path).json(&Value::Null).send().await;
        answer.expect_faults(json!({"non_field_errors": ["No data provided"]}));
    }
    assert_eq!(everything(server).await, before);
}

async fn bodies_that_are_not_json(server: &Server) {
    let admin = server.admin();
    let targets = targets(server).await;
    let before = everything(server).await;
    for (method, path) in targets {
        let send = async |body: &[u8]| -> Answer {
            let draft = admin.request(method.clone(), &path).header("content-type", "application/json");
            draft.body(body).send().await
        };
        for (body, fault) in [
            (&b"{\"name\": "[..], "unexpected end of data: line 1 column 10 (char 9)"),
            (&b"{\"name\": \"x\",}"[..], "trailing comma is not allowed: line 1 column 13 (char 12)"),
            (&b"{\"name\": NaN}"[..], "unexpected character: line 1 column 10 (char 9)"),
            (&b"\xef\xbb\xbf{}"[..], "unexpected character: line 1 column 1 (char 0)"),
        ] {
            send(body).await.expect_detail(400, &format!("JSON parse error - {fault}"));
        }
        // The original crashes at it.
        let detail = send(b"{\"name\": \"\xff\xfe\"}").await.expect(400)["detail"].as_str().map(str::to_owned);
        assert!(detail.is_some_and(|text| text.starts_with("JSON parse error - ")));
    }
    assert_eq!(everything(server).await, before);
}

async fn empty_bodies(server: &Server) {
    let admin = server.admin();
    for kind in KINDS {
        let one = kind.one(&make(server, kind, kind.path, json!({})).await);
        for (method, path) in [(Method::POST, kind.path), (Method::PUT, one.as_str())] {
            let silent = admin.request(method.clone(), path).send().await.expect(400);
            assert_eq!(silent["name"], json!(["This field is required."]));
            let typed = admin.request(method.clone(), path).header("content-type", "application/json").send().await;
            assert_eq!(typed.expect(400), silent);
        }
    }
    let pk = make(server, &EXPIRY, "policy", json!({})).await;
    let required = json!({"user": ["This field is required."]});
    admin.request(Method::POST, &format!("{}test/", any(&pk))).send().await.expect_faults(required);
    admin.request(Method::POST, "/policies/all/cache_clear/").send().await.expect_empty(204);
    admin.post("/policies/all/cache_clear/", &json!({})).await.expect_empty(204);
}

async fn last_of_two_keys(server: &Server) {
    let admin = server.admin();
    let draft = admin.request(Method::POST, EXPIRY.path).header("content-type", "application/json");
    let policy = draft.body(r#"{"name": "x", "days": "x", "name": "y", "days": 3}"#).send().await.expect(201);
    assert_eq!((&policy["name"], &policy["days"]), (&json!("y"), &json!(3)));
    let draft = admin.request(Method::POST, EXPIRY.path).header("content-type", "application/json");
    let answer = draft.body(r#"{"name": 1, "name": 2}"#).send().await;
    answer.expect_faults(json!({"days": ["This field is required."]}));
}

async fn media_types(server: &Server) {
    let admin = server.admin();
    for (method, path) in targets(server).await {
        for media in ["application/x-www-form-urlencoded", "text/plain", "application/xml"] {
            let draft = admin.request(method.clone(), &path).header("content-type", media).body("name=x");
            let fault = format!("Unsupported media type \"{media}\" in request.");
            draft.send().await.expect_detail(415, &fault);
        }
        let draft = admin.request(method.clone(), &path).body("{}");
        draft.send().await.expect_detail(415, "Unsupported media type \"\" in request.");
    }
}

async fn callers_without_credentials(server: &Server) {
    let (anonymous, wrong) = (server.anonymous(), server.with_key("wrong"));
    let before = everything(server).await;
    for kind in KINDS {
        let pk = make(server, kind, kind.path, json!({})).await;
        let body = with(&(kind.required)(), &json!({"name": "zz"}));
        let collection = "Authentication credentials were not provided.";
        anonymous.get(kind.path).await.expect_detail(403, collection);
        anonymous.post(kind.path, &body).await.expect_detail(403, collection);
        for path in [kind.one(&pk), kind.one(UNKNOWN), any(&pk)] {
            anonymous.get(&path).await.expect_forbidden();
            anonymous.delete(&path).await.expect_forbidden();
            anonymous.get(&format!("{path}used_by/")).await.expect_forbidden();
            wrong.get(&path).await.expect_detail(403, "Token invalid/expired");
            wrong.delete(&path).await.expect_detail(403, "Token invalid/expired");
        }
        anonymous.put(&kind.one(&pk), &body).await.expect_forbidden();
        anonymous.patch(&kind.one(&pk), &body).await.expect_forbidden();
        wrong.post(kind.path, &body).await.expect_detail(403, "Token invalid/expired");
        server.admin().delete(&any(&pk)).await.expect_empty(204);
    }
    for path in ["/policies/all/", "/policies/all/types/", "/policies/all/cache_info/", "/policies/reputation/scores/"]
    {
        anonymous.get(path).await.expect_detail(403, "Authentication credentials were not provided.");
    }
    assert_eq!(everything(server).await, before);
}

async fn callers_without_permissions(server: &Server) {
    let ann = server.person("ann").await.client;
    for kind in KINDS {
        let pk = make(server, kind, kind.path, json!({})).await;
        let before = everything(server).await;
        for body in [with(&(kind.required)(), &json!({"name": "zz"})), json!({}), json!([]), json!({"name": kind.path})]
        {
            ann.post(kind.path, &body).await.expect_forbidden();
            for path in [kind.one(&pk), kind.one(UNKNOWN)] {
                ann.put(&path, &body).await.expect_forbidden();
                ann.patch(&path, &body).await.expect_forbidden();
            }
            ann.post(&format!("{}test/", any(&pk)), &body).await.expect_forbidden();
        }
        for path in [kind.one(&pk), kind.one(UNKNOWN), any(&pk), any(UNKNOWN)] {
            ann.get(&path).await.expect_forbidden();
            ann.get(&format!("{path}used_by/")).await.expect_forbidden();
            ann.delete(&path).await.expect_forbidden();
        }
        // Before a page that is none, and a filter that is none.
        ann.get(&format!("{}?page=99&policy_uuid=bad", kind.path)).await.expect_forbidden();
        assert_eq!(everything(server).await, before);
    }
    ann.get("/policies/all/?page=99").await.expect_forbidden();
}

async fn paths_have_a_slash_at_their_end(server: &Server) {
    let admin = server.admin();
    for kind in KINDS {
        let one = kind.one(&make(server, kind, kind.path, json!({})).await);
        for path in [kind.path.trim_end_matches('/'), one.trim_end_matches('/'), &format!("{one}nope/")] {
            for method in [Method::GET, Method::POST, Method::DELETE] {
                admin.request(method, path).send().await.expect_status(404);
            }
        }
        admin.get(&one).await.expect(200);
    }
}
