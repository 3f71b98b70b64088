"""The breaker of the unknown-IP check: an outage of the resolver under load, and a proxy that hides the clients."""

import itertools
import json
import re
import threading

from fixture import GATEWAY, PORT, RECIPIENT, SENDER, Gateway, message, suite
from harness import smtp_client
from harness.dns_stub import A, PTR, reverse
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


def settings(case, **breaker):
    return {
        "server": {"postmaster": POSTMASTER},
        # What a client without a name reads is permanent: so that a wrong verdict would show.
        "unknown_ip": {"mode": "enforce", "check_private": True, "deadline": "1s", "actions": {"no_ptr": "550"},
                       "breaker": {"window": "20s", "temperror_networks_min": 5, "open_time": "2s", "open_time_max": "4s",
                                   "recovery_time": "1s", "command": [
                                       "/bin/sh", "-c", 'echo "$POSTERN_EVENT $POSTERN_SIGNAL of $POSTERN_TOTAL" >> "$1"', "sh",
                                       str(case.path("alerts") / "told")], **breaker}},
    }


class Load:
    """Servers that send one message after the other, each from an address that nobody has looked up yet, and between them
    try again what was answered 4xx."""

    SENDERS = 4

    def __init__(self):
        self.codes = {}  # of each message, all replies
        self.stopping = threading.Event()
        self.lock = threading.Lock()
        self.clients = (f"127.{owner}.0.{host}" for host in HOSTS for owner in OWNERS)
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


@suite.case("breaker-outage", "the resolver fails under load: observes, refuses nobody for good, loses nothing, comes back")
def breaker_outage(case):
    gateway = Gateway(case, settings(case), records=records())
    log = gateway.postern
    load = Load()
    case.cleanup.callback(load.stopping.set)
    until(lambda: load.count(250) >= 3 * len(OWNERS), lambda: f"the first messages; {load.codes}")
    equal(log.log_count(" breaker_opened "), 0, "breaker opened while all was well")

    gateway.dns.silent = True
    until(lambda: log.log_count(" breaker_opened signal=temperror "), "the breaker to open", 60)
    opened = load.count(250)
    until(lambda: load.count(250) >= opened + 10, "mail to be taken although nothing can be looked up")
    check(log.log_count("would_refuse .*state=temperror .*because=\"breaker open\"") >= 1, "what would have been refused is told")

    _, output, _ = log.command("status", "--json")
    shown = json.loads(output)["breaker"]
    check(shown["state"] in ("open", "half_open") and shown["opened_by"] == "temperror" and shown["closes_when"], shown)
    _, output, _ = log.command("status")
    check("the unknown-IP check only observes (breaker " in output and "dig -x" in output, output)

    gateway.dns.silent = False
    until(lambda: log.log_count(" breaker_closed signal=temperror "), "the breaker to close", 90)
    load.stop()
    codes = sorted({code for codes in load.codes.values() for code in codes})
    check(set(codes) <= {250, 451}, f"no client with a confirmed name is refused for good: {codes}")
    equal(gateway.send(message("nameless"), source="127.200.0.1").code, 550, "reply to a client without a name, after it")

    accepted = {name for name, replies in load.codes.items() if replies[-1] == 250}
    equal(len(accepted), len(load.codes), "messages taken in the end")
    alerts = 2 * log.log_count(" breaker_opened ")
    gateway.wait_delivered(len(accepted) + alerts, 60)
    delivered = re.findall(rb"<(load-\d+)@", b"".join(gateway.sink.contents()))
    equal({name.decode() for name in delivered}, accepted, "messages delivered")
    equal(len(delivered), len(accepted), "copies delivered")
    equal(sorted(set(subjects(gateway))), ["gw.test: the unknown-IP check is back (breaker closed)",
                                           "gw.test: the unknown-IP check only observes (breaker open)"], "mail to the postmaster")
    told = (case.path("alerts") / "told").read_text()
    check(re.match(r"breaker_opened temperror of \d+\nbreaker_closed temperror of \d+\n", told), f"the command was told: {told}")


@suite.case("breaker-one-client", "a proxy hides the clients: the check observes, the administrator is told; a broken command too")
def breaker_one_client(case):
    gateway = Gateway(case, settings(case, one_client_percent=90, one_client_connections_min=5, command=["/bin/false"]),
                      records=records())
    for number in range(4):
        equal(gateway.send(message(f"early-{number}"), source="127.200.0.1").code, 550, "reply before")
    equal(gateway.send(message("later"), source="127.200.0.1").code, 250, "reply when it is seen to be all clients")
    log = gateway.postern
    check(log.log_count(" breaker_opened signal=one_client .*127\\.200\\.0\\.1"), "the log names the address")
    until(lambda: log.log_count("breaker_command_failed error=\"/bin/false ended with status 1\""), "the log to name the command")
