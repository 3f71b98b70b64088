"""What happens to accepted mail: delivered, tried again, reported; TLS both ways; large messages."""

import email
import email.policy
import hashlib
import json
import random
import re
import smtplib
import ssl

from fixture import GATEWAY, PORT, RECIPIENT, SENDER, Gateway, certificate, message, suite
from harness import smtp_client
from harness.process import peak_memory_bytes
from harness.runner import check, equal
from harness.wait import until

MIB = 1 << 20


def report_of(gateway):
    """The one report that came back, parsed."""
    found = until(lambda: [m for m in gateway.sink.messages if m.recipients == [SENDER]], "a report to the sender")
    equal(len(found), 1, "reports")
    equal(found[0].sender, "", "reverse path of the report")
    return email.message_from_bytes(found[0].content, policy=email.policy.default)


def field(report, name):
    return re.sub(r"\s+", " ", str(list(report.iter_parts())[1].get_payload()[1][name])).strip()


@suite.case("report", "a permanent refusal by the next hop leads to one report from the null sender")
def report(case):
    gateway = Gateway(case)
    gateway.sink.replies[RECIPIENT] = "550 5.1.1 no such mailbox here"
    gateway.accepted(message("refused"), recipients=[RECIPIENT, "other@example.test"])
    found = report_of(gateway)
    equal(found.get_content_type(), "multipart/report", "type")
    equal(field(found, "Status"), "5.1.1", "Status")
    check("550 5.1.1 no such mailbox here" in field(found, "Diagnostic-Code"), field(found, "Diagnostic-Code"))
    until(lambda: gateway.postern.queue() == [], "the queue to be empty")
    equal([m.recipients for m in gateway.sink.messages if m.sender], [["other@example.test"]], "deliveries")


def dead_letters(server):
    status, output, errors = server.command("queue", "dead", "list", "--json")
    equal(status, 0, f"exit status of queue dead list: {errors}")
    return json.loads(output)["messages"]


@suite.case("dead-letter", "a failure that nobody may be told of is a dead letter: kept, exported, delivered by a retry")
def dead_letter(case):
    gateway = Gateway(case)
    server, content = gateway.postern, message("report-of-others", 200_000)
    gateway.sink.replies[RECIPIENT] = "550 5.1.1 no such mailbox here"
    gateway.accepted(content, sender="")
    found = until(lambda: dead_letters(server), "a dead letter")
    server.kill()
    server.start()
    equal(dead_letters(server), found, "the dead letters after kill -9 and a restart")
    equal((len(found), found[0]["reverse_path"]), (1, ""), "dead letters, and the reverse path")
    equal(server.queue(), [], "the queue")
    equal(gateway.sink.count(), 0, "messages at the next hop: no report")
    name = found[0]["id"]
    equal(server.log_count(f"dead-letter .*{name}"), 1, "lines in the log")
    shown = server.command("queue", "dead", "show", name)[1]
    check("550 5.1.1 no such mailbox here" in shown, f"queue dead show: {shown}")
    status, exported, errors = server.command("queue", "dead", "export", name)
    equal(status, 0, f"exit status of queue dead export: {errors}")
    check(exported.endswith(content.decode().replace("\r\n", "\n")), "what was exported is the message")
    gateway.sink.replies = {}
    status, output, errors = server.command("queue", "dead", "retry", name)
    equal(status, 0, f"exit status of queue dead retry: {output}{errors}")
    delivered = gateway.wait_delivered(1)[0]
    equal((delivered.sender, delivered.recipients), ("", [RECIPIENT]), "the envelope at the next hop")
    check(delivered.content.endswith(content), "the message is unchanged")
    until(lambda: server.queue() == [], "the queue to be empty")
    equal(dead_letters(server), [], "dead letters after the delivery")


@suite.case("report-lifetime", "a message that cannot be delivered in its lifetime is reported")
def report_lifetime(case):
    gateway = Gateway(case, {"delivery": {"lifetime": "3s"}})
    gateway.sink.replies[RECIPIENT] = "450 4.2.0 mailbox busy"
    gateway.accepted(message("late"))
    found = report_of(gateway)
    check(re.match(r"[45]\.\d+\.\d+$", field(found, "Status")), f"Status: {field(found, 'Status')}")
    check("450 4.2.0 mailbox busy" in field(found, "Diagnostic-Code"), field(found, "Diagnostic-Code"))
    until(lambda: gateway.postern.queue() == [], "the queue to be empty")


@suite.case("retry", "temporary refusals of every kind, a dead and a dropping next hop: tried again, then delivered once")
def retry(case):
    gateway = Gateway(case)
    for key, reply in (("CONNECT", "421 4.3.2 closing"), ("MAIL", "451 4.3.0 no"), (RECIPIENT, "450 4.2.0 no"),
                       ("DATA", "452 4.3.1 full")):
        gateway.sink.replies = {key: reply}
        gateway.sink.drop_all()  # or an open connection would be used again, without a greeting
        before, sessions = gateway.sink.count(), gateway.sink.sessions
        gateway.accepted(message(f"retry-{key}"))
        until(lambda: gateway.sink.sessions > sessions, f"{key}: an attempt")
        equal(len(gateway.postern.queue()), 1, f"{key}: messages in the queue")
        gateway.sink.replies = {}
        gateway.wait_delivered(before + 1)
        until(lambda: gateway.postern.queue() == [], f"{key}: the queue to be empty")
        equal(gateway.sink.count(), before + 1, f"{key}: deliveries")
    gateway.sink.stop()
    gateway.accepted(message("retry-dead"))
    gateway.postern.wait_queue(1)
    from harness.sink import Sink
    gateway.sink = case.started(Sink("127.0.0.1", 2626))
    gateway.wait_delivered(1)


@suite.case("starttls-in", "STARTTLS: the message comes by TLS and says so; what was sent before the switch is dropped")
def starttls_in(case):
    files = certificate(case)
    gateway = Gateway(case, {"smtp": {"tls_certificate": files[0], "tls_key": files[1]}})
    context = ssl.create_default_context(cafile=files[0])
    context.check_hostname = False
    with smtplib.SMTP(GATEWAY, PORT, local_hostname="client.test", timeout=30) as client:
        client.ehlo()
        check(client.has_extn("starttls"), "STARTTLS is offered")
        equal(client.starttls(context=context)[0], 220, "STARTTLS")
        client.ehlo()
        check(not client.has_extn("starttls"), "STARTTLS is not offered again")
        client.sendmail(SENDER, [RECIPIENT], message("secret", 200_000))
    content = gateway.wait_delivered(1)[0].content
    check(re.search(rb"(?is)^Received: .*with ESMTPS", content), f"trace: {content[:400]!r}")
    with smtp_client.Client(GATEWAY, PORT) as raw:
        raw.hello()
        raw.send(b"STARTTLS\r\nMAIL FROM:<injected@sender.test>\r\n")
        reply = raw.reply()
        if reply.code >= 500:  # refused as an attack: as good
            gateway.still_serves()
            return
        equal(reply.code, 220, "STARTTLS")
        secure = context.wrap_socket(raw.socket.dup(), server_hostname="gw.test")
        raw.close()
        secure.sendall(b"EHLO client.test\r\nRCPT TO:<recipient@example.test>\r\n")
        lines = b""
        while lines.count(b"\r\n503 ") == 0:
            data = secure.recv(4096)
            check(data, f"the session ended with {lines!r}")
            lines += data
            check(b"\n250 2.1.5" not in lines, f"the injected MAIL was taken: {lines!r}")
        secure.close()
    gateway.still_serves()


@suite.case("starttls-bad", "a handshake that fails ends that session only; without a certificate STARTTLS is not offered")
def starttls_bad(case):
    files = certificate(case)
    gateway = Gateway(case, {"smtp": {"tls_certificate": files[0], "tls_key": files[1]}})
    for noise in (b"", b"not a handshake at all\r\n" * 100, b"\x16\x03\x01\xff\xff" + b"\0" * 70_000):
        client = gateway.client()
        client.hello()
        client.expect("STARTTLS", 220)
        try:
            client.send(noise)
        except OSError:
            pass
        client.close()
    gateway.still_serves()
    gateway.postern.stop()
    gateway.postern.write_config({"smtp": {"tls_certificate": "", "tls_key": ""}})
    gateway.postern.start()
    client = gateway.client()
    check("STARTTLS" not in client.hello(), "STARTTLS is offered without a certificate")
    check(client.command("STARTTLS").code in (454, 500, 502, 503), "STARTTLS without a certificate")


@suite.case("starttls-out", "a next hop that offers STARTTLS gets the message by TLS; one that fails at it, without")
def starttls_out(case):
    gateway = Gateway(case, tls_files=certificate(case))
    gateway.accepted(message("out", 200_000))
    found = gateway.wait_delivered(1)[0]
    check(found.tls, "the message went by TLS")
    check(found.content.endswith(message("out", 200_000)), "the message is unchanged")


@suite.case("large", "messages of 1 MiB and 40 MiB pass intact without being held in memory")
def large(case):
    gateway = Gateway(case)
    body = random.Random(1).randbytes(48).hex().encode() + b"\r\n"
    for number in range(20):
        gateway.accepted(message(f"one-{number}", MIB))
    gateway.wait_delivered(20, 60)
    before = peak_memory_bytes(gateway.postern.pid)
    content = message("forty") + body * (40 * MIB // len(body))
    for _ in range(3):
        gateway.accepted(content)
    messages = gateway.wait_delivered(23, 120)
    grown = peak_memory_bytes(gateway.postern.pid) - before
    case.note(f"peak memory {before >> 20} MiB after 20 of 1 MiB, {grown / MIB:.1f} MiB more after 3 of 40 MiB")
    wanted = hashlib.sha256(content).hexdigest()
    for found in messages[20:]:
        equal(hashlib.sha256(found.content[-len(content):]).hexdigest(), wanted, "digest of a 40 MiB message")
    check(grown < 16 * MIB, f"three messages of 40 MiB cost {grown >> 20} MiB of memory")
