"""What can be in the way of a start."""

import os
import pathlib
import pwd
import socket

from fixture import GATEWAY, PORT, Gateway, message, suite
from harness.runner import check

NOBODY = ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups")


def refuses_to_start(server, *words):
    """It ends by itself, with an error and not by a signal, and says why."""
    process = server.spawn()
    status = process.wait_end(20)
    said = process.output.read_text(errors="replace") + server.log_text()
    check(0 < status < 126, f"exit status {status}: {said[-2000:]}")
    for word in words:
        check(str(word) in said, f"{word!r} is not in: {said[-2000:]}")


def give_to_nobody(path):
    owner = pwd.getpwnam("nobody")
    for file in [path, *path.rglob("*")]:
        os.chown(file, owner.pw_uid, owner.pw_gid)


@suite.case("port-in-use", "a port in use: the address is named, the exit status is not 0")
def port_in_use(case):
    taken = socket.create_server((GATEWAY, PORT))
    case.cleanup.callback(taken.close)
    refuses_to_start(Gateway(case, start=False).postern, f"{GATEWAY}:{PORT}", "in use")


@suite.case("no-permission-port", "a port below 1024 without permission: said, with what to do")
def no_permission_port(case):
    gateway = Gateway(case, start=False)
    server = gateway.another("unprivileged", port=25, prefix=NOBODY)
    give_to_nobody(server.directory)
    refuses_to_start(server, f"{GATEWAY}:25", "ermission")


@suite.case("no-permission-spool", "a spool that may not be written: its path is named")
def no_permission_spool(case):
    gateway = Gateway(case, start=False)
    server = gateway.another("unprivileged", prefix=NOBODY)
    give_to_nobody(server.directory)
    os.chown(server.spool, 0, 0)
    server.spool.chmod(0o700)
    refuses_to_start(server, server.spool, "ermission")


@suite.case("spool-locked", "a second server on the same spool is refused, the first goes on")
def spool_locked(case):
    gateway = Gateway(case)
    second = gateway.another("second", {"server": {"spool": str(gateway.postern.spool)}}, port=PORT + 1)
    refuses_to_start(second, gateway.postern.spool)
    gateway.still_serves()


@suite.case("spool-damaged", "a store that cannot be opened: its path is named, nothing is overwritten")
def spool_damaged(case):
    gateway = Gateway(case)
    gateway.accepted(message("before"))
    gateway.postern.stop()
    current = next(iter(gateway.postern.spool.rglob("CURRENT")))
    current.write_text("nonsense\n")
    refuses_to_start(gateway.postern, gateway.postern.spool)
    check(current.read_text() == "nonsense\n", "the damaged file was left as it was")


@suite.case("user", "server.user: the port is bound as root, then all privileges are dropped")
def user(case):
    gateway = Gateway(case, start=False)
    server = gateway.another("as-nobody", {"server": {"user": "nobody"}}, port=PORT)
    give_to_nobody(server.directory)
    server.start()
    gateway.accepted(message("as-nobody"))
    gateway.wait_delivered(1)
    status = pathlib.Path(f"/proc/{server.pid}/status").read_text()
    uid = str(pwd.getpwnam("nobody").pw_uid)
    for line in status.splitlines():
        if line.startswith("Uid:"):
            check(line.split()[1:] == [uid] * 4, f"user ids: {line}")
        if line.startswith("CapEff:"):
            check(int(line.split()[1], 16) == 0, f"capabilities: {line}")
