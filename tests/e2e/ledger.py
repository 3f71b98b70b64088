"""The ledger's database: what is in it, kill -9, and disks and files that fail. Mail goes on in every case."""

import contextlib
import json
import os
import pathlib
import random
import socket
import sqlite3
import threading

from disk import fill, small_disk
from fixture import GATEWAY, PORT, RECIPIENT, SENDER, Gateway, message, suite
from harness import smtp_client
from harness.runner import check, equal
from harness.sandbox import run
from harness.wait import until

ROUNDS = int(os.environ.get("POSTERN_CRASH_ROUNDS", "6"))
CLIENT = "127.2.0.1"  # has no PTR


def settings(spool=None):
    server = {"spool": str(spool)} if spool else {}
    return {"unknown_ip": {"mode": "enforce", "check_private": True, "exempt_networks": ["127.0.0.1"]}, "server": server}


def spool_of(gateway):
    return pathlib.Path(gateway.postern.settings["server"]["spool"])


def database(gateway):
    return spool_of(gateway) / "ledger.db"


def query(gateway, sql):
    """Nothing while the server has not made the tables yet."""
    try:
        with contextlib.closing(sqlite3.connect(f"file:{database(gateway)}?mode=ro", uri=True, timeout=10)) as connection:
            return connection.execute(sql).fetchall()
    except sqlite3.OperationalError:
        return []


def refuse(recipients=(RECIPIENT,), source=CLIENT):
    """One transaction of a client without a name; its replies to RCPT."""
    client = smtp_client.Client(GATEWAY, PORT, source=source, seconds=30)
    try:
        client.hello("mail.client.test")
        client.expect(f"MAIL FROM:<{SENDER}>", 250)
        return [client.expect(f"RCPT TO:<{recipient}>", 450) for recipient in recipients]
    finally:
        client.close()


def status(gateway):
    """What the control socket says of the ledger."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(str(spool_of(gateway) / "control.sock"))
        connection.sendall(b'{"verb":"status"}\n')
        return json.loads(connection.makefile().readline())["ledger"]


def mail_goes_on(gateway):
    check(" (case " in refuse()[0], "a client is refused as ever")
    gateway.still_serves()


@suite.case("ledger", "every refusal for every recipient, its lookups, its deferral and its recovery, with the case of the reply")
def ledger(case):
    gateway = Gateway(case, settings())
    replies = refuse((RECIPIENT, "other@example.test"))
    refuse(source="127.2.0.2")
    until(lambda: query(gateway, "SELECT count(*) FROM refusals") == [(3,)], "three rows")
    cases = [row[0] for row in query(gateway, "SELECT case_id FROM refusals ORDER BY id")]
    check(all(f"(case {case_id})" in reply for case_id, reply in zip(cases, replies)), f"cases {cases}: {replies}")
    equal(query(gateway, "SELECT recipient, attempts FROM deferrals ORDER BY id"),
          [(RECIPIENT, 1), ("other@example.test", 1)], "one of a network, in one moment, is one attempt")
    lookups = json.loads(query(gateway, "SELECT lookups FROM evidence")[0][0])
    equal(lookups["ptr"]["status"], "NXDOMAIN", "the lookup behind it")
    gateway.accepted(message("taken"))
    until(lambda: query(gateway, "SELECT count(*) FROM deferrals WHERE accepted > first") == [(1,)], "one recovered")
    equal(oct(database(gateway).stat().st_mode & 0o777), "0o600", "mode of the file")
    gateway.postern.stop()
    check(not database(gateway).with_name("ledger.db-wal").exists(), "the end leaves one file")


@suite.case("ledger-off", "enabled = false: no file")
def ledger_off(case):
    gateway = Gateway(case, {**settings(), "ledger": {"enabled": False}})
    mail_goes_on(gateway)
    equal(status(gateway)["enabled"], False, "status")
    check(not database(gateway).exists(), "a file was made")


@suite.case("ledger-kill", f"kill -9 while it writes, {ROUNDS} rounds: the file opens, and what was told before is in it")
def ledger_kill(case):
    gateway = Gateway(case, settings())
    chance = random.Random(4)
    kept = 0

    def rows():
        return (query(gateway, "SELECT count(*) FROM refusals") or [(0,)])[0][0]

    def refuse_on(stop):
        while not stop.is_set():
            try:
                refuse()
            except (OSError, AssertionError):
                return

    for number in range(ROUNDS):
        if number > 0:
            gateway.postern.start()
        stop = threading.Event()
        clients = [threading.Thread(target=refuse_on, args=(stop,)) for _ in range(4)]
        for thread in clients:
            thread.start()
        wanted = kept + chance.randrange(10, 200)
        written = until(lambda: (now := rows()) >= wanted and now, lambda: f"{wanted} rows; there are {rows()}", interval=0.01)
        gateway.postern.kill()
        stop.set()
        for thread in clients:
            thread.join()
        equal(query(gateway, "PRAGMA integrity_check"), [("ok",)], f"round {number}: the file is whole")
        kept = rows()
        check(kept >= written, f"round {number}: {kept} of {written} refusals are kept")
    equal(query(gateway, "SELECT count(*) FROM refusals WHERE deferral NOT IN (SELECT id FROM deferrals)"), [(0,)],
          "refusals without their deferral")
    gateway.postern.start()
    mail_goes_on(gateway)


@suite.case("ledger-disk-full", "little room on the disk: the last of it is left to mail; the ledger says so, and goes on when there is room")
def ledger_disk_full(case):
    disk = small_disk(case, mebibytes=400)
    gateway = Gateway(case, settings(disk / "spool"), start=False)
    (disk / "spool").mkdir()
    filler = fill(disk, leave_bytes=180 << 20)  # the queue's log takes 75 of them; what is left is enough for mail
    gateway.postern.start()
    mail_goes_on(gateway)
    until(lambda: "free" in status(gateway)["problem"], lambda: f"the problem in the status: {status(gateway)}", 30)
    filler.unlink()
    until(lambda: status(gateway)["problem"] == "", lambda: f"the problem to go: {status(gateway)}", 60)
    until(lambda: query(gateway, "SELECT count(*) FROM refusals") == [(1,)], "what waited")
    check(gateway.postern.log_count(r"ledger_failed") >= 1, "a line in the log")


@suite.case("ledger-own-disk-full", "no room at all where the ledger is: mail goes on, and what waited is written when there is room")
def ledger_own_disk_full(case):
    disk = small_disk(case, mebibytes=4)
    (disk / "ledger.db").touch(mode=0o600)
    gateway = Gateway(case, settings(), start=False)
    spool_of(gateway).mkdir(parents=True, exist_ok=True)
    database(gateway).symlink_to(disk / "ledger.db")
    gateway.postern.start()
    refuse()
    until(lambda: query(gateway, "SELECT count(*) FROM refusals") == [(1,)], "the first")
    filler = fill(disk)
    refused = 1
    while status(gateway)["problem"] == "":  # what still fits into the pages that are there
        refuse([f"{refused}.{number}@example.test" for number in range(50)])
        refused += 50
        check(refused < 20_000, "it is written on and on, with a full disk")
    check("full" in status(gateway)["problem"], f"the problem: {status(gateway)}")
    mail_goes_on(gateway)
    filler.unlink()
    until(lambda: status(gateway)["problem"] == "", lambda: f"the problem to go: {status(gateway)}", 60)
    until(lambda: query(gateway, "SELECT count(*) FROM refusals") == [(refused + 1,)], "what waited")
    equal(status(gateway)["dropped"], 0, "dropped")


@suite.case("ledger-damaged-running", "a file that is overwritten while the server runs is set aside; mail goes on, and so does recording")
def ledger_damaged_running(case):
    gateway = Gateway(case, settings())
    for client in range(20):  # so that not every page is in memory after the next start
        refuse([f"{client}.{number}@example.test" for number in range(50)])
    gateway.postern.stop()
    gateway.postern.start()
    mail_goes_on(gateway)
    until(lambda: query(gateway, "SELECT count(*) FROM refusals") == [(1001,)], "the last")
    size = database(gateway).stat().st_size
    with open(database(gateway), "r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (size - 4096))

    def noticed():
        mail_goes_on(gateway)
        return gateway.postern.log_count(r"ledger_set_aside")

    until(noticed, "the line in the log")
    until(lambda: query(gateway, "SELECT count(*) FROM refusals") not in ([], [(0,)]), "the new file to be written")
    equal(status(gateway)["problem"], "", "problem")


def spoiled(case, spoil):
    """A gateway whose ledger was filled and then spoiled by `spoil(path)` while it was stopped."""
    gateway = Gateway(case, settings())
    refuse()
    gateway.postern.stop()
    spoil(database(gateway))
    gateway.postern.start()
    return gateway


@suite.case("ledger-damaged", "a damaged file is set aside and a new one begun; mail goes on")
def ledger_damaged(case):
    def spoil(path):
        with open(path, "r+b") as file:
            file.write(b"\xff" * 100)

    gateway = spoiled(case, spoil)
    mail_goes_on(gateway)
    until(lambda: gateway.postern.log_count(r"ledger_set_aside") == 1, "the line in the log")
    until(lambda: query(gateway, "SELECT count(*) FROM refusals") == [(1,)], "the new file to be written")
    equal(len([p for p in spool_of(gateway).iterdir() if p.name.startswith("ledger.db.damaged-")]), 1, "files set aside")
    equal(status(gateway)["problem"], "", "problem")


@suite.case("ledger-newer", "a newer server's file is left as it is, and told")
def ledger_newer(case):
    def spoil(path):
        with sqlite3.connect(path) as connection:
            connection.execute("PRAGMA user_version = 99")

    gateway = spoiled(case, spoil)
    mail_goes_on(gateway)
    until(lambda: "newer" in status(gateway)["problem"], "the problem in the status")
    equal(query(gateway, "SELECT count(*) FROM refusals"), [(1,)], "rows of the newer file")
    check(gateway.postern.log_count(r"ledger_failed.*newer") >= 1, "a line in the log")


@suite.case("ledger-read-only", "a file that cannot be written is told, and mail goes on; it is written when it can be")
def ledger_read_only(case):
    gateway = Gateway(case, settings())
    refuse()
    gateway.postern.stop()
    path = str(database(gateway))
    run("mount", "--bind", path, path)
    mounted = case.cleanup.enter_context(_mounted(path))
    run("mount", "-o", "remount,ro,bind", path)
    gateway.postern.start()
    mail_goes_on(gateway)
    until(lambda: status(gateway)["problem"] != "", "the problem in the status")
    check(gateway.postern.log_count(r"ledger_failed") >= 1, "a line in the log")
    mounted.close()
    until(lambda: status(gateway)["problem"] == "", lambda: f"the problem to go: {status(gateway)}", 60)
    until(lambda: query(gateway, "SELECT count(*) FROM refusals") == [(2,)], "what waited")


class _mounted:
    """Taken down once, at close() or at the end of the case."""

    def __init__(self, path):
        self.path = path

    def __enter__(self):
        return self

    def close(self):
        if self.path:
            run("umount", self.path)
            self.path = None

    def __exit__(self, *_):
        self.close()
