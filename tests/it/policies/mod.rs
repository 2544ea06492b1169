//! Policies: the six kinds, policies of all kinds, asking one, what is remembered of results, and
//! reputation scores (contract: authentik-core §5).

mod all;
mod answers;
mod asking;
mod cache;
mod crud;
mod expiry;
mod expressions;
mod fields;
mod grants;
mod input;
mod kinds;
mod listing;
mod names;
mod passwords;
mod scores;

use crate::harness::{Answer, Client, Person, Server, Test};
use kinds::Kind;
use serde_json::{Value, json};

pub fn all() -> Vec<Test> {
    [
        crud::all(),
        names::all(),
        fields::all(),
        input::all(),
        listing::all(),
        all::all(),
        grants::all(),
        asking::all(),
        answers::all(),
        expiry::all(),
        passwords::all(),
        expressions::all(),
        cache::all(),
        scores::all(),
    ]
    .concat()
}

/// A key that no policy and no score has.
const UNKNOWN: &str = "00000000-0000-4000-8000-000000000000";

const VIEW: &str = "authentik_policies.view_policy";
const ADD: &str = "authentik_policies.add_policy";
const DELETE: &str = "authentik_policies.delete_policy";

/// An object with these fields over those.
fn with(object: &Value, fields: &Value) -> Value {
    let mut object = object.clone();
    object.as_object_mut().expect("an object").extend(fields.as_object().expect("an object").clone());
    object
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Makes a policy of a kind; gives its key.
async fn make(server: &Server, kind: &Kind, name: &str, fields: Value) -> String {
    let body = with(&with(&(kind.required)(), &json!({"name": name})), &fields);
    text(&server.admin().post(kind.path, &body).await.expect(201)["pk"])
}

/// The path of one policy in `policies/all`.
fn any(pk: &str) -> String {
    format!("/policies/all/{pk}/")
}

/// An application that is open to everybody; gives its key.
async fn application(server: &Server, slug: &str) -> String {
    let body = json!({"name": slug, "slug": slug});
    text(&server.admin().post("/core/applications/", &body).await.expect(201)["pk"])
}

/// Binds a policy to an application; gives the key of the binding.
async fn bind(server: &Server, policy: &str, target: &str, order: i32) -> String {
    let body = json!({"policy": policy, "target": target, "order": order});
    text(&server.admin().post("/policies/bindings/", &body).await.expect(201)["pk"])
}

/// Asks a policy about an account.
async fn ask(client: &Client, policy: &str, user: i64, context: Value) -> Answer {
    client.post(&format!("{}test/", any(policy)), &json!({"user": user, "context": context})).await
}

/// Asks a policy about somebody, as `akadmin`; gives whether it passes and what it says.
async fn outcome(server: &Server, policy: &str, person: &Person, context: Value) -> (bool, Vec<String>) {
    let body = ask(&server.admin(), policy, person.pk, context).await.expect(200);
    let messages = body["messages"].as_array().expect("a list").iter().map(text).collect();
    (body["passing"].as_bool().expect("a boolean"), messages)
}

fn passes() -> (bool, Vec<String>) {
    (true, Vec::new())
}

fn fails(messages: &[&str]) -> (bool, Vec<String>) {
    (false, messages.iter().map(|message| (*message).to_owned()).collect())
}

/// For texts that are somebody else's: it fails, and says why in so many messages.
fn fails_somehow((passing, messages): &(bool, Vec<String>)) {
    assert!(!passing && messages.len() == 1 && !messages[0].is_empty(), "{passing} {messages:?}");
}
