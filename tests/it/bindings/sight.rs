//! Whose eyes see a binding, and what it shows: what the caller may not see itself is null (ours, listed).

use super::{PATH, UNKNOWN, application, bind, dummy, path, shown};
use crate::harness::{Person, Server, tests};
use serde_json::{Value, json};

tests![
    nothing_but_the_binding,
    a_policy_by_its_kind_or_as_a_policy,
    groups_and_accounts,
    one_object_of_each,
    answers_to_writes,
    rows_by_grant,
];

const VIEW: &str = "authentik_policies.view_policybinding";

/// Bindings of a policy, a group and an account.
struct Three {
    policy: String,
    group: String,
    user: i64,
    bindings: [String; 3],
    target: String,
}

impl Three {
    async fn new(server: &Server) -> Self {
        let target = application(server, "app", json!({})).await;
        let policy = dummy(server, "yes", true).await;
        let group = server.group("team", json!({})).await;
        let user = server.person("bob").await.pk;
        let bindings = [
            bind(server, &target, 0, json!({"policy": policy})).await,
            bind(server, &target, 1, json!({"group": group})).await,
            bind(server, &target, 2, json!({"user": user})).await,
        ];
        Self { policy, group, user, bindings, target }
    }

    /// Which of the three somebody is shown, one by one and in the list.
    async fn described(&self, person: &Person) -> [bool; 3] {
        let mut described = [false; 3];
        let mut one_by_one = Vec::new();
        for (index, kind) in ["policy", "group", "user"].into_iter().enumerate() {
            let binding = shown(&person.client, &self.bindings[index]).await;
            assert!(!binding[kind].is_null(), "the key is no secret");
            described[index] = !binding[format!("{kind}_obj")].is_null();
            one_by_one.push(binding);
        }
        let listed = person.client.get(&format!("{PATH}?ordering=order")).await.expect(200);
        assert_eq!(listed["results"], Value::Array(one_by_one));
        described
    }
}

async fn nothing_but_the_binding(server: &Server) {
    let three = Three::new(server).await;
    let ann = server.holder_of("ann", &[VIEW]).await;
    assert_eq!(three.described(&ann).await, [false, false, false]);
    let expected = json!({
        "pk": three.bindings[2], "policy": null, "group": null, "user": three.user, "policy_obj": null,
        "group_obj": null, "user_obj": null, "target": three.target, "negate": false, "enabled": true, "order": 2,
        "timeout": 30, "failure_result": false,
    });
    ann.client.get(&path(&three.bindings[2])).await.expect_body(200, &expected);
}

async fn a_policy_by_its_kind_or_as_a_policy(server: &Server) {
    let three = Three::new(server).await;
    for (name, code, shows) in [
        ("a", "authentik_policies.view_policy", true),
        ("b", "authentik_policies_dummy.view_dummypolicy", true),
        ("c", "authentik_policies_expiry.view_passwordexpirypolicy", false),
        ("d", "authentik_policies_dummy.change_dummypolicy", false),
    ] {
        let person = server.holder_of(name, &[VIEW, code]).await;
        assert_eq!(three.described(&person).await, [shows, false, false], "{code}");
    }
}

async fn groups_and_accounts(server: &Server) {
    let three = Three::new(server).await;
    let ann = server.holder_of("ann", &[VIEW, "authentik_core.view_group"]).await;
    assert_eq!(three.described(&ann).await, [false, true, false]);
    let eve = server.holder_of("eve", &[VIEW, "authentik_core.view_user"]).await;
    assert_eq!(three.described(&eve).await, [false, false, true]);
    // Being it is no permission to see it.
    let own = server.holder_of("own", &[VIEW]).await;
    let binding = bind(server, &three.target, 3, json!({"user": own.pk})).await;
    assert_eq!(shown(&own.client, &binding).await["user_obj"], json!(null));
}

async fn one_object_of_each(server: &Server) {
    let three = Three::new(server).await;
    let other = dummy(server, "other", true).await;
    let further = bind(server, &three.target, 3, json!({"policy": other})).await;
    let ann = server.holder_of("ann", &[VIEW]).await;
    server.grant(ann.holder(), "authentik_policies_dummy.view_dummypolicy", Some(&three.policy)).await;
    assert_eq!(shown(&ann.client, &three.bindings[0]).await["policy_obj"]["name"], "yes");
    assert_eq!(shown(&ann.client, &further).await["policy_obj"], json!(null));
    server.grant(ann.holder(), "authentik_core.view_group", Some(&three.group)).await;
    server.grant(ann.holder(), "authentik_core.view_user", Some(&three.user.to_string())).await;
    let expected = [json!("yes"), json!(null), json!("team"), json!("bob")];
    for (binding, expected) in
        [&three.bindings[0], &further, &three.bindings[1], &three.bindings[2]].into_iter().zip(expected)
    {
        let body = shown(&ann.client, binding).await;
        let name =
            ["policy_obj", "group_obj", "user_obj"].into_iter().find_map(|field| body[field].get("name").cloned());
        assert_eq!(name.unwrap_or_default(), expected);
    }
}

/// The answers to writes hide the same.
async fn answers_to_writes(server: &Server) {
    let three = Three::new(server).await;
    let verbs = ["add", "change", "delete"].map(|verb| format!("authentik_policies.{verb}_policybinding"));
    let codes: Vec<&str> = [VIEW].into_iter().chain(verbs.iter().map(String::as_str)).collect();
    let ann = server.holder_of("ann", &codes).await;
    for (kind, value) in [("policy", json!(three.policy)), ("group", json!(three.group)), ("user", json!(three.user))] {
        let body = json!({kind: value, "target": three.target, "order": 9});
        let made = ann.client.post(PATH, &body).await.expect(201);
        assert_eq!((&made[kind], &made[format!("{kind}_obj")]), (&value, &json!(null)));
        let path = path(&super::pk(&made));
        for answer in [ann.client.put(&path, &body).await, ann.client.patch(&path, &body).await] {
            answer.expect_body(200, &made);
        }
        ann.client.delete(&path).await.expect_empty(204);
    }
}

/// Which rows there are (contract: authentik-rbac §7).
async fn rows_by_grant(server: &Server) {
    let three = Three::new(server).await;
    let ann = server.person("ann").await;
    let (mine, other) = (path(&three.bindings[0]), path(&three.bindings[1]));
    let body = json!({"policy": three.policy});
    for path in [PATH, &mine, &path(UNKNOWN)] {
        ann.client.get(path).await.expect_forbidden();
    }
    server.grant(ann.holder(), VIEW, Some(&three.bindings[0])).await;
    assert_eq!(ann.client.get(PATH).await.expect_list("pk"), [three.bindings[0].as_str()]);
    ann.client.get(&mine).await.expect(200);
    ann.client.get(&other).await.expect_missing();
    ann.client.patch(&mine, &body).await.expect_forbidden();
    ann.client.delete(&mine).await.expect_forbidden();
    ann.client.patch(&other, &body).await.expect_missing();
    ann.client.delete(&other).await.expect_missing();
    ann.client.post(PATH, &json!({})).await.expect_forbidden();
    server.grant(ann.holder(), "authentik_policies.change_policybinding", Some(&three.bindings[0])).await;
    ann.client.patch(&mine, &body).await.expect(200);
    ann.client.patch(&other, &body).await.expect_missing();
    server.grant(ann.holder(), "authentik_policies.delete_policybinding", Some(&three.bindings[0])).await;
    ann.client.delete(&mine).await.expect_empty(204);
    // The grant is gone with the row.
    ann.client.get(PATH).await.expect_forbidden();
    ann.client.get(&mine).await.expect_forbidden();
    let adder = server.holder_of("adder", &["authentik_policies.add_policybinding"]).await;
    let made = adder.client.post(PATH, &json!({"group": three.group, "target": three.target, "order": 0})).await;
    assert_eq!(made.expect(201)["group_obj"], json!(null));
    adder.client.get(PATH).await.expect_forbidden();
}
