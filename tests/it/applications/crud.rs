//! Creating, reading, changing and deleting applications.

use super::{PATH, path};
use crate::{
    bindings::{UNKNOWN, application, bind, dummy, pk},
    harness::{Server, tests},
};
use serde_json::json;

tests![
    create_minimal,
    create_with_everything,
    patch_changes_what_it_names,
    put_keeps_what_is_not_said,
    slugs_are_unique,
    names_are_not,
    one_slug_once,
    another_slug,
    launch_urls_for_whoever_asks,
    deleted,
    ids,
    used_by_nothing,
    events,
    rows_by_grant,
    two_at_one_application,
];

const TAKEN: &str = "Application with this slug already exists.";

async fn create_minimal(server: &Server) {
    let admin = server.admin();
    let made = admin.post(PATH, &json!({"name": "Wiki", "slug": "wiki"})).await.expect(201);
    let expected = json!({
        "pk": made["pk"],
        "name": "Wiki",
        "slug": "wiki",
        "provider": null,
        "provider_obj": null,
        "backchannel_providers": [],
        "backchannel_providers_obj": [],
        "launch_url": null,
        "open_in_new_tab": false,
        "meta_launch_url": "",
        "meta_icon": null,
        "meta_description": "",
        "meta_publisher": "",
        "policy_engine_mode": "any",
        "group": "",
    });
    assert_eq!(made, expected);
    admin.get(&path("wiki")).await.expect_body(200, &expected);
    assert_eq!(admin.get(PATH).await.expect(200)["results"], json!([expected]));
}

async fn create_with_everything(server: &Server) {
    let admin = server.admin();
    let body = json!({
        "name": "  Wiki of all  ", "slug": " The_wiki-1 ", "provider": null, "backchannel_providers": [],
        "open_in_new_tab": "yes", "meta_launch_url": "https://wiki.example.org/start?x=1#y",
        "meta_description": "What everybody\nshould know", "meta_publisher": " Example Org ", "policy_engine_mode": "all",
        "group": "Writing", "pk": UNKNOWN, "meta_icon": "https://x.example.org/", "launch_url": "https://x.example.org/",
        "provider_obj": {}, "unknown": 1,
    });
    let made = admin.post(PATH, &body).await.expect(201);
    let expected = json!({
        "pk": made["pk"], "name": "Wiki of all", "slug": "The_wiki-1", "provider": null, "provider_obj": null,
        "backchannel_providers": [], "backchannel_providers_obj": [],
        "launch_url": "https://wiki.example.org/start?x=1#y", "open_in_new_tab": true,
        "meta_launch_url": "https://wiki.example.org/start?x=1#y", "meta_icon": null,
        "meta_description": "What everybody\nshould know", "meta_publisher": "Example Org",
        "policy_engine_mode": "all", "group": "Writing",
    });
    assert_eq!(made, expected);
    assert_ne!(made["pk"], json!(UNKNOWN));
    admin.get(&path("The_wiki-1")).await.expect_body(200, &expected);
}

async fn patch_changes_what_it_names(server: &Server) {
    let admin = server.admin();
    let mut expected = admin.post(PATH, &json!({"name": "Wiki", "slug": "wiki"})).await.expect(201);
    for (field, value) in [
        ("name", json!("Wiki 2")),
        ("open_in_new_tab", json!(true)),
        ("meta_description", json!("d")),
        ("meta_publisher", json!("p")),
        ("group", json!("g")),
        ("policy_engine_mode", json!("all")),
        ("meta_description", json!("")),
        ("group", json!("")),
    ] {
        expected[field] = value.clone();
        admin.patch(&path("wiki"), &json!({field: value})).await.expect_body(200, &expected);
    }
    for url in ["https://wiki.example.org/", "ftp://files.example.org"] {
        expected["meta_launch_url"] = json!(url);
        expected["launch_url"] = json!(url);
        admin.patch(&path("wiki"), &json!({"meta_launch_url": url})).await.expect_body(200, &expected);
    }
    admin.patch(&path("wiki"), &json!({})).await.expect_body(200, &expected);
    admin.patch(&path("wiki"), &json!({"provider": null})).await.expect_body(200, &expected);
    expected["meta_launch_url"] = json!("");
    expected["launch_url"] = json!(null);
    admin.patch(&path("wiki"), &json!({"meta_launch_url": ""})).await.expect_body(200, &expected);
    admin.get(&path("wiki")).await.expect_body(200, &expected);
}

async fn put_keeps_what_is_not_said(server: &Server) {
    let admin = server.admin();
    let body = json!({
        "name": "Wiki", "slug": "wiki", "open_in_new_tab": true, "meta_launch_url": "https://wiki.example.org/",
        "meta_description": "d", "meta_publisher": "p", "policy_engine_mode": "all", "group": "g",
    });
    let mut expected = admin.post(PATH, &body).await.expect(201);
    admin.post(&format!("{}set_icon_url/", path("wiki")), &json!({"url": "/icon.svg"})).await.expect(200);
    expected["meta_icon"] = json!("/icon.svg");
    expected["name"] = json!("Wiki 2");
    admin.put(&path("wiki"), &json!({"name": "Wiki 2", "slug": "wiki"})).await.expect_body(200, &expected);
    admin.get(&path("wiki")).await.expect_body(200, &expected);
    let faults = json!({"name": ["This field is required."], "slug": ["This field is required."]});
    admin.put(&path("wiki"), &json!({})).await.expect_faults(faults);
}

async fn slugs_are_unique(server: &Server) {
    let admin = server.admin();
    let faults = json!({"slug": [TAKEN]});
    application(server, "wiki", json!({})).await;
    application(server, "mail", json!({})).await;
    for slug in ["wiki", " wiki "] {
        admin.post(PATH, &json!({"name": "Other", "slug": slug})).await.expect_faults(faults.clone());
        admin.patch(&path("mail"), &json!({"slug": slug})).await.expect_faults(faults.clone());
        admin.put(&path("mail"), &json!({"name": "mail", "slug": slug})).await.expect_faults(faults.clone());
    }
    // Its own is free, and capitals are others.
    admin.patch(&path("mail"), &json!({"slug": "mail"})).await.expect(200);
    application(server, "WIKI", json!({})).await;
    assert_eq!(admin.get(&path("wiki")).await.expect(200)["slug"], "wiki");
    assert_eq!(admin.get(&path("WIKI")).await.expect(200)["slug"], "WIKI");
    admin.get(&path("Wiki")).await.expect_missing();
}

async fn names_are_not(server: &Server) {
    for slug in ["a", "b"] {
        application(server, slug, json!({"name": "The same"})).await;
    }
    assert_eq!(server.admin().get(PATH).await.expect_list("name"), ["The same", "The same"]);
}

async fn one_slug_once(server: &Server) {
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let client = server.admin();
        tasks.spawn(async move {
            let answer = client.post(PATH, &json!({"name": "Wiki", "slug": "wiki"})).await;
            (answer.status, answer.json())
        });
    }
    let answers = tasks.join_all().await;
    assert_eq!(answers.iter().filter(|(status, _)| *status == 201).count(), 1, "{answers:?}");
    let faults = json!({"slug": [TAKEN]});
    assert!(answers.iter().all(|(status, body)| *status == 201 || (*status == 400 && *body == faults)), "{answers:?}");
}

async fn another_slug(server: &Server) {
    let admin = server.admin();
    let target = application(server, "old", json!({})).await;
    let one = bind(server, &target, 0, json!({"policy": dummy(server, "no", false).await})).await;
    assert_eq!(admin.patch(&path("old"), &json!({"slug": "new"})).await.expect(200)["slug"], "new");
    admin.get(&path("old")).await.expect_missing();
    admin.get(&format!("{}check_access/", path("old"))).await.expect_missing();
    assert_eq!(pk(&admin.get(&path("new")).await.expect(200)), target);
    // The policies went along, and the old name leads elsewhere now.
    assert_eq!(admin.get(&format!("{}check_access/", path("new"))).await.expect(200)["passing"], false);
    assert_eq!(admin.get(&format!("/policies/bindings/{one}/")).await.expect(200)["target"], json!(target));
    application(server, "old", json!({})).await;
    assert_eq!(admin.get(&format!("{}check_access/", path("old"))).await.expect(200)["passing"], true);
    assert_eq!(admin.put(&path("new"), &json!({"name": "x", "slug": "newer"})).await.expect(200)["slug"], "newer");
    admin.get(&path("new")).await.expect_missing();
}

async fn launch_urls_for_whoever_asks(server: &Server) {
    let admin = server.admin();
    let url = "https://%(username)s.example.org/?mail=%(email)s";
    let made = admin.post(PATH, &json!({"name": "A", "slug": "a", "meta_launch_url": url})).await.expect(201);
    assert_eq!(made["meta_launch_url"], json!(url));
    assert_eq!(made["launch_url"], "https://akadmin.example.org/?mail=root@example.com");
    assert_eq!(admin.get(&path("a")).await.expect(200)["launch_url"], made["launch_url"]);
    let ann = server.person_with("ann", json!({"email": "ann@example.org"})).await;
    server.grant(ann.holder(), "authentik_core.view_application", None).await;
    let hers = json!("https://ann.example.org/?mail=ann@example.org");
    assert_eq!(ann.client.get(&path("a")).await.expect(200)["launch_url"], hers);
    assert_eq!(ann.client.get(PATH).await.expect(200)["results"][0]["launch_url"], hers);
    // Also when somebody looks over a shoulder: it is for the one who asks.
    let over = admin.get(&format!("{PATH}?for_user={}", ann.pk)).await.expect(200);
    assert_eq!(over["results"][0]["launch_url"], made["launch_url"]);
    // Nothing that lets somebody in is ever filled in, and what is unknown stays.
    for (url, shown) in [
        ("https://x.example.org/%(password)s", "https://x.example.org/%(password)s"),
        ("https://x.example.org/%(nothing)s", "https://x.example.org/%(nothing)s"),
        ("https://x.example.org/100%25", "https://x.example.org/100%25"),
        ("blank://blank", "blank://blank"),
    ] {
        let answer = admin.patch(&path("a"), &json!({"meta_launch_url": url})).await.expect(200);
        assert_eq!((&answer["meta_launch_url"], &answer["launch_url"]), (&json!(url), &json!(shown)));
    }
}

async fn deleted(server: &Server) {
    let admin = server.admin();
    let ann = server.person("ann").await;
    let target = application(server, "wiki", json!({})).await;
    server.grant(ann.holder(), "authentik_core.view_application", Some(&target)).await;
    ann.client.get(&path("wiki")).await.expect(200);
    admin.delete(&path("wiki")).await.expect_empty(204);
    for answer in [admin.get(&path("wiki")).await, admin.delete(&path("wiki")).await] {
        answer.expect_missing();
    }
    assert_eq!(admin.get(PATH).await.expect_list("slug"), Vec::<String>::new());
    // Nothing of it is left for the next one of that name.
    assert_ne!(application(server, "wiki", json!({})).await, target);
    ann.client.get(&path("wiki")).await.expect_forbidden();
    let fault = json!({"target": [format!("Invalid pk \"{target}\" - object does not exist.")]});
    let body = json!({"user": ann.pk, "target": target, "order": 0});
    admin.post("/policies/bindings/", &body).await.expect_faults(fault);
}

async fn ids(server: &Server) {
    let admin = server.admin();
    let key = application(server, "wiki", json!({})).await;
    for bad in [key.as_str(), "nothing", "1", "%20", "a.b"] {
        let path = path(bad);
        admin.get(&path).await.expect_missing();
        admin.put(&path, &json!({"name": "a", "slug": "a"})).await.expect_missing();
        admin.patch(&path, &json!({})).await.expect_missing();
        admin.delete(&path).await.expect_missing();
        admin.get(&format!("{path}used_by/")).await.expect_missing();
        admin.get(&format!("{path}check_access/")).await.expect_missing();
        admin.get(&format!("{path}metrics/")).await.expect_missing();
        admin.post(&format!("{path}set_icon_url/"), &json!({"url": "/x"})).await.expect_missing();
    }
}

/// Bindings have no way back (contract: authentik-core §1.9).
async fn used_by_nothing(server: &Server) {
    let target = application(server, "wiki", json!({})).await;
    bind(server, &target, 0, json!({"policy": dummy(server, "no", false).await})).await;
    server.admin().get(&format!("{}used_by/", path("wiki"))).await.expect_body(200, &json!([]));
}

async fn events(server: &Server) {
    let admin = server.admin();
    let mark = server.mark().await;
    let key = application(server, "wiki", json!({"name": "Wiki", "meta_publisher": "Org"})).await;
    let made = server.events_since(&mark).await;
    assert_eq!((made.len(), made[0].action.as_str()), (1, "model_created"));
    let model = json!({
        "app": "authentik_core", "model_name": "application", "pk": key.replace('-', ""), "name": "Wiki",
    });
    assert_eq!(made[0].context["model"], model);
    assert_eq!(made[0].context["diff"]["slug"], json!({"previous_value": null, "new_value": "wiki"}));
    for (call, gist) in [
        ("patch", "model_updated application Wiki"),
        ("put", "model_updated application Wiki"),
        ("icon", "model_updated application Wiki"),
        ("read", ""),
        ("refused", ""),
        ("delete", "model_deleted application Wiki"),
    ] {
        let mark = server.mark().await;
        match call {
            "patch" => admin.patch(&path("wiki"), &json!({"group": "g"})).await.expect_status(200),
            "put" => admin.put(&path("wiki"), &json!({"name": "Wiki", "slug": "wiki"})).await.expect_status(200),
            "icon" => {
                admin.post(&format!("{}set_icon_url/", path("wiki")), &json!({"url": "/x"})).await.expect_status(200);
            }
            "read" => {
                admin.get(PATH).await.expect_status(200);
                admin.get(&path("wiki")).await.expect_status(200);
                admin.get(&format!("{}check_access/", path("wiki"))).await.expect_status(200);
            }
            "refused" => admin.patch(&path("wiki"), &json!({"slug": "a b"})).await.expect_status(400),
            _ => admin.delete(&path("wiki")).await.expect_status(204),
        }
        let expected: Vec<&str> = Some(gist).filter(|gist| !gist.is_empty()).into_iter().collect();
        assert_eq!(server.gists_since(&mark).await, expected, "{call}");
    }
}

/// Which rows there are (contract: authentik-rbac §7); being let in by policies opens none.
async fn rows_by_grant(server: &Server) {
    let mine = application(server, "mine", json!({})).await;
    application(server, "other", json!({})).await;
    let ann = server.person("ann").await;
    let client = &ann.client;
    for slug in ["mine", "other", "nothing"] {
        client.get(&path(slug)).await.expect_forbidden();
        client.patch(&path(slug), &json!({})).await.expect_forbidden();
        client.delete(&path(slug)).await.expect_forbidden();
    }
    client.post(PATH, &json!({})).await.expect_forbidden();
    server.grant(ann.holder(), "authentik_core.view_application", Some(&mine)).await;
    client.get(&path("mine")).await.expect(200);
    client.get(&path("other")).await.expect_missing();
    client.patch(&path("mine"), &json!({})).await.expect_forbidden();
    client.patch(&path("other"), &json!({})).await.expect_missing();
    client.delete(&path("mine")).await.expect_forbidden();
    // A name out of sight is taken all the same.
    server.grant(ann.holder(), "authentik_core.change_application", Some(&mine)).await;
    client.patch(&path("mine"), &json!({"slug": "other"})).await.expect_faults(json!({"slug": [TAKEN]}));
    assert_eq!(client.patch(&path("mine"), &json!({"slug": "my"})).await.expect(200)["slug"], "my");
    server.grant(ann.holder(), "authentik_core.delete_application", Some(&mine)).await;
    client.delete(&path("my")).await.expect_empty(204);
    client.get(&path("my")).await.expect_forbidden();
    let adder = server.holder_of("adder", &["authentik_core.add_application"]).await;
    adder.client.post(PATH, &json!({"name": "New", "slug": "new"})).await.expect(201);
    adder.client.get(&path("new")).await.expect_forbidden();
}

async fn two_at_one_application(server: &Server) {
    let admin = server.admin();
    application(server, "wiki", json!({})).await;
    for round in 0..10 {
        let bodies = [
            json!({"name": format!("a{round}"), "slug": "wiki", "policy_engine_mode": "all", "group": "a"}),
            json!({"name": format!("b{round}"), "slug": "wiki", "policy_engine_mode": "any", "group": "b"}),
        ];
        let (path, second) = (path("wiki"), server.admin());
        let (a, b) = tokio::join!(admin.put(&path, &bodies[0]), second.put(&path, &bodies[1]));
        let states = [a.expect(200), b.expect(200)];
        let now = admin.get(&path).await.expect(200);
        assert!(states.contains(&now), "round {round}: {now} is neither of {states:?}");
        assert_eq!(now["policy_engine_mode"], if now["group"] == "a" { "all" } else { "any" });
    }
}
