//! The page of one's own tokens, of both dialects: what there is, when it was used and when it ends; making one, whose
//! secret is shown on the page that follows and on no other; revoking one.

use super::{
    challenge::AUTHENTICATION,
    fault::Fault,
    flow::genuine,
    form::Form,
    page::{page, redirect},
};
use crate::{
    access::Principal,
    ctx::Ctx,
    error::{Error, Problem, Result},
    list::ListRequest,
    resource::{
        pats::{
            Rule, scopes,
            service::{self as pats, NewPat, Whose},
        },
        sessions,
        tokens::{
            Intent,
            service::{self as tokens, NewToken},
            store::TokenFilter,
            usage,
        },
    },
    secret::PlainSecret,
    time,
};
use askama::Template;
use chrono::{DateTime, TimeDelta, Utc};
use http::{Method, request::Parts};
use tessera_api_runtime::{Body, Response};

/// Where the page is.
pub(super) const TOKENS: &str = "/if/user/tokens/";

/// The query of the page that follows a revocation.
const REVOKED: &str = "revoked";

/// One token in a list.
struct Row {
    /// What its form sends.
    key: String,
    name: String,
    /// What it is and what it is good for.
    kind: String,
    detail: String,
}

/// A token that was just made, once.
struct Made {
    name: String,
    /// Labels and values, as fields to copy from.
    parts: Vec<(&'static str, PlainSecret)>,
    hint: &'static str,
}

/// A scope that can be ticked.
struct Choice {
    scope: &'static str,
    label: &'static str,
}

const SCOPES: [Choice; 5] = [
    Choice { scope: scopes::ALL, label: "Everything you may do" },
    Choice { scope: "sp:my-personal-access-tokens:read", label: "See your personal access tokens" },
    Choice { scope: "sp:my-personal-access-tokens:manage", label: "Manage your personal access tokens" },
    Choice { scope: "sp:all-personal-access-tokens:read", label: "See everybody's, if you may" },
    Choice { scope: "sp:all-personal-access-tokens:manage", label: "Manage everybody's, if you may" },
];

/// Lives that can be chosen, in days; 0 is without end.
const LIVES: [(u16, &str); 4] = [(30, "In 30 days"), (90, "In 90 days"), (180, "In 180 days"), (0, "Never")];

/// Which of the two forms was sent and did not do.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    Pat,
    Token,
}

/// What the page says about what was just done.
#[derive(Default)]
struct Said {
    done: Option<&'static str>,
    made: Option<Made>,
    errors: Vec<String>,
    open: Option<Open>,
    /// The name that was typed into the form that is open.
    name: String,
}

impl Said {
    fn is_open(&self, form: &str) -> bool {
        self.open.is_some_and(|open| (open == Open::Pat) == (form == "pat"))
    }
}

#[derive(Template)]
#[template(path = "web/tokens.html")]
struct Tokens<'p> {
    title: &'p str,
    csrf: &'p str,
    said: Said,
    pats: Vec<Row>,
    tokens: Vec<Row>,
    scopes: &'p [Choice],
    lives: &'p [(u16, &'p str)],
}

/// The page; whoever has not signed in goes to the sign-in page.
pub(super) async fn answer(ctx: &Ctx, parts: &Parts, body: &Body) -> Result<Response, Fault> {
    if !matches!(&*ctx.principal, Principal::Account(_)) {
        return redirect(302, &format!("{AUTHENTICATION}?next={TOKENS}"));
    }
    match parts.method {
        Method::GET | Method::HEAD => {
            let revoked = parts.uri.query() == Some(REVOKED);
            let done = revoked.then_some("The token is revoked. Whatever it was traded for has stopped working, too.");
            show(ctx, Said { done, ..Said::default() }).await
        }
        Method::POST => {
            let mut form = Form::read(&parts.headers, body).await?;
            genuine(ctx, &mut form).await?;
            act(ctx, form).await
        }
        _ => Err(Fault::Method("GET, HEAD, POST")),
    }
}

async fn act(ctx: &Ctx, mut form: Form) -> Result<Response, Fault> {
    let said = match form.take("do").as_deref() {
        Some("make-pat") => made(Open::Pat, form.peek("name"), make_pat(ctx, form).await)?,
        Some("make-token") => made(Open::Token, form.peek("name"), make_token(ctx, form).await)?,
        Some("revoke-pat") => {
            own_pat(ctx, &form.take("key").unwrap_or_default()).await?;
            return redirect(303, &format!("{TOKENS}?{REVOKED}"));
        }
        Some("revoke-token") => {
            own_token(ctx, &form.take("key").unwrap_or_default()).await?;
            return redirect(303, &format!("{TOKENS}?{REVOKED}"));
        }
        _ => return redirect(303, TOKENS),
    };
    show(ctx, said).await
}

/// What a form made, or what was wrong with it; other failures have pages of their own.
fn made(open: Open, name: String, outcome: Result<Made>) -> Result<Said, Fault> {
    match outcome {
        Ok(made) => Ok(Said { made: Some(made), ..Said::default() }),
        Err(Error::Invalid(errors)) => {
            let texts = errors.iter().flat_map(|(field, all)| all.iter().map(move |problem| spelled(field, problem)));
            Ok(Said { errors: texts.collect(), open: Some(open), name, ..Said::default() })
        }
        Err(Error::Refused(text)) => Ok(Said { errors: vec![text], open: Some(open), name, ..Said::default() }),
        Err(other) => Err(other.into()),
    }
}

/// A fault of a field in words.
fn spelled(field: &str, problem: &Problem) -> String {
    match problem {
        Problem::Taken(_) => "Another token has this name.".to_owned(),
        Problem::Rule(text) | Problem::Missing(text) | Problem::Limit(text) => text.clone(),
        Problem::UnknownKey(_) | Problem::UnknownChoice(_) | Problem::NoSuchChoice | Problem::UnknownItem(..) => {
            format!("There is no such {field}.")
        }
    }
}

async fn make_pat(ctx: &Ctx, mut form: Form) -> Result<Made> {
    let mut scope = Vec::new();
    while let Some(ticked) = form.take("scope") {
        scope.push(ticked);
    }
    if scope.is_empty() {
        // As the original's own page: nothing ticked reaches nothing.
        scope.push("sp:scopes:default".to_owned());
    }
    let days = form.take("life").and_then(|days| days.parse::<u16>().ok()).unwrap_or(30);
    let expires = (days > 0).then(|| ctx.now + TimeDelta::days(days.into()));
    let new = NewPat {
        name: form.take("name").unwrap_or_default(),
        scope: Some(scope),
        validity: None,
        expires,
        never_expires: days == 0,
    };
    let (token, secret) = pats::create(ctx, Rule::Explicit, new).await?;
    Ok(Made {
        name: token.name,
        parts: vec![("Client ID", PlainSecret::new(token.id.simple().to_string())), ("Client secret", secret)],
        hint: "Trade the two at /oauth/token for a bearer token.",
    })
}

async fn make_token(ctx: &Ctx, mut form: Form) -> Result<Made> {
    if ctx.principal.require_account()?.original.is_some() {
        // As with personal access tokens: it would last.
        return Err(Error::Forbidden);
    }
    let identifier = form.take("name").unwrap_or_default().trim().to_owned();
    let is_slug = identifier.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    if identifier.is_empty() || identifier.len() > 255 || !is_slug {
        return Err(Error::rule("identifier", "An identifier has letters, digits, hyphens and underscores alone."));
    }
    let intent = if form.take("intent").as_deref() == Some("app") { Intent::AppPassword } else { Intent::Api };
    let expires = match form.take("expires").filter(|text| !text.is_empty()) {
        Some(text) => Some(time::day(&text).ok_or_else(|| Error::rule("expires", "This is no date."))?),
        None => None,
    };
    if expires.is_some() && intent == Intent::Api {
        return Err(Error::rule("expires", "Only an app password ends on a day of your choice."));
    }
    let description = form.take("description");
    if description.as_ref().is_some_and(|text| text.contains('\0')) {
        return Err(Error::rule("description", "Null characters are not allowed."));
    }
    let length = ctx.app.settings().await?.default_token_length;
    let key = ctx.secret(length);
    let new = NewToken {
        identifier,
        intent: Some(intent),
        description,
        expires: Some(expires),
        key: Some(key.clone()),
        ..NewToken::default()
    };
    let token = tokens::create(ctx, new).await?;
    let (label, hint) = match intent {
        Intent::AppPassword => ("App password", "Sign in with it where a password is asked for and nobody is there."),
        _ => ("Key", "Send it to the API as \"Authorization: Bearer …\"."),
    };
    Ok(Made { name: token.identifier, parts: vec![(label, key)], hint })
}

/// Revokes a personal access token of one's own, whatever else one may do.
async fn own_pat(ctx: &Ctx, key: &str) -> Result<()> {
    let mine = pats::list(ctx, Whose::Mine, None).await?;
    if !mine.iter().any(|token| token.id.simple().to_string() == key) {
        return Err(Error::NotFound);
    }
    pats::delete(ctx, key).await
}

/// As [`own_pat`], for an API token or an app password.
async fn own_token(ctx: &Ctx, identifier: &str) -> Result<()> {
    let account = ctx.principal.require_account()?;
    if tokens::view(ctx, identifier).await?.user.id != account.id {
        return Err(Error::NotFound);
    }
    tokens::delete(ctx, identifier).await
}

async fn show(ctx: &Ctx, said: Said) -> Result<Response, Fault> {
    let csrf = sessions::csrf_token(ctx).unwrap_or_default();
    let title = match (&said.made, said.errors.is_empty()) {
        (Some(_), _) => "Copy your new token",
        (None, true) => "Your tokens",
        (None, false) => "Error: Your tokens",
    };
    let status = if said.errors.is_empty() { 200 } else { 400 };
    let (pats, tokens) = match (pat_rows(ctx).await, token_rows(ctx).await) {
        (Ok(pats), Ok(tokens)) => (pats, tokens),
        // A secret that nobody can show again is worth more than a list.
        _ if said.made.is_some() => (Vec::new(), Vec::new()),
        (pats, tokens) => (pats?, tokens?),
    };
    page(status, &Tokens { title, csrf: &csrf, said, pats, tokens, scopes: &SCOPES, lives: &LIVES })
}

async fn pat_rows(ctx: &Ctx) -> Result<Vec<Row>> {
    let row = |token: crate::resource::pats::store::PatView| Row {
        key: token.id.simple().to_string(),
        name: token.name,
        kind: token.scope.0.join(", "),
        detail: detail(token.last_used, token.expires, ctx.now),
    };
    Ok(pats::list(ctx, Whose::Mine, None).await?.into_iter().map(row).collect())
}

async fn token_rows(ctx: &Ctx) -> Result<Vec<Row>> {
    let username = Some(ctx.principal.require_account()?.username.clone());
    // Nobody has so many of his own that they want pages.
    let all = ListRequest::new(None, Some("1000"), None, None)?;
    let tokens = tokens::list(ctx, &all, TokenFilter { username, ..TokenFilter::default() }).await?.items;
    let used = usage::last_used(ctx, tokens.iter().map(|token| token.id)).await?;
    let row = |token: crate::resource::tokens::store::TokenView| {
        let kind = match token.intent {
            Intent::Api => "API token",
            Intent::AppPassword => "App password",
            Intent::Recovery => "Recovery link",
            Intent::Verification => "Verification",
        };
        let kind =
            if token.description.is_empty() { kind.to_owned() } else { format!("{kind}: {}", token.description) };
        let detail = detail(used.get(&token.id).copied(), token.end(), ctx.now);
        Row { key: token.identifier.clone(), name: token.identifier, kind, detail }
    };
    Ok(tokens.into_iter().map(row).collect())
}

fn detail(used: Option<DateTime<Utc>>, end: Option<DateTime<Utc>>, now: DateTime<Utc>) -> String {
    let day = |t: DateTime<Utc>| t.format("%-d %B %Y").to_string();
    let used = used.map_or_else(|| "Never used".to_owned(), |t| format!("Last used {}", day(t)));
    let end = match end {
        None => "never ends".to_owned(),
        Some(end) if end <= now => format!("ended {}", day(end)),
        Some(end) => format!("ends {}", day(end)),
    };
    format!("{used}, {end}")
}
