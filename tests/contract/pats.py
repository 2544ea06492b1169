"""What the passes for personal access tokens (`api/beta.yaml`) and for trading them (`api/oauth.yaml`) stand on."""
import datetime, json, urllib.error, urllib.parse, urllib.request
from dataclasses import dataclass, field

ALL, DEFAULT = "sp:scopes:all", "sp:scopes:default"
SCOPES = [ALL, DEFAULT, *(f"sp:{whose}-personal-access-tokens:{what}" for whose in ("my", "all") for what in ("read", "manage")), "idn:unknown"]
# Conditions of the grammar in contract sailpoint-pat §5, as clients write them and with every part of it.
FILTERS = [
    "lastUsed isnull", "lastUsed le 2023-02-05T10:59:27.214Z", "lastUsed le 2999-02-05T10:59:27Z", "not lastUsed isnull",
    "lastUsed isnull or lastUsed le 2999-02-05T10:59:27+01:00", "not (lastUsed isnull and lastUsed le 2023-02-05T10:59:27.214Z)",
    '((lastUsed le "2999-02-05T10:59:27.214Z"))', "lastUsed isnull and not not lastUsed isnull or lastUsed isnull",
    "lastUsed le 2999-02-05T10:59:27",
]


@dataclass
class Seeded:
    known: dict
    # What hooks.py puts in the place of a share of good data, by operation: [[expression, [{place: value}]]].
    given: list
    bearer: str = ""
    stand_ins: dict = field(default_factory=dict)
    clients: list = field(default_factory=list)


def call(url, bearer=None, form=None):
    """(status, parsed body or None)"""
    request = urllib.request.Request(url, data=urllib.parse.urlencode(form).encode() if form else None)
    if bearer:
        request.add_header("Authorization", f"Bearer {bearer}")
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, None


def fetch(server, name):
    return call(f"{server.base}/openapi/{name}.json")[1]


def trade(server, client):
    """A bearer token, or None."""
    return (call(f"{server.base}/oauth/token", form=grant(*client))[1] or {}).get("access_token")


def grant(id, secret, grant_type="client_credentials"):
    return {"grant_type": grant_type, "client_id": id, "client_secret": secret}


def spread(document):
    """The document with one path for each server of each path: schemathesis calls all paths below the one base that it
    is told, also where a path has servers of its own."""
    paths = {}
    for path, item in document["paths"].items():
        for server in item.get("servers", document["servers"]):
            base = server["url"].rstrip("/")
            copy = {key: value for key, value in item.items() if key != "servers"}
            for method, operation in copy.items():
                if isinstance(operation, dict) and "operationId" in operation:
                    copy[method] = operation | {"operationId": operation["operationId"] + base.replace("/", "_")}
            if f"{base}{path}" in paths:
                raise SystemExit(f"api/beta.yaml says twice what is at {base}{path}")
            paths[f"{base}{path}"] = copy
    return document | {"servers": [{"url": "/"}], "paths": paths}


def moment(days):
    at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=days)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def step(op, path, *value):
    return {"op": op, "path": f"/{path}"} | ({"value": value[0]} if value else {})


def new_ones(days):
    """Tokens to be made, where one may end after so many days."""
    usual, never = {"expirationDate": moment(days)}, {"expirationDate": None, "userAwareTokenNeverExpires": True}
    shapes = [usual, never, usual | never | usual, usual | {"accessTokenValiditySeconds": 15, "scope": None}, never | {"scope": []},
              usual | {"scope": SCOPES, "accessTokenValiditySeconds": None}, {"userAwareTokenNeverExpires": True, "accessTokenValiditySeconds": 43200}]
    return [{"name": f"given {number}"} | shape for number, shape in enumerate(shapes)]


# Patches of every family, and of those since v2025.
OWN_STEPS = [
    [], [step("replace", "name", "another name")], [step("add", "name", "  a name with blanks ")],
    [step("replace", "scope", SCOPES)], [step("add", "scope", []), step("test", "scope", [])],
    [step("replace", "name", "x"), step("test", "name", "x"), step("replace", "name", "y")],
]


def steps_of_ends():
    never = step("replace", "userAwareTokenNeverExpires", True)
    # As SailPoint's Python client writes it, too: without a value.
    return [
        [step("replace", "expirationDate", moment(20))], [step("replace", "expirationDate", moment(4000)), step("remove", "userAwareTokenNeverExpires")],
        [step("replace", "expirationDate", None), never], [never, step("replace", "expirationDate")], [step("remove", "expirationDate"), never],
    ]


def seed(server, plain, other, _, superuser):
    """Tokens of several people; the caller's bearer token is a superuser's or the plain one's."""
    caller = "akadmin" if superuser else plain
    bearing, spare = (server.pat(caller, name, "--no-expiry") for name in ("of the run", "in its place"))
    ids = [spare[0], *(server.pat(owner, f"number {number}", "--scope", scope, "--no-expiry")[0]
                       for owner in ("akadmin", plain, other) for number, scope in enumerate((ALL, DEFAULT)))]
    bearer = trade(server, bearing)
    all_ids = [bearing[0], *ids]
    root = trade(server, server.pat("akadmin", "to look around"))
    listed = call(f"{server.base}/beta/personal-access-tokens", root)[1]
    owners = sorted({one["owner"]["id"] for one in listed})
    known = {"/personal-access-tokens": {
        "path.id": all_ids, "query.owner-id": ["me", *owners], "query.filters": FILTERS, "body.ids[*]": all_ids,
        "body.scope[*]": SCOPES, "body.expirationDate": [moment(30), moment(150), moment(400)],
    }}
    newer = "/(v2025|v2026|personal-access-tokens/v1)/"
    given = [
        ["POST /(v2025/personal-access-tokens|v2026/personal-access-tokens|personal-access-tokens/v1)", [{"body": body} for body in new_ones(400)]],
        ["POST .*/personal-access-tokens", [{"body": body} for body in new_ones(150)]],
        [f"PATCH {newer}.*id}}", [{"body": steps} for steps in OWN_STEPS + steps_of_ends()]],
        ["PATCH .*id}", [{"body": steps} for steps in OWN_STEPS]],
        ["(PATCH|POST) .*/bulk-update", [{"body": {"ids": some, "patch": steps}} for steps in steps_of_ends() for some in (ids[:1], ids[1:3])]],
    ]
    return Seeded(known, given, bearer, {"id": [bearing[0], spare[0]]})


def check_bearer(server, bearer, superuser):
    """A run that lost its bearer token or its rights on the way has seen little."""
    for query, wanted in (("", 200 if superuser else 403), ("?owner-id=me", 200)):
        status, _ = call(f"{server.base}/v2026/personal-access-tokens{query}", bearer)
        if status != wanted:
            yield f"listing tokens with the caller's bearer token is {status} at the end"


def seed_clients(server, plain, other, inactive):
    """Tokens to be traded, some of which are good for nothing."""
    good = [server.pat("akadmin", "a", "--no-expiry"), server.pat(plain, "b", "--validity", "750", "--scope", DEFAULT), server.pat(other, "c", "--expires", moment(90))]
    bad = [server.pat(inactive, "d"), (good[0][0], good[1][1]), ("0" * 32, good[0][1])]
    shapes = []
    for id, secret in good * 3 + bad:
        both = {"client_id": id, "client_secret": secret}
        shapes += [
            {"body": grant(id, secret)}, {"body": grant(id, secret, "CLIENT_CREDENTIALS")}, {"query": grant(id, secret)},
            {"query": {"grant_type": "client_credentials"}, "body": both}, {"query": both, "body": grant(id, secret)},
            {"basic": [id, secret], "body": {"grant_type": "client_credentials"}}, {"basic": [id, secret], "query": {"grant_type": "client_credentials"}},
        ]
    known = {"^/oauth/token": {
        f"{place}.{name}": values for place in ("query", "body") for name, values in (
            ("grant_type", ["client_credentials", "CLIENT_CREDENTIALS", "authorization_code"]),
            ("client_id", [good[0][0]]), ("client_secret", [good[0][1]]))
    }}
    return Seeded(known, [["POST /oauth/token", shapes]], clients=good)


def check_clients(server, seeded):
    for number, client in enumerate(seeded.clients):
        if trade(server, client) is None:
            yield f"client {number} can no longer be traded"
