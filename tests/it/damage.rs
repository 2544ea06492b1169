//! A database that is full or goes away under load: refused with 503, and nothing acknowledged is lost.

use crate::harness::{Server, tests};
use http::Method;
use sea_orm::{ConnectionTrait as _, DatabaseBackend, Statement};
use serde_json::json;
use std::collections::BTreeSet;

tests![nothing_acknowledged_is_lost, transactions_after_a_full_disk_are_real, what_was_refused_is_not_written];

/// SQLite may grow no further; PostgreSQL ends every other connection.
async fn damage(server: &Server) {
    let db = server.app.db.write();
    match db.get_database_backend() {
        DatabaseBackend::Postgres => {
            let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                WHERE datname = current_database() AND pid <> pg_backend_pid()";
            let _ = db.execute_unprepared(end).await;
        }
        _ => {
            let pages = Statement::from_string(DatabaseBackend::Sqlite, "PRAGMA page_count");
            let row = db.query_one_raw(pages).await.expect("answers").expect("a row");
            let pages: i64 = row.try_get_by_index(0).expect("a number");
            let _ = db.execute_unprepared(&format!("PRAGMA max_page_count = {}", pages + 2)).await;
        }
    }
}

/// SQLite may grow again.
async fn repair(server: &Server) {
    if server.app.db.backend() == DatabaseBackend::Sqlite {
        let _ = server.app.db.write().execute_unprepared("PRAGMA max_page_count = 4294967294").await;
    }
}

async fn create(server: &Server, round: u32, number: u32) -> (String, u16) {
    let identifier = format!("t-{round}-{number}");
    let body = json!({"identifier": identifier, "description": "x".repeat(2000)});
    // The tap takes every 5xx for a defect; here 503 is what must come.
    let status = server.admin().request(Method::POST, "/core/tokens/").json(&body).untapped().send().await.status;
    (identifier, status)
}

async fn stored(server: &Server) -> BTreeSet<String> {
    // Reads go over other connections, which see only what was committed.
    let page = server.admin().get("/core/tokens/?page_size=1000&search=t-").await.expect(200);
    let list = page["results"].as_array().expect("a list");
    list.iter().map(|t| t["identifier"].as_str().expect("text").to_owned()).collect()
}

async fn nothing_acknowledged_is_lost(server: &Server) {
    let mut acknowledged = BTreeSet::new();
    let mut refused = 0;
    for round in 0..6 {
        damage(server).await;
        for number in 0..12 {
            if number == 6 {
                repair(server).await;
            }
            match create(server, round, number).await {
                (identifier, 201) => assert!(acknowledged.insert(identifier)),
                (_, 503) => refused += 1,
                (identifier, status) => panic!("{identifier}: {status}"),
            }
        }
    }
    assert!(!acknowledged.is_empty(), "nothing was written at all");
    if server.app.db.backend() == DatabaseBackend::Sqlite {
        assert!(refused > 0, "the database was never full");
    }
    assert_eq!(stored(server).await, acknowledged);
}

async fn transactions_after_a_full_disk_are_real(server: &Server) {
    damage(server).await;
    for number in 0..12 {
        create(server, 0, number).await;
    }
    repair(server).await;
    let (identifier, status) = create(server, 1, 0).await;
    assert_eq!(status, 201, "the server did not recover");
    server.admin().delete(&format!("/core/tokens/{identifier}/")).await.expect_empty(204);
    assert!(!stored(server).await.contains(&identifier));
}

/// Reads fail while writes still work (SQLite; on PostgreSQL both fail): the answer may not say that
/// nothing happened when the change is there.
async fn what_was_refused_is_not_written(server: &Server) {
    let other = server.another(|_| {}).await;
    // The caller and the settings are remembered, what else the answer needs is not.
    other.admin().get("/core/users/me/").await.expect(200);
    other.admin().delete("/core/tokens/none/").await.expect_missing();
    other.app.db.read().clone().close().await.expect("closes");
    let token = other.admin().request(Method::POST, "/core/tokens/").json(&json!({"identifier": "t"}));
    let user = other.admin().request(Method::POST, "/core/users/").json(&json!({"username": "ann", "name": ""}));
    let (token, user) = (token.untapped().send().await.status, user.untapped().send().await.status);
    let again = other.stop().await.start_with(|_| {}).await.expect("starts again");
    let tokens = again.admin().get("/core/tokens/?identifier=t").await.expect_list("identifier");
    let users = again.admin().get("/core/users/?username=ann").await.expect_list("username");
    assert_eq!((token == 201, user == 201), (!tokens.is_empty(), !users.is_empty()), "{token} {user}");
    again.end().await;
}
