#!/usr/bin/env python3
"""Repeats the recorded calls against Tessera and compares the answers; run it as `just exchange`.

    run.py [--binary PATH] [--keep DIR]

`recordings/` holds what a real authentik 2024.8.2 answered, `drive.py` makes the same calls, `compare.py`
tells what differs. Every difference must be listed in `differences.toml` with the reason and the heading of
`docs/compatibility.md` that explains it. A line there that no longer matches anything fails too, so the list
only shrinks.
"""
import argparse, json, subprocess, sys, tempfile, urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "support")]
import compare, listed, tessera

FAMILIES = {"general", "tokens", "password_expiry"}


def differences(recorded, answered):
    """[(case, {kind of difference}, [text])] over all recorded cases; and how many were compared."""
    options = argparse.Namespace(headers=True, values=False)
    found, compared = [], 0
    for case, expected in recorded.items():
        if "skipped" in expected:
            continue
        compared += 1
        got = answered.get(case)
        if got is None or "skipped" in got:
            found.append((case, {"missing"}, [(got or {}).get("skipped", "not made")]))
        elif wrong := compare.diff(expected, got, options):
            found.append((case, {kind for kind, _ in wrong}, [f"{kind}: {text}" for kind, text in wrong]))
    return found, compared


def prepare(server):
    """What the recorded server had: an administrator who had logged in, and a first token of someone in no group."""
    def call(method, path, body=None):
        request = urllib.request.Request(f"{server.base}/api/v3{path}", method=method, data=body and json.dumps(body).encode())
        request.add_header("Authorization", f"Bearer {tessera.TOKEN}")
        request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.load(response)

    me = call("GET", "/core/users/me/")["user"]
    call("PATCH", f"/core/users/{me['pk']}/", {"last_login": "2024-09-16T12:00:00.123456Z"})
    outpost = call("POST", "/core/users/", {"username": "ak-outpost", "name": "Outpost"})
    call("POST", "/core/tokens/", {"identifier": "ak-outpost-api", "user": outpost["pk"], "managed": "ak-outpost"})


def main():
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--binary", type=Path, help="a built server (default: build one)")
    ask.add_argument("--keep", type=Path, help="a folder for what was answered")
    asked = ask.parse_args()
    binary = asked.binary or tessera.cargo_build("--bin", "tessera")["tessera"]
    python = tessera.python_with(HERE / "requirements.txt")
    with tempfile.TemporaryDirectory() as scratch, tessera.Server(binary) as server:
        out = asked.keep or Path(scratch)
        prepare(server)
        subprocess.run([python, HERE / "drive.py", "--base", server.base, "--token", tessera.TOKEN,
                        "--only", ",".join(sorted(FAMILIES)), "--out", out, "--sqlite", server.home / "data/tessera.db"], check=True, timeout=900)
        found, compared = differences(compare.load(HERE / "recordings", FAMILIES), compare.load(out, FAMILIES))
    listed.finish(HERE / "differences.toml", FAMILIES, found, compared)


if __name__ == "__main__":
    main()
