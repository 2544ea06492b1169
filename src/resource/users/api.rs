//! `core/users` of api/v3.yaml: convert in, call the service, convert out.
//!
//! What the answer to a change needs beyond what the service gives is asked for before the change: after
//! it, nothing may fail any more.

use super::{
    avatar,
    entity::Kind,
    impersonation,
    profile::{self, Myself},
    service::{self, NewUser, UserChange},
    service_account::{self, NewServiceAccount},
    store::UserFilter,
    view::{GroupRef, UserView},
};
use crate::{
    app::{App, Shown},
    ctx::Ctx,
    dialect::{Failure, v3},
    flow::recovery,
    list::{AttributeFilter, ListRequest},
    resource::groups,
    secret::{PlainSecret, keyring::hex},
};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use tessera_api::v3::{
    apis::users::*,
    models::{self, UserTypeEnum},
};

impl From<UserTypeEnum> for Kind {
    fn from(kind: UserTypeEnum) -> Self {
        match kind {
            UserTypeEnum::Internal => Self::Internal,
            UserTypeEnum::External => Self::External,
            UserTypeEnum::ServiceAccount => Self::ServiceAccount,
            UserTypeEnum::InternalServiceAccount => Self::InternalServiceAccount,
        }
    }
}

impl From<Kind> for UserTypeEnum {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Internal => Self::Internal,
            Kind::External => Self::External,
            Kind::ServiceAccount => Self::ServiceAccount,
            Kind::InternalServiceAccount => Self::InternalServiceAccount,
        }
    }
}

/// A stable id that says nothing: SHA-256 of `<pk>-<install id>`.
pub fn uid(app: &App, id: i32) -> String {
    hex(&Sha256::digest(format!("{id}-{}", app.install_id)))
}

pub fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn group_to_model(group: GroupRef) -> models::UserGroup {
    models::UserGroup {
        pk: group.id,
        num_pk: groups::number(group.id),
        name: group.name,
        is_superuser: group.is_superuser,
        parent: group.parent_id,
        parent_name: group.parent_name,
        attributes: group.attributes,
    }
}

/// An account on the wire.
#[must_use]
pub fn to_model(app: &App, shown: &Shown, with_groups: bool, user: UserView) -> models::User {
    let avatar = avatar::url(&shown.settings.avatars, &avatar::Whose::from(&user));
    models::User {
        pk: user.id,
        is_superuser: user.groups.iter().any(|g| shown.superuser_groups.contains(&g.id)),
        groups: user.groups.iter().map(|g| g.id).collect(),
        groups_obj: with_groups.then(|| user.groups.into_iter().map(group_to_model).collect()),
        avatar,
        uid: uid(app, user.id),
        username: user.username,
        name: user.name,
        is_active: user.is_active,
        last_login: user.last_login.map(Into::into),
        email: user.email,
        attributes: user.attributes,
        path: user.path,
        r_type: user.kind.into(),
        uuid: user.uuid,
    }
}

fn self_to_model(app: &App, shown: &Shown, me: Myself) -> models::UserSelf {
    let user = me.user;
    models::UserSelf {
        pk: user.id,
        avatar: avatar::url(&shown.settings.avatars, &avatar::Whose::from(&user)),
        username: user.username,
        name: user.name,
        is_active: user.is_active,
        is_superuser: me.superuser,
        groups: me.groups.into_iter().map(|(pk, name)| models::UserSelfGroups { name, pk: pk.to_string() }).collect(),
        email: user.email,
        uid: uid(app, user.id),
        settings: me.settings,
        r_type: user.kind.into(),
        system_permissions: me.system_permissions,
    }
}

impl Users for App {
    async fn core_users_list(&self, ctx: &Ctx, q: CoreUsersListQuery) -> Result<CoreUsersListResponse, Failure> {
        let request =
            ListRequest::new(q.page.as_deref(), q.page_size.as_deref(), q.ordering.as_deref(), q.search.as_deref())?;
        let filter = UserFilter {
            username: q.username,
            email: q.email,
            name: q.name,
            is_active: q.is_active,
            is_superuser: q.is_superuser,
            uuid: q.uuid,
            path: q.path,
            path_startswith: q.path_startswith,
            kinds: q.r#type.iter().filter_map(|t| t.as_str().parse::<UserTypeEnum>().ok()).map(Into::into).collect(),
            groups_by_name: q.groups_by_name,
            groups_by_pk: q.groups_by_pk,
            attributes: q.attributes.as_deref().map(AttributeFilter::new).transpose()?,
        };
        let page = service::list(ctx, &request, filter).await?;
        let shown = self.shown().await?;
        let with_groups = q.include_groups.unwrap_or(true);
        let (pagination, results) = v3::page(page.map(|user| to_model(self, &shown, with_groups, user)));
        Ok(CoreUsersListResponse::Status200(models::PaginatedUserList { pagination, results }))
    }

    async fn core_users_create(
        &self,
        ctx: &Ctx,
        body: models::UserRequest,
    ) -> Result<CoreUsersCreateResponse, Failure> {
        let models::UserRequest { username, name, is_active, last_login, groups, email, attributes, path, r_type } =
            body;
        let new = NewUser {
            username,
            name,
            is_active,
            last_login: last_login.flatten().map(|t| t.0),
            groups: groups.unwrap_or_default(),
            email,
            attributes,
            path,
            kind: r_type.map(Into::into),
        };
        let shown = self.shown().await?;
        let user = service::create(ctx, new).await?;
        Ok(CoreUsersCreateResponse::Status201(to_model(self, &shown, true, user)))
    }

    async fn core_users_retrieve(
        &self,
        ctx: &Ctx,
        path: CoreUsersRetrievePath,
    ) -> Result<CoreUsersRetrieveResponse, Failure> {
        let shown = self.shown().await?;
        let user = service::view(ctx, path.id).await?;
        Ok(CoreUsersRetrieveResponse::Status200(to_model(self, &shown, true, user)))
    }

    async fn core_users_update(
        &self,
        ctx: &Ctx,
        path: CoreUsersUpdatePath,
        body: models::UserRequest,
    ) -> Result<CoreUsersUpdateResponse, Failure> {
        let models::UserRequest {
            username,
            name,
            is_active,
            last_login,
            groups,
            email,
            attributes,
            path: folder,
            r_type,
        } = body;
        let change = UserChange {
            username: Some(username),
            name: Some(name),
            is_active,
            last_login: last_login.map(|t| t.map(|t| t.0)),
            // PUT without them ends every membership (contract: authentik-core §1.4).
            groups: Some(groups.unwrap_or_default()),
            email,
            attributes,
            path: folder,
            kind: r_type.map(Into::into),
        };
        let shown = self.shown().await?;
        let user = service::update(ctx, path.id, change).await?;
        Ok(CoreUsersUpdateResponse::Status200(to_model(self, &shown, true, user)))
    }

    async fn core_users_partial_update(
        &self,
        ctx: &Ctx,
        path: CoreUsersPartialUpdatePath,
        body: models::PatchedUserRequest,
    ) -> Result<CoreUsersPartialUpdateResponse, Failure> {
        let models::PatchedUserRequest {
            username,
            name,
            is_active,
            last_login,
            groups,
            email,
            attributes,
            path: folder,
            r_type,
        } = body;
        let change = UserChange {
            username,
            name,
            is_active,
            last_login: last_login.map(|t| t.map(|t| t.0)),
            groups,
            email,
            attributes,
            path: folder,
            kind: r_type.map(Into::into),
        };
        let shown = self.shown().await?;
        let user = service::update(ctx, path.id, change).await?;
        Ok(CoreUsersPartialUpdateResponse::Status200(to_model(self, &shown, true, user)))
    }

    async fn core_users_destroy(
        &self,
        ctx: &Ctx,
        path: CoreUsersDestroyPath,
    ) -> Result<CoreUsersDestroyResponse, Failure> {
        service::delete(ctx, path.id).await?;
        Ok(CoreUsersDestroyResponse::Status204)
    }

    async fn core_users_used_by_list(
        &self,
        ctx: &Ctx,
        path: CoreUsersUsedByListPath,
    ) -> Result<CoreUsersUsedByListResponse, Failure> {
        let groups = groups::service::of_user(ctx, path.id).await?;
        let used_by = groups
            .into_iter()
            .map(|group| {
                v3::used_by("authentik_core", "group", group.id, format!("Group {}", group.name), v3::CASCADE_MANY)
            })
            .collect();
        Ok(CoreUsersUsedByListResponse::Status200(used_by))
    }

    async fn core_users_me_retrieve(&self, ctx: &Ctx) -> Result<CoreUsersMeRetrieveResponse, Failure> {
        let shown = self.shown().await?;
        let user = self_to_model(self, &shown, profile::myself(ctx).await?);
        let original = profile::original(ctx).await?.map(|own| self_to_model(self, &shown, own));
        Ok(CoreUsersMeRetrieveResponse::Status200(models::SessionUser { user, original }))
    }

    async fn core_users_paths_retrieve(
        &self,
        ctx: &Ctx,
        query: CoreUsersPathsRetrieveQuery,
    ) -> Result<CoreUsersPathsRetrieveResponse, Failure> {
        let request = ListRequest::new(None, None, None, query.search.as_deref())?;
        let paths = service::paths(ctx, &request).await?;
        Ok(CoreUsersPathsRetrieveResponse::Status200(models::UserPath { paths }))
    }

    async fn core_users_service_account_create(
        &self,
        ctx: &Ctx,
        body: models::UserServiceAccountRequest,
    ) -> Result<CoreUsersServiceAccountCreateResponse, Failure> {
        let models::UserServiceAccountRequest { name, create_group, expiring, expires } = body;
        let new = NewServiceAccount {
            name,
            create_group: create_group.unwrap_or(false),
            expiring: expiring.unwrap_or(true),
            expires: expires.map(|t| t.0),
        };
        let made = service_account::create(ctx, new).await?;
        let body = models::UserServiceAccountResponse {
            user_uid: uid(self, made.user.id),
            user_pk: made.user.id,
            username: made.user.username,
            group_pk: made.group.map(|id| id.to_string()),
            token: made.key.reveal().to_owned(),
        };
        Ok(CoreUsersServiceAccountCreateResponse::Status200(body))
    }

    async fn core_users_set_password_create(
        &self,
        ctx: &Ctx,
        path: CoreUsersSetPasswordCreatePath,
        body: models::UserPasswordSetRequest,
    ) -> Result<CoreUsersSetPasswordCreateResponse, Failure> {
        service::set_password(ctx, path.id, body.password.flatten().map(PlainSecret::new)).await?;
        Ok(CoreUsersSetPasswordCreateResponse::Status204)
    }

    async fn core_users_metrics_retrieve(
        &self,
        ctx: &Ctx,
        path: CoreUsersMetricsRetrievePath,
    ) -> Result<CoreUsersMetricsRetrieveResponse, Failure> {
        let metrics = service::metrics(ctx, path.id).await?;
        Ok(CoreUsersMetricsRetrieveResponse::Status200(models::UserMetrics {
            logins: v3::curve(metrics.logins),
            logins_failed: v3::curve(metrics.logins_failed),
            authorizations: v3::curve(metrics.authorizations),
        }))
    }

    async fn core_users_impersonate_create(
        &self,
        ctx: &Ctx,
        path: CoreUsersImpersonateCreatePath,
    ) -> Result<CoreUsersImpersonateCreateResponse, Failure> {
        impersonation::begin(ctx, path.id).await?;
        Ok(CoreUsersImpersonateCreateResponse::Status201)
    }

    async fn core_users_impersonate_end_retrieve(
        &self,
        ctx: &Ctx,
    ) -> Result<CoreUsersImpersonateEndRetrieveResponse, Failure> {
        impersonation::end(ctx).await?;
        Ok(CoreUsersImpersonateEndRetrieveResponse::Status204)
    }

    async fn core_users_recovery_create(
        &self,
        ctx: &Ctx,
        path: CoreUsersRecoveryCreatePath,
    ) -> Result<CoreUsersRecoveryCreateResponse, Failure> {
        let link = recovery::link(ctx, path.id).await?;
        Ok(CoreUsersRecoveryCreateResponse::Status200(models::Link { link: link.reveal().to_owned() }))
    }

    async fn core_users_recovery_email_create(
        &self,
        ctx: &Ctx,
        path: CoreUsersRecoveryEmailCreatePath,
        query: CoreUsersRecoveryEmailCreateQuery,
    ) -> Result<CoreUsersRecoveryEmailCreateResponse, Failure> {
        recovery::send(ctx, path.id, query.email_stage.as_deref()).await?;
        Ok(CoreUsersRecoveryEmailCreateResponse::Status204)
    }
}
