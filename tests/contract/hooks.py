"""What schemathesis is told beyond the document: which calls must not end the run, and which failures are none."""
import json, os, re, sys
from pathlib import Path
from urllib.parse import unquote

import schemathesis, yaml
from schemathesis.core.failures import AcceptedNegativeData, MalformedJson
from schemathesis.core.parameters import ParameterLocation
from schemathesis.openapi.checks import EnsureResourceAvailability, JsonSchemaError, MissingContentType, MissingHeaderNotRejected

sys.path.insert(0, str(Path(__file__).resolve().parent))
from accepted import Document, has_free_property, integer, judge

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


@schemathesis.deserializer("application/vnd.oai.openapi")
def document_as_yaml(context, response):
    return yaml.safe_load(response.content)


@schemathesis.hook
def before_call(context, case, kwargs):
    """Turns a call that saws off the branch to another object of the same kind. It is the last moment before the
    call, since stateful testing fills in keys after cases were generated and filtered."""
    if (case.method.upper(), case.path) in SAWING:
        for name, (branch, stand_in) in STAND_INS.items():
            if unquote(str(case.path_parameters.get(name, ""))).lower() == branch:
                case.path_parameters[name] = stand_in
                turned.add(case.id)
    if case.path.startswith("/policies/dummy/") and isinstance(case.body, dict):
        hurry(case)
    if case.path.startswith("/flows/executor/"):
        # Its redirects are answers of their own; followed without a cookie they go nowhere.
        kwargs["allow_redirects"] = False


def hurry(case):
    """Lets no dummy policy wait: whatever tests it, or whoever lists what it is bound to, would wait too. A value that
    is no good stays as it is."""
    wanted = integer(case.body.get("wait_max", 30 if case.method.upper() == "POST" else None))
    if isinstance(wanted, int) and 1 < wanted < 2**31:
        case.body = case.body | {"wait_max": 1}


@schemathesis.hook
def after_call(context, case, response):
    """Remembers what is gone, other than by deleting it at its own path."""
    if not 200 <= response.status_code < 300:
        return
    method = case.method.upper()
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


def leave(holder):
    """Notes what goes along with an object."""
    for held, holders in list(ends.items()):
        if holder in holders and held not in gone:
            gone.add(held)
            if held[0] == "fsb_uuid":
                leave(("stage binding", held[1]))
            elif held[0] == "target of a stage":
                leave(held)


@schemathesis.hook
def filter_failure(context, failure, case, response):
    """Keeps a failure (True) unless the contract wants what it complains about."""
    # No credentials are 403 in this API, never 401 (contract, core 1.2), and schemathesis knows only 401.
    if isinstance(failure, MissingHeaderNotRejected):
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
    return judge(case.operation.schema.raw_schema, case.operation.path, case.method, request.url, body)


def accepted_by_contract(case, response):
    if broken := broken_places(case, response):
        return all(place.excused for place in broken)
    # Nothing is wrong with what was sent: the fault was lost when the query became text. A JSON body loses
    # nothing, so there the judge has missed something and the failure stays; unless a property may be anything:
    # nothing is wrong for it, and schemathesis takes it away instead, though it is not required.
    if not (case.meta and case.meta.is_negative_at(ParameterLocation.BODY)):
        return True
    return has_free_property(case.operation.schema.raw_schema, case.path, case.method)


def may_be_empty(case, response):
    document = Document(case.operation.schema.raw_schema)
    declared = case.operation.definition.raw["responses"].get(str(response.status_code))
    return declared is not None and document.resolve(declared).get("x-body") == "optional"
