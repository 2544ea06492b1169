//! Keys: their form, who may see and set them, what they open.

use crate::harness::{BOOTSTRAP_TOKEN, Server, tests};
use serde_json::{Value, json};

tests![
    generated_keys_have_a_form,
    mistyped_keys_are_refused,
    keys_are_shown_to_those_who_may,
    only_api_tokens_open_the_api,
    set_key_replaces_the_key,
    set_key_takes_any_text_but_damaged_keys,
    set_key_refuses_what_is_no_text,
    set_key_is_unique,
    set_key_is_for_superusers,
];

/// CRC-32 (IEEE) of a text in six digits of base 62, computed without the server's code.
fn checksum(text: &str) -> String {
    let mut crc = u32::MAX;
    for byte in text.bytes() {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 };
        }
    }
    let mut rest = !crc;
    let digits = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut out = Vec::new();
    for _ in 0..6 {
        out.push(char::from(digits[(rest % 62) as usize]));
        rest /= 62;
    }
    out.iter().rev().collect()
}

async fn generated_keys_have_a_form(server: &Server) {
    let mut seen = std::collections::BTreeSet::new();
    for (index, intent) in ["api", "api", "app_password"].into_iter().enumerate() {
        let identifier = format!("t{index}");
        server.admin().post("/core/tokens/", &json!({"identifier": identifier, "intent": intent})).await.expect(201);
        let key = server.key_of(&identifier).await;
        assert_eq!(key.len(), 60, "{key}");
        assert!(key.starts_with("tsra") && key.bytes().all(|b| b.is_ascii_alphanumeric()), "{key}");
        assert_eq!(key[54..], checksum(&key[..54]), "{key}");
        assert_eq!(server.key_of(&identifier).await, key, "it is the same each time");
        assert!(seen.insert(key));
    }
}

async fn mistyped_keys_are_refused(server: &Server) {
    let ann = server.person("ann").await;
    let mut damaged: Vec<String> = Vec::new();
    for at in [4, 20, 53, 54, 59] {
        let mut key: Vec<u8> = ann.key.clone().into_bytes();
        key[at] = if key[at] == b'x' { b'y' } else { b'x' };
        damaged.push(String::from_utf8(key).expect("text"));
    }
    damaged.extend([ann.key.to_uppercase(), format!("{}x", ann.key), ann.key[..59].to_owned(), "tsra".to_owned()]);
    for key in damaged {
        server.with_key(&key).get("/core/users/me/").await.expect_detail(403, "Token invalid/expired");
    }
    ann.client.get("/core/users/me/").await.expect(200);
}

async fn keys_are_shown_to_those_who_may(server: &Server) {
    let ann = server.person("ann").await;
    let admin = server.admin();
    // Made by an administrator: listed, but not shown.
    ann.client.get("/core/tokens/ann-login/").await.expect(200);
    ann.client.get("/core/tokens/ann-login/view_key/").await.expect_forbidden();
    // Made by oneself: shown.
    let own = ann.client.post("/core/tokens/", &json!({"identifier": "own"})).await.expect(201);
    let shown = ann.client.get("/core/tokens/own/view_key/").await.expect(200);
    admin.get("/core/tokens/own/view_key/").await.expect_body(200, &shown);
    let key = shown["key"].as_str().expect("a key");
    assert_eq!(server.with_key(key).get("/core/users/me/").await.expect(200)["user"]["username"], "ann");
    // The right is to the token, whatever its name.
    ann.client.patch("/core/tokens/own/", &json!({"identifier": "renamed"})).await.expect(200);
    ann.client.get("/core/tokens/renamed/view_key/").await.expect_body(200, &shown);
    // It ends with the token.
    ann.client.delete("/core/tokens/renamed/").await.expect_empty(204);
    let again = json!({"identifier": "renamed", "user": ann.pk});
    let token = admin.post("/core/tokens/", &again).await.expect(201);
    assert_ne!(token["pk"], own["pk"]);
    ann.client.get("/core/tokens/renamed/view_key/").await.expect_forbidden();
    // Held on the object, or globally.
    server.grant(ann.holder(), "authentik_core.view_token_key", token["pk"].as_str()).await;
    ann.client.get("/core/tokens/renamed/view_key/").await.expect(200);
    ann.client.get("/core/tokens/ann-login/view_key/").await.expect_forbidden();
    server.grant(ann.holder(), "authentik_core.view_token_key", None).await;
    ann.client.get("/core/tokens/ann-login/view_key/").await.expect_body(200, &json!({"key": ann.key}));
}

async fn only_api_tokens_open_the_api(server: &Server) {
    let admin = server.admin();
    admin.post("/core/tokens/", &json!({"identifier": "app", "intent": "app_password"})).await.expect(201);
    let key = server.key_of("app").await;
    for path in ["/core/users/me/", "/core/tokens/", "/root/config/"] {
        server.with_key(&key).get(path).await.expect_detail(403, "Token invalid/expired");
    }
    admin.patch("/core/tokens/app/", &json!({"intent": "api"})).await.expect(200);
    server.with_key(&key).get("/core/users/me/").await.expect(200);
    admin.patch("/core/tokens/app/", &json!({"intent": "app_password"})).await.expect(200);
    server.with_key(&key).get("/core/users/me/").await.expect_detail(403, "Token invalid/expired");
}

async fn set_key_replaces_the_key(server: &Server) {
    let ann = server.person("ann").await;
    let admin = server.admin();
    let before = admin.get("/core/tokens/ann-login/").await.expect(200);
    admin.post("/core/tokens/ann-login/set_key/", &json!({"key": "a-chosen-key"})).await.expect_empty(204);
    ann.client.get("/core/users/me/").await.expect_detail(403, "Token invalid/expired");
    let me = server.with_key("a-chosen-key").get("/core/users/me/").await.expect(200);
    assert_eq!(me["user"]["username"], "ann");
    assert_eq!(server.key_of("ann-login").await, "a-chosen-key");
    admin.get("/core/tokens/ann-login/").await.expect_body(200, &before);
    // The old key is free again, and the same key may be set twice.
    admin.post("/core/tokens/ann-login/set_key/", &json!({"key": ann.key})).await.expect_empty(204);
    admin.post("/core/tokens/ann-login/set_key/", &json!({"key": ann.key})).await.expect_empty(204);
    ann.client.get("/core/users/me/").await.expect(200);
    server.with_key("a-chosen-key").get("/core/users/me/").await.expect_detail(403, "Token invalid/expired");
}

async fn set_key_takes_any_text_but_damaged_keys(server: &Server) {
    let admin = server.admin();
    admin.post("/core/tokens/", &json!({"identifier": "t"})).await.expect(201);
    let generated = server.key_of("t").await;
    let long = "k".repeat(5000);
    for key in
        ["x", "1234", "TSRA-upper", "Ключ–ü", "with'quote\"and\\slash", "eyJhbGciOiJIUzI1NiJ9.e30.x", &long, &generated]
    {
        admin.post("/core/tokens/t/set_key/", &json!({"key": key})).await.expect_empty(204);
        assert_eq!(server.key_of("t").await, key);
        if key.is_ascii() && key.len() < 1000 {
            server.with_key(key).get("/core/users/me/").await.expect(200);
        }
    }
    let mut damaged = generated.clone();
    damaged.replace_range(59.., if damaged.ends_with('x') { "y" } else { "x" });
    for bad in [&damaged, "tsra", "tsra-by-hand"] {
        admin.post("/core/tokens/t/set_key/", &json!({"key": bad})).await.expect(400);
        assert_eq!(server.key_of("t").await, generated);
    }
}

async fn set_key_refuses_what_is_no_text(server: &Server) {
    let admin = server.admin();
    for body in [json!({}), json!({"key": ""}), json!({"other": "x"})] {
        admin.post("/core/tokens/authentik-bootstrap-token/set_key/", &body).await.expect_empty(400);
    }
    for key in [json!(null), json!(5), json!(true), json!([]), json!(["k"]), json!({"a": 1}), json!("a\u{0}b")] {
        admin.post("/core/tokens/authentik-bootstrap-token/set_key/", &json!({"key": key})).await.expect(400);
    }
    for body in [json!([]), json!("k"), json!(5), Value::Null] {
        admin.post("/core/tokens/authentik-bootstrap-token/set_key/", &body).await.expect(400);
    }
    assert_eq!(server.key_of("authentik-bootstrap-token").await, BOOTSTRAP_TOKEN);
}

async fn set_key_is_unique(server: &Server) {
    let ann = server.person("ann").await;
    let admin = server.admin();
    admin.post("/core/tokens/", &json!({"identifier": "t"})).await.expect(201);
    let before = server.key_of("t").await;
    for taken in [ann.key.as_str(), BOOTSTRAP_TOKEN] {
        let answer = admin.post("/core/tokens/t/set_key/", &json!({"key": taken})).await;
        answer.expect(400);
        assert!(!answer.text().contains(taken), "the answer repeats the key");
    }
    assert_eq!(server.key_of("t").await, before);
}

async fn set_key_is_for_superusers(server: &Server) {
    let ann = server.holder_of("ann", &["authentik_core.change_token", "authentik_core.view_token_key"]).await;
    ann.client.post("/core/tokens/", &json!({"identifier": "own"})).await.expect(201);
    ann.client.post("/core/tokens/own/set_key/", &json!({"key": "x"})).await.expect_forbidden();
    // Permissions come before the body.
    ann.client.post("/core/tokens/own/set_key/", &json!({})).await.expect_forbidden();
    server.with_key("x").get("/core/users/me/").await.expect_detail(403, "Token invalid/expired");
}
