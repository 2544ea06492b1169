//! How often an application was used: seven days by eight hours, the newest first.

use super::path;
use crate::{
    bindings::application,
    harness::{Server, tests},
};
use chrono::TimeDelta;
use serde_json::{Value, json};

tests![an_empty_week, uses_are_counted, of_this_application_only, permissions];

/// The beginning of the tests' clock, in milliseconds, without its fraction.
const BEGIN: i64 = 1_767_323_045_000;
const EIGHT_HOURS: i64 = 8 * 3_600_000;

fn curve(now: i64, counts: &[(usize, i64)]) -> Value {
    let point = |n: usize| {
        let count = counts.iter().find(|(at, _)| *at == n).map_or(0, |(_, count)| *count);
        json!({"x_cord": now + EIGHT_HOURS - i64::try_from(n).expect("small") * EIGHT_HOURS, "y_cord": count})
    };
    (0..22).map(point).collect()
}

/// What will be written when somebody is let in.
async fn used(server: &Server, pk: &str, action: &str) {
    let application =
        json!({"app": "authentik_core", "model_name": "application", "pk": pk.replace('-', ""), "name": "x"});
    let body = json!({"action": action, "app": "x", "context": {"authorized_application": application}});
    server.admin().post("/events/events/", &body).await.expect(201);
}

async fn an_empty_week(server: &Server) {
    application(server, "app", json!({})).await;
    server.admin().get(&format!("{}metrics/", path("app"))).await.expect_body(200, &curve(BEGIN, &[]));
}

async fn uses_are_counted(server: &Server) {
    let pk = application(server, "app", json!({})).await;
    let metrics = format!("{}metrics/", path("app"));
    used(server, &pk, "authorize_application").await;
    used(server, &pk, "authorize_application").await;
    used(server, &pk, "login").await;
    server.admin().get(&metrics).await.expect_body(200, &curve(BEGIN, &[(1, 2)]));
    server.advance(TimeDelta::hours(9));
    used(server, &pk, "authorize_application").await;
    let now = BEGIN + 9 * 3_600_000;
    server.admin().get(&metrics).await.expect_body(200, &curve(now, &[(1, 1), (2, 2)]));
    server.advance(TimeDelta::hours(6 * 24));
    let now = now + 6 * 24 * 3_600_000;
    server.admin().get(&metrics).await.expect_body(200, &curve(now, &[(19, 1), (20, 2)]));
    server.advance(TimeDelta::hours(16));
    let now = now + 16 * 3_600_000;
    server.admin().get(&metrics).await.expect_body(200, &curve(now, &[(21, 1)]));
    server.advance(TimeDelta::hours(24));
    let now = now + 24 * 3_600_000;
    server.admin().get(&metrics).await.expect_body(200, &curve(now, &[]));
}

async fn of_this_application_only(server: &Server) {
    let (one, other) = (application(server, "a", json!({})).await, application(server, "b", json!({})).await);
    used(server, &one, "authorize_application").await;
    for _ in 0..3 {
        used(server, &other, "authorize_application").await;
    }
    server.admin().get(&format!("{}metrics/", path("a"))).await.expect_body(200, &curve(BEGIN, &[(1, 1)]));
    server.admin().get(&format!("{}metrics/", path("b"))).await.expect_body(200, &curve(BEGIN, &[(1, 3)]));
    server.admin().get(&format!("{}metrics/", path("c"))).await.expect_missing();
}

async fn permissions(server: &Server) {
    let key = application(server, "app", json!({})).await;
    let metrics = format!("{}metrics/", path("app"));
    used(server, &key, "authorize_application").await;
    let (view, events) = ("authentik_core.view_application", "authentik_events.view_event");
    for (name, codes, status) in
        [("none", &[][..], 403), ("view", &[view], 403), ("events", &[events], 403), ("both", &[view, events], 200)]
    {
        let person = server.holder_of(name, codes).await;
        let answer = person.client.get(&metrics).await;
        assert_eq!(answer.status, status, "{name}: {}", answer.text());
    }
    let ann = server.holder_of("ann", &[events]).await;
    server.grant(ann.holder(), view, Some(&key)).await;
    ann.client.get(&metrics).await.expect_body(200, &curve(BEGIN, &[(1, 1)]));
    application(server, "other", json!({})).await;
    ann.client.get(&format!("{}metrics/", path("other"))).await.expect_missing();
    let answer = server.anonymous().get(&metrics).await;
    assert_eq!(answer.status, 403, "{}", answer.text());
}
