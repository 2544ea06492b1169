//! The database behind the server's back.

use super::Server;
use sea_orm::{ConnectionTrait as _, Statement};

impl Server {
    /// Runs a statement that the server knows nothing of; tells how many rows it touched.
    pub async fn sql(&self, statement: &str) -> u64 {
        let done = self.app.db.write().execute_unprepared(statement).await;
        done.unwrap_or_else(|e| panic!("{statement}: {e}")).rows_affected()
    }

    /// The one number that a query gives.
    pub async fn number(&self, query: &str) -> i64 {
        let db = self.app.db.write();
        // PostgreSQL counts in bigint, and SQLite in whatever fits.
        let statement = Statement::from_string(db.get_database_backend(), query);
        let row = db.query_one_raw(statement).await.unwrap_or_else(|e| panic!("{query}: {e}")).expect("a row");
        row.try_get_by_index(0).unwrap_or_else(|e| panic!("{query}: {e}"))
    }
}
