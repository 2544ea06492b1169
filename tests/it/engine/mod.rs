//! How policies decide (contract: authentik-core §5.1), over HTTP by `check_access` and the list of applications.

mod cache;
mod concurrency;
mod effects;
mod events;
mod failures;
mod groups;
mod modes;
mod replicas;

use crate::{
    bindings::{application, pk, policy},
    harness::{Client, Server, Test},
};
use serde_json::{Value, json};
use std::time::Duration;

pub fn all() -> Vec<Test> {
    [
        modes::all(),
        groups::all(),
        failures::all(),
        events::all(),
        cache::all(),
        replicas::all(),
        effects::all(),
        concurrency::all(),
    ]
    .concat()
}

/// What superusers are told: whether it passes, and why.
pub async fn told(server: &Server, slug: &str) -> (bool, Vec<String>) {
    verdict(&server.admin().get(&format!("/core/applications/{slug}/check_access/")).await.expect(200))
}

/// What superusers are told about somebody else.
pub async fn told_of(server: &Server, slug: &str, user: i64) -> (bool, Vec<String>) {
    let path = format!("/core/applications/{slug}/check_access/?for_user={user}");
    verdict(&server.admin().get(&path).await.expect(200))
}

fn verdict(body: &Value) -> (bool, Vec<String>) {
    let messages = body["messages"].as_array().expect("a list").iter();
    let messages = messages.map(|message| message.as_str().expect("text").to_owned()).collect();
    (body["passing"].as_bool().expect("a truth"), messages)
}

/// Whether a caller is let in, as he is told himself.
pub async fn let_in(client: &Client, slug: &str) -> bool {
    let path = format!("/core/applications/{slug}/check_access/");
    client.get(&path).await.expect(200)["passing"].as_bool().expect("a truth")
}

/// The applications that a caller is listed.
pub async fn listed(client: &Client) -> Vec<String> {
    client.get("/core/applications/").await.expect_list("slug")
}

/// A policy that fails with `Password has expired.` and does nothing.
pub async fn expired(server: &Server, name: &str) -> String {
    policy(server, "password_expiry", name, json!({"days": 0, "deny_only": true})).await
}

/// A policy that fails with `Password not set in context`.
pub async fn unset(server: &Server, name: &str) -> String {
    policy(server, "password", name, json!({})).await
}

pub async fn expression(server: &Server, name: &str, body: &str) -> String {
    policy(server, "expression", name, json!({"expression": body})).await
}

/// A policy that passes after so many seconds.
pub async fn slow(server: &Server, name: &str, seconds: i64) -> String {
    let fields = json!({"result": true, "wait_min": seconds, "wait_max": seconds + 1});
    policy(server, "dummy", name, fields).await
}

/// Changes a policy, whatever kind it is of.
pub async fn change(server: &Server, kind: &str, policy: &str, fields: Value) {
    server.admin().patch(&format!("/policies/{kind}/{policy}/"), &fields).await.expect(200);
}

/// An application with one binding; gives the keys of both.
pub async fn guarded(server: &Server, slug: &str, fields: Value) -> (String, String) {
    let target = application(server, slug, json!({})).await;
    let body = crate::bindings::with(json!({"target": target, "order": 0}), &fields);
    let binding = server.admin().post(crate::bindings::PATH, &body).await.expect(201);
    (target, pk(&binding))
}

/// Waits for what happens by itself; only what hangs fails.
pub async fn until(what: &str, mut done: impl AsyncFnMut() -> bool) {
    let began = std::time::Instant::now();
    while !done().await {
        assert!(began.elapsed() < Duration::from_secs(20), "{what} did not happen");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
