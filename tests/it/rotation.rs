//! `core/tokens/{identifier}/rotate/`: a new key, and how long the former one goes on working.

use crate::harness::{BOOTSTRAP_TOKEN, Client, Server, tests};
use chrono::TimeDelta;
use http::Method;
use serde_json::{Value, json};
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

tests![
    the_former_key_stops_at_once,
    the_former_key_goes_on_for_a_while,
    an_overlap_ends_on_the_dot,
    never_beyond_the_tokens_own_end,
    a_second_rotation_ends_the_first_overlap,
    set_key_ends_an_overlap,
    the_sweep_ends_an_overlap,
    a_former_key_is_nobody_elses,
    app_passwords,
    ended_api_tokens_live_again,
    faulty_overlaps,
    faulty_bodies,
    who_may,
    a_rotated_key_acts_as_its_owner,
    rotations_at_once,
    rotation_against_deletion,
    rotation_against_use,
    overlap_of_an_edited_token,
    overlaps_survive_a_restart,
];

const ME: &str = "/core/users/me/";

async fn rotate(server: &Server, identifier: &str, body: Value) -> Value {
    server.admin().post(&format!("/core/tokens/{identifier}/rotate/"), &body).await.expect(200)
}

fn key(rotated: &Value) -> &str {
    rotated["key"].as_str().expect("a key")
}

/// Which of the keys let somebody in.
async fn work(server: &Server, keys: &[&str]) -> Vec<bool> {
    let mut work = Vec::new();
    for key in keys {
        let answer = server.with_key(key).get(ME).await;
        if answer.status != 200 {
            answer.expect_detail(403, "Token invalid/expired");
        }
        work.push(answer.status == 200);
    }
    work
}

/// An API token that ends, and its key.
async fn token(server: &Server, identifier: &str) -> String {
    server.admin().post("/core/tokens/", &json!({"identifier": identifier})).await.expect(201);
    server.key_of(identifier).await
}

async fn the_former_key_stops_at_once(server: &Server) {
    for (name, body) in [("a", json!({})), ("b", json!({"overlap": "seconds=0"})), ("c", json!({"unknown": 1}))] {
        let old = token(server, name).await;
        assert_eq!(work(server, &[&old]).await, [true]);
        let mark = server.mark().await;
        server.advance(TimeDelta::minutes(1));
        let rotated = rotate(server, name, body).await;
        let fields: Vec<&String> = rotated.as_object().expect("an object").keys().collect();
        assert_eq!(fields, ["key", "expires", "previous_key_expires"]);
        assert_eq!(rotated["previous_key_expires"], Value::Null);
        let shown = server.admin().get(&format!("/core/tokens/{name}/")).await.expect(200);
        assert_eq!(rotated["expires"], shown["expires"]);
        assert_eq!(work(server, &[&old, key(&rotated)]).await, [false, true]);
        let events = server.events_since(&mark).await;
        let [event] = events.as_slice() else { panic!("{events:?}") };
        assert_eq!(event.action, "secret_rotate");
        assert_eq!(event.context["message"], format!("Token {name}'s secret was rotated."));
        assert_eq!(event.user["username"], "akadmin");
        assert_eq!(server.key_of(name).await, key(&rotated));
    }
    // An API token lives as long as after any edit.
    let shown = server.admin().get("/core/tokens/c/").await.expect(200);
    assert_eq!(shown["expires"], "2026-01-02T03:37:05.678901Z");
    // A token without an end has none.
    let endless = rotate(server, "authentik-bootstrap-token", json!({})).await;
    assert_eq!(endless["expires"], Value::Null);
    assert_eq!(work(server, &[BOOTSTRAP_TOKEN, key(&endless)]).await, [false, true]);
}

async fn the_former_key_goes_on_for_a_while(server: &Server) {
    let ann = server.person("ann").await;
    let rotated = rotate(server, "ann-login", json!({"overlap": "days=7"})).await;
    assert_eq!(rotated["previous_key_expires"], "2026-01-09T03:04:05.678901Z");
    assert_eq!(work(server, &[&ann.key, key(&rotated)]).await, [true, true]);
    server.advance(TimeDelta::days(7));
    assert_eq!(work(server, &[&ann.key, key(&rotated)]).await, [true, true]);
    server.advance(TimeDelta::microseconds(1));
    assert_eq!(work(server, &[&ann.key, key(&rotated)]).await, [false, true]);
    // It is not brought back by a clock that is.
    let shown = server.key_of("ann-login").await;
    assert_eq!(shown, key(&rotated), "the former key is never shown");
}

async fn an_overlap_ends_on_the_dot(server: &Server) {
    for (number, (overlap, micros)) in
        [("microseconds=1", 1), ("milliseconds=1.5", 1500), ("seconds=1;milliseconds=1", 1_001_000)]
            .into_iter()
            .enumerate()
    {
        let ann = server.person(&format!("ann{number}")).await;
        rotate(server, &format!("ann{number}-login"), json!({"overlap": overlap})).await;
        server.advance(TimeDelta::microseconds(micros));
        // Remembered and looked up alike.
        for _ in 0..2 {
            assert_eq!(work(server, &[&ann.key]).await, [true], "{overlap}");
        }
        server.advance(TimeDelta::microseconds(1));
        for _ in 0..2 {
            assert_eq!(work(server, &[&ann.key]).await, [false], "{overlap}");
        }
    }
}

async fn never_beyond_the_tokens_own_end(server: &Server) {
    let old = token(server, "t").await;
    server.advance(TimeDelta::minutes(29));
    let rotated = rotate(server, "t", json!({"overlap": "hours=1"})).await;
    // The token lives 30 minutes more; the former key would have ended in one.
    assert_eq!(rotated["expires"], "2026-01-02T04:03:05.678901Z");
    assert_eq!(rotated["previous_key_expires"], "2026-01-02T03:34:05.678901Z");
    server.advance(TimeDelta::minutes(1));
    assert_eq!(work(server, &[&old, key(&rotated)]).await, [true, true]);
    server.advance(TimeDelta::microseconds(1));
    assert_eq!(work(server, &[&old, key(&rotated)]).await, [false, true]);
}

async fn a_second_rotation_ends_the_first_overlap(server: &Server) {
    let ann = server.person("ann").await;
    let first = rotate(server, "ann-login", json!({"overlap": "hours=1"})).await;
    assert_eq!(work(server, &[&ann.key, key(&first)]).await, [true, true]);
    let second = rotate(server, "ann-login", json!({"overlap": "hours=1"})).await;
    assert_eq!(work(server, &[&ann.key, key(&first), key(&second)]).await, [false, true, true]);
    let third = rotate(server, "ann-login", json!({})).await;
    assert_eq!(work(server, &[&ann.key, key(&first), key(&second), key(&third)]).await, [false, false, false, true]);
}

async fn set_key_ends_an_overlap(server: &Server) {
    let ann = server.person("ann").await;
    let rotated = rotate(server, "ann-login", json!({"overlap": "hours=1"})).await;
    let set = json!({"key": "chosen"});
    server.admin().post("/core/tokens/ann-login/set_key/", &set).await.expect_empty(204);
    assert_eq!(work(server, &[&ann.key, key(&rotated), "chosen"]).await, [false, false, true]);
    // Back to the former one, while it is still the token's own.
    let again = rotate(server, "ann-login", json!({"overlap": "hours=1"})).await;
    server.admin().post("/core/tokens/ann-login/set_key/", &set).await.expect_empty(204);
    assert_eq!(work(server, &["chosen", key(&again)]).await, [true, false]);
}

async fn the_sweep_ends_an_overlap(server: &Server) {
    let old = token(server, "t").await;
    let rotated = rotate(server, "t", json!({"overlap": "days=1"})).await;
    server.advance(TimeDelta::minutes(31));
    assert_eq!(tessera::jobs::sweep::once(&server.app).await.expect("swept").rotated, 1);
    let new = server.key_of("t").await;
    assert_eq!(work(server, &[&old, key(&rotated), &new]).await, [false, false, true]);
    // Whatever the clock says then.
    server.advance(TimeDelta::minutes(-31));
    assert_eq!(work(server, &[&old, key(&rotated), &new]).await, [false, false, true]);
}

async fn a_former_key_is_nobody_elses(server: &Server) {
    let ann = server.person("ann").await;
    let rotated = rotate(server, "ann-login", json!({"overlap": "hours=1"})).await;
    token(server, "t").await;
    for taken in [ann.key.as_str(), key(&rotated)] {
        let answer = server.admin().post("/core/tokens/t/set_key/", &json!({"key": taken})).await;
        answer.expect_faults(json!({"key": ["This field must be unique."]}));
    }
    let me = server.with_key(&ann.key).get(ME).await.expect(200);
    assert_eq!(me["user"]["username"], "ann");
    // Given back at once without an overlap.
    rotate(server, "ann-login", json!({})).await;
    server.admin().post("/core/tokens/t/set_key/", &json!({"key": ann.key})).await.expect_empty(204);
    assert_eq!(server.with_key(&ann.key).get(ME).await.expect(200)["user"]["username"], "akadmin");
}

async fn app_passwords(server: &Server) {
    let admin = server.admin();
    let body = json!({"identifier": "app", "intent": "app_password", "expires": "2026-01-02T03:10:00Z"});
    admin.post("/core/tokens/", &body).await.expect(201);
    let old = server.key_of("app").await;
    let rotated = rotate(server, "app", json!({"overlap": "hours=1"})).await;
    // Its end stays, and holds for the former key too.
    assert_eq!(rotated["expires"], "2026-01-02T03:10:00Z");
    assert_eq!(rotated["previous_key_expires"], "2026-01-02T03:10:00Z");
    assert_ne!(key(&rotated), old);
    assert_eq!(work(server, &[&old, key(&rotated)]).await, [false, false], "no key of the API");
    server.advance(TimeDelta::minutes(10));
    let mark = server.mark().await;
    let ended = json!({"non_field_errors": ["The token has ended."]});
    admin.post("/core/tokens/app/rotate/", &json!({})).await.expect_faults(ended);
    assert_eq!(server.key_of("app").await, key(&rotated));
    assert_eq!(server.gists_since(&mark).await.len(), 1, "the look at the key");
    let endless = json!({"identifier": "endless", "intent": "app_password", "expiring": false});
    admin.post("/core/tokens/", &endless).await.expect(201);
    assert_eq!(rotate(server, "endless", json!({})).await["expires"], Value::Null);
}

async fn ended_api_tokens_live_again(server: &Server) {
    let old = token(server, "t").await;
    server.advance(TimeDelta::hours(1));
    let rotated = rotate(server, "t", json!({"overlap": "hours=1"})).await;
    assert_eq!(rotated["previous_key_expires"], Value::Null, "the former key has ended already");
    assert_eq!(rotated["expires"], "2026-01-02T04:34:05.678901Z");
    assert_eq!(work(server, &[&old, key(&rotated)]).await, [false, true]);
}

async fn faulty_overlaps(server: &Server) {
    let old = token(server, "t").await;
    let mark = server.mark().await;
    let format = |text: &str| format!("{text} is not in the correct format of 'hours=3;minutes=1'.");
    let range = "The overlap must be between nothing and 7 days.".to_owned();
    for (value, text) in [
        (json!("hours=-1"), range.clone()),
        (json!("microseconds=-1"), range.clone()),
        (json!("days=7;microseconds=1"), range.clone()),
        (json!("weeks=500000"), range),
        (json!("soon"), format("soon")),
        (json!("minutes=10;"), format("minutes=10;")),
        (json!("weeks=99999999999"), format("weeks=99999999999")),
        (json!(10), format("10")),
        (json!(1.5), format("1.5")),
        (json!(""), "This field may not be blank.".to_owned()),
        (json!(null), "This field may not be null.".to_owned()),
        (json!(true), "Not a valid string.".to_owned()),
        (json!([]), "Not a valid string.".to_owned()),
    ] {
        let answer = server.admin().post("/core/tokens/t/rotate/", &json!({"overlap": value})).await;
        answer.expect_faults(json!({"overlap": [text]}));
    }
    assert_eq!(server.gists_since(&mark).await, Vec::<String>::new());
    assert_eq!(work(server, &[&old]).await, [true]);
}

async fn faulty_bodies(server: &Server) {
    let old = token(server, "t").await;
    let admin = server.admin();
    let path = "/core/tokens/t/rotate/";
    for body in [json!([]), json!("minutes=5"), json!(5), json!(null)] {
        admin.post(path, &body).await.expect(400);
    }
    let draft = admin.request(Method::POST, path).header("content-type", "application/json");
    draft.body("{\"overlap\":").send().await.expect(400);
    let form = admin.request(Method::POST, path).header("content-type", "application/x-www-form-urlencoded");
    form.body("overlap=minutes%3D5").send().await.expect(415);
    admin.get(path).await.expect_detail(405, "Method \"GET\" not allowed.");
    assert_eq!(work(server, &[&old]).await, [true]);
    // Without a body as with an empty one.
    admin.request(Method::POST, path).send().await.expect(200);
    assert_eq!(work(server, &[&old]).await, [false]);
}

async fn who_may(server: &Server) {
    let (ann, bob) = (server.person("ann").await, server.person("bob").await);
    // Made by the administrator: the owner may use it, not see its key.
    ann.client.post("/core/tokens/ann-login/rotate/", &json!({})).await.expect_forbidden();
    ann.client.post("/core/tokens/ann-login/rotate/", &json!({"overlap": 5})).await.expect_forbidden();
    ann.client.post("/core/tokens/", &json!({"identifier": "own"})).await.expect(201);
    let rotated = ann.client.post("/core/tokens/own/rotate/", &json!({})).await.expect(200);
    assert_eq!(work(server, &[key(&rotated)]).await, [true]);
    // Others' do not exist, whatever one holds.
    for permission in ["authentik_core.view_token_key", "authentik_core.view_token", "authentik_core.change_token"] {
        server.grant(bob.holder(), permission, None).await;
        bob.client.post("/core/tokens/own/rotate/", &json!({})).await.expect_missing();
        bob.client.post("/core/tokens/none/rotate/", &json!({})).await.expect_missing();
    }
    let me = bob.client.post("/core/tokens/bob-login/rotate/", &json!({})).await.expect(200);
    bob.client.get(ME).await.expect_detail(403, "Token invalid/expired");
    server.with_key(key(&me)).get(ME).await.expect(200);
    server.anonymous().post("/core/tokens/own/rotate/", &json!({})).await.expect(403);
    server.admin().post("/core/tokens/none/rotate/", &json!({})).await.expect_missing();
    assert_eq!(work(server, &[key(&rotated), &ann.key]).await, [true, true]);
}

async fn a_rotated_key_acts_as_its_owner(server: &Server) {
    let ann = server.person("ann").await;
    let rotated = rotate(server, "ann-login", json!({"overlap": "hours=1"})).await;
    for key in [&ann.key, key(&rotated)] {
        let me = server.with_key(key).get(ME).await.expect(200);
        assert_eq!(me["user"]["pk"], ann.pk);
    }
    // What ends the account ends both.
    server.admin().patch(&format!("/core/users/{}/", ann.pk), &json!({"is_active": false})).await.expect(200);
    assert_eq!(work(server, &[&ann.key, key(&rotated)]).await, [false, false]);
    server.admin().patch(&format!("/core/users/{}/", ann.pk), &json!({"is_active": true})).await.expect(200);
    assert_eq!(work(server, &[&ann.key, key(&rotated)]).await, [true, true]);
    server.admin().patch("/core/tokens/ann-login/", &json!({"intent": "app_password"})).await.expect(200);
    assert_eq!(work(server, &[&ann.key, key(&rotated)]).await, [false, false]);
    server.admin().delete("/core/tokens/ann-login/").await.expect_empty(204);
    assert_eq!(work(server, &[&ann.key, key(&rotated)]).await, [false, false]);
}

async fn rotations_at_once(server: &Server) {
    for round in 0..5 {
        let name = format!("t{round}");
        let old = token(server, &name).await;
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let (client, path) = (server.admin(), format!("/core/tokens/{name}/rotate/"));
            tasks.spawn(async move { client.post(&path, &json!({})).await.expect(200)["key"].clone() });
        }
        let keys: Vec<Value> = tasks.join_all().await;
        let keys: Vec<&str> = keys.iter().map(|key| key.as_str().expect("a key")).collect();
        let working = work(server, &keys).await;
        assert_eq!(working.iter().filter(|works| **works).count(), 1, "{working:?}");
        assert_eq!(work(server, &[&old]).await, [false]);
        let shown = server.key_of(&name).await;
        assert_eq!(keys.iter().position(|key| *key == shown), working.iter().position(|works| *works));
    }
}

async fn rotation_against_deletion(server: &Server) {
    for round in 0..10 {
        let name = format!("t{round}");
        let old = token(server, &name).await;
        let (path, admin) = (format!("/core/tokens/{name}/"), server.admin());
        let rotation = format!("{path}rotate/");
        let body = json!({"overlap": "minutes=5"});
        let (rotated, deleted) = tokio::join!(admin.post(&rotation, &body), admin.delete(&path));
        deleted.expect_empty(204);
        assert!(matches!(rotated.status, 200 | 404), "{} {}", rotated.request, rotated.text());
        let new = rotated.json()["key"].as_str().unwrap_or("none").to_owned();
        assert_eq!(work(server, &[&old, &new]).await, [false, false]);
    }
}

/// Without a gap for whoever switches over in time, and without a way in for whoever does not.
async fn rotation_against_use(server: &Server) {
    let ann = server.person("ann").await;
    let keys = Arc::new(Mutex::new(vec![ann.key.clone()]));
    // How many keys there were when each client last got through; none goes on once this is large.
    let seen: Arc<Vec<AtomicUsize>> = Arc::new((0..32).map(|_| AtomicUsize::new(0)).collect());
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..seen.len() {
        let (address, keys, seen) = (server.address(), Arc::clone(&keys), Arc::clone(&seen));
        tasks.spawn(async move {
            while seen[number].load(Ordering::SeqCst) < 4 {
                let (count, key) = {
                    let keys = keys.lock().expect("the keys");
                    (keys.len(), keys.last().expect("a key").clone())
                };
                Client::new(address, Some(key)).get(ME).await.expect(200);
                seen[number].store(count, Ordering::SeqCst);
            }
        });
    }
    for count in 1..4 {
        // Everybody has the newest key before there is another one.
        while seen.iter().any(|seen| seen.load(Ordering::SeqCst) < count) {
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
        let rotated = rotate(server, "ann-login", json!({"overlap": "hours=1"})).await;
        keys.lock().expect("the keys").push(key(&rotated).to_owned());
    }
    while let Some(task) = tasks.join_next().await {
        task.expect("let in all the time");
    }
    let all = keys.lock().expect("the keys").clone();
    assert_eq!(work(server, &all.iter().map(String::as_str).collect::<Vec<_>>()).await, [false, false, true, true]);
}

async fn overlap_of_an_edited_token(server: &Server) {
    let old = token(server, "t").await;
    rotate(server, "t", json!({"overlap": "minutes=10"})).await;
    server.advance(TimeDelta::minutes(5));
    // An edit gives the token more time, not the former key.
    server.admin().patch("/core/tokens/t/", &json!({"description": "x", "expiring": false})).await.expect(200);
    server.advance(TimeDelta::minutes(5));
    assert_eq!(work(server, &[&old]).await, [true]);
    server.advance(TimeDelta::microseconds(1));
    assert_eq!(work(server, &[&old]).await, [false]);
    // And an end that comes earlier is one for both.
    let body = json!({"identifier": "u", "intent": "api", "expiring": false});
    server.admin().post("/core/tokens/", &body).await.expect(201);
    let old = server.key_of("u").await;
    let rotated = rotate(server, "u", json!({"overlap": "days=1"})).await;
    server.admin().patch("/core/tokens/u/", &json!({"expiring": true})).await.expect(200);
    assert_eq!(work(server, &[&old, key(&rotated)]).await, [true, true]);
    server.advance(TimeDelta::minutes(31));
    assert_eq!(work(server, &[&old, key(&rotated)]).await, [false, false]);
}

async fn overlaps_survive_a_restart(server: &Server) {
    let first = server.another(|_| {}).await;
    let ann = first.person("ann").await;
    let rotated = rotate(&first, "ann-login", json!({"overlap": "minutes=10"})).await;
    let second = first.stop().await.start().await;
    assert_eq!(work(&second, &[&ann.key, key(&rotated)]).await, [true, true]);
    second.advance(TimeDelta::minutes(11));
    assert_eq!(work(&second, &[&ann.key, key(&rotated)]).await, [false, true]);
    second.end().await;
}
