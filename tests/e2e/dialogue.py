"""What the server answers to clients that speak badly, and to those that want too much."""

import random

from fixture import RECIPIENT, SENDER, Gateway, message, suite
from harness.process import peak_memory_bytes
from harness.runner import check, equal

SEED = 20261102
MIB = 1 << 20


@suite.case("relay", "a good message is relayed as it came, with our trace field on top")
def relay(case):
    gateway = Gateway(case)
    content = message("relay", 4096)
    gateway.accepted(content)
    found = gateway.wait_delivered(1)[0]
    equal((found.sender, found.recipients), (SENDER, [RECIPIENT]), "envelope")
    check(found.content.endswith(content), "the message is unchanged")
    trace = found.content[:-len(content)]
    check(trace.startswith(b"Received: ") and b"gw.test" in trace, f"trace: {trace!r}")
    check(b"Return-Path" not in trace, "Return-Path belongs to the final delivery")


@suite.case("open-relay", "recipients of other domains are refused, however they are spelt")
def open_relay(case):
    gateway = Gateway(case)
    client = gateway.client()
    client.hello()
    client.expect(f"MAIL FROM:<{SENDER}>", 250)
    for address in ("user@elsewhere.test", "user@sub.example.test", "user@example.test.elsewhere.test",
                    "user%elsewhere.test@gw.test", "\"user@elsewhere.test\"@gw.test", "@example.test:user@elsewhere.test",
                    "user@elsewhere.test@gw.test", "user", "user@[127.0.0.1]"):
        reply = client.command(f"RCPT TO:<{address}>")
        check(500 <= reply.code < 600, f"RCPT TO:<{address}>: {reply!r}")
    reply = client.command("DATA")
    check(reply.code in (503, 554), f"DATA without recipients: {reply!r}")
    gateway.still_serves()
    equal(gateway.sink.count(), 1, "messages at the next hop")


@suite.case("unknown-commands", "unknown commands get 500, too many of them 421 and the end")
def unknown_commands(case):
    gateway = Gateway(case, {"smtp": {"errors_max": 10}})
    client = gateway.client()
    client.hello()
    replies = []
    try:
        for number in range(50):
            replies.append(client.command(f"FROBNICATE {number}"))
    except OSError:
        pass
    check(len(replies) <= 12, f"the session went on after {len(replies)} errors")
    check(all(r.code in (500, 502) for r in replies[:9]), f"replies: {replies[:9]}")
    equal(replies[-1].code, 421, "the last reply")
    gateway.still_serves()


@suite.case("wrong-order", "commands out of order and with wrong parameters get 503 and 501, and nothing breaks")
def wrong_order(case):
    client = Gateway(case).client()
    equal(client.reply().code, 220, "greeting")
    for command, codes in (("MAIL FROM:<a@sender.test>", (503,)), ("RCPT TO:<a@example.test>", (503,)), ("DATA", (503,)),
                           ("EHLO", (501,)), ("EHLO client.test", (250,)), ("RCPT TO:<a@example.test>", (503,)),
                           ("DATA", (503, 554)), ("MAIL FROM:a@sender.test junk", (501, 555)), ("MAIL", (501,)),
                           ("MAIL FROM:<a@sender.test> SIZE=many", (501,)), ("MAIL FROM:<a@sender.test> FOO=1", (555, 501)),
                           ("MAIL FROM:<a@sender.test>", (250,)), ("MAIL FROM:<a@sender.test>", (503,)),
                           ("DATA", (503, 554)), ("RCPT TO:<>", (501, 550, 553)), ("RSET", (250,)),
                           ("RCPT TO:<a@example.test>", (503,)), ("VRFY a", (252,)), ("HELP", (214,)), ("NOOP x", (250,)),
                           ("QUIT", (221,))):
        reply = client.command(command)
        check(reply.code in codes, f"{command}: {reply!r}, expected one of {codes}")


@suite.case("long-lines", "command lines beyond the limit get 500; without an end they cost no memory")
def long_lines(case):
    gateway = Gateway(case)
    client = gateway.client()
    client.hello()
    for length in (400, 3000, 5000, 100_000):  # RFC 5321 section 4.5.3.1.4 wants 512 at least; ours is 2048
        reply = client.command("NOOP " + "x" * length)
        check(reply.code in ((250,) if length == 400 else (500, 501, 421)), f"{length}: {reply!r}")
        if reply.code == 421:
            client = gateway.client()
            client.hello()
    before = peak_memory_bytes(gateway.postern.pid)
    endless = gateway.client()
    endless.hello()
    try:
        for _ in range(64):
            endless.send(b"A" * MIB)
    except OSError:
        pass  # the server may have had enough
    grown = peak_memory_bytes(gateway.postern.pid) - before
    check(grown < 8 * MIB, f"64 MiB without a line end cost {grown >> 20} MiB of memory")
    gateway.still_serves()


@suite.case("nul-bytes", "NULs in commands are refused; in data the message is refused or carried intact")
def nul_bytes(case):
    gateway = Gateway(case)
    client = gateway.client()
    client.hello()
    for command in (b"NO\0OP\r\n", b"MAIL FROM:<a\0b@sender.test>\r\n", b"\0\0\0\0\r\n"):
        client.send(command)
        reply = client.reply()
        check(reply.code in (500, 501, 502, 553), f"{command!r}: {reply!r}")
    content = message("nul") + b"a\0b\r\n\0\r\n"
    client.envelope(SENDER, [RECIPIENT])
    reply = client.data(content)
    check(reply.code == 250 or 500 <= reply.code < 600, f"NULs in data: {reply!r}")
    if reply.code == 250:
        check(gateway.wait_delivered(1)[0].content.endswith(content), "the message with NULs is unchanged")
    gateway.still_serves()


@suite.case("binary", "random bytes on 200 connections: the server goes on and nothing is queued")
def binary(case):
    gateway = Gateway(case)
    source = random.Random(SEED)
    for number in range(200):
        client = gateway.client()
        client.reply()
        noise = source.randbytes(source.randrange(1, 20_000))
        try:
            if number % 2:
                client.send(b"EHLO client.test\r\n")
            client.send(noise)
            client.send(b"\r\nQUIT\r\n")
        except OSError:
            pass
        client.close()
    check(gateway.postern.process.running(), "the server still runs")
    equal(gateway.postern.queue(), [], "queue")
    gateway.still_serves()


@suite.case("bare-newlines", "a bare LF or CR ends neither data nor command: no message can be smuggled")
def bare_newlines(case):
    gateway = Gateway(case)
    inner = b"MAIL FROM:<evil@sender.test>\r\nRCPT TO:<recipient@example.test>\r\nDATA\r\nSubject: smuggled\r\n\r\nx\r\n.\r\n"
    for ending in (b"\n.\n", b"\r\n.\n", b"\n.\r\n", b"\r.\r", b"\r\n.\r", b"\r.\r\n", b"\r\n\0.\r\n"):
        client = gateway.client()
        client.hello()
        client.envelope(SENDER, [RECIPIENT])
        client.expect("DATA", 354)
        client.send(message("outer") + b"text" + ending + inner)
        try:
            reply = client.reply()
            check(reply.code >= 500, f"ending {ending!r}: {reply!r}")
            client.expect("NOOP", 250)
        except ConnectionError:
            pass  # closing is an answer, too
        client.close()
    gateway.still_serves()
    check(all(m.sender != "evil@sender.test" for m in gateway.sink.messages), "a smuggled message arrived")


@suite.case("message-size", "messages beyond the limit get 552, announced or not, and leave nothing")
def message_size(case):
    gateway = Gateway(case, {"limits": {"message_bytes_max": 100_000}})
    client = gateway.client()
    check("SIZE 100000" in client.hello(), "EHLO offers SIZE 100000")
    equal(client.command(f"MAIL FROM:<{SENDER}> SIZE=100001").code, 552, "an announced size beyond the limit")
    client.envelope(SENDER, [RECIPIENT])
    equal(client.data(message("big", 3_000_000)).code, 552, "a message beyond the limit")
    client.envelope(SENDER, [RECIPIENT])
    equal(client.data(message("fits", 50_000)).code, 250, "a message that fits, in the same session")
    gateway.wait_delivered(1)
    equal(gateway.sink.count(), 1, "messages at the next hop")


@suite.case("recipients", "recipients beyond the limit get 452, the others get the message")
def recipients(case):
    gateway = Gateway(case, {"limits": {"recipients_max": 100}})
    client = gateway.client()
    client.hello()
    client.expect(f"MAIL FROM:<{SENDER}>", 250)
    codes = [client.command(f"RCPT TO:<user{n}@example.test>").code for n in range(110)]
    equal((codes[:100], codes[100:]), ([250] * 100, [452] * 10), "replies to RCPT")
    equal(client.data(message("many")).code, 250, "the message")
    gateway.wait_delivered(1)
    got = sorted(r for m in gateway.sink.messages for r in m.recipients)
    equal(got, sorted(f"user{n}@example.test" for n in range(100)), "recipients at the next hop")


@suite.case("mail-loop", "a message with too many Received fields is refused as a loop")
def mail_loop(case):
    gateway = Gateway(case, {"limits": {"received_max": 30}})
    trace = b"Received: from a.test by b.test; Mon, 02 Nov 2026 10:00:00 +0000\r\n"
    equal(gateway.send(trace * 20 + message("passed-on")).code, 250, "20 Received fields")
    reply = gateway.send(trace * 31 + message("loops"))
    check(reply.startswith("554 5.4.6"), f"31 Received fields: {reply!r}")


@suite.case("pipelining", "a whole session in one packet gets each reply in order")
def pipelining(case):
    gateway = Gateway(case)
    client = gateway.client()
    client.hello()
    client.send(f"MAIL FROM:<{SENDER}>\r\nRCPT TO:<{RECIPIENT}>\r\nRCPT TO:<x@elsewhere.test>\r\nDATA\r\n".encode())
    codes = [client.reply().code for _ in range(4)]
    check(codes[:2] == [250, 250] and codes[2] >= 550 and codes[3] == 354, f"replies: {codes}")
    client.send(message("piped") + b".\r\nNOOP\r\nQUIT\r\n")
    equal([client.reply().code for _ in range(3)], [250, 250, 221], "replies after the data")
    gateway.wait_delivered(1)
