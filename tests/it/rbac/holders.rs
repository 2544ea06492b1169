//! Who holds permissions on a model (contract: authentik-rbac §4.1).

use super::{Target, UNKNOWN, globally, on, text};
use crate::harness::{Server, tests};
use http::Method;
use serde_json::{Value, json};

tests![
    the_model_is_required,
    permissions_come_before_parameters,
    only_lists,
    roles_that_hold_something,
    accounts_that_hold_something,
    superusers_are_always_listed,
    one_object,
    only_visible_holders,
    all_object_grants_are_shown,
    search_and_ordering_do_nothing,
    pages,
];

const ROLES: &str = "/rbac/permissions/assigned_by_roles/";
const USERS: &str = "/rbac/permissions/assigned_by_users/";
const GROUP: &str = "authentik_core.group";

async fn roles(server: &Server, query: &str) -> Vec<String> {
    server.admin().get(&format!("{ROLES}?model={GROUP}{query}")).await.expect_list("name")
}

async fn users(server: &Server, query: &str) -> Vec<String> {
    server.admin().get(&format!("{USERS}?model={GROUP}{query}")).await.expect_list("username")
}

async fn the_model_is_required(server: &Server) {
    let admin = server.admin();
    for path in [ROLES, USERS] {
        let required = json!({"model": ["This field is required."]});
        admin.get(path).await.expect_faults(required.clone());
        admin.get(&format!("{path}?model=")).await.expect_faults(required.clone());
        admin.get(&format!("{path}?object_pk=1&search=x")).await.expect_faults(required);
        for unknown in
            ["nope", "group", "authentik_core.Group", "authentik_core.nope", "authentik_rbac.systempermission"]
        {
            let fault = format!("Select a valid choice. {unknown} is not one of the available choices.");
            admin.get(&format!("{path}?model={unknown}")).await.expect_faults(json!({"model": [fault]}));
        }
        // Known to the original, and nobody holds anything on it here.
        admin.get(&format!("{path}?model=authentik_blueprints.blueprintinstance")).await.expect(200);
    }
    let none = admin.get(&format!("{ROLES}?model=authentik_blueprints.blueprintinstance")).await.expect_list("name");
    assert_eq!(none, Vec::<String>::new());
}

async fn permissions_come_before_parameters(server: &Server) {
    let [nobody, viewer, reader] = [
        server.person("nobody").await,
        server.holder_of("viewer", &["authentik_core.view_user"]).await,
        server.holder_of("reader", &["authentik_rbac.view_role"]).await,
    ];
    for query in ["", "?model=nope", "?model=authentik_core.group", "?model=authentik_core.group&page=9"] {
        for path in [ROLES, USERS] {
            nobody.client.get(&format!("{path}{query}")).await.expect_forbidden();
        }
        viewer.client.get(&format!("{ROLES}{query}")).await.expect_forbidden();
        reader.client.get(&format!("{USERS}{query}")).await.expect_forbidden();
    }
    viewer.client.get(USERS).await.expect(400);
    reader.client.get(ROLES).await.expect(400);
    viewer.client.get(&format!("{USERS}?model={GROUP}")).await.expect(200);
    reader.client.get(&format!("{ROLES}?model={GROUP}")).await.expect(200);
}

async fn only_lists(server: &Server) {
    let admin = server.admin();
    for (path, key) in [(ROLES, UNKNOWN), (USERS, "1")] {
        for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            let text = format!("Method \"{method}\" not allowed.");
            admin.request(method, path).json(&json!({})).send().await.expect_detail(405, &text);
        }
        let detail = admin.get(&format!("{path}{key}/")).await;
        detail.expect_status(404);
        assert!(detail.header("content-type").is_some_and(|t| t.starts_with("text/html")), "{}", detail.text());
    }
}

/// A role and an account of each kind: holding globally, on one group, on another, on another model.
async fn various(server: &Server, group: &str, other: &str) {
    for (name, body) in [
        ("d-global", globally(&["authentik_core.add_group"])),
        ("c-on-one", on(GROUP, group, &["view_group"])),
        ("b-on-other", on(GROUP, other, &["change_group", "view_group"])),
        ("a-else", globally(&["authentik_core.view_token"])),
        ("z-else", on("authentik_core.user", "1", &["view_user"])),
    ] {
        for target in Target::both(server, name).await {
            server.admin().post(&target.assign(), &body).await.expect(200);
        }
    }
}

async fn roles_that_hold_something(server: &Server) {
    let shipped = server.admin().get(&format!("{ROLES}?model={GROUP}")).await.expect(200);
    let expected = json!([{
        "role_pk": shipped["results"][0]["role_pk"], "name": "authentik Read-only", "permissions": [],
    }]);
    assert_eq!(shipped["results"], expected);
    let (one, other) = (server.group("one", json!({})).await, server.group("other", json!({})).await);
    various(server, &one, &other).await;
    assert_eq!(roles(server, "").await, ["authentik Read-only", "b-on-other", "c-on-one", "d-global"]);
    let list = server.admin().get(&format!("{ROLES}?model={GROUP}")).await.expect(200);
    let codes = |place: usize| {
        let held = list["results"][place]["permissions"].as_array().expect("a list");
        held.iter().map(|grant| text(&grant["codename"])).collect::<Vec<_>>()
    };
    assert_eq!(
        (codes(0), codes(1), codes(2), codes(3)),
        (vec![], vec!["change_group".to_owned(), "view_group".to_owned()], vec!["view_group".to_owned()], vec![],)
    );
    let grant = &list["results"][2]["permissions"][0];
    let expected = json!({
        "id": grant["id"], "codename": "view_group", "model": "group", "app_label": "authentik_core",
        "object_pk": one, "name": "Can view Group",
    });
    assert_eq!(*grant, expected);
}

async fn accounts_that_hold_something(server: &Server) {
    let (one, other) = (server.group("one", json!({})).await, server.group("other", json!({})).await);
    various(server, &one, &other).await;
    assert_eq!(users(server, "").await, ["akadmin", "b-on-other", "c-on-one", "d-global"]);
    let list = server.admin().get(&format!("{USERS}?model={GROUP}")).await.expect(200);
    let shown = &list["results"][2];
    let user = server.admin().get(&format!("/core/users/{}/", shown["pk"])).await.expect(200);
    let grant = &shown["permissions"][0];
    let expected = json!({
        "pk": user["pk"], "username": "c-on-one", "name": "c-on-one", "is_active": true, "last_login": null,
        "email": "", "attributes": {}, "uid": user["uid"], "is_superuser": false,
        "permissions": [{
            "id": grant["id"], "codename": "view_group", "model": "group", "app_label": "authentik_core",
            "object_pk": one, "name": "Can view Group",
        }],
    });
    assert_eq!(*shown, expected);
    assert_eq!((&list["results"][3]["permissions"], &list["results"][0]["is_superuser"]), (&json!([]), &json!(true)));
    // What roles give an account is not its own.
    let role = server.role("r", &["authentik_core.view_group"]).await.to_string();
    let carrier = server.group("carrier", json!({"roles": [role]})).await;
    server.person_with("member", json!({"groups": [carrier]})).await;
    assert_eq!(users(server, "").await.len(), 4);
}

async fn superusers_are_always_listed(server: &Server) {
    let admins = server.group("admins", json!({"is_superuser": true})).await;
    let below = server.group("below", json!({"parent": admins})).await;
    server.person_with("chief", json!({"groups": [admins]})).await;
    server.person_with("idle", json!({"groups": [admins], "is_active": false})).await;
    // A superuser, too, and no direct member.
    server.person_with("deputy", json!({"groups": [below]})).await;
    for query in ["", &format!("&object_pk={below}"), "&object_pk=nonsense"] {
        assert_eq!(users(server, query).await, ["akadmin", "chief", "idle"], "{query}");
    }
    let none = server.admin().get(&format!("{USERS}?model=authentik_blueprints.blueprintinstance")).await;
    assert_eq!(none.expect_list("username"), ["akadmin", "chief", "idle"]);
    assert_eq!(roles(server, "&object_pk=nonsense").await, Vec::<String>::new());
}

async fn one_object(server: &Server) {
    let (one, other) = (server.group("one", json!({})).await, server.group("other", json!({})).await);
    various(server, &one, &other).await;
    for (key, holder) in [(&one, "c-on-one"), (&other, "b-on-other")] {
        // Whoever holds for all drops out.
        assert_eq!(roles(server, &format!("&object_pk={key}")).await, [holder]);
        assert_eq!(users(server, &format!("&object_pk={key}")).await, ["akadmin", holder]);
    }
    for nothing in [UNKNOWN, "x", "%27", "1"] {
        assert_eq!(roles(server, &format!("&object_pk={nothing}")).await, Vec::<String>::new());
        assert_eq!(users(server, &format!("&object_pk={nothing}")).await, ["akadmin"]);
    }
    // The key of an account, asked about another model.
    let of_user = server.admin().get(&format!("{ROLES}?model=authentik_core.user&object_pk=1")).await;
    assert_eq!(of_user.expect_list("name"), ["z-else"]);
    assert_eq!(roles(server, "&object_pk=").await.len(), 4);
}

async fn only_visible_holders(server: &Server) {
    let (one, other) = (server.group("one", json!({})).await, server.group("other", json!({})).await);
    various(server, &one, &other).await;
    let admin = server.admin();
    let role = admin.get("/rbac/roles/?group__name=c-on-one").await.expect_list("pk").remove(0);
    let user = admin.get("/core/users/?username=c-on-one").await.expect_list("pk").remove(0);
    let ann = server.person("ann").await;
    server.grant(ann.holder(), "authentik_rbac.view_role", Some(&role)).await;
    server.grant(ann.holder(), "authentik_core.view_user", Some(&user)).await;
    let (roles, users) = (format!("{ROLES}?model={GROUP}"), format!("{USERS}?model={GROUP}"));
    assert_eq!(ann.client.get(&roles).await.expect_list("name"), ["c-on-one"]);
    // Superusers are listed as far as they are seen.
    assert_eq!(ann.client.get(&users).await.expect_list("username"), ["c-on-one"]);
    assert_eq!(ann.client.get(&format!("{roles}&object_pk={other}")).await.expect_list("name"), Vec::<String>::new());
    admin.delete(&format!("/rbac/roles/{role}/")).await.expect_empty(204);
    ann.client.get(&roles).await.expect_forbidden();
}

async fn all_object_grants_are_shown(server: &Server) {
    let admin = server.admin();
    let (one, other) = (server.group("one", json!({})).await, server.group("other", json!({})).await);
    for target in Target::both(server, "holder").await {
        for body in [
            on(GROUP, &one, &["view_group"]),
            on(GROUP, &other, &["delete_group"]),
            on("authentik_core.user", "1", &["view_user"]),
            globally(&["authentik_core.add_group"]),
        ] {
            admin.post(&target.assign(), &body).await.expect(200);
        }
        for query in [format!("?model={GROUP}"), format!("?model={GROUP}&object_pk={one}")] {
            let list = admin
                .get(&format!("{}{query}", if matches!(target, Target::Role(_)) { ROLES } else { USERS }))
                .await
                .expect(200);
            let items = list["results"].as_array().expect("a list");
            let holder = items.iter().find(|item| item["name"] == "holder").expect("listed");
            let mut shown: Vec<[String; 3]> = holder["permissions"]
                .as_array()
                .expect("a list")
                .iter()
                .map(|grant| ["model", "codename", "object_pk"].map(|key| text(&grant[key])))
                .collect();
            shown.sort_unstable();
            let mut expected =
                [["group", "delete_group", &other], ["group", "view_group", &one], ["user", "view_user", "1"]];
            expected.sort_unstable();
            assert_eq!(shown, expected, "{query}");
        }
    }
}

async fn search_and_ordering_do_nothing(server: &Server) {
    let (one, other) = (server.group("one", json!({})).await, server.group("other", json!({})).await);
    various(server, &one, &other).await;
    let (all_roles, all_users) = (roles(server, "").await, users(server, "").await);
    for query in ["&search=d-global", "&ordering=-name", "&ordering=-username", "&search=nonsense&ordering=pk"] {
        assert_eq!(roles(server, query).await, all_roles);
        assert_eq!(users(server, query).await, all_users);
    }
}

async fn pages(server: &Server) {
    let (one, other) = (server.group("one", json!({})).await, server.group("other", json!({})).await);
    various(server, &one, &other).await;
    assert_eq!(roles(server, "&page_size=1&page=2").await, ["b-on-other"]);
    assert_eq!(users(server, "&page_size=3&page=last").await, ["d-global"]);
    let page: Value = server.admin().get(&format!("{USERS}?model={GROUP}&page_size=3")).await.expect(200);
    assert_eq!((&page["pagination"]["count"], &page["pagination"]["next"]), (&json!(4), &json!(2)));
    for path in [ROLES, USERS] {
        let answer = server.admin().get(&format!("{path}?model={GROUP}&page=9")).await;
        answer.expect_detail(404, "Invalid page.");
    }
}
