//! The schema, as the steps that make it. Steps are never edited once released; entities follow them
//! (a test compares).

mod columns;
mod m20261125_000001_identity;
mod m20261125_000002_operations;
mod m20261128_000003_policies;
mod m20261128_000004_flows;
mod m20261128_000005_access_tokens;

use crate::error::{Error, Result};
use sea_orm::{ConnectionTrait, DatabaseConnection};
use sea_orm_migration::{MigrationTrait, MigratorTrait};
use std::collections::BTreeSet;

struct Migrator;

#[sea_orm_migration::async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261125_000001_identity::Migration),
            Box::new(m20261125_000002_operations::Migration),
            Box::new(m20261128_000003_policies::Migration),
            Box::new(m20261128_000004_flows::Migration),
            Box::new(m20261128_000005_access_tokens::Migration),
        ]
    }
}

/// Names of the steps this program knows.
fn known() -> BTreeSet<String> {
    Migrator::migrations().iter().map(|m| m.name().to_owned()).collect()
}

/// How a database relates to this program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    Current,
    /// This many steps are missing.
    Behind(usize),
    /// It has steps that this program does not know.
    Newer,
}

/// Compares without changing anything.
///
/// # Errors
/// When the database is away.
pub async fn state(db: &DatabaseConnection) -> Result<State> {
    let known = known();
    if !table_exists(db, "seaql_migrations").await? {
        return Ok(State::Behind(known.len()));
    }
    let rows = db
        .query_all_raw(sea_orm::Statement::from_string(
            db.get_database_backend(),
            "SELECT version FROM seaql_migrations",
        ))
        .await?;
    let applied: BTreeSet<String> =
        rows.iter().map(|row| row.try_get("", "version")).collect::<std::result::Result<_, _>>()?;
    Ok(if !applied.is_subset(&known) {
        State::Newer
    } else if applied == known {
        State::Current
    } else {
        State::Behind(known.len() - applied.len())
    })
}

/// Whether the database has been through a first start far enough to know its master key.
///
/// # Errors
/// When the database is away.
pub async fn has_installation(db: &DatabaseConnection) -> Result<bool> {
    table_exists(db, "installation").await
}

async fn table_exists(db: &DatabaseConnection, table: &str) -> Result<bool> {
    let manager = sea_orm_migration::SchemaManager::new(db);
    Ok(manager.has_table(table).await?)
}

/// Applies the steps that are missing, all or none of each.
///
/// # Errors
/// When the database comes from a newer version, or is away.
pub async fn migrate(db: &DatabaseConnection) -> Result<()> {
    match state(db).await? {
        State::Current => Ok(()),
        State::Behind(_) => Ok(Migrator::up(db, None).await?),
        State::Newer => Err(Error::Refused(
            "the database was written by a newer version of Tessera; start that version, or restore an older copy"
                .into(),
        )),
    }
}
