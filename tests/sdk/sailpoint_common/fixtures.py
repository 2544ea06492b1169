"""What the suites of both generations of SailPoint's Python SDK share: clients, accounts, how a refusal looks.

A suite's conftest.py adds the fixture `family`; `tests/sdk/run.py` starts the servers."""
import contextlib, importlib, itertools, json, os, re, time, urllib.error, urllib.request, warnings
from datetime import datetime, timedelta, timezone
from typing import NamedTuple

import pytest
import urllib3
from sailpoint.configuration import Configuration, ConfigurationParams

import tessera

BASE, ADMIN_KEY = os.environ["SDK_TEST_BASE"], os.environ["SDK_TEST_TOKEN"]
ADMIN = os.environ["SDK_TEST_PAT_ID"], os.environ["SDK_TEST_PAT_SECRET"]
THROTTLED_BASE = os.environ["SDK_TEST_THROTTLED_BASE"]
THROTTLED = os.environ["SDK_TEST_THROTTLED_PAT_ID"], os.environ["SDK_TEST_THROTTLED_PAT_SECRET"]

MISSING, ILLEGAL = "400.1.0 Required Data Missing Or Empty", "400.1.3 Illegal value"
TOO_MANY, DUPLICATE = "400.1.4 Limit violation", "400.1.409 Reference conflict"
FORBIDDEN, UNKNOWN = "403 Forbidden", "404 Not found"
ALL, DEFAULT = "sp:scopes:all", "sp:scopes:default"
NOBODY = "0" * 32
NEVER = datetime(9999, 12, 31, 23, 59, 59, 999000, timezone.utc)
_numbers = itertools.count(1)


def now():
    return datetime.now(timezone.utc)


def soon(**later):
    """A time that milliseconds hold exactly."""
    return now().replace(microsecond=120000) + timedelta(**later or {"days": 30})


def configured(token=None, base=BASE, bearer=None):
    """The SDK's configuration for an id and a secret, for which it fetches a bearer token; or for a bearer token."""
    params = ConfigurationParams()
    params.base_url, params.access_token = base, bearer
    params.client_id, params.client_secret = token or (None, None)
    return Configuration(params)


class Family:
    """One family of an SDK: its generated classes, its mount, and whether an expiry must be chosen on create."""

    def __init__(self, package, mount, explicit, suffix="", shared=None):
        self.sdk, self.mount, self.explicit, self.suffix = importlib.import_module(package), mount, explicit, suffix
        # 2.x has a client for all services beside that of each, with exceptions of its own.
        self.client = importlib.import_module(f"{shared or package}.api_client").ApiClient
        self.exceptions = importlib.import_module(f"{shared or package}.exceptions")
        # The class around a patched value is another one in each family.
        self.value = self.sdk.JsonPatchOperation.model_fields["value"].annotation.__args__[0]

    def operation(self, op, path, *value):
        """The SDK's class refuses null and lists of strings, and yet sends both when they go past its checks."""
        given = {"value": self.value.model_construct(actual_instance=value[0])} if value else {}
        with warnings.catch_warnings():
            # Some families of 1.x know two operations, and warn of the others.
            warnings.simplefilter("ignore")
            return self.sdk.JsonPatchOperation(op=op, path=path, **given)

    @contextlib.contextmanager
    def refused(self, status, code=None):
        """`with family.refused(status, detailCode):` runs what must fail, and looks at exception and envelope."""
        kinds = {400: "BadRequest", 401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 429: "Api"}
        with pytest.raises(getattr(self.exceptions, f"{kinds[status]}Exception")) as caught:
            yield caught
        error = caught.value
        assert error.status == status, error
        if code is None:
            return
        body = json.loads(error.body)
        assert body["detailCode"] == code == error.data.detail_code, error
        assert re.fullmatch("[0-9a-f]{32}", body["trackingId"]) and body["causes"] == error.data.causes == []
        default, requested = body["messages"]
        assert (default["locale"], default["localeOrigin"]) == ("en-US", "DEFAULT")
        assert (requested["locale"], requested["localeOrigin"]) == ("und", "REQUEST")
        assert default["text"] == requested["text"] == error.data.messages[0].text != ""


class Client:
    """The API class of a family for one token, by operation."""

    def __init__(self, family, configuration):
        self.family, self.sdk, self.configuration = family, family.sdk, configuration
        self.api = family.sdk.PersonalAccessTokensApi(family.client(configuration))

    def method(self, operation, kind=""):
        return getattr(self.api, f"{operation}{self.family.suffix}{kind}")

    def create(self, name, **fields):
        request = self.sdk.CreatePersonalAccessTokenRequest(name=name, **fields)
        return self.method("create_personal_access_token")(request)

    def make(self, name, **fields):
        """Creates with a valid expiry where one must be given."""
        return self.create(name, **({"expiration_date": soon()} if self.family.explicit else {}) | fields)

    def list(self, **query):
        return self.method("list_personal_access_tokens")(**query)

    def mine(self, **query):
        return {token.name: token for token in self.list(owner_id="me", **query)}

    def patch(self, id, *operations):
        operations = [self.family.operation(*operation) for operation in operations]
        return self.method("patch_personal_access_token")(id, operations)

    def delete(self, id):
        return self.method("delete_personal_access_token")(id)


def call(method, path, bearer=None, body=None, kind="application/json"):
    """What no SDK sends: (status, decoded body). `body` is encoded as JSON unless it is bytes."""
    request = urllib.request.Request(BASE + path, method=method)
    if bearer:
        request.add_header("Authorization", f"Bearer {bearer}")
    if body is not None:
        request.add_header("Content-Type", kind)
        request.data = body if isinstance(body, bytes) else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, json.loads(response.read() or "null")
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read() or "null")


class Account(NamedTuple):
    username: str
    name: str
    pk: int
    id: str

    def token(self, name, *options):
        """(id, secret) of a token made on the command line."""
        return tessera.pat(os.environ["SDK_TEST_BINARY"], os.environ["SDK_TEST_HOME"], os.environ, self.username, name,
                           *options)


@contextlib.contextmanager
def accounts():
    """A function that makes plain accounts, removed afterwards with their tokens."""
    made = []

    def make(name="Plain Person"):
        username = f"sdk-pat-{next(_numbers)}-{os.getpid()}"
        status, user = call("POST", "/api/v3/core/users/", ADMIN_KEY, {"username": username, "name": name})
        assert status == 201, user
        made.append(user["pk"])
        return Account(username, name, user["pk"], user["uuid"].replace("-", ""))

    try:
        yield make
    finally:
        for pk in made:
            assert call("DELETE", f"/api/v3/core/users/{pk}/", ADMIN_KEY)[0] == 204


@pytest.fixture
def new_account():
    with accounts() as make:
        yield make


@pytest.fixture(scope="session")
def used_key():
    """A token whose use is in the list already: that takes some seconds."""
    with accounts() as make:
        key = make().token("key")
        bearer, tries = configured(key).access_token, 150
        while not call("GET", "/v3/personal-access-tokens?owner-id=me", bearer)[1][0]["lastUsed"]:
            assert (tries := tries - 1), "the token was used, and is not said to be"
            time.sleep(0.1)
        yield key


@pytest.fixture
def account(new_account):
    return new_account()


@pytest.fixture
def key(account):
    """The token with all scopes that `plain` works with."""
    return account.token("key")


@pytest.fixture
def plain(family, key):
    """A client that acts as `account`."""
    return Client(family, configured(key))


@pytest.fixture
def scoped(family, account):
    """A function that gives a client of `account` with a token of just these scopes."""
    def make(*scopes):
        options = [option for scope in scopes for option in ("--scope", scope)]
        return Client(family, configured(account.token(" ".join(scopes), *options)))
    return make


@pytest.fixture(scope="session")
def admin(family):
    """A client that acts as the administrator."""
    return Client(family, configured(ADMIN))


@pytest.fixture(scope="session")
def throttled(family):
    """A client of the server that answers few requests."""
    return Client(family, configured(THROTTLED, THROTTLED_BASE))


@pytest.fixture
def impatient(throttled):
    """The same without the SDK's retries."""
    throttled.configuration.retries = urllib3.Retry(0, respect_retry_after_header=False)
    yield Client(throttled.family, throttled.configuration)
    throttled.configuration.retries = None
