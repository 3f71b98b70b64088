"""postern explain CASE, ledger and impact: what the server itself has recorded of real answers."""

import json
import os
import re
import subprocess

from fixture import Gateway, message, suite
from harness.dns_stub import A, PTR, reverse
from harness.runner import check, equal
from harness.wait import until

NAMELESS, NAMED = "127.2.0.1", "127.1.0.1"
RECORDS = {
    reverse(NAMELESS): {PTR: []},
    reverse(NAMED): {PTR: ["mx.sender.test"]},
    "mx.sender.test": {A: [NAMED]},
}
SENDER, BOB, CARL = "ann@sender.test", "bob@example.test", "carl@example.test"


def settings(mode):
    return {"unknown_ip": {"mode": mode, "check_private": True, "deadline": "3s"}}


def postern(gateway, *words):
    done = subprocess.run([str(gateway.case.postern_path), *words, "--config", str(gateway.postern.config)],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


def told(gateway, *words):
    status, output, errors = postern(gateway, *words)
    equal((status, errors), (0, ""), f"exit status and errors of {words}")
    return output


def refused(gateway):
    """Two recipients of one client that has no name; the case that its replies named."""
    client = gateway.client(source=NAMELESS)
    client.hello("mail.sender.test")
    client.expect(f"MAIL FROM:<{SENDER}>", 250)
    replies = [client.command(f"RCPT TO:<{recipient}>") for recipient in (BOB, CARL)]
    client.quit()
    cases = {re.search(r"\(case (\w+)\)", reply).group(1) for reply in replies}
    equal(len(cases), 1, "one case for both recipients")
    return cases.pop(), str(replies[0])


def is_recorded(gateway, case_id):
    until(lambda: postern(gateway, "explain", case_id)[0] == 0, f"case {case_id} in the ledger", 20)


@suite.case("explain-case", "postern explain CASE: what a real refusal recorded, while the server runs and after")
def explain_case(case):
    gateway = Gateway(case, settings("enforce"), records=RECORDS)
    case_id, reply = refused(gateway)
    is_recorded(gateway, case_id)
    recorded = json.loads(told(gateway, "explain", f"(case {case_id.lower()})", "--profile", "postfix", "--json"))
    equal((recorded["case"], recorded["client"], recorded["state"], recorded["effect"]),
          (case_id, NAMELESS, "no_ptr", "refused"), "the case")
    equal([r["to"] for r in recorded["recipients"]], [BOB, CARL], "its recipients")
    equal(recorded["ptr"]["status"], "NODATA", "the lookup, as it was")
    check(recorded["reply"] in reply, f"the reply to the letter: {recorded['reply']}")
    equal(recorded["publish"], ["1.0.2.127.in-addr.arpa. IN PTR mail.sender.test.", f"mail.sender.test. IN A {NAMELESS}"],
          "what is to be published")
    check(recorded["reply"].split(" (")[0] in recorded["upstreams"][0]["report_text"], "the report quotes the reply")
    equal(recorded["recipients"][0]["deferral"]["outcome"], "retrying", "what became of it so far")

    gateway.dns.records[reverse(NAMELESS)] = {PTR: ["mail.sender.test"]}
    gateway.dns.records["mail.sender.test"] = {A: [NAMELESS]}
    now = json.loads(told(gateway, "explain", case_id, "--now", "--json"))
    equal((now["ptr"]["status"], now["today"]["state"]), ("NODATA", "pass"), "mended since then")

    gateway.postern.stop()
    text = told(gateway, "explain", case_id)
    for words in [f"Case {case_id}", f"{SENDER} -> {BOB}: refused", "State: no_ptr", "What became of it:",
                  f"[[unknown_ip.override]]\n    network = \"{NAMELESS}\"\n    sender_domain = \"sender.test\""]:
        check(words in text, f"the text has: {words}\n{text}")
    letter = told(gateway, "explain", case_id, "--mail")
    check(letter.startswith("From: postmaster@gw.test\nTo: postmaster@sender.test\n"), letter)


@suite.case("explain-exempt", "the override that explain suggests, pasted into the configuration, lets the mail in")
def explain_exempt(case):
    gateway = Gateway(case, settings("enforce"), records=RECORDS)
    case_id, _ = refused(gateway)
    is_recorded(gateway, case_id)
    block = json.loads(told(gateway, "explain", case_id, "--json"))["exempt"]
    gateway.postern.stop()
    with open(gateway.postern.config, "a", encoding="ascii") as config:
        config.write("\n" + block)
    gateway.postern.start()
    gateway.accepted(message("let-in"), sender=SENDER, recipients=[BOB], source=NAMELESS)


@suite.case("ledger-commands", "postern ledger list and show, of mail that recovers and mail that does not")
def ledger_commands(case):
    gateway = Gateway(case, settings("enforce"), records=RECORDS)
    case_id, _ = refused(gateway)
    gateway.accepted(message("recovers"), sender=SENDER, recipients=[BOB], source=NAMED)
    is_recorded(gateway, case_id)

    def outcomes():
        listed = json.loads(told(gateway, "ledger", "list", "--json"))["deferrals"]
        return {d["to"]: d["outcome"] for d in listed}
    until(lambda: outcomes() == {BOB: "recovered", CARL: "retrying"}, lambda: f"the outcomes; they are {outcomes()}", 20)
    only = json.loads(told(gateway, "ledger", "list", "--outcome", "retrying", "--recipient", "@EXAMPLE.test",
                           "--client", "127.2.0.0/24", "--state", "no_ptr", "--since", "1h", "--json"))
    equal([(d["to"], d["case"], d["clients"]) for d in only["deferrals"]], [(CARL, case_id, [NAMELESS])], "selected")
    equal(only["more"], False, "and that is all")
    first = json.loads(told(gateway, "ledger", "list", "--limit", "1", "--json"))
    equal(first["more"], True, "the first of two")
    rest = json.loads(told(gateway, "ledger", "list", "--after", str(first["deferrals"][0]["id"]), "--json"))
    equal(len(rest["deferrals"]), 1, "the other one")
    equal(json.loads(told(gateway, "ledger", "list", "--sender", "<>", "--json"))["deferrals"], [], "none")

    later = json.loads(told(gateway, "ledger", "list", "--recipient", CARL, "--at", "2100-01-01T00:00", "--json"))
    equal([d["outcome"] for d in later["deferrals"]], ["never_retried"], "when nobody tries again")

    shown = json.loads(told(gateway, "ledger", "show", case_id, "--json"))["deferrals"]
    equal([d["to"] for d in shown], [BOB, CARL], "both of the case")
    equal(shown[1]["refusals"][0]["client"], NAMELESS, "an attempt")
    text = told(gateway, "ledger", "show", str(shown[1]["id"]))
    check(f"Deferral {shown[1]['id']}: {SENDER} -> {CARL}" in text and f"case {case_id}" in text, text)
    check("SENDER -> RECIPIENT" in told(gateway, "ledger", "list"), "the table has a head")


@suite.case("impact", "postern impact: what observe has recorded, likely wanted mail first, and overrides for it")
def impact(case):
    gateway = Gateway(case, settings("observe"), records=RECORDS)
    gateway.accepted(message("known"), sender=SENDER, recipients=[BOB], source=NAMED)
    gateway.accepted(message("observed"), sender=SENDER, recipients=[BOB, CARL], source=NAMELESS)

    def report():
        return json.loads(told(gateway, "impact", "--since", "1h", "--json"))
    until(lambda: postern(gateway, "impact")[0] == 0 and report()["answers_observed"] == 2, "the ledger", 20)
    found = report()
    equal((found["clients"], found["messages"], found["senders"], found["recipients"]), (1, 1, 1, 2), "what it would cost")
    equal(found["states"], {"no_ptr": {"clients": 1, "messages": 1, "senders": 1, "recipients": 2}}, "by cause")
    who = found["who"][0]
    equal((who["client"], who["cause"]), (NAMELESS, "no PTR record"), "who")
    check(any("mx.sender.test" in reason for reason in who["likely_wanted_because"]), f"why: {who}")
    equal(found["exempt"], [], "a sender's domain, which anybody can write, exempts nobody")
    gateway.dns.records[reverse(NAMELESS)] = {PTR: ["mail.sender.test"]}
    gateway.dns.records["mail.sender.test"] = {A: [NAMELESS]}
    gateway.postern.stop()
    gateway.postern.start()
    gateway.accepted(message("confirmed"), sender=SENDER, recipients=[BOB], source=NAMELESS)
    until(lambda: report()["exempt"], "a client whose name was confirmed is put up for exemption", 20)
    text = told(gateway, "impact")
    check(f"[[unknown_ip.override]]\nnetwork = \"{NAMELESS}\"\nsender_domain = \"sender.test\"\n" in text, text)


@suite.case("ledger-mistakes", "explain CASE, ledger and impact say what is wrong, and what to do")
def ledger_mistakes(case):
    gateway = Gateway(case, settings("enforce"), records=RECORDS, start=False)
    for words in (["explain", "4F7KQ2"], ["ledger", "list"], ["ledger", "show", "1"], ["impact"]):
        status, output, errors = postern(gateway, *words)
        equal((status, output), (1, ""), f"{words} without a ledger")
        check("there is no ledger at" in errors and "ledger.db" in errors, f"{words}: {errors}")
    gateway.postern.start()
    case_id, _ = refused(gateway)
    is_recorded(gateway, case_id)
    for words, expected, advice in [
            (["explain", "ZZZZZZ"], 1, "there is no case ZZZZZZ"),
            (["ledger", "show", "999999"], 1, "postern ledger list"),
            (["explain", case_id, "--profile", "postfi"], 2, "did you mean postfix?"),
            (["ledger", "list", "--outcome", "lost"], 2, "given_up"),
            (["ledger", "list", "--client", "x"], 2, "--client"),
            (["ledger", "list", "--state", "x"], 2, "no_ptr"),
            (["ledger", "list", "--since", "x"], 2, "4h"),
            (["ledger", "list", "--after", "x"], 2, "--after"),
            (["ledger", "list", "--at", "tomorrow"], 2, "T"),
            (["ledger", "show", case_id, "--at", "2026-13-01T00:00"], 2, "--at"),
            (["impact", "--since", "x"], 2, "7d")]:
        status, output, errors = postern(gateway, *words)
        equal((status, output), (expected, ""), f"{words}: {errors}")
        check(advice in errors, f"{words}: {errors}")
    gateway.postern.stop()
    ledger = gateway.postern.spool / "ledger.db"
    other_user = ["setpriv", "--reuid", "65534", "--clear-groups"]
    for path in [gateway.postern.directory, *gateway.postern.directory.parents][:3]:
        os.chmod(path, 0o755)
    os.chmod(gateway.postern.spool, 0o700)
    done = subprocess.run([*other_user, str(case.postern_path), "explain", case_id, "--config",
                           str(gateway.postern.config)], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    equal(done.returncode, 1, "another user")
    check("run this as root or as the server's user" in done.stderr, done.stderr)
    for suffix in ("-wal", "-shm"):
        (gateway.postern.spool / f"ledger.db{suffix}").unlink(missing_ok=True)
    ledger.write_bytes(b"x" * 8192)
    status, output, errors = postern(gateway, "explain", case_id)
    equal((status, output), (1, ""), "a damaged file")
    check("is damaged" in errors, errors)
