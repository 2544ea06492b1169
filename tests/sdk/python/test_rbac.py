"""Roles and permissions, as somebody would hand out a part of the work."""
import authentik_client as sdk
import pytest


@pytest.fixture
def role(admin, unique):
    made = admin.rbac.rbac_roles_create(sdk.RoleRequest(name=unique("role")))
    yield made
    try:
        admin.rbac.rbac_roles_destroy(made.pk)
    except sdk.exceptions.NotFoundException:
        pass


def test_a_role_from_beginning_to_end(admin, role, unique, refused):
    rbac = admin.rbac
    assert rbac.rbac_roles_retrieve(role.pk).name == role.name
    renamed = rbac.rbac_roles_partial_update(role.pk, patched_role_request=sdk.PatchedRoleRequest(name=unique("other")))
    assert rbac.rbac_roles_list(group__name=renamed.name).results == [renamed]
    with pytest.raises(sdk.exceptions.BadRequestException):
        rbac.rbac_roles_create(sdk.RoleRequest(name=renamed.name))
    rbac.rbac_roles_destroy(role.pk)
    with pytest.raises(sdk.exceptions.NotFoundException):
        rbac.rbac_roles_retrieve(role.pk)


def test_permissions_are_found_by_their_names(admin):
    page = admin.rbac.rbac_permissions_list(codename="view_user", content_type__app_label="authentik_core")
    [permission] = page.results
    assert (permission.model, permission.name) == ("user", "Can view User")
    assert admin.rbac.rbac_permissions_retrieve(permission.id) == permission


def test_a_role_opens_what_it_says(admin, role, as_user, user, unique):
    group = admin.core.core_groups_create(sdk.GroupRequest(name=unique("group"), users=[user.pk], roles=[role.pk]))
    with pytest.raises(sdk.exceptions.ForbiddenException):
        as_user.core.core_users_list()
    given = admin.rbac.rbac_permissions_assigned_by_roles_assign(
        role.pk, sdk.PermissionAssignRequest(permissions=["authentik_core.view_user"]))
    assert len(given) == 1
    assert as_user.core.core_users_retrieve(user.pk).pk == user.pk
    admin.rbac.rbac_permissions_assigned_by_roles_unassign_partial_update(
        role.pk, patched_permission_assign_request=sdk.PatchedPermissionAssignRequest(permissions=["authentik_core.view_user"]))
    with pytest.raises(sdk.exceptions.ForbiddenException):
        as_user.core.core_users_list()
    assert [u.name for u in admin.rbac.rbac_roles_used_by_list(role.pk)] == [f"Group {group.name}"]
    admin.core.core_groups_destroy(group.pk)


def test_one_object_for_one_account(admin, as_user, user, unique):
    group = admin.core.core_groups_create(sdk.GroupRequest(name=unique("group")))
    request = sdk.PermissionAssignRequest(
        permissions=["view_group"], model=sdk.ModelEnum.AUTHENTIK_CORE_DOT_GROUP, object_pk=group.pk)
    [grant] = admin.rbac.rbac_permissions_assigned_by_users_assign(user.pk, request)
    assert [g.pk for g in as_user.core.core_groups_list().results] == [group.pk]
    page = admin.rbac.rbac_permissions_assigned_by_users_list(model="authentik_core.group", object_pk=group.pk)
    [holder] = [u for u in page.results if u.pk == user.pk]
    assert [(p.codename, p.object_pk) for p in holder.permissions] == [("view_group", group.pk)]
    [row] = admin.rbac.rbac_permissions_users_list(user_id=user.pk).results
    assert (str(row.id), row.object_description) == (grant.id, f"Group {group.name}")
    admin.rbac.rbac_permissions_users_destroy(row.id)
    with pytest.raises(sdk.exceptions.ForbiddenException):
        as_user.core.core_groups_list()
    admin.core.core_groups_destroy(group.pk)
