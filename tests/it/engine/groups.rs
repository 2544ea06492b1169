//! Members pass the bindings of their groups and of those above these; none of those below.

use super::{guarded, let_in, listed};
use crate::{
    bindings::{application, bind},
    harness::{Server, tests},
};
use serde_json::json;

tests![
    members_and_others,
    upward_and_not_downward,
    many_levels,
    several_ways_up,
    superusers_are_members_of_what_they_are_in,
    every_change_counts_at_once,
];

async fn members_and_others(server: &Server) {
    let ann = server.person("ann").await;
    let team = server.group("team", json!({"users": [ann.pk]})).await;
    let bob = server.person("bob").await;
    guarded(server, "app", json!({"group": team})).await;
    assert_eq!((let_in(&ann.client, "app").await, let_in(&bob.client, "app").await), (true, false));
    assert_eq!((listed(&ann.client).await, listed(&bob.client).await), (vec!["app".to_owned()], vec![]));
}

async fn upward_and_not_downward(server: &Server) {
    let top = server.group("top", json!({})).await;
    let middle = server.group("middle", json!({"parent": top})).await;
    let low = server.group("low", json!({"parent": middle})).await;
    let beside = server.group("beside", json!({"parent": middle})).await;
    let groups = [("top", &top), ("middle", &middle), ("low", &low), ("beside", &beside)];
    for (slug, group) in groups {
        guarded(server, slug, json!({"group": group})).await;
    }
    for (group, open) in [
        (&top, &["top"][..]),
        (&middle, &["middle", "top"]),
        (&low, &["low", "middle", "top"]),
        (&beside, &["beside", "middle", "top"]),
    ] {
        let member = server.person_with(&format!("in-{}", &group[..8]), json!({"groups": [group]})).await;
        assert_eq!(listed(&member.client).await, *open);
        for (slug, _) in groups {
            assert_eq!(let_in(&member.client, slug).await, open.contains(&slug), "{slug}");
        }
    }
}

async fn many_levels(server: &Server) {
    let top = server.group("top", json!({})).await;
    let mut parent = top.clone();
    for level in 0..30 {
        parent = server.group(&format!("level{level}"), json!({"parent": parent})).await;
    }
    guarded(server, "app", json!({"group": top})).await;
    let ann = server.person_with("ann", json!({"groups": [parent]})).await;
    assert!(let_in(&ann.client, "app").await);
    assert_eq!(listed(&ann.client).await, ["app"]);
}

async fn several_ways_up(server: &Server) {
    let (red, blue) = (server.group("red", json!({})).await, server.group("blue", json!({})).await);
    let low = server.group("low", json!({"parent": red})).await;
    let target = application(server, "both", json!({"policy_engine_mode": "all"})).await;
    bind(server, &target, 0, json!({"group": red})).await;
    bind(server, &target, 1, json!({"group": blue})).await;
    let ann = server.person_with("ann", json!({"groups": [low, blue]})).await;
    let bob = server.person_with("bob", json!({"groups": [low]})).await;
    assert_eq!((let_in(&ann.client, "both").await, let_in(&bob.client, "both").await), (true, false));
}

async fn superusers_are_members_of_what_they_are_in(server: &Server) {
    let team = server.group("team", json!({})).await;
    guarded(server, "app", json!({"group": team})).await;
    assert!(!let_in(&server.admin(), "app").await);
    let me = server.admin().get("/core/users/me/").await.expect(200)["user"]["pk"].clone();
    server.admin().post(&format!("/core/groups/{team}/add_user/"), &json!({"pk": me})).await.expect_empty(204);
    assert!(let_in(&server.admin(), "app").await);
}

async fn every_change_counts_at_once(server: &Server) {
    let admin = server.admin();
    let top = server.group("top", json!({})).await;
    let low = server.group("low", json!({})).await;
    let ann = server.person("ann").await;
    guarded(server, "app", json!({"group": top})).await;
    let (group, user) = (format!("/core/groups/{low}/"), format!("/core/users/{}/", ann.pk));
    let now = async |expected: bool| {
        assert_eq!(let_in(&ann.client, "app").await, expected);
        assert_eq!(listed(&ann.client).await.len(), usize::from(expected));
    };
    now(false).await;
    for _ in 0..3 {
        admin.post(&format!("{group}add_user/"), &json!({"pk": ann.pk})).await.expect_empty(204);
        now(false).await;
        admin.patch(&group, &json!({"parent": top})).await.expect(200);
        now(true).await;
        admin.patch(&group, &json!({"parent": null})).await.expect(200);
        now(false).await;
        admin.patch(&group, &json!({"parent": top})).await.expect(200);
        now(true).await;
        admin.post(&format!("{group}remove_user/"), &json!({"pk": ann.pk})).await.expect_empty(204);
        now(false).await;
        admin.patch(&user, &json!({"groups": [low]})).await.expect(200);
        now(true).await;
        admin.patch(&user, &json!({"groups": []})).await.expect(200);
        now(false).await;
        admin.patch(&group, &json!({"users": [ann.pk]})).await.expect(200);
        now(true).await;
        admin.put(&group, &json!({"name": "low"})).await.expect(200);
        now(false).await;
    }
    admin.patch(&group, &json!({"users": [ann.pk], "parent": top})).await.expect(200);
    now(true).await;
    // With the group in between, the way up is gone.
    admin.delete(&group).await.expect_empty(204);
    now(false).await;
    // With the group that is bound, the binding is gone, and nothing keeps anybody out.
    admin.delete(&format!("/core/groups/{top}/")).await.expect_empty(204);
    now(true).await;
}
