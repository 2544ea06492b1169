//! What bodies of applications may hold, and what is said about the rest (contract: authentik-core §1.3).

use super::{PATH, path};
use crate::{
    bindings::{application, whole},
    harness::{Server, tests},
};
use serde_json::{Value, json};

tests![required, slugs, names, launch_urls, texts, choices, providers, several_at_once, bodies];

const REQUIRED: &str = "This field is required.";
const NULL: &str = "This field may not be null.";
const BLANK: &str = "This field may not be blank.";
const STRING: &str = "Not a valid string.";
const NUL: &str = "Null characters are not allowed.";
const URL: &str = "Enter a valid URL.";
const SLUG: &str = "Enter a valid \"slug\" consisting of letters, numbers, underscores or hyphens.";

/// Each value is refused with its texts, on creation and on changes.
async fn refused(server: &Server, field: &str, cases: Vec<(Value, &[&str])>) {
    application(server, "wiki", json!({})).await;
    let before = server.admin().get(&path("wiki")).await.expect(200);
    for (value, texts) in cases {
        let mut body = json!({"name": "New", "slug": "new"});
        body[field] = value;
        let faults = json!({field: texts});
        server.admin().post(PATH, &body).await.expect_faults(faults.clone());
        server.admin().put(&path("wiki"), &body).await.expect_faults(faults.clone());
        server.admin().patch(&path("wiki"), &body).await.expect_faults(faults);
    }
    server.admin().get(&path("wiki")).await.expect_body(200, &before);
}

async fn required(server: &Server) {
    let admin = server.admin();
    admin.post(PATH, &json!({})).await.expect_faults(json!({"name": [REQUIRED], "slug": [REQUIRED]}));
    admin.post(PATH, &json!({"name": "a"})).await.expect_faults(json!({"slug": [REQUIRED]}));
    admin.post(PATH, &json!({"slug": "a"})).await.expect_faults(json!({"name": [REQUIRED]}));
}

async fn slugs(server: &Server) {
    let long = "s".repeat(51);
    let cases: Vec<(Value, &[&str])> = vec![
        (json!(null), &[NULL]),
        (json!(""), &[BLANK]),
        (json!("  "), &[BLANK]),
        (json!("a b"), &[SLUG]),
        (json!("a.b"), &[SLUG]),
        (json!("a/b"), &[SLUG]),
        (json!("é"), &[SLUG]),
        (json!("a\nb"), &[SLUG]),
        (json!("a\0"), &[NUL, SLUG]),
        (json!(long), &["Ensure this field has no more than 50 characters."]),
    ];
    refused(server, "slug", cases).await;
    for (given, taken) in [
        (json!("s".repeat(50)), "s".repeat(50)),
        (json!("  trimmed "), "trimmed".to_owned()),
        (json!(42), "42".to_owned()),
        (json!(-1), "-1".to_owned()),
        (json!("true"), "true".to_owned()),
        (json!("_"), "_".to_owned()),
        (json!("12345678-1234-4234-8234-123456789abc"), "12345678-1234-4234-8234-123456789abc".to_owned()),
    ] {
        let made = server.admin().post(PATH, &json!({"name": "n", "slug": given})).await.expect(201);
        assert_eq!(made["slug"], json!(taken));
        assert_eq!(server.admin().get(&path(&taken)).await.expect(200)["slug"], json!(taken));
    }
}

async fn names(server: &Server) {
    let cases: Vec<(Value, &[&str])> = vec![
        (json!(null), &[NULL]),
        (json!(""), &[BLANK]),
        (json!(" \t"), &[BLANK]),
        (json!(true), &[STRING]),
        (json!([]), &[STRING]),
        (json!({}), &[STRING]),
        (json!("a\0"), &[NUL]),
    ];
    refused(server, "name", cases).await;
    for (slug, given, taken) in [("a", json!(42), "42"), ("b", json!(" x "), "x"), ("c", json!("日本 🦀"), "日本 🦀")]
    {
        let made = server.admin().post(PATH, &json!({"name": given, "slug": slug})).await.expect(201);
        assert_eq!(made["name"], json!(taken));
    }
}

async fn launch_urls(server: &Server) {
    let cases: Vec<(Value, &[&str])> = vec![
        (json!("wiki.example.org"), &[URL]),
        (json!("/start"), &[URL]),
        (json!("//wiki.example.org/"), &[URL]),
        (json!("javascript:alert(1)"), &[URL]),
        (json!("javascript://x.example.org/%0aalert(1)"), &[URL]),
        (json!("data:text/html,x"), &[URL]),
        (json!("file:///etc/passwd"), &[URL]),
        (json!("mailto:ann@example.org"), &[URL]),
        (json!("https://"), &[URL]),
        (json!("https:// x.example.org/"), &[URL]),
        (json!("blank://other"), &[URL]),
        (json!(null), &[NULL]),
        (json!(true), &[STRING]),
        (json!([]), &[STRING]),
    ];
    refused(server, "meta_launch_url", cases).await;
    for url in [
        "",
        "http://wiki/",
        "https://localhost:8443/a?b=c#d",
        "https://10.0.0.1/",
        "https://%(username)s/",
        "https://%(username)s.example.org/",
        "https://wiki.example.org/u/%(username)s",
        "ftp://files.example.org/",
        "blank://blank",
    ] {
        let answer = server.admin().patch(&path("wiki"), &json!({"meta_launch_url": url})).await.expect(200);
        assert_eq!(answer["meta_launch_url"], json!(url));
    }
}

async fn texts(server: &Server) {
    application(server, "wiki", json!({})).await;
    for field in ["meta_description", "meta_publisher", "group"] {
        for (value, text) in [(json!(null), NULL), (json!({}), STRING), (json!(true), STRING), (json!("a\0"), NUL)] {
            server.admin().patch(&path("wiki"), &json!({field: value})).await.expect_faults(json!({field: [text]}));
        }
        for (given, taken) in [(json!("  "), ""), (json!(" a "), "a"), (json!(7), "7"), (json!(""), "")] {
            let answer = server.admin().patch(&path("wiki"), &json!({field: given})).await.expect(200);
            assert_eq!(answer[field], json!(taken));
        }
    }
}

async fn choices(server: &Server) {
    application(server, "wiki", json!({})).await;
    for (value, text) in [
        (json!("some"), "\"some\" is not a valid choice."),
        (json!(""), "\"\" is not a valid choice."),
        (json!("ANY"), "\"ANY\" is not a valid choice."),
        (json!(" any "), "\" any \" is not a valid choice."),
        (json!(true), "\"True\" is not a valid choice."),
        (json!({"a": 1}), "\"{'a': 1}\" is not a valid choice."),
        (json!(null), NULL),
    ] {
        let faults = json!({"policy_engine_mode": [text]});
        server.admin().patch(&path("wiki"), &json!({"policy_engine_mode": value})).await.expect_faults(faults);
    }
    for (value, text) in [(json!("x"), "Must be a valid boolean."), (json!(null), NULL)] {
        let faults = json!({"open_in_new_tab": [text]});
        server.admin().patch(&path("wiki"), &json!({"open_in_new_tab": value})).await.expect_faults(faults);
    }
}

/// There are no providers yet, so every number is unknown (listed).
async fn providers(server: &Server) {
    let missing = |value: &str| format!("Invalid pk \"{value}\" - object does not exist.");
    let wrong = |name: &str| format!("Incorrect type. Expected pk value, received {name}.");
    let list = |name: &str| format!("Expected a list of items but got type \"{name}\".");
    let cases = [
        ("provider", json!(1), missing("1")),
        ("provider", json!("7"), missing("7")),
        ("provider", json!(-1), missing("-1")),
        ("provider", json!(1.5), missing("1.5")),
        ("provider", json!("x"), wrong("str")),
        ("provider", json!(true), wrong("bool")),
        ("provider", json!([]), wrong("list")),
        ("backchannel_providers", json!([1]), missing("1")),
        ("backchannel_providers", json!([7, 8]), missing("7")),
        ("backchannel_providers", json!(["x"]), wrong("str")),
        ("backchannel_providers", json!("x"), list("str")),
        ("backchannel_providers", json!({"1": 1}), list("dict")),
        ("backchannel_providers", json!(null), NULL.to_owned()),
    ];
    for (field, value, text) in cases {
        let mut body = json!({"name": "Wiki", "slug": "wiki"});
        body[field] = value;
        server.admin().post(PATH, &body).await.expect_faults(json!({field: [text]}));
    }
    for none in [json!({"provider": null}), json!({"provider": ""}), json!({"backchannel_providers": []})] {
        let slug = format!("a{}", none.to_string().len());
        let made = application(server, &slug, none).await;
        assert!(!made.is_empty());
    }
}

async fn several_at_once(server: &Server) {
    let body = json!({
        "name": "", "slug": "a b", "provider": "x", "open_in_new_tab": 7, "meta_launch_url": "x",
        "policy_engine_mode": "x", "group": null, "backchannel_providers": 5,
    });
    let faults = json!({
        "name": [BLANK], "slug": [SLUG], "provider": ["Incorrect type. Expected pk value, received str."],
        "open_in_new_tab": ["Must be a valid boolean."], "meta_launch_url": [URL],
        "policy_engine_mode": ["\"x\" is not a valid choice."], "group": [NULL],
        "backchannel_providers": ["Expected a list of items but got type \"int\"."],
    });
    server.admin().post(PATH, &body).await.expect_faults(faults);
    application(server, "wiki", json!({})).await;
    let body = json!({"name": "n", "slug": "wiki", "provider": 1, "backchannel_providers": [2]});
    let faults = json!({
        "slug": ["Application with this slug already exists."],
        "provider": ["Invalid pk \"1\" - object does not exist."],
        "backchannel_providers": ["Invalid pk \"2\" - object does not exist."],
    });
    server.admin().post(PATH, &body).await.expect_faults(faults);
}

async fn bodies(server: &Server) {
    application(server, "wiki", json!({})).await;
    for (body, name) in [(json!([]), "list"), (json!("x"), "str"), (json!(5), "int"), (json!(true), "bool")] {
        let fault = whole(&format!("Invalid data. Expected a dictionary, but got {name}."));
        server.admin().post(PATH, &body).await.expect_faults(fault.clone());
        server.admin().put(&path("wiki"), &body).await.expect_faults(fault);
    }
}
