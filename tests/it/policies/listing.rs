//! Listings of each kind: filters on every column, search, order and pages.

use super::{
    UNKNOWN,
    kinds::{DUMMY, EVENT_MATCHER, EXPIRY, EXPRESSION, KINDS, Kind, PASSWORD, REPUTATION},
    make, text, with,
};
use crate::harness::{Server, tests};
use chrono::TimeDelta;
use serde_json::{Value, json};

tests![
    filters_on_what_all_have,
    filters_on_times,
    filters_on_own_fields,
    text_filters_are_exact,
    truth_filters,
    bad_filters,
    filters_of_other_kinds_are_ignored,
    search,
    a_threshold_can_be_searched_for,
    order,
    order_by_own_fields,
    order_with_nulls,
    pages,
    rows_of_a_page_are_whole,
];

/// A text as it stands in a query.
fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// The names that a listing holds, in its order.
async fn names(server: &Server, kind: &Kind, query: &str) -> Vec<String> {
    server.admin().get(&format!("{}?{query}", kind.path)).await.expect_list("name")
}

/// Two policies of a kind: `a` with the defaults and `b` with other values.
async fn two(server: &Server, kind: &Kind) -> [String; 2] {
    let others = with(&(kind.others)(), &json!({"execution_logging": true}));
    [make(server, kind, "a", json!({})).await, make(server, kind, "b", others).await]
}

async fn clear(server: &Server) {
    let admin = server.admin();
    for pk in admin.get("/policies/all/").await.expect_list("pk") {
        admin.delete(&super::any(&pk)).await.expect_empty(204);
    }
}

async fn filters_on_what_all_have(server: &Server) {
    for kind in KINDS {
        let [a, b] = two(server, kind).await;
        let cases: [(String, &[&str]); 15] = [
            (String::new(), &["a", "b"]),
            ("name=a".into(), &["a"]),
            ("name=A".into(), &[]),
            ("name=".into(), &["a", "b"]),
            ("execution_logging=true".into(), &["b"]),
            ("execution_logging=false".into(), &["a"]),
            (format!("policy_uuid={b}"), &["b"]),
            (format!("policy_uuid={}", a.to_uppercase()), &["a"]),
            (format!("policy_uuid={}", a.replace('-', "")), &["a"]),
            (format!("policy_uuid={UNKNOWN}"), &[]),
            ("policy_uuid=".into(), &["a", "b"]),
            (format!("policy_uuid={b}&name=a"), &[]),
            ("name=b&execution_logging=true".into(), &["b"]),
            // What is no column of the model is not looked at.
            (format!("policy_ptr={UNKNOWN}&pk={UNKNOWN}&component=x&bound_to=7&unknown_param=1"), &["a", "b"]),
            ("format=json".into(), &["a", "b"]),
        ];
        for (query, expected) in cases {
            assert_eq!(names(server, kind, &query).await, *expected, "{}?{query}", kind.path);
        }
        server.admin().get(&format!("{}?format=xml", kind.path)).await.expect_missing();
        clear(server).await;
    }
}

async fn filters_on_times(server: &Server) {
    for (passed, kind) in KINDS.into_iter().enumerate() {
        // 2026-01-02T03:04:05.678901Z, and a day for every kind.
        let day = |hour: usize| format!("2026-01-{:02}T{hour:02}:04:05.678901Z", 2 + passed);
        let a = make(server, kind, "a", json!({})).await;
        server.advance(TimeDelta::hours(1));
        make(server, kind, "b", json!({})).await;
        server.advance(TimeDelta::hours(1));
        server.admin().patch(&kind.one(&a), &(kind.required)()).await.expect(200);
        let offset = encoded(&day(6).replace('Z', "+02:00"));
        let naive = day(4).replace('Z', "");
        let cases: [(String, &[&str]); 8] = [
            (format!("created={}", day(3)), &["a"]),
            (format!("created={}", day(4)), &["b"]),
            (format!("created={}", day(5)), &[]),
            (format!("last_updated={}", day(3)), &[]),
            (format!("last_updated={}", day(4)), &["b"]),
            (format!("last_updated={}", day(5)), &["a"]),
            (format!("created={offset}"), &["b"]),
            (format!("last_updated={naive}"), &["b"]),
        ];
        for (query, expected) in cases {
            assert_eq!(names(server, kind, &query).await, *expected, "{}?{query}", kind.path);
        }
        assert_eq!(names(server, kind, "created=2020-01-01T00:00:00Z").await, Vec::<String>::new());
        assert_eq!(names(server, kind, "created=&last_updated=").await, ["a", "b"]);
        clear(server).await;
        server.advance(TimeDelta::hours(22));
    }
}

async fn filters_on_own_fields(server: &Server) {
    for kind in KINDS {
        two(server, kind).await;
        for (field, default, other) in kind.fields() {
            for value in [&default, &other] {
                if value.is_null() || *value == json!("") {
                    assert_eq!(names(server, kind, &format!("{field}=")).await, ["a", "b"], "{field}");
                    continue;
                }
                // Ends of texts are lost on the way.
                if *value == json!(super::kinds::SYMBOLS) {
                    continue;
                }
                let holders = [("a", &default), ("b", &other)].into_iter().filter(|(_, has)| *has == value);
                let expected: Vec<&str> = holders.map(|(name, _)| name).collect();
                let query = format!("{field}={}", encoded(&text(value)));
                assert_eq!(names(server, kind, &query).await, expected, "{}?{query}", kind.path);
            }
        }
        clear(server).await;
    }
    two(server, &PASSWORD).await;
    assert_eq!(names(server, &PASSWORD, "length_min=7").await, Vec::<String>::new());
    assert_eq!(names(server, &PASSWORD, "length_min=14&amount_digits=10").await, ["b"]);
    assert_eq!(names(server, &PASSWORD, "length_min=14&amount_digits=0").await, Vec::<String>::new());
}

async fn text_filters_are_exact(server: &Server) {
    for (kind, field, value) in [
        (&PASSWORD, "error_message", "Too weak"),
        (&PASSWORD, "password_field", "New"),
        (&PASSWORD, "symbol_charset", "abC"),
        (&EVENT_MATCHER, "client_ip", "2001:DB8::1"),
        (&EXPRESSION, "expression", "return 'Aa'"),
    ] {
        make(server, kind, "it", json!({field: value})).await;
        assert_eq!(names(server, kind, &format!("{field}={}", encoded(value))).await, ["it"], "{field}");
        for other in
            [value.to_lowercase(), value.to_uppercase(), value[1..].to_owned(), format!("{value}x"), "%".into()]
        {
            let query = format!("{field}={}", encoded(&other));
            let found = names(server, kind, &query).await;
            assert_eq!(found.len(), usize::from(other == value), "{query}");
        }
        clear(server).await;
    }
    // A number is no text that looks like one.
    make(server, &PASSWORD, "it", json!({"error_message": "5", "password_field": "true"})).await;
    assert_eq!(names(server, &PASSWORD, "error_message=5&password_field=true").await, ["it"]);
    assert_eq!(names(server, &PASSWORD, "error_message=5.0").await, Vec::<String>::new());
}

/// Here `1` and `0` count, and case does not (§1.6).
async fn truth_filters(server: &Server) {
    for (kind, field) in [(&DUMMY, "result"), (&EXPIRY, "deny_only"), (&PASSWORD, "check_zxcvbn")] {
        make(server, kind, "no", json!({})).await;
        make(server, kind, "yes", json!({field: true, "execution_logging": true})).await;
        for field in [field, "execution_logging"] {
            for truth in ["true", "True", "TRUE", "tRuE", "1"] {
                assert_eq!(names(server, kind, &format!("{field}={truth}")).await, ["yes"], "{field}={truth}");
            }
            for truth in ["false", "False", "FALSE", "0"] {
                assert_eq!(names(server, kind, &format!("{field}={truth}")).await, ["no"], "{field}={truth}");
            }
            for ignored in ["", "x", "yes", "on", "t", "2", "3", "-1", "null", "1.0"] {
                let found = names(server, kind, &format!("{field}={ignored}")).await;
                assert_eq!(found, ["no", "yes"], "{field}={ignored}");
            }
        }
        clear(server).await;
    }
}

async fn bad_filters(server: &Server) {
    let admin = server.admin();
    for kind in KINDS {
        two(server, kind).await;
        let mut cases = vec![
            ("policy_uuid=bad".to_owned(), json!({"policy_uuid": ["Enter a valid UUID."]})),
            ("created=x".to_owned(), json!({"created": ["Enter a valid date/time."]})),
            ("last_updated=x".to_owned(), json!({"last_updated": ["Enter a valid date/time."]})),
            (
                "created=2026-13-01T00:00:00Z&policy_uuid=1&name=a".to_owned(),
                json!({"created": ["Enter a valid date/time."], "policy_uuid": ["Enter a valid UUID."]}),
            ),
        ];
        for (field, default, _) in kind.fields() {
            if default.is_number() {
                cases.push((format!("{field}=x"), json!({&field: ["Enter a number."]})));
                cases.push((format!("{field}=1,2"), json!({&field: ["Enter a number."]})));
            }
        }
        if kind.path == EVENT_MATCHER.path {
            let fault = "Select a valid choice. nope is not one of the available choices.";
            cases.push(("action=nope".to_owned(), json!({"action": [fault]})));
        }
        for (query, faults) in cases {
            admin.get(&format!("{}?{query}", kind.path)).await.expect_faults(faults);
        }
        clear(server).await;
    }
    // Parts and models are any text to a filter.
    two(server, &EVENT_MATCHER).await;
    assert_eq!(names(server, &EVENT_MATCHER, "app=nope").await, Vec::<String>::new());
    assert_eq!(names(server, &EVENT_MATCHER, "model=nope").await, Vec::<String>::new());
}

async fn filters_of_other_kinds_are_ignored(server: &Server) {
    for kind in KINDS {
        two(server, kind).await;
        let own = (kind.defaults)();
        for other in KINDS {
            for (field, ..) in other.fields().into_iter().filter(|(field, ..)| own.get(field).is_none()) {
                assert_eq!(names(server, kind, &format!("{field}=x&ordering=-{field}")).await, ["a", "b"], "{field}");
            }
        }
        clear(server).await;
    }
}

async fn search(server: &Server) {
    for kind in KINDS {
        for name in ["Alpha", "alpha BETA", "100%_ü"] {
            make(server, kind, name, json!({})).await;
        }
        let cases: [(&str, &[&str]); 14] = [
            ("alpha", &["Alpha", "alpha BETA"]),
            ("ALPHA", &["Alpha", "alpha BETA"]),
            ("beta%20alp", &["alpha BETA"]),
            ("beta,alp", &["alpha BETA"]),
            ("alpha%20zeta", &[]),
            ("%25", &["100%_ü"]),
            ("_", &["100%_ü"]),
            ("%C3%9C", &["100%_ü"]),
            ("", &["100%_ü", "Alpha", "alpha BETA"]),
            ("%00", &["100%_ü", "Alpha", "alpha BETA"]),
            ("%20,%20", &["100%_ü", "Alpha", "alpha BETA"]),
            // Nothing but the name.
            ("policy", &[]),
            ("false", &[]),
            ("zz-no-such-thing", &[]),
        ];
        for (words, expected) in cases {
            assert_eq!(names(server, kind, &format!("search={words}")).await, expected, "{} {words}", kind.path);
        }
        clear(server).await;
    }
    // A new name is found, and the old one is not.
    let pk = make(server, &DUMMY, "before", json!({})).await;
    server.admin().patch(&DUMMY.one(&pk), &json!({"name": "after"})).await.expect(200);
    assert_eq!(names(server, &DUMMY, "search=before").await, Vec::<String>::new());
    assert_eq!(names(server, &DUMMY, "search=after").await, ["after"]);
}

async fn a_threshold_can_be_searched_for(server: &Server) {
    let pk = make(server, &REPUTATION, "a", json!({"threshold": -40})).await;
    make(server, &REPUTATION, "b 40", json!({"threshold": 7})).await;
    for (words, expected) in [
        ("-40", &["a"][..]),
        ("40", &["a", "b 40"]),
        ("40%20a", &["a"]),
        ("7", &["b 40"]),
        ("b,7", &["b 40"]),
        ("-5", &[]),
        ("true", &[]),
    ] {
        assert_eq!(names(server, &REPUTATION, &format!("search={words}")).await, *expected, "{words}");
    }
    let body = json!({"check_ip": true, "threshold": 12});
    server.admin().patch(&REPUTATION.one(&pk), &body).await.expect(200);
    assert_eq!(names(server, &REPUTATION, "search=-40").await, Vec::<String>::new());
    assert_eq!(names(server, &REPUTATION, "search=12").await, ["a"]);
}

async fn order(server: &Server) {
    for kind in KINDS {
        let mut keys = Vec::new();
        for (name, logging) in [("c", true), ("A", false), ("b", true)] {
            keys.push(make(server, kind, name, json!({"execution_logging": logging})).await);
        }
        let cases: [(&str, &[&str]); 9] = [
            ("", &["A", "b", "c"]),
            ("ordering=name", &["A", "b", "c"]),
            ("ordering=-name", &["c", "b", "A"]),
            ("ordering=", &["A", "b", "c"]),
            ("ordering=nope", &["A", "b", "c"]),
            ("ordering=nope,-name", &["c", "b", "A"]),
            ("ordering=execution_logging,-name", &["A", "c", "b"]),
            ("ordering=-execution_logging,name", &["b", "c", "A"]),
            // Columns that are not shown, and what is shown of no column.
            ("ordering=-created,-last_updated,-component,-bound_to,-meta_model_name,-verbose_name", &["A", "b", "c"]),
        ];
        for (query, expected) in cases {
            assert_eq!(names(server, kind, query).await, expected, "{}?{query}", kind.path);
        }
        keys.sort_unstable();
        let admin = server.admin();
        assert_eq!(admin.get(&format!("{}?ordering=pk", kind.path)).await.expect_list("pk"), keys);
        keys.reverse();
        assert_eq!(admin.get(&format!("{}?ordering=-pk", kind.path)).await.expect_list("pk"), keys);
        clear(server).await;
    }
}

/// Numbers by their size, not by their digits.
async fn order_by_own_fields(server: &Server) {
    for kind in KINDS {
        let low = |field: &str, default: &Value, other: &Value| match (default, other) {
            (Value::String(a), Value::String(b)) => a < b,
            (Value::Number(a), Value::Number(b)) => a.as_i64() < b.as_i64(),
            (Value::Bool(a), Value::Bool(b)) => a < b,
            _ => panic!("{field}"),
        };
        two(server, kind).await;
        for (field, default, other) in kind.fields() {
            if default == other || default.is_null() {
                continue;
            }
            let up = if low(&field, &default, &other) { ["a", "b"] } else { ["b", "a"] };
            assert_eq!(names(server, kind, &format!("ordering={field}")).await, up, "{field}");
            assert_eq!(names(server, kind, &format!("ordering=-{field}")).await, [up[1], up[0]], "-{field}");
        }
        clear(server).await;
    }
}

/// As in PostgreSQL, which the original stands on: nothing is more than anything.
async fn order_with_nulls(server: &Server) {
    two(server, &EVENT_MATCHER).await;
    for (field, ..) in EVENT_MATCHER.fields() {
        assert_eq!(names(server, &EVENT_MATCHER, &format!("ordering={field}")).await, ["b", "a"], "{field}");
        assert_eq!(names(server, &EVENT_MATCHER, &format!("ordering=-{field}")).await, ["a", "b"], "-{field}");
    }
}

async fn pages(server: &Server) {
    let admin = server.admin();
    for kind in KINDS {
        for name in ["a", "b", "c"] {
            make(server, kind, name, json!({})).await;
        }
        let page = admin.get(&format!("{}?page_size=2&page=2", kind.path)).await.expect(200);
        let pagination = json!({
            "next": 0, "previous": 1, "count": 3, "current": 2, "total_pages": 2, "start_index": 3, "end_index": 3,
        });
        assert_eq!((&page["pagination"], &page["results"][0]["name"]), (&pagination, &json!("c")));
        assert_eq!(names(server, kind, "page=last&page_size=2").await, ["c"]);
        for lenient in ["0", "-1", "abc", ""] {
            assert_eq!(names(server, kind, &format!("page_size={lenient}")).await.len(), 3);
        }
        for page in ["0", "-1", "4", "abc", "1.5", ""] {
            admin.get(&format!("{}?page={page}", kind.path)).await.expect_detail(404, "Invalid page.");
        }
        clear(server).await;
        let empty = json!({
            "next": 0, "previous": 0, "count": 0, "current": 1, "total_pages": 1, "start_index": 0, "end_index": 0,
        });
        admin.get(kind.path).await.expect_body(200, &json!({"pagination": empty, "results": []}));
    }
}

async fn rows_of_a_page_are_whole(server: &Server) {
    for kind in KINDS {
        let [a, b] = two(server, kind).await;
        let page = server.admin().get(kind.path).await.expect(200);
        let expected =
            json!([kind.shown(&a, "a", false, &(kind.defaults)()), kind.shown(&b, "b", true, &(kind.others)())]);
        assert_eq!(page["results"], expected);
        clear(server).await;
    }
}
