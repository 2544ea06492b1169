//! The mailer against a server of a few lines, over TCP.

use super::{message::Message, templates::Rendered, transport::Trust, *};
use crate::{config::SmtpTls, secret::PlainSecret};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use chrono::DateTime;
use std::{collections::VecDeque, io, path::Path};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader},
    net::TcpListener,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::ring, pki_types::PrivateKeyDer},
};
use uuid::Uuid;

const LINK: &str = "https://id.example.org/if/flow/r/?flow_token=a1B2";

/// How the server behaves; what it hears, line by line, is in `heard`.
#[derive(Clone, Default)]
struct Sink {
    starttls: Option<TlsAcceptor>,
    /// From the first byte.
    tls: Option<TlsAcceptor>,
    /// Says nothing at all.
    silent: bool,
    /// What it says after a letter, one after another, before it takes one.
    refusals: Arc<Mutex<VecDeque<String>>>,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Sink {
    /// Listens; gives the port.
    async fn listen(&self) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("listens");
        let port = listener.local_addr().expect("bound").port();
        let sink = self.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let sink = sink.clone();
                tokio::spawn(async move { sink.serve(stream).await });
            }
        });
        port
    }

    async fn serve(&self, stream: tokio::net::TcpStream) -> io::Result<()> {
        if self.silent {
            return std::future::pending().await;
        }
        if let Some(tls) = &self.tls {
            return self.talk(tls.accept(stream).await?, true, true).await.map(drop);
        }
        let plain = self.talk(stream, true, false).await?;
        match (&self.starttls, plain) {
            (Some(tls), Some(stream)) => self.talk(tls.accept(stream).await?, false, true).await.map(drop),
            _ => Ok(()),
        }
    }

    /// Gives the stream back when the client starts TLS.
    async fn talk<S>(&self, stream: S, greet: bool, secure: bool) -> io::Result<Option<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut stream = BufReader::new(stream);
        if greet {
            stream.write_all(b"220 sink\r\n").await?;
            stream.flush().await?;
        }
        loop {
            let Some(line) = self.line(&mut stream).await? else { return Ok(None) };
            let answer = match line.split(' ').next().unwrap_or_default() {
                "EHLO" if secure => "250-sink\r\n250 AUTH PLAIN LOGIN".to_owned(),
                "EHLO" if self.starttls.is_some() => "250-sink\r\n250 STARTTLS".to_owned(),
                "AUTH" if secure => "235 welcome".to_owned(),
                "AUTH" => "538 not in clear".to_owned(),
                "DATA" => {
                    stream.write_all(b"354 go on\r\n").await?;
                    stream.flush().await?;
                    while self.line(&mut stream).await?.is_some_and(|line| line != ".") {}
                    let refusal = self.refusals.lock().expect("not poisoned").pop_front();
                    refusal.unwrap_or_else(|| "250 taken".to_owned())
                }
                _ => "250 fine".to_owned(),
            };
            stream.write_all(format!("{answer}\r\n").as_bytes()).await?;
            stream.flush().await?;
            if line == "STARTTLS" {
                return Ok(Some(stream.into_inner()));
            }
        }
    }

    async fn line<S: AsyncRead + Unpin>(&self, stream: &mut BufReader<S>) -> io::Result<Option<String>> {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(None);
        }
        let line = line.trim_end_matches("\r\n").to_owned();
        self.heard.lock().expect("not poisoned").push(line.clone());
        Ok(Some(line))
    }

    fn heard(&self, start: &str) -> usize {
        self.heard.lock().expect("not poisoned").iter().filter(|line| line.starts_with(start)).count()
    }
}

/// A certificate for `localhost`: for a server, and as a file for whom trusts it.
fn certificate() -> (TlsAcceptor, tempfile::NamedTempFile) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .expect("they fit");
    let file = tempfile::NamedTempFile::new().expect("a file");
    let pem = BASE64_STANDARD.encode(made.cert.der());
    let pem = format!("-----BEGIN CERTIFICATE-----\n{pem}\n-----END CERTIFICATE-----\n");
    std::fs::write(file.path(), pem).expect("written");
    (TlsAcceptor::from(Arc::new(config)), file)
}

fn smtp(port: u16, tls: SmtpTls) -> SmtpSettings {
    SmtpSettings {
        host: "localhost".into(),
        port,
        tls,
        credentials: None,
        from: "Tessera <no-reply@example.org>".into(),
        timeout: Duration::from_secs(5),
    }
}

fn signed_in(port: u16, tls: SmtpTls) -> SmtpSettings {
    SmtpSettings { credentials: Some(("ada".into(), PlainSecret::new("hush".into()))), ..smtp(port, tls) }
}

fn message() -> Message {
    let content = Rendered { text: format!("see {LINK}"), html: format!("<a href=\"{LINK}\">see</a>") };
    Message { to: "ada@example.org".into(), name: "Ada".into(), subject: "Hello".into(), content, via: None }
}

fn stamp() -> Stamp {
    Stamp { id: Uuid::from_u128(7), date: DateTime::UNIX_EPOCH }
}

fn mailer(smtp: Option<SmtpSettings>, trust: Trust) -> Mailer {
    Mailer::assembled(smtp, Some("id.example.org".into()), trust, Duration::from_millis(1))
}

async fn deliver_by(smtp: SmtpSettings, trust: Trust) -> Result<(), String> {
    let mailer = mailer(Some(smtp), trust);
    deliver(&mailer.shared, Queued { stamp: stamp(), message: message() }).await.map_err(|e| e.to_string())
}

#[tokio::test]
async fn what_is_put_into_the_queue_arrives() {
    let sink = Sink::default();
    let port = sink.listen().await;
    let mailer = mailer(Some(smtp(port, SmtpTls::None)), Trust::default());
    for _ in 0..20 {
        mailer.put(stamp(), message()).expect("taken");
    }
    mailer.start().finish(Duration::from_secs(10)).await;
    assert_eq!(sink.heard("EHLO id.example.org"), 20);
    assert_eq!(sink.heard("MAIL FROM:<no-reply@example.org>"), 20);
    assert_eq!(sink.heard("RCPT TO:<ada@example.org>"), 20);
    assert_eq!(sink.heard("Message-ID: <00000000-0000-0000-0000-000000000007@id.example.org>"), 20);
    assert_eq!(mailer.shared.open.load(Ordering::Relaxed), 0);
    let late = mailer.put(stamp(), message()).expect_err("nobody would send it");
    assert!(late.with_causes().ends_with("the server stops, and sends no more e-mails"), "{late:?}");
}

#[tokio::test]
async fn a_message_may_bring_its_own_server() {
    let sink = Sink::default();
    let via = SmtpSettings { from: "other@example.net".into(), ..smtp(sink.listen().await, SmtpTls::None) };
    let mailer = mailer(None, Trust::default());
    mailer.put(stamp(), Message { via: Some(via), ..message() }).expect("taken");
    mailer.start().finish(Duration::from_secs(10)).await;
    assert_eq!(sink.heard("MAIL FROM:<other@example.net>"), 1);
}

#[tokio::test]
async fn without_a_server_or_a_place_nothing_is_taken() {
    let refused = Mailer::default().put(stamp(), message()).expect_err("refused");
    assert!(matches!(&refused, Error::Refused(text) if text == NOT_CONFIGURED), "{refused:?}");
    let mailer = mailer(Some(smtp(25, SmtpTls::None)), Trust::default());
    for _ in 0..QUEUE {
        mailer.put(stamp(), message()).expect("taken");
    }
    let refused = mailer.put(stamp(), message()).expect_err("full");
    assert!(matches!(refused, Error::Unavailable(_)), "{refused:?}");
    assert!(refused.with_causes().ends_with("too many e-mails wait to be sent"));
}

#[tokio::test]
async fn no_encryption_no_password_and_no_mail() {
    let sink = Sink::default();
    let port = sink.listen().await;
    let (_, file) = certificate();
    let trust = || Trust::new(Some(file.path())).expect("read");
    let failure = deliver_by(signed_in(port, SmtpTls::StartTls), trust()).await.unwrap_err();
    assert_eq!(failure, "no TLS: STARTTLS is not supported on this server");
    // Nor where the connection may be in clear, but the server does not want passwords there.
    let failure = deliver_by(signed_in(port, SmtpTls::None), trust()).await.unwrap_err();
    assert!(failure.starts_with("no sign-in: "), "{failure}");
    assert_eq!((sink.heard("AUTH"), sink.heard("MAIL")), (0, 0));
    let far = SmtpSettings { host: "mail.example.org".into(), ..signed_in(port, SmtpTls::None) };
    assert_eq!(far.check().err(), Some(BadSettings::ClearPassword));
    let failure = deliver_by(far, trust()).await.unwrap_err();
    assert!(failure.starts_with("not sent: ") && !failure.contains("hush"), "{failure}");
}

#[tokio::test]
async fn certificates_are_checked() {
    let (acceptor, file) = certificate();
    let (_, other) = certificate();
    let trust = |file: &tempfile::NamedTempFile| Trust::new(Some(file.path())).expect("read");
    let sink = Sink { starttls: Some(acceptor.clone()), ..Sink::default() };
    let implicit = Sink { tls: Some(acceptor), ..Sink::default() };
    for (sink, tls) in [(sink, SmtpTls::StartTls), (implicit, SmtpTls::Tls)] {
        let port = sink.listen().await;
        deliver_by(signed_in(port, tls), trust(&other)).await.expect_err("the issuer counts");
        let by_address = SmtpSettings { host: "127.0.0.1".into(), ..signed_in(port, tls) };
        deliver_by(by_address, trust(&file)).await.expect_err("the name counts");
        assert_eq!((sink.heard("AUTH"), sink.heard("MAIL")), (0, 0));
        assert_eq!(deliver_by(signed_in(port, tls), trust(&file)).await, Ok(()));
        assert_eq!(sink.heard(&format!("AUTH PLAIN {}", BASE64_STANDARD.encode("\0ada\0hush"))), 1);
        assert_eq!(sink.heard("MAIL"), 1);
    }
}

#[tokio::test]
async fn what_may_pass_is_tried_again_and_what_stays_is_not() {
    let sink = Sink::default();
    let settings = smtp(sink.listen().await, SmtpTls::None);
    let refuse = |answer: String, times| sink.refusals.lock().expect("not poisoned").extend(vec![answer; times]);
    refuse(format!("451 4.7.1 later: {LINK}"), 2);
    assert_eq!(deliver_by(settings.clone(), Trust::default()).await, Ok(()));
    assert_eq!(sink.heard("DATA"), 3);
    refuse(format!("451 {LINK}"), 3);
    assert_eq!(
        deliver_by(settings.clone(), Trust::default()).await,
        Err("not taken: the server answered 451".to_owned())
    );
    assert_eq!(sink.heard("DATA"), 6);
    refuse(format!("554 5.7.1 ada@example.org: {LINK} is not liked"), 1);
    assert_eq!(
        deliver_by(settings, Trust::default()).await,
        Err("not taken: the server answered 554 5.7.1".to_owned())
    );
    assert_eq!(sink.heard("DATA"), 7);
}

#[tokio::test]
async fn nobody_and_silence_end_in_time() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("listens");
    let port = listener.local_addr().expect("bound").port();
    drop(listener);
    let failure = deliver_by(smtp(port, SmtpTls::None), Trust::default()).await.unwrap_err();
    assert!(failure.starts_with("no connection: "), "{failure}");
    let sink = Sink { silent: true, ..Sink::default() };
    let port = sink.listen().await;
    let short = SmtpSettings { timeout: Duration::from_millis(50), ..smtp(port, SmtpTls::None) };
    assert_eq!(deliver_by(short, Trust::default()).await, Err("not sent: not done within 50ms".to_owned()));
    // And the end of the server does not wait for ever.
    let mailer = mailer(Some(smtp(port, SmtpTls::None)), Trust::default());
    mailer.put(stamp(), message()).expect("taken");
    let began = std::time::Instant::now();
    mailer.start().finish(Duration::from_millis(50)).await;
    assert!(began.elapsed() < Duration::from_secs(2));
    assert_eq!(mailer.shared.open.load(Ordering::Relaxed), 1);
}

#[test]
fn settings_say_what_is_wrong_and_hide_what_is_secret() {
    let good = signed_in(25, SmtpTls::StartTls);
    assert!(good.check().is_ok());
    assert!(!format!("{good:?}{:?}", message()).contains("hush"));
    assert!(!format!("{:?}", message()).contains("a1B2"));
    for (bad, why) in [
        (SmtpSettings { host: String::new(), ..good.clone() }, BadSettings::Host),
        (SmtpSettings { host: "a b".into(), ..good.clone() }, BadSettings::Host),
        (SmtpSettings { port: 0, ..good.clone() }, BadSettings::Port),
        (SmtpSettings { from: "Tessera".into(), ..good.clone() }, BadSettings::From),
    ] {
        assert_eq!(bad.check().err(), Some(why));
    }
    for (host, there) in [("127.0.0.1", true), ("[::1]", true), ("localhost", true), ("10.0.0.1", false)] {
        let settings = SmtpSettings { host: host.into(), ..signed_in(25, SmtpTls::None) };
        assert_eq!(settings.check().is_ok(), there, "{host}");
    }
    assert_eq!(SmtpTls::from_switches(true, true), SmtpTls::Tls);
    assert_eq!(SmtpTls::from_switches(true, false), SmtpTls::StartTls);
}

#[test]
fn a_file_of_authorities_must_hold_some() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    for text in ["", "nothing", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        std::fs::write(file.path(), text).expect("written");
        assert!(matches!(Trust::new(Some(file.path())), Err(BadSettings::Authorities(..))), "{text}");
    }
    assert!(Trust::new(Some(Path::new("/nowhere/ca.pem"))).is_err());
}
