//! A head that was changed from outside: the service goes on, and what happened stays visible. And
//! heads that were kept elsewhere.

use super::{PATH, assert_clean, findings, report, write};
use crate::harness::{Server, tests};
use serde_json::json;
use tessera::{
    audit::chain::verify::{Finding, passes},
    secret::keyring::hex,
};

tests![
    writes_go_on_after_a_changed_number,
    writes_go_on_after_a_changed_hash,
    writes_go_on_after_an_edited_tail,
    the_mark_stays,
    a_head_that_is_gone,
    everything_of_the_chain_is_gone,
    earlier_heads,
    an_older_copy_is_found_by_its_head,
    heads_that_are_none,
];

/// Every kind of write works, and the chain still says that something happened.
async fn goes_on(server: &Server, name: &str) {
    let admin = server.admin();
    for round in 0..3 {
        let identifier = format!("{name}-{round}");
        admin.post("/core/tokens/", &json!({"identifier": identifier})).await.expect(201);
        server.key_of(&identifier).await;
        admin.delete(&format!("/core/tokens/{identifier}/")).await.expect_empty(204);
        let found = findings(server).await;
        assert!(found.iter().any(|f| matches!(f, Finding::HeadWasChanged(_))), "{name}: {found:?}");
    }
    tessera::jobs::sweep::once(&server.app).await.expect("swept");
    assert!(!findings(server).await.is_empty(), "{name}");
}

async fn writes_go_on_after_a_changed_number(server: &Server) {
    for (name, change) in [
        ("less", "sequence = sequence - 1"),
        ("more", "sequence = sequence + 1"),
        ("nothing", "sequence = 0"),
        ("below", "sequence = -5"),
        ("anchor", "anchor_sequence = anchor_sequence + 1"),
        ("far", "sequence = sequence + 1000000"),
    ] {
        server.sql(&format!("UPDATE audit_head SET {change}")).await;
        assert!(findings(server).await.contains(&Finding::HeadChanged), "{name}");
        goes_on(server, name).await;
    }
    server.sql(&format!("UPDATE audit_head SET sequence = {}", i64::MAX)).await;
    goes_on(server, "largest").await;
}

async fn writes_go_on_after_a_changed_hash(server: &Server) {
    for (name, change) in [("hash", "hash = mac"), ("mac", "mac = hash"), ("anchor", "anchor_hash = mac")] {
        server.sql(&format!("UPDATE audit_head SET {change}")).await;
        goes_on(server, name).await;
    }
}

async fn writes_go_on_after_an_edited_tail(server: &Server) {
    write(server, json!({})).await;
    write(server, json!({})).await;
    // The links of the last two are gone and the head says so; the events are still there.
    server.sql("DELETE FROM audit_chain WHERE sequence > (SELECT sequence - 2 FROM audit_head)").await;
    server.sql("UPDATE audit_head SET sequence = sequence - 2").await;
    goes_on(server, "tail").await;
}

async fn the_mark_stays(server: &Server) {
    server.sql("UPDATE audit_head SET sequence = sequence - 1").await;
    write(server, json!({})).await;
    let found = findings(server).await;
    let other = server.another(|_| {}).await;
    assert_clean(&report(&other).await);
    other.end().await;
    // Taking the mark away is a change like any other.
    server.sql("UPDATE audit_head SET broken_at = NULL").await;
    assert!(findings(server).await.contains(&Finding::HeadChanged));
    write(server, json!({})).await;
    assert!(findings(server).await.len() >= found.len());
}

async fn a_head_that_is_gone(server: &Server) {
    let other = server.another(|_| {}).await;
    write(&other, json!({})).await;
    other.sql("DELETE FROM audit_head").await;
    assert_eq!(findings(&other).await, [Finding::HeadMissing]);
    // The next write makes another, and says that there was one.
    goes_on(&other, "before").await;
    other.sql("DELETE FROM audit_head").await;
    assert!(findings(&other).await.contains(&Finding::HeadMissing));
    // So does the next start.
    let again = other.stop().await.start().await;
    assert!(findings(&again).await.iter().any(|f| matches!(f, Finding::HeadWasChanged(_))));
    goes_on(&again, "gone").await;
    again.end().await;
}

async fn everything_of_the_chain_is_gone(server: &Server) {
    let other = server.another(|_| {}).await;
    write(&other, json!({})).await;
    let head = report(&other).await.head;
    other.sql("DELETE FROM audit_chain").await;
    other.sql("DELETE FROM audit_head").await;
    let again = other.stop().await.start().await;
    assert!(findings(&again).await.iter().any(|f| matches!(f, Finding::EventForeign(_))));
    for number in 0..3 {
        again.admin().post(PATH, &json!({"action": "login", "app": format!("t{number}")})).await.expect(201);
    }
    assert!(!findings(&again).await.is_empty());
    let kept = format!("{}:{}", head.0, hex(&head.1));
    assert_eq!(passes(again.app.db.read(), &kept).await.expect("read"), Some(false));
    again.end().await;
}

async fn earlier_heads(server: &Server) {
    let mut kept = Vec::new();
    for _ in 0..4 {
        let (number, hash) = report(server).await.head;
        kept.push((number, hex(&hash)));
        write(server, json!({"expires": "2026-06-01T00:00:00Z"})).await;
    }
    let leads = async |number: i64, hash: &str| passes(server.app.db.read(), &format!("{number}:{hash}")).await;
    for (number, hash) in &kept {
        assert_eq!(leads(*number, hash).await.expect("read"), Some(true));
        assert_eq!(leads(*number, &hash.to_uppercase()).await.expect("read"), Some(true));
        assert_eq!(leads(*number, &kept[0].1).await.expect("read"), Some(*number == kept[0].0));
    }
    assert_eq!(leads(9999, &kept[0].1).await.expect("read"), Some(false), "beyond the end");
    // After the links have gone it cannot be told, but for the one that is kept as the anchor.
    server.advance(chrono::TimeDelta::days(400));
    tessera::jobs::sweep::once(&server.app).await.expect("swept");
    assert_clean(&report(server).await);
    let anchor = server.number("SELECT anchor_sequence FROM audit_head").await;
    for (number, hash) in &kept {
        let expected = if *number < anchor { None } else { Some(true) };
        assert_eq!(leads(*number, hash).await.expect("read"), expected, "{number} {anchor}");
    }
}

/// The whole database as it was: all fits, but for the head that somebody kept.
async fn an_older_copy_is_found_by_its_head(server: &Server) {
    for table in ["events", "audit_chain", "audit_head"] {
        server.sql(&format!("CREATE TABLE old_{table} AS SELECT * FROM {table}")).await;
    }
    write(server, json!({})).await;
    let (number, hash) = report(server).await.head;
    let kept = format!("{number}:{}", hex(&hash));
    assert_eq!(passes(server.app.db.read(), &kept).await.expect("read"), Some(true));
    for table in ["events", "audit_chain", "audit_head"] {
        server.sql(&format!("DELETE FROM {table}")).await;
        server.sql(&format!("INSERT INTO {table} SELECT * FROM old_{table}")).await;
    }
    assert_clean(&report(server).await);
    assert_eq!(passes(server.app.db.read(), &kept).await.expect("read"), Some(false));
    // Also after as many new links as were cut off.
    write(server, json!({"app": "another"})).await;
    assert_clean(&report(server).await);
    assert_eq!(passes(server.app.db.read(), &kept).await.expect("read"), Some(false));
}

async fn heads_that_are_none(server: &Server) {
    for bad in ["", "x", "5", "x:00", ":", "5;00"] {
        assert!(passes(server.app.db.read(), bad).await.is_err(), "{bad}");
    }
    assert_eq!(passes(server.app.db.read(), "1:").await.expect("read"), Some(false));
}
