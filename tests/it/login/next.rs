//! Where a flow leads: only ever to this server (contract: authentik-core §6.3).

use super::{LOGIN, LOGOUT, PASSWORD, account, asks, attempt, build_with, denies, leads, stage};
use crate::harness::{Server, tests};
use serde_json::json;

tests![
    addresses_here,
    addresses_elsewhere,
    the_query_of_the_page_is_kept,
    a_query_that_is_written_otherwise,
    a_flow_that_is_not_for_the_visitor,
    after_signing_out,
];

async fn addresses_here(server: &Server) {
    account(server, "ann").await;
    for (query, to) in [
        ("next=/if/user/", "/if/user/"),
        ("next=/a&next=/b", "/b"),
        ("next=/a?b=c%26d%3De%23f", "/a?b=c&d=e#f"),
        ("next=/\\evil.example", "/%5Cevil.example"),
        ("next=/a\\b", "/a%5Cb"),
        ("next=/a//b", "/a//b"),
        ("other=x", "/"),
        ("next=/https://evil.example", "/https://evil.example"),
    ] {
        let browser = server.visitor();
        let flow = browser.flow_with(LOGIN, query);
        // The query is written anew on the way, so the redirect may be a challenge.
        let mut challenge = json!({});
        for body in [json!({"uid_field": "ann"}), json!({"password": PASSWORD})] {
            let answer = flow.post(&body).await;
            challenge = if answer.status == 302 { flow.settled(answer).await } else { answer.expect(200) };
            for _ in 0..5 {
                let own = challenge["to"].as_str().is_some_and(|to| to.starts_with("/api/v3/flows/executor/"));
                if challenge["component"] == "xak-flow-redirect" && own {
                    challenge = flow.settled(flow.get().await).await;
                }
            }
        }
        leads(&challenge, to);
        assert_eq!(browser.who().await.as_deref(), Some("ann"), "{query}");
    }
}

async fn addresses_elsewhere(server: &Server) {
    account(server, "ann").await;
    for next in [
        "https://evil.example/",
        "http://evil.example",
        "HTTPS://evil.example",
        "//evil.example",
        "///evil.example",
        "javascript:alert(1)",
        "data:text/html,x",
        "evil.example",
        "if/user/",
        "\\\\evil.example",
        "",
        " /a",
        "%09//evil.example",
        "/%09/evil.example",
        "/%0A/evil.example",
        "/%0D%0ALocation:%20https://evil.example",
        "/%00",
    ] {
        let browser = server.visitor();
        let flow = browser.flow_with(LOGIN, &format!("next={}", next.replace(' ', "%20")));
        let mut challenge = json!({});
        for body in [json!({"uid_field": "ann"}), json!({"password": PASSWORD})] {
            let answer = flow.post(&body).await;
            challenge = if answer.status == 302 { flow.settled(answer).await } else { answer.expect(200) };
            for _ in 0..5 {
                let own = challenge["to"].as_str().is_some_and(|to| to.starts_with("/api/v3/flows/executor/"));
                if challenge["component"] == "xak-flow-redirect" && own {
                    challenge = flow.settled(flow.get().await).await;
                }
            }
        }
        denies(&challenge, "Invalid next URL");
        assert!(!challenge.to_string().contains("evil"), "{challenge}");
    }
}

async fn the_query_of_the_page_is_kept(server: &Server) {
    account(server, "ann").await;
    let browser = server.visitor();
    let flow = browser.flow_with(LOGIN, "a=1&next=%2Fif%2Fuser%2F&b=x+y");
    // Redirects to the very same address are asserted on the way.
    leads(&attempt(&flow, "ann", PASSWORD).await, "/if/user/");
    // Another query on the next request counts then, and not the first one.
    let browser = server.visitor();
    super::named(&browser.flow_with(LOGIN, "next=%2Ffirst"), "ann").await;
    leads(&browser.flow_with(LOGIN, "next=%2Fsecond").answered(json!({"password": PASSWORD})).await, "/second");
}

/// Written anew it is another address, so a redirect to it might go round in a circle.
async fn a_query_that_is_written_otherwise(server: &Server) {
    account(server, "ann").await;
    for (given, anew) in [
        ("?query=next%3d%2fa", "?query=next%3D%2Fa"),
        ("?query=next%3D/a", "?query=next%3D%2Fa"),
        ("?query=a&query=b", "?query=b"),
    ] {
        let browser = server.visitor();
        let path = format!("/api/v3/flows/executor/{LOGIN}/");
        let draft = browser.outside(http::Method::POST, &format!("{path}{given}")).json(&json!({"uid_field": "ann"}));
        let answer = browser.send(draft).await.expect(200);
        leads(&answer, &format!("{path}{anew}"));
        // The stage is done all the same.
        asks(browser.flow(LOGIN).shown().await, "ak-stage-password");
    }
    // Without any query it is the same address.
    let browser = server.visitor();
    let target = format!("/api/v3/flows/executor/{LOGIN}/");
    let draft = browser.outside(http::Method::POST, &target).json(&json!({"uid_field": "ann"}));
    let answer = browser.send(draft).await;
    answer.expect_status(302);
    assert_eq!(answer.header("location"), Some(&*target));
}

async fn a_flow_that_is_not_for_the_visitor(server: &Server) {
    let dummy = stage(server, "dummy", "dummy", json!({})).await;
    for action in ["message", "message_continue", "continue"] {
        let slug = action.replace('_', "-");
        let fields = json!({
            "designation": "stage_configuration", "authentication": "require_authenticated", "denied_action": action,
        });
        build_with(server, &slug, fields, json!({}), &[&dummy]).await;
        let end = server.visitor().flow(&slug).shown().await;
        if action == "continue" {
            leads(&end, "/");
        } else {
            denies(&end, "Flow does not apply to current user.");
        }
        for next in ["https://evil.example", "//evil.example", "javascript:x"] {
            let browser = server.visitor();
            let target = format!("/api/v3/flows/executor/{slug}/?query=&next={next}");
            let end = browser.send(browser.outside(http::Method::GET, &target)).await.expect(200);
            assert!(!end.to_string().contains("evil") && !end.to_string().contains("javascript"), "{end}");
        }
    }
}

async fn after_signing_out(server: &Server) {
    account(server, "ann").await;
    let browser = super::signed_in(server, "ann", PASSWORD).await;
    let end = browser.flow_with(LOGOUT, "next=https%3A%2F%2Fevil.example%2F").shown().await;
    assert!(!end.to_string().contains("evil"), "{end}");
    assert_eq!(browser.who().await, None);
}
