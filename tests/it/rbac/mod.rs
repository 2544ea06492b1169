//! Roles, permissions and who holds them (contract: authentik-rbac).

mod actions;
mod assign;
mod bodies;
mod catalogue;
mod concurrency;
mod delegates;
mod families;
mod holders;
mod holes;
mod matrix;
mod roles;
mod rows;
mod superusers;
mod tokens;

use crate::harness::{Server, Test};
use sea_orm::EntityTrait as _;
use serde_json::{Value, json};
use tessera::resource::grants;

pub fn all() -> Vec<Test> {
    [
        roles::all(),
        catalogue::all(),
        holders::all(),
        rows::all(),
        assign::all(),
        bodies::all(),
        delegates::all(),
        holes::all(),
        superusers::all(),
        matrix::all(),
        tokens::all(),
        actions::all(),
        concurrency::all(),
    ]
    .concat()
}

/// A key that no role and no group has.
const UNKNOWN: &str = "00000000-0000-4000-8000-000000000000";

/// Who gets permissions in a test that is about both kinds.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Target {
    Role(String),
    User(i64),
}

impl Target {
    /// A new role and a new account, with nothing.
    async fn both(server: &Server, name: &str) -> [Self; 2] {
        [Self::role(server, name).await, Self::User(server.person(name).await.pk)]
    }

    async fn role(server: &Server, name: &str) -> Self {
        let role = server.admin().post("/rbac/roles/", &json!({"name": name})).await.expect(201);
        Self::Role(text(&role["pk"]))
    }

    fn path(&self) -> String {
        match self {
            Self::Role(id) => format!("/rbac/permissions/assigned_by_roles/{id}/"),
            Self::User(id) => format!("/rbac/permissions/assigned_by_users/{id}/"),
        }
    }

    fn assign(&self) -> String {
        format!("{}assign/", self.path())
    }

    fn unassign(&self) -> String {
        format!("{}unassign/", self.path())
    }

    /// What it holds, read from the table: `permission` or `permission object`, sorted.
    async fn holds(&self, server: &Server) -> Vec<String> {
        let of_this = |grant: &grants::Model| match self {
            Self::Role(id) => grant.role_id.is_some_and(|role| role.to_string() == *id),
            Self::User(id) => grant.user_id.is_some_and(|user| i64::from(user) == *id),
        };
        let mut held: Vec<String> = all_grants(server)
            .await
            .into_iter()
            .filter(of_this)
            .map(|grant| match grant.object_pk {
                Some(object) => format!("{} {object}", grant.permission),
                None => grant.permission,
            })
            .collect();
        held.sort_unstable();
        held
    }
}

/// Every grant there is, from the table.
async fn all_grants(server: &Server) -> Vec<grants::Model> {
    grants::Entity::find().all(server.app.db.read()).await.expect("grants are read")
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A body of `assign` for everything.
fn globally(codes: &[&str]) -> Value {
    json!({"permissions": codes})
}

/// A body of `assign` for one object.
fn on(model: &str, object: &str, codes: &[&str]) -> Value {
    json!({"permissions": codes, "model": model, "object_pk": object})
}
