"""Fixtures: SDK clients for the server that `tests/sdk/run.py` started."""
import itertools, json, os
from http.cookies import SimpleCookie

import authentik_client as sdk
import pytest
import urllib3

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
        self.flows = sdk.FlowsApi(self.raw)
        self.stages = sdk.StagesApi(self.raw)


class Visitor(Client):
    """A browser without a screen: the SDK without a key, with a cookie jar that it does not have itself. Challenges are
    read as they are, since the SDK finds several of its classes in each."""

    def __init__(self):
        super().__init__(None)
        # The SDK would repeat a POST where it is redirected to, without the cookies of the answer.
        self.raw.configuration.retries = urllib3.Retry(redirect=False)
        self.raw.rest_client = type(self.raw.rest_client)(self.raw.configuration)
        self.jar = SimpleCookie()

    def remember(self, response):
        for header in response.headers.getlist("set-cookie"):
            self.jar.load(header)
        kept = {name: morsel.value for name, morsel in self.jar.items() if morsel["max-age"] != "0"}
        self.raw.cookie = "; ".join(f"{name}={value}" for name, value in kept.items())
        self.raw.set_default_header("X-authentik-CSRF", kept.get("authentik_csrf", ""))
        return response

    def get(self, slug, query=""):
        """The challenge of a flow, after all stages that ask nothing."""
        for _ in range(10):
            response = self.remember(self.flows.flows_executor_get_without_preload_content(slug, query))
            if response.status != 302:
                assert response.status == 200, (response.status, response.data)
                return json.loads(response.data)
        raise AssertionError("redirects without end")

    def solve(self, slug, answer, query=""):
        """Answers a challenge with one of the SDK's classes, and gives the next one."""
        answer = sdk.FlowChallengeResponseRequest(answer)
        response = self.remember(self.flows.flows_executor_solve_without_preload_content(slug, query, answer))
        if response.status == 302:
            return self.get(slug, query)
        assert response.status == 200, (response.status, response.data)
        return json.loads(response.data)

    def login(self, username, password, slug="default-authentication-flow"):
        challenge = self.get(slug)
        if challenge["component"] == "ak-stage-identification":
            challenge = self.solve(slug, sdk.IdentificationChallengeResponseRequest(uid_field=username))
        if challenge["component"] == "ak-stage-password":
            challenge = self.solve(slug, sdk.PasswordChallengeResponseRequest(password=password))
        return challenge


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
def visitor():
    """A function that gives visitors, each with a jar of its own."""
    return Visitor


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
