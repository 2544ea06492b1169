#!/usr/bin/env python3
"""Repeats the recorded cases about what policies mean against Tessera; run it as `just corpora`.

    run.py [--binary PATH] [--keep DIR] [FAMILY...]

The scripts of this folder make the same policies as on the recorded authentik and test them; what is compared is
`sem` (see corpus.py). Every difference must be listed in `differences.toml`, as in the folder above.
"""
import argparse, re, subprocess, sys, tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent.parent / "support")]
import listed, tessera

# Those parts of each corpus for which there is something to ask: {family: {part: how its cases begin}}.
PARTS = {
    "expressions": {"policy": "policy", "event": "event", "params": "params"},
    "password_policy": {"cases": ""},
    "password_expiry": {"test": "test", "twice": "twice"},
}
# Makes the password of a user older; the server reads the row anew for every decision.
AGE = """
import datetime, sqlite3, sys
file, user, seconds = sys.argv[1:]
changed = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=int(seconds))
with sqlite3.connect(file, timeout=10) as db:
    done = db.execute("UPDATE users SET password_change_date = ? WHERE username = ?", [changed.isoformat(), user])
sys.exit(done.rowcount != 1)
"""


def is_result(body):
    return isinstance(body, dict) and "passing" in body


def pieces(a, b, without_login):
    """What can differ between two answers, by the words that differences.toml uses."""
    told, bodies = [], []
    for sem in (a, b):
        body = sem.get("body")
        found = {name: sem[name] for name in ("status", "save_status", "location") if name in sem}
        if isinstance(body, dict) and "login_after" in body:
            found |= {} if without_login else {"login_after": body["login_after"]}
            body = body["test"]
        told.append(found)
        bodies.append(body)
    together = all(map(is_result, bodies))
    return [found | (body if together else {"body": body}) for found, body in zip(told, bodies)]


def differences(corpus, family, out):
    """[(case, {kind of difference}, [text])], how many were compared, how many of them without the login after
    the test, and how many were left out."""
    beginnings = tuple(f"{family}.{begin}." if begin else family for begin in PARTS[family].values())
    recorded, answered = (corpus.load(str(file)) for file in (HERE / f"{family}.jsonl.gz", out / f"{family}.jsonl"))
    found, compared, no_login, left = [], 0, 0, 0
    for case, expected in recorded.items():
        if not case.startswith(beginnings):
            left += 1
            continue
        compared += 1
        got = answered.get(case)
        if got is None or "skipped" in got:
            found.append((case, {"missing"}, [(got or {}).get("skipped", "not made")]))
            continue
        # Nobody can log in while there are no flows; the script says so with null.
        body = got["body"]
        without = isinstance(body, dict) and "login_after" in body and body["login_after"] is None
        no_login += without
        a, b = pieces(corpus.sem(expected), corpus.sem(got), without)
        wrong = [name for name in a | b if a.get(name, "–") != b.get(name, "–")]
        if wrong:
            said = [f"{name}: {shown(a.get(name, '–'))} -> {shown(b.get(name, '–'))}" for name in wrong]
            request = expected.get("request") or {}
            said += [f"of {shown(request['expression'])}"] if isinstance(request, dict) and "expression" in request else []
            found.append((case, set(wrong), said))
    return found, compared, no_login, left


def shown(value):
    text = repr(value)
    return text if len(text) <= 700 else text[:700] + "…"


def main():
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("families", nargs="*", metavar="family", default=list(PARTS), help=f"of {', '.join(PARTS)} (default: all)")
    ask.add_argument("--binary", type=Path, help="a built server (default: build one)")
    ask.add_argument("--keep", type=Path, help="a folder for what was answered")
    asked = ask.parse_args()
    if unknown := set(asked.families) - set(PARTS):
        ask.error(f"no such family: {', '.join(sorted(unknown))}")
    binary = asked.binary or tessera.cargo_build("--bin", "tessera")["tessera"]
    python = tessera.python_with(HERE.parent / "requirements.txt")
    # The scripts' module needs `requests`, which is in their environment alone.
    if Path(sys.prefix).resolve() != python.parent.parent.resolve():
        sys.exit(subprocess.run([python, "-B", __file__, *asked.families, "--binary", binary,
                                 *(["--keep", asked.keep] if asked.keep else [])]).returncode)
    sys.path.insert(0, str(HERE))
    import corpus
    found, compared = [], 0
    with tempfile.TemporaryDirectory() as scratch, tessera.Server(binary, TESSERA_BOOTSTRAP_EMAIL="akadmin@oracle.test") as server:
        out = asked.keep or Path(scratch)
        age = Path(scratch) / "age.py"
        age.write_text(AGE)
        for family in asked.families:
            command = [python, "-B", HERE / f"{family}.py", "--base", server.base, "--token", tessera.TOKEN, "--out", out,
                       "--only", ",".join(PARTS[family])]
            if family == "password_expiry":
                command += ["--age-command", f"{sys.executable} {age} {server.home / 'data/tessera.db'} {{user}} {{seconds}}"]
            subprocess.run(command, check=True, timeout=900)
        for family in asked.families:
            differ, count, no_login, left = differences(corpus, family, out)
            found, compared = found + differ, compared + count
            print(f"{family}: {count} compared, {len(differ)} differ; {left} left out, which wait for other parts of the API"
                  + f"; {no_login} without the login afterwards, which waits for flows" * bool(no_login))
    listed.finish(HERE / "differences.toml", asked.families, found, compared)


if __name__ == "__main__":
    main()
