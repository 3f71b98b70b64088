"""A spool disk that is full, damaged or taken away by kill -9."""

import os
import shutil
import threading
import time

from fixture import GATEWAY, PORT, RECIPIENT, SENDER, Gateway, message, suite
from harness import smtp_client
from harness.runner import check, equal
from harness.sandbox import run
from harness.wait import until

DISK_MIB = 160
NOTICE_SECONDS = 10
HOLD = "450 4.2.0 not now"


def small_disk(case, name="disk", mebibytes=DISK_MIB):
    """A file system of its own; returns its directory."""
    directory = case.path(name)
    run("mount", "-t", "tmpfs", "-o", f"size={mebibytes}m,mode=755", "tmpfs", str(directory))
    case.cleanup.callback(run, "umount", "-l", str(directory))
    return directory


def fill(directory, leave_bytes=0):
    """Writes until no more than leave_bytes are free; returns the file that takes the room."""
    file = directory / "filler"
    with open(file, "ab", buffering=0) as out:
        try:
            while (free := shutil.disk_usage(directory).free) > leave_bytes:
                out.write(b"\0" * min(1 << 20, free - leave_bytes))
        except OSError:
            pass
    return file


def ids_at_sink(gateway):
    found = set()
    for content in gateway.sink.contents():
        start = content.index(b"Message-ID: <") + 13
        found.add(content[start:content.index(b"@", start)].decode())
    return found


@suite.case("disk-full", "a full spool disk: 451 4.3.x, nothing lost; it recovers by itself when there is room")
def disk_full(case):
    disk = small_disk(case)
    gateway = Gateway(case, {"server": {"spool": str(disk / "spool")}}, start=False)
    (disk / "spool").mkdir()
    gateway.postern.start()
    gateway.sink.replies["MAIL"] = HOLD
    wanted = set()
    for number in range(20):
        gateway.accepted(message(f"before-{number}", 200_000 if number % 4 == 0 else 2_000))
        wanted.add(f"before-{number}")
    filler = fill(disk)
    number, noticed_by = 0, time.monotonic() + NOTICE_SECONDS
    while (reply := gateway.send(message(f"tight-{number}"))).code == 250:  # what still fitted into the log's room
        wanted.add(f"tight-{number}")
        number += 1
        check(time.monotonic() < noticed_by, "the server takes mail on and on, with a full disk")
    for size in (1_000, 500_000):
        reply = gateway.send(message("refused", size))
        check(reply.startswith(("451 4.3.", "452 4.3.")), f"{size} bytes on a full disk: {reply!r}")
    check(gateway.postern.process.running(), "the server still runs")
    filler.unlink()
    until(lambda: gateway.send(message("after")).code == 250, "mail to be taken again", 30, 0.5)
    wanted.add("after")
    gateway.sink.replies = {}
    until(lambda: wanted <= ids_at_sink(gateway), lambda: f"all to arrive; missing: {wanted - ids_at_sink(gateway)}", 60)
    check("refused" not in ids_at_sink(gateway), "a refused message was delivered")
    until(lambda: gateway.postern.queue() == [], "the queue to be empty")


@suite.case("disk-fills", "the disk fills up while messages come: each gets 250 and arrives, or 451 and does not")
def disk_fills(case):
    disk = small_disk(case)
    gateway = Gateway(case, {"server": {"spool": str(disk / "spool")}}, start=False)
    (disk / "spool").mkdir()
    gateway.postern.start()
    gateway.sink.replies["MAIL"] = HOLD
    replies = {}
    for number in range(400):
        reply = gateway.send(message(f"m{number}", 1 << 20))
        replies[f"m{number}"] = reply
        if number == 20:
            filler = fill(disk, leave_bytes=(64 << 20) + (30 << 20))
        if reply.code != 250 and number > 60:
            break
    refused = {name for name, reply in replies.items() if reply.code != 250}
    check(refused, f"the disk never filled up: free are {shutil.disk_usage(disk).free}")
    check(all(replies[r].startswith(("451 4.3.", "452 4.3.")) for r in refused), f"replies: {[replies[r] for r in refused][:3]}")
    filler.unlink()
    gateway.sink.replies = {}
    accepted = set(replies) - refused
    until(lambda: accepted <= ids_at_sink(gateway), lambda: f"all to arrive; missing: {accepted - ids_at_sink(gateway)}", 90)
    case.note(f"{len(accepted)} accepted, {len(refused)} refused")
    equal(refused & ids_at_sink(gateway), set(), "refused messages that were delivered")
    until(lambda: gateway.send(message("after")).code == 250, "mail to be taken again", 30, 0.5)


@suite.case("disk-full-crash", "kill -9 on a full disk: after the restart every accepted message is there")
def disk_full_crash(case):
    disk = small_disk(case)
    gateway = Gateway(case, {"server": {"spool": str(disk / "spool")}}, start=False)
    (disk / "spool").mkdir()
    gateway.postern.start()
    gateway.sink.replies["MAIL"] = HOLD
    wanted = {f"m{number}" for number in range(10)}
    for name in wanted:
        gateway.accepted(message(name, 50_000))
    filler = fill(disk)
    if gateway.send(message("last")).code == 250:
        wanted.add("last")
    gateway.postern.kill()
    filler.unlink()
    gateway.postern.start()
    gateway.sink.replies = {}
    until(lambda: wanted <= ids_at_sink(gateway), lambda: f"all to arrive; missing: {wanted - ids_at_sink(gateway)}", 60)


@suite.case("damaged-content", "a damaged message is set aside and told in the log; all others are delivered")
def damaged_content(case):
    gateway = Gateway(case)
    gateway.sink.replies["MAIL"] = HOLD
    gateway.accepted(message("small-1"))
    before = {f for f in gateway.postern.spool.rglob("*") if f.is_file()}
    gateway.accepted(message("large", 1_000_000))
    gateway.accepted(message("small-2"))
    files = [f for f in gateway.postern.spool.rglob("*") if f.is_file() and f not in before and f.stat().st_size > 900_000]
    equal(len(files), 1, f"files of the large message: {files}")
    gateway.postern.stop()
    with open(files[0], "r+b") as content:
        content.truncate(500_000)
    gateway.sink.replies = {}
    gateway.postern.start()
    until(lambda: {"small-1", "small-2"} <= ids_at_sink(gateway), lambda: f"the others to arrive: {ids_at_sink(gateway)}")
    until(lambda: gateway.postern.log_count(r"(?i)damaged|corrupt"), "a line about the damage in the log")
    check("large" not in ids_at_sink(gateway), "the damaged message was delivered")
    gateway.still_serves()


@suite.case("kill-restart", "kill -9 ten times while mail comes and goes: every 250 is delivered")
def kill_restart(case):
    gateway = Gateway(case)
    acknowledged, stop, lock = set(), threading.Event(), threading.Lock()

    def client(part):
        number = 0
        while not stop.is_set():
            name = f"c{part}-{number}"
            number += 1
            try:
                reply = smtp_client.send(GATEWAY, PORT, SENDER, [RECIPIENT], message(name, 300_000 if number % 10 == 0 else 3_000))
                if reply.code == 250:
                    with lock:
                        acknowledged.add(name)
            except OSError:
                stop.wait(0.02)  # while it is down
    threads = [threading.Thread(target=client, args=(part,), daemon=True) for part in range(8)]
    case.cleanup.callback(stop.set)
    for thread in threads:
        thread.start()
    for turn in range(10):
        goal = len(acknowledged) + 30 + 17 * turn
        until(lambda: len(acknowledged) >= goal, lambda: f"{goal} messages to be acknowledged; {len(acknowledged)} are", 60, 0.01)
        gateway.postern.kill()
        gateway.postern.start()
    stop.set()
    for thread in threads:
        thread.join(30)
    until(lambda: acknowledged <= ids_at_sink(gateway),
          lambda: f"all to arrive; missing of {len(acknowledged)}: {sorted(acknowledged - ids_at_sink(gateway))[:5]}", 90, 0.2)
    until(lambda: gateway.postern.queue() == [], "the queue to be empty", 60)
    case.note(f"{len(acknowledged)} acknowledged, {gateway.sink.count()} deliveries of {len(ids_at_sink(gateway))} messages")


@suite.case("disk-not-writable", "a spool where files can no longer be made: 451 for large mail, and back again")
def disk_not_writable(case):
    from start import NOBODY, give_to_nobody
    gateway = Gateway(case, start=False)
    server = gateway.another("unprivileged", prefix=NOBODY)
    give_to_nobody(server.directory)
    server.start()
    folders = [f for f in [server.spool, *server.spool.rglob("*")] if f.is_dir()]
    modes = [f.stat().st_mode & 0o777 for f in folders]
    for folder in folders:
        os.chmod(folder, 0)
    reply = gateway.send(message("refused", 2_000_000))
    check(reply.startswith(("451 4.3.", "452 4.3.")), f"reply: {reply!r}")
    for folder, mode in zip(folders, modes):
        os.chmod(folder, mode)
    until(lambda: gateway.send(message("back", 2_000_000)).code == 250, "mail to be taken again", 30, 0.5)
    gateway.wait_delivered(1)
