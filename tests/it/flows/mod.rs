//! Flows, bindings of stages, brands, sessions, and what an installation begins with (contract: authentik-core
//! §3.3, §4.3, §6.1, §6.5).

mod bindings;
mod brands;
mod crud;
mod defaults;
mod impersonation;
mod sessions;
mod visits;

use crate::harness::{Server, Test};
use serde_json::{Value, json};

pub fn all() -> Vec<Test> {
    [bindings::all(), brands::all(), crud::all(), defaults::all(), impersonation::all(), sessions::all(), visits::all()]
        .concat()
}

/// A key that nothing has.
const UNKNOWN: &str = "00000000-0000-4000-8000-000000000000";
const FLOWS: &str = "/flows/instances/";
const BINDINGS: &str = "/flows/bindings/";

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

fn body(slug: &str) -> Value {
    json!({"name": slug, "slug": slug, "title": slug, "designation": "authentication"})
}

/// A new flow, as it is shown.
async fn flow(server: &Server, slug: &str) -> Value {
    server.admin().post(FLOWS, &body(slug)).await.expect(201)
}

/// A new stage; gives its key.
async fn stage(server: &Server, name: &str) -> String {
    text(&server.admin().post("/stages/dummy/", &json!({"name": name})).await.expect(201)["pk"])
}

/// A new binding, as it is shown.
async fn bound(server: &Server, flow: &Value, stage: &str, order: i64) -> Value {
    let body = json!({"target": flow["pk"], "stage": stage, "order": order});
    server.admin().post(BINDINGS, &body).await.expect(201)
}
