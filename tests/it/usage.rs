//! `core/tokens/{identifier}/usage/`: how often a key let somebody in, when and from where.

use crate::harness::{Client, Server, tests};
use chrono::TimeDelta;
use http::Method;
use serde_json::{Value, json};
use std::sync::Arc;
use tessera::resource::tokens::usage;

tests![
    never_used,
    first_and_last,
    whatever_the_answer,
    refused_keys_do_not_count,
    former_keys_count,
    every_token_by_itself,
    written_and_not_written_are_one,
    written_by_stopping,
    kept_while_the_database_is_away,
    deleted_meanwhile,
    many_tokens_in_one_go,
    thirty_two_clients,
    writers_at_once,
    who_may,
    another_address,
];

const ME: &str = "/core/users/me/";

async fn used(server: &Server, identifier: &str) -> Value {
    server.admin().get(&format!("/core/tokens/{identifier}/usage/")).await.expect(200)
}

async fn count(server: &Server, identifier: &str) -> i64 {
    used(server, identifier).await["use_count"].as_i64().expect("a number")
}

async fn write(server: &Server) {
    usage::write(&server.app).await.expect("written");
}

/// What the database says, whatever is in memory; nothing when there is no row.
async fn written(server: &Server, identifier: &str) -> i64 {
    server
        .number(&format!(
            "SELECT CAST(coalesce(sum(use_count), 0) AS bigint) FROM token_usage JOIN tokens ON id = token_id \
             WHERE identifier = '{identifier}'"
        ))
        .await
}

async fn never_used(server: &Server) {
    server.admin().post("/core/tokens/", &json!({"identifier": "t"})).await.expect(201);
    let nothing = json!({
        "use_count": 0, "first_used": null, "last_used": null, "first_address": null, "last_address": null,
    });
    assert_eq!(used(server, "t").await, nothing);
    server.key_of("t").await;
    assert_eq!(used(server, "t").await, nothing, "being looked at is no use");
    write(server).await;
    assert_eq!(used(server, "t").await, nothing);
}

async fn first_and_last(server: &Server) {
    let ann = server.person("ann").await;
    let mut expected = json!({
        "use_count": 1, "first_used": "2026-01-02T03:04:05.678901Z", "last_used": "2026-01-02T03:04:05.678901Z",
        "first_address": "127.0.0.1", "last_address": "127.0.0.1",
    });
    ann.client.get(ME).await.expect(200);
    assert_eq!(used(server, "ann-login").await, expected);
    server.advance(TimeDelta::minutes(5));
    ann.client.get(ME).await.expect(200);
    ann.client.get(ME).await.expect(200);
    expected["use_count"] = json!(3);
    expected["last_used"] = json!("2026-01-02T03:09:05.678901Z");
    assert_eq!(used(server, "ann-login").await, expected);
    write(server).await;
    assert_eq!(used(server, "ann-login").await, expected);
}

async fn whatever_the_answer(server: &Server) {
    let ann = server.person("ann").await;
    ann.client.get(ME).await.expect(200);
    ann.client.get("/core/users/").await.expect(403);
    ann.client.get("/core/tokens/none/").await.expect(404);
    ann.client.post("/core/tokens/", &json!({})).await.expect(400);
    ann.client.delete(ME).await.expect(405);
    ann.client.get("/root/config/").await.expect(200);
    ann.client.request(Method::OPTIONS, ME).send().await.expect(200);
    assert_eq!(ann.client.request(Method::HEAD, ME).send().await.status, 200);
    assert_eq!(count(server, "ann-login").await, 8);
    // Where no key is looked at, none is used.
    ann.client.outside(Method::GET, "/-/health/live/").send().await.expect_empty(200);
    ann.client.outside(Method::GET, "/nothing/").send().await.expect_status(404);
    assert_eq!(count(server, "ann-login").await, 8);
    // The look at one's own use is use.
    let own = ann.client.get("/core/tokens/ann-login/usage/").await.expect(200);
    assert_eq!(own["use_count"], 9);
}

async fn refused_keys_do_not_count(server: &Server) {
    let admin = server.admin();
    let ann = server.person("ann").await;
    let user = format!("/core/users/{}/", ann.pk);
    admin.patch(&user, &json!({"is_active": false})).await.expect(200);
    ann.client.get(ME).await.expect(403);
    admin.patch(&user, &json!({"is_active": true})).await.expect(200);
    admin.patch("/core/tokens/ann-login/", &json!({"intent": "app_password"})).await.expect(200);
    ann.client.get(ME).await.expect(403);
    admin.patch("/core/tokens/ann-login/", &json!({"intent": "api", "expiring": true})).await.expect(200);
    server.advance(TimeDelta::minutes(31));
    ann.client.get(ME).await.expect(403);
    server.with_key(&ann.key.to_uppercase()).get(ME).await.expect(403);
    assert_eq!(count(server, "ann-login").await, 0);
    admin.patch("/core/tokens/ann-login/", &json!({})).await.expect(200);
    ann.client.get(ME).await.expect(200);
    assert_eq!(count(server, "ann-login").await, 1);
}

async fn former_keys_count(server: &Server) {
    let ann = server.person("ann").await;
    let rotate = json!({"overlap": "minutes=5"});
    let rotated = server.admin().post("/core/tokens/ann-login/rotate/", &rotate).await.expect(200);
    ann.client.get(ME).await.expect(200);
    server.with_key(rotated["key"].as_str().expect("a key")).get(ME).await.expect(200);
    assert_eq!(count(server, "ann-login").await, 2);
    server.advance(TimeDelta::minutes(6));
    ann.client.get(ME).await.expect(403);
    assert_eq!(count(server, "ann-login").await, 2);
}

async fn every_token_by_itself(server: &Server) {
    let (ann, bob) = (server.person("ann").await, server.person("bob").await);
    for _ in 0..3 {
        ann.client.get(ME).await.expect(200);
    }
    bob.client.get(ME).await.expect(200);
    assert_eq!((count(server, "ann-login").await, count(server, "bob-login").await), (3, 1));
    // By the token, not by its name.
    server.admin().patch("/core/tokens/ann-login/", &json!({"identifier": "renamed"})).await.expect(200);
    assert_eq!(count(server, "renamed").await, 3);
}

async fn written_and_not_written_are_one(server: &Server) {
    let ann = server.person("ann").await;
    for round in 1..=4 {
        ann.client.get(ME).await.expect(200);
        let before = used(server, "ann-login").await;
        assert_eq!(before["use_count"], round * 2 - 1);
        write(server).await;
        assert_eq!(written(server, "ann-login").await, round * 2 - 1);
        assert_eq!(used(server, "ann-login").await, before);
        server.advance(TimeDelta::seconds(1));
        ann.client.get(ME).await.expect(200);
        let after = used(server, "ann-login").await;
        assert_eq!(after["use_count"], round * 2);
        assert_eq!(after["first_used"], "2026-01-02T03:04:05.678901Z");
        assert_ne!(after["last_used"], before["last_used"]);
    }
}

async fn written_by_stopping(server: &Server) {
    let first = server.another(|_| {}).await;
    let ann = first.person("ann").await;
    for _ in 0..7 {
        ann.client.get(ME).await.expect(200);
    }
    let before = used(&first, "ann-login").await;
    let second = first.stop().await.start().await;
    assert_eq!(written(&second, "ann-login").await, 7);
    assert_eq!(used(&second, "ann-login").await, before);
    second.with_key(&ann.key).get(ME).await.expect(200);
    assert_eq!(count(&second, "ann-login").await, 8);
    second.end().await;
}

async fn kept_while_the_database_is_away(server: &Server) {
    let ann = server.person("ann").await;
    ann.client.get(ME).await.expect(200);
    write(server).await;
    ann.client.get(ME).await.expect(200);
    server.sql("ALTER TABLE token_usage RENAME TO hidden").await;
    assert!(usage::write(&server.app).await.is_err());
    server.advance(TimeDelta::minutes(1));
    ann.client.get(ME).await.expect(200);
    assert!(usage::write(&server.app).await.is_err());
    server.sql("ALTER TABLE hidden RENAME TO token_usage").await;
    assert_eq!(written(server, "ann-login").await, 1);
    let merged = used(server, "ann-login").await;
    assert_eq!((&merged["use_count"], &merged["last_used"]), (&json!(3), &json!("2026-01-02T03:05:05.678901Z")));
    write(server).await;
    assert_eq!(written(server, "ann-login").await, 3);
    assert_eq!(used(server, "ann-login").await, merged);
}

async fn deleted_meanwhile(server: &Server) {
    let (ann, bob) = (server.person("ann").await, server.person("bob").await);
    ann.client.get(ME).await.expect(200);
    bob.client.get(ME).await.expect(200);
    server.admin().delete("/core/tokens/ann-login/").await.expect_empty(204);
    write(server).await;
    assert_eq!(written(server, "bob-login").await, 1, "what others used is written all the same");
    server.admin().get("/core/tokens/ann-login/usage/").await.expect_missing();
    server.admin().delete("/core/tokens/bob-login/").await.expect_empty(204);
    assert_eq!(server.number("SELECT count(*) FROM token_usage WHERE use_count = 1 AND last_address IS NULL").await, 0);
    // A new one by that name begins at nothing.
    let again = json!({"identifier": "bob-login", "user": bob.pk});
    server.admin().post("/core/tokens/", &again).await.expect(201);
    assert_eq!(count(server, "bob-login").await, 0);
}

async fn many_tokens_in_one_go(server: &Server) {
    let admin = server.admin();
    for number in 0..600 {
        admin.post("/core/tokens/", &json!({"identifier": format!("t{number}")})).await.expect(201);
    }
    let tokens = admin.get("/core/tokens/?page_size=1000&search=t").await.expect(200);
    for token in tokens["results"].as_array().expect("a list") {
        let id = token["pk"].as_str().expect("a key").parse().expect("a UUID");
        server.app.usage.note(id, server.app.clock.now(), Some([192, 0, 2, 1].into()));
    }
    write(server).await;
    assert_eq!(server.number("SELECT count(*) FROM token_usage").await, 601);
    assert_eq!((count(server, "t0").await, count(server, "t599").await), (1, 1));
}

async fn thirty_two_clients(server: &Server) {
    let ann = server.person("ann").await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..32 {
        let (client, app) = (server.with_key(&ann.key), Arc::clone(&server.app));
        tasks.spawn(async move {
            for round in 0..10 {
                client.get(ME).await.expect(200);
                if round % 5 == 0 {
                    usage::write(&app).await.expect("written");
                }
            }
        });
    }
    while let Some(task) = tasks.join_next().await {
        task.expect("used");
    }
    assert_eq!(count(server, "ann-login").await, 320);
    write(server).await;
    assert_eq!(written(server, "ann-login").await, 320);
}

/// Two processes add up.
async fn writers_at_once(server: &Server) {
    let ann = server.person("ann").await;
    let clock = Arc::clone(&server.clock);
    let entropy = Arc::new(tessera::ctx::SeededEntropy::new(99));
    let second = tessera::server::start(server.place.config(), clock, entropy).await.expect("a second server");
    let there = Client::new(second.api, Some(ann.key.clone()));
    for _ in 0..5 {
        ann.client.get(ME).await.expect(200);
        there.get(ME).await.expect(200);
        let (here, elsewhere) = tokio::join!(usage::write(&server.app), usage::write(&second.app));
        here.expect("written");
        elsewhere.expect("written");
    }
    assert_eq!(written(server, "ann-login").await, 10);
    there.get(ME).await.expect(200);
    second.stop().await;
    assert_eq!(count(server, "ann-login").await, 11);
}

async fn who_may(server: &Server) {
    let (ann, bob) = (server.person("ann").await, server.person("bob").await);
    ann.client.get("/core/tokens/ann-login/usage/").await.expect(200);
    server.grant(bob.holder(), "authentik_core.view_token", None).await;
    bob.client.get("/core/tokens/ann-login/usage/").await.expect_missing();
    bob.client.get("/core/tokens/none/usage/").await.expect_missing();
    server.admin().get("/core/tokens/none/usage/").await.expect_missing();
    let credentials = "Authentication credentials were not provided.";
    server.anonymous().get("/core/tokens/ann-login/usage/").await.expect_detail(403, credentials);
    let post = server.admin().post("/core/tokens/ann-login/usage/", &json!({})).await;
    post.expect_detail(405, "Method \"POST\" not allowed.");
}

/// The peer's address counts, whatever a client says of itself.
async fn another_address(server: &Server) {
    let ann = server.person("ann").await;
    let draft = ann.client.request(Method::GET, ME).header("x-forwarded-for", "192.0.2.9");
    draft.header("forwarded", "for=192.0.2.9").send().await.expect(200);
    assert_eq!(used(server, "ann-login").await["last_address"], "127.0.0.1");
    // And one of IPv6, where there is any.
    let mut config = server.place.config();
    config.listen = "[::1]:0".parse().expect("an address");
    let clock = Arc::clone(&server.clock);
    let entropy = Arc::new(tessera::ctx::SeededEntropy::new(98));
    let Ok(other) = tessera::server::start(config, clock, entropy).await else { return };
    let client = Client::new(other.api, Some(crate::harness::BOOTSTRAP_TOKEN.to_owned()));
    client.get(ME).await.expect(200);
    let own = client.get("/core/tokens/authentik-bootstrap-token/usage/").await.expect(200);
    assert_eq!(own["last_address"], "::1");
    other.stop().await;
}
