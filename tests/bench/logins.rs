//! The load of `just bench --logins`, and what it is measured against.
//!
//! - `bench-logins hash --threads N --seconds N`: Argon2id as the server has it (19 MiB, two passes, one lane), one
//!   password verified again and again on so many threads. Prints `{"rate", "ms"}`: hashes a second, and
//!   milliseconds that one takes.
//! - `bench-logins visit --at ADDRESS --clients N --users N --password TEXT --seconds N`: so many clients, each with
//!   one connection, sign in as `bench-0`, `bench-1` … through `default-authentication-flow`, each time without
//!   cookies: two POSTs and the GETs that they lead to. Prints `{"logins", "requests", "rate", "p50", "p99"}`, in
//!   milliseconds. Anything but a login ends it.

use argon2::{Argon2, PasswordVerifier as _, password_hash::PasswordHasher as _};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{
    Method, Request, StatusCode,
    client::conn::http1::{SendRequest, handshake},
    header::{CONTENT_TYPE, COOKIE, HOST, LOCATION, SET_COOKIE},
};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    error::Error,
    process::ExitCode,
    time::{Duration, Instant},
};
use tokio::net::TcpStream;

const EXECUTOR: &str = "/api/v3/flows/executor/default-authentication-flow/?query=";
/// More requests than any login takes.
const MOST: u32 = 12;

type Failure = Box<dyn Error + Send + Sync>;

/// What the arguments ask for.
struct Asked {
    at: String,
    threads: u32,
    clients: u32,
    users: u32,
    password: String,
    long: Duration,
}

impl Asked {
    fn from_arguments(mut arguments: impl Iterator<Item = String>) -> Result<Self, Failure> {
        let long = Duration::from_secs(5);
        let (at, password) = (String::new(), String::new());
        let mut asked = Self { at, threads: 1, clients: 1, users: 1, password, long };
        while let Some(flag) = arguments.next() {
            let value = arguments.next().ok_or_else(|| format!("{flag} needs a value"))?;
            match flag.as_str() {
                "--at" => asked.at = value,
                "--threads" => asked.threads = value.parse()?,
                "--clients" => asked.clients = value.parse()?,
                "--users" => asked.users = value.parse()?,
                "--password" => asked.password = value,
                "--seconds" => asked.long = Duration::from_secs(value.parse()?),
                _ => return Err(format!("{flag} is not known").into()),
            }
        }
        Ok(asked)
    }
}

/// Checks one password until the time is over; how often, and how long that took.
fn check(password: &[u8], hash: &str, long: Duration) -> Result<(u32, Duration), Failure> {
    let (began, mut done) = (Instant::now(), 0);
    while began.elapsed() < long {
        Argon2::default().verify_password(password, hash).map_err(|e| e.to_string())?;
        done += 1;
    }
    Ok((done, began.elapsed()))
}

fn hash(asked: &Asked) -> Result<Value, Failure> {
    let password = b"Bench-Password-1";
    let made = Argon2::default().hash_password_with_salt(password, &[7; 16]).map_err(|e| e.to_string())?;
    let hash = made.to_string();
    if !hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$") {
        return Err(format!("these are other parameters: {hash}").into());
    }
    let (mut rate, mut cost) = (0.0, 0.0);
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..asked.threads).map(|_| scope.spawn(|| check(password, &hash, asked.long))).collect();
        for thread in running {
            let (done, took) = thread.join().map_err(|_| "a thread panicked")??;
            rate += f64::from(done) / took.as_secs_f64();
            cost += took.as_secs_f64() * 1000.0 / f64::from(done);
        }
        Ok::<_, Failure>(())
    })?;
    Ok(json!({"rate": rate, "ms": cost / f64::from(asked.threads)}))
}

/// One client, with its connection and its cookies.
struct Client {
    at: String,
    sender: SendRequest<Full<Bytes>>,
    cookies: BTreeMap<String, String>,
    requests: u32,
}

/// An answer: its status, where it leads, and what it says.
struct Answer(StatusCode, Option<String>, Value);

impl Client {
    async fn connect(at: &str) -> Result<Self, Failure> {
        let stream = TcpStream::connect(at).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        // Whoever waits for an answer on a connection that breaks is told so.
        tokio::spawn(async move {
            let _ = connection.await;
        });
        Ok(Self { at: at.to_owned(), sender, cookies: BTreeMap::new(), requests: 0 })
    }

    async fn send(&mut self, method: Method, path: &str, body: Option<&Value>) -> Result<Answer, Failure> {
        let mut request = Request::builder().method(method).uri(path).header(HOST, &self.at);
        if !self.cookies.is_empty() {
            let pairs: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            request = request.header(COOKIE, pairs.join("; "));
        }
        let text = match body {
            Some(body) => {
                request = request.header(CONTENT_TYPE, "application/json");
                serde_json::to_vec(body)?
            }
            None => Vec::new(),
        };
        self.requests += 1;
        self.sender.ready().await?;
        let response = self.sender.send_request(request.body(Full::new(text.into()))?).await?;
        for cookie in response.headers().get_all(SET_COOKIE) {
            let pair = cookie.to_str()?.split(';').next().unwrap_or_default();
            let (name, value) = pair.split_once('=').ok_or("a cookie has no value")?;
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        let leads = response.headers().get(LOCATION).map(|to| to.to_str().map(str::to_owned)).transpose()?;
        let status = response.status();
        let bytes = response.into_body().collect().await?.to_bytes();
        // A redirect has nothing to say, or says it in HTML.
        Ok(Answer(status, leads, serde_json::from_slice(&bytes).unwrap_or_default()))
    }

    /// Signs in, in a session of its own.
    async fn log_in(&mut self, user: &str, password: &str) -> Result<(), Failure> {
        self.cookies.clear();
        let mut answer = self.send(Method::POST, EXECUTOR, Some(&json!({"uid_field": user}))).await?;
        for _ in 0..MOST {
            let Answer(status, leads, said) = answer;
            answer = match (status, leads, said["component"].as_str()) {
                (StatusCode::FOUND, Some(to), _) => self.send(Method::GET, &to, None).await?,
                (StatusCode::OK, _, Some("ak-stage-password")) if said["response_errors"].is_null() => {
                    self.send(Method::POST, EXECUTOR, Some(&json!({"password": password}))).await?
                }
                (StatusCode::OK, _, Some("xak-flow-redirect")) => return Ok(()),
                _ => return Err(format!("{user} was answered {status} {said}").into()),
            };
        }
        Err(format!("{user} is asked without end").into())
    }

    /// Fails unless the session of the last login is somebody's.
    async fn look(&mut self) -> Result<(), Failure> {
        match self.send(Method::GET, "/api/v3/core/users/me/", None).await? {
            Answer(StatusCode::OK, ..) => Ok(()),
            Answer(status, _, said) => Err(format!("nobody is signed in: {status} {said}").into()),
        }
    }
}

/// One client after another login until the time is over; how long each took, and how many requests.
async fn visits(asked: &Asked, number: u32) -> Result<(Vec<Duration>, u32), Failure> {
    let mut client = Client::connect(&asked.at).await?;
    let (began, mut taken, mut user) = (Instant::now(), Vec::new(), number);
    while began.elapsed() < asked.long {
        let one = Instant::now();
        client.log_in(&format!("bench-{}", user % asked.users), &asked.password).await?;
        taken.push(one.elapsed());
        user += asked.clients;
    }
    let requests = client.requests;
    client.look().await?;
    Ok((taken, requests))
}

async fn visit(asked: &'static Asked) -> Result<Value, Failure> {
    let began = Instant::now();
    let running: Vec<_> = (0..asked.clients).map(|number| tokio::spawn(visits(asked, number))).collect();
    let (mut taken, mut requests) = (Vec::new(), 0);
    for client in running {
        let (some, more) = client.await??;
        taken.extend(some);
        requests += more;
    }
    let seconds = began.elapsed().as_secs_f64();
    taken.sort();
    let at = |percent: usize| taken.get((taken.len() * percent / 100).min(taken.len() - 1)).copied();
    let ms = |percent| at(percent).map(|took| took.as_secs_f64() * 1000.0);
    let rate = taken.len() as f64 / seconds;
    Ok(json!({"logins": taken.len(), "requests": requests, "rate": rate, "p50": ms(50), "p99": ms(99)}))
}

fn run() -> Result<Value, Failure> {
    let mut arguments = std::env::args().skip(1);
    let what = arguments.next().unwrap_or_default();
    let asked: &'static Asked = Box::leak(Box::new(Asked::from_arguments(arguments)?));
    match what.as_str() {
        "hash" => hash(asked),
        "visit" => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(visit(asked))
        }
        _ => Err("either `hash` or `visit`".into()),
    }
}

fn main() -> ExitCode {
    match run() {
        Ok(told) => {
            println!("{told}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
