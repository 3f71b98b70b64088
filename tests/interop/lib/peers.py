"""Others that refuse clients without a confirmed name, each as its documentation says to set it up. All ask one resolver, which
forwards to the scripted server of the case at hand."""

import ipaddress
import pathlib
import re
import socket
import subprocess
import tomllib

from harness import smtp_client
from harness.process import Process
from harness.wait import until
from lib import exim
from lib.postfix import Postfix

CLIENT_PORT, REVERSE_PORT = 10025, 10026
SERVER_V4, SERVER_V6 = "198.51.100.25", "2001:db8:1::25"
RESOLVER = "127.0.0.53"

POSTFIX_SERVICES = """{address}:{client} inet n - n - 100 smtpd
  -o smtpd_client_restrictions=reject_unknown_client_hostname
{address}:{reverse} inet n - n - 100 smtpd
  -o smtpd_client_restrictions=reject_unknown_reverse_client_hostname
"""

EXIM_CONFIG = """primary_hostname = mx.example.test
exim_path = {program}
spool_directory = {d}/spool
log_file_path = {d}/log/%slog
tls_advertise_hosts =
rfc1413_query_timeout = 0s
host_lookup =
acl_smtp_rcpt = acl_rcpt
begin acl
acl_rcpt:
  require verify = reverse_host_lookup
  accept
begin routers
begin transports
"""

UNBOUND_CONFIG = """server:
  interface: {address}
  username: ""
  chroot: ""
  directory: "{d}"
  pidfile: "{d}/unbound.pid"
  logfile: "{d}/unbound.log"
  use-syslog: no
  num-threads: 1
  module-config: "validator iterator"
  trust-anchor-file: "{d}/anchors"
  do-not-query-localhost: no
  unblock-lan-zones: yes
  insecure-lan-zones: yes
  local-zone: "127.in-addr.arpa." transparent
  local-zone: "localhost." transparent
  rrset-roundrobin: no
  outbound-msg-retry: 2
  infra-cache-max-rtt: 1500
  infra-host-ttl: 0
remote-control:
  control-enable: yes
  control-use-cert: no
  control-interface: "{d}/control"
"""


def read_cases(path):
    return tomllib.loads(pathlib.Path(path).read_text(encoding="utf-8"))["case"]


def plain(address):
    """The address that a server sees: an IPv4-mapped one is an IPv4 one."""
    parsed = ipaddress.ip_address(address)
    return getattr(parsed, "ipv4_mapped", None) or parsed


class Scripts:
    """The scripted servers of all cases, in one process."""

    def __init__(self, program, directory):
        self.process = Process("scripts", [program, "--serve"], directory)
        self.ports, self.anchors = {}, ""

    def start(self):
        self.process.start()
        until(lambda: "\nready" in self.process.output.read_text(), lambda: f"the scripted servers: {self.process.tail()}")
        for line in self.process.output.read_text().splitlines():
            if line.startswith("case "):
                _, name, port = line.split()
                self.ports[name] = int(port)
            elif " DNSKEY " in line:
                self.anchors += line + "\n"
        return self

    def stop(self):
        self.process.stop()


class Resolver:
    """unbound, validating, whose forwarder is changed from case to case."""

    def __init__(self, directory, anchors):
        (directory / "anchors").write_text(anchors)
        (directory / "unbound.conf").write_text(UNBOUND_CONFIG.format(d=directory, address=RESOLVER))
        self.control = str(directory / "control")
        self.process = Process("unbound", ["unbound", "-d", "-c", directory / "unbound.conf"], directory)

    def start(self):
        self.process.start().wait_listening(RESOLVER, 53)
        return self

    def stop(self):
        self.process.stop()

    def ask(self, port):
        """Forgets everything; from now on the server at this port is asked."""
        for command in (f"forward_add . 127.0.0.1@{port}", "flush_zone .", "flush_infra all", "flush_requestlist"):
            with socket.socket(socket.AF_UNIX) as control:
                control.connect(self.control)
                control.sendall(f"UBCT1 {command}\n".encode())
                answer = control.makefile().read()
            if not answer.startswith("ok"):
                raise AssertionError(f"unbound: {command}: {answer}")


class PostfixPeer:
    """Two services: reject_unknown_client_hostname, and its weaker form for the reverse name alone."""

    def __init__(self, directory):
        services = "".join(POSTFIX_SERVICES.format(address=address, client=CLIENT_PORT, reverse=REVERSE_PORT)
                           for address in (SERVER_V4, f"[{SERVER_V6}]"))
        self.server = Postfix(directory, "mx.example.test", "example.test", SERVER_V4, users=("recipient",),
                              settings={"inet_protocols": "all", "smtpd_peername_lookup": "yes",
                                        "smtpd_client_connection_count_limit": "0"}, services=services)

    def start(self):
        self.server.start()
        return self

    def stop(self):
        self.server.stop()

    @staticmethod
    def answer(client, port):
        address = plain(client)
        server = SERVER_V4 if address.version == 4 else SERVER_V6
        with smtp_client.Client(server, port, source=str(address), seconds=60) as session:
            session.hello()
            session.expect("MAIL FROM:<sender@sender.test>", 250)
            reply = session.command("RCPT TO:<recipient@example.test>")
            return "pass" if reply.code == 250 else str(reply.code)

    def answers(self, client):
        return {"postfix": self.answer(client, CLIENT_PORT), "postfix_reverse": self.answer(client, REVERSE_PORT)}


class EximPeer:
    """verify = reverse_host_lookup, in a session that Exim only plays (-bh): its lookups are real."""

    def __init__(self, directory, root):
        exim.install(root)
        self.program = root / "usr/sbin/exim4"
        for part in ("spool", "log"):
            (directory / part).mkdir()
        self.config = directory / "exim.conf"
        self.config.write_text(EXIM_CONFIG.format(d=directory, program=self.program))
        self.config.chmod(0o644)

    def answers(self, client):
        dialogue = "EHLO client.test\r\nMAIL FROM:<sender@sender.test>\r\nRCPT TO:<recipient@example.test>\r\nQUIT\r\n"
        done = subprocess.run([self.program, "-C", self.config, "-bh", str(plain(client))], input=dialogue,
                              capture_output=True, text=True, timeout=120, errors="replace")
        replies = re.findall(r"^(\d{3}) (?!.*closing connection)", done.stdout, re.M)
        if len(replies) < 4:
            raise AssertionError(f"exim -bh {client}: {done.stdout[-1500:]}{done.stderr[-1500:]}")
        code = replies[3]  # greeting, EHLO's last line, MAIL, RCPT
        return {"exim": "pass" if code == "250" else code}
