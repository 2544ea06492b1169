//! How long an expression takes with warm workers. In a test build this only says that nothing is wildly
//! wrong; `TESSERA_TEST_SPEED=1` prints the figures.

use super::{Policies, about, over_http};
use crate::harness::{Server, tests};
use serde_json::json;
use std::time::{Duration, Instant};
use tessera::policy::expression;

tests![warm_runs];

#[expect(clippy::disallowed_methods, reason = "a setting of the tests, not of the server")]
fn shown() -> bool {
    std::env::var("TESSERA_TEST_SPEED").is_ok()
}

async fn warm_runs(server: &Server) {
    let group = server.group("staff", json!({})).await;
    let body = json!({"username": "ann", "name": "Ann", "groups": [group]});
    let ann = server.admin().post("/core/users/", &body).await.expect(201)["pk"].as_i64();
    let ctx = over_http(server);
    for source in [
        "return True",
        "return request.user.is_active",
        "return ak_is_group_member(request.user, name='staff')",
        "return regex_match(request.user.email, '.*@example.org') or request.user.username == 'ann'",
    ] {
        let mut took = Vec::new();
        for _ in 0..if shown() { 2000 } else { 50 } {
            let mut request = about(server, ann, json!({})).await;
            let started = Instant::now();
            let outcome =
                expression::evaluate(&ctx, &Policies::default(), "p", source, &mut request, super::LIMIT).await;
            took.push(started.elapsed());
            assert!(outcome.expect("runs").passing, "{source}");
        }
        took.sort();
        let (p50, p99) = (took[took.len() / 2], took[took.len() * 99 / 100]);
        if shown() {
            println!("p50 {p50:?} p99 {p99:?}  {source}");
        }
        assert!(p50 < Duration::from_millis(100), "{source}: {p50:?}");
    }
}
