"""Holds what a server has after a crash against what the writers know.

Over HTTP: the objects as a client sees them, and which keys authenticate. In the database: all objects at once,
the events, and that nothing hangs in the air.
"""
import json, random, sqlite3, subprocess, urllib.parse
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
import load

CHECKERS = 4
# Objects asked for over HTTP after each round: of this round, and of earlier ones. The database is read as a whole.
RECENT, EARLIER = 250, 60

OBJECTS = {
    "token": "SELECT t.identifier AS a, t.description AS b, t.intent AS c, u.username AS d "
             "FROM tokens t LEFT JOIN users u ON u.id = t.user_id",
    "user": "SELECT username AS a, name AS b FROM users",
    "group": "SELECT g.name AS a, m.user_id AS b, u.username AS c FROM groups g "
             "LEFT JOIN user_groups m ON m.group_id = g.id LEFT JOIN users u ON u.id = m.user_id",
}


class Sqlite:
    def __init__(self, file):
        self.file = file

    def rows(self, sql):
        connection = sqlite3.connect(f"file:{self.file}?mode=ro", uri=True, timeout=10)
        try:
            return connection.execute(sql).fetchall()
        finally:
            connection.close()

    def damage(self):
        found = [text for (text,) in self.rows("PRAGMA integrity_check") if text != "ok"]
        return [f"PRAGMA integrity_check: expected ok, found {text}" for text in found] + \
               [f"PRAGMA foreign_key_check: expected nothing, found {row}" for row in self.rows("PRAGMA foreign_key_check")]


class Postgres:
    def __init__(self, psql, url):
        self.command = [psql, "-X", "-At", "-v", "ON_ERROR_STOP=1", url, "-c"]

    def rows(self, sql):
        told = subprocess.run([*self.command, f"SELECT coalesce(json_agg(t), '[]') FROM ({sql}) t"], check=True,
                              stdout=subprocess.PIPE, text=True, timeout=60).stdout
        return [tuple(row.values()) for row in json.loads(told)]

    def damage(self):
        return []  # what SQLite must be asked for, PostgreSQL enforces


class Check:
    """One look at everything; `faults` says what was expected and what was found."""

    def __init__(self, base, token, store, writers):
        self.base, self.bearer, self.store, self.writers = base, token, store, writers
        self.things = [thing for writer in writers for thing in writer.things]
        self.faults = []

    def fault(self, what, expected, found):
        self.faults.append(f"{what}: expected {expected}, found {found}")

    def run(self, journal, known, since, rng, everything=False):
        """`journal`: this round's requests; `known`: those of all rounds by name; `since`: when the round began."""
        touched = {op.thing: None for op in journal}
        unknown = [thing for thing in touched if thing.op]
        recent = [thing for thing in touched if not thing.op]
        earlier = [thing for thing in self.things if thing not in touched]
        limit = 3000 if everything else RECENT
        sample = lambda things, most: rng.sample(things, min(most, len(things)))
        asked = [*unknown, *sample(recent, limit), *sample(earlier, limit if everything else EARLIER)]
        self.over_http(asked)
        self.in_the_database()
        self.events(known if everything else {op.id: op for op in journal}, known, "0001-01-01" if everything else since)
        self.faults += self.store.damage()
        return self

    # Over HTTP.

    def over_http(self, things):
        shares = [things[n::CHECKERS] for n in range(CHECKERS)]
        with ThreadPoolExecutor(CHECKERS) as pool:
            list(pool.map(self.share, shares))

    def share(self, things):
        client = load.Client(self.base, self.bearer)
        for thing in things:
            try:
                found = getattr(self, thing.kind)(client, thing)
            except load.BROKEN + (Unexpected,) as error:
                self.fault(f"{thing.kind} {thing.name}", "an answer", f"{type(error).__name__}: {error}")
                continue
            self.settle(thing, found)
            self.keys(client, thing)
        client.close()

    def settle(self, thing, found):
        """What is found must be the acknowledged state, or what the request in flight makes of it."""
        op, thing.op = thing.op, None
        possible = [op.before, op.after] if op else [thing.state]
        fits = [state for state in possible if same(state, found)]
        if not fits:
            expected = " or ".join(map(str, possible))
            self.fault(f"{thing.kind} {thing.name}" + (f", {op.verb} in flight" if op else ""), expected, found)
        if op:
            # The key that a rotation makes is not known in advance, so what matters there is whether the former one is gone.
            applied = not same(op.before, found) if op.verb == "rotate" else same(op.after, found)
            op.applied = applied if fits else None
            if op.verb != "rotate":
                thing.retire(*{(s or {}).get("key") for s in possible} - {(found or {}).get("key")})
            thing.state = found
            if found is None:
                live = next(w.live[thing.kind] for w in self.writers if thing in w.live[thing.kind])
                live.remove(thing)
        elif fits and thing.state and thing.state.get("key") is None:
            thing.state = found

    def keys(self, client, thing):
        if thing.kind != "token":
            return
        works = lambda key: self.get(client, "/core/users/me/", 200, 403, token=key) is not None
        if thing.state and thing.state["intent"] == "api" and thing.state["key"] and not works(thing.state["key"]):
            self.fault(f"token {thing.name}", f"that its key {thing.state['key']} authenticates", "403")
        for key in thing.retired:
            if works(key):
                self.fault(f"token {thing.name}", f"that its former key {key} is refused", "200")

    def get(self, client, path, *statuses, token=None):
        """The answer, or None for the second status."""
        status, answer = client.call("GET", path, token=token)
        if status not in statuses:
            raise Unexpected(f"GET {path}: {status} {answer or ''}")
        return answer if status == statuses[0] else None

    def named(self, client, path, field, name):
        answer = self.get(client, f"{path}?{urllib.parse.urlencode({field: name})}", 200)
        return answer["results"][0] if answer["results"] else None

    def pk(self, thing, model, pk):
        expected = thing.pks.setdefault(model, load.plain(pk))
        if expected != load.plain(pk):
            self.fault(f"{model} {thing.name}", f"the primary key {expected}", pk)

    def token(self, client, thing):
        found = self.get(client, f"/core/tokens/{thing.name}/", 200, 404)
        if found is None:
            return None
        self.pk(thing, "token", found["pk"])
        keyed = any((state or {}).get("key") for state in (thing.state, thing.op and thing.op.after))
        rotated = thing.op and thing.op.verb == "rotate"
        key = self.get(client, f"/core/tokens/{thing.name}/view_key/", 200)["key"] if keyed or rotated else None
        return {"description": found["description"], "intent": found["intent"],
                "owner": found["user_obj"]["username"], "key": key}

    def user(self, client, thing):
        found = self.named(client, "/core/users/", "username", thing.name)
        if found is None:
            return None
        self.pk(thing, "user", found["pk"])
        return {"name": found["name"]}

    def group(self, client, thing):
        found = self.named(client, "/core/groups/", "name", thing.name)
        if found is None:
            return None
        self.pk(thing, "group", found["pk"])
        return {"members": sorted(member["username"] for member in found["users_obj"])}

    def account(self, client, thing):
        """All three, or none of them."""
        user = self.named(client, "/core/users/", "username", thing.name)
        group = self.named(client, "/core/groups/", "name", thing.name)
        token = self.get(client, f"/core/tokens/{password_of(thing)}/", 200, 404)
        there = {"user": user, "group": group, "token": token}
        if not any(there.values()):
            return None
        if not all(there.values()):
            return {kind: "there" if found else "missing" for kind, found in there.items()}
        for model, found in there.items():
            self.pk(thing, model, found["pk"])
        if group["users"] != [user["pk"]] or token["user"] != user["pk"]:
            return {"user": user["pk"], "members of the group": group["users"], "owner of the token": token["user"]}
        return {"key": self.get(client, f"/core/tokens/{password_of(thing)}/view_key/", 200)["key"]}

    # In the database.

    def in_the_database(self):
        """Every object that there is, against every object that there should be."""
        found = {"token": {}, "user": {}, "group": defaultdict(list)}
        for name, description, intent, owner in self.store.rows(OBJECTS["token"]):
            found["token"][name] = {"description": description, "intent": intent, "owner": owner}
        for name, shown in self.store.rows(OBJECTS["user"]):
            found["user"][name] = {"name": shown}
        for name, member, username in self.store.rows(OBJECTS["group"]):
            found["group"][name] += [username] if member is not None else []
        found["group"] = {name: {"members": sorted(map(str, members))} for name, members in found["group"].items()}
        for thing in self.things:
            if thing.op:  # not settled: already reported
                continue
            for kind, name, state in parts(thing):
                there = found[kind].pop(name, None)
                if there != state:
                    self.fault(f"{kind} {name} in the database", state, there)
        # What the first start makes has names of its own.
        for kind, objects in found.items():
            for name, state in objects.items():
                if name.startswith(("token", "user", "group", "account", "service-account")):
                    unsettled = any(thing.op and name in (thing.name, password_of(thing)) for thing in self.things)
                    if not unsettled:
                        self.fault(f"{kind} {name} in the database", "nothing: nobody made it", state)

    def events(self, expected, known, since):
        """Each change that was made has its events, each that was not has none."""
        found = defaultdict(list)
        sql = f"SELECT action AS a, CAST(context AS text) AS b FROM events WHERE created >= '{since}'"
        for action, context in self.store.rows(sql):
            context = json.loads(context)
            agent = context.get("http_request", {}).get("user_agent", "")
            model = context.get("model") or context.get("token") or context.get("secret") or {}
            if agent.startswith("op"):
                found[agent].append((action, model.get("model_name"), model.get("pk")))
        for name in found.keys() - known.keys():
            self.fault(f"events of {name}", "none: nobody asked for it", found[name])
        for name, op in expected.items():
            if op.applied is None:  # not settled: already reported
                continue
            wanted = [(action, model, op.thing.pks.get(model)) for action, model in op.events] if op.applied else []
            told = found.get(name, [])
            if not explained(wanted, told):
                self.fault(f"events of {op}, which was {'written' if op.applied else 'not written'}", wanted, told)


class Unexpected(Exception):
    """An answer with a status that it must not have."""


def same(state, found):
    """A key that is None is not known."""
    if state is None or found is None:
        return state is found
    return state | {"key": 0} == found | {"key": 0} and (state.get("key") is None or state.get("key") == found.get("key"))


def explained(wanted, found):
    """Each wanted event is there once; None stands for anything. More may be told, if there is anything to tell."""
    if not wanted:
        return not found
    fits = lambda pattern, event: all(p is None or p == e for p, e in zip(pattern, event))
    return all(sum(fits(pattern, event) for event in found) == 1 for pattern in wanted)


def password_of(account):
    return f"service-account-{account.name}-password"


def parts(thing):
    """The rows that an object consists of: (kind, name, what is in them)."""
    if thing.kind != "account":
        state = thing.state and {name: value for name, value in thing.state.items() if name != "key"}
        return [(thing.kind, thing.name, state)]
    there = thing.state is not None
    token = {"description": "", "intent": "app_password", "owner": thing.name}
    return [("user", thing.name, {"name": thing.name} if there else None),
            ("group", thing.name, {"members": [thing.name]} if there else None),
            ("token", password_of(thing), token if there else None)]
