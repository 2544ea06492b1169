//! Addresses that a browser is sent to (contract: authentik-core §1.3, the row `URL`).

use super::python;
use std::net::Ipv6Addr;

/// Longest address, in characters.
const LONGEST: usize = 2048;

/// Whether a text is where an application can start: `blank://blank`, or an address of `http`, `https` or
/// `ftp`, whose host needs no dot. `%(field)s` may stand anywhere behind the scheme.
pub fn is_launch_url(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else { return false };
    match scheme.to_ascii_lowercase().as_str() {
        "blank" => rest == "blank",
        "http" | "https" | "ftp" => text.chars().count() <= LONGEST && is_address(rest),
        _ => false,
    }
}

/// What follows the scheme.
fn is_address(text: &str) -> bool {
    let authority = text.split(['/', '?', '#']).next().unwrap_or_default();
    let (user, place) = match authority.split_once('@') {
        Some((user, place)) => (Some(user), place),
        None => (None, authority),
    };
    !text.contains(python::is_space) && user.is_none_or(is_user) && is_place(place)
}

/// A name, and if need be a password. No backslash: to a browser the host would end there.
fn is_user(text: &str) -> bool {
    !text.is_empty() && !text.starts_with(':') && text.matches(':').count() <= 1 && !text.contains('\\')
}

/// A host, and if need be a port.
fn is_place(text: &str) -> bool {
    let is_port = |port: &str| port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok();
    if let Some(text) = text.strip_prefix('[') {
        let Some((host, port)) = text.split_once(']') else { return false };
        let port_is_fine = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
        return host.parse::<Ipv6Addr>().is_ok() && port_is_fine;
    }
    match text.split_once(':') {
        Some((host, port)) => is_host(&filled(host)) && is_port(port),
        None => is_host(&filled(text)),
    }
}

fn is_host(name: &str) -> bool {
    let is_letter = |c: char| c.is_ascii_alphanumeric() || c >= '\u{a1}';
    let is_label = |label: &str| {
        (1..=63).contains(&label.chars().count())
            && label.chars().all(|c| is_letter(c) || c == '-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    name.len() <= 253 && name.split('.').all(is_label)
}

/// A host with a letter in the place of each `%(field)s`.
fn filled(host: &str) -> String {
    let (mut out, mut rest) = (String::new(), host);
    while let Some((before, (field, after))) =
        rest.split_once("%(").and_then(|(before, after)| Some((before, after.split_once(")s")?)))
    {
        if field.is_empty() || !field.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            break;
        }
        out.push_str(before);
        out.push('x');
        rest = after;
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn addresses_to_start_at() {
        for good in [
            "https://wiki.example.org",
            "HTTP://wiki/",
            "http://localhost:9000/a?b=c#d",
            "ftp://user:pass@files.example.org/",
            "http://192.0.2.1:80/",
            "http://[2001:db8::1]:8080/",
            "http://[::1]",
            "https://wiki.example.org/users/%(username)s?mail=%(email)s",
            "https://%(username)s.example.org/",
            "https://app-%(last_name)s",
            "https://büro.example.org/ä",
            "blank://blank",
        ] {
            assert!(is_launch_url(good), "{good}");
        }
        for bad in [
            "wiki.example.org",
            "/wiki",
            "//wiki.example.org",
            "http:wiki",
            "http://",
            "http:///path",
            "javascript:alert(1)",
            "javascript://wiki.example.org/%0aalert(1)",
            "data://text/html,x",
            "file:///etc/passwd",
            "%(scheme)s://wiki.example.org/",
            "http://a b/",
            "http://wiki/\u{a0}x",
            "http://wiki/\u{1f}x",
            "http://-a/",
            "http://a..b/",
            "http://wiki:port/",
            "http://wiki:+80/",
            "http://wiki:/",
            "http://wiki:99999/",
            "http://@wiki/",
            "http://a@b@wiki/",
            "http://[::g]/",
            "http://[::1]x/",
            "http://%(username/",
            "http://%()s/",
            "http://wiki\\@example.org/",
            "blank://",
            "blank://other",
        ] {
            assert!(!is_launch_url(bad), "{bad}");
        }
        assert!(is_launch_url(&format!("http://a/{}", "b".repeat(2048 - 9))));
        assert!(!is_launch_url(&format!("http://a/{}", "b".repeat(2048))));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text: String) {
            let _ = is_launch_url(&format!("http://{text}"));
        }

        #[test]
        fn only_known_schemes_pass(scheme in "[a-z]{1,10}", rest in "[a-z]{1,10}") {
            let known = ["http", "https", "ftp"].contains(&scheme.as_str());
            prop_assert_eq!(is_launch_url(&format!("{scheme}://{rest}")), known || (scheme == "blank" && rest == "blank"));
        }
    }
}
