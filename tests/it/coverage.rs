//! The whole operation table: each operation is called, refused without credentials, and audited if
//! it changes something. Allowlists only shrink: an entry that is not needed any more is a failure.

use crate::harness::{Calls, Server, document, tests};
use http::Method;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use tessera_api_runtime::Operation;

tests![every_operation_is_refused_without_credentials, every_change_is_audited];

/// Exceptions: operation and reason.
type Allowed = &'static [(&'static str, &'static str)];

/// Operations that no test calls with success.
const UNCALLED: Allowed = &[];
/// Operations that change something and write no event.
const UNAUDITED: Allowed = &[];
/// Operations that need no credentials.
const PUBLIC: Allowed = &[
    ("root_config_retrieve", "clients read it before they log in (contract §1.9)"),
    ("schema_retrieve", "the document is no secret (contract §1.9)"),
];

fn operations() -> impl Iterator<Item = &'static Operation> {
    tessera_api::v3::apis::OPERATIONS.iter().flat_map(|of_resource| of_resource.iter().copied())
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
    let uncalled = operations().map(|o| o.id).filter(|id| !succeeded(id)).collect();
    hold("not called with success by any test", &uncalled, UNCALLED);
}

/// Looks at the whole run: what is not found, not allowed and not well formed was tried, too.
pub fn every_operation_fails_in_its_ways(calls: &Calls) {
    let mut untried = Vec::new();
    for operation in operations().filter(|o| !o.anonymous) {
        let statuses = calls.get(operation.id).cloned().unwrap_or_default();
        let body = !operation.consumes.is_empty();
        for (status, expected) in [(403, true), (404, operation.is_detail()), (400, body)] {
            if expected && !statuses.contains(&status) {
                untried.push(format!("{} {status}", operation.id));
            }
        }
    }
    assert!(untried.is_empty(), "no test saw {untried:?}");
}

/// The table and the document speak of the same operations.
pub fn the_table_is_the_document() {
    let raw: Value = serde_json::from_str(tessera_api::openapi::V3_JSON).expect("JSON");
    let mut declared = BTreeSet::new();
    for item in raw["paths"].as_object().expect("paths").values() {
        declared.extend(item.as_object().expect("an item").values().filter_map(|o| o["operationId"].as_str()));
    }
    assert_eq!(operations().map(|o| o.id).collect::<BTreeSet<_>>(), declared);
    for operation in operations() {
        let found = document().find(operation.method.as_str(), operation.path).expect("in the document");
        assert_eq!(found.id, operation.id);
    }
}

/// A path with something in the place of each parameter.
fn filled(path: &str) -> String {
    path.replace("{identifier}", "authentik-bootstrap-token")
        .replace("{id}", "1")
        .replace("{group_uuid}", "00000000-0000-4000-8000-000000000000")
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
            if answer.status < 300 {
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

/// A call of each operation that changes something (or reveals a secret) and succeeds.
async fn changes(server: &Server) -> BTreeMap<&'static str, (Method, String, Value)> {
    let group = server.group("g", json!({})).await;
    let doomed = server.group("doomed", json!({})).await;
    let ann = server.person("ann").await;
    let bob = server.person("bob").await;
    for identifier in ["put", "patch", "set", "delete"] {
        server.admin().post("/core/tokens/", &json!({"identifier": identifier})).await.expect(201);
    }
    let (post, put, patch, delete) = (Method::POST, Method::PUT, Method::PATCH, Method::DELETE);
    let group = format!("/core/groups/{group}/");
    let user = format!("/core/users/{}/", ann.pk);
    BTreeMap::from([
        ("core_tokens_create", (post.clone(), "/core/tokens/".into(), json!({"identifier": "t"}))),
        ("core_tokens_update", (put.clone(), "/core/tokens/put/".into(), json!({"identifier": "put"}))),
        ("core_tokens_partial_update", (patch.clone(), "/core/tokens/patch/".into(), json!({"description": "x"}))),
        ("core_tokens_destroy", (delete.clone(), "/core/tokens/delete/".into(), Value::Null)),
        ("core_tokens_set_key_create", (post.clone(), "/core/tokens/set/set_key/".into(), json!({"key": "x"}))),
        ("core_tokens_view_key_retrieve", (Method::GET, "/core/tokens/set/view_key/".into(), Value::Null)),
        ("core_users_create", (post.clone(), "/core/users/".into(), json!({"username": "n", "name": ""}))),
        ("core_users_update", (put.clone(), user.clone(), json!({"username": "ann", "name": "x"}))),
        ("core_users_partial_update", (patch.clone(), user.clone(), json!({"name": "y"}))),
        ("core_users_destroy", (delete.clone(), format!("/core/users/{}/", bob.pk), Value::Null)),
        ("core_users_set_password_create", (post.clone(), format!("{user}set_password/"), json!({"password": "x"}))),
        (
            "core_users_service_account_create",
            (post.clone(), "/core/users/service_account/".into(), json!({"name": "s"})),
        ),
        ("core_groups_create", (post.clone(), "/core/groups/".into(), json!({"name": "n"}))),
        ("core_groups_update", (put, group.clone(), json!({"name": "g"}))),
        ("core_groups_partial_update", (patch, group.clone(), json!({"attributes": {"a": 1}}))),
        ("core_groups_add_user_create", (post.clone(), format!("{group}add_user/"), json!({"pk": ann.pk}))),
        ("core_groups_remove_user_create", (post, format!("{group}remove_user/"), json!({"pk": ann.pk}))),
        ("core_groups_destroy", (delete, format!("/core/groups/{doomed}/"), Value::Null)),
    ])
}

async fn every_change_is_audited(server: &Server) {
    let changes = changes(server).await;
    let mut unaudited = BTreeSet::new();
    // Members join before they leave, and what is deleted is so last.
    for operation in operations() {
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
        for event in events {
            let id = &event.context["http_request"]["request_id"];
            assert_eq!(id.as_str(), answer.header("x-authentik-id"), "{event:?}");
        }
    }
    hold("without an event", &unaudited, UNAUDITED);
}
