//! Somebody who has signed in with a browser is nobody here.

use super::{ALL, BETA, collections, get};
use crate::{
    harness::{CSRF, CSRF_HEADER, Server, tests},
    login::{PASSWORD, account, signed_in},
};
use http::Method;
use serde_json::json;

tests![cookies_count_for_nothing];

async fn cookies_count_for_nothing(server: &Server) {
    let ann = account(server, "ann").await;
    let browser = signed_in(server, "ann", PASSWORD).await;
    let nobody = json!({"error": "JWT is required"});
    for (at, _) in collections() {
        browser.outside(Method::GET, &format!("{at}?owner-id=me")).send().await.expect_body(401, &nobody);
        let csrf = browser.cookie(CSRF).expect("a cookie");
        let draft = browser.outside(Method::POST, at).header(CSRF_HEADER, csrf).json(&json!({"name": "t"}));
        draft.send().await.expect_body(401, &nobody);
    }
    assert_eq!(browser.who().await.as_deref(), Some("ann"), "the session goes on");
    // Beside a bearer token they do not matter.
    let pat = server.pat(1, &[ALL]).await;
    let token = server.trade(&pat).await.expect(200)["access_token"].as_str().expect("a token").to_owned();
    let draft = browser.outside(Method::POST, BETA).header("authorization", format!("Bearer {token}"));
    let made = draft.json(&json!({"name": "t"})).send().await.expect(200);
    assert_eq!(made["owner"]["id"], super::identity(server, 1).await);
    let own = server.api(ann, &[ALL]).await;
    assert_eq!(super::names(&get(&own, &format!("{BETA}?owner-id=me")).await.expect(200)).len(), 1);
}
