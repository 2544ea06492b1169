//! Leases: of several processes one does a job, and none waits for one that is gone.

use crate::harness::{BOOTSTRAP_TOKEN, Client, Server, tests};
use chrono::TimeDelta;
use serde_json::json;
use std::{sync::Arc, time::Duration};
use tessera::{
    ctx::{ManualClock, SeededEntropy},
    jobs::lease::{hold, release},
    server::Running,
};

tests![
    one_holds_it,
    given_back,
    ended_by_time,
    kept_by_holding_on,
    from_a_clock_far_ahead,
    a_clock_put_back,
    at_once,
    a_process_that_waits_its_turn,
    the_sweep_of_a_server_by_itself,
];

async fn holds(server: &Server, holder: &str) -> bool {
    hold(&server.app, "job", holder).await.expect("answered")
}

async fn one_holds_it(server: &Server) {
    assert!(holds(server, "a").await);
    assert!(holds(server, "a").await);
    assert!(!holds(server, "b").await);
    assert!(!holds(server, "").await);
    // Another job is another lease.
    assert!(hold(&server.app, "other", "b").await.expect("answered"));
    assert!(holds(server, "a").await);
}

async fn given_back(server: &Server) {
    assert!(holds(server, "a").await);
    release(&server.app, "job", "b").await.expect("nobody's");
    assert!(!holds(server, "b").await, "who does not hold it cannot give it back");
    release(&server.app, "job", "a").await.expect("given back");
    assert!(holds(server, "b").await);
    assert!(!holds(server, "a").await);
}

async fn ended_by_time(server: &Server) {
    assert!(holds(server, "a").await);
    server.advance(TimeDelta::seconds(60));
    assert!(!holds(server, "b").await, "to the last moment");
    server.advance(TimeDelta::microseconds(1));
    assert!(holds(server, "b").await);
    assert!(!holds(server, "a").await, "whoever was too slow learns it");
}

async fn kept_by_holding_on(server: &Server) {
    assert!(holds(server, "a").await);
    for _ in 0..5 {
        server.advance(TimeDelta::seconds(50));
        assert!(holds(server, "a").await);
        assert!(!holds(server, "b").await);
    }
}

async fn from_a_clock_far_ahead(server: &Server) {
    server.advance(TimeDelta::days(300));
    assert!(holds(server, "a").await);
    server.advance(TimeDelta::days(-300));
    assert!(holds(server, "b").await, "nobody waits for 300 days");
    // A little ahead is no reason.
    release(&server.app, "job", "b").await.expect("given back");
    server.advance(TimeDelta::seconds(50));
    assert!(holds(server, "a").await);
    server.advance(TimeDelta::seconds(-50));
    assert!(!holds(server, "b").await);
}

async fn a_clock_put_back(server: &Server) {
    assert!(holds(server, "a").await);
    server.advance(TimeDelta::days(-300));
    // One of the two keeps it, and it is the one that says so.
    assert!(holds(server, "a").await);
    assert!(!holds(server, "b").await);
    server.advance(TimeDelta::seconds(61));
    assert!(holds(server, "b").await);
}

async fn at_once(server: &Server) {
    for round in 0..5 {
        let mut tasks = tokio::task::JoinSet::new();
        for holder in 0..16 {
            let app = Arc::clone(&server.app);
            let name = format!("job-{round}");
            tasks.spawn(async move { hold(&app, &name, &holder.to_string()).await.expect("answered") });
        }
        let held = tasks.join_all().await;
        assert_eq!(held.iter().filter(|held| **held).count(), 1, "{held:?}");
    }
}

/// A further process at the server's place, which sweeps when it is asked to.
async fn sweeper(server: &Server, seed: u64, clock: &Arc<ManualClock>) -> Running {
    let mut config = server.place.config();
    config.sweep_interval = 3600;
    let entropy = Arc::new(SeededEntropy::new(seed));
    tessera::server::start(config, Arc::clone(clock) as _, entropy).await.expect("a further server")
}

async fn until(what: &str, mut done: impl AsyncFnMut() -> bool) {
    let began = std::time::Instant::now();
    while !done().await {
        assert!(began.elapsed() < Duration::from_secs(20), "{what} did not happen");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn a_process_that_waits_its_turn(server: &Server) {
    server.admin().post("/core/tokens/", &json!({"identifier": "t"})).await.expect(201);
    let before = server.key_of("t").await;
    server.advance(TimeDelta::minutes(31));
    // Somebody else is at it.
    assert!(hold(&server.app, "sweep", "somebody").await.expect("answered"));
    let second = sweeper(server, 99, &server.clock).await;
    let there = Client::new(second.api, Some(BOOTSTRAP_TOKEN.to_owned()));
    second.app.sweep.notify_one();
    // Long enough for a sweep, if there were one: a request writes and reads meanwhile.
    for number in 0..20 {
        there.post("/core/groups/", &json!({"name": format!("g{number}")})).await.expect(201);
    }
    assert_eq!(server.key_of("t").await, before);
    release(&server.app, "sweep", "somebody").await.expect("given back");
    second.app.sweep.notify_one();
    until("the sweep", async || server.key_of("t").await != before).await;
    until("giving the lease back", async || server.number("SELECT count(*) FROM leases").await == 0).await;
    second.stop().await;
}

/// Two that sweep by themselves: each token is rotated once.
async fn the_sweep_of_a_server_by_itself(server: &Server) {
    for number in 0..250 {
        server.admin().post("/core/tokens/", &json!({"identifier": format!("t{number}")})).await.expect(201);
    }
    server.advance(TimeDelta::minutes(31));
    let mark = server.mark().await;
    let (second, third) = (sweeper(server, 98, &server.clock).await, sweeper(server, 99, &server.clock).await);
    second.app.sweep.notify_one();
    third.app.sweep.notify_one();
    let rotated = "SELECT count(*) FROM events WHERE action = 'secret_rotate'";
    until("the sweep", async || server.number(rotated).await >= 250).await;
    until("giving the lease back", async || server.number("SELECT count(*) FROM leases").await == 0).await;
    second.stop().await;
    third.stop().await;
    let gists = server.gists_since(&mark).await;
    assert_eq!(gists.iter().filter(|gist| gist.starts_with("secret_rotate")).count(), 250);
    assert_eq!(crate::events::findings(server).await, []);
}
