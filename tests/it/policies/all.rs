//! Policies of all kinds in one place (contract: authentik-core §5.3).

use super::{
    ADD, DELETE, UNKNOWN, VIEW, any, application, bind,
    kinds::{DUMMY, EXPIRY, EXPRESSION, KINDS},
    make, text, with,
};
use crate::harness::{Server, tests};
use http::Method;
use serde_json::{Value, json};

tests![
    rows_have_the_fields_of_their_kind,
    retrieve,
    filter_on_bindings,
    filter_on_prompt_stages,
    search,
    order,
    pages,
    nothing_is_written_but_deleted,
    deletion,
    base_permissions_open_no_kind,
    permissions_of_kinds_do_not_open_all,
    rows_granted_alone,
    types,
    types_are_for_everybody,
];

const ALL: &str = "/policies/all/";

async fn names(server: &Server, query: &str) -> Vec<String> {
    server.admin().get(&format!("{ALL}?{query}")).await.expect_list("name")
}

/// A policy of each kind, named after it; gives their keys in the order of their names.
async fn one_of_each(server: &Server) -> Vec<String> {
    let mut keys = Vec::new();
    for kind in KINDS {
        keys.push(make(server, kind, kind.verbose_name, json!({})).await);
    }
    keys
}

async fn rows_have_the_fields_of_their_kind(server: &Server) {
    let keys = one_of_each(server).await;
    let page = server.admin().get(ALL).await.expect(200);
    let expected: Vec<Value> = KINDS
        .iter()
        .zip(&keys)
        .map(|(kind, pk)| kind.shown(pk, kind.verbose_name, false, &(kind.defaults)()))
        .collect();
    assert_eq!(page["results"], json!(expected));
    for (kind, pk) in KINDS.iter().zip(&keys) {
        let one = server.admin().get(&kind.one(pk)).await.expect(200);
        server.admin().get(&any(pk)).await.expect_body(200, &one);
    }
}

async fn retrieve(server: &Server) {
    let admin = server.admin();
    for kind in KINDS {
        let fields = with(&(kind.others)(), &json!({"execution_logging": true}));
        let pk = make(server, kind, kind.path, fields).await;
        admin.get(&any(&pk)).await.expect_body(200, &kind.shown(&pk, kind.path, true, &(kind.others)()));
    }
    for key in [UNKNOWN, "not-a-uuid", "1", "%00"] {
        admin.get(&any(key)).await.expect_missing();
        admin.get(&format!("{}used_by/", any(key))).await.expect_missing();
        admin.delete(&any(key)).await.expect_missing();
        admin.post(&format!("{}test/", any(key)), &json!({"user": 1})).await.expect_missing();
    }
}

async fn filter_on_bindings(server: &Server) {
    let bound = make(server, &DUMMY, "bound", json!({})).await;
    make(server, &EXPIRY, "free", json!({})).await;
    let (wiki, mail) = (application(server, "wiki").await, application(server, "mail").await);
    let first = bind(server, &bound, &wiki, 0).await;
    let second = bind(server, &bound, &mail, 0).await;
    for (query, expected) in [
        ("bindings__isnull=true", &["free"][..]),
        ("bindings__isnull=True", &["free"]),
        ("bindings__isnull=1", &["free"]),
        // Once, though two bindings use it.
        ("bindings__isnull=false", &["bound"]),
        ("bindings__isnull=0", &["bound"]),
        ("bindings__isnull=", &["bound", "free"]),
        ("bindings__isnull=x", &["bound", "free"]),
        ("bindings__isnull=false&search=free", &[]),
        // What the kinds can be filtered by is nothing here.
        ("name=free&execution_logging=true&days=x&result=true", &["bound", "free"]),
    ] {
        assert_eq!(names(server, query).await, *expected, "{query}");
    }
    // One that is switched off is one, too.
    let off = json!({"policy": bound, "enabled": false});
    server.admin().patch(&format!("/policies/bindings/{first}/"), &off).await.expect(200);
    server.admin().delete(&format!("/policies/bindings/{second}/")).await.expect_empty(204);
    assert_eq!(names(server, "bindings__isnull=false").await, ["bound"]);
    server.admin().delete("/core/applications/wiki/").await.expect_empty(204);
    assert_eq!(names(server, "bindings__isnull=true").await, ["bound", "free"]);
}

/// There are no prompt stages, so nothing is in one.
async fn filter_on_prompt_stages(server: &Server) {
    make(server, &DUMMY, "a", json!({})).await;
    for (query, expected) in [
        ("promptstage__isnull=true", &["a"][..]),
        ("promptstage__isnull=1", &["a"]),
        ("promptstage__isnull=false", &[]),
        ("promptstage__isnull=0", &[]),
        ("promptstage__isnull=", &["a"]),
        ("promptstage__isnull=x", &["a"]),
        ("promptstage__isnull=true&bindings__isnull=true", &["a"]),
        ("promptstage__isnull=true&bindings__isnull=false", &[]),
    ] {
        assert_eq!(names(server, query).await, *expected, "{query}");
    }
}

async fn search(server: &Server) {
    one_of_each(server).await;
    for (words, expected) in [
        ("password", &["Password Expiry Policy", "Password Policy"][..]),
        ("POLICY%20exp", &["Expression Policy", "Password Expiry Policy"]),
        ("policy,dummy", &["Dummy Policy"]),
        // No name of a kind's field, and no value of one.
        ("wait", &[]),
        ("True", &[]),
    ] {
        assert_eq!(names(server, &format!("search={words}")).await, *expected, "{words}");
    }
    assert_eq!(names(server, "search=").await.len(), 6);
}

async fn order(server: &Server) {
    let mut keys = one_of_each(server).await;
    let up: Vec<&str> = KINDS.iter().map(|kind| kind.verbose_name).collect();
    let down: Vec<&str> = up.iter().rev().copied().collect();
    for query in ["", "ordering=name", "ordering=", "ordering=nope", "ordering=-component,-bound_to,-result,-days"] {
        assert_eq!(names(server, query).await, up, "{query}");
    }
    for query in ["ordering=-name", "ordering=x,-name", "ordering=execution_logging,-name"] {
        assert_eq!(names(server, query).await, down, "{query}");
    }
    keys.sort_unstable();
    assert_eq!(server.admin().get(&format!("{ALL}?ordering=pk")).await.expect_list("pk"), keys);
}

async fn pages(server: &Server) {
    let admin = server.admin();
    one_of_each(server).await;
    let page = admin.get(&format!("{ALL}?page_size=4&page=2")).await.expect(200);
    let pagination = json!({
        "next": 0, "previous": 1, "count": 6, "current": 2, "total_pages": 2, "start_index": 5, "end_index": 6,
    });
    assert_eq!(page["pagination"], pagination);
    assert_eq!(names(server, "page_size=4&page=2").await, ["Password Policy", "Reputation Policy"]);
    admin.get(&format!("{ALL}?page=2")).await.expect_detail(404, "Invalid page.");
}

async fn nothing_is_written_but_deleted(server: &Server) {
    let admin = server.admin();
    let pk = make(server, &DUMMY, "a", json!({})).await;
    for (method, path) in [
        (Method::POST, ALL.to_owned()),
        (Method::PUT, ALL.to_owned()),
        (Method::DELETE, ALL.to_owned()),
        (Method::POST, any(&pk)),
        (Method::PUT, any(&pk)),
        (Method::PATCH, any(&pk)),
        (Method::POST, format!("{ALL}types/")),
        (Method::DELETE, format!("{ALL}types/")),
        (Method::POST, format!("{ALL}cache_info/")),
        (Method::GET, format!("{ALL}cache_clear/")),
        (Method::GET, format!("{}test/", any(&pk))),
    ] {
        let answer = admin.request(method.clone(), &path).json(&json!({"name": "b"})).send().await;
        answer.expect_detail(405, &format!("Method \"{method}\" not allowed."));
    }
    assert_eq!(names(server, "").await, ["a"]);
}

async fn deletion(server: &Server) {
    let admin = server.admin();
    let wiki = application(server, "wiki").await;
    for kind in KINDS {
        let pk = make(server, kind, "it", json!({})).await;
        let binding = bind(server, &pk, &wiki, 0).await;
        let mark = server.mark().await;
        admin.delete(&any(&pk)).await.expect_empty(204);
        admin.get(&any(&pk)).await.expect_missing();
        admin.get(&kind.one(&pk)).await.expect_missing();
        admin.get(&format!("/policies/bindings/{binding}/")).await.expect_missing();
        let told = server.gists_since(&mark).await;
        assert!(told.contains(&format!("model_deleted {} it", kind.model)), "{told:?}");
        assert_eq!(told.len(), 2, "{told:?}");
    }
    assert_eq!(names(server, "").await, Vec::<String>::new());
}

async fn base_permissions_open_no_kind(server: &Server) {
    let codes = [VIEW, ADD, "authentik_policies.change_policy", DELETE];
    let ann = server.holder_of("ann", &codes).await.client;
    for kind in KINDS {
        let pk = make(server, kind, kind.path, json!({})).await;
        let body = with(&(kind.required)(), &json!({"name": "x"}));
        for path in [kind.path.to_owned(), kind.one(&pk), kind.one(UNKNOWN), format!("{}used_by/", kind.one(&pk))] {
            ann.get(&path).await.expect_forbidden();
        }
        ann.post(kind.path, &body).await.expect_forbidden();
        ann.put(&kind.one(&pk), &body).await.expect_forbidden();
        ann.patch(&kind.one(&pk), &body).await.expect_forbidden();
        ann.delete(&kind.one(&pk)).await.expect_forbidden();
        // Here they do, whichever kind it is.
        assert_eq!(ann.get(&any(&pk)).await.expect(200)["name"], kind.path);
        assert_eq!(ann.get(ALL).await.expect_list("name"), [kind.path]);
        ann.get(&format!("{}used_by/", any(&pk))).await.expect_body(200, &json!([]));
        ann.delete(&any(&pk)).await.expect_empty(204);
    }
    ann.get(&any(UNKNOWN)).await.expect_missing();
}

async fn permissions_of_kinds_do_not_open_all(server: &Server) {
    let mut codes = Vec::new();
    for kind in KINDS {
        codes.extend(["view", "add", "change", "delete"].map(|verb| kind.code(verb)));
    }
    let ann = server.holder_of("ann", &codes.iter().map(String::as_str).collect::<Vec<_>>()).await.client;
    for kind in KINDS {
        let pk = make(server, kind, kind.path, json!({})).await;
        ann.get(&kind.one(&pk)).await.expect(200);
        for path in [ALL.to_owned(), any(&pk), any(UNKNOWN), format!("{}used_by/", any(&pk))] {
            ann.get(&path).await.expect_forbidden();
        }
        ann.delete(&any(&pk)).await.expect_forbidden();
        ann.post(&format!("{}test/", any(&pk)), &json!({"user": 1})).await.expect_forbidden();
        server.admin().get(&any(&pk)).await.expect(200);
    }
}

async fn rows_granted_alone(server: &Server) {
    let ann = server.person("ann").await;
    let this = make(server, &EXPRESSION, "this", json!({})).await;
    let other = make(server, &DUMMY, "other", json!({})).await;
    server.grant(ann.holder(), VIEW, Some(&this)).await;
    assert_eq!(ann.client.get(ALL).await.expect_list("name"), ["this"]);
    ann.client.get(&any(&this)).await.expect(200);
    ann.client.get(&format!("{}used_by/", any(&this))).await.expect_body(200, &json!([]));
    for key in [other.as_str(), UNKNOWN] {
        ann.client.get(&any(key)).await.expect_missing();
        ann.client.delete(&any(key)).await.expect_missing();
    }
    ann.client.delete(&any(&this)).await.expect_forbidden();
    ann.client.get(&EXPRESSION.one(&this)).await.expect_forbidden();
    server.grant(ann.holder(), DELETE, Some(&this)).await;
    ann.client.delete(&any(&this)).await.expect_empty(204);
    // Nothing is visible any more.
    ann.client.get(ALL).await.expect_forbidden();
    ann.client.get(&any(&other)).await.expect_forbidden();
}

/// GeoIP is not served, so it is not offered.
async fn types(server: &Server) {
    let types = server.admin().get(&format!("{ALL}types/")).await.expect(200);
    let types = types.as_array().expect("a plain list");
    assert_eq!(types.len(), 6);
    for (kind, item) in KINDS.iter().zip(types) {
        let description = text(&item["description"]);
        assert!(!description.trim().is_empty(), "{item}");
        let expected = json!({
            "name": kind.verbose_name, "description": description, "component": kind.component,
            "model_name": kind.model, "icon_url": null, "requires_enterprise": false,
        });
        assert_eq!(*item, expected);
    }
}

async fn types_are_for_everybody(server: &Server) {
    let ann = server.person("ann").await.client;
    let types = server.admin().get(&format!("{ALL}types/")).await.expect(200);
    ann.get(&format!("{ALL}types/")).await.expect_body(200, &types);
    let refused = server.anonymous().get(&format!("{ALL}types/")).await;
    refused.expect_detail(403, "Authentication credentials were not provided.");
}
