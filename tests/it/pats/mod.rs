//! Personal access tokens and the bearer tokens that they are traded for (contract: sailpoint-pat).

mod bearers;
mod bodies;
mod bulk;
mod cookies;
mod create;
mod dialect;
mod ends;
mod expiry;
mod filters;
mod issued;
mod levels;
mod listing;
mod names;
mod patch;
mod patch_ends;
pub mod program;
mod rate;
mod reach;
mod rotation;
mod scopes;
pub mod secrets;
mod trade;
mod usage;

use crate::harness::{Answer, Client, Server, Test};
use chrono::TimeDelta;
use http::Method;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

pub fn all() -> Vec<Test> {
    [
        create::all(),
        names::all(),
        bodies::all(),
        expiry::all(),
        listing::all(),
        filters::all(),
        levels::all(),
        patch::all(),
        patch_ends::all(),
        scopes::all(),
        bulk::all(),
        ends::all(),
        trade::all(),
        issued::all(),
        bearers::all(),
        cookies::all(),
        rotation::all(),
        rate::all(),
        reach::all(),
        usage::all(),
        secrets::all(),
        dialect::all(),
        program::all(),
    ]
    .concat()
}

pub const BETA: &str = "/beta/personal-access-tokens";
pub const V1: &str = "/personal-access-tokens/v1";
/// Where a token ends within six months.
pub const SIX_MONTHS: [&str; 3] = [BETA, "/v3/personal-access-tokens", "/v2024/personal-access-tokens"];
/// Where its maker says when.
pub const EXPLICIT: [&str; 3] = ["/v2025/personal-access-tokens", "/v2026/personal-access-tokens", V1];
pub const BULK: &str = "/personal-access-tokens/v1/bulk-update";

pub const ALL: &str = "sp:scopes:all";
pub const MY_READ: &str = "sp:my-personal-access-tokens:read";
pub const MY_MANAGE: &str = "sp:my-personal-access-tokens:manage";
pub const ALL_READ: &str = "sp:all-personal-access-tokens:read";
pub const ALL_MANAGE: &str = "sp:all-personal-access-tokens:manage";
pub const DEFAULT: &str = "sp:scopes:default";

pub const MISSING: &str = "400.1.0 Required Data Missing Or Empty";
pub const ILLEGAL: &str = "400.1.3 Illegal value";
pub const LIMIT: &str = "400.1.4 Limit violation";
pub const CONFLICT: &str = "400.1.409 Reference conflict";
pub const SYNTAX: &str = "400.0 Bad request syntax";
pub const CONTENT: &str = "400.1 Bad Request Content";
pub const FORBIDDEN: &str = "403 Forbidden";
pub const NOT_FOUND: &str = "404 Not found";

/// `created` of what is made before the clock moves.
pub const BEGINNING: &str = "2026-01-02T03:04:05.678Z";
/// What a create answer says of a token that never ends.
pub const NEVER: &str = "9999-12-31T23:59:59.999Z";

/// All collections; whether tokens there end when their maker says.
pub fn collections() -> impl Iterator<Item = (&'static str, bool)> {
    SIX_MONTHS.into_iter().map(|at| (at, false)).chain(EXPLICIT.into_iter().map(|at| (at, true)))
}

pub async fn create(client: &Client, at: &str, body: Value) -> Answer {
    client.outside(Method::POST, at).json(&body).send().await
}

/// Makes a token that never ends; gives its id.
pub async fn make(client: &Client, name: &str) -> String {
    let made = create(client, V1, json!({"name": name, "userAwareTokenNeverExpires": true})).await.expect(200);
    made["id"].as_str().expect("an id").to_owned()
}

pub async fn get(client: &Client, target: &str) -> Answer {
    client.outside(Method::GET, target).send().await
}

/// The listing of one's own.
pub async fn mine(client: &Client, at: &str) -> Value {
    get(client, &format!("{at}?owner-id=me")).await.expect(200)
}

/// One of one's own tokens as [`V1`] shows it.
pub async fn shown(client: &Client, id: &str) -> Value {
    let all = mine(client, V1).await;
    all.as_array().expect("an array").iter().find(|token| token["id"] == id).expect("it is there").clone()
}

/// One's own tokens that a condition fits, by name.
pub async fn filtered(client: &Client, at: &str, filters: &str) -> Answer {
    let filters = utf8_percent_encode(filters, NON_ALPHANUMERIC);
    get(client, &format!("{at}?owner-id=me&filters={filters}")).await
}

pub fn names(list: &Value) -> Vec<&str> {
    let list = list.as_array().unwrap_or_else(|| panic!("no array: {list}"));
    list.iter().map(|token| token["name"].as_str().expect("a name")).collect()
}

pub async fn patch(client: &Client, at: &str, id: &str, steps: &Value) -> Answer {
    let draft = client.outside(Method::PATCH, &format!("{at}/{id}"));
    draft.header("content-type", "application/json-patch+json").body(steps.to_string()).send().await
}

pub fn replace(field: &str, value: impl Into<Value>) -> Value {
    json!({"op": "replace", "path": format!("/{field}"), "value": value.into()})
}

pub async fn delete(client: &Client, at: &str, id: &str) -> Answer {
    client.outside(Method::DELETE, &format!("{at}/{id}")).send().await
}

/// An account's identity as this dialect writes it.
pub async fn identity(server: &Server, pk: i64) -> String {
    let user = server.admin().get(&format!("/core/users/{pk}/")).await.expect(200);
    user["uuid"].as_str().expect("a UUID").replace('-', "")
}

pub async fn set_active(server: &Server, pk: i64, active: bool) {
    let body = json!({"is_active": active});
    server.admin().patch(&format!("/core/users/{pk}/"), &body).await.expect(200);
}

/// 401 with one of the two texts for bearer tokens that do not count.
#[track_caller]
pub fn refused(answer: &Answer, text: &str) {
    answer.expect_body(401, &json!({"error": format!("JWT validation failed: JWT is {text}")}));
}

/// Fills the buckets of all clients again, and no bearer token ends meanwhile.
pub fn refill(server: &Server) {
    server.advance(TimeDelta::seconds(10));
}

/// The events' names of the contract written after `mark`, sorted.
pub async fn named_events(server: &Server, mark: &std::collections::BTreeSet<uuid::Uuid>) -> Vec<String> {
    let events = server.events_since(mark).await;
    let name = |event: &crate::harness::Entry| event.context["event"].as_str().map(str::to_owned);
    let mut names: Vec<String> = events.iter().filter_map(name).collect();
    names.sort_unstable();
    names
}

/// The name of one in the contract.
pub fn event(name: &str) -> String {
    format!("PERSONAL_ACCESS_TOKEN_{name}")
}
