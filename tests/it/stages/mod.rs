//! Stages of each kind, stages of all kinds, and prompts (contract: authentik-core §6.1).

mod crud;
mod input;
mod kinds;
mod prompts;
mod use_and_end;

use crate::harness::{Server, Test};
use kinds::Kind;
use serde_json::{Value, json};

pub fn all() -> Vec<Test> {
    [crud::all(), input::all(), prompts::all(), use_and_end::all()].concat()
}

/// A key that nothing has.
const UNKNOWN: &str = "00000000-0000-4000-8000-000000000000";

const PROMPTS: &str = "/stages/prompt/prompts/";

/// An object with these fields over those.
fn with(object: &Value, fields: &Value) -> Value {
    let mut object = object.clone();
    object.as_object_mut().expect("an object").extend(fields.as_object().expect("an object").clone());
    object
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Makes a prompt; gives its key.
async fn prompt(server: &Server, name: &str, fields: Value) -> String {
    let body = with(&json!({"name": name, "field_key": name, "label": name, "type": "text"}), &fields);
    text(&server.admin().post(PROMPTS, &body).await.expect(201)["pk"])
}

/// What a body of a kind must say.
async fn required(server: &Server, kind: &Kind, name: &str) -> Value {
    let mut body = with(&(kind.required)(), &json!({"name": name}));
    if kind.model == "promptstage" {
        body["fields"] = json!([prompt(server, &server.system().uuid().to_string(), json!({})).await]);
    }
    body
}

/// Makes a stage of a kind; gives its key.
async fn make(server: &Server, kind: &Kind, name: &str, fields: Value) -> String {
    let body = with(&required(server, kind, name).await, &fields);
    text(&server.admin().post(kind.path, &body).await.expect(201)["pk"])
}

/// A flow, as long as there is no operation that makes one; gives its key.
async fn flow(server: &Server, slug: &str) -> String {
    let (id, target) = (server.system().uuid(), server.system().uuid());
    let [id_sql, target_sql] = [id, target].map(|id| key(server, id));
    server.sql(&format!("INSERT INTO policy_targets (id, engine_mode) VALUES ({target_sql}, 'any')")).await;
    let columns = "id, target_id, name, slug, title, designation, background, compatibility_mode, layout, \
                   denied_action, authentication, search";
    server
        .sql(&format!(
            "INSERT INTO flows ({columns}) VALUES ({id_sql}, {target_sql}, 'Flow', '{slug}', 'Title', \
             'stage_configuration', '/bg.jpg', false, 'stacked', 'message_continue', 'none', '{slug}')"
        ))
        .await;
    id.to_string()
}

/// Binds a stage to a flow; gives the keys of the binding and of what policies are bound to.
async fn bind(server: &Server, flow: &str, stage: &str, order: i32) -> (String, String) {
    let (id, target) = (server.system().uuid(), server.system().uuid());
    let [id_sql, target_sql] = [id, target].map(|id| key(server, id));
    let [flow, stage] = [flow, stage].map(|text| key(server, text.parse().expect("a key")));
    server.sql(&format!("INSERT INTO policy_targets (id, engine_mode) VALUES ({target_sql}, 'any')")).await;
    server
        .sql(&format!(
            "INSERT INTO stage_bindings (id, target_id, flow_id, stage_id, position, evaluate_on_plan, \
             re_evaluate_policies, invalid_response_action) \
             VALUES ({id_sql}, {target_sql}, {flow}, {stage}, {order}, false, true, 'retry')"
        ))
        .await;
    (id.to_string(), target.to_string())
}

/// A key as SQL has it: SQLite keeps the bytes.
fn key(server: &Server, id: uuid::Uuid) -> String {
    match server.place.backend() {
        crate::harness::Backend::Postgres => format!("'{id}'"),
        crate::harness::Backend::Sqlite => format!("X'{}'", id.simple()),
    }
}
