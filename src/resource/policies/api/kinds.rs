//! `policies/dummy`, `policies/expression` and so on of api/v3.yaml. The kinds differ in their fields alone,
//! so one macro writes the seven operations of each.

use super::{model_name, small, used_by};
use crate::{
    app::App,
    ctx::Ctx,
    dialect::{Failure, v3},
    error::{Error, Result},
    list::ListRequest,
    resource::policies::{
        Kind,
        service::{self, Draft},
        store::{PolicyFilter, PolicyView, Scope},
    },
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use tessera_api::v3::models;

/// What a body says; a field that is not in it stays as it is.
fn draft(body: &impl Serialize) -> Result<Draft> {
    let Value::Object(mut settings) = serde_json::to_value(body).map_err(Error::internal)? else {
        return Err(Error::internal("a body is no object"));
    };
    let name = settings.remove("name").and_then(|name| name.as_str().map(str::to_owned));
    let execution_logging = settings.remove("execution_logging").and_then(|logging| logging.as_bool());
    Ok(Draft { name, execution_logging, settings })
}

/// A field of the settings, typed as on the wire.
fn setting<T: DeserializeOwned>(settings: &mut Map<String, Value>, name: &str) -> Result<T> {
    serde_json::from_value(settings.remove(name).unwrap_or_default()).map_err(Error::internal)
}

macro_rules! kind {
    ($kind:expr, $resource:ident, $prefix:ident, $Prefix:ident, $Model:ident, [$($field:ident),+]) => {
        pastey::paste! {
            const _: () = {
                use tessera_api::v3::apis::$resource::*;

                fn to_model(view: PolicyView) -> Result<models::$Model> {
                    let words = $kind.words();
                    let mut settings = view.policy.fields();
                    Ok(models::$Model {
                        pk: view.policy.id,
                        name: view.policy.name,
                        execution_logging: view.policy.execution_logging,
                        component: words.component.into(),
                        verbose_name: words.verbose_name.into(),
                        verbose_name_plural: words.verbose_name_plural.into(),
                        meta_model_name: model_name(words),
                        bound_to: small(view.bound_to),
                        $($field: setting(&mut settings, stringify!($field))?,)+
                    })
                }

                impl [<$resource:camel>] for App {
                    async fn [<$prefix _list>](
                        &self,
                        ctx: &Ctx,
                        q: [<$Prefix ListQuery>],
                    ) -> std::result::Result<[<$Prefix ListResponse>], Failure> {
                        let (page, size) = (q.page.as_deref(), q.page_size.as_deref());
                        let request = ListRequest::new(page, size, q.ordering.as_deref(), q.search.as_deref())?;
                        let mut settings = Vec::new();
                        $(if let Some(wanted) = q.$field {
                            settings.push((stringify!($field), serde_json::to_value(wanted).map_err(Error::internal)?));
                        })+
                        let filter = PolicyFilter {
                            name: q.name,
                            execution_logging: q.execution_logging,
                            id: q.policy_uuid,
                            created: q.created.map(|time| time.0),
                            last_updated: q.last_updated.map(|time| time.0),
                            settings,
                            ..PolicyFilter::default()
                        };
                        let page = service::list(ctx, Scope::Of($kind), &request, filter).await?;
                        let (pagination, views) = v3::page(page);
                        let results = views.into_iter().map(to_model).collect::<Result<_>>()?;
                        Ok([<$Prefix ListResponse>]::Status200(models::[<Paginated $Model List>] { pagination, results }))
                    }

                    async fn [<$prefix _create>](
                        &self,
                        ctx: &Ctx,
                        body: models::[<$Model Request>],
                    ) -> std::result::Result<[<$Prefix CreateResponse>], Failure> {
                        let view = service::create(ctx, $kind, draft(&body)?).await?;
                        Ok([<$Prefix CreateResponse>]::Status201(to_model(view)?))
                    }

                    async fn [<$prefix _retrieve>](
                        &self,
                        ctx: &Ctx,
                        path: [<$Prefix RetrievePath>],
                    ) -> std::result::Result<[<$Prefix RetrieveResponse>], Failure> {
                        let view = service::view(ctx, Scope::Of($kind), path.policy_uuid).await?;
                        Ok([<$Prefix RetrieveResponse>]::Status200(to_model(view)?))
                    }

                    async fn [<$prefix _update>](
                        &self,
                        ctx: &Ctx,
                        path: [<$Prefix UpdatePath>],
                        body: models::[<$Model Request>],
                    ) -> std::result::Result<[<$Prefix UpdateResponse>], Failure> {
                        let view = service::update(ctx, $kind, path.policy_uuid, draft(&body)?).await?;
                        Ok([<$Prefix UpdateResponse>]::Status200(to_model(view)?))
                    }

                    async fn [<$prefix _partial_update>](
                        &self,
                        ctx: &Ctx,
                        path: [<$Prefix PartialUpdatePath>],
                        body: models::[<Patched $Model Request>],
                    ) -> std::result::Result<[<$Prefix PartialUpdateResponse>], Failure> {
                        let view = service::update(ctx, $kind, path.policy_uuid, draft(&body)?).await?;
                        Ok([<$Prefix PartialUpdateResponse>]::Status200(to_model(view)?))
                    }

                    async fn [<$prefix _destroy>](
                        &self,
                        ctx: &Ctx,
                        path: [<$Prefix DestroyPath>],
                    ) -> std::result::Result<[<$Prefix DestroyResponse>], Failure> {
                        service::delete(ctx, Scope::Of($kind), path.policy_uuid).await?;
                        Ok([<$Prefix DestroyResponse>]::Status204)
                    }

                    async fn [<$prefix _used_by_list>](
                        &self,
                        ctx: &Ctx,
                        path: [<$Prefix UsedByListPath>],
                    ) -> std::result::Result<[<$Prefix UsedByListResponse>], Failure> {
                        let users = used_by(ctx, Scope::Of($kind), path.policy_uuid).await?;
                        Ok([<$Prefix UsedByListResponse>]::Status200(users))
                    }
                }
            };
        }
    };
}

kind!(Kind::Dummy, policies_dummy, policies_dummy, PoliciesDummy, DummyPolicy, [result, wait_min, wait_max]);
kind!(
    Kind::EventMatcher,
    policies_event_matcher,
    policies_event_matcher,
    PoliciesEventMatcher,
    EventMatcherPolicy,
    [action, client_ip, app, model]
);
kind!(
    Kind::Expiry,
    policies_expiry,
    policies_password_expiry,
    PoliciesPasswordExpiry,
    PasswordExpiryPolicy,
    [days, deny_only]
);
kind!(Kind::Expression, policies_expression, policies_expression, PoliciesExpression, ExpressionPolicy, [expression]);
kind!(
    Kind::Password,
    policies_password,
    policies_password,
    PoliciesPassword,
    PasswordPolicy,
    [
        password_field,
        amount_digits,
        amount_uppercase,
        amount_lowercase,
        amount_symbols,
        length_min,
        symbol_charset,
        error_message,
        check_static_rules,
        check_have_i_been_pwned,
        check_zxcvbn,
        hibp_allowed_count,
        zxcvbn_score_threshold
    ]
);
kind!(
    Kind::Reputation,
    policies_reputation,
    policies_reputation,
    PoliciesReputation,
    ReputationPolicy,
    [check_ip, check_username, threshold]
);
