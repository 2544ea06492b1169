//! The policy as a whole: the recorded cases, the order of the stages, and breach lists that fail.

use super::{
    hibp::tests::{PASSWORD, client, server},
    *,
};
use crate::{
    ctx::SeededEntropy,
    policy::corpus,
    resource::users::{self, Kind},
    secret::password::PasswordHash,
};
use proptest::prelude::*;
use serde_json::json;

fn user(username: &str, name: &str, email: &str) -> users::Model {
    users::Model {
        id: 1,
        uuid: uuid::Uuid::nil(),
        username: username.to_owned(),
        username_folded: username.to_lowercase(),
        name: name.to_owned(),
        email: email.to_owned(),
        is_active: true,
        last_login: None,
        path: "users".to_owned(),
        kind: Kind::Internal,
        attributes: json!({}),
        password: PasswordHash::unusable(&SeededEntropy::new(1)),
        password_change_date: DateTime::UNIX_EPOCH,
        date_joined: DateTime::UNIX_EPOCH,
        search: String::new(),
    }
}

async fn ask(settings: &Value, context: Value, breaches: Option<&Hibp>) -> Result<Outcome, Fault> {
    ask_for(settings, context, None, breaches).await
}

async fn ask_for(
    settings: &Value,
    context: Value,
    user: Option<users::Model>,
    breaches: Option<&Hibp>,
) -> Result<Outcome, Fault> {
    let settings: PasswordSettings = serde_json::from_value(settings.clone()).expect("settings");
    let context = context.as_object().cloned().unwrap_or_default();
    let request = Request { user, context, debug: false, testing: true, log: Vec::new() };
    let around = Surroundings { now: DateTime::UNIX_EPOCH, brand_title: "authentik", breaches };
    evaluate(&settings, &request, around).await
}

/// An outcome as `sem` in the recordings: log lines without their time.
fn shown(outcome: &Outcome) -> Value {
    let log: Vec<Value> = outcome.log.iter().map(|l| json!([l.level, l.logger, l.event, l.attributes])).collect();
    json!({"passing": outcome.passing, "messages": outcome.messages, "log_messages": log})
}

/// Where an administrator asks for upper-case letters that the original does not count.
const STRICTER: [&str; 2] = ["upper.with_lower1", "upper.lower_zero"];

#[tokio::test]
async fn the_recorded_cases_are_answered_alike() {
    let (mut equal, mut faults, mut unsaved, mut stricter) = (0, 0, 0, Vec::new());
    for case in corpus::cases("password_policy") {
        let name = case["case"].as_str().expect("a name").trim_start_matches("password_policy.");
        if case["save_status"] != 201 {
            unsaved += 1;
            continue;
        }
        let mut settings = case["request"]["settings"].clone();
        for (key, value) in case["stored"].as_object().expect("stored") {
            settings[key] = value.clone();
        }
        let user = match case["request"]["user"].as_str() {
            Some("zoe") => user("corpw-zoeuser", "Zoe Quartermain", "zq@kestrel.example"),
            _ => user("corpw-plain", "", ""),
        };
        match ask_for(&settings, case["request"]["context"].clone(), Some(user), None).await {
            Ok(outcome) if shown(&outcome) == case["sem"]["body"] => equal += 1,
            // The original's page for an error that it does not handle.
            Err(Fault::Other(_)) if case["status"] == 405 => faults += 1,
            Ok(outcome) if !outcome.passing && case["body"]["passing"] == true => stricter.push(name.to_owned()),
            other => panic!("{name}: {other:?}"),
        }
    }
    assert_eq!(stricter, STRICTER);
    assert_eq!((equal, faults, unsaved), (59, 2, 2));
}

#[tokio::test]
async fn what_is_no_object_has_no_password() {
    for (data, python) in [(json!("x"), "str"), (json!(null), "NoneType"), (json!(1), "int"), (json!([]), "list")] {
        let fault = ask(&json!({}), json!({"prompt_data": data, "password": "a"}), None).await.unwrap_err();
        assert_eq!(fault, Fault::Other(format!("'{python}' object has no attribute 'get'")));
    }
}

#[tokio::test]
async fn what_python_calls_false_is_no_password() {
    for value in [json!(null), json!(false), json!(0), json!(0.0), json!(""), json!([]), json!({})] {
        let outcome = ask(&json!({}), json!({ "password": value }), None).await.expect("an outcome");
        assert_eq!(outcome.messages, ["Password not set in context"]);
    }
}

#[tokio::test]
async fn breach_lists_are_asked_only_when_somebody_is_there_and_the_rules_hold() {
    let settings = json!({"check_have_i_been_pwned": true, "length_min": 3, "error_message": "too short"});
    let password = || json!({"password": "password"});
    let outcome = ask(&settings, password(), None).await.expect("an outcome");
    assert_eq!((outcome.passing, outcome.messages.len(), outcome.log.len()), (true, 0, 1));

    let (address, mut requests) = server(format!("{PASSWORD}:3\r\n")).await;
    let hibp = client(&address, OnFailure::Pass);
    let refused = Ok(Outcome::failed("Password exists on 3 online lists."));
    assert_eq!(ask(&settings, password(), Some(&hibp)).await, refused);
    for (allowed, passing) in [(2, false), (3, true), (i32::MAX, true)] {
        let settings = json!({"check_have_i_been_pwned": true, "hibp_allowed_count": allowed});
        assert_eq!(ask(&settings, password(), Some(&hibp)).await.expect("an outcome").passing, passing);
    }
    while requests.try_recv().is_ok() {}
    let outcome = ask(&settings, json!({"password": "pw"}), Some(&hibp)).await;
    assert_eq!(outcome, Ok(Outcome::failed("too short")));
    assert!(requests.try_recv().is_err(), "nobody was asked");
}

#[tokio::test]
async fn breach_lists_that_fail_do_what_is_set() {
    let settings = json!({"check_have_i_been_pwned": true, "check_zxcvbn": true});
    let (address, _requests) = server("<html>".to_owned()).await;
    for address in [address.as_str(), "http://127.0.0.1:1/range/"] {
        let ask = async |on_failure, password: &str| {
            ask(&settings, json!({ "password": password }), Some(&client(address, on_failure)))
                .await
                .expect("an outcome")
        };
        let refused = Outcome::failed("Password could not be checked against online lists.");
        assert_eq!(ask(OnFailure::Fail, "v9#Kq2!zLp0x").await, refused);
        assert_eq!(ask(OnFailure::Pass, "v9#Kq2!zLp0x").await, Outcome::passed());
        assert_eq!(ask(OnFailure::Pass, "password").await.messages[0], "Password is too weak.", "the next stage runs");
    }
}

#[test]
fn defaults_are_the_contract_s() {
    let settings: PasswordSettings = serde_json::from_str("{}").expect("defaults");
    assert_eq!(settings, PasswordSettings::default());
    assert_eq!(settings.symbol_charset.chars().count(), 34);
    let stored = serde_json::to_value(&settings).expect("JSON");
    assert_eq!(stored["symbol_charset"], "!\\\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~ ");
    assert_eq!(stored.as_object().map(Map::len), Some(13));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_password_breaks_the_policy(password in any::<String>(), known in any::<String>()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let settings = json!({"check_zxcvbn": true});
        let user = Some(user(&known, &known, ""));
        let outcome = runtime.block_on(ask_for(&settings, json!({ "password": password }), user, None));
        prop_assert!(outcome.is_ok(), "{outcome:?}");
    }
}
