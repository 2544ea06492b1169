//! Handing one letter to one SMTP server, once.
//!
//! Encryption that was asked for is never done without: a server that does not offer STARTTLS gets nothing.
//! A password goes over an unencrypted connection only to this machine. Certificates are always checked,
//! against whom the machine trusts and the authorities that `smtp_ca_file` adds.

use super::message::mailbox;
use crate::{
    config::{Config, SmtpTls},
    outbound,
    secret::PlainSecret,
};
use lettre::{
    message::Mailbox,
    transport::smtp::{
        authentication::{Credentials, Mechanism},
        client::{AsyncSmtpConnection, Certificate, CertificateStore, TlsParameters, TlsParametersBuilder},
        extension::ClientId,
    },
};
use std::{
    fmt::Display,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::OnceLock,
    time::Duration,
};
use tokio::time::timeout;
use tokio_rustls::rustls::pki_types::{CertificateDer, pem::PemObject as _};

/// How long a server gets to say goodbye after it took a letter.
const GOODBYE: Duration = Duration::from_secs(2);

/// A server, and who is named as the sender. `Debug` hides the password.
#[derive(Debug, Clone)]
pub struct SmtpSettings {
    /// A name or an IP address; the certificate is checked against it.
    pub host: String,
    pub port: u16,
    pub tls: SmtpTls,
    /// User name and password.
    pub credentials: Option<(String, PlainSecret)>,
    /// `someone@example.org` or `Some One <someone@example.org>`.
    pub from: String,
    /// Longest time of one try, from the name look-up to the server's word that it took the letter.
    pub timeout: Duration,
}

/// Why settings are of no use; every text says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadSettings {
    #[error("no mail can be sent without a server: set its host (TESSERA_SMTP_HOST)")]
    Host,
    #[error("no mail server listens on port 0: set its port (TESSERA_SMTP_PORT)")]
    Port,
    #[error("the sender is not a mailbox: set it (TESSERA_SMTP_FROM) to one like `Tessera <no-reply@example.org>`")]
    From,
    #[error(
        "the password would go over the network in clear: set encryption (TESSERA_SMTP_TLS) to `starttls` or `tls`"
    )]
    ClearPassword,
    #[error("TESSERA_SMTP_CA_FILE ({0}) cannot be used: {1}")]
    Authorities(PathBuf, String),
}

impl SmtpTls {
    /// What the two switches of an e-mail stage mean; of both, the one without a start in clear.
    #[must_use]
    pub const fn from_switches(use_tls: bool, use_ssl: bool) -> Self {
        match (use_tls, use_ssl) {
            (_, true) => Self::Tls,
            (true, false) => Self::StartTls,
            (false, false) => Self::None,
        }
    }
}

impl SmtpSettings {
    /// Those of the process, if it has any.
    pub(super) fn of(config: &Config) -> Result<Option<Self>, BadSettings> {
        let Some(host) = config.smtp_host.clone() else { return Ok(None) };
        let settings = Self {
            host,
            port: config.smtp_port,
            tls: config.smtp_tls,
            credentials: config.smtp_username.clone().zip(config.smtp_password.clone().map(PlainSecret::new)),
            from: config.smtp_from.clone().unwrap_or_default(),
            timeout: Duration::from_secs(config.smtp_timeout),
        };
        settings.check()?;
        Ok(Some(settings))
    }

    /// Gives the sender, if a letter can be sent with these settings at all.
    ///
    /// # Errors
    /// [`BadSettings`].
    pub fn check(&self) -> Result<Mailbox, BadSettings> {
        if self.host.is_empty() || self.host.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(BadSettings::Host);
        }
        if self.port == 0 {
            return Err(BadSettings::Port);
        }
        if self.credentials.is_some() && self.tls == SmtpTls::None && !self.is_this_machine() {
            return Err(BadSettings::ClearPassword);
        }
        mailbox(&self.from).ok_or(BadSettings::From)
    }

    /// The host as names are looked up and certificates are checked: without the brackets of IPv6.
    fn name(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }

    fn is_this_machine(&self) -> bool {
        self.name() == "localhost" || self.name().parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }
}

/// Whose certificates are believed.
#[derive(Default)]
pub(super) struct Trust {
    added: Vec<CertificateDer<'static>>,
    /// Those of the machine and those added; read when the first connection needs them.
    all: OnceLock<Vec<CertificateDer<'static>>>,
}

impl std::fmt::Debug for Trust {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trust").field("added", &self.added.len()).finish_non_exhaustive()
    }
}

impl Trust {
    /// Whom the machine trusts, and the authorities in a PEM file.
    pub(super) fn new(file: Option<&Path>) -> Result<Self, BadSettings> {
        let Some(file) = file else { return Ok(Self::default()) };
        let bad = |why: String| BadSettings::Authorities(file.to_owned(), why);
        let pem = std::fs::read(file).map_err(|e| bad(e.to_string()))?;
        let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
        let added = read.map_err(|e| bad(format!("it is not PEM: {e}")))?;
        if added.is_empty() || !added.iter().all(outbound::is_authority) {
            return Err(bad("it must hold certificates of authorities, in PEM, and nothing else".to_owned()));
        }
        Ok(Self { added, all: OnceLock::new() })
    }

    fn parameters(&self, host: &str) -> Result<TlsParameters, Failure> {
        let all = self.all.get_or_init(|| [self.added.clone(), outbound::authorities()].concat());
        if all.is_empty() {
            return Err(Failure::lasting("no TLS", outbound::BadEndpoint::NoAuthorities));
        }
        let mut builder = TlsParametersBuilder::new(host.to_owned()).certificate_store(CertificateStore::None);
        for certificate in all {
            let certificate = Certificate::from_der(certificate.to_vec());
            builder = builder.add_root_certificate(certificate.map_err(|e| Failure::of("no TLS", &e))?);
        }
        builder.build().map_err(|e| Failure::of("no TLS", &e))
    }
}

/// Why a letter was not taken. Says nothing of what is in it, nor to whom it goes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{step}: {cause}")]
pub(super) struct Failure {
    step: &'static str,
    cause: String,
    /// Whether trying again would be of no use.
    pub lasting: bool,
}

impl Failure {
    pub(super) fn lasting(step: &'static str, cause: impl Display) -> Self {
        Self { step, cause: cause.to_string(), lasting: true }
    }

    fn of(step: &'static str, error: &lettre::transport::smtp::Error) -> Self {
        let source = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
        let cause = if let Some(code) = error.status() {
            format!("the server answered {}", [code.to_string(), enhanced(&source)].join(" ").trim_end())
        } else if error.is_response() {
            "the server answered with what is not SMTP".to_owned()
        } else {
            source
        };
        Self { step, cause, lasting: error.is_permanent() || error.is_client() }
    }
}

/// The code of RFC 3463 (such as `5.7.1`) at the start of a reply; its words are left out, since they may
/// quote the letter or the recipient.
fn enhanced(reply: &str) -> String {
    let code = reply.split_whitespace().next().unwrap_or_default();
    let is_part = |part: &str| (1..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
    if code.split('.').count() == 3 && code.split('.').all(is_part) { code.to_owned() } else { String::new() }
}

/// Tries once. `host` is our own name, for the greeting.
pub(super) async fn deliver(
    smtp: &SmtpSettings,
    trust: &Trust,
    host: &str,
    letter: &lettre::Message,
) -> Result<(), Failure> {
    let late = |_| Failure { step: "not sent", cause: format!("not done within {:?}", smtp.timeout), lasting: false };
    let mut connection = timeout(smtp.timeout, attempt(smtp, trust, host, letter)).await.map_err(late)??;
    // The letter is taken, whatever the server says now.
    let _ = timeout(GOODBYE, connection.quit()).await;
    Ok(())
}

async fn attempt(
    smtp: &SmtpSettings,
    trust: &Trust,
    host: &str,
    letter: &lettre::Message,
) -> Result<AsyncSmtpConnection, Failure> {
    let name = smtp.name();
    let (at_once, later) = match smtp.tls {
        SmtpTls::None => (None, None),
        SmtpTls::StartTls => (None, Some(trust.parameters(name)?)),
        SmtpTls::Tls => (Some(trust.parameters(name)?), None),
    };
    let hello = greeting(host);
    let mut connection = AsyncSmtpConnection::connect_tokio1((name, smtp.port), None, &hello, at_once, None)
        .await
        .map_err(|e| Failure::of("no connection", &e))?;
    if let Some(tls) = later {
        connection.starttls(tls, &hello).await.map_err(|e| Failure::of("no TLS", &e))?;
    }
    if let Some((user, password)) = &smtp.credentials {
        let credentials = Credentials::new(user.clone(), password.reveal().to_owned());
        let mechanisms = [Mechanism::Plain, Mechanism::Login];
        connection.auth(&mechanisms, &credentials).await.map_err(|e| Failure::of("no sign-in", &e))?;
    }
    connection.send(letter.envelope(), &letter.formatted()).await.map_err(|e| Failure::of("not taken", &e))?;
    Ok(connection)
}

fn greeting(host: &str) -> ClientId {
    match host.trim_start_matches('[').trim_end_matches(']').parse() {
        Ok(IpAddr::V4(ip)) => ClientId::Ipv4(ip),
        Ok(IpAddr::V6(ip)) => ClientId::Ipv6(ip),
        Err(_) if host.is_ascii() => ClientId::Domain(host.to_owned()),
        Err(_) => ClientId::Domain("localhost".to_owned()),
    }
}
