//! Who wants a token: a personal access token (RFC 6749 §2.3; contract: sailpoint-pat §7).
//!
//! A client is remembered by the digest of its secret, for the generation it was read in ([`crate::db`]), so that a
//! busy one costs no query; whether it has ended is checked every time. Whatever is wrong, the caller learns the same.

use crate::{
    ctx::Ctx,
    error::{Error, GrantFault, Result},
    resource::{
        groups, pats,
        pats::usage::{self, Why},
    },
    secret::PlainSecret,
};
use chrono::{DateTime, Utc};
use std::sync::Arc;
use uuid::Uuid;

/// A personal access token as its bearer tokens need it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    pub id: Uuid,
    pub scopes: Vec<String>,
    /// Life of its bearer tokens, in seconds.
    pub validity: i32,
    pub expires: Option<DateTime<Utc>>,
    pub managed: bool,
    pub owner: Uuid,
    pub username: String,
    /// Whether nothing is forbidden to the owner.
    pub superuser: bool,
}

impl Client {
    /// Whether a bearer token would have no whole second left.
    fn has_ended(&self, now: DateTime<Utc>) -> bool {
        self.expires.is_some_and(|end| end.timestamp() <= now.timestamp())
    }
}

/// The client with this id and this secret.
///
/// # Errors
/// [`GrantFault::InvalidClient`] for everything that is wrong with them; otherwise when the database is away.
pub async fn authenticate(ctx: &Ctx, id: &str, secret: &PlainSecret, basic: bool) -> Result<Arc<Client>> {
    let refused = || Error::Grant(GrantFault::InvalidClient { basic });
    let id = pats::service::id_of(id).ok_or_else(refused)?;
    let digest = ctx.app.keyring.digest(secret);
    let generation = ctx.app.generation.current();
    let remembered = ctx.app.clients.get(&digest).filter(|(then, client)| *then == generation && client.id == id);
    let client = match remembered {
        Some((_, client)) => client,
        None => {
            let db = ctx.app.db.read();
            let (token, owner) = pats::store::by_id(db, id).await?.ok_or_else(refused)?;
            let failed = |why| {
                usage::note_failure(ctx, id, why);
                refused()
            };
            if token.secret_digest != digest {
                return Err(failed(Why::WrongSecret));
            }
            if !owner.can_authenticate() {
                return Err(failed(Why::InactiveOwner));
            }
            let client = Arc::new(Client {
                id,
                scopes: token.reach(),
                validity: token.validity,
                expires: token.expires,
                managed: token.managed,
                owner: owner.uuid,
                username: owner.username,
                superuser: groups::hierarchy::is_superuser(db, owner.id).await?,
            });
            ctx.app.clients.insert(digest, (generation, Arc::clone(&client)));
            client
        }
    };
    if client.has_ended(ctx.now) {
        usage::note_failure(ctx, id, Why::Ended);
        return Err(refused());
    }
    Ok(client)
}
