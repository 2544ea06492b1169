#!/usr/bin/env python3
"""Runs authentik's published SDKs, unmodified, against Tessera; run it as `just sdk`.

    run.py [--binary PATH] [python] [node]
"""
import argparse, os, shutil, subprocess, sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))
import tessera

SUITES = ("python", "node")


def python(environment):
    interpreter = tessera.python_with(HERE / "python/requirements.txt")
    pytest = [interpreter, "-B", "-m", "pytest", "-q", "-p", "no:cacheprovider", HERE / "python"]
    return subprocess.run(pytest, env=environment, timeout=600).returncode


def node(environment):
    """Installs into a cache outside the clone; the tests go there too, since Node.js looks beside the file."""
    pinned = [HERE / "node" / name for name in ("package.json", "package-lock.json", ".npmrc")]
    home = tessera.cache("node", b"".join(file.read_bytes() for file in pinned))
    if not (home / "ready").exists():
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        for file in pinned:
            shutil.copy(file, home)
        subprocess.run(["npm", "ci", "--ignore-scripts"], cwd=home, check=True, timeout=600)
        (home / "ready").touch()
    tests = sorted((HERE / "node").glob("*.test.mjs"))
    for file in tests:
        shutil.copy(file, home)
    return subprocess.run(["node", "--test", *(file.name for file in tests)], cwd=home, env=environment, timeout=600).returncode


def main():
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("suites", nargs="*", metavar="suite", default=SUITES, help="python, node (default: both)")
    ask.add_argument("--binary", type=Path, help="a built server (default: build one)")
    asked = ask.parse_args()
    if unknown := set(asked.suites) - set(SUITES):
        ask.error(f"no such suite: {', '.join(sorted(unknown))}")
    binary = asked.binary or tessera.cargo_build("--bin", "tessera")["tessera"]
    with tessera.Server(binary) as server:
        # Without logins there are no scores.
        server.add_scores(("python-score", "192.0.2.7", -3), ("node-score", "192.0.2.7", 2))
        environment = os.environ | {"SDK_TEST_BASE": server.base, "SDK_TEST_TOKEN": tessera.TOKEN}
        failed = [suite for suite in asked.suites if globals()[suite](environment)]
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
