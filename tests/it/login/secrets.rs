//! Passwords, cookies and keys of links are in no event, in no answer that is not theirs, and in no log.

use super::{CHANGE, LOGIN, LOGOUT, OTHER, PASSWORD, WRONG, account, attempt, leads, places, recovery};
use crate::harness::{CSRF, Client, SESSION, Server, Visitor, tests};
use chrono::TimeDelta;
use serde_json::{Value, json};
use std::{
    net::{SocketAddr, TcpListener},
    process::{Command, Stdio},
    time::Duration,
};

tests![events_hold_none, the_database_holds_none];

/// A whole life of an account's passwords; gives everything that is secret.
async fn scatter(server: &Server) -> Vec<String> {
    let ann = account(server, "ann").await;
    let mut secrets: Vec<String> = [PASSWORD, OTHER, WRONG].map(str::to_owned).into();
    let browser = server.visitor();
    let flow = browser.flow(LOGIN);
    attempt(&flow, "ann", WRONG).await;
    secrets.push(browser.cookie(SESSION).expect("a cookie"));
    leads(&flow.answered(json!({"password": PASSWORD})).await, "/");
    secrets.push(browser.cookie(SESSION).expect("a cookie"));
    let change = browser.flow(CHANGE);
    change.answered(json!({"password": "Third-Horse-Battery-4", "password_repeat": "Fourth-Horse-Battery-5"})).await;
    leads(&change.answered(json!({"password": OTHER, "password_repeat": OTHER})).await, "/");
    // A password where a name belongs is the visitor's mistake, and stays a secret: it is tested below.
    let (slug, key) = recovery::link(server, ann).await;
    let chosen = "Fifth-Horse-Battery-6";
    let other = server.visitor();
    let recover = other.flow_with(&slug, &format!("flow_token={key}"));
    leads(&recover.answered(json!({"password": chosen, "password_repeat": chosen})).await, "/");
    secrets.extend([key, chosen.to_owned(), "Third-Horse-Battery-4".to_owned(), "Fourth-Horse-Battery-5".to_owned()]);
    places::expiring(server, "old", places::Place::Flow, false, json!({})).await;
    server.advance(TimeDelta::days(44));
    let third = server.visitor();
    let old = third.flow("old");
    attempt(&old, "ann", chosen).await;
    let last = "Sixth-Horse-Battery-7";
    leads(&old.answered(json!({"password": last, "password_repeat": last})).await, "/");
    secrets.push(last.to_owned());
    secrets.push(third.cookie(SESSION).expect("a cookie"));
    secrets
}

async fn events_hold_none(server: &Server) {
    let secrets = scatter(server).await;
    let text = server.events_text().await;
    for action in ["login_failed", "password_set", "user_write"] {
        assert!(text.contains(action), "{action}: these are the events");
    }
    for secret in &secrets {
        assert!(!text.contains(secret.as_str()), "{secret} is in the events");
    }
    // Nor in what the executor's requests carry, or what administrators are shown.
    let shown = server.admin().get("/events/events/?page_size=1000").await.expect(200).to_string();
    let sessions = server.admin().get("/core/authenticated_sessions/").await.expect(200).to_string();
    for secret in &secrets {
        assert!(!shown.contains(secret.as_str()) && !sessions.contains(secret.as_str()), "{secret} is shown");
    }
}

async fn the_database_holds_none(server: &Server) {
    let secrets = scatter(server).await;
    let bytes = crate::secrets::dump(server).await;
    assert!(crate::secrets::holds(&bytes, b"login_failed"), "this is the database");
    for secret in &secrets {
        assert!(!crate::secrets::holds(&bytes, secret.as_bytes()), "{secret} is in the database");
    }
}

/// A client of a program of its own.
struct Program {
    address: SocketAddr,
    root: Client,
}

const ROOT: &str = "bootstrap-token-of-the-log-test-0123456789";

impl Program {
    async fn post(&self, path: &str, body: Value) -> Value {
        let answer = self.root.post(path, &body).await;
        assert!(answer.status < 300, "{path}: {} {}", answer.status, answer.text());
        answer.json()
    }

    fn browser(&self) -> Visitor {
        Visitor::at(self.address)
    }

    /// The life of a password, and what must not be written down of it.
    async fn live(&self) -> Vec<String> {
        let ann = self.post("/core/users/", json!({"username": "ann", "name": "ann"})).await["pk"].to_string();
        self.post(&format!("/core/users/{ann}/set_password/"), json!({"password": PASSWORD})).await;
        let browser = self.browser();
        let flow = browser.flow_with(LOGIN, "next=%2Fa&password=In-The-Query-1");
        flow.answered(json!({"uid_field": "ann"})).await;
        let visit = browser.cookie(SESSION).expect("a cookie");
        flow.answered(json!({"password": WRONG})).await;
        leads(&flow.answered(json!({"password": PASSWORD})).await, "/a");
        let mut secrets: Vec<String> = [PASSWORD, OTHER, WRONG, ROOT, "In-The-Query-1"].map(str::to_owned).into();
        secrets.extend([visit, browser.cookie(SESSION).expect("a cookie"), browser.cookie(CSRF).expect("a cookie")]);
        // Mistakes, too: what cannot be read, and what is refused.
        let draft = browser.outside(http::Method::POST, &flow.target).header("content-type", "application/json");
        browser.send(draft.body("{\"password\": \"Broken-Json-Password-1\"")).await;
        secrets.push("Broken-Json-Password-1".to_owned());
        let change = browser.flow(CHANGE);
        leads(&change.answered(json!({"password": OTHER, "password_repeat": OTHER})).await, "/");
        let brands = self.root.get("/core/brands/?default=true").await.expect(200);
        let brand = brands["results"][0]["brand_uuid"].as_str().expect("a key").to_owned();
        let recovery = self.root.get("/flows/instances/default-recovery-flow/").await.expect(200)["pk"].clone();
        let set = json!({"flow_recovery": recovery});
        self.root.patch(&format!("/core/brands/{brand}/"), &set).await.expect(200);
        let link = self.post(&format!("/core/users/{ann}/recovery/"), json!({})).await;
        let key = link["link"].as_str().and_then(|link| link.split_once("flow_token=")).expect("a link").1.to_owned();
        let chosen = "Fifth-Horse-Battery-6";
        let other = self.browser();
        let recover = other.flow_with("default-recovery-flow", &format!("flow_token={key}"));
        leads(&recover.answered(json!({"password": chosen, "password_repeat": chosen})).await, "/");
        // The page of the link, which is what people open.
        other
            .send(other.outside(http::Method::GET, &format!("/if/flow/default-recovery-flow/?flow_token={key}")))
            .await;
        secrets.extend([key, chosen.to_owned()]);
        let flow = pk_of(&self.root, LOGIN).await;
        let policy = self.post("/policies/password_expiry/", json!({"name": "old", "days": 0})).await["pk"].clone();
        self.post("/policies/bindings/", json!({"policy": policy, "target": flow, "order": 0})).await;
        let third = self.browser();
        attempt(&third.flow(LOGIN), "ann", chosen).await;
        third.flow(LOGIN).answered(json!({"password": "Sixth-Horse-7!", "password_repeat": "Sixth-Horse-7!"})).await;
        secrets.push("Sixth-Horse-7!".to_owned());
        other.flow(LOGOUT).shown().await;
        secrets
    }
}

async fn pk_of(root: &Client, slug: &str) -> Value {
    root.get(&format!("/flows/instances/{slug}/")).await.expect(200)["pk"].clone()
}

/// Two free ports; somebody else may take them first, then the test fails and is run again.
fn ports() -> [SocketAddr; 2] {
    let listeners = [0, 1].map(|_| TcpListener::bind("127.0.0.1:0").expect("a port"));
    listeners.map(|listener| listener.local_addr().expect("an address"))
}

/// The program itself, with a log as chatty as it gets, and everything that it writes.
pub fn the_log_holds_no_secret() {
    let folder = tempfile::tempdir().expect("a folder");
    let [api, management] = ports();
    let log = folder.path().join("log");
    let file = || Stdio::from(std::fs::OpenOptions::new().create(true).append(true).open(&log).expect("a file"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_tessera"));
    command.current_dir(folder.path()).env_clear().stdin(Stdio::null()).stdout(file()).stderr(file());
    for (name, value) in [
        ("TESSERA_LISTEN", api.to_string()),
        ("TESSERA_MANAGEMENT_LISTEN", management.to_string()),
        ("TESSERA_BOOTSTRAP_TOKEN", ROOT.to_owned()),
        ("TESSERA_BOOTSTRAP_PASSWORD", "password-of-the-log-test".to_owned()),
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
            Program { address: api, root: Client::new(api, Some(ROOT.to_owned())) }.live().await
        })
    }));
    child.kill().expect("it is ours to end");
    child.wait().expect("it ends");
    let text = String::from_utf8_lossy(&std::fs::read(&log).expect("the log")).into_owned();
    let secrets = outcome.unwrap_or_else(|_| panic!("the log until then:\n{}", tail(&text)));
    assert!(text.contains("/flows/executor/"), "this is the log: {}", tail(&text));
    for secret in secrets.iter().map(String::as_str).chain(["password-of-the-log-test"]) {
        let line = text.lines().find(|line| line.contains(secret));
        assert!(line.is_none(), "{secret} is in the log: {line:?}");
    }
    assert!(!text.contains("$argon2"), "a hash is in the log");
}

fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(30)..].join("\n")
}
