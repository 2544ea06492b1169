//! Who may give and take permissions (contract: authentik-rbac §5), and that nobody gives what he
//! lacks (§8, 4).

use super::{Target, globally, on};
use crate::harness::{Person, Server, tests};
use serde_json::json;
use tessera::resource::grants::store::Holder;

tests![
    who_may_assign,
    who_may_unassign,
    nobody_gives_what_he_lacks_globally,
    nobody_gives_what_he_lacks_on_an_object,
    nobody_gives_himself_more,
    what_one_lacks_may_be_taken_away,
    superusers_give_everything,
    what_roles_give_may_be_given,
];

/// Where a permission on the target is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Where {
    Everywhere,
    There,
    Elsewhere,
}
use Where::{Elsewhere, Everywhere, There};

/// Verbs held, and the status.
type Row = (&'static [(&'static str, Where)], u16);

/// `verb` stands for `assign_…_permissions` or `unassign_…_permissions`, `too` for what is needed
/// besides: `add_…` or `change_…`.
const ROWS: [Row; 17] = [
    (&[], 403),
    (&[("view", Everywhere)], 403),
    (&[("view", There)], 403),
    (&[("verb", Everywhere), ("too", Everywhere)], 403),
    (&[("verb", There), ("too", There)], 403),
    (&[("view", Everywhere), ("verb", Everywhere)], 403),
    (&[("view", Everywhere), ("too", Everywhere)], 403),
    (&[("view", Everywhere), ("other verb", Everywhere), ("too", Everywhere)], 403),
    (&[("view", Everywhere), ("verb", Everywhere), ("other too", Everywhere)], 403),
    (&[("view", Everywhere), ("verb", Elsewhere), ("too", Everywhere)], 403),
    (&[("view", Everywhere), ("verb", Everywhere), ("too", Elsewhere)], 403),
    (&[("view", Elsewhere), ("verb", Everywhere), ("too", Everywhere)], 404),
    (&[("view", Elsewhere)], 404),
    (&[("view", Everywhere), ("verb", Everywhere), ("too", Everywhere)], 200),
    (&[("view", There), ("verb", There), ("too", Everywhere)], 200),
    (&[("view", There), ("verb", There), ("too", There)], 200),
    (&[("view", Everywhere), ("verb", There), ("too", There)], 200),
];

/// A permission by its place in [`ROWS`].
fn code(target: &Target, assign: bool, name: &str) -> String {
    let (label, model) =
        if matches!(target, Target::Role(_)) { ("authentik_rbac", "role") } else { ("authentik_core", "user") };
    let (verb, other) = if assign { ("assign", "unassign") } else { ("unassign", "assign") };
    let (too, other_too) = if assign { ("add", "change") } else { ("change", "add") };
    match name {
        "verb" => format!("{label}.{verb}_{model}_permissions"),
        "other verb" => format!("{label}.{other}_{model}_permissions"),
        "too" => format!("{label}.{too}_{model}"),
        "other too" => format!("{label}.{other_too}_{model}"),
        name => format!("{label}.{name}_{model}"),
    }
}

fn key(target: &Target) -> String {
    match target {
        Target::Role(id) => id.clone(),
        Target::User(id) => id.to_string(),
    }
}

async fn check(server: &Server, assign: bool) {
    let held = "authentik_core.add_group";
    let targets = Target::both(server, "target").await;
    let others = Target::both(server, "other").await;
    for (number, (held_codes, expected)) in ROWS.iter().enumerate() {
        for (target, other) in targets.iter().zip(&others) {
            let name = format!("caller-{number}-{}", if matches!(target, Target::Role(_)) { "role" } else { "user" });
            // It may be given, for the caller holds it.
            let caller = server.holder_of(&name, &[held]).await;
            for (what, held_where) in *held_codes {
                let object = match held_where {
                    Everywhere => None,
                    There => Some(key(target)),
                    Elsewhere => Some(key(other)),
                };
                server.grant(caller.holder(), &code(target, assign, what), object.as_deref()).await;
            }
            let (before, after) = if assign { (vec![], vec![held]) } else { (vec![held], vec![]) };
            let holder = match target {
                Target::Role(id) => Holder::Role(id.parse().expect("a UUID")),
                Target::User(id) => Holder::User(i32::try_from(*id).expect("small")),
            };
            if !assign {
                server.grant(holder, held, None).await;
            }
            let answer = if assign {
                caller.client.post(&target.assign(), &globally(&[held])).await
            } else {
                caller.client.patch(&target.unassign(), &globally(&[held])).await
            };
            let good = if assign { 200 } else { 204 };
            let expected = if *expected == 200 { good } else { *expected };
            assert_eq!(answer.status, expected, "{held_codes:?} {target:?}: {}", answer.text());
            match expected {
                403 => answer.expect_forbidden(),
                404 => answer.expect_missing(),
                _ => {}
            }
            let left = if expected == good { after } else { before };
            assert_eq!(target.holds(server).await, left, "{held_codes:?} {target:?}");
            if !left.is_empty() {
                server.revoke(holder, held, None).await;
            }
        }
    }
}

async fn who_may_assign(server: &Server) {
    check(server, true).await;
}

async fn who_may_unassign(server: &Server) {
    check(server, false).await;
}

/// Somebody who may give anything to anybody, as far as he has it.
async fn delegate(server: &Server) -> Person {
    let codes = [
        "authentik_core.view_user",
        "authentik_core.add_user",
        "authentik_core.change_user",
        "authentik_core.assign_user_permissions",
        "authentik_core.unassign_user_permissions",
        "authentik_rbac.view_role",
        "authentik_rbac.add_role",
        "authentik_rbac.change_role",
        "authentik_rbac.assign_role_permissions",
        "authentik_rbac.unassign_role_permissions",
    ];
    server.holder_of("delegate", &codes).await
}

async fn nobody_gives_what_he_lacks_globally(server: &Server) {
    let delegate = delegate(server).await;
    let group = server.group("g", json!({})).await;
    server.grant(delegate.holder(), "authentik_core.view_group", Some(&group)).await;
    for target in Target::both(server, "target").await {
        let mark = server.mark().await;
        for codes in [
            vec!["authentik_core.delete_user"],
            vec!["authentik_core.reset_user_password"],
            vec!["authentik_rbac.edit_system_settings"],
            vec!["authentik_events.view_event"],
            // What is held on one object is not held.
            vec!["authentik_core.view_group"],
            // One of several.
            vec!["authentik_core.view_user", "authentik_core.impersonate"],
        ] {
            delegate.client.post(&target.assign(), &globally(&codes)).await.expect_forbidden();
            assert_eq!(target.holds(server).await, Vec::<String>::new(), "{codes:?}");
        }
        assert_eq!(server.gists_since(&mark).await, Vec::<String>::new());
        delegate.client.post(&target.assign(), &globally(&["authentik_core.view_user"])).await.expect(200);
        assert_eq!(target.holds(server).await, ["authentik_core.view_user"]);
    }
}

async fn nobody_gives_what_he_lacks_on_an_object(server: &Server) {
    let delegate = delegate(server).await;
    let (one, other) = (server.group("one", json!({})).await, server.group("other", json!({})).await);
    server.grant(delegate.holder(), "authentik_core.view_group", Some(&one)).await;
    server.grant(delegate.holder(), "authentik_core.delete_group", None).await;
    let model = "authentik_core.group";
    for target in Target::both(server, "target").await {
        let client = &delegate.client;
        client.post(&target.assign(), &on(model, &other, &["view_group"])).await.expect_forbidden();
        client.post(&target.assign(), &on(model, &one, &["change_group"])).await.expect_forbidden();
        client.post(&target.assign(), &on(model, &one, &["view_group", "change_group"])).await.expect_forbidden();
        assert_eq!(target.holds(server).await, Vec::<String>::new());
        // On that object, or on all.
        client.post(&target.assign(), &on(model, &one, &["view_group", "delete_group"])).await.expect(200);
        client.post(&target.assign(), &on(model, &other, &["delete_group"])).await.expect(200);
        assert_eq!(target.holds(server).await.len(), 3);
    }
}

async fn nobody_gives_himself_more(server: &Server) {
    let delegate = delegate(server).await;
    let own = Target::User(delegate.pk);
    let before = own.holds(server).await;
    let role = server.role("own", &[]).await.to_string();
    let group = server.group("own", json!({"roles": [role], "users": [delegate.pk]})).await;
    for target in [own.clone(), Target::Role(role.clone())] {
        for code in ["authentik_core.delete_user", "authentik_core.change_group", "authentik_events.delete_event"] {
            delegate.client.post(&target.assign(), &globally(&[code])).await.expect_forbidden();
        }
        let body = on("authentik_core.group", &group, &["change_group"]);
        delegate.client.post(&target.assign(), &body).await.expect_forbidden();
    }
    assert_eq!(own.holds(server).await, before);
    assert_eq!(Target::Role(role).holds(server).await, Vec::<String>::new());
    delegate.client.get("/core/groups/").await.expect_forbidden();
    delegate.client.delete(&format!("/core/users/{}/", delegate.pk)).await.expect_forbidden();
}

async fn what_one_lacks_may_be_taken_away(server: &Server) {
    let delegate = delegate(server).await;
    for target in Target::both(server, "target").await {
        let code = "authentik_core.delete_user";
        server.admin().post(&target.assign(), &globally(&[code])).await.expect(200);
        delegate.client.patch(&target.unassign(), &globally(&[code])).await.expect_empty(204);
        assert_eq!(target.holds(server).await, Vec::<String>::new());
    }
}

async fn superusers_give_everything(server: &Server) {
    let top = server.group("top", json!({"is_superuser": true})).await;
    let below = server.group("below", json!({"parent": top})).await;
    let chief = server.person_with("chief", json!({"groups": [below]})).await;
    let all = chief.client.get("/rbac/permissions/").await.expect(200);
    let all = all["results"].as_array().expect("a list");
    let codes: Vec<String> =
        all.iter().map(|p| format!("{}.{}", super::text(&p["app_label"]), super::text(&p["codename"]))).collect();
    let codes: Vec<&str> = codes.iter().map(String::as_str).collect();
    for target in Target::both(server, "target").await {
        let given = chief.client.post(&target.assign(), &globally(&codes)).await.expect(200);
        assert_eq!(given.as_array().map(Vec::len), Some(codes.len()));
        assert_eq!(target.holds(server).await.len(), codes.len());
        let body = on("authentik_core.group", &top, &["change_group"]);
        chief.client.post(&target.assign(), &body).await.expect(200);
    }
}

/// Held is held, whichever way.
async fn what_roles_give_may_be_given(server: &Server) {
    let delegate = delegate(server).await;
    let role = server.role("source", &["authentik_core.view_group"]).await.to_string();
    let group = server.group("g", json!({"roles": [role], "users": [delegate.pk]})).await;
    let [_, target] = Target::both(server, "target").await;
    let body = globally(&["authentik_core.view_group"]);
    delegate.client.post(&target.assign(), &body).await.expect(200);
    server.admin().patch(&target.unassign(), &body).await.expect_empty(204);
    server.admin().patch(&format!("/core/groups/{group}/"), &json!({"users": []})).await.expect(200);
    delegate.client.post(&target.assign(), &body).await.expect_forbidden();
    assert_eq!(target.holds(server).await, Vec::<String>::new());
}
