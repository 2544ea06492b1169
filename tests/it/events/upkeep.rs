//! What becomes of the chain when events go at their end: it gets shorter, and still shows everything.

use super::{assert_clean, findings, key, one, report, write};
use crate::harness::{Server, tests};
use chrono::TimeDelta;
use serde_json::json;
use tessera::{audit::chain::verify::Finding, jobs::sweep};

tests![
    pruning_is_no_finding,
    links_of_what_is_gone_are_dropped,
    one_old_event_keeps_the_links,
    an_empty_trail,
    dropped_in_portions,
    a_shortened_chain_is_guarded,
    upkeep_hides_no_removal_of_the_oldest,
    upkeep_hides_no_removal_that_never_was,
    upkeep_leaves_a_broken_chain_alone,
    revived_after_its_links_were_dropped,
];

async fn swept(server: &Server) -> sweep::Swept {
    sweep::once(&server.app).await.expect("swept")
}

async fn links(server: &Server) -> i64 {
    server.number("SELECT count(*) FROM audit_chain").await
}

async fn anchor(server: &Server) -> i64 {
    server.number("SELECT anchor_sequence FROM audit_head").await
}

async fn pruning_is_no_finding(server: &Server) {
    for number in 0..5 {
        write(server, json!({"expires": format!("2026-01-0{}T00:00:00Z", number + 1)})).await;
    }
    let before = server.number("SELECT count(*) FROM events").await;
    // Two had ended before they were written.
    assert_eq!(swept(server).await.pruned, 2);
    assert_clean(&report(server).await);
    server.advance(TimeDelta::days(2));
    assert_eq!(swept(server).await.pruned, 2);
    assert_clean(&report(server).await);
    // Four went, and each sweep that did something wrote one.
    assert_eq!(server.number("SELECT count(*) FROM events").await, before - 4 + 2);
    assert_eq!(swept(server).await, sweep::Swept::default());
    assert_clean(&report(server).await);
}

async fn links_of_what_is_gone_are_dropped(server: &Server) {
    for _ in 0..20 {
        write(server, json!({})).await;
    }
    // A year later everything but what came since has ended.
    server.advance(TimeDelta::days(200));
    let young = write(server, json!({})).await;
    server.advance(TimeDelta::days(200));
    let before = links(server).await;
    assert!(swept(server).await.pruned > 20);
    assert!(links(server).await < before + 10, "removals add links, and dropping takes away more");
    let number = server.number("SELECT min(sequence) FROM events").await;
    assert_eq!(anchor(server).await, number - 1);
    assert_eq!(server.number("SELECT min(sequence) FROM audit_chain").await, number);
    assert_clean(&report(server).await);
    server.admin().get(&one(&young)).await.expect_body(200, &young);
    write(server, json!({})).await;
    assert_clean(&report(server).await);
}

async fn one_old_event_keeps_the_links(server: &Server) {
    let old = write(server, json!({"expires": "2099-01-01T00:00:00Z"})).await;
    let number = server.number("SELECT max(sequence) FROM events").await;
    for _ in 0..5 {
        write(server, json!({"expires": "2026-06-01T00:00:00Z"})).await;
    }
    server.advance(TimeDelta::days(400));
    swept(server).await;
    assert_eq!(anchor(server).await, number - 1);
    assert_clean(&report(server).await);
    // Revised, it has a newer link, and those before it are needed no more.
    server.admin().patch(&one(&old), &json!({"app": "kept"})).await.expect(200);
    swept(server).await;
    assert!(anchor(server).await > number);
    assert_clean(&report(server).await);
}

async fn an_empty_trail(server: &Server) {
    server.advance(TimeDelta::days(4000));
    swept(server).await;
    server.advance(TimeDelta::days(4000));
    // Only what the sweep itself says is left.
    swept(server).await;
    let report = report(server).await;
    assert_clean(&report);
    assert_eq!(report.events, 1);
    assert_eq!(links(server).await, 1);
    write(server, json!({})).await;
    assert_clean(&super::report(server).await);
}

async fn dropped_in_portions(server: &Server) {
    use tessera::audit::{Model, brand, chain::Change};
    let ctx = server.system();
    let tx = ctx.begin().await.expect("a transaction");
    for _ in 0..5_300 {
        tx.change_events(Change::Recorded(Box::new(Model {
            id: ctx.uuid(),
            user: json!({}),
            action: "login".to_owned(),
            app: "tests".to_owned(),
            context: json!({}),
            client_ip: None,
            created: ctx.now,
            expires: ctx.now,
            brand: brand(),
            sequence: None,
            search: String::new(),
        })));
    }
    tx.commit().await.expect("committed");
    assert_clean(&report(server).await);
    server.advance(TimeDelta::days(1));
    assert_eq!(swept(server).await.pruned, 5_300);
    assert_clean(&report(server).await);
    server.advance(TimeDelta::days(400));
    swept(server).await;
    assert_clean(&report(server).await);
    assert_eq!(anchor(server).await, server.number("SELECT min(sequence) FROM events").await - 1);
}

async fn a_shortened_chain_is_guarded(server: &Server) {
    write(server, json!({})).await;
    server.advance(TimeDelta::days(200));
    let young = write(server, json!({})).await;
    let last = write(server, json!({})).await;
    server.advance(TimeDelta::days(200));
    swept(server).await;
    assert!(anchor(server).await > 0);
    let number = server.number("SELECT min(sequence) FROM events").await;
    server.sql(&format!("UPDATE events SET app = 'x' WHERE sequence = {number}")).await;
    assert_eq!(findings(server).await, [Finding::EventChanged(key(&young), number)]);
    server.sql(&format!("DELETE FROM audit_chain WHERE sequence = {number}")).await;
    let found = findings(server).await;
    assert_eq!(found, [Finding::LinksMissing(number, number), Finding::EventForeign(key(&young))]);
    server.admin().get(&one(&last)).await.expect(200);
}

/// Whoever takes the oldest events away from outside must not have the server tidy up after them.
async fn upkeep_hides_no_removal_of_the_oldest(server: &Server) {
    for _ in 0..5 {
        write(server, json!({})).await;
    }
    let number = server.number("SELECT max(sequence) FROM events").await;
    write(server, json!({})).await;
    server.sql(&format!("DELETE FROM events WHERE sequence <= {number}")).await;
    let before = findings(server).await;
    assert!(before.len() >= 5 && before.iter().all(|f| matches!(f, Finding::EventMissing(..))), "{before:?}");
    swept(server).await;
    let after = findings(server).await;
    assert_eq!(after.len(), before.len(), "the sweep has dropped the traces: {after:?}");
}

/// Nor when its link is made to look like one of a removal.
async fn upkeep_hides_no_removal_that_never_was(server: &Server) {
    server.sql("UPDATE audit_chain SET digest = NULL WHERE sequence <= 2").await;
    server.sql("DELETE FROM events WHERE sequence <= 2").await;
    assert!(!findings(server).await.is_empty());
    swept(server).await;
    assert!(!findings(server).await.is_empty(), "the sweep has dropped the traces");
    // A link from nowhere that says the third was removed.
    let third = "SELECT event_id, digest, hash FROM audit_chain WHERE sequence = 3";
    for nowhere in [-7, 1_000_000] {
        server
            .sql(&format!(
                "INSERT INTO audit_chain (sequence, event_id, digest, hash) SELECT {nowhere}, o.event_id, NULL, o.hash FROM ({third}) o"
            ))
            .await;
    }
    server.sql("DELETE FROM events WHERE sequence = 3").await;
    swept(server).await;
    server.sql("DELETE FROM audit_chain WHERE sequence IN (-7, 1000000)").await;
    assert!(!findings(server).await.is_empty(), "the sweep has dropped the traces");
}

async fn upkeep_leaves_a_broken_chain_alone(server: &Server) {
    server.sql("UPDATE audit_head SET anchor_sequence = anchor_sequence + 1").await;
    write(server, json!({"expires": "2020-01-01T00:00:00Z"})).await;
    let before = links(server).await;
    server.advance(TimeDelta::days(400));
    swept(server).await;
    assert!(links(server).await > before, "a broken chain is evidence");
    assert!(findings(server).await.iter().any(|f| matches!(f, Finding::HeadWasChanged(_))));
}

async fn revived_after_its_links_were_dropped(server: &Server) {
    let event = write(server, json!({"expires": "2026-03-01T00:00:00Z"})).await;
    server.sql("CREATE TABLE old AS SELECT * FROM events").await;
    server.advance(TimeDelta::days(200));
    swept(server).await;
    server.advance(TimeDelta::days(400));
    swept(server).await;
    server.advance(TimeDelta::days(400));
    swept(server).await;
    assert_clean(&report(server).await);
    server.sql("INSERT INTO events SELECT * FROM old WHERE expires = (SELECT min(expires) FROM old)").await;
    assert_eq!(findings(server).await, [Finding::EventForeign(key(&event))]);
}
