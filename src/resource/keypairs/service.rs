//! Rules for key pairs: there is always one that signs, and a retired one stays as long as something that it signed
//! can count.

use super::{
    entity::{ActiveModel, Model},
    store,
};
use crate::{
    audit::{self, Event},
    ctx::Ctx,
    db::Tx,
    error::{Error, Result},
    secret::{
        Keyring,
        jwt::{ALGORITHM, KeyRing, SigningKey},
    },
};
use chrono::TimeDelta;
use sea_orm::{ActiveValue::Set, ConnectionTrait};
use serde_json::json;

/// Longest life of what a key signs, with room for clocks that differ.
const LONGEST_LIFE: TimeDelta = TimeDelta::hours(13);

/// The keys as they are in the database, ready for use.
///
/// # Errors
/// When the database is away, or a key was sealed under another master key.
pub async fn ring(db: &impl ConnectionTrait, keyring: &Keyring) -> Result<KeyRing> {
    let open = |pair: Model| {
        let text = keyring.open(&pair.key_sealed, pair.id.as_bytes()).map_err(Error::internal)?;
        Ok((pair.created, SigningKey::read(&text).map_err(Error::internal)?))
    };
    Ok(KeyRing::new(store::all(db).await?.into_iter().map(open).collect::<Result<_>>()?))
}

/// Makes the first key, where there is none.
///
/// # Errors
/// When the database is away.
pub async fn install(ctx: &Ctx, tx: &mut Tx) -> Result<()> {
    // Looked at first: this happens at every start, and nobody shall wait for it.
    if has_one(tx).await? {
        return Ok(());
    }
    tx.exclusive().await?;
    if has_one(tx).await? { Ok(()) } else { add(ctx, tx).await.map(drop) }
}

async fn has_one(tx: &Tx) -> Result<bool> {
    Ok(store::all(tx.conn()).await?.iter().any(|pair| pair.retired.is_none()))
}

/// What becomes of what the keys before signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Former {
    /// It counts until it ends.
    Kept,
    /// It counts no more: somebody may have had a key.
    Dropped,
}

/// Signs with a new key from now on; as soon as every process knows it, where the former one is kept. Gives the new
/// one's `kid`.
///
/// # Errors
/// When the database is away.
pub async fn rotate(ctx: &Ctx, former: Former) -> Result<String> {
    let mut tx = ctx.begin().await?;
    tx.exclusive().await?;
    for pair in store::all(tx.conn()).await? {
        if former == Former::Dropped {
            audit::record(&tx, ctx, Event::deleted(&pair.subject()));
        } else if pair.retired.is_none() {
            audit::record(&tx, ctx, Event::updated(&pair.subject()).saying("It signs no more."));
        }
    }
    match former {
        Former::Kept => store::retire(tx.conn(), ctx.now).await?,
        Former::Dropped => store::delete_all(tx.conn()).await?,
    }
    let kid = add(ctx, &mut tx).await?;
    tx.commit().await?;
    Ok(kid)
}

/// Forgets the keys of which nothing counts any more; gives how many.
///
/// # Errors
/// When the database is away.
pub async fn sweep(ctx: &Ctx) -> Result<u64> {
    let over = |pair: &Model| pair.retired.is_some_and(|since| since < ctx.now - LONGEST_LIFE);
    let gone: Vec<Model> = store::all(ctx.app.db.read()).await?.into_iter().filter(over).collect();
    if gone.is_empty() {
        return Ok(0);
    }
    let mut tx = ctx.begin().await?;
    for pair in &gone {
        if store::delete(tx.conn(), pair.id).await? {
            audit::record(&tx, ctx, Event::deleted(&pair.subject()));
        }
    }
    tx.touch();
    tx.commit().await?;
    Ok(u64::try_from(gone.len()).unwrap_or(u64::MAX))
}

async fn add(ctx: &Ctx, tx: &mut Tx) -> Result<String> {
    let text = SigningKey::generate().map_err(Error::internal)?;
    let kid = SigningKey::read(&text).map_err(Error::internal)?.kid().to_owned();
    let id = ctx.uuid();
    let pair = store::insert(
        tx.conn(),
        ActiveModel {
            id: Set(id),
            name: Set(format!("Bearer tokens since {}", ctx.now.format("%Y-%m-%d"))),
            algorithm: Set(ALGORITHM.to_owned()),
            kid: Set(kid),
            key_sealed: Set(ctx.app.keyring.seal(&*ctx.app.entropy, &text, id.as_bytes())),
            created: Set(ctx.now),
            retired: Set(None),
        },
    )
    .await?;
    let fields = json!({"name": pair.name, "algorithm": pair.algorithm, "kid": pair.kid});
    audit::record(tx, ctx, Event::created(&pair.subject(), &fields));
    tx.touch();
    Ok(pair.kid)
}
