"""Tokens through authentik's published Python SDK: each of the nine operations, and what they refuse."""
from datetime import datetime, timedelta, timezone

import authentik_client as sdk
import pytest
from authentik_client.exceptions import BadRequestException, ForbiddenException, NotFoundException

NOT_FOUND = {"detail": "Not found."}


@pytest.fixture
def token(core, unique):
    return core.core_tokens_create(sdk.TokenRequest(identifier=unique("token"), description="made by a test"))


def soon():
    return (datetime.now(timezone.utc) + timedelta(minutes=10)).replace(microsecond=0)


def test_create_with_defaults(core, token):
    me = core.core_users_me_retrieve().user
    assert token.intent == sdk.IntentEnum.API
    assert token.user == token.user_obj.pk == me.pk
    assert token.user_obj.username == "akadmin" and token.user_obj.is_superuser
    assert token.description == "made by a test"
    assert token.expiring is True and token.managed is None
    life = token.expires - datetime.now(timezone.utc)
    assert timedelta(minutes=28) < life <= timedelta(minutes=30)


def test_create_with_everything(core, user, unique):
    expires = soon()
    made = core.core_tokens_create(sdk.TokenRequest(
        identifier=unique("full"), intent=sdk.IntentEnum.APP_PASSWORD, user=user.pk,
        description="for a mail client", expires=expires, expiring=False, managed=unique("managed")))
    assert made.intent == sdk.IntentEnum.APP_PASSWORD
    assert made.user == user.pk and made.user_obj.username == user.username
    assert made.expires == expires and made.expiring is False
    assert made.managed.startswith("managed-")


def test_retrieve(core, token):
    assert core.core_tokens_retrieve(token.identifier) == token


def test_list_in_pages(core, unique):
    mark = unique("paged")
    names = [f"{mark}-{n}" for n in range(5)]
    for name in reversed(names):
        core.core_tokens_create(sdk.TokenRequest(identifier=name))
    pages = [core.core_tokens_list(search=mark, page=n, page_size=2) for n in (1, 2, 3)]
    assert [t.identifier for page in pages for t in page.results] == names
    first, _, last = (page.pagination for page in pages)
    assert (first.count, first.total_pages, first.current) == (5, 3, 1)
    assert (first.previous, first.next, first.start_index, first.end_index) == (0, 2, 1, 2)
    assert (last.previous, last.next, last.start_index, last.end_index) == (2, 0, 5, 5)


def test_list_filters(core, user, unique):
    mark = unique("filtered")
    core.core_tokens_create(sdk.TokenRequest(identifier=f"{mark}-api", description=mark))
    core.core_tokens_create(sdk.TokenRequest(identifier=f"{mark}-app", intent="app_password", user=user.pk,
                                             managed=mark, expires=soon(), expiring=False))

    def names(**filters):
        return [t.identifier for t in core.core_tokens_list(**filters).results]

    assert names(identifier=f"{mark}-api") == [f"{mark}-api"]
    assert names(search=mark, intent="app_password") == [f"{mark}-app"]
    assert names(search=mark, expiring=True) == [f"{mark}-api"]
    assert names(search=mark, expiring=False) == [f"{mark}-app"]
    assert names(user__username=user.username) == [f"{mark}-app"]
    assert names(description=mark) == [f"{mark}-api"]
    assert names(managed=mark) == [f"{mark}-app"]
    assert names(search=f"{mark} app_password") == [f"{mark}-app"]
    assert names(search=user.username.upper()) == [f"{mark}-app"]
    assert names(search="nothing-is-called-so") == []


def test_list_order(core, unique):
    mark = unique("ordered")
    for name, expiring in (("b", True), ("a", False), ("c", False)):
        core.core_tokens_create(sdk.TokenRequest(identifier=f"{mark}-{name}", expiring=expiring))

    def order(ordering=None):
        return [t.identifier[-1] for t in core.core_tokens_list(search=mark, ordering=ordering).results]

    assert order() == order("identifier") == ["a", "b", "c"]
    assert order("-identifier") == ["c", "b", "a"]
    assert order("expiring,-identifier") == ["c", "a", "b"]
    assert order("no_such_column") == ["a", "b", "c"]


def test_partial_update_changes_only_what_is_sent(core, user, unique):
    made = core.core_tokens_create(sdk.TokenRequest(identifier=unique("patch"), user=user.pk, intent="app_password"))
    after = core.core_tokens_partial_update(
        made.identifier, patched_token_request=sdk.PatchedTokenRequest(description="changed", expiring=False))
    assert after.description == "changed" and after.expiring is False
    assert (after.pk, after.user, after.intent) == (made.pk, user.pk, sdk.IntentEnum.APP_PASSWORD)


def test_update_renames(core, token, unique):
    name = unique("renamed")
    after = core.core_tokens_update(token.identifier, sdk.TokenRequest(identifier=name, intent="api", user=token.user))
    assert (after.identifier, after.pk, after.description) == (name, token.pk, token.description)
    with pytest.raises(NotFoundException):
        core.core_tokens_retrieve(token.identifier)


def test_the_key_is_shown_and_works(core, token, client):
    key = core.core_tokens_view_key_retrieve(token.identifier).key
    assert len(key) == 60
    assert core.core_tokens_view_key_retrieve(token.identifier).key == key
    assert client(key).core.core_users_me_retrieve().user.username == "akadmin"


def test_set_key(core, token, client, unique, refused):
    old = core.core_tokens_view_key_retrieve(token.identifier).key
    new = unique("a key of my own, not guessed by anyone")
    core.core_tokens_set_key_create(token.identifier, sdk.TokenSetKeyRequest(key=new))
    assert core.core_tokens_view_key_retrieve(token.identifier).key == new
    assert client(new).core.core_users_me_retrieve().user.username == "akadmin"
    with refused(ForbiddenException) as body:
        client(old).core.core_users_me_retrieve()
    assert body == {"detail": "Token invalid/expired"}


def test_a_key_belongs_to_one_token(core, token, unique):
    key = unique("taken")
    core.core_tokens_set_key_create(token.identifier, sdk.TokenSetKeyRequest(key=key))
    other = core.core_tokens_create(sdk.TokenRequest(identifier=unique("other")))
    with pytest.raises(BadRequestException):
        core.core_tokens_set_key_create(other.identifier, sdk.TokenSetKeyRequest(key=key))


def test_only_api_tokens_authenticate(core, user, client, unique, refused):
    made = core.core_tokens_create(sdk.TokenRequest(identifier=unique("app"), intent="app_password", user=user.pk))
    with refused(ForbiddenException) as body:
        client(core.core_tokens_view_key_retrieve(made.identifier).key).core.core_users_me_retrieve()
    assert body == {"detail": "Token invalid/expired"}


def test_used_by(core, token):
    assert core.core_tokens_used_by_list(token.identifier) == []


def test_destroy_ends_the_key(core, token, client, refused):
    key = core.core_tokens_view_key_retrieve(token.identifier).key
    assert core.core_tokens_destroy(token.identifier) is None
    with refused(NotFoundException) as body:
        core.core_tokens_retrieve(token.identifier)
    assert body == NOT_FOUND
    with pytest.raises(NotFoundException):
        core.core_tokens_destroy(token.identifier)
    with pytest.raises(ForbiddenException):
        client(key).core.core_users_me_retrieve()


def test_an_identifier_is_taken_once(core, token, refused):
    with refused(BadRequestException) as body:
        core.core_tokens_create(sdk.TokenRequest(identifier=token.identifier))
    assert body == {"identifier": ["Token with this identifier already exists."]}


@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
def test_all_wrong_fields_are_reported_together(core, refused):
    # The SDK checks its arguments itself; `model_construct` gets wrong ones past it.
    wrong = sdk.TokenRequest.model_construct(identifier="a b", user="me", expiring="maybe", managed="")
    with refused(BadRequestException) as body:
        core.core_tokens_create(wrong)
    assert body == {
        "identifier": ['Enter a valid "slug" consisting of letters, numbers, underscores or hyphens.'],
        "user": ["Incorrect type. Expected pk value, received str."],
        "expiring": ["Must be a valid boolean."],
        "managed": ["This field may not be blank."],
    }


@pytest.mark.parametrize("fields, message", [
    ({"user": 99999999}, {"user": ['Invalid pk "99999999" - object does not exist.']}),
    ({"intent": "recovery"}, {"intent": ["Invalid intent recovery"]}),
])
def test_refused_on_creation(core, unique, refused, fields, message):
    with refused(BadRequestException) as body:
        core.core_tokens_create(sdk.TokenRequest(identifier=unique(), **fields))
    assert body == message


def test_an_app_password_has_a_maximum_lifetime(core, unique, refused):
    far = datetime.now(timezone.utc) + timedelta(days=400)
    with refused(BadRequestException) as body:
        core.core_tokens_create(sdk.TokenRequest(identifier=unique(), intent="app_password", expires=far))
    assert list(body) == ["expires"]
    assert body["expires"][0].startswith("Token expires exceeds maximum lifetime (")


def test_the_owner_cannot_be_changed(core, token, user, refused):
    with refused(BadRequestException) as body:
        core.core_tokens_partial_update(token.identifier,
                                        patched_token_request=sdk.PatchedTokenRequest(user=user.pk))
    assert body == {"user": ["User cannot be changed"]}


def test_a_bad_filter_and_a_page_too_far(core, refused):
    with refused(BadRequestException) as body:
        core.core_tokens_list(intent="nope")
    assert body == {"intent": ["Select a valid choice. nope is not one of the available choices."]}
    with refused(NotFoundException) as body:
        core.core_tokens_list(page=99999)
    assert body == {"detail": "Invalid page."}


def test_without_and_with_wrong_credentials(client, refused):
    with refused(ForbiddenException) as body:
        client(None).core.core_tokens_list()
    assert body == {"detail": "Authentication credentials were not provided."}
    with refused(ForbiddenException) as body:
        client("nobody-has-this-key").core.core_tokens_list()
    assert body == {"detail": "Token invalid/expired"}


def test_a_plain_user_sees_only_their_own(core, token, as_user, user, unique, refused):
    assert {t.user for t in as_user.core.core_tokens_list().results} == {user.pk}
    for call in (as_user.core.core_tokens_retrieve, as_user.core.core_tokens_view_key_retrieve,
                 as_user.core.core_tokens_destroy):
        with refused(NotFoundException) as body:
            call(token.identifier)
        assert body == NOT_FOUND
    with pytest.raises(ForbiddenException):
        as_user.core.core_tokens_used_by_list(token.identifier)
    with pytest.raises(NotFoundException):
        as_user.core.core_tokens_partial_update(token.identifier,
                                                patched_token_request=sdk.PatchedTokenRequest(description="mine"))
    assert core.core_tokens_retrieve(token.identifier).description == token.description


def test_a_plain_user_makes_tokens_for_themselves_only(core, as_user, user, client, unique):
    me = core.core_users_me_retrieve().user
    made = as_user.core.core_tokens_create(sdk.TokenRequest(identifier=unique("own"), user=me.pk, expiring=False))
    assert made.user == user.pk and made.expiring is True
    key = as_user.core.core_tokens_view_key_retrieve(made.identifier).key
    assert client(key).core.core_users_me_retrieve().user.pk == user.pk
    as_user.core.core_tokens_destroy(made.identifier)


def test_what_an_administrator_made_keeps_its_key(core, as_user, user, unique):
    made = core.core_tokens_create(sdk.TokenRequest(identifier=unique("given"), user=user.pk))
    assert as_user.core.core_tokens_retrieve(made.identifier).pk == made.pk
    with pytest.raises(ForbiddenException):
        as_user.core.core_tokens_view_key_retrieve(made.identifier)
    with pytest.raises(ForbiddenException):
        as_user.core.core_tokens_set_key_create(made.identifier, sdk.TokenSetKeyRequest(key=unique("stolen")))
