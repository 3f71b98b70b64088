"""Reads mailboxes, and takes off what mail servers put on top of a message."""

import email
import email.policy
import re

TRACE = {b"return-path", b"delivered-to", b"x-original-to", b"received", b"authentication-results", b"envelope-to",
         b"delivery-date"}


def files(mailbox):
    """The message files of a Maildir, the oldest first."""
    found = [f for part in ("new", "cur") if (mailbox / part).is_dir() for f in (mailbox / part).iterdir()]
    return sorted(found, key=lambda f: f.stat().st_mtime_ns)


def messages(mailbox):
    return [f.read_bytes() for f in files(mailbox)]


def parse(content):
    return email.message_from_bytes(content, policy=email.policy.default)


def split_trace(content):
    """(trace fields, rest): the header fields of TRACE at the top, however many, and all that follows."""
    position = 0
    while True:
        name = re.match(rb"([!-9;-~]+):", content[position:position + 100])
        if not name or name.group(1).lower() not in TRACE:
            return content[:position], content[position:]
        end = position
        while True:  # to the end of a field that may go on in lines that begin with white space
            end = content.index(b"\n", end) + 1
            if content[end:end + 1] not in (b" ", b"\t"):
                break
        position = end


def message_id(content):
    found = re.search(rb"(?im)^message-id:\s*<([^>]*)>", content)
    return found.group(1).decode() if found else ""


def unfolded(value):
    """A header field's value in one line."""
    return re.sub(r"\s+", " ", str(value)).strip()
