//! Filters, search, ordering and pages of bindings.

use super::{PATH, UNKNOWN, application, bind, dummy};
use crate::harness::{Client, Server, tests};
use serde_json::{Value, json};

tests![filters, bad_filters, search, ordering, the_usual_order, pages, five_hundred];

const CHOICE: &str = "Select a valid choice. That choice is not one of the available choices.";

/// Two targets with six bindings; `order` tells them apart.
struct Ground {
    admin: Client,
    a: String,
    b: String,
    red: String,
    blue: String,
}

async fn fill(server: &Server) -> Ground {
    let (a, b) = (application(server, "a", json!({})).await, application(server, "b", json!({})).await);
    let (red, blue) = (dummy(server, "Red door", true).await, dummy(server, "Blue door 100%", false).await);
    let (team, ann) = (server.group("red", json!({})).await, server.person("red").await.pk);
    bind(server, &a, 1, json!({"policy": red, "timeout": 5})).await;
    bind(server, &a, 2, json!({"policy": blue, "enabled": false})).await;
    bind(server, &a, 3, json!({"group": team, "negate": true})).await;
    bind(server, &b, 4, json!({"policy": red, "timeout": 5, "enabled": false})).await;
    bind(server, &b, 5, json!({"user": ann, "failure_result": true})).await;
    bind(server, &b, 6, json!({"policy": blue, "timeout": 0})).await;
    Ground { admin: server.admin(), a, b, red, blue }
}

async fn listed(client: &Client, query: &str) -> Vec<String> {
    client.get(&format!("{PATH}?{query}")).await.expect_list("order")
}

async fn filters(server: &Server) {
    let Ground { admin, a, b, red, blue } = fill(server).await;
    let all = ["1", "2", "3", "4", "5", "6"];
    let cases: Vec<(String, &[&str])> = vec![
        (String::new(), &all),
        (format!("policy={red}"), &["1", "4"]),
        (format!("policy={blue}&enabled=true"), &["6"]),
        ("policy=".into(), &all),
        ("policy__isnull=true".into(), &["3", "5"]),
        ("policy__isnull=false".into(), &["1", "2", "4", "6"]),
        ("policy__isnull=True".into(), &["3", "5"]),
        ("policy__isnull=1".into(), &all),
        ("policy__isnull=x".into(), &all),
        (format!("policy__isnull=true&policy={red}"), &[]),
        (format!("target={a}"), &["1", "2", "3"]),
        (format!("target={}", b.to_uppercase()), &["4", "5", "6"]),
        (format!("target_in={a}"), &["1", "2", "3"]),
        (format!("target_in={a}&target_in={b}"), &all),
        (format!("target_in={a}&target_in={a}"), &["1", "2", "3"]),
        (format!("target={a}&target_in={b}"), &[]),
        (format!("target={a}&target_in={a}&target_in={b}"), &["1", "2", "3"]),
        ("target_in=".into(), &all),
        ("enabled=true".into(), &["1", "3", "5", "6"]),
        ("enabled=False".into(), &["2", "4"]),
        ("enabled=0".into(), &all),
        ("enabled=".into(), &all),
        ("order=3".into(), &["3"]),
        ("order=-3".into(), &[]),
        ("timeout=5".into(), &["1", "4"]),
        ("timeout=0".into(), &["6"]),
        ("timeout=30".into(), &["2", "3", "5"]),
        ("timeout=5&enabled=true&order=1".into(), &["1"]),
        ("negate=true&group=x&nothing=y".into(), &all),
    ];
    for (query, expected) in cases {
        assert_eq!(listed(&admin, &format!("{query}&ordering=order")).await, *expected, "{query}");
    }
}

async fn bad_filters(server: &Server) {
    let Ground { admin, a, red, .. } = fill(server).await;
    let cases = [
        ("policy", UNKNOWN, CHOICE.to_owned()),
        ("policy", &a, CHOICE.to_owned()),
        ("policy", "bad", "“bad” is not a valid UUID.".to_owned()),
        ("target", UNKNOWN, CHOICE.to_owned()),
        ("target", &red, CHOICE.to_owned()),
        ("target", "bad", "“bad” is not a valid UUID.".to_owned()),
        ("target_in", UNKNOWN, format!("Select a valid choice. {UNKNOWN} is not one of the available choices.")),
        ("target_in", "bad", "“bad” is not a valid UUID.".to_owned()),
        ("order", "x", "Enter a number.".to_owned()),
        ("timeout", "x", "Enter a number.".to_owned()),
    ];
    for (name, value, text) in cases {
        let answer = admin.get(&format!("{PATH}?{name}={value}")).await;
        answer.expect_faults(json!({name: [text]}));
    }
    let answer = admin.get(&format!("{PATH}?target_in={a}&target_in={UNKNOWN}")).await;
    let text = format!("Select a valid choice. {UNKNOWN} is not one of the available choices.");
    answer.expect_faults(json!({"target_in": [&text]}));
    let answer = admin.get(&format!("{PATH}?order=x&timeout=y&target=bad")).await;
    let bad = ["“bad” is not a valid UUID."];
    answer.expect_faults(json!({"order": ["Enter a number."], "timeout": ["Enter a number."], "target": bad}));
    let answer = admin.get(&format!("{PATH}?target={UNKNOWN}&policy={UNKNOWN}&target_in={UNKNOWN}")).await;
    answer.expect_faults(json!({"target": [CHOICE], "policy": [CHOICE], "target_in": [text]}));
}

/// The name of the policy, and nothing else.
async fn search(server: &Server) {
    let Ground { admin, .. } = fill(server).await;
    let cases: [(&str, &[&str]); 10] = [
        ("red", &["1", "4"]),
        ("RED", &["1", "4"]),
        ("door", &["1", "2", "4", "6"]),
        ("door+blue", &["2", "6"]),
        ("door,red", &["1", "4"]),
        ("red+blue", &[]),
        ("100%25", &["2", "6"]),
        ("%25", &["2", "6"]),
        ("d_or", &[]),
        ("", &["1", "2", "3", "4", "5", "6"]),
    ];
    for (search, expected) in cases {
        assert_eq!(listed(&admin, &format!("search={search}&ordering=order")).await, *expected, "{search}");
    }
    assert_eq!(listed(&admin, "search=door&enabled=true&ordering=order").await, ["1", "6"]);
    // Any alphabet; and a name only, whatever else its policy may be searched by.
    let a = application(server, "c", json!({})).await;
    bind(server, &a, 7, json!({"policy": dummy(server, "Über die Straße", true).await})).await;
    let fields = json!({"check_ip": true, "check_username": true, "threshold": -77});
    let named = super::policy(server, "reputation", "Ruf 12-34", fields).await;
    bind(server, &a, 8, json!({"policy": named})).await;
    for (search, expected) in
        [("%C3%9Cber", "7"), ("%C3%BCber", "7"), ("stra%C3%9Fe", "7"), ("RUF", "8"), ("12-34", "8")]
    {
        assert_eq!(listed(&admin, &format!("search={search}")).await, [expected], "{search}");
    }
    for search in ["-77", "77", "Ruf+-77", "reputation", "4-7"] {
        assert_eq!(listed(&admin, &format!("search={search}")).await, Vec::<String>::new(), "{search}");
    }
}

async fn ordering(server: &Server) {
    let Ground { admin, .. } = fill(server).await;
    for (ordering, expected) in [
        ("order", ["1", "2", "3", "4", "5", "6"]),
        ("-order", ["6", "5", "4", "3", "2", "1"]),
        ("timeout,order", ["6", "1", "4", "2", "3", "5"]),
        ("-timeout,-order", ["5", "3", "2", "4", "1", "6"]),
        ("enabled,order", ["2", "4", "1", "3", "5", "6"]),
        ("-negate,order", ["3", "1", "2", "4", "5", "6"]),
        ("-failure_result,order", ["5", "1", "2", "3", "4", "6"]),
        ("policy_obj,order", ["1", "2", "3", "4", "5", "6"]),
    ] {
        assert_eq!(listed(&admin, &format!("ordering={ordering}")).await, expected, "{ordering}");
    }
}

/// Target, then order; also when no name that is asked for is known.
async fn the_usual_order(server: &Server) {
    let admin = server.admin();
    let mut targets = Vec::new();
    for slug in ["a", "b", "c", "d"] {
        targets.push(application(server, slug, json!({})).await);
    }
    let policy = dummy(server, "yes", true).await;
    let mut expected = Vec::new();
    for order in [3, -1, 20] {
        for target in &targets {
            bind(server, target, order, json!({"policy": policy})).await;
            expected.push((target.clone(), order));
        }
    }
    expected.sort();
    for query in ["", "?ordering=", "?ordering=nothing", "?ordering=policy_obj,user_obj"] {
        let body = admin.get(&format!("{PATH}{query}")).await.expect(200);
        let pair = |one: &Value| (one["target"].as_str().unwrap_or_default().to_owned(), one["order"].as_i64());
        let got: Vec<_> = body["results"].as_array().expect("a list").iter().map(pair).collect();
        let expected: Vec<_> = expected.iter().cloned().map(|(target, order)| (target, Some(order))).collect();
        assert_eq!(got, expected, "{query}");
    }
}

async fn pages(server: &Server) {
    let Ground { admin, .. } = fill(server).await;
    let body = admin.get(&format!("{PATH}?page=2&page_size=4&ordering=order")).await.expect(200);
    let expected = json!({
        "next": 0, "previous": 1, "count": 6, "current": 2, "total_pages": 2, "start_index": 5, "end_index": 6,
    });
    assert_eq!(body["pagination"], expected);
    assert_eq!(listed(&admin, "page=last&page_size=4&ordering=order").await, ["5", "6"]);
    admin.get(&format!("{PATH}?page=3&page_size=4")).await.expect_detail(404, "Invalid page.");
    assert_eq!(listed(&admin, "page_size=0").await.len(), 6);
    admin.delete("/core/applications/a/").await.expect_empty(204);
    admin.delete("/core/applications/b/").await.expect_empty(204);
    let nothing = json!({
        "pagination": {
            "next": 0, "previous": 0, "count": 0, "current": 1, "total_pages": 1, "start_index": 0, "end_index": 0,
        },
        "results": [],
    });
    admin.get(PATH).await.expect_body(200, &nothing);
}

async fn five_hundred(server: &Server) {
    let admin = server.admin();
    let target = application(server, "app", json!({"policy_engine_mode": "all"})).await;
    let (team, ann) = (server.group("team", json!({})).await, server.person("ann").await);
    let policy = dummy(server, "yes", true).await;
    for order in 0..500 {
        let fields = match order % 5 {
            0..3 => json!({"policy": policy}),
            3 => json!({"group": team, "negate": true}),
            _ => json!({"user": ann.pk}),
        };
        bind(server, &target, order, fields).await;
    }
    let orders: Vec<String> = (0..500).map(|order: i64| order.to_string()).collect();
    assert_eq!(listed(&admin, &format!("target={target}&page_size=500")).await, orders);
    assert_eq!(listed(&admin, "").await.len(), 100);
    assert_eq!(admin.get(&format!("/policies/dummy/{policy}/")).await.expect(200)["bound_to"], 300);
    let check = format!("/core/applications/app/check_access/?for_user={}", ann.pk);
    let expected = json!({"passing": true, "messages": vec!["dummy"; 300], "log_messages": []});
    admin.get(&check).await.expect_body(200, &expected);
    admin.post(&format!("/core/groups/{team}/add_user/"), &json!({"pk": ann.pk})).await.expect_empty(204);
    assert_eq!(admin.get(&check).await.expect(200)["passing"], false);
    admin.delete("/core/applications/app/").await.expect_empty(204);
    assert_eq!(listed(&admin, "").await, Vec::<String>::new());
}
