"""The cases. Letters are those of the option's story: accepted, refused, reported, undetermined, crashed."""

import re
import signal
import time

from harness import smtp_client
from harness.report_checker import faults, python_faults
from harness.runner import ROOT, Suite, check, equal
from harness.wait import until
from lib import burst, exim, lab, maildir, mails
from lib.lab import CONFIRMED, GATEWAY, NO_PTR, SENDER, Lab

CACHE = ROOT / "build/interop-cache"
REFUSAL = (r"450 4\.7\.25 Client host rejected: cannot find your hostname, \[192\.0\.2\.66\]: "
           r"no PTR record \(case [0-9A-Z]{6}\)")
UNDETERMINED = (r"451 4\.7\.25 Client host not verified: DNS lookup for \[192\.0\.2\.10\] did not complete, "
                r"try again later \(case [0-9A-Z]{6}\)")
POSTFIX_REJECT = r"reject: RCPT from \S*\[192\.0\.2\.66\]: 450 4\.7\.25 "

suite = Suite("interop", __doc__, programs=("nsd", "unbound", "postfix", "dovecot"))


def _prepare(names):
    if any(name.endswith("-exim") for name in names):
        exim.unpacked(CACHE)


def _set_up(sandbox, stack, _options):
    lab.set_up(sandbox, stack)


suite.prepare, suite.set_up = _prepare, _set_up


def submit(server, content, recipients=("recipient@example.test",)):
    """The sender's mail program hands a message to the sender's server."""
    reply = smtp_client.send(server.address, server.submit_port, SENDER, recipients, content,
                             parameters=" BODY=8BITMIME")
    equal(reply.code, 250, "the sender's server took the message")


def exim_sender(case, bind, lifetime="12s", retry="2s"):
    root = exim.unpacked(CACHE)
    exim.install(root)
    server = exim.Exim(case.path("sender"), root, "mx.sender.test", "sender.test", CONFIRMED, bind,
                       retry=retry, lifetime=lifetime)
    case.logs.append(server.log)
    return case.started(server).start()


# --- (a) a confirmed address


def arrives_intact(sender, recipient, leave_out=()):
    """Sends each difficult message and compares what the recipient's server stored, byte for byte."""
    sent = {name: content for name, content in mails.difficult().items() if name not in leave_out}
    for content in sent.values():
        submit(sender, content)
    stored = until(lambda: (found := recipient.mailbox()) and len(found) >= len(sent) and found,
                   lambda: f"{len(sent)} messages in the mailbox; there are {len(recipient.mailbox())}; the sender's "
                           f"server waits with: {sender.deferred_replies()}", 60, 0.2)
    equal(len(stored), len(sent), "messages in the recipient's mailbox")
    for content in stored:
        trace, rest = maildir.split_trace(content)
        name = maildir.message_id(content).split("@")[0]
        check(rest == sent[name], lambda: difference(name, rest, sent[name]))
        ours = [f for f in re.split(rb"\r?\n(?![ \t])", trace) if re.search(rb"(?i)^received:.*by gw\.example\.test", f, re.S)]
        equal(len(ours), 1, f"{name}: trace header fields by Postern")
        check(b"[192.0.2.10]" in ours[0] and b"mx.sender.test" in ours[0], f"{name}: trace header: {ours[0]!r}")


def difference(name, found, expected):
    at = next((i for i, (a, b) in enumerate(zip(found, expected)) if a != b), min(len(found), len(expected)))
    return (f"{name} was changed at byte {at}: sent {len(expected)} bytes, stored {len(found)}; "
            f"sent ...{expected[max(0, at - 40):at + 40]!r}, stored ...{found[max(0, at - 40):at + 40]!r}")


@suite.case("a", "from a confirmed address mail arrives byte for byte (Postfix -> Postern -> Dovecot LMTP)")
def case_a(case):
    servers = Lab(case)
    servers.resolver()
    recipient, postern = servers.dovecot(), servers.postern()
    arrives_intact(servers.sender(), recipient)
    equal(postern.queue(), [], "Postern's queue at the end")


@suite.case("a-smtp", "the same with Postfix as the recipient's server (SMTP)")
def case_a_smtp(case):
    servers = Lab(case)
    servers.resolver()
    recipient = servers.recipient_postfix()
    servers.postern(next_hop=f"smtp://{lab.RECIPIENT}:25")
    sender = servers.sender()
    sent = mails.difficult()
    for content in sent.values():
        submit(sender, content)
    stored = until(lambda: (found := recipient.mailbox("recipient")) and len(found) == len(sent) and found,
                   lambda: f"{len(sent)} messages; there are {len(recipient.mailbox('recipient'))}", 60, 0.2)
    for content in stored:  # Postfix stores mailboxes with LF line ends
        name = maildir.message_id(content).split("@")[0]
        rest = maildir.split_trace(content)[1]
        expected = sent[name].replace(b"\r\n", b"\n")
        check(rest == expected, lambda: difference(name, rest, expected))


@suite.case("a-exim", "from a confirmed address mail arrives byte for byte (Exim -> Postern -> Dovecot LMTP)")
def case_a_exim(case):
    servers = Lab(case)
    servers.resolver()
    recipient = servers.dovecot()
    servers.postern()
    arrives_intact(exim_sender(case, CONFIRMED), recipient)


# --- (b) an address without PTR


def refused_and_reported_by(sender, postern, recipient, agent):
    """The sender's server keeps the message, retries, and reports the failure itself, quoting our reply."""
    submit(sender, mails.plain("refused@sender.test"))
    shown = sender.wait_deferred()
    check(re.search(REFUSAL, shown), f"the reply in the sender's queue: {shown!r}")
    until(lambda: postern.log_count(POSTFIX_REJECT) >= 2,
          lambda: f"two attempts in Postern's log: {postern.log_text()[-2000:]}", 30)
    report = until(lambda: sender.mailbox(), f"the report of {agent} in the sender's mailbox", 60, 0.2)
    equal(len(report), 1, "reports in the sender's mailbox")
    text = maildir.unfolded(report[0].decode("latin-1"))
    check(re.search(REFUSAL, text), f"the report quotes our reply: {text[:3000]}")
    check(re.search(r"(?im)^Return-Path: <>|^Return-Path: <MAILER-DAEMON>|^From: .*(MAILER-DAEMON|Mailer-Daemon)",
                    report[0].decode("latin-1")), "the report is from the mail system")
    check(b"by gw.example.test" not in maildir.split_trace(report[0])[0], "the report did not come through Postern")
    sender.wait_empty()
    # Postern has sent nothing, and holds nothing.
    equal(postern.queue(), [], "Postern's queue")
    equal(recipient.mailbox(), [], "messages at the recipient's server")
    return report[0]


@suite.case("b", "without PTR: Postfix shows our 450, retries, and reports the failure itself")
def case_b(case):
    servers = Lab(case)
    servers.resolver()
    recipient, postern = servers.dovecot(), servers.postern()
    sender = servers.sender(bind=NO_PTR, lifetime="12s")
    report = refused_and_reported_by(sender, postern, recipient, "Postfix")
    fields = maildir.parse(report).get_payload(1).get_payload()
    check("mx.sender.test" in fields[0]["Reporting-MTA"], f"Reporting-MTA: {fields[0]['Reporting-MTA']}")
    diagnostic = maildir.unfolded(fields[1]["Diagnostic-Code"])
    check(re.fullmatch("smtp; " + REFUSAL, diagnostic), f"Diagnostic-Code: {diagnostic}")
    check(GATEWAY not in sender.connections_in(), "Postern never connected to the sender's server")
    case.note(f"attempts seen by Postern: {postern.log_count(POSTFIX_REJECT)}")


@suite.case("b-exim", "without PTR: Exim shows our 450, retries, and reports the failure itself")
def case_b_exim(case):
    servers = Lab(case)
    servers.resolver()
    recipient, postern = servers.dovecot(), servers.postern()
    sender = exim_sender(case, NO_PTR)
    refused_and_reported_by(sender, postern, recipient, "Exim")
    check(f"[{GATEWAY}]" not in "".join(re.findall(r"SMTP connection from .*", sender.log_text())),
          "Postern never connected to the sender's server")
    case.note(f"attempts seen by Postern: {postern.log_count(POSTFIX_REJECT)}")


# --- (c) accepted, then refused by the recipient's server


def report_from_postern(sender, recipient_address, quoted):
    """The one report in the sender's mailbox, checked against RFC 3464."""
    found = until(sender.mailbox, "Postern's report in the sender's mailbox", 60, 0.2)
    equal(len(found), 1, "reports in the sender's mailbox")
    report = maildir.parse(found[0])
    text = found[0].decode("latin-1")
    check(re.search(r"(?im)^Return-Path: <>", text), f"the report's reverse path is null: {text[:400]}")
    check("gw.example.test" in text.split("\r\n\r\n")[0].split("\n\n")[0], f"the report comes from Postern: {text[:900]}")
    sent = re.sub(rb"\r?\n", b"\r\n", maildir.split_trace(found[0])[1])
    equal(faults(sent) + python_faults(sent), [], "faults of the report, to the letter")
    equal(report.get_content_type(), "multipart/report", "type of the report")
    equal(report.get_param("report-type"), "delivery-status", "report-type")
    equal(str(report["Auto-Submitted"]).split(";")[0].strip(), "auto-replied", "Auto-Submitted")
    check(SENDER in str(report["To"]), f"To: {report['To']}")
    parts = list(report.iter_parts())
    equal([parts[0].get_content_type(), parts[1].get_content_type()], ["text/plain", "message/delivery-status"], "parts")
    check(parts[2].get_content_type() in ("message/rfc822", "text/rfc822-headers"), f"third part: {parts[2].get_content_type()}")
    blocks = parts[1].get_payload()
    check("gw.example.test" in str(blocks[0]["Reporting-MTA"]), f"Reporting-MTA: {blocks[0]['Reporting-MTA']}")
    equal(len(blocks), 2, "blocks of the delivery status")
    status = blocks[1]
    equal(maildir.unfolded(status["Final-Recipient"]).lower().replace(" ", ""), f"rfc822;{recipient_address}", "Final-Recipient")
    equal(str(status["Action"]).strip().lower(), "failed", "Action")
    check(re.match(r"5\.\d+\.\d+", str(status["Status"]).strip()), f"Status: {status['Status']}")
    diagnostic = maildir.unfolded(status["Diagnostic-Code"])
    check(diagnostic.startswith("smtp;") and re.search(quoted, diagnostic), f"Diagnostic-Code: {diagnostic}")
    check(re.search(quoted, maildir.unfolded(parts[0].get_content())), f"the text quotes the reply: {parts[0].get_content()}")
    return parts


def nothing_waits(sender, postern):
    sender.wait_empty()
    until(lambda: not postern.queue(), lambda: f"Postern's queue to be empty: {postern.queue()}")


@suite.case("c", "accepted, then refused for an unknown user: Postern's report goes back through Postfix")
def case_c(case):
    servers = Lab(case)
    servers.resolver()
    recipient, postern = servers.dovecot(), servers.postern()
    sender = servers.sender()
    content = mails.plain("unknown-user@sender.test", recipient="nobody.here@example.test")
    submit(sender, content, recipients=["nobody.here@example.test"])
    parts = report_from_postern(sender, "nobody.here@example.test", r"550 5\.1\.1 .*User doesn't exist")
    check("unknown-user@sender.test" in parts[2].as_string(), "the report holds the header of the message")
    nothing_waits(sender, postern)
    sent = sender.outcomes("sent")
    check("unknown-user@sender.test" in sent, "Postern had accepted the message")
    equal(recipient.mailbox(), [], "messages at the recipient's server")


@suite.case("c-smtp", "the same with Postfix as the recipient's server (SMTP)")
def case_c_smtp(case):
    servers = Lab(case)
    servers.resolver()
    servers.recipient_postfix()
    postern, sender = servers.postern(next_hop=f"smtp://{lab.RECIPIENT}:25"), servers.sender()
    content = mails.plain("unknown-user@sender.test", recipient="nobody.here@example.test")
    submit(sender, content, recipients=["nobody.here@example.test"])
    report_from_postern(sender, "nobody.here@example.test", r"550 5\.1\.1 .*User unknown")
    nothing_waits(sender, postern)


@suite.case("c-quota", "refused after the data for one of two recipients: one is delivered, one reported")
def case_c_quota(case):
    servers = Lab(case)
    servers.resolver()
    recipient, postern = servers.dovecot(), servers.postern()
    sender = servers.sender()
    content = mails.plain("too-big@sender.test", b"0123456789\r\n" * (lab.QUOTA_BYTES // 10))
    submit(sender, content, recipients=["second@example.test", "small@example.test"])
    report_from_postern(sender, "small@example.test", r"5\d\d 5\.2\.2 .*Quota exceeded")
    nothing_waits(sender, postern)
    equal(len(recipient.mailbox("second")), 1, "messages of the recipient with room")
    equal(maildir.split_trace(recipient.mailbox("second")[0])[1] == content, True, "the message is intact")
    equal(recipient.mailbox("small"), [], "messages of the recipient without room")


# --- (d) the resolver does not answer


def undetermined_then_delivered(servers, resolver_back):
    recipient, postern, sender = servers.dovecot(), servers.postern(), servers.sender()
    submit(sender, mails.plain("patience@sender.test"))
    shown = sender.wait_deferred()
    check(re.search(UNDETERMINED, shown), f"the reply in the sender's queue: {shown!r}")
    equal(recipient.mailbox(), [], "messages at the recipient's server while the resolver is down")
    resolver_back()
    stored = until(recipient.mailbox, lambda: f"the message to arrive; the sender's server waits with "
                   f"{sender.deferred_replies()}", 60, 0.2)
    equal([maildir.message_id(m) for m in stored], ["patience@sender.test"], "messages at the recipient's server")
    nothing_waits(sender, postern)
    equal(sender.mailbox(), [], "reports in the sender's mailbox")


@suite.case("d", "the gateway's resolver is down: 451 to a good client, which arrives when it is back")
def case_d(case):
    servers = Lab(case)
    undetermined_then_delivered(servers, servers.resolver)


@suite.case("d-silent", "the gateway's resolver takes questions and stays silent: the same")
def case_d_silent(case):
    import socket
    servers = Lab(case)
    hole = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    case.cleanup.callback(hole.close)
    hole.bind((lab.GATEWAY_DNS, 53))

    def back():
        hole.close()
        servers.resolver()
    undetermined_then_delivered(servers, back)


# --- (e) kill -9

BURST = 500
# (name, how many messages Postfix was told 250 for when the kill comes, is the recipient's server up before the restart,
# further kills while the rest is delivered)
ROUNDS = [("early", 40, True, 0), ("middle", 220, True, 0), ("late", 430, True, 0),
          ("backlog", 250, False, 0), ("twice", 120, True, 1)]


@suite.case("e", f"kill -9 during a burst of {BURST} messages, five times: what got 250 is delivered")
def case_e(case):
    servers = Lab(case)
    servers.resolver()
    recipient, postern = servers.dovecot(), servers.postern()
    sender = servers.sender(retry="1s")
    for name, threshold, recipient_up, more_kills in ROUNDS:
        begun = time.monotonic()
        result = burst.crash_round(sender, postern, recipient, name, BURST, threshold, recipient_up, more_kills)
        case.note(f"{name:8} {result.acknowledged} acknowledged at the kill, {result.in_flight} in flight, "
                  f"{result.waiting} in the queue after restart, {len(result.duplicates)} delivered twice, "
                  f"{time.monotonic() - begun:.1f} s")


# --- (f) the recipient's server is asked which recipients there are


def probing(when_undecided="450"):
    return {"recipients": {"when_undecided": when_undecided, "domain": [{"domain": "example.test", "check": "probe"}]}}


def unknown_is_refused_at_rcpt(sender, postern, recipient, words):
    """A known recipient gets its mail; of an unknown one the sender's own server reports, and Postern had nothing."""
    submit(sender, mails.plain("known@sender.test"))
    submit(sender, mails.plain("unknown@sender.test", recipient="nobody.here@example.test"),
           recipients=["nobody.here@example.test"])
    until(recipient.mailbox, "the message of the known recipient", 30)
    report = until(sender.mailbox, "the report in the sender's mailbox", 60, 0.2)
    equal(len(report), 1, "reports in the sender's mailbox")
    fields = maildir.parse(report[0]).get_payload(1).get_payload()
    check("mx.sender.test" in fields[0]["Reporting-MTA"], f"the sender's server reports: {fields[0]['Reporting-MTA']}")
    diagnostic = maildir.unfolded(fields[1]["Diagnostic-Code"])
    check(re.fullmatch(r"smtp; 550 5\.1\.1 <nobody\.here@example\.test>: Recipient address rejected: undeliverable "
                       r"address: its server says: " + words, diagnostic), f"Diagnostic-Code: {diagnostic}")
    nothing_waits(sender, postern)
    equal(postern.log_count(r" accepted client="), 1, "messages that Postern took")
    equal(postern.log_count(r" probe .*recipient=recipient@example\.test verdict=exists"), 1, "probes of the known one")
    equal(postern.log_count(r" probe .*recipient=nobody\.here@example\.test verdict=unknown"), 1, "and of the other")


class RecipientMailbox:
    """Postfix as the recipient's server: its mailbox is the recipient's, not the sender's."""

    def __init__(self, postfix):
        self.postfix = postfix

    def mailbox(self):
        return self.postfix.mailbox("recipient")


@suite.case("f", "Dovecot (LMTP) is asked at RCPT: unknown refused; while it is down, known taken, new ones 450 or taken")
def case_f(case):
    servers = Lab(case)
    servers.resolver()
    recipient, postern = servers.dovecot(), servers.postern(probing())
    sender = servers.sender()
    unknown_is_refused_at_rcpt(sender, postern, recipient, r"550 5\.1\.1 .*User doesn't exist.*")

    recipient.stop()
    submit(sender, mails.plain("known-again@sender.test"))
    postern.wait_queue(1)
    submit(sender, mails.plain("new@sender.test", recipient="second@example.test"), recipients=["second@example.test"])
    shown = sender.wait_deferred()
    check(re.search(r"450 4\.4\.3 <second@example\.test>: Recipient address rejected: unverified address: its server "
                    r"cannot be asked now, try again later", shown), f"the reply in the sender's queue: {shown!r}")
    equal(len(postern.queue()), 1, "messages in Postern's queue: only the known recipient's")

    postern.write_config(probing("accept"))
    postern.process.signal(signal.SIGHUP)
    until(lambda: "reloaded" in postern.log_text(), "the reload")
    submit(sender, mails.plain("taken@sender.test", recipient="small@example.test"), recipients=["small@example.test"])
    postern.wait_queue(3)  # that, the known recipient's, and the one that had got 450, when it is tried again

    recipient.start()
    for user, count in (("recipient", 2), ("second", 1), ("small", 1)):
        until(lambda user=user, count=count: len(recipient.mailbox(user)) == count,
              lambda user=user: f"mail of {user}: {len(recipient.mailbox(user))}; {sender.deferred_replies()}", 90, 0.2)
    nothing_waits(sender, postern)
    equal(len(sender.mailbox()), 1, "reports in the sender's mailbox at the end")


@suite.case("f-smtp", "Postfix (SMTP) is asked at RCPT: unknown refused there, nothing queued")
def case_f_smtp(case):
    servers = Lab(case)
    servers.resolver()
    recipient = servers.recipient_postfix()
    postern = servers.postern(probing(), next_hop=f"smtp://{lab.RECIPIENT}:25")
    sender = servers.sender()
    unknown_is_refused_at_rcpt(sender, postern, RecipientMailbox(recipient), r"550 5\.1\.1 .*User unknown.*")
