#!/usr/bin/env python3
"""Runs published SDKs, unmodified, against Tessera; run it as `just sdk`.

    run.py [--binary PATH] [suite...]

authentik's: python, node. SailPoint's: sailpoint1 and sailpoint2 (Python 1.x and 2.x), sailpoint_node.
"""
import argparse, contextlib, os, shutil, subprocess, sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))
import tessera


def pytest(folder, environment):
    interpreter = tessera.python_with(folder / "requirements.txt")
    command = [interpreter, "-B", "-m", "pytest", "-q", "-p", "no:cacheprovider", folder]
    return subprocess.run(command, env=environment, timeout=600).returncode


def node(folder, environment):
    """Installs into a cache outside the clone; the tests go there too, since Node.js looks beside the file."""
    pinned = [folder / name for name in ("package.json", "package-lock.json", ".npmrc")]
    home = tessera.cache("node", b"".join(file.read_bytes() for file in pinned))
    if not (home / "ready").exists():
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        for file in pinned:
            shutil.copy(file, home)
        subprocess.run(["npm", "ci", "--ignore-scripts"], cwd=home, check=True, timeout=600)
        (home / "ready").touch()
    for file in folder.glob("*.mjs"):
        shutil.copy(file, home)
    tests = sorted(file.name for file in folder.glob("*.test.mjs"))
    return subprocess.run(["node", "--test", *tests], cwd=home, env=environment, timeout=600).returncode


SUITES = {"python": pytest, "node": node, "sailpoint1": pytest, "sailpoint2": pytest, "sailpoint_node": node}


def for_authentik(server):
    # Without logins there are no scores.
    server.add_scores(("python-score", "192.0.2.7", -3), ("node-score", "192.0.2.7", 2))
    return {"SDK_TEST_BASE": server.base, "SDK_TEST_TOKEN": tessera.TOKEN}


def for_sailpoint(server, throttled):
    """Tokens of the administrator on both servers, and what the suites need to run `tessera pat create` themselves."""
    (own, secret), (other, other_secret) = (place.pat("akadmin", "sdk") for place in (server, throttled))
    return server.environment() | {
        "SDK_TEST_BINARY": str(server.binary), "SDK_TEST_HOME": str(server.home),
        "SDK_TEST_PAT_ID": own, "SDK_TEST_PAT_SECRET": secret, "SDK_TEST_THROTTLED_BASE": throttled.base,
        "SDK_TEST_THROTTLED_PAT_ID": other, "SDK_TEST_THROTTLED_PAT_SECRET": other_secret,
    }


def main():
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("suites", nargs="*", metavar="suite", default=list(SUITES),
                     help=f"{', '.join(SUITES)} (default: all)")
    ask.add_argument("--binary", type=Path, help="a built server (default: build one)")
    asked = ask.parse_args()
    if unknown := set(asked.suites) - set(SUITES):
        ask.error(f"no such suite: {', '.join(sorted(unknown))}")
    binary = asked.binary or tessera.cargo_build("--bin", "tessera")["tessera"]
    with contextlib.ExitStack() as servers:
        # One administrator's token for all tests of a suite is fast enough to meet the usual limit.
        server = servers.enter_context(tessera.Server(binary, TESSERA_API_RATE="10000"))
        environment = os.environ | for_authentik(server)
        if any(suite.startswith("sailpoint") for suite in asked.suites):
            # Few requests, then a short wait: the SDKs wait in silence for as long as the server says.
            limits = {"TESSERA_API_RATE": "5", "TESSERA_API_RATE_SECONDS": "2"}
            throttled = servers.enter_context(tessera.Server(binary, **limits))
            environment |= for_sailpoint(server, throttled)
        failed = [suite for suite in asked.suites if SUITES[suite](HERE / suite, environment)]
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
