"""Fixtures: SDK clients for the server that `tests/sdk/run.py` started."""
import itertools, json, os

import authentik_client as sdk
import pytest

BASE = os.environ["SDK_TEST_BASE"]
ADMIN_TOKEN = os.environ["SDK_TEST_TOKEN"]
_numbers = itertools.count(1)


class Client:
    """The SDK's API classes for one key; `None` calls without credentials."""

    def __init__(self, key):
        self.raw = sdk.ApiClient(sdk.Configuration(host=f"{BASE}/api/v3", access_token=key))
        self.core = sdk.CoreApi(self.raw)
        self.root = sdk.RootApi(self.raw)
        self.admin = sdk.AdminApi(self.raw)
        self.schema = sdk.SchemaApi(self.raw)
        self.rbac = sdk.RbacApi(self.raw)
        self.events = sdk.EventsApi(self.raw)
        self.policies = sdk.PoliciesApi(self.raw)


@pytest.fixture(scope="session")
def admin():
    return Client(ADMIN_TOKEN)


@pytest.fixture
def core(admin):
    return admin.core


@pytest.fixture(scope="session")
def client():
    return Client


@pytest.fixture
def unique():
    """A function that gives names no other test uses."""
    return lambda what="sdk": f"{what}-{next(_numbers)}-{os.getpid()}"


@pytest.fixture
def user(core, unique):
    """A plain user, removed afterwards."""
    made = core.core_users_create(sdk.UserRequest(username=unique("user"), name="Plain User"))
    yield made
    try:
        core.core_users_destroy(made.pk)
    except sdk.exceptions.NotFoundException:
        pass


@pytest.fixture
def as_user(core, user, unique, client):
    """A client that acts as `user`, through a key that an administrator set."""
    token = core.core_tokens_create(sdk.TokenRequest(identifier=unique("key"), user=user.pk))
    return client(core.core_tokens_view_key_retrieve(token.identifier).key)


@pytest.fixture
def refused():
    """`with refused(sdk exception) as body:` runs what must fail; `body` then holds the decoded answer."""
    return Refused


class Refused:
    def __init__(self, kind):
        self.kind, self.body = kind, {}

    def __enter__(self):
        return self.body

    def __exit__(self, kind, error, _traceback):
        assert kind is not None, f"{self.kind.__name__} was expected, but the call succeeded"
        if not isinstance(error, self.kind):
            return False
        self.body.update(json.loads(error.body))
        return True
