"""Signals, and the queue commands against the running server."""

import json
import signal

from fixture import GATEWAY, PORT, RECIPIENT, SENDER, Gateway, message, suite
from harness.process import can_connect
from harness.runner import check, equal
from harness.wait import until

HOLD = "450 4.2.0 not now"


@suite.case("drain", "SIGTERM: a message under way is taken, others get 421, the exit status is 0")
def drain(case):
    gateway = Gateway(case)
    busy, idle = gateway.client(), gateway.client()
    busy.hello()
    idle.hello()
    busy.envelope(SENDER, [RECIPIENT])
    busy.expect("DATA", 354)
    busy.send(b"Subject: under way\r\n\r\nfirst half\r\n")
    gateway.postern.process.signal(signal.SIGTERM)
    until(lambda: not can_connect(GATEWAY, PORT), "the port to be closed")
    equal(idle.reply().code, 421, "the idle session's last reply")
    busy.send(b"second half\r\n.\r\n")
    equal(busy.reply().code, 250, "the reply to the message that was under way")
    equal(gateway.postern.process.wait_end(20), 0, "exit status")
    if gateway.sink.count() == 0:
        gateway.postern.start()
    content = gateway.wait_delivered(1)[0].content
    check(b"first half\r\nsecond half\r\n" in content, "the message that was under way is whole")


@suite.case("drain-stuck", "SIGTERM: a client that does nothing more does not hold up the end")
def drain_stuck(case):
    gateway = Gateway(case)
    stuck = gateway.client()
    stuck.hello()
    stuck.envelope(SENDER, [RECIPIENT])
    stuck.expect("DATA", 354)
    gateway.postern.process.signal(signal.SIGTERM)
    equal(gateway.postern.process.wait_end(45), 0, "exit status")


@suite.case("reload", "SIGHUP takes the new configuration, sessions go on; a broken one is told and the old one stays")
def reload(case):
    gateway = Gateway(case)
    before = gateway.client()
    before.hello()
    check(gateway.send(message("x"), recipients=["a@new.test"]).code >= 500, "the domain is not known yet")
    route = {"domain": "new.test", "next_hop": ["smtp://127.0.0.1:2626"]}
    gateway.postern.write_config({"relay": {"domains": ["example.test", "new.test"]},
                                  "route": gateway.postern.settings["route"] + [route]})
    gateway.postern.process.signal(signal.SIGHUP)
    until(lambda: gateway.send(message("new"), recipients=["a@new.test"]).code == 250, "the new domain to be taken")
    before.expect("NOOP", 250)
    gateway.wait_delivered(1)
    gateway.postern.config.write_text("[server]\nnonsense = 1\n")
    gateway.postern.process.signal(signal.SIGHUP)
    until(lambda: "nonsense" in gateway.postern.log_text() + gateway.postern.process.output.read_text(),
          "the broken configuration to be told")
    equal(gateway.send(message("kept"), recipients=["a@new.test"]).code, 250, "with the old configuration")
    before.expect("NOOP", 250)


def queued(case):
    """A gateway whose queue holds three messages, and their ids in order of arrival."""
    gateway = Gateway(case, {"delivery": {"retry": ["10m"]}})
    gateway.sink.replies["MAIL"] = HOLD
    for number in range(3):
        gateway.accepted(message(f"queued-{number}"))
    messages = gateway.postern.wait_queue(3)
    return gateway, [m["id"] for m in messages]


@suite.case("queue-list-show", "queue list and show, for people and as JSON")
def queue_list_show(case):
    gateway, ids = queued(case)
    server = gateway.postern
    status, text, _ = server.command("queue", "list")
    check(status == 0 and all(i in text for i in ids) and SENDER in text, f"queue list: {text}")
    until(lambda: HOLD in server.command("queue", "show", ids[0])[1], lambda: f"the next hop's reply in: "
          f"{server.command('queue', 'show', ids[0])}")
    status, text, _ = server.command("queue", "show", ids[0], "--json")
    equal(status, 0, "exit status of queue show --json")
    shown = json.dumps(json.loads(text))
    for word in (ids[0], SENDER, RECIPIENT, HOLD):
        check(word in shown, f"{word} is not in {shown}")
    status, text, errors = server.command("queue", "show", "0000000000000")
    check(0 < status < 126 and (text + errors).strip(), f"an unknown id: exit status {status}: {text}{errors}")
    status, text, errors = server.command("queue", "show", "../../etc/passwd")
    check(0 < status < 126 and (text + errors).strip(), f"no id at all: exit status {status}: {text}{errors}")


@suite.case("queue-retry-flush", "queue retry delivers one message now, queue flush all the others")
def queue_retry_flush(case):
    gateway, ids = queued(case)
    server = gateway.postern
    until(lambda: all(HOLD in server.command("queue", "show", i)[1] for i in ids), "the first attempts")
    gateway.sink.replies = {}
    equal(server.command("queue", "retry", ids[1])[0], 0, "exit status of queue retry")
    content = gateway.wait_delivered(1)[0].content
    check(b"<queued-1@" in content, "the message that was asked for")
    server.wait_queue(2)
    status, output, _ = server.command("queue", "flush", "--json")
    equal(status, 0, "exit status of queue flush")
    json.loads(output)
    gateway.wait_delivered(3)
    server.wait_queue(0)


@suite.case("queue-remove", "queue remove deletes one message without a report")
def queue_remove(case):
    gateway, ids = queued(case)
    server = gateway.postern
    until(lambda: HOLD in server.command("queue", "show", ids[0])[1], "the first attempt")
    status, output, errors = server.command("queue", "remove", ids[0], "--json")
    check(status == 0, f"queue remove: exit status {status}: {output}{errors}")
    equal([m["id"] for m in server.wait_queue(2)], ids[1:], "what is left")
    check(server.command("queue", "remove", ids[0])[0] != 0, "removing it again is an error")
    gateway.sink.replies = {}
    server.command("queue", "flush")
    gateway.wait_delivered(2)
    check(not any(b"queued-0" in c for c in gateway.sink.contents()), "a removed message was delivered or reported")


@suite.case("queue-no-server", "queue commands without a running server say so")
def queue_no_server(case):
    gateway = Gateway(case, start=False)
    for words in (("list",), ("flush",), ("show", "0000000000000"), ("retry", "0000000000000"), ("remove", "0000000000000")):
        status, output, errors = gateway.postern.command("queue", *words)
        check(0 < status < 126, f"queue {words}: exit status {status}")
        check("run" in errors, f"queue {words}: the message does not say that the server must run: {output}{errors}")


@suite.case("restart", "SIGTERM and start: the queue and its schedule are as before")
def restart(case):
    gateway, ids = queued(case)
    gateway.postern.stop()
    gateway.postern.start()
    equal([m["id"] for m in gateway.postern.wait_queue(3)], ids, "ids after the restart")
    gateway.sink.replies = {}
    gateway.postern.command("queue", "flush")
    gateway.wait_delivered(3)
