"""Clients that are slow, silent, many or gone."""

import resource
import socket
import struct
import time

from fixture import GATEWAY, PORT, RECIPIENT, SENDER, Gateway, message, suite
from harness import smtp_client
from harness.process import peak_memory_bytes
from harness.runner import check, equal
from harness.wait import until

CROWD = 10_000
CROWD_SOURCES = 500
IDLE_BYTES_MAX = 16 * 1024  # of resident memory for each idle connection, sanitizers excluded
TIMEOUT_SECONDS = 2
PATIENCE_SECONDS = 20


def closed_within(client, seconds):
    """Reads until the server closes; returns what it said and how long it took."""
    begun = time.monotonic()
    client.socket.settimeout(seconds)
    said = b""
    try:
        while data := client.file.read1(4096):
            said += data
    except ConnectionResetError:
        pass
    except TimeoutError:
        raise AssertionError(f"the server has not closed within {seconds} s; it said {said!r}") from None
    return said, time.monotonic() - begun


@suite.case("silent-clients", "clients that stop talking get 421 when their time is over")
def silent_clients(case):
    gateway = Gateway(case, {"smtp": {"command_timeout": f"{TIMEOUT_SECONDS}s", "data_timeout": f"{TIMEOUT_SECONDS}s"}})
    at_start, in_command, in_data = gateway.client(), gateway.client(), gateway.client()
    in_command.hello()
    in_command.send(b"MAIL FROM:<half")
    in_data.hello()
    in_data.envelope(SENDER, [RECIPIENT])
    in_data.expect("DATA", 354)
    in_data.send(message("half", 500_000))
    for client, what in ((at_start, "before EHLO"), (in_command, "in a command"), (in_data, "in data")):
        said, _ = closed_within(client, PATIENCE_SECONDS)
        check(b"421 " in said, f"{what}: {said!r}")
    equal(gateway.postern.queue(), [], "queue")
    gateway.still_serves()


@suite.case("dribbling-client", "a command sent one byte at a time does not get more time for each byte")
def dribbling_client(case):
    gateway = Gateway(case, {"smtp": {"command_timeout": f"{TIMEOUT_SECONDS}s"}})
    client = gateway.client()
    client.hello()
    client.socket.settimeout(TIMEOUT_SECONDS / 8)
    begun = time.monotonic()

    def ended():  # one byte, then the time that a reply is waited for
        try:
            client.send(b"X")
            return client.socket.recv(100) != b"never"
        except TimeoutError:
            return False
        except OSError:
            return True
    until(ended, "the server to end the session", PATIENCE_SECONDS, 0.0)
    check(time.monotonic() - begun < 3 * TIMEOUT_SECONDS, f"it took {time.monotonic() - begun:.1f} s")
    gateway.still_serves()


@suite.case("half-open", "clients that close half or vanish leave no session, no message")
def half_open(case):
    gateway = Gateway(case)
    half = gateway.client()
    half.hello()
    half.send(b"MAIL FROM:<sen")
    half.socket.shutdown(socket.SHUT_WR)
    closed_within(half, PATIENCE_SECONDS)
    whole = gateway.client()  # closes its half after QUIT has been sent: still gets its replies
    whole.reply()
    whole.send(b"EHLO client.test\r\nQUIT\r\n")
    whole.socket.shutdown(socket.SHUT_WR)
    equal([whole.reply().code, whole.reply().code], [250, 221], "replies after the client's end")
    for _ in range(50):  # reset in the middle of data
        client = gateway.client()
        client.hello()
        client.envelope(SENDER, [RECIPIENT])
        client.expect("DATA", 354)
        client.send(message("reset", 300_000))
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
    gateway.still_serves()
    equal(gateway.postern.queue(), [], "queue")
    equal(gateway.sink.count(), 1, "messages at the next hop")


def crowd(count):
    """Connections from many addresses, opened and left."""
    sockets = []
    for number in range(count):
        source = number % CROWD_SOURCES
        sockets.append(socket.create_connection((GATEWAY, PORT), timeout=60,
                                                source_address=(f"127.9.{source // 250}.{source % 250 + 1}", 0)))
    return sockets


def is_sanitized(program):
    return b"__asan_init" in program.read_bytes()


@suite.case("crowd", f"{CROWD} connections opened and left: all are greeted, a good client is served, memory is bounded")
def crowd_case(case):
    wanted = 2 * CROWD + 1000
    check(resource.getrlimit(resource.RLIMIT_NOFILE)[0] > CROWD + 500, "too few files may be open for this test")
    gateway = Gateway(case, {"limits": {"sessions_max": wanted, "sessions_per_client_max": wanted}})
    before = peak_memory_bytes(gateway.postern.pid)
    begun = time.monotonic()
    sockets = crowd(CROWD)
    for connection in sockets:
        check(connection.recv(512).startswith(b"220 "), "a greeting for each connection")
    taken = time.monotonic() - begun
    gateway.still_serves()
    each = (peak_memory_bytes(gateway.postern.pid) - before) / CROWD
    case.note(f"{CROWD} greeted in {taken:.1f} s, {each / 1024:.1f} KiB of memory each")
    check(is_sanitized(case.postern_path) or each < IDLE_BYTES_MAX, f"{each:.0f} bytes for each idle connection")
    for connection in sockets:
        connection.close()
    gateway.still_serves()


@suite.case("sessions-max", "connections beyond the limit get 421 at once; the next after one has ended is served")
def sessions_max(case):
    def greeted():
        connection = crowd(1)[0]
        return connection if connection.recv(512).startswith(b"220 ") else connection.close()

    gateway = Gateway(case, {"limits": {"sessions_max": 200}})
    sockets = crowd(200)
    early = [connection for connection in sockets if not connection.recv(512).startswith(b"220 ")]
    # Our own look at the port, when the server started, may not have ended when they came.
    check(len(early) <= 1, f"a greeting below the limit, to all but {len(early)}")
    for connection in early:
        connection.close()
        sockets[sockets.index(connection)] = until(greeted, "a greeting below the limit")
    beyond = crowd(20)
    for connection in beyond:
        reply = connection.recv(512)
        check(reply.startswith(b"421 "), f"beyond the limit: {reply!r}")
    for connection in sockets + beyond:
        connection.close()

    def served():
        client = smtp_client.Client(GATEWAY, PORT)
        with client:
            return client.reply().code == 220
    until(served, "room for a new session")
    gateway.still_serves()


@suite.case("sessions-per-client", "one client's connections beyond its limit get 421, others are served")
def sessions_per_client(case):
    gateway = Gateway(case, {"limits": {"sessions_per_client_max": 5}})
    held = [gateway.client(source="127.1.0.1") for _ in range(5)]
    equal([c.reply().code for c in held], [220] * 5, "greetings below the limit")
    equal(gateway.client(source="127.1.0.1").reply().code, 421, "greeting beyond the limit")
    equal(gateway.client(source="127.1.0.2").reply().code, 220, "greeting of another client")


@suite.case("slow-reader", "a client that never reads its replies is cut off and costs no memory")
def slow_reader(case):
    gateway = Gateway(case, {"smtp": {"command_timeout": f"{TIMEOUT_SECONDS}s"}})
    client = gateway.client()
    client.hello()
    before = peak_memory_bytes(gateway.postern.pid)
    client.socket.settimeout(1)

    def ended():
        try:
            client.send(b"NOOP\r\n" * 20_000)
            return False
        except TimeoutError:
            return False
        except OSError:
            return True
    until(ended, "the server to end the session", 60, 0.0)
    grown = peak_memory_bytes(gateway.postern.pid) - before
    check(grown < 8 << 20, f"replies that nobody reads cost {grown >> 20} MiB")
    gateway.still_serves()
