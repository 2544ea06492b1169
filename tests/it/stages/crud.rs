//! Creating, reading, changing and deleting stages of each kind.

use super::{UNKNOWN, kinds::KINDS, make, prompt, required, text, with};
use crate::harness::{Server, tests};
use serde_json::{Value, json};

tests![
    create_with_what_is_needed,
    change_and_delete,
    what_is_not_named_stays,
    what_is_read_only_is_ignored,
    listings,
    filters,
    stages_of_all_kinds,
    permissions,
    unknown_stages_are_missing,
    the_password_of_a_server_is_never_shown,
    changes_are_recorded,
];

async fn create_with_what_is_needed(server: &Server) {
    let admin = server.admin();
    for kind in &KINDS {
        let body = required(server, kind, kind.verbose_name).await;
        let stage = admin.post(kind.path, &body).await.expect(201);
        let pk = text(&stage["pk"]);
        let expected = with(&with(&kind.base(&pk, kind.verbose_name), &(kind.defaults)()), &body);
        assert_eq!(stage, expected);
        admin.get(&kind.one(&pk)).await.expect_body(200, &expected);
        admin.get(&format!("/stages/all/{pk}/")).await.expect_body(200, &kind.base(&pk, kind.verbose_name));
        admin.get(&format!("{}used_by/", kind.one(&pk))).await.expect(200);
    }
}

async fn change_and_delete(server: &Server) {
    let admin = server.admin();
    for kind in &KINDS {
        let pk = make(server, kind, "before", json!({})).await;
        let mut body = with(&required(server, kind, " after ").await, &(kind.others)());
        let changed = admin.put(&kind.one(&pk), &body).await.expect(200);
        body["name"] = json!("after");
        let expected = with(&with(&kind.base(&pk, "after"), &(kind.defaults)()), &body);
        assert_eq!(changed, expected);
        admin.get(&kind.one(&pk)).await.expect_body(200, &expected);
        admin.delete(&kind.one(&pk)).await.expect_empty(204);
        admin.get(&kind.one(&pk)).await.expect_missing();
        admin.delete(&kind.one(&pk)).await.expect_missing();
    }
}

async fn what_is_not_named_stays(server: &Server) {
    let admin = server.admin();
    for kind in &KINDS {
        let pk = make(server, kind, &format!("before {}", kind.model), (kind.others)()).await;
        let before = admin.get(&kind.one(&pk)).await.expect(200);
        // One rule looks at what is sent, and not at what there is.
        let asked = if kind.model == "identificationstage" { json!({"user_fields": ["upn"]}) } else { json!({}) };
        let expected = with(&before, &asked);
        admin.patch(&kind.one(&pk), &asked).await.expect_body(200, &expected);
        let body = with(&required(server, kind, &format!("after {}", kind.model)).await, &asked);
        admin.put(&kind.one(&pk), &body).await.expect_body(200, &with(&expected, &body));
    }
}

async fn what_is_read_only_is_ignored(server: &Server) {
    let admin = server.admin();
    for kind in &KINDS {
        let body = required(server, kind, "x").await;
        let foreign = json!({
            "pk": UNKNOWN, "component": 5, "verbose_name": null, "meta_model_name": [], "flow_set": "x", "kind": "deny",
            "settings": {}, "secret": "x",
        });
        let pk = text(&admin.post(kind.path, &with(&body, &foreign)).await.expect(201)["pk"]);
        assert_ne!(pk, UNKNOWN);
        let shown = admin.get(&kind.one(&pk)).await.expect(200);
        assert_eq!((&shown["component"], &shown["flow_set"]), (&json!(kind.component), &json!([])));
        admin.delete(&kind.one(&pk)).await.expect_empty(204);
    }
}

async fn listings(server: &Server) {
    let admin = server.admin();
    for kind in &KINDS {
        for name in ["beta", "Alpha", "gamma"] {
            make(server, kind, &format!("{name} {}", kind.model), json!({})).await;
        }
        let names = |names: &[&str]| names.iter().map(|name| format!("{name} {}", kind.model)).collect::<Vec<_>>();
        let list = |query: &str| format!("{}{query}", kind.path);
        assert_eq!(admin.get(&list("")).await.expect_list("name"), names(&["Alpha", "beta", "gamma"]));
        assert_eq!(admin.get(&list("?ordering=-name")).await.expect_list("name"), names(&["gamma", "beta", "Alpha"]));
        assert_eq!(admin.get(&list("?search=ALPHA")).await.expect_list("name"), names(&["Alpha"]));
        let exact = format!("?name=beta%20{}", kind.model);
        assert_eq!(admin.get(&list(&exact)).await.expect_list("name"), names(&["beta"]));
        for own in (kind.defaults)().as_object().expect("an object").keys() {
            admin.get(&list(&format!("?ordering=-{own}"))).await.expect(200);
        }
        admin.get(&list("?page=9")).await.expect_detail(404, "Invalid page.");
    }
}

async fn filters(server: &Server) {
    let admin = server.admin();
    for kind in &KINDS {
        let this = make(server, kind, &format!("this {}", kind.model), (kind.others)()).await;
        make(server, kind, &format!("other {}", kind.model), json!({})).await;
        for (field, value) in (kind.others)().as_object().expect("an object") {
            let value = match value {
                Value::Array(_) => continue,
                Value::String(text) => text.replace(' ', "%20"),
                other => other.to_string(),
            };
            let page = admin.get(&format!("{}?{field}={value}", kind.path)).await;
            // Not every field is a filter.
            let found = page.expect_list("pk");
            let known = field != "pretend_user_exists";
            assert_eq!(found == [this.as_str()], known, "{} {field}", kind.path);
        }
        if admin.get(&format!("{}?stage_uuid=bad", kind.path)).await.status == 400 {
            assert_eq!(admin.get(&format!("{}?stage_uuid={this}", kind.path)).await.expect_list("pk"), [this]);
        }
    }
    let chosen = "Select a valid choice. That choice is not one of the available choices.";
    for query in ["identification/?password_stage", "password/?configure_flow", "user_write/?create_users_group"] {
        let field = query.split('?').next_back().expect("a name");
        let faults = json!({field: [chosen]});
        admin.get(&format!("/stages/{query}={UNKNOWN}")).await.expect_faults(faults);
    }
    let asked = prompt(server, "asked", json!({})).await;
    let stage = make(server, super::kinds::kind("promptstage"), "asks", json!({"fields": [asked]})).await;
    assert_eq!(admin.get(&format!("/stages/prompt/stages/?fields={asked}")).await.expect_list("pk"), [stage]);
    let text = format!("Select a valid choice. {UNKNOWN} is not one of the available choices.");
    for field in ["fields", "validation_policies"] {
        let path = format!("/stages/prompt/stages/?{field}={UNKNOWN}");
        admin.get(&path).await.expect_faults(json!({field: [text]}));
    }
}

async fn stages_of_all_kinds(server: &Server) {
    let admin = server.admin();
    let mut names = Vec::new();
    for kind in &KINDS {
        make(server, kind, &format!("one {}", kind.model), json!({})).await;
        names.push(format!("one {}", kind.model));
    }
    names.sort();
    assert_eq!(admin.get("/stages/all/?search=one").await.expect_list("name"), names);
    assert_eq!(admin.get("/stages/all/?name=one%20denystage").await.expect_list("name"), ["one denystage"]);
    let types = admin.get("/stages/all/types/").await.expect(200);
    let listed: Vec<String> = types.as_array().expect("a list").iter().map(|kind| text(&kind["name"])).collect();
    let mut expected: Vec<&str> = KINDS.iter().map(|kind| kind.verbose_name).collect();
    expected.retain(|name| *name != "Dummy Stage");
    expected.sort_unstable();
    assert_eq!(listed, expected);
    assert_eq!(types[0]["component"], "ak-stage-consent-form");
    assert_eq!(types[0]["model_name"], "consentstage");
    let templates = admin.get("/stages/email/templates/").await.expect(200);
    let one = json!({
        "name": "email/password_reset.html", "description": "Password Reset", "component": "", "model_name": "",
        "requires_enterprise": false,
    });
    assert_eq!((templates.as_array().map(Vec::len), &templates[0]), (Some(2), &one));
    let pk = text(&admin.get("/stages/all/?name=one%20denystage").await.expect(200)["results"][0]["pk"]);
    admin.get(&format!("/stages/all/{pk}/used_by/")).await.expect_body(200, &json!([]));
    admin.delete(&format!("/stages/all/{pk}/")).await.expect_empty(204);
    admin.get(&format!("/stages/deny/{pk}/")).await.expect_missing();
    for path in ["/stages/all/types/", "/stages/all/user_settings/", "/stages/email/templates/"] {
        server.anonymous().get(path).await.expect(403);
    }
}

async fn permissions(server: &Server) {
    let ann = server.person("ann").await;
    for kind in &KINDS {
        let pk = make(server, kind, kind.model, json!({})).await;
        let other = make(server, kind, "other", json!({})).await;
        let body = required(server, kind, &format!("made {}", kind.model)).await;
        ann.client.get(kind.path).await.expect_forbidden();
        ann.client.post(kind.path, &body).await.expect_forbidden();
        server.grant(ann.holder(), &kind.code("view"), Some(&pk)).await;
        assert_eq!(ann.client.get(kind.path).await.expect_list("pk"), [pk.as_str()]);
        ann.client.get(&kind.one(&other)).await.expect_missing();
        ann.client.patch(&kind.one(&pk), &body).await.expect_forbidden();
        server.grant(ann.holder(), &kind.code("change"), Some(&pk)).await;
        ann.client.patch(&kind.one(&pk), &body).await.expect(200);
        // What is held on a stage goes with it.
        assert_eq!(server.number("SELECT count(*) FROM grants WHERE object_pk IS NOT NULL").await, 2);
        server.admin().delete(&kind.one(&pk)).await.expect_empty(204);
        assert_eq!(server.number("SELECT count(*) FROM grants WHERE object_pk IS NOT NULL").await, 0);
        server.admin().delete(&kind.one(&other)).await.expect_empty(204);
    }
    let deny = make(server, super::kinds::kind("denystage"), "deny", json!({})).await;
    ann.client.get("/stages/all/").await.expect_forbidden();
    let viewer = server.holder_of("viewer", &["authentik_flows.view_stage"]).await;
    assert_eq!(viewer.client.get("/stages/all/?name=deny").await.expect_list("pk"), [deny.as_str()]);
    viewer.client.delete(&format!("/stages/all/{deny}/")).await.expect_forbidden();
    viewer.client.get(&format!("/stages/deny/{deny}/")).await.expect_forbidden();
}

async fn unknown_stages_are_missing(server: &Server) {
    let admin = server.admin();
    for kind in &KINDS {
        let body = required(server, kind, kind.model).await;
        for key in [UNKNOWN, "bad"] {
            admin.get(&kind.one(key)).await.expect_missing();
            admin.put(&kind.one(key), &body).await.expect_missing();
            admin.patch(&kind.one(key), &json!({})).await.expect_missing();
            admin.delete(&kind.one(key)).await.expect_missing();
            admin.get(&format!("{}used_by/", kind.one(key))).await.expect_missing();
        }
        let pk = make(server, kind, kind.model, json!({})).await;
        for other in KINDS.iter().filter(|other| other.path != kind.path) {
            admin.get(&other.one(&pk)).await.expect_missing();
        }
    }
    for path in ["", "used_by/"] {
        admin.get(&format!("/stages/all/{UNKNOWN}/{path}")).await.expect_missing();
    }
    admin.delete(&format!("/stages/all/{UNKNOWN}/")).await.expect_missing();
}

async fn the_password_of_a_server_is_never_shown(server: &Server) {
    let admin = server.admin();
    let body = json!({"name": "mail", "password": " Sup3rSecret "});
    let made = admin.post("/stages/email/", &body).await;
    let pk = text(&made.expect(201)["pk"]);
    let path = format!("/stages/email/{pk}/");
    let shown = [made, admin.get(&path).await, admin.patch(&path, &json!({"host": "h"})).await];
    assert!(shown.iter().all(|answer| !answer.text().contains("password\":") && !answer.text().contains("Sup3r")));
    assert!(!server.events_text().await.contains("Sup3rSecret"));
    let ctx = server.system();
    let stage = || async {
        let id = pk.parse().expect("a key");
        tessera::resource::stages::store::by_id(ctx.app.db.read(), id).await.expect("asked").expect("there")
    };
    let opened = |stage: &tessera::resource::stages::Model| {
        tessera::resource::stages::service::password_of(&ctx, stage)
            .expect("opened")
            .map(|secret| secret.reveal().to_owned())
    };
    assert_eq!(opened(&stage().await).as_deref(), Some("Sup3rSecret"));
    assert!(!format!("{:?}", stage().await).contains("Sup3r"));
    admin.patch(&path, &json!({"password": "other"})).await.expect(200);
    assert_eq!(opened(&stage().await).as_deref(), Some("other"));
    admin.patch(&path, &json!({"password": ""})).await.expect(200);
    assert_eq!(opened(&stage().await), None);
}

async fn changes_are_recorded(server: &Server) {
    let admin = server.admin();
    for kind in &KINDS {
        let body = required(server, kind, kind.model).await;
        let mark = server.mark().await;
        let pk = text(&admin.post(kind.path, &body).await.expect(201)["pk"]);
        admin.patch(&kind.one(&pk), &body).await.expect(200);
        admin.delete(&kind.one(&pk)).await.expect_empty(204);
        let events = server.events_since(&mark).await;
        let actions: Vec<&str> = events.iter().map(|event| event.action.as_str()).collect();
        assert_eq!(actions, ["model_created", "model_deleted", "model_updated"], "in the order of their names");
        for event in &events {
            let model = &event.context["model"];
            assert_eq!((text(&model["app"]), text(&model["model_name"])), (kind.app_label.into(), kind.model.into()));
            assert_eq!(text(&model["pk"]), pk.replace('-', ""));
        }
        // What is refused leaves nothing.
        let mark = server.mark().await;
        admin.post(kind.path, &with(&body, &json!({"name": ""}))).await.expect(400);
        assert_eq!(server.gists_since(&mark).await, Vec::<String>::new());
    }
}
