//! Pictures of accounts: the one an account names itself, else its initials.
//!
//! Initials are drawn here. `gravatar` is passed over: it would tell an outside server whose pages
//! are looked at, on every request.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::Value;

/// What is shown when nothing else applies.
const FALLBACK: &str = "/static/dist/assets/images/user_default.png";
/// Backgrounds with at least 4.5:1 contrast to white.
const BACKGROUNDS: [&str; 8] = ["#8a3b12", "#7a4a00", "#2f6b2f", "#0f6b6b", "#1f5fa8", "#5a4fb0", "#8a3a8a", "#a02c4c"];

/// The picture of an account: a URL or a `data:` URL. `own` is its attribute `avatar`.
#[must_use]
pub fn url(name: &str, username: &str, own: Option<&Value>) -> String {
    let shown = if name.trim().is_empty() { username } else { name };
    match own.and_then(Value::as_str) {
        Some(own) if own.starts_with("https://") || own.starts_with("data:image/") => own.to_owned(),
        _ if shown.trim().is_empty() => FALLBACK.to_owned(),
        _ => drawn(shown),
    }
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

    #[test]
    fn initials_come_from_the_first_and_last_word() {
        assert_eq!(initials("authentik Default Admin"), "AA");
        assert_eq!(initials("öz"), "Ö");
        assert_eq!(initials(""), "");
    }

    #[test]
    fn a_name_cannot_break_out_of_the_picture() {
        let picture = url("<script> &x", "u", None);
        let svg = BASE64_STANDARD.decode(picture.trim_start_matches("data:image/svg+xml;base64,")).expect("base64");
        let svg = String::from_utf8(svg).expect("text");
        assert!(svg.contains("&lt;&amp;") && !svg.contains("<script"), "{svg}");
    }

    #[test]
    fn nameless_accounts_have_the_fallback() {
        assert_eq!(url(" ", "", None), FALLBACK);
    }
}
