#!/usr/bin/env python3
"""Drive an authentik-compatible API and record every exchange as JSON lines.

  drive.py --base http://127.0.0.1:9000 --token TOKEN [--out out] [--only general,tokens] [--tag rec]

Each line: case (stable key used by compare.py), family, method, path, auth, request, status,
headers, body.  All state is made through the API; the script deletes what it makes.
A step whose precondition failed is written as {"case":..., "skipped": reason}.
"""
import argparse, json, os, re, sqlite3, time, traceback
import requests

KEEP = ["content-type", "allow", "www-authenticate", "location", "cache-control", "pragma", "vary",
        "x-frame-options", "x-content-type-options", "referrer-policy", "content-length", "retry-after",
        "access-control-allow-origin", "access-control-allow-credentials", "access-control-allow-methods",
        "access-control-allow-headers", "access-control-expose-headers", "set-cookie", "server",
        "x-authentik-id", "x-powered-by", "content-language", "deprecation", "x-authentik-prevent-basic"]
OMIT = object()
ZERO = "00000000-0000-0000-0000-000000000000"
API = "/api/v3"


def stable(q):
    """Query string with ids and times replaced, so that the case key is the same on every server."""
    q = re.sub(r"20\d\d-\d\d-\d\dT[\d:]+Z", "TIME", q.replace(ZERO, "ZERO"))
    q = re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22,}", "ID", q)
    return re.sub(r"\b(user|for_user|members_by_pk|provider|session__user)=(?!99999999)\d+", r"\1=PK", q)


class Rec:
    def __init__(self, a):
        self.a, self.base, self.tag = a, a.base.rstrip("/"), a.tag
        self.s = requests.Session()
        self.tokens = {"admin": a.token, "wrong": "this-token-does-not-exist"}
        self.fam, self.f, self.seen, self.count, self.per = None, None, set(), 0, {}

    def family(self, name):
        if self.f:
            self.f.close()
        self.fam = name
        self.f = open(os.path.join(self.a.out, name + ".jsonl"), "w")

    def skip(self, case, why):
        self.f.write(json.dumps({"case": f"{self.fam}.{case}", "family": self.fam, "skipped": why}) + "\n")

    def raw(self, method, path, auth="admin", **kw):
        """Unrecorded call (fixtures, clean-up)."""
        h = kw.pop("headers", {})
        if auth in self.tokens:
            h = {**h, "Authorization": "Bearer " + self.tokens[auth]}
        return requests.request(method, self.base + path, headers=h, allow_redirects=False, timeout=60, **kw)

    def call(self, case, method, path, auth="admin", body=OMIT, form=None, raw=None, ctype=None,
             headers=None, note=None, session=None, files=None):
        case = re.sub(r"\b%s\b" % re.escape(self.tag), "TAG", case)
        key = f"{self.fam}.{case}"
        if key in self.seen:
            raise SystemExit("duplicate case " + key)
        self.seen.add(key)
        h = dict(headers or {})
        if isinstance(auth, str) and auth.startswith("hdr:"):
            h["Authorization"] = auth[4:]
        elif auth in self.tokens:
            h["Authorization"] = "Bearer " + self.tokens[auth]
        elif auth not in ("none", None):
            self.skip(case, f"no credential '{auth}'")
            return None
        data, req = None, None
        if raw is not None:
            data, req = raw, {"raw": raw if isinstance(raw, str) else raw.decode("latin1")}
            if ctype:
                h["Content-Type"] = ctype
        elif body is not OMIT:
            data, req = json.dumps(body).encode(), {"json": body}
            h["Content-Type"] = ctype or "application/json"
        elif form is not None:
            data, req = form, {"form": form}
        elif files is not None:
            req = {"multipart": {k: [v[0], len(v[1])] if isinstance(v, tuple) else v for k, v in files.items()}}
        cl = session or requests
        t0 = time.time()
        try:
            r = cl.request(method, self.base + path, headers=h, data=data, files=files,
                           allow_redirects=False, timeout=60)
        except requests.RequestException as exc:
            self.skip(case, f"transport: {exc!r}"[:300])
            return None
        out = {}
        for k in KEEP:
            if k in r.headers:
                out[k] = r.headers[k]
        if "set-cookie" in out:
            out["set-cookie"] = [re.sub(r"(authentik_\w+=)[^;]+", r"\1...", c) for c in r.raw.headers.getlist("set-cookie")]
        ct = r.headers.get("content-type", "")
        if "json" in ct:
            try:
                b = r.json()
            except ValueError:
                b = {"__text__": r.text[:2000]}
        elif "html" in ct:
            t = re.search(r"<title>(.*?)</title>", r.text, re.S)
            h1 = re.findall(r"<h1[^>]*>(.*?)</h1>", r.text, re.S)
            msg = re.findall(r"<p[^>]*>(.*?)</p>", r.text, re.S)[:4]
            sq = lambda x: re.sub(r"\s+", " ", x).strip()
            b = {"__html__": {"title": sq(t.group(1)) if t else None, "h1": [sq(x) for x in h1][:3],
                              "p": [sq(x) for x in msg], "length": len(r.text), "head": r.text[:160]}}
        else:
            b = {"__text__": r.text[:2000]} if r.text else None
        rec = {"case": key, "family": self.fam, "method": method, "path": path,
               "auth": auth if isinstance(auth, str) else None, "request": req,
               "request_headers": {k: v for k, v in h.items() if k != "Authorization" or str(auth).startswith("hdr:")},
               "status": r.status_code, "headers": out, "body": b, "ms": round((time.time() - t0) * 1000, 1), "tag": self.tag}
        if note:
            rec["note"] = note
        self.f.write(json.dumps(rec, ensure_ascii=True) + "\n")
        self.count += 1
        self.per[self.fam] = self.per.get(self.fam, 0) + 1
        return r

    # ---- batteries -------------------------------------------------------------------
    def auth_battery(self, pre, method, path, body=OMIT):
        for a in ["none", "wrong", "user", "expired_token", "expired_jwt", "jwt_api", "jwt_noscope",
                  "app_password", "inactive_user", "hdr:Basic YWRtaW46YWRtaW4=", "hdr:Bearer", "hdr:Bearer ",
                  "hdr:Token abc", "hdr:garbage", "hdr:bearer " + self.a.token, "hdr:Bearer  " + self.a.token,
                  "hdr:Bearer " + self.a.token + " x"]:
            nm = {"hdr:Basic YWRtaW46YWRtaW4=": "basic", "hdr:Bearer": "bearer_only", "hdr:Bearer ": "bearer_space",
                  "hdr:Token abc": "token_scheme", "hdr:garbage": "garbage",
                  "hdr:bearer " + self.a.token: "lowercase_bearer", "hdr:Bearer  " + self.a.token: "two_spaces",
                  "hdr:Bearer " + self.a.token + " x": "trailing_word"}.get(a, a)
            self.call(f"{pre}.auth.{nm}", method, path, auth=a, body=body)

    def list_battery(self, p, order="name", filters=(), light=False):
        c = self.call
        c("list.ok", "GET", p)
        qs = ["page_size=1", "page_size=1&page=1", "page=0", "page=-1", "page=99999", "page=abc", "page=last", "page=1.5", "page=",
              "page_size=0", "page_size=-1", "page_size=abc", "page_size=20", "page_size=100000", "page_size=", f"ordering={order}",
              f"ordering=-{order}", "ordering=nope", f"ordering=nope,{order}", "ordering=", "ordering=pk", f"ordering={order},-pk",
              "search=", "search=zz-no-such-thing", "search=%00", "search=a%20b", "unknown_param=1", "format=json", "format=xml",
              "page=1&page=2"]
        for q in qs:
            c("list.q." + q.replace("&", "+"), "GET", p + "?" + q)
        for q in filters:
            c("list.f." + stable(q).replace("&", "+")[:90], "GET", p + "?" + q)
        if light:
            for a in ["none", "wrong", "user", "expired_token"]:
                c(f"list.auth.{a}", "GET", p, auth=a)
        else:
            self.auth_battery("list", "GET", p)
        for m in ["PUT", "PATCH", "DELETE", "TRACE", "FOO"]:
            c(f"list.method.{m}", m, p, body={} if m in ("PUT", "PATCH") else OMIT)
        c("list.method.HEAD", "HEAD", p)
        c("list.method.OPTIONS", "OPTIONS", p)
        c("list.method.OPTIONS.noauth", "OPTIONS", p, auth="none")
        c("list.noslash", "GET", p.rstrip("/"))
        c("list.accept_html", "GET", p, headers={"Accept": "text/html"})
        c("list.accept_xml", "GET", p, headers={"Accept": "application/xml"})
        c("list.origin", "GET", p + "?page_size=1", headers={"Origin": "https://evil.example"})

    def body_battery(self, pre, method, p, auth="admin"):
        c = self.call
        c(f"{pre}.body.none", method, p)
        c(f"{pre}.body.empty_json_ct", method, p, raw="", ctype="application/json")
        c(f"{pre}.body.malformed", method, p, raw='{"name": ', ctype="application/json")
        c(f"{pre}.body.trailing_comma", method, p, raw='{"name": "x",}', ctype="application/json")
        c(f"{pre}.body.nan", method, p, raw='{"name": NaN}', ctype="application/json")
        c(f"{pre}.body.dupkeys", method, p, raw='{"name": 1, "name": 2}', ctype="application/json")
        c(f"{pre}.body.badutf8", method, p, raw=b'{"name": "\xff\xfe"}', ctype="application/json")
        c(f"{pre}.body.bom", method, p, raw=b'\xef\xbb\xbf{}', ctype="application/json")
        for n, v in [("array", []), ("array1", [{}]), ("string", "x"), ("number", 1), ("null", None), ("true", True), ("empty_object", {})]:
            c(f"{pre}.body.{n}", method, p, body=v)
        c(f"{pre}.body.form", method, p, form={"name": "x"})
        c(f"{pre}.body.text", method, p, raw="hello", ctype="text/plain")
        c(f"{pre}.body.xml", method, p, raw="<a/>", ctype="application/xml")
        c(f"{pre}.body.noct", method, p, raw=b'{"name": "x"}')
        c(f"{pre}.body.json_charset", method, p, raw='{}', ctype="application/json; charset=utf-8")
        c(f"{pre}.body.json_latin1", method, p, raw='{}', ctype="application/json; charset=latin-1")
        c(f"{pre}.body.multipart", method, p, files={"name": ("a.txt", b"x", "text/plain")})

    FAULTS = [("omit", OMIT), ("null", None), ("blank", ""), ("int", 42), ("float", 1.5), ("neg", -1), ("huge", 2 ** 70), ("big", 2 ** 40),
              ("str", "zz string!"), ("numstr", "7"), ("list", []), ("list_bad", ["zz-bad"]), ("list_zero", [ZERO]), ("dict", {}), ("dict1", {"a": 1}),
              ("true", True), ("boolstr", "true"), ("long", "x" * 5000), ("ws", "   "), ("nul", "a\x00b"), ("unicode", "\u00fcn\u00ef\u2713"),
              ("padded", "  zz-pad  "), ("uuid0", ZERO)]

    def create_faults(self, p, valid, fields, delete=None, only=None, pre="create"):
        for f in fields:
            for n, v in self.FAULTS:
                if only and n not in only:
                    continue
                b = valid()
                if v is OMIT:
                    if f not in b:
                        continue
                    b.pop(f)
                else:
                    b[f] = v
                r = self.call(f"{pre}.field.{f}.{n}", "POST", p, body=b)
                if r is not None and r.status_code in (200, 201) and delete:
                    try:
                        delete(r.json())
                    except Exception as exc:
                        print("cleanup", f, n, exc)

    def patch_faults(self, make, url, fields, delete, kinds=("null", "blank", "str", "dict", "long", "true")):
        for f in fields:
            for n, v in self.FAULTS:
                if n not in kinds:
                    continue
                o = make()
                if not o:
                    self.skip(f"patch.field.{f}.{n}", "fixture failed")
                    continue
                self.call(f"patch.field.{f}.{n}", "PATCH", url(o), body={f: v})
                delete(o)

    def detail_battery(self, path_ok, path_unknown, path_bad, light=False):
        c = self.call
        c("detail.ok", "GET", path_ok)
        c("detail.unknown", "GET", path_unknown)
        c("detail.malformed", "GET", path_bad)
        c("detail.noslash", "GET", path_ok.rstrip("/"))
        if light:
            for a in ["none", "wrong", "user", "expired_token"]:
                c(f"detail.auth.{a}", "GET", path_ok, auth=a)
        else:
            self.auth_battery("detail", "GET", path_ok)
        c("detail.unknown.user", "GET", path_unknown, auth="user")
        c("detail.unknown.none", "GET", path_unknown, auth="none")
        c("detail.method.POST", "POST", path_ok, body={})
        c("detail.method.HEAD", "HEAD", path_ok)
        c("detail.method.OPTIONS", "OPTIONS", path_ok)
        c("used_by.ok", "GET", path_ok + "used_by/")
        c("used_by.unknown", "GET", path_unknown + "used_by/")
        c("used_by.none", "GET", path_ok + "used_by/", auth="none")
        c("used_by.user", "GET", path_ok + "used_by/", auth="user")
        c("used_by.post", "POST", path_ok + "used_by/", body={})
        c("detail.unknown_action", "GET", path_ok + "nope/")
        c("delete.unknown", "DELETE", path_unknown)
        c("delete.malformed", "DELETE", path_bad)
        c("delete.none", "DELETE", path_ok, auth="none")
        c("delete.wrong", "DELETE", path_ok, auth="wrong")
        c("delete.user", "DELETE", path_ok, auth="user")


# ---------------------------------------------------------------------------------- fixtures
class Fix:
    """Look-ups and fixtures, made through the API."""

    def __init__(self, R):
        self.R, self.made = R, []
        j = lambda p: (lambda r: r.json() if r.status_code == 200 else {})(R.raw("GET", API + p))
        first = lambda p: ((j(p).get("results") or [{}])[0]).get("pk")
        self.me = (j("/core/users/me/").get("user") or {})
        self.flow_explicit = first("/flows/instances/?slug=default-provider-authorization-explicit-consent")
        self.flow_implicit = first("/flows/instances/?slug=default-provider-authorization-implicit-consent")
        self.flow_authn = first("/flows/instances/?slug=default-authentication-flow")
        self.cert = first("/crypto/certificatekeypairs/?has_key=true")
        scopes = j("/propertymappings/provider/scope/?page_size=100").get("results") or []
        self.scopes = {s["scope_name"]: s["pk"] for s in scopes}
        t = R.tag
        # non-superuser with an API token
        self.user = self.post("/core/users/", {"username": f"{t}-user", "name": "Plain User", "email": f"{t}-user@oracle.test"}, "/core/users/{pk}/")
        self.user2 = self.post("/core/users/", {"username": f"{t}-inactive", "name": "Inactive", "is_active": True}, "/core/users/{pk}/")
        self.tok_user = self.token(self.user, f"{t}-user-api", "user")
        self.tok_inact = self.token(self.user2, f"{t}-inactive-api", "inactive_user")
        if self.user2:
            R.raw("PATCH", f"{API}/core/users/{self.user2['pk']}/", json={"is_active": False})
        if self.user:
            r = R.raw("POST", API + "/core/tokens/", json={"identifier": f"{t}-user-apppw", "intent": "app_password", "user": self.user["pk"]})
            if r.status_code == 201:
                k = R.raw("GET", f"{API}/core/tokens/{t}-user-apppw/view_key/").json().get("key")
                R.tokens["app_password"] = k
                self.app_pw = k
        # expired API token: shrink the tenant's default token duration for a moment
        old = j("/admin/settings/").get("default_token_duration")
        if old:
            R.raw("PATCH", API + "/admin/settings/", json={"default_token_duration": "seconds=1"})
            self.token(self.user, f"{t}-expired-api", "expired_token")
            R.raw("PATCH", API + "/admin/settings/", json={"default_token_duration": old})
        elif R.a.sqlite and self.token(self.user, f"{t}-expired-api", "expired_token"):
            with sqlite3.connect(R.a.sqlite, timeout=10) as db:
                db.execute("UPDATE tokens SET expires = '2001-01-01T00:00:00+00:00' WHERE identifier = ?", [f"{t}-expired-api"])
        # an OAuth provider for JWTs
        self.client_id, self.client_secret = f"{t}-client", f"{t}-secret"
        props = [v for k, v in self.scopes.items() if k in ("openid", "email", "profile", "offline_access", "goauthentik.io/api")]
        self.provider = self.post("/providers/oauth2/", {
            "name": f"{t} provider", "authorization_flow": self.flow_explicit, "client_id": self.client_id, "client_secret": self.client_secret,
            "redirect_uris": "http://localhost:9999/cb\nhttps://app.example/.*", "property_mappings": props, "signing_key": self.cert,
            "access_token_validity": "minutes=10", "access_code_validity": "minutes=1", "refresh_token_validity": "days=30"}, "/providers/oauth2/{pk}/")
        self.app = self.provider and self.post("/core/applications/", {"name": f"{t} app", "slug": f"{t}-app", "provider": self.provider["pk"]}, "/core/applications/{slug}/")
        self.short = self.post("/providers/oauth2/", {
            "name": f"{t} short", "authorization_flow": self.flow_implicit, "client_id": f"{t}-short", "client_secret": f"{t}-secret",
            "redirect_uris": "http://localhost:9999/cb", "property_mappings": props, "access_token_validity": "seconds=1",
            "access_code_validity": "seconds=1", "refresh_token_validity": "seconds=1"}, "/providers/oauth2/{pk}/")
        self.short_app = self.short and self.post("/core/applications/", {"name": f"{t} short app", "slug": f"{t}-short-app", "provider": self.short["pk"]}, "/core/applications/{slug}/")
        cc = lambda cid, scope: R.raw("POST", "/application/o/token/", auth=None, data={
            "grant_type": "client_credentials", "client_id": cid, "client_secret": f"{t}-secret", "scope": scope})
        for name, cid, scope in [("jwt_api", self.client_id, "goauthentik.io/api"), ("jwt_noscope", self.client_id, "openid"), ("expired_jwt", f"{t}-short", "goauthentik.io/api")]:
            r = cc(cid, scope)
            if r.status_code == 200:
                R.tokens[name] = r.json()["access_token"]
        time.sleep(2.2)

    def post(self, path, body, undo):
        r = self.R.raw("POST", API + path, json=body)
        if r.status_code not in (200, 201):
            print(f"fixture {path} could not be made: {r.status_code}")
            return None
        o = r.json()
        self.made.append(undo.format(**o))
        return o

    def token(self, user, ident, label):
        if not user:
            return None
        o = self.post("/core/tokens/", {"identifier": ident, "intent": "api", "user": user["pk"]}, "/core/tokens/{identifier}/")
        if o:
            k = self.R.raw("GET", f"{API}/core/tokens/{ident}/view_key/")
            if k.status_code == 200:
                self.R.tokens[label] = k.json()["key"]
        return o

    def undo(self):
        for p in reversed(self.made):
            self.R.raw("DELETE", API + p)
        for o in self.R.raw("GET", API + f"/core/users/?search=ak-{self.R.tag}").json().get("results", []):
            self.R.raw("DELETE", f"{API}/core/users/{o['pk']}/")


def mk(R, path, valid, undo):
    """make/delete pair for an API collection"""
    def make():
        r = R.raw("POST", API + path, json=valid())
        return r.json() if r.status_code in (200, 201) else None
    def delete(o):
        R.raw("DELETE", API + undo.format(**o))
    return make, delete


# ---------------------------------------------------------------------------------- families
def fam_tokens(R, F):
    p, c, t = API + "/core/tokens/", R.call, R.tag
    soon = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 600))  # inside the default maximum lifetime (30 minutes)
    n = [0]
    def valid(**kw):
        n[0] += 1
        return {"identifier": f"{t}-tok-{n[0]}", "intent": "api", "description": "d", "expiring": True, **kw}
    make, dele = mk(R, "/core/tokens/", valid, "/core/tokens/{identifier}/")
    # create
    c("create.minimal", "POST", p, body={"identifier": f"{t}-tok-min"})
    c("create.duplicate", "POST", p, body={"identifier": f"{t}-tok-min"})
    c("create.duplicate_case", "POST", p, body={"identifier": f"{t}-TOK-min"})
    c("create.full", "POST", p, body={"identifier": f"{t}-tok-full", "intent": "app_password", "user": F.me.get("pk"), "description": "full one", "expires": soon, "expiring": False})
    c("create.other_user", "POST", p, body={"identifier": f"{t}-tok-other", "user": F.user["pk"]})
    c("create.unknown_user", "POST", p, body={"identifier": f"{t}-tok-x", "user": 99999999})
    for i in ["verification", "recovery", "api", "app_password", "API", "nope"]:
        r = c(f"create.intent.{i}", "POST", p, body={"identifier": f"{t}-tok-int-{i}", "intent": i})
    for nm, v in [("api_expires_ignored", {"intent": "api", "expires": "2030-01-01T00:00:00Z"}), ("app_far_expires", {"intent": "app_password", "expires": "2030-01-01T00:00:00Z"}),
                  ("app_past_expires", {"intent": "app_password", "expires": "2001-01-01T00:00:00Z"}), ("app_naive_expires", {"intent": "app_password", "expires": "2001-01-01T00:00:00"}),
                  ("app_offset_expires", {"intent": "app_password", "expires": "2001-01-01T00:00:00+05:30"}), ("app_micro_expires", {"intent": "app_password", "expires": "2001-01-01T00:00:00.123456Z"}),
                  ("app_date_only", {"intent": "app_password", "expires": "2001-01-01"}), ("app_bad_expires", {"intent": "app_password", "expires": "soon"}),
                  ("app_epoch", {"intent": "app_password", "expires": 1700000000}), ("app_null_expires", {"intent": "app_password", "expires": None}), ("api_null_expires", {"intent": "api", "expires": None}),
                  ("managed", {"managed": "goauthentik.io/x"}), ("key_ignored", {"key": "my-own-key"}), ("pk_ignored", {"pk": ZERO}), ("extra_ignored", {"zzz": 1})]:
        c(f"create.{nm}", "POST", p, body={"identifier": f"{t}-tok-{nm}", **v})
    for nm, ident in [("slug_ok", f"{t}-Ab_9-z"), ("space", "a b"), ("slash", "a/b"), ("dot", "a.b"), ("unicode", "\u00fc"), ("len255", "a" * 255), ("len256", "a" * 256), ("leading_dash", f"-{t}"), ("at", "a@b"), ("newline", "ab\n"), ("padded", f"  {t}-padded  ")]:
        r = c(f"create.identifier.{nm}", "POST", p, body={"identifier": ident})
        if r is not None and r.status_code == 201:
            R.raw("DELETE", p + r.json()["identifier"] + "/")
    R.create_faults(p, valid, ["identifier", "intent", "user", "description", "expires", "expiring", "managed"], dele)
    R.body_battery("create", "POST", p)
    R.auth_battery("create", "POST", p, body={"identifier": f"{t}-tok-auth"})
    c("create.user_for_other", "POST", p, auth="user", body={"identifier": f"{t}-tok-by-user", "user": F.me.get("pk"), "expiring": False})
    c("create.user_managed", "POST", p, auth="user", body={"identifier": f"{t}-tok-by-user2", "managed": "x"})
    R.list_battery(p, "identifier", [f"identifier={t}-tok-min", "identifier=nope", "intent=api", "intent=app_password", "intent=nope", "intent=", "user__username=akadmin", "user__username=nope",
                   "description=full one", "expiring=true", "expiring=false", "expiring=True", "expiring=1", "expiring=maybe", "expires=" + soon, "expires=garbage", "managed=x", "managed=",
                   f"search={t}-tok", "search=akadmin", "search=app_password", "user=1", "ordering=expires", "ordering=-expires", "ordering=user", "ordering=key", "ordering=user__username"])
    one = p + f"{t}-tok-min/"
    R.detail_battery(one, p + "no-such-token/", p + "a.b/")
    c("detail.others_token_as_user", "GET", one, auth="user")
    c("detail.own_token_as_user", "GET", p + f"{t}-user-api/", auth="user")
    c("list.as_user", "GET", p + "?ordering=identifier", auth="user")
    # view_key / set_key
    for who in ["admin", "user", "none", "wrong", "expired_token"]:
        c(f"view_key.{who}", "GET", one + "view_key/", auth=who)
        c(f"view_key.own.{who}", "GET", p + f"{t}-user-api/view_key/", auth=who)
        c(f"set_key.{who}", "POST", p + f"{t}-user-apppw/set_key/", auth=who, body={"key": F.app_pw if hasattr(F, "app_pw") else "k"})
    c("view_key.user_created", "GET", p + f"{t}-tok-by-user/view_key/", auth="user")
    c("view_key.unknown", "GET", p + "no-such-token/view_key/")
    c("view_key.unknown.user", "GET", p + "no-such-token/view_key/", auth="user")
    c("view_key.post", "POST", one + "view_key/", body={})
    c("view_key.expired", "GET", p + f"{t}-tok-app_past_expires/view_key/")
    sk = p + f"{t}-tok-full/set_key/"
    for nm, b in [("ok", {"key": "new-key-value"}), ("missing", {}), ("blank", {"key": ""}), ("null", {"key": None}), ("int", {"key": 5}), ("list", {"key": ["a"]}), ("dict", {"key": {"a": 1}}), ("long", {"key": "k" * 3000}), ("dup", {"key": F.R.tokens["admin"]}), ("true", {"key": True}), ("ws", {"key": "  "}), ("nul", {"key": "a\x00b"}), ("array", []), ("string", "abc")]:
        c(f"set_key.{nm}", "POST", sk, body=b)
        c(f"set_key.{nm}.readback", "GET", p + f"{t}-tok-full/view_key/")
    c("set_key.malformed", "POST", sk, raw="{", ctype="application/json")
    c("set_key.form", "POST", sk, form={"key": "x"})
    c("set_key.unknown", "POST", p + "no-such-token/set_key/", body={"key": "x"})
    c("set_key.get", "GET", sk)
    c("set_key.put", "PUT", sk, body={"key": "x"})
    # put / patch
    o = make()
    if o:
        u = p + o["identifier"] + "/"
        for nm, b in [("ok", {"identifier": o["identifier"], "description": "changed"}), ("missing_identifier", {"description": "x"}), ("intent_change", {"identifier": o["identifier"], "intent": "app_password"}),
                      ("bad_intent", {"identifier": o["identifier"], "intent": "recovery"}), ("user_change", {"identifier": o["identifier"], "user": F.user["pk"]}), ("same_user", {"identifier": o["identifier"], "user": F.me.get("pk")}),
                      ("dup_identifier", {"identifier": f"{t}-tok-full"}), ("bad_expires", {"identifier": o["identifier"], "expires": "x"}), ("unset_description", {"identifier": o["identifier"]}), ("expiring", {"identifier": o["identifier"], "expiring": False}),
                      ("managed", {"identifier": o["identifier"], "managed": "zz/put"}), ("managed_null", {"identifier": o["identifier"], "managed": None})]:
            c(f"put.{nm}", "PUT", u, body=b)
        for nm, b in [("empty", {}), ("description", {"description": "p"}), ("expiring", {"expiring": False}), ("expires_api", {"expires": "2030-01-01T00:00:00Z"}), ("intent", {"intent": "app_password"}), ("expires_app", {"intent": "app_password", "expires": soon}),
                      ("expires_app_implicit", {"expires": soon}), ("user", {"user": F.user["pk"]}), ("user_null", {"user": None}), ("pk", {"pk": ZERO}), ("identifier", {"identifier": f"{t}-tok-renamed"})]:
            c(f"patch.{nm}", "PATCH", u, body=b)
        c("patch.old_identifier", "GET", u)
        u = p + f"{t}-tok-renamed/"
        for m in ["PUT", "PATCH"]:
            R.body_battery(m.lower(), m, u)
            for a in ["none", "wrong", "user", "expired_token"]:
                c(f"{m.lower()}.auth.{a}", m, u, auth=a, body={"identifier": f"{t}-tok-renamed"})
            c(f"{m.lower()}.unknown", m, p + "no-such-token/", body={"identifier": "abc"})
        own = p + f"{t}-tok-by-user/"
        c("patch.own_as_user", "PATCH", own, auth="user", body={"description": "mine", "expiring": False})
        c("patch.own_user_change", "PATCH", own, auth="user", body={"user": F.me.get("pk")})
        c("delete.ok", "DELETE", u)
        c("delete.again", "DELETE", u)
        c("delete.own_as_user", "DELETE", own, auth="user")
    R.patch_faults(make, lambda o: p + o["identifier"] + "/", ["identifier", "intent", "user", "description", "expires", "expiring", "managed"], dele)
    # use a deleted token / an app_password / after set_key
    r = R.raw("POST", p, json={"identifier": f"{t}-tok-use", "user": F.user["pk"]})
    k = R.raw("GET", p + f"{t}-tok-use/view_key/").json().get("key")
    R.tokens["usetok"] = k
    c("use.before", "GET", API + "/core/users/me/", auth="usetok")
    R.raw("POST", p + f"{t}-tok-use/set_key/", json={"key": f"{t}-replaced-key"})
    c("use.old_key_after_set", "GET", API + "/core/users/me/", auth="usetok")
    R.tokens["usetok2"] = f"{t}-replaced-key"
    c("use.new_key_after_set", "GET", API + "/core/users/me/", auth="usetok2")
    R.raw("PATCH", p + f"{t}-tok-use/", json={"intent": "app_password"})
    c("use.after_app_password", "GET", API + "/core/users/me/", auth="usetok2")
    R.raw("DELETE", p + f"{t}-tok-use/")
    c("use.after_delete", "GET", API + "/core/users/me/", auth="usetok2")
    for _ in range(3):
        for o in R.raw("GET", p + f"?search={t}-tok&page_size=100").json().get("results", []):
            R.raw("DELETE", p + o["identifier"] + "/")


def fam_password_expiry(R, F):
    p, c, t = API + "/policies/password_expiry/", R.call, R.tag
    n = [0]
    def valid(**kw):
        n[0] += 1
        return {"name": f"{t} pe {n[0]}", "execution_logging": False, "days": 30, "deny_only": False, **kw}
    make, dele = mk(R, "/policies/password_expiry/", valid, "/policies/password_expiry/{pk}/")
    r = c("create.minimal", "POST", p, body={"name": f"{t} pe min", "days": 1})
    c("create.duplicate", "POST", p, body={"name": f"{t} pe min", "days": 1})
    c("create.full", "POST", p, body=valid(name=f"{t} pe full", execution_logging=True, deny_only=True))
    for nm, v in [("zero", 0), ("neg", -5), ("max32", 2147483647), ("over32", 2147483648), ("min32", -2147483648), ("under32", -2147483649), ("strnum", "12"), ("strbad", "x"), ("float", 1.5), ("float0", 2.0), ("strfloat", "2.0"), ("bool", True), ("exp", "1e3"), ("longstr", "1" * 1001)]:
        rr = c(f"create.days.{nm}", "POST", p, body=valid(days=v))
        if rr is not None and rr.status_code == 201:
            dele(rr.json())
    R.create_faults(p, valid, ["name", "execution_logging", "days", "deny_only"], dele)
    R.body_battery("create", "POST", p)
    R.auth_battery("create", "POST", p, body=valid(name=f"{t} pe auth"))
    R.list_battery(p, "name", [f"name={t}%20pe%20min", "days=1", "days=x", "deny_only=true", "deny_only=x", "execution_logging=false", "created=2020-01-01T00:00:00Z", "last_updated=x", "policy_uuid=" + ZERO, "policy_uuid=bad", f"search={t}", "ordering=days", "policy_ptr=" + ZERO])
    if r is not None and r.status_code == 201:
        u = f"{p}{r.json()['pk']}/"
        R.detail_battery(u, p + ZERO + "/", p + "not-a-uuid/")
        for nm, b in [("ok", {"name": f"{t} pe min", "days": 5}), ("missing_days", {"name": f"{t} pe min"}), ("missing_name", {"days": 3}), ("dup", {"name": f"{t} pe full", "days": 3})]:
            c(f"put.{nm}", "PUT", u, body=b)
        for nm, b in [("empty", {}), ("days", {"days": 9}), ("deny", {"deny_only": True}), ("component", {"component": "x"}), ("bound_to", {"bound_to": 4}), ("name_null", {"name": None})]:
            c(f"patch.{nm}", "PATCH", u, body=b)
        for m in ["PUT", "PATCH"]:
            R.body_battery(m.lower(), m, u)
            for a in ["none", "wrong", "user", "expired_token"]:
                c(f"{m.lower()}.auth.{a}", m, u, auth=a, body={"name": "zz", "days": 1})
            c(f"{m.lower()}.unknown", m, p + ZERO + "/", body={"name": "zz", "days": 1})
        c("delete.ok", "DELETE", u)
        c("delete.again", "DELETE", u)
    R.patch_faults(make, lambda o: f"{p}{o['pk']}/", ["name", "execution_logging", "days", "deny_only"], dele)
    for o in R.raw("GET", p + "?page_size=100").json().get("results", []):
        dele(o)


def fam_general(R, F):
    c = R.call
    for path in ["/", "/api/", "/api/v3/", "/api/v3/nope/", "/api/v3/core/", "/api/v3/root/config/", "/api/v3/schema/", "/-/health/live/", "/-/health/ready/", "/api/v2/core/tokens/", "/api/v3//core/tokens/", "/application/o/", "/if/flow/nope/"]:
        c("get." + path, "GET", path, auth="none")
    for path in ["/api/v3/nope/", "/api/v3/core/", "/api/v3/"]:
        c("get_admin." + path, "GET", path)
    c("post_nope", "POST", "/api/v3/nope/", body={})
    c("brand", "GET", API + "/core/brands/current/", auth="none")
    c("version", "GET", API + "/admin/version/")


FAMS = ["general", "tokens", "password_expiry"]


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--base", default="http://127.0.0.1:9000")
    ap.add_argument("--token", default="")
    ap.add_argument("--out", default="out")
    ap.add_argument("--only", default=",".join(FAMS))
    ap.add_argument("--tag", default="rec")
    ap.add_argument("--sqlite", help="the server's database file: makes the expired token where the API has no settings")
    a = ap.parse_args()
    os.makedirs(a.out, exist_ok=True)
    R = Rec(a)
    F = Fix(R)
    print("credentials:", sorted(R.tokens), "| fixtures:", len(F.made))
    try:
        for f in a.only.split(","):
            R.family(f)
            t0 = time.time()
            try:
                globals()["fam_" + f](R, F)
            except Exception:
                traceback.print_exc()
                R.skip("__aborted__", traceback.format_exc()[-400:])
            print(f"{f:24} {R.per.get(f, 0):5} exchanges  {time.time() - t0:6.1f} s", flush=True)
    finally:
        F.undo()
    R.f.close()
    print("total", R.count)


if __name__ == "__main__":
    main()
