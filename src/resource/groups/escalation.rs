//! Nobody obtains by editing groups or accounts more than they hold (authentik-rbac §8, 1 and 2), and
//! the last superuser stays one.
//!
//! Instead of guessing what an edit may lead to, a [`Watch`] looks before and after it, in the same
//! transaction: an edit by somebody who is no superuser may not make anybody one, nor end anybody's being
//! one (a superuser for a moment no more could be given another password meanwhile), and may not bring
//! a role to anybody whose permissions the editor lacks. After an edit by a superuser there must still be
//! one who can sign in. A refused edit is rolled back.

use super::hierarchy;
use crate::{
    access::Principal,
    ctx::Ctx,
    db::Tx,
    error::{Error, Result},
    resource::grants::store as grants,
};
use std::collections::HashSet;
use uuid::Uuid;

/// The state before an edit.
#[must_use]
pub enum Watch {
    /// The system itself may do anything.
    Nothing,
    /// A superuser edits.
    LastSuperuser,
    Escalation(Before),
}

/// What an edit may not add to.
pub struct Before {
    superusers: HashSet<i32>,
    /// Roles by account.
    roles: HashSet<(i32, Uuid)>,
    /// A group that makes superusers of whoever joins it later is a trap.
    superuser_groups: HashSet<Uuid>,
    /// Roles by group; the same trap.
    carried: HashSet<(Uuid, Uuid)>,
}

impl Watch {
    /// Begins a transaction for such an edit: one at a time, because two harmless halves at once could
    /// make a whole. Asked for before any row is locked.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn begin(ctx: &Ctx) -> Result<Tx> {
        let tx = ctx.begin().await?;
        tx.exclusive().await?;
        Ok(tx)
    }

    /// Looks before the edit; `affected` are the accounts there are whose roles it may change.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn before(ctx: &Ctx, tx: &Tx, affected: &[i32]) -> Result<Self> {
        if matches!(*ctx.principal, Principal::System) {
            return Ok(Self::Nothing);
        }
        if ctx.principal.is_superuser() {
            return Ok(Self::LastSuperuser);
        }
        let superusers = hierarchy::superusers(tx.conn()).await?;
        let roles = hierarchy::roles_reaching(tx.conn(), affected).await?;
        let superuser_groups = hierarchy::superuser_groups(tx.conn()).await?;
        let carried = hierarchy::roles_carried(tx.conn()).await?;
        Ok(Self::Escalation(Before { superusers, roles, superuser_groups, carried }))
    }

    /// Compares; `affected` as before, and accounts that the edit made.
    ///
    /// # Errors
    /// [`Error::Forbidden`], or [`Error::Refused`] when nobody would be left: do not commit.
    pub async fn after(self, ctx: &Ctx, tx: &Tx, affected: &[i32]) -> Result<()> {
        let before = match self {
            Self::Nothing => return Ok(()),
            Self::LastSuperuser => return check_somebody_left(tx).await,
            Self::Escalation(before) => before,
        };
        if hierarchy::superusers(tx.conn()).await? != before.superusers
            || !hierarchy::superuser_groups(tx.conn()).await?.is_subset(&before.superuser_groups)
        {
            return Err(Error::Forbidden);
        }
        let roles = hierarchy::roles_reaching(tx.conn(), affected).await?;
        let carried = hierarchy::roles_carried(tx.conn()).await?;
        let reaching = roles.difference(&before.roles).map(|(_, role)| *role);
        let fresh: HashSet<Uuid> = carried.difference(&before.carried).map(|(_, role)| *role).chain(reaching).collect();
        let fresh: Vec<Uuid> = fresh.into_iter().collect();
        if ctx.principal.covers(&grants::of_roles(tx.conn(), &fresh).await?) { Ok(()) } else { Err(Error::Forbidden) }
    }
}

/// # Errors
/// [`Error::Refused`] when no superuser is left who can sign in.
async fn check_somebody_left(tx: &Tx) -> Result<()> {
    if hierarchy::has_active_superuser(tx.conn()).await? {
        return Ok(());
    }
    Err(Error::Refused("This would leave no active superuser.".to_owned()))
}
