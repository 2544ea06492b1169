//! The sweep of what has ended (contract: authentik-core §2.4), with a clock that the tests move.

use crate::harness::{Server, tests};
use chrono::TimeDelta;
use serde_json::{Value, json};
use std::sync::Arc;
use tessera::jobs::sweep::{self, Swept};

tests![
    nothing_to_do,
    api_tokens_get_a_new_key,
    other_tokens_go,
    grants_go_with_them,
    what_does_not_end_is_kept,
    at_the_very_end,
    more_than_one_portion,
    one_event_tells_of_it,
    the_system_did_it,
    an_extension_against_the_sweep,
    a_deletion_against_the_sweep,
    sweeps_at_once,
    a_clock_that_jumps_back,
    keys_of_any_length,
    a_duration_below_nothing,
    use_is_forgotten_with_the_token,
    a_database_that_is_away,
];

async fn swept(server: &Server) -> Swept {
    sweep::once(&server.app).await.expect("swept")
}

async fn make(server: &Server, body: Value) -> String {
    server.admin().post("/core/tokens/", &body).await.expect(201);
    server.key_of(body["identifier"].as_str().expect("text")).await
}

async fn works(server: &Server, key: &str) -> bool {
    server.with_key(key).get("/core/users/me/").await.status == 200
}

async fn nothing_to_do(server: &Server) {
    let mark = server.mark().await;
    make(server, json!({"identifier": "t"})).await;
    let before = server.mark().await;
    for _ in 0..3 {
        assert_eq!(swept(server).await, Swept::default());
    }
    assert_eq!(server.gists_since(&before).await, Vec::<String>::new(), "nothing done is nothing said");
    assert_eq!(server.gists_since(&mark).await.len(), 2);
}

async fn api_tokens_get_a_new_key(server: &Server) {
    let admin = server.admin();
    let old = make(server, json!({"identifier": "t", "description": "d", "managed": "m"})).await;
    let mut expected = admin.get("/core/tokens/t/").await.expect(200);
    server.advance(TimeDelta::hours(1));
    let mark = server.mark().await;
    assert_eq!(swept(server).await, Swept { rotated: 1, ..Swept::default() });
    expected["expires"] = json!("2026-01-02T04:34:05.678901Z");
    admin.get("/core/tokens/t/").await.expect_body(200, &expected);
    let events = server.events_since(&mark).await;
    let rotated = events.iter().find(|e| e.action == "secret_rotate").expect("an event");
    assert_eq!(rotated.context["message"], "Token t's secret was rotated.");
    assert_eq!(rotated.gist(), "secret_rotate token t (expires=2026-01-02 04:34:05.678901+00:00)");
    assert_eq!(events.len(), 2, "{events:?}");
    let new = server.key_of("t").await;
    assert_ne!(old, new);
    assert!(!works(server, &old).await && works(server, &new).await);
    assert_eq!(swept(server).await, Swept::default());
    assert_eq!(server.key_of("t").await, new);
    // And again at the next end.
    server.advance(TimeDelta::hours(1));
    assert_eq!(swept(server).await.rotated, 1);
    assert!(!works(server, &new).await);
}

async fn other_tokens_go(server: &Server) {
    let admin = server.admin();
    make(server, json!({"identifier": "app", "intent": "app_password"})).await;
    admin.post("/core/users/service_account/", &json!({"name": "svc"})).await.expect(200);
    for intent in ["verification", "recovery"] {
        make(server, json!({"identifier": intent})).await;
        server.sql(&format!("UPDATE tokens SET intent = '{intent}' WHERE identifier = '{intent}'")).await;
    }
    server.advance(TimeDelta::minutes(31));
    let mark = server.mark().await;
    assert_eq!(swept(server).await, Swept { deleted: 3, ..Swept::default() });
    let left = admin.get("/core/tokens/").await.expect_list("identifier");
    assert_eq!(left, ["authentik-bootstrap-token", "service-account-svc-password"]);
    let gists = server.gists_since(&mark).await;
    assert_eq!(gists.iter().filter(|gist| gist.starts_with("model_deleted token ")).count(), 3, "{gists:?}");
    // A service account's goes after 360 days, and the account stays.
    server.advance(TimeDelta::days(361));
    assert_eq!(swept(server).await.deleted, 1);
    assert_eq!(admin.get("/core/users/?username=svc").await.expect_list("username"), ["svc"]);
}

async fn grants_go_with_them(server: &Server) {
    let grants = async || server.number("SELECT count(*) FROM grants").await;
    let ann = server.person("ann").await;
    let before = grants().await;
    ann.client.post("/core/tokens/", &json!({"identifier": "app", "intent": "app_password"})).await.expect(201);
    ann.client.post("/core/tokens/", &json!({"identifier": "own"})).await.expect(201);
    assert_eq!(grants().await, before + 2);
    server.advance(TimeDelta::minutes(31));
    assert_eq!(swept(server).await, Swept { rotated: 1, deleted: 1, ..Swept::default() });
    assert_eq!(grants().await, before + 1, "the token that lives on keeps its");
    ann.client.get("/core/tokens/own/view_key/").await.expect(200);
}

async fn what_does_not_end_is_kept(server: &Server) {
    let admin = server.admin();
    let api = make(server, json!({"identifier": "api", "expiring": false})).await;
    let app = make(server, json!({"identifier": "app", "intent": "app_password", "expiring": false})).await;
    // With an end that does not count.
    let body =
        json!({"identifier": "past", "intent": "app_password", "expires": "2020-01-01T00:00:00Z", "expiring": false});
    let past = make(server, body).await;
    server.advance(TimeDelta::days(300));
    assert_eq!(swept(server).await, Swept::default());
    assert_eq!(server.key_of("api").await, api);
    assert_eq!(server.key_of("app").await, app);
    assert_eq!(server.key_of("past").await, past);
    assert!(works(server, &api).await);
    admin.patch("/core/tokens/past/", &json!({"expiring": true})).await.expect(200);
    assert_eq!(swept(server).await.deleted, 1);
}

async fn at_the_very_end(server: &Server) {
    let old = make(server, json!({"identifier": "t"})).await;
    server.advance(TimeDelta::minutes(30));
    assert!(works(server, &old).await);
    assert_eq!(swept(server).await, Swept::default());
    server.advance(TimeDelta::microseconds(1));
    assert!(!works(server, &old).await);
    assert_eq!(swept(server).await.rotated, 1);
}

async fn more_than_one_portion(server: &Server) {
    let ctx = server.system();
    let mut tx = ctx.begin().await.expect("a transaction");
    let owner = tessera::resource::users::store::by_id(tx.conn(), 1).await.expect("read").expect("akadmin");
    for number in 0..450 {
        let intent = if number % 3 == 0 {
            tessera::resource::tokens::Intent::AppPassword
        } else {
            tessera::resource::tokens::Intent::Api
        };
        let token = tessera::resource::tokens::service::Decided {
            identifier: format!("t{number}"),
            intent,
            description: String::new(),
            expires: Some(ctx.now),
            expiring: true,
            managed: None,
            key: None,
        };
        tessera::resource::tokens::service::write(&ctx, &tx, &owner, token).await.expect("made");
    }
    tx.touch();
    tx.commit().await.expect("committed");
    for number in 0..250 {
        let event = json!({"action": "login", "app": format!("a{number}"), "expires": "2020-01-01T00:00:00Z"});
        server.admin().post("/events/events/", &event).await.expect(201);
    }
    server.advance(TimeDelta::seconds(1));
    let mark = server.mark().await;
    assert_eq!(swept(server).await, Swept { rotated: 300, deleted: 150, pruned: 250, erased: 0 });
    let gists = server.gists_since(&mark).await;
    assert_eq!(gists.len(), 451);
    assert_eq!(gists.iter().filter(|gist| gist.starts_with("system_task_execution")).count(), 1);
    assert_eq!(swept(server).await, Swept::default());
    assert_eq!(crate::events::findings(server).await, []);
}

async fn one_event_tells_of_it(server: &Server) {
    make(server, json!({"identifier": "api"})).await;
    make(server, json!({"identifier": "app", "intent": "app_password"})).await;
    server.advance(TimeDelta::minutes(31));
    let mark = server.mark().await;
    swept(server).await;
    let events = server.events_since(&mark).await;
    let told: Vec<_> = events.iter().filter(|e| e.action == "system_task_execution").collect();
    let [told] = told.as_slice() else { panic!("{events:?}") };
    let message = "1 tokens got a new key, 1 went; 0 events had ended, 0 were of deleted accounts.";
    assert_eq!(told.context, json!({"message": message}));
    assert_eq!(told.app, "authentik.events.tasks");
}

async fn the_system_did_it(server: &Server) {
    make(server, json!({"identifier": "api"})).await;
    make(server, json!({"identifier": "app", "intent": "app_password"})).await;
    server.advance(TimeDelta::minutes(31));
    let mark = server.mark().await;
    swept(server).await;
    for event in server.events_since(&mark).await {
        assert_eq!(event.user, json!({}), "{event:?}");
        assert!(event.context.get("http_request").is_none(), "{event:?}");
        assert_eq!(event.client_ip.as_deref(), Some("255.255.255.255"), "{event:?}");
    }
}

/// Whichever comes first, the extension holds: a token that was given more time is not lost.
async fn an_extension_against_the_sweep(server: &Server) {
    let admin = server.admin();
    for round in 0..15 {
        let (api, app) = (format!("api{round}"), format!("app{round}"));
        let old = make(server, json!({"identifier": api})).await;
        make(server, json!({"identifier": app, "intent": "app_password"})).await;
        server.advance(TimeDelta::minutes(31));
        let (api_path, app_path) = (format!("/core/tokens/{api}/"), format!("/core/tokens/{app}/"));
        let (extend, endless) = (json!({"description": "x"}), json!({"expiring": false}));
        let (extended, kept, done) =
            tokio::join!(admin.patch(&api_path, &extend), admin.patch(&app_path, &endless), sweep::once(&server.app));
        extended.expect(200);
        done.expect("swept");
        // The API token is there with the usual life, by its old key or its new one.
        let token = admin.get(&api_path).await.expect(200);
        assert_eq!((&token["description"], &token["expires"]), (&json!("x"), &extended.json()["expires"]));
        let now = server.key_of(&api).await;
        assert!(works(server, &now).await);
        assert!(now == old || !works(server, &old).await);
        // The app password went, or stays for good.
        match kept.status {
            200 => assert_eq!(admin.get(&app_path).await.expect(200)["expiring"], false),
            404 => admin.get(&app_path).await.expect_missing(),
            _ => panic!("{} {}", kept.request, kept.text()),
        }
        assert_eq!(swept(server).await, Swept::default());
    }
}

async fn a_deletion_against_the_sweep(server: &Server) {
    for round in 0..10 {
        let ann = server.person(&format!("ann{round}")).await;
        let name = format!("t{round}");
        make(server, json!({"identifier": name, "user": ann.pk})).await;
        make(server, json!({"identifier": format!("app{round}"), "user": ann.pk, "intent": "app_password"})).await;
        server.advance(TimeDelta::minutes(31));
        let user = format!("/core/users/{}/", ann.pk);
        let token = format!("/core/tokens/{name}/");
        let admin = server.admin();
        let (gone, deleted, done) = tokio::join!(admin.delete(&token), admin.delete(&user), sweep::once(&server.app));
        deleted.expect_empty(204);
        assert!(matches!(gone.status, 204 | 404), "{}", gone.text());
        done.expect("swept");
        admin.get(&token).await.expect_missing();
        assert_eq!(swept(server).await.rotated, 0);
    }
}

async fn sweeps_at_once(server: &Server) {
    for number in 0..30 {
        make(server, json!({"identifier": format!("api{number}")})).await;
        make(server, json!({"identifier": format!("app{number}"), "intent": "app_password"})).await;
    }
    server.advance(TimeDelta::minutes(31));
    let mark = server.mark().await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let app = Arc::clone(&server.app);
        tasks.spawn(async move { sweep::once(&app).await.expect("swept") });
    }
    let all = tasks.join_all().await;
    let sum = |of: fn(&Swept) -> u64| all.iter().map(of).sum::<u64>();
    assert_eq!((sum(|s| s.rotated), sum(|s| s.deleted)), (30, 30), "{all:?}");
    let gists = server.gists_since(&mark).await;
    assert_eq!(gists.iter().filter(|gist| gist.starts_with("secret_rotate")).count(), 30);
    assert_eq!(crate::events::findings(server).await, []);
}

/// A key that was replaced stays so, whatever the clock says afterwards.
async fn a_clock_that_jumps_back(server: &Server) {
    let old = make(server, json!({"identifier": "api"})).await;
    let app = make(server, json!({"identifier": "app", "intent": "app_password"})).await;
    assert!(works(server, &old).await);
    server.advance(TimeDelta::days(30));
    assert_eq!(swept(server).await, Swept { rotated: 1, deleted: 1, ..Swept::default() });
    let new = server.key_of("api").await;
    for back in [TimeDelta::days(-30), TimeDelta::days(-400), TimeDelta::days(430)] {
        server.advance(back);
        assert!(!works(server, &old).await && !works(server, &app).await, "{back}");
        assert!(works(server, &new).await);
        assert_eq!(swept(server).await, Swept::default(), "{back}");
    }
    server.admin().get("/core/tokens/app/").await.expect_missing();
    assert_eq!(crate::events::findings(server).await, []);
}

async fn keys_of_any_length(server: &Server) {
    make(server, json!({"identifier": "t"})).await;
    let settings = json!({"default_token_length": 100, "default_token_duration": "days=2"});
    server.admin().patch("/admin/settings/", &settings).await.expect(200);
    server.advance(TimeDelta::minutes(31));
    assert_eq!(swept(server).await.rotated, 1);
    assert_eq!(server.key_of("t").await.len(), 100);
    let token = server.admin().get("/core/tokens/t/").await.expect(200);
    assert_eq!(token["expires"], "2026-01-04T03:35:05.678901Z");
}

/// Tokens that end before they begin: the sweep ends all the same.
async fn a_duration_below_nothing(server: &Server) {
    for number in 0..250 {
        server.admin().post("/core/tokens/", &json!({"identifier": format!("t{number}")})).await.expect(201);
    }
    server.admin().patch("/admin/settings/", &json!({"default_token_duration": "hours=-1"})).await.expect(200);
    server.advance(TimeDelta::minutes(31));
    let patience = std::time::Duration::from_secs(60);
    let done = tokio::time::timeout(patience, sweep::once(&server.app)).await.expect("the sweep ends");
    assert_eq!(done.expect("swept").rotated, 250);
}

async fn use_is_forgotten_with_the_token(server: &Server) {
    let ann = server.person("ann").await;
    ann.client.get("/core/users/me/").await.expect(200);
    tessera::resource::tokens::usage::write(&server.app).await.expect("written");
    let rows = server.number("SELECT count(*) FROM token_usage").await;
    server
        .admin()
        .patch("/core/tokens/ann-login/", &json!({"intent": "app_password", "expiring": true}))
        .await
        .expect(200);
    server.advance(TimeDelta::minutes(31));
    assert_eq!(swept(server).await.deleted, 1);
    assert!(server.number("SELECT count(*) FROM token_usage").await < rows + 1);
    let left = "SELECT count(*) FROM token_usage WHERE token_id NOT IN (SELECT id FROM tokens)";
    assert_eq!(server.number(left).await, 0);
}

async fn a_database_that_is_away(server: &Server) {
    let old = make(server, json!({"identifier": "t"})).await;
    server.advance(TimeDelta::minutes(31));
    server.sql("ALTER TABLE events RENAME TO hidden").await;
    assert!(sweep::once(&server.app).await.is_err());
    server.sql("ALTER TABLE hidden RENAME TO events").await;
    assert_eq!(server.key_of("t").await, old, "without its event nothing happens");
    assert_eq!(swept(server).await.rotated, 1);
    assert_eq!(crate::events::findings(server).await, []);
}
