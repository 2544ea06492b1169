//! A visitor: a browser that keeps the cookies it is given and sends them back, with the CSRF token in its
//! header as pages do. It follows nothing unless it is told to.

use super::{Answer, Client, Server, client::BASE, client::Draft};
use http::Method;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

pub const SESSION: &str = "authentik_session";
pub const CSRF: &str = "authentik_csrf";
pub const CSRF_HEADER: &str = "X-authentik-CSRF";

/// What the executor leaves as it is when it writes a query anew.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'_').remove(b'.').remove(b'-').remove(b'~').remove(b' ');

/// Clones are tabs: they share their cookies.
#[derive(Debug, Clone)]
pub struct Visitor {
    client: Client,
    jar: Arc<Mutex<BTreeMap<String, String>>>,
}

impl Server {
    /// A browser without cookies.
    pub fn visitor(&self) -> Visitor {
        Visitor::at(self.address())
    }
}

impl Visitor {
    pub fn at(address: SocketAddr) -> Self {
        Self { client: Client::new(address, None), jar: Arc::default() }
    }

    fn jar(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.jar.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody else who has got hold of the cookies as they are now.
    pub fn copied(&self) -> Self {
        Self { client: self.client.clone(), jar: Arc::new(Mutex::new(self.jar().clone())) }
    }

    /// The same cookies as they are now, at another server.
    pub fn moved(&self, address: SocketAddr) -> Self {
        Self { client: Client::new(address, None), jar: Arc::new(Mutex::new(self.jar().clone())) }
    }

    pub fn cookie(&self, name: &str) -> Option<String> {
        self.jar().get(name).cloned()
    }

    pub fn put_cookie(&self, name: &str, value: &str) {
        self.jar().insert(name.to_owned(), value.to_owned());
    }

    pub fn lose_cookie(&self, name: &str) {
        self.jar().remove(name);
    }

    /// A request below `/api/v3` with the cookies and nothing else.
    pub fn bare(&self, method: Method, path: &str) -> Draft {
        self.outside(method, &format!("{BASE}{path}"))
    }

    /// A request to any path of the server, with the cookies.
    pub fn outside(&self, method: Method, target: &str) -> Draft {
        let pairs: Vec<String> = self.jar().iter().map(|(name, value)| format!("{name}={value}")).collect();
        let draft = self.client.outside(method, target);
        if pairs.is_empty() { draft } else { draft.header("cookie", pairs.join("; ")) }
    }

    fn request(&self, method: Method, target: &str) -> Draft {
        let draft = self.outside(method, target);
        match self.cookie(CSRF) {
            Some(token) => draft.header(CSRF_HEADER, token),
            None => draft,
        }
    }

    /// Sends a request, and keeps the cookies of the answer.
    pub async fn send(&self, draft: Draft) -> Answer {
        let answer = draft.send().await;
        for line in answer.headers.get_all("set-cookie") {
            let line = line.to_str().expect("a cookie is text");
            let mut parts = line.split(';').map(str::trim);
            let (name, value) = parts.next().and_then(|pair| pair.split_once('=')).expect("a cookie");
            if parts.any(|part| part.eq_ignore_ascii_case("max-age=0")) {
                self.lose_cookie(name);
            } else {
                self.put_cookie(name, value);
            }
        }
        answer
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, &format!("{BASE}{path}"))).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(self.request(Method::POST, &format!("{BASE}{path}")).json(body)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send(self.request(Method::DELETE, &format!("{BASE}{path}"))).await
    }

    /// The username of who has signed in.
    pub async fn who(&self) -> Option<String> {
        let answer = self.get("/core/users/me/").await;
        if answer.status == 403 {
            answer.expect_detail(403, "Authentication credentials were not provided.");
            return None;
        }
        Some(answer.expect(200)["user"]["username"].as_str().expect("a name").to_owned())
    }

    /// A flow, without a query of its page.
    pub fn flow(&self, slug: &str) -> Flow {
        self.flow_with(slug, "")
    }

    /// A flow whose page was opened with this query.
    pub fn flow_with(&self, slug: &str, query: &str) -> Flow {
        let query = utf8_percent_encode(query, KEPT).to_string().replace(' ', "+");
        Flow { browser: self.clone(), target: format!("{BASE}/flows/executor/{slug}/?query={query}") }
    }
}

/// A flow in a browser.
#[derive(Debug, Clone)]
pub struct Flow {
    pub browser: Visitor,
    pub target: String,
}

impl Flow {
    /// One request, not followed.
    pub async fn get(&self) -> Answer {
        self.browser.send(self.browser.request(Method::GET, &self.target)).await
    }

    /// One answer, not followed.
    pub async fn post(&self, body: &Value) -> Answer {
        self.browser.send(self.browser.request(Method::POST, &self.target).json(body)).await
    }

    /// The challenge that an answer leads to; it may only redirect to itself.
    pub async fn settled(&self, mut answer: Answer) -> Value {
        for _ in 0..20 {
            if answer.status == 200 {
                return answer.json();
            }
            answer.expect_status(302);
            assert_eq!(answer.header("location"), Some(&*self.target), "{}", answer.request);
            answer = self.get().await;
        }
        panic!("{} goes round in a circle", self.target);
    }

    /// The present challenge.
    pub async fn shown(&self) -> Value {
        self.settled(self.get().await).await
    }

    /// The challenge after an answer.
    pub async fn answered(&self, body: Value) -> Value {
        self.settled(self.post(&body).await).await
    }
}
