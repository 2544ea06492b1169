//! What an expression changes: the context, and the audit trail.

use super::{Policies, about, over_http};
use crate::harness::{Server, tests};
use serde_json::{Value, json};
use std::sync::Arc;
use tessera::{
    ctx::Ctx,
    policy::{Fault, Outcome, Request, expression},
};

tests![the_context_comes_back, policies_share_the_context, events, events_of_tests, events_are_masked_and_bounded];

async fn run(server: &Server, request: &mut Request, source: &str) -> Result<Outcome, Fault> {
    let policies = Policies(vec![
        ("sets".into(), "context['inner'] = {'a': [1]}\nak_logger.info('inside')\nreturn True".into()),
        ("removes".into(), "context.pop('old')\nak_message(request.context.get('new'))\nreturn False".into()),
        ("raises".into(), "context['kept'] = 1\nraise ValueError('inner')".into()),
    ]);
    expression::evaluate(&over_http(server), &policies, "p", source, request, super::LIMIT).await
}

async fn the_context_comes_back(server: &Server) {
    let mut request = about(server, None, json!({"old": {"a": 1}, "prompt_data": {"email": "e"}})).await;
    let source = "request.context['prompt_data']['username'] = context['prompt_data']['email']\ncontext['f'] = lambda: 1\n\
        context['n'] = 1.5\nreturn True";
    assert!(run(server, &mut request, source).await.expect("runs").passing);
    let expected = json!({"old": {"a": 1}, "prompt_data": {"email": "e", "username": "e"}, "n": 1.5});
    assert_eq!(Value::Object(request.context.clone()), expected);
    // Also what came before an exception.
    run(server, &mut request, "context['late'] = 1\nraise ValueError('x')").await.expect_err("raises");
    assert_eq!(request.context["late"], 1);
}

async fn policies_share_the_context(server: &Server) {
    let mut request = about(server, None, json!({"old": 1})).await;
    let source = "r = ak_call_policy('sets')\nak_message(context['inner'])\ns = ak_call_policy('removes', new=2)\n\
        ak_message(s.messages)\nt = ak_call_policy('raises')\nak_message(t.messages)\nreturn (r.passing, s.passing, t.passing) == (True, False, False)";
    let outcome = run(server, &mut request, source).await.expect("runs");
    assert!(outcome.passing);
    assert_eq!(outcome.messages, ["{'a': [1]}", "('2',)", "('inner',)"]);
    assert_eq!(outcome.log.iter().map(|l| l.event.as_str()).collect::<Vec<_>>(), ["inside"]);
    assert_eq!(Value::Object(request.context.clone()), json!({"inner": {"a": [1]}, "new": 2, "kept": 1}));
}

async fn events(server: &Server) {
    let ann = server.person("ann").await;
    let mark = server.mark().await;
    let mut request = about(server, Some(ann.pk), json!({"password": "hush"})).await;
    request.testing = false;
    let source = "return ak_create_event('made', u=request.user, foo='bar', api_key='hush') is None";
    assert!(run(server, &mut request, source).await.expect("runs").passing);
    assert_eq!(server.gists_since(&mark).await.len(), 1);
    let found = server.admin().get("/events/events/?action=custom_made").await.expect(200);
    let event = &found["results"][0];
    assert_eq!(event["app"], "p");
    let user = json!({"pk": ann.pk, "email": "", "username": "ann"});
    assert_eq!(event["context"]["u"], user);
    assert_eq!(event["context"]["foo"], "bar");
    assert_eq!(event["context"]["request"]["user"], user);
    assert_eq!(event["context"]["ak_client_ip"], "127.0.0.1");
    assert!(!event.to_string().contains("hush"), "{event}");
}

async fn events_of_tests(server: &Server) {
    let mark = server.mark().await;
    let mut request = about(server, None, json!({})).await;
    let outcome =
        run(server, &mut request, "ak_create_event('made', token='hush', foo=1)\nreturn True").await.expect("runs");
    assert_eq!(server.gists_since(&mark).await, Vec::<String>::new());
    assert_eq!(outcome.log[0].attributes["action"], "custom_made");
    assert_eq!(outcome.log[0].attributes["context"]["foo"], 1);
    assert!(!format!("{outcome:?}").contains("hush"));
}

async fn events_are_masked_and_bounded(server: &Server) {
    let mut request = about(server, None, json!({})).await;
    request.testing = false;
    let source = "ak_create_event('x' * 5000, big='y' * 1000000, nul='a\\0b')\nreturn True";
    let system = server.system();
    let ctx = Ctx::new(Arc::clone(&server.app), system.principal, None);
    expression::evaluate(&ctx, &Policies::default(), "p", source, &mut request, super::LIMIT).await.expect("runs");
    let found = server.admin().get("/events/events/?page_size=100").await.expect(200);
    let ours = |event: &&Value| event["app"] == "p";
    let event = found["results"].as_array().expect("a list").iter().find(ours).unwrap_or_else(|| panic!("{found}"));
    assert!(event["action"].as_str().is_some_and(|action| action.len() < 255));
    assert!(event.to_string().len() < 100_000);
}
