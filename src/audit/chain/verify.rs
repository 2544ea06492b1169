//! Walking the chain: `tessera audit verify`.

use super::{START, digest, events, head, link};
use crate::{
    db::MANY,
    error::{Error, Result},
    list,
    secret::{Keyring, keyring::hex},
};
use sea_orm::{
    AccessMode, ColumnTrait as _, DatabaseBackend, DatabaseConnection, DatabaseTransaction, EntityTrait as _,
    IsolationLevel, PaginatorTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _, TransactionOptions,
    TransactionTrait as _,
    sea_query::{Expr, ExprTrait as _, Query},
};
use std::collections::{BTreeMap, HashMap};
use uuid::Uuid;

/// One thing that is not as the server wrote it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Finding {
    #[error("the chain has no head")]
    HeadMissing,
    #[error("the head was changed from outside")]
    HeadChanged,
    #[error("the server found something changed from outside when link {0} was the last; its log says what")]
    HeadWasChanged(i64),
    #[error("links {0} to {1} are missing")]
    LinksMissing(i64, i64),
    #[error("link {0} was changed")]
    LinkChanged(i64),
    #[error("event {0} was changed (link {1})")]
    EventChanged(Uuid, i64),
    #[error("event {0} is missing, or was put back to an older state (link {1})")]
    EventMissing(Uuid, i64),
    #[error("event {0} was removed and is there again (link {1})")]
    EventRevived(Uuid, i64),
    #[error("event {0} was not written by the server")]
    EventForeign(Uuid),
    #[error("the number of events that lists show was changed")]
    CountChanged,
}

/// What a walk along the chain found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Events in the table.
    pub events: u64,
    /// The last link, and its hash.
    pub head: (i64, Vec<u8>),
    /// The first [`MOST_FINDINGS`] of them.
    pub findings: Vec<Finding>,
}

/// Most findings in a report; a database that is all wrong says nothing more by saying it a million times.
pub const MOST_FINDINGS: usize = 100;

/// Compares every event with the chain, in one snapshot; writes nothing.
///
/// # Errors
/// When the database is away.
pub async fn verify(db: &DatabaseConnection, keyring: &Keyring) -> Result<Report> {
    let mut options = TransactionOptions::default();
    // A transaction that reads is a snapshot on SQLite as it is.
    if db.get_database_backend() == DatabaseBackend::Postgres {
        options.isolation_level = Some(IsolationLevel::RepeatableRead);
        options.access_mode = Some(AccessMode::ReadOnly);
    }
    let snapshot = db.begin_with_options(options).await?;
    let mut walk = Walk::default();
    let head = head::Entity::find_by_id(1).one(&snapshot).await?;
    match &head {
        None => walk.findings.push(Finding::HeadMissing),
        Some(head) if head.mac != digest::head(keyring, head) => walk.findings.push(Finding::HeadChanged),
        Some(head) => walk.findings.extend(head.broken_at.map(Finding::HeadWasChanged)),
    }
    (walk.last, walk.hash) = match &head {
        Some(head) => (head.anchor_sequence, head.anchor_hash.clone()),
        None => (0, START.to_vec()),
    };
    while walk.findings.len() < MOST_FINDINGS && walk.portion(&snapshot, keyring).await? {}
    let walked = walk.findings.len() < MOST_FINDINGS;
    if let Some(head) = head.as_ref().filter(|_| walked) {
        if walk.last < head.sequence {
            walk.findings.push(Finding::LinksMissing(walk.last + 1, head.sequence));
        } else if walk.hash != head.hash || walk.last > head.sequence {
            walk.findings.push(Finding::HeadChanged);
        }
    }
    let missing = std::mem::take(&mut walk.missing);
    walk.findings.extend(missing.into_iter().map(|(event, link)| Finding::EventMissing(event, link)));
    walk.foreign(&snapshot).await?;
    let events = events::Entity::find().count(&snapshot).await?;
    if list::row_count(&snapshot, "events").await? != events {
        walk.findings.push(Finding::CountChanged);
    }
    snapshot.rollback().await?;
    walk.findings.dedup();
    walk.findings.truncate(MOST_FINDINGS);
    Ok(Report { events, head: (walk.last, walk.hash), findings: walk.findings })
}

/// Whether the chain leads through a head that was printed earlier, `number:hash` in hexadecimal; `None`
/// when that part has been dropped.
///
/// # Errors
/// When the database is away, or the text is no head.
pub async fn passes(db: &DatabaseConnection, earlier: &str) -> Result<Option<bool>> {
    let read = |(number, hash): (&str, &str)| Some((number.parse::<i64>().ok()?, hash.to_lowercase()));
    let Some((number, hash)) = earlier.split_once(':').and_then(read) else {
        return Err(Error::Refused("an earlier head looks like 123:0af1…".into()));
    };
    if let Some(link) = link::Entity::find_by_id(number).one(db).await? {
        return Ok(Some(hex(&link.hash) == hash));
    }
    let head = head::Entity::find_by_id(1).one(db).await?;
    Ok(match head {
        Some(head) if head.anchor_sequence == number => Some(hex(&head.anchor_hash) == hash),
        Some(head) if number < head.anchor_sequence => None,
        _ => Some(false),
    })
}

#[derive(Default)]
struct Walk {
    /// The link looked at last, and its hash.
    last: i64,
    hash: Vec<u8>,
    /// Events whose last link so far says that they should be there.
    missing: HashMap<Uuid, i64>,
    findings: Vec<Finding>,
}

impl Walk {
    /// Looks at the next links; tells whether there were any.
    async fn portion(&mut self, db: &DatabaseTransaction, keyring: &Keyring) -> Result<bool> {
        let links = link::Entity::find()
            .filter(link::Column::Sequence.gt(self.last))
            .order_by_asc(link::Column::Sequence)
            .limit(MANY as u64)
            .all(db)
            .await?;
        let (Some(first), Some(last)) = (links.first(), links.last()) else { return Ok(false) };
        let present: BTreeMap<i64, events::Model> = events::Entity::find()
            .filter(events::Column::Sequence.between(first.sequence, last.sequence))
            .all(db)
            .await?
            .into_iter()
            .filter_map(|event| Some((event.sequence?, event)))
            .collect();
        let removed = links.iter().filter(|l| l.digest.is_none()).map(|l| l.event_id);
        let revived: Vec<Uuid> = events::Entity::find()
            .select_only()
            .column(events::Column::Id)
            .filter(events::Column::Id.is_in(removed))
            .into_tuple()
            .all(db)
            .await?;
        for link in links {
            if link.sequence > self.last + 1 {
                self.findings.push(Finding::LinksMissing(self.last + 1, link.sequence - 1));
                self.hash.clear();
            }
            let hash = digest::link(keyring, &self.hash, link.sequence, link.event_id, link.digest.as_deref());
            // After a gap the hash before is unknown; the gap has been reported.
            if hash != link.hash && !self.hash.is_empty() {
                self.findings.push(Finding::LinkChanged(link.sequence));
            }
            self.follow(&link, present.get(&link.sequence), revived.contains(&link.event_id));
            (self.last, self.hash) = (link.sequence, link.hash);
        }
        Ok(true)
    }

    fn follow(&mut self, link: &link::Model, event: Option<&events::Model>, revived: bool) {
        self.missing.remove(&link.event_id);
        match (&link.digest, event) {
            (Some(digest), Some(event)) if event.id == link.event_id => {
                if *digest != digest::event(event) {
                    self.findings.push(Finding::EventChanged(event.id, link.sequence));
                }
            }
            (Some(_), _) => {
                self.missing.insert(link.event_id, link.sequence);
            }
            (None, _) if revived => self.findings.push(Finding::EventRevived(link.event_id, link.sequence)),
            (None, _) => {}
        }
    }

    /// Events that no link speaks of.
    async fn foreign(&mut self, db: &DatabaseTransaction) -> Result<()> {
        let linked = Query::select()
            .expr(Expr::val(1))
            .from(link::Entity)
            .and_where(
                Expr::col((link::Entity, link::Column::Sequence)).equals((events::Entity, events::Column::Sequence)),
            )
            .and_where(Expr::col((link::Entity, link::Column::EventId)).equals((events::Entity, events::Column::Id)))
            .to_owned();
        let foreign: Vec<Uuid> = events::Entity::find()
            .select_only()
            .column(events::Column::Id)
            .filter(Expr::exists(linked).not())
            .limit(MOST_FINDINGS as u64)
            .into_tuple()
            .all(db)
            .await?;
        self.findings.extend(foreign.into_iter().map(Finding::EventForeign));
        Ok(())
    }
}
