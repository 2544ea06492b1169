//! Grants on objects as rows of their own (contract: authentik-rbac §4.2).

use super::{Target, UNKNOWN, on, text};
use crate::harness::{Server, tests};
use http::Method;
use serde_json::{Value, json};

tests![
    rows_are_shown,
    filters,
    order_and_pages,
    page_sizes_end_at_ten,
    a_grant_moves_to_another_object,
    bad_objects_are_refused,
    a_grant_does_not_become_another,
    deletion,
    kinds_are_apart,
    superusers_only,
    no_other_methods,
];

const ROLES: &str = "/rbac/permissions/roles/";
const USERS: &str = "/rbac/permissions/users/";
const GROUP: &str = "authentik_core.group";

fn rows_of(target: &Target) -> &'static str {
    match target {
        Target::Role(_) => ROLES,
        Target::User(_) => USERS,
    }
}

/// Grants one permission on one object; gives the path of its row.
async fn give(server: &Server, target: &Target, model: &str, object: &str, code: &str) -> String {
    let given = server.admin().post(&target.assign(), &on(model, object, &[code])).await.expect(200);
    format!("{}{}/", rows_of(target), given[0]["id"].as_str().expect("text"))
}

async fn rows_are_shown(server: &Server) {
    let admin = server.admin();
    let group = server.group("team", json!({})).await;
    for target in Target::both(server, "holder").await {
        let path = give(server, &target, GROUP, &group, "view_group").await;
        let row = admin.get(&path).await.expect(200);
        let expected = json!({
            "id": row["id"], "codename": "view_group", "model": "group", "app_label": "authentik_core",
            "object_pk": group, "name": "Can view Group", "app_label_verbose": "authentik Core",
            "model_verbose": "Group", "object_description": "Group team",
        });
        assert_eq!(row, expected);
        assert_eq!(path, format!("{}{}/", rows_of(&target), row["id"]));
        assert_eq!(admin.get(rows_of(&target)).await.expect(200)["results"], json!([expected]));
        // A global one is no row.
        admin.post(&target.assign(), &super::globally(&["authentik_core.view_group"])).await.expect(200);
        assert_eq!(admin.get(rows_of(&target)).await.expect(200)["pagination"]["count"], 1);
    }
    // Of the granted object, not of the first one that the holder sees.
    let second = server.group("another", json!({})).await;
    let ann = Target::User(server.person("ann").await.pk);
    let path = give(server, &ann, GROUP, &second, "delete_group").await;
    assert_eq!(admin.get(&path).await.expect(200)["object_description"], "Group another");
    let path = give(server, &ann, "authentik_core.user", "1", "view_user").await;
    let name = admin.get("/core/users/1/").await.expect(200)["username"].clone();
    assert_eq!(admin.get(&path).await.expect(200)["object_description"], name);
}

async fn filters(server: &Server) {
    let admin = server.admin();
    let group = server.group("team", json!({})).await;
    let [role, user] = Target::both(server, "a").await;
    for target in [&role, &user] {
        give(server, target, GROUP, &group, "view_group").await;
    }
    for target in Target::both(server, "b").await {
        give(server, &target, GROUP, &group, "change_group").await;
    }
    let codes = async |path: String| admin.get(&path).await.expect_list("codename");
    let (Target::Role(role), Target::User(user)) = (role, user) else { unreachable!("made so") };
    assert_eq!(codes(format!("{ROLES}?uuid={role}")).await, ["view_group"]);
    assert_eq!(codes(format!("{USERS}?user_id={user}")).await, ["view_group"]);
    for all in [ROLES.to_owned(), format!("{ROLES}?uuid="), format!("{ROLES}?user_id={user}&search=nothing")] {
        assert_eq!(codes(all).await, ["view_group", "change_group"]);
    }
    for all in [USERS.to_owned(), format!("{USERS}?user_id="), format!("{USERS}?uuid={role}&search=nothing")] {
        assert_eq!(codes(all).await, ["view_group", "change_group"]);
    }
    assert_eq!(codes(format!("{ROLES}?uuid={UNKNOWN}")).await, Vec::<String>::new());
    assert_eq!(codes(format!("{USERS}?user_id=999999")).await, Vec::<String>::new());
    for bad in ["bad", "1"] {
        let answer = admin.get(&format!("{ROLES}?uuid={bad}")).await;
        answer.expect_faults(json!({"uuid": ["Enter a valid UUID."]}));
    }
    let answer = admin.get(&format!("{USERS}?user_id=bad")).await;
    answer.expect_faults(json!({"user_id": ["Enter a number."]}));
}

async fn order_and_pages(server: &Server) {
    let admin = server.admin();
    let group = server.group("team", json!({})).await;
    for name in ["m", "a", "z"] {
        for target in Target::both(server, name).await {
            for code in ["view_group", "change_group"] {
                give(server, &target, GROUP, &group, code).await;
            }
        }
    }
    for path in [ROLES, USERS] {
        let listed = admin.get(path).await.expect(200);
        let ids: Vec<i64> =
            listed["results"].as_array().expect("a list").iter().map(|row| row["id"].as_i64().expect("id")).collect();
        // Made for m, a, z, in this order; by the holder's name it is a, m, z.
        let mut sorted = ids.clone();
        sorted.sort_unstable();
        let by_name: Vec<i64> = [2, 3, 0, 1, 4, 5].iter().map(|place| sorted[*place]).collect();
        assert_eq!(ids, by_name, "{path}");
        let second = admin.get(&format!("{path}?page_size=4&page=2")).await.expect(200);
        assert_eq!(second["results"].as_array().map(Vec::len), Some(2));
        admin.get(&format!("{path}?page=9")).await.expect_detail(404, "Invalid page.");
    }
}

async fn page_sizes_end_at_ten(server: &Server) {
    let admin = server.admin();
    let mut groups = Vec::new();
    for number in 0..12 {
        groups.push(server.group(&format!("g{number}"), json!({})).await);
    }
    for target in Target::both(server, "holder").await {
        for group in &groups {
            give(server, &target, GROUP, group, "view_group").await;
        }
        for (query, shown) in [
            ("", 12),
            ("?page_size=10", 10),
            ("?page_size=11", 10),
            ("?page_size=1000000", 10),
            ("?page_size=99999999999999999999", 10),
            ("?page_size=9", 9),
            ("?page_size=0", 12),
            ("?page_size=bad", 12),
            ("?page_size=100&page=2", 2),
        ] {
            let page = admin.get(&format!("{}{query}", rows_of(&target))).await.expect(200);
            assert_eq!(page["results"].as_array().map(Vec::len), Some(shown), "{query}");
            assert_eq!(page["pagination"]["count"], 12);
        }
    }
}

async fn a_grant_moves_to_another_object(server: &Server) {
    let admin = server.admin();
    let (one, other) = (server.group("one", json!({})).await, server.group("other", json!({})).await);
    let ann = server.person("ann").await;
    let path = give(server, &Target::User(ann.pk), GROUP, &one, "view_group").await;
    assert_eq!(ann.client.get("/core/groups/").await.expect_list("name"), ["one"]);
    let before = admin.get(&path).await.expect(200);
    let mark = server.mark().await;
    let body = json!({"object_pk": other, "codename": "delete_group", "model": "user", "id": 1, "name": "x"});
    let mut expected = before.clone();
    expected["object_pk"] = json!(other);
    expected["object_description"] = json!("Group other");
    admin.put(&path, &body).await.expect_body(200, &expected);
    assert_eq!(ann.client.get("/core/groups/").await.expect_list("name"), ["other"]);
    admin.patch(&path, &json!({})).await.expect_body(200, &expected);
    admin.patch(&path, &json!({"object_pk": one.to_uppercase()})).await.expect_body(200, &before);
    assert_eq!(ann.client.get("/core/groups/").await.expect_list("name"), ["one"]);
    admin.patch(&path, &json!({"object_pk": one})).await.expect_body(200, &before);
    assert!(server.gists_since(&mark).await.contains(&"model_updated user ann".to_owned()));
    let role = server.role("role", &[]).await.to_string();
    let path = give(server, &Target::Role(role), GROUP, &one, "view_group").await;
    assert_eq!(admin.patch(&path, &json!({"object_pk": other})).await.expect(200)["object_pk"], other);
    assert_eq!(admin.put(&path, &json!({"object_pk": one})).await.expect(200)["object_pk"], one);
}

/// In the original most of these crash.
async fn bad_objects_are_refused(server: &Server) {
    let admin = server.admin();
    let group = server.group("team", json!({})).await;
    for target in Target::both(server, "holder").await {
        let of_group = give(server, &target, GROUP, &group, "view_group").await;
        let of_user = give(server, &target, "authentik_core.user", "1", "view_user").await;
        let held = target.holds(server).await;
        let missing = |key: &str| json!({"object_pk": [format!("Invalid pk \"{key}\" - object does not exist.")]});
        let faults = [
            (&of_group, json!({"object_pk": UNKNOWN}), missing(UNKNOWN)),
            (&of_user, json!({"object_pk": "999999"}), missing("999999")),
            (&of_user, json!({"object_pk": 999_999}), missing("999999")),
            (&of_group, json!({"object_pk": "zz"}), json!({"non_field_errors": ["“zz” is not a valid UUID."]})),
            (&of_group, json!({"object_pk": null}), json!({"object_pk": ["This field may not be null."]})),
            (&of_group, json!({"object_pk": ""}), json!({"object_pk": ["This field may not be blank."]})),
            (&of_group, json!({"object_pk": []}), json!({"object_pk": ["Not a valid string."]})),
        ];
        for (path, body, fault) in faults {
            admin.put(path, &body).await.expect_faults(fault.clone());
            admin.patch(path, &body).await.expect_faults(fault);
        }
        admin.patch(&of_user, &json!({"object_pk": group})).await.expect(400);
        admin.put(&of_group, &json!({})).await.expect_faults(json!({"object_pk": ["This field is required."]}));
        assert_eq!(target.holds(server).await, held);
    }
}

async fn a_grant_does_not_become_another(server: &Server) {
    let admin = server.admin();
    let (one, other) = (server.group("one", json!({})).await, server.group("other", json!({})).await);
    for target in Target::both(server, "holder").await {
        let first = give(server, &target, GROUP, &one, "view_group").await;
        give(server, &target, GROUP, &other, "view_group").await;
        let held = target.holds(server).await;
        admin.patch(&first, &json!({"object_pk": other})).await.expect(400);
        admin.put(&first, &json!({"object_pk": other})).await.expect(400);
        assert_eq!(target.holds(server).await, held);
    }
    // What somebody else holds there does not matter.
    let third = Target::role(server, "third").await;
    let path = give(server, &third, GROUP, &one, "change_group").await;
    admin.patch(&path, &json!({"object_pk": other})).await.expect(200);
}

async fn deletion(server: &Server) {
    let admin = server.admin();
    let group = server.group("team", json!({})).await;
    let role = server.role("role", &[]).await.to_string();
    let carrier = server.group("carrier", json!({"roles": [role]})).await;
    let ann = server.person("ann").await;
    let bob = server.person_with("bob", json!({"groups": [carrier]})).await;
    for (target, client) in [(Target::User(ann.pk), &ann.client), (Target::Role(role), &bob.client)] {
        let path = give(server, &target, GROUP, &group, "view_group").await;
        client.get("/core/groups/").await.expect(200);
        let mark = server.mark().await;
        admin.delete(&path).await.expect_empty(204);
        client.get("/core/groups/").await.expect_forbidden();
        assert_eq!(server.gists_since(&mark).await.len(), 1);
        admin.delete(&path).await.expect_missing();
        admin.get(&path).await.expect_missing();
        admin.patch(&path, &json!({})).await.expect_missing();
        assert_eq!(target.holds(server).await, Vec::<String>::new());
    }
}

async fn kinds_are_apart(server: &Server) {
    let admin = server.admin();
    let group = server.group("team", json!({})).await;
    let [role, user] = Target::both(server, "holder").await;
    let of_role = give(server, &role, GROUP, &group, "view_group").await;
    let of_user = give(server, &user, GROUP, &group, "view_group").await;
    admin.post(&user.assign(), &super::globally(&["authentik_core.add_group"])).await.expect(200);
    let global =
        super::all_grants(server).await.into_iter().find(|g| g.permission.ends_with("add_group")).expect("held").id;
    let wrong = [of_role.replace(ROLES, USERS), of_user.replace(USERS, ROLES), format!("{USERS}{global}/")];
    let unknown = [format!("{ROLES}999999/"), format!("{USERS}bad/"), format!("{USERS}99999999999/")];
    for path in wrong.into_iter().chain(unknown) {
        admin.get(&path).await.expect_missing();
        admin.put(&path, &json!({})).await.expect_missing();
        admin.patch(&path, &json!({"object_pk": group})).await.expect_missing();
        admin.delete(&path).await.expect_missing();
    }
    admin.get(&of_role).await.expect(200);
    admin.get(&of_user).await.expect(200);
}

async fn superusers_only(server: &Server) {
    let all = server.admin().get("/rbac/permissions/").await.expect(200);
    let codes: Vec<String> = all["results"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|p: &Value| format!("{}.{}", text(&p["app_label"]), text(&p["codename"])))
        .collect();
    let ann = server.holder_of("ann", &codes.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let group = server.group("team", json!({})).await;
    for target in Target::both(server, "holder").await {
        let row = give(server, &target, GROUP, &group, "view_group").await;
        for path in [row.clone(), format!("{}999999/", rows_of(&target))] {
            ann.client.get(&path).await.expect_forbidden();
            ann.client.put(&path, &json!({})).await.expect_forbidden();
            ann.client.patch(&path, &json!({"object_pk": []})).await.expect_forbidden();
            ann.client.delete(&path).await.expect_forbidden();
        }
        ann.client.get(rows_of(&target)).await.expect_forbidden();
        ann.client.get(&format!("{}?uuid=bad&user_id=bad", rows_of(&target))).await.expect_forbidden();
        server.admin().get(&row).await.expect(200);
    }
}

async fn no_other_methods(server: &Server) {
    let admin = server.admin();
    for path in [ROLES, USERS] {
        for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            let text = format!("Method \"{method}\" not allowed.");
            admin.request(method, path).json(&json!({})).send().await.expect_detail(405, &text);
        }
        admin.post(&format!("{path}1/"), &json!({})).await.expect_detail(405, "Method \"POST\" not allowed.");
    }
}
