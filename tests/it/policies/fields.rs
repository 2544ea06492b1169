//! The fields of each kind: what they take, and what they say to the rest.

use super::{
    kinds::{DUMMY, EVENT_MATCHER, EXPIRY, EXPRESSION, KINDS, Kind, PASSWORD, REPUTATION, SYMBOLS},
    make, text, with,
};
use crate::harness::{Server, tests};
use serde_json::{Value, json};

tests![
    whole_numbers,
    bounds,
    truth_values,
    text_fields,
    choices,
    an_event_matcher_may_look_for_nothing,
    null_is_for_event_matchers,
    symbols_of_a_password_policy,
    a_reputation_policy_checks_something,
    all_faults_are_told,
    expressions_must_parse,
];

const NUMBER: &str = "A valid integer is required.";
const BOOLEAN: &str = "Must be a valid boolean.";

/// Fields that are whole numbers, with the least value of each.
const NUMBERS: [(&Kind, &str, i64); 11] = [
    (&DUMMY, "wait_min", -2_147_483_648),
    (&DUMMY, "wait_max", -2_147_483_648),
    (&EXPIRY, "days", -2_147_483_648),
    (&REPUTATION, "threshold", -2_147_483_648),
    (&PASSWORD, "amount_digits", 0),
    (&PASSWORD, "amount_uppercase", 0),
    (&PASSWORD, "amount_lowercase", 0),
    (&PASSWORD, "amount_symbols", 0),
    (&PASSWORD, "length_min", 0),
    (&PASSWORD, "hibp_allowed_count", 0),
    (&PASSWORD, "zxcvbn_score_threshold", 0),
];

/// One policy to be changed, and ways to write a field of it.
struct Subject<'a> {
    server: &'a Server,
    kind: &'a Kind,
    one: String,
}

impl<'a> Subject<'a> {
    async fn new(server: &'a Server, kind: &'a Kind, name: &str) -> Self {
        Self { server, kind, one: kind.one(&make(server, kind, name, json!({})).await) }
    }

    fn body(&self, field: &str, value: &Value) -> Value {
        with(&with(&(self.kind.required)(), &json!({"name": "subject"})), &json!({field: value}))
    }

    async fn refuses(&self, field: &str, value: &Value, fault: &str) {
        let (admin, body) = (self.server.admin(), self.body(field, value));
        let before = admin.get(&self.one).await.expect(200);
        let fault = json!({field: [fault]});
        admin.post(self.kind.path, &body).await.expect_faults(fault.clone());
        admin.put(&self.one, &body).await.expect_faults(fault.clone());
        let body = with(&(self.kind.required)(), &json!({field: value}));
        admin.patch(&self.one, &body).await.expect_faults(fault);
        admin.get(&self.one).await.expect_body(200, &before);
    }

    async fn takes(&self, field: &str, value: &Value, shown: &Value) {
        let admin = self.server.admin();
        let body = with(&(self.kind.required)(), &json!({field: value}));
        let answer = admin.patch(&self.one, &body).await.expect(200);
        assert_eq!(answer[field], *shown, "{field}: {value}");
        assert_eq!(admin.get(&self.one).await.expect(200)[field], *shown, "{field}: {value}");
    }
}

async fn whole_numbers(server: &Server) {
    for (kind, field, _) in NUMBERS {
        let subject = Subject::new(server, kind, field).await;
        for (value, shown) in [
            (json!(42), 42),
            (json!("12"), 12),
            (json!(" 7 "), 7),
            (json!(2.0), 2),
            (json!("2.0"), 2),
            (json!(0), 0),
            (json!("0"), 0),
        ] {
            subject.takes(field, &value, &json!(shown)).await;
        }
        for value in [
            json!(""),
            json!("   "),
            json!(1.5),
            json!("1.5"),
            json!("1e3"),
            json!("x"),
            json!("true"),
            json!("a\u{0}b"),
            json!("ünï✓"),
            json!(true),
            json!(false),
            json!([]),
            json!([1]),
            json!({}),
            json!({"a": 1}),
            json!(1.180_591_620_717_411_3e21),
        ] {
            subject.refuses(field, &value, NUMBER).await;
        }
        for value in ["1".repeat(1001), "x".repeat(1001)] {
            subject.refuses(field, &json!(value), "String value too large.").await;
        }
    }
}

async fn bounds(server: &Server) {
    for (kind, field, least) in NUMBERS {
        let subject = Subject::new(server, kind, field).await;
        for value in [least, 2_147_483_647] {
            subject.takes(field, &json!(value), &json!(value)).await;
            subject.takes(field, &json!(value.to_string()), &json!(value)).await;
        }
        for value in [2_147_483_648_i64, 1_099_511_627_776] {
            let fault = "Ensure this value is less than or equal to 2147483647.";
            subject.refuses(field, &json!(value), fault).await;
        }
        for value in [least - 1, -1_099_511_627_776] {
            let fault = format!("Ensure this value is greater than or equal to {least}.");
            subject.refuses(field, &json!(value), &fault).await;
        }
    }
}

async fn truth_values(server: &Server) {
    let own = [
        (&DUMMY, "result"),
        (&EXPIRY, "deny_only"),
        (&PASSWORD, "check_static_rules"),
        (&PASSWORD, "check_have_i_been_pwned"),
        (&PASSWORD, "check_zxcvbn"),
        (&REPUTATION, "check_ip"),
    ];
    let common = KINDS.map(|kind| (kind, "execution_logging"));
    for (kind, field) in own.into_iter().chain(common) {
        let subject = Subject::new(server, kind, &format!("{} {field}", kind.path)).await;
        for value in
            [json!(true), json!("true"), json!("True"), json!("t"), json!(1), json!("1"), json!("yes"), json!("on")]
        {
            subject.takes(field, &value, &json!(true)).await;
        }
        for value in
            [json!(false), json!("false"), json!("FALSE"), json!("f"), json!(0), json!("0"), json!("no"), json!("off")]
        {
            subject.takes(field, &value, &json!(false)).await;
        }
        for value in [
            json!(""),
            json!("   "),
            json!(42),
            json!(1.5),
            json!(-1),
            json!("7"),
            json!("zz string!"),
            json!("tRUE"),
            json!([]),
            json!([true]),
            json!({}),
            json!("a\u{0}b"),
        ] {
            subject.refuses(field, &value, BOOLEAN).await;
        }
    }
}

async fn text_fields(server: &Server) {
    for (kind, field, blank) in [
        (&PASSWORD, "password_field", false),
        (&PASSWORD, "symbol_charset", false),
        (&PASSWORD, "error_message", true),
        (&EVENT_MATCHER, "client_ip", false),
    ] {
        let subject = Subject::new(server, kind, field).await;
        for value in [json!(true), json!([]), json!(["a"]), json!({})] {
            subject.refuses(field, &value, "Not a valid string.").await;
        }
        subject.refuses(field, &json!("a\u{0}b"), "Null characters are not allowed.").await;
        for value in [json!(""), json!("   ")] {
            if blank {
                subject.takes(field, &value, &json!("")).await;
            } else {
                subject.refuses(field, &value, "This field may not be blank.").await;
            }
        }
        let long = "ä".repeat(5000);
        for (value, shown) in [
            (json!(42), "42"),
            (json!("  padded "), "padded"),
            (json!("%(count)d %s ünï✓"), "%(count)d %s ünï✓"),
            (json!(long), long.as_str()),
        ] {
            subject.takes(field, &value, &json!(shown)).await;
        }
    }
}

async fn choices(server: &Server) {
    let subject = Subject::new(server, &EVENT_MATCHER, "choices").await;
    for (field, taken, cased) in [
        ("action", ["login", "custom_", "model_deleted", "update_available"], "Login"),
        (
            "app",
            ["authentik.core", "authentik.policies.geoip", "authentik.enterprise.providers.rac", "authentik.events"],
            "authentik.Core",
        ),
        (
            "model",
            [
                "authentik_core.user",
                "authentik_policies_geoip.geoippolicy",
                "authentik_stages_prompt.prompt",
                "authentik_rbac.role",
            ],
            "authentik_core.User",
        ),
    ] {
        for value in taken {
            subject.takes(field, &json!(value), &json!(value)).await;
        }
        let padded = format!("  {} ", taken[0]);
        for (value, shown) in [
            (json!("zz-bad"), "zz-bad"),
            (json!(cased), cased),
            (json!(padded), padded.as_str()),
            (json!(""), ""),
            (json!("  x  "), "  x  "),
            (json!(42), "42"),
            (json!(1.5), "1.5"),
            (json!(true), "True"),
            (json!([]), "[]"),
            (json!(["a"]), "['a']"),
            (json!({"a": 1}), "{'a': 1}"),
            (json!("custom_mine"), "custom_mine"),
        ] {
            subject.refuses(field, &value, &format!("\"{shown}\" is not a valid choice.")).await;
        }
    }
}

/// In the original a write without `action` crashes; `At least one criteria must be set.` is never said.
async fn an_event_matcher_may_look_for_nothing(server: &Server) {
    let admin = server.admin();
    let nothing = json!({"action": null, "client_ip": null, "app": null, "model": null});
    for (name, body) in [("absent", json!({})), ("null", nothing.clone())] {
        let body = with(&body, &json!({"name": name}));
        let policy = admin.post(EVENT_MATCHER.path, &body).await.expect(201);
        let pk = text(&policy["pk"]);
        assert_eq!(policy, EVENT_MATCHER.shown(&pk, name, false, &nothing));
    }
    let whole = (EVENT_MATCHER.others)();
    for (field, value, _) in EVENT_MATCHER.fields() {
        let pk = make(server, &EVENT_MATCHER, &field, whole.clone()).await;
        let one = EVENT_MATCHER.one(&pk);
        let expected = EVENT_MATCHER.shown(&pk, &field, false, &with(&whole, &json!({&field: value})));
        admin.patch(&one, &json!({&field: null})).await.expect_body(200, &expected);
        // A change that does not name the action leaves it alone.
        admin.put(&one, &json!({"name": field})).await.expect_body(200, &expected);
        admin.patch(&one, &nothing).await.expect_body(200, &EVENT_MATCHER.shown(&pk, &field, false, &nothing));
    }
}

async fn null_is_for_event_matchers(server: &Server) {
    for kind in KINDS.into_iter().filter(|kind| kind.path != EVENT_MATCHER.path) {
        let subject = Subject::new(server, kind, kind.path).await;
        for (field, ..) in kind.fields() {
            subject.refuses(&field, &json!(null), "This field may not be null.").await;
        }
        subject.refuses("execution_logging", &json!(null), "This field may not be null.").await;
    }
}

async fn symbols_of_a_password_policy(server: &Server) {
    let admin = server.admin();
    let pk = make(server, &PASSWORD, "policy", json!({})).await;
    let shown = admin.get(&PASSWORD.one(&pk)).await.expect(200);
    let symbols = text(&shown["symbol_charset"]);
    assert_eq!(symbols, SYMBOLS);
    assert_eq!(symbols.chars().count(), 34);
    assert_eq!(symbols.matches('\\').count(), 2, "the backslash is there twice");
    assert!(symbols.ends_with("~ "), "the space is the last");
    // Who sends back what was shown loses the space.
    let again = admin.put(&PASSWORD.one(&pk), &shown).await.expect(200);
    assert_eq!(text(&again["symbol_charset"]), SYMBOLS[..33]);
    let patched = admin.patch(&PASSWORD.one(&pk), &json!({"symbol_charset": " € § "})).await.expect(200);
    assert_eq!(patched["symbol_charset"], "€ §");
}

/// In what is sent, whatever is stored and whatever the defaults are (§5.7).
async fn a_reputation_policy_checks_something(server: &Server) {
    let admin = server.admin();
    let fault = json!({"non_field_errors": ["Either IP or Username must be checked"]});
    let one = REPUTATION.one(&make(server, &REPUTATION, "policy", json!({"check_ip": true})).await);
    let before = admin.get(&one).await.expect(200);
    for checks in [
        json!({}),
        json!({"check_ip": false}),
        json!({"check_username": false}),
        json!({"check_ip": false, "check_username": false}),
        json!({"threshold": 3}),
    ] {
        let body = with(&checks, &json!({"name": "other"}));
        admin.post(REPUTATION.path, &body).await.expect_faults(fault.clone());
        admin.put(&one, &body).await.expect_faults(fault.clone());
        admin.patch(&one, &checks).await.expect_faults(fault.clone());
        admin.patch(&one, &body).await.expect_faults(fault.clone());
        admin.get(&one).await.expect_body(200, &before);
    }
    for (number, checks) in [
        json!({"check_ip": true}),
        json!({"check_username": true}),
        json!({"check_ip": true, "check_username": false}),
        json!({"check_ip": false, "check_username": true}),
        json!({"check_ip": "yes", "check_username": 1}),
    ]
    .iter()
    .enumerate()
    {
        let named = with(checks, &json!({"name": format!("policy {number}")}));
        admin.post(REPUTATION.path, &named).await.expect(201);
        admin.patch(&one, checks).await.expect(200);
        admin.put(&one, &with(checks, &json!({"name": "policy"}))).await.expect(200);
    }
    // What is no truth value is told first.
    let body = json!({"name": "other", "check_ip": "x"});
    admin.post(REPUTATION.path, &body).await.expect_faults(json!({"check_ip": [BOOLEAN]}));
}

async fn all_faults_are_told(server: &Server) {
    let admin = server.admin();
    let body = json!({
        "name": "", "execution_logging": 5, "password_field": [], "amount_digits": -1, "length_min": "x",
        "symbol_charset": " ", "error_message": true, "check_zxcvbn": null, "hibp_allowed_count": 2_147_483_648_i64,
    });
    let faults = json!({
        "name": ["This field may not be blank."], "execution_logging": [BOOLEAN],
        "password_field": ["Not a valid string."],
        "amount_digits": ["Ensure this value is greater than or equal to 0."], "length_min": [NUMBER],
        "symbol_charset": ["This field may not be blank."], "error_message": ["Not a valid string."],
        "check_zxcvbn": ["This field may not be null."],
        "hibp_allowed_count": ["Ensure this value is less than or equal to 2147483647."],
    });
    admin.post(PASSWORD.path, &body).await.expect_faults(faults);
}

async fn expressions_must_parse(server: &Server) {
    let admin = server.admin();
    let subject = Subject::new(server, &EXPRESSION, "named").await;
    for (value, fault) in [
        (json!(""), "This field may not be blank."),
        (json!("   "), "This field may not be blank."),
        (json!(true), "Not a valid string."),
        (json!([]), "Not a valid string."),
        (json!("return '\u{0}'"), "Null characters are not allowed."),
    ] {
        subject.refuses("expression", &value, fault).await;
    }
    for (expression, line) in
        [("return (True", 2), ("if True\n    return True", 2), ("x = 1\nreturn = 1", 3), ("break", 2)]
    {
        let created = admin.post(EXPRESSION.path, &json!({"name": "x", "expression": expression})).await.expect(400);
        let put = admin.put(&subject.one, &json!({"name": "new name", "expression": expression})).await.expect(400);
        let patched = admin.patch(&subject.one, &json!({"expression": expression})).await.expect(400);
        for (faults, name) in [(created, "temp-policy"), (put, "named"), (patched, "named")] {
            let told = faults["expression"][0].as_str().expect("text");
            assert!(told.starts_with("Expression Syntax Error: "), "{told}");
            assert!(told.ends_with(&format!(" ({name}, line {line})")), "{told}");
            assert_eq!(faults.as_object().expect("an object").len(), 1);
        }
    }
    // Numbers are text, and ends of lines are anybody's.
    subject.takes("expression", &json!(42), &json!("42")).await;
    subject.takes("expression", &json!("  return True\n"), &json!("return True")).await;
    subject.takes("expression", &json!("x = 1\r\nreturn x == 1"), &json!("x = 1\r\nreturn x == 1")).await;
}
