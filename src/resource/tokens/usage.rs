//! When tokens are used, how often and from where: noted in memory by the gate, written in portions
//! (`jobs::usage`), so that no request waits for it.

use super::{entity, store};
use crate::{
    access::Principal,
    app::App,
    ctx::Ctx,
    db::{MANY, Tx},
    error::Result,
};
use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait as _, EntityTrait as _, IntoActiveModel as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
    sea_query::{Expr, LockType, OnConflict},
};
use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};
use uuid::Uuid;

pub mod row {
    //! The table of use.
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "token_usage")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub token_id: Uuid,
        pub use_count: i64,
        pub first_used: DateTimeUtc,
        pub last_used: DateTimeUtc,
        pub first_address: Option<String>,
        pub last_address: Option<String>,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// The use of a token, of which some may not be written yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Use {
    pub count: i64,
    pub first: (DateTime<Utc>, Option<IpAddr>),
    pub last: (DateTime<Utc>, Option<IpAddr>),
}

impl Use {
    fn once(when: DateTime<Utc>, from: Option<IpAddr>) -> Self {
        Self { count: 1, first: (when, from), last: (when, from) }
    }

    /// Adds what came later.
    fn add(&mut self, later: &Self) {
        self.count += later.count;
        self.last = later.last;
    }
}

/// Use that is not written yet, by token.
#[derive(Debug, Default)]
pub struct Noted(Mutex<HashMap<Uuid, Use>>);

impl Noted {
    /// Notes that a key of the token has authenticated a request.
    pub fn note(&self, token: Uuid, when: DateTime<Utc>, from: Option<IpAddr>) {
        self.put(token, Use::once(when, from));
    }

    fn put(&self, token: Uuid, later: Use) {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        noted.entry(token).and_modify(|earlier| earlier.add(&later)).or_insert(later);
    }

    fn get(&self, token: Uuid) -> Option<Use> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&token).cloned()
    }

    fn take(&self) -> HashMap<Uuid, Use> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts back what could not be written; what was noted meanwhile came later.
    fn restore(&self, unwritten: HashMap<Uuid, Use>) {
        let meanwhile = self.take();
        for (token, earlier) in unwritten.into_iter().chain(meanwhile) {
            self.put(token, earlier);
        }
    }
}

/// Writes what has been noted; what cannot be written is kept for the next time.
///
/// # Errors
/// When the database is away.
pub async fn write(app: &Arc<App>) -> Result<()> {
    let mut noted: Vec<(Uuid, Use)> = app.usage.take().into_iter().collect();
    // In one order, so that two processes wait for each other instead of both for ever.
    noted.sort_unstable_by_key(|(token, _)| *token);
    let mut portions = noted.chunks(MANY / 4);
    while let Some(portion) = portions.next() {
        if let Err(error) = write_portion(app, portion).await {
            let unwritten = portion.iter().chain(portions.flatten()).cloned();
            app.usage.restore(unwritten.collect());
            return Err(error);
        }
    }
    Ok(())
}

async fn write_portion(app: &Arc<App>, portion: &[(Uuid, Use)]) -> Result<()> {
    let tx = Tx::begin(Arc::clone(app)).await?;
    // Tokens may have gone meanwhile; those that are there stay until this is written.
    let there: Vec<Uuid> = entity::Entity::find()
        .select_only()
        .column(entity::Column::Id)
        .filter(entity::Column::Id.is_in(portion.iter().map(|(token, _)| *token)))
        .order_by_asc(entity::Column::Id)
        .lock(LockType::KeyShare)
        .into_tuple()
        .all(tx.conn())
        .await?;
    let known = portion.iter().filter(|(token, _)| there.contains(token));
    let rows: Vec<_> = known.map(|(token, used)| to_row(*token, used).into_active_model()).collect();
    if rows.is_empty() {
        return Ok(());
    }
    row::Entity::insert_many(rows).on_conflict(again()).exec_without_returning(tx.conn()).await?;
    tx.commit().await
}

/// What becomes of a row that is there. Several processes write, each what it saw: neither the first nor
/// the last use may go the wrong way.
fn again() -> OnConflict {
    let chosen = |column: &str, by: &str, sign: &str| {
        Expr::cust(format!(
            "CASE WHEN excluded.{by} {sign} token_usage.{by} THEN excluded.{column} ELSE token_usage.{column} END"
        ))
    };
    OnConflict::column(row::Column::TokenId)
        .value(row::Column::UseCount, Expr::cust("token_usage.use_count + excluded.use_count"))
        .value(row::Column::FirstAddress, chosen("first_address", "first_used", "<"))
        .value(row::Column::FirstUsed, chosen("first_used", "first_used", "<"))
        .value(row::Column::LastAddress, chosen("last_address", "last_used", ">"))
        .value(row::Column::LastUsed, chosen("last_used", "last_used", ">"))
        .to_owned()
}

fn to_row(token_id: Uuid, used: &Use) -> row::Model {
    let text = |address: Option<IpAddr>| address.map(|ip| ip.to_string());
    row::Model {
        token_id,
        use_count: used.count,
        first_used: used.first.0,
        last_used: used.last.0,
        first_address: text(used.first.1),
        last_address: text(used.last.1),
    }
}

/// How a token has been used, with what is not written yet; `None` when it never was.
///
/// # Errors
/// [`Error::NotFound`](crate::error::Error::NotFound) for a token out of the caller's sight.
pub async fn view(ctx: &Ctx, identifier: &str) -> Result<Option<row::Model>> {
    let db = ctx.app.db.read();
    let token = store::find(db, &ctx.principal, identifier).await?;
    // In this order: what is written in between is then missing rather than counted twice.
    let written = row::Entity::find_by_id(token.id).one(db).await?;
    let noted = ctx.app.usage.get(token.id).map(|used| to_row(token.id, &used));
    Ok(match (written, noted) {
        (Some(written), Some(noted)) => Some(row::Model {
            use_count: written.use_count + noted.use_count,
            last_used: noted.last_used,
            last_address: noted.last_address,
            ..written
        }),
        (written, noted) => written.or(noted),
    })
}

/// When these tokens were last used, as far as they were, with what is not written yet.
///
/// # Errors
/// When the database is away.
pub async fn last_used(ctx: &Ctx, tokens: impl Iterator<Item = Uuid>) -> Result<HashMap<Uuid, DateTime<Utc>>> {
    let ids: Vec<Uuid> = tokens.collect();
    let mut used = HashMap::new();
    for some in ids.chunks(MANY) {
        let written = row::Entity::find().filter(row::Column::TokenId.is_in(some.iter().copied()));
        used.extend(written.all(ctx.app.db.read()).await?.into_iter().map(|row| (row.token_id, row.last_used)));
    }
    used.extend(ids.into_iter().filter_map(|id| Some((id, ctx.app.usage.get(id)?.last.0))));
    Ok(used)
}

/// Notes the use of the token that a caller has shown, if it was one.
pub fn note(app: &App, principal: &Principal, from: Option<IpAddr>) {
    if let Some(token) = principal.account().and_then(|account| account.token) {
        app.usage.note(token, app.clock.now(), from);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;

    #[test]
    fn what_could_not_be_written_comes_before_what_was_noted_meanwhile() {
        let (noted, token) = (Noted::default(), Uuid::from_u128(1));
        let at = |seconds| DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds);
        let from = |last| Some(IpAddr::from([10, 0, 0, last]));
        noted.note(token, at(1), from(1));
        noted.note(token, at(2), from(2));
        let unwritten = noted.take();
        noted.note(token, at(3), from(3));
        noted.restore(unwritten);
        let expected = Use { count: 3, first: (at(1), from(1)), last: (at(3), from(3)) };
        assert_eq!(noted.get(token), Some(expected));
    }
}
