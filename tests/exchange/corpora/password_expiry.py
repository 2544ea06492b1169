#!/usr/bin/env python3
"""Password expiry: the policy at its boundaries (test endpoint), and bound to a flow, stages and an application.
The age of a password cannot be set through the API, so --age-command is a shell command that makes the password of
{user} {seconds} old in the server's store (negative: changed in the future); it must return after the change is visible.
password_expiry.py --base URL --token TOKEN --out DIR --age-command 'CMD {user} {seconds}' [--only test,twice,bound,app] [--compare RECORDED]
The part `app` needs OAuth providers, authorize and the token endpoint."""
import json, subprocess
from types import SimpleNamespace
from urllib.parse import urlencode
from corpus import API, body_of, run

PW = "Corpus-Pw-1!"
DAY = 86400
# days, deny_only, ages in seconds, those after which a login is tried (True: all)
TESTS = [
    (30, True, {"fresh": 0, "29d": 29 * DAY, "30d_less_1min": 30 * DAY - 60, "31d_less_1min": 31 * DAY - 60, "45d": 45 * DAY, "400d": 400 * DAY}, ["400d"]),
    (30, False, {"30d_less_1min": 30 * DAY - 60, "30d_plus_1h": 30 * DAY + 3600, "45d": 45 * DAY, "400d": 400 * DAY}, True),
    (1, True, {"fresh": 0, "2d": 2 * DAY}, []),
    (1, False, {"1d_less_1min": DAY - 60}, True),
    (0, True, {"1h": 3600, "future_2d": -2 * DAY}, []),
    (0, False, {"1h": 3600, "future_1h": -3600}, True),
    (-1, True, {"fresh": 0, "1d": DAY, "future_3d": -3 * DAY}, []),
    (-1, False, {"1d": DAY, "future_1d_1h": -DAY - 3600, "future_3d": -3 * DAY}, True),
    (-30, True, {"fresh": 0}, []),
    (-30, False, {"fresh": 0, "future_40d": -40 * DAY}, True),
    (365, True, {"364d": 364 * DAY}, []),
    (3000000, True, {"fresh": 0}, []),
    (-2147483648, True, {"fresh": 0}, []),
    (-800000, True, {"fresh": 0}, []),
    (-800000, False, {"fresh": 0}, True),
]
# number of the flow, bound to, deny_only, password, evaluated when the plan is made instead of at the stage
BOUND = [
    (1, "flow", True, "valid", False),
    (5, "password", True, "valid", False), (6, "password", True, "valid", True), (7, "password", True, "expired", False),
    (9, "password", False, "valid", False), (11, "password", False, "expired", False), (12, "password", False, "expired", True),
    (13, "login", True, "valid", False), (14, "login", True, "valid", True), (15, "login", True, "expired", False), (16, "login", True, "expired", True),
    (17, "login", False, "valid", False), (18, "login", False, "valid", True), (19, "login", False, "expired", False), (20, "login", False, "expired", True),
]
AGE = {"valid": 3600, "expired": 45 * DAY}


def setup(C):
    t = C.tag
    F = SimpleNamespace(name=f"{t}-pat", user=C.user("pat", PW, display="Pat"))
    F.policy = {deny: C.make("/policies/password_expiry/", {"name": f"{t} exp {deny}", "days": 30, "deny_only": deny}, "/policies/all/{pk}/") for deny in (False, True)}

    def age(seconds):
        cmd = C.a.age_command.replace("{user}", F.name).replace("{seconds}", str(int(seconds)))
        subprocess.run(cmd, shell=True, check=True, stdout=subprocess.DEVNULL)

    def reset(seconds):
        """the known password again, then its age"""
        C.api("POST", f"/core/users/{F.user['pk']}/set_password/", {"password": PW})
        age(seconds)
    F.age, F.reset = age, reset
    # Not in the original script: without flows nobody can log in, and the parts test and twice go on.
    if C.raw("GET", API + "/flows/instances/").status_code != 200:
        F.can_login = lambda: None
        return F
    F.id = C.make("/stages/identification/", {"name": f"{t} id", "user_fields": ["username"]}, "/stages/identification/{pk}/")
    F.pw = C.make("/stages/password/", {"name": f"{t} pw", "backends": ["authentik.core.auth.InbuiltBackend"], "failed_attempts_before_cancel": 5}, "/stages/password/{pk}/")
    F.lo = C.make("/stages/user_login/", {"name": f"{t} login"}, "/stages/user_login/{pk}/")
    flow = C.make("/flows/instances/", {"name": f"{t} probe", "title": "Probe", "slug": f"{t}-probe", "designation": "authentication"}, "/flows/instances/{slug}/")
    for o, s in [(10, F.id), (20, F.pw), (30, F.lo)]:
        C.make("/flows/bindings/", {"target": flow["pk"], "stage": s["pk"], "order": o}, "/flows/bindings/{pk}/")
    def can_login():
        d = C.trace("probe").login(F.name, PW, slug=f"{t}-probe")
        return "yes" if d.get("component") == "xak-flow-redirect" else json.dumps(d.get("response_errors") or d.get("error_message") or d.get("component"))
    F.can_login = can_login
    return F


def part_test(C, F):
    for days, deny, ages, probe in TESTS:
        r = C.raw("POST", API + "/policies/password_expiry/", json={"name": f"{C.tag} exp test", "days": days, "deny_only": deny})
        for label, age in ages.items():
            case, req = f"test.days={days}.deny={deny}.age={label}", {"days": days, "deny_only": deny, "age_seconds": age}
            if r.status_code != 201:
                C.put(case, "POST", API + "/policies/password_expiry/", req, r.status_code, body_of(r), save_status=r.status_code)
                continue
            F.reset(age)
            x = C.raw("POST", API + f"/policies/all/{r.json()['pk']}/test/", json={"user": F.user["pk"]})
            b = body_of(x)
            if probe is True or label in probe:
                b = {"test": b, "login_after": F.can_login()}
            C.put(case, "POST", API + "/policies/all/ID/test/", req, x.status_code, b, save_status=201)
        if r.status_code == 201:
            C.raw("DELETE", API + f"/policies/all/{r.json()['pk']}/")


def part_twice(C, F):
    """the second evaluation of an expired, already invalidated password"""
    T = API + f"/policies/all/{F.policy[False]['pk']}/test/"
    F.reset(45 * DAY)
    for i in (1, 2):
        C.call(f"twice.{i}", "POST", T, body={"user": F.user["pk"]})
    C.call("twice.set_password", "POST", API + f"/core/users/{F.user['pk']}/set_password/", body={"password": PW})


def bound_flow(C, F, n, where, policy, plan=False, **kw):
    """identification, password, login; the policy bound to the flow or to one of its stages"""
    slug = f"{C.tag}-b{n}"
    f = C.make("/flows/instances/", {"name": slug, "title": "Sign in", "slug": slug, "designation": "authentication"}, "/flows/instances/{slug}/")
    fsb = {}
    for k, o, s in [("identification", 10, F.id), ("password", 20, F.pw), ("login", 30, F.lo)]:
        ev = {"evaluate_on_plan": True, "re_evaluate_policies": False} if plan and k == where else {"evaluate_on_plan": False, "re_evaluate_policies": True}
        fsb[k] = C.make("/flows/bindings/", {"target": f["pk"], "stage": s["pk"], "order": o, **ev}, "/flows/bindings/{pk}/")
    C.make("/policies/bindings/", {"policy": policy["pk"], "target": f["pk"] if where == "flow" else fsb[where]["pk"], "order": 0, **kw}, "/policies/bindings/{pk}/")
    return slug


def part_bound(C, F):
    for n, where, deny, label, plan in BOUND:
        slug = bound_flow(C, F, n, where, F.policy[deny], plan)
        F.reset(AGE[label])
        tr = C.trace(f"bound.{where}.deny={deny}.{label}" + (".evaluate_on_plan" if plan else ""), note=f"policy (days 30, deny_only {deny}) bound to {where}; password {label}")
        tr.login(F.name, PW, slug)
        tr.me()
        tr.done(after={"login_through_unbound_flow": F.can_login()})
    # failure_result, disabled binding
    for n, label, kw, age in [(24, "failure_result.flow", {"failure_result": True}, "valid"), (25, "disabled.flow", {"enabled": False}, "expired")]:
        slug = bound_flow(C, F, n, "flow", F.policy[True], **kw)
        F.reset(AGE[age])
        tr = C.trace(f"bound.{label}", note=json.dumps({"where": "flow", **kw}))
        tr.login(F.name, PW, slug)
        tr.me()
        tr.done()
    # a flow entered by an already logged-in, expired user (policy on the flow; the flow user is known)
    slug = bound_flow(C, F, 27, "flow", F.policy[False])
    F.reset(3600)
    tr = C.trace("bound.flow_while_logged_in.deny=False")
    tr.login(F.name, PW, f"{C.tag}-probe")
    F.age(45 * DAY)
    tr.me()
    tr.get(slug)
    tr.me()
    tr.done(after={"login_through_unbound_flow": F.can_login()})


def part_app(C, F):
    t = C.tag
    imp = C.first("/flows/instances/?slug=default-provider-authorization-implicit-consent")["pk"]
    openid = C.first("/propertymappings/provider/scope/?scope_name=openid")["pk"]

    def app(k, policy):
        prov = C.make("/providers/oauth2/", {"name": k, "authorization_flow": imp, "client_id": k, "client_secret": "s", "redirect_uris": "http://localhost:9999/cb", "property_mappings": [openid]}, "/providers/oauth2/{pk}/")
        a = C.make("/core/applications/", {"name": k, "slug": k, "provider": prov["pk"]}, "/core/applications/{slug}/")
        C.make("/policies/bindings/", {"policy": policy["pk"], "target": a["pk"], "order": 0}, "/policies/bindings/{pk}/")

    def grant(k, case):
        F.reset(45 * DAY)
        C.make("/core/tokens/", {"identifier": f"{k}-apppw", "intent": "app_password", "user": F.user["pk"]}, "/core/tokens/{identifier}/")
        key = C.api("GET", f"/core/tokens/{k}-apppw/view_key/").get("key")
        C.call(case, "POST", "/application/o/token/", auth="none", form={"client_id": k, "grant_type": "client_credentials", "username": F.name, "password": key, "scope": "openid"})

    k = f"{t}-app-deny"
    app(k, F.policy[True])
    auth = "/application/o/authorize/?" + urlencode({"client_id": k, "response_type": "code", "scope": "openid", "redirect_uri": "http://localhost:9999/cb", "state": "s"})
    F.reset(3600)
    tr = C.trace("app.deny=True.expired", note="policy bound to the application; log in, age the password, list, check, authorise twice")
    tr.login(F.name, PW, f"{t}-probe")
    F.age(45 * DAY)
    tr.me()
    C.clear_caches()
    r = tr.req("GET", API + f"/core/applications/?slug={k}")
    if r.status_code == 200:
        tr.steps[-1]["body"] = {"slugs": [x["slug"] for x in tr.j.get("results") or []]}
    tr.req("GET", API + f"/core/applications/{k}/check_access/")
    tr.req("GET", auth, label="authorise")
    tr.me()
    tr.done(after={"login_through_unbound_flow": F.can_login()})
    grant(k, "app.deny=True.app_password_grant")
    C.put("app.deny=True.login_after_grant", "NOTE", "", None, 200, {"login": F.can_login()})

    k = f"{t}-app-inv"
    app(k, F.policy[False])
    F.reset(45 * DAY)
    C.call("app.deny=False.check_access_for_user", "GET", API + f"/core/applications/{k}/check_access/?for_user={F.user['pk']}", note="an admin asks; side effects of the question are real when deny_only is false")
    C.put("app.deny=False.login_after_check_access", "NOTE", "", None, 200, {"login": F.can_login()})
    grant(k, "app.deny=False.app_password_grant")


if __name__ == "__main__":
    run("password_expiry", {"test": part_test, "twice": part_twice, "bound": part_bound, "app": part_app}, "corpe", setup,
        lambda ap: ap.add_argument("--age-command", required=True, metavar="'CMD {user} {seconds}'", help="shell command that makes the password of {user} {seconds} old"))
