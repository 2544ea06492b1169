//! There is always a superuser who can sign in: what would end the last one is refused, and changes
//! nothing.

use super::text;
use crate::harness::{Server, tests};
use http::Method;
use serde_json::{Value, json};

tests![
    the_last_one_stays,
    the_last_one_stays_by_inheritance,
    an_inactive_one_does_not_count,
    one_may_go_while_another_is_there,
    one_may_deactivate_oneself,
    a_superuser_may_hand_over,
];

type Request = (Method, String, Value);

/// The bootstrap administrator: its path, its number, the path of its group.
async fn administrator(server: &Server) -> (String, i64, String) {
    let me = server.admin().get("/core/users/me/").await.expect(200)["user"].clone();
    let group = format!("/core/groups/{}/", text(&me["groups"][0]["pk"]));
    (format!("/core/users/{}/", me["pk"]), me["pk"].as_i64().expect("a number"), group)
}

/// Every way to make the administrator none, or none who can sign in.
async fn ways_out(server: &Server) -> Vec<Request> {
    let (user, pk, group) = administrator(server).await;
    let name = text(&server.admin().get(&group).await.expect(200)["name"]);
    let (post, put, patch, delete) = (Method::POST, Method::PUT, Method::PATCH, Method::DELETE);
    let active = |active: bool| json!({"username": "akadmin", "name": "", "is_active": active});
    vec![
        (delete.clone(), user.clone(), Value::Null),
        (patch.clone(), user.clone(), json!({"is_active": false})),
        (patch.clone(), user.clone(), json!({"groups": []})),
        (patch.clone(), user.clone(), json!({"groups": [], "email": "x@example.org"})),
        (put.clone(), user.clone(), active(true)),
        (put.clone(), user, active(false)),
        (post, format!("{group}remove_user/"), json!({"pk": pk})),
        (patch.clone(), group.clone(), json!({"users": []})),
        (patch.clone(), group.clone(), json!({"is_superuser": false})),
        (put.clone(), group.clone(), json!({"name": name})),
        (put, group.clone(), json!({"name": name, "users": [pk], "is_superuser": false})),
        (delete, group, Value::Null),
    ]
}

async fn all_refused(server: &Server, requests: Vec<Request>) {
    let admin = server.admin();
    let state = async || (admin.get("/core/users/").await.expect(200), admin.get("/core/groups/").await.expect(200));
    let before = state().await;
    let mark = server.mark().await;
    for (method, path, body) in requests {
        let draft = admin.request(method, &path);
        let answer = if body.is_null() { draft.send().await } else { draft.json(&body).send().await };
        let faults = answer.expect(400);
        assert!(faults["non_field_errors"][0].as_str().is_some_and(|t| t.contains("superuser")), "{faults}");
        assert_eq!(state().await, before, "{}", answer.request);
    }
    assert_eq!(server.gists_since(&mark).await, Vec::<String>::new());
    assert_eq!(admin.get("/core/users/me/").await.expect(200)["user"]["is_superuser"], true);
}

async fn the_last_one_stays(server: &Server) {
    server.person("ann").await;
    all_refused(server, ways_out(server).await).await;
}

async fn the_last_one_stays_by_inheritance(server: &Server) {
    let admin = server.admin();
    let (user, pk, old) = administrator(server).await;
    let top = server.group("top", json!({"is_superuser": true})).await;
    let middle = server.group("middle", json!({"parent": top})).await;
    let low = server.group("low", json!({"parent": middle, "users": [pk]})).await;
    let elsewhere = server.group("elsewhere", json!({})).await;
    admin.delete(&old).await.expect_empty(204);
    let path = |pk: &str| format!("/core/groups/{pk}/");
    let (post, put, patch, delete) = (Method::POST, Method::PUT, Method::PATCH, Method::DELETE);
    let requests = vec![
        (patch.clone(), path(&top), json!({"is_superuser": false})),
        (delete.clone(), path(&top), Value::Null),
        (patch.clone(), path(&middle), json!({"parent": null})),
        (patch.clone(), path(&middle), json!({"parent": elsewhere})),
        (put.clone(), path(&middle), json!({"name": "middle"})),
        (delete.clone(), path(&middle), Value::Null),
        (patch.clone(), path(&low), json!({"parent": elsewhere})),
        (put.clone(), path(&low), json!({"name": "low", "users": [pk]})),
        (put, path(&low), json!({"name": "low", "parent": middle})),
        (delete.clone(), path(&low), Value::Null),
        (post, format!("{}remove_user/", path(&low)), json!({"pk": pk})),
        (patch.clone(), user.clone(), json!({"groups": [elsewhere]})),
        (patch, user.clone(), json!({"is_active": false})),
        (delete, user, Value::Null),
    ];
    all_refused(server, requests).await;
    // What keeps the way up is allowed.
    admin.patch(&path(&low), &json!({"parent": top})).await.expect(200);
    admin.delete(&path(&middle)).await.expect_empty(204);
    admin.patch(&path(&low), &json!({"is_superuser": true, "parent": null})).await.expect(200);
    admin.delete(&path(&top)).await.expect_empty(204);
}

async fn an_inactive_one_does_not_count(server: &Server) {
    let admin = server.admin();
    let (_, _, group) = administrator(server).await;
    let other = server.group("other", json!({"is_superuser": true})).await;
    server.person_with("idle", json!({"groups": [other], "is_active": false})).await;
    let idler = server.person_with("idler", json!({"groups": [other]})).await.pk;
    admin.patch(&format!("/core/users/{idler}/"), &json!({"is_active": false})).await.expect(200);
    // A group without members helps as little.
    server.group("empty", json!({"is_superuser": true})).await;
    let mut requests = ways_out(server).await;
    requests.push((Method::PATCH, group.clone(), json!({"users": [idler]})));
    requests.push((Method::PUT, group, json!({"name": "authentik Admins", "users": [idler]})));
    all_refused(server, requests).await;
}

async fn one_may_go_while_another_is_there(server: &Server) {
    let (user, pk, group) = administrator(server).await;
    let chiefs = server.group("chiefs", json!({"is_superuser": true})).await;
    let chief = server.person_with("chief", json!({"groups": [chiefs]})).await;
    let admin = server.admin();
    // In and out, by every way that can be undone.
    let back = json!({"pk": pk});
    admin.post(&format!("{group}remove_user/"), &back).await.expect_empty(204);
    admin.get("/core/users/").await.expect_forbidden();
    chief.client.post(&format!("{group}add_user/"), &back).await.expect_empty(204);
    admin.patch(&group, &json!({"is_superuser": false})).await.expect(200);
    admin.get("/core/users/").await.expect_forbidden();
    chief.client.patch(&group, &json!({"is_superuser": true})).await.expect(200);
    admin.patch(&user, &json!({"groups": []})).await.expect(200);
    admin.get("/core/users/").await.expect_forbidden();
    chief.client.patch(&group, &json!({"users": [pk]})).await.expect(200);
    admin.delete(&group).await.expect_empty(204);
    admin.get("/core/users/").await.expect_forbidden();
    // Now the other one is the last.
    chief.client.delete(&format!("/core/groups/{chiefs}/")).await.expect(400);
    chief.client.delete(&format!("/core/users/{}/", chief.pk)).await.expect(400);
    chief.client.delete(&user).await.expect_empty(204);
    admin.get("/core/users/me/").await.expect_detail(403, "Token invalid/expired");
}

async fn one_may_deactivate_oneself(server: &Server) {
    let chiefs = server.group("chiefs", json!({"is_superuser": true})).await;
    let one = server.person_with("one", json!({"groups": [chiefs]})).await;
    let two = server.person_with("two", json!({"groups": [chiefs]})).await;
    one.client.patch(&format!("/core/users/{}/", one.pk), &json!({"is_active": false})).await.expect(200);
    one.client.get("/core/users/me/").await.expect_detail(403, "Token invalid/expired");
    two.client.delete(&format!("/core/users/{}/", two.pk)).await.expect_empty(204);
    two.client.get("/core/users/me/").await.expect_detail(403, "Token invalid/expired");
    assert_eq!(server.admin().get("/core/users/").await.expect_list("username"), ["akadmin", "one"]);
}

async fn a_superuser_may_hand_over(server: &Server) {
    let (user, _, group) = administrator(server).await;
    let ann = server.person("ann").await;
    let admin = server.admin();
    // One leaves and another comes in one request.
    admin.patch(&group, &json!({"users": [ann.pk]})).await.expect(200);
    admin.get("/core/users/").await.expect_forbidden();
    ann.client.get("/core/users/").await.expect(200);
    ann.client.delete(&user).await.expect_empty(204);
    ann.client.patch(&group, &json!({"users": []})).await.expect(400);
}
