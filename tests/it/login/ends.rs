//! How sessions end: by their owner, by an administrator, with the account or its password; at once, and at
//! every server.

use super::{
    CHANGE, LOGIN, LOGOUT, OTHER, PASSWORD, account, asks, attempt, build, gets_in, happened, identification, leads,
    password_stage, second, set_password, signed_in, stage,
};
use crate::{
    engine::until,
    harness::{SESSION, Server, Visitor, tests},
};
use serde_json::{Value, json};

tests![
    signing_out,
    signing_out_of_nothing,
    deleting_ones_own_session,
    deleting_the_session_of_another,
    signing_out_everywhere,
    a_login_that_ends_the_others,
    a_deactivated_account,
    a_deactivated_account_by_put,
    a_deleted_account,
    a_password_that_an_administrator_sets,
    a_password_that_is_taken_away,
    ones_own_new_password,
    ones_own_new_password_by_the_api,
    a_reactivated_account_has_no_old_sessions,
    an_end_is_seen_at_the_other_server,
];

const PATH: &str = "/core/authenticated_sessions/";

async fn signing_out(server: &Server) {
    account(server, "ann").await;
    let (browser, other) = (signed_in(server, "ann", PASSWORD).await, signed_in(server, "ann", PASSWORD).await);
    let (stolen, mark) = (browser.copied(), server.mark().await);
    leads(&browser.flow(LOGOUT).shown().await, "/");
    assert_eq!(browser.who().await, None);
    assert_eq!(stolen.who().await, None, "the cookie is worth nothing");
    assert_eq!(other.who().await.as_deref(), Some("ann"), "other sessions go on");
    let events = server.events_since(&mark).await;
    let gone: Vec<_> = events.iter().filter(|event| event.action == "logout").collect();
    assert_eq!(gone.len(), 1, "{events:?}");
    assert_eq!(gone[0].user["username"], "ann");
    assert_eq!(server.admin().get(PATH).await.expect(200)["pagination"]["count"], 1);
    leads(&attempt(&browser.flow(LOGIN), "ann", PASSWORD).await, "/");
}

async fn signing_out_of_nothing(server: &Server) {
    let (browser, mark) = (server.visitor(), server.mark().await);
    leads(&browser.flow(LOGOUT).shown().await, "/");
    assert_eq!(browser.who().await, None);
    assert_eq!(happened(server, &mark, "logout").await, 0);
    asks(browser.flow(LOGIN).shown().await, "ak-stage-identification");
}

/// The paths of somebody's sessions: the one that is used, and the others.
async fn paths(browser: &Visitor) -> (String, Vec<String>) {
    let all = browser.get(PATH).await.expect(200);
    let all = all["results"].as_array().expect("a list").clone();
    let path = |session: &Value| format!("{PATH}{}/", session["uuid"].as_str().expect("a key"));
    let own = all.iter().find(|session| session["current"] == true).map(path).expect("a current one");
    (own, all.iter().filter(|session| session["current"] == false).map(path).collect())
}

async fn deleting_ones_own_session(server: &Server) {
    account(server, "ann").await;
    let browser = signed_in(server, "ann", PASSWORD).await;
    let (own, _) = paths(&browser).await;
    browser.delete(&own).await.expect_empty(204);
    assert_eq!(browser.who().await, None);
    browser.get(&own).await.expect_detail(403, "Authentication credentials were not provided.");
    server.admin().get(&own).await.expect_missing();
    server.admin().delete(&own).await.expect_missing();
}

async fn deleting_the_session_of_another(server: &Server) {
    account(server, "ann").await;
    let browser = signed_in(server, "ann", PASSWORD).await;
    let (own, _) = paths(&browser).await;
    server.admin().delete(&own).await.expect_empty(204);
    assert_eq!(browser.who().await, None);
    assert!(gets_in(server, "ann", PASSWORD).await);
}

async fn signing_out_everywhere(server: &Server) {
    account(server, "ann").await;
    let mut browsers = Vec::new();
    for _ in 0..3 {
        browsers.push(signed_in(server, "ann", PASSWORD).await);
    }
    let (_, others) = paths(&browsers[0]).await;
    assert_eq!(others.len(), 2);
    for path in others {
        browsers[0].delete(&path).await.expect_empty(204);
    }
    assert_eq!(browsers[0].who().await.as_deref(), Some("ann"));
    assert_eq!((browsers[1].who().await, browsers[2].who().await), (None, None));
}

async fn a_login_that_ends_the_others(server: &Server) {
    for name in ["ann", "bob"] {
        account(server, name).await;
    }
    let who = identification(server, "who").await;
    let password = password_stage(server, "password", json!({})).await;
    let login = stage(server, "user_login", "alone", json!({"terminate_other_sessions": true})).await;
    build(server, "alone", "authentication", &[&who, &password, &login]).await;
    let (old, bob) = (signed_in(server, "ann", PASSWORD).await, signed_in(server, "bob", PASSWORD).await);
    let browser = server.visitor();
    leads(&attempt(&browser.flow("alone"), "ann", PASSWORD).await, "/");
    assert_eq!(browser.who().await.as_deref(), Some("ann"));
    assert_eq!(old.who().await, None);
    assert_eq!(bob.who().await.as_deref(), Some("bob"));
}

/// Ann in two browsers, and Bob in one, who has to stay.
struct Three(Visitor, Visitor, Visitor);

impl Three {
    async fn start(server: &Server) -> (i64, Self) {
        let ann = account(server, "ann").await;
        account(server, "bob").await;
        let (one, two) = (signed_in(server, "ann", PASSWORD).await, signed_in(server, "ann", PASSWORD).await);
        (ann, Self(one, two, signed_in(server, "bob", PASSWORD).await))
    }

    async fn ann_is_out(&self, server: &Server) {
        assert_eq!((self.0.who().await, self.1.who().await), (None, None));
        assert_eq!(self.2.who().await.as_deref(), Some("bob"));
        assert_eq!(server.admin().get(PATH).await.expect_list("user").len(), 1);
    }
}

async fn a_deactivated_account(server: &Server) {
    let (ann, three) = Three::start(server).await;
    server.admin().patch(&format!("/core/users/{ann}/"), &json!({"is_active": false})).await.expect(200);
    three.ann_is_out(server).await;
    assert!(!gets_in(server, "ann", PASSWORD).await);
}

/// The original forgets it there.
async fn a_deactivated_account_by_put(server: &Server) {
    let (ann, three) = Three::start(server).await;
    let body = json!({"username": "ann", "name": "ann", "is_active": false});
    server.admin().put(&format!("/core/users/{ann}/"), &body).await.expect(200);
    three.ann_is_out(server).await;
}

async fn a_deleted_account(server: &Server) {
    let (ann, three) = Three::start(server).await;
    server.admin().delete(&format!("/core/users/{ann}/")).await.expect_empty(204);
    three.ann_is_out(server).await;
    // The cookie does not come alive with a namesake.
    account(server, "ann").await;
    assert_eq!(three.0.who().await, None);
    asks(three.0.flow(LOGIN).shown().await, "ak-stage-identification");
}

async fn a_password_that_an_administrator_sets(server: &Server) {
    let (ann, three) = Three::start(server).await;
    set_password(server, ann, OTHER).await;
    three.ann_is_out(server).await;
    assert!(!gets_in(server, "ann", PASSWORD).await);
    assert!(gets_in(server, "ann", OTHER).await);
}

async fn a_password_that_is_taken_away(server: &Server) {
    let (ann, three) = Three::start(server).await;
    server
        .admin()
        .post(&format!("/core/users/{ann}/set_password/"), &json!({"password": null}))
        .await
        .expect_empty(204);
    three.ann_is_out(server).await;
    assert!(!gets_in(server, "ann", PASSWORD).await);
}

async fn ones_own_new_password(server: &Server) {
    let (_, three) = Three::start(server).await;
    let flow = three.0.flow(CHANGE);
    asks(flow.shown().await, "ak-stage-prompt");
    leads(&flow.answered(json!({"password": OTHER, "password_repeat": OTHER})).await, "/");
    assert_eq!(three.0.who().await.as_deref(), Some("ann"), "the session that was used");
    assert_eq!(three.1.who().await, None, "the other one");
    assert_eq!(three.2.who().await.as_deref(), Some("bob"));
    assert!(!gets_in(server, "ann", PASSWORD).await);
    assert!(gets_in(server, "ann", OTHER).await);
}

async fn ones_own_new_password_by_the_api(server: &Server) {
    let user = server.holder_of("ann", &["authentik_core.view_user", "authentik_core.reset_user_password"]).await.pk;
    set_password(server, user, PASSWORD).await;
    let (browser, other) = (signed_in(server, "ann", PASSWORD).await, signed_in(server, "ann", PASSWORD).await);
    let path = format!("/core/users/{user}/set_password/");
    browser.post(&path, &json!({"password": OTHER})).await.expect_empty(204);
    assert_eq!(browser.who().await.as_deref(), Some("ann"));
    assert_eq!(other.who().await, None);
}

async fn a_reactivated_account_has_no_old_sessions(server: &Server) {
    let (ann, three) = Three::start(server).await;
    for active in [false, true] {
        server.admin().patch(&format!("/core/users/{ann}/"), &json!({"is_active": active})).await.expect(200);
    }
    three.ann_is_out(server).await;
    assert!(gets_in(server, "ann", PASSWORD).await);
}

/// Another server learns of every kind of end within a second; here it gets longer, and then it stays so.
async fn an_end_is_seen_at_the_other_server(server: &Server) {
    let there = second(server).await;
    for (name, how) in [("off", 0), ("gone", 1), ("set", 2), ("deleted", 3), ("out", 4), ("own", 5)] {
        let user = account(server, name).await;
        let here = signed_in(server, name, PASSWORD).await;
        let away = here.moved(there.api);
        until("the session is known there", async || away.who().await.as_deref() == Some(name)).await;
        let user = format!("/core/users/{user}/");
        match how {
            0 => drop(server.admin().patch(&user, &json!({"is_active": false})).await.expect(200)),
            1 => server.admin().delete(&user).await.expect_empty(204),
            2 => {
                let path = format!("{user}set_password/");
                server.admin().post(&path, &json!({"password": OTHER})).await.expect_empty(204);
            }
            3 => server.admin().delete(&paths(&here).await.0).await.expect_empty(204),
            4 => leads(&here.flow(LOGOUT).shown().await, "/"),
            _ => {
                // Another session of the account changes its password.
                let other = signed_in(server, name, PASSWORD).await;
                let flow = other.flow(CHANGE);
                flow.shown().await;
                leads(&flow.answered(json!({"password": OTHER, "password_repeat": OTHER})).await, "/");
            }
        }
        let began = std::time::Instant::now();
        until("the end is known there", async || away.who().await.is_none()).await;
        assert!(began.elapsed().as_secs() < 5, "{name}: {:?}", began.elapsed());
        assert!(away.cookie(SESSION).is_some());
        assert_eq!(here.who().await, None, "{name}");
    }
    there.stop().await;
}
