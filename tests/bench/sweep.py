"""The sweep of many expired tokens by the running server, while others read."""
import sqlite3, subprocess, time

import seed
from wrk import load, machine, make_tokens, tessera

CONNECTIONS = 8
OWN = 1000
AIM = 2.0
# Longest that a sweep may take.
PATIENCE = 540
ENDED = "SELECT count(*) FROM tokens WHERE expiring AND expires < strftime('%Y-%m-%d %H:%M:%f', 'now')"


class Watch:
    """Looks at the server's file from outside, as a copy of the program would."""

    def __init__(self, server):
        self.db = sqlite3.connect(f"file:{server.home / 'data/tessera.db'}?mode=ro", uri=True, timeout=10)

    def one(self, statement):
        return self.db.execute(statement).fetchone()[0]

    def wait(self, reached, pause):
        """Seconds until `reached` holds of the number of expired tokens."""
        began = time.monotonic()
        while not reached(self.one(ENDED)):
            if time.monotonic() - began > PATIENCE:
                raise SystemExit(f"after {PATIENCE} s {self.one(ENDED):,} tokens wait for the sweep")
            time.sleep(pause)
        return time.monotonic() - began


def check(server, watch, total):
    """Everything was handled, recorded and linked."""
    names = "SELECT count(*) FROM tokens WHERE identifier LIKE 'ended-%'"
    events = "SELECT count(*) FROM events WHERE action = '{}' AND json_extract(context, '$.{}.name') LIKE 'ended-%'"
    for what, statement in (
        ("API tokens are there", names), ("API tokens have a new end", f"{names} AND intent = 'api' AND expires > datetime('now')"),
        ("rotations are recorded", events.format("secret_rotate", "token")), ("removals are recorded", events.format("model_deleted", "model")),
    ):
        if (found := watch.one(statement)) != total // 2:
            raise SystemExit(f"{found:,} of {total // 2:,} {what}")
    verify = [server.binary, "audit", "verify"]
    done = subprocess.run(verify, cwd=server.home, env=server.environment(), stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300)
    if done.returncode:
        raise SystemExit(f"tessera audit verify: {done.stdout}")


def measure(binary, seconds, total):
    """Yields the lines of the report."""
    with tessera.Server(binary, TESSERA_SWEEP_INTERVAL="0") as server:
        make_tokens(server.base, OWN)
        server.stop()
        seed.expired(server, total)
        server.start()
        watch = Watch(server)
        load(server, "get", CONNECTIONS, 1, OWN)
        without = [load(server, "get", CONNECTIONS, seconds, OWN)]
        server.stop()
        server.settings["TESSERA_SWEEP_INTERVAL"] = "5"
        server.start()
        watch.wait(lambda left: left < total, 0.01)
        took = []
        during = load(server, "get", CONNECTIONS, PATIENCE, OWN, until=lambda: took.append(watch.wait(lambda left: not left, 0.2)))
        time.sleep(1)
        without.append(load(server, "get", CONNECTIONS, seconds, OWN))
        check(server, watch, total)
        watch.db.close()
    yield (f"Measured with `just bench --sweep` on {machine()}; SQLite, {OWN:,} tokens that last and {total:,} that have ended, "
           f"half of them API tokens (they get a new key), half app passwords (they go); {CONNECTIONS} connections read.")
    yield ""
    yield "| GET one token | requests/s | p50 ms | p99 ms | cores busy with other programs |"
    yield "|---|--:|--:|--:|--:|"
    for title, got in (("before the sweep", without[0]), (f"during the sweep, {took[0]:.1f} s", during), ("after the sweep", without[1])):
        yield f"| {title} | {got['rate']:,.0f} | {got['p50']:.2f} | {got['p99']:.2f} | {got['others']:.2f} |"
    for name in ("p50", "p99"):
        ratio = during[name] / (sum(got[name] for got in without) / len(without))
        beyond = " **beyond**" if name == "p99" and ratio > AIM else ""
        aim = f" (aim {AIM:g})" if name == "p99" else ""
        yield f"| times {name} during the sweep{aim} | | {f'{ratio:.2f} | |' if name == 'p50' else f'| {ratio:.2f}{beyond} |'} |"
    yield ""
    yield f"All {total:,} were handled and recorded, and `tessera audit verify` found the chain whole."
