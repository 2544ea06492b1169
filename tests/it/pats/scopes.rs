//! Scopes of live bearer tokens: narrowing reaches them at once, widening does not (decisions: visibility).

use super::{ALL, ALL_READ, BETA, FORBIDDEN, MY_MANAGE, MY_READ, V1, create, get, make, mine, patch, replace};
use crate::harness::{Client, Pat, Server, tests};
use serde_json::{Value, json};

tests![
    narrowing_counts_at_once,
    narrowing_ones_own,
    widening_comes_with_the_next,
    never_more_than_issued,
    to_nothing_and_back,
    the_level_caps_at_once,
    the_token_tells_what_it_was_issued_with,
];

async fn set(client: &Client, pat: &Pat, scopes: &[&str]) {
    let patched = patch(client, BETA, &pat.id, &json!([replace("scope", scopes.to_vec())])).await.expect(200);
    assert_eq!(patched["scope"], json!(scopes));
}

/// Whether the client may list its own, everybody's, and make one (which goes again).
async fn may(server: &Server, client: &Client) -> [bool; 3] {
    let statuses = [
        get(client, &format!("{BETA}?owner-id=me")).await,
        get(client, BETA).await,
        create(client, BETA, json!({"name": "made"})).await,
    ]
    .map(|answer| {
        if answer.status != 200 {
            answer.expect_code(403, FORBIDDEN);
        }
        answer.status == 200
    });
    server.sql("DELETE FROM personal_access_tokens WHERE name = 'made'").await;
    statuses
}

async fn narrowing_counts_at_once(server: &Server) {
    let root = server.pat_with(1, &[ALL], |new| new.name = "root".into()).await;
    let root = server.bearer(&root).await;
    let pat = server.pat(1, &[ALL]).await;
    let live = [server.bearer(&pat).await, server.bearer(&pat).await];
    for (scopes, expected) in [
        (&[ALL][..], [true, true, true]),
        (&[MY_MANAGE, ALL_READ], [true, true, true]),
        (&[ALL_READ], [true, true, false]),
        (&[MY_MANAGE], [true, false, true]),
        (&[MY_READ], [true, false, false]),
        (&["sp:scopes:default"], [false, false, false]),
        (&[ALL], [true, true, true]),
    ] {
        set(&root, &pat, scopes).await;
        for client in &live {
            assert_eq!(may(server, client).await, expected, "{scopes:?}");
        }
        super::refill(server);
    }
}

async fn narrowing_ones_own(server: &Server) {
    let pat = server.pat(1, &[ALL]).await;
    let api = server.bearer(&pat).await;
    set(&api, &pat, &[MY_READ]).await;
    assert_eq!(may(server, &api).await, [true, false, false]);
    // The way back is closed.
    patch(&api, BETA, &pat.id, &json!([replace("scope", json!([ALL]))])).await.expect_code(403, FORBIDDEN);
    patch(&server.bearer(&pat).await, BETA, &pat.id, &json!([])).await.expect_code(403, FORBIDDEN);
}

async fn widening_comes_with_the_next(server: &Server) {
    let root = server.api(1, &[ALL]).await;
    let pat = server.pat(1, &[MY_READ]).await;
    let before = server.bearer(&pat).await;
    assert_eq!(may(server, &before).await, [true, false, false]);
    for scopes in [&[MY_READ, MY_MANAGE, ALL_READ][..], &[ALL, MY_READ], &[ALL]] {
        set(&root, &pat, scopes).await;
        assert_eq!(may(server, &before).await, [true, false, false], "{scopes:?}");
        let next = server.bearer(&pat).await;
        assert_eq!(may(server, &next).await, [true, true, true], "{scopes:?}");
    }
}

async fn never_more_than_issued(server: &Server) {
    let root = server.api(1, &[ALL]).await;
    let pat = server.pat(1, &[MY_READ]).await;
    let before = server.bearer(&pat).await;
    // None of what it was issued with is left, whatever else there is.
    set(&root, &pat, &[ALL_READ]).await;
    assert_eq!(may(server, &before).await, [false, false, false]);
    set(&root, &pat, &[MY_READ, ALL_READ]).await;
    assert_eq!(may(server, &before).await, [true, false, false]);
}

async fn to_nothing_and_back(server: &Server) {
    let root = server.api(1, &[ALL]).await;
    let pat = server.pat(1, &[MY_MANAGE]).await;
    let live = server.bearer(&pat).await;
    set(&root, &pat, &[]).await;
    assert_eq!(may(server, &live).await, [false, false, false]);
    let traded = server.trade(&pat).await.expect(200);
    assert_eq!(traded["scope"], "");
    set(&root, &pat, &[MY_MANAGE]).await;
    assert_eq!(may(server, &live).await, [true, false, true]);
}

async fn the_level_caps_at_once(server: &Server) {
    let group = server.group("chiefs", json!({"is_superuser": true})).await;
    let ann = server.person_with("ann", json!({"groups": [group]})).await;
    let api = server.api(ann.pk, &[ALL]).await;
    let path = format!("/core/groups/{group}/");
    let bobs = make(&server.api(server.person("bob").await.pk, &[ALL]).await, "bobs").await;
    for superuser in [true, false, true, false] {
        server.admin().patch(&path, &json!({"is_superuser": superuser})).await.expect(200);
        assert_eq!(may(server, &api).await, [true, superuser, true]);
    }
    super::delete(&api, V1, &bobs).await.expect_code(404, super::NOT_FOUND);
    server.grant(ann.holder(), "authentik_core.view_token", None).await;
    server.app.generation.advance();
    super::delete(&api, V1, &bobs).await.expect_code(403, FORBIDDEN);
    server.grant(ann.holder(), "authentik_core.delete_token", None).await;
    server.app.generation.advance();
    super::delete(&api, V1, &bobs).await.expect_empty(204);
}

async fn the_token_tells_what_it_was_issued_with(server: &Server) {
    let root = server.api(1, &[ALL]).await;
    let pat = server.pat(1, &["b", "a", "sp:unknown:thing"]).await;
    let traded: Value = server.trade(&pat).await.expect(200);
    assert_eq!(traded["scope"], "b a sp:unknown:thing");
    set(&root, &pat, &["c"]).await;
    assert_eq!(server.trade(&pat).await.expect(200)["scope"], "c");
    assert_eq!(mine(&root, BETA).await.as_array().expect("an array").len(), 2);
}
