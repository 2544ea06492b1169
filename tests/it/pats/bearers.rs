//! Bearer tokens: what is in them, and which are taken where (contract: sailpoint-pat §7, §8).

use super::{ALL, BETA, get, identity, refused};
use crate::harness::{Client, Pat, Server, tests};
use base64::{Engine as _, prelude::BASE64_STANDARD, prelude::BASE64_URL_SAFE_NO_PAD as URL};
use chrono::TimeDelta;
use http::Method;
use serde_json::{Value, json};
use tessera::secret::jwt::{Purpose, SigningKey};

tests![
    what_they_say,
    who_may_everything,
    tampered,
    signed_by_others,
    of_another_installation,
    they_end,
    not_elsewhere,
    nothing_else_here,
    written_in_any_case,
];

/// A bearer token as it is.
async fn token(server: &Server, pat: &Pat) -> String {
    server.trade(pat).await.expect(200)["access_token"].as_str().expect("a token").to_owned()
}

pub fn decoded(part: &str) -> Value {
    serde_json::from_slice(&URL.decode(part).expect("Base64")).expect("JSON")
}

pub fn parts(token: &str) -> [&str; 3] {
    let parts: Vec<&str> = token.split('.').collect();
    parts.try_into().expect("three parts")
}

async fn list(client: &Client) -> crate::harness::Answer {
    get(client, &format!("{BETA}?owner-id=me")).await
}

async fn what_they_say(server: &Server) {
    let ann = server.person_with("ann", json!({"name": "Ann"})).await;
    let pat = server.pat_with(ann.pk, &["sp:a", "sp:b"], |new| new.validity = Some(750)).await;
    let traded = server.trade(&pat).await.expect(200);
    let [header, claims, signature] = parts(traded["access_token"].as_str().expect("a token"));
    let header = decoded(header);
    assert_eq!((&header["alg"], &header["typ"]), (&json!("ES256"), &json!("pat+jwt")));
    assert!(header["kid"].as_str().is_some_and(|kid| !kid.is_empty()), "{header}");
    assert_eq!(URL.decode(signature).expect("Base64").len(), 64);
    let claims = decoded(claims);
    let expected = json!({
        "tenant_id": traded["tenant_id"], "pod": traded["pod"], "org": traded["org"],
        "identity_id": identity(server, ann.pk).await, "user_name": "ann", "strong_auth": false,
        "strong_auth_supported": false, "enabled": true, "internal": false, "authorities": [],
        "client_id": pat.id, "scope": ["sp:a", "sp:b"], "jti": traded["jti"],
        // 12 minutes 30 seconds after 03:04:05, a number.
        "exp": 1_767_323_045 + 750,
    });
    assert_eq!(claims, expected);
}

async fn who_may_everything(server: &Server) {
    let root = token(server, &server.pat(1, &[ALL]).await).await;
    assert_eq!(decoded(parts(&root)[1])["authorities"], json!(["ORG_ADMIN"]));
}

async fn tampered(server: &Server) {
    let pat = server.pat(1, &["sp:my-personal-access-tokens:read"]).await;
    let good = token(server, &pat).await;
    list(&server.with_key(&good)).await.expect(200);
    let [header, claims, signature] = parts(&good);
    let with = |change: &dyn Fn(&mut Value)| {
        let mut claims = decoded(claims);
        change(&mut claims);
        URL.encode(claims.to_string())
    };
    let more = with(&|claims| claims["scope"] = json!([ALL]));
    let longer = with(&|claims| claims["exp"] = json!(9_999_999_999_i64));
    let none = |alg: &str| URL.encode(json!({"alg": alg, "typ": "pat+jwt"}).to_string());
    let mut flipped = URL.decode(signature).expect("Base64");
    flipped[10] ^= 1;
    for bad in [
        format!("{header}.{more}.{signature}"),
        format!("{header}.{longer}.{signature}"),
        format!("{header}.{claims}.{}", URL.encode(&flipped)),
        format!("{header}.{claims}."),
        format!("{header}.{claims}"),
        format!("{header}.{claims}.{}", URL.encode([0; 64])),
        format!("{}.{claims}.", none("none")),
        format!("{}.{more}.", none("None")),
        format!("{}.{claims}.{signature}", none("NONE")),
        format!("{}.{claims}.{signature}", none("HS256")),
        format!("{header}.{claims}.{signature}.x"),
        format!("{header}.{claims}.{signature}="),
        format!("{good}x"),
        good[1..].to_owned(),
        "..".to_owned(),
        "x".repeat(5000),
        pat.secret.clone(),
        pat.id.clone(),
    ] {
        refused(&list(&server.with_key(&bad)).await, "invalid");
    }
    list(&server.with_key(&good)).await.expect(200);
}

async fn signed_by_others(server: &Server) {
    let pat = server.pat(1, &[ALL]).await;
    let good = token(server, &pat).await;
    let [header, claims, _] = parts(&good);
    let (header, claims) = (decoded(header), decoded(claims));
    let stranger = SigningKey::generate().expect("a key");
    let under_its_own_name =
        SigningKey::read(&stranger).expect("a key").sign(Purpose::PersonalAccess, &claims).expect("signed");
    refused(&list(&server.with_key(under_its_own_name.reveal())).await, "invalid");
    // Under the name of ours.
    let document = BASE64_STANDARD.decode(stranger.reveal()).expect("Base64");
    let key = jsonwebtoken::EncodingKey::from_ec_der(&document);
    let mut head = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::ES256);
    head.kid = header["kid"].as_str().map(str::to_owned);
    head.typ = header["typ"].as_str().map(str::to_owned);
    let forged = jsonwebtoken::encode(&head, &claims, &key).expect("signed");
    refused(&list(&server.with_key(&forged)).await, "invalid");
    // With what everybody knows for a secret.
    head.alg = jsonwebtoken::Algorithm::HS256;
    for secret in [head.kid.clone().expect("a name"), pat.id.clone(), pat.secret.clone(), "s".repeat(64)] {
        let key = jsonwebtoken::EncodingKey::from_secret(secret.as_bytes()).expect("a key");
        let forged = jsonwebtoken::encode(&head, &claims, &key).expect("signed");
        refused(&list(&server.with_key(&forged)).await, "invalid");
    }
    list(&server.with_key(&good)).await.expect(200);
}

/// Another installation knows neither our keys nor our tokens.
async fn of_another_installation(server: &Server) {
    let place = crate::harness::Place::empty(server.place.backend()).await;
    let other = place.start_with(|_| {}).await.expect("the server starts");
    let (here, there) = (server.pat(1, &[ALL]).await, other.pat(1, &[ALL]).await);
    let (ours, theirs) = (token(server, &here).await, token(&other, &there).await);
    refused(&list(&server.with_key(&theirs)).await, "invalid");
    refused(&list(&other.with_key(&ours)).await, "invalid");
    server.trade(&there).await.expect(401);
    list(&other.with_key(&theirs)).await.expect(200);
    other.end().await;
}

async fn they_end(server: &Server) {
    let pat = server.pat_with(1, &[ALL], |new| new.validity = Some(15)).await;
    let (used, unused) = (server.bearer(&pat).await, server.bearer(&pat).await);
    list(&used).await.expect(200);
    // It ends at 03:04:20; now it is 03:04:05.678901.
    server.advance(TimeDelta::milliseconds(14_321));
    list(&used).await.expect(200);
    server.advance(TimeDelta::milliseconds(1));
    for client in [&used, &unused] {
        refused(&list(client).await, "expired");
        refused(&get(client, "/personal-access-tokens/v1").await, "expired");
    }
    server.advance(TimeDelta::days(10));
    refused(&list(&used).await, "expired");
    list(&server.bearer(&pat).await).await.expect(200);
}

/// Keys of one dialect are none of the other's, also when they were just seen there.
async fn not_elsewhere(server: &Server) {
    let api = server.api(1, &[ALL]).await;
    for _ in 0..2 {
        api.get("/core/users/me/").await.expect_detail(403, "Token invalid/expired");
        list(&api).await.expect(200);
        api.get("/core/users/").await.expect_detail(403, "Token invalid/expired");
    }
    let pat = server.pat(1, &["x"]).await;
    for secret in [&pat.id, &pat.secret] {
        server.with_key(secret).get("/core/users/me/").await.expect_detail(403, "Token invalid/expired");
    }
}

async fn nothing_else_here(server: &Server) {
    let ann = server.person("ann").await;
    for _ in 0..2 {
        for (at, _) in super::collections() {
            refused(&get(&ann.client, &format!("{at}?owner-id=me")).await, "invalid");
            refused(&get(&server.admin(), at).await, "invalid");
        }
        ann.client.get("/core/users/me/").await.expect(200);
        server.admin().get("/core/users/me/").await.expect(200);
    }
}

async fn written_in_any_case(server: &Server) {
    let pat = server.pat(1, &[ALL]).await;
    let good = token(server, &pat).await;
    let target = format!("{BETA}?owner-id=me");
    for value in [format!("bearer {good}"), format!("BEARER {good}"), format!("Bearer   {good}")] {
        let draft = server.anonymous().outside(Method::GET, &target).header("authorization", &value);
        draft.send().await.expect(200);
    }
    for value in [good.clone(), format!("Token {good}"), format!("Basic {good}"), format!("Bearer {good} {good}")] {
        let draft = server.anonymous().outside(Method::GET, &target).header("authorization", &value);
        refused(&draft.send().await, "invalid");
    }
}
