//! Creating, reading, changing and deleting groups.

use super::UNKNOWN;
use crate::harness::{Server, tests};
use serde_json::{Value, json};

tests![
    create_minimal,
    create_with_everything,
    patch_changes_what_it_names,
    put_resets_users_and_parent,
    names_are_unique,
    fields_have_rules,
    parents,
    delete_frees_children,
    ids,
    roles_belong_to_one_group,
    used_by,
];

/// The first five digits of a UUID read as one decimal number.
fn num_pk(pk: &str) -> u64 {
    let id: uuid::Uuid = pk.parse().expect("a uuid");
    id.as_u128().to_string()[..5].parse().expect("digits")
}

async fn create_minimal(server: &Server) {
    let admin = server.admin();
    let group = admin.post("/core/groups/", &json!({"name": "team"})).await.expect(201);
    let pk = group["pk"].as_str().expect("text");
    let expected = json!({
        "pk": pk, "num_pk": num_pk(pk), "name": "team", "is_superuser": false, "parent": null, "parent_name": null, "users": [],
        "users_obj": [], "attributes": {}, "roles": [], "roles_obj": [],
    });
    assert_eq!(group, expected);
    admin.get(&format!("/core/groups/{pk}/")).await.expect_body(200, &expected);
    assert_eq!(num_pk("6fa459ea-ee8a-3ca4-894e-db77e160355e"), 14_839);
}

async fn create_with_everything(server: &Server) {
    let admin = server.admin();
    let top = server.group("top", json!({})).await;
    let role = server.role("reader", &[]).await.to_string();
    let ann = server.person_with("ann", json!({"email": "ann@example.org", "attributes": {"x": 1}})).await;
    let body = json!({
        "name": " team ", "is_superuser": true, "parent": top, "users": [ann.pk], "attributes": {"a": [1]}, "roles": [role],
    });
    let group = admin.post("/core/groups/", &body).await.expect(201);
    for field in ["is_superuser", "parent", "users", "attributes", "roles"] {
        assert_eq!(group[field], body[field], "{field}");
    }
    assert_eq!((&group["name"], &group["parent_name"]), (&json!("team"), &json!("top")));
    assert_eq!(group["roles_obj"], json!([{"pk": role, "name": "reader"}]));
    let user = admin.get(&format!("/core/users/{}/", ann.pk)).await.expect(200);
    let member = json!([{
        "pk": ann.pk, "username": "ann", "name": "ann", "is_active": true, "last_login": null, "email": "ann@example.org",
        "attributes": {"x": 1}, "uid": user["uid"],
    }]);
    assert_eq!(group["users_obj"], member);
    let path = format!("/core/groups/{}/", group["pk"].as_str().expect("text"));
    admin.get(&path).await.expect_body(200, &group);
    for hidden in ["false", "0", "x"] {
        let without = admin.get(&format!("{path}?include_users={hidden}")).await.expect(200);
        assert_eq!(without["users_obj"], Value::Null, "{hidden}");
        assert_eq!(without["users"], json!([ann.pk]));
    }
    admin.get(&format!("{path}?include_users=true")).await.expect_body(200, &group);
}

async fn patch_changes_what_it_names(server: &Server) {
    let admin = server.admin();
    let top = server.group("top", json!({})).await;
    let ann = server.person("ann").await;
    let body = json!({"name": "team", "parent": top, "users": [ann.pk], "attributes": {"a": 1}});
    let mut expected = admin.post("/core/groups/", &body).await.expect(201);
    let path = format!("/core/groups/{}/", expected["pk"].as_str().expect("text"));
    for (field, value) in [("name", json!("crew")), ("is_superuser", json!(true)), ("attributes", json!({"b": {}}))] {
        expected[field] = value.clone();
        admin.patch(&path, &json!({field: value})).await.expect_body(200, &expected);
    }
    expected["parent"] = json!(null);
    expected["parent_name"] = json!(null);
    admin.patch(&path, &json!({"parent": null})).await.expect_body(200, &expected);
    admin.patch(&path, &json!({})).await.expect_body(200, &expected);
    expected["users"] = json!([]);
    expected["users_obj"] = json!([]);
    admin.patch(&path, &json!({"users": []})).await.expect_body(200, &expected);
    // An empty text is no parent, too.
    admin.patch(&path, &json!({"parent": top})).await.expect(200);
    assert_eq!(admin.patch(&path, &json!({"parent": ""})).await.expect(200)["parent"], json!(null));
}

async fn put_resets_users_and_parent(server: &Server) {
    let admin = server.admin();
    let top = server.group("top", json!({})).await;
    let role = server.role("reader", &[]).await.to_string();
    let ann = server.person("ann").await;
    let body = json!({
        "name": "team", "is_superuser": true, "parent": top, "users": [ann.pk], "attributes": {"a": 1}, "roles": [role],
    });
    let mut expected = admin.post("/core/groups/", &body).await.expect(201);
    let path = format!("/core/groups/{}/", expected["pk"].as_str().expect("text"));
    for (field, value) in
        [("users", json!([])), ("users_obj", json!([])), ("parent", json!(null)), ("parent_name", json!(null))]
    {
        expected[field] = value;
    }
    admin.put(&path, &json!({})).await.expect_faults(json!({"name": ["This field is required."]}));
    assert_eq!(admin.get(&path).await.expect(200)["users"], json!([ann.pk]));
    admin.put(&path, &json!({"name": "team"})).await.expect_body(200, &expected);
    admin.get(&path).await.expect_body(200, &expected);
}

async fn names_are_unique(server: &Server) {
    let admin = server.admin();
    let taken = json!({"name": ["This field must be unique."]});
    server.group("one", json!({})).await;
    let two = format!("/core/groups/{}/", server.group("two", json!({})).await);
    admin.post("/core/groups/", &json!({"name": "one"})).await.expect_faults(taken.clone());
    admin.post("/core/groups/", &json!({"name": " one "})).await.expect_faults(taken.clone());
    admin.patch(&two, &json!({"name": "one"})).await.expect_faults(taken.clone());
    admin.put(&two, &json!({"name": "one"})).await.expect_faults(taken);
    admin.patch(&two, &json!({"name": "two"})).await.expect(200);
    server.group("ONE", json!({})).await;
}

async fn fields_have_rules(server: &Server) {
    let admin = server.admin();
    let dictionary = "Value must be a dictionary, and not have any duplicate keys.";
    let missing = |value: &str| format!("Invalid pk \"{value}\" - object does not exist.");
    let cases: Vec<(&str, Value, String)> = vec![
        ("name", json!(null), "This field may not be null.".into()),
        ("name", json!("  "), "This field may not be blank.".into()),
        ("name", json!({}), "Not a valid string.".into()),
        ("is_superuser", json!(null), "This field may not be null.".into()),
        ("is_superuser", json!("x"), "Must be a valid boolean.".into()),
        ("attributes", json!([]), dictionary.into()),
        ("parent", json!(UNKNOWN), missing(UNKNOWN)),
        ("parent", json!("abc"), "“abc” is not a valid UUID.".into()),
        ("parent", json!(42), missing("42")),
        ("parent", json!(-1), "“-1” is not a valid UUID.".into()),
        ("parent", json!(true), "Incorrect type. Expected pk value, received bool.".into()),
        ("users", json!("x"), "Expected a list of items but got type \"str\".".into()),
        ("users", json!({"a": 1}), "Expected a list of items but got type \"dict\".".into()),
        ("users", json!([999_999]), missing("999999")),
        ("users", json!(["x"]), "Incorrect type. Expected pk value, received str.".into()),
        ("users", json!([true]), "Incorrect type. Expected pk value, received bool.".into()),
        ("roles", json!([UNKNOWN]), missing(UNKNOWN)),
        ("roles", json!(["zz-bad"]), "“zz-bad” is not a valid UUID.".into()),
        ("roles", json!(5), "Expected a list of items but got type \"int\".".into()),
    ];
    for (field, value, text) in cases {
        let mut body = json!({"name": "t"});
        body[field] = value;
        admin.post("/core/groups/", &body).await.expect_faults(json!({field: [text]}));
    }
    let body = json!({"name": "", "is_superuser": 9, "attributes": 1, "parent": [], "users": 1, "roles": 1});
    let faults = admin.post("/core/groups/", &body).await.expect(400);
    assert_eq!(faults.as_object().map(serde_json::Map::len), Some(6), "{faults}");
    let body = json!({"name": "authentik Admins", "parent": UNKNOWN, "users": [999_999], "roles": [UNKNOWN]});
    let faults = admin.post("/core/groups/", &body).await.expect(400);
    assert_eq!(faults.as_object().map(serde_json::Map::len), Some(4), "{faults}");
}

async fn parents(server: &Server) {
    let admin = server.admin();
    let itself = json!({"parent": ["Cannot set group as parent of itself."]});
    let a = server.group("a", json!({})).await;
    let b = server.group("b", json!({"parent": a})).await;
    let path = |pk: &str| format!("/core/groups/{pk}/");
    admin.patch(&path(&a), &json!({"parent": a})).await.expect_faults(itself.clone());
    admin.put(&path(&a), &json!({"name": "a", "parent": a})).await.expect_faults(itself);
    // A longer circle is taken by the original: here it may be refused, but must not hang anything.
    let circle = admin.patch(&path(&a), &json!({"parent": b})).await;
    assert!(matches!(circle.status, 200 | 400), "{}", circle.text());
    let ann = server.person_with("ann", json!({"groups": [a]})).await;
    let me = ann.client.get("/core/users/me/").await.expect(200);
    assert_eq!(me["user"]["is_superuser"], false);
    admin.get("/core/groups/").await.expect(200);
    // A chain of twenty is walked to its end.
    let mut parent = server.group("top", json!({"is_superuser": true})).await;
    for index in 0..19 {
        parent = server.group(&format!("chain{index}"), json!({"parent": parent})).await;
    }
    let bob = server.person_with("bob", json!({"groups": [parent]})).await;
    assert_eq!(bob.client.get("/core/users/me/").await.expect(200)["user"]["is_superuser"], true);
}

async fn delete_frees_children(server: &Server) {
    let admin = server.admin();
    let top = server.group("top", json!({"is_superuser": true})).await;
    let low = server.group("low", json!({"parent": top})).await;
    let ann = server.person_with("ann", json!({"groups": [low]})).await;
    ann.client.get("/core/users/").await.expect(200);
    admin.delete(&format!("/core/groups/{top}/")).await.expect_empty(204);
    let group = admin.get(&format!("/core/groups/{low}/")).await.expect(200);
    assert_eq!((&group["parent"], &group["parent_name"]), (&json!(null), &json!(null)));
    ann.client.get("/core/users/").await.expect_forbidden();
    admin.delete(&format!("/core/groups/{low}/")).await.expect_empty(204);
    admin.delete(&format!("/core/groups/{low}/")).await.expect_missing();
    let user = admin.get(&format!("/core/users/{}/", ann.pk)).await.expect(200);
    assert_eq!(user["groups"], json!([]));
    server.group("low", json!({})).await;
}

async fn ids(server: &Server) {
    let admin = server.admin();
    for bad in [UNKNOWN, "abc", "1", "%20", "00000000000040008000000000000000x"] {
        let path = format!("/core/groups/{bad}/");
        admin.get(&path).await.expect_missing();
        admin.patch(&path, &json!({})).await.expect_missing();
        admin.put(&path, &json!({})).await.expect_missing();
        admin.delete(&path).await.expect_missing();
        admin.get(&format!("{path}used_by/")).await.expect_missing();
        admin.post(&format!("{path}add_user/"), &json!({"pk": 1})).await.expect_missing();
    }
}

async fn roles_belong_to_one_group(server: &Server) {
    let admin = server.admin();
    let role = server.role("reader", &["authentik_core.view_user"]).await.to_string();
    let one = server.group("one", json!({"roles": [role]})).await;
    let refused = json!(["Roles can only be used with a single group."]);
    admin.post("/core/groups/", &json!({"name": "two", "roles": [role]})).await.expect_body(400, &refused);
    let two = server.group("two", json!({})).await;
    let (one, two) = (format!("/core/groups/{one}/"), format!("/core/groups/{two}/"));
    admin.patch(&two, &json!({"roles": [role]})).await.expect_body(400, &refused);
    assert_eq!(admin.get(&two).await.expect(200)["roles"], json!([]));
    admin.patch(&one, &json!({"roles": [role]})).await.expect(200);
    admin.patch(&one, &json!({"roles": []})).await.expect(200);
    assert_eq!(admin.patch(&two, &json!({"roles": [role, role]})).await.expect(200)["roles"], json!([role]));
    admin.delete(&two).await.expect_empty(204);
    assert_eq!(admin.patch(&one, &json!({"roles": [role]})).await.expect(200)["roles"], json!([role]));
}

async fn used_by(server: &Server) {
    let admin = server.admin();
    let role = server.role("reader", &[]).await.to_string();
    let top = server.group("top", json!({"roles": [role]})).await;
    let low = server.group("low", json!({"parent": top})).await;
    let ann = server.person_with("ann", json!({"groups": [top]})).await;
    let used = admin.get(&format!("/core/groups/{top}/used_by/")).await.expect(200);
    let find = |model: &str| used.as_array().expect("a list").iter().find(|u| u["model_name"] == model).cloned();
    let child = find("group").unwrap_or_else(|| panic!("the child group is missing in {used}"));
    assert_eq!(
        (&child["pk"], &child["action"], &child["app"]),
        (&json!(low), &json!("set_null"), &json!("authentik_core"))
    );
    if let Some(user) = find("user") {
        assert_eq!((&user["pk"], &user["action"]), (&json!(ann.pk.to_string()), &json!("cascade_many")));
    }
    admin.get(&format!("/core/groups/{low}/used_by/")).await.expect_body(200, &json!([]));
}
