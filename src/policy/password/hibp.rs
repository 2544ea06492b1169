//! Whether a password is in the lists of Have I Been Pwned, or of a mirror (contract: authentik-core §5.6).
//!
//! The server that is asked learns the first five of forty hexadecimal digits of the password's SHA-1, which
//! hundreds of passwords share; the rest is compared here. See <https://haveibeenpwned.com/API/v3#PwnedPasswords>.

pub use crate::config::OnFailure;

use crate::outbound::{BadEndpoint, Bounds, Endpoint, NoAnswer};
use sha1::{Digest as _, Sha1};
use std::time::Duration;

/// Longest answer that is read, in bytes. Real ones have about 50 kB.
const LONGEST_ANSWER: usize = 1 << 20;
/// Digits of the hash that the other server sees.
const PREFIX: usize = 5;

/// Why a password could not be looked up. Says nothing about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LookupError {
    #[error(transparent)]
    NoAnswer(#[from] NoAnswer),
    #[error("the answer is not what the range API gives")]
    Unreadable,
}

/// The server with the lists.
#[derive(Debug, Clone)]
pub struct Hibp {
    ranges: Endpoint,
    timeout: Duration,
    pub(super) on_failure: OnFailure,
}

impl Hibp {
    /// `address` is what the five digits are appended to, such as `https://api.pwnedpasswords.com/range/`;
    /// `timeout` is for one look-up as a whole.
    ///
    /// # Errors
    /// See [`BadEndpoint`].
    pub fn new(address: &str, timeout: Duration, on_failure: OnFailure) -> Result<Self, BadEndpoint> {
        Ok(Self { ranges: Endpoint::new(address)?, timeout, on_failure })
    }

    /// How often the password is in the lists.
    ///
    /// # Errors
    /// When the server is away, slow, or answers with something else.
    pub async fn count(&self, password: &str) -> Result<u64, LookupError> {
        let hash: String = Sha1::digest(password).iter().map(|byte| format!("{byte:02X}")).collect();
        let (prefix, suffix) = hash.split_at(PREFIX);
        let bounds = Bounds { time: self.timeout, size: LONGEST_ANSWER };
        // Padded, the answer's length does not give the prefix away to who can only watch the line.
        let body = self.ranges.get(prefix, &[("Add-Padding", "true")], bounds).await?;
        count_in(&body, suffix)
    }
}

/// Lines are `SUFFIX:COUNT`; padding has the count 0.
fn count_in(body: &[u8], suffix: &str) -> Result<u64, LookupError> {
    let text = std::str::from_utf8(body).map_err(|_| LookupError::Unreadable)?;
    let mut found = 0;
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        // Each line is read, so that a page that is no list is not taken for one without the password.
        let (other, count) = line.split_once(':').ok_or(LookupError::Unreadable)?;
        let count: u64 = count.trim().parse().map_err(|_| LookupError::Unreadable)?;
        if other.eq_ignore_ascii_case(suffix) {
            found = count;
        }
    }
    Ok(found)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    /// SHA-1 of `password` without its first five digits, `5BAA6`.
    pub(in super::super) const PASSWORD: &str = "1E4C9B93F3F0682250B6CF8331B7EE68FD8";

    /// A server that answers every request with this body, and its address; the requests come through the channel.
    pub(in super::super) async fn server(body: String) -> (String, tokio::sync::mpsc::UnboundedReceiver<String>) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("listens");
        let address = format!("http://{}/range/", listener.local_addr().expect("bound"));
        let (sender, requests) = tokio::sync::mpsc::unbounded_channel();
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.expect("a client");
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(stream.read_u8().await.expect("a request"));
                }
                sender.send(String::from_utf8(head).expect("text")).expect("somebody looks");
                let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
                stream.write_all(answer.as_bytes()).await.expect("sent");
            }
        });
        (address, requests)
    }

    pub(in super::super) fn client(address: &str, on_failure: OnFailure) -> Hibp {
        Hibp::new(address, Duration::from_secs(5), on_failure).expect("an address")
    }

    #[tokio::test]
    async fn counts_what_the_lists_have_and_shows_five_digits() {
        let body = format!("0018A45C4D1DEF81644B54AB7F969B88D65:0\r\n{PASSWORD}:52256179\r\nF{}:2\r\n", &PASSWORD[1..]);
        let (address, mut requests) = server(body).await;
        let hibp = client(&address, OnFailure::Fail);
        assert_eq!(hibp.count("password").await, Ok(52_256_179));
        let head = requests.recv().await.expect("asked");
        assert!(head.starts_with("GET /range/5BAA6 HTTP/1.1\r\n"), "{head}");
        assert!(head.to_lowercase().contains("\r\nadd-padding: true\r\n"), "{head}");
        assert!(!head.contains(&PASSWORD[..4]), "{head}");
        assert_eq!(hibp.count("something else").await, Ok(0));
    }

    #[test]
    fn answers_are_read_to_the_end_and_strictly() {
        for (body, count) in [
            ("", Ok(0)),
            ("AB:1\nCD:2", Ok(2)),
            ("cd:7\r\n", Ok(7)),
            ("CD:0\r\n", Ok(0)),
            ("CD:x", Err(LookupError::Unreadable)),
            ("AB:-1\r\nCD:2", Err(LookupError::Unreadable)),
            ("<html>", Err(LookupError::Unreadable)),
        ] {
            assert_eq!(count_in(body.as_bytes(), "CD"), count, "{body}");
        }
        assert_eq!(count_in(&[0xff], "CD"), Err(LookupError::Unreadable));
    }
}
