//! The chain over events: a changed, removed, inserted or revived row is found by [`verify`].
//!
//! Each change of the table of events (one recorded, one revised or removed by whoever holds that
//! permission, one pruned at its end) adds a link: the digest of the event as it now is, and a keyed
//! hash over that and the link before. Without the master key nobody can make a link; the head, itself
//! authenticated, says which link is the last, so that a cut-off tail is noticed too. Links are written
//! by [`Tx::commit`](crate::db::Tx::commit), in the transaction that causes them and as its last
//! statements: on PostgreSQL the head is locked for that moment only.
//!
//! When the oldest events have gone, [`compact`] drops the links nobody needs: the *anchor* in the head
//! is the last link dropped. A link whose event is gone without a link that says so stays. What no chain inside a database can show is that the whole database was
//! put back to an older copy; for that, keep the head that `tessera audit verify` prints.

mod digest;
mod entity;
mod settled;
pub mod verify;

pub use entity::{head, link};

use super::{Model, entity as events};
use crate::{db::MANY, error::Result, secret::Keyring};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, DatabaseTransaction, EntityTrait as _, IntoActiveModel, QueryFilter as _,
    QueryOrder as _, QuerySelect as _,
    sea_query::{Expr, ExprTrait as _, LockType},
};
use uuid::Uuid;

/// What stands for "the link before" of the first one.
const START: [u8; 32] = [0; 32];

/// One change of the table of events.
#[derive(Debug, Clone)]
pub enum Change {
    Recorded(Model),
    /// The event as it is to be from now on.
    Revised(Model),
    Removed(Vec<Uuid>),
}

/// Starts the chain of a database that has none; events from before it become its first links.
///
/// # Errors
/// When the database is away.
pub async fn begin(tx: &DatabaseTransaction, keyring: &Keyring) -> Result<()> {
    crate::db::exclusive(tx).await?;
    if head::Entity::find_by_id(1).one(tx).await?.is_some() {
        return Ok(());
    }
    make_head(tx, keyring).await?;
    let older = events::Entity::find()
        .filter(events::Column::Sequence.is_null())
        .order_by_asc(events::Column::Created)
        .order_by_asc(events::Column::Id)
        .all(tx)
        .await?;
    append(tx, keyring, older.into_iter().map(Change::Revised).collect()).await
}

/// Makes the head that is missing.
async fn make_head(tx: &DatabaseTransaction, keyring: &Keyring) -> Result<head::Model> {
    let last = link::Entity::find().order_by_desc(link::Column::Sequence).one(tx).await?;
    let sequence = last_number(tx).await?;
    let mut head = head::Model {
        id: 1,
        sequence,
        hash: last.map_or(START.to_vec(), |l| l.hash),
        anchor_sequence: 0,
        anchor_hash: START.to_vec(),
        // Links, or events that had some, without a head: somebody took the head away.
        broken_at: Some(sequence).filter(|n| *n > 0),
        mac: Vec::new(),
    };
    head.mac = digest::head(keyring, &head);
    head::Entity::insert(head.clone().into_active_model().reset_all()).exec_without_returning(tx).await?;
    Ok(head)
}

/// The largest number that a link or an event has, whatever the head says; 0 when none has one.
async fn last_number(tx: &DatabaseTransaction) -> Result<i64> {
    let link = link::Entity::find().order_by_desc(link::Column::Sequence).one(tx).await?;
    let event: Option<Option<i64>> = events::Entity::find()
        .select_only()
        .column_as(Expr::col(events::Column::Sequence).max(), "newest")
        .into_tuple()
        .one(tx)
        .await?;
    Ok(Ord::max(link.map_or(0, |l| l.sequence), event.flatten().unwrap_or(0)))
}

/// Applies changes to the table of events and links them.
///
/// # Errors
/// When the database is away or full; the transaction must not commit then.
pub async fn append(tx: &DatabaseTransaction, keyring: &Keyring, changes: Vec<Change>) -> Result<()> {
    if changes.is_empty() {
        return Ok(());
    }
    let mut head = lock_head(tx, keyring).await?;
    let (mut links, mut rows, mut gone) = (Vec::new(), Vec::new(), Vec::new());
    for change in changes {
        match change {
            Change::Recorded(mut event) => {
                event.sequence = Some(extend(keyring, &mut head, &mut links, event.id, Some(digest::event(&event))));
                rows.push(event.into_active_model());
            }
            Change::Revised(mut event) => {
                event.sequence = Some(extend(keyring, &mut head, &mut links, event.id, Some(digest::event(&event))));
                let row = event.into_active_model().reset_all();
                events::Entity::update(row).exec(tx).await?;
            }
            Change::Removed(ids) => {
                for id in &ids {
                    extend(keyring, &mut head, &mut links, *id, None);
                }
                gone.extend(ids);
            }
        }
    }
    for some in chunks(rows) {
        events::Entity::insert_many(some).exec_without_returning(tx).await?;
    }
    for some in gone.chunks(MANY) {
        let these = events::Column::Id.is_in(some.iter().copied());
        events::Entity::delete_many().filter(these).exec(tx).await?;
    }
    for some in chunks(links) {
        link::Entity::insert_many(some.into_iter().map(IntoActiveModel::into_active_model))
            .exec_without_returning(tx)
            .await?;
    }
    store_head(tx, keyring, head).await
}

/// Rows in portions that one statement can hold.
fn chunks<T>(rows: Vec<T>) -> impl Iterator<Item = Vec<T>> {
    let mut rows = rows.into_iter();
    std::iter::from_fn(move || Some(rows.by_ref().take(MANY / 4).collect::<Vec<T>>()).filter(|some| !some.is_empty()))
}

fn extend(
    keyring: &Keyring,
    head: &mut head::Model,
    links: &mut Vec<link::Model>,
    event_id: Uuid,
    digest: Option<Vec<u8>>,
) -> i64 {
    head.sequence += 1;
    head.hash = digest::link(keyring, &head.hash, head.sequence, event_id, digest.as_deref());
    links.push(link::Model { sequence: head.sequence, event_id, digest, hash: head.hash.clone() });
    head.sequence
}

async fn lock_head(tx: &DatabaseTransaction, keyring: &Keyring) -> Result<head::Model> {
    let Some(mut head) = head::Entity::find_by_id(1).lock(LockType::Update).one(tx).await? else {
        tracing::error!("the head of the audit chain is missing; run `tessera audit verify`");
        return make_head(tx, keyring).await;
    };
    if head.mac != digest::head(keyring, &head) {
        // Going on must neither stop the service nor hide what happened: the mark stays, authenticated.
        tracing::error!("the head of the audit chain was changed from outside; run `tessera audit verify`");
        head.sequence = last_number(tx).await?;
        head.broken_at = Some(head.sequence);
    }
    Ok(head)
}

async fn store_head(tx: &DatabaseTransaction, keyring: &Keyring, mut head: head::Model) -> Result<()> {
    head.mac = digest::head(keyring, &head);
    let row = head.into_active_model().reset_all();
    head::Entity::update(row).exec(tx).await?;
    Ok(())
}

/// Most links that [`compact`] drops in one transaction.
const COMPACTED: i64 = 5_000;

/// Drops links from before the oldest event that is left, as far as they are [`settled`]; tells whether
/// there may be more.
///
/// # Errors
/// When the database is away.
pub async fn compact(tx: &DatabaseTransaction, keyring: &Keyring) -> Result<bool> {
    let mut head = lock_head(tx, keyring).await?;
    let oldest: Option<Option<i64>> = events::Entity::find()
        .select_only()
        .column_as(Expr::col(events::Column::Sequence).min(), "oldest")
        .into_tuple()
        .one(tx)
        .await?;
    let wanted = oldest.flatten().unwrap_or(head.sequence + 1) - 1;
    let most = Ord::min(wanted, head.anchor_sequence + COMPACTED);
    // A broken chain is evidence.
    if most <= head.anchor_sequence || head.broken_at.is_some() {
        return Ok(false);
    }
    let links = link::Entity::find()
        .filter(link::Column::Sequence.gt(head.anchor_sequence))
        .filter(link::Column::Sequence.lte(most))
        .order_by_asc(link::Column::Sequence)
        .all(tx)
        .await?;
    let settled = settled::count(tx, keyring, &head, &links).await?;
    let Some(link) = links.get(..settled).and_then(<[_]>::last) else { return Ok(false) };
    let anchor = link.sequence;
    link::Entity::delete_many().filter(link::Column::Sequence.lte(anchor)).exec(tx).await?;
    (head.anchor_sequence, head.anchor_hash) = (anchor, link.hash.clone());
    store_head(tx, keyring, head).await?;
    Ok(anchor == most && anchor < wanted)
}
