//! `core/groups` of api/v3.yaml: convert in, call the service, convert out.

use super::{
    number,
    service::{self, GroupChange, Membership, NewGroup},
    store::{GroupFilter, GroupView, Member},
};
use crate::{
    app::App,
    ctx::Ctx,
    dialect::{Failure, v3},
    list::{AttributeFilter, ListRequest},
    resource::users,
};
use tessera_api::v3::{apis::groups::*, models};

fn member_to_model(app: &App, member: Member) -> models::GroupMember {
    models::GroupMember {
        pk: member.id,
        username: member.username,
        name: member.name,
        is_active: member.is_active,
        last_login: member.last_login.map(Into::into),
        email: member.email,
        attributes: users::object(member.attributes),
        uid: users::uid(app, member.id),
    }
}

/// A group on the wire.
#[must_use]
pub fn to_model(app: &App, with_users: bool, view: GroupView) -> models::Group {
    let GroupView { group, parent_name, members, roles } = view;
    models::Group {
        pk: group.id,
        num_pk: number(group.id),
        name: group.name,
        is_superuser: group.is_superuser,
        parent: group.parent_id,
        parent_name,
        users: members.iter().map(|m| m.id).collect(),
        users_obj: with_users.then(|| members.into_iter().map(|m| member_to_model(app, m)).collect()),
        attributes: users::object(group.attributes),
        roles: roles.iter().map(|r| r.id).collect(),
        roles_obj: roles.into_iter().map(|r| models::Role { pk: r.id, name: r.name }).collect(),
    }
}

impl Groups for App {
    async fn core_groups_list(&self, ctx: &Ctx, q: CoreGroupsListQuery) -> Result<CoreGroupsListResponse, Failure> {
        let request =
            ListRequest::new(q.page.as_deref(), q.page_size.as_deref(), q.ordering.as_deref(), q.search.as_deref())?;
        let filter = GroupFilter {
            name: q.name,
            is_superuser: q.is_superuser,
            members_by_pk: q.members_by_pk,
            members_by_username: q.members_by_username,
            attributes: q.attributes.as_deref().map(AttributeFilter::new).transpose()?,
        };
        let with_users = q.include_users.unwrap_or(true);
        let page = service::list(ctx, &request, filter).await?;
        let (pagination, results) = v3::page(page.map(|group| to_model(self, with_users, group)));
        Ok(CoreGroupsListResponse::Status200(models::PaginatedGroupList { pagination, results }))
    }

    async fn core_groups_create(
        &self,
        ctx: &Ctx,
        body: models::GroupRequest,
    ) -> Result<CoreGroupsCreateResponse, Failure> {
        let models::GroupRequest { name, is_superuser, parent, users, attributes, roles } = body;
        let new = NewGroup {
            name,
            is_superuser,
            parent: parent.flatten(),
            users: users.unwrap_or_default(),
            attributes,
            roles: roles.unwrap_or_default(),
        };
        let group = service::create(ctx, new).await?;
        Ok(CoreGroupsCreateResponse::Status201(to_model(self, true, group)))
    }

    async fn core_groups_retrieve(
        &self,
        ctx: &Ctx,
        path: CoreGroupsRetrievePath,
        query: CoreGroupsRetrieveQuery,
    ) -> Result<CoreGroupsRetrieveResponse, Failure> {
        let group = service::view(ctx, path.group_uuid).await?;
        Ok(CoreGroupsRetrieveResponse::Status200(to_model(self, query.include_users.unwrap_or(true), group)))
    }

    async fn core_groups_update(
        &self,
        ctx: &Ctx,
        path: CoreGroupsUpdatePath,
        body: models::GroupRequest,
    ) -> Result<CoreGroupsUpdateResponse, Failure> {
        let models::GroupRequest { name, is_superuser, parent, users, attributes, roles } = body;
        let change = GroupChange {
            name: Some(name),
            is_superuser,
            // PUT without these two resets them (contract: authentik-core §1.4).
            parent: Some(parent.flatten()),
            users: Some(users.unwrap_or_default()),
            attributes,
            roles,
        };
        let group = service::update(ctx, path.group_uuid, change).await?;
        Ok(CoreGroupsUpdateResponse::Status200(to_model(self, true, group)))
    }

    async fn core_groups_partial_update(
        &self,
        ctx: &Ctx,
        path: CoreGroupsPartialUpdatePath,
        body: models::PatchedGroupRequest,
    ) -> Result<CoreGroupsPartialUpdateResponse, Failure> {
        let models::PatchedGroupRequest { name, is_superuser, parent, users, attributes, roles } = body;
        let change = GroupChange { name, is_superuser, parent, users, attributes, roles };
        let group = service::update(ctx, path.group_uuid, change).await?;
        Ok(CoreGroupsPartialUpdateResponse::Status200(to_model(self, true, group)))
    }

    async fn core_groups_destroy(
        &self,
        ctx: &Ctx,
        path: CoreGroupsDestroyPath,
    ) -> Result<CoreGroupsDestroyResponse, Failure> {
        service::delete(ctx, path.group_uuid).await?;
        Ok(CoreGroupsDestroyResponse::Status204)
    }

    async fn core_groups_add_user_create(
        &self,
        ctx: &Ctx,
        path: CoreGroupsAddUserCreatePath,
        body: models::UserAccountRequest,
    ) -> Result<CoreGroupsAddUserCreateResponse, Failure> {
        service::set_membership(ctx, path.group_uuid, body.pk, Membership::Begins).await?;
        Ok(CoreGroupsAddUserCreateResponse::Status204)
    }

    async fn core_groups_remove_user_create(
        &self,
        ctx: &Ctx,
        path: CoreGroupsRemoveUserCreatePath,
        body: models::UserAccountRequest,
    ) -> Result<CoreGroupsRemoveUserCreateResponse, Failure> {
        service::set_membership(ctx, path.group_uuid, body.pk, Membership::Ends).await?;
        Ok(CoreGroupsRemoveUserCreateResponse::Status204)
    }

    async fn core_groups_used_by_list(
        &self,
        ctx: &Ctx,
        path: CoreGroupsUsedByListPath,
    ) -> Result<CoreGroupsUsedByListResponse, Failure> {
        let users = service::used_by(ctx, path.group_uuid).await?;
        let children = users
            .children
            .into_iter()
            .map(|g| v3::used_by("authentik_core", "group", g.id, format!("Group {}", g.name), v3::SET_NULL));
        let roles = users
            .roles
            .into_iter()
            .map(|r| v3::used_by("authentik_rbac", "role", r.id, format!("Role {}", r.name), v3::CASCADE_MANY));
        let members = users
            .members
            .into_iter()
            .map(|m| v3::used_by("authentik_core", "user", m.id, m.username, v3::CASCADE_MANY));
        Ok(CoreGroupsUsedByListResponse::Status200(children.chain(roles).chain(members).collect()))
    }
}
