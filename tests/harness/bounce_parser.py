"""A reader of reports that many mailing lists use: Perl's Mail::DeliveryStatus::BounceParser, compared with ours."""

import json
import pathlib
import subprocess

from harness.report_checker import read

SCRIPT = pathlib.Path(__file__).with_name("bounce_parser.pl")
# Its names for what it knows by the status alone.
REASONS = {"5.1.0": "user_unknown", "5.1.1": "user_unknown", "5.1.2": "domain_error", "5.2.1": "user_disabled",
           "5.2.2": "over_quota", "5.4.4": "domain_error"}


def perl_reads(message):
    """What it makes of a report: a dictionary. AssertionError when it cannot run: a missing reader is no pass."""
    # It splits recipients at empty lines of a mailbox file, which have no CR.
    done = subprocess.run(["perl", str(SCRIPT)], input=message.replace(b"\r\n", b"\n"), capture_output=True, timeout=60)
    if done.returncode != 0:
        raise AssertionError(f"Mail::DeliveryStatus::BounceParser did not run ('./dev setup' installs it): "
                             f"{done.stderr.decode(errors='replace')[:500]}")
    return json.loads(done.stdout)


def disagreements(message):
    """Where it understands a report otherwise than it was meant."""
    report, found, told = read(message), perl_reads(message), []

    def same(what, ours, theirs):
        if ours != theirs:
            told.append(f"{what}: {theirs!r} instead of {ours!r}")

    recipients = [dict(fields) for fields in report.recipients]
    same("Message-ID of the original", report.header.first("in-reply-to"), (found["orig_message_id"] or "").strip())
    # It knows failures alone: with one recipient that is delayed or served the whole is no bounce to it.
    failures = all(fields["action"] == "failed" for fields in recipients)
    same("is_bounce", failures, found["is_bounce"])
    if not failures:
        return told

    def behind_type(value):
        return value.split(";", 1)[1].strip()

    addresses = [behind_type(fields.get("original-recipient") or fields["final-recipient"]) for fields in recipients]
    same("addresses", addresses, found["addresses"])
    same("reports", len(recipients), len(found["reports"]))
    for fields, seen in zip(recipients, found["reports"]):
        same("status", fields["status"], seen["status"])
        same("Final-Recipient", fields["final-recipient"], seen["final-recipient"])
        same("Reporting-MTA", report.of_message("Reporting-MTA"), seen["reporting-mta"])
        reason = behind_type(fields["diagnostic-code"])
        same("reason", " ".join(reason.split()), " ".join(seen["reason"].split()))
        if fields["diagnostic-code"].startswith("smtp;"):
            same("SMTP code", reason[:3], seen["smtp_code"])
        if fields["status"] in REASONS:
            same("kind of reason", REASONS[fields["status"]], seen["std_reason"])
    return told
