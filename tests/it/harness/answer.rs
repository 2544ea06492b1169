//! An answer, and what tests say about it.

use http::HeaderMap;
use hyper::body::Bytes;
use serde_json::{Value, json};

/// What the server answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The request in short, for messages.
    pub request: String,
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON; nothing is null.
    pub fn json(&self) -> Value {
        if self.body.is_empty() {
            return Value::Null;
        }
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|e| panic!("{}: not JSON ({e}): {}", self.request, self.text()))
    }

    #[track_caller]
    pub fn expect_status(&self, status: u16) {
        assert_eq!(self.status, status, "{}\n  answered {} {}", self.request, self.status, self.text());
    }

    /// The body, if the status is this.
    #[track_caller]
    pub fn expect(&self, status: u16) -> Value {
        self.expect_status(status);
        self.json()
    }

    /// The status is this, and the body empty.
    #[track_caller]
    pub fn expect_empty(&self, status: u16) {
        let body = self.expect(status);
        assert!(body.is_null(), "{}: the body is not empty: {body}", self.request);
    }

    /// The status and the whole body are these.
    #[track_caller]
    pub fn expect_body(&self, status: u16, body: &Value) {
        let got = self.expect(status);
        assert_eq!(got, *body, "{}\n  got      {got}\n  expected {body}", self.request);
    }

    /// 400, with these messages and no others.
    #[track_caller]
    pub fn expect_faults(&self, faults: Value) {
        self.expect_body(400, &faults);
    }

    /// An error about the request as a whole.
    #[track_caller]
    pub fn expect_detail(&self, status: u16, text: &str) {
        self.expect_body(status, &json!({"detail": text}));
    }

    /// 403 for somebody who lacks a permission.
    #[track_caller]
    pub fn expect_forbidden(&self) {
        self.expect_detail(403, "You do not have permission to perform this action.");
    }

    /// 404 for an object.
    #[track_caller]
    pub fn expect_missing(&self) {
        self.expect_detail(404, "Not found.");
    }

    /// 200 with a page; one field of each of its items.
    #[track_caller]
    pub fn expect_list(&self, field: &str) -> Vec<String> {
        let body = self.expect(200);
        let items = body["results"].as_array().unwrap_or_else(|| panic!("{}: no results in {body}", self.request));
        let text = |item: &Value| item[field].as_str().map_or_else(|| item[field].to_string(), str::to_owned);
        items.iter().map(text).collect()
    }
}
