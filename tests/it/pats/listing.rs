//! Listings: whose, in which order, and what is not in them (contract: sailpoint-pat §5).

use super::{ALL, ALL_READ, BETA, FORBIDDEN, MY_MANAGE, MY_READ, V1, create, get, identity, make, mine, names};
use crate::harness::{Server, tests};
use chrono::TimeDelta;
use serde_json::{Value, json};

tests![
    the_oldest_first,
    ones_own,
    another_persons,
    identities_that_there_are_not,
    everybodys,
    a_permission_on_one_object_is_not_enough,
    managed_ones,
    no_pages,
    every_family_shows_all,
    names_of_the_owner_as_they_are,
];

async fn the_oldest_first(server: &Server) {
    let (ann, bob) = (server.person("ann").await, server.person("bob").await);
    let (of_ann, of_bob) = (server.api(ann.pk, &[ALL]).await, server.api(bob.pk, &[ALL]).await);
    let mut expected = Vec::new();
    for name in ["zeta", "alpha", "Mu", "beta", "äther", "1"] {
        server.advance(TimeDelta::milliseconds(1));
        make(&of_ann, name).await;
        server.advance(TimeDelta::milliseconds(1));
        make(&of_bob, &format!("{name} of bob")).await;
        expected.extend([name.to_owned(), format!("{name} of bob")]);
    }
    let root = server.api(1, &[ALL]).await;
    let all = get(&root, BETA).await.expect(200);
    let made: Vec<&str> = names(&all).into_iter().filter(|name| !name.starts_with("of ")).collect();
    assert_eq!(made, expected);
    let times: Vec<&str> = all.as_array().expect("an array").iter().filter_map(|t| t["created"].as_str()).collect();
    assert!(times.is_sorted(), "{times:?}");
    let own: Vec<String> = expected.iter().filter(|name| !name.contains("bob")).cloned().collect();
    assert_eq!(names(&mine(&of_ann, V1).await)[1..], own);
}

async fn ones_own(server: &Server) {
    let ann = server.person("ann").await;
    let other = server.person("other").await;
    make(&server.api(other.pk, &[ALL]).await, "theirs").await;
    let own = format!("owner-id={}", identity(server, ann.pk).await);
    for scope in [MY_READ, MY_MANAGE, ALL] {
        let api = server.api(ann.pk, &[scope]).await;
        for (at, _) in super::collections() {
            let me = mine(&api, at).await;
            assert_eq!(get(&api, &format!("{at}?{own}")).await.expect(200), me, "{at}");
            assert!(names(&me).iter().all(|name| name.starts_with("of ")), "{me}");
            assert!(me.as_array().expect("an array").iter().all(|token| token.get("secret").is_none()), "{me}");
        }
    }
}

async fn another_persons(server: &Server) {
    let (ann, bob) = (server.person("ann").await, server.person("bob").await);
    make(&server.api(bob.pk, &[ALL]).await, "bobs").await;
    let target = format!("{BETA}?owner-id={}", identity(server, bob.pk).await);
    let api = server.api(ann.pk, &[ALL]).await;
    get(&api, &target).await.expect_code(403, FORBIDDEN);
    get(&api, &format!("{BETA}?owner-id={}", identity(server, 1).await)).await.expect_code(403, FORBIDDEN);
    let root = server.api(1, &[ALL_READ]).await;
    let list = get(&root, &target).await.expect(200);
    assert_eq!(names(&list).iter().filter(|name| **name == "bobs").count(), 1);
    assert!(list.as_array().expect("an array").iter().all(|token| token["owner"]["name"] == "bob"), "{list}");
    // What the scope does not reach, the level does not make up for.
    let poor = server.api(1, &[MY_MANAGE]).await;
    get(&poor, &target).await.expect_code(403, FORBIDDEN);
    let viewer = server.holder_of("viewer", &["authentik_core.view_token"]).await;
    assert_eq!(get(&server.api(viewer.pk, &[ALL]).await, &target).await.expect(200), list);
    server.revoke(viewer.holder(), "authentik_core.view_token", None).await;
    get(&server.api(viewer.pk, &[ALL_READ]).await, &target).await.expect_code(403, FORBIDDEN);
}

async fn identities_that_there_are_not(server: &Server) {
    let ann = server.person("ann").await;
    let (root, api) = (server.api(1, &[ALL]).await, server.api(ann.pk, &[ALL]).await);
    let dashed = server.admin().get(&format!("/core/users/{}/", ann.pk)).await.expect(200)["uuid"].clone();
    let dashed = dashed.as_str().expect("text").to_owned();
    let upper = identity(server, ann.pk).await.to_uppercase();
    for id in ["00000000000040008000000000000000", "x", "1", "akadmin", "ME", "%27", "me%20", "-", &dashed, &upper] {
        let target = format!("{V1}?owner-id={id}");
        if id != dashed && id != upper {
            assert_eq!(get(&root, &target).await.expect(200), json!([]), "{id}");
            get(&api, &target).await.expect_code(403, FORBIDDEN);
        }
    }
}

async fn everybodys(server: &Server) {
    let (ann, bob) = (server.person("ann").await, server.person("bob").await);
    let plain = server.api(ann.pk, &[ALL]).await;
    make(&plain, "anns").await;
    make(&server.api(bob.pk, &[ALL]).await, "bobs").await;
    let both = |list: &Value| names(list).iter().filter(|name| ["anns", "bobs"].contains(name)).count() == 2;
    let root = server.api(1, &[ALL]).await;
    let viewer = server.holder_of("viewer", &["authentik_core.view_token"]).await;
    let of_viewer = server.api(viewer.pk, &[ALL_READ]).await;
    for (at, _) in super::collections() {
        assert!(both(&get(&root, at).await.expect(200)), "{at}");
        assert!(both(&get(&of_viewer, at).await.expect(200)), "{at}");
        // Left out is not "mine".
        get(&plain, at).await.expect_code(403, FORBIDDEN);
    }
    let role = server.role("viewers", &["authentik_core.view_token"]).await;
    let group = server.group("viewers", json!({"roles": [role.to_string()]})).await;
    let body = json!({"pk": ann.pk});
    server.admin().post(&format!("/core/groups/{group}/add_user/"), &body).await.expect_empty(204);
    assert!(both(&get(&plain, BETA).await.expect(200)), "by a role, and at once");
}

async fn a_permission_on_one_object_is_not_enough(server: &Server) {
    let (ann, bob) = (server.person("ann").await, server.person("bob").await);
    let id = make(&server.api(bob.pk, &[ALL]).await, "bobs").await;
    let dashed = uuid::Uuid::parse_str(&id).expect("a UUID").to_string();
    let token = server.admin().get("/core/tokens/bob-login/").await.expect(200)["pk"].clone();
    for object in [id.as_str(), &dashed, token.as_str().expect("a key")] {
        for permission in ["authentik_core.view_token", "authentik_core.delete_token"] {
            server.grant(ann.holder(), permission, Some(object)).await;
        }
    }
    let api = server.api(ann.pk, &[ALL]).await;
    get(&api, BETA).await.expect_code(403, FORBIDDEN);
    get(&api, &format!("{BETA}?owner-id={}", identity(server, bob.pk).await)).await.expect_code(403, FORBIDDEN);
    super::delete(&api, BETA, &id).await.expect_code(404, super::NOT_FOUND);
}

async fn managed_ones(server: &Server) {
    let ann = server.person("ann").await;
    let api = server.api(ann.pk, &[ALL]).await;
    make(&api, "made by the server").await;
    server.sql("UPDATE personal_access_tokens SET managed = true WHERE name = 'made by the server'").await;
    let of_ann = format!("owner-id={}", identity(server, ann.pk).await);
    for (at, _) in super::collections() {
        assert!(!names(&mine(&api, at).await).contains(&"made by the server"), "{at}");
        let root = server.api(1, &[ALL]).await;
        for query in ["", of_ann.as_str()] {
            let list = get(&root, &format!("{at}?{query}")).await.expect(200);
            let found: Vec<&Value> =
                list.as_array().expect("an array").iter().filter(|t| t["name"] == "made by the server").collect();
            assert_eq!(found.len(), 1, "{at}?{query}: {list}");
            assert_eq!(found[0]["managed"], true);
        }
        server.sql("DELETE FROM personal_access_tokens WHERE owner_id = 1").await;
    }
}

async fn no_pages(server: &Server) {
    let api = server.api(1, &[ALL]).await;
    for number in 0..9 {
        make(&api, &format!("t{number}")).await;
    }
    let all = mine(&api, BETA).await;
    assert_eq!(names(&all).len(), 10);
    for query in ["limit=2", "offset=3", "limit=x&offset=-1&count=true", "sorters=-name", "page=2&page_size=1", "a=b"] {
        let answer = get(&api, &format!("{BETA}?owner-id=me&{query}")).await;
        assert_eq!(answer.expect(200), all, "{query}");
        assert_eq!(answer.header("x-total-count"), None);
    }
}

/// One store: what one family makes, every one shows, by its own rules.
async fn every_family_shows_all(server: &Server) {
    let api = server.api(1, &[ALL]).await;
    for (at, explicit) in super::collections() {
        create(&api, at, json!({"name": at, "userAwareTokenNeverExpires": explicit})).await.expect(200);
    }
    let first = mine(&api, BETA).await;
    for (at, explicit) in super::collections() {
        let list = mine(&api, at).await;
        assert_eq!(names(&list), names(&first), "{at}");
        for token in list.as_array().expect("an array") {
            assert_eq!(token.get("userAwareTokenNeverExpires").is_some(), explicit, "{at}: {token}");
        }
    }
}

async fn names_of_the_owner_as_they_are(server: &Server) {
    let ann = server.person_with("ann", json!({"name": "Ann"})).await;
    make(&server.api(ann.pk, &[ALL]).await, "anns").await;
    let target = format!("{BETA}?owner-id={}", identity(server, ann.pk).await);
    for (fields, shown) in [(json!({"name": "Anna"}), "Anna"), (json!({"name": "", "username": "anna"}), "anna")] {
        server.admin().patch(&format!("/core/users/{}/", ann.pk), &fields).await.expect(200);
        let list = get(&server.api(1, &[ALL_READ, shown]).await, &target).await.expect(200);
        assert!(list.as_array().expect("an array").iter().all(|token| token["owner"]["name"] == shown), "{list}");
    }
}
