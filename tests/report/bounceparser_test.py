"""Mail::DeliveryStatus::BounceParser reads in the golden reports what was composed."""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from harness.bounce_parser import disagreements, perl_reads  # noqa: E402

GOLDEN = pathlib.Path(__file__).resolve().parents[1] / "golden/dsn"
# The module knows no message/global-delivery-status.
OF_SMTPUTF8 = "international-smtputf8.eml"


class BounceParser(unittest.TestCase):
    def test_agrees_on_every_golden_report(self):
        names = sorted(path.name for path in GOLDEN.glob("*.eml") if path.name != OF_SMTPUTF8)
        self.assertGreaterEqual(len(names), 9)
        for name in names:
            with self.subTest(name):
                self.assertEqual(disagreements((GOLDEN / name).read_bytes()), [])

    def test_is_asked_indeed(self):
        report = (GOLDEN / "german.eml").read_bytes()
        self.assertEqual(perl_reads(report)["addresses"], ["no.body@example.com", "bob@example.com"])
        self.assertTrue(perl_reads(report)["is_bounce"])
        self.assertFalse(perl_reads((GOLDEN / "delayed.eml").read_bytes())["is_bounce"])
        unknown = report.replace(b"message/delivery-status", b"message/global-delivery-status")
        self.assertTrue(disagreements(unknown), "it must be seen when it reads nothing")


if __name__ == "__main__":
    unittest.main()
