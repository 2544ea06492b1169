//! The contract tap: every answer that a test receives is held against the document.

use super::{Answer, client::BASE, document};
use http::Method;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError},
};

/// Which operation was answered with which statuses.
pub type Calls = BTreeMap<String, BTreeSet<u16>>;

static CALLS: Mutex<Calls> = Mutex::new(Calls::new());

/// What the run has called so far.
pub fn calls() -> Calls {
    CALLS.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Panics unless the document allows this answer.
pub fn check(method: &Method, target: &str, answer: &Answer) {
    let refuse = |why: &str| -> ! {
        let headers: Vec<_> = answer.headers.iter().map(|(n, v)| format!("{n}: {v:?}")).collect();
        panic!(
            "the answer breaks the contract: {why}\n  {}\n  answered {} {}\n  {}",
            answer.request,
            answer.status,
            headers.join("; "),
            answer.text()
        )
    };
    if answer.status >= 500 {
        refuse("the server failed");
    }
    let path = target.split_once('?').map_or(target, |(path, _)| path);
    let Some(operation) = path.strip_prefix(BASE).and_then(|path| document().find(method.as_str(), path)) else { return };
    let Some(response) = operation.responses.get(&answer.status) else {
        refuse(&format!("{} declares no status {}", operation.id, answer.status))
    };
    for (name, schema) in &response.headers {
        let Some(value) = answer.header(name) else { refuse(&format!("the header {name} is missing")) };
        let faults = schema.faults(&value.into());
        if !faults.is_empty() {
            refuse(&format!("the header {name}: {}", faults.join("; ")));
        }
    }
    check_body(response, answer, &refuse);
    CALLS.lock().unwrap_or_else(PoisonError::into_inner).entry(operation.id.clone()).or_default().insert(answer.status);
}

fn check_body(response: &super::document::Response, answer: &Answer, refuse: &dyn Fn(&str) -> !) {
    if answer.body.is_empty() {
        if !response.content.is_empty() && !response.body_optional {
            refuse("a body is declared, and there is none");
        }
        return;
    }
    let Some(content_type) = answer.header("content-type") else { refuse("the content type is missing") };
    let media = content_type.split(';').next().unwrap_or_default().trim();
    let Some((_, schema)) = response.content.iter().find(|(declared, _)| declared == media) else {
        refuse(&format!("the content type {media} is not declared"))
    };
    if media != "application/json" {
        return;
    }
    if content_type != "application/json" && content_type != "application/json; charset=utf-8" {
        refuse("JSON is UTF-8");
    }
    let Ok(body) = serde_json::from_slice(&answer.body) else { refuse("the body is not JSON") };
    let faults = schema.faults(&body);
    if !faults.is_empty() {
        refuse(&faults.join("; "));
    }
}
