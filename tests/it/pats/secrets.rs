//! Secrets and bearer tokens are in the one answer that gives them, and nowhere else.

use super::{ALL, BETA, V1, create, delete, get, patch, replace};
use crate::{
    harness::{Client, Pat, Server, tests},
    secrets::{dump, holds},
};
use http::Method;
use serde_json::{Value, json};
use std::{
    net::{SocketAddr, TcpListener},
    process::{Command, Stdio},
    time::Duration,
};

tests![events_hold_none, answers_hold_none, the_database_holds_none];

const FORM: &str = "application/x-www-form-urlencoded";

/// A token's life through a client; gives everything that is secret.
async fn live(root: &Client, anonymous: &Client, with_key: &dyn Fn(&str) -> Client) -> Vec<String> {
    let made: Value = create(root, BETA, json!({"name": "t"})).await.expect(200);
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let (id, secret) = (text(&made["id"]), text(&made["secret"]));
    let (wrong, lost) = ("wrong-secret-0123456789abcdef".to_owned(), "lost-secret-0123456789abcdef".to_owned());
    let mut secrets = vec![secret.clone(), wrong.clone(), lost.clone()];
    let all = |secret: &str| format!("grant_type=client_credentials&client_id={id}&client_secret={secret}");
    // In every place where a secret may be, right and wrong.
    for secret in [&secret, &wrong] {
        let query = anonymous.outside(Method::POST, &format!("/oauth/token?{}", all(secret))).send().await;
        let body = anonymous.outside(Method::POST, "/oauth/token").header("content-type", FORM).body(all(secret));
        let body = body.send().await;
        for answer in [query, body] {
            if let Some(token) = answer.json()["access_token"].as_str() {
                secrets.push(token.to_owned());
                secrets.extend(token.split('.').skip(1).map(str::to_owned));
            }
        }
        let get = anonymous.outside(Method::GET, &format!("/oauth/token?{}", all(secret))).send().await;
        get.expect_status(405);
        let broken = anonymous.outside(Method::POST, &format!("/oauth/token?{}&grant_type=x", all(secret)));
        broken.send().await.expect(400);
    }
    let token = secrets.iter().find(|secret| secret.contains('.')).expect("a bearer token").clone();
    let api = with_key(&token);
    get(&api, &format!("{BETA}?owner-id=me")).await.expect(200);
    // Where a secret has no business.
    get(&api, &format!("{BETA}?owner-id=me&client_secret={lost}&access_token={token}")).await.expect(200);
    let body = json!({"name": "u", "secret": lost, "userAwareTokenNeverExpires": true});
    let other = create(&api, V1, body).await.expect(200);
    secrets.push(text(&other["secret"]));
    patch(&api, V1, &id, &json!([replace("name", "v")])).await.expect(200);
    patch(&api, V1, &id, &json!([replace("secret", lost.as_str())])).await.expect(400);
    let broken = api.outside(Method::POST, BETA).header("content-type", "application/json");
    broken.body(format!("{{\"secret\": \"{lost}\"")).send().await.expect(400);
    let damaged = format!("{}x", &token[..token.len() - 1]);
    get(&with_key(&damaged), BETA).await.expect(401);
    secrets.push(damaged);
    get(&api, "/api/v3/core/users/me/").await.expect(403);
    delete(&api, V1, &id).await.expect_empty(204);
    get(&api, BETA).await.expect(401);
    secrets
}

async fn scatter(server: &Server) -> Vec<String> {
    let root = server.api(1, &[ALL]).await;
    let secrets = live(&root, &server.anonymous(), &|key| server.with_key(key)).await;
    let kept = server.pat(1, &["x"]).await;
    server.trade(&Pat { secret: "wrong-secret-0123456789abcdef".to_owned(), ..kept.clone() }).await.expect(401);
    let target =
        format!("/oauth/token?grant_type=client_credentials&client_id={}&client_secret={}", kept.id, kept.secret);
    let traded = server.anonymous().outside(Method::POST, &target).send().await.expect(200);
    tessera::jobs::usage::last(&server.app).await;
    [secrets, vec![kept.secret, traded["access_token"].as_str().expect("a token").to_owned()]].concat()
}

async fn events_hold_none(server: &Server) {
    let secrets = scatter(server).await;
    let text = server.events_text().await;
    for name in ["CREATED", "UPDATED", "DELETED", "USED", "USE_FAILED"] {
        assert!(text.contains(&super::event(name)), "{name}: these are the events");
    }
    let shown = server.admin().get("/events/events/?page_size=1000").await.expect(200).to_string();
    for secret in &secrets {
        assert!(!text.contains(secret.as_str()), "{secret} is in the events");
        assert!(!shown.contains(secret.as_str()), "{secret} is shown");
    }
}

async fn answers_hold_none(server: &Server) {
    let secrets = scatter(server).await;
    let root = server.api(1, &["y", ALL]).await;
    let mut texts = Vec::new();
    for (at, _) in super::collections() {
        texts.push(get(&root, at).await.text());
    }
    let id = super::make(&root, "w").await;
    texts.push(patch(&root, V1, &id, &json!([replace("name", "x")])).await.text());
    texts.push(get(&server.management(), "/metrics").await.text());
    for secret in &secrets {
        assert!(texts.iter().all(|text| !text.contains(secret.as_str())), "{secret} is in an answer");
    }
}

async fn the_database_holds_none(server: &Server) {
    let secrets = scatter(server).await;
    let bytes = dump(server).await;
    assert!(holds(&bytes, b"PERSONAL_ACCESS_TOKEN_USE_FAILED"), "this is the database");
    for secret in &secrets {
        assert!(!holds(&bytes, secret.as_bytes()), "{secret} is in the database");
    }
    // Nor is a key in it that signs.
    let key = server.app.keys().await.expect("keys");
    assert!(!holds(&bytes, b"-----BEGIN") && !format!("{key:?}").contains("pkcs"), "a private key");
}

const ROOT: &str = "bootstrap-token-of-the-log-test-0123456789";

/// The program itself, with a log as chatty as it gets, and everything that it writes.
pub fn the_log_holds_no_secret() {
    let folder = tempfile::tempdir().expect("a folder");
    let made =
        super::program::good(folder.path(), &["pat", "create", "--owner", "akadmin", "--name", "cli", "--no-expiry"]);
    let field = |name: &str| super::program::field(&made, name);
    let (id, secret) = (field("id"), field("secret"));
    let listeners = [0, 1].map(|_| TcpListener::bind("127.0.0.1:0").expect("a port"));
    let [api, management]: [SocketAddr; 2] = listeners.map(|listener| listener.local_addr().expect("an address"));
    let log = folder.path().join("log");
    let file = || Stdio::from(std::fs::OpenOptions::new().create(true).append(true).open(&log).expect("a file"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_tessera"));
    command.current_dir(folder.path()).env_clear().stdin(Stdio::null()).stdout(file()).stderr(file());
    for (name, value) in [
        ("TESSERA_LISTEN", api.to_string()),
        ("TESSERA_MANAGEMENT_LISTEN", management.to_string()),
        ("TESSERA_LOG", "trace".to_owned()),
    ] {
        command.env(name, value);
    }
    let mut child = command.spawn().expect("starts");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        runtime.block_on(async {
            let began = std::time::Instant::now();
            while tokio::net::TcpStream::connect(api).await.is_err() {
                assert!(began.elapsed() < Duration::from_secs(60), "it does not start");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            let with_key = |key: &str| Client::new(api, Some(key.to_owned()));
            let anonymous = Client::new(api, None);
            let form = format!("grant_type=client_credentials&client_id={id}&client_secret={secret}");
            let draft = anonymous.outside(Method::POST, "/oauth/token").header("content-type", FORM).body(form);
            let token = draft.send().await.expect(200)["access_token"].as_str().expect("a token").to_owned();
            let mut secrets = live(&with_key(&token), &anonymous, &with_key).await;
            secrets.extend([secret.clone(), token, ROOT.to_owned()]);
            // What is noted is written a few seconds later.
            tokio::time::sleep(Duration::from_secs(6)).await;
            secrets
        })
    }));
    child.kill().expect("it is ours to end");
    child.wait().expect("it ends");
    let text = String::from_utf8_lossy(&std::fs::read(&log).expect("the log")).into_owned();
    let secrets = outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    assert!(text.contains("/oauth/token") && text.contains("answered"), "this is the log");
    for secret in &secrets {
        assert!(!text.contains(secret.as_str()), "{secret} is in the log");
    }
}
