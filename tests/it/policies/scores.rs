//! Reputation scores (contract: authentik-core §5.7): listing, reading and deleting them; nobody writes
//! them by hand.

use super::UNKNOWN;
use crate::harness::{Server, tests};
use chrono::TimeDelta;
use http::Method;
use serde_json::json;
use tessera::resource::reputation::service;

tests![
    rows_are_whole,
    points_add_up,
    filters,
    bad_filters,
    search,
    order,
    pages,
    retrieve_and_delete,
    nothing_is_written,
    ended_rows_are_invisible,
    a_score_may_begin_anew,
    permissions,
    permissions_on_one_score,
    permissions_go_with_the_score,
];

const PATH: &str = "/policies/reputation/scores/";
const VIEW: &str = "authentik_policies_reputation.view_reputation";
const DELETE: &str = "authentik_policies_reputation.delete_reputation";

fn one(pk: &str) -> String {
    format!("{PATH}{pk}/")
}

/// As a judge of logins writes them; gives the key.
async fn score(server: &Server, identifier: &str, ip: &str, points: i64) -> String {
    let ctx = server.system();
    let mut tx = ctx.begin().await.expect("a transaction");
    service::add(&ctx, &mut tx, identifier, ip, points).await.expect("added");
    tx.commit().await.expect("committed");
    let found = server.admin().get(&format!("{PATH}?identifier={identifier}&ip={ip}")).await.expect_list("pk");
    assert_eq!(found.len(), 1);
    found[0].clone()
}

async fn listed(server: &Server, query: &str) -> Vec<String> {
    server.admin().get(&format!("{PATH}?{query}")).await.expect_list("identifier")
}

/// Four of them, in the order of their addresses.
async fn four(server: &Server) -> [String; 4] {
    [
        score(server, "ann", "192.0.2.1", -3).await,
        score(server, "Bob", "192.0.2.2", 10).await,
        score(server, "cid", "192.0.2.3", 2).await,
        score(server, "ann", "2001:db8::1", -1).await,
    ]
}

async fn rows_are_whole(server: &Server) {
    let pk = score(server, "ann", "192.0.2.1", -1).await;
    let row = server.admin().get(&one(&pk)).await.expect(200);
    // Where the address is nobody knows; what stands there instead is not laid down.
    let (geo, asn) = (row["ip_geo_data"].clone(), row["ip_asn_data"].clone());
    for data in [&geo, &asn] {
        assert!(data.is_null() || *data == json!({}), "{data}");
    }
    let expected = json!({
        "pk": pk, "identifier": "ann", "ip": "192.0.2.1", "ip_geo_data": geo, "ip_asn_data": asn, "score": -1,
        "updated": "2026-01-02T03:04:05.678901Z",
    });
    assert_eq!(row, expected);
    assert_eq!(server.admin().get(PATH).await.expect(200)["results"], json!([expected]));
}

async fn points_add_up(server: &Server) {
    let admin = server.admin();
    let pk = score(server, "ann", "192.0.2.1", -1).await;
    server.advance(TimeDelta::hours(1));
    assert_eq!(score(server, "ann", "192.0.2.1", -1).await, pk, "it is the same row");
    let row = admin.get(&one(&pk)).await.expect(200);
    assert_eq!((&row["score"], &row["updated"]), (&json!(-2), &json!("2026-01-02T04:04:05.678901Z")));
    assert_eq!(listed(server, "search=-2").await, ["ann"]);
    score(server, "ann", "192.0.2.1", 3).await;
    assert_eq!(admin.get(&one(&pk)).await.expect(200)["score"], 1);
    assert_ne!(score(server, "ann", "192.0.2.2", -1).await, pk);
    assert_ne!(score(server, "Ann", "192.0.2.1", -1).await, pk);
    // No more than there is room for.
    score(server, "big", "192.0.2.9", i64::MIN).await;
    let big = score(server, "big", "192.0.2.9", -1).await;
    assert_eq!(admin.get(&one(&big)).await.expect(200)["score"], i64::MIN);
}

async fn filters(server: &Server) {
    four(server).await;
    let all = ["ann", "Bob", "cid", "ann"];
    let cases: [(&str, &[&str]); 19] = [
        ("", &all),
        ("identifier=ann", &["ann", "ann"]),
        ("identifier=Ann", &[]),
        ("identifier=bob", &[]),
        ("identifier=", &all),
        ("identifier_in=ann", &["ann", "ann"]),
        ("identifier_in=ann,cid", &["ann", "cid", "ann"]),
        ("identifier_in=cid,nobody,Bob", &["Bob", "cid"]),
        ("identifier_in=nobody", &[]),
        ("identifier_in=", &all),
        ("identifier_in=ann,cid&identifier=cid", &["cid"]),
        ("ip=192.0.2.1", &["ann"]),
        ("ip=2001:db8::1", &["ann"]),
        ("ip=192.0.2.9", &[]),
        ("ip=", &all),
        ("score=-3", &["ann"]),
        ("score=0", &[]),
        ("score=10&identifier=Bob&ip=192.0.2.2", &["Bob"]),
        ("score=&nonsense=1&updated=x&ip_geo_data=x", &all),
    ];
    for (query, expected) in cases {
        assert_eq!(listed(server, query).await, expected, "{query}");
    }
}

async fn bad_filters(server: &Server) {
    four(server).await;
    for score in ["x", "1,2", "--1"] {
        let answer = server.admin().get(&format!("{PATH}?score={score}")).await;
        answer.expect_faults(json!({"score": ["Enter a number."]}));
    }
}

async fn search(server: &Server) {
    four(server).await;
    let cases: [(&str, &[&str]); 11] = [
        ("ANN", &["ann", "ann"]),
        ("192.0.2", &["ann", "Bob", "cid"]),
        ("db8", &["ann"]),
        ("-3", &["ann"]),
        ("10", &["Bob"]),
        ("ann%20-1", &["ann"]),
        ("ann,cid", &[]),
        ("2026", &[]),
        ("%25", &[]),
        ("zz-no-such-thing", &[]),
        ("", &["ann", "Bob", "cid", "ann"]),
    ];
    for (words, expected) in cases {
        assert_eq!(listed(server, &format!("search={words}")).await, expected, "{words}");
    }
}

async fn order(server: &Server) {
    let mut keys = four(server).await.to_vec();
    server.advance(TimeDelta::hours(1));
    score(server, "cid", "192.0.2.3", 0).await;
    let addresses = async |query: &str| server.admin().get(&format!("{PATH}?{query}")).await.expect_list("ip");
    let (one, two, three, six) = ("192.0.2.1", "192.0.2.2", "192.0.2.3", "2001:db8::1");
    for (query, expected) in [
        ("", [one, two, three, six]),
        ("ordering=ip", [one, two, three, six]),
        ("ordering=-ip", [six, three, two, one]),
        ("ordering=nope,-ip", [six, three, two, one]),
        ("ordering=score", [one, six, three, two]),
        ("ordering=-score", [two, three, six, one]),
        ("ordering=-identifier,ip", [three, one, six, two]),
        ("ordering=-updated,-ip", [three, six, two, one]),
        // A column that is not shown.
        ("ordering=-expires", [one, two, three, six]),
    ] {
        assert_eq!(addresses(query).await, expected, "{query}");
    }
    keys.sort_unstable();
    assert_eq!(server.admin().get(&format!("{PATH}?ordering=pk")).await.expect_list("pk"), keys);
}

async fn pages(server: &Server) {
    four(server).await;
    let page = server.admin().get(&format!("{PATH}?page_size=3&page=2")).await.expect(200);
    let pagination = json!({
        "next": 0, "previous": 1, "count": 4, "current": 2, "total_pages": 2, "start_index": 4, "end_index": 4,
    });
    assert_eq!((&page["pagination"], &page["results"][0]["ip"]), (&pagination, &json!("2001:db8::1")));
    server.admin().get(&format!("{PATH}?page=9")).await.expect_detail(404, "Invalid page.");
}

async fn retrieve_and_delete(server: &Server) {
    let admin = server.admin();
    let [first, ..] = four(server).await;
    admin.get(&format!("{}used_by/", one(&first))).await.expect_body(200, &json!([]));
    let mark = server.mark().await;
    admin.delete(&one(&first)).await.expect_empty(204);
    let told = server.gists_since(&mark).await;
    assert!(told.len() == 1 && told[0].starts_with("model_deleted reputation "), "{told:?}");
    assert_eq!(listed(server, "").await, ["Bob", "cid", "ann"]);
    for key in [first.as_str(), UNKNOWN, "not-a-uuid", "1", "%00"] {
        admin.get(&one(key)).await.expect_missing();
        admin.get(&format!("{}used_by/", one(key))).await.expect_missing();
        admin.delete(&one(key)).await.expect_missing();
    }
}

async fn nothing_is_written(server: &Server) {
    let admin = server.admin();
    let pk = score(server, "ann", "192.0.2.1", -1).await;
    let before = admin.get(&one(&pk)).await.expect(200);
    let body = json!({"identifier": "x", "ip": "192.0.2.9", "score": 5});
    for (method, path) in [
        (Method::POST, PATH.to_owned()),
        (Method::PUT, PATH.to_owned()),
        (Method::POST, one(&pk)),
        (Method::PUT, one(&pk)),
        (Method::PATCH, one(&pk)),
    ] {
        let answer = admin.request(method.clone(), &path).json(&body).send().await;
        answer.expect_detail(405, &format!("Method \"{method}\" not allowed."));
    }
    admin.get(&one(&pk)).await.expect_body(200, &before);
}

/// They end a day after they were begun, whether something was added or not.
async fn ended_rows_are_invisible(server: &Server) {
    let admin = server.admin();
    let pk = score(server, "ann", "192.0.2.1", -1).await;
    server.advance(TimeDelta::seconds(86_399));
    score(server, "ann", "192.0.2.1", -1).await;
    let viewer = server.person("viewer").await;
    server.grant(viewer.holder(), VIEW, Some(&pk)).await;
    viewer.client.get(&one(&pk)).await.expect(200);
    server.advance(TimeDelta::seconds(1));
    assert_eq!(admin.get(PATH).await.expect(200)["pagination"]["count"], 0);
    admin.get(&one(&pk)).await.expect_missing();
    admin.get(&format!("{}used_by/", one(&pk))).await.expect_missing();
    admin.delete(&one(&pk)).await.expect_missing();
    assert_eq!(listed(server, "identifier=ann").await, Vec::<String>::new());
    assert_eq!(viewer.client.get(PATH).await.expect(200)["pagination"]["count"], 0);
}

async fn a_score_may_begin_anew(server: &Server) {
    let first = score(server, "ann", "192.0.2.1", -5).await;
    server.advance(TimeDelta::days(2));
    let second = score(server, "ann", "192.0.2.1", -1).await;
    let row = server.admin().get(&one(&second)).await.expect(200);
    assert_eq!((&row["score"], &row["updated"]), (&json!(-1), &json!("2026-01-04T03:04:05.678901Z")));
    if first != second {
        server.admin().get(&one(&first)).await.expect_missing();
    }
    server.advance(TimeDelta::seconds(86_399));
    assert_eq!(listed(server, "").await, ["ann"]);
}

async fn permissions(server: &Server) {
    let [first, ..] = four(server).await;
    for (name, codes, get, delete) in [
        ("nothing", &[][..], 403, 403),
        (
            "policies",
            &["authentik_policies_reputation.view_reputationpolicy", "authentik_policies.view_policy"],
            403,
            403,
        ),
        ("deletes", &[DELETE], 403, 403),
        ("views", &[VIEW], 200, 403),
        ("both", &[VIEW, DELETE], 200, 204),
    ] {
        let client = server.holder_of(name, codes).await.client;
        for path in [PATH.to_owned(), one(&first), format!("{}used_by/", one(&first))] {
            let answer = client.get(&path).await;
            if get == 403 { answer.expect_forbidden() } else { answer.expect_status(200) }
        }
        let answer = client.delete(&one(&first)).await;
        if delete == 403 { answer.expect_forbidden() } else { answer.expect_empty(204) }
    }
    server.anonymous().get(&one(&first)).await.expect_forbidden();
}

async fn permissions_on_one_score(server: &Server) {
    let [first, second, ..] = four(server).await;
    let ann = server.person("ann").await;
    server.grant(ann.holder(), VIEW, Some(&first)).await;
    assert_eq!(ann.client.get(PATH).await.expect_list("pk"), [first.as_str()]);
    for key in [second.as_str(), UNKNOWN] {
        ann.client.get(&one(key)).await.expect_missing();
        ann.client.get(&format!("{}used_by/", one(key))).await.expect_missing();
        ann.client.delete(&one(key)).await.expect_missing();
    }
    ann.client.delete(&one(&first)).await.expect_forbidden();
    server.grant(ann.holder(), DELETE, Some(&first)).await;
    ann.client.delete(&one(&first)).await.expect_empty(204);
    ann.client.get(PATH).await.expect_forbidden();
    ann.client.get(&one(&second)).await.expect_forbidden();
}

async fn permissions_go_with_the_score(server: &Server) {
    let admin = server.admin();
    let ann = server.person("ann").await;
    let left = async || server.number("SELECT count(*) FROM grants WHERE object_pk IS NOT NULL").await;
    let pk = score(server, "ann", "192.0.2.1", -1).await;
    server.grant(ann.holder(), VIEW, Some(&pk)).await;
    assert_eq!(left().await, 1);
    admin.delete(&one(&pk)).await.expect_empty(204);
    assert_eq!(left().await, 0);
    // By itself, too: with the sweep, and when it begins anew.
    for way in ["swept", "begun anew"] {
        let pk = score(server, "ann", "192.0.2.1", -1).await;
        server.grant(ann.holder(), VIEW, Some(&pk)).await;
        server.advance(TimeDelta::days(1));
        if way == "swept" {
            tessera::jobs::sweep::once(&server.app).await.expect("swept");
            assert_eq!(server.number("SELECT count(*) FROM reputation_scores").await, 0);
        } else {
            score(server, "ann", "192.0.2.1", -1).await;
        }
        assert_eq!(left().await, 0, "{way}");
    }
}
