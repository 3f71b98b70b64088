"""The breaker of the unknown-IP check: outages of the resolver under load, and a proxy that hides the clients."""

import itertools
import json
import re
import threading

from fixture import GATEWAY, PORT, RECIPIENT, SENDER, Gateway, message, suite
from harness import smtp_client
from harness.dns_stub import A, NXDOMAIN, PTR, SERVFAIL, SILENT, reverse
from harness.runner import check, equal
from harness.wait import until

OWNERS = range(10, 30)
HOSTS = range(1, 200)
POSTMASTER = "ops@example.test"


def records():
    """Each owner of addresses has many clients, all with a confirmed name."""
    result = {}
    for address in (f"127.{owner}.0.{host}" for owner in OWNERS for host in HOSTS):
        name = f"mx-{address.replace('.', '-')}.sender.test"
        result[reverse(address)] = {PTR: [name]}
        result[name] = {A: [address]}
    return result


def settings(case, no_ptr, **breaker):
    return {
        "server": {"postmaster": POSTMASTER},
        "unknown_ip": {"mode": "enforce", "check_private": True, "deadline": "1s", "actions": {"no_ptr": no_ptr},
                       "breaker": {"window": "20s", "temperror_networks_min": 5, "refused_networks_min": 5,
                                   "open_time": "2s", "open_time_max": "4s", "recovery_time": "1s", "command": [
                                       "/bin/sh", "-c", 'echo "$POSTERN_EVENT $POSTERN_SIGNAL of $POSTERN_TOTAL" >> "$1"', "sh",
                                       str(case.path("alerts") / "told")], **breaker}},
    }


# From addresses that nobody has looked up yet, or from the same again and again.
NEW = [f"127.{owner}.0.{host}" for host in HOSTS for owner in OWNERS]
RETURNING = [f"127.{owner}.0.1" for owner in OWNERS]


class Load:
    """Servers that send one message after the other, each from the next of the addresses, and between them try again what was
    answered 4xx."""

    SENDERS = 4

    def __init__(self, addresses):
        self.codes = {}  # of each message, all replies
        self.stopping = threading.Event()
        self.lock = threading.Lock()
        self.clients = itertools.cycle(addresses)
        self.numbers = itertools.count()
        self.threads = [threading.Thread(target=self._run, daemon=True) for _ in range(self.SENDERS)]
        for thread in self.threads:
            thread.start()

    def stop(self):
        """Every message has been taken when this returns."""
        self.stopping.set()
        for thread in self.threads:
            thread.join(60)
        check(not any(thread.is_alive() for thread in self.threads), "each server gets rid of its mail")

    def _run(self):
        waiting = []
        try:
            while waiting or not self.stopping.is_set():
                if not self.stopping.is_set():
                    with self.lock:
                        waiting.append((next(self.clients), f"load-{next(self.numbers)}"))
                    self._send(waiting, -1)
                if waiting:
                    self._send(waiting, 0)
                self.stopping.wait(0.05)
        except ConnectionError:  # the case has failed, and the server is gone
            if not self.stopping.is_set():
                raise

    def _send(self, waiting, index):
        source, name = waiting.pop(index)
        code = smtp_client.send(GATEWAY, PORT, SENDER, [RECIPIENT], message(name), source=source).code
        self.codes.setdefault(name, []).append(code)
        if code // 100 == 4:
            waiting.append((source, name))

    def count(self, code):
        return sum(codes[-1:] == [code] for codes in list(self.codes.values()))


def subjects(gateway):
    return [re.search(rb"^Subject: (.*?)\r$", content, re.M).group(1).decode() for content in gateway.sink.contents()
            if b"Auto-Submitted: auto-generated" in content]


class Outage:
    """The resolver answers everything with `what` while mail comes in: the check only observes, refuses nobody for good, loses
    nothing, and comes back by itself."""

    def __init__(self, case, gateway, what, signal, addresses=None):
        self.gateway, self.log, self.signal = gateway, gateway.postern, signal
        self.load = Load(addresses or NEW)
        case.cleanup.callback(self.load.stopping.set)
        until(lambda: self.load.count(250) >= 3 * len(OWNERS), lambda: f"the first messages; {self.load.codes}")
        equal(self.log.log_count(" breaker_opened "), 0, "breaker opened while all was well")
        gateway.dns.outage = what
        until(lambda: self.log.log_count(f" breaker_opened signal={signal} "), "the breaker to open", 60)
        opened = self.load.count(250)
        until(lambda: self.load.count(250) >= opened + 10, "mail to be taken although nothing can be looked up")
        self.check_status()

    def check_status(self):
        _, output, _ = self.log.command("status", "--json")
        shown = json.loads(output)["breaker"]
        check(shown["state"] in ("open", "half_open") and shown["opened_by"] == self.signal and shown["closes_when"], shown)
        _, output, _ = self.log.command("status")
        check("the unknown-IP check only observes (breaker " in output and "dig -x" in output, output)

    def end(self, state, code, nameless):
        """`state`, `code`: what clients with a name seemed to be, and were answered before the breaker opened; `nameless`: what
        those without are answered again."""
        wanted = f'would_refuse .*state={state} .*because="breaker open"'
        check(self.log.log_count(wanted) >= 1, "what would have been refused is told")
        self.gateway.dns.outage = None
        until(lambda: self.log.log_count(f" breaker_closed signal={self.signal} "), "the breaker to close", 90)
        self.load.stop()
        codes = {each for codes in self.load.codes.values() for each in codes}
        check(codes <= {250, code}, f"no client with a confirmed name is refused for good: {codes}")
        equal(self.gateway.send(message("nameless"), source="127.200.0.1").code, nameless, "reply to a client without a name")
        self.check_mail()

    def check_mail(self):
        """All of it came, once; and so did the mail to the postmaster."""
        accepted = {name for name, replies in self.load.codes.items() if replies[-1] == 250}
        equal(len(accepted), len(self.load.codes), "messages taken in the end")
        alerts = 2 * self.log.log_count(" breaker_opened ")
        self.gateway.wait_delivered(len(accepted) + alerts, 60)
        delivered = re.findall(rb"<(load-\d+)@", b"".join(self.gateway.sink.contents()))
        equal({name.decode() for name in delivered}, accepted, "messages delivered")
        equal(len(delivered), len(accepted), "copies delivered")
        equal(sorted(set(subjects(self.gateway))), ["gw.test: the unknown-IP check is back (breaker closed)",
                                                    "gw.test: the unknown-IP check only observes (breaker open)"],
              "mail to the postmaster")


@suite.case("breaker-outage", "the resolver falls silent under load: observes, refuses nobody for good, loses nothing, comes back")
def breaker_outage(case):
    # What a client without a name reads is permanent: so that a wrong verdict would show.
    gateway = Gateway(case, settings(case, no_ptr="550"), records=records())
    Outage(case, gateway, SILENT, "temperror").end("temperror", code=451, nameless=550)
    told = (case.path("alerts") / "told").read_text()
    check(re.match(r"breaker_opened temperror of \d+\nbreaker_closed temperror of \d+\n", told), f"the command was told: {told}")


@suite.case("breaker-servfail", "the same when the resolver answers SERVFAIL to everything")
def breaker_servfail(case):
    gateway = Gateway(case, settings(case, no_ptr="550"), records=records())
    Outage(case, gateway, SERVFAIL, "temperror").end("temperror", code=451, nameless=550)


@suite.case("breaker-refused", "the same when it denies that any name exists, to clients that had one before")
def breaker_refused(case):
    gateway = Gateway(case, settings(case, no_ptr="450"), records=records())
    gateway.dns.ttl = 1
    Outage(case, gateway, NXDOMAIN, "refused", RETURNING).end("no_ptr", code=450, nameless=450)


@suite.case("breaker-one-client", "a proxy hides the clients: the check observes, the administrator is told; a broken command too")
def breaker_one_client(case):
    gateway = Gateway(case, settings(case, no_ptr="550", one_client_percent=90, one_client_connections_min=5,
                                     command=["/bin/false"]), records=records())
    for number in range(4):
        equal(gateway.send(message(f"early-{number}"), source="127.200.0.1").code, 550, "reply before")
    equal(gateway.send(message("later"), source="127.200.0.1").code, 250, "reply when it is seen to be all clients")
    log = gateway.postern
    check(log.log_count(" breaker_opened signal=one_client .*127\\.200\\.0\\.1"), "the log names the address")
    until(lambda: log.log_count("breaker_command_failed error=\"/bin/false ended with status 1\""), "the log to name the command")
