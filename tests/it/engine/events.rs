//! Events of decisions: executions of policies that ask for it, and policies that give up.

use super::{change, expression, guarded, listed, told, told_of};
use crate::{
    bindings::{application, bind, dummy, policy},
    harness::{Server, tests},
};
use serde_json::{Map, Value, json};
use tessera::{
    audit::Subject,
    policy::{
        Request,
        engine::{Target, decide},
    },
    resource::{bindings::target::Mode, users},
};

tests![
    executions,
    whoever_asks_is_its_cause,
    results_as_they_count,
    no_event_unless_asked_for,
    a_test_leaves_none,
    one_for_each_evaluation,
    a_policy_that_gives_up,
    too_late,
    secrets_are_masked,
    secrets_of_expressions_are_masked,
    long_inputs_are_cut,
];

const MASK: &str = "********************";

async fn logging(server: &Server, name: &str, result: bool) -> String {
    let fields = json!({"result": result, "wait_min": 0, "wait_max": 1, "execution_logging": true});
    policy(server, "dummy", name, fields).await
}

fn simple(pk: &str) -> String {
    pk.replace('-', "")
}

/// Asks the engine itself, with something in the context.
async fn decided(server: &Server, target: &str, user: i64, context: Value) -> bool {
    let ctx = server.system();
    let id = target.parse().expect("a key");
    let subject = Subject::new("authentik_core", "application", simple(target), "app");
    let target = Target { id, mode: Mode::Any, subject };
    let user = users::store::by_id(ctx.app.db.read(), i32::try_from(user).expect("small")).await.expect("answered");
    let Value::Object(context) = context else { panic!("no object") };
    let mut request = Request { user, context, debug: false, testing: false, log: Vec::new() };
    decide(&ctx, &target, &mut request).await.expect("decided").passing
}

async fn executions(server: &Server) {
    let policy = logging(server, "yes", true).await;
    let (target, binding) = guarded(server, "app", json!({"policy": policy})).await;
    let ann = server.person_with("ann", json!({"email": "ann@example.org"})).await;
    let mark = server.mark().await;
    assert_eq!(told_of(server, "app", ann.pk).await, (true, vec!["dummy".to_owned()]));
    let events = server.events_since(&mark).await;
    assert_eq!(events.len(), 1, "{events:?}");
    let context = &events[0].context;
    assert_eq!(events[0].action, "policy_execution");
    assert_eq!(context["policy_uuid"], json!(simple(&policy)));
    let about = |app: &str, model: &str, pk: &str| json!([app, model, simple(pk)]);
    let said = |subject: &Value| json!([subject["app"], subject["model_name"], subject["pk"]]);
    assert_eq!(said(&context["binding"]), about("authentik_policies", "policybinding", &binding));
    assert_eq!(context["result"]["passing"], json!(true));
    assert_eq!(context["result"]["messages"], json!(["dummy"]));
    let request = &context["request"];
    assert_eq!(request["user"], json!({"pk": ann.pk, "username": "ann", "email": "ann@example.org"}));
    assert_eq!(said(&request["obj"]), about("authentik_core", "application", &target));
    assert_eq!(request["context"], json!({}));
    let http = &context["http_request"];
    assert_eq!(
        (&http["path"], &http["method"]),
        (&json!("/api/v3/core/applications/app/check_access/"), &json!("GET"))
    );
    assert_eq!(http["args"], json!({"for_user": ann.pk.to_string()}));
}

async fn whoever_asks_is_its_cause(server: &Server) {
    guarded(server, "app", json!({"policy": logging(server, "yes", true).await})).await;
    let ann = server.person("ann").await;
    let mark = server.mark().await;
    assert!(super::let_in(&ann.client, "app").await);
    let events = server.events_since(&mark).await;
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(events[0].user["pk"], json!(ann.pk));
    assert_eq!(events[0].client_ip.as_deref(), Some("127.0.0.1"));
}

async fn results_as_they_count(server: &Server) {
    let (yes, no) = (logging(server, "yes", true).await, logging(server, "no", false).await);
    let target = application(server, "app", json!({})).await;
    bind(server, &target, 0, json!({"policy": yes})).await;
    bind(server, &target, 1, json!({"policy": no})).await;
    bind(server, &target, 2, json!({"policy": no, "enabled": false, "negate": true})).await;
    bind(server, &target, 3, json!({"group": server.group("team", json!({})).await})).await;
    let mark = server.mark().await;
    told(server, "app").await;
    let mut results: Vec<String> = server
        .events_since(&mark)
        .await
        .iter()
        .map(|event| {
            format!("{} {} {}", event.action, event.context["policy_uuid"], event.context["result"]["passing"])
        })
        .collect();
    results.sort();
    let mut expected =
        [(&yes, true), (&no, false)].map(|(p, passing)| format!("policy_execution \"{}\" {passing}", simple(p)));
    expected.sort();
    assert_eq!(results, expected);
}

async fn no_event_unless_asked_for(server: &Server) {
    let policy = dummy(server, "yes", true).await;
    guarded(server, "app", json!({"policy": policy})).await;
    let mark = server.mark().await;
    told(server, "app").await;
    assert_eq!(server.gists_since(&mark).await, Vec::<String>::new());
    change(server, "dummy", &policy, json!({"execution_logging": true})).await;
    let mark = server.mark().await;
    told(server, "app").await;
    assert_eq!(server.events_since(&mark).await.len(), 1);
    change(server, "dummy", &policy, json!({"execution_logging": false})).await;
    let mark = server.mark().await;
    told(server, "app").await;
    assert_eq!(server.gists_since(&mark).await, Vec::<String>::new());
}

async fn a_test_leaves_none(server: &Server) {
    let ann = server.person("ann").await;
    let broken = expression(server, "broken", "raise ValueError('x')").await;
    change(server, "expression", &broken, json!({"execution_logging": true})).await;
    let yes = logging(server, "yes", true).await;
    let mark = server.mark().await;
    for policy in [&yes, &broken] {
        let path = format!("/policies/all/{policy}/test/");
        let body = json!({"user": ann.pk, "context": {"password": "x"}});
        let answer = server.admin().post(&path, &body).await.expect(200);
        assert_eq!(answer["passing"], json!(policy == &yes));
    }
    assert_eq!(server.gists_since(&mark).await, Vec::<String>::new());
}

/// What the list remembers is no evaluation.
async fn one_for_each_evaluation(server: &Server) {
    guarded(server, "app", json!({"policy": logging(server, "yes", true).await})).await;
    let ann = server.person("ann").await;
    let mark = server.mark().await;
    for _ in 0..3 {
        assert_eq!(listed(&ann.client).await, ["app"]);
    }
    assert_eq!(server.events_since(&mark).await.len(), 1);
    for expected in 2..5 {
        assert!(super::let_in(&ann.client, "app").await);
        assert_eq!(server.events_since(&mark).await.len(), expected);
    }
}

async fn a_policy_that_gives_up(server: &Server) {
    let broken = expression(server, "broken", "raise ValueError('custom text')").await;
    let (target, binding) = guarded(server, "app", json!({"policy": broken, "failure_result": true})).await;
    let ann = server.person("ann").await;
    let mark = server.mark().await;
    assert!(super::let_in(&ann.client, "app").await);
    let events = server.events_since(&mark).await;
    assert_eq!(events.len(), 1, "{events:?}");
    let context = &events[0].context;
    assert_eq!((events[0].action.as_str(), &events[0].user["pk"]), ("policy_exception", &json!(ann.pk)));
    assert_eq!(context["binding"]["pk"], json!(simple(&binding)));
    assert_eq!(context["request"]["user"]["pk"], json!(ann.pk));
    assert_eq!(context["request"]["obj"]["pk"], json!(simple(&target)));
    assert!(context.to_string().contains("custom text"), "{context}");
}

/// A policy that is too late has given up.
async fn too_late(server: &Server) {
    let policy = super::slow(server, "slow", 20).await;
    let (_, binding) = guarded(server, "app", json!({"policy": policy, "timeout": 1})).await;
    let mark = server.mark().await;
    assert!(!told(server, "app").await.0);
    let events = server.events_since(&mark).await;
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(events[0].action, "policy_exception");
    assert_eq!(events[0].context["binding"]["pk"], json!(simple(&binding)));
    assert!(events[0].context.to_string().contains("Policy timed out after 1 seconds."));
}

async fn secrets_are_masked(server: &Server) {
    let ann = server.person("ann").await.pk;
    let target = application(server, "app", json!({})).await;
    bind(server, &target, 0, json!({"policy": logging(server, "yes", true).await})).await;
    let context = json!({
        "password": "hunter2-alpha",
        "prompt_data": {"Password_repeat": "hunter2-beta", "username": "ann", "api_keys": ["hunter2-gamma"]},
        "passing": true,
        "token": {"identifier": "shown", "key": "hunter2-delta"},
        "number": 7,
    });
    let mark = server.mark().await;
    assert!(decided(server, &target, ann, context).await);
    let events = server.events_since(&mark).await;
    assert_eq!(events.len(), 1, "{events:?}");
    let masked = json!({
        "password": MASK,
        "prompt_data": {"Password_repeat": MASK, "username": MASK, "api_keys": [MASK]},
        "passing": true,
        "token": {"identifier": "shown", "key": MASK},
        "number": 7,
    });
    assert_eq!(events[0].context["request"]["context"], masked);
    assert!(!server.events_text().await.contains("hunter2"));
}

async fn secrets_of_expressions_are_masked(server: &Server) {
    let body = "context['password'] = 'hunter2-alpha'\ncontext['plain'] = 'shown'\nreturn True";
    let first = expression(server, "first", body).await;
    let broken = expression(server, "broken", "raise ValueError('x')").await;
    let target = application(server, "app", json!({})).await;
    bind(server, &target, 0, json!({"policy": first})).await;
    bind(server, &target, 1, json!({"policy": broken})).await;
    bind(server, &target, 2, json!({"policy": logging(server, "yes", true).await})).await;
    let mark = server.mark().await;
    told(server, "app").await;
    let events = server.events_since(&mark).await;
    assert_eq!(events.len(), 2, "{events:?}");
    assert!(!server.events_since(&mark).await.iter().any(|event| event.context.to_string().contains("hunter2")));
    // What an expression leaves behind is there for the policies after it.
    for event in events {
        let context = &event.context["request"]["context"];
        assert_eq!((&context["plain"], &context["password"]), (&json!("shown"), &json!(MASK)), "{}", event.action);
    }
}

async fn long_inputs_are_cut(server: &Server) {
    let ann = server.person("ann").await.pk;
    let policy = logging(server, "yes", true).await;
    let target = application(server, "app", json!({})).await;
    let binding = bind(server, &target, 0, json!({"policy": policy})).await;
    let mut context = Map::new();
    for number in 0..20 {
        context.insert(format!("part{number}"), json!("x".repeat(50_000)));
    }
    let mark = server.mark().await;
    assert!(decided(server, &target, ann, Value::Object(context)).await);
    let events = server.events_since(&mark).await;
    assert_eq!(events.len(), 1);
    let context = &events[0].context;
    assert!(context.to_string().len() < 65_536, "{}", context.to_string().len());
    assert_eq!(
        (&context["policy_uuid"], &context["binding"]["pk"]),
        (&json!(simple(&policy)), &json!(simple(&binding)))
    );
    assert_eq!(context["result"]["passing"], json!(true));
    // A little below the bound, all of it is there.
    let mark = server.mark().await;
    assert!(decided(server, &target, ann, json!({"part": "x".repeat(50_000)})).await);
    let events = server.events_since(&mark).await;
    assert_eq!(events[0].context["request"]["context"]["part"], json!("x".repeat(50_000)));
    assert_eq!(crate::events::findings(server).await, []);
}
