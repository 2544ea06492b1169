//! Service accounts: an account, an app password and, if wanted, a group, made together or not at all
//! (contract: authentik-core §3.3).

use super::{
    entity::{Kind, Model},
    service::{self, NewUser},
};
use crate::{
    access::code,
    ctx::Ctx,
    error::{Error, Problem, Result},
    resource::{
        groups::{
            escalation::Watch,
            service::{self as groups, NewGroup},
        },
        tokens::{
            Intent,
            service::{self as tokens, Decided, TOKENS_EXPIRE},
        },
    },
    secret::PlainSecret,
};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use unicode_normalization::UnicodeNormalization as _;
use uuid::Uuid;

/// Longest username, in characters.
const LONGEST_NAME: usize = 150;
/// Life of its app password unless something else is said.
const USUAL_LIFE: TimeDelta = TimeDelta::days(360);
/// Longest identifier of a token, in characters.
const LONGEST_IDENTIFIER: usize = 255;

#[derive(Debug)]
pub struct NewServiceAccount {
    pub name: String,
    pub create_group: bool,
    pub expiring: bool,
    pub expires: Option<DateTime<Utc>>,
}

#[derive(Debug)]
pub struct ServiceAccount {
    pub user: Model,
    pub group: Option<Uuid>,
    pub key: PlainSecret,
}

/// Makes a service account. A group is left out without a word when the caller may not make one.
///
/// # Errors
/// [`Error::Invalid`] for a name that is too long, or taken by an account, a group or a token.
pub async fn create(ctx: &Ctx, new: NewServiceAccount) -> Result<ServiceAccount> {
    if new.name.chars().count() > LONGEST_NAME {
        let text = format!("Ensure this field has no more than {LONGEST_NAME} characters.");
        return Err(Error::rule("name", text));
    }
    let mut tx = Watch::begin(ctx).await?;
    let attributes = json!({TOKENS_EXPIRE: new.expiring});
    let Value::Object(attributes) = attributes else { return Err(Error::internal("not an object")) };
    let user = service::insert(
        ctx,
        &mut tx,
        NewUser {
            username: new.name.clone(),
            name: new.name.clone(),
            path: Some("goauthentik.io/service-accounts".into()),
            kind: Some(Kind::ServiceAccount),
            attributes: Some(attributes),
            ..NewUser::default()
        },
    )
    .await
    .map_err(on_name)?;
    let group = if new.create_group && ctx.principal.holds(code::ADD_GROUP) {
        let group = NewGroup { name: new.name.clone(), users: vec![user.id], ..NewGroup::default() };
        Some(groups::insert(ctx, &mut tx, group).await.map_err(on_name)?.id)
    } else {
        None
    };
    let token = Decided {
        identifier: identifier(&new.name),
        intent: Intent::AppPassword,
        description: String::new(),
        expires: Some(new.expires.unwrap_or_else(|| ctx.now + USUAL_LIFE)),
        expiring: new.expiring,
        managed: None,
        key: None,
    };
    let (_, key) = tokens::write(ctx, &tx, &user, token).await.map_err(on_name)?;
    tx.commit().await?;
    Ok(ServiceAccount { user, group, key })
}

/// Whatever of the three is taken, it is the name that was given.
fn on_name(error: Error) -> Error {
    match &error {
        Error::Invalid(fields) if fields.iter().any(|(_, p)| p.iter().any(|p| matches!(p, Problem::Taken(_)))) => {
            Error::field("name", Problem::Taken(None))
        }
        _ => error,
    }
}

/// The identifier of the app password. Of the name counts what has a plain ASCII form; compatibility
/// forms may be several times as long as the name (`㎯` is `rads2`), so they are cut to what fits.
fn identifier(name: &str) -> String {
    let (before, after) = ("service-account-", "-password");
    let fits = LONGEST_IDENTIFIER - before.len() - after.len();
    let plain: String = name.nfkd().filter(char::is_ascii).take(fits).collect();
    slug(&format!("{before}{plain}{after}"))
}

/// Django's `slugify` of ASCII text: lower-case letters, digits and underscores, one hyphen for each run
/// of white space and hyphens, and nothing of these at the ends.
fn slug(text: &str) -> String {
    // As Python has it; Rust's `is_whitespace` does not know the separators of ASCII.
    let is_space = |c: char| matches!(c, ' ' | '\t'..='\r' | '\x1c'..='\x1f');
    let text = text.to_ascii_lowercase();
    let kept: String =
        text.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-') || is_space(*c)).collect();
    let words: Vec<&str> = kept.split(|c| c == '-' || is_space(c)).filter(|word| !word.is_empty()).collect();
    words.join("-").trim_matches(['-', '_']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn identifiers_are_what_django_makes_of_the_whole() {
        for (name, expected) in [
            ("Nightly Backup", "service-account-nightly-backup-password"),
            ("a--b  c_", "service-account-a-b-c_-password"),
            ("Ünï x", "service-account-uni-x-password"),
            ("ﬁne №5", "service-account-fine-no5-password"),
            ("!", "service-account-password"),
            ("- _ -", "service-account-_-password"),
            ("tab\tand\u{1c}line", "service-account-tab-and-line-password"),
            ("日本", "service-account-password"),
        ] {
            assert_eq!(identifier(name), expected, "{name}");
        }
    }

    #[test]
    fn the_longest_names_fit() {
        for name in ["x".repeat(LONGEST_NAME), "㎯".repeat(LONGEST_NAME), "\u{fdfa}".repeat(LONGEST_NAME)] {
            let made = identifier(&name);
            assert!(made.len() <= LONGEST_IDENTIFIER && made.ends_with("-password"), "{made}");
        }
        assert_eq!(identifier(&"x".repeat(LONGEST_NAME)).len(), LONGEST_NAME + 25);
    }

    proptest! {
        #[test]
        fn identifiers_are_slugs(name in "\\PC{0,150}|[ -~\\s㎯½Ⅷ_-]{0,150}") {
            let made = identifier(&name);
            prop_assert!(made.len() <= LONGEST_IDENTIFIER);
            prop_assert!(made.starts_with("service-account") && made.ends_with("password"));
            prop_assert!(made.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_'));
            prop_assert!(!made.contains("--"));
        }
    }
}
