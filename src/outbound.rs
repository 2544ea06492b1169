//! Asking other servers: one HTTP/1.1 request on a connection of its own, with bounds on time and size.
//! Also whom this machine trusts, which holds for mail servers too.
//!
//! Meant for what is asked rarely, so there is no pool. Redirects are not followed and proxies are not
//! looked for: the operator names the server that is asked.

use bytes::Bytes;
use http::{Request, Uri, header, uri::Scheme};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_util::rt::TokioIo;
use std::{sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    task::JoinSet,
    time::timeout,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{
        ClientConfig, RootCertStore,
        crypto::ring,
        pki_types::{CertificateDer, ServerName},
    },
};

/// An address that nobody can be asked at.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadEndpoint {
    #[error("it is not an http:// or https:// address without a user, a query and a fragment")]
    Address,
    #[error("this machine trusts no certificate authorities (on Linux: the package `ca-certificates`)")]
    NoAuthorities,
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
}

/// Why there is no answer. Says nothing of what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    #[error("no answer within {0:?}")]
    Late(Duration),
    #[error("no connection: {0}")]
    Connect(String),
    #[error("no TLS: {0}")]
    Tls(String),
    #[error("no HTTP: {0}")]
    Http(String),
    #[error("no usable body: {0}")]
    Body(String),
    #[error("status {0}")]
    Status(u16),
}

/// How long an answer may take, from the name look-up to the last byte, and how long it may be.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    pub time: Duration,
    /// In bytes.
    pub size: usize,
}

/// A place to ask below: `https://host[:port]/path/`.
#[derive(Clone)]
pub struct Endpoint {
    host: String,
    port: u16,
    /// Host and port as written, for `Host`.
    authority: String,
    /// Ends with a slash.
    path: String,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Endpoint").field("authority", &self.authority).finish_non_exhaustive()
    }
}

impl Endpoint {
    /// Reads an address; with `https` it trusts whom the machine trusts.
    ///
    /// # Errors
    /// See [`BadEndpoint`].
    pub fn new(address: &str) -> Result<Self, BadEndpoint> {
        Self::trusting(address, trusted)
    }

    fn trusting(address: &str, roots: impl FnOnce() -> RootCertStore) -> Result<Self, BadEndpoint> {
        let uri: Uri = address.trim().parse().map_err(|_| BadEndpoint::Address)?;
        let (Some(scheme), Some(authority)) = (uri.scheme(), uri.authority()) else { return Err(BadEndpoint::Address) };
        let secure = *scheme == Scheme::HTTPS;
        // Two slashes and a `#` are the only way into a path that `Uri` cuts off in silence.
        if !(secure || *scheme == Scheme::HTTP)
            || authority.as_str().contains('@')
            || uri.query().is_some()
            || address.contains('#')
        {
            return Err(BadEndpoint::Address);
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let tls = if secure {
            let name = ServerName::try_from(host.clone()).map_err(|_| BadEndpoint::Address)?;
            Some((connector(roots())?, name))
        } else {
            None
        };
        Ok(Self {
            host,
            port: authority.port_u16().unwrap_or(if secure { 443 } else { 80 }),
            authority: authority.to_string(),
            path: format!("{}/", uri.path().trim_end_matches('/')),
            tls,
        })
    }

    /// The body of what is at `below`, a path without a leading slash; anything but 200 is no answer.
    ///
    /// # Errors
    /// See [`NoAnswer`].
    pub async fn get(&self, below: &str, headers: &[(&str, &str)], bounds: Bounds) -> Result<Bytes, NoAnswer> {
        let mut request = Request::get(format!("{}{below}", self.path))
            .header(header::HOST, &self.authority)
            .header(header::USER_AGENT, concat!("Tessera/", env!("CARGO_PKG_VERSION")));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Empty::new()).map_err(|e| NoAnswer::Http(e.to_string()))?;
        timeout(bounds.time, self.send(request, bounds.size)).await.map_err(|_| NoAnswer::Late(bounds.time))?
    }

    async fn send(&self, request: Request<Empty<Bytes>>, size: usize) -> Result<Bytes, NoAnswer> {
        let tcp =
            TcpStream::connect((self.host.as_str(), self.port)).await.map_err(|e| NoAnswer::Connect(e.to_string()))?;
        match &self.tls {
            None => exchange(tcp, request, size).await,
            Some((tls, name)) => {
                let stream = tls.connect(name.clone(), tcp).await.map_err(|e| NoAnswer::Tls(e.to_string()))?;
                exchange(stream, request, size).await
            }
        }
    }
}

async fn exchange<S>(stream: S, request: Request<Empty<Bytes>>, size: usize) -> Result<Bytes, NoAnswer>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let http = |e: hyper::Error| NoAnswer::Http(e.to_string());
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(http)?;
    // Ends with this function, also when it is given up.
    let mut connections = JoinSet::new();
    connections.spawn(connection);
    let response = sender.send_request(request).await.map_err(http)?;
    if response.status() != http::StatusCode::OK {
        return Err(NoAnswer::Status(response.status().as_u16()));
    }
    let body = Limited::new(response.into_body(), size).collect().await.map_err(|e| NoAnswer::Body(e.to_string()))?;
    Ok(body.to_bytes())
}

/// Whom this machine trusts; what cannot be read is left out.
#[must_use]
pub fn authorities() -> Vec<CertificateDer<'static>> {
    let mut certificates = rustls_native_certs::load_native_certs().certs;
    certificates.retain(is_authority);
    certificates
}

/// Whether others' certificates can be checked against this one.
#[must_use]
pub fn is_authority(certificate: &CertificateDer<'_>) -> bool {
    RootCertStore::empty().add(certificate.clone().into_owned()).is_ok()
}

fn trusted() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(authorities());
    roots
}

fn connector(roots: RootCertStore) -> Result<TlsConnector, BadEndpoint> {
    if roots.is_empty() {
        return Err(BadEndpoint::NoAuthorities);
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|e| BadEndpoint::Tls(e.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;
    use tokio_rustls::{TlsAcceptor, rustls::ServerConfig, rustls::pki_types::PrivateKeyDer};

    const BOUNDS: Bounds = Bounds { time: Duration::from_secs(5), size: 1000 };

    async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.expect("a request"));
        }
        String::from_utf8(head).expect("text")
    }

    /// A server for one request; gives its address, and then the head of the request.
    async fn server(answer: impl Into<String>) -> (String, tokio::task::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("listens");
        let address = format!("http://{}", listener.local_addr().expect("bound"));
        let answer = answer.into();
        let served = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a client");
            let head = read_head(&mut stream).await;
            stream.write_all(answer.as_bytes()).await.expect("sent");
            if answer.is_empty() {
                tokio::time::sleep(Duration::from_secs(60)).await;
            }
            head
        });
        (address, served)
    }

    #[test]
    fn addresses_are_read_strictly() {
        for bad in [
            "",
            "example.com",
            "/range/",
            "ftp://example.com/",
            "http://",
            "http://u:p@example.com/",
            "http://example.com/?a=b",
            "http://example.com/#a",
        ] {
            assert_eq!(Endpoint::new(bad).err(), Some(BadEndpoint::Address), "{bad}");
        }
        for (address, host, port, path) in [
            ("http://example.com", "example.com", 80, "/"),
            ("http://example.com/range", "example.com", 80, "/range/"),
            (" http://[::1]:8080/a/b/ ", "::1", 8080, "/a/b/"),
        ] {
            let endpoint = Endpoint::new(address).expect("good");
            assert_eq!((endpoint.host.as_str(), endpoint.port, endpoint.path.as_str()), (host, port, path));
        }
        assert_eq!(
            Endpoint::trusting("https://example.com/", RootCertStore::empty).err(),
            Some(BadEndpoint::NoAuthorities)
        );
    }

    #[tokio::test]
    async fn asks_and_gives_the_body() {
        let (address, served) = server("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi").await;
        let endpoint = Endpoint::new(&format!("{address}/base")).expect("good");
        let body = endpoint.get("21BD1", &[("Add-Padding", "true")], BOUNDS).await.expect("answers");
        assert_eq!(&body[..], b"hi");
        let head = served.await.expect("served").to_lowercase();
        assert!(head.starts_with("get /base/21bd1 http/1.1\r\n"), "{head}");
        assert!(head.contains(&format!("\r\nhost: {}\r\n", &address["http://".len()..])), "{head}");
        assert!(head.contains("\r\nadd-padding: true\r\n"), "{head}");
        assert!(head.contains("\r\nuser-agent: tessera/"), "{head}");
    }

    #[tokio::test]
    async fn bad_answers_are_none() {
        let long = format!("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{}", "x".repeat(BOUNDS.size + 1));
        for (answer, expected) in [
            ("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", "status 503"),
            ("HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n", "status 302"),
            ("SSH-2.0-x\r\n", "no HTTP: "),
            (long.as_str(), "no usable body: length limit exceeded"),
            ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi", "no usable body: "),
        ] {
            let (address, _served) = server(answer).await;
            let error =
                Endpoint::new(&address).expect("good").get("secret", &[], BOUNDS).await.unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[tokio::test]
    async fn silence_ends_in_time_and_nobody_is_no_connection() {
        let (address, served) = server("").await;
        let time = Duration::from_millis(50);
        let bounds = Bounds { time, ..BOUNDS };
        let endpoint = Endpoint::new(&address).expect("good");
        assert_eq!(endpoint.get("", &[], bounds).await, Err(NoAnswer::Late(time)));
        served.abort();
        let _ = served.await;
        assert!(matches!(endpoint.get("", &[], BOUNDS).await, Err(NoAnswer::Connect(_))));
    }

    #[tokio::test]
    async fn tls_is_checked() {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .expect("they fit");
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("listens");
        let port = listener.local_addr().expect("bound").port();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.expect("a client");
                let Ok(mut stream) = acceptor.accept(stream).await else { continue };
                read_head(&mut stream).await;
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi").await.expect("sent");
                stream.flush().await.expect("sent");
            }
        });
        let get = async |host: &str, roots: RootCertStore| {
            let endpoint = Endpoint::trusting(&format!("https://{host}:{port}/"), || roots).expect("good");
            endpoint.get("x", &[], BOUNDS).await
        };
        let mut roots = RootCertStore::empty();
        roots.add(made.cert.der().clone()).expect("added");
        assert_eq!(get("localhost", roots.clone()).await.as_deref(), Ok(&b"hi"[..]));
        assert!(matches!(get("127.0.0.1", roots).await, Err(NoAnswer::Tls(_))), "the name counts");
        let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        let mut roots = RootCertStore::empty();
        roots.add(other.cert.der().clone()).expect("added");
        assert!(matches!(get("localhost", roots).await, Err(NoAnswer::Tls(_))), "the issuer counts");
    }
}
