//! A browser in which somebody has signed in.

use super::{Answer, Client, Server, client::Draft};
use http::Method;
use serde_json::Value;
use tessera::resource::{
    sessions::service::{self as sessions, Cookie},
    users,
};

/// Known by cookies alone, and showing the CSRF token with every request.
#[derive(Debug, Clone)]
pub struct Browser {
    client: Client,
    pub session: String,
    pub csrf: String,
}

impl Browser {
    pub fn request(&self, method: Method, path: &str) -> Draft {
        let cookies = format!("authentik_session={}; authentik_csrf={}", self.session, self.csrf);
        self.client.request(method, path).header("cookie", cookies).header("x-authentik-csrf", &self.csrf)
    }

    /// A request to a page, which looks for the CSRF token in the form.
    pub fn page(&self, method: Method, path: &str) -> Draft {
        let cookies = format!("authentik_session={}; authentik_csrf={}", self.session, self.csrf);
        self.client.outside(method, path).header("cookie", cookies)
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.request(Method::GET, path).send().await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.request(Method::POST, path).json(body).send().await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.request(Method::DELETE, path).send().await
    }

    /// Whose session it is, as the server says; nobody's when it has ended.
    pub async fn whose(&self) -> Option<String> {
        let answer = self.get("/core/users/me/").await;
        if answer.status == 403 {
            return None;
        }
        answer.expect(200)["user"]["username"].as_str().map(str::to_owned)
    }
}

impl Server {
    /// A new session of an account.
    pub async fn browser(&self, user: i64) -> Browser {
        let ctx = self.system();
        let user = users::store::by_id(self.app.db.read(), i32::try_from(user).expect("a small number"));
        let user = user.await.expect("read").expect("an account");
        let mut tx = ctx.begin().await.expect("a transaction");
        let started = sessions::sign_in(&ctx, &mut tx, None, &user, None).await.expect("signed in").expect("a session");
        tx.commit().await.expect("committed");
        started.hand_over(&ctx);
        let Some(Cookie::Set { value, csrf, .. }) = ctx.session.cookie() else { panic!("no cookie") };
        Browser { client: self.anonymous(), session: value.reveal().to_owned(), csrf }
    }
}
