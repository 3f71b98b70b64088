"""The unknown-IP check as clients meet it, over a name server with every condition."""

import re

from fixture import RECIPIENT, SENDER, Gateway, message, suite
from harness.dns_stub import A, CNAME, PTR, SERVFAIL, SILENT, reverse
from harness.runner import check, equal

CASE = r" \(case [0-9A-Z]{6}\)"
HEAD = r"450 4\.7\.25 Client host rejected: cannot find your hostname, \[{}\]: "
TEMPORARY = r"451 4\.7\.25 Client host not verified: DNS lookup for \[{}\] did not complete, try again later"

# client -> (records, reply to RCPT; None is 250)
CONDITIONS = {
    "127.1.0.1": ({reverse("127.1.0.1"): {PTR: ["mx.sender.test"]}, "mx.sender.test": {A: ["127.1.0.1"]}}, None),
    "127.2.0.1": ({}, HEAD + "no PTR record" + CASE),
    "127.2.0.2": ({reverse("127.2.0.2"): {}}, HEAD + "no PTR record" + CASE),
    "127.3.0.1": ({reverse("127.3.0.1"): {PTR: ["gone.sender.test"]}},
                  HEAD + r"PTR gone\.sender\.test has no address" + CASE),
    "127.4.0.1": ({reverse("127.4.0.1"): {PTR: ["else.sender.test"]}, "else.sender.test": {A: ["198.51.100.9"]}},
                  HEAD + r"PTR else\.sender\.test resolves to 198\.51\.100\.9" + CASE),
    "127.5.0.1": ({reverse("127.5.0.1"): SERVFAIL}, TEMPORARY + CASE),
    "127.5.1.1": ({reverse("127.5.1.1"): SILENT}, TEMPORARY + CASE),
    "127.6.0.1": ({reverse("127.6.0.1"): {PTR: ["gone.sender.test", "else.sender.test", "z.sender.test"]},
                   "z.sender.test": {A: ["127.6.0.1"]}}, None),
    "127.6.0.2": ({reverse("127.6.0.2"): {PTR: ["broken.sender.test", "z2.sender.test"]},
                   "z2.sender.test": {A: ["127.6.0.2"]}}, None),
    "127.7.0.1": ({reverse("127.7.0.1"): {PTR: ["broken.sender.test"]}, "broken.sender.test": SERVFAIL},
                  TEMPORARY + CASE),
    "127.8.0.1": ({reverse("127.8.0.1"): {PTR: ["12345"]}}, HEAD + "PTR name is not a host name: \"12345\"" + CASE),
    "127.8.0.2": ({reverse("127.8.0.2"): {PTR: ["in valid!.sender.test"]}},
                  HEAD + "PTR name is not a host name: \".*\"" + CASE),
}
assert CNAME == 5  # kept beside the other types for cases to come


def records():
    result = {}
    for part, _ in CONDITIONS.values():
        result.update(part)
    return result


def enforce(**more):
    return {"unknown_ip": {"mode": "enforce", "check_private": True, "deadline": "3s", **more}}


@suite.case("unknown-ip", f"{len(CONDITIONS)} DNS conditions: each client gets its reply, word for word")
def unknown_ip(case):
    gateway = Gateway(case, enforce(), records=records())
    for address, (_, expected) in CONDITIONS.items():
        client = gateway.client(source=address)
        client.hello()
        client.expect(f"MAIL FROM:<{SENDER}>", 250)
        reply = client.command(f"RCPT TO:<{RECIPIENT}>")
        if expected is None:
            check(reply.code == 250, f"{address}: {reply!r}")
        else:
            check(re.fullmatch(expected.replace("{}", re.escape(address)), reply), f"{address}: {reply!r}")
    check(gateway.postern.log_count(r"reject: RCPT from ") >= 9, "each refusal is in the log in Postfix's form")


@suite.case("unknown-ip-session", "after a refusal the session goes on: each recipient, DATA, RSET, QUIT")
def unknown_ip_session(case):
    gateway = Gateway(case, enforce(), records=records())
    client = gateway.client(source="127.2.0.1")
    client.hello()
    client.expect(f"MAIL FROM:<{SENDER}>", 250)
    for number in range(3):
        client.expect(f"RCPT TO:<user{number}@example.test>", 450)
    check(client.command("DATA").code in (503, 554), "DATA without recipients")
    client.expect("RSET", 250)
    client.expect(f"MAIL FROM:<{SENDER}>", 250)
    client.expect(f"RCPT TO:<{RECIPIENT}>", 450)
    client.expect("QUIT", 221)
    equal(gateway.postern.queue(), [], "queue")


@suite.case("unknown-ip-modes", "off, observe, exempt networks and private addresses let the client in")
def unknown_ip_modes(case):
    gateway = Gateway(case, {"unknown_ip": {"mode": "off"}}, records=records())
    for name, settings in (("off", {"mode": "off", "check_private": True}),
                           ("observe", {"mode": "observe", "check_private": True}),
                           ("exempt", {"mode": "enforce", "check_private": True, "exempt_networks": ["127.2.0.0/16"]}),
                           ("private", {"mode": "enforce", "check_private": False})):
        gateway.postern.stop()
        gateway.postern.write_config({"unknown_ip": settings})
        gateway.postern.start()
        reply = gateway.send(message(name), source="127.2.0.1")
        equal(reply.code, 250, f"{name}: {reply!r}")
    gateway.wait_delivered(4)


@suite.case("unknown-ip-texts", "reply_style = postfix, and an action of 550 and of tag")
def unknown_ip_texts(case):
    gateway = Gateway(case, enforce(reply_style="postfix"), records=records())
    equal(gateway.send(message("x"), source="127.2.0.1"),
          "450 4.7.25 Client host rejected: cannot find your hostname, [127.2.0.1]", "reply in Postfix's words")
    gateway.postern.stop()
    gateway.postern.write_config(enforce(reply_style="postern", actions={"no_ptr": "550", "mismatch": "tag"}))
    gateway.postern.start()
    reply = gateway.send(message("x"), source="127.2.0.1")
    check(reply.startswith("550 5.7.25 "), f"action 550: {reply!r}")
    reply = gateway.send(message("tagged"), source="127.4.0.1")
    equal(reply.code, 250, f"action tag: {reply!r}")
    content = gateway.wait_delivered(1)[0].content
    check(re.search(rb"(?is)^Authentication-Results: gw\.test[;\s].*iprev=(fail|permerror)", content, re.M),
          f"header of the tagged message: {content[:600]!r}")


@suite.case("unknown-ip-steps", "answer_at: the refusal at MAIL, at EHLO, and in place of the greeting; others are let in")
def unknown_ip_steps(case):
    gateway = Gateway(case, enforce(answer_at="mail"), records=records())

    def restart(**settings):
        gateway.postern.stop()
        gateway.postern.write_config(enforce(**settings))
        gateway.postern.start()

    def check_reply(reply, code, where):
        check(reply.code == code and "Client host rejected: cannot find your hostname, [127.2.0.1]: no PTR" in reply,
              f"{where}: {reply!r}")

    client = gateway.client(source="127.2.0.1")
    client.hello()
    check_reply(client.command(f"MAIL FROM:<{SENDER}>"), 450, "MAIL")
    client.expect(f"RCPT TO:<{RECIPIENT}>", 503)
    client.expect("QUIT", 221)
    restart(answer_at="ehlo")
    client = gateway.client(source="127.2.0.1")
    equal(client.reply().code, 220, "the greeting")
    for command in ("EHLO client.test", "HELO client.test", f"MAIL FROM:<{SENDER}>"):
        check_reply(client.command(command), 450, command)
    client.expect("QUIT", 221)
    restart(answer_at="connect")
    client = gateway.client(source="127.2.0.1")
    check_reply(client.reply(), 421, "in place of the greeting")
    equal(client.file.read(), b"", "what follows 421")
    equal(gateway.send(message("confirmed"), source="127.1.0.1").code, 250, "a client with a name")
    restart(answer_at="connect", actions={"no_ptr": "550"})
    client = gateway.client(source="127.2.0.1")
    check_reply(client.reply(), 554, "in place of the greeting")
    client.expect("EHLO client.test", 503)
    client.expect("QUIT", 221)
    gateway.wait_delivered(1)


@suite.case("unknown-ip-outage", "a resolver that stops answering gives 451, and delivery when it is back")
def unknown_ip_outage(case):
    gateway = Gateway(case, enforce(), records=records())
    gateway.dns.outage = SILENT
    check(re.fullmatch((TEMPORARY + CASE).replace("{}", r"127\.1\.0\.1"), gateway.send(message("x"), source="127.1.0.1")), "451")
    gateway.dns.outage = None
    from harness.wait import until
    until(lambda: gateway.send(message("back"), source="127.1.0.1").code == 250, "the client to be let in again", 30, 0.5)
