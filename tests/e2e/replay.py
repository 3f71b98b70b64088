"""postern replay: another server's logs, plain, rotated and compressed, and what the check says of their clients today."""

import gzip
import json
import os
import pathlib
import subprocess
import tempfile

from fixture import suite
from harness.runner import check, equal

MIXED = pathlib.Path(__file__).resolve().parents[1] / "corpus/maillog/mixed"

ZONE = """
1.2.0.192.in-addr.arpa PTR mail.example.com
mail.example.com A 192.0.2.1
2.2.0.192.in-addr.arpa PTR moved.example.com
moved.example.com A 192.0.2.99
3.2.0.192.in-addr.arpa NODATA
4.2.0.192.in-addr.arpa SERVFAIL
"""

REJECT = ("NOQUEUE: reject: RCPT from unknown[{client}]: 450 4.7.25 Client host rejected: cannot find your hostname, "
          "[{client}]; from=<{sender}> to=<bob@example.net> proto=ESMTP helo=<h.example.com>")


def line(time, message, service="smtpd"):
    return f"Nov 23 {time} gw postfix/{service}[7]: {message}\n"


def accepted(time, name, client, sender, queue_id):
    return (line(time, f"connect from {name}[{client}]") + line(time, f"{queue_id}: client={name}[{client}]")
            + line(time, f"{queue_id}: from=<{sender}>, size=9, nrcpt=1 (queue active)", "qmgr")
            + line(time, f"{queue_id}: to=<bob@example.net>, relay=x, delay=1, dsn=2.0.0, status=sent (ok)", "lmtp")
            + line(time, f"{queue_id}: removed", "qmgr"))


OLDER = (accepted("05:00:00", "mail.example.com", "192.0.2.1", "a@example.com", "AAAAA1")
         + accepted("05:10:00", "unknown", "192.0.2.2", "b@example.com", "AAAAA2")
         + line("06:00:00", REJECT.format(client="192.0.2.3", sender="c@example.com"))
         + line("06:00:01", REJECT.format(client="192.0.2.2", sender="b@example.com")))
NEWER = (line("06:15:00", REJECT.format(client="192.0.2.2", sender="b@example.com"))
         + accepted("06:30:00", "unknown", "192.0.2.2", "b@example.com", "AAAAA3")
         + line("12:00:00", "connect from unknown[192.0.2.4]") + "no line of a log\n")


class Logs:
    """A folder with a rotated log, the zone, and the configuration that reads it."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="postern-replay-")
        self.path = pathlib.Path(self.folder.name)
        self.write("mail.log", NEWER.encode())
        self.write("mail.log.1.gz", gzip.compress(OLDER.encode()))
        self.write("zone", ZONE.encode())
        self.write("postern.toml", f"""
[server]
hostname = "gw.example.net"
[relay]
domains = ["example.net"]
[unknown_ip]
check_private = true
deadline = "1s"
[dns]
servers = ["127.0.0.1:9"]
zone_files = ["{self.path}/zone"]
""".encode())

    def write(self, name, content):
        (self.path / name).write_bytes(content)
        os.utime(self.path / name, (1764028800, 1764028800))  # 2025-11-25, so that the year is known

    def replay(self, case, *words):
        done = subprocess.run([str(case.postern_path), "replay", "--config", str(self.path / "postern.toml"), *words],
                              cwd=self.path, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        return done.returncode, done.stdout, done.stderr


@suite.case("replay", "postern replay over a rotated log: what became of refused mail, and who would be refused today")
def replay(case):
    logs = Logs()
    words = ["mail.log", "mail.log.1.gz", "--journal", "journal.json", "--json"]
    status, output, errors = logs.replay(case, *words)
    equal((status, errors), (0, ""), "exit status and errors")
    report = json.loads(output)
    equal(report["unreadable_lines"], 1, "lines that are none of a log")
    equal(report["messages_accepted"], 3, "messages")
    equal(report["outcomes"], {"recovered": 1, "given_up": 0, "never_retried": 1, "retrying": 0}, "outcomes")
    recovered = next(d for d in report["refused_then"] if d["outcome"] == "recovered")
    equal((recovered["attempts"], recovered["first"], recovered["accepted"]),
          (2, "2025-11-23T06:00:01.000Z", "2025-11-23T06:30:00.000Z"), "the mail that came again, over two files")
    equal({state: counts["clients"] for state, counts in report["states"].items()},
          {"pass": 1, "mismatch": 1, "no_ptr": 1, "temperror": 1}, "states today")
    equal([(c["client"], c["cause"]) for c in report["who"]],
          [("192.0.2.2", "PTR moved.example.com resolves to 192.0.2.99"), ("192.0.2.3", "no PTR record")],
          "who would be refused, the wanted one first, nobody for our resolver's silence")
    equal(report["who"][0]["likely_wanted_because"],
          ["1 refused mail came again and was accepted",
           "mail comes from mail.example.com too, a confirmed name in its sender's domain example.com"],
          "why it is likely wanted: not for having been accepted")
    equal(report["refused_today"], {"clients": 2, "messages": 2, "senders": 1, "recipients": 1}, "what it would cost")
    equal(len(report["exempt"]), 1, "who is to be exempted")

    journal = [json.loads(entry) for entry in (logs.path / "journal.json").read_text().splitlines()]
    equal(sorted(entry["client"] for entry in journal), ["192.0.2.1", "192.0.2.2", "192.0.2.3"],
          "the journal: all but who got no answer")
    plain = (logs.path / "postern.toml").read_bytes()
    for more, who in [(b'exempt_networks = ["192.0.2.2/32"]', {"192.0.2.3"}),
                      (b'[unknown_ip.actions]\nno_ptr = "accept"', {"192.0.2.2"}),
                      (b'[[unknown_ip.override]]\nnetwork = "192.0.2.3"\naction = "accept"', {"192.0.2.2"})]:
        logs.write("postern.toml", plain.replace(b"[dns]", more + b"\n[dns]"))
        changed = json.loads(logs.replay(case, *words)[1])
        equal({c["client"] for c in changed["who"]}, who, f"the same journal, with {more}")
    logs.write("postern.toml", plain)
    logs.write("zone", ZONE.replace("4.2.0.192.in-addr.arpa SERVFAIL", "4.2.0.192.in-addr.arpa NODATA")
               .replace("A 192.0.2.99", "A 192.0.2.2").encode())
    again = json.loads(logs.replay(case, *words)[1])
    equal({c["client"] for c in again["who"]}, {"192.0.2.2", "192.0.2.3", "192.0.2.4"},
          "with the journal only the unanswered one is asked for again")
    fresh = json.loads(logs.replay(case, "mail.log", "mail.log.1.gz", "--json")[1])
    equal({c["client"] for c in fresh["who"]}, {"192.0.2.3", "192.0.2.4"}, "without it, everybody")


@suite.case("replay-servers", "logs of two servers, in any order: refused by the one, taken by the other")
def replay_servers(case):
    logs = Logs()
    logs.write("mx1", (accepted("09:00:00", "unknown", "192.0.2.3", "c@example.com", "AAAAA1")
                       + accepted("10:30:00", "unknown", "192.0.2.3", "c@example.com", "AAAAA2")
                       + line("20:00:00", "connect from mail.example.com[192.0.2.1]")).replace(" gw ", " mx1 ").encode())
    logs.write("mx2", (line("06:00:00", "connect from mail.example.com[192.0.2.1]")
                       + line("10:00:00", REJECT.format(client="192.0.2.3", sender="c@example.com"))
                       + line("10:10:00", REJECT.format(client="192.0.2.3", sender="c@example.com"))
                       ).replace(" gw ", " mx2 ").encode())
    for files in (["mx1", "mx2"], ["mx2", "mx1"]):
        report = json.loads(logs.replay(case, *files, "--no-lookups", "--json")[1])
        equal([(m["outcome"], m["attempts"], m["accepted"]) for m in report["refused_then"]],
              [("recovered", 2, "2025-11-23T10:30:00.000Z")], f"{files}: the mail that came again elsewhere")


@suite.case("replay-text", "what postern replay prints, and its mistakes")
def replay_text(case):
    logs = Logs()
    status, output, errors = logs.replay(case, "mail.log.1.gz", "mail.log")
    equal((status, errors), (0, ""), "exit status and errors")
    for words in ["1  came again and were accepted", "1  never came again", "Refused would be 2 clients with 2 accepted messages, of 1 sender to 1 recipient.",
                  '[[unknown_ip.override]]\nnetwork = "192.0.2.2"\nsender_domain = "example.com"\naction = "accept"\n'
                  'comment = "b@example.com: PTR moved.example.com resolves to 192.0.2.99"',
                  "Of 1 clients a lookup got no answer"]:
        check(words in output, f"the text has: {words}\n{output}")
    status, output, errors = logs.replay(case, "--no-lookups", str(MIXED))
    equal(status, 0, "without lookups")
    check("Nothing was looked up" in output, "and it says so")
    logs.write("cut.gz", gzip.compress(OLDER.encode())[:200])
    for words, told in [(["absent"], "cannot read absent: No such file"), (["."], "is a directory"),
                        (["cut.gz"], "cut.gz"), (["mail.log", "--journal", "no/such"], "--journal"),
                        (["mail.log", "--journal", "mail.log"], "--journal"),
                        (["mail.log", "--utc-offset", "x"], "--utc-offset")]:
        status, output, errors = logs.replay(case, *words)
        check(status in (1, 2) and output == "" and told in errors, f"{words}: {status} {output} {errors}")
