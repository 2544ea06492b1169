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
use uuid::Uuid;

/// Longest username, in characters.
const LONGEST_NAME: usize = 150;
/// Life of its app password unless something else is said.
const USUAL_LIFE: TimeDelta = TimeDelta::days(360);

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
        identifier: format!("service-account-{}-password", slug(&new.name)),
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

/// Lower-case letters, digits, underscores, and one hyphen for each run of spaces and hyphens.
/// Letters without a plain form are left out, as Django's `slugify` does.
fn slug(name: &str) -> String {
    let kept: String = name
        .to_lowercase()
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-') || c.is_whitespace())
        .collect();
    let words: Vec<&str> = kept.split([' ', '-', '\t', '\n']).filter(|w| !w.is_empty()).collect();
    words.join("-").trim_matches(['-', '_']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::slug;

    #[test]
    fn slugs() {
        for (name, expected) in
            [("Nightly Backup", "nightly-backup"), ("a--b  c_", "a-b-c"), ("Ünï x", "n-x"), ("!", "")]
        {
            assert_eq!(slug(name), expected, "{name}");
        }
    }
}
