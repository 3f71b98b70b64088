"""The lab: addresses, zones and servers that every case shares, and the gateway between them.

    192.0.2.10    mx.sender.test, the sender's server; its address is confirmed by DNS
    192.0.2.66    the same server sending from an address without PTR
    198.51.100.25 gw.example.test, Postern
    198.51.100.80 mail.example.test, the recipient's server
    203.0.113.53  nsd        192.0.2.53 the sender's resolver        198.51.100.53 the gateway's resolver
    198.51.100.54 in its place, in some cases, a name server of the test's own, whose records change
"""

from harness.postern import Postern, merged
from lib.dovecot import Dovecot
from lib.nsd import Nsd
from lib.postfix import Postfix
from lib.unbound import Unbound

CONFIRMED, NO_PTR, GATEWAY, RECIPIENT = "192.0.2.10", "192.0.2.66", "198.51.100.25", "198.51.100.80"
AUTHORITY, SENDER_DNS, GATEWAY_DNS = "203.0.113.53", "192.0.2.53", "198.51.100.53"
STUB_DNS = "198.51.100.54"
LMTP_PORT = 24
SENDER = "sender@sender.test"

ZONES = {
    "sender.test": f"""ns A {AUTHORITY}
@ MX 10 mx.sender.test.
mx A {CONFIRMED}
""",
    "example.test": f"""@ MX 10 gw.example.test.
gw A {GATEWAY}
mail A {RECIPIENT}
""",
    "2.0.192.in-addr.arpa": "10 PTR mx.sender.test.\n",
    "100.51.198.in-addr.arpa": "25 PTR gw.example.test.\n80 PTR mail.example.test.\n",
}

QUOTA_BYTES = 100_000
MAILBOXES = {"recipient": 0, "second": 0, "small": QUOTA_BYTES}


def set_up(sandbox, stack):
    """Addresses, zones and the sender's resolver, for all cases."""
    sandbox.add_address(CONFIRMED, NO_PTR, GATEWAY, RECIPIENT, AUTHORITY, SENDER_DNS, GATEWAY_DNS, STUB_DNS)
    (sandbox.etc / "resolv.conf").write_text(f"nameserver {SENDER_DNS}\noptions timeout:2 attempts:2\n")
    directory = sandbox.state / "dns"
    directory.mkdir()
    for server in (Nsd(directory, AUTHORITY, ZONES), Unbound("unbound", directory, SENDER_DNS, ZONES, AUTHORITY)):
        stack.callback(server.stop)
        server.start()


class Lab:
    """The servers of one case. What is not asked for is not started."""

    def __init__(self, case):
        self.case = case

    def resolver(self):
        server = self.case.started(Unbound("unbound", self.case.path("resolver"), GATEWAY_DNS, ZONES, AUTHORITY))
        return server.start()

    def postern(self, changes=None, next_hop=f"lmtp://{RECIPIENT}:{LMTP_PORT}"):
        settings = merged({
            "server": {"hostname": "gw.example.test"},
            "relay": {"domains": ["example.test"]},
            "unknown_ip": {"mode": "enforce", "deadline": "4s"},
            "dns": {"servers": [GATEWAY_DNS]},
            "delivery": {"retry": ["1s"], "lifetime": "10m", "report_lifetime": "10m"},
            "route": [{"domain": "example.test", "next_hop": [next_hop]}],
        }, changes or {})
        server = Postern(self.case.postern_path, self.case.path("postern"), GATEWAY, 25, settings)
        self.case.logs += [server.log, server.directory / "postern.out"]
        return self.case.started(server).start()

    def dovecot(self):
        server = Dovecot(self.case.path("dovecot"), RECIPIENT, LMTP_PORT, MAILBOXES)
        self.case.logs.append(server.log)
        return self.case.started(server).start()

    def recipient_postfix(self):
        server = Postfix(self.case.path("recipient"), "mail.example.test", "example.test", RECIPIENT, users=("recipient",))
        self.case.logs.append(server.log)
        return self.case.started(server).start()

    def sender(self, bind=CONFIRMED, lifetime="1h", retry="2s"):
        """Postfix as the sender's server, with its waiting times shortened."""
        server = Postfix(self.case.path("sender"), "mx.sender.test", "sender.test", CONFIRMED, bind=bind, settings={
            "minimal_backoff_time": retry, "maximal_backoff_time": retry, "queue_run_delay": "2s",
            "maximal_queue_lifetime": lifetime, "bounce_queue_lifetime": lifetime,
            "default_destination_concurrency_limit": 20, "initial_destination_concurrency": 20,
            "delay_logging_resolution_limit": 3,
        })
        self.case.logs.append(server.log)
        return self.case.started(server).start()
