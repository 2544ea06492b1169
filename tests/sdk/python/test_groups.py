"""Groups through authentik's published Python SDK."""
import authentik_client as sdk
import pytest
from authentik_client.exceptions import BadRequestException, ForbiddenException, NotFoundException


@pytest.fixture
def group(core, unique):
    return core.core_groups_create(sdk.GroupRequest(name=unique("group")))


def test_create_with_defaults(core, group):
    assert (group.is_superuser, group.parent, group.parent_name) == (False, None, None)
    assert (group.users, group.attributes, group.roles, group.roles_obj) == ([], {}, [], [])
    assert group.users_obj == []
    assert core.core_groups_retrieve(group.pk) == group


def test_nested(core, group, user, unique, as_user):
    child = core.core_groups_create(sdk.GroupRequest(
        name=unique("child"), parent=group.pk, users=[user.pk], attributes={"floor": 2}))
    assert (child.parent, child.parent_name) == (group.pk, group.name)
    assert (child.users, child.attributes) == ([user.pk], {"floor": 2})
    assert [m.username for m in child.users_obj] == [user.username]
    mine = as_user.core.core_users_me_retrieve().user
    assert [g.name for g in mine.groups] == sorted([group.name, child.name])
    assert mine.is_superuser is False
    core.core_groups_partial_update(group.pk, patched_group_request=sdk.PatchedGroupRequest(is_superuser=True))
    assert as_user.core.core_users_me_retrieve().user.is_superuser is True
    core.core_groups_destroy(group.pk)
    assert core.core_groups_retrieve(child.pk).parent is None
    assert as_user.core.core_users_me_retrieve().user.is_superuser is False


def test_add_and_remove_a_member(core, group, user, refused):
    for _ in range(2):
        assert core.core_groups_add_user_create(group.pk, sdk.UserAccountRequest(pk=user.pk)) is None
        assert core.core_groups_retrieve(group.pk).users == [user.pk]
    assert core.core_users_retrieve(user.pk).groups == [group.pk]
    for _ in range(2):
        assert core.core_groups_remove_user_create(group.pk, sdk.UserAccountRequest(pk=user.pk)) is None
        assert core.core_groups_retrieve(group.pk).users == []
    with refused(NotFoundException) as body:
        core.core_groups_add_user_create(group.pk, sdk.UserAccountRequest(pk=99999999))
    assert body == {"detail": "Not found."}


def test_list_filters(core, user, unique):
    mark = unique("filtered")
    one = core.core_groups_create(sdk.GroupRequest(name=f"{mark} one", users=[user.pk], attributes={"floor": 2}))
    two = core.core_groups_create(sdk.GroupRequest(name=f"{mark} two", is_superuser=True))

    def names(**filters):
        return [g.name for g in core.core_groups_list(**filters).results]

    assert names(search=mark) == [one.name, two.name]
    assert names(search=mark, ordering="-name") == [two.name, one.name]
    assert names(name=one.name) == [one.name]
    assert names(search=mark, is_superuser=True) == [two.name]
    assert names(search=mark, is_superuser=False) == [one.name]
    assert names(members_by_username=[user.username]) == [one.name]
    assert names(members_by_username=[user.username, "akadmin"]) == ["authentik Admins", one.name]
    assert names(members_by_pk=[user.pk]) == [one.name]
    assert names(search=mark, attributes='{"floor": 2}') == [one.name]
    page = core.core_groups_list(search=mark, page=2, page_size=1)
    assert [g.name for g in page.results] == [two.name] and page.pagination.total_pages == 2
    [without] = core.core_groups_list(name=one.name, include_users=False).results
    assert without.users_obj is None and without.users == [user.pk]


def test_update(core, group, user, unique):
    name = unique("renamed")
    after = core.core_groups_update(group.pk, sdk.GroupRequest(name=name, users=[user.pk], attributes={"a": 1}))
    assert (after.pk, after.name, after.users, after.attributes) == (group.pk, name, [user.pk], {"a": 1})
    after = core.core_groups_partial_update(group.pk, patched_group_request=sdk.PatchedGroupRequest(attributes={}))
    assert (after.name, after.users, after.attributes) == (name, [user.pk], {})


def test_refused(core, group, refused):
    with refused(BadRequestException) as body:
        core.core_groups_create(sdk.GroupRequest(name=group.name))
    assert body == {"name": ["This field must be unique."]}
    with refused(BadRequestException) as body:
        core.core_groups_partial_update(group.pk, patched_group_request=sdk.PatchedGroupRequest(parent=group.pk))
    assert body == {"parent": ["Cannot set group as parent of itself."]}
    with refused(BadRequestException) as body:
        core.core_groups_create(sdk.GroupRequest(name="orphan", users=[99999999]))
    assert body == {"users": ['Invalid pk "99999999" - object does not exist.']}


def test_used_by_and_destroy(core, group, refused):
    assert isinstance(core.core_groups_used_by_list(group.pk), list)
    assert core.core_groups_destroy(group.pk) is None
    with refused(NotFoundException) as body:
        core.core_groups_retrieve(group.pk)
    assert body == {"detail": "Not found."}


def test_a_plain_user_may_not_administer(core, group, as_user, user, unique):
    for call in (as_user.core.core_groups_list, lambda: as_user.core.core_groups_retrieve(group.pk),
                 lambda: as_user.core.core_groups_create(sdk.GroupRequest(name=unique())),
                 lambda: as_user.core.core_groups_destroy(group.pk),
                 lambda: as_user.core.core_groups_add_user_create(group.pk, sdk.UserAccountRequest(pk=user.pk))):
        with pytest.raises(ForbiddenException):
            call()
    assert core.core_groups_retrieve(group.pk).users == []
