//! One request on its way through the stages: what it has read, and what stages have written so far.

use super::{
    Visit,
    challenge::{self, Challenge, Faults},
    plan::{Pending, Plan},
};
use crate::{
    ctx::Ctx,
    db::Tx,
    error::{Error, Result},
    mail::Message,
    resource::{
        flows,
        sessions::{self, service::Started},
        settings::Settings,
        users,
    },
};
use std::sync::Arc;
use uuid::Uuid;

/// What a stage makes of a request.
pub enum Turn {
    /// It asks.
    Ask(Challenge),
    /// The answer will not do.
    Wrong(Challenge, Faults),
    Done,
    Denied(String),
    /// Another request on the same session was faster.
    Outrun,
}

/// One request on its way through the stages.
pub struct Run<'c> {
    pub ctx: &'c Ctx,
    pub flow: flows::Model,
    pub session: sessions::Model,
    pub plan: Plan,
    /// Whom the visit is about.
    pub pending: Option<users::Model>,
    /// Who has signed in in this session.
    pub signed_in: Option<users::Model>,
    pub settings: Arc<Settings>,
    /// What stages have written so far; committed with the plan.
    pub tx: Option<Tx>,
    /// A session that begins with that commit.
    pub started: Option<Started>,
    /// Mails that leave after that commit.
    pub letters: Vec<Message>,
    /// The link that the visit came in by; it goes with that commit.
    pub link: Option<Uuid>,
    /// Whether the visit signed somebody out.
    pub left: bool,
}

impl Run<'_> {
    #[must_use]
    pub fn visit(&self) -> Visit<'_> {
        Visit {
            flow: &self.flow,
            plan: Some(&self.plan),
            pending: self.pending.as_ref(),
            signed_in: self.signed_in.as_ref(),
            settings: &self.settings,
        }
    }

    /// Whom stages are about: the pending account, or else who has signed in.
    #[must_use]
    pub fn user(&self) -> Option<&users::Model> {
        match self.plan.pending {
            Pending::Nobody => self.signed_in.as_ref(),
            Pending::Account(_) | Pending::Unknown => self.pending.as_ref(),
        }
    }

    /// Whether that is who has signed in.
    #[must_use]
    pub fn is_own(&self) -> bool {
        match (&self.pending, &self.signed_in) {
            (Some(pending), Some(own)) => pending.id == own.id,
            (None, Some(_)) => self.plan.pending == Pending::Nobody,
            _ => false,
        }
    }

    /// Turns to somebody.
    pub fn turn_to(&mut self, user: Option<users::Model>, unknown: bool) {
        self.plan.turn_to(match &user {
            Some(user) => Pending::Account(user.id),
            None if unknown => Pending::Unknown,
            None => Pending::Nobody,
        });
        self.pending = user;
    }

    /// The transaction of what the stage writes.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn tx(&mut self) -> Result<&mut Tx> {
        if self.tx.is_none() {
            self.tx = Some(self.ctx.begin().await?);
        }
        self.tx.as_mut().ok_or_else(|| Error::internal("a transaction that was begun is not there"))
    }

    /// The end: the visitor is not let in.
    #[must_use]
    pub fn denied(&self, message: &str) -> Challenge {
        challenge::denied(&self.visit(), message)
    }
}
