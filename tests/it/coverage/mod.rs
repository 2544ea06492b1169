//! The whole operation table: each operation is called, refused without credentials, and audited if
//! it changes something. Allowlists only shrink: an entry that is not needed any more is a failure.

mod changes;
pub mod others;

use crate::harness::{Calls, Server, document, tests};
use http::Method;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use tessera::dialect::Dialect;
use tessera_api_runtime::Operation;

tests![every_operation_is_refused_without_credentials, every_change_is_audited];

/// Exceptions: operation and reason.
type Allowed = &'static [(&'static str, &'static str)];

/// Operations that no test calls with success.
const UNCALLED: Allowed = &[];
/// Operations that change something and write no event.
const UNAUDITED: Allowed = &[
    (
        "admin_system_create",
        "it changes nothing: the original measures again, and answers what GET answers (contract §1.9)",
    ),
    ("policies_all_cache_clear_create", "it changes nothing: what is forgotten is found out again"),
    ("flows_instances_cache_clear_create", "it changes nothing: what is forgotten is found out again"),
    ("policies_all_test_create", "it changes nothing: it is a question (docs/compatibility.md, Policies)"),
    ("core_users_recovery_create", "the link is worth a password; what it is used for has events (contract §7.2)"),
    ("core_users_recovery_email_create", "it takes a mail server: `login` and tests/mail look at its event"),
    ("flows_executor_solve", "its stages have events of their own: `login` looks at them"),
    ("stages_prompt_prompts_preview_create", "it changes nothing: it shows a form that is stored nowhere"),
];
/// Operations that need no credentials.
const PUBLIC: Allowed = &[
    ("core_brands_current_retrieve", "pages are drawn by it before anybody has signed in (contract §6.5)"),
    ("flows_executor_get", "somebody who signs in has not signed in yet (contract §6.3)"),
    ("flows_executor_solve", "somebody who signs in has not signed in yet (contract §6.3)"),
    ("root_config_retrieve", "clients read it before they log in (contract §1.9)"),
    ("schema_retrieve", "the document is no secret (contract §1.9)"),
];

/// The operations of `/api/v3`.
fn operations() -> impl Iterator<Item = &'static Operation> {
    tessera_api::v3::apis::OPERATIONS.iter().flat_map(|of_resource| of_resource.iter().copied())
}

/// The operations of all documents.
fn every_operation() -> impl Iterator<Item = &'static Operation> {
    operations().chain(others::operations())
}

/// Fails for operations in `found` that are not allowed, and for allowances that are not needed.
fn hold(what: &str, found: &BTreeSet<&str>, allowed: Allowed) {
    let allowed: BTreeSet<&str> = allowed.iter().map(|(id, _)| *id).collect();
    let excess: Vec<_> = found.difference(&allowed).collect();
    let idle: Vec<_> = allowed.difference(found).collect();
    assert!(excess.is_empty(), "{what}: {excess:?}");
    assert!(idle.is_empty(), "no longer {what}, take them off the list: {idle:?}");
}

/// Looks at the whole run.
pub fn every_operation_is_called(calls: &Calls) {
    let succeeded = |id: &str| calls.get(id).is_some_and(|statuses| statuses.iter().any(|s| *s < 300));
    let uncalled = every_operation().map(|o| o.id).filter(|id| !succeeded(id)).collect();
    hold("not called with success by any test", &uncalled, UNCALLED);
}

/// Looks at the whole run: what is not found, not allowed and not well formed was tried, too.
pub fn every_operation_fails_in_its_ways(calls: &Calls) {
    let mut untried = Vec::new();
    for operation in every_operation().filter(|o| !o.anonymous) {
        let statuses = calls.get(operation.id).cloned().unwrap_or_default();
        let body = !operation.consumes.is_empty();
        let other = operation.document != "v3";
        for (status, expected) in [(401, other), (403, true), (404, operation.is_detail()), (400, body)] {
            if expected && !statuses.contains(&status) {
                untried.push(format!("{} {status}", operation.id));
            }
        }
    }
    assert!(untried.is_empty(), "no test saw {untried:?}");
}

/// The table and the documents speak of the same operations.
pub fn the_table_is_the_document() {
    let mut declared = BTreeSet::new();
    for name in tessera_api::openapi::NAMES {
        let raw = tessera_api::openapi::document(name, true).expect("a document");
        let raw: Value = serde_json::from_str(raw).expect("JSON");
        for item in raw["paths"].as_object().expect("paths").values() {
            let ids = item.as_object().expect("an item").values().filter_map(|o| o["operationId"].as_str());
            declared.extend(ids.map(str::to_owned));
        }
    }
    assert_eq!(every_operation().map(|o| o.id.to_owned()).collect::<BTreeSet<_>>(), declared);
    for operation in every_operation() {
        for base in operation.bases {
            let path = format!("{base}{}", operation.path);
            let found = document::find(operation.method.as_str(), &path).expect("in the document");
            assert_eq!(found.id, operation.id);
            // The gate goes by the path before it knows the operation.
            assert_eq!(Dialect::at(&path), Dialect::of(operation), "{path}");
        }
    }
}

const NOBODY: &str = "00000000-0000-4000-8000-000000000000";

/// A path with something in the place of each parameter.
fn filled(path: &str) -> String {
    path.replace("{identifier}", "authentik-bootstrap-token")
        .replace("{id}", "1")
        .replace("{group_uuid}", NOBODY)
        .replace("{event_uuid}", NOBODY)
        .replace("{policy_uuid}", NOBODY)
        .replace("{policy_binding_uuid}", NOBODY)
        .replace("{reputation_uuid}", NOBODY)
        .replace("{fsb_uuid}", NOBODY)
        .replace("{brand_uuid}", NOBODY)
        .replace("{stage_uuid}", NOBODY)
        .replace("{prompt_uuid}", NOBODY)
        .replace("{uuid}", NOBODY)
        .replace("{slug}", "nothing")
        .replace("{flow_slug}", "nothing")
}

async fn every_operation_is_refused_without_credentials(server: &Server) {
    let mark = server.mark().await;
    let mut public = BTreeSet::new();
    for operation in operations() {
        let path = filled(operation.path);
        assert!(!path.contains('{'), "say what goes into {path}");
        for body in [None, Some(json!({})), Some(json!([]))] {
            let mut draft = server.anonymous().request(operation.method.clone(), &path);
            if let Some(body) = body.filter(|_| !operation.consumes.is_empty()) {
                draft = draft.json(&body);
            }
            let answer = draft.send().await;
            if answer.status < 300 || operation.access == tessera_api_runtime::Access::Public {
                public.insert(operation.id);
                continue;
            }
            let detail = answer.expect(403)["detail"].as_str().unwrap_or_default().to_owned();
            let owned = operation.access == tessera_api_runtime::Access::Own;
            let expected = if operation.is_detail() && !owned {
                "You do not have permission to perform this action."
            } else {
                "Authentication credentials were not provided."
            };
            assert_eq!(detail, expected, "{}", operation.id);
        }
        let wrong = server.with_key("wrong").request(operation.method.clone(), &path).send().await;
        wrong.expect_detail(403, "Token invalid/expired");
    }
    hold("open to everybody", &public, PUBLIC);
    assert_eq!(server.gists_since(&mark).await, Vec::<String>::new());
}

/// Calls that change something (or reveal a secret) and succeed, by operation.
type Changes = BTreeMap<&'static str, (Method, String, Value)>;

async fn every_change_is_audited(server: &Server) {
    let changes = changes::all(server).await;
    let mut unaudited = BTreeSet::new();
    // Members join before they leave, and what is deleted is so last.
    for operation in operations() {
        if operation.id == "core_users_impersonate_create" {
            // It takes a session: `flows::impersonation` looks at its events.
            continue;
        }
        let Some((method, path, body)) = changes.get(operation.id) else {
            if !operation.is_safe() {
                unaudited.insert(operation.id);
            }
            continue;
        };
        if operation.id == "core_groups_remove_user_create" {
            let (_, path, body) = &changes["core_groups_add_user_create"];
            server.admin().post(path, body).await.expect_empty(204);
        }
        let mark = server.mark().await;
        let draft = server.admin().request(method.clone(), path);
        let answer = if body.is_null() { draft.send().await } else { draft.json(body).send().await };
        assert!(answer.status < 300, "{}: {} {}", answer.request, answer.status, answer.text());
        let events = server.events_since(&mark).await;
        if events.is_empty() {
            unaudited.insert(operation.id);
        }
        // What somebody writes by hand is the event itself, and says what they say.
        for event in events.iter().filter(|event| event.app != "tests") {
            let id = &event.context["http_request"]["request_id"];
            assert_eq!(id.as_str(), answer.header("x-authentik-id"), "{event:?}");
        }
    }
    hold("without an event", &unaudited, UNAUDITED);
}
