//! Commands about tokens, accounts and grants.

use super::{Failure, arguments, say};
use crate::{
    access::Principal,
    audit::{self, Event},
    bootstrap,
    config::Config,
    ctx::{Ctx, SystemClock, SystemEntropy},
    error::{Error, Problem},
    list::ListRequest,
    resource::{
        grants::{self, store::Holder},
        tokens::{
            Intent,
            service::{self as tokens, NewToken},
            store::TokenFilter,
        },
        users::{
            self, Kind,
            service::{self as accounts, NewUser},
        },
    },
    secret::PlainSecret,
};
use clap::{Args, Subcommand, ValueEnum};
use std::{io::Read as _, sync::Arc};

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum IntentArg {
    Api,
    AppPassword,
}

#[derive(Debug, Subcommand)]
pub enum Token {
    /// Make a token and print its key, this once
    Create {
        /// Username of the owner
        #[arg(long)]
        user: String,
        /// Unique name: letters, digits, hyphens, underscores
        #[arg(long, value_parser = arguments::identifier)]
        identifier: String,
        #[arg(long, value_enum, default_value = "api")]
        intent: IntentArg,
        #[arg(long, default_value = "")]
        description: String,
        /// The token does not end
        #[arg(long)]
        no_expiry: bool,
    },
    /// List tokens, without their keys
    List {
        /// Only this owner's
        #[arg(long)]
        user: Option<String>,
    },
    /// Remove a token; its key stops working
    Revoke { identifier: String },
}

#[derive(Debug, Subcommand)]
pub enum User {
    /// Make an account; it has no password yet
    Create {
        #[arg(value_parser = arguments::username)]
        username: String,
        /// Display name; the username unless given
        #[arg(long)]
        name: Option<String>,
        #[arg(long, default_value = "")]
        email: String,
        /// Names of groups to join; repeatable
        #[arg(long = "group")]
        groups: Vec<String>,
        /// A service account
        #[arg(long)]
        service: bool,
    },
    /// Set a password, read from standard input
    SetPassword { username: String },
}

#[derive(Debug, Args)]
pub struct Grant {
    /// Username of the holder
    #[arg(long, conflicts_with = "role", required_unless_present = "role")]
    user: Option<String>,
    /// Name of the role that holds it; made when it is missing
    #[arg(long)]
    role: Option<String>,
    /// On one object, by primary key; on all without
    #[arg(long)]
    object: Option<String>,
    /// Take it away instead
    #[arg(long)]
    revoke: bool,
    /// For example `authentik_core.view_user`
    permission: String,
}

/// An error as one sentence with its causes.
pub fn explain(error: &Error) -> String {
    match error {
        Error::Refused(text) | Error::RefusedList(text) => text.clone(),
        Error::Invalid(fields) => {
            let texts = fields.iter().map(|(field, problems)| format!("{field}: {}", describe(problems)));
            texts.collect::<Vec<_>>().join("; ")
        }
        other => other.with_causes(),
    }
}

fn describe(problems: &[Problem]) -> String {
    let text = |problem: &Problem| match problem {
        Problem::Taken(_) => "is taken".to_owned(),
        Problem::UnknownKey(value) | Problem::UnknownChoice(value) => format!("there is no `{value}`"),
        Problem::NoSuchChoice => "there is no such thing".to_owned(),
        Problem::UnknownItem(_, value) => format!("there is no `{value}`"),
        Problem::Rule(text) | Problem::Missing(text) | Problem::Limit(text) => text.clone(),
    };
    problems.iter().map(text).collect::<Vec<_>>().join(", ")
}

pub async fn context(config: Config) -> Result<Ctx, Failure> {
    let (app, first) = bootstrap::open(config, Arc::new(SystemClock), Arc::new(SystemEntropy)).await?;
    // Whichever command comes first makes them, so it must show them.
    super::introduce(first.as_ref())?;
    Ok(Ctx::new(app, Arc::new(Principal::System), None))
}

/// A name as one word of one line, whatever its owner put into it.
pub fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

pub async fn named(ctx: &Ctx, username: &str) -> Result<users::Model, Failure> {
    let user = users::store::by_username(ctx.app.db.read(), username).await?;
    user.ok_or_else(|| Failure::Said(format!("there is no account `{username}`")))
}

pub async fn token(config: Config, command: Token) -> Result<(), Failure> {
    let ctx = context(config).await?;
    match command {
        Token::Create { user, identifier, intent, description, no_expiry } => {
            let owner = named(&ctx, &user).await?;
            let new = NewToken {
                identifier,
                intent: Some(match intent {
                    IntentArg::Api => Intent::Api,
                    IntentArg::AppPassword => Intent::AppPassword,
                }),
                user: Some(owner.id),
                description: Some(description),
                expiring: Some(!no_expiry),
                ..NewToken::default()
            };
            let mut tx = ctx.begin().await?;
            let (token, key) = tokens::insert(&ctx, &mut tx, new).await?;
            tx.commit().await?;
            say(&format!("identifier  {}", token.identifier))?;
            say(&format!("ends        {}", token.end().map_or("never".to_owned(), |t| t.to_rfc3339())))?;
            say(&format!("key         {}", key.reveal()))?;
        }
        Token::List { user } => {
            let filter = TokenFilter { username: user, ..TokenFilter::default() };
            let all = ListRequest::new(None, Some("1000000"), None, None)?;
            for row in tokens::list(&ctx, &all, filter).await?.items {
                let end = row.end().map_or("never".to_owned(), |t| t.to_rfc3339());
                say(&format!("{}\t{}\t{}\t{end}", row.identifier, row.intent.as_str(), plain(&row.user.username)))?;
            }
        }
        Token::Revoke { identifier } => {
            tokens::delete(&ctx, &identifier).await?;
            say(&format!("revoked {identifier}"))?;
        }
    }
    Ok(())
}

pub async fn user(config: Config, command: User) -> Result<(), Failure> {
    let ctx = context(config).await?;
    match command {
        User::Create { username, name, email, groups, service } => {
            let known = crate::resource::groups::store::by_names(ctx.app.db.read(), &groups).await?;
            if let Some(missing) = groups.iter().find(|name| !known.iter().any(|g| g.name == **name)) {
                return Err(Failure::Said(format!("there is no group `{missing}`")));
            }
            let new = NewUser {
                name: name.unwrap_or_else(|| username.clone()),
                username,
                email: Some(email),
                groups: known.into_iter().map(|g| g.id).collect(),
                kind: Some(if service { Kind::ServiceAccount } else { Kind::Internal }),
                ..NewUser::default()
            };
            let user = accounts::create(&ctx, new).await?;
            say(&format!("made account {} with the id {}", user.username, user.id))?;
        }
        User::SetPassword { username } => {
            let user = named(&ctx, &username).await?;
            let mut password = String::new();
            std::io::stdin().read_to_string(&mut password)?;
            let password = password.trim_end_matches(['\n', '\r']);
            if password.is_empty() {
                return Err(Failure::Said("no password on standard input".into()));
            }
            accounts::set_password(&ctx, user.id, Some(PlainSecret::new(password.to_owned()))).await?;
            say(&format!("set the password of {username}"))?;
        }
    }
    Ok(())
}

pub async fn grant(config: Config, command: Grant) -> Result<(), Failure> {
    let Grant { user, role, object, revoke, permission } = command;
    let ctx = context(config).await?;
    let account = match &user {
        Some(user) => Some(named(&ctx, user).await?),
        None => None,
    };
    let known = match &role {
        Some(role) => grants::store::role_by_name(ctx.app.db.read(), role).await?,
        None => None,
    };
    // What is left behind by an object that is gone may be taken away.
    if let (Some(object), false) = (&object, revoke) {
        arguments::require_object(ctx.app.db.read(), &permission, object).await?;
    }
    let mut tx = ctx.begin().await?;
    let (holder, subject) = match (account, known, role) {
        (Some(account), ..) => (Holder::User(account.id), accounts::subject(&account)),
        (None, Some(role), _) => (Holder::Role(role.id), grants::service::role_subject(role.id, &role.name)),
        (None, None, Some(role)) if !revoke => {
            let id = grants::service::role_named(&mut tx, &ctx, &role).await?;
            (Holder::Role(id), grants::service::role_subject(id, &role))
        }
        (None, None, Some(role)) => return Err(Failure::Said(format!("there is no role `{role}`"))),
        (None, None, None) => return Err(Failure::Said("whose? say --user or --role".into())),
    };
    let changed = if revoke {
        grants::service::revoke(&mut tx, holder, &permission, object.as_deref()).await?
    } else {
        grants::service::grant(&mut tx, holder, &permission, object.as_deref()).await?
    };
    if changed {
        audit::record(&tx, &ctx, Event::updated(&subject));
    }
    tx.commit().await?;
    if let Holder::Role(id) = holder {
        say(&format!("role {id}"))?;
    }
    say(match (changed, revoke) {
        (true, false) => "granted",
        (true, true) => "taken away",
        (false, false) => "was granted already",
        (false, true) => "was not granted",
    })
}
