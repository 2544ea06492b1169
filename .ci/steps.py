#!/usr/bin/env python3
"""Runs steps one after another, shows each one's output, and ends with a table and `N passed, N failed`.

    steps.py ci                 what `just ci` does
    steps.py cargo-test ci      the README's `cargo test` before it, as .ci/run does
    steps.py STEP...            single steps, by name

A step that fails does not keep the others from running. Beside the steps, the tests inside are counted where
the runner's closing lines tell how many there were.
"""
import os, re, subprocess, sys, time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STEPS = {
    "cargo-test": ["cargo", "test"],
    "fmt-check": ["just", "fmt-check"],
    "lint": ["just", "lint"],
    "doc": ["just", "doc"],
    "generate-check": ["just", "generate-check"],
    "deny": ["just", "deny"],
    "test-postgres": ["just", "test-postgres"],
    "exchange": ["just", "exchange"],
    "corpora": ["just", "corpora"],
    "sdk": ["just", "sdk"],
    "mail": ["just", "mail"],
    "web": ["just", "web"],
    "contract": ["just", "contract", "--seconds", "240"],
    "crash": ["just", "crash", "--rounds", "20", "--postgres-rounds", "3", "--prove"],
    "bench": ["just", "bench", "--smoke"],
}
CI = [name for name in STEPS if name != "cargo-test"]
# The closing lines of libtest, pytest, node's test runner and our own scripts.
COUNTS = [
    re.compile(r"^test result: \S+ (?P<passed>\d+) passed; (?P<failed>\d+) failed"),
    re.compile(r"^(?P<passed>\d+) passed(?:, (?P<failed>\d+) failed)?(?:, \d+ \w+)*(?: in [\d.]+s.*)?$"),
    re.compile(r"^(?P<failed>\d+) failed, (?P<passed>\d+) passed(?:, \d+ \w+)*(?: in [\d.]+s.*)?$"),
    re.compile(r"^(?:# |ℹ )pass (?P<passed>\d+)$"),
    re.compile(r"^(?:# |ℹ )fail (?P<failed>\d+)$"),
]


def run(command):
    """Runs a command, showing what it says; returns (exit code, tests passed, tests failed)."""
    passed = failed = 0
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True, errors="replace")
    for line in process.stdout:
        print(line, end="", flush=True)
        for pattern in COUNTS:
            if found := pattern.match(line.rstrip()):
                groups = found.groupdict(default="0")
                passed += int(groups.get("passed", 0))
                failed += int(groups.get("failed", 0))
                break
    return process.wait(), passed, failed


def main(asked):
    names = [name for word in asked for name in (CI if word == "ci" else [word])]
    if unknown := [name for name in names if name not in STEPS]:
        sys.exit(f"no such step: {', '.join(unknown)} (there are {', '.join(STEPS)})")
    # `cargo test` has used PostgreSQL already when a server was named to it.
    if "cargo-test" in names and os.environ.get("TESSERA_TEST_POSTGRES"):
        names = [name for name in names if name != "test-postgres"]
    table, passed, failed = [], 0, 0
    for name in names:
        print(f"\n==== {name}: {' '.join(STEPS[name])}", flush=True)
        began = time.monotonic()
        code, good, bad = run(STEPS[name])
        table.append((name, "ok" if code == 0 else f"FAILED ({code})", good, bad, time.monotonic() - began))
        # A step counts as one, beside the tests in it.
        passed += good + (code == 0)
        failed += bad + (code != 0)
    print(f"\n{'step':16}{'result':14}{'passed':>8}{'failed':>8}{'seconds':>9}")
    for name, result, good, bad, seconds in table:
        print(f"{name:16}{result:14}{good or '':>8}{bad or '':>8}{seconds:9.0f}")
    print(f"\n{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or ["ci"]))
