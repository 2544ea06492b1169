//! The command line, as a program of its own on data of its own (SQLite: it opens the database itself,
//! as the server does).

use std::{
    io::Write as _,
    path::Path,
    process::{Command, Output, Stdio},
};

/// Runs the program in `folder`, with nothing of this machine's environment that it would read.
fn run(folder: &Path, arguments: &[&str], input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tessera"));
    command.args(arguments).current_dir(folder).env_clear();
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("starts");
    child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("takes input");
    child.wait_with_output().expect("ends")
}

fn good(folder: &Path, arguments: &[&str]) -> String {
    let output = run(folder, arguments, "");
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(output.status.success(), "{arguments:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

fn bad(folder: &Path, arguments: &[&str]) -> String {
    let output = run(folder, arguments, "");
    assert!(!output.status.success(), "{arguments:?} passed");
    String::from_utf8(output.stderr).expect("text")
}

pub fn the_first_command_shows_the_first_secrets() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = good(folder.path(), &["token", "list"]);
    assert!(text.contains("user      akadmin") && text.contains("password  ") && text.contains("tsra"), "{text}");
    let text = good(folder.path(), &["token", "list"]);
    assert_eq!(text, "authentik-bootstrap-token\tapi\takadmin\tnever\n");
}

pub fn grants_are_given_and_taken() {
    let folder = tempfile::tempdir().expect("a folder");
    good(folder.path(), &["user", "create", "ann"]);
    let grant = ["grant", "--user", "ann", "authentik_core.view_user"];
    assert_eq!(good(folder.path(), &grant), "granted\n");
    assert_eq!(good(folder.path(), &grant), "was granted already\n");
    let one = ["grant", "--user", "ann", "--object", "1", "authentik_core.view_user"];
    assert_eq!(good(folder.path(), &one), "granted\n");
    let revoke = ["grant", "--revoke", "--user", "ann", "authentik_core.view_user"];
    assert_eq!(good(folder.path(), &revoke), "taken away\n");
    assert_eq!(good(folder.path(), &revoke), "was not granted\n");
    let role = good(folder.path(), &["grant", "--role", "helpers", "authentik_core.view_group"]);
    assert!(role.starts_with("role ") && role.ends_with("granted\n"), "{role}");
    assert!(bad(folder.path(), &["grant", "--user", "ann", "authentik_core.fly"]).contains("no permission"));
    assert!(bad(folder.path(), &["grant", "--user", "bob", "authentik_core.view_user"]).contains("no account"));
    assert!(bad(folder.path(), &["grant", "authentik_core.view_user"]).contains("--user"));
    bad(folder.path(), &["grant", "--user", "ann", "--role", "helpers", "authentik_core.view_user"]);
}

pub fn tokens_and_accounts_are_managed() {
    let folder = tempfile::tempdir().expect("a folder");
    good(folder.path(), &["user", "create", "ann", "--group", "authentik Admins"]);
    let made = good(folder.path(), &["token", "create", "--user", "ann", "--identifier", "t", "--no-expiry"]);
    assert!(made.contains("ends        never") && made.contains("key         tsra"), "{made}");
    assert!(good(folder.path(), &["token", "list", "--user", "ann"]).starts_with("t\tapi\tann\t"));
    assert!(bad(folder.path(), &["token", "create", "--user", "ann", "--identifier", "t"]).contains("is taken"));
    assert_eq!(good(folder.path(), &["token", "revoke", "t"]), "revoked t\n");
    bad(folder.path(), &["token", "revoke", "t"]);
    assert!(run(folder.path(), &["user", "set-password", "ann"], "a password\n").status.success());
    assert!(!run(folder.path(), &["user", "set-password", "ann"], "").status.success());
    assert!(good(folder.path(), &["doctor"]).contains("belongs to this database"));
    assert!(good(folder.path(), &["openapi"]).starts_with("openapi: 3.0.3"));
}

/// What the API would refuse is refused before anything is opened, with the exit code of wrong usage.
pub fn bad_arguments_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let refused = |arguments: &[&str]| {
        let output = run(folder.path(), arguments, "");
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {text}");
        text
    };
    for blank in ["", "  "] {
        assert!(refused(&["user", "create", blank]).contains("may not be blank"));
    }
    assert!(refused(&["user", "create", &"x".repeat(151)]).contains("no more than 150 characters"));
    let identifier = |text: &str| refused(&["token", "create", "--user", "akadmin", "--identifier", text]);
    for bad in ["", "a b", "ü", "a.b"] {
        assert!(identifier(bad).contains("letters, digits, underscores and hyphens"), "{bad}");
    }
    assert!(identifier(&"x".repeat(256)).contains("no more than 255 characters"));
    assert_eq!(std::fs::read_dir(folder.path()).expect("the folder").count(), 0);
    let long = "ü".repeat(150);
    assert!(good(folder.path(), &["user", "create", &long]).contains(&long));
    good(folder.path(), &["token", "create", "--user", &long, "--identifier", &"x".repeat(255)]);
}

pub fn grants_are_on_objects_that_exist() {
    let folder = tempfile::tempdir().expect("a folder");
    let role = good(folder.path(), &["grant", "--role", "helpers", "authentik_core.view_group"]);
    let role = role.lines().find_map(|line| line.strip_prefix("role ")).expect("an id").to_owned();
    let grant = |permission: &str, object: &str| {
        run(folder.path(), &["grant", "--user", "akadmin", "--object", object, permission], "")
    };
    let refused = |permission: &str, object: &str| {
        let output = grant(permission, object);
        assert!(!output.status.success(), "{permission} {object}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    assert!(grant("authentik_core.reset_user_password", "1").status.success());
    assert!(grant("authentik_rbac.view_role", &role).status.success());
    let nobody = "00000000-0000-4000-8000-000000000000";
    for (permission, object, model) in [
        ("authentik_core.reset_user_password", "999", "user"),
        ("authentik_core.view_user", nobody, "user"),
        ("authentik_core.add_user_to_group", nobody, "group"),
        ("authentik_core.view_token_key", nobody, "token"),
        ("authentik_rbac.view_role", nobody, "role"),
        ("authentik_events.view_event", "7", "event"),
    ] {
        let expected = format!("there is no {model} with the primary key `{object}`");
        assert!(refused(permission, object).contains(&expected), "{permission}");
    }
    assert!(refused("authentik_rbac.view_system_info", "1").contains("at large"));
    assert!(refused("authentik_core.fly", "1").contains("no permission"));
    // Taking away asks for no object.
    let revoke = ["grant", "--revoke", "--user", "akadmin", "--object", "999", "authentik_core.view_user"];
    assert_eq!(good(folder.path(), &revoke), "was not granted\n");
}

pub fn doctor_makes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = good(folder.path(), &["doctor"]);
    assert!(text.contains("data/tessera.db is missing"), "{text}");
    assert_eq!(std::fs::read_dir(folder.path()).expect("the folder").count(), 0);
    std::fs::write(folder.path().join("tessera.toml"), "database_url = \"sqlite:own.db\"").expect("writes");
    assert!(bad(folder.path(), &["doctor"]).contains("TESSERA_SECRET_KEY_FILE"));
}

/// Variables of others may hold any bytes; ours are text.
#[cfg(unix)]
pub fn an_environment_that_is_not_text() {
    use std::os::unix::ffi::OsStrExt as _;
    let folder = tempfile::tempdir().expect("a folder");
    let list = |name: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tessera"));
        command.args(["token", "list"]).current_dir(folder.path()).env_clear();
        command.env(name, std::ffi::OsStr::from_bytes(b"\xff")).output().expect("runs")
    };
    assert!(list("LC_NAME").status.success());
    let refused = list("TESSERA_LOG");
    let text = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && text.contains("TESSERA_LOG is not UTF-8"), "{text}");
}

#[cfg(not(unix))]
pub fn an_environment_that_is_not_text() {}

pub fn an_empty_master_key_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("tessera.key"), "\n").expect("writes");
    assert!(bad(folder.path(), &["token", "list"]).contains("master key is empty"));
}
