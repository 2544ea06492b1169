//! Sessions as people see them, and what ends them.

use super::{UNKNOWN, text};
use crate::harness::{Server, tests};
use chrono::TimeDelta;
use http::Method;
use serde_json::json;

tests![
    shown_to_their_owner,
    others_are_out_of_sight,
    ended_at_once,
    ended_with_the_account,
    ended_with_the_password,
    use_is_written,
    swept_when_they_have_ended,
    csrf,
];

const SESSIONS: &str = "/core/authenticated_sessions/";

async fn shown_to_their_owner(server: &Server) {
    let ann = server.person("ann").await;
    let (here, _there) = (server.browser(ann.pk).await, server.browser(ann.pk).await);
    let page = here.get(SESSIONS).await.expect(200);
    let items = page["results"].as_array().expect("a list");
    assert_eq!(items.len(), 2);
    let own = items.iter().find(|item| item["current"] == true).expect("the current one");
    assert_eq!((&own["user"], &own["geo_ip"], &own["asn"]), (&json!(ann.pk), &json!(null), &json!(null)));
    assert_eq!(own["expires"], "2026-01-16T03:04:05.678901Z");
    assert_eq!(own["user_agent"]["device"]["family"], "Other");
    let path = format!("{SESSIONS}{}/", text(&own["uuid"]));
    here.get(&path).await.expect_body(200, own);
    here.get(&format!("{path}used_by/")).await.expect_body(200, &json!([]));
    // The key sees the same sessions, and none of them is its own.
    let page = ann.client.get(SESSIONS).await.expect(200);
    assert!(page["results"].as_array().expect("a list").iter().all(|item| item["current"] == false));
}

async fn others_are_out_of_sight(server: &Server) {
    let (ann, bob) = (server.person("ann").await, server.person("bob").await);
    server.browser(ann.pk).await;
    let listed = server.admin().get(&format!("{SESSIONS}?user__username=ann")).await.expect_list("uuid");
    assert_eq!(listed.len(), 1, "superusers see all");
    assert_eq!(server.admin().get(&format!("{SESSIONS}?search=AnN")).await.expect_list("uuid"), listed);
    assert_eq!(bob.client.get(SESSIONS).await.expect_list("uuid").len(), 0);
    for key in [listed[0].as_str(), UNKNOWN] {
        bob.client.get(&format!("{SESSIONS}{key}/")).await.expect_missing();
        bob.client.get(&format!("{SESSIONS}{key}/used_by/")).await.expect_missing();
        bob.client.delete(&format!("{SESSIONS}{key}/")).await.expect_missing();
    }
}

async fn ended_at_once(server: &Server) {
    let ann = server.person("ann").await;
    let (here, there) = (server.browser(ann.pk).await, server.browser(ann.pk).await);
    let current = async |browser: &crate::harness::Browser| {
        let page = browser.get(SESSIONS).await.expect(200);
        let items = page["results"].as_array().expect("a list").clone();
        text(&items.iter().find(|item| item["current"] == true).expect("the current one")["uuid"])
    };
    let other = current(&there).await;
    let mark = server.mark().await;
    here.delete(&format!("{SESSIONS}{other}/")).await.expect_empty(204);
    assert_eq!((here.whose().await.as_deref(), there.whose().await), (Some("ann"), None));
    let events = server.events_since(&mark).await;
    assert_eq!((events[0].action.as_str(), &events[0].user["pk"]), ("logout", &json!(ann.pk)));
    let own = current(&here).await;
    let answer = here.delete(&format!("{SESSIONS}{own}/")).await;
    answer.expect_empty(204);
    let cookies: Vec<_> = answer.headers.get_all("set-cookie").iter().filter_map(|v| v.to_str().ok()).collect();
    assert!(cookies.iter().any(|cookie| cookie.starts_with("authentik_session=;")), "{cookies:?}");
    assert_eq!(here.whose().await, None);
}

async fn ended_with_the_account(server: &Server) {
    let admin = server.admin();
    let ann = server.person("ann").await;
    let path = format!("/core/users/{}/", ann.pk);
    for (method, body) in [
        (Method::PATCH, json!({"is_active": false})),
        (Method::PUT, json!({"username": "ann", "name": "ann", "is_active": false})),
    ] {
        let browser = server.browser(ann.pk).await;
        assert_eq!(browser.whose().await.as_deref(), Some("ann"));
        admin.request(method, &path).json(&body).send().await.expect(200);
        assert_eq!(browser.whose().await, None);
        admin.patch(&path, &json!({"is_active": true})).await.expect(200);
        assert_eq!(browser.whose().await, None, "it has ended for good");
    }
    let browser = server.browser(ann.pk).await;
    admin.delete(&path).await.expect_empty(204);
    assert_eq!(browser.whose().await, None);
}

async fn ended_with_the_password(server: &Server) {
    let ann = server.holder_of("ann", &["authentik_core.view_user", "authentik_core.reset_user_password"]).await;
    let (here, there) = (server.browser(ann.pk).await, server.browser(ann.pk).await);
    let path = format!("/core/users/{}/set_password/", ann.pk);
    server.grant(ann.holder(), "authentik_core.add_user", None).await;
    here.post(&path, &json!({"password": "another one"})).await.expect_empty(204);
    assert_eq!((here.whose().await.as_deref(), there.whose().await), (Some("ann"), None));
    server.admin().post(&path, &json!({"password": "a third one"})).await.expect_empty(204);
    assert_eq!(here.whose().await, None);
}

async fn use_is_written(server: &Server) {
    let ann = server.person("ann").await;
    let browser = server.browser(ann.pk).await;
    server.advance(TimeDelta::seconds(90));
    let agent = "Mozilla/5.0 (X11; Linux x86_64; rv:129.0) Gecko/20100101 Firefox/129.0";
    browser.request(Method::GET, "/core/users/me/").header("user-agent", agent).send().await.expect(200);
    tessera::jobs::usage::last(&server.app).await;
    let shown = server.admin().get(&format!("{SESSIONS}?user__username=ann")).await.expect(200)["results"][0].clone();
    assert_eq!(shown["last_ip"], server.address().ip().to_string());
    assert_eq!(shown["last_used"], "2026-01-02T03:05:35.678901Z");
    assert_eq!(shown["user_agent"]["user_agent"]["family"], "Firefox");
    assert_eq!(server.admin().get(&format!("{SESSIONS}?search=firefox")).await.expect_list("uuid").len(), 1);
    let filtered = format!("{SESSIONS}?last_ip={}&ordering=-last_used", server.address().ip());
    assert_eq!(server.admin().get(&filtered).await.expect_list("uuid").len(), 1);
}

async fn swept_when_they_have_ended(server: &Server) {
    let ann = server.person("ann").await;
    let browser = server.browser(ann.pk).await;
    server.advance(TimeDelta::days(15));
    assert_eq!(browser.whose().await, None);
    assert_eq!(server.admin().get(SESSIONS).await.expect_list("uuid").len(), 0);
    tessera::jobs::sweep::once(&server.app).await.expect("swept");
    assert_eq!(
        tessera::resource::sessions::store::delete_ended(server.app.db.write(), server.system().now)
            .await
            .expect("read"),
        0
    );
}

async fn csrf(server: &Server) {
    let browser = server.browser(1).await;
    let body = json!({"name": "g"});
    let cookies = format!("authentik_session={}; authentik_csrf={}", browser.session, browser.csrf);
    let draft = || server.anonymous().request(Method::POST, "/core/groups/").json(&body).header("cookie", &cookies);
    draft().send().await.expect_detail(403, "CSRF Failed: CSRF token missing.");
    let wrong = draft().header("x-authentik-csrf", "wrong").send().await;
    wrong.expect_detail(403, "CSRF Failed: CSRF token from the 'X-Authentik-Csrf' HTTP header incorrect.");
    draft().header("x-authentik-csrf", &browser.csrf).send().await.expect(201);
}
