"""Every golden report is strictly right, and Python's own reader understands it; other products' can be read."""

import os
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from harness.report_checker import Unreadable, faults, python_faults, read  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
GOLDEN = sorted((ROOT / "tests/golden/dsn").glob("*.eml"))
CORPORA = pathlib.Path(os.environ.get("POSTERN_CORPORA", ROOT.parent / "shared/corpora"))


class Golden(unittest.TestCase):
    def test_there_are_some(self):
        self.assertGreaterEqual(len(GOLDEN), 10)

    def test_each_is_right(self):
        for path in GOLDEN:
            with self.subTest(path.name):
                message = path.read_bytes()
                self.assertEqual(faults(message), [])
                self.assertEqual(python_faults(message), [])
                self.assertIn("gw.example.net", read(message).human)


class OtherProducts(unittest.TestCase):
    def test_their_reports_can_be_read(self):
        files = sorted(CORPORA.glob("dsn-*/**/*.eml"))
        if not files:
            print(f"note: no dsn-* under {CORPORA}; nothing of other products was read")
            return
        read_count = 0
        for path in files:
            with self.subTest(path.name):
                try:
                    report = read(path.read_bytes())
                except Unreadable as other:
                    self.assertIn("feedback-report", str(other), "only complaints about spam are no delivery reports")
                    continue
                read_count += 1
                for index in range(len(report.recipients)):
                    self.assertTrue(report.of_recipient(index, "Final-Recipient"))
                    self.assertRegex(report.of_recipient(index, "Status"), r"^[245]\.\d+\.\d+")
        self.assertGreater(read_count, 5)


if __name__ == "__main__":
    unittest.main()
