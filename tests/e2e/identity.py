"""Who the client is: PROXY headers, XCLIENT, XFORWARD and known hosts, from real sockets."""

import re
import socket
import struct

from fixture import RECIPIENT, SENDER, Gateway, message, suite
from harness.dns_stub import A, PTR, reverse
from harness.runner import check, equal
from harness.wait import until
from policy import CASE, HEAD, enforce, records

PROXY, OTHER = "127.9.0.1", "127.9.0.2"
GOOD, BAD = "127.1.0.1", "127.2.0.1"
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def line(client):
    return f"PROXY TCP4 {client} 127.0.0.1 4711 25\r\n".encode()


def crc32c(data):
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
    return value ^ 0xFFFFFFFF


def binary(client, command=0x21):
    """Version 2 with a checksum and a no-op behind the addresses."""
    block = socket.inet_aton(client) + socket.inet_aton("127.0.0.1") + struct.pack("!HH", 4711, 25)

    def with_checksum(value):
        rest = block + b"\x03\0\4" + struct.pack("!I", value) + b"\x04\0\2xx"
        return SIGNATURE + bytes([command, 0x11]) + struct.pack("!H", len(rest)) + rest

    return with_checksum(crc32c(with_checksum(0)))


def said_to(client):
    """All that comes until the connection ends; a reset ends it too, since our bytes are left unread."""
    try:
        return client.socket.recv(100)
    except ConnectionResetError:
        return b""


def refused_for(client, address, greet=True):
    if greet:
        client.hello()
    client.expect(f"MAIL FROM:<{SENDER}>", 250)
    reply = client.command(f"RCPT TO:<{RECIPIENT}>")
    check(re.fullmatch((HEAD + "no PTR record" + CASE).replace("{}", re.escape(address)), reply), f"{address}: {reply!r}")


@suite.case("proxy-protocol", "behind a load balancer the check, reply and trace are the real client's; version 1 and 2")
def proxy_protocol(case):
    settings = enforce() | {"proxies": {"proxy_protocol": [PROXY], "header_timeout": "1s"}}
    gateway = Gateway(case, settings, records=records())
    for number, header in enumerate((line, binary)):
        client = gateway.client(source=PROXY)
        client.send(header(BAD))
        refused_for(client, BAD)
        client = gateway.client(source=PROXY)
        for byte in header(GOOD):
            client.send(bytes([byte]))
        client.hello()
        client.envelope(SENDER, [RECIPIENT])
        equal(client.data(message(f"good{number}")).code, 250, "the message of a confirmed client")
    contents = [m.content for m in gateway.wait_delivered(2)]
    check(all(b"[127.1.0.1]" in c and PROXY.encode() not in c for c in contents), "the trace names the client")
    check(gateway.postern.log_count(rf"refused client={BAD} .*via={PROXY}") == 2, "refusals name the proxy")

    health = gateway.client(source=PROXY)
    health.send(binary(BAD, command=0x20))
    health.hello()
    equal(health.command("QUIT").code, 221, "a health check")
    for wrong in (b"EHLO client.test\r\n", b"PROXY TCP4 x\r\n", SIGNATURE + b"\x31\x11\0\0", b""):
        client = gateway.client(source=PROXY)
        client.send(wrong)
        equal(said_to(client), b"", f"words to a proxy that began with {wrong!r}")
    until(lambda: gateway.postern.log_count("no_proxy_header") >= 1, "the log to tell, at most once a second")
    stranger = gateway.client(source=OTHER)
    equal(stranger.reply().code, 220, "a stranger is greeted")
    stranger.send(line(GOOD))
    equal(stranger.reply().code, 554, "and his header is refused")
    stranger = gateway.client(source=OTHER)
    equal(stranger.reply().code, 220, "another is greeted")
    stranger.send(binary(GOOD))
    equal([stranger.reply().code for _ in range(3)], [500, 500, 554], "and his binary header is refused")
    gateway.accepted(message("direct"), source=GOOD)


@suite.case("xclient", "XCLIENT and XFORWARD from a listed proxy; nobody else may")
def xclient(case):
    settings = enforce() | {"proxies": {"xclient": [PROXY], "xforward": [GOOD]}}
    gateway = Gateway(case, settings, records=records())
    client = gateway.client(source=PROXY)
    check("XCLIENT NAME ADDR" in client.hello(), "EHLO announces XCLIENT")
    client.expect(f"XCLIENT NAME=mx.sender.test ADDR={BAD}", 220)
    client.expect("EHLO client.test", 250)
    refused_for(client, BAD, greet=False)
    client.expect("RSET", 250)
    check(client.command(f"XCLIENT ADDR={GOOD}").startswith("550 5.7.0 "), "a client who has greeted speaks for himself")
    client = gateway.client(source=PROXY)
    client.hello()
    client.expect(f"XCLIENT ADDR={GOOD}", 220)
    check("XCLIENT" not in client.command("EHLO client.test"), "EHLO does not announce it to the named client")
    client.expect("XFORWARD ADDR=192.0.2.7 IDENT=4F7KQ2", 250)
    client.envelope(SENDER, [RECIPIENT])
    equal(client.data(message("xclient")).code, 250, "the message of a confirmed client")
    content = gateway.wait_delivered(1)[0].content
    check(b"[127.1.0.1]" in content and PROXY.encode() not in content, f"the trace: {content[:400]!r}")
    check(gateway.postern.log_count("forwarded .*orig_client=192.0.2.7 .*orig_id=4F7KQ2") == 1, "XFORWARD is logged")
    stranger = gateway.client(source=GOOD)
    check("XCLIENT" not in stranger.hello(), "EHLO does not announce it to others")
    check(stranger.command(f"XCLIENT ADDR={GOOD}").startswith("550 5.7.0 "), "550 for others")


# Hosts that stand in trace fields only; loopback addresses there are the known host itself.
GOOD_HOP, BAD_HOP = "192.0.2.8", "192.0.2.7"


def handed_on(message_id, hop, forged):
    """As Postfix on a known host writes it; below stands what a spammer wrote."""
    return (f"Received: from [{forged}] (unknown [{hop}])\r\n\tby relay.test (Postfix) with ESMTP id 1;\r\n"
            "\tMon, 02 Nov 2026 10:00:00 +0000\r\n"
            f"Received: from x (mx.sender.test [{forged}]) by y (Postfix)\r\n").encode() + message(message_id)


@suite.case("known-hosts", "a known host is not checked; the host before it is, and decides after the data by choice")
def known_hosts(case):
    hosts = {"known_hosts": [PROXY]}
    names = {reverse(GOOD_HOP): {PTR: ["mx.hop.test"]}, "mx.hop.test": {A: [GOOD_HOP]}}
    gateway = Gateway(case, enforce(**hosts), records=records() | names)
    equal(gateway.send(handed_on("recorded", BAD_HOP, GOOD_HOP), source=PROXY).code, 250, "record: accepted")
    gateway.wait_delivered(1)
    check(gateway.postern.log_count(rf"would_refuse client={BAD_HOP} .*via={PROXY}") == 1, "record: in the log")
    gateway.postern.stop()
    gateway.postern.write_config(enforce(**hosts, known_hosts_decide="refuse"))
    gateway.postern.start()
    reply = gateway.send(handed_on("refused", BAD_HOP, GOOD_HOP), source=PROXY)
    check(re.fullmatch((HEAD + "no PTR record" + CASE).replace("{}", re.escape(BAD_HOP)), reply), f"refuse: {reply!r}")
    equal(gateway.send(handed_on("good", GOOD_HOP, BAD_HOP), source=PROXY).code, 250, "a confirmed hop")
    content = gateway.wait_delivered(2)[1].content
    check(b"iprev=pass" in content and b"policy.iprev=192.0.2.8" in content, f"its result: {content[:600]!r}")
    equal(gateway.postern.queue(), [], "queue")
