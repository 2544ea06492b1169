//! When tokens end, who may choose it, and what an ended one is still good for.

use super::USUAL_END;
use crate::harness::{Server, tests};
use chrono::TimeDelta;
use serde_json::{Value, json};

tests![
    api_tokens_get_the_usual_end,
    edits_move_the_end_of_api_tokens,
    app_passwords_choose_within_limits,
    limits_come_from_attributes,
    limits_hold_for_changes,
    endless_app_passwords,
    a_token_that_begins_to_end_has_an_end,
    patch_keeps_the_intent,
    intents,
    an_expired_key_is_refused_and_kept,
    an_endless_key_lives_on,
    notation_of_times,
];

fn too_long(latest: &str) -> Value {
    json!({"expires": [format!("Token expires exceeds maximum lifetime ({latest} UTC).")]})
}

async fn api_tokens_get_the_usual_end(server: &Server) {
    let admin = server.admin();
    for (identifier, fields) in [
        ("a", json!({})),
        ("b", json!({"expires": "2031-01-01T00:00:00Z"})),
        ("c", json!({"expires": "2001-01-01T00:00:00Z"})),
        ("d", json!({"expires": null})),
        ("e", json!({"expiring": false})),
        ("f", json!({"expiring": false, "expires": "2031-01-01T00:00:00Z"})),
    ] {
        let mut body = json!({"identifier": identifier});
        body.as_object_mut().expect("an object").extend(fields.as_object().expect("an object").clone());
        let token = admin.post("/core/tokens/", &body).await.expect(201);
        assert_eq!(token["expires"], USUAL_END, "{body}");
        assert_eq!(token["expiring"], fields.get("expiring").cloned().unwrap_or(json!(true)), "{body}");
    }
}

async fn edits_move_the_end_of_api_tokens(server: &Server) {
    let admin = server.admin();
    admin.post("/core/tokens/", &json!({"identifier": "t"})).await.expect(201);
    server.advance(TimeDelta::minutes(10));
    let token = admin.patch("/core/tokens/t/", &json!({"description": "x"})).await.expect(200);
    assert_eq!(token["expires"], "2026-01-02T03:44:05.678901Z");
    server.advance(TimeDelta::minutes(10));
    let body = json!({"identifier": "t", "expires": "2040-01-01T00:00:00Z"});
    let token = admin.put("/core/tokens/t/", &body).await.expect(200);
    assert_eq!(token["expires"], "2026-01-02T03:54:05.678901Z");
}

async fn app_passwords_choose_within_limits(server: &Server) {
    let admin = server.admin();
    let create = async |identifier: &str, expires: Value| {
        let body = json!({"identifier": identifier, "intent": "app_password", "expires": expires});
        admin.post("/core/tokens/", &body).await
    };
    let plain = json!({"identifier": "plain", "intent": "app_password"});
    let token = admin.post("/core/tokens/", &plain).await.expect(201);
    assert_eq!((&token["expires"], &token["expiring"]), (&json!(USUAL_END), &json!(true)));
    for (identifier, expires) in
        [("early", "2026-01-02T03:05:00Z"), ("exact", USUAL_END), ("past", "2020-01-01T00:00:00Z")]
    {
        assert_eq!(create(identifier, json!(expires)).await.expect(201)["expires"], expires);
    }
    let text = too_long("2026-01-02 03:34:05.678901+00:00");
    create("late", json!("2026-01-02T03:34:05.678902Z")).await.expect_faults(text.clone());
    // Whatever `expiring` says.
    let body =
        json!({"identifier": "late", "intent": "app_password", "expires": "2026-02-01T00:00:00Z", "expiring": false});
    admin.post("/core/tokens/", &body).await.expect_faults(text);
    admin.get("/core/tokens/late/").await.expect_missing();
    // The original fails at null; a token that ends must have an end.
    let answer = create("null", json!(null)).await;
    if answer.status == 201 {
        assert_eq!(answer.json()["expires"], USUAL_END);
    } else {
        answer.expect(400);
    }
}

async fn limits_come_from_attributes(server: &Server) {
    let admin = server.admin();
    let limit = |text: &str| json!({"goauthentik.io/user/token-maximum-lifetime": text});
    let group = server.group("long-lived", json!({"attributes": limit("days=10")})).await;
    let below = server.group("below", json!({"parent": group})).await;
    let shorter = server.group("a-shorter", json!({"parent": group, "attributes": limit("days=3")})).await;
    let last = server.group("z-last", json!({"parent": group, "attributes": limit("days=3")})).await;
    let cases = [
        ("own", json!({"attributes": limit("days=2")}), "2026-01-04 03:04:05.678901+00:00"),
        ("grouped", json!({"groups": [group]}), "2026-01-12 03:04:05.678901+00:00"),
        ("inherited", json!({"groups": [below]}), "2026-01-12 03:04:05.678901+00:00"),
        // The last by name decides, whether it is above or below.
        ("overruled", json!({"groups": [shorter]}), "2026-01-12 03:04:05.678901+00:00"),
        ("overruling", json!({"groups": [last]}), "2026-01-05 03:04:05.678901+00:00"),
        (
            "both",
            json!({"groups": [group], "attributes": limit("hours=3;minutes=1")}),
            "2026-01-02 06:05:05.678901+00:00",
        ),
        ("odd", json!({"attributes": limit("soon")}), "2026-01-02 03:34:05.678901+00:00"),
        ("whole", json!({"attributes": limit("microseconds=321099")}), "2026-01-02 03:04:06+00:00"),
    ];
    for (name, fields, latest) in cases {
        let person = server.person_with(name, fields).await;
        let mut body =
            json!({"identifier": name, "intent": "app_password", "user": person.pk, "expires": "2027-01-01T00:00:00Z"});
        admin.post("/core/tokens/", &body).await.expect_faults(too_long(latest));
        // The same for the account itself.
        person.client.post("/core/tokens/", &body).await.expect_faults(too_long(latest));
        let exact = latest.replace(' ', "T").replace("+00:00", "Z");
        body["expires"] = json!(exact);
        assert_eq!(admin.post("/core/tokens/", &body).await.expect(201)["expires"], exact, "{name}");
    }
}

async fn limits_hold_for_changes(server: &Server) {
    let admin = server.admin();
    let app = json!({"identifier": "t", "intent": "app_password"});
    let before = admin.post("/core/tokens/", &app).await.expect(201);
    let late = json!({"intent": "app_password", "expires": "2027-01-01T00:00:00Z"});
    let text = too_long("2026-01-02 03:34:05.678901+00:00");
    admin.patch("/core/tokens/t/", &late).await.expect_faults(text.clone());
    admin.patch("/core/tokens/t/", &json!({"expires": "2027-01-01T00:00:00Z"})).await.expect_faults(text);
    admin.get("/core/tokens/t/").await.expect_body(200, &before);
    let early = json!({"expires": "2026-01-02T03:20:00Z"});
    assert_eq!(admin.patch("/core/tokens/t/", &early).await.expect(200)["expires"], early["expires"]);
}

async fn endless_app_passwords(server: &Server) {
    let body = json!({"identifier": "t", "intent": "app_password", "expiring": false});
    let token = server.admin().post("/core/tokens/", &body).await.expect(201);
    assert_eq!((&token["expires"], &token["expiring"]), (&json!(null), &json!(false)));
}

/// The original turns it into an API token with a new end (contract §2.3 ⚠, FIX).
async fn patch_keeps_the_intent(server: &Server) {
    let admin = server.admin();
    let app = json!({"identifier": "t", "intent": "app_password", "expires": "2026-01-02T03:20:00Z"});
    let before = admin.post("/core/tokens/", &app).await.expect(201);
    server.advance(TimeDelta::minutes(1));
    let after = admin.patch("/core/tokens/t/", &json!({"description": "x"})).await.expect(200);
    assert_eq!((&after["intent"], &after["expires"]), (&before["intent"], &before["expires"]));
    let after = admin.put("/core/tokens/t/", &json!({"identifier": "t"})).await.expect(200);
    assert_eq!((&after["intent"], &after["expires"]), (&before["intent"], &before["expires"]));
    let after = admin.patch("/core/tokens/t/", &json!({"intent": "api"})).await.expect(200);
    assert_eq!((&after["intent"], &after["expires"]), (&json!("api"), &json!("2026-01-02T03:35:05.678901Z")));
}

async fn intents(server: &Server) {
    let admin = server.admin();
    for intent in ["verification", "recovery"] {
        let refused = json!({"intent": [format!("Invalid intent {intent}")]});
        let body = json!({"identifier": "t", "intent": intent});
        admin.post("/core/tokens/", &body).await.expect_faults(refused.clone());
        admin.patch("/core/tokens/authentik-bootstrap-token/", &json!({"intent": intent})).await.expect_faults(refused);
    }
    for (value, shown) in
        [(json!("foo"), "foo"), (json!(""), ""), (json!("API"), "API"), (json!(7), "7"), (json!(true), "True")]
    {
        let refused = json!({"intent": [format!("\"{shown}\" is not a valid choice.")]});
        admin.post("/core/tokens/", &json!({"identifier": "t", "intent": value})).await.expect_faults(refused);
    }
    admin.get("/core/tokens/t/").await.expect_missing();
    for (identifier, intent) in [("a", "api"), ("b", "app_password")] {
        let body = json!({"identifier": identifier, "intent": intent});
        assert_eq!(admin.post("/core/tokens/", &body).await.expect(201)["intent"], intent);
    }
}

async fn an_expired_key_is_refused_and_kept(server: &Server) {
    let admin = server.admin();
    let before = admin.post("/core/tokens/", &json!({"identifier": "short"})).await.expect(201);
    let client = server.with_key(&server.key_of("short").await);
    server.advance(TimeDelta::minutes(30));
    // At its very end it is still good.
    client.get("/core/users/me/").await.expect(200);
    server.advance(TimeDelta::microseconds(1));
    for _ in 0..2 {
        client.get("/core/users/me/").await.expect_detail(403, "Token invalid/expired");
        client.get("/root/config/").await.expect_detail(403, "Token invalid/expired");
    }
    admin.get("/core/tokens/short/").await.expect_body(200, &before);
    // An edit gives it a new life, with the same key.
    admin.patch("/core/tokens/short/", &json!({})).await.expect(200);
    client.get("/core/users/me/").await.expect(200);
}

async fn an_endless_key_lives_on(server: &Server) {
    let ann = server.person("ann").await;
    server.advance(TimeDelta::days(4000));
    ann.client.get("/core/users/me/").await.expect(200);
}

async fn notation_of_times(server: &Server) {
    let admin = server.admin();
    let limit = json!({"attributes": {"goauthentik.io/user/token-maximum-lifetime": "days=400"}});
    let ann = server.person_with("ann", limit).await;
    let cases = [
        ("2026-03-01T10:00", "2026-03-01T10:00:00Z"),
        ("2026-03-01T10:00:00", "2026-03-01T10:00:00Z"),
        ("2026-03-01T10:00:00+02:00", "2026-03-01T08:00:00Z"),
        ("2026-03-01T10:00:00.5Z", "2026-03-01T10:00:00.500000Z"),
        ("2026-03-01T10:00:00.123456-01:30", "2026-03-01T11:30:00.123456Z"),
    ];
    for (index, (given, shown)) in cases.into_iter().enumerate() {
        let body =
            json!({"identifier": format!("t{index}"), "intent": "app_password", "user": ann.pk, "expires": given});
        assert_eq!(admin.post("/core/tokens/", &body).await.expect(201)["expires"], shown, "{given}");
    }
    let text =
        "Datetime has wrong format. Use one of these formats instead: YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z].";
    for bad in [json!(""), json!("tomorrow"), json!(5), json!(true), json!([]), json!("2026-13-01T00:00:00Z")] {
        let body = json!({"identifier": "bad", "intent": "app_password", "user": ann.pk, "expires": bad});
        admin.post("/core/tokens/", &body).await.expect_faults(json!({"expires": [text]}));
    }
}

async fn a_token_that_begins_to_end_has_an_end(server: &Server) {
    let admin = server.admin();
    let body = json!({"identifier": "t", "intent": "app_password", "expiring": false});
    assert_eq!(admin.post("/core/tokens/", &body).await.expect(201)["expires"], Value::Null);
    let token = admin.patch("/core/tokens/t/", &json!({"expiring": true})).await.expect(200);
    assert_eq!((&token["expiring"], &token["expires"]), (&json!(true), &json!(USUAL_END)));
}
