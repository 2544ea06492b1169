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
//! is the last link dropped. What no chain inside a database can show is that all of its tables were put
//! back to an older copy; for that, keep the head that the log and `tessera audit verify` show.

mod digest;
mod entity;
mod settled;
pub mod verify;

pub use entity::{head, link};

use super::{Model, entity as events};
use crate::{db::MANY, error::Result, secret::Keyring};
use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, Condition, ConnectionTrait, DatabaseTransaction, EntityTrait as _,
    IntoActiveModel, QueryFilter as _, QueryOrder as _, QuerySelect as _, Statement,
    sea_query::{Expr, ExprTrait as _, LockType},
};
use std::collections::{BTreeMap, HashMap};
use uuid::Uuid;

/// What stands for "the link before" of the first one.
const START: [u8; 32] = [0; 32];

/// One change of the table of events.
#[derive(Debug, Clone)]
pub enum Change {
    Recorded(Box<Model>),
    /// The event as it is in the table, and as it is to be from now on.
    Revised(Box<(Model, Model)>),
    /// Events as they are in the table.
    Removed(Vec<Model>),
}

/// Starts the chain of a new database. In one that is in use there should be one already: events without a
/// chain become its first links, and its head is marked, so that [`verify`] asks for a word from somebody
/// who knows why ([`accept`]).
///
/// # Errors
/// When the database is away.
pub async fn begin(tx: &DatabaseTransaction, keyring: &Keyring, in_use: bool) -> Result<()> {
    crate::db::exclusive(tx).await?;
    if head::Entity::find_by_id(1).one(tx).await?.is_some() {
        return Ok(());
    }
    let mut head = rebuilt(tx).await?;
    // Whatever says that nothing is installed yet: where there are events, somebody was here.
    if !in_use && head.sequence == 0 && events::Entity::find().one(tx).await?.is_none() {
        head.broken_at = None;
    }
    head.mac = digest::head(keyring, &head);
    head::Entity::insert(head.clone().into_active_model().reset_all()).exec_without_returning(tx).await?;
    adopt(tx, keyring, head, Condition::all().add(events::Column::Sequence.is_null())).await
}

/// A head for links whose head is gone, with the mark.
async fn rebuilt(tx: &DatabaseTransaction) -> Result<head::Model> {
    let last = link::Entity::find().order_by_desc(link::Column::Sequence).one(tx).await?;
    let sequence = last_number(tx).await?;
    Ok(head::Model {
        id: 1,
        sequence,
        hash: last.map_or(START.to_vec(), |l| l.hash),
        anchor_sequence: 0,
        anchor_hash: START.to_vec(),
        broken_at: Some(sequence),
        mac: Vec::new(),
    })
}

/// Links events as they are in the table.
async fn adopt(tx: &DatabaseTransaction, keyring: &Keyring, mut head: head::Model, which: Condition) -> Result<()> {
    let mut after: Option<(DateTime<Utc>, Uuid)> = None;
    loop {
        let mut select = events::Entity::find()
            .filter(which.clone())
            .order_by_asc(events::Column::Created)
            .order_by_asc(events::Column::Id);
        if let Some((created, id)) = after {
            let same = Condition::all().add(events::Column::Created.eq(created)).add(events::Column::Id.gt(id));
            select = select.filter(Condition::any().add(events::Column::Created.gt(created)).add(same));
        }
        let some = select.limit(MANY as u64 / 4).all(tx).await?;
        let Some(newest) = some.last() else { break };
        after = Some((newest.created, newest.id));
        let mut links = Vec::new();
        for mut event in some {
            event.sequence = Some(extend(keyring, &mut head, &mut links, event.id, Some(digest::event(&event))));
            event.search = event.searchable();
            events::Entity::update(event.into_active_model().reset_all()).exec(tx).await?;
        }
        insert_links(tx, links).await?;
    }
    store_head(tx, keyring, head).await
}

/// Takes the trail as it is now for the truth: the chain begins anew behind the last link, and the mark goes.
/// For operators who have looked at what [`verify`] found; the caller records that they did.
///
/// # Errors
/// When the database is away.
pub async fn accept(tx: &DatabaseTransaction, keyring: &Keyring) -> Result<()> {
    let mut head = lock_head(tx, keyring).await?;
    link::Entity::delete_many().exec(tx).await?;
    (head.anchor_sequence, head.anchor_hash, head.broken_at) = (head.sequence, head.hash.clone(), None);
    adopt(tx, keyring, head, Condition::all()).await
}

/// The largest number that a link or an event has, whatever the head says; 0 when none has one.
async fn last_number(tx: &DatabaseTransaction) -> Result<i64> {
    // One statement: every write asks.
    let sql = "SELECT (SELECT max(sequence) FROM audit_chain) AS link, (SELECT max(sequence) FROM events) AS event";
    let row = tx.query_one_raw(Statement::from_string(tx.get_database_backend(), sql)).await?;
    let (link, event) = match row {
        Some(row) => (row.try_get::<Option<i64>>("", "link")?, row.try_get::<Option<i64>>("", "event")?),
        None => (None, None),
    };
    Ok(Ord::max(link, event).unwrap_or(0))
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
                event.search = event.searchable();
                rows.push(event.into_active_model());
            }
            Change::Revised(pair) => {
                let (was, mut event) = *pair;
                check_intact(tx, keyring, &mut head, std::slice::from_ref(&was)).await?;
                event.sequence = Some(extend(keyring, &mut head, &mut links, event.id, Some(digest::event(&event))));
                event.search = event.searchable();
                let row = event.into_active_model().reset_all();
                events::Entity::update(row).exec(tx).await?;
            }
            Change::Removed(events) => {
                check_intact(tx, keyring, &mut head, &events).await?;
                for event in &events {
                    extend(keyring, &mut head, &mut links, event.id, None);
                }
                gone.extend(events.into_iter().map(|event| event.id));
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
    insert_links(tx, links).await?;
    store_head(tx, keyring, head).await
}

async fn insert_links(tx: &DatabaseTransaction, links: Vec<link::Model>) -> Result<()> {
    for some in chunks(links) {
        let rows = some.into_iter().map(IntoActiveModel::into_active_model);
        link::Entity::insert_many(rows).exec_without_returning(tx).await?;
    }
    Ok(())
}

/// Before the server itself changes or removes events: were they what the chain says? Otherwise its own,
/// genuine link would hide what somebody did to them; so the head is marked.
async fn check_intact(
    tx: &DatabaseTransaction,
    keyring: &Keyring,
    head: &mut head::Model,
    events: &[Model],
) -> Result<()> {
    let ids = events.iter().map(|event| event.id);
    let links = link::Entity::find()
        .filter(link::Column::EventId.is_in(ids))
        .order_by_asc(link::Column::Sequence)
        .all(tx)
        .await?;
    let latest: BTreeMap<Uuid, link::Model> = links.into_iter().map(|link| (link.event_id, link)).collect();
    let numbers: HashMap<Uuid, i64> = latest.values().map(|link| (link.event_id, link.sequence)).collect();
    // Anybody can write a digest into a link, but not the hash that belongs to it.
    let genuine = settled::genuine(tx, keyring, head, &numbers).await?;
    let intact = |event: &&Model| {
        latest.get(&event.id).is_some_and(|link| {
            genuine.contains(&link.sequence)
                && Some(link.sequence) == event.sequence
                && link.digest.as_deref() == Some(&*digest::event(event))
        })
    };
    if let Some(changed) = events.iter().find(|event| !intact(event)) {
        tracing::error!(event = %changed.id, "an event was changed from outside; run `tessera audit verify`");
        head.broken_at.get_or_insert(head.sequence);
    }
    Ok(())
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
    // After a number that somebody else put in, the largest there is; the next write is refused then.
    head.sequence = head.sequence.saturating_add(1);
    head.hash = digest::link(keyring, &head.hash, head.sequence, event_id, digest.as_deref());
    links.push(link::Model { sequence: head.sequence, event_id, digest, hash: head.hash.clone() });
    head.sequence
}

async fn lock_head(tx: &DatabaseTransaction, keyring: &Keyring) -> Result<head::Model> {
    // Going on must neither stop the service nor hide what happened: the mark stays, authenticated.
    let changed = "the head of the audit chain was changed from outside; run `tessera audit verify`";
    let Some(mut head) = head::Entity::find_by_id(1).lock(LockType::Update).one(tx).await? else {
        tracing::error!("{changed}");
        let head = rebuilt(tx).await?;
        head::Entity::insert(head.clone().into_active_model().reset_all()).exec_without_returning(tx).await?;
        return Ok(head);
    };
    // Also an older head that was put back, or a row that was put behind the last one.
    let last = last_number(tx).await?;
    if head.mac != digest::head(keyring, &head) || last > head.sequence {
        tracing::error!("{changed}");
        head.sequence = last;
        head.broken_at = Some(last);
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

/// Drops links from before the oldest event that is left, as far as they are [`settled`]: the link of an
/// event that is gone without the server's word stays, and says so. Tells whether there may be more.
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
    let wanted = oldest.flatten().map_or(head.sequence, |oldest| oldest.saturating_sub(1));
    let most = Ord::min(wanted, head.anchor_sequence + COMPACTED);
    // A broken chain is evidence.
    if most <= head.anchor_sequence || head.broken_at.is_some() {
        // Only a mark that has just been made is news.
        if head.mac != digest::head(keyring, &head) {
            store_head(tx, keyring, head).await?;
        }
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

/// The last link and its hash: kept elsewhere, it shows whether all of the database was put back.
///
/// # Errors
/// When the database is away.
pub async fn last(db: &impl ConnectionTrait) -> Result<Option<(i64, Vec<u8>)>> {
    Ok(head::Entity::find_by_id(1).one(db).await?.map(|head| (head.sequence, head.hash)))
}
