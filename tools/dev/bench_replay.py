"""./dev bench replay: how long postern replay reads a large mail log."""

import itertools
import json
import os
import random
import statistics
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import building
from benching import PRESET, Figure, progress, run_in_folder
from shell import BUILD, Failed, environment

RUNS, SECONDS_MOST = 3, 10
CLIENTS, NAMELESS, DOMAINS = 50_000, 10_000, 20_000


class Log:
    """What two servers, one with Postfix and one with Exim, write into one file in a busy time; each one the same."""

    def __init__(self):
        self.chance = random.Random(1)
        self.number = 0

    def postfix(self, service: str, message: str) -> str:
        return f"mx1 postfix/{service}[{1000 + self.number % 97}]: {message}\n"

    def exim(self, message: str) -> str:
        return f"mx2 exim[{2000 + self.number % 89}]: {message}\n"

    def visit(self) -> list[str]:
        """All lines of one client's connection, without their times. Who has no name comes again and again."""
        self.number += 1
        client = self.chance.randrange(NAMELESS if self.chance.random() < 0.3 else CLIENTS)
        address = f"203.{client >> 16}.{client >> 8 & 255}.{client & 255}"
        domain = f"d{client % DOMAINS}.example"
        host = "unknown" if client < NAMELESS else f"mail.{domain}"
        sender, recipient = f"u{client % 50}@{domain}", f"r{client % 3000 + self.chance.randrange(3)}@example.net"
        chances = (15, 75, 5, 5) if host == "unknown" else (70, 0, 15, 15)
        what = self.chance.choices(("taken", "nameless", "refused", "lost"), chances)[0]
        by = self.by_postfix if self.number % 2 else self.by_exim
        return by(what, host, domain, address, sender, recipient)

    def by_postfix(self, what, host, domain, address, sender, recipient) -> list[str]:
        where = f"{host}[{address}]"
        envelope = f"from=<{sender}> to=<{recipient}> proto=ESMTP helo=<mail.{domain}>"
        queue_id = f"4{self.number:011X}"
        visit = {
            "taken": [
                ("smtpd", f"{queue_id}: client={where}"),
                ("cleanup", f"{queue_id}: message-id=<{self.number}@{domain}>"),
                ("qmgr", f"{queue_id}: from=<{sender}>, size=48213, nrcpt=1 (queue active)"),
                ("smtp", f"{queue_id}: to=<{recipient}>, relay=in.example.net[198.51.100.9]:25, delay=0.9, "
                         "delays=0.1/0/0.2/0.6, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued)"),
                ("qmgr", f"{queue_id}: removed")],
            "nameless": [
                ("smtpd", f"NOQUEUE: reject: RCPT from {where}: 450 4.7.25 Client host rejected: cannot find your hostname, "
                          f"[{address}]; {envelope}")],
            "refused": [
                ("smtpd", f"NOQUEUE: reject: RCPT from {where}: 554 5.7.1 Service unavailable; Client host [{address}] "
                          f"blocked using zen.spamhaus.org; {envelope}")],
            "lost": [("smtpd", f"lost connection after EHLO from {where}")],
        }[what]
        return [self.postfix(service, message) for service, message in [
            ("smtpd", f"connect from {where}"), *visit,
            ("smtpd", f"disconnect from {where} ehlo=1 mail=1 rcpt=1 quit=1 commands=4")]]

    def by_exim(self, what, host, domain, address, sender, recipient) -> list[str]:
        where = f"H=(mail.{domain}) [{address}]" if host == "unknown" else f"H={host} [{address}]"
        queue_id = f"1q{self.number % 10_000:04d}-{self.number:06d}-2c"
        return [self.exim(message) for message in {
            "taken": [
                f"{queue_id} <= {sender} {where} P=esmtps X=TLS1.3:TLS_AES_256_GCM_SHA384:256 S=48213 id={self.number}@{domain}",
                f"{queue_id} => {recipient} R=dnslookup T=remote_smtp H=in.example.net [198.51.100.9] C=\"250 2.0.0 Ok: queued\"",
                f"{queue_id} Completed"],
            "nameless": [
                f"no host name found for IP address {address}",
                f"{where} F=<{sender}> temporarily rejected RCPT <{recipient}>: host lookup failed"],
            "refused": [f"{where} F=<{sender}> rejected RCPT <{recipient}>: relay not permitted"],
            "lost": [f"SMTP connection from {where} closed by QUIT"],
        }[what]]

    def lines(self) -> Iterator[str]:
        """Twenty connections at a time, so that their lines stand among each other; some five lines a second."""
        written = 0
        while True:
            visits = [self.visit() for _ in range(20)]
            for line in filter(None, itertools.chain.from_iterable(itertools.zip_longest(*visits))):
                yield f"{time.strftime('%b %d %H:%M:%S', time.gmtime(1_795_500_000 + written // 5))} {line}"
                written += 1


def write_log(path: Path, lines: int) -> None:
    with path.open("w", encoding="ascii", buffering=1 << 20) as file:
        file.writelines(itertools.islice(Log().lines(), lines))


def replayed(program: Path, config: Path, log: Path, lines: int) -> tuple[float, float, float]:
    """Seconds, seconds of CPU, and megabytes of memory that one run took."""
    with (log.parent / "report.json").open("w+b") as output:
        began = time.monotonic()
        process = subprocess.Popen(["taskset", "-c", "0", str(program), "replay", "--no-lookups", "--json", "--config", str(config),
                                    str(log)], env=environment(), stdin=subprocess.DEVNULL, stdout=output)
        _, status, used = os.wait4(process.pid, 0)
        took = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            raise Failed(f"postern replay: exit code {process.returncode}")
        output.seek(0)
        told = json.load(output)
    if told["lines"] != lines or told["unreadable_lines"] != 0 or not told["refused_then"] or told["messages_accepted"] == 0:
        raise Failed(f"postern replay did not understand the log: {told['lines']} lines, {told['unreadable_lines']} unreadable")
    return took, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def measure_replay(program: Path, folder: Path, lines: int) -> list[Figure]:
    log, config = folder / "mail.log", folder / "postern.toml"
    progress(f"writing a log of {lines} lines")
    write_log(log, lines)
    config.write_text('[server]\nhostname = "gw.test"\n[relay]\ndomains = ["example.net"]\n')
    runs = [replayed(program, config, log, lines) for _ in range(RUNS)]
    seconds, cpu, megabytes = (statistics.median(run[place] for run in runs) for place in range(3))
    return [
        Figure(f"postern replay --no-lookups, {lines} lines, one core", seconds, "s", most=SECONDS_MOST),
        Figure("of that, CPU", cpu, "s"),
        Figure("lines a second", lines / seconds, "lines/s"),
        Figure("bytes a second", log.stat().st_size / seconds / 1e6, "MB/s"),
        Figure("memory", megabytes, "MB"),
    ]


def bench_replay(lines: int, directory: str | None, as_json: bool) -> None:
    building.build(PRESET, ["postern"])
    run_in_folder("replay", directory, as_json,
                  lambda folder: measure_replay(BUILD / PRESET / "postern", folder, lines))
