//! How tokens end, and what ends with them (decisions: visibility).

use super::{
    ALL, ALL_READ, BETA, FORBIDDEN, NOT_FOUND, V1, create, delete, event, get, identity, make, mine, named_events,
    names, patch, refused, replace, set_active, shown,
};
use crate::harness::{Client, Pat, Server, tests};
use chrono::TimeDelta;
use http::Method;
use serde_json::{Value, json};
use tessera::jobs::sweep;

tests![
    deleted_at_once,
    deleted_by_itself,
    expired_at_once,
    an_earlier_end_counts_at_once,
    inactive_owners,
    deleted_owners,
    expired_ones_are_kept_and_revived,
    an_end_is_recorded_once,
    a_second_end_is_another,
    others_tokens,
    ids_that_are_none,
    deletions_at_once,
];

async fn works(client: &Client) -> bool {
    let answer = get(client, &format!("{BETA}?owner-id=me")).await;
    if answer.status != 200 {
        answer.expect_status(401);
    }
    answer.status == 200
}

async fn deleted_at_once(server: &Server) {
    let root = server.api(1, &[ALL]).await;
    for at in super::collections().map(|(at, _)| at) {
        let pat = server.pat_with(1, &[ALL], |new| new.name = "t".to_owned()).await;
        let live = [server.bearer(&pat).await, server.bearer(&pat).await];
        assert!(works(&live[0]).await && works(&live[1]).await);
        delete(&root, at, &pat.id).await.expect_empty(204);
        for client in &live {
            refused(&get(client, &format!("{BETA}?owner-id=me")).await, "invalid");
        }
        server.trade(&pat).await.expect(401);
        delete(&root, at, &pat.id).await.expect_code(404, NOT_FOUND);
        patch(&root, at, &pat.id, &json!([])).await.expect_code(404, NOT_FOUND);
    }
    assert_eq!(names(&mine(&root, BETA).await).len(), 1);
}

async fn deleted_by_itself(server: &Server) {
    let pat = server.pat(1, &[ALL]).await;
    let api = server.bearer(&pat).await;
    delete(&api, V1, &pat.id).await.expect_empty(204);
    refused(&delete(&api, V1, &pat.id).await, "invalid");
}

fn ending(seconds: i64) -> impl FnOnce(&mut tessera::resource::pats::service::NewPat) {
    move |new| {
        new.expires = chrono::DateTime::from_timestamp_millis(1_767_323_045_678 + seconds * 1000);
        new.never_expires = false;
    }
}

async fn expired_at_once(server: &Server) {
    let pat = server.pat_with(1, &[ALL], ending(60)).await;
    let api = server.bearer(&pat).await;
    let unused = server.bearer(&pat).await;
    assert!(works(&api).await);
    server.advance(TimeDelta::milliseconds(59_000));
    assert!(works(&api).await);
    server.advance(TimeDelta::milliseconds(1000));
    for client in [&api, &unused] {
        refused(&get(client, &format!("{BETA}?owner-id=me")).await, "expired");
    }
    server.trade(&pat).await.expect(401);
}

async fn an_earlier_end_counts_at_once(server: &Server) {
    let root = server.api(1, &[ALL]).await;
    let pat = server.pat_with(1, &[ALL], |new| new.name = "t".to_owned()).await;
    let api = server.bearer(&pat).await;
    assert!(works(&api).await);
    patch(&root, V1, &pat.id, &json!([replace("expirationDate", "2026-01-02T03:05:00Z")])).await.expect(200);
    assert!(works(&api).await);
    server.advance(TimeDelta::minutes(1));
    refused(&get(&api, &format!("{BETA}?owner-id=me")).await, "expired");
    // More time for it: what was issued before goes on to its own end.
    patch(&root, V1, &pat.id, &json!([replace("expirationDate", "2026-01-03T00:00:00Z")])).await.expect(200);
    server.trade(&pat).await.expect(200);
}

async fn inactive_owners(server: &Server) {
    let ann = server.person("ann").await;
    let pat = server.pat(ann.pk, &[ALL]).await;
    let api = server.bearer(&pat).await;
    for _ in 0..2 {
        assert!(works(&api).await);
        set_active(server, ann.pk, false).await;
        refused(&get(&api, &format!("{BETA}?owner-id=me")).await, "invalid");
        let told = server.trade(&pat).await.expect(401);
        assert_eq!(told, json!({"error": "invalid_client", "error_description": "Bad client credentials"}));
        set_active(server, ann.pk, true).await;
        server.trade(&pat).await.expect(200);
    }
}

async fn deleted_owners(server: &Server) {
    let ann = server.person("ann").await;
    let pat = server.pat(ann.pk, &[ALL]).await;
    let (api, unused) = (server.bearer(&pat).await, server.bearer(&pat).await);
    assert!(works(&api).await);
    let (root, own) = (server.api(1, &[ALL]).await, identity(server, ann.pk).await);
    server.admin().delete(&format!("/core/users/{}/", ann.pk)).await.expect_empty(204);
    for client in [&api, &unused] {
        refused(&get(client, &format!("{BETA}?owner-id=me")).await, "invalid");
    }
    server.trade(&pat).await.expect(401);
    assert_eq!(get(&root, &format!("{BETA}?owner-id={own}")).await.expect(200), json!([]));
    delete(&root, BETA, &pat.id).await.expect_code(404, NOT_FOUND);
}

async fn expired_ones_are_kept_and_revived(server: &Server) {
    let pat = server.pat_with(1, &[ALL], ending(60)).await;
    server.advance(TimeDelta::days(400));
    sweep::once(&server.app).await.expect("swept");
    let root = server.api(1, &["x", ALL]).await;
    for (at, _) in super::collections() {
        let list = mine(&root, at).await;
        let found = list.as_array().expect("an array").iter().find(|token| token["id"] == pat.id);
        assert_eq!(found.expect("it is there")["expirationDate"], "2026-01-02T03:05:05.678Z");
    }
    server.trade(&pat).await.expect(401);
    // Other changes leave it as it is.
    patch(&root, BETA, &pat.id, &json!([replace("name", "still there")])).await.expect(200);
    server.trade(&pat).await.expect(401);
    patch(&root, BETA, &pat.id, &json!([replace("expirationDate", "2029-01-01T00:00:00Z")])).await.expect(400);
    for at in super::EXPLICIT {
        let later = json!([replace("expirationDate", "2029-01-01T00:00:00Z")]);
        patch(&root, at, &pat.id, &later).await.expect(200);
        assert!(works(&server.bearer(&pat).await).await);
    }
    assert_eq!(shown(&root, &pat.id).await["name"], "still there");
}

async fn an_end_is_recorded_once(server: &Server) {
    let ann = server.person("ann").await;
    let ids = [server.pat_with(1, &[ALL], ending(60)).await.id, server.pat_with(ann.pk, &[ALL], ending(90)).await.id];
    let mark = server.mark().await;
    sweep::once(&server.app).await.expect("swept");
    assert_eq!(named_events(server, &mark).await, Vec::<String>::new());
    server.advance(TimeDelta::seconds(60));
    for _ in 0..2 {
        sweep::once(&server.app).await.expect("swept");
        assert_eq!(named_events(server, &mark).await, [event("EXPIRED")]);
    }
    server.advance(TimeDelta::days(1));
    let (one, two) = tokio::join!(sweep::once(&server.app), sweep::once(&server.app));
    one.expect("swept");
    two.expect("swept");
    sweep::once(&server.app).await.expect("swept");
    assert_eq!(named_events(server, &mark).await, vec![event("EXPIRED"); 2]);
    let events = server.events_since(&mark).await;
    let ended: Vec<&crate::harness::Entry> =
        events.iter().filter(|e| e.context["event"] == event("EXPIRED").as_str()).collect();
    let mut owners: Vec<&str> = ended.iter().filter_map(|e| e.user["username"].as_str()).collect();
    owners.sort_unstable();
    assert_eq!(owners, ["akadmin", "ann"], "events are those of the owners: {ended:?}");
    for id in &ids {
        assert!(ended.iter().any(|e| e.context.to_string().contains(id.as_str())), "{id}: {ended:?}");
    }
}

async fn a_second_end_is_another(server: &Server) {
    let pat = server.pat_with(1, &[ALL], ending(60)).await;
    let mark = server.mark().await;
    let mut root = server.api(1, &["x", ALL]).await;
    for count in 1..=3 {
        server.advance(TimeDelta::days(2));
        sweep::once(&server.app).await.expect("swept");
        let ends = named_events(server, &mark).await.into_iter().filter(|name| *name == event("EXPIRED")).count();
        assert_eq!(ends, count);
        root = server.bearer(&server.pat_with(1, &[ALL], |new| new.name = format!("{count}")).await).await;
        let day = format!("2026-01-{:02}T05:00:00Z", 3 + 2 * count);
        patch(&root, V1, &pat.id, &json!([replace("expirationDate", day.as_str())])).await.expect(200);
    }
    assert!(works(&root).await);
}

async fn others_tokens(server: &Server) {
    let (ann, bob) = (server.person("ann").await, server.person("bob").await);
    let id = make(&server.api(bob.pk, &[ALL]).await, "bobs").await;
    let mark = server.mark().await;
    let plain = server.api(ann.pk, &[ALL]).await;
    let viewer = server.holder_of("viewer", &["authentik_core.view_token"]).await;
    let (seeing, blind) =
        (server.api(viewer.pk, &[ALL]).await, server.api(viewer.pk, &["sp:my-personal-access-tokens:manage"]).await);
    let mark_seeing = server.mark().await;
    for (at, _) in super::collections() {
        for (client, status, code) in [(&plain, 404, NOT_FOUND), (&seeing, 403, FORBIDDEN), (&blind, 404, NOT_FOUND)] {
            delete(client, at, &id).await.expect_code(status, code);
            for steps in [json!([replace("name", "mine")]), json!([]), json!([replace("id", "x")])] {
                patch(client, at, &id, &steps).await.expect_code(status, code);
            }
        }
    }
    // Not even those who may do everything change another's; they delete it.
    let root = server.api(1, &[ALL]).await;
    patch(&root, V1, &id, &json!([replace("name", "mine")])).await.expect_code(403, FORBIDDEN);
    assert_eq!(named_events(server, &mark_seeing).await.iter().filter(|n| !n.ends_with("CREATED")).count(), 0);
    delete(&root, V1, &id).await.expect_empty(204);
    let events = server.events_since(&mark).await;
    let gone = events.iter().find(|e| e.context["event"] == event("DELETED").as_str()).expect("an event");
    assert_eq!(gone.user["username"], "akadmin");
    let reader = server.api(1, &[ALL_READ]).await;
    delete(&reader, V1, &id).await.expect_code(403, FORBIDDEN);
}

async fn ids_that_are_none(server: &Server) {
    let api = server.api(1, &[ALL]).await;
    let id = make(&api, "t").await;
    let dashed = uuid::Uuid::parse_str(&id).expect("a UUID").to_string();
    let short = &id[..31];
    for bad in [
        &dashed,
        &id.to_uppercase(),
        short,
        &format!("{id}0"),
        "x",
        "%2F",
        "a%2Fb",
        &format!("{id}%2F"),
        &format!("%7B{dashed}%7D"),
        &format!("{id}%00"),
        "%00",
        "%FF",
        "me",
        "0",
        "..",
        &format!("{id}%20"),
        &format!("urn:uuid:{dashed}"),
    ] {
        for at in [BETA, V1] {
            delete(&api, at, bad).await.expect_code(404, NOT_FOUND);
            patch(&api, at, bad, &json!([replace("name", "x")])).await.expect_code(404, NOT_FOUND);
        }
    }
    // Percent-encoded, it is the same.
    let coded: String = id.bytes().map(|byte| format!("%{byte:02X}")).collect();
    assert_eq!(patch(&api, BETA, &coded, &json!([replace("name", "u")])).await.expect(200)["name"], "u");
    delete(&api, BETA, &coded).await.expect_empty(204);
}

async fn deletions_at_once(server: &Server) {
    for round in 0..5 {
        let ann = server.person(&format!("ann{round}")).await;
        let api = server.api(ann.pk, &[ALL]).await;
        let made: Value = create(&api, BETA, json!({"name": "t"})).await.expect(200);
        let text = |field: &str| made[field].as_str().expect("text").to_owned();
        let pat = Pat { id: text("id"), secret: text("secret") };
        let rename = json!([replace("name", "u")]);
        let target = format!("{V1}/{}", pat.id);
        let (one, two, renamed, traded) = tokio::join!(
            delete(&api, BETA, &pat.id),
            api.outside(Method::DELETE, &target).send(),
            patch(&api, BETA, &pat.id, &rename),
            server.trade(&pat),
        );
        let mut statuses = [one.status, two.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [204, 404]);
        assert!(matches!(renamed.status, 200 | 404) && matches!(traded.status, 200 | 401));
        if traded.status == 200 {
            let token = traded.json()["access_token"].as_str().expect("a token").to_owned();
            refused(&get(&server.with_key(&token), &format!("{BETA}?owner-id=me")).await, "invalid");
        }
    }
}
