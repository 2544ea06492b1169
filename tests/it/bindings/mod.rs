//! `policies/bindings` (contract: authentik-core §5.4), and shorthands for what is bound to what.

mod crud;
mod gone;
mod input;
mod listing;
mod sight;

use crate::harness::{Client, Server, Test};
use serde_json::{Value, json};

pub fn all() -> Vec<Test> {
    [crud::all(), gone::all(), input::all(), listing::all(), sight::all()].concat()
}

pub const PATH: &str = "/policies/bindings/";
/// A key that nothing has.
pub const UNKNOWN: &str = "00000000-0000-4000-8000-000000000000";

pub const ONE_OF: &str = "One of 'policy', 'group' or 'user' must be set.";
pub const ONLY_ONE_OF: &str = "Only one of 'policy', 'group' or 'user' can be set.";
pub const NOT_UNIQUE: &str = "The fields policy, target, order must make a unique set.";

/// What a fault of the whole body looks like.
pub fn whole(text: &str) -> Value {
    json!({"non_field_errors": [text]})
}

/// The primary key in an answer.
pub fn pk(body: &Value) -> String {
    body["pk"].as_str().unwrap_or_else(|| panic!("no key in {body}")).to_owned()
}

/// Fields with more fields.
pub fn with(mut fields: Value, more: &Value) -> Value {
    fields.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    fields
}

/// A new application; gives its primary key.
pub async fn application(server: &Server, slug: &str, fields: Value) -> String {
    let body = with(json!({"name": slug, "slug": slug}), &fields);
    pk(&server.admin().post("/core/applications/", &body).await.expect(201))
}

/// A new policy; `kind` is the part of its path. Gives its primary key.
pub async fn policy(server: &Server, kind: &str, name: &str, fields: Value) -> String {
    let body = with(json!({"name": name}), &fields);
    pk(&server.admin().post(&format!("/policies/{kind}/"), &body).await.expect(201))
}

/// A new policy that answers at once, always the same.
pub async fn dummy(server: &Server, name: &str, result: bool) -> String {
    policy(server, "dummy", name, json!({"result": result, "wait_min": 0, "wait_max": 1})).await
}

/// A new binding; gives its primary key.
pub async fn bind(server: &Server, target: &str, order: i64, fields: Value) -> String {
    let body = with(json!({"target": target, "order": order}), &fields);
    pk(&server.admin().post(PATH, &body).await.expect(201))
}

/// The path of a binding.
pub fn path(pk: &str) -> String {
    format!("{PATH}{pk}/")
}

/// What a client is shown of a binding.
pub async fn shown(client: &Client, pk: &str) -> Value {
    client.get(&path(pk)).await.expect(200)
}
