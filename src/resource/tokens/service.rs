//! Rules for tokens (contract: authentik-core §2.3, §2.4).
//!
//! Where the original changes owner or intent behind the caller's back (a PATCH that does not name
//! them), we keep both: see `docs/compatibility.md`.

use super::{
    entity::{ActiveModel, Intent, Model},
    keys,
    store::{self, TokenFilter, TokenView},
};
use crate::{
    access::code,
    audit::{self, Event},
    ctx::Ctx,
    db::Tx,
    error::{Error, FieldErrors, Problem, Result},
    list::{ListRequest, Page},
    resource::{
        grants::store::{self as grants, Holder},
        users,
    },
    secret::PlainSecret,
    time::{Duration, spelled},
};
use chrono::{DateTime, Utc};
use sea_orm::{ActiveValue::Set, IntoActiveModel as _};
use serde_json::json;

/// Attribute of an account or a group: the longest life of its app passwords, as a duration.
pub const MAXIMUM_LIFETIME: &str = "goauthentik.io/user/token-maximum-lifetime";
/// Attribute of an account: whether tokens it makes for itself end.
pub const TOKENS_EXPIRE: &str = "goauthentik.io/user/token-expires";

/// A token to be made.
#[derive(Debug, Default)]
pub struct NewToken {
    pub identifier: String,
    pub intent: Option<Intent>,
    pub user: Option<i32>,
    pub description: Option<String>,
    /// Outer `None`: not said; inner `None`: said to be null.
    pub expires: Option<Option<DateTime<Utc>>>,
    pub expiring: Option<bool>,
    pub managed: Option<Option<String>>,
    /// The key, where it is not to be generated.
    pub key: Option<PlainSecret>,
}

/// A change; what is `None` stays as it is.
#[derive(Debug, Default)]
pub struct TokenChange {
    pub identifier: Option<String>,
    pub intent: Option<Intent>,
    pub user: Option<i32>,
    pub description: Option<String>,
    pub expires: Option<Option<DateTime<Utc>>>,
    pub expiring: Option<bool>,
    pub managed: Option<Option<String>>,
}

/// # Errors
/// [`Error::InvalidPage`]; otherwise when the database is away.
pub async fn list(ctx: &Ctx, request: &ListRequest, filter: TokenFilter) -> Result<Page<TokenView>> {
    store::list(ctx.app.db.read(), &ctx.principal, request, filter).await
}

/// # Errors
/// [`Error::NotFound`], for other people's tokens too.
pub async fn view(ctx: &Ctx, identifier: &str) -> Result<TokenView> {
    store::view(ctx.app.db.read(), &ctx.principal, identifier).await
}

/// Whether the caller may see the token; asked before a body is read.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn require(ctx: &Ctx, identifier: &str) -> Result<()> {
    store::find(ctx.app.db.read(), &ctx.principal, identifier).await.map(drop)
}

/// Makes a token; gives it with its owner. The key is not in the answer.
///
/// # Errors
/// [`Error::Invalid`] for an intent that only the server uses, an unknown account, a life that is too
/// long, a taken identifier, mark or key.
pub async fn create(ctx: &Ctx, new: NewToken) -> Result<TokenView> {
    let mut tx = ctx.begin().await?;
    let identifier = new.identifier.clone();
    insert(ctx, &mut tx, new).await?;
    let made = store::view(tx.conn(), &crate::access::Principal::System, &identifier).await?;
    tx.commit().await?;
    Ok(made)
}

/// As [`create`], inside the caller's transaction; gives the row and the key.
///
/// # Errors
/// As [`create`].
pub async fn insert(ctx: &Ctx, tx: &mut Tx, new: NewToken) -> Result<(Model, PlainSecret)> {
    let default_duration = tx.settings().default_token_duration;
    let privileged = ctx.principal.is_superuser();
    let mut errors = FieldErrors::default();
    let intent = new.intent.unwrap_or(Intent::Api);
    check_intent(intent, &mut errors);
    let caller = ctx.principal.account().map(|a| a.id);
    let wanted = new.user.or(caller);
    let owner = match wanted {
        Some(id) => users::store::by_id(tx.conn(), id).await?,
        None => None,
    };
    let owner = match (owner, caller) {
        (None, _) => {
            errors.add("user", Problem::UnknownKey(wanted.map(|id| id.to_string()).unwrap_or_default()));
            check_taken(tx, None, Some(&new.identifier), new.managed.as_ref(), &mut errors).await?;
            return errors.finish().and(Err(Error::Forbidden));
        }
        // Nobody but a superuser makes tokens for somebody else.
        (Some(owner), Some(caller)) if !privileged && owner.id != caller => {
            users::store::by_id(tx.conn(), caller).await?.ok_or(Error::InvalidCredentials)?
        }
        (Some(owner), _) => owner,
    };
    let expiring = if privileged {
        new.expiring.unwrap_or(true)
    } else {
        owner.attributes.get(TOKENS_EXPIRE).and_then(serde_json::Value::as_bool).unwrap_or(true)
    };
    let usual = default_duration.after(ctx.now);
    let expires = match (intent, new.expires.flatten()) {
        (Intent::AppPassword, Some(wanted)) => {
            check_lifetime(ctx, tx, &owner, wanted, default_duration, &mut errors).await?;
            Some(wanted)
        }
        (Intent::AppPassword, None) if !expiring => None,
        _ => Some(usual),
    };
    check_taken(tx, None, Some(&new.identifier), new.managed.as_ref(), &mut errors).await?;
    errors.finish()?;
    let decided = Decided {
        identifier: new.identifier,
        intent,
        description: new.description.unwrap_or_default(),
        expires,
        expiring,
        managed: new.managed.flatten(),
        key: new.key,
    };
    let (token, key) = write(ctx, tx, &owner, decided).await?;
    if !privileged {
        // Makers may see the key of what they made; others' tokens they are given, they may not.
        let object = token.id.to_string();
        grants::add(tx.conn(), Holder::User(owner.id), code::VIEW_TOKEN_KEY, Some(&object)).await?;
        tx.touch();
    }
    Ok((token, key))
}

/// A token whose every value has been decided.
#[derive(Debug)]
pub struct Decided {
    pub identifier: String,
    pub intent: Intent,
    pub description: String,
    pub expires: Option<DateTime<Utc>>,
    pub expiring: bool,
    pub managed: Option<String>,
    /// Generated when `None`.
    pub key: Option<PlainSecret>,
}

/// Writes a token and its event; gives the row and the key.
///
/// # Errors
/// [`Error::Invalid`] for a taken identifier, mark or key.
pub async fn write(ctx: &Ctx, tx: &Tx, owner: &users::Model, token: Decided) -> Result<(Model, PlainSecret)> {
    let Decided { identifier, intent, description, expires, expiring, managed, key } = token;
    let key = match key {
        Some(key) => key,
        None => ctx.secret(tx.settings().default_token_length),
    };
    keys::check_not_former(ctx, tx, None, &key).await?;
    let id = ctx.uuid();
    let token = store::insert(
        tx.conn(),
        ActiveModel {
            id: Set(id),
            search: Set(Model::searchable(&identifier, intent, &description)),
            identifier: Set(identifier),
            intent: Set(intent),
            user_id: Set(owner.id),
            description: Set(description),
            expires: Set(expires),
            expiring: Set(expiring),
            managed: Set(managed),
            key_digest: Set(ctx.app.keyring.digest(&key)),
            key_sealed: Set(ctx.app.keyring.seal(&*ctx.app.entropy, &key, id.as_bytes())),
            previous_digest: Set(None),
            previous_until: Set(None),
        },
    )
    .await?;
    let fields = json!({
        "identifier": token.identifier, "intent": token.intent.as_str(), "user": token.user_id,
        "description": token.description, "expires": token.expires, "expiring": token.expiring, "managed": token.managed,
    });
    audit::record(tx, ctx, Event::created(&token.subject(), &fields));
    Ok((token, key))
}

fn check_intent(intent: Intent, errors: &mut FieldErrors) {
    if !matches!(intent, Intent::Api | Intent::AppPassword) {
        errors.add("intent", Problem::Rule(format!("Invalid intent {}", intent.as_str())));
    }
}

/// Other tokens than `own` with this identifier or mark. Two that come at the same moment both pass
/// here; then the constraint of the table decides.
async fn check_taken(
    tx: &Tx,
    own: Option<&Model>,
    identifier: Option<&str>,
    managed: Option<&Option<String>>,
    errors: &mut FieldErrors,
) -> Result<()> {
    let managed = managed.and_then(Option::as_deref);
    let others = store::named(tx.conn(), identifier, managed).await?;
    let others = || others.iter().filter(|other| own.is_none_or(|own| own.id != other.id));
    if identifier.is_some() && others().any(|other| Some(&*other.identifier) == identifier) {
        errors.add("identifier", store::IDENTIFIER_TAKEN);
    }
    if managed.is_some() && others().any(|other| other.managed.as_deref() == managed) {
        errors.add("managed", store::MARK_TAKEN);
    }
    Ok(())
}

/// App passwords live at most as long as the account's attribute says; without one that can be read,
/// as long as tokens usually do.
async fn check_lifetime(
    ctx: &Ctx,
    tx: &Tx,
    owner: &users::Model,
    wanted: DateTime<Utc>,
    usual: Duration,
    errors: &mut FieldErrors,
) -> Result<()> {
    let attributes = users::profile::merged_attributes(tx.conn(), owner).await?;
    let own = attributes.get(MAXIMUM_LIFETIME).and_then(|v| v.as_str()).and_then(|text| text.parse::<Duration>().ok());
    let latest = own.unwrap_or(usual).after(ctx.now);
    if wanted > latest {
        let text = format!("Token expires exceeds maximum lifetime ({} UTC).", spelled(latest));
        errors.add("expires", Problem::Rule(text));
    }
    Ok(())
}

/// Changes a token. Edits of API tokens move their end to the usual life from now.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Invalid`] as for [`create`], and for another owner.
pub async fn update(ctx: &Ctx, identifier: &str, change: TokenChange) -> Result<TokenView> {
    let mut tx = ctx.begin().await?;
    let old = store::find_for_update(tx.conn(), &ctx.principal, identifier).await?;
    let mut errors = FieldErrors::default();
    if let Some(intent) = change.intent {
        check_intent(intent, &mut errors);
    }
    if let Some(user) = change.user {
        if users::store::by_id(tx.conn(), user).await?.is_none() {
            errors.add("user", Problem::UnknownKey(user.to_string()));
        } else if user != old.user_id {
            errors.add("user", Problem::Rule("User cannot be changed".into()));
        }
    }
    let intent = change.intent.unwrap_or(old.intent);
    let expiring = change.expiring.unwrap_or(old.expiring);
    let usual = tx.settings().default_token_duration;
    let expires = match (intent, change.expires) {
        (Intent::Api, _) => Some(usual.after(ctx.now)),
        // A token that begins to end must have an end.
        (_, None) => old.expires.or_else(|| expiring.then(|| usual.after(ctx.now))),
        (_, Some(Some(wanted))) => {
            let owner = users::store::by_id(tx.conn(), old.user_id).await?.ok_or(Error::NotFound)?;
            check_lifetime(ctx, &tx, &owner, wanted, usual, &mut errors).await?;
            Some(wanted)
        }
        // A token that ends must have an end.
        (_, Some(None)) => Some(usual.after(ctx.now)).filter(|_| expiring),
    };
    check_taken(&tx, Some(&old), change.identifier.as_deref(), change.managed.as_ref(), &mut errors).await?;
    errors.finish()?;
    // A remembered principal that ends too early is looked up again (`gate::authn`), so only what
    // narrows a key must reach those who remember it.
    let narrowed = intent != old.intent
        || match (old.end(), expires.filter(|_| expiring)) {
            (None, Some(_)) => true,
            (Some(then), Some(now)) => now < then,
            (_, None) => false,
        };
    let identifier = change.identifier.unwrap_or_else(|| old.identifier.clone());
    let description = change.description.unwrap_or_else(|| old.description.clone());
    let mut row = old.into_active_model();
    row.search = Set(Model::searchable(&identifier, intent, &description));
    row.identifier = Set(identifier);
    row.intent = Set(intent);
    row.description = Set(description);
    row.expires = Set(expires);
    row.expiring = Set(expiring);
    if let Some(managed) = change.managed {
        row.managed = Set(managed);
    }
    let token = store::update(tx.conn(), row).await?;
    audit::record(&tx, ctx, Event::updated(&token.subject()));
    let changed = store::view(tx.conn(), &ctx.principal, &token.identifier).await?;
    if narrowed {
        tx.touch();
    }
    tx.commit().await?;
    Ok(changed)
}

/// Removes a token; its key is refused from the next request on.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn delete(ctx: &Ctx, identifier: &str) -> Result<()> {
    let mut tx = ctx.begin().await?;
    let token = store::find_for_update(tx.conn(), &ctx.principal, identifier).await?;
    store::delete(tx.conn(), &token).await?;
    grants::forget_object(tx.conn(), "authentik_core", "token", &token.id.to_string()).await?;
    audit::record(&tx, ctx, Event::deleted(&token.subject()));
    tx.touch();
    tx.commit().await
}

/// What would be affected if the token went: nothing refers to tokens.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Forbidden`] without `view_token` on all tokens (authentik-rbac §7.1).
pub async fn used_by(ctx: &Ctx, identifier: &str) -> Result<()> {
    if !ctx.principal.holds(code::VIEW_TOKEN) {
        return Err(Error::Forbidden);
    }
    require(ctx, identifier).await
}
