"""What the suites outside of Rust share: building the server, starting one on a temporary folder, cached tools."""
import datetime, hashlib, json, os, re, shutil, signal, sqlite3, subprocess, tempfile, time, urllib.request, uuid, venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
TOKEN = "bootstrap-token-of-a-test-run"
PASSWORD = "bootstrap-password-of-a-test-run"


def cargo_build(*arguments):
    """Builds with cargo; returns {target name: path of its executable}."""
    command = ["cargo", "build", "--locked", "--message-format=json-render-diagnostics", *arguments]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed")
    messages = (json.loads(line) for line in done.stdout.splitlines() if line.startswith("{"))
    return {m["target"]["name"]: Path(m["executable"]) for m in messages if m.get("executable")}


def cache(name, pins):
    """A folder outside the clone for tools that `pins` (bytes) determine."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return home / "tessera" / f"{name}-{hashlib.sha256(pins).hexdigest()[:16]}"


def python_with(requirements):
    """The interpreter of a virtual environment that holds exactly `requirements`, made once."""
    home = cache("python", Path(requirements).read_bytes())
    if not (home / "ready").exists():
        shutil.rmtree(home, ignore_errors=True)
        venv.create(home, with_pip=True)
        install = [home / "bin/pip", "install", "--quiet", "--disable-pip-version-check", "-r", requirements]
        subprocess.run(install, check=True)
        (home / "ready").touch()
    return home / "bin/python"


class Broken(SystemExit):
    """The server does not do what every suite relies on."""


def pat(binary, home, environment, owner, name, *options):
    """The id and the secret of a new personal access token of `owner`, made on the command line beside a server."""
    command = [str(binary), "pat", "create", "--owner", owner, "--name", name, *options]
    done = subprocess.run(command, cwd=home, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    printed = dict(re.findall(r"^(id|secret)\s+([0-9a-f]+)\s*$", done.stdout, re.M))
    if done.returncode or len(printed) != 2:
        raise Broken(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return printed["id"], printed["secret"]


class Server:
    """A server in a folder of its own, on free ports of the loopback address; use it in a `with` statement."""

    def __init__(self, binary, log="warn", **settings):
        self.binary, self.settings = Path(binary).resolve(), settings
        self.home = Path(tempfile.mkdtemp(prefix="tessera-"))
        self.log, self.process = log, None

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.home, ignore_errors=True)

    def environment(self):
        """What the server is started with; commands beside it need the same."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("TESSERA_")}
        return inherited | {
            "TESSERA_LISTEN": "127.0.0.1:0", "TESSERA_MANAGEMENT_LISTEN": "127.0.0.1:0",
            "TESSERA_DATA_DIR": str(self.home / "data"), "TESSERA_LOG": self.log,
            "TESSERA_BOOTSTRAP_TOKEN": TOKEN, "TESSERA_BOOTSTRAP_PASSWORD": PASSWORD, **self.settings,
        }

    def launch(self):
        """Starts the process on what is in the folder already, without waiting for it."""
        with (self.home / "stdout").open("wb") as stdout, (self.home / "stderr").open("ab") as stderr:
            self.process = subprocess.Popen([self.binary, "serve"], cwd=self.home, env=self.environment(),
                                            stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr)

    def start(self, patience=30.0, pause=0.02):
        """Starts on what is in the folder already; returns the seconds until it was ready."""
        out, err = self.home / "stdout", self.home / "stderr"
        began = time.monotonic()
        self.launch()
        while time.monotonic() - began < patience:
            if self.process.poll() is not None:
                raise Broken(f"the server ended with {self.process.returncode}:\n{err.read_text()[-4000:]}")
            found = re.search(r"^address\s+(http://\S+)\s*$", out.read_text(), re.M)
            if found:
                self.base = found[1].rstrip("/")
                if self.answers("/-/health/ready/"):
                    return time.monotonic() - began
            time.sleep(pause)
        raise Broken(f"the server was not ready after {patience} s:\n{out.read_text()}{err.read_text()[-4000:]}")

    def answers(self, path):
        try:
            with urllib.request.urlopen(self.base + path, timeout=5) as response:
                return response.status == 200
        except OSError:
            return False

    def kill(self):
        """SIGKILL: no goodbye. A server that had ended by itself before is an error."""
        process, self.process = self.process, None
        ended = process.poll()
        process.kill()
        process.wait()
        if ended is not None:
            raise Broken(f"the server ended with {ended} by itself:\n{(self.home / 'stderr').read_text()[-4000:]}")

    def stop(self):
        """SIGTERM, as a service manager would; a server that does not drain and exit with 0 is an error."""
        process, self.process = self.process, None
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            ended = process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            ended = process.wait()
        if ended != 0:
            raise Broken(f"the server ended with {ended} on SIGTERM:\n{(self.home / 'stderr').read_text()[-4000:]}")

    def pat(self, owner, name, *options):
        return pat(self.binary, self.home, self.environment(), owner, name, *options)

    def add_scores(self, *scores):
        """Puts reputation scores, (identifier, ip, score), into the table: only logins make them. Returns their keys."""
        now = datetime.datetime.now(datetime.timezone.utc)
        later = now + datetime.timedelta(days=1)
        keys = [uuid.uuid4() for _ in scores]
        rows = [(key.bytes, identifier, ip, score, now.isoformat(" "), later.isoformat(" "), f"{identifier}\n{ip}\n{score}")
                for key, (identifier, ip, score) in zip(keys, scores)]
        with sqlite3.connect(self.home / "data/tessera.db", timeout=10) as db:
            db.executemany("INSERT INTO reputation_scores (id, identifier, ip, score, updated, expires, search) "
                           "VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
        return [str(key) for key in keys]

    def __str__(self):
        return self.base
