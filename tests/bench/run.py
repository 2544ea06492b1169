#!/usr/bin/env python3
"""Measures Tessera against bare hyper on this machine and prints a table; run it as `just bench`.

    run.py [--seconds N] [--smoke] [--write] [--binary PATH --baseline PATH]

Load comes from wrk over the loopback address, so server and client share the cores; read ratios, not totals.
Any answer that is not 2xx, and any broken connection, fails the run.
"""
import argparse, json, os, platform, re, shutil, statistics, subprocess, sys, tempfile, time, urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))
import tessera

TOKENS = 1000
CONNECTIONS = (1, 8, 32)
DOCUMENT = tessera.ROOT / "docs/performance.md"
MARKS = ("<!-- measured: begin -->", "<!-- measured: end -->")
# kind in load.lua, what it is called, who answers it
ROWS = [
    ("bytes", "bare hyper, the same bytes", "baseline"),
    ("read", "bare hyper, one SeaORM read", "baseline"),
    ("get", "GET one token", "server"),
    ("page", "GET a page of 20 tokens", "server"),
    ("post", "POST a token", "server"),
    ("patch", "PATCH a token", "server"),
]


class Baseline:
    """`bench-baseline`, answering the bytes in `response`."""

    def __init__(self, binary, folder, response):
        recorded = folder / "response"
        recorded.write_bytes(response)
        command = [binary, "--response", recorded, "--database", folder / "baseline.db", "--rows", str(TOKENS)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
        line = self.process.stdout.readline()
        if not line.startswith("address"):
            raise SystemExit("the baseline did not start")
        self.base = line.split()[1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(timeout=10)


def call(base, method, path, body=None):
    """One request as the bootstrap user; returns (header lines, body)."""
    request = urllib.request.Request(base + path, method=method, data=json.dumps(body).encode() if body else None)
    request.add_header("Authorization", "Bearer " + tessera.TOKEN)
    if body:
        request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request, timeout=30) as response:
        return response.getheaders(), response.read()


def seed(base):
    create = lambda n: call(base, "POST", "/api/v3/core/tokens/", {"identifier": f"bench-{n}", "description": "read under load"})
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(create, range(TOKENS)))


def recorded(headers, body):
    """An answer in the form that `bench-baseline` reads; hyper writes the other headers itself."""
    kept = [f"{name}: {value}" for name, value in headers if name.lower() not in ("connection", "content-length", "date")]
    return "\n".join(kept).encode() + b"\n\n" + body


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mib(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1]) / 1024


def load(target, kind, connections, seconds):
    """One run of wrk; {requests, rate, p50, p99 in ms, cpu in µs per request}."""
    command = ["wrk", "-t", str(min(2, connections)), "-c", str(connections), "-d", f"{seconds}s", "--timeout", "10s",
               "-s", HERE / "load.lua", target.base, "--", kind, tessera.TOKEN, str(TOKENS), f"load-{time.time_ns()}"]
    before = cpu_seconds(target.process.pid)
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=seconds + 60, check=True)
    used = cpu_seconds(target.process.pid) - before
    told = json.loads(done.stdout.strip().splitlines()[-1])
    if told["refused"] or told["broken"] or not told["requests"]:
        raise SystemExit(f"{kind} at {connections} connections: {told['refused']} of {told['requests']} requests were "
                         f"refused, {told['broken']} connections broke")
    return {"requests": told["requests"], "rate": told["requests"] / told["microseconds"] * 1e6,
            "p50": told["p50"] / 1000, "p99": told["p99"] / 1000, "cpu": used / told["requests"] * 1e6}


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


def machine():
    cpu = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    rustc = subprocess.run(["rustc", "--version"], stdout=subprocess.PIPE, text=True, cwd=tessera.ROOT).stdout.split()
    return (f"{os.cpu_count()} × {cpu[1].strip() if cpu else platform.machine()}, Linux {platform.release().split('-')[0]}, "
            f"rustc {rustc[1] if len(rustc) > 1 else '?'}")


def measure(binary, baseline_binary, seconds, memory_requests, starts):
    """Runs everything; yields the lines of the report."""
    one = "/api/v3/core/tokens/bench-7/"
    with tempfile.TemporaryDirectory(prefix="tessera-bench-") as folder, tessera.Server(binary) as server:
        seed(server.base)
        started = first_answers(server, one, starts)
        time.sleep(1)
        idle = resident_mib(server.process.pid)
        answered = 0
        while answered < memory_requests:
            answered += load(server, "get", 32, seconds)["requests"]
        after_reads = resident_mib(server.process.pid)
        yield f"Measured with `just bench` ({seconds} s a row) on {machine()}; SQLite, {TOKENS} tokens, wrk on the same machine."
        yield ""
        yield "| | connections | requests/s | p50 ms | p99 ms | CPU µs/request | of bare hyper |"
        yield "|---|--:|--:|--:|--:|--:|--:|"
        bare = {}
        with Baseline(baseline_binary, Path(folder), recorded(*call(server.base, "GET", one))) as baseline:
            for kind, title, who in ROWS:
                target = server if who == "server" else baseline
                for connections in CONNECTIONS:
                    got = load(target, kind, connections, seconds)
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


def write(lines):
    text = DOCUMENT.read_text() if DOCUMENT.exists() else "# Performance\n\n" + "\n".join(MARKS) + "\n"
    if any(text.count(mark) != 1 for mark in MARKS):
        sys.exit(f"docs/performance.md lacks the lines {MARKS[0]} and {MARKS[1]}")
    before, rest = text.split(MARKS[0])
    DOCUMENT.parent.mkdir(exist_ok=True)
    DOCUMENT.write_text(before + "\n".join([MARKS[0], *lines, MARKS[1]]) + rest.split(MARKS[1])[1])


def main():
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--seconds", type=int, default=5, help="length of one row (default 5)")
    ask.add_argument("--smoke", action="store_true", help="one second a row: does it run at all?")
    ask.add_argument("--write", action="store_true", help="put the tables into docs/performance.md")
    ask.add_argument("--binary", type=Path, help="a built server (default: build one)")
    ask.add_argument("--baseline", type=Path, help="a built bench-baseline (default: build one)")
    asked = ask.parse_args()
    if not shutil.which("wrk"):
        sys.exit("wrk is missing; Debian has it as `apt-get install wrk`")
    # Apart from each other: an example is built with the tests' dependencies, and their features are not shipped.
    binary = asked.binary or tessera.cargo_build("--release", "--bin", "tessera")["tessera"]
    baseline = asked.baseline or tessera.cargo_build("--release", "--example", "bench-baseline")["bench-baseline"]
    seconds = 1 if asked.smoke else asked.seconds
    lines = []
    for line in measure(binary, baseline, seconds, 1000 if asked.smoke else 100_000, 1 if asked.smoke else 5):
        print(line, flush=True)
        lines.append(line)
    if asked.write:
        write(lines)


if __name__ == "__main__":
    main()
