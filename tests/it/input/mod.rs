//! Bad input, of every kind, at every door: the contract's status and body, never a 500, nothing
//! written (contract: authentik-core §1.1–1.3).

mod bodies;
mod credentials;
mod requests;

use crate::harness::{Server, Test};
use serde_json::Value;

pub fn all() -> Vec<Test> {
    [bodies::all(), credentials::all(), requests::all()].concat()
}

/// Everything that a caller could have changed.
async fn everything(server: &Server) -> Vec<Value> {
    let admin = server.admin();
    let mut all = Vec::new();
    for path in ["/core/tokens/", "/core/users/", "/core/groups/"] {
        all.push(admin.get(path).await.expect(200));
    }
    all.push(server.mark().await.len().into());
    all
}
