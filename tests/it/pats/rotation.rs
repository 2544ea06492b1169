//! New signing keys: what the old one signed goes on until it ends (decisions; `tessera rotate-key`).

use super::{
    ALL, BETA,
    bearers::{decoded, parts},
    get, refused,
};
use crate::harness::{Pat, Server, tests};
use chrono::TimeDelta;
use tessera::{
    jobs::sweep,
    resource::keypairs::service::{self as keypairs, Former},
};

tests![old_and_new, a_new_key_waits, a_lost_key, old_keys_go, rotated_again_and_again, keys_are_kept_over_a_restart,];

async fn token(server: &Server, pat: &Pat) -> String {
    server.trade(pat).await.expect(200)["access_token"].as_str().expect("a token").to_owned()
}

fn kid(token: &str) -> String {
    decoded(parts(token)[0])["kid"].as_str().expect("a name").to_owned()
}

async fn rotate(server: &Server) {
    keypairs::rotate(&server.system(), Former::Kept).await.expect("rotated");
    // By then every process knows the new key.
    server.advance(TimeDelta::seconds(2));
}

async fn works(server: &Server, token: &str) {
    get(&server.with_key(token), &format!("{BETA}?owner-id=me")).await.expect(200);
}

async fn keys(server: &Server) -> i64 {
    server.number("SELECT count(*) FROM keypairs").await
}

async fn old_and_new(server: &Server) {
    let pat = server.pat(1, &[ALL]).await;
    let (old, unused) = (token(server, &pat).await, token(server, &pat).await);
    works(server, &old).await;
    assert_eq!(kid(&old), kid(&unused));
    rotate(server).await;
    let new = token(server, &pat).await;
    assert_ne!(kid(&new), kid(&old));
    for token in [&old, &unused, &new] {
        works(server, token).await;
    }
    assert_eq!(keys(server).await, 2);
}

/// Another process may not know it yet, and would refuse what it signs.
async fn a_new_key_waits(server: &Server) {
    let pat = server.pat(1, &[ALL]).await;
    server.advance(TimeDelta::minutes(1));
    let old = token(server, &pat).await;
    keypairs::rotate(&server.system(), Former::Kept).await.expect("rotated");
    assert_eq!(kid(&token(server, &pat).await), kid(&old));
    server.advance(TimeDelta::seconds(2));
    assert_ne!(kid(&token(server, &pat).await), kid(&old));
}

/// Whoever has the key could write any token.
async fn a_lost_key(server: &Server) {
    let pat = server.pat(1, &[ALL]).await;
    let old = token(server, &pat).await;
    works(server, &old).await;
    let mark = server.mark().await;
    keypairs::rotate(&server.system(), Former::Dropped).await.expect("rotated");
    refused(&get(&server.with_key(&old), &format!("{BETA}?owner-id=me")).await, "invalid");
    let new = token(server, &pat).await;
    assert_ne!(kid(&new), kid(&old));
    works(server, &new).await;
    assert_eq!(keys(server).await, 1);
    let events = server.events_since(&mark).await;
    let actions: Vec<&str> = events.iter().map(|event| event.action.as_str()).collect();
    assert_eq!(actions.iter().filter(|action| **action == "model_deleted").count(), 1, "{actions:?}");
    assert_eq!(actions.iter().filter(|action| **action == "model_created").count(), 1, "{actions:?}");
}

async fn old_keys_go(server: &Server) {
    let pat = server.pat(1, &[ALL]).await;
    let old = token(server, &pat).await;
    rotate(server).await;
    let new = token(server, &pat).await;
    // The longest that anything lives is 12 hours; until then the key is needed.
    server.advance(TimeDelta::seconds(43_197));
    sweep::once(&server.app).await.expect("swept");
    assert_eq!(keys(server).await, 2);
    works(server, &old).await;
    works(server, &new).await;
    server.advance(TimeDelta::seconds(1));
    refused(&get(&server.with_key(&old), &format!("{BETA}?owner-id=me")).await, "expired");
    server.advance(TimeDelta::hours(1) + TimeDelta::seconds(2));
    sweep::once(&server.app).await.expect("swept");
    assert_eq!(keys(server).await, 1);
    get(&server.with_key(&old), &format!("{BETA}?owner-id=me")).await.expect(401);
    works(server, &token(server, &pat).await).await;
    assert_eq!(kid(&token(server, &pat).await), kid(&new), "the key that signs stays");
}

async fn rotated_again_and_again(server: &Server) {
    let pat = server.pat(1, &[ALL]).await;
    let mut tokens = vec![token(server, &pat).await];
    for _ in 0..4 {
        rotate(server).await;
        tokens.push(token(server, &pat).await);
    }
    let names: std::collections::BTreeSet<String> = tokens.iter().map(|token| kid(token)).collect();
    assert_eq!(names.len(), 5);
    for token in &tokens {
        works(server, token).await;
    }
    server.advance(TimeDelta::days(30));
    sweep::once(&server.app).await.expect("swept");
    assert_eq!(keys(server).await, 1);
    // The key of somebody who rotates at the same moment is used, too.
    let ctx = server.system();
    let (one, two) = tokio::join!(keypairs::rotate(&ctx, Former::Kept), keypairs::rotate(&ctx, Former::Kept));
    one.expect("rotated");
    two.expect("rotated");
    assert_eq!(server.number("SELECT count(*) FROM keypairs WHERE retired IS NULL").await, 1);
    works(server, &token(server, &pat).await).await;
}

async fn keys_are_kept_over_a_restart(server: &Server) {
    let first = server.another(|_| {}).await;
    let pat = first.pat(1, &[ALL]).await;
    let old = token(&first, &pat).await;
    rotate(&first).await;
    let new = token(&first, &pat).await;
    let second = first.stop().await.start_with(|_| {}).await.expect("the server starts");
    works(&second, &old).await;
    works(&second, &new).await;
    assert_eq!(kid(&token(&second, &pat).await), kid(&new));
    assert_eq!(keys(&second).await, 2);
    second.end().await;
}
