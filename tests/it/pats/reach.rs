//! Nobody reaches further through what he makes, and nothing made while he is shut out is left (docs/compatibility.md,
//! "Safer than the original").

use super::{
    ALL, ALL_MANAGE, BETA, BULK, FORBIDDEN, MY_MANAGE, MY_READ, V1, create, delete, get, patch, replace, set_active,
};
use crate::harness::{Client, Pat, Server, tests};
use http::Method;
use serde_json::{Value, json};

tests![
    what_a_narrow_token_makes_is_narrow,
    a_narrow_token_does_not_widen_itself,
    a_wide_one_takes_the_bound_away,
    scopes_without_worth_are_anybodys,
    superusers_tokens_are_out_of_reach,
    nothing_is_made_after_a_deletion,
    nothing_is_made_after_a_deactivation,
    the_trail_names_the_credential,
    an_owner_who_goes_takes_them_along,
    queries_are_short_and_hold_no_secret,
    acting_as_somebody_else,
];

fn pat_of(made: &Value) -> Pat {
    let text = |name: &str| made[name].as_str().expect("text").to_owned();
    Pat { id: text("id"), secret: text("secret") }
}

/// What a bearer token of this one is good for, as the token endpoint tells.
async fn reach(server: &Server, pat: &Pat) -> String {
    server.trade(pat).await.expect(200)["scope"].as_str().expect("text").to_owned()
}

async fn lists_all(client: &Client) -> bool {
    get(client, BETA).await.status == 200
}

async fn what_a_narrow_token_makes_is_narrow(server: &Server) {
    let narrow = server.api(1, &[MY_MANAGE]).await;
    for (name, asked, reached) in [
        ("left out", json!(null), MY_MANAGE),
        ("all", json!([ALL]), MY_MANAGE),
        ("everybody's", json!([ALL_MANAGE]), ""),
        ("less", json!([MY_READ]), MY_READ),
    ] {
        let made = create(&narrow, BETA, json!({"name": name, "scope": asked})).await.expect(200);
        // Shown as it was sent, as the contract has it for scopes out of reach.
        assert_eq!(made["scope"], if asked.is_null() { json!([ALL]) } else { asked });
        let pat = pat_of(&made);
        assert_eq!(reach(server, &pat).await, reached, "{name}");
        assert!(!lists_all(&server.bearer(&pat).await).await, "{name}");
    }
    let wide = server.api(1, &[ALL]).await;
    let made = create(&wide, BETA, json!({"name": "wide"})).await.expect(200);
    assert!(lists_all(&server.bearer(&pat_of(&made)).await).await);
}

async fn a_narrow_token_does_not_widen_itself(server: &Server) {
    let pat = server.pat(1, &[MY_MANAGE]).await;
    let narrow = server.bearer(&pat).await;
    let wider = json!([replace("scope", json!([ALL]))]);
    assert_eq!(patch(&narrow, BETA, &pat.id, &wider).await.expect(200)["scope"], json!([ALL]));
    assert_eq!(reach(server, &pat).await, MY_MANAGE);
    assert!(!lists_all(&server.bearer(&pat).await).await);
    // Nor through one that it makes, nor through another that is there.
    let other = server.pat_with(1, &[MY_READ], |new| new.name = "other".into()).await;
    patch(&narrow, BETA, &other.id, &wider).await.expect(200);
    assert_eq!(reach(server, &other).await, MY_MANAGE);
    // A name alone changes nothing of it.
    patch(&narrow, BETA, &other.id, &json!([replace("name", "renamed")])).await.expect(200);
    assert_eq!(reach(server, &other).await, MY_MANAGE);
}

async fn a_wide_one_takes_the_bound_away(server: &Server) {
    let narrow = server.api(1, &[MY_MANAGE]).await;
    let pat = pat_of(&create(&narrow, BETA, json!({"name": "bound"})).await.expect(200));
    let live = server.bearer(&pat).await;
    let wide = server.api(1, &[ALL]).await;
    patch(&wide, BETA, &pat.id, &json!([replace("scope", json!([ALL_MANAGE]))])).await.expect(200);
    assert_eq!(reach(server, &pat).await, ALL_MANAGE);
    assert!(lists_all(&server.bearer(&pat).await).await);
    assert!(!lists_all(&live).await, "what was issued before is worth no more");
}

async fn scopes_without_worth_are_anybodys(server: &Server) {
    let narrow = server.api(1, &[MY_MANAGE]).await;
    let body = json!({"name": "custom", "scope": ["idn:accounts:read", "sp:scopes:default"]});
    let pat = pat_of(&create(&narrow, BETA, body).await.expect(200));
    assert_eq!(reach(server, &pat).await, "idn:accounts:read sp:scopes:default");
}

async fn superusers_tokens_are_out_of_reach(server: &Server) {
    let codes = ["view_token", "change_token", "delete_token"].map(|code| format!("authentik_core.{code}"));
    let clerk = server.holder_of("clerk", &codes.each_ref().map(String::as_str)).await;
    let clerk = server.api(clerk.pk, &[ALL]).await;
    let person = server.person("ann").await;
    let (theirs, hers) = (server.pat(1, &[ALL]).await, server.pat(person.pk, &[ALL]).await);
    let later = |ids: Value| json!({"ids": ids, "patch": [replace("expirationDate", "2027-01-01T00:00:00Z")]});
    let bulk = async |ids: Value| clerk.outside(Method::PATCH, BULK).json(&later(ids)).send().await;
    bulk(json!([hers.id])).await.expect(200);
    bulk(json!([theirs.id])).await.expect_code(403, FORBIDDEN);
    bulk(json!([hers.id, theirs.id])).await.expect_code(403, FORBIDDEN);
    delete(&clerk, BETA, &theirs.id).await.expect_code(403, FORBIDDEN);
    delete(&clerk, BETA, &hers.id).await.expect_empty(204);
    server.trade(&theirs).await.expect(200);
    let root = server.api(1, &[MY_MANAGE, ALL_MANAGE]).await;
    delete(&root, BETA, &theirs.id).await.expect_empty(204);
}

/// How often `make` succeeds beside `end`, and what it has left; `end` is answered before the last of them.
async fn beside(server: &Server, api: &Client, end: impl Future<Output = ()>) -> usize {
    let made = |n: usize| async move {
        create(api, V1, json!({"name": format!("late {n}"), "userAwareTokenNeverExpires": true})).await
    };
    let before = server.number("SELECT count(*) FROM personal_access_tokens").await;
    let (_, answers) = tokio::join!(end, futures_util::future::join_all((0..6).map(made)));
    for answer in &answers {
        assert!(matches!(answer.status, 200 | 401), "{} {}", answer.status, answer.text());
    }
    let made = answers.iter().filter(|answer| answer.status == 200).count();
    let after = server.number("SELECT count(*) FROM personal_access_tokens").await;
    let gone = before + i64::try_from(made).expect("few") - after;
    assert!(matches!(gone, 0 | 1), "what was answered is what there is");
    made
}

async fn nothing_is_made_after_a_deletion(server: &Server) {
    for round in 0..8 {
        let owner = server.person(&format!("owner-{round}")).await;
        let doomed = server.pat(owner.pk, &[ALL]).await;
        let api = server.bearer(&doomed).await;
        let root = server.pat_with(1, &[ALL], |new| new.name = format!("root {round}")).await;
        let root = server.bearer(&root).await;
        let end = async {
            delete(&root, BETA, &doomed.id).await.expect_empty(204);
            // From here on nothing is made: what there is now is what there will be.
            let count = "SELECT count(*) FROM personal_access_tokens WHERE name LIKE 'late%'";
            let then = server.number(count).await;
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            assert_eq!(server.number(count).await, then, "made after the deletion was answered");
        };
        beside(server, &api, end).await;
        server.sql("DELETE FROM personal_access_tokens").await;
    }
}

async fn nothing_is_made_after_a_deactivation(server: &Server) {
    for round in 0..8 {
        let owner = server.person(&format!("owner-{round}")).await;
        let api = server.api(owner.pk, &[ALL]).await;
        let end = async {
            set_active(server, owner.pk, false).await;
            let count = "SELECT count(*) FROM personal_access_tokens";
            let then = server.number(count).await;
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            assert_eq!(server.number(count).await, then, "made after the deactivation was answered");
        };
        beside(server, &api, end).await;
        server.sql("DELETE FROM personal_access_tokens").await;
    }
}

async fn the_trail_names_the_credential(server: &Server) {
    let pat = server.pat(1, &[ALL]).await;
    let api = server.bearer(&pat).await;
    let mark = server.mark().await;
    create(&api, BETA, json!({"name": "made"})).await.expect(200);
    let events = server.events_since(&mark).await;
    assert_eq!(events[0].context["client_id"], json!(pat.id));
}

async fn an_owner_who_goes_takes_them_along(server: &Server) {
    let ann = server.person("ann").await;
    let pat = server.pat(ann.pk, &[ALL]).await;
    let api = server.bearer(&pat).await;
    let mark = server.mark().await;
    server.admin().delete(&format!("/core/users/{}/", ann.pk)).await.expect_empty(204);
    assert_eq!(super::named_events(server, &mark).await, [super::event("DELETED")]);
    get(&api, BETA).await.expect(401);
    server.trade(&pat).await.expect(401);
}

async fn queries_are_short_and_hold_no_secret(server: &Server) {
    let pat = server.pat(1, &[ALL]).await;
    let token = server.trade(&pat).await.expect(200)["access_token"].as_str().expect("a token").to_owned();
    let api = server.with_key(&token);
    let mark = server.mark().await;
    let target = format!("{BETA}?jwt={token}&x={}&note=hello", pat.secret);
    create(&api, &target, json!({"name": "one"})).await.expect(200);
    create(&api, &format!("{BETA}?x={}", "y".repeat(20_000)), json!({"name": "two"})).await.expect(200);
    let agent = "z".repeat(20_000);
    let draft = api.outside(Method::POST, BETA).header("user-agent", &agent).json(&json!({"name": "three"}));
    draft.send().await.expect(200);
    let events = server.events_since(&mark).await;
    let text = format!("{events:?}");
    assert!(!text.contains(&token) && !text.contains(&pat.secret), "{text}");
    assert!(text.contains("hello"));
    assert!(text.len() < 12_000, "{} characters", text.len());
}

async fn acting_as_somebody_else(server: &Server) {
    let ann = server.person("ann").await;
    let browser = server.browser(1).await;
    browser.post(&format!("/core/users/{}/impersonate/", ann.pk), &json!({"reason": "help"})).await;
    assert_eq!(browser.whose().await.as_deref(), Some("ann"));
    for form in ["do=make-pat&name=lasting&life=0&scope=sp%3Ascopes%3Aall", "do=make-token&name=lasting&intent=api"] {
        let draft = browser.page(Method::POST, "/if/user/tokens/");
        let csrf = &browser.csrf;
        let form = format!("csrf={csrf}&{form}");
        draft.header("content-type", "application/x-www-form-urlencoded").body(form).send().await.expect_status(403);
    }
    assert_eq!(server.number("SELECT count(*) FROM personal_access_tokens").await, 0);
    assert_eq!(server.number("SELECT count(*) FROM tokens WHERE identifier = 'lasting'").await, 0);
}
