"""Lists of differences that are meant: `[[difference]]` in a TOML file beside the recordings.

    cases   names of cases; `*` stands for anything
    kinds   what may differ in them
    reason  one sentence
    anchor  the heading of docs/compatibility.md that says it at length

A difference that is not listed is a failure, and so is a line that nothing needs any more.
"""
import re, sys, tomllib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))
import tessera

COMPATIBILITY = tessera.ROOT / "docs/compatibility.md"


def headings(document):
    """The anchors of a Markdown document's headings."""
    titles = re.findall(r"^#+ (.+)$", document.read_text(), re.M) if document.exists() else []
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


class Listed:
    """One `[[difference]]`."""

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


def judge(found, file, families):
    """[(case, {kind of difference}, [text])] against a list; returns the differences that are not in it as
    [(case, [text])], and what is wrong with the list itself. Only `families` were asked about."""
    entries = tomllib.loads(file.read_text()).get("difference", [])
    asked = lambda case: case.split(".")[0] in families
    entries = [entry | {"cases": [case for case in entry["cases"] if asked(case)]} for entry in entries]
    listed = [Listed(entry) for entry in entries if entry["cases"]]
    known = headings(COMPATIBILITY)
    unlisted = [(case, texts) for case, kinds, texts in found if not any([entry.covers(case, kinds) for entry in listed])]
    complaints = [complaint for entry in listed for complaint in entry.stale()]
    complaints += [f"docs/compatibility.md has no heading #{anchor}" for anchor in sorted({e.anchor for e in listed} - known)]
    return unlisted, complaints


def finish(file, families, found, compared):
    """Tells what the list says about the differences, and ends the program."""
    unlisted, complaints = judge(found, file, families)
    for case, texts in unlisted:
        print(case, *texts, sep="\n    ")
    for complaint in complaints:
        print(f"{file.name}: {complaint}")
    print(f"{compared} recorded cases: {compared - len(found)} the same, {len(found) - len(unlisted)} differ as listed")
    print(f"{compared - len(unlisted)} passed, {len(unlisted) + len(complaints)} failed")
    sys.exit(1 if unlisted or complaints else 0)
