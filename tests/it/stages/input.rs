//! What stages do not take, in the contract's words.

use super::{UNKNOWN, flow, kinds::KINDS, kinds::kind, make, prompt, required, text, with};
use crate::harness::{Server, tests};
use serde_json::{Value, json};

tests![
    names,
    lists_of_choices,
    an_identification_asks_for_something,
    lists_that_hold_something,
    references,
    references_are_taken,
    choices_and_durations,
    e_mail,
];

const REQUIRED: &str = "This field is required.";
const NULL: &str = "This field may not be null.";
const EMPTY: &str = "This list may not be empty.";

fn no_row(key: &str) -> String {
    format!("Invalid pk \"{key}\" - object does not exist.")
}

/// Sends fields with a creation and with both changes; all three are refused alike.
async fn refused(server: &Server, model: &str, fields: Value, faults: Value) {
    let kind = kind(model);
    let admin = server.admin();
    let pk = make(server, kind, &format!("there {fields}"), json!({})).await;
    let body = with(&required(server, kind, &format!("new {fields}")).await, &fields);
    admin.post(kind.path, &body).await.expect_faults(faults.clone());
    admin.put(&kind.one(&pk), &body).await.expect_faults(faults.clone());
    let asked = if model == "identificationstage" { json!({"user_fields": ["upn"]}) } else { json!({}) };
    admin.patch(&kind.one(&pk), &with(&asked, &fields)).await.expect_faults(faults);
}

async fn names(server: &Server) {
    let admin = server.admin();
    let taken = make(server, kind("denystage"), "taken", json!({})).await;
    for kind in &KINDS {
        let text = match kind.model {
            "promptstage" => "This field must be unique.",
            _ => "stage with this name already exists.",
        };
        let body = required(server, kind, "taken").await;
        admin.post(kind.path, &body).await.expect_faults(json!({"name": [text]}));
        let pk = make(server, kind, kind.model, json!({})).await;
        admin.put(&kind.one(&pk), &body).await.expect_faults(json!({"name": [text]}));
        admin.patch(&kind.one(&pk), &body).await.expect_faults(json!({"name": [text]}));
        // Its own name is no other's, and names differ by their case.
        let own = required(server, kind, kind.model).await;
        admin.put(&kind.one(&pk), &own).await.expect(200);
        admin.put(&kind.one(&pk), &with(&own, &json!({"name": "Taken"}))).await.expect(200);
        admin.delete(&kind.one(&pk)).await.expect_empty(204);
        let mut body = body;
        body.as_object_mut().expect("an object").remove("name");
        admin.post(kind.path, &body).await.expect_faults(json!({"name": [REQUIRED]}));
        for (name, text) in [
            (json!(""), "This field may not be blank."),
            (json!("  "), "This field may not be blank."),
            (json!(null), NULL),
            (json!([]), "Not a valid string."),
            (json!("a\0b"), "Null characters are not allowed."),
        ] {
            admin.post(kind.path, &with(&body, &json!({"name": name}))).await.expect_faults(json!({"name": [text]}));
        }
    }
    admin.get(&format!("/stages/deny/{taken}/")).await.expect(200);
}

async fn lists_of_choices(server: &Server) {
    let choice = |text: &str| format!("\"{text}\" is not a valid choice.");
    for (model, field, good) in [
        ("identificationstage", "user_fields", "email"),
        ("passwordstage", "backends", "authentik.core.auth.TokenBackend"),
    ] {
        for (list, faults) in [
            (json!(["EMAIL"]), json!({"0": [choice("EMAIL")]})),
            (json!([good, "nope", good, null]), json!({"1": [choice("nope")], "3": [NULL]})),
            (
                json!([true, {"a": 1}, "", 5]),
                json!({
                    "0": [choice("True")], "1": [choice("{'a': 1}")], "2": [choice("")], "3": [choice("5")],
                }),
            ),
            (json!("email"), json!(["Expected a list of items but got type \"str\"."])),
            (json!({}), json!(["Expected a list of items but got type \"dict\"."])),
            (json!(null), json!([NULL])),
        ] {
            refused(server, model, json!({field: list}), json!({field: faults})).await;
        }
    }
}

async fn an_identification_asks_for_something(server: &Server) {
    let admin = server.admin();
    let text = "When no user fields are selected, at least one source must be selected";
    let faults = json!({"non_field_errors": [text]});
    let pk = make(server, kind("identificationstage"), "there", json!({})).await;
    let one = format!("/stages/identification/{pk}/");
    for body in [json!({"name": "new"}), json!({"name": "new", "user_fields": []}), json!({"name": "x", "sources": []})]
    {
        admin.post("/stages/identification/", &body).await.expect_faults(faults.clone());
        admin.put(&one, &body).await.expect_faults(faults.clone());
        admin.patch(&one, &body).await.expect_faults(faults.clone());
    }
    admin.patch(&one, &json!({})).await.expect_faults(faults);
    refused(server, "identificationstage", json!({"sources": [UNKNOWN]}), json!({"sources": [no_row(UNKNOWN)]})).await;
}

async fn lists_that_hold_something(server: &Server) {
    let admin = server.admin();
    refused(server, "passwordstage", json!({"backends": []}), json!({"backends": [EMPTY]})).await;
    refused(server, "promptstage", json!({"fields": []}), json!({"fields": [EMPTY]})).await;
    admin.post("/stages/password/", &json!({"name": "x"})).await.expect_faults(json!({"backends": [REQUIRED]}));
    admin.post("/stages/prompt/stages/", &json!({"name": "x"})).await.expect_faults(json!({"fields": [REQUIRED]}));
    // The same twice is one.
    let asked = prompt(server, "asked", json!({})).await;
    let body = json!({"name": "twice", "fields": [asked, asked]});
    assert_eq!(admin.post("/stages/prompt/stages/", &body).await.expect(201)["fields"], json!([asked]));
}

async fn references(server: &Server) {
    let deny = make(server, kind("denystage"), "deny", json!({})).await;
    for (model, field) in [
        ("identificationstage", "password_stage"),
        ("identificationstage", "enrollment_flow"),
        ("identificationstage", "recovery_flow"),
        ("identificationstage", "passwordless_flow"),
        ("passwordstage", "configure_flow"),
        ("userwritestage", "create_users_group"),
    ] {
        for (value, text) in [
            (json!(UNKNOWN), no_row(UNKNOWN)),
            (json!(deny), no_row(&deny)),
            (json!("bad"), "“bad” is not a valid UUID.".to_owned()),
            (json!(42), no_row("42")),
            (json!(true), "Incorrect type. Expected pk value, received bool.".to_owned()),
        ] {
            refused(server, model, json!({field: value}), json!({field: [text]})).await;
        }
    }
    let asked = prompt(server, "asked", json!({})).await;
    for (field, good) in [("fields", json!([asked])), ("validation_policies", json!([]))] {
        let with_good = |more: Value| {
            let mut list = good.clone();
            list.as_array_mut().expect("a list").extend(more.as_array().expect("a list").clone());
            json!({field: list})
        };
        for (more, text) in [
            (json!([UNKNOWN, deny]), no_row(UNKNOWN)),
            (json!(["bad", UNKNOWN]), "“bad” is not a valid UUID.".to_owned()),
            (json!([null]), NULL.to_owned()),
        ] {
            refused(server, "promptstage", with_good(more), json!({field: [text]})).await;
        }
        let text = "Expected a list of items but got type \"str\".";
        refused(server, "promptstage", json!({field: "x"}), json!({field: [text]})).await;
    }
}

async fn references_are_taken(server: &Server) {
    let admin = server.admin();
    let (one, group) = (flow(server, "one").await, server.group("g", json!({})).await);
    let password = make(server, kind("passwordstage"), "password", json!({"configure_flow": one})).await;
    let fields = json!({
        "password_stage": password, "enrollment_flow": one, "recovery_flow": one, "passwordless_flow": one,
    });
    let pk = make(server, kind("identificationstage"), "who", fields.clone()).await;
    let path = format!("/stages/identification/{pk}/");
    let shown = admin.get(&path).await.expect(200);
    assert_eq!(with(&shown, &fields), shown);
    for query in ["password_stage", "enrollment_flow", "recovery_flow", "passwordless_flow"] {
        let value = text(&fields[query]);
        assert_eq!(
            admin.get(&format!("/stages/identification/?{query}={value}")).await.expect_list("pk"),
            [pk.as_str()]
        );
    }
    let none = json!({"password_stage": null, "enrollment_flow": "", "user_fields": ["upn"]});
    let shown = admin.patch(&path, &none).await.expect(200);
    assert_eq!((&shown["password_stage"], &shown["enrollment_flow"]), (&json!(null), &json!(null)));
    assert_eq!(shown["recovery_flow"], json!(one));
    let write = make(server, kind("userwritestage"), "write", json!({"create_users_group": group})).await;
    assert_eq!(
        admin.get(&format!("/stages/user_write/{write}/")).await.expect(200)["create_users_group"],
        json!(group)
    );
}

async fn choices_and_durations(server: &Server) {
    let choice = |text: &str| format!("\"{text}\" is not a valid choice.");
    let duration = |text: &str| format!("{text} is not in the correct format of 'hours=3;minutes=1'.");
    for (model, field, value, text) in [
        ("consentstage", "mode", json!("EXPIRING"), choice("EXPIRING")),
        ("consentstage", "mode", json!(null), NULL.to_owned()),
        ("consentstage", "consent_expire_in", json!("soon"), duration("soon")),
        ("userwritestage", "user_creation_mode", json!("never"), choice("never")),
        ("userwritestage", "user_type", json!("robot"), choice("robot")),
        ("userwritestage", "create_users_as_inactive", json!("maybe"), "Must be a valid boolean.".to_owned()),
        ("userloginstage", "session_duration", json!("seconds=x"), duration("seconds=x")),
        ("userloginstage", "remember_me_offset", json!(""), "This field may not be blank.".to_owned()),
        ("userloginstage", "network_binding", json!("bind"), choice("bind")),
        ("userloginstage", "geoip_binding", json!(1), choice("1")),
        ("denystage", "deny_message", json!(null), NULL.to_owned()),
        ("dummystage", "throw_error", json!("x"), "Must be a valid boolean.".to_owned()),
        ("passwordstage", "failed_attempts_before_cancel", json!("x"), "A valid integer is required.".to_owned()),
    ] {
        refused(server, model, json!({field: value}), json!({field: [text]})).await;
    }
    let bad = server.admin().get("/stages/consent/?mode=bad").await;
    let text = "Select a valid choice. bad is not one of the available choices.";
    bad.expect_faults(json!({"mode": [text]}));
}

async fn e_mail(server: &Server) {
    for (field, value, text) in [
        ("template", json!("email/nothing.html"), "Invalid template 'email/nothing.html' specified."),
        ("host", json!(""), "This field may not be blank."),
        ("subject", json!("  "), "This field may not be blank."),
        ("from_address", json!("Ann <ann@example.org>"), "Enter a valid email address."),
        ("port", json!(1.5), "A valid integer is required."),
        ("port", json!(2_147_483_648_i64), "Ensure this value is less than or equal to 2147483647."),
        ("password", json!(["x"]), "Not a valid string."),
    ] {
        refused(server, "emailstage", json!({field: value}), json!({field: [text]})).await;
    }
    // What the database knows is told together, too.
    make(server, kind("denystage"), "taken", json!({})).await;
    let body = json!({"name": "taken", "template": "x"});
    server.admin().post("/stages/email/", &body).await.expect_faults(json!({
        "name": ["stage with this name already exists."], "template": ["Invalid template 'x' specified."],
    }));
}
