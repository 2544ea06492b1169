//! Personal access tokens to test with, and clients of the dialect that they belong to.

use super::{Answer, Client, Server};
use http::Method;
use serde_json::{Value, json};
use tessera::resource::pats::{
    Rule,
    service::{self as pats, NewPat},
};

/// A personal access token and its secret.
#[derive(Debug, Clone)]
pub struct Pat {
    pub id: String,
    pub secret: String,
}

impl Server {
    /// A new personal access token that never ends; its name is its scopes' and the owner's.
    pub async fn pat(&self, owner: i64, scopes: &[&str]) -> Pat {
        self.pat_with(owner, scopes, |_| ()).await
    }

    /// As [`Server::pat`], with further changes.
    pub async fn pat_with(&self, owner: i64, scopes: &[&str], change: impl FnOnce(&mut NewPat)) -> Pat {
        let mut new = NewPat {
            name: format!("of {owner} for {}", scopes.join(" ")),
            scope: Some(scopes.iter().map(|&scope| scope.to_owned()).collect()),
            never_expires: true,
            ..NewPat::default()
        };
        change(&mut new);
        let owner = i32::try_from(owner).expect("a small number");
        let made = pats::create_for(&self.system(), owner, Rule::Explicit, new).await;
        let (token, secret) = made.expect("a personal access token");
        Pat { id: token.id.simple().to_string(), secret: secret.reveal().to_owned() }
    }

    /// What the token endpoint answers to a personal access token.
    pub async fn trade(&self, pat: &Pat) -> Answer {
        let form = format!("grant_type=client_credentials&client_id={}&client_secret={}", pat.id, pat.secret);
        let draft = self.anonymous().outside(Method::POST, "/oauth/token");
        draft.header("content-type", "application/x-www-form-urlencoded").body(form).send().await
    }

    /// A client with a bearer token.
    pub async fn bearer(&self, pat: &Pat) -> Client {
        let traded = self.trade(pat).await.expect(200);
        self.with_key(traded["access_token"].as_str().expect("a bearer token"))
    }

    /// A client of an account with a new personal access token of these scopes.
    pub async fn api(&self, owner: i64, scopes: &[&str]) -> Client {
        let pat = self.pat(owner, scopes).await;
        self.bearer(&pat).await
    }
}

impl Answer {
    /// The status is this, and the body an envelope with this code; gives its text.
    #[track_caller]
    pub fn expect_code(&self, status: u16, code: &str) -> String {
        let body: Value = self.expect(status);
        let request = &self.request;
        assert_eq!(body["detailCode"], code, "{request}: {body}");
        assert_eq!(body["trackingId"].as_str(), self.header("x-authentik-id"), "{request}: {body}");
        let [first, second] = body["messages"].as_array().map(Vec::as_slice).unwrap_or_default() else {
            panic!("{request}: two messages are wanted: {body}")
        };
        assert_eq!((&first["locale"], &first["localeOrigin"]), (&json!("en-US"), &json!("DEFAULT")));
        assert_eq!((&second["locale"], &second["localeOrigin"]), (&json!("und"), &json!("REQUEST")));
        assert_eq!(first["text"], second["text"]);
        assert_eq!(body["causes"], json!([]));
        first["text"].as_str().expect("text").to_owned()
    }
}
