"""Real servers as upstreams that Postern refuses, their schedules shortened by their own settings: they recover or give up,
and the ledger knows it."""

import datetime
import json
import re

from cases import REFUSAL, exim, exim_sender, submit, suite
from harness.dns_stub import A, PTR, DnsStub, reverse
from harness.runner import check, equal
from harness.wait import until
from lib import lab, maildir, mails
from lib.lab import NO_PTR, SENDER, Lab

OUT = "out.sender.test"
RECIPIENT = "recipient@example.test"
WAIT = "33s"  # attempts within half a minute are one to the ledger
CASE_ID = re.compile(r"\(case ([0-9A-Z]{6})\)")


def without_name(case):
    """Servers around a Postern whose DNS knows nothing of the sender's address, until that is mended."""
    servers = Lab(case)
    dns = case.started(DnsStub(lab.STUB_DNS, {}))
    recipient = servers.dovecot()
    return servers, dns, recipient, servers.postern({"dns": {"servers": [lab.STUB_DNS]}})


def mend(dns):
    """What the sender's administrator is told to publish."""
    dns.records[OUT] = {A: [NO_PTR]}
    dns.records[reverse(NO_PTR)] = {PTR: [OUT]}


def refused_twice(sender, postern):
    submit(sender, mails.plain("later@sender.test"))
    shown = sender.wait_deferred()
    check(re.search(REFUSAL, shown), f"the reply in the sender's queue: {shown!r}")
    until(lambda: len(CASE_ID.findall(postern.log_text())) >= 2,
          lambda: f"two refusals in Postern's log: {postern.log_text()[-2000:]}", 60)


def in_ledger(postern, *words):
    status, output, errors = postern.command("ledger", *words, "--json")
    equal((status, errors), (0, ""), f"exit status and errors of ledger {words}")
    return json.loads(output)["deferrals"]


def told_by_ledger(postern, outcome, *words, attempts=1):
    """The one deferral there is, as soon as the ledger says so of it."""
    listed = until(lambda: [d for d in in_ledger(postern, "list", *words)
                            if d["outcome"] == outcome and d["attempts"] >= attempts],
                   lambda: f"{outcome} in the ledger, which says {in_ledger(postern, 'list', *words)}", 20)
    equal(len(listed), 1, "deferrals in the ledger")
    return listed[0]


def recovers(case, sender, dns, recipient, postern):
    refused_twice(sender, postern)
    equal(recipient.mailbox(), [], "messages at the recipient's server before the DNS is mended")
    mend(dns)
    stored = until(recipient.mailbox, lambda: f"the message: {sender.log_text()[-2000:]}", 90, 0.2)
    equal([maildir.message_id(content) for content in stored], ["later@sender.test"], "messages delivered")
    sender.wait_empty()
    equal(sender.mailbox(), [], "reports in the sender's mailbox")
    equal(postern.queue(), [], "Postern's queue")
    told = told_by_ledger(postern, "recovered")
    equal((told["from"], told["to"], told["clients"], told["accepted_from"]), (SENDER, RECIPIENT, [NO_PTR], NO_PTR),
          "what the ledger says of the mail")
    case.note(f"refusals before: {len(CASE_ID.findall(postern.log_text()))}")


def gives_up(case, sender, postern):
    """The bounce that the sender reads is its own server's, with our words and a case that our log knows."""
    refused_twice(sender, postern)
    report = until(sender.mailbox, lambda: f"the bounce: {sender.log_text()[-2000:]}", 120, 0.2)
    equal(len(report), 1, "bounces in the sender's mailbox")
    text = maildir.unfolded(report[0].decode("latin-1"))
    check(re.search(REFUSAL, text), f"the bounce quotes our reply: {text[:3000]}")
    told, ours = CASE_ID.findall(text), CASE_ID.findall(postern.log_text())
    check(set(told) <= set(ours), f"cases in the bounce {told}, in our log {ours}")
    equal(told[0], ours[-1], "the case that the bounce names is the last attempt's")
    check(b"by gw.example.test" not in maildir.split_trace(report[0])[0], "the bounce did not come through Postern")
    sender.wait_empty()
    kept = told_by_ledger(postern, "retrying", attempts=len(ours))
    equal((kept["from"], kept["to"], kept["clients"], kept["attempts"]), (SENDER, RECIPIENT, [NO_PTR], len(ours)),
          "what the ledger says while it may still be tried again")
    equal([d["id"] for d in in_ledger(postern, "show", told[0])], [kept["id"]], "what the case in the bounce leads to")
    later = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=2)
    equal(told_by_ledger(postern, "given_up", "--at", f"{later:%Y-%m-%dT%H:%M}")["id"], kept["id"], "the one given up")
    case.note(f"attempts before it gave up: {len(ours)}")


@suite.case("u", "Postfix as upstream: refused until its DNS is mended, then delivered, without a report")
def case_recovers(case):
    servers, dns, recipient, postern = without_name(case)
    recovers(case, servers.sender(bind=NO_PTR), dns, recipient, postern)


@suite.case("u-exim", "Exim as upstream: the same")
def case_recovers_exim(case):
    _, dns, recipient, postern = without_name(case)
    recovers(case, exim_sender(case, NO_PTR, lifetime="1h"), dns, recipient, postern)


@suite.case("u-up", "Postfix as upstream: it gives up, and its bounce names our case")
def case_gives_up(case):
    servers, _, _, postern = without_name(case)
    gives_up(case, servers.sender(bind=NO_PTR, lifetime="20s", retry=WAIT), postern)


@suite.case("u-up-exim", "Exim as upstream: it gives up, and its bounce names our case")
def case_gives_up_exim(case):
    _, _, _, postern = without_name(case)
    gives_up(case, exim_sender(case, NO_PTR, lifetime=WAIT, retry=WAIT), postern)
