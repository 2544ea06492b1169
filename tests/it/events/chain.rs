//! The chain over what happens: whatever the server does itself is no finding.

use super::{assert_clean, findings, key, one, report, write};
use crate::harness::{BOOTSTRAP_TOKEN, Client, SECRET_KEY, Server, tests};
use chrono::TimeDelta;
use sea_orm::ConnectionTrait as _;
use sea_orm::TransactionTrait as _;
use serde_json::json;
use std::sync::Arc;
use tessera::{
    audit::chain::verify::{Finding, verify},
    secret::{Keyring, PlainSecret},
};

tests![
    a_fresh_installation_verifies,
    every_kind_of_change_verifies,
    changes_by_hand_are_no_findings,
    refused_changes_leave_no_gap,
    thirty_two_clients_one_chain,
    two_processes_one_chain,
    many_at_one_event,
    events_from_before_the_chain,
    a_second_start_changes_nothing,
    under_another_master_key_nothing_fits,
];

/// Links are numbered from 1 on without a gap, and the head is the last.
async fn assert_numbered(server: &Server) {
    let links = server.number("SELECT count(*) FROM audit_chain").await;
    assert_eq!(server.number("SELECT min(sequence) FROM audit_chain").await, 1);
    assert_eq!(server.number("SELECT max(sequence) FROM audit_chain").await, links);
    assert_eq!(server.number("SELECT sequence FROM audit_head").await, links);
    assert_eq!(report(server).await.head.0, links);
    assert_eq!(server.number("SELECT count(*) FROM events WHERE sequence IS NULL").await, 0);
}

async fn a_fresh_installation_verifies(server: &Server) {
    let fresh = crate::harness::Place::empty(server.place.backend()).await.start().await;
    let report = report(&fresh).await;
    assert_clean(&report);
    assert_eq!(report.events, u64::try_from(fresh.number("SELECT count(*) FROM events").await).expect("a count"));
    assert_numbered(&fresh).await;
    fresh.end().await;
}

async fn every_kind_of_change_verifies(server: &Server) {
    let admin = server.admin();
    let ann = server.person_with("ann", json!({"attributes": {"ü": [1.5, 1e300, -0.0], "": {"": ""}}})).await;
    let group = format!("/core/groups/{}/", server.group("g", json!({"attributes": {"a": 1e-7}})).await);
    admin.patch(&group, &json!({"attributes": {"big": 18_446_744_073_709_551_615_u64}})).await.expect(200);
    admin.post(&format!("{group}add_user/"), &json!({"pk": ann.pk})).await.expect_empty(204);
    admin.post("/core/tokens/?x=%F0%9F%98%80&key=secret", &json!({"identifier": "t"})).await.expect(201);
    admin.patch("/core/tokens/t/", &json!({"description": "\u{1F600}"})).await.expect(200);
    admin.post("/core/tokens/t/set_key/", &json!({"key": "chosen"})).await.expect_empty(204);
    admin.post("/core/tokens/t/rotate/", &json!({})).await.expect(200);
    server.key_of("t").await;
    admin.post(&format!("/core/users/{}/set_password/", ann.pk), &json!({"password": "x"})).await.expect_empty(204);
    admin.post("/core/users/service_account/", &json!({"name": "svc", "create_group": true})).await.expect(200);
    admin.patch("/admin/settings/", &json!({"impersonation": false})).await.expect(200);
    let body = json!({"permissions": ["authentik_core.view_user"]});
    let role = admin.post("/rbac/roles/", &json!({"name": "helpers"})).await.expect(201);
    let assign = format!("/rbac/permissions/assigned_by_roles/{}/assign/", role["pk"].as_str().expect("text"));
    admin.post(&assign, &body).await.expect(200);
    let written = write(server, json!({"context": {"n": 0.1, "deep": [[[{}]]]}, "client_ip": "::1"})).await;
    admin.patch(&one(&written), &json!({"context": "☃"})).await.expect(200);
    server.advance(TimeDelta::hours(1));
    assert_eq!(tessera::jobs::sweep::once(&server.app).await.expect("swept").rotated, 1);
    admin.delete("/core/tokens/t/").await.expect_empty(204);
    admin.delete(&format!("/core/users/{}/", ann.pk)).await.expect_empty(204);
    admin.delete(&group).await.expect_empty(204);
    assert_clean(&report(server).await);
    assert_numbered(server).await;
    tessera::jobs::sweep::once(&server.app).await.expect("swept");
    assert_clean(&report(server).await);
    let again = server.place.open().await;
    again.close().await.expect("closed");
}

async fn changes_by_hand_are_no_findings(server: &Server) {
    let admin = server.admin();
    let events = [write(server, json!({})).await, write(server, json!({})).await, write(server, json!({})).await];
    for round in 0..3 {
        for event in &events {
            admin.patch(&one(event), &json!({"context": {"round": round}})).await.expect(200);
        }
    }
    // Back to an older state, by the front door.
    admin.patch(&one(&events[0]), &json!({"context": {"round": 0}})).await.expect(200);
    admin.delete(&one(&events[1])).await.expect_empty(204);
    admin.put(&one(&events[2]), &json!({"action": "logout", "app": "x"})).await.expect(200);
    assert_clean(&report(server).await);
    assert_numbered(server).await;
}

async fn refused_changes_leave_no_gap(server: &Server) {
    let ann = server.person("ann").await;
    for _ in 0..5 {
        server.admin().post("/core/tokens/", &json!({"identifier": "ann-login"})).await.expect(400);
        ann.client.delete("/core/users/1/").await.expect(403);
        server.admin().post("/core/users/", &json!({"username": "ann", "name": ""})).await.expect(400);
    }
    write(server, json!({})).await;
    assert_clean(&report(server).await);
    assert_numbered(server).await;
}

async fn thirty_two_clients_one_chain(server: &Server) {
    let before = server.number("SELECT count(*) FROM audit_chain").await;
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..32 {
        let client = server.admin();
        tasks.spawn(async move {
            for round in 0..3 {
                let identifier = format!("t-{number}-{round}");
                client.post("/core/tokens/", &json!({"identifier": identifier})).await.expect(201);
                let path = format!("/core/tokens/{identifier}/");
                client.patch(&path, &json!({"description": "x"})).await.expect(200);
                client.get(&format!("{path}view_key/")).await.expect(200);
                if round == 1 {
                    client.delete(&path).await.expect_empty(204);
                }
            }
        });
    }
    while let Some(task) = tasks.join_next().await {
        task.expect("written");
    }
    assert_clean(&report(server).await);
    assert_numbered(server).await;
    assert_eq!(server.number("SELECT count(*) FROM audit_chain").await, before + 32 * 10);
}

async fn two_processes_one_chain(server: &Server) {
    let entropy = Arc::new(tessera::ctx::SeededEntropy::new(99));
    let clock = Arc::clone(&server.clock);
    let second = tessera::server::start(server.place.config(), clock, entropy).await.expect("a second server");
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..8 {
        let address = if number % 2 == 0 { server.address() } else { second.api };
        let client = Client::new(address, Some(BOOTSTRAP_TOKEN.to_owned()));
        tasks.spawn(async move {
            for round in 0..5 {
                let body = json!({"identifier": format!("t-{number}-{round}")});
                client.post("/core/tokens/", &body).await.expect(201);
            }
        });
    }
    while let Some(task) = tasks.join_next().await {
        task.expect("written");
    }
    second.stop().await;
    assert_clean(&report(server).await);
    assert_numbered(server).await;
}

async fn many_at_one_event(server: &Server) {
    let event = write(server, json!({})).await;
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..16 {
        let (client, path) = (server.admin(), one(&event));
        tasks.spawn(async move {
            for _ in 0..3 {
                let answer = match number {
                    15 => client.delete(&path).await,
                    _ => client.patch(&path, &json!({"context": number})).await,
                };
                assert!(matches!(answer.status, 200 | 204 | 404), "{} {}", answer.request, answer.text());
            }
        });
    }
    while let Some(task) = tasks.join_next().await {
        task.expect("answered");
    }
    server.admin().get(&one(&event)).await.expect_missing();
    assert_clean(&report(server).await);
    assert_numbered(server).await;
}

/// As an older version leaves it: no links, no head, and events without a number.
async fn events_from_before_the_chain(server: &Server) {
    let old = server.another(|_| {}).await;
    for number in 0..5 {
        write(&old, json!({"context": {"n": number, "f": 1e21, "ü": ["", null]}})).await;
        old.advance(TimeDelta::seconds(1));
    }
    let count = old.number("SELECT count(*) FROM events").await;
    let place = old.stop().await;
    let db = place.open().await;
    for statement in ["DELETE FROM audit_head", "DELETE FROM audit_chain", "UPDATE events SET sequence = NULL"] {
        db.execute_unprepared(statement).await.expect(statement);
    }
    db.close().await.expect("closed");
    let new = place.start().await;
    // Nobody can tell it from a chain that somebody took away, so somebody has to say that it is all right.
    assert_eq!(report(&new).await.findings, [Finding::HeadWasChanged(0)]);
    assert_numbered(&new).await;
    assert_eq!(new.number("SELECT count(*) FROM audit_chain").await, count);
    let disorder = "SELECT count(*) FROM events a JOIN events b ON a.created < b.created AND a.sequence > b.sequence";
    assert_eq!(new.number(disorder).await, 0, "the oldest come first");
    write(&new, json!({})).await;
    let tx = new.app.db.write().begin().await.expect("a transaction");
    tessera::audit::chain::accept(&tx, &new.app.keyring).await.expect("accepted");
    tx.commit().await.expect("committed");
    assert_clean(&report(&new).await);
    // From now on they are guarded as the others.
    new.sql("UPDATE events SET app = 'x' WHERE sequence = (SELECT min(sequence) FROM events)").await;
    assert!(matches!(findings(&new).await[..], [Finding::EventChanged(..)]));
    new.end().await;
}

async fn a_second_start_changes_nothing(server: &Server) {
    let first = server.another(|_| {}).await;
    let before = report(&first).await;
    let second = first.stop().await.start().await;
    assert_eq!(report(&second).await, before);
    second.end().await;
}

async fn under_another_master_key_nothing_fits(server: &Server) {
    let event = write(server, json!({})).await;
    let walk = async |master: &str| {
        let keyring = Keyring::new(&PlainSecret::new(master.to_owned()));
        verify(server.app.db.read(), &keyring).await.expect("the chain is walked").findings
    };
    assert_eq!(walk(SECRET_KEY).await, []);
    let wrong = walk("another").await;
    assert!(wrong.contains(&Finding::HeadChanged) && wrong.contains(&Finding::LinkChanged(1)), "{wrong:?}");
    // Events are hashed without a key: those are as they were.
    assert!(!wrong.iter().any(|f| matches!(f, Finding::EventChanged(id, _) if *id == key(&event))));
}
