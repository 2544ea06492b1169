//! Asking a policy about an account (contract: authentik-core §5.3): who may, about whom, and that it is
//! nothing but a question. What policies answer is in `answers.rs`, `expiry.rs`, `passwords.rs` and
//! `expressions.rs`.

use super::{
    ADD, UNKNOWN, VIEW, any, application, ask, bind, fails,
    kinds::{DUMMY, EXPIRY, EXPRESSION, KINDS},
    make, outcome,
};
use crate::harness::{Person, Server, tests};
use chrono::TimeDelta;
use sea_orm::EntityTrait as _;
use serde_json::{Value, json};
use tessera::resource::users;

tests![
    the_answer_is_whole,
    two_permissions_are_needed,
    permissions_on_one_policy,
    permissions_come_first,
    accounts_that_do_not_exist,
    accounts_out_of_sight,
    context_is_an_object,
    nothing_is_recorded_or_remembered,
    passwords_stay,
    passwords_stay_when_access_is_asked_for,
    bindings_play_no_part,
];

/// A policy that answers at once.
async fn quick(server: &Server, name: &str, result: bool) -> String {
    make(server, &DUMMY, name, json!({"result": result, "wait_min": 0, "wait_max": 1})).await
}

/// The whole row of an account.
async fn row(server: &Server, person: &Person) -> users::Model {
    let id = i32::try_from(person.pk).expect("a small number");
    users::Entity::find_by_id(id).one(server.app.db.read()).await.expect("is read").expect("is there")
}

async fn the_answer_is_whole(server: &Server) {
    let ann = server.person("ann").await;
    let policy = make(server, &EXPIRY, "ages", json!({"days": 1, "deny_only": true})).await;
    let young = json!({"passing": true, "messages": [], "log_messages": []});
    ask(&server.admin(), &policy, ann.pk, json!({})).await.expect_body(200, &young);
    server.advance(TimeDelta::days(2));
    let old = json!({"passing": false, "messages": ["Password has expired."], "log_messages": []});
    ask(&server.admin(), &policy, ann.pk, json!({})).await.expect_body(200, &old);
    // Without a context, and with more than there is to say.
    let body = json!({"user": ann.pk.to_string(), "nonsense": 1, "passing": true});
    server.admin().post(&format!("{}test/", any(&policy)), &body).await.expect_body(200, &old);
}

async fn two_permissions_are_needed(server: &Server) {
    let policy = quick(server, "quick", true).await;
    let ann = server.person("ann").await;
    for (name, codes, status) in [
        ("nothing", &[][..], 403),
        ("view", &[VIEW], 403),
        ("add", &[ADD], 403),
        // That the kind may be seen is nothing here.
        ("kind", &["authentik_policies_dummy.view_dummypolicy", "authentik_policies_dummy.add_dummypolicy"], 403),
        ("others", &[VIEW, "authentik_policies.change_policy", "authentik_policies.clear_policy_cache"], 403),
        ("both", &[VIEW, ADD], 200),
    ] {
        let caller = server.holder_of(name, codes).await;
        server.grant(caller.holder(), "authentik_core.view_user", None).await;
        let answer = ask(&caller.client, &policy, ann.pk, json!({})).await;
        if status == 403 {
            answer.expect_forbidden();
        } else {
            answer.expect_body(200, &json!({"passing": true, "messages": ["dummy"], "log_messages": []}));
        }
    }
}

async fn permissions_on_one_policy(server: &Server) {
    let (this, other) = (quick(server, "this", true).await, quick(server, "other", true).await);
    let bob = server.holder_of("bob", &["authentik_core.view_user"]).await;
    ask(&bob.client, &this, bob.pk, json!({})).await.expect_forbidden();
    server.grant(bob.holder(), VIEW, Some(&this)).await;
    ask(&bob.client, &this, bob.pk, json!({})).await.expect_forbidden();
    ask(&bob.client, &other, bob.pk, json!({})).await.expect_missing();
    ask(&bob.client, UNKNOWN, bob.pk, json!({})).await.expect_missing();
    server.grant(bob.holder(), ADD, None).await;
    ask(&bob.client, &this, bob.pk, json!({})).await.expect(200);
    ask(&bob.client, &other, bob.pk, json!({})).await.expect_missing();
    server.admin().delete(&any(&this)).await.expect_empty(204);
    ask(&bob.client, &this, bob.pk, json!({})).await.expect_forbidden();
}

async fn permissions_come_first(server: &Server) {
    let policy = quick(server, "quick", true).await;
    let viewer = server.holder_of("viewer", &[VIEW, "authentik_core.view_user"]).await.client;
    for body in [json!({}), json!([]), json!({"user": "x", "context": 5}), json!({"user": 999_999})] {
        viewer.post(&format!("{}test/", any(&policy)), &body).await.expect_forbidden();
        viewer.post(&format!("{}test/", any(UNKNOWN)), &body).await.expect_missing();
    }
}

async fn accounts_that_do_not_exist(server: &Server) {
    let path = format!("{}test/", any(&quick(server, "quick", true).await));
    let tester = server.holder_of("tester", &[VIEW, ADD, "authentik_core.view_user"]).await.client;
    for client in [&server.admin(), &tester] {
        for (body, fault) in [
            (json!({}), "This field is required."),
            (json!({"user": null}), "This field may not be null."),
            (json!({"user": 999_999}), "Invalid pk \"999999\" - object does not exist."),
            (json!({"user": "99999999"}), "Invalid pk \"99999999\" - object does not exist."),
            (json!({"user": -1}), "Invalid pk \"-1\" - object does not exist."),
            (json!({"user": 1.5}), "Invalid pk \"1.5\" - object does not exist."),
            (json!({"user": 1_099_511_627_776_i64}), "Invalid pk \"1099511627776\" - object does not exist."),
            (json!({"user": "abc"}), "Incorrect type. Expected pk value, received str."),
            (json!({"user": [1]}), "Incorrect type. Expected pk value, received list."),
            (json!({"user": {"pk": 1}}), "Incorrect type. Expected pk value, received dict."),
            (json!({"user": true}), "Incorrect type. Expected pk value, received bool."),
        ] {
            client.post(&path, &body).await.expect_faults(json!({"user": [fault]}));
        }
        let both = json!({
            "user": ["This field is required."],
            "context": ["Value must be a dictionary, and not have any duplicate keys."],
        });
        client.post(&path, &json!({"context": "x"})).await.expect_faults(both);
    }
}

/// What is out of sight is refused without a word.
async fn accounts_out_of_sight(server: &Server) {
    let policy = quick(server, "quick", true).await;
    let (ann, bob) = (server.person("ann").await, server.person("bob").await);
    let tester = server.holder_of("tester", &[VIEW, ADD]).await;
    for pk in [ann.pk, bob.pk, tester.pk] {
        ask(&tester.client, &policy, pk, json!({})).await.expect_empty(400);
    }
    server.grant(tester.holder(), "authentik_core.view_user", Some(&ann.pk.to_string())).await;
    ask(&tester.client, &policy, ann.pk, json!({})).await.expect(200);
    ask(&tester.client, &policy, bob.pk, json!({})).await.expect_empty(400);
    server.grant(tester.holder(), "authentik_core.view_user", None).await;
    ask(&tester.client, &policy, bob.pk, json!({})).await.expect(200);
}

async fn context_is_an_object(server: &Server) {
    let admin = server.admin();
    let policy = quick(server, "quick", true).await;
    let path = format!("{}test/", any(&policy));
    let dictionary = "Value must be a dictionary, and not have any duplicate keys.";
    for (context, fault) in [
        (json!(null), "This field may not be null."),
        (json!([]), dictionary),
        (json!(""), dictionary),
        (json!("x"), dictionary),
        (json!(5), dictionary),
        (json!(true), dictionary),
    ] {
        let body = json!({"user": 1, "context": context});
        admin.post(&path, &body).await.expect_faults(json!({"context": [fault]}));
    }
    for context in [json!({}), json!({"a": {"b": [1, null, "x"]}}), json!({"password": "geheim", "ü": "✓"})] {
        ask(&admin, &policy, 1, context).await.expect(200);
    }
}

async fn nothing_is_recorded_or_remembered(server: &Server) {
    let admin = server.admin();
    let ann = server.person("ann").await;
    let mut policies = Vec::new();
    for kind in KINDS {
        let fields = if kind.path == DUMMY.path { json!({"wait_min": 0, "wait_max": 1}) } else { json!({}) };
        let pk = make(server, kind, kind.path, fields).await;
        admin
            .patch(&kind.one(&pk), &super::with(&(kind.required)(), &json!({"execution_logging": true})))
            .await
            .expect(200);
        policies.push(pk);
    }
    // Expressions that go wrong, and one that says so.
    for source in [
        "return 1 / 0",
        "raise ValueError('x')",
        "ak_message('x')\nreturn True",
        "ak_create_event('custom_thing', a=1)\nreturn True",
    ] {
        let fields = json!({"expression": source, "execution_logging": true});
        policies.push(make(server, &EXPRESSION, source, fields).await);
    }
    let tester = server.holder_of("tester", &[VIEW, ADD, "authentik_core.view_user"]).await.client;
    let before = row(server, &ann).await;
    let mark = server.mark().await;
    for pk in &policies {
        for client in [&admin, &tester] {
            ask(client, pk, ann.pk, json!({"password": "abc"})).await.expect(200);
        }
    }
    assert_eq!(server.gists_since(&mark).await, Vec::<String>::new());
    admin.get("/policies/all/cache_info/").await.expect_body(200, &json!({"count": 0}));
    assert_eq!(row(server, &ann).await, before);
    assert_eq!(server.number("SELECT count(*) FROM reputation_scores").await, 0);
}

/// In the original the question itself makes the password unusable.
async fn passwords_stay(server: &Server) {
    let ann = server.person("ann").await;
    let set = json!({"password": "Correct-Horse-1"});
    server.admin().post(&format!("/core/users/{}/set_password/", ann.pk), &set).await.expect_empty(204);
    let policy = make(server, &EXPIRY, "ages", json!({"days": 30, "deny_only": false})).await;
    server.advance(TimeDelta::days(45));
    let (before, mark) = (row(server, &ann).await, server.mark().await);
    assert!(before.password.is_usable());
    // Again and again.
    for _ in 0..2 {
        let told = fails(&["Password expired 15 days ago. Please update your password."]);
        assert_eq!(outcome(server, &policy, &ann, json!({})).await, told);
    }
    assert_eq!(row(server, &ann).await, before);
    assert_eq!(server.gists_since(&mark).await, Vec::<String>::new());
}

/// Nor does a look at who is let into an application, one's own list of them included.
async fn passwords_stay_when_access_is_asked_for(server: &Server) {
    let admin = server.admin();
    let ann = server.person("ann").await;
    let set = json!({"password": "Correct-Horse-1"});
    admin.post(&format!("/core/users/{}/set_password/", ann.pk), &set).await.expect_empty(204);
    let policy = make(server, &EXPIRY, "ages", json!({"days": 30, "deny_only": false})).await;
    bind(server, &policy, &application(server, "wiki").await, 0).await;
    server.advance(TimeDelta::days(45));
    let (before, mark) = (row(server, &ann).await, server.mark().await);
    let path = "/core/applications/wiki/check_access/";
    let shown = admin.get(&format!("{path}?for_user={}", ann.pk)).await.expect(200);
    assert_eq!((&shown["passing"], shown["messages"].as_array().map(Vec::len)), (&json!(false), Some(1)));
    assert_eq!(ann.client.get(path).await.expect(200)["passing"], false);
    assert_eq!(ann.client.get("/core/applications/").await.expect_list("slug"), Vec::<String>::new());
    assert_eq!(row(server, &ann).await, before);
    assert_eq!(server.gists_since(&mark).await, Vec::<String>::new());
}

async fn bindings_play_no_part(server: &Server) {
    let ann = server.person("ann").await;
    let policy = quick(server, "quick", true).await;
    let binding = bind(server, &policy, &application(server, "wiki").await, 0).await;
    let odd = json!({"policy": policy, "negate": true, "enabled": false, "failure_result": true, "timeout": 1});
    server.admin().patch(&format!("/policies/bindings/{binding}/"), &odd).await.expect(200);
    let answer: Value = ask(&server.admin(), &policy, ann.pk, json!({})).await.expect(200);
    assert_eq!((&answer["passing"], &answer["messages"]), (&json!(true), &json!(["dummy"])));
}
