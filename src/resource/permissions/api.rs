//! `rbac/permissions` of api/v3.yaml: convert in, call the service, convert out.

use super::{
    assign::{self, Target, Wanted},
    holders::{self, Asked},
    object_grants::{self, ObjectGrant, Of},
};
use crate::{
    app::App,
    ctx::Ctx,
    dialect::{Failure, v3},
    error::{Error, Result},
    list::ListRequest,
    resource::{
        grants::{
            self, Holder,
            catalogue::{self, Permission},
        },
        groups, users,
    },
};
use std::num::IntErrorKind;
use tessera_api::v3::{apis::permissions::*, models};

fn to_model(permission: &Permission) -> models::Permission {
    models::Permission {
        id: permission.id,
        name: permission.name.clone(),
        codename: permission.codename.clone(),
        model: permission.model.name.into(),
        app_label: permission.model.app_label.into(),
        app_label_verbose: permission.model.app_label_verbose.into(),
        model_verbose: permission.model.verbose.into(),
    }
}

/// A grant on an object with its permission; a code that no longer exists shows nothing.
fn known(grants: Option<Vec<grants::Model>>) -> impl Iterator<Item = (grants::Model, &'static Permission)> {
    let grants = grants.unwrap_or_default().into_iter();
    grants.filter_map(|grant| catalogue::by_code(&grant.permission).map(|permission| (grant, permission)))
}

fn role_grants(grants: Option<Vec<grants::Model>>) -> Vec<models::RoleObjectPermission> {
    let shown = known(grants).map(|(grant, permission)| models::RoleObjectPermission {
        id: grant.id,
        codename: permission.codename.clone(),
        model: permission.model.name.into(),
        app_label: permission.model.app_label.into(),
        object_pk: grant.object_pk.unwrap_or_default(),
        name: permission.name.clone(),
    });
    shown.collect()
}

fn user_grants(grants: Option<Vec<grants::Model>>) -> Vec<models::UserObjectPermission> {
    let shown = known(grants).map(|(grant, permission)| models::UserObjectPermission {
        id: grant.id,
        codename: permission.codename.clone(),
        model: permission.model.name.into(),
        app_label: permission.model.app_label.into(),
        object_pk: grant.object_pk.unwrap_or_default(),
        name: permission.name.clone(),
    });
    shown.collect()
}

fn of_role(shown: ObjectGrant) -> models::ExtraRoleObjectPermission {
    let ObjectGrant { grant, permission, description } = shown;
    models::ExtraRoleObjectPermission {
        id: grant.id,
        codename: permission.codename.clone(),
        model: permission.model.name.into(),
        app_label: permission.model.app_label.into(),
        object_pk: grant.object_pk.unwrap_or_default(),
        name: permission.name.clone(),
        app_label_verbose: permission.model.app_label_verbose.into(),
        model_verbose: permission.model.verbose.into(),
        object_description: description,
    }
}

fn of_user(shown: ObjectGrant) -> models::ExtraUserObjectPermission {
    let models::ExtraRoleObjectPermission {
        id,
        codename,
        model,
        app_label,
        object_pk,
        name,
        app_label_verbose,
        model_verbose,
        object_description,
    } = of_role(shown);
    models::ExtraUserObjectPermission {
        id,
        codename,
        model,
        app_label,
        object_pk,
        name,
        app_label_verbose,
        model_verbose,
        object_description,
    }
}

/// Pages of grants on objects hold ten at most when a size is asked for (authentik-rbac §4.2).
fn at_most_ten(page_size: Option<&str>) -> Option<&str> {
    page_size.map(|text| match text.trim().parse::<u64>() {
        Ok(size) if size > 10 => "10",
        Err(error) if *error.kind() == IntErrorKind::PosOverflow => "10",
        _ => text,
    })
}

fn given(answer: Vec<i32>) -> Vec<models::PermissionAssignResult> {
    answer.into_iter().map(|id| models::PermissionAssignResult { id: id.to_string() }).collect()
}

fn wanted(body: models::PermissionAssignRequest) -> Wanted {
    let models::PermissionAssignRequest { permissions, model, object_pk } = body;
    Wanted { permissions, model: model.map(|m| m.as_str().to_owned()), object_pk }
}

fn unwanted(body: models::PatchedPermissionAssignRequest) -> Result<Wanted> {
    let models::PatchedPermissionAssignRequest { permissions, model, object_pk } = body;
    // Required here too, though the document of the original has it as optional.
    let permissions = permissions.ok_or_else(|| Error::rule("permissions", "This field is required."))?;
    Ok(Wanted { permissions, model: model.map(|m| m.as_str().to_owned()), object_pk })
}

impl Permissions for App {
    async fn rbac_permissions_list(
        &self,
        ctx: &Ctx,
        q: RbacPermissionsListQuery,
    ) -> Result<RbacPermissionsListResponse, Failure> {
        let request =
            ListRequest::new(q.page.as_deref(), q.page_size.as_deref(), q.ordering.as_deref(), q.search.as_deref())?;
        let held = holders::held(ctx, q.role.as_deref(), q.user).await?;
        let equal = |wanted: &Option<String>, value: &str| wanted.as_deref().is_none_or(|wanted| wanted == value);
        let mut found: Vec<&Permission> = catalogue::all()
            .iter()
            .filter(|p| equal(&q.codename, &p.codename))
            .filter(|p| equal(&q.content_type__model, p.model.name))
            .filter(|p| equal(&q.content_type__app_label, p.model.app_label))
            .filter(|p| held.iter().all(|codes| codes.contains(&p.code())))
            .filter(|p| request.finds(&[&p.codename, p.model.name, p.model.app_label]))
            .collect();
        found.sort_by_key(|p| p.id);
        let key = |p: &&Permission, name: &str| match name {
            "name" => Some(p.name.clone()),
            "codename" => Some(p.codename.clone()),
            "id" => Some(format!("{:010}", p.id)),
            _ => None,
        };
        request.sort(&mut found, key, "name");
        let (pagination, results) = v3::page(request.cut(found)?.map(to_model));
        Ok(RbacPermissionsListResponse::Status200(models::PaginatedPermissionList { pagination, results }))
    }

    async fn rbac_permissions_retrieve(
        &self,
        _: &Ctx,
        path: RbacPermissionsRetrievePath,
    ) -> Result<RbacPermissionsRetrieveResponse, Failure> {
        let permission = catalogue::by_id(path.id).ok_or(Error::NotFound)?;
        Ok(RbacPermissionsRetrieveResponse::Status200(to_model(permission)))
    }

    async fn rbac_permissions_assigned_by_roles_list(
        &self,
        ctx: &Ctx,
        q: RbacPermissionsAssignedByRolesListQuery,
    ) -> Result<RbacPermissionsAssignedByRolesListResponse, Failure> {
        let request = ListRequest::new(q.page.as_deref(), q.page_size.as_deref(), None, None)?;
        let asked = Asked::new(q.model.as_ref().map_or("", |m| m.as_str()), q.object_pk);
        let (page, mut held) = holders::of_roles(self.db.read(), &ctx.principal, &request, &asked).await?;
        let (pagination, results) = v3::page(page.map(|role| models::RoleAssignedObjectPermission {
            permissions: role_grants(held.remove(&role.id)),
            role_pk: role.id.to_string(),
            name: role.name,
        }));
        let page = models::PaginatedRoleAssignedObjectPermissionList { pagination, results };
        Ok(RbacPermissionsAssignedByRolesListResponse::Status200(page))
    }

    async fn rbac_permissions_assigned_by_users_list(
        &self,
        ctx: &Ctx,
        q: RbacPermissionsAssignedByUsersListQuery,
    ) -> Result<RbacPermissionsAssignedByUsersListResponse, Failure> {
        let request = ListRequest::new(q.page.as_deref(), q.page_size.as_deref(), None, None)?;
        let asked = Asked::new(q.model.as_ref().map_or("", |m| m.as_str()), q.object_pk);
        let db = self.db.read();
        let (page, mut held) = holders::of_users(db, &ctx.principal, &request, &asked).await?;
        let superusers = groups::hierarchy::superusers(db).await?;
        let (pagination, results) = v3::page(page.map(|user| models::UserAssignedObjectPermission {
            pk: user.id,
            permissions: user_grants(held.remove(&user.id)),
            is_superuser: superusers.contains(&user.id),
            uid: users::uid(self, user.id),
            username: user.username,
            name: user.name,
            is_active: user.is_active,
            last_login: user.last_login.map(Into::into),
            email: user.email,
            attributes: users::object(user.attributes),
        }));
        let page = models::PaginatedUserAssignedObjectPermissionList { pagination, results };
        Ok(RbacPermissionsAssignedByUsersListResponse::Status200(page))
    }

    async fn rbac_permissions_assigned_by_roles_assign(
        &self,
        ctx: &Ctx,
        path: RbacPermissionsAssignedByRolesAssignPath,
        body: models::PermissionAssignRequest,
    ) -> Result<RbacPermissionsAssignedByRolesAssignResponse, Failure> {
        let ids = assign::assign(ctx, Target::Role(path.uuid), wanted(body)).await?;
        Ok(RbacPermissionsAssignedByRolesAssignResponse::Status200(given(ids)))
    }

    async fn rbac_permissions_assigned_by_roles_unassign_partial_update(
        &self,
        ctx: &Ctx,
        path: RbacPermissionsAssignedByRolesUnassignPartialUpdatePath,
        body: models::PatchedPermissionAssignRequest,
    ) -> Result<RbacPermissionsAssignedByRolesUnassignPartialUpdateResponse, Failure> {
        assign::unassign(ctx, Target::Role(path.uuid), unwanted(body)?).await?;
        Ok(RbacPermissionsAssignedByRolesUnassignPartialUpdateResponse::Status204)
    }

    async fn rbac_permissions_assigned_by_users_assign(
        &self,
        ctx: &Ctx,
        path: RbacPermissionsAssignedByUsersAssignPath,
        body: models::PermissionAssignRequest,
    ) -> Result<RbacPermissionsAssignedByUsersAssignResponse, Failure> {
        let ids = assign::assign(ctx, Target::User(path.id), wanted(body)).await?;
        Ok(RbacPermissionsAssignedByUsersAssignResponse::Status200(given(ids)))
    }

    async fn rbac_permissions_assigned_by_users_unassign_partial_update(
        &self,
        ctx: &Ctx,
        path: RbacPermissionsAssignedByUsersUnassignPartialUpdatePath,
        body: models::PatchedPermissionAssignRequest,
    ) -> Result<RbacPermissionsAssignedByUsersUnassignPartialUpdateResponse, Failure> {
        assign::unassign(ctx, Target::User(path.id), unwanted(body)?).await?;
        Ok(RbacPermissionsAssignedByUsersUnassignPartialUpdateResponse::Status204)
    }

    async fn rbac_permissions_roles_list(
        &self,
        ctx: &Ctx,
        q: RbacPermissionsRolesListQuery,
    ) -> Result<RbacPermissionsRolesListResponse, Failure> {
        let size = at_most_ten(q.page_size.as_deref());
        let request = ListRequest::new(q.page.as_deref(), size, q.ordering.as_deref(), None)?;
        let page = object_grants::list(ctx, Of::Roles, &request, q.uuid.map(Holder::Role)).await?;
        let (pagination, results) = v3::page(page.map(of_role));
        let page = models::PaginatedExtraRoleObjectPermissionList { pagination, results };
        Ok(RbacPermissionsRolesListResponse::Status200(page))
    }

    async fn rbac_permissions_roles_retrieve(
        &self,
        ctx: &Ctx,
        path: RbacPermissionsRolesRetrievePath,
    ) -> Result<RbacPermissionsRolesRetrieveResponse, Failure> {
        let shown = object_grants::view(ctx, Of::Roles, path.id).await?;
        Ok(RbacPermissionsRolesRetrieveResponse::Status200(of_role(shown)))
    }

    async fn rbac_permissions_roles_update(
        &self,
        ctx: &Ctx,
        path: RbacPermissionsRolesUpdatePath,
        body: models::ExtraRoleObjectPermissionRequest,
    ) -> Result<RbacPermissionsRolesUpdateResponse, Failure> {
        let shown = object_grants::update(ctx, Of::Roles, path.id, Some(body.object_pk)).await?;
        Ok(RbacPermissionsRolesUpdateResponse::Status200(of_role(shown)))
    }

    async fn rbac_permissions_roles_partial_update(
        &self,
        ctx: &Ctx,
        path: RbacPermissionsRolesPartialUpdatePath,
        body: models::PatchedExtraRoleObjectPermissionRequest,
    ) -> Result<RbacPermissionsRolesPartialUpdateResponse, Failure> {
        let shown = object_grants::update(ctx, Of::Roles, path.id, body.object_pk).await?;
        Ok(RbacPermissionsRolesPartialUpdateResponse::Status200(of_role(shown)))
    }

    async fn rbac_permissions_roles_destroy(
        &self,
        ctx: &Ctx,
        path: RbacPermissionsRolesDestroyPath,
    ) -> Result<RbacPermissionsRolesDestroyResponse, Failure> {
        object_grants::delete(ctx, Of::Roles, path.id).await?;
        Ok(RbacPermissionsRolesDestroyResponse::Status204)
    }

    async fn rbac_permissions_users_list(
        &self,
        ctx: &Ctx,
        q: RbacPermissionsUsersListQuery,
    ) -> Result<RbacPermissionsUsersListResponse, Failure> {
        let size = at_most_ten(q.page_size.as_deref());
        let request = ListRequest::new(q.page.as_deref(), size, q.ordering.as_deref(), None)?;
        let page = object_grants::list(ctx, Of::Users, &request, q.user_id.map(Holder::User)).await?;
        let (pagination, results) = v3::page(page.map(of_user));
        let page = models::PaginatedExtraUserObjectPermissionList { pagination, results };
        Ok(RbacPermissionsUsersListResponse::Status200(page))
    }

    async fn rbac_permissions_users_retrieve(
        &self,
        ctx: &Ctx,
        path: RbacPermissionsUsersRetrievePath,
    ) -> Result<RbacPermissionsUsersRetrieveResponse, Failure> {
        let shown = object_grants::view(ctx, Of::Users, path.id).await?;
        Ok(RbacPermissionsUsersRetrieveResponse::Status200(of_user(shown)))
    }

    async fn rbac_permissions_users_update(
        &self,
        ctx: &Ctx,
        path: RbacPermissionsUsersUpdatePath,
        body: models::ExtraUserObjectPermissionRequest,
    ) -> Result<RbacPermissionsUsersUpdateResponse, Failure> {
        let shown = object_grants::update(ctx, Of::Users, path.id, Some(body.object_pk)).await?;
        Ok(RbacPermissionsUsersUpdateResponse::Status200(of_user(shown)))
    }

    async fn rbac_permissions_users_partial_update(
        &self,
        ctx: &Ctx,
        path: RbacPermissionsUsersPartialUpdatePath,
        body: models::PatchedExtraUserObjectPermissionRequest,
    ) -> Result<RbacPermissionsUsersPartialUpdateResponse, Failure> {
        let shown = object_grants::update(ctx, Of::Users, path.id, body.object_pk).await?;
        Ok(RbacPermissionsUsersPartialUpdateResponse::Status200(of_user(shown)))
    }

    async fn rbac_permissions_users_destroy(
        &self,
        ctx: &Ctx,
        path: RbacPermissionsUsersDestroyPath,
    ) -> Result<RbacPermissionsUsersDestroyResponse, Failure> {
        object_grants::delete(ctx, Of::Users, path.id).await?;
        Ok(RbacPermissionsUsersDestroyResponse::Status204)
    }
}
