//! Names of policies: what they may be, and that all kinds share them.

use super::{
    any,
    kinds::{DUMMY, EXPIRY, KINDS},
    make, text, with,
};
use crate::harness::{Server, tests};
use serde_json::json;

tests![
    names_have_rules,
    names_are_trimmed_text,
    names_are_unique_over_all_kinds,
    a_name_may_be_kept,
    case_counts,
    a_freed_name_is_free,
    long_names,
];

async fn names_have_rules(server: &Server) {
    let admin = server.admin();
    let faults = [
        (json!(null), "This field may not be null."),
        (json!(""), "This field may not be blank."),
        (json!("   "), "This field may not be blank."),
        (json!("\t\n"), "This field may not be blank."),
        (json!(true), "Not a valid string."),
        (json!([]), "Not a valid string."),
        (json!(["zz-bad"]), "Not a valid string."),
        (json!({}), "Not a valid string."),
        (json!({"a": 1}), "Not a valid string."),
        (json!("a\u{0}b"), "Null characters are not allowed."),
    ];
    for kind in KINDS {
        let one = kind.one(&make(server, kind, kind.path, json!({})).await);
        let before = admin.get(&one).await.expect(200);
        for (name, fault) in &faults {
            let body = with(&(kind.required)(), &json!({"name": name}));
            let fault = json!({"name": [fault]});
            admin.post(kind.path, &body).await.expect_faults(fault.clone());
            admin.put(&one, &body).await.expect_faults(fault.clone());
            admin.patch(&one, &body).await.expect_faults(fault);
        }
        admin.get(&one).await.expect_body(200, &before);
    }
}

async fn names_are_trimmed_text(server: &Server) {
    let admin = server.admin();
    let taken = [
        (json!(42), "42"),
        (json!(-1), "-1"),
        (json!(1.5), "1.5"),
        (json!(1_099_511_627_776_i64), "1099511627776"),
        (json!("true"), "true"),
        (json!("  zz-pad  "), "zz-pad"),
        (json!("ünï✓"), "ünï✓"),
        (json!("a  b\tc"), "a  b\tc"),
        (json!("%_'\"\\<script>"), "%_'\"\\<script>"),
        (json!("00000000-0000-0000-0000-000000000000"), "00000000-0000-0000-0000-000000000000"),
    ];
    for kind in KINDS {
        for (name, shown) in &taken {
            let policy = admin.post(kind.path, &with(&(kind.required)(), &json!({"name": name}))).await.expect(201);
            assert_eq!(policy["name"], *shown);
            let one = kind.one(&text(&policy["pk"]));
            assert_eq!(admin.get(&one).await.expect(200)["name"], *shown);
            admin.delete(&one).await.expect_empty(204);
        }
    }
    // What a parser of 64 bits makes of it.
    let huge = admin.request(http::Method::POST, EXPIRY.path).header("content-type", "application/json");
    let huge = huge.body(r#"{"name": 1180591620717411303424, "days": 1}"#).send().await;
    assert_eq!(huge.expect(201)["name"], "1.1805916207174113e+21");
}

async fn names_are_unique_over_all_kinds(server: &Server) {
    let admin = server.admin();
    let taken = json!({"name": ["Policy with this name already exists."]});
    for kind in KINDS {
        let pk = make(server, kind, "taken", json!({})).await;
        for other in KINDS {
            let one = other.one(&make(server, other, "free", json!({})).await);
            for name in ["taken", " taken "] {
                let body = with(&(other.required)(), &json!({"name": name}));
                admin.post(other.path, &body).await.expect_faults(taken.clone());
                admin.put(&one, &body).await.expect_faults(taken.clone());
                admin.patch(&one, &body).await.expect_faults(taken.clone());
            }
            assert_eq!(admin.get(&one).await.expect(200)["name"], "free");
            admin.delete(&one).await.expect_empty(204);
        }
        admin.delete(&any(&pk)).await.expect_empty(204);
    }
}

async fn a_name_may_be_kept(server: &Server) {
    let admin = server.admin();
    for kind in KINDS {
        let one = kind.one(&make(server, kind, kind.path, json!({})).await);
        let body = with(&(kind.required)(), &json!({"name": kind.path}));
        admin.put(&one, &body).await.expect(200);
        admin.patch(&one, &body).await.expect(200);
    }
}

async fn case_counts(server: &Server) {
    make(server, &DUMMY, "Policy", json!({})).await;
    make(server, &EXPIRY, "policy", json!({})).await;
    // Composed and taken apart.
    make(server, &DUMMY, "\u{e9}", json!({})).await;
    make(server, &EXPIRY, "e\u{301}", json!({})).await;
    assert_eq!(server.admin().get("/policies/all/").await.expect(200)["pagination"]["count"], 4);
}

async fn a_freed_name_is_free(server: &Server) {
    let admin = server.admin();
    let first = make(server, &DUMMY, "name", json!({})).await;
    admin.patch(&DUMMY.one(&first), &json!({"name": "other"})).await.expect(200);
    let second = make(server, &EXPIRY, "name", json!({})).await;
    admin.delete(&EXPIRY.one(&second)).await.expect_empty(204);
    make(server, &DUMMY, "name", json!({})).await;
}

/// The column has no bound.
async fn long_names(server: &Server) {
    let admin = server.admin();
    let name = "x".repeat(10_000);
    for kind in KINDS {
        let one = kind.one(&make(server, kind, &name, json!({})).await);
        assert_eq!(admin.get(&one).await.expect(200)["name"], name);
        let taken = json!({"name": ["Policy with this name already exists."]});
        admin.post(DUMMY.path, &json!({"name": name})).await.expect_faults(taken);
        assert_eq!(admin.get(&format!("{}?name={name}", kind.path)).await.expect_list("name"), [name.as_str()]);
        assert_eq!(admin.get("/policies/all/").await.expect_list("name"), [name.as_str()]);
        admin.delete(&one).await.expect_empty(204);
    }
}
