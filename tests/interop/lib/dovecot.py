"""Dovecot as the recipient's server: LMTP, mailboxes as Maildir, unknown users refused."""

import os
import pwd

from harness.process import Process
from lib import maildir

CONFIG = """protocols = lmtp
base_dir = {d}/run
state_dir = {d}/state
log_path = {d}/dovecot.log
ssl = no
disable_plaintext_auth = no
default_internal_user = dovecot
default_login_user = dovenull
mail_location = maildir:{d}/mail/%n
mail_save_crlf = yes
mail_fsync = optimized
first_valid_uid = 1
hostname = mail.example.test
postmaster_address = postmaster@example.test
passdb {{
  driver = static
  args = nopassword=y
}}
userdb {{
  driver = passwd-file
  args = username_format=%n {d}/users
}}
service lmtp {{
  process_min_avail = 2
  inet_listener lmtp {{
    address = {address}
    port = {port}
  }}
}}
mail_plugins = $mail_plugins quota
plugin {{
  quota = maildir:User quota
  quota_grace = 0
}}
"""


class Dovecot:
    def __init__(self, directory, address, port, users):
        """users: name -> quota in bytes, or 0 for none. Everybody else gets 550."""
        self.directory, self.address, self.port = directory, address, port
        self.log = directory / "dovecot.log"
        owner = pwd.getpwnam("nobody")
        mail = directory / "mail"
        mail.mkdir()
        os.chown(mail, owner.pw_uid, owner.pw_gid)
        lines = []
        for name, quota in users.items():
            extra = f"userdb_quota_rule=*:bytes={quota}" if quota else ""
            lines.append(f"{name}::{owner.pw_uid}:{owner.pw_gid}::{mail}/{name}::{extra}")
        (directory / "users").write_text("\n".join(lines) + "\n")
        (directory / "dovecot.conf").write_text(CONFIG.format(d=directory, address=address, port=port))
        self.process = None

    def start(self):
        self.process = Process("dovecot", ["dovecot", "-F", "-c", self.directory / "dovecot.conf"], self.directory)
        self.process.start().wait_listening(self.address, self.port)
        return self

    def stop(self):
        if self.process:
            self.process.stop()

    def mailbox(self, user="recipient"):
        return maildir.messages(self.directory / "mail" / user)

    def files(self, user="recipient"):
        return maildir.files(self.directory / "mail" / user)
