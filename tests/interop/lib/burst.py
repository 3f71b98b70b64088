"""A burst of messages, a crash in the middle, and the account of where every message went."""

import dataclasses
import threading
import time

from harness import smtp_client
from harness.runner import check, equal
from harness.wait import until
from lib import maildir, mails
from lib.lab import SENDER

SUBMITTERS = 4
# A message that the recipient's server had before the kill may come again only when its end was not on disk yet: the
# session of its delivery, or the commit after it, was under way. That takes far less than this.
IN_FLIGHT_SECONDS = 5.0


@dataclasses.dataclass
class Result:
    acknowledged: int = 0
    in_flight: int = 0
    waiting: int = 0
    duplicates: list = dataclasses.field(default_factory=list)


def crash_round(sender, postern, recipient, name, count, threshold, recipient_up, more_kills):
    """One burst with its crash. Afterwards both queues are empty and every message was delivered."""
    wanted = {f"{name}-{i}@sender.test" for i in range(count)}
    if not recipient_up:
        recipient.stop()
    submitting = _submit_all(sender, sorted(wanted))
    result = Result()
    kills = [_kill_when(lambda: len(_acknowledged(sender, wanted)) >= threshold, postern,
                        lambda: f"{threshold} messages acknowledged; {len(_acknowledged(sender, wanted))} are")]
    acknowledged = _acknowledged(sender, wanted)
    result.acknowledged = len(acknowledged)
    check(len(acknowledged) < count, f"{name}: the kill came too late to matter: all {count} were acknowledged")
    postern.start()
    if not recipient_up:
        result.waiting = len(postern.queue())
        recipient.start()
    for _ in range(more_kills):
        before = len(_arrived(recipient, wanted))
        kills.append(_kill_when(lambda: len(_arrived(recipient, wanted)) > before, postern, "another delivery"))
        postern.start()
    for thread in submitting:
        thread.join(60)
    until(lambda: len(_arrived(recipient, wanted)) == count and not sender.queue(),
          lambda: f"all {count} messages to arrive: {len(_arrived(recipient, wanted))} did; the sender's server holds "
                  f"{len(sender.queue())}: {sender.queue()[:2]}; acknowledged but lost: {sorted(acknowledged - set(_arrived(recipient, wanted)))[:5]}",
          120, 0.3)
    until(lambda: not postern.queue(), lambda: f"Postern's queue to be empty: {len(postern.queue())} wait", 60, 0.2)
    lost = _acknowledged(sender, wanted) - set(_arrived(recipient, wanted))
    equal(sorted(lost), [], f"{name}: acknowledged messages that did not arrive")
    _account(sender, recipient, wanted, kills, result)
    return result


def _submit_all(sender, ids):
    def submit(part):
        with smtp_client.Client(sender.address, sender.submit_port, seconds=60) as client:
            client.hello()
            for message_id in part:
                client.envelope(SENDER, ["recipient@example.test"])
                equal(client.data(mails.plain(message_id, b"0123456789abcdef\r\n" * 200)).code, 250, "submission")
            client.quit()
    threads = [threading.Thread(target=submit, args=(ids[i::SUBMITTERS],), daemon=True) for i in range(SUBMITTERS)]
    for thread in threads:
        thread.start()
    return threads


def _kill_when(condition, postern, what):
    until(condition, what, 90, 0.01)
    postern.kill()
    return time.time()


def _acknowledged(sender, wanted):
    return {m for m, reply in sender.outcomes("sent").items() if m in wanted and reply.startswith("250 ")}


def _arrived(recipient, wanted):
    """Message-ID -> times of its copies."""
    found = {}
    for file in recipient.files():
        with open(file, "rb") as content:
            message_id = maildir.message_id(content.read(8192))
        if message_id in wanted:
            found.setdefault(message_id, []).append(file.stat().st_mtime)
    return found


def _account(sender, recipient, wanted, kills, result):
    """Duplicates are allowed only for what was in flight at a kill."""
    deferred = set(sender.outcomes("deferred")) & wanted
    result.in_flight = len(deferred)
    for message_id, times in _arrived(recipient, wanted).items():
        if len(times) == 1:
            continue
        result.duplicates.append(message_id)
        check(len(times) <= 1 + len(kills), f"{message_id} arrived {len(times)} times after {len(kills)} kills")
        resent = message_id in deferred  # the sender's server was not told 250 in time, and sent it again
        near = any(times[0] <= kill + 1 and kill - times[0] <= IN_FLIGHT_SECONDS and times[-1] >= kill - 1 for kill in kills)
        check(resent or near, f"{message_id} arrived at {times}, but the kills were at {kills}")
