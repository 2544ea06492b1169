//! Permissions on single policies, scores and applications: by key, and gone with the object.

use super::{
    UNKNOWN, VIEW, any, application,
    kinds::{DUMMY, EXPIRY, KINDS},
    make, text, with,
};
use crate::harness::{Server, tests};
use serde_json::{Value, json};
use tessera::resource::grants::store::Holder;

tests![
    concrete_permissions_open_their_routes,
    a_permission_on_one_policy,
    assigned_over_the_api,
    objects_are_named_by_key,
    permissions_go_with_the_policy,
    permissions_go_with_the_application,
    holders_are_listed,
];

const ROLES: &str = "/rbac/permissions/roles/";

async fn concrete_permissions_open_their_routes(server: &Server) {
    for kind in KINDS {
        let verbs = ["view", "add", "change", "delete"];
        let codes = verbs.map(|verb| kind.code(verb));
        let ann = server.holder_of(kind.model, &codes.each_ref().map(String::as_str)).await.client;
        let body = with(&(kind.required)(), &json!({"name": kind.path}));
        let pk = text(&ann.post(kind.path, &body).await.expect(201)["pk"]);
        assert_eq!(ann.get(kind.path).await.expect_list("pk"), [pk.as_str()]);
        ann.get(&kind.one(&pk)).await.expect(200);
        ann.get(&format!("{}used_by/", kind.one(&pk))).await.expect_body(200, &json!([]));
        ann.put(&kind.one(&pk), &body).await.expect(200);
        ann.patch(&kind.one(&pk), &body).await.expect(200);
        for other in KINDS.into_iter().filter(|other| other.path != kind.path) {
            ann.get(other.path).await.expect_forbidden();
            ann.get(&other.one(&pk)).await.expect_forbidden();
            ann.post(other.path, &with(&(other.required)(), &json!({"name": "x"}))).await.expect_forbidden();
        }
        ann.delete(&kind.one(&pk)).await.expect_empty(204);
    }
}

async fn a_permission_on_one_policy(server: &Server) {
    for kind in KINDS {
        let ann = server.person(kind.model).await;
        let this = make(server, kind, "this", json!({})).await;
        let other = make(server, kind, "other", json!({})).await;
        server.grant(ann.holder(), &kind.code("view"), Some(&this)).await;
        assert_eq!(ann.client.get(kind.path).await.expect_list("name"), ["this"]);
        for key in [other.as_str(), UNKNOWN] {
            ann.client.get(&kind.one(key)).await.expect_missing();
            ann.client.patch(&kind.one(key), &json!({})).await.expect_missing();
        }
        ann.client.patch(&kind.one(&this), &json!({})).await.expect_forbidden();
        server.grant(ann.holder(), &kind.code("change"), Some(&this)).await;
        ann.client.patch(&kind.one(&this), &(kind.required)()).await.expect(200);
        ann.client.patch(&kind.one(&other), &(kind.required)()).await.expect_missing();
        // It is a permission of this kind, and of no other.
        ann.client.get(&any(&this)).await.expect_forbidden();
        for pk in [this, other] {
            server.admin().delete(&any(&pk)).await.expect_empty(204);
        }
        ann.client.get(kind.path).await.expect_forbidden();
    }
}

async fn role(server: &Server) -> (String, String) {
    let role = server.role("role", &[]).await.to_string();
    (format!("/rbac/permissions/assigned_by_roles/{role}/"), role)
}

async fn assigned_over_the_api(server: &Server) {
    let admin = server.admin();
    let (path, role) = role(server).await;
    let group = server.group("group", json!({"roles": [role]})).await;
    let ann = server.person_with("ann", json!({"groups": [group]})).await.client;
    for kind in KINDS {
        let pk = make(server, kind, kind.path, json!({})).await;
        let model = format!("{}.{}", kind.app_label, kind.model);
        let codes = json!([format!("view_{}", kind.model), kind.code("delete")]);
        let body = json!({"permissions": codes, "model": model, "object_pk": pk});
        ann.get(&kind.one(&pk)).await.expect_forbidden();
        admin.post(&format!("{path}assign/"), &body).await.expect(200);
        ann.get(&kind.one(&pk)).await.expect(200);
        admin.patch(&format!("{path}unassign/"), &body).await.expect_empty(204);
        ann.get(&kind.one(&pk)).await.expect_forbidden();
        // A permission of one model is none on another.
        let mixed = json!({"permissions": [VIEW], "model": model, "object_pk": pk});
        let fault = json!({"permissions": {"0": [format!("\"{VIEW}\" is not a valid choice.")]}});
        admin.post(&format!("{path}assign/"), &mixed).await.expect_faults(fault);
        // The base model is none of the API's.
        let base = json!({"permissions": [VIEW], "model": "authentik_policies.policy", "object_pk": pk});
        let fault = json!({"model": ["\"authentik_policies.policy\" is not a valid choice."]});
        admin.post(&format!("{path}assign/"), &base).await.expect_faults(fault);
        admin.delete(&any(&pk)).await.expect_empty(204);
    }
    // Its permissions on all policies can be given.
    admin.post(&format!("{path}assign/"), &json!({"permissions": [VIEW]})).await.expect(200);
    ann.get("/policies/all/").await.expect(200);
}

async fn objects_are_named_by_key(server: &Server) {
    let admin = server.admin();
    let (path, _) = role(server).await;
    let assign = format!("{path}assign/");
    let pk = application(server, "wiki").await;
    let body = |object: &str| json!({"permissions": ["view_application"], "model": "authentik_core.application", "object_pk": object});
    let malformed = json!({"non_field_errors": ["“wiki” is not a valid UUID."]});
    admin.post(&assign, &body("wiki")).await.expect_faults(malformed);
    let unknown = json!({"object_pk": [format!("Invalid pk \"{UNKNOWN}\" - object does not exist.")]});
    admin.post(&assign, &body(UNKNOWN)).await.expect_faults(unknown.clone());
    admin.post(&assign, &body(&pk)).await.expect(200);
    // A policy of one kind is no object of another.
    let dummy = make(server, &DUMMY, "dummy", json!({})).await;
    let expiry = json!({
        "permissions": ["view_passwordexpirypolicy"], "model": "authentik_policies_expiry.passwordexpirypolicy",
        "object_pk": dummy,
    });
    let unknown = json!({"object_pk": [format!("Invalid pk \"{dummy}\" - object does not exist.")]});
    admin.post(&assign, &expiry).await.expect_faults(unknown);
    let rows = admin.get(ROLES).await.expect(200);
    assert_eq!(rows["pagination"]["count"], 1);
}

/// The key of a policy comes back on no other, but the table is looked at all the same.
async fn permissions_go_with_the_policy(server: &Server) {
    let admin = server.admin();
    let role = server.role("role", &[]).await;
    let ann = server.person("ann").await;
    let of_this =
        async |pk: &str| server.number(&format!("SELECT count(*) FROM grants WHERE object_pk = '{pk}'")).await;
    let rows = async || admin.get(&format!("{ROLES}?uuid={role}")).await.expect_list("object_pk");
    for kind in KINDS {
        for way in [kind.one("{}"), any("{}")] {
            let pk = make(server, kind, kind.path, json!({})).await;
            for code in [kind.code("view").as_str(), VIEW] {
                server.grant(Holder::Role(role), code, Some(&pk)).await;
                server.grant(ann.holder(), code, Some(&pk)).await;
            }
            assert_eq!(of_this(&pk).await, 4);
            assert_eq!(rows().await, [pk.as_str(), pk.as_str()]);
            ann.client.get(&kind.one(&pk)).await.expect(200);
            ann.client.get(&any(&pk)).await.expect(200);
            admin.delete(&way.replace("{}", &pk)).await.expect_empty(204);
            assert_eq!(of_this(&pk).await, 0, "{way}");
            assert_eq!(rows().await, Vec::<String>::new());
            ann.client.get(&kind.one(&pk)).await.expect_forbidden();
            ann.client.get(&any(&pk)).await.expect_forbidden();
        }
    }
}

async fn permissions_go_with_the_application(server: &Server) {
    let admin = server.admin();
    let ann = server.person("ann").await;
    let pk = application(server, "wiki").await;
    application(server, "mail").await;
    let one = "/core/applications/wiki/";
    ann.client.get(one).await.expect_forbidden();
    server.grant(ann.holder(), "authentik_core.view_application", Some(&pk)).await;
    assert_eq!(ann.client.get(one).await.expect(200)["pk"], pk);
    ann.client.get("/core/applications/mail/").await.expect_missing();
    // Its name in the path is another, and it is the same application.
    admin.patch(one, &json!({"slug": "renamed"})).await.expect(200);
    ann.client.get("/core/applications/renamed/").await.expect(200);
    admin.delete("/core/applications/renamed/").await.expect_empty(204);
    ann.client.get("/core/applications/mail/").await.expect_forbidden();
    application(server, "wiki").await;
    ann.client.get(one).await.expect_forbidden();
}

async fn holders_are_listed(server: &Server) {
    let admin = server.admin();
    let (path, _) = role(server).await;
    let pk = make(server, &EXPIRY, "Ages", json!({})).await;
    let model = "authentik_policies_expiry.passwordexpirypolicy";
    let body = json!({"permissions": ["view_passwordexpirypolicy"], "model": model, "object_pk": pk});
    let given = admin.post(&format!("{path}assign/"), &body).await.expect(200);
    let listed = admin.get(&format!("/rbac/permissions/assigned_by_roles/?model={model}&object_pk={pk}")).await;
    let listed = listed.expect(200);
    assert_eq!(listed["results"][0]["name"], "role");
    let row: Value = admin.get(&format!("{ROLES}{}/", text(&given[0]["id"]))).await.expect(200);
    assert_eq!(row["object_description"], "Ages");
    assert_eq!(row["app_label_verbose"], "authentik Policies.Expiry");
    assert_eq!(row["model_verbose"], "Password Expiry Policy");
}
