//! Secrets at rest: a copied database lets nobody in, and the audit trail holds no credential.

use crate::harness::{BOOTSTRAP_PASSWORD, BOOTSTRAP_TOKEN, SECRET_KEY, Server, tests};
use sea_orm::{ConnectionTrait as _, Statement};
use serde_json::json;

tests![the_database_holds_no_usable_secret, events_hold_no_secret, answers_hold_no_secret];

/// Makes secrets of every kind and uses them; gives them all.
async fn scatter(server: &Server) -> Vec<String> {
    let admin = server.admin();
    let ann = server.person("ann").await;
    ann.client.get("/core/users/me/").await.expect(200);
    let made = admin.post("/core/users/service_account/", &json!({"name": "svc"})).await.expect(200);
    let service = made["token"].as_str().expect("text").to_owned();
    admin.post("/core/tokens/", &json!({"identifier": "set"})).await.expect(201);
    let replaced = server.key_of("set").await;
    let chosen = "a-key-that-somebody-chose-0123456789";
    admin.post("/core/tokens/set/set_key/", &json!({"key": chosen})).await.expect_empty(204);
    server.with_key(chosen).get("/core/users/me/").await.expect(200);
    let password = "a-password-that-somebody-chose";
    let path = format!("/core/users/{}/set_password/", ann.pk);
    admin.post(&path, &json!({"password": password})).await.expect_empty(204);
    // In places where a credential has no business.
    admin.get(&format!("/core/tokens/?search={chosen}&token={chosen}")).await.expect(200);
    admin.patch("/core/tokens/set/", &json!({"description": "harmless", "key": chosen})).await.expect(200);
    [&ann.key, &service, &replaced, chosen, password, BOOTSTRAP_TOKEN, BOOTSTRAP_PASSWORD, SECRET_KEY]
        .into_iter()
        .map(|secret| secret.to_owned())
        .collect()
}

/// Ways in which a secret could be written down.
fn spellings(secret: &str) -> Vec<Vec<u8>> {
    use std::fmt::Write as _;
    let mut hex = String::new();
    for byte in secret.bytes() {
        write!(hex, "{byte:02x}").expect("written");
    }
    let reversed: String = secret.chars().rev().collect();
    vec![
        secret.into(),
        reversed.into(),
        hex.to_uppercase().into(),
        hex.into(),
        secret[4..secret.len() - 4].into(),
        base64(secret).into(),
    ]
}

/// Standard base 64 of a text, without its last incomplete group.
fn base64(text: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digit = |value: u32| char::from(DIGITS[(value & 63) as usize]);
    let groups = text.as_bytes().as_chunks::<3>().0;
    groups
        .iter()
        .flat_map(|g| {
            let all = u32::from(g[0]) << 16 | u32::from(g[1]) << 8 | u32::from(g[2]);
            [digit(all >> 18), digit(all >> 12), digit(all >> 6), digit(all)]
        })
        .collect()
}

pub fn holds(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}

/// Everything that is in the database, as bytes.
pub async fn dump(server: &Server) -> Vec<u8> {
    if server.place.backend() == crate::harness::Backend::Sqlite {
        return server.place.bytes();
    }
    let db = server.app.db.read();
    let query = |sql: String| Statement::from_string(db.get_database_backend(), sql);
    let tables =
        "SELECT table_name::text AS name FROM information_schema.tables WHERE table_schema = 'public'".to_owned();
    let mut all = Vec::new();
    for row in db.query_all_raw(query(tables)).await.expect("tables") {
        let name: String = row.try_get("", "name").expect("a name");
        for row in db.query_all_raw(query(format!("SELECT t::text AS line FROM \"{name}\" t"))).await.expect("rows") {
            all.extend(row.try_get::<String>("", "line").expect("text").into_bytes());
            all.push(b'\n');
        }
    }
    all
}

async fn the_database_holds_no_usable_secret(server: &Server) {
    let secrets = scatter(server).await;
    let bytes = dump(server).await;
    assert!(holds(&bytes, b"ann-login") && holds(&bytes, b"service-account-svc-password"), "this is the database");
    for secret in &secrets {
        for spelling in spellings(secret) {
            assert!(!holds(&bytes, &spelling), "{secret} is in the database as {}", String::from_utf8_lossy(&spelling));
        }
    }
    // Nor does what is there serve as a key.
    let text = String::from_utf8_lossy(&bytes);
    let mut words: Vec<&str> = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|w| w.len() >= 40).collect();
    words.sort_unstable();
    words.dedup();
    for word in words.into_iter().take(300) {
        assert_eq!(server.with_key(word).get("/core/users/me/").await.status, 403, "{word}");
    }
}

async fn events_hold_no_secret(server: &Server) {
    let secrets = scatter(server).await;
    let events = server.events_text().await;
    assert!(events.contains("secret_view") && events.contains("password_set"), "these are the events");
    for secret in &secrets {
        assert!(!events.contains(secret.as_str()), "{secret} is in the events");
    }
    assert!(!events.contains("argon2"), "a hash is in the events");
}

async fn answers_hold_no_secret(server: &Server) {
    let secrets = scatter(server).await;
    let admin = server.admin();
    for path in ["/core/tokens/", "/core/tokens/set/", "/core/users/", "/core/groups/", "/core/users/me/"] {
        let text = admin.get(path).await.text();
        for secret in &secrets {
            assert!(!text.contains(secret.as_str()), "{path} shows {secret}");
        }
        assert!(!text.contains("argon2") && !text.contains("digest") && !text.contains("sealed"), "{path}: {text}");
    }
    let repeated = admin.post("/core/tokens/set/set_key/", &json!({"key": "tsra-damaged-and-secret"})).await;
    repeated.expect(400);
    assert!(!repeated.text().contains("damaged-and-secret"), "{}", repeated.text());
}
