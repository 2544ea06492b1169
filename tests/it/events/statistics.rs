//! What counts events: kinds, curves, applications. Real intervals, not the hour of the day.

use super::{PATH, write};
use crate::harness::{Client, Server, tests};
use chrono::TimeDelta;
use http::Method;
use serde_json::{Value, json};

tests![
    actions,
    actions_are_for_everybody,
    an_empty_week,
    a_week_by_eight_hours,
    edges_of_the_week,
    the_week_is_filtered,
    a_month,
    edges_of_the_month,
    the_month_is_filtered,
    faulty_queries,
    applications,
    how_many_applications,
    only_what_is_visible_counts,
    the_week_of_an_account,
];

/// The beginning of the tests' clock, in milliseconds, without its fraction.
const BEGIN: i64 = 1_767_323_045_000;
const HOUR: i64 = 3_600_000;

async fn points(client: &Client, path: &str) -> Vec<(i64, i64)> {
    let body = client.get(path).await.expect(200);
    pairs(&body)
}

fn pairs(body: &Value) -> Vec<(i64, i64)> {
    let number = |point: &Value, name: &str| {
        let number = point[name].as_f64().expect("a number");
        assert!(number.fract() == 0.0, "{point}");
        format!("{number:.0}").parse::<i64>().expect("a whole number")
    };
    body.as_array().expect("a list").iter().map(|p| (number(p, "x_cord"), number(p, "y_cord"))).collect()
}

/// What is not 0, by the number of the point.
fn counted(points: &[(i64, i64)]) -> Vec<(usize, i64)> {
    points.iter().enumerate().filter(|(_, (_, count))| *count != 0).map(|(n, (_, count))| (n, *count)).collect()
}

async fn actions(server: &Server) {
    let body = server.admin().get(&format!("{PATH}actions/")).await.expect(200);
    let expected = [
        ("login", "Login"),
        ("login_failed", "Login Failed"),
        ("logout", "Logout"),
        ("user_write", "User Write"),
        ("suspicious_request", "Suspicious Request"),
        ("password_set", "Password Set"),
        ("secret_view", "Secret View"),
        ("secret_rotate", "Secret Rotate"),
        ("invitation_used", "Invite Used"),
        ("authorize_application", "Authorize Application"),
        ("source_linked", "Source Linked"),
        ("impersonation_started", "Impersonation Started"),
        ("impersonation_ended", "Impersonation Ended"),
        ("flow_execution", "Flow Execution"),
        ("policy_execution", "Policy Execution"),
        ("policy_exception", "Policy Exception"),
        ("property_mapping_exception", "Property Mapping Exception"),
        ("system_task_execution", "System Task Execution"),
        ("system_task_exception", "System Task Exception"),
        ("system_exception", "System Exception"),
        ("configuration_error", "Configuration Error"),
        ("model_created", "Model Created"),
        ("model_updated", "Model Updated"),
        ("model_deleted", "Model Deleted"),
        ("email_sent", "Email Sent"),
        ("update_available", "Update Available"),
        ("custom_", "Custom Prefix"),
    ];
    assert_eq!(expected.len(), 27);
    let listed: Vec<(&str, &str)> = body
        .as_array()
        .expect("a list")
        .iter()
        .map(|kind| {
            assert_eq!((&kind["description"], &kind["model_name"]), (&json!(""), &json!("")));
            assert_eq!(kind["requires_enterprise"], false);
            (kind["component"].as_str().expect("text"), kind["name"].as_str().expect("text"))
        })
        .collect();
    assert_eq!(listed, expected);
}

async fn actions_are_for_everybody(server: &Server) {
    let ann = server.person("ann").await;
    let path = format!("{PATH}actions/");
    let body = server.admin().get(&path).await.expect(200);
    ann.client.get(&path).await.expect_body(200, &body);
    ann.client.get(&format!("{path}?search=x&page=7")).await.expect_body(200, &body);
    let head = ann.client.request(Method::HEAD, &path).send().await;
    assert!(head.status == 200 && head.body.is_empty());
}

async fn an_empty_week(server: &Server) {
    let points = points(&server.admin(), &format!("{PATH}volume/?action=login")).await;
    let expected: Vec<_> = (-1..21).map(|n| (BEGIN - n * 8 * HOUR, 0)).collect();
    assert_eq!(points, expected);
}

async fn a_week_by_eight_hours(server: &Server) {
    let path = format!("{PATH}volume/?action=login");
    for hours in [0, 1, 25, 30, 150] {
        // As it was so many hours ago.
        server.advance(TimeDelta::hours(-hours));
        write(server, json!({})).await;
        server.advance(TimeDelta::hours(hours));
    }
    let week = points(&server.admin(), &path).await;
    assert_eq!(counted(&week), [(1, 2), (4, 2), (19, 1)]);
    assert_eq!(week[1], (BEGIN, 2));
    server.advance(TimeDelta::hours(7));
    assert_eq!(counted(&points(&server.admin(), &path).await), [(1, 1), (2, 1), (5, 2), (20, 1)]);
    server.advance(TimeDelta::hours(24 * 7));
    let week = points(&server.admin(), &path).await;
    assert_eq!(counted(&week), []);
    assert_eq!(week[0].0, BEGIN + (7 + 24 * 7 + 8) * HOUR);
}

async fn edges_of_the_week(server: &Server) {
    let path = format!("{PATH}volume/?action=login");
    write(server, json!({})).await;
    let admin = server.admin();
    let mut passed = TimeDelta::zero();
    let mut at = |age: TimeDelta| {
        server.advance(age - passed);
        passed = age;
    };
    for (age, point) in [
        (TimeDelta::hours(8) - TimeDelta::seconds(1), Some(1)),
        (TimeDelta::hours(8), Some(2)),
        (TimeDelta::hours(16) - TimeDelta::seconds(1), Some(2)),
        (TimeDelta::hours(16), Some(3)),
        (TimeDelta::days(7) - TimeDelta::seconds(1), Some(21)),
        (TimeDelta::days(7), None),
    ] {
        at(age);
        let expected: Vec<_> = point.into_iter().map(|n| (n, 1)).collect();
        assert_eq!(counted(&points(&admin, &path).await), expected, "{age}");
    }
    // From a clock that was put back: the future does not count.
    at(TimeDelta::hours(-1));
    assert_eq!(counted(&points(&admin, &path).await), []);
}

async fn the_week_is_filtered(server: &Server) {
    write(server, json!({"user": {"pk": 1, "username": "ann"}, "client_ip": "192.0.2.1"})).await;
    write(server, json!({"action": "login_failed", "context": {"model": {"pk": 5, "app": "a", "model_name": "m"}}}))
        .await;
    write(server, json!({"action": "authorize_application", "context": {"authorized_application": {"pk": "p"}}})).await;
    write(server, json!({"action": "logout", "brand": {"name": "Ours"}, "app": "needle"})).await;
    let admin = server.admin();
    for (query, count) in [
        ("action=log", 3),
        ("action=login", 2),
        ("username=ann", 1),
        ("client_ip=192.0.2.1", 1),
        ("context_model_pk=5", 1),
        ("context_model_app=a", 1),
        ("context_model_name=m", 1),
        ("context_authorized_app=p", 1),
        ("brand_name=Ours", 1),
        ("search=needle", 1),
        ("search=needle&action=login", 0),
        ("ordering=app&search=needle&page=9", 1),
    ] {
        let week = points(&admin, &format!("{PATH}volume/?{query}")).await;
        assert_eq!(week.iter().map(|(_, count)| count).sum::<i64>(), count, "{query}");
    }
    let all = server.number("SELECT count(*) FROM events").await;
    assert_eq!(points(&admin, &format!("{PATH}volume/")).await[1].1, all);
}

async fn a_month(server: &Server) {
    let path = format!("{PATH}per_month/");
    let month = points(&server.admin(), &path).await;
    assert_eq!(month, (-1..30).map(|n| (BEGIN - n * 80_640_000, 0)).collect::<Vec<_>>());
    write(server, json!({})).await;
    write(server, json!({"action": "login_failed"})).await;
    server.advance(TimeDelta::days(10));
    write(server, json!({})).await;
    let month = points(&server.admin(), &path).await;
    // Ten days are 10.71 steps of 22.4 hours.
    assert_eq!(counted(&month), [(1, 1), (11, 1)]);
    assert_eq!(month[0].0, BEGIN + 10 * 24 * HOUR + 80_640_000);
}

async fn edges_of_the_month(server: &Server) {
    let path = format!("{PATH}per_month/?action=logout");
    write(server, json!({"action": "logout"})).await;
    let admin = server.admin();
    let mut passed = 0;
    for (age, point) in [(80_639, Some(1)), (80_640, Some(2)), (2_419_199, Some(30)), (2_419_200, None)] {
        server.advance(TimeDelta::seconds(age - passed));
        passed = age;
        let expected: Vec<_> = point.into_iter().map(|n| (n, 1)).collect();
        assert_eq!(counted(&points(&admin, &path).await), expected, "{age}");
    }
}

async fn the_month_is_filtered(server: &Server) {
    for (username, address) in [("ann", "192.0.2.1"), ("bob", "192.0.2.2")] {
        let context = json!({"model": {"pk": 7, "app": "a", "model_name": "m"}, "authorized_application": {"pk": "p"}});
        write(server, json!({"user": {"username": username}, "client_ip": address, "context": context})).await;
    }
    let admin = server.admin();
    for (query, count) in [
        ("{}", 2),
        (r#"{"username":"ann"}"#, 1),
        (r#"{"username":"ann","client_ip":"192.0.2.2"}"#, 0),
        (r#"{"client_ip":"192.0.2.2"}"#, 1),
        (r#"{"context_model_pk":7}"#, 2),
        (r#"{"context_model_pk":"7","context_model_app":"a","context_model_name":"m"}"#, 2),
        (r#"{"context_authorized_app":"p"}"#, 2),
        (r#"{"brand_name":"Brand fallback"}"#, 2),
        (r#"{"action":"LOG"}"#, 2),
        (r#"{"action":"logout"}"#, 0),
    ] {
        let query = query.replace('"', "%22").replace(' ', "%20");
        let month = points(&admin, &format!("{PATH}per_month/?query={query}")).await;
        assert_eq!(month.iter().map(|(_, count)| count).sum::<i64>(), count, "{query}");
    }
    for action in ["logi", "LOGIN", "login_", "nothing"] {
        let month = points(&admin, &format!("{PATH}per_month/?action={action}")).await;
        assert_eq!(counted(&month), [], "{action}");
    }
    // Not said is `login`.
    assert_eq!(counted(&points(&admin, &format!("{PATH}per_month/?action=")).await), [(1, 2)]);
}

async fn faulty_queries(server: &Server) {
    let ann = server.person("ann").await;
    for client in [server.admin(), ann.client] {
        for bad in [
            "",
            "x",
            "%7B",
            "[]",
            "5",
            "null",
            "%22x%22",
            "%7B%22unknown%22:1%7D",
            "%7B%22user__username%22:%22ann%22%7D",
            "%7B%22search%22:%22ann%22%7D",
            "%7B%22username%22:null%7D",
            "%7B%22username%22:%5B%5D%7D",
            "%7B%22username%22:%22%5Cu0000%22%7D",
        ] {
            client.get(&format!("{PATH}per_month/?query={bad}")).await.expect_empty(400);
        }
    }
}

async fn applications(server: &Server) {
    let path = format!("{PATH}top_per_user/");
    let admin = server.admin();
    let wiki = json!({"app": "authentik_core", "model_name": "application", "pk": "1", "name": "Wiki"});
    let mail = json!({"pk": "2", "name": "Mail"});
    write(server, json!({})).await;
    write(server, json!({"context": {"authorized_application": null}})).await;
    write(server, json!({"context": {"authorized_application": "Wiki"}})).await;
    write(server, json!({"context": []})).await;
    admin.get(&format!("{path}?action=login")).await.expect_body(200, &json!([]));
    admin.get(&path).await.expect_body(200, &json!([]));
    for (application, users) in [(&wiki, vec![1, 2, 1]), (&mail, vec![1, 1])] {
        for user in users {
            let context = json!({"authorized_application": application});
            let user = json!({"pk": user, "username": format!("u{user}")});
            write(server, json!({"action": "authorize_application", "context": context, "user": user})).await;
        }
    }
    let expected = json!([
        {"application": wiki, "counted_events": 3, "unique_users": 2},
        {"application": mail, "counted_events": 2, "unique_users": 1},
    ]);
    admin.get(&format!("{path}?action=authorize_application")).await.expect_body(200, &expected);
    for none in ["action=authorize", "action=", "action=nothing", "action=%00"] {
        admin.get(&format!("{path}?{none}")).await.expect_body(200, &json!([]));
    }
}

async fn how_many_applications(server: &Server) {
    for number in 0..17 {
        for _ in 0..=number {
            let context = json!({"authorized_application": {"pk": number}});
            write(server, json!({"context": context})).await;
        }
    }
    let admin = server.admin();
    let path = format!("{PATH}top_per_user/?action=login");
    let listed = async |query: &str| {
        let body = admin.get(&format!("{path}{query}")).await.expect(200);
        let list = body.as_array().expect("a list").clone();
        list.into_iter().map(|u| u["counted_events"].as_i64().expect("a number")).collect::<Vec<_>>()
    };
    assert_eq!(listed("").await, (3..=17).rev().collect::<Vec<_>>());
    assert_eq!(listed("&top_n=2").await, [17, 16]);
    assert!(listed("&top_n=0").await.is_empty());
    assert_eq!(listed("&top_n=1000").await.len(), 17);
    for bad in ["-1", "x", "1.5", "1e3", "%C2%B2"] {
        let text = json!({"top_n": ["A valid integer is required."]});
        admin.get(&format!("{path}&top_n={bad}")).await.expect_faults(text);
    }
    for large in ["2147483647", "9223372036854775807", "99999999999999999999"] {
        let answer = admin.get(&format!("{path}&top_n={large}")).await;
        assert!(matches!(answer.status, 200 | 400), "{} {}", answer.request, answer.text());
    }
}

async fn only_what_is_visible_counts(server: &Server) {
    let context = json!({"authorized_application": {"pk": 1}});
    let first = write(server, json!({"context": context})).await;
    write(server, json!({"context": context})).await;
    let ann = server.person("ann").await;
    let sums = async |client: &Client| {
        let month = points(client, &format!("{PATH}per_month/")).await;
        let top = client.get(&format!("{PATH}top_per_user/")).await.expect(200);
        (month.iter().map(|(_, n)| n).sum::<i64>(), top[0]["counted_events"].as_i64().unwrap_or_default())
    };
    assert_eq!(sums(&ann.client).await, (0, 0));
    assert_eq!(sums(&server.admin()).await, (2, 2));
    server.grant(ann.holder(), "authentik_events.view_event", first["pk"].as_str()).await;
    assert_eq!(sums(&ann.client).await, (1, 1));
    assert_eq!(points(&ann.client, &format!("{PATH}volume/")).await[1].1, 1);
    server.grant(ann.holder(), "authentik_events.view_event", None).await;
    assert_eq!(sums(&ann.client).await, (2, 2));
}

async fn the_week_of_an_account(server: &Server) {
    let ann = server.person("ann").await;
    let path = format!("/core/users/{}/metrics/", ann.pk);
    let own = json!({"pk": ann.pk, "username": "ann"});
    for (action, user, context) in [
        ("login", own.clone(), json!({})),
        ("login", own.clone(), json!({})),
        ("login", json!({"pk": ann.pk + 1}), json!({})),
        ("login_failed", json!({}), json!({"username": "ann"})),
        ("login_failed", json!({}), json!({"username": "Ann"})),
        ("authorize_application", own, json!({})),
    ] {
        write(server, json!({"action": action, "user": user, "context": context})).await;
    }
    server.advance(TimeDelta::hours(9));
    let body = server.admin().get(&path).await.expect(200);
    for (name, count) in [("logins", 2), ("logins_failed", 1), ("authorizations", 1)] {
        let points = pairs(&body[name]);
        assert_eq!((points.len(), counted(&points)), (22, vec![(2, count)]), "{name}");
        assert_eq!(points[0], (BEGIN + 17 * HOUR, 0));
    }
    ann.client.get(&path).await.expect_forbidden();
    let both = ["authentik_core.view_user", "authentik_events.view_event"];
    for permission in both {
        let one =
            server.holder_of(&format!("only-{}", permission.rsplit('.').next().expect("a name")), &[permission]).await;
        one.client.get(&path).await.expect_forbidden();
    }
    server.holder_of("reader", &both).await.client.get(&path).await.expect_body(200, &body);
    server.admin().get("/core/users/999999/metrics/").await.expect_missing();
    server.anonymous().get(&path).await.expect_forbidden();
}
