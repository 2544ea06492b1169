//! When a new token ends: two regimes (contract: sailpoint-pat §4).

use super::{ALL, BETA, EXPLICIT, ILLEGAL, MISSING, NEVER, SIX_MONTHS, V1, create, delete, mine, refill, shown};
use crate::harness::{Client, Server, tests};
use chrono::TimeDelta;
use serde_json::{Value, json};

tests![
    six_months_when_nobody_says,
    six_months_at_the_end_of_a_month,
    at_most_six_months,
    an_acknowledgement_that_means_nothing,
    somebody_must_say,
    never_is_the_year_9999,
    any_day_to_come,
    a_day_and_an_acknowledgement,
    past_days,
    no_times,
    spellings_of_times,
];

/// Makes a token with these fields and deletes it; gives its end.
async fn end(client: &Client, at: &str, fields: Value) -> Value {
    let mut body = json!({"name": "t"});
    body.as_object_mut().expect("an object").extend(fields.as_object().expect("an object").clone());
    let made = create(client, at, body).await.expect(200);
    delete(client, at, made["id"].as_str().expect("an id")).await.expect_empty(204);
    made["expirationDate"].clone()
}

async fn refused(client: &Client, at: &str, fields: Value, code: &str) {
    let mut body = json!({"name": "t"});
    body.as_object_mut().expect("an object").extend(fields.as_object().expect("an object").clone());
    let why = create(client, at, body).await.expect_code(400, code);
    assert!(why.contains("expirationDate"), "{at} {fields}: {why}");
}

async fn six_months_when_nobody_says(server: &Server) {
    let api = server.api(1, &[ALL]).await;
    for at in SIX_MONTHS {
        for fields in [json!({}), json!({"expirationDate": null})] {
            assert_eq!(end(&api, at, fields).await, "2026-07-02T03:04:05.678Z", "{at}");
        }
    }
}

async fn six_months_at_the_end_of_a_month(server: &Server) {
    server.advance(TimeDelta::days(241));
    let api = server.api(1, &[ALL]).await;
    let made = create(&api, BETA, json!({"name": "t"})).await.expect(200);
    assert_eq!(made["created"], "2026-08-31T03:04:05.678Z");
    assert_eq!(made["expirationDate"], "2027-02-28T03:04:05.678Z");
    refused(&api, BETA, json!({"name": "u", "expirationDate": "2027-03-01T03:04:05.678Z"}), ILLEGAL).await;
}

async fn at_most_six_months(server: &Server) {
    let api = server.api(1, &[ALL]).await;
    for at in SIX_MONTHS {
        for fitting in ["2026-07-02T03:04:05.678Z", "2026-01-02T03:04:05.679Z", "2026-04-05T06:07:08.009Z"] {
            assert_eq!(end(&api, at, json!({"expirationDate": fitting})).await, fitting, "{at}");
        }
        for beyond in ["2026-07-02T03:04:05.679Z", "2026-07-02T03:04:06Z", "2027-01-01T00:00:00Z", NEVER] {
            refused(&api, at, json!({"expirationDate": beyond}), ILLEGAL).await;
        }
    }
}

async fn an_acknowledgement_that_means_nothing(server: &Server) {
    let api = server.api(1, &[ALL]).await;
    for at in SIX_MONTHS {
        let made = create(&api, at, json!({"name": at, "userAwareTokenNeverExpires": true})).await.expect(200);
        assert_eq!(made["expirationDate"], "2026-07-02T03:04:05.678Z");
        assert_eq!(made.get("userAwareTokenNeverExpires"), None);
        let listed = shown(&api, made["id"].as_str().expect("an id")).await;
        assert_eq!(listed["userAwareTokenNeverExpires"], false);
        refused(&api, at, json!({"expirationDate": NEVER, "userAwareTokenNeverExpires": true, "name": "u"}), ILLEGAL)
            .await;
    }
}

async fn somebody_must_say(server: &Server) {
    let api = server.api(1, &[ALL]).await;
    for at in EXPLICIT {
        for fields in [
            json!({}),
            json!({"expirationDate": null}),
            json!({"userAwareTokenNeverExpires": false}),
            json!({"userAwareTokenNeverExpires": null}),
            json!({"expirationDate": null, "userAwareTokenNeverExpires": false}),
        ] {
            refused(&api, at, fields, MISSING).await;
        }
    }
}

async fn never_is_the_year_9999(server: &Server) {
    let api = server.api(1, &[ALL]).await;
    for at in EXPLICIT {
        let body = json!({"name": at, "expirationDate": null, "userAwareTokenNeverExpires": true});
        let made = create(&api, at, body).await.expect(200);
        assert_eq!((&made["expirationDate"], &made["userAwareTokenNeverExpires"]), (&json!(NEVER), &json!(true)));
        let listed = shown(&api, made["id"].as_str().expect("an id")).await;
        assert_eq!((&listed["expirationDate"], &listed["userAwareTokenNeverExpires"]), (&json!(null), &json!(true)));
        assert_eq!(end(&api, at, json!({"name": "u", "userAwareTokenNeverExpires": true})).await, NEVER);
    }
    // Also where tokens end within six months, such a one is shown without an end.
    for at in SIX_MONTHS {
        let all = mine(&api, at).await;
        let never =
            |token: &Value| token["expirationDate"].is_null() && token.get("userAwareTokenNeverExpires").is_none();
        assert!(all.as_array().expect("an array").iter().all(never), "{all}");
    }
    // It does not end, indeed.
    let pat = server.pat(1, &["sp:scopes:default"]).await;
    server.advance(TimeDelta::days(365 * 500));
    server.trade(&pat).await.expect(200);
}

async fn any_day_to_come(server: &Server) {
    let api = server.api(1, &[ALL]).await;
    for at in EXPLICIT {
        for day in ["2026-01-02T03:04:05.679Z", "2026-07-02T03:04:05.679Z", "2500-02-28T23:59:59.000Z", NEVER] {
            assert_eq!(end(&api, at, json!({"expirationDate": day})).await, day, "{at}");
        }
    }
}

async fn a_day_and_an_acknowledgement(server: &Server) {
    let api = server.api(1, &[ALL]).await;
    for at in EXPLICIT {
        let fields = json!({"expirationDate": "2027-01-01T00:00:00Z", "userAwareTokenNeverExpires": true});
        assert_eq!(end(&api, at, fields).await, "2027-01-01T00:00:00.000Z", "a date that is given counts");
    }
}

async fn past_days(server: &Server) {
    let api = server.api(1, &[ALL]).await;
    for (at, explicit) in super::collections() {
        for past in ["2026-01-02T03:04:05.678Z", "2026-01-02T03:04:05Z", "2020-01-01T00:00:00Z", "0001-01-01T00:00:00Z"]
        {
            let fields = json!({"expirationDate": past, "userAwareTokenNeverExpires": explicit});
            refused(&api, at, fields, ILLEGAL).await;
        }
        refused(&api, at, json!({"expirationDate": "2026-01-02T04:04:05.678+02:00"}), ILLEGAL).await;
    }
}

async fn no_times(server: &Server) {
    let api = server.api(1, &[ALL]).await;
    for at in [BETA, V1] {
        for bad in [
            json!("soon"),
            json!(""),
            json!(1_790_000_000),
            json!(true),
            json!([]),
            json!({}),
            json!("2026-02-30T00:00:00Z"),
            json!("2026-02-20T25:00:00Z"),
            json!("20260220T000000Z"),
            json!("2026-02-20T00:00:00+99:00"),
            json!("2026-02-20T00:00:00Z trailing"),
            json!("+12026-02-20T00:00:00Z"),
        ] {
            refused(&api, at, json!({"expirationDate": bad, "userAwareTokenNeverExpires": true}), ILLEGAL).await;
        }
        refill(server);
    }
}

async fn spellings_of_times(server: &Server) {
    let api = server.api(1, &[ALL]).await;
    for at in [BETA, V1] {
        for (given, meant) in [
            ("2026-03-04T01:02:03.456789+00:00", "2026-03-04T01:02:03.456Z"),
            ("2026-03-04T01:02:03", "2026-03-04T01:02:03.000Z"),
            ("2026-03-04T01:02:03.456789", "2026-03-04T01:02:03.456Z"),
            ("2026-03-04T01:02:03Z", "2026-03-04T01:02:03.000Z"),
            ("2026-03-04T01:02:03.4Z", "2026-03-04T01:02:03.400Z"),
            ("2026-03-04T01:02:03.123456789Z", "2026-03-04T01:02:03.123Z"),
            ("2026-03-04T01:02:03-05:30", "2026-03-04T06:32:03.000Z"),
        ] {
            assert_eq!(end(&api, at, json!({"expirationDate": given})).await, meant, "{at} {given}");
        }
    }
}
