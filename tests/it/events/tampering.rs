//! Changes from outside: each is found, and named.

use super::{findings, key, one, write};
use crate::harness::{Backend, Server, tests};
use sea_orm::ConnectionTrait as _;
use serde_json::json;
use tessera::audit::chain::verify::{Finding, MOST_FINDINGS};
use uuid::Uuid;

tests![
    changed_columns,
    removed_rows,
    inserted_and_revived_rows,
    moved_rows,
    changed_links,
    changed_heads,
    everything_at_once
];

/// What the tests tamper with.
struct Trail {
    /// Events, each with its link.
    events: Vec<(Uuid, i64)>,
    /// One that was revised: its links then and now.
    revised: (Uuid, i64, i64),
    /// The link of one that was removed.
    removed: (Uuid, i64),
    last: i64,
}

const TABLES: [&str; 3] = ["events", "audit_chain", "audit_head"];

async fn number_of(server: &Server, id: Uuid) -> i64 {
    server.number(&format!("SELECT sequence FROM events WHERE id = {}", spelled(server, id))).await
}

/// A key as the database writes it.
fn spelled(server: &Server, id: Uuid) -> String {
    match server.place.backend() {
        Backend::Sqlite => format!("X'{}'", id.simple()),
        Backend::Postgres => format!("'{id}'"),
    }
}

fn bytes(server: &Server, byte: &str) -> String {
    match server.place.backend() {
        Backend::Sqlite => format!("X'{}'", byte.repeat(32)),
        Backend::Postgres => format!("'\\x{}'", byte.repeat(32)),
    }
}

/// Some history, and copies of it: `old_…` from before the last changes, `copy_…` of how it ended.
async fn lay(server: &Server) -> Trail {
    let admin = server.admin();
    let mut events = Vec::new();
    for number in 0..4 {
        let fields = json!({"context": {"n": number}, "user": {"pk": number}, "client_ip": "192.0.2.1"});
        let event = write(server, fields).await;
        events.push((key(&event), number_of(server, key(&event)).await));
        server.advance(chrono::TimeDelta::seconds(1));
    }
    let (revised, removed) = (write(server, json!({})).await, write(server, json!({})).await);
    let then = number_of(server, key(&revised)).await;
    for table in TABLES {
        server.sql(&format!("CREATE TABLE old_{table} AS SELECT * FROM {table}")).await;
    }
    admin.patch(&one(&revised), &json!({"context": {"revised": true}})).await.expect(200);
    admin.delete(&one(&removed)).await.expect_empty(204);
    // Newer links than all of those.
    write(server, json!({})).await;
    write(server, json!({})).await;
    let gone = format!("SELECT max(sequence) FROM audit_chain WHERE event_id = {}", spelled(server, key(&removed)));
    for table in TABLES {
        server.sql(&format!("CREATE TABLE copy_{table} AS SELECT * FROM {table}")).await;
    }
    assert_eq!(findings(server).await, []);
    Trail {
        events,
        revised: (key(&revised), then, number_of(server, key(&revised)).await),
        removed: (key(&removed), server.number(&gone).await),
        last: server.number("SELECT sequence FROM audit_head").await,
    }
}

/// Runs the statements, gives what is found, and undoes it all.
async fn after(server: &Server, statements: &[&str]) -> Vec<Finding> {
    for statement in statements {
        assert!(server.sql(statement).await > 0, "{statement} did nothing");
    }
    let found = findings(server).await;
    for table in TABLES {
        server.app.db.write().execute_unprepared(&format!("DELETE FROM {table}")).await.expect("emptied");
        server.sql(&format!("INSERT INTO {table} SELECT * FROM copy_{table}")).await;
    }
    assert_eq!(findings(server).await, [], "undone");
    found
}

async fn changed_columns(server: &Server) {
    let trail = lay(server).await;
    let (id, number) = trail.events[1];
    for change in [
        "action = 'logout'",
        "action = ''",
        "app = 'tests '",
        "\"user\" = '{\"pk\": 2}'",
        "\"user\" = '{}'",
        "context = '{\"n\": 1, \"m\": null}'",
        "context = '{\"n\": \"1\"}'",
        "context = '{\"n\": 1.0000000000000002}'",
        "context = '[]'",
        "client_ip = '192.0.2.2'",
        "client_ip = NULL",
        "client_ip = ''",
        "brand = '{}'",
        "created = expires",
        "expires = created",
    ] {
        let statement = format!("UPDATE events SET {change} WHERE sequence = {number}");
        assert_eq!(after(server, &[&statement]).await, [Finding::EventChanged(id, number)], "{change}");
    }
    // By a microsecond.
    let statement = match server.place.backend() {
        Backend::Sqlite => {
            format!("UPDATE events SET created = replace(created, '.678901', '.678902') WHERE sequence = {number}")
        }
        Backend::Postgres => {
            format!("UPDATE events SET created = created + interval '1 microsecond' WHERE sequence = {number}")
        }
    };
    assert_eq!(after(server, &[&statement]).await, [Finding::EventChanged(id, number)]);
    // The same value in another spelling is no change.
    let same = format!("UPDATE events SET context = '{{\"n\" : 1.0e0}}' WHERE sequence = {number}");
    assert_eq!(after(server, &[&same]).await, []);
    let other = Uuid::from_u128(7);
    let statement = format!("UPDATE events SET id = {} WHERE sequence = {number}", spelled(server, other));
    let found = after(server, &[&statement]).await;
    assert_eq!(found, [Finding::EventMissing(id, number), Finding::EventForeign(other)]);
    for sequence in ["NULL", "0", "-5", "999999"] {
        let statement = format!("UPDATE events SET sequence = {sequence} WHERE sequence = {number}");
        let found = after(server, &[&statement]).await;
        assert_eq!(found, [Finding::EventMissing(id, number), Finding::EventForeign(id)], "{sequence}");
    }
}

async fn removed_rows(server: &Server) {
    let trail = lay(server).await;
    let last = trail.last;
    for (id, number) in &trail.events {
        let statement = format!("DELETE FROM events WHERE sequence = {number}");
        assert_eq!(after(server, &[&statement]).await, [Finding::EventMissing(*id, *number)]);
        let link = format!("DELETE FROM audit_chain WHERE sequence = {number}");
        let found = after(server, &[&link]).await;
        assert_eq!(found, [Finding::LinksMissing(*number, *number), Finding::EventForeign(*id)]);
        assert_eq!(after(server, &[&statement, &link]).await, [Finding::LinksMissing(*number, *number)]);
    }
    let found = after(server, &["DELETE FROM audit_chain WHERE sequence = 1"]).await;
    assert_eq!(found[0], Finding::LinksMissing(1, 1));
    let tail = format!("DELETE FROM audit_chain WHERE sequence = {last}");
    assert_eq!(after(server, &[&tail]).await[0], Finding::LinksMissing(last, last));
    let newest = format!("DELETE FROM events WHERE sequence = {last}");
    assert_eq!(after(server, &[&tail, &newest]).await, [Finding::LinksMissing(last, last)]);
    let found = after(server, &["DELETE FROM audit_chain", "DELETE FROM events"]).await;
    assert_eq!(found, [Finding::LinksMissing(1, last)]);
    let found = after(server, &["DELETE FROM events"]).await;
    assert!(found.len() > 5 && found.iter().all(|f| matches!(f, Finding::EventMissing(..))), "{found:?}");
    let found = after(server, &["DELETE FROM audit_head"]).await;
    assert_eq!(found, [Finding::HeadMissing]);
    let found = after(server, &["DELETE FROM audit_head", "DELETE FROM audit_chain"]).await;
    assert!(found.contains(&Finding::HeadMissing) && found.len() > 5, "{found:?}");
    let found = after(server, &["DELETE FROM audit_head", "DELETE FROM audit_chain", "DELETE FROM events"]).await;
    assert_eq!(found, [Finding::HeadMissing]);
    // The trace of a removal, with the removal.
    let (_, number) = trail.removed;
    let statement = format!("DELETE FROM audit_chain WHERE sequence = {number}");
    assert_eq!(after(server, &[&statement]).await[0], Finding::LinksMissing(number, number));
}

async fn inserted_and_revived_rows(server: &Server) {
    let trail = lay(server).await;
    let other = Uuid::from_u128(7);
    let columns = "\"user\", action, app, context, client_ip, created, expires, brand";
    for sequence in ["NULL".to_owned(), "0".to_owned(), (trail.last + 1).to_string(), "999999".to_owned()] {
        let statement = format!(
            "INSERT INTO events (id, {columns}, sequence) SELECT {}, {columns}, {sequence} FROM events WHERE sequence = {}",
            spelled(server, other),
            trail.events[0].1
        );
        assert_eq!(after(server, &[&statement]).await, [Finding::EventForeign(other)], "{sequence}");
    }
    let (id, number) = trail.removed;
    let revive = format!("INSERT INTO events SELECT * FROM old_events WHERE id = {}", spelled(server, id));
    let found = after(server, &[&revive]).await;
    assert_eq!(found, [Finding::EventRevived(id, number)]);
    let unnumbered = format!("UPDATE events SET sequence = NULL WHERE id = {}", spelled(server, id));
    let found = after(server, &[&revive, &unnumbered]).await;
    assert_eq!(found, [Finding::EventRevived(id, number), Finding::EventForeign(id)]);
    let renumbered = format!("UPDATE events SET sequence = {number} WHERE id = {}", spelled(server, id));
    assert!(after(server, &[&revive, &renumbered]).await.contains(&Finding::EventRevived(id, number)));
}

async fn moved_rows(server: &Server) {
    let trail = lay(server).await;
    let (id, then, now) = trail.revised;
    // An old state put back, row and all.
    let here = spelled(server, id);
    let gone = format!("DELETE FROM events WHERE id = {here}");
    let back = format!("INSERT INTO events SELECT * FROM old_events WHERE id = {here}");
    assert_eq!(after(server, &[&gone, &back]).await, [Finding::EventMissing(id, now)]);
    // And under the number of the new one.
    let number = format!("UPDATE events SET sequence = {now} WHERE id = {here}");
    assert_eq!(after(server, &[&gone, &back, &number]).await, [Finding::EventChanged(id, now)]);
    let number = format!("UPDATE events SET sequence = {then} WHERE id = {here}");
    assert_eq!(after(server, &[&number]).await, [Finding::EventChanged(id, then), Finding::EventMissing(id, now)]);
    // Two change places.
    let ((a, first), (b, second)) = (trail.events[0], trail.events[2]);
    let swap = [
        format!("UPDATE events SET sequence = -1 WHERE sequence = {first}"),
        format!("UPDATE events SET sequence = {first} WHERE sequence = {second}"),
        format!("UPDATE events SET sequence = {second} WHERE sequence = -1"),
    ];
    let found = after(server, &swap.each_ref().map(String::as_str)).await;
    for expected in [
        Finding::EventMissing(a, first),
        Finding::EventMissing(b, second),
        Finding::EventForeign(a),
        Finding::EventForeign(b),
    ] {
        assert!(found.contains(&expected), "{expected} is missing in {found:?}");
    }
    // Two change what they say.
    let swap = format!(
        "UPDATE events SET context = (SELECT o.context FROM copy_events o WHERE o.sequence = {first} + {second} - events.sequence) \
         WHERE sequence IN ({first}, {second})"
    );
    assert_eq!(after(server, &[&swap]).await, [Finding::EventChanged(a, first), Finding::EventChanged(b, second)]);
    // With their links.
    let links = format!(
        "UPDATE audit_chain SET digest = (SELECT o.digest FROM copy_audit_chain o WHERE o.sequence = {first} + {second} - audit_chain.sequence) \
         WHERE sequence IN ({first}, {second})"
    );
    let found = after(server, &[&swap, &links]).await;
    assert!(found.contains(&Finding::LinkChanged(first)) && found.contains(&Finding::LinkChanged(second)), "{found:?}");
}

async fn changed_links(server: &Server) {
    let trail = lay(server).await;
    let (id, number) = trail.events[1];
    let change = |what: &str| format!("UPDATE audit_chain SET {what} WHERE sequence = {number}");
    let found = after(server, &[&change(&format!("digest = {}", bytes(server, "07")))]).await;
    assert_eq!(found, [Finding::LinkChanged(number), Finding::EventChanged(id, number)]);
    let found = after(server, &[&change(&format!("event_id = {}", spelled(server, Uuid::from_u128(7))))]).await;
    assert!(found.contains(&Finding::LinkChanged(number)) && found.contains(&Finding::EventForeign(id)), "{found:?}");
    let found = after(server, &[&change(&format!("hash = {}", bytes(server, "07")))]).await;
    assert_eq!(found, [Finding::LinkChanged(number), Finding::LinkChanged(number + 1)]);
    // A removal that never was.
    let gone = format!("DELETE FROM events WHERE sequence = {number}");
    assert_eq!(after(server, &[&gone, &change("digest = NULL")]).await, [Finding::LinkChanged(number)]);
    let number_changed = change(&format!("sequence = {}", trail.last + 5));
    assert_eq!(after(server, &[&number_changed]).await[0], Finding::LinksMissing(number, number));
    // A link more, at the end.
    let more = format!(
        "INSERT INTO audit_chain (sequence, event_id, digest, hash) SELECT {}, event_id, digest, hash FROM audit_chain \
         WHERE sequence = {number}",
        trail.last + 1
    );
    assert!(after(server, &[&more]).await.contains(&Finding::HeadChanged));
    // The last one: nothing after it tells, but the head.
    let last = format!("UPDATE audit_chain SET hash = {} WHERE sequence = {}", bytes(server, "07"), trail.last);
    assert_eq!(after(server, &[&last]).await, [Finding::LinkChanged(trail.last), Finding::HeadChanged]);
}

async fn changed_heads(server: &Server) {
    let trail = lay(server).await;
    let odd = bytes(server, "07");
    for change in [
        "sequence = sequence - 1".to_owned(),
        "sequence = sequence + 1".to_owned(),
        "sequence = 0".to_owned(),
        "anchor_sequence = 1".to_owned(),
        "anchor_sequence = -1".to_owned(),
        "broken_at = 0".to_owned(),
        format!("hash = {odd}"),
        format!("anchor_hash = {odd}"),
        format!("mac = {odd}"),
    ] {
        let found = after(server, &[&format!("UPDATE audit_head SET {change}")]).await;
        assert!(found.contains(&Finding::HeadChanged), "{change}: {found:?}");
    }
    // The tail cut off, with a head that leads to where it was cut.
    let last = trail.last;
    let found = after(
        server,
        &[
            &format!("DELETE FROM events WHERE sequence = {last}"),
            &format!("DELETE FROM audit_chain WHERE sequence = {last}"),
            "UPDATE audit_head SET sequence = sequence - 1, \
             hash = (SELECT hash FROM audit_chain ORDER BY sequence DESC LIMIT 1)",
        ],
    )
    .await;
    assert_eq!(found, [Finding::HeadChanged]);
    // The beginning cut off, with an anchor that says so.
    let found = after(
        server,
        &[
            "UPDATE audit_head SET anchor_sequence = 2, anchor_hash = (SELECT hash FROM audit_chain WHERE sequence = 2)",
            "DELETE FROM events WHERE sequence <= 2",
            "DELETE FROM audit_chain WHERE sequence <= 2",
        ],
    )
    .await;
    assert_eq!(found, [Finding::HeadChanged]);
}

/// A database that is all wrong does not make a report without end.
async fn everything_at_once(server: &Server) {
    let mut events = Vec::new();
    for _ in 0..150 {
        events.push(key(&write(server, json!({})).await));
    }
    server.sql("UPDATE events SET app = 'other'").await;
    let found = findings(server).await;
    assert_eq!(found.len(), MOST_FINDINGS);
    server.sql("DELETE FROM events").await;
    assert_eq!(findings(server).await.len(), MOST_FINDINGS);
    server.sql("DELETE FROM audit_chain").await;
    assert_eq!(findings(server).await.len(), 1);
    assert_eq!(events.len(), 150);
}
