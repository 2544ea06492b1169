//! What is refused, and that it changes nothing.

use super::{PATH, defaults};
use crate::harness::{Server, tests};
use serde_json::{Value, json};

tests![faulty_texts, faulty_durations, faulty_booleans, faulty_lengths, links_that_are_none, faults_change_nothing,];

async fn faulty(server: &Server, name: &str, value: Value, text: &str) {
    let faults = json!({ name: [text] });
    server.admin().patch(PATH, &json!({ name: value })).await.expect_faults(faults.clone());
    server.admin().put(PATH, &json!({ name: value })).await.expect_faults(faults);
}

async fn faulty_texts(server: &Server) {
    for name in ["avatars", "event_retention", "default_token_duration"] {
        for blank in ["", "  "] {
            faulty(server, name, json!(blank), "This field may not be blank.").await;
        }
        faulty(server, name, json!(null), "This field may not be null.").await;
        for bad in [json!(true), json!([]), json!({"a": 1})] {
            faulty(server, name, bad, "Not a valid string.").await;
        }
        let answer = server.admin().patch(PATH, &json!({ name: "a\u{0}" })).await.expect(400);
        assert!(answer[name].to_string().contains("Null characters are not allowed."), "{answer}");
    }
}

async fn faulty_durations(server: &Server) {
    for name in ["event_retention", "default_token_duration"] {
        for bad in [
            "days",
            "days=1;",
            "days=x",
            "fortnights=1",
            "5",
            "days=1, hours=1",
            "weeks=99999999999",
            "days=inf",
            "days=nan",
            "days==1",
            "=1",
            "days =1",
        ] {
            let text = format!("{bad} is not in the correct format of 'hours=3;minutes=1'.");
            faulty(server, name, json!(bad), &text).await;
        }
        faulty(server, name, json!(5), "5 is not in the correct format of 'hours=3;minutes=1'.").await;
    }
}

async fn faulty_booleans(server: &Server) {
    for name in [
        "default_user_change_name",
        "default_user_change_email",
        "default_user_change_username",
        "gdpr_compliance",
        "impersonation",
    ] {
        for bad in [json!("perhaps"), json!(2), json!([]), json!({}), json!("")] {
            faulty(server, name, bad, "Must be a valid boolean.").await;
        }
        faulty(server, name, json!(null), "This field may not be null.").await;
    }
}

async fn faulty_lengths(server: &Server) {
    let name = "default_token_length";
    for bad in [json!("x"), json!(true), json!([]), json!(1.5), json!("")] {
        let answer = server.admin().patch(PATH, &json!({ name: bad })).await;
        // `true` is 1 in Python, and may be here.
        if bad != json!(true) {
            answer.expect_faults(json!({ name: ["A valid integer is required."] }));
        }
    }
    faulty(server, name, json!(0), "Ensure this value is greater than or equal to 1.").await;
    faulty(server, name, json!(-5), "Ensure this value is greater than or equal to 1.").await;
    faulty(server, name, json!(2_147_483_648_i64), "Ensure this value is less than or equal to 2147483647.").await;
    faulty(server, name, json!(null), "This field may not be null.").await;
}

async fn links_that_are_none(server: &Server) {
    let admin = server.admin();
    for bad in [
        json!({}),
        json!("https://example.org"),
        json!(5),
        json!([5]),
        json!(["https://example.org"]),
        json!([[]]),
        json!([{}]),
        json!([{"href": "https://example.org"}]),
        json!([{"name": 5, "href": "https://example.org"}]),
        json!([{"name": "x", "href": 5}]),
        json!([{"name": "x", "href": ["https://example.org"]}]),
        json!([{"name": "x", "href": "javascript:alert(1)"}]),
        json!([{"name": "x", "href": " JavaScript:alert(1)"}]),
        json!([{"name": "x", "href": "java\nscript:alert(1)"}]),
        json!([{"name": "x", "href": "\u{1}javascript:alert(1)"}]),
        json!([{"name": "x", "href": "data:text/html,x"}]),
        json!([{"name": "x", "href": "vbscript:x"}]),
        json!([{"name": "x", "href": "/fine"}, {"name": "y", "href": "javascript:x"}]),
    ] {
        let answer = admin.patch(PATH, &json!({"footer_links": bad})).await.expect(400);
        assert!(answer["footer_links"][0].is_string(), "{bad}: {answer}");
    }
    faulty(server, "footer_links", json!(null), "This field may not be null.").await;
    let nul = json!([{"name": "a\u{0}", "href": "/"}]);
    faulty(server, "footer_links", nul, "Null characters are not allowed.").await;
    admin.get(PATH).await.expect_body(200, &defaults());
}

async fn faults_change_nothing(server: &Server) {
    let admin = server.admin();
    let mark = server.mark().await;
    let body = json!({"avatars": "none", "impersonation": false, "default_token_length": 0, "event_retention": "x"});
    let faults = admin.patch(PATH, &body).await.expect(400);
    assert_eq!(faults.as_object().expect("an object").len(), 2, "all at once: {faults}");
    let body = json!({"avatars": "none", "footer_links": [{"name": "x", "href": "javascript:x"}]});
    admin.put(PATH, &body).await.expect(400);
    for body in [json!([]), json!("x"), json!(null)] {
        admin.patch(PATH, &body).await.expect(400);
    }
    admin.get(PATH).await.expect_body(200, &defaults());
    assert_eq!(server.gists_since(&mark).await, Vec::<String>::new());
}
