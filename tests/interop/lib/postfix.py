"""Postfix from the installed package with its own configuration, queue and mailboxes."""

import grp
import json
import os
import pathlib
import pwd
import re
import subprocess

from harness.process import can_connect
from harness.wait import until
from lib import maildir

MAIN = """compatibility_level = 3.6
queue_directory = {d}/spool
data_directory = {d}/data
daemon_directory = /usr/lib/postfix/sbin
command_directory = /usr/sbin
sendmail_path = /usr/sbin/sendmail
meta_directory = /etc/postfix
mail_owner = postfix
setgid_group = postdrop
maillog_file = {d}/mail.log
maillog_file_prefixes = {d}
inet_protocols = ipv4
inet_interfaces = {addresses}
myhostname = {hostname}
mydestination =
local_recipient_maps =
alias_maps =
alias_database =
mynetworks = {networks}
smtpd_peername_lookup = no
smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
smtpd_tls_security_level = none
smtp_tls_security_level = none
message_size_limit = 52428800
# The message goes on as it came: nothing is added, and long lines are not broken.
local_header_rewrite_clients =
smtp_line_length_limit = 0
in_flow_delay = 0
# mailboxes
virtual_mailbox_domains = {domain}
virtual_mailbox_base = {d}/mail
virtual_mailbox_maps = inline:{{{mailboxes}}}
virtual_mailbox_limit = 0
virtual_minimum_uid = 100
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
{more}
"""

# The queue manager wakes up often: with a waiting time of a second a message can be put back into the incoming queue just
# before it is due, and then nothing but this looks at it again (300 s by default).
MASTER = """{address}:25 inet n - n - 100 smtpd
{submit}:587 inet n - n - 100 smtpd
  -o syslog_name=postfix/submit
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 2 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
relay unix - - n - - smtp
smtp unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


class Postfix:
    """A mail server for one domain. Mail for others goes out by MX, from `bind` when it is given."""

    def __init__(self, directory, hostname, domain, address, users=("sender",), bind=None, settings=None,
                 services=""):
        # The mailbox user owns below `directory`; Postfix itself wants the upper folders to be root's.
        self.directory, self.address, self.domain = directory, address, domain
        self.bind = bind or address
        self.log = directory / "mail.log"
        nobody = pwd.getpwnam("nobody")
        more = {"smtp_bind_address": self.bind, **(settings or {})}
        conf = directory / "conf"
        for part in (conf, directory / "spool", directory / "data", directory / "mail"):
            part.mkdir(exist_ok=True)
            part.chmod(0o755)
        os.chown(directory / "data", pwd.getpwnam("postfix").pw_uid, grp.getgrnam("postfix").gr_gid)
        os.chown(directory / "mail", nobody.pw_uid, nobody.pw_gid)
        mailboxes = ", ".join(f"{{{u}@{domain} = {u}/}}" for u in users)
        (conf / "main.cf").write_text(MAIN.format(
            d=directory, addresses=address, hostname=hostname, networks=f"{address}/32",
            domain=domain, mailboxes=mailboxes, uid=nobody.pw_uid, gid=nobody.pw_gid,
            more="\n".join(f"{key} = {value}" for key, value in more.items())))
        (conf / "master.cf").write_text(MASTER.format(address=address, submit=address) + services)
        self.conf = conf

    def start(self):
        done = subprocess.run(["postfix", "-c", str(self.conf), "start"], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=60)
        if done.returncode != 0:
            raise AssertionError(f"postfix start: {done.stdout}{done.stderr}{self.log_text()[-2000:]}")
        until(lambda: can_connect(self.address, 25), "Postfix to listen")
        return self

    def stop(self):
        subprocess.run(["postfix", "-c", str(self.conf), "stop"], stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60)

    # --- what a user of this server sees

    submit_port = 587

    def mailbox(self, user="sender"):
        """Contents of the messages in a local mailbox."""
        return maildir.messages(self.directory / "mail" / user)

    # --- the queue

    def queue(self):
        done = subprocess.run(["postqueue", "-c", str(self.conf), "-j"], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=60)
        if done.returncode != 0:  # while Postfix is being started or stopped
            raise AssertionError(f"postqueue: {done.stderr}")
        return [json.loads(line) for line in done.stdout.splitlines() if line.strip()]

    def flush(self):
        subprocess.run(["postqueue", "-c", str(self.conf), "-f"], stdin=subprocess.DEVNULL, check=True, timeout=60)

    def deferred_replies(self):
        """Why each waiting recipient still waits."""
        return [r["delay_reason"] for m in self.queue() for r in m["recipients"] if r.get("delay_reason")]

    def wait_deferred(self, seconds=30):
        """The first reply that the queue shows for a waiting recipient."""
        return until(lambda: (self.deferred_replies() or [""])[0],
                     lambda: f"a deferred message in the sender's queue: {self.queue()}", seconds)

    def wait_empty(self, seconds=60):
        until(lambda: not self.queue(), lambda: f"the sender's queue to be empty: {self.queue()[:3]}", seconds, 0.2)

    # --- the log

    def log_text(self):
        return pathlib.Path(self.log).read_text(errors="replace") if self.log.exists() else ""

    def outcomes(self, status):
        """Message-ID -> reply, of the deliveries by SMTP that ended with this status."""
        text = self.log_text()
        ids = dict(re.findall(r"cleanup\[\d+\]: (\w+): message-id=<([^>]*)>", text))
        found = re.findall(rf"/smtp\[\d+\]: (\w+): to=<[^>]*>,.* status={status} \((.*)\)$", text, re.M)
        return {ids[queue_id]: reply for queue_id, reply in found if queue_id in ids}

    def connections_in(self):
        """Sessions that came in on port 25, from others; those of the test use the submission port."""
        return re.findall(r"postfix/smtpd\[\d+\]: connect from \S*\[([0-9.]+)\]", self.log_text())
