//! What a grant opens: the table of authentik-rbac §7, row by row, for every kind of object (`families.rs`);
//! held by the caller and held by a role of the caller's group. Tokens have a table of their own (`tokens.rs`).

use super::families::{APPLICATIONS, BINDINGS, EVENTS, EXPRESSIONS, FAMILIES, Family, GROUPS, Made, ROLES, USERS};
use crate::harness::{Answer, Person, Server, tests};
use http::Method;
use serde_json::{Value, json};
use tessera::resource::grants::store::Holder;

tests![
    users_held_directly,
    users_held_by_a_role,
    groups_held_directly,
    groups_held_by_a_role,
    roles_held_directly,
    roles_held_by_a_role,
    events_held_directly,
    events_held_by_a_role,
    expressions_held_directly,
    expressions_held_by_a_role,
    bindings_held_directly,
    bindings_held_by_a_role,
    applications_held_directly,
    applications_held_by_a_role,
    permissions_come_before_validation,
];

/// What a listing answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rows {
    No,
    All,
    One,
}
use Rows::{All, No, One};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    Global,
    Object,
}
use Extent::{Global, Object};

/// Permissions held; the listing; and the statuses of: retrieving the granted object, another one and
/// one that does not exist; `used_by` of the granted one; creating; PUT, PATCH and DELETE of the
/// granted and of the other one.
struct Row {
    held: &'static [(&'static str, Extent)],
    list: Rows,
    retrieve: [u16; 3],
    used_by: u16,
    create: u16,
    put: [u16; 2],
    patch: [u16; 2],
    delete: [u16; 2],
}

#[expect(clippy::too_many_arguments, reason = "a line of a table")]
const fn row(
    held: &'static [(&'static str, Extent)],
    list: Rows,
    retrieve: [u16; 3],
    used_by: u16,
    create: u16,
    put: [u16; 2],
    patch: [u16; 2],
    delete: [u16; 2],
) -> Row {
    Row { held, list, retrieve, used_by, create, put, patch, delete }
}

const NO: [u16; 2] = [403, 403];
const NONE: [u16; 3] = [403, 403, 403];

/// The contract's table, and what follows from its rule (visible first, then the verb).
#[rustfmt::skip]
const MATRIX: [Row; 20] = [
    // held                                  list  retrieve         used create PUT         PATCH       DELETE
    //                                             this other none  by          this other  this other  this other
    row(&[],                                  No,  NONE,            403, 403,   NO,         NO,         NO),
    row(&[("add", Global)],                   No,  NONE,            403, 201,   NO,         NO,         NO),
    row(&[("change", Global)],                No,  NONE,            403, 403,   NO,         NO,         NO),
    row(&[("delete", Global)],                No,  NONE,            403, 403,   NO,         NO,         NO),
    row(&[("change", Object)],                No,  NONE,            403, 403,   NO,         NO,         NO),
    row(&[("delete", Object)],                No,  NONE,            403, 403,   NO,         NO,         NO),
    row(&[("add", Object)],                   No,  NONE,            403, 403,   NO,         NO,         NO),
    row(&[("view", Global)],                  All, [200, 200, 404], 200, 403,   NO,         NO,         NO),
    row(&[("view", Object)],                  One, [200, 404, 404], 200, 403,   [403, 404], [403, 404], [403, 404]),
    row(&[("view", Global), ("add", Global)], All, [200, 200, 404], 200, 201,   NO,         NO,         NO),
    row(&[("view", Object), ("add", Global)], One, [200, 404, 404], 200, 201,   [403, 404], [403, 404], [403, 404]),
    row(&[("view", Global), ("add", Object)], All, [200, 200, 404], 200, 403,   NO,         NO,         NO),
    row(&[("view", Global), ("change", Global)],
                                              All, [200, 200, 404], 200, 403,   [200, 200], [200, 200], NO),
    row(&[("view", Object), ("change", Object)],
                                              One, [200, 404, 404], 200, 403,   [200, 404], [200, 404], [403, 404]),
    row(&[("view", Global), ("change", Object)],
                                              All, [200, 200, 404], 200, 403,   [200, 403], [200, 403], NO),
    row(&[("view", Object), ("change", Global)],
                                              One, [200, 404, 404], 200, 403,   [200, 404], [200, 404], [403, 404]),
    row(&[("view", Global), ("delete", Global)],
                                              All, [200, 200, 404], 200, 403,   NO,         NO,         [204, 204]),
    row(&[("view", Object), ("delete", Object)],
                                              One, [200, 404, 404], 200, 403,   [403, 404], [403, 404], [204, 404]),
    row(&[("view", Global), ("delete", Object)],
                                              All, [200, 200, 404], 200, 403,   NO,         NO,         [204, 403]),
    row(&[("view", Object), ("delete", Global)],
                                              One, [200, 404, 404], 200, 403,   [403, 404], [403, 404], [204, 404]),
];

/// Somebody who calls, and who holds what he holds.
pub async fn caller(server: &Server, name: &str, by_role: bool) -> (Person, Holder) {
    if !by_role {
        let person = server.person(name).await;
        let holder = person.holder();
        return (person, holder);
    }
    let role = server.role(&format!("{name} role"), &[]).await;
    let group = server.group(&format!("{name} group"), json!({"roles": [role.to_string()]})).await;
    (server.person_with(name, json!({"groups": [group]})).await, Holder::Role(role))
}

async fn check_matrix(server: &Server, family: &Family, by_role: bool) {
    let ground = family.ground(server).await;
    for (number, row) in MATRIX.iter().enumerate() {
        let (person, holder) = caller(server, &format!("caller-{number}"), by_role).await;
        let make = async |name: &str| family.make(server, &ground, &format!("{name}-{number}")).await;
        let (this, other) = (make("this").await, make("other").await);
        for (verb, extent) in row.held {
            let code = format!("{}.{verb}_{}", family.label, family.model);
            server.grant(holder, &code, (*extent == Object).then_some(this.pk.as_str())).await;
        }
        let trial = Trial { server, family, ground: &ground, row, number, person: &person, this: &this, other: &other };
        trial.run().await;
    }
}

/// One row at work.
struct Trial<'a> {
    server: &'a Server,
    family: &'a Family,
    ground: &'a str,
    row: &'a Row,
    number: usize,
    person: &'a Person,
    this: &'a Made,
    other: &'a Made,
}

impl Trial<'_> {
    async fn run(self) {
        self.check_list(self.row.list).await;
        let keys = [self.this.key.as_str(), &self.other.key, self.family.unknown];
        for (key, status) in keys.into_iter().zip(self.row.retrieve) {
            self.expect(status, Method::GET, &self.one(key), None).await;
        }
        if self.family.used_by {
            self.expect(self.row.used_by, Method::GET, &format!("{}used_by/", self.one(&self.this.key)), None).await;
        }
        let new = self.family.draft(self.ground, &format!("new-{}", self.number));
        let before = self.count().await;
        self.expect(self.row.create, Method::POST, self.family.path, Some(&new)).await;
        assert_eq!(self.count().await > before, self.row.create == 201, "{:?}", self.row.held);
        for (place, made) in [self.this, self.other].into_iter().enumerate() {
            let text = |way: &str| format!("{way}-{place}-{}", self.number);
            let put = self.family.whole(self.ground, made, &text("put"));
            self.change(self.row.put[place], Method::PUT, &made.key, Some(put)).await;
            let patch = (self.family.change)(&text("patch"));
            self.change(self.row.patch[place], Method::PATCH, &made.key, Some(patch)).await;
        }
        // The granted one last: nothing may be visible afterwards.
        self.change(self.row.delete[1], Method::DELETE, &self.other.key, None).await;
        self.change(self.row.delete[0], Method::DELETE, &self.this.key, None).await;
        if self.row.list == One {
            if self.row.delete[0] != 204 {
                self.server.admin().delete(&self.one(&self.this.key)).await.expect_empty(204);
            }
            self.check_nothing_is_visible().await;
        }
    }

    fn one(&self, key: &str) -> String {
        format!("{}{key}/", self.family.path)
    }

    async fn count(&self) -> u64 {
        let page = self.server.admin().get(self.family.path).await.expect(200);
        page["pagination"]["count"].as_u64().expect("a number")
    }

    async fn check_list(&self, rows: Rows) {
        let count = self.count().await;
        if self.family.open_list {
            // Nothing is bound to any of them, so everybody is let in; to see more one would have to be a superuser.
            for query in ["", "?superuser_full_list=true"] {
                let answer = self.person.client.get(&format!("{}{query}", self.family.path)).await;
                assert_eq!(answer.expect(200)["pagination"]["count"], count, "{:?}", self.row.held);
            }
            return;
        }
        let answer = self.person.client.get(self.family.path).await;
        if rows == No {
            return answer.expect_forbidden();
        }
        let expected = if rows == All { count } else { 1 };
        assert_eq!(answer.expect(200)["pagination"]["count"], expected, "{:?}", self.row.held);
        assert!(count > 1, "one is not all");
        if rows == One {
            assert_eq!(answer.expect_list("pk"), [self.this.pk.as_str()]);
        }
    }

    async fn expect(&self, status: u16, method: Method, path: &str, body: Option<&Value>) -> Answer {
        let draft = self.person.client.request(method, path);
        let answer = match body {
            Some(body) => draft.json(body).send().await,
            None => draft.send().await,
        };
        let held = (self.family.model, self.row.held);
        assert_eq!(answer.status, status, "{held:?}: {}\n  {}", answer.request, answer.text());
        match status {
            403 => answer.expect_forbidden(),
            404 => answer.expect_missing(),
            _ => {}
        }
        answer
    }

    /// What is refused has not happened; what is not, has.
    async fn change(&self, status: u16, method: Method, key: &str, body: Option<Value>) {
        let path = self.one(key);
        let admin = self.server.admin();
        let before = admin.get(&path).await.expect(200);
        self.expect(status, method, &path, body.as_ref()).await;
        let after = admin.get(&path).await;
        match status {
            200 => assert_ne!(after.expect(200), before, "{path}"),
            204 => after.expect_missing(),
            _ => after.expect_body(200, &before),
        }
    }

    /// The last visible row is gone: 403 everywhere, also for what never was.
    async fn check_nothing_is_visible(&self) {
        self.check_list(No).await;
        for key in [self.this.key.as_str(), &self.other.key, self.family.unknown] {
            let path = self.one(key);
            self.expect(403, Method::GET, &path, None).await;
            self.expect(403, Method::PUT, &path, Some(&json!({}))).await;
            self.expect(403, Method::PATCH, &path, Some(&json!({}))).await;
            self.expect(403, Method::DELETE, &path, None).await;
            if self.family.used_by {
                self.expect(403, Method::GET, &format!("{path}used_by/"), None).await;
            }
        }
    }
}

async fn users_held_directly(server: &Server) {
    check_matrix(server, &USERS, false).await;
}

async fn users_held_by_a_role(server: &Server) {
    check_matrix(server, &USERS, true).await;
}

async fn groups_held_directly(server: &Server) {
    check_matrix(server, &GROUPS, false).await;
}

async fn groups_held_by_a_role(server: &Server) {
    check_matrix(server, &GROUPS, true).await;
}

async fn roles_held_directly(server: &Server) {
    check_matrix(server, &ROLES, false).await;
}

async fn roles_held_by_a_role(server: &Server) {
    check_matrix(server, &ROLES, true).await;
}

async fn events_held_directly(server: &Server) {
    check_matrix(server, &EVENTS, false).await;
}

async fn events_held_by_a_role(server: &Server) {
    check_matrix(server, &EVENTS, true).await;
}

async fn expressions_held_directly(server: &Server) {
    check_matrix(server, &EXPRESSIONS, false).await;
}

async fn expressions_held_by_a_role(server: &Server) {
    check_matrix(server, &EXPRESSIONS, true).await;
}

async fn bindings_held_directly(server: &Server) {
    check_matrix(server, &BINDINGS, false).await;
}

async fn bindings_held_by_a_role(server: &Server) {
    check_matrix(server, &BINDINGS, true).await;
}

async fn applications_held_directly(server: &Server) {
    check_matrix(server, &APPLICATIONS, false).await;
}

async fn applications_held_by_a_role(server: &Server) {
    check_matrix(server, &APPLICATIONS, true).await;
}

async fn permissions_come_before_validation(server: &Server) {
    let nobody = server.person("nobody").await;
    for family in FAMILIES {
        let ground = family.ground(server).await;
        let one = format!("{}{}/", family.path, family.make(server, &ground, "made").await.key);
        let code = format!("{}.view_{}", family.label, family.model);
        let viewer = server.holder_of(&format!("viewer-of-{}", family.model), &[&code]).await;
        for client in [&nobody.client, &viewer.client] {
            for body in [json!({}), json!([]), json!({"name": [], "app": []})] {
                client.post(family.path, &body).await.expect_forbidden();
                client.put(&one, &body).await.expect_forbidden();
                client.patch(&one, &body).await.expect_forbidden();
            }
        }
        let beyond = nobody.client.get(&format!("{}?page=99&type=robot", family.path)).await;
        if family.open_list {
            beyond.expect_detail(404, "Invalid page.");
        } else {
            beyond.expect_forbidden();
        }
        viewer.client.get(&format!("{}?page=99", family.path)).await.expect_detail(404, "Invalid page.");
    }
    nobody.client.post("/core/users/service_account/", &json!({"name": []})).await.expect_forbidden();
}
