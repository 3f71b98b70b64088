"""`postern queue fsck` on spools that were damaged on purpose, and what becomes of the mail afterwards."""

import json

from fixture import RECIPIENT, SENDER, Gateway, message, suite
from harness.runner import check, equal
from harness.wait import until
from start import NOBODY, give_to_nobody

HOLD = "450 4.2.0 not now"
LARGE = 400_000  # beyond what the store keeps: a file of its own


def held(case, names, unprivileged=False):
    """A gateway that was stopped with these messages in its queue; name -> id."""
    gateway = Gateway(case, {"delivery": {"retry": ["2s"]}}, start=False)
    if unprivileged:
        gateway.postern.prefix = list(NOBODY)
        give_to_nobody(gateway.postern.directory)
    gateway.postern.start()
    gateway.sink.replies["MAIL"] = HOLD
    ids = {}
    for name in names:
        gateway.accepted(message(name, LARGE if name.startswith("large") else 2_000))
        known = set(ids.values())
        ids[name] = next(m["id"] for m in gateway.postern.wait_queue(len(ids) + 1) if m["id"] not in known)
    gateway.postern.stop()
    gateway.sink.replies = {}
    return gateway, ids


def fsck(gateway, *words):
    """(exit status, {kind: [id, ...]}, sums)"""
    status, output, errors = gateway.postern.command("queue", "fsck", "--json", *words)
    equal(errors, "", "standard error of fsck")
    found = json.loads(output)
    kinds = {}
    for finding in found["findings"]:
        kinds.setdefault(finding["kind"], []).append(finding["id"])
        for part in ("what", "consequence", "repair"):
            check(finding[part], f"{part} of {finding}")
    return status, kinds, found["sums"]


def names_at_sink(gateway):
    contents = gateway.sink.contents()
    return {c.split(b"Message-ID: <", 1)[1].split(b"@", 1)[0].decode() for c in contents if b"delivery-status" not in c}


def reports_at_sink(gateway):
    return [c for c in gateway.sink.contents() if b"delivery-status" in c]


@suite.case("fsck-clean", "a spool that is well: exit status 0; a running server: told to stop it first")
def fsck_clean(case):
    gateway, _ = held(case, ["small", "large"])
    server = gateway.postern
    before = {f: f.stat().st_mtime_ns for f in server.spool.rglob("*")}
    status, kinds, sums = fsck(gateway)
    equal((status, kinds, sums["messages"]), (0, {}, 2), "a healthy spool")
    equal({f: f.stat().st_mtime_ns for f in server.spool.rglob("*")}, before, "the files after a check")
    status, output, _ = server.command("queue", "fsck", "--spool", str(server.spool), config=False)
    check(status == 0 and "all is well" in output, f"with --spool: {status} {output}")
    equal(server.command("queue", "fsck", "--spool", str(server.spool))[0], 2, "status with --spool and --config")
    status, _, errors = server.command("queue", "fsck", "--spool", str(server.spool / "no"), config=False)
    check(status == 1 and "no directory" in errors, f"a spool that is not there: {status} {errors}")
    equal(server.command("queue", "fsck", "--spool", str(server.spool / "content"), config=False)[0], 1, "no queue there")
    server.start()
    for words in ([], ["--repair"]):
        status, output, errors = server.command("queue", "fsck", *words)
        check(status == 1 and output == "" and "stop it first" in errors, f"beside a server: {status} {output}{errors}")
    until(lambda: names_at_sink(gateway) == {"small", "large"}, "both messages")


@suite.case("fsck-contents", "lost and cut contents: found, mended, and their sender gets a report at once")
def fsck_contents(case):
    gateway, ids = held(case, ["large-gone", "large-cut", "large-rotten", "large-well", "small-well"])
    content = gateway.postern.spool / "content"
    (content / ids["large-gone"]).unlink()
    with open(content / ids["large-cut"], "r+b") as file:
        file.truncate(LARGE // 2)
    with open(content / ids["large-rotten"], "r+b") as file:
        file.seek(LARGE // 3)
        byte = file.read(1)
        file.seek(LARGE // 3)
        file.write(bytes([byte[0] ^ 4]))
    orphan = "0000000000ABC"
    (content / orphan).write_bytes(b"whose?")
    (content / "note.txt").write_text("of the administrator")
    wanted = {"content-missing": [ids["large-gone"]], "content-damaged": [ids["large-cut"], ids["large-rotten"]],
              "file-orphaned": [orphan], "file-unknown": [""]}
    status, kinds, sums = fsck(gateway)
    equal((status, kinds, sums["left"], sums["mended"]), (1, wanted, 5, 0), "what is found")
    status, text, _ = gateway.postern.command("queue", "fsck")
    check(status == 1 and "Nothing was changed" in text and ids["large-gone"] in text, f"for people: {text}")
    check(not (gateway.postern.spool / "salvaged").exists(), "looking changed the spool")
    (content / "note.txt").unlink()
    del wanted["file-unknown"]
    status, kinds, sums = fsck(gateway, "--repair")
    equal((status, kinds, sums["left"], sums["mended"]), (0, wanted, 0, 4), "what is mended")
    salvaged = gateway.postern.spool / "salvaged"
    equal((salvaged / f"{orphan}.eml").read_bytes(), b"whose?", "the orphan")
    equal((salvaged / f"{ids['large-cut']}.eml").stat().st_size, LARGE // 2, "bytes of what was cut")
    equal(fsck(gateway)[0], 0, "status until the server has run")
    gateway.postern.start()
    until(lambda: len(reports_at_sink(gateway)) == 3, lambda: f"three reports, there are {len(reports_at_sink(gateway))}")
    until(lambda: names_at_sink(gateway) == {"large-well", "small-well"}, lambda: f"the others: {names_at_sink(gateway)}")
    gateway.postern.wait_queue(0)
    for report in reports_at_sink(gateway):
        check(RECIPIENT.encode() in report and b"Action: failed" in report, f"a report: {report[:2000]}")
    equal({r for m in gateway.sink.messages if b"delivery-status" in m.content for r in m.recipients}, {SENDER},
          "who gets the reports")
    gateway.postern.stop()
    equal(fsck(gateway), (0, {}, {**sums, "messages": 0, "content_bytes": 0, "found": 0, "mended": 0}), "in the end")


@suite.case("fsck-store", "rot in the database: every word of RocksDB's is told with what to do, the rest is delivered")
def fsck_store(case):
    gateway, ids = held(case, ["small-1", "small-2", "large-1"])
    database = gateway.postern.spool / "queue"
    gateway.postern.command("queue", "fsck", "--repair")  # opens it for writing: what is in the log goes to a table
    tables = list(database.glob("*.sst"))
    check(tables, f"no table in {list(database.iterdir())}")
    for table in tables:
        bytes_ = bytearray(table.read_bytes())
        bytes_[50] ^= 1  # its first block
        table.write_bytes(bytes_)
    status, kinds, _ = fsck(gateway)
    check(status == 1 and "block-unreadable" in kinds, f"rot in a table: {status} {kinds}")
    check("file-orphaned" not in kinds, "a file whose record may be in the block that does not read is no orphan")
    current = (database / "CURRENT").read_bytes()
    (database / "CURRENT").write_bytes(b"rubbish\n")
    for words in ((), ("--repair",)):
        status, kinds, _ = fsck(gateway, *words)
        equal((status, list(kinds)), (1, ["store-unreadable"]), "a database that does not open")
    status, text, _ = gateway.postern.command("queue", "fsck")
    check("snapshot" in text and "ldb repair" in text, f"what to do: {text}")
    (database / "CURRENT").write_bytes(current)
    for table in tables:
        bytes_ = bytearray(table.read_bytes())
        bytes_[50] ^= 1
        table.write_bytes(bytes_)
    equal(fsck(gateway)[0], 0, "status when the disk reads again")
    gateway.postern.start()
    until(lambda: names_at_sink(gateway) == set(ids), lambda: f"all messages: {names_at_sink(gateway)}")


@suite.case("fsck-owner", "as root it works as the spool's owner, so that the server can read what it wrote")
def fsck_owner(case):
    gateway, ids = held(case, ["small", "large"], unprivileged=True)
    spool = gateway.postern.spool
    owner = spool.stat().st_uid
    check(owner != 0, "the spool is the server's user's")
    (spool / "content" / ids["large"]).unlink()
    equal(fsck(gateway, "--repair")[0], 0, "status of the repair")
    equal({f.stat().st_uid for f in spool.rglob("*")}, {owner}, "owners of the files")
    gateway.postern.start()
    until(lambda: "small" in names_at_sink(gateway) and reports_at_sink(gateway), "the message and the report")
