#!/usr/bin/env python3
"""Repeats the recorded cases about what policies mean against Tessera; run it as `just corpora`.

    run.py [--binary PATH] [--keep DIR] [FAMILY...]

The scripts of this folder make the same policies as on the recorded authentik and test them; what is compared is
`sem` (see corpus.py). Every difference must be listed in `differences.toml`, as in the folder above.
"""
import argparse, contextlib, json, subprocess, sys, tempfile
from pathlib import Path
from urllib.parse import quote

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent.parent / "support")]
import listed, smtp, tessera

# Parts of a corpus that wait for parts of the API which are not there yet: {family: {part: how its cases begin}}.
LEFT = {
    "expressions": {"mapping": ("mapping.", "params_mapping.")},
    "password_policy": {},
    "password_expiry": {"app": ("app.",)},
    "flows": {"consent": ("consent.",)},
}
# Where the recorded server was, and the password of its administrator: both are in what was asked.
RECORDED, PASSWORD = "http://127.0.0.1:9000", "oracle-admin-pw"
# Makes the password of a user older; the server notices within half a second.
AGE = """
import datetime, sqlite3, sys, time
file, user, seconds = sys.argv[1:]
changed = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=int(seconds))
with sqlite3.connect(file, timeout=10) as db:
    done = db.execute("UPDATE users SET password_change_date = ? WHERE username = ?", [changed.isoformat(), user])
time.sleep(0.6)
sys.exit(done.rowcount != 1)
"""


def is_result(body):
    return isinstance(body, dict) and "passing" in body


def pieces(a, b):
    """What can differ between two answers, by the words that differences.toml uses."""
    told, bodies = [], []
    for sem in (a, b):
        body = sem.get("body")
        found = {name: sem[name] for name in ("status", "save_status", "location") if name in sem}
        if isinstance(body, dict) and "login_after" in body:
            found["login_after"] = body["login_after"]
            body = body["test"]
        told.append(found)
        bodies.append(body)
    together = all(map(is_result, bodies))
    return [found | (body if together else {"body": body}) for found, body in zip(told, bodies)]


def compared(a, b):
    """[(kind of difference, text)] between two answers."""
    if "steps" in a and "steps" in b:
        return list(traced(a, b))
    a, b = pieces(a, b)
    return [(name, f"{name}: {shown(a.get(name, '–'))} -> {shown(b.get(name, '–'))}") for name in a | b if a.get(name, "–") != b.get(name, "–")]


def traced(a, b):
    """The same between two traces; of steps that ask for something else, only the first is told."""
    for number, (one, other) in enumerate(zip(a["steps"], b["steps"]), 1):
        asked, asked_now = ((step["method"], step["path"], step.get("request")) for step in (one, other))
        if asked != asked_now:
            yield "steps", f"step {number}: {shown(asked)} -> {shown(asked_now)}"
            return
        for name in ("status", "location", "body"):
            if one.get(name) != other.get(name):
                yield name, f"step {number}, {asked[0]} {asked[1]}: {name}: {shown(one.get(name))} -> {shown(other.get(name))}"
    if len(a["steps"]) != len(b["steps"]):
        yield "steps", f"{len(a['steps'])} steps -> {len(b['steps'])}"
    if a.get("after") != b.get("after"):
        yield "after", f"after: {shown(a.get('after'))} -> {shown(b.get('after'))}"


def placed(answer, base):
    """An answer as it would be where the recorded server was: an address within an address is not replaced by `sem`."""
    return json.loads(json.dumps(answer).replace(quote(base, safe=""), quote(RECORDED, safe="")))


def differences(corpus, family, out, base):
    """[(case, {kind of difference}, [text])], how many were compared, and how many were left out."""
    left = tuple(f"{family}.{beginning}" for beginnings in LEFT[family].values() for beginning in beginnings)
    recorded, answered = (corpus.load(str(file)) for file in (HERE / f"{family}.jsonl.gz", out / f"{family}.jsonl"))
    asked = {case: expected for case, expected in recorded.items() if not case.startswith(left)}
    found = []
    for case, expected in asked.items():
        got = answered.get(case)
        if got is None or "skipped" in got:
            found.append((case, {"missing"}, [(got or {}).get("skipped", "not made")]))
        elif wrong := compared(corpus.sem(expected), corpus.sem(placed(got, base))):
            said = [text for _, text in wrong]
            request = expected.get("request") or {}
            said += [f"of {shown(request['expression'])}"] if isinstance(request, dict) and "expression" in request else []
            found.append((case, {kind for kind, _ in wrong}, said))
    return found, len(asked), len(recorded) - len(asked)


def shown(value):
    text = repr(value)
    return text if len(text) <= 700 else text[:700] + "…"


def main():
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("families", nargs="*", metavar="family", default=list(LEFT), help=f"of {', '.join(LEFT)} (default: all)")
    ask.add_argument("--binary", type=Path, help="a built server (default: build one)")
    ask.add_argument("--keep", type=Path, help="a folder for what was answered")
    asked = ask.parse_args()
    if unknown := set(asked.families) - set(LEFT):
        ask.error(f"no such family: {', '.join(sorted(unknown))}")
    binary = asked.binary or tessera.cargo_build("--bin", "tessera")["tessera"]
    python = tessera.python_with(HERE.parent / "requirements.txt")
    # The scripts' module needs `requests`, which is in their environment alone.
    if Path(sys.prefix).resolve() != python.parent.parent.resolve():
        sys.exit(subprocess.run([python, "-B", __file__, *asked.families, "--binary", binary,
                                 *(["--keep", asked.keep] if asked.keep else [])]).returncode)
    sys.path.insert(0, str(HERE))
    import corpus
    found, total = [], 0
    with contextlib.ExitStack() as held:
        scratch = Path(held.enter_context(tempfile.TemporaryDirectory()))
        sink = held.enter_context(smtp.Sink(tessera.python_with(HERE.parent.parent / "mail/requirements.txt"), scratch))
        server = held.enter_context(tessera.Server(
            binary, TESSERA_BOOTSTRAP_PASSWORD=PASSWORD, TESSERA_BOOTSTRAP_EMAIL="akadmin@oracle.test", TESSERA_EXTERNAL_URL="http://localhost", TESSERA_SMTP_HOST="localhost",
            TESSERA_SMTP_PORT=str(sink.port), TESSERA_SMTP_TLS="none", TESSERA_SMTP_FROM="no-reply@example.org"))
        out = asked.keep or scratch
        age = scratch / "age.py"
        age.write_text(AGE)
        for family in asked.families:
            command = [python, "-B", HERE / f"{family}.py", "--base", server.base, "--token", tessera.TOKEN, "--out", out,
                       "--admin-password", PASSWORD]
            if LEFT[family]:
                command += ["--skip", ",".join(LEFT[family])]
            if family == "password_expiry":
                command += ["--age-command", f"{sys.executable} {age} {server.home / 'data/tessera.db'} {{user}} {{seconds}}"]
            subprocess.run(command, check=True, timeout=900)
        for family in asked.families:
            differ, count, left = differences(corpus, family, out, server.base)
            found, total = found + differ, total + count
            print(f"{family}: {count} compared, {len(differ)} differ; {left} left out, which wait for other parts of the API")
    listed.finish(HERE / "differences.toml", asked.families, found, total)


if __name__ == "__main__":
    main()
