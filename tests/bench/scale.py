"""The same server over few and over many tokens: what does a request cost when the tables have grown?"""
import contextlib, json, os, sqlite3, statistics, time

import seed
from wrk import call_many, load, machine, make_tokens, tessera

CONNECTIONS = 8
# Tokens that the server makes itself; their keys are known.
OWN = 1000
# By how many a run of wrk may overshoot what it was told.
SLACK = 16
USERS = 300
AIM = 1.2
# kind in load.lua, what it is called; the last three change how many tokens there are, or take each once
ROWS = [
    ("get", "GET one token"),
    ("first", "GET the first page of 20 tokens"),
    ("middle", "GET a page of 20 in the middle"),
    ("filter", "GET tokens with one identifier"),
    ("me", "GET /core/users/me/"),
    ("events", "GET a page of 20 events"),
    ("patch", "PATCH a token"),
    ("cold", "GET /core/users/me/, key seen for the first time"),
    ("post", "POST a token"),
    ("delete", "DELETE a token"),
]


def prepare(server, total):
    """Fills a database; returns the file with the keys of its first tokens."""
    make_tokens(server.base, OWN)
    fields = lambda n: {"username": f"bench-user-{n}", "name": f"Somebody {n}"}
    call_many(server.base, "POST", [("/api/v3/core/users/", fields(n)) for n in range(USERS)])
    keys = call_many(server.base, "GET", [(f"/api/v3/core/tokens/bench-{n}/view_key/",) for n in range(OWN)])
    keys = [json.loads(body)["key"] for body in keys]
    server.stop()
    seed.tokens(server, OWN, total)
    server.start()
    file = server.home / "keys"
    file.write_text("\n".join(keys) + "\n")
    return file


def forget(server):
    """Makes the server look up every principal anew, as a write by another process does."""
    with contextlib.closing(sqlite3.connect(server.home / "data/tessera.db", timeout=10)) as db, db:
        db.execute("UPDATE epoch SET value = value + 1")
    time.sleep(1.2)


def once(kind, server, keys, round_, rounds):
    """What `load` wants to know about kinds that take every object once."""
    if kind == "cold":
        forget(server)
        return (0, OWN, keys)
    if kind == "delete":
        return (round_ * (OWN // rounds), OWN // rounds - SLACK, None)
    return None


def row(kind, title, servers, totals, seconds, rounds, others):
    """Both servers in turn; the medians of the rounds."""
    got = {total: [] for total in totals}
    # A thousand keys are half a second: one round says little.
    rounds *= 3 if kind == "cold" else 1
    for round_ in range(rounds):
        for (server, keys), total in zip(servers, totals):
            objects = OWN if kind == "cold" else total
            some = once(kind, server, keys, round_, rounds)
            got[total].append(load(server, kind, CONNECTIONS, 2 if some else seconds, objects, some))
    others.extend(run["others"] for runs in got.values() for run in runs)
    middle = {total: {name: statistics.median(one[name] for one in runs) for name in runs[0]} for total, runs in got.items()}
    few, many = (middle[total] for total in totals)
    ratio = few["rate"] / many["rate"]
    cells = [f"{one['rate']:,.0f} | {one['p50']:.2f} | {one['p99']:.2f}" for one in (few, many)]
    return f"| {title} | {' | '.join(cells)} | {ratio:.2f}{' **beyond**' if ratio > AIM else ''} |"


def measure(binary, seconds, totals, rounds):
    """Yields the lines of the report."""
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(tessera.Server(binary)) for _ in totals]
        servers = [(server, prepare(server, total)) for server, total in zip(servers, totals)]
        sizes = [(server.home / "data/tessera.db").stat().st_size / 2**20 for server, _ in servers]
        few, many = (f"{total:,}" for total in totals)
        yield (f"Measured with `just bench --scale` ({rounds} rounds of {seconds} s a row, both servers in turn) on {machine()}; "
               f"SQLite, {CONNECTIONS} connections. Databases of {sizes[0]:,.0f} and {sizes[1]:,.0f} MiB, with as many events as tokens.")
        yield ""
        yield (f"| | {few}: requests/s | p50 ms | p99 ms | {many}: requests/s | p50 ms | p99 ms "
               f"| times slower (aim {AIM}) |")
        yield "|---|--:|--:|--:|--:|--:|--:|--:|"
        others = []
        for kind, title in ROWS:
            yield row(kind, title, servers, totals, seconds, rounds, others)
        yield ""
        yield (f"Other programs kept {statistics.mean(others):.2f} of {os.cpu_count()} cores busy meanwhile, "
               f"at most {max(others):.2f} in one round of a row.")
