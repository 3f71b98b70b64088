"""The strict checker finds what is wrong: each mutation of a right report is told, by the rule that it breaks."""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from harness.report_checker import Unreadable, faults, python_faults, read  # noqa: E402

GOLDEN = pathlib.Path(__file__).resolve().parents[1] / "golden/dsn"
FULL = (GOLDEN / "failure-full.eml").read_bytes()
MIXED = (GOLDEN / "mixed.eml").read_bytes()
GERMAN = (GOLDEN / "german.eml").read_bytes()
INTERNATIONAL = (GOLDEN / "international.eml").read_bytes()
SMTPUTF8 = (GOLDEN / "international-smtputf8.eml").read_bytes()

# (base, what stands there, what stands there instead, the rule that must be told); the first occurrence is replaced.
MUTATIONS = [
    # lines
    (FULL, b"Body text\r\n", b"Body text\n", "RFC 5322 section 2.3"),
    (FULL, b"Body text\r\n", b"Body\rtext\r\n", "RFC 5322 section 2.3"),
    (FULL, b"Body text", b"Body\0text", "RFC 5322 section 2.3"),
    (FULL, b"Body text", b"B" * 999, "RFC 5322 section 2.1.1"),
    (FULL, b"--=_4F7KQ2_0--\r\n", b"--=_4F7KQ2_0--", "RFC 5322 section 2.3"),
    # header
    (FULL, b"Date: Mon, 21", b"X-Date: Mon, 21", "RFC 5322 section 3.6: date"),
    (FULL, b"Date: Mon, 21", b"Date: Tue, 21", "RFC 5322 section 3.3"),
    (FULL, b"14:15:23 +0000", b"14:15:23 GMT", "RFC 5322 section 3.3"),
    (FULL, b"14:15:23", b"24:15:23", "RFC 5322 section 3.3"),
    (FULL, b"Message-ID: <4F7KQ2@gw.example.net>\r\n", b"", "RFC 5322 section 3.6: message-id"),
    (FULL, b"<4F7KQ2@gw.example.net>", b"4F7KQ2@gw.example.net", "RFC 5322 section 3.6.4"),
    (FULL, b"<4F7KQ2@gw.example.net>", b"<4F7KQ2>", "RFC 5322 section 3.6.4"),
    (FULL, b"References: <1.2@mail.example.org>", b"References: 1.2", "RFC 5322 section 3.6.4"),
    (FULL, b"From: Mail Delivery System <MAILER-DAEMON@gw.example.net>", b"From: <>", "RFC 5322 section 3.4"),
    (FULL, b"To: <alice@example.org>", b"To: <alice@example.org>, <bob@example.org>", "RFC 5322 section 3.4"),
    (FULL, b"To: <alice@example.org>", b"To: <alice@example.org>\r\nTo: <bob@example.org>", "RFC 5322 section 3.6: to"),
    (FULL, b"Auto-Submitted: auto-replied\r\n", b"", "RFC 3834 section 5"),
    (FULL, b"auto-replied", b"auto-generated", "RFC 3834 section 5"),
    (FULL, b"auto-replied", b"no", "RFC 3834 section 5"),
    (FULL, b"Date: Mon", b"Return-Path: <alice@example.org>\r\nDate: Mon", "RFC 3464 section 2: Return-Path"),
    (FULL, b"MIME-Version: 1.0\r\n", b"", "RFC 2045 section 4"),
    (FULL, b"Date: Mon", b"Disposition-Notification-To: a@example.org\r\nDate: Mon", "RFC 8098 section 2.1"),
    (FULL, b"Subject: Undelivered", b"Subject: \xc3\x9cndelivered", "RFC 5322 section 2.2"),
    (FULL, b"Subject: Undelivered", b"no field\r\nSubject: Undelivered", "RFC 5322 section 2.2"),
    (FULL, b"Subject: Undelivered", b"Subject:\r\n \r\n Undelivered", "RFC 5322 section 3.2.2"),
    (GERMAN, b"=C3=BCck?=", b"=C3?=", "RFC 2047 section 5"),
    (GERMAN, b"=?UTF-8?Q?Unzustellbar=3A_", b"=?UTF-8?Q?" + b"x" * 70 + b"_", "RFC 2047 section 2"),
    (GERMAN, b"=?UTF-8?Q?Unzustellbar=3A_", b"=?UTF-8?X?Unzustellbar=3A_", "RFC 2047 section 2"),
    # multipart/report
    (FULL, b"multipart/report", b"multipart/mixed", "RFC 6522 section 3"),
    (FULL, b" report-type=delivery-status;", b"", "RFC 3464 section 2: report-type"),
    (FULL, b"report-type=delivery-status", b"report-type=disposition-notification", "RFC 3464 section 2: report-type"),
    (FULL, b"report-type=delivery-status;", b"report-type=delivery-status; type=x;", "RFC 6522 section 3"),
    (FULL, b"report-type=delivery-status;", b"report-type=delivery-status; report-type=x;", "RFC 2045 section 5.1"),
    (FULL, b'boundary="=_4F7KQ2_0"', b"boundary==_4F7KQ2_0", "RFC 2045 section 5.1"),
    (FULL, b"=_4F7KQ2_0", b"=_" + b"a" * 70, "RFC 2046 section 5.1.1"),
    (FULL, b"Body text", b"--=_4F7KQ2_0 is a boundary", "RFC 2046 section 5.1.1"),
    (FULL, b"Body text", b"Body text\r\n--=_4F7KQ2_0\r\n\r\nforged", "RFC 6522 section 3: it has 4 parts"),
    (FULL, b"--=_4F7KQ2_0--\r\n", b"", "RFC 2046 section 5.1.1: the last delimiter is missing"),
    (FULL, b"--=_4F7KQ2_0--\r\n", b"--=_4F7KQ2_0--\r\nmore\r\n", "RFC 2046 section 5.1.1"),
    (FULL, b"--=_4F7KQ2_0\r\n", b"--=_4F7KQ2_0 \r\n", "RFC 2046 section 5.1.1"),
    (FULL, b"This is a report in MIME format.", b"Dies ist ein Bericht f\xfcr Sie.", "RFC 2046 section 5.1.1"),
    (FULL, b"Content-Transfer-Encoding: 7bit\r\n\r\nThis", b"Content-Transfer-Encoding: base64\r\n\r\nThis",
     "RFC 2045 section 6.4"),
    # encodings
    (FULL, b"Body text", b"Body t\xe9xt", "RFC 2045 section 2.7"),
    (FULL, b"Body text", b"Body t\xe9xt", "RFC 2045 section 6.4"),
    (SMTPUTF8, b"Content-Transfer-Encoding: 8bit\r\n\r\nThis", b"Content-Transfer-Encoding: 7bit\r\n\r\nThis",
     "RFC 2045 section 6.4"),
    (FULL, b"message/rfc822\r\nContent-Transfer-Encoding: 7bit",
     b"message/rfc822\r\nContent-Transfer-Encoding: quoted-printable", "RFC 2046 section 5.2.1"),
    (GERMAN, b"Empf=C3=A4ngern", b"Empf=c3=a4ngern", "RFC 2045 section 6.7"),
    (GERMAN, b"Empf=C3=A4ngern", b"Empf\xc3\xa4ngern", "RFC 2045 section 2.7"),
    (GERMAN, b"zugestellt werden.", b"zugestellt werden " + b"x" * 60, "RFC 2045 section 6.7"),
    (GERMAN, b"zugestellt werden.\r\n", b"zugestellt werden. \r\n", "RFC 2045 section 6.7"),
    (GERMAN, b"charset=utf-8", b"charset=us-ascii", "RFC 2046 section 4.1.2"),
    (GERMAN, b"Content-Language: de", b"Content-Language: de_DE", "RFC 3282 section 2"),
    (GERMAN, b"Dies ist das Mailsystem", b"=1B[1mDies ist das Mailsystem", "RFC 2046 section 4.1.2"),
    # parts
    (FULL, b"Content-Type: text/plain", b"Content-Type: text/html", "RFC 6522 section 3: the part for people"),
    (FULL, b"Content-Type: message/delivery-status", b"Content-Type: text/plain", "RFC 3464 section 2.1"),
    (FULL, b"Content-Type: message/delivery-status\r\n",
     b"Content-Type: message/delivery-status\r\nContent-Transfer-Encoding: base64\r\n", "RFC 3464 section 2.1"),
    (FULL, b"Content-Type: message/rfc822", b"Content-Type: text/html", "RFC 6522 section 3: the returned"),
    (FULL, b"Content-Type: message/rfc822", b"Content-Type: text/rfc822-headers", "RFC 6522 section 4"),
    (FULL, b"Content-Description: Notification", b"Subject: Notification", "RFC 2046 section 5.1"),
    (INTERNATIONAL, b"message/delivery-status", b"message/global-delivery-status", "RFC 6533 section 4"),
    # fields of the message
    (FULL, b"Reporting-MTA: dns; gw.example.net\r\n", b"", "RFC 3464 section 2.2: reporting-mta is missing"),
    (FULL, b"Reporting-MTA: dns; gw.example.net", b"Reporting-MTA: gw.example.net", "RFC 3464 section 2.1.2"),
    (FULL, b"Reporting-MTA: dns; gw", b"Reporting-MTA: smtp; gw", "RFC 3464 section 2.1.2"),
    (FULL, b"Reporting-MTA: dns; gw.example.net", b"Reporting-MTA: dns; gw .example.net", "RFC 3464 section 2.1.2"),
    (FULL, b"(192.0.2.25)", b"(192.0.2.25", "RFC 3464 section 2.1.2"),
    (FULL, b"Arrival-Date: Mon, 21", b"Arrival-Date: 21", "RFC 3464 section 2.2.5"),
    (FULL, b"Arrival-Date: Mon, 21 Sep 2026 14:13", b"Arrival-Date: Mon, 21 Sep 2026 14:30", "RFC 3464 section 2.3.7"),
    (FULL, b"QQ314159", b"QQ+2B314159", "RFC 3464 section 2.2.1"),
    (FULL, b"QQ314159", b"", "RFC 3464 section 2.2: original-envelope-id is empty"),
    (FULL, b"X-Postern-Queue-ID", b"Queue-ID", "RFC 3464 section 2.2: queue-id does not belong"),
    (FULL, b"Arrival-Date:", b"Reporting-MTA: dns; b.example\r\nArrival-Date:", "RFC 3464 section 2.2: reporting-mta"),
    (FULL, b"Arrival-Date:", b"Status: 5.1.1\r\nArrival-Date:", "RFC 3464 section 2.2: status does not belong"),
    # fields of a recipient
    (FULL, b"0G7K2M4N6P8Q1\r\n\r\n", b"0G7K2M4N6P8Q1\r\n", "RFC 3464 section 2.1: no recipient"),
    (FULL, b"0G7K2M4N6P8Q1\r\n\r\n", b"0G7K2M4N6P8Q1\r\n\r\n\r\n", "RFC 3464 section 2.1"),
    (FULL, b"Final-Recipient: rfc822; nobody@example.com\r\n", b"", "RFC 3464 section 2.3: final-recipient"),
    (FULL, b"Action: failed\r\n", b"", "RFC 3464 section 2.3: action"),
    (FULL, b"Status: 5.1.1\r\n", b"", "RFC 3464 section 2.3: status"),
    (FULL, b"Status: 5.1.1\r\n", b"Status: 5.1.1\r\nStatus: 5.1.1\r\n", "RFC 3464 section 2.3: status"),
    (FULL, b"Status: 5.1.1", b"Status: 5.1", "RFC 3463 section 2"),
    (FULL, b"Status: 5.1.1", b"Status: 5.1.01", "RFC 3463 section 2"),
    (FULL, b"Status: 5.1.1", b"Status: 3.1.1", "RFC 3463 section 2"),
    (FULL, b"Status: 5.1.1", b"Status: 2.1.5", "RFC 3464 section 2.3.4"),
    (MIXED, b"Status: 4.2.0", b"Status: 5.2.0", "RFC 3464 section 2.3.4"),
    (MIXED, b"Action: relayed", b"Action: failed", "RFC 3464 section 2.3.4"),
    (FULL, b"Action: failed", b"Action: bounced", "RFC 3464 section 2.3.3"),
    (MIXED, b"Action: delayed", b"Action: failed", "RFC 3464 section 2.3.9"),
    (MIXED, b"Will-Retry-Until: Sat, 26 Sep 2026", b"Will-Retry-Until: Sat, 19 Sep 2026", "RFC 3464 section 2.3.7"),
    (MIXED, b"Will-Retry-Until: Sat, 26 Sep 2026", b"Will-Retry-Until: Sat 26 Sep 2026", "RFC 3464 section 2.3.9"),
    (FULL, b"rfc822; nobody@example.com", b"nobody@example.com", "RFC 3464 section 2.3.2"),
    (FULL, b"rfc822; nobody@example.com", b"rfc822; nobody", "RFC 3464 section 2.3.2"),
    (FULL, b"rfc822; nobody@example.com", b"x-mine; nobody@example.com", "RFC 3464 section 2.3.2"),
    (FULL, b"rfc822;no.body@example.com", b"rfc822;no+2Bbody@example.com", "RFC 3464 section 2.3.1"),
    (FULL, b"rfc822;no.body@example.com", b"no.body@example.com", "RFC 3464 section 2.3.1"),
    (FULL, b"Diagnostic-Code: smtp; 550", b"Diagnostic-Code: 550", "RFC 3464 section 2.3.6"),
    (FULL, b"Diagnostic-Code: smtp; 550 5.1.1", b"Diagnostic-Code: smtp; no", "RFC 3464 section 2.3.6"),
    (FULL, b"Diagnostic-Code: smtp; 550", b"Diagnostic-Code: smtp; 250", "RFC 3464 section 2.3.6"),
    (MIXED, b"Diagnostic-Code: X-Postern;", b"Diagnostic-Code: postern;", "RFC 3464 section 2.3.6"),
    (FULL, b"Last-Attempt-Date: Mon, 21 Sep 2026 14:15:00 +0000", b"Last-Attempt-Date: now", "RFC 3464 section 2.3.7"),
    (FULL, b"Last-Attempt-Date: Mon, 21 Sep 2026 14:15", b"Last-Attempt-Date: Mon, 21 Sep 2026 14:16",
     "RFC 3464 section 2.3.7"),
    (MIXED, b"Remote-MTA: dns; [192.0.2.7]", b"Remote-MTA: dns; 192.0.2.7 port 25", "RFC 3464 section 2.1.2"),
    (FULL, b"Remote-MTA: dns;", b"Remote-Server: dns;", "RFC 3464 section 2.3: remote-server does not belong"),
    # RFC 6533
    (INTERNATIONAL, b"utf-8; j\\x{F6}rg", b"rfc822; j\xc3\xb6rg", "RFC 6533 section 3"),
    (INTERNATIONAL, b"utf-8; j\\x{F6}rg", b"utf-8; j\xc3\xb6rg", "RFC 6533 section 3"),
    (INTERNATIONAL, b"utf-8; j\\x{F6}rg", b"utf-8; j\\x{f6}rg", "RFC 6533 section 3"),
    (INTERNATIONAL, b"utf-8; j\\x{F6}rg", b"utf-8; j\\x{00F6}rg", "RFC 6533 section 3"),
    (INTERNATIONAL, b"utf-8; j\\x{F6}rg\\x{2B}x", b"utf-8; j\\x{F6}rg+x", "RFC 6533 section 3"),
    (SMTPUTF8, b"message/global-delivery-status", b"message/delivery-status", "RFC 3464 section 2.1"),
    (SMTPUTF8, b"To: <\xc3\xa9lise", b"To: <\xe9lise", "RFC 6532 section 3.2"),
    (SMTPUTF8, b"To: <\xc3\xa9lise", b"To: <elise", "RFC 6533 section 4"),
]


class Mutations(unittest.TestCase):
    def test_each_is_found(self):
        for base, old, new, rule in MUTATIONS:
            with self.subTest(old=old, new=new[:60]):
                self.assertIn(old, base, "the mutation changes nothing")
                wrong = base.replace(old, new, 1)
                told = faults(wrong)
                self.assertTrue(any(fault.startswith(rule) for fault in told), f"{rule} is not in {told}")

    def test_the_right_ones_are_good(self):
        for base in (FULL, MIXED, GERMAN, INTERNATIONAL, SMTPUTF8):
            self.assertEqual(faults(base), [])

    def test_nonsense_is_no_error_of_the_checker(self):
        for size in range(0, len(FULL), 7):
            faults(FULL[:size])
            faults(FULL[size:])
        self.assertTrue(faults(b""))
        self.assertTrue(faults(bytes(range(256)) * 50))


class PythonsEmail(unittest.TestCase):
    def test_tells_what_it_does_not_understand(self):
        for base, old, new in ((FULL, b"--=_4F7KQ2_0--\r\n", b""),
                               (FULL, b"multipart/report", b"multipart/mixed"),
                               (FULL, b"message/delivery-status", b"text/plain"),
                               (FULL, b"<alice@example.org>", b"<alice@example.org")):
            with self.subTest(old=old):
                self.assertEqual(python_faults(base), [])
                try:
                    self.assertTrue(python_faults(base.replace(old, new, 1)))
                except Unreadable:
                    pass


class Reading(unittest.TestCase):
    def test_gives_what_was_reported(self):
        report = read(MIXED)
        self.assertEqual(report.of_message("Reporting-MTA"), "dns; gw.example.net")
        actions = [report.of_recipient(i, "Action") for i in range(len(report.recipients))]
        self.assertEqual(actions, ["failed", "failed", "relayed", "delayed"])
        self.assertIn("greylisted", report.human)
        self.assertEqual(report.returned_type, "text/rfc822-headers")
        self.assertIn("Empfängern", read(GERMAN).human)

    def test_bare_line_feeds_do_not_matter(self):
        self.assertEqual(read(MIXED.replace(b"\r\n", b"\n")).recipients, read(MIXED).recipients)

    def test_says_why_it_cannot(self):
        for wrong in (b"", b"From: a\r\n\r\nhello\r\n", FULL.replace(b"--=_4F7KQ2_0--", b""),
                      FULL.replace(b"0G7K2M4N6P8Q1\r\n\r\n", b"0G7K2M4N6P8Q1\r\n")):
            self.assertRaises(Unreadable, read, wrong)


if __name__ == "__main__":
    unittest.main()
