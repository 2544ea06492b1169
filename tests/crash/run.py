#!/usr/bin/env python3
"""Kills the server, and PostgreSQL under it, while clients write; run it as `just crash`.

    run.py [--rounds N] [--postgres-rounds N] [--prove] [--seed N] [--binary PATH]

SQLite: the server gets SIGKILL at a random moment and starts again on the same data. PostgreSQL: the database
crashes and starts again under a server that stays up. After each round every acknowledged write must be there,
of each request in flight all or nothing, with its events, and `tessera audit verify` must be content. A killed
process leaves the machine's caches alone: this is not a test of what a power failure does to a disk.

The seed decides what is asked for and when the blow falls; the timing of the machine decides the rest.
"""
import argparse, functools, http.client, random, shutil, signal, subprocess, sys, time, traceback
from datetime import datetime, timedelta, timezone
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "support")]
import check, load, postgres, prove, tessera

WRITERS = 6
RECOVERY = 10  # seconds, after PostgreSQL is back
SHOWN = 12  # faults of one round
ENOUGH = 3  # failed rounds, each of which keeps its data


class Place:
    """A server on a folder of its own, and the writers who know what must be in it."""

    def __init__(self, binary, seed, cluster=None):
        settings = {"TESSERA_DATABASE_URL": cluster.url} if cluster else {}
        self.cluster, self.server = cluster, tessera.Server(binary, log="error", **settings)
        self.store = check.Postgres(cluster.bin / "psql", cluster.url) if cluster else \
            check.Sqlite(self.server.home / "data/tessera.db")
        self.writers = [load.Writer(n, seed) for n in range(WRITERS)]
        self.known = {}  # every request by its name
        self.load = None

    def start(self, rng, interrupt=0.25):
        """Starts; now and then the start itself is killed first, as an impatient service manager would."""
        while rng.random() < interrupt:
            self.server.launch()
            time.sleep(rng.uniform(0, 0.2))
            self.server.kill()
        return self.server.start()

    def rotates(self):
        connection = http.client.HTTPConnection(self.server.base.removeprefix("http://"), timeout=10)
        connection.request("GET", "/api/v3/schema/?format=json")
        found = b"/core/tokens/{identifier}/rotate/" in connection.getresponse().read()
        connection.close()
        return found

    def begin(self, **how):
        self.since = f"{datetime.now(timezone.utc) - timedelta(seconds=2):%Y-%m-%dT%H:%M:%S}"
        self.load = load.Load(self.writers, self.server.base, tessera.TOKEN, rotates=self.rotates(), **how)

    def settle(self, rng, everything=False):
        """Checks it all; gives the faults."""
        journal = self.load.journal
        self.known |= {op.id: op for op in journal}
        self.in_flight = [op for op in journal if op.applied is None]
        looked = check.Check(self.server.base, tessera.TOKEN, self.store, self.writers)
        looked.run(journal, self.known, self.since, rng, everything)
        return self.load.faults + looked.faults + self.audit()

    def audit(self):
        """What `tessera audit verify` says against it."""
        if not has_audit(self.server.binary):
            return []
        done = self.command("audit", "verify")
        said = done.stdout[-500:].strip()
        return [f"tessera audit verify: expected 0, found {done.returncode}: {said}"] if done.returncode else []

    def command(self, *arguments):
        return subprocess.run([self.server.binary, *arguments], cwd=self.server.home, env=self.server.environment(),
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, timeout=120)

    def told(self):
        journal, written = self.load.journal, sum(op.applied is True for op in self.in_flight)
        return (f"{len(journal) - len(self.in_flight)} acknowledged, {len(self.in_flight)} unanswered "
                f"({written} written, {len(self.in_flight) - written} not)")

    def end(self, keep):
        """Kills what runs; how a server ends in peace is tested elsewhere."""
        if self.load:
            self.load.stopped.set()
        if self.server.process and self.server.process.poll() is None:
            self.server.kill()
        if self.cluster:
            self.cluster.stop()
        if keep:
            print(f"    kept in {self.server.home}" + (f" and {self.cluster.home}" if self.cluster else ""), flush=True)
            return
        shutil.rmtree(self.server.home, ignore_errors=True)
        if self.cluster:
            shutil.rmtree(self.cluster.home, ignore_errors=True)


@functools.cache
def has_audit(binary):
    return subprocess.run([binary, "audit", "--help"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL, timeout=30).returncode == 0


def sqlite_round(place, rng, last):
    place.begin()
    time.sleep(rng.uniform(0.2, 1.5))
    place.server.kill()
    place.load.stop()
    ready = place.start(rng)
    faults = place.settle(rng, last)
    return faults, f"{place.told()}, ready after {ready:.2f} s"


def postgres_round(place, rng, last):
    place.begin(survives=True)
    time.sleep(rng.uniform(0.2, 1.5))
    place.cluster.crash()
    down = time.monotonic()
    # Once longer than the server waits for a connection (5 s), so that those who wait are refused.
    time.sleep(6 if last else rng.uniform(0.5, 2))
    starting = time.monotonic()
    place.cluster.start()
    up = time.monotonic()
    # Everyone must get a write through again; then they go on for a moment.
    written = lambda answer: answer[1] > up and answer[2] and answer[2] < 300
    served = lambda: all(any(map(written, writer.answers[-20:])) for writer in place.writers)
    while not served() and time.monotonic() < up + RECOVERY:
        time.sleep(0.02)
    recovered, fine = time.monotonic() - up, served()
    time.sleep(0.3)
    place.load.stop()
    faults = [] if fine else [f"expected every writer to be served {RECOVERY} s after the restart, found that some were not"]
    if place.server.process.poll() is not None:
        raise tessera.Broken(f"the server ended with {place.server.process.returncode} when its database crashed")
    for began, ended, status, what in place.load.answers:
        if status not in (200, 201, 204, 503):
            faults.append(f"{what}: expected success or 503, found {status}, {began - down:+.2f} s from the crash")
        elif status != 503 and began > down and ended < starting:
            faults.append(f"{what}: expected 503 while PostgreSQL was away, found {status}")
        elif status == 503 and began > up + RECOVERY:
            faults.append(f"{what}: expected success {began - up:.1f} s after the restart, found 503")
    refused = sum(status == 503 for _, _, status, _ in place.load.answers)
    faults += place.settle(rng, last)
    return faults, f"{place.told()}, {refused} times 503, recovered after {recovered:.2f} s"


def rounds(name, one, count, asked, binary):
    """Runs so many rounds of a kind; gives (passed, failed)."""
    passed = failed = 0
    place, fine = None, False
    try:
        for number in range(1, count + 1):
            rng, fine = random.Random(f"{asked.seed}/{name}/{number}"), False
            if place is None:
                cluster = postgres.Cluster() if one is postgres_round else None
                place = Place(binary, f"{asked.seed}/{name}/{number}", cluster)
            try:
                if place.load is None:
                    if place.cluster:
                        place.cluster.make()
                    place.start(rng, interrupt=0.5)
                faults, told = one(place, rng, number == count)
            except tessera.Broken as error:
                faults, told = [str(error)], "broken off"
            except Exception:
                faults, told = [traceback.format_exc()], "broken off"
            print(f"{name} {number}: {'FAILED: ' if faults else ''}{told}", flush=True)
            if not faults:
                passed, fine = passed + 1, True
                continue
            failed += 1
            report(faults, asked.seed)
            place, ended = None, place
            ended.end(keep=True)
            if failed == ENOUGH and number < count:
                print(f"{name}: {ENOUGH} rounds have failed, the remaining {count - number} are left out")
                break
    finally:
        if place:
            place.end(keep=False)
    return passed, failed


def report(faults, seed):
    for fault in faults[:SHOWN]:
        print(f"    {fault}")
    if len(faults) > SHOWN:
        print(f"    and {len(faults) - SHOWN} more")
    print(f"    seed {seed}")


def proofs(asked, binary):
    """Damages the data between the blow and the restart, in each way that the check must notice."""
    passed = failed = 0
    for name, (damage, word) in prove.DAMAGES.items():
        rng = random.Random(f"{asked.seed}/prove/{name}")
        place = Place(binary, f"{asked.seed}/prove/{name}")
        try:
            place.start(rng, interrupt=0)
            place.begin()
            time.sleep(1)
            place.server.kill()
            place.load.stop()
            prove.apply(damage, place)
            place.server.start()
            faults = place.settle(rng, everything=True)
            noticed = next((fault for fault in faults if word in fault), None)
            print(f"proof, {name}: {'noticed: ' + noticed[:200] if noticed else 'FAILED: not noticed'}", flush=True)
            passed, failed = passed + bool(noticed), failed + (not noticed)
        finally:
            place.end(keep=False)
    return passed, failed


def main():
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--rounds", type=int, default=200, help="rounds on SQLite (default 200)")
    ask.add_argument("--postgres-rounds", type=int, default=10, help="rounds on PostgreSQL (default 10)")
    ask.add_argument("--prove", action="store_true", help="also damage data on purpose: is it noticed?")
    ask.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000, help="default: a new one each time")
    ask.add_argument("--binary", type=Path, help="a built server (default: build one)")
    asked = ask.parse_args()
    # So that `finally` runs: nothing may stay behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))
    binary = (asked.binary or tessera.cargo_build("--release", "--bin", "tessera")["tessera"]).resolve()
    print(f"seed {asked.seed}", flush=True)
    if not has_audit(binary):
        print("skipped: this build has no audit verify", flush=True)
    results = [rounds("sqlite", sqlite_round, asked.rounds, asked, binary)]
    if asked.prove:
        results.append(proofs(asked, binary))
    if asked.postgres_rounds and (reason := postgres.missing()):
        print(f"skipped: {reason}")
    else:
        results.append(rounds("postgres", postgres_round, asked.postgres_rounds, asked, binary))
    passed, failed = (sum(result) for result in zip(*results))
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("ended by Ctrl-C")
