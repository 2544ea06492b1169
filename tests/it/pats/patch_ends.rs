//! JSON Patch on when tokens end, where that can be changed (contract: sailpoint-pat §6).

use super::{ALL, BETA, EXPLICIT, ILLEGAL, MISSING, NEVER, V1, create, make, patch, refill, replace, shown};
use crate::harness::{Client, Server, tests};
use serde_json::{Value, json};

tests![
    another_end,
    spellings,
    past_ends,
    ends_that_are_none,
    never_is_acknowledged_in_the_same_patch,
    never_without_acknowledgement,
    as_python_writes_it,
    from_never_to_an_end,
    beyond_six_months,
    flags_that_are_none,
    others_are_not_touched,
    tests_of_ends,
];

const FLAG: &str = "userAwareTokenNeverExpires";
const END: &str = "expirationDate";

/// A token that ends in March.
async fn ending(client: &Client, name: &str) -> String {
    let made = create(client, BETA, json!({"name": name, "expirationDate": "2026-03-01T00:00:00Z"})).await.expect(200);
    made["id"].as_str().expect("an id").to_owned()
}

#[track_caller]
fn ends(token: &Value, end: Value, flag: bool) {
    assert_eq!((&token[END], &token[FLAG]), (&end, &json!(flag)), "{token}");
}

async fn another_end(server: &Server) {
    let api = server.api(1, &[ALL]).await;
    let id = ending(&api, "t").await;
    for at in EXPLICIT {
        for day in ["2026-01-02T03:04:05.679Z", "2027-01-01T00:00:00.000Z", "2999-12-31T23:59:59.999Z", NEVER] {
            for op in ["replace", "add"] {
                let step = json!({"op": op, "path": "/expirationDate", "value": day});
                let patched = patch(&api, at, &id, &json!([step])).await.expect(200);
                ends(&patched, json!(day), false);
            }
        }
        assert_eq!(shown(&api, &id).await[END], NEVER);
    }
}

async fn spellings(server: &Server) {
    let api = server.api(1, &[ALL]).await;
    let id = ending(&api, "t").await;
    for (given, meant) in [
        ("2026-12-01T01:02:03.456789+00:00", "2026-12-01T01:02:03.456Z"),
        ("2026-12-01T01:02:03", "2026-12-01T01:02:03.000Z"),
        ("2026-12-01T01:02:03+02:00", "2026-11-30T23:02:03.000Z"),
    ] {
        let patched = patch(&api, V1, &id, &json!([replace(END, given)])).await.expect(200);
        ends(&patched, json!(meant), false);
    }
}

async fn past_ends(server: &Server) {
    let api = server.api(1, &[ALL]).await;
    let id = ending(&api, "t").await;
    for at in EXPLICIT {
        for past in ["2026-01-02T03:04:05.678Z", "2026-01-02T03:04:05Z", "2000-01-01T00:00:00Z"] {
            for steps in [json!([replace(END, past)]), json!([replace(FLAG, true), replace(END, past)])] {
                patch(&api, at, &id, &steps).await.expect_code(400, ILLEGAL);
            }
        }
    }
    ends(&shown(&api, &id).await, json!("2026-03-01T00:00:00.000Z"), false);
}

async fn ends_that_are_none(server: &Server) {
    let api = server.api(1, &[ALL]).await;
    let id = ending(&api, "t").await;
    for at in EXPLICIT {
        for bad in
            [json!("soon"), json!(""), json!(1_900_000_000), json!(true), json!([]), json!("2026-02-30T00:00:00Z")]
        {
            let steps = json!([replace(FLAG, true), replace(END, bad)]);
            patch(&api, at, &id, &steps).await.expect_code(400, ILLEGAL);
        }
    }
    ends(&shown(&api, &id).await, json!("2026-03-01T00:00:00.000Z"), false);
}

async fn never_is_acknowledged_in_the_same_patch(server: &Server) {
    let api = server.api(1, &[ALL]).await;
    for at in EXPLICIT {
        for (number, steps) in [
            json!([replace(END, json!(null)), replace(FLAG, true)]),
            json!([replace(FLAG, true), replace(END, json!(null))]),
            json!([{"op": "remove", "path": "/expirationDate"}, {"op": "add", "path": "/userAwareTokenNeverExpires", "value": true}]),
        ]
        .into_iter()
        .enumerate()
        {
            let id = ending(&api, &format!("{at} {number}")).await;
            ends(&patch(&api, at, &id, &steps).await.expect(200), json!(null), true);
            ends(&shown(&api, &id).await, json!(null), true);
            super::delete(&api, at, &id).await.expect_empty(204);
        }
    }
}

async fn never_without_acknowledgement(server: &Server) {
    let api = server.api(1, &[ALL]).await;
    let (id, forever) = (ending(&api, "t").await, make(&api, "forever").await);
    let to_null = || replace(END, json!(null));
    for at in EXPLICIT {
        for steps in [
            json!([to_null()]),
            json!([{"op": "remove", "path": "/expirationDate"}]),
            json!([{"op": "replace", "path": "/expirationDate"}]),
            json!([to_null(), replace(FLAG, false)]),
            json!([replace(FLAG, true), replace(FLAG, false), to_null()]),
            json!([to_null(), replace(FLAG, json!(null))]),
            json!([to_null(), {"op": "remove", "path": "/userAwareTokenNeverExpires"}]),
        ] {
            for id in [&id, &forever] {
                let body = patch(&api, at, id, &steps).await.expect(400);
                assert!(body["detailCode"].as_str().expect("text").starts_with("400.1"), "{body}");
            }
        }
        // Acknowledged at another time, or looked at, is not in this patch.
        for steps in [
            json!([to_null()]),
            json!([{"op": "test", "path": "/userAwareTokenNeverExpires", "value": true}, to_null()]),
        ] {
            patch(&api, at, &forever, &steps).await.expect(400);
        }
    }
    ends(&shown(&api, &id).await, json!("2026-03-01T00:00:00.000Z"), false);
    ends(&shown(&api, &forever).await, json!(null), true);
}

async fn as_python_writes_it(server: &Server) {
    let api = server.api(1, &[ALL]).await;
    let id = ending(&api, "t").await;
    let steps = json!([
        {"op": "replace", "path": "/expirationDate"},
        {"op": "replace", "path": "/userAwareTokenNeverExpires", "value": true},
    ]);
    ends(&patch(&api, V1, &id, &steps).await.expect(200), json!(null), true);
}

async fn from_never_to_an_end(server: &Server) {
    let api = server.api(1, &[ALL]).await;
    let id = make(&api, "t").await;
    for steps in [
        json!([replace(END, "2027-01-01T00:00:00Z"), replace(FLAG, false)]),
        json!([replace(FLAG, false), replace(END, "2028-01-01T00:00:00Z")]),
    ] {
        let patched = patch(&api, V1, &id, &steps).await.expect(200);
        ends(
            &patched,
            json!(
                steps
                    .as_array()
                    .expect("an array")
                    .iter()
                    .find_map(|s| s["value"].as_str())
                    .map(|day| day.replace('Z', ".000Z"))
            ),
            false,
        );
    }
    let other = make(&api, "u").await;
    let patched = patch(&api, V1, &other, &json!([replace(END, "2027-01-01T00:00:00Z")])).await.expect(200);
    assert_eq!(patched[END], "2027-01-01T00:00:00.000Z");
    // And it ends then.
    let pat = server.pat(1, &["x"]).await;
    patch(&api, V1, &pat.id, &json!([replace(END, "2026-01-03T00:00:00Z")])).await.expect(200);
    server.trade(&pat).await.expect(200);
    server.advance(chrono::TimeDelta::days(1));
    server.trade(&pat).await.expect(401);
}

/// Tokens that were made where six months are the most.
async fn beyond_six_months(server: &Server) {
    let api = server.api(1, &[ALL]).await;
    let id = ending(&api, "t").await;
    patch(&api, V1, &id, &json!([replace(END, "2030-01-01T00:00:00Z")])).await.expect(200);
    let renamed = patch(&api, BETA, &id, &json!([replace("name", "u")])).await.expect(200);
    assert_eq!((&renamed[END], renamed.get(FLAG)), (&json!("2030-01-01T00:00:00.000Z"), None));
}

async fn flags_that_are_none(server: &Server) {
    let api = server.api(1, &[ALL]).await;
    let id = ending(&api, "t").await;
    for at in EXPLICIT {
        for bad in [json!("true"), json!(1), json!([]), json!({})] {
            patch(&api, at, &id, &json!([replace(FLAG, bad.clone())])).await.expect_code(400, ILLEGAL);
            patch(&api, at, &id, &json!([replace(FLAG, bad), replace(END, json!(null))])).await.expect(400);
        }
    }
    ends(&shown(&api, &id).await, json!("2026-03-01T00:00:00.000Z"), false);
}

/// What a patch does not name stays: the text of the original would have it otherwise, and no renaming could work.
async fn others_are_not_touched(server: &Server) {
    let api = server.api(1, &[ALL]).await;
    let (id, forever) = (ending(&api, "t").await, make(&api, "forever").await);
    for (at, _) in super::collections() {
        for id in [&id, &forever] {
            let before = shown(&api, id).await;
            let name = format!("{at} {}", &id[..4]);
            patch(&api, at, id, &json!([replace("name", name.as_str())])).await.expect(200);
            let after = shown(&api, id).await;
            for field in [END, FLAG, "scope", "created", "accessTokenValiditySeconds", "owner"] {
                assert_eq!(after[field], before[field], "{at} {field}");
            }
        }
        refill(server);
    }
    let mark = server.mark().await;
    patch(&api, V1, &id, &json!([replace("name", "x"), replace(END, json!(null))])).await.expect_code(400, MISSING);
    assert_ne!(shown(&api, &id).await["name"], "x");
    assert_eq!(server.gists_since(&mark).await, Vec::<String>::new());
}

async fn tests_of_ends(server: &Server) {
    let api = server.api(1, &[ALL]).await;
    let (id, forever) = (ending(&api, "t").await, make(&api, "forever").await);
    let test = |path: &str, value: Value| json!([{"op": "test", "path": path, "value": value}]);
    for (id, path, value, status) in [
        (&id, "/expirationDate", json!("2026-03-01T00:00:00.000Z"), 200),
        (&id, "/expirationDate", json!(null), 400),
        (&id, "/userAwareTokenNeverExpires", json!(false), 200),
        (&id, "/userAwareTokenNeverExpires", json!(true), 400),
        (&forever, "/expirationDate", json!(null), 200),
        (&forever, "/expirationDate", json!(NEVER), 400),
        (&forever, "/userAwareTokenNeverExpires", json!(true), 200),
    ] {
        patch(&api, V1, id, &test(path, value)).await.expect_status(status);
    }
    patch(&api, V1, &forever, &json!([{"op": "test", "path": "/expirationDate"}])).await.expect(200);
}
