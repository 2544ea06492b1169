"""What the rules for personal access tokens and their grant make of a request (contract sailpoint-pat §3, §4, §6, §7),
written a second time: a schema cannot say them, so refusing good data and taking bad data would otherwise not be seen.

Each function takes a request as it went over the wire and gives the codes of the faults in it: none when it is good,
and `None` when that depends on what nobody but the server knows.
"""
import base64, datetime, re

MISSING, ILLEGAL, LIMIT = "400.1.0 Required Data Missing Or Empty", "400.1.3 Illegal value", "400.1.4 Limit violation"
SYNTAX, CONTENT, CONFLICT = "400.0 Bad request syntax", "400.1 Bad Request Content", "400.1.409 Reference conflict"
# The families of paths whose tokens end within six months.
SIX_MONTHS = ("/beta/", "/v3/", "/v2024/")
# The property White_Space of Unicode; `str.strip` takes more.
BLANKS = "\t\n\x0b\x0c\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
UNKNOWN = object()
# Clocks are read twice, and months are not all of one length: nearer than this to a limit, nothing is said.
NEAR = datetime.timedelta(days=4)


class Depends(Exception):
    """On the state of the server."""


def name(value):
    if not isinstance(value, str):
        return MISSING if value is None else ILLEGAL
    value = value.strip(BLANKS)
    # Categories other than Cc are fine.
    control = any(ord(c) < 32 or 127 <= ord(c) < 160 for c in value)
    return MISSING if not value else ILLEGAL if len(value) > 255 or control else None


def scope(value):
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        return ILLEGAL
    if len(value) > 100:
        return LIMIT
    # RFC 6749 §3.3.
    if not all(re.fullmatch(r"[!#-\[\]-~]{1,128}", item) for item in value):
        return ILLEGAL
    return LIMIT if sum(map(len, value)) > 4096 else None


def instant(value):
    """RFC 3339, or without an offset in UTC; `None` for what is no time."""
    form = r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.\d{1,9})?(?:[Zz]|([+-])(\d\d):(\d\d))?"
    found = re.fullmatch(form, value, re.ASCII)
    if not found:
        # A date alone is one in some readings of ISO 8601, and nobody sends it.
        if re.fullmatch(r"\s*[\d-]{8,10}.*", value, re.ASCII | re.DOTALL):
            raise Depends
        return None
    try:
        at = datetime.datetime(*map(int, found.groups()[:6]))
        if found[7]:
            at -= (1 if found[7] == "+" else -1) * datetime.timedelta(hours=int(found[8]), minutes=int(found[9]))
    except (ValueError, OverflowError):
        # Leap seconds, and the ends of the calendar.
        raise Depends from None
    if at.year > 9998 or at.year < 2:
        raise Depends
    return at


def end(value, family):
    """Of a date that is there."""
    at = instant(value) if isinstance(value, str) else None
    if at is None:
        return ILLEGAL
    left, most = at - datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None), datetime.timedelta(days=182)
    if abs(left) < NEAR or (family and abs(left - most) < NEAR):
        raise Depends
    return ILLEGAL if left < NEAR or (family and left > most) else None


def is_condition(text):
    """Whether the grammar of §5 has it, and only with what tokens can be asked for. Precedence makes no difference to
    that, so that what is one becomes shorter until it is a single `C`."""
    symbols, place = "", 0
    kinds = {"lastUsed": "f", "isnull": "n", "le": "l", "and": "&", "or": "&", "not": "!"}
    while (place := next((at for at in range(place, len(text)) if text[at] not in BLANKS), len(text))) < len(text):
        found = re.compile(rf'"((?:[^"\\]|\\["\\])*)"|([(),])|([^{BLANKS}(),"]+)').match(text, place)
        if not found:
            return False
        quoted, mark, word = found.groups()
        symbols += mark or kinds.get(word) or ("T" if instant(word if quoted is None else quoted) else "X")
        place = found.end()
    if sum(map(symbols.count, "!(")) > 30 or len(text) > 4000:
        raise Depends
    symbols = re.sub(r"fl(T|\(T\))", "C", symbols.replace("fn", "C"))
    while (shorter := re.sub(r"\(C\)|!C|C&C", "C", symbols)) != symbols:
        symbols = shorter
    return symbols == "C"


def family_of(path):
    return next((family for family in SIX_MONTHS if path.startswith(family)), None)


def faults_of_listing(query):
    given = {name: {value for key, value in query if key == name} for name in ("filters", "owner-id")}
    if any(len(values) > 1 or "\0" in "".join(values) for values in given.values()):
        return {ILLEGAL}
    return {ILLEGAL} if given["filters"] and not is_condition(*given["filters"]) else set()


def faults_of_new(path, body):
    if not isinstance(body, dict):
        return {CONTENT}
    family, get = family_of(path), body.get
    found = {name(get("name"))}
    if get("scope") is not None:
        found.add(scope(get("scope")))
    validity, never, expires = get("accessTokenValiditySeconds"), get("userAwareTokenNeverExpires"), get("expirationDate")
    if isinstance(validity, float):
        # Whether 20.0 is an integer is a matter of taste.
        raise Depends
    if validity is not None and (isinstance(validity, bool) or not isinstance(validity, int) or not 15 <= validity <= 43200):
        found.add(ILLEGAL)
    if never is not None and not isinstance(never, bool):
        found.add(ILLEGAL)
    if expires is not None:
        found.add(end(expires, family))
    elif family is None and never is not True:
        found.add(MISSING)
    return found - {None}


def faults_of_patch(path, body, fields=None):
    if not isinstance(body, list):
        return {CONTENT}
    family = family_of(path)
    fields = fields or (("name", "scope") + (() if family else ("expirationDate", "userAwareTokenNeverExpires")))
    if len(body) > 100:
        return {LIMIT}
    now, written = dict.fromkeys(fields, UNKNOWN), set()
    for step in body:
        if not isinstance(step, dict) or step.get("op") not in ("add", "replace", "remove", "test") or step.get("path") not in [f"/{field}" for field in fields]:
            return {ILLEGAL}
    for step in body:
        field = step["path"][1:]
        if step["op"] != "test":
            now[field] = None if step["op"] == "remove" else step.get("value")
            written.add(field)
        elif now[field] is UNKNOWN:
            raise Depends
        elif now[field] != step.get("value") or repr(now[field]) != repr(step.get("value")):
            if now[field] == step.get("value"):
                raise Depends
            return {ILLEGAL}
    found = set()
    if "name" in written:
        found.add(name(now["name"]))
    if "scope" in written:
        found.add(scope(now["scope"]))
    never = now.get("userAwareTokenNeverExpires")
    if "userAwareTokenNeverExpires" in written and never is not None and not isinstance(never, bool):
        found.add(ILLEGAL)
    if "expirationDate" in written:
        if now["expirationDate"] is not None:
            found.add(end(now["expirationDate"], family))
        elif never is not True:
            found.add(MISSING)
    elif "userAwareTokenNeverExpires" in written and never is not True and not found - {None}:
        # It may be a token that never ends.
        raise Depends
    return found - {None}


def faults_of_bulk(path, body):
    if not isinstance(body, dict):
        return {CONTENT}
    found, ids, patch = set(), body.get("ids"), body.get("patch")
    for value in (ids, patch):
        if value is None:
            found.add(MISSING)
        elif not isinstance(value, list):
            found.add(ILLEGAL)
    if found:
        return found
    if not all(isinstance(id, str) for id in ids) or not all(isinstance(step, dict) for step in patch):
        return {ILLEGAL}
    if not 1 <= len(ids) <= 25:
        found.add(LIMIT)
    if not patch:
        found.add(MISSING)
    if len(set(ids)) != len(ids) or not all(re.fullmatch("[0-9a-f]{32}", id) for id in ids):
        found.add(ILLEGAL)
    found |= faults_of_patch(path, patch, ("expirationDate", "userAwareTokenNeverExpires"))
    if not found:
        # Whether there are such tokens.
        raise Depends
    return found


def faults_of_grant(query, form, authorization, clients):
    """A set of errors; `query` and `form` are pairs of names and values."""
    asked, names = {}, [name for name, _ in form]
    for place in (query, form):
        for parameter in ("grant_type", "client_id", "client_secret"):
            values = [value for key, value in place if key == parameter]
            if len(values) > 1:
                return {"invalid_request"}
            if values and values[0]:
                asked.setdefault(parameter, set()).add(values[0])
    if any(len(values) > 1 for values in asked.values()):
        return {"invalid_request"}
    if len(set(names)) != len(names):
        # Others are to be ignored, and yet nothing may be there twice (RFC 6749 §3.2).
        raise Depends
    asked = {parameter: values.pop() for parameter, values in asked.items()}
    found, basic = set(), None
    if "grant_type" not in asked:
        found.add("invalid_request")
    elif asked["grant_type"].lower() != "client_credentials":
        found.add("unsupported_grant_type")
    if authorization is not None:
        try:
            scheme, _, text = authorization.partition(" ")
            if scheme.lower() != "basic":
                raise Depends
            basic = tuple(base64.b64decode(text, validate=True).decode().split(":", 1))
        except ValueError:
            raise Depends from None
        if "client_secret" in asked or asked.get("client_id", basic[0]) != basic[0]:
            found.add("invalid_request")
    client = basic or (asked.get("client_id"), asked.get("client_secret"))
    if None in client:
        found.add("invalid_request")
    elif client not in clients:
        found.add("invalid_client")
    return found
