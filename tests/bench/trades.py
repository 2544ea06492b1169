"""Personal access tokens: what trading one costs beside the signature alone, and listing them."""
import json, statistics, subprocess, tempfile, urllib.parse, urllib.request
from pathlib import Path

from wrk import Baseline, load, machine, recorded, tessera

CONNECTIONS = (1, 8, 32)
# As many as an owner may have.
TOKENS = 10
FORM = "application/x-www-form-urlencoded"


def sign(program, seconds):
    done = subprocess.run([program, "--seconds", str(seconds)], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, timeout=300)
    if done.returncode:
        raise SystemExit(f"bench-signing ended with {done.returncode}")
    return json.loads(done.stdout)


def answer(base, path, bearer=None, form=None):
    """(header lines, body) of one request."""
    request = urllib.request.Request(base + path, data=form.encode() if form else None)
    request.add_header("Content-Type", FORM)
    if bearer:
        request.add_header("Authorization", f"Bearer {bearer}")
    with urllib.request.urlopen(request, timeout=30) as response:
        return response.getheaders(), response.read()


def measure(binary, baseline_binary, signer, seconds, rounds):
    """Yields the lines of the report."""
    # Nothing is throttled: wrk is one client.
    with (tempfile.TemporaryDirectory(prefix="tessera-bench-") as folder,
          tessera.Server(binary, TESSERA_API_RATE="0") as server):
        pats = [server.pat("akadmin", f"bench {n}") for n in range(TOKENS)]
        form = urllib.parse.urlencode({"grant_type": "client_credentials", "client_id": pats[0][0], "client_secret": pats[0][1]})
        traded = answer(server.base, "/oauth/token", form=form)
        bearer = json.loads(traded[1])["access_token"]
        mine = "/beta/personal-access-tokens?owner-id=me"
        if len(json.loads(answer(server.base, mine, bearer)[1])) != TOKENS:
            raise SystemExit("the list is not what was made")
        rows = [(f"POST /oauth/token {form}", "POST /oauth/token"), (f"GET {mine}", f"GET a list of {TOKENS} personal access tokens")]
        yield f"Measured with `just bench --trades` ({seconds} s a row) on {machine()}; SQLite, wrk on the same machine."
        yield ""
        yield "| | connections | requests/s | p50 ms | p99 ms | CPU µs/request | of bare hyper | of the bare signing rate |"
        yield "|---|--:|--:|--:|--:|--:|--:|--:|"
        bare = {}
        signing = [sign(signer, seconds)["rate"]]
        with Baseline(baseline_binary, Path(folder), recorded(*traded), TOKENS) as baseline:
            asked = [(baseline, "bytes", "bare hyper, the bytes of a trade")] + [(server, *row) for row in rows]
            for target, kind, title in asked:
                for connections in CONNECTIONS:
                    got = load(target, kind, connections, seconds, TOKENS, token=bearer)
                    ratio = got["rate"] / bare.setdefault(connections, got["rate"])
                    signed = ""
                    if kind.startswith("POST"):
                        # Before and after, so that what else the machine does meets both alike.
                        signing.append(sign(signer, seconds)["rate"])
                        signed = f"{got['rate'] / statistics.mean(signing[-2:]):.2f}"
                    yield (f"| {title} | {connections} | {got['rate']:,.0f} | {got['p50']:.3f} | {got['p99']:.3f} "
                           f"| {got['cpu']:.0f} | {ratio:.2f} | {signed} |")
        signing += [sign(signer, seconds)["rate"] for _ in range(rounds)]
        rate = statistics.median(signing)
        yield ""
        yield f"One core signs {rate:,.0f} such bearer tokens a second (ES256), {1e6 / rate:.1f} µs each."
