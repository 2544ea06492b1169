//! Acting as somebody else (contract: authentik-core §3.3, §7.2).

use super::{CHANGE, LOGIN, LOGOUT, OTHER, PASSWORD, account, attempt, gets_in, leads, set_password, signed_in};
use crate::harness::{BOOTSTRAP_PASSWORD, Server, Visitor, tests};
use serde_json::{Value, json};

tests![
    acting_as_somebody,
    who_may_not,
    only_sessions_act,
    as_oneself_or_where_it_is_off,
    what_is_done_is_recorded,
    acting_is_no_way_up,
    the_end_of_either_account,
    signing_out_while_acting,
    the_password_of_the_other,
];

async fn root(server: &Server) -> Visitor {
    let browser = server.visitor();
    leads(&attempt(&browser.flow(LOGIN), "akadmin", BOOTSTRAP_PASSWORD).await, "/");
    browser
}

fn path(user: i64) -> String {
    format!("/core/users/{user}/impersonate/")
}

async fn me(browser: &Visitor) -> Value {
    browser.get("/core/users/me/").await.expect(200)
}

async fn acting_as_somebody(server: &Server) {
    let ann = account(server, "ann").await;
    let (browser, mark) = (root(server).await, server.mark().await);
    assert!(me(&browser).await.get("original").is_none());
    browser.post(&path(ann), &json!({})).await.expect_empty(201);
    let now = me(&browser).await;
    assert_eq!((&now["user"]["username"], &now["original"]["username"]), (&json!("ann"), &json!("akadmin")));
    assert_eq!(now["user"]["is_superuser"], false);
    browser.get("/core/users/").await.expect_forbidden();
    browser.get("/core/users/impersonate_end/").await.expect_empty(204);
    let now = me(&browser).await;
    assert_eq!(now["user"]["username"], "akadmin");
    assert!(now.get("original").is_none(), "{now}");
    browser.get("/core/users/").await.expect(200);
    browser.get("/core/users/impersonate_end/").await.expect_empty(204);
    let actions: Vec<String> = server.events_since(&mark).await.into_iter().map(|event| event.action).collect();
    let count = |action: &str| actions.iter().filter(|found| *found == action).count();
    assert_eq!((count("impersonation_started"), count("impersonation_ended")), (1, 1), "{actions:?}");
    // Ann notices nothing of it.
    let user = server.admin().get(&format!("/core/users/{ann}/")).await.expect(200);
    assert!(user["last_login"].is_null());
}

async fn who_may_not(server: &Server) {
    let bob = account(server, "bob").await;
    account(server, "ann").await;
    let plain = signed_in(server, "ann", PASSWORD).await;
    let status = plain.post(&path(bob), &json!({})).await.status;
    assert!([403, 404].contains(&status), "{status}");
    let helper = server.holder_of("helper", &["authentik_core.view_user", "authentik_core.impersonate"]).await;
    set_password(server, helper.pk, PASSWORD).await;
    let browser = signed_in(server, "helper", PASSWORD).await;
    let root = server.admin().get("/core/users/me/").await.expect(200)["user"]["pk"].as_i64().expect("a number");
    browser.post(&path(root), &json!({})).await.expect_forbidden();
    assert_eq!(browser.who().await.as_deref(), Some("helper"));
    browser.post(&path(424_242), &json!({})).await.expect_missing();
    browser.post(&path(bob), &json!({})).await.expect_empty(201);
    assert_eq!(browser.who().await.as_deref(), Some("bob"));
    server.anonymous().post(&path(bob), &json!({})).await.expect_status(403);
    server.anonymous().get("/core/users/impersonate_end/").await.expect_status(403);
}

/// With a token there is no session that could act.
async fn only_sessions_act(server: &Server) {
    let ann = account(server, "ann").await;
    let answer = server.admin().post(&path(ann), &json!({})).await;
    assert!(answer.status >= 400, "{}", answer.status);
    assert_eq!(server.admin().get("/core/users/me/").await.expect(200)["user"]["username"], "akadmin");
}

async fn as_oneself_or_where_it_is_off(server: &Server) {
    let ann = account(server, "ann").await;
    let browser = root(server).await;
    let own = me(&browser).await["user"]["pk"].as_i64().expect("a number");
    browser.post(&path(own), &json!({})).await.expect_empty(401);
    server.admin().patch("/admin/settings/", &json!({"impersonation": false})).await.expect(200);
    browser.post(&path(ann), &json!({})).await.expect_empty(401);
    assert_eq!(browser.who().await.as_deref(), Some("akadmin"));
}

async fn what_is_done_is_recorded(server: &Server) {
    let ann = account(server, "ann").await;
    let browser = root(server).await;
    browser.post(&path(ann), &json!({})).await.expect_empty(201);
    let mark = server.mark().await;
    browser.post("/core/tokens/", &json!({"identifier": "made"})).await.expect(201);
    let events = server.events_since(&mark).await;
    let made = events.iter().find(|event| event.action == "model_created").expect("an event");
    assert!(made.user.to_string().contains("akadmin"), "who it was really: {}", made.user);
    assert!(made.user.to_string().contains("ann"), "{}", made.user);
}

/// Acting as somebody who may act, too: the end leads back to who has signed in.
async fn acting_is_no_way_up(server: &Server) {
    let bob = account(server, "bob").await;
    let helper = server.holder_of("helper", &["authentik_core.view_user", "authentik_core.impersonate"]).await;
    let browser = root(server).await;
    browser.post(&path(helper.pk), &json!({})).await.expect_empty(201);
    browser.post(&path(bob), &json!({})).await;
    browser.get("/core/users/impersonate_end/").await.expect_empty(204);
    let who = browser.who().await;
    assert!(who.as_deref() == Some("akadmin"), "{who:?}");
    // An administrator who loses his rights while he acts does not keep them.
    set_password(server, helper.pk, PASSWORD).await;
    let browser = signed_in(server, "helper", PASSWORD).await;
    browser.post(&path(bob), &json!({})).await.expect_empty(201);
    server.admin().patch(&format!("/core/users/{}/", helper.pk), &json!({"is_active": false})).await.expect(200);
    assert_eq!(browser.who().await, None);
}

async fn the_end_of_either_account(server: &Server) {
    let ann = account(server, "ann").await;
    let browser = root(server).await;
    browser.post(&path(ann), &json!({})).await.expect_empty(201);
    server.admin().delete(&format!("/core/users/{ann}/")).await.expect_empty(204);
    // Back to oneself, or out; but not as somebody who is gone.
    let who = browser.who().await;
    assert!(who.is_none() || who.as_deref() == Some("akadmin"), "{who:?}");
}

async fn signing_out_while_acting(server: &Server) {
    let ann = account(server, "ann").await;
    let browser = root(server).await;
    let of_ann = signed_in(server, "ann", PASSWORD).await;
    browser.post(&path(ann), &json!({})).await.expect_empty(201);
    let copy = browser.copied();
    leads(&browser.flow(LOGOUT).shown().await, "/");
    assert_eq!((browser.who().await, copy.who().await), (None, None));
    assert_eq!(of_ann.who().await.as_deref(), Some("ann"), "her own session is hers");
}

/// Whoever acts as Ann may choose her a password in her flow, as she could; his own is not touched.
async fn the_password_of_the_other(server: &Server) {
    let ann = account(server, "ann").await;
    let browser = root(server).await;
    browser.post(&path(ann), &json!({})).await.expect_empty(201);
    let flow = browser.flow(CHANGE);
    flow.shown().await;
    flow.answered(json!({"password": OTHER, "password_repeat": OTHER})).await;
    assert!(gets_in(server, "akadmin", BOOTSTRAP_PASSWORD).await);
    assert!(!gets_in(server, "akadmin", OTHER).await);
}
