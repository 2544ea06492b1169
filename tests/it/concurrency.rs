//! Many at once: nobody wins twice, nothing acknowledged is lost, what is gone is gone for all.

use crate::harness::{Server, tests};
use serde_json::{Value, json};
use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU32, Ordering},
};

tests![
    one_identifier_once,
    one_username_once,
    one_key_once,
    a_deleted_key_is_refused_at_once,
    a_demoted_superuser_is_refused_at_once,
    changes_of_different_fields_both_survive,
    many_creates_all_survive,
    members_joining_at_once,
    both_sides_of_a_membership_at_once,
];

async fn one_of_many(server: &Server, path: &'static str, body: Value) {
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let (client, body) = (server.admin(), body.clone());
        tasks.spawn(async move { client.post(path, &body).await.status });
    }
    let mut statuses = tasks.join_all().await;
    statuses.sort_unstable();
    assert_eq!(statuses[0], if path.ends_with("service_account/") { 200 } else { 201 });
    assert!(statuses[1..].iter().all(|s| *s == 400), "{statuses:?}");
}

async fn one_identifier_once(server: &Server) {
    let mark = server.mark().await;
    one_of_many(server, "/core/tokens/", json!({"identifier": "one", "expiring": false})).await;
    assert_eq!(server.gists_since(&mark).await, ["model_created token one"]);
}

async fn one_username_once(server: &Server) {
    one_of_many(server, "/core/users/", json!({"username": "one", "name": ""})).await;
    one_of_many(server, "/core/groups/", json!({"name": "one"})).await;
    one_of_many(server, "/core/users/service_account/", json!({"name": "svc", "create_group": true})).await;
    let admin = server.admin();
    assert_eq!(admin.get("/core/users/").await.expect_list("username"), ["akadmin", "one", "svc"]);
}

async fn one_key_once(server: &Server) {
    for index in 0..10 {
        server.admin().post("/core/tokens/", &json!({"identifier": format!("t{index}")})).await.expect(201);
    }
    let mut tasks = tokio::task::JoinSet::new();
    for index in 0..10 {
        let client = server.admin();
        tasks.spawn(async move {
            client.post(&format!("/core/tokens/t{index}/set_key/"), &json!({"key": "same"})).await.status
        });
    }
    let statuses = tasks.join_all().await;
    assert_eq!(statuses.iter().filter(|s| **s == 204).count(), 1, "{statuses:?}");
    assert!(statuses.iter().all(|s| matches!(s, 204 | 400)), "{statuses:?}");
}

/// Sixteen clients use a key without pause while `end` ends its power; afterwards none gets through.
pub async fn used_while(server: &Server, key: &str, path: &'static str, end: impl AsyncFnOnce()) {
    let over = Arc::new(AtomicBool::new(false));
    let before = Arc::new(AtomicU32::new(0));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let (client, over, before) = (server.with_key(key), Arc::clone(&over), Arc::clone(&before));
        tasks.spawn(async move {
            let mut after = 0;
            while after < 10 {
                let was_over = over.load(Ordering::SeqCst);
                let status = client.get(path).await.status;
                if was_over {
                    after += 1;
                    assert_eq!(status, 403, "a request that began after the end was let through");
                } else if status == 200 {
                    before.fetch_add(1, Ordering::SeqCst);
                }
            }
        });
    }
    while before.load(Ordering::SeqCst) < 100 {
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    end().await;
    over.store(true, Ordering::SeqCst);
    while let Some(task) = tasks.join_next().await {
        task.expect("no request got through");
    }
}

async fn a_deleted_key_is_refused_at_once(server: &Server) {
    for round in 0..3 {
        let name = format!("ann{round}");
        let ann = server.person(&name).await;
        let admin = server.admin();
        used_while(server, &ann.key, "/core/users/me/", async move || {
            admin.delete(&format!("/core/tokens/{name}-login/")).await.expect_empty(204);
        })
        .await;
    }
}

async fn a_demoted_superuser_is_refused_at_once(server: &Server) {
    let group = server.group("chiefs", json!({"is_superuser": true})).await;
    let ann = server.person_with("ann", json!({"groups": [group]})).await;
    let admin = server.admin();
    used_while(server, &ann.key, "/core/users/", async move || {
        admin.patch(&format!("/core/groups/{group}/"), &json!({"is_superuser": false})).await.expect(200);
    })
    .await;
}

async fn changes_of_different_fields_both_survive(server: &Server) {
    let admin = server.admin();
    admin.post("/core/tokens/", &json!({"identifier": "t"})).await.expect(201);
    let user = admin.post("/core/users/", &json!({"username": "u", "name": ""})).await.expect(201);
    let group = format!("/core/groups/{}/", server.group("g", json!({})).await);
    let user = format!("/core/users/{}/", user["pk"]);
    for round in 0..10 {
        for (path, one, two) in [
            ("/core/tokens/t/", ("description", json!(format!("d{round}"))), ("managed", json!(format!("m{round}")))),
            (user.as_str(), ("name", json!(format!("n{round}"))), ("email", json!(format!("e{round}@example.org")))),
            (group.as_str(), ("name", json!(format!("g{round}"))), ("attributes", json!({"round": round}))),
        ] {
            let (first, second) = (json!({one.0: one.1}), json!({two.0: two.1}));
            let (a, b) = tokio::join!(admin.patch(path, &first), admin.patch(path, &second));
            a.expect(200);
            b.expect(200);
            let now = admin.get(path).await.expect(200);
            assert_eq!((&now[one.0], &now[two.0]), (&one.1, &two.1), "{path} round {round}");
        }
    }
}

async fn many_creates_all_survive(server: &Server) {
    let mut tasks = tokio::task::JoinSet::new();
    for index in 0..60 {
        let client = server.admin();
        tasks.spawn(async move {
            let body = json!({"identifier": format!("t{index}"), "expiring": false});
            client.post("/core/tokens/", &body).await.expect(201);
        });
    }
    while let Some(task) = tasks.join_next().await {
        task.expect("created");
    }
    let listed = server.admin().get("/core/tokens/?page_size=200").await.expect_list("identifier");
    assert_eq!(listed.len(), 61);
}

async fn members_joining_at_once(server: &Server) {
    let group = server.group("g", json!({})).await;
    let mut people = Vec::new();
    for index in 0..10 {
        people.push(server.person(&format!("p{index}")).await.pk);
    }
    let mut tasks = tokio::task::JoinSet::new();
    for pk in people.repeat(2) {
        let (client, path) = (server.admin(), format!("/core/groups/{group}/add_user/"));
        tasks.spawn(async move { client.post(&path, &json!({"pk": pk})).await.expect_empty(204) });
    }
    while let Some(task) = tasks.join_next().await {
        task.expect("joined");
    }
    let users = server.admin().get(&format!("/core/groups/{group}/")).await.expect(200)["users"].clone();
    let mut users: Vec<i64> = users.as_array().expect("a list").iter().filter_map(Value::as_i64).collect();
    users.sort_unstable();
    assert_eq!(users, people);
}

/// A group takes a member while the member takes the group, and others go: no 5xx but "try again".
async fn both_sides_of_a_membership_at_once(server: &Server) {
    let admin = server.admin();
    let group = server.group("g", json!({})).await;
    for round in 0..10 {
        let ann = server.person(&format!("ann-{round}")).await;
        let (users, groups) = (json!({"users": [ann.pk]}), json!({"groups": [group]}));
        let (by_group, by_user, gone) = (
            format!("/core/groups/{group}/"),
            format!("/core/users/{}/", ann.pk),
            format!("/core/groups/{group}/add_user/"),
        );
        let pk = json!({"pk": ann.pk});
        let draft = |method, path: &str, body| admin.request(method, path).json(body).untapped().send();
        let answers = tokio::join!(
            draft(http::Method::PATCH, &by_group, &users),
            draft(http::Method::PATCH, &by_user, &groups),
            draft(http::Method::POST, &gone, &pk),
        );
        for answer in [answers.0, answers.1, answers.2] {
            assert!(matches!(answer.status, 200 | 204 | 503), "{} {}", answer.request, answer.text());
        }
        let (delete, add) = tokio::join!(admin.delete(&by_user), draft(http::Method::POST, &gone, &pk));
        delete.expect_empty(204);
        assert!(matches!(add.status, 204 | 400 | 404 | 503), "{} {}", add.request, add.text());
    }
}
