"""Logins by password against bare Argon2id, and what reads feel of them."""
import json, os, statistics, subprocess, threading

from wrk import call, cpu_seconds, load, machine, make_tokens, tessera

CLIENTS = (1, 4, 8)
USERS = 32
TOKENS = 1000
# Connections that read beside the logins, and milliseconds that each pauses before a request.
READERS, PAUSE = 4, 5
# Logins a second, of the bare hash rate.
AIM = 0.9
# How much slower reads may be at their worst.
AIM_READS = 2.0


def tell(program, *arguments):
    done = subprocess.run([program, *map(str, arguments)], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, timeout=300)
    if done.returncode:
        raise SystemExit(f"bench-logins {arguments[0]} ended with {done.returncode}")
    return json.loads(done.stdout)


def bare(program, seconds):
    return tell(program, "hash", "--threads", os.cpu_count(), "--seconds", seconds)


def visit(program, server, clients, seconds):
    before = cpu_seconds(server.process.pid)
    got = tell(program, "visit", "--at", server.base.removeprefix("http://"), "--clients", clients, "--users", USERS,
               "--password", tessera.PASSWORD, "--seconds", seconds)
    return got | {"cpu": (cpu_seconds(server.process.pid) - before) / got["logins"] * 1000}


def prepare(server):
    make_tokens(server.base, TOKENS)
    for number in range(USERS):
        user = json.loads(call(server.base, "POST", "/api/v3/core/users/", {"username": f"bench-{number}", "name": "Bench"})[1])
        call(server.base, "POST", f"/api/v3/core/users/{user['pk']}/set_password/", {"password": tessera.PASSWORD})


def reads(server, seconds):
    return load(server, "get", READERS, seconds, TOKENS, pause=PAUSE)


def measure(binary, program, seconds, rounds):
    """Yields the lines of the report."""
    with tessera.Server(binary) as server:
        prepare(server)
        one = tell(program, "hash", "--threads", 1, "--seconds", seconds)
        # In turn, so that what else the machine does meets them alike.
        hashes, rows = [bare(program, seconds)], {clients: [] for clients in CLIENTS}
        for _ in range(rounds):
            for clients in CLIENTS:
                got = visit(program, server, clients, seconds)
                hashes.append(bare(program, seconds))
                rows[clients].append(got | {"ratio": got["rate"] / statistics.mean(each["rate"] for each in hashes[-2:])})
        alone, beside, logins = [reads(server, seconds)], [], []
        for _ in range(rounds):
            thread = threading.Thread(target=lambda: logins.append(visit(program, server, CLIENTS[-1], seconds + 1)))
            thread.start()
            beside.append(reads(server, seconds))
            thread.join()
            alone.append(reads(server, seconds))
    if len(logins) != rounds:
        raise SystemExit("the logins beside the reads were refused")
    middle = lambda runs, name: statistics.median(run[name] for run in runs)
    cores = os.cpu_count()
    yield (f"Measured with `just bench --logins` ({rounds} round{'s' * (rounds > 1)} of {seconds} s a row, medians) on {machine()}; SQLite, "
           f"{USERS} accounts, the clients on the same machine.")
    yield ""
    yield (f"Argon2id (19 MiB, 2 passes, 1 lane) takes {one['ms']:.1f} ms on one thread, {middle(hashes, 'ms'):.1f} ms on each of "
           f"{cores}; that is {middle(hashes, 'rate'):.1f} hashes/s.")
    yield ""
    yield "| clients | logins/s | p50 ms | p99 ms | CPU ms/login | requests/login | of the bare hash rate (aim 0.9) |"
    yield "|--:|--:|--:|--:|--:|--:|--:|"
    for clients, runs in rows.items():
        ratio = middle(runs, "ratio")
        # One client leaves the other cores idle.
        beyond = " **below**" if clients >= cores and ratio < AIM else ""
        requests = sum(run["requests"] for run in runs) / sum(run["logins"] for run in runs)
        yield (f"| {clients} | {middle(runs, 'rate'):.1f} | {middle(runs, 'p50'):.0f} | {middle(runs, 'p99'):.0f} "
               f"| {middle(runs, 'cpu'):.1f} | {requests:.1f} | {ratio:.2f}{beyond} |")
    yield ""
    yield f"| GET one token, {READERS} connections that pause {PAUSE} ms | requests/s | p50 ms | p99 ms |"
    yield "|---|--:|--:|--:|"
    titles = [("alone", alone), (f"beside {CLIENTS[-1]} clients that log in, {middle(logins, 'rate'):.1f} logins/s", beside)]
    for title, runs in titles:
        yield f"| {title} | {middle(runs, 'rate'):,.0f} | {middle(runs, 'p50'):.2f} | {middle(runs, 'p99'):.2f} |"
    times = middle(beside, "p99") / middle(alone, "p99")
    yield f"| times p99 beside logins (aim {AIM_READS:g}) | | | {times:.2f}{'' if times <= AIM_READS else ' **beyond**'} |"
