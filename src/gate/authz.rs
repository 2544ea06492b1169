//! Authorization before the body is read: the document's `x-access`, applied by [`crate::access`], and
//! whether the object exists for the caller. What a rule needs beyond that, its service decides.

use super::authn;
use crate::{
    access::{Principal, Visible},
    app::App,
    ctx::{Credential, Ctx},
    dialect::{Dialect, Failure},
    error::{Error, Result},
    resource::{
        applications, bindings, brands, events, flows, grants, groups, pats,
        permissions::{
            assign::{self, Target},
            object_grants::{self, Of},
        },
        policies::{self, Kind, store::Scope},
        prompts, reputation, sessions, stage_bindings, stages, tokens, users,
    },
};
use std::{sync::Arc, time::Duration};
use tessera_api_runtime::{Access, Application, Decoder, Limits, Operation};
use uuid::Uuid;

impl Application for App {
    type Ctx = Ctx;
    type Error = Failure;

    fn decoder(&self, op: &'static Operation) -> &dyn Decoder {
        Dialect::of(op).decoder()
    }

    fn limits(&self) -> Limits {
        Limits { body_bytes: self.config.max_body_bytes, body_time: Duration::from_secs(self.config.request_timeout) }
    }

    async fn authorize(
        &self,
        ctx: &Ctx,
        op: &'static Operation,
        params: &[(String, String)],
    ) -> std::result::Result<(), Failure> {
        let object = params.first().map(|(_, value)| value.as_str());
        if Dialect::of(op) != Dialect::V3 {
            return Ok(scoped(ctx, op, object).await?);
        }
        let held_by = held_by(ctx, op, object).await?;
        if let Err(refused) = permitted(&ctx.principal, op, held_by.as_deref().or(object)) {
            // Who may see rows of the kind learns first that this one does not exist.
            if let (Error::Forbidden, Access::Codes([first, ..]), Some(object)) = (&refused, op.access, object)
                && ctx.principal.visible(first) != Visible::None
                && !object.contains('\0')
            {
                exists(ctx, op, object).await?;
            }
            return Err(refused.into());
        }
        if object.is_some_and(|object| object.contains('\0')) {
            // PostgreSQL cannot even be asked for it.
            return Err(Error::NotFound.into());
        }
        if op.consumes.is_empty() {
            // The handler looks the object up itself, and has nothing to say before it does.
            return Ok(());
        }
        match object {
            Some(object) => Ok(exists(ctx, op, object).await?),
            None => Ok(()),
        }
    }

    async fn arrived(
        &self,
        mut ctx: Arc<Ctx>,
        op: &'static Operation,
        params: &[(String, String)],
    ) -> std::result::Result<Arc<Ctx>, Failure> {
        let principal = match (&ctx.credential, ctx.session.digest()) {
            (Some(Credential::Key(key)), _) => authn::recognise(self, key).await?,
            (Some(Credential::Bearer(digest, bearer)), _) => authn::bearer_again(self, digest, bearer).await?,
            (Some(Credential::Client(..)), _) => return Ok(ctx),
            (None, Some(session)) => authn::recognise_session(self, &session).await?,
            (None, None) => return Ok(ctx),
        };
        let same = Arc::ptr_eq(&principal, &ctx.principal);
        let later = Ctx::new(Arc::clone(&ctx.app), principal, None);
        // The gate keeps the context that it made; what answers shares only the session with it.
        ctx = Arc::new(Ctx {
            credential: ctx.credential.clone(),
            session: ctx.session.clone(),
            request: ctx.request.clone(),
            base: ctx.base,
            ..later
        });
        if !same {
            self.authorize(&ctx, op, params).await?;
        }
        Ok(ctx)
    }
}

/// Whether a bearer token's scopes are among those that the document lists for the operation, any one of them; and
/// before a body is read, whether its object is there for the caller.
async fn scoped(ctx: &Ctx, op: &'static Operation, object: Option<&str>) -> Result<()> {
    if op.anonymous {
        return Ok(());
    }
    let bearer = ctx.principal.account().and_then(|account| account.bearer.as_ref()).ok_or(Error::NotAuthenticated)?;
    if !bearer.reaches(op.security.iter().map(|alternative| alternative.scopes)) {
        return Err(Error::Forbidden);
    }
    match object {
        Some(object) if !op.consumes.is_empty() => match op.resource {
            "pats" => pats::service::require(ctx, object).await,
            other => Err(Error::internal(format!("nobody said how to look up `{other}`"))),
        },
        _ => Ok(()),
    }
}

/// The key under which permissions are held on an object, where its path has another one.
async fn held_by(ctx: &Ctx, op: &Operation, object: Option<&str>) -> Result<Option<String>> {
    match (op.access, object) {
        _ if ctx.principal.is_superuser() => Ok(None),
        (Access::Codes(_), Some(slug)) if op.resource == "applications" && !slug.contains('\0') => {
            applications::service::key_of(ctx, slug).await
        }
        (Access::Codes(_), Some(slug)) if op.resource == "flows" && !slug.contains('\0') => {
            flows::service::key_of(ctx, slug).await
        }
        _ => Ok(None),
    }
}

/// Whether the operation itself is open to the caller.
///
/// # Errors
/// [`Error::NotAuthenticated`], [`Error::Forbidden`]; [`Error::NotFound`] for a row out of sight.
pub fn permitted(principal: &Principal, op: &Operation, object: Option<&str>) -> Result<()> {
    let anonymous = matches!(principal, Principal::Anonymous);
    match op.access {
        Access::Public => Ok(()),
        Access::Own if anonymous => Err(Error::NotAuthenticated),
        // The contract's texts differ: rows are guarded by what is visible, collections by a login.
        Access::Authenticated | Access::Codes(_) if anonymous && object.is_none() => Err(Error::NotAuthenticated),
        Access::Authenticated if anonymous => Err(Error::Forbidden),
        Access::Authenticated | Access::Own => Ok(()),
        Access::Codes(codes) => {
            principal.authorize(codes, object.map(grants::service::canonical).as_deref(), op.is_safe())
        }
    }
}

async fn exists(ctx: &Ctx, op: &Operation, key: &str) -> Result<()> {
    match op.resource {
        "tokens" if op.id == "core_tokens_set_key_create" => tokens::keys::require_set_key(ctx, key).await,
        "tokens" if op.id == "core_tokens_rotate_create" => tokens::keys::require_rotate(ctx, key).await,
        "tokens" => tokens::service::require(ctx, key).await,
        "users" => users::service::require(ctx, number(key)?).await,
        "groups" => groups::service::require(ctx, uuid(key)?).await,
        "roles" => assign::require(ctx, Target::Role(uuid(key)?)).await,
        "policies" => policies::service::view(ctx, Scope::All, uuid(key)?).await.map(drop),
        "policies_dummy" => policy(ctx, Kind::Dummy, key).await,
        "policies_event_matcher" => policy(ctx, Kind::EventMatcher, key).await,
        "policies_expiry" => policy(ctx, Kind::Expiry, key).await,
        "policies_expression" => policy(ctx, Kind::Expression, key).await,
        "policies_password" => policy(ctx, Kind::Password, key).await,
        "policies_reputation" => policy(ctx, Kind::Reputation, key).await,
        "stages" => stages::service::require(ctx, stages::Scope::All, uuid(key)?).await,
        "stages_identification" => stage(ctx, stages::Kind::Identification, key).await,
        "stages_password" => stage(ctx, stages::Kind::Password, key).await,
        "stages_prompt" => stage(ctx, stages::Kind::Prompt, key).await,
        "stages_user_write" => stage(ctx, stages::Kind::UserWrite, key).await,
        "stages_user_login" => stage(ctx, stages::Kind::UserLogin, key).await,
        "stages_user_logout" => stage(ctx, stages::Kind::UserLogout, key).await,
        "stages_consent" => stage(ctx, stages::Kind::Consent, key).await,
        "stages_deny" => stage(ctx, stages::Kind::Deny, key).await,
        "stages_dummy" => stage(ctx, stages::Kind::Dummy, key).await,
        "stages_email" => stage(ctx, stages::Kind::Email, key).await,
        "prompts" => prompts::service::require(ctx, uuid(key)?).await,
        "policy_bindings" => bindings::service::require(ctx, uuid(key)?).await,
        "reputation_scores" => reputation::service::view(ctx, uuid(key)?).await.map(drop),
        "flows" => flows::service::require(ctx, key).await,
        "flow_executor" => crate::flow::executor::require(ctx, key).await,
        "stage_bindings" => stage_bindings::service::require(ctx, uuid(key)?).await,
        "brands" => brands::service::require(ctx, uuid(key)?).await,
        "sessions" => sessions::service::view(ctx, uuid(key)?).await.map(drop),
        "applications" => applications::service::require(ctx, key).await,
        "events" => events::service::view(ctx, uuid(key)?).await.map(drop),
        "permissions" if op.path.contains("assigned_by_roles") => assign::require(ctx, Target::Role(uuid(key)?)).await,
        "permissions" if op.path.contains("assigned_by_users") => {
            assign::require(ctx, Target::User(number(key)?)).await
        }
        "permissions" if op.path.contains("/roles/") => {
            object_grants::view(ctx, Of::Roles, number(key)?).await.map(drop)
        }
        "permissions" => object_grants::view(ctx, Of::Users, number(key)?).await.map(drop),
        other => Err(Error::internal(format!("nobody said how to look up `{other}`"))),
    }
}

async fn policy(ctx: &Ctx, kind: Kind, key: &str) -> Result<()> {
    policies::service::view(ctx, Scope::Of(kind), uuid(key)?).await.map(drop)
}

async fn stage(ctx: &Ctx, kind: stages::Kind, key: &str) -> Result<()> {
    stages::service::require(ctx, stages::Scope::Of(kind), uuid(key)?).await
}

fn uuid(key: &str) -> Result<Uuid> {
    key.parse().map_err(|_| Error::NotFound)
}

fn number(key: &str) -> Result<i32> {
    key.parse().map_err(|_| Error::NotFound)
}
