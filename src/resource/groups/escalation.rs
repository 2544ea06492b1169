//! Nobody obtains by editing groups or accounts more than they hold (authentik-rbac §8, 1 and 2).
//!
//! Instead of guessing what an edit may lead to, a [`Watch`] looks before and after it, in the same
//! transaction: an edit by somebody who is no superuser may not make anybody one, and may not bring
//! a role to anybody whose permissions the editor lacks. A refused edit is rolled back.

use super::store;
use crate::{
    ctx::Ctx,
    db::Tx,
    error::{Error, Result},
    resource::grants::store as grants,
};
use std::collections::HashSet;
use uuid::Uuid;

/// The state before an edit; empty for those who may do anything.
#[must_use]
pub struct Watch(Option<HashSet<i32>>);

impl Watch {
    /// # Errors
    /// When the database is away.
    pub async fn before(ctx: &Ctx, tx: &Tx) -> Result<Self> {
        if ctx.principal.is_superuser() {
            return Ok(Self(None));
        }
        Ok(Self(Some(store::superusers(tx.conn()).await?)))
    }

    /// Compares; `affected` are the accounts whose roles the edit may have changed.
    ///
    /// # Errors
    /// [`Error::Forbidden`]: do not commit.
    pub async fn after(self, ctx: &Ctx, tx: &Tx, affected: &[i32]) -> Result<()> {
        let Some(before) = self.0 else { return Ok(()) };
        let after = store::superusers(tx.conn()).await?;
        if !after.is_subset(&before) {
            return Err(Error::Forbidden);
        }
        let now = store::roles_reaching(tx.conn(), affected).await?;
        // Outside the transaction the edit has not happened yet.
        let then = store::roles_reaching(ctx.app.db.read(), affected).await?;
        let fresh: Vec<Uuid> = now.difference(&then).map(|(_, role)| *role).collect();
        if ctx.principal.covers(&grants::of_roles(tx.conn(), &fresh).await?) { Ok(()) } else { Err(Error::Forbidden) }
    }
}
