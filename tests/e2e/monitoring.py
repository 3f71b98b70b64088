"""Metrics over HTTP, the files that use them, `postern status` and `postern top`."""

import contextlib
import fcntl
import json
import os
import pathlib
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import termios
import urllib.error
import urllib.request

from fixture import PORT, GATEWAY, RECIPIENT, SENDER, Gateway, message, suite
from harness import exposition, packages
from harness.dns_stub import A, PTR, SERVFAIL, reverse
from harness.process import can_connect
from harness.runner import check, equal
from harness.wait import until

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
RULES = REPOSITORY / "share/prometheus/postern.rules.yml"
DASHBOARD = REPOSITORY / "share/grafana/postern.json"
ALERTS = REPOSITORY / "tests/e2e/alerts.yml"
# Of its package nothing else is wanted, its server least of all.
PROMETHEUS = REPOSITORY / "build/e2e-cache/prometheus"
MANUAL = REPOSITORY / "docs/monitoring.md"
HTTP_PORT = 9125
KNOWN, NO_PTR, UNDETERMINED = "127.1.0.1", "127.2.0.1", "127.5.0.1"
FAMILIES = ("_unknown_ip_", "_breaker_", "_dns_", "_smtp_", "_queue_", "_delivery_", "_ledger_")
OPEN_METRICS = "application/openmetrics-text; version=1.0.0, text/plain;q=0.5"


def records():
    names = {reverse(address): {PTR: ["mx.sender.test"]} for address in (KNOWN, GATEWAY)}
    return {**names, "mx.sender.test": {A: [KNOWN, GATEWAY]}, reverse(UNDETERMINED): SERVFAIL}


def watched(case, **settings):
    """A gateway that serves HTTP, after one accepted message and three refused recipients."""
    gateway = Gateway(case, {"admin": {"http_listen": f"{GATEWAY}:{HTTP_PORT}"},
                             "unknown_ip": {"mode": "enforce", "check_private": True, "deadline": "3s"}, **settings},
                      records=records())
    equal(gateway.send(message("watched"), source=KNOWN).code, 250, "reply to a client with a name")
    gateway.wait_delivered(1)
    for client, times in ((NO_PTR, 2), (UNDETERMINED, 1)):
        session = gateway.client(source=client)
        session.hello()
        session.expect(f"MAIL FROM:<{SENDER}>", 250)
        for _ in range(times):
            check(session.command(f"RCPT TO:<{RECIPIENT}>").code in (450, 451), f"{client} is refused")
        session.expect("QUIT", 221)
    return gateway


def fetch(path, accept=None, method="GET"):
    """(status, content type, text)"""
    request = urllib.request.Request(f"http://{GATEWAY}:{HTTP_PORT}{path}", method=method,
                                     headers={"Accept": accept} if accept else {})
    try:
        with urllib.request.urlopen(request, timeout=10) as reply:
            return reply.status, reply.headers["Content-Type"], reply.read().decode()
    except urllib.error.HTTPError as reply:
        return reply.code, reply.headers["Content-Type"], reply.read().decode()


def metrics():
    return exposition.parse(fetch("/metrics")[2])


@suite.case("metrics", "what happened is counted, and both formats are right to the letter")
def counted(case):
    gateway = watched(case)
    until(lambda: exposition.value(metrics(), "postern_delivery_recipients_total", result="delivered") == 1,
          "the delivery to be counted")
    status, kind, text = fetch("/metrics")
    equal((status, kind), (200, "text/plain; version=0.0.4; charset=utf-8"), "status and type")
    families = exposition.parse(text)
    for name, labels, expected in (
            ("postern_unknown_ip_decisions_total", {"mode": "enforce", "state": "pass", "action": "accept"}, 1),
            ("postern_unknown_ip_decisions_total", {"mode": "enforce", "state": "no_ptr", "action": "450"}, 2),
            ("postern_unknown_ip_decisions_total", {"mode": "enforce", "state": "temperror", "action": "451"}, 1),
            ("postern_unknown_ip_decisions_total", {"mode": "observe"}, 0),
            ("postern_unknown_ip_checks_total", {"state": "no_ptr"}, 1),
            ("postern_unknown_ip_checks_total", {"state": "temperror"}, 1),
            ("postern_unknown_ip_mode", {"mode": "enforce"}, 1),
            ("postern_smtp_recipients_total", {"result": "accepted"}, 1),
            ("postern_smtp_recipients_total", {"result": "unknown_ip"}, 3),
            ("postern_smtp_messages_total", {"result": "accepted"}, 1),
            ("postern_smtp_replies_total", {"class": "4xx"}, 3),
            ("postern_smtp_replies_total", {"class": "3xx"}, 1),
            ("postern_dns_lookups_total", {"type": "PTR", "status": "NXDOMAIN"}, 1),
            ("postern_dns_lookups_total", {"type": "PTR", "status": "SERVFAIL"}, 1),
            ("postern_queue_messages", {}, 0),
            ("postern_ready", {}, 1)):
        equal(exposition.value(families, name, **labels), expected, f"{name} {labels}")
    check(exposition.value(families, "postern_smtp_message_bytes_total") > 100, "bytes of the message")
    check(exposition.value(families, "postern_spool_free_bytes") > 0, "free bytes")
    status, kind, text = fetch("/metrics", OPEN_METRICS)
    check(kind.startswith("application/openmetrics-text; version=1.0.0"), f"type: {kind}")
    equal(exposition.names(exposition.parse(text, open_metrics=True)), exposition.names(families), "names in OpenMetrics")
    for private in (SENDER, RECIPIENT, NO_PTR):
        check(private not in text, f"{private} is named over HTTP")
    gateway.still_serves()


def used_names(text):
    return set(re.findall(r"\bpostern_[a-z0-9_]+", text))


@suite.case("metrics-files", "rules, dashboard and manual use the names that the server has, and the manual has them all")
def files(case):
    watched(case)
    text = fetch("/metrics")[2]
    families = exposition.parse(text)
    known = exposition.names(families)
    for file in (RULES, DASHBOARD, MANUAL):
        unknown = used_names(file.read_text()) - known - set(families)
        equal(unknown, set(), f"names in {file.name} that the server does not have")
    equal(set(families) - used_names(MANUAL.read_text()), set(), "metrics that docs/monitoring.md does not explain")
    dashboard = json.loads(DASHBOARD.read_text())
    shown = " ".join(used_names(DASHBOARD.read_text()))
    equal([part for part in FAMILIES if part not in shown], [], "what the dashboard shows nothing of")
    identities = [panel["id"] for panel in dashboard["panels"]]
    equal(len(identities), len(set(identities)), "ids of panels, each once")


def _prepare(names):
    if "metrics-promtool" in names:
        packages.unpacked(PROMETHEUS, ["prometheus"], ["./usr/bin/promtool"])


suite.prepare = _prepare


def promtool(*words, **options):
    done = subprocess.run([PROMETHEUS / "usr/bin/promtool", *words], capture_output=True, text=True, **options)
    check(done.returncode == 0, f"promtool {words}: {done.stdout}{done.stderr}")
    return done.stdout + done.stderr


@suite.case("metrics-promtool", "Prometheus' own tool finds no fault with metrics and rules; alerts fire when they should")
def by_promtool(case):
    watched(case)
    equal(promtool("check", "metrics", input=fetch("/metrics")[2]), "", "what it says of the metrics")
    promtool("check", "rules", RULES)
    promtool("test", "rules", ALERTS)


@suite.case("http-health", "health pages, unknown pages and methods, garbage, a crowd; the mail goes on")
def health(case):
    gateway = watched(case)
    equal(fetch("/healthz")[::2], (200, "ok\n"), "/healthz")
    equal(fetch("/readyz")[::2], (200, "ok\n"), "/readyz")
    equal(fetch("/")[0], 404, "an unknown page")
    equal(fetch("/metrics", method="POST")[0], 405, "another method")
    equal(fetch("/metrics", method="HEAD")[::2], (200, ""), "HEAD")
    crowd = []
    for number in range(200):
        client = socket.create_connection((GATEWAY, HTTP_PORT), timeout=5)
        case.cleanup.callback(client.close)
        with contextlib.suppress(OSError):  # beyond the bound they are closed at once
            client.sendall(b"GET /metrics HT" if number % 2 else os.urandom(64))
        crowd.append(client)
    gateway.still_serves()
    for client in crowd:
        client.close()
    until(lambda: _answers("/healthz"), "HTTP to answer again", 30)


def _answers(path):
    try:
        return fetch(path)[0] == 200
    except OSError:
        return False


@suite.case("http-listen", "HTTP is off by default; an address in use is told; others than loopback get a warning")
def listen(case):
    gateway = Gateway(case)
    check(not can_connect(GATEWAY, HTTP_PORT), "HTTP is served without being asked for")
    gateway.postern.write_config({"admin": {"http_listen": f"{GATEWAY}:{PORT + 1}"}})
    status, output, _ = gateway.postern.command("check")
    check(status == 0 and f"http://{GATEWAY}:{PORT + 1}/metrics" in output, f"check: {output}")
    second = gateway.another("second", {"admin": {"http_listen": f"{GATEWAY}:{PORT}"}}, port=PORT + 7)
    second.spawn()
    check(second.process.wait_end() != 0, "it starts although the address is taken")
    output = second.process.output.read_text()
    check("[admin] http_listen" in output and f"{GATEWAY}:{PORT}" in output, f"what it says: {output}")
    second.write_config({"admin": {"http_listen": "0.0.0.0:9125"}})
    status, output, _ = second.command("check")
    check(status == 0 and "can be reached from other hosts" in output, f"check: {status}: {output}")


@suite.case("status", "postern status: text, JSON, and --check when something is wrong")
def status(case):
    gateway = watched(case)
    server = gateway.postern
    code, text, _ = server.command("status")
    equal(code, 0, "exit status")
    for words in ("ready", "gw.test", f"{GATEWAY}:{PORT}", "no_ptr 2", "temperror 1", "unknown_ip 3", "accepted 1"):
        check(words in text, f"{words!r} is not in: {text}")
    code, text, _ = server.command("status", "--json", "--check")
    equal(code, 0, "exit status when all is well")
    facts = json.loads(text)
    equal(facts["decisions"]["no_ptr"], 2, "decisions")
    equal((facts["ready"], facts["troubles"], facts["queue"]["messages"]), (True, [], 0), "what it tells")
    gateway.postern.stop()
    code, _, errors = server.command("status", "--check")
    check(code == 3 and "postern run" in errors, f"without a server: {code}: {errors}")


@suite.case("status-check", "postern status --check and /readyz while no mail can be taken")
def status_check(case):
    gateway = watched(case)
    busy = gateway.client(source=KNOWN)
    busy.hello()
    busy.envelope(SENDER, [RECIPIENT])
    busy.expect("DATA", 354)
    gateway.postern.process.signal(signal.SIGTERM)
    until(lambda: not can_connect(GATEWAY, PORT), "the port to be closed")
    code, text, _ = gateway.postern.command("status", "--check")
    equal(code, 1, f"exit status while it stops: {text}")
    check("NOT READY" in text and "stopping" in text, text)
    equal(gateway.postern.command("status")[0], 0, "exit status without --check")
    code, _, text = fetch("/readyz")
    check(code == 503 and "stopping" in text, f"/readyz: {code} {text}")
    equal(fetch("/healthz")[0], 200, "/healthz")
    busy.send(b"the end\r\n.\r\n")
    equal(busy.reply().code, 250, "the message that was under way")


@suite.case("top-once", "postern top --once and --json, and what it is not given")
def top_once(case):
    gateway = watched(case)
    server = gateway.postern
    code, text, errors = server.command("top", "--once", "--interval", "200ms")
    equal((code, errors), (0, ""), "exit status and errors")
    lines = text.split("\n")
    check(len(lines) <= 25 and all(len(line) <= 80 for line in lines), f"it does not fit 80x24: {text}")
    check("\x1b" not in text, "escapes without a terminal")
    for words in ("gw.test", "ready", "mode enforce", "no_ptr", "temperror", NO_PTR, UNDETERMINED):
        check(words in text, f"{words!r} is not in: {text}")
    code, text, _ = server.command("top", "--once", "--json", "--interval", "200ms")
    figures = json.loads(text)
    totals = {entry["state"]: entry["total"] for entry in figures["decisions"]}
    equal((totals["pass"], totals["no_ptr"], totals["temperror"]), (1, 2, 1), "decisions")
    clients = {entry["client"]: (entry["cause"], entry["count"]) for entry in figures["refusals"]["clients"]}
    equal(clients, {NO_PTR: ("no_ptr", 2), UNDETERMINED: ("temperror", 1)}, "refused clients")
    for words, expected in ((("--interval", "1ms"), 2), (("--interval", "soon"), 2), (("--interval",), 2)):
        equal(server.command("top", "--once", *words)[0], expected, f"exit status of top {words}")
    stream = subprocess.Popen([str(server.program), "top", "--json", "--interval", "100ms", "--config", server.config],
                              stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
    case.cleanup.callback(stream.kill)
    for _ in range(3):
        check("hostname" in json.loads(stream.stdout.readline()), "one object a line")
    server.stop()
    equal(stream.wait(20), 3, "exit status when the server ends")


class Terminal:
    """`postern top` on a terminal of its own."""

    def __init__(self, server, rows=24, columns=80, **environment):
        self.controller, self.terminal = pty.openpty()
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.before = termios.tcgetattr(self.terminal)
        self.child = subprocess.Popen(
            [str(server.program), "top", "--interval", "200ms", "--config", str(server.config)], stdin=self.terminal,
            stdout=self.terminal, stderr=subprocess.PIPE, env={"TERM": "xterm", "PATH": os.environ["PATH"], **environment})
        self.output = ""

    def read(self):
        while select.select([self.controller], [], [], 0.05)[0]:
            self.output += os.read(self.controller, 65536).decode()
        return self.output

    def press(self, keys):
        os.write(self.controller, keys)

    def wait_end(self):
        until(lambda: self.read() is not None and self.child.poll() is not None, "top to end")
        self.read()
        return self.child.returncode

    def frames(self):
        return self.output.split("\x1b[H")[1:]


@suite.case("top-terminal", "postern top on a terminal: fits, redraws, ends by q, Ctrl-C and SIGTERM, restores it")
def top_terminal(case):
    server = watched(case).postern
    for how, end in (("q", lambda t: t.press(b"q")), ("Ctrl-C", lambda t: t.press(b"\x03")),
                     ("SIGTERM", lambda t: t.child.send_signal(signal.SIGTERM))):
        screen = Terminal(server)
        case.cleanup.callback(screen.child.kill)
        until(lambda: len(screen.read().split("\x1b[H")) > 3, lambda: f"three frames: {screen.output!r}")
        end(screen)
        equal(screen.wait_end(), 0, f"exit status after {how}: {screen.child.stderr.read()}")
        check(screen.output.endswith("\x1b[?25h\x1b[?1049l"), f"{how}: the screen is not given back: {screen.output[-80:]!r}")
        equal(termios.tcgetattr(screen.terminal), screen.before, f"{how}: the terminal's settings")
        frame = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen.frames()[1])
        lines = frame.split("\r\n")
        check(len(lines) <= 24 and all(len(line) <= 80 for line in lines), f"it does not fit: {frame}")
        check("\x1b[1m" in screen.output, "no colours on a terminal")
    plain = Terminal(server, NO_COLOR="1")
    case.cleanup.callback(plain.child.kill)
    until(lambda: len(plain.read().split("\x1b[H")) > 2, "frames")
    plain.press(b"q")
    plain.wait_end()
    check(not re.search(r"\x1b\[[0-9;]*m", plain.output), "colours although NO_COLOR is set")
    gone = Terminal(server)
    case.cleanup.callback(gone.child.kill)
    until(lambda: len(gone.read().split("\x1b[H")) > 2, "frames")
    server.stop()
    equal(gone.wait_end(), 3, "exit status when the server ends")
    equal(termios.tcgetattr(gone.terminal), gone.before, "the terminal's settings")
