//! The chain of events, counted rows, former keys, use of tokens, leases, erasures.

use super::columns::{Columns, cascade, time, uuid};
use sea_orm_migration::{prelude::*, sea_orm::DatabaseBackend};

pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261125_000002_operations"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let c = Columns(manager.get_database_backend());
        chain(manager, c).await?;
        counts(manager, c).await?;
        tokens(manager, c).await?;
        marks(manager, c).await?;
        jobs(manager, c).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn down(&self, _: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Custom("this step cannot be undone: restore a copy instead".into()))
    }
}

fn big(name: &'static str) -> ColumnDef {
    let mut column = ColumnDef::new(name);
    column.big_integer().not_null();
    column
}

fn bytes(name: &'static str) -> ColumnDef {
    let mut column = ColumnDef::new(name);
    column.binary().not_null();
    column
}

async fn chain(manager: &SchemaManager<'_>, c: Columns) -> Result<(), DbErr> {
    // Empty only in events of older versions, until the next start links them.
    let place = ColumnDef::new("sequence").big_integer().take();
    manager.alter_table(Table::alter().table("events").add_column(place).to_owned()).await?;
    let mut search = c.required("search");
    search.default("");
    manager.alter_table(Table::alter().table("events").add_column(search).to_owned()).await?;
    manager
        .create_index(Index::create().name("events_sequence").table("events").col("sequence").unique().to_owned())
        .await?;
    // As listings order them; with the time alone SQLite would sort the whole table for every page.
    manager.drop_index(Index::drop().name("events_created").table("events").to_owned()).await?;
    manager
        .create_index(Index::create().name("events_created").table("events").col("created").col("sequence").to_owned())
        .await?;
    manager
        .create_table(
            Table::create()
                .table("audit_chain")
                .col(big("sequence").primary_key())
                .col(uuid("event_id"))
                .col(ColumnDef::new("digest").binary())
                .col(bytes("hash"))
                .to_owned(),
        )
        .await?;
    manager
        .create_index(
            Index::create().name("audit_chain_event").table("audit_chain").col("event_id").col("sequence").to_owned(),
        )
        .await?;
    manager
        .create_table(
            Table::create()
                .table("audit_head")
                .col(ColumnDef::new("id").integer().not_null().primary_key())
                .col(big("sequence"))
                .col(bytes("hash"))
                .col(big("anchor_sequence"))
                .col(bytes("anchor_hash"))
                .col(ColumnDef::new("broken_at").big_integer())
                .col(bytes("mac"))
                .to_owned(),
        )
        .await
}

/// Tables that grow without bound tell a page's `count` without being counted. Triggers keep it exact
/// whoever writes; the stripes keep PostgreSQL's writers from waiting for one row.
async fn counts(manager: &SchemaManager<'_>, c: Columns) -> Result<(), DbErr> {
    manager
        .create_table(
            Table::create()
                .table("row_counts")
                .col(c.required("name"))
                .col(ColumnDef::new("stripe").integer().not_null())
                .col(big("count"))
                .primary_key(Index::create().col("name").col("stripe"))
                .to_owned(),
        )
        .await?;
    let db = manager.get_connection();
    let stripes = if c.0 == DatabaseBackend::Postgres { 8 } else { 1 };
    if c.0 == DatabaseBackend::Postgres {
        db.execute_unprepared(
            "CREATE FUNCTION count_rows() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
             UPDATE row_counts SET count = count + (CASE TG_OP WHEN 'INSERT' THEN 1 ELSE -1 END) * \
             (SELECT count(*) FROM changed) WHERE name = TG_TABLE_NAME AND stripe = pg_backend_pid() % 8; \
             RETURN NULL; END $$",
        )
        .await?;
    }
    for table in ["tokens", "events"] {
        for stripe in 0..stripes {
            let seen = if stripe == 0 { format!("(SELECT count(*) FROM {table})") } else { "0".to_owned() };
            db.execute_unprepared(&format!("INSERT INTO row_counts VALUES ('{table}', {stripe}, {seen})")).await?;
        }
        for (event, rows, sign) in [("INSERT", "NEW", "+"), ("DELETE", "OLD", "-")] {
            let name = format!("{table}_count_{}", event.to_lowercase());
            db.execute_unprepared(&if c.0 == DatabaseBackend::Postgres {
                format!(
                    "CREATE TRIGGER {name} AFTER {event} ON {table} REFERENCING {rows} TABLE AS changed \
                     FOR EACH STATEMENT EXECUTE FUNCTION count_rows()"
                )
            } else {
                format!(
                    "CREATE TRIGGER {name} AFTER {event} ON {table} BEGIN \
                     UPDATE row_counts SET count = count {sign} 1 WHERE name = '{table}'; END"
                )
            })
            .await?;
        }
    }
    Ok(())
}

async fn tokens(manager: &SchemaManager<'_>, c: Columns) -> Result<(), DbErr> {
    for column in [c.text("previous_digest"), time("previous_until")] {
        manager.alter_table(Table::alter().table("tokens").add_column(column).to_owned()).await?;
    }
    manager
        .create_index(
            Index::create().name("tokens_previous_digest").table("tokens").col("previous_digest").unique().to_owned(),
        )
        .await?;
    // What the sweep looks for, and nothing else: tokens without an end may have dates in the past.
    manager
        .get_connection()
        .execute_unprepared("CREATE INDEX tokens_ending ON tokens (expires) WHERE expiring")
        .await?;
    manager
        .create_table(
            Table::create()
                .table("token_usage")
                .col(uuid("token_id").primary_key())
                .col(big("use_count"))
                .col(time("first_used").not_null())
                .col(time("last_used").not_null())
                .col(c.text("first_address"))
                .col(c.text("last_address"))
                .foreign_key(&mut cascade(("token_usage", "token_id"), "tokens"))
                .to_owned(),
        )
        .await
}

/// How many tokens lie between two marks at least, and half of how many at most.
const BETWEEN: u32 = 5000;

/// Marks along the identifiers, each with the number of tokens up to the next one, so that a page far from
/// the first is found without walking to it. Kept by triggers, as the counts are; on SQLite only, where a
/// mark that many change keeps nobody waiting.
async fn marks(manager: &SchemaManager<'_>, c: Columns) -> Result<(), DbErr> {
    if c.0 == DatabaseBackend::Postgres {
        return Ok(());
    }
    let change = |row: &str, sign: char| {
        format!(
            "UPDATE token_marks SET count = count {sign} 1 \
             WHERE start = (SELECT max(start) FROM token_marks WHERE start <= {row}.identifier);"
        )
    };
    let (more, less, limit) = (change("NEW", '+'), change("OLD", '-'), 2 * BETWEEN);
    for statement in [
        "CREATE TABLE token_marks (start text NOT NULL PRIMARY KEY, count bigint NOT NULL) WITHOUT ROWID".to_owned(),
        format!(
            "INSERT INTO token_marks \
             SELECT CASE place WHEN 0 THEN '' ELSE identifier END, min({BETWEEN}, total - place) FROM \
             (SELECT identifier, row_number() OVER (ORDER BY identifier) - 1 AS place, count(*) OVER () AS total \
             FROM tokens) WHERE place % {BETWEEN} = 0"
        ),
        // The first mark stands before everything and is always there.
        "INSERT OR IGNORE INTO token_marks VALUES ('', 0)".to_owned(),
        format!("CREATE TRIGGER token_marks_insert AFTER INSERT ON tokens BEGIN {more} END"),
        format!("CREATE TRIGGER token_marks_delete AFTER DELETE ON tokens BEGIN {less} END"),
        format!(
            "CREATE TRIGGER token_marks_update AFTER UPDATE OF identifier ON tokens \
             WHEN OLD.identifier <> NEW.identifier BEGIN {less} {more} END"
        ),
        format!(
            "CREATE TRIGGER token_marks_split AFTER UPDATE ON token_marks WHEN NEW.count >= {limit} BEGIN \
             INSERT INTO token_marks SELECT identifier, NEW.count - {BETWEEN} FROM tokens \
             WHERE identifier >= NEW.start ORDER BY identifier LIMIT 1 OFFSET {BETWEEN}; \
             UPDATE token_marks SET count = {BETWEEN} WHERE start = NEW.start; END"
        ),
        "CREATE TRIGGER token_marks_empty AFTER UPDATE ON token_marks WHEN NEW.count = 0 AND NEW.start <> '' \
         BEGIN DELETE FROM token_marks WHERE start = NEW.start; END"
            .to_owned(),
    ] {
        manager.get_connection().execute_unprepared(&statement).await?;
    }
    Ok(())
}

async fn jobs(manager: &SchemaManager<'_>, c: Columns) -> Result<(), DbErr> {
    manager
        .create_table(
            Table::create()
                .table("leases")
                .col(c.required("name").primary_key())
                .col(c.required("holder"))
                .col(time("until").not_null())
                .to_owned(),
        )
        .await?;
    manager
        .create_table(
            Table::create()
                .table("erasures")
                .col(ColumnDef::new("user_id").integer().not_null().primary_key())
                .to_owned(),
        )
        .await
}
