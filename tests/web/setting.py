"""What the browser finds: accounts, flows and policies, made through the API as an administrator would."""
import json, sqlite3, urllib.request
from urllib.parse import urlsplit

PASSWORD = "a-long-password-of-a-test"
SCENARIOS = ("in", "change", "expired", "denied", "recovery", "out", "stay", "keyboard", "elsewhere", "tokens",
             "keys")


class Api:
    def __init__(self, base, token):
        self.base, self.token = base, token

    def __call__(self, method, path, body=None):
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.base}/api/v3{path}", data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            raise SystemExit(f"{method} {path}: {error.code} {error.read().decode()}")
        return json.loads(text) if text else None

    def one(self, path):
        """The only row of a list."""
        (row,) = self("GET", path)["results"]
        return row


def flow(api, slug, title, designation, stages, **more):
    """A flow with stages in this order."""
    made = api("POST", "/flows/instances/", {"name": slug, "slug": slug, "title": title, "designation": designation, **more})
    for order, stage in enumerate(stages):
        api("POST", "/flows/bindings/", {"target": made["pk"], "stage": stage, "order": order * 10})
    return made


def bind(api, policy, target):
    api("POST", "/policies/bindings/", {"policy": policy["pk"], "target": target, "order": 0})


def people(api, database, variants):
    """An account for each scenario and variant; the passwords of some are old."""
    links = {}
    for variant in variants:
        for scenario in SCENARIOS:
            name = f"{scenario}-{variant}"
            user = api("POST", "/core/users/", {"username": name, "name": name, "email": f"{name}@example.com", "path": "users"})
            api("POST", f"/core/users/{user['pk']}/set_password/", {"password": PASSWORD})
            if scenario == "recovery":
                link = urlsplit(api("POST", f"/core/users/{user['pk']}/recovery/")["link"])
                links[variant] = f"{link.path}?{link.query}"
    with sqlite3.connect(database, timeout=10) as db:
        db.execute("UPDATE users SET password_change_date = '2020-01-01 00:00:00+00:00' "
                   "WHERE username LIKE 'expired-%' OR username LIKE 'denied-%'")
    return links


PROMPTS = [
    ("username", {"label": "Username", "initial_value": "ada"}),
    ("text", {"label": "Name", "sub_text": "As others see it."}),
    ("email", {"label": "Email", "placeholder": "you@example.com"}),
    ("text_area", {"label": "About you", "required": False}),
    ("text_read_only", {"label": "Customer number", "initial_value": "42-17", "required": False}),
    ("text_area_read_only", {"label": "Terms", "initial_value": "One.\nTwo.", "required": False}),
    ("number", {"label": "Age", "required": False}),
    ("password", {"label": "Password"}),
    ("separator", {"label": "Preferences", "required": False}),
    ("static", {"label": "House rules", "initial_value": "Be kind. No <b>markup</b>.", "required": False}),
    ("checkbox", {"label": "I have read them", "required": False}),
    ("radio-button-group", {"label": "Size", "placeholder": "return ['Small', 'Medium']", "placeholder_expression": True, "initial_value": "Medium"}),
    ("dropdown", {"label": "Team", "placeholder": "return ['red', 'blue']", "placeholder_expression": True, "initial_value": "blue"}),
    ("date", {"label": "Born", "required": False}),
    ("date-time", {"label": "Meeting", "required": False}),
    ("hidden", {"label": "Hidden", "initial_value": "kept", "required": False}),
    ("ak-locale", {"label": "Language", "required": False}),
    ("file", {"label": "Photo", "required": False}),
]


def make(server, token, variants):
    """Makes everything; returns what the tests must know."""
    api = Api(server.base, token)
    stage = lambda name: api.one(f"/stages/all/?name={name}")["pk"]
    identification, password, login = (stage(f"default-authentication-{name}") for name in ("identification", "password", "login"))
    prompt, write = stage("default-password-change-prompt"), stage("default-password-change-write")

    expiry = api("POST", "/policies/password_expiry/", {"name": "web-expiry", "days": 30, "deny_only": False})
    bind(api, expiry, api("GET", "/flows/instances/default-authentication-flow/")["policybindingmodel_ptr_id"])
    denies = api("POST", "/policies/password_expiry/", {"name": "web-denies", "days": 30, "deny_only": True})
    denied = flow(api, "web-denied", "Sign in", "stage_configuration", [identification, password, login])
    bind(api, denies, denied["policybindingmodel_ptr_id"])

    recovery = flow(api, "web-recovery", "Choose a new password", "recovery", [prompt, write, login])
    brand = api("GET", "/core/brands/")["results"][0]
    api("PATCH", f"/core/brands/{brand['brand_uuid']}/", {"flow_recovery": recovery["pk"]})

    stay = api("POST", "/stages/user_login/", {"name": "web-stay", "remember_me_offset": "days=30"})["pk"]
    flow(api, "web-stay", "Sign in", "stage_configuration", [identification, password, stay])
    flow(api, "web-dummy", "Nothing to do", "stage_configuration", [api("POST", "/stages/dummy/", {"name": "web-dummy"})["pk"]])
    deny = api("POST", "/stages/deny/", {"name": "web-no", "deny_message": "Not on <i>Sundays</i>."})["pk"]
    flow(api, "web-no", "No", "stage_configuration", [deny])

    fields = [
        api("POST", "/stages/prompt/prompts/", {"name": f"web-{kind}", "field_key": f"web_{kind}", "type": kind, "order": order, **more})["pk"]
        for order, (kind, more) in enumerate(PROMPTS)
    ]
    prompts = api("POST", "/stages/prompt/stages/", {"name": "web-prompts", "fields": fields})["pk"]
    flow(api, "web-prompts", "About you", "stage_configuration", [prompts])
    return {"password": PASSWORD, "recovery": people(api, server.home / "data/tessera.db", variants)}
