#!/usr/bin/env python3
"""Tessera's pages in a real browser (Debian's `chromium`); run it as `just web`.

    run.py [--binary PATH] [--chromium PATH] [--pictures FOLDER] [--only TEXT]

Everything is done three times: in light and in dark colours, and without JavaScript. Each page that comes
by is looked at by axe, and, with --pictures, photographed.
"""
import argparse, json, os, shutil, subprocess, sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "support")]
import setting, tessera

# Those of browser.mjs.
VARIANTS = ("light", "dark", "no-script")


def tools():
    """Installs into a cache outside the clone; the tests go there too, since Node.js looks beside the file."""
    pinned = [HERE / name for name in ("package.json", "package-lock.json", ".npmrc")]
    home = tessera.cache("web", b"".join(file.read_bytes() for file in pinned))
    if not (home / "ready").exists():
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        for file in pinned:
            shutil.copy(file, home)
        subprocess.run(["npm", "ci", "--ignore-scripts"], cwd=home, check=True, timeout=600)
        (home / "ready").touch()
    for file in HERE.glob("*.mjs"):
        shutil.copy(file, home)
    return home


def main():
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--binary", type=Path, help="a built server (default: build one)")
    ask.add_argument("--chromium", default="chromium", help="the browser")
    ask.add_argument("--pictures", type=Path, help="where to put a picture of each page")
    ask.add_argument("--only", help="only tests with this in their name")
    asked = ask.parse_args()
    browser = shutil.which(asked.chromium)
    if not browser:
        sys.exit(f"{asked.chromium} is not installed")
    binary = asked.binary or tessera.cargo_build("--bin", "tessera")["tessera"]
    home = tools()
    with tessera.Server(binary) as server:
        environment = os.environ | {
            "WEB_TEST_BASE": server.base, "WEB_TEST_BROWSER": browser,
            "WEB_TEST_SETTING": json.dumps(setting.make(server, tessera.TOKEN, VARIANTS)),
        }
        if asked.pictures:
            asked.pictures.mkdir(parents=True, exist_ok=True)
            environment["WEB_TEST_PICTURES"] = str(asked.pictures.resolve())
        only = ["--test-name-pattern", asked.only] if asked.only else []
        tests = ["node", "--test", *only, "pages.test.mjs"]
        done = subprocess.run(tests, cwd=home, env=environment, timeout=1500)
    sys.exit(done.returncode)


if __name__ == "__main__":
    main()
