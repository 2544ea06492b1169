"""Users through authentik's published Python SDK."""
from datetime import datetime, timedelta, timezone

import authentik_client as sdk
import pytest
from authentik_client.exceptions import BadRequestException, ForbiddenException, NotFoundException

DENIED = {"detail": "You do not have permission to perform this action."}


def test_create_with_defaults(user):
    assert user.is_active is True and user.is_superuser is False
    assert (user.email, user.path, user.type) == ("", "users", sdk.UserTypeEnum.INTERNAL)
    assert user.groups == [] and user.groups_obj == [] and user.attributes == {}
    assert user.last_login is None and len(user.uid) == 64 and user.avatar


def test_create_with_everything(core, unique):
    group = core.core_groups_create(sdk.GroupRequest(name=unique("group")))
    made = core.core_users_create(sdk.UserRequest(
        username=unique("full"), name="Fuller", is_active=False, groups=[group.pk], email="full@example.org",
        attributes={"department": {"name": "books"}}, path="staff/library", type="external"))
    assert (made.is_active, made.groups, made.email) == (False, [group.pk], "full@example.org")
    assert [g.name for g in made.groups_obj] == [group.name]
    assert made.attributes == {"department": {"name": "books"}}
    assert (made.path, made.type) == ("staff/library", sdk.UserTypeEnum.EXTERNAL)
    assert core.core_users_retrieve(made.pk) == made


def test_a_username_is_taken_once(core, user, refused):
    with refused(BadRequestException) as body:
        core.core_users_create(sdk.UserRequest(username=user.username, name=""))
    assert body == {"username": ["This field must be unique."]}


@pytest.mark.parametrize("fields, message", [
    ({"email": "nobody"}, {"email": ["Enter a valid email address."]}),
    ({"path": "/users"}, {"path": ["No leading or trailing slashes allowed."]}),
    ({"path": "a//b"}, {"path": ["No empty segments in user path allowed."]}),
    ({"type": "internal_service_account"},
     {"type": ["Setting a user to internal service account is not allowed."]}),
    ({"groups": ["00000000-0000-0000-0000-000000000000"]},
     {"groups": ['Invalid pk "00000000-0000-0000-0000-000000000000" - object does not exist.']}),
])
def test_refused_on_creation(core, unique, refused, fields, message):
    with refused(BadRequestException) as body:
        core.core_users_create(sdk.UserRequest(username=unique(), name="x", **fields))
    assert body == message


def test_list_filters(core, unique):
    mark = unique("filtered")
    group = core.core_groups_create(sdk.GroupRequest(name=f"{mark} group"))
    one = core.core_users_create(sdk.UserRequest(
        username=f"{mark}-one", name=f"{mark} One", email=f"{mark}-one@example.org", groups=[group.pk],
        path=f"{mark}/inner", attributes={"colour": "green", "nested": {"size": 3}}))
    two = core.core_users_create(sdk.UserRequest(
        username=f"{mark}-two", name=f"{mark} Two", is_active=False, type="external", path=mark))

    def names(**filters):
        return [u.username for u in core.core_users_list(**filters).results]

    assert names(search=mark) == [one.username, two.username]
    assert names(search=mark, ordering="-username") == [two.username, one.username]
    assert names(username=one.username) == [one.username]
    assert names(name=f"{mark} Two") == [two.username]
    assert names(email=one.email) == [one.username]
    assert names(uuid=two.uuid) == [two.username]
    assert names(search=mark, is_active=False) == [two.username]
    assert names(search=mark, is_superuser=True) == []
    assert "akadmin" in names(is_superuser=True)
    assert names(path=mark) == [two.username]
    assert names(path_startswith=mark) == [one.username, two.username]
    assert names(search=mark, type=["external", "service_account"]) == [two.username]
    assert names(groups_by_name=[group.name]) == [one.username]
    assert names(groups_by_pk=[group.pk]) == [one.username]
    assert names(search=mark, attributes='{"colour": "green"}') == [one.username]
    assert names(search=mark, attributes='{"nested__size": 3}') == [one.username]
    without = core.core_users_list(username=one.username, include_groups=False).results
    assert without[0].groups_obj is None


def test_partial_update(core, user):
    after = core.core_users_partial_update(user.pk, patched_user_request=sdk.PatchedUserRequest(
        name="Changed", attributes={"a": [1, 2]}))
    assert (after.name, after.attributes, after.username) == ("Changed", {"a": [1, 2]}, user.username)


def test_update(core, user, unique):
    name = unique("renamed")
    after = core.core_users_update(user.pk, sdk.UserRequest(username=name, name="New", email="new@example.org"))
    assert (after.pk, after.username, after.name, after.email) == (user.pk, name, "New", "new@example.org")


def test_set_password(core, user, as_user, refused):
    assert core.core_users_set_password_create(user.pk, sdk.UserPasswordSetRequest(password="a new long password")) is None
    with refused(ForbiddenException) as body:
        as_user.core.core_users_set_password_create(user.pk, sdk.UserPasswordSetRequest(password="my own"))
    assert body == DENIED


def test_me(admin, as_user, user):
    me = admin.core.core_users_me_retrieve()
    assert (me.user.username, me.user.is_superuser, me.original) == ("akadmin", True, None)
    assert [g.name for g in me.user.groups] == ["authentik Admins"]
    assert me.user.settings == {}
    mine = as_user.core.core_users_me_retrieve().user
    assert (mine.pk, mine.is_superuser, mine.groups, mine.system_permissions) == (user.pk, False, [], [])


def test_paths(core, unique):
    path = f"{unique('path')}/inner"
    core.core_users_create(sdk.UserRequest(username=unique(), name="", path=path))
    paths = core.core_users_paths_retrieve().paths
    assert path in paths and "users" in paths and paths == sorted(set(paths))


def test_service_account(core, unique, refused):
    name = unique("robot")
    made = core.core_users_service_account_create(sdk.UserServiceAccountRequest(name=name, create_group=True))
    assert made.username == name and len(made.token) == 60 and made.group_pk
    account = core.core_users_retrieve(made.user_pk)
    assert (account.type, account.path) == (sdk.UserTypeEnum.SERVICE_ACCOUNT, "goauthentik.io/service-accounts")
    assert account.attributes == {"goauthentik.io/user/token-expires": True}
    assert account.uid == made.user_uid and account.groups == [made.group_pk]
    [token] = core.core_tokens_list(user__username=name).results
    assert (token.identifier, token.intent) == (f"service-account-{name}-password", sdk.IntentEnum.APP_PASSWORD)
    life = token.expires - datetime.now(timezone.utc)
    assert timedelta(days=359) < life <= timedelta(days=360)
    assert core.core_tokens_view_key_retrieve(token.identifier).key == made.token
    with refused(BadRequestException) as body:
        core.core_users_service_account_create(sdk.UserServiceAccountRequest(name=name))
    assert body == {"name": ["This field must be unique."]}


def test_deactivation_ends_the_keys(core, user, as_user, refused):
    core.core_users_partial_update(user.pk, patched_user_request=sdk.PatchedUserRequest(is_active=False))
    with refused(ForbiddenException) as body:
        as_user.core.core_users_me_retrieve()
    assert body == {"detail": "Token invalid/expired"}


def test_used_by(core, user):
    assert isinstance(core.core_users_used_by_list(user.pk), list)


def test_destroy_takes_the_tokens_along(core, user, as_user, refused):
    assert core.core_tokens_list(user__username=user.username).pagination.count == 1
    assert core.core_users_destroy(user.pk) is None
    with refused(NotFoundException) as body:
        core.core_users_retrieve(user.pk)
    assert body == {"detail": "Not found."}
    assert core.core_tokens_list(user__username=user.username).pagination.count == 0
    with pytest.raises(ForbiddenException):
        as_user.core.core_users_me_retrieve()


def test_a_plain_user_may_not_administer(core, user, as_user, unique, refused):
    with refused(ForbiddenException) as body:
        as_user.core.core_users_create(sdk.UserRequest(username=unique(), name=""))
    assert body == DENIED
    for call in (as_user.core.core_users_list, lambda: as_user.core.core_users_retrieve(user.pk),
                 lambda: as_user.core.core_users_destroy(user.pk),
                 lambda: as_user.core.core_users_service_account_create(sdk.UserServiceAccountRequest(name="x"))):
        with pytest.raises(ForbiddenException):
            call()
    assert core.core_users_retrieve(user.pk).username == user.username


def test_nobody_without_credentials(client, refused):
    with refused(ForbiddenException) as body:
        client(None).core.core_users_list()
    assert body == {"detail": "Authentication credentials were not provided."}
