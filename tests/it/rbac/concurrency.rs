//! Many at once: what is taken is gone for all, what is given is given once, and somebody stays in
//! charge.

use super::{Target, all_grants, globally, on, text};
use crate::{
    concurrency::used_while,
    harness::{Client, Person, Server, tests},
};
use http::Method;
use serde_json::{Value, json};

tests![
    a_permission_taken_is_refused_at_once,
    a_permission_of_a_role_is_refused_at_once,
    a_permission_on_one_object_is_refused_at_once,
    a_deleted_role_is_refused_at_once,
    a_member_who_left_is_refused_at_once,
    giving_at_once_gives_once,
    giving_and_taking_at_once,
    two_administrators_end_each_other,
    deleting_a_role_and_giving_to_it,
    deleting_a_role_and_giving_on_it,
    one_role_name_once,
    one_role_one_group,
];

const CODE: &str = "authentik_core.view_group";

async fn a_permission_taken_is_refused_at_once(server: &Server) {
    for round in 0..3 {
        let ann = server.holder_of(&format!("ann{round}"), &[CODE]).await;
        let (admin, target) = (server.admin(), Target::User(ann.pk));
        used_while(server, &ann.key, "/core/groups/", async move || {
            admin.patch(&target.unassign(), &globally(&[CODE])).await.expect_empty(204);
        })
        .await;
    }
}

/// Somebody with a role that a group gives.
async fn member(server: &Server) -> (Person, String, String) {
    let role = server.role("role", &[CODE]).await.to_string();
    let group = server.group("group", json!({"roles": [role]})).await;
    (server.person_with("ann", json!({"groups": [group]})).await, role, group)
}

async fn a_permission_of_a_role_is_refused_at_once(server: &Server) {
    let (ann, role, _) = member(server).await;
    let admin = server.admin();
    used_while(server, &ann.key, "/core/groups/", async move || {
        admin.patch(&Target::Role(role).unassign(), &globally(&[CODE])).await.expect_empty(204);
    })
    .await;
}

async fn a_permission_on_one_object_is_refused_at_once(server: &Server) {
    let ann = server.person("ann").await;
    let group = server.group("g", json!({})).await;
    let admin = server.admin();
    let body = on("authentik_core.group", &group, &["view_group"]);
    let given = admin.post(&Target::User(ann.pk).assign(), &body).await.expect(200);
    used_while(server, &ann.key, "/core/groups/", async move || {
        admin.delete(&format!("/rbac/permissions/users/{}/", text(&given[0]["id"]))).await.expect_empty(204);
    })
    .await;
}

async fn a_deleted_role_is_refused_at_once(server: &Server) {
    let (ann, role, _) = member(server).await;
    let admin = server.admin();
    used_while(server, &ann.key, "/core/groups/", async move || {
        admin.delete(&format!("/rbac/roles/{role}/")).await.expect_empty(204);
    })
    .await;
}

async fn a_member_who_left_is_refused_at_once(server: &Server) {
    let (ann, _, group) = member(server).await;
    let admin = server.admin();
    used_while(server, &ann.key, "/core/groups/", async move || {
        admin.post(&format!("/core/groups/{group}/remove_user/"), &json!({"pk": ann.pk})).await.expect_empty(204);
    })
    .await;
}

/// Sends the same request many times at once; gives status and body of each.
async fn at_once(client: &Client, method: Method, path: &str, body: &Value) -> Vec<(u16, Value)> {
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let (client, method, path, body) = (client.clone(), method.clone(), path.to_owned(), body.clone());
        tasks.spawn(async move {
            let answer = client.request(method, &path).json(&body).send().await;
            (answer.status, answer.json())
        });
    }
    tasks.join_all().await
}

async fn giving_at_once_gives_once(server: &Server) {
    let admin = server.admin();
    let group = server.group("g", json!({})).await;
    let on_one = on("authentik_core.group", &group, &["view_group", "change_group"]);
    for target in Target::both(server, "holder").await {
        for (body, count) in [(&globally(&[CODE, "authentik_core.add_group"]), 2), (&on_one, 4)] {
            let mark = server.mark().await;
            let answers = at_once(&admin, Method::POST, &target.assign(), body).await;
            assert!(answers.iter().all(|answer| *answer == answers[0] && answer.0 == 200), "{answers:?}");
            assert_eq!(target.holds(server).await.len(), count);
            assert_eq!(server.gists_since(&mark).await.len(), 1);
        }
        let mark = server.mark().await;
        let answers = at_once(&admin, Method::PATCH, &target.unassign(), &on_one).await;
        assert!(answers.iter().all(|(status, _)| *status == 204), "{answers:?}");
        assert_eq!(target.holds(server).await.len(), 2);
        assert_eq!(server.gists_since(&mark).await.len(), 1);
    }
}

async fn giving_and_taking_at_once(server: &Server) {
    let admin = server.admin();
    let all = globally(&[CODE, "authentik_core.add_group", "authentik_core.view_user"]);
    for target in Target::both(server, "holder").await {
        for _ in 0..5 {
            let (assign, unassign) = (target.assign(), target.unassign());
            let (given, taken) = tokio::join!(
                at_once(&admin, Method::POST, &assign, &all),
                at_once(&admin, Method::PATCH, &unassign, &all),
            );
            assert!(given.iter().all(|(status, _)| *status == 200), "{given:?}");
            assert!(taken.iter().all(|(status, _)| *status == 204), "{taken:?}");
            // All of a request or nothing.
            let held = target.holds(server).await.len();
            assert!(matches!(held, 0 | 3), "{held}");
        }
    }
}

/// Each removes the other at the same moment: one of them stays a superuser, whatever the way.
async fn two_administrators_end_each_other(server: &Server) {
    for way in 0..5 {
        let server = server.another(|_| ()).await;
        let admin = server.admin();
        let me = admin.get("/core/users/me/").await.expect(200)["user"].clone();
        let (first, old) = (me["pk"].as_i64().expect("a number"), text(&me["groups"][0]["pk"]));
        let ones = server.group("ones", json!({"is_superuser": true, "users": [first]})).await;
        let others = server.group("others", json!({"is_superuser": true})).await;
        admin.delete(&format!("/core/groups/{old}/")).await.expect_empty(204);
        let chief = server.person_with("chief", json!({"groups": [others]})).await;
        let end = |user: i64, group: &str| match way {
            0 => (Method::DELETE, format!("/core/users/{user}/"), json!({})),
            1 => (Method::PATCH, format!("/core/users/{user}/"), json!({"is_active": false})),
            2 => (Method::POST, format!("/core/groups/{group}/remove_user/"), json!({"pk": user})),
            3 => (Method::PATCH, format!("/core/groups/{group}/"), json!({"is_superuser": false})),
            _ => (Method::DELETE, format!("/core/groups/{group}/"), json!({})),
        };
        let (by_first, by_chief) = (end(chief.pk, &others), end(first, &ones));
        let (a, b) = tokio::join!(
            admin.request(by_first.0, &by_first.1).json(&by_first.2).send(),
            chief.client.request(by_chief.0, &by_chief.1).json(&by_chief.2).send(),
        );
        let left = {
            let mut left = 0;
            for client in [&admin, &chief.client] {
                let me = client.get("/core/users/me/").await;
                left += usize::from(me.status == 200 && me.json()["user"]["is_superuser"] == true);
            }
            left
        };
        assert_eq!(left, 1, "way {way}: {} {} and {} {}", a.status, a.text(), b.status, b.text());
        assert!(a.status < 300 || b.status < 300, "way {way}: one of them got through");
        server.end().await;
    }
}

async fn deleting_a_role_and_giving_to_it(server: &Server) {
    let admin = server.admin();
    for round in 0..20 {
        let role = text(&admin.post("/rbac/roles/", &json!({"name": format!("r{round}")})).await.expect(201)["pk"]);
        let (target, path) = (Target::Role(role.clone()), format!("/rbac/roles/{role}/"));
        let (assign, body) = (target.assign(), globally(&[CODE, "authentik_core.view_user"]));
        let (given, gone) = tokio::join!(admin.post(&assign, &body), admin.delete(&path));
        gone.expect_empty(204);
        assert!(matches!(given.status, 200 | 400 | 404), "{} {}", given.status, given.text());
        assert_eq!(target.holds(server).await, Vec::<String>::new(), "round {round}");
        admin.get(&path).await.expect_missing();
    }
}

/// No grant on an object outlives the object, whoever comes first.
async fn deleting_a_role_and_giving_on_it(server: &Server) {
    let admin = server.admin();
    let ann = server.person("ann").await;
    let target = Target::User(ann.pk);
    for round in 0..20 {
        let made = async |path: &str, body: Value| text(&admin.post(path, &body).await.expect(201)["pk"]);
        let role = made("/rbac/roles/", json!({"name": format!("r{round}")})).await;
        let event = made("/events/events/", json!({"action": "login", "app": "x"})).await;
        let group = made("/core/groups/", json!({"name": format!("g{round}")})).await;
        let token = json!({"identifier": format!("t{round}")});
        let key = made("/core/tokens/", token).await;
        for (model, code, key, path) in [
            ("authentik_rbac.role", "view_role", &role, format!("/rbac/roles/{role}/")),
            ("authentik_events.event", "view_event", &event, format!("/events/events/{event}/")),
            ("authentik_core.group", "view_group", &group, format!("/core/groups/{group}/")),
            ("authentik_core.token", "view_token", &key, format!("/core/tokens/t{round}/")),
        ] {
            let (assign, body) = (target.assign(), on(model, key, &[code]));
            let (given, gone) = tokio::join!(admin.post(&assign, &body), admin.delete(&path));
            gone.expect_empty(204);
            assert!(matches!(given.status, 200 | 400), "{} {}", given.status, given.text());
            let left: Vec<_> =
                all_grants(server).await.into_iter().filter(|g| g.object_pk.as_deref() == Some(key)).collect();
            assert!(left.is_empty(), "round {round}: {left:?}");
        }
    }
    ann.client.get("/rbac/roles/").await.expect_forbidden();
}

async fn one_role_name_once(server: &Server) {
    let answers = at_once(&server.admin(), Method::POST, "/rbac/roles/", &json!({"name": "one"})).await;
    assert_eq!(answers.iter().filter(|(status, _)| *status == 201).count(), 1, "{answers:?}");
    let taken = json!({"name": ["Role with this name already exists."]});
    assert!(answers.iter().all(|(status, body)| *status == 201 || (*status == 400 && *body == taken)), "{answers:?}");
}

async fn one_role_one_group(server: &Server) {
    let admin = server.admin();
    for round in 0..5 {
        let role = server.role(&format!("r{round}"), &[]).await.to_string();
        let one = server.group(&format!("one{round}"), json!({})).await;
        let other = server.group(&format!("other{round}"), json!({})).await;
        let body = json!({"roles": [role]});
        let (one, other) = (format!("/core/groups/{one}/"), format!("/core/groups/{other}/"));
        let (a, b) = tokio::join!(admin.patch(&one, &body), admin.patch(&other, &body));
        let mut statuses = [a.status, b.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 400], "{} {}", a.text(), b.text());
        let used = admin.get(&format!("/rbac/roles/{role}/used_by/")).await.expect(200);
        assert_eq!(used.as_array().map(Vec::len), Some(1));
    }
}
