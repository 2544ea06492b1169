"""What schemathesis is told beyond the document: which calls must not end the run, what it may send for a change, which
failures are none, and one check of our own."""
import atexit, collections, json, os, re, secrets, sys, zlib
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

import requests, schemathesis, yaml
from schemathesis.core.failures import AcceptedNegativeData, MalformedJson
from schemathesis.core.parameters import ParameterLocation
from schemathesis.openapi.checks import EnsureResourceAvailability, JsonSchemaError, MissingContentType, MissingHeaderNotRejected

sys.path.insert(0, str(Path(__file__).resolve().parent))
import rules
from accepted import Document, integer, judge, may_lose_its_fault, parts

# Which document this is about: v3, beta or oauth.
DOCUMENT = os.environ["CONTRACT_DOCUMENT"]
# What takes the place of a share of good data: [[expression for method and path, [{"query" | "body" | "basic": value}]]].
GIVEN = [(re.compile(where), many) for where, many in json.loads(os.environ["CONTRACT_GIVEN"])]
# [id, secret] of what can be traded.
CLIENTS = {tuple(client) for client in json.loads(os.environ["CONTRACT_CLIENTS"])}
# {name of a path parameter: [what the run itself stands on, what is hit in its place]}
STAND_INS = json.loads(os.environ["CONTRACT_STAND_INS"])
# The calls that can take the caller's rights or key away, so that the rest of the run would see nothing but 403.
# Everything else may hit the caller too, and any of these may hit anybody else.
ITEMS = ("/core/tokens/{identifier}/", "/core/users/{id}/", "/core/groups/{group_uuid}/")
SAWING = {(method, path) for path in ITEMS for method in ("PUT", "PATCH", "DELETE")} | {
    ("POST", "/core/tokens/{identifier}/set_key/"),
    ("POST", "/core/tokens/{identifier}/rotate/"),
    ("POST", "/core/groups/{group_uuid}/remove_user/"),
}
# Those that write one personal access token, in any family of paths.
SAWS_A_TOKEN = re.compile(r"(PUT|PATCH|DELETE) .*/personal-access-tokens(/v1)?/\{id\}")
# Keys of cases that `before_call` turned away: what was created before is not what they hit.
turned = set()
# What is found by a name that changes, or goes along with something else, by (parameter of a path, key): what it goes
# with, as {(collection, key)}; and what has gone.
ends, gone = {}, set()
# Where names are, and what they are called in a path.
NAMED = {"/core/tokens/": "identifier", "/core/applications/": "slug", "/flows/instances/": "slug"}
# {(collection, slug): key of the object}
slugs = {}
# Objects that are at two paths: those of their kind, and of all kinds.
BOTH = {"policy_uuid": "/policies/", "stage_uuid": "/stages/"}
# What goes with the objects that its fields name: {collection: (name of its key in a path, {field: collection})}.
HELD = {
    "/policies/bindings/": ("policy_binding_uuid", {
        "policy": ["/policies/"], "group": ["/core/groups/"], "user": ["/core/users/"],
        "target": ["/core/applications/", "/flows/instances/", "target of a stage"],
    }),
    "/flows/bindings/": ("fsb_uuid", {"target": ["/flows/instances/"], "stage": ["/stages/"]}),
}
# Personal access tokens that were made on the way, the oldest first: an owner has ten at most, so only the latest stay.
made, LATEST = collections.deque(), 3
# Calls of our own, beside those of the run.
TOKENS, COLLECTION = requests.Session(), os.environ.get("CONTRACT_TOKENS")
TOKENS.headers["Authorization"] = os.environ.get("CONTRACT_BEARER", "")
# {checksum of good data: how often it has come}
seen = collections.Counter()
# {operation: {status: how often}}
tally = collections.defaultdict(collections.Counter)


@atexit.register
def write_tally():
    Path(os.environ["CONTRACT_TALLY"]).write_text(json.dumps(tally))


@schemathesis.deserializer("application/vnd.oai.openapi")
def document_as_yaml(context, response):
    return yaml.safe_load(response.content)


@schemathesis.hook
def before_call(context, case, kwargs):
    """Turns a call that saws off the branch to another object of the same kind. It is the last moment before the
    call, since stateful testing fills in keys after cases were generated and filtered."""
    method = case.method.upper()
    if DOCUMENT != "v3":
        give(case, method)
    if (method, case.path) in SAWING or SAWS_A_TOKEN.fullmatch(f"{method} {case.path}"):
        for name, (branch, stand_in) in STAND_INS.items():
            if unquote(str(case.path_parameters.get(name, ""))).lower() == branch:
                case.path_parameters[name] = stand_in
                turned.add(case.id)
    if DOCUMENT == "beta":
        hit_what_is_there(case)
    if case.path.startswith("/policies/dummy/") and isinstance(case.body, dict):
        hurry(case)
    if case.path.startswith("/flows/executor/"):
        # Its redirects are answers of their own; followed without a cookie they go nowhere.
        kwargs["allow_redirects"] = False


def phase(case):
    return case.meta.phase.name.value if case.meta else None


def give(case, method):
    """Puts given data into the place of half of the good data. Which half, the data says, and how often it has come: the
    simplest comes often. Data that schemathesis has chosen for what it covers stays."""
    if phase(case) not in ("fuzzing", "stateful") or not case.meta.generation.mode.is_positive:
        return
    number = zlib.crc32(repr((case.path, case.path_parameters, case.query, case.body)).encode(errors="replace"))
    seen[number] += 1
    number += seen[number]
    many = next((many for where, many in GIVEN if where.fullmatch(f"{method} {case.path}")), None)
    if many is None or number % 2:
        return
    given = many[number // 2 % len(many)]
    if "body" in given and case.media_type is None:
        return
    if DOCUMENT == "oauth":
        # What is given there is all that is said.
        case.query, case.body = given.get("query", {}), given.get("body", {} if case.media_type else case.body)
        if "basic" in given:
            case.headers["Authorization"] = requests.auth._basic_auth_str(*given["basic"])
    else:
        case.body = given["body"]


def hit_what_is_there(case):
    """Lets a bulk update pass by the token that the run stands on, and known tokens that are gone be some that are there;
    but what stateful testing has in a path, it wants to hit."""
    branch, stand_in = STAND_INS["id"]
    instead = {branch: stand_in}
    several = isinstance(case.body, dict) and isinstance(case.body.get("ids"), list)
    one = unquote(str(case.path_parameters.get("id")))
    wanted = [one, *(id for id in (case.body["ids"] if several else []) if isinstance(id, str))]
    missing = list(dict.fromkeys(id for id in (instead.get(id, id) for id in wanted) if ("id", id) in gone))
    if missing and (several or phase(case) != "stateful"):
        there = [id for id in reversed(made) if ("id", id) not in gone] or [make_one()]
        instead |= zip(missing, there)
        instead[branch] = instead.get(stand_in, stand_in)
    if several:
        case.body = case.body | {"ids": [instead.get(id, id) if isinstance(id, str) else id for id in case.body["ids"]]}
    if one in instead and one != branch:
        case.path_parameters["id"] = instead[one]


def hurry(case):
    """Lets no dummy policy wait: whatever tests it, or whoever lists what it is bound to, would wait too. A value that
    is no good stays as it is."""
    wanted = integer(case.body.get("wait_max", 30 if case.method.upper() == "POST" else None))
    if isinstance(wanted, int) and 1 < wanted < 2**31:
        case.body = case.body | {"wait_max": 1}


@schemathesis.hook
def after_call(context, case, response):
    """Remembers what is gone, other than by deleting it at its own path."""
    if response.request.method == case.operation.method.upper():
        tally[case.operation.label][response.status_code] += 1
    if not 200 <= response.status_code < 300:
        return
    method = case.method.upper()
    if DOCUMENT != "v3":
        if DOCUMENT == "beta":
            note_token(case, method, response)
        return
    collection, item = re.fullmatch(r"(.*?/)((?:\{\w+\}/)?)", case.path).groups()
    name, key = next(iter(case.path_parameters.items())) if item else (None, None)
    key = unquote(str(key))
    if method == "DELETE" and item:
        if name in BOTH:
            collection = BOTH[name]
            gone.add((name, key))
        leave((collection, slugs.get((collection, key)) if name == "slug" else key))
    elif method in ("POST", "PUT", "PATCH") and collection in NAMED:
        found = response.json()
        now = NAMED[collection], found[NAMED[collection]]
        if item:
            gone.add((name, key))
        gone.discard(now)
        if collection == "/core/tokens/":
            ends[now] = {("/core/users/", str(found["user"]))}
        else:
            slugs[collection, found["slug"]] = found["pk"]
    elif method in ("POST", "PUT", "PATCH") and collection in HELD:
        found, (called, fields) = response.json(), HELD[collection]
        ends[called, found["pk"]] = {(there, str(found[field])) for field, places in fields.items() for there in places if found[field] is not None}
        if "policybindingmodel_ptr_id" in found:
            ends["target of a stage", found["policybindingmodel_ptr_id"]] = {("stage binding", found["pk"])}


def note_token(case, method, response):
    """Keeps few of the tokens that are made, so that there is room for more."""
    if method == "DELETE":
        gone.add(("id", unquote(str(case.path_parameters["id"]))))
    elif method == "POST" and not case.path.endswith("/bulk-update"):
        keep(response.json()["id"])


def keep(id):
    made.append(id)
    while len(made) > LATEST:
        oldest = made.popleft()
        if ("id", oldest) not in gone:
            TOKENS.delete(f"{COLLECTION}/{oldest}", timeout=30)
            gone.add(("id", oldest))


def make_one():
    answer = TOKENS.post(COLLECTION, json={"name": secrets.token_hex(8), "userAwareTokenNeverExpires": True}, timeout=30)
    answer.raise_for_status()
    keep(answer.json()["id"])
    return made[-1]


def leave(holder):
    """Notes what goes along with an object."""
    for held, holders in list(ends.items()):
        if holder in holders and held not in gone:
            gone.add(held)
            if held[0] == "fsb_uuid":
                leave(("stage binding", held[1]))
            elif held[0] == "target of a stage":
                leave(held)


@schemathesis.check
def answer_follows_the_rules(context, response, case):
    """Good data is taken and bad data refused also where no schema says which is which (see `rules`)."""
    request, status = response.request, response.status_code
    if DOCUMENT == "v3" or status not in (200, 400, 401) or request.method != case.operation.method.upper():
        return
    sent = urlsplit(request.url)
    body = request.body.encode() if isinstance(request.body, str) else request.body or b""
    try:
        if DOCUMENT == "oauth" and request.method == "POST":
            follow_the_grant(response, sent, body, request.headers)
        elif DOCUMENT == "beta" and request.method == "GET":
            faults = rules.faults_of_listing(parse_qsl(sent.query, keep_blank_values=True))
            assert (status == 200) == (not faults), f"the faults should have been {sorted(faults)}"
        elif DOCUMENT == "beta" and status != 401 and body and request.method != "DELETE":
            follow_the_rules(case, response, sent.path, body)
    except rules.Depends:
        pass


def follow_the_grant(response, sent, body, headers):
    kind = headers.get("Content-Type", "")
    form = parts(kind, body) if kind.startswith("multipart/") else parse_qsl(body.decode(errors="replace"), keep_blank_values=True)
    if kind.startswith("multipart/") and (not form or any(name is None or re.search(r"[\x00-\x1f\ufffd]", name + value) for name, value in form)):
        # No parts, no headers of parts, or no text: whether such a form can be read is not what this is about.
        raise rules.Depends
    faults = rules.faults_of_grant(parse_qsl(sent.query, keep_blank_values=True), form, headers.get("Authorization"), CLIENTS)
    assert (response.status_code == 200) == (not faults), f"the faults should have been {sorted(faults)}"
    if faults:
        error = response.json()["error"]
        assert error in faults, f"{error} should have been one of {sorted(faults)}"
        assert (response.status_code == 401) == (error == "invalid_client"), f"{response.status_code} does not go with {error}"


def follow_the_rules(case, response, path, body):
    judged = rules.faults_of_bulk if case.path.endswith("/bulk-update") else rules.faults_of_new if case.method.upper() == "POST" else rules.faults_of_patch
    try:
        body = json.loads(body, parse_constant=float)
        json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
        faults = judged(path, body)
    except ValueError:
        # Numbers that JSON does not have and halves of characters are no JSON either.
        faults = {rules.SYNTAX}
    if response.status_code == 200:
        assert not faults, f"the faults should have been {sorted(faults)}"
        return
    code = response.json()["detailCode"]
    if not faults:
        # A name that is taken; and there may be ten already.
        assert code in (rules.CONFLICT, rules.LIMIT), f"{code}, and nothing is wrong"
    else:
        # Several faults of different kinds have the code of both.
        assert code in faults or (code == rules.CONTENT and len(faults) > 1), f"{code} should have been one of {sorted(faults)}"


@schemathesis.hook
def filter_failure(context, failure, case, response):
    """Keeps a failure (True) unless the contract wants what it complains about."""
    # No credentials are 403 in this API, never 401 (contract, core 1.2), and schemathesis knows only 401.
    if isinstance(failure, MissingHeaderNotRejected) and DOCUMENT == "v3":
        return response.status_code != 403
    if isinstance(failure, AcceptedNegativeData):
        return not accepted_by_contract(case, response)
    # OpenAPI cannot say "a body or none"; the document marks such answers.
    if isinstance(failure, (MissingContentType, MalformedJson)) and not response.content:
        return not may_be_empty(case, response)
    # A file to save is bytes, also where schemathesis knows how to read it.
    if isinstance(failure, JsonSchemaError) and "content-disposition" in response.headers:
        return False
    if isinstance(failure, EnsureResourceAvailability):
        return not away_for_a_reason(case, response)
    return True


def away_for_a_reason(case, response):
    """Why 404 may follow the creation of an object, beside its deletion."""
    return (
        case.id in turned
        # A link that schemathesis guessed took a key of another kind.
        or any(place.place.startswith("path ") for place in broken_places(case, response))
        # The group is there, the account that the body names is not.
        or case.path.endswith(("/add_user/", "/remove_user/"))
        or any((name, unquote(str(key))) in gone for name, key in case.path_parameters.items())
    )


def broken_places(case, response):
    request = response.request
    body = request.body.encode() if isinstance(request.body, str) else request.body
    return judge(case.operation.schema.raw_schema, case.operation.path, case.method, request.url, body,
                 request.headers.get("Content-Type", ""), DOCUMENT)


def accepted_by_contract(case, response):
    if broken := broken_places(case, response):
        return all(place.excused for place in broken)
    # Nothing is wrong with what was sent: the fault was lost when the query became text. A JSON body loses
    # nothing, so there the judge has missed something and the failure stays; unless a property may be anything:
    # nothing is wrong for it, and schemathesis takes it away instead, though it is not required.
    if not (case.meta and case.meta.is_negative_at(ParameterLocation.BODY)):
        return True
    return may_lose_its_fault(case.operation.schema.raw_schema, case.path, case.method, DOCUMENT)


def may_be_empty(case, response):
    document = Document(case.operation.schema.raw_schema)
    declared = case.operation.definition.raw["responses"].get(str(response.status_code))
    return declared is not None and document.resolve(declared).get("x-body") == "optional"
