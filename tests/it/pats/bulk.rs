//! Changing when several tokens end (contract: sailpoint-pat §6).

use super::{
    ALL, ALL_MANAGE, BETA, BULK, CONTENT, ILLEGAL, V1, create, event, make, named_events, patch, refill, replace,
};
use crate::harness::{Answer, Client, Server, tests};
use http::Method;
use serde_json::{Value, json};

tests![
    in_the_order_of_the_request,
    twenty_five_and_no_more,
    ids_that_will_not_do,
    ends_alone,
    acknowledged_as_for_one,
    all_or_none,
    bodies_that_will_not_do,
    elsewhere_it_is_an_id,
];

const FLAG: &str = "userAwareTokenNeverExpires";
const END: &str = "expirationDate";

async fn bulk(client: &Client, method: Method, ids: &[String], steps: Value) -> Answer {
    client.outside(method, BULK).json(&json!({"ids": ids, "patch": steps})).send().await
}

/// Tokens of somebody who may do nothing in particular, ending in March.
async fn theirs(server: &Server, owner: &str, count: usize) -> Vec<String> {
    let person = server.person(owner).await;
    let api = server.api(person.pk, &[ALL]).await;
    let mut ids = Vec::new();
    for number in 0..count {
        let body = json!({"name": format!("t{number}"), "expirationDate": "2026-03-01T00:00:00Z"});
        ids.push(create(&api, BETA, body).await.expect(200)["id"].as_str().expect("an id").to_owned());
    }
    ids
}

async fn ends(client: &Client) -> Vec<(String, Value)> {
    let all = super::get(client, V1).await.expect(200);
    let end = |token: &Value| (token["id"].as_str().expect("an id").to_owned(), token[END].clone());
    all.as_array().expect("an array").iter().map(end).collect()
}

async fn in_the_order_of_the_request(server: &Server) {
    let root = server.api(1, &[ALL_MANAGE]).await;
    let mut ids = theirs(server, "ann", 3).await;
    ids.extend(theirs(server, "bob", 2).await);
    for (day, method) in [("2027-01-01T00:00:00.000Z", Method::PATCH), ("2028-01-01T00:00:00.000Z", Method::POST)] {
        ids.reverse();
        ids.swap(0, 2);
        let mark = server.mark().await;
        let answer = bulk(&root, method, &ids, json!([replace(END, day)])).await;
        let changed = answer.expect(200);
        let changed = changed.as_array().expect("an array");
        assert_eq!(changed.iter().map(|token| token["id"].as_str().expect("an id")).collect::<Vec<_>>(), ids);
        assert!(changed.iter().all(|token| token[END] == day && token[FLAG] == false && token.get("secret").is_none()));
        assert_eq!(named_events(server, &mark).await, vec![event("UPDATED"); 5]);
        let listed = super::get(&root, V1).await.expect(200);
        assert!(changed.iter().all(|token| listed.as_array().expect("an array").contains(token)));
    }
}

async fn twenty_five_and_no_more(server: &Server) {
    let root = server.api(1, &[ALL]).await;
    let mut ids = Vec::new();
    for owner in ["ann", "bob", "cid"] {
        ids.extend(theirs(server, owner, 9).await);
    }
    let steps = json!([replace(END, "2027-01-01T00:00:00Z")]);
    let before = ends(&root).await;
    for method in [Method::PATCH, Method::POST] {
        for count in [0, 26, 27] {
            let body = bulk(&root, method.clone(), &ids[..count], steps.clone()).await.expect(400);
            assert!(body["detailCode"].as_str().expect("text").starts_with("400.1."), "{body}");
        }
    }
    assert_eq!(ends(&root).await, before);
    let changed = bulk(&root, Method::PATCH, &ids[..25], steps).await.expect(200);
    assert_eq!(changed.as_array().expect("an array").len(), 25);
}

async fn ids_that_will_not_do(server: &Server) {
    let root = server.api(1, &[ALL]).await;
    let ids = theirs(server, "ann", 2).await;
    let before = ends(&root).await;
    let mark = server.mark().await;
    let dashed = uuid::Uuid::parse_str(&ids[0]).expect("a UUID").to_string();
    for bad in ["00000000000040008000000000000000", "", " ", "x", &dashed, &ids[0].to_uppercase(), &ids[1]] {
        let ids = [ids.clone(), vec![bad.to_owned()]].concat();
        for method in [Method::PATCH, Method::POST] {
            let body = bulk(&root, method, &ids, json!([replace(END, "2027-01-01T00:00:00Z")])).await.expect(400);
            assert!(body["detailCode"].as_str().expect("text").starts_with("400.1"), "{bad}: {body}");
        }
    }
    assert_eq!(ends(&root).await, before);
    assert_eq!(server.gists_since(&mark).await, Vec::<String>::new());
}

async fn ends_alone(server: &Server) {
    let root = server.api(1, &[ALL]).await;
    let ids = theirs(server, "ann", 1).await;
    for path in ["name", "scope", "id", "managed", "accessTokenValiditySeconds", "scope/0"] {
        let steps = json!([replace(END, "2027-01-01T00:00:00Z"), replace(path, "x")]);
        bulk(&root, Method::PATCH, &ids, steps).await.expect_code(400, ILLEGAL);
    }
    for op in ["move", "copy"] {
        let step = json!({"op": op, "from": "/expirationDate", "path": "/expirationDate"});
        bulk(&root, Method::PATCH, &ids, json!([step])).await.expect_code(400, ILLEGAL);
    }
    let ends = ends(&root).await;
    assert!(ends.iter().any(|(id, end)| *id == ids[0] && end == "2026-03-01T00:00:00.000Z"), "{ends:?}");
}

async fn acknowledged_as_for_one(server: &Server) {
    let root = server.api(1, &[ALL]).await;
    let ids = theirs(server, "ann", 2).await;
    for steps in [
        json!([replace(END, json!(null))]),
        json!([{"op": "remove", "path": "/expirationDate"}]),
        json!([{"op": "remove", "path": "/expirationDate"}, replace(FLAG, false)]),
        json!([replace(END, "2020-01-01T00:00:00Z")]),
    ] {
        bulk(&root, Method::PATCH, &ids, steps).await.expect(400);
    }
    let steps = json!([{"op": "remove", "path": "/expirationDate"}, replace(FLAG, true)]);
    let changed = bulk(&root, Method::PATCH, &ids, steps).await.expect(200);
    for token in changed.as_array().expect("an array") {
        assert_eq!((&token[END], &token[FLAG]), (&json!(null), &json!(true)));
    }
}

/// The test fails for one of them alone.
async fn all_or_none(server: &Server) {
    let root = server.api(1, &[ALL]).await;
    let ids = theirs(server, "ann", 3).await;
    bulk(&root, Method::PATCH, &ids[2..], json!([replace(END, "2026-04-01T00:00:00Z")])).await.expect(200);
    let before = ends(&root).await;
    let mark = server.mark().await;
    let steps = json!([
        {"op": "test", "path": "/expirationDate", "value": "2026-03-01T00:00:00.000Z"},
        replace(END, "2027-01-01T00:00:00Z"),
    ]);
    for order in [[0, 1, 2], [2, 1, 0], [0, 2, 1]] {
        let ids = order.map(|place: usize| ids[place].clone());
        bulk(&root, Method::PATCH, &ids, steps.clone()).await.expect(400);
    }
    assert_eq!(ends(&root).await, before);
    assert_eq!(server.gists_since(&mark).await, Vec::<String>::new());
    bulk(&root, Method::PATCH, &ids[..2], steps).await.expect(200);
}

async fn bodies_that_will_not_do(server: &Server) {
    let root = server.api(1, &[ALL]).await;
    let ids = theirs(server, "ann", 1).await;
    let steps = json!([replace(END, "2027-01-01T00:00:00Z")]);
    for method in [Method::PATCH, Method::POST] {
        for body in [
            json!({}),
            json!({"ids": ids}),
            json!({"patch": steps}),
            json!({"ids": null, "patch": steps}),
            json!({"ids": ids, "patch": null}),
            json!({"ids": ids, "patch": []}),
            json!({"ids": ids[0], "patch": steps}),
            json!({"ids": [5], "patch": steps}),
            json!({"ids": [null], "patch": steps}),
            json!({"ids": ids, "patch": steps[0]}),
            json!({"ids": ids, "patch": ["x"]}),
            json!({"ids": ids, "patch": [null]}),
            json!({"ids": ids, "patch": [{}]}),
        ] {
            let answer = root.outside(method.clone(), BULK).json(&body).send().await.expect(400);
            assert!(answer["detailCode"].as_str().expect("text").starts_with("400.1"), "{body}: {answer}");
        }
        root.outside(method, BULK).json(&steps).send().await.expect_code(400, CONTENT);
        refill(server);
    }
}

async fn elsewhere_it_is_an_id(server: &Server) {
    let root = server.api(1, &[ALL]).await;
    make(&root, "t").await;
    for (at, _) in super::collections().filter(|(at, _)| *at != V1) {
        patch(&root, at, "bulk-update", &json!([])).await.expect_code(404, super::NOT_FOUND);
    }
}
