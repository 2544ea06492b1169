//! Holes of the original that are closed here (contract: authentik-rbac §8). 1–3 are in
//! `escalation.rs`, 4 in `delegates.rs`, 5–7 in `bodies.rs`, 8, 10 and 12 in `roles.rs`, 11 in
//! `permissions.rs`, 13 in `users/input.rs`.

use super::{Target, all_grants, globally, on, text};
use crate::harness::{Server, tests};
use chrono::TimeDelta;
use serde_json::{Value, json};

tests![
    grants_die_with_their_object,
    grants_die_with_swept_objects,
    grants_die_with_erased_events,
    grants_die_with_their_holder,
    a_role_of_a_group_reaches_no_parents,
    roles_are_given_by_those_who_hold_them,
    an_account_keeps_its_permissions_when_changed,
];

/// Gives a role and an account every verb on one object; gives how many grants that made.
async fn give(server: &Server, model: &str, key: &str) -> usize {
    let name = model.split_once('.').expect("a label").1;
    let codes = ["view", "change", "delete"].map(|verb| format!("{verb}_{name}"));
    for target in Target::both(server, &format!("holder-of-{name}-{key}")).await {
        let body = on(model, key, &codes.each_ref().map(String::as_str));
        server.admin().post(&target.assign(), &body).await.expect(200);
    }
    assert_eq!(grants_on(server, key).await, 6);
    6
}

async fn grants_on(server: &Server, key: &str) -> usize {
    all_grants(server).await.iter().filter(|grant| grant.object_pk.as_deref() == Some(key)).count()
}

/// §8, 9
async fn grants_die_with_their_object(server: &Server) {
    let admin = server.admin();
    let victim = server.person("victim").await;
    let group = server.group("g", json!({})).await;
    let role = server.role("r", &[]).await.to_string();
    let token = admin.post("/core/tokens/", &json!({"identifier": "t"})).await.expect(201);
    let event = admin.post("/events/events/", &json!({"action": "login", "app": "x"})).await.expect(201);
    let others = server.group("others", json!({})).await;
    let its = text(&admin.get("/core/tokens/victim-login/").await.expect(200)["pk"]);
    give(server, "authentik_core.group", &others).await;
    give(server, "authentik_core.token", &its).await;
    for (model, key, path) in [
        ("authentik_core.group", group.clone(), format!("/core/groups/{group}/")),
        ("authentik_rbac.role", role.clone(), format!("/rbac/roles/{role}/")),
        ("authentik_core.token", text(&token["pk"]), "/core/tokens/t/".to_owned()),
        ("authentik_events.event", text(&event["pk"]), format!("/events/events/{}/", text(&event["pk"]))),
        ("authentik_core.user", victim.pk.to_string(), format!("/core/users/{}/", victim.pk)),
    ] {
        give(server, model, &key).await;
        admin.delete(&path).await.expect_empty(204);
        assert_eq!(grants_on(server, &key).await, 0, "{model}");
    }
    // What went with the account, too; what others hold elsewhere stays.
    assert_eq!(grants_on(server, &its).await, 0);
    assert_eq!(grants_on(server, &others).await, 6);
    let rows = admin.get("/rbac/permissions/users/").await.expect_list("object_pk");
    assert!(rows.iter().all(|key| *key == others), "{rows:?}");
}

/// Tokens and events also go because their time is over.
async fn grants_die_with_swept_objects(server: &Server) {
    let admin = server.admin();
    let soon = (server.app.clock.now() + TimeDelta::minutes(5)).to_rfc3339();
    let token = json!({"identifier": "t", "intent": "app_password", "expires": soon});
    let token = text(&admin.post("/core/tokens/", &token).await.expect(201)["pk"]);
    let event = json!({"action": "login", "app": "x", "expires": soon});
    let event = text(&admin.post("/events/events/", &event).await.expect(201)["pk"]);
    give(server, "authentik_core.token", &token).await;
    give(server, "authentik_events.event", &event).await;
    let ann = server.person("ann").await;
    server.grant(ann.holder(), "authentik_events.view_event", Some(&event)).await;
    ann.client.get("/events/events/").await.expect(200);
    server.advance(TimeDelta::minutes(10));
    let swept = tessera::jobs::sweep::once(&server.app).await.expect("swept");
    assert!(swept.deleted >= 1 && swept.pruned >= 1, "{swept:?}");
    assert_eq!(grants_on(server, &token).await, 0);
    assert_eq!(grants_on(server, &event).await, 0);
    // Nothing is visible any more.
    ann.client.get("/events/events/").await.expect_forbidden();
}

/// With the setting `gdpr_compliance`, what a deleted account did is forgotten.
async fn grants_die_with_erased_events(server: &Server) {
    let admin = server.admin();
    let bob = server.person("bob").await;
    bob.client.post("/core/tokens/", &json!({"identifier": "bobs"})).await.expect(201);
    let events = admin.get("/events/events/?username=bob").await.expect(200);
    let event = text(&events["results"][0]["pk"]);
    give(server, "authentik_events.event", &event).await;
    admin.delete(&format!("/core/users/{}/", bob.pk)).await.expect_empty(204);
    let swept = tessera::jobs::sweep::once(&server.app).await.expect("swept");
    assert!(swept.erased >= 1, "{swept:?}");
    admin.get(&format!("/events/events/{event}/")).await.expect_missing();
    assert_eq!(grants_on(server, &event).await, 0);
}

/// §8, 9 and 10
async fn grants_die_with_their_holder(server: &Server) {
    let admin = server.admin();
    let group = server.group("g", json!({})).await;
    let before = all_grants(server).await.len();
    for target in Target::both(server, "holder").await {
        admin.post(&target.assign(), &globally(&["authentik_core.view_user"])).await.expect(200);
        admin.post(&target.assign(), &on("authentik_core.group", &group, &["view_group"])).await.expect(200);
        let path = match &target {
            Target::Role(id) => format!("/rbac/roles/{id}/"),
            Target::User(id) => format!("/core/users/{id}/"),
        };
        admin.delete(&path).await.expect_empty(204);
        assert_eq!(target.holds(server).await, Vec::<String>::new());
        assert_eq!(all_grants(server).await.len(), before);
    }
    // The next of that name has nothing.
    for target in Target::both(server, "holder").await {
        assert_eq!(target.holds(server).await, Vec::<String>::new());
    }
}

/// §8, 11: neither those of the parents nor those of their parents, then or later.
async fn a_role_of_a_group_reaches_no_parents(server: &Server) {
    let admin = server.admin();
    let top = server.group("top", json!({})).await;
    let middle = server.group("middle", json!({"parent": top})).await;
    let low = server.group("low", json!({"parent": middle})).await;
    let above = server.person_with("above", json!({"groups": [top]})).await;
    let between = server.person_with("between", json!({"groups": [middle]})).await;
    let own = server.person_with("own", json!({"groups": [low]})).await;
    let role = server.role("role", &["authentik_core.view_user"]).await.to_string();
    admin.patch(&format!("/core/groups/{low}/"), &json!({"roles": [role]})).await.expect(200);
    let late = server.person_with("late", json!({"groups": [top, middle]})).await;
    for outsider in [&above, &between, &late] {
        outsider.client.get("/core/users/").await.expect_forbidden();
    }
    own.client.get("/core/users/").await.expect(200);
    let me = above.client.get("/core/users/me/").await.expect(200);
    assert_eq!(me["user"]["system_permissions"], json!([]));
}

/// §8, 1 and 4: also when the role gets its permissions first and its members afterwards, and in any
/// other order.
async fn roles_are_given_by_those_who_hold_them(server: &Server) {
    let codes = [
        "authentik_core.view_group",
        "authentik_core.change_group",
        "authentik_core.add_user_to_group",
        "authentik_core.view_user",
        "authentik_rbac.view_role",
        "authentik_rbac.add_role",
        "authentik_rbac.change_role",
        "authentik_rbac.assign_role_permissions",
    ];
    let clerk = server.holder_of("clerk", &codes).await;
    let client = &clerk.client;
    let role = text(&client.post("/rbac/roles/", &json!({"name": "mine"})).await.expect(201)["pk"]);
    let group = server.group("mine", json!({})).await;
    let path = format!("/core/groups/{group}/");
    let target = Target::Role(role.clone());
    client.post(&target.assign(), &globally(&["authentik_core.delete_user"])).await.expect_forbidden();
    client.patch(&path, &json!({"roles": [role], "users": [clerk.pk]})).await.expect(200);
    client.post(&target.assign(), &globally(&["authentik_core.delete_user"])).await.expect_forbidden();
    client.post(&target.assign(), &globally(&["authentik_core.view_user"])).await.expect(200);
    // A role on one object alone is a role with a permission.
    let bound = server.role("bound", &[]).await.to_string();
    let body = on("authentik_core.group", &group, &["delete_group"]);
    server.admin().post(&Target::Role(bound.clone()).assign(), &body).await.expect(200);
    client.patch(&path, &json!({"roles": [role, bound]})).await.expect_forbidden();
    let roles: Value = server.admin().get(&path).await.expect(200)["roles"].clone();
    assert_eq!(roles, json!([role]));
    server.grant(clerk.holder(), "authentik_core.delete_group", Some(&group)).await;
    client.patch(&path, &json!({"roles": [role, bound]})).await.expect(200);
}

/// §8, 8
async fn an_account_keeps_its_permissions_when_changed(server: &Server) {
    let admin = server.admin();
    let group = server.group("g", json!({})).await;
    let ann = server.person("ann").await;
    let target = Target::User(ann.pk);
    admin.post(&target.assign(), &globally(&["authentik_core.view_user"])).await.expect(200);
    admin.post(&target.assign(), &on("authentik_core.group", &group, &["view_group"])).await.expect(200);
    let held = target.holds(server).await;
    let path = format!("/core/users/{}/", ann.pk);
    for _ in 0..2 {
        admin.patch(&path, &json!({"name": "x"})).await.expect(200);
        admin.put(&path, &json!({"username": "ann", "name": "y"})).await.expect(200);
        admin.post(&format!("{path}set_password/"), &json!({"password": "x"})).await.expect_empty(204);
        assert_eq!(target.holds(server).await, held);
        ann.client.get("/core/users/").await.expect(200);
    }
}
