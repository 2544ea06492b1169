//! `stages/identification`, `stages/password` and so on of api/v3.yaml. The kinds differ in their fields
//! alone, so one macro writes the seven operations of each.

use super::{flow_set, model_name, used_by};
use crate::{
    app::App,
    ctx::Ctx,
    dialect::{Failure, v3},
    error::{Error, Result},
    list::ListRequest,
    resource::stages::{
        Kind,
        kinds::TEMPLATES,
        service::{self, Draft},
        store::{Scope, StageFilter, StageView},
    },
    secret::PlainSecret,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use tessera_api::v3::models;
use uuid::Uuid;

/// What a body says; a field that is not in it stays as it is.
fn draft(body: &impl Serialize) -> Result<Draft> {
    let Value::Object(mut settings) = serde_json::to_value(body).map_err(Error::internal)? else {
        return Err(Error::internal("a body is no object"));
    };
    let text = |value: Value| match value {
        Value::String(text) => Some(text),
        _ => None,
    };
    Ok(Draft {
        name: settings.remove("name").and_then(text),
        secret: settings.remove("password").and_then(text).map(PlainSecret::new),
        sources: keys(settings.remove("sources"))?.unwrap_or_default(),
        prompts: keys(settings.remove("fields"))?,
        policies: keys(settings.remove("validation_policies"))?,
        settings,
    })
}

fn keys(value: Option<Value>) -> Result<Option<Vec<Uuid>>> {
    value.map(serde_json::from_value).transpose().map_err(Error::internal)
}

/// A field of the settings, typed as on the wire.
fn setting<T: DeserializeOwned>(settings: &mut Map<String, Value>, name: &str) -> Result<T> {
    serde_json::from_value(settings.remove(name).unwrap_or_default()).map_err(Error::internal)
}

/// Adds what a parameter asks for; one that is not given is null, or an empty list.
fn narrow(filter: &mut StageFilter, name: &'static str, wanted: impl Serialize) -> Result<()> {
    let value = serde_json::to_value(wanted).map_err(Error::internal)?;
    if value.is_null() {
        return Ok(());
    }
    match name {
        "stage_uuid" => filter.id = serde_json::from_value(value).map_err(Error::internal)?,
        "fields" => filter.prompts = keys(Some(value))?.unwrap_or_default(),
        "validation_policies" => filter.policies = keys(Some(value))?.unwrap_or_default(),
        own => filter.settings.push((own, value)),
    }
    Ok(())
}

macro_rules! kind {
    (
        $kind:expr, $resource:ident, $prefix:ident, $Prefix:ident, $Model:ident,
        fields: [$($field:ident),*], filters: [$($filter:ident),*] $(, further: { $($further:tt)* })?
    ) => {
        pastey::paste! {
            const _: () = {
                use tessera_api::v3::apis::$resource::*;

                fn to_model(view: StageView) -> Result<models::$Model> {
                    let words = $kind.words();
                    #[allow(unused_mut, unused_variables, reason = "some kinds have no fields of their own")]
                    let mut settings = view.fields();
                    Ok(models::$Model {
                        pk: view.stage.id,
                        name: view.stage.name,
                        component: words.component.into(),
                        verbose_name: words.verbose_name.into(),
                        verbose_name_plural: words.verbose_name_plural.into(),
                        meta_model_name: model_name($kind),
                        flow_set: view.flows.into_iter().map(flow_set::to_model).collect(),
                        $($field: setting(&mut settings, stringify!($field))?,)*
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
                        let mut filter = StageFilter { name: q.name, ..StageFilter::default() };
                        $(narrow(&mut filter, stringify!($filter), q.$filter)?;)*
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
                        let view = service::view(ctx, Scope::Of($kind), path.stage_uuid).await?;
                        Ok([<$Prefix RetrieveResponse>]::Status200(to_model(view)?))
                    }

                    async fn [<$prefix _update>](
                        &self,
                        ctx: &Ctx,
                        path: [<$Prefix UpdatePath>],
                        body: models::[<$Model Request>],
                    ) -> std::result::Result<[<$Prefix UpdateResponse>], Failure> {
                        let view = service::update(ctx, $kind, path.stage_uuid, draft(&body)?).await?;
                        Ok([<$Prefix UpdateResponse>]::Status200(to_model(view)?))
                    }

                    async fn [<$prefix _partial_update>](
                        &self,
                        ctx: &Ctx,
                        path: [<$Prefix PartialUpdatePath>],
                        body: models::[<Patched $Model Request>],
                    ) -> std::result::Result<[<$Prefix PartialUpdateResponse>], Failure> {
                        let view = service::update(ctx, $kind, path.stage_uuid, draft(&body)?).await?;
                        Ok([<$Prefix PartialUpdateResponse>]::Status200(to_model(view)?))
                    }

                    async fn [<$prefix _destroy>](
                        &self,
                        ctx: &Ctx,
                        path: [<$Prefix DestroyPath>],
                    ) -> std::result::Result<[<$Prefix DestroyResponse>], Failure> {
                        service::delete(ctx, Scope::Of($kind), path.stage_uuid).await?;
                        Ok([<$Prefix DestroyResponse>]::Status204)
                    }

                    async fn [<$prefix _used_by_list>](
                        &self,
                        ctx: &Ctx,
                        path: [<$Prefix UsedByListPath>],
                    ) -> std::result::Result<[<$Prefix UsedByListResponse>], Failure> {
                        let users = used_by(ctx, Scope::Of($kind), path.stage_uuid).await?;
                        Ok([<$Prefix UsedByListResponse>]::Status200(users))
                    }

                    $($($further)*)?
                }
            };
        }
    };
}

kind!(
    Kind::Identification, stages_identification, stages_identification, StagesIdentification, IdentificationStage,
    fields: [
        user_fields, password_stage, case_insensitive_matching, show_matched_user, enrollment_flow, recovery_flow,
        passwordless_flow, sources, show_source_labels, pretend_user_exists
    ],
    filters: [
        password_stage, case_insensitive_matching, show_matched_user, enrollment_flow, recovery_flow,
        passwordless_flow, show_source_labels
    ]
);
kind!(
    Kind::Password, stages_password, stages_password, StagesPassword, PasswordStage,
    fields: [backends, configure_flow, failed_attempts_before_cancel, allow_show_password],
    filters: [configure_flow, failed_attempts_before_cancel, allow_show_password]
);
kind!(
    Kind::Prompt, stages_prompt, stages_prompt_stages, StagesPromptStages, PromptStage,
    fields: [fields, validation_policies],
    filters: [fields, validation_policies, stage_uuid]
);
kind!(
    Kind::UserWrite, stages_user_write, stages_user_write, StagesUserWrite, UserWriteStage,
    fields: [user_creation_mode, create_users_as_inactive, create_users_group, user_type, user_path_template],
    filters: [
        user_creation_mode, create_users_as_inactive, create_users_group, user_type, user_path_template, stage_uuid
    ]
);
kind!(
    Kind::UserLogin, stages_user_login, stages_user_login, StagesUserLogin, UserLoginStage,
    fields: [session_duration, terminate_other_sessions, remember_me_offset, network_binding, geoip_binding],
    filters: [
        session_duration, terminate_other_sessions, remember_me_offset, network_binding, geoip_binding, stage_uuid
    ]
);
kind!(
    Kind::UserLogout, stages_user_logout, stages_user_logout, StagesUserLogout, UserLogoutStage,
    fields: [], filters: [stage_uuid]
);
kind!(
    Kind::Consent, stages_consent, stages_consent, StagesConsent, ConsentStage,
    fields: [mode, consent_expire_in], filters: [mode, consent_expire_in, stage_uuid]
);
kind!(
    Kind::Deny, stages_deny, stages_deny, StagesDeny, DenyStage,
    fields: [deny_message], filters: [deny_message, stage_uuid]
);
kind!(
    Kind::Dummy, stages_dummy, stages_dummy, StagesDummy, DummyStage,
    fields: [throw_error], filters: [throw_error, stage_uuid]
);
kind!(
    Kind::Email, stages_email, stages_email, StagesEmail, EmailStage,
    fields: [
        use_global_settings, host, port, username, use_tls, use_ssl, timeout, from_address, token_expiry, subject,
        template, activate_user_on_success
    ],
    filters: [
        use_global_settings, host, port, username, use_tls, use_ssl, timeout, from_address, token_expiry, subject,
        template, activate_user_on_success
    ],
    further: {
        async fn stages_email_templates_list(
            &self,
            _: &Ctx,
        ) -> std::result::Result<StagesEmailTemplatesListResponse, Failure> {
            let templates = TEMPLATES.iter().map(|(name, description)| models::TypeCreate {
                name: (*name).to_owned(),
                description: (*description).to_owned(),
                component: String::new(),
                model_name: String::new(),
                icon_url: None,
                requires_enterprise: false,
            });
            Ok(StagesEmailTemplatesListResponse::Status200(templates.collect()))
        }
    }
);
