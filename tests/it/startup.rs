//! Starting, stopping, starting again, and databases that are not to be touched.

use crate::harness::{BOOTSTRAP_TOKEN, Place, Server, tests};
use sea_orm::ConnectionTrait as _;
use serde_json::json;
use std::time::Duration;

tests![
    the_first_start_makes_the_first_objects,
    bootstrap_values_are_used,
    generated_bootstrap_values,
    a_second_start_keeps_everything,
    another_master_key_is_refused,
    a_newer_database_is_refused,
    a_key_file_is_made_and_needed,
    a_key_file_among_the_data_is_refused,
    a_named_database_file_is_as_private,
    a_damaged_bootstrap_token_is_refused,
    stopping_drains,
    a_second_server_notices_changes,
];

async fn the_first_start_makes_the_first_objects(server: &Server) {
    let fresh = Place::empty(server.place.backend()).await.start().await;
    let admin = fresh.admin();
    let users = admin.get("/core/users/").await.expect(200);
    let list = users["results"].as_array().expect("a list");
    assert_eq!(list.len(), 1, "{users}");
    assert_eq!(list[0]["username"], "akadmin");
    assert_eq!(list[0]["name"], "authentik Default Admin");
    assert_eq!(list[0]["email"], "root@example.com");
    assert_eq!(list[0]["is_superuser"], true);
    let groups = admin.get("/core/groups/").await.expect(200);
    let group = |name: &str| groups["results"].as_array().expect("a list").iter().find(|g| g["name"] == name).cloned();
    let admins = group("authentik Admins").expect("the group");
    assert_eq!((&admins["is_superuser"], &admins["users"]), (&json!(true), &json!([list[0]["pk"]])));
    let readers = group("authentik Read-only").expect("the group");
    assert_eq!(readers["roles_obj"][0]["name"], "authentik Read-only");
    assert_eq!((&readers["is_superuser"], &readers["users"]), (&json!(false), &json!([])));
    let token = admin.get("/core/tokens/authentik-bootstrap-token/").await.expect(200);
    assert_eq!((&token["intent"], &token["expiring"], &token["user"]), (&json!("api"), &json!(false), &list[0]["pk"]));
    // Members of the shipped group read what there is, and change nothing.
    let ann = fresh.person_with("ann", json!({"groups": [readers["pk"]]})).await;
    ann.client.get("/core/users/").await.expect(200);
    ann.client.get("/core/groups/").await.expect(200);
    ann.client.post("/core/groups/", &json!({"name": "x"})).await.expect_forbidden();
    fresh.end().await;
}

async fn bootstrap_values_are_used(server: &Server) {
    let place = Place::empty(server.place.backend()).await;
    let fresh = place
        .start_with(|config| {
            config.bootstrap_email = "chief@example.org".into();
            config.bootstrap_token = Some("with-dots.and_others~".into());
        })
        .await
        .expect("starts");
    use sea_orm::EntityTrait as _;
    let users = tessera::resource::users::Entity::find().all(fresh.app.db.read()).await.expect("read");
    assert_eq!(users[0].email, "chief@example.org");
    assert_eq!(
        fresh.with_key("with-dots.and_others~").get("/core/users/me/").await.expect(200)["user"]["username"],
        "akadmin"
    );
    fresh.with_key(BOOTSTRAP_TOKEN).get("/core/users/me/").await.expect(403);
    fresh.end().await;
}

async fn generated_bootstrap_values(server: &Server) {
    let place = Place::empty(server.place.backend()).await;
    let fresh = place
        .start_with(|config| {
            config.bootstrap_password = None;
            config.bootstrap_token = None;
        })
        .await
        .expect("starts");
    let first = fresh.first().expect("a first start");
    assert_eq!(first.username, "akadmin");
    let token = first.token.as_ref().expect("a token").reveal().to_owned();
    let password = first.password.as_ref().expect("a password").reveal().to_owned();
    assert!(token.starts_with("tsra") && token.len() == 60, "{token}");
    assert!(password.len() >= 20 && password != token);
    fresh.with_key(&token).get("/core/users/").await.expect(200);
    fresh.end().await;
    // What the operator chose is not repeated.
    let given = Place::empty(server.place.backend()).await.start().await;
    let first = given.first().expect("a first start");
    assert!(first.token.is_none() && first.password.is_none());
    given.end().await;
}

async fn a_second_start_keeps_everything(server: &Server) {
    let first = Place::empty(server.place.backend()).await.start().await;
    let ann = first.person("ann").await;
    let users = first.admin().get("/core/users/").await.expect(200);
    let tokens = first.admin().get("/core/tokens/").await.expect(200);
    let events = first.mark().await;
    let place = first.stop().await;
    let second = place
        .start_with(|config| {
            config.bootstrap_token = Some("another-token".into());
            config.bootstrap_password = Some("another password".into());
        })
        .await
        .expect("starts again");
    assert!(second.first().is_none(), "no secret is shown again");
    second.admin().get("/core/users/").await.expect_body(200, &users);
    second.admin().get("/core/tokens/").await.expect_body(200, &tokens);
    second.with_key("another-token").get("/core/users/me/").await.expect(403);
    assert_eq!(second.key_of("ann-login").await, ann.key);
    second.with_key(&ann.key).get("/core/users/me/").await.expect(200);
    assert!(second.mark().await.is_superset(&events));
    second.end().await;
}

async fn another_master_key_is_refused(server: &Server) {
    let place = Place::prepared(server.place.backend()).await;
    let refused = place.start_with(|config| config.secret_key = Some("another".into())).await;
    let text = refused.err().expect("refused");
    assert!(text.contains("sealed under another master key"), "{text}");
    assert!(!text.contains("another\"") && !text.contains(BOOTSTRAP_TOKEN), "{text}");
}

async fn a_newer_database_is_refused(server: &Server) {
    let place = Place::prepared(server.place.backend()).await;
    let db = place.open().await;
    let insert = "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m20990101_000001_future', 1)";
    db.execute_unprepared(insert).await.expect("written");
    db.close().await.expect("closed");
    let text = place.start_with(|_| {}).await.err().expect("refused");
    assert!(text.contains("newer version"), "{text}");
}

async fn a_key_file_is_made_and_needed(server: &Server) {
    let place = Place::empty(server.place.backend()).await;
    let file = place.config().secret_key_file;
    let first = place.start_with(|config| config.secret_key = None).await.expect("starts");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(&file).expect("the file").permissions().mode() & 0o777, 0o600);
    }
    let key = std::fs::read_to_string(&file).expect("the key");
    assert!(key.trim().len() >= 32);
    let second = first.stop().await.start_with(|config| config.secret_key = None).await.expect("starts again");
    second.admin().get("/core/users/me/").await.expect(200);
    assert_eq!(second.key_of("authentik-bootstrap-token").await, BOOTSTRAP_TOKEN);
    let place = second.stop().await;
    std::fs::remove_file(&file).expect("removed");
    let text = place.start_with(|config| config.secret_key = None).await.err().expect("refused");
    assert!(text.contains("missing") && !file.exists(), "{text}");
}

async fn a_key_file_among_the_data_is_refused(server: &Server) {
    let place = Place::empty(server.place.backend()).await;
    let refused = place
        .start_with(|config| {
            config.secret_key = None;
            config.secret_key_file = config.data_dir.join("tessera.key");
        })
        .await;
    assert!(refused.is_err(), "whoever copies the data must not get the key");
}

/// The same rules where `database_url` names the file as for the usual place.
async fn a_named_database_file_is_as_private(server: &Server) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("own").join("file.db");
    let url = format!("sqlite:{}", file.display());
    let place = Place::prepared(server.place.backend()).await;
    let beside = |config: &mut tessera::config::Config| {
        (config.database_url, config.secret_key) = (Some(url.clone()), None);
        config.secret_key_file = folder.path().join("own").join("tessera.key");
    };
    let text = place.start_with(beside).await.err().expect("refused");
    assert!(text.contains("TESSERA_SECRET_KEY_FILE"), "{text}");
    std::fs::remove_dir_all(folder.path().join("own")).expect("removed");
    let elsewhere = |config: &mut tessera::config::Config| {
        (config.database_url, config.secret_key) = (Some(url.clone()), None);
        config.secret_key_file = folder.path().join("tessera.key");
    };
    let place = Place::prepared(server.place.backend()).await;
    let other = place.start_with(elsewhere).await.expect("starts");
    other.admin().get("/core/users/me/").await.expect(200);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = |path: &std::path::Path| std::fs::metadata(path).expect("there").permissions().mode() & 0o777;
        assert_eq!(mode(&folder.path().join("own")), 0o700);
        for entry in std::fs::read_dir(folder.path().join("own")).expect("the folder") {
            let path = entry.expect("an entry").path();
            assert_eq!(mode(&path), 0o600, "{}", path.display());
        }
        assert_eq!(mode(&folder.path().join("tessera.key")), 0o600);
    }
    let names = std::fs::read_dir(folder.path()).expect("the folder").count();
    assert_eq!(names, 2, "the folder and the key, and nothing half-written");
    other.end().await;
}

async fn a_damaged_bootstrap_token_is_refused(server: &Server) {
    let place = Place::empty(server.place.backend()).await;
    let refused = place.start_with(|config| config.bootstrap_token = Some("tsraDamaged".into())).await;
    let text = refused.err().expect("refused");
    assert!(!text.contains("Damaged"), "{text}");
}

async fn stopping_drains(server: &Server) {
    let other = server.another(|_| {}).await;
    let mut tasks = tokio::task::JoinSet::new();
    for index in 0..10 {
        let client = other.admin();
        tasks.spawn(async move {
            let body = json!({"username": format!("u{index}"), "name": ""});
            let user = client.post("/core/users/", &body).await.expect(201);
            user["username"].as_str().expect("text").to_owned()
        });
    }
    let mut made = tasks.join_all().await;
    let (address, client) = (other.address(), other.admin());
    let slow =
        tokio::spawn(async move { client.post("/core/users/", &json!({"username": "late", "name": ""})).await.status });
    tokio::time::sleep(Duration::from_millis(20)).await;
    let place = tokio::time::timeout(Duration::from_secs(20), other.stop()).await.expect("stops");
    assert!(tokio::net::TcpStream::connect(address).await.is_err(), "nobody listens any more");
    if slow.await.is_ok_and(|status| status == 201) {
        made.push("late".into());
    }
    let again = place.start_with(|_| {}).await.expect("starts");
    let listed = again.admin().get("/core/users/").await.expect_list("username");
    assert!(made.iter().all(|name| listed.contains(name)), "{made:?} {listed:?}");
    again.end().await;
}

/// A command line, or a replica: what it changes is noticed within a second.
async fn a_second_server_notices_changes(server: &Server) {
    let ann = server.person("ann").await;
    ann.client.get("/core/users/me/").await.expect(200);
    let config = server.place.config();
    let clock = std::sync::Arc::clone(&server.clock);
    let entropy = std::sync::Arc::new(tessera::ctx::SeededEntropy::new(99));
    let second = tessera::server::start(config, clock, entropy).await.expect("a second server");
    let client = crate::harness::Client::new(second.api, Some(BOOTSTRAP_TOKEN.to_owned()));
    client.delete("/core/tokens/ann-login/").await.expect_empty(204);
    tokio::time::sleep(Duration::from_millis(1500)).await;
    ann.client.get("/core/users/me/").await.expect_detail(403, "Token invalid/expired");
    second.stop().await;
}
