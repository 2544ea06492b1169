//! Holes of the original that are closed here (contract: authentik-rbac §8, 1–3): nobody makes
//! anybody more than they are themselves.

use crate::harness::{Person, Server, tests};
use serde_json::{Value, json};

tests![
    groups_give_no_superusers,
    groups_give_no_roles_beyond_ones_own,
    users_give_no_superusers,
    superusers_are_out_of_reach,
    nobody_ends_a_superuser,
    a_group_shows_no_strangers,
    superusers_are_not_restricted,
    harmless_changes_pass,
    no_group_becomes_a_trap,
    a_late_body_does_not_carry_old_rights,
];

const CODES: [&str; 10] = [
    "view_group",
    "add_group",
    "change_group",
    "delete_group",
    "view_user",
    "add_user",
    "change_user",
    "delete_user",
    "add_user_to_group",
    "reset_user_password",
];

/// Somebody who may do everything with accounts and groups, and nothing else.
async fn clerk(server: &Server) -> Person {
    let codes = CODES.map(|code| format!("authentik_core.{code}"));
    server.holder_of("clerk", &codes.iter().map(String::as_str).collect::<Vec<_>>()).await
}

async fn state(server: &Server) -> (Value, Value) {
    let admin = server.admin();
    (admin.get("/core/users/").await.expect(200), admin.get("/core/groups/").await.expect(200))
}

/// Every request is refused, and nothing has changed afterwards.
async fn all_refused(server: &Server, person: &Person, requests: &[(http::Method, String, Value)]) {
    let before = state(server).await;
    for (method, path, body) in requests {
        let answer = person.client.request(method.clone(), path).json(body).send().await;
        answer.expect_forbidden();
        assert_eq!(state(server).await, before, "{}", answer.request);
    }
    person.client.get("/core/users/me/").await.expect(200);
}

async fn groups_give_no_superusers(server: &Server) {
    let clerk = clerk(server).await;
    let admins = server.group("admins", json!({"is_superuser": true})).await;
    let below = server.group("below", json!({"parent": admins})).await;
    let own = server.group("own", json!({"users": [clerk.pk]})).await;
    let bob = server.person("bob").await;
    let group = |pk: &str| format!("/core/groups/{pk}/");
    let (post, put, patch) = (http::Method::POST, http::Method::PUT, http::Method::PATCH);
    let requests = [
        (post.clone(), "/core/groups/".to_owned(), json!({"name": "n", "is_superuser": true, "users": [clerk.pk]})),
        (post.clone(), "/core/groups/".to_owned(), json!({"name": "n", "parent": admins, "users": [bob.pk]})),
        (post.clone(), "/core/groups/".to_owned(), json!({"name": "n", "parent": below, "users": [clerk.pk]})),
        (patch.clone(), group(&own), json!({"is_superuser": true})),
        (patch.clone(), group(&own), json!({"parent": admins})),
        (patch.clone(), group(&own), json!({"parent": below})),
        (put.clone(), group(&own), json!({"name": "own", "is_superuser": true, "users": [clerk.pk]})),
        (patch.clone(), group(&admins), json!({"users": [clerk.pk]})),
        (patch.clone(), group(&below), json!({"users": [bob.pk]})),
        (put, group(&below), json!({"name": "below", "parent": admins, "users": [clerk.pk]})),
        (post.clone(), format!("{}add_user/", group(&admins)), json!({"pk": clerk.pk})),
        (post, format!("{}add_user/", group(&below)), json!({"pk": bob.pk})),
    ];
    all_refused(server, &clerk, &requests).await;
}

async fn groups_give_no_roles_beyond_ones_own(server: &Server) {
    let clerk = clerk(server).await;
    let strong = server.role("strong", &["authentik_core.view_token_key"]).await.to_string();
    let free = server.role("free", &["authentik_rbac.edit_system_settings"]).await.to_string();
    let carrier = server.group("carrier", json!({"roles": [strong]})).await;
    let own = server.group("own", json!({"users": [clerk.pk]})).await;
    let group = |pk: &str| format!("/core/groups/{pk}/");
    let (post, patch) = (http::Method::POST, http::Method::PATCH);
    let requests = [
        (patch.clone(), group(&own), json!({"roles": [free]})),
        (patch.clone(), group(&carrier), json!({"users": [clerk.pk]})),
        (post.clone(), "/core/groups/".to_owned(), json!({"name": "n", "roles": [free], "users": [clerk.pk]})),
        (post.clone(), format!("{}add_user/", group(&carrier)), json!({"pk": clerk.pk})),
        (patch, format!("/core/users/{}/", clerk.pk), json!({"groups": [own, carrier]})),
        (post, "/core/users/".to_owned(), json!({"username": "n", "name": "", "groups": [carrier]})),
    ];
    all_refused(server, &clerk, &requests).await;
    // A role that gives nothing new may be given.
    let weak = server.role("weak", &["authentik_core.view_user"]).await.to_string();
    clerk.client.patch(&group(&own), &json!({"roles": [weak]})).await.expect(200);
    let carrier = server.group("weak carrier", json!({})).await;
    clerk.client.post(&format!("{}add_user/", group(&carrier)), &json!({"pk": clerk.pk})).await.expect_empty(204);
}

async fn users_give_no_superusers(server: &Server) {
    let clerk = clerk(server).await;
    let admins = server.group("admins", json!({"is_superuser": true})).await;
    let below = server.group("below", json!({"parent": admins})).await;
    let bob = server.person("bob").await;
    let (post, put, patch) = (http::Method::POST, http::Method::PUT, http::Method::PATCH);
    let own = format!("/core/users/{}/", clerk.pk);
    let requests = [
        (patch.clone(), own.clone(), json!({"groups": [admins]})),
        (patch.clone(), own.clone(), json!({"groups": [below]})),
        (put, own, json!({"username": "clerk", "name": "", "groups": [admins]})),
        (patch, format!("/core/users/{}/", bob.pk), json!({"groups": [below]})),
        (post.clone(), "/core/users/".to_owned(), json!({"username": "n", "name": "", "groups": [admins]})),
        (post, "/core/users/".to_owned(), json!({"username": "n", "name": "", "groups": [below]})),
    ];
    all_refused(server, &clerk, &requests).await;
}

async fn superusers_are_out_of_reach(server: &Server) {
    let clerk = clerk(server).await;
    let admins = server.group("admins", json!({"is_superuser": true})).await;
    let below = server.group("below", json!({"parent": admins})).await;
    let chief = server.person_with("chief", json!({"groups": [below]})).await;
    let (post, put, patch) = (http::Method::POST, http::Method::PUT, http::Method::PATCH);
    let mut requests = Vec::new();
    let akadmin = server.admin().get("/core/users/me/").await.expect(200)["user"]["pk"].as_i64().expect("a number");
    for pk in [chief.pk, akadmin] {
        let path = format!("/core/users/{pk}/");
        requests.push((post.clone(), format!("{path}set_password/"), json!({"password": "mine"})));
        requests.push((patch.clone(), path.clone(), json!({"email": "clerk@example.org"})));
        requests.push((patch.clone(), path.clone(), json!({"is_active": false})));
        requests.push((put.clone(), path.clone(), json!({"username": "x", "name": ""})));
    }
    let before = state(server).await;
    all_refused(server, &clerk, &requests).await;
    // Seen they may be.
    clerk.client.get(&format!("/core/users/{}/", chief.pk)).await.expect(200);
    assert_eq!(state(server).await, before);
    chief.client.get("/core/users/").await.expect(200);
}

async fn superusers_are_not_restricted(server: &Server) {
    let admins = server.group("admins", json!({"is_superuser": true})).await;
    let chief = server.person_with("chief", json!({"groups": [admins]})).await;
    let role = server.role("strong", &["authentik_core.view_token_key"]).await.to_string();
    let bob = server.person("bob").await;
    let path = format!("/core/users/{}/", bob.pk);
    chief.client.patch(&path, &json!({"groups": [admins]})).await.expect(200);
    chief.client.post(&format!("{path}set_password/"), &json!({"password": "x"})).await.expect_empty(204);
    let new = json!({"name": "n", "is_superuser": true, "roles": [role], "users": [bob.pk, chief.pk]});
    chief.client.post("/core/groups/", &new).await.expect(201);
}

async fn harmless_changes_pass(server: &Server) {
    let clerk = clerk(server).await;
    let admins = server.group("admins", json!({"is_superuser": true})).await;
    let chief = server.person_with("chief", json!({"groups": [admins]})).await;
    let group = clerk.client.post("/core/groups/", &json!({"name": "n", "users": [clerk.pk]})).await.expect(201);
    let path = format!("/core/groups/{}/", group["pk"].as_str().expect("text"));
    clerk.client.patch(&path, &json!({"users": [clerk.pk, chief.pk]})).await.expect(200);
    clerk.client.patch(&path, &json!({"name": "m", "attributes": {"a": 1}})).await.expect(200);
    let body = json!({"username": "new", "name": "", "groups": [group["pk"]]});
    let user = clerk.client.post("/core/users/", &body).await.expect(201);
    clerk.client.patch(&format!("/core/users/{}/", user["pk"]), &json!({"email": "n@example.org"})).await.expect(200);
    clerk.client.delete(&format!("/core/users/{}/", user["pk"])).await.expect_empty(204);
    // An edit that leaves a superuser group's members as they are makes nobody one.
    clerk.client.patch(&format!("/core/groups/{admins}/"), &json!({"attributes": {"a": 1}})).await.expect(200);
}

/// Whoever is a superuser for a moment no more could be given another password meanwhile.
async fn nobody_ends_a_superuser(server: &Server) {
    let codes = ["view_group", "change_group", "delete_group", "view_user", "remove_user_from_group"];
    let codes = codes.map(|code| format!("authentik_core.{code}"));
    let clerk = server.holder_of("clerk", &codes.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let bob = server.person("bob").await;
    let above = server.group("above", json!({"is_superuser": true})).await;
    let group = server.group("group", json!({"parent": above, "users": [bob.pk]})).await;
    let path = |pk: &str, action: &str| format!("/core/groups/{pk}/{action}");
    let requests = [
        (http::Method::POST, path(&group, "remove_user/"), json!({"pk": bob.pk})),
        (http::Method::PATCH, path(&group, ""), json!({"users": []})),
        (http::Method::PATCH, path(&group, ""), json!({"parent": null})),
        (http::Method::PATCH, path(&above, ""), json!({"is_superuser": false})),
        (http::Method::DELETE, path(&group, ""), json!({})),
        (http::Method::DELETE, path(&above, ""), json!({})),
    ];
    all_refused(server, &clerk, &requests).await;
    assert_eq!(bob.client.get("/core/users/me/").await.expect(200)["user"]["is_superuser"], true);
}

async fn a_group_shows_no_strangers(server: &Server) {
    let clerk = server.holder_of("clerk", &["authentik_core.add_group"]).await;
    let bob = server.person("bob").await;
    let body = json!({"name": "peek", "users": [bob.pk]});
    let text = format!("Invalid pk \"{}\" - object does not exist.", bob.pk);
    clerk.client.post("/core/groups/", &body).await.expect_faults(json!({"users": [text]}));
    clerk.client.post("/core/groups/", &json!({"name": "peek"})).await.expect(201);
}

/// Whoever joins later would get more than the maker of the group has.
async fn no_group_becomes_a_trap(server: &Server) {
    let clerk = clerk(server).await;
    let admins =
        server.admin().get("/core/groups/?name=authentik%20Admins").await.expect(200)["results"][0]["pk"].clone();
    let role = server.role("powerful", &["authentik_core.delete_token"]).await;
    let own = server.role("harmless", &["authentik_core.view_user"]).await;
    let mark = state(server).await;
    for body in [
        json!({"name": "trap", "is_superuser": true}),
        json!({"name": "trap", "parent": admins}),
        json!({"name": "trap", "roles": [role]}),
    ] {
        clerk.client.post("/core/groups/", &body).await.expect_forbidden();
    }
    assert_eq!(state(server).await, mark);
    let plain = clerk.client.post("/core/groups/", &json!({"name": "plain", "roles": [own]})).await.expect(201);
    let path = format!("/core/groups/{}/", plain["pk"].as_str().expect("text"));
    for body in [json!({"is_superuser": true}), json!({"parent": admins}), json!({"roles": [own, role]})] {
        clerk.client.patch(&path, &body).await.expect_forbidden();
    }
    clerk.client.patch(&path, &json!({"attributes": {"a": 1}})).await.expect(200);
}

/// A request whose head came while its sender still might: by the time its body is there, he may not.
async fn a_late_body_does_not_carry_old_rights(server: &Server) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let admins =
        server.admin().get("/core/groups/?name=authentik%20Admins").await.expect(200)["results"][0]["pk"].clone();
    let admins = format!("/core/groups/{}/", admins.as_str().expect("text"));
    let (eve, pal) = (server.person("eve").await, server.person("pal").await);
    server.admin().post(&format!("{admins}add_user/"), &json!({"pk": eve.pk})).await.expect_empty(204);
    let key = server.key_of("eve-login").await;
    let body = json!({"pk": pal.pk}).to_string();
    let head = format!(
        "POST /api/v3{admins}add_user/ HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let mut late = tokio::net::TcpStream::connect(server.address()).await.expect("connected");
    late.write_all(head.as_bytes()).await.expect("sent");
    late.write_all(&body.as_bytes()[..1]).await.expect("sent");
    // Until the head has been looked at.
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    server.admin().post(&format!("{admins}remove_user/"), &json!({"pk": eve.pk})).await.expect_empty(204);
    late.write_all(&body.as_bytes()[1..]).await.expect("sent");
    let mut answer = String::new();
    late.read_to_string(&mut answer).await.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
    let members = server.admin().get(&admins).await.expect(200)["users"].clone();
    assert!(!members.as_array().expect("a list").contains(&json!(pal.pk)), "{members}");
}
