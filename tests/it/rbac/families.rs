//! The kinds of objects that permissions are about: where they are, and how one is made and changed.

use super::{UNKNOWN, text};
use crate::harness::Server;
use serde_json::{Value, json};

/// What a body is made of.
pub struct Words<'a> {
    /// What makes it different from others.
    pub text: &'a str,
    /// How its path names it, where that is written and not given.
    pub slug: &'a str,
    /// What it stands on; see [`Family::grounded`].
    pub ground: &'a str,
}

/// One kind of object.
pub struct Family {
    pub path: &'static str,
    pub label: &'static str,
    pub model: &'static str,
    pub unknown: &'static str,
    pub used_by: bool,
    /// Whether the field that names an object in its path is the slug, and not the key.
    pub by_slug: bool,
    /// Whether the listing is open to everybody.
    pub open_list: bool,
    /// Whether an application is needed first.
    pub grounded: bool,
    /// A body to create or to replace one with.
    pub body: fn(&Words<'_>) -> Value,
    /// A change that shows.
    pub change: fn(&str) -> Value,
}

/// An object that was made.
pub struct Made {
    /// What its path says.
    pub key: String,
    /// What grants say.
    pub pk: String,
}

const FAMILY: Family = Family {
    path: "",
    label: "",
    model: "",
    unknown: UNKNOWN,
    used_by: true,
    by_slug: false,
    open_list: false,
    grounded: false,
    body: |words| json!({"name": words.text}),
    change: |text| json!({"name": text}),
};

pub const USERS: Family = Family {
    path: "/core/users/",
    label: "authentik_core",
    model: "user",
    unknown: "999999",
    body: |words| json!({"username": words.text, "name": words.text}),
    change: |text| json!({"attributes": {"x": text}}),
    ..FAMILY
};
pub const GROUPS: Family = Family {
    path: "/core/groups/",
    label: "authentik_core",
    model: "group",
    change: |text| json!({"attributes": {"x": text}}),
    ..FAMILY
};
pub const ROLES: Family = Family { path: "/rbac/roles/", label: "authentik_rbac", model: "role", ..FAMILY };
pub const EVENTS: Family = Family {
    path: "/events/events/",
    label: "authentik_events",
    model: "event",
    used_by: false,
    body: |words| json!({"action": "custom_", "app": words.text}),
    change: |text| json!({"context": {"x": text}}),
    ..FAMILY
};
pub const EXPRESSIONS: Family = Family {
    path: "/policies/expression/",
    label: "authentik_policies_expression",
    model: "expressionpolicy",
    body: |words| json!({"name": words.text, "expression": "return True"}),
    ..FAMILY
};
pub const BINDINGS: Family = Family {
    path: "/policies/bindings/",
    label: "authentik_policies",
    model: "policybinding",
    grounded: true,
    // Whoever they are for is said each time.
    body: |words| json!({"target": words.ground, "user": 1, "order": 0, "timeout": number(words.text)}),
    change: |text| json!({"user": 1, "timeout": number(text)}),
    ..FAMILY
};
pub const APPLICATIONS: Family = Family {
    path: "/core/applications/",
    label: "authentik_core",
    model: "application",
    unknown: "unknown",
    by_slug: true,
    open_list: true,
    body: |words| json!({"name": words.text, "slug": words.slug}),
    ..FAMILY
};

pub const FAMILIES: [&Family; 7] = [&USERS, &GROUPS, &ROLES, &EVENTS, &EXPRESSIONS, &BINDINGS, &APPLICATIONS];

/// A number that is different for different texts, as far as it matters here.
fn number(text: &str) -> u64 {
    text.bytes().fold(7, |sum, byte| (sum * 31 + u64::from(byte)) % 1_000_003)
}

impl Family {
    /// Something to stand on.
    pub async fn ground(&self, server: &Server) -> String {
        if !self.grounded {
            return String::new();
        }
        let body = json!({"name": "ground", "slug": "ground"});
        text(&server.admin().post(APPLICATIONS.path, &body).await.expect(201)["pk"])
    }

    /// A body to create one with.
    pub fn draft(&self, ground: &str, text: &str) -> Value {
        (self.body)(&Words { text, slug: text, ground })
    }

    /// A body to replace one with, by which it stays where it is.
    pub fn whole(&self, ground: &str, made: &Made, text: &str) -> Value {
        (self.body)(&Words { text, slug: &made.key, ground })
    }

    pub async fn make(&self, server: &Server, ground: &str, name: &str) -> Made {
        let made = server.admin().post(self.path, &self.draft(ground, name)).await.expect(201);
        Made { key: text(&made[if self.by_slug { "slug" } else { "pk" }]), pk: text(&made["pk"]) }
    }
}
