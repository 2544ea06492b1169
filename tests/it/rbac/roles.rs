//! Roles: creating, reading, changing and deleting them (contract: authentik-rbac §2).

use super::{Target, UNKNOWN, globally, text};
use crate::harness::{Server, tests};
use http::Method;
use serde_json::{Value, json};

tests![
    create_and_read,
    names_have_rules,
    names_are_unique,
    put_and_patch,
    changes_keep_the_permissions,
    listing,
    a_renamed_role_goes_by_its_new_name,
    used_by,
    deletion_takes_permissions_along,
    a_freed_name_is_free,
    unknown_roles_are_missing,
    a_fresh_installation_has_one,
];

fn path(pk: &str) -> String {
    format!("/rbac/roles/{pk}/")
}

async fn make(server: &Server, name: &str) -> String {
    text(&server.admin().post("/rbac/roles/", &json!({"name": name})).await.expect(201)["pk"])
}

async fn create_and_read(server: &Server) {
    let admin = server.admin();
    let mark = server.mark().await;
    // What a role permits is not told on the way.
    let body = json!({"name": " Helpers ", "permissions": ["authentik_core.view_user"], "pk": UNKNOWN, "x": 1});
    let role = admin.post("/rbac/roles/", &body).await.expect(201);
    let pk = text(&role["pk"]);
    assert_ne!(pk, UNKNOWN);
    assert_eq!(role, json!({"pk": pk, "name": "Helpers"}));
    admin.get(&path(&pk)).await.expect_body(200, &role);
    assert_eq!(Target::Role(pk).holds(server).await, Vec::<String>::new());
    assert_eq!(server.gists_since(&mark).await, ["model_created role Helpers"]);
}

async fn names_have_rules(server: &Server) {
    let admin = server.admin();
    let role = path(&make(server, "role").await);
    let faults = [
        (json!({"name": null}), "This field may not be null."),
        (json!({"name": ""}), "This field may not be blank."),
        (json!({"name": " \t "}), "This field may not be blank."),
        (json!({"name": true}), "Not a valid string."),
        (json!({"name": ["a"]}), "Not a valid string."),
        (json!({"name": {}}), "Not a valid string."),
        (json!({"name": "a\u{0}b"}), "Null characters are not allowed."),
        (json!({"name": "é".repeat(151)}), "Ensure this field has no more than 150 characters."),
    ];
    for (body, fault) in faults {
        let fault = json!({"name": [fault]});
        admin.post("/rbac/roles/", &body).await.expect_faults(fault.clone());
        admin.put(&role, &body).await.expect_faults(fault.clone());
        admin.patch(&role, &body).await.expect_faults(fault);
    }
    let required = json!({"name": ["This field is required."]});
    admin.post("/rbac/roles/", &json!({})).await.expect_faults(required.clone());
    admin.put(&role, &json!({})).await.expect_faults(required);
    let whole = [
        (json!([]), "Invalid data. Expected a dictionary, but got list."),
        (json!("x"), "Invalid data. Expected a dictionary, but got str."),
        (json!(null), "No data provided"),
    ];
    for (body, fault) in whole {
        admin.post("/rbac/roles/", &body).await.expect_faults(json!({"non_field_errors": [fault]}));
        admin.put(&role, &body).await.expect_faults(json!({"non_field_errors": [fault]}));
    }
    // Numbers are taken for text, and 150 characters are no bytes.
    assert_eq!(admin.post("/rbac/roles/", &json!({"name": 42})).await.expect(201)["name"], "42");
    admin.post("/rbac/roles/", &json!({"name": "é".repeat(150)})).await.expect(201);
    assert_eq!(admin.get(&role).await.expect(200)["name"], "role");
}

async fn names_are_unique(server: &Server) {
    let admin = server.admin();
    let one = path(&make(server, "one").await);
    let two = path(&make(server, "two").await);
    let taken = json!({"name": ["Role with this name already exists."]});
    for body in [json!({"name": "one"}), json!({"name": " one "})] {
        admin.post("/rbac/roles/", &body).await.expect_faults(taken.clone());
        admin.put(&two, &body).await.expect_faults(taken.clone());
        admin.patch(&two, &body).await.expect_faults(taken.clone());
    }
    admin.put(&one, &json!({"name": "one"})).await.expect(200);
    admin.patch(&one, &json!({"name": "one"})).await.expect(200);
    // Case counts, and a group's name is another matter.
    make(server, "One").await;
    server.group("two", json!({})).await;
    assert_eq!(admin.get(&two).await.expect(200)["name"], "two");
}

async fn put_and_patch(server: &Server) {
    let admin = server.admin();
    let pk = make(server, "a").await;
    let mark = server.mark().await;
    admin.put(&path(&pk), &json!({"name": "b"})).await.expect_body(200, &json!({"pk": pk, "name": "b"}));
    admin.patch(&path(&pk), &json!({"name": "c"})).await.expect_body(200, &json!({"pk": pk, "name": "c"}));
    admin.patch(&path(&pk), &json!({})).await.expect_body(200, &json!({"pk": pk, "name": "c"}));
    assert_eq!(
        server.gists_since(&mark).await,
        ["model_updated role b", "model_updated role c", "model_updated role c"]
    );
}

/// The original takes the global permissions away (§8, 8).
async fn changes_keep_the_permissions(server: &Server) {
    let admin = server.admin();
    let role = server.role("role", &["authentik_core.view_user"]).await.to_string();
    let group = server.group("group", json!({"roles": [role]})).await;
    let ann = server.person_with("ann", json!({"groups": [group]})).await;
    for _ in 0..2 {
        admin.put(&path(&role), &json!({"name": "other"})).await.expect(200);
        ann.client.get("/core/users/").await.expect(200);
        admin.patch(&path(&role), &json!({"name": "role", "permissions": []})).await.expect(200);
        ann.client.get("/core/users/").await.expect(200);
    }
}

async fn listing(server: &Server) {
    let admin = server.admin();
    let zeta = make(server, "Zeta").await;
    let alpha = make(server, "Alpha").await;
    let beta = make(server, "Alpha beta").await;
    let shipped = "authentik Read-only";
    let names = async |query: &str| admin.get(&format!("/rbac/roles/{query}")).await.expect_list("name");
    assert_eq!(names("").await, ["Alpha", "Alpha beta", "Zeta", shipped]);
    assert_eq!(names("?ordering=-name").await, [shipped, "Zeta", "Alpha beta", "Alpha"]);
    // The hidden group's name is no field of a role.
    assert_eq!(names("?ordering=-group__name").await, ["Alpha", "Alpha beta", "Zeta", shipped]);
    assert_eq!(names("?ordering=group__name,-name").await, [shipped, "Zeta", "Alpha beta", "Alpha"]);
    assert_eq!(names("?search=ALPHA").await, ["Alpha", "Alpha beta"]);
    assert_eq!(names("?search=beta,alp").await, ["Alpha beta"]);
    assert_eq!(names("?search=%25").await, Vec::<String>::new());
    assert_eq!(names("?group__name=Alpha").await, ["Alpha"]);
    assert_eq!(names("?group__name=alpha").await, Vec::<String>::new());
    assert_eq!(names("?group__name=").await.len(), 4);
    assert_eq!(names("?name=Zeta&nonsense=1").await.len(), 4);
    let mut keys = vec![zeta, alpha, beta];
    keys.extend(admin.get(&format!("/rbac/roles/?search={}", "read-only")).await.expect_list("pk"));
    keys.sort_unstable();
    assert_eq!(admin.get("/rbac/roles/?ordering=pk").await.expect_list("pk"), keys);
    let page = admin.get("/rbac/roles/?page_size=3&page=2").await.expect(200);
    let expected = json!({
        "next": 0, "previous": 1, "count": 4, "current": 2, "total_pages": 2, "start_index": 4, "end_index": 4,
    });
    assert_eq!(page["pagination"], expected);
    assert_eq!(page["results"][0]["name"], shipped);
    admin.get("/rbac/roles/?page=9").await.expect_detail(404, "Invalid page.");
}

/// The original goes on using the name of its first day (§8, 12).
async fn a_renamed_role_goes_by_its_new_name(server: &Server) {
    let admin = server.admin();
    let pk = make(server, "m old").await;
    make(server, "n other").await;
    admin.post(&Target::Role(pk.clone()).assign(), &globally(&["authentik_core.view_group"])).await.expect(200);
    admin.patch(&path(&pk), &json!({"name": "x new"})).await.expect(200);
    let names = async |query: &str| admin.get(&format!("/rbac/roles/{query}")).await.expect_list("name");
    assert_eq!(names("?group__name=m%20old").await, Vec::<String>::new());
    assert_eq!(names("?group__name=x%20new").await, ["x new"]);
    assert_eq!(names("?search=old").await, Vec::<String>::new());
    assert_eq!(names("?search=new").await, ["x new"]);
    assert_eq!(names("").await, ["authentik Read-only", "n other", "x new"]);
    let holders = admin.get("/rbac/permissions/assigned_by_roles/?model=authentik_core.group").await;
    assert_eq!(holders.expect_list("name"), ["authentik Read-only", "x new"]);
}

async fn used_by(server: &Server) {
    let admin = server.admin();
    let pk = make(server, "role").await;
    let used = format!("{}used_by/", path(&pk));
    admin.get(&used).await.expect_body(200, &json!([]));
    let group = server.group("team", json!({"roles": [pk]})).await;
    let carrier = json!([{
        "app": "authentik_core", "model_name": "group", "pk": group, "name": "Group team", "action": "cascade_many",
    }]);
    admin.get(&used).await.expect_body(200, &carrier);
    // As far as the caller sees groups.
    let ann = server.holder_of("ann", &["authentik_rbac.view_role"]).await;
    ann.client.get(&used).await.expect_body(200, &json!([]));
    server.grant(ann.holder(), "authentik_core.view_group", Some(&group)).await;
    ann.client.get(&used).await.expect_body(200, &carrier);
}

async fn deletion_takes_permissions_along(server: &Server) {
    let admin = server.admin();
    let role = server.role("role", &["authentik_core.view_user"]).await.to_string();
    let group = server.group("group", json!({"roles": [role]})).await;
    let ann = server.person_with("ann", json!({"groups": [group]})).await;
    ann.client.get("/core/users/").await.expect(200);
    let mark = server.mark().await;
    admin.delete(&path(&role)).await.expect_empty(204);
    ann.client.get("/core/users/").await.expect_forbidden();
    assert_eq!(server.gists_since(&mark).await, ["model_deleted role role"]);
    let left = admin.get(&format!("/core/groups/{group}/")).await.expect(200);
    assert_eq!((&left["roles"], &left["roles_obj"]), (&json!([]), &json!([])));
    admin.get(&path(&role)).await.expect_missing();
    admin.delete(&path(&role)).await.expect_missing();
    assert_eq!(Target::Role(role).holds(server).await, Vec::<String>::new());
}

/// In the original a role of a deleted one's name has its permissions, and a renamed one's old name
/// crashes (§8, 10).
async fn a_freed_name_is_free(server: &Server) {
    let admin = server.admin();
    let codes = ["authentik_core.view_user"];
    let first = server.role("name", &codes).await.to_string();
    admin.delete(&path(&first)).await.expect_empty(204);
    let second = make(server, "name").await;
    assert_eq!(Target::Role(second.clone()).holds(server).await, Vec::<String>::new());
    let carrier = server.group("g", json!({"roles": [second]})).await;
    let ann = server.person_with("ann", json!({"groups": [carrier]})).await;
    ann.client.get("/core/users/").await.expect_forbidden();
    admin.post(&Target::Role(second.clone()).assign(), &globally(&codes)).await.expect(200);
    admin.patch(&path(&second), &json!({"name": "another"})).await.expect(200);
    let third = make(server, "name").await;
    assert_eq!(Target::Role(third).holds(server).await, Vec::<String>::new());
    assert_eq!(Target::Role(second).holds(server).await, codes);
}

async fn unknown_roles_are_missing(server: &Server) {
    let admin = server.admin();
    for key in [UNKNOWN, "nonsense", "1", "%00"] {
        let one = path(key);
        admin.get(&one).await.expect_missing();
        admin.get(&format!("{one}used_by/")).await.expect_missing();
        admin.put(&one, &json!({})).await.expect_missing();
        admin.patch(&one, &json!({"name": []})).await.expect_missing();
        admin.delete(&one).await.expect_missing();
    }
    let refused = admin.request(Method::POST, &path(UNKNOWN)).json(&json!({})).send().await;
    refused.expect_detail(405, "Method \"POST\" not allowed.");
    admin.delete("/rbac/roles/").await.expect_detail(405, "Method \"DELETE\" not allowed.");
}

async fn a_fresh_installation_has_one(server: &Server) {
    let admin = server.admin();
    let roles = admin.get("/rbac/roles/").await.expect(200);
    let role = &roles["results"][0];
    assert_eq!((&roles["pagination"]["count"], &role["name"]), (&json!(1), &json!("authentik Read-only")));
    let used = admin.get(&format!("{}used_by/", path(&text(&role["pk"])))).await.expect(200);
    let names: Vec<&Value> = used.as_array().expect("a list").iter().map(|user| &user["name"]).collect();
    assert_eq!(names, ["Group authentik Read-only"]);
    // Every view permission, none of the further codes.
    let mut held = Target::Role(text(&role["pk"])).holds(server).await;
    held.retain(|code| !code.contains(".view_"));
    assert_eq!(held, Vec::<String>::new());
    let held = Target::Role(text(&role["pk"])).holds(server).await;
    for code in [
        "authentik_core.view_token_key",
        "authentik_rbac.view_system_info",
        "authentik_core.view_user_applications",
        "authentik_policies.view_policy_cache",
    ] {
        assert!(!held.iter().any(|h| h == code), "{code}");
    }
    for code in [
        "authentik_core.view_user",
        "authentik_core.view_token",
        "authentik_rbac.view_role",
        "authentik_events.view_event",
        "authentik_core.view_application",
        "authentik_policies.view_policy",
        "authentik_policies.view_policybinding",
        "authentik_policies_expression.view_expressionpolicy",
        "authentik_policies_reputation.view_reputation",
    ] {
        assert!(held.iter().any(|h| h == code), "{code}");
    }
    assert!(super::all_grants(server).await.iter().all(|grant| grant.user_id.is_none()), "no direct permissions");
}
