//! Nobody obtains by editing groups or accounts more than they hold (authentik-rbac §8, 1 and 2).
//!
//! Instead of guessing what an edit may lead to, a [`Watch`] looks before and after it, in the same
//! transaction: an edit by somebody who is no superuser may not make anybody one, nor end anybody's being
//! one (a superuser for a moment no more could be given another password meanwhile), and may not bring
//! a role to anybody whose permissions the editor lacks. A refused edit is rolled back.

use super::hierarchy;
use crate::{
    ctx::Ctx,
    db::Tx,
    error::{Error, Result},
    resource::grants::store as grants,
};
use std::collections::HashSet;
use uuid::Uuid;

/// The state before an edit; `None` for those who may do anything.
#[must_use]
pub struct Watch(Option<Before>);

struct Before {
    superusers: HashSet<i32>,
    roles: HashSet<(i32, Uuid)>,
}

impl Watch {
    /// Looks before the edit; `affected` are the accounts there are whose roles it may change.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn before(ctx: &Ctx, tx: &Tx, affected: &[i32]) -> Result<Self> {
        if ctx.principal.is_superuser() {
            return Ok(Self(None));
        }
        // One such edit at a time: two harmless halves at once could make a whole.
        tx.exclusive().await?;
        let superusers = hierarchy::superusers(tx.conn()).await?;
        let roles = hierarchy::roles_reaching(tx.conn(), affected).await?;
        Ok(Self(Some(Before { superusers, roles })))
    }

    /// Compares; `affected` as before, and accounts that the edit made.
    ///
    /// # Errors
    /// [`Error::Forbidden`]: do not commit.
    pub async fn after(self, ctx: &Ctx, tx: &Tx, affected: &[i32]) -> Result<()> {
        let Some(before) = self.0 else { return Ok(()) };
        if hierarchy::superusers(tx.conn()).await? != before.superusers {
            return Err(Error::Forbidden);
        }
        let roles = hierarchy::roles_reaching(tx.conn(), affected).await?;
        let fresh: Vec<Uuid> = roles.difference(&before.roles).map(|(_, role)| *role).collect();
        if ctx.principal.covers(&grants::of_roles(tx.conn(), &fresh).await?) { Ok(()) } else { Err(Error::Forbidden) }
    }
}
