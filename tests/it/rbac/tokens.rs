//! What grants open of tokens: next to nothing (contract: authentik-rbac §7.1). Held by the caller and
//! held by a role of the caller's group.

use super::{
    matrix::{
        Extent::{self, Global, Object},
        caller,
    },
    text,
};
use crate::harness::{Server, tests};
use serde_json::json;

tests![tokens_held_directly, tokens_held_by_a_role];

/// Permissions on tokens, and the statuses of: `used_by` of one's own token; the key of a token that
/// an administrator made for one. Everything else is the same whatever is held.
type TokenRow = (&'static [(&'static str, Extent)], u16, u16);

#[rustfmt::skip]
const TOKENS: [TokenRow; 9] = [
    // held                                                           used_by  view_key
    (&[],                                                             403,     403),
    (&[("add_token", Global)],                                        403,     403),
    (&[("change_token", Global), ("delete_token", Global)],           403,     403),
    (&[("view_token", Global)],                                       200,     403),
    (&[("view_token", Object)],                                       403,     403),
    (&[("view_token_key", Global)],                                   403,     200),
    (&[("view_token_key", Object)],                                   403,     200),
    (&[("view_token", Object), ("change_token", Object), ("delete_token", Object)], 403, 403),
    (&[("view_token", Global), ("add_token", Global), ("change_token", Global), ("delete_token", Global),
       ("view_token_key", Global)],                                   200,     200),
];

async fn check_tokens(server: &Server, by_role: bool) {
    let admin = server.admin();
    server.person("stranger").await;
    let others = "/core/tokens/stranger-login/";
    let others_pk = text(&admin.get(others).await.expect(200)["pk"]);
    for (number, (held, used_by, view_key)) in TOKENS.iter().enumerate() {
        let name = format!("caller-{number}");
        let (person, holder) = caller(server, &name, by_role).await;
        let client = &person.client;
        // Made for the caller by an administrator.
        let given = format!("/core/tokens/{name}-login/");
        let given_pk = text(&admin.get(&given).await.expect(200)["pk"]);
        for (code, extent) in *held {
            let code = format!("authentik_core.{code}");
            if *extent == Global {
                server.grant(holder, &code, None).await;
                continue;
            }
            // On one's own, and in vain on somebody else's.
            server.grant(holder, &code, Some(&given_pk)).await;
            server.grant(holder, &code, Some(&others_pk)).await;
        }
        let own = format!("/core/tokens/{name}-made/");
        client.post("/core/tokens/", &json!({"identifier": format!("{name}-made")})).await.expect(201);
        let listed = [format!("{name}-login"), format!("{name}-made")];
        assert_eq!(client.get("/core/tokens/").await.expect_list("identifier"), listed, "{held:?}");
        for path in [others, "/core/tokens/no-such-token/"] {
            client.get(path).await.expect_missing();
            client.put(path, &json!({})).await.expect_missing();
            client.patch(path, &json!({"description": "x"})).await.expect_missing();
            client.delete(path).await.expect_missing();
            client.get(&format!("{path}view_key/")).await.expect_missing();
            client.post(&format!("{path}set_key/"), &json!({"key": "x"})).await.expect_missing();
        }
        for path in [&own, &given] {
            client.get(path).await.expect(200);
            client.patch(path, &json!({"description": "x"})).await.expect(200);
            let used = client.get(&format!("{path}used_by/")).await;
            assert_eq!(used.status, *used_by, "{held:?} {path}: {}", used.text());
            client.post(&format!("{path}set_key/"), &json!({"key": "x"})).await.expect_forbidden();
        }
        let identifier = json!({"identifier": format!("{name}-made"), "description": "y"});
        client.put(&own, &identifier).await.expect(200);
        // One may see the key of what one has made oneself.
        client.get(&format!("{own}view_key/")).await.expect(200);
        let key = client.get(&format!("{given}view_key/")).await;
        assert_eq!(key.status, *view_key, "{held:?}: {}", key.text());
        client.delete(&own).await.expect_empty(204);
        client.get(&own).await.expect_missing();
        admin.get(others).await.expect(200);
    }
}

async fn tokens_held_directly(server: &Server) {
    check_tokens(server, false).await;
}

async fn tokens_held_by_a_role(server: &Server) {
    check_tokens(server, true).await;
}
