//! Pictures of accounts, from the sources that the setting `avatars` lists; the first that has one counts
//! (contract: authentik-core §3.1).
//!
//! Initials are drawn here. `gravatar` is passed over: it would tell an outside server whose pages
//! are looked at, on every request. Whoever wants it writes its address into the setting, with
//! `%(mail_hash)s`.

use super::{entity::Model, view::UserView};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use md5::{Digest as _, Md5};
use serde_json::Value;

/// What is shown when nothing else applies.
const FALLBACK: &str = "/static/dist/assets/images/user_default.png";
/// Backgrounds with at least 4.5:1 contrast to white.
const BACKGROUNDS: [&str; 8] = ["#8a3b12", "#7a4a00", "#2f6b2f", "#0f6b6b", "#1f5fa8", "#5a4fb0", "#8a3a8a", "#a02c4c"];

/// What of an account a picture may depend on.
#[derive(Debug)]
pub struct Whose<'a> {
    name: &'a str,
    username: &'a str,
    email: &'a str,
    attributes: AttributesOf<'a>,
}

#[derive(Debug)]
enum AttributesOf<'a> {
    Row(&'a Value),
    View(&'a serde_json::Map<String, Value>),
}

impl<'a> From<&'a UserView> for Whose<'a> {
    fn from(user: &'a UserView) -> Self {
        let attributes = AttributesOf::View(&user.attributes);
        Self { name: &user.name, username: &user.username, email: &user.email, attributes }
    }
}

impl<'a> From<&'a Model> for Whose<'a> {
    fn from(user: &'a Model) -> Self {
        let attributes = AttributesOf::Row(&user.attributes);
        Self { name: &user.name, username: &user.username, email: &user.email, attributes }
    }
}

impl Whose<'_> {
    /// A text among the attributes, by the names that lead to it.
    fn attribute(&self, path: &str) -> Option<&str> {
        let mut names = path.split('.');
        let first = names.next()?;
        let start = match self.attributes {
            AttributesOf::Row(value) => value.get(first),
            AttributesOf::View(map) => map.get(first),
        };
        names.try_fold(start?, |value, name| value.get(name))?.as_str()
    }
}

/// The picture of an account: a URL or a `data:` URL. `sources` is the setting.
#[must_use]
pub fn url(sources: &str, whose: &Whose<'_>) -> String {
    let shown = if whose.name.trim().is_empty() { whose.username } else { whose.name };
    for source in sources.split(',').map(str::trim) {
        let found = match source {
            "none" => return FALLBACK.to_owned(),
            "" | "gravatar" => None,
            "initials" => Some(shown).filter(|name| !name.trim().is_empty()).map(drawn),
            _ => match source.strip_prefix("attributes.") {
                Some(path) => whose.attribute(path).map(str::to_owned),
                None => Some(filled(source, whose)),
            },
        };
        // Pages show it, so it must not be able to run anything.
        if let Some(url) = found.filter(|url| is_picture(url)) {
            return url;
        }
    }
    FALLBACK.to_owned()
}

/// The picture of somebody of whom only the name is known, which is drawn or none.
#[must_use]
pub fn named(sources: &str, name: &str) -> String {
    let nothing = Value::Null;
    let whose = Whose { name, username: name, email: "", attributes: AttributesOf::Row(&nothing) };
    let drawn = sources.split(',').map(str::trim).find(|source| matches!(*source, "none" | "initials"));
    url(drawn.unwrap_or("none"), &whose)
}

fn is_picture(url: &str) -> bool {
    ["https://", "http://", "data:image/", "/"].iter().any(|start| url.starts_with(start))
}

/// An address with the account's particulars in their places.
fn filled(template: &str, whose: &Whose<'_>) -> String {
    let hash = crate::secret::keyring::hex(&Md5::digest(whose.email.to_lowercase().as_bytes()));
    let safe = |text: &str| percent_encode(text);
    template
        .replace("%(username)s", &safe(whose.username))
        .replace("%(mail_hash)s", &hash)
        .replace("%(upn)s", &safe(whose.attribute("upn").unwrap_or_default()))
}

/// As in one segment of a path (RFC 3986 §2.1).
fn percent_encode(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

/// First letters of the first and the last word.
fn initials(name: &str) -> String {
    let mut words = name.split_whitespace();
    let first = words.next().and_then(|w| w.chars().next());
    let last = words.last().and_then(|w| w.chars().next());
    first.into_iter().chain(last).flat_map(char::to_uppercase).collect()
}

fn drawn(name: &str) -> String {
    let index = name.bytes().fold(0_usize, |sum, b| sum.wrapping_mul(31).wrapping_add(usize::from(b)));
    let background = BACKGROUNDS.get(index % BACKGROUNDS.len()).copied().unwrap_or("#555");
    let mut letters = String::new();
    for c in initials(name).chars() {
        match c {
            '&' => letters.push_str("&amp;"),
            '<' => letters.push_str("&lt;"),
            c => letters.push(c),
        }
    }
    let svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 64 64\"><rect width=\"64\" height=\"64\" fill=\"{background}\"/>\
         <text x=\"32\" y=\"32\" dy=\".35em\" fill=\"#fff\" font-family=\"sans-serif\" font-size=\"28\" \
         text-anchor=\"middle\">{letters}</text></svg>"
    );
    format!("data:image/svg+xml;base64,{}", BASE64_STANDARD.encode(svg))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn initials_come_from_the_first_and_last_word() {
        assert_eq!(initials("authentik Default Admin"), "AA");
        assert_eq!(initials("öz"), "Ö");
        assert_eq!(initials(""), "");
    }

    fn whose<'a>(name: &'a str, username: &'a str, attributes: &'a Value) -> Whose<'a> {
        Whose { name, username, email: "Ann@example.org", attributes: AttributesOf::Row(attributes) }
    }

    #[test]
    fn a_name_cannot_break_out_of_the_picture() {
        let picture = url("initials", &whose("<script> &x", "u", &Value::Null));
        let svg = BASE64_STANDARD.decode(picture.trim_start_matches("data:image/svg+xml;base64,")).expect("base64");
        let svg = String::from_utf8(svg).expect("text");
        assert!(svg.contains("&lt;&amp;") && !svg.contains("<script"), "{svg}");
    }

    #[test]
    fn the_first_source_that_has_a_picture_counts() {
        let attributes =
            json!({"photo": {"small": "https://example.org/a.png"}, "bad": "javascript:alert(1)", "upn": "a b"});
        let ann = whose("", "ann/x", &attributes);
        for (sources, expected) in [
            ("gravatar, none,initials", FALLBACK),
            ("attributes.photo.small,initials", "https://example.org/a.png"),
            ("attributes.photo.large,attributes.bad,none", FALLBACK),
            ("nonsense", FALLBACK),
        ] {
            let got = url(sources, &ann);
            assert_eq!(got, expected, "{sources}");
        }
        // The hash is `printf ann@example.org | md5sum`.
        let filled = url("https://p.example/%(username)s/%(mail_hash)s?%(upn)s", &ann);
        assert_eq!(filled, "https://p.example/ann%2Fx/8b5a6a28fc840441be692d74a81ccd1a?a%20b");
        assert!(url("gravatar,initials", &ann).starts_with("data:image/svg+xml;base64,"));
        assert_eq!(url("initials", &whose(" ", "", &Value::Null)), FALLBACK);
    }
}
