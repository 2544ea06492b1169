//! Whatever an event holds, it reads back as the chain has it: on SQLite, which keeps text, and on
//! PostgreSQL, which keeps values.

use super::{PATH, assert_clean, one, report};
use crate::harness::{Server, tests};
use http::Method;
use proptest::{
    prelude::*,
    strategy::{BoxedStrategy, ValueTree as _},
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tessera::audit::{Model, brand, chain::Change};

tests![any_value_reads_back, spellings_of_numbers, any_time_and_text];

/// Text without the one character that no event can hold.
fn text() -> BoxedStrategy<String> {
    let odd = prop_oneof![
        Just(String::new()),
        Just("\u{1F600}".to_owned()),
        Just("\u{FFFD}\u{FEFF}\u{200D}".to_owned()),
        Just("\\u0000 \" \\ / \u{7f}\u{1}\u{1f}".to_owned()),
        Just("e\u{301}\u{e9}".to_owned()),
    ];
    let any = any::<String>().prop_map(|text| text.replace('\0', ""));
    prop_oneof![1 => odd, 4 => any].boxed()
}

fn value() -> BoxedStrategy<Value> {
    let float = prop_oneof![
        any::<f64>().prop_filter("JSON has no others", |f| f.is_finite()),
        Just(-0.0),
        Just(1e300),
        Just(f64::MAX),
        Just(f64::MIN_POSITIVE),
        Just(5e-324),
        Just(9_007_199_254_740_993.0),
        Just(1e15),
        Just(1e16),
        Just(1e19),
        Just(-1e19),
        Just(1e21),
        Just(1e22),
        Just(0.1),
        Just(1.0),
        // Whole numbers that other programs print with all their digits.
        (40_u32..70, any::<u32>()).prop_map(|(bits, n)| 2_f64.powi(bits.cast_signed()) + f64::from(n)),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        float.prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            prop::collection::btree_map(text(), inner, 0..6)
                .prop_map(|map: BTreeMap<String, Value>| Value::Object(map.into_iter().rev().collect())),
        ]
    })
    .boxed()
}

/// So many values, the same at every run.
fn draw<T: std::fmt::Debug>(strategy: &BoxedStrategy<T>, count: usize) -> Vec<T> {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    (0..count).map(|_| strategy.new_tree(&mut runner).expect("a value").current()).collect()
}

async fn record(server: &Server, events: Vec<Model>) {
    let ctx = server.system();
    let tx = ctx.begin().await.expect("a transaction");
    for event in events {
        tx.change_events(Change::Recorded(Box::new(event)));
    }
    tx.commit().await.expect("committed");
}

fn event(server: &Server) -> Model {
    let ctx = server.system();
    Model {
        id: ctx.uuid(),
        user: json!({}),
        action: "login".to_owned(),
        app: "tests".to_owned(),
        context: json!({}),
        client_ip: None,
        created: ctx.now,
        expires: ctx.now + chrono::TimeDelta::days(1),
        brand: brand(),
        sequence: None,
        search: String::new(),
    }
}

async fn any_value_reads_back(server: &Server) {
    let values = draw(&value(), 1500);
    let events = values.chunks_exact(3).map(|some| Model {
        user: some[0].clone(),
        context: some[1].clone(),
        brand: some[2].clone(),
        ..event(server)
    });
    record(server, events.collect()).await;
    assert_clean(&report(server).await);
}

async fn any_time_and_text(server: &Server) {
    let texts = draw(&text(), 300);
    let micros = draw(&(-62_000_000_000_000_000_i64..253_000_000_000_000_000).boxed(), 200);
    let time = |micros: i64| chrono::DateTime::from_timestamp_micros(micros).expect("a moment");
    let events = (0..100).map(|n| Model {
        action: texts[3 * n].clone(),
        app: texts[3 * n + 1].clone(),
        client_ip: Some(texts[3 * n + 2].clone()).filter(|_| n % 3 > 0),
        created: time(micros[2 * n]),
        expires: time(micros[2 * n + 1]),
        ..event(server)
    });
    record(server, events.collect()).await;
    assert_clean(&report(server).await);
}

/// As callers write them; what is no number here is refused, and never written as another one.
async fn spellings_of_numbers(server: &Server) {
    for number in [
        "0",
        "-0",
        "0.0",
        "-0.0",
        "1",
        "1.0",
        "1e0",
        "1E+2",
        "100",
        "1.10",
        "0.1e1",
        "9007199254740993",
        "1e15",
        "1e16",
        "9223372036854775807",
        "9223372036854775808",
        "-9223372036854775808",
        "-9223372036854775809",
        "18446744073709551615",
        "18446744073709551616",
        "123456789012345678901234567890",
        "1e308",
        "-1.7976931348623157e308",
        "5e-324",
        "2.2250738585072011e-308",
        "1e-400",
        "0.30000000000000004",
        "3.141592653589793238462643383279",
    ] {
        let draft = server.admin().request(Method::POST, PATH).header("content-type", "application/json");
        let body =
            format!("{{\"action\":\"login\",\"app\":\"x\",\"context\":{{\"n\":{number},\"{number}\":[{number}]}}}}");
        let made = draft.body(body).send().await.expect(201);
        let read = server.admin().get(&one(&made)).await.expect(200);
        assert_eq!(read["context"]["n"].as_f64(), number.parse().ok(), "{number}");
    }
    assert_clean(&report(server).await);
    for beyond in ["1e309", "-1e400", "1e99999"] {
        let draft = server.admin().request(Method::POST, PATH).header("content-type", "application/json");
        let body = format!("{{\"action\":\"login\",\"app\":\"x\",\"context\":{beyond}}}");
        draft.body(body).send().await.expect(400);
    }
    assert_clean(&report(server).await);
}
