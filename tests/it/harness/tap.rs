//! The contract tap: every answer that a test receives is held against the document.

use super::{
    Answer,
    document::{self, Operation, Response},
};
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
    let path = target.split_once('?').map_or(target, |(path, _)| path);
    // Some clients write two slashes.
    let single = path.trim_start_matches('/');
    let operation = document::find(method.as_str(), path.get(path.len() - single.len() - 1..).unwrap_or(path));
    if let Err(why) = verdict(operation, answer) {
        let headers: Vec<_> = answer.headers.iter().map(|(n, v)| format!("{n}: {v:?}")).collect();
        panic!(
            "the answer breaks the contract: {why}\n  {}\n  answered {} {}\n  {}",
            answer.request,
            answer.status,
            headers.join("; "),
            answer.text()
        );
    }
    if let Some(operation) = operation {
        let mut calls = CALLS.lock().unwrap_or_else(PoisonError::into_inner);
        calls.entry(operation.id.clone()).or_default().insert(answer.status);
    }
}

fn verdict(operation: Option<&Operation>, answer: &Answer) -> Result<(), String> {
    if answer.status >= 500 {
        return Err("the server failed".into());
    }
    let Some(operation) = operation else { return Ok(()) };
    let declared = operation.responses.get(&answer.status);
    let response = declared.ok_or_else(|| format!("{} declares no status {}", operation.id, answer.status))?;
    for (name, schema) in &response.headers {
        let value = answer.header(name).ok_or_else(|| format!("the header {name} is missing"))?;
        let faults = schema.faults(&value.into());
        if !faults.is_empty() {
            return Err(format!("the header {name}: {}", faults.join("; ")));
        }
    }
    verdict_on_body(response, answer)
}

fn verdict_on_body(response: &Response, answer: &Answer) -> Result<(), String> {
    if answer.body.is_empty() {
        let missing = !response.content.is_empty() && !response.body_optional;
        return if missing { Err("a body is declared, and there is none".into()) } else { Ok(()) };
    }
    let content_type = answer.header("content-type").ok_or("the content type is missing")?;
    let media = content_type.split(';').next().unwrap_or_default().trim();
    let declared = response.content.iter().find(|(declared, _)| declared == media);
    let (_, schema) = declared.ok_or_else(|| format!("the content type {media} is not declared"))?;
    if media != "application/json" {
        return Ok(());
    }
    if content_type != "application/json" && content_type != "application/json; charset=utf-8" {
        return Err("JSON is UTF-8".into());
    }
    let body = serde_json::from_slice(&answer.body).map_err(|e| format!("the body is not JSON: {e}"))?;
    let faults = schema.faults(&body);
    if faults.is_empty() { Ok(()) } else { Err(faults.join("; ")) }
}
