//! Prompts, and trying one out.

use super::{PROMPTS, UNKNOWN, kinds::kind, make, prompt, text, with};
use crate::harness::{Server, tests};
use serde_json::{Value, json};

tests![create_change_delete, what_prompts_do_not_take, listing, which_stages_ask, previews, expressions_in_previews,];

const TYPES: [&str; 18] = [
    "text",
    "text_area",
    "text_read_only",
    "text_area_read_only",
    "username",
    "email",
    "password",
    "number",
    "checkbox",
    "radio-button-group",
    "dropdown",
    "date",
    "date-time",
    "file",
    "separator",
    "hidden",
    "static",
    "ak-locale",
];

async fn create_change_delete(server: &Server) {
    let admin = server.admin();
    for kind in TYPES {
        let body = json!({"name": kind, "field_key": "k", "label": "l", "type": kind});
        let made = admin.post(PROMPTS, &body).await.expect(201);
        let path = format!("{PROMPTS}{}/", text(&made["pk"]));
        let expected = with(
            &body,
            &json!({
                "pk": made["pk"], "required": true, "placeholder": "", "initial_value": "", "order": 0, "sub_text": "",
                "placeholder_expression": false, "initial_value_expression": false, "promptstage_set": [],
            }),
        );
        assert_eq!(made, expected);
        admin.get(&path).await.expect_body(200, &expected);
        // Expressions are not looked at before somebody is asked.
        let others = json!({
            "required": false, "placeholder": "return (", "initial_value": "y", "order": -3, "sub_text": "z",
            "placeholder_expression": true, "initial_value_expression": true,
        });
        let expected = with(&expected, &others);
        admin.patch(&path, &others).await.expect_body(200, &expected);
        admin.put(&path, &body).await.expect_body(200, &expected);
        let mark = server.mark().await;
        admin.delete(&path).await.expect_empty(204);
        assert_eq!(server.events_since(&mark).await.len(), 1);
        admin.get(&path).await.expect_missing();
        admin.delete(&path).await.expect_missing();
        admin.put(&path, &body).await.expect_missing();
        admin.patch(&path, &body).await.expect_missing();
        admin.get(&format!("{path}used_by/")).await.expect_missing();
    }
}

async fn what_prompts_do_not_take(server: &Server) {
    let admin = server.admin();
    let taken = prompt(server, "taken", json!({})).await;
    let required = "This field is required.";
    let missing = json!({"name": [required], "field_key": [required], "label": [required], "type": [required]});
    admin.post(PROMPTS, &json!({})).await.expect_faults(missing);
    let body = json!({"name": "new", "field_key": "k", "label": "l", "type": "text"});
    let other = format!("{PROMPTS}{}/", prompt(server, "other", json!({})).await);
    for (fields, faults) in [
        (json!({"name": "taken"}), json!({"name": ["Prompt with this name already exists."]})),
        (json!({"type": "Text"}), json!({"type": ["\"Text\" is not a valid choice."]})),
        (json!({"field_key": ""}), json!({"field_key": ["This field may not be blank."]})),
        (json!({"order": "x"}), json!({"order": ["A valid integer is required."]})),
        (json!({"required": null}), json!({"required": ["This field may not be null."]})),
    ] {
        admin.post(PROMPTS, &with(&body, &fields)).await.expect_faults(faults.clone());
        admin.put(&other, &with(&body, &fields)).await.expect_faults(faults.clone());
        admin.patch(&other, &fields).await.expect_faults(faults);
    }
    let ann = server.person("ann").await;
    ann.client.get(PROMPTS).await.expect_forbidden();
    ann.client.post(PROMPTS, &body).await.expect_forbidden();
    ann.client.get(&format!("{PROMPTS}{taken}/")).await.expect_forbidden();
    server.grant(ann.holder(), "authentik_stages_prompt.view_prompt", Some(&taken)).await;
    assert_eq!(ann.client.get(PROMPTS).await.expect_list("name"), ["taken"]);
}

async fn listing(server: &Server) {
    let admin = server.admin();
    prompt(server, "a", json!({"field_key": "z", "type": "hidden", "placeholder": "some hint"})).await;
    prompt(server, "b", json!({"field_key": "y", "label": "Your name"})).await;
    let list = |query: &str| format!("{PROMPTS}{query}");
    assert_eq!(admin.get(&list("")).await.expect_list("name"), ["b", "a"]);
    assert_eq!(admin.get(&list("?ordering=name")).await.expect_list("name"), ["a", "b"]);
    for (query, name) in [
        ("type=hidden", "a"),
        ("field_key=y", "b"),
        ("label=Your%20name", "b"),
        ("placeholder=some%20hint", "a"),
        ("name=a", "a"),
        ("search=HINT", "a"),
        ("search=hidden", "a"),
        ("search=your", "b"),
    ] {
        assert_eq!(admin.get(&list(&format!("?{query}"))).await.expect_list("name"), [name], "{query}");
    }
    let text = "Select a valid choice. bad is not one of the available choices.";
    admin.get(&list("?type=bad")).await.expect_faults(json!({"type": [text]}));
}

async fn which_stages_ask(server: &Server) {
    let admin = server.admin();
    let (one, other) = (prompt(server, "one", json!({"order": 2})).await, prompt(server, "other", json!({})).await);
    let policy = json!({"name": "judge", "expression": "return True"});
    let policy = text(&admin.post("/policies/expression/", &policy).await.expect(201)["pk"]);
    let fields = json!({"fields": [one, other], "validation_policies": [policy]});
    let stage = make(server, kind("promptstage"), "asks", fields).await;
    let path = format!("/stages/prompt/stages/{stage}/");
    let shown = admin.get(&path).await.expect(200);
    assert_eq!((&shown["fields"], &shown["validation_policies"]), (&json!([other, one]), &json!([policy])));
    let base = kind("promptstage").base(&stage, "asks");
    assert_eq!(admin.get(&format!("{PROMPTS}{one}/")).await.expect(200)["promptstage_set"], json!([base]));
    let asks = json!([{
        "app": "authentik_stages_prompt", "model_name": "promptstage", "pk": stage, "name": "Stage asks",
        "action": "cascade_many",
    }]);
    admin.get(&format!("{PROMPTS}{one}/used_by/")).await.expect_body(200, &asks);
    for of in ["all", "expression"] {
        admin.get(&format!("/policies/{of}/{policy}/used_by/")).await.expect_body(200, &asks);
    }
    let used = admin.get(&format!("{path}used_by/")).await.expect(200);
    let names: Vec<String> = used.as_array().expect("a list").iter().map(|line| text(&line["name"])).collect();
    assert_eq!(names, ["Prompt field 'other' type text", "Prompt field 'one' type text"]);
    assert_eq!(admin.get(&format!("/policies/all/{policy}/")).await.expect(200)["bound_to"], json!(1));
    assert_eq!(admin.get("/policies/all/?promptstage__isnull=false").await.expect_list("name"), ["judge"]);
    assert!(!admin.get("/policies/all/?promptstage__isnull=true").await.expect_list("name").contains(&"judge".into()));
    admin.delete(&format!("/policies/all/{policy}/")).await.expect_empty(204);
    admin.delete(&format!("{PROMPTS}{one}/")).await.expect_empty(204);
    let shown = admin.get(&path).await.expect(200);
    assert_eq!((&shown["fields"], &shown["validation_policies"]), (&json!([other]), &json!([])));
}

/// The field of a preview.
async fn preview(server: &Server, fields: Value) -> Value {
    let body = with(&json!({"field_key": "k", "label": "l", "type": "text"}), &fields);
    let form = server.admin().post(&format!("{PROMPTS}preview/"), &body).await.expect(200);
    assert_eq!(form["component"], "ak-stage-prompt");
    form["fields"][0].clone()
}

async fn previews(server: &Server) {
    let shown = preview(server, json!({"placeholder": "p", "initial_value": "i", "sub_text": "s", "order": 4})).await;
    let expected = json!({
        "field_key": "k", "label": "l", "type": "text", "required": true, "placeholder": "p", "initial_value": "i",
        "order": 4, "sub_text": "s", "choices": null,
    });
    assert_eq!(shown, expected);
    for kind in ["dropdown", "radio-button-group"] {
        let shown = preview(server, json!({"type": kind, "placeholder": "p", "initial_value": "i"})).await;
        assert_eq!((&shown["choices"], &shown["placeholder"]), (&json!(["p"]), &json!("")));
        assert_eq!(shown["initial_value"], "p");
    }
    let required = "This field is required.";
    let path = format!("{PROMPTS}preview/");
    let faults = json!({"field_key": [required], "label": [required], "type": [required]});
    server.admin().post(&path, &json!({})).await.expect_faults(faults);
    server.person("ann").await.client.post(&path, &json!({})).await.expect_forbidden();
    assert_eq!(server.number("SELECT count(*) FROM prompts").await, 0);
}

async fn expressions_in_previews(server: &Server) {
    let value = |source: &str| json!({"initial_value": source, "initial_value_expression": true});
    for (source, expected) in [
        ("return 5", "5"),
        ("return None", "None"),
        ("return True", "True"),
        ("return ['a', 1]", "['a', 1]"),
        ("return user.username + '!'", "akadmin!"),
        ("return request.user.username", "akadmin"),
        ("return prompt_context", "{}"),
    ] {
        assert_eq!(preview(server, value(source)).await["initial_value"], expected, "{source}");
    }
    let choices = json!({"type": "dropdown", "placeholder": "return ['a', 2]", "placeholder_expression": true});
    let shown = preview(server, with(&choices, &json!({"initial_value": "zz"}))).await;
    assert_eq!((&shown["choices"], &shown["initial_value"]), (&json!(["a", "2"]), &json!("a")));
    let none = with(&choices, &json!({"placeholder": "return []"}));
    let shown = preview(server, none).await;
    assert_eq!((&shown["choices"], &shown["initial_value"]), (&json!(null), &json!("")));
    let path = format!("{PROMPTS}preview/");
    for (source, text) in [
        ("return 1 / 0", "builtins.ZeroDivisionError: division by zero"),
        ("raise ValueError('no')", "builtins.ValueError: no"),
        ("return nothing", "builtins.NameError: name 'nothing' is not defined"),
    ] {
        let body = with(&json!({"field_key": "k", "label": "l", "type": "text"}), &value(source));
        server.admin().post(&path, &body).await.expect_faults(json!({"non_field_errors": [text]}));
    }
    let body = with(&json!({"field_key": "k", "label": "l", "type": "text"}), &value("return ("));
    let fault = server.admin().post(&path, &body).await.expect(400);
    assert!(text(&fault["non_field_errors"][0]).starts_with("builtins.SyntaxError: "), "{fault}");
    // It leaves nothing behind.
    let mark = server.mark().await;
    preview(server, value("ak_create_event('x')\nreturn 1")).await;
    assert_eq!(server.gists_since(&mark).await, Vec::<String>::new());
    server.admin().get(&format!("{PROMPTS}{UNKNOWN}/")).await.expect_missing();
}
