//! The audit trail: each change writes its events, in its transaction, and nothing else does
//! (contract: authentik-core §7).

use crate::harness::{Server, tests};
use http::Method;
use sea_orm::ConnectionTrait as _;
use serde_json::{Value, json};

tests![
    tokens_write_their_events,
    users_write_their_events,
    groups_write_their_events,
    reading_writes_nothing,
    refusals_write_nothing,
    events_say_who_and_where,
    created_events_have_a_diff,
    updated_events_have_none,
    password_events_are_of_the_user,
    names_of_ended_tokens,
    query_secrets_are_masked,
    without_its_event_nothing_happens,
];

async fn check(server: &Server, method: Method, path: &str, body: Value, status: u16, expected: &[&str]) -> Value {
    let mark = server.mark().await;
    let draft = server.admin().request(method, path);
    let draft = if body.is_null() { draft } else { draft.json(&body) };
    let answer = draft.send().await.expect(status);
    let got = server.gists_since(&mark).await;
    assert_eq!(got, expected, "{path} {body}");
    answer
}

async fn tokens_write_their_events(server: &Server) {
    let (path, one) = ("/core/tokens/", "/core/tokens/t/");
    let body = json!({"identifier": "t", "expiring": false});
    check(server, Method::POST, path, body, 201, &["model_created token t"]).await;
    check(server, Method::PATCH, one, json!({"description": "x"}), 200, &["model_updated token t"]).await;
    check(server, Method::PUT, one, json!({"identifier": "t"}), 200, &["model_updated token t"]).await;
    check(server, Method::GET, &format!("{one}view_key/"), json!(null), 200, &["secret_view token t"]).await;
    // The original writes it twice, once in general and once for the action.
    let mark = server.mark().await;
    server.admin().post(&format!("{one}set_key/"), &json!({"key": "x"})).await.expect_empty(204);
    let got = server.gists_since(&mark).await;
    assert!(!got.is_empty() && got.iter().all(|gist| gist == "model_updated token t") && got.len() <= 2, "{got:?}");
    check(server, Method::PATCH, one, json!({"identifier": "u"}), 200, &["model_updated token u"]).await;
    check(server, Method::DELETE, "/core/tokens/u/", json!(null), 204, &["model_deleted token u"]).await;
}

async fn users_write_their_events(server: &Server) {
    let body = json!({"username": "ann", "name": ""});
    let user = check(server, Method::POST, "/core/users/", body, 201, &["model_created user ann"]).await;
    let one = format!("/core/users/{}/", user["pk"]);
    check(server, Method::PATCH, &one, json!({"name": "x"}), 200, &["model_updated user ann"]).await;
    let put = json!({"username": "ann", "name": "y"});
    check(server, Method::PUT, &one, put, 200, &["model_updated user ann"]).await;
    let both = ["model_updated user ann", "password_set user ann"];
    let mark = server.mark().await;
    server.admin().post(&format!("{one}set_password/"), &json!({"password": "x"})).await.expect_empty(204);
    let got = server.gists_since(&mark).await;
    assert_eq!(got.len(), 2, "{got:?}");
    assert_eq!(got[0], both[0]);
    assert!(got[1].starts_with("password_set"), "{got:?}");
    check(server, Method::DELETE, &one, json!(null), 204, &["model_deleted user ann"]).await;
    let mark = server.mark().await;
    server
        .admin()
        .post("/core/users/service_account/", &json!({"name": "svc", "create_group": true}))
        .await
        .expect(200);
    let got = server.gists_since(&mark).await;
    for expected in ["model_created group svc", "model_created user svc"] {
        assert!(got.iter().any(|gist| gist == expected), "{expected} is missing in {got:?}");
    }
    assert!(got.iter().any(|g| g.starts_with("model_created token service-account-svc-password")), "{got:?}");
}

async fn groups_write_their_events(server: &Server) {
    let ann = server.person("ann").await;
    let body = json!({"name": "g"});
    let group = check(server, Method::POST, "/core/groups/", body, 201, &["model_created group g"]).await;
    let one = format!("/core/groups/{}/", group["pk"].as_str().expect("text"));
    check(server, Method::PATCH, &one, json!({"attributes": {"a": 1}}), 200, &["model_updated group g"]).await;
    check(server, Method::PUT, &one, json!({"name": "g"}), 200, &["model_updated group g"]).await;
    let pk = json!({"pk": ann.pk});
    for action in ["add_user", "remove_user"] {
        let mark = server.mark().await;
        server.admin().post(&format!("{one}{action}/"), &pk).await.expect_empty(204);
        let got = server.gists_since(&mark).await;
        assert!(got.iter().any(|gist| gist.starts_with("model_updated")), "{action}: {got:?}");
    }
    check(server, Method::DELETE, &one, json!(null), 204, &["model_deleted group g"]).await;
}

async fn reading_writes_nothing(server: &Server) {
    let ann = server.person("ann").await;
    let mark = server.mark().await;
    for client in [server.admin(), ann.client] {
        for path in [
            "/core/tokens/",
            "/core/tokens/ann-login/",
            "/core/tokens/ann-login/used_by/",
            "/core/users/",
            "/core/users/me/",
            "/core/groups/",
            "/core/users/paths/",
            "/admin/version/",
            "/root/config/",
            "/schema/",
        ] {
            client.get(path).await;
            client.request(Method::HEAD, path).send().await;
            client.request(Method::OPTIONS, path).send().await;
        }
    }
    assert_eq!(server.gists_since(&mark).await, Vec::<String>::new());
}

async fn refusals_write_nothing(server: &Server) {
    let ann = server.person("ann").await;
    let mark = server.mark().await;
    let admin = server.admin();
    admin.post("/core/tokens/", &json!({"identifier": "ann-login"})).await.expect(400);
    admin.post("/core/users/", &json!({"username": "ann", "name": ""})).await.expect(400);
    admin.post("/core/users/service_account/", &json!({"name": "ann"})).await.expect(400);
    admin.delete("/core/tokens/none/").await.expect(404);
    ann.client.get("/core/tokens/ann-login/view_key/").await.expect(403);
    ann.client.post("/core/tokens/ann-login/set_key/", &json!({"key": "x"})).await.expect(403);
    ann.client.delete("/core/tokens/authentik-bootstrap-token/").await.expect(404);
    server.with_key("wrong").delete("/core/tokens/ann-login/").await.expect(403);
    assert_eq!(server.gists_since(&mark).await, Vec::<String>::new());
}

async fn events_say_who_and_where(server: &Server) {
    let ann = server.person_with("ann", json!({"email": "ann@example.org"})).await;
    let mark = server.mark().await;
    let draft = ann.client.request(Method::POST, "/core/tokens/?a=1&b=c+d").header("user-agent", "the tests/1");
    let answer = draft.json(&json!({"identifier": "t"})).send().await;
    let token = answer.expect(201);
    let events = server.events_since(&mark).await;
    let [event] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(event.user, json!({"pk": ann.pk, "username": "ann", "email": "ann@example.org"}));
    assert_eq!(event.app, "authentik.events.middleware");
    assert_eq!(event.client_ip.as_deref(), Some("127.0.0.1"));
    let request = json!({
        "path": "/api/v3/core/tokens/", "method": "POST", "args": {"a": "1", "b": "c d"}, "user_agent": "the tests/1",
        "request_id": answer.header("x-authentik-id"),
    });
    assert_eq!(event.context["http_request"], request);
    let model = &event.context["model"];
    let pk = token["pk"].as_str().expect("text").replace('-', "");
    assert_eq!(
        (&model["app"], &model["model_name"], &model["pk"]),
        (&json!("authentik_core"), &json!("token"), &json!(pk))
    );
}

async fn created_events_have_a_diff(server: &Server) {
    let mark = server.mark().await;
    let group = server.group("g", json!({"attributes": {"password": "hunter2", "colour": "red"}})).await;
    let events = server.events_since(&mark).await;
    let context = &events[0].context;
    assert_eq!(context["model"]["pk"], group.replace('-', ""));
    assert_eq!(context["diff"]["name"], json!({"previous_value": null, "new_value": "g"}));
    assert!(!context.to_string().contains("hunter2"), "{context}");
}

async fn updated_events_have_none(server: &Server) {
    server.group("g", json!({})).await;
    server.admin().post("/core/tokens/", &json!({"identifier": "t"})).await.expect(201);
    let mark = server.mark().await;
    server.admin().patch("/core/tokens/t/", &json!({"description": "x"})).await.expect(200);
    let events = server.events_since(&mark).await;
    assert!(events[0].context.get("diff").is_none(), "{:?}", events[0]);
}

async fn password_events_are_of_the_user(server: &Server) {
    let ann = server.person("ann").await;
    let mark = server.mark().await;
    server
        .admin()
        .post(&format!("/core/users/{}/set_password/", ann.pk), &json!({"password": "x"}))
        .await
        .expect_empty(204);
    let events = server.events_since(&mark).await;
    let set = events.iter().find(|e| e.action == "password_set").expect("an event");
    assert_eq!((&set.user["pk"], &set.user["username"]), (&json!(ann.pk), &json!("ann")));
    assert_eq!(set.client_ip.as_deref(), Some("255.255.255.255"));
    let updated = events.iter().find(|e| e.action == "model_updated").expect("an event");
    assert_eq!(updated.user["username"], "akadmin");
}

async fn names_of_ended_tokens(server: &Server) {
    let mark = server.mark().await;
    server.admin().post("/core/tokens/", &json!({"identifier": "t"})).await.expect(201);
    server.key_of("t").await;
    let gists = server.gists_since(&mark).await;
    let view = gists.iter().find(|g| g.starts_with("secret_view")).expect("an event");
    assert_eq!(view, "secret_view token t (expires=2026-01-02 03:34:05.678901+00:00)");
}

async fn query_secrets_are_masked(server: &Server) {
    let mark = server.mark().await;
    let path = "/core/tokens/?token=abcdef&API_KEY=ghijkl&plain=mnopqr";
    server.admin().post(path, &json!({"identifier": "t"})).await.expect(201);
    let events = server.events_since(&mark).await;
    let args = &events[0].context["http_request"]["args"];
    assert_eq!(*args, json!({"token": "********************", "API_KEY": "********************", "plain": "mnopqr"}));
}

async fn without_its_event_nothing_happens(server: &Server) {
    let admin = server.admin();
    let ann = server.person("ann").await;
    let group = format!("/core/groups/{}/", server.group("g", json!({})).await);
    let user = format!("/core/users/{}/", ann.pk);
    let state = async || {
        let mut all = Vec::new();
        for path in ["/core/tokens/", "/core/users/", "/core/groups/"] {
            all.push(admin.get(path).await.expect(200));
        }
        all
    };
    let before = state().await;
    let db = server.app.db.write();
    db.execute_unprepared("ALTER TABLE events RENAME TO hidden").await.expect("renamed");
    for (method, path, body) in [
        (Method::POST, "/core/tokens/", json!({"identifier": "t"})),
        (Method::PATCH, "/core/tokens/ann-login/", json!({"description": "x"})),
        (Method::POST, "/core/tokens/ann-login/set_key/", json!({"key": "x"})),
        (Method::DELETE, "/core/tokens/ann-login/", json!({})),
        (Method::GET, "/core/tokens/ann-login/view_key/", json!({})),
        (Method::POST, "/core/users/", json!({"username": "n", "name": ""})),
        (Method::PATCH, &user, json!({"name": "x"})),
        (Method::POST, &format!("{user}set_password/"), json!({"password": "x"})),
        (Method::DELETE, &user, json!({})),
        (Method::POST, "/core/users/service_account/", json!({"name": "s", "create_group": true})),
        (Method::POST, "/core/groups/", json!({"name": "n"})),
        (Method::PATCH, &group, json!({"name": "n"})),
        (Method::POST, &format!("{group}add_user/"), json!({"pk": ann.pk})),
        (Method::DELETE, &group, json!({})),
    ] {
        let answer = admin.request(method, path).json(&body).untapped().send().await;
        assert!(matches!(answer.status, 500 | 503), "{}: {}", answer.request, answer.status);
        let id = answer.header("x-authentik-id").expect("an id").to_owned();
        let text = answer.json()["detail"].as_str().expect("text").to_owned();
        assert!(text.contains(&id), "the caller learns under which id the log has it: {text}");
        assert!(!text.contains("events") && !text.contains("ann"), "and nothing else: {text}");
    }
    db.execute_unprepared("ALTER TABLE hidden RENAME TO events").await.expect("renamed");
    assert_eq!(state().await, before);
    assert_eq!(server.key_of("ann-login").await, ann.key);
    ann.client.get("/core/users/me/").await.expect(200);
}
