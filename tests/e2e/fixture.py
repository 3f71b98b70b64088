"""What the end-to-end cases share: the suite, and a gateway with its next hop and its name server."""

import subprocess

from harness import smtp_client
from harness.dns_stub import A, MX, PTR, DnsStub, reverse
from harness.postern import Postern, merged
from harness.report_checker import faults, python_faults
from harness.runner import Suite, equal
from harness.sink import Sink
from harness.wait import until

suite = Suite("e2e", "The real program on real sockets and a real disk, in a network of its own.",
              programs=("openssl", "setpriv", "strace"))

GATEWAY, PORT = "127.0.0.1", 2525
SINK_ADDRESS, SINK_PORT = "127.0.0.1", 2626
DNS = "127.0.0.53"
SENDER, RECIPIENT = "sender@sender.test", "recipient@example.test"

RECORDS = {
    "sender.test": {MX: [(10, "mx.sender.test")]},
    "mx.sender.test": {A: ["127.1.0.1"]},
    reverse("127.1.0.1"): {PTR: ["mx.sender.test"]},
}


class Gateway:
    """Postern in front of a sink. The servers that a case does not want, it stops."""

    def __init__(self, case, settings=None, records=None, start=True, **sink_options):
        self.case = case
        self.sink = case.started(Sink(SINK_ADDRESS, SINK_PORT, **sink_options))
        self.dns = case.started(DnsStub(DNS, RECORDS if records is None else records))
        self.postern = self.another("postern", settings)
        case.afterwards.append(self.check_reports)
        if start:
            self.postern.start()

    def another(self, name, settings=None, port=PORT, prefix=(), program=None):
        server = Postern(program or self.case.postern_path, self.case.path(name), GATEWAY, port,
                         merged(base(), settings or {}), prefix=prefix)
        self.case.logs += [server.log, server.directory / "postern.out"]
        return self.case.started(server)

    def client(self, source=None, seconds=30):
        client = smtp_client.Client(GATEWAY, PORT, source=source, seconds=seconds)
        self.case.cleanup.callback(client.close)
        return client

    def send(self, content, sender=SENDER, recipients=(RECIPIENT,), source=None, parameters=""):
        return smtp_client.send(GATEWAY, PORT, sender, list(recipients), content, source=source, parameters=parameters)

    def accepted(self, content, **options):
        reply = self.send(content, **options)
        equal(reply.code, 250, f"reply to the message: {reply!r}")

    def wait_delivered(self, count, seconds=30):
        until(lambda: self.sink.count() >= count,
              lambda: f"{count} messages at the next hop; it has {self.sink.count()}", seconds)
        return self.sink.messages

    def reports(self):
        """The reports that Postern itself wrote, among what the next hop has."""
        return [m.content for m in self.sink.messages if m.sender == "" and b"multipart/report" in m.content[:4096]]

    def check_reports(self):
        """Each report is right to the letter, whatever the case was about."""
        for content in self.reports() if self.sink.keep_content else ():
            equal(faults(content) + python_faults(content), [], "faults of a report")

    def still_serves(self):
        """After whatever was done to it the server takes and delivers a good message."""
        before = self.sink.count()
        self.accepted(message("still-serves"))
        until(lambda: any(b"<still-serves@" in c for c in self.sink.contents()[before:]), "the next message's delivery")


def base():
    return {
        "server": {"hostname": "gw.test"},
        "relay": {"domains": ["example.test"]},
        # Most cases have one client, on this host: what the breaker is there to tell from a proxy.
        "unknown_ip": {"breaker": {"one_client_percent": 0}},
        "dns": {"servers": [DNS]},
        "delivery": {"retry": ["1s"]},
        "route": [{"domain": "example.test", "next_hop": [f"smtp://{SINK_ADDRESS}:{SINK_PORT}"]},
                  {"domain": "sender.test", "next_hop": [f"smtp://{SINK_ADDRESS}:{SINK_PORT}"]}],
    }


def message(message_id, size_bytes=0):
    head = (f"From: <{SENDER}>\r\nTo: <{RECIPIENT}>\r\nSubject: test\r\nMessage-ID: <{message_id}@sender.test>\r\n"
            "Date: Mon, 02 Nov 2026 10:00:00 +0000\r\n\r\n").encode()
    line = b"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789\r\n"
    return head + b"A message.\r\n" + line * (size_bytes // len(line))


def certificate(case):
    """(certificate file, key file), self-signed."""
    files = case.directory / "tls.crt", case.directory / "tls.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=gw.test",
                    "-out", files[0], "-keyout", files[1]], check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
    return str(files[0]), str(files[1])
