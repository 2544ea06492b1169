//! What bodies of bindings may hold, and what is said about the rest (contract: authentik-core §1.3).

use super::{PATH, UNKNOWN, application, bind, dummy, path, shown, whole, with};
use crate::harness::{Server, tests};
use serde_json::{Value, json};

tests![required, references, targets, orders, timeouts, switches, several_at_once, bodies, limits_are_kept];

const REQUIRED: &str = "This field is required.";
const NULL: &str = "This field may not be null.";
const INTEGER: &str = "A valid integer is required.";
const BOOLEAN: &str = "Must be a valid boolean.";

fn missing(value: &str) -> String {
    format!("Invalid pk \"{value}\" - object does not exist.")
}

fn no_uuid(value: &str) -> String {
    format!("“{value}” is not a valid UUID.")
}

fn wrong_type(name: &str) -> String {
    format!("Incorrect type. Expected pk value, received {name}.")
}

/// A binding of a policy, and a body that would be taken.
async fn ground(server: &Server) -> (String, Value) {
    let target = application(server, "app", json!({})).await;
    let policy = dummy(server, "yes", true).await;
    let one = bind(server, &target, 0, json!({"policy": policy})).await;
    (one, json!({"policy": policy, "target": target, "order": 1}))
}

/// Each value of a field is refused with its text: on creation, on PUT and on PATCH.
async fn refused(server: &Server, field: &str, cases: Vec<(Value, String)>) {
    let (one, body) = ground(server).await;
    let before = shown(&server.admin(), &one).await;
    for (value, text) in cases {
        let mut body = body.clone();
        body[field] = value;
        let faults = json!({field: [text]});
        server.admin().post(PATH, &body).await.expect_faults(faults.clone());
        server.admin().put(&path(&one), &body).await.expect_faults(faults.clone());
        server.admin().patch(&path(&one), &body).await.expect_faults(faults);
    }
    server.admin().get(&path(&one)).await.expect_body(200, &before);
}

async fn required(server: &Server) {
    let (_, body) = ground(server).await;
    let both = json!({"target": [REQUIRED], "order": [REQUIRED]});
    server.admin().post(PATH, &json!({})).await.expect_faults(both);
    server.admin().post(PATH, &json!({"order": 1})).await.expect_faults(json!({"target": [REQUIRED]}));
    for field in ["target", "order"] {
        let mut body = body.clone();
        body.as_object_mut().expect("an object").remove(field);
        server.admin().post(PATH, &body).await.expect_faults(json!({field: [REQUIRED]}));
    }
    let nulls = json!({"target": null, "order": null, "negate": null, "enabled": null, "timeout": null, "failure_result": null});
    let faults = json!({
        "target": [NULL], "order": [NULL], "negate": [NULL], "enabled": [NULL], "timeout": [NULL],
        "failure_result": [NULL],
    });
    server.admin().post(PATH, &with(body, &nulls)).await.expect_faults(faults);
}

async fn references(server: &Server) {
    let uuids = |other: String| {
        vec![
            (json!(UNKNOWN), missing(UNKNOWN)),
            (json!(other), missing(&other)),
            (json!(42), missing("42")),
            (json!(-1), no_uuid("-1")),
            (json!("abc"), no_uuid("abc")),
            (json!(" "), no_uuid(" ")),
            (json!(1.5), no_uuid("1.5")),
            (json!(["a"]), no_uuid("['a']")),
            (json!({"a": 1}), no_uuid("{'a': 1}")),
            (json!(true), wrong_type("bool")),
        ]
    };
    let group = server.group("team", json!({})).await;
    let policy = dummy(server, "no", false).await;
    let target = application(server, "other", json!({})).await;
    let (one, body) = ground(server).await;
    let before = shown(&server.admin(), &one).await;
    let users = vec![
        (json!(999_999), missing("999999")),
        (json!("999999"), missing("999999")),
        (json!(-1), missing("-1")),
        (json!(1.5), missing("1.5")),
        (json!(1_099_511_627_776_i64), missing("1099511627776")),
        (json!("x"), wrong_type("str")),
        (json!(["a"]), wrong_type("list")),
        (json!({"a": 1}), wrong_type("dict")),
        (json!(true), wrong_type("bool")),
        (json!(policy), wrong_type("str")),
    ];
    for (field, cases) in [("policy", uuids(group)), ("group", uuids(policy)), ("user", users)] {
        for (value, text) in cases {
            let mut body = body.clone();
            body["policy"] = json!(null);
            body[field] = value;
            let faults = json!({field: [text]});
            server.admin().post(PATH, &body).await.expect_faults(faults.clone());
            server.admin().put(&path(&one), &body).await.expect_faults(faults.clone());
            server.admin().patch(&path(&one), &body).await.expect_faults(faults);
        }
    }
    server.admin().get(&path(&one)).await.expect_body(200, &before);
    // A number as text is a number, and a policy may be of any kind.
    let ann = server.person("ann").await.pk;
    let made = bind(server, &target, 0, json!({"user": ann.to_string()})).await;
    assert_eq!(shown(&server.admin(), &made).await["user"], json!(ann));
}

async fn targets(server: &Server) {
    let other = dummy(server, "no", false).await;
    let group = server.group("team", json!({})).await;
    let target = application(server, "other", json!({})).await;
    let itself = bind(server, &target, 0, json!({"policy": other})).await;
    let cases = vec![
        (json!(UNKNOWN), missing(UNKNOWN)),
        (json!(other), missing(&other)),
        (json!(group), missing(&group)),
        (json!(itself), missing(&itself)),
        (json!(42), missing("42")),
        (json!("abc"), no_uuid("abc")),
        (json!("other"), no_uuid("other")),
        (json!(-1), no_uuid("-1")),
        (json!([]), no_uuid("[]")),
        (json!(false), wrong_type("bool")),
        (json!(""), NULL.to_owned()),
        (json!(null), NULL.to_owned()),
    ];
    refused(server, "target", cases).await;
    // To itself: a binding is no target.
    let body = json!({"policy": other, "target": itself});
    server.admin().patch(&path(&itself), &body).await.expect_faults(json!({"target": [missing(&itself)]}));
    // In capitals and without hyphens it is the same.
    for spelled in [target.to_uppercase(), target.replace('-', "")] {
        let body = json!({"policy": other, "target": spelled});
        assert_eq!(server.admin().patch(&path(&itself), &body).await.expect(200)["target"], json!(target));
    }
}

async fn orders(server: &Server) {
    let more = "Ensure this value is greater than or equal to -2147483648.";
    let less = "Ensure this value is less than or equal to 2147483647.";
    let cases = vec![
        (json!(2_147_483_648_i64), less.to_owned()),
        (json!(-2_147_483_649_i64), more.to_owned()),
        (json!(1.5), INTEGER.to_owned()),
        (json!("x"), INTEGER.to_owned()),
        (json!(""), INTEGER.to_owned()),
        (json!(true), INTEGER.to_owned()),
        (json!([]), INTEGER.to_owned()),
        (json!({}), INTEGER.to_owned()),
        (json!(1e30), INTEGER.to_owned()),
        (json!("1".repeat(1001)), "String value too large.".to_owned()),
        (json!(null), NULL.to_owned()),
    ];
    refused(server, "order", cases).await;
    let group = server.group("team", json!({})).await;
    let target = application(server, "other", json!({})).await;
    for (given, taken) in [
        (json!(2_147_483_647), 2_147_483_647),
        (json!(-2_147_483_648), -2_147_483_648),
        (json!("7"), 7),
        (json!(0), 0),
        (json!("-0"), 0),
    ] {
        let body = json!({"group": group, "target": target, "order": given});
        assert_eq!(server.admin().post(PATH, &body).await.expect(201)["order"], json!(taken), "{given}");
    }
}

async fn timeouts(server: &Server) {
    let cases = vec![
        (json!(-1), "Ensure this value is greater than or equal to 0.".to_owned()),
        (json!(2_147_483_648_i64), "Ensure this value is less than or equal to 2147483647.".to_owned()),
        (json!(0.5), INTEGER.to_owned()),
        (json!("1s"), INTEGER.to_owned()),
        (json!(false), INTEGER.to_owned()),
        (json!(null), NULL.to_owned()),
    ];
    refused(server, "timeout", cases).await;
    let (group, target) = (server.group("team", json!({})).await, application(server, "other", json!({})).await);
    for (given, taken) in [(json!(0), 0), (json!(2_147_483_647), 2_147_483_647), (json!("30"), 30)] {
        let body = json!({"group": group, "target": target, "order": 0, "timeout": given});
        assert_eq!(server.admin().post(PATH, &body).await.expect(201)["timeout"], json!(taken), "{given}");
    }
}

async fn switches(server: &Server) {
    let (one, body) = ground(server).await;
    for field in ["negate", "enabled", "failure_result"] {
        for value in [json!("x"), json!(42), json!("7"), json!(""), json!([]), json!({})] {
            let mut body = body.clone();
            body[field] = value;
            server.admin().post(PATH, &body).await.expect_faults(json!({field: [BOOLEAN]}));
            server.admin().patch(&path(&one), &body).await.expect_faults(json!({field: [BOOLEAN]}));
        }
        for (given, taken) in [("yes", true), ("off", false), ("t", true), ("0", false), ("True", true), ("n", false)] {
            let mut body = body.clone();
            body[field] = json!(given);
            assert_eq!(server.admin().patch(&path(&one), &body).await.expect(200)[field], json!(taken), "{given}");
        }
    }
}

/// Every faulty field is named, and what is wrong with the whole is said only when no field is faulty.
async fn several_at_once(server: &Server) {
    let body = json!({
        "policy": 1.5, "group": "x", "user": true, "target": "y", "order": "x", "timeout": -1, "negate": "x",
        "enabled": null, "failure_result": [],
    });
    let faults = json!({
        "policy": [no_uuid("1.5")], "group": [no_uuid("x")], "user": [wrong_type("bool")], "target": [no_uuid("y")],
        "order": [INTEGER], "timeout": ["Ensure this value is greater than or equal to 0."], "negate": [BOOLEAN],
        "enabled": [NULL], "failure_result": [BOOLEAN],
    });
    server.admin().post(PATH, &body).await.expect_faults(faults);
    let body = json!({"policy": UNKNOWN, "group": UNKNOWN, "user": 999_999, "target": UNKNOWN, "order": 0});
    let faults = json!({
        "policy": [missing(UNKNOWN)], "group": [missing(UNKNOWN)], "user": [missing("999999")],
        "target": [missing(UNKNOWN)],
    });
    server.admin().post(PATH, &body).await.expect_faults(faults);
    server.admin().post(PATH, &json!({"order": 0})).await.expect_faults(json!({"target": [REQUIRED]}));
}

async fn bodies(server: &Server) {
    let (one, _) = ground(server).await;
    for (body, name) in [(json!([]), "list"), (json!("x"), "str"), (json!(5), "int")] {
        let fault = whole(&format!("Invalid data. Expected a dictionary, but got {name}."));
        server.admin().post(PATH, &body).await.expect_faults(fault.clone());
        server.admin().patch(&path(&one), &body).await.expect_faults(fault);
    }
    server.admin().post(PATH, &json!(null)).await.expect_faults(whole("No data provided"));
}

/// What the widest values allow is stored and read as it is.
async fn limits_are_kept(server: &Server) {
    let (_, mut body) = ground(server).await;
    body["order"] = json!(i32::MIN);
    body["timeout"] = json!(i32::MAX);
    let made = server.admin().post(PATH, &body).await.expect(201);
    assert_eq!((&made["order"], &made["timeout"]), (&json!(i32::MIN), &json!(i32::MAX)));
    server.admin().get(&path(&super::pk(&made))).await.expect_body(200, &made);
    let listed = server.admin().get(&format!("{PATH}?order=-2147483648&timeout=2147483647")).await;
    assert_eq!(listed.expect_list("pk"), [super::pk(&made)]);
}
