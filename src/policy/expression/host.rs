//! Answers to what an expression asks.

use super::{
    CallPolicy, broken, line,
    objects::{self, Wants},
    queries::{self, Model},
};
use crate::{
    audit::{self, Event},
    ctx::Ctx,
    error::Error,
    expression::{Host, Raised},
    policy::{Fault, LogLine, Outcome, Request},
    resource::{
        groups::{self, hierarchy, membership},
        users,
    },
};
use sea_orm::{
    ColumnTrait as _, Condition, EntityTrait, PaginatorTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
    Select,
    sea_query::{Expr, Order, Query},
};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::pin::Pin;
use uuid::Uuid;

/// Most objects of one answer.
const MOST_ROWS: u64 = 1000;
/// Most events of one run; each is a transaction.
const MOST_EVENTS: usize = 20;
/// Most lines that questions add to the log of one run.
const MOST_LINES: usize = 200;

/// The server as one run of a policy's expression sees it.
pub struct PolicyHost<'r> {
    ctx: &'r Ctx,
    policies: &'r dyn CallPolicy,
    policy: &'r str,
    request: &'r Request,
    wants: Wants,
    log: Vec<LogLine>,
    events: usize,
    /// What the server could not do; it ends the evaluation, whatever the expression makes of it.
    fault: Option<Fault>,
}

/// Why a question has no answer.
enum Unanswered {
    /// An exception in the expression.
    Raised(Raised),
    /// Not the expression's fault.
    Broken(Error),
}

impl From<Raised> for Unanswered {
    fn from(raised: Raised) -> Self {
        Self::Raised(raised)
    }
}

impl<E: Into<Error>> From<E> for Unanswered {
    fn from(error: E) -> Self {
        Self::Broken(error.into())
    }
}

/// A query as the prelude writes it.
#[derive(Deserialize)]
struct Question {
    model: String,
    /// What it starts from: all, or objects of another one.
    base: Option<Vec<Value>>,
    /// `filter` or `exclude`, with lookups.
    filters: Vec<(String, Map<String, Value>)>,
    order: Vec<String>,
    what: String,
}

#[derive(Deserialize)]
struct Membership {
    user: i32,
    lookups: Map<String, Value>,
}

#[derive(Deserialize)]
struct Call {
    name: String,
    context: Map<String, Value>,
}

#[derive(Deserialize)]
struct NewEvent {
    action: String,
    context: Map<String, Value>,
}

fn read<T: for<'de> Deserialize<'de>>(payload: Value) -> Result<T, Raised> {
    serde_json::from_value(payload).map_err(|_| Raised::value("This question is not understood."))
}

impl<'r> PolicyHost<'r> {
    pub fn new(
        ctx: &'r Ctx,
        policies: &'r dyn CallPolicy,
        policy: &'r str,
        request: &'r Request,
        wants: Wants,
    ) -> Self {
        Self { ctx, policies, policy, request, wants, log: Vec::new(), events: 0, fault: None }
    }

    /// What went wrong on the server's side, and what there is to log.
    pub fn finish(self) -> (Option<Fault>, Vec<LogLine>) {
        (self.fault, self.log)
    }

    async fn ask(&mut self, name: &str, payload: Value) -> Result<Value, Unanswered> {
        match name {
            "query" => self.query(read(payload)?).await,
            "is_group_member" => self.is_group_member(read(payload)?).await,
            "group_attributes" => self.group_attributes(read(payload)?).await,
            "call_policy" => self.call_policy(read(payload)?).await,
            "create_event" => self.create_event(read(payload)?).await,
            _ => Err(Raised::value("This question is not understood.").into()),
        }
    }

    async fn query(&self, question: Question) -> Result<Value, Unanswered> {
        if question.model == "user" {
            let base = match self.base(question.base.as_deref()).await? {
                Base::All => Condition::all(),
                Base::MembersOf(group) => Condition::all().add(
                    users::Column::Id.in_subquery(
                        Query::select()
                            .column(membership::Column::UserId)
                            .from(membership::Entity)
                            .and_where(membership::Column::GroupId.eq(group))
                            .to_owned(),
                    ),
                ),
                _ => Condition::all().add(Expr::val(false)),
            };
            let select = self.narrowed(users::Entity::find().filter(base), Model::User, &question)?;
            self.answer(select, users::Column::Id, &question.what).await
        } else {
            let base = match self.base(question.base.as_deref()).await? {
                Base::All => Condition::all(),
                Base::GroupsOf(user) => Condition::all().add(groups_of(user)),
                Base::Of(ids) => Condition::all().add(groups::Column::Id.is_in(ids)),
                Base::Below(group) => Condition::all().add(groups::Column::ParentId.eq(group)),
                _ => Condition::all().add(Expr::val(false)),
            };
            let select = self.narrowed(groups::Entity::find().filter(base), Model::Group, &question)?;
            self.answer(select, groups::Column::Name, &question.what).await
        }
    }

    async fn base(&self, base: Option<&[Value]>) -> Result<Base, Unanswered> {
        let [kind, rest @ ..] = base.unwrap_or_default() else { return Ok(Base::All) };
        let of = rest.first().unwrap_or(&Value::Null);
        let user = || of.as_i64().and_then(|id| i32::try_from(id).ok());
        let group = || of.as_str().and_then(|text| text.parse::<Uuid>().ok());
        Ok(match (kind.as_str(), user(), group()) {
            (Some("of"), Some(user), _) => Base::GroupsOf(user),
            (Some("above"), Some(user), _) => {
                let groups = hierarchy::with_ancestors(self.ctx.app.db.read(), user).await?;
                Base::Of(groups.into_iter().map(|group| group.id).collect())
            }
            (Some("in"), _, Some(group)) => Base::MembersOf(group),
            (Some("below"), _, Some(group)) => Base::Below(group),
            _ => Base::Nothing,
        })
    }

    fn narrowed<E: EntityTrait>(
        &self,
        mut select: Select<E>,
        model: Model,
        question: &Question,
    ) -> Result<Select<E>, Raised> {
        let backend = self.ctx.app.db.read().get_database_backend();
        let last = question.what == "last";
        for (kind, lookups) in &question.filters {
            let condition = queries::condition(backend, model, lookups)?;
            select = select.filter(if kind == "exclude" { condition.not() } else { condition });
        }
        for name in &question.order {
            let (name, descending) = name.strip_prefix('-').map_or((name.as_str(), false), |name| (name, true));
            // The last one is the first from the other side.
            let order = if descending != last { Order::Desc } else { Order::Asc };
            select = select.order_by(queries::order_column(model, name)?, order);
        }
        Ok(select)
    }

    async fn answer<E>(&self, select: Select<E>, key: E::Column, what: &str) -> Result<Value, Unanswered>
    where
        E: EntityTrait<Model: Rows + sea_orm::FromQueryResult + Sized + Send + Sync>,
    {
        let db = self.ctx.app.db.read();
        Ok(match what {
            "exists" => {
                select.select_only().expr(Expr::val(1)).limit(1).into_tuple::<i32>().one(db).await?.is_some().into()
            }
            "count" => select.count(db).await?.into(),
            "first" | "last" => {
                let order = if what == "first" { Order::Asc } else { Order::Desc };
                match select.order_by(key, order).one(db).await? {
                    Some(found) => Rows::rows(self.ctx, &[found], &self.wants).await?.pop().unwrap_or_default(),
                    None => Value::Null,
                }
            }
            _ => {
                let found = select.order_by_asc(key).limit(MOST_ROWS + 1).all(db).await?;
                if found.len() as u64 > MOST_ROWS {
                    return Err(Raised::value(format!("A query finds more than {MOST_ROWS} objects.")).into());
                }
                Rows::rows(self.ctx, &found, &self.wants).await?.into()
            }
        })
    }

    async fn is_group_member(&self, question: Membership) -> Result<Value, Unanswered> {
        let db = self.ctx.app.db.read();
        let condition = queries::condition(db.get_database_backend(), Model::Group, &question.lookups)?;
        let select = groups::Entity::find().filter(groups_of(question.user)).filter(condition);
        let found = select.select_only().expr(Expr::val(1)).limit(1).into_tuple::<i32>().one(db).await?;
        Ok(found.is_some().into())
    }

    async fn group_attributes(&self, user: i32) -> Result<Value, Unanswered> {
        let db = self.ctx.app.db.read();
        let user = match &self.request.user {
            Some(own) if own.id == user => own.clone(),
            _ => match users::store::by_id(db, user).await? {
                Some(user) => user,
                None => return Ok(json!({})),
            },
        };
        Ok(Value::Object(users::profile::merged_attributes(db, &user).await?))
    }

    async fn call_policy(&mut self, call: Call) -> Result<Value, Unanswered> {
        let mut request = Request { context: call.context.clone(), log: Vec::new(), ..self.request.clone() };
        let answer = self.policies.call(self.ctx, &call.name, &mut request).await;
        let Outcome { passing, messages, log } = match answer {
            Ok(Some(outcome)) => outcome,
            Ok(None) => return Err(Raised::value(format!("Policy '{}' not found.", call.name)).into()),
            // The policy that is called fails with its text; the one that calls goes on.
            Err(Fault::Policy(text)) => Outcome { log: std::mem::take(&mut request.log), ..Outcome::failed(text) },
            Err(fault @ Fault::Other(_)) => {
                self.fault = Some(fault);
                return Err(Raised::value("The policy could not be asked.").into());
            }
        };
        self.log.extend(log.into_iter().take(MOST_LINES.saturating_sub(self.log.len())));
        let gone: Vec<&String> = call.context.keys().filter(|key| !request.context.contains_key(*key)).collect();
        let changed: Map<String, Value> = request
            .context
            .iter()
            .filter(|(key, value)| call.context.get(*key) != Some(value))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        Ok(json!({"passing": passing, "messages": messages, "changed": changed, "gone": gone}))
    }

    async fn create_event(&mut self, event: NewEvent) -> Result<Value, Unanswered> {
        if self.request.testing {
            let mut context = audit::redact::clean(Value::Object(event.context));
            audit::redact::shorten(&mut context);
            let mut attributes = Map::new();
            attributes.insert("action".to_owned(), format!("custom_{}", event.action).into());
            attributes.insert("context".to_owned(), context);
            let said = "Event not created, as this is a test";
            if self.log.len() >= MOST_LINES {
                return Ok(Value::Null);
            }
            self.log.push(line(self.ctx, "info", self.policy, said, attributes));
            return Ok(Value::Null);
        }
        self.events += 1;
        if self.events > MOST_EVENTS {
            return Err(Raised::value(format!("An expression can create {MOST_EVENTS} events.")).into());
        }
        let tx = self.ctx.begin().await?;
        audit::record(&tx, self.ctx, Event::custom(&event.action, self.policy, event.context));
        tx.commit().await?;
        Ok(Value::Null)
    }
}

/// What a query starts from.
enum Base {
    All,
    Nothing,
    GroupsOf(i32),
    Of(Vec<Uuid>),
    MembersOf(Uuid),
    Below(Uuid),
}

/// Groups that an account is a direct member of.
fn groups_of(user: i32) -> sea_orm::sea_query::SimpleExpr {
    groups::Column::Id.in_subquery(
        Query::select()
            .column(membership::Column::GroupId)
            .from(membership::Entity)
            .and_where(membership::Column::UserId.eq(user))
            .to_owned(),
    )
}

/// Rows as an expression sees them.
trait Rows: Sized {
    fn rows(ctx: &Ctx, found: &[Self], wants: &Wants) -> impl Future<Output = crate::error::Result<Vec<Value>>> + Send;
}

impl Rows for users::Model {
    async fn rows(ctx: &Ctx, found: &[Self], wants: &Wants) -> crate::error::Result<Vec<Value>> {
        objects::users(ctx, found, wants).await
    }
}

impl Rows for groups::Model {
    async fn rows(ctx: &Ctx, found: &[Self], wants: &Wants) -> crate::error::Result<Vec<Value>> {
        objects::groups(ctx, found, wants).await
    }
}

impl Host for PolicyHost<'_> {
    fn answer<'a>(
        &'a mut self,
        name: &'a str,
        payload: Value,
    ) -> Pin<Box<dyn Future<Output = Result<Value, Raised>> + Send + 'a>> {
        Box::pin(async move {
            match self.ask(name, payload).await {
                Ok(value) => Ok(value),
                Err(Unanswered::Raised(raised)) => Err(raised),
                Err(Unanswered::Broken(error)) => {
                    let fault = broken(&error);
                    let text = fault.to_string();
                    self.fault = Some(fault);
                    Err(Raised { kind: "RuntimeError".to_owned(), text })
                }
            }
        })
    }
}
