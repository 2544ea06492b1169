"""Writers that know what they did: what was acknowledged, and what was in flight when the lights went out.

Every object belongs to one writer and has at most one request in flight, so after a crash its state is known,
or is one of two. Requests carry a name of their own as user agent; the server keeps it in the event.
"""
import http.client, json, random, threading, time, uuid

# What a request may end with instead of an answer.
BROKEN = (OSError, http.client.HTTPException)
PATIENCE = 15


class Client:
    """One connection that stays open."""

    def __init__(self, base, token):
        self.connection = http.client.HTTPConnection(base.removeprefix("http://"), timeout=PATIENCE)
        self.token = token

    def call(self, method, path, body=None, agent="crash-check", token=None):
        """(status, body as JSON or None); raises one of BROKEN when no status came."""
        headers = {"Authorization": f"Bearer {token or self.token}", "User-Agent": agent}
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            try:
                self.connection.request(method, "/api/v3" + path, body and json.dumps(body).encode(), headers)
            except (BrokenPipeError, ConnectionResetError):
                pass  # a refusal may come before the body is sent; the answer is there all the same
            response = self.connection.getresponse()
        except BROKEN:
            self.connection.close()
            raise
        try:
            data = response.read()
            return response.status, json.loads(data) if data else None
        except BROKEN:
            # The status has arrived: that is the promise, whatever becomes of the rest.
            self.connection.close()
            return response.status, None
        finally:
            if response.status >= 400:
                # A server that refuses before the body has arrived cannot use the connection any more.
                self.connection.close()

    def close(self):
        self.connection.close()


class Thing:
    """An object, or the three that make up a service account: its acknowledged state, and a request in flight."""

    def __init__(self, kind, name):
        self.kind, self.name = kind, name
        self.state, self.op = None, None  # no state: it does not exist
        self.pks = {}  # by model, as events spell them
        self.retired = []  # keys that worked once

    def retire(self, *keys):
        self.retired = [*self.retired, *(key for key in keys if key)][-3:]


class Op:
    """One request: what it makes of its object, and the events that it causes."""

    def __init__(self, name, verb, thing, after, events):
        self.id, self.verb, self.thing = name, verb, thing
        self.before, self.after, self.events = thing.state, after, events
        self.applied = None  # unknown

    def __str__(self):
        return f"{self.verb} {self.thing.kind} {self.thing.name} ({self.id})"


class Writer:
    """Sends one request after another until it is stopped or the server is gone."""

    def __init__(self, number, seed):
        self.number, self.rng = number, random.Random(f"{seed}/writer {number}")
        self.count = 0
        self.things = []
        self.live = {"token": [], "user": [], "group": [], "account": []}
        self.journal = []  # of this round
        self.faults = []
        self.answers = []  # (began, ended, status, what)

    def next(self, prefix):
        self.count += 1
        return f"{prefix}{self.number}-{self.count}"

    def run(self, base, token, stopped, survives, rotates):
        """`survives`: the server stays up, so that a broken connection is a fault and 503 is not."""
        client = Client(base, token)
        verbs = [(self.create_token, 22), (self.patch, 22), (self.set_key, 12), (self.delete_token, 9),
                 (self.create_user, 7), (self.create_group, 6), (self.create_account, 7), (self.add_user, 7),
                 (self.remove_user, 5), (self.delete_group, 2), (self.rotate, 10 if rotates else 0)]
        makers, weights = zip(*verbs)
        try:
            while not stopped.is_set():
                asked = self.rng.choices(makers, weights)[0]()
                if asked and not self.perform(client, survives, *asked):
                    return
        finally:
            client.close()

    def perform(self, client, survives, op, method, path, body):
        """Sends one request and notes what came of it; false when the server is gone."""
        thing, what = op.thing, f"{method} {path} ({op.id})"
        thing.op = op
        self.journal.append(op)
        began, status, answer, broken = time.monotonic(), None, None, ""
        try:
            status, answer = client.call(method, path, body, op.id)
        except BROKEN as error:
            broken = f"{type(error).__name__}: {error}"
        self.answers.append((began, time.monotonic(), status, what))
        if status and status < 300:
            self.acknowledged(op, answer)
        elif status == 503 and survives:
            time.sleep(0.02)
        elif status is None and not survives:
            return False
        else:
            self.faults.append(f"{what}: expected success, found {status or broken} {answer or ''}")
            return not stopped_for(self.faults)
        return True

    def acknowledged(self, op, answer):
        thing, answer = op.thing, answer or {}
        for name in ("description", "identifier", "username"):
            wanted = thing.name if name != "description" else (op.after or {}).get(name)
            if thing.kind != "account" and name in answer and answer[name] != wanted:
                self.faults.append(f"{op}: expected the answer's {name} to be {wanted!r}, found {answer[name]!r}")
        if thing.kind == "account":
            thing.pks |= {k: plain(answer[f"{k}_pk"]) for k in ("user", "group") if f"{k}_pk" in answer}
            op.after["key"] = answer.get("token")
        elif "pk" in answer:
            thing.pks[thing.kind] = plain(answer["pk"])
        if op.verb == "rotate":
            op.after["key"] = answer.get("key")
        elif op.before and op.before.get("key") != (op.after or {}).get("key"):
            thing.retire(op.before["key"])
        thing.state, thing.op, op.applied = op.after, None, True
        if op.after is None:
            self.live[thing.kind].remove(thing)

    # What is asked for: (operation, method, path, body), or nothing when there is no object for it.

    def op(self, verb, thing, after, action, models=None):
        return Op(self.next("op"), verb, thing, after, [(action, model) for model in models or [thing.kind]])

    def made(self, kind, prefix):
        thing = Thing(kind, self.next(prefix))
        self.things.append(thing)
        self.live[kind].append(thing)
        return thing

    def pick(self, kind, fits=lambda thing: True):
        """An object that is there for sure; recent ones rather, so that they see more than one change."""
        for _ in range(8):
            among = self.live[kind]
            among = among[-40:] if self.rng.random() < 0.7 else among
            thing = self.rng.choice(among) if among else None
            if thing and thing.state is not None and not thing.op and kind in thing.pks and fits(thing):
                return thing
        return None

    def create_token(self):
        thing, owner = self.made("token", "token"), self.pick("user") if self.rng.random() < 0.5 else None
        intent = self.rng.choice(["api", "app_password"])
        body = {"identifier": thing.name, "intent": intent, "expiring": False, "description": f"made as {thing.name}"}
        after = {"description": body["description"], "intent": intent, "owner": "akadmin", "key": None}
        if owner:
            body["user"], after["owner"] = int(owner.pks["user"]), owner.name
        return self.op("create", thing, after, "model_created"), "POST", "/core/tokens/", body

    def patch(self):
        if thing := self.pick("token"):
            body = {"description": self.next("counter ")}
            op = self.op("patch", thing, thing.state | body, "model_updated")
            return op, "PATCH", f"/core/tokens/{thing.name}/", body

    def set_key(self):
        if thing := self.pick("token"):
            key = f"{self.next('key')}-{self.rng.getrandbits(128):032x}"
            op = self.op("set_key", thing, thing.state | {"key": key}, "model_updated")
            return op, "POST", f"/core/tokens/{thing.name}/set_key/", {"key": key}

    def rotate(self):
        # Only where the key is known, so that it can be told afterwards whether it is still the one.
        if thing := self.pick("token", lambda thing: thing.state["key"]):
            # Which events a rotation causes is its own business, as long as one names the token.
            op = self.op("rotate", thing, thing.state | {"key": None}, None)
            return op, "POST", f"/core/tokens/{thing.name}/rotate/", None

    def delete_token(self):
        if thing := self.pick("token"):
            return self.op("delete", thing, None, "model_deleted"), "DELETE", f"/core/tokens/{thing.name}/", None

    def create_user(self):
        thing = self.made("user", "user")
        body = {"username": thing.name, "name": f"Name of {thing.name}"}
        return self.op("create", thing, {"name": body["name"]}, "model_created"), "POST", "/core/users/", body

    def create_group(self):
        thing = self.made("group", "group")
        members = {user.name: user for user in (self.pick("user") for _ in range(self.rng.randint(0, 3))) if user}
        body = {"name": thing.name, "users": [int(user.pks["user"]) for user in members.values()]}
        op = self.op("create", thing, {"members": sorted(members)}, "model_created")
        return op, "POST", "/core/groups/", body

    def create_account(self):
        thing = self.made("account", "account")
        body = {"name": thing.name, "create_group": True, "expiring": False}
        op = self.op("create", thing, {"key": None}, "model_created", ["user", "group", "token"])
        return op, "POST", "/core/users/service_account/", body

    def add_user(self):
        group, user = self.pick("group"), self.pick("user")
        if group and user and user.name not in group.state["members"]:
            return self.membership(group, user, "add_user", sorted([*group.state["members"], user.name]))

    def remove_user(self):
        group = self.pick("group", lambda thing: thing.state["members"])
        if group:
            name = self.rng.choice(group.state["members"])
            user = next(user for user in self.live["user"] if user.name == name)
            return self.membership(group, user, "remove_user", [m for m in group.state["members"] if m != name])

    def membership(self, group, user, verb, members):
        op = self.op(verb, group, {"members": members}, "model_updated")
        return op, "POST", f"{place(group)}{verb}/", {"pk": int(user.pks["user"])}

    def delete_group(self):
        if thing := self.pick("group"):
            return self.op("delete", thing, None, "model_deleted"), "DELETE", place(thing), None


def place(group):
    return f"/core/groups/{uuid.UUID(group.pks['group'])}/"


def plain(pk):
    """A primary key as events spell it."""
    return str(pk).replace("-", "")


def stopped_for(faults):
    """A server that answers everything wrongly need not be asked for ever."""
    return len(faults) > 20


class Load:
    """All writers at work, each in a thread; `reader` asks for a page all the time, as a client of a kind would."""

    def __init__(self, writers, base, token, survives=False, rotates=False):
        self.stopped, self.writers, self.reads = threading.Event(), writers, []
        for writer in writers:
            writer.journal, writer.faults, writer.answers = [], [], []
        jobs = [(w.run, (base, token, self.stopped, survives, rotates)) for w in writers]
        if survives:
            jobs.append((self.read, (base, token)))
        self.threads = [threading.Thread(target=self.guarded, args=job, daemon=True) for job in jobs]
        self.broken = []
        for thread in self.threads:
            thread.start()

    def guarded(self, run, arguments):
        try:
            run(*arguments)
        except Exception as error:
            self.broken.append(f"the test itself is broken: {type(error).__name__}: {error}")
            raise

    def read(self, base, token):
        client = Client(base, token)
        while not self.stopped.is_set():
            began, status, what = time.monotonic(), None, "GET /core/tokens/"
            try:
                status, _ = client.call("GET", "/core/tokens/?page_size=1")
            except BROKEN as error:
                what += f" ({type(error).__name__}: {error})"
            self.reads.append((began, time.monotonic(), status, what))
            time.sleep(0.02)
        client.close()

    def stop(self):
        """Every writer finishes what it has in flight."""
        self.stopped.set()
        for thread in self.threads:
            thread.join(PATIENCE + 5)
        if any(thread.is_alive() for thread in self.threads):
            self.broken.append("a writer did not end")

    @property
    def journal(self):
        return [op for writer in self.writers for op in writer.journal]

    @property
    def answers(self):
        return [answer for writer in self.writers for answer in list(writer.answers)] + list(self.reads)

    @property
    def faults(self):
        return [fault for writer in self.writers for fault in writer.faults] + self.broken
