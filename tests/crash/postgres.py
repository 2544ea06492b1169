"""A PostgreSQL cluster that may be crashed: made in a temporary folder, on a free port of the loopback address."""
import os, pwd, shutil, socket, subprocess, tempfile, time
from pathlib import Path
import tessera


def programs():
    """The newest folder with PostgreSQL's server programs; Debian keeps them out of the search path."""
    installed = Path("/usr/lib/postgresql").glob("*/bin")
    newest = sorted(installed, key=lambda folder: [int(n) for n in folder.parent.name.split(".") if n.isdigit()])
    found = shutil.which("initdb")
    for folder in [*reversed(newest), *([Path(found).parent] if found else [])]:
        if all((folder / name).exists() for name in ("initdb", "pg_ctl", "psql")):
            return folder
    return None


def missing():
    """Why there can be no cluster, if so."""
    if not programs():
        return "PostgreSQL is missing; Debian has it as `apt-get install postgresql`"
    if os.geteuid() == 0:
        try:
            pwd.getpwnam("postgres")
        except KeyError:
            return "PostgreSQL refuses to run as root, and there is no user `postgres`"
    return None


class Cluster:
    def __init__(self):
        self.bin, self.running = programs(), False
        self.home = Path(tempfile.mkdtemp(prefix="tessera-crash-postgres-"))
        # PostgreSQL refuses to run as root; Debian's package makes the user postgres.
        self.drop = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
        if self.drop:
            shutil.chown(self.home, "postgres", "postgres")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"postgres://postgres@127.0.0.1:{self.port}/postgres"

    def make(self):
        self.run("initdb", "-D", "data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8")
        self.start()
        # Without either, an acknowledged commit may be lost by design, and nothing would be proved.
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            value = self.run("psql", "-X", "-At", self.url, "-c", f"SHOW {setting}").strip()
            if value != "on":
                raise tessera.Broken(f"PostgreSQL runs with {setting}={value}; this test needs it on")

    def start(self):
        self.running = True
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self.home}"
        self.run("pg_ctl", "start", "-D", "data", "-w", "-t", "30", "-s", "-l", "server.log", "-o", options)

    def crash(self):
        """All processes quit at once; the next start recovers from the log."""
        self.run("pg_ctl", "stop", "-D", "data", "-m", "immediate", "-w", "-t", "30", "-s")
        self.running = False

    def stop(self):
        """At the end, however far a start has come."""
        until = time.monotonic() + 5
        while self.running and time.monotonic() < until:
            if (self.home / "data/postmaster.pid").exists():
                self.crash()
            else:
                time.sleep(0.1)

    def run(self, program, *arguments):
        environment = {k: v for k, v in os.environ.items() if not k.startswith("PG")}
        # In a session of its own: Ctrl-C must not end PostgreSQL half started, where nobody would find it.
        # In a file rather than a pipe: the server would inherit the pipe, and its end never come.
        with tempfile.TemporaryFile("w+") as out:
            done = subprocess.run([self.bin / program, *arguments], cwd=self.home, env=environment, timeout=90,
                                  stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                                  start_new_session=True, **self.drop)
            out.seek(0)
            told = out.read()
        if done.returncode:
            log = self.home / "server.log"
            raise tessera.Broken(f"{program} failed:\n{told}{log.read_text()[-2000:] if log.exists() else ''}")
        return told
