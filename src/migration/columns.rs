//! Columns the way every step makes them.

use sea_orm_migration::{prelude::*, sea_orm::DatabaseBackend};

/// Makes columns for one kind of database.
#[derive(Clone, Copy)]
pub struct Columns(pub DatabaseBackend);

impl Columns {
    /// Text that compares and sorts by code point on both databases.
    pub fn text(self, name: &'static str) -> ColumnDef {
        let mut column = ColumnDef::new(name);
        column.text();
        if self.0 == DatabaseBackend::Postgres {
            column.extra("COLLATE \"C\"");
        }
        column
    }

    pub fn required(self, name: &'static str) -> ColumnDef {
        let mut column = self.text(name);
        column.not_null();
        column
    }
}

pub fn flag(name: &'static str) -> ColumnDef {
    let mut column = ColumnDef::new(name);
    column.boolean().not_null();
    column
}

pub fn time(name: &'static str) -> ColumnDef {
    let mut column = ColumnDef::new(name);
    column.timestamp_with_time_zone();
    column
}

pub fn uuid(name: &'static str) -> ColumnDef {
    let mut column = ColumnDef::new(name);
    column.uuid().not_null();
    column
}

pub fn integer(name: &'static str) -> ColumnDef {
    let mut column = ColumnDef::new(name);
    column.integer().not_null();
    column
}

pub fn json(name: &'static str) -> ColumnDef {
    let mut column = ColumnDef::new(name);
    column.json_binary().not_null();
    column
}

pub fn cascade(from: (&'static str, &'static str), to: &'static str) -> ForeignKeyCreateStatement {
    ForeignKey::create().from(from.0, from.1).to(to, "id").on_delete(ForeignKeyAction::Cascade).to_owned()
}
