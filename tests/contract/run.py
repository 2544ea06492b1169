#!/usr/bin/env python3
"""Runs schemathesis against a seeded server, from the documents the server hands out; run it as `just contract`.

    run.py [--binary PATH] [--seconds N] [--seed N | --vary] [--keep DIR] [--only PASS]...

Passes, each on a server of its own: for `api/v3.yaml` and for `api/beta.yaml` (all families of paths at once) a
superuser with good and bad data, then somebody in no group with good data only, to whom the server answers otherwise;
for `api/oauth.yaml` nobody, with good and bad data. All phases and checks; `schemathesis.toml` has the settings,
`hooks.py` the exemptions, `accepted.py` the places where the contract accepts what its schema forbids, `rules.py` the
rules for personal access tokens that no schema can say, `pats.py` what their passes stand on. The last line counts operations of all documents without and with findings;
an operation of `api/beta.yaml` counts once for every base that it is served at.
"""
import argparse, http.cookiejar, json, os, secrets, shutil, signal, subprocess, sys, tempfile, urllib.request
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "support")]
import pats, tessera

PLAIN_KEY = "key-of-the-plain-user-of-a-test-run"
SEED = 20240903


class Client:
    def __init__(self, base, token=tessera.TOKEN):
        self.base, self.token = f"{base}/api/v3", token

    def call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, method=method, data=data)
        request.add_header("Authorization", f"Bearer {self.token}")
        request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=30) as response:
            text = response.read()
        return json.loads(text) if text else None


# Kinds of policies, each as quick as it can be: a dummy waits for as long as it says.
POLICIES = {
    "dummy": {"result": True, "wait_min": 0, "wait_max": 1},
    "event_matcher": {"action": "login", "client_ip": "192.0.2.1"},
    "expression": {"expression": "ak_message(request.user.username)\nreturn context.get('city') == 'Bern'"},
    "password": {"length_min": 8, "amount_digits": 1, "error_message": "Too plain.", "check_zxcvbn": True},
    "password_expiry": {"days": 30, "deny_only": True},
    "reputation": {"check_ip": True, "check_username": True, "threshold": -5},
}

# Kinds of stages and fields of them beside the name.
STAGES = {
    "identification": {"user_fields": ["username", "email"]},
    "password": {"backends": ["authentik.core.auth.InbuiltBackend", "authentik.core.auth.TokenBackend"]},
    "user_login": {"session_duration": "hours=1"},
    "user_logout": {},
    "user_write": {"user_creation_mode": "never_create"},
    "deny": {"deny_message": "No."},
    "dummy": {},
    "consent": {"mode": "permanent"},
    "email": {"use_global_settings": True},
}
PASSWORD = "password-of-a-seeded-user"


def log_in(server, user):
    """A session of somebody's, through the shipped flow."""
    jar = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
    opener = urllib.request.build_opener(jar)
    for answer in ({"uid_field": user["username"]}, {"password": PASSWORD}):
        request = urllib.request.Request(f"{server.base}/api/v3/flows/executor/default-authentication-flow/?query=",
                                         data=json.dumps(answer).encode(), headers={"Content-Type": "application/json"})
        with opener.open(request, timeout=30) as response:
            challenge = json.load(response)
    if challenge["component"] != "xak-flow-redirect":
        raise SystemExit(f"a seeded user cannot log in: {challenge}")


def seed_flows(client, users, policies):
    """Stages of every kind, flows of them, prompts, brands and sessions; returns their keys and the places for them."""
    post = lambda to, /, **body: client.call("POST", to, body)
    stages = {kind: [post(f"/stages/{kind}/", name=f"{kind} {n}", **fields)["pk"] for n in range(2)] for kind, fields in STAGES.items()}
    prompts = [post("/stages/prompt/prompts/", name=f"prompt {kind}", field_key=kind, label=kind.title(), type=kind, required=False)["pk"]
               for kind in ("text", "password", "checkbox", "dropdown")]
    stages["prompt/stages"] = [post("/stages/prompt/stages/", name=f"prompts {n}", fields=prompts[:n + 1], validation_policies=policies[:n])["pk"]
                               for n in range(2)]
    flows = [post("/flows/instances/", name=f"Flow {n}", slug=f"flow-{n}", title="A flow", designation=what)
             for n, what in enumerate(("authentication", "stage_configuration", "recovery", "invalidation"))]
    parts = [("identification", "password", "user_login"), ("prompt/stages", "dummy"), ("identification", "email"), ("user_logout",)]
    bindings = [post("/flows/bindings/", target=flow["pk"], stage=stages[kind][0], order=order)
                for flow, kinds in zip(flows, parts) for order, kind in enumerate(kinds)]
    brands = [post("/core/brands/", domain=f"brand-{n}.example.org", flow_authentication=flows[0]["pk"])["brand_uuid"] for n in range(2)]
    slugs, everything = [flow["slug"] for flow in flows], [stage for some in stages.values() for stage in some]
    keys = [flow["pk"] for flow in flows]
    known = {
        "^/flows/": {"path.slug": [*slugs, "default-password-change"], "path.flow_slug": [*slugs, "default-authentication-flow"]},
        "^/flows/bindings/": {"body.target": keys, "body.stage": everything, "path.fsb_uuid": [one["pk"] for one in bindings]},
        "^/stages/all/": {"path.stage_uuid": everything},
        "^/stages/prompt/prompts/": {"path.prompt_uuid": prompts},
        "^/core/brands/": {"path.brand_uuid": brands, "body.flow_authentication": keys, "body.flow_recovery": keys},
        "/recovery_email/": {"query.email_stage": stages["email"]},
        **{f"^/stages/{kind}/": {"path.stage_uuid": some} for kind, some in stages.items()},
    }
    known["^/stages/identification/"] |= {"body.password_stage": stages["password"], "body.recovery_flow": keys}
    return known, [*keys, *(one["policybindingmodel_ptr_id"] for one in bindings)]


def seed(server):
    """Something of every kind, with links between them; returns keys of it, and what the passes stand on."""
    client = Client(server.base)
    me = client.call("GET", "/core/users/me/")["user"]
    post = lambda to, /, **body: client.call("POST", to, body)
    admins = me["groups"][0]["pk"]
    users = [post("/core/users/", username=f"user-{n}", name=f"User {n}", email=f"user-{n}@example.org",
                  path="users/seeded", attributes={"number": n}) for n in range(5)]
    plain, decoy = users[0], users[1]
    top = post("/core/groups/", name="top", users=[u["pk"] for u in users], attributes={"level": 1})
    middle = post("/core/groups/", name="middle", parent=top["pk"], users=[users[2]["pk"]])
    post("/core/groups/", name="bottom", parent=middle["pk"], users=[users[3]["pk"]])
    spare = post("/core/groups/", name="spare", users=[decoy["pk"]])
    for n, user in enumerate(users):
        post("/core/tokens/", identifier=f"api-{n}", user=user["pk"], intent="api", description=f"number {n}")
        post("/core/tokens/", identifier=f"login-{n}", user=user["pk"], intent="app_password", expiring=n % 2 == 0)
    client.call("POST", "/core/tokens/api-0/set_key/", {"key": PLAIN_KEY})
    post("/core/users/service_account/", name="robot", create_group=True)
    roles = [post("/rbac/roles/", name=name)["pk"] for name in ("readers", "writers")]
    events = [post("/events/events/", action="login", app="contract", context={"by": "the contract suite"})["pk"]
              for _ in range(5)]
    view_users = {"permissions": ["view_user"], "model": "authentik_core.user"}
    grants = [post(f"/rbac/permissions/assigned_by_{kind}/{holder}/assign/", **view_users, object_pk=str(user["pk"]))[0]["id"]
              for user in users for kind, holder in (("roles", roles[0]), ("users", users[2]["pk"]))]
    kinds = {kind: [post(f"/policies/{kind}/", name=f"{kind} {n}", **fields)["pk"] for n in range(3)] for kind, fields in POLICIES.items()}
    policies = [policy for some in kinds.values() for policy in some]
    apps = [post("/core/applications/", name=f"App {n}", slug=f"app-{n}", meta_launch_url="https://app.example/%(username)s")
            for n in range(3)]
    bound = [{"policy": some[0]} for some in kinds.values()] + [{"group": top["pk"]}, {"user": plain["pk"]}]
    flows, targets = seed_flows(client, users, policies)
    for user in users[:4]:
        client.call("POST", f"/core/users/{user['pk']}/set_password/", {"password": PASSWORD})
        for _ in range(2):
            log_in(server, user)
    sessions = [one["uuid"] for one in client.call("GET", "/core/authenticated_sessions/?page_size=100")["results"]]
    bindings = [post("/policies/bindings/", target=apps[0]["pk"], order=n, **what)["pk"] for n, what in enumerate(bound)]
    scores = server.add_scores(("user-1", "192.0.2.1", -3), ("user-2", "2001:db8::1", 4))
    # Where a generated key would find nothing: by place, everywhere and in the operations whose paths match.
    accounts = [me["pk"], *(u["pk"] for u in users)]
    known = {
        "": {
            "path.id": [*accounts, *map(int, grants)], "path.uuid": roles, "path.event_uuid": events,
            "path.group_uuid": [admins, top["pk"], middle["pk"], spare["pk"]],
            "path.identifier": [f"{kind}-{n}" for kind in ("api", "login") for n in range(len(users))],
            "path.slug": [app["slug"] for app in apps], "path.policy_binding_uuid": bindings, "path.reputation_uuid": scores,
        },
        "^/policies/all/": {"path.policy_uuid": policies},
        "^/policies/all/.*/test/": {"body.user": accounts},
        "^/policies/bindings/": {"body.target": [*(app["pk"] for app in apps), *targets], "body.policy": policies, "body.user": accounts,
                                 "body.group": [top["pk"], middle["pk"]]},
        **{f"^/policies/{kind}/": {"path.policy_uuid": some} for kind, some in kinds.items()},
        "^/core/authenticated_sessions/": {"path.uuid": sessions}, **flows,
    }
    return known, {
        # Parameter of a path: what the pass stands on, and what is hit in its place.
        "superuser": {"id": [str(me["pk"]), str(decoy["pk"])], "group_uuid": [admins, spare["pk"]],
                      "identifier": ["authentik-bootstrap-token", "api-1"]},
        "plain": {"id": [str(plain["pk"]), str(decoy["pk"])], "identifier": ["api-0", "login-0"]},
    }


# By document, what may be the answer to good data and to bad data. Rules beyond a schema refuse data that satisfies it:
# unique names, keys of objects that do not exist, what the caller may not do. 302 is how the executor goes on. 5xx stays
# a failure, and where it is not here, so do 405, 406, 413 and 415. Unlike the default, neither 401 nor 5xx counts as a
# refusal of bad data; but 403 does: refused before the data was looked at.
ANSWERS = {
    "v3": (["2xx", 302, 400, 401, 403, 404, 409], [400, 403, 404, 405, 406, 409, 413, 415]),
    # Good data never makes the caller unknown.
    "beta": (["2xx", 400, 403, 404], [400, 403, 404, 405, 406, 413, 415]),
    # Whoever is no client is refused with 401, whatever else is wrong (RFC 6749 §5.2).
    "oauth": (["2xx", 400, 401], [400, 401, 405, 406, 413]),
}


def settings(document, target):
    """What answers there may be, and how to log in; and half of what is generated for a place is one of the known values."""
    good, bad = ANSWERS[document]
    lines = ["[checks]", f"positive_data_acceptance = {{ expected-statuses = {json.dumps(good)} }}",
             f"negative_data_rejection = {{ expected-statuses = {json.dumps(bad)} }}"]
    for scheme, token in target.auth.items():
        lines += [f"[auth.openapi.{scheme}]", f"bearer = {json.dumps(token)}"]
    for number, (where, places) in enumerate(target.known.items()):
        if where:
            lines += ["[[operations]]", f"include-path-regex = {json.dumps(where)}"]
        for place, values in places.items():
            table = f'{"operations." if where else ""}parameters."{place}"'
            lines += [f"[{table}]", f'dictionary = "{number}-{place}"', "probability = 0.5"]
            lines += [f'[dictionaries."{number}-{place}"]', f"values = {json.dumps(values)}"]
    return "\n" + "\n".join(lines) + "\n"


@dataclass(frozen=True)
class Pass:
    name: str
    document: str
    # Of the time of all passes.
    share: float
    # "positive" is good data only.
    mode: str
    # Whether nothing is forbidden to the caller, so that every operation must have succeeded once.
    everything: bool


PASSES = [
    Pass("superuser", "v3", 0.52, "all", True),
    Pass("plain", "v3", 0.17, "positive", False),
    Pass("tokens", "beta", 0.16, "all", True),
    Pass("tokens-plain", "beta", 0.08, "positive", False),
    Pass("oauth", "oauth", 0.07, "all", True),
]


# In less time, in seconds, a pass does not reach all of its operations.
LEAST = 10


@dataclass
class Target:
    """What a pass of schemathesis needs beside what all have in common."""
    # Where the document is, and what its paths are below.
    document: str | Path
    base: str
    # Known values (see `settings`), and what hooks.py is told.
    known: dict
    environment: dict
    # {security scheme: bearer token}
    auth: dict
    # Gives complaints about the state that the pass has left the server in.
    check: object


def target_of_v3(one, server, _):
    known, stand_ins = seed(server)
    token = {"superuser": tessera.TOKEN, "plain": PLAIN_KEY}[one.name]

    def check():
        # A run that lost its rights on the way has seen little.
        try:
            if Client(server.base, token).call("GET", "/core/users/me/")["user"]["is_superuser"] != one.everything:
                yield "the caller's rights have changed on the way"
        except OSError as error:
            yield f"the caller's token no longer works: {error}"

    return Target(f"{server.base}/api/v3/schema/?format=json", f"{server.base}/api/v3", known,
                  {"CONTRACT_STAND_INS": json.dumps(stand_ins[one.name])}, {"authentik": token}, check)


def people(server):
    """Usernames of somebody plain, somebody else, and somebody who may not log in."""
    client = Client(server.base)
    for name in ("plain", "other", "inactive"):
        client.call("POST", "/core/users/", {"username": name, "name": f"The {name} one"})
    return "plain", "other", "inactive"


def deactivate(server, name):
    """An account that may not log in; what it was given before stays."""
    client = Client(server.base)
    (user,) = client.call("GET", f"/core/users/?username={name}")["results"]
    client.call("PATCH", f"/core/users/{user['pk']}/", {"is_active": False})


def target_of_beta(one, server, scratch):
    document = pats.fetch(server, "beta")
    families = scratch / "beta.json"
    families.write_text(json.dumps(pats.spread(document)))
    seeded = pats.seed(server, *people(server), superuser=one.everything)
    told = {"CONTRACT_STAND_INS": json.dumps(seeded.stand_ins), "CONTRACT_GIVEN": json.dumps(seeded.given),
            "CONTRACT_TOKENS": f"{server.base}/personal-access-tokens/v1", "CONTRACT_BEARER": f"Bearer {seeded.bearer}"}
    return Target(families, server.base, seeded.known, told, {"userAuth": seeded.bearer},
                  lambda: pats.check_bearer(server, seeded.bearer, one.everything))


def target_of_oauth(_, server, scratch):
    names = people(server)
    seeded = pats.seed_clients(server, *names)
    deactivate(server, names[2])
    told = {"CONTRACT_GIVEN": json.dumps(seeded.given), "CONTRACT_CLIENTS": json.dumps(seeded.clients)}
    return Target(f"{server.base}/openapi/oauth.json", server.base, seeded.known, told, {},
                  lambda: pats.check_clients(server, seeded))


TARGETS = {"v3": target_of_v3, "beta": target_of_beta, "oauth": target_of_oauth}
# The rate limit of the newer documents is about many requests, and these are many requests.
SERVER = {"TESSERA_API_RATE": "0"}


def run(one, binary, program, seconds, number, keep):
    """One pass; returns ({operations with findings}, number of operations, complaints)."""
    print(f"\n==== {one.document} as {one.name}, {one.mode} data, {seconds} s, seed {number}", flush=True)
    with tempfile.TemporaryDirectory(prefix="tessera-contract-") as scratch, tessera.Server(binary, **SERVER) as server:
        scratch = Path(scratch)
        target = TARGETS[one.document](one, server, scratch)
        report, tally = scratch / "report.json", scratch / "tally.json"
        environment = os.environ | {
            "CONTRACT_DOCUMENT": one.document, "CONTRACT_STAND_INS": "{}", "CONTRACT_GIVEN": "[]",
            "CONTRACT_CLIENTS": "[]", **target.environment,
            "CONTRACT_TALLY": str(tally), "CONTRACT_HOOKS": str(HERE / "hooks.py"), "PYTHONDONTWRITEBYTECODE": "1",
        }
        (scratch / "schemathesis.toml").write_text((HERE / "schemathesis.toml").read_text() + settings(one.document, target))
        command = [program, "--config-file", "schemathesis.toml", "run", target.document, "--url", target.base,
                   "--mode", one.mode, "--max-time", str(seconds), "--seed", str(number), "--report-json-path", report]
        if not one.everything:
            # Being refused is what this pass is about.
            command += ["--warnings", "off"]
        # In a folder of its own, since hypothesis and schemathesis leave files where they run.
        done = subprocess.run([str(c) for c in command], cwd=scratch, env=environment, timeout=seconds * 2 + 300)
        if keep:
            shutil.copytree(scratch, keep / one.name, dirs_exist_ok=True)
        told = json.loads(report.read_text()) if report.exists() else None
        complaints = []
        if told is None or told["operations"] is None:
            return set(), 0, [f"schemathesis ended with {done.returncode} and no report"]
        failing = {operation for group in told["failures"] for operation in group["operations"]}
        complaints += [f"{error['count']} × {error['title']}" for error in told["errors"]]
        if untested := told["operations"]["selected"] - told["operations"]["tested"]:
            complaints.append(f"{untested} operations were not reached")
        if done.returncode and not failing and not complaints:
            complaints.append(f"schemathesis ended with {done.returncode}")
        if one.everything and one.document != "v3" and not tally.exists():
            complaints.append("hooks.py has counted nothing")
        elif one.everything and one.document != "v3":
            complaints += [f"{operation} has never succeeded" for operation, statuses in json.loads(tally.read_text()).items()
                           if not any(status.startswith("2") for status in statuses)]
        complaints += target.check()
    return failing, told["operations"]["tested"], complaints


def main():
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--binary", type=Path, help="a built server (default: build one)")
    ask.add_argument("--seconds", type=int, default=600, help="for all passes together (default: 600)")
    ask.add_argument("--seed", type=int, default=SEED, help=f"of the generated data (default: {SEED})")
    ask.add_argument("--vary", action="store_true", help="a new seed; it is printed")
    ask.add_argument("--keep", type=Path, help="a folder for schemathesis' reports")
    ask.add_argument("--only", action="append", choices=[one.name for one in PASSES], help="this pass, which gets all of the time")
    asked = ask.parse_args()
    number = secrets.randbelow(2**32) if asked.vary else asked.seed
    # So that servers and folders go away then too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    binary = asked.binary or tessera.cargo_build("--bin", "tessera")["tessera"]
    program = tessera.python_with(HERE / "requirements.txt").parent / "schemathesis"
    passes = [one for one in PASSES if not asked.only or one.name in asked.only]
    shares = sum(one.share for one in passes)
    failing, operations, complaints = set(), {}, []
    for one in passes:
        bad, count, more = run(one, binary, program, max(LEAST, round(asked.seconds * one.share / shares)), number, asked.keep)
        failing |= {f"{operation} ({one.document})" for operation in bad}
        operations[one.document] = max(operations.get(one.document, 0), count)
        complaints += [f"{one.name}: {complaint}" for complaint in more]
    print()
    for operation in sorted(failing):
        print(f"finding: {operation}")
    for complaint in complaints:
        print(f"complaint: {complaint}")
    # Requests beside the documented operations (another method) have findings of their own.
    failed = len(failing) + len(complaints)
    print(f"{max(0, sum(operations.values()) - len(failing))} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
