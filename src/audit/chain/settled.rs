//! Which links nobody needs any more. Dropping one must not hide what `verify` would find by it: an
//! event taken away from outside, or a link made to look as if the server had removed it.

use super::{digest, events, head, link};
use crate::{db::MANY, error::Result, secret::Keyring};
use sea_orm::{ColumnTrait as _, DatabaseTransaction, EntityTrait as _, QueryFilter as _, QuerySelect as _};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use uuid::Uuid;

/// How many of `links`, which follow the anchor, are as the server wrote them and overtaken by another
/// one of it: their event was removed, or is guarded by a later link.
///
/// # Errors
/// When the database is away.
pub async fn count(
    tx: &DatabaseTransaction,
    keyring: &Keyring,
    head: &head::Model,
    links: &[link::Model],
) -> Result<usize> {
    let intact = intact(keyring, head, links);
    let mut settled = 0;
    for some in links.get(..intact).unwrap_or_default().chunks(MANY) {
        let later = later(tx, head, some).await?;
        let genuine = genuine(tx, keyring, head, &later).await?;
        let open = some.iter().position(|link| {
            let overtaken = later.get(&link.event_id).is_some_and(|n| *n > link.sequence && genuine.contains(n));
            link.digest.is_some() && !overtaken
        });
        settled += open.unwrap_or(some.len());
        if open.is_some() {
            break;
        }
    }
    Ok(settled)
}

/// How many from the beginning follow each other without a gap or a change.
fn intact(keyring: &Keyring, head: &head::Model, links: &[link::Model]) -> usize {
    let (mut last, mut hash) = (head.anchor_sequence, &head.anchor_hash);
    let broken = links.iter().position(|link| {
        let expected = digest::link(keyring, hash, last + 1, link.event_id, link.digest.as_deref());
        let fits = link.sequence == last + 1 && link.hash == expected;
        (last, hash) = (link.sequence, &link.hash);
        !fits
    });
    broken.unwrap_or(links.len())
}

/// The last link of each event: the one that says it was removed, or the one it points to itself.
async fn later(tx: &DatabaseTransaction, head: &head::Model, links: &[link::Model]) -> Result<HashMap<Uuid, i64>> {
    let ids: BTreeSet<Uuid> = links.iter().filter(|l| l.digest.is_some()).map(|l| l.event_id).collect();
    let present: Vec<(Uuid, Option<i64>)> = events::Entity::find()
        .select_only()
        .columns([events::Column::Id, events::Column::Sequence])
        .filter(events::Column::Id.is_in(ids.iter().copied()))
        .into_tuple()
        .all(tx)
        .await?;
    let removed: Vec<(Uuid, i64)> = link::Entity::find()
        .select_only()
        .columns([link::Column::EventId, link::Column::Sequence])
        .filter(link::Column::EventId.is_in(ids))
        .filter(link::Column::Digest.is_null())
        .filter(link::Column::Sequence.between(head.anchor_sequence + 1, head.sequence))
        .into_tuple()
        .all(tx)
        .await?;
    let mut later: HashMap<Uuid, i64> = present.into_iter().filter_map(|(id, n)| Some((id, n?))).collect();
    later.extend(removed);
    Ok(later)
}

/// Those of these links that the server made, and for these events: only it can hash them over the link
/// before.
///
/// # Errors
/// When the database is away.
pub async fn genuine(
    tx: &DatabaseTransaction,
    keyring: &Keyring,
    head: &head::Model,
    wanted: &HashMap<Uuid, i64>,
) -> Result<BTreeSet<i64>> {
    let numbers: BTreeSet<i64> = wanted.values().flat_map(|n| [*n, n.saturating_sub(1)]).collect();
    let links: BTreeMap<i64, link::Model> = link::Entity::find()
        .filter(link::Column::Sequence.is_in(numbers))
        .all(tx)
        .await?
        .into_iter()
        .map(|link| (link.sequence, link))
        .collect();
    let made = |(event, number): (&Uuid, &i64)| {
        let (link, before) = (links.get(number)?, number.saturating_sub(1));
        let before = if before == head.anchor_sequence { &head.anchor_hash } else { &links.get(&before)?.hash };
        let hash = digest::link(keyring, before, *number, *event, link.digest.as_deref());
        (link.event_id == *event && link.hash == hash).then_some(*number)
    };
    Ok(wanted.iter().filter_map(made).collect())
}
