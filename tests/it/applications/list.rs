//! The list of applications: what policies let the caller into, whatever he may administer.

use super::PATH;
use crate::{
    bindings::{UNKNOWN, application, bind, dummy},
    harness::{Client, Person, Server, tests},
};
use serde_json::{Value, json};

tests![
    everybody_sees_what_lets_him_in,
    view_permission_makes_no_difference,
    the_full_list,
    over_somebodys_shoulder,
    for_user_refused,
    pages_count_what_is_listed,
    nothing_at_all,
    with_a_launch_url,
    filters,
    search,
    ordering,
    pagination_texts,
];

async fn listed(client: &Client, query: &str) -> Vec<String> {
    client.get(&format!("{PATH}{query}")).await.expect_list("slug")
}

struct Ground {
    admin: Client,
    ann: Person,
    bob: Person,
}

/// `open` lets everybody in, `closed` nobody, `team` the members of a group (ann), `mine` bob.
async fn ground(server: &Server) -> Ground {
    let (ann, bob) = (server.person("ann").await, server.person("bob").await);
    let team = server.group("team", json!({"users": [ann.pk]})).await;
    application(server, "open", json!({})).await;
    bind(
        server,
        &application(server, "closed", json!({})).await,
        0,
        json!({"policy": dummy(server, "no", false).await}),
    )
    .await;
    bind(server, &application(server, "team", json!({})).await, 0, json!({"group": team})).await;
    bind(server, &application(server, "mine", json!({})).await, 0, json!({"user": bob.pk})).await;
    Ground { admin: server.admin(), ann, bob }
}

async fn everybody_sees_what_lets_him_in(server: &Server) {
    let Ground { admin, ann, bob } = ground(server).await;
    assert_eq!(listed(&ann.client, "").await, ["open", "team"]);
    assert_eq!(listed(&bob.client, "").await, ["mine", "open"]);
    // Policies ask superusers, too.
    assert_eq!(listed(&admin, "").await, ["open"]);
    server.anonymous().get(PATH).await.expect_detail(403, "Authentication credentials were not provided.");
}

async fn view_permission_makes_no_difference(server: &Server) {
    let Ground { ann, .. } = ground(server).await;
    let codes = ["authentik_core.view_application", "authentik_core.change_application"];
    for code in codes {
        server.grant(ann.holder(), code, None).await;
    }
    assert_eq!(listed(&ann.client, "").await, ["open", "team"]);
    // One row of it is there for administration all the same.
    ann.client.get(&format!("{PATH}closed/")).await.expect(200);
}

async fn the_full_list(server: &Server) {
    let Ground { admin, ann, .. } = ground(server).await;
    let all = ["closed", "mine", "open", "team"];
    assert_eq!(listed(&admin, "?superuser_full_list=true").await, all);
    assert_eq!(listed(&admin, "?superuser_full_list=true&search=e").await, ["closed", "mine", "open", "team"]);
    assert_eq!(listed(&admin, "?superuser_full_list=true&slug=closed").await, ["closed"]);
    for other in ["false", "1", "yes", ""] {
        assert_eq!(listed(&admin, &format!("?superuser_full_list={other}")).await, ["open"], "{other}");
    }
    // Ignored from anybody else.
    server.grant(ann.holder(), "authentik_core.view_application", None).await;
    assert_eq!(listed(&ann.client, "?superuser_full_list=true").await, ["open", "team"]);
}

async fn over_somebodys_shoulder(server: &Server) {
    let Ground { admin, ann, bob } = ground(server).await;
    let (hers, his) = (format!("?for_user={}", ann.pk), format!("?for_user={}", bob.pk));
    assert_eq!(listed(&admin, &hers).await, ["open", "team"]);
    assert_eq!(listed(&admin, &his).await, ["mine", "open"]);
    assert_eq!(listed(&admin, &format!("{his}&slug=mine")).await, ["mine"]);
    assert_eq!(listed(&admin, "?for_user=").await, ["open"]);
    // With the permission for that account, or at large.
    let unknown = json!({"for_user": "User not found"});
    ann.client.get(&format!("{PATH}{his}")).await.expect_body(400, &unknown);
    server.grant(ann.holder(), "authentik_core.view_user_applications", Some(&bob.pk.to_string())).await;
    assert_eq!(listed(&ann.client, &his).await, ["mine", "open"]);
    ann.client.get(&format!("{PATH}{hers}")).await.expect_body(400, &unknown);
    server.grant(bob.holder(), "authentik_core.view_user_applications", None).await;
    assert_eq!(listed(&bob.client, &hers).await, ["open", "team"]);
    assert_eq!(listed(&bob.client, "").await, ["mine", "open"]);
}

/// In two shapes, neither of which is the usual one.
async fn for_user_refused(server: &Server) {
    let Ground { admin, ann, .. } = ground(server).await;
    for word in ["x", "1.5", "1e3", "0x10", "true", UNKNOWN] {
        admin.get(&format!("{PATH}?for_user={word}")).await.expect_body(400, &json!(["Invalid input."]));
        ann.client.get(&format!("{PATH}?for_user={word}")).await.expect_body(400, &json!(["Invalid input."]));
    }
    for number in ["999999", "0", "-1", "99999999999999"] {
        let answer = admin.get(&format!("{PATH}?for_user={number}")).await;
        answer.expect_body(400, &json!({"for_user": "User not found"}));
    }
    // What is there and what is not look the same to whoever may see neither.
    for number in [1, 999_999] {
        let answer = ann.client.get(&format!("{PATH}?for_user={number}")).await;
        answer.expect_body(400, &json!({"for_user": "User not found"}));
    }
}

/// Ours, listed: pages are full, and their numbers tell nothing of what is left out.
async fn pages_count_what_is_listed(server: &Server) {
    let Ground { ann, .. } = ground(server).await;
    let no = dummy(server, "never", false).await;
    for number in 0..5 {
        application(server, &format!("o{number}"), json!({})).await;
        bind(server, &application(server, &format!("n{number}"), json!({})).await, 0, json!({"policy": no})).await;
    }
    let page = async |query: &str| ann.client.get(&format!("{PATH}{query}")).await.expect(200);
    let first = page("?page_size=3").await;
    let expected = json!({
        "next": 2, "previous": 0, "count": 7, "current": 1, "total_pages": 3, "start_index": 1, "end_index": 3,
    });
    assert_eq!(first["pagination"], expected);
    let slugs = |body: &Value| {
        let results = body["results"].as_array().expect("a list").clone();
        results.iter().map(|one| one["slug"].as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(slugs(&first), ["o0", "o1", "o2"]);
    assert_eq!(slugs(&page("?page_size=3&page=2").await), ["o3", "o4", "open"]);
    let last = page("?page_size=3&page=last").await;
    assert_eq!(slugs(&last), ["team"]);
    let expected = json!({
        "next": 0, "previous": 2, "count": 7, "current": 3, "total_pages": 3, "start_index": 7, "end_index": 7,
    });
    assert_eq!(last["pagination"], expected);
    assert_eq!(page("?search=n").await["pagination"]["count"], 1);
    ann.client.get(&format!("{PATH}?page_size=3&page=4")).await.expect_detail(404, "Invalid page.");
}

async fn nothing_at_all(server: &Server) {
    let nothing = json!({
        "pagination": {
            "next": 0, "previous": 0, "count": 0, "current": 1, "total_pages": 1, "start_index": 0, "end_index": 0,
        },
        "results": [],
    });
    let ann = server.person("ann").await;
    ann.client.get(PATH).await.expect_body(200, &nothing);
    bind(
        server,
        &application(server, "closed", json!({})).await,
        0,
        json!({"policy": dummy(server, "no", false).await}),
    )
    .await;
    ann.client.get(PATH).await.expect_body(200, &nothing);
    ann.client.get(&format!("{PATH}?page=2")).await.expect_detail(404, "Invalid page.");
}

async fn with_a_launch_url(server: &Server) {
    let ann = server.person("ann").await;
    application(server, "a", json!({"meta_launch_url": "https://a.example.org/%(username)s"})).await;
    application(server, "b", json!({})).await;
    application(server, "c", json!({"meta_launch_url": "blank://blank"})).await;
    assert_eq!(listed(&ann.client, "?only_with_launch_url=true").await, ["a", "c"]);
    for other in ["false", "1", "", "x"] {
        assert_eq!(listed(&ann.client, &format!("?only_with_launch_url={other}")).await, ["a", "b", "c"], "{other}");
    }
    assert_eq!(listed(&ann.client, "?only_with_launch_url=true&slug=b").await, Vec::<String>::new());
}

async fn fill(server: &Server) -> Client {
    let fields = [
        ("wiki", json!({"name": "Wiki", "group": "Writing", "meta_publisher": "Org"})),
        ("mail", json!({"name": "Mail", "group": "Writing", "meta_description": "Letters, 100%"})),
        ("shop", json!({"name": "shop", "meta_launch_url": "https://shop.example.org/", "meta_publisher": "org"})),
        ("books", json!({"name": "Ledger", "meta_description": "Money", "policy_engine_mode": "all"})),
    ];
    for (slug, fields) in fields {
        application(server, slug, fields).await;
    }
    server.person("ann").await.client
}

async fn filters(server: &Server) {
    let client = fill(server).await;
    let cases: [(&str, &[&str]); 14] = [
        ("?name=Wiki", &["wiki"]),
        ("?name=wiki", &[]),
        ("?slug=shop", &["shop"]),
        ("?slug=sho", &[]),
        ("?group=Writing", &["mail", "wiki"]),
        ("?group=writing", &[]),
        ("?group=", &["books", "mail", "shop", "wiki"]),
        ("?meta_publisher=Org", &["wiki"]),
        ("?meta_description=Money", &["books"]),
        ("?meta_launch_url=https://shop.example.org/", &["shop"]),
        ("?meta_launch_url=https://shop.example.org", &[]),
        ("?group=Writing&meta_publisher=Org", &["wiki"]),
        ("?policy_engine_mode=all&pk=x&nothing=1", &["books", "mail", "shop", "wiki"]),
        ("?name=Wiki&slug=shop", &[]),
    ];
    for (query, expected) in cases {
        let mut got = listed(&client, query).await;
        got.sort();
        assert_eq!(got, *expected, "{query}");
    }
}

async fn search(server: &Server) {
    let client = fill(server).await;
    let cases: [(&str, &[&str]); 11] = [
        ("wiki", &["wiki"]),
        ("WRIT", &["mail", "wiki"]),
        ("org", &["shop", "wiki"]),
        ("ledger", &["books"]),
        ("books", &["books"]),
        ("letters", &["mail"]),
        ("shop.example", &["shop"]),
        ("writing+org", &["wiki"]),
        ("writing,money", &[]),
        ("100%25", &["mail"]),
        ("all", &[]),
    ];
    for (search, expected) in cases {
        let mut got = listed(&client, &format!("?search={search}")).await;
        got.sort();
        assert_eq!(got, *expected, "{search}");
    }
}

async fn ordering(server: &Server) {
    for (slug, name, group) in [("c", "alpha", "2"), ("b", "beta", "1"), ("a", "gamma", "2")] {
        application(server, slug, json!({"name": name, "group": group, "open_in_new_tab": slug == "b"})).await;
    }
    let client = server.person("ann").await.client;
    for (ordering, expected) in [
        ("", ["c", "b", "a"]),
        ("?ordering=name", ["c", "b", "a"]),
        ("?ordering=-name", ["a", "b", "c"]),
        ("?ordering=slug", ["a", "b", "c"]),
        ("?ordering=group,slug", ["b", "a", "c"]),
        ("?ordering=-group,-slug", ["c", "a", "b"]),
        ("?ordering=-open_in_new_tab,slug", ["b", "a", "c"]),
        ("?ordering=launch_url", ["c", "b", "a"]),
        ("?ordering=nothing,-slug", ["c", "b", "a"]),
    ] {
        assert_eq!(listed(&client, ordering).await, expected, "{ordering}");
    }
}

async fn pagination_texts(server: &Server) {
    let client = fill(server).await;
    for page in ["0", "-1", "x", "1.5", "99"] {
        client.get(&format!("{PATH}?page={page}")).await.expect_detail(404, "Invalid page.");
    }
    for size in ["0", "-1", "x", ""] {
        assert_eq!(listed(&client, &format!("?page_size={size}")).await.len(), 4, "{size}");
    }
    assert_eq!(listed(&client, "?page_size=100000").await.len(), 4);
}
