//! Creating, reading, changing and deleting policies of each kind.

use super::{
    UNKNOWN, any, application, bind,
    kinds::{DUMMY, EVENT_MATCHER, EXPRESSION, KINDS, Kind, PASSWORD, REPUTATION},
    make, text, with,
};
use crate::harness::{Server, tests};
use http::Method;
use serde_json::{Value, json};

tests![
    create_with_what_is_needed,
    create_with_everything,
    what_is_read_only_is_ignored,
    put_keeps_what_it_does_not_name,
    put_needs_what_a_creation_needs,
    patch_changes_what_it_names,
    patch_with_nothing,
    a_kind_has_its_own_policies_only,
    bound_to_counts_bindings,
    used_by_is_empty,
    deletion_takes_bindings_along,
    unknown_policies_are_missing,
    methods,
    changes_are_recorded,
];

async fn create_with_what_is_needed(server: &Server) {
    let admin = server.admin();
    for kind in KINDS {
        let body = with(&(kind.required)(), &json!({"name": kind.verbose_name}));
        let policy = admin.post(kind.path, &body).await.expect(201);
        let pk = text(&policy["pk"]);
        let expected = kind.shown(&pk, kind.verbose_name, false, &(kind.defaults)());
        assert_eq!(policy, expected);
        admin.get(&kind.one(&pk)).await.expect_body(200, &expected);
    }
}

async fn create_with_everything(server: &Server) {
    let admin = server.admin();
    for kind in KINDS {
        let body = with(&(kind.others)(), &json!({"name": " Everything ", "execution_logging": true}));
        let policy = admin.post(kind.path, &body).await.expect(201);
        let pk = text(&policy["pk"]);
        let expected = kind.shown(&pk, "Everything", true, &(kind.others)());
        assert_eq!(policy, expected);
        admin.get(&kind.one(&pk)).await.expect_body(200, &expected);
        admin.delete(&kind.one(&pk)).await.expect_empty(204);
    }
}

async fn what_is_read_only_is_ignored(server: &Server) {
    let admin = server.admin();
    let foreign = json!({
        "pk": UNKNOWN, "policy_uuid": UNKNOWN, "component": "x", "verbose_name": "x", "verbose_name_plural": 5,
        "meta_model_name": null, "bound_to": 4, "created": "x", "nonsense": [], "kind": "dummy", "settings": {"a": 1},
    });
    for kind in KINDS {
        let body = with(&with(&(kind.required)(), &json!({"name": kind.path})), &foreign);
        let policy = admin.post(kind.path, &body).await.expect(201);
        let pk = text(&policy["pk"]);
        assert_ne!(pk, UNKNOWN);
        let expected = kind.shown(&pk, kind.path, false, &(kind.defaults)());
        assert_eq!(policy, expected);
        admin.put(&kind.one(&pk), &body).await.expect_body(200, &expected);
        admin.patch(&kind.one(&pk), &with(&(kind.required)(), &foreign)).await.expect_body(200, &expected);
        admin.get(&kind.one(&pk)).await.expect_body(200, &expected);
    }
}

async fn put_keeps_what_it_does_not_name(server: &Server) {
    let admin = server.admin();
    for kind in KINDS {
        let pk = make(server, kind, "before", with(&(kind.others)(), &json!({"execution_logging": true}))).await;
        let required = (kind.required)();
        let expected = kind.shown(&pk, "after", true, &with(&(kind.others)(), &required));
        let body = with(&required, &json!({"name": "after"}));
        admin.put(&kind.one(&pk), &body).await.expect_body(200, &expected);
        let body = with(&(kind.defaults)(), &json!({"name": "before", "execution_logging": false}));
        let mut expected = kind.shown(&pk, "before", false, &(kind.defaults)());
        if expected["symbol_charset"].is_string() {
            // The space at its end is lost where it is sent.
            expected["symbol_charset"] = json!(super::kinds::SYMBOLS.trim());
        }
        admin.put(&kind.one(&pk), &body).await.expect_body(200, &expected);
        admin.get(&kind.one(&pk)).await.expect_body(200, &expected);
        admin.delete(&kind.one(&pk)).await.expect_empty(204);
    }
}

async fn put_needs_what_a_creation_needs(server: &Server) {
    let admin = server.admin();
    for kind in KINDS {
        let pk = make(server, kind, kind.path, json!({})).await;
        let before = admin.get(&kind.one(&pk)).await.expect(200);
        let mut faults = json!({"name": ["This field is required."]});
        for field in ["days", "expression"] {
            if before.get(field).is_some() {
                faults[field] = json!(["This field is required."]);
            }
        }
        admin.post(kind.path, &json!({})).await.expect_faults(faults.clone());
        admin.put(&kind.one(&pk), &json!({})).await.expect_faults(faults);
        admin.get(&kind.one(&pk)).await.expect_body(200, &before);
    }
}

async fn patch_changes_what_it_names(server: &Server) {
    let admin = server.admin();
    for kind in KINDS {
        let pk = make(server, kind, "policy", json!({})).await;
        let mut expected = kind.shown(&pk, "policy", false, &(kind.defaults)());
        let mut changes = kind.fields();
        changes.push(("name".into(), json!("policy"), json!("other")));
        changes.push(("execution_logging".into(), json!(false), json!(true)));
        for (field, _, value) in changes {
            let mut body = json!({&field: value});
            if kind.path == REPUTATION.path {
                body = with(&(kind.required)(), &body);
            }
            expected[&field] = value;
            admin.patch(&kind.one(&pk), &body).await.expect_body(200, &expected);
        }
        admin.get(&kind.one(&pk)).await.expect_body(200, &expected);
        admin.delete(&kind.one(&pk)).await.expect_empty(204);
    }
}

async fn patch_with_nothing(server: &Server) {
    let admin = server.admin();
    for kind in KINDS.into_iter().filter(|kind| kind.path != REPUTATION.path) {
        let pk = make(server, kind, kind.path, json!({})).await;
        let expected = kind.shown(&pk, kind.path, false, &(kind.defaults)());
        admin.patch(&kind.one(&pk), &json!({})).await.expect_body(200, &expected);
        admin.request(Method::PATCH, &kind.one(&pk)).send().await.expect_body(200, &expected);
    }
}

async fn a_kind_has_its_own_policies_only(server: &Server) {
    let admin = server.admin();
    let mut made = Vec::new();
    for kind in KINDS {
        made.push((kind, make(server, kind, kind.path, json!({})).await));
    }
    for kind in KINDS {
        assert_eq!(admin.get(kind.path).await.expect_list("name"), [kind.path]);
        for (other, pk) in made.iter().filter(|(other, _)| other.path != kind.path) {
            let one = kind.one(pk);
            admin.get(&one).await.expect_missing();
            admin.get(&format!("{one}used_by/")).await.expect_missing();
            admin.put(&one, &with(&(kind.required)(), &json!({"name": "x"}))).await.expect_missing();
            admin.patch(&one, &json!({"name": "x"})).await.expect_missing();
            admin.delete(&one).await.expect_missing();
            admin.get(&other.one(pk)).await.expect(200);
        }
    }
}

async fn bound_to_counts_bindings(server: &Server) {
    let admin = server.admin();
    let (wiki, mail) = (application(server, "wiki").await, application(server, "mail").await);
    for kind in KINDS {
        let pk = make(server, kind, kind.path, json!({})).await;
        let counted = async || {
            let (one, all) = (admin.get(&kind.one(&pk)).await.expect(200), admin.get(&any(&pk)).await.expect(200));
            assert_eq!(one["bound_to"], all["bound_to"]);
            assert_eq!(admin.get(kind.path).await.expect_list("bound_to"), [one["bound_to"].to_string()]);
            one["bound_to"].as_i64().expect("a number")
        };
        assert_eq!(counted().await, 0);
        let first = bind(server, &pk, &wiki, 0).await;
        assert_eq!(counted().await, 1);
        bind(server, &pk, &mail, 0).await;
        assert_eq!(counted().await, 2);
        admin.patch(&kind.one(&pk), &(kind.others)()).await.expect(200);
        assert_eq!(counted().await, 2);
        admin.delete(&format!("/policies/bindings/{first}/")).await.expect_empty(204);
        assert_eq!(counted().await, 1);
    }
}

/// A binding has no reverse name, so it never shows (§1.9).
async fn used_by_is_empty(server: &Server) {
    let admin = server.admin();
    let wiki = application(server, "wiki").await;
    for kind in KINDS {
        let pk = make(server, kind, kind.path, json!({})).await;
        bind(server, &pk, &wiki, 0).await;
        for path in [kind.one(&pk), any(&pk)] {
            admin.get(&format!("{path}used_by/")).await.expect_body(200, &json!([]));
        }
    }
}

async fn deletion_takes_bindings_along(server: &Server) {
    let admin = server.admin();
    let wiki = application(server, "wiki").await;
    for kind in KINDS {
        let keep = make(server, &DUMMY, "keep", json!({"result": true})).await;
        let kept = bind(server, &keep, &wiki, 0).await;
        let pk = make(server, kind, kind.path, json!({})).await;
        let gone = [bind(server, &pk, &wiki, 1).await, bind(server, &pk, &wiki, 2).await];
        let mark = server.mark().await;
        admin.delete(&kind.one(&pk)).await.expect_empty(204);
        admin.get(&kind.one(&pk)).await.expect_missing();
        admin.get(&any(&pk)).await.expect_missing();
        admin.delete(&kind.one(&pk)).await.expect_missing();
        for binding in gone {
            admin.get(&format!("/policies/bindings/{binding}/")).await.expect_missing();
        }
        admin.get(&format!("/policies/bindings/{kept}/")).await.expect(200);
        admin.get("/core/applications/wiki/").await.expect(200);
        // Somebody may be let in because of it, so each binding is told of.
        let told = server.gists_since(&mark).await;
        assert!(told.contains(&format!("model_deleted {} {}", kind.model, kind.path)), "{told:?}");
        let bindings = told.iter().filter(|gist| gist.starts_with("model_deleted policybinding "));
        assert_eq!((bindings.count(), told.len()), (2, 3), "{told:?}");
        admin.delete(&DUMMY.one(&keep)).await.expect_empty(204);
    }
}

async fn unknown_policies_are_missing(server: &Server) {
    let admin = server.admin();
    for kind in KINDS {
        for key in [UNKNOWN, "not-a-uuid", "1", "%00", "00000000-0000-0000-0000-00000000000"] {
            let one = kind.one(key);
            admin.get(&one).await.expect_missing();
            admin.get(&format!("{one}used_by/")).await.expect_missing();
            // What is not there is not validated.
            admin.put(&one, &json!({})).await.expect_missing();
            admin.patch(&one, &json!({"name": []})).await.expect_missing();
            admin.delete(&one).await.expect_missing();
        }
    }
    // There is no such kind here.
    admin.get("/policies/geoip/").await.expect_status(404);
    admin.post("/policies/geoip/", &json!({"name": "x", "countries": []})).await.expect_status(404);
}

async fn methods(server: &Server) {
    let admin = server.admin();
    for kind in KINDS {
        let one = kind.one(&make(server, kind, kind.path, json!({})).await);
        admin.post(&one, &json!({})).await.expect_detail(405, "Method \"POST\" not allowed.");
        for method in [Method::PUT, Method::PATCH, Method::DELETE] {
            let answer = admin.request(method.clone(), kind.path).json(&json!({})).send().await;
            answer.expect_detail(405, &format!("Method \"{method}\" not allowed."));
        }
        let used = admin.post(&format!("{one}used_by/"), &json!({})).await;
        used.expect_detail(405, "Method \"POST\" not allowed.");
        let answer = admin.request(Method::HEAD, &one).send().await;
        answer.expect_status(200);
        assert!(answer.body.is_empty());
    }
}

async fn changes_are_recorded(server: &Server) {
    let admin = server.admin();
    for kind in KINDS {
        let mark = server.mark().await;
        let pk = make(server, kind, "one", json!({})).await;
        admin.put(&kind.one(&pk), &with(&(kind.required)(), &json!({"name": "two"}))).await.expect(200);
        admin.patch(&kind.one(&pk), &with(&(kind.required)(), &json!({"name": "three"}))).await.expect(200);
        admin.delete(&any(&pk)).await.expect_empty(204);
        let told = |action: &str, name: &str| format!("model_{action} {} {name}", kind.model);
        let expected =
            [told("created", "one"), told("deleted", "three"), told("updated", "three"), told("updated", "two")];
        assert_eq!(server.gists_since(&mark).await, expected);
        let event = server.events_since(&mark).await.remove(0);
        assert_eq!(event.context["model"]["app"], kind.app_label);
        assert_eq!(event.context["model"]["pk"], pk.replace('-', ""));
        assert_eq!(event.user["username"], "akadmin");
    }
    // What is refused has not happened.
    let mark = server.mark().await;
    let refusals: [(&Kind, Value); 4] = [
        (&DUMMY, json!({"name": "x", "wait_min": "x"})),
        (&EXPRESSION, json!({"name": "x"})),
        (&EVENT_MATCHER, json!({"name": "x", "action": "x"})),
        (&PASSWORD, json!({"name": "x", "length_min": -1})),
    ];
    for (kind, body) in refusals {
        admin.post(kind.path, &body).await.expect(400);
    }
    assert_eq!(server.gists_since(&mark).await, Vec::<String>::new());
    assert_eq!(admin.get("/policies/all/").await.expect(200)["pagination"]["count"], 0);
}
