//! `tessera audit verify`, as a program of its own beside the running server.

use super::{one, report, write};
use crate::harness::{SECRET_KEY, Server, tests};
use serde_json::json;
use std::process::{Command, Output};
use tessera::secret::keyring::hex;

tests![nothing_found, something_found, earlier_heads, another_master_key, it_changes_nothing];

fn verify_under(server: &Server, master: &str, arguments: &[&str]) -> Output {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(env!("CARGO_BIN_EXE_tessera"));
    command.args(["audit", "verify"]).args(arguments).current_dir(folder.path()).env_clear();
    command.env("TESSERA_DATABASE_URL", server.place.config().database_url()).env("TESSERA_SECRET_KEY", master);
    command.output().expect("runs")
}

/// The exit code and what was printed, complaints last.
fn verify(server: &Server, arguments: &[&str]) -> (Option<i32>, String) {
    let output = verify_under(server, SECRET_KEY, arguments);
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (output.status.code(), format!("{}{}", text(output.stdout), text(output.stderr)))
}

async fn nothing_found(server: &Server) {
    write(server, json!({})).await;
    let expected = report(server).await;
    let (code, text) = verify(server, &[]);
    let head = format!("{}:{}", expected.head.0, hex(&expected.head.1));
    let lines = format!("events    {}\nhead      {head}\nthe audit trail is as the server wrote it\n", expected.events);
    assert_eq!((code, text), (Some(0), lines));
}

async fn something_found(server: &Server) {
    let event = write(server, json!({})).await;
    let number = report(server).await.head.0;
    server.sql(&format!("UPDATE events SET app = 'x' WHERE sequence = {number}")).await;
    let (code, text) = verify(server, &[]);
    assert_eq!(code, Some(1), "{text}");
    let line = format!("finding   event {} was changed (link {number})\n", event["pk"].as_str().expect("text"));
    assert!(text.contains(&line), "{text}");
    assert!(text.contains("tessera: the audit trail was changed from outside: 1 finding(s)"), "{text}");
    server.sql("UPDATE events SET app = 'y'").await;
    for _ in 0..100 {
        write(server, json!({})).await;
    }
    server.sql("UPDATE events SET app = 'z'").await;
    let (code, text) = verify(server, &[]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("in many places"), "{text}");
    assert_eq!(text.matches("finding   ").count(), 100);
}

async fn earlier_heads(server: &Server) {
    let (_, text) = verify(server, &[]);
    let kept = text.lines().find_map(|line| line.strip_prefix("head      ")).expect("a head").to_owned();
    write(server, json!({})).await;
    let (code, text) = verify(server, &["--head", &kept]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("the chain leads through that head"), "{text}");
    let number: i64 = kept.split(':').next().expect("a number").parse().expect("a number");
    for wrong in
        [format!("{number}:00"), format!("{}:{}", number + 1, &kept[kept.len() - 64..]), "999999:00".to_owned()]
    {
        let (code, text) = verify(server, &["--head", &wrong]);
        assert_eq!(code, Some(1), "{wrong}: {text}");
        assert!(text.contains("tessera: the chain does not lead through the earlier head"), "{text}");
    }
    let (code, text) = verify(server, &["--head", "nonsense"]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("an earlier head looks like"), "{text}");
    server.advance(chrono::TimeDelta::days(400));
    tessera::jobs::sweep::once(&server.app).await.expect("swept");
    let (code, text) = verify(server, &["--head", "1:00"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("were dropped with the events"), "{text}");
}

async fn another_master_key(server: &Server) {
    let output = verify_under(server, "another", &[]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("sealed under another master key"), "{text}");
    assert!(output.stdout.is_empty());
}

async fn it_changes_nothing(server: &Server) {
    let event = write(server, json!({})).await;
    let before = report(server).await;
    verify(server, &[]);
    verify(server, &["--head", "1:00"]);
    assert_eq!(report(server).await, before);
    server.admin().get(&one(&event)).await.expect_body(200, &event);
}
