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

const POST: Method = Method::POST;
const PUT: Method = Method::PUT;
const PATCH: Method = Method::PATCH;
const DELETE: Method = Method::DELETE;

/// A call of each operation that changes something and succeeds.
async fn changes(server: &Server) -> Changes {
    let mut all = changes_of_core(server).await;
    all.extend(changes_of_events_and_settings(server).await);
    all.extend(changes_of_roles(server).await);
    all.extend(changes_of_permissions(server).await);
    all.extend(changes_of_policies(server).await);
    all.extend(changes_of_bindings(server).await);
    all.extend(changes_of_stages(server).await);
    all.extend(changes_of_flows(server).await);
    all
}

async fn changes_of_core(server: &Server) -> Changes {
    let group = server.group("g", json!({})).await;
    let doomed = server.group("doomed", json!({})).await;
    let ann = server.person("ann").await;
    let bob = server.person("bob").await;
    for identifier in ["put", "patch", "set", "delete", "rotate"] {
        server.admin().post("/core/tokens/", &json!({"identifier": identifier})).await.expect(201);
    }
    let token = |name: &str, action: &str| format!("/core/tokens/{name}/{action}");
    let group = format!("/core/groups/{group}/");
    let user = format!("/core/users/{}/", ann.pk);
    BTreeMap::from([
        ("core_tokens_create", (POST, "/core/tokens/".into(), json!({"identifier": "t"}))),
        ("core_tokens_update", (PUT, token("put", ""), json!({"identifier": "put"}))),
        ("core_tokens_partial_update", (PATCH, token("patch", ""), json!({"description": "x"}))),
        ("core_tokens_destroy", (DELETE, token("delete", ""), Value::Null)),
        ("core_tokens_set_key_create", (POST, token("set", "set_key/"), json!({"key": "x"}))),
        ("core_tokens_view_key_retrieve", (Method::GET, token("set", "view_key/"), Value::Null)),
        ("core_tokens_rotate_create", (POST, token("rotate", "rotate/"), json!({}))),
        ("core_users_create", (POST, "/core/users/".into(), json!({"username": "n", "name": ""}))),
        ("core_users_update", (PUT, user.clone(), json!({"username": "ann", "name": "x"}))),
        ("core_users_partial_update", (PATCH, user.clone(), json!({"name": "y"}))),
        ("core_users_destroy", (DELETE, format!("/core/users/{}/", bob.pk), Value::Null)),
        ("core_users_set_password_create", (POST, format!("{user}set_password/"), json!({"password": "x"}))),
        ("core_users_service_account_create", (POST, "/core/users/service_account/".into(), json!({"name": "s"}))),
        ("core_groups_create", (POST, "/core/groups/".into(), json!({"name": "n"}))),
        ("core_groups_update", (PUT, group.clone(), json!({"name": "g"}))),
        ("core_groups_partial_update", (PATCH, group.clone(), json!({"attributes": {"a": 1}}))),
        ("core_groups_add_user_create", (POST, format!("{group}add_user/"), json!({"pk": ann.pk}))),
        ("core_groups_remove_user_create", (POST, format!("{group}remove_user/"), json!({"pk": ann.pk}))),
        ("core_groups_destroy", (DELETE, format!("/core/groups/{doomed}/"), Value::Null)),
    ])
}

async fn changes_of_events_and_settings(server: &Server) -> Changes {
    let event = json!({"action": "login", "app": "tests"});
    let mut paths = Vec::new();
    for _ in 0..3 {
        let made = server.admin().post("/events/events/", &event).await.expect(201);
        paths.push(format!("/events/events/{}/", made["pk"].as_str().expect("text")));
    }
    let [first, second, third] = paths.try_into().expect("three");
    let settings = || "/admin/settings/".to_owned();
    BTreeMap::from([
        ("events_events_create", (POST, "/events/events/".into(), event.clone())),
        ("events_events_update", (PUT, first, json!({"action": "logout", "app": "tests"}))),
        ("events_events_partial_update", (PATCH, second, json!({"app": "others"}))),
        ("events_events_destroy", (DELETE, third, Value::Null)),
        ("admin_settings_update", (PUT, settings(), json!({"default_token_length": 61}))),
        ("admin_settings_partial_update", (PATCH, settings(), json!({"default_token_length": 62}))),
    ])
}

async fn changes_of_roles(server: &Server) -> Changes {
    let role = format!("/rbac/roles/{}/", server.role("role", &[]).await);
    let doomed = format!("/rbac/roles/{}/", server.role("doomed", &[]).await);
    BTreeMap::from([
        ("rbac_roles_create", (POST, "/rbac/roles/".into(), json!({"name": "new"}))),
        ("rbac_roles_update", (PUT, role.clone(), json!({"name": "put"}))),
        ("rbac_roles_partial_update", (PATCH, role, json!({"name": "patch"}))),
        ("rbac_roles_destroy", (DELETE, doomed, Value::Null)),
    ])
}

async fn changes_of_permissions(server: &Server) -> Changes {
    let admin = server.admin();
    let taken = json!({"permissions": ["authentik_core.view_user"]});
    let given = json!({"permissions": ["authentik_core.view_group"]});
    let role = server.role("holder", &["authentik_core.view_user"]).await;
    let user = server.holder_of("holder", &["authentik_core.view_user"]).await.pk;
    let role = format!("/rbac/permissions/assigned_by_roles/{role}/");
    let user = format!("/rbac/permissions/assigned_by_users/{user}/");
    // Of each holder three rows: to write, to change, to delete.
    let (one, other) = (server.group("one", json!({})).await, server.group("other", json!({})).await);
    let mut rows = Vec::new();
    for (holder, path) in [(&role, "/rbac/permissions/roles/"), (&user, "/rbac/permissions/users/")] {
        let codes = ["view_group", "change_group", "delete_group"];
        let body = json!({"permissions": codes, "model": "authentik_core.group", "object_pk": one});
        let made = admin.post(&format!("{holder}assign/"), &body).await.expect(200);
        rows.extend([0, 1, 2].map(|place| format!("{path}{}/", made[place]["id"].as_str().expect("text"))));
    }
    let [role_put, role_patch, role_delete, user_put, user_patch, user_delete] = rows.try_into().expect("six");
    let moved = || json!({"object_pk": other});
    BTreeMap::from([
        ("rbac_permissions_assigned_by_roles_assign", (POST, format!("{role}assign/"), given.clone())),
        (
            "rbac_permissions_assigned_by_roles_unassign_partial_update",
            (PATCH, format!("{role}unassign/"), taken.clone()),
        ),
        ("rbac_permissions_assigned_by_users_assign", (POST, format!("{user}assign/"), given)),
        ("rbac_permissions_assigned_by_users_unassign_partial_update", (PATCH, format!("{user}unassign/"), taken)),
        ("rbac_permissions_roles_update", (PUT, role_put, moved())),
        ("rbac_permissions_roles_partial_update", (PATCH, role_patch, moved())),
        ("rbac_permissions_roles_destroy", (DELETE, role_delete, Value::Null)),
        ("rbac_permissions_users_update", (PUT, user_put, moved())),
        ("rbac_permissions_users_partial_update", (PATCH, user_patch, moved())),
        ("rbac_permissions_users_destroy", (DELETE, user_delete, Value::Null)),
    ])
}

/// The operations of the kinds of policies, which are alike.
async fn changes_of_policies(server: &Server) -> Changes {
    let mut all = Changes::new();
    for (kind, own) in [
        ("dummy", json!({})),
        ("event_matcher", json!({"action": "login"})),
        ("password_expiry", json!({"days": 3})),
        ("expression", json!({"expression": "return True"})),
        ("password", json!({"length_min": 3})),
        ("reputation", json!({"check_ip": true})),
    ] {
        let path = format!("/policies/{kind}/");
        let body = |name: &str| {
            let mut body = own.clone();
            body["name"] = json!(format!("{kind} {name}"));
            body
        };
        let mut made = Vec::new();
        for name in ["kept", "doomed"] {
            let policy = server.admin().post(&path, &body(name)).await.expect(201);
            made.push(format!("{path}{}/", policy["pk"].as_str().expect("text")));
        }
        let id = |action: &str| {
            let id = format!("policies_{kind}_{action}");
            operations().map(|operation| operation.id).find(|known| *known == id).expect("an operation")
        };
        all.insert(id("create"), (POST, path.clone(), body("new")));
        all.insert(id("update"), (PUT, made[0].clone(), body("put")));
        all.insert(id("partial_update"), (PATCH, made[0].clone(), body("patch")));
        all.insert(id("destroy"), (DELETE, made[1].clone(), Value::Null));
    }
    all
}

/// The operations of the kinds of stages, which are alike, and of prompts.
async fn changes_of_stages(server: &Server) -> Changes {
    let admin = server.admin();
    let prompt = json!({"name": "asked", "field_key": "k", "label": "l", "type": "text"});
    let asked = admin.post("/stages/prompt/prompts/", &prompt).await.expect(201)["pk"].clone();
    let mut all = Changes::new();
    for (path, operation, own) in [
        ("identification", "identification", json!({"user_fields": ["email"]})),
        ("password", "password", json!({"backends": ["authentik.core.auth.InbuiltBackend"]})),
        ("prompt/stages", "prompt_stages", json!({"fields": [asked]})),
        ("prompt/prompts", "prompt_prompts", json!({"field_key": "k", "label": "l", "type": "text"})),
        ("user_write", "user_write", json!({})),
        ("user_login", "user_login", json!({})),
        ("user_logout", "user_logout", json!({})),
        ("consent", "consent", json!({})),
        ("deny", "deny", json!({})),
        ("dummy", "dummy", json!({})),
        ("email", "email", json!({})),
    ] {
        let path = format!("/stages/{path}/");
        let body = |name: &str| {
            let mut body = own.clone();
            body["name"] = json!(format!("{operation} {name}"));
            body
        };
        let mut made = Vec::new();
        for name in ["kept", "doomed", "doomed by the other way"] {
            let stage = admin.post(&path, &body(name)).await.expect(201);
            made.push(stage["pk"].as_str().expect("text").to_owned());
        }
        let id = |action: &str| {
            let id = format!("stages_{operation}_{action}");
            operations().map(|operation| operation.id).find(|known| *known == id).expect("an operation")
        };
        all.insert(id("create"), (POST, path.clone(), body("new")));
        all.insert(id("update"), (PUT, format!("{path}{}/", made[0]), body("put")));
        all.insert(id("partial_update"), (PATCH, format!("{path}{}/", made[0]), body("patch")));
        all.insert(id("destroy"), (DELETE, format!("{path}{}/", made[1]), Value::Null));
        if operation == "deny" {
            all.insert("stages_all_destroy", (DELETE, format!("/stages/all/{}/", made[2]), Value::Null));
        }
    }
    all
}

async fn changes_of_flows(server: &Server) -> Changes {
    let admin = server.admin();
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let flow = |slug: &str| json!({"name": slug, "slug": slug, "title": slug, "designation": "recovery"});
    let target = text(&admin.post("/flows/instances/", &flow("kept-flow")).await.expect(201)["pk"]);
    admin.post("/flows/instances/", &flow("doomed-flow")).await.expect(201);
    let stage = text(&admin.post("/stages/deny/", &json!({"name": "of a flow"})).await.expect(201)["pk"]);
    let binding = |order: i32| json!({"target": target, "stage": stage, "order": order});
    let mut bindings = Vec::new();
    for order in 0..2 {
        let made = admin.post("/flows/bindings/", &binding(order)).await.expect(201);
        bindings.push(format!("/flows/bindings/{}/", text(&made["pk"])));
    }
    let brand = |domain: &str| json!({"domain": domain});
    let mut brands = Vec::new();
    for domain in ["kept", "doomed"] {
        let made = admin.post("/core/brands/", &brand(domain)).await.expect(201);
        brands.push(format!("/core/brands/{}/", text(&made["brand_uuid"])));
    }
    server.browser(1).await;
    let session = admin.get("/core/authenticated_sessions/").await.expect(200)["results"][0]["uuid"].clone();
    let session = format!("/core/authenticated_sessions/{}/", text(&session));
    let background = json!({"url": "https://example.org/background.png"});
    let path = |action: &str| format!("/flows/instances/kept-flow/{action}");
    BTreeMap::from([
        ("flows_instances_create", (POST, "/flows/instances/".into(), flow("new-flow"))),
        ("flows_instances_update", (PUT, path(""), flow("kept-flow"))),
        ("flows_instances_partial_update", (PATCH, path(""), json!({"title": "x"}))),
        ("flows_instances_set_background_url_create", (POST, path("set_background_url/"), background)),
        ("flows_instances_destroy", (DELETE, "/flows/instances/doomed-flow/".into(), Value::Null)),
        ("flows_bindings_create", (POST, "/flows/bindings/".into(), binding(7))),
        ("flows_bindings_update", (PUT, bindings[0].clone(), binding(0))),
        ("flows_bindings_partial_update", (PATCH, bindings[0].clone(), json!({"order": 8}))),
        ("flows_bindings_destroy", (DELETE, bindings[1].clone(), Value::Null)),
        ("core_brands_create", (POST, "/core/brands/".into(), brand("new"))),
        ("core_brands_update", (PUT, brands[0].clone(), brand("put"))),
        ("core_brands_partial_update", (PATCH, brands[0].clone(), json!({"branding_title": "x"}))),
        ("core_brands_destroy", (DELETE, brands[1].clone(), Value::Null)),
        ("core_authenticated_sessions_destroy", (DELETE, session, Value::Null)),
    ])
}

async fn changes_of_bindings(server: &Server) -> Changes {
    let admin = server.admin();
    let key = |made: &Value| made["pk"].as_str().expect("text").to_owned();
    let application = |slug: &str| json!({"name": slug, "slug": slug});
    for slug in ["kept", "doomed"] {
        admin.post("/core/applications/", &application(slug)).await.expect(201);
    }
    let target = key(&admin.get("/core/applications/kept/").await.expect(200));
    let binding = json!({"target": target, "user": 1, "order": 0});
    let mut bindings = Vec::new();
    for _ in 0..2 {
        let made = admin.post("/policies/bindings/", &binding).await.expect(201);
        bindings.push(format!("/policies/bindings/{}/", key(&made)));
    }
    let policy = key(&admin.post("/policies/dummy/", &json!({"name": "of any kind"})).await.expect(201));
    let ctx = server.system();
    let mut tx = ctx.begin().await.expect("a transaction");
    tessera::resource::reputation::service::add(&ctx, &mut tx, "ann", "192.0.2.1", -1).await.expect("added");
    tx.commit().await.expect("committed");
    let score = key(&admin.get("/policies/reputation/scores/").await.expect(200)["results"][0]);
    let icon = json!({"url": "https://example.org/icon.png"});
    BTreeMap::from([
        ("policies_all_destroy", (DELETE, format!("/policies/all/{policy}/"), Value::Null)),
        ("policies_bindings_create", (POST, "/policies/bindings/".into(), binding.clone())),
        ("policies_bindings_update", (PUT, bindings[0].clone(), binding)),
        ("policies_bindings_partial_update", (PATCH, bindings[0].clone(), json!({"user": 1, "enabled": false}))),
        ("policies_bindings_destroy", (DELETE, bindings[1].clone(), Value::Null)),
        ("core_applications_create", (POST, "/core/applications/".into(), application("new"))),
        ("core_applications_update", (PUT, "/core/applications/kept/".into(), application("kept"))),
        ("core_applications_partial_update", (PATCH, "/core/applications/kept/".into(), json!({"group": "x"}))),
        ("core_applications_set_icon_url_create", (POST, "/core/applications/kept/set_icon_url/".into(), icon)),
        ("core_applications_destroy", (DELETE, "/core/applications/doomed/".into(), Value::Null)),
        ("policies_reputation_scores_destroy", (DELETE, format!("/policies/reputation/scores/{score}/"), Value::Null)),
    ])
}

async fn every_change_is_audited(server: &Server) {
    let changes = changes(server).await;
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
