//! A client that takes nothing for granted: each request on a connection of its own, every answer
//! checked against the document.

use super::{Answer, tap};
use http::{HeaderName, HeaderValue, Method, Request};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::{net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// Where the document is mounted.
pub const BASE: &str = "/api/v3";

/// Calls one server with one credential.
#[derive(Debug, Clone)]
pub struct Client {
    address: SocketAddr,
    key: Option<String>,
    /// Whether answers are held against the document.
    tapped: bool,
}

impl Client {
    pub fn new(address: SocketAddr, key: Option<String>) -> Self {
        Self { address, key, tapped: true }
    }

    /// A client of a listener that the document is not about.
    pub fn elsewhere(address: SocketAddr) -> Self {
        Self { address, key: None, tapped: false }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.request(Method::GET, path).send().await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.request(Method::POST, path).json(body).send().await
    }

    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        self.request(Method::PUT, path).json(body).send().await
    }

    pub async fn patch(&self, path: &str, body: &Value) -> Answer {
        self.request(Method::PATCH, path).json(body).send().await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.request(Method::DELETE, path).send().await
    }

    /// A request to be completed; `path` is below `/api/v3`.
    pub fn request(&self, method: Method, path: &str) -> Draft {
        self.outside(method, &format!("{BASE}{path}"))
    }

    /// A request to any path of the server.
    pub fn outside(&self, method: Method, target: &str) -> Draft {
        let mut headers = Vec::new();
        if let Some(key) = &self.key {
            headers.push(("authorization".to_owned(), format!("Bearer {key}").into_bytes()));
        }
        Draft {
            address: self.address,
            tapped: self.tapped,
            method,
            target: target.to_owned(),
            headers,
            body: Bytes::new(),
        }
    }
}

/// A request that is not sent yet.
pub struct Draft {
    address: SocketAddr,
    tapped: bool,
    method: Method,
    target: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Bytes,
}

impl Draft {
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    pub fn json(self, body: &Value) -> Self {
        self.header("content-type", "application/json").body(body.to_string())
    }

    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Bytes::from(body.into());
        self
    }

    fn shown(&self) -> String {
        let body = String::from_utf8_lossy(&self.body);
        let short = |text: &str| text.chars().take(600).collect::<String>();
        format!("{} {} {}", self.method, short(&self.target), short(&body))
    }

    /// For a server that was damaged on purpose: any answer will do.
    pub fn untapped(mut self) -> Self {
        self.tapped = false;
        self
    }

    pub async fn send(self) -> Answer {
        let (shown, tapped) = (self.shown(), self.tapped);
        let exchange = tokio::time::timeout(Duration::from_secs(60), self.exchange());
        let answer = exchange.await.unwrap_or_else(|_| panic!("{shown}: no answer within a minute"));
        let (method, target, answer) = answer.unwrap_or_else(|e| panic!("{shown}: {e}"));
        if tapped {
            tap::check(&method, &target, &answer);
        }
        answer
    }

    async fn exchange(self) -> Result<(Method, String, Answer), Box<dyn std::error::Error + Send + Sync>> {
        let request = self.shown();
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let connection = tokio::spawn(connection);
        let mut built = Request::builder().method(self.method.clone()).uri(&self.target).body(Full::new(self.body))?;
        built.headers_mut().insert("host", HeaderValue::from_str(&self.address.to_string())?);
        for (name, value) in self.headers {
            built.headers_mut().append(HeaderName::try_from(name)?, HeaderValue::from_bytes(&value)?);
        }
        let (head, body) = sender.send_request(built).await?.into_parts();
        let body = body.collect().await?.to_bytes();
        drop(sender);
        connection.abort();
        let answer = Answer { request, status: head.status.as_u16(), headers: head.headers, body };
        Ok((self.method, self.target, answer))
    }
}

/// Sends bytes as they are and gives what comes back until the server closes or is silent for long;
/// for what no proper client sends.
pub async fn raw(address: SocketAddr, bytes: &[u8], patience: Duration) -> String {
    let mut stream = TcpStream::connect(address).await.expect("connects");
    // The server may answer and close before it has read everything.
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let mut piece = [0; 4096];
    while let Ok(Ok(count)) = tokio::time::timeout(patience, stream.read(&mut piece)).await {
        if count == 0 {
            break;
        }
        answer.extend_from_slice(&piece[..count]);
    }
    String::from_utf8_lossy(&answer).into_owned()
}
