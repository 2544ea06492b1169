#!/usr/bin/env python3
"""Has Tessera send mails, to a mail server that keeps them; run it as `just mail`. Needs openssl.

    run.py [--binary PATH]

For each way to reach a mail server, an administrator asks for somebody's recovery e-mail, it arrives, and the
link in it opens the flow. Mail servers that cannot be trusted, or that refuse the password, get nothing, and the
log says so without the link.
"""
import argparse, contextlib, json, re, sys, tempfile, time, urllib.error, urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))
import smtp, tessera

FROM, USER, PASSWORD = "Tessera <no-reply@example.org>", "mailer", "mail-password-of-a-test-run"
OUTSIDE = "https://id.example.org"
NAME = "Ada <b>Lovelace</b>\r\nBcc: eve@example.com"


def call(server, method, path, body=None):
    """(status, JSON or None) of a request as the administrator."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{server.base}/api/v3{path}", method=method, data=data)
    request.add_header("Authorization", f"Bearer {tessera.TOKEN}")
    request.add_header("Content-Type", "application/json")
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            status, text = response.status, response.read()
    except urllib.error.HTTPError as error:
        status, text = error.code, error.read()
    return status, json.loads(text) if text else None


def make(server, path, body):
    status, made = call(server, "POST", path, body)
    assert status == 201, f"POST {path}: {status} {made}"
    return made


def recovery(server, **stage):
    """A recovery flow on the default brand, an e-mail stage in it, and a person; returns (stage, person)."""
    flow = make(server, "/flows/instances/", {"name": "Recovery", "slug": "recovery", "title": "Recovery",
                                              "designation": "recovery"})
    stage = make(server, "/stages/email/", {"name": "recovery-mail", "use_global_settings": True,
                                            "template": "email/password_reset.html",
                                            "subject": "Réinitialiser", "token_expiry": 30} | stage)
    make(server, "/flows/bindings/", {"target": flow["pk"], "stage": stage["pk"], "order": 0})
    status, brands = call(server, "GET", "/core/brands/")
    assert status == 200 and brands["results"], f"no brands: {status} {brands}"
    brand = brands["results"][0]
    status, changed = call(server, "PATCH", f"/core/brands/{brand['brand_uuid']}/", {"flow_recovery": flow["pk"]})
    assert status == 200, f"the brand: {status} {changed}"
    person = make(server, "/core/users/", {"username": "ada", "name": NAME, "email": "ada@example.org"})
    return stage["pk"], person["pk"]


def ask_for_mail(server, stage, person):
    status, answer = call(server, "POST", f"/core/users/{person}/recovery_email/?email_stage={stage}")
    assert status == 204, f"recovery_email: {status} {answer}"


def check(mail, sender="no-reply@example.org", tls=False, user=None):
    """The mail is what it should be; returns the link."""
    assert mail["from"] == sender and mail["to"] == ["ada@example.org"], mail
    assert mail["tls"] == tls and mail["user"] == user, mail
    assert mail["subject"] == "Réinitialiser", mail["subject"]
    headers = {name.lower(): value for name, value in mail["headers"]}
    assert len(headers) == len(mail["headers"]) and "bcc" not in headers, mail["headers"]
    assert headers["auto-submitted"] == "auto-generated" and "@id.example.org>" in headers["message-id"], headers
    links = re.findall(r"https?://\S+", mail["text"])
    assert len(links) == 1 and links[0].startswith(f"{OUTSIDE}/if/flow/recovery/?flow_token="), links
    assert "30 minutes" in mail["text"] and "Lovelace" in mail["text"], mail["text"]
    assert "<b>Lovelace" not in mail["html"] and "30 minutes" in mail["html"], mail["html"]
    assert set(re.findall(r"https?://[^\s\"<]+", mail["html"].replace("&#38;", "&"))) == {links[0]}, mail["html"]
    return links[0]


def follow(server, link):
    """The link's page is there, and its key is in no log."""
    with urllib.request.urlopen(server.base + link.removeprefix(OUTSIDE), timeout=30) as response:
        assert response.status == 200, response.status
    key = link.partition("flow_token=")[2].partition("&")[0]
    assert key and key not in (server.home / "stderr").read_text(), "the key of the link is in the log"


OWN = {"use_global_settings": False, "host": "localhost", "timeout": 10, "from_address": "own@example.net"}
SIGN_IN = {"TESSERA_SMTP_USERNAME": USER, "TESSERA_SMTP_PASSWORD": PASSWORD}
TRUST = {"TESSERA_SMTP_CA_FILE": "{cert}"}
LOGIN, CERT = ["--auth", f"{USER}:{PASSWORD}"], ["--cert", "{cert}", "--key", "{key}"]
CLEAR, IMPLICIT = {"TESSERA_SMTP_TLS": "none"}, {"TESSERA_SMTP_TLS": "tls"}

# name: (options of the mail server, settings of Tessera, fields of the stage, what the mail must be like)
DELIVERED = {
    "in clear": ([], CLEAR, {}, {}),
    "STARTTLS and a sign-in": ([*LOGIN, *CERT], TRUST | SIGN_IN, {}, {"tls": True, "user": USER}),
    "TLS and a sign-in": ([*LOGIN, *CERT, "--implicit"], TRUST | SIGN_IN | IMPLICIT, {}, {"tls": True, "user": USER}),
    "a stage's own server, STARTTLS": ([*LOGIN, *CERT], TRUST, OWN | {"use_tls": True, "username": USER, "password": PASSWORD},
                                       {"sender": "own@example.net", "tls": True, "user": USER}),
    "a stage's own server, TLS": ([*CERT, "--implicit"], TRUST, OWN | {"use_ssl": True}, {"sender": "own@example.net", "tls": True}),
}
# name: (options of the mail server, settings of Tessera, what the log says)
NOT_DELIVERED = {
    "no STARTTLS": ([], TRUST, "no TLS: STARTTLS is not supported"),
    "a certificate that nobody vouches for": (CERT, {}, "no TLS: "),
    "a wrong password": ([*LOGIN, *CERT], TRUST | SIGN_IN | {"TESSERA_SMTP_PASSWORD": "wrong"}, "no sign-in: the server answered 535"),
    "no sign-in": ([*LOGIN, *CERT], TRUST, "not taken: the server answered 530"),
}


@contextlib.contextmanager
def both(binary, python, options, settings, stage):
    """A mail server and a Tessera that knows it; gives them, with the e-mail stage and the person."""
    with tempfile.TemporaryDirectory() as folder:
        cert, key = smtp.certificate(folder)
        with smtp.Sink(python, folder, *(option.format(cert=cert, key=key) for option in options)) as sink:
            here = {"TESSERA_EXTERNAL_URL": OUTSIDE}
            here |= {name: value.format(cert=cert) for name, value in settings.items()}
            if not stage:
                here |= {"TESSERA_SMTP_HOST": "localhost", "TESSERA_SMTP_PORT": str(sink.port), "TESSERA_SMTP_FROM": FROM}
            with tessera.Server(binary, **here) as server:
                yield sink, server, recovery(server, **(stage | {"port": sink.port} if stage else {}))


def delivered(binary, python, options, settings, stage, like):
    with both(binary, python, options, settings, stage) as (sink, server, asked):
        ask_for_mail(server, *asked)
        follow(server, check(sink.wait(1)[0], **like))


def not_delivered(binary, python, options, settings, says):
    with both(binary, python, options, settings, {}) as (sink, server, asked):
        ask_for_mail(server, *asked)
        until = time.monotonic() + 30
        while "could not be sent" not in (log := (server.home / "stderr").read_text()):
            assert time.monotonic() < until, f"the log does not say that it failed:\n{log}"
            time.sleep(0.1)
        assert says in log and "flow_token" not in log and PASSWORD not in log, log
        assert sink.mails() == []


def unconfigured(binary):
    with tessera.Server(binary) as server:
        stage, person = recovery(server)
        status, answer = call(server, "POST", f"/core/users/{person}/recovery_email/?email_stage={stage}")
        assert status == 400 and "TESSERA_SMTP_HOST" in json.dumps(answer), f"{status} {answer}"


def main():
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--binary", type=Path, help="a built server (default: build one)")
    asked = ask.parse_args()
    binary = asked.binary or tessera.cargo_build("--bin", "tessera")["tessera"]
    python = tessera.python_with(HERE / "requirements.txt")
    cases = [(f"arrives: {name}", delivered, (binary, python, *case)) for name, case in DELIVERED.items()]
    cases += [(f"is not sent: {name}", not_delivered, (binary, python, *case)) for name, case in NOT_DELIVERED.items()]
    cases += [("is refused: no mail server", unconfigured, (binary,))]
    failed = 0
    for name, test, arguments in cases:
        try:
            test(*arguments)
            print(f"ok      {name}", flush=True)
        except AssertionError as error:
            failed += 1
            print(f"FAILED  {name}\n    {error}", flush=True)
    print(f"{len(cases) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
