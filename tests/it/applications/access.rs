//! Asking whether somebody may use an application, over HTTP; how that is decided is in `engine`.

use super::path;
use crate::{
    bindings::{application, bind, dummy, policy},
    harness::{Server, tests},
};
use serde_json::{Value, json};

tests![
    superusers_are_told_why,
    others_are_not,
    what_policies_log,
    about_somebody_else,
    for_user_refused,
    only_superusers_ask_about_others,
    no_permission_is_needed,
    unknown_applications,
    nobody,
    it_changes_nothing,
];

fn check(slug: &str) -> String {
    format!("{}check_access/", path(slug))
}

fn said(passing: bool, messages: &[&str]) -> Value {
    json!({"passing": passing, "messages": messages, "log_messages": []})
}

async fn superusers_are_told_why(server: &Server) {
    let admin = server.admin();
    let target = application(server, "app", json!({})).await;
    admin.get(&check("app")).await.expect_body(200, &said(true, &[]));
    let no = bind(server, &target, 0, json!({"policy": dummy(server, "no", false).await})).await;
    admin.get(&check("app")).await.expect_body(200, &said(false, &["dummy"]));
    bind(server, &target, 1, json!({"policy": dummy(server, "yes", true).await})).await;
    admin.get(&check("app")).await.expect_body(200, &said(true, &["dummy", "dummy"]));
    admin.delete(&format!("/policies/bindings/{no}/")).await.expect_empty(204);
    admin.get(&check("app")).await.expect_body(200, &said(true, &["dummy"]));
}

async fn others_are_not(server: &Server) {
    let target = application(server, "app", json!({})).await;
    let codes = ["authentik_core.view_application", "authentik_policies.view_policy", "authentik_core.view_user"];
    let ann = server.holder_of("ann", &codes).await;
    ann.client.get(&check("app")).await.expect_body(200, &said(true, &[]));
    let binding = bind(server, &target, 0, json!({"policy": dummy(server, "no", false).await})).await;
    ann.client.get(&check("app")).await.expect_body(200, &said(false, &[]));
    let body = json!({"policy": dummy(server, "yes", true).await});
    server.admin().patch(&format!("/policies/bindings/{binding}/"), &body).await.expect(200);
    ann.client.get(&check("app")).await.expect_body(200, &said(true, &[]));
}

/// In the order of the bindings, for superusers only.
async fn what_policies_log(server: &Server) {
    let target = application(server, "app", json!({})).await;
    for (order, name) in [(2, "second"), (1, "first")] {
        let body = "ak_logger.warning('asked', number=7)\nak_message('said')\nreturn request.user.username == 'ann'";
        let policy = policy(server, "expression", name, json!({"expression": body})).await;
        bind(server, &target, order, json!({"policy": policy})).await;
    }
    let ann = server.person("ann").await;
    let line = |logger: &str| {
        json!({
            "timestamp": "2026-01-02T03:04:05.678901Z", "log_level": "warning", "logger": logger, "event": "asked",
            "attributes": {"number": 7},
        })
    };
    let lines = json!([line("first"), line("second")]);
    let expected = json!({"passing": true, "messages": ["said", "said"], "log_messages": lines});
    server.admin().get(&format!("{}?for_user={}", check("app"), ann.pk)).await.expect_body(200, &expected);
    let expected = json!({"passing": false, "messages": ["said", "said"], "log_messages": lines});
    server.admin().get(&check("app")).await.expect_body(200, &expected);
    ann.client.get(&check("app")).await.expect_body(200, &said(true, &[]));
}

async fn about_somebody_else(server: &Server) {
    let admin = server.admin();
    let (ann, bob) = (server.person("ann").await, server.person("bob").await);
    let target = application(server, "app", json!({})).await;
    bind(server, &target, 0, json!({"user": ann.pk})).await;
    admin.get(&check("app")).await.expect_body(200, &said(false, &[]));
    for (pk, passing) in [(ann.pk, true), (bob.pk, false)] {
        admin.get(&format!("{}?for_user={pk}", check("app"))).await.expect_body(200, &said(passing, &[]));
    }
    admin.get(&format!("{}?for_user=", check("app"))).await.expect_body(200, &said(false, &[]));
    // Also about somebody who cannot sign in any more.
    admin.patch(&format!("/core/users/{}/", ann.pk), &json!({"is_active": false})).await.expect(200);
    admin.get(&format!("{}?for_user={}", check("app"), ann.pk)).await.expect_body(200, &said(true, &[]));
}

async fn for_user_refused(server: &Server) {
    application(server, "app", json!({})).await;
    for word in ["x", "1.5", "true", "None"] {
        let answer = server.admin().get(&format!("{}?for_user={word}", check("app"))).await;
        answer.expect_body(400, &json!({"for_user": "for_user must be numerical"}));
    }
    for number in ["999999", "0", "-1", "99999999999999"] {
        let answer = server.admin().get(&format!("{}?for_user={number}", check("app"))).await;
        answer.expect_body(400, &json!({"for_user": "User not found"}));
    }
}

/// Anybody else's `for_user` is ignored, whatever it says.
async fn only_superusers_ask_about_others(server: &Server) {
    let bob = server.person("bob").await;
    let ann = server.holder_of("ann", &["authentik_core.view_user", "authentik_core.view_user_applications"]).await;
    let target = application(server, "app", json!({})).await;
    bind(server, &target, 0, json!({"user": bob.pk})).await;
    for value in [bob.pk.to_string(), "x".into(), "999999".into(), String::new()] {
        let answer = ann.client.get(&format!("{}?for_user={value}", check("app"))).await;
        answer.expect_body(200, &said(false, &[]));
    }
}

async fn no_permission_is_needed(server: &Server) {
    application(server, "app", json!({})).await;
    let ann = server.person("ann").await;
    ann.client.get(&path("app")).await.expect_forbidden();
    ann.client.get(&check("app")).await.expect_body(200, &said(true, &[]));
}

async fn unknown_applications(server: &Server) {
    let key = application(server, "app", json!({})).await;
    let ann = server.person("ann").await;
    for slug in ["nothing", "APP", &key, "%20"] {
        server.admin().get(&check(slug)).await.expect_missing();
        ann.client.get(&check(slug)).await.expect_missing();
        server.admin().get(&format!("{}?for_user=x", check(slug))).await.expect_missing();
    }
}

async fn nobody(server: &Server) {
    application(server, "app", json!({})).await;
    for slug in ["app", "nothing"] {
        let answer = server.anonymous().get(&check(slug)).await;
        assert_eq!(answer.status, 403, "{}", answer.text());
        server.with_key("wrong").get(&check(slug)).await.expect_detail(403, "Token invalid/expired");
    }
}

async fn it_changes_nothing(server: &Server) {
    let target = application(server, "app", json!({})).await;
    bind(server, &target, 0, json!({"policy": dummy(server, "no", false).await})).await;
    let ann = server.person("ann").await;
    let mark = server.mark().await;
    ann.client.get(&check("app")).await.expect(200);
    server.admin().get(&format!("{}?for_user={}", check("app"), ann.pk)).await.expect(200);
    ann.client.get(super::PATH).await.expect(200);
    assert_eq!(server.gists_since(&mark).await, Vec::<String>::new());
    server.admin().post(&check("app"), &json!({})).await.expect_detail(405, "Method \"POST\" not allowed.");
}
