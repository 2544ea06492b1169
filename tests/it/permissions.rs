//! What a grant opens (contract: authentik-rbac §6–8), on accounts and groups alike.

use crate::harness::{Person, Server, tests};
use serde_json::{Value, json};
use tessera::resource::grants::store::Holder;

tests![
    matrix_of_users,
    matrix_of_groups,
    matrix_through_roles,
    permissions_come_before_validation,
    roles_add_up_and_end,
    roles_are_not_inherited,
    superusers_are_inherited,
    revocation_is_effective_at_once,
    grants_die_with_their_object,
    inactive_superusers_have_nothing,
    own_account_and_paths,
    set_password_needs_its_permission,
];

/// One kind of object under test.
struct Family {
    model: &'static str,
    path: &'static str,
}

const USERS: Family = Family { model: "user", path: "/core/users/" };
const GROUPS: Family = Family { model: "group", path: "/core/groups/" };

impl Family {
    fn body(&self, name: &str) -> Value {
        if self.model == "user" { json!({"username": name, "name": name}) } else { json!({"name": name}) }
    }

    /// A new object; gives its key as text.
    async fn make(&self, server: &Server, name: &str) -> String {
        let made = server.admin().post(self.path, &self.body(name)).await.expect(201);
        made["pk"].as_str().map_or_else(|| made["pk"].to_string(), str::to_owned)
    }
}

/// Held permissions and the statuses of: list, retrieve granted, other, unknown, `used_by`, create,
/// PUT granted, PATCH granted, PATCH other, DELETE other, DELETE granted.
type Row = (&'static str, &'static [(&'static str, bool)], [u16; 11]);

const ALL: bool = false;
const ONE: bool = true;

const MATRIX: [Row; 11] = [
    ("nothing", &[], [403; 11]),
    ("add", &[("add", ALL)], [403, 403, 403, 403, 403, 201, 403, 403, 403, 403, 403]),
    ("change", &[("change", ALL)], [403; 11]),
    ("delete", &[("delete", ALL)], [403; 11]),
    ("change one", &[("change", ONE), ("delete", ONE)], [403; 11]),
    ("view", &[("view", ALL)], [200, 200, 200, 404, 200, 403, 403, 403, 403, 403, 403]),
    ("view one", &[("view", ONE)], [200, 200, 404, 404, 200, 403, 403, 403, 404, 404, 403]),
    ("view, add", &[("view", ALL), ("add", ALL)], [200, 200, 200, 404, 200, 201, 403, 403, 403, 403, 403]),
    ("view, change", &[("view", ALL), ("change", ALL)], [200, 200, 200, 404, 200, 403, 200, 200, 200, 403, 403]),
    ("view, change one", &[("view", ONE), ("change", ONE)], [200, 200, 404, 404, 200, 403, 200, 200, 404, 404, 403]),
    ("view, delete one", &[("view", ONE), ("delete", ONE)], [200, 200, 404, 404, 200, 403, 403, 403, 404, 404, 204]),
];

async fn check_row(server: &Server, family: &Family, row: &Row, caller: &Person, holder: Holder, number: usize) {
    let (title, held, expected) = row;
    let unknown = if family.model == "user" { "999999" } else { "00000000-0000-4000-8000-000000000000" };
    let granted = family.make(server, &format!("granted-{number}")).await;
    let other = family.make(server, &format!("other-{number}")).await;
    for (verb, one) in *held {
        let code = format!("authentik_core.{verb}_{}", family.model);
        server.grant(holder, &code, one.then_some(granted.as_str())).await;
    }
    let (path, client) = (family.path, &caller.client);
    let one = |pk: &str| format!("{path}{pk}/");
    let changed = family.body(&format!("changed-{number}"));
    let answers = [
        client.get(path).await,
        client.get(&one(&granted)).await,
        client.get(&one(&other)).await,
        client.get(&one(unknown)).await,
        client.get(&format!("{}used_by/", one(&granted))).await,
        client.post(path, &family.body(&format!("new-{number}"))).await,
        client.put(&one(&granted), &changed).await,
        client.patch(&one(&granted), &json!({"attributes": {"x": 1}})).await,
        client.patch(&one(&other), &json!({"attributes": {"x": 1}})).await,
        client.delete(&one(&other)).await,
        client.delete(&one(&granted)).await,
    ];
    let got: Vec<u16> = answers.iter().map(|a| a.status).collect();
    assert_eq!(got, expected, "{} with `{title}`", family.model);
    for answer in answers {
        match answer.status {
            403 => answer.expect_forbidden(),
            404 => answer.expect_missing(),
            _ => {}
        }
    }
    // What was refused did not happen.
    let admin = server.admin();
    let left = admin.get(&one(&granted)).await;
    assert_eq!(left.status, if expected[10] == 204 { 404 } else { 200 }, "{title}");
    if left.status == 200 {
        assert_eq!(left.json()["attributes"], if expected[7] == 200 { json!({"x": 1}) } else { json!({}) }, "{title}");
    }
    assert_eq!(admin.get(&one(&other)).await.expect(200)["attributes"] != json!({}), expected[8] == 200, "{title}");
    if held.contains(&("view", ONE)) && expected[10] != 204 {
        assert_eq!(client.get(path).await.expect_list("pk"), [granted], "{title}");
    }
    if expected[10] == 204 {
        // The last visible row is gone: nothing is visible any more.
        client.get(path).await.expect_forbidden();
        client.get(&one(&other)).await.expect_forbidden();
    }
}

async fn check_matrix(server: &Server, family: &Family) {
    for (number, row) in MATRIX.iter().enumerate() {
        let caller = server.person(&format!("caller-{number}")).await;
        check_row(server, family, row, &caller, caller.holder(), number).await;
    }
}

async fn matrix_of_users(server: &Server) {
    check_matrix(server, &USERS).await;
}

async fn matrix_of_groups(server: &Server) {
    check_matrix(server, &GROUPS).await;
}

async fn matrix_through_roles(server: &Server) {
    for (number, row) in MATRIX.iter().enumerate() {
        let role = server.role(&format!("role-{number}"), &[]).await;
        let group = server.group(&format!("carrier-{number}"), json!({"roles": [role.to_string()]})).await;
        let caller = server.person_with(&format!("caller-{number}"), json!({"groups": [group]})).await;
        check_row(server, &USERS, row, &caller, Holder::Role(role), number).await;
    }
}

async fn permissions_come_before_validation(server: &Server) {
    let ann = server.person("ann").await;
    let group = server.group("g", json!({})).await;
    for path in ["/core/users/", "/core/groups/", "/core/users/service_account/"] {
        ann.client.post(path, &json!({"name": []})).await.expect_forbidden();
    }
    for path in [format!("/core/users/{}/", ann.pk), format!("/core/groups/{group}/")] {
        ann.client.put(&path, &json!({})).await.expect_forbidden();
        ann.client.patch(&path, &json!({"name": []})).await.expect_forbidden();
    }
    let viewer = server.holder_of("viewer", &["authentik_core.view_user"]).await;
    viewer.client.get("/core/users/?type=robot").await.expect(400);
    ann.client.get("/core/users/?type=robot").await.expect_forbidden();
}

async fn roles_add_up_and_end(server: &Server) {
    let admin = server.admin();
    let viewers = server.role("viewers", &["authentik_core.view_user"]).await;
    let makers = server.role("makers", &["authentik_core.add_user"]).await;
    let one = server.group("one", json!({"roles": [viewers.to_string()]})).await;
    let two = server.group("two", json!({"roles": [makers.to_string()]})).await;
    let ann = server.person_with("ann", json!({"groups": [one, two]})).await;
    let new = json!({"username": "x", "name": ""});
    ann.client.get("/core/users/").await.expect(200);
    ann.client.post("/core/users/", &new).await.expect(201);
    admin.patch(&format!("/core/groups/{one}/"), &json!({"roles": []})).await.expect(200);
    ann.client.get("/core/users/").await.expect_forbidden();
    admin.patch(&format!("/core/groups/{one}/"), &json!({"roles": [viewers.to_string()]})).await.expect(200);
    ann.client.get("/core/users/").await.expect(200);
    admin.delete(&format!("/core/groups/{one}/")).await.expect_empty(204);
    ann.client.get("/core/users/").await.expect_forbidden();
    admin.patch(&format!("/core/users/{}/", ann.pk), &json!({"groups": []})).await.expect(200);
    ann.client.post("/core/users/", &json!({"username": "y", "name": ""})).await.expect_forbidden();
}

async fn roles_are_not_inherited(server: &Server) {
    let role = server.role("viewers", &["authentik_core.view_user"]).await;
    let top = server.group("top", json!({"roles": [role.to_string()]})).await;
    let low = server.group("low", json!({"parent": top})).await;
    let below = server.person_with("below", json!({"groups": [low]})).await;
    let above = server.person_with("above", json!({"groups": [top]})).await;
    below.client.get("/core/users/").await.expect_forbidden();
    above.client.get("/core/users/").await.expect(200);
    // Nor do they reach the members of the parent (rbac §8.11).
    let other = server.role("makers", &["authentik_core.add_group"]).await;
    server.admin().patch(&format!("/core/groups/{low}/"), &json!({"roles": [other.to_string()]})).await.expect(200);
    above.client.post("/core/groups/", &json!({"name": "x"})).await.expect_forbidden();
    below.client.post("/core/groups/", &json!({"name": "x"})).await.expect(201);
}

async fn superusers_are_inherited(server: &Server) {
    let admin = server.admin();
    let top = server.group("top", json!({})).await;
    let middle = server.group("middle", json!({"parent": top})).await;
    let low = server.group("low", json!({"parent": middle})).await;
    let ann = server.person_with("ann", json!({"groups": [low]})).await;
    let bob = server.person_with("bob", json!({"groups": [top]})).await;
    ann.client.get("/core/users/").await.expect_forbidden();
    let flag = |value: bool| json!({"is_superuser": value});
    admin.patch(&format!("/core/groups/{top}/"), &flag(true)).await.expect(200);
    ann.client.get("/core/users/").await.expect(200);
    bob.client.delete(&format!("/core/groups/{}/", server.group("x", json!({})).await)).await.expect_empty(204);
    admin.patch(&format!("/core/groups/{middle}/"), &json!({"parent": null})).await.expect(200);
    ann.client.get("/core/users/").await.expect_forbidden();
    bob.client.get("/core/users/").await.expect(200);
    // Not the other way: members of a parent have nothing of a child's flag.
    admin.patch(&format!("/core/groups/{top}/"), &flag(false)).await.expect(200);
    let chief = json!({"parent": top, "is_superuser": true});
    admin.patch(&format!("/core/groups/{middle}/"), &chief).await.expect(200);
    bob.client.get("/core/users/").await.expect_forbidden();
    ann.client.get("/core/users/").await.expect(200);
}

async fn revocation_is_effective_at_once(server: &Server) {
    let ann = server.person("ann").await;
    for _ in 0..5 {
        server.grant(ann.holder(), "authentik_core.view_group", None).await;
        ann.client.get("/core/groups/").await.expect(200);
        server.revoke(ann.holder(), "authentik_core.view_group", None).await;
        ann.client.get("/core/groups/").await.expect_forbidden();
    }
}

async fn grants_die_with_their_object(server: &Server) {
    let ann = server.person("ann").await;
    let one = server.group("one", json!({})).await;
    server.grant(ann.holder(), "authentik_core.view_group", Some(&one)).await;
    ann.client.get("/core/groups/").await.expect(200);
    server.admin().delete(&format!("/core/groups/{one}/")).await.expect_empty(204);
    ann.client.get("/core/groups/").await.expect_forbidden();
    use sea_orm::EntityTrait as _;
    let left = tessera::resource::grants::Entity::find().all(server.app.db.read()).await.expect("read");
    assert!(left.iter().all(|grant| grant.object_pk.as_deref() != Some(one.as_str())), "{left:?}");
}

async fn inactive_superusers_have_nothing(server: &Server) {
    let top = server.group("top", json!({"is_superuser": true})).await;
    let ann = server.person_with("ann", json!({"groups": [top]})).await;
    ann.client.get("/core/users/").await.expect(200);
    server.admin().patch(&format!("/core/users/{}/", ann.pk), &json!({"is_active": false})).await.expect(200);
    ann.client.get("/core/users/").await.expect_detail(403, "Token invalid/expired");
}

async fn own_account_and_paths(server: &Server) {
    let ann = server.person("ann").await;
    ann.client.get(&format!("/core/users/{}/", ann.pk)).await.expect_forbidden();
    ann.client.get("/core/users/paths/").await.expect_forbidden();
    ann.client.get("/core/users/me/").await.expect(200);
    ann.client.get("/admin/version/").await.expect(200);
    server.grant(ann.holder(), "authentik_core.view_user", Some(&ann.pk.to_string())).await;
    ann.client.get(&format!("/core/users/{}/", ann.pk)).await.expect(200);
    server.person_with("bob", json!({"path": "elsewhere"})).await;
    ann.client.get("/core/users/paths/").await.expect_body(200, &json!({"paths": ["users"]}));
    assert_eq!(ann.client.get("/core/users/").await.expect_list("username"), ["ann"]);
}

async fn set_password_needs_its_permission(server: &Server) {
    let bob = server.person("bob").await;
    let cid = server.person("cid").await;
    let path = |pk: i64| format!("/core/users/{pk}/set_password/");
    let body = json!({"password": "a new one"});
    let reset = "authentik_core.reset_user_password";
    let view = "authentik_core.view_user";
    for (name, codes) in [("a", vec![reset]), ("b", vec![view]), ("c", vec![view, "authentik_core.change_user"])] {
        let person = server.holder_of(name, &codes).await;
        person.client.post(&path(bob.pk), &body).await.expect_forbidden();
    }
    let person = server.holder_of("d", &[view, reset]).await;
    person.client.post(&path(bob.pk), &body).await.expect_empty(204);
    let person = server.person("e").await;
    for code in [view, reset] {
        server.grant(person.holder(), code, Some(&bob.pk.to_string())).await;
    }
    person.client.post(&path(bob.pk), &body).await.expect_empty(204);
    person.client.post(&path(cid.pk), &body).await.expect_missing();
}
