"""Bulk updates, which only 2.x has."""
from fixtures import *

BULK = "/personal-access-tokens/v1/bulk-update"
AWARE, CLEARED = ("replace", "/userAwareTokenNeverExpires", True), ("remove", "/expirationDate")


def dated(when):
    return "replace", "/expirationDate", when.isoformat()


def bulk(client, ids, *operations):
    request = client.sdk.BulkUpdatePersonalAccessTokensRequest(
        ids=ids, patch=[client.family.operation(*operation) for operation in operations])
    return client.api.update_bulk_personal_access_tokens_v1(request)


@pytest.fixture
def made(plain, family, new_account):
    """Two tokens of two owners."""
    other = Client(family, configured(new_account("Other Person").token("key")))
    return [plain.make("first"), other.make("second")]


@pytest.fixture
def ids(made):
    return [token.id for token in made]


@pytest.fixture
def expiries(admin, ids):
    def read():
        found = {token.id: token.expiration_date for token in admin.list()}
        return [found[id] for id in ids]
    return read


def test_a_date_is_set_and_cleared(admin, ids, made, expiries):
    later = soon(days=500)
    answer = bulk(admin, ids, dated(later))
    assert {token.id: (token.name, token.expiration_date) for token in answer} == \
        {token.id: (token.name, later) for token in made}
    assert {token.owner.name for token in answer} == {"Plain Person", "Other Person"}
    assert expiries() == [later, later]
    for clearing in (CLEARED, ("replace", "/expirationDate"), ("replace", "/expirationDate", None)):
        with admin.family.refused(400):
            bulk(admin, ids, clearing)
        assert expiries() == [later, later]
        assert [token.expiration_date for token in bulk(admin, ids, clearing, AWARE)] == [None, None]
        assert expiries() == [None, None]
        bulk(admin, ids, dated(later))


def test_post_is_the_same(admin, ids, expiries):
    later = soon(days=40)
    patch = [{"op": "replace", "path": "/expirationDate", "value": later.isoformat()}]
    status, answer = call("POST", BULK, admin.configuration.access_token, {"ids": ids, "patch": patch})
    assert status == 200 and {token["id"] for token in answer} == set(ids)
    assert not any("secret" in token for token in answer)
    assert expiries() == [later, later]


def test_all_or_nothing(admin, ids, expiries):
    before, later = expiries(), dated(soon(days=60))
    for named in ([*ids, NOBODY], [*ids, ids[0]], [*ids, ""], [*ids, " "]):
        with admin.family.refused(400):
            bulk(admin, named, later)
    for refused in (("replace", "/name", "x"), ("replace", "/scope", [ALL]), dated(soon(days=-1)),
                    ("test", "/name", "first"), ("move", "/expirationDate")):
        with admin.family.refused(400):
            bulk(admin, ids, later, refused)
    assert expiries() == before


def test_what_the_sdk_does_not_send(admin, ids, expiries):
    before = expiries()
    patch = [{"op": "replace", "path": "/expirationDate", "value": soon(days=60).isoformat()}]
    for body in ({"ids": [], "patch": patch}, {"ids": ids, "patch": []}, {"ids": ids}, {"patch": patch}, patch, b"{",
                 {"ids": [*ids, *(f"{n:032x}" for n in range(24))], "patch": patch}, {"ids": [7], "patch": patch}):
        for method in ("PATCH", "POST"):
            status, answer = call(method, BULK, admin.configuration.access_token, body)
            assert status == 400 and answer["detailCode"].startswith("400."), answer
    assert expiries() == before


def test_only_administrators(plain, scoped, family, ids, expiries):
    before = expiries()
    for client in (plain, scoped("sp:all-personal-access-tokens:manage"), scoped(DEFAULT)):
        with family.refused(403, FORBIDDEN):
            bulk(client, ids[:1], dated(soon(days=60)))
    assert expiries() == before
