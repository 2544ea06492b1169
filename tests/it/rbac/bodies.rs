//! What is wrong with a body of `assign` and `unassign` (contract: authentik-rbac §5): said in words,
//! and nothing is given or taken, not even the part that is right.

use super::{Target, UNKNOWN, globally, on};
use crate::harness::{Answer, Server, tests};
use serde_json::{Value, json};

tests![
    permissions_are_a_list,
    global_codes_have_a_label,
    model_and_key_go_together,
    unknown_permissions,
    permissions_of_another_model,
    keys_of_no_object,
    one_fault_refuses_all,
    other_bodies,
    permissions_come_before_bodies,
];

const GROUP: &str = "authentik_core.group";

/// Sends a body to all four routes; each holder holds something before, and the same afterwards.
async fn everywhere(server: &Server, name: &str, body: &Value, check: impl Fn(&Answer)) {
    for target in Target::both(server, name).await {
        let held = ["authentik_core.view_group", "authentik_core.view_user"];
        server.admin().post(&target.assign(), &globally(&held)).await.expect(200);
        let mark = server.mark().await;
        check(&server.admin().post(&target.assign(), body).await);
        check(&server.admin().patch(&target.unassign(), body).await);
        assert_eq!(target.holds(server).await, held, "{body}");
        assert_eq!(server.gists_since(&mark).await, Vec::<String>::new(), "{body}");
    }
}

async fn refused(server: &Server, cases: &[(Value, Value)]) {
    for (number, (body, faults)) in cases.iter().enumerate() {
        everywhere(server, &format!("holder-{number}"), body, |answer| answer.expect_faults(faults.clone())).await;
    }
}

async fn permissions_are_a_list(server: &Server) {
    let whole = |text: &str| json!({"permissions": [text]});
    let item = |place: &str, text: &str| json!({"permissions": {place: [text]}});
    let good = "authentik_core.view_group";
    refused(
        server,
        &[
            (json!({}), whole("This field is required.")),
            (json!({"permissions": null}), whole("This field may not be null.")),
            (json!({"permissions": good}), whole("Expected a list of items but got type \"str\".")),
            (json!({"permissions": 1}), whole("Expected a list of items but got type \"int\".")),
            (json!({"permissions": {"0": good}}), whole("Expected a list of items but got type \"dict\".")),
            (json!({"permissions": [null]}), item("0", "This field may not be null.")),
            (json!({"permissions": [good, null]}), item("1", "This field may not be null.")),
            (json!({"permissions": [""]}), item("0", "This field may not be blank.")),
            (json!({"permissions": ["  "]}), item("0", "This field may not be blank.")),
            (json!({"permissions": [good, true]}), item("1", "Not a valid string.")),
            (json!({"permissions": [[good]]}), item("0", "Not a valid string.")),
            (
                json!({"permissions": [null, good, ""]}),
                json!({"permissions": {"0": ["This field may not be null."], "2": ["This field may not be blank."]}}),
            ),
        ],
    )
    .await;
}

async fn global_codes_have_a_label(server: &Server) {
    let text = "When assigning global permissions, codename must be given as app_label.codename";
    let fault = json!({"permissions": [text]});
    let cases = [json!(["view_group"]), json!(["authentik_core.view_group", "view_user"]), json!([42]), json!(["x"])];
    let cases = cases.map(|permissions| (json!({"permissions": permissions}), fault.clone()));
    refused(server, &cases).await;
}

async fn model_and_key_go_together(server: &Server) {
    let group = server.group("g", json!({})).await;
    let together = json!({"non_field_errors": ["The fields model, object_pk must be used together."]});
    let codes = json!(["authentik_core.view_group"]);
    let no_model = |name: &str| json!({"model": [format!("\"{name}\" is not a valid choice.")]});
    refused(
        server,
        &[
            (json!({"permissions": codes, "model": GROUP}), together.clone()),
            (json!({"permissions": codes, "object_pk": group}), together.clone()),
            (json!({"permissions": [], "object_pk": group}), together),
            (json!({"permissions": codes, "model": "zz", "object_pk": group}), no_model("zz")),
            (json!({"permissions": codes, "model": "group", "object_pk": group}), no_model("group")),
            (json!({"permissions": codes, "model": "", "object_pk": group}), no_model("")),
            (
                json!({"permissions": codes, "model": GROUP, "object_pk": ""}),
                json!({"object_pk": ["This field may not be blank."]}),
            ),
            (
                json!({"permissions": codes, "model": GROUP, "object_pk": null}),
                json!({"object_pk": ["This field may not be null."]}),
            ),
            (
                json!({"permissions": codes, "model": GROUP, "object_pk": [group]}),
                json!({"object_pk": ["Not a valid string."]}),
            ),
        ],
    )
    .await;
}

/// In the original they crash; those of other programs than authentik itself can be assigned (§8, 5, 7).
async fn unknown_permissions(server: &Server) {
    let group = server.group("g", json!({})).await;
    let fault =
        |place: &str, code: &str| json!({"permissions": {place: [format!("\"{code}\" is not a valid choice.")]}});
    let mut cases = Vec::new();
    for unknown in [
        "authentik_core.fly_user",
        "authentik_core.set_token_key",
        "authentik_core.",
        ".view_user",
        "nolabel.view_user",
        "a.b.c",
        "authentik_core.view_user.x",
        "auth.view_permission",
        "guardian.add_userobjectpermission",
        "authentik_core.VIEW_USER",
        "core.view_user",
        ".",
    ] {
        cases.push((globally(&[unknown]), fault("0", unknown)));
        cases.push((on(GROUP, &group, &[unknown]), fault("0", unknown)));
    }
    cases.push((globally(&["authentik_core.view_group", "a.b", "authentik_core.add_group"]), fault("1", "a.b")));
    for bare in ["fly_group", "42"] {
        cases.push((on(GROUP, &group, &[bare]), fault("0", bare)));
    }
    let number = json!({"permissions": [42], "model": GROUP, "object_pk": group});
    cases.push((number, fault("0", "42")));
    refused(server, &cases).await;
}

async fn permissions_of_another_model(server: &Server) {
    let admin = server.admin();
    let group = server.group("g", json!({})).await;
    for target in Target::both(server, "holder").await {
        admin.post(&target.assign(), &globally(&["authentik_core.view_user"])).await.expect(200);
        for code in
            ["authentik_core.view_user", "authentik_rbac.view_role", "authentik_rbac.view_system_info", "view_user"]
        {
            let body = on(GROUP, &group, &["view_group", code]);
            let fault = json!({"permissions": {"1": [format!("\"{code}\" is not a valid choice.")]}});
            admin.post(&target.assign(), &body).await.expect_faults(fault);
            assert_eq!(target.holds(server).await, ["authentik_core.view_user"]);
        }
        // Nobody can hold it there, so there is nothing to take away, from anywhere.
        let body = on(GROUP, &group, &["authentik_core.view_user"]);
        admin.patch(&target.unassign(), &body).await.expect_empty(204);
        assert_eq!(target.holds(server).await, ["authentik_core.view_user"]);
    }
}

/// In the original the permission is granted, or taken away, for all objects (§8, 6).
async fn keys_of_no_object(server: &Server) {
    let missing = |key: &str| json!({"object_pk": [format!("Invalid pk \"{key}\" - object does not exist.")]});
    let malformed = |key: &str| json!({"non_field_errors": [format!("“{key}” is not a valid UUID.")]});
    let token = server.admin().get("/core/tokens/authentik-bootstrap-token/").await.expect(200);
    let identifier = super::text(&token["identifier"]);
    let mut cases = Vec::new();
    for code in ["authentik_core.view_group", "view_group"] {
        cases.push((on(GROUP, UNKNOWN, &[code]), missing(UNKNOWN)));
        cases.push((on(GROUP, "zz", &[code]), malformed("zz")));
        cases.push((on(GROUP, "1", &[code]), malformed("1")));
    }
    for code in ["authentik_core.view_user", "view_user"] {
        cases.push((on("authentik_core.user", "999999", &[code]), missing("999999")));
        cases.push((on("authentik_core.user", "99999999999", &[code]), missing("99999999999")));
        let text = "“zz” value must be an integer.";
        cases.push((on("authentik_core.user", "zz", &[code]), json!({"non_field_errors": [text]})));
    }
    // Primary keys, not identifiers.
    cases.push((on("authentik_core.token", &identifier, &["view_token"]), malformed(&identifier)));
    cases.push((on("authentik_core.token", UNKNOWN, &["view_token"]), missing(UNKNOWN)));
    cases.push((on("authentik_rbac.role", UNKNOWN, &["view_role"]), missing(UNKNOWN)));
    cases.push((on("authentik_events.event", UNKNOWN, &["view_event"]), missing(UNKNOWN)));
    refused(server, &cases).await;
    let wanted = on("authentik_core.token", &super::text(&token["pk"]), &["view_token"]);
    server.admin().post(&Target::role(server, "r").await.assign(), &wanted).await.expect(200);
}

async fn one_fault_refuses_all(server: &Server) {
    let admin = server.admin();
    let group = server.group("g", json!({})).await;
    for target in Target::both(server, "holder").await {
        let held = "authentik_core.add_user";
        admin.post(&target.assign(), &globally(&[held])).await.expect(200);
        let bodies = [
            globally(&["authentik_core.add_group", "authentik_core.nonsense"]),
            globally(&["authentik_core.add_group", "add_user"]),
            on(GROUP, &group, &["view_group", "nonsense"]),
        ];
        for body in bodies {
            admin.post(&target.assign(), &body).await.expect(400);
            assert_eq!(target.holds(server).await, [held]);
        }
        admin.patch(&target.unassign(), &globally(&[held, "a.b"])).await.expect(400);
        assert_eq!(target.holds(server).await, [held]);
    }
}

async fn other_bodies(server: &Server) {
    let whole = |text: &str| json!({"non_field_errors": [text]});
    refused(
        server,
        &[
            (json!([]), whole("Invalid data. Expected a dictionary, but got list.")),
            (json!("x"), whole("Invalid data. Expected a dictionary, but got str.")),
            (json!(null), whole("No data provided")),
        ],
    )
    .await;
}

async fn permissions_come_before_bodies(server: &Server) {
    let viewer = server.holder_of("viewer", &["authentik_core.view_user", "authentik_rbac.view_role"]).await;
    for target in Target::both(server, "holder").await {
        for body in [json!({}), json!([]), globally(&["a.b"]), json!({"permissions": [null]})] {
            viewer.client.post(&target.assign(), &body).await.expect_forbidden();
            viewer.client.patch(&target.unassign(), &body).await.expect_forbidden();
        }
    }
}
