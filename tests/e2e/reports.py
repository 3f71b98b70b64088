"""The words of reports: languages, templates of the administrator's, `postern reports`."""

import email
import email.policy
import json
import signal
import subprocess

from fixture import RECIPIENT, SENDER, Gateway, base, message, suite
from harness.bounce_parser import disagreements
from harness.postern import Postern
from harness.report_checker import faults, python_faults, read
from harness.runner import check, equal
from harness.wait import until


def reports(case, *words):
    done = subprocess.run([str(case.postern_path), "reports", *map(str, words)], stdin=subprocess.DEVNULL,
                          capture_output=True, timeout=20)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


@suite.case("reports-preview", "postern reports: shipped templates, previews of every action, mistakes")
def reports_preview(case):
    own = case.directory / "fr.txt"
    for language, word in (("en", "Undelivered Mail"), ("de", "Unzustellbar")):
        status, text, errors = reports(case, "template", language)
        equal((status, errors), (0, ""), f"template {language}")
        check(word in text, f"the template in {language}")
        own.write_text(text)
        status, output, errors = reports(case, "preview", "--template", own)
        equal((status, errors), (0, ""), f"the template in {language} is good as it is printed")
        check(word in output, f"preview of it: {output}")
    words = {"failed": "could not be delivered", "delayed": "WARNING ONLY", "delivered": "mailbox",
             "relayed": "Handed to mx.example.net", "expanded": "list", "postmaster": "cannot be told"}
    for action, word in words.items():
        status, output, errors = reports(case, "preview", "--language", "en", "--action", action)
        equal((status, errors), (0, ""), f"preview of {action}")
        check(word in output and "\r" not in output, f"preview of {action}: {output}")
        status, output, _ = reports(case, "preview", "--language", "en", "--action", action, "--json")
        shown = json.loads(output)
        check(word in shown["text"] and shown["languages"] == ["en"], f"{action} as JSON: {shown}")
        message_bytes = shown["message"].encode()
        equal(faults(message_bytes) + python_faults(message_bytes), [], f"faults of the report of {action}")
        sent = email.message_from_string(shown["message"], policy=email.policy.default)
        equal((sent["Subject"], sent["To"].addresses[0].addr_spec), (shown["subject"], shown["to"]), "of the message")
    _, advice, _ = reports(case, "preview", "--language", "en", "--status", "5.2.2")
    check("mailbox is full" in advice, f"advice of 5.2.2: {advice}")
    own.write_text("[failed]\nsorry {name}\n")
    for wrong, word, wanted in ((["preview", "--template", own], f"{own}:2:1: unknown placeholder {{name}}", 1),
                                (["preview", "--template", case.directory / "none.txt"], "there is no file", 1),
                                (["preview", "--config", case.directory / "none.toml"], "there is no such file", 1),
                                (["preview", "--language", "xx"], "there are: en, de", 2),
                                (["template", "xx"], "there are: en, de", 2),
                                (["preview", "--language", "en", "--action", "lost"], "write one of: failed", 2),
                                (["preview", "--language", "en", "--status", "2.0.0"], "no status of failed", 2)):
        status, output, errors = reports(case, *wrong)
        equal((status, output), (wanted, ""), f"{wrong}: exit status")
        check(word in errors, f"{wrong}: {errors}")


@suite.case("reports-preview-configured", "the preview has the words, the name and the postmaster of the configuration")
def reports_preview_configured(case):
    (case.directory / "en.txt").write_text("[failed]\nHouse style.\n{recipients}\nAsk {postmaster}.\n")
    settings = base()
    settings["reports"] = {"languages": ["de", "en"], "templates": str(case.directory)}
    settings["server"]["postmaster"] = "help@house.test"
    server = Postern(case.postern_path, case.path("postern"), "127.0.0.1", 2525, settings)
    server.write_config({})
    status, output, errors = server.command("reports", "preview")
    equal((status, errors), (0, ""), "exit status")
    for word in ("Unzustellbar", "House style.", "help@house.test", "gw.test"):
        check(word in output, f"{word} in {output}")
    check(output.index("Leider") < output.index("House style."), "languages in the order that is configured")


def reported(gateway, number):
    """The text of the number-th report (from 1) that came to the sender."""
    gateway.accepted(message(f"refused-{number}"))
    found = until(lambda: [m for m in gateway.sink.messages if m.recipients == [SENDER]][number - 1:], "a report")
    return email.message_from_bytes(found[0].content, policy=email.policy.default)


@suite.case("reports-templates", "a template counts at the start and at SIGHUP; a bad one is told, the old one stays")
def reports_templates(case):
    template = case.directory / "en.txt"
    template.write_text("[failed]\nFirst words.\n{recipients}\n")
    gateway = Gateway(case, {"reports": {"languages": ["en", "de"], "templates": str(case.directory)}})
    gateway.sink.replies[RECIPIENT] = "550 5.1.1 no such mailbox here"
    first = list(reported(gateway, 1).iter_parts())[0]
    check("First words." in first.get_content(), "words of the start")
    check("Leider konnte" in first.get_content(), "the second language")
    equal(first["Content-Language"], "en, de", "languages")

    template.write_text("[failed]\nSecond words.\n")
    gateway.postern.process.signal(signal.SIGHUP)
    until(lambda: f"{template}:1:1: section [failed] needs {{recipients}}" in gateway.postern.log_text()
          and "reload_failed" in gateway.postern.log_text(), "the bad template to be told")
    check("First words." in list(reported(gateway, 2).iter_parts())[0].get_content(), "the old words stay")

    template.write_text("[failed]\nThird words.\n{recipients}\n")
    gateway.postern.process.signal(signal.SIGHUP)
    until(lambda: "reloaded" in gateway.postern.log_text(), "the reload")
    check("Third words." in list(reported(gateway, 3).iter_parts())[0].get_content(), "the new words")

    template.write_text("[subject.failed]\n\n")
    status, output, _ = gateway.postern.command("check")
    check(status == 1 and f"{template}:1:1: section [subject.failed] must be one line" in output, f"check: {output}")


@suite.case("reports-strict", "failed, expired, delivered, with ENVID, ORCPT, RET: each report is right to the letter")
def reports_strict(case):
    gateway = Gateway(case, {"delivery": {"lifetime": "3s"}, "reports": {"languages": ["de", "en"]}})
    gateway.sink.replies[RECIPIENT] = "550-5.7.1 Two lines (with \"quotes\"; caf\u00e9)\r\n550 5.7.1 <x@y>: 100% no"
    gateway.sink.replies["late@example.test"] = "450 4.2.2 mailbox full"
    client = gateway.client()
    client.hello()
    client.expect(f"MAIL FROM:<{SENDER}> RET=HDRS ENVID=QQ+2B314159+3D", 250)
    client.expect(f"RCPT TO:<{RECIPIENT}> ORCPT=rfc822;re+2Bcipient@example.test NOTIFY=FAILURE", 250)
    client.expect("RCPT TO:<late@example.test> ORCPT=rfc822;late@example.test", 250)
    client.expect("RCPT TO:<good@example.test> NOTIFY=SUCCESS,FAILURE", 250)
    client.expect("RCPT TO:<silent@example.test> NOTIFY=NEVER", 250)
    equal(client.data(message("strict")).code, 250, "reply to the message")
    until(lambda: gateway.postern.queue() == [], "the queue to be empty")
    equal(len(gateway.reports()), 2, "reports: at once, and when the lifetime is over")
    found = {}
    for content in gateway.reports():
        report = read(content)
        equal(report.of_message("Original-Envelope-Id"), "QQ+314159=", "the envelope id, its xtext undone")
        for index in range(len(report.recipients)):
            address = report.of_recipient(index, "Final-Recipient").split("; ")[1]
            check(address not in found, f"one report for {address}")
            found[address] = [report.of_recipient(index, name) for name in ("Action", "Status", "Original-Recipient")]
    equal(found, {RECIPIENT: ["failed", "5.7.1", "rfc822;re+cipient@example.test"],
                  "late@example.test": ["failed", "4.4.7", "rfc822;late@example.test"],
                  "good@example.test": ["relayed", "2.0.0", ""]}, "what was reported")


@suite.case("reports-perl", "Mail::DeliveryStatus::BounceParser reads in a report what happened")
def reports_perl(case):
    gateway = Gateway(case)
    replies = {"nobody@example.test": "550 5.1.1 no such user", "full@example.test": "552 5.2.2 mailbox full",
               "off@example.test": "550 5.2.1 disabled", "policy@example.test": "554 5.7.1 policy, see http://p.test/x"}
    gateway.sink.replies.update(replies)
    gateway.accepted(message("perl"), recipients=list(replies))
    until(lambda: gateway.reports(), "a report")
    equal(disagreements(gateway.reports()[0]), [], "where it reads something else")
    equal(len(read(gateway.reports()[0]).recipients), 4, "recipients of the report")
