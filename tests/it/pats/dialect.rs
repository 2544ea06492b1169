//! How this dialect is spoken: paths, methods, headers, and the two kinds of refusals (contract: sailpoint-pat §1, §8).

use super::{ALL, BETA, NOT_FOUND, V1, collections, get, make, refused};
use crate::harness::{Client, Server, tests};
use http::Method;
use serde_json::json;

tests![
    two_slashes,
    paths_that_are_none,
    paths_that_are_none_for_browsers,
    slashes_at_the_end,
    other_methods,
    allow_lists_what_is_answered,
    headers_that_do_not_matter,
    nobody,
    faults_in_two_languages,
    one_segment_is_decoded,
];

async fn two_slashes(server: &Server) {
    let pat = server.pat(1, &[ALL]).await;
    for slashes in ["/", "//", "///", "////////"] {
        let target = format!("{slashes}oauth/token");
        let form = format!("grant_type=client_credentials&client_id={}&client_secret={}", pat.id, pat.secret);
        let draft = server.anonymous().outside(Method::POST, &target);
        let draft = draft.header("content-type", "application/x-www-form-urlencoded").body(form);
        let traded = draft.send().await.expect(200);
        let api = server.with_key(traded["access_token"].as_str().expect("a token"));
        for (at, _) in collections() {
            let target = format!("{slashes}{}", &at[1..]);
            get(&api, &format!("{target}?owner-id=me")).await.expect(200);
        }
        let id = make(&api, slashes).await;
        super::patch(&api, &format!("{slashes}beta/personal-access-tokens"), &id, &json!([])).await.expect(200);
        server.anonymous().outside(Method::GET, &format!("{slashes}oauth/info")).send().await.expect(200);
    }
    // Only where the original's clients need it.
    server.admin().outside(Method::GET, "/api/v3/core/users/me/").send().await.expect(200);
    server.admin().outside(Method::GET, "//api/v3/core/users/me/").untapped().send().await.expect_status(404);
    // And at the beginning alone.
    let api = server.bearer(&pat).await;
    let inside = api.outside(Method::GET, "/beta//personal-access-tokens").untapped().send().await;
    inside.expect_code(404, NOT_FOUND);
}

async fn unknown(client: &Client, target: &str, accept: &str) -> crate::harness::Answer {
    client.outside(Method::GET, target).header("accept", accept).untapped().send().await
}

const PATHS: [&str; 12] = [
    "/beta/nothing",
    "/beta/",
    "/beta",
    "/beta/personal-access-token",
    "/beta/Personal-Access-Tokens",
    "/v3/accounts",
    "/v2024/x/y/z",
    "/v2025/personal-access-tokens/a/b",
    "/v2026/",
    "/personal-access-tokens",
    "/personal-access-tokens/v2",
    "/personal-access-tokens/v1/a/b",
];

async fn paths_that_are_none(server: &Server) {
    let api = server.api(1, &[ALL]).await;
    for path in PATHS {
        unknown(&api, path, "application/json").await.expect_code(404, NOT_FOUND);
    }
    unknown(&api, "/oauth/nothing", "application/json").await.expect_status(404);
}

/// Whatever is accepted: answers of an API are JSON.
async fn paths_that_are_none_for_browsers(server: &Server) {
    let api = server.api(1, &[ALL]).await;
    let mut pages = Vec::new();
    for path in PATHS {
        let answer = unknown(&api, path, "text/html,application/xhtml+xml,*/*;q=0.8").await;
        if answer.header("content-type").is_some_and(|mime| mime.starts_with("application/json")) {
            answer.expect_code(404, NOT_FOUND);
        } else {
            pages.push(path);
        }
    }
    assert!(pages.is_empty(), "these are answered with pages: {pages:?}");
}

async fn slashes_at_the_end(server: &Server) {
    let api = server.api(1, &[ALL]).await;
    let id = make(&api, "t").await;
    for (at, _) in collections() {
        for (method, target) in [
            (Method::GET, format!("{at}/")),
            (Method::POST, format!("{at}/")),
            (Method::DELETE, format!("{at}/")),
            (Method::DELETE, format!("{at}/{id}/")),
            (Method::PATCH, format!("{at}/{id}/")),
        ] {
            api.outside(method, &target).untapped().send().await.expect_code(404, NOT_FOUND);
        }
    }
    for target in ["/oauth/token/", "/oauth/info/"] {
        server.anonymous().outside(Method::POST, target).untapped().send().await.expect_status(404);
    }
    assert_eq!(super::shown(&api, &id).await["name"], "t");
}

async fn other_methods(server: &Server) {
    let api = server.api(1, &[ALL]).await;
    let id = make(&api, "t").await;
    for (at, _) in collections() {
        for (target, methods) in [
            (at.to_owned(), &[Method::PUT, Method::PATCH, Method::DELETE][..]),
            // There is no reading of one.
            (format!("{at}/{id}"), &[Method::GET, Method::PUT, Method::POST]),
        ] {
            for method in methods {
                let answer = api.outside(method.clone(), &target).untapped().send().await;
                let body = answer.expect(405);
                assert_eq!(body["trackingId"].as_str(), answer.header("x-authentik-id"), "{method} {target}: {body}");
                assert!(
                    answer.header("allow").is_some_and(|allow| !allow.contains(method.as_str())),
                    "{method} {target}"
                );
            }
        }
    }
    assert_eq!(super::shown(&api, &id).await["name"], "t");
    server.anonymous().outside(Method::POST, "/oauth/info").untapped().send().await.expect_status(405);
}

/// RFC 9110 §10.2.1: what `Allow` lists is answered.
async fn allow_lists_what_is_answered(server: &Server) {
    let api = server.api(1, &[ALL]).await;
    for target in [BETA.to_owned(), V1.to_owned(), format!("{BETA}/x"), "/oauth/token".to_owned()] {
        let answer = api.outside(Method::OPTIONS, &target).untapped().send().await;
        let allow = answer.header("allow").unwrap_or_default().to_owned();
        let listed = allow.split(',').any(|method| method.trim() == "OPTIONS");
        assert_eq!(listed, answer.status < 300, "{target}: {} with Allow: {allow}", answer.status);
    }
}

async fn headers_that_do_not_matter(server: &Server) {
    let api = server.api(1, &[ALL]).await;
    let target = format!("{BETA}?owner-id=me");
    let plain = get(&api, &target).await.expect(200);
    for (name, value) in [
        ("x-sailpoint-experimental", "true"),
        ("x-sailpoint-experimental", "false"),
        ("x-sailpoint-sdk", "typescript-1.4.15"),
        ("accept", "text/html"),
        ("accept", "application/xml"),
        ("accept", "application/json, text/plain, */*"),
        ("accept", "application/problem+json"),
        ("accept", "nonsense"),
        ("accept", "*/*;q=0"),
        ("accept", ""),
        ("accept-language", "de"),
        ("origin", "https://example.org"),
        ("x-http-method-override", "DELETE"),
        ("user-agent", "OpenAPI-Generator/1.4.2/python"),
    ] {
        let answer = api.outside(Method::GET, &target).header(name, value).send().await;
        assert_eq!(answer.expect(200), plain, "{name}: {value}");
        assert!(answer.header("content-type").is_some_and(|mime| mime.starts_with("application/json")));
        let draft = api.outside(Method::GET, BETA).header(name, value);
        draft.send().await.expect(200);
    }
}

async fn nobody(server: &Server) {
    let required = json!({"error": "JWT is required"});
    for (at, _) in collections() {
        let ways = [(Method::GET, at.to_owned()), (Method::POST, at.to_owned()), (Method::DELETE, format!("{at}/x"))];
        for (method, target) in ways {
            server.anonymous().outside(method.clone(), &target).send().await.expect_body(401, &required);
            for empty in ["", "Bearer", "Bearer ", "bearer", "Bearer    "] {
                let draft = server.anonymous().outside(method.clone(), &target).header("authorization", empty);
                let answer = draft.send().await;
                if !empty.is_empty() {
                    answer.expect_body(401, &required);
                }
                answer.expect_status(401);
            }
            for other in ["Bearer x", "Bearer a.b.c", "Basic eDp5", "Digest x", "Token x", "x"] {
                let draft = server.anonymous().outside(method.clone(), &target).header("authorization", other);
                refused(&draft.send().await, "invalid");
            }
        }
    }
    let draft = server.anonymous().outside(Method::GET, BETA).header("authorization", b"Bearer \xff\xfe");
    refused(&draft.send().await, "invalid");
}

/// The text is there twice, as the original has it, and the envelope's id is the request's.
async fn faults_in_two_languages(server: &Server) {
    let api = server.api(1, &[ALL]).await;
    let text = super::delete(&api, V1, "x").await.expect_code(404, NOT_FOUND);
    assert_eq!(text, "The server did not find a current representation for the target resource.");
    let poor = server.api(1, &["sp:scopes:default"]).await;
    let text = super::delete(&poor, V1, "x").await.expect_code(403, super::FORBIDDEN);
    assert_eq!(text, "The server understood the request but refuses to authorize it.");
    let answer = super::create(&api, V1, json!([])).await;
    let text = answer.expect_code(400, super::CONTENT);
    assert_eq!(text, "The request was syntactically correct but its content is semantically invalid.");
    let tracking = answer.json()["trackingId"].as_str().expect("text").to_owned();
    assert!(tracking.len() == 32 && tracking.bytes().all(|byte| byte.is_ascii_hexdigit()), "{tracking}");
    assert_eq!(answer.json().as_object().expect("an object").len(), 4);
}

async fn one_segment_is_decoded(server: &Server) {
    let api = server.api(1, &[ALL]).await;
    let id = make(&api, "t").await;
    // One segment, whatever is in it.
    for (target, status) in [
        (format!("{BETA}/{id}%2F"), 404),
        (format!("{BETA}/%2F{id}"), 404),
        (format!("{BETA}/x%2F{id}"), 404),
        (format!("{V1}/bulk-update%2F{id}"), 404),
        (format!("/beta%2Fpersonal-access-tokens/{id}"), 404),
    ] {
        api.outside(Method::DELETE, &target).untapped().send().await.expect_status(status);
    }
    let coded = format!("%{:02x}{}", id.as_bytes()[0], &id[1..]);
    super::delete(&api, BETA, &coded).await.expect_empty(204);
}
