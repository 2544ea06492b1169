//! Creating, reading, changing and deleting bindings.

use super::{NOT_UNIQUE, ONE_OF, ONLY_ONE_OF, PATH, UNKNOWN, application, bind, dummy, path, pk, shown, whole};
use crate::harness::{Server, tests};
use serde_json::{Value, json};

tests![
    a_policy_is_bound,
    a_group_is_bound,
    a_user_is_bound,
    everything_is_said,
    put_keeps_what_is_not_said,
    a_change_names_what_is_bound,
    never_two_at_once,
    from_kind_to_kind,
    one_policy_in_one_place_once,
    the_same_group_and_user_more_than_once,
    a_change_to_the_place_of_another,
    to_another_target,
    ids,
    used_by_nothing,
    two_at_one_binding,
    two_at_one_policy,
];

/// The three kinds of things that are bound, and somewhere to bind them to.
struct Things {
    target: String,
    policy: String,
    group: String,
    user: i64,
}

impl Things {
    async fn new(server: &Server) -> Self {
        Self {
            target: application(server, "app", json!({})).await,
            policy: dummy(server, "yes", true).await,
            group: server.group("team", json!({})).await,
            user: server.person("ann").await.pk,
        }
    }

    fn all(&self) -> [(&'static str, Value); 3] {
        [("policy", json!(self.policy)), ("group", json!(self.group)), ("user", json!(self.user))]
    }
}

/// What is named in an answer: policy, group, user, and whether each is described.
fn named(binding: &Value) -> Value {
    json!({
        "policy": binding["policy"], "group": binding["group"], "user": binding["user"],
        "described": [!binding["policy_obj"].is_null(), !binding["group_obj"].is_null(), !binding["user_obj"].is_null()],
    })
}

fn only(kind: &str, value: &Value) -> Value {
    let of = |name: &str| if name == kind { value.clone() } else { Value::Null };
    json!({
        "policy": of("policy"), "group": of("group"), "user": of("user"),
        "described": [kind == "policy", kind == "group", kind == "user"],
    })
}

async fn a_policy_is_bound(server: &Server) {
    let things = Things::new(server).await;
    let body = json!({"policy": things.policy, "target": things.target, "order": 0});
    let binding = server.admin().post(PATH, &body).await.expect(201);
    let expected = json!({
        "pk": binding["pk"],
        "policy": things.policy,
        "group": null,
        "user": null,
        "policy_obj": {
            "pk": things.policy,
            "name": "yes",
            "execution_logging": false,
            "component": "ak-policy-dummy-form",
            "verbose_name": "Dummy Policy",
            "verbose_name_plural": "Dummy Policies",
            "meta_model_name": "authentik_policies_dummy.dummypolicy",
            "bound_to": 1,
            "result": true,
            "wait_min": 0,
            "wait_max": 1,
        },
        "group_obj": null,
        "user_obj": null,
        "target": things.target,
        "negate": false,
        "enabled": true,
        "order": 0,
        "timeout": 30,
        "failure_result": false,
    });
    assert_eq!(binding, expected);
    server.admin().get(&path(&pk(&binding))).await.expect_body(200, &expected);
    let listed = server.admin().get(PATH).await.expect(200);
    assert_eq!(listed["results"], json!([expected]));
}

/// The members of a group are left out of its description: ours, listed.
async fn a_group_is_bound(server: &Server) {
    let things = Things::new(server).await;
    let group = server.group("crew", json!({"users": [things.user]})).await;
    let body = json!({"group": group, "target": things.target, "order": 0});
    let binding = server.admin().post(PATH, &body).await.expect(201);
    let described = server.admin().get(&format!("/core/groups/{group}/?include_users=false")).await.expect(200);
    let expected = json!({
        "pk": binding["pk"], "policy": null, "group": group, "user": null, "policy_obj": null,
        "group_obj": described, "user_obj": null, "target": things.target, "negate": false, "enabled": true,
        "order": 0, "timeout": 30, "failure_result": false,
    });
    assert_eq!(binding, expected);
    server.admin().get(&path(&pk(&binding))).await.expect_body(200, &expected);
}

async fn a_user_is_bound(server: &Server) {
    let things = Things::new(server).await;
    let body = json!({"user": things.user, "target": things.target, "order": 0});
    let binding = server.admin().post(PATH, &body).await.expect(201);
    let described = server.admin().get(&format!("/core/users/{}/", things.user)).await.expect(200);
    let expected = json!({
        "pk": binding["pk"], "policy": null, "group": null, "user": things.user, "policy_obj": null,
        "group_obj": null, "user_obj": described, "target": things.target, "negate": false, "enabled": true,
        "order": 0, "timeout": 30, "failure_result": false,
    });
    assert_eq!(binding, expected);
    server.admin().get(&path(&pk(&binding))).await.expect_body(200, &expected);
}

async fn everything_is_said(server: &Server) {
    let things = Things::new(server).await;
    let body = json!({
        "policy": things.policy, "group": null, "user": null, "target": things.target, "negate": true,
        "enabled": false, "order": -7, "timeout": 5, "failure_result": true, "pk": UNKNOWN, "policy_obj": 5,
        "unknown": [],
    });
    let binding = server.admin().post(PATH, &body).await.expect(201);
    for field in ["policy", "group", "user", "target", "negate", "enabled", "order", "timeout", "failure_result"] {
        assert_eq!(binding[field], body[field], "{field}");
    }
    assert_ne!(binding["pk"], json!(UNKNOWN));
}

async fn put_keeps_what_is_not_said(server: &Server) {
    let things = Things::new(server).await;
    let more = json!({
        "policy": things.policy, "negate": true, "enabled": false, "timeout": 5, "failure_result": true,
    });
    let one = bind(server, &things.target, 1, more).await;
    let mut expected = shown(&server.admin(), &one).await;
    expected["order"] = json!(2);
    let body = json!({"policy": things.policy, "target": things.target, "order": 2});
    server.admin().put(&path(&one), &body).await.expect_body(200, &expected);
    server.admin().get(&path(&one)).await.expect_body(200, &expected);
    // What is required stays required.
    let faults = json!({"target": ["This field is required."], "order": ["This field is required."]});
    server.admin().put(&path(&one), &json!({"policy": things.policy})).await.expect_faults(faults);
    server.admin().put(&path(&one), &json!({"target": things.target, "order": 2})).await.expect_faults(whole(ONE_OF));
    server.admin().get(&path(&one)).await.expect_body(200, &expected);
}

async fn a_change_names_what_is_bound(server: &Server) {
    let things = Things::new(server).await;
    for (order, (kind, value)) in (0..).zip(things.all()) {
        let one = bind(server, &things.target, order, json!({kind: value})).await;
        let mut expected = shown(&server.admin(), &one).await;
        for body in [json!({}), json!({"order": 9}), json!({"negate": true}), json!({kind: null, "order": 9})] {
            server.admin().patch(&path(&one), &body).await.expect_faults(whole(ONE_OF));
            server.admin().get(&path(&one)).await.expect_body(200, &expected);
        }
        for (field, changed) in [
            ("order", json!(order + 10)),
            ("negate", json!(true)),
            ("enabled", json!(false)),
            ("timeout", json!(0)),
            ("failure_result", json!(true)),
        ] {
            expected[field] = changed.clone();
            let body = json!({kind: value, field: changed});
            server.admin().patch(&path(&one), &body).await.expect_body(200, &expected);
        }
        server.admin().get(&path(&one)).await.expect_body(200, &expected);
    }
}

async fn never_two_at_once(server: &Server) {
    let things = Things::new(server).await;
    let one = bind(server, &things.target, 0, json!({"policy": things.policy})).await;
    let before = shown(&server.admin(), &one).await;
    let fault = whole(ONLY_ONE_OF);
    for pair in [[0, 1], [0, 2], [1, 2], [2, 0]] {
        let mut body = json!({"target": things.target, "order": 1});
        for (kind, value) in pair.map(|index| things.all()[index].clone()) {
            body[kind] = value;
        }
        server.admin().post(PATH, &body).await.expect_faults(fault.clone());
        server.admin().put(&path(&one), &body).await.expect_faults(fault.clone());
        server.admin().patch(&path(&one), &body).await.expect_faults(fault.clone());
    }
    let body = json!({
        "policy": things.policy, "group": things.group, "user": things.user, "target": things.target, "order": 1,
    });
    server.admin().post(PATH, &body).await.expect_faults(fault);
    for none in [json!({}), json!({"policy": null}), json!({"policy": "", "group": null, "user": ""})] {
        let body = super::with(json!({"target": things.target, "order": 1}), &none);
        server.admin().post(PATH, &body).await.expect_faults(whole(ONE_OF));
    }
    server.admin().get(&path(&one)).await.expect_body(200, &before);
    assert_eq!(server.admin().get(PATH).await.expect_list("pk").len(), 1);
}

/// Naming one makes the other two null, with PUT and with PATCH, said or not.
async fn from_kind_to_kind(server: &Server) {
    let things = Things::new(server).await;
    let one = bind(server, &things.target, 0, json!({"policy": things.policy})).await;
    let mut old = "policy";
    for (kind, value) in [things.all(), things.all()].concat().into_iter().skip(1) {
        let answer = server.admin().patch(&path(&one), &json!({kind: value})).await.expect(200);
        assert_eq!(named(&answer), only(kind, &value));
        assert_eq!(named(&shown(&server.admin(), &one).await), only(kind, &value));
        old = kind;
    }
    for (kind, value) in [things.all(), things.all()].concat() {
        let body = json!({kind: value, "target": things.target, "order": 0});
        let answer = server.admin().put(&path(&one), &body).await.expect(200);
        assert_eq!(named(&answer), only(kind, &value));
    }
    for (kind, value) in things.all() {
        let body = if kind == old { json!({kind: value}) } else { json!({old: null, kind: value}) };
        let answer = server.admin().patch(&path(&one), &body).await.expect(200);
        assert_eq!(named(&answer), only(kind, &value));
        old = kind;
    }
}

async fn one_policy_in_one_place_once(server: &Server) {
    let things = Things::new(server).await;
    let other = application(server, "other", json!({})).await;
    let body = json!({"policy": things.policy, "target": things.target, "order": 0});
    server.admin().post(PATH, &body).await.expect(201);
    server.admin().post(PATH, &body).await.expect_faults(whole(NOT_UNIQUE));
    let unlike =
        json!({"policy": things.policy, "target": things.target, "order": 0, "negate": true, "enabled": false});
    server.admin().post(PATH, &unlike).await.expect_faults(whole(NOT_UNIQUE));
    // Another place, another target, another policy.
    bind(server, &things.target, 1, json!({"policy": things.policy})).await;
    bind(server, &other, 0, json!({"policy": things.policy})).await;
    bind(server, &things.target, 0, json!({"policy": dummy(server, "no", false).await})).await;
    // Twenty at once: one of them is bound.
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let (client, body) = (server.admin(), json!({"policy": things.policy, "target": other, "order": 5}));
        tasks.spawn(async move { client.post(PATH, &body).await.status });
    }
    let mut statuses = tasks.join_all().await;
    statuses.sort_unstable();
    assert_eq!(statuses, [vec![201], vec![400; 19]].concat());
}

async fn the_same_group_and_user_more_than_once(server: &Server) {
    let things = Things::new(server).await;
    for _ in 0..2 {
        bind(server, &things.target, 0, json!({"group": things.group})).await;
        bind(server, &things.target, 0, json!({"user": things.user})).await;
    }
    assert_eq!(server.admin().get(PATH).await.expect_list("order"), ["0", "0", "0", "0"]);
}

async fn a_change_to_the_place_of_another(server: &Server) {
    let things = Things::new(server).await;
    bind(server, &things.target, 0, json!({"policy": things.policy})).await;
    let one = bind(server, &things.target, 1, json!({"policy": things.policy})).await;
    let group = bind(server, &things.target, 0, json!({"group": things.group})).await;
    let before = shown(&server.admin(), &one).await;
    let onto = json!({"policy": things.policy, "target": things.target, "order": 0});
    for binding in [&one, &group] {
        server.admin().put(&path(binding), &onto).await.expect_faults(whole(NOT_UNIQUE));
        server.admin().patch(&path(binding), &onto).await.expect_faults(whole(NOT_UNIQUE));
    }
    server.admin().patch(&path(&group), &json!({"policy": things.policy})).await.expect_faults(whole(NOT_UNIQUE));
    server.admin().get(&path(&one)).await.expect_body(200, &before);
    // Its own place is free.
    let own = json!({"policy": things.policy, "target": things.target, "order": 1});
    server.admin().put(&path(&one), &own).await.expect_body(200, &before);
    server.admin().patch(&path(&one), &own).await.expect_body(200, &before);
}

async fn to_another_target(server: &Server) {
    let things = Things::new(server).await;
    let other = application(server, "other", json!({})).await;
    let one = bind(server, &things.target, 0, json!({"policy": things.policy})).await;
    let body = json!({"policy": things.policy, "target": other});
    assert_eq!(server.admin().patch(&path(&one), &body).await.expect(200)["target"], json!(other));
    let listed = server.admin().get(&format!("{PATH}?target={}", things.target)).await.expect_list("pk");
    assert_eq!(listed, Vec::<String>::new());
    assert_eq!(server.admin().get(&format!("{PATH}?target={other}")).await.expect_list("pk"), [one]);
}

async fn ids(server: &Server) {
    let things = Things::new(server).await;
    let one = bind(server, &things.target, 0, json!({"policy": things.policy})).await;
    server.admin().delete(&path(&one)).await.expect_empty(204);
    for bad in [one.as_str(), things.policy.as_str(), things.target.as_str(), UNKNOWN, "abc", "1", "%20"] {
        let path = path(bad);
        let body = json!({"policy": things.policy, "target": things.target, "order": 0});
        server.admin().get(&path).await.expect_missing();
        server.admin().put(&path, &body).await.expect_missing();
        server.admin().patch(&path, &body).await.expect_missing();
        server.admin().delete(&path).await.expect_missing();
        server.admin().get(&format!("{path}used_by/")).await.expect_missing();
    }
}

async fn used_by_nothing(server: &Server) {
    let things = Things::new(server).await;
    let one = bind(server, &things.target, 0, json!({"policy": things.policy})).await;
    server.admin().get(&format!("{}used_by/", path(&one))).await.expect_body(200, &json!([]));
}

/// One of the two states, whole, and both are told that it went well.
async fn two_at_one_binding(server: &Server) {
    let things = Things::new(server).await;
    let one = bind(server, &things.target, 0, json!({"policy": things.policy})).await;
    let path = path(&one);
    for round in 0..10 {
        let bodies = [
            json!({"group": things.group, "target": things.target, "order": round, "negate": true, "timeout": 1}),
            json!({"user": things.user, "target": things.target, "order": -round, "negate": false, "timeout": 2}),
        ];
        let (first, second) = (server.admin(), server.admin());
        let (a, b) = tokio::join!(first.put(&path, &bodies[0]), second.patch(&path, &bodies[1]));
        let states = [a.expect(200), b.expect(200)];
        let now = shown(&server.admin(), &one).await;
        assert!(states.contains(&now), "round {round}: {now} is neither of {states:?}");
        let whole = [only("group", &bodies[0]["group"]), only("user", &bodies[1]["user"])];
        assert!(whole.contains(&named(&now)), "round {round}: {now}");
    }
}

async fn two_at_one_policy(server: &Server) {
    let things = Things::new(server).await;
    let path = format!("/policies/dummy/{}/", things.policy);
    for round in 0..10 {
        let bodies = [
            json!({"name": format!("a{round}"), "result": true, "wait_min": 1, "wait_max": 2}),
            json!({"name": format!("b{round}"), "result": false, "wait_min": 3, "wait_max": 4}),
        ];
        let (first, second) = (server.admin(), server.admin());
        let (a, b) = tokio::join!(first.put(&path, &bodies[0]), second.put(&path, &bodies[1]));
        let states = [a.expect(200), b.expect(200)];
        let now = server.admin().get(&path).await.expect(200);
        assert!(states.contains(&now), "round {round}: {now} is neither of {states:?}");
        // Different fields both survive.
        let (name, wait) = (json!({"name": format!("c{round}")}), json!({"wait_max": 9}));
        let (a, b) = tokio::join!(first.patch(&path, &name), second.patch(&path, &wait));
        a.expect(200);
        b.expect(200);
        let now = server.admin().get(&path).await.expect(200);
        assert_eq!((&now["name"], &now["wait_max"]), (&name["name"], &json!(9)), "round {round}");
    }
}
