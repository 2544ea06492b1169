#!/usr/bin/env python3
"""Writes `generated/` from `api/` and `schemas/`; run it as `just generate`.

    generate.py            lint, bundle, generate, record what belongs together
    generate.py --check    the same into a scratch folder, then compare with what is committed
    generate.py --lint     only lint the documents

It installs its own pinned tools (`requirements.txt`, `package-lock.json`) into a cache outside the
repository, so that nothing but Python 3 and Node.js with npm has to be there.
"""
import argparse, hashlib, json, os, re, shutil, subprocess, sys, tempfile, venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
# What a time becomes in each document's types: dialects write different numbers of decimals.
DOCUMENTS = {"v3": "rt::Micros", "beta": "rt::Millis", "oauth": "rt::Millis"}
SOURCES = ["api", "schemas"]
# Not part of what the output depends on: the runtime crate is ordinary Rust.
NOT_SOURCES = ["api/generator/runtime/", "api/generator/node_modules/"]


def run(*command, **options):
    done = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{done.stdout}")
    return done.stdout


def tools():
    """Installs the pinned tools once per set of versions; returns (generator, redocly)."""
    pins = b"".join((HERE / f).read_bytes() for f in ("requirements.txt", "package.json", "package-lock.json"))
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    home = cache / "tessera" / ("generator-" + hashlib.sha256(pins).hexdigest()[:16])
    if not (home / "ready").exists():
        print("installing the generator's tools (once)")
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        venv.create(home / "venv", with_pip=True)
        run(home / "venv/bin/pip", "install", "--quiet", "--disable-pip-version-check", "-r", HERE / "requirements.txt")
        for name in ("package.json", "package-lock.json", ".npmrc"):
            shutil.copy(HERE / name, home)
        run("npm", "ci", cwd=home)
        (home / "ready").touch()
    return home / "venv/bin/openapi-generator-cli", home / "node_modules/.bin/redocly"


# ---- the copy that the generator reads -----------------------------------------------------------

def camel(kind):
    return "".join(part.capitalize() for part in kind.split("-"))


class Prepared:
    """The bundled document, said the way the generator understands it."""

    def __init__(self, name, document):
        self.name = name
        self.d = document
        self.schemas = document["components"]["schemas"]

    def resolve(self, schema):
        """Follows `$ref` and one-element `allOf`."""
        while True:
            if "$ref" in schema:
                schema = self.schemas[schema["$ref"].rsplit("/", 1)[1]]
            elif len(schema.get("allOf", [])) == 1:
                schema = schema["allOf"][0]
            else:
                return schema

    def reachable(self, node, found):
        if isinstance(node, dict):
            if "$ref" in node and "/schemas/" in node["$ref"]:
                name = node["$ref"].rsplit("/", 1)[1]
                if name not in found:
                    found.add(name)
                    self.reachable(self.schemas[name], found)
            for value in node.values():
                self.reachable(value, found)
        elif isinstance(node, list):
            for value in node:
                self.reachable(value, found)

    def kind(self, where, outer, schema):
        """The extensions that the template `field` prints, on `outer`."""
        target = self.resolve(schema)
        named = outer.get("x-field") or {"boolean": "boolean", "integer": "integer", "number": "number", "array": "list"}.get(target.get("type"))
        if not named:
            sys.exit(f"{where}: x-field is missing, so nobody knows how to read it")
        outer["x-kind"] = camel(named)
        if outer.get("x-items"):
            outer["x-item-kind"] = camel(outer["x-items"])
        values = target.get("enum") or self.resolve(target.get("items", {})).get("enum")
        if values:
            outer["x-choices"] = values
        if outer.get("x-lenient") == "ignore":
            outer["x-ignore-bad"] = True

    def operation(self, path, method, op):
        where = f"{method.upper()} {path}"
        for needed in ("x-resource", "x-access", "security", "operationId"):
            if needed not in op:
                sys.exit(f"{where}: {needed} is missing")
        op["tags"], op["x-document"] = [op["x-resource"]], self.name
        access = op["x-access"]
        if isinstance(access, list):
            op["x-access-variant"], op["x-access-codes"] = "Codes", access
        else:
            op["x-access-variant"] = camel(access)
        # The generator loses alternatives, `{}` first of all.
        op["x-anonymous"] = {} in op["security"]
        schemes = [requirement for requirement in op.pop("security") if requirement]
        if any(len(requirement) > 1 for requirement in schemes):
            sys.exit(f"{where}: nobody said how to check two schemes at once")
        op["x-security"] = [{"scheme": scheme, "scopes": scopes} for r in schemes for scheme, scopes in r.items()]
        # It makes parameters of a form's fields; to us a body is one model, whatever it is written in.
        if content := op.get("requestBody", {}).get("content"):
            op["x-consumes"] = list(content)
            op["requestBody"]["content"] = {"application/json": next(iter(content.values()))}
        # Errors are the dialect's; headers are the gate's, but for where a redirect goes.
        op["responses"] = {code: r for code, r in op["responses"].items() if code[0] in "23"}
        for response in op["responses"].values():
            response.pop("headers", None)
        for parameter in op.get("parameters", []):
            if parameter["in"] != "query":
                continue
            # A page is a number or the word `last`; `list` reads it. `x-raw` leaves a value to the handler too:
            # where the original reads it by hand, the texts are not those of its kind.
            if parameter["name"] in ("page", "page_size") or parameter.get("x-raw"):
                parameter["schema"], parameter["x-field"] = {"type": "string"}, "text"
            self.kind(f"{where} {parameter['name']}", parameter, parameter["schema"])
            if parameter.get("x-check") == "literal-true":
                parameter["x-kind"] = "LiteralTrue"
            parameter["schema"].pop("default", None)

    def is_opaque(self, schema):
        return bool(self.resolve(schema).get("x-opaque"))

    def opaque(self, node):
        """References to schemas marked `x-opaque`, such as unions, become free-form objects."""
        if isinstance(node, dict):
            for key, value in node.items():
                if isinstance(value, dict) and "/schemas/" in value.get("$ref", "") and self.is_opaque(value):
                    node[key] = {"type": "object"}
                else:
                    self.opaque(value)
        elif isinstance(node, list):
            for value in node:
                self.opaque(value)

    def run(self):
        d = self.d
        requests, responses = set(), set()
        for path, item in d["paths"].items():
            shared, servers = item.pop("parameters", []), item.pop("servers", None)
            for op in item.values():
                op.setdefault("parameters", []).extend(shared)
                if servers:
                    op["x-own-bases"] = True
                    op["x-bases"] = [server["url"].rstrip("/") for server in servers]
            for method, op in item.items():
                for i, parameter in enumerate(op.get("parameters", [])):
                    if "$ref" in parameter:
                        parameter = d["components"]["parameters"][parameter["$ref"].rsplit("/", 1)[1]]
                    op["parameters"][i] = json.loads(json.dumps(parameter))
                self.operation(path, method, op)
                self.reachable(op.get("requestBody"), requests)
                self.reachable(op["responses"], responses)
                # Such a body comes as it was sent, even when it is no object.
                if any(self.is_opaque(media["schema"]) for media in op.get("requestBody", {}).get("content", {}).values()):
                    op["x-opaque-body"] = True
        # Only now: what a union is made of has been found, and has models of its own.
        self.opaque(d["paths"])
        for schema in self.schemas.values():
            if not schema.get("x-opaque"):
                self.opaque(schema)
        d["components"] = {k: v for k, v in d["components"].items() if k in ("schemas", "securitySchemes")}
        for name in list(self.schemas):
            schema = self.schemas[name]
            if name not in requests | responses or schema.get("x-opaque"):
                del self.schemas[name]
                continue
            properties = schema.get("properties")
            if not properties:
                continue
            if name in requests:
                schema["x-request"] = True
                schema.pop("additionalProperties", None)  # whoever wants more than the properties reads the body as it is
                for key, prop in properties.items():
                    if "x-absent" in prop:  # clients must send it, and the handler knows what else to do
                        schema["required"].remove(key)
                        prop["nullable"] = True
                for key, prop in properties.items():
                    self.kind(f"{name}.{key}", prop, prop)
                    prop.pop("default", None)
                    prop["x-incoming"] = True
            else:
                # What comes beside the properties goes into one more field, which the template adds.
                if schema.pop("additionalProperties", False) is not False:
                    schema["x-extra"] = True
                # We always send every property, but for those marked.
                schema["required"] = [k for k, p in properties.items() if not p.get("x-sometimes")]
                for prop in properties.values():
                    if prop.pop("x-integral", None):
                        prop.update(type="integer", format="int64")
        self.untyped(d)
        return d

    def untyped(self, node):
        """`additionalProperties: {}` alone means a free-form object."""
        if isinstance(node, dict):
            if node.get("additionalProperties") == {} and "properties" not in node:
                del node["additionalProperties"]
            for value in node.values():
                self.untyped(value)
        elif isinstance(node, list):
            for value in node:
                self.untyped(value)


# ---- steps ---------------------------------------------------------------------------------------

def lint(redocly):
    for name in DOCUMENTS:
        print(run(redocly, "lint", f"api/{name}.yaml", "--config", "api/redocly.yaml", cwd=ROOT).strip().splitlines()[-1])


LIB = '''// @generated from api/ by `just generate`. Do not edit.
//! The contract as Rust: types and traits of every document in `api/`, and the bundled documents.
#![allow(non_snake_case, reason = "names are the documents' own")]

{modules}
/// Where the generator expects free-form objects.
pub mod types {{
    pub use tessera_api_runtime::Object;
}}

/// The documents as they are served.
pub mod openapi {{
{constants}
    /// Their names.
    pub const NAMES: &[&str] = &[{names}];

    /// A document by its name, as JSON or else as YAML.
    #[must_use]
    pub fn document(name: &str, json: bool) -> Option<&'static str> {{
        match (name, json) {{
{arms}            _ => None,
        }}
    }}
}}
'''


def generate(out, generator, redocly):
    shutil.rmtree(out / "src", ignore_errors=True)
    shutil.rmtree(out / "openapi", ignore_errors=True)
    (out / "openapi").mkdir(parents=True)
    modules, constants, arms = "", "", ""
    for name, times in DOCUMENTS.items():
        yaml, bundled = out / f"openapi/{name}.yaml", out / f"openapi/{name}.json"
        run(redocly, "bundle", f"api/{name}.yaml", "--config", "api/redocly.yaml", "-o", yaml, cwd=ROOT)
        run(redocly, "bundle", f"api/{name}.yaml", "--config", "api/redocly.yaml", "-o", bundled, cwd=ROOT)
        document = json.loads(bundled.read_text())
        # Served thousands of times, read by people in YAML: no white space in the JSON.
        bundled.write_text(json.dumps(document, separators=(",", ":"), ensure_ascii=False) + "\n")
        with tempfile.TemporaryDirectory() as scratch:
            scratch = Path(scratch)
            bases = ", ".join(json.dumps(server["url"].rstrip("/")) for server in document["servers"])
            (scratch / "document.json").write_text(json.dumps(Prepared(name, document).run()))
            run(generator, "generate", "-c", HERE / "gen.yaml", "-i", scratch / "document.json",
                "-t", HERE / "templates", "-o", scratch / "out", f"--type-mappings=DateTime={times}")
            target = out / "src" / name
            target.mkdir(parents=True)
            shutil.copytree(scratch / "out/src/apis", target / "apis")
            shutil.copy(scratch / "out/src/models.rs", target / "models.rs")
        (target / "mod.rs").write_text("// @generated from api/ by `just generate`. Do not edit.\n"
                                       f"//! `api/{name}.yaml`.\npub mod apis;\npub mod models;\n\n"
                                       "/// Where the document is mounted (its `servers`).\n"
                                       f"pub const BASES: &[&str] = &[{bases}];\n")
        modules += f"pub mod {name};\n"
        for ending in ("yaml", "json"):
            constants += (f"    /// `api/{name}.yaml`, bundled, as {ending.upper()}.\n"
                          f"    pub const {name.upper()}_{ending.upper()}: &str = include_str!(\"../openapi/{name}.{ending}\");\n")
            arms += f"            (\"{name}\", {str(ending == 'json').lower()}) => Some({name.upper()}_{ending.upper()}),\n"
    (out / "src/lib.rs").write_text(LIB.format(modules=modules, constants=constants, arms=arms, names=", ".join(map(json.dumps, DOCUMENTS))))
    run("rustfmt", "--edition", "2024", "--config-path", ROOT, out / "src/lib.rs", cwd=ROOT)


def digest(base, roots):
    """The same sum as in build.rs: names, lengths and bytes, line endings aside."""
    files = sorted(f for r in roots for f in ([base / r] if (base / r).is_file() else (base / r).rglob("*")) if f.is_file())
    sum_ = hashlib.sha256()
    for f in files:
        name = f.relative_to(base).as_posix()
        if any(name.startswith(skip) for skip in NOT_SOURCES) or "__pycache__" in name:
            continue
        body = f.read_bytes().replace(b"\r", b"")
        sum_.update(f"{name}\0{len(body)}\0".encode() + body)
    return sum_.hexdigest()


def record(out):
    (out / "digest").write_text(f"sources {digest(ROOT, SOURCES)}\noutput {digest(out, ['src', 'openapi'])}\n")


def main():
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--check", action="store_true")
    ask.add_argument("--lint", action="store_true")
    asked = ask.parse_args()
    generator, redocly = tools()
    lint(redocly)
    if asked.lint:
        return
    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch)
        generate(scratch, generator, redocly)
        record(scratch)
        if not asked.check:
            # Only now: what is there stays until all of the new output is.
            for part in ("src", "openapi"):
                shutil.rmtree(ROOT / "generated" / part, ignore_errors=True)
                shutil.copytree(scratch / part, ROOT / "generated" / part)
            shutil.copy(scratch / "digest", ROOT / "generated")
            return
        for part in ("src", "openapi", "digest"):
            done = subprocess.run(["diff", "-r", "-q", ROOT / "generated" / part, scratch / part])
            if done.returncode:
                sys.exit("generated/ is not what the documents give: run `just generate` and commit the result")
    print("generated/ is what the documents give")


if __name__ == "__main__":
    main()
