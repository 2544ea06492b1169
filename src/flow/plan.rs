//! The plan of a visit: which stages are ahead, and what is known so far. It lives in the session, sealed; the
//! visitor never holds it.

use crate::{
    ctx::Ctx,
    error::{Error, Result},
    resource::{
        flows,
        sessions::{self, service as session_service},
        users,
    },
    secret::password::PasswordHash,
};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::{BTreeSet, VecDeque};
use uuid::Uuid;

/// How long a plan may wait for its next answer, in seconds; then the flow begins anew.
pub const LIFETIME: i64 = 3600;

/// A stage that is ahead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Step {
    /// As the flow has it.
    Bound { binding: Uuid },
    /// The old password is too old; this is the message of the policy.
    ChangePassword { message: String, prompts: Option<Uuid> },
}

/// Whom the visit is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Pending {
    Nobody,
    Account(i32),
    /// A name that nobody has, in a flow that does not say so.
    Unknown,
}

/// What shows that the visitor is whom the visit is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Proof {
    /// The account's own password.
    Password,
    /// One of its app passwords, which are worth less: they change no password.
    AppPassword,
    /// A link that was given to him, or sent to his address.
    Link,
    /// The account was made on this visit.
    Created,
}

/// Which password an account has, as far as a proof cares: one that was given for another password is none.
pub type Stamp = String;

/// The stamp of an account.
#[must_use]
pub fn stamp(user: &users::Model) -> Stamp {
    user.password.fingerprint()
}

/// A plan. It may hold passwords on their way, so it has no `Debug`.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    pub flow: Uuid,
    /// When its last answer came.
    pub touched: DateTime<Utc>,
    /// The stages that are left, the present one first.
    pub steps: VecDeque<Step>,
    /// What stages found out, under the names that policies know from the original.
    pub context: Map<String, Value>,
    pub pending: Pending,
    pub proof: Option<Proof>,
    /// What the visitor called himself; shown instead of what was found.
    pub shown_as: Option<String>,
    /// How many passwords were wrong.
    pub tries: i32,
    /// Policy targets whose policies about the age of a password have not been asked yet.
    pub postponed: Vec<Uuid>,
    /// What was said when a policy left out a stage.
    pub left_out: Vec<String>,
    /// Whether a policy left out the stage that would sign somebody in.
    pub login_left_out: bool,
    /// Whether a policy left out any stage.
    pub any_left_out: bool,
    /// Whether the visit has signed somebody in.
    pub entered: bool,
    /// Which password the account had when the proof was given; see [`stamp`].
    pub proven_with: Option<Stamp>,
    /// Whether the password was changed on this visit because of its age. It is asked for once.
    pub renewed: bool,
    /// Keys of answers that are passwords.
    pub secrets: BTreeSet<String>,
}

impl Plan {
    #[must_use]
    pub fn new(flow: Uuid, steps: VecDeque<Step>, now: DateTime<Utc>) -> Self {
        Self {
            flow,
            touched: now,
            steps,
            context: Map::new(),
            pending: Pending::Nobody,
            proof: None,
            shown_as: None,
            tries: 0,
            postponed: Vec::new(),
            left_out: Vec::new(),
            login_left_out: false,
            any_left_out: false,
            entered: false,
            proven_with: None,
            renewed: false,
            secrets: BTreeSet::new(),
        }
    }

    /// Turns to somebody; nothing has shown yet that the visitor is this one.
    pub fn turn_to(&mut self, pending: Pending) {
        if self.pending != pending {
            self.proof = None;
            self.proven_with = None;
            for key in ["auth_method", "auth_method_args", "email_sent"] {
                self.context.remove(key);
            }
        }
        self.pending = pending;
    }

    /// Notes that something has shown that the visitor is `user`.
    pub fn prove(&mut self, proof: Proof, user: &users::Model) {
        self.proof = Some(proof);
        self.proven_with = Some(stamp(user));
    }

    /// Whether nothing, or what is still true of `user`, has shown who the visitor is: his password may have been
    /// changed since.
    #[must_use]
    pub fn is_current(&self, user: &users::Model) -> bool {
        self.proof.is_none() || self.proven_with == Some(stamp(user))
    }

    /// Whose account it is about.
    #[must_use]
    pub fn account(&self) -> Option<i32> {
        match self.pending {
            Pending::Account(id) => Some(id),
            Pending::Nobody | Pending::Unknown => None,
        }
    }

    /// What was answered so far, by key.
    #[must_use]
    pub fn prompt_data(&self) -> Map<String, Value> {
        match self.context.get("prompt_data") {
            Some(Value::Object(data)) => data.clone(),
            _ => Map::new(),
        }
    }

    /// Whether too much time has gone by since the last answer.
    #[must_use]
    pub fn is_over(&self, now: DateTime<Utc>) -> bool {
        now - self.touched > TimeDelta::seconds(LIFETIME)
    }

    /// What stands for somebody whom nobody knows, where policies ask about one: only the name that he gave.
    #[must_use]
    pub fn stranger(&self, now: DateTime<Utc>) -> Option<users::Model> {
        let name = self.shown_as.clone().filter(|_| self.pending == Pending::Unknown)?;
        Some(users::Model {
            id: 0,
            uuid: Uuid::nil(),
            username_folded: name.to_lowercase(),
            username: name,
            name: String::new(),
            email: String::new(),
            is_active: true,
            last_login: None,
            path: "users".to_owned(),
            kind: users::Kind::Internal,
            attributes: json!({}),
            password: PasswordHash::of_nobody(),
            password_change_date: now,
            date_joined: now,
            search: String::new(),
        })
    }

    /// What policies are told: the context, the plan itself, and whom it is about.
    #[must_use]
    pub fn told(&self, flow: &flows::Model, user: Option<&users::Model>) -> Map<String, Value> {
        let mut told = self.context.clone();
        if self.pending != Pending::Nobody {
            let user = user.map(|user| json!({"pk": user.id, "username": user.username, "email": user.email}));
            told.insert("pending_user".to_owned(), user.unwrap_or_else(|| json!({"username": self.shown_as})));
        }
        told.insert(
            "flow_plan".to_owned(),
            json!({"flow_pk": flow.id.simple().to_string(), "slug": flow.slug, "context": self.context}),
        );
        told
    }

    /// As text, for the session.
    ///
    /// # Errors
    /// When it cannot be written down.
    pub fn to_text(&self) -> Result<String> {
        serde_json::to_string(self).map_err(Error::internal)
    }

    /// From the session's text; a plan of another version of this program is none.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// The plan in a session, if there is one and its time is not over.
    ///
    /// # Errors
    /// When the session was sealed under another master key.
    pub fn of(ctx: &Ctx, session: &sessions::Model) -> Result<Option<Self>> {
        let text = session_service::plan_of(ctx, session)?;
        Ok(text.and_then(|text| Self::from_text(text.reveal())).filter(|plan| !plan.is_over(ctx.now)))
    }
}
