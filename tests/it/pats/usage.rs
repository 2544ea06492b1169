//! Events, and when a token was last used (contract: sailpoint-pat §4).

use super::{ALL, BETA, V1, create, delete, event, get, mine, named_events, patch, replace, shown};
use crate::harness::{Entry, Pat, Server, tests};
use chrono::TimeDelta;
use serde_json::{Value, json};
use std::collections::BTreeSet;

tests![
    a_life_in_events,
    nothing_refused_is_recorded,
    null_until_it_is_traded,
    calls_are_no_use,
    once_a_day,
    uses_are_recorded_with_the_day,
    failures_are_counted,
    failures_of_ended_ones_and_inactive_owners,
    failures_of_nobody,
    deleted_meanwhile,
    administrators_see_them,
];

async fn written(server: &Server) {
    tessera::jobs::usage::last(&server.app).await;
}

/// The events of a name since then.
async fn events(server: &Server, mark: &BTreeSet<uuid::Uuid>, name: &str) -> Vec<Entry> {
    let name = event(name);
    let all = server.events_since(mark).await;
    all.into_iter().filter(|entry| entry.context["event"] == name.as_str()).collect()
}

async fn one(server: &Server, mark: &BTreeSet<uuid::Uuid>, name: &str) -> Entry {
    let mut all = events(server, mark, name).await;
    assert_eq!(all.len(), 1, "{name}: {all:?}");
    all.remove(0)
}

async fn a_life_in_events(server: &Server) {
    let ann = server.person("ann").await;
    let api = server.api(ann.pk, &[ALL]).await;
    for (at, action, entry) in [(BETA, "model", json!({})), (V1, "model", json!({"userAwareTokenNeverExpires": true}))]
    {
        let mark = server.mark().await;
        let mut body = entry;
        body["name"] = json!("t");
        let made: Value = create(&api, at, body).await.expect(200);
        let id = made["id"].as_str().expect("an id");
        patch(&api, at, id, &json!([replace("name", "u")])).await.expect(200);
        delete(&api, at, id).await.expect_empty(204);
        for (name, kind) in [("CREATED", "created"), ("UPDATED", "updated"), ("DELETED", "deleted")] {
            let entry = one(server, &mark, name).await;
            assert_eq!(entry.action, format!("{action}_{kind}"));
            assert_eq!((&entry.user["username"], entry.user["pk"].as_i64()), (&json!("ann"), Some(ann.pk)));
            assert_eq!(entry.client_ip.as_deref(), Some("127.0.0.1"));
            assert!(entry.context.to_string().contains(id), "{entry:?}");
        }
    }
}

async fn nothing_refused_is_recorded(server: &Server) {
    let api = server.api(1, &[ALL]).await;
    let poor = server.api(1, &["sp:scopes:default"]).await;
    let mark = server.mark().await;
    create(&api, BETA, json!({"name": ""})).await.expect(400);
    create(&poor, BETA, json!({"name": "t"})).await.expect(403);
    patch(&api, BETA, "x", &json!([])).await.expect(404);
    delete(&api, BETA, "x").await.expect(404);
    get(&api, &format!("{BETA}?filters=x")).await.expect(400);
    assert_eq!(server.gists_since(&mark).await, Vec::<String>::new());
}

async fn null_until_it_is_traded(server: &Server) {
    let root = server.api(1, &[ALL]).await;
    let made = create(&root, BETA, json!({"name": "t"})).await.expect(200);
    let id = made["id"].as_str().expect("an id").to_owned();
    assert_eq!(shown(&root, &id).await["lastUsed"], json!(null));
    let secret = made["secret"].as_str().expect("a secret").to_owned();
    // Trying is no use.
    server.trade(&Pat { id: id.clone(), secret: "x".to_owned() }).await.expect(401);
    written(server).await;
    assert_eq!(shown(&root, &id).await["lastUsed"], json!(null));
    server.trade(&Pat { id: id.clone(), secret }).await.expect(200);
    written(server).await;
    assert_eq!(shown(&root, &id).await["lastUsed"], "2026-01-02T03:04:05.678Z");
}

async fn calls_are_no_use(server: &Server) {
    let pat = server.pat(1, &[ALL]).await;
    let api = server.bearer(&pat).await;
    written(server).await;
    // Over midnight: who goes on with a bearer token does not use the one it was traded for.
    server.advance(TimeDelta::hours(11));
    mine(&api, BETA).await;
    written(server).await;
    assert_eq!(shown(&api, &pat.id).await["lastUsed"], "2026-01-02T03:04:05.678Z");
    server.sql("UPDATE personal_access_tokens SET last_used = NULL").await;
    patch(&api, BETA, &pat.id, &json!([replace("name", "t")])).await.expect(200);
    written(server).await;
    assert_eq!(shown(&api, &pat.id).await["lastUsed"], json!(null));
}

async fn once_a_day(server: &Server) {
    let pat = server.pat(1, &[ALL]).await;
    let mark = server.mark().await;
    let mut last = "2026-01-02T03:04:05.678Z".to_owned();
    for day in 0..3 {
        if day > 0 {
            server.advance(TimeDelta::hours(24) - TimeDelta::hours(15));
            last = format!("2026-01-{:02}T03:04:05.678Z", 2 + day);
        }
        for hour in 0..4 {
            server.trade(&pat).await.expect(200);
            if hour % 2 == 0 {
                written(server).await;
            }
            let api = server.bearer(&pat).await;
            written(server).await;
            assert_eq!(shown(&api, &pat.id).await["lastUsed"], last, "day {day}, hour {hour}");
            if hour < 3 {
                server.advance(TimeDelta::hours(5));
            }
        }
    }
    assert_eq!(events(server, &mark, "USED").await.len(), 3);
}

async fn uses_are_recorded_with_the_day(server: &Server) {
    let ann = server.person("ann").await;
    let pat = server.pat(ann.pk, &[ALL]).await;
    let mark = server.mark().await;
    for _ in 0..5 {
        server.trade(&pat).await.expect(200);
    }
    written(server).await;
    let used = one(server, &mark, "USED").await;
    assert_eq!(used.user["username"], "ann");
    assert_eq!(used.client_ip.as_deref(), Some("127.0.0.1"));
    assert!(used.context.to_string().contains(&pat.id), "{used:?}");
}

async fn failures_are_counted(server: &Server) {
    let ann = server.person("ann").await;
    let pat = server.pat(ann.pk, &[ALL]).await;
    let mark = server.mark().await;
    for number in 0..7 {
        let wrong = Pat { secret: format!("wrong-secret-{number}"), ..pat.clone() };
        server.trade(&wrong).await.expect(401);
    }
    written(server).await;
    let failed = events(server, &mark, "USE_FAILED").await;
    // What runs every few seconds may have come in between.
    assert!((1..=2).contains(&failed.len()), "{failed:?}");
    assert_eq!(failed.iter().filter_map(|entry| entry.context["attempts"].as_i64()).sum::<i64>(), 7);
    for entry in &failed {
        assert_eq!(entry.user["username"], "ann");
        assert_eq!(entry.client_ip.as_deref(), Some("127.0.0.1"));
        assert!(!entry.context.to_string().contains("wrong-secret"), "{entry:?}");
    }
    assert_eq!(events(server, &mark, "USED").await.len(), 0);
}

async fn failures_of_ended_ones_and_inactive_owners(server: &Server) {
    let (ann, bob) = (server.person("ann").await, server.person("bob").await);
    let ended = server
        .pat_with(ann.pk, &[ALL], |new| {
            new.expires = chrono::DateTime::from_timestamp(1_767_323_100, 0);
            new.never_expires = false;
        })
        .await;
    let idle = server.pat(bob.pk, &[ALL]).await;
    server.trade(&ended).await.expect(200);
    server.advance(TimeDelta::hours(1));
    super::set_active(server, bob.pk, false).await;
    written(server).await;
    let mark = server.mark().await;
    server.trade(&ended).await.expect(401);
    server.trade(&idle).await.expect(401);
    written(server).await;
    let failed = events(server, &mark, "USE_FAILED").await;
    let mut owners: Vec<&str> = failed.iter().filter_map(|entry| entry.user["username"].as_str()).collect();
    owners.sort_unstable();
    assert_eq!(owners, ["ann", "bob"]);
}

async fn failures_of_nobody(server: &Server) {
    let mark = server.mark().await;
    for id in ["00000000000040008000000000000000", "nobody"] {
        server.trade(&Pat { id: id.to_owned(), secret: "x".to_owned() }).await.expect(401);
    }
    written(server).await;
    assert_eq!(named_events(server, &mark).await, Vec::<String>::new());
}

async fn deleted_meanwhile(server: &Server) {
    let (gone, kept) = (server.pat(1, &["a"]).await, server.pat(1, &["b"]).await);
    let api = server.api(1, &[ALL]).await;
    written(server).await;
    let mark = server.mark().await;
    server.trade(&gone).await.expect(200);
    server.trade(&kept).await.expect(200);
    delete(&api, BETA, &gone.id).await.expect_empty(204);
    written(server).await;
    assert!(events(server, &mark, "USED").await.iter().any(|entry| entry.context.to_string().contains(&kept.id)));
    assert_eq!(shown(&api, &kept.id).await["lastUsed"], "2026-01-02T03:04:05.678Z");
}

async fn administrators_see_them(server: &Server) {
    let api = server.api(1, &[ALL]).await;
    let made = create(&api, BETA, json!({"name": "seen"})).await.expect(200);
    delete(&api, BETA, made["id"].as_str().expect("an id")).await.expect_empty(204);
    let list = server.admin().get("/events/events/?page_size=1000").await.expect(200);
    let of = |name: &str| {
        let name = event(name);
        list["results"].as_array().expect("a list").iter().filter(|e| e["context"]["event"] == name.as_str()).count()
    };
    assert_eq!((of("CREATED"), of("DELETED")), (2, 1));
}
