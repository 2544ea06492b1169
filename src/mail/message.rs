//! One message: what the caller says, and how it becomes a letter with headers.
//!
//! Names and subjects come from people: what could end a header line in them becomes a space before the
//! builder encodes the rest, and addresses are parsed, never pasted.

use super::{SmtpSettings, templates::Rendered};
use chrono::{DateTime, Utc};
use lettre::{
    Address,
    message::{
        Mailbox, MultiPart,
        header::{Date, HeaderName, HeaderValue},
    },
};
use uuid::Uuid;

/// What is to be sent. `Debug` shows neither the recipient nor what is in it.
#[derive(Clone)]
pub struct Message {
    /// The recipient's bare address.
    pub to: String,
    /// The recipient's name; may be empty.
    pub name: String,
    pub subject: String,
    /// The same content twice: as text and as HTML.
    pub content: Rendered,
    /// The server and sender of this message; `None` means the process' own.
    pub via: Option<SmtpSettings>,
}

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Message").field("via", &self.via).finish_non_exhaustive()
    }
}

/// What makes a message one of its own.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stamp {
    pub id: Uuid,
    pub date: DateTime<Utc>,
}

/// Why there is no letter. Does not repeat the address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unsendable {
    #[error("the recipient's address is none")]
    Recipient,
    #[error("the headers cannot be written")]
    Headers,
}

/// The letter, with `host` as the right side of its `Message-ID`.
pub(super) fn compose(
    sender: Mailbox,
    host: &str,
    stamp: &Stamp,
    message: &Message,
) -> Result<lettre::Message, Unsendable> {
    let to: Address = message.to.trim().parse().map_err(|_| Unsendable::Recipient)?;
    let name = Some(on_one_line(&message.name)).filter(|name| !name.is_empty());
    let automatic = HeaderName::new_from_ascii_str("Auto-Submitted");
    lettre::Message::builder()
        .from(sender)
        .to(Mailbox::new(name, to))
        .subject(on_one_line(&message.subject))
        .header(Date::new(stamp.date.into()))
        .message_id(Some(format!("<{}@{}>", stamp.id, on_one_line(host))))
        // RFC 3834: so that nobody's holiday notice answers it.
        .raw_header(HeaderValue::new(automatic, "auto-generated".to_owned()))
        .multipart(MultiPart::alternative_plain_html(message.content.text.clone(), message.content.html.clone()))
        .map_err(|_| Unsendable::Headers)
}

/// The text with every run of white space and control characters as one space.
pub(super) fn on_one_line(text: &str) -> String {
    let apart = |c: char| c.is_control() || c.is_whitespace();
    text.split(apart).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Reads `someone@example.org` or `Some One <someone@example.org>`, and nothing after it.
pub(super) fn mailbox(text: &str) -> Option<Mailbox> {
    let text = text.trim();
    if text.chars().any(char::is_control) {
        return None;
    }
    let Some((name, rest)) = text.rsplit_once('<') else {
        return Some(Mailbox::new(None, text.parse().ok()?));
    };
    let address = rest.strip_suffix('>')?.trim().parse().ok()?;
    let name = name.trim();
    let name = name.strip_prefix('"').and_then(|name| name.strip_suffix('"')).unwrap_or(name);
    Some(Mailbox::new(Some(name.to_owned()).filter(|name| !name.is_empty()), address))
}

/// The host of an address that `config` has checked, without its port.
pub(super) fn host_of(address: &str) -> String {
    let authority = address.split_once("://").map_or(address, |(_, rest)| rest);
    let authority = authority.split('/').next().unwrap_or(authority);
    match authority.rsplit_once(':') {
        // The colons inside the brackets of an IPv6 address are none before a port.
        Some((host, port)) if !port.ends_with(']') => host.to_owned(),
        _ => authority.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(name: &str, subject: &str) -> String {
        let message = Message {
            to: "ada@example.org".into(),
            name: name.into(),
            subject: subject.into(),
            content: Rendered { text: "text".into(), html: "<p>html</p>".into() },
            via: None,
        };
        let stamp = Stamp { id: Uuid::from_u128(7), date: DateTime::UNIX_EPOCH };
        let sender = mailbox("Tessera <no-reply@example.org>").expect("a mailbox");
        let letter = compose(sender, "id.example.org", &stamp, &message).expect("a letter");
        String::from_utf8(letter.formatted()).expect("text")
    }

    /// The names of the headers, in order; a name that came in by another header's value would be one.
    fn names(letter: &str) -> Vec<&str> {
        let (head, _) = letter.split_once("\r\n\r\n").expect("a head");
        assert!(!head.replace("\r\n", "").contains(['\r', '\n']), "{head}");
        head.split("\r\n").filter(|line| !line.starts_with(' ')).filter_map(|l| Some(l.split_once(':')?.0)).collect()
    }

    #[test]
    fn a_letter_has_the_headers_it_needs() {
        let letter = letter("Ada", "Hello");
        for line in [
            "From: Tessera <no-reply@example.org>",
            "To: Ada <ada@example.org>",
            "Subject: Hello",
            "Date: Thu, 01 Jan 1970 00:00:00 +0000",
            "Message-ID: <00000000-0000-0000-0000-000000000007@id.example.org>",
            "Auto-Submitted: auto-generated",
        ] {
            assert!(letter.lines().any(|l| l == line), "{line} is missing in\n{letter}");
        }
        assert!(letter.contains("multipart/alternative"), "{letter}");
    }

    #[test]
    fn nothing_gets_into_the_head_by_a_name_or_a_subject() {
        let honest = letter("Ada", "Hello");
        let honest = names(&honest);
        for text in [
            "x\r\nBcc: eve@example.com",
            "x\nBcc: eve@example.com",
            "x\rBcc: eve@example.com",
            "x\r\n\r\nBody",
            "x\u{2028}Bcc: eve@example.com\u{85}",
            "\"x\" <eve@example.com>,",
            "x\0\u{7}",
            "\\\"\r\nBcc: eve@example.com",
        ] {
            assert_eq!(names(&letter(text, "Hello")), honest, "{text:?}");
            assert_eq!(names(&letter("Ada", text)), honest, "{text:?}");
        }
        assert!(letter("\"x\" <eve@example.com>,", "s").contains("<ada@example.org>\r\n"));
    }

    #[test]
    fn a_bad_address_is_no_letter() {
        let stamp = Stamp { id: Uuid::nil(), date: DateTime::UNIX_EPOCH };
        for to in
            ["", "ada", "ada@example.org\r\nBcc: e@example.com", "a@example.org, b@example.org", "a b@example.org"]
        {
            let content = Rendered { text: String::new(), html: String::new() };
            let message = Message { to: to.into(), name: String::new(), subject: String::new(), content, via: None };
            let sender = mailbox("a@example.org").expect("a mailbox");
            assert_eq!(compose(sender, "h", &stamp, &message).err(), Some(Unsendable::Recipient), "{to}");
        }
    }

    #[test]
    fn mailboxes_are_read_strictly() {
        let read = |text| mailbox(text).map(|m| (m.name.unwrap_or_default(), m.email.to_string()));
        let is = |name: &str, address: &str| Some((name.to_owned(), address.to_owned()));
        assert_eq!(read("a@example.org"), is("", "a@example.org"));
        assert_eq!(read(" <a@example.org> "), is("", "a@example.org"));
        assert_eq!(read("Tessera <a@example.org>"), is("Tessera", "a@example.org"));
        assert_eq!(read("\"Tessera, Inc.\" <a@example.org>"), is("Tessera, Inc.", "a@example.org"));
        for bad in ["", "Tessera", "<a@example.org> b", "a@example.org b", "a@example.org\nb", "a <b@c> <d"] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn hosts_come_without_ports() {
        for (address, host) in [
            ("https://id.example.org", "id.example.org"),
            ("https://id.example.org:8443/sso", "id.example.org"),
            ("http://[::1]:9000", "[::1]"),
            ("http://[::1]", "[::1]"),
        ] {
            assert_eq!(host_of(address), host);
        }
    }
}
