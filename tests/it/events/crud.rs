//! Writing, changing and removing events by hand, who may, and what is refused.

use super::{PATH, UNKNOWN, one, write};
use crate::harness::{Server, tests};
use http::Method;
use serde_json::{Value, json};

tests![
    created_events_have_defaults,
    created_events_are_kept_as_given,
    put_and_patch_keep_what_is_not_said,
    what_the_server_sets_is_not_taken,
    deleted_once,
    changes_by_hand_are_events,
    required_fields,
    actions_are_choices,
    addresses,
    texts,
    ends,
    nul_is_refused,
    null_is_refused_where_it_means_nothing,
    unknown_events,
    unknown_paths_and_methods,
    anonymous,
    without_permission,
    permissions_at_large,
    permissions_on_one,
    grants_go_with_the_event,
];

/// The beginning of the tests' clock, and the usual retention later.
const NOW: &str = "2026-01-02T03:04:05.678901Z";
const USUAL_END: &str = "2027-01-02T03:04:05.678901Z";

fn brand() -> Value {
    json!({"app": "authentik_brands", "model_name": "brand", "pk": "0".repeat(32), "name": "Brand fallback"})
}

async fn created_events_have_defaults(server: &Server) {
    let event = server.admin().post(PATH, &json!({"action": "login", "app": "tests"})).await.expect(201);
    let expected = json!({
        "pk": event["pk"], "user": {}, "action": "login", "app": "tests", "context": {}, "client_ip": null,
        "created": NOW, "expires": USUAL_END, "brand": brand(),
    });
    assert_eq!(event, expected);
    let order: Vec<&String> = event.as_object().expect("an object").keys().collect();
    assert_eq!(order, ["pk", "user", "action", "app", "context", "client_ip", "created", "expires", "brand"]);
    server.admin().get(&one(&event)).await.expect_body(200, &expected);
}

async fn created_events_are_kept_as_given(server: &Server) {
    // Nothing is masked: the writer chose what to say.
    let fields = json!({
        "action": "custom_", "app": "org.example.backup", "user": {"pk": 77, "username": "svc", "is_anonymous": false},
        "context": {"password": "hunter2", "list": [null, "", 0, [], {}], "ü": "☃", "deep": {"a": {"b": [1.5, -2]}}},
        "client_ip": "192.0.2.17", "expires": "2020-01-01T00:00:00Z", "brand": {"name": "ours"},
    });
    let event = write(server, fields.clone()).await;
    for (name, value) in fields.as_object().expect("an object") {
        assert_eq!(event[name], *value, "{name}");
    }
    assert_eq!(event["created"], NOW);
    server.admin().get(&one(&event)).await.expect_body(200, &event);
    for value in [json!([]), json!("text"), json!(5), json!(1.25), json!(true), json!([{"a": null}]), json!("")] {
        let event = write(server, json!({"user": value, "context": value, "brand": value})).await;
        assert_eq!((&event["user"], &event["context"], &event["brand"]), (&value, &value, &value));
        server.admin().get(&one(&event)).await.expect_body(200, &event);
    }
}

async fn put_and_patch_keep_what_is_not_said(server: &Server) {
    let admin = server.admin();
    let mut event = write(server, json!({"context": {"a": 1}, "user": {"pk": 5}, "client_ip": "::1"})).await;
    let path = one(&event);
    server.advance(chrono::TimeDelta::hours(1));
    event["action"] = json!("logout");
    event["app"] = json!("other");
    admin.put(&path, &json!({"action": "logout", "app": "other"})).await.expect_body(200, &event);
    for (name, value) in [
        ("action", json!("user_write")),
        ("app", json!("third")),
        ("context", json!({"b": [2]})),
        ("user", json!({"pk": 6})),
        ("client_ip", json!("2001:db8::7")),
        ("client_ip", json!(null)),
        ("expires", json!("2030-05-06T07:08:09.000001Z")),
        ("brand", json!("none")),
    ] {
        event[name] = value.clone();
        admin.patch(&path, &json!({ name: value })).await.expect_body(200, &event);
        admin.get(&path).await.expect_body(200, &event);
    }
    admin.patch(&path, &json!({})).await.expect_body(200, &event);
    let whole = json!({
        "action": "login", "app": "all", "context": {}, "user": {}, "client_ip": "192.0.2.1",
        "expires": "2031-01-01T00:00:00Z", "brand": {},
    });
    let answer = admin.put(&path, &whole).await.expect(200);
    for (name, value) in whole.as_object().expect("an object") {
        assert_eq!(answer[name], *value, "{name}");
    }
    assert_eq!((&answer["pk"], &answer["created"]), (&event["pk"], &event["created"]));
}

async fn what_the_server_sets_is_not_taken(server: &Server) {
    let given = json!({"pk": UNKNOWN, "created": "2001-01-01T00:00:00Z", "sequence": 7, "id": UNKNOWN});
    let event = write(server, given.clone()).await;
    assert_ne!(event["pk"], UNKNOWN);
    assert_eq!(event["created"], NOW);
    server.admin().patch(&one(&event), &given).await.expect_body(200, &event);
}

async fn deleted_once(server: &Server) {
    let admin = server.admin();
    let event = write(server, json!({})).await;
    admin.delete(&one(&event)).await.expect_empty(204);
    admin.delete(&one(&event)).await.expect_missing();
    admin.get(&one(&event)).await.expect_missing();
    admin.patch(&one(&event), &json!({})).await.expect_missing();
}

/// Not in the original: whoever edits the trail leaves one in it.
async fn changes_by_hand_are_events(server: &Server) {
    let event = write(server, json!({"app": "mine"})).await;
    let mark = server.mark().await;
    server.admin().patch(&one(&event), &json!({"app": "yours"})).await.expect(200);
    assert_eq!(server.gists_since(&mark).await, ["model_updated event event"]);
    let mark = server.mark().await;
    server.admin().delete(&one(&event)).await.expect_empty(204);
    let events = server.events_since(&mark).await;
    let [entry] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(entry.gist(), "model_deleted event event");
    assert_eq!(entry.user["username"], "akadmin");
    let pk = event["pk"].as_str().expect("text").replace('-', "");
    assert_eq!(
        (&entry.context["model"]["app"], &entry.context["model"]["pk"]),
        (&json!("authentik_events"), &json!(pk))
    );
}

async fn required_fields(server: &Server) {
    let admin = server.admin();
    let event = write(server, json!({})).await;
    let required = "This field is required.";
    for body in [json!({}), json!({"context": {}})] {
        admin.post(PATH, &body).await.expect_faults(json!({"action": [required], "app": [required]}));
        admin.put(&one(&event), &body).await.expect_faults(json!({"action": [required], "app": [required]}));
    }
    admin.post(PATH, &json!({"action": "login"})).await.expect_faults(json!({"app": [required]}));
    admin.put(&one(&event), &json!({"app": "x"})).await.expect_faults(json!({"action": [required]}));
    admin.get(&one(&event)).await.expect_body(200, &event);
}

async fn actions_are_choices(server: &Server) {
    let admin = server.admin();
    let event = write(server, json!({})).await;
    for (value, shown) in [
        (json!("custom_zz"), "custom_zz"),
        (json!("LOGIN"), "LOGIN"),
        (json!("foo"), "foo"),
        (json!(""), ""),
        (json!(7), "7"),
        (json!(true), "True"),
        (json!("login "), "login "),
    ] {
        let faults = json!({"action": [format!("\"{shown}\" is not a valid choice.")]});
        admin.post(PATH, &json!({"action": value, "app": "x"})).await.expect_faults(faults.clone());
        admin.patch(&one(&event), &json!({"action": value})).await.expect_faults(faults);
    }
    for action in ["custom_", "update_available", "secret_view", "policy_exception"] {
        assert_eq!(write(server, json!({"action": action})).await["action"], action);
    }
}

async fn addresses(server: &Server) {
    let admin = server.admin();
    let event = write(server, json!({})).await;
    let faults = json!({"client_ip": ["Enter a valid IPv4 or IPv6 address."]});
    for bad in [
        json!("x"),
        json!("1.2.3"),
        json!("1.2.3.4.5"),
        json!("300.1.1.1"),
        json!(":::1"),
        json!("1.2.3.4/8"),
        json!(5),
    ] {
        let body = json!({"action": "login", "app": "x", "client_ip": bad});
        admin.post(PATH, &body).await.expect_faults(faults.clone());
        admin.patch(&one(&event), &json!({"client_ip": bad})).await.expect_faults(faults.clone());
    }
    let blank = json!({"client_ip": ["This field may not be blank."]});
    admin.patch(&one(&event), &json!({"client_ip": ""})).await.expect_faults(blank);
    for good in ["0.0.0.0", "255.255.255.255", "::", "2001:db8::ff"] {
        assert_eq!(admin.patch(&one(&event), &json!({"client_ip": good})).await.expect(200)["client_ip"], good);
    }
}

async fn texts(server: &Server) {
    let admin = server.admin();
    let blank = json!({"app": ["This field may not be blank."]});
    for bad in ["", "   ", "\t\n"] {
        admin.post(PATH, &json!({"action": "login", "app": bad})).await.expect_faults(blank.clone());
    }
    for bad in [json!(true), json!([]), json!({})] {
        let body = json!({"action": "login", "app": bad});
        admin.post(PATH, &body).await.expect_faults(json!({"app": ["Not a valid string."]}));
    }
    assert_eq!(write(server, json!({"app": "  trimmed  "})).await["app"], "trimmed");
    assert_eq!(write(server, json!({"app": 42})).await["app"], "42");
    let long = "ü".repeat(5000);
    assert_eq!(write(server, json!({"app": long})).await["app"], long);
    // All faults at once.
    let body = json!({"action": "foo", "app": "", "client_ip": "x", "expires": "x"});
    let faults = admin.post(PATH, &body).await.expect(400);
    let names: Vec<&String> = faults.as_object().expect("an object").keys().collect();
    assert_eq!(names.len(), 4, "{faults}");
}

async fn ends(server: &Server) {
    let admin = server.admin();
    let text =
        "Datetime has wrong format. Use one of these formats instead: YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z].";
    for bad in [json!(""), json!("tomorrow"), json!(5), json!([]), json!("2026-13-01T00:00:00Z")] {
        let body = json!({"action": "login", "app": "x", "expires": bad});
        admin.post(PATH, &body).await.expect_faults(json!({"expires": [text]}));
    }
    for (given, shown) in [
        ("2030-01-01T02:00:00+02:00", "2030-01-01T00:00:00Z"),
        ("1990-01-01T00:00:00.5Z", "1990-01-01T00:00:00.500000Z"),
        ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
    ] {
        let event = write(server, json!({"expires": given})).await;
        assert_eq!(event["expires"], shown);
        admin.get(&one(&event)).await.expect_body(200, &event);
    }
    // Beyond what a calendar of four digits can say: refused or kept, but never a failure.
    for odd in ["9999-12-31T23:59:59-05:00", "0001-01-01T00:00:00+05:00"] {
        let answer = admin.post(PATH, &json!({"action": "login", "app": "x", "expires": odd})).await;
        assert!(matches!(answer.status, 201 | 400), "{} {}", answer.request, answer.text());
    }
    admin.get(PATH).await.expect(200);
}

async fn nul_is_refused(server: &Server) {
    let admin = server.admin();
    let event = write(server, json!({})).await;
    let text = "Null characters are not allowed.";
    for (name, value) in [
        ("app", json!("a\u{0}b")),
        ("context", json!({"a": "\u{0}"})),
        ("context", json!({"a\u{0}": 1})),
        ("context", json!([[["\u{0}"]]])),
        ("user", json!("\u{0}")),
        ("brand", json!({"name": ["\u{0}"]})),
    ] {
        let mut body = json!({"action": "login", "app": "x"});
        body[name] = value.clone();
        assert_eq!(admin.post(PATH, &body).await.expect(400)[name], json!([text]), "{body}");
        assert_eq!(admin.patch(&one(&event), &json!({ name: value })).await.expect(400)[name], json!([text]), "{name}");
    }
    for name in ["client_ip", "expires", "action"] {
        assert!(admin.patch(&one(&event), &json!({ name: "\u{0}" })).await.expect(400)[name].is_array(), "{name}");
    }
    admin.get(&one(&event)).await.expect_body(200, &event);
}

async fn null_is_refused_where_it_means_nothing(server: &Server) {
    let admin = server.admin();
    let event = write(server, json!({})).await;
    for name in ["action", "app", "expires", "user", "context", "brand"] {
        let answer = admin.patch(&one(&event), &json!({ name: null })).await;
        answer.expect_faults(json!({ name: ["This field may not be null."] }));
    }
    admin.patch(&one(&event), &json!({"client_ip": null})).await.expect_body(200, &event);
}

async fn unknown_events(server: &Server) {
    let admin = server.admin();
    for key in [UNKNOWN, "1", "x", "not-a-uuid", "%00", "00000000-0000-4000-8000-00000000000g"] {
        let path = format!("{PATH}{key}/");
        admin.get(&path).await.expect_missing();
        admin.delete(&path).await.expect_missing();
        admin.put(&path, &json!({"action": "login", "app": "x"})).await.expect_missing();
        admin.patch(&path, &json!({"action": "foo"})).await.expect_missing();
    }
    // Any spelling of the key is the same event.
    let event = write(server, json!({})).await;
    let bare = event["pk"].as_str().expect("text").replace('-', "");
    admin.get(&format!("{PATH}{bare}/")).await.expect_body(200, &event);
}

async fn unknown_paths_and_methods(server: &Server) {
    let admin = server.admin();
    let event = write(server, json!({})).await;
    admin.get(&format!("{}used_by/", one(&event))).await.expect_status(404);
    for name in ["actions", "volume", "per_month", "top_per_user"] {
        let path = format!("{PATH}{name}/");
        for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            let answer = admin.request(method.clone(), &path).json(&json!({})).send().await;
            answer.expect_detail(405, &format!("Method \"{method}\" not allowed."));
        }
    }
    admin.delete(PATH).await.expect_detail(405, "Method \"DELETE\" not allowed.");
    admin.post(&one(&event), &json!({})).await.expect_detail(405, "Method \"POST\" not allowed.");
}

async fn anonymous(server: &Server) {
    let event = write(server, json!({})).await;
    let credentials = "Authentication credentials were not provided.";
    let nobody = server.anonymous();
    for path in ["", "actions/", "volume/", "per_month/", "top_per_user/"] {
        nobody.get(&format!("{PATH}{path}")).await.expect_detail(403, credentials);
    }
    nobody.post(PATH, &json!({})).await.expect_detail(403, credentials);
    for key in [event["pk"].as_str().expect("text"), UNKNOWN] {
        let path = format!("{PATH}{key}/");
        nobody.get(&path).await.expect_forbidden();
        nobody.put(&path, &json!({})).await.expect_forbidden();
        nobody.patch(&path, &json!({})).await.expect_forbidden();
        nobody.delete(&path).await.expect_forbidden();
    }
}

async fn without_permission(server: &Server) {
    let event = write(server, json!({})).await;
    let ann = server.person("ann").await.client;
    ann.get(PATH).await.expect_forbidden();
    // Permissions come before the body.
    ann.post(PATH, &json!({})).await.expect_forbidden();
    ann.get(&format!("{PATH}volume/")).await.expect_forbidden();
    for key in [event["pk"].as_str().expect("text"), UNKNOWN] {
        let path = format!("{PATH}{key}/");
        ann.get(&path).await.expect_forbidden();
        ann.put(&path, &json!({})).await.expect_forbidden();
        ann.patch(&path, &json!({})).await.expect_forbidden();
        ann.delete(&path).await.expect_forbidden();
    }
    server.admin().get(&one(&event)).await.expect_body(200, &event);
}

async fn permissions_at_large(server: &Server) {
    let (view, add) = ("authentik_events.view_event", "authentik_events.add_event");
    let event = write(server, json!({})).await;
    let body = json!({"action": "login", "app": "x"});
    let reader = server.holder_of("reader", &[view]).await.client;
    reader.get(PATH).await.expect(200);
    reader.get(&one(&event)).await.expect_body(200, &event);
    reader.get(&format!("{PATH}{UNKNOWN}/")).await.expect_missing();
    reader.post(PATH, &body).await.expect_forbidden();
    reader.patch(&one(&event), &json!({})).await.expect_forbidden();
    reader.delete(&one(&event)).await.expect_forbidden();
    let writer = server.holder_of("writer", &[add]).await.client;
    let own = writer.post(PATH, &body).await.expect(201);
    writer.get(&one(&own)).await.expect_forbidden();
    writer.get(PATH).await.expect_forbidden();
    let editor = server.holder_of("editor", &[view, "authentik_events.change_event"]).await.client;
    editor.patch(&one(&event), &json!({"app": "edited"})).await.expect(200);
    editor.put(&one(&event), &body).await.expect(200);
    editor.delete(&one(&event)).await.expect_forbidden();
    let blind = server.holder_of("blind", &["authentik_events.change_event", "authentik_events.delete_event"]).await;
    blind.client.patch(&one(&event), &json!({"app": "x"})).await.expect_forbidden();
    blind.client.delete(&one(&event)).await.expect_forbidden();
    let remover = server.holder_of("remover", &[view, "authentik_events.delete_event"]).await.client;
    remover.patch(&one(&event), &json!({})).await.expect_forbidden();
    remover.delete(&one(&event)).await.expect_empty(204);
}

async fn permissions_on_one(server: &Server) {
    let (first, second) = (write(server, json!({})).await, write(server, json!({})).await);
    let ann = server.person("ann").await;
    let key = first["pk"].as_str().expect("text");
    server.grant(ann.holder(), "authentik_events.view_event", Some(key)).await;
    assert_eq!(ann.client.get(PATH).await.expect_list("pk"), [key]);
    ann.client.get(&one(&first)).await.expect_body(200, &first);
    ann.client.get(&one(&second)).await.expect_missing();
    ann.client.patch(&one(&first), &json!({})).await.expect_forbidden();
    server.grant(ann.holder(), "authentik_events.change_event", Some(key)).await;
    ann.client.patch(&one(&first), &json!({"app": "edited"})).await.expect(200);
    ann.client.patch(&one(&second), &json!({"app": "edited"})).await.expect_missing();
    server.grant(ann.holder(), "authentik_events.delete_event", Some(key)).await;
    ann.client.delete(&one(&second)).await.expect_missing();
    ann.client.delete(&one(&first)).await.expect_empty(204);
}

async fn grants_go_with_the_event(server: &Server) {
    let event = write(server, json!({})).await;
    let ann = server.person("ann").await;
    let grants = async || server.number("SELECT count(*) FROM grants").await;
    let before = grants().await;
    server.grant(ann.holder(), "authentik_events.view_event", event["pk"].as_str()).await;
    assert_eq!(grants().await, before + 1);
    server.admin().delete(&one(&event)).await.expect_empty(204);
    assert_eq!(grants().await, before);
    ann.client.get(PATH).await.expect_forbidden();
}
