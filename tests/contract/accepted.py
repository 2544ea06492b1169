"""What the contract accepts although its schema forbids it, and nothing beyond.

`judge` walks a request as it went over the wire against the document, and tells every place where the request
breaks its schema. Each is excused or not, by the marks in the document alone:

* A query parameter with `x-lenient: ignore` may hold anything: a bad value counts as absent.
* Any other place is read the way its `x-field` says; it is excused if what was read satisfies the schema.
* A property with `x-absent: unusable-password` may be missing or null: absence has a meaning there.
* An object where `api/v3.yaml` says `x-opaque` is read by what it answers, which no document knows. In `api/beta.yaml`
  the mark is about who reads it, and its schema holds.

The rules by kind repeat the contract, not the server, so a server that reads more than that is found out. They are
those of a document's dialect: what `api/v3.yaml` reads loosely, the newer ones read to the letter.
"""
import email.parser, email.policy, json, re, uuid
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import parse_qsl, unquote, urlsplit

REFUSED = object()
# Anything else in a schema would be a rule that `faults` does not know, so it is an error there.
UNDERSTOOD = {"type", "nullable", "enum", "format", "minLength", "maxLength", "pattern", "minimum", "maximum", "minItems",
              "maxItems", "uniqueItems", "items", "properties", "required", "additionalProperties", "allOf", "$ref"}
REMARKS = {"title", "description", "example", "default", "readOnly", "writeOnly", "deprecated"}


@dataclass(frozen=True)
class Broken:
    """A place of a request that breaks its schema."""
    place: str
    rule: str
    excused: bool

    def __str__(self):
        return f"{self.place}: {self.rule}{' (marked)' if self.excused else ''}"


# ---- how kinds read (`x-field`), from JSON and from the text of a query or path -------------------

def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def char(value):
    """Text is trimmed, numbers become text."""
    return str(value).strip() if isinstance(value, str) or is_number(value) else REFUSED


def address(value):
    return value.strip() if isinstance(value, str) else REFUSED


def boolean(value):
    words = {word: truth for truth, all_words in ((True, "t y yes true on 1"), (False, "f n no false off 0"))
             for word in all_words.split()}
    if isinstance(value, str):
        return words.get(value.lower(), REFUSED)
    return bool(value) if is_number(value) and value in (0, 1) else REFUSED


def integer(value):
    """Digits as text; a number, or its text, with nothing but zeros behind the point."""
    text = re.sub(r"\.0*$", "", str(value)) if isinstance(value, str) or is_number(value) else ""
    try:
        return int(text)
    except ValueError:
        return REFUSED


def pk(value):
    try:
        return int(value) if isinstance(value, str) and value else value if value == "" else REFUSED
    except ValueError:
        return REFUSED


def pk_uuid(value):
    """Every spelling of a UUID: without hyphens, in braces, as a URN."""
    if value == "":
        return ""
    try:
        return str(uuid.UUID(value)) if isinstance(value, str) else REFUSED
    except ValueError:
        return REFUSED


def moment(value):
    """ISO 8601 with minutes and no zone too (then it is UTC); seconds, fraction and zone as far as they are there."""
    form = r"\s*(\d{4})-(\d\d?)-(\d\d?)[T ](\d\d?):(\d\d)(?::(\d\d)(?:[.,]\d+)?)?\s*(Z|[+-]\d\d(?::?\d\d)?)?\s*"
    found = re.fullmatch(form, value) if isinstance(value, str) else None
    if not found:
        return REFUSED
    try:
        return datetime(*(int(part or 0) for part in found.groups()[:6])).isoformat() + "Z"
    except ValueError:
        return REFUSED


def url(value):
    """Where an application starts: its rule is its own, with placeholders, and without the dots that others ask for."""
    text = char(value)
    if text is REFUSED or text in ("", "blank://blank"):
        return text
    letter = r"(?:[a-zA-Z0-9\u00a1-\U0010ffff]|%\(\w+\)s)"
    label = rf"{letter}(?:(?:{letter}|-)*{letter})?"
    form = (r"(?i:https?|ftp)://(?:[^\s:@/?#\\]+(?::[^\s:@/?#\\]*)?@)?"
            rf"(?:\[[0-9a-fA-F:.]+\]|{label}(?:\.{label})*)(?::\d{{1,5}})?(?:[/?#][^\s\0]*)?")
    return text if re.fullmatch(form, text) and len(text) <= 2048 else REFUSED


def as_it_is(value):
    return REFUSED


READ = {
    "char": char, "slug": char, "email": address, "url": url, "boolean": boolean, "integer": integer, "pk": pk, "pk-uuid": pk_uuid,
    "uuid": pk_uuid, "datetime": moment, "pk-name": as_it_is, "pk-username": as_it_is, "text": as_it_is,
    "duration-text": char, "ip": address, "natural": integer, "json": as_it_is, "list": as_it_is,
    "expression": char, "choice": as_it_is, "multichoice": as_it_is, "dict": as_it_is, "boolean-word": as_it_is,
}


def trimmed(value):
    return value.strip() if isinstance(value, str) else REFUSED


def naive_moment(value):
    """As RFC 3339 has it, or without an offset, in UTC: SailPoint's Python client writes such (sailpoint-pat §10)."""
    form = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?"
    return moment(value) if isinstance(value, str) and re.fullmatch(form, value, re.ASCII) else REFUSED


@dataclass(frozen=True)
class Dialect:
    """How the documents of one kind are read."""
    read: dict
    # Whether an empty value in a query counts as none, and of several the last counts.
    loose_query: bool = False
    # Whether one parameter may be there several times, when it says the same.
    repeated: bool = False
    # Whether `x-opaque` means that the schema does not hold.
    opaque: bool = False


DIALECTS = {
    "v3": Dialect(READ, loose_query=True, repeated=True, opaque=True),
    "beta": Dialect({"char": trimmed, "datetime": naive_moment}, repeated=True),
    # RFC 6749 §3.2.
    "oauth": Dialect({}),
}
# Keys that may be null are so when they are empty text.
EMPTY_IS_NULL = {"pk", "pk-uuid"}
# Meanings of absence (`x-absent`) that are not a refusal.
ABSENCE_ACCEPTED = {"unusable-password"}


# ---- what a schema forbids -----------------------------------------------------------------------

TYPES = {
    "string": lambda v: isinstance(v, str), "boolean": lambda v: isinstance(v, bool), "number": is_number,
    "integer": lambda v: is_number(v) and (isinstance(v, int) or v.is_integer()),
    "array": lambda v: isinstance(v, list), "object": lambda v: isinstance(v, dict),
}


def is_uuid(text):
    return bool(re.fullmatch(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", text))


def is_moment(text):
    form = r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)"
    return bool(re.fullmatch(form, text, re.ASCII)) and moment(text.upper()) is not REFUSED


def is_uri(text):
    """RFC 3986, §3."""
    c, p = (rf"(?:[A-Za-z0-9\-._~!$&'()*+,;={more}]|%[0-9A-Fa-f]{{2}})" for more in ("", ":@"))
    authority = rf"//(?:(?:{c}|:)*@)?(?:\[[0-9A-Fa-f:.]+\]|{c}*)(?::[0-9]*)?(?:/{p}*)*"
    return bool(re.fullmatch(rf"[A-Za-z][A-Za-z0-9+.\-]*:(?:{authority}|/?(?:{p}+(?:/{p}*)*)?)(?:\?(?:{p}|[/?])*)?(?:#(?:{p}|[/?])*)?", text))


def is_email(text):
    # Only what every reading of the format refuses: whether an odd address is one is not for this suite to say.
    return bool(re.fullmatch(r"\S+@\S+", text))


FORMATS = {"uuid": is_uuid, "date-time": is_moment, "email": is_email, "uri": is_uri}


class Document:
    def __init__(self, raw, dialect="v3"):
        self.raw, self.dialect = raw, DIALECTS[dialect]

    def resolve(self, node):
        while "$ref" in node:
            target = self.raw
            for part in node["$ref"].removeprefix("#/").split("/"):
                target = target[part.replace("~1", "/").replace("~0", "~")]
            node = target
        return node

    def flat(self, schema):
        """A schema with its `$ref` and `allOf` put in."""
        schema = self.resolve(schema)
        merged = {key: value for key, value in schema.items() if key != "allOf"}
        for part in schema.get("allOf", []):
            merged = self.flat(part) | merged
        if unknown := {key for key in merged if not key.startswith("x-")} - UNDERSTOOD - REMARKS:
            raise AssertionError(f"tests/contract/accepted.py does not know {', '.join(sorted(unknown))}")
        return merged

    def faults(self, schema, value):
        """The rules that one value breaks, without what is inside of it."""
        if value is None:
            return [] if schema.get("nullable") or "type" not in schema else ["null"]
        if "type" in schema and not TYPES[schema["type"]](value):
            return [f"not {schema['type']}"]
        found = []
        if "enum" in schema and value not in schema["enum"]:
            found.append("enum")
        if isinstance(value, str):
            checks = {
                "minLength": lambda least: len(value) >= least, "maxLength": lambda most: len(value) <= most,
                "pattern": lambda form: re.search(form.replace("$", r"\Z"), value),
                "format": lambda name: FORMATS.get(name, lambda _: True)(value),
            }
        elif is_number(value):
            checks = {"minimum": lambda least: value >= least, "maximum": lambda most: value <= most}
        elif isinstance(value, list):
            different = {json.dumps(item, sort_keys=True) for item in value}
            checks = {
                "minItems": lambda least: len(value) >= least, "maxItems": lambda most: len(value) <= most,
                "uniqueItems": lambda wanted: not wanted or len(different) == len(value),
            }
        else:
            checks = {}
        return found + [rule for rule, holds in checks.items() if rule in schema and not holds(schema[rule])]

    def excused(self, schema, kind, value):
        """Whether a value that breaks its schema is one that its kind reads as a good one."""
        if kind not in self.dialect.read:
            return False
        read = self.dialect.read[kind](value)
        if read is REFUSED:
            return False
        if read == "" and kind in EMPTY_IS_NULL:
            return bool(schema.get("nullable"))
        # An address that may be empty says so by having no least length; the format alone would forbid it.
        if read == "" and kind == "email":
            return "minLength" not in schema
        # Instead of the format, which is of whole addresses: what was read may be a pattern of one, or empty.
        if kind == "url":
            schema = {key: rule for key, rule in schema.items() if key != "format"}
        return not self.faults(schema, read)

    def value(self, schema, value, place, kind=None):
        """Every `Broken` place in a JSON value."""
        if self.dialect.opaque and self.resolve(schema).get("x-opaque"):
            return [Broken(place, "opaque", isinstance(value, dict))]
        schema = self.flat(schema)
        kind = kind or schema.get("x-field")
        absent = value is None and schema.get("x-absent") in ABSENCE_ACCEPTED
        found = [Broken(place, rule, absent or self.excused(schema, kind, value)) for rule in self.faults(schema, value)]
        if found:
            return found
        if isinstance(value, list) and "items" in schema:
            for number, item in enumerate(value):
                found += self.value(schema["items"], item, f"{place}[{number}]", schema.get("x-items"))
        elif isinstance(value, dict):
            properties = schema.get("properties", {})
            for name in schema.get("required", []):
                if name not in value:
                    meaning = self.flat(properties[name]).get("x-absent")
                    found.append(Broken(f"{place}.{name}", "missing", meaning in ABSENCE_ACCEPTED))
            for name, item in value.items():
                # Unknown names are ignored, and no schema of a request forbids them.
                if name in properties:
                    found += self.value(properties[name], item, f"{place}.{name}")
        return found

    def text(self, parameter, values):
        """Every `Broken` place in the texts given for one parameter of a query or path."""
        schema, kind = self.flat(parameter["schema"]), parameter.get("x-field")
        place, ignored = f"{parameter['in']} {parameter['name']}", parameter.get("x-lenient") == "ignore"
        many, repeated = schema.get("type") == "array", parameter.get("explode", True)
        repeated_badly = len(set(values)) > 1 or (len(values) > 1 and not self.dialect.repeated)
        if parameter["in"] == "query" and not self.dialect.loose_query and repeated_badly:
            return [Broken(place, "repeated", False)]
        if parameter["in"] == "query" and self.dialect.loose_query:
            # Empty values count as absent; of a repeated name the last counts.
            values = [v for v in values if v] if many and repeated else [v for v in values[-1:] if v]
        if many and not repeated:
            values = [item for value in values for item in value.split(",")]
        if many:
            schema, kind = self.flat(schema["items"]), parameter.get("x-items", kind)
        found = []
        for value in values:
            # On the wire all is text, so a number or truth value is judged as what the text spells.
            spelled = {"integer": integer, "number": integer, "boolean": boolean}.get(schema.get("type"), lambda text: text)(value)
            rules = self.faults(schema, value if spelled is REFUSED else spelled)
            # `last` is the one word among page numbers (its description says so).
            word = parameter["name"] == "page" and value == "last"
            found += [Broken(place, rule, ignored or word or self.excused(schema, kind, value)) for rule in rules]
        return found

    def form(self, schema, fields):
        """Every `Broken` place in a form, as pairs of names and texts; all that is declared there is text."""
        found = []
        for name, declared in self.flat(schema)["properties"].items():
            values = [value for given, value in fields if given == name]
            if len(values) > 1:
                found.append(Broken(f"body.{name}", "repeated", False))
            for value in values:
                found += self.value(declared, value, f"body.{name}")
        return found

    def body(self, operation, media_type, body):
        """Every `Broken` place in a body, bytes or None."""
        contents = self.resolve(operation["requestBody"])["content"]
        kind = media_type.partition(";")[0].strip().lower()
        if kind == "application/x-www-form-urlencoded" and kind in contents:
            return self.form(contents[kind]["schema"], parse_qsl((body or b"").decode(errors="replace"), keep_blank_values=True))
        if kind == "multipart/form-data" and kind in contents:
            return self.form(contents[kind]["schema"], parts(media_type, body or b""))
        # Without a body there need be no type, and no body at all counts as an empty object.
        schema = next((content["schema"] for name, content in contents.items() if name.endswith("json")), None)
        if schema is None:
            return [Broken("body", "media type", False)] if body else []
        return self.value(schema, json.loads(body) if body else {}, "body")

    def judge(self, path, method, request_path, query, body, media_type=""):
        """Every `Broken` place of a request. `path` is the template, `body` bytes or None."""
        item = self.raw["paths"][path]
        operation = item[method.lower()]
        parameters = [self.resolve(p) for p in item.get("parameters", []) + operation.get("parameters", [])]
        given = {}
        for name, value in parse_qsl(query, keep_blank_values=True, errors="replace"):
            given.setdefault(name, []).append(value)
        # What stands where the template has names; what comes before is the base path.
        form = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>.*)", re.escape(path))
        if found := re.search(form + r"\Z", request_path):
            in_path = {name: unquote(value, errors="replace") for name, value in found.groupdict().items()}
        else:
            return [Broken("path", "another path", False)]
        broken = []
        for parameter in parameters:
            if parameter["in"] == "query":
                broken += self.text(parameter, given.get(parameter["name"], []))
            elif parameter["in"] == "path":
                broken += self.text(parameter, [in_path[parameter["name"]]])
        if "requestBody" in operation:
            broken += self.body(operation, media_type, body)
        return broken

    def has_free_property(self, schema):
        """Whether a property of such values, or of their items, may hold anything."""
        if self.dialect.opaque and self.resolve(schema).get("x-opaque"):
            return True
        schema = self.flat(schema)
        inside = [schema["items"]] if "items" in schema else []
        for declared in schema.get("properties", {}).values():
            declared = self.flat(declared)
            if not UNDERSTOOD & set(declared):
                return True
            if not self.dialect.opaque and "items" in declared:
                inside.append(declared["items"])
        return any(map(self.has_free_property, inside))


def parts(media_type, body):
    """A multipart form as pairs of names and texts."""
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(f"Content-Type: {media_type}\r\n\r\n".encode() + body)
    return [(part.get_param("name", header="content-disposition"), (part.get_payload(decode=True) or b"").decode(errors="replace"))
            for part in message.iter_parts()]


def may_lose_its_fault(document, path, method, dialect="v3"):
    """Whether a body can be bad as generated and good as sent: in a form all is text, and a property that may hold
    anything is good whatever is in it."""
    document = Document(document, dialect)
    contents = document.resolve(document.raw["paths"][path][method.lower()]["requestBody"])["content"]
    return any(not name.endswith("json") or document.has_free_property(content["schema"]) for name, content in contents.items())


def judge(document, path, method, url, body, media_type="", dialect="v3"):
    sent = urlsplit(url)
    return Document(document, dialect).judge(path, method, sent.path, sent.query, body, media_type)
