//! Making tokens: what the answer says, scopes, validity, how many, and several at once.

use super::{
    ALL, BEGINNING, BETA, CONFLICT, DEFAULT, ILLEGAL, LIMIT, NEVER, V1, collections, create, delete, identity, make,
    mine, names, refill,
};
use crate::harness::{Client, Server, tests};
use chrono::TimeDelta;
use serde_json::{Value, json};

tests![
    the_answer_of_every_family,
    the_owner_is_named,
    ids_and_secrets,
    validity,
    validity_out_of_bounds,
    scopes_left_out,
    scopes_as_they_were_written,
    scopes_that_are_none,
    how_many_scopes,
    the_eleventh,
    managed_ones_do_not_count,
    expired_ones_count,
    ten_of_twenty,
    one_name_once,
];

async fn the_answer_of_every_family(server: &Server) {
    let ann = server.person_with("ann", json!({"name": "Ann of Å"})).await;
    let api = server.api(ann.pk, &[ALL]).await;
    let owner = json!({"type": "IDENTITY", "id": identity(server, ann.pk).await, "name": "Ann of Å"});
    for (at, explicit) in collections() {
        let mut body = json!({"name": at});
        if explicit {
            body["expirationDate"] = json!("2031-05-06T07:08:09.123Z");
        }
        let made = create(&api, at, body).await.expect(200);
        let mut expected = json!({
            "id": made["id"], "secret": made["secret"], "name": at, "scope": [ALL], "owner": owner,
            "created": BEGINNING, "accessTokenValiditySeconds": 43200, "expirationDate": "2026-07-02T03:04:05.678Z",
        });
        if explicit {
            expected["expirationDate"] = json!("2031-05-06T07:08:09.123Z");
            expected["userAwareTokenNeverExpires"] = json!(false);
        }
        assert_eq!(made, expected, "{at}");
        // And what listings of each family say of it.
        for (there, explicit) in collections() {
            let mut listed = expected.clone();
            let fields = listed.as_object_mut().expect("an object");
            fields.remove("secret");
            fields.remove("userAwareTokenNeverExpires");
            fields.extend([("lastUsed".to_owned(), json!(null)), ("managed".to_owned(), json!(false))]);
            if explicit {
                fields.insert("userAwareTokenNeverExpires".to_owned(), json!(false));
            }
            let all = mine(&api, there).await;
            let all = all.as_array().expect("an array");
            assert!(all.contains(&listed), "{there}: {all:?}\n  {listed}");
        }
    }
}

async fn the_owner_is_named(server: &Server) {
    let ann = server.person_with("ann", json!({"name": ""})).await;
    let api = server.api(ann.pk, &[ALL]).await;
    let made = create(&api, BETA, json!({"name": "t"})).await.expect(200);
    assert_eq!(made["owner"]["name"], "ann", "a username where there is no other name");
    server.admin().patch(&format!("/core/users/{}/", ann.pk), &json!({"name": "Änn"})).await.expect(200);
    let listed = mine(&api, BETA).await;
    assert!(listed.as_array().expect("an array").iter().all(|token| token["owner"]["name"] == "Änn"), "{listed}");
    // Whoever the body names: the caller.
    let body = json!({"name": "u", "owner": {"type": "IDENTITY", "id": identity(server, 1).await, "name": "x"}});
    let made = create(&api, BETA, body).await.expect(200);
    assert_eq!(made["owner"]["id"], identity(server, ann.pk).await);
}

fn is_hex(text: &Value, length: usize) -> bool {
    let text = text.as_str().expect("text");
    text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

async fn ids_and_secrets(server: &Server) {
    let ann = server.person("ann").await;
    let api = server.api(ann.pk, &[ALL]).await;
    let mut seen = std::collections::BTreeSet::new();
    for number in 0..9 {
        let made = create(&api, BETA, json!({"name": format!("t{number}")})).await.expect(200);
        assert!(is_hex(&made["id"], 32) && is_hex(&made["secret"], 64), "{made}");
        assert_eq!(&made["id"].as_str().expect("text")[12..13], "4", "a UUID of version 4");
        assert!(seen.insert(made["id"].to_string()) && seen.insert(made["secret"].to_string()), "{made}");
        assert!(is_hex(&made["owner"]["id"], 32));
    }
}

/// Makes a token and deletes it; gives what the answer to the first was.
async fn passing(client: &Client, at: &str, body: &Value) -> Value {
    let made = create(client, at, body.clone()).await.expect(200);
    delete(client, at, made["id"].as_str().expect("an id")).await.expect_empty(204);
    made
}

async fn validity(server: &Server) {
    let api = server.api(1, &[ALL]).await;
    for (at, explicit) in collections() {
        for (given, expected) in [(json!(15), 15), (json!(750), 750), (json!(43200), 43200), (json!(null), 43200)] {
            let body =
                json!({"name": "t", "accessTokenValiditySeconds": given, "userAwareTokenNeverExpires": explicit});
            let made = passing(&api, at, &body).await;
            assert_eq!(made["accessTokenValiditySeconds"], expected, "{at} {given}");
        }
    }
}

async fn validity_out_of_bounds(server: &Server) {
    let api = server.api(1, &[ALL]).await;
    for at in [BETA, V1] {
        for given in ["14", "43201", "\"43200\"", "43200.5", "0", "-1", "true", "[]", "99999999999999999999", "{}"] {
            let text = format!(
                r#"{{"name": "t", "userAwareTokenNeverExpires": true, "accessTokenValiditySeconds": {given}}}"#
            );
            let draft = api.outside(http::Method::POST, at).header("content-type", "application/json").body(text);
            let why = draft.send().await.expect_code(400, ILLEGAL);
            assert!(why.contains("accessTokenValiditySeconds"), "{given}: {why}");
        }
    }
    assert_eq!(names(&mine(&api, BETA).await).len(), 1);
}

async fn scopes_left_out(server: &Server) {
    let api = server.api(1, &[ALL]).await;
    assert_eq!(passing(&api, BETA, &json!({"name": "t"})).await["scope"], json!([ALL]));
    assert_eq!(passing(&api, BETA, &json!({"name": "t", "scope": null})).await["scope"], json!([ALL]));
    assert_eq!(passing(&api, BETA, &json!({"name": "t", "scope": []})).await["scope"], json!([]));
    // None at all grants nothing.
    let made = create(&api, BETA, json!({"name": "t", "scope": []})).await.expect(200);
    let text = |field: &str| made[field].as_str().expect("text").to_owned();
    let poor = server.bearer(&crate::harness::Pat { id: text("id"), secret: text("secret") }).await;
    super::get(&poor, &format!("{BETA}?owner-id=me")).await.expect_code(403, super::FORBIDDEN);
}

async fn scopes_as_they_were_written(server: &Server) {
    let api = server.api(1, &[ALL]).await;
    let longest = "x".repeat(128);
    for scope in [
        json!([DEFAULT]),
        json!(["sp:no-such-thing:read", "idn:x", "!#[]^~'"]),
        json!(["b", "a", "b"]),
        json!([longest, "x"]),
        json!([ALL, "sp:my-personal-access-tokens:read"]),
    ] {
        let made = create(&api, BETA, json!({"name": "t", "scope": scope})).await.expect(200);
        assert_eq!(made["scope"], scope);
        let id = made["id"].as_str().expect("an id");
        assert_eq!(super::shown(&api, id).await["scope"], scope);
        delete(&api, BETA, id).await.expect_empty(204);
    }
}

async fn scopes_that_are_none(server: &Server) {
    let api = server.api(1, &[ALL]).await;
    for scope in [
        json!([""]),
        json!(["a b"]),
        json!([" a"]),
        json!(["a\tb"]),
        json!(["a\"b"]),
        json!(["a\\b"]),
        json!(["ü"]),
        json!(["a\u{7f}"]),
        json!(["a\u{0}"]),
        json!(["x".repeat(129)]),
        json!(["a", 5]),
        json!(["a", null]),
        json!([["a"]]),
        json!("a"),
        json!("sp:scopes:all"),
        json!({"a": true}),
        json!(true),
    ] {
        let why = create(&api, BETA, json!({"name": "t", "scope": scope})).await.expect_code(400, ILLEGAL);
        assert!(why.contains("scope"), "{scope}: {why}");
    }
    assert_eq!(names(&mine(&api, BETA).await).len(), 1);
}

async fn how_many_scopes(server: &Server) {
    let api = server.api(1, &[ALL]).await;
    let some = |count: usize, length: usize| -> Value {
        (0..count).map(|number| format!("{number:0>length$}")).collect::<Vec<_>>().into()
    };
    // A hundred, and 4096 characters together.
    for fitting in [some(100, 1), some(32, 128), some(64, 64)] {
        assert_eq!(passing(&api, BETA, &json!({"name": "t", "scope": fitting})).await["scope"], fitting);
    }
    let mut over = some(32, 128);
    over.as_array_mut().expect("an array").push(json!("x"));
    for much in [some(101, 1), some(1000, 3), over] {
        create(&api, BETA, json!({"name": "t", "scope": much})).await.expect_code(400, LIMIT);
    }
}

async fn the_eleventh(server: &Server) {
    let (ann, bob) = (server.person("ann").await, server.person("bob").await);
    let api = server.api(ann.pk, &[ALL]).await;
    for number in 0..9 {
        make(&api, &format!("t{number}")).await;
    }
    let mark = server.mark().await;
    for (at, explicit) in collections() {
        let body = json!({"name": "t10", "userAwareTokenNeverExpires": explicit});
        create(&api, at, body).await.expect_code(400, LIMIT);
    }
    assert_eq!(server.gists_since(&mark).await, Vec::<String>::new());
    // For each owner by himself, and one less makes room.
    make(&server.api(bob.pk, &[ALL]).await, "t10").await;
    let all = mine(&api, V1).await;
    let id = all.as_array().expect("an array").iter().find(|token| token["name"] == "t3").expect("it is there");
    delete(&api, V1, id["id"].as_str().expect("an id")).await.expect_empty(204);
    make(&api, "t10").await;
    create(&api, BETA, json!({"name": "t11"})).await.expect_code(400, LIMIT);
}

async fn managed_ones_do_not_count(server: &Server) {
    let ann = server.person("ann").await;
    let api = server.api(ann.pk, &[ALL]).await;
    make(&api, "m").await;
    server.sql("UPDATE personal_access_tokens SET managed = true WHERE name = 'm'").await;
    for number in 0..9 {
        make(&api, &format!("t{number}")).await;
    }
    create(&api, BETA, json!({"name": "t10"})).await.expect_code(400, LIMIT);
}

async fn expired_ones_count(server: &Server) {
    let ann = server.person("ann").await;
    let api = server.api(ann.pk, &[ALL]).await;
    for number in 0..9 {
        let body = json!({"name": format!("t{number}"), "expirationDate": "2026-01-02T03:05:00Z"});
        create(&api, BETA, body).await.expect(200);
    }
    server.advance(TimeDelta::hours(1));
    create(&api, BETA, json!({"name": "t10"})).await.expect_code(400, LIMIT);
    assert_eq!(names(&mine(&api, BETA).await).len(), 10);
}

async fn ten_of_twenty(server: &Server) {
    for round in 0..3 {
        let ann = server.person(&format!("ann{round}")).await;
        let api = server.api(ann.pk, &[ALL]).await;
        // So that the caller's own does not count.
        server.sql("UPDATE personal_access_tokens SET managed = true").await;
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..20 {
            let api = api.clone();
            let (at, explicit) = collections().nth(number % 6).expect("a collection");
            let body = json!({"name": format!("t{number}"), "userAwareTokenNeverExpires": explicit});
            tasks.spawn(async move { create(&api, at, body).await });
        }
        let answers = tasks.join_all().await;
        let made = answers.iter().filter(|answer| answer.status == 200).count();
        assert_eq!(made, 10);
        for answer in answers.iter().filter(|answer| answer.status != 200) {
            answer.expect_code(400, LIMIT);
        }
        assert_eq!(names(&mine(&api, BETA).await).len(), 10);
        refill(server);
    }
}

async fn one_name_once(server: &Server) {
    for round in 0..5 {
        let ann = server.person(&format!("ann{round}")).await;
        let api = server.api(ann.pk, &[ALL]).await;
        let mark = server.mark().await;
        let (body, other) = (json!({"name": "same"}), json!({"name": " same ", "userAwareTokenNeverExpires": true}));
        let (one, two) = tokio::join!(create(&api, BETA, body), create(&api, V1, other));
        let (good, bad) = if one.status == 200 { (one, two) } else { (two, one) };
        let made = good.expect(200);
        assert!(made["expirationDate"] == NEVER || made["expirationDate"] == "2026-07-02T03:04:05.678Z", "{made}");
        bad.expect_code(400, CONFLICT);
        assert_eq!(server.gists_since(&mark).await.len(), 1);
    }
}
