//! Filters, search and ordering of groups.

use crate::harness::{Client, Server, tests};
use serde_json::json;

tests![filters, bad_filters, search_and_ordering, include_users];

async fn fill(server: &Server) -> (Client, i64, i64) {
    let ann = server.person("ann").await.pk;
    let bob = server.person("bob").await.pk;
    server.group("red", json!({"users": [ann], "attributes": {"colour": {"name": "red"}, "n": 1}})).await;
    server.group("blue", json!({"users": [ann, bob], "is_superuser": true})).await;
    server.group("Empty", json!({"attributes": {"n": "1"}})).await;
    (server.admin(), ann, bob)
}

async fn listed(client: &Client, query: &str) -> Vec<String> {
    let names = client.get(&format!("/core/groups/?{query}")).await.expect_list("name");
    names.into_iter().filter(|name| !name.starts_with("authentik ")).collect()
}

async fn filters(server: &Server) {
    let (admin, ann, bob) = fill(server).await;
    let all = ["Empty", "blue", "red"];
    let cases: &[(String, &[&str])] = &[
        (String::new(), &all),
        ("name=red".into(), &["red"]),
        ("name=RED".into(), &[]),
        ("is_superuser=true".into(), &["blue"]),
        ("is_superuser=false".into(), &["Empty", "red"]),
        ("is_superuser=1".into(), &all),
        ("is_superuser=x".into(), &all),
        (format!("members_by_pk={ann}"), &["blue", "red"]),
        (format!("members_by_pk={bob}"), &["blue"]),
        (format!("members_by_pk={ann}&members_by_pk={bob}"), &["blue", "red"]),
        ("members_by_username=bob".into(), &["blue"]),
        ("members_by_username=bob&members_by_username=ann".into(), &["blue", "red"]),
        ("attributes=%7B%22colour__name%22:%22red%22%7D".into(), &["red"]),
        ("attributes=%7B%22n%22:1%7D".into(), &["red"]),
        ("attributes=%7B%22n%22:%221%22%7D".into(), &["Empty"]),
    ];
    for (query, expected) in cases {
        assert_eq!(listed(&admin, query).await, *expected, "{query}");
    }
}

async fn bad_filters(server: &Server) {
    let admin = server.admin();
    let choice = |value: &str| format!("Select a valid choice. {value} is not one of the available choices.");
    admin.get("/core/groups/?attributes=x").await.expect_body(400, &json!(["filter: failed to parse JSON"]));
    admin.get("/core/groups/?attributes=1").await.expect_body(400, &json!(["filter: value must be key:value mapping"]));
    let unknown = json!({"members_by_username": [choice("nobody")]});
    admin.get("/core/groups/?members_by_username=nobody").await.expect_faults(unknown);
    admin.get("/core/groups/?members_by_pk=999999").await.expect_faults(json!({"members_by_pk": [choice("999999")]}));
    admin.get("/core/groups/?members_by_pk=x").await.expect(400);
}

async fn search_and_ordering(server: &Server) {
    let (admin, ..) = fill(server).await;
    assert_eq!(listed(&admin, "search=RE").await, ["red"]);
    assert_eq!(listed(&admin, "search=true").await, ["blue"]);
    assert_eq!(listed(&admin, "search=false,e").await, ["Empty", "red"]);
    assert_eq!(listed(&admin, "search=zzz").await.len(), 0);
    assert_eq!(listed(&admin, "ordering=-name").await, ["red", "blue", "Empty"]);
    assert_eq!(listed(&admin, "ordering=is_superuser,-name").await, ["red", "Empty", "blue"]);
    let zoo = server.group("zoo", json!({})).await;
    let ape = server.group("ape", json!({})).await;
    for (name, parent) in [("in-zoo", &zoo), ("in-ape", &ape)] {
        server.group(name, json!({"parent": parent})).await;
    }
    let by_parent = listed(&admin, "ordering=parent__name,name").await;
    assert_eq!(by_parent, ["in-ape", "in-zoo", "Empty", "ape", "blue", "red", "zoo"]);
    let descending = listed(&admin, "ordering=-parent__name,-name&page_size=100").await;
    assert_eq!(descending, ["zoo", "red", "blue", "ape", "Empty", "in-zoo", "in-ape"]);
    for name in ["zoo", "ape", "in-zoo", "in-ape"] {
        let found = admin.get(&format!("/core/groups/?name={name}")).await.expect_list("pk");
        admin.delete(&format!("/core/groups/{}/", found[0])).await.expect_empty(204);
    }
    for unknown in ["num_pk", "users", "users_obj", "parent_name", "roles", "x"] {
        assert_eq!(listed(&admin, &format!("ordering={unknown}")).await, ["Empty", "blue", "red"], "{unknown}");
    }
    let body = admin.get("/core/groups/?page_size=2&page=last").await.expect(200);
    assert_eq!(body["pagination"]["current"], body["pagination"]["total_pages"]);
    admin.get("/core/groups/?page=99").await.expect_detail(404, "Invalid page.");
}

async fn include_users(server: &Server) {
    let (admin, ann, bob) = fill(server).await;
    for (query, shown) in
        [("name=blue", true), ("name=blue&include_users=true", true), ("name=blue&include_users=false", false)]
    {
        let body = admin.get(&format!("/core/groups/?{query}")).await.expect(200);
        let group = &body["results"][0];
        assert_eq!(group["users_obj"].is_array(), shown, "{query}");
        let mut users: Vec<i64> =
            group["users"].as_array().expect("a list").iter().filter_map(|v| v.as_i64()).collect();
        users.sort_unstable();
        assert_eq!(users, [ann, bob]);
    }
}
