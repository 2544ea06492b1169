//! What expression policies answer (contract: authentik-core §5.7): the simplest cases, most of them
//! recorded from the original.

use super::{fails, fails_somehow, kinds::EXPRESSION, make, outcome};
use crate::harness::{Server, tests};
use serde_json::{Value, json};

tests![truth_decides, messages, who_is_asked_about, the_context, other_policies, errors_let_nobody_in];

/// Asks expressions about one account.
struct Asker<'a> {
    server: &'a Server,
    ann: crate::harness::Person,
    group: String,
}

impl<'a> Asker<'a> {
    async fn new(server: &'a Server) -> Self {
        let top = server.group("everyone", json!({})).await;
        let group = server.group("staff", json!({"parent": top, "attributes": {"level": 3}})).await;
        let fields = json!({
            "groups": [group], "email": "ann@example.org", "name": "Ann", "attributes": {"department": "it"},
        });
        Self { server, ann: server.person_with("ann", fields).await, group }
    }

    async fn asked(&self, expression: &str, context: Value) -> (bool, Vec<String>) {
        let policy = make(self.server, &EXPRESSION, "asked", json!({"expression": expression})).await;
        let outcome = outcome(self.server, &policy, &self.ann, context).await;
        self.server.admin().delete(&EXPRESSION.one(&policy)).await.expect_empty(204);
        outcome
    }

    async fn expect(&self, cases: &[(&str, bool)]) {
        for (expression, passing) in cases {
            let expected = (*passing, Vec::new());
            assert_eq!(self.asked(expression, json!({})).await, expected, "{expression}");
        }
    }
}

async fn truth_decides(server: &Server) {
    let asker = Asker::new(server).await;
    asker
        .expect(&[
            ("return True", true),
            ("return False", false),
            ("return 1", true),
            ("return 0", false),
            ("return 'yes'", true),
            ("return ''", false),
            ("return 'False'", true),
            ("return [False]", true),
            ("return {}", false),
            ("return None", false),
            ("return 1 < 2 < 3", true),
            ("x = 0\nfor i in range(4):\n    x += i\nreturn x == 6", true),
            ("if 'b' in ['a']:\n    return True", false),
        ])
        .await;
}

async fn messages(server: &Server) {
    let asker = Asker::new(server).await;
    let said = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let got = asker.asked("ak_message('one')\nak_message('äöü ✓')\nreturn True", json!({})).await;
    assert_eq!(got, (true, said(&["one", "äöü ✓"])));
    let got = asker.asked("ak_message(f'no {1 + 1:03d}')\nreturn False", json!({})).await;
    assert_eq!(got, (false, said(&["no 002"])));
}

async fn who_is_asked_about(server: &Server) {
    let asker = Asker::new(server).await;
    assert!(!asker.group.is_empty());
    asker
        .expect(&[
            ("return request.user.username == 'ann' and request.user.name == 'Ann'", true),
            ("return request.user.email.endswith('@example.org')", true),
            ("return request.user.attributes.get('department') == 'it'", true),
            ("return request.user.attributes.get('nothing')", false),
            ("return request.user.is_active and not request.user.is_superuser", true),
            ("return ak_is_group_member(request.user, name='staff')", true),
            // Upwards, too.
            ("return 'everyone' in [g.name for g in request.user.all_groups()]", true),
            ("return ak_is_group_member(request.user, name='admins')", false),
            ("return request.user.type == 'internal'", true),
            ("return regex_match(request.user.username, '^a')", true),
            ("return request.debug", true),
            ("return request.obj is None", true),
        ])
        .await;
}

async fn the_context(server: &Server) {
    let asker = Asker::new(server).await;
    let context = json!({"a": [1, "x", null, true, 1.5], "b": {"c": {}}, "is_sso": true});
    for (expression, passing) in [
        ("return context['a'] == [1, 'x', None, True, 1.5]", true),
        ("return request.context['b'] == {'c': {}}", true),
        ("return ak_is_sso_flow", true),
        ("return context.get('nothing')", false),
    ] {
        assert_eq!(asker.asked(expression, context.clone()).await.0, passing, "{expression}");
    }
    asker.expect(&[("return context == {}", true), ("return ak_is_sso_flow", false)]).await;
    let got = asker.asked("ak_message(str(ak_client_ip))\nreturn True", json!({})).await;
    assert_eq!(got, (true, vec!["127.0.0.1".to_owned()]));
}

async fn other_policies(server: &Server) {
    let asker = Asker::new(server).await;
    make(server, &EXPRESSION, "says yes", json!({"expression": "return True"})).await;
    make(server, &EXPRESSION, "says no", json!({"expression": "return False"})).await;
    asker
        .expect(&[
            ("return ak_call_policy('says yes').passing", true),
            ("return ak_call_policy('says no').passing", false),
        ])
        .await;
}

async fn errors_let_nobody_in(server: &Server) {
    let asker = Asker::new(server).await;
    for (expression, told) in [
        ("raise ValueError('custom text')", "custom text"),
        ("ak_message('before')\nraise ValueError('after')", "after"),
        ("return undefined_name", "name 'undefined_name' is not defined"),
        ("return request.user.attributes['nope']", "'nope'"),
        ("return [][0]", "list index out of range"),
        ("return int('abc')", "invalid literal for int() with base 10: 'abc'"),
    ] {
        let (passing, messages) = asker.asked(expression, json!({})).await;
        assert!(!passing, "{expression}");
        assert_eq!(messages.last().map(String::as_str), Some(told), "{expression}");
    }
    fails_somehow(&asker.asked("return 1 / 0", json!({})).await);
    // Nothing that is not meant to be there is.
    for expression in ["import os\nreturn os.system('true') == 0", "return open('/etc/passwd').read()"] {
        assert!(!asker.asked(expression, json!({})).await.0, "{expression}");
    }
    assert_eq!(asker.asked("return", json!({})).await, fails(&[]));
}
