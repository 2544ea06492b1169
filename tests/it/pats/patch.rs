//! JSON Patch on `/name` and `/scope`, alike in both families (contract: sailpoint-pat §6).

use super::{
    ALL, BETA, CONTENT, ILLEGAL, LIMIT, MY_MANAGE, SIX_MONTHS, V1, create, event, make, mine, named_events, patch,
    refill, replace, shown,
};
use crate::harness::{Server, tests};
use http::Method;
use serde_json::{Value, json};

tests![
    the_answer_is_as_in_listings,
    four_operations,
    other_operations,
    other_paths,
    steps_that_are_none,
    what_is_never_missing,
    scopes_as_when_made,
    tests_of_values,
    no_steps,
    many_steps,
    all_or_nothing,
    what_does_not_change_is_not_said,
    another_name_in_any_script,
    two_at_once,
];

const BOTH: [&str; 2] = [BETA, V1];

async fn the_answer_is_as_in_listings(server: &Server) {
    let api = server.api(1, &[ALL]).await;
    let id = make(&api, "t").await;
    for (at, _) in super::collections() {
        let steps = json!([replace("name", at), replace("scope", json!(["a", "b"]))]);
        let patched = patch(&api, at, &id, &steps).await.expect(200);
        assert_eq!((&patched["name"], &patched["scope"]), (&json!(at), &json!(["a", "b"])));
        assert_eq!(patched.get("secret"), None);
        let list = mine(&api, at).await;
        assert!(list.as_array().expect("an array").contains(&patched), "{at}: {patched} {list}");
    }
}

async fn four_operations(server: &Server) {
    let api = server.api(1, &[ALL]).await;
    let id = make(&api, "t").await;
    for at in BOTH {
        for op in ["add", "replace"] {
            let name = format!("{op} {at}");
            let steps = json!([
                {"op": op, "path": "/name", "value": name}, {"op": op, "path": "/scope", "value": [op]},
                {"op": "test", "path": "/name", "value": name}, {"op": "test", "path": "/scope", "value": [op]},
            ]);
            let patched = patch(&api, at, &id, &steps).await.expect(200);
            assert_eq!((&patched["name"], &patched["scope"]), (&json!(name), &json!([op])));
        }
        // Removed and set again in one patch: at the end there is a name.
        let steps = json!([{"op": "remove", "path": "/name"}, {"op": "add", "path": "/name", "value": at}]);
        assert_eq!(patch(&api, at, &id, &steps).await.expect(200)["name"], at);
    }
}

async fn other_operations(server: &Server) {
    let api = server.api(1, &[ALL]).await;
    let id = make(&api, "t").await;
    let before = shown(&api, &id).await;
    for at in BOTH {
        for step in [
            json!({"op": "move", "from": "/name", "path": "/scope"}),
            json!({"op": "copy", "from": "/name", "path": "/name"}),
            json!({"op": "increment", "path": "/name", "value": "x"}),
            json!({"op": "Replace", "path": "/name", "value": "x"}),
            json!({"op": "", "path": "/name", "value": "x"}),
        ] {
            patch(&api, at, &id, &json!([step])).await.expect_code(400, ILLEGAL);
            patch(&api, at, &id, &json!([replace("name", "x"), step])).await.expect_code(400, ILLEGAL);
        }
    }
    assert_eq!(shown(&api, &id).await, before);
}

async fn other_paths(server: &Server) {
    let api = server.api(1, &[ALL]).await;
    let id = make(&api, "t").await;
    let before = shown(&api, &id).await;
    let mark = server.mark().await;
    for at in BOTH {
        for path in [
            "/id",
            "/secret",
            "/owner",
            "/owner/name",
            "/created",
            "/lastUsed",
            "/managed",
            "/scope/0",
            "/scope/-",
            "/accessTokenValiditySeconds",
            "/name/",
            "/",
            "",
            "name",
            "//name",
            "/Name",
            "/name~0",
            "/na~1me",
            "/%6eame",
        ] {
            for op in ["replace", "add", "remove", "test"] {
                let steps = json!([{"op": op, "path": path, "value": "x"}]);
                patch(&api, at, &id, &steps).await.expect_code(400, ILLEGAL);
            }
        }
        refill(server);
    }
    for at in SIX_MONTHS {
        for field in ["expirationDate", "userAwareTokenNeverExpires"] {
            for value in [json!("2026-05-01T00:00:00Z"), json!(true), json!(null)] {
                patch(&api, at, &id, &json!([replace(field, value)])).await.expect_code(400, ILLEGAL);
            }
        }
    }
    assert_eq!(shown(&api, &id).await, before);
    assert_eq!(server.gists_since(&mark).await, Vec::<String>::new());
}

async fn steps_that_are_none(server: &Server) {
    let api = server.api(1, &[ALL]).await;
    let id = make(&api, "t").await;
    for at in BOTH {
        for step in [
            json!(5),
            json!("replace"),
            json!(null),
            json!([]),
            json!({}),
            json!({"op": "replace"}),
            json!({"path": "/name", "value": "x"}),
            json!({"op": 5, "path": "/name", "value": "x"}),
            json!({"op": "replace", "path": 5, "value": "x"}),
            json!({"op": null, "path": "/name"}),
            json!({"op": "replace", "path": ["/name"], "value": "x"}),
        ] {
            let body = patch(&api, at, &id, &json!([step])).await.expect(400);
            assert!(body["detailCode"].as_str().expect("text").starts_with("400.1"), "{step}: {body}");
        }
        for none in [json!({}), json!({"op": "replace", "path": "/name", "value": "x"}), json!("x"), json!(null)] {
            patch(&api, at, &id, &none).await.expect_code(400, CONTENT);
        }
    }
    assert_eq!(shown(&api, &id).await["name"], "t");
}

async fn what_is_never_missing(server: &Server) {
    let api = server.api(1, &[ALL]).await;
    let id = make(&api, "t").await;
    let before = shown(&api, &id).await;
    for at in BOTH {
        for path in ["/name", "/scope"] {
            for step in [
                json!({"op": "remove", "path": path}),
                json!({"op": "replace", "path": path, "value": null}),
                json!({"op": "add", "path": path, "value": null}),
                // A missing value is null.
                json!({"op": "replace", "path": path}),
                json!({"op": "add", "path": path}),
            ] {
                let why = patch(&api, at, &id, &json!([step])).await.expect(400);
                assert!(why["messages"][0]["text"].as_str().expect("text").contains(&path[1..]), "{why}");
            }
        }
    }
    assert_eq!(shown(&api, &id).await, before);
}

async fn scopes_as_when_made(server: &Server) {
    let api = server.api(1, &[ALL]).await;
    let id = make(&api, "t").await;
    for at in BOTH {
        for bad in [json!(["a b"]), json!([""]), json!("a"), json!([1]), json!({"a": 1}), json!([["a"]]), json!(true)] {
            patch(&api, at, &id, &json!([replace("scope", bad)])).await.expect_code(400, ILLEGAL);
        }
        patch(&api, at, &id, &json!([replace("scope", vec!["a"; 101])])).await.expect_code(400, LIMIT);
        for good in [json!([]), json!(["a", "a"]), json!([ALL])] {
            let patched = patch(&api, at, &id, &json!([replace("scope", good.clone())])).await.expect(200);
            assert_eq!(patched["scope"], good);
        }
    }
}

async fn tests_of_values(server: &Server) {
    let api = server.api(1, &[ALL]).await;
    let made = create(&api, BETA, json!({"name": "t", "scope": ["a", "b"]})).await.expect(200);
    let id = made["id"].as_str().expect("an id");
    let test = |field: &str, value: Value| json!({"op": "test", "path": format!("/{field}"), "value": value});
    for at in BOTH {
        for good in [test("name", json!("t")), test("scope", json!(["a", "b"]))] {
            assert_eq!(patch(&api, at, id, &json!([good])).await.expect(200)["name"], "t");
        }
        let mark = server.mark().await;
        for bad in [
            test("name", json!("T")),
            test("name", json!(null)),
            json!({"op": "test", "path": "/name"}),
            test("scope", json!(["b", "a"])),
            test("scope", json!(["a"])),
            test("scope", json!([])),
        ] {
            // Wherever it stands.
            for steps in [json!([bad, replace("name", "x")]), json!([replace("scope", json!(["x"])), bad])] {
                if steps[0]["path"] == "/scope" && bad["path"] == "/scope" {
                    continue;
                }
                let body = patch(&api, at, id, &steps).await.expect(400);
                assert!(body["detailCode"].as_str().expect("text").starts_with("400.1"), "{body}");
            }
        }
        assert_eq!(server.gists_since(&mark).await, Vec::<String>::new());
        // A test sees what the steps before it did.
        let steps = json!([replace("name", "u"), test("name", json!("u")), replace("name", "t")]);
        assert_eq!(patch(&api, at, id, &steps).await.expect(200)["name"], "t");
        patch(&api, at, id, &json!([replace("name", "u"), test("name", json!("t"))])).await.expect(400);
        refill(server);
    }
    let listed = shown(&api, id).await;
    assert_eq!((&listed["name"], &listed["scope"]), (&json!("t"), &json!(["a", "b"])));
}

async fn no_steps(server: &Server) {
    let api = server.api(1, &[ALL]).await;
    let id = make(&api, "t").await;
    let mark = server.mark().await;
    for (at, _) in super::collections() {
        let patched = patch(&api, at, &id, &json!([])).await.expect(200);
        assert!(mine(&api, at).await.as_array().expect("an array").contains(&patched), "{patched}");
    }
    assert_eq!(named_events(server, &mark).await, Vec::<String>::new());
}

async fn many_steps(server: &Server) {
    let api = server.api(1, &[ALL]).await;
    let id = make(&api, "t").await;
    let steps =
        |count: usize| -> Value { (0..count).map(|n| replace("name", format!("n{n}"))).collect::<Vec<_>>().into() };
    for at in BOTH {
        assert_eq!(patch(&api, at, &id, &steps(100)).await.expect(200)["name"], "n99");
        patch(&api, at, &id, &steps(101)).await.expect_code(400, LIMIT);
        assert_eq!(patch(&api, at, &id, &json!([replace("name", "t")])).await.expect(200)["name"], "t");
    }
}

async fn all_or_nothing(server: &Server) {
    let api = server.api(1, &[ALL]).await;
    let id = make(&api, "t").await;
    make(&api, "taken").await;
    let before = shown(&api, &id).await;
    let mark = server.mark().await;
    let first = [replace("name", "x"), replace("scope", json!(["x"]))];
    for at in BOTH {
        for second in [
            replace("id", "x"),
            replace("name", "taken"),
            replace("name", " "),
            replace("scope", json!(["a b"])),
            json!({"op": "remove", "path": "/name"}),
            json!({"op": "test", "path": "/name", "value": "other"}),
            json!({"op": "copy", "from": "/name", "path": "/scope"}),
            json!("none"),
        ] {
            for one in &first {
                patch(&api, at, &id, &json!([one, second])).await.expect(400);
            }
        }
    }
    assert_eq!(shown(&api, &id).await, before);
    assert_eq!(server.gists_since(&mark).await, Vec::<String>::new());
}

async fn what_does_not_change_is_not_said(server: &Server) {
    let api = server.api(1, &[ALL]).await;
    let id = make(&api, "t").await;
    let mark = server.mark().await;
    patch(&api, BETA, &id, &json!([replace("name", "u"), replace("scope", json!(["a"]))])).await.expect(200);
    assert_eq!(named_events(server, &mark).await, [event("UPDATED")], "one event for one patch");
}

async fn another_name_in_any_script(server: &Server) {
    let api = server.api(1, &[ALL]).await;
    let id = make(&api, "t").await;
    for name in ["ключ", "🗝️🗝️", "e\u{301}", "\u{202e}x", "a\u{2028}b"] {
        for at in BOTH {
            assert_eq!(patch(&api, at, &id, &json!([replace("name", name)])).await.expect(200)["name"], name);
        }
    }
    let draft =
        api.outside(Method::PATCH, &format!("{BETA}/{id}")).header("content-type", "application/json-patch+json");
    let body = r#"[{"op": "replace", "path": "/\u006eame", "value": "\ud83d\udddd \u00fc"}]"#;
    assert_eq!(draft.body(body).send().await.expect(200)["name"], "🗝 ü");
}

/// Two clients change different fields at the same moment, again and again: neither change is lost.
async fn two_at_once(server: &Server) {
    let one = server.api(1, &[ALL]).await;
    let two = server.api(1, &[MY_MANAGE]).await;
    let id = make(&one, "t").await;
    for round in 0..40 {
        let name = format!("name {round}");
        let scope = json!([format!("scope-{round}")]);
        let first = json!([replace("name", name.as_str())]);
        let second = json!([replace("scope", scope.clone())]);
        let (at, there) = if round % 2 == 0 { (BETA, V1) } else { (V1, BETA) };
        let (a, b) = tokio::join!(patch(&one, at, &id, &first), patch(&two, there, &id, &second));
        assert_eq!((&a.expect(200)["name"], &b.expect(200)["scope"]), (&json!(name), &scope));
        let now = shown(&one, &id).await;
        assert_eq!((&now["name"], &now["scope"]), (&json!(name), &scope), "round {round}");
        if round % 10 == 9 {
            refill(server);
        }
    }
}
