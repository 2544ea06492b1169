"""What policies cost: asked alone, and on the way into an application."""
import json, statistics, tempfile
from pathlib import Path

from wrk import Baseline, call, call_many, children, load, machine, recorded, resident_mib, tessera

CONNECTIONS = (1, 8, 32)
BINDINGS = (1, 10, 100)
# Bindings of expressions to one application.
EXPRESSIONS = 10
# Milliseconds that an expression may cost more than a policy that does nothing.
AIM = 1.0
ROWS = 1000
POLICIES = {
    "dummy": ("dummy", {"result": True, "wait_min": 0, "wait_max": 1}),
    "expiry": ("password_expiry", {"days": 30, "deny_only": True}),
    "expression": ("expression", {"expression": "return True"}),
}


def prepare(server):
    """Makes policies, applications and bindings; returns [(request for load.lua, what it is called)] of the rows."""
    def post(path, *bodies):
        return [json.loads(body) for body in call_many(server.base, "POST", [(f"/api/v3{path}", body) for body in bodies])]

    user = json.loads(call(server.base, "GET", "/api/v3/core/users/me/")[1])["user"]["pk"]
    rows, keys = [], {}
    for name, (path, fields) in POLICIES.items():
        [policy] = post(f"/policies/{path}/", {"name": f"bench {name}", **fields})
        keys[name] = policy["pk"]
        body = json.dumps({"user": user}, separators=(",", ":"))
        article = "a" if name == "dummy" else "an"
        rows.append((f"POST /api/v3/policies/all/{policy['pk']}/test/ {body}", f"test {article} {name} policy", name))
    groups = post("/core/groups/", *({"name": f"bench {n}"} for n in range(max(BINDINGS))))
    sets = [(f"{count} group binding{'s' * (count > 1)}", [{"group": group["pk"]} for group in groups[:count]]) for count in BINDINGS]
    sets += [(f"{EXPRESSIONS} expression bindings", [{"policy": keys["expression"]}] * EXPRESSIONS)]
    for n, (title, bound) in enumerate(sets):
        [application] = post("/core/applications/", {"name": title, "slug": f"bench-{n}"})
        post("/policies/bindings/", *({"target": application["pk"], "order": order, **what} for order, what in enumerate(bound)))
        rows.append((f"GET /api/v3/core/applications/bench-{n}/check_access/", f"check access, {title}", title))
    return rows


def measure(binary, baseline_binary, seconds, rounds):
    """Yields the lines of the report."""
    with tempfile.TemporaryDirectory(prefix="tessera-bench-") as folder, tessera.Server(binary) as server:
        rows = prepare(server)
        method, path, body = rows[0][0].split(" ", 2)
        answer = recorded(*call(server.base, method, path, json.loads(body)))
        yield f"Measured with `just bench --policies` ({seconds} s a row) on {machine()}; SQLite, wrk on the same machine."
        yield ""
        yield "| | connections | requests/s | p50 ms | p99 ms | CPU µs/request | of bare hyper |"
        yield "|---|--:|--:|--:|--:|--:|--:|"
        bare = {}
        with Baseline(baseline_binary, Path(folder), answer, ROWS) as baseline:
            asked = [("bytes", "bare hyper, the same bytes"), ("read", "bare hyper, one SeaORM read")]
            asked = [(baseline, *one) for one in asked] + [(server, kind, title) for kind, title, _ in rows]
            for target, kind, title in asked:
                for connections in CONNECTIONS:
                    got = load(target, kind, connections, seconds, ROWS)
                    ratio = got["rate"] / bare.setdefault(connections, got["rate"])
                    yield (f"| {title} | {connections} | {got['rate']:,.0f} | {got['p50']:.3f} | {got['p99']:.3f} "
                           f"| {got['cpu']:.0f} | {ratio:.2f} |")
        # In turn, so that what else the machine does meets them alike.
        kinds = {name: kind for kind, _, name in rows if name in POLICIES}
        runs = [{name: load(server, kind, 1, seconds, ROWS)["p50"] for name, kind in kinds.items()} for _ in range(rounds)]
        middle = {name: statistics.median(run[name] for run in runs) for name in kinds}
        more = {name: middle["expression"] - middle[name] for name in ("dummy", "expiry")}
        yield ""
        yield (f"With workers that are warm, one connection, p50 of {rounds} round{'s' * (rounds > 1)}: an expression costs {more['dummy']:.3f} ms more than a "
               f"dummy (aim: under {AIM:.0f} ms{'' if more['dummy'] < AIM else ', **beyond**'}), and {more['expiry']:.3f} ms more "
               f"than an expiry policy.")
        workers = [resident_mib(worker) for worker in children(server.process.pid)]
        yield (f"Resident memory afterwards: {resident_mib(server.process.pid):.1f} MiB, and {len(workers)} worker{'s' * (len(workers) != 1)} of "
               f"{max(workers, default=0):.1f} MiB at most. CPU is the server's and its workers' together.")
