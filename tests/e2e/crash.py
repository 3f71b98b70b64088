"""The real store under load: kill -9 at random moments and at chosen system calls, and a disk that does not sync."""

import dataclasses
import os
import random
import re
import threading
import time

from fixture import GATEWAY, PORT, Gateway, message, suite
from harness import smtp_client
from harness.runner import check, equal
from harness.wait import until

ROUNDS = int(os.environ.get("POSTERN_CRASH_ROUNDS", "12"))  # of each case that kills
UPSTREAMS = 6
DELIVERED, REFUSED = "ok@example.test", "gone@example.test"
LARGE_BYTES = 200_000  # beyond what the store keeps beside the record: a file of its own
CONNECTIONS_MAX = 10
# What was handed over shortly before a kill may come again, since its outcome was not yet on disk.
IN_FLIGHT_SECONDS = 3.0
# Where the server is killed: before the Nth of these calls, of whichever thread makes it. The socket's calls are the
# moments between a commit and its "250", and between the next hop's "250" and the commit.
POINTS = {"fdatasync": 60, "write": 300, "sendto": 400, "recvfrom": 400, "unlink": 4, "openat": 30}


@dataclasses.dataclass
class Sent:
    """A message that was acknowledged."""
    token: str
    recipients: tuple


class Upstream(threading.Thread):
    """A sender that never sends a message twice: what it was not told 250 for it forgets."""

    def __init__(self, name, dice):
        super().__init__(daemon=True)
        self.prefix, self.dice = name, dice
        self.acknowledged, self.unclear, self.refused = [], 0, 0
        self.wrong = []  # what no server may answer or do to a sender that does everything right
        self.running = True

    def run(self):
        number = 0
        while self.running:
            try:
                with smtp_client.Client(GATEWAY, PORT, seconds=20) as client:
                    going_on = self.positive(client.reply()) and self.positive(client.command("EHLO client.test"))
                    while self.running and going_on:
                        number += 1
                        going_on = self.send(client, f"{self.prefix}-{number}")
            except OSError:  # the server is gone, or going
                time.sleep(0.01)
            except Exception as error:  # a thread that ends in silence would be a load that ends in silence
                self.wrong.append(repr(error))
                raise

    def positive(self, reply):
        """False: refused for now. There is no reason to refuse anything for good."""
        if reply.code >= 500:
            self.wrong.append(str(reply))
        return reply.code < 400

    def send(self, client, token):
        """Whether the connection is of more use."""
        recipients = self.dice.choice([(DELIVERED,), (REFUSED,), (DELIVERED, REFUSED)])
        for command in ["MAIL FROM:<sender@sender.test>", *(f"RCPT TO:<{r}>" for r in recipients), "DATA"]:
            if not self.positive(client.command(command)):
                return False
        size = LARGE_BYTES if self.dice.random() < 0.05 else self.dice.randrange(4000)
        self.unclear += 1
        client.send(smtp_client.stuffed(message(token, size)))
        reply = client.reply()
        self.unclear -= 1
        if self.positive(reply):
            self.acknowledged.append(Sent(token, recipients))
        else:
            self.refused += 1
        return True


class Load:
    """Several upstreams at once."""

    def __init__(self, case, seed):
        self.upstreams = [Upstream(f"u{i}", random.Random(f"{seed}-{i}")) for i in range(UPSTREAMS)]
        case.cleanup.callback(self.stop)
        for upstream in self.upstreams:
            upstream.start()

    def stop(self):
        for upstream in self.upstreams:
            upstream.running = False
        for upstream in self.upstreams:
            upstream.join(30)

    def acknowledged(self):
        return [sent for upstream in self.upstreams for sent in list(upstream.acknowledged)]

    def count(self):
        return sum(len(upstream.acknowledged) for upstream in self.upstreams)


def found_at(sink):
    """Token -> times of arrival, and token -> {Message-ID of a report: times}."""
    arrivals, reports = {}, {}
    with sink.lock:
        messages = list(sink.messages)
    for received in messages:
        ids = re.findall(rb"^Message-ID: <([^@>]+)@", received.content, re.MULTILINE)
        if received.sender:
            arrivals.setdefault(ids[0].decode(), []).append(received.at)
        else:  # a report: its own Message-ID, then that of the message it returns
            reports.setdefault(ids[1].decode(), {}).setdefault(ids[0].decode(), []).append(received.at)
    return arrivals, reports


def missing(load, sink):
    arrivals, reports = found_at(sink)
    return [sent.token for sent in load.acknowledged()
            if (DELIVERED in sent.recipients and sent.token not in arrivals)
            or (REFUSED in sent.recipients and sent.token not in reports)]


def account(case, gateway, load, kills):
    """Every acknowledged message arrived or was reported; second copies only of what was in flight at a kill."""
    load.stop()
    equal([wrong for upstream in load.upstreams for wrong in upstream.wrong], [], "what the senders met")
    until(lambda: not missing(load, gateway.sink),
          lambda: f"all {load.count()} acknowledged messages; missing: {missing(load, gateway.sink)[:5]}", 120, 0.5)
    until(lambda: not gateway.postern.queue(), lambda: f"an empty queue: {gateway.postern.queue()[:3]}", 60, 0.2)
    arrivals, reports = found_at(gateway.sink)
    repeated = 0
    for token, copies in reports.items():
        equal(len(copies), 1, f"reports composed about {token}")
    for what, times in [*arrivals.items(), *((t, times) for t, copies in reports.items() for times in copies.values())]:
        times = sorted(times)
        for first, second in zip(times, times[1:]):
            check(any(first - 0.5 <= kill <= second and kill - first <= IN_FLIGHT_SECONDS for kill in kills),
                  lambda: f"{what} came at {first:.3f} and {second:.3f} without a kill between them shortly after the first")
            repeated += 1
    check(repeated <= CONNECTIONS_MAX * len(kills), f"{repeated} second copies after {len(kills)} kills")
    damaged = gateway.postern.log_count("queue-record-damaged")
    equal(damaged, 0, "damaged records")
    case.note(f"{load.count()} acknowledged, none lost, {repeated} came twice (handed over when the kill came), "
              f"{sum(u.unclear for u in load.upstreams)} unclear to their senders, {len(kills)} kills")


def gateway_for(case):
    gateway = Gateway(case, {"delivery": {"connections_per_destination_max": CONNECTIONS_MAX},
                             "log": {"severity": "info", "postfix_rejects": False}}, start=False)
    gateway.sink.replies[REFUSED] = "550 5.1.1 no such user"
    return gateway


def interference(call, what):
    """A command that starts the server and does `what` to a system call, by strace's rules."""
    return ["strace", "-f", "-qqq", "-o", "/dev/null", "-e", f"trace={call}", "-e",
            f"inject={call}:{what}"]


@suite.case("crash-kill", "kill -9 at random moments under load: what got 250 arrives or is reported")
def crash_kill(case):
    gateway, dice = gateway_for(case), random.Random(1)
    gateway.postern.start()
    load, kills = Load(case, 1), []
    for _ in range(ROUNDS):
        before = load.count()
        until(lambda: load.count() > before, "a message to be taken", 30, 0.002)
        time.sleep(dice.random() * 0.4)  # the moment: anywhere in the load
        gateway.postern.kill()
        kills.append(time.monotonic())
        gateway.postern.start()
    account(case, gateway, load, kills)
    check(load.count() > 5 * ROUNDS, f"only {load.count()} messages were taken")


@suite.case("crash-points", "kill -9 before chosen system calls of every kind that changes or tells something")
def crash_points(case):
    gateway, dice = gateway_for(case), random.Random(2)
    load, kills, killed = Load(case, 2), [], {}
    for number in range(ROUNDS):
        call, most = list(POINTS.items())[number % len(POINTS)]
        nth = dice.randrange(1, most)
        gateway.postern.prefix = interference(call, f"signal=KILL:when={nth}")
        server = gateway.postern.spawn()
        until(lambda: not server.running(), f"the server to reach its {nth}th {call}", 60, 0.005)
        kills.append(time.monotonic())
        equal(server.child.returncode, -9, f"how it ended; it was to be killed before its {nth}th {call}")
        killed[call] = killed.get(call, 0) + 1
    gateway.postern.prefix = []
    gateway.postern.start()
    account(case, gateway, load, kills)
    case.note("killed before: " + ", ".join(f"{call} {count}" for call, count in killed.items()))


@suite.case("crash-sync-errors", "the disk refuses to sync now and then: 4xx to those it concerns, nothing lost")
def crash_sync_errors(case):
    gateway = gateway_for(case)
    gateway.postern.prefix = interference("fdatasync", "error=EIO:when=20+50")
    gateway.postern.start()
    load = Load(case, 3)
    refused = lambda: sum(u.refused for u in load.upstreams)  # noqa: E731
    until(lambda: refused() >= 3 and load.count() >= 200,
          lambda: f"200 messages taken and 3 refused: {load.count()} and {refused()}", 120, 0.05)
    check(gateway.postern.process.running(), "the server still runs")
    load.stop()
    gateway.postern.process.children_stop()
    gateway.postern.process.wait_end()
    kills = [time.monotonic()]
    gateway.postern.prefix = []
    gateway.postern.start()
    account(case, gateway, load, kills)
    case.note(f"{refused()} messages were refused for the time being")
