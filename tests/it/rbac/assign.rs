//! Giving and taking permissions (contract: authentik-rbac §5).

use super::{Target, UNKNOWN, globally, on, text};
use crate::harness::{Server, tests};
use http::Method;
use sea_orm::ConnectionTrait as _;
use serde_json::{Value, json};

tests![
    answers_are_the_permissions_in_order,
    answers_are_the_grants_of_an_object,
    keys_are_taken_in_any_form,
    every_model_has_objects,
    bare_codes_work_on_objects,
    nothing_is_nothing,
    taking_what_is_not_held,
    global_and_object_are_apart,
    effective_from_the_next_request_on,
    roles_reach_their_members,
    events_tell_what_changed,
    targets_that_are_not_there,
    internal_service_accounts,
    no_other_methods,
];

const GROUP: &str = "authentik_core.group";

async fn number_of(server: &Server, code: &str) -> Value {
    let (label, code) = code.split_once('.').expect("a label");
    let query = format!("/rbac/permissions/?content_type__app_label={label}&codename={code}");
    let id = server.admin().get(&query).await.expect(200)["results"][0]["id"].clone();
    json!({"id": id.to_string()})
}

async fn answers_are_the_permissions_in_order(server: &Server) {
    let admin = server.admin();
    let codes = ["authentik_rbac.view_role", "authentik_core.add_user", "authentik_core.add_user_to_group"];
    let mut expected = Vec::new();
    for code in codes {
        expected.push(number_of(server, code).await);
    }
    for target in Target::both(server, "holder").await {
        for _ in 0..3 {
            admin.post(&target.assign(), &globally(&codes)).await.expect_body(200, &json!(expected));
        }
        // The same twice is one grant, and two answers; blanks around a code do not count.
        let twice = json!([expected[1], expected[1]]);
        let body = globally(&["authentik_core.add_user", " authentik_core.add_user "]);
        admin.post(&target.assign(), &body).await.expect_body(200, &twice);
        let mut sorted = codes;
        sorted.sort_unstable();
        assert_eq!(target.holds(server).await, sorted);
        admin.patch(&target.unassign(), &globally(&codes[..2])).await.expect_empty(204);
        assert_eq!(target.holds(server).await, [codes[2]]);
    }
}

async fn answers_are_the_grants_of_an_object(server: &Server) {
    let admin = server.admin();
    let group = server.group("g", json!({})).await;
    for target in Target::both(server, "holder").await {
        let body = on(GROUP, &group, &["authentik_core.view_group", "authentik_core.change_group"]);
        let first = admin.post(&target.assign(), &body).await.expect(200);
        let ids: Vec<String> = first.as_array().expect("a list").iter().map(|given| text(&given["id"])).collect();
        assert!(ids.len() == 2 && ids[0] != ids[1], "{ids:?}");
        let rows = if matches!(target, Target::Role(_)) { "roles" } else { "users" };
        for (id, code) in ids.iter().zip(["view_group", "change_group"]) {
            let row = admin.get(&format!("/rbac/permissions/{rows}/{id}/")).await.expect(200);
            assert_eq!((&row["codename"], &row["object_pk"]), (&json!(code), &json!(group)));
        }
        admin.post(&target.assign(), &body).await.expect_body(200, &first);
        let third = on(GROUP, &group, &["delete_group", "change_group"]);
        let answer = admin.post(&target.assign(), &third).await.expect(200);
        assert_eq!(answer[1]["id"], first[1]["id"]);
        let mut expected = ["view", "change", "delete"].map(|verb| format!("authentik_core.{verb}_group {group}"));
        expected.sort_unstable();
        assert_eq!(target.holds(server).await, expected);
        admin.patch(&target.unassign(), &body).await.expect_empty(204);
        assert_eq!(target.holds(server).await, [format!("authentik_core.delete_group {group}")]);
    }
}

async fn keys_are_taken_in_any_form(server: &Server) {
    let admin = server.admin();
    let group = server.group("g", json!({})).await;
    let ann = server.person("ann").await;
    let target = Target::User(ann.pk);
    let bare = group.replace('-', "");
    let mut answers = Vec::new();
    for form in [&group, &group.to_uppercase(), &bare, &format!(" {group} ")] {
        answers.push(admin.post(&target.assign(), &on(GROUP, form, &["view_group"])).await.expect(200));
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    let number = json!({"permissions": ["view_user"], "model": "authentik_core.user", "object_pk": ann.pk});
    admin.post(&target.assign(), &number).await.expect(200);
    let padded = on("authentik_core.user", &format!("00{}", ann.pk), &["view_user"]);
    admin.post(&target.assign(), &padded).await.expect(200);
    let expected = [format!("authentik_core.view_group {group}"), format!("authentik_core.view_user {}", ann.pk)];
    assert_eq!(target.holds(server).await, expected);
    ann.client.get(&format!("/core/groups/{group}/")).await.expect(200);
    ann.client.get(&format!("/core/users/{}/", ann.pk)).await.expect(200);
    admin.patch(&target.unassign(), &on(GROUP, &bare, &["view_group"])).await.expect_empty(204);
    ann.client.get(&format!("/core/groups/{group}/")).await.expect_forbidden();
}

async fn every_model_has_objects(server: &Server) {
    let admin = server.admin();
    let group = server.group("g", json!({})).await;
    let role = server.role("r", &[]).await.to_string();
    let token = text(&admin.get("/core/tokens/authentik-bootstrap-token/").await.expect(200)["pk"]);
    let event = text(&admin.get("/events/events/").await.expect(200)["results"][0]["pk"]);
    let user = text(&admin.get("/core/users/me/").await.expect(200)["user"]["pk"]);
    for target in Target::both(server, "holder").await {
        for (label, model, key) in [
            ("authentik_core", "user", &user),
            ("authentik_core", "group", &group),
            ("authentik_core", "token", &token),
            ("authentik_rbac", "role", &role),
            ("authentik_events", "event", &event),
        ] {
            let codes = ["view", "add", "change", "delete"].map(|verb| format!("{label}.{verb}_{model}"));
            let codes = codes.each_ref().map(String::as_str);
            let body = on(&format!("{label}.{model}"), key, &codes);
            assert_eq!(admin.post(&target.assign(), &body).await.expect(200).as_array().map(Vec::len), Some(4));
            assert_eq!(target.holds(server).await.len(), 4);
            admin.patch(&target.unassign(), &body).await.expect_empty(204);
            assert_eq!(target.holds(server).await, Vec::<String>::new());
        }
    }
}

async fn bare_codes_work_on_objects(server: &Server) {
    let admin = server.admin();
    let group = server.group("g", json!({})).await;
    for target in Target::both(server, "holder").await {
        let bare = on(GROUP, &group, &["view_group", "add_user_to_group"]);
        let full = on(GROUP, &group, &["authentik_core.view_group", "authentik_core.add_user_to_group"]);
        let given = admin.post(&target.assign(), &bare).await.expect(200);
        admin.post(&target.assign(), &full).await.expect_body(200, &given);
        assert_eq!(target.holds(server).await.len(), 2);
        admin.patch(&target.unassign(), &bare).await.expect_empty(204);
        assert_eq!(target.holds(server).await, Vec::<String>::new());
    }
}

async fn nothing_is_nothing(server: &Server) {
    let admin = server.admin();
    let group = server.group("g", json!({})).await;
    for target in Target::both(server, "holder").await {
        let mark = server.mark().await;
        for body in [globally(&[]), on(GROUP, &group, &[])] {
            admin.post(&target.assign(), &body).await.expect_body(200, &json!([]));
            admin.patch(&target.unassign(), &body).await.expect_empty(204);
        }
        assert_eq!(server.gists_since(&mark).await, Vec::<String>::new());
    }
}

async fn taking_what_is_not_held(server: &Server) {
    let admin = server.admin();
    let group = server.group("g", json!({})).await;
    for target in Target::both(server, "holder").await {
        admin.post(&target.assign(), &globally(&["authentik_core.view_user"])).await.expect(200);
        for body in [globally(&["authentik_core.view_group"]), on(GROUP, &group, &["view_group"])] {
            admin.patch(&target.unassign(), &body).await.expect_empty(204);
        }
        assert_eq!(target.holds(server).await, ["authentik_core.view_user"]);
    }
}

async fn global_and_object_are_apart(server: &Server) {
    let admin = server.admin();
    let group = server.group("g", json!({})).await;
    let code = "authentik_core.view_group";
    let on_one = format!("{code} {group}");
    for target in Target::both(server, "holder").await {
        admin.post(&target.assign(), &globally(&[code])).await.expect(200);
        admin.patch(&target.unassign(), &on(GROUP, &group, &[code])).await.expect_empty(204);
        assert_eq!(target.holds(server).await, [code]);
        admin.post(&target.assign(), &on(GROUP, &group, &[code])).await.expect(200);
        assert_eq!(target.holds(server).await, [code, on_one.as_str()]);
        admin.patch(&target.unassign(), &globally(&[code])).await.expect_empty(204);
        assert_eq!(target.holds(server).await, [on_one.as_str()]);
    }
}

async fn effective_from_the_next_request_on(server: &Server) {
    let admin = server.admin();
    let (one, other) = (server.group("one", json!({})).await, server.group("other", json!({})).await);
    let role = Target::role(server, "role").await;
    let Target::Role(id) = &role else { unreachable!("made so") };
    let carrier = server.group("carrier", json!({"roles": [id]})).await;
    let ann = server.person("ann").await;
    let bob = server.person_with("bob", json!({"groups": [carrier]})).await;
    for (target, client) in [(Target::User(ann.pk), &ann.client), (role, &bob.client)] {
        for _ in 0..5 {
            client.get("/core/groups/").await.expect_forbidden();
            admin.post(&target.assign(), &globally(&["authentik_core.view_group"])).await.expect(200);
            client.get(&format!("/core/groups/{other}/")).await.expect(200);
            admin.patch(&target.unassign(), &globally(&["authentik_core.view_group"])).await.expect_empty(204);
            client.get("/core/groups/").await.expect_forbidden();
            admin.post(&target.assign(), &on(GROUP, &one, &["view_group"])).await.expect(200);
            assert_eq!(client.get("/core/groups/").await.expect_list("name"), ["one"]);
            client.get(&format!("/core/groups/{other}/")).await.expect_missing();
            admin.patch(&target.unassign(), &on(GROUP, &one, &["view_group"])).await.expect_empty(204);
        }
    }
}

/// Also by the other ways: members come and go, and so do a group's roles (§6).
async fn roles_reach_their_members(server: &Server) {
    let admin = server.admin();
    let role = server.role("role", &["authentik_core.view_user"]).await.to_string();
    let ann = server.person("ann").await;
    let list = "/core/users/";
    let group = server.group("group", json!({"roles": [role]})).await;
    let path = format!("/core/groups/{group}/");
    let own = format!("/core/users/{}/", ann.pk);
    let member = json!({"pk": ann.pk});
    for _ in 0..2 {
        ann.client.get(list).await.expect_forbidden();
        admin.post(&format!("{path}add_user/"), &member).await.expect_empty(204);
        ann.client.get(list).await.expect(200);
        admin.post(&format!("{path}remove_user/"), &member).await.expect_empty(204);
        ann.client.get(list).await.expect_forbidden();
        admin.patch(&path, &json!({"users": [ann.pk]})).await.expect(200);
        ann.client.get(list).await.expect(200);
        admin.put(&path, &json!({"name": "group"})).await.expect(200);
        ann.client.get(list).await.expect_forbidden();
        admin.patch(&own, &json!({"groups": [group]})).await.expect(200);
        ann.client.get(list).await.expect(200);
        admin.patch(&path, &json!({"roles": []})).await.expect(200);
        ann.client.get(list).await.expect_forbidden();
        admin.patch(&path, &json!({"roles": [role]})).await.expect(200);
        ann.client.get(list).await.expect(200);
        admin.put(&own, &json!({"username": "ann", "name": ""})).await.expect(200);
    }
}

async fn events_tell_what_changed(server: &Server) {
    let admin = server.admin();
    for (target, gist) in Target::both(server, "ann").await.into_iter().zip(["role", "user"]) {
        let mark = server.mark().await;
        let codes = globally(&["authentik_core.view_user", "authentik_core.view_group"]);
        admin.post(&target.assign(), &codes).await.expect(200);
        let events = server.events_since(&mark).await;
        assert_eq!(events.iter().map(|event| event.gist()).collect::<Vec<_>>(), [format!("model_updated {gist} ann")]);
        let told = events[0].context.to_string();
        assert!(told.contains("view_user") && told.contains("view_group"), "{told}");
        // What changes nothing is no event.
        let mark = server.mark().await;
        admin.post(&target.assign(), &codes).await.expect(200);
        assert_eq!(server.gists_since(&mark).await, Vec::<String>::new());
        admin.patch(&target.unassign(), &codes).await.expect_empty(204);
        assert_eq!(server.gists_since(&mark).await, [format!("model_updated {gist} ann")]);
        let mark = server.mark().await;
        admin.patch(&target.unassign(), &codes).await.expect_empty(204);
        assert_eq!(server.gists_since(&mark).await, Vec::<String>::new());
    }
}

async fn targets_that_are_not_there(server: &Server) {
    let admin = server.admin();
    let mut targets: Vec<Target> = [UNKNOWN, "zz", "1", "%00"].map(|key| Target::Role(key.to_owned())).into();
    targets.extend([999_999, 99_999_999_999, -1].map(Target::User));
    for target in targets {
        for body in [globally(&["authentik_core.view_user"]), json!({}), json!([])] {
            admin.post(&target.assign(), &body).await.expect_missing();
            admin.patch(&target.unassign(), &body).await.expect_missing();
        }
    }
    let path = "/rbac/permissions/assigned_by_users/zz/";
    admin.post(&format!("{path}assign/"), &globally(&[])).await.expect_missing();
    admin.patch(&format!("{path}unassign/"), &globally(&[])).await.expect_missing();
}

async fn internal_service_accounts(server: &Server) {
    let admin = server.admin();
    let ann = server.person("ann").await;
    let target = Target::User(ann.pk);
    admin.post(&target.assign(), &globally(&["authentik_core.view_user"])).await.expect(200);
    let statement = format!("UPDATE users SET type = 'internal_service_account' WHERE id = {}", ann.pk);
    server.app.db.write().execute_unprepared(&statement).await.expect("written");
    let text = |way: &str| json!([format!("Permissions cannot be {way} an internal service account.")]);
    let group = server.group("g", json!({})).await;
    for body in [globally(&["authentik_core.view_user"]), on(GROUP, &group, &["view_group"]), globally(&[])] {
        admin.post(&target.assign(), &body).await.expect_faults(text("assigned to"));
        admin.patch(&target.unassign(), &body).await.expect_faults(text("unassigned from"));
    }
    assert_eq!(target.holds(server).await, ["authentik_core.view_user"]);
    // Ordinary service accounts hold permissions like people.
    let made = admin.post("/core/users/service_account/", &json!({"name": "svc"})).await.expect(200);
    let target = Target::User(made["user_pk"].as_i64().expect("a number"));
    admin.post(&target.assign(), &globally(&["authentik_core.view_user"])).await.expect(200);
}

async fn no_other_methods(server: &Server) {
    let admin = server.admin();
    for target in Target::both(server, "holder").await {
        for (path, allowed) in [(target.assign(), Method::POST), (target.unassign(), Method::PATCH)] {
            for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
                if method == allowed {
                    continue;
                }
                let answer = admin.request(method.clone(), &path).json(&globally(&[])).send().await;
                answer.expect_detail(405, &format!("Method \"{method}\" not allowed."));
                assert!(answer.header("allow").is_some_and(|a| a.contains(allowed.as_str())), "{:?}", answer.headers);
            }
        }
    }
}
