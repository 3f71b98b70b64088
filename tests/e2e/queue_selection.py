"""Queue commands that choose messages: hold, release, bounce, dry runs."""

import json

from fixture import RECIPIENT, SENDER, Gateway, message, suite
from harness.runner import check, equal
from harness.wait import until

LATER = "450 4.2.0 not now"


def queued(case):
    gateway = Gateway(case, {"delivery": {"retry": ["10m"]}})
    gateway.sink.replies["MAIL"] = LATER
    for number in range(3):
        gateway.accepted(message(f"chosen-{number}"))
    ids = [m["id"] for m in gateway.postern.wait_queue(3)]
    until(lambda: all(LATER in gateway.postern.command("queue", "show", i)[1] for i in ids), "the first attempts")
    return gateway, ids


@suite.case("queue-hold", "a held message rests, also over a restart, until it is released")
def queue_hold(case):
    gateway, ids = queued(case)
    server = gateway.postern
    status, output, errors = server.command("queue", "hold", ids[0], ids[1], "--json")
    check(status == 0 and json.loads(output)["changed"] == 2, f"hold: {status} {output}{errors}")
    server.stop()
    server.start()
    gateway.sink.replies = {}
    server.command("queue", "flush")
    gateway.wait_delivered(1)
    equal([m["id"] for m in server.wait_queue(2)], ids[:2], "what is held")
    check("held" in server.command("queue", "list", "--held")[1], "the list says held")
    status, output, _ = server.command("queue", "release", "--held")
    check(status == 0 and "2 messages released" in output, f"release: {status} {output}")
    gateway.wait_delivered(3)


@suite.case("queue-bounce", "bounce removes with a report that gives the reason")
def queue_bounce(case):
    gateway, ids = queued(case)
    server = gateway.postern
    status, output, _ = server.command("queue", "bounce", "--recipient", RECIPIENT, "--dry-run")
    check(status == 0 and all(i in output for i in ids) and "would be" in output, f"dry run: {output}")
    server.wait_queue(3)
    gateway.sink.replies = {}
    status, output, errors = server.command("queue", "bounce", ids[0], "--reason", "The box is closed.")
    equal(status, 0, f"exit status of queue bounce: {output}{errors}")
    report = gateway.wait_delivered(1)[0].content
    for words in (b"The box is closed.", b"5.7.0", SENDER.encode(), RECIPIENT.encode()):
        check(words in report, f"{words} in the report")
    server.wait_queue(2)


@suite.case("queue-all", "what changes messages refuses to guess which")
def queue_all(case):
    gateway, _ = queued(case)
    server = gateway.postern
    for verb in ("remove", "bounce", "hold", "release", "retry"):
        status, _, errors = server.command("queue", verb)
        check(status == 2 and "--all" in errors, f"queue {verb}: {status} {errors}")
    status, output, _ = server.command("queue", "remove", "--all")
    check(status == 0 and "3 messages removed" in output, f"remove --all: {status} {output}")
    server.wait_queue(0)
