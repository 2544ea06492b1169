//! Rules for policies (contract: authentik-core §5.2, §5.3). How they decide is in [`crate::policy`].

use super::{
    entity::{ActiveModel, Kind},
    store::{self, PolicyFilter, PolicyView, Scope},
};
use crate::{
    access::code,
    audit::{self, Event},
    ctx::Ctx,
    error::{Error, Problem, Result},
    list::{ListRequest, Page},
    policy::{self, Outcome, Request, Settings, expression},
    resource::{
        bindings::{self, service::Of},
        grants::store as grants,
        stages, users,
    },
};
use sea_orm::{ActiveValue::Set, IntoActiveModel as _};
use serde_json::{Map, Value};
use uuid::Uuid;

/// What a write says about a policy; what is absent stays, or is the kind's default.
#[derive(Debug, Clone, Default)]
pub struct Draft {
    pub name: Option<String>,
    pub execution_logging: Option<bool>,
    /// Fields of the kind, as on the wire.
    pub settings: Map<String, Value>,
}

/// # Errors
/// [`Error::InvalidPage`]; otherwise when the database is away.
pub async fn list(ctx: &Ctx, scope: Scope, request: &ListRequest, filter: PolicyFilter) -> Result<Page<PolicyView>> {
    store::list(ctx.app.db.read(), &ctx.principal, scope, request, filter).await
}

/// # Errors
/// [`Error::NotFound`].
pub async fn view(ctx: &Ctx, scope: Scope, id: Uuid) -> Result<PolicyView> {
    store::view(ctx.app.db.read(), &ctx.principal, scope, id).await
}

/// Makes a policy.
///
/// # Errors
/// [`Error::Invalid`] for a taken name, or settings that break a rule of the kind.
pub async fn create(ctx: &Ctx, kind: Kind, draft: Draft) -> Result<PolicyView> {
    let Draft { name, execution_logging, settings } = draft;
    let name = name.unwrap_or_default();
    check(ctx, kind, &settings, "temp-policy").await?;
    let mut fields = kind.fields()?;
    fields.extend(settings);
    let settings = Settings::read(kind, Value::Object(fields)).map_err(Error::internal)?.to_map()?;
    let mut tx = ctx.begin().await?;
    if store::by_name(tx.conn(), &name).await?.is_some() {
        return Err(Error::field("name", Problem::Taken(Some(("Policy", "name")))));
    }
    let policy = store::insert(
        tx.conn(),
        ActiveModel {
            id: Set(ctx.uuid()),
            search: Set(kind.searchable(&name, &settings)),
            name: Set(name),
            kind: Set(kind),
            execution_logging: Set(execution_logging.unwrap_or(false)),
            settings: Set(Value::Object(settings)),
            created: Set(ctx.now),
            last_updated: Set(ctx.now),
        },
    )
    .await?;
    let mut shown = policy.fields();
    shown.insert("name".to_owned(), Value::String(policy.name.clone()));
    shown.insert("execution_logging".to_owned(), Value::Bool(policy.execution_logging));
    audit::record(&tx, ctx, Event::created(&policy.subject(), &Value::Object(shown)));
    // Another policy may have asked for one of this name.
    tx.touch();
    tx.commit().await?;
    Ok(PolicyView { policy, bound_to: 0 })
}

/// Changes a policy; what was remembered of its results is forgotten, here and in other processes.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Invalid`] as in [`create`].
pub async fn update(ctx: &Ctx, kind: Kind, id: Uuid, draft: Draft) -> Result<PolicyView> {
    let Draft { name, execution_logging, settings } = draft;
    let scope = Scope::Of(kind);
    // What is wrong with an expression is told with the name it has so far.
    let called = match kind {
        Kind::Expression => store::view(ctx.app.db.read(), &ctx.principal, scope, id).await?.policy.name,
        _ => String::new(),
    };
    // Outside the transaction: a worker reads the expression.
    check(ctx, kind, &settings, &called).await?;
    let mut tx = ctx.begin().await?;
    let policy = store::find_for_update(tx.conn(), &ctx.principal, scope, id).await?;
    let name = name.unwrap_or_else(|| policy.name.clone());
    if store::by_name(tx.conn(), &name).await?.is_some_and(|other| other.id != id) {
        return Err(Error::field("name", Problem::Taken(Some(("Policy", "name")))));
    }
    let mut fields = policy.fields();
    fields.extend(settings);
    let fields = Settings::read(kind, Value::Object(fields)).map_err(Error::internal)?.to_map()?;
    let mut row = policy.into_active_model();
    row.search = Set(kind.searchable(&name, &fields));
    row.name = Set(name);
    row.settings = Set(Value::Object(fields));
    row.last_updated = Set(ctx.now);
    if let Some(logging) = execution_logging {
        row.execution_logging = Set(logging);
    }
    let policy = store::update(tx.conn(), row).await?;
    audit::record(&tx, ctx, Event::updated(&policy.subject()));
    let view = store::view(tx.conn(), &ctx.principal, scope, id).await?;
    tx.touch();
    tx.commit().await?;
    Ok(view)
}

/// Removes a policy with its bindings.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn delete(ctx: &Ctx, scope: Scope, id: Uuid) -> Result<()> {
    let mut tx = ctx.begin().await?;
    let policy = store::find_for_update(tx.conn(), &ctx.principal, scope, id).await?;
    bindings::service::forget(ctx, &mut tx, Of::Policy(id)).await?;
    store::delete(tx.conn(), id).await?;
    let words = policy.kind.words();
    for (label, model) in [(words.app_label, words.model), (super::kinds::BASE_LABEL, "policy")] {
        grants::forget_object(tx.conn(), label, model, &id.to_string()).await?;
    }
    audit::record(&tx, ctx, Event::deleted(&policy.subject()));
    tx.touch();
    tx.commit().await
}

/// The prompt stages that ask a policy, as far as the caller may see them.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn used_by(ctx: &Ctx, scope: Scope, id: Uuid) -> Result<Vec<stages::Model>> {
    store::view(ctx.app.db.read(), &ctx.principal, scope, id).await?;
    stages::service::validating(ctx, id).await
}

/// Asks a policy about an account, without any effect (contract: authentik-core §5.3).
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Invalid`] for an account that does not exist; [`Error::Unexplained`] for
/// one out of the caller's sight.
pub async fn test(ctx: &Ctx, id: Uuid, user: i32, context: Option<Map<String, Value>>) -> Result<Outcome> {
    let db = ctx.app.db.read();
    let policy = store::view(db, &ctx.principal, Scope::All, id).await?.policy;
    let Some(account) = users::store::by_id(db, user).await? else {
        return Err(Error::field("user", Problem::UnknownKey(user.to_string())));
    };
    if !ctx.principal.holds_on(code::VIEW_USER, &user.to_string()) {
        return Err(Error::Unexplained);
    }
    let mut request = Request {
        user: Some(account),
        context: context.unwrap_or_default(),
        debug: true,
        testing: true,
        log: Vec::new(),
    };
    policy::test(ctx, &policy, &mut request).await
}

/// How many results are remembered.
///
/// # Errors
/// [`Error::Forbidden`] for whoever may only look at single policies: these are results of all.
pub fn remembered(ctx: &Ctx) -> Result<i32> {
    if !ctx.principal.holds(code::VIEW_POLICY_CACHE) {
        return Err(Error::Forbidden);
    }
    let count = ctx.app.decisions.count(ctx.app.generation.current(), ctx.now);
    Ok(i32::try_from(count).unwrap_or(i32::MAX))
}

/// Forgets all results, here and in other processes.
///
/// # Errors
/// When the database is away.
pub async fn forget_results(ctx: &Ctx) -> Result<()> {
    let mut tx = ctx.begin().await?;
    tx.touch();
    tx.commit().await
}

/// Rules of the kinds that a form cannot hold.
async fn check(ctx: &Ctx, kind: Kind, given: &Map<String, Value>, name: &str) -> Result<()> {
    match kind {
        Kind::Expression => match given.get("expression") {
            Some(Value::String(source)) => expression::check(&ctx.app, name, source).await,
            _ => Ok(()),
        },
        // In what is sent, not in what there is: so has the original it.
        Kind::Reputation => {
            let truth = |field: &str| given.get(field).and_then(Value::as_bool).unwrap_or(false);
            if truth("check_ip") || truth("check_username") {
                return Ok(());
            }
            Err(Error::Refused("Either IP or Username must be checked".into()))
        }
        Kind::Dummy | Kind::EventMatcher | Kind::Expiry | Kind::Password => Ok(()),
    }
}
