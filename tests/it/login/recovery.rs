//! Recovery links (contract: authentik-core §3.3, §6.7): for one flow, once, and not for long.

use super::{
    LOGIN, OTHER, PASSWORD, account, account_with, asks, attempt, build, choose_password, denies, fault, faults,
    gets_in, identification, leads, named, signed_in, stage,
};
use crate::{
    bindings::{bind, dummy, pk, policy},
    harness::{SESSION, Server, Visitor, tests},
};
use chrono::TimeDelta;
use serde_json::{Value, json};

tests![
    without_a_flow_there_is_no_link,
    a_link_leads_to_a_new_password,
    a_link_is_good_once,
    a_link_ends,
    a_link_is_given_again_while_it_is_good,
    a_link_for_another_flow_is_none,
    keys_that_are_no_links,
    the_shipped_flow_is_entered_with_a_link_only,
    a_link_in_the_browser_of_another,
    an_account_that_may_not_get_in,
    a_flow_that_is_not_for_the_account,
    who_may_hand_out_links,
    a_link_outlives_no_new_password,
    a_recovered_password_ends_the_sessions,
    a_link_is_nobodys_token,
    an_expired_password_is_recovered,
    mail_that_cannot_be_sent,
];

const RECOVERY: &str = "default-recovery-flow";

/// The default brand: its key, and its recovery flow's.
async fn brand(server: &Server) -> (String, Value) {
    let brands = server.admin().get("/core/brands/?default=true").await.expect(200);
    let brand = &brands["results"][0];
    (brand["brand_uuid"].as_str().expect("a key").to_owned(), brand["flow_recovery"].clone())
}

/// Makes a flow that of the brand.
async fn recovers_by(server: &Server, flow: Value) {
    let (brand, _) = brand(server).await;
    server.admin().patch(&format!("/core/brands/{brand}/"), &json!({"flow_recovery": flow})).await.expect(200);
}

async fn shipped_key(server: &Server) -> String {
    pk(&server.admin().get(&format!("/flows/instances/{RECOVERY}/")).await.expect(200))
}

/// A recovery link for an account, by the shipped flow: the flow's slug and the key.
pub async fn link(server: &Server, user: i64) -> (String, String) {
    if brand(server).await.1.is_null() {
        recovers_by(server, shipped_key(server).await.into()).await;
    }
    handed_out(server, user).await
}

async fn handed_out(server: &Server, user: i64) -> (String, String) {
    let made = server.admin().post(&format!("/core/users/{user}/recovery/"), &json!({})).await.expect(200);
    let link = made["link"].as_str().expect("a link");
    let begin = format!("http://{}/if/flow/", server.address());
    let (slug, key) = link.strip_prefix(&begin).and_then(|rest| rest.split_once("/?flow_token=")).expect(link);
    (slug.to_owned(), key.to_owned())
}

fn both(password: &str) -> Value {
    json!({"password": password, "password_repeat": password})
}

fn query(key: &str) -> String {
    format!("flow_token={key}")
}

async fn without_a_flow_there_is_no_link(server: &Server) {
    let ann = account(server, "ann").await;
    recovers_by(server, Value::Null).await;
    let refused = server.admin().post(&format!("/core/users/{ann}/recovery/"), &json!({})).await;
    refused.expect_body(400, &json!({"non_field_errors": "No recovery flow set."}));
    server.admin().post("/core/users/424242/recovery/", &json!({})).await.expect_missing();
}

async fn a_link_leads_to_a_new_password(server: &Server) {
    let ann = account(server, "ann").await;
    let (slug, key) = link(server, ann).await;
    assert!(key.len() >= 32, "{key}");
    let (browser, mark) = (server.visitor(), server.mark().await);
    let flow = browser.flow_with(&slug, &query(&key));
    let first = asks(flow.shown().await, "ak-stage-prompt");
    assert!(first["fields"].as_array().is_some_and(|fields| fields.iter().all(|f| f["initial_value"] != PASSWORD)));
    assert_eq!(browser.who().await, None);
    let again = flow.answered(json!({"password": OTHER, "password_repeat": PASSWORD})).await;
    faults(&again, fault("non_field_errors", "Passwords don't match.", "invalid"));
    // The parameter may stay where it is; it is taken once.
    let end = flow.answered(both(OTHER)).await;
    leads(&end, "/");
    assert!(!gets_in(server, "ann", PASSWORD).await);
    assert!(gets_in(server, "ann", OTHER).await);
    let events = server.events_since(&mark).await;
    assert!(events.iter().any(|event| event.action == "password_set"), "{events:?}");
    assert!(events.iter().any(|event| event.action == "user_write"), "{events:?}");
    let text = server.events_text().await;
    assert!(!text.contains(&key) && !text.contains(OTHER), "the events hold a secret");
}

async fn a_link_is_good_once(server: &Server) {
    let ann = account(server, "ann").await;
    let (slug, key) = link(server, ann).await;
    let first = server.visitor();
    asks(first.flow_with(&slug, &query(&key)).shown().await, "ak-stage-prompt");
    // Somebody else with the same link begins like everybody: where a link is needed, not at all.
    let second = server.visitor();
    let shown = second.flow_with(&slug, &query(&key)).shown().await;
    assert_ne!(shown["component"], "ak-stage-prompt", "{shown}");
    second.flow_with(&slug, &query(&key)).answered(both("Thief-Horse-Battery-9")).await;
    assert!(!gets_in(server, "ann", "Thief-Horse-Battery-9").await);
    // The first one goes on.
    leads(&first.flow_with(&slug, &query(&key)).answered(both(OTHER)).await, "/");
    assert!(gets_in(server, "ann", OTHER).await);
    // After the end it begins anew for him, too.
    let later = server.visitor().flow_with(&slug, &query(&key)).shown().await;
    assert_ne!(later["component"], "ak-stage-prompt", "{later}");
}

async fn a_link_ends(server: &Server) {
    let ann = account(server, "ann").await;
    let (slug, key) = link(server, ann).await;
    server.advance(TimeDelta::minutes(30) + TimeDelta::seconds(1));
    let shown = server.visitor().flow_with(&slug, &query(&key)).shown().await;
    assert_ne!(shown["component"], "ak-stage-prompt", "{shown}");
    // The next one is another one, and just within its time.
    let (slug, other) = handed_out(server, ann).await;
    assert_ne!(other, key);
    server.advance(TimeDelta::minutes(29));
    asks(server.visitor().flow_with(&slug, &query(&other)).shown().await, "ak-stage-prompt");
}

async fn a_link_is_given_again_while_it_is_good(server: &Server) {
    let (ann, bob) = (account(server, "ann").await, account(server, "bob").await);
    let (slug, key) = link(server, ann).await;
    server.advance(TimeDelta::minutes(20));
    assert_eq!(handed_out(server, ann).await.1, key);
    assert_ne!(handed_out(server, bob).await.1, key);
    server.advance(TimeDelta::minutes(11));
    // Giving it again did not give it more time.
    let shown = server.visitor().flow_with(&slug, &query(&key)).shown().await;
    assert_ne!(shown["component"], "ak-stage-prompt", "{shown}");
}

async fn a_link_for_another_flow_is_none(server: &Server) {
    let ann = account(server, "ann").await;
    let (slug, key) = link(server, ann).await;
    let browser = server.visitor();
    asks(browser.flow_with(LOGIN, &query(&key)).shown().await, "ak-stage-identification");
    assert_eq!(browser.who().await, None);
    // It was not used up.
    leads(&server.visitor().flow_with(&slug, &query(&key)).answered(both(OTHER)).await, "/");
    assert!(gets_in(server, "ann", OTHER).await);
}

async fn keys_that_are_no_links(server: &Server) {
    let ann = account(server, "ann").await;
    let person = server.person("bob").await;
    let (slug, key) = link(server, ann).await;
    let app = json!({"identifier": "app", "intent": "app_password", "user": ann, "expiring": false});
    server.admin().post("/core/tokens/", &app).await.expect(201);
    let app = server.key_of("app").await;
    for wrong in ["", "zz", &key[1..], &format!("{key}x"), &key.to_uppercase(), &person.key, &app, "%00", "' OR 1=1"] {
        let browser = server.visitor();
        let shown = browser.flow_with(&slug, &query(wrong)).shown().await;
        assert_ne!(shown["component"], "ak-stage-prompt", "{wrong}: {shown}");
        assert!(wrong.is_empty() || !shown.to_string().contains(wrong), "{shown}");
        // And where the flow is open to everybody, it begins as for everybody.
        asks(browser.flow_with(LOGIN, &query(wrong)).shown().await, "ak-stage-identification");
    }
}

async fn the_shipped_flow_is_entered_with_a_link_only(server: &Server) {
    account(server, "ann").await;
    for browser in [server.visitor(), signed_in(server, "ann", PASSWORD).await] {
        let shown = asks(browser.flow(RECOVERY).shown().await, "ak-stage-access-denied");
        assert!(!shown["error_message"].as_str().expect("a text").is_empty());
        let end = browser.flow(RECOVERY).answered(both(OTHER)).await;
        asks(end, "ak-stage-access-denied");
    }
    assert!(gets_in(server, "ann", PASSWORD).await);
    assert!(!gets_in(server, "ann", OTHER).await);
    // So nobody is shown the way to it.
    let challenge = named(&server.visitor().flow(LOGIN), "ann").await;
    assert!(challenge.get("recovery_url").is_none(), "{challenge}");
}

/// Somebody who has signed in opens a link that is for another account.
async fn a_link_in_the_browser_of_another(server: &Server) {
    let ann = account(server, "ann").await;
    account(server, "bob").await;
    let (slug, key) = link(server, ann).await;
    let browser = signed_in(server, "bob", PASSWORD).await;
    let old = browser.cookie(SESSION);
    let flow = browser.flow_with(&slug, &query(&key));
    asks(flow.shown().await, "ak-stage-prompt");
    leads(&flow.answered(both(OTHER)).await, "/");
    assert!(gets_in(server, "ann", OTHER).await);
    assert!(gets_in(server, "bob", PASSWORD).await, "Bob's password is his own");
    let who = browser.who().await;
    assert!(
        who.as_deref() == Some("ann") && browser.cookie(SESSION) != old || who.as_deref() == Some("bob"),
        "{who:?}"
    );
}

async fn an_account_that_may_not_get_in(server: &Server) {
    let ann = account_with(server, "ann", json!({})).await;
    let (slug, key) = link(server, ann).await;
    server.admin().patch(&format!("/core/users/{ann}/"), &json!({"is_active": false})).await.expect(200);
    let browser = server.visitor();
    let flow = browser.flow_with(&slug, &query(&key));
    let shown = flow.shown().await;
    assert_ne!(shown["component"], "ak-stage-prompt", "{shown}");
    flow.answered(both(OTHER)).await;
    assert_eq!(browser.who().await, None);
    server.admin().patch(&format!("/core/users/{ann}/"), &json!({"is_active": true})).await.expect(200);
    assert!(!gets_in(server, "ann", OTHER).await);
    // Deactivated in the middle, it writes nothing and lets nobody in.
    let (slug, key) = handed_out(server, ann).await;
    let flow = browser.flow_with(&slug, &query(&key));
    asks(flow.shown().await, "ak-stage-prompt");
    server.admin().patch(&format!("/core/users/{ann}/"), &json!({"is_active": false})).await.expect(200);
    flow.answered(both(OTHER)).await;
    assert_eq!(browser.who().await, None);
    // A deleted account takes its links with it.
    let bob = account(server, "bob").await;
    let (slug, key) = handed_out(server, bob).await;
    server.admin().delete(&format!("/core/users/{bob}/")).await.expect_empty(204);
    let shown = browser.flow_with(&slug, &query(&key)).shown().await;
    assert_ne!(shown["component"], "ak-stage-prompt", "{shown}");
}

/// A recovery flow of our own; gives its keys.
async fn own_flow(server: &Server) -> super::Built {
    let choose = choose_password(server, "choose", &[]).await;
    let write = stage(server, "user_write", "write", json!({"user_creation_mode": "never_create"})).await;
    let login = stage(server, "user_login", "login", json!({})).await;
    let built = build(server, "own", "recovery", &[&choose, &write, &login]).await;
    recovers_by(server, built.pk.clone().into()).await;
    built
}

async fn a_flow_that_is_not_for_the_account(server: &Server) {
    let ann = account(server, "ann").await;
    let built = own_flow(server).await;
    let no = dummy(server, "no", false).await;
    let bound = bind(server, &built.pk, 0, json!({"policy": no})).await;
    let refused = server.admin().post(&format!("/core/users/{ann}/recovery/"), &json!({})).await;
    refused.expect_body(400, &json!({"non_field_errors": "Recovery flow not applicable to user"}));
    server.admin().delete(&crate::bindings::path(&bound)).await.expect_empty(204);
    // What it demands of visitors is not asked of a link.
    let fields = json!({"authentication": "require_authenticated"});
    server.admin().patch("/flows/instances/own/", &fields).await.expect(200);
    let (slug, key) = handed_out(server, ann).await;
    let browser = server.visitor();
    leads(&browser.flow_with(&slug, &query(&key)).answered(both(OTHER)).await, "/");
    assert_eq!(browser.who().await.as_deref(), Some("ann"));
    // Without one nothing is written, although there is nobody to ask who it is.
    let fields = json!({"authentication": "none"});
    server.admin().patch("/flows/instances/own/", &fields).await.expect(200);
    let browser = server.visitor();
    asks(browser.flow("own").answered(both("Thief-Horse-Battery-9")).await, "ak-stage-access-denied");
    assert_eq!(browser.who().await, None);
}

async fn who_may_hand_out_links(server: &Server) {
    let ann = account(server, "ann").await;
    link(server, ann).await;
    let path = format!("/core/users/{ann}/recovery/");
    let (view, reset, add) =
        ("authentik_core.view_user", "authentik_core.reset_user_password", "authentik_core.add_user");
    for (index, permissions) in [vec![], vec![view], vec![view, reset], vec![view, add]].into_iter().enumerate() {
        let helper = server.holder_of(&format!("helper{index}"), &permissions).await;
        let status = helper.client.post(&path, &json!({})).await.status;
        assert!([403, 404].contains(&status), "{permissions:?}: {status}");
    }
    let helper = server.holder_of("helper", &[view, reset, add]).await;
    helper.client.post(&path, &json!({})).await.expect(200);
    // Not for those who may do more than he.
    let root = server.admin().get("/core/users/me/").await.expect(200)["user"]["pk"].as_i64().expect("a number");
    helper.client.post(&format!("/core/users/{root}/recovery/"), &json!({})).await.expect_forbidden();
    server.anonymous().post(&path, &json!({})).await.expect_status(403);
}

/// An administrator sets a password because a link has got into the wrong hands.
async fn a_link_outlives_no_new_password(server: &Server) {
    let ann = account(server, "ann").await;
    let (slug, key) = link(server, ann).await;
    let browser = server.visitor();
    let flow = browser.flow_with(&slug, &query(&key));
    asks(flow.shown().await, "ak-stage-prompt");
    leads(&flow.answered(both(OTHER)).await, "/");
    let (_, next) = handed_out(server, ann).await;
    assert_ne!(next, key);
}

async fn a_recovered_password_ends_the_sessions(server: &Server) {
    let ann = account(server, "ann").await;
    let old = signed_in(server, "ann", PASSWORD).await;
    let (slug, key) = link(server, ann).await;
    leads(&server.visitor().flow_with(&slug, &query(&key)).answered(both(OTHER)).await, "/");
    assert_eq!(old.who().await, None);
}

async fn a_link_is_nobodys_token(server: &Server) {
    let ann = account(server, "ann").await;
    let (_, key) = link(server, ann).await;
    server.with_key(&key).get("/core/users/me/").await.expect_detail(403, "Token invalid/expired");
    assert!(!gets_in(server, "ann", &key).await);
    // Its owner does not see it, nor may the key be looked up.
    let all = server.admin().get("/core/tokens/").await.expect(200).to_string();
    assert!(!all.contains(&key));
    let browser = signed_in(server, "ann", PASSWORD).await;
    let listed = browser.get("/core/tokens/").await.expect(200).to_string();
    assert!(!listed.contains(&key), "{listed}");
}

/// The way out for somebody who has forgotten the old one.
async fn an_expired_password_is_recovered(server: &Server) {
    let ann = account(server, "ann").await;
    let flow = pk(&server.admin().get(&format!("/flows/instances/{LOGIN}/")).await.expect(200));
    let thirty = policy(server, "password_expiry", "thirty", json!({"days": 30, "deny_only": true})).await;
    bind(server, &flow, 0, json!({"policy": thirty})).await;
    server.advance(TimeDelta::days(44));
    denies(&attempt(&server.visitor().flow(LOGIN), "ann", PASSWORD).await, "Password has expired.");
    let (slug, key) = link(server, ann).await;
    leads(&server.visitor().flow_with(&slug, &query(&key)).answered(both(OTHER)).await, "/");
    let browser: Visitor = server.visitor();
    leads(&attempt(&browser.flow(LOGIN), "ann", OTHER).await, "/");
    assert_eq!(browser.who().await.as_deref(), Some("ann"));
}

/// No mail server is configured here: that is said, and nothing is left behind.
async fn mail_that_cannot_be_sent(server: &Server) {
    let (ann, bob) = (account(server, "ann").await, account_with(server, "bob", json!({"email": "b@b.co"})).await);
    link(server, ann).await;
    let mail = stage(server, "email", "mail", json!({"use_global_settings": true})).await;
    let refused = async |user: i64, stage: &str| {
        let path = format!("/core/users/{user}/recovery_email/?email_stage={stage}");
        server.admin().post(&path, &json!({})).await.expect(400).to_string()
    };
    assert!(refused(ann, &mail).await.contains("User does not have an email address set."));
    let unknown = "00000000-0000-4000-8000-000000000000";
    assert!(refused(bob, unknown).await.contains("Email stage does not exist."));
    let said = refused(bob, &mail).await;
    assert!(said.contains("TESSERA_SMTP"), "it names what to configure: {said}");
    let who = identification(server, "who").await;
    let choose = choose_password(server, "choose", &[]).await;
    build(server, "by-mail", "recovery", &[&who, &mail, &choose]).await;
    let end = server.visitor().flow("by-mail").answered(json!({"uid_field": "bob"})).await;
    let end = asks(end, "ak-stage-access-denied");
    assert!(end["error_message"].as_str().expect("a text").contains("TESSERA_SMTP"), "{end}");
}
