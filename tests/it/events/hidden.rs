//! What the server itself does to an event must not hide what somebody did to its row before. And an
//! operator who has looked may say that all is well.

use super::{assert_clean, findings, one, report, write};
use crate::harness::{Server, tests};
use chrono::TimeDelta;
use sea_orm::TransactionTrait as _;
use serde_json::json;
use std::process::Command;
use tessera::audit::chain::{self, verify::Finding};

tests![
    an_end_put_forward_is_found_by_the_sweep,
    a_revision_does_not_launder,
    a_removal_does_not_launder,
    an_erasure_does_not_launder,
    an_accepted_trail_is_clean_and_says_so,
];

async fn assert_marked(server: &Server) {
    let found = findings(server).await;
    assert!(found.iter().any(|f| matches!(f, Finding::HeadWasChanged(_))), "{found:?}");
}

async fn an_end_put_forward_is_found_by_the_sweep(server: &Server) {
    let event = write(server, json!({})).await;
    let row = "sequence = (SELECT max(sequence) FROM events)";
    server.sql(&format!("UPDATE events SET expires = '2000-01-01T00:00:00+00:00' WHERE {row}")).await;
    tessera::jobs::sweep::once(&server.app).await.expect("swept");
    server.admin().get(&one(&event)).await.expect_missing();
    assert_marked(server).await;
}

async fn a_revision_does_not_launder(server: &Server) {
    let event = write(server, json!({"client_ip": "192.0.2.1"})).await;
    server.sql("UPDATE events SET client_ip = '192.0.2.2' WHERE client_ip = '192.0.2.1'").await;
    server.admin().patch(&one(&event), &json!({})).await.expect(200);
    assert_marked(server).await;
}

async fn a_removal_does_not_launder(server: &Server) {
    let event = write(server, json!({"client_ip": "192.0.2.1"})).await;
    server.sql("UPDATE events SET client_ip = '192.0.2.2' WHERE client_ip = '192.0.2.1'").await;
    server.admin().delete(&one(&event)).await.expect_empty(204);
    assert_marked(server).await;
}

async fn an_erasure_does_not_launder(server: &Server) {
    let ann = server.person("ann").await;
    write(server, json!({"user": {"pk": 4711}})).await;
    let theirs = server.sql("UPDATE events SET \"user\" = '{\"pk\": 9999}' WHERE app = 'tests'").await;
    assert_eq!(theirs, 1);
    let id = ann.pk;
    server.sql(&format!("UPDATE events SET \"user\" = '{{\"pk\": {id}}}' WHERE app = 'tests'")).await;
    server.admin().delete(&format!("/core/users/{id}/")).await.expect_empty(204);
    tessera::jobs::sweep::once(&server.app).await.expect("swept");
    assert_eq!(server.number("SELECT count(*) FROM events WHERE app = 'tests'").await, 0);
    assert_marked(server).await;
}

async fn an_accepted_trail_is_clean_and_says_so(server: &Server) {
    let event = write(server, json!({})).await;
    server.sql("UPDATE events SET app = 'other' WHERE app = 'tests'").await;
    server.sql("DELETE FROM events WHERE sequence = 2").await;
    assert_eq!(findings(server).await.len(), 2);
    let tx = server.app.db.write().begin().await.expect("a transaction");
    chain::accept(&tx, &server.app.keyring).await.expect("accepted");
    tx.commit().await.expect("committed");
    assert_clean(&report(server).await);
    assert_eq!(server.admin().get(&one(&event)).await.expect(200)["app"], "other");
    server.admin().delete(&one(&event)).await.expect_empty(204);
    server.advance(TimeDelta::days(400));
    tessera::jobs::sweep::once(&server.app).await.expect("swept");
    assert_clean(&report(server).await);
}

/// Pointed at the wrong place it must not find that all is well there.
pub fn verify_makes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    for command in ["verify", "accept"] {
        let mut tessera = Command::new(env!("CARGO_BIN_EXE_tessera"));
        let output = tessera.args(["audit", command]).current_dir(folder.path()).env_clear().output().expect("runs");
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.contains("there is no database at"), "{text}");
        assert_eq!(std::fs::read_dir(folder.path()).expect("the folder").count(), 0);
    }
}
