//! Nobody gets in, and nothing is written, without proof: whatever policies leave out of a flow, and however a
//! flow is put together (contract: authentik-core, the observed holes, and §6.2).

use super::{
    LOGIN, OTHER, PASSWORD, account, asks, attempt, build, build_with, choose_password, denies, gets_in,
    identification, leads, login_flow, named, password_stage, shipped_binding, signed_in, stage,
};
use crate::{
    bindings::{bind, dummy},
    engine::expression,
    harness::{Flow, Server, Visitor, tests},
};
use serde_json::{Value, json};

tests![
    a_password_stage_that_is_left_out,
    an_identification_that_is_left_out,
    a_login_stage_that_is_left_out,
    stages_that_are_left_out_of_the_plan,
    stages_of_the_shipped_flow,
    policies_that_fail_to_answer,
    the_others_get_in,
    a_flow_without_a_password,
    recovery_without_mail_changes_nothing,
    recovery_makes_nobody,
    writing_into_the_account_of_another,
    signing_in_as_another_without_a_password,
    enrolment_proves_itself,
    enrolment_takes_over_nobody,
];

/// Goes through a flow for somebody, and tells where it ends; every question gets the best answer.
async fn walk(flow: &Flow, name: &str) -> Value {
    let mut challenge = flow.shown().await;
    for _ in 0..6 {
        challenge = match challenge["component"].as_str().expect("a component") {
            "ak-stage-identification" => flow.answered(json!({"uid_field": name})).await,
            "ak-stage-password" => flow.answered(json!({"password": PASSWORD})).await,
            "ak-stage-prompt" => flow.answered(json!({"password": OTHER, "password_repeat": OTHER})).await,
            "ak-stage-user-login" => flow.answered(json!({"remember_me": true})).await,
            _ => return challenge,
        };
    }
    panic!("no end: {challenge}")
}

async fn nobody_gets_in(server: &Server, slug: &str, message: Option<&str>) {
    let browser = server.visitor();
    let end = asks(walk(&browser.flow(slug), "ann").await, "ak-stage-access-denied");
    if let Some(message) = message {
        denies(&end, message);
    }
    assert_eq!(browser.who().await, None, "{slug}");
    assert_eq!(server.admin().get("/core/authenticated_sessions/").await.expect(200)["pagination"]["count"], 0);
    // The plan is gone: it begins anew.
    let again = browser.flow(slug).shown().await;
    assert_ne!(again["component"], "xak-flow-redirect", "{slug}: {again}");
}

async fn without(server: &Server, left_out: usize, bound: Value) {
    account(server, "ann").await;
    let built = login_flow(server, "gap", json!({}), bound).await;
    let no = dummy(server, "no", false).await;
    bind(server, &built.bindings[left_out], 0, json!({"policy": no})).await;
    // Without a name there is nobody whom the message could be for.
    nobody_gets_in(server, "gap", (left_out > 0).then_some("dummy")).await;
}

async fn a_password_stage_that_is_left_out(server: &Server) {
    without(server, 1, json!({})).await;
}

async fn an_identification_that_is_left_out(server: &Server) {
    without(server, 0, json!({})).await;
}

async fn a_login_stage_that_is_left_out(server: &Server) {
    without(server, 2, json!({})).await;
}

async fn stages_that_are_left_out_of_the_plan(server: &Server) {
    account(server, "ann").await;
    let no = dummy(server, "no", false).await;
    for (left_out, re_evaluate) in [(0, true), (0, false), (1, true), (1, false), (2, true), (2, false)] {
        let slug = format!("gap-{left_out}-{re_evaluate}");
        let bound = json!({"evaluate_on_plan": true, "re_evaluate_policies": re_evaluate});
        let built = login_flow(server, &slug, json!({}), bound).await;
        bind(server, &built.bindings[left_out], 0, json!({"policy": no})).await;
        nobody_gets_in(server, &slug, None).await;
    }
}

async fn stages_of_the_shipped_flow(server: &Server) {
    account(server, "ann").await;
    let no = dummy(server, "no", false).await;
    for kind in [
        "authentik_stages_identification.identificationstage",
        "authentik_stages_password.passwordstage",
        "authentik_stages_user_login.userloginstage",
    ] {
        let binding = shipped_binding(server, LOGIN, kind).await;
        // All have to pass, also with what ships there.
        let all = json!({"policy_engine_mode": "all"});
        server.admin().patch(&format!("/flows/bindings/{binding}/"), &all).await.expect(200);
        let bound = bind(server, &binding, 100, json!({"policy": no})).await;
        nobody_gets_in(server, LOGIN, None).await;
        server.admin().delete(&crate::bindings::path(&bound)).await.expect_empty(204);
    }
    assert!(gets_in(server, "ann", PASSWORD).await);
}

async fn policies_that_fail_to_answer(server: &Server) {
    account(server, "ann").await;
    let broken = expression(server, "broken", "return 1 / 0").await;
    for left_out in 0..3 {
        let slug = format!("broken-{left_out}");
        let built = login_flow(server, &slug, json!({}), json!({})).await;
        bind(server, &built.bindings[left_out], 0, json!({"policy": broken})).await;
        nobody_gets_in(server, &slug, None).await;
    }
}

/// A policy on the password stage that is about one account lets the others in as before.
async fn the_others_get_in(server: &Server) {
    for name in ["ann", "bob"] {
        account(server, name).await;
    }
    let built = login_flow(server, "gap", json!({}), json!({})).await;
    let not_ann = expression(server, "not ann", "return request.user.username != 'ann'").await;
    bind(server, &built.bindings[1], 0, json!({"policy": not_ann})).await;
    nobody_gets_in(server, "gap", None).await;
    let browser = server.visitor();
    leads(&walk(&browser.flow("gap"), "bob").await, "/");
    assert_eq!(browser.who().await.as_deref(), Some("bob"));
}

/// Somebody may well put such a flow together; it still lets nobody in.
async fn a_flow_without_a_password(server: &Server) {
    account(server, "ann").await;
    let who = identification(server, "who").await;
    let login = stage(server, "user_login", "login", json!({"remember_me_offset": "days=1"})).await;
    for (slug, stages) in [("two", vec![&*who, &*login]), ("one", vec![&*login])] {
        for designation in ["authentication", "recovery", "enrollment"] {
            let slug = format!("{slug}-{designation}");
            build(server, &slug, designation, &stages).await;
            nobody_gets_in(server, &slug, None).await;
        }
    }
}

/// Who it is, a new password, and the account written: what a recovery flow without an e-mail stage is.
async fn recovery(server: &Server, slug: &str, mode: &str) -> Visitor {
    let who = identification(server, &format!("{slug} who")).await;
    let choose = choose_password(server, &format!("{slug} choose"), &[]).await;
    let write = stage(server, "user_write", &format!("{slug} write"), json!({"user_creation_mode": mode})).await;
    let login = stage(server, "user_login", &format!("{slug} login"), json!({})).await;
    build(server, slug, "recovery", &[&who, &choose, &write, &login]).await;
    server.visitor()
}

async fn recovery_without_mail_changes_nothing(server: &Server) {
    account(server, "ann").await;
    for mode in ["never_create", "create_when_required", "always_create"] {
        let slug = mode.replace('_', "-");
        let browser = recovery(server, &slug, mode).await;
        asks(walk(&browser.flow(&slug), "ann").await, "ak-stage-access-denied");
        assert_eq!(browser.who().await, None, "{mode}");
        assert!(!gets_in(server, "ann", OTHER).await, "{mode}");
        assert!(gets_in(server, "ann", PASSWORD).await, "{mode}");
    }
}

async fn recovery_makes_nobody(server: &Server) {
    for mode in ["never_create", "create_when_required"] {
        let slug = mode.replace('_', "-");
        let browser = recovery(server, &slug, mode).await;
        let end = asks(walk(&browser.flow(&slug), "stranger").await, "ak-stage-access-denied");
        assert!(!end["error_message"].as_str().expect("a text").is_empty());
        assert_eq!(browser.who().await, None, "{mode}");
        assert_eq!(server.admin().get("/core/users/?username=stranger").await.expect_list("pk").len(), 0, "{mode}");
    }
}

async fn writing_into_the_account_of_another(server: &Server) {
    for name in ["ann", "bob"] {
        account(server, name).await;
    }
    recovery(server, "lost", "never_create").await;
    let browser = signed_in(server, "ann", PASSWORD).await;
    asks(walk(&browser.flow("lost"), "bob").await, "ak-stage-access-denied");
    assert_eq!(browser.who().await.as_deref(), Some("ann"));
    assert!(!gets_in(server, "bob", OTHER).await);
    assert!(gets_in(server, "bob", PASSWORD).await);
    assert!(gets_in(server, "ann", PASSWORD).await, "nor is it written to who has signed in");
}

async fn signing_in_as_another_without_a_password(server: &Server) {
    for name in ["ann", "bob"] {
        account(server, name).await;
    }
    let who = identification(server, "who").await;
    let login = stage(server, "user_login", "login", json!({})).await;
    build(server, "switch", "authentication", &[&who, &login]).await;
    let browser = signed_in(server, "ann", PASSWORD).await;
    asks(walk(&browser.flow("switch"), "bob").await, "ak-stage-access-denied");
    assert_eq!(browser.who().await.as_deref(), Some("ann"));
    // A proof for one name is none for the next: Ann's password, then Bob's name.
    let again = identification(server, "again").await;
    let password = password_stage(server, "password", json!({})).await;
    build(server, "twice", "authentication", &[&who, &password, &again, &login]).await;
    let browser = server.visitor();
    let flow = browser.flow("twice");
    asks(attempt(&flow, "ann", PASSWORD).await, "ak-stage-identification");
    asks(flow.answered(json!({"uid_field": "bob"})).await, "ak-stage-access-denied");
    assert_eq!(browser.who().await, None);
}

/// A flow in which people make their own accounts.
async fn enrolment(server: &Server, slug: &str, mode: &str) {
    let mut fields = Vec::new();
    for (order, (key, kind)) in [("username", "text"), ("password", "password")].iter().enumerate() {
        let body =
            json!({"name": format!("{slug} {key}"), "field_key": key, "label": key, "type": kind, "order": order});
        fields.push(crate::bindings::pk(&server.admin().post("/stages/prompt/prompts/", &body).await.expect(201)));
    }
    let ask = stage(server, "prompt/stages", &format!("{slug} ask"), json!({"fields": fields})).await;
    let write = stage(server, "user_write", &format!("{slug} write"), json!({"user_creation_mode": mode})).await;
    let login = stage(server, "user_login", &format!("{slug} login"), json!({})).await;
    build_with(server, slug, json!({"designation": "enrollment"}), json!({}), &[&ask, &write, &login]).await;
}

async fn enrolment_proves_itself(server: &Server) {
    for mode in ["create_when_required", "always_create"] {
        let slug = mode.replace('_', "-");
        enrolment(server, &slug, mode).await;
        let browser = server.visitor();
        let name = format!("new-{slug}");
        let end = browser.flow(&slug).answered(json!({"username": name, "password": OTHER})).await;
        leads(&end, "/");
        assert_eq!(browser.who().await.as_deref(), Some(&*name));
        assert!(gets_in(server, &name, OTHER).await);
    }
}

async fn enrolment_takes_over_nobody(server: &Server) {
    account(server, "ann").await;
    for mode in ["create_when_required", "always_create", "never_create"] {
        let slug = mode.replace('_', "-");
        enrolment(server, &slug, mode).await;
        for name in ["ann", "akadmin"] {
            let browser = server.visitor();
            let end = browser.flow(&slug).answered(json!({"username": name, "password": OTHER})).await;
            asks(end, "ak-stage-access-denied");
            assert_eq!(browser.who().await, None, "{mode} {name}");
            assert!(!gets_in(server, name, OTHER).await, "{mode} {name}");
        }
    }
    assert!(gets_in(server, "ann", PASSWORD).await);
    named(&server.visitor().flow(LOGIN), "ann").await;
}
