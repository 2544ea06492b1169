#!/usr/bin/env python3
"""Runs schemathesis against a seeded server, from the document the server hands out; run it as `just contract`.

    run.py [--binary PATH] [--seconds N] [--seed N | --vary] [--keep DIR]

Two passes, each on a server of its own: a superuser with good and bad data, then somebody in no group with good
data only, to whom the server answers otherwise. All phases and checks; `schemathesis.toml` has the settings,
`hooks.py` the exemptions, `accepted.py` the places where the contract accepts what its schema forbids. The last
line counts operations without and with findings.
"""
import argparse, http.cookiejar, json, os, secrets, shutil, signal, subprocess, sys, tempfile, urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))
import tessera

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


def settings(known):
    """Half of what is generated for a place is one of the known values."""
    lines = []
    for number, (where, places) in enumerate(known.items()):
        if where:
            lines += ["[[operations]]", f"include-path-regex = {json.dumps(where)}"]
        for place, values in places.items():
            table = f'{"operations." if where else ""}parameters."{place}"'
            lines += [f"[{table}]", f'dictionary = "{number}-{place}"', "probability = 0.5"]
            lines += [f'[dictionaries."{number}-{place}"]', f"values = {json.dumps(values)}"]
    return "\n" + "\n".join(lines) + "\n"


def run(name, binary, program, seconds, number, mode, keep):
    """One pass; returns ({operations with findings}, number of operations, complaints)."""
    print(f"\n==== as {name}, {mode} data, {seconds} s, seed {number}", flush=True)
    with tempfile.TemporaryDirectory(prefix="tessera-contract-") as scratch, tessera.Server(binary) as server:
        known, stand_ins = seed(server)
        token = {"superuser": tessera.TOKEN, "plain": PLAIN_KEY}[name]
        report = Path(scratch) / "report.json"
        environment = os.environ | {
            "CONTRACT_TOKEN": token, "CONTRACT_STAND_INS": json.dumps(stand_ins[name]), "CONTRACT_HOOKS": str(HERE / "hooks.py"),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        (Path(scratch) / "schemathesis.toml").write_text((HERE / "schemathesis.toml").read_text() + settings(known))
        command = [program, "--config-file", "schemathesis.toml", "run", f"{server.base}/api/v3/schema/?format=json",
                   "--url", f"{server.base}/api/v3", "--mode", mode, "--max-time", str(seconds), "--seed", str(number),
                   "--report-json-path", report]
        if name == "plain":
            # Being refused is what this pass is about.
            command += ["--warnings", "off"]
        # In a folder of its own, since hypothesis and schemathesis leave files where they run.
        done = subprocess.run([str(c) for c in command], cwd=scratch, env=environment, timeout=seconds * 2 + 300)
        if keep:
            shutil.copytree(scratch, keep / name, dirs_exist_ok=True)
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
        # A run that lost its rights on the way has seen little.
        try:
            if Client(server.base, token).call("GET", "/core/users/me/")["user"]["is_superuser"] != (name == "superuser"):
                complaints.append("the caller's rights have changed on the way")
        except OSError as error:
            complaints.append(f"the caller's token no longer works: {error}")
    return failing, told["operations"]["tested"], complaints


def main():
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--binary", type=Path, help="a built server (default: build one)")
    ask.add_argument("--seconds", type=int, default=600, help="for both passes together (default: 600)")
    ask.add_argument("--seed", type=int, default=SEED, help=f"of the generated data (default: {SEED})")
    ask.add_argument("--vary", action="store_true", help="a new seed; it is printed")
    ask.add_argument("--keep", type=Path, help="a folder for schemathesis' reports")
    asked = ask.parse_args()
    number = secrets.randbelow(2**32) if asked.vary else asked.seed
    # So that servers and folders go away then too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    binary = asked.binary or tessera.cargo_build("--bin", "tessera")["tessera"]
    program = tessera.python_with(HERE / "requirements.txt").parent / "schemathesis"
    long = max(1, asked.seconds * 3 // 4)
    passes = [("superuser", long, "all"), ("plain", max(1, asked.seconds - long), "positive")]
    failing, operations, complaints = set(), 0, []
    for name, seconds, mode in passes:
        bad, count, more = run(name, binary, program, seconds, number, mode, asked.keep)
        failing |= bad
        operations = max(operations, count)
        complaints += [f"{name}: {complaint}" for complaint in more]
    print()
    for operation in sorted(failing):
        print(f"finding: {operation}")
    for complaint in complaints:
        print(f"complaint: {complaint}")
    # Requests beside the documented operations (another method) have findings of their own.
    failed = len(failing) + len(complaints)
    print(f"{max(0, operations - len(failing))} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
