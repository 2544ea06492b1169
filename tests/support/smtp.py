#!/usr/bin/env python3
"""A mail server that keeps what it gets: one JSON object a line, for suites to read.

    smtp.py --out FILE [--auth USER:PASSWORD] [--cert FILE --key FILE [--implicit]]

Listens on a free port of the loopback address and prints it. With `--cert` it demands STARTTLS before anything
else, or speaks TLS from the first byte with `--implicit`; with `--auth` it demands a sign-in. Needs aiosmtpd
(tests/mail/requirements.txt). A line holds `from`, `to`, `subject`, `headers`, `text`, `html`, `tls` and `user`.

As a module, without aiosmtpd: `Sink` starts it beside a suite, `certificate` makes one for `localhost`.
"""
import argparse, json, subprocess, sys, time
from pathlib import Path


class Sink:
    """A mail server in a process of its own, run by an `interpreter` that has aiosmtpd; for a `with` statement."""

    def __init__(self, interpreter, folder, *options):
        self.out = Path(folder) / "mails.jsonl"
        self.command = [interpreter, "-B", __file__, "--out", self.out, *options]

    def __enter__(self):
        self.out.touch()
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"the mail server did not start: it ended with {self.process.wait()}")
        self.port = int(line)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()

    def mails(self):
        # A line that is being written has no end yet.
        return [json.loads(line) for line in self.out.read_text().splitlines(keepends=True) if line.endswith("\n")]

    def wait(self, amount, patience=15.0):
        """The mails, once there are so many; fails when there are fewer after `patience` seconds."""
        until = time.monotonic() + patience
        while len(mails := self.mails()) < amount:
            if time.monotonic() > until:
                raise AssertionError(f"{len(mails)} of {amount} mails arrived within {patience} s")
            time.sleep(0.05)
        return mails


def certificate(folder):
    """Makes a self-signed certificate for `localhost` with openssl; returns the paths of it and of its key."""
    cert, key = Path(folder) / "cert.pem", Path(folder) / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-addext",
                    "basicConstraints=critical,CA:FALSE", "-keyout", key, "-out", cert], check=True, capture_output=True)
    return cert, key


def parts(message):
    """The first text/plain and text/html of a message, decoded."""
    found = {}
    for part in message.walk():
        if part.get_content_type() in ("text/plain", "text/html"):
            found.setdefault(part.get_content_subtype(), part.get_content().replace("\r\n", "\n"))
    return found.get("plain"), found.get("html")


def main():
    import asyncio, email, email.policy, ssl
    from aiosmtpd.smtp import SMTP, AuthResult

    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--out", type=Path, required=True)
    ask.add_argument("--auth", help="USER:PASSWORD")
    ask.add_argument("--cert", type=Path)
    ask.add_argument("--key", type=Path)
    ask.add_argument("--implicit", action="store_true")
    asked = ask.parse_args()
    tls = None
    if asked.cert:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(asked.cert, asked.key)

    class Keep:
        async def handle_DATA(self, server, session, envelope):
            message = email.message_from_bytes(envelope.content, policy=email.policy.default)
            text, html = parts(message)
            mail = {
                "from": envelope.mail_from, "to": envelope.rcpt_tos, "subject": str(message["subject"]),
                "headers": [[name, str(value)] for name, value in message.items()], "text": text, "html": html,
                "tls": bool(session.ssl) or asked.implicit, "user": session.auth_data,
            }
            with asked.out.open("a") as file:
                file.write(json.dumps(mail) + "\n")
            return "250 taken"

    def authenticate(_server, _session, _envelope, _mechanism, given):
        user, _, password = asked.auth.partition(":")
        good = (given.login, given.password) == (user.encode(), password.encode())
        return AuthResult(success=good, handled=False, auth_data=user if good else None)

    def session():
        options = {"hostname": "localhost", "enable_SMTPUTF8": True}
        if asked.auth:
            options |= {"authenticator": authenticate, "auth_required": True, "auth_require_tls": bool(tls) and not asked.implicit}
        if tls and not asked.implicit:
            options |= {"tls_context": tls, "require_starttls": True}
        return SMTP(Keep(), **options)

    async def listen():
        server = await asyncio.get_running_loop().create_server(
            session, "127.0.0.1", 0, ssl=tls if asked.implicit else None)
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()

    asyncio.run(listen())


if __name__ == "__main__":
    sys.exit(main())
