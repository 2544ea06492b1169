//! What an installation begins with.

use super::{BINDINGS, FLOWS, text};
use crate::harness::{BOOTSTRAP_PASSWORD, Server, tests};
use http::Method;
use serde_json::{Value, json};
use std::collections::BTreeMap;

tests![flows_and_their_stages, signing_in, made_once, fields_of_prompts];

async fn flows_and_their_stages(server: &Server) {
    let admin = server.admin();
    let page = admin.get(FLOWS).await.expect(200);
    let mut found = BTreeMap::new();
    for flow in page["results"].as_array().expect("a list") {
        let bindings = admin.get(&format!("{BINDINGS}?target={}", text(&flow["pk"]))).await.expect(200);
        let orders: Vec<i64> =
            bindings["results"].as_array().expect("a list").iter().filter_map(|b| b["order"].as_i64()).collect();
        found.insert(text(&flow["slug"]), (text(&flow["designation"]), text(&flow["authentication"]), orders));
    }
    let mut expected = BTreeMap::new();
    for (slug, designation, authentication, orders) in [
        ("default-authentication-flow", "authentication", "none", vec![10, 20, 30, 100]),
        ("default-invalidation-flow", "invalidation", "none", vec![0]),
        ("default-password-change", "stage_configuration", "require_authenticated", vec![0, 1]),
        ("default-user-settings-flow", "stage_configuration", "require_authenticated", vec![20, 100]),
        ("default-provider-authorization-explicit-consent", "authorization", "require_authenticated", vec![0]),
        ("default-provider-authorization-implicit-consent", "authorization", "require_authenticated", vec![]),
        ("default-source-authentication", "authentication", "require_unauthenticated", vec![0]),
        ("default-source-enrollment", "enrollment", "none", vec![0, 1, 2]),
        ("default-source-pre-authentication", "stage_configuration", "none", vec![]),
        ("default-recovery-flow", "recovery", "none", vec![30, 40, 100]),
    ] {
        expected.insert(slug.to_owned(), (designation.to_owned(), authentication.to_owned(), orders));
    }
    assert_eq!(found, expected);
    let stage =
        admin.get("/stages/password/?name=default-authentication-password").await.expect(200)["results"][0].clone();
    let change = admin.get(&format!("{FLOWS}default-password-change/")).await.expect(200);
    assert_eq!(stage["configure_flow"], change["pk"]);
    assert_eq!(stage["failed_attempts_before_cancel"], 5);
    assert_eq!(stage["backends"].as_array().map(Vec::len), Some(3));
}

/// Headless, as the contract describes it.
async fn signing_in(server: &Server) {
    let path = "/flows/executor/default-authentication-flow/?query=";
    let mut cookies: BTreeMap<String, String> = BTreeMap::new();
    let mut answers = vec![json!({"uid_field": "akadmin"}), json!({"password": BOOTSTRAP_PASSWORD})].into_iter();
    for _ in 0..8 {
        let jar = |cookies: &BTreeMap<String, String>| {
            cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
        };
        let shown = server.anonymous().request(Method::GET, path).header("cookie", jar(&cookies)).send().await;
        keep(&mut cookies, &shown);
        if shown.status == 302 {
            continue;
        }
        let shown = shown.expect(200);
        if shown["component"] == "xak-flow-redirect" {
            assert_eq!(shown["to"], "/");
            let me = server.anonymous().request(Method::GET, "/core/users/me/").header("cookie", jar(&cookies));
            assert_eq!(me.send().await.expect(200)["user"]["username"], "akadmin");
            return;
        }
        let answer: Value = answers.next().expect("no more questions");
        let draft = server.anonymous().request(Method::POST, path).header("cookie", jar(&cookies));
        let answer = draft.json(&answer).send().await;
        keep(&mut cookies, &answer);
        answer.expect_status(302);
    }
    panic!("it never ends");
}

fn keep(cookies: &mut BTreeMap<String, String>, answer: &crate::harness::Answer) {
    for line in answer.headers.get_all("set-cookie").iter().filter_map(|line| line.to_str().ok()) {
        let pair = line.split(';').next().unwrap_or_default();
        let Some((name, value)) = pair.split_once('=') else { continue };
        cookies.insert(name.to_owned(), value.to_owned());
    }
}

async fn made_once(server: &Server) {
    let server = server.another(|_| ()).await;
    let admin = server.admin();
    for slug in admin.get(FLOWS).await.expect_list("slug") {
        admin.delete(&format!("{FLOWS}{slug}/")).await.expect_empty(204);
    }
    for brand in admin.get("/core/brands/").await.expect_list("brand_uuid") {
        admin.delete(&format!("/core/brands/{brand}/")).await.expect_empty(204);
    }
    let server = server.stop().await.start_with(|_| ()).await.expect("it starts");
    assert_eq!(server.admin().get(FLOWS).await.expect_list("slug"), Vec::<String>::new());
    assert_eq!(server.admin().get("/core/brands/").await.expect_list("domain"), Vec::<String>::new());
    // As an older database has it.
    for table in ["stages", "policies", "prompts"] {
        server.sql(&format!("DELETE FROM {table}")).await;
    }
    server.sql("UPDATE installation SET defaults = 0").await;
    let server = server.stop().await.start_with(|_| ()).await.expect("it starts");
    assert_eq!(server.admin().get(FLOWS).await.expect_list("slug").len(), 10);
    server.end().await;
}

async fn fields_of_prompts(server: &Server) {
    let page =
        server.admin().get("/stages/prompt/prompts/?search=default-user-settings&ordering=order").await.expect(200);
    let told: Vec<_> = page["results"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|prompt| (text(&prompt["field_key"]), text(&prompt["type"]), prompt["order"].as_i64().unwrap_or_default()))
        .collect();
    let expected = [
        ("username", "username", 200),
        ("name", "text", 201),
        ("email", "email", 202),
        ("attributes.settings.locale", "ak-locale", 203),
    ];
    assert_eq!(told, expected.map(|(key, kind, order)| (key.to_owned(), kind.to_owned(), order)));
}
