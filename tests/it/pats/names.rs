//! What a token may be called (decisions: field rules).

use super::{ALL, BETA, CONFLICT, ILLEGAL, MISSING, create, delete, make, mine, names, patch, refill, replace};
use crate::harness::{Answer, Server, tests};
use serde_json::{Value, json};

tests![
    names_that_will_do,
    white_space_at_the_ends_goes,
    no_name,
    names_that_are_none,
    taken_names,
    another_owner_may_have_the_same,
    renamed_alike,
];

async fn names_that_will_do(server: &Server) {
    let api = server.api(1, &[ALL]).await;
    for name in ["x", &"ü".repeat(255), "two words", "名前 🗝️", "\"quoted\" \\ 'too' <b>", "%2F/..", "null", "e\u{301}"]
    {
        let made = create(&api, BETA, json!({"name": name})).await.expect(200);
        assert_eq!(made["name"], name);
        let id = made["id"].as_str().expect("an id");
        assert_eq!(super::shown(&api, id).await["name"], name);
        delete(&api, BETA, id).await.expect_empty(204);
    }
}

async fn white_space_at_the_ends_goes(server: &Server) {
    let api = server.api(1, &[ALL]).await;
    let padded = format!("   {}\n", "x".repeat(255));
    for (given, kept) in
        [("  a b  ", "a b"), ("\t\r\nc", "c"), ("\u{a0}d\u{2003}", "d"), (padded.as_str(), &"x".repeat(255))]
    {
        let made = create(&api, BETA, json!({"name": given})).await.expect(200);
        assert_eq!(made["name"], kept);
    }
    let id = make(&api, "t").await;
    let patched = patch(&api, BETA, &id, &json!([replace("name", "  new  ")])).await.expect(200);
    assert_eq!(patched["name"], "new");
}

#[track_caller]
fn faulty(answer: &Answer, code: &str) {
    let why = answer.expect_code(400, code);
    assert!(why.contains("name"), "{}: {why}", answer.request);
}

async fn no_name(server: &Server) {
    let api = server.api(1, &[ALL]).await;
    for body in [json!({}), json!({"name": null}), json!({"name": ""}), json!({"name": "  \n "})] {
        for (at, _) in super::collections() {
            let mut body = body.clone();
            body["userAwareTokenNeverExpires"] = json!(true);
            faulty(&create(&api, at, body).await, MISSING);
        }
    }
}

async fn names_that_are_none(server: &Server) {
    let api = server.api(1, &[ALL]).await;
    let id = make(&api, "t").await;
    for name in
        [json!(5), json!(true), json!(["a"]), json!({"a": "b"}), json!("a\u{7}b"), json!("a\nb"), json!("\u{0}")]
    {
        faulty(&create(&api, BETA, json!({"name": name})).await, ILLEGAL);
        faulty(&patch(&api, BETA, &id, &json!([replace("name", name)])).await, ILLEGAL);
    }
    for control in ["a\u{1b}b", "a\u{85}b", "a\u{7f}", "\u{9f}a"] {
        create(&api, BETA, json!({"name": control})).await.expect_code(400, ILLEGAL);
    }
    let long = "ü".repeat(256);
    for answer in [
        create(&api, BETA, json!({"name": long})).await,
        patch(&api, BETA, &id, &json!([replace("name", long.as_str())])).await,
    ] {
        let body = answer.expect(400);
        assert!(body["detailCode"].as_str().expect("text").starts_with("400.1."), "{body}");
    }
    let left = mine(&api, BETA).await;
    assert!(names(&left).len() == 2 && names(&left).contains(&"t"), "{left}");
}

async fn taken_names(server: &Server) {
    let api = server.api(1, &[ALL]).await;
    make(&api, "Same").await;
    for (at, explicit) in super::collections() {
        for name in ["Same", " Same", "Same\n"] {
            let body = json!({"name": name, "userAwareTokenNeverExpires": explicit});
            faulty(&create(&api, at, body).await, CONFLICT);
        }
    }
    // Compared exactly.
    for other in ["same", "SAME", "Same.", "Sa me", "Ｓame"] {
        create(&api, BETA, json!({"name": other})).await.expect(200);
    }
    // Whatever has become of the other one, until it is deleted.
    let soon = create(&api, BETA, json!({"name": "soon", "expirationDate": "2026-01-02T03:05:00Z"})).await.expect(200);
    server.advance(chrono::TimeDelta::hours(1));
    faulty(&create(&api, BETA, json!({"name": "soon"})).await, CONFLICT);
    delete(&api, BETA, soon["id"].as_str().expect("an id")).await.expect_empty(204);
    create(&api, BETA, json!({"name": "soon"})).await.expect(200);
}

async fn another_owner_may_have_the_same(server: &Server) {
    let (ann, bob) = (server.person("ann").await, server.person("bob").await);
    let mut ids = Vec::new();
    for pk in [ann.pk, bob.pk] {
        ids.push(make(&server.api(pk, &[ALL]).await, "same").await);
    }
    assert_ne!(ids[0], ids[1]);
}

async fn renamed_alike(server: &Server) {
    let api = server.api(1, &[ALL]).await;
    let (one, two) = (make(&api, "one").await, make(&api, "two").await);
    for (name, code) in
        [("two", Some(CONFLICT)), (" two ", Some(CONFLICT)), ("one", None), ("Two", None), ("one", None)]
    {
        let answer = patch(&api, BETA, &one, &json!([replace("name", name)])).await;
        match code {
            Some(code) => faulty(&answer, code),
            None => assert_eq!(answer.expect(200)["name"], name.trim()),
        }
    }
    // Two that want the same name at once.
    for round in 0..10 {
        let name = format!("round {round}");
        let steps = json!([replace("name", name.as_str())]);
        let (a, b) = tokio::join!(patch(&api, BETA, &one, &steps), patch(&api, super::V1, &two, &steps));
        let (good, bad) = if a.status == 200 { (a, b) } else { (b, a) };
        assert_eq!(good.expect(200)["name"], name);
        faulty(&bad, CONFLICT);
        refill(server);
    }
    let left: Vec<Value> = mine(&api, BETA).await.as_array().expect("an array").clone();
    assert_eq!(left.len(), 3);
}
