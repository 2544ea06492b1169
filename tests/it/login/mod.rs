//! Signing in, and what may happen on the way (contract: authentik-core §1.1, §6.2–6.7), by HTTP as a headless
//! client does it.

mod csrf;
mod deletions;
mod ends;
mod expiry;
mod impersonation;
mod next;
mod password;
mod places;
mod plans;
mod proof;
mod recovery;
mod renewal;
pub mod secrets;
mod sessions;
mod tabs;
mod throttle;
mod unknown;

use crate::{
    bindings::{pk, with},
    harness::{Flow, Server, Test, Visitor},
};
use serde_json::{Value, json};
use std::sync::Arc;
use tessera::{ctx::SeededEntropy, server::Running};

pub fn all() -> Vec<Test> {
    [
        sessions::all(),
        ends::all(),
        csrf::all(),
        password::all(),
        unknown::all(),
        proof::all(),
        expiry::all(),
        places::all(),
        renewal::all(),
        tabs::all(),
        plans::all(),
        deletions::all(),
        next::all(),
        recovery::all(),
        impersonation::all(),
        throttle::all(),
        secrets::all(),
    ]
    .concat()
}

pub const LOGIN: &str = "default-authentication-flow";
pub const LOGOUT: &str = "default-invalidation-flow";
pub const CHANGE: &str = "default-password-change";
pub const PASSWORD: &str = "Right-Horse-Battery-1";
pub const OTHER: &str = "Other-Horse-Battery-2";
pub const WRONG: &str = "Wrong-Horse-Battery-3";

/// A new account with [`PASSWORD`]; gives its key.
pub async fn account(server: &Server, name: &str) -> i64 {
    account_with(server, name, json!({})).await
}

pub async fn account_with(server: &Server, name: &str, fields: Value) -> i64 {
    let body = with(json!({"username": name, "name": name}), &fields);
    let user = server.admin().post("/core/users/", &body).await.expect(201)["pk"].as_i64().expect("a number");
    set_password(server, user, PASSWORD).await;
    user
}

pub async fn set_password(server: &Server, user: i64, password: &str) {
    let path = format!("/core/users/{user}/set_password/");
    server.admin().post(&path, &json!({"password": password})).await.expect_empty(204);
}

/// The challenge is of this component; gives it back.
#[track_caller]
pub fn asks(challenge: Value, component: &str) -> Value {
    assert_eq!(challenge["component"], component, "{challenge}");
    challenge
}

/// The flow is at its end and leads there.
#[track_caller]
pub fn leads(challenge: &Value, to: &str) {
    assert_eq!(*challenge, json!({"component": "xak-flow-redirect", "to": to}));
}

/// The flow is at its end, and this is why.
#[track_caller]
pub fn denies(challenge: &Value, message: &str) {
    assert_eq!(challenge["component"], "ak-stage-access-denied", "{challenge}");
    assert_eq!(challenge["error_message"], message, "{challenge}");
}

/// What was wrong with an answer, by field.
#[track_caller]
pub fn faults(challenge: &Value, expected: Value) {
    assert_eq!(challenge["response_errors"], expected, "{challenge}");
}

/// One fault of one field.
pub fn fault(field: &str, text: &str, code: &str) -> Value {
    json!({field: [{"string": text, "code": code}]})
}

pub fn wrong_password() -> Value {
    fault("password", "Invalid password", "invalid")
}

/// Names somebody, and gives the challenge for the password.
pub async fn named(flow: &Flow, name: &str) -> Value {
    asks(flow.answered(json!({"uid_field": name})).await, "ak-stage-password")
}

/// Names somebody and gives a password; what comes then.
pub async fn attempt(flow: &Flow, name: &str, password: &str) -> Value {
    named(flow, name).await;
    flow.answered(json!({"password": password})).await
}

/// Signs in; gives the browser.
pub async fn signed_in(server: &Server, name: &str, password: &str) -> Visitor {
    let browser = server.visitor();
    leads(&attempt(&browser.flow(LOGIN), name, password).await, "/");
    assert_eq!(browser.who().await.as_deref(), Some(name));
    browser
}

/// Whether somebody gets in with a password.
pub async fn gets_in(server: &Server, name: &str, password: &str) -> bool {
    let browser = server.visitor();
    let end = attempt(&browser.flow(LOGIN), name, password).await;
    let inside = browser.who().await.is_some();
    assert_eq!(inside, end["component"] == "xak-flow-redirect", "{end}");
    inside
}

/// A new stage; `kind` is the part of its path.
pub async fn stage(server: &Server, kind: &str, name: &str, fields: Value) -> String {
    let body = with(json!({"name": name}), &fields);
    pk(&server.admin().post(&format!("/stages/{kind}/"), &body).await.expect(201))
}

pub async fn identification(server: &Server, name: &str) -> String {
    stage(server, "identification", name, json!({"user_fields": ["username", "email"]})).await
}

pub async fn password_stage(server: &Server, name: &str, fields: Value) -> String {
    let both = json!(["authentik.core.auth.InbuiltBackend", "authentik.core.auth.TokenBackend"]);
    stage(server, "password", name, with(json!({"backends": both}), &fields)).await
}

/// A prompt stage that asks for a new password twice.
pub async fn choose_password(server: &Server, name: &str, policies: &[&str]) -> String {
    let mut fields = Vec::new();
    for (order, key) in ["password", "password_repeat"].iter().enumerate() {
        let name = format!("{name} {key}");
        let body = json!({"name": name, "field_key": key, "label": key, "type": "password", "order": order});
        fields.push(pk(&server.admin().post("/stages/prompt/prompts/", &body).await.expect(201)));
    }
    stage(server, "prompt/stages", name, json!({"fields": fields, "validation_policies": policies})).await
}

/// A flow, with the keys of what was bound to it, in order.
pub struct Built {
    pub pk: String,
    pub bindings: Vec<String>,
}

/// A new flow of these stages; each binding is asked when its stage is reached.
pub async fn build(server: &Server, slug: &str, designation: &str, stages: &[&str]) -> Built {
    build_with(server, slug, json!({"designation": designation}), json!({}), stages).await
}

pub async fn build_with(server: &Server, slug: &str, fields: Value, bound: Value, stages: &[&str]) -> Built {
    let admin = server.admin();
    let body = with(json!({"name": slug, "slug": slug, "title": slug}), &fields);
    let flow = pk(&admin.post("/flows/instances/", &body).await.expect(201));
    let mut bindings = Vec::new();
    for (order, stage) in stages.iter().enumerate() {
        let body = with(json!({"target": flow, "stage": stage, "order": order * 10}), &bound);
        bindings.push(pk(&admin.post("/flows/bindings/", &body).await.expect(201)));
    }
    Built { pk: flow, bindings }
}

/// A flow that signs people in: who it is, the password, the session.
pub async fn login_flow(server: &Server, slug: &str, password: Value, bound: Value) -> Built {
    let who = identification(server, &format!("{slug} who")).await;
    let password = password_stage(server, &format!("{slug} password"), password).await;
    let login = stage(server, "user_login", &format!("{slug} login"), json!({})).await;
    build_with(server, slug, json!({"designation": "authentication"}), bound, &[&who, &password, &login]).await
}

/// The key of the shipped flow's binding of a stage; `kind` as in `authentik_stages_password.passwordstage`.
pub async fn shipped_binding(server: &Server, slug: &str, kind: &str) -> String {
    let admin = server.admin();
    let flow = pk(&admin.get(&format!("/flows/instances/{slug}/")).await.expect(200));
    let bindings = admin.get(&format!("/flows/bindings/?target={flow}")).await.expect(200);
    let bindings = bindings["results"].as_array().expect("a list");
    let found = bindings.iter().find(|binding| binding["stage_obj"]["meta_model_name"] == kind);
    pk(found.unwrap_or_else(|| panic!("{slug} has no {kind}: {bindings:?}")))
}

/// A second server on the same database.
pub async fn second(server: &Server) -> Running {
    let clock = Arc::clone(&server.clock) as _;
    let entropy = Arc::new(SeededEntropy::new(99));
    tessera::server::start(server.place.config(), clock, entropy).await.expect("a further server")
}

/// How many events of an action there are since `mark`.
pub async fn happened(server: &Server, mark: &std::collections::BTreeSet<uuid::Uuid>, action: &str) -> usize {
    server.events_since(mark).await.iter().filter(|event| event.action == action).count()
}
