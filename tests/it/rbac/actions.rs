//! What actions beside the usual verbs need (contract: authentik-rbac §7.2).

use crate::harness::{Server, tests};
use http::Method;
use serde_json::{Value, json};
use tessera::resource::grants::store::Holder;

tests![
    set_password,
    metrics,
    paths,
    service_account,
    ones_own_record,
    add_user,
    remove_user,
    event_volume,
    event_statistics,
    event_actions,
    settings_are_seen,
    settings_are_edited,
    system_and_version,
];

/// Codes with the object they are held on (`""`: all), and the status.
type Row<'a> = (&'a [(&'a str, &'a str)], u16);

/// A request by somebody new for each row.
async fn check(server: &Server, method: Method, path: &str, body: Value, rows: &[Row<'_>]) {
    for (number, (held, status)) in rows.iter().enumerate() {
        let caller = server.person(&format!("caller-{method}-{}-{number}", path.len())).await;
        give(server, caller.holder(), held).await;
        let draft = caller.client.request(method.clone(), path);
        let answer = if body.is_null() { draft.send().await } else { draft.json(&body).send().await };
        assert_eq!(answer.status, *status, "{held:?}: {}\n  {}", answer.request, answer.text());
        match status {
            403 => answer.expect_forbidden(),
            404 => answer.expect_missing(),
            _ => {}
        }
    }
}

async fn give(server: &Server, holder: Holder, held: &[(&str, &str)]) {
    for (code, object) in held {
        server.grant(holder, code, (!object.is_empty()).then_some(*object)).await;
    }
}

const VIEW_USER: &str = "authentik_core.view_user";
const RESET: &str = "authentik_core.reset_user_password";
const VIEW_GROUP: &str = "authentik_core.view_group";
const VIEW_EVENT: &str = "authentik_events.view_event";

async fn set_password(server: &Server) {
    let bob = server.person("bob").await.pk.to_string();
    let cid = server.person("cid").await.pk.to_string();
    let rows: [Row<'_>; 11] = [
        (&[], 403),
        (&[(RESET, "")], 403),
        (&[(RESET, &bob)], 403),
        (&[(VIEW_USER, "")], 403),
        (&[(VIEW_USER, ""), ("authentik_core.change_user", ""), ("authentik_core.add_user", "")], 403),
        (&[(VIEW_USER, ""), (RESET, &cid)], 403),
        (&[(VIEW_USER, &cid), (RESET, "")], 404),
        (&[(VIEW_USER, ""), (RESET, "")], 204),
        (&[(VIEW_USER, ""), (RESET, &bob)], 204),
        (&[(VIEW_USER, &bob), (RESET, "")], 204),
        (&[(VIEW_USER, &bob), (RESET, &bob)], 204),
    ];
    let path = format!("/core/users/{bob}/set_password/");
    check(server, Method::POST, &path, json!({"password": "a new one"}), &rows).await;
}

async fn metrics(server: &Server) {
    let bob = server.person("bob").await.pk.to_string();
    let cid = server.person("cid").await.pk.to_string();
    let rows: [Row<'_>; 6] = [
        (&[], 403),
        (&[(VIEW_USER, "")], 403),
        (&[(VIEW_EVENT, "")], 403),
        (&[(VIEW_USER, &cid), (VIEW_EVENT, "")], 404),
        (&[(VIEW_USER, ""), (VIEW_EVENT, "")], 200),
        (&[(VIEW_USER, &bob), (VIEW_EVENT, "")], 200),
    ];
    check(server, Method::GET, &format!("/core/users/{bob}/metrics/"), Value::Null, &rows).await;
}

async fn paths(server: &Server) {
    let bob = server.person_with("bob", json!({"path": "elsewhere"})).await.pk.to_string();
    let rows: [Row<'_>; 4] = [
        (&[], 403),
        (&[("authentik_core.change_user", "")], 403),
        (&[(VIEW_USER, "")], 200),
        (&[(VIEW_USER, &bob)], 200),
    ];
    check(server, Method::GET, "/core/users/paths/", Value::Null, &rows).await;
    let ann = server.person("ann").await;
    give(server, ann.holder(), &[(VIEW_USER, &bob)]).await;
    ann.client.get("/core/users/paths/").await.expect_body(200, &json!({"paths": ["elsewhere"]}));
}

async fn service_account(server: &Server) {
    let (user, token, group) = ("authentik_core.add_user", "authentik_core.add_token", "authentik_core.add_group");
    let bob = server.person("bob").await.pk.to_string();
    let path = "/core/users/service_account/";
    let rows: [Row<'_>; 5] = [
        (&[], 403),
        (&[(user, "")], 403),
        (&[(token, "")], 403),
        (&[(user, &bob), (token, "")], 403),
        (&[(VIEW_USER, ""), (group, ""), (token, "")], 403),
    ];
    check(server, Method::POST, path, json!({"name": "svc", "create_group": true}), &rows).await;
    for (name, held, grouped) in [("one", vec![user, token], false), ("two", vec![user, token, group], true)] {
        let caller = server.holder_of(name, &held).await;
        let body = json!({"name": format!("svc-{name}"), "create_group": true});
        let made = caller.client.post(path, &body).await.expect(200);
        assert_eq!(made.get("group_pk").is_some(), grouped, "{made}");
        let groups = server.admin().get(&format!("/core/groups/?name=svc-{name}")).await.expect_list("name");
        assert_eq!(groups.len(), usize::from(grouped));
    }
}

async fn ones_own_record(server: &Server) {
    let ann = server.person("ann").await;
    let own = format!("/core/users/{}/", ann.pk);
    ann.client.get(&own).await.expect_forbidden();
    ann.client.patch(&own, &json!({"email": "a@example.org"})).await.expect_forbidden();
    ann.client.delete(&own).await.expect_forbidden();
    ann.client.post(&format!("{own}set_password/"), &json!({"password": "x"})).await.expect_forbidden();
    ann.client.get("/core/users/me/").await.expect(200);
    give(server, ann.holder(), &[(VIEW_USER, &ann.pk.to_string())]).await;
    ann.client.get(&own).await.expect(200);
    ann.client.patch(&own, &json!({"email": "a@example.org"})).await.expect_forbidden();
}

/// Both actions on members, whose rules are alike.
async fn check_membership(server: &Server, action: &str, code: &str, other_code: &str) {
    let group = server.group("group", json!({})).await;
    let elsewhere = server.group("elsewhere", json!({})).await;
    let bob = server.person("bob").await.pk;
    let text = bob.to_string();
    let rows: [Row<'_>; 13] = [
        (&[], 403),
        (&[(code, ""), (VIEW_USER, "")], 403),
        (&[(code, &group), (VIEW_USER, "")], 403),
        (&[(VIEW_GROUP, ""), (VIEW_USER, "")], 403),
        (&[(VIEW_GROUP, ""), (VIEW_USER, ""), (other_code, "")], 403),
        (&[(VIEW_GROUP, ""), (VIEW_USER, ""), (code, &elsewhere)], 403),
        // What changes groups is neither needed nor enough.
        (
            &[(VIEW_GROUP, ""), (VIEW_USER, ""), ("authentik_core.add_group", ""), ("authentik_core.change_group", "")],
            403,
        ),
        (&[(VIEW_GROUP, &elsewhere), (VIEW_USER, ""), (code, "")], 404),
        // An account that is out of sight does not exist.
        (&[(VIEW_GROUP, ""), (code, "")], 404),
        (&[(VIEW_GROUP, ""), (code, ""), (VIEW_USER, "1")], 404),
        (&[(VIEW_GROUP, ""), (code, ""), (VIEW_USER, "")], 204),
        (&[(VIEW_GROUP, &group), (code, &group), (VIEW_USER, &text)], 204),
        (&[(VIEW_GROUP, &group), (code, ""), (VIEW_USER, &text)], 204),
    ];
    let path = format!("/core/groups/{group}/{action}/");
    check(server, Method::POST, &path, json!({"pk": bob}), &rows).await;
}

async fn add_user(server: &Server) {
    let (add, remove) = ("authentik_core.add_user_to_group", "authentik_core.remove_user_from_group");
    check_membership(server, "add_user", add, remove).await;
}

async fn remove_user(server: &Server) {
    let (add, remove) = ("authentik_core.add_user_to_group", "authentik_core.remove_user_from_group");
    check_membership(server, "remove_user", remove, add).await;
}

async fn event_volume(server: &Server) {
    let rows: [Row<'_>; 3] = [(&[], 403), (&[("authentik_events.add_event", "")], 403), (&[(VIEW_EVENT, "")], 200)];
    check(server, Method::GET, "/events/events/volume/", Value::Null, &rows).await;
}

/// Anybody may ask, and counts what they see.
async fn event_statistics(server: &Server) {
    let admin = server.admin();
    let login = json!({"action": "login", "app": "x", "user": {"pk": 1, "username": "akadmin", "email": ""}});
    let seen = super::text(&admin.post("/events/events/", &login).await.expect(201)["pk"]);
    admin.post("/events/events/", &login).await.expect(201);
    let used = json!({
        "action": "authorize_application", "app": "x", "user": {"pk": 1, "username": "akadmin", "email": ""},
        "context": {"authorized_application": {"pk": "1", "name": "app", "app": "a", "model_name": "application"}},
    });
    admin.post("/events/events/", &used).await.expect(201);
    for (name, held, logins, applications) in [
        ("nobody", None, 0, 0),
        ("somebody", Some((VIEW_EVENT, seen.as_str())), 1, 0),
        ("everybody", Some((VIEW_EVENT, "")), 2, 1),
    ] {
        let caller = server.person(name).await;
        give(server, caller.holder(), held.as_slice()).await;
        let months = caller.client.get("/events/events/per_month/?action=login").await.expect(200);
        let counted: u64 = months.as_array().expect("a list").iter().filter_map(|point| point["y_cord"].as_u64()).sum();
        assert_eq!(counted, logins, "{name}: {months}");
        let top = caller.client.get("/events/events/top_per_user/?action=authorize_application").await.expect(200);
        assert_eq!(top.as_array().map(Vec::len), Some(applications), "{name}: {top}");
    }
    let refused = server.anonymous().get("/events/events/per_month/").await;
    refused.expect_detail(403, "Authentication credentials were not provided.");
}

async fn event_actions(server: &Server) {
    check(server, Method::GET, "/events/events/actions/", Value::Null, &[(&[], 200)]).await;
}

async fn settings_are_seen(server: &Server) {
    let (view, edit) = ("authentik_rbac.view_system_settings", "authentik_rbac.edit_system_settings");
    let rows: [Row<'_>; 4] =
        [(&[], 403), (&[(edit, "")], 403), (&[("authentik_rbac.view_system_info", "")], 403), (&[(view, "")], 200)];
    check(server, Method::GET, "/admin/settings/", Value::Null, &rows).await;
}

async fn settings_are_edited(server: &Server) {
    let (view, edit) = ("authentik_rbac.view_system_settings", "authentik_rbac.edit_system_settings");
    let rows: [Row<'_>; 3] = [(&[], 403), (&[(view, "")], 403), (&[(edit, "")], 200)];
    for method in [Method::PUT, Method::PATCH] {
        check(server, method, "/admin/settings/", json!({"default_token_length": 61}), &rows).await;
    }
}

async fn system_and_version(server: &Server) {
    let info = "authentik_rbac.view_system_info";
    let rows: [Row<'_>; 3] =
        [(&[], 403), (&[("authentik_rbac.access_admin_interface", "")], 403), (&[(info, "")], 200)];
    for method in [Method::GET, Method::POST] {
        let body = if method == Method::POST { json!({}) } else { Value::Null };
        check(server, method, "/admin/system/", body, &rows).await;
    }
    check(server, Method::GET, "/admin/version/", Value::Null, &[(&[], 200)]).await;
}
