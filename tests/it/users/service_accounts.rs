//! `core/users/service_account/`: an account, an app password and perhaps a group (contract §3.3).

use crate::harness::{Server, tests};
use serde_json::{Value, json};

const PATH: &str = "/core/users/service_account/";

tests![made_in_one_go, with_group, expiry, identifiers, names_are_taken_once, faults, permissions];

async fn counts(server: &Server) -> (usize, usize, usize) {
    let admin = server.admin();
    (
        admin.get("/core/users/").await.expect_list("pk").len(),
        admin.get("/core/groups/").await.expect_list("pk").len(),
        admin.get("/core/tokens/").await.expect_list("pk").len(),
    )
}

async fn made_in_one_go(server: &Server) {
    let admin = server.admin();
    let answer = admin.post(PATH, &json!({"name": "Nightly Backup"})).await;
    let made = answer.expect(200);
    let keys: Vec<&String> = made.as_object().expect("an object").keys().collect();
    assert_eq!(keys, ["username", "user_uid", "user_pk", "token"]);
    let user = admin.get(&format!("/core/users/{}/", made["user_pk"])).await.expect(200);
    assert_eq!(user["username"], "Nightly Backup");
    assert_eq!(user["name"], "Nightly Backup");
    assert_eq!(user["uid"], made["user_uid"]);
    assert_eq!(user["type"], "service_account");
    assert_eq!(user["path"], "goauthentik.io/service-accounts");
    assert_eq!(user["attributes"], json!({"goauthentik.io/user/token-expires": true}));
    assert_eq!(user["groups"], json!([]));
    let token = admin.get("/core/tokens/service-account-nightly-backup-password/").await.expect(200);
    assert_eq!((&token["intent"], &token["user"]), (&json!("app_password"), &made["user_pk"]));
    assert_eq!((&token["expires"], &token["expiring"]), (&json!("2026-12-28T03:04:05.678901Z"), &json!(true)));
    let key = made["token"].as_str().expect("text");
    assert_eq!(key.len(), 60);
    assert_eq!(server.key_of("service-account-nightly-backup-password").await, key);
    // An app password does not open the API.
    server.with_key(key).get("/core/users/me/").await.expect_detail(403, "Token invalid/expired");
}

async fn with_group(server: &Server) {
    let made = server.admin().post(PATH, &json!({"name": "svc", "create_group": true})).await.expect(200);
    let keys: Vec<&String> = made.as_object().expect("an object").keys().collect();
    assert_eq!(keys, ["username", "user_uid", "user_pk", "group_pk", "token"]);
    let path = format!("/core/groups/{}/", made["group_pk"].as_str().expect("text"));
    let group = server.admin().get(&path).await.expect(200);
    assert_eq!((&group["name"], &group["users"]), (&json!("svc"), &json!([made["user_pk"]])));
    assert_eq!(group["is_superuser"], false);
}

async fn expiry(server: &Server) {
    let admin = server.admin();
    for (name, fields, expires, expiring) in [
        ("a", json!({"expiring": false}), json!("2026-12-28T03:04:05.678901Z"), false),
        ("b", json!({"expires": "2030-01-01T00:00:00Z"}), json!("2030-01-01T00:00:00Z"), true),
        ("c", json!({"expires": "2030-01-01T00:00:00+01:00", "expiring": "true"}), json!("2029-12-31T23:00:00Z"), true),
        ("d", json!({"create_group": "false"}), json!("2026-12-28T03:04:05.678901Z"), true),
    ] {
        let mut body = json!({"name": name});
        body.as_object_mut().expect("an object").extend(fields.as_object().expect("an object").clone());
        let made = admin.post(PATH, &body).await.expect(200);
        assert!(made.get("group_pk").is_none());
        let token = admin.get(&format!("/core/tokens/service-account-{name}-password/")).await.expect(200);
        assert_eq!((&token["expires"], &token["expiring"]), (&expires, &json!(expiring)), "{name}");
        let user = admin.get(&format!("/core/users/{}/", made["user_pk"])).await.expect(200);
        assert_eq!(user["attributes"], json!({"goauthentik.io/user/token-expires": expiring}));
    }
}

async fn identifiers(server: &Server) {
    for (name, identifier) in [
        ("UPPER", "service-account-upper-password"),
        ("a_b-c", "service-account-a_b-c-password"),
        ("x@y.z!", "service-account-xyz-password"),
        ("two  words", "service-account-two-words-password"),
        ("Ünï x", "service-account-uni-x-password"),
        ("!", "service-account-password"),
    ] {
        server.admin().post(PATH, &json!({"name": name})).await.expect(200);
        server.admin().get(&format!("/core/tokens/{identifier}/")).await.expect(200);
    }
    let made = server.admin().post(PATH, &json!({"name": 42})).await.expect(200);
    assert_eq!(made["username"], "42");
    // As long as a name may be, and longer still in the form that counts: cut, and found under it.
    let long = server.admin().post(PATH, &json!({"name": "㎯".repeat(150)})).await.expect(200);
    let tokens = server.admin().get("/core/tokens/?search=rads2rads2").await.expect(200);
    let found = &tokens["results"][0];
    assert_eq!(found["user"], long["user_pk"]);
    assert_eq!(found["identifier"].as_str().map(str::len), Some(255));
}

async fn names_are_taken_once(server: &Server) {
    let admin = server.admin();
    let taken = json!({"name": ["This field must be unique."]});
    admin.post(PATH, &json!({"name": "svc"})).await.expect(200);
    server.group("team", json!({})).await;
    admin.post("/core/tokens/", &json!({"identifier": "service-account-third-password"})).await.expect(201);
    let before = counts(server).await;
    for body in [
        json!({"name": "svc"}),
        json!({"name": "akadmin"}),
        json!({"name": "team", "create_group": true}),
        json!({"name": "third"}),
        json!({"name": "third", "create_group": true}),
        // Another name, the same identifier.
        json!({"name": "SVC"}),
    ] {
        admin.post(PATH, &body).await.expect_faults(taken.clone());
        assert_eq!(counts(server).await, before, "{body} left something behind");
    }
    admin.post(PATH, &json!({"name": "team"})).await.expect(200);
}

async fn faults(server: &Server) {
    let admin = server.admin();
    let time =
        "Datetime has wrong format. Use one of these formats instead: YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z].";
    let cases: Vec<(Value, Value)> = vec![
        (json!({}), json!({"name": ["This field is required."]})),
        (json!({"name": null}), json!({"name": ["This field may not be null."]})),
        (json!({"name": ""}), json!({"name": ["This field may not be blank."]})),
        (json!({"name": "x".repeat(151)}), json!({"name": ["Ensure this field has no more than 150 characters."]})),
        (json!({"name": "x", "expires": "soon"}), json!({"expires": [time]})),
        (json!({"name": "x", "expiring": "perhaps"}), json!({"expiring": ["Must be a valid boolean."]})),
        (json!({"name": "x", "create_group": 7}), json!({"create_group": ["Must be a valid boolean."]})),
        (json!([]), json!({"non_field_errors": ["Invalid data. Expected a dictionary, but got list."]})),
        (json!("x"), json!({"non_field_errors": ["Invalid data. Expected a dictionary, but got str."]})),
        (json!(null), json!({"non_field_errors": ["No data provided"]})),
    ];
    let before = counts(server).await;
    for (body, expected) in cases {
        admin.post(PATH, &body).await.expect_faults(expected);
    }
    assert_eq!(counts(server).await, before);
    admin.get(PATH).await.expect_detail(405, "Method \"GET\" not allowed.");
    assert_eq!(admin.get(PATH).await.header("allow"), Some("POST, OPTIONS"));
}

async fn permissions(server: &Server) {
    let (user, token, group) = ("authentik_core.add_user", "authentik_core.add_token", "authentik_core.add_group");
    for (name, codes) in [("none", vec![]), ("user", vec![user]), ("token", vec![token]), ("group", vec![group, user])]
    {
        let person = server.holder_of(name, &codes).await;
        person.client.post(PATH, &json!({"name": "svc"})).await.expect_forbidden();
        person.client.post(PATH, &json!({})).await.expect_forbidden();
    }
    let person = server.holder_of("enough", &[user, token]).await;
    let made = person.client.post(PATH, &json!({"name": "svc", "create_group": true})).await.expect(200);
    assert!(made.get("group_pk").is_none(), "the group is left out without a word: {made}");
    let token = server.admin().get("/core/tokens/service-account-svc-password/").await.expect(200);
    assert_eq!(token["user"], made["user_pk"]);
    assert_eq!(token["intent"], "app_password");
    let person = server.holder_of("all", &[user, "authentik_core.add_token", group]).await;
    let made = person.client.post(PATH, &json!({"name": "grouped", "create_group": true})).await.expect(200);
    assert!(made.get("group_pk").is_some());
}
