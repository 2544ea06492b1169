//! What the fields of an account take, and the words for what they do not.

use crate::harness::{Server, tests};
use serde_json::{Value, json};

tests![
    usernames_are_unique,
    fields_have_rules,
    paths_have_rules,
    types_have_rules,
    all_faults_at_once,
    groups_must_exist
];

async fn usernames_are_unique(server: &Server) {
    let admin = server.admin();
    let taken = json!({"username": ["This field must be unique."]});
    let ann = admin.post("/core/users/", &json!({"username": "ann", "name": ""})).await.expect(201);
    let bob = admin.post("/core/users/", &json!({"username": "bob", "name": ""})).await.expect(201);
    admin.post("/core/users/", &json!({"username": "ann", "name": ""})).await.expect_faults(taken.clone());
    admin.post("/core/users/", &json!({"username": " ann ", "name": ""})).await.expect_faults(taken.clone());
    let path = format!("/core/users/{}/", bob["pk"]);
    admin.patch(&path, &json!({"username": "ann"})).await.expect_faults(taken.clone());
    admin.put(&path, &json!({"username": "ann", "name": ""})).await.expect_faults(taken);
    admin.get(&path).await.expect_body(200, &bob);
    admin.post("/core/users/", &json!({"username": "Ann", "name": ""})).await.expect(201);
    admin.patch(&format!("/core/users/{}/", ann["pk"]), &json!({"username": "ann"})).await.expect(200);
}

async fn fields_have_rules(server: &Server) {
    let admin = server.admin();
    let email = "Enter a valid email address.";
    let attributes = "Value must be a dictionary, and not have any duplicate keys.";
    let long = |n: u32| format!("Ensure this field has no more than {n} characters.");
    let long_address = format!("{}@example.org", "x".repeat(254));
    let cases: Vec<(&str, Value, Vec<String>)> = vec![
        ("username", json!(null), vec!["This field may not be null.".into()]),
        ("username", json!("  "), vec!["This field may not be blank.".into()]),
        ("username", json!([]), vec!["Not a valid string.".into()]),
        ("username", json!("x".repeat(151)), vec![long(150)]),
        ("username", json!("a\u{0}"), vec!["Null characters are not allowed.".into()]),
        ("name", json!(null), vec!["This field may not be null.".into()]),
        ("name", json!({}), vec!["Not a valid string.".into()]),
        ("is_active", json!("perhaps"), vec!["Must be a valid boolean.".into()]),
        ("is_active", json!(null), vec!["This field may not be null.".into()]),
        ("last_login", json!(5), vec![
            "Datetime has wrong format. Use one of these formats instead: YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z].".into(),
        ]),
        ("email", json!("nobody"), vec![email.into()]),
        ("email", json!("A <a@example.org>"), vec![email.into()]),
        ("email", json!(42), vec![email.into()]),
        ("email", json!(true), vec![email.into()]),
        ("email", json!(null), vec!["This field may not be null.".into()]),
        ("attributes", json!([]), vec![attributes.into()]),
        ("attributes", json!("{}"), vec![attributes.into()]),
        ("attributes", json!(5), vec![attributes.into()]),
        ("groups", json!("x"), vec!["Expected a list of items but got type \"str\".".into()]),
        ("groups", json!({}), vec!["Expected a list of items but got type \"dict\".".into()]),
        ("groups", json!(["bad"]), vec!["“bad” is not a valid UUID.".into()]),
        ("groups", json!([42]), vec!["Invalid pk \"42\" - object does not exist.".into()]),
        ("groups", json!([true]), vec!["Incorrect type. Expected pk value, received bool.".into()]),
    ];
    for (field, value, texts) in cases {
        let mut body = json!({"username": "t", "name": ""});
        body[field] = value;
        admin.post("/core/users/", &body).await.expect_faults(json!({field: texts}));
    }
    let mut body = json!({"username": "t", "name": "", "email": long_address});
    let faults = admin.post("/core/users/", &body).await.expect(400);
    let texts = faults["email"].as_array().expect("texts");
    assert!(texts.contains(&json!(long(254))), "{faults}");
    body["email"] = json!("  a@example.org ");
    body["username"] = json!(42);
    let user = admin.post("/core/users/", &body).await.expect(201);
    assert_eq!((&user["username"], &user["email"]), (&json!("42"), &json!("a@example.org")));
    let longest = json!({"username": "ü".repeat(150), "name": "n".repeat(5000)});
    assert_eq!(admin.post("/core/users/", &longest).await.expect(201)["username"], longest["username"]);
}

async fn paths_have_rules(server: &Server) {
    let admin = server.admin();
    let slashes = json!({"path": ["No leading or trailing slashes allowed."]});
    let segments = json!({"path": ["No empty segments in user path allowed."]});
    let user = admin.post("/core/users/", &json!({"username": "t", "name": ""})).await.expect(201);
    let path = format!("/core/users/{}/", user["pk"]);
    for (given, faults) in
        [("/a", &slashes), ("a/", &slashes), ("/", &slashes), ("a//b", &segments), ("a/b//c", &segments)]
    {
        let body = json!({"username": "u", "name": "", "path": given});
        admin.post("/core/users/", &body).await.expect_faults(faults.clone());
        admin.patch(&path, &json!({"path": given})).await.expect_faults(faults.clone());
    }
    for good in ["a", "a/b/c", "goauthentik.io/x", "with space/ü"] {
        assert_eq!(admin.patch(&path, &json!({"path": good})).await.expect(200)["path"], good);
    }
    admin.patch(&path, &json!({"path": ""})).await.expect_faults(json!({"path": ["This field may not be blank."]}));
}

async fn types_have_rules(server: &Server) {
    let admin = server.admin();
    let refused = json!({"type": ["Setting a user to internal service account is not allowed."]});
    let body = json!({"username": "t", "name": "", "type": "internal_service_account"});
    admin.post("/core/users/", &body).await.expect_faults(refused.clone());
    let user = admin.post("/core/users/", &json!({"username": "t", "name": ""})).await.expect(201);
    let path = format!("/core/users/{}/", user["pk"]);
    // The original accepts it (rbac §8.13 FIX).
    admin.patch(&path, &json!({"type": "internal_service_account"})).await.expect_faults(refused.clone());
    admin.put(&path, &body).await.expect_faults(refused);
    for (value, shown) in [(json!("robot"), "robot"), (json!(""), ""), (json!([]), "[]"), (json!({"a": 1}), "{'a': 1}")]
    {
        let faults = json!({"type": [format!("\"{shown}\" is not a valid choice.")]});
        admin.patch(&path, &json!({"type": value})).await.expect_faults(faults);
    }
    for kind in ["external", "service_account", "internal"] {
        assert_eq!(admin.patch(&path, &json!({"type": kind})).await.expect(200)["type"], kind);
    }
}

async fn all_faults_at_once(server: &Server) {
    let admin = server.admin();
    let body = json!({
        "username": "", "is_active": 7, "email": "x", "attributes": 1, "path": [], "type": "x", "groups": 1, "last_login": "x",
    });
    let faults = admin.post("/core/users/", &body).await.expect(400);
    assert_eq!(faults.as_object().map(serde_json::Map::len), Some(9), "{faults}");
    assert_eq!(faults["name"], json!(["This field is required."]));
    let unknown = "00000000-0000-4000-8000-000000000000";
    let body = json!({"username": "akadmin", "name": "", "path": "/", "groups": [unknown]});
    let faults = admin.post("/core/users/", &body).await.expect(400);
    for field in ["username", "path", "groups"] {
        assert!(faults[field].is_array(), "{field} is missing in {faults}");
    }
}

async fn groups_must_exist(server: &Server) {
    let admin = server.admin();
    let group = server.group("g", json!({})).await;
    let unknown = "00000000-0000-4000-8000-000000000000";
    let faults = json!({"groups": [format!("Invalid pk \"{unknown}\" - object does not exist.")]});
    let body = json!({"username": "t", "name": "", "groups": [group, unknown, "bad"]});
    admin
        .post("/core/users/", &json!({"username": "t", "name": "", "groups": [group, unknown]}))
        .await
        .expect_faults(faults);
    admin.post("/core/users/", &body).await.expect(400);
    assert_eq!(admin.get("/core/users/?username=t").await.expect_list("username").len(), 0);
}
