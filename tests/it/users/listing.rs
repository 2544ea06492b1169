//! Filters, search and ordering of accounts, and their paths.

use crate::harness::{Client, Server, tests};
use serde_json::{Value, json};

tests![filters, repeatable_filters, attributes, bad_filters, search, ordering, include_groups, paths, superuser_filter];

async fn fill(server: &Server) -> (Client, Vec<Value>) {
    let admin = server.admin();
    let red = server.group("red", json!({})).await;
    let blue = server.group("blue", json!({})).await;
    let mut made = Vec::new();
    for body in [
        json!({"username": "ann", "name": "Ann Archer", "email": "ann@example.org", "groups": [red], "path": "staff/a"}),
        json!({"username": "bob", "name": "Bob", "email": "bob@example.com", "groups": [red, blue], "path": "staff/b"}),
        json!({"username": "cid", "name": "Cid", "is_active": false, "type": "external", "path": "staffing"}),
        json!({"username": "dan", "name": "Bob", "type": "service_account", "attributes": {"team": {"name": "x"}, "n": 5}}),
    ] {
        made.push(admin.post("/core/users/", &body).await.expect(201));
    }
    (admin, made)
}

async fn listed(client: &Client, query: &str) -> Vec<String> {
    client.get(&format!("/core/users/?{query}")).await.expect_list("username")
}

async fn filters(server: &Server) {
    let (admin, made) = fill(server).await;
    let all = ["akadmin", "ann", "bob", "cid", "dan"];
    let uuid = format!("uuid={}", made[1]["uuid"].as_str().expect("text"));
    let cases: &[(&str, &[&str])] = &[
        ("", &all),
        ("username=ann", &["ann"]),
        ("username=ANN", &[]),
        ("email=ann@example.org", &["ann"]),
        ("email=ann%40example.org", &["ann"]),
        ("name=Bob", &["bob", "dan"]),
        ("is_active=false", &["cid"]),
        ("is_active=False", &["cid"]),
        ("is_active=true", &["akadmin", "ann", "bob", "dan"]),
        ("is_active=0", &all),
        ("is_active=nonsense", &all),
        ("path=staff/a", &["ann"]),
        ("path=staff", &[]),
        ("path_startswith=staff", &["ann", "bob", "cid"]),
        ("path_startswith=staff/", &["ann", "bob"]),
        ("path_startswith=%25", &[]),
        ("path_startswith=Staff", &[]),
        ("type=external", &["cid"]),
        (&uuid, &["bob"]),
        ("uuid=00000000-0000-4000-8000-000000000000", &[]),
        ("uuid=", &all),
        ("name=Bob&type=internal", &["bob"]),
    ];
    for (query, expected) in cases {
        assert_eq!(listed(&admin, query).await, *expected, "{query}");
    }
}

async fn repeatable_filters(server: &Server) {
    let (admin, made) = fill(server).await;
    let red = made[0]["groups"][0].as_str().expect("text");
    let blue = made[1]["groups_obj"].as_array().expect("groups").iter().find(|g| g["name"] == "blue").expect("blue");
    let blue = blue["pk"].as_str().expect("text");
    assert_eq!(listed(&admin, "type=external&type=service_account").await, ["cid", "dan"]);
    assert_eq!(listed(&admin, "groups_by_name=red").await, ["ann", "bob"]);
    assert_eq!(listed(&admin, "groups_by_name=blue").await, ["bob"]);
    assert_eq!(listed(&admin, "groups_by_name=blue&groups_by_name=red").await, ["ann", "bob"]);
    assert_eq!(listed(&admin, &format!("groups_by_pk={blue}")).await, ["bob"]);
    assert_eq!(listed(&admin, &format!("groups_by_pk={blue}&groups_by_pk={red}")).await, ["ann", "bob"]);
    assert_eq!(listed(&admin, &format!("groups_by_pk={red}&groups_by_name=blue")).await, ["bob"]);
}

async fn attributes(server: &Server) {
    let (admin, _) = fill(server).await;
    let cases: &[(&str, &[&str])] = &[
        (r#"{"n":5}"#, &["dan"]),
        (r#"{"n":6}"#, &[]),
        (r#"{"n":"5"}"#, &[]),
        (r#"{"team":{"name":"x"}}"#, &["dan"]),
        (r#"{"team__name":"x"}"#, &["dan"]),
        (r#"{"team__name":"x","n":5}"#, &["dan"]),
        (r#"{"team__name":"x","n":6}"#, &[]),
        (r#"{"nothing":1}"#, &[]),
        ("{}", &["akadmin", "ann", "bob", "cid", "dan"]),
    ];
    for (filter, expected) in cases {
        let query = format!("attributes={}", filter.replace('"', "%22").replace('{', "%7B").replace('}', "%7D"));
        assert_eq!(listed(&admin, &query).await, *expected, "{filter}");
    }
    for bad in ["%7B", "x", "%7B%22a%22"] {
        let answer = admin.get(&format!("/core/users/?attributes={bad}")).await;
        answer.expect_body(400, &json!(["filter: failed to parse JSON"]));
    }
    for bad in ["5", "%5B%5D", "%22x%22", "null"] {
        let answer = admin.get(&format!("/core/users/?attributes={bad}")).await;
        answer.expect_body(400, &json!(["filter: value must be key:value mapping"]));
    }
    // Attempts to leave the JSON path.
    for odd in [
        "%7B%22a'%20OR%201=1--%22:1%7D",
        "%7B%22%22:1%7D",
        "%7B%22__%22:1%7D",
        "%7B%22a%5C%22b%22:1%7D",
        "%7B%22$.n%22:5%7D",
    ] {
        let answer = admin.get(&format!("/core/users/?attributes={odd}")).await;
        assert!(answer.status == 400 || answer.expect_list("username").is_empty(), "{odd}: {}", answer.text());
    }
}

async fn bad_filters(server: &Server) {
    let admin = server.admin();
    let choice = |value: &str| format!("Select a valid choice. {value} is not one of the available choices.");
    let unknown = "00000000-0000-4000-8000-000000000000";
    for (query, faults) in [
        ("uuid=abc".to_owned(), json!({"uuid": ["Enter a valid UUID."]})),
        ("type=robot".to_owned(), json!({"type": [choice("robot")]})),
        ("type=internal&type=robot".to_owned(), json!({"type": [choice("robot")]})),
        ("groups_by_name=none".to_owned(), json!({"groups_by_name": [choice("none")]})),
        (format!("groups_by_pk={unknown}"), json!({"groups_by_pk": [choice(unknown)]})),
        ("groups_by_pk=bad".to_owned(), json!({"groups_by_pk": ["“bad” is not a valid UUID."]})),
    ] {
        admin.get(&format!("/core/users/?{query}")).await.expect_faults(faults);
    }
}

async fn search(server: &Server) {
    let (admin, made) = fill(server).await;
    let uuid = made[3]["uuid"].as_str().expect("text").to_owned();
    let cases: &[(&str, &[&str])] = &[
        ("archer", &["ann"]),
        ("bob", &["bob", "dan"]),
        ("bob%20example", &["bob"]),
        ("example.org,ANN", &["ann"]),
        ("false", &["cid"]),
        (&uuid, &["dan"]),
        ("staff", &[]),
        ("zzz", &[]),
    ];
    for (words, expected) in cases {
        assert_eq!(listed(&admin, &format!("search={words}")).await, *expected, "{words}");
    }
}

async fn ordering(server: &Server) {
    let (admin, _) = fill(server).await;
    let usual = ["akadmin", "ann", "bob", "cid", "dan"];
    assert_eq!(listed(&admin, "ordering=-username").await, ["dan", "cid", "bob", "ann", "akadmin"]);
    assert_eq!(listed(&admin, "ordering=name,-username").await, ["ann", "dan", "bob", "cid", "akadmin"]);
    assert_eq!(listed(&admin, "ordering=is_active,username").await[0], "cid");
    for unknown in ["groups", "is_superuser", "password", "uid", "avatar", "nonsense", "groups_obj"] {
        assert_eq!(listed(&admin, &format!("ordering={unknown}")).await, usual, "{unknown}");
    }
    for known in ["pk", "email", "-last_login", "path", "type", "uuid", "-is_active"] {
        assert_eq!(listed(&admin, &format!("ordering={known}")).await.len(), 5, "{known}");
    }
    assert_eq!(listed(&admin, "ordering=-pk").await, ["dan", "cid", "bob", "ann", "akadmin"]);
}

async fn include_groups(server: &Server) {
    let (admin, made) = fill(server).await;
    for (value, shown) in [("true", true), ("TRUE", true), ("false", false), ("1", false), ("x", false)] {
        let body = admin.get(&format!("/core/users/?username=ann&include_groups={value}")).await.expect(200);
        let user = &body["results"][0];
        assert_eq!(user["groups_obj"].is_array(), shown, "{value}");
        assert_eq!(user["groups"], made[0]["groups"]);
    }
}

async fn paths(server: &Server) {
    let (admin, _) = fill(server).await;
    let all = json!({"paths": ["staff/a", "staff/b", "staffing", "users"]});
    admin.get("/core/users/paths/").await.expect_body(200, &all);
    admin.get("/core/users/paths/?search=bob").await.expect_body(200, &json!({"paths": ["staff/b", "users"]}));
    admin.get("/core/users/paths/?search=nobody").await.expect_body(200, &json!({"paths": []}));
}

/// By the flag of the groups that an account is a direct member of (contract §3.2).
async fn superuser_filter(server: &Server) {
    let admin = server.admin();
    let top = server.group("top", json!({"is_superuser": true})).await;
    let low = server.group("low", json!({"parent": top})).await;
    for (name, groups) in
        [("direct", json!([top])), ("inherited", json!([low])), ("both", json!([top, low])), ("none", json!([]))]
    {
        let body = json!({"username": name, "name": "", "groups": groups});
        admin.post("/core/users/", &body).await.expect(201);
    }
    assert_eq!(listed(&admin, "is_superuser=true").await, ["akadmin", "both", "direct"]);
    let mut plain = listed(&admin, "is_superuser=false").await;
    plain.dedup();
    assert_eq!(plain, ["both", "inherited"]);
    assert_eq!(listed(&admin, "is_superuser=nonsense").await.len(), 5);
}
