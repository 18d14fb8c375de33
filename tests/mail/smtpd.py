#!/usr/bin/python3
"""A real SMTP server (Debian's python3-aiosmtpd) for tests: TLS, accounts, and misbehaviour on demand.

smtpd.py PORT CERTIFICATE KEY implicit|starttls|plain [USER PASSWORD]

Prints "ready", then one line of JSON for each mail it took: {"from": …, "to": […], "data": base64}. A line on standard input says how it behaves from then on:
ok, refuse (550 to every recipient), later (451), slow (no answer to the message), drop (closes the connection at the message). It ends with its standard input.
"""
import asyncio, base64, json, ssl, sys, threading
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult

port, certificate, key, tls = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]
account = tuple(sys.argv[5:7])
behaviour = "ok"


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if behaviour == "refuse":
            return "550 5.1.1 No such mailbox"
        if behaviour == "later":
            return "451 4.7.1 Greylisted"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        if behaviour == "slow":
            await asyncio.sleep(600)
        if behaviour == "drop":
            server.transport.abort()
            return "421 gone"
        print(json.dumps({"from": envelope.mail_from, "to": envelope.rcpt_tos, "data": base64.b64encode(envelope.original_content).decode()}), flush=True)
        return "250 OK"


def authenticate(server, session, envelope, mechanism, data):
    return AuthResult(success=(data.login.decode(), data.password.decode()) == account)


class Server(Controller):
    def factory(self):
        options = {"hostname": "mail.test", "enable_SMTPUTF8": True}
        if account:
            options |= {"authenticator": authenticate, "auth_required": True, "auth_require_tls": tls == "starttls"}
        if tls == "starttls":
            options |= {"tls_context": context, "require_starttls": True}
        return SMTP(self.handler, **options)


context = None
if tls != "plain":
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
server = Server(Handler(), hostname="127.0.0.1", port=port, ssl_context=context if tls == "implicit" else None)
server.start()
print("ready", flush=True)
for line in sys.stdin:
    behaviour = line.strip()
    print("behaves", flush=True)
server.stop()
