//! Commands about personal access tokens.

use super::{
    Failure,
    manage::{context, named, plain},
    say,
};
use crate::{
    config::Config,
    resource::pats::{
        Rule,
        service::{self as pats, NewPat, Whose},
    },
    time,
};
use chrono::{DateTime, SecondsFormat, Utc};
use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub enum Pat {
    /// Make a token and print its id and its secret, this once
    Create {
        /// Username of the owner
        #[arg(long)]
        owner: String,
        /// What the owner calls it
        #[arg(long)]
        name: String,
        /// What it is good for; repeatable. Everything the owner may do, when there is none
        #[arg(long = "scope")]
        scopes: Vec<String>,
        /// Life of the bearer tokens it is traded for, in seconds
        #[arg(long, value_name = "SECONDS")]
        validity: Option<i32>,
        /// When it ends, as in ISO 8601; six months from now unless given
        #[arg(long, value_name = "TIME", value_parser = instant)]
        expires: Option<DateTime<Utc>>,
        /// It does not end
        #[arg(long, conflicts_with = "expires")]
        no_expiry: bool,
    },
    /// List tokens, without their secrets
    List {
        /// Only this owner's
        #[arg(long)]
        owner: Option<String>,
    },
    /// Delete a token; bearer tokens it was traded for stop working
    Revoke { id: String },
}

fn instant(text: &str) -> Result<DateTime<Utc>, String> {
    time::instant(text).or_else(|| time::day(text)).ok_or_else(|| "a time looks like 2026-12-31T12:00:00Z".to_owned())
}

fn spelled(time: Option<DateTime<Utc>>) -> String {
    time.map_or("never".to_owned(), |t| t.to_rfc3339_opts(SecondsFormat::Millis, true))
}

pub async fn pat(config: Config, command: Pat) -> Result<(), Failure> {
    let ctx = context(config).await?;
    match command {
        Pat::Create { owner, name, scopes, validity, expires, no_expiry } => {
            let owner = named(&ctx, &owner).await?;
            if !owner.is_active {
                return Err(Failure::Said(format!("the account `{}` is not active", owner.username)));
            }
            let rule = if no_expiry || expires.is_some() { Rule::Explicit } else { Rule::SixMonths };
            let scope = Some(scopes).filter(|scopes| !scopes.is_empty());
            let new = NewPat { name, scope, validity, expires, never_expires: no_expiry };
            let (token, secret) = pats::create_for(&ctx, owner.id, rule, new).await?;
            say(&format!("name      {}", token.name))?;
            say(&format!("ends      {}", spelled(token.expires)))?;
            say(&format!("id        {}", token.id.simple()))?;
            say(&format!("secret    {}", secret.reveal()))?;
        }
        Pat::List { owner } => {
            let whose = match owner {
                Some(owner) => Whose::Of(Some(named(&ctx, &owner).await?.uuid)),
                None => Whose::Everybodys,
            };
            for token in pats::list(&ctx, whose, None).await? {
                let (end, used) = (spelled(token.expires), spelled(token.last_used));
                let (owner, name) = (plain(&token.owner_username), plain(&token.name));
                say(&format!("{}\t{owner}\t{name}\t{end}\t{used}", token.id.simple()))?;
            }
        }
        Pat::Revoke { id } => {
            pats::delete(&ctx, &id).await?;
            say(&format!("revoked {id}"))?;
        }
    }
    Ok(())
}
