"""Damages of every kind that the check is there for, done to an SQLite file while the server is away."""
import sqlite3


def lost(db, place):
    """A token that was made is missing, its event too: as if the commit had never reached the disk."""
    thing = some(place, "token")
    db.execute("DELETE FROM tokens WHERE identifier = ?", [thing.name])
    db.execute("DELETE FROM events WHERE json_extract(context, '$.model.pk') = ?", [thing.pks["token"]])


def reverted(db, place):
    thing = some(place, "token", lambda thing: thing.state["description"].startswith("counter"))
    db.execute("UPDATE tokens SET description = 'counter 0-0' WHERE identifier = ?", [thing.name])


def risen(db, place):
    """A deleted token is back; another one's row lends its values."""
    gone = next(t for t in things(place, "token") if t.state is None and not t.op and "token" in t.pks)
    columns = [name for _, name, *_ in db.execute("PRAGMA table_info(tokens)")]
    other = {"id": bytes.fromhex(gone.pks["token"]), "identifier": gone.name, "key_digest": "0", "managed": None}
    values = ", ".join("?" if name in other else name for name in columns)
    given = [other[name] for name in columns if name in other]
    donor = some(place, "token").name
    db.execute(f"INSERT INTO tokens SELECT {values} FROM tokens WHERE identifier = ?", [*given, donor])


def rekeyed(db, place):
    thing = some(place, "token", lambda thing: thing.state["key"] and thing.state["intent"] == "api")
    db.execute("UPDATE tokens SET key_digest = 'another' WHERE identifier = ?", [thing.name])


def halved(db, place):
    """A service account whose group is empty."""
    thing = some(place, "account")
    db.execute("DELETE FROM user_groups WHERE user_id = ?", [int(thing.pks["user"])])


def orphaned(db, place):
    thing = some(place, "account")
    db.execute("DELETE FROM users WHERE id = ?", [int(thing.pks["user"])])


def estranged(db, place):
    """A membership that was begun has not."""
    thing = some(place, "group", lambda thing: thing.state["members"])
    db.execute("DELETE FROM user_groups WHERE group_id = ?", [bytes.fromhex(thing.pks["group"])])


def silent(db, place):
    thing = some(place, "user")
    db.execute("DELETE FROM events WHERE json_extract(context, '$.model.pk') = ?", [thing.pks["user"]])


def untrue(db, place):
    """An event tells of a request that changed nothing."""
    db.execute("UPDATE events SET context = json_set(context, '$.http_request.user_agent', 'op99-99') "
               "WHERE json_extract(context, '$.model.pk') = ?", [some(place, "user").pks["user"]])


# What is done, and what the complaint must speak of.
DAMAGES = {
    "a lost creation": (lost, "in the database"),
    "a lost change": (reverted, "in the database"),
    "a lost deletion": (risen, "in the database"),
    "a lost key": (rekeyed, "authenticates"),
    "half a service account": (halved, "account"),
    "a token without owner": (orphaned, "foreign_key_check"),
    "a lost membership": (estranged, "members"),
    "a change without event": (silent, "events of"),
    "an event without change": (untrue, "nobody asked for it"),
}


def things(place, kind):
    return [thing for writer in place.writers for thing in writer.things if thing.kind == kind]


def some(place, kind, fits=lambda thing: True):
    settled = (thing for thing in things(place, kind) if thing.state is not None and not thing.op and thing.pks)
    return next(thing for thing in settled if fits(thing))


def apply(damage, place):
    db = sqlite3.connect(place.store.file)
    try:
        # Triggers that guard the events would only keep out the test.
        triggers = db.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            db.execute(f'DROP TRIGGER "{name}"')
        damage(db, place)
        for _, sql in triggers:
            db.execute(sql)
        db.commit()
    finally:
        db.close()
