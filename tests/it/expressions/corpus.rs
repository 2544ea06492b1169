//! Recorded expressions and their outcomes: `TESSERA_TEST_EXPRESSIONS` names the file, unpacked. What
//! differs on purpose is in the list below, and in docs/compatibility.md.

use super::{Policies, about, over_http};
use crate::harness::{Server, tests};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use tessera::{
    error::{Error, Problem},
    policy::{Fault, LogLine, expression},
};

tests![recorded_policies];

/// Cases with another outcome, and why.
const DIFFERENT: [(&str, &str); 8] = [
    ("ctl.generator_func", "the interpreter has no generator functions"),
    ("fn.group_badfield", "only fields that exist here are listed"),
    ("imp.exec", "no code from text"),
    ("imp.from_missing", "no path of a file in the text"),
    ("imp.globals_all", "no way to the names of the program"),
    ("imp.random", "no such module"),
    ("imp.zoneinfo", "no such module"),
    ("ret.bool_raises", "the interpreter does not heed `__bool__`, so it is refused"),
];

#[expect(clippy::disallowed_methods, reason = "a setting of the tests, not of the server")]
fn file() -> Option<String> {
    std::env::var("TESSERA_TEST_EXPRESSIONS").ok()
}

fn logged(line: &LogLine) -> Value {
    let attributes: serde_json::Map<_, _> =
        line.attributes.iter().filter(|(key, _)| *key != "src").map(|(k, v)| (k.clone(), v.clone())).collect();
    json!([line.level, line.logger, line.event, attributes])
}

async fn recorded_policies(server: &Server) {
    let Some(file) = file() else { return };
    let tag = "corpx";
    let admin = server.admin();
    let everyone = server.group("corpx-everyone", json!({"attributes": {"level": 1, "org": "acme"}})).await;
    let fields = json!({"parent": everyone, "attributes": {"level": 3, "nextcloud_quota": "15 GB"}});
    let staff = server.group("corpx-staff", fields).await;
    server.group("corpx-admins", json!({})).await;
    let mut people = Vec::new();
    for body in [
        json!({"username": "corpx-alice", "name": "Alice Example", "email": "alice@example.test", "groups": [staff],
            "attributes": {"department": "IT", "address": {"city": "Bern"}, "tags": ["a", "b"]}}),
        json!({"username": "corpx-bob", "name": "Bob", "email": "bob@example.test", "is_active": false}),
        json!({"username": "corpx-carol", "name": "Carol", "email": "", "type": "external"}),
    ] {
        people.push(admin.post("/core/users/", &body).await.expect(201)["pk"].as_i64().expect("a key"));
    }
    let policies = Policies(
        [
            ("fail", "ak_message('no')\nreturn False"),
            ("ctx", "return request.context['foo'] == 'bar'"),
            ("raise", "raise ValueError('inner')"),
        ]
        .map(|(name, source)| (format!("{tag} helper {name}"), source.to_owned()))
        .to_vec(),
    );
    let ctx = over_http(server);
    let text = std::fs::read_to_string(file).expect("the file can be read");
    let (mut same, mut different) = (0, BTreeSet::new());
    for case in text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON")) {
        let name = case["case"].as_str().and_then(|name| name.strip_prefix("expressions.policy."));
        let Some(name) = name else { continue };
        let source = match &case["request"]["expression"] {
            Value::String(text) => text.trim().to_owned(),
            other => other.to_string(),
        };
        let given = match expression::check(&server.app, "temp-policy", &source).await {
            _ if source.is_empty() => json!({"expression": ["This field may not be blank."]}),
            Err(Error::Invalid(errors)) => {
                let texts: Vec<_> = errors
                    .iter()
                    .flat_map(|(_, problems)| problems)
                    .map(|problem| match problem {
                        Problem::Rule(text) => text.clone(),
                        other => format!("{other:?}"),
                    })
                    .collect();
                json!({"expression": texts})
            }
            Err(error) => json!({"error": error.to_string()}),
            Ok(()) => {
                let who = case["request"]["user"].as_str().unwrap_or("alice");
                let who = people[["alice", "bob", "carol"].iter().position(|name| *name == who).expect("known")];
                let mut request = about(server, Some(who), case["request"]["context"].clone()).await;
                let policy = "TAG expr";
                match expression::evaluate(&ctx, &policies, policy, &source, &mut request, super::LIMIT).await {
                    Ok(outcome) => json!({
                        "passing": outcome.passing, "messages": outcome.messages,
                        "log_messages": outcome.log.iter().map(logged).collect::<Vec<_>>(),
                    }),
                    Err(Fault::Policy(text) | Fault::Other(text)) => {
                        json!({"passing": false, "messages": [text], "log_messages": []})
                    }
                }
            }
        };
        let mut given = given;
        given = serde_json::from_str(&given.to_string().replace(tag, "TAG")).expect("JSON");
        let expected = &case["sem"]["body"];
        let expected_text = expected.to_string().replace(tag, "TAG");
        let expected: Value = serde_json::from_str(&expected_text).expect("JSON");
        if given == expected {
            same += 1;
        } else {
            different.insert(name.to_owned());
            if !DIFFERENT.iter().any(|(known, _)| *known == name) {
                println!("{name}\n    {source:?}\n    recorded {expected}\n    given    {given}");
            }
        }
    }
    println!("{same} same, {} different", different.len());
    let known: BTreeSet<String> = DIFFERENT.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(different, known, "what differs is known");
}
