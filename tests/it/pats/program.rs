//! `tessera pat` and `tessera rotate-key` (decisions: CLI).

use super::{ALL, BETA, get};
use crate::harness::{Pat, SECRET_KEY, Server, tests};
use std::{
    path::Path,
    process::{Command, Output},
    time::{Duration, Instant},
};

tests![a_running_server_notices, a_running_server_signs_anew];

fn run(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tessera"));
    command.args(arguments).current_dir(folder).env_clear().output().expect("runs")
}

pub fn good(folder: &Path, arguments: &[&str]) -> String {
    let output = run(folder, arguments);
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(output.status.success(), "{arguments:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

fn bad(folder: &Path, arguments: &[&str]) -> String {
    let output = run(folder, arguments);
    assert!(!output.status.success(), "{arguments:?} passed");
    String::from_utf8(output.stderr).expect("text")
}

/// What stands behind a word at the beginning of a line.
pub fn field(text: &str, name: &str) -> String {
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name:<10}")));
    line.unwrap_or_else(|| panic!("no {name} in {text}")).to_owned()
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

pub fn tokens_are_made_and_revoked() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    good(folder, &["user", "create", "ann"]);
    let made = good(
        folder,
        &[
            "pat",
            "create",
            "--owner",
            "ann",
            "--name",
            "one",
            "--scope",
            "a",
            "--scope",
            "b",
            "--validity",
            "750",
            "--no-expiry",
        ],
    );
    let (id, secret) = (field(&made, "id"), field(&made, "secret"));
    assert!(is_hex(&id, 32) && is_hex(&secret, 64), "{made}");
    let two = good(folder, &["pat", "create", "--owner", "akadmin", "--name", "two"]);
    let three =
        good(folder, &["pat", "create", "--owner", "ann", "--name", "three", "--expires", "2999-12-31T12:00:00Z"]);
    assert_ne!(field(&two, "secret"), field(&three, "secret"));
    let all = good(folder, &["pat", "list"]);
    assert_eq!(all.lines().count(), 3);
    let own = good(folder, &["pat", "list", "--owner", "ann"]);
    assert_eq!(own.lines().count(), 2);
    assert!(
        own.contains(&id) && own.contains("one") && own.contains("2999-12-31T12:00:00") && !own.contains("two"),
        "{own}"
    );
    for secret in [&secret, &field(&two, "secret"), &field(&three, "secret")] {
        assert!(!all.contains(secret.as_str()), "{all}");
    }
    // The same rules as elsewhere.
    bad(folder, &["pat", "create", "--owner", "ann", "--name", "one"]);
    bad(folder, &["pat", "create", "--owner", "ann", "--name", "four", "--expires", "2001-01-01T00:00:00Z"]);
    bad(folder, &["pat", "create", "--owner", "ann", "--name", "four", "--scope", "a b"]);
    bad(folder, &["pat", "create", "--owner", "ann", "--name", " "]);
    for validity in ["14", "43201", "x"] {
        bad(folder, &["pat", "create", "--owner", "ann", "--name", "four", "--validity", validity]);
    }
    for number in 4..=11 {
        good(folder, &["pat", "create", "--owner", "ann", "--name", &format!("n{number}")]);
    }
    bad(folder, &["pat", "create", "--owner", "ann", "--name", "eleven"]);
    assert!(good(folder, &["pat", "revoke", &id]).contains(&id));
    bad(folder, &["pat", "revoke", &id]);
    assert!(!good(folder, &["pat", "list"]).contains(&id));
    assert!(good(folder, &["doctor"]).contains("belongs to this database"));
}

pub fn bad_arguments_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    good(folder, &["user", "create", "ann"]);
    for arguments in [
        &["pat"][..],
        &["pat", "create"],
        &["pat", "create", "--owner", "ann"],
        &["pat", "create", "--name", "t"],
        &["pat", "create", "--owner", "nobody", "--name", "t"],
        &["pat", "create", "--owner", "ann", "--name", "t", "--expires", "tomorrow"],
        &["pat", "create", "--owner", "ann", "--name", "t", "--expires", "2999-01-01T00:00:00Z", "--no-expiry"],
        &["pat", "list", "--owner", "nobody"],
        &["pat", "revoke"],
        &["pat", "revoke", "x"],
        &["pat", "revoke", "00000000000040008000000000000000"],
    ] {
        assert!(!bad(folder, arguments).is_empty(), "{arguments:?}");
    }
    assert_eq!(good(folder, &["pat", "list"]), "");
}

pub fn the_key_is_rotated() {
    let folder = tempfile::tempdir().expect("a folder");
    good(folder.path(), &["user", "create", "ann"]);
    let (one, two) = (good(folder.path(), &["rotate-key"]), good(folder.path(), &["rotate-key"]));
    assert_ne!(one, two);
}

/// The program beside a running server.
fn beside(server: &Server, arguments: &[&str]) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(env!("CARGO_BIN_EXE_tessera"));
    command.args(arguments).current_dir(folder.path()).env_clear();
    command.env("TESSERA_DATABASE_URL", server.place.config().database_url()).env("TESSERA_SECRET_KEY", SECRET_KEY);
    let output = command.output().expect("runs");
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(output.status.success(), "{arguments:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

/// Waits until something is so; a second, and some more for a busy machine.
async fn soon(what: &str, is_so: impl AsyncFn() -> bool) {
    let began = Instant::now();
    while !is_so().await {
        assert!(began.elapsed() < Duration::from_secs(2), "{what}: not within a second");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn a_running_server_notices(server: &Server) {
    let made = beside(server, &["pat", "create", "--owner", "akadmin", "--name", "beside", "--no-expiry"]);
    let pat = Pat { id: field(&made, "id"), secret: field(&made, "secret") };
    let other = server.api(1, &[ALL]).await;
    let api = server.bearer(&pat).await;
    get(&api, BETA).await.expect(200);
    assert!(beside(server, &["pat", "list"]).contains(&pat.id));
    beside(server, &["pat", "revoke", &pat.id]);
    // More calls than a bucket holds, if need be.
    soon("its bearer token", async || {
        super::refill(server);
        get(&api, BETA).await.status == 401
    })
    .await;
    soon("the token itself", async || {
        super::refill(server);
        server.trade(&pat).await.status == 401
    })
    .await;
    get(&other, BETA).await.expect(200);
}

async fn a_running_server_signs_anew(server: &Server) {
    use super::bearers::{decoded, parts};
    let pat = server.pat(1, &[ALL]).await;
    let kid = async || {
        super::refill(server);
        let token = server.trade(&pat).await.expect(200)["access_token"].as_str().expect("a token").to_owned();
        decoded(parts(&token)[0])["kid"].as_str().expect("a name").to_owned()
    };
    let (before, api) = (kid().await, server.bearer(&pat).await);
    let said = beside(server, &["rotate-key"]);
    assert!(said.contains("new key   ") && !said.contains("dropped"), "{said}");
    soon("the new key", async || {
        server.app.keys().await.expect("keys").signing(chrono::DateTime::<chrono::Utc>::MAX_UTC).expect("a key").kid()
            != before
    })
    .await;
    // The command has the machine's clock: to this server, its key is of the future.
    assert_eq!(kid().await, before);
    get(&api, BETA).await.expect(200);
}
