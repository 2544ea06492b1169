//! `events/events` and the chain behind it (contract: authentik-core §7).

mod chain;
mod command;
mod contents;
mod crud;
mod head;
pub mod hidden;
mod listing;
mod property;
mod statistics;
mod tampering;
mod upkeep;

use crate::harness::{Server, Test};
use serde_json::{Value, json};
use tessera::audit::chain::verify::{Finding, Report, verify};
use uuid::Uuid;

pub fn all() -> Vec<Test> {
    [
        chain::all(),
        command::all(),
        contents::all(),
        crud::all(),
        head::all(),
        hidden::all(),
        listing::all(),
        property::all(),
        statistics::all(),
        tampering::all(),
        upkeep::all(),
    ]
    .concat()
}

pub const PATH: &str = "/events/events/";

/// A key that no event has.
pub const UNKNOWN: &str = "00000000-0000-4000-8000-000000000000";

/// Writes an event as the administrator; gives it as it was answered.
pub async fn write(server: &Server, fields: Value) -> Value {
    let mut body = json!({"action": "login", "app": "tests"});
    body.as_object_mut().expect("an object").extend(fields.as_object().expect("an object").clone());
    server.admin().post(PATH, &body).await.expect(201)
}

/// The path of an event.
pub fn one(event: &Value) -> String {
    format!("{PATH}{}/", event["pk"].as_str().expect("a key"))
}

/// The key of an event.
pub fn key(event: &Value) -> Uuid {
    event["pk"].as_str().expect("a key").parse().expect("a UUID")
}

pub async fn report(server: &Server) -> Report {
    verify(server.app.db.read(), &server.app.keyring).await.expect("the chain is walked")
}

pub async fn findings(server: &Server) -> Vec<Finding> {
    report(server).await.findings
}

/// Nothing is found.
#[track_caller]
pub fn assert_clean(report: &Report) {
    assert_eq!(report.findings, Vec::<Finding>::new());
}
