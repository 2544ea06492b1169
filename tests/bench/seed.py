"""Fills the SQLite file of a server that is stopped, by copying rows that the server wrote."""
import datetime, random, sqlite3


def open_file(server):
    """The file for writing much and fast; who loses power now starts again."""
    db = sqlite3.connect(server.home / "data/tessera.db", isolation_level=None)
    for pragma in ("journal_mode=OFF", "synchronous=OFF", "cache_size=-500000", "foreign_keys=OFF"):
        db.execute(f"PRAGMA {pragma}")
    return db


def close_file(db):
    # As the server had it: the log is what its readers rely on.
    db.execute("PRAGMA journal_mode=WAL")
    db.close()


def stamp(moment):
    """A time the way the server writes it."""
    return moment.astimezone(datetime.timezone.utc).isoformat(" ")


def insert(db, table, row, rows):
    columns = [f'"{name}"' for name in row]
    db.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join(':' + name for name in row)})", rows)


def row_like(db, table, where):
    """A row of the server's as {column: value}."""
    cursor = db.execute(f"SELECT * FROM {table} WHERE {where} LIMIT 1")
    return dict(zip([column[0] for column in cursor.description], cursor.fetchone()))


def copies(model, names, users, draw, **fixed):
    for name in names:
        yield model | {
            "id": draw.randbytes(16), "identifier": name, "user_id": draw.choice(users),
            "key_digest": draw.randbytes(32).hex(), "key_sealed": draw.randbytes(len(model["key_sealed"])),
            "search": model["search"].replace(model["identifier"], name), **fixed,
        }


def tokens(server, first, total):
    """`bench-0` up to `first` are the server's own; adds the rest of `total`, and as many events."""
    db = open_file(server)
    draw = random.Random(1)
    users = [row[0] for row in db.execute("SELECT id FROM users")]
    db.execute("BEGIN")
    if total > first:
        # The server's own rows lie scattered among the others, as in a table that grew over the years.
        gap = total // first
        db.execute("UPDATE tokens SET rowid = -rowid")
        db.execute(f"UPDATE tokens SET rowid = -rowid * {gap}")
        used = {row[0] for row in db.execute("SELECT rowid FROM tokens")}
        free = (n for n in range(1, 2 * total) if n not in used)
        model = row_like(db, "tokens", "identifier = 'bench-0'")
        new = copies(model, (f"bench-{n}" for n in range(first, total)), users, draw)
        insert(db, "tokens", model | {"rowid": 0}, ({**row, "rowid": next(free)} for row in new))
    model = row_like(db, "events", "action = 'model_created'")
    created = datetime.datetime.fromisoformat(model["created"])
    have = db.execute("SELECT count(*) FROM events").fetchone()[0]
    insert(db, "events", model, (
        # Before the chain begins, so that the server's next link finds its number free.
        model | {"id": draw.randbytes(16), "sequence": -n, "created": stamp(created - datetime.timedelta(seconds=n))}
        for n in range(1, total - have + 1)))
    db.execute("COMMIT")
    close_file(db)


def expired(server, total):
    """Adds tokens that ended an hour ago, every other one an app password."""
    db = open_file(server)
    draw = random.Random(2)
    users = [row[0] for row in db.execute("SELECT id FROM users")]
    ended = stamp(datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(hours=1))
    model = row_like(db, "tokens", "identifier = 'bench-0'")
    db.execute("BEGIN")
    for intent, start in (("api", 0), ("app_password", 1)):
        kind = model | {"search": model["search"].replace("\napi\n", f"\n{intent}\n")}
        names = (f"ended-{n}" for n in range(start, total, 2))
        insert(db, "tokens", kind, copies(kind, names, users, draw, intent=intent, expires=ended, expiring=1))
    db.execute("COMMIT")
    close_file(db)
