//! Rules for scores (contract: authentik-core §5.7).

use super::{
    entity::{ActiveModel, Model},
    store::{self, ScoreFilter},
};
use crate::{
    audit::{self, Event, Subject},
    ctx::Ctx,
    db::Tx,
    error::{Error, Result},
    list::{ListRequest, Page},
    resource::grants::store as grants,
};
use chrono::TimeDelta;
use sea_orm::{ActiveValue::Set, IntoActiveModel as _};
use uuid::Uuid;

/// How long a score counts after it was begun, in seconds.
const LIFETIME: i64 = 86_400;

/// # Errors
/// [`Error::InvalidPage`]; otherwise when the database is away.
pub async fn list(ctx: &Ctx, request: &ListRequest, filter: ScoreFilter) -> Result<Page<Model>> {
    store::list(ctx.app.db.read(), ctx, request, filter).await
}

/// # Errors
/// [`Error::NotFound`].
pub async fn view(ctx: &Ctx, id: Uuid) -> Result<Model> {
    store::find(ctx.app.db.read(), ctx, id).await
}

/// What a score is called where it is named.
#[must_use]
pub fn name(score: &Model) -> String {
    format!("Reputation {}/{} @ {}", score.identifier, score.ip, score.score)
}

/// Forgets a score.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn delete(ctx: &Ctx, id: Uuid) -> Result<()> {
    let mut tx = ctx.begin().await?;
    let score = store::find(tx.conn(), ctx, id).await?;
    if remove(&mut tx, &[id]).await? == 0 {
        // Somebody else was faster.
        return Err(Error::NotFound);
    }
    let subject = Subject::new("authentik_policies_reputation", "reputation", id.simple(), name(&score));
    audit::record(&tx, ctx, Event::deleted(&subject));
    tx.commit().await
}

/// Removes scores with the permissions on them; gives how many of them were there.
async fn remove(tx: &mut Tx, ids: &[Uuid]) -> Result<u64> {
    let gone = store::delete(tx.conn(), ids).await?;
    let keys: Vec<String> = ids.iter().map(ToString::to_string).collect();
    if grants::forget_objects(tx.conn(), "authentik_policies_reputation", "reputation", &keys).await? {
        tx.touch();
    }
    Ok(gone)
}

/// Removes scores that have ended, so many at a time; gives how many went.
///
/// # Errors
/// When the database is away.
pub async fn sweep(ctx: &Ctx) -> Result<usize> {
    let ended = store::ended(ctx).await?;
    if !ended.is_empty() {
        let mut tx = ctx.begin().await?;
        remove(&mut tx, &ended).await?;
        tx.commit().await?;
    }
    Ok(ended.len())
}

/// Changes the score of a name at an address; what has ended begins anew. Scores are no objects that people edit,
/// so it is no event.
///
/// # Errors
/// When the database is away.
pub async fn add(ctx: &Ctx, tx: &mut Tx, identifier: &str, ip: &str, points: i64) -> Result<()> {
    if let Some(old) = store::of(tx.conn(), identifier, ip).await?.filter(|old| old.expires <= ctx.now) {
        remove(tx, &[old.id]).await?;
    }
    // First a row without points: of two who add the first one at the same moment, both find it.
    let row = ActiveModel {
        id: Set(ctx.uuid()),
        identifier: Set(identifier.to_owned()),
        ip: Set(ip.to_owned()),
        ip_geo_data: Set(None),
        ip_asn_data: Set(None),
        score: Set(0),
        updated: Set(ctx.now),
        expires: Set(ctx.now + TimeDelta::seconds(LIFETIME)),
        search: Set(Model::searchable(identifier, ip, 0)),
    };
    store::make_room(tx.conn(), row).await?;
    let Some(score) = store::of(tx.conn(), identifier, ip).await? else { return Ok(()) };
    let sum = score.score.saturating_add(points);
    let mut row = score.into_active_model();
    row.score = Set(sum);
    row.updated = Set(ctx.now);
    row.search = Set(Model::searchable(identifier, ip, sum));
    store::update(tx.conn(), row).await?;
    Ok(())
}
