#!/usr/bin/env python3
"""Repeats the recorded calls against Tessera and compares the answers; run it as `just exchange`.

    run.py [--binary PATH] [--keep DIR]

`recordings/` holds what a real authentik 2024.8.2 answered, `drive.py` makes the same calls, `compare.py`
tells what differs. Every difference must be listed in `differences.toml` with the reason and the heading of
`docs/compatibility.md` that explains it. A line there that no longer matches anything fails too, so the list
only shrinks.
"""
import argparse, json, re, subprocess, sys, tempfile, tomllib, urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "support")]
import compare, tessera

FAMILIES = {"general", "tokens"}
COMPATIBILITY = tessera.ROOT / "docs/compatibility.md"


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


def headings(document):
    """The anchors of a Markdown document's headings."""
    titles = re.findall(r"^#+ (.+)$", document.read_text(), re.M) if document.exists() else []
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


class Listed:
    """One `[[difference]]`: `*` in a case stands for anything."""

    def __init__(self, entry):
        self.cases, self.kinds = entry["cases"], set(entry["kinds"])
        self.reason, self.anchor = entry["reason"], entry["anchor"]
        self.patterns = {case: re.compile(re.escape(case).replace(r"\*", ".*")) for case in self.cases}
        self.used, self.used_kinds = set(), set()

    def covers(self, case, kinds):
        matching = [text for text, pattern in self.patterns.items() if pattern.fullmatch(case)]
        if not matching or not kinds <= self.kinds:
            return False
        self.used.update(matching)
        self.used_kinds |= kinds
        return True

    def stale(self):
        return [f"{case}: nothing differs any more" for case in self.cases if case not in self.used] + \
               [f"{self.cases[0]}: no `{kind}` difference any more" for kind in sorted(self.kinds - self.used_kinds) if self.used]


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

    listed = [Listed(entry) for entry in tomllib.loads((HERE / "differences.toml").read_text()).get("difference", [])]
    known = headings(COMPATIBILITY)
    unlisted = [(case, texts) for case, kinds, texts in found if not any([entry.covers(case, kinds) for entry in listed])]
    complaints = [complaint for entry in listed for complaint in entry.stale()]
    complaints += [f"docs/compatibility.md has no heading #{anchor}" for anchor in sorted({e.anchor for e in listed} - known)]
    for case, texts in unlisted:
        print(case, *texts, sep="\n    ")
    for complaint in complaints:
        print(f"differences.toml: {complaint}")
    print(f"{compared} recorded cases: {compared - len(found)} the same, {len(found) - len(unlisted)} differ as listed")
    print(f"{compared - len(unlisted)} passed, {len(unlisted) + len(complaints)} failed")
    sys.exit(1 if unlisted or complaints else 0)


if __name__ == "__main__":
    main()
