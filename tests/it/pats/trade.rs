//! The token endpoint: where the parameters are, and what comes back (contract: sailpoint-pat §7).

use super::ALL;
use crate::harness::{Answer, Client, Pat, Server, tests};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use chrono::TimeDelta;
use http::Method;
use serde_json::{Value, json};

tests![
    in_the_body,
    in_the_query,
    in_several_parts,
    in_query_and_body,
    by_basic,
    in_two_ways,
    contradictions,
    what_is_missing,
    other_grants,
    one_refusal_for_all,
    other_methods,
    other_bodies,
];

const TOKEN: &str = "/oauth/token";
const FORM: &str = "application/x-www-form-urlencoded";
const GRANT: &str = "grant_type=client_credentials";

async fn post(client: &Client, query: &str, form: &str) -> Answer {
    let target = if query.is_empty() { TOKEN.to_owned() } else { format!("{TOKEN}?{query}") };
    let draft = client.outside(Method::POST, &target);
    let draft = if form.is_empty() { draft } else { draft.header("content-type", FORM).body(form) };
    draft.send().await
}

async fn basic(server: &Server, pair: &str, query: &str, form: &str) -> Answer {
    let target = if query.is_empty() { TOKEN.to_owned() } else { format!("{TOKEN}?{query}") };
    let draft = server.anonymous().outside(Method::POST, &target).header("content-type", FORM).body(form);
    draft.header("authorization", format!("Basic {}", BASE64_STANDARD.encode(pair))).send().await
}

fn parts(pairs: &[(&str, &str)]) -> Vec<u8> {
    let part = |(name, value): &(&str, &str)| {
        format!("--xYz\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let all: String = pairs.iter().map(part).collect();
    format!("{all}--xYz--\r\n").into_bytes()
}

async fn multipart(client: &Client, query: &str, pairs: &[(&str, &str)]) -> Answer {
    let target = if query.is_empty() { TOKEN.to_owned() } else { format!("{TOKEN}?{query}") };
    let draft = client.outside(Method::POST, &target).header("content-type", "multipart/form-data; boundary=xYz");
    draft.body(parts(pairs)).send().await
}

#[track_caller]
fn good(answer: &Answer) -> Value {
    let body = answer.expect(200);
    assert_eq!(answer.header("content-type").expect("a type").split(';').next(), Some("application/json"));
    assert_eq!(body["token_type"], "bearer");
    body
}

#[track_caller]
fn bad(answer: &Answer, error: &str) {
    let body = answer.expect(400);
    assert_eq!(body["error"], error, "{}: {body}", answer.request);
    assert!(body["error_description"].as_str().is_some_and(|text| !text.is_empty()), "{body}");
}

#[track_caller]
fn refused(answer: &Answer) {
    answer.expect_body(401, &json!({"error": "invalid_client", "error_description": "Bad client credentials"}));
}

async fn in_the_body(server: &Server) {
    let pat = server.pat(1, &[ALL]).await;
    let client = server.anonymous();
    for grant in ["client_credentials", "CLIENT_CREDENTIALS", "Client_Credentials", "client%5Fcredentials"] {
        let form = format!("grant_type={grant}&client_id={}&client_secret={}&scope=x&unknown=1", pat.id, pat.secret);
        good(&post(&client, "", &form).await);
    }
    // Whatever else comes along.
    for (name, value) in [("accept", "text/html"), ("scope", ""), ("authorization", "Bearer old"), ("cookie", "a=b")] {
        let form = format!("{GRANT}&client_id={}&client_secret={}", pat.id, pat.secret);
        let draft = client.outside(Method::POST, TOKEN).header("content-type", format!("{FORM}; charset=UTF-8"));
        good(&draft.header(name, value).body(form).send().await);
    }
}

async fn in_the_query(server: &Server) {
    let pat = server.pat(1, &[ALL]).await;
    let query = format!("{GRANT}&client_id={}&client_secret={}", pat.id, pat.secret);
    good(&post(&server.anonymous(), &query, "").await);
    let draft = server.anonymous().outside(Method::POST, &format!("{TOKEN}?{query}"));
    good(&draft.header("content-type", FORM).body("").send().await);
    good(&multipart(&server.anonymous(), &query, &[]).await);
    good(&multipart(&server.anonymous(), &query, &[("x", "y")]).await);
}

async fn in_several_parts(server: &Server) {
    let pat = server.pat(1, &[ALL]).await;
    let client = server.anonymous();
    let pairs = [("grant_type", "client_credentials"), ("client_id", &pat.id), ("client_secret", &pat.secret)];
    good(&multipart(&client, "", &pairs).await);
    let mut reversed = pairs;
    reversed.reverse();
    good(&multipart(&client, "", &[&reversed[..], &[("scope", "")]].concat()).await);
    bad(&multipart(&client, "", &pairs[..2]).await, "invalid_request");
    bad(&multipart(&client, "", &[&pairs[..], &[("client_id", "other")]].concat()).await, "invalid_request");
    refused(&multipart(&client, "", &[pairs[0], pairs[1], ("client_secret", "x")]).await);
}

async fn in_query_and_body(server: &Server) {
    let pat = server.pat(1, &[ALL]).await;
    let client = server.anonymous();
    let (id, secret) = (format!("client_id={}", pat.id), format!("client_secret={}", pat.secret));
    // As the command line tool of the original does it.
    good(&post(&client, GRANT, &format!("{id}&{secret}")).await);
    good(&post(&client, &format!("{GRANT}&{id}"), &secret).await);
    good(&post(&client, &secret, &format!("{GRANT}&{id}")).await);
    good(&multipart(&client, GRANT, &[("client_id", &pat.id), ("client_secret", &pat.secret)]).await);
    // The same in both is no contradiction.
    let all = format!("{GRANT}&{id}&{secret}");
    good(&post(&client, &all, &all).await);
}

async fn by_basic(server: &Server) {
    let pat = server.pat(1, &[ALL]).await;
    let pair = format!("{}:{}", pat.id, pat.secret);
    good(&basic(server, &pair, "", GRANT).await);
    good(&basic(server, &pair, GRANT, "").await);
    good(&basic(server, &pair, "", &format!("{GRANT}&client_id={}", pat.id)).await);
    for wrong in
        [format!("{}:x", pat.id), format!("x:{}", pat.secret), ":".to_owned(), "none".to_owned(), format!("{pair}x")]
    {
        let answer = basic(server, &wrong, "", GRANT).await;
        refused(&answer);
        let challenge = answer.header("www-authenticate").expect("a challenge");
        assert!(challenge.starts_with("Basic"), "{challenge}");
    }
    bad(&basic(server, &pair, "", "").await, "invalid_request");
    bad(&basic(server, &pair, "", "grant_type=password").await, "unsupported_grant_type");
}

async fn in_two_ways(server: &Server) {
    let (pat, other) = (server.pat(1, &[ALL]).await, server.pat(1, &["x"]).await);
    let pair = format!("{}:{}", pat.id, pat.secret);
    for form in [
        format!("{GRANT}&client_id={}", other.id),
        format!("{GRANT}&client_id={}&client_secret={}", other.id, other.secret),
        format!("{GRANT}&client_secret={}", other.secret),
    ] {
        let answer = basic(server, &pair, "", &form).await;
        assert!(matches!(answer.status, 400 | 401), "{}", answer.text());
    }
}

async fn contradictions(server: &Server) {
    let (pat, other) = (server.pat(1, &[ALL]).await, server.pat(1, &["x"]).await);
    let client = server.anonymous();
    let all = format!("{GRANT}&client_id={}&client_secret={}", pat.id, pat.secret);
    for another in
        ["grant_type=password".to_owned(), format!("client_id={}", other.id), format!("client_secret={}", other.secret)]
    {
        bad(&post(&client, &another, &all).await, "invalid_request");
        bad(&post(&client, &all, &another).await, "invalid_request");
        bad(&post(&client, "", &format!("{all}&{another}")).await, "invalid_request");
        bad(&post(&client, "", &format!("{another}&{all}")).await, "invalid_request");
        bad(&post(&client, &format!("{all}&{another}"), "").await, "invalid_request");
    }
}

async fn what_is_missing(server: &Server) {
    let pat = server.pat(1, &[ALL]).await;
    let client = server.anonymous();
    let (id, secret) = (format!("client_id={}", pat.id), format!("client_secret={}", pat.secret));
    for form in [
        String::new(),
        GRANT.to_owned(),
        format!("{id}&{secret}"),
        format!("{GRANT}&{id}"),
        format!("{GRANT}&{secret}"),
        format!("{GRANT}&{id}&client_secret="),
        format!("{GRANT}&client_id=&{secret}"),
        format!("grant_type=&{id}&{secret}"),
        format!("GRANT_TYPE=client_credentials&{id}&{secret}"),
    ] {
        bad(&post(&client, "", &form).await, "invalid_request");
        bad(&post(&client, &form, "").await, "invalid_request");
    }
}

async fn other_grants(server: &Server) {
    let pat = server.pat(1, &[ALL]).await;
    for grant in [
        "password",
        "authorization_code",
        "refresh_token",
        "implicit",
        "urn:x",
        "client_credentials%20",
        "client-credentials",
    ] {
        let form = format!("grant_type={grant}&client_id={}&client_secret={}", pat.id, pat.secret);
        bad(&post(&server.anonymous(), "", &form).await, "unsupported_grant_type");
    }
}

async fn one_refusal_for_all(server: &Server) {
    let (ann, bob) = (server.person("ann").await, server.person("bob").await);
    let pat = server.pat(ann.pk, &[ALL]).await;
    let other = server.pat(bob.pk, &[ALL]).await;
    let ended = server
        .pat_with(ann.pk, &["x"], |new| {
            new.expires = chrono::DateTime::from_timestamp(1_767_323_100, 0);
            new.never_expires = false;
        })
        .await;
    server.trade(&ended).await.expect(200);
    server.advance(TimeDelta::days(1));
    super::set_active(server, bob.pk, false).await;
    let with = |id: &str, secret: &str| Pat { id: id.to_owned(), secret: secret.to_owned() };
    let dashed = uuid::Uuid::parse_str(&pat.id).expect("a UUID").to_string();
    for wrong in [
        with(&pat.id, &"0".repeat(64)),
        with(&pat.id, &pat.secret[..63]),
        with(&pat.id, &pat.secret.to_uppercase()),
        with(&pat.id, &format!("{}%20", pat.secret)),
        with(&pat.id, &other.secret),
        with(&pat.id, &ended.secret),
        with(&pat.id, &ann.key),
        with("00000000000040008000000000000000", &pat.secret),
        with(&dashed, &pat.secret),
        with(&pat.id.to_uppercase(), &pat.secret),
        with("%00", &pat.secret),
        with("ann", "x"),
        with(&"x".repeat(10_000), &"y".repeat(10_000)),
        ended,
        other,
    ] {
        let answer = server.trade(&wrong).await;
        refused(&answer);
        assert_eq!(answer.header("www-authenticate"), None, "nobody spoke of Basic");
    }
    server.trade(&pat).await.expect(200);
    super::set_active(server, bob.pk, true).await;
}

async fn other_methods(server: &Server) {
    let pat = server.pat(1, &[ALL]).await;
    let query = format!("{GRANT}&client_id={}&client_secret={}", pat.id, pat.secret);
    for method in [Method::GET, Method::HEAD, Method::PUT, Method::DELETE, Method::PATCH] {
        let answer = server.anonymous().outside(method.clone(), &format!("{TOKEN}?{query}")).send().await;
        answer.expect_status(405);
        assert!(answer.header("allow").is_some_and(|allow| allow.contains("POST")), "{method}");
        assert!(!answer.text().contains("access_token"));
    }
}

async fn other_bodies(server: &Server) {
    let pat = server.pat(1, &[ALL]).await;
    let body = json!({"grant_type": "client_credentials", "client_id": pat.id, "client_secret": pat.secret});
    for (mime, body) in [
        ("application/json", body.to_string()),
        ("text/plain", format!("{GRANT}&client_id={}&client_secret={}", pat.id, pat.secret)),
        ("multipart/form-data", "--x--".to_owned()),
        ("multipart/form-data; boundary=xYz", "--other\r\n\r\n".to_owned()),
        ("multipart/form-data; boundary=xYz", "--xYz\r\nContent-Disposition: form-data; name=\"gra".to_owned()),
        (FORM, "%ff%fe=%zz&&&===".to_owned()),
    ] {
        let draft = server.anonymous().outside(Method::POST, TOKEN).header("content-type", mime).body(body);
        bad(&draft.send().await, "invalid_request");
    }
    let form = format!("{GRANT}&client_id={}&client_secret={}&x={}", pat.id, pat.secret, "x".repeat(2 << 20));
    let draft = server.anonymous().outside(Method::POST, TOKEN).header("content-type", FORM).body(form);
    let answer = draft.untapped().send().await;
    assert!(matches!(answer.status, 400 | 413), "{}", answer.status);
}
