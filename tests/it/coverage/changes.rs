//! A call of each operation of `/api/v3` that changes something and succeeds.

use super::{Changes, operations};
use crate::harness::Server;
use http::Method;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const POST: Method = Method::POST;
const PUT: Method = Method::PUT;
const PATCH: Method = Method::PATCH;
const DELETE: Method = Method::DELETE;

pub async fn all(server: &Server) -> Changes {
    let mut all = core(server).await;
    all.extend(events_and_settings(server).await);
    all.extend(roles(server).await);
    all.extend(permissions(server).await);
    all.extend(policies(server).await);
    all.extend(bindings(server).await);
    all.extend(stages(server).await);
    all.extend(flows(server).await);
    all
}

async fn core(server: &Server) -> Changes {
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

async fn events_and_settings(server: &Server) -> Changes {
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

async fn roles(server: &Server) -> Changes {
    let role = format!("/rbac/roles/{}/", server.role("role", &[]).await);
    let doomed = format!("/rbac/roles/{}/", server.role("doomed", &[]).await);
    BTreeMap::from([
        ("rbac_roles_create", (POST, "/rbac/roles/".into(), json!({"name": "new"}))),
        ("rbac_roles_update", (PUT, role.clone(), json!({"name": "put"}))),
        ("rbac_roles_partial_update", (PATCH, role, json!({"name": "patch"}))),
        ("rbac_roles_destroy", (DELETE, doomed, Value::Null)),
    ])
}

async fn permissions(server: &Server) -> Changes {
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
async fn policies(server: &Server) -> Changes {
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
async fn stages(server: &Server) -> Changes {
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

async fn flows(server: &Server) -> Changes {
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

async fn bindings(server: &Server) -> Changes {
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
