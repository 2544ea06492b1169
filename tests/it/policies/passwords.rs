//! What password policies answer (contract: authentik-core §5.6). Most cases were recorded from the
//! original. Nobody is asked about leaks here.

use super::{fails, kinds::PASSWORD, make, outcome, passes, with};
use crate::harness::{Person, Server, tests};
use serde_json::{Value, json};

tests![
    where_the_password_is,
    no_password,
    lengths,
    digits_and_lower_case,
    upper_case,
    symbols,
    the_message_is_the_policys,
    static_rules_can_be_left_out,
    guesses,
    guesses_know_the_account,
    guesses_have_a_threshold,
    static_rules_come_first,
    nobody_is_asked_about_leaks,
];

const MISSING: &str = "Password not set in context";
const WEAK: &str = "Password is too weak.";
const WORDS: &str = "Add another word or two. Uncommon words are better.";

/// Asks policies with these settings, each about a password.
async fn check(server: &Server, cases: &[(Value, &str, bool)]) {
    let ann = server.person("ann").await;
    for (number, (settings, password, passing)) in cases.iter().enumerate() {
        let settings = with(&json!({"error_message": "too weak"}), settings);
        let policy = make(server, &PASSWORD, &format!("policy {number}"), settings.clone()).await;
        let expected = if *passing { passes() } else { fails(&["too weak"]) };
        let got = outcome(server, &policy, &ann, json!({"password": password})).await;
        assert_eq!(got, expected, "{settings} {password}");
    }
}

async fn where_the_password_is(server: &Server) {
    let ann = server.person("ann").await;
    let weak = fails(&["too weak"]);
    for (number, (settings, context, expected)) in [
        (json!({"length_min": 5}), json!({"password": "abcde"}), passes()),
        // What was typed wins.
        (json!({"length_min": 5}), json!({"prompt_data": {"password": "abcdef"}, "password": "a"}), passes()),
        (json!({"length_min": 5}), json!({"prompt_data": {"password": "a"}, "password": "abcdef"}), weak.clone()),
        (json!({"length_min": 3}), json!({"prompt_data": {"x": 1}, "password": "abcdef"}), passes()),
        (json!({"length_min": 3, "password_field": "new"}), json!({"prompt_data": {"new": "abcd"}}), passes()),
        (json!({"length_min": 3, "password_field": "new"}), json!({"new": "ab", "password": "abcd"}), weak.clone()),
        (json!({"length_min": 3}), json!({"password": "abc", "password_repeat": "x"}), passes()),
        // What is no text is read as one.
        (json!({"length_min": 6}), json!({"password": 12345}), weak.clone()),
        (json!({"length_min": 5}), json!({"password": 12345}), passes()),
        (json!({"length_min": 4}), json!({"password": true}), passes()),
        (json!({"length_min": 5}), json!({"password": true}), weak),
    ]
    .into_iter()
    .enumerate()
    {
        let settings = with(&json!({"error_message": "too weak"}), &settings);
        let policy = make(server, &PASSWORD, &format!("policy {number}"), settings).await;
        assert_eq!(outcome(server, &policy, &ann, context.clone()).await, expected, "{context}");
    }
}

async fn no_password(server: &Server) {
    let ann = server.person("ann").await;
    for (name, settings) in [("plain", json!({})), ("nothing is checked", json!({"check_static_rules": false}))] {
        let policy = make(server, &PASSWORD, name, settings).await;
        for context in [
            json!({}),
            json!({"password": ""}),
            json!({"password": null}),
            json!({"Password": "abcdef"}),
            json!({"prompt_data": {"password": ""}, "password": "abcdef"}),
            json!({"prompt_data": {"password": null}, "password": "abcdef"}),
        ] {
            assert_eq!(outcome(server, &policy, &ann, context.clone()).await, fails(&[MISSING]), "{context}");
        }
    }
    let other = make(server, &PASSWORD, "other", json!({"password_field": "pw2"})).await;
    assert_eq!(outcome(server, &other, &ann, json!({"password": "abcdef"})).await, fails(&[MISSING]));
    // The original crashes at these.
    let policy = make(server, &PASSWORD, "odd", json!({"length_min": 3})).await;
    for odd in [json!("x"), json!(null), json!([]), json!(5)] {
        let body = json!({"user": ann.pk, "context": {"prompt_data": &odd, "password": "abcdef"}});
        let answer = server.admin().post(&format!("{}test/", super::any(&policy)), &body).await.expect(200);
        assert_eq!(answer["passing"], false, "{odd}");
    }
}

async fn lengths(server: &Server) {
    let long = "a".repeat(100);
    // Three people joined by two joiners: five characters.
    let family = "\u{1F468}\u{200D}\u{1F469}\u{200D}\u{1F467}";
    check(
        server,
        &[
            (json!({}), "a", true),
            (json!({"length_min": 0}), "a", true),
            (json!({"length_min": 8}), "12345678", true),
            (json!({"length_min": 8}), "1234567", false),
            (json!({"length_min": 8}), "        ", true),
            (json!({"length_min": 2}), "äö", true),
            (json!({"length_min": 3}), "äö", false),
            (json!({"length_min": 5}), family, true),
            (json!({"length_min": 6}), family, false),
            (json!({"length_min": 100}), &long, true),
            (json!({"length_min": 2_147_483_647}), &long, false),
        ],
    )
    .await;
}

async fn digits_and_lower_case(server: &Server) {
    check(
        server,
        &[
            (json!({"amount_digits": 2}), "a1b2", true),
            (json!({"amount_digits": 3}), "a1b2", false),
            (json!({"amount_digits": 1}), "٣", false),
            (json!({"amount_lowercase": 2}), "ABcd", true),
            (json!({"amount_lowercase": 2}), "ABcD", false),
            (json!({"amount_lowercase": 1}), "ÄÖü", false),
            (json!({"amount_lowercase": 1, "amount_digits": 1}), "a1", true),
            (json!({"amount_lowercase": 1, "amount_digits": 1}), "a", false),
            (json!({"amount_lowercase": 1, "amount_digits": 1}), "1", false),
        ],
    )
    .await;
}

/// The original counts against `amount_lowercase`, and here the greater of both must hold.
async fn upper_case(server: &Server) {
    check(
        server,
        &[
            (json!({"amount_uppercase": 2, "amount_lowercase": 2}), "ABcd", true),
            (json!({"amount_uppercase": 2, "amount_lowercase": 2}), "Abcd", false),
            (json!({"amount_uppercase": 1, "amount_lowercase": 1}), "Äb", false),
            (json!({"amount_uppercase": 0, "amount_lowercase": 1}), "abc", true),
            // As in the original, and no less.
            (json!({"amount_uppercase": 1, "amount_lowercase": 3}), "Aabc", false),
            (json!({"amount_uppercase": 1, "amount_lowercase": 3}), "AAAabc", true),
            // Here it differs: docs/compatibility.md, Policies.
            (json!({"amount_uppercase": 5, "amount_lowercase": 1}), "Abcd", false),
            (json!({"amount_uppercase": 5, "amount_lowercase": 1}), "ABCDEa", true),
            (json!({"amount_uppercase": 3, "amount_lowercase": 0}), "ABc", false),
            (json!({"amount_uppercase": 3, "amount_lowercase": 0}), "ABC", true),
        ],
    )
    .await;
}

async fn symbols(server: &Server) {
    check(
        server,
        &[
            (json!({"amount_symbols": 1}), "abc1", false),
            (json!({"amount_symbols": 1}), "abc!", true),
            (json!({"amount_symbols": 2}), "a!!", true),
            (json!({"amount_symbols": 2}), "a!", false),
            (json!({"amount_symbols": 1}), "a\"", true),
            (json!({"amount_symbols": 1}), "a|", true),
            (json!({"amount_symbols": 1}), "a b", true),
            (json!({"amount_symbols": 1}), "a€", false),
            // The backslash is in the set twice.
            (json!({"amount_symbols": 2}), "a\\", true),
            (json!({"amount_symbols": 3}), "a\\", false),
            (json!({"amount_symbols": 1, "symbol_charset": "€§"}), "a€", true),
            (json!({"amount_symbols": 1, "symbol_charset": "€§"}), "a!", false),
            (json!({"amount_symbols": 2, "symbol_charset": "!!"}), "a!", true),
            (json!({"amount_symbols": 3, "symbol_charset": "!!"}), "a!", false),
            // A set of letters is one, and a pattern is none.
            (json!({"amount_symbols": 2, "symbol_charset": "ab"}), "ab", true),
            (json!({"amount_symbols": 1, "symbol_charset": "[a-z]."}), "b", false),
        ],
    )
    .await;
}

async fn the_message_is_the_policys(server: &Server) {
    let ann = server.person("ann").await;
    for message in ["", "%(count)d %s", "zu schwach ✗"] {
        let settings = json!({"length_min": 5, "error_message": message});
        let policy = make(server, &PASSWORD, &format!("policy {message}"), settings).await;
        assert_eq!(outcome(server, &policy, &ann, json!({"password": "a"})).await, fails(&[message]));
    }
}

async fn static_rules_can_be_left_out(server: &Server) {
    check(
        server,
        &[
            (json!({"length_min": 50, "check_static_rules": false}), "a", true),
            (
                json!({"length_min": 50, "amount_digits": 9, "check_static_rules": false, "check_zxcvbn": false}),
                "a",
                true,
            ),
        ],
    )
    .await;
}

/// A policy that only guesses.
async fn guesser(server: &Server, name: &str, threshold: i64) -> String {
    let settings = json!({"check_static_rules": false, "check_zxcvbn": true, "zxcvbn_score_threshold": threshold});
    make(server, &PASSWORD, name, settings).await
}

async fn guess(server: &Server, policy: &str, person: &Person, password: &str) -> (bool, Vec<String>) {
    outcome(server, policy, person, json!({"password": password})).await
}

async fn guesses(server: &Server) {
    let ann = server.person("ann").await;
    let policy = guesser(server, "policy", 2).await;
    for (password, further) in [
        ("password", None),
        ("123456", None),
        ("aaaaaaaa", Some("Avoid repeated words and characters.")),
        ("abcdefgh", Some("Avoid sequences.")),
        ("13.05.1987", Some("Avoid dates and years that are associated with you.")),
        ("Password", Some("Capitalization doesn't help very much.")),
        ("PASSWORD", Some("All-uppercase is almost as easy to guess as all-lowercase.")),
        ("zxcvfr45tgb", Some("Use a longer keyboard pattern with more turns.")),
    ] {
        let messages: Vec<&str> = [WEAK, WORDS].into_iter().chain(further).collect();
        assert_eq!(guess(server, &policy, &ann, password).await, fails(&messages), "{password}");
    }
    for password in ["correct horse battery staple", "v9#Kq2!zLp0x", "xyzzyplugh"] {
        assert_eq!(guess(server, &policy, &ann, password).await, passes(), "{password}");
    }
    // No more than the first hundred characters are looked at.
    let repeated = fails(&[WEAK, WORDS, "Avoid repeated words and characters."]);
    assert_eq!(guess(server, &policy, &ann, &"a".repeat(100)).await, repeated);
    assert_eq!(guess(server, &policy, &ann, &format!("{}v9#Kq2!zLp0x", "a".repeat(100))).await, repeated);
}

async fn guesses_know_the_account(server: &Server) {
    let fields = json!({"name": "Zoe Quartermain", "email": "zq@kestrel.example"});
    let zoe = server.person_with("corpw-zoeuser", fields).await;
    let ann = server.person("ann").await;
    let policy = guesser(server, "policy", 2).await;
    for password in ["corpw-zoeuser1", "Zoe Quartermain", "zq@kestrel.example", "kestrel"] {
        assert_eq!(guess(server, &policy, &zoe, password).await, fails(&[WEAK, WORDS]), "{password}");
    }
    for password in ["corpw-zoeuser1", "Zoe Quartermain", "zq@kestrel.example"] {
        assert_eq!(guess(server, &policy, &ann, password).await, passes(), "{password}");
    }
}

async fn guesses_have_a_threshold(server: &Server) {
    let ann = server.person("ann").await;
    for (threshold, password, expected) in [
        (0, "v9#K", passes()),
        (1, "tiger-moon", passes()),
        (2, "tiger-moon", fails(&[WEAK, WORDS])),
        (4, "v9#Kq2!zLp0x", fails(&[WEAK])),
        (10, "correct horse battery staple", fails(&[WEAK])),
    ] {
        let policy = guesser(server, &format!("{threshold} {password}"), threshold).await;
        assert_eq!(guess(server, &policy, &ann, password).await, expected, "{threshold} {password}");
    }
}

async fn static_rules_come_first(server: &Server) {
    let ann = server.person("ann").await;
    let settings = json!({
        "length_min": 50, "error_message": "too weak", "check_zxcvbn": true, "check_have_i_been_pwned": true,
    });
    let policy = make(server, &PASSWORD, "policy", settings).await;
    assert_eq!(guess(server, &policy, &ann, "a").await, fails(&["too weak"]));
}

/// Unless it is configured whom to ask: then the log of the answer says so.
async fn nobody_is_asked_about_leaks(server: &Server) {
    let ann = server.person("ann").await;
    let settings = json!({"check_static_rules": false, "check_have_i_been_pwned": true});
    let policy = make(server, &PASSWORD, "policy", settings).await;
    let answer = super::ask(&server.admin(), &policy, ann.pk, json!({"password": "password"})).await.expect(200);
    assert_eq!((&answer["passing"], &answer["messages"]), (&json!(true), &json!([])));
    assert_eq!(answer["log_messages"].as_array().map(Vec::len), Some(1), "{answer}");
}
