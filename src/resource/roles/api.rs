//! `rbac/roles` of api/v3.yaml: convert in, call the service, convert out.

use super::service;
use crate::{
    app::App,
    ctx::Ctx,
    dialect::{Failure, v3},
    list::ListRequest,
    resource::grants::roles::role::Model,
};
use tessera_api::v3::{apis::roles::*, models};

fn to_model(role: Model) -> models::Role {
    models::Role { pk: role.id, name: role.name }
}

impl Roles for App {
    async fn rbac_roles_list(&self, ctx: &Ctx, q: RbacRolesListQuery) -> Result<RbacRolesListResponse, Failure> {
        let request =
            ListRequest::new(q.page.as_deref(), q.page_size.as_deref(), q.ordering.as_deref(), q.search.as_deref())?;
        // The original filters by the name of a hidden group that every role has.
        let page = service::list(ctx, &request, q.group__name).await?;
        let (pagination, results) = v3::page(page.map(to_model));
        Ok(RbacRolesListResponse::Status200(models::PaginatedRoleList { pagination, results }))
    }

    async fn rbac_roles_create(
        &self,
        ctx: &Ctx,
        body: models::RoleRequest,
    ) -> Result<RbacRolesCreateResponse, Failure> {
        Ok(RbacRolesCreateResponse::Status201(to_model(service::create(ctx, body.name).await?)))
    }

    async fn rbac_roles_retrieve(
        &self,
        ctx: &Ctx,
        path: RbacRolesRetrievePath,
    ) -> Result<RbacRolesRetrieveResponse, Failure> {
        Ok(RbacRolesRetrieveResponse::Status200(to_model(service::view(ctx, path.uuid).await?)))
    }

    async fn rbac_roles_update(
        &self,
        ctx: &Ctx,
        path: RbacRolesUpdatePath,
        body: models::RoleRequest,
    ) -> Result<RbacRolesUpdateResponse, Failure> {
        Ok(RbacRolesUpdateResponse::Status200(to_model(service::update(ctx, path.uuid, Some(body.name)).await?)))
    }

    async fn rbac_roles_partial_update(
        &self,
        ctx: &Ctx,
        path: RbacRolesPartialUpdatePath,
        body: models::PatchedRoleRequest,
    ) -> Result<RbacRolesPartialUpdateResponse, Failure> {
        Ok(RbacRolesPartialUpdateResponse::Status200(to_model(service::update(ctx, path.uuid, body.name).await?)))
    }

    async fn rbac_roles_destroy(
        &self,
        ctx: &Ctx,
        path: RbacRolesDestroyPath,
    ) -> Result<RbacRolesDestroyResponse, Failure> {
        service::delete(ctx, path.uuid).await?;
        Ok(RbacRolesDestroyResponse::Status204)
    }

    async fn rbac_roles_used_by_list(
        &self,
        ctx: &Ctx,
        path: RbacRolesUsedByListPath,
    ) -> Result<RbacRolesUsedByListResponse, Failure> {
        let carrier = service::used_by(ctx, path.uuid).await?;
        let lines = carrier
            .into_iter()
            .map(|g| v3::used_by("authentik_core", "group", g.id, format!("Group {}", g.name), v3::CASCADE_MANY));
        Ok(RbacRolesUsedByListResponse::Status200(lines.collect()))
    }
}
