//! The mails there are, as text and as HTML: `templates/email/`, compiled into the program.
//!
//! HTML is escaped by the extension of its file; it loads nothing, and the only address in it is the link.

use super::message::on_one_line;
use crate::error::{Error, Result};
use askama::Template as _;
use chrono::TimeDelta;

/// A mail that can be sent, by the name that the contract gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Template {
    PasswordReset,
    AccountConfirmation,
}

impl Template {
    pub const ALL: [Self; 2] = [Self::PasswordReset, Self::AccountConfirmation];

    /// The contract's name, such as `email/password_reset.html`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::PasswordReset => "email/password_reset.html",
            Self::AccountConfirmation => "email/account_confirmation.html",
        }
    }

    /// The mail of this name, if there is one.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|template| template.name() == name)
    }
}

/// What a mail says. `Debug` does not show the link.
#[derive(Clone)]
pub struct Facts {
    /// The person's name, or the user name of who has none.
    pub name: String,
    /// `http://…` or `https://…`; whoever has it may do what the mail is about.
    pub link: String,
    /// How long the link is good for, from now; below a minute it says "less than a minute".
    pub valid: TimeDelta,
}

impl std::fmt::Debug for Facts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Facts").field("name", &self.name).field("valid", &self.valid).finish_non_exhaustive()
    }
}

/// The same mail twice. `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Rendered {
    pub text: String,
    pub html: String,
}

impl std::fmt::Debug for Rendered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Rendered([redacted])")
    }
}

/// The variables of a template; each mail has two files.
macro_rules! pages {
    ($($page:ident = $path:literal),* $(,)?) => {
        $(
            #[derive(askama::Template)]
            #[template(path = $path)]
            struct $page<'a> {
                name: &'a str,
                link: &'a str,
                valid: &'a str,
            }
        )*
    };
}

pages! {
    ResetText = "email/password_reset.txt",
    ResetHtml = "email/password_reset.html",
    ConfirmText = "email/account_confirmation.txt",
    ConfirmHtml = "email/account_confirmation.html",
}

/// Writes a mail.
///
/// # Errors
/// [`Error::Internal`] for a link that is not one.
pub fn render(template: Template, facts: &Facts) -> Result<Rendered> {
    let link = facts.link.as_str();
    let followable = ["https://", "http://"].iter().any(|scheme| link.starts_with(scheme));
    if !followable || link.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(Error::internal("the link of an e-mail is not an address"));
    }
    let (name, valid) = (&*on_one_line(&facts.name), &*in_words(facts.valid));
    let (text, html) = match template {
        Template::PasswordReset => (ResetText { name, link, valid }.render(), ResetHtml { name, link, valid }.render()),
        Template::AccountConfirmation => {
            (ConfirmText { name, link, valid }.render(), ConfirmHtml { name, link, valid }.render())
        }
    };
    Ok(Rendered { text: text.map_err(Error::internal)?, html: html.map_err(Error::internal)? })
}

/// A duration as people say it: in the largest unit that divides its whole minutes.
fn in_words(valid: TimeDelta) -> String {
    let minutes = valid.num_minutes();
    let (count, unit) = match minutes {
        ..1 => return "less than a minute".to_owned(),
        _ if minutes % (24 * 60) == 0 => (minutes / (24 * 60), "day"),
        _ if minutes % 60 == 0 => (minutes / 60, "hour"),
        _ => (minutes, "minute"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINK: &str = "https://id.example.org/if/flow/recovery/?flow_token=a1B2&next=%2F";

    fn facts(name: &str) -> Facts {
        Facts { name: name.into(), link: LINK.into(), valid: TimeDelta::minutes(30) }
    }

    #[test]
    fn mails_say_who_where_and_how_long() {
        for template in Template::ALL {
            let mail = render(template, &facts("Ada Lovelace")).expect("rendered");
            for part in [&mail.text, &mail.html] {
                assert!(part.contains("Ada Lovelace") && part.contains("30 minutes"), "{part}");
            }
            assert!(mail.text.contains(&format!("\n{LINK}\n")), "a line of its own: {}", mail.text);
            assert_eq!(Template::named(template.name()), Some(template));
        }
        assert_eq!(Template::named("email/other.html"), None);
    }

    #[test]
    fn the_html_is_escaped_and_loads_nothing() {
        for template in Template::ALL {
            let html = render(template, &facts("<img src=x onerror='a()'> & \"co\"\r\nBcc: x")).expect("rendered").html;
            assert!(!html.contains("<img") && !html.contains("onerror='"), "{html}");
            assert!(html.contains("&#60;img src=x"), "{html}");
            let escaped = LINK.replace('&', "&#38;");
            assert!(html.contains(&format!("href=\"{escaped}\"")), "{html}");
            // The link is there to click and to copy; no other address is.
            assert_eq!(html.matches("://").count(), html.matches(&escaped).count(), "{html}");
            for other in ["src=\"", "url(", "<link", "<script", "@import"] {
                assert!(!html.contains(other), "{other} in {html}");
            }
        }
    }

    #[test]
    fn only_addresses_are_links() {
        for link in
            ["", "javascript:alert(1)", "//example.org/", "https://example.org/\r\nx", "https://example.org/a b"]
        {
            let facts = Facts { link: link.into(), ..facts("Ada") };
            assert!(matches!(render(Template::PasswordReset, &facts), Err(Error::Internal(_))), "{link}");
        }
    }

    #[test]
    fn durations_are_words() {
        for (minutes, words) in [
            (-5, "less than a minute"),
            (0, "less than a minute"),
            (1, "1 minute"),
            (90, "90 minutes"),
            (60, "1 hour"),
            (120, "2 hours"),
            (1440, "1 day"),
            (4320, "3 days"),
        ] {
            assert_eq!(in_words(TimeDelta::minutes(minutes)), words);
        }
    }

    #[test]
    fn nothing_of_a_mail_is_in_the_debug_output() {
        let mail = render(Template::PasswordReset, &facts("Ada")).expect("rendered");
        assert!(!format!("{:?}{mail:?}", facts("Ada")).contains("a1B2"));
    }
}
