//! Scopes and levels: what each scope is worth to whom (contract: sailpoint-pat §2, §4; decisions: visibility).

use super::{
    ALL, ALL_MANAGE, ALL_READ, BETA, BULK, DEFAULT, MY_MANAGE, MY_READ, SIX_MONTHS, V1, create, delete, get, mine,
    patch, replace,
};
use crate::harness::{Client, Server, tests};
use http::Method;
use serde_json::json;

tests![scopes_of_a_plain_owner, scopes_of_a_superuser, scopes_of_a_deleter, scopes_of_a_viewer, scopes_of_an_updater];

const SCOPES: [&str; 6] = [ALL, DEFAULT, MY_READ, MY_MANAGE, ALL_READ, ALL_MANAGE];

/// Who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    Plain,
    Viewer,
    Deleter,
    Updater,
    Superuser,
}

impl Level {
    const fn reads_all(self) -> bool {
        !matches!(self, Self::Plain)
    }

    const fn deletes_all(self) -> bool {
        matches!(self, Self::Deleter | Self::Superuser)
    }

    const fn updates_all(self) -> bool {
        matches!(self, Self::Updater | Self::Superuser)
    }
}

const OPERATIONS: [&str; 9] = [
    "list mine",
    "list all",
    "create",
    "patch own",
    "patch other's",
    "patch nobody's",
    "delete own",
    "delete other's",
    "bulk update",
];

/// The statuses of [`OPERATIONS`].
fn expected(level: Level, scope: &str) -> [u16; 9] {
    let reads = scope != DEFAULT;
    let everything = matches!(scope, ALL | ALL_MANAGE);
    let makes = everything || scope == MY_MANAGE;
    let patches = matches!(scope, ALL | MY_MANAGE);
    let sees_others = level.reads_all() && (everything || scope == ALL_READ);
    let unless = |allowed: bool, status: u16| if allowed { status } else { 403 };
    // Where the operation is open, others' tokens are not there for whoever may not see them.
    let others = |open: bool, may: bool, done: u16| match (open, sees_others) {
        (false, _) => 403,
        (true, _) if may => done,
        (true, true) => 403,
        (true, false) => 404,
    };
    [
        unless(reads, 200),
        unless(sees_others, 200),
        unless(makes, 200),
        unless(patches, 200),
        others(patches, false, 200),
        unless(patches, 404),
        unless(makes, 204),
        others(makes, everything && level.deletes_all(), 204),
        unless(everything && level.updates_all(), 200),
    ]
}

/// The statuses that come.
async fn answers(server: &Server, at: &str, pk: i64, other: i64, scope: &str) -> [u16; 9] {
    let named =
        |name: &'static str| move |new: &mut tessera::resource::pats::service::NewPat| new.name = name.to_owned();
    let api: Client = server.api(pk, &[scope]).await;
    let own = server.pat_with(pk, &[ALL], named("own")).await.id;
    let theirs = server.pat_with(other, &[ALL], named("theirs")).await.id;
    let steps = json!([replace("name", "patched")]);
    let end = json!({"ids": [theirs], "patch": [replace("expirationDate", "2027-01-01T00:00:00Z")]});
    let explicit = !SIX_MONTHS.contains(&at);
    let new = json!({"name": "new", "userAwareTokenNeverExpires": explicit});
    let statuses = [
        get(&api, &format!("{at}?owner-id=me")).await,
        get(&api, at).await,
        create(&api, at, new).await,
        patch(&api, at, &own, &steps).await,
        patch(&api, at, &theirs, &steps).await,
        patch(&api, at, "00000000000040008000000000000000", &steps).await,
        delete(&api, at, &own).await,
        delete(&api, at, &theirs).await,
        // The token may have gone by now, which only those learn who may.
        {
            server.sql("DELETE FROM personal_access_tokens WHERE name = 'theirs'").await;
            let theirs = server.pat_with(other, &[ALL], named("theirs")).await.id;
            let mut body = end;
            body["ids"] = json!([theirs]);
            api.outside(Method::PATCH, BULK).json(&body).send().await
        },
    ]
    .map(|answer| {
        if answer.status == 403 {
            answer.expect_code(403, super::FORBIDDEN);
        } else if answer.status == 404 {
            answer.expect_code(404, super::NOT_FOUND);
        }
        answer.status
    });
    server.sql("DELETE FROM personal_access_tokens").await;
    server.app.generation.advance();
    statuses
}

async fn matrix(server: &Server, level: Level, pk: i64) {
    let other = server.person("somebody-else").await.pk;
    let mut wrong = Vec::new();
    for at in [BETA, V1] {
        for scope in SCOPES {
            let (got, wanted) = (answers(server, at, pk, other, scope).await, expected(level, scope));
            for (operation, (got, wanted)) in OPERATIONS.into_iter().zip(got.into_iter().zip(wanted)) {
                if got != wanted {
                    wrong.push(format!("{at} {level:?} {scope}: {operation} is {got}, not {wanted}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

async fn scopes_of_a_plain_owner(server: &Server) {
    let ann = server.person("ann").await;
    matrix(server, Level::Plain, ann.pk).await;
}

async fn scopes_of_a_superuser(server: &Server) {
    matrix(server, Level::Superuser, 1).await;
}

async fn scopes_of_a_deleter(server: &Server) {
    let ann = server.holder_of("ann", &["authentik_core.view_token", "authentik_core.delete_token"]).await;
    matrix(server, Level::Deleter, ann.pk).await;
}

async fn scopes_of_a_viewer(server: &Server) {
    let ann = server.holder_of("ann", &["authentik_core.view_token"]).await;
    matrix(server, Level::Viewer, ann.pk).await;
    // To delete without seeing is nothing.
    let bob = server.holder_of("bob", &["authentik_core.delete_token", "authentik_core.change_token"]).await;
    let theirs = server.pat(ann.pk, &[ALL]).await.id;
    let api = server.api(bob.pk, &[ALL]).await;
    delete(&api, BETA, &theirs).await.expect_code(404, super::NOT_FOUND);
    get(&api, BETA).await.expect_code(403, super::FORBIDDEN);
    assert_eq!(mine(&api, BETA).await.as_array().expect("an array").len(), 1);
}

async fn scopes_of_an_updater(server: &Server) {
    let ann = server.holder_of("ann", &["authentik_core.view_token", "authentik_core.change_token"]).await;
    matrix(server, Level::Updater, ann.pk).await;
}
