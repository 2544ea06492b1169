"""What the parts of the benchmark share: a request, a run of wrk, a table in docs/performance.md."""
import contextlib, json, os, platform, re, resource, signal, subprocess, sys, time, urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))
import tessera

DOCUMENT = tessera.ROOT / "docs/performance.md"


def call(base, method, path, body=None):
    """One request as the bootstrap user; returns (header lines, body)."""
    request = urllib.request.Request(base + path, method=method, data=json.dumps(body).encode() if body else None)
    request.add_header("Authorization", "Bearer " + tessera.TOKEN)
    if body:
        request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request, timeout=30) as response:
        return response.getheaders(), response.read()


def call_many(base, method, paths_and_bodies):
    """Requests, eight at a time; returns the bodies of the answers in their order."""
    with ThreadPoolExecutor(8) as pool:
        return [body for _, body in pool.map(lambda one: call(base, method, *one), paths_and_bodies)]


def make_tokens(base, count):
    fields = lambda n: {"identifier": f"bench-{n}", "description": "read under load"}
    call_many(base, "POST", [("/api/v3/core/tokens/", fields(n)) for n in range(count)])


def children(pid):
    """The processes that one has started, such as the workers that run expressions."""
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]


def cpu_seconds(pid):
    """Of a process and its children, those that have ended too."""
    used = 0
    for one in children(pid):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            used += sum(times(one)[:2])
    return (used + sum(times(pid))) / os.sysconf("SC_CLK_TCK")


def times(pid):
    """In user mode and in the kernel; and the same of children that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return [int(field) for field in fields[11:15]]


def busy_seconds():
    """Seconds that all cores together have worked so far, and those of programs that have ended here."""
    fields = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    idle = fields[3] + fields[4]
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (sum(fields) - idle) / os.sysconf("SC_CLK_TCK"), ended.ru_utime + ended.ru_stime


def resident_mib(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1]) / 1024


def load(target, kind, connections, seconds, objects, once=None, until=None, pause=0, token=tessera.TOKEN):
    """One run of wrk; {requests, rate, p50, p99 in ms, cpu in µs per request, others: cores that others kept busy}.

    `kind` is one of load.lua, or a request: `METHOD path body`. `once` is (first object, how many, file with keys) for kinds that take every object once: these end before the
    time is up, and their rate follows from the mean time of an answer. `until` ends the run early, by returning. `pause` is
    how many milliseconds a connection waits before a request.
    """
    command = ["wrk", "-t", str(min(2, connections)), "-c", str(connections), "-d", f"{seconds}s", "--timeout", "10s",
               "-s", HERE / "load.lua", target.base, "--", kind, token, str(objects), f"load-{time.time_ns()}"]
    command += [str(word) for word in once or () if word is not None]
    before, (busy, ended), began = cpu_seconds(target.process.pid), busy_seconds(), time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True,
                               env=os.environ | {"LOAD_PAUSE": str(pause)})
    try:
        if until:
            until()
            process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=seconds + 60)
    finally:
        process.kill()
    used = cpu_seconds(target.process.pid) - before
    took, (busy_now, ended_now) = time.monotonic() - began, busy_seconds()
    others = max(0, busy_now - busy - used - (ended_now - ended)) / took
    told = json.loads(out.strip().splitlines()[-1])
    if process.returncode or told["refused"] or told["broken"] or not told["requests"]:
        raise SystemExit(f"{kind} at {connections} connections: {told['refused']} of {told['requests']} requests were "
                         f"refused, {told['broken']} connections broke")
    rate = connections / told["mean"] * 1e6 if once else told["requests"] / told["microseconds"] * 1e6
    return {"requests": told["requests"], "rate": rate, "p50": told["p50"] / 1000, "p99": told["p99"] / 1000,
            "cpu": used / told["requests"] * 1e6, "others": others}


class Baseline:
    """`bench-baseline`, answering the bytes in `response`, or one of so many rows."""

    def __init__(self, binary, folder, response, rows):
        recorded = folder / "response"
        recorded.write_bytes(response)
        command = [binary, "--response", recorded, "--database", folder / "baseline.db", "--rows", str(rows)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
        line = self.process.stdout.readline()
        if not line.startswith("address"):
            raise SystemExit("the baseline did not start")
        self.base = line.split()[1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(timeout=10)


def recorded(headers, body):
    """An answer in the form that `bench-baseline` reads; hyper writes the other headers itself."""
    kept = [f"{name}: {value}" for name, value in headers if name.lower() not in ("connection", "content-length", "date")]
    return "\n".join(kept).encode() + b"\n\n" + body


def machine():
    cpu = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    rustc = subprocess.run(["rustc", "--version"], stdout=subprocess.PIPE, text=True, cwd=tessera.ROOT).stdout.split()
    return (f"{os.cpu_count()} × {cpu[1].strip() if cpu else platform.machine()}, Linux {platform.release().split('-')[0]}, "
            f"rustc {rustc[1] if len(rustc) > 1 else '?'}")


def write(part, lines):
    """Puts lines between the marks of a part of docs/performance.md."""
    begin, end = f"<!-- {part}: begin -->", f"<!-- {part}: end -->"
    text = DOCUMENT.read_text()
    if any(text.count(mark) != 1 for mark in (begin, end)):
        sys.exit(f"docs/performance.md lacks the lines {begin} and {end}")
    before, rest = text.split(begin)
    DOCUMENT.write_text(before + "\n".join([begin, *lines, end]) + rest.split(end)[1])
