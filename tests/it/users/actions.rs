//! One's own account, passwords, `used_by`, internal service accounts.

use crate::harness::{BOOTSTRAP_PASSWORD, Server, tests};
use sea_orm::{ConnectionTrait as _, EntityTrait as _};
use serde_json::{Value, json};
use tessera::resource::users;

tests![
    me,
    me_has_merged_settings_and_all_groups,
    me_has_system_permissions,
    passwords_are_set_and_unset,
    bad_passwords,
    internal_service_accounts_do_not_change,
    used_by,
];

async fn me(server: &Server) {
    let ann = server.person_with("ann", json!({"email": "ann@example.org"})).await;
    let user = server.admin().get(&format!("/core/users/{}/", ann.pk)).await.expect(200);
    let expected = json!({"user": {
        "pk": ann.pk, "username": "ann", "name": "ann", "is_active": true, "is_superuser": false, "groups": [],
        "email": "ann@example.org", "avatar": user["avatar"], "uid": user["uid"], "settings": {}, "type": "internal",
        "system_permissions": [],
    }});
    ann.client.get("/core/users/me/").await.expect_body(200, &expected);
    // Not the way to oneself without a permission.
    ann.client.get(&format!("/core/users/{}/", ann.pk)).await.expect_forbidden();
    let admin = server.admin().get("/core/users/me/").await.expect(200);
    assert_eq!(admin["user"]["username"], "akadmin");
    assert_eq!(admin["user"]["is_superuser"], true);
    assert_eq!(admin["user"]["groups"][0]["name"], "authentik Admins");
    assert_eq!(admin["user"]["email"], "root@example.com");
    assert_eq!(admin["user"]["name"], "authentik Default Admin");
    assert_eq!(admin["user"]["system_permissions"].as_array().map(Vec::len), Some(10));
}

async fn me_has_merged_settings_and_all_groups(server: &Server) {
    let settings = |value: Value| json!({"settings": value});
    let top = server.group("z-top", json!({"attributes": settings(json!({"above": 1, "theme": "light"}))})).await;
    let low = server
        .group("low", json!({"parent": top, "attributes": settings(json!({"locale": "de", "theme": "dark"}))}))
        .await;
    let own = settings(json!({"locale": "en"}));
    let ann = server.person_with("ann", json!({"groups": [low], "attributes": own})).await;
    let me = ann.client.get("/core/users/me/").await.expect(200);
    assert_eq!(me["user"]["groups"], json!([{"name": "low", "pk": low}, {"name": "z-top", "pk": top}]));
    // Groups by name, what is above them among them; the account itself has the last word.
    assert_eq!(me["user"]["settings"], json!({"above": 1, "theme": "light", "locale": "en"}));
}

async fn me_has_system_permissions(server: &Server) {
    let ann = server.holder_of("ann", &["authentik_rbac.view_system_info", "authentik_core.view_user"]).await;
    let me = ann.client.get("/core/users/me/").await.expect(200);
    assert_eq!(me["user"]["system_permissions"], json!(["view_system_info"]));
}

async fn password_of(server: &Server, pk: i64) -> (String, chrono::DateTime<chrono::Utc>) {
    let id = i32::try_from(pk).expect("small");
    let user = users::Entity::find_by_id(id).one(server.app.db.read()).await.expect("read").expect("there");
    let statement = format!("SELECT password FROM users WHERE id = {id}");
    let statement = sea_orm::Statement::from_string(server.app.db.backend(), statement);
    let row = server.app.db.read().query_one_raw(statement).await.expect("read").expect("there");
    (row.try_get("", "password").expect("text"), user.password_change_date)
}

async fn passwords_are_set_and_unset(server: &Server) {
    let admin = server.admin();
    let ann = server.person("ann").await;
    let path = format!("/core/users/{}/set_password/", ann.pk);
    let (unusable, made) = password_of(server, ann.pk).await;
    assert!(unusable.starts_with('!'), "a new account has no password");
    server.advance(chrono::TimeDelta::minutes(1));
    admin.post(&path, &json!({"password": " correct horse "})).await.expect_empty(204);
    let (hash, changed) = password_of(server, ann.pk).await;
    assert!(hash.contains("argon2id") && !hash.contains("horse"), "{hash}");
    assert_eq!(changed - made, chrono::TimeDelta::minutes(1));
    // No check of its strength.
    admin.post(&path, &json!({"password": "x"})).await.expect_empty(204);
    server.advance(chrono::TimeDelta::minutes(1));
    for body in [json!({"password": null}), json!({})] {
        admin.post(&path, &json!({"password": "again"})).await.expect_empty(204);
        let (_, before) = password_of(server, ann.pk).await;
        server.advance(chrono::TimeDelta::minutes(1));
        let answer = admin.post(&path, &body).await;
        answer.expect_empty(204);
        let (hash, changed) = password_of(server, ann.pk).await;
        assert!(hash.starts_with('!'), "{body}");
        assert_eq!(changed, before, "making it unusable is no change of the date");
    }
    ann.client.get("/core/users/me/").await.expect(200);
}

async fn bad_passwords(server: &Server) {
    let admin = server.admin();
    let ann = server.person("ann").await;
    let path = format!("/core/users/{}/set_password/", ann.pk);
    let (before, _) = password_of(server, ann.pk).await;
    for body in [json!({"password": []}), json!({"password": {}}), json!({"password": true}), json!([]), json!("x")] {
        admin.post(&path, &body).await.expect(400);
    }
    assert_eq!(password_of(server, ann.pk).await.0, before);
    assert_ne!(BOOTSTRAP_PASSWORD, before);
    ann.client.post(&path, &json!({"password": "mine"})).await.expect_forbidden();
}

async fn internal_service_accounts_do_not_change(server: &Server) {
    let admin = server.admin();
    let ann = server.person("ann").await;
    let statement = format!("UPDATE users SET type = 'internal_service_account' WHERE id = {}", ann.pk);
    server.app.db.write().execute_unprepared(&statement).await.expect("written");
    let path = format!("/core/users/{}/", ann.pk);
    let before = admin.get(&path).await.expect(200);
    assert_eq!(before["type"], "internal_service_account");
    let refused = json!({"non_field_errors": ["Can't modify internal service account users"]});
    for body in [json!({"name": "x"}), json!({"type": "internal"}), json!({})] {
        let answer = admin.patch(&path, &body).await;
        let faults = answer.expect(400);
        let other = json!({"type": ["Can't change internal service account to other user type."]});
        assert!(faults == refused || (body.get("type").is_some() && faults == other), "{faults}");
    }
    admin.put(&path, &json!({"username": "ann", "name": "x"})).await.expect_faults(refused);
    admin.get(&path).await.expect_body(200, &before);
}

async fn used_by(server: &Server) {
    let admin = server.admin();
    let group = server.group("team", json!({})).await;
    let ann = server.person_with("ann", json!({"groups": [group]})).await;
    let used = admin.get(&format!("/core/users/{}/used_by/", ann.pk)).await.expect(200);
    let groups: Vec<&Value> = used.as_array().expect("a list").iter().filter(|u| u["model_name"] == "group").collect();
    let expected = json!({"app": "authentik_core", "model_name": "group", "pk": group, "name": "Group team", "action": "cascade_many"});
    assert_eq!(groups.len(), 1, "{used}");
    for key in ["app", "model_name", "action"] {
        assert_eq!(groups[0][key], expected[key], "{used}");
    }
    // Only what the caller may see.
    let bob = server.holder_of("bob", &["authentik_core.view_user"]).await;
    bob.client.get(&format!("/core/users/{}/used_by/", ann.pk)).await.expect_body(200, &json!([]));
}
