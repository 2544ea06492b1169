//! What the fields of a token take, and the words for what they do not.

use crate::harness::{Server, tests};
use serde_json::{Value, json};

tests![identifiers_are_trimmed, identifiers_have_a_form, other_fields_have_types, owners_are_keys, all_faults_at_once];

const SLUG: &str = r#"Enter a valid "slug" consisting of letters, numbers, underscores or hyphens."#;

async fn identifiers_are_trimmed(server: &Server) {
    let admin = server.admin();
    for (given, kept) in
        [(json!("  padded\t"), "padded"), (json!(42), "42"), (json!(-1), "-1"), (json!("true"), "true")]
    {
        let token = admin.post("/core/tokens/", &json!({"identifier": given})).await.expect(201);
        assert_eq!(token["identifier"], kept);
        admin.get(&format!("/core/tokens/{kept}/")).await.expect(200);
    }
    admin.patch("/core/tokens/padded/", &json!({"identifier": "\n again "})).await.expect(200);
    admin.get("/core/tokens/again/").await.expect(200);
    let longest = "x".repeat(255);
    admin.post("/core/tokens/", &json!({"identifier": longest})).await.expect(201);
    admin.get(&format!("/core/tokens/{longest}/")).await.expect(200);
}

async fn identifiers_have_a_form(server: &Server) {
    let admin = server.admin();
    let cases: Vec<(Value, Value)> = vec![
        (json!(null), json!(["This field may not be null."])),
        (json!(""), json!(["This field may not be blank."])),
        (json!("  "), json!(["This field may not be blank."])),
        (json!("a b"), json!([SLUG])),
        (json!("a/b"), json!([SLUG])),
        (json!("ümlaut"), json!([SLUG])),
        (json!("a\nb"), json!([SLUG])),
        (json!(true), json!([SLUG])),
        (json!(1.5), json!([SLUG])),
        (json!([]), json!([SLUG])),
        (json!(["a"]), json!([SLUG])),
        (json!({}), json!([SLUG])),
        (json!("a\u{0}b"), json!(["Null characters are not allowed.", SLUG])),
        (json!("x".repeat(256)), json!(["Ensure this field has no more than 255 characters."])),
    ];
    for (given, texts) in cases {
        let faults = json!({"identifier": texts});
        let answer = admin.post("/core/tokens/", &json!({"identifier": given})).await;
        let sorted = |mut v: Value| {
            // The order of two texts about one field is nobody's business.
            if let Some(list) = v["identifier"].as_array_mut() {
                list.sort_by_key(ToString::to_string);
            }
            v
        };
        assert_eq!(sorted(answer.expect(400)), sorted(faults.clone()), "{}", answer.request);
        let answer = admin.patch("/core/tokens/authentik-bootstrap-token/", &json!({"identifier": given})).await;
        assert_eq!(sorted(answer.expect(400)), sorted(faults), "{}", answer.request);
    }
    assert_eq!(admin.get("/core/tokens/").await.expect_list("identifier"), ["authentik-bootstrap-token"]);
}

async fn other_fields_have_types(server: &Server) {
    let admin = server.admin();
    let cases = [
        ("description", json!(null), "This field may not be null."),
        ("description", json!(true), "Not a valid string."),
        ("description", json!({}), "Not a valid string."),
        ("description", json!("a\u{0}"), "Null characters are not allowed."),
        ("managed", json!([]), "Not a valid string."),
        ("managed", json!("  "), "This field may not be blank."),
        ("expiring", json!(null), "This field may not be null."),
        ("expiring", json!("maybe"), "Must be a valid boolean."),
        ("expiring", json!(42), "Must be a valid boolean."),
        ("expiring", json!(""), "Must be a valid boolean."),
        ("expiring", json!([]), "Must be a valid boolean."),
        ("intent", json!(null), "This field may not be null."),
        ("user", json!(null), "This field may not be null."),
    ];
    for (field, value, text) in cases {
        let mut body = json!({"identifier": "t"});
        body[field] = value;
        admin.post("/core/tokens/", &body).await.expect_faults(json!({field: [text]}));
    }
    for (index, truth) in
        [json!(true), json!(1), json!("yes"), json!("on"), json!("t"), json!("True")].into_iter().enumerate()
    {
        let body = json!({"identifier": format!("yes{index}"), "expiring": truth});
        assert_eq!(admin.post("/core/tokens/", &body).await.expect(201)["expiring"], true, "{body}");
    }
    for (index, lie) in
        [json!(false), json!(0), json!("no"), json!("off"), json!("f"), json!("false")].into_iter().enumerate()
    {
        let body = json!({"identifier": format!("no{index}"), "expiring": lie, "description": index});
        let token = admin.post("/core/tokens/", &body).await.expect(201);
        assert_eq!((&token["expiring"], &token["description"]), (&json!(false), &json!(index.to_string())), "{body}");
    }
    let token =
        admin.post("/core/tokens/", &json!({"identifier": "trimmed", "description": "  a b "})).await.expect(201);
    assert_eq!(token["description"], "a b");
}

async fn owners_are_keys(server: &Server) {
    let admin = server.admin();
    let wrong = |kind: &str| format!("Incorrect type. Expected pk value, received {kind}.");
    let missing = |value: &str| format!("Invalid pk \"{value}\" - object does not exist.");
    let cases = [
        (json!("abc"), wrong("str")),
        (json!([]), wrong("list")),
        (json!({}), wrong("dict")),
        (json!(true), wrong("bool")),
        (json!(999_999), missing("999999")),
        (json!(-1), missing("-1")),
        (json!("999999"), missing("999999")),
        (json!(1.5), missing("1.5")),
        (json!(1_u64 << 40), missing("1099511627776")),
    ];
    for (user, text) in cases {
        let faults = json!({"user": [text]});
        admin.post("/core/tokens/", &json!({"identifier": "t", "user": user})).await.expect_faults(faults);
    }
    let ann = server.person("ann").await;
    let body = json!({"identifier": "t", "user": ann.pk.to_string()});
    assert_eq!(admin.post("/core/tokens/", &body).await.expect(201)["user"], ann.pk);
}

async fn all_faults_at_once(server: &Server) {
    let admin = server.admin();
    let body = json!({
        "identifier": "not a slug", "intent": "foo", "user": "x", "description": [], "expires": "x", "expiring": "x", "managed": {},
    });
    let faults = admin.post("/core/tokens/", &body).await.expect(400);
    let fields: Vec<&String> = faults.as_object().expect("an object").keys().collect();
    assert_eq!(fields.len(), 7, "{faults}");
    // Also those that need the database, together after the others.
    let body = json!({"identifier": "authentik-bootstrap-token", "user": 999_999});
    let faults = admin.post("/core/tokens/", &body).await.expect(400);
    let expected = json!({
        "identifier": ["Token with this identifier already exists."],
        "user": ["Invalid pk \"999999\" - object does not exist."],
    });
    assert_eq!(faults, expected);
}
