#!/usr/bin/env python3
"""Measures Tessera on this machine and prints tables; run it as `just bench`.

    run.py [--policies] [--scale] [--sweep] [--logins] [--trades] [--seconds N] [--smoke] [--write]
           [--binary PATH --baseline PATH --visitors PATH --signer PATH]

Six parts: against bare hyper; policies and access to applications, against bare hyper too (`--policies`); 1,000
tokens against 1,000,000 (`--scale`); reads while 100,000 expired tokens are swept (`--sweep`); logins against bare
Argon2id, and reads beside them (`--logins`); personal access tokens against bare signing (`--trades`). Load comes from wrk, and for logins from `bench-logins`, over the
loopback address, so server and client share the cores; read ratios, not totals. Any answer that is not 2xx,
and any broken connection, fails the run.
"""
import argparse, shutil, statistics, sys, tempfile, time
from pathlib import Path

import logins, policies, scale, sweep, trades
from wrk import Baseline, call, load, machine, make_tokens, recorded, resident_mib, tessera, write

TOKENS = 1000
CONNECTIONS = (1, 8, 32)
# kind in load.lua, what it is called, who answers it
ROWS = [
    ("bytes", "bare hyper, the same bytes", "baseline"),
    ("read", "bare hyper, one SeaORM read", "baseline"),
    ("get", "GET one token", "server"),
    ("page", "GET a page of 20 tokens", "server"),
    ("post", "POST a token", "server"),
    ("patch", "PATCH a token", "server"),
]


def first_answers(server, path, times):
    """Seconds from the start of the process to the first authenticated answer, on the database as it is."""
    taken = []
    for _ in range(times):
        server.stop()
        began = time.monotonic()
        server.start(pause=0.001)
        call(server.base, "GET", path)
        taken.append(time.monotonic() - began)
    return statistics.median(taken)


def measure(binary, baseline_binary, seconds, memory_requests, starts):
    """Runs everything; yields the lines of the report."""
    one = "/api/v3/core/tokens/bench-7/"
    with tempfile.TemporaryDirectory(prefix="tessera-bench-") as folder, tessera.Server(binary) as server:
        make_tokens(server.base, TOKENS)
        started = first_answers(server, one, starts)
        time.sleep(1)
        idle = resident_mib(server.process.pid)
        answered = 0
        while answered < memory_requests:
            answered += load(server, "get", 32, seconds, TOKENS)["requests"]
        after_reads = resident_mib(server.process.pid)
        yield f"Measured with `just bench` ({seconds} s a row) on {machine()}; SQLite, {TOKENS} tokens, wrk on the same machine."
        yield ""
        yield "| | connections | requests/s | p50 ms | p99 ms | CPU µs/request | of bare hyper |"
        yield "|---|--:|--:|--:|--:|--:|--:|"
        bare = {}
        with Baseline(baseline_binary, Path(folder), recorded(*call(server.base, "GET", one)), TOKENS) as baseline:
            for kind, title, who in ROWS:
                target = server if who == "server" else baseline
                for connections in CONNECTIONS:
                    got = load(target, kind, connections, seconds, TOKENS)
                    ratio = got["rate"] / bare.setdefault(connections, got["rate"])
                    yield (f"| {title} | {connections} | {got['rate']:,.0f} | {got['p50']:.3f} | {got['p99']:.3f} "
                           f"| {got['cpu']:.0f} | {ratio:.2f} |")
        yield ""
        yield "| | |"
        yield "|---|--:|"
        yield f"| resident memory, idle | {idle:.1f} MiB |"
        yield f"| resident memory, after {answered:,} requests for one token | {after_reads:.1f} MiB |"
        yield f"| resident memory, after the whole table | {resident_mib(server.process.pid):.1f} MiB |"
        yield f"| from the start on this database to the first authenticated answer | {started * 1000:.0f} ms |"
        yield f"| binary | {binary.stat().st_size / 2**20:.1f} MiB |"


def parts(asked):
    """(name of the marks in docs/performance.md, lines) of what was asked for."""
    smoke, seconds = asked.smoke, 1 if asked.smoke else asked.seconds
    # Apart from each other: an example is built with the tests' dependencies, and their features are not shipped.
    binary = asked.binary or tessera.cargo_build("--release", "--bin", "tessera")["tessera"]
    everything = not (asked.policies or asked.scale or asked.sweep or asked.logins or asked.trades)
    if everything or asked.policies or asked.trades:
        baseline = asked.baseline or tessera.cargo_build("--release", "--example", "bench-baseline")["bench-baseline"]
    if everything:
        yield "measured", measure(binary, baseline, seconds, 1000 if smoke else 100_000, 1 if smoke else 5)
    if everything or asked.policies:
        yield "policies", policies.measure(binary, baseline, seconds, 1 if smoke else 3)
    if everything or asked.scale:
        yield "scale", scale.measure(binary, seconds, (1000, 20_000 if smoke else 1_000_000), 1 if smoke else 3)
    if everything or asked.sweep:
        yield "sweep", sweep.measure(binary, 1 if smoke else 20, 1000 if smoke else 100_000)
    if everything or asked.logins:
        visitors = asked.visitors or tessera.cargo_build("--release", "--example", "bench-logins")["bench-logins"]
        yield "logins", logins.measure(binary, visitors, seconds, 1 if smoke else 3)
    if everything or asked.trades:
        signer = asked.signer or tessera.cargo_build("--release", "--example", "bench-signing")["bench-signing"]
        yield "trades", trades.measure(binary, baseline, signer, seconds, 1 if smoke else 3)


def main():
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--seconds", type=int, default=5, help="length of one row (default 5)")
    ask.add_argument("--policies", action="store_true", help="only policies and access to applications")
    ask.add_argument("--scale", action="store_true", help="only 1,000 against 1,000,000 tokens")
    ask.add_argument("--sweep", action="store_true", help="only the sweep of 100,000 expired tokens under load")
    ask.add_argument("--logins", action="store_true", help="only logins against bare Argon2id, and reads beside them")
    ask.add_argument("--trades", action="store_true", help="only personal access tokens against bare signing")
    ask.add_argument("--smoke", action="store_true", help="one second a row, few tokens: does it run at all?")
    ask.add_argument("--write", action="store_true", help="put the tables into docs/performance.md")
    ask.add_argument("--binary", type=Path, help="a built server (default: build one)")
    ask.add_argument("--baseline", type=Path, help="a built bench-baseline (default: build one)")
    ask.add_argument("--visitors", type=Path, help="a built bench-logins (default: build one)")
    ask.add_argument("--signer", type=Path, help="a built bench-signing (default: build one)")
    asked = ask.parse_args()
    if asked.smoke and asked.write:
        ask.error("a smoke run measures nothing that is worth writing down")
    if not shutil.which("wrk"):
        sys.exit("wrk is missing; Debian has it as `apt-get install wrk`")
    for part, lines in parts(asked):
        kept = []
        for line in lines:
            print(line, flush=True)
            kept.append(line)
        print(flush=True)
        if asked.write:
            write(part, kept)


if __name__ == "__main__":
    main()
