"""Exim as the sender's server, from its package's files: installed it would push out Postfix."""

import os
import pathlib
import pwd
import re
import subprocess

from harness import packages
from harness.process import Process
from harness.wait import until
from lib import maildir

PACKAGES = ("exim4-base", "exim4-daemon-light", "libidn12")

CONFIG = """primary_hostname = {hostname}
exim_user = Debian-exim
exim_group = Debian-exim
exim_path = {program}
local_interfaces = {address}
daemon_smtp_ports = 25 : 587
spool_directory = {d}/spool
log_file_path = {d}/log/%slog
pid_file_path = {d}/exim.pid
log_selector = +all -arguments
disable_ipv6
tls_advertise_hosts =
rfc1413_query_timeout = 0s
host_lookup =
message_size_limit = 50M
smtp_accept_queue_per_connection = 0
smtp_accept_max_per_connection = 0
ignore_bounce_errors_after = 1h
acl_smtp_rcpt = acl_rcpt
begin acl
acl_rcpt:
  accept hosts = {address}
  accept domains = {domain}
  deny message = relay not permitted
begin routers
local:
  driver = accept
  domains = {domain}
  local_parts = {users}
  transport = mailbox
out:
  driver = dnslookup
  domains = ! {domain}
  transport = out
begin transports
mailbox:
  driver = appendfile
  maildir_format
  directory = {d}/mail/$local_part_data
  user = nobody
  group = nogroup
  create_directory
out:
  driver = smtp
  interface = {bind}
  hosts_avoid_tls = *
  hosts_try_auth =
  message_linelength_limit = 100000
begin retry
* * F,{lifetime},{retry}
"""


def unpacked(cache):
    """The package's files below `cache`."""
    return packages.unpacked(cache / "exim", PACKAGES)


def install(root):
    """Makes the user and the library path known in the sandbox's private /etc."""
    with open("/etc/passwd", "a+", encoding="ascii") as passwd:
        passwd.seek(0)
        if "Debian-exim:" not in passwd.read():
            passwd.write("Debian-exim:x:64998:64998::/nonexistent:/usr/sbin/nologin\n")
            with open("/etc/group", "a", encoding="ascii") as group:
                group.write("Debian-exim:x:64998:\n")
    libraries = [str(folder) for folder in (root / "usr/lib").glob("*-linux-gnu")]
    pathlib.Path("/etc/ld.so.conf.d/zz-interop.conf").write_text("\n".join(libraries) + "\n")
    subprocess.run(["ldconfig", "-i", "-X"], check=True)
    pathlib.Path("/etc/exim4").mkdir(exist_ok=True)


class Exim:
    submit_port = 587

    def __init__(self, directory, root, hostname, domain, address, bind, users=("sender",), retry="2s",
                 lifetime="12s"):
        self.directory, self.address, self.domain, self.bind = directory, address, domain, bind
        self.program = root / "usr/sbin/exim4"
        self.log = directory / "log" / "mainlog"
        owner = pwd.getpwnam("Debian-exim")
        nobody = pwd.getpwnam("nobody")
        for part, user in (("spool", owner), ("log", owner), ("mail", nobody)):
            (directory / part).mkdir()
            os.chown(directory / part, user.pw_uid, user.pw_gid)
        self.config = pathlib.Path("/etc/exim4/exim4.conf")
        self.config.write_text(CONFIG.format(d=directory, hostname=hostname, domain=domain, address=address, bind=bind,
                                             program=self.program, users=" : ".join(users), retry=retry,
                                             lifetime=lifetime))
        self.config.chmod(0o644)
        self.process = None

    def start(self):
        self.process = Process("exim", [self.program, "-bdf", "-q2s"], self.directory)
        self.process.start().wait_listening(self.address, 25)
        return self

    def stop(self):
        if self.process:
            self.process.stop()
            self.process.children_stop()

    def mailbox(self, user="sender"):
        return maildir.messages(self.directory / "mail" / user)

    def log_text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def deferred_replies(self):
        """Replies of the next hop for which messages wait, from the log."""
        return re.findall(r"== .*(4\d\d[ -]\d\.\d+\.\d+ .*)$", self.log_text(), re.M)

    def wait_deferred(self, seconds=30):
        return until(lambda: (self.deferred_replies() or [""])[0],
                     lambda: f"a deferred message in Exim's log: {self.log_text()[-1500:]}", seconds)

    def wait_empty(self, seconds=60):
        def empty():
            done = subprocess.run([self.program, "-bpc"], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                  timeout=60)
            return done.stdout.strip() == "0"
        until(empty, "Exim's queue to be empty", seconds, 0.3)
